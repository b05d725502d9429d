//! What a hub keeps, as a whole: backup, restore, verify, export, encryption, damage.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Hub, Program, http, quartet, succeed, wait_for};

const LOOPBACK: &str = "mqtt://127.0.0.1:0";

fn pub_(hub: &Hub, args: &[&str]) -> Command {
    let mut command = Command::new("mosquitto_pub");
    command
        .args(["-p", &hub.port("mqtt").to_string()])
        .args(args);
    command
}

/// A session that is kept, for `site/#`.
fn sub(hub: &Hub, args: &[&str]) -> Command {
    // Line by line: it keeps its last words while nobody watches.
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "mosquitto_sub"]);
    command.args(["-p", &hub.port("mqtt").to_string()]);
    command.args(["-i", "ana", "-c", "-q", "1", "-t", "site/#"]);
    command.args(args);
    command
}

fn stop(hub: &mut Hub) {
    hub.signal(Signal::TERM);
    assert!(hub.ended().success());
}

fn site(command: &str, args: &[&Path]) -> Command {
    let mut site = quartet();
    site.arg(command).args(args);
    site
}

/// What a command says that does not succeed.
#[track_caller]
fn fails(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(data.join("journal")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let is_segment = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with('0') && name.ends_with(".seg")
    };
    files.filter(is_segment).collect()
}

#[test]
fn a_backup_that_was_taken_under_load_is_a_hub_again() {
    const LINES: usize = 20_000;
    let hub = Hub::start(&[LOOPBACK]);
    succeed(&mut sub(&hub, &["-E"]));
    succeed(&mut pub_(
        &hub,
        &["-t", "site/name", "-m", "ward 3", "-q", "1", "-r"],
    ));
    let mut load = pub_(&hub, &["-t", "site/load", "-q", "1", "-l"]);
    let mut load = load.stdin(Stdio::piped()).spawn().unwrap();
    let mut lines = load.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        for n in 0..LINES {
            writeln!(lines, "{n}").unwrap();
        }
    });
    let backups = TempDir::new().unwrap();
    let backup = backups.path().join("one");
    let data = hub.folder().join("data");
    wait_for("the load begins", || {
        let journal = fs::metadata(&segments(&data)[0]).ok()?;
        (0 < journal.len()).then_some(())
    });
    succeed(site("backup", &[&backup]).arg("--data").arg(&data));
    writer.join().unwrap();
    assert!(load.wait().unwrap().success());

    let folder = TempDir::new().unwrap();
    let restored = folder.path().join("data");
    succeed(site("restore", &[&backup]).arg("--data").arg(&restored));
    let again = fails(site("restore", &[&backup]).arg("--data").arg(&restored));
    assert!(again.contains("holds a hub already"), "{again}");
    succeed(&mut site("verify", &[&restored]));
    let exported = succeed(&mut site("export", &[&restored]));
    let session = exported.iter().find(|line| line.contains("\"session\""));
    assert!(session.unwrap().contains("\"client\":\"ana\""));

    // All that was acknowledged when the backup began, and nothing but a beginning.
    let again = Hub::in_folder(folder, "", &[LOOPBACK]);
    succeed(&mut pub_(
        &again,
        &["-t", "site/load", "-m", "end", "-q", "1"],
    ));
    let mut listener = Program::start(&mut sub(&again, &[]));
    listener.says("end");
    let heard = listener.out();
    listener.kill();
    let numbers = heard.iter().filter_map(|line| line.parse::<usize>().ok());
    let numbers: Vec<usize> = numbers.collect();
    assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>());
    let retained = succeed(&mut sub(&again, &["-C", "1"]));
    assert_eq!(retained, ["ward 3"]);
}

/// The files of long payloads.
fn blobs(data: &Path) -> usize {
    let files = fs::read_dir(data.join("journal")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".blob")).count()
}

