//! What a role allows: deeds on affordances, perhaps on some fields of a payload only.
//!
//! A role says nothing of who has it, nor where: that is a relation. It never forbids anything.

use std::fmt;

use quartet_model::{Address, Affordance, Aspect, Kind};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{fields::Fields, filter::grants};

/// Where roles are kept: below this, at their names.
const FOLDER: &str = "$quartet/roles";
const VERSION: u32 = 1;
/// A role has no more rights.
pub const RIGHTS_MAX: usize = 64;
/// A right names no more fields, and no more topics.
pub const PARTS_MAX: usize = 64;

/// The topic at which a role is kept.
pub fn topic_of(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// The role that is kept at a topic.
pub fn role_at(topic: &str) -> Option<&str> {
    topic.strip_prefix(FOLDER)?.strip_prefix('/')
}

/// Where all of them are.
pub fn filter() -> String {
    format!("{FOLDER}/+")
}

/// Whether a role or another relation may have this name.
pub fn is_name(name: &str) -> bool {
    let is_right = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&name.len()) && name.bytes().all(is_right)
}

/// What somebody wants to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// See what it is, what it reports and what becomes of requests; receive at plain topics.
    Read,
    /// Want a property to be something.
    Write,
    /// Ask it to do something.
    Invoke,
    /// Say something in its name; publish at plain topics.
    Report,
    /// Decide about it: what it is, what opens its door, who may what with it.
    Manage,
}

impl Deed {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Read,
        Self::Write,
        Self::Invoke,
        Self::Report,
        Self::Manage,
    ];

    /// As documents and people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Invoke => "invoke",
            Self::Report => "report",
            Self::Manage => "manage",
        }
    }

    /// The deed that is called so.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|deed| deed.name() == name)
    }

    /// What it is to publish at a topic that is no address of the hub's own.
    pub fn of_topic(topic: &str) -> Option<Self> {
        let is_own = topic.starts_with('$');
        let address = Address::read(topic);
        (!is_own).then(|| {
            let deed = address.map(|address| Self::of_publishing(address.aspect));
            deed.unwrap_or(Self::Report)
        })
    }

    /// What it is to publish at an address.
    pub fn of_publishing(aspect: Aspect<'_>) -> Self {
        match aspect {
            Aspect::Description => Self::Manage,
            Aspect::Write(_) => Self::Write,
            Aspect::Action(_) => Self::Invoke,
            Aspect::Property(_)
            | Aspect::Desired(_)
            | Aspect::Invocation(..)
            | Aspect::Event(_) => Self::Report,
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Some deeds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Deeds(u8);

impl Deeds {
    /// All that there are.
    pub const ALL: Self = Self(31);

    /// Whether one is among them.
    pub const fn has(self, deed: Deed) -> bool {
        self.0 & 1 << deed as u8 != 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Deed> {
        Deed::ALL.into_iter().filter(move |deed| self.has(*deed))
    }
}

impl FromIterator<Deed> for Deeds {
    fn from_iter<I: IntoIterator<Item = Deed>>(deeds: I) -> Self {
        Self(deeds.into_iter().fold(0, |all, deed| all | 1 << deed as u8))
    }
}

impl Serialize for Deeds {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

impl<'d> Deserialize<'d> for Deeds {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        Ok(Vec::<Deed>::deserialize(from)?.into_iter().collect())
    }
}

/// Which part of an element: one of its affordances, or itself.
pub type Part<'t> = Option<(Affordance, &'t str)>;

/// The part of an element that an address is about.
pub fn part_of(aspect: Aspect<'_>) -> Part<'_> {
    match aspect {
        Aspect::Description => None,
        Aspect::Property(name) | Aspect::Write(name) | Aspect::Desired(name) => {
            Some((Affordance::Property, name))
        }
        Aspect::Action(name) | Aspect::Invocation(name, _) => Some((Affordance::Action, name)),
        Aspect::Event(name) => Some((Affordance::Event, name)),
    }
}

/// Reads `properties/rate`, `actions/stop`, `events/hot`, or `description` for the element itself.
pub fn part_of_name(text: &str) -> Option<Part<'_>> {
    if text == "description" {
        return Some(None);
    }
    let (folder, name) = text.split_once('/')?;
    let affordance = affordance_of(folder)?;
    (!name.is_empty()).then_some(Some((affordance, name)))
}

fn affordance_of(folder: &str) -> Option<Affordance> {
    match folder {
        "properties" => Some(Affordance::Property),
        "actions" => Some(Affordance::Action),
        "events" => Some(Affordance::Event),
        _ => None,
    }
}

fn folder_of(affordance: Affordance) -> &'static str {
    match affordance {
        Affordance::Property => "properties",
        Affordance::Action => "actions",
        Affordance::Event => "events",
    }
}

/// Which parts of elements: `*`, `description`, `properties/*` or `properties/rate`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Parts {
    /// Everything.
    #[default]
    All,
    /// What the element is.
    Description,
    /// All affordances of one sort.
    Each(Affordance),
    /// One affordance.
    One(Affordance, Box<str>),
}

