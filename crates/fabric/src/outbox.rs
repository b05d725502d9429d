//! What is to be written to one connection: small frames copied together, so that one write
//! takes many; large bodies by reference. Takes no memory while it is empty.

use std::{collections::VecDeque, io::IoSlice};

use bytes::Bytes;

/// Bodies from this size on are shared, not copied.
pub const SHARED_FROM_BYTES: usize = 4096;

/// A piece is closed when it has grown to this.
const PIECE_BYTES: usize = 16 * 1024;

enum Piece {
    Own(Vec<u8>),
    Shared(Bytes),
}

impl Piece {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// Bytes on their way to one connection.
#[derive(Default)]
pub struct Outbox {
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that are gone already.
    gone: usize,
    bytes: usize,
}

impl Outbox {
    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Lets `write` append to the bytes that wait; it must only append.
    pub fn append<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if !matches!(self.pieces.back(), Some(Piece::Own(own)) if own.len() < PIECE_BYTES) {
            self.pieces.push_back(Piece::Own(Vec::new()));
        }
        let Some(Piece::Own(own)) = self.pieces.back_mut() else {
            unreachable!("the last piece is our own: it was made so above");
        };
        let before = own.len();
        if 0 < before && own.capacity() - before < before / 4 {
            own.reserve(3 * before); // where there are several, there are many
        }
        let result = write(own);
        self.bytes += own.len() - before;
        result
    }

    /// Adds a body: copied if small, shared if large.
    pub fn push(&mut self, body: &Bytes) {
        if body.len() < SHARED_FROM_BYTES {
            self.append(|own| own.extend_from_slice(body));
        } else {
            self.bytes += body.len();
            self.pieces.push_back(Piece::Shared(body.clone()));
        }
    }

    /// Takes over all that waits in another outbox, of which nothing is gone.
    pub fn append_all(&mut self, other: &mut Self) {
        self.bytes += std::mem::take(&mut other.bytes);
        self.pieces.append(&mut other.pieces);
    }

    /// What to write next, as far as `slices` has room. Says how many were filled.
    pub fn slices<'o>(&'o self, slices: &mut [IoSlice<'o>]) -> usize {
        let mut gone = self.gone;
        let mut filled = 0;
        for (piece, slot) in self.pieces.iter().zip(slices) {
            *slot = IoSlice::new(&piece.as_slice()[gone..]);
            gone = 0;
            filled += 1;
        }
        filled
    }

    /// The first bytes that wait, in one piece.
    pub fn first(&self) -> &[u8] {
        self.pieces
            .front()
            .map_or(&[], |piece| &piece.as_slice()[self.gone..])
    }

    /// `written` bytes are gone. Memory of what is gone is given back.
    pub fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(piece) = self.pieces.front() {
            let rest = piece.as_slice().len() - self.gone;
            if written < rest {
                self.gone += written;
                return;
            }
            written -= rest;
            self.gone = 0;
            self.pieces.pop_front();
        }
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(outbox: &mut Outbox, step: usize) -> Vec<u8> {
        let mut written = Vec::new();
        while !outbox.is_empty() {
            let part = outbox.first();
            let part = part[..step.min(part.len())].to_vec();
            outbox.advance(part.len());
            written.extend(part);
        }
        written
    }

    #[test]
    fn bytes_leave_in_the_order_they_came() {
        let body = Bytes::from(vec![7; SHARED_FROM_BYTES]);
        let mut expected = Vec::new();
        let mut outbox = Outbox::default();
        for _ in 0..10 {
            outbox.append(|own| own.extend_from_slice(b"head"));
            outbox.push(&body);
            outbox.push(&Bytes::from_static(b"tail"));
            expected.extend_from_slice(b"head");
            expected.extend_from_slice(&body);
            expected.extend_from_slice(b"tail");
        }
        assert_eq!(outbox.len(), expected.len());
        assert_eq!(drain(&mut outbox, 1000), expected);
    }

    #[test]
    fn an_empty_outbox_holds_no_memory() {
        let mut outbox = Outbox::default();
        outbox.append(|own| own.extend_from_slice(b"frame"));
        outbox.advance(5);
        assert_eq!(outbox.pieces.capacity(), 0);
    }

    #[test]
    fn slices_begin_where_the_last_write_ended() {
        let mut outbox = Outbox::default();
        outbox.append(|own| own.extend_from_slice(b"frame"));
        outbox.push(&Bytes::from(vec![1; SHARED_FROM_BYTES]));
        outbox.advance(2);
        let mut slices = [IoSlice::new(&[]); 8];
        assert_eq!(outbox.slices(&mut slices), 2);
        assert_eq!(&*slices[0], b"ame");
        assert_eq!(slices[1].len(), SHARED_FROM_BYTES);
    }
}
