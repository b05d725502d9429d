use serde_json::{Value, json};

use crate::support::{Driver, Hub, http, python, wait_for};

fn get(hub: &Hub, path: &str) -> Value {
    let answer = http(hub.at("http://"), &format!("GET {path}"), &[], "");
    match answer.status {
        200 => answer.json(),
        _ => Value::Null,
    }
}

/// Waits until a property is this.
#[track_caller]
fn is(hub: &Hub, property: &str, value: &Value) {
    let path = format!("/api/things/{property}");
    wait_for(property, || (get(hub, &path) == *value).then_some(()));
}

/// Two trees of devices, of two makers: what they say of themselves is all that the hub knows.
#[test]
fn devices_that_speak_homie_are_things_and_do_what_they_are_told() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0", "http://127.0.0.1:0"]);
    let script = hub.folder().join("drive.py");
    std::fs::write(&script, include_str!("../homie/drive.py")).unwrap();
    let mut command = python();
    command.arg(&script).arg(hub.port("mqtt").to_string());
    let mut devices = Driver::start(&mut command);
    is(&hub, "lamp-1/properties/light.level", &json!(40));
    is(&hub, "lamp-1/properties/light.power", &json!(4.25));
    println!("{}", get(&hub, "/api/things/lamp-1/twin"));
    println!("{}", get(&hub, "/api/elements?limit=100"));
    devices.step(&json!({ "do": "report", "property": "light/level", "value": 42 }));
}
