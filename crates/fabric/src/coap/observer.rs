//! Who is told of changes (RFC 7641).

use std::collections::VecDeque;

use quartet_model::Time;

use super::{
    limits::{NOTIFY_EVERY, PENDING_MAX},
    message::Response,
};

/// What an observer that is slow gets in the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// The last state: what came before is of no interest.
    Last,
    /// Each message, the oldest left out if they are more than 32.
    Each,
}

/// One that observes one resource.
#[derive(Debug)]
pub(super) struct Observer {
    pub(super) serial: u64,
    pub(super) token: Vec<u8>,
    /// What requests for parts of a notification have in common with the first request.
    pub(super) key: Vec<u8>,
    /// How large the blocks are that it wants.
    pub(super) exponent: u8,
    pub(super) kept: Kept,
    pending: VecDeque<Response>,
    /// When the next notification may go.
    not_before: Time,
}

impl Observer {
    pub(super) fn new(
        serial: u64,
        token: Vec<u8>,
        key: Vec<u8>,
        exponent: u8,
        kept: Kept,
        now: Time,
    ) -> Self {
        Self {
            serial,
            token,
            key,
            exponent,
            kept,
            pending: VecDeque::new(),
            not_before: now.after(NOTIFY_EVERY),
        }
    }

    /// Something is to be told.
    pub(super) fn add(&mut self, response: Response) {
        let most = match self.kept {
            Kept::Last => 1,
            Kept::Each => PENDING_MAX,
        };
        if self.pending.len() == most {
            self.pending.pop_front();
        }
        self.pending.push_back(response);
    }

    /// When something can be told, if there is anything.
    pub(super) fn next_at(&self) -> Option<Time> {
        (!self.pending.is_empty()).then_some(self.not_before)
    }

    /// What is to be told now.
    pub(super) fn next(&mut self, now: Time) -> Option<Response> {
        let next = self.pending.pop_front()?;
        self.not_before = now.after(NOTIFY_EVERY);
        Some(next)
    }
}

/// The number by which notifications are put into their order: 24 bits of a clock that ticks more
/// often than anybody is notified (RFC 7641, sections 3.4 and 4.4).
pub(super) fn sequence(now: Time) -> u32 {
    ((now.as_micros() / 10_000) & 0xff_ffff) as u32
}
