//! What is wrong with a package: in which file, and where, and what would be right.

use std::fmt;

use quartet_process::problem::{self, Place, Problem};

use crate::Files;

/// One mistake in one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// The file's path in the package.
    pub file: String,
    /// Where in it, and what.
    pub problem: Problem,
}

impl Wrong {
    /// A mistake at a place of a file.
    pub fn at(file: &str, place: Place, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            problem: Problem::error(place, what),
        }
    }

    /// A mistake of a file as a whole.
    pub fn of(file: &str, what: impl Into<String>) -> Self {
        Self::at(file, Place { line: 1, column: 1 }, what)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.problem)
    }
}

/// Mistakes as a person reads them in a terminal, each with the line that it stands in.
pub fn shown(files: &Files, wrongs: &[Wrong]) -> String {
    let shown = wrongs.iter().map(|wrong| {
        let text = files.text(&wrong.file).unwrap_or_default();
        problem::shown(&wrong.file, text, &wrong.problem)
    });
    shown.collect()
}