#[test]
fn a_long_payload_is_a_file_that_outlives_the_hub_and_is_in_each_backup() {
    let secrets = TempDir::new().unwrap();
    let file = secrets.path().join("plan");
    let plan: Vec<u8> = (0..3_000_000_u32)
        .flat_map(|n| n.to_le_bytes())
        .take(5 << 20)
        .collect();
    fs::write(&file, &plan).unwrap();
    let file = file.to_str().unwrap();
    let toml = "[limits]\npacket_bytes_max = \"16 MiB\"\n";
    let mut hub = Hub::configured(toml, &[LOOPBACK, "http://127.0.0.1:0"]);
    succeed(&mut sub(&hub, &["-E"]));
    succeed(&mut pub_(
        &hub,
        &["-t", "site/plan", "-f", file, "-q", "1", "-r"],
    ));
    let data = hub.folder().join("data");
    assert_eq!(blobs(&data), 1, "said and kept, but there once");
    let metrics = http(hub.at("http://"), "GET /metrics", &[], "").body;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("quartet_journal_blob_bytes "));
    let bytes: u64 = line.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!((5 << 20..6 << 20).contains(&bytes), "{bytes}");
    hub.signal(Signal::KILL);
    hub.ended();

    let backups = TempDir::new().unwrap();
    let backup = backups.path().join("one");
    succeed(site("backup", &[&backup]).arg("--data").arg(&data));
    let folder = TempDir::new().unwrap();
    let restored = folder.path().join("data");
    succeed(site("restore", &[&backup]).arg("--data").arg(&restored));
    let verified = succeed(&mut site("verify", &[&restored]));
    assert!(
        verified[1].starts_with("1 long payloads, 5 MB"),
        "{verified:?}"
    );
    let again = Hub::in_folder(folder, toml, &[LOOPBACK]);
    // It waits for the session that was away, and it is retained.
    for id in ["ana", "bob"] {
        let mut sub = Command::new("mosquitto_sub");
        sub.args(["-p", &again.port("mqtt").to_string(), "-i", id, "-q", "1"]);
        sub.args(["-c", "-t", "site/#", "-C", "1", "-N", "-W", "60"]);
        let output = sub.output().unwrap();
        assert!(output.stdout == plan, "{id}: {} bytes", output.stdout.len());
    }
}

#[test]
fn a_journal_with_a_key_shows_nothing_and_opens_with_it_alone() {
    let secrets = TempDir::new().unwrap();
    let key = secrets.path().join("key");
    fs::write(&key, "ab".repeat(32)).unwrap();
    let toml = format!("[journal]\nkey = {key:?}\n");
    let mut hub = Hub::configured(&toml, &[LOOPBACK]);
    let said = [
        "-t",
        "site/name",
        "-m",
        "a secret of the ward",
        "-q",
        "1",
        "-r",
    ];
    succeed(&mut pub_(&hub, &said));
    stop(&mut hub);
    let data = hub.folder().join("data");
    for segment in segments(&data) {
        let bytes = fs::read(segment).unwrap();
        let secret = b"secret of the ward";
        assert!(!bytes.windows(secret.len()).any(|part| part == secret));
    }
    succeed(&mut site("verify", &[&data]));
    let without = fails(&mut site("export", &[&data]));
    assert!(
        without.contains("encrypted, and no key was given"),
        "{without}"
    );
    fs::write(&key, "cd".repeat(32)).unwrap();
    let mut export = site("export", &[&data]);
    export.arg("--journal-key").arg(&key);
    let wrong = fails(&mut export);
    assert!(wrong.contains("another key"), "{wrong}");
    fs::write(&key, "ab".repeat(32)).unwrap();
    let exported = succeed(&mut export);
    assert!(
        exported
            .iter()
            .any(|line| line.contains("a secret of the ward"))
    );
}

