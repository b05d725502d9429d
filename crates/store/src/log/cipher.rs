//! Encryption at rest: the records of a frame and the content of a blob, with
//! XChaCha20-Poly1305. Heads, headers, footers and the names of blobs stay readable, so that a log
//! can be checked without its key.
//!
//! A frame's nonce is the segment's salt and the frame's offset. No salt is ever used by two
//! segments (write.rs), and nothing is written twice at an offset; so no nonce is.
//!
//! A blob's nonce is the beginning of its name's hash, which is keyed: a hash that only its content
//! has, and that nobody without the key can make. So a nonce comes again with the same content
//! alone, and what is encrypted then is the same, too; that two blobs are the same is what their
//! names tell anyway. (RFC 5297 calls it a synthetic initialization vector.) Names and contents
//! of blobs have keys of their own, made from the journal's.

use std::fmt;

use chacha20poly1305::{AeadInPlace, KeyInit, Tag, XChaCha20Poly1305, XNonce};

use super::{blob::Hash, bytes::array};

/// What a sealed body is longer than the records.
pub(super) const TAG_BYTES: usize = 16;
/// No frame is there.
const CHECK_OFFSET: u64 = u64::MAX;
/// What the keys of blobs are made for, as BLAKE3 wants it said.
const BLOB_NAMES: &str = "Quartet journal 2025-11-25 names of blobs";
const BLOB_CONTENTS: &str = "Quartet journal 2025-11-25 contents of blobs";

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

pub(super) struct Cipher {
    frames: XChaCha20Poly1305,
    blobs: XChaCha20Poly1305,
    blob_names: [u8; 32],
}

impl Cipher {
    pub(super) fn new(key: &Key) -> Self {
        let blobs = blake3::derive_key(BLOB_CONTENTS, &key.0);
        Self {
            frames: XChaCha20Poly1305::new((&key.0).into()),
            blobs: XChaCha20Poly1305::new((&blobs).into()),
            blob_names: blake3::derive_key(BLOB_NAMES, &key.0),
        }
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
            .frames
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
        self.frames
            .decrypt_in_place_detached(&nonce(salt, offset), head, &mut records, tag)
            .ok()?;
        Some(records)
    }

    /// The hash in the name of the blob with this content; it tells nothing of it.
    pub(super) fn blob_hash(&self, content: &[u8]) -> Hash {
        *blake3::keyed_hash(&self.blob_names, content).as_bytes()
    }

    /// Encrypts the content of the blob whose name has `hash`.
    pub(super) fn seal_blob(&self, hash: &Hash, content: &mut [u8]) -> [u8; TAG_BYTES] {
        let tag = self
            .blobs
            .encrypt_in_place_detached(&blob_nonce(hash), hash, content)
            .expect("no blob is as long as the cipher's limit of 256 GiB");
        tag.into()
    }

    /// Decrypts it. `None` if it is not what was encrypted as the content of that name.
    pub(super) fn open_blob(
        &self,
        hash: &Hash,
        content: &mut [u8],
        tag: &[u8; TAG_BYTES],
    ) -> Option<()> {
        let tag = Tag::from_slice(tag);
        self.blobs
            .decrypt_in_place_detached(&blob_nonce(hash), hash, content, tag)
            .ok()
    }
}

fn nonce(salt: &[u8; 16], offset: u64) -> XNonce {
    let mut nonce = XNonce::default();
    nonce[..16].copy_from_slice(salt);
    nonce[16..].copy_from_slice(&offset.to_le_bytes());
    nonce
}

fn blob_nonce(hash: &Hash) -> XNonce {
    array::<24>(hash, 0).into()
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
    fn only_the_same_key_and_name_open_a_blob() {
        let cipher = Cipher::new(&Key::new([1; 32]));
        let hash = cipher.blob_hash(b"content");
        let mut sealed = b"content".to_vec();
        let tag = cipher.seal_blob(&hash, &mut sealed);
        assert_ne!(sealed, b"content");
        let open = |cipher: &Cipher, hash| {
            let mut content = sealed.clone();
            cipher.open_blob(&hash, &mut content, &tag)?;
            Some(content)
        };
        assert_eq!(open(&cipher, hash), Some(b"content".to_vec()));
        let mut other_name = hash;
        other_name[31] ^= 1; // not in the nonce
        assert_eq!(open(&cipher, other_name), None);
        let other = Cipher::new(&Key::new([2; 32]));
        assert_ne!(other.blob_hash(b"content"), hash);
        assert_eq!(open(&other, hash), None);
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?}", Key::new([7; 32])), "Key(..)");
    }
}
