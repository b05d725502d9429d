//! Who connects to a site: says packets or bytes, hears packets.

use std::{cell::Cell, rc::Rc};

use quartet_fabric::mqtt::{
    Ack, Auth, Connect, Disconnect, Packet, Properties, Publish, Reason, Subscribe, Unsubscribe,
    Version, decode, frame_length,
};
use quartet_model::Qos;

use crate::{
    Site,
    socket::{Socket, SocketId},
};

/// What a client can say.
pub trait Say {
    /// The packet that says it.
    fn packet(self) -> Packet;
}

macro_rules! say {
    ($($what:ty: $packet:expr),+ $(,)?) => {
        $(impl Say for $what {
            fn packet(self) -> Packet {
                $packet(self)
            }
        })+
    };
}

say!(
    Packet: std::convert::identity,
    Connect: |connect| Packet::Connect(Box::new(connect)),
    Publish: Packet::Publish,
    Subscribe: Packet::Subscribe,
    Unsubscribe: Packet::Unsubscribe,
    Disconnect: Packet::Disconnect,
    Auth: Packet::Auth,
);

/// One connection to a site, seen from the client.
#[derive(Clone)]
pub struct Client {
    site: Site,
    socket: SocketId,
    version: Rc<Cell<Version>>,
}

impl Client {
    pub(crate) fn new(site: Site, socket: SocketId) -> Self {
        Self {
            site,
            socket,
            version: Rc::new(Cell::new(Version::V5)),
        }
    }

    /// Sends a packet. A CONNECT says which version is spoken from now on.
    pub fn send(&self, what: impl Say) {
        let packet = what.packet();
        if let Packet::Connect(connect) = &packet {
            self.version.set(connect.version);
        }
        let mut bytes = Vec::new();
        packet.encode(self.version.get(), &mut bytes);
        self.send_bytes(&bytes);
    }

    /// Sends bytes, whatever they mean.
    pub fn send_bytes(&self, bytes: &[u8]) {
        self.site
            .with_socket(self.socket, |socket| socket.send(bytes));
    }

    /// Lets everything happen that follows, and gives what came from the hub.
    pub fn receive(&self) -> Vec<Packet> {
        self.site.settle();
        self.hear()
    }

    /// What came from the hub so far.
    pub fn hear(&self) -> Vec<Packet> {
        let mut rest = self.site.with_socket(self.socket, |socket| {
            std::mem::take(&mut socket.to_client).freeze()
        });
        let mut packets = Vec::new();
        while !rest.is_empty() {
            match frame_length(&rest, usize::MAX) {
                Ok(Some(length)) if length <= rest.len() => {
                    let frame = rest.split_to(length);
                    let packet = decode(&frame, self.version.get());
                    packets.push(packet.unwrap_or_else(|fault| panic!("{fault}: {frame:?}")));
                }
                Ok(_) => {
                    // The rest of this packet is still to come.
                    let put_back = |socket: &mut Socket| socket.to_client = rest[..].into();
                    self.site.with_socket(self.socket, put_back);
                    break;
                }
                Err(fault) => panic!("{fault}: the hub sent {rest:?}"),
            }
        }
        packets
    }

    /// The same as bytes.
    pub fn receive_bytes(&self) -> Vec<u8> {
        self.site.settle();
        self.site.with_socket(self.socket, |socket| {
            std::mem::take(&mut socket.to_client).to_vec()
        })
    }

    /// What came, if it is one packet.
    pub fn answer(&self) -> Packet {
        let mut packets = self.receive();
        match (packets.pop(), packets.is_empty()) {
            (Some(packet), true) => packet,
            (last, _) => panic!("one packet was to come, but {packets:?} {last:?} came"),
        }
    }

    /// Sends a packet and gives what came, if it is one packet.
    pub fn ask(&self, what: impl Say) -> Packet {
        self.send(what);
        self.answer()
    }

    /// Subscribes at QoS `qos`; panics if the hub refuses.
    pub fn follow(&self, filter: &str, qos: Qos) {
        self.send(crate::subscribe(0x7777, &[(filter, qos)]));
        let answers = self.receive();
        let granted =
            |packet: &Packet| matches!(packet, Packet::SubAck(ack) if !ack.reasons[0].is_error());
        assert!(answers.iter().any(granted), "{answers:?}");
        let others = answers.iter().filter(|packet| !granted(packet));
        let others: Vec<&Packet> = others.collect();
        assert!(others.is_empty(), "follow would lose {others:?}");
    }

    /// Receives messages and acknowledges them until no more come.
    pub fn messages(&self) -> Vec<Publish> {
        let mut messages = Vec::new();
        loop {
            let packets = self.receive();
            if packets.is_empty() {
                return messages;
            }
            for packet in packets {
                match packet {
                    Packet::Publish(publish) => {
                        let id = publish.packet_id;
                        match publish.qos {
                            Qos::AtMostOnce => {}
                            Qos::AtLeastOnce => self.acknowledge(Packet::PubAck, id),
                            Qos::ExactlyOnce => self.acknowledge(Packet::PubRec, id),
                        }
                        messages.push(publish);
                    }
                    Packet::PubRel(ack) => self.acknowledge(Packet::PubComp, ack.packet_id),
                    _ => {}
                }
            }
        }
    }

    /// Sends PUBACK, PUBREC, PUBREL or PUBCOMP.
    pub fn acknowledge(&self, kind: fn(Ack) -> Packet, packet_id: u16) {
        self.acknowledge_with(kind, packet_id, Reason::Success);
    }

    /// The same, with a reason.
    pub fn acknowledge_with(&self, kind: fn(Ack) -> Packet, packet_id: u16, reason: Reason) {
        self.send(kind(Ack {
            packet_id,
            reason,
            properties: Properties::none(),
        }));
    }

    /// The connection breaks; the client says nothing any more.
    pub fn lose(&self) {
        self.site.settle();
        self.site
            .with_socket(self.socket, |socket| socket.is_lost = true);
        self.site.settle();
    }

    /// The connection breaks in the middle of everything.
    pub fn cut(&self) {
        self.site
            .with_socket(self.socket, |socket| socket.is_lost = true);
    }

    /// The client reads no more than so many bytes from now on.
    pub fn take_only(&self, bytes: usize) {
        self.site
            .with_socket(self.socket, |socket| socket.room = bytes);
    }

    /// Whether the hub closed the connection.
    pub fn is_closed(&self) -> bool {
        self.site.settle();
        self.site
            .with_socket(self.socket, |socket| socket.is_closed)
    }

    /// The hub closes the connection; what it said before.
    pub fn last_words(&self) -> Vec<Packet> {
        let packets = self.receive();
        assert!(self.is_closed(), "the connection is open; {packets:?}");
        packets
    }
}
