use serde_json::{Value, json};

use super::{effects, temperature};
use crate::{
    dialects::homeassistant::{
        entity::{Entity, Form, with_words},
        platforms::on_and_off,
    },
    td::Problem,
};

/// All aspects are members of one object, which is reported and told.
pub(super) fn describe(entity: &mut Entity<'_>) -> Result<(), Problem> {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::tests::{check, described};

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
}
