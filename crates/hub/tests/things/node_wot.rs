use std::process::Command;

use serde_json::{Value, json};

use super::lamp::{LAMP, install};
use crate::support::{Hub, node_wot, succeed};

const LISTENERS: [&str; 2] = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];

/// Lets the reference client do steps, and gives what each of them brought.
#[track_caller]
fn drive(hub: &Hub, steps: &Value) -> Vec<Value> {
    let script = hub.folder().join("drive.mjs");
    std::fs::write(&script, include_str!("../node-wot/drive.mjs")).unwrap();
    let mut command: Command = node_wot();
    command.arg(&script).arg(steps.to_string());
    command.env("HUB", format!("http://{}", hub.at("http://")));
    let out = succeed(&mut command);
    let lines = out.iter().filter(|line| line.starts_with('{'));
    let results: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for result in &results {
        assert_eq!(result["error"], Value::Null, "{result}\n{results:#?}");
    }
    results
        .into_iter()
        .map(|mut it| it["value"].take())
        .collect()
}

/// It knows the hub's address and nothing else: all that it does, it finds in descriptions.
#[test]
fn the_reference_client_finds_a_thing_and_uses_all_of_it_over_http_and_mqtt() {
    let hub = Hub::start(&LISTENERS);
    install(&hub);
    let mut steps = vec![
        json!({ "do": "explore" }),
        json!({ "do": "consume", "thing": LAMP }),
    ];
    for (over, action, level) in [("http", "fade", 40), ("mqtt", "blink", 60)] {
        let step = |what: &str, name: &str| json!({ "do": what, "name": name, "over": over });
        let with = |mut step: Value, name: &str, value: Value| {
            step[name] = value;
            step
        };
        steps.extend([
            step("observe", "on"),
            step("subscribe", "hot"),
            with(step("await", "on"), "value", json!(over == "mqtt")),
            with(step("write", "on"), "value", json!(over == "http")),
            with(step("await", "on"), "value", json!(over == "http")),
            // It cannot read over MQTT what it observes.
            step("stop", "on"),
            step("read", "on"),
            with(step("write", "level"), "value", json!(level)),
            with(step("invoke", action), "input", json!(level + 5)),
            with(step("await", "hot"), "value", json!(80.5)),
            step("read", "level"),
        ]);
    }
    steps.push(json!({ "do": "read all" }));
    let values = drive(&hub, &steps.into());
    let found = values[0].as_array().unwrap();
    assert!(
        found.contains(&json!({ "id": LAMP, "title": "Lamp" })),
        "{found:?}"
    );
    let (over_http, over_mqtt) = (&values[2..13], &values[13..24]);
    assert_eq!(over_http[6], json!(true), "read what was written");
    assert_eq!(over_http[8], json!("faded to 45"));
    assert_eq!(over_http[10], json!(45), "read what the action changed");
    assert_eq!(over_mqtt[6], json!(false));
    assert_eq!(over_mqtt[10], json!(65));
    let all = values.last().unwrap();
    assert_eq!((&all["on"], &all["level"]), (&json!(false), &json!(65)));
    assert_eq!(all["connectivity"]["state"], "online");
}
