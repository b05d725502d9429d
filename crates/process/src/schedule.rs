//! When the clock starts a flow: `every`, `after` and `cron`, in the flow's time zone.
//!
//! A schedule for certain hours says them as the clock on the wall shows them. When that clock is
//! set forward, a time that it leaves out is the moment at which it was set, once, however many
//! such times there are; when it is set back, a time that it shows twice is the first of the two.
//! A schedule for every hour follows the time that passes: what is left out is left out, what
//! comes twice comes twice, and there is an hour from one to the next.
//!
//! `every` counts from when the flow was deployed, `after` from the end of the run before. In both
//! a day has 24 hours; a month is one of the calendar, and ends early where it is short.

use std::time::Duration;

use croner::Cron;
use jiff::{
    Timestamp, Zoned,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};
use quartet_model::Time;

use crate::{
    language::{Schedule, duration::Duration as Said, duration::Span},
    policy::{self, IfMissed, Policy},
    problem::Problem,
};

/// No more times that were missed are made up for.
pub const MISSED_MAX: usize = 1_000;
/// What is no later than this was not missed.
pub const ON_TIME: Duration = Duration::from_secs(60);
/// Times that are due at once without having been missed; the others come next.
const ON_TIME_MAX: usize = 1_000;
/// No more of the others are counted.
pub const LEFT_OUT_MAX: usize = 10_000;

/// Reads a cron expression of five or six fields.
///
/// # Errors
///
/// What was wrong with it, and what would be right.
pub fn parse_cron(text: &str) -> Result<Cron, String> {
    let wrong = |error: croner::errors::CronError| {
        format!(
            "`{text}` is no schedule: {error}; write minute, hour, day, month and day of the week, as in `0 5 * * MON`"
        )
    };
    text.parse().map_err(wrong)
}

/// The times at which the clock starts a flow.
#[derive(Clone, Debug)]
pub struct Ticks {
    every: Option<Span>,
    cron: Option<Cron>,
    after: Option<Span>,
    deployed: Time,
    zone: TimeZone,
}

/// Times at which a flow should have started, and did not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Missed {
    /// It starts now for each of these, the oldest first.
    pub times: Vec<Time>,
    /// So many older ones are too many: at least so many, if it is [`LEFT_OUT_MAX`].
    pub left_out: usize,
}

