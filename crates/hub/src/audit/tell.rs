//! What an event of the hub's own tells: what was granted and taken, who signed in, what was wanted.

use quartet_model::{Actor, Address, Aspect, Event};
use quartet_people::{
    account::{self, Account},
    audit::{Entry, What},
    credentials::{self, Credential, Credentials},
    invitation::{self, Invitation},
    relation::{self, Relations},
    role,
};
use quartet_things::plan;
use serde_json::{Value, json};

use crate::flow::{plan_image, rule_at};

/// The longest value that an entry has.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// The entries that an event tells of, if any.
pub(super) fn entries(event: &Event) -> Vec<Entry> {
    if event.by != Actor::Hub {
        return Vec::new();
    }
    let topic = &*event.topic;
    let told = |what, on: &str, value: Value| {
        let entry = Entry {
            event: Some(event.id),
            ..Entry::new(event.id.at, what, event.author())
        };
        let entry = entry.on(on);
        match value {
            Value::Null => entry,
            value if VALUE_BYTES_MAX < value.to_string().len() => {
                entry.because("what exactly is too long for an entry; the journal had it")
            }
            value => entry.with(value),
        }
    };
    if let Some(element) = relation::element_at(topic) {
        return related(element, &event.payload, told);
    }
    if let Some(element) = credentials::element_at(topic) {
        return admitted(element, &event.payload, told);
    }
    if let Some(person) = account::element_at(topic) {
        let account = Account::read(&event.payload).unwrap_or_default();
        return vec![told(What::Account, person, account.factors())];
    }
    if let Some(name) = role::role_at(topic) {
        let role = serde_json::from_slice(&event.payload).unwrap_or_default();
        return vec![told(What::Role, name, role)];
    }
    if let Some(name) = rule_at(topic) {
        let rule = serde_json::from_slice(&event.payload).unwrap_or_default();
        return vec![told(What::Rule, name, rule)];
    }
    if let Some(place) = plan::place_at(topic) {
        let image = plan_image(event).and_then(|image| serde_json::from_str(&image).ok());
        return vec![told(What::Plan, place, image.unwrap_or_default())];
    }
    if invitation::is_at(topic) {
        return match Invitation::read(&event.payload) {
            Some(invitation) => vec![told(What::Invited, invitation.key(), invited(&invitation))],
            None => vec![told(What::Uninvited, "", Value::Null)],
        };
    }
    match Address::element_of(topic).and_then(|_| Address::read(topic).ok()) {
        Some(address) => acted(address, &event.payload, told).into_iter().collect(),
        None => Vec::new(),
    }
}

fn related(element: &str, payload: &[u8], told: impl Fn(What, &str, Value) -> Entry) -> Vec<Entry> {
    if payload.is_empty() {
        let all = told(What::Taken, element, Value::Null);
        return vec![all.because("all that it had")];
    }
    let Ok(all) = Relations::read_changed(payload) else {
        return Vec::new();
    };
    let of = |what, some: &[relation::Relation]| {
        (!some.is_empty()).then(|| told(what, element, json!(some)))
    };
    let changes = [
        of(What::Taken, all.taken()),
        of(What::Granted, all.new_ones()),
    ];
    changes.into_iter().flatten().collect()
}

fn admitted(
    element: &str,
    payload: &[u8],
    told: impl Fn(What, &str, Value) -> Entry,
) -> Vec<Entry> {
    if payload.is_empty() {
        let all = told(What::Revoked, element, Value::Null);
        return vec![all.because("all that it had")];
    }
    let Ok(all) = Credentials::read_changed(payload) else {
        return Vec::new();
    };
    let new = all.new_ones().map(|one| match one.session {
        Some(_) => told(What::SignedIn, element, credential(one)),
        None => told(What::Admitted, element, credential(one)),
    });
    let taken = all.taken().iter().map(|one| match one.session {
        Some(_) => told(What::SignedOut, element, credential(one)),
        None => told(What::Revoked, element, credential(one)),
    });
    let suspension = all.has_other_suspension();
    let suspension = suspension.then(|| match all.are_suspended() {
        true => told(What::Suspended, element, Value::Null),
        false => told(What::Restored, element, Value::Null),
    });
    let topics = all.has_other_topics();
    let topics = topics.then(|| told(What::Topics, element, json!(all.topics())));
    taken.chain(suspension).chain(new).chain(topics).collect()
}

/// What may be known of a credential.
fn credential(one: &Credential) -> Value {
    let mut shown = json!({ "id": one.id, "expiresAt": one.expires_at.rfc3339() });
    if let Some(name) = &one.name {
        shown["name"] = name.as_str().into();
    }
    if let Some(scope) = &one.scope {
        shown["scope"] = json!(scope);
    }
    if let Some(session) = &one.session {
        shown["device"] = session.device.as_str().into();
        shown["by"] = session.by.as_str().into();
    }
    shown
}

fn invited(invitation: &Invitation) -> Value {
    json!({
        "id": invitation.id,
        "usesLeft": invitation.uses_left,
        "topics": invitation.topics,
        "owner": invitation.owner,
        "relations": invitation.relations,
        "expiresAt": invitation.expires_at.rfc3339(),
    })
}

