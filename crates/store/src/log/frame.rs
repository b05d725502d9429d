//! A frame: what one append writes, and the unit that is there or not. Little-endian; padded
//! with zeros to a multiple of 8:
//!
//! ```text
//!  0 crc         u32  CRC32C of all that follows, padding included
//!  4 bytes       u32  length without the padding
//!  8 mark        u64  the segment's secret: neither an older file's rest nor a payload has it
//! 16 group       u64  what was made safe together has one number
//! 24 group_start u32  where the group's first frame in this segment begins
//! 28 shard       u8
//! 29 kind        u8   1 records, 2 a new owner, 3 a trim
//! 30 count       u16  how many records
//! 32 epoch       u64  whose frame it is
//! 40 first       u64  the first record's place; for a trim the first that is kept
//! 48 chain       [16] beginning of the BLAKE3 of the shard's frame before
//! 64             each record: its length in 1 to 5 bytes, its bytes
//! ```

use super::{
    bytes::{array, length_bytes, push_length, put, take_length, u16_at, u32_at, u64_at},
    cipher::{Cipher, TAG_BYTES},
};
use crate::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Batch, SHARDS_MAX, Seq};

pub(super) const HEAD_BYTES: usize = 64;
/// Frames begin at multiples of this.
pub(super) const ALIGN: usize = 8;
/// The longest frame, padding included; no segment has to have room for more at once.
pub(super) const FRAME_BYTES_MAX: usize =
    HEAD_BYTES + BATCH_BYTES_MAX + 5 * BATCH_RECORDS_MAX + TAG_BYTES + ALIGN;
/// What of the head is there before the records are encrypted, and cannot be altered after.
const SEALED_HEAD: std::ops::Range<usize> = 8..HEAD_BYTES;

const _: () = assert!(BATCH_RECORDS_MAX <= u16::MAX as usize, "the head has a u16");

/// Beginning of the hash of a shard's last frame.
pub(super) type Chain = [u8; 16];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Records = 1,
    Owner = 2,
    Trim = 3,
}

/// How a segment's frames are encrypted.
#[derive(Clone, Copy)]
pub(super) struct Seal<'c> {
    pub(super) cipher: &'c Cipher,
    pub(super) salt: &'c [u8; 16],
}

/// What stands before the records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    pub(super) mark: u64,
    pub(super) group: u64,
    pub(super) group_start: u32,
    pub(super) shard: u8,
    pub(super) kind: Kind,
    pub(super) count: u16,
    pub(super) epoch: u64,
    pub(super) first: Seq,
    pub(super) chain: Chain,
}

/// A frame whose CRC is right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'b> {
    pub(super) head: Head,
    /// The whole frame with its padding.
    pub(super) all: &'b [u8],
    /// What follows the head.
    pub(super) body: &'b [u8],
}

/// How long the frame of these records will be, padding included.
pub(super) fn frame_bytes(batch: &Batch, is_sealed: bool) -> usize {
    let lengths: usize = batch
        .records()
        .map(|record| length_bytes(record.len()))
        .sum();
    let tag_bytes = if is_sealed { TAG_BYTES } else { 0 };
    padded(HEAD_BYTES + lengths + batch.bytes() + tag_bytes)
}

pub(super) fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGN)
}

/// Appends a frame that will stand at `offset`, its records encrypted if there is a `seal`; says
/// its chain.
pub(super) fn push_frame(
    bytes: &mut Vec<u8>,
    head: &Head,
    batch: &Batch,
    offset: u64,
    seal: Option<Seal<'_>>,
) -> Chain {
    let start = bytes.len();
    bytes.resize(start + HEAD_BYTES, 0);
    for record in batch.records() {
        push_length(bytes, record.len());
        bytes.extend_from_slice(record);
    }
    put_head(&mut bytes[start..], head);
    if let Some(Seal { cipher, salt }) = seal {
        let (head, records) = bytes[start..].split_at_mut(HEAD_BYTES);
        let tag = cipher.seal(salt, offset, &head[SEALED_HEAD], records);
        bytes.extend_from_slice(&tag);
    }
    let length = bytes.len() - start;
    bytes.resize(start + padded(length), 0);
    let frame = &mut bytes[start..];
    put(frame, 4, &(length as u32).to_le_bytes());
    let crc = crc32c::crc32c(&frame[4..]);
    put(frame, 0, &crc.to_le_bytes());
    chain_of(frame)
}

/// All of the head but CRC and length.
fn put_head(frame: &mut [u8], head: &Head) {
    put(frame, 8, &head.mark.to_le_bytes());
    put(frame, 16, &head.group.to_le_bytes());
    put(frame, 24, &head.group_start.to_le_bytes());
    frame[28] = head.shard;
    frame[29] = head.kind as u8;
    put(frame, 30, &head.count.to_le_bytes());
    put(frame, 32, &head.epoch.to_le_bytes());
    put(frame, 40, &head.first.to_le_bytes());
    put(frame, 48, &head.chain);
}

