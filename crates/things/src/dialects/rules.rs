//! Rules that a person writes for devices that announce nothing: which topics are values of which
//! elements.
//!
//! ```json
//! { "name": "kitchen", "topic": "sensors/{id}/{property}", "key": "things/{id}",
//!   "title": "Sensor {id}", "property": "{property}", "contentType": "text/plain" }
//! ```
//!
//! The words of forms stand beside, as in decision 0006. `event` instead of `property` makes events
//! of the payloads; with neither, each member of an object is a property. `set` is the topic where a
//! property is told; `schema` says more of the values than can be guessed.

mod pattern;
mod suggest; // a first rule for what nobody has described

use quartet_model::Kind;
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::{
    Announcement, described,
    form::{Form, Member, Reading},
    href, name_of,
    native::Role,
    typed::number,
    units::ucum,
};
use crate::{identity, td::Problem};
use pattern::{Levels, Pattern, filled};
pub use suggest::suggest;

/// How the names of parts begin that rules make.
pub const PART: &str = "rule/";
/// More properties than this are not made of one payload.
const MEMBERS_MAX: usize = 256;
/// The words of forms that a rule may have.
const FORM_WORDS: [&str; 7] = [
    "contentType",
    "quartet:path",
    "quartet:values",
    "quartet:template",
    "quartet:payload",
    "mqv:qos",
    "mqv:retain",
];

/// A rule.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    name: String,
    topic: Pattern,
    key: String,
    title: Option<String>,
    target: Target,
    set: Option<String>,
    form: Map<String, Value>,
    schema: Map<String, Value>,
}

#[derive(Clone, PartialEq, Debug)]
enum Target {
    Property(String),
    Event(String),
    Members,
}

/// What a rule makes of a payload.
#[derive(Clone, PartialEq, Debug)]
pub struct Mapped {
    /// The part of the element's description that this topic yields.
    pub announcement: Announcement,
    /// What the payload says.
    pub values: Vec<(Role, Reading)>,
}

/// Why a rule makes nothing of a payload.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Unmapped {
    /// It is about other topics.
    #[error("the topic is not what the rule is about")]
    Topic,
    /// The element cannot be called so.
    #[error("{0}")]
    Key(Problem),
    /// The form says something that it must not with this topic.
    #[error("{0}")]
    Form(Problem),
    /// The payload cannot be read.
    #[error("the payload {0}")]
    Payload(String),
    /// There is no value at the place.
    #[error("the payload has no value there")]
    Nothing,
}