/// What somebody did to an element: asked for, not what became of it.
fn acted(
    address: Address<'_>,
    payload: &[u8],
    told: impl Fn(What, &str, Value) -> Entry,
) -> Option<Entry> {
    let at = |aspect| address.with(aspect).to_string();
    match address.aspect {
        Aspect::Description if payload.is_empty() => {
            Some(told(What::Forgotten, &at(Aspect::Description), Value::Null))
        }
        Aspect::Desired(name) => {
            let mut wish: Value = serde_json::from_slice(payload).ok()?;
            let is_new = wish["status"] == "pending" && wish["delivered"].is_null();
            is_new.then(|| {
                told(
                    What::Wanted,
                    &at(Aspect::Property(name)),
                    wish["value"].take(),
                )
            })
        }
        Aspect::Invocation(name, _) => {
            let mut asked: Value = serde_json::from_slice(payload).ok()?;
            let is_new = asked["status"] == "pending" || asked["status"] == "told";
            is_new.then(|| {
                told(
                    What::Asked,
                    &at(Aspect::Action(name)),
                    asked["input"].take(),
                )
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use quartet_model::{EventId, Said, Time};
    use quartet_people::{
        credentials::{Proof, Replaces, Session},
        relation::Relation,
        secret::Secret,
    };

    use super::*;

    const NOW: Time = Time::from_micros(1_000_000_000);

    fn told(topic: &str, payload: impl Into<bytes::Bytes>) -> Vec<Entry> {
        let id = EventId { at: NOW, serial: 1 };
        let said = Said::kept(topic.to_owned(), payload.into());
        let event = Event::new(id, Actor::Hub, said).said_by("people/ana".into());
        entries(&event)
    }

    #[test]
    fn relations_tell_what_changed() {
        let topic = relation::topic_of("people/ben");
        let mut all = Relations::default();
        let viewer = Relation::new("viewer", "places/ward");
        all.put("people/ben", &[viewer], NOW).unwrap();
        let mut all = Relations::read(all.text().as_bytes()).unwrap();
        let nurse = Relation::new("nurse", "places/ward");
        all.put("people/ben", &[nurse], NOW).unwrap();
        all.remove(|one| one.relation == "viewer");
        let [taken, granted] = &told(&topic, all.text())[..] else {
            panic!("two entries");
        };
        assert_eq!((taken.what, &*taken.who), (What::Taken, "people/ana"));
        assert_eq!((granted.what, &*granted.on), (What::Granted, "people/ben"));
        assert_eq!(granted.value.as_ref().unwrap()[0]["relation"], "nurse");
        assert_eq!(granted.value.as_ref().unwrap().as_array().unwrap().len(), 1);
        assert_eq!(taken.value.as_ref().unwrap()[0]["relation"], "viewer");
        assert_eq!(told(&topic, "")[0].what, What::Taken);
    }

    #[test]
    fn credentials_tell_who_signed_in_and_no_secret() {
        let topic = credentials::topic_of("people/ana");
        let proof = Proof::Secret(Secret::of(&[7; 16]).hash());
        let session = Credential {
            id: "s1".into(),
            name: None,
            proof,
            issued_at: NOW,
            issued_by: "people/ana".into(),
            expires_at: Time::NEVER,
            scope: None,
            session: Some(Session {
                device: "Firefox".into(),
                by: "password".into(),
            }),
        };
        let mut all = Credentials::default();
        all.issue(session, &Replaces::Nothing, NOW).unwrap();
        let entries = told(&topic, all.text());
        assert_eq!(entries[0].what, What::SignedIn);
        assert_eq!(entries[0].value.as_ref().unwrap()["by"], "password");
        let hash = Secret::of(&[7; 16]).hash().to_hex();
        assert!(!format!("{entries:?}").contains(&*hash));
        let mut all = Credentials::read(all.text().as_bytes()).unwrap();
        all.revoke("s1");
        assert_eq!(told(&topic, all.text())[0].what, What::SignedOut);
    }

    #[test]
    fn wishes_and_requests_are_told_once() {
        let at = "things/lamp/properties/on/desired";
        let wish = |rest: &str| format!(r#"{{"value":true,"status":"pending"{rest}}}"#);
        let entries = told(at, wish(""));
        let [entry] = &entries[..] else {
            panic!("one entry");
        };
        assert_eq!(
            (entry.what, &*entry.on),
            (What::Wanted, "things/lamp/properties/on")
        );
        assert_eq!(entry.value, Some(json!(true)));
        assert_eq!(told(at, wish(r#","delivered":"2026-11-26T00:00:00Z""#)), []);
        assert_eq!(
            told("things/lamp/actions/fade/1-2", r#"{"status":"running"}"#),
            []
        );
        assert_eq!(
            told(
                "things/lamp/actions/fade/1-2",
                r#"{"status":"pending","input":3}"#
            )[0]
            .what,
            What::Asked
        );
        assert_eq!(told("things/lamp/properties/on", "true"), []);
        assert_eq!(told("things/lamp", "")[0].what, What::Forgotten);
    }
}
