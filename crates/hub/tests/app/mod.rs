//! The app, as a person uses it in a real browser, with a lamp that comes over MQTT.

use std::net::TcpStream;

use serde_json::{Value, json};

use crate::{
    people::browser::{PASSWORD, Person},
    support::{Hub, Raw, wait_for},
};

const LISTENERS: [&str; 2] = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];
/// A place, perhaps in another one.
fn place(id: &str, title: &str, within: Option<&str>) -> String {
    let links =
        within.map(|place| json!({ "rel": "in", "href": format!("urn:quartet:places:{place}") }));
    json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1", "title": title, "id": format!("urn:quartet:places:{id}"),
        "securityDefinitions": { "none": { "scheme": "nosec" } }, "security": "none",
        "links": links.into_iter().collect::<Vec<_>>()
    })
    .to_string()
}

const LAMP: &str = r#"{
    "@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "Desk lamp", "id": "urn:quartet:things:lamp",
    "@type": "Light", "securityDefinitions": { "none": { "scheme": "nosec" } }, "security": "none",
    "links": [{ "rel": "in", "href": "urn:quartet:places:office" }],
    "properties": {
        "on": { "title": "On", "type": "boolean", "forms": [{ "href": "coap://lamp/on" }] },
        "level": { "title": "Level", "type": "integer", "minimum": 0, "maximum": 100, "forms": [{ "href": "coap://lamp/level" }] },
        "colour": { "title": "Colour", "type": "string", "enum": ["warm", "cold"], "forms": [{ "href": "coap://lamp/colour" }] }
    },
    "actions": { "blink": { "title": "Blink", "forms": [{ "href": "coap://lamp/blink" }] } },
    "events": { "hot": { "title": "Hot", "data": { "type": "number", "unit": "Cel" }, "forms": [{ "href": "coap://lamp/hot" }] } }
}"#;
/// What ana may: turn the lamp on and off, and let it blink. Its colour is not hers to choose.
const GUEST: &str = r#"{ "rights": [
    { "may": ["read"], "on": "*" },
    { "may": ["write"], "on": "properties/on" }, { "may": ["invoke"], "on": "actions/blink" }
]}"#;

/// A house with an office with a lamp, and ana, who is a guest in it.
fn office() -> (Hub, Raw<TcpStream>) {
    let hub = Hub::owned(&LISTENERS);
    let does = |request: &str, kind: &str, body: &str| {
        let answer = hub.ask(request, &[("content-type", kind)], body);
        assert!(
            (200..300).contains(&answer.status),
            "{request}: {}",
            answer.body
        );
        match &*answer.body {
            "" => Value::Null,
            _ => answer.json(),
        }
    };
    let td = "application/td+json";
    for (id, title, within) in [
        ("house", "House", None),
        ("office", "Office", Some("house")),
        ("shed", "Shed", None),
    ] {
        let path = format!("PUT /things/urn:quartet:places:{id}");
        does(&path, td, &place(id, title, within));
    }
    does("PUT /things/urn:quartet:things:lamp", td, LAMP);
    let json = "application/json";
    does("PUT /api/roles/guest", json, GUEST);
    let relate = |from: &str, relation: &str, to: &str| {
        let body = json!({ "relation": relation, "to": to }).to_string();
        does(&format!("PUT /api/{from}/relations"), json, &body);
    };
    relate("things/lamp", "in", "places/office");
    relate("places/office", "in", "places/house");
    let invited = does(
        "POST /api/invitations",
        json,
        r#"{ "element": "people/ana" }"#,
    );
    let claim = json!({ "code": invited["code"], "name": "Ana", "password": PASSWORD });
    does("POST /api/account/claim", json, &claim.to_string());
    relate("people/ana", "guest", "places/house");
    relate("people/ana", "guest", "places/shed");

    let issued = does("POST /api/things/lamp/credentials", json, "");
    let word = |name: &str| issued[name].as_str().unwrap().to_owned();
    let mut lamp = Raw::silent(hub.at("mqtt://"), 4);
    let connack = lamp.connect_as("lamp", (&word("user"), &word("password")), None);
    assert_eq!(connack.body[1], 0, "{connack:?}");
    lamp.subscribe("things/lamp/properties/on/write", 0);
    lamp.subscribe("things/lamp/actions/blink", 0);
    (hub, lamp)
}

/// Ana opens a page of the app, signs in where she is led, and is led back.
fn comes_in(hub: &Hub, path: &str) -> Person {
    let mut ana = Person::at(hub);
    ana.does(json!({ "do": "go", "path": path }));
    ana.is_at("/sign-in");
    ana.fills("Name", "ana");
    ana.fills("Password", PASSWORD);
    ana.presses("Sign in");
    ana.is_at(path);
    ana
}

fn turn(ana: &mut Person) {
    ana.does(json!({ "do": "turn", "switch": "On" }));
}

fn is_on(ana: &mut Person, is: bool) {
    ana.does(json!({ "do": "await switch", "switch": "On", "is": is }));
}

