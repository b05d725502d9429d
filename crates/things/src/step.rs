use std::time::Duration;

use bytes::Bytes;
use quartet_model::{Actor, Address, Aspect, Effect, Effects, Event, EventId, Qos, Said, Time};
use serde_json::{Value, json};

use crate::{
    CONNECTIVITY, Desired, DesiredStatus, Elements, Invocation, InvocationStatus, Refusal,
    desired::means_the_same,
    dialects::native::Role,
    invocation::Progress,
    liveness, places,
    registration::{self, Registration},
    td::{Affordances, Invalid, Problem},
    translate::Natives,
};

/// How long a request to do something is of use, if it does not say.
const INVOCATION_WAITS: Duration = Duration::from_secs(24 * 3600);
/// Requests to one element that are not over.
const INVOCATIONS_MAX: usize = 1000;

/// An event at an element's address, with what only the hub knows of it.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'e> {
    /// What was said.
    pub event: &'e Event,
    /// Where an answer is expected, and what it is to carry (MQTT 5.0, section 4.10).
    pub answer: Option<(&'e str, &'e Bytes)>,
    /// What whoever asks calls this request, so that it is not done twice.
    pub idempotency_key: Option<&'e str>,
    /// It was said before the hub died, and is followed again.
    pub is_again: bool,
    /// What followed from it is known already.
    pub is_known: bool,
}

/// How far an event goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// To everyone who asked for it.
    Everyone,
    /// To the element only, which says what follows.
    Element,
}

/// What an event at an address does to the element, if there is one. `said` is what is retained
/// at a topic, before this event.
///
/// What an element says passes: it is retained, and everyone gets it. What is said *to* an
/// element stops here: if the element's description allows it, the hub says it on, with a name
/// under which it can be asked what became of it.
pub fn step(
    elements: &mut Elements,
    heard: &Heard<'_>,
    said: &dyn Fn(&str) -> Option<Event>,
    now: Time,
    effects: &mut Effects,
) -> Reach {
    let event = heard.event;
    let Ok(address) = Address::read(&event.topic) else {
        return Reach::Everyone;
    };
    let key = Address::element_of(&event.topic).unwrap_or_default();
    let is_the_hub = event.by == Actor::Hub;
    if address.aspect == Aspect::Description {
        if is_the_hub {
            change(elements, address, event, said, effects);
            return Reach::Everyone;
        }
        if let Err(why) = describe(key, event, said, now, effects) {
            refuse(elements, address, heard, why.0, effects);
        }
        return Reach::Element;
    }
    if !elements.has(key) {
        // What the hub says of what was forgotten meanwhile comes too late: it would stay for ever.
        let is_late = matches!(
            address.aspect,
            Aspect::Property(CONNECTIVITY) | Aspect::Desired(_) | Aspect::Invocation(..)
        );
        return match is_the_hub && is_late && !event.payload.is_empty() {
            true => Reach::Element,
            false => Reach::Everyone,
        };
    }
    if !is_the_hub && elements.is_hubs(key, address.aspect) {
        let what = "only the hub says who is in a place with a fence";
        refuse(
            elements,
            address,
            heard,
            vec![Problem::new("(root)", what)],
            effects,
        );
        return Reach::Element;
    }
    match address.aspect {
        Aspect::Property(CONNECTIVITY) if is_the_hub => {}
        Aspect::Property(name) => {
            if !is_the_hub {
                liveness::hear(elements, key, event, effects);
            }
            report(elements, address, key, name, event, effects);
            places::report(elements, address, key, name, heard, effects);
        }
        Aspect::Desired(_) | Aspect::Invocation(..) if is_the_hub => {
            elements.remember(address, event);
        }
        Aspect::Write(_) | Aspect::Action(_) if is_the_hub => {}
        Aspect::Event(_) if !is_the_hub => liveness::hear(elements, key, event, effects),
        Aspect::Event(name) => places::count(elements, key, name, heard, effects),
        Aspect::Description => {}
        _ => {
            let Some(affordances) = elements.affordances(key, said) else {
                return Reach::Everyone;
            };
            let done = match address.aspect {
                Aspect::Write(name) => {
                    let natives = elements.by_key.get(key).and_then(|it| it.natives.as_ref());
                    write(&affordances, natives, address, name, heard, effects)
                }
                Aspect::Action(name) => {
                    let waiting = elements.waiting(key);
                    let natives = elements.by_key.get(key).and_then(|it| it.natives.as_ref());
                    let asked = invoke(
                        &affordances,
                        natives,
                        address,
                        name,
                        heard,
                        waiting,
                        effects,
                    );
                    if asked.is_ok()
                        && let Some(element) = elements.by_key.get_mut(key)
                    {
                        element.asked += 1;
                    }
                    asked
                }
                Aspect::Invocation(_, id) => {
                    progress(elements, address, key, id, event, now, effects)
                }
                _ => Err(vec![Problem::new(
                    "(root)",
                    "only the hub says what became of a wish; write to …/write",
                )]),
            };
            if let Err(problems) = done {
                refuse(elements, address, heard, problems, effects);
            }
            return Reach::Element;
        }
    }
    Reach::Everyone
}

