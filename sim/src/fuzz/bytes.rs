//! Decoders: no panic, one meaning, the same in one piece and in many.

use bytes::Bytes;
use quartet_fabric::{
    mqtt::{Packet, Version, decode, frame_length},
    proxy as proxy_protocol,
    retained::Retained,
    routes::{Matches, Member, Routes, Wish},
    topic::{Filter, check_name, matches},
    websocket::{self as ws, Decoder},
};
use quartet_hub::{
    config::{Limits, parse},
    flow::{Flow, NoMethods, Peer, Read, Setup},
};
use quartet_model::{Actor, Event, EventId, Said, Time};

use super::supply::Supply;
use crate::connect_as;

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

/// Whatever decodes is encoded to what decodes to the same.
pub fn codec(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let frame = match frame_length(&bytes, usize::MAX) {
        Ok(Some(length)) if length <= bytes.len() => bytes.slice(..length),
        _ => bytes,
    };
    for version in VERSIONS {
        let Ok(packet) = decode(&frame, version) else {
            continue;
        };
        let mut encoded = Vec::new();
        packet.encode(version, &mut encoded);
        let encoded = Bytes::from(encoded);
        let length = frame_length(&encoded, usize::MAX);
        assert_eq!(length, Ok(Some(encoded.len())), "{packet:?}");
        let again = decode(&encoded, version);
        assert_eq!(again.as_ref(), Ok(&packet), "{version:?} {encoded:?}");
    }
}

/// However bytes are cut on their way, a hub does the same with them.
pub fn frames(data: &[u8]) {
    let mut supply = Supply::new(data);
    let begin = supply.below(VERSIONS.len() + 1);
    let mut cuts = Supply::new(supply.bytes(8));
    let mut bytes = Vec::new();
    if let Some(&version) = VERSIONS.get(begin) {
        Packet::Connect(Box::new(connect_as(version, "cut"))).encode(version, &mut bytes);
    }
    bytes.extend_from_slice(supply.rest());
    let at_once = heard_after(&[&bytes]);
    assert_eq!(heard_after(&cuts.cut(&bytes, 8)), at_once);
    let ones: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(heard_after(&ones), at_once);
}

/// What a hub answers, and whether it closes the connection, to bytes in these parts.
fn heard_after(parts: &[&[u8]]) -> (Vec<u8>, String, quartet_hub::flow::Figures) {
    let mut flow = Flow::new(Setup {
        lane: 0,
        lanes: 1,
        seed: 0,
        limits: Limits {
            publish_rate_max: 0,
            packet_bytes_max: 2048,
            first_packet_bytes_max: 1024,
            ..Limits::default()
        },
        authenticate: Box::new(NoMethods),
        tells_home_assistant: true,
        is_open: true,
    });
    let now = Time::from_micros(1_000_000);
    let peer = Peer {
        ip: None,
        is_local: true,
        is_open: true,
        is_certified: false,
    };
    let key = flow.open(peer, now);
    for part in parts {
        let mut read = flow.read(key, Bytes::copy_from_slice(part), now);
        while let Read::Later = read {
            flow.begin_turn();
            read = flow.read(key, Bytes::new(), now);
        }
        assert!(matches!(read, Read::All), "there is one lane: {read:?}");
    }
    flow.assert_sound();
    let ends = format!("{:?}", flow.out().closed);
    let outbox = flow.outbox(key).expect("nobody forgot the connection");
    let mut heard = Vec::new();
    while !outbox.is_empty() {
        let part = outbox.first().to_vec();
        outbox.advance(part.len());
        heard.extend(part);
    }
    (heard, ends, flow.figures())
}

/// Frames in any parts give the same data, never more than came; what is framed comes out.
pub fn websocket(data: &[u8]) {
    let mut supply = Supply::new(data);
    let mut cuts = Supply::new(supply.bytes(8));
    let bytes = supply.rest();
    let at_once = unframed(&[bytes]);
    assert_eq!(unframed(&cuts.cut(bytes, 8)), at_once);
    let ones: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(unframed(&ones), at_once);
    assert!(at_once.0.len() + at_once.1.len() <= bytes.len());

    let mut framed = Vec::new();
    ws::put_header(bytes.len(), &mut framed);
    framed[1] |= 0x80;
    framed.extend_from_slice(&[0; 4]); // A mask of zeros leaves the bytes as they are.
    framed.extend_from_slice(bytes);
    let expected = (bytes.to_vec(), Vec::new(), Ok(()));
    assert_eq!(unframed(&[&framed]), expected);
}

type Unframed = (Vec<u8>, Vec<u8>, Result<(), ws::CloseCode>);

fn unframed(parts: &[&[u8]]) -> Unframed {
    let mut decoder = Decoder::default();
    let (mut data, mut reply) = (Vec::new(), Vec::new());
    let mut parts = parts.iter();
    let end = parts.try_for_each(|part| decoder.decode(part, &mut data, &mut reply));
    (data, reply, end)
}

/// A request is accepted when its last byte is there, not before, and whatever follows it; a
/// client cannot put lines of its own into the response.
pub fn upgrade(data: &[u8]) {
    let upgrade = |bytes: &[u8]| ws::upgrade(bytes, |origin, host| origin.ends_with(host));
    match upgrade(data) {
        Ok(Some(accepted)) => {
            let request = &data[..accepted.consumed];
            assert!(request.len() <= 8 * 1024, "longer than in parts");
            assert_eq!(upgrade(request), Ok(Some(accepted.clone())));
            for end in 0..request.len() {
                assert_eq!(upgrade(&request[..end]), Ok(None), "{end}");
            }
            let response = String::from_utf8(accepted.response).expect("a response is text");
            assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
            assert!(response.ends_with("\r\n\r\n"), "{response}");
            assert_eq!(response.lines().count(), 6, "{response}");
        }
        Ok(None) => assert!(data.len() <= 8 * 1024, "a request without end"),
        Err(refusal) => assert!(refusal.response().starts_with(b"HTTP/1.1 4")),
    }
}

