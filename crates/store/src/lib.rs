//! Keeps what must not be lost. Start reading at [`Journal`].
//!
//! The store knows nothing of messages or sessions: it keeps records, bytes in an order, and
//! says when they are safe. What the records mean is the hub's.

mod batch; // records that are kept together or not at all
pub mod disk; // where files are: real ones, or simulated
mod journal; // what every implementation promises
mod local; // the journal in a folder of this machine
pub mod log; // all shards in one log of segment files
pub mod sim; // a journal for tests, in memory

pub use batch::{Batch, Record};
pub use journal::{
    Append, AppendError, BATCH_BYTES_MAX, BATCH_RECORDS_MAX, BODY_BYTES_MAX, BODY_INLINE_BYTES_MAX,
    Journal, Owner, RECORD_BYTES_MAX, ReadError, SHARDS_MAX, Seq, Shard, Then,
};
pub use local::{Local, LocalOptions, OpenError, verify};
pub use log::{Key, Report};