impl Parts {
    fn read(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        Some(match part_of_name(text)? {
            None => Self::Description,
            Some((affordance, "*")) => Self::Each(affordance),
            Some((affordance, name)) => Self::One(affordance, name.into()),
        })
    }

    fn has(&self, part: Part<'_>) -> bool {
        match (self, part) {
            (Self::All, _) | (Self::Description, None) => true,
            (Self::Each(own), Some((asked, _))) => *own == asked,
            (Self::One(own, name), Some((asked, other))) => *own == asked && **name == *other,
            (Self::Description, Some(_)) | (Self::Each(_) | Self::One(..), None) => false,
        }
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Description => f.write_str("description"),
            Self::Each(affordance) => write!(f, "{}/*", folder_of(*affordance)),
            Self::One(affordance, name) => write!(f, "{}/{name}", folder_of(*affordance)),
        }
    }
}

impl Serialize for Parts {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'d> Deserialize<'d> for Parts {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::read(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "`{text}` is none of *, description, properties/*, properties/{{name}}, and the same with actions and events"
            ))
        })
    }
}

/// One right of a role.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Right {
    /// What may be done.
    pub may: Deeds,
    /// With which parts of elements.
    #[serde(default, skip_serializing_if = "is_all")]
    pub on: Parts,
    /// Of which kinds of elements, by the folders of their addresses; of all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<Folder>,
    /// Which fields of payloads, as JSON pointers (RFC 6901); all if absent.
    #[serde(default, skip_serializing_if = "Fields::is_all")]
    pub fields: Fields,
    /// In place of elements: plain topics, by filters. Such a right counts at the hub only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
}

fn is_all(parts: &Parts) -> bool {
    *parts == Parts::All
}

/// A kind of elements, as the folder of their addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Folder(pub Kind);

impl Serialize for Folder {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.folder())
    }
}

impl<'d> Deserialize<'d> for Folder {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let kind = Kind::of_folder(&text);
        kind.map(Self).ok_or_else(|| {
            D::Error::custom(format!(
                "`{text}` is none of things, people, teams, places, rooms, data and processes"
            ))
        })
    }
}

impl Right {
    fn everywhere(may: &[Deed]) -> Self {
        Self {
            may: may.iter().copied().collect(),
            on: Parts::All,
            of: Vec::new(),
            fields: Fields::All,
            topics: Vec::new(),
        }
    }

    fn at_topics(may: &[Deed]) -> Self {
        Self {
            topics: vec!["#".to_owned()],
            ..Self::everywhere(may)
        }
    }

    fn allows(&self, deed: Deed, kind: Kind, part: Part<'_>) -> bool {
        self.may.has(deed)
            && self.topics.is_empty()
            && (self.of.is_empty() || self.of.contains(&Folder(kind)))
            && self.on.has(part)
    }
}

/// What a role allows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Role {
    #[serde(default)]
    version: u32,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it allows.
    pub rights: Vec<Right>,
}

/// Why a document is no role.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoRole {
    /// It is not as roles are written.
    #[error(
        "it must be an object with `rights`, such as {{\"rights\": [{{\"may\": [\"read\"], \"on\": \"properties/*\"}}]}}: {0}"
    )]
    Shape(String),
    /// There is too much of it.
    #[error("it has {0} {1}; at most {2} are taken")]
    TooMany(usize, &'static str, usize),
    /// A right names both elements and topics.
    #[error("a right is either for parts of elements (`on`, `of`, `fields`) or for plain `topics`")]
    Both,
    /// Something that is no filter, or the hub's own.
    #[error("`{0}` is no filter of plain topics; those that begin with $ are the hub's own")]
    Topic(String),
    /// No JSON pointer.
    #[error(
        "`{0}` is no JSON pointer (RFC 6901); one begins with / and names a field, such as /position/lat"
    )]
    Field(String),
}

