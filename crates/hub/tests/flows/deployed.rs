//! What a hub runs: deployed, listed, changed and taken back by its owner; and why not.

use std::fs;

use base64::{Engine as _, prelude::BASE64_STANDARD as STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Hub, http, quartet, until, wait_for};

use super::says;

const LISTENERS: [&str; 2] = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];

/// `quartet flow …` as the owner of a hub.
fn flow(hub: &Hub, arguments: &[&str]) -> (bool, String) {
    says(
        quartet()
            .args(arguments)
            .env("QUARTET_HUB", format!("http://{}", hub.at("http://")))
            .env("QUARTET_TOKEN", hub.owner()),
        "",
    )
}

/// A fast flow `test.{name}`.
fn definition(name: &str, metadata: &str, with: &str, tasks: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0', metadata: {{ run: fast{metadata} }} }}\n\
         schedule: {{ on: {{ one: {{ with: {{ {with} }} }} }} }}\n\
         do:\n{tasks}"
    )
}

/// What all that follows may.
const MAY: &str = ", grants: [{ role: operator, on: places/hub }]";
const SAY: &str = "  - say: { emit: { event: { with: { type: test.said, data: 1 } } } }\n";

#[track_caller]
fn deploy(hub: &Hub, text: &str) -> Value {
    let answer = hub.ask("POST /api/flows", &[], text);
    assert!(
        matches!(answer.status, 200 | 201),
        "{}: {text}",
        answer.body
    );
    answer.json()
}

#[track_caller]
fn publish(hub: &Hub, topic: &str, payload: &str) {
    let answer = hub.ask(&format!("POST /api/publish/{topic}?qos=1"), &[], payload);
    assert!(answer.status < 300, "{}", answer.body);
}

#[track_caller]
fn describe(hub: &Hub, thing: &str) {
    let forms = json!([{ "href": "coap://thing.example/" }]);
    let td = json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "id": format!("urn:quartet:things:{thing}"),
        "title": thing,
        "securityDefinitions": { "none": { "scheme": "nosec" } },
        "security": "none",
        "properties": { "on": { "type": "boolean", "forms": forms } },
        "actions": { "toggle": { "forms": forms } },
        "events": { "pressed": { "forms": forms } },
    });
    let json = ("content-type", "application/td+json");
    let answer = hub.ask(
        &format!("PUT /things/urn:quartet:things:{thing}"),
        &[json],
        &td.to_string(),
    );
    assert!(answer.status < 300, "{}", answer.body);
}

