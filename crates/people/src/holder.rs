//! Whoever came in with a credential: which element it speaks for, and what it may.
//!
//! By itself a thing may publish and read under its own address only. More is what somebody
//! granted it: topics, for gateways and for devices that speak topics of their own.

use std::sync::Arc;

use quartet_model::Time;

use crate::{filter::grants, graph::Graph, role::Deed, scope::Scope};

/// An element that came in with a credential.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    element: Arc<str>,
    credential: Box<str>,
    topics: Box<[Box<str>]>,
    scope: Option<Arc<Scope>>,
    expires_at: Time,
}

impl Holder {
    /// One that may do what everyone may do with itself.
    pub fn new(element: &str, credential: &str, expires_at: Time) -> Self {
        Self {
            element: element.into(),
            credential: credential.into(),
            topics: Box::default(),
            scope: None,
            expires_at,
        }
    }

    /// The same, that may use these topics, too.
    pub fn with_topics(self, topics: impl Iterator<Item = Box<str>>) -> Self {
        Self {
            topics: topics.collect(),
            ..self
        }
    }

    /// The same, with a credential that is good for less.
    pub fn with_scope(self, scope: Option<Arc<Scope>>) -> Self {
        Self { scope, ..self }
    }

    /// What its credential is good for, if that is less than what the element may.
    pub fn scope(&self) -> Option<&Scope> {
        self.scope.as_deref()
    }

    /// Whether its credential is good for a deed at a topic, or at all that matches a filter.
    pub fn is_good_for(&self, graph: &Graph, deed: Deed, topic: &str, now: Time) -> bool {
        let scope = self.scope.as_ref();
        scope.is_none_or(|scope| scope.allows(graph, deed, topic, now))
    }

    /// The key of the element.
    pub fn element(&self) -> &Arc<str> {
        &self.element
    }

    /// The identifier of its credential.
    pub fn credential(&self) -> &str {
        &self.credential
    }

    /// Until when it is good.
    pub fn expires_at(&self) -> Time {
        self.expires_at
    }

    /// Whether it may publish and receive at a topic, or at all that matches a filter, as far as its
    /// credential is good for that.
    pub fn may_use(&self, topic: &str) -> bool {
        let below = topic.strip_prefix(&*self.element);
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
            || self.topics.iter().any(|granted| grants(granted, topic))
    }
}

impl Holder {
    /// Whether it may do something at a topic by itself, without any relation: what it is it says
    /// itself, but what opens its door and who may what with it is decided by others.
    pub fn may_do(&self, deed: Deed, topic: &str) -> bool {
        self.may_use(topic) && (deed != Deed::Manage || *topic == **self.element())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lamp() -> Holder {
        Holder::new("things/lamp", "c1", Time::NEVER)
    }

    #[test]
    fn a_thing_may_use_its_own_address_only() {
        for topic in [
            "things/lamp",
            "things/lamp/#",
            "things/lamp/properties/on",
            "things/lamp/+/on",
        ] {
            assert!(lamp().may_use(topic), "{topic}");
        }
        for topic in [
            "things/lamp2",
            "things/+/properties/on",
            "things/#",
            "#",
            "things/heater/properties/on",
            "things",
        ] {
            assert!(!lamp().may_use(topic), "{topic}");
        }
    }

    #[test]
    fn a_gateway_may_use_what_it_was_granted() {
        let gateway = lamp().with_topics(["zigbee2mqtt/#".into()].into_iter());
        assert!(gateway.may_use("zigbee2mqtt/bridge/state"));
        assert!(gateway.may_use("zigbee2mqtt/#"));
        assert!(!gateway.may_use("homeassistant/status"));
    }
}
