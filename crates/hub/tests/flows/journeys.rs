//! What led to what: a person's tap and a flow's run, asked for by who may see all of it, a part, or nothing.

use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Answer, Hub, Raw, http, wait_for};

const FLOW: &str = "\
document: { dsl: '1.0.3', namespace: office, name: switch, version: '1.0.0', title: The switch, metadata: { run: fast, grants: [{ role: operator, on: places/hub }] } }
schedule: { on: { one: { with: { type: io.ioe.thing.event, subject: button, data: '${ .name == \"pressed\" }' } } } }
do:
  - light: { call: write, with: { thing: lamp, property: on, value: true } }
";

/// A request of whoever has this token; of the owner, if there is none.
fn ask(hub: &Hub, request: &str, token: &str, kind: &str, body: &str) -> Answer {
    if token.is_empty() {
        return hub.ask(request, &[("content-type", kind)], body);
    }
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", &*bearer), ("content-type", kind)];
    http(hub.at("http://"), request, &headers, body)
}

#[track_caller]
fn does(hub: &Hub, request: &str, token: &str, body: &Value) -> Value {
    let kind = match request.contains("urn:") {
        true => "application/td+json",
        false => "application/json",
    };
    let answer = ask(hub, request, token, kind, &body.to_string());
    assert!(
        (200..300).contains(&answer.status),
        "{request}: {}",
        answer.body
    );
    match &*answer.body {
        "" => Value::Null,
        _ => answer.json(),
    }
}

fn described(id: &str, rest: &Value) -> Value {
    let mut td = json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1", "title": id, "id": format!("urn:quartet:things:{id}"),
        "securityDefinitions": { "none": { "scheme": "nosec" } }, "security": "none",
    });
    for (member, value) in rest.as_object().expect("members") {
        td[member] = value.clone();
    }
    td
}

/// A room with a lamp, which ana may see and switch, and a button that a flow waits for, which eve may see.
struct Room {
    hub: Hub,
    lamp: Raw<TcpStream>,
    ana: String,
    eve: String,
    nobody: String,
}

fn room() -> Room {
    let hub = Hub::owned(&["mqtt://127.0.0.1:0", "http://127.0.0.1:0"]);
    let on = json!({ "properties": { "on": { "type": "boolean", "forms": [{ "href": "coap://l/on" }] } } });
    let pressed = json!({ "events": { "pressed": { "forms": [{ "href": "coap://b/p" }] } } });
    for (id, rest) in [("lamp", on), ("button", pressed)] {
        let put = format!("PUT /things/urn:quartet:things:{id}");
        does(&hub, &put, "", &described(id, &rest));
    }
    for (role, may, part, who, to) in [
        (
            "lights",
            json!(["read", "write"]),
            "properties/on",
            "ana",
            "lamp",
        ),
        (
            "buttons",
            json!(["read"]),
            "events/pressed",
            "eve",
            "button",
        ),
    ] {
        let rights = json!({ "rights": [{ "may": may, "on": part }] });
        does(&hub, &format!("PUT /api/roles/{role}"), "", &rights);
        let relation = json!({ "relation": role, "to": format!("things/{to}") });
        does(
            &hub,
            &format!("PUT /api/people/{who}/relations"),
            "",
            &relation,
        );
    }
    let token = |who: &str| {
        let issued = does(
            &hub,
            &format!("POST /api/{who}/credentials"),
            "",
            &json!({}),
        );
        issued["token"].as_str().expect("a token").to_owned()
    };
    let (ana, eve, nobody) = (
        token("people/ana"),
        token("people/eve"),
        token("people/nobody"),
    );
    let lamps = token("things/lamp");
    let deployed = ask(&hub, "POST /api/flows", "", "application/yaml", FLOW);
    assert_eq!(deployed.status, 201, "{}", deployed.body);
    let mut lamp = Raw::silent(hub.at("mqtt://"), 4);
    let (name, _) = lamps.rsplit_once('.').expect("a name");
    let connack = lamp.connect_as("lamp", (name, &lamps), None);
    assert_eq!(connack.body[1], 0);
    lamp.subscribe("things/lamp/properties/on/write", 0);
    Room {
        hub,
        lamp,
        ana,
        eve,
        nobody,
    }
}

impl Room {
    fn get(&self, path: &str, token: &str) -> Answer {
        ask(&self.hub, &format!("GET {path}"), token, "", "")
    }

    /// The journeys that somebody sees, once they are so.
    #[track_caller]
    fn journeys(&self, query: &str, token: &str, are: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        wait_for("journeys to be known", || {
            let told = self.get(&format!("/api/journeys{query}"), token).json();
            let journeys = told["journeys"].as_array().expect("a list").clone();
            are(&journeys).then_some(journeys)
        })
    }

    #[track_caller]
    fn facts(&self, event: &Value, token: &str) -> Vec<Value> {
        let event = event.as_str().expect("an event");
        let told = self.get(&format!("/api/journeys/{event}"), token);
        assert_eq!(told.status, 200, "{}", told.body);
        told.json()["facts"].as_array().expect("facts").clone()
    }
}

/// A fact in a line: who said what, or what ran.
fn line(fact: &Value) -> String {
    if fact["hidden"] == true {
        return "hidden".to_owned();
    }
    if let Some(flow) = fact["flow"].as_str() {
        return format!("{flow} did {}", fact["did"]);
    }
    let text = |member: &str| fact[member].as_str().unwrap_or_default();
    let topic = text("topic");
    let topic = topic.strip_prefix("things/").unwrap_or(topic);
    match fact["value"]["status"].as_str() {
        Some(status) => format!("{topic} {status}"),
        None => format!("{topic} {} by {}", fact["value"], text("by")),
    }
}

