//! What breaks the protocol is refused with the reason that the standard gives, and the
//! connection is closed (MQTT 5.0, section 4.13).

use quartet_fabric::mqtt::{Packet, Properties, Property, Publish, Reason, Version};
use quartet_sim::{
    Say, Site, connect, connect_as, frame, on_every_site, publish, publish_at, reasons, text,
};

use crate::{Q0, Q1};

/// CONNECT by hand: level, flags and what follows the empty property list.
fn connect_by_hand(flags: u8, payload: &[&[u8]]) -> Vec<u8> {
    let payload = payload.concat();
    frame(0x10, &[&text("MQTT"), &[5, flags, 0, 0, 0], &payload])
}

/// Nobody who begins like this comes in, in any version that the hub speaks.
fn refused_at_the_door(site: &Site, bytes: &[u8], reason: Reason) {
    let client = site.client();
    client.send_bytes(bytes);
    let packets = client.last_words();
    // [MQTT-3.14.0-1]: a CONNACK, not a DISCONNECT.
    assert!(
        matches!(&packets[..], [Packet::ConnAck(ack)] if ack.reason == reason),
        "{packets:?} {bytes:?}"
    );
    assert_eq!(site.sessions(), 0);
}

/// Whoever sends this when it has come in must go.
fn refused(site: &Site, what: &[u8], reason: Reason) {
    let client = site.connected(connect("x"));
    client.send_bytes(what);
    let packets = client.last_words();
    assert!(
        matches!(&packets[..], [Packet::Disconnect(_)]),
        "{packets:?} {what:?}"
    );
    assert_eq!(reasons(&packets[0]), [reason], "{what:?}");
    let old = site.connected(connect_as(Version::V311, "y"));
    old.send_bytes(what);
    assert_eq!(old.last_words(), []);
}

fn bytes(what: impl Say) -> Vec<u8> {
    let mut bytes = Vec::new();
    what.packet().encode(Version::V5, &mut bytes);
    bytes
}

fn refused_packet(site: &Site, what: impl Say, reason: Reason) {
    let client = site.connected(connect("x"));
    client.send(what);
    let packets = client.last_words();
    assert!(
        matches!(&packets[..], [Packet::Disconnect(_)]),
        "{packets:?}"
    );
    assert_eq!(reasons(&packets[0]), [reason]);
}

const MALFORMED: Reason = Reason::MalformedPacket;
const PROTOCOL: Reason = Reason::ProtocolError;

#[test]
fn mqtt_3_1_0_1_and_3_14_0_1_the_first_packet_must_be_connect() {
    on_every_site(|site| {
        for what in [
            bytes(Packet::PingReq),
            bytes(publish("a", "x")),
            vec![0xE0, 0],
        ] {
            let client = site.client();
            client.send_bytes(&what);
            assert_eq!(client.last_words(), []);
        }
    });
}

#[test]
fn mqtt_3_1_0_2_and_4_13_1_1_a_second_connect_is_a_protocol_error() {
    on_every_site(|site| refused_packet(site, connect("x"), PROTOCOL));
}

#[test]
fn mqtt_3_1_2_1_to_2_other_protocols_and_versions_are_refused() {
    on_every_site(|site| {
        for (name, level) in [("MQTX", 5), ("mqtt", 5), ("MQTT", 6), ("MQIsdp", 5)] {
            let rest = [level, 2, 0, 0, 0, 0, 1, b'x'];
            let bytes = frame(0x10, &[&text(name), &rest]);
            refused_at_the_door(site, &bytes, Reason::UnsupportedProtocolVersion);
        }
    });
}

#[test]
fn mqtt_3_1_2_3_and_3_1_4_1_the_reserved_flag_of_connect_must_be_0() {
    on_every_site(|site| {
        refused_at_the_door(site, &connect_by_hand(0b11, &[&text("x")]), MALFORMED);
    });
}

#[test]
fn mqtt_3_1_2_9_a_will_that_is_announced_must_be_there() {
    on_every_site(|site| {
        let (id, topic) = (text("x"), text("a"));
        let nothing: [&[u8]; 1] = [&id];
        let no_topic: [&[u8]; 2] = [&id, &[0]];
        let no_payload: [&[u8]; 3] = [&id, &[0], &topic];
        for payload in [&nothing[..], &no_topic, &no_payload] {
            refused_at_the_door(site, &connect_by_hand(0b110, payload), MALFORMED);
        }
    });
}

