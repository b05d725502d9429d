use std::fmt;

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

/// What of an element a topic is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Aspect<'t> {
    /// `{kind}/{id}`: what it is, its Thing Description.
    Description,
    /// `…/properties/{name}`: what it is now, as it reports it.
    Property(&'t str),
    /// `…/properties/{name}/write`: what it is wanted to be.
    Write(&'t str),
    /// `…/properties/{name}/desired`: what was last wanted, and what became of it.
    Desired(&'t str),
    /// `…/actions/{name}`: it is asked to do something.
    Action(&'t str),
    /// `…/actions/{name}/{invocation}`: what became of that.
    Invocation(&'t str, &'t str),
    /// `…/events/{name}`: it reports something.
    Event(&'t str),
}

/// Where something is: an element and what of it, one path in every protocol.
///
/// What *is* and what is *wanted* never share a topic, so on MQTT nobody takes the one for the
/// other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Address<'t> {
    /// What the element is.
    pub kind: Kind,
    /// The element's id, unique within its kind.
    pub id: &'t str,
    /// What of it.
    pub aspect: Aspect<'t>,
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
    /// Too few levels, too many, or an empty one.
    #[error(
        "`{0}` is none of {{kind}}/{{id}}, {{kind}}/{{id}}/{{properties|actions|events}}/{{name}}, …/properties/{{name}}/{{write|desired}} and …/actions/{{name}}/{{invocation}}, with nothing empty"
    )]
    Shape(String),
}

impl<'t> Address<'t> {
    /// Reads an address.
    pub fn read(text: &'t str) -> Result<Self, AddressError> {
        let shape = || AddressError::Shape(text.to_owned());
        let mut levels = text.split('/');
        let kind = levels.next().unwrap_or_default();
        let kind = Kind::of_folder(kind).ok_or_else(|| AddressError::Kind(kind.to_owned()))?;
        let mut level = || {
            levels
                .next()
                .map(|level| Some(level).filter(|level| !level.is_empty()))
        };
        let id = level().flatten().ok_or_else(shape)?;
        let Some(affordance) = level() else {
            let aspect = Aspect::Description;
            return Ok(Self { kind, id, aspect });
        };
        let affordance = affordance.ok_or_else(shape)?;
        if !matches!(affordance, "properties" | "actions" | "events") {
            return Err(AddressError::Affordance(affordance.to_owned()));
        }
        let name = level().flatten().ok_or_else(shape)?;
        let rest = level();
        if level().is_some() {
            return Err(shape());
        }
        let aspect = match (affordance, rest) {
            ("properties", None) => Aspect::Property(name),
            ("properties", Some(Some("write"))) => Aspect::Write(name),
            ("properties", Some(Some("desired"))) => Aspect::Desired(name),
            ("actions", None) => Aspect::Action(name),
            ("actions", Some(Some(invocation))) => Aspect::Invocation(name, invocation),
            ("events", None) => Aspect::Event(name),
            _ => return Err(shape()),
        };
        Ok(Self { kind, id, aspect })
    }

    /// The element's part of a topic, `things/lamp-7` of `things/lamp-7/properties/on`: all that
    /// is said of an element has one home. `None` for what is not below an element.
    pub fn element_of(topic: &str) -> Option<&str> {
        let (folder, rest) = topic.split_once('/')?;
        Kind::of_folder(folder)?;
        let id = rest.split('/').next().filter(|id| !id.is_empty())?;
        Some(&topic[..folder.len() + 1 + id.len()])
    }

    /// The same element's address of another aspect.
    #[must_use]
    pub fn with(self, aspect: Aspect<'t>) -> Self {
        Self { aspect, ..self }
    }

    /// Whether what is said here stays until something else is said.
    pub fn is_state(&self) -> bool {
        match self.aspect {
            Aspect::Description
            | Aspect::Property(_)
            | Aspect::Write(_)
            | Aspect::Desired(_)
            | Aspect::Invocation(..) => true,
            Aspect::Action(_) | Aspect::Event(_) => false,
        }
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, id, aspect } = self;
        write!(f, "{}/{id}", kind.folder())?;
        match aspect {
            Aspect::Description => Ok(()),
            Aspect::Property(name) => write!(f, "/properties/{name}"),
            Aspect::Write(name) => write!(f, "/properties/{name}/write"),
            Aspect::Desired(name) => write!(f, "/properties/{name}/desired"),
            Aspect::Action(name) => write!(f, "/actions/{name}"),
            Aspect::Invocation(name, invocation) => write!(f, "/actions/{name}/{invocation}"),
            Aspect::Event(name) => write!(f, "/events/{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(Kind, &str, Aspect<'_>), &str>) {
        let read = Address::read(text);
        match (&read, expected) {
            (Ok(found), Ok((kind, id, aspect))) => {
                assert_eq!((found.kind, found.id, found.aspect), (kind, id, aspect));
                assert_eq!(found.to_string(), text);
            }
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{error}");
            }
            _ => panic!("{text}: {read:?}"),
        }
    }

    #[test]
    fn an_address_is_read_and_printed_back() {
        let lamp = |aspect| Ok((Kind::Thing, "lamp-7", aspect));
        check("things/lamp-7", lamp(Aspect::Description));
        check("things/lamp-7/properties/on", lamp(Aspect::Property("on")));
        check(
            "things/lamp-7/properties/on/write",
            lamp(Aspect::Write("on")),
        );
        check(
            "things/lamp-7/properties/on/desired",
            lamp(Aspect::Desired("on")),
        );
        check("things/lamp-7/actions/fade", lamp(Aspect::Action("fade")));
        check("things/lamp-7/events/hot", lamp(Aspect::Event("hot")));
        check(
            "people/ana/actions/ask/0192",
            Ok((Kind::Person, "ana", Aspect::Invocation("ask", "0192"))),
        );
    }

    #[test]
    fn what_is_no_address_says_why() {
        check("thing/lamp/properties/on", Err("no kind of element"));
        check("things/lamp/state/on", Err("none of properties"));
        check("things", Err("is none of {kind}/{id}"));
        check("things//properties/on", Err("is none of"));
        check("things/lamp/properties/on/", Err("is none of"));
        check("things/lamp/properties/on/off", Err("is none of"));
        check("things/lamp/events/hot/1", Err("is none of"));
        check("things/lamp/actions/fade/1/2", Err("is none of"));
    }

    #[test]
    fn all_that_is_said_below_an_element_belongs_to_it() {
        let lamp = Some("things/lamp");
        assert_eq!(Address::element_of("things/lamp"), lamp);
        assert_eq!(Address::element_of("things/lamp/properties/on/write"), lamp);
        assert_eq!(Address::element_of("things/lamp/anything/else"), lamp);
        for other in [
            "things",
            "things/",
            "things//x",
            "thing/lamp",
            "a/things/lamp",
        ] {
            assert_eq!(Address::element_of(other), None, "{other}");
        }
    }
}
