//! Who is where: places with fences, and elements that report their positions.
//!
//! An element's lane knows the fences of all places, and finds out which ones the element is in: that
//! is retained as its property `inside`. When that changes, the places say `entered` and `left`, and
//! each place keeps the list of who is in it, its property `occupants`. So each step belongs to one
//! element, and happens once whatever becomes of the hub.

mod fence; // a place's outline
mod index; // which fences may hold a point
mod position; // where an element says that it is
mod shape; // outlines

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use quartet_model::{Address, Aspect, Effect, Effects, Event, EventId, Kind, Qos, Said, Time};
use serde::Deserialize;
use serde_json::{Value, json};

pub use fence::Fence;
pub(crate) use index::Fences;
pub(crate) use position::Position;

use crate::{
    Elements, Heard, Refusal, identity,
    td::{Document, Invalid},
};

/// The property with which an element says where it is.
pub const POSITION: &str = "position";
/// The property with which the hub says which places an element is in.
pub const INSIDE: &str = "inside";
/// The property with which the hub says who is in a place.
pub(crate) const OCCUPANTS: &str = "occupants";
/// The events with which the hub says who came and went.
const ENTERED: &str = "entered";
const LEFT: &str = "left";
/// What the hub says of a place with a fence.
const AFFORDANCES: [(&str, &str); 3] = [
    ("properties", OCCUPANTS),
    ("events", ENTERED),
    ("events", LEFT),
];
/// The places that one element may be in. It does not enter more.
const INSIDE_MAX: usize = 64;
/// The occupants of a place that are listed. Who comes then is not.
const OCCUPANTS_MAX: usize = 1000;

const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// The great-circle distance of two points, as latitude and longitude in degrees (haversine formula),
/// in metres.
pub fn distance_m(one: (f64, f64), other: (f64, f64)) -> f64 {
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let across = half(one.0, other.0)
        + one.0.to_radians().cos() * other.0.to_radians().cos() * half(one.1, other.1);
    2.0 * EARTH_RADIUS_M * across.sqrt().min(1.0).asin()
}

/// Where an element is, as far as the hub knows.
#[derive(Default, Debug)]
pub(crate) struct Whereabouts {
    /// The property that says its position, if that is not `position`.
    property: Option<Box<str>>,
    /// The place in whose frame its positions are.
    frame: Option<Box<str>>,
    /// `inside` is a property of its own.
    says_so_itself: bool,
    /// The places that it is in, and since when.
    stays: BTreeMap<Box<str>, Time>,
    /// What it said last when that changed.
    decided: Option<EventId>,
}

/// Who is in a place, and since when.
#[derive(Default, Debug)]
pub(crate) struct Occupancy(BTreeMap<Box<str>, Time>);

/// Elements whose positions are looked at because fences changed.
#[derive(Default, Debug)]
pub(crate) struct Look {
    /// The last one that was, and when the next ones are.
    last: Option<(Box<str>, Time)>,
    /// Fences have changed since it began.
    again: bool,
}

/// How many are looked at in one go, and how long others have their turn then.
const LOOK: usize = 256;
const PAUSE: Duration = Duration::from_millis(5);

/// A fence that a place of this lane has from now on, or has no more, for other lanes to know.
pub type News = (Box<str>, Option<Arc<Fence>>);

impl Whereabouts {
    /// What a description says of it. Most say nothing, and are not parsed.
    fn of(description: &[u8]) -> Option<Self> {
        let words = ["\"quartet:frame\"", "Position\"", "\"inside\""];
        let text = std::str::from_utf8(description).unwrap_or_default();
        if !words.iter().any(|word| text.contains(word)) {
            return None;
        }
        let td = Document::parse(description).ok()?.to_value();
        let frame = td["quartet:frame"].as_str().and_then(place_of);
        Some(Self {
            property: located(&td)
                .filter(|name| *name != POSITION)
                .map(Into::into),
            frame,
            says_so_itself: !td["properties"][INSIDE].is_null(),
            ..Self::default()
        })
    }
}

