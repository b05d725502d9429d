//! What elements reported lately, for those who ask how it came to what it is now.

use quartet_data::Excerpt;
use quartet_model::{Address, Aspect, Event, Time};

use super::Flow;
use crate::config::Limits;

/// What of the memory for recent values is for each lane.
pub(super) const fn share(limits: &Limits, lanes: usize) -> usize {
    limits.recent_values_bytes_max / lanes
}

impl Flow {
    /// What an element of this lane reports is noted. What has no description has no series either, and
    /// plain topics do not come here.
    pub(super) fn note_value(&mut self, event: &Event, now: Time) {
        let Some(key) = Address::element_of(&event.topic) else {
            return;
        };
        let is_description = key.len() == event.topic.len();
        if is_description || self.elements.has(key) {
            let retained = &self.retained;
            let said = |topic: &str| retained.at(topic, now);
            quartet_data::step(&mut self.values, event, &said);
        }
    }

    /// What is known of a property of an element of this lane, or of the member of it at a JSON pointer,
    /// from one time to another: to be asked elsewhere, so that nothing waits for it.
    pub fn values(
        &self,
        key: &str,
        property: &str,
        pointer: &str,
        (from, to): (Time, Time),
        now: Time,
    ) -> Option<Excerpt> {
        let name = format!("{property}{pointer}");
        if self.values.has(key, &name) {
            return self.values.excerpt(key, &name, from, to);
        }
        let address = Address::read(key).ok()?.with(Aspect::Property(property));
        if self.values.is_off() || !quartet_data::is_noted(&address) {
            return None;
        }
        let retained = self.said_at(&address.to_string(), now)?;
        Excerpt::of_report(&retained, pointer, self.values.begun())
    }

    /// The JSON pointers of the members of a property of which values are known.
    pub fn members_of_values(&self, key: &str, property: &str) -> Vec<String> {
        self.values.members(key, property)
    }

    /// Whether no values are noted at all.
    pub fn notes_no_values(&self) -> bool {
        self.values.is_off()
    }
}
