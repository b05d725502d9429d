//! Datagrams to requests (RFC 7252, sections 3 to 5).

use bytes::Bytes;
use coap_lite::{CoapOption, Packet};

use super::{
    block::Block,
    code::{Code, Method},
    limits::DIAGNOSTIC_BYTES_MAX,
};

/// What somebody wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// What is to be done.
    pub method: Method,
    /// The name by which the server was found, if the client says it.
    pub host: Option<String>,
    /// Segments of the path, not encoded.
    pub path: Vec<String>,
    /// Parts of the query, not encoded: `limit=10`.
    pub query: Vec<String>,
    /// What the payload is (a CoAP Content-Format).
    pub content_format: Option<u16>,
    /// What the answer should be.
    pub accept: Option<u16>,
    /// What the client already has.
    pub etags: Vec<Vec<u8>>,
    /// Only if it is one of these; an empty one means anything.
    pub if_match: Vec<Vec<u8>>,
    /// Only if there is nothing.
    pub if_none_match: bool,
    /// Whether the client wants to be told of changes from now on.
    pub observes: bool,
    /// The body, put together from its blocks.
    pub payload: Bytes,
}

/// How it went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// Class and detail.
    pub code: Code,
    /// What the payload is; nothing for text that explains a refusal.
    pub content_format: Option<u16>,
    /// Changes whenever the representation does; 1 to 8 bytes.
    pub etag: Option<Vec<u8>>,
    /// For how many seconds it may be used again.
    pub max_age_s: Option<u32>,
    /// Segments of the path of what was created.
    pub location: Vec<String>,
    /// The representation, as long as it is.
    pub payload: Bytes,
}

impl Response {
    /// Without a payload.
    pub fn empty(code: Code) -> Self {
        Self {
            code,
            content_format: None,
            etag: None,
            max_age_s: None,
            location: Vec::new(),
            payload: Bytes::new(),
        }
    }

    /// With a text that says why, for people (RFC 7252, section 5.5.2).
    pub fn refusal(code: Code, why: &str) -> Self {
        let why = start_of(why, DIAGNOSTIC_BYTES_MAX);
        Self {
            payload: Bytes::copy_from_slice(why.as_bytes()),
            ..Self::empty(code)
        }
    }
}

/// What a datagram is.
#[derive(Debug)]
pub(super) enum Incoming {
    /// Nothing to react to.
    Noise,
    /// What cannot be processed, a ping among it: the peer is told so.
    Reject { id: u16 },
    /// The peer has got this message.
    Acknowledged { id: u16 },
    /// The peer does not want this message, nor others like it.
    Reset { id: u16 },
    /// Somebody wants something.
    Request {
        head: Head,
        request: Result<Box<(Request, Options)>, Response>,
    },
}

/// What makes a message one of a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Head {
    pub(super) is_confirmable: bool,
    pub(super) id: u16,
    pub(super) token: Vec<u8>,
}

/// What a request says to the endpoint alone.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Options {
    pub(super) block1: Option<Block>,
    pub(super) block2: Option<Block>,
    /// 0 registers, 1 deregisters.
    pub(super) observe: Option<u32>,
    /// How long the body will be, in bytes.
    pub(super) size1: Option<u32>,
    /// Whether it is to be said how long the answer is.
    pub(super) asks_size: bool,
    /// What requests for parts of the same have in common.
    pub(super) key: Vec<u8>,
}

/// Reads a datagram.
pub(super) fn read(bytes: &[u8]) -> Incoming {
    let Some(&[first, code, id_high, id_low]) = bytes.first_chunk() else {
        return Incoming::Noise;
    };
    // "Messages with unknown version numbers MUST be silently ignored." (section 3)
    if first >> 6 != 1 {
        return Incoming::Noise;
    }
    let id = u16::from_be_bytes([id_high, id_low]);
    let is_confirmable = match first >> 4 & 3 {
        0 => true,
        1 => false,
        2 => return Incoming::Acknowledged { id },
        _ if bytes.len() == 4 && code == 0 => return Incoming::Reset { id },
        _ => return Incoming::Noise,
    };
    // Section 4.2: what cannot be processed is rejected; section 4.3: or ignored.
    let rejected = if is_confirmable {
        Incoming::Reject { id }
    } else {
        Incoming::Noise
    };
    // Nothing was asked, so no answer is awaited; other classes are reserved.
    if code == 0 || code >> 5 != 0 {
        return rejected;
    }
    let Ok(packet) = Packet::from_bytes(bytes) else {
        return rejected;
    };
    let request = request(code, &packet);
    // An answer to what is not confirmable may be left out (section 5.4.1).
    if !is_confirmable && matches!(&request, Err(why) if why.code == Code::BAD_OPTION) {
        return Incoming::Noise;
    }
    let head = Head {
        is_confirmable,
        id,
        token: packet.get_token().to_vec(),
    };
    Incoming::Request { head, request }
}

