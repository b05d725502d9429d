use serde_json::{Number, Value};

use crate::problem::Place;

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub what: What,
}

/// What a node is: the shapes of JSON.
#[derive(Clone, Debug)]
pub enum What {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A finite number.
    Number(Number),
    /// Text.
    Text(Text),
    /// Some in order.
    List(Vec<Node>),
    /// Some by name, in the order in which they were written.
    Map(Map),
}

/// Text, and where its characters stand.
#[derive(Clone, Debug)]
pub struct Text {
    /// What it says.
    pub text: String,
    pub(super) first: Place,
    pub(super) style: Style,
}

/// How a text was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    /// As it is, on lines that are kept.
    Kept,
    /// In single quotes, on one line.
    Single,
    /// In double quotes, on one line.
    Double,
    /// On several lines that were made one.
    Folded,
}

/// Values by name.
#[derive(Clone, Default, Debug)]
pub struct Map {
    /// All of them.
    pub entries: Vec<(Key, Node)>,
}

/// A name in a map.
#[derive(Clone, Debug)]
pub struct Key {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
}

impl Node {
    /// What it is called in messages.
    pub fn kind(&self) -> &'static str {
        match self.what {
            What::Null => "nothing",
            What::Bool(_) => "yes or no (a boolean)",
            What::Number(_) => "a number",
            What::Text(_) => "text",
            What::List(_) => "a list",
            What::Map(_) => "an object",
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.what {
            What::Text(text) => Some(&text.text),
            _ => None,
        }
    }

    /// The map, if it is one.
    pub fn map(&self) -> Option<&Map> {
        match &self.what {
            What::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The same without positions.
    pub fn to_json(&self) -> Value {
        match &self.what {
            What::Null => Value::Null,
            What::Bool(is) => Value::Bool(*is),
            What::Number(number) => Value::Number(number.clone()),
            What::Text(text) => Value::String(text.text.clone()),
            What::List(list) => Value::Array(list.iter().map(Self::to_json).collect()),
            What::Map(map) => Value::Object(map.to_json()),
        }
    }
}

impl Map {
    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&Node> {
        let mut entries = self.entries.iter();
        entries
            .find(|(key, _)| key.name == name)
            .map(|(_, node)| node)
    }

    /// The same without positions.
    pub fn to_json(&self) -> serde_json::Map<String, Value> {
        let entries = self.entries.iter();
        entries
            .map(|(key, node)| (key.name.clone(), node.to_json()))
            .collect()
    }
}

impl Text {
    /// Where the character at a byte offset stands; where the text begins if that cannot be said.
    pub fn place_of(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let first = self.first;
        let chars = |text: &str| text.chars().count() as u32;
        match self.style {
            Style::Folded => first,
            Style::Kept => match before.rsplit_once('\n') {
                None => Place {
                    column: first.column + chars(before),
                    ..first
                },
                Some((lines, last)) => Place {
                    line: first.line + lines.matches('\n').count() as u32 + 1,
                    column: first.column + chars(last),
                },
            },
            // A quote in single quotes is written twice.
            Style::Single => Place {
                column: first.column + chars(before) + before.matches('\'').count() as u32,
                ..first
            },
            Style::Double => {
                let escaped = |c: char| matches!(c, '"' | '\\') || c.is_control();
                Place {
                    column: first.column + chars(before) + before.matches(escaped).count() as u32,
                    ..first
                }
            }
        }
    }
}

/// The same value, wherever it stands.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        match (&self.what, &other.what) {
            (What::Null, What::Null) => true,
            (What::Bool(one), What::Bool(other)) => one == other,
            (What::Number(one), What::Number(other)) => one == other,
            (What::Text(one), What::Text(other)) => one.text == other.text,
            (What::List(one), What::List(other)) => one == other,
            (What::Map(one), What::Map(other)) => {
                let pairs = |map: &Map| -> Vec<(String, Node)> {
                    let entries = map.entries.iter();
                    entries
                        .map(|(key, node)| (key.name.clone(), node.clone()))
                        .collect()
                };
                pairs(one) == pairs(other)
            }
            _ => false,
        }
    }
}
