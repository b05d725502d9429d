use super::{Peer, Turn};
use crate::coap::{
    answer::{self, Kind},
    block::Block,
    limits::OBSERVERS_MAX,
    message::{Options, Response},
    observer::{Kept, Observer, sequence},
    sending::About,
};

impl Peer {
    pub(super) fn observe(
        &mut self,
        token: &[u8],
        options: &Options,
        kept: Kept,
        turn: &mut Turn<'_>,
    ) -> Option<u64> {
        // Whoever registers again has one entry all the same (RFC 7641, section 4.1).
        self.forget(|one| one.token == token, turn);
        if !turn.may_observe || self.observers.len() == OBSERVERS_MAX {
            return None;
        }
        let exponent = options.block2.unwrap_or(Block::LARGEST).exponent;
        let (token, key, serial) = (token.to_vec(), options.key.clone(), turn.serial());
        let observer = Observer::new(serial, token, key, exponent, kept, turn.now);
        self.observers.push(observer);
        Some(serial)
    }

    /// Tells an observer; says whether it is there.
    pub(in crate::coap) fn notify(
        &mut self,
        serial: u64,
        response: Response,
        turn: &mut Turn<'_>,
    ) -> bool {
        let found = self.observers.iter_mut().find(|one| one.serial == serial);
        let is_there = found.map(|observer| observer.add(response)).is_some();
        self.notify_next(turn);
        is_there
    }

    /// Sends the notification that has waited longest, if it may go now.
    pub(super) fn notify_next(&mut self, turn: &mut Turn<'_>) {
        if !self.sending.is_empty() {
            return;
        }
        let waiting = self.observers.iter().enumerate();
        let waiting = waiting.filter_map(|(at, one)| Some((one.next_at()?, at)));
        let Some((_, at)) = waiting.min().filter(|(when, _)| *when <= turn.now) else {
            return;
        };
        let observer = &mut self.observers[at];
        let Some(response) = observer.next(turn.now) else {
            return;
        };
        let (serial, token, key) = (
            observer.serial,
            observer.token.clone(),
            observer.key.clone(),
        );
        let block = Block {
            exponent: observer.exponent,
            ..Block::LARGEST
        };
        let is_last = !response.code.is_success();
        let (response, mut parts, payload) = self.cut(response, &key, block, turn);
        parts.observe = (!is_last).then(|| sequence(turn.now));
        let id = self.id();
        let datagram = answer::answer(Kind::Confirmable, id, &token, &response, parts, &payload);
        let about = match is_last {
            // A refusal ends it (RFC 7641, section 4.2).
            true => {
                self.forget(|one| one.serial == serial, turn);
                About::Answer
            }
            false => About::Notification(serial),
        };
        self.send(id, about, datagram, turn);
    }

    /// Does not tell anything any more to those.
    pub(in crate::coap) fn forget(
        &mut self,
        whom: impl Fn(&Observer) -> bool,
        turn: &mut Turn<'_>,
    ) {
        for gone in self.observers.extract_if(.., |one| whom(one)) {
            self.sending.forget(gone.serial);
            turn.ended.push(gone.serial);
        }
    }
}
