//! Torture: the real hub is killed, or cut off from power, again and again under load, and its
//! clients keep their side of MQTT 5. What was acknowledged must not be lost, nothing doubled at
//! QoS 2, nothing out of order, no session forgotten.
//!
//! Start reading at [`run`]. The points at which the hub dies come from a seed; what happens
//! between two of them is up to real threads and sockets, so a seed repeats a series only
//! roughly. `sim` tells such stories exactly, on a simulated hub.

mod board; // what clients and killer tell each other
mod chance; // what is left to chance
mod disk; // a file system whose power can be cut
mod history; // what happened, and what is wrong with it
mod hub; // the real binary, from spawn to kill
mod message; // messages that prove themselves
mod publisher; // says, and says again
mod report; // figures of some series
mod series; // one data folder from the first start to the last
mod subscriber; // hears, and answers
mod wire; // one connection

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

pub use history::{Finding, Group, Heard, History, Kind, Said};
pub use message::MessageId;
pub use report::Report;
pub use series::run;

/// One series: one data folder, and how the hub on it dies.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The binary `quartet`.
    pub program: PathBuf,
    /// An empty folder of the series' own.
    pub folder: PathBuf,
    /// What is left to chance follows from it.
    pub seed: u64,
    /// Lanes of the hub.
    pub lanes: u8,
    /// How often the hub is killed, at least: some more die while it starts.
    pub kills: usize,
    /// How often its power is cut. If at all, the data folder lies on a file system of its own,
    /// which takes root and loop devices.
    pub power_cuts: usize,
    /// How many of the hub's lives are long: so much is said that what was written before is
    /// tidied up.
    pub long_lives: usize,
    /// Acknowledgements between two deaths, at most.
    pub acks_max: u64,
    /// Spoils the data folder before each start, to see that this is noticed.
    pub spoil: Option<fn(&Path)>,
    /// Ends the series early with [`TortureError::Stopped`].
    pub stop: Arc<AtomicBool>,
}

/// Why a series has no result.
#[derive(Debug, thiserror::Error)]
pub enum TortureError {
    /// The hub does not come up: it cannot use what is in its data folder, or its power was cut
    /// before it had one.
    #[error(
        "the hub does not start in series {series}, life {life}: {why}\nthe end of its log:\n{log}"
    )]
    Start {
        /// The series' seed.
        series: u64,
        /// How often it had been started.
        life: u64,
        /// What happened instead.
        why: String,
        /// What it said.
        log: String,
    },
    /// A file system of our own cannot be made or mounted.
    #[error("cannot {what} ({why}); power cuts need root, ext4 and loop devices")]
    Disk {
        /// What was tried.
        what: String,
        /// What was answered.
        why: String,
    },
    /// The system refuses something else.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// Somebody wanted it to end.
    #[error("stopped")]
    Stopped,
}

impl TortureError {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
