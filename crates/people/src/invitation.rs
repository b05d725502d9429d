//! Invitations: a claim code lets one thing get a credential, once and soon; a fleet key lets many
//! things of one make get one each. Who has an invitation has no rights yet, but to come in.

use quartet_model::Time;
use serde::{Deserialize, Serialize};

use crate::{relation::Relation, secret, when};

/// Where they are kept: below this, by the hash of what is shown.
const FOLDER: &str = "$quartet/invitations";
const VERSION: u32 = 1;
/// How many things one may let in.
pub const USES_MAX: u32 = 1_000_000;

/// The topic at which the invitation that this code opens is kept.
pub fn topic_of(code: &str) -> String {
    format!("{FOLDER}/{}", secret::hash(&secret::typed(code)).to_hex())
}

/// Whether an invitation is kept at a topic.
pub fn is_at(topic: &str) -> bool {
    let below = topic.strip_prefix(FOLDER);
    below.is_some_and(|below| below.starts_with('/'))
}

/// Where all of them are.
pub fn filter() -> String {
    format!("{FOLDER}/+")
}

/// An invitation, as it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Invitation {
    version: u32,
    /// What it is called in lists; random.
    pub id: String,
    /// What a person calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whom it is for.
    pub whom: Whom,
    /// How many more it lets in.
    pub uses_left: u32,
    /// What they may use beside their own addresses.
    #[serde(default)]
    pub topics: Vec<String>,
    /// Whether a person that comes in by it looks after the whole hub.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owner: bool,
    /// How a person that comes in by it is related from then on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relations: Vec<Relation>,
    /// When it was made.
    #[serde(with = "when")]
    pub issued_at: Time,
    /// By whom.
    pub issued_by: String,
    /// Until when it is good.
    #[serde(with = "when")]
    pub expires_at: Time,
}

/// Whom an invitation is for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub enum Whom {
    /// The element with this key. `replaces`: what it came in with before is good no more.
    One {
        /// The key.
        element: String,
        /// Whether it is a new device in place of an old one.
        replaces: bool,
    },
    /// Elements whose keys begin so, and that have no credential yet.
    Fleet {
        /// How they begin.
        prefix: String,
    },
}

/// Why somebody is not let in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Uninvited {
    /// There is no such code, or it was used, or its time is over.
    #[error("there is no such code; it may have been used, or be over")]
    Unknown,
    /// It is for another element.
    #[error("this code is for `{0}`")]
    Another(String),
    /// It is for many, and must be told who this is.
    #[error(
        "this key is for many: say which `element` this is, with a name that begins with `{0}`"
    )]
    WhichOne(String),
    /// The element's name is not of the fleet.
    #[error("this key is for elements whose keys begin with `{0}`")]
    OtherFleet(String),
}

impl Invitation {
    /// One that was just made.
    pub fn new(id: String, whom: Whom, uses: u32, at: Time, by: &str, expires_at: Time) -> Self {
        Self {
            version: VERSION,
            id,
            name: None,
            whom,
            uses_left: uses,
            topics: Vec::new(),
            owner: false,
            relations: Vec::new(),
            issued_at: at,
            issued_by: by.to_owned(),
            expires_at,
        }
    }

    /// Whether it is for a person, who makes an account with it.
    pub fn is_for_person(&self) -> bool {
        self.key().starts_with("people/")
    }

    /// The key of whom it is for, or how their keys begin.
    pub fn key(&self) -> &str {
        let (Whom::One { element: key, .. } | Whom::Fleet { prefix: key }) = &self.whom;
        key
    }

    /// As it is kept.
    pub fn read(kept: &[u8]) -> Option<Self> {
        serde_json::from_slice(kept).ok()
    }

    /// As it is to be kept; empty if it is used up.
    pub fn text(&self) -> String {
        match self.uses_left {
            0 => String::new(),
            _ => serde_json::to_string(self).expect("texts and numbers are JSON"),
        }
    }

    /// Lets `element` in: says who it is, and counts it.
    pub fn accept(&mut self, element: Option<&str>, now: Time) -> Result<String, Uninvited> {
        if self.expires_at <= now || self.uses_left == 0 {
            return Err(Uninvited::Unknown);
        }
        let element = match (&self.whom, element) {
            (Whom::One { element, .. }, None) => element,
            (Whom::One { element, .. }, Some(asked)) if element == asked => element,
            (Whom::One { element, .. }, Some(_)) => {
                return Err(Uninvited::Another(element.clone()));
            }
            (Whom::Fleet { prefix }, None) => return Err(Uninvited::WhichOne(prefix.clone())),
            (Whom::Fleet { prefix }, Some(asked)) => {
                let rest = asked.strip_prefix(prefix.as_str());
                if rest.is_none_or(str::is_empty) {
                    return Err(Uninvited::OtherFleet(prefix.clone()));
                }
                asked
            }
        };
        let element = element.to_owned();
        self.uses_left -= 1;
        Ok(element)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_000_000);
    const LATER: Time = Time::from_micros(2_000_000);

    fn for_lamp() -> Invitation {
        let whom = Whom::One {
            element: "things/lamp".to_owned(),
            replaces: false,
        };
        Invitation::new("i1".to_owned(), whom, 1, NOW, "api", LATER)
    }

    fn for_pumps() -> Invitation {
        let prefix = "things/pump-".to_owned();
        Invitation::new(
            "i2".to_owned(),
            Whom::Fleet { prefix },
            2,
            NOW,
            "api",
            LATER,
        )
    }

    #[test]
    fn a_claim_code_lets_one_in_once() {
        let mut code = for_lamp();
        assert_eq!(
            code.accept(Some("things/heater"), NOW),
            Err(Uninvited::Another("things/lamp".to_owned()))
        );
        assert_eq!(code.accept(None, NOW).as_deref(), Ok("things/lamp"));
        assert_eq!(code.text(), "");
        assert_eq!(code.accept(None, NOW), Err(Uninvited::Unknown));
    }

    #[test]
    fn what_is_over_lets_nobody_in() {
        assert_eq!(for_lamp().accept(None, LATER), Err(Uninvited::Unknown));
    }

    #[test]
    fn a_fleet_key_lets_in_whose_names_begin_so() {
        let mut key = for_pumps();
        assert!(matches!(key.accept(None, NOW), Err(Uninvited::WhichOne(_))));
        for other in ["things/lamp", "things/pump-", "places/pump-1"] {
            assert!(matches!(
                key.accept(Some(other), NOW),
                Err(Uninvited::OtherFleet(_))
            ));
        }
        for pump in ["things/pump-1", "things/pump-2"] {
            assert_eq!(key.accept(Some(pump), NOW).as_deref(), Ok(pump));
        }
        assert_eq!(
            key.accept(Some("things/pump-3"), NOW),
            Err(Uninvited::Unknown)
        );
    }

    #[test]
    fn an_invitation_is_read_as_it_was_written() {
        let owner = Invitation {
            owner: true,
            ..for_lamp()
        };
        for one in [for_lamp(), for_pumps(), owner] {
            assert_eq!(Invitation::read(one.text().as_bytes()), Some(one));
        }
    }
}
