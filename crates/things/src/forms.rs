//! Forms: where and how each affordance of an element is reached on this hub, in every protocol.
//!
//! Four rules make the reference client work: the topic stands in the path of `href` as well as
//! in `mqv:topic` or `mqv:filter`; no wildcards; what can be read is retained; and server-sent
//! events have no names.

use quartet_model::{Address, Aspect};
use serde_json::{Map, Value, json};

use crate::{directory, presence};

/// Where the hub is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bases {
    /// `http://host:port`.
    pub http: String,
    /// `mqtt://host:port`, if there is such a listener.
    pub mqtt: Option<String>,
}

const JSON: &str = "application/json";

/// A description with the hub's forms added to its own. What a description must have and this
/// one has not is added, too. `None` if it is no description at all.
pub fn complete(description: &str, key: &str, bases: &Bases) -> Option<Value> {
    let mut td: Value = serde_json::from_str(description).ok()?;
    let address = Address::read(key).ok()?;
    let members = td.as_object_mut()?;
    let nosec = || json!({ "nosec_sc": { "scheme": "nosec" } });
    members
        .entry("@context")
        .or_insert_with(|| "https://www.w3.org/2022/wot/td/v1.1".into());
    if !members.contains_key("security") {
        members.insert("securityDefinitions".to_owned(), nosec());
        members.insert("security".to_owned(), "nosec_sc".into());
    }
    if key == directory::KEY {
        // Its forms are the Recommendation's; relative to where the hub is.
        members.insert("base".to_owned(), bases.http.clone().into());
        return Some(td);
    }
    let properties = members.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut() {
        properties
            .entry(presence::PROPERTY)
            .or_insert_with(presence::describe);
    }
    each(members, "properties", |name, property| {
        let is = |flag: &str| property.get(flag) == Some(&Value::Bool(true));
        bases.of_property(address, name, !is("writeOnly"), !is("readOnly"))
    });
    each(members, "actions", |name, _| bases.of_action(address, name));
    each(members, "events", |name, _| bases.of_event(address, name));
    let all = bases.of_all(address);
    let has = |kind: &str| {
        members
            .get(kind)
            .and_then(Value::as_object)
            .is_some_and(|all| !all.is_empty())
    };
    let (has_properties, has_actions) = (has("properties"), has("actions"));
    let all = all.into_iter().filter(|(is_of_properties, _)| {
        if *is_of_properties {
            has_properties
        } else {
            has_actions
        }
    });
    let all: Vec<Value> = all.map(|(_, form)| form).collect();
    if !all.is_empty() {
        add(members, all);
    }
    Some(td)
}

fn each(
    members: &mut Map<String, Value>,
    kind: &str,
    forms: impl Fn(&str, &Map<String, Value>) -> Vec<Value>,
) {
    let affordances = members.get_mut(kind).and_then(Value::as_object_mut);
    for (name, affordance) in affordances.into_iter().flatten() {
        if let Some(affordance) = affordance.as_object_mut() {
            let forms = forms(name, affordance);
            add(affordance, forms);
        }
    }
}

fn add(to: &mut Map<String, Value>, forms: Vec<Value>) {
    match to
        .entry("forms")
        .or_insert_with(|| Value::Array(Vec::new()))
    {
        Value::Array(there) => there.extend(forms),
        other => *other = forms.into(),
    }
}

impl Bases {
    fn api(&self, address: Address<'_>) -> String {
        format!("{}/api/{}", self.http, path(&address.to_string()))
    }

    fn of_property(
        &self,
        address: Address<'_>,
        name: &str,
        is_readable: bool,
        is_writable: bool,
    ) -> Vec<Value> {
        let here = address.with(Aspect::Property(name));
        let href = self.api(here);
        let mut forms = Vec::new();
        if is_readable {
            forms.push(json!({ "href": href, "contentType": JSON, "op": "readproperty" }));
            forms.push(json!({
                "href": format!("{href}/observe"), "contentType": JSON, "subprotocol": "sse",
                "op": ["observeproperty", "unobserveproperty"],
            }));
        }
        if is_writable {
            forms.push(json!({
                "href": href, "contentType": JSON, "op": "writeproperty", "htv:methodName": "PUT",
            }));
        }
        let Some(mqtt) = &self.mqtt else {
            return forms;
        };
        if is_readable {
            forms.push(json!({
                "href": format!("{mqtt}/{}", path(&here.to_string())), "contentType": JSON,
                "mqv:controlPacket": "subscribe", "mqv:filter": here.to_string(), "mqv:retain": true,
                "op": ["readproperty", "observeproperty", "unobserveproperty"],
            }));
        }
        if is_writable {
            let topic = address.with(Aspect::Write(name)).to_string();
            forms.push(json!({
                "href": format!("{mqtt}/{}", path(&topic)), "contentType": JSON,
                "mqv:controlPacket": "publish", "mqv:topic": topic, "mqv:qos": "1",
                "op": "writeproperty",
            }));
        }
        forms
    }

