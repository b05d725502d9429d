//! The first block of a segment: where everything stands when it begins, so that each segment
//! can be checked without those before it. Little-endian:
//!
//! ```text
//!   0 magic        "QUARTLOG"
//!   8 format       u16  in 1 no record had a blob
//!  10 is_sealed    u8   1: the records are encrypted
//!  16 number       u64  of this segment
//!  24 previous_end u64  where the one before ends, 0 if there was none
//!  32 group        u64  the next group's number
//!  40 salt         [16] the frames' mark is its first half
//!  56 key_check    [16] tells a wrong key from the right one
//! 128              for each of 64 shards: next u64, epoch u64, trimmed u64, chain [16]
//! 4092 crc         u32  CRC32C of all before
//! ```

use super::{
    bytes::{array, put, u16_at, u32_at, u64_at},
    frame::Chain,
};
use crate::{ReadError, SHARDS_MAX, Seq};

pub(super) const HEADER_BYTES: usize = 4096;
/// The newest format that is known here.
pub(super) const FORMAT: u16 = 2;

const MAGIC: &[u8; 8] = b"QUARTLOG";
const SHARDS_AT: usize = 128;
const SHARD_BYTES: usize = 40;
const CRC_AT: usize = HEADER_BYTES - 4;

/// Where a shard stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Standing {
    /// Where the next record goes.
    pub(super) next: Seq,
    /// How often it was owned.
    pub(super) epoch: u64,
    /// The first record that is kept.
    pub(super) trimmed: Seq,
    /// Of its last frame.
    pub(super) chain: Chain,
}

/// All shards.
pub(super) type Standings = [Standing; SHARDS_MAX];

/// Where all shards stand before anything was written.
pub(super) const NOTHING: Standings = [Standing {
    next: 1,
    epoch: 0,
    trimmed: 1,
    chain: [0; 16],
}; SHARDS_MAX];

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) number: u64,
    pub(super) previous_end: u64,
    pub(super) group: u64,
    pub(super) salt: [u8; 16],
    /// Set if the records are encrypted.
    pub(super) key_check: Option<[u8; 16]>,
    pub(super) shards: Standings,
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        put(&mut bytes, 0, MAGIC);
        put(&mut bytes, 8, &FORMAT.to_le_bytes());
        bytes[10] = u8::from(self.key_check.is_some());
        put(&mut bytes, 16, &self.number.to_le_bytes());
        put(&mut bytes, 24, &self.previous_end.to_le_bytes());
        put(&mut bytes, 32, &self.group.to_le_bytes());
        put(&mut bytes, 40, &self.salt);
        put(&mut bytes, 56, &self.key_check.unwrap_or_default());
        for (shard, standing) in self.shards.iter().enumerate() {
            let at = SHARDS_AT + shard * SHARD_BYTES;
            put(&mut bytes, at, &standing.next.to_le_bytes());
            put(&mut bytes, at + 8, &standing.epoch.to_le_bytes());
            put(&mut bytes, at + 16, &standing.trimmed.to_le_bytes());
            put(&mut bytes, at + 24, &standing.chain);
        }
        let crc = crc32c::crc32c(&bytes[..CRC_AT]);
        put(&mut bytes, CRC_AT, &crc.to_le_bytes());
        bytes
    }

    /// The header of segment `number`; `name` is the file's, for errors.
    pub(super) fn decode(bytes: &[u8], number: u64, name: &str) -> Result<Self, ReadError> {
        let corrupt = |what: &str| ReadError::Corrupt {
            place: format!("{name} at byte 0"),
            what: what.to_owned(),
        };
        if bytes.len() < HEADER_BYTES {
            return Err(corrupt("the file is shorter than its header"));
        }
        if !bytes.starts_with(MAGIC) {
            return Err(corrupt("the file does not begin as a segment does"));
        }
        // Another format may have its checksum elsewhere: this must be looked at first.
        let format = u16_at(bytes, 8);
        if FORMAT < format {
            return Err(ReadError::Newer {
                place: name.to_owned(),
                found: format,
                known: FORMAT,
            });
        }
        if u32_at(bytes, CRC_AT) != crc32c::crc32c(&bytes[..CRC_AT]) {
            return Err(corrupt("the header's checksum is wrong"));
        }
        if u64_at(bytes, 16) != number {
            return Err(corrupt("the header bears the number of another segment"));
        }
        let mut shards = NOTHING;
        for (shard, standing) in shards.iter_mut().enumerate() {
            let at = SHARDS_AT + shard * SHARD_BYTES;
            *standing = Standing {
                next: u64_at(bytes, at),
                epoch: u64_at(bytes, at + 8),
                trimmed: u64_at(bytes, at + 16),
                chain: array(bytes, at + 24),
            };
        }
        Ok(Self {
            number,
            previous_end: u64_at(bytes, 24),
            group: u64_at(bytes, 32),
            salt: array(bytes, 40),
            key_check: (bytes[10] != 0).then(|| array(bytes, 56)),
            shards,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let mut shards = NOTHING;
        shards[63] = Standing {
            next: 12,
            epoch: 3,
            trimmed: 4,
            chain: [9; 16],
        };
        Header {
            number: 7,
            previous_end: 4096 + 8,
            group: 99,
            salt: [5; 16],
            key_check: None,
            shards,
        }
    }

    #[test]
    fn a_header_comes_back() {
        let bytes = header().encode();
        assert_eq!(Header::decode(&bytes, 7, "file"), Ok(header()));
    }

    #[test]
    fn no_bit_can_be_other_than_it_was_written() {
        let bytes = header().encode();
        for bit in 0..bytes.len() * 8 {
            let mut rotten = bytes.clone();
            rotten[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&rotten, 7, "file").is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let mut bytes = header().encode();
        bytes[8] = 3;
        let error = Header::decode(&bytes, 7, "file").unwrap_err();
        assert_eq!(
            error.to_string(),
            "file has format 3; this version reads formats up to 2"
        );
    }
}
