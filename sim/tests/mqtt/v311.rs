//! What MQTT 3.1.1 says differently, or asks for beyond 5.0, and 3.1.

use quartet_fabric::mqtt::{Connect, Packet, Publish, Reason, Version, Will};
use quartet_hub::flow::Peer;
use quartet_sim::{
    Client, Site, connect_as, frame, on_every_site, publish, publish_at, reasons, said, subscribe,
    text, unsubscribe,
};

use crate::{Q0, Q1, Q2, come_back};

const OLD: [Version; 2] = [Version::V31, Version::V311];

fn clean(client_id: &str) -> Connect {
    connect_as(Version::V311, client_id)
}

/// Not clean: a session that is kept.
fn kept(client_id: &str) -> Connect {
    Connect {
        clean_start: false,
        ..clean(client_id)
    }
}

fn closed_without_words(client: &Client) {
    assert!(client.receive_bytes().is_empty());
    assert!(client.is_closed());
}

/// CONNECT of 3.1.1 by hand.
fn connect_by_hand(flags: u8, payload: &[&[u8]]) -> Vec<u8> {
    frame(0x10, &[&text("MQTT"), &[4, flags, 0, 0], &payload.concat()])
}

#[test]
fn v311_2_2_2_2_and_4_8_0_1_invalid_flags_close_the_connection() {
    on_every_site(|site| {
        for bytes in [
            [0x80, 2, 0, 1],
            [0xA0, 2, 0, 1],
            [0x60, 2, 0, 1],
            [0xC1, 0, 0, 0],
        ] {
            let ana = site.connected(clean("ana"));
            ana.send_bytes(&bytes);
            closed_without_words(&ana);
        }
    });
}

#[test]
fn v311_3_1_2_2_an_unknown_protocol_level_is_refused_with_1() {
    on_every_site(|site| {
        for level in [0, 2, 3] {
            let ana = site.client();
            ana.send_bytes(&frame(
                0x10,
                &[&text("MQTT"), &[level, 2, 0, 0], &text("x")],
            ));
            assert_eq!(ana.receive_bytes(), [0x20, 2, 0, 1]);
            assert!(ana.is_closed());
        }
    });
}

#[test]
fn v311_3_1_2_4_to_5_a_session_that_is_not_clean_is_kept_with_its_messages() {
    on_every_site(|site| {
        let (ana, session_present, _) = come_back(site, kept("ana"));
        assert!(!session_present);
        ana.follow("a", Q2);
        ana.lose();
        let bob = site.connected(clean("bob"));
        for (id, qos) in [(0, Q0), (1, Q1), (2, Q2)] {
            bob.send(publish_at(qos, id, "a", &id.to_string()));
        }
        site.settle();
        let (ana, session_present, waiting) = come_back(site, kept("ana"));
        assert!(session_present);
        assert_eq!(waiting.len(), 2);
        // What was not acknowledged comes again, the subscription is still there.
        ana.lose();
        let (ana, _, again) = come_back(site, kept("ana"));
        assert!(matches!(&again[..], [Packet::Publish(m), _] if m.dup));
        bob.send(publish("a", "x"));
        assert_eq!(said(&ana.messages()), ["x"]);
    });
}

#[test]
fn v311_3_1_2_6_and_3_1_4_3_a_clean_session_ends_with_its_connection() {
    on_every_site(|site| {
        let ana = site.connected(kept("ana"));
        ana.follow("a", Q1);
        ana.lose();
        let (ana, session_present, _) = come_back(site, clean("ana"));
        assert!(!session_present);
        let bob = site.connected(clean("bob"));
        bob.send(publish_at(Q1, 1, "a", "x"));
        assert_eq!(ana.receive(), []);
        ana.follow("a", Q1);
        ana.lose();
        let (ana, session_present, _) = come_back(site, kept("ana"));
        assert!(!session_present);
        bob.send(publish_at(Q1, 1, "a", "x"));
        assert_eq!(ana.receive(), []);
    });
}

#[test]
fn v311_3_1_2_7_retained_messages_outlive_the_session() {
    on_every_site(|site| {
        let bob = site.connected(clean("bob"));
        bob.send(Publish {
            retain: true,
            ..publish("a", "kept")
        });
        bob.lose();
        let ana = site.connected(clean("ana"));
        ana.send(subscribe(1, &[("a", Q0)]));
        assert_eq!(said(&ana.messages()), ["kept"]);
    });
}

