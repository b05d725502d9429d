//! What one peer must acknowledge (RFC 7252, section 4.2): it is sent again until it does, ever
//! more slowly, and then given up.

use std::time::Duration;

use quartet_model::Time;

use super::limits::RETRANSMIT_MAX;

#[derive(Default, Debug)]
pub(super) struct Sending {
    waiting: Vec<Confirmable>,
}

#[derive(Debug)]
struct Confirmable {
    id: u16,
    about: About,
    datagram: Vec<u8>,
    again_at: Time,
    wait: Duration,
    retransmits: u8,
}

/// What a message that is to be acknowledged is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum About {
    /// The answer to a request, after its acknowledgement.
    Answer,
    /// News for the observer with this number.
    Notification(u64),
    /// The question whether the peer is there.
    Ping,
}

impl Sending {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Remembers what was just sent; `wait` is how long until it is sent again.
    pub(super) fn add(
        &mut self,
        id: u16,
        about: About,
        datagram: Vec<u8>,
        now: Time,
        wait: Duration,
    ) {
        self.waiting.push(Confirmable {
            id,
            about,
            datagram,
            again_at: now.after(wait),
            wait,
            retransmits: 0,
        });
    }

    /// The peer has got it, or does not want it.
    pub(super) fn settle(&mut self, id: u16) -> Option<About> {
        let at = self.waiting.iter().position(|one| one.id == id)?;
        Some(self.waiting.swap_remove(at).about)
    }

    /// News for this observer are of no use any more.
    pub(super) fn forget(&mut self, observer: u64) {
        let about = About::Notification(observer);
        self.waiting.retain(|one| one.about != about);
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        self.waiting.iter().map(|one| one.again_at).min()
    }

    /// Sends again what is due; gives what is given up.
    pub(super) fn tick(&mut self, now: Time, out: &mut Vec<Vec<u8>>) -> Vec<About> {
        let mut given_up = Vec::new();
        self.waiting.retain_mut(|one| {
            if now < one.again_at {
                return true;
            }
            if one.retransmits == RETRANSMIT_MAX {
                given_up.push(one.about.clone());
                return false;
            }
            one.retransmits += 1;
            one.wait *= 2;
            one.again_at = now.after(one.wait);
            out.push(one.datagram.clone());
            true
        });
        given_up
    }
}
