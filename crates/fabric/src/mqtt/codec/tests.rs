//! Every packet in every version: there and back, by ourselves and by others; cut short; and
//! random bytes.

mod any; // any packet of a version
mod oracle; // what other codecs make of our bytes

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::mqtt::*;

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

fn version() -> impl Strategy<Value = Version> {
    prop::sample::select(&VERSIONS[..])
}

/// A version and a packet of it.
fn packet() -> impl Strategy<Value = (Version, Packet)> {
    version().prop_flat_map(|version| (Just(version), any::packet(version)))
}

fn encoded(packet: &Packet, version: Version) -> Bytes {
    let mut out = Vec::new();
    packet.encode(version, &mut out);
    out.into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_encoded_decodes_to_the_same((version, packet) in packet()) {
        let bytes = encoded(&packet, version);
        prop_assert_eq!(frame_length(&bytes, usize::MAX), Ok(Some(bytes.len())));
        prop_assert_eq!(decode(&bytes, version), Ok(packet));
    }

    /// A frame whose fields are cut off is refused, or is another whole packet (a shorter
    /// payload, an acknowledgement without its reason); its bytes never are.
    #[test]
    fn what_is_cut_short_is_refused_or_says_less((version, packet) in packet(), cut in 1..20_usize) {
        let bytes = encoded(&packet, version);
        let part = bytes.slice(..bytes.len().saturating_sub(cut));
        let header = bytes.iter().skip(1).position(|byte| byte & 0x80 == 0).unwrap_or(0) + 2;
        if part.len() < header {
            prop_assert_eq!(frame_length(&part, usize::MAX), Ok(None));
            return Ok(());
        }
        let mut shorter = vec![bytes[0]];
        put_varint(&mut shorter, (part.len() - header) as u32);
        shorter.extend_from_slice(&part[header..]);
        if let Ok(less) = decode(&shorter.into(), version) {
            prop_assert_ne!(less, packet);
        }
    }

    #[test]
    fn random_bytes_do_no_harm(version in version(), bytes in vec(any::<u8>(), 0..60)) {
        let _ = frame_length(&bytes, 50);
        let _ = connect_version(&bytes);
        let _ = decode(&bytes.into(), version);
    }

    /// Random changes of good packets come further than random bytes.
    #[test]
    fn what_decodes_after_a_change_encodes_to_what_decodes_the_same(
        (version, packet) in packet(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encoded(&packet, version).to_vec();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let bytes = Bytes::from(bytes);
        if frame_length(&bytes, usize::MAX) != Ok(Some(bytes.len())) {
            return Ok(());
        }
        if let Ok(changed) = decode(&bytes, version) {
            let version = match &changed {
                Packet::Connect(connect) => connect.version,
                _ => version,
            };
            prop_assert_eq!(decode(&encoded(&changed, version), version), Ok(changed));
        }
    }
}

#[test]
fn mqtt_1_5_5_1_numbers_take_the_fewest_bytes() {
    for (number, bytes) in [
        (0, &[0][..]),
        (127, &[0x7F]),
        (128, &[0x80, 1]),
        (16_383, &[0xFF, 0x7F]),
        (16_384, &[0x80, 0x80, 1]),
        (2_097_151, &[0xFF, 0xFF, 0x7F]),
        (2_097_152, &[0x80, 0x80, 0x80, 1]),
        (268_435_455, &[0xFF, 0xFF, 0xFF, 0x7F]),
    ] {
        let mut out = Vec::new();
        put_varint(&mut out, number);
        assert_eq!(
            (out.as_slice(), varint_length(number as usize)),
            (bytes, bytes.len())
        );
        let out = out.into();
        assert_eq!(Reader::of(&out).varint(), Ok(number));
        let mut frame = vec![0x30];
        put_varint(&mut frame, number);
        let whole = 1 + bytes.len() + number as usize;
        assert_eq!(frame_length(&frame, usize::MAX), Ok(Some(whole)));
        let too_large = frame_length(&frame, whole - 1).map_err(|fault| fault.reason);
        assert_eq!(too_large, Err(Reason::PacketTooLarge));
    }
    for needless in [
        &[0x80, 0][..],
        &[0xFF, 0x80, 0],
        &[0x80, 0x80, 0x80, 0x80, 1],
    ] {
        let frame = [&[0x30], needless].concat();
        assert!(frame_length(&frame, usize::MAX).is_err(), "{needless:?}");
        let needless = Bytes::from(needless);
        assert!(Reader::of(&needless).varint().is_err());
    }
}
