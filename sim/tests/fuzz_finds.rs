//! What fuzzing found, so that it is found no more.

use std::time::Duration;

use quartet_fabric::mqtt::{Packet, Version, decode};
use quartet_hub::config::Limits;
use quartet_model::Qos;
use quartet_sim::{Client, Plan, Site, connect, fuzz, publish_at, subscribe, topics, unsubscribe};

fn decodes(frame: &[u8], version: Version) -> bool {
    decode(&frame.to_vec().into(), version).is_ok()
}

#[test]
fn up_to_3_1_1_an_unsuback_has_no_payload() {
    let frame = b"\xB0\x03\0\x01\0";
    fuzz::codec(frame);
    assert!(!decodes(frame, Version::V311));
    assert!(decodes(b"\xB0\x02\0\x01", Version::V311));
}

#[test]
fn mqtt311_3_9_3_2_a_suback_has_no_other_return_codes() {
    fuzz::codec(b"\x90\x04\x00\x82\x01\x82");
    assert!(!decodes(b"\x90\x03\0\x01\x87", Version::V311));
    for code in [0, 1, 2, 0x80] {
        assert!(decodes(&[0x90, 3, 0, 1, code], Version::V311), "{code}");
    }
}

#[test]
fn a_long_upgrade_request_is_refused_in_one_piece_as_in_many() {
    let sample = b"GET /mqtt HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: mqtt\r\nX: ";
    fuzz::upgrade(&[&sample[..], &[b'x'; 8192], b"\r\n\r\n"].concat());
}

#[test]
fn a_long_proxy_header_is_refused_in_one_piece_as_in_many() {
    let start = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x08\0";
    fuzz::proxy(&[&start[..], &[4; 0x800]].concat());
}

/// A hub of two lanes that takes little, with 200 messages retained.
fn little_hub() -> Site {
    let site = Site::of(&Plan {
        lanes: 2,
        limits: Limits {
            outbox_bytes_max: 4096,
            packet_bytes_max: 512,
            first_packet_bytes_max: 512,
            subscriptions_max: 5,
            ..Limits::default()
        },
        ..Plan::default()
    });
    let speaker = site.connected(connect("speaker"));
    for number in 0..200 {
        let mut message = publish_at(Qos::AtMostOnce, 0, &format!("kept/{number}"), "x");
        message.retain = true;
        speaker.send(message);
    }
    assert_eq!(speaker.receive(), []);
    site
}

/// The client reads again, and hears all that the hub had to say.
fn reads_again(site: &Site, client: &Client) -> Vec<Packet> {
    client.take_only(usize::MAX);
    site.pass(Duration::from_secs(1));
    client.receive()
}

#[test]
fn who_reads_no_answers_is_not_read_either() {
    let site = little_hub();
    let client = site.connected(connect("deaf"));
    client.take_only(0);
    let refused = subscribe(1, &[("no/#/filter", Qos::AtMostOnce)]);
    for _ in 0..1000 {
        client.send(refused.clone());
    }
    site.settle();
    site.assert_sound();
    let answers = (0..200).flat_map(|_| reads_again(&site, &client));
    assert_eq!(answers.count(), 1000, "each is answered in the end");
}

#[test]
fn who_subscribes_again_and_again_without_reading_begins_one_search() {
    let site = little_hub();
    let client = site.connected(connect("deaf"));
    client.take_only(0);
    for _ in 0..500 {
        client.send(subscribe(1, &[("kept/#", Qos::AtMostOnce)]));
    }
    site.settle();
    site.assert_sound();
    let heard = (0..20).flat_map(|_| reads_again(&site, &client));
    let is_message = |packet: &Packet| matches!(packet, Packet::Publish(_));
    let messages = heard.filter(is_message).count();
    assert!((200..500).contains(&messages), "{messages}");
}

#[test]
fn an_answer_to_a_search_that_was_given_up_is_not_taken_for_another() {
    for seed in 0..50 {
        let site = Site::new(3, seed);
        let speaker = site.connected(connect("speaker"));
        let kept: Vec<String> = (0..300).map(|number| format!("kept/{number:03}")).collect();
        for topic in &kept {
            let mut message = publish_at(Qos::AtMostOnce, 0, topic, "x");
            message.retain = true;
            speaker.send(message);
        }
        assert_eq!(speaker.receive(), []);
        let client = site.connected(connect("hasty"));
        for id in 1..8 {
            client.send(subscribe(id, &[("kept/+", Qos::AtMostOnce)]));
            client.send(unsubscribe(id, &["kept/+"]));
        }
        client.send(subscribe(9, &[("kept/+", Qos::AtMostOnce)]));
        let packets = client.receive();
        let last = packets
            .iter()
            .rposition(|packet| matches!(packet, Packet::SubAck(_)));
        let after = &packets[last.expect("it is answered")..];
        let messages: Vec<_> = after
            .iter()
            .filter_map(|packet| match packet {
                Packet::Publish(publish) => Some(publish.clone()),
                _ => None,
            })
            .collect();
        let mut heard = topics(&messages);
        heard.sort();
        assert_eq!(heard, kept, "seed {seed}");
    }
}
