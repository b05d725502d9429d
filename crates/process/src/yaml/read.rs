use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::Number;

use super::{Key, Map, Node, Text, What, node::Style};
use crate::problem::{Place, Problem};

/// A definition is no longer than this.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// And has no more values, those included that stand for others (`*alias`).
pub const NODES_MAX: usize = 100_000;
/// And nests no deeper.
const DEPTH_MAX: usize = 64;

/// Reads one document.
///
/// # Errors
///
/// Where the first thing stands that is no YAML, or that JSON has no word for.
pub fn read(text: &str) -> Result<Node, Problem> {
    if TEXT_BYTES_MAX < text.len() {
        let what = format!(
            "the text has {} bytes; a definition has at most {TEXT_BYTES_MAX}",
            text.len()
        );
        return Err(Problem::error(Place { line: 1, column: 1 }, what));
    }
    let mut reading = Reading {
        text,
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
    };
    reading.document()
}

struct Reading<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'t> Reading<'t> {
    fn document(&mut self) -> Result<Node, Problem> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => break,
                Event::DocumentStart(_) if root.is_some() => {
                    let what = "a second document begins; each definition has a file of its own";
                    return Err(Problem::error(place(span.start), what));
                }
                Event::DocumentStart(_) => {
                    let (event, span) = self.next()?;
                    root = Some(self.node(event, span, 0)?);
                }
                _ => return Err(Problem::error(place(span.start), "expected a document")),
            }
        }
        root.ok_or_else(|| {
            let what = "there is nothing in it; a definition begins with `document:`";
            Problem::error(Place { line: 1, column: 1 }, what)
        })
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.no_yaml(*error.marker(), error.info())),
            None => Ok((Event::StreamEnd, Span::empty(Marker::new(0, 1, 0)))),
        }
    }

    /// What the scanner says, and what most often is behind it.
    fn no_yaml(&self, at: Marker, info: &str) -> Problem {
        let place = place(at);
        let line = self
            .text
            .lines()
            .nth(place.line.saturating_sub(1) as usize)
            .unwrap_or("");
        let hint = if line.trim_start_matches(' ').starts_with('\t') {
            "; lines are indented with spaces, not with tabs"
        } else if line.contains("${") && !line.contains("'${") && !line.contains("\"${") {
            "; an expression that contains `: `, `#`, `{` or quotes needs single quotes around it: '${ … }'"
        } else if info.contains("mapping") || info.contains("simple key") {
            "; is the indent of this line the same as that of its neighbours, and is text with `: ` in it in quotes?"
        } else {
            ""
        };
        Problem::error(place, format!("this is no YAML: {info}{hint}"))
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Problem> {
        let at = place(span.start);
        self.nodes += 1;
        if NODES_MAX < self.nodes {
            let what = format!("there are more than {NODES_MAX} values");
            return Err(Problem::error(at, what));
        }
        if DEPTH_MAX < depth {
            let what = format!("values nest more than {DEPTH_MAX} deep");
            return Err(Problem::error(at, what));
        }
        let nodes_before = self.nodes;
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref();
                (anchor, self.scalar(&text, style, tag, span)?)
            }
            Event::SequenceStart(anchor, tag) => {
                untagged(tag.as_deref(), at)?;
                let mut list = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => list.push(self.node(event, span, depth + 1)?),
                    }
                }
                let what = What::List(list);
                (anchor, Node { place: at, what })
            }
            Event::MappingStart(anchor, tag) => {
                untagged(tag.as_deref(), at)?;
                let what = What::Map(self.map(depth)?);
                (anchor, Node { place: at, what })
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    let what = "this alias stands for a value that is not complete yet";
                    return Err(Problem::error(at, what));
                };
                self.nodes += size;
                (0, Node { place: at, ..node })
            }
            _ => return Err(Problem::error(at, "expected a value")),
        };
        if anchor != 0 {
            let size = self.nodes - nodes_before;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    fn map(&mut self, depth: usize) -> Result<Map, Problem> {
        let mut map = Map::default();
        let mut names = HashSet::new();
        loop {
            let (event, span) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(map),
                next => next,
            };
            let at = place(span.start);
            let key = self.node(event, span, depth + 1)?;
            let name = match key.what {
                What::Text(text) => text.text,
                // `404:` and `on:` are names as well.
                What::Number(number) => number.to_string(),
                What::Bool(is) => is.to_string(),
                _ => {
                    let what = format!("a name is text; this is {}", key.kind());
                    return Err(Problem::error(at, what));
                }
            };
            if !names.insert(name.clone()) {
                let what = format!("`{name}` stands here twice; names are unique within an object");
                return Err(Problem::error(at, what));
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            map.entries.push((Key { name, place: at }, value));
        }
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<Node, Problem> {
        let at = place(span.start);
        let tag = match tag {
            None => None,
            Some(tag) if tag.is_yaml_core_schema() => Some(&*tag.suffix),
            Some(tag) => return Err(unknown_tag(tag, at)),
        };
        let is_text = || What::Text(self.text_at(text, style, span));
        let what = match (tag, style) {
            (Some("str"), _) => is_text(),
            (None, style) if style != ScalarStyle::Plain => is_text(),
            (tag, _) => {
                let what = core_schema(text).map_err(|what| Problem::error(at, what))?;
                let what = what.unwrap_or_else(is_text);
                let fits = match tag {
                    None => true,
                    Some("null") => matches!(what, What::Null),
                    Some("bool") => matches!(what, What::Bool(_)),
                    Some("int" | "float") => matches!(what, What::Number(_)),
                    Some(_) => false,
                };
                if !fits {
                    let what = format!("`{text}` is not what its tag says");
                    return Err(Problem::error(at, what));
                }
                what
            }
        };
        Ok(Node { place: at, what })
    }

    /// A text, and where its first character stands.
    fn text_at(&self, text: &str, style: ScalarStyle, span: Span) -> Text {
        let mut first = place(span.start);
        let is_one_line = span.start.line() == span.end.line();
        let style = match style {
            ScalarStyle::Plain if is_one_line => Style::Kept,
            ScalarStyle::SingleQuoted if is_one_line => {
                first.column += 1;
                Style::Single
            }
            ScalarStyle::DoubleQuoted if is_one_line => {
                first.column += 1;
                Style::Double
            }
            ScalarStyle::Literal => {
                // The span begins with the first line that is not empty.
                let empty = text.len() - text.trim_start_matches('\n').len();
                first.line = first.line.saturating_sub(empty as u32);
                Style::Kept
            }
            _ => Style::Folded,
        };
        Text {
            text: text.to_owned(),
            first,
            style,
        }
    }
}

/// What a plain scalar is (YAML 1.2.2, section 10.3.2); `None` if it is text.
fn core_schema(text: &str) -> Result<Option<What>, String> {
    Ok(Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => What::Null,
        "true" | "True" | "TRUE" => What::Bool(true),
        "false" | "False" | "FALSE" => What::Bool(false),
        _ => match number(text)? {
            Some(number) => What::Number(number),
            None => return Ok(None),
        },
    }))
}

