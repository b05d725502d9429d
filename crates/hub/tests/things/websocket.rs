//! The Web Thing Protocol over real sockets: consumers, things that cannot speak MQTT, and what goes wrong.

use std::process::ExitStatus;

use rustix::process::Signal;
use serde_json::{Value, json};
use tungstenite::{Error, Message, protocol::frame::coding::CloseCode};

use super::lamp::{LAMP, description, install};
use crate::support::{Answer, Events, Hub, WebThing, http, until, wait_for};

const LISTENERS: [&str; 2] = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];

fn ask(hub: &Hub, request: &str, body: &str) -> Answer {
    hub.ask(request, &[], body)
}

/// A hub that knows the lamp, and no lamp.
#[track_caller]
fn hub_with_lamp() -> Hub {
    with_lamp(Hub::start(&LISTENERS))
}

#[track_caller]
fn with_lamp(hub: Hub) -> Hub {
    let kind = ("content-type", "application/td+json");
    let request = format!("PUT /things/{LAMP}");
    let answer = hub.ask(&request, &[kind], &description().to_string());
    assert_eq!(answer.status, 201, "{answer:?}");
    hub
}

fn connectivity(hub: &Hub) -> Value {
    let answer = ask(hub, "GET /api/things/lamp/properties/connectivity", "");
    serde_json::from_str(&answer.body).unwrap_or_default()
}

fn desired(hub: &Hub, name: &str) -> Value {
    ask(hub, "GET /api/things/lamp/twin", "").json()[name]["desired"].clone()
}

#[test]
fn a_consumer_reads_writes_and_observes() {
    let hub = Hub::start(&LISTENERS);
    install(&hub);
    let mut consumer = WebThing::open(&hub, LAMP, "");
    until("the lamp to report", || {
        consumer.ask("readproperty", &json!({ "name": "level" }))["value"] == 10
    });
    let read = consumer.ask("readproperty", &json!({ "name": "on" }));
    assert_eq!(
        (&read["thingID"], &read["value"]),
        (&json!(LAMP), &json!(false))
    );
    assert!(
        read["timestamp"].is_string() && read["messageID"].is_string(),
        "{read}"
    );
    let some = consumer.ask(
        "readmultipleproperties",
        &json!({ "names": ["on", "level"] }),
    );
    assert_eq!(some["values"], json!({ "on": false, "level": 10 }));

    consumer.ask("observeallproperties", &json!({}));
    until("the lamp to be known as there", || {
        let all = consumer.ask("readallproperties", &json!({}));
        all["values"]["connectivity"]["state"] == "online"
    });
    consumer.request("mine", "observeproperty", &json!({ "name": "level" }));
    let answer = consumer.until(|it| it["correlationID"] == "mine");
    assert_eq!(answer["messageType"], "response");
    let now = consumer.until(|it| it["correlationID"] == "mine");
    assert_eq!(
        (&now["operation"], &now["value"]),
        (&json!("observeproperty"), &json!(10))
    );

    let written = consumer.ask("writeproperty", &json!({ "name": "level", "value": 30 }));
    assert_eq!(
        (&written["error"], &written["value"]),
        (&Value::Null, &Value::Null)
    );
    let news = consumer.until(|it| it["value"] == 30);
    assert_eq!(
        news["correlationID"], "mine",
        "the last subscription tells it"
    );
    consumer.ask("unobserveproperty", &json!({ "name": "level" }));
    let written = json!({ "values": { "level": 31, "on": true } });
    assert_eq!(
        consumer.ask("writemultipleproperties", &written)["values"],
        json!({})
    );
    let news = consumer.until(|it| it["value"] == 31 || it["value"] == true);
    assert_eq!(
        (&news["name"], &news["operation"]),
        (&json!("on"), &json!("observeallproperties"))
    );
    let written = json!({ "values": { "level": 32 } });
    let refused = consumer.ask("writeallproperties", &written);
    assert!(text(&refused).contains("on is missing"), "{refused}");
}

/// What a refusal says.
#[track_caller]
fn text(refused: &Value) -> &str {
    let detail = refused["error"]["detail"].as_str();
    detail.unwrap_or_else(|| panic!("no refusal: {refused}"))
}

