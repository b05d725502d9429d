//! A publisher: which message is next, which are due, which wait for an acknowledgement.

use std::collections::VecDeque;

use bytes::Bytes;
use quartet_fabric::mqtt::{Publish, Version, put_publish};
use quartet_model::Qos;

use super::stamp::{STAMP_BYTES, Stamp};

/// One publisher.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) number: u32,
    /// The frame up to the payload, the same for all its messages but the packet identifier.
    head: Vec<u8>,
    payload_bytes: usize,
    /// `None` at QoS 0, where nothing is acknowledged.
    pub(super) window: Option<Window>,
    /// The sequence number of the next message: how many were sent.
    pub(super) next: u64,
    /// How many should have been sent by now.
    pub(super) due: u64,
}

impl Publisher {
    pub(super) fn new(
        number: u32,
        topic: &str,
        payload_bytes: usize,
        qos: Qos,
        inflight: u16,
        version: Version,
    ) -> Self {
        let payload_bytes = payload_bytes.max(STAMP_BYTES);
        let publish = Publish {
            dup: false,
            qos,
            retain: false,
            topic: topic.into(),
            packet_id: 1,
            alias: None,
            expiry_s: None,
            subscription_ids: Vec::new(),
            properties: Bytes::new(),
            payload: Bytes::from(vec![0; payload_bytes]),
        };
        let mut head = Vec::new();
        put_publish(&publish, version, &mut head);
        head.truncate(head.len() - payload_bytes);
        if qos != Qos::AtMostOnce {
            // The packet identifier is put in anew for each message.
            let tail = usize::from(version == Version::V5);
            head.truncate(head.len() - 2 - tail);
        }
        head.shrink_to_fit();
        Self {
            number,
            head,
            payload_bytes,
            window: (qos != Qos::AtMostOnce).then(|| Window::new(qos, inflight)),
            next: 0,
            due: 0,
        }
    }

    /// Bytes of each frame.
    pub(super) fn frame_bytes(&self, version: Version) -> usize {
        let id_bytes = match self.window {
            Some(_) => 2 + usize::from(version == Version::V5),
            None => 0,
        };
        self.head.len() + id_bytes + self.payload_bytes
    }

    /// Whether a message is due and may be sent.
    pub(super) fn may_send(&self) -> bool {
        self.next < self.due && self.window.as_ref().is_none_or(Window::has_room)
    }

    /// Writes the next message. `filler` has at least as many bytes as the payload.
    pub(super) fn write(
        &mut self,
        intended_ns: u64,
        filler: &[u8],
        version: Version,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(&self.head);
        if let Some(window) = &mut self.window {
            out.extend_from_slice(&window.take(intended_ns).to_be_bytes());
            if version == Version::V5 {
                out.push(0); // no properties
            }
        }
        let stamp = Stamp {
            intended_ns,
            publisher: self.number,
            sequence: self.next,
        };
        out.extend_from_slice(&stamp.to_bytes());
        out.extend_from_slice(&filler[..self.payload_bytes - STAMP_BYTES]);
        self.next += 1;
    }
}

/// What an identifier stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    Free,
    /// A message, meant to be sent at this time, waits for PUBACK or PUBREC.
    Sent(u64),
    /// It waits for PUBCOMP.
    Released(u64),
}

/// The messages of a publisher that are not acknowledged yet. Packet identifiers are used
/// again in the order in which they became free.
#[derive(Debug)]
pub(super) struct Window {
    qos: Qos,
    slots: Vec<Slot>,
    free: VecDeque<u16>,
}

/// An acknowledgement of something that waits for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Unexpected;

impl Window {
    fn new(qos: Qos, inflight: u16) -> Self {
        Self {
            qos,
            slots: vec![Slot::Free; usize::from(inflight)],
            free: (1..=inflight).collect(),
        }
    }

    /// The broker takes no more than `inflight`. To be called before anything is sent.
    pub(super) fn limit(&mut self, inflight: u16) {
        if usize::from(inflight) < self.slots.len() {
            *self = Self::new(self.qos, inflight);
        }
    }

    fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    /// Whether all is acknowledged.
    pub(super) fn is_settled(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    fn take(&mut self, intended_ns: u64) -> u16 {
        let id = self
            .free
            .pop_front()
            .expect("a message is written only while the window has room");
        self.slots[usize::from(id) - 1] = Slot::Sent(intended_ns);
        id
    }

    fn slot(&mut self, id: u16) -> Result<&mut Slot, Unexpected> {
        usize::from(id)
            .checked_sub(1)
            .and_then(|at| self.slots.get_mut(at))
            .ok_or(Unexpected)
    }

    /// PUBACK, or a PUBREC that refuses: the message is done with. Says when it was meant to
    /// be sent.
    pub(super) fn settle(&mut self, id: u16, qos: Qos) -> Result<u64, Unexpected> {
        if qos != self.qos {
            return Err(Unexpected);
        }
        let slot = self.slot(id)?;
        let Slot::Sent(intended_ns) = *slot else {
            return Err(Unexpected);
        };
        *slot = Slot::Free;
        self.free.push_back(id);
        Ok(intended_ns)
    }

    /// PUBREC: a PUBREL is to be sent.
    pub(super) fn receive(&mut self, id: u16) -> Result<(), Unexpected> {
        if self.qos != Qos::ExactlyOnce {
            return Err(Unexpected);
        }
        let slot = self.slot(id)?;
        let Slot::Sent(intended_ns) = *slot else {
            return Err(Unexpected);
        };
        *slot = Slot::Released(intended_ns);
        Ok(())
    }

    /// PUBCOMP: the message is done with. Says when it was meant to be sent.
    pub(super) fn complete(&mut self, id: u16) -> Result<u64, Unexpected> {
        let slot = self.slot(id)?;
        let Slot::Released(intended_ns) = *slot else {
            return Err(Unexpected);
        };
        *slot = Slot::Free;
        self.free.push_back(id);
        Ok(intended_ns)
    }
}

#[cfg(test)]
mod tests {
    use quartet_fabric::mqtt::{MAX_REMAINING_LENGTH, Packet, decode};

    use super::*;
    use crate::load::scan::{self, Scanned};

    #[test]
    fn each_frame_is_a_whole_publish_with_its_stamp() {
        for version in [Version::V311, Version::V5] {
            for level in 0..3 {
                let qos = Qos::from_level(level).unwrap();
                let mut publisher = Publisher::new(7, "bench/7", 20, qos, 4, version);
                let mut out = Vec::new();
                publisher.write(11, &[0; 20], version, &mut out);
                publisher.write(22, &[0; 20], version, &mut out);
                assert_eq!(out.len(), 2 * publisher.frame_bytes(version));
                let frames = out.chunks(out.len() / 2);
                for (frame, expected) in frames.zip([(0, 11), (1, 22)]) {
                    let found = scan::next(frame, version, MAX_REMAINING_LENGTH);
                    let Ok(Some((Scanned::Publish { payload, .. }, _))) = found else {
                        panic!("no PUBLISH: {found:?}");
                    };
                    let stamp = Stamp::of_payload(payload).unwrap();
                    assert_eq!(stamp.publisher, 7);
                    assert_eq!((stamp.sequence, stamp.intended_ns), expected);
                    let frame = Bytes::copy_from_slice(frame);
                    let Ok(Packet::Publish(publish)) = decode(&frame, version) else {
                        panic!("the strict decoder refuses it");
                    };
                    assert_eq!((&*publish.topic, publish.payload.len()), ("bench/7", 20));
                }
            }
        }
    }

    #[test]
    fn a_full_window_stops_the_publisher_until_an_acknowledgement() {
        let mut publisher = Publisher::new(0, "t", 16, Qos::AtLeastOnce, 2, Version::V311);
        publisher.due = 10;
        let mut out = Vec::new();
        for ns in [1, 2] {
            assert!(publisher.may_send());
            publisher.write(ns, &[0; 16], Version::V311, &mut out);
        }
        assert!(!publisher.may_send());
        let window = publisher.window.as_mut().unwrap();
        assert_eq!(window.settle(2, Qos::AtLeastOnce), Ok(2));
        assert_eq!(window.settle(2, Qos::AtLeastOnce), Err(Unexpected));
        assert!(publisher.may_send());
    }

    #[test]
    fn a_message_of_qos_2_is_settled_in_two_steps() {
        let mut window = Window::new(Qos::ExactlyOnce, 3);
        let id = window.take(5);
        assert_eq!(window.complete(id), Err(Unexpected));
        assert_eq!(window.receive(id), Ok(()));
        assert_eq!(window.receive(id), Err(Unexpected));
        assert_eq!(window.complete(id), Ok(5));
        assert!(window.is_settled());
        assert_eq!(window.receive(0), Err(Unexpected));
        assert_eq!(window.receive(99), Err(Unexpected));
    }
}
