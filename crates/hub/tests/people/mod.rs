//! Who comes in: credentials of elements, claim codes and fleet keys, with real clients.

mod accounts; // persons: sign in, invitations, the first owner
mod audit; // who came in, who may, who acted, who was refused
pub(crate) mod browser; // the same as persons do it, in a real browser
mod certificates; // client certificates
mod may; // what somebody may besides, and who is told
mod plans; // pictures of floor plans
mod providers; // sign-in at a real identity provider
mod provisioned; // people and teams that a directory provisions
mod related; // what relations allow
mod trust; // devices know the hub by its own authority

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Answer, Events, Hub, http, quartet, succeed, wait_for};

fn hub() -> Hub {
    Hub::owned(&["mqtt://127.0.0.1:0", "http://127.0.0.1:0"])
}

/// A request of whoever has this token; of the owner, if there is none.
fn ask(hub: &Hub, request: &str, token: &str, body: &Value) -> Answer {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    if token.is_empty() {
        return hub.ask(request, &[], &body);
    }
    let bearer = format!("Bearer {token}");
    http(
        hub.at("http://"),
        request,
        &[("authorization", &bearer)],
        &body,
    )
}

/// Issues a credential for the lamp.
fn issued(hub: &Hub, wanted: &Value) -> Value {
    let answer = ask(hub, "POST /api/things/lamp/credentials", "", wanted);
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()
}

fn text<'v>(of: &'v Value, member: &str) -> &'v str {
    of[member]
        .as_str()
        .unwrap_or_else(|| panic!("no {member} in {of}"))
}

/// A client of mosquitto that says a name.
fn mosquitto(program: &str, hub: &Hub, login: &Value, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(["-p", &hub.port("mqtt").to_string(), "-V", "5"]);
    command.args(["-u", text(login, "user"), "-P", text(login, "password")]);
    command.args(arguments);
    command
}

#[test]
fn a_thing_comes_in_with_what_was_issued_over_mqtt_and_http() {
    let hub = hub();
    let login = issued(&hub, &json!({ "name": "in the cellar" }));
    let say = ["-t", "things/lamp/properties/on", "-m", "true", "-q", "1"];
    succeed(&mut mosquitto("mosquitto_pub", &hub, &login, &say));
    let foreign = [
        "-t",
        "things/heater/properties/on",
        "-m",
        "true",
        "-q",
        "1",
        "-d",
    ];
    let output = mosquitto("mosquitto_pub", &hub, &login, &foreign)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("Not authorized"), "{said}");

    let token = text(&login, "token");
    let publish = "POST /api/publish/things/lamp/properties/on?qos=1";
    assert_eq!(ask(&hub, publish, token, &json!(false)).status, 202);
    let publish = "POST /api/publish/things/heater/properties/on";
    assert_eq!(ask(&hub, publish, token, &json!(false)).status, 403);
    for foreign in [
        "GET /api/things/heater",
        "GET /api/things/lamp/credentials",
        "GET /metrics",
    ] {
        assert_eq!(
            ask(&hub, foreign, token, &Value::Null).status,
            403,
            "{foreign}"
        );
    }
    let wrong = ask(&hub, "GET /healthz", "things/lamp.guess", &Value::Null);
    assert_eq!(wrong.status, 401, "{}", wrong.body);

    let listed = ask(&hub, "GET /api/things/lamp/credentials", "", &Value::Null);
    assert!(!listed.body.contains(text(&login, "password")));
    assert_eq!(listed.json()["credentials"][0]["name"], "in the cellar");
    let retained = ask(&hub, "GET /api/retained", "", &Value::Null);
    assert!(
        !retained.body.contains("$quartet/credentials"),
        "{}",
        retained.body
    );
}

fn subscriptions(hub: &Hub) -> u64 {
    let metrics = ask(hub, "GET /metrics", "", &Value::Null).body;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("quartet_subscriptions "));
    line.and_then(|count| count.parse().ok())
        .expect("subscriptions are counted")
}