fn number(text: &str) -> Result<Option<Number>, String> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(format!("`{text}` is no number that JSON knows"));
    }
    let based = |prefix, radix| {
        let digits = text.strip_prefix(prefix)?;
        u64::from_str_radix(digits, radix).ok().map(Number::from)
    };
    if let Some(number) = based("0x", 16).or_else(|| based("0o", 8)) {
        return Ok(Some(number));
    }
    let digits = unsigned.bytes().filter(u8::is_ascii_digit).count();
    let mut others = unsigned.bytes().filter(|byte| !byte.is_ascii_digit());
    let looks_like = 0 < digits
        && unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && others.all(|byte| matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !looks_like {
        return Ok(None);
    }
    if digits == unsigned.len() {
        let plain = text.strip_prefix('+').unwrap_or(text);
        let whole = plain.parse::<i64>().map(Number::from);
        let whole = whole.or_else(|_| plain.parse::<u64>().map(Number::from));
        if let Ok(number) = whole {
            return Ok(Some(number));
        }
    }
    // What is left of `1.2.3` or `2026-11-27` is text.
    let Ok(float) = text.parse::<f64>() else {
        return Ok(None);
    };
    match Number::from_f64(float) {
        Some(number) => Ok(Some(number)),
        None => Err(format!("`{text}` is too large for a number")),
    }
}

