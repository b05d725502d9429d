//! Engine 3: io_uring. Multishot accept into direct descriptors, multishot receive into a ring of
//! provided buffers, and all sends of a turn handed over with the call that waits for the next.

use std::io;
use std::os::fd::AsRawFd;

use io_uring::types::{Fd, Fixed};
use io_uring::{IoUring, cqueue, opcode, squeue};

use crate::buffers::{Buffers, GROUP};
use crate::relay::{self, Splitter, Topics};

const MAX_CONNS: u32 = 8192;

/// The upper half of the user data says which operation completed, the lower half for whom.
const ACCEPT: u64 = 1 << 32;
const RECEIVE: u64 = 2 << 32;
const SEND: u64 = 3 << 32;
const CLOSE: u64 = 4 << 32;

#[derive(Default)]
struct Conn {
    splitter: Splitter,
    out: Vec<u8>,
    /// What the kernel is sending, already done up to `sent`. Not touched while `sending`.
    in_flight: Vec<u8>,
    sent: usize,
    sending: bool,
    dirty: bool,
    closed: bool,
}

struct Server {
    ring: IoUring,
    buffers: Buffers,
    /// Indexed by direct descriptor.
    conns: Vec<Option<Conn>>,
    topics: Topics,
    dirty: Vec<u32>,
    /// New connections, and receives that ended for lack of buffers: armed at the end of the turn.
    to_arm: Vec<u32>,
    sends: u64,
}

pub fn serve(port: u16) -> io::Result<()> {
    let listener = relay::listen(port)?;
    let ring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_cqsize(16 * 1024)
        .build(4096)?;
    ring.submitter().register_files_sparse(MAX_CONNS)?;
    let mut server = Server {
        buffers: Buffers::register(&ring)?,
        ring,
        conns: Vec::new(),
        topics: Topics::default(),
        dirty: Vec::new(),
        to_arm: Vec::new(),
        sends: 0,
    };
    let accept = opcode::AcceptMulti::new(Fd(listener.as_raw_fd()))
        .allocate_file_index(true)
        .build()
        .user_data(ACCEPT);
    server.push(&accept)?;
    let mut done = Vec::new();
    loop {
        match server.ring.submit_and_wait(1) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        done.extend(server.ring.completion());
        for entry in done.drain(..) {
            server.complete(&entry, &accept)?;
        }
        server.flush()?;
    }
}

impl Server {
    fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: the only memory an entry refers to is `Conn::in_flight`, which stays in place
        // until its completion has been seen.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            self.ring.submit()?;
        }
        Ok(())
    }

    fn complete(&mut self, entry: &cqueue::Entry, accept: &squeue::Entry) -> io::Result<()> {
        let id = entry.user_data() as u32;
        match entry.user_data() & !u64::from(u32::MAX) {
            ACCEPT => {
                if entry.result() < 0 {
                    return Err(io::Error::from_raw_os_error(-entry.result()));
                }
                let id = entry.result() as u32;
                if self.conns.len() <= id as usize {
                    self.conns.resize_with(id as usize + 1, || None);
                }
                self.conns[id as usize] = Some(Conn::default());
                self.to_arm.push(id);
                if !cqueue::more(entry.flags()) {
                    self.push(accept)?;
                }
            }
            RECEIVE => self.received(id, entry),
            SEND => self.sent(id, entry.result()),
            _ => {}
        }
        Ok(())
    }

    fn received(&mut self, id: u32, entry: &cqueue::Entry) {
        if let Some(buffer) = cqueue::buffer_select(entry.flags()) {
            if entry.result() > 0 {
                self.route(id, buffer, entry.result() as usize);
            }
            self.buffers.give_back(buffer);
        }
        if cqueue::more(entry.flags()) {
            return;
        }
        if entry.result() > 0 || entry.result() == -libc::ENOBUFS {
            self.to_arm.push(id);
        } else if let Some(conn) = &mut self.conns[id as usize] {
            conn.closed = true;
            self.topics.remove(id as usize);
            mark(&mut self.dirty, conn, id);
        }
    }

    fn route(&mut self, id: u32, buffer: u16, length: usize) {
        let Some(conn) = &mut self.conns[id as usize] else {
            return;
        };
        let mut splitter = std::mem::take(&mut conn.splitter);
        splitter.feed(self.buffers.bytes(buffer, length), |frame| {
            let sends = self.sends;
            self.topics.handle(frame, id as usize, sends, |to, bytes| {
                if let Some(conn) = &mut self.conns[to] {
                    conn.out.extend_from_slice(bytes);
                    mark(&mut self.dirty, conn, to as u32);
                }
            });
        });
        if let Some(conn) = &mut self.conns[id as usize] {
            conn.splitter = splitter;
        }
    }

    fn sent(&mut self, id: u32, result: i32) {
        let Some(conn) = &mut self.conns[id as usize] else {
            return;
        };
        conn.sending = false;
        conn.sent += result.max(0) as usize;
        if result < 0 || conn.sent == conn.in_flight.len() {
            conn.in_flight.clear();
            conn.sent = 0;
        }
        // A broken connection is noticed by its receive; here its data is only dropped.
        if conn.closed || !conn.out.is_empty() || !conn.in_flight.is_empty() {
            mark(&mut self.dirty, conn, id);
        }
    }

    /// Queues one send per connection that has something to send and none under way.
    fn flush(&mut self) -> io::Result<()> {
        let mut dirty = std::mem::take(&mut self.dirty);
        for id in dirty.drain(..) {
            let Some(conn) = &mut self.conns[id as usize] else {
                continue;
            };
            conn.dirty = false;
            if conn.sending {
                continue;
            }
            if conn.closed {
                self.conns[id as usize] = None;
                let close = opcode::Close::new(Fixed(id)).build().user_data(CLOSE);
                self.push(&close)?;
                continue;
            }
            if conn.in_flight.is_empty() {
                std::mem::swap(&mut conn.out, &mut conn.in_flight);
            }
            if conn.in_flight.is_empty() {
                continue;
            }
            conn.sending = true;
            let rest = &conn.in_flight[conn.sent..];
            let send = opcode::Send::new(Fixed(id), rest.as_ptr(), rest.len() as u32)
                .flags(libc::MSG_WAITALL)
                .build()
                .user_data(SEND | u64::from(id));
            self.sends += 1;
            self.push(&send)?;
        }
        self.dirty = dirty;
        while let Some(id) = self.to_arm.pop() {
            let receive = opcode::RecvMulti::new(Fixed(id), GROUP)
                .build()
                .user_data(RECEIVE | u64::from(id));
            self.push(&receive)?;
        }
        Ok(())
    }
}

fn mark(dirty: &mut Vec<u32>, conn: &mut Conn, id: u32) {
    if !conn.dirty {
        conn.dirty = true;
        dirty.push(id);
    }
}
