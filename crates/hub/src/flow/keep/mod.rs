//! What the lane writes down, and what waits until that is safe.
//!
//! Each thing that must not be lost becomes a [`Record`] of a shard. Records gather for a turn;
//! the shell takes them with [`Keep::take_written`], puts them into the journal and says when
//! they are safe ([`Flow::committed`]). Whatever may be seen only then waits in one line, so
//! that answers leave in the order in which they were earned.

mod passing; // what is safe and not yet taken by all
pub mod recall; // records into states, after a start
pub mod record; // the records
pub mod round; // everything said anew, so that old records can go

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use quartet_fabric::{
    mqtt::{Note, Reason},
    outbox::Outbox,
    retained::Cursor,
    routes::Lane,
};
use quartet_model::{Actor, Address, Event, Place, Qos, Time};
use quartet_store::{
    BATCH_BYTES_MAX, BATCH_RECORDS_MAX, BODY_BYTES_MAX, BODY_INLINE_BYTES_MAX, Batch,
    RECORD_BYTES_MAX, SHARDS_MAX,
};

pub(super) use passing::Origin;
use passing::Passing;
pub use recall::{Recall, Recalled, event_at, recover};
pub use record::{NotARecord, Record};
use record::{SessionNumber, Taker, Via, write_kept, write_said, write_took};
pub use round::RoundDone;

use super::{
    Carried, ClientKey, ConnKey, Flow, Mail, conn::Stage, dialects::Announced,
    elements::is_request, sparkplug::Reported, subscribe::Wanted,
};

/// How many shards a hub has, for ever.
pub const SHARDS: usize = SHARDS_MAX;
/// What a record has beside its event's bytes, at most.
const HEAD_BYTES_MAX: usize = 256;
/// Events that wait for the journal before the lane reads no more.
const WAITING_MAX: usize = 16_384;
/// Their bytes.
const WAITING_BYTES_MAX: usize = 8 << 20;
/// Messages that are fetched for a session in one go.
const FETCH_MAX: usize = 64;

/// The shard that a client belongs to, wherever the hub runs.
pub fn shard_of_client(id: &str) -> u8 {
    (super::fnv(id) % SHARDS as u64) as u8
}

/// The shard that a topic belongs to, wherever the hub runs. All topics of an element are in one:
/// what happens to it has one order, and what follows from it is kept together. So are its
/// credentials.
pub fn shard_of_topic(topic: &str) -> u8 {
    let topic = quartet_people::element_at(topic).unwrap_or(topic);
    shard_of_client(Address::element_of(topic).unwrap_or(topic))
}

/// Records for the journal: a batch of one shard.
#[derive(Clone, Debug)]
pub struct Written {
    /// Of which shard.
    pub shard: u8,
    /// Where the first one goes.
    pub first: u64,
    /// The records.
    pub batch: Batch,
}

/// What the shell is to fetch from the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// For whom.
    pub client: ClientKey,
    /// What.
    pub places: Vec<Place>,
}

/// A place and what the journal keeps there, if it still does.
pub type Fetched = (Place, Option<Arc<Event>>);

/// What may happen only when all that was written down before is safe.
pub(super) enum Waiting {
    /// An event takes its way; whoever said it hears of it.
    Follow(Arc<Event>, Answer),
    /// A client hears what became of its PUBLISH.
    Answer(Answer, Reason),
    /// Packets are written to a connection.
    Write(ConnKey, Outbox),
    /// A connection goes on with what it said.
    Resume(ConnKey),
    /// Retained messages are looked for.
    Scan(ClientKey, Vec<Wanted>),
    /// A search of this lane's retained messages goes on with what was found.
    Found(u64, Vec<Event>, Option<Cursor>),
    /// A place has another picture of its plan, and something else of the place is on its way.
    Pictured(Arc<Event>),
    /// Another lane, or this one, hears what is void of what it fetched.
    Judge(Lane, u64, Vec<(usize, Arc<Event>)>),
    /// An element is announced, of which something else is on its way.
    Announced(Box<Announced>),
    /// An element reports through a dialect, and something else of it is on its way.
    Reported(Box<Reported>),
    /// Another lane hears something.
    Post(Lane, Box<Mail>),
    /// Somebody outside hears of it.
    Tell(Box<dyn FnOnce() + Send>),
    /// This lane has taken what followed from a step of its own.
    Passed(u64),
    /// This lane has taken what followed from another lane's step.
    Confirm(Lane, u64),
}

