//! One lane: a thread with its connections and its [`Flow`]. Each turn it waits, takes its
//! letters, reads, lets the flow do its part, posts what concerns other lanes, and only then
//! writes: everything that one turn brought to a connection leaves in one write.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, ErrorKind, Read},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use mio::{Events, Poll, Token, Waker};
use parking_lot::{ArcMutexGuard, Mutex, RawMutex};
use quartet_fabric::mqtt::{Fault, Reason};
use quartet_model::{Event, EventId, Time};
use slotmap::{KeyData, SecondaryMap};

use super::{
    clock::Clock,
    connection::{Connection, Written, retry},
    control::{Call, OpenStream, StreamItem, Told},
    journal::Desk,
    letterbox::{Letter, LetterBox},
};
use crate::flow::{ConnKey, Flow, Out, Peer, Read as Taken, StreamKey, Why};

/// Read in one go from one connection; the others have their turn in between.
const READ_BYTES: usize = 32 * 1024;
/// The buffer that reads share.
const BUFFER_BYTES: usize = 4 * READ_BYTES;
/// Connections that are read before what came is written.
const READS_MAX: usize = 256;
/// While another lane has so many letters, nothing is read that could add to them.
const LETTERS_MAX: usize = 4096;
/// What is looked after now and then: slow clients, streams.
const ROUND: Duration = Duration::from_millis(200);
/// How long a client has to read why it is disconnected.
const LINGER: Duration = Duration::from_secs(1);
/// How long clients have to read the last words of a hub that goes down.
const DRAIN: Duration = Duration::from_secs(3);
const WAKE: Token = Token(usize::MAX);

/// A lane. It is made on its own thread.
pub(super) struct Lane {
    poll: Poll,
    /// Let go while there is nothing to do, so that others may look at it.
    flow: ArcMutexGuard<RawMutex, Flow>,
    clock: Clock,
    boxes: Vec<Arc<LetterBox>>,
    own: usize,
    connections: SecondaryMap<ConnKey, Connection>,
    ready: VecDeque<ConnKey>,
    blocked: Vec<ConnKey>,
    /// To be written although the flow has nothing new: the socket takes more again, or a
    /// layer has something to say.
    to_write: Vec<ConnKey>,
    paused: Vec<(Time, ConnKey)>,
    lingering: Vec<ConnKey>,
    streams: HashMap<StreamKey, tokio::sync::mpsc::Sender<StreamItem>>,
    desk: Desk,
    /// Calls of the API that wait for their messages to be safe.
    calls: HashMap<u64, (EventId, tokio::sync::oneshot::Sender<Result<Told, Fault>>)>,
    calls_made: u64,
    buffer: BytesMut,
    /// Letters that are taken out of the box and not yet read.
    letters: VecDeque<Letter>,
    arrived: Vec<Letter>,
    /// Connections that were handed over, and whose first bytes are still to be taken.
    handed_over: Vec<ConnKey>,
    posts: Vec<Vec<Letter>>,
    /// Until when last words are written, once the hub goes down.
    drains_until: Option<Time>,
    round_at: Time,
    open: Arc<super::door::OpenConnections>,
}

/// The part of a lane that others need before it runs.
pub(super) fn prepare() -> io::Result<(Poll, LetterBox)> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKE)?;
    Ok((poll, LetterBox::new(waker)))
}

impl Lane {
    pub(super) fn new(
        poll: Poll,
        flow: &Arc<Mutex<Flow>>,
        clock: Clock,
        boxes: Vec<Arc<LetterBox>>,
        own: usize,
        open: Arc<super::door::OpenConnections>,
        desk: Desk,
    ) -> Self {
        let posts = boxes.iter().map(|_| Vec::new()).collect();
        Self {
            poll,
            flow: flow.lock_arc(),
            clock,
            boxes,
            own,
            connections: SecondaryMap::new(),
            ready: VecDeque::new(),
            blocked: Vec::new(),
            to_write: Vec::new(),
            paused: Vec::new(),
            lingering: Vec::new(),
            streams: HashMap::new(),
            desk,
            calls: HashMap::new(),
            calls_made: 0,
            buffer: BytesMut::new(),
            letters: VecDeque::new(),
            arrived: Vec::new(),
            handed_over: Vec::new(),
            posts,
            drains_until: None,
            round_at: Time::ZERO,
            open,
        }
    }

