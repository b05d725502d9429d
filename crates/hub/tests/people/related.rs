//! What relations allow over HTTP, its streams and web sockets: as somebody who may nothing, and as one
//! who may see a part.

use std::net::{TcpStream, UdpSocket};

use super::*;
use crate::support::{PATIENCE, Raw, WebThing};

const TD: &str = r#"{
    "@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "Pump", "id": "urn:quartet:things:pump",
    "securityDefinitions": { "none": { "scheme": "nosec" } }, "security": "none",
    "properties": {
        "rate": { "type": "integer", "forms": [{ "href": "coap://p/rate" }] },
        "status": { "type": "object", "forms": [{ "href": "coap://p/status" }] },
        "serial": { "type": "string", "forms": [{ "href": "coap://p/serial" }] }
    },
    "actions": { "stop": { "forms": [{ "href": "coap://p/stop" }] }, "purge": { "forms": [{ "href": "coap://p/purge" }] } }
}"#;

fn put(hub: &Hub, path: &str, body: &Value) {
    let answer = ask(hub, &format!("PUT {path}"), "", body);
    assert_eq!(answer.status, 204, "{path}: {}", answer.body);
}

fn token(hub: &Hub, person: &str) -> String {
    let answer = ask(
        hub,
        &format!("POST /api/people/{person}/credentials"),
        "",
        &Value::Null,
    );
    text(&answer.json(), "token").to_owned()
}

fn report(hub: &Hub, name: &str, value: &Value) {
    let path = format!("POST /api/publish/things/pump/properties/{name}?qos=1");
    assert_eq!(ask(hub, &path, "", value).status, 202);
}

/// A ward with a pump, of which ana sees the rate and a part of the status, and eve nothing.
fn ward(hub: &Hub) -> (String, String) {
    let kind = [("content-type", "application/td+json")];
    let made = hub.ask("PUT /things/urn:quartet:things:pump", &kind, TD);
    assert_eq!(made.status, 201, "{}", made.body);
    let other = TD.replace("pump", "other").replace("Pump", "Other");
    let made = hub.ask("PUT /things/urn:quartet:things:other", &kind, &other);
    assert_eq!(made.status, 201);
    put(
        hub,
        "/api/roles/nurse",
        &json!({ "rights": [
            { "may": ["read", "write"], "on": "properties/rate" },
            { "may": ["read"], "on": "properties/status", "fields": ["/code"] },
            { "may": ["invoke"], "on": "actions/stop" },
        ]}),
    );
    let relate = |path: &str, relation: &str, to: &str| {
        put(
            hub,
            &format!("/api/{path}/relations"),
            &json!({ "relation": relation, "to": to }),
        );
    };
    relate("people/ana", "memberOf", "teams/night");
    relate("teams/night", "nurse", "places/ward-3");
    relate("places/room-12", "in", "places/ward-3");
    relate("things/pump", "in", "places/room-12");
    report(hub, "rate", &json!(5));
    report(hub, "status", &json!({ "code": 7, "patient": "Eve" }));
    report(hub, "serial", &json!("77-X"));
    (token(hub, "ana"), token(hub, "eve"))
}

/// What nobody may be told who may not see it.
const SECRETS: [&str; 5] = ["patient", "77-X", "serial", "purge", "Other"];

/// Of both: over MQTT, the Web Thing Protocol, CoAP and HTTP.
#[test]
fn every_edge_shows_a_forbidden_one_nothing_and_a_permitted_one_its_part() {
    let listeners = [
        "mqtt://127.0.0.1:0",
        "http://127.0.0.1:0",
        "coap://127.0.0.1:0",
    ];
    let hub = Hub::owned(&listeners);
    let (ana, eve) = ward(&hub);
    let _ = ask(&hub, "PUT /api/things/pump/properties/rate", "", &json!(6));
    walk_mqtt(&hub, &ana, &eve);
    walk_web_things(&hub, &ana, &eve);
    walk_coap(&hub);
    walk_http(&hub, &ana, &eve);
}

