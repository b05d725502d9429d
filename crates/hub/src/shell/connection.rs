//! One socket with what lies between it and MQTT.

use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::Shutdown,
};

use mio::{
    Interest, Registry, Token,
    net::{TcpStream, UnixStream},
};
use quartet_fabric::outbox::Outbox;
use quartet_model::Time;

use super::layers::Layers;
use crate::flow::{ConnKey, Peer};

/// A socket of either kind.
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(into),
            Self::Unix(socket) => socket.read(into),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bytes),
            Self::Unix(socket) => socket.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write_vectored(slices),
            Self::Unix(socket) => socket.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One connection, as the shell sees it.
pub(super) struct Connection {
    pub(super) socket: Socket,
    /// Nothing for MQTT straight over TCP: the usual case costs nothing.
    pub(super) layers: Option<Box<Layers>>,
    pub(super) peer: Peer,
    /// Since when the socket takes no more, while something waits.
    pub(super) blocked_since: Option<Time>,
    /// There may be something to read.
    pub(super) is_ready: bool,
    /// The other side has closed its half: read on until that is seen.
    pub(super) is_read_closed: bool,
    /// What was read is not all taken: it comes before anything new.
    pub(super) is_behind: bool,
    /// A layer has ended it; what came before is still to be taken.
    pub(super) has_ended: bool,
    /// Not to be read for now: the client publishes faster than it may.
    pub(super) is_paused: bool,
    /// To be closed once everything is written.
    pub(super) is_closing: bool,
    /// The last words tell the client something that it should get to read.
    pub(super) has_last_words: bool,
    /// Everything is written; until then the client has time to read it.
    pub(super) lingers_until: Option<Time>,
}

/// How far a write went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Written {
    All,
    /// The socket takes no more for now; `bool` says whether it took something.
    Blocked(bool),
    /// The connection is broken.
    Broken,
}

impl Connection {
    pub(super) fn new(socket: Socket, layers: Option<Box<Layers>>, peer: Peer) -> Self {
        Self {
            socket,
            layers,
            peer,
            blocked_since: None,
            is_ready: false,
            is_read_closed: false,
            is_behind: false,
            has_ended: false,
            is_paused: false,
            is_closing: false,
            has_last_words: false,
            lingers_until: None,
        }
    }

    /// Says that nothing more will be written.
    pub(super) fn end(&self) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Socket::Unix(socket) => socket.shutdown(Shutdown::Write),
        }
    }

    pub(super) fn register(&mut self, registry: &Registry, key: ConnKey) -> io::Result<()> {
        use slotmap::Key;
        let token = Token(key.data().as_ffi() as usize);
        let interest = Interest::READABLE | Interest::WRITABLE;
        match &mut self.socket {
            Socket::Tcp(socket) => registry.register(socket, token, interest),
            Socket::Unix(socket) => registry.register(socket, token, interest),
        }
    }

    pub(super) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(socket) => registry.deregister(socket),
            Socket::Unix(socket) => registry.deregister(socket),
        }
    }

    /// Writes as much as the socket takes. `sent` counts the bytes.
    pub(super) fn write(&mut self, outbox: &mut Outbox, sent: &mut u64) -> Written {
        let before = *sent;
        let result = match &mut self.layers {
            None => write_plain(&mut self.socket, outbox, sent),
            Some(layers) => layers.write(&mut self.socket, outbox, sent),
        };
        match result {
            Ok(()) => Written::All,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Written::Blocked(before < *sent),
            Err(_) => Written::Broken,
        }
    }
}

fn write_plain(socket: &mut Socket, outbox: &mut Outbox, sent: &mut u64) -> io::Result<()> {
    while !outbox.is_empty() {
        let mut slices = [IoSlice::new(&[]); 32];
        let count = outbox.slices(&mut slices);
        let written = retry(|| match &slices[..count] {
            [one] => socket.write(one),
            many => socket.write_vectored(many),
        })?;
        if written == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        *sent += written as u64;
        outbox.advance(written);
    }
    Ok(())
}

/// Again, if a signal came in between.
pub(super) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
