//! What a connection is sent, and what it answers.

use bytes::Bytes;
use quartet_fabric::mqtt::{ConnAck, Fault, Packet, PacketKind, Property, Reason, decode};
use quartet_model::Qos;

use super::{Desk, Link, LinkError, OUT_BYTES, Role, Stage};
use crate::load::{
    plan::Plan,
    scan::{self, Scanned},
    stamp::Stamp,
    tally::Arrival,
};

impl Link {
    /// Handles the frames in the first `end` bytes of the buffer and keeps the rest.
    pub(super) fn handle(
        &mut self,
        end: usize,
        now_ns: u64,
        plan: &Plan,
        desk: &mut Desk,
    ) -> Result<(), LinkError> {
        let buffer = std::mem::take(&mut desk.buffer);
        let mut start = 0;
        let result = loop {
            match scan::next(&buffer[start..end], desk.version, buffer.len()) {
                Ok(Some((scanned, length))) => {
                    start += length;
                    if let Err(error) = self.handle_frame(&scanned, now_ns, plan, desk) {
                        break Err(error);
                    }
                }
                Ok(None) => break Ok(()),
                Err(fault) => break Err(fault.into()),
            }
        };
        self.partial.clear();
        self.partial.extend_from_slice(&buffer[start..end]);
        if self.partial.is_empty() && OUT_BYTES < self.partial.capacity() {
            self.partial = Vec::new();
        }
        desk.buffer = buffer;
        result
    }

    fn handle_frame(
        &mut self,
        scanned: &Scanned<'_>,
        now_ns: u64,
        plan: &Plan,
        desk: &mut Desk,
    ) -> Result<(), LinkError> {
        match *scanned {
            Scanned::Publish {
                qos,
                packet_id,
                payload,
            } => {
                self.receive(payload, now_ns, desk);
                match qos {
                    0 => {}
                    1 => self.put_ack(0x40, packet_id), // PUBACK
                    _ => self.put_ack(0x50, packet_id), // PUBREC
                }
                Ok(())
            }
            Scanned::Ack {
                kind,
                packet_id,
                is_error,
            } => {
                self.handle_ack(kind, packet_id, is_error, now_ns, desk);
                Ok(())
            }
            Scanned::Other(frame) => {
                let packet = decode(&Bytes::copy_from_slice(frame), desk.version)?;
                self.handle_packet(packet, now_ns, plan, desk)
            }
        }
    }

    fn receive(&mut self, payload: &[u8], now_ns: u64, desk: &mut Desk) {
        let records = &mut desk.records;
        let Role::Subscriber { heard, tallies } = &mut self.role else {
            records.foreign += 1;
            return;
        };
        let stamp = Stamp::of_payload(payload);
        let Some((stamp, place)) = stamp.and_then(|s| Some((s, heard.place(s.publisher)?))) else {
            records.foreign += 1;
            return;
        };
        match tallies[place].arrive(stamp.sequence) {
            Arrival::Again => {
                records.duplicated += 1;
                return;
            }
            Arrival::Late => records.reordered += 1,
            Arrival::InOrder => {}
        }
        records.delivered += 1;
        if desk.span.contains(stamp.intended_ns) {
            let latency_ns = now_ns.saturating_sub(stamp.intended_ns);
            records.latency.record(latency_ns);
        }
    }

    fn put_ack(&mut self, first: u8, packet_id: u16) {
        let [high, low] = packet_id.to_be_bytes();
        self.out.extend_from_slice(&[first, 2, high, low]);
    }

    fn handle_ack(
        &mut self,
        kind: u8,
        packet_id: u16,
        is_error: bool,
        now_ns: u64,
        desk: &mut Desk,
    ) {
        if kind == PacketKind::PubRel as u8 {
            self.put_ack(0x70, packet_id); // PUBCOMP
            return;
        }
        let window = match &mut self.role {
            Role::Publisher(publisher) => publisher.window.as_mut(),
            _ => None,
        };
        let Some(window) = window else {
            desk.records.unexpected += 1;
            return;
        };
        let settled = match kind {
            4 => window.settle(packet_id, Qos::AtLeastOnce),
            // A PUBREC that refuses ends the exchange [MQTT-4.3.3-4].
            5 if is_error => window.settle(packet_id, Qos::ExactlyOnce),
            5 => match window.receive(packet_id) {
                Ok(()) => {
                    self.put_ack(0x62, packet_id); // PUBREL
                    return;
                }
                Err(unexpected) => Err(unexpected),
            },
            _ => window.complete(packet_id),
        };
        let records = &mut desk.records;
        match settled {
            Ok(intended_ns) => {
                records.settled += 1;
                records.refused += u64::from(is_error);
                if desk.span.contains(intended_ns) {
                    let latency_ns = now_ns.saturating_sub(intended_ns);
                    records.acknowledged.record(latency_ns);
                }
            }
            Err(_) => records.unexpected += 1,
        }
    }

    fn handle_packet(
        &mut self,
        packet: Packet,
        now_ns: u64,
        plan: &Plan,
        desk: &mut Desk,
    ) -> Result<(), LinkError> {
        match packet {
            Packet::ConnAck(connack) if self.stage == Stage::AwaitConnAck => {
                let since_ns = now_ns.saturating_sub(self.began_ns);
                desk.records.connect.record(since_ns);
                self.on_connack(&connack, plan)
            }
            Packet::SubAck(suback) if self.stage == Stage::AwaitSubAck => {
                let refusal = suback.reasons.iter().find(|reason| reason.is_error());
                if let Some(&reason) = refusal {
                    return Err(LinkError::NotSubscribed(reason));
                }
                self.stage = Stage::Ready;
                Ok(())
            }
            Packet::PingResp => Ok(()),
            Packet::Disconnect(disconnect) => Err(LinkError::Disconnected(disconnect.reason)),
            _ => Err(Fault::protocol("a packet that was not asked for").into()),
        }
    }

    fn on_connack(&mut self, connack: &ConnAck, plan: &Plan) -> Result<(), LinkError> {
        if connack.reason != Reason::Success {
            return Err(LinkError::Refused(connack.reason));
        }
        let receive_maximum = connack.properties.find(|property| match property {
            Property::ReceiveMaximum(maximum) => Some(*maximum),
            _ => None,
        });
        if let Role::Publisher(publisher) = &mut self.role
            && let (Some(window), Some(maximum)) = (&mut publisher.window, receive_maximum)
        {
            window.limit(maximum);
        }
        if self.filters.is_empty() {
            self.stage = Stage::Ready;
        } else {
            self.put_subscribe(plan);
            self.stage = Stage::AwaitSubAck;
        }
        Ok(())
    }
}
