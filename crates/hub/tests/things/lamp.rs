use std::thread;

use rumqttc::v5::{
    Client, Event, MqttOptions,
    mqttbytes::{
        QoS,
        v5::{Packet, Publish},
    },
};
use serde_json::{Value, json};

use crate::support::{Hub, http};

/// The identifier of the lamp's description.
pub(super) const LAMP: &str = "urn:quartet:things:lamp";

/// What the lamp is.
pub(super) fn description() -> Value {
    let forms = json!([{ "href": "coap://lamp.example/" }]);
    json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "id": LAMP,
        "title": "Lamp",
        "securityDefinitions": { "none": { "scheme": "nosec" } },
        "security": "none",
        "properties": {
            "on": { "type": "boolean", "observable": true, "forms": forms },
            "level": { "type": "integer", "minimum": 0, "maximum": 100, "observable": true, "forms": forms },
        },
        "actions": {
            "fade": {
                "input": { "type": "integer" },
                "output": { "type": "string" },
                "synchronous": true,
                "forms": forms,
            },
            "reset": { "forms": forms },
            "blink": { "input": { "type": "integer" }, "forms": forms },
        },
        "events": { "hot": { "data": { "type": "number" }, "forms": forms } },
    })
}

/// Registers the lamp, and lets one live that does what it is told: it takes each wish, fades to
/// where it is asked to and then says that it is hot.
#[track_caller]
pub(super) fn install(hub: &Hub) {
    let request = format!("PUT /things/{LAMP}");
    let kind = ("content-type", "application/td+json");
    let answer = http(
        hub.at("http://"),
        &request,
        &[kind],
        &description().to_string(),
    );
    assert_eq!(answer.status, 201, "{answer:?}");
    let at = hub.at("mqtt://");
    let options = MqttOptions::new("lamp", at.ip().to_string(), at.port());
    let (client, mut connection) = Client::new(options, 64);
    for filter in ["things/lamp/properties/+/write", "things/lamp/actions/+"] {
        client.subscribe(filter, QoS::AtLeastOnce).unwrap();
    }
    for (name, value) in [("on", "false"), ("level", "10")] {
        say(&client, &format!("things/lamp/properties/{name}"), value);
    }
    // It lives until the hub dies.
    thread::spawn(move || {
        for event in connection.iter() {
            match event {
                Ok(Event::Incoming(Packet::Publish(told))) => obey(&client, &told),
                Ok(_) => {}
                Err(_) => return,
            }
        }
    });
}

fn obey(client: &Client, told: &Publish) {
    let topic = String::from_utf8_lossy(&told.topic);
    let payload = String::from_utf8_lossy(&told.payload);
    if let Some(property) = topic.strip_suffix("/write") {
        if !payload.is_empty() {
            say(client, property, &payload);
        }
        return;
    }
    let asked = told.properties.as_ref();
    let answer_at = asked.and_then(|asked| asked.response_topic.clone());
    let level = if topic.ends_with("/reset") {
        "0"
    } else {
        &*payload
    };
    say(client, "things/lamp/properties/level", level);
    say(client, "things/lamp/events/hot", "80.5");
    let status = json!({ "status": "completed", "output": format!("faded to {payload}") });
    say(
        client,
        &answer_at.expect("where to answer"),
        &status.to_string(),
    );
}

fn say(client: &Client, topic: &str, payload: &str) {
    let payload = payload.to_owned();
    // What cannot be said any more was said to a hub that is gone.
    let _ = client.publish(topic, QoS::AtLeastOnce, false, payload);
}
