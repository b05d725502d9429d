//! Homie 5: devices that describe themselves at `{domain}/5/{device}/$description`
//! [Homie convention 5.0.0, "Topology"].
//!
//! A property is one of the description; what is not retained happens, and is an event; what is not
//! retained, but set, is an action, too. Beside the words of the frame, a property has
//! `quartet:target`: where the device tells what it is on the way to (`$target`).

mod schema; // what values a property has

use serde_json::{Map, Value, json};

use super::{Announcement, homeassistant::unit, parts};
use crate::td::{Problem, excerpt};

/// No description is longer.
const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// No device has more properties.
const PROPERTIES_MAX: usize = 4096;
/// What a payload says for a text that is empty, as an empty payload says nothing.
const EMPTY: &str = "\0";

/// What a message announces: `None` if its topic is not that of a device's description.
pub fn announce(topic: &str, payload: &[u8]) -> Result<Option<Vec<Announcement>>, Problem> {
    let Some(place) = Place::read(topic) else {
        return Ok(None);
    };
    let description = match payload {
        [] => None,
        payload => Some(place.describe(payload)?),
    };
    Ok(Some(vec![Announcement {
        key: place.key(place.device),
        part: format!("homie/{}", place.domain),
        description,
    }]))
}

/// What the topic of a description says.
struct Place<'t> {
    domain: &'t str,
    device: &'t str,
}

impl<'t> Place<'t> {
    fn read(topic: &'t str) -> Option<Self> {
        let mut levels = topic.strip_suffix("/$description")?.split('/');
        let (domain, version, device) = (levels.next()?, levels.next()?, levels.next()?);
        let is_whole = levels.next().is_none() && version == "5";
        let is_domain = !domain.is_empty() && domain.len() <= 128;
        (is_whole && is_domain && is_id(device)).then_some(Self { domain, device })
    }

    /// Devices of other domains than the usual one may have the same identifiers.
    fn key(&self, device: &str) -> String {
        match self.domain {
            "homie" => parts::thing_key(device),
            domain => parts::thing_key(&format!("{domain}-{device}")),
        }
    }

    fn topic(&self, below: &str) -> String {
        format!("{}/5/{}/{below}", self.domain, self.device)
    }

    fn describe(&self, payload: &[u8]) -> Result<Value, Problem> {
        let said = read(payload)?;
        let version = said["homie"].as_str().unwrap_or_default();
        if version.split('.').next() != Some("5") {
            let what = format!(
                "is {}; must be a version such as \"5.0\"",
                excerpt(&said["homie"])
            );
            return Err(Problem::new("homie", what));
        }
        let mut affordances = Affordances::default();
        for (node, said) in object(&said, "nodes", "nodes")? {
            let field = format!("nodes.{node}.properties");
            for (property, said) in object(said, "properties", &field)? {
                let field = format!("{field}.{property}");
                if !is_id(node) || !is_id(property) {
                    let what = "is no identifier; must be of letters, digits and dashes";
                    return Err(Problem::new(field, what));
                }
                if affordances.count == PROPERTIES_MAX {
                    let what =
                        format!("has too many properties; at most {PROPERTIES_MAX} are taken");
                    return Err(Problem::new("nodes", what));
                }
                affordances.count += 1;
                let topic = self.topic(&format!("{node}/{property}"));
                affordances.add(&format!("{node}_{property}"), &topic, said, &field)?;
            }
        }
        let mut part = affordances.into_part();
        let state = json!([{
            "href": parts::href(&self.topic("$state")), "mqv:filter": self.topic("$state"),
            "contentType": "text/plain", "quartet:mode": "all", "quartet:values": {
                "init": "online", "ready": "online", "sleeping": "asleep", "disconnected": "asleep",
                "lost": "lost",
            },
        }]);
        part.insert("quartet:availability".to_owned(), state);
        // A lost root loses its children: [Homie 5.0.0, "Device Lifecycle"].
        let above = ["parent", "root"].map(|member| said[member].as_str());
        if let Some(above) = above.into_iter().flatten().find(|above| is_id(above)) {
            let link = parts::controlled_by(&self.key(above));
            part.insert("links".to_owned(), json!([link]));
        }
        if let Some(kind) = said["type"].as_str() {
            part.insert("quartet:deviceClass".to_owned(), kind.into());
        }
        let title = said["name"].as_str().filter(|name| !name.is_empty());
        let title = parts::title(title.unwrap_or(self.device));
        Ok(parts::complete(part, &title))
    }
}

