//! What was last said at each topic, for those who ask later (MQTT 5.0, section 3.3.1.3).
//!
//! A sorted map from topic to message: exact topics cost one lookup, wildcards a scan that
//! skips what cannot match. A scan can stop anywhere and go on later, so that a subscription
//! to a million topics floods nobody. One message costs its bytes plus about 150.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use bytes::Bytes;
use bytestring::ByteString;
use quartet_model::{Actor, Event, EventId, Place, Qos, Time};

/// A topic with its levels separated by NUL, which no topic contains and which sorts before
/// everything else: all topics below `a/b` stand together.
type Key = Box<[u8]>;

struct Kept {
    id: EventId,
    by: Actor,
    author: Option<Arc<str>>,
    qos: Qos,
    expires: Time,
    place: Option<Place>,
    properties: u32,
    /// Properties, then payload.
    body: Box<[u8]>,
}

/// The retained messages of one lane.
#[derive(Default)]
pub struct Retained {
    by_topic: BTreeMap<Key, Kept>,
    bytes: usize,
    expiring: usize,
}

/// Where a scan stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor(Key);

/// What a map entry costs beside its bytes, about: for [`Retained::bytes`].
const ENTRY_BYTES: usize = 150;

impl Retained {
    /// How many topics have one.
    pub fn len(&self) -> usize {
        self.by_topic.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_topic.is_empty()
    }

    /// Bytes that they take, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps `event` as what was last said at its topic [MQTT-3.3.1-5]; an empty payload
    /// removes it [MQTT-3.3.1-6] [MQTT-3.3.1-7].
    /// `place` is where the journal keeps it.
    pub fn keep(&mut self, event: &Event, place: Option<Place>) {
        let key = key_of(&event.topic);
        if event.payload.is_empty() {
            if let Some(old) = self.by_topic.remove(&key) {
                self.discount(&key, &old);
            }
            return;
        }
        let kept = Kept {
            id: event.id,
            by: event.by,
            author: event.author.clone(),
            qos: event.qos,
            expires: event.expires,
            place,
            properties: event.properties.len() as u32,
            body: [&event.properties[..], &event.payload[..]].concat().into(),
        };
        self.bytes += ENTRY_BYTES + key.len() + kept.body.len();
        self.expiring += usize::from(kept.expires != Time::NEVER);
        let size = key.len();
        if let Some(old) = self.by_topic.insert(key, kept) {
            self.bytes -= ENTRY_BYTES + size + old.body.len();
            self.expiring -= usize::from(old.expires != Time::NEVER);
        }
    }

    fn discount(&mut self, key: &[u8], old: &Kept) {
        self.bytes -= ENTRY_BYTES + key.len() + old.body.len();
        self.expiring -= usize::from(old.expires != Time::NEVER);
    }

    /// Notes where the journal keeps anew what is retained at this topic.
    pub fn moved(&mut self, topic: &str, place: Place) {
        if let Some(kept) = self.by_topic.get_mut(&key_of(topic)) {
            kept.place = Some(place);
        }
    }

    /// Collects the next messages behind `from`, whatever their topics, until there are
    /// `events_max`, or `bytes_max` bytes of payload; says where to go on, `None` at the end.
    pub fn walk(
        &self,
        from: Option<Cursor>,
        events_max: usize,
        bytes_max: usize,
        found: &mut Vec<Event>,
    ) -> Option<Cursor> {
        let bound = from.map_or(Bound::Unbounded, |Cursor(key)| Bound::Excluded(key));
        let range = (bound.as_ref().map(|key| &**key), Bound::Unbounded);
        let mut last = None;
        let mut bytes = 0;
        for (key, kept) in self.by_topic.range::<[u8], _>(range).take(events_max) {
            found.push(event_of(key, kept));
            last = Some(key);
            bytes += kept.body.len();
            if bytes_max <= bytes {
                break;
            }
        }
        last.map(|key| Cursor(key.clone()))
    }

    /// What is retained at exactly this topic.
    pub fn at(&self, topic: &str, now: Time) -> Option<Event> {
        let key = key_of(topic);
        let kept = self.by_topic.get(&key)?;
        (now < kept.expires).then(|| event_of(&key, kept))
    }

