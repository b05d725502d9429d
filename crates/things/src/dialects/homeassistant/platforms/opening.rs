//! What opens and closes: covers, valves and locks.

use serde_json::{Value, json};

use super::states;
use crate::{
    dialects::{
        homeassistant::{
            entity::{Entity, Form, Words},
            template,
        },
        parts::members,
    },
    td::Problem,
};

const STATE: [&str; 4] = ["state_topic", "value_template", "", ""];

pub(super) fn cover(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let words = [
        ("state_open", "open"),
        ("state_opening", "opening"),
        ("state_closed", "closed"),
        ("state_closing", "closing"),
        ("state_stopped", "stopped"),
    ];
    state(entity, &words, STATE)?;
    presses(
        entity,
        &[
            ("open", "payload_open", "OPEN"),
            ("close", "payload_close", "CLOSE"),
            ("stop", "payload_stop", "STOP"),
        ],
    )?;
    let position = between(entity, ("position_closed", 0), ("position_open", 100))?;
    let template = match entity.config.get("position_template") {
        Some(_) => "position_template",
        None => "value_template",
    };
    let topic = entity.state("position_topic", template)?;
    let told = entity.command(
        "writeproperty",
        "set_position_topic",
        "set_position_template",
    )?;
    let told = told.map(|form| named(form, "position"));
    entity.add_property("position", position, topic, told);
    let tilt = between(entity, ("tilt_min", 0), ("tilt_max", 100))?;
    let reported = entity.state("tilt_status_topic", "tilt_status_template")?;
    let told = entity.command(
        "writeproperty",
        "tilt_command_topic",
        "tilt_command_template",
    )?;
    let told = told.map(|form| named(form, "tilt_position"));
    entity.add_property("tilt", tilt, reported, told);
    Ok(())
}

/// A command whose template may call the value by this name, too.
fn named(mut form: Form, variable: &str) -> Form {
    if let Some(Value::String(template)) = form.get_mut("quartet:template") {
        template.insert_str(0, &format!("{{% set {variable} = value %}}"));
    }
    form
}

/// What it says of itself, as one of several words.
fn state(
    entity: &mut Entity<'_>,
    words: &[(&str, &str)],
    places: [&str; 4],
) -> Result<(), Problem> {
    let reported = states(entity, words)?;
    let names: Vec<&str> = words.iter().map(|(_, state)| *state).collect();
    let schema = json!({ "type": "string", "enum": names });
    entity.worded_property("", schema, places, [&reported, &Words::new()])
}

/// An action for each payload, unless the device says `null` for it and so has none.
fn presses(entity: &mut Entity<'_>, all: &[(&str, &str, &str)]) -> Result<(), Problem> {
    for (aspect, member, default) in all {
        if !entity.config.is_null(member) {
            let payload = entity.config.text_or(member, default)?;
            entity.press(aspect, &payload, "command_topic", "command_template")?;
        }
    }
    Ok(())
}

/// A number between two that are said, in either order.
fn between(entity: &Entity<'_>, one: (&str, i64), other: (&str, i64)) -> Result<Value, Problem> {
    let one = entity.config.number_or(one.0, one.1)?;
    let other = entity.config.number_or(other.0, other.1)?;
    let (min, max) = if other.as_f64() < one.as_f64() {
        (other, one)
    } else {
        (one, other)
    };
    Ok(json!({ "type": "number", "minimum": min, "maximum": max }))
}

/// A valve has a position that is told where its payloads are, if it reports one.
pub(super) fn valve(entity: &mut Entity<'_>) -> Result<(), Problem> {
    if entity.config.flag("reports_position")? == Some(true) {
        let position = between(entity, ("position_closed", 0), ("position_open", 100))?;
        let places = [
            "state_topic",
            "value_template",
            "command_topic",
            "command_template",
        ];
        entity.property("", position, places)?;
        let stop = entity.config.text("payload_stop")?;
        return match stop {
            Some(stop) => entity.press("stop", &stop, "command_topic", "command_template"),
            None => Ok(()),
        };
    }
    let words = [
        ("state_open", "open"),
        ("state_opening", "opening"),
        ("state_closed", "closed"),
        ("state_closing", "closing"),
    ];
    state(entity, &words, STATE)?;
    presses(
        entity,
        &[
            ("open", "payload_open", "OPEN"),
            ("close", "payload_close", "CLOSE"),
        ],
    )?;
    match entity.config.text("payload_stop")? {
        Some(stop) => entity.press("stop", &stop, "command_topic", "command_template"),
        None => Ok(()),
    }
}