    fn of_action(&self, address: Address<'_>, name: &str) -> Vec<Value> {
        let topic = address.with(Aspect::Action(name));
        let mut forms = vec![json!({
            "href": self.api(topic), "contentType": JSON, "op": "invokeaction",
            "htv:methodName": "POST",
        })];
        if let Some(mqtt) = &self.mqtt {
            let topic = topic.to_string();
            forms.push(json!({
                "href": format!("{mqtt}/{}", path(&topic)), "contentType": JSON,
                "mqv:controlPacket": "publish", "mqv:topic": topic, "mqv:qos": "1",
                "op": "invokeaction",
            }));
        }
        forms
    }

    fn of_event(&self, address: Address<'_>, name: &str) -> Vec<Value> {
        let topic = address.with(Aspect::Event(name));
        let op = ["subscribeevent", "unsubscribeevent"];
        let mut forms = vec![json!({
            "href": self.api(topic), "contentType": JSON, "subprotocol": "sse", "op": op,
        })];
        if let Some(mqtt) = &self.mqtt {
            let topic = topic.to_string();
            forms.push(json!({
                "href": format!("{mqtt}/{}", path(&topic)), "contentType": JSON,
                "mqv:controlPacket": "subscribe", "mqv:filter": topic, "op": op,
            }));
        }
        forms
    }

    /// Forms of the whole element, with whether they are of its properties.
    fn of_all(&self, address: Address<'_>) -> Vec<(bool, Value)> {
        let element = self.api(address.with(Aspect::Description));
        let properties = format!("{element}/properties");
        vec![
            (
                true,
                json!({
                    "href": properties, "contentType": JSON,
                    "op": ["readallproperties", "readmultipleproperties"], "htv:methodName": "GET",
                }),
            ),
            (
                true,
                json!({
                    "href": properties, "contentType": JSON, "op": "writemultipleproperties",
                    "htv:methodName": "PUT",
                }),
            ),
            (
                false,
                json!({
                    "href": format!("{element}/actions"), "contentType": JSON,
                    "op": "queryallactions", "htv:methodName": "GET",
                }),
            ),
        ]
    }
}

/// A topic as the path of a URI.
fn path(topic: &str) -> String {
    let mut path = String::with_capacity(topic.len());
    for byte in topic.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'/'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b':'
            | b'@' => {
                path.push(byte.into());
            }
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::td::{Description, Interner};

    fn bases() -> Bases {
        Bases {
            http: "http://127.0.0.1:8080".to_owned(),
            mqtt: Some("mqtt://127.0.0.1:1883".to_owned()),
        }
    }

    #[test]
    fn what_the_hub_says_of_itself_is_a_valid_description() {
        for (key, description) in [
            crate::computer::describe("Reception"),
            crate::directory::describe("Reception"),
        ] {
            let complete = complete(&description.to_string(), key, &bases()).unwrap();
            let valid = Description::parse(complete.to_string(), &mut Interner::default());
            assert!(valid.is_ok(), "{key}: {}", valid.unwrap_err());
        }
    }

    #[test]
    fn each_affordance_can_be_reached_and_keeps_its_own_forms() {
        let lamp = json!({
            "title": "Lamp",
            "properties": {
                "on": { "type": "boolean", "forms": [{ "href": "coap://lamp/on" }] },
                "level": { "type": "number", "readOnly": true },
            },
            "actions": { "fade": {} },
            "events": { "hot": {} },
        });
        let lamp = complete(&lamp.to_string(), "things/lamp", &bases()).unwrap();
        let hrefs = |place: &str| -> Vec<String> {
            let forms = lamp.pointer(place).unwrap().as_array().unwrap().iter();
            forms
                .map(|form| form["href"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            hrefs("/properties/on/forms"),
            [
                "coap://lamp/on",
                "http://127.0.0.1:8080/api/things/lamp/properties/on",
                "http://127.0.0.1:8080/api/things/lamp/properties/on/observe",
                "http://127.0.0.1:8080/api/things/lamp/properties/on",
                "mqtt://127.0.0.1:1883/things/lamp/properties/on",
                "mqtt://127.0.0.1:1883/things/lamp/properties/on/write",
            ]
        );
        assert_eq!(hrefs("/properties/level/forms").len(), 3);
        assert_eq!(hrefs("/actions/fade/forms").len(), 2);
        assert_eq!(hrefs("/events/hot/forms").len(), 2);
        assert_eq!(hrefs("/forms").len(), 3);
        let valid = Description::parse(lamp.to_string(), &mut Interner::default());
        assert!(valid.is_ok(), "{}", valid.unwrap_err());
    }

    #[test]
    fn a_path_has_nothing_that_a_uri_has_not() {
        assert_eq!(
            path("things/urn:a%2Fb/properties/é ?"),
            "things/urn:a%252Fb/properties/%C3%A9%20%3F"
        );
    }
}
