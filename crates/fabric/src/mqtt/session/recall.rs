//! Sessions as they are written down and read back. While a session is read back nothing is
//! sent: what happened is only repeated.

use quartet_model::{Place, Qos};

use super::{
    Body, Entry, Message, Outgoing, Sent, Session,
    backlog::{number, put_number, read_entry, write_entry},
};

const DONE: u8 = 0;
const AWAIT_PUB_COMP: u8 = 1;
const AWAIT_ACK: u8 = 2;

impl Session {
    /// Writes down what the two owe each other, in parts of at most `part_bytes_max` and a
    /// little more. The first part stands for the session, the others are what waits behind it:
    /// read back with [`Self::read_back`] and [`Self::wait_too`].
    pub fn write_down(&self, part_bytes_max: usize, mut part: impl FnMut(&[u8])) {
        let mut bytes = Vec::new();
        let mut put = |byte| bytes.push(byte);
        let unreleased = self.unreleased.iter().flat_map(|ids| ids.iter());
        put_number(self.unreleased() as u64, &mut put);
        for &id in unreleased {
            put_number(id.into(), &mut put);
        }
        let Some(out) = &self.outgoing else {
            put_number(1, &mut put);
            put_number(0, &mut put);
            return part(&bytes);
        };
        put_number(out.first_id.max(1).into(), &mut put);
        put_number(out.window.len() as u64, &mut put);
        for sent in &out.window {
            match sent {
                Sent::Done => put(DONE),
                Sent::AwaitPubComp => put(AWAIT_PUB_COMP),
                Sent::AwaitPubAck(message) | Sent::AwaitPubRec(message) => match message.entry() {
                    Some(entry) => {
                        put(AWAIT_ACK);
                        write_entry(&entry, &mut put);
                    }
                    // It cannot be sent again; only its packet identifier counts.
                    None => put(DONE),
                },
            }
        }
        let queue = out.queue.iter().filter_map(Message::entry);
        for entry in queue.chain(out.backlog.iter()) {
            if part_bytes_max <= bytes.len() {
                part(&bytes);
                bytes.clear();
            }
            write_entry(&entry, |byte| bytes.push(byte));
        }
        part(&bytes);
    }

    /// Reads the first part of what was written down; `None` if that is not it.
    pub fn read_back(bytes: &[u8]) -> Option<Self> {
        let mut bytes = bytes.iter().copied().peekable();
        let mut session = Self::default();
        for _ in 0..number(&mut bytes)? {
            session.receive(u16::try_from(number(&mut bytes)?).ok()?);
        }
        let mut out = Outgoing {
            first_id: u16::try_from(number(&mut bytes)?).ok()?,
            ..Outgoing::default()
        };
        for _ in 0..number(&mut bytes)? {
            let sent = match bytes.next()? {
                DONE => Sent::Done,
                AWAIT_PUB_COMP => Sent::AwaitPubComp,
                _ => Sent::of_entry(read_entry(&mut bytes)?),
            };
            out.inflight += u16::from(!matches!(sent, Sent::Done));
            out.window.push_back(sent);
        }
        while bytes.peek().is_some() {
            out.backlog.push(&read_entry(&mut bytes)?);
        }
        session.outgoing = Some(Box::new(out));
        Some(session)
    }

    /// Reads a further part.
    pub fn wait_too(&mut self, bytes: &[u8]) -> Option<()> {
        let mut bytes = bytes.iter().copied().peekable();
        let out = self.outgoing.get_or_insert_default();
        while bytes.peek().is_some() {
            out.backlog.push(&read_entry(&mut bytes)?);
        }
        Some(())
    }

    /// A message began to wait.
    pub fn recall_queued(&mut self, place: Place, qos: Qos, retain: bool, ids: &[u32]) {
        let out = self.outgoing.get_or_insert_default();
        out.backlog.push(&Entry {
            place,
            qos,
            retain,
            subscription_ids: ids.into(),
        });
    }

    /// The first that waited was sent.
    pub fn recall_sent(&mut self) {
        if let Some(out) = &mut self.outgoing
            && let Some(entry) = out.backlog.pop()
        {
            out.first_id = out.first_id.max(1);
            out.window.push_back(Sent::of_entry(entry));
            out.inflight += 1;
        }
    }

    /// The first that waited was dropped.
    pub fn recall_dropped(&mut self) {
        if let Some(out) = &mut self.outgoing {
            out.backlog.pop();
        }
    }

    /// What was sent under this identifier is done with.
    pub fn recall_done(&mut self, packet_id: u16) {
        if let Some(sent) = self.sent_mut(packet_id)
            && !matches!(sent, Sent::Done)
        {
            *sent = Sent::Done;
            self.one_is_done();
        }
    }

    /// The client said PUBREC.
    pub fn recall_received(&mut self, packet_id: u16) {
        if let Some(sent) = self.sent_mut(packet_id)
            && !matches!(sent, Sent::Done)
        {
            *sent = Sent::AwaitPubComp;
        }
    }

    /// The lowest place in each shard that the session waits for, as far as it is lower than
    /// what `floors` says.
    pub fn lower(&self, floors: &mut [u64]) {
        let Some(out) = &self.outgoing else {
            return;
        };
        let mut lower = |place: Place| {
            if let Some(floor) = floors.get_mut(usize::from(place.shard())) {
                *floor = place.seq().min(*floor);
            }
        };
        let sent = out.window.iter().filter_map(Sent::message);
        for message in sent.chain(&out.queue) {
            message.place().into_iter().for_each(&mut lower);
        }
        for entry in out.backlog.iter() {
            lower(entry.place);
        }
    }
}

impl Sent {
    fn of_entry(entry: Entry) -> Self {
        let message = Message {
            body: Body::There(entry.place),
            qos: entry.qos,
            retain: entry.retain,
            subscription_ids: entry.subscription_ids,
        };
        match message.qos {
            Qos::ExactlyOnce => Self::AwaitPubRec(message),
            _ => Self::AwaitPubAck(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_back_as_it_was_written_down() {
        let mut session = Session::default();
        for seq in 1..200 {
            session.recall_queued(Place::new(3, seq), Qos::ExactlyOnce, seq % 2 == 0, &[7]);
        }
        for _ in 0..9 {
            session.recall_sent();
        }
        session.recall_done(1);
        session.recall_received(3);
        session.receive(500);
        let mut parts = Vec::new();
        session.write_down(64, |part| parts.push(part.to_vec()));
        assert!(2 < parts.len());
        let mut back = Session::read_back(&parts[0]).unwrap();
        for part in &parts[1..] {
            back.wait_too(part).unwrap();
        }
        let mut again = Vec::new();
        back.write_down(64, |part| again.push(part.to_vec()));
        assert_eq!(parts, again);
        assert_eq!((back.queued(), back.inflight()), (190, 8));
        assert!(back.has_received(500));
    }
}
