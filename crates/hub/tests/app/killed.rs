//! The hub is killed while a person taps: what the page took as done is done, once, and the page
//! finds the hub again by itself.

use serde_json::json;

use super::{comes_in, house, is_on, turn};
use crate::support::{Listener, Told, until};

#[test]
fn no_tap_that_was_confirmed_is_lost_when_the_hub_is_killed() {
    let (mut hub, (user, password)) = house();
    hub.stays();
    let at = hub.at("mqtt://");
    let wishes = [
        "things/lamp/properties/on/write",
        "things/lamp/actions/blink",
    ];
    let mut lamp = Listener::open_as(at, "lamp", Some((&user, &password)), &wishes);
    lamp.says("things/lamp/properties/on", "false");
    let mut ana = comes_in(&hub, "/app/things/lamp");
    is_on(&mut ana, false);
    ana.does(json!({ "do": "hub comes and goes" }));
    let mut heard = Vec::new();
    for round in 0..6 {
        let wanted = round % 2 == 0;
        turn(&mut ana);
        ana.presses("Blink");
        if round % 3 != 2 {
            // The hub has both; the lamp may not.
            ana.does(json!({ "do": "await sent" }));
        }
        hub.die_and_begin_again();
        lamp.leave();
        lamp.come(at).expect("the hub is up");
        ana.does(json!({ "do": "await sent" }));
        until("the lamp to hear both", || {
            heard.extend(lamp.until_now());
            round < blinks(&heard).len() && round < writes(&heard).len()
        });
        lamp.says("things/lamp/properties/on", &wanted.to_string());
        is_on(&mut ana, wanted);
    }
    assert_eq!(blinks(&heard), [""; 6], "each blink is asked for once");
    let wanted = ["true", "false", "true", "false", "true", "false"];
    assert_eq!(writes(&heard), wanted, "no tap is lost, none comes later");
}

fn of<'h>(heard: &'h [Told], topic: &str) -> Vec<&'h str> {
    let of = heard.iter().filter(|told| told.topic.ends_with(topic));
    of.map(|told| &*told.payload).collect()
}

fn blinks(heard: &[Told]) -> Vec<&str> {
    of(heard, "blink")
}

/// What was heard in the moment in which the hub died is perhaps said again when the lamp comes back: that means
/// the same, unlike another blink.
fn writes(heard: &[Told]) -> Vec<&str> {
    let mut writes = of(heard, "write");
    writes.dedup();
    writes
}