    /// Works until everything is shut down.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        self.flow.be_host(self.clock.now());
        while !(self.drains_until.is_some() && self.connections.is_empty() && self.is_safe()) {
            self.turn(&mut events);
        }
    }

    /// Whether all that was written down is safe, or never will be.
    fn is_safe(&self) -> bool {
        self.flow.is_settled() || self.desk.has_failed()
    }

    /// One turn: wait, take, read, write down, post, write, close.
    fn turn(&mut self, events: &mut Events) {
        self.wait(events);
        self.flow.begin_turn();
        self.flow.set_room(self.desk.room_bytes());
        let now = self.clock.now();
        let handed_over = std::mem::take(&mut self.handed_over);
        self.take_some_letters(now);
        if self.letters.is_empty() {
            self.read_ready(now);
        }
        self.read_handed_over(handed_over, now);
        if self.flow.wake_at() <= now {
            self.flow.wake(now);
        }
        if self.round_at <= now {
            self.look_round(now);
        }
        self.resume();
        self.flow.step_round();
        self.write_down();
        self.desk.note(self.flow.out());
        self.post();
        self.answer_calls();
        self.write_dirty(now);
        self.close_closed(now);
    }

    fn wait(&mut self, events: &mut Events) {
        let now = self.clock.now();
        let out = self.flow.out();
        // Writing and closing can lead to mail and to more to write.
        let has_out = !out.dirty.is_empty() || !out.closed.is_empty() || out.has_mail();
        let has_in = !self.letters.is_empty() || !self.handed_over.is_empty();
        // What is read could not be kept before more is safe.
        let has_ready = !self.ready.is_empty() && !self.flow.awaits_journal();
        let is_busy = has_ready || has_in || has_out || self.flow.has_round_to_go();
        let mut timeout = Duration::ZERO;
        if !is_busy && self.boxes[self.own].fall_asleep() {
            let until = self.flow.wake_at().min(self.round_at);
            timeout = until.since(now).min(Duration::from_secs(1));
            if timeout < Duration::from_millis(1) && now < until {
                timeout = Duration::from_millis(1); // epoll counts in milliseconds
            }
        }
        let poll = &mut self.poll;
        let polled = match timeout.is_zero() {
            true => poll.poll(events, Some(timeout)),
            false => ArcMutexGuard::unlocked(&mut self.flow, || poll.poll(events, Some(timeout))),
        };
        if let Err(error) = polled
            && error.kind() != ErrorKind::Interrupted
        {
            tracing::error!(%error, "cannot wait for sockets");
        }
        self.boxes[self.own].wake_up();
        for event in events.iter().filter(|event| event.token() != WAKE) {
            let key = ConnKey::from(KeyData::from_ffi(event.token().0 as u64));
            let Some(connection) = self.connections.get_mut(key) else {
                continue;
            };
            connection.is_read_closed |= event.is_read_closed() || event.is_error();
            if event.is_readable() || connection.is_read_closed {
                mark_ready(connection, key, &mut self.ready);
            }
            if event.is_writable() && connection.blocked_since.is_some() {
                self.to_write.push(key);
            }
        }
    }

    /// Takes letters until enough is done for one turn.
    fn take_some_letters(&mut self, now: Time) {
        self.empty_box();
        while !self.flow.is_tired()
            && let Some(letter) = self.letters.pop_front()
        {
            self.take(letter, now);
        }
    }

    /// Takes all letters, however many.
    fn take_all_letters(&mut self, now: Time) {
        self.empty_box();
        while let Some(letter) = self.letters.pop_front() {
            self.take(letter, now);
        }
    }

    fn empty_box(&mut self) {
        let box_ = &self.boxes[self.own];
        if box_.has_letters() {
            box_.take(&mut self.arrived);
            self.letters.extend(self.arrived.drain(..));
        }
    }

    fn take(&mut self, letter: Letter, now: Time) {
        match letter {
            Letter::Mail(mail) => self.flow.receive(mail, now),
            Letter::Enter(connection, peer) => self.adopt(*connection, peer, Bytes::new(), now),
            Letter::Adopt(connection, peer, bytes) => self.adopt(*connection, peer, bytes, now),
            Letter::Do(act) => act(&mut self.flow, now),
            Letter::Committed(ticket) => self.flow.committed(ticket, now),
            Letter::Fetched(client, found) => self.flow.fetched(client, found, now),
            Letter::Say(call) => self.say(*call, now),
            Letter::OpenStream(open) => self.open_stream(open, now),
            Letter::ShutDown => {
                self.drains_until = Some(now.after(DRAIN));
                self.flow.shut_down(now);
            }
        }
    }

    fn adopt(&mut self, mut connection: Connection, peer: Peer, bytes: Bytes, now: Time) {
        let key = self.flow.open(peer, now);
        connection.is_ready = false;
        let layers = connection.layers.as_ref();
        if let Some(shown) = layers.and_then(|layers| layers.shown.clone()) {
            self.flow.show(key, shown);
        }
        if let Err(error) = connection.register(self.poll.registry(), key) {
            tracing::warn!(%error, "cannot watch a socket; it is closed");
            self.open.one_less();
            return self.flow.forget(key);
        }
        if !bytes.is_empty() {
            connection.is_behind = true;
            self.flow.hold(key, &bytes);
            self.handed_over.push(key);
        }
        self.connections.insert(key, connection);
        if self.drains_until.is_some() {
            self.flow.close(key, Why::Shutdown, now); // It was on its way.
        }
    }

    /// Goes on with connections that were handed over, once those that had something to say
    /// before them were read: a client that says goodbye and is back at once over another
    /// socket is not taken for one that was lost.
    fn read_handed_over(&mut self, keys: Vec<ConnKey>, now: Time) {
        for key in keys {
            let Some(connection) = self.connections.get_mut(key) else {
                continue;
            };
            if connection.has_ended {
                mark_ready(connection, key, &mut self.ready);
            }
            if std::mem::take(&mut connection.is_behind) {
                self.go_on(key, now);
            }
        }
    }

    /// Reads the connections that have something, a part of them each turn.
    fn read_ready(&mut self, now: Time) {
        let others_are_full = self
            .boxes
            .iter()
            .enumerate()
            .any(|(lane, box_)| lane != self.own && LETTERS_MAX < box_.len());
        if others_are_full {
            return; // They must catch up; meanwhile the senders' sockets fill.
        }
        for _ in 0..self.ready.len().min(READS_MAX) {
            if self.flow.is_tired() || self.flow.awaits_journal() {
                break;
            }
            if let Some(key) = self.ready.pop_front() {
                self.read(key, now);
            }
        }
    }

    /// One read from one connection: from the socket to the flow.
    fn read(&mut self, key: ConnKey, now: Time) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        connection.is_ready = false;
        if connection.is_closing {
            return self.read_off(key);
        }
        if connection.is_paused {
            return;
        }
        if std::mem::take(&mut connection.is_behind) {
            mark_ready(connection, key, &mut self.ready);
            return self.go_on(key, now);
        }
        if connection.has_ended {
            return self.flow.close(key, Why::Lost, now);
        }
        if self.buffer.len() < READ_BYTES {
            self.buffer.resize(BUFFER_BYTES, 0);
        }
        let socket = &mut connection.socket;
        let room = &mut self.buffer[..READ_BYTES];
        let length = match retry(|| socket.read(room)) {
            Ok(0) => return self.flow.close(key, Why::Lost, now),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => return self.flow.close(key, Why::Lost, now),
        };
        // A short read empties the socket: news of more will come. Unless the end is there, too.
        if length == READ_BYTES || connection.is_read_closed {
            mark_ready(connection, key, &mut self.ready);
        }
        let bytes = self.buffer.split_to(length).freeze();
        // Whatever led to these bytes is in the letter box by now (see `Mail`).
        self.take_all_letters(now);
        let bytes = self.unwrap(key, bytes);
        if !bytes.is_empty() {
            let taken = self.flow.read(key, bytes, now);
            self.settle_read(key, taken);
        }
    }

    /// Goes on with what a connection has said already.
    fn go_on(&mut self, key: ConnKey, now: Time) {
        let taken = self.flow.read(key, Bytes::new(), now);
        self.settle_read(key, taken);
    }

    /// Reads what nobody wants any more from a client that has time to read its last words.
    fn read_off(&mut self, key: ConnKey) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if connection.lingers_until.is_none() {
            return; // It is still written to.
        }
        let socket = &mut connection.socket;
        match retry(|| socket.read(&mut [0; READ_BYTES])) {
            Ok(length) if 0 < length => mark_ready(connection, key, &mut self.ready),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            _ => self.drop_connection(key),
        }
    }

    /// Takes bytes through the layers between the socket and MQTT. A layer that ends the
    /// connection ends it only after what came before: a client that says DISCONNECT and closes
    /// its web socket in one breath has left, and is not lost.
    fn unwrap(&mut self, key: ConnKey, bytes: Bytes) -> Bytes {
        let Some(connection) = self.connections.get_mut(key) else {
            return Bytes::new();
        };
        let Some(layers) = &mut connection.layers else {
            return bytes;
        };
        let awaited_proxy = layers.awaits_proxy();
        let had_shown = layers.shown.is_some();
        let mut data = Vec::new();
        let read = layers.read(&bytes, &mut data);
        if layers.has_outgoing() {
            self.to_write.push(key);
        }
        let mut peer = connection.peer;
        peer.is_certified = layers.is_certified;
        if awaited_proxy && !layers.awaits_proxy() {
            peer.ip = layers.client.map(|client| client.ip().to_canonical());
            peer.is_local = peer.ip.is_some_and(|ip| ip.is_loopback());
        }
        if peer != connection.peer {
            connection.peer = peer;
            self.flow.set_peer(key, peer);
        }
        if let Some(shown) = layers.shown.as_ref().filter(|_| !had_shown) {
            self.flow.show(key, shown.clone());
        }
        if let Err(why) = read {
            tracing::debug!(%why, "a layer ends the connection");
            connection.has_ended = true;
            mark_ready(connection, key, &mut self.ready);
        }
        data.into()
    }

    /// What was not taken comes later, or goes to another lane.
    fn settle_read(&mut self, key: ConnKey, taken: Taken) {
        match taken {
            Taken::All => {}
            Taken::Later => {
                if let Some(connection) = self.connections.get_mut(key) {
                    connection.is_behind = true;
                    mark_ready(connection, key, &mut self.ready);
                }
            }
            Taken::HandOver(lane, bytes) => return self.hand_over(key, lane, bytes),
        }
        let out = self.flow.out();
        for (key, until) in out.paused.drain(..) {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.is_paused = true;
                if until != Time::NEVER {
                    self.paused.push((until, key));
                    self.round_at = self.round_at.min(until);
                }
            }
        }
    }

    /// Gives a connection to the lane that it belongs to.
    fn hand_over(&mut self, key: ConnKey, lane: u8, bytes: Bytes) {
        self.flow.forget(key);
        let Some(mut connection) = self.connections.remove(key) else {
            return;
        };
        if let Err(error) = connection.deregister(self.poll.registry()) {
            tracing::warn!(%error, "cannot hand a connection to its lane; it is closed");
            return self.open.one_less();
        }
        let peer = connection.peer;
        let letter = Letter::Adopt(Box::new(connection), peer, bytes);
        self.posts[usize::from(lane)].push(letter);
    }

    /// Goes on with connections that waited for the journal.
    fn resume(&mut self) {
        for key in std::mem::take(&mut self.flow.out().resumed) {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.is_paused = false;
                connection.is_behind = true;
                mark_ready(connection, key, &mut self.ready);
            }
        }
    }

    /// Somebody says something through the API.
    fn say(&mut self, call: Call, now: Time) {
        let Call {
            who,
            prepare,
            answer,
        } = call;
        let Some(said) = prepare(&mut self.flow, now) else {
            return;
        };
        self.calls_made += 1;
        match self.flow.say(who, said, self.calls_made, now) {
            Ok(id) => {
                self.calls.insert(self.calls_made, (id, answer));
            }
            Err(fault) => {
                // Whoever asked may have gone.
                let _ = answer.send(Err(fault));
            }
        }
    }

    /// Hands what the turn wrote down to the journal, and asks for what is needed from there.
    fn write_down(&mut self) {
        let own = &self.boxes[self.own];
        if let Some((ticket, written)) = self.flow.take_written() {
            self.desk.append(ticket, written, own);
        }
        for fetch in self.flow.take_fetches() {
            self.desk.fetch(fetch, own);
        }
    }

    /// Tells callers of the API what is safe. Like all answers after the mail: whatever they ask next
    /// finds every lane in the state that the answer promised.
    fn answer_calls(&mut self) {
        for (call, has_receivers) in self.flow.take_said() {
            if let Some((id, answer)) = self.calls.remove(&call) {
                // Whoever asked may have gone.
                let _ = answer.send(Ok(Told { id, has_receivers }));
            }
        }
    }

    /// Posts what concerns other lanes, before anything is written.
    fn post(&mut self) {
        let Out {
            mail, mail_last, ..
        } = self.flow.out();
        for mail in [mail, mail_last] {
            for (lane, mail) in mail.drain(..) {
                self.posts[usize::from(lane)].push(Letter::Mail(mail));
            }
            for (lane, letters) in self.posts.iter_mut().enumerate() {
                self.boxes[lane].post_all(letters);
            }
        }
        if !self.flow.out().streams.is_empty() {
            self.pass_to_streams();
        }
    }

    /// Writes what the turn brought to each connection.
    fn write_dirty(&mut self, now: Time) {
        let mut sent = 0;
        let mut dirty = std::mem::take(&mut self.flow.out().dirty);
        dirty.append(&mut self.to_write);
        for key in dirty.drain(..) {
            self.write(key, now, &mut sent);
        }
        self.flow.count_sent(sent);
        // Whoever got room meanwhile is written in the next turn.
        let out = self.flow.out();
        if out.dirty.is_empty() {
            out.dirty = dirty; // for its memory
        }
    }

    fn write(&mut self, key: ConnKey, now: Time, sent: &mut u64) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let Some(outbox) = self.flow.writing(key) else {
            return;
        };
        match connection.write(outbox, sent) {
            Written::All if connection.is_closing => self.finish(key, now),
            Written::All => {
                connection.blocked_since = None;
                self.flow.drained(key, now);
            }
            Written::Blocked(moved) => {
                if connection.blocked_since.is_none() {
                    self.blocked.push(key);
                }
                if moved || connection.blocked_since.is_none() {
                    connection.blocked_since = Some(now);
                }
            }
            Written::Broken if connection.is_closing => self.drop_connection(key),
            Written::Broken => self.flow.close(key, Why::Lost, now),
        }
    }

    /// Closes what is to be closed, once its last words are written.
    fn close_closed(&mut self, now: Time) {
        let closed = std::mem::take(&mut self.flow.out().closed);
        for (key, why) in closed {
            let Some(connection) = self.connections.get_mut(key) else {
                self.flow.forget(key);
                continue;
            };
            tracing::debug!(%why, "connection closed");
            if matches!(why, Why::Lost | Why::Slow) && connection.layers.is_none() {
                self.drop_connection(key); // Nobody reads last words.
                continue;
            }
            if let (Some(layers), Some(outbox)) = (&mut connection.layers, self.flow.outbox(key)) {
                layers.close(outbox);
            }
            connection.is_closing = true;
            connection.has_last_words = !matches!(why, Why::Left | Why::Lost | Why::NeverConnected);
            let mut sent = 0;
            self.write(key, now, &mut sent);
            self.flow.count_sent(sent);
        }
    }

    /// Everything is written. A socket that is closed while something unread waits in it takes
    /// back what was written: read on for a while, until the client has closed, too.
    fn finish(&mut self, key: ConnKey, now: Time) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if connection.lingers_until.is_some() {
            return;
        }
        if !connection.has_last_words || connection.end().is_err() {
            return self.drop_connection(key);
        }
        connection.lingers_until = Some(now.after(LINGER));
        connection.blocked_since = None;
        self.lingering.push(key);
        mark_ready(connection, key, &mut self.ready);
    }

    fn drop_connection(&mut self, key: ConnKey) {
        if let Some(mut connection) = self.connections.remove(key) {
            // Dropping the socket would do; this keeps the poll's books in order.
            let _ = connection.deregister(self.poll.registry());
            self.open.one_less();
        }
        self.flow.forget(key);
    }

    /// Looks after what needs it now and then.
    fn look_round(&mut self, now: Time) {
        self.round_at = now.after(ROUND);
        if self.drains_until.is_some_and(|until| until <= now) {
            for key in self.connections.keys().collect::<Vec<_>>() {
                self.drop_connection(key); // It had its time.
            }
        }
        let lingering = std::mem::take(&mut self.lingering);
        for key in lingering {
            match self.connections.get(key).and_then(|it| it.lingers_until) {
                None => {}
                Some(until) if until <= now => self.drop_connection(key),
                Some(_) => self.lingering.push(key),
            }
        }
        let slow_consumer = Duration::from_secs(self.flow.limits().slow_consumer_s.into());
        let blocked = std::mem::take(&mut self.blocked);
        for key in blocked {
            let Some(connection) = self.connections.get(key) else {
                continue;
            };
            match connection.blocked_since {
                None => {}
                Some(since) if slow_consumer <= now.since(since) => {
                    if connection.is_closing {
                        self.drop_connection(key);
                    } else {
                        self.flow
                            .dismiss(key, Reason::QuotaExceeded, Why::Slow, now);
                    }
                }
                Some(_) => self.blocked.push(key),
            }
        }
        let mut paused = std::mem::take(&mut self.paused);
        paused.retain(|&(until, key)| {
            if now < until {
                self.round_at = self.round_at.min(until);
                return true;
            }
            if let Some(connection) = self.connections.get_mut(key) {
                connection.is_paused = false;
                mark_ready(connection, key, &mut self.ready);
                self.go_on(key, now);
            }
            false
        });
        self.paused.append(&mut paused);
        self.look_after_streams(now);
    }

    fn open_stream(&mut self, open: OpenStream, now: Time) {
        let OpenStream {
            who,
            filters,
            items,
            answer,
        } = open;
        let credit = items.capacity();
        let opened = self.flow.open_stream(who, &filters, credit, now);
        let opened = opened.map(|key| {
            self.streams.insert(key, items);
        });
        // Nobody waits for the answer any more? Then the next round closes the stream.
        let _ = answer.send(opened);
    }

    fn pass_to_streams(&mut self) {
        let events: Vec<(StreamKey, Arc<Event>)> = self.flow.out().streams.drain(..).collect();
        for (key, event) in events {
            if let Some(items) = self.streams.get(&key) {
                // The flow counts credit, so there is room, or nobody reads any more.
                let _ = items.try_send(StreamItem::Event(event));
            }
        }
    }

    fn look_after_streams(&mut self, now: Time) {
        let flow = &mut self.flow;
        self.streams.retain(|&key, items| {
            if items.is_closed() || !flow.has_stream(key) {
                flow.close_stream(key);
                return false;
            }
            // One place is kept to tell what was missed.
            let missed = flow.credit(key, items.capacity().saturating_sub(1), now);
            if 0 < missed {
                let _ = items.try_send(StreamItem::Missed(missed));
            }
            true
        });
    }
}

fn mark_ready(connection: &mut Connection, key: ConnKey, ready: &mut VecDeque<ConnKey>) {
    if !connection.is_ready {
        connection.is_ready = true;
        ready.push_back(key);
    }
}
