//! The assertions of W3C WoT Discovery 1.0 and of Sparkplug 3.0.0: which of them a test proves.
//!
//! A table has the form of the implementation report of WoT Discovery. A test bears the assertions
//! that it proves in a comment, `[wot-discovery tdd-things-crud tdd-things-list-only]`. What no test
//! bears has its status and its comment from the table, by hand: there must be a reason, and no
//! test that is not there.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};

use super::marks::test_at;
use crate::{source::Source, tree::Tree};

/// A standard whose assertions have names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suite {
    /// What people call it.
    pub(super) name: &'static str,
    /// The table: written, and read for what is said by hand.
    pub(super) table: &'static str,
    /// How a mark of it begins.
    mark: &'static str,
}

/// All of them.
pub(super) const SUITES: [Suite; 2] = [
    Suite {
        name: "W3C WoT Discovery 1.0",
        table: "docs/conformance/wot-discovery.csv",
        mark: "[wot-discovery",
    },
    Suite {
        name: "Eclipse Sparkplug 3.0.0, chapter 10: servers and hosts",
        table: "docs/conformance/sparkplug.csv",
        mark: "[sparkplug",
    },
];

const HEAD: &str = r#""ID","Status","Comment""#;
const PASS: &str = "pass";
/// What is said by hand of what no test proves.
const OTHERS: [&str; 2] = ["not implemented", "not applicable"];
/// How a comment begins that names tests.
const TESTS: &str = "test: ";

/// All assertions of a suite, with what is known of them.
#[derive(Debug)]
pub(super) struct Assertions {
    pub(super) suite: Suite,
    rows: Vec<Row>,
    /// What is wrong with the marks and the table, as `path:line: …`.
    pub(super) problems: Vec<String>,
}

#[derive(Debug)]
struct Row {
    id: String,
    status: String,
    comment: String,
}

impl Assertions {
    /// Brings together the tables and the marks of all suites.
    pub(super) fn read_all(tree: &Tree) -> anyhow::Result<Vec<Self>> {
        let all = SUITES.into_iter().map(|suite| Self::read(tree, suite));
        all.collect()
    }

    /// The same of one.
    fn read(tree: &Tree, suite: Suite) -> anyhow::Result<Self> {
        let table = suite.table;
        let mut all = Self {
            suite,
            rows: rows(table, tree.text(table).unwrap_or(HEAD))?,
            problems: Vec::new(),
        };
        let mut proved = all.marks(tree);
        for (index, row) in all.rows.iter_mut().enumerate() {
            let at = format!("{table}:{}", index + 2);
            let id = &row.id;
            match proved.remove(id) {
                Some(tests) => {
                    if row.status == "not applicable" {
                        let test = tests.first().map_or("", String::as_str);
                        let says =
                            format!("{at}: `{id}` is not applicable, and `{test}` proves it");
                        all.problems.push(says);
                    }
                    row.status = PASS.to_owned();
                    let tests: Vec<String> = tests.into_iter().collect();
                    row.comment = format!("{TESTS}{}", tests.join(", "));
                }
                None if !OTHERS.contains(&&*row.status) => all.problems.push(format!(
                    "{at}: `{id}` is `{}`, and no test bears it; say one of {OTHERS:?}, and why",
                    row.status
                )),
                None if row.comment.starts_with(TESTS) || row.comment.is_empty() => {
                    let says = format!("{at}: no test bears `{id}`; say why instead");
                    all.problems.push(says);
                }
                None => {}
            }
        }
        Ok(all)
    }