/// A header is known when its last byte is there, not before, and whatever follows it.
pub fn proxy(data: &[u8]) {
    match proxy_protocol::read(data) {
        Ok(Some(proxied)) => {
            let header = &data[..proxied.consumed];
            assert!(header.len() <= 1024, "longer than in parts");
            assert_eq!(proxy_protocol::read(header), Ok(Some(proxied)));
            for end in 0..header.len() {
                assert_eq!(proxy_protocol::read(&header[..end]), Ok(None), "{end}");
            }
        }
        Ok(None) => assert!(data.len() <= 1024, "a header without end"),
        Err(proxy_protocol::NotProxied) => {}
    }
}

/// The route table and the retained messages agree with the plain rule, and forget everything.
///
/// The lines of the text are filters and topics at once. The first byte says whether they are
/// taken as they are, or put into few letters, so that many of them match.
pub fn topics(data: &[u8]) {
    const LETTERS: &[u8] = b"ab+#/$\n\x01";
    let mut supply = Supply::new(data);
    let text = if supply.byte().is_multiple_of(2) {
        String::from_utf8_lossy(supply.rest()).into_owned()
    } else {
        let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
        supply.rest().iter().map(letter).collect()
    };
    let lines: Vec<&str> = text.split('\n').take(64).collect();
    let levels_max = Limits::default().topic_levels_max;
    let names: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| check_name(line).is_ok() && line.split('/').count() <= levels_max)
        .collect();
    let parse = |line| Filter::parse(line).ok();
    let filters = lines.iter().copied().filter_map(parse);
    let filters: Vec<Filter<'_>> = filters.filter(|f| f.levels() <= levels_max).collect();
    for name in &names {
        // A name is a filter, too, except where it would be a share.
        let is_filter = parse(name).is_some_and(|filter| matches(filter.filter, name));
        assert!(is_filter || name.starts_with("$share"), "{name}");
    }
    check_routes(&filters, &names);
    check_retained(&filters, &names);
}

fn check_routes(filters: &[Filter<'_>], names: &[&str]) {
    let mut routes = Routes::new(7);
    let member = |receiver| Member {
        lane: 0,
        receiver,
        wish: Wish::default(),
        online: true,
        share: 0,
    };
    let mut nodes = Vec::new();
    for (receiver, filter) in filters.iter().enumerate() {
        if let Some(share) = filter.share {
            // Each in a share of its own, so that each is chosen.
            let share = format!("{share}/{receiver}");
            routes.share_join(&share, filter.filter, member(receiver));
        } else {
            let joined = routes.join(filter.filter, receiver, Wish::default());
            assert_eq!(routes.filter_at(joined.node), filter.filter);
            nodes.push((joined.node, receiver));
        }
    }
    let mut found = Matches::default();
    for name in names {
        routes.receivers(name, &mut found);
        let own = found.own.iter().map(|matched| matched.receiver);
        let chosen = found.chosen.iter().map(|member| member.receiver);
        let mut all: Vec<usize> = own.chain(chosen).collect();
        all.sort_unstable();
        let expected = (0..filters.len()).filter(|&i| matches(filters[i].filter, name));
        assert_eq!(all, expected.collect::<Vec<_>>(), "{name:?} of {filters:?}");
    }
    for (node, receiver) in nodes {
        assert!(routes.leave(node, receiver).is_some());
    }
    for (receiver, filter) in filters.iter().enumerate() {
        if let Some(share) = filter.share {
            let share = format!("{share}/{receiver}");
            assert!(routes.share_leave(&share, filter.filter, 0, receiver));
        }
    }
    for filter in filters {
        assert_eq!(routes.find(filter.filter), None, "{filter:?} is left over");
    }
    assert!(routes.is_empty());
}

fn check_retained(filters: &[Filter<'_>], names: &[&str]) {
    let mut retained = Retained::default();
    let id = EventId {
        at: Time::ZERO,
        serial: 0,
    };
    for name in names {
        retained.keep(&Event::new(id, Actor::Hub, Said::state(*name, "x")), None);
    }
    let mut kept: Vec<&str> = names.to_vec();
    kept.sort_unstable();
    kept.dedup();
    assert_eq!(retained.len(), kept.len());
    for (index, filter) in filters.iter().enumerate() {
        let (mut scanned, mut cursor) = (Vec::new(), None);
        loop {
            let mut found = Vec::new();
            let step = 1 + index % 3;
            cursor = retained.scan(filter.filter, cursor, step, Time::ZERO, &mut found);
            scanned.extend(found.into_iter().map(|event| event.topic.to_string()));
            if cursor.is_none() {
                break;
            }
        }
        scanned.sort_unstable();
        let expected = kept.iter().filter(|name| matches(filter.filter, name));
        let expected: Vec<&str> = expected.copied().collect();
        assert_eq!(scanned, expected, "{filter:?}");
    }
    for name in names {
        retained.keep(&Event::new(id, Actor::Hub, Said::state(*name, "")), None);
    }
    assert_eq!((retained.len(), retained.bytes()), (0, 0));
}

/// A configuration is taken, or each mistake in it can be shown.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(errors) = parse(&text, None) {
        assert!(!errors.is_empty(), "refused without a reason");
        for error in errors {
            let lines = text.split('\n').count();
            assert!(error.line <= lines, "{error}");
            assert!(!error.to_string().is_empty());
        }
    }
}
