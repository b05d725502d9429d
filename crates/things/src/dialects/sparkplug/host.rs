//! A host application [Sparkplug 3.0.0, chapter 5]: what follows from what nodes say, one message
//! after the other. What is known here lasts as long as the hub runs; births that are kept bring the
//! rest back.
//!
//! A node whose messages have a gap is asked to be born again at once: on one broker they come in the
//! order in which they were sent, so that nothing has to be waited for.

mod life; // a node or a device, from its birth to its death
mod node; // one node and its devices

use std::collections::{BTreeSet, HashMap};

use quartet_model::{Qos, Said, Time};
use serde_json::json;

use super::{
    CERTIFICATES, STATE, Topic, Verb,
    wire::{Metric, Payload},
};
use crate::{Report, dialects::Announcement, td::Problem};
use node::{Node, Step};

/// Nodes that are known, born or not.
const NODES_MAX: usize = 10_000;
/// Metrics of all of them.
const METRICS_MAX: usize = 1_000_000;

/// What follows from a message.
#[derive(Clone, Debug)]
pub enum Say {
    /// A node or a device is born, or gone for good.
    Announce(Announcement),
    /// What a node or a device says of itself, after what was announced of it before.
    Report(Report),
    /// The message is kept at this topic, as it came.
    Keep(String),
    /// A node is told something.
    Tell(Said),
    /// A person should know what is wrong with the message.
    Refuse(Vec<Problem>),
}

/// Nodes and their devices, as they are known from what they say.
#[derive(Default, Debug)]
pub struct Host {
    /// By `{group}/{node}`.
    nodes: HashMap<Box<str>, Node>,
    /// How many metrics they have.
    metrics: usize,
    /// Nodes that were born, and when their devices should be, too.
    due: BTreeSet<(Time, Box<str>)>,
}

impl Host {
    /// A message at a topic of the namespace.
    pub fn hear(&mut self, topic: &str, payload: &[u8], now: Time) -> Vec<Say> {
        let Some(topic) = Topic::read(topic).filter(|topic| topic.verb != Verb::Command) else {
            return Vec::new();
        };
        let mut says = Vec::new();
        if topic.verb == Verb::Birth {
            says.push(Say::Keep(kept_at(&topic)));
        }
        if payload.is_empty() {
            if topic.verb == Verb::Birth {
                self.forget(&topic, &mut says);
            }
            return says;
        }
        let read = Payload::read(payload);
        match read.and_then(|payload| Ok((payload.metrics()?, payload.seq))) {
            Ok((metrics, seq)) => self.step(topic, metrics, seq, now, &mut says),
            Err(why) => {
                if let Some(node) = self.nodes.get_mut(&name_of(&topic)) {
                    let has_room = self.metrics < METRICS_MAX;
                    self.metrics -= node.size();
                    node.refuse(&topic, has_room);
                    self.metrics += node.size();
                }
                says.push(refused(why));
            }
        }
        says
    }

    fn step(
        &mut self,
        topic: Topic<'_>,
        metrics: Vec<Metric>,
        seq: Option<u64>,
        now: Time,
        says: &mut Vec<Say>,
    ) {
        let name = name_of(&topic);
        if NODES_MAX <= self.nodes.len() && !self.nodes.contains_key(&name) {
            let why = format!("comes from one node too many; {NODES_MAX} are known already");
            return says.push(refused(why));
        }
        let size = self.nodes.get(&name).map_or(0, Node::size);
        let node = self.nodes.entry(name.clone()).or_default();
        let settled_at = node.settles_at();
        let step = Step {
            topic,
            seq,
            metrics,
            room: METRICS_MAX.saturating_sub(self.metrics - size),
            now,
        };
        node.hear(step, says);
        self.metrics = self.metrics - size + node.size();
        let settles_at = node.settles_at();
        if settles_at != settled_at {
            self.due.remove(&(settled_at, name.clone()));
            if settles_at != Time::NEVER {
                self.due.insert((settles_at, name));
            }
        }
    }

    /// Knows a birth again that was said before the hub began, by what is kept at a topic.
    pub fn recall(&mut self, kept_at: &str, payload: &[u8]) {
        let topic = kept_at.strip_prefix(CERTIFICATES).and_then(Topic::read);
        let Some(topic) = topic.filter(|topic| topic.verb == Verb::Birth) else {
            return;
        };
        let metrics = Payload::read(payload).and_then(|payload| payload.metrics());
        let Ok(metrics) = metrics else {
            return; // It was refused when it came.
        };
        let name = name_of(&topic);
        if NODES_MAX <= self.nodes.len() && !self.nodes.contains_key(&name) {
            return;
        }
        let size = self.nodes.get(&name).map_or(0, Node::size);
        let node = self.nodes.entry(name).or_default();
        node.recall(&topic, &metrics, METRICS_MAX.saturating_sub(self.metrics));
        self.metrics = self.metrics - size + node.size();
    }

    /// How many nodes are known, and how much is known of them.
    #[cfg(test)]
    pub(super) fn nodes(&self) -> (usize, usize) {
        let real = self.nodes.values().map(Node::size).sum();
        assert_eq!(self.metrics, real);
        (self.nodes.len(), real)
    }

    /// When something follows although nothing is said.
    pub fn wake_at(&self) -> Time {
        self.due.first().map_or(Time::NEVER, |(at, _)| *at)
    }

    /// Devices that were not born with their node are away.
    pub fn wake(&mut self, now: Time) -> Vec<Say> {
        let mut says = Vec::new();
        while self.wake_at() <= now {
            let Some((_, name)) = self.due.pop_first() else {
                break;
            };
            if let Some(node) = self.nodes.get_mut(&name) {
                node.settle(&name, &mut says);
            }
        }
        says
    }

    /// An empty birth says that a node, or a device, is gone for good.
    fn forget(&mut self, topic: &Topic<'_>, says: &mut Vec<Say>) {
        let name = name_of(topic);
        let Some(node) = self.nodes.get_mut(&name) else {
            return;
        };
        let (size, settles_at) = (node.size(), node.settles_at());
        node.forget(topic, says);
        self.metrics = self.metrics - size + node.size();
        if topic.device.is_none() {
            self.metrics -= node.size();
            self.due.remove(&(settles_at, name.clone()));
            self.nodes.remove(&name);
        }
    }
}

/// What the host says of itself: it is there, or it goes. Nodes may wait for it.
pub fn state(is_online: bool, now: Time) -> Said {
    let said = json!({ "online": is_online, "timestamp": now.as_micros() / 1000 });
    Said {
        qos: Qos::AtLeastOnce, // [tck-id-host-topic-phid-birth-qos]
        ..Said::state(STATE, said.to_string())
    }
}

fn name_of(topic: &Topic<'_>) -> Box<str> {
    format!("{}/{}", topic.group, topic.node).into()
}

/// [tck-id-conformance-mqtt-aware-nbirth-mqtt-topic] [tck-id-conformance-mqtt-aware-dbirth-mqtt-topic]
fn kept_at(topic: &Topic<'_>) -> String {
    format!("{CERTIFICATES}{}", topic.with(Verb::Birth))
}

fn refused(why: impl ToString) -> Say {
    Say::Refuse(vec![Problem::new("(root)", why.to_string())])
}
