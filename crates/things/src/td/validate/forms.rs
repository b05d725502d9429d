use serde_json::Value;

use super::{elements, members};

/// A form, where it is, and what it belongs to.
pub(super) struct Form<'a> {
    /// As `Problem::field`.
    pub(super) field: String,
    pub(super) form: &'a Value,
    /// Its property, action or event; nothing for a form of the whole thing.
    pub(super) affordance: Option<&'a Value>,
}

/// The members of a thing that hold affordances.
pub(super) const AFFORDANCES: [&str; 3] = ["properties", "actions", "events"];

/// All properties, actions and events, each with its field.
pub(super) fn affordances(thing: &Value) -> impl Iterator<Item = (String, &Value)> {
    AFFORDANCES.into_iter().flat_map(move |kind| {
        members(thing, kind).map(move |(name, affordance)| (format!("{kind}.{name}"), affordance))
    })
}

/// All forms, of the thing and of its affordances.
pub(super) fn forms(thing: &Value) -> impl Iterator<Item = Form<'_>> {
    let own = elements(thing, "forms").map(|(index, form)| Form {
        field: format!("forms.{index}"),
        form,
        affordance: None,
    });
    let others = affordances(thing).flat_map(|(field, affordance)| {
        elements(affordance, "forms").map(move |(index, form)| Form {
            field: format!("{field}.forms.{index}"),
            form,
            affordance: Some(affordance),
        })
    });
    own.chain(others)
}
