use std::fs;

use tempfile::TempDir;

use super::{LISTENERS, command, kept, same};
use crate::support::{Hub, Program, quartet, succeed};

/// Ends with a mistake, and says this.
#[track_caller]
fn fails(command: &mut std::process::Command, words: &[&str]) {
    let mut program = Program::start(command);
    assert!(!program.ended().success(), "{:?}", program.out());
    for word in words {
        assert!(program.err().contains(word), "{word}: {}", program.err());
    }
}

#[test]
fn scenarios_are_listed_told_and_checked() {
    let said = succeed(quartet().args(["scenario", "list"])).join("\n");
    assert!(said.starts_with("office  An office"), "{said}");
    let said = succeed(quartet().args(["scenario", "show", "office"])).join("\n");
    assert!(said.contains("override=PT2H"), "{said}");
    let said = succeed(quartet().args(["scenario", "check", "office"])).join("\n");
    assert!(said.contains("office is in order: 6 places"), "{said}");
    fails(
        quartet().args(["scenario", "check", "ofice"]),
        &["there is no scenario `ofice`", "office"],
    );
    fails(
        quartet().args(["scenario", "run", "office", "--set", "overide=PT1H"]),
        &["did you mean `override`?"],
    );
}

#[test]
fn a_folder_with_a_mistake_is_named_by_file_and_place() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let path = folder.path().to_str().unwrap();
    fails(
        quartet().args(["scenario", "check", path]),
        &["scenario.yaml"],
    );
    write("README.md", "A yard with a gate.\n");
    write(
        "scenario.yaml",
        "scenario: 1\nname: yard\ntitle: Yard\ndescription: A yard.\nversion: 1.0.0\n",
    );
    write(
        "elements.yaml",
        "elements:\n  places/yard: { title: Yard }\n  things/yard-gate: { title: Gate, in: places/yrd }\n",
    );
    fails(
        quartet().args(["scenario", "check", path]),
        &[
            "elements.yaml:3:3: error: there is no element `places/yrd` in this scenario; did you mean `places/yard`?",
            "things/yard-gate",
        ],
    );
    write(
        "elements.yaml",
        "elements:\n  places/yard: { title: Yard }\n  things/yard-gate: { title: Gate, in: places/yard }\n",
    );
    // Right, it is put into a hub without anything simulated, and taken out again.
    let hub = Hub::owned(&LISTENERS);
    let before = kept(&hub);
    let said = succeed(&mut command(&hub, &["scenario", "run", path]));
    assert_eq!(said[0], "Yard is in the hub: 1 place, 1 thing.");
    assert_eq!(hub.ask("GET /api/things/yard-gate", &[], "").status, 200);
    succeed(&mut command(&hub, &["scenario", "remove", "yard"]));
    same(&before, &kept(&hub));
}

#[test]
fn what_is_somebody_elses_is_left_alone() {
    let hub = Hub::owned(&LISTENERS);
    let td = r#"{"@context":"https://www.w3.org/2022/wot/td/v1.1","id":"urn:quartet:places:office-102","title":"Mine",
        "securityDefinitions":{"none":{"scheme":"nosec"}},"security":"none"}"#;
    let kind = [("content-type", "application/td+json")];
    let made = hub.ask("PUT /things/urn:quartet:places:office-102", &kind, td);
    assert_eq!(made.status, 201, "{}", made.body);
    let before = kept(&hub);
    fails(
        &mut command(&hub, &["scenario", "run", "office"]),
        &["`places/office-102` is there already"],
    );
    same(&before, &kept(&hub));
    // Whoever does not look after the hub makes nothing.
    let mut nobody = command(&hub, &["scenario", "run", "office"]);
    nobody.env_remove("QUARTET_TOKEN");
    fails(&mut nobody, &["say who you are"]);
}
