//! A connection without a network: two heaps of bytes.

use bytes::{Bytes, BytesMut};
use quartet_fabric::outbox::Outbox;
use quartet_hub::flow::Peer;

use crate::Chance;

/// A socket's number at its site.
pub(crate) type SocketId = usize;

/// One connection, seen from both ends.
pub(crate) struct Socket {
    pub(crate) peer: Peer,
    /// Sent by the client, not read by the hub.
    to_hub: BytesMut,
    /// Written by the hub, not read by the client.
    pub(crate) to_client: BytesMut,
    /// How many bytes the hub can write before the client reads.
    pub(crate) room: usize,
    /// The hub closed it.
    pub(crate) is_closed: bool,
    /// The client, or the network, is gone.
    pub(crate) is_lost: bool,
    /// The hub does not read for now.
    pub(crate) is_paused: bool,
    /// Its end is known to the hub.
    pub(crate) end_is_read: bool,
}

impl Socket {
    pub(crate) fn new(peer: Peer) -> Self {
        Self {
            peer,
            to_hub: BytesMut::new(),
            to_client: BytesMut::new(),
            room: usize::MAX,
            is_closed: false,
            is_lost: false,
            is_paused: false,
            end_is_read: false,
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if !self.is_closed && !self.is_lost {
            self.to_hub.extend_from_slice(bytes);
        }
    }

    /// Whether the hub has something to read.
    pub(crate) fn is_ready(&self) -> bool {
        let at_end = self.is_lost && !self.end_is_read;
        !self.is_closed && !self.is_paused && (!self.to_hub.is_empty() || at_end)
    }

    /// Some of the bytes that the client sent, cut anywhere; `None` at the end.
    pub(crate) fn read(&mut self, chance: &mut Chance) -> Option<Bytes> {
        if self.to_hub.is_empty() {
            self.end_is_read = true;
            return None;
        }
        let mut length = self.to_hub.len();
        if chance.once_in(3) {
            length = 1 + chance.below(length);
        }
        Some(self.to_hub.split_to(length).freeze())
    }

    /// Writes what there is room for. Says whether that was all.
    pub(crate) fn write(&mut self, outbox: &mut Outbox) -> bool {
        while !outbox.is_empty() && 0 < self.room {
            let part = outbox.first();
            let length = part.len().min(self.room);
            if !self.is_lost {
                self.to_client.extend_from_slice(&part[..length]);
            }
            self.room = match self.room {
                usize::MAX => usize::MAX,
                room => room - length,
            };
            outbox.advance(length);
        }
        outbox.is_empty()
    }
}
