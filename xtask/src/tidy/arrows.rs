//! Which crate may know which: the table in ARCHITECTURE.md against the manifests.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Finding,
    manifest::{Entry, entries},
};
use crate::tree::Tree;

const PAGE: &str = "ARCHITECTURE.md";

/// What the table allows to one crate.
#[derive(Debug, Default)]
struct Row {
    line: usize,
    may_use: BTreeSet<String>,
    tests_may_use: BTreeSet<String>,
}

/// Every arrow between crates of the workspace is in the table, and every row has its crate.
pub(super) fn findings(tree: &Tree) -> Vec<Finding> {
    let Some(table) = read_table(tree.text(PAGE).unwrap_or_default()) else {
        let says = "there is no table `crate | may depend on | tests may also use`; \
                    add it below a heading \"Who may know whom\"";
        return vec![Finding::new(PAGE, 1, says)];
    };
    let manifests = members(tree);
    let names: BTreeSet<&str> = manifests.keys().map(String::as_str).collect();
    let mut findings = Vec::new();
    for (name, (path, entries)) in &manifests {
        match table.get(name) {
            Some(row) => {
                let arrows = entries
                    .iter()
                    .filter_map(|entry| forbidden(name, row, entry, &names));
                findings.extend(arrows.map(|(line, says)| Finding::new(path, line, says)));
            }
            None => {
                let says = format!("the table has no row for `{name}`; say what it may depend on");
                findings.push(Finding::new(PAGE, 1, says));
            }
        }
    }
    for (name, row) in table
        .iter()
        .filter(|(name, _)| !names.contains(name.as_str()))
    {
        let says = format!("there is no crate `{name}` in the workspace; remove its row");
        findings.push(Finding::new(PAGE, row.line, says));
    }
    findings
}

/// The line and the words for a dependency that `row` does not allow.
fn forbidden(
    name: &str,
    row: &Row,
    entry: &Entry,
    names: &BTreeSet<&str>,
) -> Option<(usize, String)> {
    let in_tests = entry.table.ends_with("dev-dependencies");
    if !entry.table.ends_with("dependencies") {
        return None;
    }
    let target = short(entry.package());
    let allowed = row.may_use.contains(target) || in_tests && row.tests_may_use.contains(target);
    if allowed || !names.contains(target) {
        return None;
    }
    let who = if in_tests {
        format!("tests of `{name}`")
    } else {
        format!("`{name}`")
    };
    let says = format!(
        "{who} may not depend on `{target}`; remove the arrow, or decide it in {PAGE}, \
         \"Who may know whom\""
    );
    Some((entry.line, says))
}

/// Each member's short name, the path of its manifest, and its entries.
fn members(tree: &Tree) -> BTreeMap<String, (String, Vec<Entry>)> {
    let root = entries(tree.text("Cargo.toml").unwrap_or_default());
    let members = root
        .iter()
        .find(|entry| entry.table == "workspace" && entry.key == "members");
    let patterns: Vec<&str> = members.iter().flat_map(|entry| entry.quoted()).collect();
    let is_member = |folder: &str| {
        patterns
            .iter()
            .any(|pattern| match pattern.strip_suffix("/*") {
                Some(parent) => folder
                    .rsplit_once('/')
                    .is_some_and(|(above, _)| above == parent),
                None => *pattern == folder,
            })
    };
    let mut found = BTreeMap::new();
    for (path, text) in tree.files() {
        let Some(folder) = path.strip_suffix("/Cargo.toml") else {
            continue;
        };
        if is_member(folder) {
            let entries = entries(text);
            let name = entries
                .iter()
                .find(|e| e.table == "package" && e.key == "name");
            let name = name
                .and_then(|entry| entry.quoted().next())
                .unwrap_or(folder);
            found.insert(short(name).to_owned(), (path.to_owned(), entries));
        }
    }
    found
}

/// `model` of `quartet-model`: how pages name our crates.
fn short(package: &str) -> &str {
    package.strip_prefix("quartet-").unwrap_or(package)
}

/// The rows below the heading cells `crate | may depend on`, by crate.
fn read_table(page: &str) -> Option<BTreeMap<String, Row>> {
    let mut lines = page.lines().enumerate().skip_while(|(_, line)| {
        let cells = cells(line);
        cells.first() != Some(&"crate") || cells.get(1) != Some(&"may depend on")
    });
    lines.next()?;
    let mut rows = BTreeMap::new();
    for (index, line) in lines
        .skip(1)
        .take_while(|(_, line)| line.trim_start().starts_with('|'))
    {
        let cells = cells(line);
        let names = |cell: usize| names(cells.get(cell).unwrap_or(&""));
        for name in names(0) {
            let row = Row {
                line: index + 1,
                may_use: names(1),
                tests_may_use: names(2),
            };
            rows.insert(name, row);
        }
    }
    Some(rows)
}

