//! Keeps what must not be lost. Start reading at [`Journal`].
//!
//! The store knows nothing of messages or sessions: it keeps records, bytes in an order, and
//! says when they are safe. What the records mean is the hub's.

mod batch; // records that are kept together or not at all
mod journal; // what every implementation promises

pub use batch::Batch;
pub use journal::{
    Append, AppendError, BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Journal, Owner, RECORD_BYTES_MAX,
    ReadError, SHARDS_MAX, Seq, Shard, Then,
};
