//! Answers to datagrams (RFC 7252, sections 3 and 4.2).

use coap_lite::{CoapOption, MessageType, Packet};

use super::{
    block::Block,
    code::Code,
    message::{self, Incoming, Response, start_of},
};

/// What an answer says besides its [`Response`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Parts {
    pub(super) observe: Option<u32>,
    pub(super) block1: Option<Block>,
    pub(super) block2: Option<Block>,
    pub(super) size1: Option<u32>,
    pub(super) size2: Option<u32>,
}

/// How an answer travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Confirmable,
    NonConfirmable,
    /// With the acknowledgement of the request.
    Piggybacked,
}

/// An answer as a datagram; `payload` is the part of it that goes.
pub(super) fn answer(
    kind: Kind,
    id: u16,
    token: &[u8],
    response: &Response,
    parts: Parts,
    payload: &[u8],
) -> Vec<u8> {
    let mut packet = Packet::new();
    packet.header.set_type(match kind {
        Kind::Confirmable => MessageType::Confirmable,
        Kind::NonConfirmable => MessageType::NonConfirmable,
        Kind::Piggybacked => MessageType::Acknowledgement,
    });
    packet.header.message_id = id;
    packet.header.code = response.code.number().into();
    packet.set_token(token.to_vec());
    let mut add = |option, value: Option<u32>| {
        if let Some(value) = value {
            packet.add_option(option, shortest(value));
        }
    };
    add(CoapOption::Observe, parts.observe);
    add(
        CoapOption::ContentFormat,
        response.content_format.map(u32::from),
    );
    add(CoapOption::MaxAge, response.max_age_s);
    add(CoapOption::Block1, parts.block1.map(Block::value));
    add(CoapOption::Block2, parts.block2.map(Block::value));
    add(CoapOption::Size1, parts.size1);
    add(CoapOption::Size2, parts.size2);
    if let Some(etag) = &response.etag {
        packet.add_option(CoapOption::ETag, etag.clone());
    }
    for segment in &response.location {
        packet.add_option(CoapOption::LocationPath, segment.clone().into_bytes());
    }
    packet.payload = payload.to_vec();
    packet
        .to_bytes_unlimited()
        .expect("a packet without a limit can be encoded")
}

/// An acknowledgement without an answer.
pub(super) fn acknowledgement(id: u16) -> Vec<u8> {
    empty(2, id)
}

/// A refusal of a message.
pub(super) fn reset(id: u16) -> Vec<u8> {
    empty(3, id)
}

/// A question whether the peer is there: it resets it (section 4.3).
pub(super) fn ping(id: u16) -> Vec<u8> {
    empty(0, id)
}

fn empty(kind: u8, id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![1 << 6 | kind << 4, Code::EMPTY.number(), high, low]
}

/// What whoever is not known gets for a request, with nothing remembered of it: a refusal that is
/// at most three times as long, so that nobody is flooded in another's name.
pub fn refuse(bytes: &[u8], code: Code, why: &str) -> Option<Vec<u8>> {
    let (kind, head) = match message::read(bytes) {
        Incoming::Request { head, .. } if head.is_confirmable => (Kind::Piggybacked, head),
        Incoming::Request { head, .. } => (Kind::NonConfirmable, head),
        Incoming::Reject { id } => return Some(reset(id)),
        _ => return None,
    };
    let around = 5 + head.token.len(); // The header, the token, and the mark before the text.
    let why = start_of(why, (3 * bytes.len()).saturating_sub(around));
    let response = Response::refusal(code, why);
    let parts = Parts::default();
    Some(answer(
        kind,
        head.id,
        &head.token,
        &response,
        parts,
        &response.payload,
    ))
}

/// A number as options carry it: as few bytes as can be (section 3.2).
fn shortest(value: u32) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    bytes[value.leading_zeros() as usize / 8..].to_vec()
}
