//! What elements are, report, are wanted to be and are asked to do: stories of a lamp.

mod commands; // what it is asked to do
mod crashes; // the same when the hub dies
mod described; // what it is
mod dialects; // devices that speak topics of their own
mod places; // who is in which place
mod presence; // whether it is there
mod sparkplug; // nodes that speak Sparkplug B
mod wanted; // what it is to be

use std::{collections::BTreeMap, time::Duration};

use quartet_fabric::mqtt::{Connect, Packet, Properties, Property, Publish};
use quartet_model::Qos;
use quartet_sim::{Client, Site, connect, publish, publish_at, subscribe};
use serde_json::{Value, json};

const Q0: Qos = Qos::AtMostOnce;
const Q1: Qos = Qos::AtLeastOnce;

/// What a lamp is.
fn lamp() -> Value {
    let forms = json!([{ "href": "coap://lamp.example/" }]);
    json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "title": "Lamp",
        "securityDefinitions": { "none": { "scheme": "nosec" } },
        "security": "none",
        "properties": {
            "on": { "type": "boolean", "forms": forms },
            "level": { "type": "integer", "minimum": 0, "maximum": 100, "forms": forms },
            "power": { "type": "number", "readOnly": true, "forms": forms },
        },
        "actions": {
            "fade": {
                "input": {
                    "type": "object",
                    "properties": { "to": { "type": "integer" } },
                    "required": ["to"],
                },
                "forms": forms,
            },
            "reset": { "forms": forms },
        },
        "events": { "hot": { "forms": forms } },
    })
}

/// A site where somebody who installs things has described a lamp.
fn with_lamp(site: &Site) -> Client {
    let installer = site.connected(connect("installer"));
    installer.send(publish_at(Q1, 1, "things/lamp", &lamp().to_string()));
    installer.messages();
    installer
}

fn lasting(client_id: &str) -> Connect {
    Connect {
        clean_start: false,
        properties: Properties::none().with(Property::SessionExpiryInterval(86_400)),
        ..connect(client_id)
    }
}

/// What somebody finds who comes now and asks for what matches: by topic.
fn found(site: &Site, filter: &str) -> BTreeMap<String, String> {
    let late = site.connected(connect("late"));
    late.send(subscribe(1, &[(filter, Q0)]));
    let messages = late.messages();
    messages
        .iter()
        .map(|message| (message.topic.to_string(), text(message)))
        .collect()
}

/// The same for one topic, as JSON; null if there is nothing.
fn at(site: &Site, topic: &str) -> Value {
    let found = found(site, topic);
    found.get(topic).map_or(Value::Null, |text| json(text))
}

fn text(message: &Publish) -> String {
    String::from_utf8_lossy(&message.payload).into_owned()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("`{text}` is no JSON"))
}

/// The same question, from somebody who wants an answer.
fn asking(message: Publish) -> Publish {
    let mut properties = Vec::new();
    Property::ResponseTopic("ana/answers".into()).write(&mut properties);
    Property::CorrelationData("7".into()).write(&mut properties);
    Publish {
        properties: properties.into(),
        ..message
    }
}

/// A message as (topic, payload).
fn pairs(messages: &[Publish]) -> Vec<(String, String)> {
    let pair = |message: &Publish| (message.topic.to_string(), text(message));
    messages.iter().map(pair).collect()
}

fn property<T>(message: &Publish, pick: impl Fn(&Property) -> Option<T>) -> Option<T> {
    Properties::of_wire(&message.properties).find(pick)
}

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}