fn untagged(tag: Option<&Tag>, at: Place) -> Result<(), Problem> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && matches!(&*tag.suffix, "map" | "seq")) => {
            Err(unknown_tag(tag, at))
        }
        _ => Ok(()),
    }
}

fn unknown_tag(tag: &Tag, at: Place) -> Problem {
    let what = format!("`{tag}` is no tag of YAML's core schema; leave it out");
    Problem::error(at, what)
}

fn place(at: Marker) -> Place {
    Place {
        line: at.line() as u32,
        column: at.col() as u32 + 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: serde_json::Value) {
        let node = read(text).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(node.to_json(), expected, "{text}");
    }

    #[track_caller]
    fn check_wrong(text: &str, place: &str, part: &str) {
        let problem = read(text).expect_err(text);
        assert_eq!(problem.place.to_string(), place, "{problem}");
        assert!(problem.what.contains(part), "{problem}");
    }

    #[test]
    fn yaml_1_2_is_read_as_json_would_have_it() {
        check(
            "[yes, no, on, off, y]",
            json!(["yes", "no", "on", "off", "y"]),
        );
        check(
            "[true, ~, null, '', \"\"]",
            json!([true, null, null, "", ""]),
        );
        check(
            "[1, -2, +3, 0x1F, 0o17, 1e3, .5, 1.0]",
            json!([1, -2, 3, 31, 15, 1000.0, 0.5, 1.0]),
        );
        check(
            "[1.0.3, 2026-11-27, PT10M, 12:30]",
            json!(["1.0.3", "2026-11-27", "PT10M", "12:30"]),
        );
        check(
            "a: &x {b: 1}\nc: *x\n",
            json!({"a": {"b": 1}, "c": {"b": 1}}),
        );
        check(
            "a: |\n  one\n  two\nb: >\n  one\n  two\n",
            json!({"a": "one\ntwo\n", "b": "one two\n"}),
        );
        check(
            "{\"a\": [1, {\"b\": null}]}",
            json!({"a": [1, {"b": null}]}),
        );
        check("18446744073709551615", json!(u64::MAX));
        check("!!str 12", json!("12"));
    }

    #[test]
    fn what_is_no_yaml_is_pointed_at() {
        check_wrong("a: 1\na: 2\n", "2:1", "twice");
        check_wrong("a: 1\n---\nb: 2\n", "2:1", "second document");
        check_wrong("", "1:1", "nothing in it");
        check_wrong("a: !thing 1", "1:4", "core schema");
        check_wrong("a: .inf", "1:4", "no number");
        check_wrong("? [a]\n: b", "1:3", "a name is text");
        check_wrong(
            "do:\n  - a:\n      set: ${ {x: 1} }\n",
            "3:17",
            "single quotes",
        );
        let deep = "[".repeat(100) + &"]".repeat(100);
        check_wrong(&deep, "1:66", "deep");
    }

    #[test]
    fn a_few_lines_cannot_become_a_million_values() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..8 {
            let before = n - 1;
            let list = vec![format!("*a{before}"); 10].join(", ");
            text += &format!("a{n}: &a{n} [{list}]\n");
        }
        let problem = read(&text).unwrap_err();
        assert!(problem.what.contains("100000 values"), "{problem}");
    }

    #[test]
    fn characters_of_a_text_are_found_where_they_stand() {
        let text = "a: '${ \"it''s\" + x }'\nb: |\n  one\n  two x\nc: \"\\\"x\"\nd: .a + x\n";
        let node = read(text).unwrap();
        for (name, place) in [("a", "1:18"), ("b", "4:7"), ("c", "5:7"), ("d", "6:9")] {
            let What::Text(text) = &node.map().unwrap().get(name).unwrap().what else {
                panic!("{name} is text");
            };
            let offset = text.text.find('x').unwrap();
            assert_eq!(text.place_of(offset).to_string(), place, "{name}");
        }
    }
}
