#![expect(clippy::disallowed_methods, reason = "this is the shell's clock")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use quartet_model::Time;

/// Reads the time: the wall's at the start, and from then on steadily forward, whatever
/// happens to the wall's.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    started_at: Time,
}

impl Clock {
    /// A clock that begins now.
    pub fn new() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            started: Instant::now(),
            started_at: Time::ZERO.after(since_epoch),
        }
    }

    /// What the wall's clock shows: somebody may have set it meanwhile. For what others judge by theirs, such as
    /// certificates.
    pub fn wall(&self) -> Time {
        Self::new().started_at
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        self.started_at.after(self.started.elapsed())
    }

    /// When the clock began.
    pub fn started_at(&self) -> Time {
        self.started_at
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
