//! One lane, as the hub's shell drives it: take the letters, read, post, write. Each of these
//! is a step, and between two steps other lanes may take theirs, as threads do.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use quartet_hub::flow::{ClientKey, ConnKey, Flow, Mail, Read, Why};
use quartet_model::Time;

use crate::{
    Chance,
    journal::{Found, Journal},
    socket::{Socket, SocketId},
};

/// What lanes find in their letter boxes.
pub(crate) enum Letter {
    Mail(Mail),
    /// A new connection, or one that another lane hands over with what it read.
    Adopt(SocketId, Bytes),
    /// What has this ticket is safe.
    Committed(u64),
    /// Messages that were fetched from the journal.
    Fetched(ClientKey, Found),
}

/// What the lane does next.
enum Step {
    Take,
    /// Puts letters into the boxes of other lanes, one lane after the other.
    Post,
    Write,
}

pub(crate) struct Lane {
    pub(crate) flow: Flow,
    pub(crate) letters: VecDeque<Letter>,
    posts: BTreeMap<usize, Vec<Letter>>,
    step: Step,
    connections: BTreeMap<ConnKey, SocketId>,
    paused: Vec<(ConnKey, Time)>,
    /// Connections whose clients do not read.
    blocked: Vec<ConnKey>,
}

impl Lane {
    pub(crate) fn new(flow: Flow) -> Self {
        Self {
            flow,
            letters: VecDeque::new(),
            posts: BTreeMap::new(),
            step: Step::Post,
            connections: BTreeMap::new(),
            paused: Vec::new(),
            blocked: Vec::new(),
        }
    }

    /// The flow did something by itself: post it before anything else.
    pub(crate) fn post_soon(&mut self) {
        self.step = Step::Post;
    }

    /// When it has something to do, if nothing happens before.
    pub(crate) fn wake_at(&self) -> Time {
        let paused = self.paused.iter().map(|&(_, until)| until).min();
        self.flow.wake_at().min(paused.unwrap_or(Time::NEVER))
    }

    /// Hands what is written down to the journal; gets what it asked for.
    pub(crate) fn keep(&mut self, own: usize, journal: &mut Journal) {
        if let Some((ticket, written)) = self.flow.take_written() {
            journal.write(own, ticket, written);
        }
        for fetch in self.flow.take_fetches() {
            let found = journal.fetch(&fetch);
            self.letters.push_back(Letter::Fetched(fetch.client, found));
        }
    }

    pub(crate) fn has_work(&mut self, sockets: &[Socket], now: Time) -> bool {
        !matches!(self.step, Step::Take)
            || !self.letters.is_empty()
            || self.wake_at() <= now
            || !self.ready(sockets).is_empty()
            || !self.flow.out().dirty.is_empty()
            || !self.flow.out().closed.is_empty()
            || self.flow.out().has_mail()
            || self.has_unblocked(sockets)
    }

    fn ready(&self, sockets: &[Socket]) -> Vec<ConnKey> {
        let is_ready = |&(_, &socket): &(&ConnKey, &SocketId)| sockets[socket].is_ready();
        let connections = self.connections.iter().filter(is_ready);
        connections.map(|(&key, _)| key).collect()
    }

    fn has_unblocked(&self, sockets: &[Socket]) -> bool {
        let room = |key| {
            self.connections
                .get(key)
                .map(|&socket| sockets[socket].room)
        };
        self.blocked.iter().filter_map(room).any(|room| 0 < room)
    }

    /// Takes one step. Gives a letter for another lane if that step posted one.
    pub(crate) fn step(
        &mut self,
        sockets: &mut [Socket],
        chance: &mut Chance,
        now: Time,
    ) -> Option<(usize, Vec<Letter>)> {
        match self.step {
            Step::Take => {
                self.take(sockets, now);
                if let ready @ [_, ..] = &*self.ready(sockets) {
                    self.read(*chance.pick(ready), sockets, chance, now);
                }
                self.step = Step::Post;
                None
            }
            Step::Post => {
                self.collect_posts();
                let lanes: Vec<usize> = self.posts.keys().copied().collect();
                let Some(lane) = lanes.get(chance.below(lanes.len())) else {
                    self.step = Step::Write;
                    return None;
                };
                let letters = self.posts.remove(lane)?;
                Some((*lane, letters))
            }
            Step::Write => {
                self.write_dirty(sockets, now);
                self.close_closed(sockets);
                self.step = Step::Take;
                None
            }
        }
    }

