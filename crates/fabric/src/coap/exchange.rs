//! Messages of late, so that none is followed twice (RFC 7252, section 4.5).

use std::collections::VecDeque;

use quartet_model::Time;

use super::{
    answer,
    limits::{EXCHANGE_LIFETIME, EXCHANGES_MAX},
    message::{Head, Options},
};

/// Requests of late of one peer.
#[derive(Default, Debug)]
pub(super) struct Exchanges(VecDeque<Exchange>);

/// A request of late.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) serial: u64,
    pub(super) head: Head,
    pub(super) at: Time,
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) enum State {
    /// Somebody is to answer it; until then it is acknowledged without an answer, if so.
    Awaited {
        options: Box<Options>,
        acknowledge_at: Option<Time>,
    },
    /// This is how the peer hears again that it came, if it asks again.
    Answered { reply: Option<Vec<u8>> },
}

impl Exchanges {
    /// How many are to be answered.
    pub(super) fn awaited(&self) -> usize {
        let awaited = |one: &&Exchange| matches!(one.state, State::Awaited { .. });
        self.0.iter().filter(awaited).count()
    }

    /// The request with this message identifier, if it came before.
    pub(super) fn find(&self, id: u16, now: Time) -> Option<&Exchange> {
        let is_it = |one: &&Exchange| one.head.id == id && now < one.at.after(EXCHANGE_LIFETIME);
        self.0.iter().find(is_it)
    }

    /// Takes out the one that is to be answered now.
    pub(super) fn take(&mut self, serial: u64) -> Option<Exchange> {
        let is_it =
            |one: &Exchange| one.serial == serial && matches!(one.state, State::Awaited { .. });
        let at = self.0.iter().position(is_it)?;
        self.0.remove(at)
    }

    /// Remembers one; the oldest that is answered is forgotten for it.
    pub(super) fn add(&mut self, exchange: Exchange) {
        if self.0.len() == EXCHANGES_MAX {
            let answered = |one: &Exchange| matches!(one.state, State::Answered { .. });
            let oldest = self.0.iter().position(answered);
            // Fewer than half of them are awaited.
            oldest.and_then(|oldest| self.0.remove(oldest));
        }
        self.0.push_back(exchange);
    }

    /// When the next is to be acknowledged without its answer.
    pub(super) fn next_at(&self) -> Option<Time> {
        let times = self.0.iter().filter_map(|one| match one.state {
            State::Awaited { acknowledge_at, .. } => acknowledge_at,
            State::Answered { .. } => None,
        });
        times.min()
    }

    /// Acknowledges those whose answers take too long.
    pub(super) fn tick(&mut self, now: Time, out: &mut Vec<Vec<u8>>) {
        for one in &mut self.0 {
            if let State::Awaited { acknowledge_at, .. } = &mut one.state
                && acknowledge_at.is_some_and(|at| at <= now)
            {
                *acknowledge_at = None;
                out.push(answer::acknowledgement(one.head.id));
            }
        }
    }
}

impl Exchange {
    /// What the peer hears when it asks again.
    pub(super) fn said(&self) -> Option<Vec<u8>> {
        match &self.state {
            State::Answered { reply } => reply.clone(),
            // It waits until the acknowledgement or the answer goes, unless that is lost.
            State::Awaited {
                acknowledge_at: None,
                ..
            } if self.head.is_confirmable => Some(answer::acknowledgement(self.head.id)),
            State::Awaited { .. } => None,
        }
    }
}
