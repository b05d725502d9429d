//! What survives, one thing after the other.

use std::time::Duration;

use quartet_fabric::mqtt::{Connect, Packet, Properties, Property, Publish, Reason, Will};
use quartet_hub::config::Limits;
use quartet_sim::{Client, Site, connect, on_every_site, publish_at, said, unsubscribe};

use crate::{Q0, Q1, Q2, stubborn::Stubborn};

fn lasting(client_id: &str, expiry_s: u32) -> Connect {
    Connect {
        clean_start: false,
        properties: Properties::none().with(Property::SessionExpiryInterval(expiry_s)),
        ..connect(client_id)
    }
}

/// Comes back and says whether the session was there, and what waits.
fn come_back(site: &Site, client_id: &str) -> (Client, bool, Vec<Publish>) {
    let client = site.client();
    client.send(lasting(client_id, 3600));
    let mut was_there = false;
    let mut messages = Vec::new();
    for packet in client.receive() {
        match packet {
            Packet::ConnAck(ack) => was_there = ack.session_present,
            Packet::Publish(message) => messages.push(message),
            _ => {}
        }
    }
    (client, was_there, messages)
}

fn retained(message: Publish) -> Publish {
    Publish {
        retain: true,
        ..message
    }
}

#[test]
fn nothing_is_acknowledged_before_it_is_safe() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(lasting("ana", 3600)),
            site.connected(connect("bob")),
        );
        ana.follow("a", Q2);
        site.stick_journal(true);
        bob.send(publish_at(Q1, 1, "a", "one"));
        bob.send(publish_at(Q2, 2, "a", "two"));
        bob.send(publish_at(Q0, 0, "a", "nought"));
        assert_eq!(bob.receive(), []);
        assert_eq!(said(&ana.messages()), ["nought"]);
        site.stick_journal(false);
        assert_eq!(bob.receive().len(), 2);
        assert_eq!(said(&ana.messages()), ["one", "two"]);
    });
}

#[test]
fn what_is_retained_is_there_after_a_crash() {
    on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        for (n, qos) in [Q0, Q1, Q2].into_iter().enumerate() {
            let topic = format!("a/{n}");
            ana.send(retained(publish_at(qos, n as u16, &topic, "old")));
            ana.send(retained(publish_at(qos, 10 + n as u16, &topic, "kept")));
            ana.send(retained(publish_at(Q0, 0, "gone", "x")));
            ana.send(retained(publish_at(Q0, 0, "gone", "")));
        }
        ana.messages();
        for lanes in [2, 1, 3] {
            site.crash(lanes);
            let bob = site.connected(connect("bob"));
            bob.send(quartet_sim::subscribe(1, &[("a/#", Q2), ("gone", Q2)]));
            assert_eq!(said(&bob.messages()), ["kept", "kept", "kept"]);
        }
    });
}

#[test]
fn a_session_is_there_after_a_crash_with_all_that_waits() {
    on_every_site(|site| {
        let ana = site.connected(lasting("ana", 3600));
        ana.follow("a/#", Q2);
        ana.follow("b", Q1);
        ana.send(unsubscribe(3, &["b"]));
        ana.lose();
        let bob = site.connected(connect("bob"));
        bob.send(publish_at(Q1, 1, "a/1", "one"));
        bob.send(publish_at(Q2, 2, "a/2", "two"));
        bob.send(publish_at(Q1, 3, "b", "not asked for"));
        bob.messages();
        site.crash(2);
        let (ana, was_there, waiting) = come_back(site, "ana");
        assert!(was_there);
        assert_eq!(said(&waiting), ["one", "two"]);
        let carol = site.connected(connect("carol"));
        carol.send(publish_at(Q1, 1, "a/3", "three"));
        carol.messages();
        ana.acknowledge(Packet::PubAck, waiting[0].packet_id);
        site.settle();
        site.crash(1);
        let (_, _, waiting) = come_back(site, "ana");
        assert_eq!(said(&waiting), ["two", "three"]);
        assert!(waiting[0].dup, "it was sent before");
    });
}

