//! A blob: the body of a record that is too long for a frame, in a file of its own beside the
//! segments. Its name has the number of the segment whose frames refer to it, and the hash of its
//! content. Little-endian:
//!
//! ```text
//!  0 magic     "QUARTBLB"
//!  8 format    u16
//! 10 is_sealed u8   1: the content is encrypted
//! 16 bytes     u64  of the content; encrypted it is 16 longer
//! 32 checksum  [32] BLAKE3 of all before and of the BLAKE3 of all after
//! 64                the content
//! ```
//!
//! The name's hash is the BLAKE3 of the content, keyed if there is a key, in all of its 32 bytes:
//! with fewer somebody could make two contents of one name. A blob is written under another name
//! and gets its own when it is safe, so what bears the name of a content is never a part of it.

use std::io;

use super::{
    bytes::{array, put, u16_at, u64_at},
    cipher::{Cipher, TAG_BYTES},
    place,
};
use crate::{
    ReadError, Seq, Shard,
    disk::{Disk, DiskFile},
};

/// Of a content.
pub(super) type Hash = [u8; 32];

/// A file that will be a blob.
pub(super) const NEXT: &str = "next.blob";
/// The newest format that is known here.
const FORMAT: u16 = 1;
const MAGIC: &[u8; 8] = b"QUARTBLB";
const HEAD_BYTES: usize = 64;
const CHECKSUM_AT: usize = 32;
/// How much is read at once to check it.
const READ_BYTES: usize = 1 << 20;

/// The name of the blob for the frames of segment `number`.
pub(super) fn name(number: u64, hash: &Hash) -> String {
    let hash = blake3::Hash::from_bytes(*hash).to_hex();
    format!("{number:016}-{hash}.blob")
}

/// The segment and the hash in a blob's name; `None` if it is no blob's.
pub(super) fn parse_name(text: &str) -> Option<(u64, Hash)> {
    let (number, hash) = text.strip_suffix(".blob")?.split_once('-')?;
    let number = number.parse().ok()?;
    let hash = *blake3::Hash::from_hex(hash).ok()?.as_bytes();
    (name(number, &hash) == text).then_some((number, hash))
}

/// The hash in the name of the blob with this content.
pub(super) fn hash(content: &[u8], cipher: Option<&Cipher>) -> Hash {
    match cipher {
        Some(cipher) => cipher.blob_hash(content),
        None => *blake3::hash(content).as_bytes(),
    }
}

/// Writes a content whose hash is `hash`, makes it safe and gives it its name, which is safe
/// with the next [`Disk::sync_folder`]. Says how long the file is. After an error nothing is left.
pub(super) fn write<D: Disk>(
    disk: &D,
    name: &str,
    hash: &Hash,
    content: &[u8],
    cipher: Option<&Cipher>,
) -> io::Result<u64> {
    let length = content.len();
    let Some(cipher) = cipher else {
        let head = encode_head(length, false, hash);
        return put_file(disk, name, &head, content);
    };
    let mut sealed = Vec::with_capacity(length + TAG_BYTES);
    sealed.extend_from_slice(content);
    let tag = cipher.seal_blob(hash, &mut sealed);
    sealed.extend_from_slice(&tag);
    let head = encode_head(length, true, blake3::hash(&sealed).as_bytes());
    put_file(disk, name, &head, &sealed)
}

fn put_file<D: Disk>(disk: &D, name: &str, head: &[u8], stored: &[u8]) -> io::Result<u64> {
    let bytes = (head.len() + stored.len()) as u64;
    let written = disk.create(NEXT, bytes).and_then(|file| {
        file.write_at(head, 0)?;
        file.write_at(stored, head.len() as u64)?;
        file.sync_data()?;
        disk.rename(NEXT, name)
    });
    if written.is_err() {
        let _ = disk.remove(NEXT); // the first error is the one to tell
    }
    written.map(|()| bytes)
}

/// The head of a blob whose content has `bytes`; `stored` is the BLAKE3 of what follows it.
fn encode_head(bytes: usize, is_sealed: bool, stored: &Hash) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    put(&mut head, 0, MAGIC);
    put(&mut head, 8, &FORMAT.to_le_bytes());
    head[10] = u8::from(is_sealed);
    put(&mut head, 16, &(bytes as u64).to_le_bytes());
    let checksum = checksum(&head, stored);
    put(&mut head, CHECKSUM_AT, &checksum);
    head
}

fn checksum(head: &[u8; HEAD_BYTES], stored: &Hash) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&head[..CHECKSUM_AT]);
    hasher.update(stored);
    *hasher.finalize().as_bytes()
}

/// Appends the content of a blob to `record`: `bytes` whose hash is `hash`, or an error. `name` is
/// the file's.
pub(super) fn read<F: DiskFile>(
    file: &F,
    name: &str,
    hash: &Hash,
    bytes: usize,
    cipher: Option<&Cipher>,
    record: &mut Vec<u8>,
) -> Result<(), ReadError> {
    let io = |error: io::Error| ReadError::Io {
        place: name.to_owned(),
        what: error.to_string(),
    };
    let head = read_head(file, name).map_err(io)??;
    let is_sealed = head[10] != 0;
    if u64_at(&head, 16) != bytes as u64 || is_sealed != cipher.is_some() {
        return Err(corrupt(name, "it is not the blob that the record has"));
    }
    let at = record.len();
    let tag_bytes = if is_sealed { TAG_BYTES } else { 0 };
    record.reserve_exact(bytes + tag_bytes);
    record.resize(at + bytes + tag_bytes, 0);
    let filled = file.fill_at(&mut record[at..], HEAD_BYTES as u64);
    if filled.map_err(io)? < bytes + tag_bytes {
        return Err(corrupt(name, "the file is shorter than its content"));
    }
    let (content, tag) = record[at..].split_at_mut(bytes);
    let is_right = match cipher {
        Some(cipher) => cipher.open_blob(hash, content, &array(tag, 0)).is_some(),
        None => blake3::hash(content) == *hash,
    };
    record.truncate(at + bytes);
    is_right
        .then_some(())
        .ok_or_else(|| corrupt(name, "the content is not the one that its name says"))
}

