//! What is passed on unaltered, what is between two neighbours, what is left out (MQTT 5.0,
//! sections 2.2.2, 3.1.2.11 and 3.3.2.3).

use bytes::Bytes;
use quartet_fabric::mqtt::{
    Connect, Packet, Properties, Property, Publish, Reason, SubAck, SubscribeFilter, Version,
};
use quartet_sim::{
    Client, Site, connect, connect_as, disconnect, filter, frame, on_every_site, publish,
    publish_at, said, subscribe, text, topics, unsubscribe,
};

use crate::{Q0, Q1, Q2, come_back, lasting};

fn with(property: Property, client_id: &str) -> Connect {
    Connect {
        properties: Properties::none().with(property),
        ..connect(client_id)
    }
}

fn wire(all: &[Property]) -> Bytes {
    let mut bytes = Vec::new();
    for property in all {
        property.write(&mut bytes);
    }
    bytes.into()
}

#[test]
fn mqtt_3_3_2_4_and_15_to_18_and_20_what_was_said_is_passed_on_unaltered_and_in_order() {
    on_every_site(|site| {
        let all = wire(&[
            Property::UserProperty("b".into(), "2".into()),
            Property::PayloadFormatIndicator(true),
            Property::ResponseTopic("answers/here".into()),
            Property::UserProperty("a".into(), "1".into()),
            Property::CorrelationData(Bytes::from_static(&[0, 255])),
            Property::ContentType("text/plain; ä".into()),
            Property::UserProperty("b".into(), "1".into()),
        ]);
        let message = Publish {
            properties: all.clone(),
            expiry_s: Some(100),
            alias: Some(1),
            retain: true,
            ..publish_at(Q2, 1, "a", "x")
        };
        let watchers = [Q0, Q1, Q2].map(|qos| {
            let watcher = site.connected(connect(&format!("w{qos:?}")));
            watcher.follow("a", qos);
            watcher
        });
        let away = site.connected(lasting("away"));
        away.follow("a", Q1);
        away.lose();
        site.connected(connect("bob")).send(message);
        for watcher in watchers {
            let messages = watcher.messages();
            assert_eq!(messages[0].properties, all);
            assert_eq!((messages[0].alias, messages[0].expiry_s), (None, Some(100)));
        }
        // From the queue and from what is retained, too.
        let (_, _, waiting) = come_back(site, lasting("away"));
        assert!(matches!(&waiting[..], [Packet::Publish(m)] if m.properties == all));
        let late = site.connected(connect("late"));
        late.send(subscribe(1, &[("a", Q0)]));
        assert_eq!(late.messages()[0].properties, all);
    });
}

#[test]
fn what_mqtt_5_says_beside_the_payload_does_not_reach_older_clients() {
    on_every_site(|site| {
        let old = site.connected(connect_as(Version::V311, "old"));
        old.follow("a", Q1);
        let message = Publish {
            properties: wire(&[Property::ContentType("text/plain".into())]),
            ..publish("a", "x")
        };
        site.connected(connect("bob")).send(message);
        assert_eq!(old.receive_bytes(), [0x30, 4, 0, 1, b'a', b'x']);
    });
}

#[test]
fn mqtt_2_2_2_1_no_properties_are_a_length_of_0() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        ana.send(subscribe(1, &[("a", Q0)]));
        assert_eq!(ana.receive_bytes(), [0x90, 4, 0, 1, 0, 0]);
        ana.send(unsubscribe(1, &["a"]));
        assert_eq!(ana.receive_bytes(), [0xB0, 4, 0, 1, 0, 0]);
    });
}

