use std::{
    collections::{HashMap, VecDeque},
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
};

use bytes::{Bytes, BytesMut};
use quartet_fabric::mqtt::{
    Ack, Connect, Login, Packet, Properties, Property, Publish, Reason, RetainHandling, Subscribe,
    SubscribeFilter, Version, decode, frame_length,
};
use quartet_model::Qos;

use super::PATIENCE;

/// A connection of MQTT 5 that keeps to the protocol. Whatever gives an `Option` gives `None` when
/// the hub is gone.
pub(crate) struct Line {
    wire: TcpStream,
    buffer: BytesMut,
}

/// A message, as it was heard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Told {
    pub(crate) topic: String,
    pub(crate) payload: String,
    /// User properties.
    pub(crate) said: Vec<(String, String)>,
}

impl Told {
    fn of(publish: &Publish) -> Self {
        let properties = Properties::of_wire(&publish.properties);
        let said = properties.iter().filter_map(|property| match property {
            Property::UserProperty(name, value) => Some((name.to_string(), value.to_string())),
            _ => None,
        });
        Self {
            topic: publish.topic.to_string(),
            payload: String::from_utf8_lossy(&publish.payload).into_owned(),
            said: said.collect(),
        }
    }

    /// The user property of this name; empty if there is none.
    pub(crate) fn says(&self, name: &str) -> &str {
        let mut said = self.said.iter();
        said.find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }
}

impl Line {
    /// Connects; with a session that stays when the connection goes, or without.
    pub(crate) fn open(at: SocketAddr, id: &str, is_lasting: bool) -> Option<Self> {
        Self::open_as(at, id, is_lasting, &Login::default())
    }

    /// The same, by somebody with a name.
    fn open_as(at: SocketAddr, id: &str, is_lasting: bool, login: &Login) -> Option<Self> {
        let wire = TcpStream::connect(at).ok()?;
        wire.set_read_timeout(Some(PATIENCE)).ok()?;
        wire.set_write_timeout(Some(PATIENCE)).ok()?;
        wire.set_nodelay(true).ok()?;
        let mut line = Self {
            wire,
            buffer: BytesMut::new(),
        };
        let expiry = Property::SessionExpiryInterval(if is_lasting { 3600 } else { 0 });
        line.say(&Packet::Connect(Box::new(Connect {
            version: Version::V5,
            client_id: id.into(),
            clean_start: !is_lasting,
            keep_alive_s: 0,
            login: login.clone(),
            will: None,
            properties: Properties::none().with(expiry),
        })))?;
        match line.hear()? {
            Packet::ConnAck(ack) if ack.reason == Reason::Success => Some(line),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn say(&mut self, packet: &Packet) -> Option<()> {
        let mut bytes = Vec::new();
        packet.encode(Version::V5, &mut bytes);
        self.wire.write_all(&bytes).ok()
    }

    pub(crate) fn hear(&mut self) -> Option<Packet> {
        loop {
            let length = frame_length(&self.buffer, usize::MAX).expect("the hub says MQTT");
            if let Some(length) = length.filter(|length| *length <= self.buffer.len()) {
                let frame: Bytes = self.buffer.split_to(length).freeze();
                return Some(decode(&frame, Version::V5).expect("the hub says MQTT"));
            }
            let mut part = [0; 4096];
            match self.wire.read(&mut part) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock) => {
                    panic!("nothing comes, and nothing is closed")
                }
                Ok(0) | Err(_) => return None,
                Ok(read) => self.buffer.extend_from_slice(&part[..read]),
            }
        }
    }

    /// PUBLISH with these user properties, at QoS 0 if there is no packet identifier.
    pub(crate) fn publish(
        &mut self,
        (qos, packet_id): (Qos, u16),
        topic: &str,
        payload: &str,
        said: &[(&str, &str)],
    ) -> Option<()> {
        let publish = published((qos, packet_id), topic, payload, said);
        self.say(&Packet::Publish(publish))
    }

    /// PUBLISH at QoS 1 and its answer, which must be that it is taken.
    pub(crate) fn tell(&mut self, topic: &str, payload: &str) -> Option<()> {
        self.publish((Qos::AtLeastOnce, 1), topic, payload, &[])?;
        match self.hear()? {
            Packet::PubAck(ack) if !ack.reason.is_error() => Some(()),
            other => panic!("{other:?}"),
        }
    }
}

