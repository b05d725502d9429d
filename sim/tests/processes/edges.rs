use quartet_fabric::mqtt::Packet;
use quartet_people::relation::{self, Relation, Relations};
use quartet_process::signals::{self, Deployment as Defined};

use super::*;

/// Somebody defines signals, as in a file.
fn define(site: &Site, text: &str) {
    let (all, _) = signals::read(text).unwrap_or_else(|problems| panic!("{problems:#?}"));
    for (signal, definition) in all {
        let defined = Defined::new(definition, "api".to_owned(), site.now());
        let topic = signals::topic_of(signal.name());
        site.announce(Said::kept(topic, defined.to_text()));
    }
}

const ROOM: &str = "things/room-1";

fn described(site: &Site, key: &str) {
    let forms = json!([{ "href": "coap://thing.example/" }]);
    let td = json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "@type": "Sensor",
        "title": "Room",
        "securityDefinitions": { "none": { "scheme": "nosec" } },
        "security": "none",
        "properties": { "temperature": { "type": "number", "forms": forms } },
        "events": { "knock": { "forms": forms } },
    });
    let installer = site.connected(connect("installer"));
    installer.send(publish_at(Q1, 1, key, &td.to_string()));
    installer.messages();
}

/// What is heard of edges, as the type and the data.
fn edges(client: &Client) -> Vec<(String, String)> {
    let messages = client.messages();
    let edge = |message: &Publish| {
        let properties = Properties::of_wire(&message.properties);
        let kind = properties.find(|property| match property {
            Property::UserProperty(name, value) if **name == *"type" => Some(value.to_string()),
            _ => None,
        });
        (kind.unwrap_or_default(), text(message))
    };
    messages.iter().map(edge).collect()
}

#[test]
fn a_room_is_too_warm_once_until_it_is_not() {
    on_every_site(|site| {
        described(site, ROOM);
        define(
            site,
            "signals:\n  too-warm: { of: room-*, property: temperature, above: 24, clear: 23.5, for: PT10M, when: .occupancy > 0 }\n",
        );
        deploy(
            site,
            &flow(
                "cool",
                "",
                "{ one: { with: { type: too-warm } } }",
                "  - say: { emit: { event: { with: { type: test.cool, topic: cool, data: '${ [$workflow.input[0].subject, $workflow.input[0].data.value] }' } } } }\n",
            ),
        );
        let watch = listener(site, "things/room-1/events/+");
        let cooled = listener_as(site, "cooler", "cool");
        let sensor = site.connected(connect("sensor"));
        let mut number = 0;
        let mut says = |name: &str, value: &str| {
            number += 1;
            let topic = format!("{ROOM}/properties/{name}");
            sensor.send(publish_at(Q1, number, &topic, value));
            sensor.messages();
        };
        says("occupancy", "2");
        says("temperature", "25");
        site.pass(seconds(300));
        says("temperature", "26");
        assert_eq!(edges(&watch), []);
        let state = found(site, "things/room-1/signals/+");
        assert!(
            state["things/room-1/signals/too-warm"].contains("since"),
            "{state:?}"
        );
        site.pass(seconds(299));
        assert_eq!(edges(&watch), []);
        site.pass(seconds(1));
        let began = edges(&watch);
        assert_eq!(began.len(), 1, "{began:?}");
        assert_eq!(began[0].0, "too-warm");
        assert_eq!(heard(&cooled), [pair("cool", "[\"room-1\",26]")]);
        says("temperature", "25");
        says("temperature", "23.8");
        assert_eq!(edges(&watch), []);
        says("temperature", "23.4");
        assert_eq!(edges(&watch)[0].0, "too-warm.ended");
        let state = &found(site, "things/room-1/signals/+")["things/room-1/signals/too-warm"];
        assert!(!state.contains("\"on\""), "{state}");
        assert_eq!(heard(&cooled), []);
        site.assert_sound();
    });
}

