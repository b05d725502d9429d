//! What code and tests say about statements: marks in comments, ids in the names of tests.
//!
//! `[MQTT-3.1.0-2]` is a statement of 5.0, `[3.1.1 MQTT-3.1.0-2]` one of 3.1.1; two marks with "to"
//! between them are a range. A mark in backticks only speaks about marks.

use super::statement::{Id, Standard};
use crate::{
    source::{Function, Source},
    tree::Tree,
};

/// Folders whose sources bear marks.
const MARKED: [&str; 3] = ["crates/", "sim/", "tests/"];

/// Someone says that a statement holds here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The standard that has the statement.
    pub(super) standard: Standard,
    /// The statement.
    pub(super) id: Id,
    /// Who says so.
    pub(super) by: By,
    /// Where, as `path:line`.
    pub(super) at: String,
}

/// Who says that a statement holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The code in this file.
    Code(String),
    /// The test with this name.
    Test(String),
}

/// All marks of the project, and what is wrong with those that cannot be read.
pub(super) fn marks(tree: &Tree) -> (Vec<Mark>, Vec<String>) {
    let mut reader = Reader::default();
    for (path, text) in tree.files() {
        if path.ends_with(".rs") && MARKED.iter().any(|folder| path.starts_with(folder)) {
            reader.read(path, &Source::new(path, text));
        }
    }
    (reader.marks, reader.problems)
}

#[derive(Default)]
struct Reader {
    marks: Vec<Mark>,
    problems: Vec<String>,
}

impl Reader {
    fn read(&mut self, path: &str, source: &Source<'_>) {
        let functions = source.functions();
        self.read_names(path, source, &functions);
        self.read_comments(path, source, &functions);
    }

    fn read_names(&mut self, path: &str, source: &Source<'_>, functions: &[Function]) {
        for function in functions
            .iter()
            .filter(|function| source.is_test(function.span.start))
        {
            let at = format!("{path}:{}", source.line(function.span.start));
            match ids_in_name(&function.name) {
                Ok((standard, ids)) => {
                    let by = By::Test(function.name.clone());
                    self.marks.extend(ids.into_iter().map(|id| Mark {
                        standard,
                        id,
                        by: by.clone(),
                        at: at.clone(),
                    }));
                }
                Err(says) => self
                    .problems
                    .push(format!("{at}: `{}`: {says}", function.name)),
            }
        }
    }

    fn read_comments(&mut self, path: &str, source: &Source<'_>, functions: &[Function]) {
        let comments = &source.comments;
        let mut last: Option<(usize, Standard, Id)> = None; // where the last mark ended
        for (start, _) in comments.match_indices('[') {
            let rest = &comments[start + 1..];
            let (standard, rest) = match rest.strip_prefix("3.1.1 ") {
                Some(rest) => (Standard::V311, rest),
                None => (Standard::V5, rest),
            };
            if !rest.starts_with("MQTT-") || comments[..start].ends_with('`') {
                continue;
            }
            let at = format!("{path}:{}", source.line(start));
            let inner = rest.split(']').next().unwrap_or_default();
            let Some(id) = Id::parse(inner) else {
                self.problems
                    .push(format!("{at}: `{inner}` is no id; write [MQTT-3.1.0-2]"));
                continue;
            };
            let by = if source.is_test(start) {
                By::Test(test_at(source, functions, start).unwrap_or(path).to_owned())
            } else {
                By::Code(path.to_owned())
            };
            let mut ids = vec![id];
            if let Some((end, first_standard, first)) = last
                && is_to(&comments[end..start])
            {
                match first.to(id).filter(|_| first_standard == standard) {
                    Some(range) => ids = range.into_iter().skip(1).collect(),
                    None => self.problems.push(format!(
                        "{at}: no range leads from {first} to {id}; both ends belong to one section \
                         of one standard"
                    )),
                }
            }
            let mark = |id| Mark {
                standard,
                id,
                by: by.clone(),
                at: at.clone(),
            };
            self.marks.extend(ids.into_iter().map(mark));
            last = Some((comments.len() - rest.len() + inner.len() + 1, standard, id));
        }
    }
}

/// Whether nothing but "to" stands between two marks; they may be on two lines of a comment.
fn is_to(between: &str) -> bool {
    between
        .split_whitespace()
        .filter(|word| !matches!(*word, "//" | "///" | "//!"))
        .eq(["to"])
}

/// The name of the test that a comment at `at` is about: the function around it, or the next
/// one; nothing if it speaks about the whole file.
pub(super) fn test_at<'f>(
    source: &Source<'_>,
    functions: &'f [Function],
    at: usize,
) -> Option<&'f str> {
    let line_start = source.text[..at].rfind('\n').map_or(0, |end| end + 1);
    if source.text[line_start..].trim_start().starts_with("//!") {
        return None;
    }
    let function = functions.iter().find(|function| at < function.span.end)?;
    Some(&function.name)
}

