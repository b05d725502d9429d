//! PUBLISH and its acknowledgements (MQTT 5.0, sections 3.3 to 3.7 and 4.3).

use quartet_fabric::mqtt::{Ack, Packet, Publish, Reason};
use quartet_sim::{connect, on_every_site, publish, publish_at, reasons, said, subscribe, topics};

use crate::{Q0, Q1, Q2, come_back, lasting, seconds};

fn ack_of(packet: &Packet) -> (u8, u16, Reason) {
    match packet {
        Packet::PubAck(ack) => (4, ack.packet_id, ack.reason),
        Packet::PubRec(ack) => (5, ack.packet_id, ack.reason),
        Packet::PubRel(ack) => (6, ack.packet_id, ack.reason),
        Packet::PubComp(ack) => (7, ack.packet_id, ack.reason),
        other => panic!("no acknowledgement: {other:?}"),
    }
}

fn message_in(packets: &[Packet]) -> &Publish {
    match packets {
        [Packet::Publish(publish)] => publish,
        other => panic!("not one message: {other:?}"),
    }
}

// [sparkplug tck-id-conformance-mqtt-qos0 tck-id-conformance-mqtt-qos1]
#[test]
fn mqtt_3_3_4_1_and_4_3_2_4_and_4_3_3_8_and_11_each_qos_has_its_answers() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        site.connected(connect("bob")).follow("a", Q0);
        ana.send(publish("a", "x"));
        assert_eq!(ana.receive(), []);
        let answer = ana.ask(publish_at(Q1, 7, "a", "x"));
        assert_eq!(ack_of(&answer), (4, 7, Reason::Success));
        let answer = ana.ask(publish_at(Q2, 8, "a", "x"));
        assert_eq!(ack_of(&answer), (5, 8, Reason::Success));
        ana.acknowledge(Packet::PubRel, 8);
        assert_eq!(ack_of(&ana.answer()), (7, 8, Reason::Success));
    });
}

// [sparkplug tck-id-conformance-mqtt-qos0]
#[test]
fn mqtt_2_2_1_2_and_4_3_1_1_a_message_of_qos_0_has_no_identifier_and_no_dup() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        ana.follow("a", Q2);
        site.connected(connect("bob")).send(publish("a", "x"));
        // Topic, no identifier, no properties, payload.
        let bytes = ana.receive_bytes();
        assert_eq!(bytes, [0x30, 5, 0, 1, b'a', 0, b'x']);
    });
}

#[test]
fn mqtt_2_2_1_4_and_4_3_2_1_to_2_and_4_3_3_1_to_2_each_message_has_an_identifier_of_its_own() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(connect("ana")),
            site.connected(connect("bob")),
        );
        ana.follow("a", Q2);
        for id in 1..=20 {
            bob.send(publish_at(if id % 2 == 0 { Q1 } else { Q2 }, id, "a", "x"));
        }
        let mut ids = Vec::new();
        for packet in ana.receive() {
            let Packet::Publish(message) = packet else {
                panic!("{packet:?}");
            };
            assert!(!message.dup);
            assert_ne!(message.packet_id, 0);
            assert!(!ids.contains(&message.packet_id));
            ids.push(message.packet_id);
        }
        assert_eq!(ids.len(), 20);
    });
}

#[test]
fn mqtt_2_2_1_5_to_6_answers_bear_the_identifier_of_what_they_answer() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        for id in [1, 258, u16::MAX] {
            assert_eq!(ack_of(&ana.ask(publish_at(Q1, id, "a", "x"))).1, id);
            assert_eq!(ack_of(&ana.ask(publish_at(Q2, id, "a", "x"))).1, id);
            ana.acknowledge(Packet::PubRel, id);
            assert_eq!(ack_of(&ana.answer()).1, id);
            let Packet::SubAck(suback) = ana.ask(subscribe(id, &[("b", Q0)])) else {
                panic!("no SUBACK");
            };
            let Packet::UnsubAck(unsuback) = ana.ask(quartet_sim::unsubscribe(id, &["b"])) else {
                panic!("no UNSUBACK");
            };
            assert_eq!((suback.packet_id, unsuback.packet_id), (id, id));
        }
    });
}

