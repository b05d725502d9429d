use std::time::Duration;

use quartet_model::Time;
use serde_json::{Map, Value, json};

use super::{
    Edge, Heard, Look, Signal, Turns,
    defined::{Condition, Defined, Kind},
    state::{Holds, Kept, State, Step},
};
use crate::expr::{Fuel, Scope};

/// Takes a reading. What time alone brought about until then comes first; a reading at the very
/// end of `for` comes after the signal began.
///
/// A reading from before the newest of the same property is passed over, except by `count`: what
/// was, was. A reading cannot be later than `now`, and no edge is earlier than one before it.
pub fn step(
    signal: &Signal,
    state: &mut State,
    heard: &Heard<'_>,
    look: &dyn Look,
    now: Time,
) -> Vec<Edge> {
    if !signal.inputs().has(heard.name, heard.is_event) {
        return Vec::new();
    }
    let mut turn = Turn::new(signal, state, look, now);
    turn.heard = Some(*heard);
    let at = turn.moment(heard.at);
    turn.pass(at);
    turn.guard();
    if signal.kind().looks_at(heard.name, heard.is_event) {
        turn.take(heard, at);
    }
    turn.settle(at)
}

/// Lets time pass. However late it is called, what should have happened happens once, and says how
/// late it is.
pub fn wake(signal: &Signal, state: &mut State, look: &dyn Look, now: Time) -> Vec<Edge> {
    let mut turn = Turn::new(signal, state, look, now);
    turn.pass(now);
    turn.edges
}

/// Takes that an edge of another signal began, or happened, at the same element: if this one comes
/// after it, it counts from now on, anew. So it ends if it was on. It counts until it begins; then
/// it waits for the other signal again.
pub fn began(
    signal: &Signal,
    state: &mut State,
    other: &str,
    look: &dyn Look,
    at: Time,
    now: Time,
) -> Vec<Edge> {
    if signal.after() != Some(other) {
        return Vec::new();
    }
    let mut turn = Turn::new(signal, state, look, now);
    let at = turn.moment(at);
    turn.pass(at);
    turn.guard();
    turn.interrupt(at);
    turn.state.armed = Some(at);
    if let Kind::Count { .. } = signal.kind() {
        turn.state.times.clear();
        turn.state.holds = Some(Holds::No);
    }
    for step in &mut turn.state.steps {
        step.from = None;
    }
    turn.settle(at)
}

/// Takes that the element is known since `at`: from then on it is absent if nothing is heard, if
/// the signal says `from: known`.
pub fn known(
    signal: &Signal,
    state: &mut State,
    look: &dyn Look,
    at: Time,
    now: Time,
) -> Vec<Edge> {
    let is_meant = matches!(
        signal.kind(),
        Kind::Absent {
            is_from_known: true,
            ..
        }
    );
    if !is_meant || state.holds.is_some() {
        return Vec::new();
    }
    let mut turn = Turn::new(signal, state, look, now);
    let at = turn.moment(at);
    turn.guard();
    turn.state.holds = Some(Holds::Yes);
    turn.settle(at)
}

/// What time alone brings about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    /// It was so for long enough.
    Begins,
    /// The oldest that is counted does not count any more.
    Uncounts,
}

/// The shortest time that there is. What is exactly as old as a window still counts, so that what
/// happens at that very time finds it, whether the hub wakes before or after.
const MOMENT: Duration = Duration::from_micros(1);

/// What time alone brings about next.
pub(super) fn next(signal: &Defined, state: &State) -> Option<(Time, Due)> {
    let begins = state.since.filter(|_| !state.on);
    let begins = begins.map(|since| (since.after(signal.wait), Due::Begins));
    let uncounts = match signal.kind {
        Kind::Count {
            at_least, within, ..
        } if state.holds == Some(Holds::Yes) => {
            let oldest = state.times.len().checked_sub(at_least);
            let oldest = oldest.and_then(|at| state.times.get(at));
            oldest.map(|at| (at.after(within).after(MOMENT), Due::Uncounts))
        }
        _ => None,
    };
    // What was so until a moment was so for long enough by then.
    let both = begins.into_iter().chain(uncounts);
    both.min_by_key(|(at, _)| *at)
        .filter(|(at, _)| *at != Time::NEVER)
}

