//! What is wrong with a definition: where, and what would be right.

use std::fmt;

/// A position in a definition's text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Place {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// The definition cannot be used.
    Error,
    /// It can be used, and is most likely not what was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// How bad it is.
    pub severity: Severity,
    /// What was wrong, and what would be right: one sentence that a person can read.
    pub what: String,
}

impl Problem {
    /// The definition cannot be used.
    pub fn error(place: Place, what: impl Into<String>) -> Self {
        Self {
            place,
            severity: Severity::Error,
            what: what.into(),
        }
    }

    /// It is most likely not what was meant.
    pub fn warning(place: Place, what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(place, what)
        }
    }

    /// Whether the definition cannot be used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}: {severity}: {}", self.place, self.what)
    }
}

/// A problem as a person reads it in a terminal: `file:line:column`, what is wrong, and the line with a
/// mark below what is meant.
pub fn shown(file: &str, text: &str, problem: &Problem) -> String {
    let mut shown = format!("{file}:{problem}\n");
    let line = text
        .lines()
        .nth(problem.place.line.saturating_sub(1) as usize);
    let Some(line) = line.filter(|line| !line.trim().is_empty()) else {
        return shown;
    };
    // A long line is shown around the place.
    const AROUND: usize = 60;
    let chars: Vec<char> = line.chars().collect();
    let at = (problem.place.column.saturating_sub(1) as usize).min(chars.len());
    let (from, to) = (at.saturating_sub(AROUND), (at + AROUND).min(chars.len()));
    let part: String = chars[from..to]
        .iter()
        .map(|c| if *c == '\t' { ' ' } else { *c })
        .collect();
    let number = problem.place.line.to_string();
    let margin = " ".repeat(number.len());
    let mark = " ".repeat(at - from);
    shown += &format!(" {number} | {part}\n {margin} | {mark}^\n");
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_shown_where_it_stands() {
        let problem = Problem::error(Place { line: 2, column: 6 }, "no such thing");
        let expected = "a.yaml:2:6: error: no such thing\n 2 |   b: é c\n   |      ^\n";
        assert_eq!(shown("a.yaml", "a:\n  b: é c\n", &problem), expected);
        let long = format!("a: {}x", "y".repeat(500));
        let problem = Problem::error(
            Place {
                line: 1,
                column: 504,
            },
            "here",
        );
        assert!(
            shown("a.yaml", &long, &problem)
                .lines()
                .all(|line| line.len() < 130)
        );
        let nowhere = Problem::error(Place { line: 9, column: 9 }, "gone");
        assert_eq!(shown("a", "", &nowhere), "a:9:9: error: gone\n");
    }
}
