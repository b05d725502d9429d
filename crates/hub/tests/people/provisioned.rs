//! People and teams that a directory provisions: SCIM 2.0, as Entra ID and Okta speak it, and the
//! checker scim2-tester.

use std::time::{Duration, Instant};

use super::*;
use crate::support::{Raw, python};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A program that provisions; its token.
pub(super) fn provisioner(hub: &Hub, name: &str) -> String {
    let issued = ask(
        hub,
        &format!("POST /api/things/{name}/credentials"),
        "",
        &json!({}),
    );
    assert_eq!(issued.status, 201, "{}", issued.body);
    let may = json!({ "relation": "provisioner", "to": "places/hub" });
    let related = ask(hub, &format!("PUT /api/things/{name}/relations"), "", &may);
    assert_eq!(related.status, 204, "{}", related.body);
    issued.json()["token"].as_str().unwrap().to_owned()
}

#[track_caller]
pub(super) fn ok(answer: Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.body);
    match answer.body.is_empty() {
        true => Value::Null,
        false => answer.json(),
    }
}

#[track_caller]
pub(super) fn create_user(hub: &Hub, token: &str, name: &str) -> String {
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "externalId": format!("ext-{name}"), "userName": format!("{name}@example.org"), "active": true,
        "displayName": name, "name": { "givenName": name, "familyName": "Lopez" },
        "emails": [{ "primary": true, "type": "work", "value": format!("{name}@example.org") }],
        (ENTERPRISE): { "department": "Ward 3" },
        "meta": { "resourceType": "User" }, "roles": [],
    });
    let created = ask(hub, "POST /scim/v2/Users", token, &user);
    assert_eq!(created.headers["content-type"], "application/scim+json");
    let created = ok(created, 201);
    created["id"].as_str().unwrap().to_owned()
}

pub(super) fn patch(operations: Value) -> Value {
    json!({ "schemas": [PATCH], "Operations": operations })
}

/// A token of a person, issued by the owner of the hub.
fn token_of(hub: &Hub, id: &str) -> String {
    let issued = ask(
        hub,
        &format!("POST /api/people/{id}/credentials"),
        "",
        &json!({}),
    );
    ok(issued, 201)["token"].as_str().unwrap().to_owned()
}

#[test]
fn only_a_program_that_was_told_to_provisions() {
    let hub = hub();
    let nobody = http(hub.at("http://"), "GET /scim/v2/Users", &[], "");
    assert_eq!(nobody.status, 401);
    // To own the hub is not to be a directory.
    let owner = ask(&hub, "GET /scim/v2/Users", "", &Value::Null);
    assert_eq!(owner.status, 403);
    let error = owner.json();
    assert_eq!(
        error["schemas"][0],
        "urn:ietf:params:scim:api:messages:2.0:Error"
    );
    assert!(
        error["detail"].as_str().unwrap().contains("`provisioner`"),
        "{error}"
    );
    let entra = provisioner(&hub, "entra");
    let config = ok(
        ask(
            &hub,
            "GET /scim/v2/ServiceProviderConfig",
            &entra,
            &Value::Null,
        ),
        200,
    );
    assert_eq!(
        (&config["patch"]["supported"], &config["bulk"]["supported"]),
        (&json!(true), &json!(false))
    );
    // One sees nothing of what another provisioned, or of the hub's own people.
    let okta = provisioner(&hub, "okta");
    let id = create_user(&hub, &entra, "ana");
    let seen = ok(ask(&hub, "GET /scim/v2/Users", &okta, &Value::Null), 200);
    assert_eq!(seen["totalResults"], 0);
    ok(
        ask(
            &hub,
            &format!("GET /scim/v2/Users/{id}"),
            &okta,
            &Value::Null,
        ),
        404,
    );
    ok(
        ask(&hub, "GET /scim/v2/Users/owner", &entra, &Value::Null),
        404,
    );
    ok(
        ask(&hub, "DELETE /scim/v2/Users/owner", &entra, &Value::Null),
        404,
    );
    // And a name is taken for all.
    let again = json!({ "userName": "ANA@example.org" });
    let again = ok(ask(&hub, "POST /scim/v2/Users", &okta, &again), 409);
    assert_eq!(again["scimType"], "uniqueness");
}

