use serde_json::json;

use super::{effects, split, temperature};
use crate::{
    dialects::homeassistant::{
        entity::{Entity, with_words},
        template,
    },
    td::Problem,
};

/// Each aspect is found by a template, and all are told by one of two.
pub(super) fn describe(entity: &mut Entity<'_>) -> Result<(), Problem> {
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
    use super::{super::super::tests::check, *};

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
