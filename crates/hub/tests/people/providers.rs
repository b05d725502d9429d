use serde_json::{Value, json};

use super::{
    browser::{Person, link},
    provisioned::{create_user, ok, patch, provisioner},
};
use crate::support::{Driver, Hub, browser, http};
use tempfile::TempDir;

/// What the provider is called here.
const PROVIDER: &str = "work";

const LISTENERS: [&str; 2] = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];

/// A real provider, and a hub that knows it.
struct Place {
    provider: Driver,
    hub: Hub,
}

impl Place {
    #[track_caller]
    fn new(more: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let script = folder.path().join("provider.mjs");
        std::fs::write(&script, include_str!("../browser/provider.mjs")).unwrap();
        std::fs::write(folder.path().join("secret"), "s3cret\n").unwrap();
        let (provider, issuer) = Driver::start_with_value(browser().arg(&script));
        let issuer = issuer.as_str().unwrap();
        let toml = format!(
            "[[providers]]\nname = \"work\"\ntitle = \"Our company\"\nissuer = \"{issuer}\"\n\
             client_id = \"hub\"\nclient_secret_file = \"secret\"\ngroups = \"groups\"\n{more}"
        );
        let hub = Hub::in_folder(folder, &toml, &LISTENERS);
        Self { provider, hub }
    }

    /// Who is signed in at the provider.
    fn knows(&mut self, sub: &str, username: &str, groups: &[&str]) {
        let who = json!({ "do": "sign in", "sub": sub, "name": "Bea Berg", "username": username, "groups": groups });
        self.provider.step(&who);
    }

    fn get(&self, path: &str) -> crate::support::Answer {
        http(self.hub.at("http://"), &format!("GET {path}"), &[], "")
    }
}

#[track_caller]
fn comes(person: &mut Person) {
    person.opens("/sign-in");
    person.follows("Continue with Our company");
}

#[test]
fn whoever_a_provider_knows_gets_an_account_and_is_the_same_again() {
    let mut place = Place::new("create = true\n");
    place.knows("7", "bea@company.example", &["Night Shift", "trauma"]);
    let mut bea = Person::at(&place.hub);
    comes(&mut bea);
    bea.comes_in();
    bea.sees("people/bea");
    bea.sees("Bea Berg");
    bea.sees("by provider work");
    bea.signs_out();
    comes(&mut bea);
    bea.comes_in();
    bea.sees("people/bea");

    // Another one who is called so is another person.
    place.knows("8", "bea", &[]);
    let mut other = Person::at(&place.hub);
    comes(&mut other);
    other.comes_in();
    other.sees("people/bea-2");
}

#[test]
fn a_provider_that_lies_is_not_believed() {
    let mut place = Place::new("create = true\n");
    place.knows("7", "bea", &[]);
    let mut bea = Person::at(&place.hub);
    for (about, says) in [
        ("issuer", "from another issuer"),
        ("nonce", "of another sign-in"),
        ("signature", "has a wrong signature"),
        ("expiry", "is over"),
        ("audience", "is for another"),
    ] {
        place.provider.step(&json!({ "do": "lie", "about": about }));
        comes(&mut bea);
        bea.is_at("/sign-in");
        bea.sees(says);
        // A page that only changes its fragment would not load anew.
        bea.opens("/start");
    }
    place.provider.step(&json!({ "do": "lie", "about": "" }));
    comes(&mut bea);
    bea.comes_in();
}

