//! One log for all shards, in segment files. Deterministic: no threads, no clock; one writer
//! ([`Log`]) and any number of readers ([`Shelf`]).
//!
//! A group is what is made safe by one write and one `fdatasync`; the next group is written only
//! then. So a bad frame with a later group behind it is rot and an error, and one with nothing
//! behind it is what a crash tore: nobody was told that it is safe, and it is cut off.
//!
//! A long body is a file beside the segments, a blob, safe before the frame that refers to it.

mod blob; // a long body in a file of its own
mod blobs; // which of them there are
mod bodies; // long bodies are written before frames, and read with them
mod bytes; // numbers in bytes
mod cipher; // encryption at rest
mod copy; // a backup while it is written
mod frame; // what one append writes
mod header; // a segment's first block
mod index; // where in a segment records are; a sealed segment's footer
mod read; // from any record on, or everything
mod recover; // opens a log, whatever became of it
mod scan; // reads frames one after the other and checks them
mod segment; // a file of the log
mod shelf; // what is safe, for all threads
mod tidy; // footers, a spare segment, removal: what nobody waits for
mod verify; // all that is wrong
mod write; // appends

use std::sync::Arc;

pub use cipher::Key;
pub use shelf::Shelf;
pub use verify::{Report, verify};

use self::{bodies::Staged, header::Standings, index::Index};
use crate::{BODY_INLINE_BYTES_MAX, ReadError, SHARDS_MAX, Seq, disk::Disk};

/// How a log is kept.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// How large a segment is, 16 KiB to 1 GiB; one that has to take a larger append is larger.
    pub segment_bytes: u64,
    /// A longer body is a blob; at most [`BODY_INLINE_BYTES_MAX`].
    pub body_inline_bytes_max: usize,
    /// Other bytes at each opening, which nobody who appends can guess.
    pub salt: [u8; 16],
    /// Encrypts the records.
    pub key: Option<Key>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            body_inline_bytes_max: BODY_INLINE_BYTES_MAX,
            salt: [0; 16],
            key: None,
        }
    }
}

/// Figures of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LogFigures {
    /// What its files take, with blobs and the room that is prepared.
    pub bytes_on_disk: u64,
    /// What is free on the disk, as of the last look.
    pub free_bytes: u64,
    /// How much can be appended even if the disk is full.
    pub headroom_bytes: u64,
    /// Whether there is no spare segment: the disk is full, or nearly.
    pub is_low: bool,
    /// Groups that were made safe since it was opened.
    pub groups: u64,
    /// Calls of `fdatasync` for groups since it was opened.
    pub syncs: u64,
    /// Bytes of groups since it was opened.
    pub bytes_written: u64,
    /// Segments that there are.
    pub segments: u64,
    /// Long bodies that there are, each content once.
    pub blobs: u64,
    /// What their files take.
    pub blob_bytes: u64,
}

/// Why a log cannot be opened or copied. Nothing was changed, unless the disk failed meanwhile.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It is damaged, or newer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It cannot be read without its key.
    #[error("the journal is encrypted, and no key was given")]
    KeyMissing,
    /// Another key was given than it was written with.
    #[error("the journal is encrypted with another key than the one that was given")]
    KeyWrong,
    /// What is in it was not encrypted, so a part of it would stay readable.
    #[error("a key was given, but the journal is not encrypted")]
    NotEncrypted,
    /// A copy would be mixed with what is there.
    #[error("there is a log already")]
    NotEmpty,
    /// The disk fails.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        source: std::io::Error,
    },
}

/// The side of a log that writes. What is staged is visible to nobody until it is committed.
pub struct Log<D: Disk> {
    shelf: Arc<Shelf<D>>,
    options: LogOptions,
    /// Where the shards stand, with what is staged.
    shards: Standings,
    /// The number of the group that is being staged.
    group: u64,
    current: Current<D::File>,
    /// The frames that are staged; they go to where `current` ends.
    buffer: Vec<u8>,
    /// Where in the segment records are staged.
    places: Vec<Place>,
    /// Which blobs the current segment has for what is staged.
    blobs: Vec<Staged>,
    spare: Option<Spare<D::File>>,
    /// Segments that have no footer yet.
    unsealed: Vec<Unsealed<D::File>>,
    /// What is known to be let go even after a crash.
    trimmed_safe: [Seq; SHARDS_MAX],
    /// What the first failure was.
    broken: Option<String>,
    /// What the files take, without the spare.
    segments_bytes: u64,
    figures: LogFigures,
}

/// The segment that is written.
struct Current<F> {
    number: u64,
    salt: [u8; 16],
    file: Arc<F>,
    /// Where the safe frames end.
    end: u64,
    /// How large the file is.
    bytes: u64,
    /// How long its blobs are.
    blob_bytes: u64,
    /// For each shard the segment's first record.
    first: [Seq; SHARDS_MAX],
}

/// A file that will be a segment.
struct Spare<F> {
    file: F,
    bytes: u64,
}

struct Unsealed<F> {
    file: Arc<F>,
    end: u64,
    bytes: u64,
    index: Arc<Index>,
}

/// A frame of records that is staged.
struct Place {
    shard: usize,
    offset: u64,
    before: u64,
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// How errors name a place in a file.
fn place(name: &str, offset: u64) -> String {
    format!("{name} at byte {offset}")
}
