//! What an element reported lately, as it is asked for.

use serde_json::{Value, json};

use crate::support::{Answer, Hub, http, wait_for};

const TD: &str = r#"{
    "@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "Sensor", "id": "urn:quartet:things:sensor",
    "securityDefinitions": { "none": { "scheme": "nosec" } }, "security": "none",
    "properties": {
        "temperature": { "type": "number", "forms": [{ "href": "coap://s/t" }] },
        "state": { "type": "object", "forms": [{ "href": "coap://s/s" }] }
    }
}"#;

const TEMPERATURE: &str = "/api/things/sensor/properties/temperature/values";

fn ask(hub: &Hub, request: &str, body: &str) -> Answer {
    let kind = [("content-type", "application/td+json")];
    http(hub.at("http://"), request, &kind, body)
}

fn with_sensor() -> Hub {
    let hub = Hub::start(&["http://127.0.0.1:0"]);
    let made = ask(&hub, "PUT /things/urn:quartet:things:sensor", TD);
    assert_eq!(made.status, 201, "{}", made.body);
    hub
}

#[track_caller]
fn report(hub: &Hub, name: &str, value: &Value) {
    let publish = format!("POST /api/publish/things/sensor/properties/{name}?qos=1&retain=true");
    let answer = http(hub.at("http://"), &publish, &[], &value.to_string());
    assert_eq!(answer.status, 202, "{}", answer.body);
}

#[track_caller]
fn get(hub: &Hub, path: &str) -> Value {
    let answer = ask(hub, &format!("GET {path}"), "");
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

#[track_caller]
fn refuses(hub: &Hub, path: &str, status: u16, why: &str) {
    let answer = ask(hub, &format!("GET {path}"), "");
    assert_eq!(answer.status, status, "{path}: {}", answer.body);
    assert!(answer.body.contains(why), "{path}: {}", answer.body);
}

#[test]
fn how_a_value_came_about_is_told_one_by_one_and_in_parts() {
    let hub = with_sensor();
    refuses(
        &hub,
        TEMPERATURE,
        404,
        "no values of `temperature` of things/sensor",
    );
    for value in [20.5, 21.5, 19.5, 20.25] {
        report(&hub, "temperature", &json!(value));
    }
    let told = get(&hub, TEMPERATURE);
    assert_eq!(told["value"], json!([20.5, 21.5, 19.5, 20.25]));
    assert_eq!(told["count"], 4);
    let at: Vec<f64> = serde_json::from_value(told["at"].clone()).unwrap();
    assert!(at.is_sorted(), "{told}");
    let parts = get(&hub, &format!("{TEMPERATURE}?points=1"));
    let of = |name: &str| parts[name][0].clone();
    assert_eq!(parts["at"].as_array().map(Vec::len), Some(1), "{parts}");
    assert_eq!((of("counts"), of("last")), (json!(4), json!(20.25)));
    assert_eq!(
        (of("min"), of("max"), of("avg")),
        (json!(19.5), json!(21.5), json!(20.4375))
    );
    // Of what was before, the last is told: a line begins with it.
    let later = get(
        &hub,
        &format!("{TEMPERATURE}?from=2100-01-01T00:00:00Z&to=2100-01-02T00:00:00Z"),
    );
    assert_eq!(
        (&later["count"], &later["before"]["value"]),
        (&json!(0), &json!(20.25))
    );
}

#[test]
fn members_have_values_of_their_own_and_a_mistake_is_told_which_there_are() {
    let hub = with_sensor();
    report(
        &hub,
        "state",
        &json!({ "power": 12, "color": { "x": 0.3 }, "on": true }),
    );
    report(
        &hub,
        "state",
        &json!({ "power": 14, "color": { "x": 0.3 }, "on": false }),
    );
    let state = "/api/things/sensor/properties/state/values";
    assert_eq!(
        get(&hub, &format!("{state}?field=/power"))["value"],
        json!([12, 14])
    );
    assert_eq!(
        get(&hub, &format!("{state}?field=/on"))["value"],
        json!([true, false])
    );
    refuses(&hub, state, 404, "/power");
    refuses(
        &hub,
        &format!("{state}?field=/watt"),
        404,
        "no values of /watt of `state`",
    );
    refuses(
        &hub,
        &format!("{state}?points=0"),
        400,
        "points is 0; must be 1 to 2000",
    );
    refuses(&hub, &format!("{state}?pionts=5"), 400, "pionts");
    refuses(
        &hub,
        "/api/things/nobody/properties/state/values",
        404,
        "things/nobody",
    );
}

#[test]
fn after_a_restart_values_begin_with_what_is_there_and_what_is_forgotten_has_none() {
    let mut hub = with_sensor();
    report(&hub, "temperature", &json!(20));
    report(&hub, "temperature", &json!(21));
    hub.die_and_begin_again();
    // What was on its way when it died is reported again, so one more may be known.
    let values = |hub: &Hub| match get(hub, TEMPERATURE)["value"].clone() {
        Value::Array(values) => values,
        told => panic!("{told}"),
    };
    assert_eq!(values(&hub).last(), Some(&json!(21)));
    report(&hub, "temperature", &json!(22));
    assert!(values(&hub).ends_with(&[json!(21), json!(22)]));
    let gone = ask(&hub, "DELETE /things/urn:quartet:things:sensor", "");
    assert_eq!(gone.status, 204, "{}", gone.body);
    wait_for("the values to go", || {
        let answer = ask(&hub, &format!("GET {TEMPERATURE}"), "");
        (answer.status == 404).then_some(())
    });
}