fn explained(hub: &Hub, name: &str) -> Value {
    let answer = hub.ask(&format!("GET /api/flows/{name}/explain"), &[], "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

#[test]
fn a_flow_is_deployed_listed_explained_and_taken_back() {
    let hub = Hub::owned(&LISTENERS);
    describe(&hub, "lamp");
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("switch.yaml");
    let text = definition(
        "switch",
        MAY,
        "type: io.ioe.thing.event, subject: switch, data: '${ .name == \"pressed\" }'",
        "  - toggle: { call: invoke, with: { thing: lamp, action: toggle } }\n",
    );
    fs::write(&file, &text).unwrap();
    let file = file.to_str().unwrap();
    let (is_good, said) = flow(&hub, &["flow", "list"]);
    assert!(
        is_good && said.contains("There are no flows here"),
        "{said}"
    );
    let (is_good, said) = flow(&hub, &["flow", "deploy", file]);
    assert!(
        is_good && said.contains("test.switch is deployed") && said.contains("people/owner"),
        "{said}"
    );
    publish(&hub, "things/switch/events/pressed", "1");
    let told = wait_for("the run", || {
        let told = explained(&hub, "test.switch");
        (told["counts"]["runs"] == 1).then_some(told)
    });
    assert_eq!(told["runs"][0]["did"][0], "invoke toggle of lamp");
    // The lamp may live on another lane, which is told of it when the run is over.
    until("what the lamp is asked", || {
        let asked = hub.ask("GET /api/things/lamp/actions", &[], "");
        asked.body.contains("processes/test.switch")
    });
    publish(&hub, "things/switch/events/held", "1");
    let (_, said) = flow(&hub, &["explain", "test.switch"]);
    assert!(said.contains(".name is \"held\""), "{said}");
    assert!(said.contains("-> invoke toggle of lamp"), "{said}");
    let (_, said) = flow(&hub, &["flow", "show", "test.switch"]);
    assert_eq!(said, text);
    let (_, said) = flow(&hub, &["flow", "disable", "test.switch"]);
    assert_eq!(said, "test.switch is disabled\n");
    publish(&hub, "things/switch/events/pressed", "1");
    let (_, said) = flow(&hub, &["flow", "list"]);
    let row = said.lines().nth(1).unwrap_or_default();
    assert!(
        row.starts_with("test.switch  disabled  1     0       1"),
        "{said}"
    );
    let (_, said) = flow(&hub, &["flow", "enable", "test.switch"]);
    assert_eq!(said, "test.switch is enabled\n");
    // It is an element like any other.
    let element = hub.ask("GET /api/processes/test.switch", &[], "").json();
    assert_eq!(element["title"], "switch");
    let relations = hub.ask("GET /api/processes/test.switch/relations", &[], "");
    assert!(relations.body.contains("operator"), "{}", relations.body);
    let (_, said) = flow(&hub, &["flow", "remove", "test.switch"]);
    assert_eq!(said, "test.switch is gone\n");
    let (is_good, said) = flow(&hub, &["explain", "test.switch"]);
    assert!(!is_good && said.contains("there is no flow"), "{said}");
    let relations = hub.ask("GET /api/processes/test.switch/relations", &[], "");
    assert!(!relations.body.contains("operator"), "{}", relations.body);
}

#[test]
fn a_switch_that_is_pressed_twice_before_the_lamp_answers_wants_it_as_it_was() {
    let hub = Hub::owned(&LISTENERS);
    let lamps = ["lamp-1", "lamp-2", "lamp-3", "lamp-4"]; // on whichever lane
    for lamp in lamps {
        describe(&hub, lamp);
    }
    let tasks = "  - is: { call: read, with: { things: [lamp-1, lamp-2, lamp-3, lamp-4], property: on, desired: true } }\n  \
         - switch: { call: write, with: { things: [lamp-1, lamp-2, lamp-3, lamp-4], property: on, value: '${ any(. == true) | not }' } }\n";
    let with = "type: io.ioe.thing.event, subject: switch, data: '${ .name == \"pressed\" }'";
    deploy(&hub, &definition("switch", MAY, with, tasks));
    for wanted in [true, false, true] {
        publish(&hub, "things/switch/events/pressed", "1");
        for lamp in lamps {
            until("what is wanted of the lamp", || {
                let twin = hub.ask(&format!("GET /api/things/{lamp}/twin"), &[], "");
                let desired = &twin.json()["on"]["desired"];
                desired["status"] == "pending" && desired["value"] == wanted
            });
        }
    }
}

#[test]
fn an_element_tells_which_signals_are_about_it() {
    let hub = Hub::owned(&LISTENERS);
    describe(&hub, "lamp");
    let signals = "signals:\n  \
         dark: { of: lamp, expr: .on == false, title: It is dark }\n  \
         lamp.bright: { of: 'la*', expr: .on == true }\n  \
         elsewhere: { of: lantern, expr: .on == true }\n";
    let defined = hub.ask("POST /api/signals", &[], signals);
    assert_eq!(defined.status, 200, "{}", defined.body);
    publish(&hub, "things/lamp/properties/on", "true");
    let told =
        |name: &str, title: &str, on: bool| json!({ "name": name, "title": title, "on": on });
    let expected = [
        told("dark", "It is dark", false),
        told("lamp.bright", "lamp.bright", true),
    ];
    until("the lamp to be known as bright", || {
        let about = hub.ask("GET /api/things/lamp/signals", &[], "").json();
        about["signals"] == json!(expected)
    });
    let nothing = hub.ask("GET /api/things/lantern/signals", &[], "");
    assert_eq!(nothing.status, 404, "{}", nothing.body);
}

#[test]
fn what_a_flow_says_of_a_thing_is_no_sign_of_life() {
    let hub = Hub::owned(&LISTENERS);
    describe(&hub, "lamp");
    let role = json!({ "rights": [{ "may": ["report"], "on": "properties/on" }] });
    let made = hub.ask("PUT /api/roles/speaker", &[], &role.to_string());
    assert_eq!(made.status, 204, "{}", made.body);
    let speaks =
        ", grants: [{ role: operator, on: places/hub }, { role: speaker, on: places/hub }]";
    let say = "  - say: { emit: { event: { with: { type: test.on, topic: things/lamp/properties/on, data: true } } } }\n";
    deploy(&hub, &definition("says", speaks, "topic: a", say));
    publish(&hub, "a", "1");
    let twin = || hub.ask("GET /api/things/lamp/twin", &[], "").json();
    until("what the flow says", || {
        twin()["on"]["reported"]["value"] == true
    });
    let state = twin()["connectivity"]["reported"]["value"]["state"].clone();
    assert_ne!(state, "online");
    publish(&hub, "things/lamp/properties/on", "false");
    until("the lamp itself", || {
        twin()["connectivity"]["reported"]["value"]["state"] == "online"
    });
}

#[test]
fn what_cannot_be_used_is_refused_with_the_place_of_each_mistake() {
    let hub = Hub::owned(&LISTENERS);
    describe(&hub, "lamp");
    let refused = |text: &str, words: &[&str]| {
        let answer = hub.ask("POST /api/flows", &[], text);
        assert!(
            (400..500).contains(&answer.status),
            "{text}: {}",
            answer.body
        );
        for word in words {
            assert!(answer.body.contains(word), "{word}: {}", answer.body);
        }
    };
    let good = definition("good", MAY, "topic: a", SAY);
    refused(&good.replace("  - say", "   - say:\n - x"), &["5:2"]);
    refused(&good.replace("emit:", "emti:"), &["4:", "emti"]);
    refused(
        &good.replace("data: 1", "data: '${ .a | sob }'"),
        &["4:", "sob"],
    );
    refused(
        &good.replace("data: 1", "data: '${ [range(0; 1e9)] }'"),
        &["4:", "range"],
    );
    refused(
        &definition(
            "x",
            MAY,
            "topic: a",
            "  - t: { call: invoke, with: { thing: lamp, action: togle } }\n",
        ),
        &["did you mean `toggle`?"],
    );
    refused(
        &good.replace("run: fast", "run: durable"),
        &["message path"],
    );
    refused(&good.replace("role: operator", "role: owner"), &["owner"]);
    refused("", &[]);
    refused("\u{0}\u{1}", &[]);
    refused(&"a: ".repeat(100_000), &["at most"]);
    let answer = hub.ask("PUT /api/flows/test.other", &[], &good);
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(answer.body.contains("test.good"), "{}", answer.body);
    let answer = hub.ask("GET /api/flows", &[], "").json();
    assert_eq!(answer["flows"], json!([]));
    // What is not there may come: that is a warning.
    let told = deploy(
        &hub,
        &definition(
            "later",
            MAY,
            "topic: a",
            "  - t: { call: invoke, with: { thing: lmap, action: x } }\n",
        ),
    );
    let warned = told["warnings"][0]["what"].as_str().unwrap_or_default();
    assert!(warned.contains("did you mean `lamp`?"), "{told}");
}

#[test]
fn who_may_not_deploys_nothing_and_grants_nothing() {
    let hub = Hub::owned(&LISTENERS);
    let issued = hub
        .ask("POST /api/things/robot/credentials", &[], "{}")
        .json();
    let password = issued["password"].as_str().unwrap().to_owned();
    let robot = |request: &str, text: &str| {
        let login = STANDARD.encode(format!("robot:{password}"));
        let headers = [("authorization", &*format!("Basic {login}"))];
        http(hub.at("http://"), request, &headers, text)
    };
    let text = definition("mine", "", "topic: a", SAY);
    assert_eq!(robot("POST /api/flows", &text).status, 403);
    let role = json!({ "rights": [{ "may": ["manage", "read"], "of": ["processes"] }] });
    let made = hub.ask("PUT /api/roles/author", &[], &role.to_string());
    assert_eq!(made.status, 204, "{}", made.body);
    let relation = json!({ "relation": "author", "to": "places/hub" });
    let related = hub.ask(
        "PUT /api/things/robot/relations",
        &[],
        &relation.to_string(),
    );
    assert_eq!(related.status, 204, "{}", related.body);
    assert_eq!(robot("POST /api/flows", &text).status, 201);
    let all = definition("mine", MAY, "topic: a", SAY);
    assert_eq!(robot("POST /api/flows", &all).status, 403);
    let owned = definition("mine", ", owner: people/owner", "topic: a", SAY);
    assert_eq!(robot("POST /api/flows", &owned).status, 403);
    assert_eq!(explained(&hub, "test.mine")["owner"], "things/robot");
}

/// Seeds a mistake, and looks whether the hub names it.
#[test]
fn each_of_many_mistakes_is_named() {
    let hub = Hub::owned(&LISTENERS);
    describe(&hub, "switch-1");
    describe(&hub, "lamp");
    let toggle = "  - toggle: { call: invoke, with: { thing: lamp, action: toggle } }\n";
    let pressed = "type: io.ioe.thing.event, subject: switch-1, data: '${ .name == \"pressed\" }'";
    let relation = json!({ "relation": "viewer", "to": "things/switch-1" }).to_string();
    // A flow, and the words that must be said of why it did nothing once all was said.
    let seeded: [(&str, String, &[&str]); 23] = [
        (
            "nobody",
            definition(
                "nobody",
                MAY,
                pressed,
                "  - toggle: { call: invoke, with: { thing: '${ $workflow.input[0].subject | sub(\"switch-1\"; \"lamb\") }', action: toggle } }\n",
            ),
            &["There is no element `lamb`", "did you mean `lamp`?"],
        ),
        (
            "topic",
            definition("topic", MAY, "topic: plant/7/tmep", SAY),
            &["Nothing was said at `plant/7/tmep`", "at `plant/7/temp`"],
        ),
        (
            "level",
            definition("level", MAY, "topic: plant/+", SAY),
            &["Nothing was said at `plant/+`"],
        ),
        (
            "type",
            definition(
                "type",
                MAY,
                &pressed.replace("thing.event", "thing.evnt"),
                SAY,
            ),
            &["did you mean `io.ioe.thing.event`?"],
        ),
        (
            "subject",
            definition("subject", MAY, &pressed.replace("switch-1", "swich-1"), SAY),
            &["There is no element `swich-1`; did you mean `switch-1`?"],
        ),
        (
            "aspect",
            definition(
                "aspect",
                MAY,
                &pressed.replace("thing.event", "thing.action"),
                SAY,
            ),
            &["Nothing was said that it could be about"],
        ),
        (
            "condition",
            definition(
                "condition",
                MAY,
                "topic: plant/7/temp, data: '${ .value > 90 }'",
                SAY,
            ),
            &[".value is 60", ".value > 90 is false"],
        ),
        (
            "name",
            definition("name", MAY, &pressed.replace("pressed", "presed"), SAY),
            &[".name is \"pressed\""],
        ),
        (
            "member",
            definition(
                "member",
                MAY,
                "topic: plant/7/temp, data: '${ .valeu > 50 }'",
                SAY,
            ),
            &[".valeu is null"],
        ),
        (
            "payload",
            definition(
                "payload",
                MAY,
                "topic: plant/7/text, data: '${ .value > 50 }'",
                SAY,
            ),
            &["gives no value"],
        ),
        (
            "value",
            definition("value", MAY, "topic: plant/7/temp, data: 61", SAY),
            &["wanted is 61"],
        ),
        (
            "sight",
            definition("sight", "", pressed, SAY),
            &["processes/test.sight may not read"],
        ),
        (
            "act",
            definition(
                "act",
                ", grants: [{ role: viewer, on: places/hub }]",
                pressed,
                toggle,
            ),
            &["may not", "invoke toggle of lamp"],
        ),
        (
            "say",
            definition(
                "say",
                ", grants: [{ role: viewer, on: things/switch-1 }]",
                pressed,
                "  - say: { emit: { event: { with: { type: test.said, topic: hall/door, data: 1 } } } }\n",
            ),
            &["may not", "hall/door"],
        ),
        (
            "owner",
            definition(
                "owner",
                &format!("{MAY}, owner: things/robot"),
                pressed,
                toggle,
            ),
            &["its owner may not", "things/robot"],
        ),
        (
            "disabled",
            definition("disabled", MAY, pressed, SAY),
            &["It is disabled"],
        ),
        (
            "suspended",
            definition(
                "suspended",
                &format!("{MAY}, storm: {{ limit: 1, per: PT1H, then: suspend }}"),
                pressed,
                SAY,
            ),
            &["It is suspended", "more than 1 times"],
        ),
        (
            "storm",
            definition(
                "storm",
                &format!("{MAY}, storm: {{ limit: 1, per: PT1H }}"),
                pressed,
                SAY,
            ),
            &["as often as its `storm` allows"],
        ),
        (
            "circle",
            definition(
                "circle",
                MAY,
                "topic: circle",
                "  - say: { emit: { event: { with: { type: test.circle, topic: circle, data: 1 } } } }\n",
            ),
            &["in a circle", "processes/test.circle"],
        ),
        (
            "fails",
            definition(
                "fails",
                MAY,
                "topic: plant/7/temp",
                "  - sum: { set: { n: '${ .[0].data.value + \"a\" }' } }\n",
            ),
            &["/do/0/sum", "failed"],
        ),
        (
            "raised",
            definition(
                "raised",
                MAY,
                "topic: plant/7/temp",
                "  - no: { raise: { error: { type: 'https://example.org/errors/closed', status: 409, title: closed } } }\n",
            ),
            &["/do/0/no", "closed"],
        ),
        (
            "skipped",
            definition(
                "skipped",
                MAY,
                "topic: plant/7/temp",
                "  - say: { if: '.[0].data.value > 90', emit: { event: { with: { type: test.said, data: 1 } } } }\n",
            ),
            &["That run did nothing", "`/do/0/say` was skipped"],
        ),
        (
            "case",
            definition("case", MAY, "topic: Plant/7/temp", SAY),
            &["Nothing was said at `Plant/7/temp`", "at `plant/7/temp`"],
        ),
    ];
    for (_, text, _) in &seeded {
        deploy(&hub, text);
    }
    let disabled = hub.ask(
        "PUT /api/flows/test.disabled/state",
        &[],
        r#"{"state":"disabled"}"#,
    );
    assert_eq!(disabled.status, 204, "{}", disabled.body);
    // The robot sees the switch, and nothing else.
    let related = hub.ask("PUT /api/things/robot/relations", &[], &relation);
    assert_eq!(related.status, 204, "{}", related.body);
    for _ in 0..2 {
        publish(&hub, "things/switch-1/events/pressed", "1");
        publish(&hub, "plant/7/temp", r#"{"value": 60}"#);
        publish(&hub, "plant/7/text", "sixty");
    }
    publish(&hub, "circle", "1");
    for (name, _, words) in &seeded {
        let name = format!("test.{name}");
        if ["storm", "suspended", "circle"]
            .iter()
            .any(|it| name.contains(it))
        {
            // The lane that counts its starts may be another one; circles take their time.
            until(&name, || {
                let told = explained(&hub, &name);
                match name.contains("suspended") {
                    true => told["state"] == "suspended",
                    false => told["counts"]["missed"] != 0,
                }
            });
        }
        let told = explained(&hub, &name);
        let says = told["says"].as_array().cloned().unwrap_or_default();
        let says: Vec<&str> = says.iter().filter_map(Value::as_str).collect();
        let says = says.join("\n");
        for word in *words {
            assert!(says.contains(word), "{name} `{word}`: {says}\n{told:#}");
        }
    }
}

#[test]
fn a_hub_with_many_flows_is_as_it_was_after_it_died() {
    let mut hub = Hub::owned(&LISTENERS);
    for n in 0..200 {
        let text = definition(&format!("many-{n}"), MAY, &format!("topic: many/{n}"), SAY);
        deploy(&hub, &text);
    }
    hub.die_and_begin_again();
    let answer = hub.ask("GET /api/flows", &[], "").json();
    assert_eq!(answer["flows"].as_array().unwrap().len(), 200);
    publish(&hub, "many/77", "1");
    wait_for("the run", || {
        let told = explained(&hub, "test.many-77");
        (told["counts"]["runs"] == 1).then_some(())
    });
}
