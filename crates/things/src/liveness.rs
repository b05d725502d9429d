//! How it becomes known whether elements are there: what they say, what their sessions do, and
//! what they are reached through.

use std::time::Duration;

use quartet_model::{Actor, Address, Aspect, Effect, Effects, Event, Kind, Said, SessionRef, Time};

use crate::{
    CONNECTIVITY, Connectivity, DesiredStatus, Elements, InvocationStatus, identity,
    presence::{COME_BACK, Presence},
    state::Element,
    td::Document,
    translate,
};

/// What a description says that matters for presence.
#[derive(Default)]
pub(crate) struct Reach {
    /// A report is expected at least so often.
    pub(crate) expected: Option<Duration>,
    /// The key of the element that it is reached through: a link `controlledBy`.
    pub(crate) through: Option<Box<str>>,
    /// It says itself whether it is connected.
    pub(crate) says_so_itself: bool,
}

impl Reach {
    /// Reads it. Most descriptions say nothing of it, and are not parsed.
    pub(crate) fn of(description: &[u8]) -> Self {
        let words = [
            "\"quartet:expectedInterval\"",
            "\"controlledBy\"",
            "\"connectivity\"",
        ];
        let text = std::str::from_utf8(description).unwrap_or_default();
        if !words.iter().any(|word| text.contains(word)) {
            return Self::default();
        }
        let Ok(document) = Document::parse(description) else {
            return Self::default();
        };
        let td = document.to_value();
        let seconds = td["quartet:expectedInterval"].as_f64();
        let links = td["links"].as_array();
        let through = links.into_iter().flatten().find_map(|link| {
            let is_through = link["rel"] == "controlledBy";
            let id = link["href"].as_str().filter(|_| is_through)?;
            identity::key_of(id).ok()
        });
        Self {
            expected: seconds
                .filter(|s| (1.0..=1e9).contains(s))
                .map(Duration::from_secs_f64),
            through: through.map(Into::into),
            says_so_itself: !td["properties"][CONNECTIVITY].is_null(),
        }
    }
}

/// An element said something.
pub(crate) fn hear(elements: &mut Elements, key: &str, event: &Event, effects: &mut Effects) {
    let author = event.author();
    if author.starts_with(Kind::Process.folder()) && author != key {
        return; // What a process says of something else is no sign that that is there.
    }
    let Some(element) = elements.by_key.get_mut(key) else {
        return;
    };
    let Element { presence, .. } = element;
    let before = presence.state();
    let is_back = std::mem::take(&mut presence.is_back);
    presence.hear(event.id.at);
    if let Actor::Session(by) = event.by
        && presence.speaker != Some(by)
    {
        if let Some(other) = presence.speaker.replace(by) {
            elements.speakers.remove(&(other, key.into()));
        }
        elements.speakers.insert((by, key.into()));
    }
    if presence.look_at.is_none() {
        let at = presence.silent_at();
        if at != Time::NEVER {
            presence.look_at = Some(at);
            elements.deadlines.insert((at, topic(key)));
        }
    }
    if before != Connectivity::Online {
        tell(elements, key, event.id.at, "", effects);
    }
    if is_back || before != Connectivity::Online {
        translate::tell_again(elements, key, event.id.at, effects);
    }
}

/// Something that speaks for an element says whether it is there.
pub(crate) fn says(
    elements: &mut Elements,
    key: &str,
    state: Connectivity,
    why: &str,
    now: Time,
    effects: &mut Effects,
) {
    let before = elements.by_key.get(key).map(|it| it.presence.state());
    change_one(elements, key, now, why, effects, |presence| {
        presence.own = state;
    });
    if state == Connectivity::Online {
        let is_back = elements.by_key.get_mut(key).is_some_and(Element::take_back);
        if is_back || before != Some(state) {
            translate::tell_again(elements, key, now, effects);
        }
    }
}

