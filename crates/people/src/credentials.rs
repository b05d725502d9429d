//! What opens the door to one element: its credentials, as they are kept at one topic.
//!
//! All of them together are one document: what is issued, rotated and revoked is one change, and
//! what is not in the document opens nothing.

use std::sync::Arc;

use blake3::Hash;
use quartet_model::Time;
use serde::{Deserialize, Serialize};

use crate::{
    holder::Holder,
    scope::Scope,
    secret::{self, Secret},
    when,
};

/// Where they are kept: below this, at the element's key.
const FOLDER: &str = "$quartet/credentials";
/// What everything below is written as.
const VERSION: u32 = 1;
/// An element has no more, beside sessions.
pub const CREDENTIALS_MAX: usize = 16;
/// Sessions that a person has at most; the oldest ends when there is one more.
pub const SESSIONS_MAX: usize = 32;
/// Topics beside its own that an element may use.
pub const TOPICS_MAX: usize = 64;

/// The topic at which an element's credentials are kept.
pub fn topic_of(element: &str) -> String {
    format!("{FOLDER}/{element}")
}

/// The element whose credentials are kept at a topic.
pub fn element_at(topic: &str) -> Option<&str> {
    topic.strip_prefix(FOLDER)?.strip_prefix('/')
}

/// Where all of them are.
pub fn filter() -> String {
    format!("{FOLDER}/#")
}

/// An element's credentials, and what they open beside its own address.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
pub struct Credentials {
    version: u32,
    topics: Vec<String>,
    credentials: Vec<Credential>,
    /// Which the last change issued, by their ids: for those who keep record of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    new: Vec<String>,
    /// What it took back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    taken: Vec<Credential>,
    /// Whether it was one of the topics.
    #[serde(default, skip_serializing_if = "is_false")]
    topics_changed: bool,
    /// Nobody comes in with any of them: whoever provisions the element says so.
    #[serde(default, skip_serializing_if = "is_false")]
    suspended: bool,
    /// Whether the last change was that.
    #[serde(default, skip_serializing_if = "is_false")]
    suspended_changed: bool,
}

/// One of them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Credential {
    /// What it is called in lists; random.
    pub id: String,
    /// What its holder calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What its holder must show.
    pub proof: Proof,
    /// When it was made.
    #[serde(with = "when")]
    pub issued_at: Time,
    /// By whom.
    pub issued_by: String,
    /// Until when it is good.
    #[serde(default = "never", skip_serializing_if = "is_never", with = "when")]
    pub expires_at: Time,
    /// What it is good for, if that is less than what its holder may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Arc<Scope>>,
    /// What is known of the browser that it was made for, if it is a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
}

/// A browser in which a person signed in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Session {
    /// What the browser calls itself.
    pub device: String,
    /// How the person signed in: `password`, `password and code`, `passkey`, or a provider.
    pub by: String,
}

/// What the hub knows of what a holder must show.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// A secret that the hub made; its BLAKE3 hash.
    #[serde(with = "hex")]
    Secret(Hash),
    /// A client certificate (X.509); the BLAKE3 hash of its DER.
    #[serde(with = "hex")]
    Certificate(Hash),
}

impl Proof {
    /// A client certificate, which is DER.
    pub fn of_certificate(der: &[u8]) -> Self {
        Self::Certificate(blake3::hash(der))
    }
}

/// Why somebody does not come in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such element, or it has no such credential: which of them is nobody's business.
    #[error("the name or the secret is wrong, or it was revoked")]
    Unknown,
    /// It was good once.
    #[error("this credential was good until {0}; ask for a new one")]
    Expired(String),
    /// It is good, and its holder is suspended.
    #[error("this account is suspended by whoever provisions it; ask there")]
    Suspended,
}

/// Why something cannot be issued.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotIssued {
    /// There are as many as there may be.
    #[error("it has {CREDENTIALS_MAX} credentials; revoke one first")]
    TooMany,
    /// What is to be replaced is not there.
    #[error("it has no credential `{0}` that could be replaced")]
    NothingToReplace(String),
    /// Nobody may come in.
    #[error("this account is suspended by whoever provisions it; ask there")]
    Suspended,
}

