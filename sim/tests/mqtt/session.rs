//! What outlives a connection (MQTT 5.0, sections 4.1 and 4.4; expiry: 3.3.2.3.3).

use quartet_fabric::mqtt::{Packet, Publish};
use quartet_hub::config::Limits;
use quartet_sim::{Site, connect, on_every_site, publish_at, said};

use crate::{Q0, Q1, Q2, come_back, lasting, seconds};

fn expiring(expiry_s: u32, qos: quartet_model::Qos, id: u16, payload: &str) -> Publish {
    Publish {
        expiry_s: Some(expiry_s),
        ..publish_at(qos, id, "a", payload)
    }
}

fn messages_in(packets: Vec<Packet>) -> Vec<Publish> {
    let message = |packet| match packet {
        Packet::Publish(message) => Some(message),
        _ => None,
    };
    packets.into_iter().filter_map(message).collect()
}

#[test]
fn messages_of_qos_1_and_2_wait_for_who_is_away() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(lasting("ana")),
            site.connected(connect("bob")),
        );
        ana.follow("a", Q2);
        ana.lose();
        for (id, qos) in [(0, Q0), (1, Q1), (2, Q2)] {
            bob.send(publish_at(qos, id, "a", &id.to_string()));
        }
        site.settle();
        let (_, _, waiting) = come_back(site, lasting("ana"));
        let waiting = messages_in(waiting);
        assert_eq!(said(&waiting), ["1", "2"]);
        assert!(waiting.iter().all(|message| !message.dup));
    });
}

#[test]
fn mqtt_3_3_2_5_to_6_what_waits_counts_down_and_expires() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(lasting("ana")),
            site.connected(connect("bob")),
        );
        ana.follow("a", Q1);
        ana.lose();
        bob.send(expiring(10, Q1, 1, "short"));
        bob.send(expiring(100, Q1, 2, "long"));
        site.pass(seconds(10));
        let (_, _, waiting) = come_back(site, lasting("ana"));
        let waiting = messages_in(waiting);
        assert_eq!(said(&waiting), ["long"]);
        assert_eq!(waiting[0].expiry_s, Some(90));
    });
}

#[test]
fn mqtt_4_3_3_7_and_13_what_was_sent_once_is_completed_though_it_expired() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(lasting("ana")),
            site.connected(lasting("bob")),
        );
        ana.follow("a", Q2);
        bob.send(expiring(10, Q2, 1, "x"));
        let sent = messages_in(ana.receive());
        ana.lose();
        site.pass(seconds(20));
        let (ana, _, again) = come_back(site, lasting("ana"));
        let again = messages_in(again);
        assert_eq!((again.len(), again[0].packet_id), (1, sent[0].packet_id));
        site.pass(seconds(20));
        ana.acknowledge(Packet::PubRec, sent[0].packet_id);
        assert!(matches!(ana.answer(), Packet::PubRel(_)));
        // The one who said it is answered to the end, too.
        assert!(matches!(bob.answer(), Packet::PubRec(_)));
        bob.acknowledge(Packet::PubRel, 1);
        assert!(matches!(bob.answer(), Packet::PubComp(_)));
    });
}

#[test]
fn a_message_that_expires_at_once_reaches_nobody_and_is_answered() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(connect("ana")),
            site.connected(connect("bob")),
        );
        ana.follow("a", Q2);
        // [MQTT-4.3.3-13]
        assert!(matches!(
            bob.ask(expiring(0, Q2, 1, "x")),
            Packet::PubRec(_)
        ));
        assert_eq!(ana.messages(), []);
        bob.acknowledge(Packet::PubRel, 1);
        assert!(matches!(bob.answer(), Packet::PubComp(_)));
    });
}

#[test]
fn packet_identifiers_go_round_and_none_is_used_twice() {
    let site = Site::with_limits(Limits {
        publish_rate_max: 0,
        ..Limits::default()
    });
    let (ana, bob) = (
        site.connected(lasting("ana")),
        site.connected(connect("bob")),
    );
    ana.follow("a", Q1);
    let mut last = 0;
    for _ in 0..70_000 {
        bob.send(publish_at(Q1, 1, "a", "x"));
        let Packet::Publish(message) = ana.answer() else {
            panic!("no message");
        };
        let expected = if last == u16::MAX { 1 } else { last + 1 };
        assert_eq!(message.packet_id, expected);
        last = message.packet_id;
        bob.receive();
        ana.acknowledge(Packet::PubAck, last);
    }
}

#[test]
fn what_waits_for_who_is_away_is_bounded() {
    let site = Site::with_limits(Limits {
        queue_messages_max: 3,
        ..Limits::default()
    });
    let (ana, bob) = (
        site.connected(lasting("ana")),
        site.connected(connect("bob")),
    );
    ana.follow("a", Q1);
    ana.lose();
    for id in 1..=5 {
        bob.send(publish_at(Q1, id, "a", &id.to_string()));
    }
    let (_, _, waiting) = come_back(&site, lasting("ana"));
    assert_eq!(said(&messages_in(waiting)), ["1", "2", "3"]);
}