#[test]
fn a_consumer_invokes_and_hears_what_becomes_of_it_and_of_events() {
    let hub = Hub::start(&LISTENERS);
    install(&hub);
    let mut consumer = WebThing::open(&hub, LAMP, "");
    until("the lamp to be there", || {
        consumer.ask("readproperty", &json!({ "name": "level" }))["value"] == 10
    });
    consumer.ask("subscribeevent", &json!({ "name": "hot" }));
    consumer.request("f", "invokeaction", &json!({ "name": "fade", "input": 20 }));
    // Two streams: either may be first.
    let mut both = [consumer.next(), consumer.next()];
    both.sort_by_key(|it| it["operation"].to_string());
    let [done, hot] = both;
    assert_eq!((&hot["name"], &hot["data"]), (&json!("hot"), &json!(80.5)));
    assert_eq!(
        (&done["correlationID"], &done["output"]),
        (&json!("f"), &json!("faded to 20"))
    );
    consumer.ask("unsubscribeevent", &json!({ "name": "hot" }));
    consumer.ask("subscribeallevents", &json!({}));

    consumer.request(
        "blink",
        "invokeaction",
        &json!({ "name": "blink", "input": 3 }),
    );
    let begun = consumer.until(|it| it["correlationID"] == "blink");
    assert_eq!(begun["messageType"], "response", "{begun}");
    let id = begun["status"]["actionID"].clone();
    let mut over = begun;
    if over["status"]["state"] != "completed" {
        over = consumer
            .until(|it| it["correlationID"] == "blink" && it["status"]["state"] == "completed");
        assert_eq!(over["messageType"], "notification", "{over}");
    }
    assert_eq!(over["status"]["output"], "faded to 3");
    let found = consumer.ask("queryaction", &json!({ "actionID": id }));
    assert_eq!(
        (&found["name"], &found["status"]["state"]),
        (&json!("blink"), &json!("completed"))
    );
    let all = consumer.ask("queryallactions", &json!({}));
    assert_eq!(all["statuses"]["blink"][0]["actionID"], id);
    let late = consumer.ask("cancelaction", &json!({ "actionID": id }));
    assert_eq!(late["error"]["status"], 409, "{late}");
    let unknown = consumer.ask("queryaction", &json!({ "actionID": "x" }));
    assert_eq!(unknown["error"]["status"], 404, "{unknown}");
}

#[test]
fn a_thing_reports_and_is_there() {
    let hub = hub_with_lamp();
    let stream = "/api/things/lamp/events/hot";
    let mut events = Events::open(hub.at("http://"), stream, &[]);
    let mut lamp = WebThing::open(&hub, LAMP, "?serve=things/lamp");
    until("the lamp to be there", || {
        connectivity(&hub)["state"] == "online"
    });
    lamp.report("observeproperty", &json!({ "name": "on", "value": true }));
    lamp.report("subscribeevent", &json!({ "name": "hot", "data": 81 }));
    assert_eq!(events.next().data, 81);
    assert_eq!(
        ask(&hub, "GET /api/things/lamp/properties/on", "").body,
        "true"
    );
    lamp.say_goodbye();
    until("the lamp to be asleep", || {
        connectivity(&hub)["state"] == "asleep"
    });
    let lamp = WebThing::open(&hub, LAMP, &format!("?serve={LAMP}"));
    let second = WebThing::open(&hub, LAMP, &format!("?serve={LAMP}"));
    until("the lamp to be there", || {
        connectivity(&hub)["state"] == "online"
    });
    second.say_goodbye();
    assert_eq!(connectivity(&hub)["state"], "online", "it is served twice");
    drop(lamp);
    until("the lamp to be lost", || {
        connectivity(&hub)["state"] == "lost"
    });
}

