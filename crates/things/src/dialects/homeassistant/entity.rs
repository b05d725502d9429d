//! An entity on its way to be a part of a description: its affordances, with the forms that say
//! where its topics, payloads and templates are.
//!
//! Where a form has a template and words, the template comes first when the device reports, and
//! the words do when it is told, as Home Assistant has it.

use serde_json::{Map, Value, json};

use super::{config::Config, template};
use crate::{
    dialects::parts::{self, members},
    td::Problem,
};

pub(super) type Form = Map<String, Value>;
/// A payload's words, each with the value that it stands for.
pub(super) type Words = Vec<(String, Value)>;

const TEXT: &str = "text/plain";
const JSON: &str = "application/json";

/// The members that say where a value is: the topic and template of its state, and those of the
/// command. No word if there is none.
pub(super) type Places<'p> = [&'p str; 4];

/// An entity that is being read.
pub(super) struct Entity<'a> {
    /// What is said of it.
    pub(super) config: Config<'a>,
    /// What its main affordance is called.
    name: String,
    title: String,
    /// `properties`, `actions` and `events`.
    affordances: [Map<String, Value>; 3],
}

impl<'a> Entity<'a> {
    pub(super) fn new(config: Config<'a>, name: String, title: String) -> Self {
        Self {
            config,
            name,
            title,
            affordances: Default::default(),
        }
    }

    /// All affordances that it has.
    pub(super) fn into_part(self) -> Map<String, Value> {
        let kinds = ["properties", "actions", "events"];
        let named = kinds.into_iter().zip(self.affordances);
        let said = named.filter(|(_, affordances)| !affordances.is_empty());
        said.map(|(kind, affordances)| (kind.to_owned(), affordances.into()))
            .collect()
    }

    /// Where a state is reported.
    pub(super) fn state(&self, topic: &str, template: &str) -> Result<Option<Form>, Problem> {
        let Some(topic) = self.config.filter(topic)? else {
            return Ok(None);
        };
        Ok(Some(read(
            parts::reported(&topic, TEXT),
            self.config.text(template)?,
        )))
    }

    /// Where a command is told.
    pub(super) fn command(
        &self,
        op: &str,
        topic: &str,
        template: &str,
    ) -> Result<Option<Form>, Problem> {
        let Some(topic) = self.config.topic(topic)? else {
            return Ok(None);
        };
        let mut form = parts::told(&topic, op, TEXT);
        if let Some(template) = self.config.text(template)? {
            form.insert("quartet:template".to_owned(), template.into());
        }
        if let Some(qos) = self.config.number("qos")? {
            form.insert("mqv:qos".to_owned(), qos.to_string().into());
        }
        if self.config.flag("retain")? == Some(true) {
            form.insert("mqv:retain".to_owned(), true.into());
        }
        Ok(Some(form))
    }

    /// A property, if there is a place where its value is.
    pub(super) fn property(
        &mut self,
        aspect: &str,
        schema: Value,
        places: Places<'_>,
    ) -> Result<(), Problem> {
        let [topic, template, command_topic, command_template] = places;
        let state = self.state(topic, template)?;
        let command = self.command("writeproperty", command_topic, command_template)?;
        self.add_property(aspect, schema, state, command);
        Ok(())
    }

    /// A property whose values have words: those that are reported, and those that are told.
    pub(super) fn worded_property(
        &mut self,
        aspect: &str,
        schema: Value,
        places: Places<'_>,
        words: [&Words; 2],
    ) -> Result<(), Problem> {
        let [topic, template, command_topic, command_template] = places;
        let [reported, told] = words;
        let state = self.state(topic, template)?;
        let template = self.config.text(template)?;
        let state = state.map(|form| with_words(form, reported, template));
        let command = self.command("writeproperty", command_topic, command_template)?;
        let command = command.map(|form| with_words(form, told, None));
        self.add_property(aspect, schema, state, command);
        Ok(())
    }

