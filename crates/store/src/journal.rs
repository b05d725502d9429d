//! What every journal promises. One contract suite (`tests/contract`) runs on all of them.

use std::fmt;

use crate::Batch;

/// How many shards there may be.
pub const SHARDS_MAX: usize = 64;
/// The longest record, in bytes and without a long body: a message of 1 MiB with its topic and
/// properties.
pub const RECORD_BYTES_MAX: usize = (1 << 20) + (128 << 10);
/// A body that is not longer stands in the record as if it were a part of its head; a longer one
/// is long.
pub const BODY_INLINE_BYTES_MAX: usize = 256 << 10;
/// The longest body, in bytes: all that an MQTT packet can carry.
pub const BODY_BYTES_MAX: usize = 256 << 20;
/// The most records in one batch.
pub const BATCH_RECORDS_MAX: usize = 1000;
/// The most bytes of records in one batch, without long bodies.
pub const BATCH_BYTES_MAX: usize = 4 << 20;

/// A part of the hub's state with an order of its own: one owner writes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Shard(pub u8);

/// A record's place in its shard: 1 for the first one ever, without gaps.
pub type Seq = u64;

/// Proof that somebody owned a shard. Whoever owned it before is fenced off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner {
    /// What is owned.
    pub shard: Shard,
    /// How often the shard was owned, this time included.
    pub epoch: u64,
    /// Where the owner's first record goes.
    pub next: Seq,
}

/// A batch on its way into a shard.
#[derive(Debug)]
pub struct Append {
    /// Who appends.
    pub owner: Owner,
    /// Where the batch's first record goes; if something else is there, the append is fenced.
    pub first: Seq,
    /// What is appended.
    pub batch: Batch,
}

/// Called once, when all that was appended together is safe or will not be. Never called from
/// within the call that it was handed to.
pub type Then = Box<dyn FnOnce(Result<(), AppendError>) + Send>;

/// An ordered log for each shard.
///
/// What an append reported as kept survives the death of the process and the loss of power. An
/// append that reported nothing, [`AppendError::Unknown`] or [`AppendError::Broken`], may be there
/// or not, but never in part. Records are never altered; gaps and rot are errors and are never skipped.
pub trait Journal: Send + Sync {
    /// Takes a shard over. All that earlier owners append from now on is refused.
    fn own(&self, shard: Shard) -> Result<Owner, AppendError>;

    /// Appends batches, each to its shard, each atomically; `then` hears when all are safe. Of
    /// several calls from one thread the earlier is answered first, and nothing of a later one
    /// is kept in a shard without all of the earlier ones.
    fn append(&self, appends: Vec<Append>, then: Then);

    /// Visits the records of a shard that are safe, each with its body in one piece, in order,
    /// from `from` on, until `visit` says false. Fails with [`ReadError::Trimmed`] if `from` is
    /// not kept any more.
    fn read(
        &self,
        shard: Shard,
        from: Seq,
        visit: &mut dyn FnMut(Seq, &[u8]) -> bool,
    ) -> Result<(), ReadError>;

    /// Visits the records of all shards, from the place in each that `from` says (0 for the
    /// first that is kept). Each shard's records come in order; the shards in any.
    fn replay(
        &self,
        from: &[Seq; SHARDS_MAX],
        visit: &mut dyn FnMut(Shard, Seq, &[u8]),
    ) -> Result<(), ReadError>;

    /// The first record that is kept of a shard and the place of the next one to come.
    fn span(&self, shard: Shard) -> (Seq, Seq);

    /// Whether there is room for a new body of `bytes`, which comes after all that was appended
    /// up to now. Without room for 0 what is appended still fits, but nothing new should be taken
    /// on. Asks no disk: it says what was seen last, so of several who ask at once all may hear yes.
    fn has_room(&self, bytes: u64) -> bool;

    /// How much room it takes, in bytes, long bodies included.
    fn bytes(&self) -> u64;

    /// How much of that long bodies take.
    fn body_bytes(&self) -> u64;

    /// Where in each shard the records begin that would be left if no more than `bytes_max`
    /// were to be taken, as near as that can be had.
    fn newest(&self, bytes_max: u64) -> [Seq; SHARDS_MAX];

    /// Lets go of the records before `before`; when their room is free again is the journal's
    /// business.
    fn trim(&self, owner: &Owner, before: Seq) -> Result<(), AppendError>;
}

/// Why something was not appended.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else owns the shard, or something else is where this was to go.
    #[error("shard {0} was taken over by another owner, or has other records at this place")]
    Fenced(Shard),
    /// There is no room, or too much is under way; nothing was appended.
    #[error("cannot append to the journal now: {0}")]
    Busy(String),
    /// No implementation takes a batch like this.
    #[error(
        "a batch of {records} records and {bytes} bytes, the longest of {longest_bytes} bytes and the longest body of {body_bytes} bytes, is more than the {BATCH_RECORDS_MAX} records, {BATCH_BYTES_MAX} bytes, {RECORD_BYTES_MAX} bytes a record and {BODY_BYTES_MAX} bytes a body that a journal takes"
    )]
    TooLarge {
        /// How many records.
        records: usize,
        /// How many bytes together, without long bodies.
        bytes: usize,
        /// The longest, without its body if that is long.
        longest_bytes: usize,
        /// The longest body.
        body_bytes: usize,
    },
    /// Nobody can say whether it was appended: own the shard again and look.
    #[error("nobody can say whether the batch is in the journal: {0}")]
    Unknown(String),
    /// The journal cannot be written any more: stop, and open it again.
    #[error("the journal is broken and must be opened again: {0}")]
    Broken(String),
}

/// Why something cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReadError {
    /// It was let go.
    #[error("records of shard {shard} before {first} are not kept any more; {asked} was asked for")]
    Trimmed {
        /// Whose.
        shard: Shard,
        /// The first that is kept.
        first: Seq,
        /// What was asked for.
        asked: Seq,
    },
    /// A record is missing.
    #[error("records {from} to {to} of shard {shard} are missing ({place})")]
    Gap {
        /// Whose.
        shard: Shard,
        /// The first that is missing.
        from: Seq,
        /// The last that is missing.
        to: Seq,
        /// Where: file and offset.
        place: String,
    },
    /// What is there is not what was written.
    #[error("the journal is damaged at {place}: {what}")]
    Corrupt {
        /// Where: file and offset.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// It was written by a newer version.
    #[error("{place} has format {found}; this version reads formats up to {known}")]
    Newer {
        /// Which file.
        place: String,
        /// Its format.
        found: u16,
        /// The newest that is known here.
        known: u16,
    },
    /// The disk does not give it.
    #[error("cannot read {place}: {what}")]
    Io {
        /// Where: file and offset.
        place: String,
        /// What the system says.
        what: String,
    },
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