/// What is over by itself.
pub fn wake(elements: &mut Elements, now: Time, effects: &mut Effects) {
    while let Some((at, topic)) = elements.deadlines.first()
        && *at <= now
    {
        let topic = topic.clone();
        elements.deadlines.pop_first();
        let (Ok(address), Some(key)) = (Address::read(&topic), Address::element_of(&topic)) else {
            continue;
        };
        match address.aspect {
            Aspect::Description => {
                effects.push(Effect::Emit(registration::removed(key)));
            }
            Aspect::Desired(name) => {
                if let Some(wish) = elements.desired(key, name) {
                    let wish = settled(wish, DesiredStatus::Expired, None, now);
                    effects.push(Effect::Emit(tell(address, &wish.to_json())));
                    effects.push(forget(address.with(Aspect::Write(name))));
                }
            }
            Aspect::Invocation(_, id) => {
                let id: Option<EventId> = id.parse().ok();
                let Some(invocation) = id.and_then(|id| elements.invocation(key, id)) else {
                    continue;
                };
                if invocation.status.is_over() {
                    let (Some(id), Some(element)) = (id, elements.by_key.get_mut(key)) else {
                        continue;
                    };
                    element.invocations.remove(&id);
                    effects.push(forget(address));
                } else {
                    let mut invocation = invocation.clone();
                    invocation.status = InvocationStatus::Expired;
                    invocation.error = Some("nothing was heard of it in time".to_owned());
                    invocation.ended = Some(now);
                    conclude(address, &invocation, effects);
                }
            }
            Aspect::Property(CONNECTIVITY) => liveness::look(elements, key, now, effects),
            _ => {}
        }
    }
}

/// An element says that it will not be as it was wanted, by a protocol that has words for it. `revision` is the
/// wish that it means; without, the one that waits.
pub fn refuse_wish(
    elements: &Elements,
    key: &str,
    name: &str,
    revision: Option<EventId>,
    reason: String,
    now: Time,
    effects: &mut Effects,
) {
    let wish = elements.desired(key, name);
    let meant = wish.filter(|wish| {
        wish.is_pending() && revision.is_none_or(|revision| wish.revision == revision)
    });
    let (Some(wish), Ok(address)) = (meant, Address::read(key)) else {
        return; // It is over, or there is another one.
    };
    let wish = settled(wish, DesiredStatus::Refused, Some(reason), now);
    let status_at = address.with(Aspect::Desired(name));
    effects.push(Effect::Emit(tell(status_at, &wish.to_json())));
    effects.push(forget(address.with(Aspect::Write(name))));
}

/// Somebody says what an element is, or that it is no more.
fn describe(
    key: &str,
    event: &Event,
    said: &dyn Fn(&str) -> Option<Event>,
    now: Time,
    effects: &mut Effects,
) -> Result<(), Invalid> {
    let before = said(key);
    if !event.payload.is_empty() {
        let said = Registration::at(key, &event.payload)?.said(before.as_ref(), now)?;
        effects.push(Effect::Emit(said));
    } else if before.is_some() {
        effects.push(Effect::Emit(registration::removed(key)));
    }
    Ok(())
}

/// An element is described, anew or no more.
fn change(
    elements: &mut Elements,
    address: Address<'_>,
    event: &Event,
    said: &dyn Fn(&str) -> Option<Event>,
    effects: &mut Effects,
) {
    let before = said(&event.topic);
    let was_there = elements.has(&event.topic);
    let had_fence = elements.fences.get(&event.topic).is_some();
    if event.payload.is_empty() {
        places::go(elements, &event.topic, event.id.at, effects);
    }
    elements.remember(address, event);
    places::begin(elements, &event.topic, had_fence, effects);
    if event.payload.is_empty() {
        let below = format!("{address}/#");
        effects.push(Effect::Forget(below.into()));
    }
    effects.extend(crate::directory::news(was_there, before.as_ref(), event).map(Effect::Emit));
}

