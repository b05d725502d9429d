//! `quartet flow`: mistakes are pointed at, and an event shows what a flow would do.

mod abused; // bad input, and nobody else notices
mod deployed; // what a hub runs
mod drafts; // what nobody deployed yet
mod expressions; // jq, tried
mod journeys; // what led to what
mod killed; // what is told once, whenever the hub is killed

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::support::{Program, quartet};

const SWITCH: &str = "\
document:
  dsl: '1.0.3'
  namespace: office
  name: wall-switch
  version: '1.0.0'
  metadata: { run: fast }
schedule:
  on:
    one:
      with: { type: io.ioe.thing.event, subject: office/switch-.*, data: '${ .name == \"pressed\" }' }
do:
  - room:
      call: read
      with: { thing: office/room, property: occupancy }
  - toggle:
      if: . > 0
      call: invoke
      with: { thing: office/light, action: toggle }
";

/// What a command says, and whether it ends well.
fn says(command: &mut Command, input: &str) -> (bool, String) {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut program = command.spawn().unwrap();
    let mut stdin = program.stdin.take().unwrap();
    // It may have found enough before all is written.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = program.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn mistakes_in_definitions_are_pointed_at_and_fail() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
    };
    write("good.yaml", SWITCH);
    write(
        "bad.yaml",
        &SWITCH
            .replace("call: invoke", "call: invok")
            .replace(". > 0", ". > $room"),
    );
    let check = |files: &[&str]| {
        let mut command = quartet();
        command
            .current_dir(folder.path())
            .args(["flow", "check"])
            .args(files);
        says(&mut command, "")
    };
    assert_eq!(
        check(&["good.yaml"]),
        (true, "1 definition: nothing to say\n".to_owned())
    );
    let (is_good, said) = check(&["good.yaml", "bad.yaml"]);
    assert!(!is_good);
    assert!(
        said.contains("bad.yaml:16:15: error: there is no `$room` here"),
        "{said}"
    );
    assert!(
        said.contains(" 16 |       if: . > $room\n    |               ^\n"),
        "{said}"
    );
    assert!(
        said.contains("2 definitions: 1 with errors, 0 warnings"),
        "{said}"
    );
    let (is_good, said) = check(&["none.yaml"]);
    assert!(!is_good && said.contains("cannot read none.yaml"), "{said}");
}

#[test]
fn a_file_that_is_watched_is_looked_at_again_when_it_changes() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("flow.yaml");
    fs::write(&file, SWITCH).unwrap();
    let mut command = quartet();
    command.args(["flow", "check", "--watch"]).arg(&file);
    let mut program = Program::start(&mut command);
    program.says("1 definition: nothing to say");
    program.says("-- waiting for changes");
    // As editors do it: a new file in the place of the old one.
    let new = folder.path().join("flow.yaml.new");
    fs::write(&new, SWITCH.replace("do:\n", "doo:\n")).unwrap();
    fs::rename(&new, &file).unwrap();
    program.says("1 definition: 1 with errors");
}

#[test]
fn an_event_shows_what_a_flow_would_do_and_why_it_would_not() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("switch.yaml");
    fs::write(&file, SWITCH).unwrap();
    let attempt = |event: &str, set: &str| {
        let mut command = quartet();
        command
            .args(["flow", "try"])
            .arg(&file)
            .args(["--set", set]);
        says(&mut command, event)
    };
    let pressed =
        r#"{"type":"io.ioe.thing.event","subject":"office/switch-1","data":{"name":"pressed"}}"#;
    let (is_good, said) = attempt(pressed, "office/room/occupancy=2");
    let expected = "The event starts the flow:\n  /do/0/room gave 2\n  /do/1/toggle gave null\nIt would\n  invoke toggle of office/light\n";
    assert_eq!((is_good, &*said), (true, expected));
    let (_, said) = attempt(pressed, "office/room/occupancy=0");
    assert!(
        said.contains("/do/1/toggle was skipped") && said.contains("It would do nothing."),
        "{said}"
    );
    let (is_good, said) = attempt(&pressed.replace("pressed", "held"), "a/b=1");
    assert!(!is_good);
    assert!(said.contains("  .name is \"held\"\n"), "{said}");
    let (is_good, said) = attempt("{}", "a/b=1");
    assert!(
        !is_good && said.contains("the event has no `type`"),
        "{said}"
    );
}