/// The property of a description that says the position: `position`, or the one of the type `Position`.
pub(crate) fn located(td: &Value) -> Option<&str> {
    let properties = td["properties"].as_object()?;
    let is_position = |property: &Value| {
        let types = &property["@type"];
        let mut types = types.as_array().into_iter().flatten().chain([types]);
        types.any(|one| {
            one.as_str()
                .is_some_and(|one| one.rsplit([':', '#', '/']).next() == Some("Position"))
        })
    };
    if let Some((name, _)) = properties.get_key_value(POSITION) {
        return Some(name);
    }
    let mut properties = properties.iter();
    properties
        .find(|(_, property)| is_position(property))
        .map(|(name, _)| &**name)
}

/// The key of a place that is named by its key or its identifier.
fn place_of(name: &str) -> Option<Box<str>> {
    let key = match name.contains(':') {
        true => identity::key_of(name).ok()?,
        false => name.to_owned(),
    };
    let address = Address::read(&key).ok()?;
    let is_place = address.kind == Kind::Place && address.aspect == Aspect::Description;
    is_place.then(|| key.into())
}

/// Whether a valid description may say what it says of a fence.
pub(crate) fn check(key: &str, document: &Document) -> Result<(), Invalid> {
    if document.get(fence::TERM).is_none() {
        return Ok(());
    }
    Invalid::unless_none(Fence::problems(key, &document.to_value()))
}

/// What the hub adds to the description of a place with a fence, and of what says its position: as
/// (kind of affordance, name, affordance).
pub(crate) fn describe(description: &str) -> Vec<(&'static str, &'static str, Value)> {
    let words = [fence::TERM, "\"position\"", "Position\""];
    if !words.iter().any(|word| description.contains(word)) {
        return Vec::new();
    }
    let td: Value = serde_json::from_str(description).unwrap_or_default();
    let since = json!({ "type": "string", "format": "date-time" });
    let list = |title: &str, what: &str, member: &str| {
        json!({
            "title": title, "description": what, "quartet:by": "hub", "readOnly": true, "observable": true,
            "type": "array",
            "items": {
                "type": "object",
                "properties": { member: { "type": "string" }, "since": since },
                "required": [member, "since"],
            },
        })
    };
    let event = |title: &str, what: &str| {
        let element = json!({ "type": "string" });
        json!({
            "title": title, "description": what, "quartet:by": "hub",
            "data": {
                "type": "object", "required": ["element", "at"],
                "properties": { "element": element, "at": since, "since": since },
            },
        })
    };
    let mut all = Vec::new();
    if !td[fence::TERM].is_null() {
        let who = list("Occupants", "Who is inside, by their positions", "element");
        all.push(("properties", OCCUPANTS, who));
        all.push((
            "events",
            ENTERED,
            event("Entered", "An element has come in"),
        ));
        all.push(("events", LEFT, event("Left", "An element has gone out")));
    }
    if let Some(property) = located(&td) {
        if property != POSITION {
            let what = format!("What it says as `{property}`");
            let position = json!({
                "title": "Position", "description": what, "quartet:by": "hub", "readOnly": true, "observable": true,
            });
            all.push(("properties", POSITION, position));
        }
        let places = list("Inside", "The places with fences that it is in", "place");
        all.push(("properties", INSIDE, places));
    }
    all
}

impl Elements {
    /// A place of another lane has this fence from now on, or none.
    pub fn set_fence(&mut self, place: &str, fence: Option<Arc<Fence>>) {
        if self.fences.set(place, fence) {
            self.begin_look();
        }
    }

    /// What other lanes are to know of fences since this was asked.
    pub fn take_fences(&mut self) -> Vec<News> {
        std::mem::take(&mut self.fence_news)
    }

