//! What the hub says.

use std::collections::BTreeMap;

use quartet_model::EventId;
use serde::Serialize;
use serde_json::Value;

use super::{
    Status,
    message::{Head, Raw},
};

/// What the hub says, to be written as JSON.
#[derive(Clone, Debug, Default, Serialize)]
#[allow(missing_docs, reason = "the members are the draft's")]
pub struct Outgoing {
    #[serde(rename = "thingID", skip_serializing_if = "Option::is_none")]
    pub thing: Option<String>,
    #[serde(rename = "messageID")]
    pub id: String,
    #[serde(rename = "messageType")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Raw>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<BTreeMap<String, Raw>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Raw>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Raw>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    #[serde(rename = "actionID", skip_serializing_if = "Option::is_none")]
    pub action_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statuses: Option<BTreeMap<String, Vec<Status>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// So many notifications came faster than they were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    #[serde(rename = "correlationID", skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
}

impl Outgoing {
    /// An answer. `id` names it.
    pub fn response(head: &Head, id: String) -> Self {
        Self {
            kind: "response",
            ..Self::of(head, id)
        }
    }

    /// Something that was not asked for just now.
    pub fn notification(head: &Head, id: String) -> Self {
        Self {
            kind: "notification",
            ..Self::of(head, id)
        }
    }

    /// What a thing is asked. Said again, it has the same name.
    pub(super) fn request(thing: String, operation: &str, id: String) -> Self {
        Self {
            thing: Some(thing),
            kind: "request",
            operation: Some(operation.to_owned()),
            correlation: Some(id.clone()),
            id,
            ..Self::default()
        }
    }

    fn of(head: &Head, id: String) -> Self {
        let Head {
            thing,
            operation,
            name,
            correlation,
        } = head.clone();
        Self {
            thing,
            id,
            operation,
            name,
            correlation,
            ..Self::default()
        }
    }

    /// As JSON.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("it has nothing that JSON has not")
    }
}

/// The name of an event as a message: the same event has the same one, in the form of a UUID of
/// version 4 (RFC 9562, section 5.4).
pub fn uuid_of(id: EventId) -> String {
    let at = id.at.as_micros();
    let (upper, lower) = (at >> 8, at & 0xFF);
    format!(
        "{:08x}-{:04x}-40{lower:02x}-8000-0000{:08x}",
        (upper >> 16) & 0xFFFF_FFFF,
        upper & 0xFFFF,
        id.serial,
    )
}

#[cfg(test)]
mod tests {
    use quartet_model::Time;

    use super::*;

    #[test]
    fn an_event_has_one_name_and_its_own() {
        let id = |at, serial| EventId {
            at: Time::from_micros(at),
            serial,
        };
        let name = uuid_of(id(0x0006_4123_4567_89AB, 0x0100_0007));
        assert_eq!(name, "06412345-6789-40ab-8000-000001000007");
        assert_ne!(name, uuid_of(id(0x0006_4123_4567_89AC, 0x0100_0007)));
    }
}