/// Who waits for a message to be safe.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// Nobody.
    None,
    /// A client that published.
    Publish(ConnKey, Qos, u16),
    /// A call of the HTTP API.
    Api(u64),
}

/// One shard, as the lane that owns it sees it.
#[derive(Default)]
struct Shard {
    /// Where the next record goes.
    next: u64,
    next_session: SessionNumber,
    /// Everything said up to here was taken by all.
    passed: u64,
    /// The same, as far as it is written down.
    passed_noted: u64,
    batch: Batch,
}

/// See the module.
pub(super) struct Keep {
    shards: Vec<Shard>,
    /// Shards whose batches are not empty.
    touched: Vec<u8>,
    /// Batches that are full.
    full: Vec<Written>,
    /// What is written down now is safe with this ticket.
    ticket: u64,
    /// What has a ticket up to this is safe.
    committed: u64,
    waiting: VecDeque<(u64, Waiting)>,
    waiting_bytes: usize,
    /// Topics with retained messages that wait: what follows at the same topic must wait, too,
    /// or the last word there would not be the last. And elements to which something is said.
    waiting_topics: HashMap<u64, u32>,
    passing: Passing,
    /// Who received the event that is being delivered, as (shard, who).
    took: Vec<(u8, Taker)>,
    /// After a start: who has taken what is followed again.
    again: Option<Arc<recall::Taken>>,
    /// The longest payload for which there is room on the disk; `None` if nothing new that must
    /// be kept is taken on.
    room_bytes: Option<u64>,
    /// When it is to be noted what was passed on.
    note_passed_at: Time,
    pub(super) fetches: Vec<Fetch>,
    pub(super) said: Vec<(u64, bool)>,
    round: Option<round::Round>,
    bytes_written: u64,
}

impl Keep {
    pub(super) fn new() -> Self {
        Self {
            shards: std::iter::repeat_with(|| Shard {
                next: 1,
                next_session: 1,
                ..Shard::default()
            })
            .take(SHARDS)
            .collect(),
            touched: Vec::new(),
            full: Vec::new(),
            ticket: 1,
            committed: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            waiting_topics: HashMap::new(),
            passing: Passing::default(),
            took: Vec::new(),
            again: None,
            room_bytes: Some(BODY_BYTES_MAX as u64),
            note_passed_at: Time::NEVER,
            fetches: Vec::new(),
            said: Vec::new(),
            round: None,
            bytes_written: 0,
        }
    }

    /// Writes a record down; says where it will be.
    fn write(&mut self, shard: u8, write: impl FnOnce(&mut Vec<u8>)) -> Place {
        self.write_with(shard, write, &Bytes::new())
    }

    /// The same for a record that ends with a payload. A long one is not copied.
    fn write_with(
        &mut self,
        shard: u8,
        write: impl FnOnce(&mut Vec<u8>),
        payload: &Bytes,
    ) -> Place {
        let there = &mut self.shards[usize::from(shard)];
        if there.batch.is_empty() {
            self.touched.push(shard);
        }
        let before = there.batch.bytes();
        if payload.len() <= BODY_INLINE_BYTES_MAX {
            there.batch.push_with(|out| {
                write(out);
                out.extend_from_slice(payload);
            });
        } else {
            there.batch.push_with_body(write, payload.clone());
        }
        self.bytes_written += (there.batch.bytes() - before) as u64;
        let seq = there.next;
        there.next += 1;
        if there.batch.len() == BATCH_RECORDS_MAX
            || BATCH_BYTES_MAX - RECORD_BYTES_MAX < there.batch.bytes()
            || BATCH_BYTES_MAX < there.batch.body_bytes()
        {
            self.close_batch(shard);
        }
        Place::new(shard, seq)
    }

    /// What is written down next in a shard is safe as a whole or not at all, if it is not more
    /// than half of what a batch takes.
    pub(super) fn begin_whole(&mut self, shard: u8) {
        let there = &mut self.shards[usize::from(shard)];
        if BATCH_RECORDS_MAX / 2 < there.batch.len()
            || BATCH_BYTES_MAX / 2 < there.batch.bytes() + there.batch.body_bytes()
        {
            self.close_batch(shard);
        }
    }

