use std::{fs, path::Path};

use serde_json::json;
use tempfile::TempDir;

use super::{LISTENERS, client, command};
use crate::support::{Hub, Program, until};

#[track_caller]
fn describe(hub: &Hub) {
    let forms = json!([{ "href": "coap://thing.example/" }]);
    let td = json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "id": "urn:quartet:things:cellar",
        "title": "Cellar",
        "securityDefinitions": { "none": { "scheme": "nosec" } },
        "security": "none",
        "properties": {
            "temperature": { "type": "number", "unit": "Cel", "readOnly": true, "forms": forms },
            "door": { "type": "boolean", "readOnly": true, "forms": forms },
        },
    });
    let kind = ("content-type", "application/td+json");
    let path = "PUT /things/urn:quartet:things:cellar";
    let answer = hub.ask(path, &[kind], &td.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body);
}

/// What it says, what it complains about, and whether it ends well.
#[track_caller]
fn replay(hub: &Hub, file: &Path, more: &[&str]) -> (bool, String, String) {
    let file = file.to_str().expect("its name is text");
    let arguments = [&["replay", file], more].concat();
    let mut program = Program::start(&mut command(hub, &arguments));
    let is_good = program.ended().success();
    (is_good, program.out().join("\n"), program.err())
}

#[test]
fn a_series_is_said_as_its_thing_says_it_and_bad_lines_are_named() {
    let hub = Hub::owned(&LISTENERS);
    describe(&hub);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("cellar.csv");
    let text = "timestamp,door,value\n2026-01-19 08:00:00,true,50\n2026-01-19T08:10:00Z,false,59\nsoon,true,68\n2026-01-19 08:20:00,true,68\n";
    fs::write(&file, text).unwrap();
    let mut listener = client(&hub, "listener", hub.owner());
    listener.subscribe("things/cellar/properties/+", 0);
    let as_temperature = ["--as", "things/cellar/temperature"];
    let fast = ["--speed", "3600", "--column", "value", "--from-unit", "°F"];
    let (is_good, out, err) = replay(&hub, &file, &[&as_temperature[..], &fast].concat());
    assert!(!is_good && err.contains("one line was left out"), "{err}");
    assert!(
        err.contains(
            "cellar.csv, line 4: `soon` is no time since 1970; write 2026-01-19T08:00:00Z"
        ),
        "{err}"
    );
    assert!(out.starts_with("3 values of "), "{out}");
    assert!(out.contains("converted from °F to Cel"), "{out}");
    let mut heard = Vec::new();
    until("the values", || {
        heard.extend(listener.heard());
        let said = heard.iter();
        let said = said.filter(|(topic, _)| topic.ends_with("/temperature"));
        let values: Vec<f64> = said.filter_map(|(_, value)| value.parse().ok()).collect();
        values.len() == 3
            && values
                .iter()
                .zip([10.0, 15.0, 20.0])
                .all(|(a, b)| (a - b).abs() < 1e-9)
    });
    // It is the thing that said it, and its credential is gone.
    let twin = hub.ask("GET /api/things/cellar/twin", &[], "").json();
    assert_eq!(twin["temperature"]["reported"]["by"], "things/cellar");
    let credentials = hub.ask("GET /api/things/cellar/credentials", &[], "");
    assert_eq!(credentials.json()["credentials"], json!([]));
    // Of another column.
    let door = [
        "--as",
        "things/cellar/door",
        "--speed",
        "90000",
        "--column",
        "2",
    ];
    let (_, out, _) = replay(&hub, &file, &door);
    assert!(
        out.contains("were said as things/cellar/properties/door"),
        "{out}"
    );
}

#[test]
fn what_cannot_be_replayed_says_why() {
    let hub = Hub::owned(&LISTENERS);
    describe(&hub);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a.csv");
    fs::write(&file, "t,v\n2026-01-19 08:00,1\n").unwrap();
    let why = |more: &[&str]| {
        let (is_good, out, err) = replay(&hub, &file, more);
        assert!(!is_good, "{out}");
        err
    };
    let told = why(&["--as", "things/celar"]);
    assert!(
        told.contains("there is no element `things/celar`"),
        "{told}"
    );
    let told = why(&["--as", "things/cellar"]);
    assert!(told.contains("has several properties"), "{told}");
    let told = why(&["--as", "things/cellar/temp"]);
    assert!(told.contains("it has door, temperature"), "{told}");
    let told = why(&["--as", "things/cellar/temperature", "--column", "w"]);
    assert!(
        told.contains("there is no column `w`; the first line has t, v"),
        "{told}"
    );
    let told = why(&["--as", "things/cellar/temperature", "--from-unit", "kg"]);
    assert!(told.contains("`kg` cannot be told in `Cel`"), "{told}");
    let told = why(&["--as", "things/cellar/door", "--from-unit", "°F"]);
    assert!(told.contains("has no unit"), "{told}");
    let told = why(&["--as", "cellar"]);
    assert!(
        told.contains("write things/ID or things/ID/PROPERTY"),
        "{told}"
    );
}
