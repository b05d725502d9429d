//! What works by itself and is told when: vacuums, mowers, sirens and alarms.

use serde_json::{Map, Value, json};

use super::{on_and_off, opening::with_code};
use crate::{
    dialects::{
        homeassistant::{
            entity::{Entity, Form, with_words},
            template,
        },
        parts::members,
    },
    td::Problem,
};

/// A form of a member of what is reported as JSON.
fn at(form: Option<Form>, path: &str) -> Option<Form> {
    form.map(|mut form| {
        form.insert("contentType".to_owned(), "application/json".into());
        form.insert("quartet:path".to_owned(), path.into());
        form
    })
}

/// State and suction in one object; commands as payloads [schema `state`].
pub(super) fn vacuum(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let config = entity.config;
    let default = [
        "start",
        "stop",
        "return_home",
        "status",
        "battery",
        "clean_spot",
    ];
    let mut features = config.texts("supported_features")?;
    if features.is_empty() {
        features = default.map(str::to_owned).to_vec();
    }
    let has = |feature: &str| features.iter().any(|said| said == feature);
    let state = entity.state("state_topic", "value_template")?;
    let states = ["cleaning", "docked", "paused", "idle", "returning", "error"];
    let schema = json!({ "type": "string", "enum": states });
    entity.add_property("", schema, at(state.clone(), "/state"), None);
    for (feature, member, payload) in [
        ("start", "payload_start", "start"),
        ("pause", "payload_pause", "pause"),
        ("stop", "payload_stop", "stop"),
        ("return_home", "payload_return_to_base", "return_to_base"),
        ("clean_spot", "payload_clean_spot", "clean_spot"),
        ("locate", "payload_locate", "locate"),
    ] {
        if has(feature) {
            let payload = config.text_or(member, payload)?;
            entity.press(feature, &payload, "command_topic", "")?;
        }
    }
    if has("fan_speed") {
        let speeds = config.texts("fan_speed_list")?;
        let mut schema = json!({ "type": "string" });
        if !speeds.is_empty() {
            schema["enum"] = json!(speeds);
        }
        let told = entity.command("writeproperty", "set_fan_speed_topic", "")?;
        entity.add_property("fan_speed", schema, at(state, "/fan_speed"), told);
    }
    if has("send_command")
        && let Some(form) = entity.command("invokeaction", "send_command_topic", "")?
    {
        let input = json!({ "input": { "type": "string", "title": "Command" } });
        entity.add_action("send_command", members(input), form);
    }
    Ok(())
}

pub(super) fn lawn_mower(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let activities =
        json!({ "type": "string", "enum": ["mowing", "paused", "docked", "error", "returning"] });
    let places = ["activity_state_topic", "activity_value_template", "", ""];
    entity.property("", activities, places)?;
    entity.press(
        "start_mowing",
        "start_mowing",
        "start_mowing_command_topic",
        "start_mowing_command_template",
    )?;
    entity.press(
        "pause",
        "pause",
        "pause_command_topic",
        "pause_command_template",
    )?;
    entity.press(
        "dock",
        "dock",
        "dock_command_topic",
        "dock_command_template",
    )
}

/// Without a template, a siren is told in JSON: how long and how loud beside its state.
pub(super) fn siren(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let config = entity.config;
    let told = on_and_off(entity, "payload_on", "payload_off")?;
    let (on, off) = (&told[0], &told[1]);
    let reported = vec![
        (config.text_or("state_on", &on.0)?, true.into()),
        (config.text_or("state_off", &off.0)?, false.into()),
    ];
    let has_template = config.get("command_template").is_some();
    let state = entity.state("state_topic", "state_value_template")?;
    let state = state.map(|form| with_words(form, &reported, None));
    let command = entity.command("writeproperty", "command_topic", "command_template")?;
    let command = if has_template {
        command
    } else {
        at(command, "/state")
    };
    let turn = command.clone().map(|form| with_words(form, &told, None));
    entity.add_property("", json!({ "type": "boolean" }), state, turn);
    let Some(mut form) = command else {
        return Ok(());
    };
    let mut sound = json!({ "type": "object", "properties": {} });
    let tones = config.texts("available_tones")?;
    if !tones.is_empty() {
        sound["properties"]["tone"] = json!({ "type": "string", "enum": tones });
    }
    if config.flag("support_duration")? != Some(false) {
        sound["properties"]["duration"] = json!({ "type": "number", "minimum": 0, "unit": "s" });
    }
    if config.flag("support_volume_set")? != Some(false) {
        let volume = json!({ "type": "number", "minimum": 0, "maximum": 1 });
        sound["properties"]["volume_level"] = volume;
    }
    if has_template
        || sound["properties"]
            .as_object()
            .is_none_or(|all| all.is_empty())
    {
        return Ok(());
    }
    // The whole object is told, and says that the siren is to sound.
    let on = &on.0;
    sound["properties"]["state"] = json!({ "type": "string", "const": on, "default": on });
    sound["required"] = json!(["state"]);
    form.remove("quartet:path");
    form.insert("op".to_owned(), "invokeaction".into());
    entity.add_action("sound", members(json!({ "input": sound })), form);
    Ok(())
}

