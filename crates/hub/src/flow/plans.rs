//! Pictures of floor plans: a place has another one, and its description says which.
//!
//! What is said follows from what is retained, so whatever is followed again says nothing twice.

use std::sync::Arc;

use bytestring::ByteString;
use quartet_fabric::mqtt::{Properties, Property};
use quartet_model::{Effect, Event, Time};
use quartet_things::plan;

use super::{
    Carried, Flow,
    keep::{Waiting, shard_of_topic},
};

impl Flow {
    /// A place of this lane may have another picture.
    pub(super) fn step_plan(&mut self, event: Carried<'_>, now: Time) {
        if plan::place_at(&event.topic).is_some() {
            self.say_pictured(&event.shared(), now);
        }
    }

    /// Lets the description of a place say which picture it has.
    pub(super) fn say_pictured(&mut self, picture: &Arc<Event>, now: Time) {
        let Some(place) = plan::place_at(&picture.topic) else {
            return;
        };
        if self.is_on_its_way(place) {
            // Another description may be among that, and would be lost.
            return self.wait(Waiting::Pictured(Arc::clone(picture)), now);
        }
        let Some(before) = self.said_at(place, now) else {
            return; // The place is gone.
        };
        let kept = self.said_at(&picture.topic, now);
        let image = kept.as_ref().and_then(plan_image);
        match plan::described(&before, image.as_deref(), now) {
            Ok(Some(said)) => {
                let shard = shard_of_topic(place);
                self.settle(vec![Effect::Emit(said)], Some((picture, shard)), now);
            }
            Ok(None) => {} // It says so already.
            Err(why) => tracing::warn!(place, %why, "the picture of its plan cannot be named"),
        }
    }

    /// What follows when a place was forgotten: so is the picture of its plan.
    pub(super) fn without_plan(&self, place: &str, now: Time) -> Option<Effect> {
        let kept = self.said_at(&plan::topic_of(place), now)?;
        let place = plan::place_at(&kept.topic)?;
        Some(Effect::Emit(plan::removed(place)))
    }
}

/// What a description says of a picture, as it was kept with it.
pub fn plan_image(picture: &Event) -> Option<ByteString> {
    if picture.payload.is_empty() {
        return None;
    }
    Properties::of_wire(&picture.properties).find(|property| match property {
        Property::UserProperty(name, value) if **name == *plan::IMAGE => Some(value.clone()),
        _ => None,
    })
}
