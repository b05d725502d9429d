//! How a Thing Description comes into the directory: checked, named, and for how long
//! (WoT Discovery, section 7.2.1).

use std::time::Duration;

use bytes::Bytes;
use quartet_model::{Event, Said, Time};
use serde_json::{Value, json};

use crate::{
    forms, identity, places, plan,
    td::{Description, Document, Interner, Invalid, Problem},
};

/// How long a registration may last, in seconds: 100 years.
const TTL_S_MAX: u64 = 100 * 366 * 24 * 3600;

/// A description that may be registered.
#[derive(Clone, Debug)]
pub struct Registration {
    key: String,
    document: Document,
    /// How long it lasts, in seconds, or until when.
    ttl_s: Option<u64>,
    expires: Option<Time>,
}

impl Registration {
    /// Looks at all that can be wrong with a document that has an identifier.
    pub fn new(mut document: Document) -> Result<Self, Invalid> {
        let key = identity::key_of(&document.get_str("id").unwrap_or_default());
        let key = key.map_err(|problem| Invalid(vec![problem]))?;
        let (ttl_s, expires) = lifetime(&document)?;
        // What the directory says of a description is not the description's to say.
        document.remove("registration");
        let document = Document::parse(forms::strip(document.as_str()))?;
        let described = Description::new(document, &mut Interner::default())?;
        places::check(&key, described.document())?;
        Ok(Self {
            key,
            document: described.document().clone(),
            ttl_s,
            expires,
        })
    }

    /// The same for what an element says of itself at its own address; it need not say its
    /// identifier.
    pub fn at(key: &str, payload: &[u8]) -> Result<Self, Invalid> {
        let mut document = Document::parse(payload)?;
        let id = identity::id_of(key);
        match document.get("id") {
            None => document.set("id", &json!(id).to_string())?,
            Some(_) => is_called(&document, &id)?,
        }
        Self::new(document)
    }

    /// The same for what is registered under an identifier, which it must say.
    pub fn under(id: &str, document: Document) -> Result<Self, Invalid> {
        is_called(&document, id)?;
        Self::new(document)
    }

    /// The same for what has no identifier: it gets this one.
    pub fn anonymous(id: &str, mut document: Document) -> Result<Self, Invalid> {
        if let Some(said) = document.get("id") {
            let what = format!("is {said}; what has an id is registered by PUT /things/{{id}}");
            return Err(Invalid(vec![Problem::new("id", what)]));
        }
        document.set("id", &json!(id).to_string())?;
        Self::new(document)
    }

    /// Where the element is: the first two levels of its addresses.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is retained at the element's address from `now` on; `before` is what was.
    pub fn said(&self, before: Option<&Event>, now: Time) -> Result<Said, Invalid> {
        let mut registration = since(before, now);
        let ttl = self.ttl_s.map(Duration::from_secs);
        let expires = ttl.map(|ttl| now.after(ttl)).or(self.expires);
        if let Some(ttl_s) = self.ttl_s {
            registration["ttl"] = ttl_s.into();
        }
        if let Some(expires) = expires {
            if expires <= now {
                let what = format!("is {}, which is over", expires.rfc3339());
                return Err(Invalid(vec![Problem::new("registration.expires", what)]));
            }
            registration["expires"] = expires.rfc3339().into();
        }
        let mut document = self.document.clone();
        // Which picture its plan has is the hub's to say.
        if self.key.starts_with("places/") {
            plan::keep_image(&mut document, before)?;
        }
        document.set("registration", &registration.to_string())?;
        let text = Bytes::copy_from_slice(document.as_str().as_bytes());
        Ok(Said {
            expires: expires.unwrap_or(Time::NEVER),
            ..described(&self.key, text)
        })
    }
}

/// What the hub says of an element of its own, anew whenever it begins.
pub fn own(key: &str, description: &Value, now: Time) -> Said {
    let mut description = description.clone();
    description["registration"] = since(None, now);
    Said::state(key, description.to_string())
}

/// The same for what must not be lost; `before` is what was said.
pub fn own_kept(key: &str, description: &Value, before: Option<&Event>, now: Time) -> Said {
    let mut description = description.clone();
    description["registration"] = since(before, now);
    described(key, description.to_string().into())
}

/// What is said when the hub changes something of a description; how long it lasts stays.
pub(crate) fn amended(before: &Event, mut document: Document, now: Time) -> Result<Said, Invalid> {
    let said = document.get("registration");
    let said = said.and_then(|text| serde_json::from_str(text).ok());
    let mut registration: Value = said.unwrap_or_else(|| json!({}));
    registration["modified"] = now.rfc3339().into();
    document.set("registration", &registration.to_string())?;
    let text = Bytes::copy_from_slice(document.as_str().as_bytes());
    Ok(Said {
        expires: before.expires,
        ..described(&before.topic, text)
    })
}

/// What is said when an element is registered no more.
pub fn removed(key: &str) -> Said {
    described(key, Bytes::new())
}

fn described(key: &str, text: Bytes) -> Said {
    Said::kept(key, text)
}

/// A document must say this identifier.
fn is_called(document: &Document, id: &str) -> Result<(), Invalid> {
    if document.get_str("id").is_some_and(|said| said == id) {
        return Ok(());
    }
    let own = json!(id);
    let what = match document.get("id") {
        None => format!("is missing; at this address it must be {own}"),
        Some(said) => format!("is {said}; at this address it must be {own}"),
    };
    Err(Invalid(vec![Problem::new("id", what)]))
}

/// Since when something is registered, and registered so.
fn since(before: Option<&Event>, now: Time) -> Value {
    let created = before.and_then(created).unwrap_or(now);
    json!({ "created": created.rfc3339(), "modified": now.rfc3339() })
}

