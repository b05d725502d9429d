use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Driver, Hub, browser};

const LISTENERS: [&str; 2] = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];
pub(crate) const PASSWORD: &str = "tree lamp river stone";

/// A person with a browser.
pub(crate) struct Person(Driver);

impl Person {
    /// With a device for passkeys.
    #[track_caller]
    pub(crate) fn at(hub: &Hub) -> Self {
        // Passkeys belong to a name.
        let url = format!("http://localhost:{}", hub.port("http"));
        Self::calling(hub, &url, &mut browser())
    }

    /// The same, with a browser that was prepared, and that calls the hub like this.
    #[track_caller]
    pub(crate) fn calling(hub: &Hub, url: &str, browser: &mut Command) -> Self {
        let script = hub.folder().join("drive.mjs");
        std::fs::write(&script, include_str!("../browser/drive.mjs")).unwrap();
        browser.arg(&script).env("HUB", url);
        let mut person = Self(Driver::start(browser));
        person.does(json!({ "do": "device", "is": "new" }));
        person
    }

    #[track_caller]
    pub(crate) fn does(&mut self, step: Value) -> Value {
        self.0.step(&step)
    }

    #[track_caller]
    pub(crate) fn opens(&mut self, path: &str) {
        self.does(json!({ "do": "open", "path": path }));
    }

    #[track_caller]
    pub(crate) fn fills(&mut self, field: &str, text: &str) {
        self.does(json!({ "do": "fill", "field": field, "text": text }));
    }

    #[track_caller]
    pub(crate) fn presses(&mut self, button: &str) {
        self.does(json!({ "do": "press", "button": button }));
    }

    #[track_caller]
    pub(crate) fn follows(&mut self, link: &str) {
        self.does(json!({ "do": "follow", "link": link }));
    }

    #[track_caller]
    pub(crate) fn sees(&mut self, text: &str) {
        self.does(json!({ "do": "await", "text": text }));
    }

    #[track_caller]
    pub(crate) fn is_at(&mut self, path: &str) {
        self.does(json!({ "do": "await path", "path": path }));
    }

    /// Is in the app, and goes on to the own account.
    #[track_caller]
    pub(crate) fn comes_in(&mut self) {
        self.is_at("/app/");
        self.opens("/account");
    }

    #[track_caller]
    fn signs_in(&mut self) {
        self.opens("/sign-in");
        self.fills("Name", "ana");
        self.fills("Password", PASSWORD);
        self.presses("Sign in");
    }

    #[track_caller]
    pub(crate) fn signs_out(&mut self) {
        self.presses("Sign out");
        self.is_at("/sign-in");
    }
}

/// The path of the first owner's link.
pub(crate) fn link(hub: &Hub) -> String {
    format!("/start#{}", hub.first_code())
}

