//! What was said to an element and not taken: kept for people to look at, so that nothing
//! vanishes without a reason.

use std::collections::VecDeque;

use quartet_model::{Event, Time};

use crate::td::Problem;

/// How many are kept.
const REFUSALS_MAX: usize = 1000;
/// How much of a payload is kept.
const PAYLOAD_BYTES_MAX: usize = 256;

/// Something that was not taken.
#[derive(Clone, PartialEq, Debug)]
pub struct Refusal {
    /// When.
    pub at: Time,
    /// Who said it.
    pub by: String,
    /// Where.
    pub topic: String,
    /// What, or its beginning.
    pub payload: Vec<u8>,
    /// What was wrong, where, and what would be right.
    pub problems: Vec<Problem>,
}

/// The last ones, the oldest first.
#[derive(Default, Debug)]
pub(crate) struct Refusals(VecDeque<Refusal>);

impl Refusals {
    pub(crate) fn push(&mut self, refusal: Refusal) {
        if self.0.len() == REFUSALS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(refusal);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Refusal> {
        self.0.iter()
    }
}

impl Refusal {
    pub(crate) fn new(event: &Event, problems: Vec<Problem>) -> Self {
        let length = event.payload.len().min(PAYLOAD_BYTES_MAX);
        Self {
            at: event.id.at,
            by: event.author().to_owned(),
            topic: event.topic.to_string(),
            payload: event.payload[..length].to_vec(),
            problems,
        }
    }
}