impl Ticks {
    /// The times that a schedule says; `None` if the clock has no part in it. Where the policy
    /// names no time zone it is UTC.
    ///
    /// # Errors
    ///
    /// What cannot be told before a run, and what says no time.
    pub fn of(
        schedule: &Schedule,
        policy: &Policy,
        deployed: Time,
    ) -> Result<Option<Self>, Vec<Problem>> {
        let mut problems = Vec::new();
        let every = span(schedule, "every", schedule.every.as_ref(), &mut problems);
        let after = span(schedule, "after", schedule.after.as_ref(), &mut problems);
        let cron = schedule.cron.as_ref().and_then(|word| {
            let cron = parse_cron(&word.text);
            let cron = cron.map_err(|what| problems.push(Problem::error(word.place, what)));
            cron.ok()
        });
        let zone = match &policy.timezone {
            None => TimeZone::UTC,
            Some(word) => policy::zone(&word.text).unwrap_or_else(|| {
                let what = format!("`{}` is no time zone", word.text);
                problems.push(Problem::error(word.place, what));
                TimeZone::UTC
            }),
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        let is_any = every.is_some() || cron.is_some() || after.is_some();
        Ok(is_any.then_some(Self {
            every,
            cron,
            after,
            deployed,
            zone,
        }))
    }

    /// Whether it depends on when runs end.
    fn is_after_runs(&self) -> bool {
        self.after.is_some()
    }

    /// The next time after this one; `None` if there is none any more. For `after` this one is the
    /// end of the run before, or the time at which the flow was deployed.
    pub fn next(&self, after: Time) -> Option<Time> {
        let run = self.after.and_then(|span| self.later(after, span, 1));
        self.next_by_clock(after).into_iter().chain(run).min()
    }

    /// What of the times after `last`, up to now, is made up for: by all (the newest
    /// [`MISSED_MAX`]), by the last of them, or by none.
    pub fn missed(&self, last: Time, now: Time, if_missed: IfMissed) -> Missed {
        // After a run there is one time, for the next depends on the run that it starts.
        let run = self.after.and_then(|span| self.later(last, span, 1));
        let run = run.filter(|at| *at <= now);
        let mut missed = Missed::default();
        match if_missed {
            IfMissed::Skip => return missed,
            IfMissed::Once => {
                let newest = self.newest(last, now).into_iter().chain(run).max();
                missed.times.extend(newest);
            }
            IfMissed::Run => {
                let from = self.newest_from(last, now);
                missed.times = self.between(from, now, MISSED_MAX);
                missed.left_out = self.between(last, from, LEFT_OUT_MAX).len();
                missed.times.extend(run);
                missed.times.sort_unstable();
                missed.times.dedup();
                let more = missed.times.len().saturating_sub(MISSED_MAX);
                missed.times.drain(..more);
                missed.left_out += more;
            }
        }
        missed
    }

    /// The times that are due by now, the oldest first, and from when on the next is looked for.
    /// What is later than [`ON_TIME`] was missed, and is made up for as the policy says.
    pub fn due(&self, last: Time, now: Time, if_missed: IfMissed) -> (Vec<Time>, Time) {
        let late = now.as_micros().saturating_sub(ON_TIME.as_micros() as u64);
        let late = Time::from_micros(late).max(last);
        if self.is_after_runs() {
            // There is one: the next depends on the run that it starts.
            let due = self.next(last).filter(|at| *at <= now);
            let due = due.filter(|at| late < *at || if_missed != IfMissed::Skip);
            return (due.into_iter().collect(), now);
        }
        let mut times = self.missed(last, late, if_missed).times;
        let on_time = self.between(late, now, ON_TIME_MAX);
        let from = match on_time.last() {
            Some(newest) if on_time.len() == ON_TIME_MAX => *newest,
            _ => now.max(last),
        };
        times.extend(on_time);
        (times, from)
    }

    fn next_by_clock(&self, after: Time) -> Option<Time> {
        let every = self.every.and_then(|span| self.next_of(span, after));
        let cron = self.cron.as_ref();
        let cron = cron.and_then(|cron| next_of_cron(cron, &self.zone, after));
        every.into_iter().chain(cron).min()
    }

    /// Times by the clock, from the first after `from` up to `to`.
    fn between(&self, from: Time, to: Time, max: usize) -> Vec<Time> {
        let first = self.next_by_clock(from);
        let all = std::iter::successors(first, |at| self.next_by_clock(*at));
        all.take_while(|at| *at <= to).take(max).collect()
    }

    /// The newest time by the clock.
    fn newest(&self, last: Time, now: Time) -> Option<Time> {
        let is_one = |from: Time| self.next_by_clock(from).is_some_and(|at| at <= now);
        if !is_one(last) {
            return None;
        }
        // There is one after the first, none after the second.
        Some(halved(last, now, is_one))
    }

    /// After which no more are left than can be made up for.
    fn newest_from(&self, last: Time, now: Time) -> Time {
        let are_many = |from| MISSED_MAX < self.between(from, now, MISSED_MAX + 1).len();
        match are_many(last) {
            true => halved(last, now, are_many),
            false => last,
        }
    }

    fn next_of(&self, span: Span, after: Time) -> Option<Time> {
        let gone = after.since(self.deployed);
        // Months have 31 days at most, so it is never less than this.
        const MONTH_MS: u128 = 31 * 86_400_000;
        let longest = u128::from(span.months) * MONTH_MS + u128::from(span.ms);
        let before = gone.as_millis().checked_div(longest)?;
        let mut count = i64::try_from(before).ok()?.max(1);
        loop {
            let at = self.later(self.deployed, span, count)?;
            if after < at {
                return Some(at);
            }
            count = count.checked_add(1)?;
        }
    }

    /// So many spans later.
    fn later(&self, from: Time, span: Span, count: i64) -> Option<Time> {
        let ms = u64::try_from(count).ok()?.checked_mul(span.ms)?;
        let moved = match span.months {
            0 => from,
            months => {
                let months = i64::from(months).checked_mul(count)?;
                let zoned = timestamp(from)?.to_zoned(self.zone.clone());
                time(&zoned.checked_add(months_of(months)?).ok()?)?
            }
        };
        let at = moved.after(Duration::from_millis(ms));
        (at != Time::NEVER).then_some(at)
    }
}

/// The latest time at which something does not hold any more, if it holds at one time, does not at
/// another, and changes once.
fn halved(holds: Time, holds_not: Time, is: impl Fn(Time) -> bool) -> Time {
    let (mut low, mut high) = (holds.as_micros(), holds_not.as_micros());
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        match is(Time::from_micros(middle)) {
            true => low = middle,
            false => high = middle,
        }
    }
    Time::from_micros(high)
}

