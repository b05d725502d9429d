//! How long certificates are good, and when the next one is due.

use std::time::Duration;

use quartet_model::Time;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Since when an authority is good, whatever the clocks say: so nobody's is behind it (2025-01-01).
const SINCE: Time = Time::from_micros(1_735_689_600_000_000);
/// How long an authority is good: devices are told to trust it by hand.
const AUTHORITY: Duration = Duration::from_secs(3652 * 24 * 3600);
/// How long a server's certificate is good: devices refuse those that are good for more than 397 days.
const SERVER: Duration = Duration::from_secs(397 * 24 * 3600);

/// From when until when a certificate is good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Term {
    pub(crate) from: Time,
    pub(crate) until: Time,
}

impl Term {
    /// When this was written: a clock that shows less was never set (2026-01-01).
    pub(crate) const EARLIEST: Time = Time::from_micros(1_767_225_600_000_000);

    /// That of an authority that is made now.
    pub(crate) fn of_authority(now: Time) -> Self {
        Self {
            from: SINCE,
            until: now.max(Self::EARLIEST).after(AUTHORITY),
        }
    }

    /// That of a certificate that this authority issues now: good a day ago, for those whose clocks are behind.
    pub(crate) fn of_server(now: Time, authority: Self) -> Self {
        let now = now.max(Self::EARLIEST);
        let from = Time::ZERO.after(now.since(Time::ZERO).saturating_sub(DAY));
        Self {
            from,
            until: from.after(SERVER).min(authority.until),
        }
    }

    /// Whether a server's certificate of this authority is to be made anew: less than a third of its time is left.
    pub(crate) fn is_due(self, now: Time, authority: Self) -> bool {
        if now < Self::EARLIEST {
            return false; // Who knows what time it is? The devices will.
        }
        let gains = self.until < Self::of_server(now, authority).until;
        let is_old = self.until.since(now) < self.until.since(self.from) / 3;
        now < self.from || (gains && is_old)
    }

    /// Whether less than a year is left: time to tell devices of another authority.
    pub(crate) fn ends_soon(self, now: Time) -> bool {
        Self::EARLIEST <= now && self.until.since(now) < 365 * DAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> Time {
        Term::EARLIEST.after(day * DAY)
    }

    fn authority() -> Term {
        Term::of_authority(day(0))
    }

    #[test]
    fn a_certificate_is_good_since_yesterday_and_not_for_longer_than_devices_take() {
        let term = Term::of_server(day(10), authority());
        assert_eq!(term.from, day(9));
        assert_eq!(term.until, day(9 + 397));
    }

    #[test]
    fn it_is_made_anew_when_a_third_of_its_time_is_left() {
        let term = Term::of_server(day(10), authority());
        assert!(!term.is_due(day(10), authority()));
        assert!(!term.is_due(day(9 + 264), authority()));
        assert!(term.is_due(day(9 + 265), authority()));
        assert!(term.is_due(day(5000), Term::of_authority(day(4000))));
    }

    #[test]
    fn a_clock_that_was_never_set_changes_nothing_and_does_no_harm() {
        let term = Term::of_server(day(10), authority());
        assert!(!term.is_due(Time::ZERO, authority()));
        assert_eq!(Term::of_server(Time::ZERO, authority()).until, day(396));
        assert_eq!(Term::of_authority(Time::ZERO), authority());
        // It is set: what was made before is old by now.
        assert!(Term::of_server(Time::ZERO, authority()).is_due(day(300), authority()));
    }

    #[test]
    fn one_of_a_clock_that_was_ahead_is_made_anew() {
        let ahead = Term::of_server(day(3000), authority());
        assert!(ahead.is_due(day(10), authority()));
    }

    #[test]
    fn an_authority_that_ends_gives_no_more_than_it_has_and_does_so_once() {
        let authority = authority();
        let last = Term::of_server(day(3600), authority);
        assert_eq!(last.until, authority.until);
        assert!(!last.is_due(day(3650), authority));
        assert!(authority.ends_soon(day(3600)) && !authority.ends_soon(day(3000)));
    }
}
