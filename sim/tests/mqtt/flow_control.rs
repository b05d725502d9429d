//! How much may be on its way (MQTT 5.0, sections 3.3.4 and 4.9).

use quartet_fabric::mqtt::{Connect, Packet, Property, Reason};
use quartet_hub::config::Limits;
use quartet_sim::{Site, connect, on_every_site, publish_at, reasons, said, subscribe};

use crate::{Q0, Q1, Q2, come_back, lasting, millis};

fn taking(messages: u16, client_id: &str) -> Connect {
    let mut connect = lasting(client_id);
    let receive_maximum = Property::ReceiveMaximum(messages);
    connect.properties.push(receive_maximum);
    connect
}

fn ids(packets: &[Packet]) -> Vec<u16> {
    let ids = packets.iter().filter_map(|packet| match packet {
        Packet::Publish(message) => Some(message.packet_id),
        _ => None,
    });
    ids.collect()
}

#[test]
fn mqtt_3_3_4_9_and_4_9_0_1_to_2_no_more_is_sent_than_the_client_takes() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(taking(2, "ana")),
            site.connected(connect("bob")),
        );
        ana.follow("a", Q2);
        for id in 1..=5 {
            let qos = if id % 2 == 0 { Q1 } else { Q2 };
            bob.send(publish_at(qos, id, "a", "x"));
        }
        let [first, second] = ids(&ana.receive())[..] else {
            panic!("the client takes two messages");
        };
        // A PUBREC is not the end of a message, a PUBCOMP is.
        ana.acknowledge(Packet::PubRec, first);
        assert!(ids(&ana.receive()).is_empty());
        ana.acknowledge(Packet::PubComp, first);
        let [third] = ids(&ana.receive())[..] else {
            panic!("one message is done");
        };
        ana.acknowledge(Packet::PubAck, second);
        let [fourth] = ids(&ana.receive())[..] else {
            panic!("one message is done");
        };
        // Neither may come a fifth one; a refusal ends a message, too.
        ana.acknowledge_with(Packet::PubRec, third, Reason::QuotaExceeded);
        assert_eq!(ids(&ana.receive()).len(), 1);
        ana.acknowledge(Packet::PubAck, fourth);
        assert!(ids(&ana.receive()).is_empty());
    });
}

#[test]
fn who_comes_back_and_takes_less_gets_less_at_a_time() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(taking(9, "ana")),
            site.connected(connect("bob")),
        );
        ana.follow("a", Q2);
        for id in 1..=6 {
            let qos = if id % 2 == 0 { Q1 } else { Q2 };
            bob.send(publish_at(qos, id, "a", &id.to_string()));
        }
        let first = ids(&ana.receive());
        assert_eq!(first.len(), 6);
        ana.lose();
        bob.send(publish_at(Q1, 7, "a", "7"));
        // [MQTT-3.3.4-9]
        let (ana, _, again) = come_back(site, taking(2, "ana"));
        assert_eq!(ids(&again), first[..2]);
        ana.acknowledge(Packet::PubAck, first[1]);
        assert_eq!(ids(&ana.receive()), first[2..3]);
        ana.acknowledge(Packet::PubRec, first[0]);
        ana.acknowledge(Packet::PubComp, first[0]);
        ana.acknowledge(Packet::PubRec, first[2]);
        ana.acknowledge(Packet::PubComp, first[2]);
        let messages = ana.messages();
        assert_eq!(said(&messages), ["4", "5", "6", "7"]);
    });
}

#[test]
fn mqtt_3_3_4_10_and_4_9_0_3_other_packets_do_not_wait() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(taking(1, "ana")),
            site.connected(connect("bob")),
        );
        ana.follow("a", Q1);
        for id in 1..=3 {
            bob.send(publish_at(Q1, id, "a", "x"));
        }
        assert_eq!(ids(&ana.receive()).len(), 1);
        assert_eq!(ana.ask(Packet::PingReq), Packet::PingResp);
        assert_eq!(
            reasons(&ana.ask(subscribe(1, &[("b", Q1)]))),
            [Reason::GrantedQos1]
        );
        assert!(matches!(
            ana.ask(publish_at(Q2, 1, "c", "x")),
            Packet::PubRec(_)
        ));
        // Neither do messages of QoS 0.
        bob.send(publish_at(Q0, 0, "a", "now"));
        assert_eq!(ids(&ana.receive()), [0]);
    });
}

#[test]
fn mqtt_3_3_4_7_whoever_sends_more_than_the_hub_takes_is_refused() {
    let site = Site::with_limits(Limits {
        receive_maximum: 3,
        ..Limits::default()
    });
    let ana = site.connected(connect("ana"));
    for id in 1..=3 {
        ana.send(publish_at(Q2, id, "a", "x"));
    }
    ana.acknowledge(Packet::PubRel, 1);
    ana.send(publish_at(Q2, 4, "a", "x"));
    assert_eq!(ana.receive().len(), 5);
    // QoS 1 is answered at once and never too much.
    ana.send(publish_at(Q2, 5, "a", "x"));
    let words = ana.last_words();
    assert_eq!(reasons(&words[0]), [Reason::ReceiveMaximumExceeded]);
}

#[test]
fn what_a_slow_client_cannot_take_waits_and_is_sent_later() {
    let site = Site::with_limits(Limits {
        outbox_bytes_max: 4096,
        queue_messages_max: 50,
        ..Limits::default()
    });
    let (ana, bob) = (
        site.connected(connect("ana")),
        site.connected(connect("bob")),
    );
    ana.follow("a", Q1);
    ana.take_only(0);
    let long = "x".repeat(1000);
    for id in 1..=100 {
        bob.send(publish_at(Q1, id, "a", &long));
    }
    assert_eq!(ana.receive(), []);
    ana.take_only(usize::MAX);
    let messages = ana.messages();
    // What is in the socket's buffer and in the queue; the rest was dropped and counted.
    assert!((50..60).contains(&messages.len()), "{}", messages.len());
}

#[test]
fn who_publishes_too_fast_waits_and_loses_nothing() {
    let site = Site::with_limits(Limits {
        publish_rate_max: 10,
        publish_burst: 5,
        ..Limits::default()
    });
    let (ana, bob) = (
        site.connected(connect("ana")),
        site.connected(connect("bob")),
    );
    ana.follow("a", Q0);
    for id in 1..=15 {
        bob.send(publish_at(Q1, id, "a", &id.to_string()));
    }
    assert_eq!(ana.messages().len(), 5);
    assert_eq!(bob.receive().len(), 5);
    site.pass(millis(500));
    let soon = ana.messages().len();
    assert!((3..=6).contains(&soon), "{soon}");
    site.pass(millis(1000));
    assert_eq!(soon + ana.messages().len(), 10);
    assert_eq!(bob.receive().len(), 10);
}