    fn close_batch(&mut self, shard: u8) {
        let there = &mut self.shards[usize::from(shard)];
        let batch = std::mem::take(&mut there.batch);
        let first = there.next - batch.len() as u64;
        self.touched.retain(|&touched| touched != shard);
        self.full.push(Written {
            shard,
            first,
            batch,
        });
    }

    /// A payload is written for the first time. A long one is written beside the records, once:
    /// whoever writes it down again writes nothing.
    fn count_payload(&mut self, bytes: usize) {
        if bytes <= BODY_INLINE_BYTES_MAX {
            return; // It is in the record.
        }
        self.bytes_written += bytes as u64;
        if let Some(room) = &mut self.room_bytes {
            *room = room.saturating_sub(bytes as u64);
        }
    }

    /// What was written down since the last time, with its ticket.
    fn take_written(&mut self) -> Option<(u64, Vec<Written>)> {
        let mut written = std::mem::take(&mut self.full);
        for shard in self.touched.drain(..) {
            let there = &mut self.shards[usize::from(shard)];
            let batch = std::mem::take(&mut there.batch);
            let first = there.next - batch.len() as u64;
            written.push(Written {
                shard,
                first,
                batch,
            });
        }
        if written.is_empty() {
            return None;
        }
        self.ticket += 1;
        Some((self.ticket - 1, written))
    }

    /// Whether all that was written down is safe.
    fn is_settled(&self) -> bool {
        self.touched.is_empty() && self.full.is_empty() && self.committed + 1 == self.ticket
    }

    /// Whether what is said at this topic must wait for what was said before.
    pub(super) fn must_wait(&self, topic: &str) -> bool {
        !self.waiting_topics.is_empty() && self.waiting_topics.contains_key(&super::fnv(topic))
    }

    /// A message waits at this topic.
    fn waits(&mut self, topic: &str) {
        *self.waiting_topics.entry(super::fnv(topic)).or_default() += 1;
    }

    /// A message that waited at this topic waits no more.
    fn follows(&mut self, topic: &str) {
        let topic = super::fnv(topic);
        if let Some(count) = self.waiting_topics.get_mut(&topic) {
            *count -= 1;
            if *count == 0 {
                self.waiting_topics.remove(&topic);
            }
        }
    }

    /// The ticket with which all that is written down so far is safe.
    fn next_safe(&self) -> u64 {
        let is_open = !self.touched.is_empty() || !self.full.is_empty();
        // Nothing is written down since the last ticket: that one will do.
        if is_open {
            self.ticket
        } else {
            self.ticket - 1
        }
    }

    /// Whether so much waits that nothing should be added.
    pub(super) fn is_behind(&self) -> bool {
        WAITING_MAX <= self.waiting.len() || WAITING_BYTES_MAX <= self.waiting_bytes
    }

    /// When something is to be written down although nothing happens.
    pub(super) fn wake_at(&self) -> Time {
        self.note_passed_at
    }

    /// A number for a new durable session.
    pub(super) fn new_session(&mut self, shard: u8) -> SessionNumber {
        let there = &mut self.shards[usize::from(shard)];
        let number = there.next_session;
        there.next_session += 1;
        number
    }

    /// Notes that a durable session received the event that is being delivered.
    pub(super) fn take(&mut self, shard: u8, taker: Taker) {
        self.took.push((shard, taker));
    }

    /// Whether a shard has taken this before the hub died.
    pub(super) fn has_taken(&self, shard: u8, place: Option<Place>, via: Via) -> bool {
        match (&self.again, place) {
            (Some(again), Some(place)) => again.has(shard, place, via),
            _ => false,
        }
    }

    /// Whether the lane of a shard did of this what it had to before the hub died, as far as that is
    /// known: it had gone on to what came later. What leads to nothing is not written down.
    pub(super) fn has_gone_on(&self, shard: u8, place: Option<Place>) -> bool {
        match (&self.again, place) {
            (Some(again), Some(place)) => again.has_more(shard, place),
            _ => false,
        }
    }

