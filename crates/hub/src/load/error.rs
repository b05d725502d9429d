//! Why a run did not come about, in words that say what to do.

use std::io;

use crate::client::Endpoint;

/// Why a run did not come about, or came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The generator does not speak TLS.
    #[error("cannot measure {0}: the load generator speaks mqtt:// and unix:// only")]
    Tls(Endpoint),
    /// The host has no address.
    #[error("cannot find the address of {endpoint}: {why}")]
    Resolve {
        /// What was tried.
        endpoint: Endpoint,
        /// What went wrong.
        why: io::Error,
    },
    /// Nobody takes connections.
    #[error("cannot connect to {endpoint}: {why}; is the broker running, and listening there?")]
    Unreachable {
        /// What was tried.
        endpoint: Endpoint,
        /// What went wrong.
        why: io::Error,
    },
    /// More connections than files.
    #[error(
        "{needed} files are needed, but the limit of this process is {limit}; raise it (`ulimit -n`) or use fewer clients"
    )]
    Files {
        /// How many files the run needs.
        needed: u64,
        /// How many there may be.
        limit: u64,
    },
    /// A process to be watched cannot be.
    #[error("cannot read what process {pids} uses: {why}; is --pid the broker's?")]
    Process {
        /// Which.
        pids: String,
        /// What went wrong.
        why: io::Error,
    },
    /// A connection did not come about.
    #[error("after {ready} of {wanted} connections: {failure}")]
    Connection {
        /// How many stood.
        ready: u64,
        /// How many were wanted.
        wanted: u64,
        /// What went wrong.
        failure: String,
    },
    /// Something that is ours.
    #[error("the load generator itself failed: {0}")]
    Own(#[from] io::Error),
}
