//! Which statements of the MQTT standards hold, where in the code, and by which test; and which
//! assertions of WoT Discovery and Sparkplug a test proves.
//!
//! Statements are read from `tests/conformance`, marks from the sources. From both come the tables
//! in `docs/conformance`. Nothing is claimed by hand except what does not apply, with its reason.

mod assertions; // the assertions of WoT Discovery and of Sparkplug
mod ledger; // each statement with all that is known about it
mod marks; // what code and tests say about statements
mod statement; // the standards and their statements
mod table; // the pages

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context, bail};

use self::{assertions::Assertions, ledger::Ledger, statement::Standard};
use crate::tree::Tree;

/// How many statements may be open. The number only goes down.
const CEILING: &str = "tests/conformance/ceiling";
/// Where all is counted.
const COUNTS: &str = "docs/conformance/README.md";

/// Writes the tables, and lowers the ceiling if fewer statements are open.
pub(crate) fn write(root: &Path) -> anyhow::Result<ExitCode> {
    let tree = Tree::read(root)?;
    let ledger = Ledger::read(&tree)?;
    let assertions = Assertions::read_all(&tree)?;
    for (path, text) in pages(&ledger, &assertions) {
        write_file(root, &path, &text)?;
    }
    let open = ledger.open();
    if ceiling(&tree)?.is_none_or(|ceiling| open < ceiling) {
        write_file(root, CEILING, &format!("{open}\n"))?;
    }
    report(&ledger, &assertions, Vec::new())
}

/// Says what is wrong with the marks, the tables and the ceiling; writes nothing.
pub(crate) fn check(tree: &Tree) -> anyhow::Result<ExitCode> {
    let ledger = Ledger::read(tree)?;
    let assertions = Assertions::read_all(tree)?;
    let mut problems = Vec::new();
    for (path, text) in pages(&ledger, &assertions) {
        if tree.text(&path) != Some(&text) {
            problems.push(format!(
                "{path}:1: the marks say otherwise; run `cargo xtask conformance`"
            ));
        }
    }
    let (open, ceiling) = (ledger.open(), ceiling(tree)?.unwrap_or(0));
    if ceiling < open {
        let says = "test what is new, or mark the test that was there";
        problems.push(format!(
            "{CEILING}:1: {open} statements are open and {ceiling} may be; {says}"
        ));
    }
    report(&ledger, &assertions, problems)
}

fn report(
    ledger: &Ledger,
    assertions: &[Assertions],
    mut problems: Vec<String>,
) -> anyhow::Result<ExitCode> {
    let wrong = assertions.iter().flat_map(|suite| &suite.problems);
    problems.splice(0..0, ledger.problems.iter().chain(wrong).cloned());
    for problem in &problems {
        eprintln!("{problem}");
    }
    for (standard, _, summary) in counts(ledger, assertions) {
        eprintln!("{standard}: {summary}");
    }
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// All that is written, with where.
fn pages(ledger: &Ledger, assertions: &[Assertions]) -> Vec<(String, String)> {
    let page = |standard| (page(standard), table::page(ledger, standard));
    let mut pages: Vec<_> = Standard::ALL.map(page).into();
    let tables = assertions.iter();
    pages.extend(tables.map(|all| (all.suite.table.to_owned(), all.table())));
    let counts = counts(ledger, assertions);
    pages.push((COUNTS.to_owned(), table::counts(&counts)));
    pages
}

/// Each standard, its table, and what becomes of its statements.
fn counts(ledger: &Ledger, assertions: &[Assertions]) -> Vec<(String, String, String)> {
    let of = |standard: Standard| {
        let summary = table::summary(ledger, standard);
        (standard.to_string(), page(standard), summary)
    };
    let mut counts: Vec<_> = Standard::ALL.map(of).into();
    counts.extend(assertions.iter().map(|all| {
        let (name, table) = (all.suite.name.to_owned(), all.suite.table.to_owned());
        (name, table, all.summary())
    }));
    counts
}

fn page(standard: Standard) -> String {
    format!("docs/conformance/{}.md", standard.file())
}

fn ceiling(tree: &Tree) -> anyhow::Result<Option<usize>> {
    let Some(text) = tree.text(CEILING) else {
        return Ok(None);
    };
    match text.trim().parse() {
        Ok(ceiling) => Ok(Some(ceiling)),
        Err(_) => bail!("{CEILING} holds `{}`, which is no number", text.trim()),
    }
}

fn write_file(root: &Path, path: &str, text: &str) -> anyhow::Result<()> {
    let file = root.join(path);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the folder of {path}"))?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const V5: &str = "id\twho\tstatement\nMQTT-3.1.0-2\tserver\tA second CONNECT is an error.\n";
    const V311: &str = "id\twho\tstatement\nMQTT-3.14.4-1\tclient\tClose after DISCONNECT.\n";

    fn code_of(page: &str, ceiling: &str) -> ExitCode {
        let own = own();
        let tree = Tree::from([
            (COUNTS, &*own.0),
            (assertions::SUITES[0].table, &*own.1),
            (assertions::SUITES[1].table, &*own.1),
            ("tests/conformance/mqtt-5.0.tsv", V5),
            ("tests/conformance/mqtt-3.1.1.tsv", V311),
            ("tests/conformance/ceiling", ceiling),
            ("docs/conformance/mqtt-5.0.md", page),
            (
                "docs/conformance/mqtt-3.1.1.md",
                &table::page(&ledger(), Standard::V311),
            ),
        ]);
        check(&tree).unwrap()
    }

    /// The page of counts, and the table of a suite without assertions.
    fn own() -> (String, String) {
        let assertions = Assertions::read_all(&Tree::from([])).unwrap();
        let counts = counts(&ledger(), &assertions);
        (table::counts(&counts), assertions[0].table())
    }

    fn ledger() -> Ledger {
        let files = [
            ("tests/conformance/mqtt-5.0.tsv", V5),
            ("tests/conformance/mqtt-3.1.1.tsv", V311),
        ];
        Ledger::read(&Tree::from(files)).unwrap()
    }

    #[test]
    fn a_stale_table_and_an_open_statement_too_many_fail() {
        let page = table::page(&ledger(), Standard::V5);
        assert_eq!(code_of(&page, "1\n"), ExitCode::SUCCESS);
        assert_eq!(code_of(&page, "0\n"), ExitCode::FAILURE);
        assert_eq!(code_of("stale", "1\n"), ExitCode::FAILURE);
    }
}