// [sparkplug tck-id-conformance-mqtt-qos1]
#[test]
fn mqtt_3_3_1_1_and_4_3_2_3_and_4_4_0_1_what_was_not_acknowledged_is_sent_again_as_it_was() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(lasting("ana")),
            site.connected(connect("bob")),
        );
        ana.follow("a", Q2);
        bob.send(publish_at(Q1, 1, "a", "one"));
        bob.send(publish_at(Q2, 2, "a", "two"));
        let first = ana.receive();
        site.pass(seconds(60));
        assert_eq!(
            ana.receive(),
            [],
            "messages are not repeated on a connection"
        );
        ana.lose();
        let (_, _, again) = come_back(site, lasting("ana"));
        let with_dup = first.into_iter().map(|packet| match packet {
            Packet::Publish(publish) => Packet::Publish(Publish {
                dup: true,
                ..publish
            }),
            other => other,
        });
        assert_eq!(again, with_dup.collect::<Vec<_>>());
    });
}

#[test]
fn mqtt_3_3_1_3_dup_is_not_passed_on() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        ana.follow("a", Q2);
        let again = Publish {
            dup: true,
            ..publish_at(Q1, 1, "a", "x")
        };
        site.connected(connect("bob")).send(again);
        assert!(!message_in(&ana.receive()).dup);
    });
}

#[test]
fn mqtt_4_3_3_3_to_6_a_message_of_qos_2_goes_through_its_four_steps() {
    on_every_site(|site| {
        let (mut ana, bob) = (
            site.connected(lasting("ana")),
            site.connected(connect("bob")),
        );
        ana.follow("a", Q2);
        bob.send(publish_at(Q2, 1, "a", "x"));
        let id = message_in(&ana.receive()).packet_id;
        // Unacknowledged until PUBREC…
        ana.lose();
        let (back, _, packets) = come_back(site, lasting("ana"));
        ana = back;
        assert_eq!(message_in(&packets).packet_id, id);
        ana.acknowledge(Packet::PubRec, id);
        assert_eq!(ack_of(&ana.answer()), (6, id, Reason::Success));
        // …then the PUBREL is, until PUBCOMP; the message is not sent again.
        ana.lose();
        let (ana, _, packets) = come_back(site, lasting("ana"));
        assert_eq!(packets.len(), 1);
        assert_eq!(ack_of(&packets[0]), (6, id, Reason::Success));
        ana.acknowledge(Packet::PubComp, id);
        ana.lose();
        assert_eq!(come_back(site, lasting("ana")).2, []);
    });
}

#[test]
fn mqtt_4_3_2_5_after_puback_the_same_identifier_is_a_new_message() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(connect("ana")),
            site.connected(connect("bob")),
        );
        ana.follow("a", Q2);
        for dup in [false, true] {
            bob.send(Publish {
                dup,
                ..publish_at(Q1, 1, "a", "x")
            });
            assert_eq!(ana.messages().len(), 1);
        }
    });
}

#[test]
fn mqtt_4_3_3_10_and_12_until_pubrel_the_same_identifier_is_the_same_message() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(connect("ana")),
            site.connected(lasting("bob")),
        );
        ana.follow("a", Q2);
        for dup in [false, true] {
            let answer = bob.ask(Publish {
                dup,
                ..publish_at(Q2, 1, "a", "x")
            });
            assert_eq!(ack_of(&answer), (5, 1, Reason::Success));
        }
        bob.lose();
        let (bob, _, _) = come_back(site, lasting("bob"));
        bob.send(publish_at(Q2, 1, "a", "x"));
        bob.acknowledge(Packet::PubRel, 1);
        bob.receive();
        assert_eq!(ana.messages().len(), 1);
        bob.send(publish_at(Q2, 1, "a", "x"));
        assert_eq!(ana.messages().len(), 1);
    });
}

