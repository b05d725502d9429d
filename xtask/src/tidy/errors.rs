//! Each error code that a user may see has its page, and each page its code.

use std::collections::BTreeMap;

use super::Finding;
use crate::{source::Source, tree::Tree};

const PAGES: &str = "docs/errors/";

/// Codes without a page, and pages without a code.
pub(super) fn findings(tree: &Tree) -> Vec<Finding> {
    let codes = codes(tree);
    let mut findings = Vec::new();
    for (code, (path, line)) in &codes {
        let page = format!("{PAGES}{code}.md");
        if tree.text(&page).is_none() {
            let says = format!("`{code}` has no page; write {page}: what happened, what to do");
            findings.push(Finding::new(path, *line, says));
        }
    }
    for (page, _) in tree.files() {
        let name = page
            .strip_prefix(PAGES)
            .and_then(|name| name.strip_suffix(".md"));
        if let Some(code) = name
            && is_code(code)
            && !codes.contains_key(code)
        {
            let says = format!("no code gives `{code}`; delete the page, or use the code");
            findings.push(Finding::new(page, 1, says));
        }
    }
    findings
}

/// Each code that our programs name outside comments and tests, and where it first stands.
fn codes(tree: &Tree) -> BTreeMap<String, (String, usize)> {
    let mut found = BTreeMap::new();
    for (path, text) in tree
        .files()
        .filter(|(path, _)| path.starts_with("crates/") && path.ends_with(".rs"))
    {
        let source = Source::new(path, text);
        let mut at = 0;
        for word in source.spoken.split(|c: char| !c.is_ascii_alphanumeric()) {
            if is_code(word) && !source.is_test(at) {
                found
                    .entry(word.to_owned())
                    .or_insert_with(|| (path.to_owned(), source.line(at)));
            }
            at += word.len();
            at += source.spoken[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    found
}

/// `Q` and four digits.
fn is_code(word: &str) -> bool {
    word.len() == 5 && word.starts_with('Q') && word[1..].bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{super::check, *};

    #[test]
    fn a_code_needs_its_page() {
        let text = "// Q0003\nfn a() {\n    \"é Q0001: cannot\";\n    Q0002;\n    \"Q00011\"\n}\n\
                    #[cfg(test)]\nmod tests { fn a() { \"Q0004\" } }\n";
        check(
            findings,
            [
                ("crates/x/src/a.rs", text),
                ("docs/errors/Q0001.md", "# Q0001\n"),
            ],
            &[
                "crates/x/src/a.rs:4: `Q0002` has no page; write docs/errors/Q0002.md: what happened, \
               what to do",
            ],
        );
    }

    #[test]
    fn a_page_needs_its_code() {
        check(
            findings,
            [("docs/errors/README.md", ""), ("docs/errors/Q0001.md", "")],
            &["docs/errors/Q0001.md:1: no code gives `Q0001`; delete the page, or use the code"],
        );
    }
}
