//! A value as somebody wrote it, and where: the common ground of file, environment and command
//! line. Judges nothing.

use std::{ops::Range, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Code, ConfigError, words::quoted};

/// Where something was said.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Place {
    /// Bytes of the file.
    File(Range<usize>),
    /// An environment variable or an option, by its name.
    Named(String),
}

/// What was said, and where.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) place: Place,
    pub(super) raw: Raw,
}

/// What was said.
#[derive(Clone, Debug)]
pub(super) enum Raw {
    Text(String),
    Whole(i64),
    Switch(bool),
    List(Vec<Value>),
    Table(Vec<Entry>),
    /// What no key takes, as it was written, and what it is in words.
    Other(String, &'static str),
}

/// A key of a table with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) value: Value,
}

impl Value {
    pub(super) fn named(name: &str, raw: Raw) -> Self {
        Self {
            place: Place::Named(name.to_owned()),
            raw,
        }
    }

    fn of(value: &Spanned<DeValue<'_>>) -> Self {
        let raw = match value.get_ref() {
            DeValue::String(text) => Raw::Text(text.clone().into_owned()),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(whole) => Raw::Whole(whole),
                    Err(_) => Raw::Other(number.to_string(), "a very large number"),
                }
            }
            DeValue::Float(number) => Raw::Other(number.to_string(), "a fraction"),
            DeValue::Boolean(switch) => Raw::Switch(*switch),
            DeValue::Datetime(time) => Raw::Other(time.to_string(), "a time"),
            DeValue::Array(list) => Raw::List(list.iter().map(Self::of).collect()),
            DeValue::Table(table) => Raw::Table(entries(table)),
        };
        Self {
            place: Place::File(value.span()),
            raw,
        }
    }

    /// In words: `is "many", a text`.
    pub(super) fn is(&self) -> String {
        match &self.raw {
            Raw::Text(text) => format!("is {}, a text", quoted(text)),
            Raw::Whole(number) => format!("is {number}, a whole number"),
            Raw::Switch(switch) => format!("is {switch}, a yes or no"),
            Raw::List(_) => "is a list".to_owned(),
            Raw::Table(_) => "is a table".to_owned(),
            Raw::Other(shown, kind) => {
                let shown = shown.get(..60).unwrap_or(shown);
                format!("is {shown}, {kind}")
            }
        }
    }
}

/// The entries of a table in the order of the file.
pub(super) fn entries(table: &DeTable<'_>) -> Vec<Entry> {
    let entry = |(name, value): (&Spanned<_>, _)| Entry {
        name: AsRef::<str>::as_ref(name.get_ref()).to_owned(),
        place: Place::File(name.span()),
        value: Value::of(value),
    };
    let mut entries: Vec<Entry> = table.iter().map(entry).collect();
    entries.sort_by_key(|entry| match &entry.place {
        Place::File(span) => span.start,
        Place::Named(_) => 0,
    });
    entries
}

/// A file's name and text, to say where something is wrong.
#[derive(Clone, Copy)]
pub(super) struct Source<'t> {
    pub(super) name: Option<&'t Path>,
    pub(super) text: &'t str,
}

/// Characters of a line that an error shows.
const EXCERPT_MAX: usize = 160;

impl Source<'_> {
    /// The bytes of the line that a byte is in, with its end.
    pub(super) fn line(&self, at: usize) -> Range<usize> {
        let bytes = self.text.as_bytes();
        let (before, after) = bytes.split_at(at.min(bytes.len()));
        let start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let end = after
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(after.len());
        start..before.len() + end + 1
    }

    pub(super) fn error(
        &self,
        code: Code,
        place: &Place,
        what: impl Into<String>,
        right: impl Into<String>,
    ) -> ConfigError {
        let mut error = ConfigError {
            code,
            file: String::new(),
            line: 0,
            column: 0,
            what: what.into(),
            right: right.into(),
            excerpt: None,
        };
        match place {
            Place::Named(name) => error.file.clone_from(name),
            Place::File(span) => self.locate(&mut error, span),
        }
        error
    }

    fn locate(&self, error: &mut ConfigError, span: &Range<usize>) {
        error.file = match self.name {
            Some(name) => name.display().to_string(),
            None => "configuration".to_owned(),
        };
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let start = self.line(span.start).start;
        let line = self.text[start..].lines().next().unwrap_or_default();
        error.line = before.matches('\n').count() + 1;
        error.column = before[start..].chars().count() + 1;
        if error.column > EXCERPT_MAX {
            return;
        }
        let wrong = self.text.get(span.clone()).unwrap_or_default();
        let wrong = wrong.lines().next().unwrap_or_default().chars().count();
        let shown = line
            .chars()
            .take(EXCERPT_MAX)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect::<String>();
        let length = wrong.min(EXCERPT_MAX + 1 - error.column);
        error.excerpt = Some((shown, length));
    }
}