/// The reason for which MQTT refuses what is not allowed.
const NOT_AUTHORIZED: u8 = 0x87;
const RATE: &str = "things/pump/properties/rate";

/// Somebody over MQTT, with its token.
#[track_caller]
fn over_mqtt(hub: &Hub, token: &str, will: Option<&str>) -> (Raw<TcpStream>, u8) {
    let mut raw = Raw::silent(hub.at("mqtt://"), 5);
    let (name, _) = token.rsplit_once('.').unwrap();
    let connack = raw.connect_as("", (name, token), will);
    assert_eq!(connack.first, 0x20);
    (raw, connack.body[1])
}

/// Publish, subscribe, will, retained messages, shared subscriptions.
fn walk_mqtt(hub: &Hub, ana: &str, eve: &str) {
    let (_, reason) = over_mqtt(hub, eve, Some(RATE));
    assert_eq!(reason, NOT_AUTHORIZED, "a will");
    let (mut eves, reason) = over_mqtt(hub, eve, None);
    assert_eq!(reason, 0);
    for filter in [
        "#",
        "things/#",
        "things/pump/#",
        RATE,
        "+/pump/properties/+",
        "shop/door",
        "$share/a/#",
        "$share/a/things/pump/#",
        "$quartet/#",
        "$SYS/#",
        "things/+/events/#",
    ] {
        assert_eq!(
            eves.try_subscribe(filter),
            NOT_AUTHORIZED,
            "eve at {filter}"
        );
    }
    for topic in [
        RATE,
        "things/pump/properties/rate/write",
        "things/pump/actions/stop",
        "things/pump",
        "shop/door",
    ] {
        assert_eq!(
            eves.try_publish(topic, b"9"),
            NOT_AUTHORIZED,
            "eve at {topic}"
        );
    }

    let (_, reason) = over_mqtt(hub, ana, Some("things/pump/properties/serial"));
    assert_eq!(reason, NOT_AUTHORIZED, "a will");
    let (mut anas, reason) = over_mqtt(hub, ana, Some("things/pump/properties/rate/write"));
    assert_eq!(reason, 0);
    assert_eq!(anas.try_subscribe("$share/a/things/pump/#"), NOT_AUTHORIZED);
    assert_eq!(
        anas.try_publish("things/pump/properties/serial", b"9"),
        NOT_AUTHORIZED
    );
    assert_eq!(anas.try_subscribe("#"), 0);
    let mut retained = Vec::new();
    wait_for("what is retained", || {
        retained.extend(anas.heard());
        retained
            .iter()
            .any(|(topic, _)| topic.ends_with("/status"))
            .then_some(())
    });
    report(hub, "serial", &json!("77-X"));
    report(hub, "status", &json!({ "code": 7, "patient": "Eve" }));
    report(hub, "rate", &json!(5));
    let mut heard = Vec::new();
    wait_for("news of the rate", || {
        heard.extend(anas.heard());
        heard.iter().any(|(topic, _)| topic == RATE).then_some(())
    });
    for all in [&retained, &heard] {
        assert!(all.contains(&(
            "things/pump/properties/status".to_owned(),
            r#"{"code":7}"#.to_owned()
        )));
        let all = format!("{all:?}");
        for secret in SECRETS {
            assert!(!all.contains(secret), "ana hears {secret}: {all}");
        }
    }
    assert_eq!(eves.heard(), []);
}

/// Somebody over a web socket.
fn over_socket(hub: &Hub, token: &str) -> WebThing {
    let bearer = format!("Bearer {token}");
    WebThing::with(hub, "things/pump", "", &[("authorization", &bearer)]).unwrap()
}

