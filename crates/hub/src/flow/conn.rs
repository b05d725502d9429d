//! One connection: bytes to packets, and packets to what they ask for.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use quartet_fabric::{
    mqtt::{
        Fault, Line, Note, Open, Packet, Reason, Request, Session, Version, View, Will,
        connect_version, decode, frame_length, packet_bytes_max, refuse_connection,
    },
    outbox::Outbox,
    routes::{Lane, NodeId, Wish},
};
use quartet_model::{Event, Qos, Time};
use quartet_people::{credentials::Shown, holder::Holder};

use super::{
    ClientKey, Flow, Who, Why,
    admit::By,
    authenticate::Pending,
    keep::{Answer, Record, Waiting},
    publish::who,
    sight::Sight,
    timers::Timer,
};
use crate::config::Limits;

slotmap::new_key_type! {
    /// A connection, on the lane that owns it.
    pub struct ConnKey;
}

/// Who is at the other end, as far as the socket tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its address, if it has one that is known.
    pub ip: Option<IpAddr>,
    /// On this machine, and not behind a balancer.
    pub is_local: bool,
    /// Came over a listener that lets nameless clients of this machine do everything.
    pub is_open: bool,
    /// Showed a certificate that the hub trusts.
    pub is_certified: bool,
}

/// One connection.
pub struct Conn {
    pub(super) stage: Stage,
    pub(super) peer: Peer,
    /// Who is at the other end, as far as is known.
    pub(super) who: Who,
    /// What a certificate of its own shows, until that was looked at.
    pub(super) shown: Option<Box<Shown>>,
    pub(super) outbox: Outbox,
    /// The start of a packet whose rest has not come; most connections never have one.
    rest: Option<Box<BytesMut>>,
    pub(super) last_heard: Time,
    is_dirty: bool,
    /// How often something waits to be written to it.
    pub(super) held: u32,
    allowance: Allowance,
}

/// How far the connection has come.
pub(super) enum Stage {
    /// The first packet must be CONNECT.
    AwaitConnect,
    /// CONNECT waits to be read once more, and is refused.
    Refused(Fault),
    /// More steps are needed to come in.
    AwaitAuth(Box<Pending>),
    /// Came in. There is no way back, so nobody gets a second CONNACK [MQTT-3.2.0-2].
    Open(ClientKey, Open),
    /// Is being closed; what still comes is not read [MQTT-3.1.4-6], and nothing more is said
    /// [MQTT-3.14.4-1].
    Closing,
}

/// A client with its session, connected or not.
pub(super) struct Client {
    pub(super) id: Arc<str>,
    /// Who came in with a credential and left it; nobody else may resume it.
    pub(super) owner: Option<Arc<Holder>>,
    /// What it may see and say, if that takes more than to know who it is.
    pub(super) sight: Option<Box<Sight>>,
    /// As of which version of all relations it sees all that comes to it as it is; 0 if never.
    pub(super) sees_whole_at: u64,
    pub(super) session: Session,
    pub(super) conn: Option<ConnKey>,
    pub(super) expiry_s: u32,
    /// Its number in its shard, if its session is written down; else 0.
    pub(super) number: u32,
    pub(super) shard: u8,
    /// It said something at the address of an element: elements may want to know whether it is
    /// there.
    pub(super) speaks: bool,
    pub(super) subscriptions: HashSet<NodeId, FixedState>,
    /// What few clients have; boxed, so that the others do not pay for it.
    pub(super) more: Option<Box<More>>,
    /// When the session ends, or its will is published, if the client stays away.
    pub(super) ends_at: Time,
}

impl Client {
    /// Who it is, to others: an element, or else the client that says so itself.
    pub(super) fn name(&self) -> &Arc<str> {
        match &self.owner {
            Some(owner) => owner.element(),
            None => &self.id,
        }
    }

    /// The element that it belongs to, if it came in as one.
    pub(super) fn owner_key(&self) -> &str {
        self.owner.as_deref().map_or("", |owner| owner.element())
    }
}