/// The statements in the name of a test, `mqtt_3_1_0_2_and_3_1_2_3_and_4_a_sentence`; none if the
/// name does not begin with one.
fn ids_in_name(name: &str) -> Result<(Standard, Vec<Id>), &'static str> {
    let none = Ok((Standard::V5, Vec::new()));
    let mut words = name.split('_').peekable();
    let standard = match words.next() {
        Some("mqtt") => Standard::V5,
        Some("v311") => Standard::V311,
        _ => return none,
    };
    let mut ids: Vec<Id> = Vec::new();
    let mut joined_by = "";
    loop {
        let mut numbers = Vec::new();
        while let Some(number) = words.peek().and_then(|word| word.parse().ok()) {
            numbers.push(number);
            words.next();
        }
        let last = ids.last().copied();
        let id = match (numbers.as_slice(), last) {
            ([], None) => return none,
            ([], Some(_)) => break, // the sentence has an "and" of its own
            (&[a, b, c, d], _) => Id([a, b, c, d]),
            (&[d], Some(Id([a, b, c, _]))) => Id([a, b, c, d]),
            _ => {
                return Err("an id has four numbers; after `and` or `to` the last of them will do");
            }
        };
        match last.filter(|_| joined_by == "to") {
            Some(first) => {
                let range = first.to(id).ok_or("a range goes up, within one section")?;
                ids.extend(range.into_iter().skip(1));
            }
            None => ids.push(id),
        }
        match words.peek() {
            Some(&("and" | "to")) => joined_by = words.next().unwrap_or_default(),
            _ => break,
        }
    }
    Ok((standard, ids))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each mark as `standard id by`, the problems after them.
    fn check(path: &str, text: &str, expected: &[&str]) {
        let (marks, problems) = marks(&Tree::from([(path, text)]));
        let said = marks.iter().map(|mark| {
            let by = match &mark.by {
                By::Code(path) => format!("code {path}"),
                By::Test(name) => format!("test {name}"),
            };
            format!("{} {} {by}", mark.standard, mark.id)
        });
        assert_eq!(said.chain(problems).collect::<Vec<_>>(), expected, "{text}");
    }

    fn check_code(text: &str, expected: &[&str]) {
        check("crates/x/a.rs", text, expected);
    }

    #[test]
    fn comments_in_code_bear_marks() {
        check_code(
            "a(); // Why [MQTT-1.2.3-4].\n",
            &["MQTT 5.0 MQTT-1.2.3-4 code crates/x/a.rs"],
        );
        check_code(
            "// [3.1.1 MQTT-3-8.3-4]\n",
            &["MQTT 3.1.1 MQTT-3.8.3-4 code crates/x/a.rs"],
        );
        check_code(
            "//! Marks look like `[MQTT-1.2.3-4]`.\nf(\"[MQTT-1.2.3-4]\")",
            &[],
        );
    }

    #[test]
    fn two_marks_make_a_range() {
        let expected = [
            "MQTT 5.0 MQTT-1.2.3-4 code crates/x/a.rs",
            "MQTT 5.0 MQTT-1.2.3-5 code crates/x/a.rs",
            "MQTT 5.0 MQTT-1.2.3-6 code crates/x/a.rs",
        ];
        check_code("/// [MQTT-1.2.3-4]\n/// to [MQTT-1.2.3-6]", &expected);
        check_code(
            "/// [MQTT-1.2.3-4] [MQTT-1.2.3-5] or to [MQTT-1.2.3-6]",
            &expected,
        );
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        check_code(
            "\n// [MQTT-1.2.3]\n",
            &["crates/x/a.rs:2: `MQTT-1.2.3` is no id; write [MQTT-3.1.0-2]"],
        );
        check(
            "tests/a.rs",
            "fn mqtt_1_2_a() {}",
            &[
                "tests/a.rs:1: `mqtt_1_2_a`: an id has four numbers; after `and` or `to` the last of \
               them will do",
            ],
        );
    }

    #[test]
    fn tests_bear_ids_in_their_names() {
        let check_name = |name: &str, expected: &[&str]| {
            let expected: Vec<String> = expected
                .iter()
                .map(|id| format!("{id} test {name}"))
                .collect();
            let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
            check(
                "tests/a.rs",
                &format!("#[test]\nfn {name}() {{}}"),
                &expected,
            );
        };
        check_name("mqtt_1_2_3_4_and_so_on", &["MQTT 5.0 MQTT-1.2.3-4"]);
        check_name("v311_1_2_3_4_a", &["MQTT 3.1.1 MQTT-1.2.3-4"]);
        check_name("mqtt_clients_connect", &[]);
        check_name("a_mqtt_1_2_3_4", &[]);
        check_name(
            "mqtt_1_2_3_4_and_6_to_7_and_2_0_0_1_a",
            &[
                "MQTT 5.0 MQTT-1.2.3-4",
                "MQTT 5.0 MQTT-1.2.3-6",
                "MQTT 5.0 MQTT-1.2.3-7",
                "MQTT 5.0 MQTT-2.0.0-1",
            ],
        );
    }

    #[test]
    fn comments_in_tests_belong_to_their_function() {
        check(
            "tests/a.rs",
            "//! [MQTT-1.0.0-1]\n\n/// [MQTT-1.0.0-2]\nfn b() {\n    // [MQTT-1.0.0-3]\n}\nfn c() {}",
            &[
                "MQTT 5.0 MQTT-1.0.0-1 test tests/a.rs",
                "MQTT 5.0 MQTT-1.0.0-2 test b",
                "MQTT 5.0 MQTT-1.0.0-3 test b",
            ],
        );
    }

    #[test]
    fn names_count_in_tests_only() {
        check_code("fn mqtt_1_2_3_4_a() {}", &[]);
        check_code(
            "#[cfg(test)]\nmod tests { fn mqtt_1_2_3_4_a() {} }",
            &["MQTT 5.0 MQTT-1.2.3-4 test mqtt_1_2_3_4_a"],
        );
    }
}