#[test]
fn a_thing_does_what_is_wanted_or_refuses() {
    let hub = hub_with_lamp();
    // What is wanted while it is away, it hears when it comes.
    assert_eq!(
        ask(&hub, "PUT /api/things/lamp/properties/on", "true").status,
        204
    );
    let waiting = ask(&hub, "POST /api/things/lamp/actions/blink", "5");
    assert_eq!(waiting.status, 201, "{waiting:?}");
    let mut lamp = WebThing::open(&hub, LAMP, "?serve=things/lamp");
    let mut both = [lamp.next(), lamp.next()];
    both.sort_by_key(|asked| asked["operation"].to_string());
    let [blink, write] = both;
    assert_eq!(write["messageType"], "request");
    assert_eq!(
        (&write["thingID"], &write["name"], &write["value"]),
        (&json!(LAMP), &json!("on"), &json!(true))
    );
    assert_eq!(
        (&blink["operation"], &blink["input"]),
        (&json!("invokeaction"), &json!(5))
    );
    assert_eq!(
        desired(&hub, "on")["status"],
        "pending",
        "nothing is claimed that was not heard"
    );

    lamp.answer(&write, &json!({ "value": true }));
    until("the wish to be confirmed", || {
        desired(&hub, "on")["status"] == "confirmed"
    });
    assert_eq!(
        ask(&hub, "GET /api/things/lamp/properties/on", "").body,
        "true"
    );
    let at = format!("GET {}", waiting.headers["location"]);
    assert_eq!(ask(&hub, &at, "").json()["status"], "pending");
    lamp.answer(
        &blink,
        &json!({ "status": { "actionID": "b1", "state": "running" } }),
    );
    until("it to run", || {
        ask(&hub, &at, "").json()["status"] == "running"
    });
    lamp.report(
        "invokeaction",
        &json!({
            "name": "blink", "correlationID": blink["correlationID"],
            "status": { "actionID": "b1", "state": "completed", "output": "blinked" },
        }),
    );
    until("it to be done", || {
        ask(&hub, &at, "").json()["status"] == "completed"
    });
    assert_eq!(ask(&hub, &at, "").json()["output"], "blinked");

    assert_eq!(
        ask(&hub, "PUT /api/things/lamp/properties/level", "30").status,
        204
    );
    let write = lamp.until(|it| it["operation"] == "writeproperty");
    lamp.answer(
        &write,
        &json!({ "error": { "status": 500, "detail": "the bulb is out" } }),
    );
    let refused = wait_for("the wish to be refused", || {
        Some(desired(&hub, "level")).filter(|wish| wish["status"] == "refused")
    });
    assert_eq!(refused["reason"], "the bulb is out");
    let write = "GET /api/retained?search=level/write";
    until("it to be wanted no more", || {
        !ask(&hub, write, "")
            .body
            .contains("\"things/lamp/properties/level/write\"")
    });
}

#[test]
fn a_thing_answers_a_consumer_of_another_socket() {
    let hub = hub_with_lamp();
    let mut lamp = WebThing::open(&hub, LAMP, "?serve=things/lamp");
    let mut consumer = WebThing::open(&hub, LAMP, "");
    consumer.request("f", "invokeaction", &json!({ "name": "fade", "input": 7 }));
    let fade = lamp.until(|it| it["operation"] == "invokeaction");
    lamp.answer(&fade, &json!({ "output": "dark" }));
    assert_eq!(consumer.next()["output"], "dark");
    consumer.request("g", "invokeaction", &json!({ "name": "fade", "input": 8 }));
    let fade = lamp.until(|it| it["operation"] == "invokeaction");
    lamp.answer(&fade, &json!({ "error": { "detail": "the bulb is out" } }));
    let failed = consumer.next();
    assert_eq!(
        (&failed["error"]["status"], text(&failed)),
        (&json!(502), "the bulb is out")
    );

    consumer.request("r", "invokeaction", &json!({ "name": "reset" }));
    let reset = lamp.until(|it| it["operation"] == "invokeaction");
    assert_eq!(reset["input"], Value::Null);
    lamp.answer(
        &reset,
        &json!({ "status": { "actionID": "r1", "state": "running" } }),
    );
    let running = consumer.until(|it| it["status"]["state"] == "running");
    let id = &running["status"]["actionID"];
    let cancelled = consumer.ask("cancelaction", &json!({ "actionID": id }));
    assert_eq!(cancelled["actionID"], *id, "{cancelled}");
    let asked = lamp.until(|it| it["operation"] == "cancelaction");
    assert_eq!(
        asked["actionID"], "r1",
        "the thing is told by its own name of it"
    );
    // It is told once, and an answer to it is no answer to anything that is open.
    lamp.answer(&asked, &json!({}));
    let refused = lamp.until(|it| it["error"].is_object());
    assert!(text(&refused).contains("nothing was asked"), "{refused}");
}

