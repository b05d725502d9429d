//! Little-endian numbers at fixed places, and lengths of 1 to 5 bytes.

/// The bytes at `at`. The caller has looked that they are there.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

pub(super) fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    bytes[at..at + what.len()].copy_from_slice(what);
}

/// Appends a length, seven bits a byte, the lowest first.
pub(super) fn push_length(bytes: &mut Vec<u8>, length: usize) {
    let mut rest = length;
    while 0x7f < rest {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

/// How many bytes [`push_length`] appends.
pub(super) fn length_bytes(length: usize) -> usize {
    let bits = (usize::BITS - length.leading_zeros()).max(1);
    bits.div_ceil(7) as usize
}

/// Takes a length off the front.
pub(super) fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_come_back() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 1 << 20, 4 << 20] {
            let mut bytes = Vec::new();
            push_length(&mut bytes, length);
            assert_eq!(bytes.len(), length_bytes(length));
            let mut rest = &bytes[..];
            assert_eq!(take_length(&mut rest), Some(length));
            assert!(rest.is_empty());
        }
        assert_eq!(take_length(&mut &[0x80, 0x80][..]), None);
        assert_eq!(take_length(&mut &[0xff; 9][..]), None);
    }
}
