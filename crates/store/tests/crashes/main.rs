//! Journals on a simulated disk that crashes, fails and rots, against a plain model of what must
//! be there. Each run follows from its seed; a failure prints it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bodies; // what may happen to long bodies
mod faults; // runs on disks that fail and rot
mod model; // what must be there
mod run; // one run: commands from a seed, on the journal and the model

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Seeds that failed once; they are tried first.
const FAILED_ONCE: &[u64] = &[];

/// Tries the seeds that failed once, and then `seeds` others.
fn for_seeds(seeds: u64, run: impl Fn(u64)) {
    for seed in FAILED_ONCE.iter().copied().chain(0..seeds) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed))) {
            eprintln!("seed {seed} failed");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn what_was_acknowledged_survives_crashes_and_nothing_else_appears() {
    for_seeds(2000, run::run);
}
