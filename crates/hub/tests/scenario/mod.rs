//! Scenarios: the office in a real hub, with its people, until nothing is left of it; and series that are replayed.

mod office; // the story
mod packages; // what can be wrong with a scenario, and with where it is put
mod replay; // quartet replay

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

use crate::support::{Hub, Program, Raw, quartet, succeed};

const LISTENERS: [&str; 2] = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];

/// `quartet …` as the owner of a hub.
fn command(hub: &Hub, arguments: &[&str]) -> Command {
    let mut command = quartet();
    command
        .args(arguments)
        .env("QUARTET_HUB", format!("http://{}", hub.at("http://")))
        .env("QUARTET_TOKEN", hub.owner());
    command
}

/// The office, simulated so many times as fast as it is.
#[track_caller]
fn run(hub: &Hub, speed: &str) -> Program {
    let mut program = Program::start(&mut command(
        hub,
        &["scenario", "run", "office", "--speed", speed],
    ));
    program.says("Its things are simulated");
    program
}

/// An MQTT 3.1.1 client of somebody with a token.
#[track_caller]
fn client(hub: &Hub, id: &str, token: &str) -> Raw<std::net::TcpStream> {
    let login = token.rsplit_once('.').expect("a token has two parts");
    let mut client = Raw::silent(hub.at("mqtt://"), 4);
    let connack = client.connect_as(id, login, None);
    assert_eq!(connack.body[1], 0, "{connack:?}");
    client
}

/// A token of an element.
#[track_caller]
fn token(hub: &Hub, element: &str) -> String {
    let path = format!("POST /api/{element}/credentials");
    let issued = hub.ask(&path, &[], r#"{"name":"test"}"#);
    assert_eq!(issued.status, 201, "{}", issued.body);
    let token = issued.json()["token"].as_str().map(str::to_owned);
    token.expect("a token is shown")
}

/// Nothing changed; what did is told, and no more.
#[track_caller]
fn same(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
    let changed = |one: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
        let changed = one
            .iter()
            .filter(|(name, what)| other.get(*name) != Some(what));
        let changed: Vec<String> = changed
            .map(|(name, what)| format!("{name}: {what}"))
            .collect();
        changed
    };
    let (gone, new) = (changed(before, after), changed(after, before));
    assert!(
        gone.is_empty() && new.is_empty(),
        "gone: {gone:#?}\nnew: {new:#?}"
    );
}

/// All that a hub keeps and lists, without what changes by itself.
#[track_caller]
fn kept(hub: &Hub) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let backup = tempfile::TempDir::new().expect("a folder can be made");
    let folder = backup.path().join("backup");
    let data = hub.folder().join("data");
    succeed(quartet().arg("backup").arg(&folder).arg("--data").arg(data));
    for line in succeed(quartet().arg("export").arg(&folder)) {
        let line: Value = serde_json::from_str(&line).expect("lines are JSON");
        match line["kind"].as_str() {
            Some("retained") => {
                let topic = line["subject"].as_str().unwrap_or_default().to_owned();
                all.insert(format!("retained {topic}"), line["data"].to_string());
            }
            Some("session") => {
                all.insert(format!("session {}", line["client"]), String::new());
            }
            _ => {}
        }
    }
    let lists = [
        "roles",
        "flows",
        "signals",
        "invitations",
        "unmapped",
        "rules",
        "elements/export",
    ];
    for list in lists {
        let answer = hub.ask(&format!("GET /api/{list}"), &[], "");
        assert_eq!(answer.status, 200, "{}", answer.body);
        all.insert(list.to_owned(), answer.body);
    }
    all
}