#[test]
fn an_owner_comes_by_the_link_with_a_password_and_adds_codes_and_a_passkey() {
    let hub = Hub::start(&LISTENERS);
    let mut ana = Person::at(&hub);
    ana.opens(&link(&hub));
    ana.sees("Make this hub yours");
    ana.fills("Your name", "Ana Lopez");
    ana.fills("Password", "password123");
    ana.presses("Create my account");
    ana.sees("one of the first that anyone tries");
    ana.fills("Password", PASSWORD);
    ana.presses("Create my account");
    ana.comes_in();

    // One-time codes: the browser stands for the phone, too.
    ana.presses("Set up an app");
    ana.sees("Let your app look");
    let secret = ana.does(json!({ "do": "read", "id": "secret" }));
    let code = ana.does(json!({ "do": "code", "secret": secret }));
    ana.fills("The code that it shows", code.as_str().unwrap());
    ana.presses("Turn it on");
    ana.sees("From now on a code is asked for.");
    ana.does(json!({ "do": "unfold", "summary": "Make ten new ones" }));
    let proofs = json!({ "do": "await", "text": "Make them" });
    ana.does(proofs);
    ana.does(json!({ "do": "fill id", "id": "recovery-proof", "text": PASSWORD }));
    ana.presses("Make them");
    ana.sees("Keep the codes now");
    let recovery = ana.does(json!({ "do": "read", "id": "recovery" }));
    let recovery = recovery
        .as_str()
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();

    ana.signs_out();
    ana.signs_in();
    ana.sees("The six digits of your app");
    // What was used once is good no more; the hub takes the next one early, as clocks differ.
    ana.fills("Code", code.as_str().unwrap());
    ana.presses("Sign in");
    ana.sees("was used");
    let next = ana.does(json!({ "do": "code", "secret": secret, "steps": 1 }));
    ana.fills("Code", next.as_str().unwrap());
    ana.presses("Sign in");
    ana.comes_in();
    ana.sees("by password and code");

    // A recovery code stands for a phone that was lost.
    ana.signs_out();
    ana.signs_in();
    ana.fills("Code", &recovery);
    ana.presses("Sign in");
    ana.comes_in();
    ana.sees("9 left");

    // A passkey is all that it takes, and the browser knows who that is.
    ana.presses("Add a passkey");
    ana.sees("The passkey signs you in from now on.");
    let held = ana.does(json!({ "do": "device", "is": "same" }));
    let expected = json!([{ "host": "localhost", "isResident": true, "user": "ana" }]);
    assert_eq!(held, expected);
    ana.signs_out();
    ana.presses("Use a passkey");
    ana.comes_in();
    ana.sees("by passkey");
}

#[test]
fn a_passkey_alone_makes_an_owner_and_another_device_is_refused() {
    let hub = Hub::start(&LISTENERS);
    let mut ana = Person::at(&hub);
    ana.opens(&link(&hub));
    ana.fills("Your name", "Ana");
    ana.presses("Use a passkey");
    ana.comes_in();
    ana.sees("people/ana");
    ana.presses("Remove: Linux computer");
    ana.sees("the only way to sign in");
    ana.signs_out();
    ana.presses("Use a passkey");
    ana.comes_in();
    ana.signs_out();
    ana.does(json!({ "do": "device", "is": "new" }));
    let refused = json!({ "do": "press", "button": "Use a passkey" });
    ana.does(refused);
    ana.sees("cancelled, or took too long");
}

#[test]
fn a_session_that_is_ended_elsewhere_is_over_at_once() {
    let hub = Hub::start(&LISTENERS);
    let mut desk = Person::at(&hub);
    desk.opens(&link(&hub));
    desk.fills("Your name", "Ana");
    desk.fills("Password", PASSWORD);
    desk.presses("Create my account");
    desk.comes_in();
    let mut phone = Person::at(&hub);
    phone.signs_in();
    phone.comes_in();
    phone.sees("Where you are signed in");
    desk.opens("/account");
    desk.presses("End all others");
    desk.sees("All other sessions are over.");
    let status = phone.does(json!({ "do": "ask", "method": "GET", "path": "/api/session" }));
    assert_eq!(status, 401);
    phone.opens("/account");
    phone.is_at("/sign-in");
}

#[test]
fn pages_fit_a_phone() {
    let hub = Hub::start(&LISTENERS);
    let mut ana = Person::at(&hub);
    let fits = |ana: &mut Person, name: &str| {
        let file = hub.folder().join(format!("{name}.png"));
        let picture =
            json!({ "do": "picture", "file": file, "width": 360, "height": 640, "dark": true });
        assert_eq!(ana.does(picture), 0, "{name} is wider than the window");
    };
    ana.opens(&link(&hub));
    ana.sees("Make this hub yours");
    fits(&mut ana, "start");
    ana.fills("Your name", "Ana");
    ana.fills("Password", PASSWORD);
    ana.presses("Create my account");
    ana.comes_in();
    ana.presses("Set up an app");
    ana.sees("Let your app look");
    fits(&mut ana, "account");
    ana.signs_out();
    fits(&mut ana, "sign-in");
}
