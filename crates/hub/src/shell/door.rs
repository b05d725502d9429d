//! Where connections come in. One thread accepts on all listeners, turns away who comes too
//! often, and gives each connection to a lane. Its own lane is found when it says who it is.

use std::{
    collections::HashMap,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use mio::{
    Events, Interest, Poll, Token, Waker,
    net::{TcpListener, UnixListener},
};
use quartet_model::Time;

use super::{
    clock::Clock,
    connection::{Connection, Socket},
    layers::{Layers, MayComeFrom},
    letterbox::{Letter, LetterBox},
    tls::Certificates,
};
use crate::{
    config::{At, Limits, Listener, Scheme},
    flow::Peer,
};

const WAKE: Token = Token(usize::MAX);
/// Connections that a lane is given at a time, so that it begins while more come in.
const BATCH: usize = 16;
/// Addresses whose rate is remembered at most; beyond that the oldest are forgotten.
const ADDRESSES_MAX: usize = 100_000;

/// How many connections are open, and how many may be.
pub(super) struct OpenConnections {
    count: AtomicUsize,
    max: AtomicUsize,
}

impl OpenConnections {
    pub(super) fn new(max: usize) -> Self {
        Self {
            count: AtomicUsize::new(0),
            max: AtomicUsize::new(max),
        }
    }

    /// A new limit; those that are there stay.
    pub(super) fn set_max(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    fn one_more(&self) -> bool {
        if self.max.load(Ordering::Relaxed) <= self.count.fetch_add(1, Ordering::Relaxed) {
            self.one_less();
            return false;
        }
        true
    }

    pub(super) fn one_less(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// A listener that is bound.
pub(super) struct Bound {
    socket: Listening,
    listener: Listener,
}

impl Bound {
    pub(super) fn bind(listener: &Listener) -> io::Result<Self> {
        let socket = match &listener.at {
            At::Tcp(address) => Listening::Tcp(bind_tcp(*address)?),
            At::Unix(path) => Listening::Unix(bind_unix(path)?, path.clone()),
            At::Udp(_) => return Err(io::Error::other("there are no connections over UDP")),
        };
        Ok(Self {
            socket,
            listener: listener.clone(),
        })
    }

    /// The listener with the port that was picked, if any might be.
    pub(super) fn listener(&self) -> Listener {
        let mut listener = self.listener.clone();
        if let Listening::Tcp(socket) = &self.socket
            && let Ok(address) = socket.local_addr()
        {
            listener.at = At::Tcp(address);
        }
        listener
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Writes are whole already. What is accepted inherits it.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    // A connection storm waits in the queue rather than being sent away.
    socket.listen(4096)?;
    Ok(TcpListener::from_std(socket.into()))
}

fn bind_unix(path: &PathBuf) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        // A socket that nobody answers was left by a hub that was killed.
        Err(error)
            if error.kind() == ErrorKind::AddrInUse
                && std::os::unix::net::UnixStream::connect(path).is_err() =>
        {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        result => result,
    }
}

/// What the door needs to know.
pub(super) struct Rules {
    pub(super) is_open: bool,
    pub(super) limits: Limits,
    pub(super) may_come_from: MayComeFrom,
}

/// The thread that accepts.
pub(super) struct Door {
    poll: Poll,
    bound: Vec<Bound>,
    boxes: Arc<[Arc<LetterBox>]>,
    next: usize,
    rules: Arc<std::sync::RwLock<Rules>>,
    certificates: Option<Arc<Certificates>>,
    open: Arc<OpenConnections>,
    rates: Rates,
    clock: Clock,
    closing: Arc<AtomicBool>,
    retry_at: Option<Time>,
}

/// Closes the door from outside.
pub(super) struct Closer {
    waker: Waker,
    closing: Arc<AtomicBool>,
}

impl Closer {
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake the door");
        }
    }
}

impl Door {
    pub(super) fn new(
        mut bound: Vec<Bound>,
        boxes: Arc<[Arc<LetterBox>]>,
        rules: Arc<std::sync::RwLock<Rules>>,
        certificates: Option<Arc<Certificates>>,
        open: Arc<OpenConnections>,
        clock: Clock,
    ) -> io::Result<(Self, Closer)> {
        let poll = Poll::new()?;
        for (index, bound) in bound.iter_mut().enumerate() {
            let token = Token(index);
            match &mut bound.socket {
                Listening::Tcp(socket) => {
                    poll.registry()
                        .register(socket, token, Interest::READABLE)?;
                }
                Listening::Unix(socket, _) => {
                    poll.registry()
                        .register(socket, token, Interest::READABLE)?;
                }
            }
        }
        let waker = Waker::new(poll.registry(), WAKE)?;
        let closing = Arc::new(AtomicBool::new(false));
        let closer = Closer {
            waker,
            closing: Arc::clone(&closing),
        };
        let door = Self {
            poll,
            bound,
            boxes,
            next: 0,
            rules,
            certificates,
            open,
            rates: Rates::default(),
            clock,
            closing,
            retry_at: None,
        };
        Ok((door, closer))
    }

    /// Accepts until the door is closed.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(64);
        while !self.closing.load(Ordering::SeqCst) {
            let timeout = self.retry_at.map(|at| at.since(self.clock.now()));
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != ErrorKind::Interrupted
            {
                tracing::error!(%error, "cannot wait for connections");
            }
            let again = self.retry_at.take().is_some();
            for index in 0..self.bound.len() {
                if again || events.iter().any(|event| event.token() == Token(index)) {
                    self.accept_all(index);
                }
            }
        }
        for bound in &self.bound {
            if let Listening::Unix(_, path) = &bound.socket {
                let _ = std::fs::remove_file(path); // Somebody may have been faster.
            }
        }
    }

    fn accept_all(&mut self, index: usize) {
        let mut letters: Vec<Vec<Letter>> = self.boxes.iter().map(|_| Vec::new()).collect();
        loop {
            match self.accept(index) {
                Ok(None) => {}
                Ok(Some((connection, peer))) => {
                    self.next = (self.next + 1) % self.boxes.len();
                    letters[self.next].push(Letter::Enter(Box::new(connection), peer));
                    if BATCH <= letters[self.next].len() {
                        self.boxes[self.next].post_all(&mut letters[self.next]);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    // No descriptors left, most likely: others must go before more can come.
                    tracing::error!(%error, "cannot accept connections; trying again");
                    let wait = Duration::from_millis(100);
                    self.retry_at = Some(self.clock.now().after(wait));
                    break;
                }
            }
        }
        for (box_, letters) in self.boxes.iter().zip(&mut letters) {
            box_.post_all(letters);
        }
    }

    /// Accepts one; `None` if it is turned away.
    fn accept(&mut self, index: usize) -> io::Result<Option<(Connection, Peer)>> {
        let Bound { socket, listener } = &self.bound[index];
        let (socket, address) = match socket {
            Listening::Tcp(socket) => {
                let (stream, address) = socket.accept()?;
                (Socket::Tcp(stream), Some(address.ip().to_canonical()))
            }
            Listening::Unix(socket, _) => (Socket::Unix(socket.accept()?.0), None),
        };
        let rules = self
            .rules
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let is_local = address.is_none_or(|ip| ip.is_loopback());
        if let Some(ip) = address.filter(|_| !is_local)
            && !self.rates.may_come(ip, &rules.limits, self.clock.now())
        {
            return Ok(None);
        }
        if !self.open.one_more() {
            tracing::warn!("as many connections as allowed are open; one was turned away");
            return Ok(None);
        }
        let peer = Peer {
            // Behind a balancer it shows later who it is.
            ip: address.filter(|_| !listener.proxy_protocol),
            is_local: is_local && !listener.proxy_protocol,
            is_open: rules.is_open,
            is_certified: false,
        };
        match layers(listener, self.certificates.as_deref(), &rules) {
            Ok(layers) => Ok(Some((Connection::new(socket, layers, peer), peer))),
            Err(error) => {
                self.open.one_less();
                tracing::error!(%error, "cannot begin TLS");
                Ok(None)
            }
        }
    }
}

fn layers(
    listener: &Listener,
    certificates: Option<&Certificates>,
    rules: &Rules,
) -> Result<Option<Box<Layers>>, rustls::Error> {
    let is_websocket = matches!(listener.scheme, Scheme::Ws | Scheme::Wss);
    let is_encrypted = matches!(listener.scheme, Scheme::Mqtts | Scheme::Wss);
    if !is_websocket && !is_encrypted && !listener.proxy_protocol {
        return Ok(None);
    }
    let tls = match certificates {
        Some(certificates) if is_encrypted => {
            Some(certificates.server(listener.client_certificates)?)
        }
        _ => None,
    };
    let websocket = is_websocket.then(|| Arc::clone(&rules.may_come_from));
    let authority = certificates.and_then(Certificates::authority).cloned();
    let layers = Layers::new(listener.proxy_protocol, tls, authority, websocket);
    Ok(Some(Box::new(layers)))
}

/// How often each address has come lately.
#[derive(Default)]
struct Rates(HashMap<IpAddr, Rate>);

#[derive(Clone, Copy)]
struct Rate {
    left: f32,
    at: Time,
}

impl Rates {
    /// Whether one more connection may come from this address now.
    fn may_come(&mut self, ip: IpAddr, limits: &Limits, now: Time) -> bool {
        let rate = limits.connect_rate_max as f32;
        let burst = limits.connect_burst.max(1) as f32;
        if rate == 0.0 {
            return true;
        }
        if ADDRESSES_MAX <= self.0.len() {
            // Whoever has its whole burst left again needs no memory.
            self.0
                .retain(|_, there| there.left + now.since(there.at).as_secs_f32() * rate < burst);
        }
        let there = self.0.entry(ip).or_insert(Rate {
            left: burst,
            at: now,
        });
        let earned = now.since(there.at).as_secs_f32() * rate;
        there.left = (there.left + earned).min(burst);
        there.at = now;
        if there.left < 1.0 {
            return false;
        }
        there.left -= 1.0;
        true
    }
}

/// Errors of one connection that went before it was accepted.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    )
}
