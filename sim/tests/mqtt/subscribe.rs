//! SUBSCRIBE and UNSUBSCRIBE (MQTT 5.0, sections 3.8 to 3.11 and 4.7).

use quartet_fabric::mqtt::{
    Connect, Packet, Properties, Property, Reason, Subscribe, SubscribeFilter,
};
use quartet_hub::config::Limits;
use quartet_model::Said;
use quartet_sim::{
    Site, connect, filter, on_every_site, publish, publish_at, reasons, said, subscribe, topics,
    unsubscribe,
};

use crate::{Q0, Q1, Q2};

const GRANTED: [Reason; 3] = [Reason::Success, Reason::GrantedQos1, Reason::GrantedQos2];

/// Which of `topics` somebody gets who follows `filter`.
fn heard(site: &Site, filter: &str, said_at: &[&str]) -> Vec<String> {
    let (ana, bob) = (
        site.connected(connect("ana")),
        site.connected(connect("bob")),
    );
    ana.follow(filter, Q0);
    for topic in said_at {
        bob.send(publish(topic, "x"));
    }
    topics(&ana.messages())
}

#[test]
fn mqtt_3_8_4_1_to_2_and_5_to_7_each_filter_is_answered_in_one_suback() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        let answer = ana.ask(subscribe(
            77,
            &[("a", Q2), ("b", Q0), ("c/#/d", Q1), ("d", Q1), ("a", Q1)],
        ));
        let Packet::SubAck(suback) = &answer else {
            panic!("no SUBACK");
        };
        assert_eq!(suback.packet_id, 77);
        let [q0, q1, q2] = GRANTED;
        // In order [MQTT-3.9.3-1], with codes that a SUBACK may have [MQTT-3.9.3-2].
        assert_eq!(suback.reasons, [q2, q0, Reason::TopicFilterInvalid, q1, q1]);
        // The last one for `a` counts, as if they had come one after the other.
        let bob = site.connected(connect("bob"));
        for topic in ["a", "b", "d"] {
            bob.send(publish_at(Q1, 1, topic, "x"));
        }
        let messages = ana.messages();
        assert_eq!(topics(&messages), ["a", "b", "d"]);
        assert_eq!(messages[0].qos, Q1);
    });
}

#[test]
fn mqtt_4_7_1_1_to_2_and_4_7_3_1_and_4_8_2_1_to_2_a_filter_that_is_none_is_refused() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        for wrong in [
            "",
            "a#",
            "#/a",
            "a/#/b",
            "a+",
            "+a/b",
            "a/b+",
            "$share",
            "$share/",
            "$share/s",
            "$share/s/",
            "$share//a",
            "$share/a+/b",
            "$share/#/b",
            "$share/s/a#",
        ] {
            let answer = ana.ask(subscribe(1, &[(wrong, Q0)]));
            assert_eq!(reasons(&answer), [Reason::TopicFilterInvalid], "{wrong}");
            let answer = ana.ask(unsubscribe(1, &[wrong]));
            assert_eq!(reasons(&answer), [Reason::TopicFilterInvalid], "{wrong}");
        }
    });
}

#[test]
fn mqtt_4_7_1_1_and_4_7_1_2_wildcards_stand_for_levels() {
    on_every_site(|site| {
        let said_at = [
            "sport",
            "sport/tennis",
            "sport/tennis/p1",
            "/finance",
            "sport/",
        ];
        for (filter, expected) in [
            ("#", &said_at[..]),
            (
                "sport/#",
                &["sport", "sport/tennis", "sport/tennis/p1", "sport/"],
            ),
            ("sport/+", &["sport/tennis", "sport/"]),
            ("+", &["sport"]),
            ("/+", &["/finance"]),
            ("+/+", &["sport/tennis", "/finance", "sport/"]),
            ("+/tennis/#", &["sport/tennis", "sport/tennis/p1"]),
        ] {
            assert_eq!(heard(site, filter, &said_at), expected, "{filter}");
        }
    });
}

