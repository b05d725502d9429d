//! The audit: who came in, who was given or lost which right, who acted, and who was refused; in the
//! order in which the hub learned of it.
//!
//! Each entry is one line of JSON that names the hash (BLAKE3) of the line before. So whoever knows the
//! hash of one line can tell whether any line up to it was altered, added or taken away.

mod chain; // each line names the one before
mod entry; // what is said of one thing that happened
mod tally; // what happens again and again is counted

pub use chain::{BadLine, Chain, Link, Verifier, head_of};
pub use entry::{Door, Entry, What};
pub use tally::Tally;
