//! A client that keeps its side of the promise across crashes of the hub (MQTT 5.0, sections
//! 4.3 and 4.4): it sends again what was not acknowledged, and takes a QoS 2 message once.

use std::collections::BTreeSet;

use quartet_fabric::mqtt::{Connect, Packet, Properties, Property, Publish, Reason, Will};
use quartet_model::Qos;
use quartet_sim::{Client, Site, connect, publish_at, subscribe};

use crate::{Q1, Q2};

/// What the hub owes an answer to.
#[derive(Clone, Debug)]
enum Unanswered {
    /// PUBACK or PUBREC.
    Publish(Publish),
    /// PUBCOMP.
    PubRel,
}

/// One client with its own memory of the session.
pub(crate) struct Stubborn {
    site: Site,
    id: String,
    client: Option<Client>,
    /// The CONNACK of this connection came.
    is_in: bool,
    filters: Vec<(String, Qos)>,
    /// In the order in which it was said.
    unanswered: Vec<(u16, Unanswered)>,
    last_id: u16,
    /// QoS 2 messages that were taken and not released.
    taken: BTreeSet<u16>,
    /// The SUBACK came: the session must be there from now on.
    is_subscribed: bool,
    will: Option<Will>,
    /// Payloads in the order in which they were taken, with the QoS at which they came.
    pub(crate) heard: Vec<(Qos, String)>,
}

impl Stubborn {
    pub(crate) fn new(site: &Site, id: &str, filters: &[(&str, Qos)]) -> Self {
        let filters = filters.iter().map(|&(text, qos)| (text.to_owned(), qos));
        Self {
            site: site.clone(),
            id: id.to_owned(),
            client: None,
            is_in: false,
            filters: filters.collect(),
            unanswered: Vec::new(),
            last_id: 0,
            taken: BTreeSet::new(),
            is_subscribed: false,
            will: None,
            heard: Vec::new(),
        }
    }

    /// Leaves this will with the hub from the next connection on.
    pub(crate) fn with_will(mut self, will: Will) -> Self {
        self.will = Some(will);
        self
    }

    /// Opens a connection and says CONNECT.
    pub(crate) fn come(&mut self) {
        let client = self.site.client();
        client.send(Connect {
            clean_start: false,
            will: self.will.clone(),
            properties: Properties::none().with(Property::SessionExpiryInterval(3600)),
            ..connect(&self.id)
        });
        self.client = Some(client);
        self.is_in = false;
    }

    /// The connection is lost, if there is one.
    pub(crate) fn go(&mut self) {
        if let Some(client) = self.client.take() {
            client.cut();
        }
    }

    pub(crate) fn is_here(&self) -> bool {
        self.client.is_some()
    }

    /// How many answers are owed.
    pub(crate) fn owed(&self) -> usize {
        self.unanswered.len()
    }

    /// Publishes at QoS 1 or 2, now or when it is here again.
    /// Says whether it could: it has few packet identifiers, and uses each again soon.
    pub(crate) fn say(&mut self, qos: Qos, topic: &str, payload: &str, retain: bool) -> bool {
        let Some(id) = self.free_id() else {
            return false;
        };
        let publish = Publish {
            retain,
            ..publish_at(qos, id, topic, payload)
        };
        self.unanswered
            .push((id, Unanswered::Publish(publish.clone())));
        if let Some(client) = &self.client
            && self.is_in
        {
            client.send(publish);
        }
        true
    }

    fn free_id(&mut self) -> Option<u16> {
        const IDS: u16 = 12;
        let is_free = |id: &u16| self.unanswered.iter().all(|(used, _)| used != id);
        let next = (1..=IDS).map(|n| (self.last_id + n - 1) % IDS + 1);
        self.last_id = next.clone().find(is_free)?;
        Some(self.last_id)
    }

    fn is_answered(&mut self, packet_id: u16) {
        self.unanswered.retain(|(id, _)| *id != packet_id);
    }

    /// Takes what has come and answers it.
    pub(crate) fn pump(&mut self) {
        let Some(client) = self.client.clone() else {
            return;
        };
        for packet in client.hear() {
            match packet {
                Packet::ConnAck(ack) => {
                    assert_eq!(ack.reason, Reason::Success);
                    self.come_in(&client, ack.session_present);
                }
                Packet::SubAck(ack) => {
                    assert!(ack.reasons.iter().all(|reason| !reason.is_error()));
                    self.is_subscribed = true;
                }
                Packet::Publish(publish) => self.take(&client, &publish),
                Packet::PubAck(ack) => self.is_answered(ack.packet_id),
                Packet::PubRec(ack) => {
                    assert!(!ack.reason.is_error(), "{ack:?}");
                    let unanswered = self.unanswered.iter_mut();
                    let mut of_id = unanswered.filter(|(id, _)| *id == ack.packet_id);
                    if let Some((_, unanswered)) = of_id.next() {
                        *unanswered = Unanswered::PubRel;
                    }
                    client.acknowledge(Packet::PubRel, ack.packet_id);
                }
                Packet::PubRel(ack) => {
                    self.taken.remove(&ack.packet_id);
                    client.acknowledge(Packet::PubComp, ack.packet_id);
                }
                Packet::PubComp(ack) => self.is_answered(ack.packet_id),
                // A connection that was lost came to the hub late and took this one over.
                Packet::Disconnect(_) => {
                    self.client = None;
                    return;
                }
                other => panic!("{} got {other:?}", self.id),
            }
        }
    }

    fn come_in(&mut self, client: &Client, session_present: bool) {
        assert!(
            session_present || !self.is_subscribed,
            "the hub forgot the session of {}",
            self.id
        );
        self.is_in = true;
        if !session_present {
            self.taken.clear();
        }
        if !self.is_subscribed && !self.filters.is_empty() {
            let filters = self.filters.iter().map(|(text, qos)| (&**text, *qos));
            let filters: Vec<(&str, Qos)> = filters.collect();
            client.send(subscribe(60_001, &filters));
        }
        // In the order in which they were said [MQTT-4.6.0-1].
        for &(id, ref unanswered) in &self.unanswered {
            match unanswered {
                Unanswered::Publish(publish) => client.send(Publish {
                    dup: true,
                    ..publish.clone()
                }),
                Unanswered::PubRel => client.acknowledge(Packet::PubRel, id),
            }
        }
    }

    fn take(&mut self, client: &Client, publish: &Publish) {
        let id = publish.packet_id;
        let is_new = publish.qos != Q2 || self.taken.insert(id);
        if is_new {
            let payload = String::from_utf8_lossy(&publish.payload).into_owned();
            self.heard.push((publish.qos, payload));
        }
        match publish.qos {
            Q1 => client.acknowledge(Packet::PubAck, id),
            Q2 => client.acknowledge(Packet::PubRec, id),
            _ => {}
        }
    }
}
