//! Where no certificate is issued, the hub goes on with its own, says what would be right, and does not ask too often.

use serde_json::{Value, json};

use super::{DOMAIN, HTTPS, World, connected, figure, trust};
use crate::support::{Hub, quartet, wait_for};

/// Why no certificate is there, as the hub says it: once in its log, and to whoever asks.
#[track_caller]
fn why(hub: &Hub) -> String {
    let why = wait_for("an order that led to nothing", || {
        let failed = trust(hub)["failed"]["why"].as_str()?.to_owned();
        (!failed.contains("broken off")).then_some(failed)
    });
    hub.logs("no certificate was issued");
    let own = hub.folder().join("data/tls/hub-ca.crt");
    connected(hub, "https", &own, "localhost", None).unwrap();
    why
}

/// Seconds until the next order, as the hub says it.
#[track_caller]
fn waits(hub: &Hub) -> u64 {
    assert_eq!(figure(hub, "quartet_acme_failures_total"), 1);
    figure(hub, "quartet_acme_next_order_seconds")
        - figure(hub, "quartet_acme_last_failure_seconds")
}

#[test]
fn an_authority_that_is_down_is_asked_again_in_a_minute() {
    let world = World::new();
    let toml = world
        .toml(&[DOMAIN])
        .replace(&world.directory, "https://127.0.0.1:1/directory");
    let hub = Hub::configured(&toml, &HTTPS);
    let why = why(&hub);
    assert!(why.contains("cannot be asked"), "{why}");
    assert!(why.contains("refused"), "{why}");
    assert!(
        why.contains("look whether https://127.0.0.1:1/directory is reached"),
        "{why}"
    );
    let s = waits(&hub);
    assert!((59..=76).contains(&s), "{s}");
}

#[test]
fn an_authority_that_nobody_vouches_for_is_not_asked() {
    let world = World::new();
    let toml = world.toml(&[DOMAIN]);
    let toml: Vec<&str> = toml
        .lines()
        .filter(|line| !line.starts_with("root"))
        .collect();
    let hub = Hub::configured(&(toml.join("\n") + "\n"), &HTTPS);
    let why = why(&hub);
    assert!(
        why.contains("certificate") && why.contains("acme.root"),
        "{why}"
    );
}

#[test]
fn a_certificate_for_another_name_is_not_used() {
    let mut world = World::new();
    world.behaves(&json!({ "name": "bank.example" }));
    let hub = world.hub(&HTTPS);
    world.leads_to(&hub);
    let why = why(&hub);
    assert!(
        why.contains("is not used: it is for bank.example, and not for hub.example"),
        "{why}"
    );
    assert!(connected(&hub, "https", &world.root(), "bank.example", None).is_err());
    assert!(connected(&hub, "https", &world.root(), DOMAIN, None).is_err());
    assert_eq!(trust(&hub)["certificate"], Value::Null);
}

#[test]
fn an_authority_that_signs_nothing_is_quoted() {
    let mut world = World::new();
    world.behaves(&json!({ "refuses": true }));
    let hub = world.hub(&HTTPS);
    world.leads_to(&hub);
    let why = why(&hub);
    assert!(why.contains("the authority refuses"), "{why}");
}

#[test]
fn an_authority_that_asks_for_patience_gets_it() {
    let mut world = World::new();
    world.behaves(&json!({ "limited": true }));
    let hub = world.hub(&HTTPS);
    let why = why(&hub);
    assert!(
        why.contains("too many of them") && why.contains("asked too often"),
        "{why}"
    );
    let s = waits(&hub);
    assert!((7199..7260).contains(&s), "{s}");
}

#[test]
fn a_domain_that_leads_elsewhere_is_named_with_what_has_to_be_done() {
    let mut world = World::new();
    let mut hub = world.hub(&HTTPS);
    world.leads(&json!({ "443": null }));
    let before = why(&hub);
    assert!(
        before.contains("did not find that hub.example is this hub"),
        "{before}"
    );
    assert!(
        before.contains("port 443 of hub.example has to lead to the hub's https listener"),
        "{before}"
    );
    // A restart is no reason to ask at once.
    hub.die_and_begin_again();
    assert_eq!(why_again(&hub), before);
    assert_eq!(world.looked(), json!([443]));
    // It tells whoever looks at the hub's own machine.
    let mut doctor = quartet();
    doctor
        .arg("doctor")
        .arg("--data")
        .arg(hub.folder().join("data"));
    let said = doctor.output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    assert!(
        said.contains("no certificate") && said.contains("port 443"),
        "{said}"
    );
}

fn why_again(hub: &Hub) -> String {
    trust(hub)["failed"]["why"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_hub_that_dies_while_it_orders_does_not_order_again_at_once() {
    let mut world = World::new();
    let mut hub = world.hub(&HTTPS);
    // The authority has been told to look, and waits for the way.
    wait_for("an account", || {
        let folder = std::fs::read_dir(hub.folder().join("data/tls/acme")).ok()?;
        let mut places = folder.flatten().map(|entry| entry.path());
        places
            .any(|place| place.join("account.json").exists())
            .then_some(())
    });
    hub.die_and_begin_again();
    let failed = trust(&hub)["failed"].take();
    assert!(
        failed["why"].as_str().unwrap().contains("broken off"),
        "{failed}"
    );
    world.leads_to(&hub);
    let next = wait_for("a plan", || trust(&hub)["next"].as_str().map(str::to_owned));
    assert!(failed["at"].as_str() < Some(&next), "{failed} {next}");
    assert!(!hub.log().contains("ordering a certificate"));
    assert_eq!(world.orders(), json!([]));
}

#[test]
fn a_domain_that_nobody_knows_needs_a_record() {
    let mut world = World::new();
    let hub = Hub::configured(&world.toml(&["hub.nowhere.example"]), &HTTPS);
    world.leads_to(&hub);
    let why = why(&hub);
    assert!(
        why.contains("hub.nowhere.example") && why.contains("DNS"),
        "{why}"
    );
}

#[test]
fn a_hub_does_not_start_on_a_configuration_that_cannot_be_meant() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("quartet.toml");
    let fails = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let mut command = quartet();
        command.arg("run").arg("--config").arg(&file);
        let output = command
            .arg("--data")
            .arg(folder.path().join("data"))
            .output();
        let output = output.unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let listen = "listeners = ['https://127.0.0.1:0']\n";
    let said = fails(&format!(
        "{listen}[acme]\ndomains = ['*.example']\nagree = true\n"
    ));
    assert!(
        said.contains("quartet.toml:3:12") && said.contains("DNS-01"),
        "{said}"
    );
    let said = fails(&format!("{listen}[acme]\ndomains = ['a.example']\n"));
    assert!(
        said.contains("quartet.toml:3:1") && said.contains("agree = true"),
        "{said}"
    );
    let said = fails(&format!(
        "{listen}[acme]\ndomains = ['a.example']\nagree = true\nroot = 'nothing.pem'\n"
    ));
    assert!(
        said.contains("acme.root") && said.contains("nothing.pem"),
        "{said}"
    );
}
