//! Platforms that have one value, or can be pressed.

use serde_json::{Value, json};

use super::on_and_off;
use crate::{
    dialects::{
        homeassistant::{entity::Entity, unit},
        parts::members,
    },
    td::Problem,
};

/// Where most platforms are.
const PLACES: [&str; 4] = [
    "state_topic",
    "value_template",
    "command_topic",
    "command_template",
];

pub(super) fn switch(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let told = on_and_off(entity, "payload_on", "payload_off")?;
    let [(on, _), (off, _)] = &told[..] else {
        return Ok(());
    };
    let reported = vec![
        (entity.config.text_or("state_on", on)?, true.into()),
        (entity.config.text_or("state_off", off)?, false.into()),
    ];
    entity.worded_property("", json!({ "type": "boolean" }), PLACES, [&reported, &told])
}

pub(super) fn binary_sensor(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let words = on_and_off(entity, "payload_on", "payload_off")?;
    let places = [PLACES[0], PLACES[1], "", ""];
    entity.worded_property("", json!({ "type": "boolean" }), places, [&words, &words])
}

/// Classes of sensors that are no number.
const NO_NUMBERS: [&str; 3] = ["date", "timestamp", "enum"];

pub(super) fn sensor(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let config = entity.config;
    let class = config.text("device_class")?;
    let options = config.texts("options")?;
    let unit = unit_of(entity)?;
    let words = ["state_class", "suggested_display_precision"];
    let is_number = unit.is_some()
        || words.iter().any(|word| config.get(word).is_some())
        || class
            .as_deref()
            .is_some_and(|class| !NO_NUMBERS.contains(&class));
    let mut schema = match class.as_deref() {
        Some("timestamp") => json!({ "type": "string", "format": "date-time" }),
        Some("date") => json!({ "type": "string", "format": "date" }),
        _ if !options.is_empty() => json!({ "type": "string", "enum": options }),
        _ if is_number => json!({ "type": "number" }),
        _ => json!({ "type": "string" }),
    };
    if let Some(unit) = unit {
        schema["unit"] = unit.into();
    }
    entity.property("", schema, [PLACES[0], PLACES[1], "", ""])
}

/// Its unit. Some firmware says a blank for none.
fn unit_of(entity: &Entity<'_>) -> Result<Option<String>, Problem> {
    let said = entity.config.text("unit_of_measurement")?;
    let said = said.filter(|text| !text.trim().is_empty());
    Ok(said.map(|text| unit(&text)))
}

pub(super) fn number(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let config = entity.config;
    let (min, max) = (config.number_or("min", 1)?, config.number_or("max", 100)?);
    if max.as_f64() < min.as_f64() {
        let what = format!("is {max}; must not be less than `min`, which is {min}");
        return Err(config.problem("max", what));
    }
    let mut schema = json!({ "type": "number", "minimum": min, "maximum": max });
    let step = config.number_or("step", 1)?;
    if step.as_f64().is_some_and(|step| 0.0 < step) {
        schema["multipleOf"] = step;
    }
    if let Some(unit) = unit_of(entity)? {
        schema["unit"] = unit.into();
    }
    entity.property("", schema, PLACES)
}

pub(super) fn select(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let options = entity.config.texts("options")?;
    if options.is_empty() {
        let what = "is missing; must be a list of the texts that can be selected";
        return Err(entity.config.problem("options", what));
    }
    entity.property("", json!({ "type": "string", "enum": options }), PLACES)
}

pub(super) fn text(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let config = entity.config;
    let mut schema = json!({ "type": "string" });
    for (name, word) in [("min", "minLength"), ("max", "maxLength")] {
        if let Some(length) = config.number(name)?.filter(Value::is_u64) {
            schema[word] = length;
        }
    }
    if let Some(pattern) = config.text("pattern")? {
        schema["pattern"] = pattern.into();
    }
    let is_secret = config.text("mode")?.as_deref() == Some("password");
    let mut places = PLACES;
    if is_secret {
        // A password is told, but nobody is to read it.
        places[0] = "";
    }
    entity.property("", schema, places)
}

pub(super) fn date(entity: &mut Entity<'_>) -> Result<(), Problem> {
    entity.property("", json!({ "type": "string", "format": "date" }), PLACES)
}

pub(super) fn datetime(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let schema = json!({ "type": "string", "format": "date-time" });
    entity.property("", schema, PLACES)
}

pub(super) fn time(entity: &mut Entity<'_>) -> Result<(), Problem> {
    entity.property("", json!({ "type": "string", "format": "time" }), PLACES)
}

pub(super) fn button(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let payload = entity.config.text_or("payload_press", "PRESS")?;
    entity.press("", &payload, PLACES[2], PLACES[3])
}

pub(super) fn scene(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let payload = entity.config.text_or("payload_on", "ON")?;
    entity.press("", &payload, PLACES[2], "")
}

