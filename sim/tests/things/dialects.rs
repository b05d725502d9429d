//! Devices that speak topics of their own, as their makers have them.

use super::*;

fn kept(topic: &str, payload: &str) -> Publish {
    Publish {
        retain: true,
        ..publish_at(Q1, 9, topic, payload)
    }
}

/// What a bridge of Zigbee2MQTT says of its devices.
fn devices(names: &[&str]) -> String {
    let device = |name: &&str| {
        json!({
            "ieee_address": format!("0x00158d000{:07x}", name.len()), "type": "Router", "friendly_name": name,
            "definition": { "vendor": "IKEA", "model": "LED1545G12", "description": "Bulb", "exposes": [
                { "type": "light", "features": [
                    { "type": "binary", "name": "state", "property": "state", "access": 7, "value_on": "ON", "value_off": "OFF" },
                    { "type": "numeric", "name": "brightness", "property": "brightness", "access": 7, "value_min": 0, "value_max": 254 },
                ] },
                { "type": "numeric", "name": "linkquality", "property": "linkquality", "access": 1, "unit": "lqi" },
            ] },
        })
    };
    Value::from(names.iter().map(device).collect::<Vec<_>>()).to_string()
}

/// The address of the thing with this title.
fn titled(site: &Site, title: &str) -> Option<String> {
    let all = found(site, "things/+");
    let is_it = |td: &str| json(td)["title"] == title;
    let found = all.into_iter().find(|(_, td)| is_it(td));
    found.map(|(topic, _)| topic)
}

