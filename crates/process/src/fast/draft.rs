use std::collections::BTreeMap;

use quartet_model::{EventId, Time};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Act, Attempt, Flow, Look, Looked, Outcome, attempt};
use crate::check::{self, Nothing};

/// A definition that nobody deployed yet, and an event that it is shown.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Its text.
    pub definition: String,
    /// A CloudEvent.
    pub event: Value,
    /// When, as RFC 3339; the beginning of 1970 if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What properties are, by the keys of elements and by name: null what was never said.
    #[serde(default)]
    pub properties: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Draft {
    /// What the event would lead to, as [`Attempt::to_json`] has it; or what it `needs`: pairs of key
    /// and name of properties that are to be known first; or an `error`. What is computed may take
    /// long: only for who can be ended.
    pub fn answer(&self) -> Value {
        let wrong = |what: &str| json!({ "error": what });
        let at = match &self.at {
            None => Time::ZERO,
            Some(text) => match Time::of_rfc3339(text) {
                Some(at) => at,
                None => return wrong("`at` is a time like 2026-11-27T08:00:00Z"),
            },
        };
        let checked = check::check(&self.definition, &Nothing);
        let Ok(flow) = checked.and_then(Flow::new) else {
            return wrong("the definition cannot be used as it is");
        };
        let id = EventId { at, serial: 1 };
        match attempt(&flow, &self.event, id, at, self) {
            Attempt::Started(Outcome::Needs(needs), _) => json!({ "needs": needs }),
            tried => tried.to_json(),
        }
    }
}

/// A draft is known to itself: what it says of properties is so, and nobody forbids it anything.
impl Look for Draft {
    fn property(&self, key: &str, name: &str) -> Looked {
        let of_element = self.properties.get(key);
        let known = of_element.and_then(|all| all.get(name));
        known.map_or(Looked::Elsewhere, |value| Looked::Is(value.clone()))
    }

    fn may(&self, _: &Act) -> Result<(), String> {
        Ok(())
    }

    fn may_read(&self, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }
}
