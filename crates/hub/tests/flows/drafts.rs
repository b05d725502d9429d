//! Definitions that nobody deployed yet, over HTTP: what is wrong with them, and what they would do.

use serde_json::{Value, json};

use crate::support::Hub;

const HEATER: &str = "\
document: { dsl: '1.0.3', namespace: test, name: heat, version: '1.0.0', metadata: { run: fast } }
schedule: { on: { one: { with: { type: quartet.message, topic: room/cold, data: '${ .by > 1 }' } } } }
do:
  - look: { call: read, with: { thing: room, property: temperature } }
  - heat: { if: . < 20, call: write, with: { thing: heater, property: level, value: '${ 20 - . }' } }
";

fn asked(hub: &Hub, request: &str, body: &str, status: u16) -> Value {
    let answer = hub.ask(request, &[], body);
    assert_eq!(answer.status, status, "{}", answer.body);
    answer.json()
}

#[test]
fn definitions_are_looked_at_and_tried_before_anybody_deploys_them() {
    let hub = Hub::owned(&["http://127.0.0.1:0"]);
    let checked = asked(&hub, "POST /api/drafts/check", HEATER, 200);
    assert_eq!(
        (&checked["isGood"], &checked["name"]),
        (&json!(true), &json!("test.heat"))
    );
    // Nothing is there yet, which is most likely not what was meant.
    let problems = checked["problems"].as_array();
    assert!(
        problems.is_some_and(|all| all.iter().all(|one| one["isError"] == false)),
        "{checked}"
    );
    let wrong = HEATER.replace("call: write", "call: wirte");
    let checked = asked(&hub, "POST /api/drafts/check", &wrong, 200);
    assert_eq!(checked["isGood"], false);
    let first = &checked["problems"][0];
    assert_eq!(
        (&first["line"], &first["isError"]),
        (&json!(5), &json!(true)),
        "{checked}"
    );

    let published = hub.ask(
        "POST /api/publish/things/room/properties/temperature?qos=1&retain=true",
        &[],
        "17",
    );
    assert!(published.status < 300, "{}", published.body);
    let attempt = |by: i64, properties: Value| {
        let event = json!({"type": "quartet.message", "topic": "room/cold", "data": {"by": by}});
        json!({"definition": HEATER, "event": event, "properties": properties}).to_string()
    };
    let tried = asked(&hub, "POST /api/drafts/try", &attempt(2, json!({})), 200);
    assert_eq!(
        tried["would"]["did"],
        json!(["write level = 3 of heater"]),
        "{tried}"
    );
    assert_eq!(
        tried["would"]["steps"][0],
        json!({"step": "/do/0/look", "gave": 17}),
        "{tried}"
    );
    let cold = json!({"things/room": {"temperature": 5}});
    let tried = asked(&hub, "POST /api/drafts/try", &attempt(2, cold), 200);
    assert_eq!(
        tried["would"]["did"],
        json!(["write level = 15 of heater"]),
        "{tried}"
    );
    let tried = asked(&hub, "POST /api/drafts/try", &attempt(1, json!({})), 200);
    assert_eq!(
        tried["missed"][0]["values"],
        json!([".by is 1", ".by > 1 is false"]),
        "{tried}"
    );
    // What takes too long is stopped, and the next one is answered.
    let slow = HEATER.replace(
        "20 - .",
        "$workflow.input[0].data.all | . - map(. + 0.5) | length",
    );
    let all: Vec<u32> = (0..60_000).collect();
    let event =
        json!({"type": "quartet.message", "topic": "room/cold", "data": {"by": 2, "all": all}});
    let body = json!({"definition": slow, "event": event}).to_string();
    let tried = asked(&hub, "POST /api/drafts/try", &body, 200);
    let why = tried["would"]["failed"]["detail"].to_string();
    assert!(why.contains("may be computed at once"), "{tried}");
    let tried = asked(&hub, "POST /api/drafts/try", &attempt(2, json!({})), 200);
    assert_eq!(tried["would"]["did"], json!(["write level = 3 of heater"]));
    // Nothing was performed.
    let flows = asked(&hub, "GET /api/flows", "", 200);
    assert_eq!(flows, json!({"flows": []}));

    for (body, part) in [
        ("{", "definition"),
        (
            &*json!({"definition": HEATER, "event": {}}).to_string(),
            "no `type`",
        ),
        (
            &json!({"definition": wrong, "event": {"type": "a"}}).to_string(),
            "wirte",
        ),
        (
            &json!({"definition": HEATER, "event": {"type": "a"}, "at": "noon"}).to_string(),
            "2026-",
        ),
    ] {
        let answer = hub.ask("POST /api/drafts/try", &[], body);
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.body.contains(part), "{}", answer.body);
    }
}