impl Role {
    /// Reads a role that somebody wrote, or that is kept.
    pub fn read(text: &[u8]) -> Result<Self, NoRole> {
        let read = serde_json::from_slice::<Self>(text);
        let role = read.map_err(|error| NoRole::Shape(error.to_string()))?;
        role.check()?;
        Ok(Self {
            version: VERSION,
            ..role
        })
    }

    fn check(&self) -> Result<(), NoRole> {
        let at_most = |count: usize, what, max| match max < count {
            true => Err(NoRole::TooMany(count, what, max)),
            false => Ok(()),
        };
        at_most(self.rights.len(), "rights", RIGHTS_MAX)?;
        for right in &self.rights {
            at_most(right.topics.len(), "topics in one right", PARTS_MAX)?;
            at_most(
                right.fields.iter().count(),
                "fields in one right",
                PARTS_MAX,
            )?;
            let is_for_elements =
                right.on != Parts::All || !right.of.is_empty() || !right.fields.is_all();
            if !right.topics.is_empty() && is_for_elements {
                return Err(NoRole::Both);
            }
            let is_odd = |topic: &&String| {
                let (last, rest) = topic
                    .rsplit_once('/')
                    .map_or((&***topic, ""), |(rest, last)| (last, rest));
                topic.is_empty()
                    || topic.starts_with('$')
                    || rest.contains('#')
                    || (last.contains('#') && last != "#")
                    || topic
                        .split('/')
                        .any(|level| level.contains('+') && level != "+")
            };
            if let Some(odd) = right.topics.iter().find(is_odd) {
                return Err(NoRole::Topic(odd.clone()));
            }
            if let Some(odd) = right.fields.iter().find(|field| !field.starts_with('/')) {
                return Err(NoRole::Field(odd.to_owned()));
            }
        }
        Ok(())
    }

    /// As it is kept.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are JSON")
    }

    /// Which fields somebody with this role may have of a part of an element: `None` if the deed
    /// is not allowed.
    pub fn allows(&self, deed: Deed, kind: Kind, part: Part<'_>) -> Option<Fields> {
        let mut allowed: Option<Fields> = None;
        for right in &self.rights {
            if right.allows(deed, kind, part) {
                let fields = allowed
                    .take()
                    .map_or_else(|| right.fields.clone(), |before| before.and(&right.fields));
                if fields.is_all() {
                    return Some(fields);
                }
                allowed = Some(fields);
            }
        }
        allowed
    }

    /// Whether it allows something with any part of elements of a kind.
    pub fn allows_any(&self, deed: Deed, kind: Kind) -> bool {
        let is_of = |right: &Right| right.of.is_empty() || right.of.contains(&Folder(kind));
        let mut rights = self.rights.iter();
        rights.any(|right| right.may.has(deed) && right.topics.is_empty() && is_of(right))
    }

    /// Whether it allows to publish (report) or receive (read) at plain topics.
    pub fn allows_at(&self, deed: Deed, filter: &str) -> bool {
        let mut rights = self.rights.iter().filter(|right| right.may.has(deed));
        rights.any(|right| right.topics.iter().any(|granted| grants(granted, filter)))
    }

    /// Whether it allows a deed with everything.
    pub fn allows_all(&self, deed: Deed) -> bool {
        let mut rights = self.rights.iter().filter(|right| right.may.has(deed));
        rights.any(|right| {
            right.on == Parts::All
                && right.of.is_empty()
                && right.fields.is_all()
                && right.topics.is_empty()
        })
    }
}

