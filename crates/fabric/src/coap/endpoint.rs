use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
};

use quartet_model::Time;

use super::{
    limits::{HELD_BYTES_MAX, OBSERVERS_ALL_MAX, PEERS_MAX},
    message::{Request, Response},
    observer::Kept,
    peer::{Peer, Turn},
    random::Random,
};

/// A request that is to be answered by [`Endpoint::answer`].
#[derive(Debug)]
pub struct Asked {
    /// Names it.
    pub exchange: Exchange,
    /// What is wanted.
    pub request: Box<Request>,
}

/// Names a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Exchange {
    peer: SocketAddr,
    serial: u64,
}

/// Names somebody who observes something.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Observation {
    peer: SocketAddr,
    serial: u64,
}

/// The server's half of CoAP, for all peers.
///
/// After each call that takes a time, [`Endpoint::outgoing`] and [`Endpoint::ended`] have what it
/// brought; [`Endpoint::tick`] is to be called at [`Endpoint::next_at`].
#[derive(Debug)]
pub struct Endpoint {
    peers: HashMap<SocketAddr, Peer>,
    /// When each peer is to be looked at.
    wakes: BTreeSet<(Time, SocketAddr)>,
    held: usize,
    observers: usize,
    serial: u64,
    random: Random,
    out: Vec<(SocketAddr, Vec<u8>)>,
    ended: Vec<Observation>,
}

impl Endpoint {
    /// One without peers. Nobody else may know the seed.
    pub fn new(seed: u64) -> Self {
        Self {
            peers: HashMap::new(),
            wakes: BTreeSet::new(),
            held: 0,
            observers: 0,
            serial: 0,
            random: Random(seed),
            out: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// Takes a datagram. Gives a request if somebody is to answer it.
    pub fn read(&mut self, from: SocketAddr, bytes: &[u8], now: Time) -> Option<Asked> {
        if !self.peers.contains_key(&from) {
            if self.peers.len() == PEERS_MAX && !self.make_room() {
                return None; // All are busy; whoever comes now tries again.
            }
            let peer = Peer::new(self.random.next() as u16, now);
            self.wakes.insert((peer.next_at(), from));
            self.peers.insert(from, peer);
        }
        let (serial, request) = self.turn(from, now, |peer, turn| peer.read(bytes, turn))??;
        let exchange = Exchange { peer: from, serial };
        Some(Asked { exchange, request })
    }

    /// Answers a request. With `observed` whoever asked for it is told of changes from now on, if
    /// there are not too many; then [`Endpoint::notify`] is to be called for each.
    pub fn answer(
        &mut self,
        exchange: Exchange,
        response: Response,
        observed: Option<Kept>,
        now: Time,
    ) -> Option<Observation> {
        let Exchange { peer, serial } = exchange;
        let serial = self.turn(peer, now, |peer, turn| {
            peer.answer(serial, response, observed, turn)
        })??;
        Some(Observation { peer, serial })
    }

    /// Tells an observer; what is no success ends the observation. Says whether it is there.
    pub fn notify(&mut self, whom: Observation, response: Response, now: Time) -> bool {
        let notify =
            |peer: &mut Peer, turn: &mut Turn<'_>| peer.notify(whom.serial, response, turn);
        self.turn(whom.peer, now, notify).unwrap_or(false)
    }

    /// When [`Endpoint::tick`] is to be called, unless something else comes first.
    pub fn next_at(&self) -> Option<Time> {
        let (at, _) = self.wakes.first()?;
        (*at != Time::NEVER).then_some(*at)
    }

    /// Does what time has come for.
    pub fn tick(&mut self, now: Time) {
        while let Some(&(at, peer)) = self.wakes.first()
            && at <= now
        {
            let is_kept = self.turn(peer, now, Peer::tick);
            if is_kept == Some(false) {
                self.drop_peer(peer);
            }
        }
    }

    /// Datagrams to be sent.
    pub fn outgoing(&mut self) -> impl Iterator<Item = (SocketAddr, Vec<u8>)> {
        self.out.drain(..)
    }

    /// Observers that do not want to hear, or cannot be reached.
    pub fn ended(&mut self) -> impl Iterator<Item = Observation> {
        self.ended.drain(..)
    }

    /// Bytes of long requests and answers that are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// One step of a peer, and what follows from it for all.
    fn turn<R>(
        &mut self,
        at: SocketAddr,
        now: Time,
        step: impl FnOnce(&mut Peer, &mut Turn<'_>) -> R,
    ) -> Option<R> {
        let peer = self.peers.get_mut(&at)?;
        self.wakes.remove(&(peer.next_at(), at));
        self.held -= peer.held();
        self.observers -= peer.observers();
        let (mut out, mut ended) = (Vec::new(), Vec::new());
        let mut turn = Turn {
            now,
            room: HELD_BYTES_MAX.saturating_sub(self.held),
            may_observe: self.observers + peer.observers() < OBSERVERS_ALL_MAX,
            serial: &mut self.serial,
            random: &mut self.random,
            out: &mut out,
            ended: &mut ended,
        };
        let result = step(peer, &mut turn);
        self.held += peer.held();
        self.observers += peer.observers();
        self.wakes.insert((peer.next_at(), at));
        self.out.extend(out.into_iter().map(|bytes| (at, bytes)));
        let ended = ended.into_iter();
        self.ended
            .extend(ended.map(|serial| Observation { peer: at, serial }));
        Some(result)
    }

    /// Forgets the peer that was not heard for the longest time, if it wants nothing.
    fn make_room(&mut self) -> bool {
        let idle = self.peers.iter().filter(|(_, peer)| !peer.is_busy());
        let oldest = idle.min_by_key(|(at, peer)| (peer.heard_at, **at));
        let oldest = oldest.map(|(at, _)| *at);
        oldest.map(|at| self.drop_peer(at)).is_some()
    }

    fn drop_peer(&mut self, at: SocketAddr) {
        if let Some(peer) = self.peers.remove(&at) {
            self.wakes.remove(&(peer.next_at(), at));
            self.held -= peer.held();
            self.observers -= peer.observers();
        }
    }
}
