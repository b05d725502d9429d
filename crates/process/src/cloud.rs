//! Events as flows see them: CloudEvents 1.0.
//!
//! One message can be looked at in several ways. All are `quartet.message`s about their topic;
//! what an element reports is also `io.ioe.{kind}.{property|action|event}` about that element; and
//! what says its type itself is of that type.

use std::borrow::Cow;

use bytestring::ByteString;
use quartet_model::{Address, Aspect, Event, Kind};
use serde_json::{Map, Value, json};

use crate::names;

/// The type of every message.
pub const MESSAGE: &str = "quartet.message";

/// One way to look at an event. What it says is read only when somebody asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Face<'e> {
    /// Its type.
    pub kind: Cow<'e, str>,
    /// What it is about.
    pub subject: Cow<'e, str>,
    /// What of the element, if it is of one: its name stands in the data.
    about: Option<(&'static str, &'e str)>,
}

/// The types of what elements report, by kind and aspect.
const REPORTS: [[&str; 3]; 7] = [
    [
        "io.ioe.thing.property",
        "io.ioe.thing.action",
        "io.ioe.thing.event",
    ],
    [
        "io.ioe.person.property",
        "io.ioe.person.action",
        "io.ioe.person.event",
    ],
    [
        "io.ioe.team.property",
        "io.ioe.team.action",
        "io.ioe.team.event",
    ],
    [
        "io.ioe.place.property",
        "io.ioe.place.action",
        "io.ioe.place.event",
    ],
    [
        "io.ioe.room.property",
        "io.ioe.room.action",
        "io.ioe.room.event",
    ],
    [
        "io.ioe.data.property",
        "io.ioe.data.action",
        "io.ioe.data.event",
    ],
    [
        "io.ioe.process.property",
        "io.ioe.process.action",
        "io.ioe.process.event",
    ],
];

/// All types that the hub gives to what elements report, and to messages.
pub fn types() -> impl Iterator<Item = &'static str> {
    REPORTS.iter().flatten().copied().chain([MESSAGE])
}

/// What a message says of itself as a CloudEvent (the MQTT binding's binary mode, section 3.1):
/// user properties of these names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attributes {
    /// `type`, `source`, `subject` and whatever else, by name: often parts of what was read.
    pub by_name: Vec<(ByteString, ByteString)>,
}

impl Attributes {
    /// The same in memory of their own, for whoever keeps them.
    #[must_use]
    pub fn detached(&self) -> Self {
        let copy = |text: &ByteString| ByteString::from(&**text);
        let all = self.by_name.iter();
        let by_name = all.map(|(name, value)| (copy(name), copy(value)));
        Self {
            by_name: by_name.collect(),
        }
    }

    /// The attribute of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.by_name.iter();
        all.find(|(known, _)| &**known == name)
            .map(|(_, value)| &**value)
    }
}

/// No event has more faces.
pub const FACES_MAX: usize = 3;

/// All ways to look at an event: as a message, as what an element reports, as what it says itself
/// that it is.
pub fn faces<'e>(event: &'e Event, attributes: &'e Attributes) -> [Option<Face<'e>>; FACES_MAX] {
    let topic = &*event.topic;
    let message = Face {
        kind: MESSAGE.into(),
        subject: topic.into(),
        about: None,
    };
    let mut faces = [Some(message), None, None];
    let key = Address::element_of(topic);
    if let Some(key) = key
        && let Ok(address) = Address::read(topic)
        && let Some((aspect, word, name)) = match address.aspect {
            Aspect::Property(name) => Some((0, "property", name)),
            Aspect::Invocation(name, _) => Some((1, "action", name)),
            Aspect::Event(name) => Some((2, "event", name)),
            _ => None,
        }
    {
        let kind = Kind::ALL.iter().position(|kind| *kind == address.kind);
        faces[1] = Some(Face {
            kind: REPORTS[kind.unwrap_or(0)][aspect].into(),
            subject: names::name_of(key).into(),
            about: Some((word, name)),
        });
    }
    if let Some(kind) = attributes.get("type") {
        let subject = match (attributes.get("subject"), key) {
            (Some(subject), _) => subject.into(),
            (None, Some(key)) => names::name_of(key).into(),
            (None, None) => topic.into(),
        };
        faces[2] = Some(Face {
            kind: kind.into(),
            subject,
            about: None,
        });
    }
    faces
}

