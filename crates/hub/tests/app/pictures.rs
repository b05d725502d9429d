//! The pictures of the docs: the first hour as docs/first-hour.md tells it, and each page that it
//! shows. Without a folder for them (`QUARTET_PICTURES`) it is a test like any other.

use std::{env, path::PathBuf};

use serde_json::json;

use super::{
    LISTENERS,
    office::{link_of, opens_account},
    told,
};
use crate::{
    people::browser::{Person, link},
    support::{Hub, Raw},
};

const DESKTOP: (u32, u32) = (1280, 800);
const PHONE: (u32, u32) = (390, 844);

/// Where pictures go, if anybody wants them.
struct Album(Option<PathBuf>);

impl Album {
    fn open() -> Self {
        let folder = env::var_os("QUARTET_PICTURES").map(PathBuf::from);
        // Tests run in the folder of their crate; who says a folder means the one of the repository.
        Self(folder.map(|folder| PathBuf::from("../..").join(folder)))
    }

    /// Takes what the window shows of the page, which is not wider than it.
    #[track_caller]
    fn light(&self, person: &mut Person, name: &str, size: (u32, u32)) {
        self.take(person, name, size, false);
    }

    #[track_caller]
    fn dark(&self, person: &mut Person, name: &str, size: (u32, u32)) {
        self.take(person, name, size, true);
    }

    #[track_caller]
    fn take(&self, person: &mut Person, name: &str, (width, height): (u32, u32), dark: bool) {
        let Some(folder) = &self.0 else { return };
        let file = folder.join(format!("{name}.png"));
        person.does(json!({ "do": "await quiet" }));
        let excess = person.does(json!({
            "do": "picture", "file": file, "width": width, "height": height, "dark": dark, "window": true,
        }));
        assert_eq!(excess, 0, "{name} is too wide");
    }
}

/// The first flow, as the page has it.
fn first_flow() -> &'static str {
    let page = include_str!("../../../../docs/first-hour.md");
    let (_, below) = page.split_once("```yaml\n").expect("it shows a flow");
    below.split_once("```").expect("which ends").0
}

#[test]
fn the_first_hour_goes_as_the_docs_tell_and_show_it() {
    let album = Album::open();
    let hub = Hub::closed(&LISTENERS);
    let mut mia = opens_account(&hub, &link(&hub), "Mia");
    mia.sees("What shall be here?");
    mia.opens("/app/set-up/scenario");
    mia.presses("Show it");
    mia.sees("It runs, 60 times as fast");
    let ben = link_of(&mut mia, "Ben");

    mia.opens("/app/set-up");
    mia.sees("Show me a place");
    album.light(&mut mia, "set-up", PHONE);

    // Something of one's own.
    mia.opens("/app/set-up/connect/new");
    mia.fills("What is it called?", "Cellar");
    mia.presses("Make its password");
    mia.sees("Waiting for its first message");
    let (user, password) = (told(&mut mia, "User name"), told(&mut mia, "Password"));
    let mut cellar = Raw::silent(hub.at("mqtt://"), 4);
    cellar.connect_as("cellar", (&user, &password), None);
    cellar.publish("things/cellar/properties/temperature", b"21.5");
    mia.sees("It works: this is what it says");
    mia.sees("21.5");
    album.light(&mut mia, "connect", DESKTOP);

    // The first flow: an event that does not start it, and one that does.
    mia.opens("/app/flows/new");
    mia.fills("Definition of the flow, as YAML", first_flow());
    mia.sees("it can be deployed as home.warm-cellar");
    mia.presses("What would it do?");
    mia.sees("The event would not start it");
    let event = json!({ "type": "io.ioe.thing.property", "subject": "cellar", "data": { "name": "temperature", "value": 26 } });
    mia.fills("With this event", &format!("{event:#}"));
    mia.presses("What would it do?");
    mia.sees("write state = true of 0xa4c1380001030011");
    album.light(&mut mia, "flow-editor", DESKTOP);
    mia.presses("Deploy");
    mia.is_at("/app/flows/home.warm-cellar");
    cellar.publish("things/cellar/properties/temperature", b"26");
    mia.sees("write state = true of 0xa4c1380001030011");

    // A right: what Ben may before and after.
    mia.opens("/app/set-up/right");
    let pick = |field: &str, text: &str| json!({ "do": "pick", "field": field, "text": text });
    mia.does(pick("Who", "ben"));
    mia.does(json!({ "do": "choose", "field": "Is", "option": "Viewer" }));
    mia.does(pick("Of", "cellar"));
    mia.sees("No, Ben may not");
    mia.presses("Grant it");
    mia.sees("Yes, now: Ben may");
    album.light(&mut mia, "right", DESKTOP);

    // Ben wants it otherwise, which wins, and is a journey.
    let mut ben = opens_account(&hub, &ben, "Ben");
    let warmer = json!({ "temperature": 23, "why": "Visitors from the south" });
    let path = "/api/things/office-hvac/actions/override";
    let asks = json!({ "do": "ask", "method": "POST", "path": path, "body": warmer });
    assert_eq!(ben.does(asks), 201);
    ben.opens("/app/things/office-hvac");
    ben.sees("Visitors from the south");
    ben.sees("ByBen");
    album.dark(&mut ben, "heating", PHONE);
    mia.opens("/app/flows/office.override");
    mia.follows("override of Heating and cooling");
    mia.sees("A flow ran");
    mia.sees("Climate temperature of Heating and cooling is to be 23");
    album.dark(&mut mia, "journey", DESKTOP);

    mia.opens("/app/security/audit");
    mia.sees("said that Ben is viewer of Cellar");
    album.light(&mut mia, "audit", DESKTOP);

    // Ana has come to the office, and the switch by its door has lit the lamps.
    mia.opens("/app/places/office-101");
    mia.sees("Occupied");
    mia.opens("/app/");
    mia.sees("2 of 2 on");
    album.light(&mut mia, "now", PHONE);
    mia.opens("/app/places/office-floor-1");
    mia.sees("Change the plan");
    album.light(&mut mia, "floor-plan", DESKTOP);
    mia.opens("/app/flows/office.comfort");
    mia.sees("Why it ran");
    album.light(&mut mia, "flow", DESKTOP);
}
