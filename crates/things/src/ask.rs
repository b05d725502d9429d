use serde_json::Value;

use crate::{Reported, Things};

impl Things {
    /// The ids of all things.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(|id| &**id)
    }

    /// What a thing is.
    pub fn description(&self, id: &str) -> Option<&Value> {
        self.by_id.get(id).map(|thing| &thing.description)
    }

    /// What a thing last said of a property.
    pub fn property(&self, id: &str, name: &str) -> Option<&Reported> {
        self.by_id.get(id)?.properties.get(name)
    }

    /// What a thing last said of each property.
    pub fn properties(&self, id: &str) -> impl Iterator<Item = (&str, &Reported)> {
        self.by_id
            .get(id)
            .into_iter()
            .flat_map(|thing| &thing.properties)
            .map(|(name, reported)| (&**name, reported))
    }
}
