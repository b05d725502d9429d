//! What the tests need on the machine besides Rust: other brokers and clients, and a test runner.
//!
//! Debian packages where the system lacks a program; everything else goes into Quartet's folder
//! below the user's cache. What is there stays as it is, so the second run takes no time.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::steps::{cargo, run, succeeds};

/// Versions are fixed: a test that fails has changed, not its counterpart.
const PAHO: &str = "2.1.0";
/// Packages of node: a client, and a validator of Thing Descriptions with its examples.
const NODE_PACKAGES: [(&str, &str); 2] = [
    ("mqtt", "5.16.0"),
    ("@thing-description-playground/core", "1.4.0"),
];

/// A program and the Debian package that brings it.
const PROGRAMS: [(&str, &str); 5] = [
    ("mosquitto", "mosquitto"),
    ("mosquitto_pub", "mosquitto-clients"),
    ("python3", "python3-venv"),
    ("node", "nodejs"),
    ("npm", "npm"),
];

/// By which variables the tests find what was installed.
pub(crate) fn variables() -> anyhow::Result<[(&'static str, PathBuf); 2]> {
    Ok([
        ("QUARTET_TEST_PYTHON", python()?),
        ("QUARTET_TEST_NODE_MODULES", node_modules()?),
    ])
}

/// What is not there yet, in words.
pub(crate) fn missing() -> Vec<String> {
    let mut missing = missing_packages();
    missing.extend(missing_components().into_iter().map(str::to_owned));
    let mut tools = vec![
        ("cargo-nextest", has_nextest()),
        ("paho-mqtt", python().is_ok_and(|python| has_paho(&python))),
    ];
    tools.extend(NODE_PACKAGES.map(|package| {
        let is_there = node_modules().is_ok_and(|modules| has_node_package(&modules, package));
        (package.0, is_there)
    }));
    missing.extend(
        tools
            .iter()
            .filter(|(_, there)| !there)
            .map(|(name, _)| (*name).to_owned()),
    );
    missing
}

/// Installs what is missing.
pub(crate) fn install() -> anyhow::Result<()> {
    install_packages(&missing_packages())?;
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
    install_paho(&python()?)?;
    install_node_packages(&node_modules()?)
}

fn missing_packages() -> Vec<String> {
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

fn install_packages(packages: &[String]) -> anyhow::Result<()> {
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

fn python() -> anyhow::Result<PathBuf> {
    Ok(cache()?.join("python/bin/python"))
}

fn has_paho(python: &Path) -> bool {
    let program = format!("from paho.mqtt import __version__ as v; assert v == '{PAHO}', v");
    succeeds(Command::new(python).args(["-c", &program]))
}

fn install_paho(python: &Path) -> anyhow::Result<()> {
    if has_paho(python) {
        return Ok(());
    }
    if !succeeds(Command::new(python).args(["-m", "pip", "--version"])) {
        let folder = cache()?.join("python");
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(folder))?;
    }
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    run(Command::new(python)
        .args(pip)
        .arg(format!("paho-mqtt=={PAHO}")))
}

fn node_modules() -> anyhow::Result<PathBuf> {
    Ok(cache()?.join("node/node_modules"))
}

fn has_node_package(modules: &Path, (name, version): (&str, &str)) -> bool {
    let about = fs::read_to_string(modules.join(name).join("package.json")).unwrap_or_default();
    about.contains(&format!("\"version\": \"{version}\""))
}

fn install_node_packages(modules: &Path) -> anyhow::Result<()> {
    if NODE_PACKAGES
        .iter()
        .all(|&package| has_node_package(modules, package))
    {
        return Ok(());
    }
    let folder = cache()?.join("node");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let npm = ["install", "--no-audit", "--no-fund", "--no-progress"];
    let packages = NODE_PACKAGES.map(|(name, version)| format!("{name}@{version}"));
    run(Command::new("npm")
        .args(npm)
        .arg("--prefix")
        .arg(folder)
        .args(packages))
}

/// Quartet's folder below the user's cache.
fn cache() -> anyhow::Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    Ok(cache
        .context("cannot tell the cache folder: neither XDG_CACHE_HOME nor HOME is set")?
        .join("quartet"))
}