#[test]
fn mqtt_3_1_2_24_to_25_what_is_too_large_for_a_client_is_left_out_as_if_it_had_been_sent() {
    on_every_site(|site| {
        let largest = 60;
        let ana = site.connected(with(Property::MaximumPacketSize(largest), "ana"));
        ana.follow("a", Q2);
        let bob = site.connected(connect("bob"));
        // Around the border, byte by byte, at each QoS, and one that comes in any case.
        for id in 1..=60 {
            let qos = [Q0, Q1, Q2][usize::from(id) % 3];
            let id_at_qos = if qos == Q0 { 0 } else { id };
            let payload = "x".repeat(usize::from(id) + 20);
            bob.send(publish_at(qos, id_at_qos, "a", &payload));
        }
        bob.send(publish_at(Q1, 99, "a", "at last"));
        let bytes = ana.receive_bytes();
        let mut rest = &bytes[..];
        let mut lengths = Vec::new();
        while let [_, length, ..] = rest {
            let length = 2 + usize::from(*length);
            lengths.push(length);
            rest = &rest[length..];
        }
        assert!(lengths.iter().all(|&length| length <= largest as usize));
        assert!(lengths.contains(&(largest as usize)));
        assert!(bytes.ends_with(b"at last"));
    });
}

#[test]
fn an_alias_does_not_make_a_packet_too_large() {
    on_every_site(|site| {
        let largest = 60;
        let mut connect_with = with(Property::MaximumPacketSize(largest), "ana");
        connect_with.properties.push(Property::TopicAliasMaximum(9));
        let ana = site.connected(connect_with);
        ana.follow("#", Q0);
        let bob = site.connected(connect("bob"));
        for length in 40..60 {
            bob.send(publish("a", &"x".repeat(length)));
            bob.send(publish(&format!("b/{length}"), &"x".repeat(length - 5)));
            // [MQTT-3.1.2-24]
            for packet in ana.receive() {
                let mut bytes = Vec::new();
                packet.encode(Version::V5, &mut bytes);
                assert!(bytes.len() <= largest as usize, "{packet:?}");
            }
        }
    });
}

#[test]
fn mqtt_3_4_2_2_to_3_and_3_5_2_2_to_3_and_3_6_2_2_to_3_and_3_7_2_2_to_3_acknowledgements_are_small()
{
    on_every_site(|site| {
        let ana = site.connected(with(Property::MaximumPacketSize(25), "ana"));
        let mut sizes = Vec::new();
        let mut size = |client: &Client| sizes.push(client.receive_bytes().len());
        ana.send(publish_at(Q1, 1, "$SYS/no", "x"));
        size(&ana);
        ana.send(publish_at(Q2, 1, "$SYS/no", "x"));
        size(&ana);
        ana.acknowledge(Packet::PubRel, 1);
        size(&ana);
        ana.acknowledge(Packet::PubRec, 1);
        size(&ana);
        // First byte, length, identifier, reason: no reason string, no user property.
        assert_eq!(sizes, [5, 5, 5, 5]);
    });
}

#[test]
fn mqtt_3_14_2_3_to_4_a_goodbye_that_would_be_too_large_comes_without_its_reason() {
    on_every_site(|site| {
        let ana = site.connected(with(Property::MaximumPacketSize(25), "ana"));
        ana.send(connect("ana"));
        assert_eq!(ana.receive_bytes(), [0xE0, 1, Reason::ProtocolError.code()]);
    });
}

#[test]
fn mqtt_3_1_2_29_who_wants_no_explanations_gets_none() {
    on_every_site(|site| {
        for wants in [true, false] {
            let ana = site.connected(with(Property::RequestProblemInformation(wants), "ana"));
            let Packet::SubAck(SubAck { properties, .. }) = ana.ask(subscribe(1, &[("a#", Q0)]))
            else {
                panic!("no SUBACK");
            };
            assert_eq!(properties.is_empty(), !wants);
        }
    });
}

#[test]
fn mqtt_3_11_2_1_to_2_an_unsuback_never_explains() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        let Packet::UnsubAck(unsuback) = ana.ask(unsubscribe(1, &["a#"])) else {
            panic!("no UNSUBACK");
        };
        assert!(unsuback.properties.is_empty());
    });
}

fn aliasing(maximum: u16) -> Connect {
    with(Property::TopicAliasMaximum(maximum), "ana")
}

fn say(site: &Site, all: &[&str]) {
    let bob = site.connected(connect("bob"));
    for topic in all {
        bob.send(publish(topic, topic));
    }
}

