//! A small MQTT client for the command line and for scenarios: one connection, blocking, over TCP, TLS or a Unix
//! socket; and one that asks a hub over HTTP.
//!
//! Messages are acknowledged when they are received; what is published at QoS 1 and 2 is
//! published when [`Client::publish`] returns. It does not reconnect: who wants to makes another.

use std::{
    collections::{HashSet, VecDeque},
    io::{self, Read, Write},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use quartet_fabric::mqtt::{
    Ack, ConnAck, Connect, Disconnect, Login, MAX_REMAINING_LENGTH, Packet, Properties, Property,
    Publish, Reason, Subscribe, SubscribeFilter, Version, Will, decode, frame_length,
};
use quartet_model::Qos;

mod asker; // questions over HTTP
pub(crate) mod clock; // the one place that reads the clock
mod endpoint; // mqtt://host:port
mod error; // what can go wrong
#[cfg(test)]
pub(crate) mod fake; // a broker for tests
mod stream; // TCP, TLS, Unix

pub(crate) use asker::{Answer, Asker, Identity, Inside};
pub use endpoint::{Endpoint, EndpointError};
pub use error::ClientError;
use stream::Stream;
pub use stream::{Trust, reach};

/// How a connection is made.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// What is spoken.
    pub version: Version,
    /// Empty for one that the broker chooses.
    pub client_id: String,
    /// User name and password.
    pub login: Login,
    /// What the broker says for this client when it is lost.
    pub will: Option<Will>,
    /// Seconds of silence at most; 0 for no promise.
    pub keep_alive_s: u16,
    /// Whose certificate is believed.
    pub trust: Trust,
    /// How long is waited for each answer.
    pub patience: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            version: Version::V5,
            client_id: String::new(),
            login: Login::default(),
            will: None,
            keep_alive_s: 60,
            trust: Trust::None,
            patience: Duration::from_secs(10),
        }
    }
}

/// A connection to a broker.
pub struct Client {
    stream: Stream,
    version: Version,
    patience: Duration,
    keep_alive: Option<Duration>,
    connack: ConnAck,
    /// What was read and not looked at yet.
    buffer: BytesMut,
    /// Messages that came while something else was awaited.
    inbox: VecDeque<Publish>,
    /// Messages of QoS 2 that were received and not released.
    unreleased: HashSet<u16>,
    packet_id: u16,
    written_at: Instant,
}

impl Client {
    /// Connects and waits for CONNACK.
    pub fn connect(endpoint: &Endpoint, options: ConnectOptions) -> Result<Self, ClientError> {
        let stream = Stream::connect(endpoint, &options.trust, options.patience)?;
        let mut client = Self {
            stream,
            version: options.version,
            patience: options.patience,
            keep_alive: None,
            connack: ConnAck {
                session_present: false,
                reason: Reason::Success,
                properties: Properties::none(),
            },
            buffer: BytesMut::new(),
            inbox: VecDeque::new(),
            unreleased: HashSet::new(),
            packet_id: 0,
            written_at: clock::now(),
        };
        client.send(&Packet::Connect(Box::new(Connect {
            version: options.version,
            clean_start: true,
            keep_alive_s: options.keep_alive_s,
            client_id: options.client_id.into(),
            will: options.will,
            login: options.login,
            properties: Properties::none(),
        })))?;
        let connack = client.await_answer("CONNECT", |packet| match packet {
            Packet::ConnAck(connack) => Ok(connack.clone()),
            _ => Err(()),
        });
        client.connack = connack.map_err(|error| match error {
            ClientError::Closed(_) => ClientError::Closed(
                " instead of answering CONNECT; perhaps it listens for mqtts:// there, or speaks another --version",
            ),
            other => other,
        })?;
        client.settle_connack(options.keep_alive_s)?;
        Ok(client)
    }

    fn settle_connack(&mut self, keep_alive_s: u16) -> Result<(), ClientError> {
        let ConnAck {
            reason, properties, ..
        } = &self.connack;
        if *reason != Reason::Success {
            return Err(ClientError::Refused {
                reason: *reason,
                explanation: explanation(properties),
            });
        }
        // The server's wish counts [MQTT-3.1.2-21].
        let keep_alive_s = properties
            .find(|property| match property {
                Property::ServerKeepAlive(s) => Some(*s),
                _ => None,
            })
            .unwrap_or(keep_alive_s);
        self.keep_alive = (keep_alive_s != 0).then(|| Duration::from_secs(keep_alive_s.into()));
        Ok(())
    }

