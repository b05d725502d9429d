//! A file of the log: its name, what is in it, and how one is begun.

use super::{
    Spare,
    bytes::u64_at,
    header::{HEADER_BYTES, Header},
    index::{Index, TAIL_BYTES},
    place,
    scan::{Found, Scan},
};
use crate::{
    ReadError, SHARDS_MAX, Seq,
    disk::{Disk, DiskFile},
};

/// The file that will be the next segment; it holds nothing.
pub(super) const NEXT: &str = "next.seg";

/// What is in a segment.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// Its secret.
    pub(super) salt: [u8; 16],
    /// Where its frames end.
    pub(super) end: u64,
    /// For each shard the first record that is in it, if there is one.
    pub(super) first: [Seq; SHARDS_MAX],
    /// For each shard the first that is not in it any more.
    pub(super) next: [Seq; SHARDS_MAX],
}

pub(super) fn name(number: u64) -> String {
    format!("{number:016}.seg")
}

/// What the frames of a segment with this salt bear.
pub(super) fn mark(salt: &[u8; 16]) -> u64 {
    u64_at(salt, 0)
}

/// The number of a segment's file; `None` if it is no segment's.
pub(super) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    let is_number = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

impl Segment {
    /// One that begins as `header` says and has no frame.
    pub(super) fn new(header: &Header) -> Self {
        let first = std::array::from_fn(|shard| header.shards[shard].next);
        Self {
            number: header.number,
            salt: header.salt,
            end: HEADER_BYTES as u64,
            first,
            next: first,
        }
    }

    pub(super) fn name(&self) -> String {
        name(self.number)
    }

    /// What its frames bear.
    pub(super) fn mark(&self) -> u64 {
        mark(&self.salt)
    }

    /// Whether it has any records of `shard`.
    pub(super) fn has(&self, shard: usize) -> bool {
        self.first[shard] < self.next[shard]
    }

    /// Its index: from its footer, or else from its frames.
    pub(super) fn index<F: DiskFile>(&self, file: &F) -> Result<Index, ReadError> {
        let io = |error: std::io::Error| ReadError::Io {
            place: place(&self.name(), self.end),
            what: error.to_string(),
        };
        let footer = footer(file, self.end).map_err(io)?;
        if let Some(index) = Index::decode(&footer, self.end) {
            return Ok(index);
        }
        let mut index = Index::new();
        let mut scan = Scan::new(file, self.mark(), HEADER_BYTES as u64, self.end);
        loop {
            match scan.next().map_err(io)? {
                Found::Frame(offset, frame) => {
                    let first = self.first[usize::from(frame.head.shard)];
                    index.add_frame(offset, &frame, first);
                }
                Found::Bad(offset) => return Err(no_frame(&self.name(), offset)),
                Found::End => return Ok(index),
            }
        }
    }
}

/// A frame should be there and is not.
pub(super) fn no_frame(name: &str, offset: u64) -> ReadError {
    ReadError::Corrupt {
        place: place(name, offset),
        what: "no whole frame with a right checksum is there".to_owned(),
    }
}

/// What stands behind the frames, if it ends as a footer does.
fn footer<F: DiskFile>(file: &F, end: u64) -> std::io::Result<Vec<u8>> {
    let bytes = file.bytes()?;
    let mut tail = [0; TAIL_BYTES];
    let tail_at = bytes.saturating_sub(TAIL_BYTES as u64).max(end);
    let filled = file.fill_at(&mut tail, tail_at)?;
    if filled < TAIL_BYTES || !Index::is_tail(&tail, end, bytes) {
        return Ok(Vec::new());
    }
    let mut footer = vec![0; usize::try_from(bytes - end).unwrap_or_default()];
    let filled = file.fill_at(&mut footer, end)?;
    footer.truncate(filled);
    Ok(footer)
}

/// Whether the file says that another segment follows it.
pub(super) fn is_sealed<F: DiskFile>(file: &F, end: u64) -> std::io::Result<bool> {
    Ok(Index::decode(&footer(file, end)?, end).is_some())
}

/// Writes the footer of a segment behind which another one has safely begun, and gives the rest
/// of its room back.
pub(super) fn seal<F: DiskFile>(file: &F, end: u64, index: &Index) -> std::io::Result<u64> {
    let footer = index.encode(end);
    file.write_at(&footer, end)?;
    let bytes = end + footer.len() as u64;
    file.truncate(bytes)?;
    file.sync_data()?;
    Ok(bytes)
}

/// Makes room for a segment of `bytes`, under the name [`NEXT`].
pub(super) fn prepare<D: Disk>(disk: &D, bytes: u64) -> std::io::Result<Spare<D::File>> {
    let file = disk.create(NEXT, bytes)?;
    file.sync_data()?;
    Ok(Spare { file, bytes })
}

/// Makes `spare` the segment that `header` begins. When this returns, it is safely there.
pub(super) fn begin<D: Disk>(
    disk: &D,
    spare: &Spare<D::File>,
    header: &Header,
) -> std::io::Result<()> {
    spare.file.write_at(&header.encode(), 0)?;
    spare.file.sync_data()?;
    disk.rename(NEXT, &name(header.number))?;
    disk.sync_folder()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_segments_have_numbers() {
        assert_eq!(number(&name(12)), Some(12));
        for other in ["next.seg", "lock", "1.seg", "+000000000000001.seg"] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