#[test]
fn devices_of_a_zigbee_bridge_are_things_at_once_and_answer_in_their_own_words() {
    quartet_sim::on_every_site(|site| {
        let bridge = site.connected(connect("bridge"));
        bridge.follow("zigbee2mqtt/+/set", Q1);
        bridge.send(kept("zigbee2mqtt/bridge/devices", &devices(&["desk lamp"])));
        bridge.messages();
        let lamp = titled(site, "desk lamp").expect("the lamp is a thing");
        bridge.send(publish(
            "zigbee2mqtt/desk lamp",
            r#"{"state":"OFF","brightness":100,"linkquality":80}"#,
        ));
        bridge.messages();
        let property = |name: &str| at(site, &format!("{lamp}/properties/{name}"));
        assert_eq!(property("state"), json!(false));
        assert_eq!(property("brightness"), json!(100));
        assert_eq!(property("linkquality"), json!(80));
        assert_eq!(property("connectivity")["state"], "online");
        // What is wanted is said in the words of the device, which confirms it in its own.
        let ana = site.connected(connect("ana"));
        ana.send(publish_at(
            Q1,
            1,
            &format!("{lamp}/properties/state/write"),
            "true",
        ));
        ana.receive();
        assert_eq!(
            pairs(&bridge.messages()),
            [(
                "zigbee2mqtt/desk lamp/set".into(),
                r#"{"state":"ON"}"#.into()
            )]
        );
        assert_eq!(property("state/desired")["status"], "pending");
        bridge.send(publish("zigbee2mqtt/desk lamp", r#"{"state":"ON"}"#));
        bridge.messages();
        assert_eq!(property("state"), json!(true));
        assert_eq!(property("brightness"), json!(100), "it was not said anew");
        assert_eq!(property("state/desired")["status"], "confirmed");
        // It says itself that it is away; then what is wanted waits for it.
        bridge.send(publish(
            "zigbee2mqtt/desk lamp/availability",
            r#"{"state":"offline"}"#,
        ));
        bridge.messages();
        assert_eq!(property("connectivity")["state"], "lost");
        ana.send(publish_at(
            Q1,
            1,
            &format!("{lamp}/properties/brightness/write"),
            "20",
        ));
        ana.receive();
        assert_eq!(bridge.messages().len(), 1);
        bridge.send(publish(
            "zigbee2mqtt/desk lamp/availability",
            r#"{"state":"online"}"#,
        ));
        let told = pairs(&bridge.messages());
        assert_eq!(
            told,
            [(
                "zigbee2mqtt/desk lamp/set".into(),
                r#"{"brightness":20}"#.into()
            )]
        );
    });
}

#[test]
fn who_is_not_on_the_bridges_list_any_more_is_gone() {
    quartet_sim::on_every_site(|site| {
        let bridge = site.connected(connect("bridge"));
        bridge.send(kept(
            "zigbee2mqtt/bridge/devices",
            &devices(&["one", "the other"]),
        ));
        bridge.messages();
        assert!(titled(site, "one").is_some());
        site.crash(2);
        assert!(titled(site, "the other").is_some());
        let bridge = site.connected(connect("bridge"));
        bridge.send(kept("zigbee2mqtt/bridge/devices", &devices(&["the other"])));
        bridge.messages();
        assert!(titled(site, "one").is_none());
        assert!(titled(site, "the other").is_some());
    });
}

#[test]
fn after_a_crash_devices_are_understood_as_before() {
    quartet_sim::on_every_site(|site| {
        let bridge = site.connected(connect("bridge"));
        bridge.send(kept("zigbee2mqtt/bridge/devices", &devices(&["lamp"])));
        bridge.send(publish_at(Q1, 3, "zigbee2mqtt/lamp", r#"{"brightness":1}"#));
        bridge.messages();
        let lamp = titled(site, "lamp").unwrap();
        let described = at(site, &lamp);
        for lanes in [2, 1] {
            site.crash(lanes);
            assert_eq!(at(site, &lamp), described, "it is not registered anew");
            let bridge = site.connected(connect("bridge"));
            bridge.send(publish_at(
                Q1,
                3,
                "zigbee2mqtt/lamp",
                &format!(r#"{{"brightness":{lanes}}}"#),
            ));
            bridge.messages();
            let brightness = format!("{lamp}/properties/brightness");
            assert_eq!(at(site, &brightness), json!(lanes));
            bridge.send(publish("zigbee2mqtt/lamp", r#"{"brightness":7}"#));
            bridge.messages();
            site.crash(lanes);
            assert_eq!(at(site, &brightness), json!(7), "also at QoS 0");
        }
    });
}

#[test]
fn the_first_uplink_of_a_sensor_is_reported_once() {
    quartet_sim::on_every_site(|site| {
        let watcher = site.connected(connect("watcher"));
        watcher.follow("things/+/properties/temperature", Q0);
        let stack = site.connected(connect("chirpstack"));
        // An hour may pass before the next one.
        for (eui, qos) in [("70b3d5499f000001", Q0), ("70b3d5499f000002", Q1)] {
            for value in [21.5, 22.0] {
                let uplink = json!({
                    "deviceInfo": { "devEui": eui, "deviceName": "Cellar" }, "fCnt": 1, "fPort": 2,
                    "object": { "temperature": value },
                });
                let topic = format!("application/1/device/{eui}/event/up");
                stack.send(publish_at(qos, 3, &topic, &uplink.to_string()));
                stack.messages();
                let told = pairs(&watcher.messages());
                let at = format!("things/{eui}/properties/temperature");
                assert_eq!(told, [(at, json!(value).to_string())], "{eui}");
            }
        }
    });
}

#[test]
fn what_home_assistant_discovers_is_a_thing_part_by_part() {
    quartet_sim::on_every_site(|site| {
        let device = site.connected(connect("plug"));
        device.follow("plug/cmd", Q1);
        let block = json!({ "ids": ["plug-1"], "name": "Plug" });
        let switch = json!({
            "name": "Relay", "uniq_id": "plug-1-relay", "stat_t": "plug/state", "cmd_t": "plug/cmd",
            "pl_on": "1", "pl_off": "0", "avty_t": "plug/lwt", "dev": block,
        });
        let power = json!({
            "name": "Power", "uniq_id": "plug-1-power", "stat_t": "plug/sensor", "unit_of_meas": "W",
            "val_tpl": "{{ value_json.power | round(1) }}", "dev": block,
        });
        device.send(kept(
            "homeassistant/switch/plug-1/config",
            &switch.to_string(),
        ));
        device.send(kept(
            "homeassistant/sensor/plug-1/power/config",
            &power.to_string(),
        ));
        device.messages();
        let plug = titled(site, "Plug").expect("one thing of both parts");
        let td = at(site, &plug);
        assert_eq!(td["properties"].as_object().unwrap().len(), 2, "{td:#}");
        device.send(publish("plug/lwt", "online"));
        device.send(publish("plug/state", "1"));
        device.send(publish("plug/sensor", r#"{"power":12.34}"#));
        device.messages();
        let values: Vec<Value> = found(site, &format!("{plug}/properties/+"))
            .into_iter()
            .filter(|(topic, _)| !topic.ends_with("connectivity"))
            .map(|(_, text)| json(&text))
            .collect();
        assert!(
            values.contains(&json!(true)) && values.contains(&json!(12.3)),
            "{values:?}"
        );
        let relay = td["properties"]
            .as_object()
            .unwrap()
            .iter()
            .find(|(_, one)| one["type"] == "boolean");
        let relay = relay.unwrap().0;
        let ana = site.connected(connect("ana"));
        ana.send(publish_at(
            Q1,
            1,
            &format!("{plug}/properties/{relay}/write"),
            "false",
        ));
        ana.receive();
        assert_eq!(pairs(&device.messages()), [("plug/cmd".into(), "0".into())]);
        device.send(publish("plug/lwt", "offline"));
        device.messages();
        assert_eq!(
            at(site, &format!("{plug}/properties/connectivity"))["state"],
            "lost"
        );
        // An entity goes, then the other: the thing goes with the last.
        device.send(kept("homeassistant/switch/plug-1/config", ""));
        device.messages();
        assert_eq!(at(site, &plug)["properties"].as_object().unwrap().len(), 1);
        device.send(kept("homeassistant/sensor/plug-1/power/config", ""));
        device.messages();
        assert_eq!(at(site, &plug), Value::Null);
    });
}

#[test]
fn a_person_may_say_where_values_are() {
    quartet_sim::on_every_site(|site| {
        let installer = site.connected(connect("installer"));
        let mut td = lamp();
        td["properties"]["power"]["forms"] = json!([{
            "href": "mqtt:///meters/7", "quartet:path": "/w", "op": ["readproperty", "observeproperty"],
        }]);
        installer.send(publish_at(Q1, 1, "things/meter", &td.to_string()));
        installer.messages();
        let device = site.connected(connect("meter"));
        for (said, power) in [
            (r#"{"w":40.5}"#, json!(40.5)),
            (r#"{"v":230}"#, json!(40.5)),
        ] {
            device.send(publish("meters/7", said));
            device.messages();
            assert_eq!(at(site, "things/meter/properties/power"), power);
        }
        installer.send(publish_at(Q1, 1, "things/meter", ""));
        installer.messages();
        device.send(publish("meters/7", r#"{"w":1}"#));
        device.messages();
        assert_eq!(found(site, "things/meter/#"), BTreeMap::new());
    });
}

#[test]
fn home_assistant_is_told_of_things_when_it_comes_and_of_what_changes() {
    quartet_sim::on_every_site(|site| {
        let ana = site.connected(connect("ana"));
        let having = |name: &str| {
            let mut described = lamp();
            let property = described["properties"]["on"].clone();
            described["properties"] = json!({ name: property });
            described["actions"] = json!({});
            described["events"] = json!({});
            described.to_string()
        };
        ana.send(kept("things/lamp", &having("glow")));
        ana.receive();
        assert!(found(site, "homeassistant/#").is_empty(), "it is not there");
        let home = site.connected(connect("home"));
        home.follow("homeassistant/+/+/+/config", Q1);
        home.send(publish("homeassistant/status", "online"));
        site.pass(seconds(1));
        let of_lamp = || {
            let told = pairs(&home.messages()).into_iter();
            let told = told.map(|(topic, config)| (topic, config.is_empty()));
            let mut told: Vec<_> = told
                .filter(|(topic, _)| topic.contains("things_lamp"))
                .collect();
            told.sort();
            told
        };
        let config = |name: &str| format!("homeassistant/switch/things_lamp/{name}/config");
        assert_eq!(of_lamp(), [(config("glow"), false)]);
        // What it says reaches the lamp, and what the lamp reports reaches it.
        home.send(publish_at(
            Q1,
            1,
            "things/lamp/properties/glow/write",
            "true",
        ));
        home.receive();
        assert_eq!(
            at(site, "things/lamp/properties/glow/desired")["value"],
            json!(true)
        );
        ana.send(kept("things/lamp", &having("burns")));
        ana.receive();
        assert_eq!(
            of_lamp(),
            [(config("burns"), false), (config("glow"), true)]
        );
        // After a crash the hub knows that Home Assistant knows.
        site.crash(2);
        site.pass(seconds(1));
        let ana = site.connected(connect("ana"));
        ana.send(kept("things/lamp", ""));
        ana.receive();
        site.pass(seconds(1));
        let told = found(site, "homeassistant/#");
        assert!(!told.contains_key(&config("burns")), "{told:?}");
    });
}

#[test]
fn what_home_assistant_knows_already_it_is_not_told() {
    quartet_sim::on_every_site(|site| {
        let bridge = site.connected(connect("bridge"));
        bridge.send(kept("zigbee2mqtt/bridge/devices", &devices(&["desk lamp"])));
        bridge.messages();
        assert!(titled(site, "desk lamp").is_some());
        bridge.send(publish("homeassistant/status", "online"));
        site.pass(seconds(1));
        assert!(found(site, "homeassistant/+/+/state/config").is_empty());
    });
}

/// Somebody writes a rule, or takes it back.
fn rule(site: &Site, name: &str, said: &str) {
    site.announce(quartet_model::Said {
        qos: Q1,
        ..quartet_model::Said::state(format!("$quartet/rules/{name}"), said.to_owned())
    });
    site.pass(seconds(1));
}

#[test]
fn a_rule_makes_things_of_what_it_is_about_and_takes_them_back() {
    quartet_sim::on_every_site(|site| {
        let device = site.connected(connect("device"));
        device.send(kept("sensors/cellar/temp", "8"));
        device.receive();
        let sensors = json!({
            "name": "sensors", "topic": "sensors/{id}/{property}", "key": "things/{id}",
            "property": "{property}", "contentType": "text/plain", "set": "sensors/{id}/{property}/set",
            "schema": { "unit": "°C" },
        });
        rule(site, "sensors", &sensors.to_string());
        assert_eq!(
            at(site, "things/cellar/properties/temp"),
            json!(8),
            "it was retained"
        );
        assert_eq!(
            at(site, "things/cellar")["properties"]["temp"]["unit"],
            "Cel"
        );
        // What is said for the first time is not lost, and what follows goes the short way.
        device.send(publish("sensors/kitchen/temp", "21.5"));
        device.messages();
        assert_eq!(at(site, "things/kitchen/properties/temp"), json!(21.5));
        device.send(publish("sensors/kitchen/temp", "22"));
        device.messages();
        assert_eq!(at(site, "things/kitchen/properties/temp"), json!(22));
        assert_eq!(
            at(site, "things/kitchen/properties/connectivity")["state"],
            "online"
        );
        // Both ways.
        device.follow("sensors/+/+/set", Q1);
        let ana = site.connected(connect("ana"));
        ana.send(publish_at(
            Q1,
            1,
            "things/kitchen/properties/temp/write",
            "19",
        ));
        ana.receive();
        assert_eq!(
            pairs(&device.messages()),
            [("sensors/kitchen/temp/set".into(), "19".into())]
        );
        // It survives, and what only it described goes with it.
        site.crash(2);
        site.pass(seconds(1));
        let device = site.connected(connect("device"));
        device.send(publish("sensors/attic/temp", "30"));
        device.messages();
        assert_eq!(at(site, "things/attic/properties/temp"), json!(30));
        rule(site, "sensors", "");
        for thing in ["things/cellar", "things/kitchen", "things/attic"] {
            assert_eq!(at(site, thing), Value::Null, "{thing}");
        }
        device.send(publish("sensors/attic/temp", "31"));
        device.messages();
        assert_eq!(at(site, "things/attic"), Value::Null);
    });
}

#[test]
fn members_that_come_later_are_found_too() {
    quartet_sim::on_every_site(|site| {
        let pumps = json!({ "name": "pumps", "topic": "pumps/{id}", "key": "things/{id}" });
        rule(site, "pumps", &pumps.to_string());
        let pump = site.connected(connect("pump"));
        pump.send(publish("pumps/p1", r#"{"rate":3}"#));
        pump.messages();
        assert_eq!(at(site, "things/p1/properties/rate"), json!(3));
        for rate in 0..40 {
            pump.send(publish(
                "pumps/p1",
                &format!(r#"{{"rate":{rate},"hot":true}}"#),
            ));
            pump.messages();
        }
        assert_eq!(at(site, "things/p1/properties/rate"), json!(39));
        assert_eq!(at(site, "things/p1/properties/hot"), json!(true));
    });
}

#[test]
fn the_first_event_of_a_device_is_not_lost() {
    quartet_sim::on_every_site(|site| {
        let buttons = json!({
            "name": "buttons", "topic": "buttons/{id}", "key": "things/{id}", "event": "pressed",
            "contentType": "text/plain",
        });
        rule(site, "buttons", &buttons.to_string());
        let nurse = site.connected(connect("nurse"));
        nurse.follow("things/bed-7/events/pressed", Q1);
        let button = site.connected(connect("button"));
        for kind in ["short", "long"] {
            button.send(publish("buttons/bed-7", kind));
            button.messages();
            let told = ("things/bed-7/events/pressed".into(), format!("\"{kind}\""));
            assert_eq!(pairs(&nurse.messages()), [told]);
        }
        assert!(
            found(site, "things/bed-7/events/#").is_empty(),
            "it is not retained"
        );
    });
}
