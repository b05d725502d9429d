use std::{fs, process::Command};

use tempfile::TempDir;

use crate::support::{Hub, Program, quartet, succeed};

/// What a command that must fail complains about.
#[track_caller]
fn fail(command: &mut Command) -> String {
    let mut program = Program::start(command);
    let status = program.ended();
    assert_eq!(status.code(), Some(1), "{}", program.err());
    program.err()
}

fn configured(text: &str) -> (TempDir, std::path::PathBuf) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("quartet.toml");
    fs::write(&file, text).unwrap();
    (folder, file)
}

#[test]
fn a_second_hub_at_the_same_port_says_so_and_ends() {
    let first = Hub::start(&["mqtt://127.0.0.1:0", "http://127.0.0.1:0"]);
    for scheme in ["mqtt", "http"] {
        let url = format!("{scheme}://{}", first.at(&format!("{scheme}://")));
        let folder = TempDir::new().unwrap();
        let mut second = quartet();
        second.arg("run").arg("--data").arg(folder.path());
        let said = fail(second.args(["--listen", &url]));
        assert!(said.contains(&format!("cannot listen on {url}")), "{said}");
        assert!(said.to_lowercase().contains("in use"), "{said}");
    }
}

const BROKEN: &str = "log = \"info\"\n[limits]\nqueue_messages_max = \"many\"\n";

#[test]
fn a_bad_configuration_names_file_line_and_column() {
    let (_folder, file) = configured(BROKEN);
    let place = format!("{}:3:22: limits.queue_messages_max", file.display());
    for command in [&["run", "--config"][..], &["config", "check"]] {
        let said = fail(quartet().args(command).arg(&file));
        assert!(said.contains(&place), "{said}");
        assert!(said.contains("[Q0104]"), "{said}");
    }
}

#[test]
fn all_mistakes_are_named_at_once() {
    let (_folder, file) = configured("lanse = 2\nlog = 3\n[limits]\nreceive_maximum = 0\n");
    let said = fail(quartet().args(["config", "check"]).arg(&file));
    for place in [":1:1:", ":2:7:", ":4:19:"] {
        assert!(said.contains(place), "{place} {said}");
    }
}

#[test]
fn a_good_configuration_is_said_to_be_in_order() {
    let (_folder, file) = configured("listeners = [\"mqtt://127.0.0.1:2883\"]\n");
    let out = succeed(quartet().args(["config", "check"]).arg(&file));
    assert_eq!(out[0], format!("{} is in order.", file.display()));
    assert_eq!(out[1].trim(), "listens on mqtt://127.0.0.1:2883");
}

#[test]
fn a_certificate_that_is_not_there_keeps_the_hub_from_starting() {
    let (folder, file) =
        configured("[tls]\ncertificate = \"nowhere.crt\"\nkey = \"nowhere.key\"\n");
    let mut command = quartet();
    command.args(["run", "--listen", "mqtts://127.0.0.1:0", "--config"]);
    command
        .arg(&file)
        .arg("--data")
        .arg(folder.path().join("data"));
    let said = fail(&mut command);
    assert!(said.contains("nowhere.crt"), "{said}");
}
