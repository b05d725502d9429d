use std::collections::BTreeMap;

use bytes::Bytes;
use bytestring::ByteString;
use quartet_model::{EventId, Time};
use serde_json::Value;

use crate::computer::Sample;

/// The things of one lane: what each is, and its twin.
#[derive(Default, Debug)]
pub struct Things {
    pub(crate) by_id: BTreeMap<ByteString, Thing>,
    /// What this computer was last reported to be.
    pub(crate) last_sample: Option<Sample>,
}

/// One thing.
#[derive(Debug)]
pub(crate) struct Thing {
    /// Its Thing Description (W3C WoT TD 1.1).
    pub(crate) description: Value,
    /// What it last said of each property.
    pub(crate) properties: BTreeMap<ByteString, Reported>,
}

/// What a thing last said of a property.
#[derive(Clone, PartialEq, Debug)]
pub struct Reported {
    /// As it was said.
    pub payload: Bytes,
    /// When it was said.
    pub at: Time,
    /// The event that said it.
    pub event: EventId,
}

impl Things {
    /// From now on there is a thing with this description; its `id` is the last part of the
    /// description's `id`, behind `urn:quartet:things:`.
    pub fn declare(&mut self, description: Value) {
        let id = description["id"]
            .as_str()
            .and_then(|id| id.rsplit(':').next())
            .unwrap_or_default();
        let thing = Thing {
            properties: BTreeMap::new(),
            description: description.clone(),
        };
        self.by_id.insert(id.into(), thing);
    }
}
