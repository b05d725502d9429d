use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::{Package, Parameters, built_in};

fn office() -> World {
    let files = built_in::files("office").expect("it is built in");
    let package = Package::read(&files, &Parameters::default());
    package
        .expect("it is right")
        .world
        .expect("it is simulated")
}

fn at(world: &World, minutes: u64) -> Time {
    world.begins().after(Duration::from_secs(60 * minutes))
}

/// What was said at a topic, in order.
fn said(out: &[Out], topic: &str) -> Vec<Value> {
    let all = out.iter().filter(|one| one.message.topic == topic);
    let all = all.map(|one| {
        let text = String::from_utf8_lossy(&one.message.payload).into_owned();
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    });
    all.collect()
}

fn client(world: &World, name: &str) -> usize {
    let mut clients = world.clients().iter();
    clients.position(|it| it.name == name).expect("it is there")
}

#[test]
fn everything_announces_itself_and_says_what_it_is() {
    let mut world = office();
    let out = world.begin();
    let devices = said(&out, "zigbee2mqtt/bridge/devices").remove(0);
    let names: Vec<&str> = devices
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|device| device["friendly_name"].as_str())
        .collect();
    assert_eq!(names.len(), 11);
    assert!(names.contains(&"office/102/sensor"), "{names:?}");
    let lamp = said(&out, "zigbee2mqtt/office/103/lamp");
    assert_eq!(
        lamp,
        [json!({ "state": "OFF", "brightness": 200, "linkquality": 120 })]
    );
    assert_eq!(said(&out, "office/hvac/availability"), ["online"]);
    // All that stays can be taken back, and the broker knows last words.
    for out in out.iter().filter(|out| out.message.retain) {
        assert!(world.retained().contains(&&*out.message.topic));
    }
    let bridge = &world.clients()[client(&world, "zigbee2mqtt")];
    let will = bridge.will.as_ref().map(|will| &*will.payload);
    assert_eq!(will, Some(&br#"{"state":"offline"}"#[..]));
    assert!(
        bridge
            .hears
            .contains(&"zigbee2mqtt/office/103/lamp/set".to_owned())
    );
    assert_eq!(world.take_failure(), None);
}

#[test]
fn whoever_comes_in_first_presses_the_switch_once() {
    let mut world = office();
    world.begin();
    let to = at(&world, 14);
    let out = world.advance(to);
    assert_eq!(said(&out, "zigbee2mqtt/office/101/switch").len(), 0);
    let seen = said(&out, "zigbee2mqtt/office/101/sensor");
    assert!(seen.iter().all(|one| one["occupancy"] == false));
    let to = at(&world, 60);
    let out = world.advance(to);
    let pressed = said(&out, "zigbee2mqtt/office/101/switch");
    assert_eq!(pressed.len(), 1);
    assert_eq!(pressed[0]["action"], "on");
    let seen = said(&out, "zigbee2mqtt/office/101/sensor");
    assert_eq!(seen[seen.len() - 1]["occupancy"], true);
    assert_eq!(world.take_failure(), None);
}

#[test]
fn a_lamp_does_what_it_is_told_and_says_so_at_once() {
    let mut world = office();
    world.begin();
    let bridge = client(&world, "zigbee2mqtt");
    let topic = "zigbee2mqtt/office/103/lamp/set";
    let state = "zigbee2mqtt/office/103/lamp";
    let out = world.hear(bridge, topic, br#"{"state":"TOGGLE","brightness":7}"#);
    assert_eq!(out.len(), 1);
    let said_so = said(&out, state);
    assert_eq!(
        (&said_so[0]["state"], &said_so[0]["brightness"]),
        (&json!("ON"), &json!(7))
    );
    // Nothing new is not said, nor what it does not understand, nor what somebody else is told.
    for odd in [
        &b"{\"state\":\"ON\"}"[..],
        b"[]",
        b"\xff",
        b"",
        b"{\"state\":9}",
    ] {
        assert_eq!(world.hear(bridge, topic, odd), []);
    }
    let hvac = client(&world, "hvac");
    assert_eq!(world.hear(hvac, topic, br#"{"state":"OFF"}"#), []);
    assert_eq!(world.take_failure(), None);
}

#[test]
fn a_room_is_as_warm_as_heating_weather_and_people_make_it() {
    let warm = |wanted: &[u8]| {
        let mut world = office();
        world.begin();
        let hvac = client(&world, "hvac");
        let out = world.hear(hvac, "office/hvac/temperature/set", wanted);
        let to = at(&world, 240);
        world.advance(to);
        let room = world.state("r101").map(|room| room["temperature"].as_f64());
        let used = world.state("outcome").map(|it| it["energy"].as_f64());
        (
            out.len(),
            room.flatten().unwrap_or_default(),
            used.flatten().unwrap_or_default(),
        )
    };
    let (said, cold, little) = warm(b"15");
    let (_, nice, more) = warm(b"21.5");
    assert_eq!(said, 1, "it says at once what it was told");
    assert!((20.5..23.5).contains(&nice), "{nice}");
    assert!(cold < nice - 2.0, "{cold}");
    assert!(little < more && 1.0 < more, "{little} {more}");
    // What is out of bounds changes nothing.
    assert_eq!(warm(b"99").0, 0);
    assert_eq!(warm(b"warm").0, 0);
}

#[test]
fn the_same_times_and_messages_say_the_same() {
    let run = || {
        let mut world = office();
        let mut out = world.begin();
        let hvac = client(&world, "hvac");
        for minute in 1..600 {
            let to = at(&world, minute);
            out.extend(world.advance(to));
            if minute % 100 == 0 {
                out.extend(world.hear(hvac, "office/hvac/temperature/set", b"20"));
            }
        }
        out
    };
    let first = run();
    assert!(1_000 < first.len(), "{}", first.len());
    assert!(first == run());
    // In one go it is the same, too.
    let mut world = office();
    let mut out = world.begin();
    let to = at(&world, 99);
    out.extend(world.advance(to));
    assert!(first[..out.len()] == out);
}

#[test]
fn whoever_comes_back_says_all_of_it_again_and_whoever_slept_makes_up_for_little() {
    let mut world = office();
    world.begin();
    let bridge = client(&world, "zigbee2mqtt");
    let again = world.say_again(bridge);
    assert_eq!(said(&again, "zigbee2mqtt/bridge/devices").len(), 1);
    assert_eq!(said(&again, "zigbee2mqtt/office/103/lamp").len(), 1);
    assert!(again.iter().all(|out| out.client == bridge));
    let to = world.begins().after(Duration::from_secs(400 * 24 * 3600));
    let out = world.advance(to);
    assert!(out.len() < 200_000, "{}", out.len());
    assert_eq!(world.advance(to), []);
    let last = world.end();
    assert_eq!(said(&last, "office/hvac/availability"), ["offline"]);
}

/// What is wrong with a simulation.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let wrongs = match World::read(&[("simulation.yaml", text)]) {
        Ok(_) => Vec::new(),
        Err(wrongs) => wrongs,
    };
    let told: Vec<String> = wrongs.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn what_is_wrong_is_named_where_it_stands() {
    let good = "\
begins: 2026-01-19T08:00:00
clients:
  gate: { as: things/yard-gate, topics: [yard/#] }
models:
  gate:
    title: A gate
    state: { open: false }
    hears: [{ topic: yard/gate/set, state: '{ open: ($said == \"open\") }' }]
    says: [{ topic: yard/gate, payload: '${ .open }' }]
parts:
  gate: { model: gate, client: gate }
";
    check(good, &[]);
    let with = |from: &str, to: &str| good.replace(from, to);
    check(
        &with("begins: 2026-01-19T08:00:00\n", ""),
        &["`begins` is missing"],
    );
    check(
        &with("2026-01-19T08:00:00", "tomorrow"),
        &["simulation.yaml:1:1: error: `tomorrow` is no time"],
    );
    check(
        &with("model: gate", "model: gat"),
        &["did you mean `gate`?"],
    );
    check(
        &with("client: gate }", "client: gat }"),
        &["`gate` needs a `client`", "there is no client `gat`"],
    );
    check(&with("'${ .open }'", "'${ .open | sob }'"), &["9:"]);
    check(&with("$said", "$sad"), &["sad"]);
    check(
        &with("topic: yard/gate,", "topic: street/gate,"),
        &["`street/gate` is not below `things/yard-gate`, and not among the topics"],
    );
    check(
        &with("yard/gate/set", "yard/#/set"),
        &["is no filter of topics"],
    );
    check(
        &with("[yard/#]", "['$SYS/#']"),
        &[
            "`$SYS/#` is no filter of topics",
            "`yard/gate/set` is not below",
            "`yard/gate` is not below",
        ],
    );
    check(&with("title: A gate\n", "titel: A gate\n"), &["titel"]);
    check(&with("says: [{", "says: [{ evry: PT1M,"), &["evry"]);
    check(
        &with("says: [{", "says: [{ every: often,"),
        &["`often` is no duration"],
    );
    check(
        &format!("{good}tick: PT0S\n"),
        &["`PT0S` must be a duration from"],
    );
    check("a: [", &["simulation.yaml:"]);
}