    /// Collects messages that match `filter`, beginning behind `from`, until `events_max` are
    /// found or the time for one go is over. Says where to go on; `None` at the end.
    pub fn scan(
        &self,
        filter: &str,
        from: Option<Cursor>,
        events_max: usize,
        now: Time,
        found: &mut Vec<Event>,
    ) -> Option<Cursor> {
        /// Keys looked at in one go, so that a scan cannot hold up a lane: about 1 ms.
        const LOOKED_AT_MAX: usize = 4096;
        let filter: Vec<&[u8]> = filter.split('/').map(str::as_bytes).collect();
        let mut bound = match from {
            Some(Cursor(key)) => Bound::Excluded(key),
            None => Bound::Included(literal_start(&filter)),
        };
        let mut looked_at = 0;
        'seek: loop {
            let keys = self
                .by_topic
                .range::<[u8], _>((bound.as_ref().map(|key| &**key), Bound::Unbounded));
            for (key, kept) in keys {
                match standing(key, &filter) {
                    Standing::Matches if now < kept.expires => found.push(event_of(key, kept)),
                    Standing::Matches | Standing::Before => {}
                    Standing::SkipTo(next) => {
                        bound = Bound::Included(next);
                        looked_at += 1;
                        continue 'seek;
                    }
                    Standing::Behind => return None,
                }
                looked_at += 1;
                if events_max <= found.len() || LOOKED_AT_MAX <= looked_at {
                    return Some(Cursor(key.clone()));
                }
            }
            return None;
        }
    }

    /// Removes expired messages among the next `looked_at_max` behind `from`; says where to go
    /// on. Called now and then, so that what expired does not take memory for ever.
    pub fn sweep(
        &mut self,
        from: Option<Cursor>,
        looked_at_max: usize,
        now: Time,
    ) -> Option<Cursor> {
        if self.expiring == 0 {
            return None;
        }
        let bound = from.map_or(Bound::Unbounded, |Cursor(key)| Bound::Excluded(key));
        let mut last = None;
        let mut expired = Vec::new();
        let range = (bound.as_ref().map(|key| &**key), Bound::Unbounded);
        let mut looked_at = 0;
        for (key, kept) in self.by_topic.range::<[u8], _>(range).take(looked_at_max) {
            if kept.expires <= now {
                expired.push(key.clone());
            }
            looked_at += 1;
            last = Some(key);
        }
        let cursor = (looked_at == looked_at_max)
            .then(|| last.map(|key| Cursor(key.clone())))
            .flatten();
        for key in expired {
            if let Some(old) = self.by_topic.remove(&key) {
                self.discount(&key, &old);
            }
        }
        cursor
    }
}

fn key_of(topic: &str) -> Key {
    topic
        .bytes()
        .map(|byte| if byte == b'/' { 0 } else { byte })
        .collect()
}

fn event_of(key: &[u8], kept: &Kept) -> Event {
    let topic: Vec<u8> = key
        .iter()
        .map(|&byte| if byte == 0 { b'/' } else { byte })
        .collect();
    let body = Bytes::copy_from_slice(&kept.body);
    let properties = kept.properties as usize;
    Event {
        id: kept.id,
        by: kept.by,
        author: kept.author.clone(),
        topic: ByteString::try_from(topic).expect("keys are made from text"),
        properties: body.slice(..properties),
        payload: body.slice(properties..),
        qos: kept.qos,
        retain: true,
        expires: kept.expires,
        cause: None,
        hops: 0,
        place: kept.place,
    }
}

fn is_wildcard(level: &[u8]) -> bool {
    level == b"+" || level == b"#"
}

/// Where the first key that can match stands.
fn literal_start(filter: &[&[u8]]) -> Key {
    let literal: Vec<&[u8]> = filter
        .iter()
        .copied()
        .take_while(|level| !is_wildcard(level))
        .collect();
    literal.join(&0).into()
}

/// Where a key stands relative to what a filter matches.
enum Standing {
    Matches,
    /// Not a match; the next key may be one.
    Before,
    /// Nothing before this key is a match.
    SkipTo(Key),
    /// Neither this nor any later key is a match.
    Behind,
}

fn standing(key: &[u8], filter: &[&[u8]]) -> Standing {
    if key.first() == Some(&b'$') && is_wildcard(filter[0]) {
        return Standing::SkipTo([b'$' + 1].into()); // [MQTT-4.7.2-1]
    }
    let mut start = 0; // of the key's current level
    let mut levels = key.split(|&byte| byte == 0);
    for wanted in filter {
        if *wanted == b"#" {
            return Standing::Matches;
        }
        let Some(level) = levels.next() else {
            return Standing::Before; // The key is shorter; longer ones follow it.
        };
        if *wanted != b"+" && level != *wanted {
            return if level < *wanted {
                Standing::SkipTo([&key[..start], wanted].concat().into())
            } else {
                behind(&key[..start.saturating_sub(1)], start == 0)
            };
        }
        start += level.len() + 1;
    }
    match levels.next() {
        None => Standing::Matches,
        Some(_) => behind(&key[..start - 1], false),
    }
}

