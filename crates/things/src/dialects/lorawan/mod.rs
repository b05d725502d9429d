//! LoRaWAN, as network servers tell of it: ChirpStack v4 and The Things Stack v3.
//!
//! They announce nothing. The first uplink of a device says that it is there, and what its decoder
//! makes of the payload says what it has; as one uplink need not say all, [`learn`] keeps what
//! earlier ones said.

mod chirpstack; // application/{id}/device/{EUI}/event/up
mod decoded; // what a decoder makes of a payload
mod things_stack; // v3/{application}/devices/{id}/up

use serde_json::{Map, Value, json};

use super::{
    Announcement,
    parts::{self, members},
};
use crate::td::{Problem, excerpt};

/// No uplink is longer: LoRaWAN has 242 bytes, its network servers say much of each.
const PAYLOAD_BYTES_MAX: usize = 1 << 18;
pub(crate) const PART: &str = "lorawan";
const JSON: &str = "application/json";

/// What a message announces: `None` if its topic is not that of an uplink.
pub fn announce(topic: &str, payload: &[u8]) -> Result<Option<Vec<Announcement>>, Problem> {
    if parts::TOPIC_BYTES_MAX < topic.len() {
        return Ok(None);
    }
    let levels: Vec<&str> = topic.split('/').collect();
    let (key, description) = match levels[..] {
        ["application", application, "device", eui, "event", "up"] => {
            let base = format!("application/{application}/device/{eui}");
            (
                thing_key(eui),
                chirpstack::describe(&base, eui, &read(payload)?),
            )
        }
        ["v3", application, "devices", device, "up"] => {
            let uplink = read(payload)?;
            let eui = uplink["end_device_ids"]["dev_eui"].as_str();
            let named = || format!("{application}-{device}");
            let key = eui.map_or_else(|| parts::thing_key(&named()), thing_key);
            let base = format!("v3/{application}/devices/{device}");
            (key, things_stack::describe(&base, device, &uplink))
        }
        _ => return Ok(None),
    };
    Ok(Some(vec![Announcement {
        key,
        part: PART.to_owned(),
        description: Some(description?),
    }]))
}

/// What is known of a device by an uplink and by those before: all properties that any of them had.
/// Of what two say differently, the later counts, but types that differ are no type.
pub fn learn(before: &Value, now: &Value) -> Value {
    let mut all = now.clone();
    let Some(there) = all.get_mut("properties").and_then(Value::as_object_mut) else {
        return all;
    };
    for (name, said) in before["properties"].as_object().into_iter().flatten() {
        let has_room = there.len() < decoded::PROPERTIES_MAX;
        match there.get_mut(name).and_then(Value::as_object_mut) {
            Some(property) if property.get("type") != said.get("type") => {
                property.remove("type");
            }
            Some(_) => {}
            None if has_room => {
                there.insert(name.clone(), said.clone());
            }
            None => {}
        }
    }
    all
}

/// An EUI is written in either case.
fn thing_key(eui: &str) -> String {
    parts::thing_key(&eui.to_ascii_lowercase())
}

fn read(payload: &[u8]) -> Result<Value, Problem> {
    let wrong = |what: String| Err(Problem::new("(root)", what));
    if PAYLOAD_BYTES_MAX < payload.len() {
        let len = payload.len();
        return wrong(format!(
            "has {len} bytes; at most {PAYLOAD_BYTES_MAX} are taken"
        ));
    }
    match serde_json::from_slice(payload) {
        Ok(said @ Value::Object(_)) => Ok(said),
        Ok(other) => wrong(format!(
            "is {}; must be an uplink as an object",
            excerpt(&other)
        )),
        Err(error) => {
            let what = "must be an uplink in JSON; so the network server must be configured";
            wrong(format!("is no JSON ({error}); {what}"))
        }
    }
}

/// A device on its way to be described.
struct Device<'t> {
    /// What stands before all of its topics.
    base: &'t str,
    properties: Map<String, Value>,
    events: Map<String, Value>,
}

impl<'t> Device<'t> {
    fn new(base: &'t str) -> Self {
        Self {
            base,
            properties: Map::new(),
            events: Map::new(),
        }
    }

    fn topic(&self, below: &str) -> String {
        format!("{}/{below}", self.base)
    }

    /// A property that is found at a place in messages of a topic.
    fn property(&mut self, name: &str, schema: Value, below: &str, path: &str) {
        let mut form = parts::reported(&self.topic(below), JSON);
        form.insert("quartet:path".to_owned(), path.into());
        let mut property = members(schema);
        property
            .entry("title")
            .or_insert_with(|| title(name).into());
        property.insert("readOnly".to_owned(), true.into());
        property.insert("observable".to_owned(), true.into());
        property.insert("forms".to_owned(), json!([form]));
        self.properties.insert(name.to_owned(), property.into());
    }