fn months_of(months: i64) -> Option<jiff::Span> {
    jiff::Span::new().try_months(months).ok()
}

fn span(
    schedule: &Schedule,
    name: &str,
    said: Option<&Said>,
    problems: &mut Vec<Problem>,
) -> Option<Span> {
    match said? {
        Said::Fixed(span) if *span == Span::default() => {
            let what = format!("`{name}` is no time at all; write one like `PT10M`");
            problems.push(Problem::error(schedule.place, what));
            None
        }
        Said::Fixed(span) => Some(*span),
        Said::Expr(expr) => {
            let what = format!(
                "before a run there is nothing to compute `{name}` from; write a time like `PT10M`"
            );
            problems.push(Problem::error(expr.place, what));
            None
        }
    }
}

fn next_of_cron(cron: &Cron, zone: &TimeZone, after: Time) -> Option<Time> {
    let from = timestamp(after)?.to_zoned(zone.clone());
    const HOURS: usize = 24;
    if cron.pattern.hours.values().len() == HOURS {
        return time(&cron.find_next_occurrence(&from, false).ok()?);
    }
    // What the wall shows never makes time go back: the first time that is later is the next.
    let mut shown: DateTime = from.datetime();
    loop {
        shown = cron.find_next_occurrence(&shown, false).ok()?;
        let at = moment(zone, shown)?;
        if after < at {
            return Some(at);
        }
    }
}

/// When the clock on the wall shows this; when it was set, if it left this out; the first time, if
/// it shows this twice.
fn moment(zone: &TimeZone, shown: DateTime) -> Option<Time> {
    let ambiguous = zone.to_ambiguous_zoned(shown);
    if let AmbiguousOffset::Gap { .. } = ambiguous.offset() {
        // It was set between what it would have shown before and after.
        let before = ambiguous.earlier().ok()?;
        return timestamp_time(zone.following(before.timestamp()).next()?.timestamp());
    }
    time(&ambiguous.earlier().ok()?)
}

fn timestamp(at: Time) -> Option<Timestamp> {
    let us = i64::try_from(at.as_micros()).ok()?;
    Timestamp::from_microsecond(us).ok()
}

fn timestamp_time(at: Timestamp) -> Option<Time> {
    u64::try_from(at.as_microsecond())
        .ok()
        .map(Time::from_micros)
}