/// A PUBLISH.
pub(crate) fn published(
    (qos, packet_id): (Qos, u16),
    topic: &str,
    payload: &str,
    said: &[(&str, &str)],
) -> Publish {
    let mut properties = Vec::new();
    for (name, value) in said {
        Property::UserProperty((*name).into(), (*value).into()).write(&mut properties);
    }
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: topic.into(),
        packet_id,
        alias: None,
        expiry_s: None,
        subscription_ids: Vec::new(),
        properties: properties.into(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    }
}

/// The answer to a message.
pub(crate) fn ack(packet_id: u16) -> Ack {
    Ack {
        packet_id,
        reason: Reason::Success,
        properties: Properties::none(),
    }
}

/// A subscriber at QoS 2 whose session outlives its connections, and the hub's deaths.
///
/// What was said at QoS 1 it may get again when it comes back: it knows that by the `id` that
/// CloudEvents have. What has none it may hear twice then; what comes twice on one connection it
/// hears twice.
pub(crate) struct Listener {
    id: String,
    login: Login,
    line: Option<Line>,
    /// Messages at QoS 2 that were taken and not released.
    unreleased: HashMap<u16, Told>,
    /// CloudEvents at QoS 1 that came, and on which connection.
    known: HashMap<(String, String), usize>,
    connections: usize,
    waiting: VecDeque<Told>,
    /// Messages that came again.
    pub(crate) again: usize,
}

impl Listener {
    /// Subscribes, and is there.
    pub(crate) fn open(at: SocketAddr, id: &str, filters: &[&str]) -> Self {
        Self::open_as(at, id, None, filters)
    }

    /// The same, by somebody with a name and a password.
    pub(crate) fn open_as(
        at: SocketAddr,
        id: &str,
        login: Option<(&str, &str)>,
        filters: &[&str],
    ) -> Self {
        let login = login.map(|(user, password)| Login {
            user_name: Some(user.into()),
            password: Some(Bytes::copy_from_slice(password.as_bytes())),
        });
        let mut listener = Self {
            id: id.to_owned(),
            login: login.unwrap_or_default(),
            line: None,
            unreleased: HashMap::new(),
            known: HashMap::new(),
            connections: 0,
            waiting: VecDeque::new(),
            again: 0,
        };
        listener.come(at).expect("the hub is up");
        let filters = filters.iter().map(|filter| SubscribeFilter {
            filter: (*filter).into(),
            qos: Qos::ExactlyOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::DoNotSend,
        });
        let subscribe = Packet::Subscribe(Subscribe {
            packet_id: 1,
            filters: filters.collect(),
            properties: Properties::none(),
        });
        let line = listener.line.as_mut().expect("it is there");
        line.say(&subscribe).expect("the hub is up");
        match line.hear() {
            Some(Packet::SubAck(ack)) if !ack.reasons.iter().any(|one| one.is_error()) => listener,
            other => panic!("{other:?}"),
        }
    }

    /// Goes away; what is told is kept for it.
    pub(crate) fn leave(&mut self) {
        self.line = None;
    }

    /// Comes back.
    pub(crate) fn come(&mut self, at: SocketAddr) -> Option<()> {
        self.line = Some(Line::open_as(at, &self.id, true, &self.login)?);
        self.connections += 1;
        Some(())
    }

    /// Says something at QoS 0; it is taken when it returns.
    pub(crate) fn says(&mut self, topic: &str, payload: &str) {
        let line = self.line.as_mut().expect("it is there");
        let said = line.publish((Qos::AtMostOnce, 0), topic, payload, &[]);
        said.expect("the hub is up");
        let before = self.until_now();
        self.waiting.extend(before);
    }

