use base64::{Engine, engine::general_purpose::STANDARD};
use quartet_fabric::mqtt::{self, Property};
use quartet_model::Event;
use serde_json::{Value, json};

/// An event as CloudEvents 1.0 in JSON: payloads that are JSON as they are, other text as
/// text, anything else in base64.
pub(crate) fn cloud_event(event: &Event) -> Value {
    let properties = mqtt::Properties::of_wire(&event.properties);
    let content_type = properties.find(|property| match property {
        Property::ContentType(kind) => Some(kind.to_string()),
        _ => None,
    });
    let mut cloud = json!({
        "specversion": "1.0",
        "id": event.id.to_string(),
        "source": "/",
        "type": "quartet.message",
        "subject": &*event.topic,
        "time": event.id.at.rfc3339(),
        "qos": event.qos.level(),
        "retain": event.retain,
    });
    let text = std::str::from_utf8(&event.payload);
    let (kind, key, data) = match (serde_json::from_slice(&event.payload), text) {
        (Ok(value), _) => ("application/json", "data", value),
        (Err(_), Ok(text)) => ("text/plain", "data", Value::from(text)),
        (Err(_), Err(_)) => (
            "application/octet-stream",
            "data_base64",
            Value::from(STANDARD.encode(&event.payload)),
        ),
    };
    cloud[key] = data;
    cloud["datacontenttype"] = content_type.unwrap_or_else(|| kind.to_owned()).into();
    cloud
}

#[cfg(test)]
mod tests {
    use quartet_model::{Actor, EventId, Said, Time};

    use super::*;

    #[track_caller]
    fn check(payload: &'static [u8], key: &str, data: Value, kind: &str) {
        let id = EventId {
            at: Time::from_micros(1_000_000),
            serial: 1,
        };
        let event = Event::new(id, Actor::Hub, Said::state("a/b", payload));
        let cloud = cloud_event(&event);
        assert_eq!(
            (&cloud[key], &cloud["datacontenttype"]),
            (&data, &kind.into())
        );
        assert_eq!(cloud["time"], "1970-01-01T00:00:01Z");
    }

    #[test]
    fn a_payload_appears_as_what_it_is() {
        check(b"21.5", "data", json!(21.5), "application/json");
        check(b"open", "data", json!("open"), "text/plain");
        check(
            b"\xFF\x00",
            "data_base64",
            json!("/wA="),
            "application/octet-stream",
        );
    }
}
