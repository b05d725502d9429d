//! Devices that speak topics of their own: what they say there becomes reports, and what is said to
//! them is said there, as the native forms of their descriptions have it.

use std::sync::Arc;

use quartet_model::{Address, Aspect, Effect, Effects, Event, Qos, Said, Time};
use serde_json::Value;

use crate::{
    Connectivity, Elements, Refusal,
    dialects::{
        form::Reading,
        native::{Mode, Native, Role, native_forms},
    },
    liveness,
    td::{Document, Problem},
};

/// What a dialect with a memory of its own heard of an element.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Report {
    /// The first two levels of the element's address.
    pub key: String,
    /// It spoke; otherwise it is known to be away.
    pub is_there: bool,
    /// What its properties are now, by name.
    pub values: Vec<(Box<str>, Value)>,
    /// What happened to it, by name.
    pub events: Vec<(Box<str>, Value)>,
}

/// The native topics of an element, and what is known from them.
#[derive(Debug)]
pub(crate) struct Natives {
    forms: Arc<[Native]>,
    /// What each entry of `quartet:availability` said last.
    available: Vec<Option<Connectivity>>,
}

/// A native topic that elements want to hear of, or do not any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Follow {
    /// From now on.
    Begin(Box<str>),
    /// No more.
    End(Box<str>),
}

impl Natives {
    /// Those of a description. Most have none, and are not parsed.
    pub(crate) fn of(description: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(description).ok()?;
        if !text.contains("\"mqtt:///") {
            return None;
        }
        let td = Document::parse(description).ok()?.to_value();
        let (forms, _) = native_forms(&td);
        let entry = |native: &Native| match native.role {
            Role::Availability { index, .. } => index + 1,
            _ => 0,
        };
        let entries = forms.iter().map(entry).max().unwrap_or(0);
        (!forms.is_empty()).then(|| Self {
            forms: forms.into(),
            available: vec![None; entries],
        })
    }

    /// The topics where the device speaks, each once.
    pub(crate) fn topics(&self) -> Vec<&str> {
        let reports = self.forms.iter().filter(|native| native.form.ops.reports());
        let mut topics: Vec<&str> = reports.map(|native| &*native.form.topic).collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    /// What is said at native topics to make a property a value, or to invoke an action.
    pub(crate) fn tell(&self, role: &Role, value: &Value, now: Time) -> Result<Vec<Said>, Problem> {
        let forms = self.forms.iter();
        let told = forms.filter(|native| native.role == *role && native.form.ops.tells());
        told.map(|native| {
            let form = &native.form;
            let payload = form
                .write_at(value, now)
                .map_err(|why| Problem::new("(root)", why.to_string()))?;
            Ok(Said {
                qos: Qos::from_level(form.qos).unwrap_or(Qos::AtLeastOnce),
                retain: form.retain,
                ..Said::state(&*form.topic, payload)
            })
        })
        .collect()
    }

    /// Takes note of one entry of `quartet:availability`. What all of them together say.
    fn note(&mut self, index: usize, mode: Mode, said: Connectivity) -> Connectivity {
        if let Some(entry) = self.available.get_mut(index) {
            *entry = Some(said);
        }
        let is_online = |said: &&Connectivity| **said == Connectivity::Online;
        let mut known = self.available.iter().flatten();
        match mode {
            Mode::Latest => said,
            Mode::Any if known.any(|said| is_online(&said)) => Connectivity::Online,
            Mode::Any => said,
            // One that was not heard yet does not say that the element is away.
            Mode::All => *known.find(|said| !is_online(said)).unwrap_or(&said),
        }
    }
}

impl Elements {
    /// The elements that speak at a native topic.
    pub fn natives_at(&self, topic: &str) -> Vec<Box<str>> {
        self.by_native.get(topic).cloned().unwrap_or_default()
    }

    /// Native topics that are to be heard from now on, or not any more, since this was asked.
    pub fn take_follows(&mut self) -> Vec<Follow> {
        std::mem::take(&mut self.follows)
    }

    /// An element has other native topics from now on.
    pub(crate) fn speak(&mut self, key: &str, natives: Option<Natives>) {
        let Some(element) = self.by_key.get_mut(key) else {
            return;
        };
        let before = std::mem::replace(&mut element.natives, natives);
        let topics = |natives: &Option<Natives>| -> Vec<Box<str>> {
            let topics = natives.iter().flat_map(Natives::topics);
            topics.map(Into::into).collect()
        };
        let (before, now) = (topics(&before), topics(&element.natives));
        self.speak_at(key, &before, &now);
    }

