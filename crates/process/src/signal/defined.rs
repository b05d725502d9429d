use std::{sync::Arc, time::Duration};

use crate::{
    expr::Pattern,
    language::{Expr, Template},
    names,
    problem::Place,
};

/// A signal as it was defined. Clones share it.
#[derive(Clone, Debug)]
pub struct Signal(pub(super) Arc<Defined>);

/// See [`Signal`].
#[derive(Debug)]
pub(super) struct Defined {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) title: Option<String>,
    pub(super) of: Whom,
    pub(super) kind: Kind,
    /// How long it must be so before the signal begins.
    pub(super) wait: Duration,
    /// It counts only while this holds.
    pub(super) when: Option<Condition>,
    /// What is told with an edge.
    pub(super) data: Option<Template>,
    /// What `data` reads; `None` if all.
    pub(super) data_fields: Option<Vec<String>>,
    /// It counts only since an edge of this signal began.
    pub(super) after: Option<String>,
    pub(super) inputs: Inputs,
}

/// Whom a signal looks at.
#[derive(Clone, Debug)]
pub enum Whom {
    /// Elements by name.
    Named(Vec<Name>),
    /// Things of this `@type`. The hub knows which these are.
    Type(String),
    /// What is in this place, by its key. The hub knows what that is.
    In(String),
}

/// A name of an element, or a pattern that names must fit.
#[derive(Clone, Debug)]
pub enum Name {
    /// This one.
    Is(String),
    /// All that fit, and the pattern as it was written.
    Fits(String, Pattern),
}

/// What is looked at.
#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// A number is above `level`, until it is not above `clear`.
    Above {
        /// Of this property.
        property: String,
        /// It begins above this.
        level: f64,
        /// It ends at this, or below.
        clear: f64,
    },
    /// A number is below `level`, until it is not below `clear`.
    Below {
        /// Of this property.
        property: String,
        /// It begins below this.
        level: f64,
        /// It ends at this, or above.
        clear: f64,
    },
    /// A number is not between `low` and `high`, until it is by at least `margin`.
    Outside {
        /// Of this property.
        property: String,
        /// It begins below this.
        low: f64,
        /// It begins above this.
        high: f64,
        /// It ends so far inside.
        margin: f64,
    },
    /// A property has another value than before. Each change is one edge.
    Changed {
        /// This property.
        property: String,
    },
    /// Nothing is heard of a property or an event.
    Absent {
        /// Of this name.
        of: String,
        /// It begins to count when the element is known, not with the first reading.
        is_from_known: bool,
    },
    /// A number rises or falls so fast, from one reading to the next.
    Rate {
        /// Of this property.
        property: String,
        /// More than this in `per`.
        above: Option<f64>,
        /// Or less than this in `per`; below 0 it falls.
        below: Option<f64>,
        /// The unit of time.
        per: Duration,
    },
    /// A property or an event was heard so often.
    Count {
        /// Of this name.
        of: String,
        /// So often.
        at_least: usize,
        /// In so much time: what is exactly so old still counts.
        within: Duration,
        /// Only those of which this holds; `.` is what was heard.
        only: Option<Expr>,
    },
    /// Conditions became true one after another. Each time is one edge.
    Sequence {
        /// In this order.
        steps: Vec<Condition>,
        /// In so much time from the first to the last.
        within: Duration,
    },
    /// It is in a place, by its key.
    Inside(String),
    /// It is not in a place, by its key.
    NotInside(String),
    /// Whatever is written.
    Expr(Condition),
}

/// A condition on the properties of an element.
#[derive(Clone, PartialEq, Debug)]
pub struct Condition {
    /// What must hold.
    pub expr: Expr,
    /// The properties that it reads; `None` if all.
    pub fields: Option<Vec<String>>,
}

/// What a signal must be shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inputs {
    /// Properties, by name, in order.
    pub properties: Vec<String>,
    /// Events, by name, in order. What may be either stands in both lists.
    pub events: Vec<String>,
    /// Whether any property may matter.
    pub all_properties: bool,
}

/// The property in which an element says in which places it is: a list of `{"place": "places/x"}`.
pub(super) const INSIDE: &str = "inside";

impl Signal {
    /// Its name, which is the type of the events that tell of it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What a person calls it.
    pub fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    /// Where it stands in the text.
    pub fn place(&self) -> Place {
        self.0.place
    }

    /// Whom it looks at.
    pub fn of(&self) -> &Whom {
        &self.0.of
    }

    /// What is looked at.
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// The signal after whose edges it counts.
    pub fn after(&self) -> Option<&str> {
        self.0.after.as_deref()
    }

    /// What it must be shown.
    pub fn inputs(&self) -> &Inputs {
        &self.0.inputs
    }

    /// Whether its edges have no end.
    pub fn is_momentary(&self) -> bool {
        matches!(self.0.kind, Kind::Changed { .. } | Kind::Sequence { .. })
    }

    /// Whether it names the element of this key. What is meant by type or by place is known to the
    /// hub alone: never here.
    pub fn is_of(&self, key: &str) -> bool {
        let Whom::Named(names) = &self.0.of else {
            return false;
        };
        let called = names::name_of(key);
        names.iter().any(|name| match name {
            Name::Is(name) => names::key_of(name).as_deref() == Some(key),
            Name::Fits(_, pattern) => pattern.is_match(&called) || pattern.is_match(key),
        })
    }
}

impl Inputs {
    /// Whether a reading of this property, or an event, may matter.
    pub fn has(&self, name: &str, is_event: bool) -> bool {
        let is_in = |names: &[String]| names.iter().any(|known| known == name);
        match is_event {
            true => is_in(&self.events),
            false => self.all_properties || is_in(&self.properties),
        }
    }
}

impl Kind {
    /// The name of the one property or event that it looks at, if it is one.
    pub(super) fn primary(&self) -> Option<&str> {
        match self {
            Self::Above { property, .. }
            | Self::Below { property, .. }
            | Self::Outside { property, .. }
            | Self::Changed { property }
            | Self::Rate { property, .. } => Some(property),
            Self::Absent { of, .. } | Self::Count { of, .. } => Some(of),
            Self::Inside(_) | Self::NotInside(_) => Some(INSIDE),
            Self::Sequence { .. } | Self::Expr(_) => None,
        }
    }

    /// Whether it looks at this reading itself, and not only whoever guards it.
    pub(super) fn looks_at(&self, name: &str, is_event: bool) -> bool {
        match self {
            Self::Absent { of, .. } | Self::Count { of, .. } => of == name,
            Self::Sequence { steps, .. } => {
                !is_event && steps.iter().any(|step| step.looks_at(name))
            }
            Self::Expr(condition) => !is_event && condition.looks_at(name),
            _ => !is_event && self.primary() == Some(name),
        }
    }
}

impl Condition {
    pub(super) fn looks_at(&self, name: &str) -> bool {
        let fields = self.fields.as_ref();
        fields.is_none_or(|fields| fields.iter().any(|known| known == name))
    }
}

/// A signal is shared between threads.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Signal>();
};