pub(super) fn chain_of(frame: &[u8]) -> Chain {
    array(blake3::hash(frame).as_bytes(), 0)
}

/// How long the frame at the beginning of `bytes` says that it is, padding included, if it can be
/// one of this segment at all.
pub(super) fn peek(bytes: &[u8], mark: u64) -> Option<usize> {
    if bytes.len() < HEAD_BYTES || u64_at(bytes, 8) != mark {
        return None;
    }
    let length = u32_at(bytes, 4) as usize;
    let is_possible = (HEAD_BYTES..=FRAME_BYTES_MAX).contains(&length);
    is_possible.then(|| padded(length))
}

/// The frame at the beginning of `bytes`, if all of it is there and its CRC is right.
pub(super) fn parse(bytes: &[u8], mark: u64) -> Option<Frame<'_>> {
    let all = bytes.get(..peek(bytes, mark)?)?;
    if u32_at(all, 0) != crc32c::crc32c(&all[4..]) {
        return None;
    }
    let kind = match all[29] {
        1 => Kind::Records,
        2 => Kind::Owner,
        3 => Kind::Trim,
        _ => return None,
    };
    let head = Head {
        mark,
        group: u64_at(all, 16),
        group_start: u32_at(all, 24),
        shard: all[28],
        kind,
        count: u16_at(all, 30),
        epoch: u64_at(all, 32),
        first: u64_at(all, 40),
        chain: array(all, 48),
    };
    let body = &all[HEAD_BYTES..u32_at(all, 4) as usize];
    let is_possible = usize::from(head.shard) < SHARDS_MAX;
    is_possible.then_some(Frame { head, all, body })
}

impl<'b> Frame<'b> {
    /// The place after the last record.
    pub(super) fn next(&self) -> Seq {
        self.head.first.saturating_add(u64::from(self.head.count))
    }

    /// Visits the records from `from` on until `visit` says false, which is then said. `None` if
    /// the body is not what it should be. The frame stands at `offset`.
    pub(super) fn visit(
        &self,
        from: Seq,
        offset: u64,
        seal: Option<Seal<'_>>,
        visit: &mut dyn FnMut(Seq, &[u8]) -> bool,
    ) -> Option<bool> {
        let opened;
        let mut rest = match seal {
            None => self.body,
            Some(Seal { cipher, salt }) => {
                opened = cipher.open(salt, offset, &self.all[SEALED_HEAD], self.body)?;
                &opened
            }
        };
        for seq in self.head.first..self.next() {
            let length = take_length(&mut rest)?;
            let (record, after) = rest.split_at_checked(length)?;
            rest = after;
            if from <= seq && !visit(seq, record) {
                return Some(false);
            }
        }
        Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head {
        mark: 77,
        group: 5,
        group_start: 4096,
        shard: 63,
        kind: Kind::Records,
        count: 3,
        epoch: 9,
        first: 1000,
        chain: [4; 16],
    };

    fn encoded(seal: Option<Seal<'_>>) -> Vec<u8> {
        let mut batch = Batch::default();
        for record in [&b"one"[..], b"", &[7; 300]] {
            batch.push(record);
        }
        let mut bytes = Vec::new();
        push_frame(&mut bytes, &HEAD, &batch, 4096, seal);
        assert_eq!(bytes.len(), frame_bytes(&batch, seal.is_some()));
        bytes
    }

    fn comes_back(seal: Option<Seal<'_>>) {
        let bytes = encoded(seal);
        let frame = parse(&bytes, 77).unwrap();
        assert_eq!(frame.head, HEAD);
        assert_eq!(frame.next(), 1003);
        let mut records = Vec::new();
        let mut keep = |seq, record: &[u8]| {
            records.push((seq, record.to_vec()));
            seq < 1002
        };
        assert_eq!(frame.visit(1001, 4096, seal, &mut keep), Some(false));
        assert_eq!(records, [(1001, vec![]), (1002, vec![7; 300])]);
    }

    #[test]
    fn a_frame_comes_back() {
        comes_back(None);
        let cipher = Cipher::new(&super::super::Key::new([3; 32]));
        let salt = &[9; 16];
        let cipher = &cipher;
        let seal = Some(Seal { cipher, salt });
        comes_back(seal);
        let bytes = encoded(seal);
        assert!(!bytes.windows(3).any(|bytes| bytes == b"one"));
        let frame = parse(&bytes, 77).unwrap();
        assert_eq!(frame.visit(0, 8192, seal, &mut |_, _| true), None);
    }

    #[test]
    fn no_bit_can_be_other_than_it_was_written() {
        let bytes = encoded(None);
        for bit in 0..bytes.len() * 8 {
            let mut rotten = bytes.clone();
            rotten[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&rotten, 77).is_none(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(parse(&bytes[..length], 77).is_none(), "{length} bytes");
        }
    }

    #[test]
    fn a_frame_of_another_segment_is_none() {
        assert!(parse(&encoded(None), 78).is_none());
    }
}
