//! What is said of an entity, read member by member.

use std::{collections::BTreeSet, fmt};

use serde_json::{Map, Value};

use crate::{
    dialects::parts::TOPIC_BYTES_MAX,
    td::{Problem, excerpt},
};

/// The longest list that is read.
const LIST_MAX: usize = 1024;
/// The longest list of objects.
const OBJECTS_MAX: usize = 64;

/// The members of an entity, in long words.
#[derive(Clone, Copy)]
pub(super) struct Config<'a> {
    members: &'a Map<String, Value>,
    /// Where it stands, as [`Problem::field`]: `components.lamp.`.
    prefix: &'a str,
}

impl<'a> Config<'a> {
    pub(super) fn new(members: &'a Map<String, Value>, prefix: &'a str) -> Self {
        Self { members, prefix }
    }

    /// What is said; `null` says nothing.
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// Whether it is said that there is none.
    pub(super) fn is_null(self, name: &str) -> bool {
        self.members.get(name).is_some_and(Value::is_null)
    }

    pub(super) fn problem(self, name: &str, description: impl Into<String>) -> Problem {
        Problem::new(format!("{}{name}", self.prefix), description)
    }

    fn wrong<T>(self, name: &str, said: &Value, must: impl fmt::Display) -> Result<T, Problem> {
        let said = excerpt(said);
        Err(self.problem(name, format!("is {said}; must be {must}")))
    }

    /// A text. Numbers and booleans are taken as Home Assistant prints them: `True`.
    pub(super) fn text(self, name: &str) -> Result<Option<String>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(_) | Value::Object(_)) => {
                self.wrong(name, &self.members[name], "a text")
            }
            Some(said) => Ok(Some(printed(said))),
        }
    }

    pub(super) fn text_or(self, name: &str, default: &str) -> Result<String, Problem> {
        Ok(self.text(name)?.unwrap_or_else(|| default.to_owned()))
    }

    pub(super) fn number(self, name: &str) -> Result<Option<Value>, Problem> {
        let Some(said) = self.get(name) else {
            return Ok(None);
        };
        let number = match said {
            Value::String(text) => serde_json::from_str(text.trim()).ok(),
            other => Some(other.clone()),
        };
        match number.filter(Value::is_number) {
            Some(number) => Ok(Some(number)),
            None => self.wrong(name, said, "a number"),
        }
    }

    pub(super) fn number_or(self, name: &str, default: i64) -> Result<Value, Problem> {
        Ok(self.number(name)?.unwrap_or_else(|| default.into()))
    }

    pub(super) fn flag(self, name: &str) -> Result<Option<bool>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(said) => match printed(said).to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Ok(Some(true)),
                "false" | "no" | "off" | "0" => Ok(Some(false)),
                _ => self.wrong(name, said, "true or false"),
            },
        }
    }

    /// A list of texts, each once; one text is a list of it.
    pub(super) fn texts(self, name: &str) -> Result<Vec<String>, Problem> {
        let said = match self.get(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => &list[..],
            Some(one) => std::slice::from_ref(one),
        };
        let is_text = |said: &Value| !said.is_array() && !said.is_object() && !said.is_null();
        if LIST_MAX < said.len() || !said.iter().all(is_text) {
            let must = format!("a list of at most {LIST_MAX} texts");
            return self.wrong(name, &self.members[name], must);
        }
        let mut seen = BTreeSet::new();
        let texts = said.iter().map(printed);
        Ok(texts.filter(|text| seen.insert(text.clone())).collect())
    }

    /// The objects of a list; one object is a list of it.
    pub(super) fn objects(self, name: &str) -> Result<Vec<&'a Map<String, Value>>, Problem> {
        let said = match self.get(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => &list[..],
            Some(one) => std::slice::from_ref(one),
        };
        let objects: Option<Vec<_>> = said.iter().map(Value::as_object).collect();
        match objects.filter(|objects| objects.len() <= OBJECTS_MAX) {
            Some(objects) => Ok(objects),
            None => self.wrong(
                name,
                &self.members[name],
                format!("a list of at most {OBJECTS_MAX} objects"),
            ),
        }
    }

    /// A topic to listen to, perhaps with wildcards.
    pub(super) fn filter(self, name: &str) -> Result<Option<String>, Problem> {
        let Some(topic) = self.text(name)? else {
            return Ok(None);
        };
        let levels: Vec<&str> = topic.split('/').collect();
        let is_level = |(index, level): (usize, &&str)| match *level {
            "+" => true,
            "#" => index + 1 == levels.len(),
            _ => !level.contains(['+', '#']),
        };
        if !is_topic(&topic) || !levels.iter().enumerate().all(is_level) {
            return self.wrong(name, &topic.into(), "a topic such as home/lamp/state");
        }
        Ok(Some(topic))
    }

    /// A topic to publish to.
    pub(super) fn topic(self, name: &str) -> Result<Option<String>, Problem> {
        match self.text(name)? {
            Some(topic) if is_topic(&topic) && !topic.contains(['+', '#']) => Ok(Some(topic)),
            Some(topic) => self.wrong(
                name,
                &topic.into(),
                "a topic such as home/lamp/set, without wildcards",
            ),
            None => Ok(None),
        }
    }
}

fn is_topic(text: &str) -> bool {
    !text.is_empty() && text.len() <= TOPIC_BYTES_MAX && !text.contains('\0')
}

fn printed(said: &Value) -> String {
    match said {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check<T: PartialEq + fmt::Debug>(
        said: Value,
        read: impl Fn(Config<'_>) -> Result<T, Problem>,
        expected: Result<T, &str>,
    ) {
        let members = json!({ "x": said });
        let config = Config::new(members.as_object().unwrap(), "components.a.");
        let read = read(config).map_err(|problem| problem.to_string());
        assert_eq!(read, expected.map_err(str::to_owned), "{members}");
    }

    #[test]
    fn what_is_said_is_read_as_home_assistant_reads_it() {
        let text = |text: &str| Ok(Some(text.to_owned()));
        check(json!("a"), |c| c.text("x"), text("a"));
        check(json!(1), |c| c.text("x"), text("1"));
        check(json!(true), |c| c.text("x"), text("True"));
        check(json!(null), |c| c.text("x"), Ok(None));
        check(json!("5"), |c| c.number("x"), Ok(Some(json!(5))));
        check(json!("yes"), |c| c.flag("x"), Ok(Some(true)));
        check(json!("a"), |c| c.texts("x"), Ok(vec!["a".to_owned()]));
        check(json!("a/+/b/#"), |c| c.filter("x"), text("a/+/b/#"));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        check(
            json!({}),
            |c| c.text("x"),
            Err("components.a.x: is an object; must be a text"),
        );
        check(
            json!("much"),
            |c| c.number("x"),
            Err("components.a.x: is \"much\"; must be a number"),
        );
        check(
            json!(7),
            |c| c.flag("x"),
            Err("components.a.x: is 7; must be true or false"),
        );
        check(
            json!("a/#"),
            |c| c.topic("x"),
            Err(
                "components.a.x: is \"a/#\"; must be a topic such as home/lamp/set, without wildcards",
            ),
        );
        check(
            json!("a/#/b"),
            |c| c.filter("x"),
            Err("components.a.x: is \"a/#/b\"; must be a topic such as home/lamp/state"),
        );
    }
}
