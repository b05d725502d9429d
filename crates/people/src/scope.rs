//! What a credential is good for at most, if that is less than what its holder may: a token that only
//! reads, or that is for one ward.

use std::fmt;

use quartet_model::{Address, Time};
use serde::{Deserialize, Serialize};

use crate::{graph::Graph, role::Deed};

/// A scope names no more elements.
pub const IN_MAX: usize = 16;

/// What something is good for. It adds nothing to what its holder may.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// What may be done.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    may: Vec<Deed>,
    /// With what: these elements, and what is in them. Everything, if there are none.
    #[serde(default, rename = "in", skip_serializing_if = "Vec::is_empty")]
    within: Vec<String>,
}

fn all() -> Vec<Deed> {
    Deed::ALL.to_vec()
}

fn is_all(may: &[Deed]) -> bool {
    Deed::ALL.iter().all(|deed| may.contains(deed))
}

/// Why something is no scope.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoScope {
    /// Nothing could be done with it.
    #[error("`may` is empty; must be some of read, write, invoke, report, manage")]
    Nothing,
    /// It names something that is no element.
    #[error("`{0}` in `in` is no element; must be like places/ward-3")]
    NoElement(String),
    /// It names too many.
    #[error("`in` names {0} elements; must be {IN_MAX} at most: name a place that they are in")]
    TooMany(usize),
}

impl Scope {
    /// These deeds, with these elements and what is in them, or with everything.
    pub fn new(may: Vec<Deed>, within: Vec<String>) -> Self {
        Self { may, within }
    }

    /// Whether it can be one.
    pub fn check(&self) -> Result<(), NoScope> {
        if self.may.is_empty() {
            return Err(NoScope::Nothing);
        }
        if IN_MAX < self.within.len() {
            return Err(NoScope::TooMany(self.within.len()));
        }
        let mut within = self.within.iter();
        match within.find(|key| Address::element_of(key) != Some(key)) {
            Some(key) => Err(NoScope::NoElement(key.clone())),
            None => Ok(()),
        }
    }

    /// Whether it is good for this deed somewhere.
    pub fn allows_some(&self, deed: Deed) -> bool {
        self.may.contains(&deed)
    }

    /// Whether it is good for this deed everywhere.
    pub fn allows_all(&self, deed: Deed) -> bool {
        self.allows_some(deed) && self.within.is_empty()
    }

    /// Whether it is good for this deed at a topic, or at all that matches a filter.
    pub fn allows(&self, graph: &Graph, deed: Deed, topic: &str, now: Time) -> bool {
        self.allows_all(deed)
            || self.allows_some(deed)
                && Address::element_of(topic).is_some_and(|on| self.has(graph, on, now))
    }

    /// Whether it is about an element.
    pub fn has(&self, graph: &Graph, on: &str, now: Time) -> bool {
        let mut within = self.within.iter();
        self.within.is_empty() || within.any(|place| graph.is_in(on, place, now))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let may: Vec<&str> = self.may.iter().map(|deed| deed.name()).collect();
        f.write_str(&may.join(", "))?;
        match self.within.is_empty() {
            true => Ok(()),
            false => write!(f, " in {}", self.within.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relation::Relation;

    const NOW: Time = Time::from_micros(1);

    fn read(text: &str) -> Scope {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn it_is_good_for_what_it_names_and_what_is_in_that() {
        let mut graph = Graph::new(0);
        for (from, to) in [
            ("things/pump", "places/room"),
            ("places/room", "places/ward"),
        ] {
            graph.set_relations(from, [&Relation::new("in", to)]);
        }
        let scope = read(r#"{"may": ["read"], "in": ["places/ward"]}"#);
        for topic in [
            "things/pump",
            "things/pump/properties/rate",
            "things/pump/#",
            "places/ward",
        ] {
            assert!(scope.allows(&graph, Deed::Read, topic, NOW), "{topic}");
            assert!(!scope.allows(&graph, Deed::Write, topic, NOW), "{topic}");
        }
        for topic in [
            "things/other",
            "shop/door",
            "#",
            "things/+/properties/rate",
            "$quartet",
        ] {
            assert!(!scope.allows(&graph, Deed::Read, topic, NOW), "{topic}");
        }
        let reads = read(r#"{"may": ["read"]}"#);
        assert!(reads.allows(&graph, Deed::Read, "shop/door", NOW));
        assert!(!reads.allows(&graph, Deed::Report, "shop/door", NOW));
        let everything = read(r#"{"in": ["places/hub"]}"#);
        assert!(everything.allows(&graph, Deed::Manage, "things/new", NOW));
    }

    #[test]
    fn what_is_no_scope_says_why() {
        let why = |text: &str| read(text).check().unwrap_err().to_string();
        assert!(why(r#"{"may": []}"#).contains("some of read"));
        assert!(why(r#"{"in": ["ward"]}"#).contains("no element"));
        assert!(serde_json::from_str::<Scope>(r#"{"can": ["read"]}"#).is_err());
        assert!(serde_json::from_str::<Scope>(r#"{"may": ["look"]}"#).is_err());
        assert_eq!(read(r#"{"in": ["places/a"]}"#).check(), Ok(()));
        assert_eq!(
            read(r#"{"may": ["read", "write"], "in": ["places/a"]}"#).to_string(),
            "read, write in places/a"
        );
    }
}