    /// An element is described so from now on, or not any more.
    pub(crate) fn locate(&mut self, key: &str, description: &[u8]) {
        self.forget_property(key);
        let fence = Fence::of(key, description).map(Arc::new);
        if self.fences.set(key, fence.clone()) {
            self.fence_news.push((key.into(), fence.clone()));
            self.begin_look();
        }
        let Some(element) = self.by_key.get_mut(key) else {
            return;
        };
        if fence.is_some() {
            element.occupancy.get_or_insert_default();
        }
        let Some(says) = Whereabouts::of(description) else {
            if let Some(whereabouts) = &mut element.whereabouts {
                (whereabouts.frame, whereabouts.says_so_itself) = (None, false);
            }
            return;
        };
        self.located_elsewhere += usize::from(says.property.is_some());
        let whereabouts = element.whereabouts.get_or_insert_default();
        **whereabouts = Whereabouts {
            stays: std::mem::take(&mut whereabouts.stays),
            decided: whereabouts.decided,
            ..says
        };
    }

    fn forget_property(&mut self, key: &str) {
        let whereabouts = self
            .by_key
            .get_mut(key)
            .and_then(|it| it.whereabouts.as_mut());
        let property = whereabouts.and_then(|whereabouts| whereabouts.property.take());
        self.located_elsewhere -= usize::from(property.is_some());
    }

    /// An element is no more.
    pub(crate) fn lose(&mut self, key: &str) {
        self.forget_property(key);
        if self.fences.set(key, None) {
            self.fence_news.push((key.into(), None));
            self.begin_look();
        }
    }

    /// Knows again what the hub said of who is where before it died: `inside` or `occupants`.
    pub fn recall_places(&mut self, event: &Event) {
        let Ok(address) = Address::read(&event.topic) else {
            return;
        };
        let key = address.with(Aspect::Description).to_string();
        let Some(element) = self.by_key.get_mut(&*key) else {
            return;
        };
        match address.aspect {
            Aspect::Property(INSIDE) => {
                let whereabouts = element.whereabouts.get_or_insert_default();
                whereabouts.stays = known(&event.payload);
                whereabouts.decided = event.cause;
            }
            Aspect::Property(OCCUPANTS) => {
                let is_over = event.payload.is_empty() && self.fences.get(&key).is_none();
                let occupancy = Occupancy(known(&event.payload));
                element.occupancy = (!is_over).then(|| Box::new(occupancy));
            }
            _ => {}
        }
    }

    /// Whether an element is in places, as far as is known.
    pub fn is_inside(&self, key: &str) -> bool {
        let element = self.by_key.get(key);
        let whereabouts = element.and_then(|element| element.whereabouts.as_ref());
        whereabouts.is_some_and(|whereabouts| !whereabouts.stays.is_empty())
    }

    /// Whether only the hub says this of an element.
    pub(crate) fn is_hubs(&self, key: &str, aspect: Aspect<'_>) -> bool {
        let element = || self.by_key.get(key);
        match aspect {
            Aspect::Property(OCCUPANTS) | Aspect::Event(ENTERED | LEFT) => {
                element().is_some_and(|it| it.occupancy.is_some())
            }
            Aspect::Property(INSIDE) => element()
                .and_then(|it| it.whereabouts.as_ref())
                .is_some_and(|it| !it.says_so_itself && it.decided.is_some()),
            _ => false,
        }
    }

    fn begin_look(&mut self) {
        if self.look.last.is_some() {
            self.look.again = true;
        } else {
            self.look.last = Some(("".into(), Time::ZERO));
        }
    }

    /// When positions are looked at again, because fences changed.
    pub fn look_at(&self) -> Time {
        self.look.last.as_ref().map_or(Time::NEVER, |(_, at)| *at)
    }

    /// Elements whose positions are to be looked at now.
    pub fn take_to_look_at(&mut self, now: Time) -> Vec<Box<str>> {
        let Some((last, _)) = self.look.last.take_if(|(_, at)| *at <= now) else {
            return Vec::new();
        };
        let keys: Vec<Box<str>> = self.keys(&last).take(LOOK).map(Into::into).collect();
        let next = keys.last().filter(|_| keys.len() == LOOK).cloned();
        let is_over = next.is_none() && !std::mem::take(&mut self.look.again);
        if !is_over {
            self.look.last = Some((next.unwrap_or_default(), now.after(PAUSE)));
        }
        keys
    }
}

