//! A server and a client on one table, and a clock that the test moves.

mod blocks; // long bodies
mod exchanges; // messages that are lost, doubled, late or wrong
mod observers; // who is told of changes

use std::{net::SocketAddr, time::Duration};

use coap_lite::{CoapOption, MessageType, Packet};
use quartet_model::Time;

use super::{Asked, Code, Endpoint, Kept, Observation, Response};

const CLIENT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 40_000);

struct Table {
    endpoint: Endpoint,
    now: Time,
}

/// A message of the client.
fn message(kind: MessageType, code: u8, id: u16, token: &[u8]) -> Packet {
    let mut packet = Packet::new();
    packet.header.set_type(kind);
    packet.header.code = code.into();
    packet.header.message_id = id;
    packet.set_token(token.to_vec());
    packet
}

/// A confirmable request: 1 is GET, 2 POST, 3 PUT.
fn con(code: u8, id: u16) -> Packet {
    message(MessageType::Confirmable, code, id, &[id as u8])
}

fn with(mut packet: Packet, options: &[(CoapOption, &[u8])]) -> Packet {
    for (option, value) in options {
        packet.add_option(*option, value.to_vec());
    }
    packet
}

fn content(payload: &str) -> Response {
    Response {
        payload: payload.to_owned().into(),
        ..Response::empty(Code::CONTENT)
    }
}

/// A message of the server as a line: `ACK 2.05 hello`.
fn line(packet: &Packet) -> String {
    let kind = match packet.header.get_type() {
        MessageType::Confirmable => "CON",
        MessageType::NonConfirmable => "NON",
        MessageType::Acknowledgement => "ACK",
        MessageType::Reset => "RST",
    };
    let payload = String::from_utf8_lossy(&packet.payload);
    let line = format!("{kind} {} {payload}", packet.header.code);
    line.trim().to_owned()
}

impl Table {
    fn new() -> Self {
        Self {
            endpoint: Endpoint::new(7),
            now: Time::from_micros(1_000_000),
        }
    }

    /// The client's datagram arrives.
    fn comes(&mut self, packet: &Packet) -> Option<Asked> {
        let bytes = packet.to_bytes().unwrap();
        self.endpoint.read(CLIENT, &bytes, self.now)
    }

    #[track_caller]
    fn asks(&mut self, packet: &Packet) -> Asked {
        let asked = self.comes(packet);
        asked.unwrap_or_else(|| panic!("nobody is asked: {:?}", self.goes()))
    }

    fn answers(&mut self, asked: &Asked, response: Response) {
        self.endpoint
            .answer(asked.exchange, response, None, self.now);
    }

    /// Answers to somebody who is told of changes from then on.
    fn observed(&mut self, asked: &Asked, payload: &str, kept: Kept) -> Option<Observation> {
        let response = content(payload);
        self.endpoint
            .answer(asked.exchange, response, Some(kept), self.now)
    }

    fn tells(&mut self, whom: Observation, payload: &str) -> bool {
        self.endpoint.notify(whom, content(payload), self.now)
    }

    fn ended(&mut self) -> Vec<Observation> {
        self.endpoint.ended().collect()
    }

    /// What the server sends.
    fn packets(&mut self) -> Vec<Packet> {
        let all = self.endpoint.outgoing();
        all.map(|(to, bytes)| {
            assert_eq!(to, CLIENT);
            Packet::from_bytes(&bytes).unwrap()
        })
        .collect()
    }

    fn goes(&mut self) -> Vec<String> {
        self.packets().iter().map(line).collect()
    }

    #[track_caller]
    fn one(&mut self) -> Packet {
        let mut all = self.packets();
        let lines: Vec<String> = all.iter().map(line).collect();
        assert_eq!(all.len(), 1, "{lines:?}");
        all.remove(0)
    }

    /// The client acknowledges or resets what came.
    fn settles(&mut self, kind: MessageType, packet: &Packet) {
        let settles = message(kind, 0, packet.header.message_id, &[]);
        self.comes(&settles);
    }

    /// Time passes, and what is due happens.
    fn waits(&mut self, seconds: f64) {
        let end = self.now.after(Duration::from_secs_f64(seconds));
        while let Some(at) = self.endpoint.next_at().filter(|at| *at <= end) {
            self.now = at;
            self.endpoint.tick(at);
        }
        self.now = end;
    }
}
