//! What to do when. A timer says only where to look; whether something is really due is
//! decided there, so that nothing has to be taken out when plans change.

use std::{cmp::Reverse, collections::BinaryHeap};

use quartet_model::Time;

use super::{ClientKey, ConnKey, StreamKey};

/// Where to look.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// A connection: has it come in, is it silent for too long?
    Conn(ConnKey),
    /// A client that is away: is its will due, does its session end?
    Client(ClientKey),
    /// A connection that came in with a credential: does that still hold?
    Credential(ConnKey),
    /// The same of a subscription of the HTTP API.
    Stream(StreamKey),
}

/// What to look at, in the order of time.
#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Time, Timer)>>,
}

impl Timers {
    pub(super) fn add(&mut self, at: Time, timer: Timer) {
        if at != Time::NEVER {
            self.heap.push(Reverse((at, timer)));
        }
    }

    pub(super) fn next(&self) -> Time {
        self.heap.peek().map_or(Time::NEVER, |Reverse((at, _))| *at)
    }

    pub(super) fn due(&mut self, now: Time) -> Option<Timer> {
        let Reverse((at, _)) = self.heap.peek()?;
        if now < *at {
            return None;
        }
        self.heap.pop().map(|Reverse((_, timer))| timer)
    }
}
