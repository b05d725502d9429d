use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
};

use super::PATIENCE;

/// Something to read from and write to.
pub(crate) trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

/// A packet as it stands on the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Packet {
    /// The first byte: type and flags.
    pub(crate) first: u8,
    /// What follows the remaining length.
    pub(crate) body: Vec<u8>,
}

/// An MQTT client by hand: it does what it is told, right or wrong.
pub(crate) struct Raw<W> {
    pub(crate) wire: W,
    is_v5: bool,
}

impl Raw<TcpStream> {
    /// Connects over TCP and comes in.
    #[track_caller]
    pub(crate) fn tcp(at: SocketAddr, version: u8, id: &str) -> Self {
        let mut raw = Self::silent(at, version);
        raw.come_in(id);
        raw
    }

    /// Connects over TCP and says nothing.
    #[track_caller]
    pub(crate) fn silent(at: SocketAddr, version: u8) -> Self {
        let wire = TcpStream::connect(at).unwrap();
        wire.set_read_timeout(Some(PATIENCE)).unwrap();
        wire.set_write_timeout(Some(PATIENCE)).unwrap();
        wire.set_nodelay(true).unwrap();
        Self::over(wire, version)
    }
}

impl Raw<UnixStream> {
    /// Connects over a Unix socket and comes in.
    #[track_caller]
    pub(crate) fn unix(path: &std::path::Path, version: u8, id: &str) -> Self {
        let wire = UnixStream::connect(path).unwrap();
        wire.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut raw = Self::over(wire, version);
        raw.come_in(id);
        raw
    }
}

impl<W: Wire> Raw<W> {
    pub(crate) fn over(wire: W, version: u8) -> Self {
        Self {
            wire,
            is_v5: version == 5,
        }
    }

    /// CONNECT with a clean start, and what the hub answers; `None` if it closes.
    #[track_caller]
    pub(crate) fn connect(&mut self, id: &str) -> Option<Packet> {
        let sent = self.wire.write_all(&connect(self.is_v5, id));
        sent.ok().and_then(|()| self.next())
    }

    /// CONNECT with a name and a password, and perhaps a will at a topic; and what the hub answers.
    #[track_caller]
    pub(crate) fn connect_as(
        &mut self,
        id: &str,
        (user, password): (&str, &str),
        will: Option<&str>,
    ) -> Packet {
        let mut body = Vec::new();
        put(&mut body, b"MQTT");
        let has_will = if will.is_some() { 0b100 } else { 0 };
        body.extend([if self.is_v5 { 5 } else { 4 }, 0b1100_0010 | has_will, 0, 0]);
        self.properties(&mut body);
        put(&mut body, id.as_bytes());
        if let Some(topic) = will {
            self.properties(&mut body);
            put(&mut body, topic.as_bytes());
            put(&mut body, b"gone");
        }
        put(&mut body, user.as_bytes());
        put(&mut body, password.as_bytes());
        self.send(&packet(0x10, &body));
        self.next().expect("the hub answers CONNECT")
    }

    /// SUBSCRIBE at QoS 0; says with which reason it is answered, and what came before that.
    #[track_caller]
    pub(crate) fn try_subscribe(&mut self, filter: &str) -> u8 {
        let mut body = vec![0, 1];
        self.properties(&mut body);
        put(&mut body, filter.as_bytes());
        body.push(0);
        self.send(&packet(0x82, &body));
        let suback = self.next().expect("the hub answers SUBSCRIBE");
        assert_eq!(suback.first, 0x90, "{suback:?}");
        *suback.body.last().expect("a reason")
    }

    /// PUBLISH at QoS 1; says with which reason it is acknowledged.
    #[track_caller]
    pub(crate) fn try_publish(&mut self, topic: &str, payload: &[u8]) -> u8 {
        let mut body = Vec::new();
        put(&mut body, topic.as_bytes());
        body.extend([0, 9]);
        self.properties(&mut body);
        body.extend_from_slice(payload);
        self.send(&packet(0x32, &body));
        let puback = self.next().expect("the hub answers PUBLISH");
        assert_eq!(puback.first, 0x40, "{puback:?}");
        puback.body.get(2).copied().unwrap_or(0)
    }