#[derive(Default)]
pub(super) struct More {
    pub(super) will: Option<Will>,
    pub(super) will_at: Option<Time>,
    /// Since when the client is away.
    pub(super) away_at: Option<Time>,
    /// Shared subscriptions, as (share, filter, wish).
    pub(super) shares: Vec<(Box<str>, Box<str>, Wish)>,
}

/// How many messages a client may still publish (a token bucket).
#[derive(Clone, Copy, Default)]
struct Allowance {
    messages: f32,
    at: Time,
}

impl Allowance {
    /// Takes one message off; if there is none left, says when there will be.
    fn take(&mut self, rate: u32, burst: u32, now: Time) -> Result<(), Time> {
        if rate == 0 {
            return Ok(());
        }
        let earned = now.since(self.at).as_secs_f32() * rate as f32;
        self.messages = (self.messages + earned).min(burst.max(1) as f32);
        self.at = now;
        if self.messages < 1.0 {
            // Not for each message anew: sleep until a hundredth of a second's worth is there.
            let wait = (1.0 - self.messages) / rate as f32 + 0.01;
            return Err(now.after(Duration::from_secs_f32(wait)));
        }
        self.messages -= 1.0;
        Ok(())
    }
}

/// What became of bytes that were read.
#[derive(Debug)]
pub enum Read {
    /// Taken.
    All,
    /// Taken in part: the lane has done enough in this turn, others come first. To be gone on
    /// with by reading nothing.
    Later,
    /// The connection belongs to another lane; these bytes are to be handed over with it.
    HandOver(Lane, Bytes),
}

/// How often it is seen whether a client takes its answers.
const ANSWERS_WAIT: Duration = Duration::from_millis(100);

/// What a packet leads to, for the loop that reads packets.
pub(super) enum Next {
    Packet,
    HandOver(Lane),
    /// The client publishes faster than it may: this packet waits.
    Pause(Time),
    /// What was written down must be safe first: this packet waits for [`Out::resumed`].
    Wait,
}

impl Flow {
    /// A connection begins.
    pub fn open(&mut self, peer: Peer, now: Time) -> ConnKey {
        let key = self.conns.insert(Conn {
            stage: Stage::AwaitConnect,
            peer,
            who: who(peer),
            shown: None,
            outbox: Outbox::default(),
            rest: None,
            last_heard: now,
            is_dirty: false,
            held: 0,
            allowance: Allowance {
                messages: self.limits.publish_burst as f32,
                at: now,
            },
        });
        let patience = Duration::from_secs(self.limits.connect_timeout_s.into());
        self.timers.add(now.after(patience), Timer::Conn(key));
        self.figures.connections_opened += 1;
        key
    }

    /// The connection went over to another lane, or never came to anything.
    pub fn forget(&mut self, key: ConnKey) {
        let conn = self.conns.remove(key);
        if let Some(Conn {
            who: Who::Holder(holder),
            ..
        }) = conn
        {
            self.held.remove(&holder, By::Conn(key));
        }
    }

    /// What waits to be written to a connection.
    pub fn outbox(&mut self, key: ConnKey) -> Option<&mut Outbox> {
        self.conns.get_mut(key).map(|conn| &mut conn.outbox)
    }

    /// The client's certificate was checked, or a balancer said whom it speaks for.
    pub fn set_peer(&mut self, key: ConnKey, peer: Peer) {
        if let Some(conn) = self.conns.get_mut(key) {
            conn.peer = peer;
            if conn.who.holder().is_none() {
                conn.who = who(peer);
            }
        }
    }

    /// The client came with a certificate that the hub issued.
    pub fn show(&mut self, key: ConnKey, shown: Shown) {
        if let Some(conn) = self.conns.get_mut(key) {
            conn.shown = Some(Box::new(shown));
        }
    }

    /// So many bytes were written to sockets.
    pub fn count_sent(&mut self, bytes: u64) {
        self.figures.bytes_sent += bytes;
    }

    /// Keeps what was read of a connection, to be taken with the next [`Self::read`].
    pub fn hold(&mut self, key: ConnKey, bytes: &[u8]) {
        if let Some(conn) = self.conns.get_mut(key) {
            conn.put_back(&[], bytes);
        }
    }

