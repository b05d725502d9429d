//! `quartet bench`: a load generator that measures any MQTT broker in the same way.
//!
//! A [`Plan`] says who publishes to whom; [`run`] carries it out and makes a [`Report`]. Each
//! thread serves thousands of connections with one poll and one read buffer. Latency counts
//! from the time at which a message was *meant* to be sent, so a stalled broker (or generator)
//! shows in it, and every message is accounted for by its sequence number.

mod conclude; // from records to a report
mod conduct; // the course of a run
mod error; // why a run did not come about
mod link; // one connection
mod notes; // what should be known before figures are believed
mod pace; // when each message is meant to be sent
mod plan; // who publishes to whom
mod process; // what /proc says
mod publisher; // what is due, and what waits for an acknowledgement
mod reach; // files and a broker, before a run
mod records; // what a thread writes down
mod report; // what was found
mod scan; // frames in the read buffer
mod socket; // TCP or Unix
mod stamp; // the front of each payload
mod tally; // losses, duplicates, order
pub(crate) mod text; // figures as people read them
mod timer; // wakes the poll on time
mod worker; // one thread

pub use conduct::run;
pub use error::LoadError;
pub use plan::{Plan, Scenario};
pub use report::{Connected, Generator, Messages, Quantiles, Report, Server, Throughput};
pub use stamp::STAMP_BYTES;

#[cfg(test)]
mod tests;
