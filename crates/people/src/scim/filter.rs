//! Which resources are meant (RFC 7644, section 3.4.2.2).

use std::{cmp::Ordering, fmt};

use serde_json::Value;

use super::{ScimError, ScimType, urn};

/// A filter.
#[derive(Clone, PartialEq, Debug)]
pub enum Filter {
    /// An attribute is compared with a value.
    Compare(Path, Operator, Value),
    /// An attribute has a value.
    Present(Path),
    /// Both hold.
    And(Box<Filter>, Box<Filter>),
    /// One holds.
    Or(Box<Filter>, Box<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// One of the values of an attribute is meant by a filter.
    Some(Path, Box<Filter>),
}

/// The name of an attribute: `name.familyName`, perhaps with the URN of its schema before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    /// The schema, if it is said and is not the resource's own.
    pub schema: Option<String>,
    /// The attribute.
    pub name: String,
    /// What of it.
    pub part: Option<String>,
}

/// How values are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operator {
    /// They are the same.
    Eq,
    /// They are not.
    Ne,
    /// One contains the other.
    Co,
    /// It begins with it.
    Sw,
    /// It ends with it.
    Ew,
    /// It comes after it.
    Gt,
    /// Or is the same.
    Ge,
    /// It comes before it.
    Lt,
    /// Or is the same.
    Le,
}

const OPERATORS: [(&str, Operator); 9] = [
    ("eq", Operator::Eq),
    ("ne", Operator::Ne),
    ("co", Operator::Co),
    ("sw", Operator::Sw),
    ("ew", Operator::Ew),
    ("gt", Operator::Gt),
    ("ge", Operator::Ge),
    ("lt", Operator::Lt),
    ("le", Operator::Le),
];

/// A filter is no longer, and nests no deeper.
const BYTES_MAX: usize = 4096;
const DEPTH_MAX: usize = 16;

impl Path {
    /// Reads the name of an attribute.
    pub fn read(text: &str) -> Option<Self> {
        let schemas = [urn::USER, urn::ENTERPRISE, urn::GROUP];
        let found = schemas.into_iter().find(|schema| {
            let start = text.get(..schema.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(schema))
        });
        let (schema, rest) = match found {
            Some(schema) if text.len() == schema.len() && schema == urn::ENTERPRISE => {
                return Some(Self {
                    schema: Some(schema.to_owned()),
                    name: String::new(),
                    part: None,
                });
            }
            Some(schema) => (Some(schema), text[schema.len()..].strip_prefix(':')?),
            None => (None, text),
        };
        let (name, part) = match rest.split_once('.') {
            Some((name, part)) => (name, Some(part)),
            None => (rest, None),
        };
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'$'))
        };
        (is_name(name) && part.is_none_or(is_name)).then(|| Self {
            schema: schema
                .filter(|schema| *schema == urn::ENTERPRISE)
                .map(str::to_owned),
            name: name.to_owned(),
            part: part.map(str::to_owned),
        })
    }

    /// Whether it is the attribute of this name, and all of it.
    pub fn is(&self, name: &str) -> bool {
        self.schema.is_none() && self.part.is_none() && self.name.eq_ignore_ascii_case(name)
    }

    /// All values that a resource has there.
    fn values<'v>(&self, resource: &'v Value) -> Vec<&'v Value> {
        let of = match &self.schema {
            Some(schema) => member(resource, schema),
            None => Some(resource),
        };
        let values = of.and_then(|of| member(of, &self.name));
        let values: Vec<&Value> = match values {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        };
        let part = |value: &'v Value| match (&self.part, value) {
            (Some(part), value) => member(value, part),
            // What is said of several is said of their values.
            (None, Value::Object(map)) => map.get("value").or(Some(value)),
            (None, value) => Some(value),
        };
        values.into_iter().filter_map(part).collect()
    }
}

