//! How a person proves who it is, to get a session: its account, as it is kept at one topic.
//!
//! An account opens no door by itself. Whoever shows what it demands gets a session, which is a
//! credential like any other (`credentials`).

pub mod code; // one-time codes (RFC 6238)
pub mod password; // what people think of (Argon2id, RFC 9106)

use blake3::Hash;
use quartet_model::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::code::Codes;
use crate::{
    secret::{self, Secret},
    when,
};

/// Where they are kept: below this, at the element's key.
const FOLDER: &str = "$quartet/accounts";
/// Where it is kept whom a name means that others gave a person.
const NAMES: &str = "$quartet/accounts/names";
/// What everything below is written as.
const VERSION: u32 = 1;
/// An account has no more.
pub const PASSKEYS_MAX: usize = 16;
/// Names at providers that an account has at most.
pub const IDENTITIES_MAX: usize = 8;
/// How many recovery codes are made at once.
pub const RECOVERY_CODES: usize = 10;
/// Random bytes that make one of them: 80 bits, so that a fast hash is enough.
pub const RECOVERY_BYTES: usize = 10;
/// Characters of what a person calls a passkey, a token or itself.
pub const NAME_MAX: usize = 64;

/// The topic at which a person's account is kept.
pub fn topic_of(element: &str) -> String {
    format!("{FOLDER}/{element}")
}

/// The person whose account is kept at a topic.
pub fn element_at(topic: &str) -> Option<&str> {
    let person = topic.strip_prefix(FOLDER)?.strip_prefix('/')?;
    person.starts_with("people/").then_some(person)
}

/// Where all accounts are.
pub fn filter() -> String {
    format!("{FOLDER}/people/+")
}

/// The topic at which it is kept whose a name is that others gave: a handle of passkeys, or a subject
/// of a provider. What is kept there only says where to look: the account decides.
pub fn topic_of_name(issuer: &str, name: &str) -> String {
    let both = serde_json::to_string(&(issuer, name)).expect("texts are JSON");
    format!("{NAMES}/{}", blake3::hash(both.as_bytes()).to_hex())
}

/// What is kept at such a topic.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Named {
    version: u32,
    /// Whose it is.
    pub element: String,
}

impl Named {
    /// That it is this person's.
    pub fn new(element: &str) -> Self {
        Self {
            version: VERSION,
            element: element.to_owned(),
        }
    }

    /// As it is kept.
    pub fn read(kept: &[u8]) -> Option<Self> {
        serde_json::from_slice(kept).ok()
    }

    /// As it is to be kept.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are JSON")
    }
}

/// A person's account.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize, Debug)]
pub struct Account {
    version: u32,
    /// What Argon2id made of the password, as a PHC string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// What makes one-time codes; then a password is not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codes: Option<Codes>,
    /// Hashes of the recovery codes that are left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    recovery: Vec<String>,
    /// By what passkeys know the person: random, the same for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// Its passkeys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    passkeys: Vec<Passkey>,
    /// What it is called at identity providers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    identities: Vec<Identity>,
}

/// A key in a device of the person's (WebAuthn).
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Passkey {
    /// What it is called in lists; random.
    pub id: String,
    /// What the person calls it.
    pub name: String,
    /// When it was added.
    #[serde(with = "when")]
    pub added_at: Time,
    /// Its public half and what else is known of it, as the library that checks it writes it.
    pub key: Value,
}

/// A name at an identity provider (OpenID Connect).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Identity {
    /// The provider.
    pub issuer: String,
    /// Who that is there.
    pub subject: String,
}

/// What opened, or did not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Used {
    /// A one-time code.
    OneTime,
    /// A recovery code, which is good no more.
    Recovery,
}

/// Why something is not added.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Full {
    /// There are as many as there may be.
    #[error("the account has {PASSKEYS_MAX} passkeys; remove one first")]
    Passkeys,
    /// There are as many as there may be.
    #[error("the account has names at {IDENTITIES_MAX} providers; no more are taken")]
    Identities,
}

impl Account {
    /// As it is kept; empty if nothing is.
    pub fn read(kept: &[u8]) -> Result<Self, serde_json::Error> {
        match kept {
            [] => Ok(Self::default()),
            kept => serde_json::from_slice(kept),
        }
    }

    /// As it is to be kept.
    pub fn text(&self) -> String {
        let written = Self {
            version: VERSION,
            ..self.clone()
        };
        serde_json::to_string(&written).expect("texts and numbers are JSON")
    }

    /// What it has to prove who somebody is, for those who may know that: nothing of the secrets.
    pub fn factors(&self) -> Value {
        json!({
            "password": self.password.is_some(),
            "code": self.codes.is_some(),
            "recoveryCodes": self.recovery_left(),
            "passkeys": self.passkeys.len(),
            "providers": self.identities.len(),
        })
    }

