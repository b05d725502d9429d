//! Rounds: from time to time all that holds is written down anew, a little each turn, so that a
//! start need not read what was written before, and old records can go.
//!
//! 1. Each lane begins: a [`Record::Basis`] in each of its shards marks where a start may begin
//!    once the round is over.
//! 2. When all have begun, each lane goes through its sessions and retained messages.
//! 3. It has finished when all is safe, and what was said before all had begun was passed on.

use quartet_fabric::retained::Cursor;
use quartet_model::Place;
use quartet_store::BODY_INLINE_BYTES_MAX;

use super::{
    Record, SHARDS,
    record::{FORMAT, Opened, Subscription, Whole, write_kept},
};
use crate::flow::{ClientKey, Flow};

/// How much of what waits in a session goes into one record.
const PART_BYTES_MAX: usize = 256 << 10;
/// What a subscription takes beside its texts, at most.
const SUBSCRIPTION_BYTES: usize = 16;
/// What is written down in one turn.
const TURN_BYTES: u64 = 128 << 10;
/// Retained messages that are looked at in one go.
const RETAINED_STEP: usize = 64;

/// A round that is under way.
pub(super) struct Round {
    /// Where each of the lane's shards has its basis.
    bases: Vec<(u8, u64)>,
    sessions: Vec<ClientKey>,
    retained: Walk,
    /// Steps that must be over; known once all lanes have begun.
    until_step: Option<u64>,
    /// The lowest place in each shard that a queue needs.
    floors: [u64; SHARDS],
    /// The ticket with which all is safe.
    ticket: Option<u64>,
}

enum Walk {
    From(Option<Cursor>),
    Done,
}

/// What a lane's round came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoundDone {
    /// Where a start may begin, for each of the lane's shards.
    pub bases: Vec<(u8, u64)>,
    /// The lowest place in each shard that one of the lane's queues needs.
    pub floors: [u64; SHARDS],
}

impl Flow {
    /// Begins a round.
    pub fn begin_round(&mut self) {
        let mut bases = Vec::new();
        for shard in 0..SHARDS as u8 {
            if usize::from(shard) % self.lanes == usize::from(self.lane) {
                let basis = self.basis(shard);
                bases.push((shard, self.write_record(shard, &basis).seq()));
            }
        }
        let sessions = self.clients.iter().filter(|(_, there)| there.number != 0);
        self.keep.round = Some(Round {
            bases,
            sessions: sessions.map(|(key, _)| key).collect(),
            retained: Walk::From(None),
            until_step: None,
            floors: [u64::MAX; SHARDS],
            ticket: None,
        });
    }

    /// All lanes have begun.
    pub fn go_round(&mut self) {
        let last = self.keep.passing.last();
        if let Some(round) = &mut self.keep.round {
            round.until_step = Some(last);
        }
    }

    /// Whether there is something to do in this turn.
    pub fn has_round_to_go(&self) -> bool {
        const GROUPS_MAX: u64 = 2;
        let is_under_way = self
            .keep
            .round
            .as_ref()
            .is_some_and(|round| round.until_step.is_some() && round.ticket.is_none());
        is_under_way && self.keep.ticket <= self.keep.committed + GROUPS_MAX
    }

    /// Goes on a little.
    pub fn step_round(&mut self) {
        if !self.has_round_to_go() {
            return;
        }
        let Some(mut round) = self.keep.round.take() else {
            return;
        };
        let enough = self.keep.bytes_written + TURN_BYTES;
        // Long payloads are not written again, but are in memory until that is found out.
        let mut payload_bytes = 0;
        while self.keep.bytes_written + payload_bytes < enough {
            if let Some(client) = round.sessions.pop() {
                self.write_whole(client, &mut round.floors);
            } else if let Walk::From(from) = &mut round.retained {
                match self.write_retained(from.take(), &mut payload_bytes) {
                    Some(cursor) => *from = Some(cursor),
                    None => round.retained = Walk::Done,
                }
            } else {
                if round
                    .until_step
                    .is_some_and(|step| step <= self.keep.passing.done())
                {
                    self.finish_round(&mut round);
                }
                break;
            }
        }
        self.keep.round = Some(round);
    }