/// The properties of an element that these names stand for; all if there are none.
pub(super) fn seen(look: &dyn Look, fields: Option<&[String]>) -> Map<String, Value> {
    let Some(fields) = fields else {
        return look.all();
    };
    let known = fields
        .iter()
        .filter_map(|name| Some((name.clone(), look.property(name)?.into_owned())));
    known.collect()
}

/// The number that a value is, if it is one.
pub(super) fn number_of(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite())
}

/// Whether a list of places has this one; `None` if it is no list.
pub(super) fn is_in(value: &Value, place: &str) -> Option<bool> {
    let mut places = value.as_array()?.iter();
    Some(places.any(|one| one.get("place").and_then(Value::as_str) == Some(place)))
}

/// Where a number stands to what is looked at.
pub(super) fn judge_number(kind: &Kind, value: f64) -> Option<Holds> {
    let (begins, ends) = match *kind {
        Kind::Above { level, clear, .. } => (level < value, value <= clear),
        Kind::Below { level, clear, .. } => (value < level, clear <= value),
        Kind::Outside {
            low, high, margin, ..
        } => (
            value < low || high < value,
            low + margin <= value && value <= high - margin,
        ),
        _ => return None,
    };
    Some(match (begins, ends) {
        (true, _) => Holds::Yes,
        (false, true) => Holds::No,
        (false, false) => Holds::Between,
    })
}

struct Turn<'a> {
    signal: &'a Defined,
    state: &'a mut State,
    look: &'a dyn Look,
    heard: Option<Heard<'a>>,
    now: Time,
    edges: Vec<Edge>,
    fuel: Fuel,
}

impl<'a> Turn<'a> {
    fn new(signal: &'a Signal, state: &'a mut State, look: &'a dyn Look, now: Time) -> Self {
        Self {
            signal: &signal.0,
            state,
            look,
            heard: None,
            now,
            edges: Vec::new(),
            fuel: Fuel::default(),
        }
    }

    /// When something that is said to be at this time counts as having been.
    fn moment(&self, at: Time) -> Time {
        let at = at.min(self.now);
        self.state.as_of.map_or(at, |as_of| as_of.max(at))
    }

    /// Lets time pass.
    fn pass(&mut self, until: Time) {
        while let Some((at, due)) = next(self.signal, self.state) {
            if until < at {
                return;
            }
            let is_later = self.state.as_of.is_none_or(|as_of| as_of < at);
            if is_later {
                self.state.as_of = Some(at);
            }
            match due {
                Due::Begins => {
                    self.state.on = true;
                    self.used();
                    self.tell(Turns::Began, at);
                }
                Due::Uncounts => {
                    self.state.holds = Some(Holds::No);
                    self.uncount(at);
                    self.turn(at);
                }
            }
        }
    }

    /// Lets follow what follows of a reading.
    fn settle(mut self, at: Time) -> Vec<Edge> {
        self.turn(at);
        self.state.as_of = Some(at);
        self.pass(at);
        self.edges
    }

    /// Begins to wait, or ends.
    fn turn(&mut self, at: Time) {
        let is_momentary = matches!(
            self.signal.kind,
            Kind::Changed { .. } | Kind::Sequence { .. }
        );
        if is_momentary {
            return;
        }
        let holds = match self.state.holds {
            Some(Holds::Yes) => true,
            Some(Holds::Between) => self.state.on,
            Some(Holds::No) | None => false,
        };
        match holds && self.counts() {
            true if self.state.since.is_none() => self.state.since = Some(at),
            true => {}
            false => self.interrupt(at),
        }
    }

    /// It is not so any more, or has to be so anew.
    fn interrupt(&mut self, at: Time) {
        self.state.since = None;
        if self.state.on {
            self.state.on = false;
            self.tell(Turns::Ended, at);
        }
    }

    /// Whether what is so counts: as `when` and `after` say.
    fn counts(&self) -> bool {
        let is_guarded = self.signal.when.is_none() || self.state.guard == Some(true);
        is_guarded && self.is_armed()
    }

    fn is_armed(&self) -> bool {
        self.signal.after.is_none() || self.state.on || self.state.armed.is_some()
    }