fn cells(line: &str) -> Vec<&str> {
    line.trim()
        .trim_matches('|')
        .split('|')
        .map(str::trim)
        .collect()
}

/// The crates that a cell names; a dash is none.
fn names(cell: &str) -> BTreeSet<String> {
    let names = cell.split(',').map(|name| name.trim().trim_matches('`'));
    let names = names.filter(|name| !matches!(*name, "" | "-" | "–" | "—"));
    names.map(|name| short(name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::check, *};

    const ROOT: &str = "[workspace]\nmembers = [\"crates/*\", \"sim\"]\n";
    const TABLE: &str = "# Page\n\n| crate | may depend on | tests may also use |\n|---|---|---|\n\
                         | `model` | - | - |\n| `hub` | `model` | `sim` |\n| sim | model, hub | - |\n";
    const MODEL: &str = "[package]\nname = \"quartet-model\"\n[dependencies]\nbytes = \"1\"\n";
    const SIM: &str =
        "[package]\nname = \"quartet-sim\"\n[dependencies]\nquartet-hub.workspace = true\n";

    fn check_hub(hub: &str, expected: &[&str]) {
        let hub = format!("[package]\nname = \"quartet-hub\"\n{hub}");
        let files = [
            ("ARCHITECTURE.md", TABLE),
            ("Cargo.toml", ROOT),
            ("crates/hub/Cargo.toml", hub.as_str()),
            ("crates/model/Cargo.toml", MODEL),
            ("sim/Cargo.toml", SIM),
        ];
        check(findings, files, expected);
    }

    #[test]
    fn arrows_of_the_table_are_fine() {
        check_hub(
            "[dependencies]\nquartet-model.workspace = true\nserde = \"1\"\n\
             [dev-dependencies]\nquartet-sim.workspace = true\nquartet-model.workspace = true\n",
            &[],
        );
    }

    #[test]
    fn other_arrows_are_not() {
        check_hub(
            "[dependencies]\nquartet-sim.workspace = true\n",
            &[
                "crates/hub/Cargo.toml:4: `hub` may not depend on `sim`; remove the arrow, or decide \
               it in ARCHITECTURE.md, \"Who may know whom\"",
            ],
        );
        check_hub(
            "[build-dependencies]\nother = { path = \"../../sim\", package = \"quartet-sim\" }\n",
            &[
                "crates/hub/Cargo.toml:4: `hub` may not depend on `sim`; remove the arrow, or decide \
               it in ARCHITECTURE.md, \"Who may know whom\"",
            ],
        );
    }

    #[test]
    fn tests_have_a_column_of_their_own() {
        let files = [
            ("ARCHITECTURE.md", TABLE),
            ("Cargo.toml", ROOT),
            (
                "crates/hub/Cargo.toml",
                "[package]\nname = \"quartet-hub\"\n",
            ),
            (
                "crates/model/Cargo.toml",
                "[package]\nname = \"quartet-model\"\n[dev-dependencies]\nquartet-hub.workspace = true\n",
            ),
            ("sim/Cargo.toml", SIM),
        ];
        let expected = [
            "crates/model/Cargo.toml:4: tests of `model` may not depend on `hub`; remove \
                         the arrow, or decide it in ARCHITECTURE.md, \"Who may know whom\"",
        ];
        check(findings, files, &expected);
    }

    #[test]
    fn rows_and_crates_belong_together() {
        let files = [
            ("ARCHITECTURE.md", TABLE),
            ("Cargo.toml", ROOT),
            (
                "crates/hub/Cargo.toml",
                "[package]\nname = \"quartet-hub\"\n",
            ),
            (
                "crates/new/Cargo.toml",
                "[package]\nname = \"quartet-new\"\n",
            ),
            ("sim/Cargo.toml", SIM),
        ];
        let expected = [
            "ARCHITECTURE.md:1: the table has no row for `new`; say what it may depend on",
            "ARCHITECTURE.md:5: there is no crate `model` in the workspace; remove its row",
        ];
        check(findings, files, &expected);
    }
}