/// How long a registration is to last: so many seconds, or until a time.
fn lifetime(document: &Document) -> Result<(Option<u64>, Option<Time>), Invalid> {
    let Some(text) = document.get("registration") else {
        return Ok((None, None));
    };
    let wrong = |field: &str, what: String| {
        Invalid(vec![Problem::new(format!("registration.{field}"), what)])
    };
    let said: Value = serde_json::from_str(text).unwrap_or_default();
    let ttl_s = match &said["ttl"] {
        Value::Null => None,
        ttl => {
            let s = ttl
                .as_f64()
                .filter(|s| (1.0..=TTL_S_MAX as f64).contains(s));
            let what = || format!("is {ttl}; must be seconds, 1 to {TTL_S_MAX}");
            Some(s.ok_or_else(|| wrong("ttl", what()))? as u64)
        }
    };
    let expires = match &said["expires"] {
        Value::Null => None,
        at => {
            let time = at.as_str().and_then(Time::of_rfc3339);
            let what = || format!("is {at}; must be a time as in RFC 3339");
            Some(time.ok_or_else(|| wrong("expires", what()))?)
        }
    };
    Ok((ttl_s, expires))
}

/// When a description was first registered.
fn created(event: &Event) -> Option<Time> {
    let document = Document::parse(&event.payload).ok()?;
    let registration: Value = serde_json::from_str(document.get("registration")?).ok()?;
    Time::of_rfc3339(registration["created"].as_str()?)
}

#[cfg(test)]
mod tests {
    use quartet_model::{Actor, EventId};

    use super::*;

    const LAMP: &str = r#"{"@context":"https://www.w3.org/2022/wot/td/v1.1","title":"Lamp",
        "securityDefinitions":{"none":{"scheme":"nosec"}},"security":"none","#;

    fn lamp(rest: &str) -> String {
        format!("{LAMP}{rest}}}")
    }

    fn at(s: u64) -> Time {
        Time::from_micros(1_764_100_800_000_000 + s * 1_000_000)
    }

    #[track_caller]
    fn refuse(document: &str, field: &str) {
        let why = Registration::at("things/lamp", document.as_bytes()).unwrap_err();
        assert_eq!(why.0[0].field, field, "{why}");
    }

    #[test]
    fn what_an_element_says_of_itself_is_checked_and_named() {
        let registration = Registration::at("things/lamp", lamp(r#""x":1"#).as_bytes()).unwrap();
        assert_eq!(registration.key(), "things/lamp");
        let said = registration.said(None, at(0)).unwrap();
        let td: Value = serde_json::from_slice(&said.payload).unwrap();
        assert_eq!(td["id"], "urn:quartet:things:lamp");
        assert_eq!(td["registration"]["created"], at(0).rfc3339());
        refuse(&lamp(r#""id":"urn:dev:other""#), "id");
        refuse(&lamp(r#""id":7"#), "id");
        refuse(&lamp(r#""registration":{"ttl":-1}"#), "registration.ttl");
        refuse(
            &lamp(r#""registration":{"expires":"soon"}"#),
            "registration.expires",
        );
        refuse(&lamp(r#""registration":{"ttl":0.5}"#), "registration.ttl");
        refuse("[]", "(root)");
    }

    #[test]
    fn an_identifier_is_said_where_there_is_one_and_given_where_there_is_none() {
        let named = Document::parse(lamp(r#""id":"urn:dev:lamp""#)).unwrap();
        let nameless = Document::parse(lamp(r#""x":1"#)).unwrap();
        let field = |why: Result<Registration, Invalid>| why.unwrap_err().0.remove(0).field;
        assert!(Registration::under("urn:dev:lamp", named.clone()).is_ok());
        assert_eq!(
            field(Registration::under("urn:dev:other", named.clone())),
            "id"
        );
        assert_eq!(
            field(Registration::under("urn:dev:lamp", nameless.clone())),
            "id"
        );
        assert_eq!(field(Registration::anonymous("urn:dev:lamp", named)), "id");
        let given = Registration::anonymous("urn:dev:lamp", nameless).unwrap();
        assert_eq!(given.key(), "things/urn:dev:lamp");
    }

    #[test]
    fn what_is_over_already_cannot_begin() {
        let document = lamp(&format!(
            r#""registration":{{"expires":"{}"}}"#,
            at(10).rfc3339()
        ));
        let registration = Registration::at("things/lamp", document.as_bytes()).unwrap();
        assert_eq!(registration.said(None, at(9)).unwrap().expires, at(10));
        let why = registration.said(None, at(10)).unwrap_err();
        assert_eq!(why.0[0].field, "registration.expires");
    }

    #[test]
    fn when_it_was_first_registered_is_kept_and_the_rest_is_the_directorys_to_say() {
        let document = lamp(r#""registration":{"created":"1999-01-01T00:00:00Z","ttl":60}"#);
        let registration = Registration::at("things/lamp", document.as_bytes()).unwrap();
        let first = registration.said(None, at(0)).unwrap();
        assert_eq!(first.expires, at(60));
        let id = EventId {
            at: at(0),
            serial: 0,
        };
        let first = Event::new(id, Actor::Hub, first);
        let second = registration.said(Some(&first), at(30)).unwrap();
        let td: Value = serde_json::from_slice(&second.payload).unwrap();
        assert_eq!(
            td["registration"],
            json!({
                "created": at(0).rfc3339(), "modified": at(30).rfc3339(),
                "ttl": 60, "expires": at(90).rfc3339(),
            })
        );
    }
}
