//! What a client and the hub owe each other, beyond one connection (MQTT 5.0, sections 4.1,
//! 4.3, 4.4, 4.9): messages that wait, messages that are sent and not acknowledged, and
//! identifiers of QoS 2 messages that were received and not released.
//!
//! Packet identifiers are given in order [MQTT-2.2.1-4] [MQTT-4.6.0-6], so the sent messages are a window onto that order:
//! an acknowledgement finds its message by subtraction. A session that owes nothing takes no
//! memory beside itself.
//!
//! Messages that wait for long are not held: of what the journal keeps only the place is noted
//! ([`Backlog`]), and the message is fetched when it is its turn ([`Session::wanted`]).

mod backlog; // messages that wait, as places in the journal
mod recall; // sessions as they are written down and read back

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use backlog::{Backlog, Entry};
use quartet_model::{Event, Place, Qos, Time};

use super::{
    Ack, Fanout, Fault, Open, Packet, Properties, Reason,
    frame::{Frames, Sending},
};
use crate::outbox::Outbox;

/// How much a session may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionLimits {
    /// Messages sent and not acknowledged.
    pub inflight_max: u16,
    /// Messages that wait to be sent.
    pub queue_messages_max: usize,
    /// Bytes of messages that wait to be sent.
    pub queue_bytes_max: usize,
    /// Bytes that wait for a slow socket, before messages wait in the queue or, at QoS 0, are
    /// dropped.
    pub outbox_bytes_max: usize,
}

/// How a session is to get an event.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'i> {
    /// The lower one of what was published and what was asked for [MQTT-3.8.4-8].
    pub qos: Qos,
    /// The retain flag that the receiver sees.
    pub retain: bool,
    /// Its identifiers of the subscriptions that match.
    pub subscription_ids: &'i [u32],
}

/// What became of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settled {
    /// On its way.
    Sent,
    /// Waits for the client, or for acknowledgements of what was sent before.
    Queued,
    /// Nobody needs it any more [MQTT-3.3.2-5].
    Expired,
    /// Larger than the client takes [MQTT-3.1.2-24] [MQTT-3.1.2-25].
    TooLarge,
    /// The client may not see it.
    Hidden,
    /// The client is too slow or away for too long.
    Dropped(Congestion),
}

/// What was full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Congestion {
    /// QoS 0, and nobody is connected, or the socket is slower than the messages.
    Socket,
    /// The queue.
    Queue,
}

/// What somebody may see of an event.
#[derive(Clone, Debug)]
pub enum Seen {
    /// All of it.
    Whole,
    /// This is left of it.
    Part(Arc<Event>),
    /// Nothing.
    Nothing,
}

/// What the client at the other end may see. What waits is looked at when it is sent: by then it
/// may be allowed less.
pub type View<'v> = dyn FnMut(&Event) -> Seen + 'v;

/// A connection that a session's messages go to.
pub struct Line<'l> {
    /// What was agreed with the client.
    pub open: &'l mut Open,
    /// What is to be written.
    pub outbox: &'l mut Outbox,
    /// Where QoS 2 packets go if they must not be written before the hub has noted them.
    pub held: Option<&'l mut Outbox>,
    /// Something is held already: QoS 1 waits behind it.
    pub holds_all: bool,
    /// Who does not see everything.
    pub view: Option<&'l mut View<'l>>,
}

impl Line<'_> {
    fn write(
        &mut self,
        fanout: &mut Fanout<'_>,
        delivery: &Delivery<'_>,
        mut sending: Sending,
    ) -> Settled {
        let held = self.held.as_deref_mut();
        let held = held.filter(|_| match delivery.qos {
            Qos::AtMostOnce => false,
            Qos::AtLeastOnce => self.holds_all,
            Qos::ExactlyOnce => true,
        });
        sending.is_held = held.is_some();
        self.holds_all |= sending.is_held;
        let outbox = held.unwrap_or(self.outbox);
        fanout.write(self.open, delivery, sending, outbox)
    }

    /// Writes what waited, as far as the client may see it.
    fn write_kept(
        &mut self,
        event: &Arc<Event>,
        frames: &mut Frames,
        now: Time,
        delivery: &Delivery<'_>,
        sending: Sending,
    ) -> Settled {
        let seen = match &mut self.view {
            None => Seen::Whole,
            Some(view) => view(event),
        };
        let part;
        let seen = match seen {
            Seen::Whole => event,
            Seen::Part(left) => {
                part = left;
                &part
            }
            Seen::Nothing => return Settled::Hidden,
        };
        self.write(&mut Fanout::of_kept(seen, frames, now), delivery, sending)
    }

    fn is_full(&self, limits: &SessionLimits) -> bool {
        let held = self.held.as_ref().map_or(0, |held| held.len());
        limits.outbox_bytes_max < self.outbox.len() + held
    }
}

