//! Whoever came in with a credential: which element it speaks for, and what it may.
//!
//! By itself a thing may publish and read under its own address only. More is what somebody
//! granted it: topics, for gateways and for devices that speak topics of their own.

use std::sync::Arc;

use quartet_model::Time;

use crate::{filter::grants, role::Deed};

/// An element that came in with a credential.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    element: Arc<str>,
    credential: Box<str>,
    topics: Box<[Box<str>]>,
    expires_at: Time,
}

impl Holder {
    /// One that may do what everyone may do with itself.
    pub fn new(element: &str, credential: &str, expires_at: Time) -> Self {
        Self {
            element: element.into(),
            credential: credential.into(),
            topics: Box::default(),
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

    /// Whether it may publish and receive at a topic, or at all that matches a filter.
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