#[test]
fn nobody_else_tells_of_a_signal_or_of_what_is_remembered() {
    on_every_site(|site| {
        described(site, ROOM);
        define(
            site,
            "signals:\n  hot: { of: room-1, property: temperature, above: 30 }\n",
        );
        deploy(
            site,
            &flow(
                "cool",
                "",
                "{ one: { with: { type: hot } } }",
                "  - say: { emit: { event: { with: { type: test.cool, topic: cool, data: 1 } } } }\n",
            ),
        );
        let watch = listener(site, "cool");
        let eve = site.connected(connect("eve"));
        let mut properties = Vec::new();
        Property::UserProperty("type".into(), "hot".into()).write(&mut properties);
        eve.send(Publish {
            properties: properties.into(),
            ..publish("things/room-1/events/hot", "{}")
        });
        assert_eq!(heard(&watch), []);
        eve.send(publish_at(
            Q1,
            1,
            "things/room-1/signals/hot",
            r#"{"on":true}"#,
        ));
        eve.messages();
        assert_eq!(found(site, "things/room-1/signals/+"), BTreeMap::new());
        eve.send(publish_at(
            Q1,
            2,
            "things/room-1/properties/temperature",
            "31",
        ));
        eve.messages();
        assert_eq!(heard(&watch).len(), 1);
        site.assert_sound();
    });
}

#[test]
fn a_signal_that_is_new_looks_at_what_is_and_one_that_goes_ends() {
    on_every_site(|site| {
        described(site, ROOM);
        let sensor = site.connected(connect("sensor"));
        sensor.send(publish_at(
            Q1,
            1,
            "things/room-1/properties/temperature",
            "31",
        ));
        sensor.messages();
        let watch = listener(site, "things/room-1/events/+");
        let hot = "signals:\n  hot: { type: Sensor, property: temperature, above: 30 }\n";
        define(site, hot);
        assert_eq!(edges(&watch)[0].0, "hot");
        define(site, hot);
        assert_eq!(edges(&watch), []);
        define(site, &hot.replace("30", "40"));
        assert_eq!(edges(&watch)[0].0, "hot.ended");
        define(site, hot);
        assert_eq!(edges(&watch)[0].0, "hot");
        site.crash(2);
        let watch = listener(site, "things/room-1/events/+");
        site.announce(Said::kept(signals::topic_of("hot"), ""));
        assert_eq!(edges(&watch)[0].0, "hot.ended");
        assert_eq!(found(site, "things/room-1/signals/+"), BTreeMap::new());
        site.assert_sound();
    });
}

/// What is heard, as (name, value, seconds until the next); events begin with `!`.
type Reading = (&'static str, &'static str, u64);

#[test]
fn what_leaves_a_place_is_not_looked_at_any_more() {
    on_every_site(|site| {
        described(site, ROOM);
        let relate = |relations: &[Relation]| {
            let mut all = Relations::default();
            all.put(ROOM, relations, site.now())
                .expect("they are right");
            site.announce(Said::kept(relation::topic_of(ROOM), all.text()));
        };
        relate(&[Relation::new("in", "places/yard")]);
        define(
            site,
            "signals:\n  hot: { in: places/yard, property: t, above: 30 }\n",
        );
        let watch = listener(site, "things/room-1/events/+");
        let sensor = site.connected(connect("sensor"));
        sensor.send(publish_at(Q1, 1, "things/room-1/properties/t", "31"));
        assert_eq!(edges(&watch)[0].0, "hot");
        relate(&[]);
        sensor.send(publish_at(Q1, 2, "things/room-1/properties/t", "32"));
        assert_eq!(edges(&watch)[0].0, "hot.ended");
        sensor.send(publish_at(Q1, 3, "things/room-1/properties/t", "33"));
        assert_eq!(edges(&watch), []);
        // It is there again, for a while: nobody says when that is over, the clock does.
        let mut guest = Relation::new("in", "places/yard");
        guest.until = site.now().after(Duration::from_secs(60));
        relate(&[guest]);
        sensor.send(publish_at(Q1, 4, "things/room-1/properties/t", "34"));
        assert_eq!(edges(&watch)[0].0, "hot");
        site.pass(Duration::from_secs(61));
        sensor.send(publish_at(Q1, 5, "things/room-1/properties/t", "35"));
        assert_eq!(edges(&watch)[0].0, "hot.ended");
        site.assert_sound();
    });
}

