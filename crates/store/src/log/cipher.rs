//! Encryption at rest: the records of a frame, with XChaCha20-Poly1305. Heads, headers and
//! footers stay readable, so that a log can be checked without its key.
//!
//! The nonce is the segment's salt and the frame's offset. No salt is ever used by two segments
//! (write.rs), and nothing is written twice at an offset; so no nonce is.

use std::fmt;

use chacha20poly1305::{AeadInPlace, KeyInit, Tag, XChaCha20Poly1305, XNonce};

/// What a sealed body is longer than the records.
pub(super) const TAG_BYTES: usize = 16;
/// No frame is there.
const CHECK_OFFSET: u64 = u64::MAX;

/// The key of an encrypted journal.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// A key of 32 bytes that nobody can guess.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// Keys must not get into logs.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

pub(super) struct Cipher(XChaCha20Poly1305);

impl Cipher {
    pub(super) fn new(key: &Key) -> Self {
        Self(XChaCha20Poly1305::new((&key.0).into()))
    }

    /// What a segment's header has, to tell the right key from a wrong one.
    pub(super) fn check(&self, salt: &[u8; 16]) -> [u8; TAG_BYTES] {
        self.seal(salt, CHECK_OFFSET, &[], &mut [])
    }

    /// Encrypts the records of the frame at `offset`; `head` can then not be altered either.
    pub(super) fn seal(
        &self,
        salt: &[u8; 16],
        offset: u64,
        head: &[u8],
        records: &mut [u8],
    ) -> [u8; TAG_BYTES] {
        let tag = self
            .0
            .encrypt_in_place_detached(&nonce(salt, offset), head, records)
            .expect("no frame is as long as the cipher's limit of 256 GiB");
        tag.into()
    }

    /// The records of a frame whose body is `sealed`, if this is its key.
    pub(super) fn open(
        &self,
        salt: &[u8; 16],
        offset: u64,
        head: &[u8],
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        let (records, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG_BYTES)?)?;
        let mut records = records.to_vec();
        let tag = Tag::from_slice(tag);
        self.0
            .decrypt_in_place_detached(&nonce(salt, offset), head, &mut records, tag)
            .ok()?;
        Some(records)
    }
}

fn nonce(salt: &[u8; 16], offset: u64) -> XNonce {
    let mut nonce = XNonce::default();
    nonce[..16].copy_from_slice(salt);
    nonce[16..].copy_from_slice(&offset.to_le_bytes());
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_place_and_head_open_it() {
        let cipher = Cipher::new(&Key::new([1; 32]));
        let mut sealed = b"records".to_vec();
        let tag = cipher.seal(&[2; 16], 4096, b"head", &mut sealed);
        assert_ne!(sealed, b"records");
        sealed.extend(tag);
        let open = |cipher: &Cipher, salt, offset, head: &[u8]| {
            cipher.open(&[salt; 16], offset, head, &sealed)
        };
        assert_eq!(open(&cipher, 2, 4096, b"head"), Some(b"records".to_vec()));
        assert_eq!(open(&cipher, 3, 4096, b"head"), None);
        assert_eq!(open(&cipher, 2, 4104, b"head"), None);
        assert_eq!(open(&cipher, 2, 4096, b"heap"), None);
        let other = Cipher::new(&Key::new([2; 32]));
        assert_eq!(open(&other, 2, 4096, b"head"), None);
        assert_eq!(cipher.open(&[2; 16], 4096, b"head", b"short"), None);
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?}", Key::new([7; 32])), "Key(..)");
    }
}