#[test]
fn mqtt_3_1_2_11_to_13_a_will_of_qos_3_or_flags_without_a_will_are_malformed() {
    on_every_site(|site| {
        let id = text("x");
        for flags in [0b0000_1010, 0b0001_0010, 0b0010_0010] {
            refused_at_the_door(site, &connect_by_hand(flags, &[&id]), MALFORMED);
        }
        let will: [&[u8]; 4] = [&id, &[0], &text("a"), &text("gone")];
        refused_at_the_door(site, &connect_by_hand(0b0001_1110, &will), MALFORMED);
    });
}

#[test]
fn mqtt_3_1_2_16_to_19_user_name_and_password_are_there_if_announced_and_else_not() {
    on_every_site(|site| {
        let (id, more) = (text("x"), text("ana"));
        refused_at_the_door(site, &connect_by_hand(0b10, &[&id, &more]), MALFORMED);
        for flags in [0b1000_0010, 0b0100_0010] {
            refused_at_the_door(site, &connect_by_hand(flags, &[&id]), MALFORMED);
            let both: [&[u8]; 3] = [&id, &more, &more];
            refused_at_the_door(site, &connect_by_hand(flags, &both), MALFORMED);
        }
        refused_at_the_door(
            site,
            &connect_by_hand(0b1100_0010, &[&id, &more]),
            MALFORMED,
        );
    });
}

#[test]
fn mqtt_3_1_3_3_the_client_identifier_must_be_there() {
    on_every_site(|site| refused_at_the_door(site, &connect_by_hand(0b10, &[]), MALFORMED));
}

#[test]
fn mqtt_3_1_3_4_and_11_and_12_names_and_will_topics_are_utf_8() {
    on_every_site(|site| {
        let (id, bad): (_, &[u8]) = (text("x"), &[0, 2, 0xC3, 0x28]);
        refused_at_the_door(site, &connect_by_hand(0b10, &[bad]), MALFORMED);
        refused_at_the_door(site, &connect_by_hand(0b1000_0010, &[&id, bad]), MALFORMED);
        let will: [&[u8]; 4] = [&id, &[0], bad, &text("gone")];
        refused_at_the_door(site, &connect_by_hand(0b110, &will), MALFORMED);
    });
}

#[test]
fn mqtt_1_5_4_1_to_2_text_is_utf_8_without_u_0000() {
    on_every_site(|site| {
        // A surrogate, an overlong form, a stray byte, and U+0000.
        for bad in [&[0xED, 0xA0, 0x80][..], &[0xC0, 0x80], &[0xFF], &[b'a', 0]] {
            let text = [&[0, bad.len() as u8], bad].concat();
            refused(site, &frame(0x30, &[&text, &[0]]), MALFORMED);
        }
    });
}

#[test]
fn mqtt_1_5_5_1_a_number_is_written_with_the_fewest_bytes() {
    on_every_site(|site| {
        refused(site, &[0xC0, 0x80, 0x00], MALFORMED);
        let needless = frame(0x30, &[&text("a"), &[0x80, 0x00]]);
        refused_bytes_of_5(site, &needless, MALFORMED);
    });
}

fn refused_bytes_of_5(site: &Site, bytes: &[u8], reason: Reason) {
    let client = site.connected(connect("x"));
    client.send_bytes(bytes);
    let packets = client.last_words();
    assert!(
        matches!(&packets[..], [Packet::Disconnect(_)]),
        "{packets:?} {bytes:?}"
    );
    assert_eq!(reasons(&packets[0]), [reason], "{bytes:?}");
}

#[test]
fn mqtt_1_5_7_1_both_strings_of_a_pair_are_utf_8() {
    on_every_site(|site| {
        let (good, bad): (_, &[u8]) = (text("a"), &[0, 1, 0xFF]);
        for (name, value) in [(bad, &good[..]), (&good[..], bad)] {
            let pair = [&[38], name, value].concat();
            let bytes = frame(0x30, &[&good, &[pair.len() as u8], &pair]);
            refused_bytes_of_5(site, &bytes, MALFORMED);
        }
    });
}

#[test]
fn mqtt_2_1_3_1_and_3_6_1_1_and_3_8_1_1_and_3_10_1_1_and_3_14_1_1_reserved_bits_are_malformed() {
    on_every_site(|site| {
        for first in [
            0x40, 0x50, 0x62, 0x70, 0x82, 0xA2, 0xC0, 0xE0, // as they are to be
        ] {
            for wrong in [0b0001, 0b0010, 0b0100, 0b1000] {
                refused(site, &[first ^ wrong, 2, 0, 1], MALFORMED);
            }
        }
    });
}

