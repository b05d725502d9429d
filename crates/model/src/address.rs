use std::{fmt, str::FromStr};

use bytestring::ByteString;

/// What an element is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Lamp, pump, helmet, forklift, this computer.
    Thing,
    /// A human being.
    Person,
    /// People who are on duty together.
    Team,
    /// Ward, room, shelf: the frame of relations.
    Place,
    /// A conversation, of people and things.
    Room,
    /// A dataset.
    Data,
    /// A process or one run of it.
    Process,
}

impl Kind {
    /// All kinds, in the order of DESIGN section 1.
    pub const ALL: [Self; 7] = [
        Self::Thing,
        Self::Person,
        Self::Team,
        Self::Place,
        Self::Room,
        Self::Data,
        Self::Process,
    ];

    /// The first level of an element's address.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Thing => "things",
            Self::Person => "people",
            Self::Team => "teams",
            Self::Place => "places",
            Self::Room => "rooms",
            Self::Data => "data",
            Self::Process => "processes",
        }
    }

    /// The kind whose addresses begin with `folder`.
    pub fn of_folder(folder: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.folder() == folder)
    }
}

/// Which of the three things that a Thing Description can offer (TD 1.1, section 5.3.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Affordance {
    /// What it is now.
    Property,
    /// What it can be asked to do.
    Action,
    /// What it reports.
    Event,
}

impl Affordance {
    const fn folder(self) -> &'static str {
        match self {
            Self::Property => "properties",
            Self::Action => "actions",
            Self::Event => "events",
        }
    }

    fn of_folder(folder: &str) -> Option<Self> {
        [Self::Property, Self::Action, Self::Event]
            .into_iter()
            .find(|affordance| affordance.folder() == folder)
    }
}

/// Where something is: `{kind}/{id}/{properties|actions|events}/{name}`, one path in
/// every protocol.
///
/// A change that is wanted has an address of its own, so that on MQTT what *is* and
/// what is *wanted* never share a topic: `…/properties/on/write`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    /// What the element is.
    pub kind: Kind,
    /// The element's id, unique within its kind.
    pub id: ByteString,
    /// Which affordance.
    pub affordance: Affordance,
    /// The affordance's name.
    pub name: ByteString,
    /// What follows the name: `write` behind a property, an invocation behind an action.
    pub rest: Option<ByteString>,
}

/// Why a text is not an address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AddressError {
    /// The first level names no kind of element.
    #[error(
        "`{0}` is no kind of element; expected things, people, teams, places, rooms, data or processes"
    )]
    Kind(String),
    /// The third level names no kind of affordance.
    #[error("`{0}` is none of properties, actions, events")]
    Affordance(String),
    /// Too few levels, or an empty one.
    #[error(
        "`{0}` is not of the form {{kind}}/{{id}}/{{properties|actions|events}}/{{name}}, with none of them empty"
    )]
    Shape(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let shape = || AddressError::Shape(text.to_owned());
        let mut levels = text.splitn(5, '/');
        let mut level = || levels.next().filter(|level| !level.is_empty());
        let kind = level().ok_or_else(shape)?;
        let kind = Kind::of_folder(kind).ok_or_else(|| AddressError::Kind(kind.to_owned()))?;
        let id = level().ok_or_else(shape)?.into();
        let affordance = level().ok_or_else(shape)?;
        let affordance = Affordance::of_folder(affordance)
            .ok_or_else(|| AddressError::Affordance(affordance.to_owned()))?;
        let name = level().ok_or_else(shape)?.into();
        let rest = match levels.next() {
            None => None,
            Some("") => return Err(shape()),
            Some(rest) => Some(rest.into()),
        };
        Ok(Self {
            kind,
            id,
            affordance,
            name,
            rest,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            id,
            affordance,
            name,
            rest,
        } = self;
        write!(f, "{}/{id}/{}/{name}", kind.folder(), affordance.folder())?;
        match rest {
            Some(rest) => write!(f, "/{rest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(Kind, &str, Affordance, &str), &str>) {
        let parsed = text.parse::<Address>();
        match (&parsed, expected) {
            (Ok(found), Ok((kind, id, affordance, name))) => {
                assert_eq!(
                    (found.kind, &*found.id, found.affordance, &*found.name),
                    (kind, id, affordance, name)
                );
                assert_eq!(found.to_string(), text);
            }
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{error}");
            }
            _ => panic!("{text}: {parsed:?}"),
        }
    }

    #[test]
    fn an_address_is_read_and_printed_back() {
        check(
            "things/lamp-7/properties/on",
            Ok((Kind::Thing, "lamp-7", Affordance::Property, "on")),
        );
        check(
            "things/lamp-7/properties/on/write",
            Ok((Kind::Thing, "lamp-7", Affordance::Property, "on")),
        );
        check(
            "people/ana/actions/ask/0192",
            Ok((Kind::Person, "ana", Affordance::Action, "ask")),
        );
    }

    #[test]
    fn what_is_no_address_says_why() {
        check("thing/lamp/properties/on", Err("no kind of element"));
        check("things/lamp/state/on", Err("none of properties"));
        check("things/lamp", Err("not of the form"));
        check("things//properties/on", Err("not of the form"));
        check("things/lamp/properties/on/", Err("not of the form"));
    }
}
