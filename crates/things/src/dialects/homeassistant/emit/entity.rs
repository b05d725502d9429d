use serde_json::{Map, Value, json};

use super::measure;
use crate::dialects::parts::members;

/// No state of an entity is longer there, so no text is.
const TEXT_CHARS_MAX: u64 = 255;
/// The range of a number that says none. Home Assistant's own is 1 to 100.
const NUMBER_MAX: i64 = 1_000_000_000;
/// The finest step there is.
const STEP_MIN: f64 = 0.001;

/// A component, and what is said of an entity of it.
pub(super) type Entity = (&'static str, Map<String, Value>);

/// A property as what can be shown of its value, and told. What has members has none.
pub(super) fn property(name: &str, said: &Value) -> Option<Entity> {
    let is_writable = said["readOnly"] != true;
    let (component, mut entity) = of_schema(name, said, is_writable)?;
    if said["writeOnly"] != true {
        entity.insert("stat_t".to_owned(), format!("~/properties/{name}").into());
    } else if !is_writable {
        return None;
    }
    if is_writable {
        let topic = format!("~/properties/{name}/write");
        entity.insert("cmd_t".to_owned(), topic.into());
    }
    Some((component, entity))
}

/// Values travel as JSON: `true` and `5` are what they look like, but texts have quotation marks.
fn of_schema(name: &str, said: &Value, is_writable: bool) -> Option<Entity> {
    let options = said["enum"].as_array();
    let texts: Option<Vec<&str>> =
        options.and_then(|options| options.iter().map(Value::as_str).collect());
    if let Some(texts) = texts {
        let mut entity = json!({ "ops": texts, "val_tpl": TEXT });
        if is_writable {
            entity["cmd_tpl"] = TOLD.into();
            return Some(("select", members(entity)));
        }
        entity["dev_cla"] = "enum".into();
        return Some(("sensor", members(entity)));
    }
    match said["type"].as_str()? {
        "boolean" => {
            let component = if is_writable {
                "switch"
            } else {
                "binary_sensor"
            };
            let entity = json!({ "pl_on": "true", "pl_off": "false" });
            Some((component, members(entity)))
        }
        kind @ ("number" | "integer") if is_writable => {
            Some(("number", number(said, kind == "integer")))
        }
        "number" | "integer" => Some(("sensor", sensor(name, said))),
        "string" if is_writable => {
            let max = said["maxLength"].as_u64().unwrap_or(TEXT_CHARS_MAX);
            let mut entity = json!({
                "max": max.min(TEXT_CHARS_MAX), "val_tpl": TEXT, "cmd_tpl": TOLD,
            });
            if let Some(pattern) = said["pattern"].as_str() {
                entity["ptrn"] = pattern.into();
            }
            Some(("text", members(entity)))
        }
        "string" => {
            let mut entity = json!({ "val_tpl": TEXT });
            match said["format"].as_str() {
                Some("date-time") => entity["dev_cla"] = "timestamp".into(),
                Some("date") => entity["dev_cla"] = "date".into(),
                _ => {}
            }
            Some(("sensor", members(entity)))
        }
        _ => None,
    }
}

/// A JSON text as it is without quotation marks.
const TEXT: &str = "{{ value_json }}";
/// A text as JSON.
const TOLD: &str = "{{ value | tojson }}";

fn number(said: &Value, is_integer: bool) -> Map<String, Value> {
    let limit = |word: &str, default: i64| match &said[word] {
        limit if limit.is_number() => limit.clone(),
        _ => default.into(),
    };
    let step = match &said["multipleOf"] {
        step if step.as_f64().is_some_and(|step| STEP_MIN <= step) => step.clone(),
        _ if is_integer => 1.into(),
        _ => STEP_MIN.into(),
    };
    let mut entity = json!({
        "min": limit("minimum", -NUMBER_MAX), "max": limit("maximum", NUMBER_MAX), "step": step,
        "mode": if said["minimum"].is_number() && said["maximum"].is_number() { "auto" } else { "box" },
    });
    if let Some(unit) = said["unit"].as_str() {
        entity["unit_of_meas"] = measure::unit(unit).into();
    }
    members(entity)
}

fn sensor(name: &str, said: &Value) -> Map<String, Value> {
    let mut entity = json!({ "stat_cla": "measurement" });
    let Some(unit) = said["unit"].as_str() else {
        return members(entity);
    };
    let unit = measure::unit(unit);
    let said_class = said["quartet:deviceClass"].as_str();
    if let Some(class) = said_class.or_else(|| measure::class(unit, name)) {
        entity["dev_cla"] = class.into();
        let said_state = said["quartet:stateClass"].as_str();
        entity["stat_cla"] = said_state.unwrap_or(measure::state_class(class)).into();
    }
    entity["unit_of_meas"] = unit.into();
    members(entity)
}

/// An action that needs nothing as a button.
pub(super) fn action(name: &str, said: &Value) -> Option<Entity> {
    let needs_nothing = said["input"].as_object().is_none_or(Map::is_empty);
    let entity = json!({ "cmd_t": format!("~/actions/{name}"), "pl_prs": "null" });
    needs_nothing.then(|| ("button", members(entity)))
}

/// An event of one type, with its data beside.
pub(super) fn event(name: &str, _: &Value) -> Option<Entity> {
    // What a template prints is read as JSON; the name as a JSON text has no place to break out of.
    let kind = Value::from(name).to_string().replace('{', "\\u007b");
    let template = format!("{{\"event_type\":{kind},\"data\":{{{{ value or 'null' }}}}}}");
    let entity = json!({
        "stat_t": format!("~/events/{name}"), "evt_typ": [name], "val_tpl": template,
    });
    Some(("event", members(entity)))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::entities, *};

    /// The component of an affordance, and what its entity says beside what all say.
    fn check(kind: &str, said: Value, expected: Option<(&str, Value)>) {
        let td = json!({ "title": "Lamp", kind: { "it": said } });
        let mut found = entities(&td);
        let found = found.pop().map(|(topic, mut entity)| {
            for common in ["~", "avty_t", "avty_tpl", "dev", "o", "name", "uniq_id"] {
                assert!(entity.as_object_mut().unwrap().remove(common).is_some());
            }
            (topic.split('/').nth(1).unwrap().to_owned(), entity)
        });
        let expected = expected.map(|(component, entity)| (component.to_owned(), entity));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_property_is_what_its_values_and_directions_make_it() {
        let (state, write) = ("~/properties/it", "~/properties/it/write");
        check(
            "properties",
            json!({ "type": "boolean", "readOnly": true }),
            Some((
                "binary_sensor",
                json!({ "stat_t": state, "pl_on": "true", "pl_off": "false" }),
            )),
        );
        check(
            "properties",
            json!({ "type": "integer", "minimum": 0, "maximum": 100, "unit": "%" }),
            Some((
                "number",
                json!({
                    "stat_t": state, "cmd_t": write, "min": 0, "max": 100, "step": 1,
                    "unit_of_meas": "%", "mode": "auto",
                }),
            )),
        );
        check(
            "properties",
            json!({ "type": "number", "unit": "Cel", "readOnly": true }),
            Some((
                "sensor",
                json!({
                    "stat_t": state, "unit_of_meas": "°C", "dev_cla": "temperature",
                    "stat_cla": "measurement",
                }),
            )),
        );
        check(
            "properties",
            json!({ "enum": ["a", "b"] }),
            Some((
                "select",
                json!({
                    "stat_t": state, "cmd_t": write, "ops": ["a", "b"], "val_tpl": "{{ value_json }}",
                    "cmd_tpl": "{{ value | tojson }}",
                }),
            )),
        );
        check(
            "properties",
            json!({ "type": "string", "writeOnly": true, "maxLength": 8 }),
            Some((
                "text",
                json!({
                    "cmd_t": write, "max": 8, "val_tpl": "{{ value_json }}",
                    "cmd_tpl": "{{ value | tojson }}",
                }),
            )),
        );
        check(
            "properties",
            json!({ "type": "string", "format": "date-time", "readOnly": true }),
            Some((
                "sensor",
                json!({
                    "stat_t": state, "val_tpl": "{{ value_json }}", "dev_cla": "timestamp",
                }),
            )),
        );
        check("properties", json!({ "type": "object" }), None);
    }

    #[test]
    fn an_action_is_a_button_and_an_event_an_event() {
        check(
            "actions",
            json!({}),
            Some((
                "button",
                json!({ "cmd_t": "~/actions/it", "pl_prs": "null" }),
            )),
        );
        check("actions", json!({ "input": { "type": "number" } }), None);
        check(
            "events",
            json!({}),
            Some((
                "event",
                json!({
                    "stat_t": "~/events/it", "evt_typ": ["it"],
                    "val_tpl": "{\"event_type\":\"it\",\"data\":{{ value or 'null' }}}",
                }),
            )),
        );
    }
}