#[test]
fn mqtt_3_15_1_1_reserved_bits_of_auth_are_malformed() {
    on_every_site(|site| {
        for wrong in [0b0001, 0b0010, 0b0100, 0b1000] {
            refused(site, &[0xF0 | wrong, 0], MALFORMED);
        }
    });
}

#[test]
fn mqtt_2_2_1_3_a_packet_identifier_of_0_is_a_protocol_error() {
    on_every_site(|site| {
        refused_packet(site, publish_at(Q1, 0, "a", "x"), PROTOCOL);
        refused_packet(site, quartet_sim::subscribe(0, &[("a", Q0)]), PROTOCOL);
        refused_packet(site, quartet_sim::unsubscribe(0, &["a"]), PROTOCOL);
    });
}

#[test]
fn mqtt_3_3_1_2_and_4_a_message_of_qos_3_or_a_repeated_one_of_qos_0_is_malformed() {
    on_every_site(|site| {
        let body = [&text("a")[..], &[0, 1, 0]].concat();
        for first in [0x36, 0x38] {
            refused(site, &frame(first, &[&body]), MALFORMED);
        }
    });
}

#[test]
fn mqtt_3_3_2_1_and_2_and_4_7_0_1_and_4_7_3_1_topics_are_texts_without_wildcards() {
    on_every_site(|site| {
        refused(site, &frame(0x30, &[&[0, 1, 0xFF], &[0]]), MALFORMED);
        refused(
            site,
            &frame(0x30, &[&text("a/+"), &[0]]),
            Reason::TopicNameInvalid,
        );
        refused(
            site,
            &frame(0x30, &[&text("#"), &[0]]),
            Reason::TopicNameInvalid,
        );
        refused(site, &frame(0x30, &[&text(""), &[0]]), PROTOCOL);
    });
}

#[test]
fn mqtt_3_3_2_13_to_14_and_19_response_topic_and_content_type_are_texts() {
    on_every_site(|site| {
        for (identifier, value, reason) in [
            (8, &[0, 1, 0xFF][..], MALFORMED),
            (3, &[0, 1, 0xFF], MALFORMED),
            (8, &[0, 1, b'#'], PROTOCOL),
            (8, &[0, 1, b'+'], PROTOCOL),
        ] {
            let list = [&[identifier], value].concat();
            let bytes = frame(0x30, &[&text("a"), &[list.len() as u8], &list]);
            refused_bytes_of_5(site, &bytes, reason);
        }
    });
}

#[test]
fn mqtt_3_3_2_8_to_9_and_3_2_2_17_an_alias_of_0_or_above_the_maximum_is_invalid() {
    on_every_site(|site| {
        for alias in [0, 33, u16::MAX] {
            let message = Publish {
                alias: Some(alias),
                ..publish("a", "x")
            };
            refused_packet(site, message, Reason::TopicAliasInvalid);
        }
        let unknown = Publish {
            alias: Some(1),
            ..publish("", "x")
        };
        refused_packet(site, unknown, Reason::TopicAliasInvalid);
    });
}

#[test]
fn mqtt_3_2_2_18_where_aliases_are_not_offered_none_is_taken() {
    let site = Site::with_limits(quartet_hub::config::Limits {
        topic_alias_max: 0,
        ..Default::default()
    });
    let message = Publish {
        alias: Some(1),
        ..publish("a", "x")
    };
    refused_packet(&site, message, Reason::TopicAliasInvalid);
}

#[test]
fn mqtt_3_2_2_15_a_packet_that_is_too_large_is_refused() {
    on_every_site(|site| {
        let large = "x".repeat(1 << 20);
        refused_packet(site, publish("a", &large), Reason::PacketTooLarge);
    });
}

#[test]
fn mqtt_3_3_4_6_a_client_cannot_publish_with_a_subscription_identifier() {
    on_every_site(|site| {
        let message = Publish {
            subscription_ids: vec![1],
            ..publish("a", "x")
        };
        refused_packet(site, message, PROTOCOL);
    });
}

