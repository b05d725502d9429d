//! What is deployed: flows by their names, what starts them, and what became of that.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use quartet_model::{Event, Time};

use crate::{
    cloud::Attributes,
    deployment::{self, Deployment, State},
    fast::Flow,
    index::Index,
    problem::Problem,
    schedule::Ticks,
    storm::{Starts, Window},
    told::Told,
};

/// A filter of a deployed flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Trigger {
    pub(crate) slot: u32,
    pub(crate) filter: u16,
}

/// A deployed flow.
#[derive(Debug)]
pub struct Entry {
    /// As it was deployed.
    pub deployment: Deployment,
    /// What runs; what is wrong with it, if this hub cannot run it.
    pub flow: Result<Arc<Flow>, Vec<Problem>>,
    /// When the clock starts it.
    pub ticks: Option<Ticks>,
    /// What became of it here.
    pub told: Told,
    pub(crate) starts: Starts,
    /// All starts.
    pub(crate) guard: Window,
    /// Starts by what it said itself.
    pub(crate) again: Window,
    /// Loops that were told of.
    pub(crate) loops: Window,
    /// Events that came too often, the last of each key.
    pub(crate) grouped: HashMap<String, Grouped>,
}

/// An event that stands for all that came while its flow could not start.
#[derive(Debug)]
pub(crate) struct Grouped {
    pub(crate) event: Arc<Event>,
    pub(crate) attributes: Attributes,
    pub(crate) trigger: Trigger,
    pub(crate) face: u8,
    pub(crate) count: u32,
    pub(crate) at: Time,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Flows {
    pub(crate) slots: Vec<Option<Box<Entry>>>,
    by_key: BTreeMap<Arc<str>, u32>,
    pub(crate) index: Index<Trigger>,
    /// Slots that nothing is in any more, though the index knows them.
    gone: usize,
    /// The first time at which something that was grouped starts.
    pub(crate) due_at: Option<Time>,
}

impl Flows {
    /// Whether nothing is deployed.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// All that is deployed, by key.
    pub fn all(&self) -> impl Iterator<Item = (&Arc<str>, &Entry)> {
        let all = self.by_key.iter();
        all.filter_map(|(key, slot)| Some((key, self.slots.get(*slot as usize)?.as_deref()?)))
    }

    pub(crate) fn slot(&self, key: &str) -> Option<u32> {
        self.by_key.get(key).copied()
    }

    /// The flow of this key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        let slot = *self.by_key.get(key)?;
        self.slots.get(slot as usize)?.as_deref()
    }

    pub(crate) fn of(&mut self, trigger: Trigger) -> Option<&mut Entry> {
        self.slots.get_mut(trigger.slot as usize)?.as_deref_mut()
    }

    /// A flow is deployed, or is no more. What is known of another version of it is forgotten.
    pub fn set(&mut self, name: &str, deployment: Option<Deployment>) {
        let key: Arc<str> = deployment::key_of(name).into();
        let before = self.by_key.remove(&key).and_then(|slot| {
            self.gone += 1;
            self.slots[slot as usize].take()
        });
        if let Some(deployment) = deployment {
            let slot = self.slots.len() as u32;
            let entry = match before {
                Some(before) if before.deployment.text == deployment.text => {
                    let mut entry = Entry::new(deployment);
                    entry.told = before.told;
                    entry.starts = before.starts;
                    Box::new(entry)
                }
                _ => Box::new(Entry::new(deployment)),
            };
            self.by_key.insert(key, slot);
            self.slots.push(Some(entry));
            self.index_slot(slot);
        }
        if 64 < self.gone && self.slots.len() < 2 * self.gone {
            self.index_anew();
        }
    }

    fn index_slot(&mut self, slot: u32) {
        let Some(Some(entry)) = self.slots.get(slot as usize) else {
            return;
        };
        if let (Ok(flow), State::Enabled) = (&entry.flow, entry.deployment.state) {
            for (filter, number) in flow.triggers().iter().zip(0..) {
                let filter_of = Trigger {
                    slot,
                    filter: number,
                };
                self.index.insert(filter, filter_of);
            }
        }
    }

    fn index_anew(&mut self) {
        self.index = Index::default();
        self.gone = 0;
        let slots = std::mem::take(&mut self.slots);
        let mut moved = HashMap::new();
        for (slot, entry) in slots.into_iter().enumerate() {
            if let Some(mut entry) = entry {
                // Whatever waits is of the slot that was.
                entry.grouped.clear();
                moved.insert(slot as u32, self.slots.len() as u32);
                self.slots.push(Some(entry));
            }
        }
        for slot in self.by_key.values_mut() {
            *slot = moved[slot];
        }
        for slot in 0..self.slots.len() as u32 {
            self.index_slot(slot);
        }
    }
}

impl Entry {
    fn new(deployment: Deployment) -> Self {
        let at = Time::of_rfc3339(&deployment.at).unwrap_or(Time::ZERO);
        let flow = deployment.flow().and_then(|flow| {
            let schedule = flow.definition.workflow.schedule.as_ref();
            let ticks = schedule.map(|schedule| Ticks::of(schedule, &flow.policy, at));
            Ok((ticks.transpose()?.flatten(), flow))
        });
        let (ticks, flow) = match flow {
            Ok((ticks, flow)) => (ticks, Ok(Arc::new(flow))),
            Err(problems) => (None, Err(problems)),
        };
        Self {
            flow,
            ticks,
            deployment,
            told: Told::default(),
            starts: Starts::default(),
            guard: Window::default(),
            again: Window::default(),
            loops: Window::default(),
            grouped: HashMap::new(),
        }
    }
}