/// Something that an element reported reached the hub, perhaps late: if it was away, it is told what
/// it may have missed.
pub(crate) fn tell_if_back(elements: &mut Elements, key: &str, now: Time, effects: &mut Effects) {
    if elements.by_key.get_mut(key).is_some_and(Element::take_back) {
        translate::tell_again(elements, key, now, effects);
    }
}

/// Who speaks for an element says that it is away, and speaks for it no more: what becomes of the
/// session says nothing of it until it is heard again.
pub(crate) fn died(elements: &mut Elements, key: &str, now: Time, effects: &mut Effects) {
    let speaker = elements.by_key.get_mut(key);
    if let Some(speaker) = speaker.and_then(|element| element.presence.speaker.take()) {
        elements.speakers.remove(&(speaker, key.into()));
    }
    let why = "its death was told";
    says(elements, key, Connectivity::Lost, why, now, effects);
}

/// Somebody without a session serves an element from now on: it is there.
pub fn served(elements: &mut Elements, key: &str, now: Time, effects: &mut Effects) {
    let Some(element) = elements.by_key.get_mut(key) else {
        return;
    };
    element.presence.is_recalled = false;
    if let Some(speaker) = element.presence.speaker.take() {
        elements.speakers.remove(&(speaker, key.into()));
    }
    says(elements, key, Connectivity::Online, "", now, effects);
}

/// Nobody without a session serves an element any more. That says nothing of one for which a session
/// spoke meanwhile.
pub fn left(
    elements: &mut Elements,
    key: &str,
    said_goodbye: bool,
    why: &str,
    now: Time,
    effects: &mut Effects,
) {
    let element = elements.by_key.get(key);
    if element.is_none_or(|element| element.presence.speaker.is_some()) {
        return;
    }
    let state = match said_goodbye {
        true => Connectivity::Asleep,
        false => Connectivity::Lost,
    };
    says(elements, key, state, why, now, effects);
}

/// A session is there again.
pub fn came(elements: &mut Elements, session: SessionRef, now: Time, effects: &mut Effects) {
    change_all(elements, session, now, "", effects, |presence| {
        presence.is_back |= presence.own != Connectivity::Online;
        presence.own = Connectivity::Online;
    });
}

/// A session is away: it said goodbye, or its connection was lost.
pub fn went(
    elements: &mut Elements,
    session: SessionRef,
    said_goodbye: bool,
    why: &str,
    now: Time,
    effects: &mut Effects,
) {
    let state = if said_goodbye {
        Connectivity::Asleep
    } else {
        Connectivity::Lost
    };
    change_all(elements, session, now, why, effects, |presence| {
        presence.own = state;
    });
}

fn change_all(
    elements: &mut Elements,
    session: SessionRef,
    now: Time,
    why: &str,
    effects: &mut Effects,
    change: impl Fn(&mut Presence),
) {
    let from = (session, Box::from(""));
    let keys = elements.speakers.range(from..);
    let keys: Vec<Box<str>> = keys
        .take_while(|(speaker, _)| *speaker == session)
        .map(|(_, key)| key.clone())
        .collect();
    for key in keys {
        change_one(elements, &key, now, why, effects, &change);
    }
}

fn change_one(
    elements: &mut Elements,
    key: &str,
    now: Time,
    why: &str,
    effects: &mut Effects,
    change: impl Fn(&mut Presence),
) {
    let Some(element) = elements.by_key.get_mut(key) else {
        return;
    };
    let before = element.presence.state();
    change(&mut element.presence);
    if element.presence.state() != before {
        tell(elements, key, now, why, effects);
    }
}

/// An element that others may be reached through is away, or is there again.
pub fn reached_through(
    elements: &mut Elements,
    through: &str,
    is_away: bool,
    now: Time,
    effects: &mut Effects,
) {
    let from = (Box::from(through), Box::from(""));
    let children = elements.children.range(from..);
    let children: Vec<Box<str>> = children
        .take_while(|(parent, _)| &**parent == through)
        .map(|(_, child)| child.clone())
        .collect();
    let why = if is_away {
        format!("{through}, through which it is reached, is away")
    } else {
        String::new()
    };
    for child in children {
        change_one(elements, &child, now, &why, effects, |presence| {
            presence.is_back |= presence.is_cut_off && !is_away;
            presence.is_cut_off = is_away;
        });
    }
}

