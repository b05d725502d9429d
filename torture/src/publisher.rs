//! A publisher that keeps its promises across deaths of the hub (MQTT 5.0, sections 4.3 and
//! 4.4): what was not acknowledged it sends again, in order, with DUP and the same packet ids.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use quartet_fabric::mqtt::{Packet, Publish};
use quartet_model::Qos;

use crate::{
    board::{Board, Life, Phase, Progress},
    chance::Chance,
    history::{Kind, Said},
    message::{self, MessageId},
    wire::{Lost, Wire, connect, unexpected},
};

/// How many messages are under way at most.
const WINDOW_MAX: u64 = 16;
/// How many topics each publisher has.
const TOPICS: u64 = 4;
/// How many last words each one says.
const LAST_WORDS: usize = 8;
/// Packet ids go round here: a hub that has not forgotten one when it is used again takes the
/// new message for the old one.
const PACKET_ID_MAX: u16 = 40;
/// How many packets a publisher stays for, at most, before it goes and comes back.
const STAYS_MAX: u64 = 2_000;

/// What the hub owes an answer to.
enum Unanswered {
    /// PUBACK or PUBREC.
    Publish(Publish),
    /// PUBCOMP.
    PubRel(u16),
}

pub(crate) struct Publisher<'b> {
    board: &'b Board,
    /// Its number among publishers and among all clients.
    number: usize,
    name: String,
    chance: Chance,
    /// By the number of the message: the order in which they were said.
    unanswered: BTreeMap<usize, Unanswered>,
    numbers: HashMap<u16, usize>,
    next_packet_id: u16,
    said: Vec<Said>,
    /// What was sent so far.
    sent: u64,
    /// Something was acknowledged: the session must be there from now on.
    is_known: bool,
}

impl<'b> Publisher<'b> {
    pub(crate) fn new(board: &'b Board, number: usize, chance: Chance) -> Self {
        Self {
            board,
            number,
            name: format!("publisher {number}"),
            chance,
            unanswered: BTreeMap::new(),
            numbers: HashMap::new(),
            next_packet_id: 1,
            said: Vec::new(),
            sent: 0,
            is_known: false,
        }
    }

    /// Publishes until all is over; returns what was said.
    pub(crate) fn run(mut self) -> Vec<Said> {
        while let Some(life) = self.board.next_life(|_, phase| phase != Phase::Begin) {
            match self.live(life) {
                Ok(()) => {} // It went by itself.
                Err(lost) => {
                    let says = format!("{}: {lost}", self.name);
                    self.board.find_in(life, Kind::Broken, says);
                    self.board.next_life(|next, _| next.number != life.number);
                }
            }
        }
        self.said
    }

    /// One connection, until it ends or is left.
    fn live(&mut self, life: Life) -> Result<(), Lost> {
        let mut wire = Wire::open(life.at)?;
        wire.put(&connect(&self.name, true, 10));
        wire.flush()?;
        match wire.answer()? {
            Packet::ConnAck(ack) if !ack.reason.is_error() => {
                if self.is_known && !ack.session_present {
                    let says = format!("the session of {} is gone", self.name);
                    self.board.find_in(life, Kind::Forgotten, says);
                }
            }
            other => return Err(unexpected(&other)),
        }
        self.send_again(&mut wire);
        let window = 1 + self.chance.up_to(WINDOW_MAX - 1) as usize;
        let mut stays = self.chance.up_to(STAYS_MAX);
        let mut progress = Progress::default();
        loop {
            self.say_more(&mut wire, life, window, &mut progress);
            progress.owed = self.unanswered.len();
            self.board.note(self.number, std::mem::take(&mut progress));
            if stays == 0 && self.board.state().phase == Phase::Load {
                return Ok(()); // What was put above is not said any more.
            }
            wire.flush()?;
            let (packets, bytes) = wire.read()?;
            progress.bytes = bytes;
            stays = stays.saturating_sub(packets.len() as u64);
            for packet in packets {
                self.take(&mut wire, packet, &mut progress)?;
            }
        }
    }

