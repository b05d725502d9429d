//! What whoever may something may not besides, what is told of that, and who looks after it: tokens with a
//! scope, lists, why and why not, broken glass, owners.

use super::{
    related::{NOT_AUTHORIZED, TD, over_mqtt, put, report, ward},
    *,
};

#[test]
fn a_token_with_a_scope_is_good_for_that_and_no_more() {
    let hub = hub();
    let (_, _) = ward(&hub);
    let scoped = |person: &str, scope: &Value| {
        let path = format!("POST /api/people/{person}/credentials");
        let answer = ask(&hub, &path, "", &json!({ "scope": scope }));
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert_eq!(&answer.json()["scope"], scope);
        text(&answer.json(), "token").to_owned()
    };
    let status = |request: &str, token: &str, body: &Value| ask(&hub, request, token, body).status;
    const READ: &str = "GET /api/things/pump/properties/rate";
    const WRITE: &str = "PUT /api/things/pump/properties/rate";

    let looks = scoped("ana", &json!({ "may": ["read"] }));
    assert_eq!(status(READ, &looks, &Value::Null), 200);
    let refused = ask(&hub, WRITE, &looks, &json!(9));
    assert_eq!(refused.status, 403);
    assert!(
        refused.body.contains("good for read only"),
        "{}",
        refused.body
    );
    let own = "POST /api/publish/people/ana/properties/mood";
    assert_eq!(
        status(own, &looks, &json!(1)),
        403,
        "not even at its own address"
    );
    let leave = "DELETE /api/people/ana/relations?relation=memberOf&to=teams/night";
    assert_eq!(status(leave, &looks, &Value::Null), 403);
    assert_eq!(
        status("GET /api/people/ana/access", &looks, &Value::Null),
        403
    );
    let (mut raw, reason) = over_mqtt(&hub, &looks, None);
    assert_eq!(reason, 0);
    assert_eq!(
        raw.try_publish("things/pump/properties/rate/write", b"9"),
        NOT_AUTHORIZED
    );

    assert_eq!(raw.try_subscribe("#"), 0);

    let elsewhere = scoped("ana", &json!({ "in": ["places/room-13"] }));
    for path in [READ, "GET /api/things/pump", "GET /api/things/pump/twin"] {
        assert_eq!(status(path, &elsewhere, &Value::Null), 403, "{path}");
    }
    for path in [
        "GET /api/elements",
        "GET /things",
        "GET /search/jsonpath?query=$[*].title",
    ] {
        let answer = ask(&hub, path, &elsewhere, &Value::Null);
        assert!(
            !answer.body.to_lowercase().contains("pump"),
            "{path}: {}",
            answer.body
        );
    }

    // Of one who may everything.
    let inside = scoped(
        "owner",
        &json!({ "may": ["read", "write"], "in": ["places/ward-3"] }),
    );
    assert_eq!(status(READ, &inside, &Value::Null), 200);
    assert_eq!(status("GET /api/things/other", &inside, &Value::Null), 403);
    for path in [
        "/api/audit",
        "/api/sessions",
        "/metrics",
        "/api/subscribe?filter=shop/%23",
    ] {
        assert_eq!(
            status(&format!("GET {path}"), &inside, &Value::Null),
            403,
            "{path}"
        );
    }
    for path in ["GET /things", "GET /api/elements"] {
        let answer = ask(&hub, path, &inside, &Value::Null);
        assert!(!answer.body.contains("Other"), "{path}: {}", answer.body);
    }
    let bearer = format!("Bearer {inside}");
    let headers = [("authorization", &*bearer)];
    let mut stream = Events::open(hub.at("http://"), "/api/subscribe?filter=%23", &headers);
    let other = "POST /api/publish/things/other/properties/rate?qos=1";
    assert_eq!(status(other, "", &json!(1)), 202);
    report(&hub, "rate", &json!(17));
    loop {
        let next = stream.next().data;
        assert!(!next.to_string().contains("things/other"), "{next}");
        if next["data"] == json!(17) {
            break;
        }
    }
    let owner = json!({ "relation": "owner", "to": "places/hub" });
    assert_eq!(
        status("PUT /api/people/eve/relations", &inside, &owner),
        403
    );
    assert_eq!(
        status("POST /api/people/eve/credentials", &inside, &Value::Null),
        403
    );

    for (scope, why) in [
        (json!({ "may": [] }), "some of read"),
        (json!({ "in": ["ward-3"] }), "is no element"),
        (json!({ "can": ["read"] }), "can"),
        (json!({ "may": ["look"] }), "look"),
    ] {
        let answer = ask(
            &hub,
            "POST /api/people/ana/credentials",
            "",
            &json!({ "scope": scope }),
        );
        assert!(
            answer.status == 400 && answer.body.contains(why),
            "{}",
            answer.body
        );
    }
}

