use std::{collections::BTreeMap, time::Duration};

use prost::Message;
use quartet_model::{Said, Time};

use super::{Say, life::Life};
use crate::{
    dialects::{
        Announcement,
        sparkplug::{
            PART, Topic, Verb,
            birth::{BD_SEQ, Metrics, REBIRTH},
            datatype::DataType,
            wire::{Metric, Payload, Scalar},
        },
    },
    td::Problem,
};

/// A node is not asked more often to be born again.
const REBIRTH_EVERY: Duration = Duration::from_secs(5);
/// How long devices may take to be born after their node.
const DEVICES_BORN_IN: Duration = Duration::from_secs(5);

/// What a message says, and when.
pub(super) struct Step<'t> {
    pub(super) topic: Topic<'t>,
    pub(super) seq: Option<u64>,
    pub(super) metrics: Vec<Metric>,
    /// How many metrics the node may have, with its devices.
    pub(super) room: usize,
    pub(super) now: Time,
}

/// A node, from its birth on, or from when it was first heard.
#[derive(Debug)]
pub(super) struct Node {
    own: Life,
    /// Which connection of the node its last birth was said over.
    bd_seq: Option<u64>,
    /// The sequence number that comes next; unknown after a start of the hub.
    next: Option<u8>,
    devices: BTreeMap<Box<str>, Life>,
    /// Metrics of all.
    size: usize,
    /// When it was last asked to be born again.
    asked: Option<Time>,
    /// When devices that are not born by then are away.
    settles_at: Time,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            own: Life::default(),
            bd_seq: None,
            next: None,
            devices: BTreeMap::new(),
            size: Life::default().size(),
            asked: None,
            settles_at: Time::NEVER,
        }
    }
}

impl Node {
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn settles_at(&self) -> Time {
        self.settles_at
    }

    pub(super) fn hear(&mut self, step: Step<'_>, says: &mut Vec<Say>) {
        match (step.topic.verb, step.topic.device) {
            (Verb::Birth, None) => self.be_born(step, says),
            (Verb::Death, None) => self.die(&step, says),
            (Verb::Birth, Some(device)) => self.bear(device, step, says),
            (Verb::Death, Some(device)) => self.lose(device, &step, says),
            (Verb::Data, _) => self.say(step, says),
            (Verb::Command, _) => {}
        }
    }

    /// NBIRTH.
    fn be_born(&mut self, step: Step<'_>, says: &mut Vec<Say>) {
        self.bd_seq = bd_seq(&step.metrics);
        // [tck-id-payloads-nbirth-seq]
        self.next = after(step.seq);
        // Its devices are to be born again, too; until then nobody knows.
        for device in self.devices.values_mut() {
            (device.is_born, device.is_refused) = (false, false);
        }
        self.settles_at = match self.devices.is_empty() {
            true => Time::NEVER,
            false => step.now.after(DEVICES_BORN_IN),
        };
        let others = self.size - self.own.size();
        let room = step.room.saturating_sub(others);
        self.own.begin(step, room, says);
        self.size = others + self.own.size();
    }

    /// NDEATH. One of an earlier connection comes late, and says nothing of this one.
    fn die(&mut self, step: &Step<'_>, says: &mut Vec<Say>) {
        let said = bd_seq(&step.metrics);
        if self.bd_seq.is_some() && said.is_some() && self.bd_seq != said {
            return; // [tck-id-operational-behavior-edge-node-termination-host-action-ndeath-node-offline]
        }
        self.own.end(&step.topic, says);
        for (device, life) in &mut self.devices {
            let topic = Topic {
                device: Some(device),
                ..step.topic
            };
            life.end(&topic, says);
        }
        self.settles_at = Time::NEVER;
    }

    /// DBIRTH.
    fn bear(&mut self, device: &str, step: Step<'_>, says: &mut Vec<Say>) {
        self.check(&step, says);
        let known = self.devices.get(device).map(Life::size);
        let others = self.size - known.unwrap_or(0);
        let room = step.room.saturating_sub(others);
        if known.is_none() && room == 0 {
            let why = "is a device too many; too many metrics are known already";
            return says.push(super::refused(why));
        }
        let life = self.devices.entry(device.into()).or_default();
        life.begin(step, room, says);
        self.size = others + life.size();
    }

    /// DDEATH.
    fn lose(&mut self, device: &str, step: &Step<'_>, says: &mut Vec<Say>) {
        self.check(step, says);
        if let Some(life) = self.devices.get_mut(device) {
            life.end(&step.topic, says);
        }
    }

    /// NDATA and DDATA.
    fn say(&mut self, step: Step<'_>, says: &mut Vec<Say>) {
        let is_whole = self.check(&step, says);
        let Step { topic, now, .. } = step;
        let life = match topic.device {
            None => Some(&mut self.own),
            Some(device) => self.devices.get_mut(device),
        };
        let missing = match life {
            Some(life) if life.is_refused => return,
            Some(life) if life.is_born => {
                let unknown = life.report(&topic, step.metrics, says);
                unknown.map(|it| format!("says something of {it}, which its birth did not have"))
            }
            _ => {
                let who = topic.device.unwrap_or(topic.node);
                is_whole.then(|| format!("says something of `{who}`, which was not born"))
            }
        };
        if let Some(missing) = missing {
            self.ask(&topic, &missing, now, says);
        }
    }

