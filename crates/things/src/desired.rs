//! What a property is wanted to be: a value that somebody wrote, and what became of it.

use quartet_model::{Event, EventId, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The value that a property was last wanted to have.
#[derive(Clone, PartialEq, Debug)]
pub struct Desired {
    /// What it is to be.
    pub value: Value,
    /// What became of it.
    pub status: DesiredStatus,
    /// The request: it names this wish, and a later one has a greater one.
    pub revision: EventId,
    /// Who wanted it.
    pub by: String,
    /// How long it is wanted; [`Time::NEVER`] if there is no end.
    pub until: Time,
    /// Since when the status holds.
    pub since: Time,
    /// When the session that speaks for the element had it.
    pub delivered: Option<Time>,
    /// Why it was refused.
    pub reason: Option<String>,
}

/// What became of a wish.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DesiredStatus {
    /// The element has not reported it yet; when it comes back, it is told.
    Pending,
    /// The element reported it.
    Confirmed,
    /// The element says that it will not.
    Refused,
    /// It was not reported in time.
    Expired,
}

/// The same as text, at the edge.
#[derive(Serialize, Deserialize)]
struct Written {
    value: Value,
    status: DesiredStatus,
    revision: String,
    by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Desired {
    /// What somebody just wrote.
    pub(crate) fn new(value: Value, event: &Event) -> Self {
        Self {
            value,
            status: DesiredStatus::Pending,
            revision: event.id,
            by: event.author().to_owned(),
            until: event.expires,
            since: event.id.at,
            delivered: None,
            reason: None,
        }
    }

    /// Whether the element has still to do something.
    pub fn is_pending(&self) -> bool {
        self.status == DesiredStatus::Pending
    }

    /// When it is over by itself.
    pub(crate) fn deadline(&self) -> Time {
        if self.is_pending() {
            self.until
        } else {
            Time::NEVER
        }
    }

    /// As JSON: what is said at `…/desired`.
    pub fn to_json(&self) -> Value {
        let written = Written {
            value: self.value.clone(),
            status: self.status,
            revision: self.revision.to_string(),
            by: self.by.clone(),
            until: (self.until != Time::NEVER).then(|| self.until.rfc3339()),
            since: self.since.rfc3339(),
            delivered: self.delivered.map(Time::rfc3339),
            reason: self.reason.clone(),
        };
        serde_json::to_value(written).expect("it has nothing that JSON has not")
    }

    /// What [`to_json`](Self::to_json) wrote.
    pub(crate) fn of_json(text: &[u8]) -> Option<Self> {
        let written: Written = serde_json::from_slice(text).ok()?;
        Some(Self {
            value: written.value,
            status: written.status,
            revision: written.revision.parse().ok()?,
            by: written.by,
            until: match written.until {
                None => Time::NEVER,
                Some(until) => Time::of_rfc3339(&until)?,
            },
            since: Time::of_rfc3339(&written.since)?,
            delivered: written.delivered.as_deref().and_then(Time::of_rfc3339),
            reason: written.reason,
        })
    }
}

/// Whether two values mean the same: 21 is 21.0.
pub(crate) fn means_the_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64().is_some_and(|one| Some(one) == other.as_f64())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| means_the_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| {
                    other
                        .get(key)
                        .is_some_and(|other| means_the_same(one, other))
                })
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use quartet_model::{Actor, Said};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wish_is_written_and_read_back() {
        let id = EventId {
            at: Time::from_micros(1_764_100_800_000_000),
            serial: 7,
        };
        let mut said = Said::state("things/lamp/properties/on/write", "true");
        said.expires = Time::from_micros(1_764_100_860_000_000);
        let event = Event::new(id, Actor::Api, said);
        let wish = Desired::new(json!(true), &event.said_by("ana".into()));
        let text = wish.to_json();
        assert_eq!(text["status"], "pending");
        assert_eq!(text["until"], "2025-11-25T20:01:00Z");
        assert_eq!(Desired::of_json(text.to_string().as_bytes()), Some(wish));
        assert_eq!(Desired::of_json(b"{}"), None);
    }

    #[test]
    fn numbers_are_compared_by_what_they_mean() {
        assert!(means_the_same(
            &json!({"a": [21, 1]}),
            &json!({"a": [21.0, 1]})
        ));
        assert!(!means_the_same(&json!(21), &json!("21")));
        assert!(!means_the_same(&json!({"a": 1}), &json!({"a": 1, "b": 2})));
    }
}