/// What a new credential takes the place of.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Replaces {
    /// Nothing: it is one more.
    #[default]
    Nothing,
    /// The one with this identifier.
    One(String),
    /// All that there are.
    All,
}

impl Credentials {
    /// As they are kept, to be changed; none if nothing is.
    pub fn read(kept: &[u8]) -> Result<Self, serde_json::Error> {
        let all = Self::read_changed(kept)?;
        if all.topics.is_empty() && all.credentials.is_empty() && !all.suspended {
            return Ok(Self::default());
        }
        Ok(Self {
            new: Vec::new(),
            taken: Vec::new(),
            topics_changed: false,
            suspended_changed: false,
            ..all
        })
    }

    /// The same, with what the last change was.
    pub fn read_changed(kept: &[u8]) -> Result<Self, serde_json::Error> {
        match kept {
            [] => Ok(Self::default()),
            kept => serde_json::from_slice(kept),
        }
    }

    /// As they are to be kept; empty if there is nothing to keep, and nothing was taken back.
    pub fn text(&self) -> String {
        let is_empty = self.topics.is_empty() && self.credentials.is_empty() && !self.suspended;
        let is_as_it_was = self.taken.is_empty() && !self.topics_changed && !self.suspended_changed;
        if is_empty && is_as_it_was {
            return String::new();
        }
        let written = Self {
            version: VERSION,
            ..self.clone()
        };
        serde_json::to_string(&written).expect("texts and numbers are JSON")
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Credential> {
        self.credentials.iter()
    }

    /// What the last change issued.
    pub fn new_ones(&self) -> impl Iterator<Item = &Credential> {
        self.new.iter().filter_map(|id| self.find(id))
    }

    /// What it took back.
    pub fn taken(&self) -> &[Credential] {
        &self.taken
    }

    /// Whether it was one of the topics.
    pub fn has_other_topics(&self) -> bool {
        self.topics_changed
    }

    /// Whether nobody comes in with them.
    pub fn are_suspended(&self) -> bool {
        self.suspended
    }

    /// Whether the last change was that.
    pub fn has_other_suspension(&self) -> bool {
        self.suspended_changed
    }

    /// Nobody comes in with them any more, and sessions end; or all but these are good again.
    pub fn suspend(&mut self, suspended: bool) {
        self.suspended_changed |= self.suspended != suspended;
        self.suspended = suspended;
        if suspended {
            self.take_back(|there| there.session.is_some());
        }
    }

    /// Filters of topics that they open beside the element's own address.
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// They open these, too, from now on: filters that are valid, and none of the hub's own topics.
    pub fn set_topics(&mut self, topics: Vec<String>) {
        self.topics_changed |= self.topics != topics;
        self.topics = topics;
    }

    /// Adds one. What it replaces is good until `overlap`.
    pub fn issue(
        &mut self,
        credential: Credential,
        replaces: &Replaces,
        overlap: Time,
    ) -> Result<(), NotIssued> {
        if self.suspended {
            return Err(NotIssued::Suspended);
        }
        let now = credential.issued_at;
        // What is over is of use to nobody.
        self.credentials.retain(|there| now < there.expires_at);
        let known = |id: &str| self.credentials.iter().any(|there| there.id == id);
        if let Replaces::One(id) = replaces
            && !known(id)
        {
            return Err(NotIssued::NothingToReplace(id.clone()));
        }
        for there in &mut self.credentials {
            let is_replaced = match replaces {
                Replaces::Nothing => false,
                Replaces::One(id) => there.id == *id,
                Replaces::All => true,
            };
            if is_replaced {
                there.expires_at = there.expires_at.min(overlap);
            }
        }
        self.credentials.retain(|there| now < there.expires_at);
        let is_session = credential.session.is_some();
        let alike = self.credentials.iter();
        let alike = alike.filter(|there| there.session.is_some() == is_session);
        match alike.count() {
            there if is_session && SESSIONS_MAX <= there => self.end_oldest_session(),
            there if !is_session && CREDENTIALS_MAX <= there => return Err(NotIssued::TooMany),
            _ => {}
        }
        self.new.push(credential.id.clone());
        self.credentials.push(credential);
        Ok(())
    }

    fn end_oldest_session(&mut self) {
        let sessions = self.credentials.iter().enumerate();
        let sessions = sessions.filter(|(_, there)| there.session.is_some());
        if let Some((at, _)) = sessions.min_by_key(|(_, there)| there.issued_at) {
            self.taken.push(self.credentials.remove(at));
        }
    }

    /// Ends all sessions but this one.
    pub fn end_sessions_but(&mut self, id: &str) {
        self.take_back(|there| there.session.is_some() && there.id != id);
    }

    fn take_back(&mut self, is_meant: impl Fn(&Credential) -> bool) {
        let meant = self.credentials.extract_if(.., |there| is_meant(there));
        self.taken.extend(meant);
    }

    /// One of them.
    pub fn find(&self, id: &str) -> Option<&Credential> {
        self.credentials.iter().find(|there| there.id == id)
    }

    /// Takes one back; says whether it was there.
    pub fn revoke(&mut self, id: &str) -> bool {
        let before = self.credentials.len();
        self.take_back(|there| there.id == id);
        self.credentials.len() < before
    }

    /// Takes all back; the topics stay.
    pub fn revoke_all(&mut self) {
        self.take_back(|_| true);
    }

    /// Lets somebody in as `element`, if what they show is right.
    pub fn admit(&self, element: &str, shown: Proof, now: Time) -> Result<Holder, Refused> {
        let found = self.credentials.iter().find(|there| there.proof == shown);
        let found = found.ok_or(Refused::Unknown)?;
        if found.expires_at <= now {
            return Err(Refused::Expired(found.expires_at.rfc3339()));
        }
        if self.suspended {
            return Err(Refused::Suspended);
        }
        Ok(self.holder(element, found))
    }

    /// Somebody who came in before, as what holds now says; `None` if it holds no more.
    pub fn still_admit(&self, holder: &Holder, now: Time) -> Option<Holder> {
        let mut there = self.credentials.iter();
        let found = there.find(|there| there.id == holder.credential())?;
        let is_good = now < found.expires_at && !self.suspended;
        is_good.then(|| self.holder(holder.element(), found))
    }

    fn holder(&self, element: &str, credential: &Credential) -> Holder {
        let topics = self.topics.iter().map(|topic| topic.as_str().into());
        Holder::new(element, &credential.id, credential.expires_at)
            .with_topics(topics)
            .with_scope(credential.scope.clone())
    }
}

/// What somebody shows who wants to come in as an element.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Its key, or what stands for it.
    pub name: Arc<str>,
    /// What proves it.
    pub proof: Proof,
}

