//! Messages in the forms of firmware in the field, read whole.

use serde_json::{Value, json};

use super::announce;
use crate::dialects::{
    Announcement,
    parts::{join, tests::assert_valid},
};

fn announced(topic: &str, payload: &str) -> Announcement {
    let announced = announce("homeassistant", topic, payload.as_bytes());
    let announced = announced.unwrap().unwrap().remove(0);
    assert_valid(announced.description.as_ref().unwrap());
    announced
}

/// The element of all messages, which have one key.
fn element(messages: &[(&str, &str)]) -> (String, Value) {
    let all: Vec<Announcement> = messages
        .iter()
        .map(|(topic, payload)| announced(topic, payload))
        .collect();
    assert!(all.iter().all(|one| one.key == all[0].key));
    let parts: Vec<Value> = all
        .iter()
        .filter_map(|one| one.description.clone())
        .collect();
    let td = join(&parts);
    assert_valid(&td);
    (all[0].key.clone(), td)
}

/// Tasmota with `SetOption19 1`.
#[test]
fn a_plug_of_tasmota_is_one_thing_with_short_names() {
    let (key, td) = element(&[
        (
            "homeassistant/switch/35EBF6_RL_1/config",
            r#"{"name":"3DPrinter","stat_t":"tele/EZPlug_35EBF6/STATE",
                "avty_t":"tele/EZPlug_35EBF6/LWT","pl_avail":"Online","pl_not_avail":"Offline",
                "cmd_t":"cmnd/EZPlug_35EBF6/POWER1","pl_off":"OFF","pl_on":"ON",
                "val_tpl":"{{value_json.POWER1}}","uniq_id":"35EBF6_RL_1","dev":{"ids":["35EBF6"]}}"#,
        ),
        (
            "homeassistant/sensor/35EBF6_ENERGY_TotalStartTime/config",
            r#"{"name":"3DPrinter ENERGY TotalStartTime","stat_t":"tele/EZPlug_35EBF6/SENSOR",
                "avty_t":"tele/EZPlug_35EBF6/LWT","pl_avail":"Online","pl_not_avail":"Offline",
                "uniq_id":"35EBF6_ENERGY_TotalStartTime","dev":{"ids":["35EBF6"]},
                "unit_of_meas":" ","ic":"mdi:progress-clock","frc_upd":true,
                "val_tpl":"{{value_json['ENERGY']['TotalStartTime']}}"}"#,
        ),
    ]);
    assert_eq!(key, "things/35EBF6");
    let forms = &td["properties"]["RL_1"]["forms"];
    assert_eq!(forms[0]["quartet:path"], "/POWER1");
    assert_eq!(forms[1]["mqv:topic"], "cmnd/EZPlug_35EBF6/POWER1");
    let since = &td["properties"]["ENERGY_TotalStartTime"];
    assert_eq!(
        (&since["type"], &since["unit"]),
        (&json!("string"), &Value::Null)
    );
    assert_eq!(since["forms"][0]["quartet:path"], "/ENERGY/TotalStartTime");
    let there = td["quartet:availability"].as_array().unwrap();
    assert_eq!(there.len(), 1);
    assert_eq!(there[0]["quartet:values"]["Online"], true);
}

/// ESPHome with `discovery`.
#[test]
fn a_light_of_esphome_is_told_in_json() {
    let (key, td) = element(&[(
        "homeassistant/light/desk/lamp/config",
        r#"{"schema":"json","brightness":true,"sup_clrm":["rgb"],"name":"Lamp",
            "stat_t":"desk/light/lamp/state","cmd_t":"desk/light/lamp/command",
            "avty_t":"desk/status","uniq_id":"ESPlightlamp",
            "dev":{"ids":"a4cf12f03a1c","name":"desk","sw":"2024.3.0","mdl":"esp01","mf":"espressif"}}"#,
    )]);
    assert_eq!(key, "things/a4cf12f03a1c");
    assert_eq!(td["title"], "desk");
    let names: Vec<&String> = td["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["lamp", "lamp_brightness", "lamp_color"]);
}

/// Zigbee2MQTT, Home Assistant's extension.
#[test]
fn a_button_of_zigbee2mqtt_is_an_event() {
    let (_, td) = element(&[(
        "homeassistant/event/0x00158d00/action/config",
        r#"{"name":"Action","state_topic":"zigbee2mqtt/remote","event_types":["single","double"],
            "value_template":"{% set patterns = [('single', '')] %}{{ patterns | to_json }}",
            "unique_id":"0x00158d00_action_zigbee2mqtt",
            "availability":[{"topic":"zigbee2mqtt/bridge/state","value_template":"{{ value_json.state }}"}],
            "availability_mode":"all","origin":{"name":"Zigbee2MQTT","sw":"2.0.0"},
            "device":{"identifiers":["zigbee2mqtt_0x00158d00"],"name":"remote",
                "via_device":"zigbee2mqtt_bridge_0x00212e"}}"#,
    )]);
    assert!(td["events"]["action"]["forms"][0]["quartet:template"].is_string());
    assert_eq!(
        td["links"][0]["href"],
        "urn:quartet:things:zigbee2mqtt_bridge_0x00212e"
    );
}