#[test]
fn damage_is_named_and_nothing_starts_on_it() {
    let mut hub = Hub::start(&[LOOPBACK]);
    succeed(&mut pub_(
        &hub,
        &["-t", "site/name", "-m", "ward 3", "-q", "1", "-r"],
    ));
    stop(&mut hub);
    let data = hub.folder().join("data");
    let segment = &segments(&data)[0];
    let mut bytes = fs::read(segment).unwrap();
    let at = bytes.windows(6).position(|part| part == b"ward 3").unwrap();
    bytes[at] ^= 1;
    fs::write(segment, bytes).unwrap();
    let name = segment.file_name().unwrap().to_string_lossy().into_owned();
    let found = fails(&mut site("verify", &[&data]));
    assert!(found.contains(&format!("{name} at byte")), "{found}");
    let mut run = site("run", &[]);
    run.arg("--data").arg(&data).args(["--listen", LOOPBACK]);
    let refused = fails(&mut run);
    assert!(
        refused.contains("Q0107") && refused.contains(&name),
        "{refused}"
    );
}

/// What format 1 of the journal and of its records looks like: a backup that the first version
/// made. Each later format keeps a backup of its own here.
#[test]
fn what_the_first_version_wrote_is_read_by_this_one() {
    let backup = Path::new("tests/site/format-1");
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    succeed(site("restore", &[backup]).arg("--data").arg(&data));
    let lines = succeed(&mut site("export", &[&data]));
    let count = |kind: &str| {
        let kind = format!("\"kind\":\"{kind}\"");
        lines.iter().filter(|line| line.contains(&kind)).count()
    };
    let counts = ["message", "retained", "session"].map(count);
    assert_eq!(counts, [8, 2, 2], "{lines:#?}");
    let says = |parts: &[&str]| {
        let found = |line: &&String| parts.iter().all(|part| line.contains(part));
        assert!(
            lines.iter().any(|line| found(&line)),
            "{parts:?}: {lines:#?}"
        );
    };
    says(&[
        "\"retained\"",
        "\"ward/bed/1\"",
        "\"occupied\"",
        "\"qos\":2",
    ]);
    says(&[
        "\"session\"",
        "\"ana\"",
        "\"shelf/+/weight\"",
        "\"waiting\":8",
    ]);
    says(&["\"session\"", "\"bob\"", "\"share\":\"porters\""]);
    let hub = Hub::in_folder(folder, "", &[LOOPBACK]);
    let mut listener = Program::start(&mut sub(&hub, &["-t", "ward/#"]));
    listener.says("call 4");
    listener.kill();
}

/// Format 2 of the journal's segments: a long payload is a file of its own.
#[test]
fn what_the_second_format_wrote_is_read_by_this_one() {
    let backup = Path::new("tests/site/format-2");
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    succeed(site("restore", &[backup]).arg("--data").arg(&data));
    let verified = succeed(&mut site("verify", &[&data]));
    assert!(verified[1].starts_with("1 long payloads"), "{verified:?}");
    let hub = Hub::in_folder(folder, "", &[LOOPBACK]);
    let plan = succeed(&mut sub(&hub, &["-C", "2", "-W", "60"]));
    assert_eq!(plan.len(), 9002);
    assert_eq!(plan[8999], "line 008999 of the plan of ward 3");
    assert_eq!(plan[9001], "ward 3");
}

/// Format 3 of the records: sessions have owners, and events no authors yet.
#[test]
fn what_the_third_format_of_records_wrote_is_read_by_this_one() {
    let backup = Path::new("tests/site/records-3");
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    succeed(site("restore", &[backup]).arg("--data").arg(&data));
    let lines = succeed(&mut site("export", &[&data]));
    let session = lines.iter().find(|line| line.contains("\"session\""));
    assert!(session.is_some_and(|line| line.contains("\"waiting\":3")));
    let hub = Hub::in_folder(folder, "", &["http://127.0.0.1:0"]);
    let desired = http(hub.at("http://"), "GET /api/things/lamp/twin", &[], "").json();
    assert_eq!(desired["on"]["desired"]["by"], "api", "{desired}");
    wait_for("a history", || {
        let answer = http(hub.at("http://"), "GET /api/things/lamp/history", &[], "");
        let told = |change: &Value| format!("{} {}", change["by"], change["what"]);
        let all: Vec<String> = match answer.status {
            200 => answer.json()["changes"]
                .as_array()?
                .iter()
                .map(told)
                .collect(),
            _ => return None,
        };
        (all == [
            r#""hub" "wanted""#,
            r#""hub" "admitted""#,
            r#""hub" "described""#,
        ])
        .then_some(())
    });
}

