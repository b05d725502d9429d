//! Patterns, and functions that take one.

use serde_json::Value;

use super::{
    Failed,
    fuel::Fuel,
    functions::{kind, limit, text},
};

/// A pattern takes no more memory.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A pattern, and how long it takes to look for it.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: regex_lite::Regex,
    /// Steps for each byte of the text: each place where the pattern can stand is tried with it.
    steps_per_byte: usize,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

impl Pattern {
    /// A pattern that is the whole text.
    pub(crate) fn whole(pattern: &str) -> Result<Self, regex_lite::Error> {
        Self::build(&mut regex_lite::RegexBuilder::new(&format!(
            "^(?:{pattern})$"
        )))
    }

    fn build(builder: &mut regex_lite::RegexBuilder) -> Result<Self, regex_lite::Error> {
        let mut bytes = 256;
        loop {
            match builder.size_limit(bytes).build() {
                Ok(regex) => {
                    return Ok(Self {
                        regex,
                        steps_per_byte: bytes / 64,
                    });
                }
                Err(error) if PATTERN_BYTES_MAX <= bytes => return Err(error),
                Err(_) => bytes *= 2,
            }
        }
    }

    /// Whether a text has it. One in which it takes too long to look for it has not.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.is_match_within(&Fuel::default(), text)
            .unwrap_or(false)
    }

    /// Whether a text has it.
    pub(crate) fn is_match_within(&self, fuel: &Fuel, text: &str) -> Result<bool, Failed> {
        self.look(text.len(), fuel)?;
        Ok(self.regex.is_match(text))
    }

    fn look(&self, bytes: usize, fuel: &Fuel) -> Result<(), Failed> {
        fuel.spend(16 + self.steps_per_byte.saturating_mul(bytes))
    }
}

/// Whether a function of this name takes a pattern.
pub(super) fn is_regex(name: &str) -> bool {
    matches!(name, "test" | "sub" | "gsub")
}

/// A function with a pattern that is known when it is read.
#[derive(Debug)]
pub(super) struct Regex {
    pattern: Pattern,
    what: RegexDoes,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum RegexDoes {
    Test,
    Replace,
    ReplaceAll,
}

impl Regex {
    pub(super) fn new(name: &str, pattern: &str, flags: &str) -> Result<Self, String> {
        let mut builder = regex_lite::RegexBuilder::new(pattern);
        let mut what = match name {
            "test" => RegexDoes::Test,
            "sub" => RegexDoes::Replace,
            _ => RegexDoes::ReplaceAll,
        };
        for flag in flags.chars() {
            match flag {
                'g' if what == RegexDoes::Replace => what = RegexDoes::ReplaceAll,
                'g' | 'n' => {}
                'i' => {
                    builder.case_insensitive(true);
                }
                'x' => {
                    builder.ignore_whitespace(true);
                }
                's' => {
                    builder.dot_matches_new_line(true);
                }
                other => {
                    return Err(format!(
                        "`{other}` is no flag of patterns that is known here"
                    ));
                }
            }
        }
        match Pattern::build(&mut builder) {
            Ok(pattern) => Ok(Self { pattern, what }),
            Err(error) => Err(format!("`{pattern}` is no pattern: {error}")),
        }
    }

    pub(super) fn call(
        &self,
        fuel: &Fuel,
        input: &Value,
        by: &dyn Fn(&Value) -> Result<Value, Failed>,
    ) -> Result<Value, Failed> {
        let text = text(input)?;
        if self.what == RegexDoes::Test {
            return Ok(self.pattern.is_match_within(fuel, text)?.into());
        }
        let count = match self.what {
            RegexDoes::Replace => 1,
            _ => usize::MAX,
        };
        let mut out = String::new();
        let mut end = 0;
        let regex = &self.pattern.regex;
        self.pattern.look(text.len(), fuel)?;
        for captures in regex.captures_iter(text).take(count) {
            let Some(whole) = captures.get(0) else {
                continue;
            };
            let named = regex.capture_names().flatten().map(|name| {
                let value = captures.name(name).map(|part| part.as_str());
                (name.to_owned(), value.map_or(Value::Null, Value::from))
            });
            let by = match by(&Value::Object(named.collect()))? {
                Value::String(by) => by,
                other => {
                    let what = format!("{} cannot take the place of text", kind(&other));
                    return Err(Failed::new(what));
                }
            };
            out.push_str(&text[end..whole.start()]);
            out.push_str(&by);
            end = whole.end();
            limit(out.len())?;
            // The next one is looked for in the rest, at worst in all of it.
            self.pattern.look(text.len() - end, fuel)?;
        }
        out.push_str(&text[end..]);
        Ok(out.into())
    }
}
