use rumqttc::v5::{
    Client, Connection, Event, MqttOptions,
    mqttbytes::{
        QoS, qos,
        v5::{LastWill, Packet},
    },
};

use super::{Entry, Foreign, Message, Seen, transport};
use crate::support::PATIENCE;

/// The client of MQTT 5.
pub(super) struct V5 {
    client: Client,
    connection: Connection,
}

impl Foreign for V5 {
    fn begin(entry: &Entry) -> Self {
        let mut options = MqttOptions::new(&entry.id, entry.at.ip().to_string(), entry.at.port());
        options.set_transport(transport(entry));
        options.set_clean_start(!entry.is_kept);
        options.set_session_expiry_interval(entry.is_kept.then_some(300));
        if let Some(topic) = &entry.will {
            options.set_last_will(LastWill::new(topic, "gone", QoS::AtLeastOnce, false, None));
        }
        let (client, connection) = Client::new(options, 64);
        Self { client, connection }
    }

    fn subscribe(&mut self, filter: &str, level: u8) {
        self.client.subscribe(filter, qos(level).unwrap()).unwrap();
    }

    fn publish(&mut self, message: &Message) {
        let Message {
            topic,
            retain,
            payload,
            ..
        } = message.clone();
        let qos = qos(message.qos).unwrap();
        self.client.publish(topic, qos, retain, payload).unwrap();
    }

    fn disconnect(&mut self) {
        self.client.disconnect().unwrap();
    }

    fn see(&mut self) -> Option<Seen> {
        let event = self
            .connection
            .recv_timeout(PATIENCE)
            .expect("something happens");
        Some(match event.ok()? {
            Event::Incoming(Packet::ConnAck(ack)) => Seen::CameIn {
                session_present: ack.session_present,
            },
            Event::Incoming(Packet::SubAck(_)) => Seen::Subscribed,
            Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_)) => Seen::Acknowledged,
            Event::Incoming(Packet::Publish(publish)) => Seen::Message(Message {
                topic: String::from_utf8(publish.topic.to_vec()).unwrap(),
                qos: publish.qos as u8,
                retain: publish.retain,
                payload: publish.payload.to_vec(),
            }),
            _ => Seen::Nothing,
        })
    }
}