fn member<'v>(of: &'v Value, name: &str) -> Option<&'v Value> {
    let mut members = of.as_object()?.iter();
    members
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    ///
    /// Where it is none, and what would be right.
    pub fn read(text: &str) -> Result<Self, ScimError> {
        if BYTES_MAX < text.len() {
            return Err(wrong(
                text,
                text.len(),
                &format!("a filter has at most {BYTES_MAX} bytes"),
            ));
        }
        let mut reading = Reading {
            text,
            at: 0,
            depth: 0,
        };
        let filter = reading.or()?;
        reading.skip();
        if reading.at < text.len() {
            return Err(wrong(
                text,
                reading.at,
                "`and` or `or` is expected, or its end",
            ));
        }
        Ok(filter)
    }

    /// Whether a resource, or a value of an attribute, is meant.
    pub fn is_met(&self, resource: &Value) -> bool {
        match self {
            Self::Compare(path, Operator::Ne, value) => {
                !Self::Compare(path.clone(), Operator::Eq, value.clone()).is_met(resource)
            }
            Self::Compare(path, Operator::Eq, Value::Null) => path.values(resource).is_empty(),
            Self::Compare(path, operator, wanted) => {
                let is_exact = ["id", "externalId"].iter().any(|name| path.is(name));
                let values = path.values(resource);
                let mut values = values.into_iter();
                values.any(|value| operator.holds(value, wanted, is_exact))
            }
            Self::Present(path) => path
                .values(resource)
                .iter()
                .any(|value| !value.is_null() && value.as_str() != Some("")),
            Self::And(one, other) => one.is_met(resource) && other.is_met(resource),
            Self::Or(one, other) => one.is_met(resource) || other.is_met(resource),
            Self::Not(inner) => !inner.is_met(resource),
            Self::Some(path, filter) => {
                let of = match &path.schema {
                    Some(schema) => member(resource, schema),
                    None => Some(resource),
                };
                match of.and_then(|of| member(of, &path.name)) {
                    Some(Value::Array(list)) => list.iter().any(|value| filter.is_met(value)),
                    Some(one) => filter.is_met(one),
                    None => false,
                }
            }
        }
    }

    /// The value that an attribute must be, if that is all that is asked.
    pub fn only(&self, name: &str) -> Option<&str> {
        match self {
            Self::Compare(path, Operator::Eq, Value::String(value)) if path.is(name) => Some(value),
            _ => None,
        }
    }

    /// What a value has that is met by the simplest filters: `type eq "work"`.
    pub fn implied(&self) -> Vec<(String, Value)> {
        match self {
            Self::Compare(path, Operator::Eq, value)
                if path.schema.is_none() && path.part.is_none() =>
            {
                vec![(path.name.clone(), value.clone())]
            }
            Self::And(one, other) => {
                let mut implied = one.implied();
                implied.extend(other.implied());
                implied
            }
            _ => Vec::new(),
        }
    }
}

impl Operator {
    fn holds(self, value: &Value, wanted: &Value, is_exact: bool) -> bool {
        let order = match (value, wanted) {
            (Value::String(value), Value::String(wanted)) => {
                let fold = |text: &str| match is_exact {
                    true => text.to_owned(),
                    false => text.to_lowercase(),
                };
                let (value, wanted) = (fold(value), fold(wanted));
                match self {
                    Self::Co => return value.contains(&wanted),
                    Self::Sw => return value.starts_with(&wanted),
                    Self::Ew => return value.ends_with(&wanted),
                    _ => value.cmp(&wanted),
                }
            }
            (Value::Number(value), Value::Number(wanted)) => {
                let order = value.as_f64().partial_cmp(&wanted.as_f64());
                order.unwrap_or(Ordering::Less)
            }
            (Value::Bool(value), Value::Bool(wanted)) if self == Self::Eq => value.cmp(wanted),
            // Some directories put it in quotes.
            (Value::Bool(value), Value::String(wanted)) if self == Self::Eq => {
                return wanted.eq_ignore_ascii_case(&value.to_string());
            }
            _ => return false,
        };
        match self {
            Self::Eq => order == Ordering::Equal,
            Self::Gt => order == Ordering::Greater,
            Self::Ge => order != Ordering::Less,
            Self::Lt => order == Ordering::Less,
            Self::Le => order != Ordering::Greater,
            Self::Ne | Self::Co | Self::Sw | Self::Ew => false,
        }
    }
}

