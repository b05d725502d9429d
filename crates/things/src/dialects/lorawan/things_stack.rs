//! [The Things Stack v3, "Data Formats", "MQTT Server"]
//!
//! It leaves out what is 0, false or empty, except in what a decoder made.

use serde_json::{Value, json};

use super::{Device, decoded, location};
use crate::{dialects::parts, td::Problem};

/// Describes a device by its first uplink.
pub(super) fn describe(base: &str, name: &str, said: &Value) -> Result<Value, Problem> {
    let uplink = &said["uplink_message"];
    if !uplink.is_object() {
        let what = "is missing; an uplink must be an object with `uplink_message`";
        return Err(Problem::new("uplink_message", what));
    }
    let mut device = Device::new(base);
    let number = |unit: &str| json!({ "type": "number", "unit": unit });
    let count = json!({ "type": "integer", "minimum": 0 });
    let at = |member: &str| format!("/uplink_message/{member}");
    device.property("rssi", number("dBm"), "up", &at("rx_metadata/0/rssi"));
    device.property("snr", number("dB"), "up", &at("rx_metadata/0/snr"));
    device.property("frame_counter", count.clone(), "up", &at("f_cnt"));
    device.property("port", count, "up", &at("f_port"));
    let bytes = json!({ "type": "string", "contentEncoding": "base64" });
    device.property("payload", bytes, "up", &at("frm_payload"));
    let level = json!({ "type": "number", "unit": "%", "minimum": 0, "maximum": 100 });
    device.property("battery", level, "up", &at("last_battery_percentage/value"));
    let solved = "/location_solved/location";
    device.property("location", location(), "location/solved", solved);
    for (name, below, path) in [
        ("joined", "join", "/join_accept"),
        ("queued", "down/queued", "/downlink_queued"),
        ("transmitted", "down/sent", "/downlink_sent"),
        ("acknowledged", "down/ack", "/downlink_ack"),
        ("refused", "down/nack", "/downlink_nack"),
        ("failed", "down/failed", "/downlink_failed"),
    ] {
        device.event(name, below, path);
    }
    let payload = &uplink["decoded_payload"];
    decoded::describe(&mut device, payload, "up", &at("decoded_payload"));
    let mut part = device.into_part("down/push", &template());
    let version = &uplink["version_ids"];
    let mut details = json!({});
    for (member, word) in [
        ("brand_id", "manufacturer"),
        ("model_id", "model"),
        ("hardware_version", "hardwareVersion"),
        ("firmware_version", "softwareVersion"),
    ] {
        if let Some(said) = version[member].as_str() {
            details[word] = said.into();
        }
    }
    if let Some(eui) = said["end_device_ids"]["dev_eui"].as_str() {
        details["serialNumber"] = eui.into();
    }
    part.insert("quartet:device".to_owned(), details);
    Ok(parts::complete(part, name))
}

/// The command that puts a payload in the device's queue.
fn template() -> String {
    let optional = [("data", "frm_payload"), ("object", "decoded_payload")].map(|(member, word)| {
        format!(
            "{{% if value.{member} is defined %}},\"{word}\":{{{{ value.{member} | tojson }}}}{{% endif %}}"
        )
    });
    format!(
        "{{\"downlinks\":[{{\"f_port\":{{{{ value.fPort | tojson }}}},\
         \"confirmed\":{{{{ value.confirmed | default(false) | tojson }}}},\"priority\":\"NORMAL\"{}}}]}}",
        optional.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{announced, places},
        *,
    };

    /// In the form of "Data Formats", uplink messages, of The Things Stack's documentation.
    fn uplink() -> Value {
        json!({
            "end_device_ids": {
                "device_id": "dev1", "application_ids": { "application_id": "app1" },
                "dev_eui": "0004A30B001C0530", "dev_addr": "00BCB929",
            },
            "received_at": "2020-02-12T15:15:45.787Z",
            "uplink_message": {
                "session_key_id": "AXA50tHUTE2BhWXAxBUvXA==", "f_port": 15, "f_cnt": 8,
                "frm_payload": "wGeE", "decoded_payload": { "temperature": 1.5, "led/state": "on" },
                "rx_metadata": [{
                    "gateway_ids": { "gateway_id": "gtw1", "eui": "9C5C8E00001A05C4" },
                    "rssi": -35, "channel_rssi": -35, "snr": 5.2,
                }],
                "version_ids": { "brand_id": "acme", "model_id": "t1", "firmware_version": "1.2" },
            },
        })
    }

    #[test]
    fn the_first_uplink_says_what_a_device_has() {
        let announced = announced("v3/app1@tenant1/devices/dev1/up", &uplink());
        assert_eq!(announced.key, "things/0004a30b001c0530");
        let td = announced.description.unwrap();
        let places = places(&td, "properties");
        assert_eq!(places["rssi"], "up /uplink_message/rx_metadata/0/rssi");
        assert_eq!(
            places["temperature"],
            "up /uplink_message/decoded_payload/temperature"
        );
        assert_eq!(places["location"], "solved /location_solved/location");
        assert_eq!(
            td["quartet:device"],
            json!({
                "manufacturer": "acme", "model": "t1", "softwareVersion": "1.2",
                "serialNumber": "0004A30B001C0530",
            })
        );
        let paths: Vec<&Value> = td["properties"]
            .as_object()
            .unwrap()
            .values()
            .map(|property| &property["forms"][0]["quartet:path"])
            .collect();
        assert!(paths.contains(&&json!("/uplink_message/decoded_payload/led~1state")));
        let form = &td["actions"]["downlink"]["forms"][0];
        assert_eq!(form["mqv:topic"], "v3/app1@tenant1/devices/dev1/down/push");
        assert_eq!(
            form["quartet:template"],
            "{\"downlinks\":[{\"f_port\":{{ value.fPort | tojson }},\
             \"confirmed\":{{ value.confirmed | default(false) | tojson }},\"priority\":\"NORMAL\"\
             {% if value.data is defined %},\"frm_payload\":{{ value.data | tojson }}{% endif %}\
             {% if value.object is defined %},\"decoded_payload\":{{ value.object | tojson }}{% endif %}}]}"
        );
    }

    #[test]
    fn what_has_no_uplink_in_it_is_told_so() {
        let wrong = describe("v3/a/devices/b", "b", &json!({})).unwrap_err();
        assert_eq!(wrong.field, "uplink_message");
    }
}
