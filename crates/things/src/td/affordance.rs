use std::{collections::HashSet, sync::Arc};

use serde_json::Value;

use super::schema::Schema;

/// What a thing can be asked and told, as the hub needs it while it runs. Names are in order.
#[derive(PartialEq, Eq, Hash, Default, Debug)]
pub struct Affordances {
    properties: Box<[Property]>,
    actions: Box<[Action]>,
    events: Box<[Event]>,
}

/// What a thing is [TD 1.1, section 5.3.1.3].
#[derive(PartialEq, Eq, Hash, Debug)]
pub struct Property {
    /// Unique among the properties of the thing.
    pub name: Box<str>,
    /// Its unit, in whatever words the description uses.
    pub unit: Option<Box<str>>,
    /// What values it has.
    pub schema: Schema,
    /// It cannot be written.
    pub read_only: bool,
    /// It cannot be read.
    pub write_only: bool,
    /// Whoever wants may hear of each change.
    pub observable: bool,
}

/// What a thing can do [TD 1.1, section 5.3.1.4].
#[derive(PartialEq, Eq, Hash, Debug)]
pub struct Action {
    /// Unique among the actions of the thing.
    pub name: Box<str>,
    /// What it takes.
    pub input: Option<Schema>,
    /// What it gives.
    pub output: Option<Schema>,
    /// It changes nothing.
    pub safe: bool,
    /// To do it twice with the same input is to do it once.
    pub idempotent: bool,
    /// Whether it has ended when it is answered, if that is known.
    pub synchronous: Option<bool>,
}

/// What a thing tells [TD 1.1, section 5.3.1.5].
#[derive(PartialEq, Eq, Hash, Debug)]
pub struct Event {
    /// Unique among the events of the thing.
    pub name: Box<str>,
    /// What is said to subscribe.
    pub subscription: Option<Schema>,
    /// What it tells.
    pub data: Option<Schema>,
    /// What a subscriber answers.
    pub data_response: Option<Schema>,
    /// What is said to unsubscribe.
    pub cancellation: Option<Schema>,
}

impl Affordances {
    /// Those of a valid description.
    pub(crate) fn read(td: &Value) -> Self {
        Self {
            properties: each(td, "properties", Property::read),
            actions: each(td, "actions", Action::read),
            events: each(td, "events", Event::read),
        }
    }

    /// All properties.
    pub fn properties(&self) -> &[Property] {
        &self.properties
    }

    /// All actions.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// All events.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The property of a name.
    pub fn property(&self, name: &str) -> Option<&Property> {
        find(&self.properties, name, |property| &property.name)
    }

    /// The action of a name.
    pub fn action(&self, name: &str) -> Option<&Action> {
        find(&self.actions, name, |action| &action.name)
    }

    /// The event of a name.
    pub fn event(&self, name: &str) -> Option<&Event> {
        find(&self.events, name, |event| &event.name)
    }
}

impl Property {
    fn read(name: &str, property: &Value) -> Self {
        Self {
            name: name.into(),
            unit: property["unit"].as_str().map(Into::into),
            schema: Schema::read(property),
            read_only: property["readOnly"] == true,
            write_only: property["writeOnly"] == true,
            observable: property["observable"] == true,
        }
    }
}

impl Action {
    fn read(name: &str, action: &Value) -> Self {
        Self {
            name: name.into(),
            input: action.get("input").map(Schema::read),
            output: action.get("output").map(Schema::read),
            safe: action["safe"] == true,
            idempotent: action["idempotent"] == true,
            synchronous: action["synchronous"].as_bool(),
        }
    }
}

impl Event {
    fn read(name: &str, event: &Value) -> Self {
        let schema = |part: &str| event.get(part).map(Schema::read);
        Self {
            name: name.into(),
            subscription: schema("subscription"),
            data: schema("data"),
            data_response: schema("dataResponse"),
            cancellation: schema("cancellation"),
        }
    }
}

fn each<T>(td: &Value, kind: &str, read: fn(&str, &Value) -> T) -> Box<[T]> {
    let members = td[kind].as_object().into_iter().flatten();
    let mut members: Vec<(&String, &Value)> = members.collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    let members = members.into_iter();
    members
        .map(|(name, affordance)| read(name, affordance))
        .collect()
}

fn find<'a, T>(list: &'a [T], name: &str, name_of: fn(&T) -> &str) -> Option<&'a T> {
    let index = list.binary_search_by(|one| name_of(one).cmp(name)).ok()?;
    Some(&list[index])
}

/// Affordances that many things have in common, each kept once. Its owner has one for all of its
/// descriptions.
#[derive(Default, Debug)]
pub struct Interner {
    known: HashSet<Arc<Affordances>>,
    /// When this many are known, those that nobody has any more are forgotten.
    sweep_at: usize,
}

impl Interner {
    /// The same affordances, shared with all who were given the like.
    pub(crate) fn share(&mut self, affordances: Affordances) -> Arc<Affordances> {
        if let Some(known) = self.known.get(&affordances) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.sweep_at {
            self.known.retain(|known| Arc::strong_count(known) > 1);
            self.sweep_at = 2 * self.known.len() + 16;
        }
        let affordances = Arc::new(affordances);
        self.known.insert(Arc::clone(&affordances));
        affordances
    }

    /// How many different sets of affordances are kept.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}