    fn event(&mut self, name: &str, below: &str, path: &str) {
        let mut form = parts::emitted(&self.topic(below), JSON);
        if !path.is_empty() {
            form.insert("quartet:path".to_owned(), path.into());
        }
        let event = json!({ "title": title(name), "data": {}, "forms": [form] });
        self.events.insert(name.to_owned(), event);
    }

    /// How it is told: one action with the input in the words of all network servers.
    fn into_part(self, below: &str, template: &str) -> Map<String, Value> {
        let mut form = parts::told(&self.topic(below), "invokeaction", JSON);
        form.insert("quartet:template".to_owned(), template.into());
        let input = json!({
            "type": "object",
            "properties": {
                "fPort": { "type": "integer", "minimum": 1, "maximum": 223 },
                "data": { "type": "string", "contentEncoding": "base64", "title": "Payload" },
                "object": { "type": "object", "title": "What the encoder makes a payload of" },
                "confirmed": { "type": "boolean", "default": false },
            },
            "required": ["fPort"],
        });
        let downlink = json!({ "title": "Downlink", "input": input, "forms": [form] });
        members(json!({
            "properties": self.properties,
            "actions": { "downlink": downlink },
            "events": self.events,
        }))
    }
}

/// `frame counter` of `frame_counter`, with its first letter large.
fn title(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut chars = words.chars();
    let first = chars
        .next()
        .map(|first| first.to_uppercase().collect::<String>());
    first.unwrap_or_default() + chars.as_str()
}

fn location() -> Value {
    json!({ "type": "object", "properties": {
        "latitude": { "type": "number", "minimum": -90, "maximum": 90, "unit": "deg" },
        "longitude": { "type": "number", "minimum": -180, "maximum": 180, "unit": "deg" },
        "altitude": { "type": "number", "unit": "m" },
    }})
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dialects::parts::tests::assert_valid;

    pub(super) fn announced(topic: &str, said: &Value) -> Announcement {
        let announced = announce(topic, said.to_string().as_bytes());
        let announced = announced.unwrap().unwrap().remove(0);
        assert_valid(announced.description.as_ref().unwrap());
        announced
    }

    /// The topics of all forms, and where in the payload values are.
    pub(super) fn places(td: &Value, kind: &str) -> Value {
        let all = td[kind].as_object().unwrap().iter();
        let place = |(name, said): (&String, &Value)| {
            let form = &said["forms"][0];
            let topic = form["mqv:filter"].as_str().unwrap();
            let below = topic.rsplit_once('/').unwrap().1;
            let path = form["quartet:path"].as_str().unwrap_or_default();
            (name.clone(), format!("{below} {path}").into())
        };
        Value::Object(all.map(place).collect())
    }

    #[test]
    fn what_is_no_uplink_announces_nothing() {
        for topic in [
            "application/1/device/0101010101010101/event/join",
            "application/1/device/0101010101010101/command/down",
            "v3/app@tenant/devices/dev1/join",
            "v3/app@tenant/devices/dev1/down/push",
            "",
        ] {
            assert_eq!(announce(topic, b"{"), Ok(None), "{topic}");
        }
    }

    #[test]
    fn an_uplink_that_is_no_json_is_told_so() {
        let problem = announce("application/1/device/01/event/up", b"\x0a\x02").unwrap_err();
        assert!(
            problem
                .description
                .ends_with("the network server must be configured")
        );
    }

    #[test]
    fn what_earlier_uplinks_said_stays_known() {
        let uplink = |object: Value| {
            let said = json!({ "object": object });
            let announced = announced("application/1/device/01/event/up", &said);
            announced.description.unwrap()
        };
        let before = uplink(json!({ "a": 1, "b": "x", "c": true }));
        let now = uplink(json!({ "b": 2, "c": false, "d": 3 }));
        let all = learn(&before, &now);
        assert_valid(&all);
        let types = ["a", "b", "c", "d"].map(|name| all["properties"][name]["type"].clone());
        assert_eq!(
            types,
            [
                json!("number"),
                Value::Null,
                json!("boolean"),
                json!("number")
            ]
        );
        assert_eq!(learn(&all, &now), learn(&all, &now));
        assert_eq!(
            learn(&all, &uplink(json!({})))["properties"]["b"]["type"],
            Value::Null
        );
    }

    proptest! {
        #[test]
        fn whatever_comes_is_an_announcement_or_a_problem(
            payload in prop::collection::vec(any::<u8>(), 0..100),
            name in ".{0,12}",
            text in ".{0,12}",
        ) {
            let topics = ["application/1/device/x/event/up", "v3/a/devices/x/up"];
            for topic in topics {
                let _ = announce(topic, &payload);
                for said in [
                    json!({ "object": { &name: { &text: [1] } }, "deviceInfo": &text }),
                    json!({ "uplink_message": { "decoded_payload": { &name: &text } } }),
                ] {
                    let all = announce(topic, said.to_string().as_bytes());
                    if let Ok(Some(all)) = all {
                        assert_valid(all[0].description.as_ref().unwrap());
                    }
                }
            }
        }
    }
}
