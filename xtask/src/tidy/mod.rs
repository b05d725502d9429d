//! The rules of the house that no compiler checks.
//!
//! Each rule is a function from the project's files to findings; a finding says where it is, what
//! is wrong and what would be right.

mod arrows; // which crate may know which
mod errors; // error codes and their pages
mod manifest; // the part of TOML that manifests use
mod sources; // sizes, leftovers, heads, sleeps

use std::{fmt, process::ExitCode};

use crate::tree::Tree;

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    says: String,
}

impl Finding {
    /// `says` reads "what is wrong; what would be right".
    pub(crate) fn new(path: &str, line: usize, says: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            says: says.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.says)
    }
}

/// Prints all findings; fails if there are any.
pub(crate) fn run(tree: &Tree) -> anyhow::Result<ExitCode> {
    let findings = findings(tree);
    for finding in &findings {
        eprintln!("{finding}");
    }
    if findings.is_empty() {
        eprintln!("tidy: nothing to say about {} files", tree.files().count());
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("tidy: {} findings", findings.len());
    Ok(ExitCode::FAILURE)
}

/// All findings, in order of path and line.
fn findings(tree: &Tree) -> Vec<Finding> {
    let rules = [
        arrows::findings,
        manifest::findings,
        sources::findings,
        errors::findings,
    ];
    let mut findings: Vec<Finding> = rules.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings
}

/// Asserts what a rule says about some files, each as `path:line: …`.
#[cfg(test)]
fn check<const N: usize>(
    rule: fn(&Tree) -> Vec<Finding>,
    files: [(&str, &str); N],
    expected: &[&str],
) {
    let said: Vec<String> = rule(&Tree::from(files))
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(said, expected);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_project_lacks_only_its_table() {
        check(
            findings,
            [("Cargo.toml", "[workspace]\nmembers = []\n")],
            &[
                "ARCHITECTURE.md:1: there is no table `crate | may depend on | tests may also use`; \
               add it below a heading \"Who may know whom\"",
            ],
        );
    }
}
