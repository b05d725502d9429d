//! How often a flow may start: what its policy says, and what holds for all, so that a flow that
//! feeds itself does not stop the others.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use quartet_model::Time;

use crate::policy::Storm;

/// In [`GUARD_TIME`] no flow starts more often on one lane, whatever its policy says.
pub const GUARD_STARTS: u32 = 100_000;
/// See [`GUARD_STARTS`].
pub const GUARD_TIME: Duration = Duration::from_secs(10);
/// In [`GUARD_TIME`] no flow computes more [steps](crate::expr::Fuel) on one lane: the others are
/// there as well. A flow that starts as often as it may has 1000 for each start.
pub const GUARD_STEPS: u32 = 100_000_000;
/// In a second a flow does not start more often by what it said itself.
pub const AGAIN_STARTS: u32 = 100;
/// Keys whose starts are counted.
const KEYS_MAX: usize = 10_000;
/// Starts of one key that are remembered one by one.
const STARTS_MAX: usize = 10_000;

/// So many in so much time, counted from the first.
#[derive(Clone, Copy, Default, Debug)]
pub struct Window {
    since: Time,
    count: u32,
}

impl Window {
    /// Whether one more is not too many.
    pub fn takes(&mut self, most: u32, per: Duration, now: Time) -> bool {
        if self.count == 0 || per <= now.since(self.since) {
            *self = Self {
                since: now,
                count: 0,
            };
        }
        if self.count < most {
            self.count += 1;
            return true;
        }
        false
    }

    /// Whether there is room for more.
    pub fn has_room(&self, most: u32, per: Duration, now: Time) -> bool {
        self.count < most || per <= now.since(self.since)
    }

    /// Notes so many.
    pub fn add(&mut self, more: usize, per: Duration, now: Time) {
        self.takes(u32::MAX, per, now);
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        self.count = self.count.saturating_add(more);
    }
}

/// Starts of one flow, by key.
#[derive(Debug, Default)]
pub struct Starts {
    by_key: HashMap<String, VecDeque<Time>>,
}

impl Starts {
    /// Notes a start, if it is not one too many; else says when there may be another.
    ///
    /// # Errors
    ///
    /// When it may start again.
    pub fn start(&mut self, key: &str, storm: &Storm, now: Time) -> Result<(), Time> {
        let per = storm.per.roughly();
        let limit = usize::try_from(storm.limit).unwrap_or(usize::MAX);
        let limit = limit.min(STARTS_MAX);
        if KEYS_MAX <= self.by_key.len() && !self.by_key.contains_key(key) {
            self.by_key
                .retain(|_, starts| starts.back().is_some_and(|last| now.since(*last) < per));
            if KEYS_MAX <= self.by_key.len() {
                return Err(now.after(per));
            }
        }
        let starts = self.by_key.entry(key.to_owned()).or_default();
        while starts.front().is_some_and(|first| per <= now.since(*first)) {
            starts.pop_front();
        }
        match starts.front() {
            Some(first) if limit <= starts.len() => Err(first.after(per)),
            _ => {
                starts.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{language::duration::Span, policy::Overrun};

    fn at(s: u64) -> Time {
        Time::from_micros(1_000_000_000 + s * 1_000_000)
    }

    #[test]
    fn a_flow_starts_so_often_in_any_such_time_and_each_key_by_itself() {
        let storm = Storm {
            limit: 2,
            per: Span {
                months: 0,
                ms: 10_000,
            },
            then: Overrun::Group,
        };
        let mut starts = Starts::default();
        assert_eq!(starts.start("a", &storm, at(0)), Ok(()));
        assert_eq!(starts.start("a", &storm, at(6)), Ok(()));
        assert_eq!(starts.start("a", &storm, at(9)), Err(at(10)));
        assert_eq!(starts.start("b", &storm, at(9)), Ok(()));
        assert_eq!(starts.start("a", &storm, at(10)), Ok(()));
        assert_eq!(starts.start("a", &storm, at(11)), Err(at(16)));
    }

    #[test]
    fn keys_that_are_counted_are_bounded() {
        let storm = Storm {
            limit: 1,
            per: Span {
                months: 0,
                ms: 1_000,
            },
            then: Overrun::Group,
        };
        let mut starts = Starts::default();
        for key in 0..KEYS_MAX {
            assert!(starts.start(&key.to_string(), &storm, at(0)).is_ok());
        }
        assert!(starts.start("more", &storm, at(0)).is_err());
        assert!(starts.start("more", &storm, at(1)).is_ok());
    }
}
