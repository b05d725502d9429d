//! When a certificate is ordered from an authority of the Internet: the first, the next before it is over, and again after
//! an order that led to nothing.
//!
//! Pure: time and chance are arguments. What is counted is an order that *began*: one that a crash cut off counts, too,
//! so no hub that starts again and again uses up what an authority allows.

use std::time::Duration;

use quartet_model::Time;
use serde::{Deserialize, Serialize};

use super::Term;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// Before the second try; then twice as long each time.
const FIRST: Duration = MINUTE;
/// The longest wait that the hub chooses itself.
const LONGEST: Duration = Duration::from_secs(6 * 3600);
/// The longest that an authority may ask for.
const ASKED_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a new certificate is shown at least, if the authority wants it back early.
const SHOWN_MIN: Duration = Duration::from_secs(24 * 3600);
/// Orders that begin in an hour without success at most: Let's Encrypt refuses a name after five failed validations an hour.
const IN_AN_HOUR_MAX: usize = 4;

/// What is remembered of orders.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Tries {
    /// Those in a row that led to nothing.
    pub(crate) in_vain: u32,
    /// When those of the last hour began, the last one at the end; and the last one in any case.
    began_us: Vec<u64>,
    /// Until when the authority asked for patience.
    not_before_us: u64,
    /// When the certificate that is shown was received.
    received_us: u64,
    /// When the authority suggests to renew it.
    suggested: Option<Suggested>,
    /// Why the last one led to nothing.
    pub(crate) failure: Option<String>,
}

/// A window, and the moment that was chosen in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Suggested {
    from_us: u64,
    until_us: u64,
    chosen_us: u64,
}

impl Tries {
    /// An order begins. It has led to nothing until somebody says otherwise.
    pub(crate) fn begin(&mut self, now: Time) {
        // Those of a clock that was ahead are none.
        let is_recent = |us: &u64| {
            let began = Time::from_micros(*us);
            began <= now && now.since(began) < HOUR
        };
        self.began_us.retain(is_recent);
        self.began_us.push(now.as_micros());
        self.in_vain = self.in_vain.saturating_add(1);
        self.not_before_us = 0;
        self.failure = Some("it was broken off: the hub ended meanwhile".to_owned());
    }

    /// It led to nothing; the authority asks for patience, perhaps.
    pub(crate) fn fail(&mut self, why: String, now: Time, asked: Option<Duration>) {
        self.failure = Some(why);
        if let Some(asked) = asked {
            self.not_before_us = now.after(asked.min(ASKED_MAX)).as_micros();
        }
    }

    /// It led to a certificate.
    pub(crate) fn succeed(&mut self, now: Time) {
        *self = Self {
            received_us: now.as_micros(),
            ..Self::default()
        };
    }

    /// The authority suggests to renew what is shown within this time: a moment by chance is chosen in it, once for each window
    /// [RFC 9773 4.2]. Says whether that is news.
    pub(crate) fn suggest(&mut self, from: Time, until: Time, chance: f64) -> bool {
        let (from_us, until_us) = (from.as_micros(), until.as_micros());
        let is_known = |one: Suggested| one.from_us == from_us && one.until_us == until_us;
        if until <= from || self.suggested.is_some_and(is_known) {
            return false;
        }
        let into = until.since(from).mul_f64(chance.clamp(0.0, 1.0));
        self.suggested = Some(Suggested {
            from_us,
            until_us,
            chosen_us: from.after(into).as_micros(),
        });
        true
    }

    /// When the last order began, if it led to nothing.
    pub(crate) fn last(&self) -> Option<Time> {
        self.began_us.last().map(|us| Time::from_micros(*us))
    }

    /// When the next order is to begin, with a certificate of this term or none. `chance` is from 0 to 1: hubs that failed
    /// together do not come back together.
    pub(crate) fn next(&self, shown: Option<Term>, now: Time, chance: f64) -> Time {
        let due = shown.map_or(Time::ZERO, |term| self.renewal(term));
        due.max(self.patience(now, chance)).max(Term::EARLIEST)
    }

    /// When two thirds of a term are over, or when the authority suggests; but not again before a part of it has passed since
    /// it was received: a hub whose clock is ahead would find each new one old.
    fn renewal(&self, term: Term) -> Time {
        let lasts = term.until.since(term.from);
        let third = lasts / 3;
        let (due, least) = match self.suggested {
            // Nobody's suggestion lets it run out.
            Some(one) => {
                let last = term.from.after(lasts / 6 * 5);
                (
                    Time::from_micros(one.chosen_us).min(last),
                    third.min(SHOWN_MIN),
                )
            }
            None => (term.from.after(third * 2), third),
        };
        due.max(Time::from_micros(self.received_us).after(least))
    }