/// An element that ana's role is about, but for affordances that it has not.
#[test]
fn a_list_tells_of_nothing_that_only_a_role_knows() {
    let hub = hub();
    let (ana, _) = ward(&hub);
    for (name, title, property) in [("drip", "Drip", "rate"), ("diary", "Eve's diary", "page")] {
        let urn = format!("urn:quartet:things:{name}");
        let mut td: Value = serde_json::from_str(TD).unwrap();
        (td["title"], td["id"]) = (title.into(), urn.clone().into());
        td["properties"] =
            json!({ property: { "type": "integer", "forms": [{ "href": "coap://p" }] } });
        td["actions"] = json!({});
        td["links"] = json!([{ "rel": "carriedBy", "href": "urn:quartet:people:eve" }]);
        let put = format!("PUT /things/{urn}");
        let made = hub.ask(
            &put,
            &[("content-type", "application/td+json")],
            &td.to_string(),
        );
        assert_eq!(made.status, 201, "{}", made.body);
    }
    for name in ["drip", "diary"] {
        let path = format!("/api/things/{name}/relations");
        put(
            &hub,
            &path,
            &json!({ "relation": "in", "to": "places/ward-3" }),
        );
    }
    let listed = |token: &str| -> Vec<Value> {
        let answer = ask(&hub, "GET /api/elements?kind=things", token, &Value::Null).json();
        let all = answer["elements"].as_array().expect("a list").iter();
        all.map(|one| one["title"].clone()).collect()
    };
    // The list follows the journal.
    wait_for("all to be listed", || (4 <= listed("").len()).then_some(()));
    assert_eq!(listed(&ana), [json!("Drip"), json!("Pump")]);
    // With it comes what Ana may see of descriptions, and no more.
    let with = "GET /api/elements?kind=things&text=drip&with=links&with=properties";
    let described = |token: &str| {
        let answer = ask(&hub, with, token, &Value::Null).json();
        let members = answer["elements"][0]["described"].as_object().cloned();
        members.map(|all| all.keys().cloned().collect::<Vec<_>>())
    };
    assert_eq!(
        described(&ana).as_deref(),
        Some(&["properties".to_owned()][..])
    );
    let all = ["links", "properties"].map(str::to_owned);
    assert_eq!(described("").as_deref(), Some(&all[..]));
    // Nor do the news, of which whoever missed some gets them.
    let bearer = format!("Bearer {ana}");
    let headers = [("authorization", &*bearer), ("last-event-id", "none")];
    let mut news = Events::open(hub.at("http://"), "/events", &headers);
    let mut heard = vec![
        news.next().data["id"].clone(),
        news.next().data["id"].clone(),
    ];
    let forgotten = hub.ask("DELETE /things/urn:quartet:things:pump", &[], "");
    assert_eq!(forgotten.status, 204);
    heard.push(news.next().data["id"].clone());
    let of = |name: &str| json!(format!("urn:quartet:things:{name}"));
    assert_eq!(heard, [of("pump"), of("drip"), of("pump")]);
}