/// The Web Thing Protocol.
fn walk_web_things(hub: &Hub, ana: &str, eve: &str) {
    let serve = WebThing::with(
        hub,
        "things/pump",
        "?serve=things/pump",
        &[("authorization", &format!("Bearer {eve}"))],
    );
    assert_eq!(serve.err().unwrap().0, 403, "eve as the pump");
    let mut eves = over_socket(hub, eve);
    for (operation, more) in [
        ("readproperty", json!({ "name": "rate" })),
        ("readallproperties", json!({})),
        ("observeproperty", json!({ "name": "rate" })),
        ("observeallproperties", json!({})),
        ("writeproperty", json!({ "name": "rate", "value": 9 })),
        ("invokeaction", json!({ "name": "stop" })),
        ("queryallactions", json!({})),
        ("subscribeallevents", json!({})),
    ] {
        let answer = eves.ask(operation, &more);
        assert_eq!(answer["error"]["status"], 403, "eve: {operation}: {answer}");
        for secret in SECRETS {
            assert!(!answer.to_string().contains(secret), "{answer}");
        }
    }
    let mut anas = over_socket(hub, ana);
    let rate = anas.ask("readproperty", &json!({ "name": "rate" }));
    assert_eq!(rate["value"], 5, "{rate}");
    let all = anas.ask("readallproperties", &json!({}));
    assert_eq!(all["values"]["status"], json!({ "code": 7 }), "{all}");
    let serial = anas.ask("readproperty", &json!({ "name": "serial" }));
    assert_eq!(serial["error"]["status"], 403, "{serial}");
    let observed = anas.ask("observeallproperties", &json!({}));
    assert_eq!(observed["error"], Value::Null, "{observed}");
    report(hub, "serial", &json!("77-X"));
    report(hub, "status", &json!({ "code": 8, "patient": "Eve" }));
    report(hub, "status", &json!({ "code": 7, "patient": "Eve" }));
    let mut heard = Vec::new();
    let _ = anas.until(|news| {
        heard.push(news.clone());
        news["value"]["code"] == 8
    });
    for secret in SECRETS {
        let all = format!("{all}{heard:?}");
        assert!(!all.contains(secret), "ana hears {secret}: {all}");
    }
}

/// CoAP has no names: everybody is somebody who may nothing.
fn walk_coap(hub: &Hub) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(hub.at("coap://")).unwrap();
    let mut number = 0;
    // The codes of RFC 7252: requests, and 4.01.
    let (get, post, put, unauthorized) = (1, 2, 3, 0x81);
    for (method, path) in [
        (get, "api/things/pump"),
        (get, "api/things/pump/properties/rate"),
        (get, "api/subscribe"),
        (get, "things"),
        (get, "api/elements"),
        (get, ".well-known/core"),
        (get, "api/audit"),
        (put, "api/things/pump/properties/rate"),
        (post, "api/things/pump/actions/stop"),
        (post, "api/publish/things/pump/properties/rate"),
    ] {
        number += 1;
        let mut request = vec![0x40, method, 0, number];
        let mut option = 11; // Uri-Path
        for part in path.split('/') {
            assert!(part.len() < 269);
            match part.len() {
                length @ 0..13 => request.push(option << 4 | length as u8),
                length => request.extend([option << 4 | 13, (length - 13) as u8]),
            }
            request.extend_from_slice(part.as_bytes());
            option = 0;
        }
        socket.send(&request).unwrap();
        let mut answer = [0; 1500];
        let length = loop {
            let length = socket.recv(&mut answer).unwrap();
            if answer[2..4] == [0, number] {
                break length;
            }
        };
        let said = String::from_utf8_lossy(&answer[4..length]);
        assert_eq!(answer[1], unauthorized, "{path}: {said}");
        for secret in SECRETS {
            assert!(!said.contains(secret), "{path}: {said}");
        }
    }
}