/// Each kind of signal, what leads to an edge as (name, value, seconds until the next), and the
/// edges that there are in all.
const KINDS: [(&str, &[Reading], &[&str]); 12] = [
    (
        "property: t, above: 24, clear: 23",
        &[
            ("t", "25", 1),
            ("t", "26", 1),
            ("t", "23.5", 1),
            ("t", "22", 1),
            ("t", "25", 1),
        ],
        &["s", "s.ended", "s"],
    ),
    (
        "property: t, below: 20, for: PT10S",
        &[
            ("t", "19", 4),
            ("t", "18", 4),
            ("t", "17", 4),
            ("t", "21", 4),
        ],
        &["s", "s.ended"],
    ),
    (
        "property: t, outside: [10, 20]",
        &[("t", "5", 1), ("t", "15", 1), ("t", "25", 1)],
        &["s", "s.ended", "s"],
    ),
    (
        "changed: t",
        &[("t", "1", 1), ("t", "2", 1), ("t", "2", 1), ("t", "3", 1)],
        &["s", "s"],
    ),
    (
        "absent: t, for: PT10S",
        &[("t", "1", 4), ("t", "1", 20), ("t", "1", 1)],
        &["s", "s.ended"],
    ),
    (
        "rate: { of: t, above: 5, per: PT1S }",
        &[("t", "1", 1), ("t", "9", 1), ("t", "10", 1)],
        &["s", "s.ended"],
    ),
    (
        "count: { of: t, atLeast: 3, within: PT10S }",
        &[("t", "1", 1), ("t", "1", 1), ("t", "1", 30)],
        &["s", "s.ended"],
    ),
    (
        "count: { of: knock, atLeast: 2, within: PT10S }",
        &[("!knock", "1", 1), ("!knock", "1", 30)],
        &["s", "s.ended"],
    ),
    (
        "sequence: [.t > 60, .v < 2], within: PT3S",
        &[("v", "9", 1), ("t", "70", 1), ("v", "1", 1), ("v", "9", 1)],
        &["s"],
    ),
    (
        "inside: places/yard",
        &[
            (
                "inside",
                r#"[{"place":"places/yard","since":"2026-11-27T00:00:00Z"}]"#,
                1,
            ),
            ("inside", "[]", 1),
        ],
        &["s", "s.ended"],
    ),
    (
        "notInside: places/yard",
        &[
            (
                "inside",
                r#"[{"place":"places/yard","since":"2026-11-27T00:00:00Z"}]"#,
                1,
            ),
            ("inside", "[]", 1),
        ],
        &["s"],
    ),
    (
        "expr: .t > .v, for: PT5S",
        &[("v", "5", 1), ("t", "7", 10), ("v", "9", 1)],
        &["s", "s.ended"],
    ),
];

