//! The standards and their normative statements, as they are kept in `tests/conformance`.

use std::fmt;

use anyhow::{Context, bail};

use crate::tree::Tree;

/// A version of MQTT that numbers its statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standard {
    /// MQTT 5.0
    V5,
    /// MQTT 3.1.1
    V311,
}

impl Standard {
    /// In the order in which we speak of them.
    pub(super) const ALL: [Self; 2] = [Self::V5, Self::V311];

    /// The name of its files, without their ending.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::V5 => "mqtt-5.0",
            Self::V311 => "mqtt-3.1.1",
        }
    }

    /// The standard with this number.
    pub(super) fn parse(number: &str) -> anyhow::Result<Self> {
        match number {
            "5.0" => Ok(Self::V5),
            "3.1.1" => Ok(Self::V311),
            other => bail!("`{other}` is neither 5.0 nor 3.1.1"),
        }
    }
}

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V5 => "MQTT 5.0",
            Self::V311 => "MQTT 3.1.1",
        })
    }
}

/// The number of a statement: `MQTT-3.1.0-2` is 3, 1, 0, 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(pub(super) [u16; 4]);

impl Id {
    /// Reads `MQTT-3.1.0-2`. The standard itself prints one id as `MQTT-3-8.3-4`; any of its
    /// separators will do.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let numbers = text.strip_prefix("MQTT-")?.split(['.', '-']);
        let numbers: Result<Vec<u16>, _> = numbers.map(str::parse).collect();
        Some(Self(numbers.ok()?.try_into().ok()?))
    }

    /// All statements from this one to `last` of the same section; nothing if `last` is elsewhere.
    pub(super) fn to(self, last: Self) -> Option<Vec<Self>> {
        let [a, b, c, first] = self.0;
        let is_range = last.0[..3] == self.0[..3] && first < last.0[3];
        is_range.then(|| (first..=last.0[3]).map(|d| Self([a, b, c, d])).collect())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        write!(f, "MQTT-{a}.{b}.{c}-{d}")
    }
}

/// One normative statement.
#[derive(Debug)]
pub(super) struct Statement {
    /// Its number.
    pub(super) id: Id,
    /// Whether it speaks of clients only.
    pub(super) of_clients: bool,
    /// Its words.
    pub(super) text: String,
}

/// All statements of a standard, in its order.
pub(super) fn statements(tree: &Tree, standard: Standard) -> anyhow::Result<Vec<Statement>> {
    let path = format!("tests/conformance/{}.tsv", standard.file());
    let text = tree
        .text(&path)
        .with_context(|| format!("{path} is missing"))?;
    let statement = |(line, [id, who, text]): (usize, [&str; 3])| {
        let id = Id::parse(id).with_context(|| format!("{path}:{line}: `{id}` is no id"))?;
        Ok(Statement {
            id,
            of_clients: who == "client",
            text: text.to_owned(),
        })
    };
    rows(&path, text)?.into_iter().map(statement).collect()
}

/// The rows below the heading of a table with `N` columns, each with its line.
pub(super) fn rows<'t, const N: usize>(
    path: &str,
    text: &'t str,
) -> anyhow::Result<Vec<(usize, [&'t str; N])>> {
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let Ok(cells) = cells.try_into() else {
            bail!(
                "{path}:{}: a row has {N} columns, divided by tabs",
                index + 1
            );
        };
        rows.push((index + 1, cells));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_the_standards_print_them() {
        assert_eq!(Id::parse("MQTT-3.10.4-1"), Some(Id([3, 10, 4, 1])));
        assert_eq!(Id::parse("MQTT-3-8.3-4"), Some(Id([3, 8, 3, 4])));
        for wrong in ["MQTT-3.1.0", "3.1.0-2", "MQTT-3.1.0-2-1", "MQTT-a.1.0-2"] {
            assert_eq!(Id::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ranges_stay_in_their_section() {
        let id = |d| Id([3, 1, 2, d]);
        assert_eq!(id(1).to(id(3)), Some(vec![id(1), id(2), id(3)]));
        assert_eq!(id(3).to(id(1)), None);
        assert_eq!(id(1).to(Id([3, 1, 3, 3])), None);
    }

    #[test]
    fn a_row_with_a_column_too_few_is_named() {
        let error = rows::<3>("a.tsv", "x\ty\tz\n1\t2\t3\n1\t2\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.tsv:3: a row has 3 columns, divided by tabs"
        );
    }
}
