use serde_json::{Value, json};

use crate::support::{Driver, Hub, http, node, until, wait_for};

const NODE: &str = "plant_press";
const PUMP: &str = "plant_press_pump";

fn get(hub: &Hub, path: &str) -> Value {
    let answer = http(hub.at("http://"), &format!("GET {path}"), &[], "");
    match answer.status {
        200 => answer.json(),
        _ => Value::Null,
    }
}

fn property(hub: &Hub, thing: &str, name: &str) -> Value {
    get(hub, &format!("/api/things/{thing}/properties/{name}"))
}

/// Waits until a property is this.
#[track_caller]
fn wait(hub: &Hub, thing: &str, name: &str, value: &Value) {
    until(&format!("{name} is {value}"), || {
        property(hub, thing, name) == *value
    });
}

/// Waits until a thing is known to be in this state.
#[track_caller]
fn wait_state(hub: &Hub, thing: &str, state: &str) {
    until(&format!("{thing} is {state}"), || {
        property(hub, thing, "connectivity")["state"] == state
    });
}

/// A node of another maker, with a device: each is a thing at once, its data is understood, and what is
/// wanted of it is done.
#[test]
fn a_node_and_its_device_are_things_and_do_what_they_are_told() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0", "http://127.0.0.1:0"]);
    let script = hub.folder().join("drive.cjs");
    std::fs::write(&script, include_str!("../sparkplug/drive.cjs")).unwrap();
    let mut command = node();
    command.arg(&script).arg(hub.port("mqtt").to_string());
    let mut press = Driver::start(&mut command);

    wait(&hub, PUMP, "Mode", &json!("auto"));
    wait(&hub, NODE, "Temperature", &json!(20.5));
    let td = get(&hub, &format!("/api/things/{PUMP}"));
    let rate = &td["properties"]["Rate"];
    assert_eq!(
        (&rate["unit"], &rate["maximum"]),
        (&json!("L/min"), &json!(100.0)),
        "{td:#}"
    );
    let samples = json!({ "columns": ["t", "v"], "rows": [[0, 1.5], [1, 2.5]] });
    for (name, value) in [
        ("Since", json!("2026-01-01T00:00:00Z")),
        ("Offset", json!(-5)),
        ("Total", json!(4_294_967_297_u64)),
        ("Samples", samples),
    ] {
        wait(&hub, PUMP, name, &value);
    }

    // What it says reaches the hub, however it says it.
    press.step(&json!({ "do": "data", "rate": 12.5 }));
    wait(&hub, PUMP, "Rate", &json!(12.5));
    press.step(&json!({ "do": "node data", "temperature": 21.1 }));
    wait(&hub, NODE, "Temperature", &json!(21.1));
    press.step(&json!({ "do": "history" }));
    press.step(&json!({ "do": "null" }));
    wait(&hub, PUMP, "Mode", &Value::Null);
    assert_eq!(
        property(&hub, PUMP, "Rate"),
        json!(12.5),
        "what was is not what is"
    );
    press.step(&json!({ "do": "compressed" }));
    wait(&hub, PUMP, "Rate", &json!(3.0));
    press.step(&json!({ "do": "burst", "count": 300 }));
    wait(&hub, PUMP, "Rate", &json!(299.0));
    let refused = get(&hub, "/api/refused");
    assert_eq!(refused["refused"], json!([]), "nothing was missed");

    // What is wanted reaches it, and what it says then confirms that.
    let setpoint = format!("PUT /api/things/{PUMP}/properties/Setpoint");
    assert_eq!(http(hub.at("http://"), &setpoint, &[], "55").status, 204);
    let heard = press.step(&json!({ "do": "await", "heard": "dcmd" }));
    assert_eq!(heard[0]["value"], 55, "{heard}");
    wait_for("the wish is confirmed", || {
        let twin = get(&hub, &format!("/api/things/{PUMP}/twin"));
        (twin["Setpoint"]["desired"]["status"] == "confirmed").then_some(())
    });

    press.step(&json!({ "do": "device dies" }));
    wait_state(&hub, PUMP, "lost");
    wait_state(&hub, NODE, "online");
    press.step(&json!({ "do": "device is born" }));
    wait_state(&hub, PUMP, "online");

    // What was lost is noticed, and asked for.
    press.step(&json!({ "do": "skip" }));
    press.step(&json!({ "do": "data", "rate": 14 }));
    let heard = press.step(&json!({ "do": "await", "heard": "ncmd" }));
    assert_eq!(heard[0]["name"], "Node Control/Rebirth", "{heard}");
    wait(&hub, PUMP, "Mode", &json!("auto"));
    let refused = get(&hub, "/api/refused");
    assert!(
        refused.to_string().contains("so something was lost"),
        "{refused:#}"
    );

    // It breaks off, and comes back.
    press.step(&json!({ "do": "lose" }));
    wait_state(&hub, NODE, "online");
    wait_state(&hub, PUMP, "online");
    press.step(&json!({ "do": "stop" }));
    wait_state(&hub, NODE, "lost");
    wait_state(&hub, PUMP, "lost");
}