    /// The table as it should be.
    pub(super) fn table(&self) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let mut table = format!("{HEAD}\n");
        for row in &self.rows {
            let cells = [&row.id, &row.status, &row.comment].map(|cell| quoted(cell));
            table.push_str(&cells.join(","));
            table.push('\n');
        }
        table
    }

    /// How many assertions there are, and what becomes of them.
    pub(super) fn summary(&self) -> String {
        let count = |status| self.rows.iter().filter(|row| row.status == status).count();
        let [missing, other] = OTHERS;
        format!(
            "{} assertions: {} pass with a test, {} {other}, {} {missing}",
            self.rows.len(),
            count(PASS),
            count(other),
            count(missing)
        )
    }

    /// The tests that bear each assertion; says which marks cannot be meant.
    fn marks(&mut self, tree: &Tree) -> BTreeMap<String, BTreeSet<String>> {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let Suite { table, mark, .. } = self.suite;
        let known: BTreeSet<&str> = self.rows.iter().map(|row| &*row.id).collect();
        for (path, text) in tree.files().filter(|(path, _)| path.ends_with(".rs")) {
            if path.starts_with("xtask/") || !text.contains(mark) {
                continue;
            }
            let source = Source::new(path, text);
            let functions = source.functions();
            for (start, _) in source.comments.match_indices(mark) {
                if source.comments[..start].ends_with('`') {
                    continue; // It only speaks about marks.
                }
                let at = format!("{path}:{}", source.line(start));
                let test = test_at(&source, &functions, start).filter(|_| source.is_test(start));
                let Some(test) = test else {
                    let says = "only a test can bear an assertion; no test follows";
                    self.problems.push(format!("{at}: {says}"));
                    continue;
                };
                let inner = &source.comments[start + mark.len()..];
                let inner = inner.split(']').next().unwrap_or_default();
                for id in inner.split_whitespace().filter(|word| *word != "//") {
                    if known.contains(id) {
                        found
                            .entry(id.to_owned())
                            .or_default()
                            .insert(test.to_owned());
                    } else {
                        let says = format!("there is no assertion `{id}`; {table} has all");
                        self.problems.push(format!("{at}: {says}"));
                    }
                }
            }
        }
        found
    }
}

fn rows(table: &str, text: &str) -> anyhow::Result<Vec<Row>> {
    let mut lines = text.lines();
    if lines.next() != Some(HEAD) {
        bail!("{table} must begin with {HEAD}");
    }
    let row = |(index, line): (usize, &str)| {
        let inner = line
            .strip_prefix('"')
            .and_then(|line| line.strip_suffix('"'));
        let cells: Option<Vec<&str>> = inner.map(|inner| inner.split("\",\"").collect());
        let cells: Option<[&str; 3]> = cells.and_then(|cells| cells.try_into().ok());
        let [id, status, comment] = cells
            .with_context(|| format!("{table}:{}: three cells in quotes are wanted", index + 2))?
            .map(|cell| cell.replace("\"\"", "\""));
        Ok(Row {
            id,
            status,
            comment,
        })
    };
    lines.enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "crates/x/tests/a.rs";

    fn read(rows: &str, tests: &str) -> Assertions {
        let table = format!("{HEAD}\n{rows}");
        let [suite, _] = SUITES;
        let tree = Tree::from([(suite.table, &*table), (PATH, tests)]);
        Assertions::read(&tree, suite).unwrap()
    }

    #[test]
    fn what_a_test_bears_passes_and_the_rest_keeps_its_reason() {
        let all = read(
            "\"a-b\",\"not implemented\",\"test: later\"\n\"c\",\"not applicable\",\"no \"\"c\"\" here\"\n",
            "// [wot-discovery\n//  a-b]\nfn one() {}\n// [wot-discovery a-b]\nfn two() {}\n",
        );
        assert_eq!(all.problems, [""; 0]);
        let expected =
            "\"a-b\",\"pass\",\"test: one, two\"\n\"c\",\"not applicable\",\"no \"\"c\"\" here\"\n";
        assert_eq!(all.table(), format!("{HEAD}\n{expected}"));
        assert_eq!(
            all.summary(),
            "2 assertions: 1 pass with a test, 1 not applicable, 0 not implemented"
        );
    }

    #[track_caller]
    fn says(rows: &str, tests: &str, expected: &str) {
        let problems = read(rows, tests).problems;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(expected), "{problems:?}");
    }

    #[test]
    fn marks_and_tests_that_are_not_there_are_problems() {
        let row = "\"a\",\"not implemented\",\"later\"\n";
        says(row, "// [wot-discovery b]\nfn one() {}", "no assertion `b`");
        says(row, "// [wot-discovery a]\n", "no test follows");
        says("\"a\",\"pass\",\"test: one\"\n", "", "no test bears it");
        says(
            "\"a\",\"not implemented\",\"test: one\"\n",
            "",
            "no test bears `a`",
        );
        let row = "\"a\",\"not applicable\",\"no a here\"\n";
        says(row, "// [wot-discovery a]\nfn one() {}", "`one` proves it");
    }
}