#[test]
fn a_session_ends_in_its_time_though_the_hub_was_down() {
    on_every_site(|site| {
        site.connected(lasting("ana", 60)).lose();
        site.crash(2);
        site.pass(Duration::from_secs(59));
        assert_eq!(site.sessions(), 1);
        site.crash(1);
        site.pass(Duration::from_secs(2));
        assert_eq!(site.sessions(), 0);
    });
}

#[test]
fn a_clock_that_is_set_back_makes_no_session_last_longer() {
    on_every_site(|site| {
        site.connected(lasting("ana", 60)).lose();
        site.set_clock_back(Duration::from_secs(500));
        site.crash(2);
        site.pass(Duration::from_secs(61));
        assert_eq!(site.sessions(), 0);
    });
}

fn will(delay_s: u32) -> Will {
    Will {
        topic: "ana/status".into(),
        payload: "lost".into(),
        qos: Q1,
        retain: true,
        delay_s,
        expiry_s: None,
        properties: Default::default(),
    }
}

#[test]
fn a_delayed_will_comes_in_its_time_after_a_crash_and_once() {
    on_every_site(|site| {
        let mut ana = Stubborn::new(site, "ana", &[]).with_will(will(30));
        ana.come();
        site.settle();
        ana.go();
        site.settle();
        site.pass(Duration::from_secs(10));
        site.crash(2);
        let bob = site.connected(lasting("bob", 3600));
        bob.follow("ana/status", Q1);
        site.pass(Duration::from_secs(19));
        assert_eq!(said(&bob.messages()), [""; 0]);
        site.pass(Duration::from_secs(2));
        assert_eq!(said(&bob.messages()), ["lost"]);
        site.crash(1);
        site.pass(Duration::from_secs(60));
        let (_, _, waiting) = come_back(site, "bob");
        assert_eq!(said(&waiting), [""; 0]);
    });
}

#[test]
fn a_client_that_was_connected_when_the_hub_died_is_lost_unless_it_comes_back() {
    on_every_site(|site| {
        let mut ana = Stubborn::new(site, "ana", &[]).with_will(will(30));
        let mut bob = Stubborn::new(site, "bob", &[]).with_will(Will {
            topic: "bob/status".into(),
            ..will(30)
        });
        for client in [&mut ana, &mut bob] {
            client.come();
            site.settle();
        }
        site.crash(2);
        bob.come();
        site.pass(Duration::from_secs(31));
        let carol = site.connected(connect("carol"));
        carol.send(quartet_sim::subscribe(1, &[("+/status", Q1)]));
        let heard = carol.messages();
        assert_eq!(quartet_sim::topics(&heard), ["ana/status"]);
    });
}

#[test]
fn rounds_let_old_records_go_and_nothing_else() {
    on_every_site(|site| {
        let ana = site.connected(lasting("ana", 3600));
        ana.follow("a/#", Q2);
        ana.lose();
        let bob = site.connected(connect("bob"));
        bob.send(retained(publish_at(Q1, 1, "a/1", "one")));
        bob.messages();
        for id in 2..30 {
            bob.send(publish_at(Q1, id, "c", "nobody waits for it"));
        }
        bob.messages();
        for lanes in [2, 1, 3] {
            site.round();
            site.round();
            site.crash(lanes);
        }
        let (_, was_there, waiting) = come_back(site, "ana");
        assert!(was_there);
        assert_eq!(said(&waiting), ["one"]);
    });
}

#[test]
fn a_session_that_a_clean_start_ended_does_not_come_back_after_a_crash() {
    on_every_site(|site| {
        let ana = site.connected(lasting("ana", 3600));
        ana.follow("a", Q1);
        site.stick_journal(true);
        let again = site.client();
        again.send(connect("ana"));
        assert_eq!(
            again.receive(),
            [],
            "it is not certain yet that the old one is over"
        );
        site.stick_journal(false);
        assert!(matches!(again.receive()[..], [Packet::ConnAck(_)]));
        site.crash(2);
        let (_, was_there, _) = come_back(site, "ana");
        assert!(!was_there);
    });
}