#[test]
fn of_a_part_of_a_property_its_own_values_are_told() {
    let hub = hub();
    let (ana, eve) = ward(&hub);
    report(&hub, "status", &json!({ "code": 8, "patient": "Eve" }));
    let path = "GET /api/things/pump/properties/status/values";
    let all = ask(&hub, path, &ana, &Value::Null);
    assert_eq!(all.status, 403, "{}", all.body);
    assert!(all.body.contains("only /code of"), "{}", all.body);
    let patient = ask(&hub, &format!("{path}?field=/patient"), &ana, &Value::Null);
    assert_eq!(patient.status, 403, "{}", patient.body);
    let code = ask(&hub, &format!("{path}?field=/code"), &ana, &Value::Null);
    assert_eq!(code.json()["value"], json!([7, 8]), "{}", code.body);
    for answer in [all, patient, code] {
        assert!(!answer.body.contains("Eve"), "{}", answer.body);
    }
    let hers = ask(&hub, &format!("{path}?field=/code"), &eve, &Value::Null);
    assert_eq!(hers.status, 403, "{}", hers.body);
}

#[test]
fn why_and_who_and_what_can_be_asked() {
    let hub = hub();
    let (ana, _) = ward(&hub);
    let may = |query: &str| ask(&hub, &format!("GET /api/may?{query}"), &ana, &Value::Null).json();
    let allowed = may("deed=read&on=things/pump&part=properties/status");
    assert_eq!(allowed["allowed"], true);
    assert_eq!(allowed["fields"], json!(["/code"]));
    let path = allowed["path"].as_array().unwrap();
    let path: Vec<&str> = path.iter().map(|link| text(link, "relation")).collect();
    assert_eq!(path, ["memberOf", "nurse", "in", "in"]);
    let refused = may("deed=manage&on=things/pump");
    assert_eq!(refused["allowed"], false);
    assert_eq!(
        refused["missing"][0]["lacks"],
        "the role `nurse` does not allow it"
    );
    assert_eq!(refused["ask"], json!([{ "who": "people/owner" }]));
    let others = ask(
        &hub,
        "GET /api/may?who=people/eve&deed=read&on=things/pump",
        &ana,
        &Value::Null,
    );
    assert_eq!(others.status, 403);
    let access = ask(&hub, "GET /api/things/pump/access", "", &Value::Null).json();
    assert_eq!(access["access"][0]["who"], "people/ana");
    assert_eq!(access["access"][0]["role"], "nurse");
    let reach = ask(&hub, "GET /api/people/ana/reach", &ana, &Value::Null).json();
    assert!(
        reach["elements"]
            .as_array()
            .unwrap()
            .contains(&json!("things/pump")),
        "{reach}"
    );
    let own = ask(&hub, "GET /api/people/ana/access", &ana, &Value::Null).json();
    let all = own["access"].as_array().unwrap();
    assert_eq!((all.len(), text(&all[0], "who")), (1, "people/owner"));
    assert_eq!(all[0]["path"][0]["to"], "places/hub");
}

#[test]
fn a_glass_is_broken_with_a_reason_for_a_while() {
    let hub = hub();
    let (_, eve) = ward(&hub);
    put(
        &hub,
        "/api/people/eve/relations",
        &json!({
            "relation": "operator", "to": "places/ward-3", "breakGlass": true,
        }),
    );
    let bearer = format!("Bearer {}", hub.owner());
    let mut told = Events::open(
        hub.at("http://"),
        "/api/subscribe?filter=places/hub/events/%2B",
        &[("authorization", &bearer)],
    );
    let read = "GET /api/things/pump/properties/serial";
    assert_eq!(ask(&hub, read, &eve, &Value::Null).status, 403);
    let without = ask(
        &hub,
        "POST /api/things/pump/glass",
        &eve,
        &json!({ "reason": " " }),
    );
    assert_eq!(without.status, 400, "{}", without.body);
    let broken = ask(
        &hub,
        "POST /api/things/pump/glass",
        &eve,
        &json!({ "reason": "She does not breathe", "for_s": 60 }),
    );
    assert_eq!(broken.status, 201, "{}", broken.body);
    let told = told.next().data;
    assert_eq!(told["data"]["who"], "people/eve");
    assert_eq!(told["data"]["reason"], "She does not breathe");
    assert_eq!(ask(&hub, read, &eve, &Value::Null).body, "\"77-X\"");
    let other = ask(&hub, "GET /api/things/other/properties", &eve, &Value::Null);
    assert_eq!(
        other.status, 403,
        "only where the glass was: {}",
        other.body
    );
}

