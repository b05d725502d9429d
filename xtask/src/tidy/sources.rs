//! What sources look like: their size, leftovers in them, their heads, and no sleeping tests.

use super::Finding;
use crate::{
    source::{Source, words},
    tree::Tree,
};

/// Past this, two ideas live in one file.
const LINES_MAX: usize = 1_000;
/// What is left to do is an issue, not a comment.
const LEFTOVERS: [&str; 2] = ["TODO", "FIXME"];
/// Endings of sources other than Rust.
const OTHER_SOURCES: [&str; 6] = [".py", ".js", ".mjs", ".ts", ".svelte", ".toml"];

/// Code that must not be there, wherever it stands, and what to do instead.
const FORBIDDEN: [(&str, &str); 3] = [
    ("todo!", "write the code, or leave the feature out"),
    ("dbg!", "remove it, or log with `tracing`"),
    ("#[ignore", "repair the test, or delete it"),
];

/// The findings of all rules in this file.
pub(super) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        if path.ends_with(".rs") {
            let source = Source::new(path, text);
            leftovers(path, &source.comments, &mut findings);
            forbidden(path, &source, &mut findings);
            sleeps(path, &source, &mut findings);
            size(path, &source, &mut findings);
            head(path, text, &mut findings);
        } else if OTHER_SOURCES.iter().any(|ending| path.ends_with(ending)) {
            leftovers(path, text, &mut findings);
        }
    }
    findings
}

fn leftovers(path: &str, comments: &str, findings: &mut Vec<Finding>) {
    for (index, line) in comments.lines().enumerate() {
        for word in LEFTOVERS {
            if words(line, word).next().is_some() {
                let says = format!("`{word}`; do it now, or open an issue and remove the comment");
                findings.push(Finding::new(path, index + 1, says));
            }
        }
    }
}

fn forbidden(path: &str, source: &Source<'_>, findings: &mut Vec<Finding>) {
    for (word, instead) in FORBIDDEN {
        for at in words(&source.code, word) {
            findings.push(Finding::new(
                path,
                source.line(at),
                format!("`{word}`; {instead}"),
            ));
        }
    }
}

fn sleeps(path: &str, source: &Source<'_>, findings: &mut Vec<Finding>) {
    for at in words(&source.code, "thread::sleep").filter(|&at| source.is_test(at)) {
        let says = "a test sleeps; wait for a condition with a deadline, or use virtual time";
        findings.push(Finding::new(path, source.line(at), says));
    }
}

fn size(path: &str, source: &Source<'_>, findings: &mut Vec<Finding>) {
    let lines = source.lines_without_tests();
    if path.contains("/src/") && lines > LINES_MAX {
        let says =
            format!("{lines} lines; split what is past {LINES_MAX} into two ideas, two files");
        findings.push(Finding::new(path, LINES_MAX, says));
    }
}

/// `lib.rs`, `main.rs` and `mod.rs` begin with what they are.
fn head(path: &str, text: &str, findings: &mut Vec<Finding>) {
    let is_head = ["lib.rs", "main.rs", "mod.rs"]
        .iter()
        .any(|name| path.rsplit('/').next() == Some(name));
    let mut lines = text
        .lines()
        .skip_while(|line| line.trim().is_empty() || line.starts_with("#!"));
    if is_head && !lines.next().is_some_and(|line| line.starts_with("//!")) {
        let says = "the module has no head; begin with two to six lines of `//!`: what it is, what it \
                    does not do, what always holds";
        findings.push(Finding::new(path, 1, says));
    }
}

#[cfg(test)]
mod tests {
    use super::{super::check, *};

    fn check_source(text: &str, expected: &[&str]) {
        check(findings, [("crates/x/src/a.rs", text)], expected);
    }

    #[test]
    fn leftovers_are_found_in_comments_only() {
        check_source(
            "let a = \"TODO\"; // TODO: b\n// METODOS\n/* c\n FIXME */",
            &[
                "crates/x/src/a.rs:1: `TODO`; do it now, or open an issue and remove the comment",
                "crates/x/src/a.rs:4: `FIXME`; do it now, or open an issue and remove the comment",
            ],
        );
        check(
            findings,
            [("tests/clients/a.py", "# FIXME\n"), ("docs/a.md", "TODO\n")],
            &["tests/clients/a.py:1: `FIXME`; do it now, or open an issue and remove the comment"],
        );
    }

    #[test]
    fn unfinished_code_is_found_in_code_only() {
        check_source(
            "// todo!\nfn a() { todo!() }\n#[ignore = \"slow\"]\nfn b() { dbg!(\"dbg!\") }",
            &[
                "crates/x/src/a.rs:2: `todo!`; write the code, or leave the feature out",
                "crates/x/src/a.rs:4: `dbg!`; remove it, or log with `tracing`",
                "crates/x/src/a.rs:3: `#[ignore`; repair the test, or delete it",
            ],
        );
    }

    #[test]
    fn tests_do_not_sleep() {
        check_source("fn a() { std::thread::sleep(b); }", &[]);
        check_source(
            "#[cfg(test)]\nmod tests {\n    fn a() { std::thread::sleep(b); }\n}",
            &[
                "crates/x/src/a.rs:3: a test sleeps; wait for a condition with a deadline, or use \
               virtual time",
            ],
        );
    }

    #[test]
    fn long_files_are_found_and_tests_do_not_count() {
        let code = "// line\n".repeat(1_000);
        check_source(&format!("{code}#[cfg(test)]\nmod tests {{\n\n}}\n"), &[]);
        check_source(
            &format!("{code}// one more\n"),
            &[
                "crates/x/src/a.rs:1000: 1001 lines; split what is past 1000 into two ideas, two files",
            ],
        );
    }

    #[test]
    fn modules_begin_with_their_heads() {
        let expected = "crates/x/src/lib.rs:1: the module has no head; begin with two to six lines of \
                        `//!`: what it is, what it does not do, what always holds";
        check(
            findings,
            [("crates/x/src/lib.rs", "pub mod a;\n")],
            &[expected],
        );
        check(
            findings,
            [("crates/x/src/lib.rs", "#![no_std]\n\n//! A.\n")],
            &[],
        );
    }
}