#[test]
fn v311_3_1_2_12_without_a_will_none_is_published() {
    on_every_site(|site| {
        let watcher = site.connected(clean("watcher"));
        watcher.follow("#", Q0);
        let will = Will {
            topic: "a".into(),
            payload: "gone".into(),
            qos: Q0,
            retain: false,
            delay_s: 0,
            expiry_s: None,
            properties: Default::default(),
        };
        site.connected(Connect {
            will: Some(will),
            ..kept("ana")
        })
        .lose();
        assert_eq!(watcher.messages().len(), 1);
        site.connected(kept("ana")).lose();
        assert_eq!(watcher.messages(), []);
    });
}

#[test]
fn v311_3_1_2_22_a_password_does_not_come_without_a_user_name() {
    on_every_site(|site| {
        let ana = site.client();
        ana.send_bytes(&connect_by_hand(
            0b0100_0010,
            &[&text("ana"), &text("pass")],
        ));
        closed_without_words(&ana);
    });
}

#[test]
fn v311_3_1_3_7_to_8_a_session_that_is_kept_needs_a_name() {
    on_every_site(|site| {
        let ana = site.client();
        ana.send(kept(""));
        assert_eq!(ana.receive_bytes(), [0x20, 2, 0, 2]);
        assert!(ana.is_closed());
        // A clean one does not, except in 3.1.
        site.connected(clean(""));
        site.connected(clean(""));
        assert_eq!(site.sessions(), 2);
        let old = site.client();
        old.send(connect_as(Version::V31, ""));
        assert_eq!(old.receive_bytes(), [0x20, 2, 0, 2]);
    });
}

#[test]
fn v311_3_1_3_9_a_name_that_is_refused_is_refused_with_2() {
    on_every_site(|site| {
        let ana = site.client();
        ana.send(clean(&"x".repeat(1025)));
        assert_eq!(ana.receive_bytes(), [0x20, 2, 0, 2]);
        assert!(ana.is_closed());
    });
}

#[test]
fn v311_3_1_4_1_and_3_2_2_6_what_is_no_connect_is_not_answered() {
    on_every_site(|site| {
        for bytes in [
            connect_by_hand(0b11, &[&text("ana")]),
            connect_by_hand(0b1_1110, &[&text("ana"), &text("a"), &text("x")]),
            connect_by_hand(0b1_0010, &[&text("ana")]),
            connect_by_hand(0b10, &[]),
            connect_by_hand(0b10, &[&text("ana"), &text("more")]),
        ] {
            let ana = site.client();
            ana.send_bytes(&bytes);
            closed_without_words(&ana);
        }
    });
}

#[test]
fn who_may_not_come_in_is_refused_with_4_or_5() {
    on_every_site(|site| {
        let peer = Peer {
            ip: None,
            is_local: false,
            is_open: false,
            is_certified: false,
        };
        let ana = site.client_from(peer);
        ana.send(clean("ana"));
        assert_eq!(ana.receive_bytes(), [0x20, 2, 0, 5]);
        let ana = site.client_from(peer);
        let mut with_name = clean("ana");
        with_name.login.user_name = Some("ana".into());
        ana.send(with_name);
        assert_eq!(ana.receive_bytes(), [0x20, 2, 0, 4]);
    });
}

#[test]
fn v311_3_3_1_8_what_was_retained_bears_the_flag() {
    on_every_site(|site| {
        let (ana, bob) = (site.connected(clean("ana")), site.connected(clean("bob")));
        bob.send(Publish {
            retain: true,
            ..publish("a", "kept")
        });
        site.settle();
        ana.send(subscribe(1, &[("a", Q0)]));
        assert!(ana.messages()[0].retain);
    });
}

#[test]
fn v311_3_3_5_2_what_may_not_be_said_is_acknowledged_and_goes_nowhere() {
    on_every_site(|site| {
        for version in OLD {
            let ana = site.connected(connect_as(version, "ana"));
            ana.follow("$SYS/no", Q0);
            let bob = site.connected(connect_as(version, "bob"));
            let answer = bob.ask(publish_at(Q1, 1, "$SYS/no", "x"));
            assert!(matches!(answer, Packet::PubAck(ack) if ack.packet_id == 1));
            let answer = bob.ask(publish_at(Q2, 2, "$SYS/no", "x"));
            assert!(matches!(answer, Packet::PubRec(ack) if ack.packet_id == 2));
            bob.acknowledge(Packet::PubRel, 2);
            assert!(matches!(bob.answer(), Packet::PubComp(ack) if ack.packet_id == 2));
            assert_eq!(ana.receive(), []);
        }
    });
}

