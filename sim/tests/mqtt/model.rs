//! Random stories, held against a plain model: who hears what, in which order, and what is
//! kept. The model knows topics, filters and names, and nothing of lanes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};
use quartet_fabric::{mqtt::Publish, topic::matches};
use quartet_model::Qos;
use quartet_sim::{Client, Plan, Site, connect, publish_at, said, subscribe, unsubscribe};

use crate::{Q0, Q1, Q2};

const FILTERS: [&str; 6] = ["a/b", "a/+", "a/#", "+/c", "#", "d"];
const TOPICS: [&str; 4] = ["a/b", "a/c", "d", "e/c"];
const SHARE: &str = "$share/s/a/#";
const CLIENTS: usize = 4;

/// What may happen, next.
#[derive(Clone, Debug)]
enum Act {
    Subscribe(usize, &'static str, Qos),
    Unsubscribe(usize, &'static str),
    JoinShare(usize),
    LeaveShare(usize),
    Publish(usize, &'static str, Qos, bool),
    /// Everyone stands still until all was heard.
    Settle,
}

fn act() -> impl Strategy<Value = Act> {
    let who = 0..CLIENTS;
    let qos = prop::sample::select(vec![Q0, Q1, Q2]);
    let filter = prop::sample::select(&FILTERS[..]);
    let topic = prop::sample::select(&TOPICS[..]);
    prop_oneof![
        3 => (who.clone(), filter.clone(), qos.clone()).prop_map(|(w, f, q)| Act::Subscribe(w, f, q)),
        1 => (who.clone(), filter).prop_map(|(w, f)| Act::Unsubscribe(w, f)),
        1 => who.clone().prop_map(Act::JoinShare),
        1 => who.clone().prop_map(Act::LeaveShare),
        9 => (who, topic, qos, prop::bool::weighted(0.4))
            .prop_map(|(w, t, q, r)| Act::Publish(w, t, q, r)),
        2 => Just(Act::Settle),
    ]
}

/// The plain rule: what each client must have heard.
#[derive(Default)]
struct Model {
    filters: [BTreeSet<&'static str>; CLIENTS],
    members: BTreeSet<usize>,
    /// By client: payloads that it must get for its own filters, once each.
    owed: [BTreeSet<String>; CLIENTS],
    /// Payloads of which exactly one member gets one more.
    shared: BTreeSet<String>,
    /// Topics at which something is kept.
    kept: BTreeSet<&'static str>,
}

impl Model {
    fn publish(&mut self, topic: &'static str, payload: &str, retain: bool) {
        for (filters, owed) in self.filters.iter().zip(&mut self.owed) {
            if filters.iter().any(|filter| matches(filter, topic)) {
                owed.insert(payload.to_owned());
            }
        }
        if !self.members.is_empty() && matches("a/#", topic) {
            self.shared.insert(payload.to_owned());
        }
        if retain {
            self.kept.insert(topic);
        }
    }
}

/// Plays the acts; a change of who follows what is settled before anybody speaks, so that the
/// model knows who must hear it. Messages between two changes go all at once.
struct Stage {
    site: Site,
    clients: Vec<Client>,
    model: Model,
    /// By client: live payloads in the order in which they were heard.
    heard: Vec<Vec<String>>,
    /// By client: the last live value of each retained topic.
    last: Vec<BTreeMap<String, String>>,
    /// By publisher: how many it published.
    count: [u16; CLIENTS],
}

impl Stage {
    fn new(lanes: usize, seed: u64) -> Self {
        let site = Site::of(&Plan {
            lanes,
            seed,
            ..Plan::default()
        });
        let clients = (0..CLIENTS).map(|n| site.connected(connect(&format!("client{n}"))));
        Self {
            clients: clients.collect(),
            site,
            model: Model::default(),
            heard: vec![Vec::new(); CLIENTS],
            last: vec![BTreeMap::new(); CLIENTS],
            count: [0; CLIENTS],
        }
    }

    fn play(&mut self, act: &Act) {
        match *act {
            Act::Subscribe(who, filter, qos) => {
                self.listen();
                let mut packet = subscribe(1, &[(filter, qos)]);
                // What was kept is compared at the end, by somebody who comes new.
                packet.filters[0].retain_handling = quartet_fabric::mqtt::RetainHandling::DoNotSend;
                packet.filters[0].retain_as_published = true;
                self.clients[who].send(packet);
                self.model.filters[who].insert(filter);
                self.listen();
            }
            Act::Unsubscribe(who, filter) => {
                self.listen();
                self.clients[who].send(unsubscribe(2, &[filter]));
                self.model.filters[who].remove(filter);
                self.listen();
            }
            Act::JoinShare(who) => {
                self.listen();
                self.clients[who].send(subscribe(3, &[(SHARE, Q1)]));
                self.model.members.insert(who);
                self.listen();
            }
            Act::LeaveShare(who) => {
                self.listen();
                self.clients[who].send(unsubscribe(4, &[SHARE]));
                self.model.members.remove(&who);
                self.listen();
            }
            Act::Publish(who, topic, qos, retain) => {
                self.count[who] += 1;
                let id = if qos == Q0 { 0 } else { self.count[who] };
                let payload = format!("{who}.{}", self.count[who]);
                self.model.publish(topic, &payload, retain);
                self.clients[who].send(Publish {
                    retain,
                    ..publish_at(qos, id, topic, &payload)
                });
            }
            Act::Settle => self.listen(),
        }
    }

    fn listen(&mut self) {
        for (who, client) in self.clients.iter().enumerate() {
            for message in client.messages() {
                let payload = said(std::slice::from_ref(&message)).remove(0);
                if message.retain {
                    let topic = message.topic.to_string();
                    self.last[who].insert(topic, payload.clone());
                }
                self.heard[who].push(payload);
            }
        }
    }

    /// Each hears what it should, as often as it should.
    fn check_who_heard_what(&self) -> Result<(), TestCaseError> {
        let mut of_the_share = Vec::new();
        for (who, heard) in self.heard.iter().enumerate() {
            let mut owed = self.model.owed[who].clone();
            for payload in heard {
                if !owed.remove(payload) {
                    of_the_share.push(payload.clone());
                }
            }
            prop_assert!(owed.is_empty(), "client {who} did not hear {owed:?}");
        }
        of_the_share.sort_unstable();
        let mut shared: Vec<String> = self.model.shared.iter().cloned().collect();
        shared.sort_unstable();
        prop_assert_eq!(of_the_share, shared);
        Ok(())
    }

    /// What one client says at one topic and QoS reaches each of those who follow it in order.
    fn check_order(&self, acts: &[Act]) -> Result<(), TestCaseError> {
        let mut key_of = BTreeMap::new();
        let mut count = [0; CLIENTS];
        for act in acts {
            if let Act::Publish(who, topic, qos, _) = *act {
                count[who] += 1;
                let n: u16 = count[who];
                key_of.insert(format!("{who}.{n}"), ((who, topic, qos), n));
            }
        }
        for (who, heard) in self.heard.iter().enumerate() {
            if !self.model.shared.is_empty() {
                continue; // A member hears some things twice, and in no order.
            }
            let mut last = BTreeMap::new();
            for payload in heard {
                let (key, n) = key_of[payload];
                let before = last.insert(key, n);
                prop_assert!(
                    before < Some(n),
                    "client {who} hears {payload} late: {heard:?}"
                );
            }
        }
        Ok(())
    }

    /// Whoever comes now finds what those who were there all the time saw last.
    fn check_what_is_kept(&self, always: usize) -> Result<(), TestCaseError> {
        let late = self.site.connected(connect("late"));
        late.send(subscribe(1, &[("#", Q2)]));
        let found: BTreeMap<String, String> = late
            .messages()
            .iter()
            .map(|m| (m.topic.to_string(), said(std::slice::from_ref(m)).remove(0)))
            .collect();
        let topics: BTreeSet<&str> = found.keys().map(|topic| &**topic).collect();
        prop_assert_eq!(&topics, &self.model.kept);
        prop_assert_eq!(&found, &self.last[always]);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    // [MQTT-4.5.0-1] [MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT-3.3.1-5]
    #[test]
    fn everyone_hears_what_the_plain_rule_says(
        acts in vec(act(), 1..60),
        lanes in 1..4_usize,
        seed in any::<u64>(),
    ) {
        let mut stage = Stage::new(lanes, seed);
        // Somebody who was there all the time and hears everything.
        stage.play(&Act::Subscribe(0, "#", Q2));
        let acts: Vec<Act> = acts
            .into_iter()
            .filter(|act| !matches!(act, Act::Unsubscribe(0, "#") | Act::JoinShare(0)))
            .collect();
        for act in &acts {
            stage.play(act);
        }
        stage.listen();
        stage.check_who_heard_what()?;
        stage.check_order(&acts)?;
        stage.check_what_is_kept(0)?;
    }

    // Somebody who comes in the middle of it all misses no last value.
    #[test]
    fn who_subscribes_while_others_speak_ends_with_the_last_value(
        before in vec((0..CLIENTS, prop::sample::select(&TOPICS[..])), 0..12),
        after in vec((0..CLIENTS, prop::sample::select(&TOPICS[..])), 0..12),
        lanes in 1..4_usize,
        seed in any::<u64>(),
    ) {
        let mut stage = Stage::new(lanes, seed);
        stage.play(&Act::Subscribe(0, "#", Q2));
        let newcomer = stage.site.connected(connect("newcomer"));
        for &(who, topic) in &before {
            stage.play(&Act::Publish(who, topic, Q1, true));
        }
        newcomer.send(subscribe(1, &[("#", Q1)]));
        for &(who, topic) in &after {
            stage.play(&Act::Publish(who, topic, Q1, true));
        }
        stage.listen();
        let mut last = BTreeMap::new();
        for message in newcomer.messages() {
            let payload = said(std::slice::from_ref(&message)).remove(0);
            last.insert(message.topic.to_string(), payload);
        }
        prop_assert_eq!(&last, &stage.last[0]);
    }
}
