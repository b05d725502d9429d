//! Values with expressions in them: a text that is `${ … }` is what that gives, one that has `${ … }` in it is a text made
//! of it, and all else is what it is. Expressions are the part of jq that is known to end.

use std::{borrow::Cow, sync::Arc};

use quartet_model::Time;
use quartet_process::expr::{Expression, Fuel, Names, Scope, enclosed};
use serde_json::{Map, Value};

/// What expressions may name, in the order of [`Known`].
const NAMES: [&str; 7] = ["my", "is", "all", "at", "dt", "said", "topic"];

/// What expressions see beside their input.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// `my`, `is`, `all`, `at`, `dt`, `said`, `topic`.
    pub(crate) values: [Arc<Value>; NAMES.len()],
    pub(crate) now: Time,
}

/// Places of names.
pub(crate) mod name {
    pub(crate) const MY: usize = 0;
    pub(crate) const IS: usize = 1;
    pub(crate) const ALL: usize = 2;
    pub(crate) const SAID: usize = 5;
    pub(crate) const TOPIC: usize = 6;
}

/// An expression, alone.
#[derive(Clone, Debug)]
pub(crate) struct Computed(Expression);

impl Computed {
    /// Reads `.a + 1` or `${ .a + 1 }`.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let inner = enclosed(text).map_or(text, |(_, inner)| inner);
        let expression = Expression::compile(inner, &Names::new(NAMES))
            .map_err(|wrong| format!("`{}`: {}", short(inner), wrong.what))?;
        match expression.beyond_total() {
            None => Ok(Self(expression)),
            Some(beyond) => Err(format!(
                "`{}`: a simulation computes only what is known to end: {}",
                short(inner),
                beyond.what
            )),
        }
    }

    /// Its value.
    pub(crate) fn eval(&self, known: &Known, input: &Value) -> Result<Value, String> {
        let scope = Scope {
            values: &known.values,
            now: known.now,
            fuel: &Fuel::default(),
        };
        let value = self.0.eval(&scope, input).map(Cow::into_owned);
        value.map_err(|failed| format!("`{}`: {}", short(self.0.text()), failed.what))
    }
}

/// An expression in a message about it: its beginning.
fn short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// A value with expressions in it.
#[derive(Clone, Debug)]
pub(crate) enum Template {
    Fixed(Value),
    Expr(Computed),
    Text(Vec<Part>),
    List(Vec<Template>),
    Object(Vec<(String, Template)>),
}

/// A part of a text.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Fixed(String),
    Expr(Computed),
}

impl Template {
    /// Reads what stands in a file.
    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => Self::of_text(text)?,
            Value::Array(list) => {
                let all: Result<_, String> = list.iter().map(Self::read).collect();
                Self::List(all?)
            }
            Value::Object(members) => {
                let all = members.iter();
                let all = all.map(|(name, value)| Ok((name.clone(), Self::read(value)?)));
                Self::Object(all.collect::<Result<_, String>>()?)
            }
            other => Self::Fixed(other.clone()),
        })
    }

    pub(crate) fn of_text(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let inside = &rest[start + 2..];
            let end = end_of(inside)
                .ok_or_else(|| format!("`{}`: `${{` is not closed by `}}`", short(text)))?;
            if 0 < start {
                parts.push(Part::Fixed(rest[..start].to_owned()));
            }
            parts.push(Part::Expr(Computed::read(&inside[..end])?));
            rest = &inside[end + 1..];
        }
        if parts.is_empty() {
            return Ok(Self::Fixed(text.into()));
        }
        if !rest.trim().is_empty() || (1 < parts.len() && !rest.is_empty()) {
            parts.push(Part::Fixed(rest.to_owned()));
        }
        if parts.len() == 1
            && let Some(Part::Expr(_)) = parts.first()
            && let Some(Part::Expr(one)) = parts.pop()
        {
            return Ok(Self::Expr(one));
        }
        Ok(Self::Text(parts))
    }

    /// Its value.
    pub(crate) fn eval(&self, known: &Known, input: &Value) -> Result<Value, String> {
        Ok(match self {
            Self::Fixed(value) => value.clone(),
            Self::Expr(expr) => expr.eval(known, input)?,
            Self::Text(_) => self.text(known, input)?.into(),
            Self::List(list) => {
                let all = list.iter().map(|one| one.eval(known, input));
                Value::Array(all.collect::<Result<_, _>>()?)
            }
            Self::Object(members) => {
                let all = members.iter();
                let all = all.map(|(name, one)| Ok((name.clone(), one.eval(known, input)?)));
                Value::Object(all.collect::<Result<Map<_, _>, String>>()?)
            }
        })
    }

    /// Its value as text.
    pub(crate) fn text(&self, known: &Known, input: &Value) -> Result<String, String> {
        let Self::Text(parts) = self else {
            return Ok(as_text(self.eval(known, input)?));
        };
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Fixed(fixed) => text += fixed,
                Part::Expr(expr) => text += &as_text(expr.eval(known, input)?),
            }
        }
        Ok(text)
    }
}

/// A text as it is; all else as JSON.
pub(crate) fn as_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Where the brace stands that closes one which is open: braces in texts do not count.
fn end_of(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut in_text = false;
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if in_text => is_escaped = true,
            '"' => in_text = !in_text,
            '{' if !in_text => depth += 1,
            '}' if !in_text && depth == 0 => return Some(at),
            '}' if !in_text => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(written: Value, expected: Value) {
        let nothing = Arc::new(Value::Null);
        let mut values: [Arc<Value>; NAMES.len()] = std::array::from_fn(|_| Arc::clone(&nothing));
        values[name::MY] = Arc::new(json!({ "name": "lamp" }));
        let now = Time::ZERO;
        let template = Template::read(&written).expect("it is a template");
        let value = template.eval(&Known { values, now }, &json!({ "on": true }));
        assert_eq!(value, Ok(expected));
    }

    #[test]
    fn values_are_fixed_or_computed_or_texts_of_both() {
        check(json!("plain"), json!("plain"));
        check(json!("${ .on | not }"), json!(false));
        check(json!("a/${ $my.name }/set"), json!("a/lamp/set"));
        check(
            json!({ "a": ["${ {\"b\": {}} }", 1] }),
            json!({ "a": [{ "b": {} }, 1] }),
        );
        check(json!("${ \"}\" }x"), json!("}x"));
    }

    #[test]
    fn what_is_no_expression_says_why() {
        let why = |text: &str| Template::of_text(text).expect_err("it is none");
        assert!(why("${ .a").contains("not closed"));
        assert!(why("${ $your.name }").contains("your"));
        assert!(why("${ range(9) }").contains("known to end"));
    }
}
