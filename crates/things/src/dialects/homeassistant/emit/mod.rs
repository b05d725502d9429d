//! Elements announced to Home Assistant, entity by entity, so that versions that know nothing of
//! devices announced at once read them, too. To be published retained, and again when it says
//! `online` at its status topic.

mod entity; // which entity an affordance is
mod measure; // units and classes

use bytes::Bytes;
use quartet_model::{Address, Aspect, Kind, Said};
use serde_json::{Map, Value, json};

use crate::{
    CONNECTIVITY,
    announced::PART,
    dialects::{
        HOMEASSISTANT, ZIGBEE2MQTT,
        parts::{members, word},
    },
};

/// No element has more entities there.
const ENTITIES_MAX: usize = 512;

/// Whether Home Assistant says that it is there, and wants to know who else is.
pub fn is_birth(topic: &str, payload: &[u8]) -> bool {
    payload == b"online"
        && topic
            .strip_prefix(HOMEASSISTANT)
            .is_some_and(|rest| rest == "/status")
}

/// Whether Home Assistant is told something at this topic.
pub fn is_told(topic: &str) -> bool {
    topic
        .strip_prefix(HOMEASSISTANT)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// What Home Assistant is told of an element whose description changed: what is new, what is
/// different, and what is gone. `before` and `after` are descriptions as they are retained; with
/// nothing before, it is told of all.
///
/// It is told of things only, and not of those that announce themselves there.
pub fn tell(key: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> Vec<Said> {
    let all =
        |description: Option<&[u8]>| description.map_or_else(Vec::new, |td| announced(key, td));
    let (before, after) = (all(before), all(after));
    let is_new = |one: &&(String, String)| !before.contains(one);
    let told = after
        .iter()
        .filter(is_new)
        .map(|(topic, payload)| (topic.clone(), Bytes::from(payload.clone())));
    let gone = gone(&before, &after);
    let gone = gone.into_iter().map(|topic| (topic, Bytes::new()));
    let said = |(topic, payload): (String, Bytes)| Said::kept(topic, payload);
    told.chain(gone).map(said).collect()
}

fn announced(key: &str, description: &[u8]) -> Vec<(String, String)> {
    let Ok(address) = Address::read(key) else {
        return Vec::new();
    };
    let Ok(td) = serde_json::from_slice::<Value>(description) else {
        return Vec::new();
    };
    if address.kind != Kind::Thing || is_known_there(&td) {
        return Vec::new();
    }
    let connectivity = address.with(Aspect::Property(CONNECTIVITY));
    discovery(HOMEASSISTANT, &td, key, &connectivity.to_string())
}

/// Whether an element is described by those who announce their devices to Home Assistant, too.
fn is_known_there(td: &Value) -> bool {
    let part = td[PART].as_str().unwrap_or_default();
    let first = part.split('/').next().unwrap_or_default();
    [HOMEASSISTANT, ZIGBEE2MQTT].contains(&first)
}

/// The topics and payloads that announce an element: one for each affordance that Home Assistant has
/// an entity for. `key` is its address, `things/lamp`; at `availability_topic` its connectivity is
/// told.
fn discovery(
    prefix: &str,
    td: &Value,
    key: &str,
    availability_topic: &str,
) -> Vec<(String, String)> {
    let node = word(&key.replace('/', "_"));
    let common = common(td, key, &node, availability_topic);
    let entities = KINDS.into_iter().flat_map(|(kind, entity_of)| {
        let affordances = td[kind].as_object().into_iter().flatten();
        let reachable = affordances.filter(|(name, _)| is_level(name));
        reachable.filter_map(move |(name, said)| Some((kind, name, said, entity_of(name, said)?)))
    });
    let announced = entities.map(|(kind, name, said, (component, own))| {
        let object = word(name);
        let mut entity = common.clone();
        entity.insert("name".to_owned(), title(said).unwrap_or(name).into());
        let id = format!("quartet_{node}_{kind}_{object}");
        entity.insert("uniq_id".to_owned(), id.into());
        entity.extend(own);
        let topic = format!("{prefix}/{component}/{node}/{object}/config");
        (topic, Value::Object(entity).to_string())
    });
    announced.take(ENTITIES_MAX).collect()
}

/// The topics of entities that are there no more: an empty retained payload removes each.
fn gone(before: &[(String, String)], after: &[(String, String)]) -> Vec<String> {
    let stays: std::collections::BTreeSet<&str> =
        after.iter().map(|(topic, _)| topic.as_str()).collect();
    let topics = before.iter().map(|(topic, _)| topic);
    let gone = topics.filter(|topic| !stays.contains(topic.as_str()));
    gone.cloned().collect()
}

type EntityOf = fn(&str, &Value) -> Option<entity::Entity>;

const KINDS: [(&str, EntityOf); 3] = [
    ("properties", entity::property),
    ("actions", entity::action),
    ("events", entity::event),
];

/// Whether a name can be a level of a topic.
fn is_level(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| "/+#".contains(c) || c.is_control())
}

/// What all entities of an element say.
fn common(td: &Value, key: &str, node: &str, availability_topic: &str) -> Map<String, Value> {
    let mut device = json!({
        "ids": [format!("quartet_{node}")],
        "name": title(td).unwrap_or(key),
    });
    let details = &td["quartet:device"];
    for (member, word) in [
        ("manufacturer", "mf"),
        ("model", "mdl"),
        ("serialNumber", "sn"),
        ("hardwareVersion", "hw"),
        ("softwareVersion", "sw"),
    ] {
        if let Some(said) = details[member].as_str() {
            device[word] = said.into();
        }
    }
    members(json!({
        "~": key,
        "avty_t": availability_topic,
        "avty_tpl": THERE,
        "dev": device,
        "o": { "name": "Quartet", "sw": env!("CARGO_PKG_VERSION") },
    }))
}

/// One that sleeps is there: it takes what it is told when it wakes.
const THERE: &str = "{{ 'online' if value_json.state in ('online', 'asleep') else 'offline' }}";

fn title(said: &Value) -> Option<&str> {
    said["title"].as_str().filter(|title| !title.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dialects::{homeassistant::announce, parts::tests::assert_valid};

    pub(super) fn entities(td: &Value) -> Vec<(String, Value)> {
        let all = discovery(
            "homeassistant",
            td,
            "things/lamp",
            "things/lamp/properties/connectivity",
        );
        all.into_iter()
            .map(|(topic, payload)| {
                let announced = announce("homeassistant", &topic, payload.as_bytes());
                assert_valid(announced.unwrap().unwrap()[0].description.as_ref().unwrap());
                (topic, serde_json::from_str(&payload).unwrap())
            })
            .collect()
    }

    #[test]
    fn all_entities_say_what_they_belong_to() {
        let td = json!({
            "title": "Lamp", "quartet:device": { "manufacturer": "Acme", "model": "L" },
            "properties": { "on": { "type": "boolean", "title": "On" } },
        });
        let (topic, entity) = entities(&td).remove(0);
        assert_eq!(topic, "homeassistant/switch/things_lamp/on/config");
        assert_eq!(
            entity,
            json!({
                "~": "things/lamp", "name": "On", "uniq_id": "quartet_things_lamp_properties_on",
                "stat_t": "~/properties/on", "cmd_t": "~/properties/on/write",
                "pl_on": "true", "pl_off": "false",
                "avty_t": "things/lamp/properties/connectivity",
                "avty_tpl": THERE,
                "dev": { "ids": ["quartet_things_lamp"], "name": "Lamp", "mf": "Acme", "mdl": "L" },
                "o": { "name": "Quartet", "sw": env!("CARGO_PKG_VERSION") },
            })
        );
    }

    #[test]
    fn only_what_changed_is_told() {
        let td = |names: &[&str]| {
            let own = names
                .iter()
                .map(|name| ((*name).to_owned(), json!({ "type": "boolean" })));
            let properties: Map<String, Value> = own.collect();
            json!({ "title": "Lamp", "properties": properties }).to_string()
        };
        let (before, after) = (td(&["a", "b"]), td(&["b", "c"]));
        let told = tell(
            "things/lamp",
            Some(before.as_bytes()),
            Some(after.as_bytes()),
        );
        let told: Vec<_> = told
            .iter()
            .map(|said| (&*said.topic, said.payload.is_empty()))
            .collect();
        assert_eq!(
            told,
            [
                ("homeassistant/switch/things_lamp/c/config", false),
                ("homeassistant/switch/things_lamp/a/config", true),
            ]
        );
        assert_eq!(tell("things/lamp", None, Some(after.as_bytes())).len(), 2);
        assert_eq!(tell("places/lamp", None, Some(after.as_bytes())).len(), 0);
        assert_eq!(
            tell(
                "things/lamp",
                Some(after.as_bytes()),
                Some(after.as_bytes())
            )
            .len(),
            0
        );
    }

    #[test]
    fn what_announces_itself_there_is_not_announced_again() {
        for part in ["zigbee2mqtt", "homeassistant/sensor/0x01/power"] {
            let td = json!({ "title": "x", "quartet:part": part, "properties": { "on": { "type": "boolean" } } });
            assert!(tell("things/x", None, Some(td.to_string().as_bytes())).is_empty());
        }
    }

    #[test]
    fn what_is_there_no_more_is_gone() {
        let all = |names: &[&str]| {
            let own = names
                .iter()
                .map(|name| ((*name).to_owned(), json!({ "type": "boolean" })));
            let td = json!({ "properties": own.collect::<Map<String, Value>>() });
            discovery("ha", &td, "things/lamp", "x")
        };
        assert_eq!(
            gone(&all(&["a", "b"]), &all(&["b", "c"])),
            ["ha/switch/things_lamp/a/config"]
        );
    }

    proptest! {
        #[test]
        fn any_name_is_announced_in_a_topic_that_is_read(name in ".{1,40}", key in "things/[^+#/\u{0}]{1,40}") {
            let td = json!({ "title": "x", "events": { &name: {} }, "actions": { &name: {} } });
            let all = discovery("ha", &td, &key, "x");
            prop_assert_eq!(all.len(), if is_level(&name) { 2 } else { 0 });
            for (topic, payload) in all {
                let announced = announce("ha", &topic, payload.as_bytes());
                prop_assert!(announced.unwrap().is_some());
            }
        }
    }
}