/// What `inside` or `occupants` says: who, since when.
fn known(payload: &[u8]) -> BTreeMap<Box<str>, Time> {
    #[derive(Deserialize)]
    struct Stay {
        #[serde(alias = "place")]
        element: Box<str>,
        since: String,
    }
    let stays: Vec<Stay> = serde_json::from_slice(payload).unwrap_or_default();
    let stays = stays.into_iter();
    stays
        .filter_map(|stay| Some((stay.element, Time::of_rfc3339(&stay.since)?)))
        .collect()
}

/// An element reports a property: it may be where it is.
pub(crate) fn report(
    elements: &mut Elements,
    address: Address<'_>,
    key: &str,
    name: &str,
    heard: &Heard<'_>,
    effects: &mut Effects,
) {
    if elements.located_elsewhere == 0 && (name != POSITION || elements.fences.is_empty()) {
        return; // The usual case.
    }
    let event = heard.event;
    let element = elements.by_key.get(key);
    let whereabouts = element.and_then(|element| element.whereabouts.as_deref());
    if whereabouts.is_some_and(|it| it.property.as_deref() == Some(name)) {
        let said = Said::state(
            address.with(Aspect::Property(POSITION)).to_string(),
            event.payload.clone(),
        );
        effects.push(Effect::Emit(Said {
            qos: event.qos.min(Qos::AtLeastOnce),
            ..said
        }));
        return;
    }
    // After a start what is followed again may be older than what is known.
    let decided = whereabouts.and_then(|it| it.decided);
    if name != POSITION || elements.fences.is_empty() || heard.is_again && Some(event.id) <= decided
    {
        return;
    }
    if let Err(refusal) = look(elements, key, event, effects) {
        elements.refusals.push(refusal);
    }
}

/// Finds out what has changed with an element's position, or with fences, since it was last looked at.
pub fn look(
    elements: &mut Elements,
    key: &str,
    position: &Event,
    effects: &mut Effects,
) -> Result<(), Refusal> {
    let element = elements.by_key.get(key);
    let whereabouts = element.and_then(|element| element.whereabouts.as_deref());
    let frame = whereabouts.and_then(|it| it.frame.as_deref());
    let read = Position::read(&position.payload, frame);
    let read = read.map_err(|problem| Refusal::new(position, vec![problem]))?;
    settle(elements, key, read.as_ref(), position.id, effects);
    Ok(())
}

/// The same for an element of which nothing is retained that says where it is.
pub fn lost(elements: &mut Elements, key: &str, now: Time, effects: &mut Effects) {
    let id = EventId { at: now, serial: 0 };
    settle(elements, key, None, id, effects);
}

fn settle(
    elements: &mut Elements,
    key: &str,
    position: Option<&Position>,
    by: EventId,
    effects: &mut Effects,
) {
    let Some(element) = elements.by_key.get_mut(key) else {
        return;
    };
    let nowhere = Whereabouts::default();
    let before = element.whereabouts.as_deref().unwrap_or(&nowhere);
    if before.says_so_itself {
        return;
    }
    let mut stays = before.stays.clone();
    let fences = &elements.fences;
    stays.retain(|place, since| match (fences.get(place), position) {
        // One that began before there was this place was in another one of its name.
        (Some(fence), Some(position)) => {
            fence.since <= *since && fence.holds(position, true) != Some(false)
        }
        _ => false,
    });
    let near: BTreeSet<&str> = position
        .into_iter()
        .flat_map(|position| position.points())
        .flat_map(|(frame, at)| fences.near(frame, at))
        .collect();
    for place in near {
        let Some((fence, position)) = fences.get(place).zip(position) else {
            continue;
        };
        elements.work += fence.work();
        let is_new = place != key && !stays.contains_key(place) && stays.len() < INSIDE_MAX;
        if is_new && fence.holds(position, false) == Some(true) {
            stays.insert(place.into(), by.at.max(fence.since));
        }
    }
    if stays == before.stays {
        return;
    }
    for (place, since) in before
        .stays
        .iter()
        .filter(|stay| stays.get(stay.0) != Some(stay.1))
    {
        let left = json!({ "element": key, "at": by.at.rfc3339(), "since": since.rfc3339() });
        effects.push(happened(place, LEFT, &left));
    }
    for (place, since) in stays
        .iter()
        .filter(|stay| before.stays.get(stay.0) != Some(stay.1))
    {
        let entered = json!({ "element": key, "at": since.rfc3339() });
        effects.push(happened(place, ENTERED, &entered));
    }
    effects.push(tell(key, INSIDE, "place", &stays));
    let whereabouts = element.whereabouts.get_or_insert_default();
    (whereabouts.stays, whereabouts.decided) = (stays, Some(by));
}