#[test]
fn what_comes_back_must_have_begun_in_this_browser() {
    let place = Place::new("create = true\n");
    let begun = place.get("/sign-in/oidc/work");
    assert_eq!(begun.status, 303, "{}", begun.body);
    let to = &begun.headers["location"];
    for part in [
        "code_challenge=",
        "nonce=",
        "state=",
        "scope=openid+profile+groups",
    ] {
        assert!(to.contains(part), "no {part} in {to}");
    }
    let (_, state) = to.split_once("&state=").unwrap();
    let state = state.split('&').next().unwrap();
    let back = format!("/sign-in/oidc/{PROVIDER}/callback?code=x&state={state}");
    let stolen = place.get(&back);
    assert_eq!(stolen.status, 403, "{}", stolen.body);
    assert!(
        stolen.body.contains("not begun in this browser"),
        "{}",
        stolen.body
    );
    // It was shown once: now it is of no use to its own browser either.
    let cookie = begun.headers["set-cookie"].split(';').next().unwrap();
    let headers = [("cookie", cookie)];
    let again = http(
        place.hub.at("http://"),
        &format!("GET {back}"),
        &headers,
        "",
    );
    assert_eq!(again.status, 403, "{}", again.body);
    assert_eq!(place.get("/sign-in/oidc/other").status, 404);
    let evil = [("sec-fetch-site", "cross-site")];
    let link = "GET /sign-in/oidc/work?link=true";
    assert_eq!(http(place.hub.at("http://"), link, &evil, "").status, 403);
    assert_eq!(place.get("/sign-in/oidc/work?link=true").status, 401);
    let listed = place.get("/api/session/providers").json();
    let listed = &listed["providers"][0];
    let shown = (&listed["name"], &listed["title"], &listed["href"]);
    let expected = (
        &json!("work"),
        &json!("Our company"),
        &json!("/sign-in/oidc/work"),
    );
    assert_eq!(shown, expected);
}

#[test]
fn a_stranger_is_refused_and_a_provider_is_added_to_an_account() {
    let mut place = Place::new("");
    place.knows("7", "bea", &[]);
    let mut bea = Person::at(&place.hub);
    comes(&mut bea);
    bea.is_at("/sign-in");
    bea.sees("Nobody here is known to Our company so");
    bea.opens(&link(&place.hub));
    bea.fills("Your name", "Ana");
    bea.fills("Password", "tree lamp river stone");
    bea.presses("Create my account");
    bea.comes_in();
    bea.follows("Add Our company");
    bea.is_at("/account");
    bea.sees("by provider work");
    bea.signs_out();
    comes(&mut bea);
    bea.comes_in();
    bea.sees("people/ana");
}

#[test]
fn whom_a_directory_provisioned_is_the_same_at_its_provider_and_stays_out_when_suspended() {
    let mut place = Place::new("create = true\nprovisioned_by = \"things/entra\"\n");
    place.hub = place.hub.with_owner();
    let token = provisioner(&place.hub, "entra");
    create_user(&place.hub, &token, "bea");
    place.knows("7", "bea@example.org", &[]);
    let mut bea = Person::at(&place.hub);
    comes(&mut bea);
    bea.comes_in();
    bea.sees("people/bea");
    let end = patch(json!([{ "op": "replace", "path": "active", "value": false }]));
    let ended = super::ask(&place.hub, "PATCH /scim/v2/Users/bea", &token, &end);
    ok(ended, 200);
    // The session is over, and there is no way back, or around.
    comes(&mut bea);
    bea.is_at("/sign-in");
    bea.sees("suspended");
    place.knows("9", "bea@example.org", &[]);
    comes(&mut bea);
    bea.is_at("/sign-in");
    bea.sees("suspended");
}

#[test]
fn whom_another_directory_provisioned_does_not_come_in_as_somebody_new() {
    let mut place = Place::new("create = true\n");
    place.hub = place.hub.with_owner();
    let token = provisioner(&place.hub, "entra");
    create_user(&place.hub, &token, "bea");
    place.knows("7", "bea@example.org", &[]);
    let mut bea = Person::at(&place.hub);
    comes(&mut bea);
    bea.is_at("/sign-in");
    bea.sees("provisioned_by");
}

#[test]
fn a_provider_that_is_away_is_said_to_be() {
    let place = Place::new("create = true\n");
    let Place { provider, hub } = place;
    drop(provider);
    let away = http(hub.at("http://"), "GET /sign-in/oidc/work", &[], "");
    assert_eq!(away.status, 502, "{}", away.body);
    let detail = away.json()["detail"].take();
    let detail = Value::to_string(&detail);
    assert!(detail.contains("Our company does not answer"), "{detail}");
}