    /// Whether nothing is missing before a message; if there is, the node is asked to be born again.
    fn check(&mut self, step: &Step<'_>, says: &mut Vec<Say>) -> bool {
        let awaited = std::mem::replace(&mut self.next, after(step.seq));
        let why = match (awaited, step.seq) {
            _ if self.own.is_refused => return true, // It cannot do better.
            _ if !self.own.is_born => {
                format!("comes from `{}`, which was not born", step.topic.node)
            }
            (Some(next), Some(seq)) if seq != u64::from(next) => {
                format!("has the sequence number {seq}; {next} was to come, so something was lost")
            }
            _ => return true,
        };
        self.ask(&step.topic, &why, step.now, says);
        false
    }

    /// Asks to be born again, unless that was asked just now, and says why.
    fn ask(&mut self, topic: &Topic<'_>, why: &str, now: Time, says: &mut Vec<Say>) {
        let is_patient = |asked: Time| now.since(asked) < REBIRTH_EVERY;
        if self.asked.is_some_and(is_patient) {
            return;
        }
        self.asked = Some(now);
        let why = format!("{why}; the node is asked to be born again");
        says.push(Say::Refuse(vec![Problem::new("(root)", why)]));
        says.push(Say::Tell(rebirth(&topic.of_node(), now)));
    }

    /// A message that could not be read, whichever its sequence number was. `has_room` says whether
    /// another device may be remembered.
    pub(super) fn refuse(&mut self, topic: &Topic<'_>, has_room: bool) {
        self.next = None;
        if topic.verb != Verb::Birth {
            return;
        }
        let life = match topic.device {
            None => &mut self.own,
            Some(device) => {
                let is_new = !self.devices.contains_key(device);
                if is_new && !has_room {
                    return;
                }
                self.size += usize::from(is_new) * Life::default().size();
                self.devices.entry(device.into()).or_default()
            }
        };
        (life.is_born, life.is_refused) = (false, true);
    }

    /// Devices that were not born since their node was are away. `name` is `{group}/{node}`.
    pub(super) fn settle(&mut self, name: &str, says: &mut Vec<Say>) {
        self.settles_at = Time::NEVER;
        let Some((group, node)) = name.split_once('/') else {
            return;
        };
        for (device, life) in &mut self.devices {
            let topic = Topic {
                group,
                verb: Verb::Death,
                node,
                device: Some(device),
            };
            if !life.is_born {
                life.end(&topic, says);
            }
        }
    }

    /// Knows a birth again, unless something newer is known.
    pub(super) fn recall(&mut self, topic: &Topic<'_>, birth: &[Metric], room: usize) {
        let (metrics, _) = Metrics::of(birth);
        let life = match topic.device {
            None => Some(&self.own),
            Some(device) => self.devices.get(device),
        };
        if life.is_some_and(|life| life.is_born) || room < metrics.len() {
            return;
        }
        self.size -= life.map_or(0, Life::size);
        let life = Life::recalled(metrics);
        self.size += life.size();
        match topic.device {
            None => {
                self.bd_seq = bd_seq(birth);
                self.own = life;
            }
            Some(device) => {
                self.devices.insert(device.into(), life);
            }
        }
    }

    /// The node with all its devices, or a device, is gone for good.
    pub(super) fn forget(&mut self, topic: &Topic<'_>, says: &mut Vec<Say>) {
        let gone = |topic: &Topic<'_>| {
            Say::Announce(Announcement {
                key: topic.key(),
                part: PART.to_owned(),
                description: None,
            })
        };
        if let Some(device) = topic.device {
            if let Some(life) = self.devices.remove(device) {
                self.size -= life.size();
                says.push(gone(topic));
            }
            return;
        }
        for device in self.devices.keys() {
            let topic = Topic {
                device: Some(device),
                ..*topic
            };
            says.push(Say::Keep(super::kept_at(&topic)));
            says.push(gone(&topic));
        }
        says.push(gone(topic));
        *self = Self::default();
    }
}

/// The sequence number that comes after another: after 255 comes 0.
fn after(seq: Option<u64>) -> Option<u8> {
    seq.map(|seq| (seq as u8).wrapping_add(1))
}

/// Which connection of the node a birth or a death is of.
fn bd_seq(metrics: &[Metric]) -> Option<u64> {
    let mut metrics = metrics.iter();
    let found = metrics.find(|metric| metric.name.as_deref() == Some(BD_SEQ))?;
    match found.value {
        Some(Scalar::Long(number)) => Some(number),
        Some(Scalar::Int(number)) => Some(number.into()),
        _ => None,
    }
}

/// What asks a node to be born again [tck-id-operational-behavior-data-commands-ncmd-rebirth-name].
fn rebirth(node: &Topic<'_>, now: Time) -> Said {
    let now_ms = now.as_micros() / 1000;
    let metric = Metric {
        name: Some(REBIRTH.to_owned()),
        timestamp: Some(now_ms),
        datatype: Some(DataType::Boolean.number()),
        value: Some(Scalar::Boolean(true)),
        ..Metric::default()
    };
    let payload = Payload::of(now_ms, &metric).encode_to_vec();
    Said {
        retain: false, // [tck-id-payloads-ncmd-retain]
        ..Said::state(node.with(Verb::Command), payload)
    }
}