    /// What is to be posted last is, once all else was.
    fn collect_posts(&mut self) {
        let out = self.flow.out();
        let mut mail = std::mem::take(&mut out.mail);
        if mail.is_empty() && self.posts.is_empty() {
            mail = std::mem::take(&mut out.mail_last);
        }
        for (lane, mail) in mail {
            let post = self.posts.entry(usize::from(lane)).or_default();
            post.push(Letter::Mail(mail));
        }
    }

    fn take(&mut self, sockets: &mut [Socket], now: Time) {
        for letter in std::mem::take(&mut self.letters) {
            match letter {
                Letter::Mail(mail) => self.flow.receive(mail, now),
                Letter::Committed(ticket) => self.flow.committed(ticket, now),
                Letter::Fetched(client, found) => self.flow.fetched(client, found, now),
                Letter::Adopt(socket, bytes) => {
                    let key = self.flow.open(sockets[socket].peer, now);
                    self.connections.insert(key, socket);
                    if !bytes.is_empty() {
                        self.hand_on(key, bytes, sockets, now);
                    }
                }
            }
        }
        if self.flow.wake_at() <= now {
            self.flow.wake(now);
        }
        for key in std::mem::take(&mut self.flow.out().resumed) {
            self.paused.retain(|&(paused, _)| paused != key);
            self.paused.push((key, now));
        }
        let paused = std::mem::take(&mut self.paused).into_iter();
        let (due, later): (Vec<_>, Vec<_>) = paused.partition(|&(_, until)| until <= now);
        self.paused = later;
        for (key, _) in due {
            if let Some(&socket) = self.connections.get(&key) {
                sockets[socket].is_paused = false;
                self.hand_on(key, Bytes::new(), sockets, now);
            }
        }
    }

    fn read(&mut self, key: ConnKey, sockets: &mut [Socket], chance: &mut Chance, now: Time) {
        match sockets[self.connections[&key]].read(chance) {
            Some(bytes) => self.hand_on(key, bytes, sockets, now),
            None => self.flow.close(key, Why::Lost, now),
        }
    }

    fn hand_on(&mut self, key: ConnKey, bytes: Bytes, sockets: &mut [Socket], now: Time) {
        if let Read::HandOver(lane, bytes) = self.flow.read(key, bytes, now) {
            self.flow.forget(key);
            if let Some(socket) = self.connections.remove(&key) {
                let post = self.posts.entry(usize::from(lane)).or_default();
                post.push(Letter::Adopt(socket, bytes));
            }
        }
        for (key, until) in std::mem::take(&mut self.flow.out().paused) {
            if let Some(&socket) = self.connections.get(&key) {
                sockets[socket].is_paused = true;
                self.paused.push((key, until));
            }
        }
    }

    fn write_dirty(&mut self, sockets: &mut [Socket], now: Time) {
        let mut dirty = std::mem::take(&mut self.flow.out().dirty);
        dirty.append(&mut self.blocked);
        for key in dirty {
            let Some(&socket) = self.connections.get(&key) else {
                continue;
            };
            let Some(outbox) = self.flow.writing(key) else {
                continue;
            };
            if sockets[socket].write(outbox) {
                self.flow.drained(key, now);
            } else {
                self.blocked.push(key);
            }
        }
    }

    fn close_closed(&mut self, sockets: &mut [Socket]) {
        for (key, _) in std::mem::take(&mut self.flow.out().closed) {
            if let Some(socket) = self.connections.remove(&key) {
                if let Some(outbox) = self.flow.outbox(key) {
                    sockets[socket].write(outbox);
                }
                sockets[socket].is_closed = true;
            }
            self.flow.forget(key);
        }
    }
}
