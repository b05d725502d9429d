//! Bytes to packets and back (MQTT 5.0, sections 1.5, 2 and 3).
//!
//! Decoding is strict: what the standard calls malformed is refused with the reason code that
//! it names. Text and payloads are slices of the frame; nothing is copied.

mod decode; // a frame to a packet
mod encode; // a packet to a frame
mod reader; // the fields of a frame

use super::{PacketKind, Reason};

pub use decode::{connect_version, decode};
pub use encode::put_publish;
pub(super) use encode::{put_binary, put_varint, varint_length};
pub(super) use reader::Reader;

/// The longest remaining length that four bytes can say (section 1.5.5).
pub const MAX_REMAINING_LENGTH: usize = 268_435_455;

/// What is wrong with what the other side sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub struct Fault {
    /// The code that the standard gives for it.
    pub reason: Reason,
    /// In words.
    pub what: &'static str,
}

impl Fault {
    /// With the reason code that the standard gives for it.
    pub const fn new(reason: Reason, what: &'static str) -> Self {
        Self { reason, what }
    }

    /// Bytes that are no packet (section 4.13.1).
    pub const fn malformed(what: &'static str) -> Self {
        Self::new(Reason::MalformedPacket, what)
    }

    /// A packet that may not be sent now or like this (section 4.13.1).
    pub const fn protocol(what: &'static str) -> Self {
        Self::new(Reason::ProtocolError, what)
    }
}

/// How long the frame at the start of `bytes` is, or `None` if more bytes are needed to tell.
///
/// A frame of more than `bytes_max` is refused as soon as its length is known, so that
/// nobody has to store what will be refused.
pub fn frame_length(bytes: &[u8], bytes_max: usize) -> Result<Option<usize>, Fault> {
    let Some(&first) = bytes.first() else {
        return Ok(None);
    };
    check_first_byte(first)?;
    let mut length = 0_usize;
    for (i, &byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            // The encoded value must use the fewest bytes [MQTT-1.5.5-1].
            if byte == 0 && 0 < i {
                return Err(Fault::malformed("a length is written with needless bytes"));
            }
            let total = 2 + i + length;
            if bytes_max < total {
                // [MQTT-3.2.2-15]
                return Err(Fault::new(
                    Reason::PacketTooLarge,
                    "the packet is larger than this hub takes",
                ));
            }
            return Ok(Some(total));
        }
        if i == 3 {
            return Err(Fault::malformed("a length is longer than four bytes"));
        }
    }
    Ok(None)
}

/// The packet type must exist, and flags marked reserved must have the value that the
/// standard lists [MQTT-2.1.3-1]. Known from the first byte, before anything is stored.
fn check_first_byte(first: u8) -> Result<PacketKind, Fault> {
    let kind = PacketKind::from_number(first >> 4)
        .ok_or(Fault::malformed("packet type 0 does not exist"))?;
    let expected = match kind {
        PacketKind::Publish => return Ok(kind),
        // [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1]
        PacketKind::PubRel | PacketKind::Subscribe | PacketKind::Unsubscribe => 0b0010,
        // [MQTT-3.14.1-1] [MQTT-3.15.1-1]
        _ => 0,
    };
    // MQTT 3.1 sends these again with DUP (3.1, section 2.1); who may, is for `decode` to say.
    let dup = if expected == 0 { 0 } else { DUP };
    if first & 0x0F & !dup != expected {
        return Err(Fault::malformed(RESERVED_FLAGS));
    }
    Ok(kind)
}

const DUP: u8 = 0b1000;
const RESERVED_FLAGS: &str = "reserved flags of the first byte are set";

#[cfg(test)]
mod tests;
