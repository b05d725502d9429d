use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::*;

fn wish(qos: u8, id: u32) -> Wish {
    Wish {
        qos: Qos::from_level(qos).unwrap(),
        id,
        ..Wish::default()
    }
}

fn receivers(routes: &mut Routes<u32>, topic: &str) -> Vec<u32> {
    let mut matches = Matches::default();
    routes.receivers(topic, &mut matches);
    matches.own.iter().map(|matched| matched.receiver).collect()
}

#[test]
fn a_receiver_hears_what_it_asked_for_until_it_leaves() {
    let mut routes = Routes::new(1);
    let first = routes.join("ward/+/bed", 1, wish(0, 0));
    assert!(first.is_new && first.is_first);
    let second = routes.join("ward/+/bed", 2, wish(0, 0));
    assert!(second.is_new && !second.is_first);
    assert_eq!(receivers(&mut routes, "ward/3/bed"), [1, 2]);
    assert_eq!(routes.leave(first.node, 1), Some(Left { is_last: false }));
    assert_eq!(routes.leave(first.node, 1), None);
    assert_eq!(receivers(&mut routes, "ward/3/bed"), [2]);
    assert_eq!(routes.leave(second.node, 2), Some(Left { is_last: true }));
    assert_eq!(routes.find("ward"), None, "the branch is gone");
    assert!(routes.is_empty());
}

#[test]
fn mqtt_3_8_4_3_the_same_filter_again_replaces_the_wish() {
    let mut routes = Routes::new(1);
    routes.join("a", 1, wish(0, 0));
    let again = routes.join("a", 1, wish(2, 0));
    assert!(!again.is_new && !again.is_first);
    assert_eq!(routes.wish(again.node, 1), Some(wish(2, 0)));
    assert_eq!(routes.len(), 1);
}

#[test]
fn mqtt_3_3_4_2_overlapping_filters_make_one_delivery_at_the_highest_qos() {
    let mut routes = Routes::new(1);
    routes.join("a/+", 7, wish(0, 3));
    routes.join("a/b", 7, wish(2, 4));
    routes.join("a/#", 7, wish(1, 0));
    routes.join("a/#", 5, wish(1, 0));
    let mut matches = Matches::default();
    routes.receivers("a/b", &mut matches);
    let found: Vec<_> = matches
        .own
        .iter()
        .map(|m| (m.receiver, m.wish.qos))
        .collect();
    assert_eq!(found, [(5, Qos::AtLeastOnce), (7, Qos::ExactlyOnce)]);
    // [MQTT-3.3.4-4]
    let mut ids: Vec<_> = matches.ids(1).collect();
    ids.sort_unstable();
    assert_eq!(ids, [3, 4]);
    assert_eq!(matches.ids(0).count(), 0);
}

#[test]
fn other_lanes_are_known_by_their_interest_only() {
    let mut routes = Routes::<u32>::new(1);
    routes.set_lane("a/#", 3, true);
    routes.set_lane("a/b", 5, true);
    let mut matches = Matches::default();
    routes.receivers("a/b", &mut matches);
    assert_eq!(matches.lanes, 1 << 3 | 1 << 5);
    routes.set_lane("a/b", 5, false);
    routes.receivers("a/b", &mut matches);
    assert_eq!(matches.lanes, 1 << 3);
}

fn member(receiver: u32) -> Member<u32> {
    Member {
        lane: 0,
        receiver,
        wish: Wish::default(),
        online: true,
        share: 0,
    }
}

#[track_caller]
fn check_turns(routes: &mut Routes<u32>, expected: &[u32]) {
    let mut matches = Matches::default();
    let mut turns = Vec::new();
    for _ in expected {
        routes.receivers("a", &mut matches);
        turns.extend(matches.chosen.iter().map(|member| member.receiver));
    }
    assert_eq!(turns, expected);
}

#[test]
fn members_of_a_share_take_turns() {
    let mut routes = Routes::new(1);
    for receiver in [1, 2, 3] {
        routes.share_join("blue", "a", member(receiver));
    }
    check_turns(&mut routes, &[1, 2, 3, 1]);
    routes.share_online("blue", "a", 0, 3, false);
    check_turns(&mut routes, &[2, 1, 2, 1]);
    assert!(routes.share_leave("blue", "a", 0, 1));
    assert!(!routes.share_leave("blue", "a", 0, 1));
    check_turns(&mut routes, &[2, 2]);
    routes.share_online("blue", "a", 0, 2, false);
    check_turns(&mut routes, &[3, 2, 3]);
}

/// Few letters, so that filters and topics meet.
fn level() -> impl Strategy<Value = String> {
    prop_oneof!["[ab]", Just(String::new()), Just("$x".to_owned())]
}

fn topic() -> impl Strategy<Value = String> {
    vec(level(), 1..5).prop_map(|levels| levels.join("/"))
}

fn filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![3 => level(), 2 => Just("+".to_owned())];
    (vec(level, 0..4), any::<bool>()).prop_map(|(mut levels, open)| {
        if open || levels.is_empty() {
            levels.push("#".to_owned());
        }
        levels.join("/")
    })
}

proptest! {
    /// The tree agrees with the plain rule, through joins and leaves.
    #[test]
    fn the_tree_finds_whom_the_plain_rule_finds(
        steps in vec((filter(), 0..6_u32, any::<bool>()), 1..40),
        topics in vec(topic(), 1..10),
    ) {
        let mut routes = Routes::new(42);
        let mut plain = BTreeMap::new();
        for (filter, receiver, stays) in &steps {
            if *stays {
                let joined = routes.join(filter, *receiver, wish(0, 0));
                let is_new = plain.insert((filter.clone(), *receiver), ()).is_none();
                prop_assert_eq!(joined.is_new, is_new);
                prop_assert_eq!(&routes.filter_at(joined.node), filter);
            } else {
                let left = routes.find(filter).and_then(|node| routes.leave(node, *receiver));
                let was_there = plain.remove(&(filter.clone(), *receiver)).is_some();
                prop_assert_eq!(left.is_some(), was_there);
            }
        }
        prop_assert_eq!(routes.len(), plain.len());
        for topic in &topics {
            let mut expected: Vec<_> = plain
                .keys()
                .filter(|(filter, _)| crate::topic::matches(filter, topic))
                .map(|(_, receiver)| *receiver)
                .collect();
            expected.sort_unstable();
            expected.dedup();
            let mut found = receivers(&mut routes, topic);
            found.sort_unstable();
            prop_assert_eq!(found, expected, "topic {}", topic);
        }
    }
}