impl Rule {
    /// Reads a rule.
    pub fn parse(rule: &Value) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut text = |member: &str, is_needed: bool| match &rule[member] {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Null if !is_needed => None,
            Value::Null => {
                problems.push(Problem::new(member, "is missing"));
                None
            }
            _ => {
                problems.push(Problem::new(member, "must be a string that is not empty"));
                None
            }
        };
        let name = text("name", true);
        let topic = text("topic", true);
        let key = text("key", true);
        let title = text("title", false);
        let property = text("property", false);
        let event = text("event", false);
        let set = text("set", false);
        let topic = topic.map(|topic| Pattern::parse(&topic));
        let topic = topic.transpose().map_err(|problem| problems.push(problem));
        if property.is_some() && event.is_some() {
            problems.push(Problem::new(
                "event",
                "stands beside `property`; one is meant",
            ));
        }
        if let Ok(Some(topic)) = &topic {
            let texts = [
                ("key", &key),
                ("title", &title),
                ("property", &property),
                ("event", &event),
                ("set", &set),
            ];
            for (member, text) in texts {
                let unknown = text.as_deref().and_then(|text| topic.unknown_in(text));
                problems.extend(unknown.map(|level| {
                    let says = format!("names the level {{{level}}}, which `topic` has not");
                    Problem::new(member, says)
                }));
            }
        }
        let form = FORM_WORDS.iter().filter_map(|word| {
            let value = rule.get(*word)?;
            Some(((*word).to_owned(), value.clone()))
        });
        let mut form: Map<String, Value> = form.collect();
        form.insert("href".into(), href("x").into());
        if let Err(problem) = Form::of(&Value::Object(form.clone()), None) {
            problems.push(problem);
        }
        let target = match (property, event) {
            (Some(property), _) => Target::Property(property),
            (_, Some(event)) => Target::Event(event),
            _ => Target::Members,
        };
        if target == Target::Members && form.contains_key("quartet:path") {
            let says = "leads to one value, but the rule names no `property` and no `event`";
            problems.push(Problem::new("quartet:path", says));
        }
        let schema = rule["schema"].as_object().cloned().unwrap_or_default();
        match (name, topic, key) {
            (Some(name), Ok(Some(topic)), Some(key)) if problems.is_empty() => Ok(Self {
                name,
                topic,
                key,
                title,
                target,
                set,
                form,
                schema,
            }),
            _ => Err(problems),
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The filter that matches its topics, and perhaps others.
    pub fn filter(&self) -> String {
        self.topic.filter()
    }

    /// What it makes of a payload, or why it makes nothing of it.
    pub fn preview(&self, topic: &str, payload: &[u8]) -> Result<Mapped, Unmapped> {
        let levels = self.topic.levels(topic).ok_or(Unmapped::Topic)?;
        let key = self.key_of(&levels).map_err(Unmapped::Key)?;
        let title = match &self.title {
            Some(title) => filled(title, &levels, |level| level.to_owned()),
            None => key.split_once('/').map_or("", |(_, id)| id).to_owned(),
        };
        let mut description = described(&title);
        let mut values = Vec::new();
        match &self.target {
            Target::Property(name) => {
                let name = filled(name, &levels, name_of);
                let (property, reading) = self.affordance(topic, None, &levels, payload)?;
                let properties = Map::from_iter([(name.clone(), property)]);
                description.insert("properties".into(), properties.into());
                values.push((Role::Property(name.into()), reading));
            }
            Target::Event(name) => {
                let name = filled(name, &levels, name_of);
                let (mut event, reading) = self.affordance(topic, None, &levels, payload)?;
                let forms = event["forms"].take();
                if let Some(event) = event.as_object_mut() {
                    event.remove("forms");
                    event.remove("observable");
                    event.remove("readOnly");
                }
                let events = json!({ &name: { "data": event, "forms": forms } });
                description.insert("events".into(), events);
                values.push((Role::Event(name.into()), reading));
            }
            Target::Members => {
                let mut properties = Map::new();
                for member in self.members(topic, payload)? {
                    let found = self.affordance(topic, Some(&member), &levels, payload);
                    let Ok((property, reading)) = found else {
                        continue;
                    };
                    let name = name_of(&member.name);
                    if properties.insert(name.clone(), property).is_none() {
                        values.push((Role::Property(name.into()), reading));
                    }
                }
                if properties.is_empty() {
                    return Err(Unmapped::Nothing);
                }
                description.insert("properties".into(), properties.into());
            }
        }
        let announcement = Announcement {
            key,
            part: format!("{PART}{}/{topic}", self.name),
            description: Some(description.into()),
        };
        Ok(Mapped {
            announcement,
            values,
        })
    }

    fn key_of(&self, levels: &Levels<'_>) -> Result<String, Problem> {
        let wrong = |says: String| Problem::new("key", says);
        let (folder, id) = self
            .key
            .split_once('/')
            .ok_or_else(|| wrong(format!("is `{}`; must be such as things/{{id}}", self.key)))?;
        let kind = Kind::of_folder(folder).ok_or_else(|| {
            wrong(format!(
                "begins with `{folder}`; must with things or the like"
            ))
        })?;
        identity::key(kind, &filled(id, levels, name_of))
    }

    /// A property that tells of what is read from the payload.
    fn affordance(
        &self,
        topic: &str,
        member: Option<&Member>,
        levels: &Levels<'_>,
        payload: &[u8],
    ) -> Result<(Value, Reading), Unmapped> {
        let mut form = self.form.clone();
        form.insert("href".into(), href(topic).into());
        form.extend(member.map(|member| ("quartet:path".to_owned(), member.path.clone().into())));
        let schema_type = self.schema.get("type").and_then(Value::as_str);
        let read = |schema_type: Option<&str>| {
            let form = Form::of(&Value::Object(form.clone()), schema_type);
            let form = form.map_err(Unmapped::Form)?.ok_or(Unmapped::Nothing)?;
            let read = form.read(payload);
            let read = read.map_err(|unread| Unmapped::Payload(unread.to_string()))?;
            read.ok_or(Unmapped::Nothing)
        };
        let mut reading = read(schema_type)?;
        let mut schema = self.schema.clone();
        if schema_type.is_none() {
            let is_text = form.contains_key("quartet:template")
                || form
                    .get("contentType")
                    .and_then(Value::as_str)
                    .is_some_and(|content| content.starts_with("text/plain"));
            let guessed = guess(&reading.value, is_text);
            schema.insert("type".into(), guessed.into());
            reading = read(Some(guessed))?;
        }
        if let Some(unit) = member.and_then(|member| member.unit.as_deref()) {
            schema.entry("unit").or_insert(unit.into());
        }
        if let Some(code) = schema.get("unit").and_then(Value::as_str).and_then(ucum) {
            schema.insert("unit".into(), code.into());
        }
        let is_event = matches!(self.target, Target::Event(_));
        let op = if is_event {
            json!("subscribeevent")
        } else {
            json!(["readproperty", "observeproperty"])
        };
        form.insert("op".into(), op);
        form.insert("mqv:filter".into(), topic.into());
        let mut forms = vec![Value::Object(form.clone())];
        if let Some(set) = self.set.as_ref().filter(|_| !is_event) {
            let topic = filled(set, levels, |level| level.to_owned());
            form.remove("mqv:filter");
            // It finds a value, and cannot make a payload.
            form.remove("quartet:template");
            form.insert("href".into(), href(&topic).into());
            form.insert("mqv:topic".into(), topic.into());
            form.insert("op".into(), "writeproperty".into());
            forms.push(form.into());
        } else {
            schema.insert("readOnly".into(), true.into());
        }
        schema.insert("observable".into(), true.into());
        schema.insert("forms".into(), forms.into());
        Ok((schema.into(), reading))
    }

    /// The values of a payload that has several.
    fn members(&self, topic: &str, payload: &[u8]) -> Result<Vec<Member>, Unmapped> {
        let mut form = self.form.clone();
        form.insert("href".into(), href(topic).into());
        let form = Form::of(&form.into(), Some("object"));
        let form = form.map_err(Unmapped::Form)?.ok_or(Unmapped::Nothing)?;
        let members = form.members(payload);
        let mut members = members.map_err(|unread| Unmapped::Payload(unread.to_string()))?;
        members.truncate(MEMBERS_MAX);
        Ok(members)
    }
}

/// The type of all values, going by one. Whole numbers may be followed by others.
fn guess(value: &Value, is_text: bool) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(text) if is_text && number(text).is_some() => "number",
        Value::String(text)
            if is_text && matches!(text.trim(), "true" | "false" | "True" | "False") =>
        {
            "boolean"
        }
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Null => "null",
    }
}

#[cfg(test)]
mod tests;