    /// The next message that is new; `None` when the hub is gone. Panics if nothing comes.
    pub(crate) fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.waiting.pop_front() {
                return Some(told);
            }
            let packet = self.line.as_mut()?.hear()?;
            self.take(packet)?;
        }
    }

    /// All messages that come until PINGREQ is answered.
    pub(crate) fn until_now(&mut self) -> Vec<Told> {
        let line = self.line.as_mut().expect("it is there");
        line.say(&Packet::PingReq).expect("the hub is up");
        loop {
            let line = self.line.as_mut().expect("it is there");
            match line.hear().expect("the hub is up") {
                Packet::PingResp => return self.waiting.drain(..).collect(),
                packet => self.take(packet).expect("the hub is up"),
            }
        }
    }

    /// Whether it came on an earlier connection.
    fn knows(&mut self, told: &Told) -> bool {
        let id = told.says("id");
        if id.is_empty() {
            return false;
        }
        let of = (told.topic.clone(), id.to_owned());
        let before = self.known.entry(of).or_insert(self.connections);
        *before < self.connections
    }

    fn take(&mut self, packet: Packet) -> Option<()> {
        let answer = match packet {
            Packet::Publish(publish) => {
                let told = Told::of(&publish);
                let id = publish.packet_id;
                let (is_again, answer) = match publish.qos {
                    Qos::AtMostOnce => (false, None),
                    Qos::AtLeastOnce => (self.knows(&told), Some(Packet::PubAck(ack(id)))),
                    Qos::ExactlyOnce => {
                        let before = self.unreleased.insert(id, told.clone());
                        // Section 4.3.3 of MQTT 5.0: sent again, it is the same.
                        let is_same = before.as_ref().is_none_or(|it| publish.dup && *it == told);
                        assert!(is_same, "{told:?} has the number of {before:?}");
                        (before.is_some(), Some(Packet::PubRec(ack(id))))
                    }
                };
                match is_again {
                    true => self.again += 1,
                    false => self.waiting.push_back(told),
                }
                answer
            }
            Packet::PubRel(rel) => {
                self.unreleased.remove(&rel.packet_id);
                Some(Packet::PubComp(ack(rel.packet_id)))
            }
            other => panic!("{other:?}"),
        };
        match answer {
            Some(answer) => self.line.as_mut()?.say(&answer),
            None => Some(()),
        }
    }
}

/// Says one message after the other, each until it is taken: at QoS 1, where one that was not
/// answered before the hub died is said again, or at QoS 2, where it is known to be the same.
pub(crate) struct Teller {
    id: String,
    qos: Qos,
    /// Said, and not taken as far as we know, by number; true if only PUBCOMP is awaited.
    open: VecDeque<(usize, Publish, bool)>,
    /// How often each was said.
    pub(crate) times: Vec<u32>,
    /// How many were taken.
    pub(crate) taken: usize,
}

impl Teller {
    pub(crate) fn new(id: &str, qos: Qos) -> Self {
        Self {
            id: id.to_owned(),
            qos,
            open: VecDeque::new(),
            times: Vec::new(),
            taken: 0,
        }
    }

    /// Whether each message is taken exactly once, by its packet identifier.
    pub(crate) fn is_exact(&self) -> bool {
        self.qos == Qos::ExactlyOnce
    }

    /// How many wait for their answer.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// Connects, and says again what was not answered.
    pub(crate) fn come(&mut self, at: SocketAddr) -> Option<Line> {
        let mut line = Line::open(at, &self.id, self.is_exact())?;
        for (number, publish, is_received) in &mut self.open {
            match *is_received {
                true => line.say(&Packet::PubRel(ack(publish.packet_id)))?,
                false => {
                    self.times[*number] += 1;
                    publish.dup = self.qos == Qos::ExactlyOnce;
                    line.say(&Packet::Publish(publish.clone()))?;
                }
            }
        }
        Some(line)
    }

    /// Says the next message; its number is its user property `n`.
    pub(crate) fn say(&mut self, line: &mut Line, topic: &str, payload: &str) -> Option<()> {
        let number = self.times.len();
        let packet_id = u16::try_from(number % 60_000 + 1).expect("it is small");
        let said = [("n", &*number.to_string())];
        let publish = published((self.qos, packet_id), topic, payload, &said);
        self.times.push(1);
        self.open.push_back((number, publish.clone(), false));
        line.say(&Packet::Publish(publish))
    }

    /// Hears one answer, and does what follows of it.
    pub(crate) fn hear(&mut self, line: &mut Line) -> Option<()> {
        let (answer, is_over) = match line.hear()? {
            Packet::PubAck(answer) | Packet::PubComp(answer) => (answer, true),
            Packet::PubRec(answer) => (answer, false),
            other => panic!("{other:?}"),
        };
        let id = answer.packet_id;
        let at = self.open.iter().position(|(_, one, _)| one.packet_id == id);
        let at = at.expect("an answer to what was said");
        // PacketIdentifierNotFound says that it was released before (MQTT 5.0, section 4.3.3).
        assert!(
            !answer.reason.is_error() || is_over && self.open[at].2,
            "{answer:?}"
        );
        match is_over {
            true => {
                self.open.remove(at);
                self.taken += 1;
                Some(())
            }
            false => {
                self.open[at].2 = true;
                line.say(&Packet::PubRel(ack(id)))
            }
        }
    }
}
