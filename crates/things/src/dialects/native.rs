//! All native topics of a description: what the hub compiles into its table from topics to
//! affordances.

use serde_json::{Map, Value, json};

use super::form::{Form, Op, Ops};
use crate::td::Problem;

/// More native topics than this no element has.
const FORMS_MAX: usize = 4096;

/// A form that leads to a native topic, and what it belongs to.
#[derive(PartialEq, Debug)]
pub struct Native {
    /// What it belongs to.
    pub role: Role,
    /// The form; its topic is `form.topic`.
    pub form: Form,
    /// The one value that it is about, of an event whose data is always the same: several events of
    /// a device may share a topic.
    pub only: Option<Value>,
}

/// What the payloads of a native topic are about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// The property of this name.
    Property(Box<str>),
    /// The action of this name.
    Action(Box<str>),
    /// The event of this name.
    Event(Box<str>),
    /// Whether the element is there: this entry of `quartet:availability`, a boolean or how it is.
    Availability {
        /// Which entry.
        index: usize,
        /// What all entries together say.
        mode: Mode,
    },
}

/// What several entries of `quartet:availability` say together (`quartet:mode` beside it).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Mode {
    /// Who spoke last is right.
    #[default]
    Latest,
    /// All must say that it is there.
    All,
    /// One is enough.
    Any,
}

/// The native topics of a description, and what is wrong with those that are left out.
pub fn native_forms(td: &Value) -> (Vec<Native>, Vec<Problem>) {
    let mut found = Found::default();
    for (name, property) in members(td, "properties") {
        let ops = default_ops(property);
        let schema_type = property["type"].as_str();
        let field = format!("properties.{name}");
        found.add(&field, &property["forms"], schema_type, ops, None, |_| {
            Role::Property(name.as_str().into())
        });
    }
    for (name, action) in members(td, "actions") {
        let schema_type = action["input"]["type"].as_str();
        let ops = Ops::of(&[Op::Invoke]);
        let field = format!("actions.{name}");
        found.add(&field, &action["forms"], schema_type, ops, None, |_| {
            Role::Action(name.as_str().into())
        });
    }
    for (name, event) in members(td, "events") {
        let schema_type = event["data"]["type"].as_str();
        let ops = Ops::of(&[Op::Subscribe]);
        let field = format!("events.{name}");
        let only = event["data"].get("const");
        found.add(&field, &event["forms"], schema_type, ops, only, |_| {
            Role::Event(name.as_str().into())
        });
    }
    found.availability(td);
    (found.natives, found.problems)
}

/// What a form of a property is for if it does not say [TD 1.1, section 5.4].
fn default_ops(property: &Value) -> Ops {
    let is = |flag: &str| property[flag] == true;
    match (is("readOnly"), is("writeOnly")) {
        (true, _) => Ops::of(&[Op::Read]),
        (_, true) => Ops::of(&[Op::Write]),
        _ => Ops::of(&[Op::Read, Op::Write]),
    }
}

#[derive(Default)]
struct Found {
    natives: Vec<Native>,
    problems: Vec<Problem>,
}

impl Found {
    fn add(
        &mut self,
        field: &str,
        forms: &Value,
        schema_type: Option<&str>,
        ops: Ops,
        only: Option<&Value>,
        role: impl Fn(usize) -> Role,
    ) {
        for (index, form) in forms.as_array().into_iter().flatten().enumerate() {
            if self.natives.len() == FORMS_MAX {
                return;
            }
            match Form::of(form, schema_type) {
                Ok(None) => {}
                Ok(Some(mut form)) => {
                    if form.ops.is_empty() {
                        form.ops = ops;
                    }
                    let role = role(index);
                    let only = only.cloned();
                    self.natives.push(Native { role, form, only });
                }
                Err(mut problem) => {
                    problem.field = format!("{field}.forms.{index}.{}", problem.field);
                    self.problems.push(problem);
                }
            }
        }
    }

