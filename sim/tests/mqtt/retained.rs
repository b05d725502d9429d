//! What was last said at each topic (MQTT 5.0, section 3.3.1.3).

use quartet_fabric::mqtt::{Packet, Publish, RetainHandling, SubscribeFilter};
use quartet_sim::{
    Client, Site, connect, filter, on_every_site, publish, publish_at, said, subscribe, topics,
    unsubscribe,
};

use crate::{Q0, Q1, seconds};

fn kept(topic: &str, payload: &str) -> Publish {
    Publish {
        retain: true,
        ..publish(topic, payload)
    }
}

/// What somebody gets who subscribes now, as (payload, retain).
fn found(site: &Site, filter: &str) -> Vec<(String, bool)> {
    let late = site.connected(connect("late"));
    late.send(subscribe(1, &[(filter, Q0)]));
    pairs(&late.messages())
}

fn pairs(messages: &[Publish]) -> Vec<(String, bool)> {
    let retain = messages.iter().map(|message| message.retain);
    said(messages).into_iter().zip(retain).collect()
}

fn ask(client: &Client, filter: SubscribeFilter) {
    let mut packet = subscribe(1, &[]);
    packet.filters.push(filter);
    client.send(packet);
}

// [sparkplug tck-id-conformance-mqtt-retained]
#[test]
fn mqtt_3_3_1_5_to_7_the_last_message_is_kept_until_an_empty_one_removes_it() {
    on_every_site(|site| {
        let bob = site.connected(connect("bob"));
        bob.send(kept("a", "old"));
        bob.send(kept("a", "new"));
        assert_eq!(found(site, "a"), [("new".into(), true)]);
        let ana = site.connected(connect("ana"));
        ana.follow("b", Q0);
        bob.send(kept("a", ""));
        assert_eq!(found(site, "a"), []);
        // The empty message itself goes to those who are there.
        ana.follow("a", Q0);
        bob.send(kept("a", ""));
        assert_eq!(pairs(&ana.messages()), [(String::new(), false)]);
    });
}

// [sparkplug tck-id-conformance-mqtt-retained]
#[test]
fn mqtt_3_3_1_8_a_message_without_retain_changes_nothing() {
    on_every_site(|site| {
        let bob = site.connected(connect("bob"));
        bob.send(kept("a", "kept"));
        bob.send(publish("a", "said"));
        bob.send(publish("a", ""));
        bob.send(publish("b", "said"));
        assert_eq!(found(site, "#"), [("kept".into(), true)]);
    });
}

#[test]
fn mqtt_3_3_1_9_to_11_retain_handling_says_who_gets_them() {
    on_every_site(|site| {
        site.connected(connect("bob")).send(kept("a", "kept"));
        let with = |retain_handling| SubscribeFilter {
            retain_handling,
            ..filter("a", Q0)
        };
        let ana = site.connected(connect("ana"));
        ask(&ana, with(RetainHandling::DoNotSend));
        assert_eq!(ana.messages(), []);
        ask(&ana, with(RetainHandling::SendIfNew));
        assert_eq!(ana.messages(), [], "the subscription is there already");
        for _ in 0..2 {
            ask(&ana, with(RetainHandling::Send));
            assert_eq!(ana.messages().len(), 1);
        }
        ana.send(unsubscribe(1, &["a"]));
        ask(&ana, with(RetainHandling::SendIfNew));
        assert_eq!(ana.messages().len(), 1);
    });
}

// [sparkplug tck-id-conformance-mqtt-retained]
#[test]
fn mqtt_3_3_1_12_to_13_the_retain_flag_is_passed_on_if_asked_for() {
    on_every_site(|site| {
        let (plain, exact) = (site.connected(connect("p")), site.connected(connect("e")));
        plain.follow("a", Q0);
        ask(
            &exact,
            SubscribeFilter {
                retain_as_published: true,
                ..filter("a", Q0)
            },
        );
        exact.receive();
        let bob = site.connected(connect("bob"));
        for message in [kept("a", "kept"), publish("a", "said")] {
            bob.send(message.clone());
            assert!(!plain.messages()[0].retain);
            assert_eq!(exact.messages()[0].retain, message.retain);
        }
    });
}

#[test]
fn what_expired_is_not_found() {
    on_every_site(|site| {
        site.connected(connect("bob")).send(Publish {
            expiry_s: Some(10),
            ..kept("a", "kept")
        });
        site.settle();
        site.pass(seconds(4));
        let late = site.connected(connect("late"));
        late.send(subscribe(1, &[("a", Q0)]));
        assert_eq!(late.messages()[0].expiry_s, Some(6));
        site.pass(seconds(6));
        assert_eq!(found(site, "a"), []);
    });
}

#[test]
fn thousands_of_topics_come_each_once_however_slowly_they_are_read() {
    on_every_site(|site| {
        let bob = site.connected(connect("bob"));
        let mut expected = Vec::new();
        for n in 0..1000 {
            let topic = format!("t/{n}/x");
            bob.send(Publish {
                retain: true,
                ..publish_at(Q1, 1 + n, &topic, "x")
            });
            expected.push(topic);
        }
        let ana = site.connected(connect("ana"));
        ana.take_only(5_000);
        ana.send(subscribe(1, &[("t/+/x", Q1)]));
        let mut messages = ana.messages();
        ana.take_only(usize::MAX);
        messages.extend(ana.messages());
        let mut found = topics(&messages);
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
    });
}

#[test]
fn who_changes_its_mind_while_messages_are_looked_for_gets_them_once() {
    on_every_site(|site| {
        let bob = site.connected(connect("bob"));
        for n in 0..9 {
            bob.send(kept(&format!("t/{n}"), "x"));
        }
        site.settle();
        let ana = site.connected(connect("ana"));
        ana.send(subscribe(1, &[("t/+", Q0)]));
        ana.send(unsubscribe(2, &["t/+"]));
        ana.send(subscribe(3, &[("t/+", Q0)]));
        let packets = ana.receive();
        // What comes behind the last SUBACK is for the last subscription.
        let last = packets
            .iter()
            .rposition(|packet| matches!(packet, Packet::SubAck(_)));
        let behind = &packets[last.unwrap() + 1..];
        let mut found = Vec::new();
        for packet in behind {
            if let Packet::Publish(message) = packet {
                found.push(message.topic.to_string());
            }
        }
        found.sort_unstable();
        let expected: Vec<String> = (0..9).map(|n| format!("t/{n}")).collect();
        assert_eq!(found, expected);
    });
}

#[test]
fn everyone_sees_the_last_value_last() {
    on_every_site(|site| {
        let watchers: Vec<Client> = (0..6)
            .map(|n| {
                let watcher = site.connected(connect(&format!("w{n}")));
                watcher.follow("a", Q1);
                watcher
            })
            .collect();
        let writers: Vec<Client> = (0..6)
            .map(|n| site.connected(connect(&format!("b{n}"))))
            .collect();
        for round in 0..5 {
            for (n, writer) in writers.iter().enumerate() {
                writer.send(kept("a", &format!("{n}.{round}")));
            }
        }
        let last: Vec<Option<String>> = watchers
            .iter()
            .map(|watcher| said(&watcher.messages()).pop())
            .collect();
        let kept = found(site, "a");
        assert!(last.iter().all(|last| last.as_ref() == Some(&kept[0].0)));
    });
}