struct Reading<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Reading<'_> {
    fn skip(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn or(&mut self) -> Result<Filter, ScimError> {
        self.depth += 1;
        if DEPTH_MAX < self.depth {
            let what = format!("filters nest at most {DEPTH_MAX} deep");
            return Err(wrong(self.text, self.at, &what));
        }
        let mut left = self.and()?;
        while self.eat_word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.and()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Result<Filter, ScimError> {
        let mut left = self.one()?;
        while self.eat_word("and") {
            left = Filter::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Filter, ScimError> {
        let before = self.at;
        if self.eat_word("not") {
            self.skip();
            if self.text[self.at..].starts_with('(') {
                return Ok(Filter::Not(Box::new(self.group('(', ')')?)));
            }
            self.at = before;
        }
        self.skip();
        if self.text[self.at..].starts_with('(') {
            return self.group('(', ')');
        }
        let start = self.at;
        let path = self.word();
        let Some(path) = Path::read(path) else {
            return Err(wrong(
                self.text,
                start,
                "the name of an attribute is expected",
            ));
        };
        if self.text[self.at..].starts_with('[') {
            let inner = self.group('[', ']')?;
            return Ok(Filter::Some(path, Box::new(inner)));
        }
        self.skip();
        let start = self.at;
        let operator = self.word().to_ascii_lowercase();
        if operator == "pr" {
            return Ok(Filter::Present(path));
        }
        let mut operators = OPERATORS.into_iter();
        let Some((_, operator)) = operators.find(|(word, _)| *word == operator) else {
            let what = "one of eq, ne, co, sw, ew, gt, ge, lt, le and pr is expected";
            return Err(wrong(self.text, start, what));
        };
        Ok(Filter::Compare(path, operator, self.value()?))
    }

    fn group(&mut self, open: char, close: char) -> Result<Filter, ScimError> {
        let opened = self.at;
        self.at += open.len_utf8();
        let inner = self.or()?;
        self.skip();
        if !self.text[self.at..].starts_with(close) {
            let what = format!("`{close}` is missing for what was opened at {}", opened + 1);
            return Err(wrong(self.text, self.at, &what));
        }
        self.at += close.len_utf8();
        Ok(inner)
    }

    fn word(&mut self) -> &str {
        let rest = &self.text[self.at..];
        let end =
            rest.find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '"'));
        let end = end.unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn eat_word(&mut self, word: &str) -> bool {
        self.skip();
        let rest = &self.text[self.at..];
        let is = rest
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
            && rest[word.len()..].starts_with(|c: char| c.is_whitespace() || c == '(');
        if is {
            self.at += word.len();
        }
        is
    }

    /// A value as JSON has it.
    fn value(&mut self) -> Result<Value, ScimError> {
        self.skip();
        let start = self.at;
        let rest = &self.text[start..];
        let end = if rest.starts_with('"') {
            let mut is_escaped = false;
            let end = rest.char_indices().skip(1).find(|(_, c)| {
                let ends = *c == '"' && !is_escaped;
                is_escaped = *c == '\\' && !is_escaped;
                ends
            });
            end.map_or(rest.len(), |(at, _)| at + 1)
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ')' | ']'));
            end.unwrap_or(rest.len())
        };
        let said = &rest[..end];
        self.at += end;
        let lower = said.to_ascii_lowercase();
        let value = serde_json::from_str(said).or_else(|_| serde_json::from_str(&lower));
        match value {
            Ok(value @ (Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null)) => {
                Ok(value)
            }
            _ => Err(wrong(
                self.text,
                start,
                "a value is expected: text in double quotes, a number, true, false or null",
            )),
        }
    }
}

