use std::{fs, process::Command};

use crate::support::{Everywhere, node, python, succeed};

/// Runs a script over everything that it speaks: `script PORT VERSION URL-SCHEME AUTHORITY`.
fn run_everywhere(interpreter: impl Fn() -> Command, name: &str, script: &str) {
    let everywhere = Everywhere::start();
    let file = everywhere.hub.folder().join(name);
    fs::write(&file, script).unwrap();
    for scheme in ["mqtt", "mqtts", "ws", "wss"] {
        for version in ["4", "5"] {
            let mut command = interpreter();
            command.arg(&file);
            command.arg(everywhere.hub.port(scheme).to_string());
            command.args([version, scheme]);
            command.arg(&everywhere.authority.file);
            let out = succeed(&mut command);
            assert_eq!(out.last().map(String::as_str), Some("done"), "{out:?}");
        }
    }
}

#[test]
fn paho_for_python_finds_all_that_it_expects() {
    run_everywhere(python, "with_paho.py", include_str!("with_paho.py"));
}

#[test]
fn mqtt_js_finds_all_that_it_expects() {
    run_everywhere(node, "with_mqtt_js.cjs", include_str!("with_mqtt_js.cjs"));
}
