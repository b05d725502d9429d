//! What is announced in Home Assistant's words as parts of descriptions.
//!
//! A device is announced entity by entity, `{prefix}/{component}/[{node}/]{object}/config`, or all
//! at once, `{prefix}/device/{id}/config` [Home Assistant, "MQTT discovery"]. Of the latter, all is
//! one part, so that the next message takes the place of all that the last one said.

use serde_json::{Map, Value, json};

use super::{
    abbreviations::expand,
    config::Config,
    device::{self, Device},
    entity::Entity,
    place::Place,
    platforms,
};
use crate::{
    dialects::{Announcement, parts},
    td::Problem,
};

/// No announcement is longer.
const PAYLOAD_BYTES_MAX: usize = 1 << 18;
/// No device has more entities.
const COMPONENTS_MAX: usize = 256;
/// What a device says once for all of its entities, beside where it says that it is there.
const SHARED: [&str; 4] = ["command_topic", "encoding", "qos", "state_topic"];

/// What a message below the prefix announces: `None` if its topic is no discovery topic or it only
/// prepares another announcement.
///
/// When a part is gone, only its topic is known: `key` is empty, and whichever element has the part
/// loses it; parts are unique over all elements.
pub fn announce(
    prefix: &str,
    topic: &str,
    payload: &[u8],
) -> Result<Option<Vec<Announcement>>, Problem> {
    let Some(place) = Place::read(prefix, topic) else {
        return Ok(None);
    };
    if payload.is_empty() {
        return Ok(Some(vec![Announcement {
            key: String::new(),
            part: place.part(),
            description: None,
        }]));
    }
    let message = read(payload)?;
    if message.get("migrate_discovery") == Some(&Value::Bool(true)) {
        return Ok(None);
    }
    let device = Device::read(&message)?;
    let (mut part, title) = if place.component == "device" {
        of_device(&place, &device, &message)?
    } else if platforms::is_known(place.component) {
        of_entity(&place, &device, &message, "")?
    } else {
        let what = format!(
            "names the component `{}`; must be one that Home Assistant has, such as `sensor`",
            place.component
        );
        return Err(Problem::new("topic", what));
    };
    device.add_to(&mut part);
    let title = device.title.as_ref().unwrap_or(&title);
    let description = parts::complete(part, title);
    Ok(Some(vec![Announcement {
        key: device.key.unwrap_or_else(|| place.key(&message)),
        part: place.part(),
        description: Some(description),
    }]))
}

fn read(payload: &[u8]) -> Result<Map<String, Value>, Problem> {
    let wrong = |what: String| Err(Problem::new("(root)", what));
    if PAYLOAD_BYTES_MAX < payload.len() {
        let len = payload.len();
        return wrong(format!(
            "has {len} bytes; at most {PAYLOAD_BYTES_MAX} are taken"
        ));
    }
    match serde_json::from_slice(payload) {
        Ok(Value::Object(message)) => Ok(expand(message)),
        Ok(other) => {
            let said = crate::td::excerpt(&other);
            wrong(format!("is {said}; must be an object"))
        }
        Err(error) => wrong(format!("is no JSON ({error}); must be an object, or empty")),
    }
}

/// What an entity has, and what it is called.
fn of_entity(
    place: &Place<'_>,
    device: &Device,
    message: &Map<String, Value>,
    prefix: &str,
) -> Result<(Map<String, Value>, String), Problem> {
    let config = Config::new(message, prefix);
    let name = parts::affordance_name(place.name(device));
    let said = config.text("name")?.filter(|said| !said.is_empty());
    let title = match (said, &device.title) {
        (Some(said), _) => parts::title(&said),
        (None, Some(title)) => title.clone(),
        (None, None) => place.object.to_owned(),
    };
    let mut entity = Entity::new(config, name, title.clone());
    platforms::describe(place.component, &mut entity)?;
    let mut part = entity.into_part();
    add_presence(&mut part, config)?;
    Ok((part, title))
}

/// Where it is told that it is there, and how often it is heard.
fn add_presence(part: &mut Map<String, Value>, config: Config<'_>) -> Result<(), Problem> {
    let availability = device::availability(config)?;
    if !availability.is_empty() {
        part.insert("quartet:availability".to_owned(), json!(availability));
    }
    if let Some(seconds) = config.number("expire_after")?
        && seconds.as_f64().is_some_and(|seconds| 0.0 < seconds)
    {
        part.insert("quartet:expectedInterval".to_owned(), seconds);
    }
    Ok(())
}