impl Shown {
    /// A user name and a password, as MQTT and HTTP have them. Either may be missing if the other is a
    /// token, which is both: `{name}.{secret}`.
    pub fn of_login(user: Option<&str>, password: Option<&str>) -> Option<Self> {
        let is_given = |text: &&str| !text.is_empty();
        let (user, password) = (user.filter(is_given), password.filter(is_given));
        let (name, secret) = match (user, password) {
            (Some(user), Some(password)) => match token(password) {
                Some((name, secret)) if name == user => (name, secret),
                _ => (user, password),
            },
            (Some(one), None) | (None, Some(one)) => token(one)?,
            (None, None) => return None,
        };
        Some(Self {
            name: name.into(),
            proof: Proof::Secret(secret::hash(secret)),
        })
    }
}

/// The name and the secret in a token.
fn token(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once('.').filter(|(name, _)| !name.is_empty())
}

/// A name and its secret in one word.
pub fn token_of(name: &str, secret: &Secret) -> String {
    format!("{name}.{}", secret.text())
}

fn never() -> Time {
    Time::NEVER
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_never(time: &Time) -> bool {
    *time == Time::NEVER
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

mod hex {
    use blake3::Hash;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(hash: &Hash, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hash.to_hex())
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Hash, D::Error> {
        let text = String::deserialize(from)?;
        Hash::from_hex(text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
