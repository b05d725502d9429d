//! [ChirpStack v4, "Event types", "MQTT integration"]

use serde_json::{Value, json};

use super::{Device, decoded, location};
use crate::{dialects::parts, td::Problem};

/// Describes a device by its first uplink.
pub(super) fn describe(base: &str, eui: &str, uplink: &Value) -> Result<Value, Problem> {
    let info = &uplink["deviceInfo"];
    if let Some(said) = info["devEui"].as_str()
        && !said.eq_ignore_ascii_case(eui)
    {
        let what = format!("is `{said}`; must be `{eui}`, as in the topic");
        return Err(Problem::new("deviceInfo.devEui", what));
    }
    let mut device = Device::new(base);
    let number = |unit: &str| json!({ "type": "number", "unit": unit });
    let count = json!({ "type": "integer", "minimum": 0 });
    let up = "event/up";
    device.property("rssi", number("dBm"), up, "/rxInfo/0/rssi");
    device.property("snr", number("dB"), up, "/rxInfo/0/snr");
    device.property("frame_counter", count.clone(), up, "/fCnt");
    device.property("port", count, up, "/fPort");
    let bytes = json!({ "type": "string", "contentEncoding": "base64" });
    device.property("payload", bytes, up, "/data");
    let status = "event/status";
    let level = json!({ "type": "number", "unit": "%", "minimum": 0, "maximum": 100 });
    device.property("battery", level, status, "/batteryLevel");
    device.property("margin", number("dB"), status, "/margin");
    device.property("location", location(), "event/location", "/location");
    for (name, event) in [
        ("joined", "join"),
        ("acknowledged", "ack"),
        ("transmitted", "txack"),
        ("log", "log"),
    ] {
        device.event(name, &format!("event/{event}"), "");
    }
    decoded::describe(&mut device, &uplink["object"], up, "/object");
    let mut part = device.into_part("command/down", &template(eui));
    let model = info["deviceProfileName"].as_str();
    let mut details = json!({ "serialNumber": eui });
    if let Some(model) = model {
        details["model"] = model.into();
    }
    part.insert("quartet:device".to_owned(), details);
    let name = info["deviceName"].as_str().filter(|name| !name.is_empty());
    Ok(parts::complete(part, &parts::title(name.unwrap_or(eui))))
}

/// The command that puts a payload in the device's queue.
fn template(eui: &str) -> String {
    let eui = Value::from(eui).to_string().replace('{', "\\u007b");
    let optional = ["data", "object"].map(|member| {
        format!(
            "{{% if value.{member} is defined %}},\"{member}\":{{{{ value.{member} | tojson }}}}{{% endif %}}"
        )
    });
    format!(
        "{{\"devEui\":{eui},\"confirmed\":{{{{ value.confirmed | default(false) | tojson }}}},\
         \"fPort\":{{{{ value.fPort | tojson }}}}{}}}",
        optional.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{announced, places},
        *,
    };

    /// In the form of "Event types", `up`, of ChirpStack's documentation, with what a decoder adds.
    fn uplink() -> Value {
        json!({
            "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
            "time": "2022-07-18T09:34:15.775023242+00:00",
            "deviceInfo": {
                "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242", "tenantName": "ChirpStack",
                "applicationId": "17c82e96-be03-4f38-aef3-f83d48582d97",
                "applicationName": "Test application",
                "deviceProfileName": "Test device-profile", "deviceName": "Test device",
                "devEui": "0101010101010101", "tags": { "key": "value" },
            },
            "devAddr": "00189440", "dr": 1, "fPort": 1, "data": "qg==",
            "object": { "temperature": 21.5, "air": { "humidity": 40 }, "open": false, "rssi": 1, "x": null },
            "rxInfo": [{ "gatewayId": "0016c001f153a14c", "uplinkId": 4217106255u32, "rssi": -36, "snr": 10.5 }],
            "txInfo": { "frequency": 867100000 },
        })
    }

    #[test]
    fn the_first_uplink_says_what_a_device_has() {
        let base = "application/17c82e96-be03-4f38-aef3-f83d48582d97/device/0101010101010101";
        let announced = announced(&format!("{base}/event/up"), &uplink());
        assert_eq!(announced.key, "things/0101010101010101");
        let td = announced.description.unwrap();
        assert_eq!(td["title"], "Test device");
        assert_eq!(
            places(&td, "properties"),
            json!({
                "rssi": "up /rxInfo/0/rssi", "snr": "up /rxInfo/0/snr", "frame_counter": "up /fCnt",
                "port": "up /fPort", "payload": "up /data", "battery": "status /batteryLevel",
                "margin": "status /margin", "location": "location /location",
                "temperature": "up /object/temperature", "air_humidity": "up /object/air/humidity",
                "open": "up /object/open", "decoded_rssi": "up /object/rssi",
            })
        );
        assert_eq!(td["properties"]["open"]["type"], "boolean");
        assert_eq!(
            places(&td, "events"),
            json!({ "joined": "join ", "acknowledged": "ack ", "transmitted": "txack ", "log": "log " })
        );
        let form = &td["actions"]["downlink"]["forms"][0];
        assert_eq!(form["mqv:topic"], format!("{base}/command/down"));
        assert_eq!(
            form["quartet:template"],
            "{\"devEui\":\"0101010101010101\",\"confirmed\":{{ value.confirmed | default(false) | tojson }},\
             \"fPort\":{{ value.fPort | tojson }}\
             {% if value.data is defined %},\"data\":{{ value.data | tojson }}{% endif %}\
             {% if value.object is defined %},\"object\":{{ value.object | tojson }}{% endif %}}"
        );
    }

    #[test]
    fn an_uplink_of_another_device_than_its_topic_says_is_none() {
        let wrong = super::describe("x", "02", &uplink()).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "deviceInfo.devEui: is `0101010101010101`; must be `02`, as in the topic"
        );
    }
}