#[test]
fn entra_id_looks_creates_changes_and_ends() {
    let mut hub = hub();
    let token = provisioner(&hub, "entra");
    let look = |hub: &Hub, filter: &str| {
        let filter: String = form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let found = ask(
            hub,
            &format!("GET /scim/v2/Users?filter={filter}"),
            &token,
            &Value::Null,
        );
        ok(found, 200)
    };
    // The test of a connection: a name that nobody has.
    let none = look(&hub, "userName eq \"8f1b4f0c-0000\"");
    assert_eq!(
        (&none["totalResults"], &none["Resources"]),
        (&json!(0), &json!([]))
    );
    let id = create_user(&hub, &token, "ana");
    assert_eq!(id, "ana");
    // Acknowledged means committed.
    hub.die_and_begin_again();
    let found = look(&hub, "userName eq \"ana@example.org\"");
    assert_eq!(found["Resources"][0]["id"], "ana");
    assert_eq!(look(&hub, "externalId eq \"ext-ana\"")["totalResults"], 1);
    assert_eq!(
        look(&hub, &format!("{ENTERPRISE}:department eq \"ward 3\""))["totalResults"],
        1
    );
    // It is a person like any other.
    let td = ok(ask(&hub, "GET /api/people/ana", "", &Value::Null), 200);
    assert_eq!(td["title"], "ana");
    let change = patch(json!([
        { "op": "Replace", "path": "displayName", "value": "Ana Lopez" },
        { "op": "Add", "path": "emails[type eq \"home\"].value", "value": "ana@home.org" },
        { "op": "Replace", "path": format!("{ENTERPRISE}:department"), "value": "Ward 4" },
    ]));
    let changed = ok(ask(&hub, "PATCH /scim/v2/Users/ana", &token, &change), 200);
    assert_eq!(changed["emails"][1]["value"], "ana@home.org");
    assert_eq!(changed[ENTERPRISE]["department"], "Ward 4");
    let td = ok(ask(&hub, "GET /api/people/ana", "", &Value::Null), 200);
    assert_eq!(td["title"], "Ana Lopez");
    // She was changed since, so what is known of her is old.
    let stale = [
        ("if-match", "W/\"00000000000000-00000000\""),
        ("authorization", &*format!("Bearer {token}")),
    ];
    let refused = http(
        hub.at("http://"),
        "PATCH /scim/v2/Users/ana",
        &stale,
        &change.to_string(),
    );
    assert_eq!(refused.status, 412, "{}", refused.body);
    let active = patch(json!([{ "op": "Replace", "path": "active", "value": "False" }]));
    let ended = ok(ask(&hub, "PATCH /scim/v2/Users/ana", &token, &active), 200);
    assert_eq!(ended["active"], false);
    ok(
        ask(&hub, "DELETE /scim/v2/Users/ana", &token, &Value::Null),
        204,
    );
    ok(
        ask(&hub, "GET /scim/v2/Users/ana", &token, &Value::Null),
        404,
    );
    ok(ask(&hub, "GET /api/people/ana", "", &Value::Null), 404);
    assert_eq!(
        look(&hub, "userName eq \"ana@example.org\"")["totalResults"],
        0
    );
    // Who comes later under the same name is somebody new, and lets itself in with nothing of hers.
    assert_eq!(create_user(&hub, &token, "ana"), "ana");
}

#[test]
fn rights_that_wait_for_somebody_are_no_strangers() {
    let hub = hub();
    let token = provisioner(&hub, "entra");
    // The hub's own Ana is to come; she may something already.
    let may = json!({ "relation": "operator", "to": "places/hub" });
    ok(ask(&hub, "PUT /api/people/ana/relations", "", &may), 204);
    assert_eq!(create_user(&hub, &token, "ana"), "ana-2");
}

