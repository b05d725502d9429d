use std::{collections::BTreeMap, time::Duration};

use prost::Message;
use quartet_model::{Said, Time};

use crate::{
    Report,
    dialects::{
        Announcement, parts,
        sparkplug::{
            PART, Topic, Verb,
            birth::{BD_SEQ, Metrics, REBIRTH},
            datatype::DataType,
            value,
            wire::{Metric, Payload, Scalar},
        },
    },
    td::{PROBLEMS_MAX, Problem},
};

use super::Say;

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

/// A node or a device between birth and death.
#[derive(Default, Debug)]
struct Life {
    is_born: bool,
    /// It was last reported to be there.
    is_there: bool,
    metrics: Metrics,
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
            device.is_born = false;
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
        let others = self.size - self.devices.get(device).map_or(0, Life::size);
        let room = step.room.saturating_sub(others);
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
        let Step {
            topic,
            metrics,
            now,
            ..
        } = step;
        let life = match topic.device {
            None => Some(&mut self.own),
            Some(device) => self.devices.get_mut(device),
        };
        let Some(life) = life.filter(|life| life.is_born) else {
            if is_whole {
                let who = topic.device.unwrap_or(topic.node);
                self.ask(
                    &topic,
                    &format!("says something of `{who}`, which was not born"),
                    now,
                    says,
                );
            }
            return;
        };
        let unknown = life.report(&topic, metrics, says);
        if let Some(unknown) = unknown {
            self.ask(
                &topic,
                &format!("says something of {unknown}, which its birth did not have"),
                now,
                says,
            );
        }
    }

    /// Whether nothing is missing before a message; if there is, the node is asked to be born again.
    fn check(&mut self, step: &Step<'_>, says: &mut Vec<Say>) -> bool {
        let why = if !self.own.is_born {
            format!("comes from `{}`, which was not born", step.topic.node)
        } else {
            match (self.next, step.seq) {
                (Some(next), Some(seq)) if seq != u64::from(next) => {
                    format!(
                        "has the sequence number {seq}; {next} was to come, so something was lost"
                    )
                }
                (_, None) => {
                    "has no sequence number, which all but deaths of nodes have".to_owned()
                }
                _ => String::new(),
            }
        };
        self.next = after(step.seq);
        if !why.is_empty() {
            self.ask(&step.topic, &why, step.now, says);
        }
        why.is_empty()
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
        let life = Life {
            is_born: true,
            is_there: true,
            metrics,
        };
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

impl Life {
    /// What it counts for: also one without metrics is remembered.
    fn size(&self) -> usize {
        1 + self.metrics.len()
    }

    /// A birth, for which so many metrics have room.
    fn begin(&mut self, step: Step<'_>, room: usize, says: &mut Vec<Say>) {
        let (metrics, mut problems) = Metrics::of(&step.metrics);
        if room < metrics.len() {
            let why = "has metrics for which there is no room; too many are known already";
            problems.push(Problem::new("metrics", why));
            return says.push(Say::Refuse(problems));
        }
        let described = match metrics.describe(&step.topic, &step.metrics) {
            Ok(described) => described,
            Err(why) => return says.push(Say::Refuse(why)),
        };
        if !problems.is_empty() {
            says.push(Say::Refuse(problems));
        }
        says.push(Say::Announce(Announcement {
            key: step.topic.key(),
            part: PART.to_owned(),
            description: Some(described),
        }));
        self.is_born = true;
        self.metrics = metrics;
        self.report(&step.topic, step.metrics, says);
    }

    /// What a message says of the metrics; gives one that is unknown.
    fn report(
        &mut self,
        topic: &Topic<'_>,
        metrics: Vec<Metric>,
        says: &mut Vec<Say>,
    ) -> Option<String> {
        let mut values = Vec::new();
        let mut unknown = None;
        let mut problems = Vec::new();
        for metric in metrics {
            let Some(known) = self.metrics.find(&metric) else {
                if metric.name.as_deref() != Some(BD_SEQ) {
                    unknown.get_or_insert_with(|| named(&metric));
                }
                continue;
            };
            // What was once is no report of what is.
            let Some(property) = known
                .property
                .clone()
                .filter(|_| metric.is_historical != Some(true))
            else {
                continue;
            };
            match value::of_metric(metric, known.datatype) {
                Ok(value) => values.push((property, value)),
                Err(why) if problems.len() < PROBLEMS_MAX => {
                    problems.push(Problem::new(
                        format!("properties.{property}"),
                        why.to_string(),
                    ));
                }
                Err(_) => {}
            }
        }
        self.is_there = true;
        if !problems.is_empty() {
            says.push(Say::Refuse(problems));
        }
        says.push(Say::Report(Report {
            key: topic.key(),
            is_there: true,
            values,
        }));
        unknown
    }

    /// It is away until its next birth.
    fn end(&mut self, topic: &Topic<'_>, says: &mut Vec<Say>) {
        self.is_born = false;
        if std::mem::take(&mut self.is_there) {
            says.push(Say::Report(Report {
                key: topic.key(),
                is_there: false,
                values: Vec::new(),
            }));
        }
    }
}

/// The sequence number that comes after another: after 255 comes 0.
fn after(seq: Option<u64>) -> Option<u8> {
    seq.map(|seq| (seq as u8).wrapping_add(1))
}

fn named(metric: &Metric) -> String {
    match (&metric.name, metric.alias) {
        (Some(name), _) => format!("the metric `{}`", parts::title(name)),
        (None, Some(alias)) => format!("the alias {alias}"),
        (None, None) => "a metric without a name or an alias".to_owned(),
    }
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