    /// Takes what was read from a connection; nothing, to go on with what had to wait.
    pub fn read(&mut self, key: ConnKey, mut bytes: Bytes, now: Time) -> Read {
        self.figures.bytes_received += bytes.len() as u64;
        while let Some(conn) = self.conns.get_mut(key) {
            conn.last_heard = now;
            // Messages alone do not come to this; answers to a client that reads none do. It is
            // not read either until it takes them.
            if 2 * self.limits.outbox_bytes_max < conn.outbox.len() && !conn.is_closing() {
                self.figures.pauses += 1;
                self.pause(key, &[], &bytes, now.after(ANSWERS_WAIT));
                break;
            }
            let packet_bytes_max = match conn.stage {
                Stage::Closing => return Read::All,
                Stage::Open(..) => self.limits.packet_bytes_max,
                _ => self.limits.first_packet_bytes_max,
            };
            let frame = match conn.next_frame(&mut bytes, packet_bytes_max) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(fault) => {
                    self.fail(key, fault, &Bytes::new(), now);
                    break;
                }
            };
            match self.take_packet(key, &frame, now) {
                Ok(Next::Packet) if self.is_tired() || self.awaits_journal() => {
                    if let Some(conn) = self.conns.get_mut(key)
                        && (conn.rest.is_some() || !bytes.is_empty())
                    {
                        conn.put_back(&[], &bytes);
                        return Read::Later;
                    }
                }
                Ok(Next::Packet) => {}
                Ok(Next::HandOver(lane)) => {
                    return Read::HandOver(lane, [&frame[..], &bytes[..]].concat().into());
                }
                Ok(Next::Pause(until)) => {
                    self.figures.pauses += 1;
                    self.pause(key, &frame, &bytes, until);
                    break;
                }
                Ok(Next::Wait) => {
                    self.pause(key, &frame, &bytes, Time::NEVER);
                    break;
                }
                Err(fault) => {
                    self.fail(key, fault, &frame, now);
                    break;
                }
            }
        }
        Read::All
    }

    /// Takes one packet. A packet that nobody expects now is a fault.
    fn take_packet(&mut self, key: ConnKey, frame: &Bytes, now: Time) -> Result<Next, Fault> {
        let Some(conn) = self.conns.get_mut(key) else {
            return Ok(Next::Packet);
        };
        let (client, open) = match &mut conn.stage {
            Stage::Open(client, open) => (*client, open),
            Stage::AwaitConnect | Stage::AwaitAuth(_) | Stage::Refused(_) => {
                return self.take_first(key, frame, now);
            }
            Stage::Closing => return Ok(Next::Packet),
        };
        if is_publish(frame) {
            let Limits {
                publish_rate_max,
                publish_burst,
                ..
            } = self.limits;
            let allowed = conn.allowance.take(publish_rate_max, publish_burst, now);
            if let Err(until) = allowed {
                return Ok(Next::Pause(until));
            }
        }
        let packet = decode(frame, open.version)?;
        let there = &mut self.clients[client];
        let is_durable = there.number != 0;
        let record = is_durable.then(|| record_of(&packet)).flatten();
        let before = conn.outbox.len();
        let mut held = Outbox::default();
        let request = open.handle(
            packet,
            &mut there.session,
            &mut conn.outbox,
            is_durable.then_some(&mut held),
        )?;
        if before < conn.outbox.len() {
            conn.touch(key, &mut self.out.dirty);
        }
        if let Some(record) = record {
            self.write_about(client, |session, _| record(session));
        }
        if !held.is_empty() {
            self.write_when_safe(key, held, now);
        }
        match request {
            Request::Nothing => {}
            Request::AnswerAgain(packet_id) => {
                let answer = Answer::Publish(key, Qos::ExactlyOnce, packet_id);
                self.wait(Waiting::Answer(answer, Reason::Success), now);
            }
            Request::Publish(publish) => self.publish(key, client, publish, now)?,
            Request::Subscribe(subscribe) => self.subscribe(key, client, &subscribe, now),
            Request::Unsubscribe(unsubscribe) => self.unsubscribe(key, client, &unsubscribe, now),
            Request::Acknowledged(has) => {
                if let Some(event) = has {
                    self.note_delivery(&event, client, now);
                }
                self.drained(key, now);
            }
            Request::Authenticate(auth) => self.authenticate_again(key, &auth, now)?,
            Request::Disconnect(leave) => self.leave(key, client, leave, now),
        }
        Ok(Next::Packet)
    }

    /// Takes a packet of a client that has not come in yet.
    fn take_first(&mut self, key: ConnKey, frame: &Bytes, now: Time) -> Result<Next, Fault> {
        if let Stage::AwaitConnect | Stage::Refused(_) = self.conns[key].stage {
            // [MQTT-3.1.4-1]
            return match decode(frame, connect_version(frame))? {
                Packet::Connect(connect) => self.connect(key, *connect, now),
                // [MQTT-3.1.0-1]
                _ => Err(Fault::protocol("the first packet is not CONNECT")),
            };
        }
        match decode(frame, Version::V5)? {
            Packet::Auth(auth) => self.continue_authentication(key, &auth, now),
            Packet::Disconnect(_) => {
                self.close(key, Why::Left, now);
                Ok(Next::Packet)
            }
            // [MQTT-4.12.0-5]
            _ => Err(Fault::protocol(
                "only AUTH and DISCONNECT may follow until authentication is complete",
            )),
        }
    }

    /// The client publishes faster than it may, or does not take the answers: it is not read
    /// for a while. Nothing is lost, it just has to wait.
    fn pause(&mut self, key: ConnKey, frame: &[u8], bytes: &[u8], until: Time) {
        if let Some(conn) = self.conns.get_mut(key) {
            conn.put_back(frame, bytes);
            self.out.paused.push((key, until));
        }
    }

    /// Something came that breaks the protocol: say so in the client's own words, and close
    /// [MQTT-4.13.1-1] [MQTT-4.13.2-1] [3.1.1 MQTT-4.8.0-1].
    fn fail(&mut self, key: ConnKey, fault: Fault, frame: &Bytes, now: Time) {
        if let Some(conn) = self.conns.get_mut(key) {
            match &conn.stage {
                Stage::AwaitConnect if is_connect(frame) => {
                    let version = connect_version(frame);
                    let bytes_max = match decode(frame, version) {
                        Ok(Packet::Connect(connect)) => packet_bytes_max(&connect),
                        _ => usize::MAX,
                    };
                    let Fault { reason, what } = fault;
                    refuse_connection(version, reason, what, bytes_max, &mut conn.outbox);
                }
                // Before CONNECT nobody knows which form the other side would read
                // [MQTT-3.14.0-1].
                Stage::AwaitConnect | Stage::Refused(_) | Stage::Closing => {}
                Stage::AwaitAuth(pending) => {
                    let bytes_max = packet_bytes_max(&pending.connect);
                    let Fault { reason, what } = fault;
                    refuse_connection(Version::V5, reason, what, bytes_max, &mut conn.outbox);
                }
                Stage::Open(_, open) => {
                    open.write_disconnect(fault.reason, fault.what, &mut conn.outbox);
                }
            }
            self.figures.faults += 1;
            self.close(key, Why::Fault(fault), now);
        }
    }

    /// There is something to write to this connection.
    pub(super) fn touch(&mut self, key: ConnKey) {
        if let Some(conn) = self.conns.get_mut(key) {
            conn.touch(key, &mut self.out.dirty);
        }
    }

    /// Everything that waited was written, or something was acknowledged: send what waits.
    pub fn drained(&mut self, key: ConnKey, now: Time) {
        let limits = self.session_limits();
        let Some(conn) = self.conns.get_mut(key) else {
            return;
        };
        let Stage::Open(client, open) = &mut conn.stage else {
            return;
        };
        let client = *client;
        let there = &mut self.clients[client];
        if 0 < there.session.queued() {
            let mut held = Outbox::default();
            let mut notes = std::mem::take(&mut self.notes);
            let graph = &self.known.graph;
            let mut view = there
                .sight
                .as_deref_mut()
                .map(|sight| Box::new(|event: &Event| sight.see(graph, event, now)));
            let line = Line {
                open,
                outbox: &mut conn.outbox,
                held: (there.number != 0).then_some(&mut held),
                holds_all: conn.held != 0,
                view: view.as_deref_mut().map(|view| view as &mut View<'_>),
            };
            let frames = &mut self.frames;
            there.session.fill(line, frames, &limits, now, &mut notes);
            conn.touch(key, &mut self.out.dirty);
            self.settle_notes(key, client, notes, held, now);
        }
        if !self.scans.is_empty() {
            self.go_on_scanning(super::Receiver::Session(client), now);
        }
    }

    /// Writes down what became of messages that waited, writes what had to wait for that, and
    /// asks for what is needed next.
    pub(super) fn settle_notes(
        &mut self,
        key: ConnKey,
        client: ClientKey,
        mut notes: Vec<Note>,
        held: Outbox,
        now: Time,
    ) {
        self.write_notes(client, &notes);
        notes.clear();
        self.notes = notes;
        if !held.is_empty() {
            self.write_when_safe(key, held, now);
        }
        self.fetch(client);
    }

    /// The shell begins to write this connection's outbox: what comes from now on is news.
    pub fn writing(&mut self, key: ConnKey) -> Option<&mut Outbox> {
        let conn = self.conns.get_mut(key)?;
        conn.is_dirty = false;
        Some(&mut conn.outbox)
    }
}

