//! What a scenario made: written down at its own element before it is made.

use std::collections::BTreeSet;

use anyhow::Context;
use quartet_scenario::Package;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::thing;
use crate::client::Asker;

/// The member of its description in which it stands.
pub(super) const MEMBER: &str = "quartet:scenario";

/// What a scenario made, by sort.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub(crate) struct Made {
    /// What the scenario is called.
    pub(crate) name: String,
    /// Which version of it.
    pub(crate) version: String,
    /// Elements that it described.
    pub(crate) elements: BTreeSet<String>,
    /// Elements that announce themselves.
    pub(crate) announced: BTreeSet<String>,
    /// Elements as which somebody comes in.
    pub(crate) clients: BTreeSet<String>,
    /// Roles.
    pub(crate) roles: BTreeSet<String>,
    /// Signals.
    pub(crate) signals: BTreeSet<String>,
    /// Flows.
    pub(crate) flows: BTreeSet<String>,
    /// Topics at which something stays.
    pub(crate) retained: BTreeSet<String>,
    /// Topics that its simulation uses, as filters.
    pub(crate) topics: BTreeSet<String>,
}

impl Made {
    /// What a package makes.
    pub(crate) fn of(package: &Package) -> Self {
        let by = |announced| {
            let elements = package.elements.iter();
            let some = elements.filter(move |element| element.announced == announced);
            some.map(|element| element.key.clone()).collect()
        };
        let world = package.world.as_ref();
        let clients = world.map_or(&[][..], |world| world.clients());
        let signals = package.signals.as_ref().map(|(_, names)| names.clone());
        Self {
            name: package.name.clone(),
            version: package.version.clone(),
            elements: by(false),
            announced: by(true),
            clients: clients.iter().map(|one| one.element.clone()).collect(),
            roles: package.roles.keys().cloned().collect(),
            signals: signals.into_iter().flatten().collect(),
            flows: package.flows.iter().map(|flow| flow.name.clone()).collect(),
            retained: world
                .map(|world| world.retained().into_iter().map(str::to_owned).collect())
                .unwrap_or_default(),
            topics: clients.iter().flat_map(|one| one.topics.clone()).collect(),
        }
    }

    /// Each of its sets, beside that of another.
    fn beside<'m>(
        &'m mut self,
        other: &'m Self,
    ) -> [(&'m mut BTreeSet<String>, &'m BTreeSet<String>); 8] {
        [
            (&mut self.elements, &other.elements),
            (&mut self.announced, &other.announced),
            (&mut self.clients, &other.clients),
            (&mut self.roles, &other.roles),
            (&mut self.signals, &other.signals),
            (&mut self.flows, &other.flows),
            (&mut self.retained, &other.retained),
            (&mut self.topics, &other.topics),
        ]
    }

    /// Both together.
    pub(super) fn and(mut self, other: &Self) -> Self {
        for (own, more) in self.beside(other) {
            own.extend(more.iter().cloned());
        }
        self
    }

    /// What of this is not in another.
    pub(super) fn without(mut self, other: &Self) -> Self {
        for (own, less) in self.beside(other) {
            own.retain(|one| !less.contains(one));
        }
        self
    }

    /// What is written down in the description of a scenario's element.
    fn read(description: &Value) -> Option<Self> {
        serde_json::from_value(description.get(MEMBER)?.clone()).ok()
    }
}

/// What of a scenario is written down in a hub; nothing if it is not there.
pub(crate) fn there(hub: &Asker, name: &str) -> anyhow::Result<Option<Made>> {
    let path = thing(&Package::key(name));
    let found = hub.find(&path)?;
    let made = found.as_ref().and_then(Made::read);
    match (found, made) {
        (None, _) => Ok(None),
        (Some(_), Some(made)) => Ok(Some(made)),
        (Some(_), None) => Err(anyhow::anyhow!(
            "`{}` is there and is not of a scenario; call that, or the scenario, something else",
            Package::key(name)
        )),
    }
    .context("what a scenario made is written down at its own element")
}