    /// What the broker said to the connection.
    pub fn connack(&self) -> &ConnAck {
        &self.connack
    }

    /// Subscribes, and waits until the broker has said yes to each filter.
    pub fn subscribe(&mut self, filters: Vec<SubscribeFilter>) -> Result<Vec<Qos>, ClientError> {
        let packet_id = self.next_packet_id();
        let names: Vec<ByteString> = filters.iter().map(|f| f.filter.clone()).collect();
        self.send(&Packet::Subscribe(Subscribe {
            packet_id,
            properties: Properties::none(),
            filters,
        }))?;
        let reasons = self.await_answer("SUBSCRIBE", |packet| match packet {
            Packet::SubAck(suback) if suback.packet_id == packet_id => Ok(suback.reasons.clone()),
            _ => Err(()),
        })?;
        let granted = names.iter().zip(reasons).map(|(filter, reason)| {
            // Codes below 0x80 say the QoS that was granted.
            Qos::from_level(reason.code()).ok_or_else(|| ClientError::NotSubscribed {
                filter: filter.to_string(),
                reason,
            })
        });
        granted.collect()
    }

    /// Publishes. At QoS 1 and 2 the broker has taken the message over when this returns; the
    /// reason then is [`Reason::Success`] or says that nobody receives it. The packet
    /// identifier is chosen here.
    pub fn publish(&mut self, mut publish: Publish) -> Result<Reason, ClientError> {
        publish.packet_id = match publish.qos {
            Qos::AtMostOnce => 0,
            _ => self.next_packet_id(),
        };
        let (qos, id, topic) = (publish.qos, publish.packet_id, publish.topic.clone());
        self.send(&Packet::Publish(publish))?;
        let refused = |ack: &Ack| ClientError::NotPublished {
            topic: topic.to_string(),
            reason: ack.reason,
            explanation: explanation(&ack.properties),
        };
        match qos {
            Qos::AtMostOnce => Ok(Reason::Success),
            Qos::AtLeastOnce => {
                let ack = self.await_answer("PUBLISH", |packet| match packet {
                    Packet::PubAck(ack) if ack.packet_id == id => Ok(ack.clone()),
                    _ => Err(()),
                })?;
                if ack.reason.is_error() {
                    return Err(refused(&ack));
                }
                Ok(ack.reason)
            }
            Qos::ExactlyOnce => {
                let ack = self.await_answer("PUBLISH", |packet| match packet {
                    Packet::PubRec(ack) if ack.packet_id == id => Ok(ack.clone()),
                    _ => Err(()),
                })?;
                if ack.reason.is_error() {
                    return Err(refused(&ack));
                }
                self.send(&Packet::PubRel(plain_ack(id)))?;
                self.await_answer("PUBREL", |packet| match packet {
                    Packet::PubComp(ack) if ack.packet_id == id => Ok(()),
                    _ => Err(()),
                })?;
                Ok(ack.reason)
            }
        }
    }

    /// The next message, acknowledged; `None` if none comes within `wait`.
    pub fn receive(&mut self, wait: Duration) -> Result<Option<Publish>, ClientError> {
        let begun = clock::now();
        loop {
            if let Some(publish) = self.inbox.pop_front() {
                return Ok(Some(publish));
            }
            let rest = wait.saturating_sub(clock::now() - begun);
            if let Some(packet) = self.next_packet(rest)? {
                self.handle(packet)?;
            } else if wait <= clock::now() - begun {
                return Ok(None);
            }
        }
    }

    /// Takes leave.
    pub fn disconnect(mut self) -> Result<(), ClientError> {
        self.send(&Packet::Disconnect(Disconnect {
            reason: Reason::Success,
            properties: Properties::none(),
        }))?;
        self.stream.finish().map_err(ClientError::Io)
    }

    fn next_packet_id(&mut self) -> u16 {
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        self.packet_id
    }