    /// Topics and payloads of all that comes before the answer to a PINGREQ.
    #[track_caller]
    pub(crate) fn heard(&mut self) -> Vec<(String, String)> {
        self.send(&[0xC0, 0]);
        let mut heard = Vec::new();
        loop {
            let next = self.next().expect("the hub answers PINGREQ");
            if next.first == 0xD0 {
                return heard;
            }
            assert_eq!(next.first & 0xF6, 0x30, "{next:?}");
            let end = 2 + (usize::from(next.body[0]) << 8 | usize::from(next.body[1]));
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let (topic, rest) = (text(&next.body[2..end]), &next.body[end..]);
            // Of MQTT 5: behind the properties, which are short here.
            let payload = if self.is_v5 {
                &rest[1 + usize::from(rest[0])..]
            } else {
                rest
            };
            heard.push((topic, text(payload)));
        }
    }

    /// CONNECT that must succeed.
    #[track_caller]
    pub(crate) fn come_in(&mut self, id: &str) {
        let connack = self.connect(id).expect("the hub answers CONNECT");
        assert_eq!((connack.first, connack.body[1]), (0x20, 0), "{connack:?}");
    }

    /// SUBSCRIBE that must be granted as asked.
    #[track_caller]
    pub(crate) fn subscribe(&mut self, filter: &str, qos: u8) {
        let mut body = vec![0, 1];
        self.properties(&mut body);
        put(&mut body, filter.as_bytes());
        body.push(qos);
        self.send(&packet(0x82, &body));
        let suback = self.next().expect("the hub answers SUBSCRIBE");
        assert_eq!(
            (suback.first, suback.body.last()),
            (0x90, Some(&qos)),
            "{suback:?}"
        );
    }

    /// A PUBLISH at QoS 0, not sent yet.
    pub(crate) fn message(&self, topic: &str, payload: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        put(&mut body, topic.as_bytes());
        self.properties(&mut body);
        body.extend_from_slice(payload);
        packet(0x30, &body)
    }

    #[track_caller]
    pub(crate) fn publish(&mut self, topic: &str, payload: &[u8]) {
        let message = self.message(topic, payload);
        self.send(&message);
    }

    /// PINGREQ and its answer: all that was sent before is taken.
    #[track_caller]
    pub(crate) fn ping(&mut self) {
        self.send(&[0xC0, 0]);
        let answer = self.next().expect("the hub answers PINGREQ");
        assert_eq!(answer.first, 0xD0, "{answer:?}");
    }

    /// The payload of the next packet, which must be a PUBLISH at QoS 0.
    #[track_caller]
    pub(crate) fn payload(&mut self) -> Vec<u8> {
        let publish = self.next().expect("a message comes");
        assert_eq!(publish.first & 0xF6, 0x30, "{publish:?}");
        let topic = usize::from(publish.body[0]) << 8 | usize::from(publish.body[1]);
        let mut rest = publish.body[2 + topic..].to_vec();
        if self.is_v5 {
            assert_eq!(rest.remove(0), 0, "no properties");
        }
        rest
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap();
    }

    /// The same, where the hub may have closed.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes)?;
        self.wire.flush()
    }

    /// The next packet; `None` when the hub has closed.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Option<Packet> {
        match self.read() {
            Ok(packet) => Some(packet),
            Err(error) if is_timeout(&error) => panic!("nothing comes, and nothing is closed"),
            Err(_) => None,
        }
    }

    fn read(&mut self) -> io::Result<Packet> {
        let first = self.byte()?;
        let mut length = 0_usize;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.wire.read_exact(&mut body)?;
        Ok(Packet { first, body })
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.wire.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn properties(&self, body: &mut Vec<u8>) {
        if self.is_v5 {
            body.push(0);
        }
    }
}

/// CONNECT with a clean start and no keep alive.
fn connect(is_v5: bool, id: &str) -> Vec<u8> {
    let mut body = Vec::new();
    put(&mut body, b"MQTT");
    body.extend([if is_v5 { 5 } else { 4 }, 0b10, 0, 0]);
    if is_v5 {
        body.push(0);
    }
    put(&mut body, id.as_bytes());
    packet(0x10, &body)
}

fn put(into: &mut Vec<u8>, text: &[u8]) {
    into.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    into.extend_from_slice(text);
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = body.len();
    while 0x7F < length {
        packet.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    packet.push(length as u8);
    packet.extend_from_slice(body);
    packet
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