/// What became of a message that waited, for those who write it down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// The first that waited was sent, with the next packet identifier.
    Sent,
    /// The first that waited was dropped: nobody needs it, or the client does not take it.
    Dropped,
    /// What was sent under this packet identifier is done with.
    Done(u16),
}

/// A message, or where the journal keeps it.
enum Body {
    Here(Arc<Event>),
    There(Place),
}

/// A message that waits, or that may have to be sent again.
struct Message {
    body: Body,
    qos: Qos,
    retain: bool,
    subscription_ids: Box<[u32]>,
}

/// What is awaited for a packet identifier that was given [MQTT-4.3.3-3] [MQTT-4.3.3-5]; from
/// PUBREL on the message itself is not needed any more [MQTT-4.3.3-6].
enum Sent {
    AwaitPubAck(Message),
    AwaitPubRec(Message),
    AwaitPubComp,
    /// Acknowledged, but an earlier one is not.
    Done,
}

#[derive(Default)]
struct Outgoing {
    /// What waits and is at hand.
    queue: VecDeque<Message>,
    queue_bytes: usize,
    /// What waits behind the queue.
    backlog: Backlog,
    /// Messages are being fetched.
    is_fetching: bool,
    window: VecDeque<Sent>,
    /// How many at the window's end were sent on an earlier connection and not on this one.
    unsent: usize,
    /// The packet identifier of the window's first.
    first_id: u16,
    /// How many in the window are not done.
    inflight: u16,
}

/// One client's side of the state that outlives connections.
#[derive(Default)]
pub struct Session {
    outgoing: Option<Box<Outgoing>>,
    /// QoS 2 messages received and not released.
    #[expect(
        clippy::box_collection,
        reason = "most sessions never have one, and there are many sessions"
    )]
    unreleased: Option<Box<BTreeSet<u16>>>,
}

/// A packet identifier so many places after another; 0 is not one.
fn id_at(first: u16, offset: usize) -> u16 {
    ((usize::from(first) - 1 + offset) % usize::from(u16::MAX)) as u16 + 1
}

impl Session {
    /// How many messages wait to be sent.
    pub fn queued(&self) -> usize {
        self.outgoing
            .as_ref()
            .map_or(0, |out| out.unsent + out.queue.len() + out.backlog.len())
    }

    /// How many messages are sent and not acknowledged.
    pub fn inflight(&self) -> usize {
        self.outgoing
            .as_ref()
            .map_or(0, |out| usize::from(out.inflight))
    }

    /// Bytes of messages that wait to be sent.
    pub fn queued_bytes(&self) -> usize {
        self.outgoing.as_ref().map_or(0, |out| out.queue_bytes)
    }

    /// How many QoS 2 messages the client sent and has not released.
    pub fn unreleased(&self) -> usize {
        self.unreleased.as_ref().map_or(0, |ids| ids.len())
    }

    /// Passes an event to the client, now or later.
    pub fn deliver(
        &mut self,
        line: Option<Line<'_>>,
        fanout: &mut Fanout<'_>,
        delivery: Delivery<'_>,
        limits: &SessionLimits,
    ) -> Settled {
        if fanout.event().expires <= fanout.now() {
            return Settled::Expired;
        }
        if delivery.qos == Qos::AtMostOnce {
            return match line {
                None => Settled::Dropped(Congestion::Socket),
                Some(line) if line.is_full(limits) => Settled::Dropped(Congestion::Socket),
                // [MQTT-4.3.1-1]
                Some(mut line) => line.write(fanout, &delivery, Sending::FIRST),
            };
        }
        let out = self.outgoing.get_or_insert_default();
        match line {
            Some(mut line) if out.nothing_waits() && out.has_room(&line, limits) => {
                let settled = line.write(fanout, &delivery, out.next());
                if settled == Settled::Sent {
                    out.await_acknowledgement(Message::new(fanout, &delivery));
                }
                settled
            }
            line => out.enqueue(line.is_some(), fanout, &delivery, limits),
        }
    }

