//! What relations allow over HTTP, its streams and web sockets: as somebody who may nothing, and as one
//! who may see a part.

use std::net::{TcpStream, UdpSocket};

use super::*;
use crate::support::{PATIENCE, Raw, WebThing};

pub(super) const TD: &str = r#"{
    "@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "Pump", "id": "urn:quartet:things:pump",
    "securityDefinitions": { "none": { "scheme": "nosec" } }, "security": "none",
    "properties": {
        "rate": { "type": "integer", "forms": [{ "href": "coap://p/rate" }] },
        "status": { "type": "object", "forms": [{ "href": "coap://p/status" }] },
        "serial": { "type": "string", "forms": [{ "href": "coap://p/serial" }] }
    },
    "actions": { "stop": { "forms": [{ "href": "coap://p/stop" }] }, "purge": { "forms": [{ "href": "coap://p/purge" }] } }
}"#;

pub(super) fn put(hub: &Hub, path: &str, body: &Value) {
    let answer = ask(hub, &format!("PUT {path}"), "", body);
    assert_eq!(answer.status, 204, "{path}: {}", answer.body);
}

pub(super) fn token(hub: &Hub, person: &str) -> String {
    let answer = ask(
        hub,
        &format!("POST /api/people/{person}/credentials"),
        "",
        &Value::Null,
    );
    text(&answer.json(), "token").to_owned()
}

pub(super) fn report(hub: &Hub, name: &str, value: &Value) {
    let path = format!("POST /api/publish/things/pump/properties/{name}?qos=1");
    assert_eq!(ask(hub, &path, "", value).status, 202);
}

/// A ward with a pump, of which ana sees the rate and a part of the status, and eve nothing.
pub(super) fn ward(hub: &Hub) -> (String, String) {
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
pub(super) const NOT_AUTHORIZED: u8 = 0x87;
const RATE: &str = "things/pump/properties/rate";

/// Somebody over MQTT, with its token.
#[track_caller]
pub(super) fn over_mqtt(hub: &Hub, token: &str, will: Option<&str>) -> (Raw<TcpStream>, u8) {
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