/// Behind everything that stands below `parent`.
fn behind(parent: &[u8], is_root: bool) -> Standing {
    if is_root {
        return Standing::Behind;
    }
    Standing::SkipTo([parent, &[1]].concat().into())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn event(topic: &str, payload: &str) -> Event {
        Event {
            id: EventId {
                at: Time::ZERO,
                serial: 0,
            },
            by: Actor::Hub,
            author: None,
            topic: topic.into(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            properties: Bytes::from_static(&[1, 1]),
            qos: Qos::AtLeastOnce,
            retain: true,
            expires: Time::NEVER,
            cause: None,
            hops: 0,
            place: None,
        }
    }

    fn scan_all(retained: &Retained, filter: &str, step: usize) -> Vec<String> {
        let mut topics = Vec::new();
        let mut cursor = None;
        loop {
            let mut found = Vec::new();
            cursor = retained.scan(filter, cursor, step, Time::ZERO, &mut found);
            topics.extend(found.iter().map(|event| event.topic.to_string()));
            if cursor.is_none() {
                return topics;
            }
        }
    }

    #[test]
    fn mqtt_3_3_1_5_the_last_message_of_a_topic_is_kept() {
        let mut retained = Retained::default();
        retained.keep(&event("a/b", "old"), None);
        retained.keep(&event("a/b", "new"), None);
        let kept = retained.at("a/b", Time::ZERO).unwrap();
        assert_eq!(
            (&kept.payload[..], &kept.properties[..], &*kept.topic),
            (&b"new"[..], &[1, 1][..], "a/b")
        );
        assert_eq!(retained.len(), 1);
    }

    #[test]
    fn mqtt_3_3_1_6_an_empty_message_removes_it() {
        let mut retained = Retained::default();
        retained.keep(&event("a/b", "x"), None);
        retained.keep(&event("a/b", ""), None);
        assert!(retained.is_empty());
        assert_eq!(retained.bytes(), 0);
    }

    #[test]
    fn what_expired_is_not_found_and_is_swept_away() {
        let mut retained = Retained::default();
        for (topic, s) in [("a", 5), ("b", 50), ("c", 5)] {
            retained.keep(
                &Event {
                    expires: Time::from_micros(s),
                    ..event(topic, "x")
                },
                None,
            );
        }
        let now = Time::from_micros(7);
        assert!(retained.at("a", now).is_none());
        let mut found = Vec::new();
        retained.scan("#", None, 9, now, &mut found);
        assert_eq!(found.len(), 1);
        let cursor = retained.sweep(None, 1, now);
        assert_eq!(retained.sweep(cursor, 9, now), None);
        assert_eq!(retained.len(), 1);
    }

    #[test]
    fn topics_that_sort_around_the_separator_are_not_skipped() {
        let mut retained = Retained::default();
        for topic in ["a/x", "a/x-1/c", "a/x/c", "a/x\u{1}/c", "a/x0/c"] {
            retained.keep(&event(topic, "x"), None);
        }
        assert_eq!(
            scan_all(&retained, "a/+/c", 1),
            ["a/x/c", "a/x\u{1}/c", "a/x-1/c", "a/x0/c"]
        );
    }

    proptest! {
        /// A scan in steps of any size finds what the plain rule finds, once each.
        #[test]
        fn a_scan_finds_what_the_plain_rule_finds(
            topics in vec("[ab$]{0,2}(/[ab]{0,1}){0,3}", 0..30),
            filter in "([ab]|\\+|)(/([ab]|\\+|)){0,3}(/#)?",
            step in 1..5_usize,
        ) {
            let mut retained = Retained::default();
            for topic in topics.iter().filter(|topic| !topic.is_empty()) {
                retained.keep(&event(topic, "x"), None);
            }
            let mut expected: Vec<_> = retained
                .by_topic
                .keys()
                .map(|key| event_of(key, &retained.by_topic[key]).topic.to_string())
                .filter(|topic| crate::topic::matches(&filter, topic))
                .collect();
            let mut found = scan_all(&retained, &filter, step);
            expected.sort_unstable();
            found.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
