//! A Rust source file, split into code, text and comments, and into tests and the rest.
//!
//! Enough of the language's grammar to never mistake a string for code: nested comments, raw
//! strings, characters and lifetimes. Every part keeps the positions and line breaks of the whole.

use std::ops::Range;

/// One file, in parts of equal length.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    /// As it was read.
    pub(crate) text: &'a str,
    /// Without comments and without what stands in quotes.
    pub(crate) code: String,
    /// Without comments.
    pub(crate) spoken: String,
    /// Nothing but comments.
    pub(crate) comments: String,
    /// Where tests stand; the whole file, if its path says so.
    tests: Vec<Range<usize>>,
}

/// A function: its name and where it stands, from `fn` to its closing brace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// From `fn` to the closing brace.
    pub(crate) span: Range<usize>,
}

impl<'a> Source<'a> {
    /// Splits `text`, which stands at `path`.
    pub(crate) fn new(path: &str, text: &'a str) -> Self {
        let kinds = kinds(text.as_bytes());
        let only = |keep: &[Kind]| blank(text, |at| keep.contains(&kinds[at]));
        let code = only(&[Kind::Code]);
        let tests = if is_test_file(path) {
            std::iter::once(0..text.len()).collect()
        } else {
            test_items(&code)
        };
        Self {
            text,
            spoken: only(&[Kind::Code, Kind::Quoted]),
            comments: only(&[Kind::Comment]),
            code,
            tests,
        }
    }

    /// Whether the byte at `at` belongs to a test.
    pub(crate) fn is_test(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    /// The number of the line that holds the byte at `at`, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count()
            + 1
    }

    /// How many lines do not belong to tests.
    pub(crate) fn lines_without_tests(&self) -> usize {
        let mut start = 0;
        let mut count = 0;
        for line in self.text.split_inclusive('\n') {
            count += usize::from(!self.is_test(start));
            start += line.len();
        }
        count
    }

    /// All functions, in the order in which they begin.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        for at in words(&self.code, "fn") {
            let rest = &self.code[at + 2..];
            let name: String = rest
                .trim_start()
                .chars()
                .take_while(|&c| c == '_' || c.is_alphanumeric())
                .collect();
            if !name.is_empty() {
                found.push(Function {
                    name,
                    span: at..item_end(&self.code, at),
                });
            }
        }
        found
    }
}

/// Where `word` stands in `text` as a word of its own. Words that end in `!`, `(` and the like
/// need a border only where they have a letter.
pub(crate) fn words<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let inside = |c: Option<char>| c.is_some_and(|c| c == '_' || c.is_alphanumeric());
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| {
            let before = inside(text[..at].chars().next_back());
            let after = inside(text[at + word.len()..].chars().next());
            !(before && inside(word.chars().next()) || after && inside(word.chars().next_back()))
        })
}

/// `tests.rs`, what is in a folder `tests`, and the simulator.
fn is_test_file(path: &str) -> bool {
    path.starts_with("sim/") || path.ends_with("/tests.rs") || path.split('/').any(|p| p == "tests")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Quoted,
    Comment,
}

/// What each byte is part of.
fn kinds(text: &[u8]) -> Vec<Kind> {
    let mut kinds = vec![Kind::Code; text.len()];
    let mut at = 0;
    while at < text.len() {
        let (kind, end) = match text[at] {
            b'/' if text[at..].starts_with(b"//") => (Kind::Comment, line_end(text, at)),
            b'/' if text[at..].starts_with(b"/*") => (Kind::Comment, block_comment_end(text, at)),
            b'"' => (Kind::Quoted, string_end(text, at)),
            b'\'' => (Kind::Quoted, character_end(text, at)),
            _ => (Kind::Code, at + 1),
        };
        let end = end.min(text.len());
        kinds[at..end].fill(kind);
        at = end;
    }
    kinds
}

fn line_end(text: &[u8], at: usize) -> usize {
    text[at..]
        .iter()
        .position(|&byte| byte == b'\n')
        .map_or(text.len(), |length| at + length)
}

