//! Relations and roles, as each lane knows them: from what is retained when the hub starts, and from
//! what is said after. All lanes hear of a change before whoever made it hears that it is made.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use quartet_fabric::routes::NodeId;
use quartet_model::{Address, Event, Time};
use quartet_people::{
    graph::Graph,
    relation::{self, Relations},
    role::{self, Deed, Role},
};
use serde_json::Value;

use super::{ClientKey, Flow, Receiver, Who, dialects::WISH};

/// Of so many elements that are related to nothing any more it is known where they were.
const LEFT_MAX: usize = 1000;

/// What a lane knows of who may what.
pub(super) struct Known {
    pub(super) graph: Graph,
    /// Properties that conditions are about, as far as this lane listens to them.
    heard: HashMap<Arc<str>, NodeId>,
    /// Elements that are related to nothing any more, and what they were in.
    left: VecDeque<(Arc<str>, Vec<Arc<str>>)>,
    /// Clients that are members of shared subscriptions because relations allow it.
    pub(super) sharing: HashSet<ClientKey>,
    /// When the first of them may be allowed it no more, by the time alone.
    pub(super) shares_until: Time,
}

impl Known {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            graph: Graph::new(seed),
            heard: HashMap::new(),
            left: VecDeque::new(),
            sharing: HashSet::new(),
            shares_until: Time::NEVER,
        }
    }

    /// An element will be related to nothing any more.
    fn note_left(&mut self, element: &str, now: Time) {
        let places = self.graph.places_of(element, now);
        if places.is_empty() {
            return;
        }
        if self.left.len() == LEFT_MAX {
            self.left.pop_front();
        }
        self.left.push_back((element.into(), places));
    }
}

impl Flow {
    /// Every lane hears when relations or roles change.
    pub(super) fn begin_relating(&mut self) {
        self.join(&relation::filter(), Receiver::Door, WISH);
        self.join(&role::filter(), Receiver::Door, WISH);
    }

    /// All relations and roles that are kept on this lane.
    pub(super) fn all_related(&self, now: Time) -> Vec<Event> {
        let mut all = self.all_said_at(&role::filter(), now);
        all.extend(self.all_said_at(&relation::filter(), now));
        all
    }

    /// Something was said at one of the topics that the door listens to: is it a relation, a
    /// role, or a property that a condition is about?
    pub(super) fn hear_relations(&mut self, event: &Event, now: Time) {
        if let Some(element) = relation::element_at(&event.topic) {
            // What cannot be read gives no rights.
            let all = Relations::read(&event.payload).unwrap_or_default();
            if all == Relations::default() {
                self.known.note_left(element, now);
            }
            let new = self.known.graph.set_relations(element, all.iter());
            self.listen_to_facts(&new, now);
            self.look_at_shares(now);
        } else if let Some(name) = role::role_at(&event.topic) {
            if !role::is_built_in(name) {
                let role = Role::read(&event.payload).ok();
                self.known.graph.set_role(name, role);
                self.look_at_shares(now);
            }
        } else if self.known.graph.has_fact(&event.topic) {
            let is_true = is_true(&event.payload);
            self.known.graph.set_fact(&event.topic, is_true);
        }
    }

    /// Listens to properties that conditions are about since now, and no more to others.
    fn listen_to_facts(&mut self, new: &[Arc<str>], now: Time) {
        let graph = &self.known.graph;
        let heard = &mut self.known.heard;
        let over: Vec<_> = heard
            .extract_if(|topic, _| !graph.has_fact(topic))
            .collect();
        for (_, node) in over {
            self.part(node, Receiver::Door);
        }
        for topic in new {
            let joined = self.join(topic, Receiver::Door, WISH);
            self.known.heard.insert(Arc::clone(topic), joined.node);
            self.begin_scan(Receiver::Door, topic.to_string(), WISH, now);
        }
    }

    /// Whether `who` saw something of an element that was forgotten lately: its relations went with it,
    /// perhaps before anybody could be told that it is gone.
    pub fn saw(&self, who: &Who, key: &str, now: Time) -> bool {
        if self.may_hear(who, &format!("{key}/#"), now).is_ok() {
            return true;
        }
        let (Some(holder), Ok(address)) = (who.holder(), Address::read(key)) else {
            return false;
        };
        let graph = self.graph();
        let left = self
            .known
            .left
            .iter()
            .rev()
            .find(|(left, _)| **left == *key);
        left.is_some_and(|(_, places)| {
            places.iter().any(|place| {
                holder.is_good_for(graph, Deed::Read, place, now)
                    && graph.may_some_in(holder.element(), Deed::Read, address.kind, place, now)
            })
        })
    }

    /// The relations between elements, as this lane knows them.
    pub fn graph(&self) -> &Graph {
        &self.known.graph
    }
}

/// Whether a property holds that a condition is about: `true`, a number other than 0, or a list that
/// is not empty.
fn is_true(payload: &[u8]) -> bool {
    match serde_json::from_slice(payload) {
        Ok(Value::Bool(is_true)) => is_true,
        Ok(Value::Number(number)) => number.as_f64() != Some(0.0),
        Ok(Value::Array(items)) => !items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_is_true_or_many_or_more_than_nothing() {
        for text in ["true", "1", "-0.5", "[0]"] {
            assert!(is_true(text.as_bytes()), "{text}");
        }
        for text in ["false", "0", "0.0", "[]", "\"true\"", "{}", "", "yes"] {
            assert!(!is_true(text.as_bytes()), "{text}");
        }
    }
}