#[test]
fn okta_groups_people_and_takes_them_out_again() {
    let hub = hub();
    let token = provisioner(&hub, "okta");
    let (ana, bo) = (
        create_user(&hub, &token, "ana"),
        create_user(&hub, &token, "bo"),
    );
    // The hub's own team of that name is none of the directory's.
    let own = json!({ "relation": "operator", "to": "places/hub" });
    ok(ask(&hub, "PUT /api/teams/night/relations", "", &own), 204);
    let group = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Night", "members": [{ "value": ana }] });
    let created = ok(ask(&hub, "POST /scim/v2/Groups", &token, &group), 201);
    assert_eq!(created["id"], "night-2", "{created}");
    assert_eq!(created["members"][0]["value"], "ana");
    let relations = |id: &str| {
        let all = ok(
            ask(
                &hub,
                &format!("GET /api/people/{id}/relations"),
                "",
                &Value::Null,
            ),
            200,
        );
        let all = all["relations"].as_array().unwrap().clone();
        all.iter()
            .map(|one| {
                format!(
                    "{} {}",
                    one["relation"].as_str().unwrap(),
                    one["to"].as_str().unwrap()
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(relations("ana"), ["memberOf teams/night-2"]);
    let user = ok(
        ask(&hub, "GET /scim/v2/Users/ana", &token, &Value::Null),
        200,
    );
    assert_eq!(user["groups"][0]["value"], "night-2");
    // What the hub itself says of somebody stays, whatever the directory says.
    let own = json!({ "relation": "memberOf", "to": "teams/night-2" });
    ok(ask(&hub, "PUT /api/people/ana/relations", "", &own), 204);
    let swap = patch(json!([
        { "op": "add", "path": "members", "value": [{ "value": bo, "display": "bo" }] },
        { "op": "remove", "path": format!("members[value eq \"{ana}\"]") },
    ]));
    ok(
        ask(&hub, "PATCH /scim/v2/Groups/night-2", &token, &swap),
        200,
    );
    assert_eq!(relations("ana"), ["memberOf teams/night-2"]);
    assert_eq!(relations("bo"), ["memberOf teams/night-2"]);
    // Members of the form that Entra ID removes.
    let remove = patch(json!([{ "op": "Remove", "path": "members", "value": [{ "value": bo }] }]));
    ok(
        ask(
            &hub,
            "PATCH /scim/v2/Groups/night-2?attributes=displayName",
            &token,
            &remove,
        ),
        200,
    );
    assert!(relations("bo").is_empty());
    let unknown =
        patch(json!([{ "op": "add", "path": "members", "value": [{ "value": "owner" }] }]));
    let unknown = ok(
        ask(&hub, "PATCH /scim/v2/Groups/night-2", &token, &unknown),
        400,
    );
    assert_eq!(unknown["scimType"], "invalidValue");
    // Okta puts whole users and groups.
    let whole = json!({ "displayName": "Nights", "members": [{ "value": ana }, { "value": bo }] });
    let whole = ok(
        ask(&hub, "PUT /scim/v2/Groups/night-2", &token, &whole),
        200,
    );
    assert_eq!(whole["members"].as_array().unwrap().len(), 2);
    let ended = patch(json!([{ "op": "replace", "value": { "active": false } }]));
    ok(ask(&hub, "PATCH /scim/v2/Users/bo", &token, &ended), 200);
    ok(
        ask(&hub, "DELETE /scim/v2/Groups/night-2", &token, &Value::Null),
        204,
    );
    assert!(relations("bo").is_empty());
}

#[test]
fn whoever_is_suspended_goes_at_once_and_comes_back_as_it_was() {
    let hub = hub();
    let entra = provisioner(&hub, "entra");
    create_user(&hub, &entra, "ana");
    let ana = token_of(&hub, "ana");
    let mut client = Raw::silent(hub.at("mqtt://"), 5);
    let connack = client.connect_as("ana-phone", ("people/ana", &ana), None);
    assert_eq!((connack.first, connack.body[1]), (0x20, 0), "{connack:?}");
    let set = |active: bool| {
        let change = patch(json!([{ "op": "replace", "path": "active", "value": active }]));
        ok(ask(&hub, "PATCH /scim/v2/Users/ana", &entra, &change), 200)
    };
    let began = Instant::now();
    set(false);
    // DISCONNECT, or the end of the connection.
    assert!(client.next().is_none_or(|packet| packet.first == 0xE0));
    // The promise of a revocation, with room for a loaded machine.
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    let refused = ask(&hub, "GET /api/elements", &ana, &Value::Null);
    assert_eq!(refused.status, 401, "{}", refused.body);
    assert!(refused.body.contains("suspended"), "{}", refused.body);
    let told = wait_for("the audit", || {
        let answer = ask(&hub, "GET /api/audit?what=suspended", "", &Value::Null);
        answer.json()["entries"].as_array()?.first().cloned()
    });
    assert_eq!(
        (&told["who"], &told["on"]),
        (&json!("things/entra"), &json!("people/ana"))
    );
    set(true);
    let back = ask(&hub, "GET /api/elements", &ana, &Value::Null);
    assert_eq!(back.status, 200, "{}", back.body);
}

#[test]
fn the_last_owner_of_the_hub_is_no_directorys_to_end() {
    let hub = hub();
    let entra = provisioner(&hub, "entra");
    create_user(&hub, &entra, "ana");
    let owns = json!({ "relation": "owner", "to": "places/hub" });
    ok(ask(&hub, "PUT /api/people/ana/relations", "", &owns), 204);
    let end = patch(json!([{ "op": "replace", "path": "active", "value": false }]));
    // There are two, so one may go.
    ok(ask(&hub, "PATCH /scim/v2/Users/ana", &entra, &end), 200);
    let back = patch(json!([{ "op": "replace", "path": "active", "value": true }]));
    ok(ask(&hub, "PATCH /scim/v2/Users/ana", &entra, &back), 200);
    let ana = token_of(&hub, "ana");
    let gone = ask(
        &hub,
        "DELETE /api/people/owner/relations?relation=owner&to=places/hub",
        &ana,
        &Value::Null,
    );
    assert_eq!(gone.status, 204, "{}", gone.body);
    ok(ask(&hub, "PATCH /scim/v2/Users/ana", &entra, &end), 409);
    ok(
        ask(&hub, "DELETE /scim/v2/Users/ana", &entra, &Value::Null),
        409,
    );
    // An owner who is suspended is none who could come in.
    create_user(&hub, &entra, "bo");
    let related = ask(&hub, "PUT /api/people/bo/relations", &ana, &owns);
    assert_eq!(related.status, 204, "{}", related.body);
    ok(ask(&hub, "PATCH /scim/v2/Users/bo", &entra, &end), 200);
    ok(ask(&hub, "PATCH /scim/v2/Users/ana", &entra, &end), 409);
}

#[test]
fn many_are_found_page_by_page() {
    let hub = hub();
    let token = provisioner(&hub, "entra");
    for n in 0..25 {
        create_user(&hub, &token, &format!("p{n:02}"));
    }
    let page = ok(
        ask(
            &hub,
            "GET /scim/v2/Users?startIndex=21&count=10&excludedAttributes=emails,groups",
            &token,
            &Value::Null,
        ),
        200,
    );
    assert_eq!(
        (
            &page["totalResults"],
            &page["itemsPerPage"],
            &page["startIndex"]
        ),
        (&json!(25), &json!(5), &json!(21))
    );
    assert!(
        page["Resources"][0]["emails"].is_null() && page["Resources"][0]["userName"].is_string()
    );
    let search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "userName sw \"p0\"", "attributes": ["userName"], "count": 3 });
    let found = ok(
        ask(&hub, "POST /scim/v2/Users/.search", &token, &search),
        200,
    );
    assert_eq!(
        (
            &found["totalResults"],
            found["Resources"].as_array().unwrap().len()
        ),
        (&json!(10), 3)
    );
    assert!(found["Resources"][0]["name"].is_null());
    let wrong = ok(
        ask(
            &hub,
            "GET /scim/v2/Users?filter=userName",
            &token,
            &Value::Null,
        ),
        400,
    );
    assert_eq!(wrong["scimType"], "invalidFilter");
}

#[test]
fn the_checker_of_scim_servers_finds_nothing_wrong() {
    let hub = hub();
    let token = provisioner(&hub, "checker");
    let url = format!("http://{}/scim/v2", hub.at("http://"));
    let script = "tests/people/scim_check.py";
    let output = python().args([script, &url, &token]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