#[test]
fn many_relations_come_in_one_import() {
    const MANY: usize = 100_000;
    let hub = hub();
    let mut lines = String::new();
    for n in 0..MANY {
        // Twenty things in each of 5,000 rooms, or twenty roles of each of 5,000 persons.
        lines += &match n % 2 {
            0 => format!(
                "{{\"of\":\"things/t{n}\",\"relation\":\"in\",\"to\":\"places/r{}\"}}\n",
                n / 20
            ),
            _ => format!(
                "{{\"of\":\"people/p{}\",\"relation\":\"viewer\",\"to\":\"places/r{n}\"}}\n",
                n / 20
            ),
        };
    }
    lines += "{\"of\":\"things/x\",\"relation\":\"in\"}\n{\"of\":\"x/y/z\",\"relation\":\"in\",\"to\":\"places/r\"}\n";
    let answer = hub.ask("POST /api/relations", &[], &lines);
    let answer = answer.json();
    assert_eq!(
        (&answer["related"], &answer["refused"]),
        (&json!(MANY), &json!(2)),
        "{answer}"
    );
    assert_eq!(answer["problems"][0]["line"], MANY + 1);
    let list = ask(&hub, "GET /api/things/t42/relations", "", &Value::Null).json();
    assert_eq!(list["relations"][0]["to"], "places/r2");
    let list = ask(&hub, "GET /api/people/p7/relations", "", &Value::Null).json();
    assert_eq!(list["relations"].as_array().unwrap().len(), 10);
}

#[test]
fn the_hub_keeps_an_owner() {
    let hub = hub();
    let remove = |person: &str| {
        let path = format!("DELETE /api/people/{person}/relations?relation=owner&to=places/hub");
        ask(&hub, &path, "", &Value::Null)
    };
    let answer = remove("owner");
    assert_eq!(answer.status, 409, "{}", answer.body);
    let forget = ask(
        &hub,
        "DELETE /things/urn:quartet:people:owner",
        "",
        &Value::Null,
    );
    assert_eq!(forget.status, 409, "{}", forget.body);
    let own = json!({ "relation": "owner", "to": "places/hub" });
    put(&hub, "/api/people/ana/relations", &own);
    assert_eq!(remove("ana").status, 204);
    put(&hub, "/api/people/ana/relations", &own);
    assert_eq!(remove("owner").status, 204);
    assert_eq!(ask(&hub, "GET /metrics", "", &Value::Null).status, 403);
}

/// Whoever looks after a ward does not get out of it by what is in it.
#[test]
fn whoever_manages_a_place_manages_no_more() {
    let hub = hub();
    let (_, eve) = ward(&hub);
    let relate = |path: &str, relation: &str, to: &str| {
        put(
            &hub,
            &format!("/api/{path}/relations"),
            &json!({ "relation": relation, "to": to }),
        );
    };
    relate("people/eve", "owner", "places/ward-3");
    relate("people/ana", "in", "places/ward-3");
    relate("people/ana", "viewer", "places/hub");
    relate("things/reader", "in", "places/ward-3");
    relate("things/reader", "gateway", "places/ward-4");
    let issue = |of: &str| {
        let path = format!("POST /api/{of}/credentials");
        ask(&hub, &path, &eve, &Value::Null).status
    };
    assert_eq!(issue("things/pump"), 201);
    for of in ["people/ana", "things/reader", "things/other"] {
        assert_eq!(issue(of), 403, "{of}");
    }
    for (request, body) in [
        (
            "PATCH /api/things/pump/credentials",
            json!({ "topics": ["#"] }),
        ),
        (
            "PUT /api/people/eve/relations",
            json!({ "relation": "owner", "to": "places/hub" }),
        ),
        (
            "PUT /api/things/other/relations",
            json!({ "relation": "in", "to": "places/ward-3" }),
        ),
        (
            "PUT /api/places/ward-4/relations",
            json!({ "relation": "in", "to": "places/ward-3" }),
        ),
        (
            "PUT /api/roles/nurse",
            json!({ "rights": [{ "may": ["manage"] }] }),
        ),
        (
            "POST /api/invitations",
            json!({ "element": "people/eve", "owner": true }),
        ),
    ] {
        let answer = ask(&hub, request, &eve, &body);
        assert_eq!(answer.status, 403, "{request}: {}", answer.body);
    }
}