#[test]
fn what_is_wrong_is_told_with_what_would_be_right() {
    let hub = hub_with_lamp();
    let mut consumer = WebThing::open(&hub, LAMP, "");
    for (no_message, says) in [
        ("hello", "no JSON object"),
        ("[]", "no JSON object"),
        ("{}", "`messageType` is missing"),
        (
            r#"{"messageType":"request","thingID":7}"#,
            "must be a string",
        ),
        (
            r#"{"messageType":"request","operation":"readproperty"}"#,
            "`thingID` is missing",
        ),
    ] {
        consumer.text(no_message);
        let refused = consumer.next();
        assert_eq!(refused["messageType"], "response");
        assert_eq!(refused["error"]["status"], 400);
        assert!(text(&refused).contains(says), "{refused}");
    }
    for (status, operation, more, says) in [
        (400, "dance", json!({}), "is no operation"),
        (400, "readproperty", json!({}), "`name` is missing"),
        (
            404,
            "readproperty",
            json!({ "name": "on" }),
            "has not reported",
        ),
        (
            404,
            "readproperty",
            json!({ "name": "on", "thingID": "things/heater" }),
            "no element",
        ),
        (
            400,
            "readproperty",
            json!({ "name": "on", "thingID": "a/b/c" }),
            "is no element",
        ),
        (
            400,
            "readmultipleproperties",
            json!({ "names": ["colour"] }),
            "has not reported",
        ),
        (
            400,
            "writeproperty",
            json!({ "name": "level", "value": 300 }),
            "100",
        ),
        (
            400,
            "writeproperty",
            json!({ "name": "colour", "value": 1 }),
            "no property `colour`",
        ),
        (
            404,
            "observeproperty",
            json!({ "name": "colour" }),
            "it has connectivity",
        ),
        (
            404,
            "subscribeevent",
            json!({ "name": "cold" }),
            "it has hot",
        ),
        (
            400,
            "invokeaction",
            json!({ "name": "fade", "input": "x" }),
            "integer",
        ),
        (
            400,
            "invokeaction",
            json!({ "name": "explode" }),
            "no action `explode`",
        ),
    ] {
        let refused = consumer.ask(operation, &more);
        assert_eq!(refused["error"]["status"], status, "{refused}");
        assert!(text(&refused).contains(says), "{refused}");
    }
    consumer.report(
        "observeproperty",
        &json!({ "name": "on", "messageID": "m", "thingID": "things/heater", "value": 1 }),
    );
    let refused = consumer.next();
    assert!(text(&refused).contains("no element"), "{refused}");
    assert_eq!(refused["correlationID"], "m");

    consumer.socket.send(Message::binary(vec![1, 2])).unwrap();
    let (code, why) = consumer.closed();
    assert_eq!(code, CloseCode::Unsupported, "{why}");
    let mut long = WebThing::open(&hub, LAMP, "");
    let _ = long.socket.send(Message::text("x".repeat((1 << 20) + 1))); // It may be closed meanwhile.
    let (code, why) = long.closed();
    assert_eq!(code, CloseCode::Size, "{why}");
}

#[test]
fn a_handshake_that_is_not_right_is_told_why() {
    let hub = hub_with_lamp();
    for (query, headers, status, says) in [
        (
            "",
            &[("origin", "http://evil.example")][..],
            403,
            "another site",
        ),
        (
            "",
            &[("host", "evil.example"), ("origin", "http://evil.example")],
            403,
            "another host",
        ),
        (
            "",
            &[("sec-websocket-protocol", "mqtt")],
            400,
            "webthingprotocol",
        ),
        ("?serve=things/heater", &[], 404, "no element"),
        ("?serve=a/b/c", &[], 400, "is no element"),
        ("?as=things/lamp", &[], 400, "there is `serve`"),
    ] {
        let Err((found, body)) = WebThing::with(&hub, LAMP, query, headers) else {
            panic!("{query} {headers:?}: it was let in");
        };
        assert_eq!(found, status, "{body}");
        assert!(body.contains(says), "{body}");
    }
    let plain = ask(&hub, "GET /api/ws", "");
    assert!(
        plain.body.contains("Web Thing Protocol") && plain.status == 400,
        "{plain:?}"
    );
    let own = format!("http://{}", hub.at("http://"));
    assert!(WebThing::with(&hub, LAMP, "", &[("origin", &own)]).is_ok());
}

