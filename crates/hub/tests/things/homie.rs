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

#[track_caller]
fn is_there(hub: &Hub, thing: &str, state: &str) {
    let path = format!("/api/things/{thing}/properties/connectivity");
    wait_for(state, || (get(hub, &path)["state"] == state).then_some(()));
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

    for (name, value) in [
        ("on", json!(false)),
        ("level", json!(40)),
        ("power", json!(4.25)),
        ("mode", json!("steady")),
        ("label", json!("")),
        ("since", json!("2026-01-01T00:00:00Z")),
        ("scene", json!({ "name": "evening" })),
    ] {
        is(&hub, &format!("lamp-1/properties/light_{name}"), &value);
    }
    is(
        &hub,
        "lamp-1-sensor/properties/air_temperature",
        &json!(21.5),
    );
    let twin = get(&hub, "/api/things/lamp-1-sensor/twin");
    assert_eq!(twin["air_temperature"]["unit"], "Cel", "{twin}");

    devices.step(&json!({ "do": "report", "property": "light/level", "value": 45 }));
    is(&hub, "lamp-1/properties/light_level", &json!(45));
    let write = |name: &str, value: &str| {
        let request = format!("PUT /api/things/lamp-1/properties/light_{name}");
        http(hub.at("http://"), &request, &[], value)
    };
    assert_eq!(write("on", "true").status, 204);
    let told = devices.step(&json!({ "do": "await", "property": "light/on" }));
    assert_eq!(told, json!(true));
    is(&hub, "lamp-1/properties/light_on", &json!(true));
    wait_for("its confirmation", || {
        let twin = get(&hub, "/api/things/lamp-1/twin");
        (twin["light_on"]["desired"]["status"] == "confirmed").then_some(())
    });
    let refused = write("mode", "\"disco\"");
    assert_eq!(refused.status, 400, "{refused:?}");

    devices.step(&json!({ "do": "tick", "seconds": 60, "watts": 500 }));
    is(
        &hub,
        "ebus-board-1-kitchen/properties/meter_active-power",
        &json!(-500),
    );

    devices.step(&json!({ "do": "sleep" }));
    is_there(&hub, "lamp-1", "asleep");
    devices.step(&json!({ "do": "wake" }));
    is_there(&hub, "lamp-1", "online");
    devices.step(&json!({ "do": "lose" }));
    is_there(&hub, "lamp-1", "lost");
    is_there(&hub, "lamp-1-sensor", "lost"); // It is reached through the lamp.
    is_there(&hub, "ebus-board-1", "online");
}