#[test]
fn mqtt_3_1_2_26_to_27_and_3_3_2_11_the_hub_uses_as_many_aliases_as_the_client_allows() {
    on_every_site(|site| {
        for maximum in [0, 2] {
            let ana = site.connected(aliasing(maximum));
            ana.follow("#", Q0);
            say(site, &["a", "b", "c", "a", "b", "c"]);
            let messages = ana.messages();
            assert_eq!(said(&messages), ["a", "b", "c", "a", "b", "c"]);
            let aliases = messages.iter().map(|message| message.alias.unwrap_or(0));
            let aliases: Vec<u16> = aliases.collect();
            if maximum == 0 {
                assert_eq!(aliases, [0; 6]);
                continue;
            }
            assert_eq!(aliases, [1, 2, 0, 1, 2, 0]);
            assert_eq!(topics(&messages), ["a", "b", "c", "", "", "c"]);
        }
    });
}

#[test]
fn mqtt_3_3_2_12_every_alias_that_is_offered_is_taken() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        ana.follow("#", Q0);
        let bob = site.client();
        let Packet::ConnAck(connack) = bob.ask(connect("bob")) else {
            panic!("no CONNACK");
        };
        let maximum = connack.properties.find(|p| match p {
            Property::TopicAliasMaximum(maximum) => Some(*maximum),
            _ => None,
        });
        let maximum = maximum.unwrap();
        let mut expected = Vec::new();
        for (round, topic_of) in [
            |n: u16| format!("t/{n}"),
            |_| String::new(),
            |n| format!("u/{n}"), // the alias stands for another topic from now on
            |_| String::new(),
        ]
        .into_iter()
        .enumerate()
        {
            for alias in 1..=maximum {
                bob.send(Publish {
                    alias: Some(alias),
                    ..publish(&topic_of(alias), "x")
                });
                expected.push(format!("{}/{alias}", ["t", "t", "u", "u"][round]));
            }
        }
        assert_eq!(topics(&ana.messages()), expected);
    });
}

#[test]
fn mqtt_3_3_2_7_an_alias_ends_with_its_connection() {
    on_every_site(|site| {
        let announce = Publish {
            alias: Some(1),
            ..publish("a", "x")
        };
        let bob = site.connected(lasting("bob"));
        bob.send(announce);
        bob.lose();
        let (bob, _, _) = come_back(site, lasting("bob"));
        bob.send(Publish {
            alias: Some(1),
            ..publish("", "x")
        });
        let words = bob.last_words();
        assert_eq!(quartet_sim::reasons(&words[0]), [Reason::TopicAliasInvalid]);
        // In the other direction: the topic is written out again.
        let mut lasting_with = lasting("ana");
        lasting_with.properties.push(Property::TopicAliasMaximum(9));
        let ana = site.connected(lasting_with.clone());
        ana.follow("b", Q1);
        say(site, &["b", "b"]);
        assert_eq!(topics(&ana.messages()), ["b", ""]);
        ana.lose();
        let (ana, _, _) = come_back(site, lasting_with);
        say(site, &["b"]);
        assert_eq!(topics(&ana.messages()), ["b"]);
    });
}

#[test]
fn a_client_that_says_nothing_of_itself_gets_what_the_standard_supposes() {
    on_every_site(|site| {
        let ana = site.client();
        ana.send_bytes(&frame(
            0x10,
            &[&text("MQTT"), &[5, 2, 0, 0, 0], &text("ana")],
        ));
        assert_eq!(ana.receive().len(), 1);
        ana.send(disconnect(Reason::Success));
        assert_eq!(ana.last_words(), []);
        assert_eq!(site.sessions(), 0);
    });
}

#[test]
fn a_subscription_of_mqtt_5_options_holds_for_what_other_lanes_say() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        let mut packet = subscribe(1, &[]);
        packet.properties = Properties::none().with(Property::SubscriptionIdentifier(9));
        packet.filters.push(SubscribeFilter {
            retain_as_published: true,
            ..filter("$share/s/a", Q1)
        });
        ana.send(packet);
        ana.receive();
        for n in 0..6 {
            site.connected(connect(&format!("b{n}"))).send(Publish {
                retain: true,
                ..publish("a", "x")
            });
        }
        let messages = ana.messages();
        assert_eq!(messages.len(), 6);
        assert!(
            messages
                .iter()
                .all(|m| m.retain && m.subscription_ids == [9])
        );
    });
}
