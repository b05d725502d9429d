//! The office, from the first start of a hub to its outcome: its owner and its people in browsers of
//! their own, with lamps, switches, sensors and heating that are clients of MQTT.

use serde_json::json;

use super::{LISTENERS, is_accessible, told};
use crate::{
    people::browser::{PASSWORD, Person, link},
    support::Hub,
};

/// Opens an account by a link, and is in the app.
pub(super) fn opens_account(hub: &Hub, path: &str, name: &str) -> Person {
    let mut person = Person::at(hub);
    person.does(json!({ "do": "go", "path": path }));
    person.fills("Your name", name);
    person.fills("Password", PASSWORD);
    person.presses("Create my account");
    person.is_at("/app/");
    person
}

/// The path of the link of one of the office's people, as the page shows it.
pub(super) fn link_of(owner: &mut Person, name: &str) -> String {
    let link = told(owner, &format!("The link of {name}"));
    let start = link.find("/start#").expect("it is a link");
    link[start..].to_owned()
}

fn shows(person: &mut Person, switch: &str, is: bool) {
    person.does(json!({ "do": "await switch", "switch": switch, "is": is }));
}

fn turns(person: &mut Person, switch: &str) {
    person.does(json!({ "do": "turn", "switch": switch }));
}

#[test]
fn from_the_first_start_to_an_office_in_which_a_person_wins_and_a_cleaner_sees_no_figure() {
    let hub = Hub::closed(&LISTENERS);
    let mut mia = opens_account(&hub, &link(&hub), "Mia");
    mia.sees("What shall be here?");
    mia.follows("Show me a place An office that is simulated, to see what a hub does; it goes without a trace");
    mia.is_at("/app/set-up/scenario");
    mia.sees("An office that looks after itself");
    mia.presses("Show it");
    mia.sees("Come in as one of them");
    mia.sees("It runs, 60 times as fast");
    let [ana, ben, cleo] = ["Ana", "Ben", "Cleo"].map(|name| link_of(&mut mia, name));
    is_accessible(&mut mia, "a scenario that runs");

    // Nobody is in the kitchen, which is found out once; afterwards its lamp is left alone.
    mia.opens("/app/journeys");
    mia.sees("Nobody was in the room for a while: office/103/sensor");

    // A lamp of Zigbee2MQTT is switched in Ana's browser, and by the switch on the wall without anybody.
    let lamp = "office/103/lamp: State";
    let mut ana = opens_account(&hub, &ana, "Ana");
    ana.opens("/app/places/office-103");
    shows(&mut ana, lamp, false);
    turns(&mut ana, lamp);
    ana.does(json!({ "do": "await sent" }));
    shows(&mut ana, lamp, true);
    let press = json!({ "do": "ask", "method": "POST", "path": "/api/publish/zigbee2mqtt/office/103/switch?qos=1", "body": { "action": "toggle" } });
    assert_eq!(mia.does(press), 202);
    shows(&mut ana, lamp, false);

    // Ben wants it warmer than comfort does, and says why. That wins, and Ana sees who and why; it is
    // not hers to say.
    let mut ben = opens_account(&hub, &ben, "Ben");
    ben.opens("/app/things/office-hvac");
    ben.fills("How warm it is to be", "26");
    ben.fills("Why (may be left out)", "The board is here");
    ben.presses("Set it for a while, and say why");
    ben.sees("The board is here");
    ana.opens("/app/things/office-hvac");
    ana.sees("The board is here");
    ana.sees("people/office-ben");
    ana.sees("Not for you to ask");

    // Cleo sees lamps and switches; no figure of energy ever reaches her browser.
    let mut cleo = opens_account(&hub, &cleo, "Cleo");
    cleo.does(json!({ "do": "record" }));
    for path in [
        "/app/",
        "/app/places",
        "/app/places/office-floor-1",
        "/app/things/office-meter",
        "/app/things/office-hvac",
        "/app/processes/scenario-office",
        "/app/journeys",
        "/app/places/office-103",
    ] {
        cleo.does(json!({ "do": "go", "path": path }));
        cleo.does(json!({ "do": "await quiet" }));
    }
    cleo.sees("office/103/lamp");
    mia.opens("/app/things/office-meter");
    mia.sees("kWh");
    ana.opens("/app/places/office-103");
    shows(&mut ana, lamp, false);
    turns(&mut ana, lamp);
    cleo.sees("On");
    let figures = [
        "\"energy\":",
        "\"power\":",
        "energyWithout",
        "kW",
        "office/meter",
    ];
    let recorded = cleo.does(json!({ "do": "recorded", "any": figures }));
    assert_eq!(recorded["found"], json!([]), "{recorded}");
    assert!(5 < recorded["count"].as_u64().unwrap_or(0), "{recorded}");

    // It goes without a trace.
    mia.opens("/app/set-up/scenario");
    mia.presses("Remove it without a trace");
    mia.sees("How fast its clock goes");
    mia.opens("/app/");
    mia.sees("What shall be here?");
}