    /// Whether what was said before the hub died is followed again.
    pub(super) fn follows_again(&self) -> bool {
        self.again.is_some()
    }

    /// Whether any shard has.
    pub(super) fn anybody_has_taken(&self, place: Option<Place>, via: Via) -> bool {
        self.again.is_some() && (0..SHARDS as u8).any(|shard| self.has_taken(shard, place, via))
    }

    /// What waits and what is under way, for the figures.
    pub(super) fn figures(&self) -> (u64, u64) {
        (self.waiting.len() as u64, self.bytes_written)
    }
}

/// Whether a message must not be lost, because it is to be acknowledged.
pub(super) fn must_be_kept(event: &Event) -> bool {
    event.qos != Qos::AtMostOnce
}

/// Names under which it must be known that an event waits.
fn waits_at(event: &Event) -> impl Iterator<Item = &str> {
    let topic = event.retain.then_some(&*event.topic);
    // An element's own name is the topic of its description.
    let element = Address::element_of(&event.topic).filter(|element| topic != Some(element));
    topic.into_iter().chain(element)
}

/// Whether an event fits into a record: its topic and properties together, and its payload.
pub(super) fn fits(head_bytes: usize, payload_bytes: usize) -> bool {
    head_bytes + HEAD_BYTES_MAX + payload_bytes.min(BODY_INLINE_BYTES_MAX) <= RECORD_BYTES_MAX
        && payload_bytes <= BODY_BYTES_MAX
}

impl Flow {
    /// What was written down since the last time: batches for the journal. When all of it is
    /// safe, [`Self::committed`] is to be told the ticket.
    pub fn take_written(&mut self) -> Option<(u64, Vec<Written>)> {
        self.keep.take_written()
    }

    /// What was written down up to this ticket is safe.
    pub fn committed(&mut self, ticket: u64, now: Time) {
        self.keep.committed = self.keep.committed.max(ticket);
        while let Some((needed, _)) = self.keep.waiting.front()
            && *needed <= self.keep.committed
        {
            let Some((_, waiting)) = self.keep.waiting.pop_front() else {
                break;
            };
            if let Waiting::Follow(event, _) = &waiting {
                self.keep.waiting_bytes -= event.size();
                for name in waits_at(event) {
                    self.keep.follows(name);
                }
            }
            if let Waiting::Reported(reported) = &waiting {
                self.keep.follows(&reported.report.key);
            }
            self.go_on(waiting, now);
        }
    }

    /// Whether all that was written down is safe, so that nothing waits.
    pub fn is_settled(&self) -> bool {
        self.keep.is_settled()
    }

    /// Messages to be fetched from the journal; answered with [`Self::fetched`].
    pub fn take_fetches(&mut self) -> Vec<Fetch> {
        std::mem::take(&mut self.keep.fetches)
    }

    /// What became of calls of [`Self::say`]: whether anybody got it.
    pub fn take_said(&mut self) -> Vec<(u64, bool)> {
        std::mem::take(&mut self.keep.said)
    }

    /// The longest payload for which there is room on the disk; `None` if the disk is full, so
    /// that nothing new is kept.
    pub fn set_room(&mut self, bytes: Option<u64>) {
        self.keep.room_bytes = bytes;
    }

    /// Whether a payload of so many bytes can be kept.
    pub(super) fn has_disk_room(&self, bytes: usize) -> bool {
        let is_long = BODY_INLINE_BYTES_MAX < bytes;
        self.keep
            .room_bytes
            .is_some_and(|room| !is_long || bytes as u64 <= room)
    }

    /// Does something when all that is written down so far is safe: at once, if it is.
    pub(super) fn wait(&mut self, waiting: Waiting, now: Time) {
        if self.keep.is_settled() && self.keep.waiting.is_empty() {
            return self.go_on(waiting, now);
        }
        if let Waiting::Follow(event, _) = &waiting {
            self.keep.waiting_bytes += event.size();
            for name in waits_at(event) {
                self.keep.waits(name);
            }
        }
        if let Waiting::Reported(reported) = &waiting {
            self.keep.waits(&reported.report.key);
        }
        let ticket = self.keep.next_safe();
        self.keep.waiting.push_back((ticket, waiting));
    }

