//! What makes air and water warm, cool, moist and moving.

use serde_json::{Value, json};

use super::on_and_off;
use crate::{
    dialects::homeassistant::{
        entity::{Entity, Words},
        unit,
    },
    td::Problem,
};

pub(super) fn climate(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let unit = temperature_unit(entity)?;
    let wanted = limits(entity, "min_temp", "max_temp", "temp_step", &unit)?;
    for aspect in ["temperature", "temperature_high", "temperature_low"] {
        usual(entity, aspect, wanted.clone(), "state_template")?;
    }
    current(entity, &unit)?;
    let humidity = limits(entity, "min_humidity", "max_humidity", "", "%")?;
    usual(entity, "target_humidity", humidity, "state_template")?;
    let modes = ["auto", "off", "cool", "heat", "dry", "fan_only"];
    let mode = choice(entity, "modes", &modes)?;
    usual(entity, "mode", mode, "state_template")?;
    let fan = choice(entity, "fan_modes", &["auto", "low", "medium", "high"])?;
    usual(entity, "fan_mode", fan, "state_template")?;
    let swing = choice(entity, "swing_modes", &["on", "off"])?;
    usual(entity, "swing_mode", swing, "state_template")?;
    let across = choice(entity, "swing_horizontal_modes", &["on", "off"])?;
    usual(entity, "swing_horizontal_mode", across, "state_template")?;
    let preset = open_choice(entity, "preset_modes")?;
    usual(entity, "preset_mode", preset, "value_template")?;
    action(entity)?;
    power(entity)
}

pub(super) fn water_heater(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let unit = temperature_unit(entity)?;
    let wanted = limits(entity, "min_temp", "max_temp", "", &unit)?;
    usual(entity, "temperature", wanted, "state_template")?;
    current(entity, &unit)?;
    let modes = [
        "off",
        "eco",
        "electric",
        "gas",
        "heat_pump",
        "high_demand",
        "performance",
    ];
    let mode = choice(entity, "modes", &modes)?;
    usual(entity, "mode", mode, "state_template")?;
    power(entity)
}

pub(super) fn humidifier(entity: &mut Entity<'_>) -> Result<(), Problem> {
    turned(entity)?;
    let humidity = limits(entity, "min_humidity", "max_humidity", "", "%")?;
    usual(entity, "target_humidity", humidity, "state_template")?;
    let mode = open_choice(entity, "modes")?;
    usual(entity, "mode", mode, "state_template")?;
    let now = json!({ "type": "number", "unit": "%" });
    let places = [
        "current_humidity_topic",
        "current_humidity_template",
        "",
        "",
    ];
    entity.property("current_humidity", now, places)?;
    action(entity)
}

pub(super) fn fan(entity: &mut Entity<'_>) -> Result<(), Problem> {
    turned(entity)?;
    let config = entity.config;
    // 0 is no speed: off.
    let max = config.number_or("speed_range_max", 100)?;
    let mut speed = json!({ "type": "integer", "minimum": 0, "maximum": max });
    if config.get("speed_range_max").is_none() && config.get("speed_range_min").is_none() {
        speed["unit"] = "%".into();
    }
    usual(entity, "percentage", speed, "value_template")?;
    let preset = open_choice(entity, "preset_modes")?;
    usual(entity, "preset_mode", preset, "value_template")?;
    let words: Words = vec![
        (
            config.text_or("payload_oscillation_on", "oscillate_on")?,
            true.into(),
        ),
        (
            config.text_or("payload_oscillation_off", "oscillate_off")?,
            false.into(),
        ),
    ];
    let places = places("oscillation", "value_template");
    let yes = json!({ "type": "boolean" });
    entity.worded_property("oscillation", yes, borrow(&places), [&words, &words])?;
    let directions = json!({ "type": "string", "enum": ["forward", "reverse"] });
    let words: Words = vec![
        (
            config.text_or("payload_direction_forward", "forward")?,
            "forward".into(),
        ),
        (
            config.text_or("payload_direction_reverse", "reverse")?,
            "reverse".into(),
        ),
    ];
    let places = self::places("direction", "value_template");
    entity.worded_property("direction", directions, borrow(&places), [&words, &words])
}

/// Whether a fan or a humidifier is on.
fn turned(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let words = on_and_off(entity, "payload_on", "payload_off")?;
    let is_new = entity.config.get("state_value_template").is_some();
    let template = if is_new {
        "state_value_template"
    } else {
        "value_template"
    };
    let places = ["state_topic", template, "command_topic", "command_template"];
    entity.worded_property("", json!({ "type": "boolean" }), places, [&words, &words])
}

/// The members that say where an aspect is.
fn places(aspect: &str, template: &str) -> [String; 4] {
    [
        format!("{aspect}_state_topic"),
        format!("{aspect}_{template}"),
        format!("{aspect}_command_topic"),
        format!("{aspect}_command_template"),
    ]
}

fn borrow(places: &[String; 4]) -> [&str; 4] {
    places.each_ref().map(String::as_str)
}

/// An aspect whose members are called after it. The template of all states stands for its own.
fn usual(
    entity: &mut Entity<'_>,
    aspect: &str,
    schema: Value,
    template: &str,
) -> Result<(), Problem> {
    let mut places = places(aspect, template);
    if entity.config.get(&places[1]).is_none() {
        places[1] = "value_template".to_owned();
    }
    entity.property(aspect, schema, borrow(&places))
}

fn temperature_unit(entity: &Entity<'_>) -> Result<String, Problem> {
    // What says nothing is in the unit of the house, which is not known here.
    Ok(match entity.config.text("temperature_unit")?.as_deref() {
        Some("C") => unit("°C"),
        Some("F") => unit("°F"),
        _ => String::new(),
    })
}

