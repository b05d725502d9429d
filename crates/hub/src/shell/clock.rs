#![expect(clippy::disallowed_methods, reason = "this is the shell's clock")]

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use quartet_model::Time;

/// What the wall's clock may differ before it counts as set: it is adjusted all the time.
const DIFFERS: Duration = Duration::from_secs(2);

/// Reads the time: the wall's at the start, and from then on steadily forward. Where the wall's is set
/// forward, as on a computer without a battery once it has asked the network, it [follows](Self::follow);
/// it never goes back.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    started_at: Time,
    /// How far the wall's was set forward since, in microseconds. One for all copies, for ever: there
    /// are as many clocks as hubs in a process.
    forward: &'static AtomicU64,
}

/// Somebody set the wall's clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Set {
    /// Forward by so much: the hub's is, too.
    Forward(Duration),
    /// It is so far behind the hub's, which does not go back.
    Back(Duration),
}

/// What the wall's clock shows now.
fn wall() -> Time {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Time::ZERO.after(since_epoch)
}

impl Clock {
    /// A clock that begins now.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            started_at: wall(),
            forward: Box::leak(Box::default()),
        }
    }

    /// What the wall's clock shows: it may have been set back meanwhile. For what others judge by theirs,
    /// such as certificates.
    pub fn wall(&self) -> Time {
        wall()
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        let forward = Duration::from_micros(self.forward.load(Ordering::Relaxed));
        self.started_at.after(self.uptime() + forward)
    }

    /// How long it runs.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Looks at the wall's clock; says whether somebody set it.
    pub(crate) fn follow(&self) -> Option<Set> {
        self.follow_to(wall())
    }

    fn follow_to(&self, wall: Time) -> Option<Set> {
        let now = self.now();
        let (ahead, behind) = (wall.since(now), now.since(wall));
        if DIFFERS < ahead {
            let us = ahead.as_micros() as u64;
            self.forward.fetch_add(us, Ordering::Relaxed);
            return Some(Set::Forward(ahead));
        }
        (DIFFERS < behind).then_some(Set::Back(behind))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn it_follows_the_walls_forward_and_never_back() {
        let clock = Clock::new();
        let copy = clock;
        let before = clock.now();
        assert_eq!(
            clock.follow_to(before.after(Duration::from_millis(100))),
            None
        );
        let Some(Set::Forward(by)) = clock.follow_to(before.after(DAY)) else {
            panic!("it was set forward");
        };
        assert!(by <= DAY && before.after(DAY) <= copy.now(), "copies, too");
        assert!(copy.uptime() < DAY, "nobody slept");
        let now = clock.now();
        assert!(matches!(clock.follow_to(before), Some(Set::Back(_))));
        assert!(now <= clock.now());
        assert_eq!(clock.follow_to(clock.now()), None);
    }
}