/// Format 4: events have authors, but nobody can tell what is said anew.
#[test]
fn what_the_fourth_format_of_records_wrote_is_read_by_this_one() {
    let backup = Path::new("tests/site/records-4");
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    succeed(site("restore", &[backup]).arg("--data").arg(&data));
    let hub = Hub::in_folder(folder, "", &["http://127.0.0.1:0"]);
    let get = |path: &str| http(hub.at("http://"), &format!("GET {path}"), &[], "").json();
    assert_eq!(get("/api/things/lamp/twin")["on"]["desired"]["by"], "api");
    let related = get("/api/people/ben/relations");
    assert_eq!(related["relations"][0]["to"], "places/hall", "{related}");
    // What was granted before there was an audit is not in it.
    wait_for("an audit", || {
        let entries = get("/api/audit")["entries"].as_array()?.clone();
        let whats: Vec<&str> = entries
            .iter()
            .filter_map(|one| one["what"].as_str())
            .collect();
        assert!(!whats.contains(&"granted"), "{whats:?}");
        (whats.last() == Some(&"begun")).then_some(())
    });
}

#[test]
fn what_is_kept_is_nobody_elses_business() {
    let hub = Hub::start(&[LOOPBACK]);
    let data = fs::metadata(hub.folder().join("data")).unwrap();
    assert_eq!(data.permissions().mode() & 0o777, 0o700);
}

/// All files of a folder and who may read them.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), fs::read(path).unwrap(), mode));
        }
    }
    found.sort();
    found
}

#[test]
fn whoever_trusts_a_hub_trusts_it_after_it_was_restored() {
    const LISTENERS: [&str; 2] = [
        "https://127.0.0.1:0",
        "mqtts://127.0.0.1:0?client-certificates=optional",
    ];
    let mut hub = Hub::start(&LISTENERS);
    let tls = hub.folder().join("data/tls");
    fs::create_dir_all(tls.join("deep/er")).unwrap();
    fs::write(tls.join("deep/er/one"), "one").unwrap();
    fs::write(tls.join("hub.key.new"), "half").unwrap();
    let backups = TempDir::new().unwrap();
    let data = hub.folder().join("data");
    let running = backups.path().join("running");
    succeed(site("backup", &[&running]).arg("--data").arg(&data));
    stop(&mut hub);
    let stopped = backups.path().join("stopped");
    let mut backup = site("backup", &[&stopped]);
    succeed(backup.arg("--data").arg(&data));
    fs::remove_file(tls.join("hub.key.new")).unwrap();
    let below = |files: Vec<(PathBuf, Vec<u8>, u32)>, folder: &Path| {
        let name = |path: PathBuf| path.strip_prefix(folder).unwrap().to_owned();
        let files = files.into_iter();
        let named = files.map(|(path, bytes, mode)| (name(path), bytes, mode));
        named.collect::<Vec<_>>()
    };
    let were = below(files(&tls), &tls);
    let secret = were.iter().find(|(path, ..)| path.ends_with("hub-ca.key"));
    assert_eq!(secret.map(|(.., mode)| *mode), Some(0o600));
    for backup in [running, stopped] {
        let mode = |folder: &Path| fs::metadata(folder).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&backup), 0o700);
        assert_eq!(below(files(&backup.join("tls")), &backup.join("tls")), were);
        let folder = TempDir::new().unwrap();
        let restored = folder.path().join("data");
        succeed(site("restore", &[&backup]).arg("--data").arg(&restored));
        assert_eq!(mode(&restored), 0o700);
        let again = Hub::in_folder(folder, "", &LISTENERS);
        assert_eq!(
            below(files(&restored.join("tls")), &restored.join("tls")),
            were
        );
        drop(again);
    }
}