    /// In the order in which they were said [MQTT-4.6.0-1].
    fn send_again(&mut self, wire: &mut Wire) {
        for (&number, unanswered) in &self.unanswered {
            match unanswered {
                Unanswered::Publish(publish) => {
                    let said = &mut self.said[number];
                    self.sent += 1;
                    said.last_sent = Some(self.sent);
                    wire.put(&Packet::Publish(Publish {
                        dup: said.first_sent.is_some(),
                        ..publish.clone()
                    }));
                    said.first_sent.get_or_insert(self.sent);
                }
                Unanswered::PubRel(packet_id) => wire.put_ack(Packet::PubRel, *packet_id),
            }
        }
    }

    fn say_more(&mut self, wire: &mut Wire, life: Life, window: usize, progress: &mut Progress) {
        let phase = self.board.state().phase;
        let more = match phase {
            Phase::Load => window.saturating_sub(self.unanswered.len()),
            Phase::Farewell => LAST_WORDS,
            _ => 0,
        };
        if phase == Phase::Farewell && self.board.is_farewell_said(self.number, life) {
            return;
        }
        for _ in 0..more {
            let (publish, bytes) = self.make_up(life);
            progress.said += 1;
            progress.bytes_said += bytes;
            self.sent += 1;
            self.said.push(Said {
                topic: publish.topic.to_string(),
                qos: publish.qos,
                retain: publish.retain,
                first_sent: Some(self.sent),
                last_sent: Some(self.sent),
                is_acknowledged: false,
            });
            let number = self.said.len() - 1;
            let packet = Packet::Publish(publish.clone());
            wire.put(&packet);
            self.numbers.insert(publish.packet_id, number);
            self.unanswered.insert(number, Unanswered::Publish(publish));
        }
        if phase == Phase::Farewell {
            progress.farewell = Some(life.number);
        }
    }

    fn make_up(&mut self, life: Life) -> (Publish, usize) {
        let id = MessageId {
            publisher: self.number,
            number: self.said.len(),
        };
        let payload = message::payload(
            id,
            self.chance.below(life.payload_bytes_max as u64) as usize,
        );
        let bytes = payload.len();
        let qos = match self.chance.once_in(2) {
            true => Qos::AtLeastOnce,
            false => Qos::ExactlyOnce,
        };
        let publish = Publish {
            dup: false,
            qos,
            retain: self.chance.once_in(4),
            topic: format!("torture/{}/{}", self.number, self.chance.below(TOPICS)).into(),
            packet_id: self.free_packet_id(),
            alias: None,
            expiry_s: None,
            subscription_ids: Vec::new(),
            properties: Bytes::new(),
            payload,
        };
        (publish, bytes)
    }

    fn free_packet_id(&mut self) -> u16 {
        loop {
            let id = self.next_packet_id;
            self.next_packet_id = id % PACKET_ID_MAX + 1;
            if !self.numbers.contains_key(&id) {
                return id;
            }
        }
    }

    fn take(
        &mut self,
        wire: &mut Wire,
        packet: Packet,
        progress: &mut Progress,
    ) -> Result<(), Lost> {
        let (id, is_refused) = match &packet {
            Packet::PubAck(ack) | Packet::PubRec(ack) => (ack.packet_id, ack.reason.is_error()),
            // PacketIdentifierNotFound says that it was released before [MQTT-4.3.3].
            Packet::PubComp(ack) => (ack.packet_id, false),
            other => return Err(unexpected(other)),
        };
        let Some(&number) = self.numbers.get(&id) else {
            return Err(unexpected(&packet));
        };
        if is_refused {
            return Err(Lost::Unexpected(format!("{packet:?}")));
        }
        let awaits_publish = matches!(self.unanswered.get(&number), Some(Unanswered::Publish(_)));
        match (packet, self.said[number].qos) {
            (Packet::PubAck(_), Qos::AtLeastOnce) => {
                self.finish(id, number);
            }
            (Packet::PubRec(_), Qos::ExactlyOnce) => {
                self.unanswered.insert(number, Unanswered::PubRel(id));
                wire.put_ack(Packet::PubRel, id);
            }
            (Packet::PubComp(_), Qos::ExactlyOnce) if !awaits_publish => {
                self.finish(id, number);
                return Ok(());
            }
            (other, _) => return Err(unexpected(&other)),
        }
        self.is_known = true;
        let said = &mut self.said[number];
        said.is_acknowledged = true;
        if said.retain {
            progress.retained_at.push(said.topic.clone());
        }
        progress.acks += 1;
        Ok(())
    }

    fn finish(&mut self, packet_id: u16, number: usize) {
        self.unanswered.remove(&number);
        self.numbers.remove(&packet_id);
    }
}
