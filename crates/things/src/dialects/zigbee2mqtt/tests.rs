use super::*;
use crate::{
    dialects::native::{Role, native_forms},
    td::{Description, Interner},
};

fn network() -> Value {
    json!([
        { "ieee_address": "0x00", "type": "Coordinator", "friendly_name": "Coordinator" },
        { "ieee_address": "0x0a", "type": "Router", "friendly_name": "hall/lamp é",
          "software_build_id": "1.2", "definition": {
            "vendor": "V", "model": "M", "description": "A lamp", "supports_ota": true,
            "exposes": [
                { "type": "light", "features": [
                    { "type": "binary", "name": "state", "property": "state", "label": "State", "access": 7,
                      "value_on": "ON", "value_off": "OFF", "value_toggle": "TOGGLE" },
                    { "type": "numeric", "name": "brightness", "property": "brightness", "access": 7,
                      "value_min": 0, "value_max": 254 },
                    { "type": "composite", "name": "color_xy", "property": "color", "access": 7, "features": [
                        { "type": "numeric", "name": "x", "property": "x", "access": 7 } ] },
                ] },
                { "type": "enum", "name": "identify", "property": "identify", "access": 2, "values": ["identify"] },
                { "type": "enum", "name": "effect", "property": "effect", "access": 2, "values": ["blink", "okay"] },
                { "type": "enum", "name": "action", "property": "action", "access": 1, "values": ["on", "off"] },
                { "type": "numeric", "name": "temperature", "property": "temperature", "access": 1, "unit": "°C" },
                { "type": "binary", "name": "contact", "property": "contact", "access": 1,
                  "value_on": false, "value_off": true },
            ] } },
        { "ieee_address": "0x0b", "type": "EndDevice", "friendly_name": "0x0b", "definition": null },
    ])
}

fn announced(topic: &str, payload: &str) -> Vec<Announcement> {
    let announced = announce("zigbee2mqtt", topic, payload.as_bytes())
        .unwrap()
        .unwrap();
    for one in &announced {
        let Some(description) = &one.description else {
            continue;
        };
        let valid = Description::parse(description.to_string(), &mut Interner::default());
        assert!(valid.is_ok(), "{}", valid.unwrap_err());
        assert_eq!(native_forms(description).1, []);
    }
    announced
}

/// What a payload says of one affordance.
#[track_caller]
fn check(role: Role, payload: &str, expected: Value) {
    let devices = announced("zigbee2mqtt/bridge/devices", &network().to_string());
    let (natives, _) = native_forms(devices[1].description.as_ref().unwrap());
    let native = natives
        .iter()
        .find(|native| native.role == role && native.form.ops.reports())
        .unwrap();
    let read = native.form.read(payload.as_bytes()).unwrap().unwrap();
    assert_eq!(read.value, expected);
}

/// Where and how one affordance is told a value.
#[track_caller]
fn check_told(role: Role, value: Value, topic: &str, payload: &str) {
    let devices = announced("zigbee2mqtt/bridge/devices", &network().to_string());
    let natives = devices
        .iter()
        .flat_map(|device| native_forms(device.description.as_ref().unwrap()).0);
    let mut natives = natives.filter(|native| native.role == role && native.form.ops.tells());
    let form = natives.next().unwrap().form;
    let told =
        String::from_utf8(form.write_at(&value, quartet_model::Time::ZERO).unwrap()).unwrap();
    assert_eq!((&*form.topic, &*told), (topic, payload));
}

fn property(name: &str) -> Role {
    Role::Property(name.into())
}

#[test]
fn each_device_is_a_thing_and_the_bridge_is_one() {
    let devices = announced("zigbee2mqtt/bridge/devices", &network().to_string());
    let keys: Vec<&str> = devices.iter().map(|one| &*one.key).collect();
    assert_eq!(keys, ["things/zigbee2mqtt", "things/0x0a", "things/0x0b"]);
    let lamp = devices[1].description.as_ref().unwrap();
    assert_eq!(lamp["title"], "hall/lamp é");
    assert_eq!(lamp["links"][0]["href"], "urn:quartet:things:zigbee2mqtt");
    assert_eq!(lamp["properties"]["temperature"]["unit"], "Cel");
    assert_eq!(lamp["properties"]["temperature"]["readOnly"], true);
    assert_eq!(
        lamp["properties"]["color"]["properties"]["x"]["type"],
        "number"
    );
    assert!(lamp["actions"]["identify"].get("input").is_none());
}

#[test]
fn what_a_device_reports_is_read() {
    let state =
        r#"{"state":"ON","temperature":21.5,"contact":true,"action":"on","color":{"x":0.3}}"#;
    check(property("state"), state, json!(true));
    check(property("temperature"), state, json!(21.5));
    check(property("contact"), state, json!(false));
    check(property("color"), state, json!({ "x": 0.3 }));
    check(Role::Event("action".into()), state, json!("on"));
    let presence = Role::Availability {
        index: 0,
        mode: Default::default(),
    };
    check(presence.clone(), r#"{"state":"online"}"#, json!(true));
    check(presence, "offline", json!(false));
}

#[test]
fn a_device_is_told_in_its_words() {
    let set = "zigbee2mqtt/hall/lamp é/set";
    let action = |name: &str| Role::Action(name.into());
    check_told(property("state"), json!(false), set, r#"{"state":"OFF"}"#);
    check_told(property("brightness"), json!(7), set, r#"{"brightness":7}"#);
    check_told(
        action("identify"),
        Value::Null,
        set,
        r#"{"identify":"identify"}"#,
    );
    check_told(action("effect"), json!("okay"), set, r#"{"effect":"okay"}"#);
    let bridge = "zigbee2mqtt/bridge/request";
    check_told(
        action("permit_join"),
        json!(60),
        &format!("{bridge}/permit_join"),
        r#"{"time":60}"#,
    );
    let update = format!("{bridge}/device/ota_update/update");
    check_told(
        action("update_firmware"),
        Value::Null,
        &update,
        r#"{"id":"0x0a"}"#,
    );
}

#[test]
fn the_bridge_comes_and_goes() {
    let bridge = announced("zigbee2mqtt/bridge/info", "{}");
    assert_eq!(bridge, announced("zigbee2mqtt/bridge/state", "online"));
    assert_eq!(
        announced("zigbee2mqtt/bridge/info", "")[0].description,
        None
    );
    assert_eq!(announced("zigbee2mqtt/bridge/devices", ""), []);
    for other in [
        "zigbee2mqtt/lamp",
        "zigbee2mqtt/bridge/logging",
        "other/bridge/devices",
    ] {
        assert_eq!(announce("zigbee2mqtt", other, b"{}"), Ok(None));
    }
}

#[test]
fn what_is_no_list_of_devices_says_why() {
    let field = |payload: &[u8]| {
        let problem = announce("z", "z/bridge/devices", payload).unwrap_err();
        problem.field
    };
    assert_eq!(field(b"\xff"), "(root)");
    assert_eq!(field(b"{}"), "(root)");
    assert_eq!(field(br#"[{"friendly_name":"a"}]"#), "0.ieee_address");
}