pub(super) fn lock(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let words = [
        ("state_locked", "LOCKED"),
        ("state_unlocked", "UNLOCKED"),
        ("state_locking", "LOCKING"),
        ("state_unlocking", "UNLOCKING"),
        ("state_jammed", "JAMMED"),
    ];
    let mut reported = states(entity, &words)?;
    for (_, state) in &mut reported {
        *state = state.as_str().unwrap_or_default().to_lowercase().into();
    }
    let names: Vec<&Value> = reported.iter().map(|(_, state)| state).collect();
    let schema = json!({ "type": "string", "enum": names });
    entity.worded_property("", schema, STATE, [&reported, &Words::new()])?;
    let pattern = entity.config.text("code_format")?;
    let open = entity.config.text("payload_open")?;
    let mut all = vec![
        ("lock", entity.config.text_or("payload_lock", "LOCK")?),
        ("unlock", entity.config.text_or("payload_unlock", "UNLOCK")?),
    ];
    all.extend(open.map(|open| ("open", open)));
    for (aspect, payload) in all {
        match &pattern {
            Some(pattern) => with_code(entity, aspect, "value", &payload, Some(pattern))?,
            None => entity.press(aspect, &payload, "command_topic", "command_template")?,
        }
    }
    Ok(())
}

/// An action whose input is a code, which its template puts beside the payload.
pub(super) fn with_code(
    entity: &mut Entity<'_>,
    aspect: &str,
    variable: &str,
    payload: &str,
    pattern: Option<&str>,
) -> Result<(), Problem> {
    let form = entity.command("invokeaction", "command_topic", "command_template")?;
    let Some(mut form) = form else {
        return Ok(());
    };
    match form.get_mut("quartet:template") {
        Some(Value::String(template)) => {
            let variables = format!(
                "{{% set code = value %}}{}",
                template::set(variable, payload)
            );
            template.insert_str(0, &variables);
        }
        // Without a template nothing says where the code goes.
        _ => drop(form.insert("quartet:payload".to_owned(), payload.into())),
    }
    let mut input = json!({ "type": "string", "title": "Code" });
    if let Some(pattern) = pattern {
        input["pattern"] = pattern.into();
    }
    entity.add_action(aspect, members(json!({ "input": input })), form);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{check, described},
        *,
    };

    #[test]
    fn a_cover_has_a_state_a_position_a_tilt_and_three_actions() {
        check(
            "cover",
            json!({
                "stat_t": "c", "cmd_t": "c/set", "pl_stop": null, "stat_open": "up",
                "pos_t": "c/pos", "set_pos_t": "c/pos/set", "set_pos_tpl": "{{ position }}%",
                "tilt_cmd_t": "c/tilt",
            }),
            json!({
                "it": [{ "filter": "c", "values": {
                    "up": "open", "opening": "opening", "closed": "closed", "closing": "closing",
                    "stopped": "stopped",
                }}],
                "it_open": [{ "topic": "c/set", "payload": "OPEN" }],
                "it_close": [{ "topic": "c/set", "payload": "CLOSE" }],
                "it_position": [
                    { "filter": "c/pos" },
                    { "topic": "c/pos/set", "template": "{% set position = value %}{{ position }}%" },
                ],
                "it_tilt": [{ "topic": "c/tilt" }],
            }),
        );
        let turned = json!({ "pos_t": "c", "pos_open": 0, "pos_clsd": 100 });
        let position = &described("cover", &turned)["properties"]["it_position"];
        assert_eq!(
            (&position["minimum"], &position["maximum"]),
            (&json!(0), &json!(100))
        );
    }

    #[test]
    fn a_valve_reports_a_state_or_a_position() {
        check(
            "valve",
            json!({ "stat_t": "v", "cmd_t": "v/set", "pos": true, "pl_stop": "HALT" }),
            json!({
                "it": [{ "filter": "v" }, { "topic": "v/set" }],
                "it_stop": [{ "topic": "v/set", "payload": "HALT" }],
            }),
        );
        check(
            "valve",
            json!({ "cmd_t": "v/set" }),
            json!({
                "it_open": [{ "topic": "v/set", "payload": "OPEN" }],
                "it_close": [{ "topic": "v/set", "payload": "CLOSE" }],
            }),
        );
    }

    #[test]
    fn a_lock_may_need_a_code() {
        check(
            "lock",
            json!({
                "stat_t": "k", "cmd_t": "k/set", "cod_form": "^\\d{4}$",
                "cmd_tpl": "{\"do\":\"{{ value }}\",\"code\":\"{{ code }}\"}",
            }),
            json!({
                "it": [{ "filter": "k", "values": {
                    "LOCKED": "locked", "UNLOCKED": "unlocked", "LOCKING": "locking",
                    "UNLOCKING": "unlocking", "JAMMED": "jammed",
                }}],
                "it_lock": [{
                    "topic": "k/set",
                    "template": "{% set code = value %}{% set value = 'LOCK' %}\
                        {\"do\":\"{{ value }}\",\"code\":\"{{ code }}\"}",
                }],
                "it_unlock": [{
                    "topic": "k/set",
                    "template": "{% set code = value %}{% set value = 'UNLOCK' %}\
                        {\"do\":\"{{ value }}\",\"code\":\"{{ code }}\"}",
                }],
            }),
        );
    }
}
