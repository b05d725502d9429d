//! What another codec makes of our bytes: it reads what we wrote and writes it anew, and what
//! we read then is what we began with. The order of properties is its own to choose.

use super::*;
use crate::mqtt::*;

/// What `mqtt-proto` writes after it read `bytes`.
fn by_mqtt_proto(bytes: &[u8], version: Version) -> Result<Vec<u8>, String> {
    let says = |error: &dyn std::fmt::Debug| format!("mqtt-proto says {error:?}");
    let written = if version == Version::V5 {
        let packet = mqtt_proto::v5::Packet::decode(bytes).map_err(|error| says(&error))?;
        packet.ok_or("mqtt-proto wants more")?.encode()
    } else {
        let packet = mqtt_proto::v3::Packet::decode(bytes).map_err(|error| says(&error))?;
        packet.ok_or("mqtt-proto wants more")?.encode()
    };
    Ok(written.map_err(|error| says(&error))?.as_ref().to_vec())
}

fn sorted(properties: &Properties) -> Properties {
    let mut all: Vec<Property> = properties.iter().cloned().collect();
    all.sort_by_key(Property::identifier);
    all.into_iter().collect()
}

fn sorted_wire(bytes: &Bytes) -> Bytes {
    let mut out = Vec::new();
    for property in sorted(&Properties::of_wire(bytes)).iter() {
        property.write(&mut out);
    }
    out.into()
}

/// The same packet with its properties in the order of their numbers.
fn in_order(mut packet: Packet) -> Packet {
    match &mut packet {
        Packet::Connect(connect) => {
            connect.properties = sorted(&connect.properties);
            if let Some(will) = &mut connect.will {
                will.properties = sorted_wire(&will.properties);
            }
        }
        Packet::Publish(publish) => publish.properties = sorted_wire(&publish.properties),
        Packet::ConnAck(ConnAck { properties, .. })
        | Packet::PubAck(Ack { properties, .. })
        | Packet::PubRec(Ack { properties, .. })
        | Packet::PubRel(Ack { properties, .. })
        | Packet::PubComp(Ack { properties, .. })
        | Packet::Subscribe(Subscribe { properties, .. })
        | Packet::SubAck(SubAck { properties, .. })
        | Packet::Unsubscribe(Unsubscribe { properties, .. })
        | Packet::UnsubAck(SubAck { properties, .. })
        | Packet::Disconnect(Disconnect { properties, .. })
        | Packet::Auth(Auth { properties, .. }) => *properties = sorted(properties),
        Packet::PingReq | Packet::PingResp => {}
    }
    packet
}

/// Before MQTT 5 `mqtt-proto` 0.4 writes the return code 0x80 as 3, which is reserved.
fn is_refusal(packet: &Packet, version: Version) -> bool {
    let is_error = |reason: &Reason| reason.is_error();
    version != Version::V5
        && matches!(packet, Packet::SubAck(suback) if suback.reasons.iter().any(is_error))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn mqtt_proto_agrees((version, packet) in packet()) {
        let bytes = encoded(&packet, version);
        let written = by_mqtt_proto(&bytes, version);
        // It looks into payloads, which a receiver may do (section 3.3.2.3.2); we do not.
        prop_assume!(!written.as_ref().is_err_and(|says| says.ends_with("InvalidPayloadFormat")));
        prop_assume!(!is_refusal(&packet, version));
        let written = written.map_err(TestCaseError::fail)?;
        let back = decode(&written.into(), version).map(in_order);
        prop_assert_eq!(back, Ok(in_order(packet)));
    }
}