/// A place hears from the hub that somebody came in or went out.
pub(crate) fn count(
    elements: &mut Elements,
    key: &str,
    name: &str,
    heard: &Heard<'_>,
    effects: &mut Effects,
) {
    #[derive(Deserialize)]
    struct Moved {
        element: Box<str>,
        at: String,
    }
    let has_fence = elements.fences.get(key).is_some();
    let Some(element) = elements.by_key.get_mut(key) else {
        return;
    };
    // After a start what became of it is known.
    let Some(occupancy) = element.occupancy.as_mut().filter(|_| !heard.is_known) else {
        return;
    };
    let Ok(Moved { element: who, at }) = serde_json::from_slice(&heard.event.payload) else {
        return;
    };
    let all = &mut occupancy.0;
    let is_news = match name {
        ENTERED if all.len() < OCCUPANTS_MAX => {
            let at = Time::of_rfc3339(&at).unwrap_or(heard.event.id.at);
            all.insert(who, at) != Some(at)
        }
        LEFT => all.remove(&who).is_some(),
        _ => false,
    };
    if all.is_empty() && !has_fence {
        element.occupancy = None;
        effects.push(say(key, OCCUPANTS, String::new()));
    } else if is_news {
        effects.push(tell(key, OCCUPANTS, "element", all));
    }
}

/// A place got a fence, or lost it: says so to whoever looks for who is there.
pub(crate) fn begin(elements: &mut Elements, key: &str, had_fence: bool, effects: &mut Effects) {
    let has_fence = elements.fences.get(key).is_some();
    let Some(element) = elements.by_key.get_mut(key) else {
        return;
    };
    let Some(occupancy) = element.occupancy.as_ref().filter(|it| it.0.is_empty()) else {
        return;
    };
    match (had_fence, has_fence) {
        (false, true) => effects.push(tell(key, OCCUPANTS, "element", &occupancy.0)),
        (true, false) => {
            element.occupancy = None;
            effects.push(say(key, OCCUPANTS, String::new()));
        }
        _ => {}
    }
}

/// An element is no more: it leaves all places.
pub(crate) fn go(elements: &mut Elements, key: &str, at: Time, effects: &mut Effects) {
    let element = elements.by_key.get(key);
    let stays = element.and_then(|element| element.whereabouts.as_ref());
    for (place, since) in stays.into_iter().flat_map(|it| &it.stays) {
        let left = json!({ "element": key, "at": at.rfc3339(), "since": since.rfc3339() });
        effects.push(happened(place, LEFT, &left));
    }
}

fn happened(place: &str, name: &str, what: &Value) -> Effect {
    Effect::Emit(Said {
        qos: Qos::AtLeastOnce,
        retain: false,
        ..Said::state(format!("{place}/events/{name}"), what.to_string())
    })
}

fn tell(key: &str, property: &str, member: &str, stays: &BTreeMap<Box<str>, Time>) -> Effect {
    let stays = stays.iter();
    let stays: Value = stays
        .map(|(who, since)| json!({ member: who, "since": since.rfc3339() }))
        .collect();
    say(key, property, stays.to_string())
}

fn say(key: &str, property: &str, what: String) -> Effect {
    Effect::Emit(Said::kept(format!("{key}/properties/{property}"), what))
}
