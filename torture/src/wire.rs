//! One connection to the hub: packets out, packets in, over a blocking socket.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use bytes::Bytes;
use quartet_fabric::mqtt::{
    Ack, Connect, Fault, Login, Packet, Properties, Property, Reason, RetainHandling, Subscribe,
    SubscribeFilter, Version, decode, frame_length,
};
use quartet_model::Qos;

/// How long a connection may take to open.
const PATIENCE: Duration = Duration::from_secs(20);
/// Larger packets than the torture ever sends.
const PACKET_BYTES_MAX: usize = 1 << 20;
/// Longer than any torture.
const SESSION_EXPIRY_S: u32 = 24 * 60 * 60;

/// Why a connection is of no use any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// It broke, or the hub closed it.
    #[error("the connection ended: {0}")]
    Io(#[from] io::Error),
    /// What came is no MQTT.
    #[error("the hub sent no packet: {0}")]
    Fault(#[from] Fault),
    /// The hub said goodbye.
    #[error("the hub sent {0}")]
    Goodbye(String),
    /// What came must not come.
    #[error("the hub sent what must not come: {0}")]
    Unexpected(String),
}

/// See the module.
pub(crate) struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
    unsent: Vec<u8>,
}

impl Wire {
    /// Connects; says nothing.
    pub(crate) fn open(at: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&at, PATIENCE)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            unread: Vec::new(),
            unsent: Vec::new(),
        })
    }

    /// Reading fails if nothing comes for this long; otherwise it waits until the hub closes.
    pub(crate) fn patience(&self, patience: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(patience))
    }

    /// Adds a packet to what is sent by [`Wire::flush`].
    pub(crate) fn put(&mut self, packet: &Packet) {
        packet.encode(Version::V5, &mut self.unsent);
    }

    /// Adds an acknowledgement.
    pub(crate) fn put_ack(&mut self, kind: fn(Ack) -> Packet, packet_id: u16) {
        self.put(&kind(Ack {
            packet_id,
            reason: Reason::Success,
            properties: Properties::none(),
        }));
    }

    /// Sends what was put.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.unsent)?;
        self.unsent.clear();
        Ok(())
    }

    /// Waits until something comes; gives the packets that are complete, and how many bytes came.
    pub(crate) fn read(&mut self) -> Result<(Vec<Packet>, usize), Lost> {
        let mut chunk = [0; 16 << 10];
        let count = self.stream.read(&mut chunk)?;
        if count == 0 {
            return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
        }
        self.unread.extend_from_slice(&chunk[..count]);
        let mut packets = Vec::new();
        let mut start = 0;
        while let Some(length) = frame_length(&self.unread[start..], PACKET_BYTES_MAX)?
            && start + length <= self.unread.len()
        {
            let frame = Bytes::copy_from_slice(&self.unread[start..start + length]);
            packets.push(decode(&frame, Version::V5)?);
            start += length;
        }
        self.unread.drain(..start);
        Ok((packets, count))
    }

    /// Waits until there is a packet: the answer to what was just asked.
    pub(crate) fn answer(&mut self) -> Result<Packet, Lost> {
        loop {
            let (mut packets, _) = self.read()?;
            match packets.len() {
                0 => {}
                1 => return Ok(packets.remove(0)),
                _ => return Err(Lost::Unexpected(format!("{packets:?}"))),
            }
        }
    }
}

/// A CONNECT of a session that lasts, or of one that ends with the connection.
pub(crate) fn connect(client_id: &str, is_durable: bool, receive_maximum: u16) -> Packet {
    let mut properties = Properties::none().with(Property::ReceiveMaximum(receive_maximum));
    if is_durable {
        properties.push(Property::SessionExpiryInterval(SESSION_EXPIRY_S));
    }
    Packet::Connect(Box::new(Connect {
        version: Version::V5,
        clean_start: !is_durable,
        keep_alive_s: 0,
        client_id: client_id.into(),
        will: None,
        login: Login::default(),
        properties,
    }))
}

/// A SUBSCRIBE to one filter.
pub(crate) fn subscribe(
    packet_id: u16,
    filter: &str,
    qos: Qos,
    retain_handling: RetainHandling,
) -> Packet {
    Packet::Subscribe(Subscribe {
        packet_id,
        properties: Properties::none(),
        filters: vec![SubscribeFilter {
            filter: filter.into(),
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling,
        }],
    })
}

/// What a client makes of a packet that none of its rules expects.
pub(crate) fn unexpected(packet: &Packet) -> Lost {
    match packet {
        Packet::Disconnect(disconnect) => Lost::Goodbye(format!("{disconnect:?}")),
        other => Lost::Unexpected(format!("{other:?}")),
    }
}