pub(super) fn notify(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let form = entity.command("invokeaction", PLACES[2], PLACES[3])?;
    if let Some(form) = form {
        let input = json!({ "input": { "type": "string", "title": "Message" } });
        entity.add_action("", members(input), form);
    }
    Ok(())
}

/// What is installed, what could be, and the action that does it.
pub(super) fn update(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let version = json!({ "type": "string" });
    let installed = [PLACES[0], PLACES[1], "", ""];
    entity.property("", version.clone(), installed)?;
    let latest = ["latest_version_topic", "latest_version_template", "", ""];
    entity.property("latest", version, latest)?;
    if let Some(payload) = entity.config.text("payload_install")? {
        entity.press("install", &payload, PLACES[2], "")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{check, described},
        *,
    };

    #[test]
    fn a_switch_is_told_words_and_reports_others() {
        check(
            "switch",
            json!({
                "stat_t": "s", "cmd_t": "s/set", "pl_on": "1", "pl_off": "0", "stat_on": "up",
                "qos": 1, "ret": true, "cmd_tpl": "{\"on\": {{ value }}}",
            }),
            json!({ "it": [
                { "filter": "s", "values": { "up": true, "0": false } },
                {
                    "topic": "s/set", "values": { "1": true, "0": false }, "qos": "1", "retain": true,
                    "template": "{\"on\": {{ value }}}",
                },
            ]}),
        );
    }

    #[test]
    fn words_that_python_prints_stay_with_the_template() {
        check(
            "binary_sensor",
            json!({ "stat_t": "s", "pl_on": true, "pl_off": false, "val_tpl": "{{ value_json.a }}" }),
            json!({ "it": [{
                "filter": "s", "template": "{{ value_json.a }}",
                "values": { "True": true, "False": false },
            }]}),
        );
    }

    #[test]
    fn a_sensor_is_a_number_a_text_or_one_of_several() {
        let schema = |mut config: Value| {
            config["state_topic"] = "s".into();
            let it = described("sensor", &config)["properties"]["it"].clone();
            (
                it["type"].clone(),
                it["unit"].clone(),
                it["enum"].clone(),
                it["format"].clone(),
            )
        };
        let none = Value::Null;
        let expected = (json!("number"), json!("Cel"), none.clone(), none.clone());
        assert_eq!(schema(json!({ "unit_of_meas": "°C" })), expected);
        let expected = (
            json!("string"),
            none.clone(),
            json!(["a", "b"]),
            none.clone(),
        );
        assert_eq!(
            schema(json!({ "dev_cla": "enum", "ops": ["a", "b", "a"] })),
            expected
        );
        let expected = (
            json!("string"),
            none.clone(),
            none.clone(),
            json!("date-time"),
        );
        assert_eq!(schema(json!({ "dev_cla": "timestamp" })), expected);
        let expected = (json!("string"), none.clone(), none.clone(), none.clone());
        assert_eq!(
            schema(json!({ "val_tpl": "{{ value | upper }}" })),
            expected
        );
    }

    #[test]
    fn a_button_has_its_payload_and_with_a_template_sets_it() {
        let press = json!({ "it": [{ "topic": "b", "payload": "PRESS" }] });
        check("button", json!({ "cmd_t": "b" }), press);
        let template = "{% set value = 'GO' %}{\"do\":\"{{ value }}\"}";
        check(
            "button",
            json!({ "cmd_t": "b", "pl_prs": "GO", "cmd_tpl": "{\"do\":\"{{ value }}\"}" }),
            json!({ "it": [{ "topic": "b", "template": template }] }),
        );
    }

    #[test]
    fn a_number_a_select_and_a_text_have_their_limits() {
        let config = json!({ "cmd_t": "n", "min": 0, "max": 10, "step": 0.5, "unit_of_meas": "s" });
        let number = &described("number", &config)["properties"]["it"];
        assert_eq!(number["minimum"], 0);
        assert_eq!(number["multipleOf"], 0.5);
        assert_eq!(number["writeOnly"], true);
        let select = described(
            "select",
            &json!({ "cmd_t": "n", "options": ["a", "b", "a"] }),
        );
        assert_eq!(select["properties"]["it"]["enum"], json!(["a", "b"]));
        let secret = json!({ "cmd_t": "n", "stat_t": "s", "mode": "password", "max": 8 });
        let secret = &described("text", &secret)["properties"]["it"];
        assert_eq!(secret["writeOnly"], true);
        assert_eq!(secret["maxLength"], 8);
    }

    #[test]
    fn an_update_says_two_versions_and_installs() {
        check(
            "update",
            json!({
                "stat_t": "u", "val_tpl": "{{ value_json.installed }}", "cmd_t": "u/set",
                "pl_inst": "go", "l_ver_t": "u", "l_ver_tpl": "{{ value_json.latest }}",
            }),
            json!({
                "it": [{ "filter": "u", "path": "/installed" }],
                "it_latest": [{ "filter": "u", "path": "/latest" }],
                "it_install": [{ "topic": "u/set", "payload": "go" }],
            }),
        );
    }
}