/// Tells the story of a signal; `dies_at` says after which reading the hub dies, and after how many
/// steps. A reading that was not acknowledged is said again.
fn story(kind: usize, seed: u64, dies_at: Option<(usize, usize)>) -> Vec<String> {
    let (definition, readings, _) = KINDS[kind];
    let site = Site::new(3, seed);
    described(&site, ROOM);
    define(
        &site,
        &format!("signals:\n  s: {{ of: room-1, {definition} }}\n"),
    );
    let watch = site.connected(lasting("watch"));
    watch.send(subscribe(
        1,
        &[
            ("things/room-1/events/s", Q1),
            ("things/room-1/events/s.ended", Q1),
        ],
    ));
    let mut heard: Vec<String> = Vec::new();
    let topics = |client: &Client| -> Vec<String> {
        let messages = client.messages();
        messages
            .iter()
            .map(|message| {
                message
                    .topic
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect()
    };
    heard.extend(topics(&watch));
    drop(watch);
    let mut sensor = site.connected(connect("sensor"));
    for (at, (name, value, wait)) in readings.iter().enumerate() {
        let topic = match name.strip_prefix('!') {
            Some(event) => format!("{ROOM}/events/{event}"),
            None => format!("{ROOM}/properties/{name}"),
        };
        sensor.send(publish_at(Q1, 1 + at as u16, &topic, value));
        match dies_at {
            Some((dies, steps)) if dies == at => {
                site.run(steps);
                let mut said = sensor.hear().into_iter();
                let is_safe = said.any(|packet| matches!(packet, Packet::PubAck(_)));
                site.crash(1 + steps % 3);
                site.settle();
                sensor = site.connected(connect("sensor"));
                if !is_safe {
                    // It may be known all the same.
                    return Vec::new();
                }
            }
            _ => {
                sensor.messages();
            }
        }
        site.pass(seconds(*wait));
    }
    let watch = site.client();
    watch.send(lasting("watch"));
    heard.extend(topics(&watch));
    site.assert_sound();
    heard
}

#[test]
fn each_kind_of_signal_has_its_edges() {
    for (kind, (definition, _, expected)) in KINDS.iter().enumerate() {
        for seed in 0..3 {
            assert_eq!(story(kind, seed, None), *expected, "{definition}");
        }
    }
}

#[test]
fn an_edge_of_each_kind_is_told_once_whenever_the_hub_dies() {
    let mut told = 0;
    for (kind, (definition, readings, expected)) in KINDS.iter().enumerate() {
        for dies in 0..readings.len() {
            for steps in 0..24 {
                let heard = story(kind, steps as u64 % 5, Some((dies, steps)));
                if !heard.is_empty() {
                    told += 1;
                    assert_eq!(
                        heard, *expected,
                        "{definition}: died at {dies} after {steps} steps"
                    );
                }
            }
        }
    }
    assert!(300 < told, "{told} stories were told to their end");
}

/// A signal, and readings that are on their way together, as name and value.
type Together = (&'static str, [(&'static str, &'static str); 4]);

/// Some of the readings in the middle lead to nothing; it begins once and ends once.
const TOGETHER: [Together; 4] = [
    (
        "property: t, above: 24",
        [("t", "25"), ("t", "26"), ("t", "27"), ("t", "20")],
    ),
    (
        "expr: .t > .v",
        [("v", "24"), ("t", "25"), ("t", "26"), ("t", "20")],
    ),
    (
        "expr: .t > .v",
        [("v", "1"), ("t", "7"), ("w", "1"), ("v", "9")],
    ),
    (
        "notInside: places/yard",
        [
            ("inside", "[]"),
            ("inside", "[]"),
            ("inside", r#"[{"place":"places/street"}]"#),
            ("inside", r#"[{"place":"places/yard"}]"#),
        ],
    ),
];

/// What led to nothing is not written down; it is not heard again after what came later, or what has
/// ended would begin once more.
#[test]
fn what_led_to_nothing_is_not_heard_after_what_came_later() {
    let expected = ["s", "s.ended"];
    for (definition, readings) in TOGETHER {
        for (seed, steps) in (0..4).flat_map(|seed| (0..80).map(move |steps| (seed, steps))) {
            let site = Site::new(3, seed);
            described(&site, ROOM);
            define(
                &site,
                &format!("signals:\n  s: {{ of: room-1, {definition} }}\n"),
            );
            let watch = site.connected(lasting("watch"));
            watch.send(subscribe(1, &[("things/room-1/events/+", Q1)]));
            watch.hear();
            drop(watch);
            let sensor = site.connected(connect("sensor"));
            for (at, (name, value)) in (1..).zip(readings) {
                let topic = format!("{ROOM}/properties/{name}");
                sensor.send(publish_at(Q1, at, &topic, value));
                site.run(steps / usize::from(at) % 9);
                site.set_clock_on(Duration::from_micros(1));
            }
            site.run(steps / 2);
            let said = sensor.hear().into_iter();
            let acks = said.filter(|packet| matches!(packet, Packet::PubAck(_)));
            let are_all_safe = acks.count() == readings.len();
            for lanes in [3, 2] {
                site.crash(lanes);
                site.set_clock_on(Duration::from_micros(1));
                site.run(steps / 2);
            }
            site.settle();
            let watch = site.client();
            watch.send(lasting("watch"));
            let heard: Vec<String> = edges(&watch).into_iter().map(|edge| edge.0).collect();
            let is_right = match are_all_safe {
                true => heard == expected,
                false => heard.len() <= 2 && heard == expected[..heard.len()],
            };
            assert!(
                is_right,
                "{definition}: seed {seed}, {steps} steps: {heard:?}"
            );
            site.assert_sound();
        }
    }
}