/// What an event says of the presence of an element that others may be reached through.
pub fn presence_in(event: &Event) -> Option<(&str, bool)> {
    if event.by != Actor::Hub {
        return None;
    }
    let key = event.topic.strip_suffix("/properties/connectivity")?;
    let said: serde_json::Value = serde_json::from_slice(&event.payload).ok()?;
    let is_away = !matches!(said["state"].as_str(), Some("online" | "unknown"));
    Some((key, is_away))
}

/// An element's silence is looked at.
pub(crate) fn look(elements: &mut Elements, key: &str, now: Time, effects: &mut Effects) {
    let Some(Element { presence, .. }) = elements.by_key.get_mut(key) else {
        return;
    };
    let looked_at = presence.look_at.take();
    if presence.is_recalled {
        if looked_at == Some(Time::ZERO) {
            let at = now.after(COME_BACK);
            presence.look_at = Some(at);
            elements.deadlines.insert((at, topic(key)));
        } else {
            presence.is_recalled = false;
            let why = "it did not come back after the hub was away";
            change_one(elements, key, now, why, effects, |it| {
                it.own = Connectivity::Lost
            });
        }
        return;
    }
    let at = presence.silent_at();
    if at <= now {
        change_one(
            elements,
            key,
            now,
            "no report came in time",
            effects,
            |it| {
                it.own = Connectivity::Silent;
            },
        );
    } else if at != Time::NEVER {
        presence.look_at = Some(at);
        elements.deadlines.insert((at, topic(key)));
    }
}

/// A session has what the hub said to an element. That is known of whoever speaks for the
/// element, and of nobody else.
pub fn delivered(
    elements: &mut Elements,
    event: &Event,
    session: SessionRef,
    now: Time,
    effects: &mut Effects,
) {
    let (Ok(address), Some(key)) = (
        Address::read(&event.topic),
        Address::element_of(&event.topic),
    ) else {
        return;
    };
    let (Some(element), Some(cause)) = (elements.by_key.get(key), event.cause) else {
        return;
    };
    if element.presence.speaker != Some(session) {
        return;
    }
    let (at, said) = match address.aspect {
        Aspect::Write(name) => {
            let wish = element.desired.get(name);
            let wish = wish.filter(|wish| {
                wish.status == DesiredStatus::Pending
                    && wish.revision == cause
                    && wish.delivered.is_none()
            });
            let Some(mut wish) = wish.cloned() else {
                return;
            };
            wish.delivered = Some(now);
            (
                address.with(Aspect::Desired(name)).to_string(),
                wish.to_json(),
            )
        }
        Aspect::Action(name) => {
            let asked = element.invocations.get(&cause);
            let asked = asked.filter(|asked| asked.status == InvocationStatus::Pending);
            let Some(mut asked) = asked.cloned() else {
                return;
            };
            asked.status = InvocationStatus::Delivered;
            let id = cause.to_string();
            (
                address.with(Aspect::Invocation(name, &id)).to_string(),
                asked.to_json(),
            )
        }
        _ => return,
    };
    effects.push(Effect::Emit(Said::kept(at, said.to_string())));
}

fn tell(elements: &Elements, key: &str, since: Time, why: &str, effects: &mut Effects) {
    let Some(element) = elements.by_key.get(key).filter(|it| !it.says_so_itself) else {
        return;
    };
    let said = element.presence.to_json(since, why).to_string();
    effects.push(Effect::Emit(Said::kept(&*topic(key), said)));
}

fn topic(key: &str) -> Box<str> {
    format!("{key}/properties/{}", CONNECTIVITY).into()
}