    fn send(&mut self, packet: &Packet) -> Result<(), ClientError> {
        let mut bytes = Vec::new();
        packet.encode(self.version, &mut bytes);
        let written = self
            .stream
            .write_all(&bytes)
            .and_then(|()| self.stream.flush());
        written.map_err(ClientError::Io)?;
        self.written_at = clock::now();
        Ok(())
    }

    /// Handles what comes until something of it is the answer.
    fn await_answer<T>(
        &mut self,
        what: &'static str,
        is_answer: impl Fn(&Packet) -> Result<T, ()>,
    ) -> Result<T, ClientError> {
        let begun = clock::now();
        loop {
            let rest = self.patience.saturating_sub(clock::now() - begun);
            if rest.is_zero() {
                return Err(ClientError::Silent {
                    what,
                    seconds: self.patience.as_secs(),
                });
            }
            if let Some(packet) = self.next_packet(rest)? {
                match is_answer(&packet) {
                    Ok(answer) => return Ok(answer),
                    Err(()) => self.handle(packet)?,
                }
            }
        }
    }

    fn handle(&mut self, packet: Packet) -> Result<(), ClientError> {
        match packet {
            Packet::Publish(publish) => match publish.qos {
                Qos::AtMostOnce => self.inbox.push_back(publish),
                Qos::AtLeastOnce => {
                    self.send(&Packet::PubAck(plain_ack(publish.packet_id)))?;
                    self.inbox.push_back(publish);
                }
                Qos::ExactlyOnce => {
                    self.send(&Packet::PubRec(plain_ack(publish.packet_id)))?;
                    // Once more before it was released means the same message [MQTT-4.3.3-10].
                    if self.unreleased.insert(publish.packet_id) {
                        self.inbox.push_back(publish);
                    }
                }
            },
            Packet::PubRel(ack) => {
                self.unreleased.remove(&ack.packet_id);
                self.send(&Packet::PubComp(plain_ack(ack.packet_id)))?;
            }
            Packet::Disconnect(disconnect) => {
                return Err(ClientError::Disconnected {
                    reason: disconnect.reason,
                    explanation: explanation(&disconnect.properties),
                });
            }
            // Late answers to what nobody waits for any more, and PINGRESP.
            _ => {}
        }
        Ok(())
    }

    /// The next packet; `None` if none is whole when a read comes back, at the latest after
    /// `wait`. Keeps the connection alive.
    fn next_packet(&mut self, wait: Duration) -> Result<Option<Packet>, ClientError> {
        if let Some(packet) = self.buffered_packet()? {
            return Ok(Some(packet));
        }
        let mut wait = wait;
        if let Some(keep_alive) = self.keep_alive {
            let ping_after = keep_alive / 2;
            if ping_after <= clock::now() - self.written_at {
                self.send(&Packet::PingReq)?;
            }
            wait = wait.min(ping_after.saturating_sub(clock::now() - self.written_at));
        }
        self.stream
            .set_read_timeout(wait)
            .map_err(ClientError::Io)?;
        let mut bytes = [0; 16 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(ClientError::Closed(self.closed_advice())),
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                self.buffered_packet()
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted => Ok(None),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                    Err(ClientError::Closed(self.closed_advice()))
                }
                _ => Err(ClientError::Io(error)),
            },
        }
    }

    /// Up to 3.1.1 a broker has no other way to say that it does not like something.
    fn closed_advice(&self) -> &'static str {
        if self.version == Version::V5 {
            ""
        } else {
            "; with --version 5 it could say why"
        }
    }

    fn buffered_packet(&mut self) -> Result<Option<Packet>, ClientError> {
        match frame_length(&self.buffer, MAX_REMAINING_LENGTH + 5)? {
            Some(length) if length <= self.buffer.len() => {
                let frame: Bytes = self.buffer.split_to(length).freeze();
                Ok(Some(decode(&frame, self.version)?))
            }
            _ => Ok(None),
        }
    }
}

fn plain_ack(packet_id: u16) -> Ack {
    Ack {
        packet_id,
        reason: Reason::Success,
        properties: Properties::none(),
    }
}

fn explanation(properties: &Properties) -> Option<String> {
    properties.find(|property| match property {
        Property::ReasonString(text) => Some(text.to_string()),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
