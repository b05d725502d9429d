use std::fmt;

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use super::json::Malformed;

/// More than this says nobody reads, and no machine should have to send.
pub(crate) const PROBLEMS_MAX: usize = 64;

/// One thing that is wrong: where, what, and what would be right. An entry of `validationErrors`
/// in the answer to a description that is refused [WoT Discovery, section 7.3.2.1.5 "Validation"].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Problem {
    /// Names and indices from the root, with dots between: `properties.status.forms.0.href`. The
    /// root is `(root)`.
    pub field: String,
    /// What was wrong and what would be right: `is 5; must be a string`.
    pub description: String,
}

impl Problem {
    /// Something wrong at a field.
    pub fn new(field: impl fmt::Display, description: impl Into<String>) -> Self {
        Self {
            field: field.to_string(),
            description: description.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.description)
    }
}

/// A document is not what it should be. There is at least one problem.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub struct Invalid(pub Vec<Problem>);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl Invalid {
    /// `Ok` if there is no problem; otherwise each problem once.
    pub(crate) fn unless_none(problems: Vec<Problem>) -> Result<(), Self> {
        let problems = distinct(problems);
        if problems.is_empty() {
            return Ok(());
        }
        Err(Self(problems))
    }
}

impl From<Malformed> for Invalid {
    fn from(malformed: Malformed) -> Self {
        let field = match &malformed {
            Malformed::Duplicate { field, .. } | Malformed::TooDeep { field, .. } => field.clone(),
            _ => Path::default().to_string(),
        };
        Self(vec![Problem::new(field, malformed.to_string())])
    }
}

/// Each problem once, in the order in which they came, and not too many.
pub(crate) fn distinct(problems: Vec<Problem>) -> Vec<Problem> {
    let mut kept: Vec<Problem> = Vec::new();
    for problem in problems {
        if kept.len() == PROBLEMS_MAX {
            break;
        }
        if !kept.contains(&problem) {
            kept.push(problem);
        }
    }
    kept
}

/// `be a, b or c` of `be a`, `be b` and `be c`.
pub(crate) fn one_of(must: &[String]) -> String {
    let Some((last, others)) = must.split_last() else {
        return String::new();
    };
    if others.is_empty() {
        return last.clone();
    }
    let last = last.strip_prefix("be ").unwrap_or(last);
    let mut said = others[0].clone();
    for other in &others[1..] {
        said.push_str(", ");
        said.push_str(other.strip_prefix("be ").unwrap_or(other));
    }
    format!("{said} or {last}")
}

/// A value, so short that it can be part of a sentence.
pub(crate) fn excerpt(value: &Value) -> String {
    const CHARS_MAX: usize = 60;
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        _ => {
            let text = value.to_string();
            match text.char_indices().nth(CHARS_MAX) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        }
    }
}

/// Where in a document something is. Shown as [`Problem::field`].
#[derive(Clone, Default, Debug)]
pub(crate) struct Path {
    text: String,
    /// Where each step begins in `text`.
    steps: Vec<usize>,
}

impl Path {
    pub(crate) fn push_name(&mut self, name: &str) {
        self.begin();
        self.text.push_str(name);
    }

    pub(crate) fn push_index(&mut self, index: usize) {
        self.push_name(&index.to_string());
    }

    pub(crate) fn pop(&mut self) {
        let start = self.steps.pop().unwrap_or_default();
        self.text.truncate(start.saturating_sub(1));
    }

    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    fn begin(&mut self) {
        if !self.steps.is_empty() {
            self.text.push('.');
        }
        self.steps.push(self.text.len());
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.steps.is_empty() {
            "(root)"
        } else {
            &self.text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_names_and_indices_with_dots() {
        let mut path = Path::default();
        assert_eq!(path.to_string(), "(root)");
        path.push_name("forms");
        path.push_index(0);
        path.push_name("href");
        assert_eq!(path.to_string(), "forms.0.href");
        path.pop();
        path.pop();
        assert_eq!(path.to_string(), "forms");
        path.pop();
        assert_eq!((path.to_string().as_str(), path.len()), ("(root)", 0));
    }
}