#[test]
fn mqtt_4_7_2_1_wildcards_at_the_start_do_not_match_dollar_topics() {
    on_every_site(|site| {
        let (all, one) = (
            site.connected(connect("all")),
            site.connected(connect("one")),
        );
        let named = site.connected(connect("named"));
        all.follow("#", Q0);
        one.follow("+/uptime", Q0);
        named.follow("$SYS/+", Q0);
        site.announce(Said::state("$SYS/uptime", "7"));
        assert_eq!(all.messages(), []);
        assert_eq!(one.messages(), []);
        assert_eq!(topics(&named.messages()), ["$SYS/uptime"]);
        // Retained ones neither.
        let late = site.connected(connect("late"));
        late.send(subscribe(1, &[("#", Q0), ("+/uptime", Q0)]));
        assert_eq!(late.messages(), []);
    });
}

#[test]
fn mqtt_4_7_3_2_to_3_topics_may_be_long_but_not_without_end() {
    let site = Site::with_limits(Limits {
        topic_levels_max: 65_535,
        ..Limits::default()
    });
    let long = "x".repeat(65_535);
    assert_eq!(heard(&site, &long, &[&long]), std::slice::from_ref(&long));
    // Filters with U+0000 are no text: see `mqtt_1_5_4_1…`.
    let ana = site.connected(connect("ana"));
    ana.send(subscribe(1, &[("a\0b", Q0)]));
    let words = ana.last_words();
    assert_eq!(reasons(&words[0]), [Reason::MalformedPacket]);
}

#[test]
fn mqtt_3_8_4_3_to_4_the_same_filter_again_replaces_the_subscription() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(connect("ana")),
            site.connected(connect("bob")),
        );
        ana.follow("a/+", Q0);
        bob.send(quartet_fabric::mqtt::Publish {
            retain: true,
            ..publish("a/b", "kept")
        });
        assert_eq!(ana.messages().len(), 1);
        ana.send(subscribe(2, &[("a/+", Q1)]));
        let again = ana.messages();
        assert_eq!(said(&again), ["kept"]);
        assert!(again[0].retain);
        bob.send(publish_at(Q1, 1, "a/b", "x"));
        let messages = ana.messages();
        assert_eq!(messages.len(), 1, "one subscription, one message");
        assert_eq!(messages[0].qos, Q1);
    });
}

#[test]
fn mqtt_3_8_3_3_who_wants_no_echo_gets_none() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(connect("ana")),
            site.connected(connect("bob")),
        );
        for client in [&ana, &bob] {
            let mut packet = subscribe(1, &[]);
            packet.filters.push(SubscribeFilter {
                no_local: true,
                ..filter("a", Q0)
            });
            client.send(packet);
            client.receive();
        }
        ana.send(publish("a", "x"));
        assert_eq!(ana.messages(), []);
        assert_eq!(bob.messages().len(), 1);
        // Neither by the way of the lane that keeps the topic.
        ana.send(quartet_fabric::mqtt::Publish {
            retain: true,
            ..publish("a", "x")
        });
        assert_eq!(ana.messages(), []);
        assert_eq!(bob.messages().len(), 1);
        // Another filter that wants an echo gets it.
        ana.send(subscribe(2, &[("+", Q0)]));
        assert_eq!(ana.messages().len(), 1);
        ana.send(publish("a", "x"));
        assert_eq!(ana.messages().len(), 1);
    });
}

fn with_id(id: u32, filters: &[(&str, quartet_model::Qos)]) -> Subscribe {
    Subscribe {
        properties: Properties::none().with(Property::SubscriptionIdentifier(id)),
        ..subscribe(1, filters)
    }
}

#[test]
fn mqtt_3_3_4_3_to_4_a_message_names_the_subscriptions_that_it_is_for() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(connect("ana")),
            site.connected(connect("bob")),
        );
        ana.send(with_id(5, &[("a/+", Q0)]));
        ana.send(with_id(300, &[("a/#", Q1)]));
        ana.send(with_id(268_435_455, &[("a/b/c", Q1)]));
        ana.send(subscribe(1, &[("#", Q0)]));
        assert_eq!(ana.receive().len(), 4);
        for (topic, expected) in [
            ("a/b", &[5, 300][..]),
            ("a", &[300]),
            ("b", &[]),
            ("a/b/c", &[300, 268_435_455]),
        ] {
            bob.send(publish_at(Q1, 1, topic, "x"));
            let messages = ana.messages();
            assert_eq!(messages.len(), 1);
            let mut ids = messages[0].subscription_ids.clone();
            ids.sort_unstable();
            assert_eq!(ids, expected, "{topic}");
        }
        // The same filter with another identifier, or none.
        ana.send(with_id(6, &[("a/+", Q0)]));
        ana.send(subscribe(1, &[("a/#", Q1)]));
        ana.receive();
        bob.send(publish("a/b", "x"));
        assert_eq!(ana.messages()[0].subscription_ids, [6]);
    });
}