    pub(crate) fn speak_at(&mut self, key: &str, before: &[Box<str>], now: &[Box<str>]) {
        for topic in before.iter().filter(|topic| !now.contains(topic)) {
            let Some(keys) = self.by_native.get_mut(topic) else {
                continue;
            };
            keys.retain(|there| &**there != key);
            if keys.is_empty() {
                self.by_native.remove(topic);
                self.follows.push(Follow::End(topic.clone()));
            }
        }
        for topic in now.iter().filter(|topic| !before.contains(topic)) {
            let keys = self.by_native.entry(topic.clone()).or_default();
            if keys.is_empty() {
                self.follows.push(Follow::Begin(topic.clone()));
            }
            keys.push(key.into());
        }
    }
}

/// What a device says at a topic of its own becomes what its element reports.
pub fn hear(elements: &mut Elements, key: &str, event: &Event, now: Time, effects: &mut Effects) {
    let Some(natives) = elements.by_key.get(key).and_then(|it| it.natives.as_ref()) else {
        return;
    };
    if event.payload.is_empty() {
        return; // What was retained there is forgotten; that says nothing of the device.
    }
    let Ok(address) = Address::read(key) else {
        return;
    };
    let forms = Arc::clone(&natives.forms);
    let here = |native: &&Native| *native.form.topic == *event.topic && native.form.ops.reports();
    let mut is_heard = false;
    for native in forms.iter().filter(here) {
        let reading = match native.form.read(&event.payload) {
            Ok(Some(reading)) => reading,
            Ok(None) => continue,
            Err(why) => {
                let problem = Problem::new(place(&native.role), why.to_string());
                elements.refusals.push(Refusal::new(event, vec![problem]));
                continue;
            }
        };
        if native
            .only
            .as_ref()
            .is_some_and(|only| *only != reading.value)
        {
            continue; // Another event of the device.
        }
        let aspect = match &native.role {
            Role::Property(name) => Aspect::Property(name),
            Role::Event(name) => Aspect::Event(name),
            Role::Action(_) => continue,
            Role::Availability { index, mode } => {
                let natives = elements.by_key.get_mut(key);
                let natives = natives.and_then(|it| it.natives.as_mut());
                if let (Some(natives), Some(said)) = (natives, connectivity(&reading.value)) {
                    let state = natives.note(*index, *mode, said);
                    let why = match state {
                        Connectivity::Online => "",
                        _ => "its availability topic says so",
                    };
                    liveness::says(elements, key, state, why, now, effects);
                }
                continue;
            }
        };
        // It speaks now, not when what is retained was said.
        is_heard |= !event.retain;
        let mut said = Said::state(address.with(aspect).to_string(), reading.value.to_string());
        said.retain = matches!(aspect, Aspect::Property(_));
        said.qos = event.qos.min(Qos::AtLeastOnce);
        effects.push(Effect::Emit(said));
    }
    match is_heard {
        true => liveness::hear(elements, key, event, effects),
        false => liveness::tell_if_back(elements, key, now, effects),
    }
}

/// What a message says of an element that it makes: that does not listen yet. Nothing, if it says only what
/// the element is.
pub fn first_report(key: &str, description: &Value, event: &Event) -> Option<Report> {
    let mut report = Report {
        key: key.to_owned(),
        is_there: true,
        ..Report::default()
    };
    let (natives, _) = native_forms(description);
    let here = |native: &Native| *native.form.topic == *event.topic && native.form.ops.reports();
    for native in natives.into_iter().filter(here) {
        let Ok(Some(Reading { value, .. })) = native.form.read(&event.payload) else {
            continue; // What is wrong with it is said when the element hears it.
        };
        match native.role {
            _ if native.only.is_some_and(|only| only != value) => {}
            Role::Property(name) => report.values.push((name, value)),
            Role::Event(name) => report.events.push((name, value)),
            _ => {}
        }
    }
    (!report.values.is_empty() || !report.events.is_empty()).then_some(report)
}

/// What a dialect heard of an element becomes what it reports. `event` is the message that said it, if
/// it is not a silence that did.
pub fn report(
    elements: &mut Elements,
    report: &Report,
    event: Option<&Event>,
    now: Time,
    effects: &mut Effects,
) {
    let Report {
        key,
        is_there,
        values,
        events,
    } = report;
    let Some(address) = Address::read(key).ok().filter(|_| elements.has(key)) else {
        return;
    };
    let values = values
        .iter()
        .map(|(name, value)| (Aspect::Property(name), value));
    let events = events
        .iter()
        .map(|(name, value)| (Aspect::Event(name), value));
    for (aspect, value) in values.chain(events) {
        let address = address.with(aspect);
        let mut said = Said::state(address.to_string(), value.to_string());
        said.retain = matches!(aspect, Aspect::Property(_));
        said.qos = event.map_or(Qos::AtMostOnce, |event| event.qos.min(Qos::AtLeastOnce));
        effects.push(Effect::Emit(said));
    }
    match event {
        Some(event) if *is_there => liveness::hear(elements, key, event, effects),
        _ if !is_there => liveness::died(elements, key, now, effects),
        _ => {}
    }
}

/// A device that was away is there again: it is told what is wanted of it.
pub(crate) fn tell_again(elements: &Elements, key: &str, now: Time, effects: &mut Effects) {
    let Some(element) = elements.by_key.get(key) else {
        return;
    };
    let Some(natives) = &element.natives else {
        return;
    };
    for (name, wish) in element.desired.iter().filter(|(_, wish)| wish.is_pending()) {
        let told = natives.tell(&Role::Property(name.clone()), &wish.value, now);
        effects.extend(told.into_iter().flatten().map(Effect::Emit));
    }
}

/// What an entry of `quartet:availability` says: whether the element is there, or how it is.
fn connectivity(value: &Value) -> Option<Connectivity> {
    match value {
        Value::Bool(true) => Some(Connectivity::Online),
        Value::Bool(false) => Some(Connectivity::Lost),
        word => serde_json::from_value(word.clone()).ok(),
    }
}

fn place(role: &Role) -> String {
    match role {
        Role::Property(name) => format!("properties.{name}"),
        Role::Action(name) => format!("actions.{name}"),
        Role::Event(name) => format!("events.{name}"),
        Role::Availability { index, .. } => format!("quartet:availability.{index}"),
    }
}
