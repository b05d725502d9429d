//! A first rule for what nobody has described yet, for a person to look at.

use serde_json::{Value, json};

use crate::dialects::name_of;

/// Last levels that say what a message is, and not which device it is of.
const KINDS_OF_MESSAGE: [&str; 12] = [
    "data",
    "event",
    "events",
    "info",
    "measurement",
    "sensor",
    "state",
    "status",
    "tele",
    "telemetry",
    "up",
    "values",
];

/// What a payload looks like.
enum Shape {
    Members(&'static str),
    Value(&'static str),
}

/// A rule that makes things of what is said at a topic and at its likes, going by one message. Of the
/// topic, the last levels say which device it is and what it tells, and the first one stays as it is,
/// so that the rule is not about everything.
pub fn suggest(topic: &str, payload: &[u8]) -> Value {
    let mut levels: Vec<&str> = topic.split('/').collect();
    let last = levels.len() - 1;
    let (id, property, content) = match shape(payload) {
        Shape::Members(content) => {
            let is_kind = KINDS_OF_MESSAGE.contains(&&*levels[last].to_lowercase());
            (last.saturating_sub(usize::from(is_kind)), None, content)
        }
        Shape::Value(content) => (last.saturating_sub(1), Some(last), content),
    };
    let device = name_of(levels[id]);
    let first = levels[0];
    let key = if id == 0 {
        format!("things/{device}")
    } else {
        levels[id] = "{id}";
        "things/{id}".to_owned()
    };
    let mut rule = json!({
        "name": name_of(if first.is_empty() { "rule" } else { first }),
        "key": key,
        "contentType": content,
    });
    match property {
        Some(0) => rule["property"] = "value".into(),
        Some(property) => {
            levels[property] = "{property}";
            rule["property"] = "{property}".into();
        }
        None => {}
    }
    rule["topic"] = levels.join("/").into();
    rule
}

fn shape(payload: &[u8]) -> Shape {
    let is_record = |one: &Value| one.get("n").is_some() || one.get("bn").is_some();
    match serde_json::from_slice::<Value>(payload) {
        Ok(Value::Object(_)) => return Shape::Members("application/json"),
        Ok(Value::Array(all)) if !all.is_empty() && all.iter().all(is_record) => {
            return Shape::Members("application/senml+json");
        }
        Ok(Value::Array(_)) => return Shape::Value("application/json"),
        _ => {}
    }
    match std::str::from_utf8(payload) {
        Ok(_) => Shape::Value("text/plain"),
        Err(_) => Shape::Members("application/cbor"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::rules::Rule;

    #[track_caller]
    fn check(topic: &str, payload: &str, pattern: &str, key: &str, names: &[&str]) {
        let suggested = suggest(topic, payload.as_bytes());
        assert_eq!(suggested["topic"], pattern);
        let rule = Rule::parse(&suggested).unwrap();
        let mapped = rule.preview(topic, payload.as_bytes()).unwrap();
        assert_eq!(mapped.announcement.key, key);
        let described = mapped.announcement.description.unwrap_or_default();
        let properties = described["properties"].as_object();
        let found: Vec<&String> = properties.into_iter().flat_map(|all| all.keys()).collect();
        assert_eq!(found, names);
    }

    #[test]
    fn what_is_suggested_maps_what_it_was_suggested_for() {
        check(
            "sensors/kitchen/temp",
            "21.5",
            "sensors/{id}/{property}",
            "things/kitchen",
            &["temp"],
        );
        check(
            "kitchen/temp",
            "21.5",
            "kitchen/{property}",
            "things/kitchen",
            &["temp"],
        );
        check("temp", "warm", "temp", "things/temp", &["value"]);
        check(
            "a/b/pump",
            r#"{"rate":3,"on":true}"#,
            "a/b/{id}",
            "things/pump",
            &["on", "rate"],
        );
        check(
            "tele/plug 1/SENSOR",
            r#"{"W":3}"#,
            "tele/{id}/SENSOR",
            "things/plug-1",
            &["W"],
        );
        check("pump", r#"{"rate":3}"#, "pump", "things/pump", &["rate"]);
        check(
            "x/y",
            r#"[{"bn":"urn:a:","n":"t","v":1}]"#,
            "x/{id}",
            "things/y",
            &["t"],
        );
    }

    #[test]
    fn whatever_is_said_a_rule_is_suggested() {
        for (topic, payload) in [
            ("", &b""[..]),
            ("/", b"\xff\xfe"),
            ("a//", b"[1]"),
            ("+x", b"{}"),
        ] {
            let suggested = suggest(topic, payload);
            assert!(suggested["topic"].is_string() && suggested["key"].is_string());
        }
    }
}