#[test]
fn a_session_of_any_size_is_said_anew_in_records_that_fit() {
    let site = Site::new(1, 0);
    let ana = site.connected(lasting("ana", 3600));
    let long = "x".repeat(60_000);
    for n in 0..40 {
        ana.follow(&format!("{n}/{long}"), Q1);
    }
    ana.lose();
    for _ in 0..2 {
        site.round();
        site.crash(1);
    }
    let bob = site.connected(connect("bob"));
    bob.send(publish_at(Q1, 1, &format!("39/{long}"), "there"));
    bob.messages();
    let (_, was_there, waiting) = come_back(&site, "ana");
    assert!(was_there);
    assert_eq!(said(&waiting), ["there"]);
}

#[test]
fn a_will_that_is_too_long_for_its_sessions_records_is_refused() {
    let site = Site::with_limits(Limits {
        packet_bytes_max: 16 << 20,
        first_packet_bytes_max: 16 << 20,
        subscriptions_max: 10_000,
        ..Limits::default()
    });
    let with_will = |properties: usize| {
        let mut long = Vec::new();
        for _ in 0..properties {
            Property::UserProperty("note".into(), "x".repeat(60_000).into()).write(&mut long);
        }
        Connect {
            will: Some(Will {
                properties: long.into(),
                ..will(30)
            }),
            ..lasting("ana", 3600)
        }
    };
    let refused = site.client().ask(with_will(9));
    assert_eq!(quartet_sim::reasons(&refused), [Reason::PacketTooLarge]);
    let ana = site.connected(with_will(8));
    let long = "x".repeat(60_000);
    for n in 0..10 {
        ana.follow(&format!("{n}/{long}"), Q1);
    }
    for n in 0..5_000 {
        ana.follow(&format!("{n}"), Q1);
    }
    // All of it in records that a journal takes.
    for _ in 0..2 {
        site.round();
        site.crash(1);
    }
    let (_, was_there, _) = come_back(&site, "ana");
    assert!(was_there);
}

#[test]
fn a_message_of_any_length_is_kept_and_followed_after_a_crash() {
    let site = Site::with_limits(Limits {
        packet_bytes_max: 16 << 20,
        ..Limits::default()
    });
    let ana = site.connected(lasting("ana", 3600));
    ana.follow("a", Q1);
    ana.lose();
    let long = "x".repeat(3 << 20);
    let bob = site.connected(connect("bob"));
    let answer = bob.ask(retained(publish_at(Q1, 1, "a", &long)));
    assert_eq!(quartet_sim::reasons(&answer), [Reason::Success]);
    for _ in 0..2 {
        site.round();
        site.crash(1);
    }
    let (_, was_there, waiting) = come_back(&site, "ana");
    assert!(was_there);
    assert!(said(&waiting) == [&*long], "it waits as it was said");
    let carol = site.connected(connect("carol"));
    carol.send(quartet_sim::subscribe(1, &[("a", Q1)]));
    let is_it = |packet: &Packet| matches!(packet, Packet::Publish(m) if m.payload == long);
    assert!(
        carol.receive().iter().any(is_it),
        "it is retained as it was said"
    );
}

#[test]
fn a_long_payload_is_counted_once_whoever_says_it_and_however_often_it_is_said_anew() {
    for qos in [Q0, Q1] {
        let site = Site::new(1, 0);
        let bob = site.connected(connect("bob"));
        let long = "x".repeat(500_000);
        let before = site.bytes_written();
        bob.send(retained(publish_at(qos, u16::from(qos != Q0), "a", &long)));
        bob.receive();
        let once = site.bytes_written() - before;
        assert!((500_000..501_000).contains(&once), "{once}");
        site.round();
        let anew = site.bytes_written() - before - once;
        assert!(anew < 10_000, "{anew}");
    }
}