    /// Tells somebody outside when all that is written down so far is safe.
    pub fn when_safe(&mut self, tell: Box<dyn FnOnce() + Send>, now: Time) {
        self.wait(Waiting::Tell(tell), now);
    }

    /// Whether something that was said at an element's addresses is not safe yet, so that it
    /// has not reached the element.
    pub fn is_on_its_way(&self, key: &str) -> bool {
        self.keep.must_wait(key)
    }

    /// Writes packets to a connection when all that is written down so far is safe.
    pub(super) fn write_when_safe(&mut self, key: ConnKey, bytes: Outbox, now: Time) {
        if let Some(conn) = self.conns.get_mut(key) {
            conn.held += 1;
            self.wait(Waiting::Write(key, bytes), now);
        }
    }

    fn go_on(&mut self, waiting: Waiting, now: Time) {
        match waiting {
            Waiting::Follow(event, answer) => {
                let carried = Carried::shared_by(&event);
                let anybody = self.follow_from(carried, Origin::Here, now);
                let reason = if anybody {
                    Reason::Success
                } else {
                    Reason::NoMatchingSubscribers
                };
                // Whoever asks an element over HTTP may look at once whether it did.
                if event.by == Actor::Api && is_request(&event.topic) {
                    self.wait(Waiting::Answer(answer, reason), now);
                } else {
                    self.answer_said(answer, reason);
                }
            }
            Waiting::Answer(answer, reason) => self.answer_said(answer, reason),
            Waiting::Write(key, mut bytes) => {
                let Some(conn) = self.conns.get_mut(key) else {
                    return;
                };
                conn.held -= 1;
                if let Stage::Open(..) = conn.stage {
                    conn.outbox.append_all(&mut bytes);
                    self.touch(key);
                }
            }
            Waiting::Resume(key) => self.out.resumed.push(key),
            Waiting::Scan(client, wanted) => self.begin_scans(client, wanted, now),
            Waiting::Found(number, found, from) => self.scanned(number, found, from, now),
            Waiting::Announced(announced) => self.take_announcement(announced, now),
            Waiting::Reported(reported) => self.follow_report(&reported, now),
            Waiting::Pictured(picture) => self.say_pictured(&picture, now),
            Waiting::Judge(lane, number, asked) => self.say_void(lane, number, &asked, now),
            Waiting::Post(lane, mail) => self.out.mail.push((lane, *mail)),
            Waiting::Tell(tell) => tell(),
            Waiting::Passed(step) => self.passed(step, now),
            Waiting::Confirm(lane, step) => {
                self.out.mail.push((lane, Mail::Taken { step }));
            }
        }
    }

    /// Writes down what somebody said; gives the event in memory of its own, with its place.
    pub(super) fn write_said(
        &mut self,
        shard: u8,
        session: SessionNumber,
        packet_id: u16,
        is_will: bool,
        event: &Event,
    ) -> Arc<Event> {
        let there = &mut self.keep.shards[usize::from(shard)];
        let passed = there.passed;
        there.passed_noted = passed;
        let mut own = event.detached();
        let head = |out: &mut Vec<u8>| write_said(out, passed, session, packet_id, is_will, event);
        let place = self.keep.write_with(shard, head, &own.payload);
        self.keep.count_payload(own.payload.len());
        own.place = Some(place);
        Arc::new(own)
    }

    /// Writes down what is retained at a topic from now on; says where.
    pub(super) fn write_kept(&mut self, shard: u8, event: &Event) -> Place {
        let head = |out: &mut Vec<u8>| write_kept(out, event.place, true, event);
        if event.place.is_none() {
            self.keep.count_payload(event.payload.len());
        }
        self.keep.write_with(shard, head, &event.payload)
    }

    /// Writes a fact about a shard down.
    pub(super) fn write_record(&mut self, shard: u8, record: &Record) -> Place {
        self.keep.write(shard, |out| record.write(out))
    }

    /// Writes a fact about a client down, if its session is durable.
    pub(super) fn write_about(
        &mut self,
        client: ClientKey,
        record: impl FnOnce(SessionNumber, &super::Client) -> Record,
    ) {
        if let Some(there) = self.clients.get(client)
            && there.number != 0
        {
            let (shard, record) = (there.shard, record(there.number, there));
            self.write_record(shard, &record);
        }
    }

