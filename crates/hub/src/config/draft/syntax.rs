//! What is no TOML, in words for administrators; and which other mistakes only follow from it.

use super::Draft;
use crate::config::{Code, ConfigError, value::Place};

impl Draft<'_> {
    /// Reports what is no TOML: the first of each line, since the rest mostly follows from it.
    pub(super) fn syntax(&mut self, faults: &[toml::de::Error]) {
        // The line of the last one; found once, however many follow in it.
        let mut line = 0..0;
        for fault in faults {
            let span = fault.span().unwrap_or_default();
            if self.is_full() {
                return;
            }
            if line.contains(&span.start) {
                continue;
            }
            let missing = span.is_empty();
            let (what, right) = match fault.message().split_once(", expected ") {
                Some(("string values must be quoted", _)) if missing => {
                    ("the value is missing", "write one".to_owned())
                }
                Some((what @ "string values must be quoted", _)) => {
                    (what, "write \"…\" around it".to_owned())
                }
                Some((what, "nothing")) => (what, "leave it out".to_owned()),
                Some((what, right)) => (what, format!("expected {right}")),
                None if fault.message() == "duplicate key" => {
                    ("the key is here a second time", "write it once".to_owned())
                }
                None => (
                    fault.message(),
                    "see https://toml.io for the format".to_owned(),
                ),
            };
            line = self.source.line(span.start);
            self.fault(Code::Syntax, &Place::File(span), what, right);
        }
    }

    /// Drops mistakes that follow from those of syntax, which are the first ones.
    pub(super) fn without_echoes(&mut self, syntax: usize) {
        let mut others = self.errors.split_off(syntax);
        let heads = self.errors.iter().filter(|error| is_in_head(error));
        let head = heads.map(|error| error.line).min();
        // What stands in a line that could not be read says nothing, and below the head of a
        // table that could not be read nobody knows whose keys follow.
        let is_echo = |other: &ConfigError| {
            let same_line = self.errors.iter().any(|error| error.line == other.line);
            let below = head.is_some_and(|head| head < other.line);
            same_line || (below && other.code == Code::UnknownKey)
        };
        others.retain(|other| !is_echo(other));
        self.errors.append(&mut others);
    }
}

fn is_in_head(error: &ConfigError) -> bool {
    let excerpt = error.excerpt.as_ref();
    excerpt.is_some_and(|(line, _)| line.trim_start().starts_with('['))
}