#[test]
fn mqtt_3_8_3_1_and_2_a_subscribe_names_at_least_one_filter_in_utf_8() {
    on_every_site(|site| {
        refused_bytes_of_5(site, &frame(0x82, &[&[0, 1, 0]]), PROTOCOL);
        let bad = frame(0x82, &[&[0, 1, 0], &[0, 1, 0xFF], &[0]]);
        refused_bytes_of_5(site, &bad, MALFORMED);
    });
}

#[test]
fn mqtt_3_8_3_5_reserved_subscription_options_are_malformed() {
    on_every_site(|site| {
        for (options, reason) in [
            (0b0100_0000, MALFORMED),
            (0b1000_0000, MALFORMED),
            (0b11, MALFORMED),
            (0b11_0000, PROTOCOL),
        ] {
            let bytes = frame(0x82, &[&[0, 1, 0], &text("a"), &[options]]);
            refused_bytes_of_5(site, &bytes, reason);
        }
    });
}

#[test]
fn mqtt_3_8_3_4_no_local_does_not_go_with_a_shared_subscription() {
    on_every_site(|site| {
        let bytes = frame(0x82, &[&[0, 1, 0], &text("$share/s/a"), &[0b100]]);
        refused_bytes_of_5(site, &bytes, PROTOCOL);
    });
}

#[test]
fn mqtt_3_10_3_1_to_2_an_unsubscribe_names_at_least_one_filter_in_utf_8() {
    on_every_site(|site| {
        refused_bytes_of_5(site, &frame(0xA2, &[&[0, 1, 0]]), PROTOCOL);
        let bad = frame(0xA2, &[&[0, 1, 0], &[0, 1, 0xFF]]);
        refused_bytes_of_5(site, &bad, MALFORMED);
    });
}

#[test]
fn mqtt_3_4_2_1_and_3_5_2_1_and_3_6_2_1_and_3_7_2_1_acknowledgements_have_their_own_reasons() {
    on_every_site(|site| {
        for first in [0x40, 0x50, 0x62, 0x70] {
            let wrong = Reason::KeepAliveTimeout.code();
            refused_bytes_of_5(site, &[first, 3, 0, 1, wrong], PROTOCOL);
            refused_bytes_of_5(site, &[first, 3, 0, 1, 0x7F], MALFORMED);
        }
    });
}

#[test]
fn mqtt_3_14_2_1_a_client_disconnects_with_a_reason_of_its_own() {
    on_every_site(|site| {
        for wrong in [Reason::ServerBusy, Reason::SessionTakenOver] {
            refused_bytes_of_5(site, &[0xE0, 1, wrong.code()], PROTOCOL);
        }
    });
}

#[test]
fn mqtt_3_15_2_1_and_4_12_0_7_auth_has_its_own_reasons_and_needs_a_method() {
    on_every_site(|site| {
        refused_bytes_of_5(site, &[0xF0, 1, Reason::NotAuthorized.code()], PROTOCOL);
        refused_bytes_of_5(site, &[0xF0, 1, Reason::ReAuthenticate.code()], PROTOCOL);
        refused_bytes_of_5(site, &[0xF0, 0], PROTOCOL);
    });
}

#[test]
fn what_only_a_server_may_send_is_a_protocol_error() {
    on_every_site(|site| {
        refused(site, &[0xD0, 0], PROTOCOL);
    });
}

#[test]
fn a_property_that_is_not_for_a_packet_or_comes_twice_is_refused() {
    on_every_site(|site| {
        let list = Properties::none().with(Property::ReceiveMaximum(1));
        let mut bytes = Vec::new();
        list.write(&mut bytes);
        let stray = frame(0x30, &[&text("a"), &bytes]);
        refused_bytes_of_5(site, &stray, MALFORMED);
        let twice = frame(0x30, &[&text("a"), &[4, 1, 1, 1, 1]]);
        refused_bytes_of_5(site, &twice, PROTOCOL);
    });
}

#[test]
fn mqtt_4_2_0_1_packets_may_come_in_pieces_of_any_size() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(connect("ana")),
            site.connected(connect("bob")),
        );
        ana.follow("a", Q1);
        let long = "x".repeat(300);
        let mut all = Vec::new();
        for id in 1..20 {
            all.extend(bytes(publish_at(Q1, id, "a", &long)));
        }
        for piece in all.chunks(7) {
            bob.send_bytes(piece);
            site.settle();
        }
        let messages = ana.messages();
        assert_eq!(messages.len(), 19);
        assert!(messages.iter().all(|message| message.payload == long));
    });
}