#[test]
fn a_tap_reaches_the_lamp_and_what_was_wanted_without_a_network_is_sent_once() {
    let (hub, mut lamp) = office();
    lamp.publish("things/lamp/properties/on", b"false");
    lamp.publish("things/lamp/properties/colour", b"\"warm\"");
    lamp.ping();
    let mut ana = comes_in(&hub, "/app/things/lamp");
    is_on(&mut ana, false);
    ana.sees("Not for you to change. The role “guest” does not allow it.");
    turn(&mut ana);
    assert_eq!(lamp.payload(), b"true");
    lamp.publish("things/lamp/properties/on", b"true");
    lamp.publish("things/lamp/events/hot", b"71");
    is_on(&mut ana, true);
    ana.sees("71 °C");

    ana.does(json!({ "do": "await kept" }));
    is_on(&mut ana, true);
    ana.does(json!({ "do": "network", "is": false }));
    ana.sees("The hub does not answer");
    turn(&mut ana);
    ana.sees("Waits on this device");
    ana.presses("Blink");
    ana.does(json!({ "do": "reload" }));
    ana.sees("2 wishes wait here and will be sent once");
    ana.sees("Waits on this device");
    assert_eq!(lamp.heard(), []);

    ana.does(json!({ "do": "network", "is": true }));
    let mut heard = Vec::new();
    wait_for("the lamp to hear both", || {
        heard.extend(lamp.heard());
        (2 <= heard.len()).then_some(())
    });
    lamp.publish("things/lamp/properties/on", b"false");
    is_on(&mut ana, false);
    heard.extend(lamp.heard());
    let said = |topic: &str, payload: &str| (format!("things/lamp/{topic}"), payload.to_owned());
    assert_eq!(
        heard,
        [
            said("properties/on/write", "false"),
            said("actions/blink", "")
        ]
    );
}

const SWITCH: &str = "\
document: { dsl: '1.0.3', namespace: office, name: switch, version: '1.0.0', title: The switch, metadata: { run: fast, grants: [{ role: operator, on: places/hub }] } }
schedule: { on: { one: { with: { type: io.ioe.thing.event, subject: switch, data: '${ .name == \"pressed\" }' } } } }
do:
  - blink: { call: invoke, with: { thing: lamp, action: blink } }
";

#[test]
fn a_flow_is_written_tried_deployed_and_runs() {
    let (hub, mut lamp) = office();
    let owner = json!({ "relation": "owner", "to": "places/hub" }).to_string();
    let related = hub.ask(
        "PUT /api/people/ana/relations",
        &[("content-type", "application/json")],
        &owner,
    );
    assert!(related.status < 300, "{}", related.body);
    let mut ana = comes_in(&hub, "/app/flows");
    ana.follows("Write a flow");
    ana.is_at("/app/flows/new");
    let definition = "Definition of the flow, as YAML";
    ana.fills(definition, &SWITCH.replace("call: invoke", "call: invok"));
    ana.sees("It cannot be deployed yet");
    ana.sees("4:20");
    ana.fills(definition, SWITCH);
    ana.sees("it can be deployed as office.switch");
    ana.presses("What would it do?");
    ana.sees("invoke blink of lamp");
    assert_eq!(lamp.heard(), []);
    ana.presses("Deploy");
    ana.is_at("/app/flows/office.switch");
    ana.sees("Runs");
    let pressed = hub.ask(
        "POST /api/publish/things/switch/events/pressed?qos=1",
        &[],
        "1",
    );
    assert!(pressed.status < 300, "{}", pressed.body);
    wait_for("the lamp to blink", || {
        let heard = lamp.heard();
        (!heard.is_empty()).then_some(heard)
    });
    ana.sees("invoke blink of lamp");
    ana.follows("Edit");
    ana.is_at("/app/flows/office.switch/edit");
    ana.sees("it can be deployed as office.switch");
}

#[test]
fn every_page_can_be_used_by_those_who_hear_it_or_see_little() {
    let (hub, mut lamp) = office();
    lamp.publish("things/lamp/properties/on", b"true");
    lamp.publish("things/lamp/properties/level", b"40");
    lamp.ping();
    let mut ana = comes_in(&hub, "/app/");
    let axe = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../web/node_modules/axe-core/axe.min.js"
    );
    for (path, shows) in [
        ("/app/", "What changed lately"),
        ("/app/places", "Shed"),
        ("/app/places/house", "Places in it"),
        ("/app/places/office", "Desk lamp"),
        ("/app/things/lamp", "What it can be asked"),
        ("/app/people/ana", "people/ana"),
        ("/app/flows", "No flows yet"),
        ("/app/flows/new", "What would it do?"),
        ("/app/set-up", "Your account"),
        ("/app/no/such/page", "There is nothing here"),
    ] {
        ana.opens(path);
        ana.sees(shows);
        for width in [390, 1440] {
            let found = ana.does(json!({ "do": "accessible", "axe": axe, "width": width }));
            assert_eq!(found, json!([]), "{path} at {width}");
        }
        assert_eq!(
            ana.does(json!({ "do": "measure" })),
            0,
            "{path} is too wide"
        );
    }
}
