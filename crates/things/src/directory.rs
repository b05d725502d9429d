//! The directory's news: which elements came, changed and went (WoT Discovery, section 7.3.2.2).

use bytestring::ByteString;
use quartet_model::{Event, Said, Time};
use serde_json::{Map, Value, json};

use crate::{
    identity::id_of,
    td::json::{self, Object},
};

/// Its id: `things/directory/…`.
pub const ID: &str = "directory";
/// The first two levels of its address.
pub const KEY: &str = "things/directory";

/// The Thing Model of every directory (WoT Discovery, section 7.3.2).
const MODEL: &str = "https://w3c.github.io/wot-discovery/directory.tm.json";

/// The context of what a directory adds to descriptions.
pub const CONTEXT: &str = "https://www.w3.org/2022/wot/discovery";

/// A description as a directory shows it (WoT Discovery, section 7.2.1): with the context of what
/// directories add, and with when it was retrieved, beside when it was registered.
pub fn enriched(description: &str, retrieved: Option<Time>) -> String {
    let mut td = Object::of(description);
    let context = td.get("@context").unwrap_or("[]");
    let own = json::encode(CONTEXT);
    if !json::elements(context).any(|one| one == own) {
        let mut all: Vec<&str> = json::elements(context).collect();
        if !context.starts_with('[') {
            all.push(context);
        }
        all.push(&own);
        let context = format!("[{}]", all.join(","));
        td.set("@context", context);
    }
    let mut registration = Object::of(td.get("registration").unwrap_or("{}"));
    if let Some(at) = retrieved {
        registration.set("retrieved", json::encode(&exactly(at)));
    }
    let registration = registration.print();
    td.set("registration", registration);
    td.print()
}

/// A time with all of its six digits: so a description is as long whenever it is retrieved.
fn exactly(at: Time) -> String {
    let text = at.rfc3339();
    let text = text.trim_end_matches('Z');
    let (seconds, digits) = text.split_once('.').unwrap_or((text, ""));
    format!("{seconds}.{digits:0<6}Z")
}

/// Its Thing Description (WoT Discovery, section 7.3.1). The hub adds where it is, its `base`.
pub fn describe(title: &str) -> (&'static str, Value) {
    let description = json!({
        "@context": [
            "https://www.w3.org/2022/wot/td/v1.1",
            CONTEXT,
            { "htv": "http://www.w3.org/2011/http#" },
        ],
        "@type": "ThingDirectory",
        "id": format!("urn:quartet:things:{ID}"),
        "title": format!("Directory of {title}"),
        "description": "All elements of this hub, by their Thing Descriptions.",
        "links": [{ "rel": "type", "href": MODEL, "type": "application/tm+json" }],
        "properties": {
            "things": {
                "description": "All Thing Descriptions",
                "readOnly": true,
                "type": "array",
                "items": { "type": "object" },
                "uriVariables": {
                    "offset": { "description": "How many to skip", "type": "integer", "minimum": 0, "default": 0 },
                    "limit": { "description": "How many at most", "type": "integer", "minimum": 1 },
                    "format": { "type": "string", "enum": ["array", "collection"], "default": "array" },
                },
                "forms": [{
                    "href": "/things{?offset,limit,format}",
                    "htv:methodName": "GET",
                    "op": "readproperty",
                    // Whoever reads it asks for this kind, and so gets it.
                    "contentType": "application/ld+json",
                    "response": { "contentType": "application/ld+json", "htv:statusCodeValue": 200 },
                    "additionalResponses": [failure(400)],
                }],
            },
        },
        "actions": {
            "createAnonymousThing": {
                "description": "Register a Thing Description that has no identifier",
                "input": { "type": "object" },
                "forms": [form("POST", "/things", 201, Some("application/td+json"))],
            },
            "createThing": {
                "description": "Register a Thing Description under its identifier",
                "uriVariables": of_thing(),
                "input": { "type": "object" },
                "forms": [form("PUT", ONE, 201, Some("application/td+json"))],
            },
            "retrieveThing": {
                "description": "One Thing Description",
                "uriVariables": of_thing(),
                "output": { "type": "object" },
                "safe": true,
                "idempotent": true,
                "forms": [form("GET", ONE, 200, None)],
            },
            "updateThing": {
                "description": "Replace a Thing Description",
                "uriVariables": of_thing(),
                "input": { "type": "object" },
                "idempotent": true,
                "forms": [form("PUT", ONE, 204, Some("application/td+json"))],
            },
            "partiallyUpdateThing": {
                "description": "Change a Thing Description by a merge patch",
                "uriVariables": of_thing(),
                "input": { "type": "object" },
                "forms": [form("PATCH", ONE, 204, Some("application/merge-patch+json"))],
            },
            "deleteThing": {
                "description": "Forget a thing",
                "uriVariables": of_thing(),
                "idempotent": true,
                "forms": [form("DELETE", ONE, 204, None)],
            },
            "searchJSONPath": {
                "description": "What a JSONPath (RFC 9535) finds in all Thing Descriptions",
                "uriVariables": { "query": { "type": "string" } },
                "output": { "type": "array" },
                "safe": true,
                "idempotent": true,
                "forms": [form("GET", "/search/jsonpath?query={query}", 200, None)],
            },
        },
        "events": {
            "thingCreated": event("A thing was registered", "thing_created"),
            "thingUpdated": event("A thing was changed", "thing_updated"),
            "thingDeleted": event("A thing was forgotten", "thing_deleted"),
        },
    });
    (KEY, description)
}