fn wrong(text: &str, at: usize, what: &str) -> ScimError {
    let shown: String = text.chars().take(100).collect();
    let what = format!(
        "the filter `{shown}` is not understood at character {}: {what}",
        at + 1
    );
    ScimError::new(ScimType::InvalidFilter, what)
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}:")?;
        }
        f.write_str(&self.name)?;
        match &self.part {
            Some(part) => write!(f, ".{part}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare(path, operator, value) => {
                let mut operators = OPERATORS.into_iter();
                let word = operators.find(|(_, known)| known == operator);
                write!(f, "{path} {} {value}", word.map_or("eq", |(word, _)| word))
            }
            Self::Present(path) => write!(f, "{path} pr"),
            Self::And(one, other) => write!(f, "({one}) and ({other})"),
            Self::Or(one, other) => write!(f, "({one}) or ({other})"),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Some(path, inner) => write!(f, "{path}[{inner}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn ana() -> Value {
        json!({
            "id": "ana", "userName": "Ana@Example.org", "active": true,
            "name": {"familyName": "Lopez"},
            "emails": [{"value": "ana@work.org", "type": "work"}, {"value": "ana@home.org", "type": "home"}],
            (urn::ENTERPRISE): {"department": "Ward 3", "manager": {"value": "bo"}},
        })
    }

    #[track_caller]
    fn check(text: &str, expected: bool) {
        let filter = Filter::read(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(filter.is_met(&ana()), expected, "{text}");
        let again = Filter::read(&filter.to_string()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(again, filter, "{text}");
    }

    #[test]
    fn filters_mean_what_the_rfc_says() {
        check("userName eq \"ana@example.org\"", true);
        check("USERNAME Eq \"ana@example.org\"", true);
        check("id eq \"Ana\"", false);
        check("userName sw \"ana\" and active eq true", true);
        check("active eq \"True\"", true);
        check("name.familyName co \"op\"", true);
        check("emails[type eq \"work\" and value co \"@work\"]", true);
        check("emails[type eq \"work\" and value co \"@home\"]", false);
        check("emails.value ew \"home.org\"", true);
        check("emails eq \"ana@work.org\"", true);
        check("emails.type eq \"other\"", false);
        check("title pr", false);
        check("not (title pr) and (userName pr or title pr)", true);
        check("title eq null", true);
        check("userName ne \"bo\"", true);
        check("userName gt \"a\"", true);
        check(
            &format!("{}:department eq \"ward 3\"", urn::ENTERPRISE),
            true,
        );
        check(&format!("{}:userName sw \"A\"", urn::USER), true);
        // `and` binds closer than `or`.
        check("title pr and title pr or active eq true", true);
    }

    #[test]
    fn what_is_no_filter_is_pointed_at() {
        for (text, at) in [
            ("", "character 1:"),
            ("userName", "character 9:"),
            ("userName is \"a\"", "character 10:"),
            ("userName eq a", "character 13:"),
            ("(userName pr", "character 13:"),
            ("userName pr userName pr", "character 13:"),
            ("emails[type eq \"a\"", "character 19:"),
        ] {
            let error = Filter::read(text).expect_err(text);
            assert!(error.detail.contains(at), "{text}: {error}");
            assert_eq!(error.kind, Some(ScimType::InvalidFilter));
        }
        assert!(Filter::read(&"(".repeat(1000)).is_err());
        assert!(Filter::read(&"a".repeat(5000)).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_text_is_understood_or_refused(text in "[a-z \"()\\[\\].:eqpr$\\\\0-9]{0,40}|\\PC{0,20}") {
            if let Ok(filter) = Filter::read(&text) {
                prop_assert_eq!(Filter::read(&filter.to_string()), Ok(filter));
            }
        }
    }
}