    fn finish_round(&mut self, round: &mut Round) {
        for &(shard, _) in &round.bases {
            let there = &mut self.keep.shards[usize::from(shard)];
            there.passed_noted = there.passed;
            let passed = Record::Passed(there.passed);
            self.write_record(shard, &passed);
        }
        round.ticket = Some(self.keep.ticket);
    }

    /// What the round came to, once it is over and safe.
    pub fn take_round(&mut self) -> Option<RoundDone> {
        let committed = self.keep.committed;
        let round = self
            .keep
            .round
            .take_if(|round| round.ticket.is_some_and(|ticket| ticket <= committed))?;
        Some(RoundDone {
            bases: round.bases,
            floors: round.floors,
        })
    }

    pub(super) fn basis(&self, shard: u8) -> Record {
        let there = &self.keep.shards[usize::from(shard)];
        Record::Basis {
            format: FORMAT,
            next_session: there.next_session,
            passed: there.passed,
        }
    }

    fn write_whole(&mut self, client: ClientKey, floors: &mut [u64; SHARDS]) {
        let Some(there) = self.clients.get(client) else {
            return; // It ended since.
        };
        there.session.lower(floors);
        let more = there.more.as_deref();
        let own = there.subscriptions.iter().filter_map(|&node| {
            let wish = self
                .routes
                .wish(node, super::super::Receiver::Session(client))?;
            Some(Subscription {
                share: Default::default(),
                filter: self.routes.filter_at(node).into(),
                wish,
            })
        });
        let shares = more.map_or(&[][..], |more| &more.shares);
        let shared = shares.iter().map(|(share, filter, wish)| Subscription {
            share: (&**share).into(),
            filter: (&**filter).into(),
            wish: *wish,
        });
        // What does not fit into one record is said behind it.
        let (mut subscriptions, mut more_subscriptions) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        for subscription in own.chain(shared) {
            bytes += subscription.share.len() + subscription.filter.len() + SUBSCRIPTION_BYTES;
            if bytes <= PART_BYTES_MAX {
                subscriptions.push(subscription);
            } else {
                more_subscriptions.push(subscription);
            }
        }
        let opened = Opened {
            session: there.number,
            id: (&*there.id).into(),
            owner: there.owner_key().into(),
            expiry_s: there.expiry_s,
            will: more.and_then(|more| more.will.clone()),
        };
        let away_at = more.and_then(|more| more.away_at);
        let (shard, session) = (there.shard, there.number);
        let mut parts = Vec::new();
        there
            .session
            .write_down(PART_BYTES_MAX, |part| parts.push(part.to_vec().into()));
        let is_away = there.conn.is_none();
        let mut parts = parts.into_iter();
        let state = parts.next().unwrap_or_default();
        let count = parts.len() as u32;
        for part in parts {
            self.write_record(shard, &Record::Waits { session, part });
        }
        let whole = Record::Whole(Box::new(Whole {
            opened,
            away_at: away_at.filter(|_| is_away),
            subscriptions,
            has_more_subscriptions: !more_subscriptions.is_empty(),
            parts: count,
            state,
        }));
        self.write_record(shard, &whole);
        for subscription in more_subscriptions {
            let subscribed = Record::Subscribed {
                session,
                subscription,
            };
            self.write_record(shard, &subscribed);
        }
    }

    /// Writes the next retained messages down anew; adds up the bytes of their long payloads.
    fn write_retained(&mut self, from: Option<Cursor>, payload_bytes: &mut u64) -> Option<Cursor> {
        let mut found = Vec::new();
        let next = self
            .retained
            .walk(from, RETAINED_STEP, TURN_BYTES as usize, &mut found);
        for event in &found {
            if BODY_INLINE_BYTES_MAX < event.payload.len() {
                *payload_bytes += event.payload.len() as u64;
            }
            if event.place.is_none() {
                continue; // The hub says it anew by itself.
            }
            let shard = super::shard_of_topic(&event.topic);
            let head = |out: &mut Vec<u8>| write_kept(out, None, false, event);
            let place: Place = self.keep.write_with(shard, head, &event.payload);
            self.retained.moved(&event.topic, place);
        }
        next
    }
}
