use serde_json::{Value, json};

use super::{Directory, TD, anonymous, is_invalid, is_problem, story};
use crate::support::{Answer, until};

story!(elements_are_used_over_http:
    a_property_is_written_and_its_twin_says_what_became_of_it,
    a_value_that_does_not_fit_is_refused_with_its_field,
    what_was_not_seen_is_not_overwritten,
    an_action_is_asked_for_and_says_how_far_it_is,
    an_action_that_is_not_wanted_any_more_is_cancelled,
    values_are_observed_from_the_first_moment,
    what_was_refused_is_listed_with_the_reason,
);

const LAMP: &str = "/api/things/lamp";

/// A lamp that is reached through the hub only.
fn lamp(directory: &Directory) {
    let mut td = anonymous();
    td["id"] = "urn:quartet:things:lamp".into();
    let forms = json!([{ "href": "coap://lamp.example/" }]);
    td["properties"] = json!({
        "on": { "type": "boolean", "forms": forms },
        "level": { "type": "integer", "readOnly": true, "forms": forms },
    });
    td["actions"] = json!({ "fade": { "input": { "type": "integer" }, "forms": forms } });
    let path = "PUT /things/urn:quartet:things:lamp";
    let answer = directory.ask(path, &[TD], &td.to_string());
    assert!([201, 204].contains(&answer.status), "{answer:?}");
}

/// The lamp says something.
#[track_caller]
fn says(directory: &Directory, at: &str, payload: &str) {
    let request = format!("POST /api/publish/things/lamp/{at}?qos=1");
    assert_eq!(directory.ask(&request, &[], payload).status, 202);
}

fn write(directory: &Directory, name: &str, value: &str) -> Answer {
    directory.ask(&format!("PUT {LAMP}/properties/{name}"), &[], value)
}

fn a_property_is_written_and_its_twin_says_what_became_of_it(directory: &Directory) {
    lamp(directory);
    let twin = || directory.get(&format!("{LAMP}/twin")).json()["on"].clone();
    assert_eq!(twin(), json!({}));
    let answer = write(directory, "on", "true");
    assert_eq!((answer.status, &*answer.body), (204, ""));
    let desired = twin()["desired"].clone();
    assert_eq!(
        (&desired["value"], &desired["status"]),
        (&json!(true), &json!("pending"))
    );
    says(directory, "properties/on", "true");
    until("the wish is confirmed", || {
        twin()["desired"]["status"] == "confirmed"
    });
    assert_eq!(twin()["reported"]["value"], true);
}

fn a_value_that_does_not_fit_is_refused_with_its_field(directory: &Directory) {
    lamp(directory);
    assert_eq!(
        is_invalid(&write(directory, "level", "5"), "read"),
        ["properties.level"]
    );
    is_invalid(&write(directory, "on", "5"), "boolean");
    is_invalid(&write(directory, "on", "tru"), "JSON");
    is_invalid(&write(directory, "off", "true"), "properties.off");
    let path = "PUT /api/things/nobody/properties/on";
    is_problem(&directory.ask(path, &[], "true"), 404);
    let several = directory.ask(
        &format!("PUT {LAMP}/properties"),
        &[],
        r#"{"on":1,"level":2}"#,
    );
    assert_eq!(is_invalid(&several, "level").len(), 2);
}

fn what_was_not_seen_is_not_overwritten(directory: &Directory) {
    lamp(directory);
    says(directory, "properties/on", "false");
    let property = format!("{LAMP}/properties/on");
    let seen = directory.get(&property).headers["etag"].clone();
    let write = |etag: &str, value: &str| {
        directory.ask(&format!("PUT {property}"), &[("if-match", etag)], value)
    };
    is_problem(&write("\"other\"", "true"), 412);
    assert_eq!(write(&seen, "true").status, 204);
    is_problem(&write(&seen, "false"), 412);
    is_problem(&write("other", "false"), 400);
}

/// Asks the lamp to fade; where it says what becomes of it.
#[track_caller]
fn fade(directory: &Directory) -> String {
    let answer = directory.ask(&format!("POST {LAMP}/actions/fade"), &[], "20");
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (201, &json!("pending"))
    );
    let location = answer.headers["location"].clone();
    assert!(location.starts_with(&format!("{LAMP}/actions/fade/")));
    assert_eq!(answer.json()["href"], *location);
    location
}

fn an_action_is_asked_for_and_says_how_far_it_is(directory: &Directory) {
    lamp(directory);
    is_invalid(
        &directory.ask(&format!("POST {LAMP}/actions/fade"), &[], "\"x\""),
        "integer",
    );
    let location = fade(directory);
    let status = || directory.get(&location).json();
    let topic = location.strip_prefix("/api/things/lamp/").unwrap();
    for (said, expected) in [
        (r#"{"status":"running"}"#, "running"),
        (r#"{"status":"completed","output":3}"#, "completed"),
    ] {
        says(directory, topic, said);
        assert_eq!(status()["status"], expected);
    }
    assert_eq!(status()["output"], 3);
    let all = directory.get(&format!("{LAMP}/actions")).json();
    assert_eq!(all["fade"][0]["href"], *location);
}

fn an_action_that_is_not_wanted_any_more_is_cancelled(directory: &Directory) {
    lamp(directory);
    let location = fade(directory);
    let cancel = || directory.ask(&format!("DELETE {location}"), &[], "");
    assert_eq!(cancel().status, 204);
    assert_eq!(directory.get(&location).json()["status"], "cancelled");
    is_problem(&cancel(), 409);
    is_problem(&directory.get(&format!("{LAMP}/actions/fade/nothing")), 404);
}

fn values_are_observed_from_the_first_moment(directory: &Directory) {
    lamp(directory);
    let mut values = directory.events(&format!("{LAMP}/properties/level/observe"));
    for level in 0..3 {
        says(directory, "properties/level", &level.to_string());
        assert_eq!(values.next().data, level);
    }
    let mut again = directory.events(&format!("{LAMP}/properties/level/observe"));
    assert_eq!(again.next().data, 2, "the last value comes first");
    let path = "/api/things/nobody/properties/level/observe";
    is_problem(&directory.get(path), 404);
}

fn what_was_refused_is_listed_with_the_reason(directory: &Directory) {
    lamp(directory);
    says(directory, "properties/on/write", "\"dim\"");
    let refused = directory.get("/api/refused").json();
    let mut all = refused["refused"].as_array().unwrap().iter();
    let is_it = |one: &&Value| one["topic"] == "things/lamp/properties/on/write";
    let one = all.find(is_it).unwrap();
    assert_eq!(one["payload"], "\"dim\"");
    assert!(
        one["problems"][0]["description"]
            .as_str()
            .unwrap()
            .contains("boolean")
    );
}