fn time(at: &Zoned) -> Option<Time> {
    timestamp_time(at.timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::language;

    fn at(text: &str) -> Time {
        Time::of_rfc3339(text).unwrap_or_else(|| panic!("{text} is no time"))
    }

    const DEPLOYED: &str = "2026-01-31T08:30:00Z";

    fn read(schedule: Value, zone: Option<&str>) -> Result<Option<Ticks>, Vec<Problem>> {
        let mut flow = json!({
            "document": {"dsl": "1.0.3", "namespace": "t", "name": "t", "version": "1.0.0"},
            "schedule": schedule,
            "do": [{"a": {"set": {"x": 1}}}],
        });
        if let Some(zone) = zone {
            flow["document"]["metadata"] = json!({"timezone": zone});
        }
        let workflow = language::read(&flow.to_string()).expect("a flow").workflow;
        let policy = policy::read(workflow.document.metadata.as_ref());
        let (policy, _) = policy.expect("a policy");
        let schedule = workflow.schedule.expect("a schedule");
        Ticks::of(&schedule, &policy, at(DEPLOYED))
    }

    fn ticks(schedule: Value, zone: &str) -> Ticks {
        let ticks = read(schedule, Some(zone)).expect("it can be told");
        ticks.expect("the clock has a part in it")
    }

    /// The times after one, as the clock on the wall in Brussels shows them.
    #[track_caller]
    fn check(schedule: Value, after: &str, expected: &[&str]) {
        let ticks = ticks(schedule.clone(), "Europe/Brussels");
        let mut now = at(after);
        for expected in expected {
            let next = ticks.next(now).map(Time::rfc3339);
            let expected_utc = at(expected).rfc3339();
            assert_eq!(
                next,
                Some(expected_utc),
                "{schedule} after {}: {expected}",
                now.rfc3339()
            );
            now = at(expected);
        }
    }

    #[test]
    fn a_flow_starts_when_the_wall_shows_it() {
        check(
            json!({"cron": "0 5 * * *"}),
            "2026-03-27T12:00:00Z",
            &[
                "2026-03-28T05:00:00+01:00",
                "2026-03-29T05:00:00+02:00",
                "2026-03-30T05:00:00+02:00",
            ],
        );
        check(
            json!({"cron": "0 5 * * *"}),
            "2026-10-24T02:59:59Z",
            &["2026-10-24T05:00:00+02:00", "2026-10-25T05:00:00+01:00"],
        );
        // With seconds, and strictly after.
        check(
            json!({"cron": "30 0 5 * * MON"}),
            "2026-03-30T03:00:30Z",
            &["2026-04-06T05:00:30+02:00"],
        );
        check(
            json!({"cron": "0 12 29 2 *"}),
            "2026-01-01T00:00:00Z",
            &["2028-02-29T12:00:00+01:00", "2032-02-29T12:00:00+01:00"],
        );
        check(
            json!({"cron": "0 0 L * *"}),
            "2028-01-31T00:00:00Z",
            &[
                "2028-02-29T00:00:00+01:00",
                "2028-03-31T00:00:00+02:00",
                "2028-04-30T00:00:00+02:00",
            ],
        );
    }

    #[test]
    fn what_the_wall_leaves_out_is_when_it_was_set_once() {
        check(
            json!({"cron": "30 2 * * *"}),
            "2026-03-28T00:00:00Z",
            &[
                "2026-03-28T02:30:00+01:00",
                "2026-03-29T03:00:00+02:00",
                "2026-03-30T02:30:00+02:00",
            ],
        );
        check(
            json!({"cron": "*/10 2,14 * * *"}),
            "2026-03-29T00:00:00Z",
            &["2026-03-29T03:00:00+02:00", "2026-03-29T14:00:00+02:00"],
        );
        check(
            json!({"cron": "0 */2 * * *"}),
            "2026-03-28T23:00:00Z",
            &["2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"],
        );
        // What comes at that moment anyway does not come twice.
        check(
            json!({"cron": "0 2,3 * * *"}),
            "2026-03-29T00:00:00Z",
            &["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"],
        );
        check(
            json!({"cron": "0 2 29 3 *"}),
            "2026-03-29T00:59:59.999999Z",
            &["2026-03-29T03:00:00+02:00", "2027-03-29T02:00:00+02:00"],
        );
    }

    #[test]
    fn what_the_wall_shows_twice_is_the_first_time() {
        check(
            json!({"cron": "30 2 * * *"}),
            "2026-10-24T12:00:00Z",
            &["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
        );
        check(
            json!({"cron": "0,30 2,4 * * *"}),
            "2026-10-24T12:00:00Z",
            &[
                "2026-10-25T02:00:00+02:00",
                "2026-10-25T02:30:00+02:00",
                "2026-10-25T04:00:00+01:00",
            ],
        );
        // Whoever asks in the second hour is told what comes after it.
        check(
            json!({"cron": "* 2 * * *"}),
            "2026-10-25T01:10:00Z",
            &["2026-10-26T02:00:00+01:00"],
        );
    }

    #[test]
    fn what_is_for_every_hour_follows_the_time_that_passes() {
        check(
            json!({"cron": "30 * * * *"}),
            "2026-03-29T00:00:00Z",
            &["2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"],
        );
        check(
            json!({"cron": "30 * * * *"}),
            "2026-10-24T23:31:00Z",
            &[
                "2026-10-25T02:30:00+02:00",
                "2026-10-25T02:30:00+01:00",
                "2026-10-25T03:30:00+01:00",
            ],
        );
        check(
            json!({"every": "PT1H"}),
            "2026-03-29T00:00:00Z",
            &[
                "2026-03-29T00:30:00Z",
                "2026-03-29T01:30:00Z",
                "2026-03-29T02:30:00Z",
            ],
        );
    }

    #[test]
    fn every_counts_from_when_the_flow_was_deployed() {
        check(
            json!({"every": "PT1H"}),
            "2020-01-01T00:00:00Z",
            &["2026-01-31T09:30:00Z", "2026-01-31T10:30:00Z"],
        );
        // Months end early where they are short, and summer does not move what the wall shows.
        check(
            json!({"every": "P1M"}),
            DEPLOYED,
            &[
                "2026-02-28T09:30:00+01:00",
                "2026-03-31T09:30:00+02:00",
                "2026-04-30T09:30:00+02:00",
            ],
        );
        check(
            json!({"every": "P1Y"}),
            "2099-06-01T00:00:00Z",
            &["2100-01-31T08:30:00Z"],
        );
        check(
            json!({"every": "P1M1D"}),
            DEPLOYED,
            &["2026-03-01T08:30:00Z", "2026-04-02T09:30:00+02:00"],
        );
    }

    #[test]
    fn after_counts_from_the_run_before() {
        check(
            json!({"after": "PT5M"}),
            "2026-05-01T00:00:07Z",
            &["2026-05-01T00:05:07Z"],
        );
        check(
            json!({"after": "PT2H", "cron": "0 5 * * *"}),
            "2026-05-01T00:00:00Z",
            &["2026-05-01T02:00:00Z", "2026-05-01T03:00:00Z"],
        );
        let after = ticks(json!({"after": "PT5M"}), "UTC");
        assert!(after.is_after_runs());
        let missed = after.missed(at(DEPLOYED), at("2026-02-01T00:00:00Z"), IfMissed::Run);
        assert_eq!(missed.times, [at("2026-01-31T08:35:00Z")]);
    }

    #[test]
    fn what_never_comes_is_none() {
        for never in ["0 0 30 2 *", "* * 31 4,6,9,11 *"] {
            let never = ticks(json!({"cron": never}), "Europe/Brussels");
            assert_eq!(never.next(at(DEPLOYED)), None);
            assert_eq!(never.next(Time::ZERO), None);
            let missed = never.missed(Time::ZERO, at(DEPLOYED), IfMissed::Run);
            assert_eq!(missed, Missed::default());
        }
        let all = json!({"every": "PT1H", "cron": "0 * * * *", "after": "P1M"});
        let all = ticks(all, "Europe/Brussels");
        assert_eq!(all.next(Time::NEVER), None);
        assert_eq!(all.next(Time::from_micros(u64::MAX - 1)), None);
        assert!(
            read(json!({"on": {"one": {"with": {"type": "a.b"}}}}), None)
                .is_ok_and(|one| one.is_none())
        );
    }

    #[test]
    fn what_says_no_time_is_wrong() {
        for (schedule, part) in [
            (json!({"every": "PT0S"}), "`every` is no time at all"),
            (
                json!({"after": {"minutes": 0}}),
                "`after` is no time at all",
            ),
            (
                json!({"every": "${ .x }"}),
                "nothing to compute `every` from",
            ),
            (json!({"cron": "0 25 * * *"}), "is no schedule"),
        ] {
            let problems = read(schedule, None).expect_err(part);
            assert!(problems[0].what.contains(part), "{problems:?}");
            assert_ne!(problems[0].place, crate::problem::Place::default());
        }
    }

    #[test]
    fn what_was_missed_is_made_up_for_as_the_policy_says() {
        let daily = ticks(json!({"cron": "0 5 * * *"}), "UTC");
        let (last, now) = (at("2026-05-01T05:00:00Z"), at("2026-05-04T05:00:00Z"));
        let days: Vec<Time> = (2..5)
            .map(|day| at(&format!("2026-05-0{day}T05:00:00Z")))
            .collect();
        let missed = |if_missed| daily.missed(last, now, if_missed);
        assert_eq!(
            missed(IfMissed::Run),
            Missed {
                times: days.clone(),
                left_out: 0
            }
        );
        assert_eq!(missed(IfMissed::Once).times, days[2..]);
        assert_eq!(missed(IfMissed::Skip), Missed::default());
        assert_eq!(daily.missed(last, last, IfMissed::Once), Missed::default());
        assert_eq!(daily.missed(now, last, IfMissed::Run), Missed::default());
    }

    #[test]
    fn much_that_was_missed_is_bounded() {
        let (last, now) = (at("2026-01-01T00:00:00Z"), at("2026-12-31T23:59:59.5Z"));
        for often in [
            json!({"cron": "* * * * * *"}),
            json!({"cron": "* * 2 * * *"}),
            json!({"every": "PT1S"}),
        ] {
            let often = ticks(often, "Europe/Brussels");
            let missed = often.missed(last, now, IfMissed::Run);
            assert_eq!(
                (missed.times.len(), missed.left_out),
                (MISSED_MAX, LEFT_OUT_MAX)
            );
            assert!(missed.times.is_sorted());
            let once = often.missed(last, now, IfMissed::Once);
            assert_eq!(once.times.last(), missed.times.last());
            assert!(often.next(once.times[0]).is_some_and(|next| now < next));
        }
        let few = ticks(json!({"every": "PT1S"}), "UTC");
        let last = now.as_micros() - 1_500 * 1_000_000;
        let missed = few.missed(Time::from_micros(last), now, IfMissed::Run);
        assert_eq!((missed.times.len(), missed.left_out), (1_000, 500));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Times go forward, and there is none between one and the next.
        #[test]
        fn the_next_time_is_the_next(
            seconds in 0..200_u32,
            cron in prop::sample::select(vec![
                "30 2 * * *", "0,15 1-3 * * *", "*/20 * * * *", "0 */3 * * *", "15 2 * * SUN", "0 0 1 * *",
            ]),
            zone in prop::sample::select(vec!["Europe/Brussels", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia"]),
            from in 1_300_000_000_u64..1_900_000_000,
        ) {
            let ticks = ticks(json!({"cron": cron}), zone);
            let mut now = Time::from_micros(from * 1_000_000);
            for _ in 0..20 {
                let next = ticks.next(now).expect("there is one");
                prop_assert!(now < next);
                let middle = now.as_micros() + (next.as_micros() - now.as_micros()) / 256 * u64::from(seconds.min(255));
                prop_assert_eq!(ticks.next(Time::from_micros(middle)), Some(next));
                now = next;
            }
        }
    }
}
