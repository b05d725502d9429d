//! A broker of a hundred lines for tests: it delivers faithfully, or with the faults that it is
//! told to make, so that tests can see whether they are noticed.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use bytes::BytesMut;
use quartet_fabric::{
    mqtt::{
        Ack, ConnAck, MAX_REMAINING_LENGTH, Packet, Properties, Publish, Reason, SubAck, Version,
        connect_version, decode, frame_length,
    },
    topic,
};
use quartet_model::Qos;

use super::Endpoint;

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    None,
    /// Every tenth delivery is left out.
    Loses,
    /// Every tenth delivery is made twice.
    Repeats,
    /// Every tenth delivery is made after the next one.
    Swaps,
    /// CONNECT is refused.
    Refuses,
}

struct Subscription {
    filter: String,
    qos: Qos,
    version: Version,
    out: TcpStream,
    deliveries: u64,
    held: Option<Publish>,
}

#[derive(Default)]
struct Table(Vec<Subscription>);

/// Starts a broker that ends with the process.
pub(crate) fn start(fault: Fault) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let table = Arc::new(Mutex::new(Table::default()));
    thread::Builder::new()
        .spawn(move || {
            for stream in listener.incoming() {
                let table = Arc::clone(&table);
                thread::Builder::new()
                    .spawn(move || serve(stream.unwrap(), &table, fault))
                    .unwrap();
            }
        })
        .unwrap();
    Endpoint::Tcp {
        host: "127.0.0.1".to_owned(),
        port,
    }
}

fn serve(mut stream: TcpStream, table: &Mutex<Table>, fault: Fault) {
    let mut buffer = BytesMut::new();
    let mut version = None;
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        buffer.extend_from_slice(&bytes[..count]);
        while let Some(length) = frame_length(&buffer, MAX_REMAINING_LENGTH).unwrap() {
            if buffer.len() < length {
                break;
            }
            let frame = buffer.split_to(length).freeze();
            let version = *version.get_or_insert_with(|| connect_version(&frame));
            let packet = decode(&frame, version).unwrap();
            if answer(packet, version, &stream, table, fault).is_none() {
                return;
            }
        }
    }
}

fn answer(
    packet: Packet,
    version: Version,
    stream: &TcpStream,
    table: &Mutex<Table>,
    fault: Fault,
) -> Option<()> {
    let ack = |packet_id| Ack {
        packet_id,
        reason: Reason::Success,
        properties: Properties::none(),
    };
    match packet {
        Packet::Connect(_) => {
            let reason = if fault == Fault::Refuses {
                Reason::NotAuthorized
            } else {
                Reason::Success
            };
            let connack = ConnAck {
                session_present: false,
                reason,
                properties: Properties::none(),
            };
            send(&Packet::ConnAck(connack), version, stream);
        }
        Packet::Subscribe(subscribe) => {
            let granted = |qos: Qos| Reason::from_code(qos.level()).unwrap();
            let filters = subscribe.filters.iter();
            let suback = SubAck {
                packet_id: subscribe.packet_id,
                properties: Properties::none(),
                reasons: filters.map(|filter| granted(filter.qos)).collect(),
            };
            send(&Packet::SubAck(suback), version, stream);
            let mut table = table.lock().unwrap();
            table
                .0
                .extend(subscribe.filters.iter().map(|filter| Subscription {
                    filter: filter.filter.to_string(),
                    qos: filter.qos,
                    version,
                    out: stream.try_clone().unwrap(),
                    deliveries: 0,
                    held: None,
                }));
        }
        Packet::Publish(publish) => {
            match publish.qos {
                Qos::AtMostOnce => {}
                Qos::AtLeastOnce => {
                    send(&Packet::PubAck(ack(publish.packet_id)), version, stream);
                }
                Qos::ExactlyOnce => {
                    send(&Packet::PubRec(ack(publish.packet_id)), version, stream);
                }
            }
            for subscription in &mut table.lock().unwrap().0 {
                if topic::matches(&subscription.filter, &publish.topic) {
                    subscription.deliver(publish.clone(), fault);
                }
            }
        }
        Packet::PubRec(received) => send(&Packet::PubRel(ack(received.packet_id)), version, stream),
        Packet::PubRel(released) => {
            send(&Packet::PubComp(ack(released.packet_id)), version, stream)
        }
        Packet::PingReq => send(&Packet::PingResp, version, stream),
        Packet::Disconnect(_) => return None,
        _ => {}
    }
    Some(())
}

impl Subscription {
    fn deliver(&mut self, publish: Publish, fault: Fault) {
        self.deliveries += 1;
        let is_tenth = self.deliveries.is_multiple_of(10);
        match fault {
            Fault::Loses if is_tenth => return,
            Fault::Repeats if is_tenth => self.write(publish.clone()),
            Fault::Swaps if is_tenth => {
                self.held = Some(publish);
                return;
            }
            _ => {}
        }
        self.write(publish);
        if let Some(held) = self.held.take() {
            self.write(held);
        }
    }

    fn write(&mut self, mut publish: Publish) {
        publish.qos = publish.qos.min(self.qos);
        publish.packet_id = match publish.qos {
            Qos::AtMostOnce => 0,
            _ => (self.deliveries % 60_000) as u16 + 1,
        };
        send(&Packet::Publish(publish), self.version, &self.out);
    }
}

fn send(packet: &Packet, version: Version, mut stream: &TcpStream) {
    let mut bytes = Vec::new();
    packet.encode(version, &mut bytes);
    // Whoever is gone needs no answer.
    let _ = stream.write_all(&bytes);
}