/// Attributes that every event has.
const SAID: [&str; 8] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "topic",
];

impl Face<'_> {
    /// What the event says: its `data`.
    pub fn data(&self, event: &Event) -> Value {
        let payload = value_of(&event.payload);
        match self.about {
            None => payload,
            Some(("property", name)) => json!({ "name": name, "value": payload }),
            Some((_, name)) => json!({ "name": name, "data": payload }),
        }
    }

    /// An attribute that is not `data`.
    pub fn attribute<'s>(
        &'s self,
        name: &str,
        event: &'s Event,
        attributes: &'s Attributes,
    ) -> Option<Cow<'s, str>> {
        Some(match name {
            "specversion" => "1.0".into(),
            "id" => event.id.to_string().into(),
            "source" => match attributes.get("source") {
                Some(source) => source.into(),
                None => format!("/{}", event.author()).into(),
            },
            "type" => (*self.kind).into(),
            "subject" => (*self.subject).into(),
            "time" => event.id.at.rfc3339().into(),
            "datacontenttype" => "application/json".into(),
            "topic" => (&*event.topic).into(),
            name => attributes.get(name)?.into(),
        })
    }

    /// The CloudEvent, in JSON, with these `data`.
    pub fn envelope(&self, data: Value, event: &Event, attributes: &Attributes) -> Value {
        let own = attributes.by_name.iter().map(|(name, _)| &**name);
        let mut envelope = Map::new();
        for name in own.chain(SAID) {
            if let Some(value) = self.attribute(name, event, attributes) {
                envelope.insert(name.to_owned(), value.into());
            }
        }
        envelope.insert("data".to_owned(), data);
        Value::Object(envelope)
    }
}

/// What a payload says: JSON as it is, else text, else nothing that a flow could read.
pub fn value_of(bytes: &[u8]) -> Value {
    match (serde_json::from_slice(bytes), std::str::from_utf8(bytes)) {
        (Ok(value), _) => value,
        (Err(_), Ok(text)) => text.into(),
        (Err(_), Err(_)) => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use quartet_model::{Actor, EventId, Said, Time};

    use super::*;

    #[track_caller]
    fn check(topic: &str, attributes: &[(&str, &str)], expected: &[(&str, &str, Value)]) {
        let id = EventId {
            at: Time::from_micros(1_000_000),
            serial: 1,
        };
        let event = Event::new(id, Actor::Hub, Said::state(topic.to_owned(), "21.5"));
        let by_name = attributes.iter();
        let attributes = Attributes {
            by_name: by_name
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        };
        let faces = faces(&event, &attributes);
        let seen: Vec<_> = faces
            .iter()
            .flatten()
            .map(|face| {
                let envelope = face.envelope(face.data(&event), &event, &attributes);
                (
                    face.kind.to_string(),
                    face.subject.to_string(),
                    envelope["data"].clone(),
                )
            })
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(kind, subject, data)| ((*kind).to_owned(), (*subject).to_owned(), data.clone()))
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn one_message_is_looked_at_in_several_ways() {
        check("a/b", &[], &[(MESSAGE, "a/b", json!(21.5))]);
        check(
            "things/office%2Fswitch-1/events/pressed",
            &[],
            &[
                (
                    MESSAGE,
                    "things/office%2Fswitch-1/events/pressed",
                    json!(21.5),
                ),
                (
                    "io.ioe.thing.event",
                    "office/switch-1",
                    json!({"name": "pressed", "data": 21.5}),
                ),
            ],
        );
        check(
            "places/room-1/properties/temperature",
            &[("type", "office.room.too-warm")],
            &[
                (MESSAGE, "places/room-1/properties/temperature", json!(21.5)),
                (
                    "io.ioe.place.property",
                    "places/room-1",
                    json!({"name": "temperature", "value": 21.5}),
                ),
                ("office.room.too-warm", "places/room-1", json!(21.5)),
            ],
        );
    }
}