    /// One edge for each time that the other signal began.
    fn used(&mut self) {
        self.state.armed = None;
    }

    fn guard(&mut self) {
        if let Some(when) = &self.signal.when
            && let Ok(is) = self.judge(when)
        {
            self.state.guard = Some(is);
        }
    }

    fn judge(&self, condition: &Condition) -> Result<bool, String> {
        let seen = self.seen(condition.fields.as_deref());
        condition.expr.expression.judge(&self.scope(), &seen)
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            values: &[],
            now: self.now,
            fuel: &self.fuel,
        }
    }

    fn seen(&self, fields: Option<&[String]>) -> Value {
        let mut seen = seen(self.look, fields);
        // Whoever looks knows better; but what was heard is known at least.
        if let Some(heard) = self.heard.filter(|heard| !heard.is_event) {
            let is_read = fields.is_none_or(|all| all.iter().any(|name| name == heard.name));
            if is_read && !seen.contains_key(heard.name) {
                seen.insert(heard.name.to_owned(), heard.value.clone());
            }
        }
        Value::Object(seen)
    }

    /// What a reading says about what is looked at.
    fn take(&mut self, heard: &Heard<'_>, at: Time) {
        let signal = self.signal;
        let said = heard.at.min(self.now);
        let is_old = self.state.heard.is_some_and(|newest| said < newest);
        match &signal.kind {
            Kind::Above { .. } | Kind::Below { .. } | Kind::Outside { .. } => {
                let holds = number_of(heard.value).and_then(|of| judge_number(&signal.kind, of));
                if let (false, Some(holds)) = (is_old, holds) {
                    self.state.holds = Some(holds);
                    self.state.heard = Some(said);
                }
            }
            Kind::Inside(place) | Kind::NotInside(place) => {
                let is_inside = matches!(signal.kind, Kind::Inside(_));
                if let (false, Some(is)) = (is_old, is_in(heard.value, place)) {
                    self.state.holds = Some(Holds::from(is == is_inside));
                    self.state.heard = Some(said);
                }
            }
            Kind::Expr(condition) => {
                if let Ok(is) = self.judge(condition) {
                    self.state.holds = Some(Holds::from(is));
                }
            }
            // What was heard twice at one time was heard once: it is no news, also later, when a hub
            // that died hears it again.
            Kind::Absent { .. } if self.state.heard.is_none_or(|newest| newest < said) => {
                self.state.heard = Some(said);
                self.interrupt(at);
                self.state.holds = Some(Holds::Yes);
            }
            Kind::Changed { .. } if !is_old && !heard.value.is_null() => {
                self.state.heard = Some(said);
                let kept = Kept::of(heard.value);
                let before = self.state.value.replace(kept.clone());
                if before.as_ref().is_some_and(|before| !before.is(&kept)) && self.counts() {
                    self.used();
                    self.tell(Turns::Happened, at);
                    if let (Some(Kept::Whole(before)), None) = (before, &signal.data)
                        && let Some(edge) = self.edges.last_mut()
                    {
                        edge.data["before"] = before;
                    }
                }
            }
            Kind::Rate { .. } if !is_old => self.rate(heard, said),
            Kind::Count { only, .. } => {
                let is_meant = only.as_ref().is_none_or(|only| {
                    let holds = only.expression.judge(&self.scope(), heard.value);
                    holds.unwrap_or(false)
                });
                // Of a property that is nothing nothing was heard.
                let is_known = heard.is_event || !heard.value.is_null();
                if is_meant && is_known {
                    self.count(said, at);
                }
            }
            Kind::Sequence { steps, within } => self.sequence(steps, *within, heard, at),
            Kind::Absent { .. } | Kind::Changed { .. } | Kind::Rate { .. } => {}
        }
    }

    fn rate(&mut self, heard: &Heard<'_>, said: Time) {
        let Kind::Rate {
            above, below, per, ..
        } = self.signal.kind
        else {
            return;
        };
        let Some(number) = number_of(heard.value) else {
            return;
        };
        if let (Some(before), Some(then)) = (self.state.number, self.state.heard)
            && then < said
        {
            let rate = (number - before) / said.since(then).as_secs_f64() * per.as_secs_f64();
            if rate.is_finite() {
                let is = above.is_some_and(|above| above < rate)
                    || below.is_some_and(|below| rate < below);
                self.state.holds = Some(Holds::from(is));
                self.state.rate = Some(rate);
            }
        }
        self.state.number = Some(number);
        self.state.heard = Some(said);
    }

    fn count(&mut self, said: Time, at: Time) {
        let Kind::Count { at_least, .. } = self.signal.kind else {
            return;
        };
        // Before the signal that it comes after nothing counts.
        if !self.is_armed() || self.state.armed.is_some_and(|armed| said < armed) {
            return;
        }
        let times = &mut self.state.times;
        let place = times.partition_point(|time| *time <= said);
        times.insert(place, said);
        self.uncount(at);
        self.state.holds = Some(Holds::from(at_least <= self.state.times.len()));
    }

    /// Forgets what is too old, and what is more than is asked for.
    fn uncount(&mut self, at: Time) {
        if let Kind::Count {
            at_least, within, ..
        } = self.signal.kind
        {
            let times = &mut self.state.times;
            let old = times.partition_point(|time| time.after(within) < at);
            let more = times.len().saturating_sub(at_least);
            times.drain(..old.max(more));
        }
    }

    fn sequence(&mut self, steps: &[Condition], within: Duration, heard: &Heard<'_>, at: Time) {
        self.state.steps.resize(steps.len(), Step::default());
        let mut is_through = false;
        // One reading is one step: from the last to the first, so that none takes two.
        for (number, condition) in steps.iter().enumerate().rev() {
            if !condition.looks_at(heard.name) {
                continue;
            }
            let Ok(is) = self.judge(condition) else {
                continue;
            };
            let was = self.state.steps[number].holds.replace(is);
            if !is || was == Some(true) {
                continue;
            }
            let from = match number {
                0 => Some(at),
                _ => self.state.steps[number - 1]
                    .from
                    .filter(|from| at.since(*from) <= within),
            };
            let Some(from) = from.filter(|_| self.counts()) else {
                continue;
            };
            self.state.steps[number].from = Some(from);
            is_through |= number + 1 == steps.len();
        }
        if is_through {
            for step in &mut self.state.steps {
                step.from = None;
            }
            self.used();
            self.tell(Turns::Happened, at);
        }
    }

    fn tell(&mut self, turns: Turns, at: Time) {
        let (data, failed) = self.data();
        self.edges.push(Edge {
            turns,
            at,
            late: self.now.since(at),
            data,
            failed,
        });
    }

    fn data(&self) -> (Value, Option<String>) {
        let Some(template) = &self.signal.data else {
            return (self.plain_data(), None);
        };
        let seen = self.seen(self.signal.data_fields.as_deref());
        match template.made(&self.scope(), &seen) {
            Ok(data) => (data, None),
            Err(uncomputed) => (self.plain_data(), Some(uncomputed.to_string())),
        }
    }

    /// What was looked at.
    fn plain_data(&self) -> Value {
        let read = |conditions: &[&Condition]| {
            let all = conditions.iter().map(|one| one.fields.clone());
            let all: Option<Vec<_>> = all.collect();
            let mut fields = all.map(|all| all.concat());
            if let Some(fields) = &mut fields {
                fields.sort_unstable();
                fields.dedup();
            }
            let names = fields.clone().unwrap_or_default();
            json!({"property": names, "value": self.seen(fields.as_deref())})
        };
        match &self.signal.kind {
            Kind::Expr(condition) => read(&[condition]),
            Kind::Sequence { steps, .. } => read(&steps.iter().collect::<Vec<_>>()),
            Kind::Inside(place) | Kind::NotInside(place) => {
                json!({"property": super::defined::INSIDE, "value": place})
            }
            Kind::Rate { property, .. } => json!({"property": property, "value": self.state.rate}),
            Kind::Count { of, .. } => json!({"property": of, "value": self.state.times.len()}),
            kind => {
                let property = kind.primary().unwrap_or_default().to_owned();
                let seen = self.seen(Some(std::slice::from_ref(&property)));
                json!({"property": property, "value": seen.get(&property)})
            }
        }
    }
}
