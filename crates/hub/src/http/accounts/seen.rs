//! When sessions were used last: one that nobody uses for long ends before its time.
//!
//! Kept in memory only: after a start each session counts as used at the start.

use std::{collections::HashMap, time::Duration};

use quartet_model::Time;

/// A session that is not used for so long is over.
const IDLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Sessions that are remembered; of more, those that were used longest ago are forgotten.
const SESSIONS_MAX: usize = 65_536;

/// When each was used last, by the identifier of its credential.
#[derive(Default, Debug)]
pub(super) struct Seen {
    at: HashMap<Box<str>, Time>,
}

impl Seen {
    /// A session is used; says whether it may be.
    pub(super) fn use_now(&mut self, session: &str, now: Time) -> bool {
        if let Some(at) = self.at.get_mut(session) {
            if IDLE < now.since(*at) {
                self.at.remove(session);
                return false;
            }
            *at = now;
            return true;
        }
        if SESSIONS_MAX <= self.at.len() {
            self.forget_half();
        }
        self.at.insert(session.into(), now);
        true
    }

    /// When it was used last, if that is remembered.
    pub(super) fn at(&self, session: &str) -> Option<Time> {
        self.at.get(session).copied()
    }

    fn forget_half(&mut self) {
        let mut times: Vec<Time> = self.at.values().copied().collect();
        let (_, middle, _) = times.select_nth_unstable(SESSIONS_MAX / 2);
        let middle = *middle;
        self.at.retain(|_, at| middle < *at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_000_000);

    #[test]
    fn a_session_that_nobody_uses_ends() {
        let mut seen = Seen::default();
        assert!(seen.use_now("s1", NOW));
        let later = NOW.after(IDLE);
        assert!(seen.use_now("s1", later));
        assert_eq!(seen.at("s1"), Some(later));
        let too_late = later.after(IDLE).after(Duration::from_secs(1));
        assert!(!seen.use_now("s1", too_late));
    }

    #[test]
    fn so_many_sessions_are_remembered_and_no_more() {
        let mut seen = Seen::default();
        for n in 0..2 * SESSIONS_MAX as u64 {
            assert!(seen.use_now(&n.to_string(), Time::from_micros(n)));
        }
        assert!(seen.at.len() <= SESSIONS_MAX);
        assert!(seen.at(&(2 * SESSIONS_MAX - 1).to_string()).is_some());
    }
}
