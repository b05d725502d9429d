//! What the three servers share: the frame, the subscriber table, the listening socket.
//!
//! A frame is 80 bytes: byte 0 is the kind, bytes 4..8 the topic number, bytes 8..16 a number
//! whose meaning depends on the kind (time of sending, or the count of sends), the rest is filler.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

pub const FRAME: usize = 80;
/// Register for a topic; the server sends the frame back as confirmation.
pub const SUBSCRIBE: u8 = b'S';
/// Relay this frame to everyone registered for its topic.
pub const PUBLISH: u8 = b'P';
/// Ask for the number of sends so far; the answer carries it in bytes 8..16.
pub const STATS: u8 = b'T';
/// Size of the buffer that one read may fill.
pub const READ_BUFFER: usize = 64 * 1024;
const MAX_TOPICS: usize = 1 << 16;

pub fn frame(kind: u8, topic: u32, number: u64) -> [u8; FRAME] {
    let mut bytes = [0x2e; FRAME];
    bytes[0] = kind;
    bytes[4..8].copy_from_slice(&topic.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes
}

pub fn topic_of(frame: &[u8]) -> u32 {
    u32::from_le_bytes([frame[4], frame[5], frame[6], frame[7]])
}

pub fn number_of(frame: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&frame[8..16]);
    u64::from_le_bytes(bytes)
}

/// Cuts a byte stream into frames, keeping an incomplete tail until the next call.
#[derive(Default)]
pub struct Splitter {
    tail: Vec<u8>,
}

impl Splitter {
    pub fn feed(&mut self, mut data: &[u8], mut on_frame: impl FnMut(&[u8])) {
        if !self.tail.is_empty() {
            let missing = (FRAME - self.tail.len()).min(data.len());
            self.tail.extend_from_slice(&data[..missing]);
            data = &data[missing..];
            if self.tail.len() < FRAME {
                return;
            }
            on_frame(&self.tail);
            self.tail.clear();
        }
        let frames = data.chunks_exact(FRAME);
        self.tail.extend_from_slice(frames.remainder());
        frames.for_each(&mut on_frame);
    }
}

/// Which connections want which topic.
#[derive(Default)]
pub struct Topics {
    subscribers: Vec<Vec<usize>>,
}

impl Topics {
    /// Acts on one frame from connection `from`, calling `deliver` for each frame to send.
    pub fn handle(
        &mut self,
        frame_in: &[u8],
        from: usize,
        sends: u64,
        mut deliver: impl FnMut(usize, &[u8]),
    ) {
        let topic = topic_of(frame_in) as usize;
        match frame_in[0] {
            PUBLISH => {
                for &to in self.subscribers.get(topic).map_or(&[][..], |ids| ids) {
                    deliver(to, frame_in);
                }
            }
            SUBSCRIBE if topic < MAX_TOPICS => {
                if self.subscribers.len() <= topic {
                    self.subscribers.resize(topic + 1, Vec::new());
                }
                self.subscribers[topic].push(from);
                deliver(from, frame_in);
            }
            STATS => deliver(from, &frame(STATS, 0, sends)),
            _ => {}
        }
    }

    pub fn remove(&mut self, id: usize) {
        for ids in &mut self.subscribers {
            ids.retain(|&other| other != id);
        }
    }
}

/// A non-blocking listener; accepted sockets inherit TCP_NODELAY from it on Linux.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}