#[test]
fn mqtt_4_3_3_9_what_was_refused_may_be_said_anew_with_its_identifier() {
    on_every_site(|site| {
        let bob = site.connected(connect("bob"));
        let answer = bob.ask(publish_at(Q2, 1, "$SYS/x", "x"));
        assert_eq!(ack_of(&answer), (5, 1, Reason::NotAuthorized));
        let ana = site.connected(connect("ana"));
        ana.follow("a", Q2);
        let answer = bob.ask(publish_at(Q2, 1, "a", "x"));
        assert_eq!(ack_of(&answer), (5, 1, Reason::Success));
        assert_eq!(ana.messages().len(), 1);
    });
}

#[test]
fn mqtt_4_4_0_2_and_4_8_2_6_what_the_client_refused_is_not_sent_again() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(lasting("ana")),
            site.connected(connect("bob")),
        );
        let eve = site.connected(connect("eve"));
        ana.follow("$share/s/a", Q2);
        for (id, qos, kind) in [
            (1, Q1, Packet::PubAck as fn(Ack) -> Packet),
            (2, Q2, Packet::PubRec),
        ] {
            bob.send(publish_at(qos, id, "a", "x"));
            let sent = message_in(&ana.receive()).packet_id;
            if id == 2 {
                eve.follow("$share/s/a", Q2);
            }
            ana.acknowledge_with(kind, sent, Reason::QuotaExceeded);
            assert_eq!(ana.receive(), [], "no PUBREL follows a refusal");
        }
        ana.lose();
        assert_eq!(come_back(site, lasting("ana")).2, []);
        assert_eq!(eve.receive(), []);
    });
}

#[test]
fn mqtt_3_8_4_8_and_3_3_4_2_a_message_comes_once_at_the_lower_of_both_qos() {
    on_every_site(|site| {
        for granted in [Q0, Q1, Q2] {
            for published in [Q0, Q1, Q2] {
                let ana = site.connected(connect("ana"));
                ana.follow("a/b", granted);
                let id = u16::from(published != Q0);
                let bob = site.connected(connect("bob"));
                bob.send(publish_at(published, id, "a/b", "x"));
                let messages = ana.messages();
                assert_eq!(messages.len(), 1);
                assert_eq!(messages[0].qos, granted.min(published));
                // At the highest of what overlapping filters ask for.
                ana.follow("a/+", Q1);
                ana.follow("#", Q0);
                bob.send(publish_at(published, id * 2, "a/b", "x"));
                let messages = ana.messages();
                assert_eq!(messages.len(), 1);
                assert_eq!(messages[0].qos, granted.max(Q1).min(published));
            }
        }
    });
}

#[test]
fn mqtt_3_3_2_3_and_4_7_3_4_only_what_matches_comes_and_names_are_not_changed() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(connect("ana")),
            site.connected(connect("bob")),
        );
        ana.follow("Ward/+/ä", Q0);
        ana.follow("/finish", Q0);
        for topic in [
            "Ward/3/ä",
            "ward/3/ä",
            "Ward/3/a\u{308}",
            "Ward/3/ä/",
            "Ward//ä",
            "Ward/\u{feff}3/ä",
            "finish",
            "/finish",
            "//finish",
        ] {
            bob.send(publish(topic, "x"));
        }
        assert_eq!(
            topics(&ana.messages()),
            ["Ward/3/ä", "Ward//ä", "Ward/\u{feff}3/ä", "/finish"]
        );
    });
}

#[test]
fn mqtt_1_5_4_3_a_byte_order_mark_stays_where_it_is() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(connect("ana")),
            site.connected(connect("bob")),
        );
        ana.follow("\u{feff}a", Q0);
        bob.send(publish("a", "without"));
        bob.send(publish("\u{feff}a", "with"));
        assert_eq!(said(&ana.messages()), ["with"]);
    });
}

