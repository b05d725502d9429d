//! What is deployed: flows by their names, what starts them, and what became of that.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use quartet_model::{Event, Time};
use slotmap::SlotMap;

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

slotmap::new_key_type! {
    /// A deployment of a flow; another one has another.
    pub struct FlowKey;
}

/// A filter of a deployed flow. It stands for nothing once that is no more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Trigger {
    /// Whose it is.
    pub flow: FlowKey,
    /// Which, in the order in which they are written.
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
    /// What it computed lately, in steps.
    pub(crate) computed: Window,
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
    pub(crate) entries: SlotMap<FlowKey, Box<Entry>>,
    by_key: BTreeMap<Arc<str>, FlowKey>,
    pub(crate) index: Index<Trigger>,
    /// Flows that are no more, though the index knows them.
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
        all.filter_map(|(key, flow)| Some((key, &**self.entries.get(*flow)?)))
    }

    pub(crate) fn key_of(&self, key: &str) -> Option<FlowKey> {
        self.by_key.get(key).copied()
    }

    /// The flow of this key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(self.key_of(key)?).map(|entry| &**entry)
    }

    pub(crate) fn of(&mut self, trigger: Trigger) -> Option<&mut Entry> {
        self.entries.get_mut(trigger.flow).map(|entry| &mut **entry)
    }

    /// A flow is deployed, or is no more. What is known of another version of it is forgotten.
    pub fn set(&mut self, name: &str, deployment: Option<Deployment>) -> Option<FlowKey> {
        let key: Arc<str> = deployment::key_of(name).into();
        let before = self.by_key.remove(&key);
        let before = before.and_then(|flow| self.entries.remove(flow));
        self.gone += usize::from(before.is_some());
        let set = deployment.map(|deployment| {
            let mut entry = Entry::new(deployment);
            if let Some(before) = before
                && before.deployment.text == entry.deployment.text
            {
                entry.told = before.told;
                entry.starts = before.starts;
            }
            let flow = self.entries.insert(Box::new(entry));
            self.by_key.insert(key, flow);
            index(&mut self.index, flow, &self.entries[flow]);
            flow
        });
        if 64 < self.gone && self.entries.len() < self.gone {
            self.gone = 0;
            self.index = Index::default();
            for (flow, entry) in &self.entries {
                index(&mut self.index, flow, entry);
            }
        }
        set
    }
}

/// Lets events find what starts a flow, if anything may.
fn index(index: &mut Index<Trigger>, flow: FlowKey, entry: &Entry) {
    if let (Ok(ready), State::Enabled) = (&entry.flow, entry.deployment.state) {
        for (filter, number) in ready.triggers().iter().zip(0..) {
            let filter_of = Trigger {
                flow,
                filter: number,
            };
            index.insert(filter, filter_of);
        }
    }
}

impl Entry {
    fn new(deployment: Deployment) -> Self {
        let at = Time::of_rfc3339(&deployment.at).unwrap_or(Time::ZERO);
        let flow = deployment.flow().and_then(|flow| {
            let schedule = flow.workflow.schedule.as_ref();
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
            computed: Window::default(),
            again: Window::default(),
            loops: Window::default(),
            grouped: HashMap::new(),
        }
    }
}
