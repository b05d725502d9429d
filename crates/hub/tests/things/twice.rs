use serde_json::Value;

use crate::support::{Hub, Raw, until};

const TD: &str = r#"{
    "@context": "https://www.w3.org/2022/wot/td/v1.1",
    "id": "urn:quartet:things:lamp", "title": "Lamp",
    "securityDefinitions": {"none": {"scheme": "nosec"}}, "security": "none",
    "actions": {"toggle": {"forms": [{"href": "coap://lamp.example/"}]}, "blink": {"forms": [{"href": "coap://lamp.example/"}]}}
}"#;

/// Who does not know whether a request arrived sends it again: it is done once, also if the hub was
/// killed in between.
#[test]
fn a_request_that_is_sent_again_under_its_name_is_done_once() {
    let mut hub = Hub::start(&["mqtt://127.0.0.1:0", "http://127.0.0.1:0"]);
    let described = hub.ask(
        "PUT /things/urn:quartet:things:lamp",
        &[("content-type", "application/td+json")],
        TD,
    );
    assert!(described.status < 300, "{}", described.body);
    let mut lamp = Raw::tcp(hub.at("mqtt://"), 5, "lamp");
    lamp.subscribe("things/lamp/actions/+", 0);
    let ask = |hub: &Hub, action: &str, name: Option<&str>| -> Value {
        let names: Vec<(&str, &str)> = name.iter().map(|name| ("idempotency-key", *name)).collect();
        let answer = hub.ask(
            &format!("POST /api/things/lamp/actions/{action}"),
            &names,
            "",
        );
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.json()["href"].clone()
    };
    let first = ask(&hub, "toggle", Some("tap-1"));
    assert_eq!(ask(&hub, "toggle", Some("tap-1")), first);
    let others = [
        ask(&hub, "toggle", Some("tap-2")),
        ask(&hub, "blink", Some("tap-1")),
        ask(&hub, "toggle", None),
        ask(&hub, "toggle", None),
    ];
    for (at, other) in others.iter().enumerate() {
        assert!(*other != first && !others[..at].contains(other), "{other}");
    }
    let mut heard = Vec::new();
    until("five requests", || {
        heard.extend(lamp.heard().into_iter().map(|(topic, _)| topic));
        5 <= heard.len()
    });
    let wanted = ["toggle", "toggle", "blink", "toggle", "toggle"];
    assert_eq!(
        heard,
        wanted.map(|action| format!("things/lamp/actions/{action}"))
    );
    hub.die_and_begin_again();
    assert_eq!(ask(&hub, "toggle", Some("tap-1")), first);
    assert_eq!(ask(&hub, "blink", Some("tap-1")), others[1]);
    let asked = hub.ask("GET /api/things/lamp/actions", &[], "").json();
    let count = |action: &str| asked[action].as_array().map(Vec::len);
    assert_eq!(
        (count("toggle"), count("blink")),
        (Some(4), Some(1)),
        "{asked}"
    );
    let refused = hub.ask(
        "POST /api/things/lamp/actions/toggle",
        &[("idempotency-key", &*"x".repeat(201))],
        "",
    );
    assert_eq!(refused.status, 400, "{}", refused.body);
    assert!(refused.body.contains("1 to 200"), "{}", refused.body);
}