    /// Until when the failures so far are waited out.
    fn patience(&self, now: Time, chance: f64) -> Time {
        let Some(last) = self.last().filter(|last| *last <= now) else {
            return Time::ZERO; // None so far, or the clock was set back.
        };
        let doublings = self.in_vain.saturating_sub(1).min(16);
        let wait = (FIRST * 2_u32.pow(doublings)).min(LONGEST);
        // Up to a quarter more.
        let wait = wait + wait.mul_f64(chance.clamp(0.0, 1.0) / 4.0);
        let full = self.began_us.len().checked_sub(IN_AN_HOUR_MAX);
        let room = full.map_or(Time::ZERO, |at| {
            Time::from_micros(self.began_us[at]).after(HOUR + MINUTE)
        });
        let asked = Time::from_micros(self.not_before_us).min(now.after(ASKED_MAX));
        last.after(wait).max(room).max(asked)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn at(minutes: u32) -> Time {
        Term::EARLIEST.after(30 * DAY + minutes * MINUTE)
    }

    fn term(days: u32) -> Term {
        Term {
            from: at(0),
            until: at(0).after(days * DAY),
        }
    }

    /// Minutes between the beginnings of orders that all fail.
    fn waits(orders: usize, chance: f64) -> Vec<u64> {
        let mut tries = Tries::default();
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..orders {
            tries.begin(now);
            tries.fail("no".to_owned(), now.after(MINUTE / 6), None);
            let next = tries.next(None, now, chance);
            waits.push(next.since(now).as_secs() / 60);
            now = next;
        }
        waits
    }

    #[test]
    fn what_failed_is_tried_again_after_one_minute_then_twice_as_long_up_to_six_hours() {
        let expected = [1, 2, 4, 54, 16, 32, 64, 128, 256, 360, 360];
        assert_eq!(waits(11, 0.0), expected);
        assert_eq!(waits(3, 1.0), [1, 2, 5]);
    }

    #[test]
    fn a_first_certificate_is_ordered_at_once_and_the_next_when_two_thirds_are_over() {
        let mut tries = Tries::default();
        assert!(tries.next(None, at(0), 0.5) <= at(0));
        tries.begin(at(0));
        tries.succeed(at(1));
        let next = tries.next(Some(term(90)), at(1), 0.5);
        assert_eq!(next, at(0).after(60 * DAY));
        // And at once if none is there any more.
        assert!(tries.next(None, at(1), 0.5) <= at(1));
    }

    #[test]
    fn a_clock_that_is_ahead_orders_no_certificate_after_the_other() {
        let mut tries = Tries::default();
        let ahead = at(0).after(80 * DAY);
        tries.begin(ahead);
        tries.succeed(ahead);
        assert_eq!(
            tries.next(Some(term(90)), ahead, 0.0),
            ahead.after(30 * DAY)
        );
    }

    #[test]
    fn an_authority_may_suggest_when_to_renew_but_not_too_late_and_not_at_once() {
        let shown = |from: u32, until: u32, chance: f64| {
            let mut tries = Tries::default();
            tries.succeed(at(0));
            let day = |day| at(0).after(day * DAY);
            assert!(tries.suggest(day(from), day(until), chance));
            assert!(
                !tries.suggest(day(from), day(until), 0.9),
                "it is chosen once"
            );
            let next = tries.next(Some(term(90)), at(0), 0.0);
            next.since(at(0)).as_secs() / (24 * 3600)
        };
        assert_eq!(shown(50, 60, 0.0), 50);
        assert_eq!(shown(50, 60, 0.5), 55);
        assert_eq!(shown(80, 400, 1.0), 75, "before it is over");
        assert_eq!(shown(0, 1, 0.0), 1, "after a day");
        let mut tries = Tries::default();
        tries.succeed(at(0));
        assert!(!tries.suggest(at(9), at(9), 0.0), "no window");
        assert_eq!(
            tries.next(Some(term(90)), at(0), 0.0),
            at(0).after(60 * DAY)
        );
    }

    #[test]
    fn an_authority_that_asks_for_patience_gets_it_for_a_week_at_most() {
        let mut tries = Tries::default();
        tries.begin(at(0));
        tries.fail("later".to_owned(), at(0), Some(2 * DAY));
        assert_eq!(tries.next(None, at(0), 0.0), at(0).after(2 * DAY));
        tries.fail("later".to_owned(), at(0), Some(400 * DAY));
        assert_eq!(tries.next(None, at(0), 0.0), at(0).after(7 * DAY));
    }

    #[test]
    fn a_clock_that_was_never_set_waits_and_one_that_was_set_back_does_not() {
        let mut tries = Tries::default();
        assert_eq!(tries.next(None, Time::ZERO, 0.0), Term::EARLIEST);
        tries.begin(at(1_000_000));
        assert!(tries.next(None, at(5), 0.0) <= at(5));
    }

    #[test]
    fn what_is_remembered_is_remembered_over_a_restart() {
        let mut tries = Tries::default();
        tries.begin(at(0));
        let text = serde_json::to_string(&tries).unwrap();
        let read: Tries = serde_json::from_str(&text).unwrap();
        assert_eq!(read, tries);
        assert!(read.failure.unwrap().contains("broken off"));
    }

    proptest! {
        #[test]
        fn never_more_than_four_orders_fail_in_an_hour(chances in prop::collection::vec(0.0..1.0_f64, 1..40)) {
            let mut tries = Tries::default();
            let mut now = at(0);
            let mut began = Vec::new();
            for chance in chances {
                now = now.max(tries.next(None, now, chance));
                tries.begin(now);
                began.push(now);
            }
            for five in began.windows(5) {
                prop_assert!(five[4].since(five[0]) >= HOUR);
            }
        }
    }
}
