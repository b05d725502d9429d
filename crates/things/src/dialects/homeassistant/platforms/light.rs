//! Lights, which say what they are in three schemas: a topic for each aspect, JSON, or templates.

use serde_json::{Value, json};

use super::{basic::distinct, on_and_off};
use crate::{
    dialects::homeassistant::{
        entity::{Entity, Form, with_words},
        template,
    },
    td::Problem,
};

pub(super) fn light(entity: &mut Entity<'_>) -> Result<(), Problem> {
    match entity.config.text_or("schema", "basic")?.as_str() {
        "basic" | "default" => basic(entity),
        "json" => in_json(entity),
        "template" => in_templates(entity),
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
    let effects = distinct(entity.config.texts("effect_list")?);
    Ok(match effects.is_empty() {
        true => json!({ "type": "string" }),
        false => json!({ "type": "string", "enum": effects }),
    })
}

/// All aspects are members of one object, which is reported and told.
fn in_json(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let config = entity.config;
    let modes = config.texts("supported_color_modes")?;
    let has = |member: &str, modes_with_it: &[&str]| -> Result<bool, Problem> {
        let is_with = |mode: &String| modes_with_it.contains(&mode.as_str());
        Ok(config.flag(member)? == Some(true) || modes.iter().any(is_with))
    };
    let colours = ["hs", "rgb", "rgbw", "rgbww", "xy"];
    let no_brightness = modes.iter().all(|mode| mode == "onoff");
    let is_bright = config.flag("brightness")?.unwrap_or(!no_brightness);
    let is_white = has("color_temp", &["color_temp"])?;
    let has_effects = config.flag("effect")? == Some(true) || config.get("effect_list").is_some();
    let words = on_and_off(entity, "payload_on", "payload_off")?;
    let at = |form: Option<Form>, path: &str| {
        form.map(|mut form| {
            form.insert("contentType".to_owned(), "application/json".into());
            form.insert("quartet:path".to_owned(), path.into());
            form
        })
    };
    let state = entity.state("state_topic", "")?;
    let command = entity.command("writeproperty", "command_topic", "")?;
    let worded = |form| at(form, "/state").map(|form| with_words(form, &words, None));
    let (on, turn) = (worded(state.clone()), worded(command.clone()));
    entity.add_property("", json!({ "type": "boolean" }), on, turn);
    let mut add = |aspect: &str, schema: Value| {
        let path = format!("/{aspect}");
        let (state, command) = (at(state.clone(), &path), at(command.clone(), &path));
        entity.add_property(aspect, schema, state, command);
    };
    if is_bright {
        let max = config.number_or("brightness_scale", 255)?;
        add(
            "brightness",
            json!({ "type": "integer", "minimum": 0, "maximum": max }),
        );
    }
    for mode in colours {
        if has(mode, &[mode])? {
            add("color", colour_object(&modes, mode));
            break;
        }
    }
    if has("white", &["white"])? {
        let max = config.number_or("white_scale", 255)?;
        add(
            "white",
            json!({ "type": "integer", "minimum": 0, "maximum": max }),
        );
    }
    if is_white {
        let schema = temperature(entity)?;
        let (state, command) = (
            at(state.clone(), "/color_temp"),
            at(command.clone(), "/color_temp"),
        );
        entity.add_property("color_temp", schema, state, command);
    }
    if has_effects {
        let schema = effects(entity)?;
        let (state, command) = (at(state, "/effect"), at(command, "/effect"));
        entity.add_property("effect", schema, state, command);
    }
    Ok(())
}

/// What a colour of one mode is made of; of several modes, any of the parts.
fn colour_object(modes: &[String], mode: &str) -> Value {
    let all = modes.iter().map(String::as_str).chain([mode]);
    let mut parts = json!({});
    for mode in all {
        let (names, max): (&[&str], f64) = match mode {
            "rgb" => (&["r", "g", "b"], 255.0),
            "rgbw" => (&["r", "g", "b", "w"], 255.0),
            "rgbww" => (&["r", "g", "b", "c", "w"], 255.0),
            "xy" => (&["x", "y"], 1.0),
            "hs" => (&["h", "s"], 360.0),
            _ => continue,
        };
        for name in names {
            let max = if *name == "s" { 100.0 } else { max };
            parts[name] = json!({ "type": "number", "minimum": 0, "maximum": max });
        }
    }
    json!({ "type": "object", "properties": parts })
}

/// Each aspect is found by a template, and all are told by one of two.
fn in_templates(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let config = entity.config;
    let on = config.text_or("command_on_template", "")?;
    let off = config.text_or("command_off_template", "")?;
    let command = entity.command("writeproperty", "command_topic", "")?;
    let told = |template: String| {
        command.clone().map(|mut form| {
            form.insert("quartet:template".to_owned(), template.into());
            form
        })
    };
    let (is_on, is_off) = (template::set("state", "on"), template::set("state", "off"));
    let turn = format!("{{% if value %}}{is_on}{on}{{% else %}}{is_off}{off}{{% endif %}}");
    let words = vec![
        ("on".to_owned(), true.into()),
        ("off".to_owned(), false.into()),
    ];
    let found = |entity: &Entity<'_>, template: &str| match config.get(template) {
        Some(_) => entity.state("state_topic", template),
        None => Ok(None),
    };
    let state = found(entity, "state_template")?;
    let state = state.map(|form| with_words(form, &words, None));
    entity.add_property("", json!({ "type": "boolean" }), state, told(turn));
    let aspects = [
        (
            "brightness",
            json!({ "type": "integer", "minimum": 0, "maximum": 255 }),
        ),
        ("color_temp", temperature(entity)?),
        ("effect", effects(entity)?),
    ];
    for (aspect, schema) in aspects {
        let state = found(entity, &format!("{aspect}_template"))?;
        let command = on
            .contains(aspect)
            .then(|| told(format!("{is_on}{{% set {aspect} = value %}}{on}")));
        entity.add_property(aspect, schema, state, command.flatten());
    }
    let parts = ["red", "green", "blue"];
    for part in parts {
        let state = found(entity, &format!("{part}_template"))?;
        entity.add_property(
            part,
            json!({ "type": "integer", "minimum": 0, "maximum": 255 }),
            state,
            None,
        );
    }
    if parts.iter().any(|part| on.contains(part)) {
        let schema = json!({ "type": "string", "pattern": r"^\d+,\d+,\d+$" });
        let command = told(format!("{is_on}{}{on}", split(&parts)));
        entity.add_property("rgb", schema, None, command);
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

    #[test]
    fn a_light_in_json_has_its_aspects_in_one_object() {
        let config = json!({
            "schema": "json", "stat_t": "l", "cmd_t": "l/set", "brightness": true,
            "sup_clrm": ["xy", "color_temp"], "fx_list": ["blink"], "max_mirs": 500,
        });
        let words = json!({ "ON": true, "OFF": false });
        check(
            "light",
            config.clone(),
            json!({
                "it": [
                    { "filter": "l", "path": "/state", "values": words },
                    { "topic": "l/set", "path": "/state", "values": words },
                ],
                "it_brightness": [
                    { "filter": "l", "path": "/brightness" },
                    { "topic": "l/set", "path": "/brightness" },
                ],
                "it_color": [
                    { "filter": "l", "path": "/color" },
                    { "topic": "l/set", "path": "/color" },
                ],
                "it_color_temp": [
                    { "filter": "l", "path": "/color_temp" },
                    { "topic": "l/set", "path": "/color_temp" },
                ],
                "it_effect": [
                    { "filter": "l", "path": "/effect" },
                    { "topic": "l/set", "path": "/effect" },
                ],
            }),
        );
        let td = described("light", &config);
        assert_eq!(td["properties"]["it_color_temp"]["maximum"], 500);
        assert_eq!(
            td["properties"]["it_color"]["properties"]["x"]["maximum"],
            1.0
        );
    }

    #[test]
    fn a_light_in_templates_is_told_by_them() {
        check(
            "light",
            json!({
                "schema": "template", "stat_t": "l", "cmd_t": "l/set",
                "stat_tpl": "{{ value.split(',')[0] }}", "bri_tpl": "{{ value.split(',')[1] }}",
                "cmd_on_tpl": "on,{{ brightness }}", "cmd_off_tpl": "off",
            }),
            json!({
                "it": [
                    {
                        "filter": "l", "template": "{{ value.split(',')[0] }}",
                        "values": { "on": true, "off": false },
                    },
                    {
                        "topic": "l/set",
                        "template": "{% if value %}{% set state = 'on' %}on,{{ brightness }}\
                            {% else %}{% set state = 'off' %}off{% endif %}",
                    },
                ],
                "it_brightness": [
                    { "filter": "l", "template": "{{ value.split(',')[1] }}" },
                    {
                        "topic": "l/set",
                        "template": "{% set state = 'on' %}{% set brightness = value %}on,{{ brightness }}",
                    },
                ],
            }),
        );
    }
}
