//! Elements that dialects announce: each announcement is a part of a description, and the description
//! of an element is all of its parts together.
//!
//! What a person said of an element is never overwritten: parts change only what is theirs, which
//! they mark with `quartet:part`.

use quartet_model::{Event, Said, Time};
use serde_json::{Map, Value};

use crate::{
    dialects::{Announcement, lorawan, parts, rules},
    identity,
    registration::{self, Registration},
    td::{Document, Invalid},
};

/// Marks what belongs to a part, and an element that nobody but dialects described.
pub(crate) const PART: &str = "quartet:part";
const KINDS: [&str; 3] = ["properties", "actions", "events"];
/// Members of a description that parts share, as lists.
const LISTS: [&str; 2] = ["links", "quartet:availability"];

/// What is said of an element after an announcement; nothing if that changes nothing. `before` is its
/// description, as it is retained.
pub fn join(
    announced: &Announcement,
    before: Option<&Event>,
    now: Time,
) -> Result<Option<Said>, Invalid> {
    let parse = |event: &Event| serde_json::from_slice(&event.payload).ok();
    let known: Option<Map<String, Value>> = before.and_then(parse);
    let joined = match &announced.description {
        Some(Value::Object(part)) => with(known.as_ref(), &announced.part, part),
        Some(_) => None,
        None => known.as_ref().map(|known| without(known, &announced.part)),
    };
    let Some(mut joined) = joined else {
        return Ok(None);
    };
    let is_announced = joined.get(PART).is_some();
    let has_parts = KINDS.iter().any(|kind| {
        let all = joined.get(*kind).and_then(Value::as_object);
        all.is_some_and(|all| all.values().any(|one| !one[PART].is_null()))
    });
    if is_announced && !has_parts && announced.description.is_none() {
        return Ok(Some(registration::removed(&announced.key)));
    }
    joined.insert("id".to_owned(), identity::id_of(&announced.key).into());
    let is_same = known.as_ref().is_some_and(|known| {
        let mut known = known.clone();
        known.remove("registration");
        joined.remove("registration");
        known == joined
    });
    if is_same {
        return Ok(None);
    }
    let document = Document::parse(Value::Object(joined).to_string())?;
    Registration::new(document)?.said(before, now).map(Some)
}

/// A description with a part of it announced anew.
fn with(
    known: Option<&Map<String, Value>>,
    name: &str,
    part: &Map<String, Value>,
) -> Option<Map<String, Value>> {
    let mut joined = match known {
        Some(known) => without(known, name),
        None => {
            let mut empty = part.clone();
            for member in KINDS.iter().chain(&LISTS) {
                empty.remove(*member);
            }
            empty.insert(PART.to_owned(), name.into());
            empty
        }
    };
    if joined.get(PART).is_some_and(|first| first == name) {
        // Who announced it first says what it is called.
        for (member, value) in part {
            if !KINDS.contains(&&**member) && !LISTS.contains(&&**member) {
                joined.insert(member.clone(), value.clone());
            }
        }
    }
    let mut marked = part.clone();
    if (name == lorawan::PART || name.starts_with(rules::PART))
        && let Some(known) = known
    {
        marked = learnt(known, name, marked);
    }
    for kind in KINDS {
        let all = marked.get_mut(kind).and_then(Value::as_object_mut);
        all.into_iter()
            .flatten()
            .for_each(|(_, value)| mark(value, name));
    }
    for list in LISTS {
        let all = marked.get_mut(list).and_then(Value::as_array_mut);
        all.into_iter()
            .flatten()
            .for_each(|value| mark(value, name));
    }
    match parts::join(&[joined.into(), marked.into()]) {
        Value::Object(joined) => Some(joined),
        _ => None,
    }
}

/// A message says only what it carries: what earlier ones did is known still.
fn learnt(known: &Map<String, Value>, name: &str, part: Map<String, Value>) -> Map<String, Value> {
    let mut before = known.clone();
    if let Some(all) = before.get_mut("properties").and_then(Value::as_object_mut) {
        all.retain(|_, value| value[PART] == name);
        for value in all.values_mut().filter_map(Value::as_object_mut) {
            value.remove(PART);
        }
    }
    match lorawan::learn(&before.into(), &part.clone().into()) {
        Value::Object(learnt) => learnt,
        _ => part,
    }
}

