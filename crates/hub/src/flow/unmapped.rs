//! Messages that are of no element: a person may look at them, and make elements of them.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use bytestring::ByteString;
use quartet_fabric::topic;
use quartet_model::{Actor, Address, Event, Time};
use quartet_process::deployment;
use quartet_things::dialects;

use super::{Carried, Flow};

/// Topics of which a lane remembers the last message.
const TOPICS_MAX: usize = 512;
/// No longer payload is remembered.
const PAYLOAD_BYTES_MAX: usize = 4096;
/// Messages of each `WINDOW` that are looked at; of others, one of `EACH`.
const EACH_WINDOW: u32 = 8;
const EACH: u32 = 64;
const WINDOW: Duration = Duration::from_millis(10);

/// A message that may be of no element.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Where.
    pub topic: ByteString,
    /// What.
    pub payload: Bytes,
    /// Who said it.
    pub by: ByteString,
    /// When.
    pub at: Time,
}

/// The last message of each topic, as far as it was looked at.
#[derive(Default, Debug)]
pub(super) struct Unmapped {
    by_topic: HashMap<ByteString, Seen>,
    /// Topics, the one that came first first.
    order: VecDeque<ByteString>,
    /// Messages since the window began.
    passed: u32,
    since: Time,
}

impl Flow {
    /// Looks at a message of this lane's clients, if there are not too many.
    pub(super) fn look_at_unmapped(&mut self, event: Carried<'_>) {
        if is_foreign(&event) && self.unmapped.is_looked_at(event.id.at) {
            self.unmapped.remember(&event);
        }
    }

    /// What this lane saw that may be of no element. Others may know better.
    pub fn seen(&self) -> Vec<Seen> {
        self.unmapped.by_topic.values().cloned().collect()
    }

    /// What this lane saw at these topics is forgotten.
    pub fn forget_seen(&mut self, filters: &[String]) {
        let unmapped = &mut self.unmapped;
        let is_meant =
            |topic: &ByteString| filters.iter().any(|filter| topic::matches(filter, topic));
        unmapped.order.retain(|topic| !is_meant(topic));
        unmapped.by_topic.retain(|topic, _| !is_meant(topic));
    }

    /// Which of these topics are those of elements of this lane, or of dialects.
    pub fn are_native(&self, topics: &[ByteString]) -> Vec<bool> {
        let filters = dialects::filters();
        let is_dialect = |topic: &str| filters.iter().any(|filter| topic::matches(filter, topic));
        let are = topics
            .iter()
            .map(|topic| self.elements.is_native(topic) || is_dialect(topic));
        are.collect()
    }
}

/// Whether a message is neither the hub's own, nor a flow's, nor at an element's address, and says
/// something.
fn is_foreign(event: &Event) -> bool {
    let is_flow = || event.by == Actor::Api && deployment::is_flow(event.author());
    event.by != Actor::Hub
        && !event.topic.starts_with('$')
        && !event.payload.is_empty()
        && event.payload.len() <= PAYLOAD_BYTES_MAX
        && Address::element_of(&event.topic).is_none()
        && !is_flow()
}

impl Unmapped {
    /// Whether one more message is looked at.
    fn is_looked_at(&mut self, now: Time) -> bool {
        if WINDOW <= now.since(self.since) {
            self.since = now;
            self.passed = 0;
        }
        self.passed = self.passed.wrapping_add(1);
        self.passed <= EACH_WINDOW || self.passed.is_multiple_of(EACH)
    }

    fn remember(&mut self, event: &Event) {
        let known = self.by_topic.get_mut(&*event.topic);
        // What is kept is not a part of what a client sent, but has memory of its own.
        let topic = match &known {
            Some(known) => known.topic.clone(),
            None => ByteString::from(&*event.topic),
        };
        let seen = Seen {
            topic,
            payload: Bytes::copy_from_slice(&event.payload),
            by: event.author().into(),
            at: event.id.at,
        };
        if let Some(known) = known {
            *known = seen;
            return;
        }
        if self.by_topic.len() == TOPICS_MAX
            && let Some(first) = self.order.pop_front()
        {
            self.by_topic.remove(&first);
        }
        self.order.push_back(seen.topic.clone());
        self.by_topic.insert(seen.topic.clone(), seen);
    }
}