/// The roles that are there without anybody making them, and cannot be changed.
pub fn built_in() -> [(&'static str, Role); 4] {
    let role = |title: &str, rights| Role {
        version: VERSION,
        title: Some(title.to_owned()),
        rights,
    };
    use Deed::{Invoke, Read, Report, Write};
    [
        (
            "owner",
            role(
                "Owner: decides about everything in it",
                vec![
                    Right::everywhere(&Deed::ALL),
                    Right::at_topics(&[Read, Report]),
                ],
            ),
        ),
        (
            "operator",
            role(
                "Operator: sees and uses everything in it",
                vec![
                    Right::everywhere(&[Read, Write, Invoke]),
                    Right::at_topics(&[Read, Report]),
                ],
            ),
        ),
        (
            "viewer",
            role(
                "Viewer: sees everything in it",
                vec![Right::everywhere(&[Read]), Right::at_topics(&[Read])],
            ),
        ),
        (
            "gateway",
            role(
                "Gateway: speaks for everything in it",
                vec![
                    Right::everywhere(&[Read, Report]),
                    Right::at_topics(&[Read, Report]),
                ],
            ),
        ),
    ]
}

/// A role that is there without anybody making it.
pub fn is_built_in(name: &str) -> bool {
    matches!(name, "owner" | "operator" | "viewer" | "gateway")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Part<'static> = Some((Affordance::Property, "rate"));
    const STOP: Part<'static> = Some((Affordance::Action, "stop"));

    fn nurse() -> Role {
        let text = br#"{"title": "Nurse", "rights": [
            {"may": ["read"], "on": "properties/*", "of": ["things"]},
            {"may": ["read"], "on": "properties/place", "of": ["people"], "fields": ["/ward"]},
            {"may": ["read"], "on": "properties/place", "of": ["people"], "fields": ["/room"]},
            {"may": ["invoke"], "on": "actions/stop"},
            {"may": ["read"], "topics": ["ward-3/#"]}
        ]}"#;
        Role::read(text).unwrap()
    }

    #[test]
    fn a_role_allows_what_it_says_and_nothing_else() {
        let nurse = nurse();
        assert_eq!(
            nurse.allows(Deed::Read, Kind::Thing, RATE),
            Some(Fields::All)
        );
        assert_eq!(nurse.allows(Deed::Write, Kind::Thing, RATE), None);
        assert_eq!(nurse.allows(Deed::Read, Kind::Person, RATE), None);
        assert_eq!(
            nurse.allows(Deed::Invoke, Kind::Thing, STOP),
            Some(Fields::All)
        );
        assert_eq!(nurse.allows(Deed::Read, Kind::Thing, None), None);
        assert!(nurse.allows_at(Deed::Read, "ward-3/door"));
        assert!(!nurse.allows_at(Deed::Read, "#"));
        assert!(!nurse.allows_at(Deed::Report, "ward-3/door"));
    }

    #[test]
    fn fields_of_several_rights_come_together() {
        let place = Some((Affordance::Property, "place"));
        let fields = nurse().allows(Deed::Read, Kind::Person, place).unwrap();
        assert_eq!(fields.iter().collect::<Vec<_>>(), ["/room", "/ward"]);
    }

    #[test]
    fn a_role_is_read_and_written_back() {
        assert_eq!(Role::read(nurse().text().as_bytes()), Ok(nurse()));
    }

    #[test]
    fn what_is_no_role_says_why() {
        for (text, why) in [
            (r#"{"rights": [{"may": ["fly"]}]}"#, "unknown variant `fly`"),
            (
                r#"{"rights": [{"may": ["read"], "on": "rate"}]}"#,
                "`rate` is none of",
            ),
            (
                r#"{"rights": [{"may": ["read"], "of": ["pumps"]}]}"#,
                "`pumps` is none of",
            ),
            (
                r#"{"rights": [{"may": ["read"], "topics": ["$SYS/#"]}]}"#,
                "the hub's own",
            ),
            (
                r#"{"rights": [{"may": ["read"], "topics": ["a/#/b"]}]}"#,
                "no filter",
            ),
            (
                r#"{"rights": [{"may": ["read"], "topics": ["a"], "on": "properties/a"}]}"#,
                "either for parts",
            ),
            (
                r#"{"rights": [{"may": ["read"], "fields": ["a"]}]}"#,
                "no JSON pointer",
            ),
            ("[]", "must be an object"),
        ] {
            let error = Role::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn roles_that_are_built_in_hold_what_they_promise() {
        for (name, role) in built_in() {
            assert!(is_built_in(name));
            assert_eq!(role.check(), Ok(()));
        }
        let [(_, owner), _, (_, viewer), _] = built_in();
        assert!(Deed::ALL.into_iter().all(|deed| owner.allows_all(deed)));
        assert!(viewer.allows_all(Deed::Read) && !viewer.allows_all(Deed::Write));
    }
}
