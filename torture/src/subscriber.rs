//! A subscriber that keeps its promises across deaths of the hub: it answers all that comes,
//! and takes a QoS 2 message once, until the hub has released it.

use std::collections::HashMap;

use quartet_fabric::mqtt::{Packet, Publish, RetainHandling};
use quartet_model::Qos;

use crate::{
    board::{Board, Life, Phase, Progress},
    chance::Chance,
    history::{Heard, Kind},
    message::{self, MessageId},
    wire::{Lost, Wire, connect, subscribe, unexpected},
};

/// Packet id of the one SUBSCRIBE.
const SUBSCRIBE_ID: u16 = 1;

/// What makes one subscriber different from another.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    pub(crate) name: String,
    pub(crate) filter: String,
    pub(crate) qos: Qos,
    /// Which group hears what it hears.
    pub(crate) group: usize,
    /// How many messages it takes at once.
    pub(crate) receive_maximum: u16,
    /// It comes in one of so many lives of the hub.
    pub(crate) comes_once_in: u64,
    /// It goes after some packets, and comes back.
    pub(crate) is_restless: bool,
}

pub(crate) struct Subscriber<'b> {
    board: &'b Board,
    /// Its number among all clients.
    number: usize,
    habits: Habits,
    chance: Chance,
    seed: u64,
    /// QoS 2 messages that were taken and not released.
    taken: HashMap<u16, MessageId>,
    /// The SUBACK came: the session must be there from now on.
    is_subscribed: bool,
    heard: Vec<Heard>,
}

impl<'b> Subscriber<'b> {
    pub(crate) fn new(board: &'b Board, number: usize, habits: Habits, seed: u64) -> Self {
        Self {
            board,
            number,
            habits,
            chance: Chance::for_part(seed, number as u64),
            seed,
            taken: HashMap::new(),
            is_subscribed: false,
            heard: Vec::new(),
        }
    }

    /// Listens until all is over; returns what was heard.
    pub(crate) fn run(mut self) -> Vec<Heard> {
        while let Some(life) = self.board.next_life(|life, phase| self.comes(life, phase)) {
            match self.live(life) {
                Ok(()) => {} // It went by itself.
                Err(lost) => {
                    let says = format!("{}: {lost}", self.habits.name);
                    self.board.find_in(life, Kind::Broken, says);
                    self.board.next_life(|next, _| next.number != life.number);
                }
            }
        }
        self.heard
    }

    fn comes(&self, life: Life, phase: Phase) -> bool {
        let mut chance = Chance::for_part(self.seed ^ self.number as u64, life.number);
        phase != Phase::Load || chance.once_in(self.habits.comes_once_in)
    }

    /// One connection, until it ends or is left.
    fn live(&mut self, life: Life) -> Result<(), Lost> {
        let mut wire = Wire::open(life.at)?;
        let Habits { name, filter, .. } = &self.habits;
        wire.put(&connect(name, true, self.habits.receive_maximum));
        wire.flush()?;
        // What waits comes right after CONNACK, perhaps with it.
        let mut stays = match self.habits.is_restless {
            true => self.chance.up_to(400),
            false => u64::MAX,
        };
        let mut is_in = false;
        loop {
            let (packets, bytes) = wire.read()?;
            let mut progress = Progress {
                bytes,
                ..Progress::default()
            };
            for packet in packets {
                match packet {
                    Packet::ConnAck(ack) if !is_in && !ack.reason.is_error() => {
                        is_in = true;
                        if !ack.session_present {
                            if self.is_subscribed {
                                let says = format!("the session of {name} is gone");
                                self.board.find_in(life, Kind::Forgotten, says);
                            }
                            self.taken.clear();
                        }
                        if !self.is_subscribed || !ack.session_present {
                            let never = RetainHandling::DoNotSend;
                            wire.put(&subscribe(SUBSCRIBE_ID, filter, self.habits.qos, never));
                        }
                    }
                    Packet::SubAck(ack)
                        if is_in && !ack.reasons.iter().any(|one| one.is_error()) =>
                    {
                        if !self.is_subscribed {
                            self.is_subscribed = true;
                            self.board.subscribed();
                        }
                    }
                    Packet::Publish(publish) if is_in => {
                        let new = take(&mut self.taken, &publish)?;
                        if let Some(id) = new {
                            self.heard.push(Heard {
                                id,
                                qos: publish.qos,
                                packet_id: publish.packet_id,
                                life: life.number,
                            });
                            progress.heard.push((self.habits.group, id));
                        }
                        let id = publish.packet_id;
                        match publish.qos {
                            Qos::ExactlyOnce => wire.put_ack(Packet::PubRec, id),
                            _ => wire.put_ack(Packet::PubAck, id),
                        }
                    }
                    Packet::PubRel(ack) if is_in => {
                        self.taken.remove(&ack.packet_id);
                        wire.put_ack(Packet::PubComp, ack.packet_id);
                    }
                    other => return Err(unexpected(&other)),
                }
                stays = stays.saturating_sub(1);
            }
            progress.owed = self.taken.len();
            self.board.note(self.number, progress);
            if stays == 0 && self.board.state().phase == Phase::Load {
                return Ok(()); // What is answered above is not said any more.
            }
            wire.flush()?;
        }
    }
}

/// The message, if it is new to this client.
fn take(taken: &mut HashMap<u16, MessageId>, publish: &Publish) -> Result<Option<MessageId>, Lost> {
    let wrong = |what: &str| Lost::Unexpected(described(what, publish));
    let id = message::read(&publish.payload).ok_or_else(|| wrong("a spoiled message"))?;
    match publish.qos {
        Qos::AtMostOnce => Err(wrong("a message at QoS 0")),
        Qos::AtLeastOnce => Ok(Some(id)),
        Qos::ExactlyOnce => match taken.insert(publish.packet_id, id) {
            None => Ok(Some(id)),
            Some(before) if before != id => {
                Err(wrong(&format!("a packet id that {before} still has")))
            }
            Some(_) if !publish.dup => Err(wrong("a message again without DUP")),
            Some(_) => Ok(None),
        },
    }
}

fn described(what: &str, publish: &Publish) -> String {
    let name = message::read(&publish.payload);
    format!(
        "{what}: {name:?} at {} with QoS {}, packet id {}, DUP {}",
        publish.topic,
        publish.qos.level(),
        publish.packet_id,
        publish.dup
    )
}