#[test]
fn a_credential_opens_its_own_element_and_nothing_after_it_is_revoked() {
    let hub = with_lamp(Hub::owned(&LISTENERS));
    let login = ask(&hub, "POST /api/things/lamp/credentials", "{}").json();
    let bearer = format!("Bearer {}", login["token"].as_str().unwrap());
    let headers = [("authorization", &*bearer)];
    let refused = WebThing::with(&hub, LAMP, "?serve=things/this-computer", &headers)
        .err()
        .unwrap();
    assert_eq!(refused.0, 403, "{}", refused.1);
    let mut lamp = WebThing::with(&hub, LAMP, "?serve=things/lamp", &headers).unwrap();
    lamp.report("observeproperty", &json!({ "name": "on", "value": true }));
    until("the report", || {
        ask(&hub, "GET /api/things/lamp/properties/on", "").body == "true"
    });
    assert_eq!(
        lamp.ask("readproperty", &json!({ "name": "on" }))["value"],
        true
    );
    let other = json!({ "thingID": "things/this-computer", "name": "processor", "value": 1, "names": ["processor"], "values": { "processor": 1 }, "actionID": "a" });
    for operation in [
        "readproperty",
        "readmultipleproperties",
        "readallproperties",
        "observeproperty",
        "subscribeallevents",
        "queryallactions",
        "writeproperty",
        "writemultipleproperties",
        "invokeaction",
        "queryaction",
        "cancelaction",
    ] {
        let refused = lamp.ask(operation, &other);
        assert_eq!(refused["error"]["status"], 403, "{operation}: {refused}");
    }
    lamp.report("observeproperty", &other);
    assert_eq!(lamp.next()["error"]["status"], 403);

    lamp.ask("observeproperty", &json!({ "name": "on" }));
    let path = format!(
        "DELETE /api/things/lamp/credentials/{}",
        login["id"].as_str().unwrap()
    );
    assert_eq!(ask(&hub, &path, "").status, 204);
    let (code, why) = lamp.closed();
    assert_eq!(code, CloseCode::Policy, "{why}");
    assert!(
        why.contains("holds no more") || why.contains("was changed"),
        "{why}"
    );
    assert_eq!(
        WebThing::with(&hub, LAMP, "", &headers).err().unwrap().0,
        401
    );
}

#[test]
fn a_socket_that_says_nothing_ends_with_its_credential_too() {
    let hub = with_lamp(Hub::owned(&LISTENERS));
    let login = ask(&hub, "POST /api/things/lamp/credentials", "{}").json();
    let bearer = format!("Bearer {}", login["token"].as_str().unwrap());
    let quiet = WebThing::with(&hub, LAMP, "", &[("authorization", &bearer)]).unwrap();
    assert_eq!(
        ask(&hub, "DELETE /api/things/lamp/credentials", "").status,
        204
    );
    let (code, why) = quiet.closed();
    assert_eq!(
        (code, &*why),
        (
            CloseCode::Policy,
            "the credential holds no more; come in with another one"
        )
    );
}

fn subscriptions(hub: &Hub) -> u64 {
    let metrics = ask(hub, "GET /metrics", "").body;
    let mut lines = metrics.lines();
    let count = lines.find_map(|line| line.strip_prefix("quartet_subscriptions "));
    count
        .and_then(|count| count.parse().ok())
        .expect("subscriptions are counted")
}

#[test]
fn who_does_not_read_costs_only_itself() {
    let hub = Hub::configured("limits.slow_consumer_s = 1\n", &LISTENERS);
    let kind = ("content-type", "application/td+json");
    let request = format!("PUT /things/{LAMP}");
    http(
        hub.at("http://"),
        &request,
        &[kind],
        &description().to_string(),
    );
    let before = subscriptions(&hub);
    let mut idle = WebThing::open(&hub, LAMP, "");
    idle.ask("observeallproperties", &json!({}));
    let mut lamp = WebThing::open(&hub, LAMP, "");
    let long = "x".repeat(100_000);
    for n in 0..400 {
        lamp.report(
            "observeproperty",
            &json!({ "name": "note", "value": format!("{n} {long}") }),
        );
    }
    lamp.report("observeproperty", &json!({ "name": "level", "value": 77 }));
    until("the last report", || {
        ask(&hub, "GET /api/things/lamp/properties/level", "").body == "77"
    });
    // The lamp's own socket stays.
    until("the hub to end it", || subscriptions(&hub) == before + 1);
    assert_eq!(
        lamp.ask("readproperty", &json!({ "name": "level" }))["value"],
        77
    );
}

