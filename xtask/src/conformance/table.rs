//! The pages in `docs/conformance`: one row per statement.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    ledger::{Entry, Ledger, Standing},
    statement::Standard,
};

/// The whole page of a standard.
pub(super) fn page(ledger: &Ledger, standard: Standard) -> String {
    let mut page = format!(
        "# Conformance: {standard}\n\n\
         Written by `cargo xtask conformance` from the marks in code and tests. Do not edit: change a \
         mark, or the\ntables in [tests/conformance](../../tests/conformance), and run it again.\n\n\
         {}.\n\n\
         A statement is open if it binds the server and no test proves it.\n\n\
         | id | statement | code | test | note |\n|---|---|---|---|---|\n",
        summary(ledger, standard)
    );
    for entry in ledger.entries(standard) {
        let cells = [
            entry.statement.id.to_string(),
            escape(&entry.statement.text),
            list(&entry.code),
            list(&entry.tests),
            note(entry),
        ];
        // A String takes all that is written to it.
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    page
}

/// The page that counts what is on the others.
pub(super) fn counts(counts: &[(String, String, String)]) -> String {
    let mut page = "# Conformance\n\n\
         Written by `cargo xtask conformance` from the marks in code and tests.\n\n\
         | standard | what becomes of it |\n|---|---|\n"
        .to_owned();
    for (standard, path, summary) in counts {
        let file = path.rsplit('/').next().unwrap_or_default();
        // A String takes all that is written to it.
        let _ = writeln!(page, "| [{standard}]({file}) | {summary} |");
    }
    page.push_str(
        "\n[What suites that we did not write say](foreign-suites.md) is told by hand.\n",
    );
    page
}

/// How many statements there are, and what becomes of them.
pub(super) fn summary(ledger: &Ledger, standard: Standard) -> String {
    let count = |is: &dyn Fn(&Entry) -> bool| ledger.entries(standard).filter(|e| is(e)).count();
    let standing = |standing| count(&|entry| entry.standing() == standing);
    format!(
        "{} statements: {} with code, {} with a test, {} bind clients, {} do not apply, {} open",
        count(&|_| true),
        count(&|entry| !entry.code.is_empty()),
        count(&|entry| !entry.tests.is_empty()),
        standing(Standing::OfClients),
        standing(Standing::DoesNotApply),
        standing(Standing::Open),
    )
}

fn note(entry: &Entry) -> String {
    let mut notes = Vec::new();
    match entry.standing() {
        Standing::Open => notes.push("**open**".to_owned()),
        Standing::OfClients => notes.push("binds clients".to_owned()),
        Standing::DoesNotApply | Standing::Proved => {}
    }
    notes.extend(
        entry
            .note
            .as_ref()
            .map(|reason| format!("does not apply: {}", escape(reason))),
    );
    notes.extend(
        entry
            .refused
            .as_ref()
            .map(|how| format!("a breach is refused: {}", escape(how))),
    );
    if !entry.same_as.is_empty() {
        let ids: Vec<String> = entry.same_as.iter().map(ToString::to_string).collect();
        notes.push(format!("as {} of 5.0", ids.join(", ")));
    }
    notes.join("; ")
}

fn list(names: &BTreeSet<String>) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join("<br>")
}

/// Text that Markdown shows as it is, in one cell.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '|' | '<' | '*' | '[' | '`' | '$' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    #[test]
    fn a_row_says_what_is_known() {
        let tree = Tree::from([
            (
                "tests/conformance/mqtt-5.0.tsv",
                "id\twho\tstatement\nMQTT-1.0.0-1\tserver\tA [b].\nMQTT-1.0.0-2\tclient\tB.\n\
                 MQTT-1.0.0-3\tboth\tC.\n",
            ),
            ("tests/conformance/mqtt-3.1.1.tsv", "id\twho\tstatement\n"),
            (
                "crates/x/a.rs",
                "// [MQTT-1.0.0-1]\n#[cfg(test)]\nmod tests { fn mqtt_1_0_0_1_a() {} }",
            ),
        ]);
        let page = page(&Ledger::read(&tree).unwrap(), Standard::V5);
        let rows: Vec<&str> = page
            .lines()
            .skip_while(|line| !line.starts_with("|-"))
            .skip(1)
            .collect();
        let expected = [
            "| MQTT-1.0.0-1 | A \\[b]. | `crates/x/a.rs` | `mqtt_1_0_0_1_a` |  |",
            "| MQTT-1.0.0-2 | B. |  |  | binds clients |",
            "| MQTT-1.0.0-3 | C. |  |  | **open** |",
        ];
        assert_eq!(rows, expected);
        assert!(page.contains(
            "\n3 statements: 1 with code, 1 with a test, 1 bind clients, 0 do not apply, 1 open.\n"
        ));
    }
}