    /// Whether somebody can sign in with it.
    pub fn is_open(&self) -> bool {
        self.password.is_some() || !self.passkeys.is_empty() || !self.identities.is_empty()
    }

    /// Its passkeys.
    pub fn passkeys(&self) -> &[Passkey] {
        &self.passkeys
    }

    /// The same, to note what their devices say of themselves.
    pub fn passkeys_mut(&mut self) -> &mut [Passkey] {
        &mut self.passkeys
    }

    /// Adds a passkey.
    pub fn add_passkey(&mut self, passkey: Passkey) -> Result<(), Full> {
        if PASSKEYS_MAX <= self.passkeys.len() {
            return Err(Full::Passkeys);
        }
        self.passkeys.push(passkey);
        Ok(())
    }

    /// Takes a passkey away; says whether it was there.
    pub fn remove_passkey(&mut self, id: &str) -> bool {
        let before = self.passkeys.len();
        self.passkeys.retain(|there| there.id != id);
        self.passkeys.len() < before
    }

    /// What it is called at identity providers.
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// Adds a name at a provider, if it is not there yet.
    pub fn add_identity(&mut self, identity: Identity) -> Result<(), Full> {
        if self.identities.contains(&identity) {
            return Ok(());
        }
        if IDENTITIES_MAX <= self.identities.len() {
            return Err(Full::Identities);
        }
        self.identities.push(identity);
        Ok(())
    }

    /// How many recovery codes are left.
    pub fn recovery_left(&self) -> usize {
        self.recovery.len()
    }

    /// New recovery codes, in place of those that there were.
    pub fn set_recovery(&mut self, codes: &[Secret]) {
        let hashes = codes.iter().map(|code| code.hash().to_hex().to_string());
        self.recovery = hashes.collect();
    }

    /// Whether a one-time code or a recovery code is right. It is good no more then.
    pub fn use_code(&mut self, code: &str, now: Time) -> Option<Used> {
        if let Some(codes) = &mut self.codes
            && codes.accept(code, now)
        {
            return Some(Used::OneTime);
        }
        let typed = secret::hash(&secret::typed(code));
        let is_it = |kept: &String| Hash::from_hex(kept).is_ok_and(|kept| kept == typed);
        let at = self.recovery.iter().position(is_it)?;
        self.recovery.remove(at);
        Some(Used::Recovery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_764_100_800_000_000);

    fn codes() -> Vec<Secret> {
        (0..RECOVERY_CODES as u8)
            .map(|n| Secret::of(&[n; RECOVERY_BYTES]))
            .collect()
    }

    #[test]
    fn a_recovery_code_is_good_once_as_people_type_it() {
        let mut account = Account::default();
        account.set_recovery(&codes());
        let code = codes()[3].grouped();
        assert_eq!(account.use_code(&code, NOW), Some(Used::Recovery));
        assert_eq!(account.use_code(&code, NOW), None);
        assert_eq!(account.recovery_left(), RECOVERY_CODES - 1);
        let typed = codes()[4].grouped().to_lowercase().replace('-', " ");
        assert_eq!(account.use_code(&typed, NOW), Some(Used::Recovery));
        assert_eq!(account.use_code("", NOW), None);
    }

    #[test]
    fn an_account_is_read_as_it_was_written_and_holds_no_secret_of_its_person() {
        let mut account = Account {
            password: Some(password::hash("a long sentence", [7; 16])),
            ..Account::default()
        };
        account.set_recovery(&codes());
        account
            .add_identity(Identity {
                issuer: "https://login.example".to_owned(),
                subject: "7".to_owned(),
            })
            .unwrap();
        let text = account.text();
        let read = Account::read(text.as_bytes()).unwrap();
        assert_eq!(read.text(), text);
        assert!(read.is_open());
        assert!(!text.contains("sentence") && !text.contains(codes()[1].text()));
        assert!(!Account::read(b"").unwrap().is_open());
    }

    #[test]
    fn passkeys_are_bounded() {
        let mut account = Account::default();
        let passkey = |n: usize| Passkey {
            id: n.to_string(),
            name: "phone".to_owned(),
            added_at: NOW,
            key: Value::Null,
        };
        for n in 0..PASSKEYS_MAX {
            account.add_passkey(passkey(n)).unwrap();
        }
        assert_eq!(account.add_passkey(passkey(99)), Err(Full::Passkeys));
        assert!(account.remove_passkey("3") && !account.remove_passkey("3"));
    }

    #[test]
    fn names_of_two_providers_are_two_names() {
        assert_ne!(topic_of_name("a", "bc"), topic_of_name("ab", "c"));
        assert_eq!(topic_of_name("a", "b"), topic_of_name("a", "b"));
        let named = Named::new("people/ana");
        assert_eq!(Named::read(named.text().as_bytes()), Some(named));
    }
}
