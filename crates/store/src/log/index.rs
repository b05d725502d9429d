//! Where in a segment each shard's records are, coarsely. A sealed segment carries its index
//! behind its frames, as its footer. Without a footer nothing is lost: the index is found again
//! by reading the segment.
//!
//! ```text
//! for each of 64 shards: how many entries u32, each entry: offset u32, records before u32
//! then: "QUARTEND", where the frames end u64, bytes of the entries u32, CRC32C of all before u32
//! ```

use super::{
    bytes::{u32_at, u64_at},
    frame::Frame,
};
use crate::{SHARDS_MAX, Seq};

/// No two entries of a shard are closer to each other than this.
const GAP_BYTES: u32 = 16 * 1024;
/// The end of a footer, by which it is known.
pub(super) const TAIL_BYTES: usize = 24;
const MAGIC: &[u8; 8] = b"QUARTEND";

/// A frame of records begins at `offset`; the segment has `before` of the shard's records before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    offset: u32,
    before: u32,
}

/// Places of one segment: for each shard some of the offsets where its frames begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Index {
    shards: [Vec<Entry>; SHARDS_MAX],
}

/// A part of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Region {
    /// Where its first frame begins.
    pub(super) start: u64,
    /// All frames that count begin before this.
    pub(super) until: u64,
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            shards: [const { Vec::new() }; SHARDS_MAX],
        }
    }

    /// A frame of records of `shard` begins at `offset`, behind `before` records of it.
    pub(super) fn add(&mut self, shard: usize, offset: u64, before: u64) {
        let (Ok(offset), Ok(before)) = (u32::try_from(offset), u32::try_from(before)) else {
            return; // no segment is that long; what is not in the index is found from the entry before
        };
        let entries = &mut self.shards[shard];
        let is_far = entries
            .last()
            .is_none_or(|last| last.offset.saturating_add(GAP_BYTES) <= offset);
        if is_far {
            entries.push(Entry { offset, before });
        }
    }

    /// Adds a frame found at `offset` in a segment where the shard's first record is `first`.
    pub(super) fn add_frame(&mut self, offset: u64, frame: &Frame<'_>, first: Seq) {
        if frame.head.kind.has_records() {
            let before = frame.head.first.saturating_sub(first);
            self.add(usize::from(frame.head.shard), offset, before);
        }
    }

    /// Where the frame begins that has the record with `before` of its shard before it.
    pub(super) fn region(&self, shard: usize, before: u64) -> Option<Region> {
        let entries = &self.shards[shard];
        let after = entries.partition_point(|entry| u64::from(entry.before) <= before);
        let entry = entries.get(after.checked_sub(1)?)?;
        let far = entry.offset.saturating_add(GAP_BYTES);
        let until = entries
            .get(after)
            .map_or(far, |following| following.offset.min(far));
        Some(Region {
            start: entry.offset.into(),
            until: until.into(),
        })
    }

    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let entries: usize = self.shards.iter().map(Vec::capacity).sum();
        size_of::<Self>() + entries * size_of::<Entry>()
    }

    /// The footer of a segment whose frames end at `end`.
    pub(super) fn encode(&self, end: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entries in &self.shards {
            bytes.extend_from_slice(&(entries.len() as u32).to_le_bytes());
            for entry in entries {
                bytes.extend_from_slice(&entry.offset.to_le_bytes());
                bytes.extend_from_slice(&entry.before.to_le_bytes());
            }
        }
        let entries_bytes = bytes.len() as u32;
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&end.to_le_bytes());
        bytes.extend_from_slice(&entries_bytes.to_le_bytes());
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Whether a file of `bytes` whose frames end at `end` has a footer, going by its tail.
    pub(super) fn is_tail(tail: &[u8; TAIL_BYTES], end: u64, bytes: u64) -> bool {
        let footer_bytes = u64::from(u32_at(tail, 16)) + TAIL_BYTES as u64;
        tail.starts_with(MAGIC) && u64_at(tail, 8) == end && end + footer_bytes == bytes
    }

    /// The index in a footer, if `bytes` is one of a segment whose frames end at `end`.
    pub(super) fn decode(bytes: &[u8], end: u64) -> Option<Self> {
        let tail_at = bytes.len().checked_sub(TAIL_BYTES)?;
        let (entries, tail) = bytes.split_at(tail_at);
        let is_right = tail.starts_with(MAGIC)
            && u64_at(tail, 8) == end
            && u32_at(tail, 16) as usize == entries.len()
            && u32_at(tail, 20) == crc32c::crc32c(&bytes[..bytes.len() - 4]);
        if !is_right {
            return None;
        }
        let mut index = Self::new();
        let mut rest = entries;
        for entries in &mut index.shards {
            let (count, after) = rest.split_at_checked(4)?;
            let count = u32_at(count, 0) as usize;
            let (listed, after) = after.split_at_checked(count.checked_mul(8)?)?;
            *entries = listed
                .chunks_exact(8)
                .map(|entry| Entry {
                    offset: u32_at(entry, 0),
                    before: u32_at(entry, 4),
                })
                .collect();
            rest = after;
        }
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let mut index = Index::new();
        index.add(3, 4096, 0);
        index.add(3, 4200, 5); // too close
        index.add(3, 40_000, 9);
        index.add(63, 4160, 0);
        index
    }

    #[test]
    fn a_record_is_in_the_region_of_the_entry_before_it() {
        let region = |start, until| Some(Region { start, until });
        assert_eq!(index().region(3, 0), region(4096, 4096 + 16_384));
        assert_eq!(index().region(3, 8), region(4096, 4096 + 16_384));
        assert_eq!(index().region(3, 9), region(40_000, 40_000 + 16_384));
        assert_eq!(index().region(0, 0), None);
    }

    #[test]
    fn a_footer_comes_back_and_a_bad_one_is_none() {
        let bytes = index().encode(50_000);
        assert_eq!(Index::decode(&bytes, 50_000), Some(index()));
        assert_eq!(Index::decode(&bytes, 50_008), None);
        for byte in 0..bytes.len() {
            let mut rotten = bytes.clone();
            rotten[byte] ^= 4;
            assert_eq!(Index::decode(&rotten, 50_000), None, "byte {byte}");
            assert_eq!(Index::decode(&bytes[..byte], 50_000), None);
        }
    }
}
