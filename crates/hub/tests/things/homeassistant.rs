use serde_json::{Value, json};

use super::lamp::{LAMP, install};
use crate::support::{Driver, Hub, home_assistant, http};

/// Home Assistant knows the broker and nothing else. It is told of a thing, shows what it reports,
/// and makes it do things; and it forgets it when it is gone.
#[test]
fn a_thing_is_shown_and_switched_by_home_assistant() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0", "http://127.0.0.1:0"]);
    install(&hub);
    let script = hub.folder().join("drive.py");
    std::fs::write(&script, include_str!("../homeassistant/drive.py")).unwrap();
    let mut command = home_assistant();
    command.arg(&script).arg(hub.port("mqtt").to_string());
    let mut home = Driver::start(&mut command);
    let mut wait = |entity: &str, state: &str| {
        home.step(&json!({ "do": "wait", "entity": entity, "state": state }))
    };

    wait("switch.lamp_on", "off");
    let level = wait("number.lamp_level", "10");
    let limits = ["min", "max"].map(|limit| level["attributes"][limit].as_f64());
    assert_eq!(limits, [Some(0.0), Some(100.0)]);
    let mut call = |service: &str, data: Value| {
        home.step(&json!({ "do": "call", "service": service, "data": data }))
    };
    call("switch.turn_on", json!({ "entity_id": "switch.lamp_on" }));
    call(
        "number.set_value",
        json!({ "entity_id": "number.lamp_level", "value": 55 }),
    );
    let mut wait = |entity: &str, state: &str| {
        home.step(&json!({ "do": "wait", "entity": entity, "state": state }))
    };
    wait("switch.lamp_on", "on");
    wait("number.lamp_level", "55");
    let twin = http(hub.at("http://"), "GET /api/things/lamp/twin", &[], "").json();
    assert_eq!(twin["on"]["desired"]["status"], "confirmed", "{twin}");
    home.step(&json!({ "do": "call", "service": "button.press", "data": { "entity_id": "button.lamp_reset" } }));
    home.step(&json!({ "do": "wait", "entity": "number.lamp_level", "state": "0" }));
    let device = home.step(&json!({ "do": "device", "entity": "switch.lamp_on" }));
    assert_eq!(device["name"], "Lamp");

    let gone = http(
        hub.at("http://"),
        &format!("DELETE /things/{LAMP}"),
        &[],
        "",
    );
    assert_eq!(gone.status, 204, "{gone:?}");
    home.step(&json!({ "do": "wait gone", "entity": "switch.lamp_on" }));
}