#[test]
fn what_is_longer_than_the_room_on_the_disk_is_refused_and_the_rest_is_not() {
    let site = Site::with_limits(Limits {
        packet_bytes_max: 16 << 20,
        ..Limits::default()
    });
    let bob = site.connected(connect("bob"));
    site.set_room(Some(3 << 20));
    let long = "x".repeat(2 << 20);
    let mut reasons = Vec::new();
    for (packet_id, payload) in [(1, &*long), (2, &*long), (3, "short")] {
        let answer = bob.ask(publish_at(Q1, packet_id, "a", payload));
        reasons.extend(quartet_sim::reasons(&answer));
    }
    // The second would need room that the first has taken.
    let nobody = Reason::NoMatchingSubscribers;
    assert_eq!(reasons, [nobody, Reason::QuotaExceeded, nobody]);
}

#[test]
fn a_full_disk_refuses_what_must_be_kept_and_nothing_else() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(lasting("ana", 3600)),
            site.connected(connect("bob")),
        );
        ana.follow("a", Q1);
        site.set_disk_full(true);
        let refused = bob.ask(publish_at(Q1, 1, "a", "one"));
        assert_eq!(quartet_sim::reasons(&refused), [Reason::QuotaExceeded]);
        bob.send(retained(publish_at(Q0, 0, "a", "kept")));
        bob.send(publish_at(Q0, 0, "a", "nought"));
        assert_eq!(said(&ana.messages()), ["nought"]);
        let new = ana.ask(quartet_sim::subscribe(7, &[("b", Q1)]));
        assert_eq!(quartet_sim::reasons(&new), [Reason::QuotaExceeded]);
        let carol = site.client();
        let refused = carol.ask(lasting("carol", 60));
        assert_eq!(quartet_sim::reasons(&refused), [Reason::ServerBusy]);
        site.set_disk_full(false);
        bob.send(publish_at(Q1, 2, "a", "two"));
        assert_eq!(said(&ana.messages()), ["two"]);
    });
}

#[test]
fn a_step_of_qos_2_is_safe_before_it_is_answered_on_any_connection() {
    on_every_site(|site| {
        let ana = site.connected(lasting("ana", 3600));
        ana.follow("a", Q2);
        let bob = site.connected(connect("bob"));
        bob.send(publish_at(Q2, 1, "a", "once"));
        bob.receive();
        let [Packet::Publish(message)] = &ana.receive()[..] else {
            panic!("one message comes");
        };
        site.stick_journal(true);
        ana.acknowledge(Packet::PubRec, message.packet_id);
        ana.lose();
        let again = site.client();
        again.send(lasting("ana", 3600));
        let heard = again.receive();
        let is_release = |packet: &Packet| matches!(packet, Packet::PubRel(_));
        assert!(!heard.iter().any(is_release), "{heard:?}");
        site.stick_journal(false);
        assert!(again.receive().iter().any(is_release));
    });
}

#[test]
fn a_hub_that_dies_while_it_says_a_session_anew_knows_the_old_one() {
    for seed in 0..40 {
        let site = Site::new(1, seed);
        let ana = site.connected(lasting("ana", 3600));
        let long = "x".repeat(60_000);
        for n in 0..8 {
            ana.follow(&format!("{n}/{long}"), Q1);
        }
        ana.follow("a", Q1);
        ana.lose();
        let bob = site.connected(connect("bob"));
        bob.send(publish_at(Q1, 1, "a", "waits"));
        bob.messages();
        site.stick_journal(true);
        site.begin_round();
        site.crash(1);
        let bob = site.connected(connect("bob"));
        bob.send(publish_at(Q1, 1, &format!("7/{long}"), "there"));
        bob.messages();
        let (_, was_there, waiting) = come_back(&site, "ana");
        assert!(was_there);
        assert_eq!(said(&waiting), ["waits", "there"]);
    }
}
