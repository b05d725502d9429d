use rumqttc::{Client, Connection, Event, LastWill, MqttOptions, Packet, QoS, qos};

use super::{Entry, Foreign, Message, Seen, transport};
use crate::support::PATIENCE;

/// The client of MQTT 3.1.1.
pub(super) struct V4 {
    client: Client,
    connection: Connection,
}

impl Foreign for V4 {
    fn begin(entry: &Entry) -> Self {
        let mut options = MqttOptions::new(&entry.id, entry.at.ip().to_string(), entry.at.port());
        options.set_transport(transport(entry));
        options.set_clean_session(!entry.is_kept);
        if let Some(topic) = &entry.will {
            options.set_last_will(LastWill::new(topic, "gone", QoS::AtLeastOnce, false));
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
                topic: publish.topic,
                qos: publish.qos as u8,
                retain: publish.retain,
                payload: publish.payload.to_vec(),
            }),
            _ => Seen::Nothing,
        })
    }
}