fn limits(
    entity: &Entity<'_>,
    min: &str,
    max: &str,
    step: &str,
    unit: &str,
) -> Result<Value, Problem> {
    let mut schema = json!({ "type": "number" });
    for (member, word) in [(min, "minimum"), (max, "maximum")] {
        if let Some(limit) = entity.config.number(member)? {
            schema[word] = limit;
        }
    }
    if let Some(step) = entity.config.number(step)?
        && step.as_f64().is_some_and(|step| 0.0 < step)
    {
        schema["multipleOf"] = step;
    }
    if !unit.is_empty() {
        schema["unit"] = unit.into();
    }
    Ok(schema)
}

fn current(entity: &mut Entity<'_>, unit: &str) -> Result<(), Problem> {
    let mut now = json!({ "type": "number" });
    if !unit.is_empty() {
        now["unit"] = unit.into();
    }
    let places = [
        "current_temperature_topic",
        "current_temperature_template",
        "",
        "",
    ];
    entity.property("current_temperature", now, places)?;
    let now = json!({ "type": "number", "unit": "%" });
    let places = [
        "current_humidity_topic",
        "current_humidity_template",
        "",
        "",
    ];
    entity.property("current_humidity", now, places)
}

/// One of the texts that are listed, or of the usual ones.
fn choice(entity: &Entity<'_>, member: &str, default: &[&str]) -> Result<Value, Problem> {
    let listed = entity.config.texts(member)?;
    Ok(match listed.is_empty() {
        true => json!({ "type": "string", "enum": default }),
        false => json!({ "type": "string", "enum": listed }),
    })
}

/// One of the texts that are listed, or any.
fn open_choice(entity: &Entity<'_>, member: &str) -> Result<Value, Problem> {
    let listed = entity.config.texts(member)?;
    Ok(match listed.is_empty() {
        true => json!({ "type": "string" }),
        false => json!({ "type": "string", "enum": listed }),
    })
}

fn action(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let what = json!({ "type": "string" });
    entity.property("action", what, ["action_topic", "action_template", "", ""])
}

fn power(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let words = on_and_off(entity, "payload_on", "payload_off")?;
    let places = places("power", "state_template");
    let yes = json!({ "type": "boolean" });
    entity.worded_property("power", yes, borrow(&places), [&words, &words])
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{check, described},
        *,
    };

    #[test]
    fn a_thermostat_has_what_is_wanted_and_what_is() {
        let config = json!({
            "temp_stat_t": "t", "temp_stat_tpl": "{{ value_json.wanted }}", "temp_cmd_t": "t/set",
            "curr_temp_t": "t", "curr_temp_tpl": "{{ value_json.now }}", "act_t": "t/does",
            "mode_stat_t": "t/mode", "mode_cmd_t": "t/mode/set", "modes": ["off", "heat"],
            "min_temp": 5, "max_temp": 30, "temp_step": 0.5, "temp_unit": "C",
        });
        check(
            "climate",
            config.clone(),
            json!({
                "it_temperature": [{ "filter": "t", "path": "/wanted" }, { "topic": "t/set" }],
                "it_current_temperature": [{ "filter": "t", "path": "/now" }],
                "it_mode": [{ "filter": "t/mode" }, { "topic": "t/mode/set" }],
                "it_action": [{ "filter": "t/does" }],
            }),
        );
        let td = described("climate", &config);
        let wanted = &td["properties"]["it_temperature"];
        assert_eq!(
            (&wanted["maximum"], &wanted["unit"]),
            (&json!(30), &json!("Cel"))
        );
        assert_eq!(td["properties"]["it_mode"]["enum"], json!(["off", "heat"]));
    }

    #[test]
    fn a_fan_turns_swings_and_has_a_speed() {
        check(
            "fan",
            json!({
                "stat_t": "f", "cmd_t": "f/set", "osc_stat_t": "f/o", "pl_osc_on": "yes",
                "pl_osc_off": "no", "pct_cmd_t": "f/p", "pct_cmd_tpl": "{{ value }}%",
                "dir_cmd_t": "f/d", "pl_dir_fwd": "up", "pl_dir_rev": "down",
            }),
            json!({
                "it": [
                    { "filter": "f", "values": { "ON": true, "OFF": false } },
                    { "topic": "f/set", "values": { "ON": true, "OFF": false } },
                ],
                "it_oscillation": [{ "filter": "f/o", "values": { "yes": true, "no": false } }],
                "it_percentage": [{ "topic": "f/p", "template": "{{ value }}%" }],
                "it_direction": [{ "topic": "f/d", "values": { "up": "forward", "down": "reverse" } }],
            }),
        );
    }

    #[test]
    fn a_humidifier_and_a_water_heater_have_what_is_wanted() {
        check(
            "humidifier",
            json!({ "cmd_t": "h/set", "hum_cmd_t": "h/wanted", "curr_hum_t": "h/now" }),
            json!({
                "it": [{ "topic": "h/set", "values": { "ON": true, "OFF": false } }],
                "it_target_humidity": [{ "topic": "h/wanted" }],
                "it_current_humidity": [{ "filter": "h/now" }],
            }),
        );
        check(
            "water_heater",
            json!({ "temp_cmd_t": "w/set", "mode_stat_t": "w/mode", "pow_cmd_t": "w/power" }),
            json!({
                "it_temperature": [{ "topic": "w/set" }],
                "it_mode": [{ "filter": "w/mode" }],
                "it_power": [{ "topic": "w/power", "values": { "ON": true, "OFF": false } }],
            }),
        );
    }
}
