use super::*;
use crate::td::{Description, Interner};

#[track_caller]
fn check(rule: Value, topic: &str, payload: &str, key: &str, expected: &[(Role, Value)]) -> Value {
    let rule = Rule::parse(&rule).unwrap();
    let mapped = rule.preview(topic, payload.as_bytes()).unwrap();
    assert_eq!(mapped.announcement.key, key);
    let values: Vec<(Role, Value)> = mapped
        .values
        .into_iter()
        .map(|(role, reading)| (role, reading.value))
        .collect();
    assert_eq!(values, expected);
    let description = mapped.announcement.description.unwrap();
    let valid = Description::parse(description.to_string(), &mut Interner::default());
    assert!(valid.is_ok(), "{}", valid.unwrap_err());
    description
}

#[track_caller]
fn check_unmapped(rule: Value, topic: &str, payload: &str, expected: &str) {
    let rule = Rule::parse(&rule).unwrap();
    let unmapped = rule.preview(topic, payload.as_bytes()).unwrap_err();
    assert_eq!(unmapped.to_string(), expected);
}

fn property(name: &str) -> Role {
    Role::Property(name.into())
}

#[test]
fn levels_say_which_property_of_which_element() {
    let rule = json!({
        "name": "r", "topic": "sensors/{id}/{property}", "key": "things/{id}",
        "title": "Sensor {id}", "property": "{property}", "contentType": "text/plain",
        "schema": { "unit": "°C" }, "set": "sensors/{id}/{property}/set",
    });
    let topic = "sensors/living room/temp";
    let td = check(
        rule,
        topic,
        "21",
        "things/living-room",
        &[(property("temp"), json!(21))],
    );
    assert_eq!(td["title"], "Sensor living room");
    let temp = &td["properties"]["temp"];
    assert_eq!(
        (&temp["type"], &temp["unit"]),
        (&json!("number"), &json!("Cel"))
    );
    assert_eq!(
        temp["forms"][1]["href"],
        "mqtt:///sensors/living%20room/temp/set"
    );
    assert_eq!(super::super::native::native_forms(&td).0.len(), 2);
}

#[test]
fn without_a_property_each_member_is_one() {
    let rule = json!({ "name": "r", "topic": "s/{id}/#", "key": "things/{id}" });
    check(
        rule,
        "s/a/b/c",
        r#"{"t":21.5,"open":true,"x y":{"z":1},"none":null}"#,
        "things/a",
        &[
            (property("open"), json!(true)),
            (property("t"), json!(21.5)),
            (property("x-y"), json!({ "z": 1 })),
        ],
    );
}

#[test]
fn each_record_of_senml_is_a_property() {
    let rule = json!({
        "name": "r", "topic": "senml/{id}", "key": "things/{id}",
        "contentType": "application/senml+json",
    });
    let pack = r#"[{"bn":"urn:dev:a:","n":"t","v":21.5,"u":"Cel"},{"n":"open","vb":true}]"#;
    let values = [
        (property("t"), json!(21.5)),
        (property("open"), json!(true)),
    ];
    let td = check(rule, "senml/a", pack, "things/a", &values);
    assert_eq!(td["properties"]["t"]["unit"], "Cel");
}

#[test]
fn payloads_may_be_events() {
    let rule = json!({
        "name": "r", "topic": "door/{id}/bell", "key": "things/{id}", "event": "bell",
        "quartet:path": "/who",
    });
    let event = Role::Event("bell".into());
    let td = check(
        rule,
        "door/a/bell",
        r#"{"who":"Ada"}"#,
        "things/a",
        &[(event, json!("Ada"))],
    );
    assert_eq!(td["events"]["bell"]["data"]["type"], "string");
}

#[test]
fn what_is_not_mapped_says_why() {
    let rule = json!({
        "name": "r", "topic": "s/{id}", "key": "things/{id}", "property": "t", "quartet:path": "/t",
        "schema": { "type": "number" },
    });
    check_unmapped(
        rule.clone(),
        "x/a",
        "{}",
        "the topic is not what the rule is about",
    );
    check_unmapped(rule.clone(), "s/a", "{}", "the payload has no value there");
    check_unmapped(
        rule,
        "s/a",
        r#"{"t":"warm"}"#,
        "the payload says \"warm\"; must be a number",
    );
}

#[test]
fn what_is_no_rule_says_why() {
    let fields = |rule: Value| -> Vec<String> {
        let problems = Rule::parse(&rule).unwrap_err();
        problems.into_iter().map(|problem| problem.field).collect()
    };
    assert_eq!(fields(json!({})), ["name", "topic", "key"]);
    let rule = |member: &str, value: Value| {
        let mut rule = json!({ "name": "r", "topic": "s/{id}", "key": "things/{id}" });
        rule[member] = value;
        rule
    };
    assert_eq!(fields(rule("topic", json!("s/a{id}"))), ["topic"]);
    assert_eq!(fields(rule("topic", json!("{id}/{id}"))), ["topic"]);
    assert_eq!(fields(rule("key", json!("things/{name}"))), ["key"]);
    assert_eq!(fields(rule("quartet:path", json!("/t"))), ["quartet:path"]);
    assert_eq!(fields(rule("contentType", json!("a/b"))), ["contentType"]);
    assert_eq!(
        Rule::parse(&rule("title", json!("T"))).unwrap().filter(),
        "s/+"
    );
}