#[test]
fn what_is_revoked_ends_connections_and_streams() {
    let hub = hub();
    let login = issued(&hub, &Value::Null);
    let before = subscriptions(&hub);
    let arguments = ["-t", "things/lamp/#", "-d"];
    let mut listener = mosquitto("mosquitto_sub", &hub, &login, &arguments)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let bearer = format!("Bearer {}", text(&login, "token"));
    let stream = "/api/subscribe?filter=things/lamp/%23";
    let stream = Events::open(hub.at("http://"), stream, &[("authorization", &bearer)]);
    wait_for("the listener", || {
        (subscriptions(&hub) == before + 2).then_some(())
    });
    let id = text(&login, "id");
    let path = format!("DELETE /api/things/lamp/credentials/{id}");
    assert_eq!(ask(&hub, &path, "", &Value::Null).status, 204);
    stream.end();
    wait_for("the listener to be told to go", || {
        (subscriptions(&hub) == before).then_some(())
    });
    listener.kill().unwrap();
    listener.wait().unwrap();
    let say = ["-t", "things/lamp/properties/on", "-m", "true", "-q", "1"];
    let mut again = mosquitto("mosquitto_pub", &hub, &login, &say);
    assert!(!again.output().unwrap().status.success());
    assert_eq!(ask(&hub, &path, "", &Value::Null).status, 404);
}

#[test]
fn a_claim_code_is_good_once_and_replaces_a_broken_device() {
    let hub = hub();
    let old = issued(&hub, &Value::Null);
    let wanted = json!({ "element": "things/lamp", "replaces": true });
    let invited = ask(&hub, "POST /api/invitations", "", &wanted);
    assert_eq!(invited.status, 201, "{}", invited.body);
    let code = text(&invited.json(), "code")
        .to_lowercase()
        .replace('-', " ");

    let wrong = ask(&hub, "POST /claim", "", &json!({ "code": "0000-0000" }));
    assert_eq!(wrong.status, 403, "{}", wrong.body);
    let claim = json!({ "code": code });
    let new = ask(&hub, "POST /claim", "", &claim);
    assert_eq!(new.status, 201, "{}", new.body);
    let new = new.json();
    assert_eq!(new["element"], "things/lamp");
    assert_eq!(ask(&hub, "POST /claim", "", &claim).status, 403);

    let say = ["-t", "things/lamp/properties/on", "-m", "true", "-q", "1"];
    succeed(&mut mosquitto("mosquitto_pub", &hub, &new, &say));
    let mut by_old = mosquitto("mosquitto_pub", &hub, &old, &say);
    assert!(!by_old.output().unwrap().status.success());
}

#[test]
fn a_fleet_key_lets_in_so_many_of_its_own() {
    let mut hub = hub();
    let wanted = json!({ "fleet": "things/pump-", "uses": 2, "topics": ["pumps/all"] });
    let invited = ask(&hub, "POST /api/invitations", "", &wanted).json();
    let claim = |hub: &Hub, element: &str| {
        let claim = json!({ "code": text(&invited, "code"), "element": element });
        ask(hub, "POST /claim", "", &claim)
    };
    assert_eq!(claim(&hub, "things/lamp").status, 400);
    let first = claim(&hub, "things/pump-1");
    assert_eq!(first.status, 201, "{}", first.body);
    hub.die_and_begin_again();
    let say = ["-t", "pumps/all", "-m", "here", "-q", "1"];
    succeed(&mut mosquitto("mosquitto_pub", &hub, &first.json(), &say));
    assert_eq!(claim(&hub, "things/pump-2").status, 201);
    assert_eq!(claim(&hub, "things/pump-3").status, 403);
    let left = ask(&hub, "GET /api/invitations", "", &Value::Null).json();
    assert_eq!(left, json!({ "invitations": [] }));
}

#[test]
fn an_invitation_that_is_taken_back_lets_nobody_in() {
    let hub = hub();
    let wanted = json!({ "element": "things/lamp" });
    let invited = ask(&hub, "POST /api/invitations", "", &wanted).json();
    let path = format!("DELETE /api/invitations/{}", text(&invited, "id"));
    assert_eq!(ask(&hub, &path, "", &Value::Null).status, 204);
    assert_eq!(ask(&hub, &path, "", &Value::Null).status, 404);
    let claim = json!({ "code": text(&invited, "code") });
    assert_eq!(ask(&hub, "POST /claim", "", &claim).status, 403);
}

