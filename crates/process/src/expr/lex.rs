use super::{NotJq, parse::Wrong};

/// A piece of an expression.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token {
    Number(String),
    /// Text, with expressions in it.
    Text(Vec<Piece>),
    /// `name` or `a::b`.
    Word(String),
    /// `$name`.
    Variable(String),
    /// `.name`.
    Field(String),
    /// `@name`.
    Format(String),
    /// All else.
    Sign(&'static str),
}

/// A piece of text.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Piece {
    Plain(String),
    /// `\( … )`: where its inside begins, and what it is.
    Expression(usize, String),
}

/// A token, where it begins and where it ends, in bytes.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Spanned {
    pub(super) token: Token,
    pub(super) start: usize,
    pub(super) end: usize,
}

const SIGNS: [&str; 35] = [
    "?//=", "?//", "|=", "+=", "-=", "*=", "/=", "%=", "//=", "==", "!=", "<=", ">=", "//", "..",
    ".", "|", ",", "+", "-", "*", "/", "%", "<", ">", "=", "(", ")", "[", "]", "{", "}", ":", ";",
    "?",
];

pub(super) fn lex(text: &str) -> Result<Vec<Spanned>, Wrong> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let start = at;
        let rest = &text[at..];
        let token = if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        } else if c == '#' {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if c == '"' {
            let (pieces, end) = string(text, at)?;
            at = end;
            Token::Text(pieces)
        } else if c.is_ascii_digit()
            || (c == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            let length = number(rest);
            at += length;
            Token::Number(rest[..length].to_owned())
        } else if let Some(length) = word(rest) {
            at += length;
            Token::Word(rest[..length].to_owned())
        } else if c == '$' {
            let Some(length) = word(&rest[1..]) else {
                return Err(wrong(start, "a name is expected after `$`"));
            };
            at += 1 + length;
            Token::Variable(rest[1..1 + length].to_owned())
        } else if c == '@' {
            let Some(length) = word(&rest[1..]) else {
                return Err(wrong(
                    start,
                    "a name is expected after `@`, as in `@base64`",
                ));
            };
            at += 1 + length;
            Token::Format(rest[1..1 + length].to_owned())
        } else if c == '.' && word(&rest[1..]).is_some() {
            let length = word(&rest[1..]).unwrap_or(0);
            at += 1 + length;
            Token::Field(rest[1..1 + length].to_owned())
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            at += sign.len();
            Token::Sign(sign)
        } else {
            let hint = match c {
                '\'' => "; text stands in double quotes",
                '&' => "; `and` is written out",
                '!' => "; `not` comes after what it is about: `… | not`",
                _ => "",
            };
            return Err(wrong(start, &format!("`{c}` is no part of jq{hint}")));
        };
        tokens.push(Spanned {
            token,
            start,
            end: at,
        });
    }
    Ok(tokens)
}

fn wrong(offset: usize, what: &str) -> Wrong {
    Wrong::new(NotJq {
        offset,
        what: what.to_owned(),
    })
}

/// The length of a name at the beginning.
fn word(text: &str) -> Option<usize> {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    Some(end.unwrap_or(text.len()))
}

fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut at = digits(0);
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let end = digits(at + 1 + sign);
        if at + 1 + sign < end {
            at = end;
        }
    }
    at
}

/// A text in quotes, from its first to behind its last.
fn string(text: &str, start: usize) -> Result<(Vec<Piece>, usize), Wrong> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut at = start + 1;
    loop {
        let Some(c) = text[at..].chars().next() else {
            return Err(wrong(start, "this text has no end: a `\"` is missing"));
        };
        match c {
            '"' => break,
            '\\' => {
                let escaped = text[at + 1..].chars().next();
                match escaped {
                    Some('(') => {
                        let end = closing(text, at + 1)?;
                        if !plain.is_empty() {
                            pieces.push(Piece::Plain(std::mem::take(&mut plain)));
                        }
                        let inside = text[at + 2..end].to_owned();
                        pieces.push(Piece::Expression(at + 2, inside));
                        at = end + 1;
                        continue;
                    }
                    Some('u') => {
                        let (c, length) = unicode(&text[at..]).ok_or_else(|| {
                            wrong(at, "four hexadecimal digits are expected after `\\u`")
                        })?;
                        plain.push(c);
                        at += length;
                        continue;
                    }
                    Some('n') => plain.push('\n'),
                    Some('t') => plain.push('\t'),
                    Some('r') => plain.push('\r'),
                    Some('b') => plain.push('\u{8}'),
                    Some('f') => plain.push('\u{c}'),
                    Some(c @ ('"' | '\\' | '/')) => plain.push(c),
                    _ => {
                        let what = "unknown escape; a backslash is written `\\\\`";
                        return Err(wrong(at, what));
                    }
                }
                at += 2;
            }
            c => {
                plain.push(c);
                at += c.len_utf8();
            }
        }
    }
    if !plain.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Plain(plain));
    }
    Ok((pieces, at + 1))
}

/// Where the `)` stands that closes the `(` at `open`.
fn closing(text: &str, open: usize) -> Result<usize, Wrong> {
    let mut depth = 0;
    let mut at = open;
    while let Some(c) = text[at..].chars().next() {
        match c {
            '(' => depth += 1,
            ')' => {
                depth -= 1;
                if depth == 0 {
                    return Ok(at);
                }
            }
            '"' => {
                // A text in an expression in a text.
                if depth > 64 {
                    break;
                }
                at = string(text, at)?.1;
                continue;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    Err(wrong(open - 1, "`\\(` is not closed: a `)` is missing"))
}

/// A character written as `\uXXXX`, or as two of these.
fn unicode(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
    let first = unit(text)?;
    if (0xD800..0xDC00).contains(&first) {
        let second = text.get(6..).and_then(unit);
        if let Some(second) = second.filter(|second| (0xDC00..0xE000).contains(second)) {
            let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            return Some((char::from_u32(code)?, 12));
        }
    }
    Some((char::from_u32(first).unwrap_or('\u{FFFD}'), 6))
}
