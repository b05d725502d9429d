use std::sync::Arc;

use quartet_model::{Address, Aspect, Event, Kind, Time};

use crate::{Excerpt, Head, chunk::Open, value::each};

/// The property that says where something is: one after the other that would be where it has been, which is more than whoever may
/// see the property may know.
const POSITION: &str = "position";

/// Whether values of a property are noted. Of persons nothing is: how somebody is now is said to others,
/// how that was over the day would be a record of a life.
pub fn is_noted(address: &Address<'_>) -> bool {
    let Aspect::Property(name) = address.aspect else {
        return false;
    };
    name != POSITION && !matches!(address.kind, Kind::Person | Kind::Team)
}

/// What a report of an element adds, and that nothing stays of one that is no more. `said` is what is
/// retained at its topic, before this event: with that a series begins.
///
/// The element has a description.
pub fn step(head: &mut Head, event: &Event, said: &dyn Fn(&str) -> Option<Event>) {
    let (Ok(address), Some(key)) = (
        Address::read(&event.topic),
        Address::element_of(&event.topic),
    ) else {
        return;
    };
    if address.aspect == Aspect::Description && event.payload.is_empty() {
        head.forget(key);
    }
    if head.is_off() || !is_noted(&address) {
        return;
    }
    let Aspect::Property(name) = address.aspect else {
        return;
    };
    each(&event.payload, |pointer, value| {
        let member;
        let series = match pointer {
            "" => name,
            pointer => {
                member = format!("{name}{pointer}");
                &member
            }
        };
        if !head.has(key, series)
            && let Some(before) = said(&event.topic).filter(|before| before.id < event.id)
        {
            each(&before.payload, |other, value| {
                if other == pointer {
                    head.note(key, series, before.id.at, value);
                }
            });
        }
        head.note(key, series, event.id.at, value);
    });
}

impl Excerpt {
    /// What is retained at a property, or at a pointer in it, of which nothing was reported since `since`.
    pub fn of_report(event: &Event, pointer: &str, since: Time) -> Option<Self> {
        let mut open = Open::default();
        each(&event.payload, |at, value| {
            if at == pointer && open.chunk.count == 0 {
                let noted = open.push(event.id.at, value);
                noted.expect("an empty chunk has room");
            }
        });
        let chunk = open.seal();
        (0 < chunk.count).then(|| Self {
            chunks: vec![Arc::new(chunk)],
            since: since.max(event.id.at),
        })
    }
}

#[cfg(test)]
mod tests {
    use quartet_model::{Actor, EventId, Said};

    use super::*;

    fn reported(s: u64, topic: &str, payload: &str) -> Event {
        let id = EventId {
            at: Time::from_micros(s * 1_000_000),
            serial: 0,
        };
        Event::new(
            id,
            Actor::Api,
            Said::state(topic.to_owned(), payload.to_owned()),
        )
    }

    fn nothing(_: &str) -> Option<Event> {
        None
    }

    #[test]
    fn a_series_begins_with_what_was_there_before_it() {
        let mut head = Head::new(1 << 20, 0);
        head.begin(Time::from_micros(100_000_000));
        let before = |topic: &str| Some(reported(3, topic, "20"));
        step(
            &mut head,
            &reported(200, "things/a/properties/t", "21"),
            &before,
        );
        step(
            &mut head,
            &reported(201, "things/a/properties/t", "22"),
            &before,
        );
        let excerpt = head.excerpt("things/a", "t", Time::ZERO, Time::NEVER);
        let excerpt = excerpt.expect("it was reported");
        assert_eq!(excerpt.since, head.begun());
        let points = excerpt.chunks.iter().flat_map(|chunk| chunk.points());
        let points: Vec<_> = points
            .map(|(at, value)| (at.as_micros() / 1_000_000, value.to_json()))
            .collect();
        assert_eq!(points, [(3, 20.into()), (200, 21.into()), (201, 22.into())]);
    }

    #[test]
    fn what_is_no_report_of_a_property_is_not_noted() {
        let mut head = Head::new(1 << 20, 0);
        for topic in [
            "things/a",
            "things/a/events/hot",
            "things/a/properties/t/write",
            "things/a/properties/t/desired",
            "things/a/properties/position",
            "people/ana/properties/pulse",
            "teams/night/properties/size",
            "zigbee2mqtt/lamp",
        ] {
            step(&mut head, &reported(1, topic, "21"), &nothing);
        }
        assert_eq!(head.figures().series, 0);
        step(
            &mut head,
            &reported(1, "places/a/properties/t", "21"),
            &nothing,
        );
        assert_eq!(head.figures().series, 1);
    }

    #[test]
    fn of_what_was_not_reported_since_the_start_that_is_known_which_is_retained() {
        let retained = reported(3, "things/a/properties/m", r#"{"x": 1}"#);
        let begun = Time::from_micros(100_000_000);
        let excerpt = Excerpt::of_report(&retained, "/x", begun).expect("it is a number");
        assert_eq!((excerpt.since, excerpt.chunks[0].count), (begun, 1));
        assert!(Excerpt::of_report(&retained, "", begun).is_none());
        assert!(Excerpt::of_report(&retained, "/y", begun).is_none());
    }

    #[test]
    fn one_that_is_no_more_leaves_nothing() {
        let mut head = Head::new(1 << 20, 0);
        step(
            &mut head,
            &reported(1, "things/a/properties/t", r#"{"x": 1, "y": 2}"#),
            &nothing,
        );
        assert_eq!(head.figures().series, 2);
        step(&mut head, &reported(2, "things/a", ""), &nothing);
        assert_eq!(head.figures(), crate::Figures::default());
    }
}