/// The parts of a description whose names begin so.
pub fn parts_in(description: &[u8], start: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(description);
    if !text.contains(start) {
        return Vec::new(); // It need not be parsed.
    }
    let td: Value = serde_json::from_str(&text).unwrap_or_default();
    let affordances = KINDS
        .iter()
        .flat_map(|kind| td[kind].as_object().into_iter().flatten());
    let lists = LISTS
        .iter()
        .flat_map(|list| td[list].as_array().into_iter().flatten());
    let marked = affordances.map(|(_, value)| value).chain(lists);
    let names = marked.filter_map(|value| value[PART].as_str());
    let mut names: Vec<String> = names
        .filter(|name| name.starts_with(start))
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn mark(value: &mut Value, name: &str) {
    if let Some(members) = value.as_object_mut() {
        members.insert(PART.to_owned(), name.into());
    }
}

/// A description without a part of it.
fn without(known: &Map<String, Value>, name: &str) -> Map<String, Value> {
    let mut rest = known.clone();
    for kind in KINDS {
        let Some(all) = rest.get_mut(kind).and_then(Value::as_object_mut) else {
            continue;
        };
        all.retain(|_, value| value[PART] != name);
        if all.is_empty() {
            rest.remove(kind);
        }
    }
    for list in LISTS {
        let Some(all) = rest.get_mut(list).and_then(Value::as_array_mut) else {
            continue;
        };
        all.retain(|value| value[PART] != name);
        if all.is_empty() {
            rest.remove(list);
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use quartet_model::{Actor, EventId};
    use serde_json::json;

    use super::*;

    fn part(name: &str, property: Option<&str>) -> Announcement {
        let described = property.map(|property| {
            json!({
                "@context": "https://www.w3.org/2022/wot/td/v1.1",
                "title": format!("Lamp of {name}"),
                "securityDefinitions": { "none": { "scheme": "nosec" } },
                "security": "none",
                "properties": { property: { "type": "boolean", "forms": [{ "href": "mqtt:///a" }] } },
            })
        });
        Announcement {
            key: "things/lamp".to_owned(),
            part: name.to_owned(),
            description: described,
        }
    }

    fn event(said: Said) -> Event {
        let id = EventId {
            at: Time::from_micros(1),
            serial: 0,
        };
        Event::new(id, Actor::Hub, said)
    }

    fn td(event: &Event) -> Value {
        serde_json::from_slice(&event.payload).unwrap_or_default()
    }

    fn names(event: &Event) -> Vec<String> {
        let td = td(event);
        let properties = td["properties"].as_object();
        properties
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    }

    #[track_caller]
    fn next(announced: &Announcement, before: Option<&Event>) -> Event {
        event(
            join(announced, before, Time::from_micros(2))
                .unwrap()
                .expect("a change"),
        )
    }

    #[test]
    fn a_description_is_all_of_its_parts_and_goes_with_the_last() {
        let first = next(&part("one", Some("on")), None);
        assert_eq!(td(&first)["id"], "urn:quartet:things:lamp");
        let both = next(&part("two", Some("level")), Some(&first));
        assert_eq!(names(&both), ["level", "on"]);
        assert_eq!(td(&both)["title"], "Lamp of one", "the first names it");
        let again = join(
            &part("two", Some("level")),
            Some(&both),
            Time::from_micros(9),
        );
        assert!(again.unwrap().is_none(), "nothing changed");
        let other = next(&part("two", Some("colour")), Some(&both));
        assert_eq!(names(&other), ["colour", "on"]);
        assert_eq!(parts_in(&other.payload, "t"), ["two"]);
        let one_left = next(&part("two", None), Some(&other));
        assert_eq!(names(&one_left), ["on"]);
        let gone = next(&part("one", None), Some(&one_left));
        assert!(gone.payload.is_empty());
    }

    #[test]
    fn what_a_person_said_stays() {
        let mut said = part("", Some("on")).description.unwrap();
        said["title"] = "Ana's lamp".into();
        said["x:own"] = 1.into();
        let document = Document::parse({
            said["id"] = "urn:quartet:things:lamp".into();
            said.to_string()
        });
        let said = Registration::new(document.unwrap())
            .unwrap()
            .said(None, Time::ZERO);
        let known = event(said.unwrap());
        let joined = next(&part("one", Some("level")), Some(&known));
        assert_eq!(
            (&td(&joined)["title"], &td(&joined)["x:own"]),
            (&json!("Ana's lamp"), &json!(1))
        );
        assert_eq!(names(&joined), ["level", "on"]);
        let alone = next(&part("one", None), Some(&joined));
        assert_eq!(names(&alone), ["on"], "it is not forgotten with its parts");
    }
}