/// Options that are known: lengths of their values in bytes, and whether they may come again
/// (RFC 7252, section 5.10; RFC 7641; RFC 7959; RFC 9175).
fn known(option: CoapOption) -> Option<(usize, usize, bool)> {
    Some(match option {
        CoapOption::IfMatch => (0, 8, true),
        CoapOption::UriHost => (1, 255, false),
        CoapOption::ETag => (1, 8, true),
        CoapOption::IfNoneMatch => (0, 0, false),
        CoapOption::Observe => (0, 3, false),
        CoapOption::UriPort | CoapOption::ContentFormat | CoapOption::Accept => (0, 2, false),
        CoapOption::UriPath | CoapOption::UriQuery => (0, 255, true),
        CoapOption::Block1 | CoapOption::Block2 => (0, 3, false),
        CoapOption::Size1 | CoapOption::Size2 => (0, 4, false),
        REQUEST_TAG => (0, 8, true),
        _ => return None,
    })
}

/// Tells bodies apart that come in blocks at the same time (RFC 9175, section 3).
const REQUEST_TAG: CoapOption = CoapOption::Unknown(292);

fn request(code: u8, packet: &Packet) -> Result<Box<(Request, Options)>, Response> {
    let method = Method::of(code)
        .ok_or_else(|| Response::refusal(Code::METHOD_NOT_ALLOWED, "the method is unknown"))?;
    let mut request = Request {
        method,
        host: None,
        path: Vec::new(),
        query: Vec::new(),
        content_format: None,
        accept: None,
        etags: Vec::new(),
        if_match: Vec::new(),
        if_none_match: false,
        observes: false,
        payload: Bytes::copy_from_slice(&packet.payload),
    };
    let mut options = Options {
        key: vec![code],
        ..Options::default()
    };
    for (&number, values) in packet.options() {
        let option = CoapOption::from(number);
        let is_critical = number & 1 == 1;
        if matches!(option, CoapOption::ProxyUri | CoapOption::ProxyScheme) {
            return Err(Response::refusal(Code::NO_PROXY, "this is no proxy"));
        }
        let known = known(option);
        for (index, value) in values.iter().enumerate() {
            // A value that is too long, or that comes too often, is one that is not known
            // (sections 5.4.3 and 5.4.5).
            let is_taken = known.is_some_and(|(least, most, comes_again)| {
                (least..=most).contains(&value.len()) && (index == 0 || comes_again)
            });
            if is_taken {
                take(&mut request, &mut options, option, value)?;
            } else if is_critical {
                let why = format!("option {number} is not known here, or its value is not valid");
                return Err(Response::refusal(Code::BAD_OPTION, &why));
            }
        }
    }
    request.observes = options.observe == Some(0);
    Ok(Box::new((request, options)))
}

fn take(
    request: &mut Request,
    options: &mut Options,
    option: CoapOption,
    value: &[u8],
) -> Result<(), Response> {
    let bad = |why: &str| Response::refusal(Code::BAD_REQUEST, why);
    let text = || {
        let text = std::str::from_utf8(value);
        text.map(str::to_owned).map_err(|_| bad("text is UTF-8"))
    };
    let short = || u16::try_from(number(value)).ok();
    let block = || {
        let block = Block::read(number(value));
        block
            .ok_or_else(|| bad("a block has 16 to 1024 bytes"))
            .map(Some)
    };
    match option {
        CoapOption::IfMatch => request.if_match.push(value.to_vec()),
        CoapOption::UriHost => request.host = Some(text()?),
        CoapOption::ETag => request.etags.push(value.to_vec()),
        CoapOption::IfNoneMatch => request.if_none_match = true,
        CoapOption::Observe => options.observe = Some(number(value)),
        CoapOption::UriPath => {
            let segment = text()?;
            // "The value of a Uri-Path Option MUST NOT be "." or ".."." (section 5.10.1)
            if segment == "." || segment == ".." {
                return Err(bad("no segment of a path is . or .."));
            }
            request.path.push(segment);
        }
        CoapOption::UriQuery => request.query.push(text()?),
        CoapOption::ContentFormat => request.content_format = short(),
        CoapOption::Accept => request.accept = short(),
        CoapOption::Block1 => options.block1 = block()?,
        CoapOption::Block2 => options.block2 = block()?,
        CoapOption::Size1 => options.size1 = Some(number(value)),
        CoapOption::Size2 => options.asks_size = true,
        _ => {}
    }
    if matches!(
        option,
        CoapOption::UriPath | CoapOption::UriQuery | CoapOption::Accept | REQUEST_TAG
    ) {
        options.key.extend(u16::from(option).to_be_bytes());
        options.key.push(value.len() as u8);
        options.key.extend(value);
    }
    Ok(())
}

/// At most 4 bytes as a number.
fn number(value: &[u8]) -> u32 {
    value
        .iter()
        .fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

/// As much of a text as `bytes_max` allows.
pub(super) fn start_of(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