/// Where one description is.
const ONE: &str = "/things/{id}";

fn of_thing() -> Value {
    json!({ "id": { "@type": "ThingID", "type": "string", "format": "iri-reference" } })
}

fn form(method: &str, href: &str, status: u16, takes: Option<&str>) -> Value {
    let gives = if href == ONE {
        "application/td+json"
    } else {
        "application/json"
    };
    let mut failures = Vec::new();
    if takes.is_some() || href != ONE {
        failures.push(failure(400));
    }
    if href == ONE && method != "PUT" {
        failures.push(failure(404));
    }
    json!({
        "href": href,
        "htv:methodName": method,
        "op": "invokeaction",
        "contentType": takes.unwrap_or(gives),
        "response": { "contentType": gives, "htv:statusCodeValue": status },
        "additionalResponses": failures,
    })
}

fn failure(status: u16) -> Value {
    json!({ "success": false, "contentType": "application/problem+json", "htv:statusCodeValue": status })
}

fn event(what: &str, path: &str) -> Value {
    json!({
        "description": what,
        "uriVariables": { "diff": { "description": "With what changed", "type": "boolean" } },
        "data": { "type": "object" },
        "forms": [{
            "href": format!("/events/{path}{{?diff}}"),
            "subprotocol": "sse",
            "op": "subscribeevent",
            "contentType": "text/event-stream",
        }],
    })
}

/// The news that an element, which `was_there`, is described with `event`; `before` is how it was
/// described, if that has not expired.
pub(crate) fn news(was_there: bool, before: Option<&Event>, event: &Event) -> Option<Said> {
    let parse = |event: &Event| serde_json::from_slice::<Value>(&event.payload).ok();
    let before = before.and_then(parse);
    let after = parse(event);
    let (name, what) = match (before, after) {
        (_, None) if was_there => ("thingDeleted", json!({ "id": id_of(&event.topic) })),
        (_, None) => return None,
        (None, Some(after)) => ("thingCreated", after),
        (Some(before), Some(after)) => {
            let mut changed = changes(&before, &after);
            changed["id"] = after["id"].clone();
            ("thingUpdated", changed)
        }
    };
    let topic: ByteString = format!("things/{ID}/events/{name}").into();
    let mut said = Said::state(topic, what.to_string());
    said.retain = false;
    Some(said)
}

/// What makes `before` to `after`, as a merge patch (RFC 7396).
pub fn changes(before: &Value, after: &Value) -> Value {
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
    fn times_are_equally_long() {
        let at = Time::from_micros(1_764_100_800_000_000);
        assert_eq!(exactly(at), "2025-11-25T20:00:00.000000Z");
        let later = Time::from_micros(1_764_100_800_020_000);
        assert_eq!(exactly(later), "2025-11-25T20:00:00.020000Z");
    }

    #[test]
    fn a_description_is_enriched_once_and_keeps_its_contexts() {
        let one = r#"{"@context":"a","title":"x"}"#;
        let shown = r#"{"@context":["a","https://www.w3.org/2022/wot/discovery"],"title":"x","registration":{}}"#;
        assert_eq!(enriched(one, None), shown);
        assert_eq!(enriched(shown, None), shown);
        let at = Time::from_micros(1_764_100_800_000_000);
        let retrieved: Value = serde_json::from_str(&enriched(shown, Some(at))).unwrap_or_default();
        assert_eq!(retrieved["registration"]["retrieved"], exactly(at));
    }

    #[test]
    fn only_what_changed_is_news() {
        let before = json!({ "a": 1, "b": { "c": 2, "d": 3 }, "e": [1] });
        let after = json!({ "a": 1, "b": { "c": 5 }, "e": [1, 2] });
        let changed = json!({ "b": { "c": 5, "d": null }, "e": [1, 2] });
        assert_eq!(changes(&before, &after), changed);
        assert_eq!(changes(&after, &after), json!({}));
    }
}
