//! Lists of sessions and retained messages: they follow what happens, and are made anew whatever
//! becomes of their file.

use std::{
    fs,
    os::unix::fs::{FileExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Hub, Program, Raw, http, quartet, succeed, until, wait_for};

const LISTENERS: [&str; 2] = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];

/// Data that outlives its hubs.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        Self { folder }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn view(&self) -> PathBuf {
        self.data().join("views.sqlite")
    }

    #[track_caller]
    fn start(&self) -> Hub {
        let folder = TempDir::new().unwrap();
        symlink(self.data(), folder.path().join("data")).unwrap();
        Hub::in_folder(folder, "", &LISTENERS)
    }

    fn rebuild(&self) -> Command {
        let mut rebuild = quartet();
        rebuild.arg("rebuild").arg("--data").arg(self.data());
        rebuild
    }
}

#[track_caller]
fn end(mut hub: Hub, signal: Signal) {
    hub.signal(signal);
    hub.ended();
}

/// A session that is kept.
fn sub(hub: &Hub, id: &str, args: &[&str]) -> Command {
    let mut command = Command::new("mosquitto_sub");
    command.args(["-p", &hub.port("mqtt").to_string(), "-c", "-q", "1"]);
    command.args(["-i", id]).args(args);
    command
}

#[track_caller]
fn retain(hub: &Hub, topic: &str, payload: &str) {
    let publish = format!("POST /api/publish/{topic}?retain=true&qos=1");
    let answer = http(hub.at("http://"), &publish, &[], payload);
    assert_eq!(answer.status, 202, "{answer:?}");
}

/// What is answered, once there are lists.
#[track_caller]
fn get(hub: &Hub, path: &str) -> Value {
    wait_for(path, || {
        let answer = http(hub.at("http://"), &format!("GET {path}"), &[], "");
        match answer.status {
            503 => None,
            200 => Some(answer.json()),
            _ => panic!("{path}: {answer:?}"),
        }
    })
}

/// One field of each that is listed.
fn list(hub: &Hub, path: &str, field: &str) -> Vec<Value> {
    let answer = get(hub, path);
    let as_of = &answer["as_of"];
    assert!(as_of["at"].as_str().unwrap().ends_with('Z') && as_of["behind_s"].is_number());
    let (name, _) = path["/api/".len()..]
        .split_once('?')
        .unwrap_or((&path["/api/".len()..], ""));
    let listed = answer[name].as_array().unwrap().iter();
    listed.map(|one| one[field].clone()).collect()
}

#[track_caller]
fn lists(hub: &Hub, path: &str, field: &str, expected: &Value) {
    let mut last = Value::Null;
    wait_for(&format!("{field} of {path}: {expected}"), || {
        last = list(hub, path, field).into();
        (last == *expected).then_some(())
    });
}

#[test]
fn sessions_are_listed_as_their_clients_come_and_go() {
    let hub = Hub::start(&LISTENERS);
    succeed(&mut sub(&hub, "ana", &["-t", "a/#", "-E"]));
    succeed(&mut sub(&hub, "ward/1", &["-t", "b", "-E"]));
    let share = ["-t", "$share/porters/calls/+", "-t", "calls/0"];
    let will = ["--will-topic", "last/words", "--will-payload", "gone"];
    let mut bob = Program::start(&mut sub(&hub, "Bob", &[&share[..], &will].concat()));
    lists(
        &hub,
        "/api/sessions",
        "client",
        &json!(["Bob", "ana", "ward/1"]),
    );
    lists(
        &hub,
        "/api/sessions",
        "connected",
        &json!([true, false, false]),
    );
    lists(
        &hub,
        "/api/sessions",
        "subscriptions_count",
        &json!([2, 1, 1]),
    );
    lists(&hub, "/api/sessions?search=B", "client", &json!(["Bob"]));
    lists(&hub, "/api/sessions?search=%25", "client", &json!([]));

    let first = get(&hub, "/api/sessions?limit=2");
    assert_eq!(first["next"], "ana");
    let second = get(&hub, "/api/sessions?limit=2&after=ana");
    assert_eq!(second["sessions"][0]["client"], "ward/1");
    assert!(second["next"].is_null());

    let one = get(&hub, "/api/sessions/Bob");
    let subscriptions = json!([
        {"filter": "calls/+", "share": "porters", "qos": 1},
        {"filter": "calls/0", "share": null, "qos": 1},
    ]);
    assert_eq!(one["subscriptions"], subscriptions);
    assert_eq!(one["will_topic"], "last/words");
    assert!(one["away_since"].is_null());
    assert_eq!(get(&hub, "/api/sessions/ward%2F1")["client"], "ward/1");
    let nobody = http(hub.at("http://"), "GET /api/sessions/nobody", &[], "");
    assert_eq!(nobody.status, 404);

    bob.kill();
    until("Bob is away and his will is spent", || {
        let bob = get(&hub, "/api/sessions/Bob");
        bob["connected"] == false && bob["away_since"].is_string() && bob["will_topic"].is_null()
    });
    // A clean start ends the session.
    drop(Raw::tcp(hub.at("mqtt://"), 4, "ana"));
    lists(&hub, "/api/sessions", "client", &json!(["Bob", "ward/1"]));
}