    /// Sends what waits, as far as the client's receive maximum and the socket allow. Called
    /// when something was acknowledged or the outbox was written. Notes what became of what
    /// waited.
    pub fn fill(
        &mut self,
        mut line: Line<'_>,
        frames: &mut Frames,
        limits: &SessionLimits,
        now: Time,
        notes: &mut Vec<Note>,
    ) {
        let Some(out) = &mut self.outgoing else {
            return;
        };
        out.send_again(&mut line, frames, limits, now, notes);
        while out.has_room(&line, limits) {
            let Some(message) = out.queue.pop_front() else {
                break;
            };
            let Body::Here(event) = &message.body else {
                unreachable!("what is in the queue is at hand");
            };
            out.queue_bytes -= event.size();
            if event.expires <= now {
                notes.push(Note::Dropped);
                continue; // [MQTT-3.3.2-5]
            }
            let sending = out.next();
            let settled = line.write_kept(event, frames, now, &message.delivery(), sending);
            if settled == Settled::Sent {
                out.await_acknowledgement(message);
                notes.push(Note::Sent);
            } else {
                notes.push(Note::Dropped);
            }
        }
        self.give_back_memory();
    }

    /// Goes on after an earlier connection: what was sent and not acknowledged is sent again,
    /// in order [MQTT-4.4.0-1] [MQTT-4.6.0-1], then what waits.
    pub fn resume(
        &mut self,
        mut line: Line<'_>,
        frames: &mut Frames,
        limits: &SessionLimits,
        now: Time,
        notes: &mut Vec<Note>,
    ) {
        if let Some(out) = &mut self.outgoing {
            for (offset, sent) in out.window.iter().enumerate() {
                if let Sent::AwaitPubComp = sent {
                    let id = id_at(out.first_id, offset);
                    // The PUBREC may have been said on the connection before, just now.
                    let outbox = line.held.as_deref_mut().unwrap_or(line.outbox);
                    line.open
                        .write_ack(Packet::PubRel, id, Reason::Success, outbox);
                }
            }
            out.unsent = out.window.len();
        }
        self.fill(line, frames, limits, now, notes);
    }

    /// The client is away: of what the journal keeps only the places are held.
    pub fn rest(&mut self) {
        let Some(out) = &mut self.outgoing else {
            return;
        };
        out.is_fetching = false;
        for sent in &mut out.window {
            if let Sent::AwaitPubAck(message) | Sent::AwaitPubRec(message) = sent {
                message.let_go();
            }
        }
        if out.queue.iter().all(|message| message.place().is_some()) {
            let mut backlog = Backlog::default();
            for entry in std::mem::take(&mut out.queue)
                .iter()
                .filter_map(Message::entry)
            {
                backlog.push(&entry);
            }
            backlog.append(&mut out.backlog);
            out.backlog = backlog;
            out.queue_bytes = 0;
        }
    }

    /// The places of the messages that are needed to go on, at most `max`; none while those
    /// that were asked for have not come. Answered with [`Self::supply`].
    pub fn wanted(&mut self, max: usize) -> Vec<Place> {
        let Some(out) = &mut self.outgoing else {
            return Vec::new();
        };
        if out.is_fetching {
            return Vec::new();
        }
        let again = out.window.iter().skip(out.window.len() - out.unsent);
        let mut wanted: Vec<Place> = again.filter_map(Sent::far_place).take(max).collect();
        if wanted.is_empty() && out.unsent == 0 && out.queue.is_empty() {
            wanted = out
                .backlog
                .iter()
                .take(max)
                .map(|entry| entry.place)
                .collect();
        }
        out.is_fetching = !wanted.is_empty();
        wanted
    }

    /// Messages that were fetched. What the journal does not keep any more is dropped; says how
    /// many those were.
    pub fn supply(
        &mut self,
        found: &[(Place, Option<Arc<Event>>)],
        notes: &mut Vec<Note>,
    ) -> usize {
        let Some(out) = &mut self.outgoing else {
            return 0;
        };
        if !std::mem::take(&mut out.is_fetching) {
            return 0; // The client went and is back; it asks anew.
        }
        let mut lost = 0;
        for (place, event) in found {
            if 0 < out.unsent {
                lost += out.supply_sent(*place, event.as_ref(), notes);
            } else if out.backlog.first().is_some_and(|it| it.place == *place) {
                let Some(entry) = out.backlog.pop() else {
                    break;
                };
                match event {
                    Some(event) => {
                        out.queue_bytes += event.size();
                        out.queue.push_back(Message::of_entry(entry, event));
                    }
                    None => {
                        notes.push(Note::Dropped);
                        lost += 1;
                    }
                }
            }
        }
        lost
    }

