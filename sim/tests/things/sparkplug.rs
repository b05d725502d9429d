//! Nodes that speak Sparkplug B, and whoever wants to know of their births.

use bytes::Bytes;
use quartet_fabric::mqtt::{Reason, Will};
use quartet_sim::{disconnect, on_every_site, reasons};

use super::*;

const NODE: &str = "things/g_n";
const PUMP: &str = "things/g_n_pump";
const NBIRTH: &str = "spBv1.0/g/NBIRTH/n";
const NDEATH: &str = "spBv1.0/g/NDEATH/n";
const NCMD: &str = "spBv1.0/g/NCMD/n";
const DBIRTH: &str = "spBv1.0/g/DBIRTH/n/pump";
const DDATA: &str = "spBv1.0/g/DDATA/n/pump";
const DCMD: &str = "spBv1.0/g/DCMD/n/pump";
const DDEATH: &str = "spBv1.0/g/DDEATH/n/pump";
const INT32: u64 = 3;
const INT64: u64 = 4;
const BOOLEAN: u64 = 11;

/// A number as protobuf has it.
fn number(field: u64, value: u64) -> Vec<u8> {
    let mut bytes = varint(field << 3);
    bytes.extend(varint(value));
    bytes
}

/// A text, or a message within another.
fn nested(field: u64, inner: &[u8]) -> Vec<u8> {
    let mut bytes = varint(field << 3 | 2);
    bytes.extend(varint(inner.len() as u64));
    bytes.extend(inner);
    bytes
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while 127 < value {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A metric of a birth.
fn metric(name: &str, alias: Option<u64>, datatype: u64, value: u64) -> Vec<u8> {
    let field = match datatype {
        INT64 => 11,
        BOOLEAN => 14,
        _ => 10,
    };
    let alias = alias.map(|alias| number(2, alias)).unwrap_or_default();
    let parts = [
        nested(1, name.as_bytes()),
        alias,
        number(4, datatype),
        number(field, value),
    ];
    nested(2, &parts.concat())
}

/// What a metric is now, by its alias.
fn aliased(alias: u64, value: u64) -> Vec<u8> {
    nested(2, &[number(2, alias), number(10, value)].concat())
}

fn say(topic: &str, payload: &[Vec<u8>]) -> Publish {
    Publish {
        payload: payload.concat().into(),
        ..publish(topic, "")
    }
}

fn node_born(bd_seq: u64) -> Publish {
    let metrics = [
        metric("bdSeq", None, INT64, bd_seq),
        metric("Node Control/Rebirth", None, BOOLEAN, 0),
        metric("Load", None, INT32, 3),
        metric("Properties/Slots", None, INT32, 8),
    ];
    say(NBIRTH, &[metrics.concat(), number(3, 0)])
}

fn pump_born(seq: u64, rate: u64) -> Publish {
    let metrics = [
        metric("Rate", Some(1), INT32, rate),
        metric("Setpoint", Some(2), INT32, 40),
    ];
    say(DBIRTH, &[metrics.concat(), number(3, seq)])
}

fn pump_says(seq: u64, alias: u64, value: u64) -> Publish {
    say(DDATA, &[aliased(alias, value), number(3, seq)])
}

fn death(bd_seq: u64) -> Vec<u8> {
    metric("bdSeq", None, INT64, bd_seq)
}

/// Who connects as a node, with its death as the will.
fn node(client_id: &str, bd_seq: u64) -> Connect {
    let will = Will {
        topic: NDEATH.into(),
        payload: death(bd_seq).into(),
        qos: Q1,
        retain: false,
        delay_s: 0,
        expiry_s: None,
        properties: Bytes::new(),
    };
    Connect {
        will: Some(will),
        ..connect(client_id)
    }
}

/// A node with a pump; both were just born.
fn born(site: &Site) -> Client {
    born_over(site.connected(node("n", 0)))
}

fn born_over(client: Client) -> Client {
    client.follow(NCMD, Q0);
    client.follow(DCMD, Q0);
    client.send(node_born(0));
    client.send(pump_born(1, 10));
    client
}

fn rate(site: &Site) -> Value {
    at(site, &format!("{PUMP}/properties/Rate"))
}

fn is(site: &Site, element: &str) -> Value {
    at(site, &format!("{element}/properties/connectivity"))["state"].take()
}

#[test]
fn what_a_node_says_in_one_breath_with_its_birth_is_not_lost() {
    on_every_site(|site| {
        let node = born(site);
        for n in 0..300 {
            node.send(pump_says((2 + n) % 256, 1, n));
        }
        assert_eq!(node.messages(), [], "nobody misses anything");
        assert_eq!(rate(site), json!(299));
        assert_eq!(at(site, &format!("{NODE}/properties/Load")), json!(3));
        assert_eq!(
            at(site, NODE)["properties"]["Properties_Slots"]["readOnly"],
            true
        );
        assert_eq!(at(site, PUMP)["title"], "pump");
        assert_eq!(at(site, PUMP)["links"][0]["rel"], "controlledBy");
        for element in [NODE, PUMP] {
            assert_eq!(is(site, element), "online", "{element}");
        }
    });
}

#[test]
fn what_is_wanted_is_said_to_the_device_which_confirms_it() {
    on_every_site(|site| {
        let node = born(site);
        node.messages();
        let ana = site.connected(connect("ana"));
        let setpoint = format!("{PUMP}/properties/Setpoint");
        ana.send(publish_at(Q1, 1, &format!("{setpoint}/write"), "55"));
        ana.receive();
        let told = node.messages();
        assert_eq!(told.len(), 1);
        assert_eq!(
            (&*told[0].topic, told[0].qos, told[0].retain),
            (DCMD, Q0, false)
        );
        let now_ms = site.now().as_micros() / 1000;
        let metric = [
            number(2, 2),
            number(3, now_ms),
            number(4, INT32),
            number(10, 55),
        ];
        let payload = [number(1, now_ms), nested(2, &metric.concat())].concat();
        assert_eq!(told[0].payload, payload);
        assert_eq!(
            at(site, &format!("{setpoint}/desired"))["status"],
            "pending"
        );
        node.send(pump_says(2, 2, 55));
        node.messages();
        assert_eq!(at(site, &setpoint), json!(55));
        assert_eq!(
            at(site, &format!("{setpoint}/desired"))["status"],
            "confirmed"
        );
        // What its type does not have, it is not told.
        ana.send(publish_at(
            Q1,
            1,
            &format!("{setpoint}/write"),
            "3000000000",
        ));
        ana.receive();
        assert_eq!(node.messages(), []);
        ana.send(publish_at(Q1, 1, &format!("{NODE}/actions/Rebirth"), ""));
        ana.receive();
        assert_eq!(&*node.messages()[0].topic, NCMD);
    });
}

#[test]
fn who_lost_something_is_asked_to_be_born_again_and_is_known_meanwhile() {
    on_every_site(|site| {
        let node = born(site);
        node.send(pump_says(3, 1, 12));
        node.send(pump_says(5, 1, 13));
        let asked = node.messages();
        assert_eq!(asked.len(), 1, "it is asked once");
        assert_eq!(&*asked[0].topic, NCMD);
        assert_eq!(rate(site), json!(13));
        node.send(node_born(0));
        node.send(pump_born(1, 14));
        node.send(pump_says(2, 1, 15));
        site.pass(seconds(10));
        assert_eq!(node.messages(), []);
        assert_eq!((rate(site), is(site, PUMP)), (json!(15), json!("online")));
    });
}

#[test]
fn a_device_is_away_when_it_says_so_or_its_node_is_or_comes_back_without_it() {
    on_every_site(|site| {
        let client = born(site);
        client.send(say(DDEATH, &[number(3, 2)]));
        client.messages();
        assert_eq!(
            (is(site, NODE), is(site, PUMP)),
            (json!("online"), json!("lost"))
        );
        client.send(pump_born(3, 10));
        client.messages();
        assert_eq!(is(site, PUMP), "online");
        client.lose();
        assert_eq!(
            (is(site, NODE), is(site, PUMP)),
            (json!("lost"), json!("lost"))
        );
        let client = site.connected(node("n", 1));
        client.send(node_born(1));
        client.messages();
        assert_eq!(
            (is(site, NODE), is(site, PUMP)),
            (json!("online"), json!("lost"))
        );
        client.send(pump_born(1, 10));
        client.messages();
        assert_eq!(is(site, PUMP), "online");
        client.send(node_born(1));
        client.messages();
        assert_eq!(is(site, PUMP), "online", "it has some seconds");
        site.pass(seconds(6));
        assert_eq!(is(site, PUMP), "lost");
    });
}

#[test]
fn a_death_that_comes_too_late_changes_nothing() {
    on_every_site(|site| {
        let old = site.connected(node("n over its old line", 0));
        old.send(node_born(0));
        old.messages();
        let new = site.connected(node("n", 1));
        new.send(node_born(1));
        new.send(pump_born(1, 10));
        new.messages();
        old.lose();
        assert_eq!(
            (is(site, NODE), is(site, PUMP)),
            (json!("online"), json!("online"))
        );
        new.send(say(NDEATH, &[death(1)]));
        new.send(disconnect(Reason::Success));
        new.receive();
        assert_eq!(
            (is(site, NODE), is(site, PUMP)),
            (json!("lost"), json!("lost"))
        );
    });
}

#[test]
fn after_a_crash_the_hub_knows_what_an_alias_stands_for() {
    on_every_site(|site| {
        // It has no will: else it would be known to be away.
        born_over(site.connected(connect("n"))).messages();
        for (lanes, value) in [(2, 70), (1, 71)] {
            site.crash(lanes);
            site.settle();
            let node = site.connected(connect("n"));
            node.follow(NCMD, Q0);
            node.send(pump_says(value, 1, value));
            assert_eq!(node.messages(), [], "it need not be born again");
            assert_eq!(rate(site), json!(value));
        }
        site.crash(2);
        born(site).messages();
        site.crash(1);
        site.settle();
        assert_eq!(
            (is(site, NODE), is(site, PUMP)),
            (json!("lost"), json!("lost"))
        );
        let node = site.connected(connect("n"));
        node.follow(NCMD, Q0);
        node.send(pump_says(2, 1, 5));
        assert_eq!(node.messages().len(), 1, "it is asked to be born again");
    });
}

#[test]
fn who_is_gone_for_good_is_no_thing_any_more() {
    on_every_site(|site| {
        let node = born(site);
        node.send(say(NBIRTH, &[]));
        node.messages();
        assert_eq!((at(site, NODE), at(site, PUMP)), (Value::Null, Value::Null));
        assert!(found(site, "$sparkplug/#").is_empty());
    });
}

// [sparkplug tck-id-conformance-mqtt-aware-basic tck-id-conformance-mqtt-aware-store
//  tck-id-conformance-mqtt-aware-nbirth-mqtt-topic tck-id-conformance-mqtt-aware-nbirth-mqtt-retain
//  tck-id-conformance-mqtt-aware-dbirth-mqtt-topic tck-id-conformance-mqtt-aware-dbirth-mqtt-retain]
#[test]
fn the_last_birth_of_each_is_kept_as_it_came_and_found_by_who_comes_later() {
    on_every_site(|site| {
        let early = site.connected(connect("early"));
        early.follow("$sparkplug/certificates/#", Q1);
        let node = born(site);
        node.send(pump_born(2, 11));
        node.messages();
        let kept = |topic: &str| format!("$sparkplug/certificates/{topic}");
        let heard = early.messages();
        let topics: Vec<&str> = heard.iter().map(|message| &*message.topic).collect();
        assert_eq!(topics, [kept(NBIRTH), kept(DBIRTH), kept(DBIRTH)]);
        for lanes in [2, 1] {
            let late = site.connected(connect("late"));
            late.send(subscribe(1, &[("$sparkplug/certificates/#", Q1)]));
            let mut found = late.messages();
            found.sort_by(|a, b| b.topic.cmp(&a.topic));
            let found: Vec<_> = found
                .iter()
                .map(|message| (&*message.topic, &message.payload, message.retain))
                .collect();
            assert_eq!(
                found,
                [
                    (&*kept(NBIRTH), &node_born(0).payload, true),
                    (&*kept(DBIRTH), &pump_born(2, 11).payload, true),
                ]
            );
            site.crash(lanes);
        }
    });
}

#[test]
fn nobody_else_says_what_births_were_or_whether_the_hub_is_a_host() {
    on_every_site(|site| {
        let mallory = site.connected(connect("mallory"));
        for topic in [
            "$sparkplug/certificates/spBv1.0/g/NBIRTH/n",
            "spBv1.0/STATE/quartet",
        ] {
            let answer = mallory.ask(publish_at(Q1, 1, topic, "x"));
            assert_eq!(reasons(&answer), [Reason::NotAuthorized], "{topic}");
        }
    });
}

// [sparkplug tck-id-conformance-primary-host]
#[test]
fn the_hub_says_that_it_is_there_and_that_it_goes() {
    on_every_site(|site| {
        let state = || at(site, "spBv1.0/STATE/quartet");
        site.be_host();
        let began_ms = site.now().as_micros() / 1000;
        assert_eq!(state(), json!({ "online": true, "timestamp": began_ms }));
        site.pass(seconds(5));
        let now_ms = site.now().as_micros() / 1000;
        site.shut_down();
        assert_eq!(state(), json!({ "online": false, "timestamp": now_ms }));
        site.crash(1);
        site.be_host();
        assert_eq!(state(), json!({ "online": true, "timestamp": now_ms }));
    });
}