impl Conn {
    fn is_closing(&self) -> bool {
        matches!(self.stage, Stage::Closing)
    }

    pub(super) fn touch(&mut self, key: ConnKey, dirty: &mut Vec<ConnKey>) {
        if !self.is_dirty && !self.outbox.is_empty() {
            self.is_dirty = true;
            dirty.push(key);
        }
    }

    /// What was cut off but not taken, and what follows, waits before anything new.
    fn put_back(&mut self, frame: &[u8], bytes: &[u8]) {
        let mut all = BytesMut::from(frame);
        all.extend_from_slice(self.rest.as_deref().map_or(&[], |rest| &rest[..]));
        all.extend_from_slice(bytes);
        self.rest = (!all.is_empty()).then(|| Box::new(all));
    }

    /// Cuts the next packet off what waits and what was just read.
    fn next_frame(&mut self, bytes: &mut Bytes, bytes_max: usize) -> Result<Option<Bytes>, Fault> {
        let Some(rest) = &mut self.rest else {
            return match frame_length(bytes, bytes_max)? {
                Some(length) if length <= bytes.len() => Ok(Some(bytes.split_to(length))),
                _ if bytes.is_empty() => Ok(None),
                _ => {
                    // Grows as bytes come, not as long as the packet claims to be.
                    self.rest = Some(Box::new(BytesMut::from(&bytes[..])));
                    bytes.clear();
                    Ok(None)
                }
            };
        };
        loop {
            let length = frame_length(rest, bytes_max)?;
            if let Some(length) = length
                && length <= rest.len()
            {
                let frame = rest.split_to(length).freeze();
                if rest.is_empty() {
                    self.rest = None;
                }
                return Ok(Some(frame));
            }
            if bytes.is_empty() {
                return Ok(None);
            }
            let wanted = length.map_or(1, |length| length - rest.len());
            rest.extend_from_slice(&bytes.split_to(wanted.min(bytes.len())));
        }
    }
}

/// What an acknowledgement is written down as.
fn record_of(packet: &Packet) -> Option<impl FnOnce(u32) -> Record + use<>> {
    let (record, packet_id): (fn(u32, u16) -> Record, u16) = match packet {
        Packet::PubAck(ack) | Packet::PubComp(ack) => (Record::Done, ack.packet_id),
        // [MQTT-4.4.0-2]
        Packet::PubRec(ack) if ack.reason.is_error() => (Record::Done, ack.packet_id),
        Packet::PubRec(ack) => (Record::Received, ack.packet_id),
        Packet::PubRel(ack) => (Record::Released, ack.packet_id),
        _ => return None,
    };
    Some(move |session| record(session, packet_id))
}

fn is_publish(frame: &[u8]) -> bool {
    frame[0] >> 4 == 3
}

fn is_connect(frame: &[u8]) -> bool {
    frame.first() == Some(&0x10)
}
