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
//! 29 kind        u8   1 records, 2 a new owner, 3 a trim, 4 records with blobs
//! 30 count       u16  how many records
//! 32 epoch       u64  whose frame it is
//! 40 first       u64  the first record's place; for a trim the first that is kept
//! 48 chain       [16] beginning of the BLAKE3 of the shard's frame before
//! 64             each record: its length in 1 to 5 bytes, its bytes
//! ```
//!
//! With blobs the bodies of some records are files of their own (blob.rs). Which they are stands
//! before the records, and is never encrypted: how many u16, each: the record u16, the body's
//! length u32, its hash [32].

use super::{
    blob::Hash,
    bytes::{array, length_bytes, push_length, put, take_length, u16_at, u32_at, u64_at},
    cipher::{Cipher, TAG_BYTES},
};
use crate::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Batch, Record, SHARDS_MAX, Seq};

pub(super) const HEAD_BYTES: usize = 64;
/// Frames begin at multiples of this.
pub(super) const ALIGN: usize = 8;
/// The longest frame, padding included; no segment has to have room for more at once.
pub(super) const FRAME_BYTES_MAX: usize = HEAD_BYTES
    + references_bytes(BATCH_RECORDS_MAX)
    + BATCH_BYTES_MAX
    + 5 * BATCH_RECORDS_MAX
    + TAG_BYTES
    + ALIGN;
/// What is there before the records are encrypted, and cannot be altered after, begins here.
const SEALED_AT: usize = 8;
const REFERENCE_BYTES: usize = 38;

const _: () = assert!(BATCH_RECORDS_MAX <= u16::MAX as usize, "the head has a u16");

/// Beginning of the hash of a shard's last frame.
pub(super) type Chain = [u8; 16];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Records = 1,
    Owner = 2,
    Trim = 3,
    RecordsWithBlobs = 4,
}

/// The body of a record that is a blob of the frame's segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reference {
    /// Which record of the frame, from 0 on.
    pub(super) record: u16,
    /// How long the body is.
    pub(super) bytes: u32,
    pub(super) hash: Hash,
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
    /// Which records have blobs.
    references: &'b [u8],
    /// What follows that.
    body: &'b [u8],
}

/// How long the frame of these records will be, padding included; longer bodies are blobs.
pub(super) fn frame_bytes(batch: &Batch, body_bytes_max: usize, is_sealed: bool) -> usize {
    let mut bytes = HEAD_BYTES + if is_sealed { TAG_BYTES } else { 0 };
    let mut blobs = 0;
    for Record { head, body } in batch.records() {
        let has_blob = body_bytes_max < body.len();
        let length = head.len() + if has_blob { 0 } else { body.len() };
        bytes += length_bytes(length) + length;
        blobs += usize::from(has_blob);
    }
    padded(bytes + references_bytes(blobs))
}

/// What so many references take.
const fn references_bytes(references: usize) -> usize {
    match references {
        0 => 0,
        _ => 2 + references * REFERENCE_BYTES,
    }
}

pub(super) fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGN)
}