/// What is wrong with a blob, found without a key. `name` is the file's, and has `hash`.
pub(super) fn check<F: DiskFile>(
    file: &F,
    name: &str,
    hash: &Hash,
    bytes: usize,
) -> io::Result<Result<(), ReadError>> {
    let head = match read_head(file, name)? {
        Ok(head) => head,
        Err(error) => return Ok(Err(error)),
    };
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut offset = HEAD_BYTES as u64;
    loop {
        let filled = file.fill_at(&mut buffer, offset)?;
        hasher.update(&buffer[..filled]);
        offset += filled as u64;
        if filled < READ_BYTES {
            break;
        }
    }
    let stored = *hasher.finalize().as_bytes();
    let is_sealed = head[10] != 0;
    let stored_bytes = bytes + if is_sealed { TAG_BYTES } else { 0 };
    let is_whole = checksum(&head, &stored) == array(&head, CHECKSUM_AT)
        && u64_at(&head, 16) == bytes as u64
        && offset == (HEAD_BYTES + stored_bytes) as u64;
    Ok(if !is_whole {
        Err(corrupt(name, "the checksum or the length is wrong"))
    } else if !is_sealed && stored != *hash {
        Err(corrupt(
            name,
            "the content is not the one that its name says",
        ))
    } else {
        Ok(())
    })
}

/// The head, if it is one that this version reads.
fn read_head<F: DiskFile>(file: &F, name: &str) -> io::Result<Result<[u8; HEAD_BYTES], ReadError>> {
    let mut head = [0; HEAD_BYTES];
    let filled = file.fill_at(&mut head, 0)?;
    if filled < HEAD_BYTES || !head.starts_with(MAGIC) {
        return Ok(Err(corrupt(name, "the file does not begin as a blob does")));
    }
    let format = u16_at(&head, 8);
    Ok(if FORMAT < format {
        Err(ReadError::Newer {
            place: name.to_owned(),
            found: format,
            known: FORMAT,
        })
    } else {
        Ok(head)
    })
}

/// The blob of record `seq` is not there.
pub(super) fn missing(name: &str, shard: Shard, seq: Seq) -> ReadError {
    ReadError::Gap {
        shard,
        from: seq,
        to: seq,
        place: name.to_owned(),
    }
}

/// A blob is written only when its segment is safely there, and goes after it.
pub(super) fn no_segment(name: &str) -> ReadError {
    corrupt(name, "the segment that it belongs to is missing")
}

fn corrupt(name: &str, what: &str) -> ReadError {
    ReadError::Corrupt {
        place: place(name, 0),
        what: what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{log::Key, sim::SimDisk};

    const CONTENT: &[u8] = &[7; 1000];

    fn comes_back(cipher: Option<&Cipher>) {
        let disk = SimDisk::new(1);
        let hash = hash(CONTENT, cipher);
        let name = name(12, &hash);
        let bytes = write(&disk, &name, &hash, CONTENT, cipher).unwrap();
        assert_eq!(disk.files(), [(name.clone(), bytes as usize)]);
        let read = || {
            let mut record = b"head".to_vec();
            let file = disk.open(&name).unwrap();
            read(&file, &name, &hash, 1000, cipher, &mut record).map(|()| record)
        };
        let check = || check(&disk.open(&name).unwrap(), &name, &hash, 1000).unwrap();
        assert_eq!(read().unwrap(), [b"head", CONTENT].concat());
        assert_eq!(check(), Ok(()));
        for bit in 0..8 * bytes as u32 {
            let byte = bit as usize / 8;
            assert!(disk.flip(&name, byte, bit));
            assert!(check().is_err(), "bit {bit}");
            if let Ok(record) = read() {
                // Nothing that matters is there, or only what matters to a check.
                assert!(byte < HEAD_BYTES, "bit {bit}");
                assert_eq!(record, [b"head", CONTENT].concat());
            }
            assert!(disk.flip(&name, byte, bit));
        }
        let file = disk.open(&name).unwrap();
        file.truncate(bytes - 1).unwrap();
        assert!(read().is_err() && check().is_err());
    }

    #[test]
    fn a_blob_comes_back_and_a_bad_one_does_not() {
        comes_back(None);
        comes_back(Some(&Cipher::new(&Key::new([3; 32]))));
    }

    #[test]
    fn only_names_of_blobs_are_parsed() {
        let hash = hash(CONTENT, None);
        let good = name(12, &hash);
        assert_eq!(parse_name(&good), Some((12, hash)));
        let others = [
            NEXT.to_owned(),
            good.to_uppercase(),
            good[1..].to_owned(),
            good.replacen('0', "+", 1),
            format!("{good}.blob"),
        ];
        for other in others {
            assert_eq!(parse_name(&other), None, "{other}");
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let disk = SimDisk::new(1);
        let file = disk.create("file", 64).unwrap();
        let mut head = encode_head(0, false, &[0; 32]);
        head[8] = 2;
        file.write_at(&head, 0).unwrap();
        let error = read_head(&file, "file").unwrap().unwrap_err();
        let says = "file has format 2; this version reads formats up to 1";
        assert_eq!(error.to_string(), says);
    }
}