#[test]
fn mqtt_3_10_4_1_to_2_and_4_to_6_each_filter_is_taken_back_in_one_unsuback() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(connect("ana")),
            site.connected(connect("bob")),
        );
        let all = [("a/+", Q0), ("a/b", Q0), ("A/b", Q0), ("$share/s/a/b", Q0)];
        ana.send(subscribe(1, &all));
        ana.receive();
        bob.follow("a/+", Q0);
        let answer = ana.ask(unsubscribe(
            9,
            &["a/b", "a/#", "a/b", "$share/t/a/b", "$share/s/a/b"],
        ));
        let Packet::UnsubAck(unsuback) = &answer else {
            panic!("no UNSUBACK");
        };
        assert_eq!(unsuback.packet_id, 9);
        // In order [MQTT-3.11.3-1], with codes that an UNSUBACK may have [MQTT-3.11.3-2].
        let (gone, none) = (Reason::Success, Reason::NoSubscriptionExisted);
        assert_eq!(unsuback.reasons, [gone, none, none, none, gone]);
        bob.send(publish("a/b", "x"));
        assert_eq!(ana.messages().len(), 1, "a/+ is still there");
        ana.send(unsubscribe(10, &["a/+", "A/b"]));
        ana.receive();
        bob.send(publish("a/b", "x"));
        bob.send(publish("A/b", "x"));
        assert_eq!(ana.messages(), []);
        assert_eq!(bob.messages().len(), 2);
    });
}

#[test]
fn mqtt_3_10_4_3_what_was_begun_to_be_sent_is_completed() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(crate::lasting("ana")),
            site.connected(connect("bob")),
        );
        ana.follow("a", Q2);
        bob.send(publish_at(Q2, 1, "a", "x"));
        let sent = ana.answer();
        let Packet::Publish(message) = &sent else {
            panic!("{sent:?}");
        };
        assert!(matches!(
            ana.ask(unsubscribe(1, &["a"])),
            Packet::UnsubAck(_)
        ));
        ana.lose();
        let (ana, _, again) = crate::come_back(site, crate::lasting("ana"));
        assert!(matches!(&again[..], [Packet::Publish(m)] if m.packet_id == message.packet_id));
        ana.acknowledge(Packet::PubRec, message.packet_id);
        assert!(matches!(ana.answer(), Packet::PubRel(_)));
        ana.acknowledge(Packet::PubComp, message.packet_id);
        assert_eq!(ana.receive(), []);
    });
}

#[test]
fn a_session_can_have_so_many_subscriptions_and_not_more() {
    let site = Site::with_limits(Limits {
        subscriptions_max: 2,
        ..Limits::default()
    });
    let ana = site.connected(connect("ana"));
    let all = [("a", Q0), ("$share/s/b", Q0), ("c", Q0)];
    let answer = ana.ask(subscribe(1, &all));
    let [q0, ..] = GRANTED;
    assert_eq!(reasons(&answer), [q0, q0, Reason::QuotaExceeded]);
    // What is there already may change.
    let answer = ana.ask(subscribe(1, &[("a", Q1), ("$share/s/b", Q1)]));
    assert_eq!(reasons(&answer), [Reason::GrantedQos1; 2]);
}

#[test]
fn mqtt_3_9_2_1_to_2_a_suback_that_would_be_too_large_comes_without_its_reason() {
    on_every_site(|site| {
        let ana = site.connected(Connect {
            properties: Properties::none().with(Property::MaximumPacketSize(20)),
            ..connect("ana")
        });
        let Packet::SubAck(suback) = ana.ask(subscribe(1, &[("a#", Q0)])) else {
            panic!("no SUBACK");
        };
        assert!(suback.properties.is_empty());
        let ana = site.connected(connect("ana"));
        let Packet::SubAck(suback) = ana.ask(subscribe(1, &[("a#", Q0)])) else {
            panic!("no SUBACK");
        };
        assert!(!suback.properties.is_empty());
    });
}
