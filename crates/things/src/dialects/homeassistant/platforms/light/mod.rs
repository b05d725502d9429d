//! Lights, which say what they are in three schemas: a topic for each aspect, JSON, or templates.

mod by_template; // schema `template`
mod in_json; // schema `json`

use serde_json::{Value, json};

use super::on_and_off;
use crate::{
    dialects::homeassistant::entity::{Entity, Form},
    td::Problem,
};

pub(super) fn light(entity: &mut Entity<'_>) -> Result<(), Problem> {
    match entity.config.text_or("schema", "basic")?.as_str() {
        "basic" | "default" => basic(entity),
        "json" => in_json::describe(entity),
        "template" => by_template::describe(entity),
        other => {
            let what = format!("is `{other}`; must be `basic`, `json` or `template`");
            Err(entity.config.problem("schema", what))
        }
    }
}

/// The colours of the basic schema: aspect, the parts of a colour in their order, and the pattern of
/// one part.
const COLOURS: [(&str, &[&str], &str); 5] = [
    ("rgb", &["red", "green", "blue"], r"\d+"),
    ("rgbw", &["red", "green", "blue", "white"], r"\d+"),
    (
        "rgbww",
        &["red", "green", "blue", "cold_white", "warm_white"],
        r"\d+",
    ),
    ("hs", &["hue", "sat"], r"[\d.]+"),
    ("xy", &["x", "y"], r"[\d.]+"),
];

fn basic(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let words = on_and_off(entity, "payload_on", "payload_off")?;
    let is_new = entity.config.get("state_value_template").is_some();
    let template = if is_new {
        "state_value_template"
    } else {
        "value_template"
    };
    let places = ["state_topic", template, "command_topic", ""];
    entity.worded_property("", json!({ "type": "boolean" }), places, [&words, &words])?;
    let brightness = level(entity, "brightness_scale")?;
    entity.property("brightness", brightness, usual("brightness"))?;
    let temperature = temperature(entity)?;
    entity.property("color_temp", temperature, usual("color_temp"))?;
    let effects = effects(entity)?;
    entity.property("effect", effects, usual("effect"))?;
    let mode = [
        "color_mode_state_topic",
        "color_mode_value_template",
        "",
        "",
    ];
    entity.property("color_mode", json!({ "type": "string" }), mode)?;
    let white = level(entity, "white_scale")?;
    entity.property("white", white, ["", "", "white_command_topic", ""])?;
    for (aspect, parts, digits) in COLOURS {
        colour(entity, aspect, parts, digits)?;
    }
    Ok(())
}

/// The members of an aspect of the basic schema.
fn usual(aspect: &str) -> [&'static str; 4] {
    match aspect {
        "brightness" => [
            "brightness_state_topic",
            "brightness_value_template",
            "brightness_command_topic",
            "brightness_command_template",
        ],
        "color_temp" => [
            "color_temp_state_topic",
            "color_temp_value_template",
            "color_temp_command_topic",
            "color_temp_command_template",
        ],
        _ => [
            "effect_state_topic",
            "effect_value_template",
            "effect_command_topic",
            "effect_command_template",
        ],
    }
}

/// A colour is its parts with commas between, `255,128,0`, reported as well as told, unless
/// templates say something else; those of commands have a variable for each part.
fn colour(
    entity: &mut Entity<'_>,
    aspect: &str,
    parts: &[&str],
    digits: &str,
) -> Result<(), Problem> {
    let member = |what: &str| format!("{aspect}_{what}");
    let state = entity.state(&member("state_topic"), &member("value_template"))?;
    let (topic, template) = (member("command_topic"), member("command_template"));
    let command = entity.command("writeproperty", &topic, &template)?;
    let command = command.map(|form| with_variables(form, &split(parts)));
    let pattern = vec![digits; parts.len()].join(",");
    let schema = json!({ "type": "string", "pattern": format!("^{pattern}$") });
    entity.add_property(aspect, schema, state, command);
    Ok(())
}

/// Variables for the parts of a value.
fn split(parts: &[&str]) -> String {
    let named = parts.iter().enumerate();
    let set = named
        .map(|(index, part)| format!("{{% set {part} = value.split(',')[{index}] | float %}}"));
    set.collect()
}

/// A command whose template has variables before it.
fn with_variables(mut form: Form, variables: &str) -> Form {
    if let Some(Value::String(template)) = form.get_mut("quartet:template") {
        template.insert_str(0, variables);
    }
    form
}

fn level(entity: &Entity<'_>, scale: &str) -> Result<Value, Problem> {
    let max = entity.config.number_or(scale, 255)?;
    Ok(json!({ "type": "integer", "minimum": 0, "maximum": max }))
}

/// Mired, or kelvin if the light says so.
fn temperature(entity: &Entity<'_>) -> Result<Value, Problem> {
    let config = entity.config;
    let (min, max, unit) = match config.flag("color_temp_kelvin")? {
        Some(true) => ("min_kelvin", "max_kelvin", "K"),
        _ => ("min_mireds", "max_mireds", "mired"),
    };
    let mut schema = json!({ "type": "number", "unit": unit });
    for (member, word) in [(min, "minimum"), (max, "maximum")] {
        if let Some(limit) = config.number(member)? {
            schema[word] = limit;
        }
    }
    Ok(schema)
}

fn effects(entity: &Entity<'_>) -> Result<Value, Problem> {
    let effects = entity.config.texts("effect_list")?;
    Ok(match effects.is_empty() {
        true => json!({ "type": "string" }),
        false => json!({ "type": "string", "enum": effects }),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::check;

    #[test]
    fn a_light_has_a_topic_for_each_aspect() {
        check(
            "light",
            json!({
                "stat_t": "l", "cmd_t": "l/set", "pl_on": "1", "pl_off": "0",
                "bri_stat_t": "l/b", "bri_cmd_t": "l/b/set", "bri_scl": 100,
                "rgb_cmd_t": "l/c/set", "rgb_cmd_tpl": "{{ red }}-{{ green }}-{{ blue }}",
            }),
            json!({
                "it": [
                    { "filter": "l", "values": { "1": true, "0": false } },
                    { "topic": "l/set", "values": { "1": true, "0": false } },
                ],
                "it_brightness": [{ "filter": "l/b" }, { "topic": "l/b/set" }],
                "it_rgb": [{
                    "topic": "l/c/set",
                    "template": "{% set red = value.split(',')[0] | float %}\
                        {% set green = value.split(',')[1] | float %}\
                        {% set blue = value.split(',')[2] | float %}\
                        {{ red }}-{{ green }}-{{ blue }}",
                }],
            }),
        );
    }
}
