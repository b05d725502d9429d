//! Zigbee2MQTT: the devices that a bridge says it has.
//!
//! A device keeps its address, which is its own, when it is renamed. The bridge is a thing, too, and
//! controls all of them: if it is gone, they are.

use serde_json::{Map, Value, json};

use super::{
    Announcement, described,
    exposes::{Affordances, Place},
    href, name_of,
};
use crate::{
    identity,
    td::{DOCUMENT_BYTES_MAX, Problem},
};

/// The name of its parts of descriptions.
pub const PART: &str = "zigbee2mqtt";
/// The longest list of devices: a few hundred, each with all that it exposes.
const DEVICES_BYTES_MAX: usize = 16 * DOCUMENT_BYTES_MAX;
/// More devices than a network can have.
const DEVICES_MAX: usize = 1000;

/// What a message of a bridge announces; `None` if it announces nothing.
///
/// `{base}/bridge/devices` says the bridge and all of its devices: who is not among them is gone.
/// `{base}/bridge/state` and `{base}/bridge/info` say the bridge alone.
pub fn announce(
    base: &str,
    topic: &str,
    payload: &[u8],
) -> Result<Option<Vec<Announcement>>, Problem> {
    let below = topic.strip_prefix(base);
    match below.and_then(|below| below.strip_prefix("/bridge/")) {
        Some("devices") if payload.is_empty() => Ok(Some(Vec::new())),
        Some("devices") => devices(base, payload).map(Some),
        Some("state" | "info") => {
            let description = (!payload.is_empty()).then(|| bridge(base));
            Ok(Some(vec![announcement(key_of(base), description)]))
        }
        _ => Ok(None),
    }
}

/// The address of the bridge.
fn key_of(base: &str) -> String {
    format!("things/{}", name_of(base))
}

fn announcement(key: String, description: Option<Value>) -> Announcement {
    Announcement {
        key,
        part: PART.to_owned(),
        description,
    }
}

fn devices(base: &str, payload: &[u8]) -> Result<Vec<Announcement>, Problem> {
    let wrong = |says: String| Problem::new("(root)", says);
    if DEVICES_BYTES_MAX < payload.len() {
        return Err(wrong(format!("has {} bytes; too many", payload.len())));
    }
    let devices: Value =
        serde_json::from_slice(payload).map_err(|error| wrong(format!("is no JSON: {error}")))?;
    let devices = devices.as_array();
    let devices = devices.ok_or_else(|| wrong("must be a list of devices".to_owned()))?;
    if DEVICES_MAX < devices.len() {
        return Err(wrong(format!("has {} devices; too many", devices.len())));
    }
    let mut announced = vec![announcement(key_of(base), Some(bridge(base)))];
    for (index, device) in devices.iter().enumerate() {
        if device["type"] == "Coordinator" {
            continue;
        }
        let text = |member: &str| {
            let text = device[member].as_str().filter(|text| !text.is_empty());
            text.ok_or_else(|| Problem::new(format!("{index}.{member}"), "is missing"))
        };
        let (address, name) = (text("ieee_address")?, text("friendly_name")?);
        let key = format!("things/{}", name_of(address));
        announced.push(announcement(
            key,
            Some(describe(base, device, address, name)),
        ));
    }
    Ok(announced)
}

fn describe(base: &str, device: &Value, address: &str, name: &str) -> Value {
    let definition = &device["definition"];
    let mut td = described(name);
    let id = identity::id_of(&format!("things/{}", name_of(address)));
    td.insert("id".into(), id.into());
    let texts = [
        ("description", &definition["description"]),
        ("quartet:vendor", &definition["vendor"]),
        ("quartet:model", &definition["model"]),
        ("quartet:firmware", &device["software_build_id"]),
    ];
    for (member, text) in texts {
        if let Some(text) = text.as_str().filter(|text| !text.is_empty()) {
            td.insert(member.to_owned(), text.into());
        }
    }
    let place = Place {
        state: format!("{base}/{name}"),
        set: format!("{base}/{name}/set"),
    };
    let mut affordances = Affordances::of(&definition["exposes"], Some(&place));
    if definition["supports_ota"] == true {
        let topic = format!("{base}/bridge/request/device/ota_update/update");
        let update = json!({
            "title": "Update firmware",
            "forms": [asked(&topic, json!({ "quartet:payload": { "id": address } }))],
        });
        affordances.actions.insert("update_firmware".into(), update);
    }
    affordances.put(&mut td);
    td.insert(
        "links".into(),
        json!([{ "rel": "controlledBy", "href": identity::id_of(&key_of(base)) }]),
    );
    td.insert(
        "quartet:availability".into(),
        presence(&format!("{base}/{name}/availability")),
    );
    td.into()
}

/// Presence is said as `{"state":"online"}` or, before version 2, as `online`.
fn presence(topic: &str) -> Value {
    json!([{
        "href": href(topic),
        "mqv:filter": topic,
        "contentType": "text/plain",
        "quartet:template": "{{ value_json.state | default(value) }}",
        "quartet:values": { "online": true, "offline": false },
    }])
}

fn asked(topic: &str, words: Value) -> Value {
    let mut form = json!({
        "href": href(topic),
        "mqv:topic": topic,
        "op": "invokeaction",
        "contentType": "application/json",
    });
    if let (Value::Object(form), Value::Object(words)) = (&mut form, words) {
        form.extend(words);
    }
    form
}

/// The bridge itself: the same whatever it says.
fn bridge(base: &str) -> Value {
    let info = format!("{base}/bridge/info");
    let property = |title: &str, kind: &str, path: &str| {
        json!({
            "title": title, "type": kind, "readOnly": true, "observable": true,
            "forms": [{
                "href": href(&info), "mqv:filter": &info, "contentType": "application/json",
                "op": ["readproperty", "observeproperty"], "quartet:path": path,
            }],
        })
    };
    let events = format!("{base}/bridge/event");
    let request = |what: &str, words: Value| asked(&format!("{base}/bridge/request/{what}"), words);
    let more = json!({
        "description": "Zigbee2MQTT, which devices join and speak through.",
        "properties": {
            "version": property("Version", "string", "/version"),
            "permit_join": property("Devices may join", "boolean", "/permit_join"),
            "restart_required": property("Must be restarted", "boolean", "/restart_required"),
        },
        "actions": {
            "permit_join": {
                "title": "Let devices join",
                "description": "For so many seconds; 0 ends it.",
                "input": { "type": "integer", "minimum": 0, "maximum": 254, "unit": "s" },
                "forms": [request("permit_join", json!({ "quartet:path": "/time" }))],
            },
            "restart": {
                "title": "Restart",
                "forms": [request("restart", json!({ "quartet:payload": {} }))],
            },
        },
        "events": {
            "device": {
                "title": "A device joined, left or was interviewed",
                "data": { "type": "object" },
                "forms": [{
                    "href": href(&events), "mqv:filter": &events,
                    "contentType": "application/json", "op": "subscribeevent",
                }],
            },
        },
        "quartet:availability": presence(&format!("{base}/bridge/state")),
    });
    let mut td = described(base);
    td.insert("id".into(), identity::id_of(&key_of(base)).into());
    td.extend(more.as_object().cloned().unwrap_or_else(Map::new));
    td.into()
}

#[cfg(test)]
mod tests;
