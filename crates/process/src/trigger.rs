//! Which events are meant, and why another was not: the filters of the language on CloudEvents.

use std::{borrow::Cow, sync::Arc};

use quartet_model::Time;
use serde_json::Value;

use crate::{
    expr::{Fuel, Scope},
    language::{Filter, event::Match},
    told::short,
};

/// Why an event is not the one that was meant.
#[derive(Clone, PartialEq, Debug)]
pub struct Miss {
    /// The attribute that was looked at.
    pub attribute: String,
    /// What was asked of it, as it was written.
    pub wanted: String,
    /// What it was.
    pub saw: Value,
    /// Parts of what was asked, with the values that they had.
    pub parts: Vec<(String, Result<Value, String>)>,
}

/// Whether an event is meant by a filter. All attributes must be as asked; `values` are those of
/// the names that expressions may use.
///
/// # Errors
///
/// What was not as it was asked.
pub fn fits(
    filter: &Filter,
    envelope: &Value,
    values: &[Arc<Value>],
    now: Time,
) -> Result<(), Miss> {
    let scope = Scope {
        values,
        now,
        fuel: &Fuel::default(),
    };
    let saw = |name: &str| match envelope.get(name) {
        Some(Value::String(text)) => Saw::Text(text.into()),
        Some(value) => Saw::Value(value),
        None => Saw::Nothing,
    };
    match first_other(filter, saw, &scope) {
        None => Ok(()),
        Some((name, wanted)) => Err(Miss::of(name, wanted, envelope, &scope)),
    }
}

/// Whether an event is meant by a filter, where nobody asks why not: `saw` says its attributes.
pub(crate) fn is_meant<'s>(
    filter: &Filter,
    saw: impl Fn(&str) -> Saw<'s>,
    scope: &Scope<'_>,
) -> bool {
    first_other(filter, saw, scope).is_none()
}

/// An attribute of an event.
pub(crate) enum Saw<'s> {
    /// It has none of this name.
    Nothing,
    /// All but the data are texts.
    Text(Cow<'s, str>),
    Value(&'s Value),
}

/// The first attribute that is not as it was asked.
fn first_other<'f, 's>(
    filter: &'f Filter,
    saw: impl Fn(&str) -> Saw<'s>,
    scope: &Scope<'_>,
) -> Option<(&'f str, &'f Match)> {
    let mut with = filter.with.iter();
    with.find_map(|(name, wanted)| {
        let saw = saw(&name.text);
        let is = match (wanted, &saw) {
            // A topic may be a filter (MQTT 5.0, section 4.7).
            (Match::Is(Value::String(filter)), Saw::Text(topic)) if name.text == "topic" => {
                is_topic_of(filter, topic)
            }
            (Match::Is(value), Saw::Text(saw)) => value.as_str() == Some(saw),
            (Match::Is(value), Saw::Value(saw)) => *saw == value,
            (Match::Is(value), Saw::Nothing) => value.is_null(),
            (Match::Fits(text, pattern), saw) => saw.text().is_some_and(|saw| {
                saw == text || pattern.is_match_within(scope.fuel, saw).unwrap_or(false)
            }),
            (Match::Expr(expr), saw) => {
                let made;
                let saw = match saw {
                    Saw::Value(saw) => *saw,
                    Saw::Nothing => &Value::Null,
                    Saw::Text(saw) => {
                        made = Value::from(&**saw);
                        &made
                    }
                };
                match expr.eval(scope, saw).as_deref() {
                    Ok(Value::Bool(is)) => *is,
                    Ok(value) => value == saw,
                    Err(_) => false,
                }
            }
        };
        (!is).then_some((&*name.text, wanted))
    })
}

impl Saw<'_> {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::Text(text) => Some(text),
            Self::Value(value) => value.as_str(),
        }
    }
}

impl Miss {
    /// With values in which nobody gets lost.
    pub(crate) fn short(mut self) -> Self {
        self.saw = short(&self.saw);
        for (_, value) in &mut self.parts {
            if let Ok(value) = value {
                *value = short(value);
            }
        }
        self
    }

    fn of(name: &str, wanted: &Match, envelope: &Value, scope: &Scope<'_>) -> Self {
        let saw = envelope.get(name).unwrap_or(&Value::Null);
        let mut miss = Self {
            attribute: name.to_owned(),
            wanted: String::new(),
            saw: saw.clone(),
            parts: Vec::new(),
        };
        match wanted {
            Match::Is(value) => miss.wanted = value.to_string(),
            Match::Fits(text, _) => miss.wanted.clone_from(text),
            Match::Expr(expr) => {
                expr.expression.text().trim().clone_into(&mut miss.wanted);
                // What it takes to tell the parts is not part of what it takes to compute it.
                let telling = Scope {
                    fuel: &Fuel::default(),
                    ..*scope
                };
                let parts = expr.expression.explain(&telling, saw).into_iter();
                miss.parts = parts
                    .map(|(text, value)| (text, value.map_err(|failed| failed.what)))
                    .collect();
                let again = Scope {
                    fuel: &Fuel::default(),
                    ..*scope
                };
                if let Err(uncomputed) = expr.eval(&again, saw) {
                    miss.parts.push((uncomputed.text, Err(uncomputed.what)));
                }
            }
        }
        miss
    }
}

/// Whether a topic matches a filter with `+` and `#`.
pub fn is_topic_of(filter: &str, topic: &str) -> bool {
    // Wildcards do not reach topics of the hub's own [MQTT-4.7.2-1].
    if topic.starts_with('$') != filter.starts_with('$') {
        return false;
    }
    // A topic has no wildcards, so this one is named whole.
    if filter == topic {
        return true;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        if wanted == "#" {
            return true;
        }
        match levels.next() {
            Some(level) if wanted == "+" || wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// The text that an attribute must have, or begin with; `None` if anything may do.
pub(crate) fn prefix(filter: &Filter, name: &str) -> Option<(Cow<'static, str>, bool)> {
    match filter.attribute(name)? {
        Match::Is(Value::String(text)) if name == "topic" => {
            let end = text.find(['+', '#']);
            Some((
                text[..end.unwrap_or(text.len())].to_owned().into(),
                end.is_none(),
            ))
        }
        Match::Is(Value::String(text)) => Some((text.clone().into(), true)),
        Match::Fits(text, _) => {
            let special = |c: char| "*+?[](){}|^$\\.".contains(c);
            let end = text.find(special).unwrap_or(text.len());
            // What stands before `*` or `?` may be missing.
            let is_counted = text[end..].starts_with(['*', '?', '{']);
            let before = &text[..end];
            let before = match is_counted {
                true => before
                    .char_indices()
                    .last()
                    .map_or("", |(at, _)| &before[..at]),
                false => before,
            };
            let before = if text.contains('|') { "" } else { before };
            Some((before.to_owned().into(), false))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_match_filters_as_mqtt_says() {
        for (filter, topic, expected) in [
            ("a/+/c", "a/b/c", true),
            ("a/+", "a/b/c", false),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "$SYS/x", false),
            ("+/b", "/b", true),
            ("a", "a/b", false),
        ] {
            assert_eq!(is_topic_of(filter, topic), expected, "{filter} {topic}");
        }
    }
}
