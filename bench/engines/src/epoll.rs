//! Engine 1: an own event loop on `mio`: edge-triggered, one shared read buffer, one write per
//! connection that has something to send, at the end of each turn.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::relay::{self, READ_BUFFER, Splitter, Topics};

const LISTENER: Token = Token(usize::MAX);

struct Conn {
    stream: TcpStream,
    splitter: Splitter,
    out: Vec<u8>,
    /// Already in the list of connections to write at the end of the turn.
    dirty: bool,
    /// The socket buffer is full; the next writable event says when to go on.
    blocked: bool,
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    conns: Slab<Conn>,
    topics: Topics,
    dirty: Vec<usize>,
    sends: u64,
    buffer: Vec<u8>,
}

pub fn serve(port: u16) -> io::Result<()> {
    let mut server = Server {
        poll: Poll::new()?,
        listener: TcpListener::from_std(relay::listen(port)?),
        conns: Slab::new(),
        topics: Topics::default(),
        dirty: Vec::new(),
        sends: 0,
        buffer: vec![0; READ_BUFFER],
    };
    server
        .poll
        .registry()
        .register(&mut server.listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    loop {
        if let Err(error) = server.poll.poll(&mut events, None) {
            if error.kind() == ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        for event in &events {
            if event.token() == LISTENER {
                server.accept()?;
                continue;
            }
            let id = event.token().0;
            if event.is_writable() {
                server.unblock(id);
            }
            if event.is_readable() {
                server.read(id, event.is_read_closed() || event.is_error());
            }
        }
        server.flush();
    }
}

impl Server {
    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let entry = self.conns.vacant_entry();
            self.poll.registry().register(
                &mut stream,
                Token(entry.key()),
                Interest::READABLE | Interest::WRITABLE,
            )?;
            entry.insert(Conn {
                stream,
                splitter: Splitter::default(),
                out: Vec::new(),
                dirty: false,
                blocked: false,
            });
        }
    }

    /// Reads until the socket is empty. A read that does not fill the buffer says so without a
    /// further call, unless the peer has closed: then go on to the end of the stream.
    fn read(&mut self, id: usize, closed: bool) {
        loop {
            let Some(conn) = self.conns.get_mut(id) else {
                return;
            };
            let length = match conn.stream.read(&mut self.buffer) {
                Ok(0) => return self.close(id),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.close(id),
            };
            let mut splitter = std::mem::take(&mut conn.splitter);
            splitter.feed(&self.buffer[..length], |frame| {
                self.topics.handle(frame, id, self.sends, |to, bytes| {
                    let Some(conn) = self.conns.get_mut(to) else {
                        return;
                    };
                    conn.out.extend_from_slice(bytes);
                    if !conn.dirty {
                        conn.dirty = true;
                        self.dirty.push(to);
                    }
                });
            });
            self.conns[id].splitter = splitter;
            if length < self.buffer.len() && !closed {
                return;
            }
        }
    }

    fn unblock(&mut self, id: usize) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        if conn.blocked {
            conn.blocked = false;
            if !conn.dirty {
                conn.dirty = true;
                self.dirty.push(id);
            }
        }
    }

    fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for id in dirty.drain(..) {
            let Some(conn) = self.conns.get_mut(id) else {
                continue;
            };
            conn.dirty = false;
            if conn.blocked || conn.out.is_empty() {
                continue;
            }
            self.sends += 1;
            match conn.stream.write(&conn.out) {
                Ok(length) if length == conn.out.len() => conn.out.clear(),
                Ok(length) => {
                    conn.out.drain(..length);
                    conn.blocked = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => conn.blocked = true,
                Err(_) => self.close(id),
            }
        }
        self.dirty = dirty;
    }

    fn close(&mut self, id: usize) {
        self.conns.remove(id);
        self.topics.remove(id);
    }
}