/// An element says what it is now.
fn report(
    elements: &mut Elements,
    address: Address<'_>,
    key: &str,
    name: &str,
    event: &Event,
    effects: &mut Effects,
) {
    let Some(wish) = elements.desired(key, name).filter(|wish| wish.is_pending()) else {
        return;
    };
    let is_so = serde_json::from_slice(&event.payload)
        .is_ok_and(|value: Value| means_the_same(&value, &wish.value));
    if is_so {
        let wish = settled(wish, DesiredStatus::Confirmed, None, event.id.at);
        let address = address.with(Aspect::Desired(name));
        effects.push(Effect::Emit(tell(address, &wish.to_json())));
        effects.push(forget(address.with(Aspect::Write(name))));
    }
}

/// Somebody wants an element to be otherwise.
fn write(
    affordances: &Affordances,
    natives: Option<&Natives>,
    address: Address<'_>,
    name: &str,
    heard: &Heard<'_>,
    effects: &mut Effects,
) -> Result<(), Vec<Problem>> {
    let event = heard.event;
    let value = check_write(affordances, name, &event.payload)?;
    let told = match natives {
        Some(natives) => natives.tell(&Role::Property(name.into()), &value, event.id.at),
        None => Ok(Vec::new()),
    };
    let told = told.map_err(|problem| vec![problem])?;
    let wish = Desired::new(value, event);
    let status_at = address.with(Aspect::Desired(name));
    effects.push(Effect::Emit(tell(status_at, &wish.to_json())));
    effects.push(Effect::Emit(Said {
        qos: Qos::AtLeastOnce,
        retain: true,
        ..said_on(event, address)
    }));
    effects.extend(told.into_iter().map(Effect::Emit));
    Ok(())
}

/// Whether a property may be written like this; the value.
pub fn check_write(
    affordances: &Affordances,
    name: &str,
    payload: &[u8],
) -> Result<Value, Vec<Problem>> {
    let field = format!("properties.{name}");
    let property = affordances.property(name).ok_or_else(|| {
        let names = affordances
            .properties()
            .iter()
            .map(|property| &*property.name);
        vec![Problem::new(&field, missing("property", name, names))]
    })?;
    if property.read_only {
        let what = format!("`{name}` can only be read");
        return Err(vec![Problem::new(&field, what)]);
    }
    let value = parse(payload)?;
    property.schema.check(&value)?;
    Ok(value)
}

/// Somebody asks an element to do something.
fn invoke(
    affordances: &Affordances,
    natives: Option<&Natives>,
    address: Address<'_>,
    name: &str,
    heard: &Heard<'_>,
    waiting: usize,
    effects: &mut Effects,
) -> Result<(), Vec<Problem>> {
    let event = heard.event;
    let input = check_invoke(affordances, name, &event.payload)?;
    if INVOCATIONS_MAX <= waiting {
        let what = format!("{waiting} requests wait already; cancel some, or wait");
        return Err(vec![Problem::new("(root)", what)]);
    }
    let told = match natives {
        Some(natives) => {
            let value = input.as_ref().unwrap_or(&Value::Null);
            natives.tell(&Role::Action(name.into()), value, event.id.at)
        }
        None => Ok(Vec::new()),
    };
    let told = told.map_err(|problem| vec![problem])?;
    let until = event.expires.min(event.id.at.after(INVOCATION_WAITS));
    let mut invocation = Invocation {
        action: name.to_owned(),
        id: event.id,
        input,
        status: InvocationStatus::Pending,
        output: None,
        error: None,
        by: event.author().to_owned(),
        until,
        ended: None,
        idempotency_key: heard.idempotency_key.map(str::to_owned),
        answer: heard
            .answer
            .map(|(topic, bytes)| (topic.to_owned(), bytes.clone())),
    };
    let id = event.id.to_string();
    let status_at = address.with(Aspect::Invocation(name, &id));
    if !told.is_empty() {
        // It has no way to say what becomes of it.
        effects.extend(told.into_iter().map(Effect::Emit));
        invocation.status = InvocationStatus::Told;
        invocation.ended = Some(event.id.at);
        conclude(status_at, &invocation, effects);
        return Ok(());
    }
    effects.push(Effect::Emit(tell(status_at, &invocation.to_json())));
    effects.push(Effect::Ask {
        said: Said {
            qos: Qos::AtLeastOnce,
            retain: false,
            expires: until,
            ..said_on(event, address)
        },
        answer_at: status_at.to_string().into(),
        correlation: id.into(),
    });
    Ok(())
}