/// Appends a frame that will stand at `offset`, its records encrypted if there is a `seal`; the
/// bodies of `blobs` are elsewhere. Says its chain.
pub(super) fn push_frame(
    bytes: &mut Vec<u8>,
    head: &Head,
    batch: &Batch,
    blobs: &[Reference],
    offset: u64,
    seal: Option<Seal<'_>>,
) -> Chain {
    let start = bytes.len();
    bytes.resize(start + HEAD_BYTES, 0);
    push_references(bytes, blobs);
    let records_at = bytes.len() - start;
    let mut blobs = blobs.iter().peekable();
    for (at, Record { head, body }) in batch.records().enumerate() {
        let blob = blobs.next_if(|blob| usize::from(blob.record) == at);
        let body = if blob.is_some() { &[] } else { body };
        push_length(bytes, head.len() + body.len());
        bytes.extend_from_slice(head);
        bytes.extend_from_slice(body);
    }
    put_head(&mut bytes[start..], head);
    if let Some(Seal { cipher, salt }) = seal {
        let (clear, records) = bytes[start..].split_at_mut(records_at);
        let tag = cipher.seal(salt, offset, &clear[SEALED_AT..], records);
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

fn push_references(bytes: &mut Vec<u8>, references: &[Reference]) {
    if references.is_empty() {
        return;
    }
    bytes.extend_from_slice(&(references.len() as u16).to_le_bytes()); // at most BATCH_RECORDS_MAX
    for reference in references {
        bytes.extend_from_slice(&reference.record.to_le_bytes());
        bytes.extend_from_slice(&reference.bytes.to_le_bytes());
        bytes.extend_from_slice(&reference.hash);
    }
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
        4 => Kind::RecordsWithBlobs,
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
    let references = match kind {
        Kind::RecordsWithBlobs if body.len() < 2 => return None,
        Kind::RecordsWithBlobs => references_bytes(u16_at(body, 0).into()),
        _ => 0,
    };
    let (references, body) = body.split_at_checked(references)?;
    let is_possible = usize::from(head.shard) < SHARDS_MAX;
    is_possible.then_some(Frame {
        head,
        all,
        references,
        body,
    })
}

impl Kind {
    pub(super) fn has_records(self) -> bool {
        matches!(self, Self::Records | Self::RecordsWithBlobs)
    }
}

impl<'b> Frame<'b> {
    /// The place after the last record.
    pub(super) fn next(&self) -> Seq {
        self.head.first.saturating_add(u64::from(self.head.count))
    }

    /// Which records have blobs.
    pub(super) fn references(&self) -> impl Iterator<Item = Reference> + use<'b> {
        let listed = self.references.get(2..).unwrap_or_default();
        listed.chunks_exact(REFERENCE_BYTES).map(|bytes| Reference {
            record: u16_at(bytes, 0),
            bytes: u32_at(bytes, 2),
            hash: array(bytes, 6),
        })
    }

    /// Visits the records from `from` on, those with blobs without their bodies, until `visit`
    /// says false, which is then said. `None` if what follows the head is not what it should be.
    /// The frame stands at `offset`.
    pub(super) fn visit(
        &self,
        from: Seq,
        offset: u64,
        seal: Option<Seal<'_>>,
        visit: &mut impl FnMut(Seq, &[u8], Option<Reference>) -> bool,
    ) -> Option<bool> {
        let opened;
        let mut rest = match seal {
            None => self.body,
            Some(Seal { cipher, salt }) => {
                let clear = &self.all[SEALED_AT..HEAD_BYTES + self.references.len()];
                opened = cipher.open(salt, offset, clear, self.body)?;
                &opened
            }
        };
        let mut blobs = self.references().peekable();
        for (at, seq) in (0..).zip(self.head.first..self.next()) {
            let length = take_length(&mut rest)?;
            let (record, after) = rest.split_at_checked(length)?;
            rest = after;
            let blob = blobs.next_if(|blob| blob.record == at);
            if from <= seq && !visit(seq, record, blob) {
                return Some(false);
            }
        }
        blobs.next().is_none().then_some(true)
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

    /// The longest body that is not a blob.
    const BODY_BYTES: usize = 500;
    const BLOB: Reference = Reference {
        record: 1,
        bytes: 501,
        hash: [6; 32],
    };

    fn encoded(blobs: &[Reference], seal: Option<Seal<'_>>) -> Vec<u8> {
        let mut batch = Batch::default();
        batch.push(b"one");
        let body_bytes = if blobs.is_empty() { 0 } else { BLOB.bytes };
        batch.push_with_body(|_| {}, vec![5; body_bytes as usize].into());
        batch.push_with_body(|head| head.push(7), vec![7; 299].into());
        let mut bytes = Vec::new();
        push_frame(&mut bytes, &head(blobs), &batch, blobs, 4096, seal);
        let expected = frame_bytes(&batch, BODY_BYTES, seal.is_some());
        assert_eq!(bytes.len(), expected);
        bytes
    }

    fn head(blobs: &[Reference]) -> Head {
        match blobs {
            [] => HEAD,
            _ => Head {
                kind: Kind::RecordsWithBlobs,
                ..HEAD
            },
        }
    }

    fn comes_back(blobs: &[Reference], seal: Option<Seal<'_>>) {
        let bytes = encoded(blobs, seal);
        let frame = parse(&bytes, 77).unwrap();
        assert_eq!(frame.head, head(blobs));
        assert_eq!(frame.next(), 1003);
        assert!(frame.references().eq(blobs.iter().copied()));
        let mut records = Vec::new();
        let mut keep = |seq, record: &[u8], blob| {
            records.push((seq, record.to_vec(), blob));
            seq < 1002
        };
        assert_eq!(frame.visit(1001, 4096, seal, &mut keep), Some(false));
        let blob = blobs.first().copied();
        let expected = [(1001, vec![], blob), (1002, vec![7; 300], None)];
        assert_eq!(records, expected);
    }

    #[test]
    fn a_frame_comes_back() {
        let cipher = &Cipher::new(&super::super::Key::new([3; 32]));
        let salt = &[9; 16];
        let seal = Some(Seal { cipher, salt });
        for blobs in [&[][..], &[BLOB]] {
            comes_back(blobs, None);
            comes_back(blobs, seal);
            let bytes = encoded(blobs, seal);
            assert!(!bytes.windows(3).any(|bytes| bytes == b"one"));
            let frame = parse(&bytes, 77).unwrap();
            assert_eq!(frame.visit(0, 8192, seal, &mut |_, _, _| true), None);
        }
    }

    #[test]
    fn nobody_without_the_key_can_give_a_record_another_blob() {
        let cipher = &Cipher::new(&super::super::Key::new([3; 32]));
        let seal = Some(Seal {
            cipher,
            salt: &[9; 16],
        });
        let mut bytes = encoded(&[BLOB], seal);
        bytes[HEAD_BYTES + 10] ^= 1; // in the hash
        let crc = crc32c::crc32c(&bytes[4..]);
        put(&mut bytes, 0, &crc.to_le_bytes());
        let frame = parse(&bytes, 77).unwrap();
        assert_eq!(frame.visit(0, 4096, seal, &mut |_, _, _| true), None);
    }

    #[test]
    fn no_bit_can_be_other_than_it_was_written() {
        let bytes = encoded(&[BLOB], None);
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
        assert!(parse(&encoded(&[], None), 78).is_none());
    }
}