#[test]
fn retained_messages_are_listed_with_short_texts() {
    let hub = Hub::start(&LISTENERS);
    retain(&hub, "ward/1/temperature", "21.5");
    retain(&hub, "ward/2/notes", &"x".repeat(513));
    retain(&hub, "yard", "open");
    lists(
        &hub,
        "/api/retained",
        "payload",
        &json!(["21.5", null, "open"]),
    );
    lists(&hub, "/api/retained", "bytes", &json!([4, 513, 4]));
    lists(&hub, "/api/retained?search=WARD", "qos", &json!([1, 1]));
    retain(&hub, "yard", "closed");
    retain(&hub, "ward/2/notes", "");
    lists(&hub, "/api/retained", "payload", &json!(["21.5", "closed"]));
    let page = get(&hub, "/api/retained?limit=1");
    assert_eq!(page["next"], "ward/1/temperature");
    let event = page["retained"][0]["event"].as_str().unwrap();
    assert!(!event.is_empty() && page["retained"][0]["at"].is_string());
    lists(
        &hub,
        "/api/retained?after=ward/1/temperature",
        "topic",
        &json!(["yard"]),
    );
}

#[test]
fn what_cannot_be_listed_is_refused_with_a_reason() {
    let hub = Hub::start(&LISTENERS);
    let long = format!("/api/retained?search={}", "x".repeat(1025));
    for path in [
        "/api/sessions?limit=0",
        "/api/sessions?limit=1001",
        "/api/retained?limit=many",
        "/api/retained?from=a",
        &long,
    ] {
        let answer = http(hub.at("http://"), &format!("GET {path}"), &[], "");
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        assert!(10 < answer.json()["detail"].as_str().unwrap().len());
    }
    let foreign = [("host", "evil.example")];
    for path in ["/api/sessions", "/api/sessions/ana", "/api/retained"] {
        let answer = http(hub.at("http://"), &format!("GET {path}"), &foreign, "");
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
    }
}

/// A site with a session and so many retained messages, and a hub that lists them.
fn with_lists(count: usize) -> (Site, Hub) {
    let site = Site::new();
    let hub = site.start();
    succeed(&mut sub(&hub, "ana", &["-t", "a/#", "-E"]));
    for n in 0..count {
        retain(&hub, &format!("topic/{n:03}"), &format!("said {n}"));
    }
    all_is_listed(&hub, count);
    (site, hub)
}

#[track_caller]
fn all_is_listed(hub: &Hub, count: usize) {
    let payloads: Vec<String> = (0..count).map(|n| format!("said {n}")).collect();
    lists(hub, "/api/retained?limit=1000", "payload", &json!(payloads));
    lists(hub, "/api/sessions", "client", &json!(["ana"]));
    lists(hub, "/api/sessions", "connected", &json!([false]));
}

#[test]
fn lists_survive_the_death_of_the_hub() {
    let (site, hub) = with_lists(5);
    let _bob = Program::start(&mut sub(&hub, "bob", &["-t", "b"]));
    lists(&hub, "/api/sessions", "connected", &json!([false, true]));
    end(hub, Signal::KILL);
    let hub = site.start();
    // He is taken for lost, until he comes back.
    until("bob is known", || {
        !list(&hub, "/api/sessions?search=bob", "client").is_empty()
    });
    lists(
        &hub,
        "/api/sessions?search=bob",
        "connected",
        &json!([false]),
    );
    let payloads: Vec<String> = (0..5).map(|n| format!("said {n}")).collect();
    lists(&hub, "/api/retained", "payload", &json!(payloads));
}

#[test]
fn a_hub_that_stops_leaves_whole_lists_behind() {
    let (site, hub) = with_lists(1);
    retain(&hub, "topic/001", "said 1");
    end(hub, Signal::TERM);
    let left = fs::read_dir(site.data()).unwrap();
    let left = left.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut views: Vec<String> = left.filter(|name| name.starts_with("views")).collect();
    views.sort();
    assert_eq!(
        views,
        ["views.sqlite"],
        "what is beside it was written into it"
    );
    // All that was acknowledged is in it.
    let file = fs::read(site.view()).unwrap();
    assert!(file.windows(6).any(|part| part == b"said 1"));
}