fn lines(facts: &[Value]) -> Vec<String> {
    facts.iter().map(line).collect()
}

#[test]
fn what_a_person_wanted_is_a_journey_until_it_is_so() {
    let mut room = room();
    does(
        &room.hub,
        "PUT /api/things/lamp/properties/on",
        &room.ana,
        &json!(true),
    );
    assert_eq!(room.lamp.payload(), b"true");
    room.lamp.publish("things/lamp/properties/on", b"true");
    room.lamp.ping();
    let whole = |all: &[Value]| all.iter().any(|one| one["count"].as_u64() >= Some(4));
    let mut seen = Vec::new();
    for token in ["", &room.ana] {
        let journeys = room.journeys("?element=things/lamp", token, whole);
        let [one] = &journeys[..] else {
            panic!("{journeys:?}");
        };
        assert_eq!(one["mix"], json!(["P2M"]), "{one}");
        assert_eq!(one["begin"]["by"], "people/ana", "{one}");
        assert_eq!(one["elements"], json!(["things/lamp"]));
        assert_eq!(one["status"], "confirmed");
        let facts = room.facts(&one["event"], token);
        let told = lines(&facts);
        assert_eq!(told[0], "lamp/properties/on/write true by people/ana");
        assert!(
            told.contains(&"lamp/properties/on/desired pending".to_owned()),
            "{told:?}"
        );
        assert_eq!(
            told.last().map(|last| &**last),
            Some("lamp/properties/on/desired confirmed")
        );
        let last = facts.last().expect("a fact");
        assert_eq!(
            last["because"], one["event"],
            "it is what became of the wish"
        );
        // Each event of it leads to the same journey.
        assert_eq!(room.facts(&last["id"], token), facts);
        seen.push(told);
    }
    assert_eq!(seen[0], seen[1], "ana sees all of it");
    for (token, path) in [
        (&room.eve, "/api/journeys"),
        (&room.nobody, "/api/journeys"),
    ] {
        assert_eq!(room.get(path, token).json()["journeys"], json!([]));
    }
}

#[test]
fn a_run_stands_between_what_started_it_and_what_it_did_and_each_sees_a_part() {
    let room = room();
    does(
        &room.hub,
        "POST /api/publish/things/button/events/pressed?qos=1",
        "",
        &json!(1),
    );
    let ran = |all: &[Value]| {
        all.iter().any(|one| {
            0 < one["flows"].as_array().map_or(0, Vec::len)
                && 4 <= one["count"].as_u64().unwrap_or(0)
        })
    };
    let journeys = room.journeys("", "", ran);
    let one = journeys
        .iter()
        .find(|one| one["begin"]["topic"] == "things/button/events/pressed");
    let one = one.expect("the journey of the button");
    assert_eq!(one["flows"], json!(["processes/office.switch"]));
    let facts = room.facts(&one["event"], "");
    let told = lines(&facts);
    assert!(
        told[0].starts_with("button/events/pressed 1 by "),
        "{told:?}"
    );
    assert_eq!(
        told[1..3],
        [
            "processes/office.switch did 1",
            "lamp/properties/on/write true by processes/office.switch"
        ],
        "{told:?}"
    );
    assert_eq!(facts[1]["because"], facts[0]["id"]);
    assert_eq!(
        facts[2]["because"], facts[1]["id"],
        "what a run says is because of the run"
    );
    // By the run itself, as a flow tells it.
    let explained = room.get("/api/flows/office.switch/explain", "").json();
    assert_eq!(room.facts(&explained["runs"][0]["run"], ""), facts);

    let of_ana = lines(&room.facts(&one["event"], &room.ana));
    assert_eq!(
        of_ana[..3],
        [
            "hidden",
            "hidden",
            "lamp/properties/on/write true by processes/office.switch"
        ]
    );
    let of_eve = lines(&room.facts(&one["event"], &room.eve));
    assert_eq!(of_eve[1..], vec!["hidden"; of_eve.len() - 1], "{of_eve:?}");
    let event = one["event"].as_str().expect("an event");
    let nobodys = room.get(&format!("/api/journeys/{event}"), &room.nobody);
    assert_eq!(nobodys.status, 404, "{}", nobodys.body);
    let eves = room.get("/api/journeys", &room.eve).body;
    assert!(
        eves.contains("button") && !eves.contains("lamp") && !eves.contains("switch"),
        "{eves}"
    );
    // What is hidden is not found by asking for it.
    let hidden = room
        .get("/api/journeys?element=things/lamp", &room.eve)
        .json();
    assert_eq!(hidden["journeys"], json!([]));
}

#[test]
fn a_question_that_is_not_understood_says_what_would_be_right() {
    let room = room();
    for (path, status, why) in [
        (
            "/api/journeys?element=lamp",
            400,
            "must be like things/lamp",
        ),
        ("/api/journeys?limit=0", 400, "limit must be between"),
        ("/api/journeys?before=now", 400, "before: "),
        ("/api/journeys/now", 400, "now"),
        (
            "/api/journeys/00000000000001-00000001",
            404,
            "nothing was let go",
        ),
    ] {
        let answer = room.get(path, "");
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.body.contains(why), "{path}: {}", answer.body);
    }
}