#[test]
fn v311_3_8_3_4_reserved_bits_or_qos_3_in_a_subscribe_close_the_connection() {
    on_every_site(|site| {
        for options in [0b11, 0b100, 0b1000, 0b1_0000, 0b1000_0000] {
            let ana = site.connected(clean("ana"));
            ana.send_bytes(&frame(0x82, &[&[0, 1], &text("a"), &[options]]));
            closed_without_words(&ana);
        }
    });
}

#[test]
fn v311_3_9_3_2_a_filter_is_granted_a_qos_or_refused_with_0x80() {
    on_every_site(|site| {
        for version in OLD {
            let ana = site.connected(connect_as(version, "ana"));
            ana.send(subscribe(1, &[("a", Q0), ("b", Q1), ("c", Q2), ("d#", Q2)]));
            assert_eq!(ana.receive_bytes(), [0x90, 6, 0, 1, 0, 1, 2, 0x80]);
            ana.send(unsubscribe(2, &["a", "d#", "nothing"]));
            assert_eq!(ana.receive_bytes(), [0xB0, 2, 0, 2]);
        }
    });
}

#[test]
fn in_3_1_a_request_that_is_sent_again_bears_dup_and_later_it_is_malformed() {
    on_every_site(|site| {
        let ana = site.connected(connect_as(Version::V31, "ana"));
        ana.send_bytes(&frame(0x8A, &[&[0, 1], &text("a"), &[0]]));
        assert_eq!(ana.receive_bytes(), [0x90, 3, 0, 1, 0]);
        ana.send_bytes(&frame(0xAA, &[&[0, 2], &text("a")]));
        assert_eq!(ana.receive_bytes(), [0xB0, 2, 0, 2]);
        ana.send_bytes(&[0x6A, 2, 0, 3]);
        assert_eq!(ana.receive_bytes(), [0x70, 2, 0, 3]);
        let bob = site.connected(clean("bob"));
        bob.send_bytes(&frame(0x8A, &[&[0, 1], &text("a"), &[0]]));
        closed_without_words(&bob);
    });
}

#[test]
fn v311_4_6_0_6_messages_keep_their_order() {
    on_every_site(|site| {
        let (ana, bob) = (site.connected(clean("ana")), site.connected(clean("bob")));
        ana.follow("a", Q2);
        for id in 1..=30 {
            bob.send(publish_at(Q2, id, "a", &id.to_string()));
        }
        let expected: Vec<String> = (1..=30).map(|id| id.to_string()).collect();
        assert_eq!(said(&ana.messages()), expected);
    });
}

#[test]
fn v311_4_8_0_2_when_the_memory_is_used_up_nobody_comes_in_any_more() {
    on_every_site(|site| {
        let bob = site.connected(clean("bob"));
        site.set_full(true);
        let ana = site.client();
        ana.send(clean("ana"));
        assert_eq!(ana.receive_bytes(), [0x20, 2, 0, 3]);
        assert!(ana.is_closed());
        // Who is there goes on, but for what would stay.
        assert_eq!(bob.ask(Packet::PingReq), Packet::PingResp);
        let answer = bob.ask(subscribe(1, &[("a", Q0)]));
        assert_eq!(reasons(&answer), [Reason::UnspecifiedError]);
        site.set_full(false);
        site.connected(clean("ana"));
    });
}

#[test]
fn v311_7_0_0_2_nothing_beyond_the_standard_is_needed() {
    on_every_site(|site| {
        for version in [Version::V31, Version::V311, Version::V5] {
            let (ana, bob) = (
                site.connected(connect_as(version, "ana")),
                site.connected(connect_as(version, "bob")),
            );
            ana.follow("a/+", Q2);
            bob.send(publish_at(Q2, 1, "a/b", "x"));
            assert_eq!(said(&ana.messages()), ["x"]);
        }
    });
}

#[test]
fn who_takes_over_gets_the_old_connection_closed_without_words() {
    on_every_site(|site| {
        let old = site.connected(kept("ana"));
        let (_new, session_present, _) = come_back(site, kept("ana"));
        assert!(session_present);
        closed_without_words(&old);
    });
}

#[test]
fn clients_of_all_versions_understand_each_other() {
    let site = Site::new(3, 7);
    let all = [Version::V31, Version::V311, Version::V5];
    let clients = all.map(|version| {
        let client = site.connected(connect_as(version, &format!("{version:?}")));
        client.follow("room", Q2);
        client
    });
    for (n, client) in clients.iter().enumerate() {
        client.send(publish_at(Q1, 1, "room", &n.to_string()));
    }
    for client in &clients {
        let mut heard = said(&client.messages());
        heard.sort_unstable();
        assert_eq!(heard, ["0", "1", "2"]);
    }
}
