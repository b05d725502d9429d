//! Shared subscriptions (MQTT 5.0, section 4.8.2).

use quartet_fabric::mqtt::{Packet, Reason};
use quartet_sim::{connect, on_every_site, publish_at, reasons, said, unsubscribe};

use crate::{Q0, Q1, Q2, come_back, lasting, lasting_for, seconds};

#[test]
fn each_message_goes_to_one_member_of_each_share() {
    on_every_site(|site| {
        let join = |share: &str| {
            let member = |n| {
                let member = site.connected(connect(&format!("{share}{n}")));
                member.follow(&format!("$share/{share}/a/#"), Q1);
                member
            };
            (0..5).map(member).collect::<Vec<_>>()
        };
        let shares = [join("s"), join("t")];
        let alone = site.connected(connect("alone"));
        alone.follow("a/b", Q1);
        let bob = site.connected(connect("bob"));
        for id in 1..=50 {
            bob.send(publish_at(Q1, id, "a/b", &id.to_string()));
        }
        assert_eq!(alone.messages().len(), 50);
        for members in shares {
            let each: Vec<_> = members.iter().map(|member| member.messages()).collect();
            assert!(each.iter().all(|messages| !messages.is_empty()));
            let mut all: Vec<u16> = each
                .iter()
                .flat_map(|messages| said(messages))
                .map(|payload| payload.parse().unwrap())
                .collect();
            all.sort_unstable();
            assert_eq!(all, (1..=50).collect::<Vec<u16>>());
        }
    });
}

#[test]
fn mqtt_4_8_2_3_each_member_gets_messages_at_the_qos_that_it_was_granted() {
    on_every_site(|site| {
        let (ana, eve) = (
            site.connected(connect("ana")),
            site.connected(connect("eve")),
        );
        ana.follow("$share/s/a", Q0);
        eve.follow("$share/s/a", Q1);
        let bob = site.connected(connect("bob"));
        for id in 1..=20 {
            bob.send(publish_at(Q2, id, "a", "x"));
        }
        let (to_ana, to_eve) = (ana.messages(), eve.messages());
        assert_eq!(to_ana.len() + to_eve.len(), 20);
        assert!(to_ana.iter().all(|message| message.qos == Q0));
        assert!(to_eve.iter().all(|message| message.qos == Q1));
    });
}

#[test]
fn mqtt_4_8_2_4_what_was_sent_to_a_member_that_went_is_sent_to_it_when_it_is_back() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(lasting("ana")),
            site.connected(connect("bob")),
        );
        ana.follow("$share/s/a", Q2);
        bob.send(publish_at(Q2, 1, "a", "x"));
        assert_eq!(ana.receive().len(), 1);
        let eve = site.connected(connect("eve"));
        eve.follow("$share/s/a", Q2);
        ana.lose();
        let (ana, _, again) = come_back(site, lasting("ana"));
        assert!(matches!(&again[..], [Packet::Publish(message)] if message.dup));
        assert_eq!(ana.receive(), []);
        assert_eq!(eve.receive(), []);
    });
}

#[test]
fn mqtt_4_8_2_5_if_the_members_session_ends_nobody_else_gets_it() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(lasting_for(10, "ana")),
            site.connected(connect("bob")),
        );
        ana.follow("$share/s/a", Q2);
        bob.send(publish_at(Q2, 1, "a", "x"));
        assert_eq!(ana.receive().len(), 1);
        let eve = site.connected(connect("eve"));
        eve.follow("$share/s/a", Q2);
        ana.lose();
        site.pass(seconds(11));
        assert_eq!(eve.receive(), []);
    });
}

#[test]
fn members_that_are_there_are_preferred() {
    on_every_site(|site| {
        let (ana, bob) = (
            site.connected(lasting("ana")),
            site.connected(connect("bob")),
        );
        let eve = site.connected(lasting("eve"));
        for member in [&ana, &eve] {
            member.follow("$share/s/a", Q1);
        }
        ana.lose();
        for id in 1..=10 {
            bob.send(publish_at(Q1, id, "a", "x"));
        }
        assert_eq!(eve.messages().len(), 10);
        // If nobody is there, somebody will get it.
        eve.lose();
        bob.send(publish_at(Q1, 1, "a", "x"));
        let (_, _, to_ana) = come_back(site, lasting("ana"));
        let (_, _, to_eve) = come_back(site, lasting("eve"));
        assert_eq!(to_ana.len() + to_eve.len(), 1);
    });
}

#[test]
fn who_leaves_a_share_gets_nothing_of_it() {
    on_every_site(|site| {
        let (ana, eve) = (
            site.connected(connect("ana")),
            site.connected(connect("eve")),
        );
        for member in [&ana, &eve] {
            member.follow("$share/s/a", Q0);
        }
        ana.send(unsubscribe(1, &["$share/s/a"]));
        ana.receive();
        let bob = site.connected(connect("bob"));
        for id in 1..=6 {
            bob.send(publish_at(Q1, id, "a", "x"));
        }
        assert_eq!(ana.messages(), []);
        assert_eq!(eve.messages().len(), 6);
        eve.lose();
        bob.receive();
        let answer = bob.ask(publish_at(Q1, 9, "a", "x"));
        assert_eq!(reasons(&answer), [Reason::NoMatchingSubscribers]);
    });
}
