//! What stands at the front of each payload: when the message was meant to be sent, by whom,
//! and its number among that publisher's messages.

/// Bytes of a stamp: the smallest payload.
pub const STAMP_BYTES: usize = 16;

const SEQUENCE_BITS: u32 = 40;

/// The front of a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stamp {
    /// When the message was meant to be sent, in nanoseconds of this run's clock.
    pub(super) intended_ns: u64,
    /// Which publisher, below 2^24.
    pub(super) publisher: u32,
    /// Which of its messages, from 0, below 2^40.
    pub(super) sequence: u64,
}

impl Stamp {
    pub(super) fn to_bytes(self) -> [u8; STAMP_BYTES] {
        let who = u64::from(self.publisher) << SEQUENCE_BITS | self.sequence;
        let mut bytes = [0; STAMP_BYTES];
        bytes[..8].copy_from_slice(&self.intended_ns.to_be_bytes());
        bytes[8..].copy_from_slice(&who.to_be_bytes());
        bytes
    }

    /// `None` if the payload is too short to be one of ours.
    pub(super) fn of_payload(payload: &[u8]) -> Option<Self> {
        let (intended, rest) = payload.split_first_chunk::<8>()?;
        let (who, _) = rest.split_first_chunk::<8>()?;
        let who = u64::from_be_bytes(*who);
        Some(Self {
            intended_ns: u64::from_be_bytes(*intended),
            publisher: (who >> SEQUENCE_BITS) as u32,
            sequence: who & ((1 << SEQUENCE_BITS) - 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let stamp = Stamp {
            intended_ns: 1_234_567_890_123,
            publisher: (1 << 24) - 1,
            sequence: (1 << 40) - 1,
        };
        let mut payload = stamp.to_bytes().to_vec();
        payload.extend_from_slice(b"filler");
        assert_eq!(Stamp::of_payload(&payload), Some(stamp));
    }

    #[test]
    fn a_short_payload_is_none_of_ours() {
        assert_eq!(Stamp::of_payload(&[0; 15]), None);
    }
}