/// What all entities of a device have, and what it is called.
fn of_device(
    place: &Place<'_>,
    device: &Device,
    message: &Map<String, Value>,
) -> Result<(Map<String, Value>, String), Problem> {
    let wrong = |field: String, what: &str| Err(Problem::new(field, what));
    let components = match message.get("components") {
        Some(Value::Object(components)) if components.len() <= COMPONENTS_MAX => components,
        _ => {
            let what = "must be an object with at most 256 components, each with its `platform`";
            return wrong("components".to_owned(), what);
        }
    };
    let shared = SHARED
        .iter()
        .filter_map(|name| Some((*name, message.get(*name)?)));
    let shared: Vec<(&str, &Value)> = shared.collect();
    let mut all = Map::new();
    add_presence(&mut all, Config::new(message, ""))?;
    let mut described = vec![all.into()];
    for (object, said) in components {
        let field = format!("components.{object}");
        let Value::Object(said) = said else {
            return wrong(field, "must be an object with its `platform`");
        };
        let mut said = expand(said.clone());
        let Some(Value::String(component)) = said.remove("platform") else {
            return wrong(
                format!("{field}.platform"),
                "must be a component such as `sensor`",
            );
        };
        // What has nothing but its platform is gone; what is not known may be of a later version.
        if said.is_empty() || !platforms::is_known(&component) {
            continue;
        }
        for (name, value) in &shared {
            said.entry(*name).or_insert_with(|| (*value).clone());
        }
        let component = Place {
            component: &component,
            node: place.node,
            object,
        };
        let (part, _) = of_entity(&component, device, &said, &format!("{field}."))?;
        described.push(part.into());
    }
    let mut part = parts::members(parts::join(&described));
    part.remove("title");
    Ok((part, place.object.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dialects::parts::tests::assert_valid;

    fn announced(topic: &str, message: &Value) -> Announcement {
        let announced = announce("homeassistant", topic, message.to_string().as_bytes());
        let mut announced = announced.unwrap().unwrap();
        assert_eq!(announced.len(), 1);
        let announced = announced.remove(0);
        assert_valid(announced.description.as_ref().unwrap());
        announced
    }

    fn check_problem(topic: &str, message: &str, expected: &str) {
        let problem = announce("homeassistant", topic, message.as_bytes()).unwrap_err();
        assert_eq!(problem.to_string(), expected, "{message}");
    }

    #[test]
    fn an_entity_becomes_a_part_of_its_device() {
        let message = json!({
            "~": "zigbee2mqtt/plug", "name": "Power", "stat_t": "~", "uniq_id": "0x01_power",
            "val_tpl": "{{ value_json.power }}", "dev_cla": "power", "stat_cla": "measurement",
            "unit_of_meas": "W", "exp_aft": 600, "avty_mode": "all",
            "avty": [
                { "t": "zigbee2mqtt/bridge/state", "val_tpl": "{{ value_json.state }}" },
                { "t": "~/availability" },
            ],
            "dev": {
                "ids": ["0x01"], "name": "Plug", "mf": "Acme", "mdl": "P 1", "sw": "2",
                "via_device": "bridge", "cu": "http://plug.local",
            },
        });
        let announced = announced("homeassistant/sensor/0x01/power/config", &message);
        assert_eq!(announced.key, "things/0x01");
        assert_eq!(announced.part, "homeassistant/sensor/0x01/power");
        let values = json!({ "online": true, "offline": false });
        assert_eq!(
            announced.description.unwrap(),
            json!({
                "@context": "https://www.w3.org/2022/wot/td/v1.1",
                "title": "Plug",
                "securityDefinitions": { "nosec_sc": { "scheme": "nosec" } },
                "security": "nosec_sc",
                "properties": {
                    "power": {
                        "title": "Power", "type": "number", "unit": "W", "readOnly": true,
                        "observable": true, "quartet:deviceClass": "power",
                        "quartet:stateClass": "measurement",
                        "forms": [{
                            "href": "mqtt:///zigbee2mqtt/plug",
                            "op": ["readproperty", "observeproperty"],
                            "mqv:filter": "zigbee2mqtt/plug", "contentType": "application/json",
                            "quartet:path": "/power",
                        }],
                    },
                },
                "quartet:availability": [
                    {
                        "href": "mqtt:///zigbee2mqtt/bridge/state",
                        "mqv:filter": "zigbee2mqtt/bridge/state",
                        "contentType": "application/json", "quartet:path": "/state",
                        "quartet:values": values, "quartet:mode": "all",
                    },
                    {
                        "href": "mqtt:///zigbee2mqtt/plug/availability",
                        "mqv:filter": "zigbee2mqtt/plug/availability",
                        "contentType": "text/plain",
                        "quartet:values": values, "quartet:mode": "all",
                    },
                ],
                "quartet:expectedInterval": 600,
                "quartet:device": { "manufacturer": "Acme", "model": "P 1", "softwareVersion": "2" },
                "links": [
                    { "rel": "controlledBy", "href": "urn:quartet:things:bridge" },
                    { "rel": "related", "href": "http://plug.local" },
                ],
            })
        );
    }

    #[test]
    fn a_device_may_announce_all_of_its_entities_at_once() {
        let message = json!({
            "dev": { "ids": "lamp 1", "name": "Lamp" }, "o": { "name": "acme" },
            "state_topic": "lamp", "availability_topic": "lamp/there",
            "cmps": {
                "on": { "p": "switch", "cmd_t": "lamp/set", "val_tpl": "{{ value_json.on }}" },
                "power": { "p": "sensor", "unit_of_meas": "W", "val_tpl": "{{ value_json.power }}" },
                "gone": { "p": "sensor" },
                "later": { "p": "hologram", "stat_t": "x" },
            },
        });
        let announced = announced("homeassistant/device/lamp1/config", &message);
        assert_eq!(announced.part, "homeassistant/device/lamp1");
        assert!(
            announced.key.starts_with("things/lamp_1_"),
            "{}",
            announced.key
        );
        let td = announced.description.unwrap();
        let names: Vec<&String> = td["properties"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["on", "power"]);
        assert_eq!(td["properties"]["on"]["forms"][0]["mqv:filter"], "lamp");
        assert_eq!(td["quartet:availability"].as_array().unwrap().len(), 1);
        assert_eq!(td["title"], "Lamp");
    }

    #[test]
    fn an_empty_message_says_that_the_part_is_gone() {
        let gone = announce(
            "homeassistant",
            "homeassistant/sensor/0x01/power/config",
            b"",
        );
        let expected = Announcement {
            key: String::new(),
            part: "homeassistant/sensor/0x01/power".to_owned(),
            description: None,
        };
        assert_eq!(gone, Ok(Some(vec![expected])));
    }

    #[test]
    fn what_is_no_discovery_topic_announces_nothing() {
        for topic in [
            "homeassistant/status",
            "homeassistant/sensor/config",
            "homeassistant/sensor/a/b/c/config",
            "homeassistant/sensor/a b/config",
            "homeassistant/sensor/a/state",
            "ha/sensor/a/config",
            "",
        ] {
            assert_eq!(announce("homeassistant", topic, b"{"), Ok(None), "{topic}");
        }
        let moving = announce("ha", "ha/sensor/a/config", br#"{"migr_discvry":true}"#);
        assert_eq!(moving, Ok(None));
    }

    #[test]
    fn an_entity_without_a_device_stands_for_itself() {
        let key = |message: Value| announced("homeassistant/switch/a/b/config", &message).key;
        assert_eq!(key(json!({ "cmd_t": "x", "uniq_id": "u1" })), "things/u1");
        assert_eq!(key(json!({ "cmd_t": "x" })), "things/a_b");
        let device = json!({ "cns": [["mac", "02:5b:26:a8:dc:12"]] });
        assert_eq!(
            key(json!({ "cmd_t": "x", "dev": device })),
            "things/mac-025b26a8dc12"
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        let sensor = "homeassistant/sensor/a/config";
        check_problem(sensor, "[]", "(root): is an array; must be an object");
        check_problem(
            sensor,
            r#"{"stat_t":"a/#/b"}"#,
            "state_topic: is \"a/#/b\"; must be a topic such as home/lamp/state",
        );
        check_problem(
            sensor,
            r#"{"dev":{"name":"x"}}"#,
            "device.identifiers: says nothing; a device must have `identifiers` or `connections`",
        );
        check_problem(
            sensor,
            r#"{"avty_mode":"some"}"#,
            "availability_mode: is `some`; must be `all`, `any` or `latest`",
        );
        check_problem(
            "homeassistant/hologram/a/config",
            "{}",
            "topic: names the component `hologram`; must be one that Home Assistant has, such as `sensor`",
        );
        check_problem(
            "homeassistant/device/a/config",
            r#"{"cmps":{"b":{"stat_t":"x"}}}"#,
            "components.b.platform: must be a component such as `sensor`",
        );
    }

    proptest! {
        #[test]
        fn whatever_comes_is_an_announcement_or_a_problem(
            topic in "homeassistant/(sensor|device|light|a)/[a-z/]{0,8}/config",
            payload in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = announce("homeassistant", &topic, &payload);
        }
    }
}