    /// PUBACK: the message is the client's now [MQTT-4.3.2-3]. Gives what it is, if it is at hand.
    pub fn pub_ack(&mut self, ack: &Ack) -> Result<Option<Arc<Event>>, Fault> {
        let sent = match self.sent_mut(ack.packet_id) {
            Some(sent @ Sent::AwaitPubAck(_)) => std::mem::replace(sent, Sent::Done),
            Some(Sent::AwaitPubRec(_) | Sent::AwaitPubComp) => {
                return Err(Fault::protocol("PUBACK answers a message of QoS 2"));
            }
            // Acknowledged twice, or before a lost session: nothing is owed (section 4.9).
            Some(Sent::Done) | None => return Ok(None),
        };
        self.one_is_done();
        Ok(if ack.reason.is_error() {
            None
        } else {
            sent.into_event()
        })
    }

    /// PUBREC: the client has it; release it with PUBREL [MQTT-4.3.3-4], or forget it if the
    /// client refused. Gives what it is, if it is at hand.
    pub fn pub_rec(
        &mut self,
        ack: &Ack,
        open: &Open,
        outbox: &mut Outbox,
    ) -> Result<Option<Arc<Event>>, Fault> {
        let mut has = None;
        let answer = match self.sent_mut(ack.packet_id) {
            Some(Sent::AwaitPubAck(_)) => {
                return Err(Fault::protocol("PUBREC answers a message of QoS 1"));
            }
            // [MQTT-4.4.0-2] [MQTT-4.8.2-6]
            Some(sent @ Sent::AwaitPubRec(_)) if ack.reason.is_error() => {
                *sent = Sent::Done;
                self.one_is_done();
                return Ok(None);
            }
            Some(sent @ (Sent::AwaitPubRec(_) | Sent::AwaitPubComp)) => {
                has = std::mem::replace(sent, Sent::AwaitPubComp).into_event();
                Reason::Success
            }
            Some(Sent::Done) | None => Reason::PacketIdentifierNotFound,
        };
        open.write_ack(Packet::PubRel, ack.packet_id, answer, outbox);
        Ok(has)
    }

    /// PUBCOMP: done at both ends.
    pub fn pub_comp(&mut self, ack: &Ack) -> Result<(), Fault> {
        match self.sent_mut(ack.packet_id) {
            Some(sent @ Sent::AwaitPubComp) => *sent = Sent::Done,
            Some(Sent::AwaitPubAck(_) | Sent::AwaitPubRec(_)) => {
                return Err(Fault::protocol("PUBCOMP comes before PUBREC"));
            }
            Some(Sent::Done) | None => return Ok(()),
        }
        self.one_is_done();
        Ok(())
    }

    /// Notes that a QoS 2 message came in. Says whether it is new: one that came before is not
    /// passed on again [MQTT-4.3.3-10] [MQTT-4.3.3-12].
    pub fn receive(&mut self, packet_id: u16) -> bool {
        self.unreleased.get_or_insert_default().insert(packet_id)
    }

    /// Whether a QoS 2 message with this identifier came in and was not released.
    pub fn has_received(&self, packet_id: u16) -> bool {
        self.unreleased
            .as_ref()
            .is_some_and(|ids| ids.contains(&packet_id))
    }

    /// PUBREL: the identifier may be used again. Says whether it was in use.
    pub fn release(&mut self, packet_id: u16) -> bool {
        let was_in_use = self
            .unreleased
            .as_mut()
            .is_some_and(|ids| ids.remove(&packet_id));
        self.give_back_memory();
        was_in_use
    }

    fn sent_mut(&mut self, packet_id: u16) -> Option<&mut Sent> {
        let out = self.outgoing.as_mut()?;
        if packet_id == 0 || out.window.is_empty() {
            return None;
        }
        let ids = usize::from(u16::MAX);
        let offset = (usize::from(packet_id) + ids - usize::from(out.first_id)) % ids;
        out.window.get_mut(offset)
    }

