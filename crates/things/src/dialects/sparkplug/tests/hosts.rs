use proptest::prelude::*;
use quartet_model::Time;
use serde_json::{Value, json};

use super::{super::*, aliased, named, payload, recorded};
use crate::dialects::sparkplug::{
    birth::REBIRTH,
    wire::{Metric, Payload, Scalar},
};

fn at(s: u64) -> Time {
    Time::from_micros(s * 1_000_000)
}

/// What follows, a line each.
fn lines(says: &[Say]) -> Vec<String> {
    let line = |say: &Say| match say {
        Say::Announce(announced) => match announced.description {
            Some(_) => format!("{} is described", announced.key),
            None => format!("{} is gone", announced.key),
        },
        Say::Report(report) => {
            let values = report.values.iter();
            let values: Value = values
                .map(|(name, value)| json!({ &**name: value }))
                .collect();
            let there = if report.is_there { "there" } else { "away" };
            format!("{} is {there}: {values}", report.key)
        }
        Say::Keep(topic) => format!("kept at {topic}"),
        Say::Tell(said) => {
            let metrics = Payload::read(&said.payload).unwrap().metrics().unwrap();
            assert_eq!(metrics[0].name.as_deref(), Some(REBIRTH));
            assert_eq!(metrics[0].value, Some(Scalar::Boolean(true)));
            format!("rebirth asked at {}", said.topic)
        }
        Say::Refuse(problems) => format!("refused: {}", problems[0]),
    };
    says.iter().map(line).collect()
}

