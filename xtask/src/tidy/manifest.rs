//! Cargo manifests: the part of TOML that they use, and the rule that dependencies have reasons.

use super::Finding;
use crate::tree::Tree;

const ROOT: &str = "Cargo.toml";

/// One `key = value` of a manifest. A table of its own (`[dependencies.x]`) is one entry, too.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The table: `dependencies`, `workspace.dependencies`…
    pub(super) table: String,
    /// The key up to its first dot: `bytes` of `bytes.workspace = true`.
    pub(super) key: String,
    /// All that follows, without comments.
    pub(super) value: String,
    /// Whether a comment stands beside it.
    pub(super) has_reason: bool,
    /// Where it begins, from 1.
    pub(super) line: usize,
}

impl Entry {
    /// The package that it names, if it is a dependency: `b` of `a = { package = "b" }`.
    pub(super) fn package(&self) -> &str {
        let Some((_, rest)) = self.value.split_once("package") else {
            return &self.key;
        };
        rest.split('"').nth(1).unwrap_or(&self.key)
    }

    /// What stands in quotes in its value: the members of a list.
    pub(super) fn quoted(&self) -> impl Iterator<Item = &str> {
        self.value.split('"').skip(1).step_by(2)
    }
}

/// All entries of a manifest, in order.
pub(super) fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut table = String::new();
    let mut own_table = false; // of one dependency: [dependencies.x]
    let mut depth = 0; // of brackets that are still open
    for (index, line) in text.lines().enumerate() {
        let (content, comment) = split_comment(line);
        let content = content.trim();
        if depth == 0 && content.starts_with('[') {
            table = content.trim_matches(['[', ']']).to_owned();
            own_table = false;
            if let Some((parent, key)) = table.rsplit_once('.')
                && parent.ends_with("dependencies")
            {
                own_table = true;
                entries.push(entry(parent, key, "", comment, index + 1));
            }
        } else if depth > 0 || own_table {
            if let Some(last) = entries.last_mut() {
                last.value = format!("{} {content}", last.value);
                last.has_reason |= comment;
            }
            depth += open_brackets(content);
        } else if let Some((key, value)) = content.split_once('=') {
            entries.push(entry(&table, key, value.trim(), comment, index + 1));
            depth = open_brackets(value);
        }
    }
    entries
}

fn entry(table: &str, key: &str, value: &str, has_reason: bool, line: usize) -> Entry {
    let key = key
        .split('.')
        .next()
        .unwrap_or(key)
        .trim()
        .trim_matches('"');
    Entry {
        table: table.to_owned(),
        key: key.to_owned(),
        value: value.to_owned(),
        has_reason,
        line,
    }
}

/// The line up to its `#`, and whether a comment that says something follows.
fn split_comment(line: &str) -> (&str, bool) {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return (&line[..at], !line[at + 1..].trim().is_empty()),
            _ => {}
        }
    }
    (line, false)
}

fn open_brackets(text: &str) -> i32 {
    let mut quoted = false;
    text.chars().fold(0, |depth, c| {
        quoted ^= c == '"';
        match c {
            '[' | '{' if !quoted => depth + 1,
            ']' | '}' if !quoted => depth - 1,
            _ => depth,
        }
    })
}

/// Every dependency of the workspace that comes from elsewhere says why it is there.
pub(super) fn findings(tree: &Tree) -> Vec<Finding> {
    let entries = entries(tree.text(ROOT).unwrap_or_default());
    let unexplained = entries.into_iter().filter(|entry| {
        entry.table == "workspace.dependencies" && !entry.has_reason && !is_ours(entry)
    });
    let finding = |entry: Entry| {
        let says = format!(
            "`{0}` does not say why it is there; write `{0} = … # the reason` on its line",
            entry.key
        );
        Finding::new(ROOT, entry.line, says)
    };
    unexplained.map(finding).collect()
}

/// Crates of this workspace explain themselves.
fn is_ours(entry: &Entry) -> bool {
    entry.value.contains("path =") || entry.value.contains("path=")
}

#[cfg(test)]
mod tests {
    use super::{super::check, *};

    fn keys(text: &str) -> Vec<(String, String, usize)> {
        let entries = entries(text).into_iter();
        entries
            .map(|e| (e.table.clone(), e.package().to_owned(), e.line))
            .collect()
    }

    #[test]
    fn dependencies_are_read_in_all_their_forms() {
        let text = "[dependencies]\na.workspace = true\nb = { version = \"1\", package = \"c\" }\n\
                    d = { version = \"1\", features = [\n  \"x\", # why\n] }\n\
                    [target.'cfg(unix)'.dependencies]\ne = \"1\"\n\
                    [dev-dependencies.f]\npath = \"../f\"\n[lints]\nworkspace = true\n";
        let expected = [
            ("dependencies", "a", 2),
            ("dependencies", "c", 3),
            ("dependencies", "d", 4),
            ("target.'cfg(unix)'.dependencies", "e", 8),
            ("dev-dependencies", "f", 9),
            ("lints", "workspace", 12),
        ];
        assert_eq!(
            keys(text),
            expected.map(|(t, k, l)| (t.to_owned(), k.to_owned(), l))
        );
    }

    #[test]
    fn a_dependency_says_why_it_is_there() {
        let text = "[workspace.dependencies]\n# Codecs\na = \"1\"\nb = \"1\" # sums\n\
                    c = { path = \"c#d\" }\ne = { version = \"1#\" }\n";
        let expected = [
            "Cargo.toml:3: `a` does not say why it is there; write `a = … # the reason` on its line",
            "Cargo.toml:6: `e` does not say why it is there; write `e = … # the reason` on its line",
        ];
        check(findings, [("Cargo.toml", text)], &expected);
    }
}
