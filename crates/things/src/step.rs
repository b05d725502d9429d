use bytes::Bytes;
use quartet_model::{Address, Affordance, Effects, Event, Kind, Time};

use crate::{Reported, Things};

/// A property that a declared thing reports becomes part of its twin. What is said of things
/// that nobody declared is ordinary traffic.
pub fn step(things: &mut Things, event: &Event, now: Time, _effects: &mut Effects) {
    let Ok(address) = event.topic.parse::<Address>() else {
        return;
    };
    if address.kind != Kind::Thing
        || address.affordance != Affordance::Property
        || address.rest.is_some()
    {
        return;
    }
    if let Some(thing) = things.by_id.get_mut(&address.id) {
        let reported = Reported {
            payload: Bytes::copy_from_slice(&event.payload),
            at: now,
            event: event.id,
        };
        thing.properties.insert(address.name, reported);
    }
}