/// An alarm's modes: feature, action, member and payload.
const ALARMS: [(&str, &str, &str, &str); 7] = [
    ("arm_home", "arm_home", "payload_arm_home", "ARM_HOME"),
    ("arm_away", "arm_away", "payload_arm_away", "ARM_AWAY"),
    ("arm_night", "arm_night", "payload_arm_night", "ARM_NIGHT"),
    (
        "arm_vacation",
        "arm_vacation",
        "payload_arm_vacation",
        "ARM_VACATION",
    ),
    (
        "arm_custom_bypass",
        "arm_custom_bypass",
        "payload_arm_custom_bypass",
        "ARM_CUSTOM_BYPASS",
    ),
    ("", "disarm", "payload_disarm", "DISARM"),
    ("trigger", "trigger", "payload_trigger", "TRIGGER"),
];

/// A code that the device checks is the input of its actions. One that Home Assistant would check
/// is a secret: it is not in the description, and the actions need none.
pub(super) fn alarm_control_panel(entity: &mut Entity<'_>) -> Result<(), Problem> {
    let config = entity.config;
    let states = [
        "disarmed",
        "armed_home",
        "armed_away",
        "armed_night",
        "armed_vacation",
        "armed_custom_bypass",
        "pending",
        "triggered",
        "arming",
        "disarming",
    ];
    let schema = json!({ "type": "string", "enum": states });
    entity.property("", schema, ["state_topic", "value_template", "", ""])?;
    let features = config.texts("supported_features")?;
    let code = config.text("code")?;
    let pattern = match code.as_deref() {
        Some("REMOTE_CODE") => Some(Some(r"^\d+$")),
        Some("REMOTE_CODE_TEXT") => Some(None),
        _ => None,
    };
    for (feature, action, member, default) in ALARMS {
        let is_there = feature.is_empty() || features.is_empty();
        if !is_there && !features.iter().any(|said| said == feature) {
            continue;
        }
        let payload = config.text_or(member, default)?;
        match pattern {
            Some(pattern) => with_code(entity, action, "action", &payload, pattern)?,
            None => press(entity, action, &payload)?,
        }
    }
    Ok(())
}

/// As any press, but the template calls the payload `action`.
fn press(entity: &mut Entity<'_>, action: &str, payload: &str) -> Result<(), Problem> {
    let form = entity.command("invokeaction", "command_topic", "command_template")?;
    let Some(mut form) = form else {
        return Ok(());
    };
    match form.get_mut("quartet:template") {
        Some(Value::String(template)) => {
            let set = ["action", "value"].map(|variable| template::set(variable, payload));
            template.insert_str(0, &set.concat());
        }
        _ => drop(form.insert("quartet:payload".to_owned(), payload.into())),
    }
    entity.add_action(action, Map::new(), form);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{check, described},
        *,
    };

    #[test]
    fn a_vacuum_has_what_it_says_it_has() {
        check(
            "vacuum",
            json!({
                "stat_t": "v", "cmd_t": "v/cmd", "sup_feat": ["start", "fan_speed"],
                "fanspd_lst": ["min", "max"], "set_fan_spd_t": "v/fan",
            }),
            json!({
                "it": [{ "filter": "v", "path": "/state" }],
                "it_start": [{ "topic": "v/cmd", "payload": "start" }],
                "it_fan_speed": [{ "filter": "v", "path": "/fan_speed" }, { "topic": "v/fan" }],
            }),
        );
    }

    #[test]
    fn a_mower_mows_pauses_and_docks() {
        check(
            "lawn_mower",
            json!({ "act_stat_t": "m", "strt_mw_cmd_t": "m/start", "dock_cmd_t": "m/dock" }),
            json!({
                "it": [{ "filter": "m" }],
                "it_start_mowing": [{ "topic": "m/start", "payload": "start_mowing" }],
                "it_dock": [{ "topic": "m/dock", "payload": "dock" }],
            }),
        );
    }

    #[test]
    fn a_siren_is_told_how_to_sound() {
        let config =
            json!({ "stat_t": "s", "cmd_t": "s/set", "av_tones": ["ding"], "sup_vol": false });
        let words = json!({ "ON": true, "OFF": false });
        check(
            "siren",
            config.clone(),
            json!({
                "it": [
                    { "filter": "s", "values": words },
                    { "topic": "s/set", "path": "/state", "values": words },
                ],
                "it_sound": [{ "topic": "s/set" }],
            }),
        );
        let sound = &described("siren", &config)["actions"]["it_sound"]["input"]["properties"];
        let names: Vec<&String> = sound.as_object().unwrap().keys().collect();
        assert_eq!(names, ["duration", "state", "tone"]);
    }

    #[test]
    fn an_alarm_is_armed_with_a_code_if_the_device_checks_it() {
        check(
            "alarm_control_panel",
            json!({
                "stat_t": "a", "cmd_t": "a/set", "sup_feat": ["arm_home"], "code": "REMOTE_CODE",
                "cmd_tpl": "{{ action }},{{ code }}",
            }),
            json!({
                "it": [{ "filter": "a" }],
                "it_arm_home": [{
                    "topic": "a/set",
                    "template": "{% set code = value %}{% set action = 'ARM_HOME' %}{{ action }},{{ code }}",
                }],
                "it_disarm": [{
                    "topic": "a/set",
                    "template": "{% set code = value %}{% set action = 'DISARM' %}{{ action }},{{ code }}",
                }],
            }),
        );
        let secret = json!({ "cmd_t": "a/set", "code": "1234", "sup_feat": ["trigger"] });
        assert!(
            !described("alarm_control_panel", &secret)
                .to_string()
                .contains("1234")
        );
        check(
            "alarm_control_panel",
            secret,
            json!({
                "it_disarm": [{ "topic": "a/set", "payload": "DISARM" }],
                "it_trigger": [{ "topic": "a/set", "payload": "TRIGGER" }],
            }),
        );
    }
}
