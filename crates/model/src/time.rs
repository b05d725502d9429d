use std::{fmt, time::Duration};

/// A point in time, in microseconds since the Unix epoch.
///
/// The core never reads a clock: whoever calls it says what time it is, so that
/// the same code runs live, in tests and in a replay.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

impl Time {
    /// The Unix epoch; also where virtual clocks start.
    pub const ZERO: Self = Self(0);
    /// Later than every deadline.
    pub const NEVER: Self = Self(u64::MAX);

    /// The time `us` microseconds after the Unix epoch.
    pub const fn from_micros(us: u64) -> Self {
        Self(us)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// As people and RFC 3339 write it, in UTC; empty for a time that no calendar has.
    pub fn rfc3339(self) -> String {
        let us = i64::try_from(self.0).unwrap_or(i64::MAX);
        jiff::Timestamp::from_microsecond(us).map_or_else(|_| String::new(), |at| at.to_string())
    }

    /// The time that a text of RFC 3339 says, if it is one since the Unix epoch.
    pub fn of_rfc3339(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(at.as_microsecond()).ok().map(Self)
    }

    /// How long ago `earlier` was; zero if it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The point in time that lies `wait` later; [`Time::NEVER`] if that is past counting.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let us = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(us))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NEVER => f.write_str("never"),
            Self(us) => write!(f, "{}.{:06} s", us / 1_000_000, us % 1_000_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_and_read_back() {
        let at = Time::from_micros(1_764_100_800_000_250);
        assert_eq!(at.rfc3339(), "2025-11-25T20:00:00.00025Z");
        assert_eq!(Time::of_rfc3339(&at.rfc3339()), Some(at));
        assert_eq!(
            Time::of_rfc3339("2025-11-25T21:00:00.00025+01:00"),
            Some(at)
        );
        assert_eq!(Time::NEVER.rfc3339(), "");
        assert_eq!(Time::of_rfc3339("yesterday"), None);
        assert_eq!(Time::of_rfc3339("1969-12-31T23:59:59Z"), None);
    }

    #[test]
    fn a_wait_without_end_is_never_over() {
        assert_eq!(Time::from_micros(5).after(Duration::MAX), Time::NEVER);
    }

    #[test]
    fn what_lies_ahead_was_no_time_ago() {
        assert_eq!(
            Time::from_micros(5).since(Time::from_micros(9)),
            Duration::ZERO
        );
    }
}
