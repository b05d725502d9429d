//! The directory's news: which elements came, changed and went (WoT Discovery, section 7.3.2.2).

use bytestring::ByteString;
use quartet_model::{Event, Said};
use serde_json::{Map, Value, json};

/// Its id: `things/directory/…`.
pub const ID: &str = "directory";
/// The first two levels of its address.
pub const KEY: &str = "things/directory";

/// Its Thing Description (WoT Discovery, section 7.3.1), as far as the forms are not the hub's to
/// add.
pub fn describe(title: &str) -> (&'static str, Value) {
    let text = json!({ "type": "string" });
    let id = json!({ "id": { "type": "string", "format": "iri-reference" } });
    let event = |what: &str| json!({ "description": what, "data": { "type": "object" } });
    let description = json!({
        "@context": [
            "https://www.w3.org/2022/wot/td/v1.1",
            "https://www.w3.org/2022/wot/discovery",
        ],
        "@type": "ThingDirectory",
        "id": format!("urn:quartet:things:{ID}"),
        "title": format!("Directory of {title}"),
        "description": "All elements of this hub, by their Thing Descriptions.",
        "properties": {
            "things": {
                "description": "All Thing Descriptions",
                "readOnly": true,
                "type": "array",
                "items": { "type": "object" },
                "uriVariables": {
                    "limit": { "type": "integer", "minimum": 1 },
                    "offset": { "type": "integer", "minimum": 0 },
                    "format": { "type": "string", "enum": ["array", "collection"] },
                },
            },
        },
        "actions": {
            "createThing": {
                "description": "Register a Thing Description, with or without an id",
                "input": { "type": "object" },
            },
            "retrieveThing": {
                "description": "One Thing Description",
                "uriVariables": id,
                "output": { "type": "object" },
                "safe": true,
                "idempotent": true,
            },
            "updateThing": {
                "description": "Replace a Thing Description, or register one under its id",
                "uriVariables": id,
                "input": { "type": "object" },
            },
            "partiallyUpdateThing": {
                "description": "Change a Thing Description by a merge patch",
                "uriVariables": id,
                "input": { "type": "object" },
            },
            "deleteThing": { "description": "Forget a thing", "uriVariables": id },
            "searchJSONPath": {
                "description": "What a JSONPath finds in all Thing Descriptions",
                "uriVariables": { "query": text },
                "output": { "type": "object" },
                "safe": true,
                "idempotent": true,
            },
        },
        "events": {
            "thing_created": event("A thing was registered"),
            "thing_updated": event("A thing was changed"),
            "thing_deleted": event("A thing was forgotten"),
        },
    });
    (KEY, description)
}

/// The news that an element is described with `event`; `before` is how it was described.
pub(crate) fn news(before: Option<&Event>, event: &Event) -> Option<Said> {
    let parse = |event: &Event| serde_json::from_slice::<Value>(&event.payload).ok();
    let before = before.and_then(parse);
    let after = parse(event);
    let (name, what) = match (before, after) {
        (None, Some(after)) => ("thing_created", after),
        (Some(before), Some(after)) => {
            let mut changed = changes(&before, &after);
            changed["id"] = after["id"].clone();
            ("thing_updated", changed)
        }
        (Some(before), None) => ("thing_deleted", json!({ "id": before["id"] })),
        (None, None) => return None,
    };
    let topic: ByteString = format!("things/{ID}/events/{name}").into();
    let mut said = Said::state(topic, what.to_string());
    said.retain = false;
    Some(said)
}

/// What makes `before` to `after`, as a merge patch (RFC 7396).
fn changes(before: &Value, after: &Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return after.clone();
    };
    let mut changed = Map::new();
    for (name, value) in after {
        match before.get(name) {
            Some(same) if same == value => {}
            Some(other) => {
                changed.insert(name.clone(), changes(other, value));
            }
            None => {
                changed.insert(name.clone(), value.clone());
            }
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        changed.insert(name.clone(), Value::Null);
    }
    changed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_news() {
        let before = json!({ "a": 1, "b": { "c": 2, "d": 3 }, "e": [1] });
        let after = json!({ "a": 1, "b": { "c": 5 }, "e": [1, 2] });
        let changed = json!({ "b": { "c": 5, "d": null }, "e": [1, 2] });
        assert_eq!(changes(&before, &after), changed);
        assert_eq!(changes(&after, &after), json!({}));
    }
}
