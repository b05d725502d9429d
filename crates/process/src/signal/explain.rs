use quartet_model::Time;
use serde_json::Value;

use super::{
    Look, Signal,
    defined::{Condition, INSIDE, Kind},
    state::{Holds, State},
    turn::{is_in, judge_number, number_of, seen},
};
use crate::expr::{Fuel, Scope, described};

/// Why a signal is on at an element, or is not: sentences that a person can read.
pub fn explain(signal: &Signal, state: &State, look: &dyn Look, now: Time) -> Vec<String> {
    let mut told = Telling {
        signal,
        state,
        look,
        now,
        said: Vec::new(),
    };
    told.whether();
    told.kind();
    told.guard();
    told.after();
    told.said
}

struct Telling<'a> {
    signal: &'a Signal,
    state: &'a State,
    look: &'a dyn Look,
    now: Time,
    said: Vec<String>,
}

impl Telling<'_> {
    fn say(&mut self, what: impl Into<String>) {
        self.said.push(what.into());
    }

    fn whether(&mut self) {
        let (name, wait) = (self.signal.name(), self.signal.0.wait);
        let what = match (self.state.on, self.state.since) {
            (true, Some(since)) => format!(
                "`{name}` is on since {}{}",
                since.after(wait).rfc3339(),
                match wait.is_zero() {
                    true => String::new(),
                    false => format!(", being so since {}", since.rfc3339()),
                }
            ),
            (true, None) => format!("`{name}` is on"),
            (false, Some(since)) => {
                let begins = since.after(wait);
                format!(
                    "`{name}` is not on yet: it is so since {}, and begins at {}, in {:?}",
                    since.rfc3339(),
                    begins.rfc3339(),
                    begins.since(self.now)
                )
            }
            (false, None) if self.signal.is_momentary() => {
                format!("`{name}` is only ever on for a moment")
            }
            (false, None) => format!("`{name}` is not on"),
        };
        self.say(what);
    }

    fn kind(&mut self) {
        let signal = self.signal;
        match signal.kind() {
            Kind::Above {
                property,
                level,
                clear,
            } => self.level(property, "above", *level, *clear),
            Kind::Below {
                property,
                level,
                clear,
            } => self.level(property, "below", *level, *clear),
            Kind::Outside {
                property,
                low,
                high,
                margin,
            } => {
                let Some(value) = self.number(property) else {
                    return;
                };
                self.say(match judge_number(signal.kind(), value) {
                    Some(Holds::Yes) => {
                        format!("`{property}` is {value}, which is not between {low} and {high}")
                    }
                    Some(Holds::Between) => format!(
                        "`{property}` is {value}, which is between {low} and {high}, but not by {margin}: what is on stays on"
                    ),
                    _ => format!("`{property}` is {value}, which is between {low} and {high}"),
                });
            }
            Kind::Changed { property } => match (&self.state.value, self.state.heard) {
                (Some(_), Some(heard)) => {
                    let at = heard.rfc3339();
                    self.say(format!(
                        "`{property}` was last heard at {at}; another value makes an edge"
                    ));
                }
                _ => self.say(format!(
                    "nothing was heard of `{property}` yet; the first value changes nothing"
                )),
            },
            Kind::Absent { of, is_from_known } => match (self.state.heard, is_from_known) {
                (Some(heard), _) => {
                    let (at, ago) = (heard.rfc3339(), self.now.since(heard));
                    self.say(format!("`{of}` was last heard at {at}, {ago:?} ago"));
                }
                (None, true) => self.say(format!("`{of}` was never heard")),
                (None, false) => self.say(format!(
                    "`{of}` was never heard; it is missed from its first reading on"
                )),
            },
            Kind::Rate {
                property,
                above,
                below,
                per,
            } => {
                let _ = self.number(property);
                let limits = match (above, below) {
                    (Some(above), Some(below)) => format!("above {above} or below {below}"),
                    (Some(above), None) => format!("above {above}"),
                    (None, below) => format!("below {}", below.unwrap_or_default()),
                };
                let is = match self.state.holds {
                    Some(Holds::Yes) => "is",
                    _ => "is not",
                };
                self.say(match self.state.rate {
                    Some(rate) => {
                        format!("`{property}` changes by {rate} in {per:?}, which {is} {limits}")
                    }
                    None => format!(
                        "how fast `{property}` changes is not known: that takes two readings at different times"
                    ),
                });
            }
            Kind::Count {
                of,
                at_least,
                within,
                ..
            } => {
                let times = self.state.times.iter();
                let count = times.filter(|at| self.now <= at.after(*within)).count();
                let count = match count {
                    0 => "never".to_owned(),
                    1 => "once".to_owned(),
                    // No more are remembered than are needed.
                    count if count == *at_least => format!("{count} times or more"),
                    count => format!("{count} times"),
                };
                self.say(format!(
                    "`{of}` was heard {count} in the last {within:?}; it takes {at_least}"
                ));
            }
            Kind::Sequence { steps, within } => self.sequence(steps, *within),
            Kind::Inside(place) | Kind::NotInside(place) => {
                let inside = self.look.property(INSIDE);
                self.say(match inside.as_deref().map(|value| is_in(value, place)) {
                    Some(Some(true)) => format!("it is in `{place}`"),
                    Some(Some(false)) => format!("it is not in `{place}`"),
                    Some(None) => format!("`{INSIDE}` is no list of places"),
                    None => "in which places it is is not known".to_owned(),
                });
            }
            Kind::Expr(condition) => self.condition("it", condition),
        }
    }

    /// The number that a property is; says why not if it is none.
    fn number(&mut self, property: &str) -> Option<f64> {
        let value = self.look.property(property);
        let number = value.as_deref().and_then(number_of);
        if number.is_none() {
            let kept = match self.state.holds {
                Some(_) => "; the signal stays as it was",
                None => "",
            };
            let what = match value.as_deref() {
                None | Some(Value::Null) => format!("`{property}` is not known{kept}"),
                Some(value) => {
                    format!(
                        "`{property}` is {}, which is no number{kept}",
                        described(value)
                    )
                }
            };
            self.say(what);
        }
        number
    }

    fn level(&mut self, property: &str, side: &str, level: f64, clear: f64) {
        let Some(value) = self.number(property) else {
            return;
        };
        self.say(match judge_number(self.signal.kind(), value) {
            Some(Holds::Yes) => format!("`{property}` is {value}, which is {side} {level}"),
            Some(Holds::Between) => format!(
                "`{property}` is {value}, which is not {side} {level}; what is on ends at {clear}"
            ),
            _ => format!("`{property}` is {value}, which is not {side} {level}"),
        });
    }

    fn sequence(&mut self, steps: &[Condition], within: std::time::Duration) {
        let come = self.state.steps.iter();
        let mut come = come
            .enumerate()
            .filter(|(_, step)| step.from.is_some_and(|from| self.now.since(from) <= within));
        let furthest = come
            .next_back()
            .and_then(|(at, step)| Some((at, step.from?)));
        match furthest {
            Some((at, from)) => self.say(format!(
                "{} of {} conditions became true in order since {}; the rest has until {}",
                at + 1,
                steps.len(),
                from.rfc3339(),
                from.after(within).rfc3339()
            )),
            None => self.say(format!(
                "none of {} conditions became true in the last {within:?}",
                steps.len()
            )),
        }
        for (number, step) in steps.iter().enumerate() {
            self.condition(&format!("condition {}", number + 1), step);
        }
    }

    fn guard(&mut self) {
        if let Some(when) = &self.signal.0.when {
            self.condition("`when`", when);
        }
    }

    /// Whether a condition holds, and the values of its parts.
    fn condition(&mut self, what: &str, condition: &Condition) {
        let expression = &condition.expr.expression;
        let input = Value::Object(seen(self.look, condition.fields.as_deref()));
        let fuel = Fuel::default();
        let telling = Fuel::default();
        let now = self.now;
        let scope = |fuel| Scope {
            values: &[],
            now,
            fuel,
        };
        let text = expression.text().trim();
        self.say(match expression.judge(&scope(&fuel), &input) {
            Ok(true) => format!("{what} holds: `{text}`"),
            Ok(false) => format!("{what} does not hold: `{text}`"),
            Err(unknown) => {
                format!("whether {what} holds cannot be told (`{text}`): {unknown}")
            }
        });
        for (part, value) in expression.explain(&scope(&telling), &input) {
            if part == text {
                continue;
            }
            self.say(match value {
                Ok(value) => format!("`{part}` is {}", described(&value)),
                Err(failed) => format!("`{part}` has no value: {failed}"),
            });
        }
    }

    fn after(&mut self) {
        if let Some(after) = self.signal.after()
            && !self.state.on
        {
            self.say(match self.state.armed {
                Some(armed) => format!("`{after}` began at {}", armed.rfc3339()),
                None => format!("it counts once `{after}` began, and that did not happen since"),
            });
        }
    }
}
