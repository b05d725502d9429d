//! The clock of the command line and the load generator. Nothing else in them reads one or waits.

#![expect(
    clippy::disallowed_methods,
    reason = "the command line is shell: this is the one place where it reads the clock and lets time pass"
)]

use std::time::{Duration, Instant};

/// Nanoseconds of the monotonic clock since one moment of this run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// A clock that begins now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Nanoseconds since the clock began.
    pub(crate) fn ns(self) -> u64 {
        self.elapsed().as_nanos() as u64
    }

    /// Time since the clock began.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Lets time pass, between two tries of something.
pub(crate) fn pause(length: Duration) {
    std::thread::sleep(length);
}

/// The monotonic time.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time of day, here.
pub(crate) fn wall() -> jiff::Zoned {
    jiff::Zoned::now()
}