#[test]
fn what_is_wanted_wrongly_is_refused_with_what_would_be_right() {
    let hub = hub();
    for (request, body, says) in [
        ("POST /api/invitations", json!({}), "either which `element`"),
        (
            "POST /api/invitations",
            json!({ "element": "a/b/c/d" }),
            "must be like",
        ),
        (
            "POST /api/invitations",
            json!({ "fleet": "pumps" }),
            "such as `things/pump-`",
        ),
        (
            "POST /api/invitations",
            json!({ "fleet": "things/a", "uses": 0 }),
            "from 1 to",
        ),
        (
            "POST /api/invitations",
            json!({ "element": "lamp", "expiry_s": 0 }),
            "from 1 to",
        ),
        (
            "POST /api/invitations",
            json!({ "element": "lamp", "topics": ["a/#/b"] }),
            "must be a filter",
        ),
        (
            "PATCH /api/things/lamp/credentials",
            json!({ "topics": ["$SYS/#"] }),
            "must be a filter",
        ),
        (
            "PATCH /api/things/lamp/credentials",
            json!({ "topics": ["$quartet/#"] }),
            "must be a filter",
        ),
        (
            "PATCH /api/things/lamp/credentials",
            json!({ "topics": [""] }),
            "must be a filter",
        ),
        (
            "PATCH /api/things/lamp/credentials",
            json!({ "topics": ["a/#", "a/#/b"] }),
            "must be a filter",
        ),
        (
            "POST /api/things/lamp/credentials",
            json!({ "nmae": "a" }),
            "unknown field",
        ),
        (
            "POST /api/things/lamp/credentials",
            json!({ "replaces": "c9" }),
            "could be replaced",
        ),
        (
            "POST /claim",
            json!({ "element": "things/lamp" }),
            "missing field `code`",
        ),
    ] {
        let answer = ask(&hub, request, "", &body);
        assert!(
            (400..410).contains(&answer.status),
            "{request} {body}: {}",
            answer.status
        );
        assert!(
            answer.body.contains(says),
            "{request} {body}: {}",
            answer.body
        );
    }
}

/// Who did what at the lamp, the last first, once it is told.
#[track_caller]
fn history(hub: &Hub, expected: &[&str]) -> Value {
    wait_for(&format!("a history: {expected:?}"), || {
        let answer = ask(hub, "GET /api/things/lamp/history", "", &Value::Null);
        let told = |change: &Value| {
            let about = ["by", "what", "name", "status"].map(|it| change[it].as_str());
            about.into_iter().flatten().collect::<Vec<_>>().join(" ")
        };
        let changes = answer.json()["changes"].as_array()?.clone();
        let found: Vec<String> = changes.iter().map(told).collect();
        (answer.status == 200 && found == expected).then(|| changes.into())
    })
}

#[test]
fn the_history_says_who_changed_what_after_a_kill_and_in_a_backup() {
    let listeners = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];
    let mut hub = Hub::start(&listeners);
    let lamp = |title: &str| {
        json!({ "title": title, "securityDefinitions": { "n": { "scheme": "nosec" } }, "security": "n",
            "@context": "https://www.w3.org/2022/wot/td/v1.1", "id": "urn:quartet:things:lamp",
            "properties": { "on": { "type": "boolean", "forms": [{ "href": "coap://x/" }] } } })
    };
    let put = "PUT /things/urn:quartet:things:lamp";
    assert_eq!(ask(&hub, put, "", &lamp("Lamp")).status, 201);
    assert_eq!(ask(&hub, put, "", &lamp("Night lamp")).status, 204);
    let login = issued(&hub, &json!({}));
    let wish = "PUT /api/things/lamp/properties/on";
    assert_eq!(
        ask(&hub, wish, text(&login, "token"), &json!(true)).status,
        204
    );
    let report = ["-t", "things/lamp/properties/on", "-m", "true", "-q", "1"];
    succeed(&mut mosquitto("mosquitto_pub", &hub, &login, &report));
    let expected = [
        "things/lamp wanted on confirmed",
        "things/lamp wanted on pending",
        "api admitted",
        "api described",
        "api described",
    ];
    let found = history(&hub, &expected);
    assert_eq!(found[3]["value"], json!({ "title": "Night lamp" }));
    let twin = ask(&hub, "GET /api/things/lamp/twin", "", &Value::Null).json();
    assert_eq!(twin["on"]["reported"]["by"], "things/lamp", "{twin}");

    let data = hub.folder().join("data");
    let backup = tempfile::TempDir::new().unwrap();
    let copy = backup.path().join("copy");
    succeed(quartet().arg("backup").arg(&copy).arg("--data").arg(&data));
    hub.die_and_begin_again();
    let twin = ask(&hub, "GET /api/things/lamp/twin", "", &Value::Null).json();
    assert_eq!(twin["on"]["reported"]["by"], "things/lamp", "{twin}");
    assert_eq!(history(&hub, &expected), found);

    let folder = tempfile::TempDir::new().unwrap();
    let restored = folder.path().join("data");
    succeed(
        quartet()
            .arg("restore")
            .arg(&copy)
            .arg("--data")
            .arg(&restored),
    );
    let hub = Hub::in_folder(folder, "", &listeners);
    assert_eq!(history(&hub, &expected), found);
}
