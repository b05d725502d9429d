use serde_json::{Value, json};

use crate::support::{Hub, http, succeed, wait_for};

fn ask(hub: &Hub, request: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = http(hub.at("http://"), request, &[], &body);
    let json = if answer.body.is_empty() {
        Value::Null
    } else {
        answer.json()
    };
    (answer.status, json)
}

fn publish(hub: &Hub, topic: &str, payload: &str) {
    let mut command = std::process::Command::new("mosquitto_pub");
    command.args([
        "-p",
        &hub.port("mqtt").to_string(),
        "-t",
        topic,
        "-m",
        payload,
    ]);
    succeed(&mut command);
}

/// Two steps make a thing of traffic that nobody knew: look, and say yes.
#[test]
fn traffic_that_is_of_nothing_becomes_a_thing_in_two_steps() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0", "http://127.0.0.1:0"]);
    publish(&hub, "cellar/probe-1/temp", "7.5");
    let found = wait_for("the message", || {
        let (_, unmapped) = ask(&hub, "GET /api/unmapped", &Value::Null);
        let all = unmapped["unmapped"].as_array()?.clone();
        all.into_iter()
            .find(|one| one["topic"] == "cellar/probe-1/temp")
    });
    assert_eq!(found["preview"]["element"], "things/probe-1", "{found}");
    assert_eq!(found["preview"]["values"], json!({ "temp": 7.5 }));
    let rule = &found["rule"];
    assert_eq!(rule["topic"], "cellar/{id}/{property}");

    let (status, _) = ask(&hub, "PUT /api/rules/cellar", rule);
    assert_eq!(status, 204);
    let of_probe = |name: &str| {
        let path = format!("GET /api/things/probe-1/properties/{name}");
        let answer = http(hub.at("http://"), &path, &[], "");
        (answer.status == 200).then(|| answer.json())
    };
    wait_for("the rule", || {
        publish(&hub, "cellar/probe-1/temp", "8");
        (of_probe("temp")? == json!(8)).then_some(())
    });
    // What it is about is not on the list any more.
    let (_, unmapped) = ask(&hub, "GET /api/unmapped", &Value::Null);
    assert_eq!(unmapped, json!({ "unmapped": [] }));
    let (_, rules) = ask(&hub, "GET /api/rules", &Value::Null);
    assert_eq!(rules["rules"][0]["name"], "cellar", "{rules}");

    let (status, _) = ask(&hub, "DELETE /api/rules/cellar", &Value::Null);
    assert_eq!(status, 204);
    wait_for("its end", || of_probe("temp").is_none().then_some(()));
    assert_eq!(ask(&hub, "DELETE /api/rules/cellar", &Value::Null).0, 404);
}

#[test]
fn a_rule_is_tried_before_it_is_written_and_mistakes_are_named() {
    let hub = Hub::start(&["mqtt://127.0.0.1:0", "http://127.0.0.1:0"]);
    let rule =
        json!({ "topic": "pumps/{id}", "key": "things/{id}", "schema": { "unit": "l/min" } });
    let trial = json!({ "rule": rule, "messages": [
        { "topic": "pumps/p 1", "payload": r#"{"rate":3}"# },
        { "topic": "pumps/p2", "payload": "warm" },
        { "topic": "fans/f1", "payload": "{}" },
    ] });
    let (status, told) = ask(&hub, "POST /api/rules/preview", &trial);
    assert_eq!(status, 200, "{told}");
    let messages = told["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2, "{told}");
    assert_eq!(messages[0]["element"], "things/p-1");
    assert_eq!(messages[0]["properties"]["rate"]["unit"], "L/min", "{told}");
    assert!(
        messages[1]["problem"]
            .as_str()
            .unwrap()
            .starts_with("the payload"),
        "{told}"
    );

    let wrong = json!({ "topic": "pumps/{id}/#/x", "key": "lamps/{name}" });
    let (status, problem) = ask(&hub, "PUT /api/rules/pumps", &wrong);
    assert_eq!(status, 400);
    let fields = problem["validationErrors"].as_array().unwrap();
    assert!(
        fields.iter().any(|one| one["field"] == "topic"),
        "{problem}"
    );
    let named = json!({ "name": "other", "topic": "pumps/{id}", "key": "things/{id}" });
    assert_eq!(ask(&hub, "PUT /api/rules/pumps", &named).0, 400);
    assert_eq!(ask(&hub, "GET /api/rules/pumps", &Value::Null).0, 404);
}