    fn one_is_done(&mut self) {
        if let Some(out) = &mut self.outgoing {
            out.inflight -= 1;
            out.slide();
        }
    }

    fn give_back_memory(&mut self) {
        if self.unreleased.as_ref().is_some_and(|ids| ids.is_empty()) {
            self.unreleased = None;
        }
        if let Some(out) = &mut self.outgoing
            && out.queue.is_empty()
            && out.queue.capacity() > 64
        {
            out.queue = VecDeque::new();
        }
    }
}

impl Outgoing {
    /// Whether one more may be sent: within the client's receive maximum [MQTT-3.3.4-9]
    /// [MQTT-4.9.0-1] [MQTT-4.9.0-2], our own
    /// limit, and what the socket takes.
    fn has_room(&self, line: &Line<'_>, limits: &SessionLimits) -> bool {
        // A client that leaves the oldest unacknowledged cannot move the window for ever.
        const SPAN: usize = 4;
        let inflight_max = line.open.receive_maximum.min(limits.inflight_max);
        self.unsent == 0
            && self.inflight < inflight_max
            && self.window.len() < (SPAN * usize::from(inflight_max)).min(usize::from(u16::MAX) - 1)
            && !line.is_full(limits)
    }

    fn nothing_waits(&self) -> bool {
        self.queue.is_empty() && self.backlog.is_empty()
    }

    /// Sends messages of an earlier connection again, as many as the client takes on this one
    /// and are at hand. The time to expire is over for them [MQTT-4.3.3-7].
    fn send_again(
        &mut self,
        line: &mut Line<'_>,
        frames: &mut Frames,
        limits: &SessionLimits,
        now: Time,
        notes: &mut Vec<Note>,
    ) {
        let waiting = self.window.iter().rev().take(self.unsent);
        let waiting = waiting.filter(|sent| sent.message().is_some()).count();
        let mut inflight_here = usize::from(self.inflight) - waiting;
        let inflight_max = usize::from(line.open.receive_maximum.min(limits.inflight_max));
        while 0 < self.unsent {
            let offset = self.window.len() - self.unsent;
            if let Some(message) = self.window[offset].message() {
                if inflight_max <= inflight_here || line.is_full(limits) {
                    return;
                }
                let Body::Here(event) = &message.body else {
                    return; // It must be fetched first.
                };
                let id = id_at(self.first_id, offset);
                // DUP says that it may have been sent before [MQTT-3.3.1-1].
                let again = Sending {
                    packet_id: id,
                    dup: true,
                    is_held: false,
                };
                match line.write_kept(event, frames, now, &message.delivery(), again) {
                    Settled::TooLarge | Settled::Hidden => {
                        self.window[offset] = Sent::Done;
                        self.inflight -= 1;
                        notes.push(Note::Done(id));
                    }
                    _ => inflight_here += 1,
                }
            }
            self.unsent -= 1;
        }
        self.slide();
    }

    /// A message that is to be sent again was fetched, or is gone.
    fn supply_sent(
        &mut self,
        place: Place,
        event: Option<&Arc<Event>>,
        notes: &mut Vec<Note>,
    ) -> usize {
        let start = self.window.len() - self.unsent;
        for offset in start..self.window.len() {
            if self.window[offset].far_place() != Some(place) {
                continue;
            }
            let Some(event) = event else {
                self.window[offset] = Sent::Done;
                self.inflight -= 1;
                notes.push(Note::Done(id_at(self.first_id, offset)));
                return 1;
            };
            if let Sent::AwaitPubAck(message) | Sent::AwaitPubRec(message) =
                &mut self.window[offset]
            {
                message.body = Body::Here(Arc::clone(event));
            }
            return 0;
        }
        0
    }

    /// What the next message is sent with [MQTT-3.3.1-3] [MQTT-4.3.2-1] [MQTT-4.3.2-2]
    /// [MQTT-4.3.3-1] [MQTT-4.3.3-2].
    fn next(&mut self) -> Sending {
        self.first_id = self.first_id.max(1);
        Sending {
            packet_id: id_at(self.first_id, self.window.len()),
            dup: false,
            is_held: false,
        }
    }

    /// A message was sent with [`Self::next`].
    fn await_acknowledgement(&mut self, message: Message) {
        self.window.push_back(match message.qos {
            Qos::ExactlyOnce => Sent::AwaitPubRec(message),
            _ => Sent::AwaitPubAck(message),
        });
        self.inflight += 1;
    }

