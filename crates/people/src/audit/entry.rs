use std::net::IpAddr;

use quartet_model::{EventId, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{role::Deed, when};

/// Characters of a text of others in an entry.
const TEXT_MAX: usize = 256;

/// One thing that happened.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Entry {
    /// When.
    #[serde(with = "when")]
    pub at: Time,
    /// What.
    pub what: What,
    /// Who did it, or wanted to: an element's key, `hub`, or what it called itself. Empty if it did not
    /// say who it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub who: String,
    /// To whom, or to what: an element's key, a topic, or a path of the HTTP API.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub on: String,
    /// What was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deed: Option<Deed>,
    /// How it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<Door>,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// How often it happened since the entry before this one of the same.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u64,
    /// The event that tells of it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "event_id")]
    pub event: Option<EventId>,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Debug)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// An element came in with a credential.
    CameIn,
    /// Somebody did not come in: what it showed was wrong, or nothing.
    NotLetIn,
    /// Somebody who came in wanted what it may not.
    Refused,
    /// A person signed in: there is one more session.
    SignedIn,
    /// A session of a person ended.
    SignedOut,
    /// A credential was issued.
    Admitted,
    /// A credential was taken back.
    Revoked,
    /// Topics beside its own address were granted to an element: all that it has now.
    Topics,
    /// An element was related to others.
    Granted,
    /// Relations of an element to others were taken away.
    Taken,
    /// An element may not come in until its provider says otherwise.
    Suspended,
    /// It may again.
    Restored,
    /// What proves who a person is changed.
    Account,
    /// Somebody was invited.
    Invited,
    /// An invitation is good no more: it was used, or taken back.
    Uninvited,
    /// What a role allows changed.
    Role,
    /// A rule for devices that announce nothing changed.
    Rule,
    /// A place has another picture of its floor plan, or none any more.
    Plan,
    /// An element was forgotten.
    Forgotten,
    /// A property was wanted to be something.
    Wanted,
    /// An action was asked for.
    Asked,
    /// A record begins here.
    Begun,
    /// What happened there is not known.
    Missing,
}

/// How something was said.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Door {
    /// MQTT, over whatever.
    Mqtt,
    /// The HTTP API.
    Http,
    /// The Web Thing Protocol over WebSocket.
    WebSocket,
    /// CoAP.
    Coap,
}

impl Entry {
    /// That something happened, without more.
    pub fn new(at: Time, what: What, who: &str) -> Self {
        Self {
            at,
            what,
            who: short(who),
            on: String::new(),
            deed: None,
            door: None,
            from: None,
            why: None,
            value: None,
            times: 1,
            event: None,
        }
    }

    /// The same, to somebody or something.
    #[must_use]
    pub fn on(self, on: &str) -> Self {
        Self {
            on: short(on),
            ..self
        }
    }

    /// The same, through a door, from somewhere.
    #[must_use]
    pub fn through(self, door: Door, from: Option<IpAddr>) -> Self {
        Self {
            door: Some(door),
            from,
            ..self
        }
    }

    /// The same, with what was wanted.
    #[must_use]
    pub fn wanting(self, deed: Option<Deed>) -> Self {
        Self { deed, ..self }
    }

    /// The same, and why.
    #[must_use]
    pub fn because(self, why: &str) -> Self {
        Self {
            why: Some(short(why)),
            ..self
        }
    }

    /// The same, with what exactly.
    #[must_use]
    pub fn with(self, value: Value) -> Self {
        Self {
            value: Some(value),
            ..self
        }
    }

    /// Whether it is about an element, a topic or what is below: who did it, to whom, or whom it
    /// was related to.
    pub fn is_about(&self, one: &str) -> bool {
        let related = match &self.value {
            Some(Value::Array(all)) => all.iter().any(|each| each["to"] == one),
            _ => false,
        };
        self.who == one || self.is_on(one) || related
    }

    /// Whether it was to something, or to what is below it.
    pub fn is_on(&self, one: &str) -> bool {
        let below = self.on.strip_prefix(one);
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }
}

impl What {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::CameIn,
        Self::NotLetIn,
        Self::Refused,
        Self::SignedIn,
        Self::SignedOut,
        Self::Admitted,
        Self::Revoked,
        Self::Topics,
        Self::Granted,
        Self::Taken,
        Self::Suspended,
        Self::Restored,
        Self::Account,
        Self::Invited,
        Self::Uninvited,
        Self::Role,
        Self::Rule,
        Self::Plan,
        Self::Forgotten,
        Self::Wanted,
        Self::Asked,
        Self::Begun,
        Self::Missing,
    ];

    /// As entries call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CameIn => "came-in",
            Self::NotLetIn => "not-let-in",
            Self::Refused => "refused",
            Self::SignedIn => "signed-in",
            Self::SignedOut => "signed-out",
            Self::Admitted => "admitted",
            Self::Revoked => "revoked",
            Self::Topics => "topics",
            Self::Granted => "granted",
            Self::Taken => "taken",
            Self::Suspended => "suspended",
            Self::Restored => "restored",
            Self::Account => "account",
            Self::Invited => "invited",
            Self::Uninvited => "uninvited",
            Self::Role => "role",
            Self::Rule => "rule",
            Self::Plan => "plan",
            Self::Forgotten => "forgotten",
            Self::Wanted => "wanted",
            Self::Asked => "asked",
            Self::Begun => "begun",
            Self::Missing => "missing",
        }
    }

    /// The one that is called so.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.name() == name)
    }
}

impl Door {
    /// As entries call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::Http => "http",
            Self::WebSocket => "websocket",
            Self::Coap => "coap",
        }
    }
}

/// Not more of a text than anybody reads.
fn short(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

fn once() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_once(times: &u64) -> bool {
    *times == 1
}

mod event_id {
    use quartet_model::EventId;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "serde hands it over so")]
    pub(super) fn serialize<S: Serializer>(id: &Option<EventId>, to: S) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => to.collect_str(id),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(
        from: D,
    ) -> Result<Option<EventId>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let id = text.map(|text| text.parse().map_err(D::Error::custom));
        id.transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_has_the_name_that_is_written() {
        for what in What::ALL {
            assert_eq!(json!(what), what.name());
            assert_eq!(What::of_name(what.name()), Some(what));
        }
        for door in [Door::Mqtt, Door::Http, Door::WebSocket, Door::Coap] {
            assert_eq!(json!(door), door.name());
        }
    }

    #[test]
    fn texts_of_others_are_cut() {
        let long = "é".repeat(10_000);
        let entry = Entry::new(Time::ZERO, What::Refused, &long)
            .on(&long)
            .because(&long);
        for text in [&entry.who, &entry.on, entry.why.as_ref().unwrap()] {
            assert_eq!(text.chars().count(), TEXT_MAX + 1);
        }
    }

    #[test]
    fn it_is_about_whoever_did_it_and_whomever_it_was_done_to() {
        let granted = Entry::new(Time::ZERO, What::Granted, "people/ana")
            .on("people/ben")
            .with(json!([{"relation": "operator", "to": "places/ward"}]));
        for one in ["people/ana", "people/ben", "places/ward"] {
            assert!(granted.is_about(one), "{one}");
        }
        assert!(!granted.is_about("people/be"));
        let wanted = Entry::new(Time::ZERO, What::Wanted, "people/ana").on("things/a/properties/b");
        assert!(wanted.is_on("things/a") && wanted.is_on("things/a/properties/b"));
        assert!(!wanted.is_on("things"[..5].as_ref()) && !wanted.is_on("things/a/prop"));
    }
}