fn walk_http(hub: &Hub, ana: &str, eve: &str) {
    for path in [
        "/api/things/pump",
        "/api/things/pump/twin",
        "/api/things/pump/properties",
        "/api/things/pump/properties/rate",
        "/api/things/pump/properties/status",
        "/api/things/pump/properties/rate/observe",
        "/api/things/pump/properties/rate/values",
        "/api/things/pump/actions",
        "/api/things/pump/events/refused",
        "/api/things/pump/history",
        "/api/things/pump/relations",
        "/api/things/pump/access",
        "/api/things/pump/reach",
        "/api/things/pump/credentials",
        "/things/urn:quartet:things:pump",
        "/api/subscribe?filter=things/pump/%23",
        "/api/subscribe?filter=%23",
        "/api/subscribe?filter=shop/door",
        "/api/retained",
        "/api/sessions",
        "/api/refused",
        "/api/rules",
        "/api/unmapped",
        "/api/invitations",
        "/api/audit",
        "/api/audit/export",
        "/metrics",
    ] {
        let answer = ask(hub, &format!("GET {path}"), eve, &Value::Null);
        assert_eq!(answer.status, 403, "eve at {path}: {}", answer.body);
        for secret in SECRETS.iter().chain(&["Pump", "rate\":"]) {
            assert!(
                !answer.body.contains(secret),
                "eve at {path}: {}",
                answer.body
            );
        }
    }
    // Lists are of what is seen.
    for path in [
        "/things",
        "/api/elements",
        "/api/elements/export",
        "/search/jsonpath?query=$[*].title",
        "/.well-known/core",
    ] {
        let answer = ask(hub, &format!("GET {path}"), eve, &Value::Null);
        assert_eq!(answer.status, 200, "eve at {path}: {}", answer.body);
        assert!(
            !answer.body.to_lowercase().contains("pump"),
            "eve at {path}: {}",
            answer.body
        );
    }
    for (request, body) in [
        ("PUT /api/things/pump/properties/rate", json!(9)),
        ("PUT /api/things/pump/properties", json!({ "rate": 9 })),
        ("POST /api/things/pump/actions/stop", Value::Null),
        ("POST /api/publish/things/pump/properties/rate", json!(9)),
        ("POST /api/publish/shop/door", json!(9)),
        ("DELETE /things/urn:quartet:things:pump", Value::Null),
        ("POST /api/things/pump/credentials", Value::Null),
        ("POST /api/invitations", json!({ "element": "things/pump" })),
        ("PUT /api/roles/nurse", json!({ "rights": [] })),
        (
            "PUT /api/people/eve/relations",
            json!({ "relation": "owner", "to": "places/hub" }),
        ),
        (
            "PUT /api/people/eve/relations",
            json!({ "relation": "memberOf", "to": "teams/night" }),
        ),
        (
            "PUT /api/things/pump/relations",
            json!({ "relation": "in", "to": "people/eve" }),
        ),
        (
            "PUT /api/people/ana/relations",
            json!({ "relation": "consentsTo", "to": "people/eve" }),
        ),
        (
            "DELETE /api/people/ana/relations?relation=memberOf&to=teams/night",
            Value::Null,
        ),
        (
            "POST /api/places/ward-3/glass",
            json!({ "reason": "curious" }),
        ),
    ] {
        let answer = ask(hub, request, eve, &body);
        assert_eq!(answer.status, 403, "eve: {request}: {}", answer.body);
    }

    // Lists and history are a moment behind.
    for path in ["/api/elements?text=pump", "/api/things/pump/history"] {
        wait_for(path, || {
            let answer = ask(hub, &format!("GET {path}"), ana, &Value::Null);
            answer.body.contains(r#":[{"#).then_some(())
        });
    }
    for (path, expected) in [
        ("/api/things/pump", "rate"),
        ("/api/things/pump/twin", "rate"),
        ("/api/things/pump/properties", "\"rate\":5"),
        ("/api/things/pump/properties/rate", "5"),
        ("/api/things/pump/properties/status", r#"{"code":7}"#),
        ("/api/things/pump/actions", "{}"),
        ("/api/things/pump/history", "changes"),
        ("/things/urn:quartet:things:pump", "Pump"),
        ("/things", "Pump"),
        ("/api/elements?text=pump", "things/pump"),
        ("/search/jsonpath?query=$[*].title", "Pump"),
        ("/.well-known/core", "pump"),
    ] {
        let answer = ask(hub, &format!("GET {path}"), ana, &Value::Null);
        assert_eq!(answer.status, 200, "ana at {path}: {}", answer.body);
        assert!(
            answer.body.contains(expected),
            "ana at {path}: {}",
            answer.body
        );
        for secret in SECRETS {
            assert!(
                !answer.body.contains(secret),
                "ana sees {secret} at {path}: {}",
                answer.body
            );
        }
    }
    let serial = ask(
        hub,
        "GET /api/things/pump/properties/serial",
        ana,
        &Value::Null,
    );
    assert_eq!(serial.status, 403);
    assert!(
        serial.body.contains("the role `nurse` does not allow it"),
        "{}",
        serial.body
    );
    assert_eq!(
        ask(hub, "PUT /api/things/pump/properties/rate", ana, &json!(9)).status,
        204
    );
    assert_eq!(
        ask(hub, "POST /api/things/pump/actions/stop", ana, &Value::Null).status,
        201
    );
    assert_eq!(
        ask(
            hub,
            "POST /api/things/pump/actions/purge",
            ana,
            &Value::Null
        )
        .status,
        403
    );
}

#[test]
fn a_stream_shows_a_part_and_ends_to_show_it_when_a_relation_goes() {
    let hub = hub();
    let (ana, _) = ward(&hub);
    let bearer = format!("Bearer {ana}");
    let mut stream = Events::open(
        hub.at("http://"),
        "/api/subscribe?filter=%23",
        &[("authorization", &bearer)],
    );
    let mut first = [stream.next().data, stream.next().data, stream.next().data];
    first.sort_by_key(|event| event["subject"].to_string());
    assert_eq!(first[0]["subject"], "things/pump");
    assert_eq!(first[1]["data"], json!(5));
    assert_eq!(first[2]["data"], json!({ "code": 7 }));
    report(&hub, "serial", &json!("78"));
    report(&hub, "rate", &json!(6));
    assert_eq!(stream.next().data["data"], json!(6));
    let leave = "DELETE /api/people/ana/relations?relation=memberOf&to=teams/night";
    assert_eq!(
        ask(&hub, leave, &ana, &Value::Null).status,
        204,
        "one may leave a team oneself"
    );
    report(&hub, "rate", &json!(7));
    put(
        &hub,
        "/api/people/ana/relations",
        &json!({ "relation": "memberOf", "to": "teams/night" }),
    );
    report(&hub, "rate", &json!(8));
    assert_eq!(stream.next().data["data"], json!(8), "7 was not seen");
}

#[test]
fn a_web_socket_shows_nothing_more_when_a_relation_goes() {
    let hub = hub();
    let (ana, _) = ward(&hub);
    let mut socket = over_socket(&hub, &ana);
    let observed = socket.ask("observeproperty", &json!({ "name": "rate" }));
    assert_eq!(observed["error"], Value::Null, "{observed}");
    report(&hub, "rate", &json!(6));
    socket.until(|news| news["value"] == 6);
    let leave = "DELETE /api/people/ana/relations?relation=memberOf&to=teams/night";
    assert_eq!(ask(&hub, leave, &ana, &Value::Null).status, 204);
    // From the answer on: nothing of what is said now comes, nor can it be asked for.
    report(&hub, "rate", &json!(7));
    let read = socket.ask("readproperty", &json!({ "name": "rate" }));
    assert_eq!(read["error"]["status"], 403, "{read}");
    let member = json!({ "relation": "memberOf", "to": "teams/night" });
    put(&hub, "/api/people/ana/relations", &member);
    report(&hub, "rate", &json!(8));
    let news = socket.until(|news| news["messageType"] == "notification");
    assert_eq!(news["value"], 8, "7 was not seen");
}

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
