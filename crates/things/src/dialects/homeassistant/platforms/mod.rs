//! What each of Home Assistant's platforms has: its properties, actions and events, and where they
//! are said to be. Words and defaults as in its documentation of each MQTT platform.

mod basic; // one value, or one press

use super::entity::{Entity, Words};
use crate::td::Problem;

type Describe = fn(&mut Entity<'_>) -> Result<(), Problem>;

/// Adds the affordances of a platform.
pub(super) fn describe(component: &str, entity: &mut Entity<'_>) -> Result<(), Problem> {
    match of(component) {
        Some(describe) => describe(entity),
        None => Ok(()),
    }
}

/// Whether there is such a platform.
pub(super) fn is_known(component: &str) -> bool {
    of(component).is_some()
}

fn of(component: &str) -> Option<Describe> {
    Some(match component {
        "binary_sensor" => basic::binary_sensor,
        "button" => basic::button,
        "date" => basic::date,
        "datetime" => basic::datetime,
        "notify" => basic::notify,
        "number" => basic::number,
        "scene" => basic::scene,
        "select" => basic::select,
        "sensor" => basic::sensor,
        "switch" => basic::switch,
        "text" => basic::text,
        "time" => basic::time,
        "update" => basic::update,
        _ => return None,
    })
}

/// The payloads that turn something on and off.
fn on_and_off(entity: &Entity<'_>, on: &str, off: &str) -> Result<Words, Problem> {
    let on = entity.config.text_or(on, "ON")?;
    Ok(vec![
        (on, true.into()),
        (entity.config.text_or(off, "OFF")?, false.into()),
    ])
}

/// The words of states that are reported as something else: member and state, which is the word
/// itself if nothing else is said.
fn states(entity: &Entity<'_>, states: &[(&str, &str)]) -> Result<Words, Problem> {
    let word = |(member, state): &(&str, &str)| {
        Ok((entity.config.text_or(member, state)?, (*state).into()))
    };
    states.iter().map(word).collect()
}