#[test]
fn what_was_recorded_is_understood() {
    let mut host = Host::default();
    let mut said = recorded().into_iter();
    let mut next = |expected: &[&str]| {
        let (topic, bytes) = said.next().unwrap();
        assert_eq!(
            lines(&host.hear(&topic, &bytes, at(100))),
            expected,
            "{topic}"
        );
    };
    next(&[
        "kept at $sparkplug/certificates/spBv1.0/plant/NBIRTH/press",
        "things/plant_press is described",
        r#"things/plant_press is there: [{"Properties_Hardware":"Press 9"},{"Temperature":20.5}]"#,
    ]);
    next(&[
        "kept at $sparkplug/certificates/spBv1.0/plant/DBIRTH/press/pump",
        "things/plant_press_pump is described",
        r#"things/plant_press_pump is there: [{"Rate":10.0},{"Setpoint":40},{"Running":true},{"Mode":"auto"},{"Since":"2026-01-01T00:00:00Z"},{"Offset":-5},{"Total":4294967297},{"Samples":{"columns":["t","v"],"rows":[[0,1.5],[1,2.5]]}}]"#,
    ]);
    next(&[r#"things/plant_press is there: [{"Temperature":21.25}]"#]);
    next(&[r#"things/plant_press_pump is there: [{"Rate":12.5}]"#]);
    next(&["things/plant_press_pump is there: []"]); // Historical.
    next(&[r#"things/plant_press_pump is there: [{"Mode":null}]"#]);
    next(&[r#"things/plant_press_pump is there: [{"Rate":3.0}]"#]); // Compressed.
    next(&["things/plant_press_pump is away: []"]);
    let born = [
        "kept at $sparkplug/certificates/spBv1.0/plant/DBIRTH/press/pump",
        "things/plant_press_pump is described",
    ];
    let (topic, bytes) = said.next().unwrap();
    assert_eq!(lines(&host.hear(&topic, &bytes, at(100)))[..2], born);
    let (topic, bytes) = said.next().unwrap();
    assert_eq!(
        lines(&host.hear(&topic, &bytes, at(100))),
        [
            "refused: (root): has the sequence number 10; 9 was to come, so something was lost; the node is asked to be born again",
            "rebirth asked at spBv1.0/plant/NCMD/press",
            r#"things/plant_press_pump is there: [{"Rate":13.0}]"#,
        ]
    );
    let (topic, bytes) = said.next().unwrap();
    assert_eq!(
        lines(&host.hear(&topic, &bytes, at(100))),
        [
            "things/plant_press is away: []",
            "things/plant_press_pump is away: []"
        ]
    );
}

/// The birth of a node over its connection of this number.
fn born(bd_seq: u64) -> Vec<u8> {
    let metrics = [
        named("bdSeq", 4, Scalar::Long(bd_seq)),
        named("T", 10, Scalar::Double(1.0)),
    ];
    payload(Some(0), &metrics)
}

fn dead(bd_seq: u64) -> Vec<u8> {
    payload(None, &[named("bdSeq", 4, Scalar::Long(bd_seq))])
}

fn device_born(seq: u64, alias: u64) -> Vec<u8> {
    let metric = Metric {
        alias: Some(alias),
        ..named("V", 3, Scalar::Int(0))
    };
    payload(Some(seq), &[metric])
}

const NBIRTH: &str = "spBv1.0/g/NBIRTH/n";
const NDEATH: &str = "spBv1.0/g/NDEATH/n";
const NDATA: &str = "spBv1.0/g/NDATA/n";
const DBIRTH: &str = "spBv1.0/g/DBIRTH/n/d";
const DDATA: &str = "spBv1.0/g/DDATA/n/d";

#[test]
fn a_death_of_an_earlier_connection_says_nothing() {
    let mut host = Host::default();
    host.hear(NBIRTH, &born(7), at(0));
    host.hear(NBIRTH, &born(8), at(1));
    assert_eq!(lines(&host.hear(NDEATH, &dead(7), at(2))), [""; 0]);
    assert_eq!(
        lines(&host.hear(NDEATH, &dead(8), at(3))),
        ["things/g_n is away: []"]
    );
    assert_eq!(
        lines(&host.hear(NDEATH, &dead(8), at(3))),
        [""; 0],
        "it is known already"
    );
}

#[test]
fn sequence_numbers_go_round() {
    let mut host = Host::default();
    host.hear(NBIRTH, &born(0), at(0));
    let said = named("T", 10, Scalar::Double(2.0));
    for n in 1..600 {
        let says = host.hear(
            NDATA,
            &payload(Some(n % 256), std::slice::from_ref(&said)),
            at(n),
        );
        assert_eq!(lines(&says), [r#"things/g_n is there: [{"T":2.0}]"#], "{n}");
    }
}

#[test]
fn who_was_not_born_is_asked_to_be_but_not_at_every_word() {
    let mut host = Host::default();
    let said = payload(Some(4), &[aliased(1, Scalar::Int(5))]);
    let asked = [
        "refused: (root): comes from `n`, which was not born; the node is asked to be born again",
        "rebirth asked at spBv1.0/g/NCMD/n",
    ];
    assert_eq!(lines(&host.hear(DDATA, &said, at(0))), asked);
    assert_eq!(lines(&host.hear(DDATA, &said, at(4))), [""; 0]);
    assert_eq!(lines(&host.hear(DDATA, &said, at(5))), asked);
    host.hear(NBIRTH, &born(0), at(6));
    assert_eq!(
        lines(&host.hear(
            DDATA,
            &payload(Some(1), &[aliased(1, Scalar::Int(5))]),
            at(20)
        ))[0],
        "refused: (root): says something of `d`, which was not born; the node is asked to be born again"
    );
    host.hear(DBIRTH, &device_born(2, 1), at(21));
    let said = payload(
        Some(3),
        &[aliased(1, Scalar::Int(6)), aliased(2, Scalar::Int(5))],
    );
    assert_eq!(
        lines(&host.hear(DDATA, &said, at(30))),
        [
            r#"things/g_n_d is there: [{"V":6}]"#,
            "refused: (root): says something of the alias 2, which its birth did not have; the node is asked to be born again",
            "rebirth asked at spBv1.0/g/NCMD/n",
        ]
    );
}

#[test]
fn a_birth_may_give_an_alias_another_meaning() {
    let mut host = Host::default();
    host.hear(NBIRTH, &born(0), at(0));
    host.hear(DBIRTH, &device_born(1, 1), at(0));
    host.hear(DBIRTH, &device_born(2, 2), at(0));
    let says = host.hear(
        DDATA,
        &payload(Some(3), &[aliased(2, Scalar::Int(5))]),
        at(0),
    );
    assert_eq!(lines(&says), [r#"things/g_n_d is there: [{"V":5}]"#]);
}

#[test]
fn devices_that_are_not_born_with_their_node_are_away() {
    let mut host = Host::default();
    host.hear(NBIRTH, &born(0), at(0));
    host.hear(DBIRTH, &device_born(1, 1), at(0));
    host.hear("spBv1.0/g/DBIRTH/n/e", &device_born(2, 2), at(0));
    assert_eq!(host.wake_at(), Time::NEVER);
    host.hear(NBIRTH, &born(0), at(10));
    host.hear(DBIRTH, &device_born(1, 1), at(11));
    assert_eq!(host.wake_at(), at(15));
    assert_eq!(lines(&host.wake(at(14))), [""; 0]);
    assert_eq!(lines(&host.wake(at(15))), ["things/g_n_e is away: []"]);
    assert_eq!(host.wake_at(), Time::NEVER);
}

#[test]
fn births_that_were_kept_are_known_again_but_not_in_what_order_things_come() {
    let mut host = Host::default();
    host.recall("$sparkplug/certificates/spBv1.0/g/NBIRTH/n", &born(3));
    host.recall(
        "$sparkplug/certificates/spBv1.0/g/DBIRTH/n/d",
        &device_born(1, 1),
    );
    let says = host.hear(
        DDATA,
        &payload(Some(77), &[aliased(1, Scalar::Int(5))]),
        at(0),
    );
    assert_eq!(lines(&says), [r#"things/g_n_d is there: [{"V":5}]"#]);
    assert_eq!(lines(&host.hear(NDEATH, &dead(2), at(2))), [""; 0]);
    assert_eq!(
        lines(&host.hear(NDEATH, &dead(3), at(2))),
        ["things/g_n is away: []", "things/g_n_d is away: []"]
    );
}

#[test]
fn an_empty_birth_says_that_a_node_is_gone_for_good() {
    let mut host = Host::default();
    host.hear(NBIRTH, &born(0), at(0));
    host.hear(DBIRTH, &device_born(1, 1), at(0));
    host.hear(NBIRTH, &born(0), at(1));
    let gone = lines(&host.hear(NBIRTH, b"", at(2)));
    assert!(gone.contains(&"things/g_n is gone".to_owned()), "{gone:?}");
    assert!(
        gone.contains(&"things/g_n_d is gone".to_owned()),
        "{gone:?}"
    );
    assert_eq!((host.nodes(), host.wake_at()), ((0, 0), Time::NEVER));
}

#[test]
fn who_cannot_do_better_is_not_asked_again_and_again() {
    let mut host = Host::default();
    host.hear(NDATA, &payload(Some(1), &[]), at(0));
    host.hear(NBIRTH, b"\xff", at(1));
    assert_eq!(
        lines(&host.hear(NDATA, &payload(Some(1), &[]), at(100))),
        [""; 0]
    );
    host.hear(NBIRTH, &born(0), at(101));
    host.hear(DBIRTH, b"\xff", at(101));
    assert_eq!(
        lines(&host.hear(DDATA, &payload(Some(1), &[]), at(102))),
        [""; 0]
    );
    assert_eq!(host.nodes(), (1, 3));
    let said = payload(Some(2), &[named("T", 10, Scalar::Double(2.0))]);
    let expected = [r#"things/g_n is there: [{"T":2.0}]"#];
    assert_eq!(lines(&host.hear(NDATA, &said, at(102))), expected);
}

#[test]
fn what_cannot_be_read_is_said() {
    let mut host = Host::default();
    let says = lines(&host.hear(NDATA, b"\xff", at(0)));
    assert!(
        says[0].starts_with("refused: (root): is no payload of Sparkplug B"),
        "{says:?}"
    );
    let many = vec![Metric::default(); 5000];
    let says = lines(&host.hear(NDATA, &payload(Some(0), &many), at(0)));
    assert_eq!(
        says,
        ["refused: (root): has 5000 metrics; at most 4096 are read"]
    );
    let strange = payload(Some(0), &[named("x", 99, Scalar::Int(0))]);
    let says = lines(&host.hear(NBIRTH, &strange, at(0)));
    assert_eq!(
        says[1],
        "refused: x: has the data type 99, which the specification does not have; it is left out"
    );
}

proptest! {
    #[test]
    fn bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        frame in 0..15_usize,
        place in any::<prop::sample::Index>(),
        byte: u8,
        cut in any::<prop::sample::Index>(),
    ) {
        let mut host = Host::default();
        let all = recorded();
        let mut size = 0;
        for (n, (topic, mut frame_bytes)) in all.into_iter().enumerate() {
            if n == frame {
                let at = place.index(frame_bytes.len());
                frame_bytes[at] = byte;
                host.hear(&topic, &bytes, at_n(n));
                host.hear(&topic, &frame_bytes[..cut.index(frame_bytes.len())], at_n(n));
            }
            host.hear(&topic, &frame_bytes, at_n(n));
            host.recall(&format!("$sparkplug/certificates/{topic}"), &frame_bytes);
            size = host.nodes().1;
        }
        host.wake(Time::NEVER);
        prop_assert!(size < 100);
    }
}

fn at_n(n: usize) -> Time {
    at(n as u64)
}