/// What the hub hears and says for a thing by the forms of its description, its author must be allowed.
#[test]
fn a_description_leads_to_no_topic_that_its_author_may_not_use() {
    let hub = hub();
    let spy = ask(&hub, "POST /api/things/spy/credentials", "", &Value::Null).json();
    let td = |topic: &str| {
        let form = json!({ "href": format!("mqtt:///{topic}"), "op": ["observeproperty", "writeproperty"] });
        json!({
            "@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "Spy", "id": "urn:quartet:things:spy",
            "securityDefinitions": { "none": { "scheme": "nosec" } }, "security": "none",
            "properties": { "seen": { "forms": [form] } },
        })
    };
    let describe = |topic: &str| {
        let bearer = format!("Bearer {}", text(&spy, "token"));
        let headers = [
            ("authorization", &*bearer),
            ("content-type", "application/td+json"),
        ];
        let path = "PUT /things/urn:quartet:things:spy";
        http(hub.at("http://"), path, &headers, &td(topic).to_string())
    };
    for topic in ["ward/secret", "shop/door"] {
        let answer = describe(topic);
        assert_eq!(answer.status, 403, "{topic}: {}", answer.body);
    }
    let description = td("ward/secret").to_string();
    let say = ["-t", "things/spy", "-m", &*description, "-q", "1", "-d"];
    let output = mosquitto("mosquitto_pub", &hub, &spy, &say)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("Not authorized"), "{said}");
    let granted = ask(
        &hub,
        "PATCH /api/things/spy/credentials",
        "",
        &json!({ "topics": ["ward/secret"] }),
    );
    assert_eq!(granted.status, 204);
    let answer = describe("ward/secret");
    assert_eq!(answer.status, 201, "{}", answer.body);
}

#[test]
fn no_door_is_open_without_a_name() {
    let hub = hub();
    let at = hub.at("http://");
    for path in [
        "GET /things",
        "GET /metrics",
        "GET /events",
        "GET /api/elements",
        "GET /api/subscribe?filter=%23",
        "GET /api/things/this-computer",
        "GET /search/jsonpath?query=$",
        "GET /.well-known/core",
        "POST /api/publish/a",
        "GET /api/may?deed=read&on=things/a",
    ] {
        let answer = http(at, path, &[], "");
        assert_eq!(answer.status, 401, "{path}: {}", answer.body);
        assert!(answer.headers["www-authenticate"].contains("Basic"));
    }
    // The script of a page asks the person itself; its browser must not.
    let script = [("X-Requested-With", "quartet")];
    let answer = http(at, "GET /api/elements", &script, "");
    assert_eq!(
        (answer.status, &answer.json()["needs"]),
        (401, &json!("sign-in"))
    );
    assert!(!answer.headers["www-authenticate"].contains("Basic"));
    let page = http(at, "GET /", &[], "");
    assert_eq!((page.status, &*page.headers["location"]), (303, "/sign-in"));
    for path in [
        "GET /healthz",
        "GET /sign-in",
        "GET /app/",
        "GET /app/things/lamp",
        "GET /openapi.json",
        "GET /.well-known/wot",
    ] {
        assert_eq!(http(at, path, &[], "").status, 200, "{path}");
    }
    let mut nameless = Command::new("mosquitto_pub");
    nameless.args([
        "-p",
        &hub.port("mqtt").to_string(),
        "-V",
        "5",
        "-t",
        "a",
        "-m",
        "b",
    ]);
    let output = nameless.output().unwrap();
    assert!(!output.status.success());
}