    pub(super) fn add_property(
        &mut self,
        aspect: &str,
        schema: Value,
        state: Option<Form>,
        command: Option<Form>,
    ) {
        let mut property = members(schema);
        match (&state, &command) {
            (None, None) => return,
            (Some(_), None) => drop(property.insert("readOnly".to_owned(), true.into())),
            (None, Some(_)) => drop(property.insert("writeOnly".to_owned(), true.into())),
            (Some(_), Some(_)) => {}
        }
        if state.is_some() {
            property.insert("observable".to_owned(), true.into());
        }
        let forms: Vec<Form> = state.into_iter().chain(command).collect();
        self.add(0, aspect, property, forms);
    }

    /// An action that tells one payload.
    pub(super) fn press(
        &mut self,
        aspect: &str,
        payload: &str,
        topic: &str,
        template: &str,
    ) -> Result<(), Problem> {
        let Some(mut form) = self.command("invokeaction", topic, template)? else {
            return Ok(());
        };
        match form.get("quartet:template").and_then(Value::as_str) {
            Some(template) => {
                let template = format!("{}{template}", template::set("value", payload));
                form.insert("quartet:template".to_owned(), template.into());
            }
            None => drop(form.insert("quartet:payload".to_owned(), payload.into())),
        }
        self.add_action(aspect, Map::new(), form);
        Ok(())
    }

    pub(super) fn add_action(&mut self, aspect: &str, action: Map<String, Value>, form: Form) {
        self.add(1, aspect, action, vec![form]);
    }

    pub(super) fn add_event(&mut self, aspect: &str, data: Value, form: Form) {
        self.add(2, aspect, members(json!({ "data": data })), vec![form]);
    }

    /// Where an occasion is told, and what of it.
    pub(super) fn occasion(&self, topic: &str, template: &str) -> Result<Option<Form>, Problem> {
        let Some(topic) = self.config.filter(topic)? else {
            return Ok(None);
        };
        Ok(Some(read(
            parts::emitted(&topic, TEXT),
            self.config.text(template)?,
        )))
    }

    fn add(
        &mut self,
        kind: usize,
        aspect: &str,
        mut affordance: Map<String, Value>,
        forms: Vec<Form>,
    ) {
        let (name, title) = if aspect.is_empty() {
            (self.name.clone(), self.title.clone())
        } else {
            let words = aspect.replace('_', " ");
            (
                format!("{}_{aspect}", self.name),
                format!("{} {words}", self.title),
            )
        };
        affordance.insert("title".to_owned(), title.into());
        for (member, word) in [
            ("device_class", "quartet:deviceClass"),
            ("state_class", "quartet:stateClass"),
            ("entity_category", "quartet:category"),
        ] {
            let said = self.config.get(member).filter(|said| said.is_string());
            if let Some(said) = said.filter(|_| aspect.is_empty()) {
                affordance.insert(word.to_owned(), said.clone());
            }
        }
        affordance.insert("forms".to_owned(), json!(forms));
        self.affordances[kind].insert(name, affordance.into());
    }
}

/// A form with the place or the template where the value is.
pub(super) fn read(mut form: Form, template: Option<String>) -> Form {
    let Some(template) = template else {
        return form;
    };
    if let Some(path) = template::as_pointer(&template) {
        form.insert("contentType".to_owned(), JSON.into());
        form.insert("quartet:path".to_owned(), path.into());
    } else if template.trim() != "{{ value }}" {
        form.insert("quartet:template".to_owned(), template.into());
    }
    form
}

/// A form with words. Words that are Python's stay with the template that prints them.
pub(super) fn with_words(mut form: Form, words: &Words, template: Option<String>) -> Form {
    let is_python = |word: &str| matches!(word, "True" | "False" | "None");
    if let Some(template) = template
        && words.iter().any(|(word, _)| is_python(word))
        && form.remove("quartet:path").is_some()
    {
        form.insert("contentType".to_owned(), TEXT.into());
        form.insert("quartet:template".to_owned(), template.into());
    }
    let words: Map<String, Value> = words.iter().cloned().collect();
    form.insert("quartet:values".to_owned(), words.into());
    form
}
