//! What each of Home Assistant's platforms has: its properties, actions and events, and where they
//! are said to be. Words and defaults as in its documentation of each MQTT platform.

mod basic; // one value, or one press
mod climate; // air and water
mod light; // lights in three schemas
mod machine; // what works by itself
mod occasion; // what happens and what is seen
mod opening; // what opens and closes

use super::entity::{Entity, Words};
use crate::td::Problem;

type Describe = fn(&mut Entity<'_>) -> Result<(), Problem>;

/// Adds the affordances of a platform.
pub(super) fn describe(component: &str, entity: &mut Entity<'_>) -> Result<(), Problem> {
    match PLATFORMS.iter().find(|(name, _)| *name == component) {
        Some((_, describe)) => describe(entity),
        None => Ok(()),
    }
}

/// Whether there is such a platform.
pub(super) fn is_known(component: &str) -> bool {
    PLATFORMS.iter().any(|(name, _)| *name == component)
}

const PLATFORMS: &[(&str, Describe)] = &[
    ("alarm_control_panel", machine::alarm_control_panel),
    ("binary_sensor", basic::binary_sensor),
    ("button", basic::button),
    ("camera", occasion::camera),
    ("climate", climate::climate),
    ("cover", opening::cover),
    ("date", basic::date),
    ("datetime", basic::datetime),
    ("device_automation", occasion::device_automation),
    ("device_tracker", occasion::device_tracker),
    ("event", occasion::event),
    ("fan", climate::fan),
    ("humidifier", climate::humidifier),
    ("image", occasion::image),
    ("lawn_mower", machine::lawn_mower),
    ("light", light::light),
    ("lock", opening::lock),
    ("notify", basic::notify),
    ("number", basic::number),
    ("scene", basic::scene),
    ("select", basic::select),
    ("sensor", basic::sensor),
    ("siren", machine::siren),
    ("switch", basic::switch),
    ("tag", occasion::tag),
    ("text", basic::text),
    ("time", basic::time),
    ("update", basic::update),
    ("vacuum", machine::vacuum),
    ("valve", opening::valve),
    ("water_heater", climate::water_heater),
];

/// The payloads that turn something on and off.
fn on_and_off(entity: &Entity<'_>, on: &str, off: &str) -> Result<Words, Problem> {
    let on = entity.config.text_or(on, "ON")?;
    Ok(vec![
        (on, true.into()),
        (entity.config.text_or(off, "OFF")?, false.into()),
    ])
}

/// The words of states that are reported as something else: member and state, which is the word
/// itself if nothing else is said.
fn states(entity: &Entity<'_>, states: &[(&str, &str)]) -> Result<Words, Problem> {
    let word = |(member, state): &(&str, &str)| {
        Ok((entity.config.text_or(member, state)?, (*state).into()))
    };
    states.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use crate::dialects::{homeassistant::announce, parts::tests::assert_valid};

    /// The description of an entity that is called `it`.
    pub(super) fn described(component: &str, config: &Value) -> Value {
        let topic = format!("ha/{component}/it/config");
        let announced = announce("ha", &topic, config.to_string().as_bytes());
        let td = announced.unwrap().unwrap().remove(0).description.unwrap();
        assert_valid(&td);
        td
    }

    /// Where a form is and what it says beside: the topic, and its members in short.
    pub(super) fn form(form: &Value) -> Value {
        let form = form.as_object().unwrap().iter();
        let own = form.filter(|(name, _)| !["href", "op", "contentType"].contains(&name.as_str()));
        let short = own.map(|(name, value)| {
            let name = name
                .trim_start_matches("quartet:")
                .trim_start_matches("mqv:");
            (name.to_owned(), value.clone())
        });
        Value::Object(short.collect())
    }

    /// The affordances of an entity that is called `it`, each with what its forms say.
    pub(super) fn check(component: &str, config: Value, expected: Value) {
        let td = described(component, &config);
        let mut found = json!({});
        for kind in ["properties", "actions", "events"] {
            for (name, affordance) in td[kind].as_object().into_iter().flatten() {
                let forms = affordance["forms"].as_array().unwrap().iter();
                found[name] = forms.map(form).collect();
            }
        }
        assert_eq!(found, expected, "{td:#}");
    }

    proptest! {
        /// Any words with any values, in every platform.
        #[test]
        fn whatever_is_said_of_an_entity_is_valid_or_a_problem(
            (component, _) in prop::sample::select(super::PLATFORMS),
            said in prop::collection::vec((prop::sample::select(&WORDS[..]), value()), 0..12),
        ) {
            let config: serde_json::Map<String, Value> =
                said.into_iter().map(|(word, value)| (word.to_owned(), value)).collect();
            let topic = format!("ha/{component}/it/config");
            let payload = Value::Object(config).to_string();
            if let Ok(Some(announced)) = announce("ha", &topic, payload.as_bytes()) {
                assert_valid(announced[0].description.as_ref().unwrap());
            }
        }
    }

    const WORDS: [&str; 24] = [
        "~",
        "state_topic",
        "command_topic",
        "value_template",
        "command_template",
        "options",
        "min",
        "max",
        "step",
        "position_topic",
        "set_position_topic",
        "schema",
        "modes",
        "mode_command_topic",
        "temperature_state_topic",
        "min_temp",
        "brightness",
        "effect_list",
        "topic",
        "event_types",
        "payload",
        "qos",
        "preset_modes",
        "supported_features",
    ];

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(json!(null)),
            Just(json!(true)),
            Just(json!(["a", "a", 1])),
            Just(json!("json")),
            Just(json!("template")),
            Just(json!("a/~")),
            Just(json!({ "a": 1 })),
            any::<i32>().prop_map(|number| json!(number)),
            ".{0,12}".prop_map(|text| json!(text)),
        ]
    }
}