#[test]
fn who_reads_slowly_is_told_what_it_missed_and_what_is_now() {
    let hub = Hub::configured("limits.slow_consumer_s = 600\n", &LISTENERS);
    let kind = ("content-type", "application/td+json");
    let request = format!("PUT /things/{LAMP}");
    http(
        hub.at("http://"),
        &request,
        &[kind],
        &description().to_string(),
    );
    let mut slow = WebThing::open(&hub, LAMP, "");
    slow.ask("observeallproperties", &json!({}));
    let mut lamp = WebThing::open(&hub, LAMP, "");
    let long = "x".repeat(20_000);
    for n in 0..2500 {
        let value = json!({ "n": n, "long": long });
        lamp.report(
            "observeproperty",
            &json!({ "name": "note", "value": value }),
        );
    }
    assert_eq!(
        lamp.ask("readproperty", &json!({ "name": "note" }))["value"]["n"],
        2499
    );
    let missed = slow.until(|it| it["missed"].is_number());
    assert_eq!(missed["messageType"], "notification", "{missed}");
    slow.until(|it| it["value"]["n"] == 2499);
}

#[test]
fn a_socket_has_only_so_many_subscriptions() {
    let hub = hub_with_lamp();
    let mut socket = WebThing::open(&hub, LAMP, "");
    for n in 0..=256 {
        socket.report(
            "observeproperty",
            &json!({ "name": format!("p{n}"), "value": n }),
        );
    }
    for n in 0..256 {
        let answer = socket.ask("observeproperty", &json!({ "name": format!("p{n}") }));
        assert_eq!(answer["error"], Value::Null, "{answer}");
    }
    let refused = socket.ask("observeproperty", &json!({ "name": "p256" }));
    assert_eq!(refused["error"]["status"], 503, "{refused}");
    assert!(text(&refused).contains("end some"), "{refused}");
    socket.ask("unobserveproperty", &json!({ "name": "p0" }));
    let answer = socket.ask("observeproperty", &json!({ "name": "p256" }));
    assert_eq!(answer["error"], Value::Null, "{answer}");
}

#[test]
fn an_action_that_takes_long_is_answered_with_its_status() {
    let hub = hub_with_lamp();
    let mut lamp = WebThing::open(&hub, LAMP, "?serve=things/lamp");
    let mut consumer = WebThing::open(&hub, LAMP, "");
    consumer.request("f", "invokeaction", &json!({ "name": "fade", "input": 7 }));
    let fade = lamp.until(|it| it["operation"] == "invokeaction");
    let begun = consumer.next();
    assert_eq!(
        (&begun["messageType"], &begun["status"]["state"]),
        (&json!("response"), &json!("pending"))
    );
    lamp.answer(&fade, &json!({ "output": "dark" }));
    let over = consumer.next();
    assert_eq!(
        (&over["messageType"], &over["status"]["output"]),
        (&json!("notification"), &json!("dark"))
    );
}

#[test]
fn sockets_end_with_the_hub() {
    let mut hub = hub_with_lamp();
    let mut socket = WebThing::open(&hub, LAMP, "?serve=things/lamp");
    socket.ask("observeallproperties", &json!({}));
    hub.signal(Signal::TERM);
    loop {
        match socket.socket.read() {
            Ok(Message::Close(close)) => {
                assert_eq!(close.unwrap().code, CloseCode::Away);
                break;
            }
            Ok(_) => {}
            Err(Error::Io(error)) => {
                assert_ne!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock,
                    "it does not end"
                );
                break;
            }
            Err(_) => break,
        }
    }
    let ended: ExitStatus = hub.ended();
    assert!(ended.success(), "{ended}");
}