#[test]
fn mqtt_4_5_0_1_to_2_everyone_who_asked_gets_the_message_once() {
    on_every_site(|site| {
        let here: Vec<_> = (0..8)
            .map(|n| {
                let client = site.connected(lasting(&format!("here{n}")));
                client.follow("a/#", Q2);
                client
            })
            .collect();
        for n in 0..8 {
            let away = site.connected(lasting(&format!("away{n}")));
            away.follow("+/b", Q1);
            away.lose();
        }
        site.connected(connect("bob"))
            .send(publish_at(Q2, 1, "a/b", "x"));
        assert!(here.iter().all(|client| client.messages().len() == 1));
        for n in 0..8 {
            let (client, _, waiting) = come_back(site, lasting(&format!("away{n}")));
            assert_eq!(waiting.len() + client.messages().len(), 1);
        }
    });
}

#[test]
fn mqtt_4_6_0_1_to_6_messages_and_answers_keep_their_order() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(lasting("ana")),
            site.connected(connect("bob")),
        );
        ana.follow("a", Q2);
        let say = |ids: std::ops::RangeInclusive<u16>| {
            for id in ids {
                let qos = if id % 2 == 0 { Q1 } else { Q2 };
                bob.send(publish_at(qos, id, "a", &id.to_string()));
            }
        };
        say(1..=6);
        // Each is answered in its turn: PUBACK and PUBREC as the messages came.
        let answered: Vec<u16> = bob.receive().iter().map(|p| ack_of(p).1).collect();
        assert_eq!(answered, [1, 2, 3, 4, 5, 6]);
        let sent = |packets: &[Packet]| -> Vec<(u16, String)> {
            let messages = packets.iter().map(|packet| match packet {
                Packet::Publish(m) => (m.packet_id, said(std::slice::from_ref(m)).remove(0)),
                other => panic!("{other:?}"),
            });
            messages.collect()
        };
        let first = sent(&ana.receive());
        let payloads: Vec<&str> = first.iter().map(|(_, payload)| &**payload).collect();
        assert_eq!(payloads, ["1", "2", "3", "4", "5", "6"]);
        // And the same once more, in the same order.
        ana.lose();
        say(7..=8);
        let (ana, _, again) = come_back(site, lasting("ana"));
        let again = sent(&again);
        assert_eq!(again[..6], first[..]);
        assert_eq!([&*again[6].1, &*again[7].1], ["7", "8"]);
        // PUBREL follows PUBREC in the order of the PUBRECs.
        let odd: Vec<u16> = [4, 0, 2].map(|n: usize| again[n].0).to_vec();
        for &id in &odd {
            ana.acknowledge(Packet::PubRec, id);
        }
        let released: Vec<u16> = ana.receive().iter().map(|p| ack_of(p).1).collect();
        assert_eq!(released, odd);
    });
}

#[test]
fn whoever_says_something_that_nobody_asked_for_is_told_so() {
    on_every_site(|site| {
        let bob = site.connected(connect("bob"));
        let answer = bob.ask(publish_at(Q1, 1, "a", "x"));
        assert_eq!(reasons(&answer), [Reason::NoMatchingSubscribers]);
    });
}

#[test]
fn a_late_or_needless_acknowledgement_does_no_harm() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        ana.acknowledge(Packet::PubAck, 9);
        ana.acknowledge(Packet::PubComp, 9);
        assert_eq!(ana.receive(), []);
        ana.acknowledge(Packet::PubRec, 9);
        let answer = ana.answer();
        assert_eq!(ack_of(&answer), (6, 9, Reason::PacketIdentifierNotFound));
        ana.acknowledge(Packet::PubRel, 9);
        let answer = ana.answer();
        assert_eq!(ack_of(&answer), (7, 9, Reason::PacketIdentifierNotFound));
    });
}