    /// Writes down which durable sessions received the event that was just delivered.
    pub(super) fn write_took(&mut self, from: Option<Place>, via: Via) {
        let mut took = std::mem::take(&mut self.keep.took);
        if let Some(from) = from {
            took.sort_by_key(|(shard, _)| *shard);
            for of_shard in took.chunk_by(|a, b| a.0 == b.0) {
                let takers = of_shard.iter().map(|(_, taker)| taker);
                self.keep
                    .write(of_shard[0].0, |out| write_took(out, from, via, takers));
            }
        }
        took.clear();
        self.keep.took = took;
    }

    /// Writes down that an element of this shard, or a flow, reacted to what is at a place.
    pub(super) fn write_reaction(&mut self, shard: u8, from: Option<Place>, via: Via) {
        if let Some(from) = from {
            self.keep
                .write(shard, |out| write_took(out, from, via, [].iter()));
        }
    }

    /// Writes down what became of messages that waited in a durable session.
    pub(super) fn write_notes(&mut self, client: ClientKey, notes: &[Note]) {
        for &note in notes {
            self.write_about(client, |session, _| match note {
                Note::Sent => Record::Sent(session),
                Note::Dropped => Record::Dropped(session),
                Note::Done(packet_id) => Record::Done(session, packet_id),
            });
        }
    }

    /// Asks for the messages that a session needs to go on.
    pub(super) fn fetch(&mut self, client: ClientKey) {
        if let Some(there) = self.clients.get_mut(client) {
            let places = there.session.wanted(FETCH_MAX);
            if !places.is_empty() {
                self.keep.fetches.push(Fetch { client, places });
            }
        }
    }

    /// Messages that were asked for with [`Fetch`]; `None` for what is not kept any more.
    pub fn fetched(&mut self, client: ClientKey, found: Vec<Fetched>, now: Time) {
        let is_to_element = |event: &Event| event.by == Actor::Hub && is_request(&event.topic);
        let mut events = found.iter().filter_map(|(_, event)| event.as_deref());
        if events.any(is_to_element) {
            self.judge(client, found, now);
        } else {
            self.supply(client, &found, 0, now);
        }
    }

    /// The same, when it is known what of it is void: so many that are not found.
    pub(super) fn supply(&mut self, client: ClientKey, found: &[Fetched], void: usize, now: Time) {
        let Some(there) = self.clients.get_mut(client) else {
            return;
        };
        let mut notes = Vec::new();
        let lost = there.session.supply(found, &mut notes);
        self.figures.dropped_disk += lost.saturating_sub(void) as u64;
        let conn = there.conn;
        self.write_notes(client, &notes);
        if let Some(conn) = conn {
            self.drained(conn, now);
        }
    }

    /// A step is a lane further.
    pub(super) fn passed(&mut self, step: u64, now: Time) {
        const SOON: std::time::Duration = std::time::Duration::from_secs(1);
        if let Some((lane, step)) = self.keep.passing.one_less(step) {
            self.out.mail.push((lane, Mail::Taken { step }));
        }
        while let Some(place) = self.keep.passing.next_done() {
            let there = &mut self.keep.shards[usize::from(place.shard())];
            there.passed = there.passed.max(place.seq());
            self.keep.note_passed_at = self.keep.note_passed_at.min(now.after(SOON));
        }
    }

    /// Writes down what was passed on, so that a start does not begin with it.
    pub(super) fn note_passed(&mut self, now: Time) {
        if now < self.keep.note_passed_at {
            return;
        }
        self.keep.note_passed_at = Time::NEVER;
        for shard in 0..SHARDS as u8 {
            let there = &mut self.keep.shards[usize::from(shard)];
            if there.passed_noted < there.passed {
                there.passed_noted = there.passed;
                let passed = Record::Passed(there.passed);
                self.write_record(shard, &passed);
            }
        }
    }

    /// Begins a step: something that is in the journal takes its way.
    pub(super) fn begin_step(&mut self, place: Option<Place>, origin: Origin) -> u64 {
        place.map_or(0, |place| self.keep.passing.begin(origin, place))
    }

    /// Another lane takes part in a step.
    pub(super) fn one_more(&mut self, step: u64) {
        self.keep.passing.one_more(step);
    }
}
