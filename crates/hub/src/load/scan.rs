//! Frames in a read buffer, looked at where they lie: nothing is copied, nothing allocated.
//!
//! It reads only what the generator needs and trusts no length. The strict decoder is
//! `quartet_fabric::mqtt::decode`, which is used for everything but the stream of messages.

use quartet_fabric::mqtt::{Fault, Version, frame_length};

/// The next thing in the buffer.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Scanned<'b> {
    /// A message.
    Publish {
        /// 0, 1 or 2.
        qos: u8,
        /// 0 at QoS 0.
        packet_id: u16,
        /// What was said.
        payload: &'b [u8],
    },
    /// PUBACK, PUBREC, PUBREL or PUBCOMP.
    Ack {
        /// The packet type's number.
        kind: u8,
        /// Of the message that it is about.
        packet_id: u16,
        /// Whether the reason code says that something failed.
        is_error: bool,
    },
    /// Any other packet, whole.
    Other(&'b [u8]),
}

/// The frame at the start of `bytes` and its length, or `None` if more bytes are needed.
pub(super) fn next(
    bytes: &[u8],
    version: Version,
    bytes_max: usize,
) -> Result<Option<(Scanned<'_>, usize)>, Fault> {
    let length = match frame_length(bytes, bytes_max)? {
        Some(length) if length <= bytes.len() => length,
        _ => return Ok(None),
    };
    let frame = &bytes[..length];
    let scanned = match frame[0] >> 4 {
        3 => publish(frame, version).ok_or(Fault::malformed("a PUBLISH ends too early"))?,
        kind @ 4..=7 => {
            let &[high, low, ref rest @ ..] = body(frame) else {
                return Err(Fault::malformed("an acknowledgement ends too early"));
            };
            Scanned::Ack {
                kind,
                packet_id: u16::from_be_bytes([high, low]),
                is_error: rest.first().is_some_and(|&reason| reason >= 0x80),
            }
        }
        _ => Scanned::Other(frame),
    };
    Ok(Some((scanned, length)))
}

/// What follows the fixed header of a frame that is known to be whole.
fn body(frame: &[u8]) -> &[u8] {
    let length = frame[1..].iter().take(4).position(|byte| byte & 0x80 == 0);
    &frame[length.map_or(frame.len(), |last| last + 2)..]
}

fn publish(frame: &[u8], version: Version) -> Option<Scanned<'_>> {
    let qos = frame[0] >> 1 & 3;
    let (topic_bytes, rest) = body(frame).split_first_chunk::<2>()?;
    let mut rest = rest.get(usize::from(u16::from_be_bytes(*topic_bytes))..)?;
    let mut packet_id = 0;
    if qos != 0 {
        let (id, after) = rest.split_first_chunk::<2>()?;
        packet_id = u16::from_be_bytes(*id);
        rest = after;
    }
    if version == Version::V5 {
        let (properties_bytes, after) = varint(rest)?;
        rest = after.get(properties_bytes..)?;
    }
    Some(Scanned::Publish {
        qos,
        packet_id,
        payload: rest,
    })
}

fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (i, &byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use quartet_fabric::mqtt::{
        Ack, MAX_REMAINING_LENGTH, Packet, Properties, Property, Publish, Reason,
    };
    use quartet_model::Qos;

    use super::*;

    fn message(qos: Qos, payload: Vec<u8>, with_property: bool) -> Publish {
        let mut properties = Vec::new();
        if with_property {
            Property::ContentType("text/plain".into()).write(&mut properties);
        }
        Publish {
            dup: false,
            qos,
            retain: false,
            topic: "ward/3".into(),
            packet_id: if qos == Qos::AtMostOnce { 0 } else { 513 },
            alias: None,
            expiry_s: None,
            subscription_ids: Vec::new(),
            properties: Bytes::from(properties),
            payload: Bytes::from(payload),
        }
    }

    proptest! {
        #[test]
        fn the_scan_sees_what_the_codec_wrote(
            level in 0_u8..3,
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            v5: bool,
            with_property: bool,
        ) {
            let qos = Qos::from_level(level).unwrap();
            let version = if v5 { Version::V5 } else { Version::V311 };
            let publish = message(qos, payload, with_property && v5);
            let mut bytes = Vec::new();
            Packet::Publish(publish.clone()).encode(version, &mut bytes);
            let whole = bytes.len();
            bytes.extend_from_slice(b"\x30\x05the next");
            for end in 0..whole {
                prop_assert_eq!(next(&bytes[..end], version, MAX_REMAINING_LENGTH), Ok(None));
            }
            let expected = Scanned::Publish {
                qos: level,
                packet_id: publish.packet_id,
                payload: &publish.payload,
            };
            prop_assert_eq!(
                next(&bytes, version, MAX_REMAINING_LENGTH),
                Ok(Some((expected, whole)))
            );
        }

        #[test]
        fn no_bytes_make_the_scan_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = next(&bytes, Version::V5, 1 << 20);
            let _ = next(&bytes, Version::V311, 1 << 20);
        }
    }

    #[test]
    fn an_acknowledgement_says_whether_it_refuses() {
        for (reason, is_error) in [(Reason::Success, false), (Reason::QuotaExceeded, true)] {
            let mut bytes = Vec::new();
            let ack = Ack {
                packet_id: 7,
                reason,
                properties: Properties::none(),
            };
            Packet::PubAck(ack).encode(Version::V5, &mut bytes);
            let expected = Scanned::Ack {
                kind: 4,
                packet_id: 7,
                is_error,
            };
            assert_eq!(
                next(&bytes, Version::V5, 100),
                Ok(Some((expected, bytes.len())))
            );
        }
    }

    #[test]
    fn a_publish_that_ends_inside_its_topic_is_malformed() {
        let bytes = [0x30, 3, 0, 200, b'a'];
        assert!(next(&bytes, Version::V311, 100).is_err());
    }
}
