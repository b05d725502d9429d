//! What is wrong with a configuration, where, and what would be right; shown with the line it
//! stands in. Whoever is at fault is always the administrator: nothing here is ours.

use std::fmt;

/// Which kind of mistake: stable, and each with a page in docs/errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    /// The file cannot be read, is empty or is no text.
    Unreadable,
    /// It is no TOML.
    Syntax,
    /// A key that does not exist.
    UnknownKey,
    /// A value of the wrong type or out of range.
    WrongValue,
    /// Two values that cannot both be meant.
    Contradiction,
    /// A listener that cannot be, or must not be without saying so.
    Listener,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Unreadable,
        Self::Syntax,
        Self::UnknownKey,
        Self::WrongValue,
        Self::Contradiction,
        Self::Listener,
    ];

    /// As people see it: `Q0104`; its page is `docs/errors/Q0104.md`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "Q0101",
            Self::Syntax => "Q0102",
            Self::UnknownKey => "Q0103",
            Self::WrongValue => "Q0104",
            Self::Contradiction => "Q0105",
            Self::Listener => "Q0106",
        }
    }
}

/// One mistake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    /// Its kind.
    pub code: Code,
    /// The file, environment variable or option that it is in; empty if it is in none.
    pub file: String,
    /// Its line, from 1; 0 if it has none.
    pub line: usize,
    /// Its first character in the line, from 1; 0 if it has none.
    pub column: usize,
    /// What was found.
    pub what: String,
    /// What would be right.
    pub right: String,
    /// The line itself and how many characters of it are wrong.
    pub excerpt: Option<(String, usize)>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            f.write_str(&self.file)?;
            if self.line != 0 {
                write!(f, ":{}:{}", self.line, self.column)?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}; {} [{}]", self.what, self.right, self.code.as_str())?;
        let Some((source, length)) = &self.excerpt else {
            return Ok(());
        };
        let (line, gutter) = (self.line, self.line.to_string().len() + 1);
        let before = self.column.saturating_sub(1);
        write!(f, "\n{line} | {source}\n{:gutter$}| ", "")?;
        write!(f, "{:before$}{}", "", "^".repeat((*length).max(1)))
    }
}