    fn enqueue(
        &mut self,
        is_online: bool,
        fanout: &mut Fanout<'_>,
        delivery: &Delivery<'_>,
        limits: &SessionLimits,
    ) -> Settled {
        /// Messages at hand for a client that is there and slow; what more waits is fetched.
        const QUEUE_MAX: usize = 1024;
        if limits.queue_messages_max <= self.queue.len() + self.backlog.len() {
            return Settled::Dropped(Congestion::Queue);
        }
        let size = fanout.event().size();
        let is_at_hand = is_online
            && self.backlog.is_empty()
            && self.queue.len() < QUEUE_MAX
            && self.queue_bytes + size <= limits.queue_bytes_max;
        match fanout.event().place {
            Some(place) if !is_at_hand => self.backlog.push(&Entry {
                place,
                qos: delivery.qos,
                retain: delivery.retain,
                subscription_ids: delivery.subscription_ids.into(),
            }),
            // What no journal keeps can only wait here.
            _ if !self.backlog.is_empty() || limits.queue_bytes_max < self.queue_bytes + size => {
                return Settled::Dropped(Congestion::Queue);
            }
            _ => {
                self.queue_bytes += size;
                self.queue.push_back(Message::new(fanout, delivery));
            }
        }
        Settled::Queued
    }

    /// Moves the window past what is done.
    fn slide(&mut self) {
        while let Some(Sent::Done) = self.window.front() {
            self.window.pop_front();
            self.first_id = id_at(self.first_id, 1);
        }
        self.unsent = self.unsent.min(self.window.len());
    }
}

impl Sent {
    /// The message, until the client has it.
    fn message(&self) -> Option<&Message> {
        match self {
            Self::AwaitPubAck(message) | Self::AwaitPubRec(message) => Some(message),
            Self::AwaitPubComp | Self::Done => None,
        }
    }

    /// The message, if it is at hand.
    fn into_event(self) -> Option<Arc<Event>> {
        match self {
            Self::AwaitPubAck(message) | Self::AwaitPubRec(message) => match message.body {
                Body::Here(event) => Some(event),
                Body::There(_) => None,
            },
            Self::AwaitPubComp | Self::Done => None,
        }
    }

    /// Where to fetch the message, if it is not at hand.
    fn far_place(&self) -> Option<Place> {
        match self.message()?.body {
            Body::There(place) => Some(place),
            Body::Here(_) => None,
        }
    }
}

impl Message {
    fn new(fanout: &mut Fanout<'_>, delivery: &Delivery<'_>) -> Self {
        Self {
            body: Body::Here(fanout.kept()),
            qos: delivery.qos,
            retain: delivery.retain,
            subscription_ids: delivery.subscription_ids.into(),
        }
    }

    fn of_entry(entry: Entry, event: &Arc<Event>) -> Self {
        Self {
            body: Body::Here(Arc::clone(event)),
            qos: entry.qos,
            retain: entry.retain,
            subscription_ids: entry.subscription_ids,
        }
    }

    /// Where the journal keeps it, if it does.
    fn place(&self) -> Option<Place> {
        match &self.body {
            Body::Here(event) => event.place,
            Body::There(place) => Some(*place),
        }
    }

    /// What a journal's place stands for; `None` for what no journal keeps.
    fn entry(&self) -> Option<Entry> {
        Some(Entry {
            place: self.place()?,
            qos: self.qos,
            retain: self.retain,
            subscription_ids: self.subscription_ids.clone(),
        })
    }

    /// Holds no more than the place, if there is one.
    fn let_go(&mut self) {
        if let Some(place) = self.place() {
            self.body = Body::There(place);
        }
    }

    fn delivery(&self) -> Delivery<'_> {
        Delivery {
            qos: self.qos,
            retain: self.retain,
            subscription_ids: &self.subscription_ids,
        }
    }
}

impl Open {
    /// Writes PUBACK, PUBREC, PUBREL or PUBCOMP, never with properties [MQTT-3.4.2-2]
    /// [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2]
    /// [MQTT-3.7.2-3].
    pub fn write_ack(
        &self,
        kind: fn(Ack) -> Packet,
        packet_id: u16,
        reason: Reason,
        outbox: &mut Outbox,
    ) {
        let ack = Ack {
            packet_id,
            reason,
            properties: Properties::none(),
        };
        outbox.append(|own| kind(ack).encode(self.version, own));
    }
}