fn is_id(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= 128 && text.bytes().all(is_allowed)
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
        Ok(other) => wrong(format!("is {}; must be an object", excerpt(&other))),
        Err(error) => wrong(format!("is no JSON ({error}); must be an object, or empty")),
    }
}

/// The members of a member, if it is there.
fn object<'a>(
    said: &'a Value,
    member: &str,
    field: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, Problem> {
    match said.get(member) {
        None | Some(Value::Null) => Ok(None.into_iter().flatten()),
        Some(Value::Object(members)) => Ok(Some(members).into_iter().flatten()),
        Some(other) => {
            let what = format!("is {}; must be an object", excerpt(other));
            Err(Problem::new(field, what))
        }
    }
}

#[derive(Default)]
struct Affordances {
    count: usize,
    properties: Map<String, Value>,
    actions: Map<String, Value>,
    events: Map<String, Value>,
}

impl Affordances {
    fn add(&mut self, name: &str, topic: &str, said: &Value, field: &str) -> Result<(), Problem> {
        let (mut schema, content) = schema::read(said, field)?;
        if let Some(text) = said["unit"].as_str().filter(|unit| !unit.is_empty()) {
            schema.insert("unit".to_owned(), unit(text).into());
        }
        let title = said["name"].as_str().filter(|name| !name.is_empty());
        let title = parts::title(title.unwrap_or(name));
        let name = parts::affordance_name(name);
        let with_words = |mut form: Map<String, Value>| {
            if said["datatype"] == "string" {
                form.insert("quartet:values".to_owned(), json!({ EMPTY: "" }));
            }
            form
        };
        let set = format!("{topic}/set");
        let is_settable = said["settable"] == true;
        if said["retained"] == false {
            let form = with_words(parts::emitted(topic, content));
            let event = json!({ "title": title, "data": schema, "forms": [form] });
            self.events.insert(name.clone(), event);
            if is_settable {
                let form = with_words(parts::told(&set, "invokeaction", content));
                let action = json!({ "title": title, "input": schema, "forms": [form] });
                self.actions.insert(name, action);
            }
            return Ok(());
        }
        let mut property = schema;
        property.insert("title".to_owned(), title.into());
        property.insert("observable".to_owned(), true.into());
        let mut forms = vec![with_words(parts::reported(topic, content))];
        if is_settable {
            forms.push(with_words(parts::told(&set, "writeproperty", content)));
            let target = format!("{topic}/$target");
            let mut target = with_words(parts::reported(&target, content));
            target.remove("op");
            property.insert("quartet:target".to_owned(), target.into());
        } else {
            property.insert("readOnly".to_owned(), true.into());
        }
        property.insert("forms".to_owned(), json!(forms));
        self.properties.insert(name, property.into());
        Ok(())
    }