    fn availability(&mut self, td: &Value) {
        let Some(entries) = td["quartet:availability"].as_array() else {
            return;
        };
        let said = match &td["quartet:mode"] {
            Value::Null => entries
                .first()
                .map_or(&Value::Null, |entry| &entry["quartet:mode"]),
            said => said,
        };
        let mode = match said {
            Value::Null => Mode::default(),
            said if said == "latest" => Mode::Latest,
            said if said == "all" => Mode::All,
            said if said == "any" => Mode::Any,
            _ => {
                let says = "must be all, any or latest";
                self.problems.push(Problem::new("quartet:mode", says));
                return;
            }
        };
        let entries = entries.iter().cloned().map(|mut entry| {
            if let Some(entry) = entry.as_object_mut() {
                let words = json!({ "online": true, "offline": false });
                entry.entry("quartet:values").or_insert(words);
            }
            entry
        });
        let ops = Ops::of(&[Op::Observe]);
        let forms = entries.collect();
        let field = "quartet:availability";
        self.add(field, &forms, None, ops, None, |index| Role::Availability {
            index,
            mode,
        });
    }
}

fn members<'t>(td: &'t Value, kind: &str) -> impl Iterator<Item = (&'t String, &'t Value)> {
    td[kind].as_object().into_iter().flat_map(Map::iter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(td: Value, expected: &[(Role, &str)], problems: &[&str]) {
        let (natives, found) = native_forms(&td);
        let natives: Vec<(Role, &str)> = natives
            .iter()
            .map(|native| (native.role.clone(), &*native.form.topic))
            .collect();
        assert_eq!(natives, expected);
        let found: Vec<&str> = found.iter().map(|problem| &*problem.field).collect();
        assert_eq!(found, problems);
    }

    #[test]
    fn each_native_topic_has_its_role() {
        check(
            json!({
                "properties": { "on": { "type": "boolean", "forms": [
                    { "href": "mqtt:///a" },
                    { "href": "http://x/" },
                    { "href": "mqtt:///a/set", "op": "writeproperty" },
                ] } },
                "actions": { "press": { "forms": [{ "href": "mqtt:///p" }] } },
                "events": { "bell": { "forms": [{ "href": "mqtt:///e" }] } },
                "quartet:availability": [{ "href": "mqtt:///s" }],
                "quartet:mode": "all",
            }),
            &[
                (Role::Property("on".into()), "a"),
                (Role::Property("on".into()), "a/set"),
                (Role::Action("press".into()), "p"),
                (Role::Event("bell".into()), "e"),
                (
                    Role::Availability {
                        index: 0,
                        mode: Mode::All,
                    },
                    "s",
                ),
            ],
            &[],
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        check(
            json!({
                "properties": { "on": { "forms": [
                    { "href": "mqtt:///a/%23" },
                    { "href": "mqtt:///a", "quartet:path": "x" },
                ] } },
                "quartet:availability": [],
                "quartet:mode": "most",
            }),
            &[],
            &[
                "properties.on.forms.0.href",
                "properties.on.forms.1.quartet:path",
                "quartet:mode",
            ],
        );
    }

    #[test]
    fn presence_is_online_and_offline_unless_said_otherwise() {
        let td = json!({ "quartet:availability": [
            { "href": "mqtt:///s", "contentType": "text/plain" },
            { "href": "mqtt:///s", "contentType": "text/plain", "quartet:values": { "up": true, "down": false } },
        ] });
        let (natives, _) = native_forms(&td);
        let says = |index: usize, payload: &str| {
            let read = natives[index].form.read(payload.as_bytes()).ok().flatten();
            read.map(|reading| reading.value)
        };
        assert_eq!(says(0, "online"), Some(json!(true)));
        assert_eq!(says(0, "offline"), Some(json!(false)));
        assert_eq!(says(0, "perhaps"), Some(json!("perhaps")), "no state of it");
        assert_eq!(says(1, "up"), Some(json!(true)));
    }

    #[test]
    fn what_a_property_is_for_follows_from_what_it_is() {
        let td = json!({ "properties": {
            "a": { "readOnly": true, "forms": [{ "href": "mqtt:///a" }] },
            "b": { "writeOnly": true, "forms": [{ "href": "mqtt:///b" }] },
        } });
        let (natives, _) = native_forms(&td);
        let is_for: Vec<_> = natives
            .iter()
            .map(|native| (native.form.ops.reports(), native.form.ops.tells()))
            .collect();
        assert_eq!(is_for, [(true, false), (false, true)]);
    }
}