/// Whether an action may be invoked like this; its input.
pub fn check_invoke(
    affordances: &Affordances,
    name: &str,
    payload: &[u8],
) -> Result<Option<Value>, Vec<Problem>> {
    let field = format!("actions.{name}");
    let action = affordances.action(name).ok_or_else(|| {
        let names = affordances.actions().iter().map(|action| &*action.name);
        vec![Problem::new(&field, missing("action", name, names))]
    })?;
    let input = match payload {
        [] => None,
        payload => Some(parse(payload)?),
    };
    match (&action.input, &input) {
        (Some(schema), Some(input)) => schema.check(input)?,
        (Some(schema), None) => schema.check(&Value::Null).map_err(|mut problems| {
            problems.insert(
                0,
                Problem::new(&field, "it needs an input; the payload is empty"),
            );
            problems
        })?,
        (None, _) => {}
    }
    Ok(input)
}

/// An element, or whoever asked, says how far it is.
fn progress(
    elements: &mut Elements,
    address: Address<'_>,
    key: &str,
    id: &str,
    event: &Event,
    now: Time,
    effects: &mut Effects,
) -> Result<(), Vec<Problem>> {
    let known = id.parse().ok().and_then(|id| elements.invocation(key, id));
    let Some(known) = known else {
        let what = format!("nobody asked for `{id}`, or it is long over");
        return Err(vec![Problem::new("(root)", what)]);
    };
    if known.status.is_over() {
        let what = "it is over; what is said of it now changes nothing";
        return Err(vec![Problem::new("status", what)]);
    }
    let mut invocation = known.clone();
    let Progress {
        status,
        output,
        error,
    } = Progress::of_payload(&event.payload);
    invocation.status = status;
    invocation.output = output.or(invocation.output);
    invocation.error = error.map(|error| match error {
        Value::String(text) => text,
        other => other.to_string(),
    });
    if status.is_over() {
        invocation.ended = Some(now);
        conclude(address, &invocation, effects);
    } else {
        effects.push(Effect::Emit(tell(address, &invocation.to_json())));
    }
    Ok(())
}

/// Says that an invocation is over, to all who ask and to whoever asked for it.
fn conclude(address: Address<'_>, invocation: &Invocation, effects: &mut Effects) {
    effects.push(Effect::Emit(tell(address, &invocation.to_json())));
    if let Some((topic, correlation)) = &invocation.answer {
        let payload = match (invocation.status, &invocation.output) {
            (InvocationStatus::Completed, Some(output)) => output.to_string(),
            (InvocationStatus::Completed, None) => String::new(),
            (status, _) => json!({ "status": status, "error": invocation.error }).to_string(),
        };
        let mut said = Said::state(topic.clone(), payload);
        (said.retain, said.qos) = (false, Qos::AtLeastOnce);
        effects.push(Effect::Answer {
            said,
            correlation: correlation.clone(),
        });
    }
}

/// Keeps what was not taken, and says so to everyone who wants to know.
fn refuse(
    elements: &mut Elements,
    address: Address<'_>,
    heard: &Heard<'_>,
    problems: Vec<Problem>,
    effects: &mut Effects,
) {
    let event = heard.event;
    let news = json!({ "topic": &*event.topic, "by": event.author(), "problems": problems });
    let mut said = Said::state(
        address.with(Aspect::Event("refused")).to_string(),
        news.to_string(),
    );
    said.retain = false;
    if let Some((topic, correlation)) = heard.answer {
        let said = Said {
            topic: topic.into(),
            ..said.clone()
        };
        let correlation = correlation.clone();
        effects.push(Effect::Answer { said, correlation });
    }
    effects.push(Effect::Emit(said));
    elements.refusals.push(Refusal::new(event, problems));
}

/// The same wish with another status.
fn settled(wish: &Desired, status: DesiredStatus, reason: Option<String>, at: Time) -> Desired {
    Desired {
        status,
        reason,
        since: at,
        ..wish.clone()
    }
}

/// The hub says what holds now.
fn tell(address: Address<'_>, what: &Value) -> Said {
    Said::kept(address.to_string(), what.to_string())
}

/// What somebody said, for the hub to say it on.
fn said_on(event: &Event, address: Address<'_>) -> Said {
    Said {
        topic: address.to_string().into(),
        payload: event.payload.clone(),
        properties: Bytes::new(),
        qos: event.qos,
        retain: event.retain,
        expires: event.expires,
    }
}

fn forget(address: Address<'_>) -> Effect {
    Effect::Forget(address.to_string().into())
}

fn parse(payload: &[u8]) -> Result<Value, Vec<Problem>> {
    serde_json::from_slice(payload).map_err(|error| {
        let what = format!("the payload is no JSON: {error}; a text needs quotes");
        vec![Problem::new("(root)", what)]
    })
}

fn missing<'n>(what: &str, name: &str, names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.take(20).collect();
    match &names[..] {
        [] => format!("it has no {what} `{name}`, and no other"),
        names => format!("it has no {what} `{name}`, but {}", names.join(", ")),
    }
}
