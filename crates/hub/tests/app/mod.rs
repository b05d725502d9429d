//! The app, as a person uses it in a real browser, with a lamp that comes over MQTT.

mod killed;
mod office;
mod pictures;
mod plans;

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
    let (hub, (user, password)) = house();
    let mut lamp = Raw::silent(hub.at("mqtt://"), 4);
    let connack = lamp.connect_as("lamp", (&user, &password), None);
    assert_eq!(connack.body[1], 0, "{connack:?}");
    lamp.subscribe("things/lamp/properties/on/write", 0);
    lamp.subscribe("things/lamp/actions/blink", 0);
    (hub, lamp)
}

/// The same before the lamp is there, and its user name and password.
fn house() -> (Hub, (String, String)) {
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
    (hub, (word("user"), word("password")))
}

/// Ana becomes an owner of the hub.
fn looks_after(hub: &Hub) {
    let owner = json!({ "relation": "owner", "to": "places/hub" }).to_string();
    let related = hub.ask(
        "PUT /api/people/ana/relations",
        &[("content-type", "application/json")],
        &owner,
    );
    assert!(related.status < 300, "{}", related.body);
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

/// A text that a page shows to be copied.
fn told(person: &mut Person, what: &str) -> String {
    let text = person.does(json!({ "do": "copy", "what": what }));
    text.as_str().expect("a text").to_owned()
}

/// Nothing on a page keeps anybody from using it, on a phone in the dark or a desktop in the light, and it is
/// not too wide.
#[track_caller]
fn is_accessible(person: &mut Person, page: &str) {
    let axe = "../web/node_modules/axe-core/axe.min.js";
    for (width, dark) in [(390, true), (1440, false)] {
        let looked = json!({ "do": "accessible", "axe": axe, "width": width, "dark": dark });
        let found = person.does(looked);
        assert_eq!(found, json!([]), "{page} at {width}");
    }
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
    lamp.publish("things/lamp/properties/level", b"40");
    lamp.publish("things/lamp/properties/level", b"55");
    lamp.ping();
    let mut ana = comes_in(&hub, "/app/things/lamp");
    is_on(&mut ana, false);
    ana.sees("Not for you to change. The role “guest” does not allow it; ask owner.");
    // Also what was before the page was opened.
    ana.sees("From 40 to 55; 40 at first, 55 now. Known since");
    let pointed = ana.does(json!({ "do": "point", "chart": "Level in the last 10 minutes" }));
    let pointed = pointed.as_str().expect("a text");
    assert!(pointed.starts_with("55"), "{pointed}");
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
    ana.sees("2 wishes wait here");
    ana.does(json!({ "do": "reload" }));
    ana.sees("2 wishes wait here and will be sent once");
    ana.sees("House"); // Where it is is known, too.
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
    looks_after(&hub);
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
    ana.follows("pressed of switch");
    ana.sees("A flow ran");
    ana.sees("Desk lamp is asked: Blink");
    is_accessible(&mut ana, "a journey");
    ana.opens("/app/journeys");
    ana.sees("Pressed of switch");
    is_accessible(&mut ana, "journeys");
    ana.opens("/app/flows/office.switch");
    is_accessible(&mut ana, "a flow that ran");
    ana.follows("Edit");
    ana.is_at("/app/flows/office.switch/edit");
    ana.sees("it can be deployed as office.switch");
}

#[test]
fn a_thing_a_person_and_a_right_are_set_up_by_forms_and_seen_to_work() {
    let (hub, mut lamp) = office();
    looks_after(&hub);
    let mut ana = comes_in(&hub, "/app/set-up");
    let pick = |field: &str, text: &str| json!({ "do": "pick", "field": field, "text": text });
    let choose =
        |field: &str, option: &str| json!({ "do": "choose", "field": field, "option": option });

    // A thing gets a password; the page sees it knock with a wrong one, come in, and speak.
    ana.opens("/app/set-up/connect/new");
    ana.fills("What is it called?", "Fridge");
    ana.does(pick("Where is it? (may be left out)", "off"));
    ana.presses("Make its password");
    ana.sees("Waiting for its first message");
    let user = told(&mut ana, "User name");
    let password = told(&mut ana, "Password");
    let knocks = |password: &str| {
        let mut fridge = Raw::silent(hub.at("mqtt://"), 4);
        let connack = fridge.connect_as("fridge", (&user, password), None);
        (connack.body[1], fridge)
    };
    assert_ne!(knocks("nonsense").0, 0);
    ana.sees("It knocked, and was not let in");
    let (refused, mut fridge) = knocks(&password);
    assert_eq!(refused, 0);
    fridge.publish("things/fridge/properties/temperature", b"4.5");
    ana.sees("It works: this is what it says");
    ana.sees("4.5");
    ana.follows("Show its page");
    ana.presses("Edit");
    ana.fills("Name", "Fridge of the office");
    ana.presses("Save");
    ana.sees("Fridge of the office");

    // A person comes in by the link, in a browser of its own.
    ana.opens("/app/set-up/person");
    ana.fills("Name", "Bob Ito");
    ana.presses("Make the invitation");
    ana.sees("Waiting for Bob to sign in");
    let link = told(&mut ana, "The link");
    let mut bob = Person::at(&hub);
    bob.opens(&link[link.find("/start#").unwrap()..]);
    bob.sees("You were invited.");
    bob.fills("Your name", "Bob Ito");
    bob.fills("Password", PASSWORD);
    bob.presses("Create my account");
    bob.is_at("/app/");
    ana.sees("Bob has signed in");

    // What was granted holds, and is no more than that.
    ana.opens("/app/set-up/right");
    ana.does(pick("Who", "bob"));
    ana.does(choose("Is", "Guest"));
    ana.does(pick("Of", "house"));
    ana.sees("No, Bob Ito may not set on");
    ana.presses("Grant it");
    ana.sees("Yes, now: Bob Ito may set on");
    lamp.publish("things/lamp/properties/on", b"false");
    bob.opens("/app/things/lamp");
    is_on(&mut bob, false);
    turn(&mut bob);
    assert_eq!(lamp.payload(), b"true");
    bob.opens("/app/set-up/person");
    bob.sees("This is for those who look after the hub.");

    // All of it is in the audit record, in words.
    ana.opens("/app/security/audit");
    ana.sees("said that Bob Ito is guest of House");
    ana.sees("made a password for Fridge of the office");
}

#[test]
fn what_was_typed_stays_when_a_sign_in_is_over() {
    let (hub, _) = office();
    looks_after(&hub);
    let mut ana = comes_in(&hub, "/app/set-up/place");
    ana.fills("What is it called?", "Cellar");
    ana.does(json!({ "do": "forget" }));
    ana.presses("Add it");
    ana.sees("Your sign-in is over: sign in, and do it again");
    let fields = json!({ "Name": "ana", "Password": PASSWORD });
    ana.does(json!({ "do": "beside", "button": "Sign in", "fields": fields, "press": "Sign in" }));
    ana.does(json!({ "do": "gone", "text": "What you typed stays here" }));
    ana.presses("Add it");
    ana.sees("The place is there");
    let made = hub.ask("GET /things/urn:quartet:places:cellar", &[], "");
    assert_eq!(made.status, 200, "{}", made.body);
}

#[test]
fn what_is_heard_already_becomes_a_thing_by_a_rule() {
    let (hub, _lamp) = office();
    looks_after(&hub);
    let says = |payload: &str| {
        let said = hub.ask("POST /api/publish/cellar/probe/temp?qos=1", &[], payload);
        assert!(said.status < 300, "{}", said.body);
    };
    says("7.5");
    let mut ana = comes_in(&hub, "/app/set-up/connect/heard");
    ana.presses("Make a thing of it");
    ana.fills("In which unit (may be left out)", "°C");
    ana.sees("7.5 °C");
    ana.presses("Make it a thing");
    ana.sees("Waiting for the next message");
    says("8.5");
    ana.sees("It works: this is what it says");
    ana.sees("8.5");
}

#[test]
fn a_floor_plan_is_drawn_and_switches_the_lamp() {
    let (hub, mut lamp) = office();
    looks_after(&hub);
    lamp.publish("things/lamp/properties/on", b"false");
    lamp.ping();
    let mut ana = comes_in(&hub, "/app/places/office");
    ana.presses("Draw a plan");
    ana.sees("Drag an area to move it");
    ana.presses("Save");
    ana.sees("Change the plan");
    ana.does(json!({ "do": "turn", "switch": "Desk lamp" }));
    assert_eq!(lamp.payload(), b"true");
    lamp.publish("things/lamp/properties/on", b"true");
    ana.does(json!({ "do": "await switch", "switch": "Desk lamp", "is": true }));
    ana.opens("/app/places");
    ana.does(json!({ "do": "await switch", "switch": "Desk lamp", "is": true }));
}

#[test]
fn this_device_says_what_its_holder_chose_until_it_is_stopped() {
    let (hub, _lamp) = office();
    looks_after(&hub);
    let mut ana = comes_in(&hub, "/app/set-up/this-phone");
    ana.fills("What is it called?", "Laptop of Ana");
    ana.presses("Start sending");
    ana.sees("It is sending");
    let key = wait_for("the device to be there", || {
        let found = hub.ask("GET /api/elements?text=Laptop&state=online", &[], "");
        let key = found.json()["elements"][0]["address"].clone();
        key.as_str().map(str::to_owned)
    });
    let battery = hub.ask(&format!("GET /api/{key}/properties/battery"), &[], "");
    assert!(battery.json().is_number(), "{}", battery.body);
    ana.presses("Stop");
    ana.sees("Start sending");
    let gone = || hub.ask(&format!("GET /api/{key}/properties/connectivity"), &[], "");
    wait_for("the device to be away", || {
        (gone().json()["state"] != "online").then_some(())
    });
}

#[test]
fn a_keyboard_is_enough_to_come_in_find_the_lamp_and_switch_it() {
    let (hub, mut lamp) = office();
    lamp.publish("things/lamp/properties/on", b"false");
    lamp.ping();
    let mut ana = Person::at(&hub);
    ana.does(json!({ "do": "go", "path": "/app/places" }));
    ana.is_at("/sign-in");
    for (field, text) in [("Name", "ana"), ("Password", PASSWORD)] {
        ana.does(json!({ "do": "tab to", "name": field }));
        ana.does(json!({ "do": "type", "text": text }));
    }
    ana.does(json!({ "do": "key", "key": "Enter" }));
    ana.is_at("/app/places");
    ana.sees("Office");
    ana.does(json!({ "do": "tab to", "name": "Office" }));
    ana.does(json!({ "do": "key", "key": "Enter" }));
    ana.is_at("/app/places/office");
    ana.does(json!({ "do": "await switch", "switch": "Desk lamp: On", "is": false }));
    ana.does(json!({ "do": "tab to", "name": "Desk lamp: On" }));
    ana.does(json!({ "do": "key", "key": "Space" }));
    assert_eq!(lamp.payload(), b"true");
}

#[test]
fn every_page_can_be_used_by_those_who_hear_it_or_see_little() {
    let (hub, mut lamp) = office();
    lamp.publish("things/lamp/properties/on", b"true");
    lamp.publish("things/lamp/properties/level", b"40");
    lamp.ping();
    looks_after(&hub);
    let mut ana = comes_in(&hub, "/app/");
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
        ("/app/set-up/connect", "Which of these is it?"),
        ("/app/set-up/connect/heard", "Nothing is heard"),
        ("/app/set-up/connect/new", "Make its password"),
        ("/app/set-up/connect/code", "Make its code"),
        ("/app/set-up/connect/dialect", "Zigbee2MQTT"),
        ("/app/set-up/place", "Add it"),
        ("/app/set-up/person", "Make the invitation"),
        ("/app/set-up/team", "Add it"),
        ("/app/set-up/right", "Grant it"),
        ("/app/set-up/role", "Roles that there are"),
        ("/app/set-up/this-phone", "Start sending"),
        ("/app/set-up/scenario", "How fast its clock goes"),
        ("/app/security", "Where you are signed in"),
        ("/app/security/audit", "said that"),
        ("/app/journeys", "Nothing led to anything yet"),
        ("/app/no/such/page", "There is nothing here"),
    ] {
        ana.opens(path);
        ana.sees(shows);
        is_accessible(&mut ana, path);
    }
}
