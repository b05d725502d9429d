//! What the tests need on the machine besides Rust: other brokers and clients, and a test runner.
//!
//! Debian packages where the system lacks a program; everything else goes into Quartet's folder
//! below the user's cache. What is there stays as it is, so the second run takes no time.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::bail;

use crate::{
    packages::Packages,
    steps::{cargo, run, succeeds},
};

/// Foreign packages, each with the variable by which the tests find it. Versions are fixed in the
/// lists: a test that fails has changed, not its counterpart.
const PACKAGES: [(&str, Packages); 6] = [
    (
        "QUARTET_TEST_PYTHON",
        Packages::python("python", include_str!("../packages/requirements.txt")),
    ),
    (
        "QUARTET_TEST_NODE_MODULES",
        Packages::node("node", include_str!("../packages/package.json")),
    ),
    (
        "QUARTET_TEST_NODE_WOT",
        Packages::node(
            "node-wot",
            include_str!("../../crates/hub/tests/node-wot/package.json"),
        ),
    ),
    (
        "QUARTET_TEST_BROWSER",
        Packages::node(
            "browser",
            include_str!("../../crates/hub/tests/browser/package.json"),
        ),
    ),
    (
        "QUARTET_TEST_ACME",
        Packages::python(
            "acme",
            include_str!("../../crates/hub/tests/acme/requirements.txt"),
        ),
    ),
    (
        "QUARTET_TEST_HOMEASSISTANT",
        Packages::python(
            "homeassistant",
            include_str!("../../crates/hub/tests/homeassistant/requirements.txt"),
        ),
    ),
];

/// A program and the Debian package that brings it.
const PROGRAMS: [(&str, &str); 9] = [
    ("jq", "jq"),
    ("mosquitto", "mosquitto"),
    ("mosquitto_pub", "mosquitto-clients"),
    ("python3", "python3-venv"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("coap-client-notls", "libcoap3-bin"),
    ("chromium", "chromium"),
    ("certutil", "libnss3-tools"),
];

/// By which variables the tests find what was installed.
pub(crate) fn variables() -> anyhow::Result<Vec<(&'static str, PathBuf)>> {
    let variables = PACKAGES
        .iter()
        .map(|(variable, packages)| Ok((*variable, packages.place()?)));
    variables.collect()
}

/// What is not there yet, in words.
pub(crate) fn missing() -> Vec<String> {
    let mut missing = missing_programs();
    missing.extend(missing_components().into_iter().map(str::to_owned));
    if !has_nextest() {
        missing.push("cargo-nextest".to_owned());
    }
    let packages = PACKAGES
        .iter()
        .filter(|(_, packages)| !packages.are_there());
    missing.extend(packages.map(|(_, packages)| format!("the packages of {}", packages.name)));
    missing
}

/// Installs what is missing.
pub(crate) fn install() -> anyhow::Result<()> {
    install_programs(&missing_programs())?;
    let components = missing_components();
    if !components.is_empty() {
        run(Command::new("rustup")
            .args(["component", "add"])
            .args(components))?;
    }
    if !has_nextest() {
        // In a target folder of its own, which cargo removes afterwards.
        let nextest = ["install", "--locked", "cargo-nextest"];
        run(cargo().args(nextest).env_remove("CARGO_TARGET_DIR"))?;
    }
    for (_, packages) in &PACKAGES {
        packages.install()?;
    }
    Ok(())
}

fn missing_programs() -> Vec<String> {
    let missing = PROGRAMS.iter().filter(|(program, _)| !is_there(program));
    missing.map(|(_, package)| (*package).to_owned()).collect()
}

/// Whether a program can be started. Python without venv does not help; Debian splits them.
fn is_there(program: &str) -> bool {
    match program {
        "python3" => succeeds(Command::new(program).args(["-c", "import venv, ensurepip"])),
        _ => find(program).is_some(),
    }
}

/// Where a program is. Debian keeps brokers in a folder that not every user's path has.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

fn install_programs(packages: &[String]) -> anyhow::Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(", ");
    if find("apt-get").is_none() {
        bail!("the tests need {names}; install them, there is no apt-get here that could");
    }
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.stdout.starts_with(b"0\n"));
    if !is_root && find("sudo").is_none() {
        bail!("the tests need {names}; install them, this user may not");
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(if is_root { "env" } else { "sudo" });
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
            .args(arguments);
        command
    };
    run(&mut apt(&["update"]))?;
    run(apt(&["install", "--yes", "--no-install-recommends"]).args(packages))?;
    if packages.iter().any(|package| package == "mosquitto")
        && Path::new("/run/systemd/system").is_dir()
    {
        // Debian starts the broker at once. It is here for tests, and the port is the hub's.
        let stop = ["systemctl", "disable", "--now", "mosquitto"];
        run(Command::new(if is_root { "env" } else { "sudo" }).args(stop))?;
    }
    Ok(())
}

/// Parts of the toolchain that minimal installations lack.
fn missing_components() -> Vec<&'static str> {
    let components = [("fmt", "rustfmt"), ("clippy", "clippy")];
    let missing = components
        .iter()
        .filter(|(command, _)| !succeeds(cargo().args([command, "--version"])));
    missing.map(|(_, component)| *component).collect()
}

fn has_nextest() -> bool {
    succeeds(cargo().args(["nextest", "--version"]))
}