fn block_comment_end(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < text.len() {
        if text[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// The end of the string whose opening quote is at `at`; what stands before it tells raw strings.
fn string_end(text: &[u8], at: usize) -> usize {
    let hashes = text[..at]
        .iter()
        .rev()
        .take_while(|&&byte| byte == b'#')
        .count();
    if text[..at - hashes].last() == Some(&b'r') {
        let mut close = vec![b'"'];
        close.resize(hashes + 1, b'#');
        let found = text[at + 1..]
            .windows(close.len())
            .position(|window| window == close);
        return found.map_or(text.len(), |length| at + 1 + length + close.len());
    }
    let mut end = at + 1;
    while end < text.len() && text[end] != b'"' {
        end += if text[end] == b'\\' { 2 } else { 1 };
    }
    end + 1
}

/// The end of the character whose quote is at `at`; of the quote alone if it begins a lifetime.
fn character_end(text: &[u8], at: usize) -> usize {
    let rest = &text[at + 1..];
    if rest.first() == Some(&b'\\') {
        let close = rest.iter().skip(2).position(|&byte| byte == b'\'');
        return close.map_or(text.len(), |length| at + 1 + 2 + length + 1);
    }
    // A character has at most four bytes; its later ones are 0b10xxxxxx.
    let length = 1 + rest
        .iter()
        .skip(1)
        .take_while(|&&byte| byte & 0xc0 == 0x80)
        .count();
    if rest.get(length) == Some(&b'\'') {
        at + length + 2
    } else {
        at + 1
    }
}

/// `text` with a space for every byte that is not kept; line breaks stay.
fn blank(text: &str, keep: impl Fn(usize) -> bool) -> String {
    let bytes = text.bytes().enumerate();
    let bytes = bytes.map(|(at, byte)| {
        if byte == b'\n' || keep(at) {
            byte
        } else {
            b' '
        }
    });
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}

/// Items with an attribute like `#[cfg(test)]`.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices("#[cfg(") {
        let Some(length) = code[start..].find(']') else {
            continue;
        };
        let condition = &code[start..start + length];
        if words(condition, "test").next().is_some() && !condition.contains("not(test") {
            items.push(start..item_end(code, start + length + 1));
        }
    }
    items
}

/// The end of the item that begins at `start`: its closing brace, or `;` if it has no body.
fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && byte == b'}' {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> (String, String) {
        let source = Source::new("crates/x/src/a.rs", text);
        assert_eq!(source.code.len(), text.len());
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        (squeeze(&source.code), squeeze(&source.comments))
    }

    fn check(text: &str, code: &str, comments: &str) {
        assert_eq!(
            split(text),
            (code.to_owned(), comments.to_owned()),
            "{text}"
        );
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        check("a // b \"c\"\nd", "a d", "// b \"c\"");
        check("a /* b /* c */ d */ e", "a e", "/* b /* c */ d */");
        check(r#"f("// x \" y") // z"#, "f( )", "// z");
        check(r##"f(r#"a " // b"#) // c"##, "f(r# )", "// c");
    }

    #[test]
    fn quotes_of_characters_are_told_from_lifetimes() {
        check(r"a('\'', '/', 'é', b'\\') // b", "a( , , , b )", "// b");
        check(
            "fn f<'a>(x: &'a str) // 'b",
            "fn f< a>(x: & a str)",
            "// 'b",
        );
        check(r"['\u{1F600}', '\x00', '{'] // c", "[ , , ]", "// c");
    }

    #[test]
    fn the_module_of_tests_is_found_and_does_not_count_as_lines() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { \"}\"; }\n}\nfn c() {}\n";
        let source = Source::new("crates/x/src/a.rs", text);
        let in_test = |word: &str| source.is_test(text.find(word).unwrap());
        assert!(!in_test("fn a") && in_test("fn b") && !in_test("fn c"));
        assert_eq!(source.lines_without_tests(), 2);
    }

    #[test]
    fn a_module_in_another_file_and_what_is_not_for_tests_stay_outside() {
        let text = "#[cfg(test)]\nmod tests;\n#[cfg(not(test))]\nfn c() {}\n";
        assert_eq!(
            Source::new("crates/x/src/a.rs", text).lines_without_tests(),
            2
        );
    }

    #[test]
    fn whole_files_are_tests_by_their_path() {
        for path in [
            "sim/src/lib.rs",
            "crates/x/src/a/tests.rs",
            "crates/x/tests/b.rs",
            "tests/c.rs",
        ] {
            assert!(Source::new(path, "fn a() {}").is_test(3), "{path}");
        }
        assert!(!Source::new("crates/x/src/a.rs", "fn a() {}").is_test(3));
    }

    #[test]
    fn functions_have_names_and_ends() {
        let text = "fn a(x: [u8; 2]) -> u8 { { x } }\ntrait T { fn b(); }\ntype F = fn(u8);";
        let functions = Source::new("crates/x/src/a.rs", text).functions();
        let found: Vec<_> = functions
            .iter()
            .map(|f| (f.name.as_str(), &text[f.span.clone()]))
            .collect();
        assert_eq!(
            found,
            [("a", "fn a(x: [u8; 2]) -> u8 { { x } }"), ("b", "fn b();")]
        );
    }
}