#[test]
fn lists_that_were_deleted_are_made_anew() {
    let (site, hub) = with_lists(5);
    let delete = |path: &Path| {
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{end}", path.display())); // Not all are always there.
        }
    };
    delete(&site.view());
    wait_for("a new file", || site.view().exists().then_some(()));
    all_is_listed(&hub, 5);
    end(hub, Signal::KILL);
    delete(&site.view());
    let hub = site.start();
    all_is_listed(&hub, 5);
    assert!(site.view().exists());
}

#[test]
fn lists_that_are_broken_are_made_anew_before_a_start_and_after_it() {
    const COUNT: usize = 100; // More than one page of the file.
    let (site, hub) = with_lists(COUNT);
    end(hub, Signal::TERM);
    fs::write(site.view(), "this is no database".repeat(1000)).unwrap();
    let hub = site.start();
    all_is_listed(&hub, COUNT);
    hub.logs("made anew");
    end(hub, Signal::TERM);

    let hub = site.start();
    all_is_listed(&hub, COUNT);
    assert!(!hub.log().contains("made anew"), "{}", hub.log());
    end(hub, Signal::TERM);
    // All but the first page, which says what the file is.
    let file = fs::OpenOptions::new()
        .write(true)
        .open(site.view())
        .unwrap();
    let bytes = file.metadata().unwrap().len();
    let spoiled = vec![0xFF; (bytes - 4096) as usize];
    file.write_all_at(&spoiled, 4096).unwrap();
    let hub = site.start();
    all_is_listed(&hub, COUNT);
    hub.logs("made anew");
}

#[test]
fn a_hub_whose_lists_cannot_be_written_goes_on_without_them() {
    let site = Site::new();
    fs::create_dir(site.view()).unwrap();
    fs::write(site.view().join("something"), "").unwrap();
    let hub = site.start();
    hub.logs("there are no lists");
    let answer = http(hub.at("http://"), "GET /api/sessions", &[], "");
    assert_eq!(answer.status, 503);
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .contains("views.sqlite")
    );
    retain(&hub, "topic/000", "said 0");
    succeed(&mut sub(&hub, "ana", &["-t", "a/#", "-E"]));
    fs::remove_dir_all(site.view()).unwrap();
    all_is_listed(&hub, 1);
    end(hub, Signal::TERM);
}

#[test]
fn lists_are_rebuilt_by_hand_while_no_hub_runs() {
    let (site, hub) = with_lists(5);
    let refused = site.rebuild().output().unwrap();
    assert!(!refused.status.success());
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("a hub uses"), "{why}");
    end(hub, Signal::TERM);
    fs::write(site.view(), "this is no database").unwrap();
    let said = succeed(&mut site.rebuild());
    let start = "1 sessions and 5 retained messages, made anew in";
    assert!(said[0].starts_with(start), "{said:?}");
    let hub = site.start();
    all_is_listed(&hub, 5);
    assert!(!hub.log().contains("made anew"), "{}", hub.log());
}

#[test]
fn lists_are_in_no_backup_and_a_restored_hub_has_them() {
    let (site, hub) = with_lists(5);
    let backup = site.folder.path().join("backup");
    let mut command = quartet();
    command
        .arg("backup")
        .arg(&backup)
        .arg("--data")
        .arg(site.data());
    succeed(&mut command);
    let files = fs::read_dir(&backup).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    let is_view = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("views");
    assert!(!files.iter().any(is_view), "{files:?}");
    end(hub, Signal::TERM);
    // The view that is left is of another journal then.
    let other = Site::new();
    fs::copy(site.view(), other.view()).unwrap();
    let mut command = quartet();
    command
        .arg("restore")
        .arg(&backup)
        .arg("--data")
        .arg(other.data());
    succeed(&mut command);
    assert!(!other.view().exists());
    let hub = other.start();
    all_is_listed(&hub, 5);
}

#[test]
fn beside_an_encrypted_journal_lists_are_on_no_disk() {
    let secrets = TempDir::new().unwrap();
    let key = secrets.path().join("key");
    fs::write(&key, "ab".repeat(32)).unwrap();
    let hub = Hub::configured(&format!("[journal]\nkey = {key:?}\n"), &LISTENERS);
    retain(&hub, "topic/000", "said 0");
    succeed(&mut sub(&hub, "ana", &["-t", "a/#", "-E"]));
    all_is_listed(&hub, 1);
    let files = fs::read_dir(hub.folder().join("data")).unwrap();
    for file in files {
        let name = file.unwrap().file_name();
        assert!(!name.to_string_lossy().starts_with("views"), "{name:?}");
    }
}