    fn into_part(self) -> Map<String, Value> {
        let kinds = [
            ("properties", self.properties),
            ("actions", self.actions),
            ("events", self.events),
        ];
        let said = kinds.into_iter().filter(|(_, all)| !all.is_empty());
        said.map(|(kind, all)| (kind.to_owned(), all.into()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dialects::parts::tests::assert_valid;

    fn announced(topic: &str, payload: &str) -> Announcement {
        let mut announced = announce(topic, payload.as_bytes()).unwrap().unwrap();
        assert_eq!(announced.len(), 1);
        announced.remove(0)
    }

    /// What `ebus-sdk` says [tests/recorded/homie.jsonl].
    fn recorded() -> Vec<(String, String)> {
        let lines = include_str!("../../../tests/recorded/homie.jsonl").lines();
        let said = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
        said.map(|said| {
            let text = |member: &str| said[member].as_str().unwrap_or_default().to_owned();
            (text("topic"), text("text"))
        })
        .collect()
    }

    #[test]
    fn what_devices_said_is_valid_and_all_that_they_said_has_a_form() {
        let mut filters = Vec::new();
        let mut count = 0;
        for (topic, text) in recorded() {
            if let Some(announced) = announce(&topic, text.as_bytes()).unwrap() {
                count += 1;
                let td = announced[0].description.clone().unwrap();
                assert_valid(&td);
                filters.push(td.to_string());
            }
        }
        assert_eq!(count, 12);
        for (topic, _) in recorded() {
            let quoted = Value::from(topic.clone()).to_string();
            let is_there = filters.iter().any(|td| td.contains(&quoted));
            assert!(is_there || topic.ends_with("$description"), "{topic}");
        }
    }

    #[test]
    fn a_property_has_its_topics_and_its_values() {
        let (topic, text) = recorded().remove(0);
        let lamp = announced(&topic, &text);
        assert_eq!((&*lamp.key, &*lamp.part), ("things/lamp-1", "homie/homie"));
        let td = lamp.description.unwrap();
        let at = "homie/5/lamp-1/light/level";
        assert_eq!(
            td["properties"]["light_level"],
            json!({
                "title": "Level", "type": "integer", "minimum": 0, "maximum": 100, "multipleOf": 5,
                "unit": "%", "observable": true,
                "forms": [
                    {
                        "href": format!("mqtt:///{at}"), "op": ["readproperty", "observeproperty"],
                        "mqv:filter": at, "contentType": "text/plain",
                    },
                    {
                        "href": format!("mqtt:///{at}/set"), "op": "writeproperty",
                        "mqv:topic": format!("{at}/set"), "contentType": "text/plain",
                    },
                ],
                "quartet:target": {
                    "href": format!("mqtt:///{at}/%24target"), "mqv:filter": format!("{at}/$target"),
                    "contentType": "text/plain",
                },
            })
        );
        assert_eq!(
            td["properties"]["light_mode"]["enum"],
            json!(["steady", "blink", "off"])
        );
        assert_eq!(td["properties"]["light_power"]["readOnly"], true);
        let scene = &td["properties"]["light_scene"];
        assert_eq!(scene["properties"]["name"]["type"], "string");
        assert_eq!(scene["forms"][0]["contentType"], "application/json");
        assert_eq!(td["events"]["light_pressed"]["data"]["type"], "string");
        let label = &td["properties"]["light_label"]["forms"][0];
        assert_eq!(label["quartet:values"], json!({ "\0": "" }));
        assert_eq!(
            td["quartet:availability"][0]["quartet:values"]["lost"],
            "lost"
        );
    }

    #[test]
    fn a_child_is_lost_with_what_it_is_reached_through() {
        let said = recorded().into_iter();
        let mut children = said.filter(|(topic, _)| topic == "ebus/5/board-1-up/$description");
        let (topic, text) = children.next().unwrap();
        let child = announced(&topic, &text);
        assert_eq!(child.key, "things/ebus-board-1-up");
        assert_eq!(
            child.description.unwrap()["links"],
            json!([{ "rel": "controlledBy", "href": "urn:quartet:things:ebus-board-1" }])
        );
    }

    #[test]
    fn an_empty_description_says_that_the_device_is_gone() {
        let gone = announced("homie/5/lamp/$description", "");
        assert_eq!((&*gone.key, gone.description), ("things/lamp", None));
        for topic in [
            "homie/5/lamp/$state",
            "homie/4/lamp/$description",
            "a/b/5/c/$description",
            "",
        ] {
            assert_eq!(announce(topic, b"{"), Ok(None), "{topic}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        let check = |said: Value, expected: &str| {
            let problem = announce("homie/5/a/$description", said.to_string().as_bytes());
            assert_eq!(problem.unwrap_err().to_string(), expected);
        };
        let of = |property: Value| json!({ "homie": "5.0", "nodes": { "n": { "properties": { "p": property } } } });
        check(
            json!({ "homie": "4.0" }),
            "homie: is \"4.0\"; must be a version such as \"5.0\"",
        );
        check(
            of(json!({ "datatype": "integer", "format": "much" })),
            "nodes.n.properties.p.format: is \"much\"; must be a range such as `0:100:5`, each part optional",
        );
        check(
            of(json!({ "datatype": "enum" })),
            "nodes.n.properties.p.format: is null; must be the values with commas between, such as `low,high`",
        );
        check(
            json!({ "homie": "5.0", "nodes": 5 }),
            "nodes: is 5; must be an object",
        );
    }

    proptest! {
        #[test]
        fn whatever_comes_is_valid_or_a_problem(
            datatype in "integer|float|enum|color|json|boolean|x",
            format in "[0-9:.,a-z{}\"-]{0,16}",
            settable in any::<bool>(),
            retained in any::<bool>(),
            payload in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let topic = "homie/5/a/$description";
            let _ = announce(topic, &payload);
            let said = json!({ "homie": "5.0", "nodes": { "n": { "properties": { "p": {
                "datatype": datatype, "format": format, "settable": settable, "retained": retained,
            }}}}});
            if let Ok(Some(announced)) = announce(topic, said.to_string().as_bytes()) {
                assert_valid(announced[0].description.as_ref().unwrap());
            }
        }
    }
}
