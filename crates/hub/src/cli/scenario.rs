//! `quartet scenario`: worlds as folders of files, put into a hub, simulated, and taken back.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use quartet_scenario::{Files, Package, Parameters, built_in, shown};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{hub::HubOptions, out::say};
use crate::{
    client::Endpoint,
    scenario::{self, Invited, Made},
};

/// Folders in folders of a package are looked at so deep.
const DEPTH_MAX: usize = 4;
/// The slowest and the fastest clock of a scenario.
const SPEED_MIN: f64 = 0.01;
const SPEED_MAX: f64 = 100_000.0;

/// Arguments of `quartet scenario`.
#[derive(Args, Debug)]
pub struct ScenarioArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Show which scenarios there are
    List,
    /// Tell the story of a scenario, and what may be said when it is run
    Show(Which),
    /// Look for mistakes in a scenario
    Check(Which),
    /// Put a scenario into a hub and simulate its things until Ctrl-C
    Run(Run),
    /// Take a scenario out of a hub, without a trace
    Remove(Remove),
}

#[derive(Args, Debug)]
struct Which {
    /// One of those that `quartet scenario list` shows, or a folder such as ./my-scenario
    scenario: String,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Whoever runs it must look after the hub. What is in a hub already under one of its names is left alone: then nothing is made.
To run it again is no mistake: the same is there in the end. When the simulation ends, what was made stays.

Examples:
  quartet scenario run office
  quartet scenario run office --speed 60 --set override=PT1H
  QUARTET_TOKEN=… quartet scenario run ./my-scenario --hub https://hub.example")]
struct Run {
    #[command(flatten)]
    which: Which,
    /// How many times as fast as ours its clock goes
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// A parameter of the scenario and its value; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    /// Where the hub listens for MQTT; unless given, where it says that it does
    #[arg(long, env = "QUARTET_URL", value_name = "URL")]
    url: Option<Endpoint>,
    #[command(flatten)]
    hub: HubOptions,
}

#[derive(Args, Debug)]
struct Remove {
    /// The scenario's name
    name: String,
    #[command(flatten)]
    hub: HubOptions,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse::<f64>().ok();
    let speed = speed.filter(|speed| (SPEED_MIN..=SPEED_MAX).contains(speed));
    speed.ok_or_else(|| format!("a speed is a number from {SPEED_MIN} to {SPEED_MAX}, such as 60"))
}

fn setting(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let pair = pair.map(|(name, value)| (name.to_owned(), value.to_owned()));
    pair.ok_or_else(|| "write NAME=VALUE, such as override=PT1H".to_owned())
}

impl ScenarioArgs {
    /// Does what is asked.
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::List => list(),
            Command::Show(which) => which.show(),
            Command::Check(which) => which.check(),
            Command::Run(run) => run.run(),
            Command::Remove(remove) => remove.run(),
        }
    }
}

fn list() -> anyhow::Result<()> {
    let mut told = String::new();
    for name in built_in::names() {
        let files = built_in::files(name).unwrap_or_default();
        let package = read(name, &files, &Parameters::default())?;
        let description = package.description.trim();
        told += &format!("{name}  {}\n    {description}\n", package.title);
    }
    say(told.as_bytes())?;
    Ok(())
}

impl Which {
    fn files(&self) -> anyhow::Result<Files> {
        let name = &self.scenario;
        if let Some(files) = built_in::files(name) {
            return Ok(files);
        }
        let folder = Path::new(name);
        if !folder.is_dir() {
            let known: Vec<&str> = built_in::names().collect();
            bail!(
                "there is no scenario `{name}`, and no folder of that name; there is {}",
                known.join(", ")
            );
        }
        let mut files = Files::default();
        walk(folder, "", 0, &mut files)?;
        Ok(files)
    }

    fn show(&self) -> anyhow::Result<()> {
        let package = read(&self.scenario, &self.files()?, &Parameters::default())?;
        let mut told = package.readme.trim_end().to_owned() + "\n";
        if !package.settings.is_empty() {
            told += "\nWhat may be said with --set\n";
        }
        for (name, setting) in &package.settings {
            let default = match setting.default.as_str() {
                Some(text) => text.to_owned(),
                None => setting.default.to_string(),
            };
            told += &format!("  {name}={default}  {}\n", setting.title);
        }
        say(told.as_bytes())?;
        Ok(())
    }

    fn check(&self) -> anyhow::Result<()> {
        let package = read(&self.scenario, &self.files()?, &Parameters::default())?;
        say(format!("{} is in order: {}.\n", package.name, contents(&package)).as_bytes())?;
        Ok(())
    }
}

/// All files of a folder but hidden ones.
fn walk(folder: &Path, below: &str, depth: usize, files: &mut Files) -> anyhow::Result<()> {
    if DEPTH_MAX < depth {
        bail!("{} is too deep for a scenario", folder.display());
    }
    let cannot = || format!("cannot read {}", folder.display());
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        entries.push(entry.with_context(cannot)?.path());
    }
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name else {
            bail!("{} has a name that is no text", path.display());
        };
        if name.starts_with('.') {
            continue;
        }
        let inside = format!("{below}{name}");
        if path.is_dir() {
            walk(&path, &format!("{inside}/"), depth + 1, files)?;
            continue;
        }
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if let Err(wrong) = files.add(&inside, &bytes) {
            bail!("{wrong}");
        }
    }
    Ok(())
}

/// Reads a package; mistakes are told with their places.
fn read(name: &str, files: &Files, said: &Parameters) -> anyhow::Result<Package> {
    Package::read(files, said).map_err(|wrongs| {
        let count = match wrongs.len() {
            1 => "one mistake".to_owned(),
            n => format!("{n} mistakes"),
        };
        anyhow::anyhow!("{name} has {count}\n{}", shown(files, &wrongs).trim_end())
    })
}

fn contents(package: &Package) -> String {
    let count = |kind: &str| {
        let elements = package.elements.iter();
        elements.filter(|it| it.key.starts_with(kind)).count()
    };
    let signals = package.signals.as_ref().map_or(0, |(_, names)| names.len());
    let counts = [
        (count("places/"), "place", "places"),
        (count("things/"), "thing", "things"),
        (count("people/"), "person", "people"),
        (package.roles.len(), "role", "roles"),
        (package.flows.len(), "process", "processes"),
        (signals, "signal", "signals"),
    ];
    let counts = counts.iter().filter(|(count, ..)| *count != 0);
    let told: Vec<String> = counts
        .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
        .collect();
    told.join(", ")
}

impl Run {
    fn run(self) -> anyhow::Result<()> {
        let files = self.which.files()?;
        let mut said = BTreeMap::new();
        for (name, value) in &self.set {
            if said.insert(name.clone(), value.clone()).is_some() {
                bail!("`{name}` is said twice");
            }
        }
        let said = Parameters {
            speed: self.speed,
            said,
        };
        let package = read(&self.which.scenario, &files, &said)?;
        // From the first moment: what was begun ends in order.
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stop))?;
        }
        let hub = self.hub.asker();
        let run = scenario::Run {
            hub: &hub,
            package: &package,
            speed: self.speed,
            url: self.url.as_ref(),
            stop: &stop,
        };
        let is_simulated = package.world.is_some();
        let time = run.run(
            &mut |invited| self.introduce(&package, &invited, is_simulated),
            // What fails in a simulation is told, and the rest goes on.
            &mut |failure| eprintln!("quartet: in the simulation of {failure}"),
        )?;
        if let Some(time) = time {
            let name = &package.name;
            let time = time.rfc3339();
            let time = time.get(..16).unwrap_or(&time).replace('T', " ");
            let text = format!(
                "The simulation ends; it was {time} there. What was made stays: quartet scenario run {name}, or quartet scenario remove {name}.\n"
            );
            say(text.as_bytes())?;
        }
        Ok(())
    }

    /// What there is now, and what is worth a look.
    fn introduce(
        &self,
        package: &Package,
        invited: &[Invited],
        is_simulated: bool,
    ) -> anyhow::Result<()> {
        let hub = self.hub.asker();
        let mut told = format!("{} is in the hub: {}.\n", package.title, contents(package));
        if !package.look_at.is_empty() {
            told += "\nLook at\n";
        }
        for look in &package.look_at {
            let (kind, id) = look.element.split_once('/').unwrap_or_default();
            let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
            let url = hub.url().join(&format!("/app/{kind}/{id}"))?;
            told += &format!("  {url}\n      {}\n", look.says);
        }
        if !invited.is_empty() {
            told += "\nCome in as (each link opens an account, once, within an hour)\n";
        }
        for person in invited {
            told += &format!(
                "  {}  {}\n      {}\n",
                person.title, person.link, person.description
            );
        }
        if is_simulated {
            let clock = match self.speed == 1.0 {
                true => "as fast as ours".to_owned(),
                false => format!("{} times as fast as ours", self.speed),
            };
            told += &format!(
                "\nIts things are simulated, and its clock goes {clock}. Ctrl-C ends the simulation.\n"
            );
        }
        say(told.as_bytes())?;
        Ok(())
    }
}

impl Remove {
    fn run(self) -> anyhow::Result<()> {
        let hub = self.hub.asker();
        match scenario::remove(&hub, &self.name)? {
            Some(made) => {
                let told = format!("{} is gone: {}.\n", self.name, gone(&made));
                say(told.as_bytes())?;
                Ok(())
            }
            None => bail!("the scenario `{}` is not in this hub", self.name),
        }
    }
}

fn gone(made: &Made) -> String {
    let elements = made.elements.len() + made.announced.len();
    format!(
        "{elements} elements, {} roles, {} processes, {} signals, and what was retained for them",
        made.roles.len(),
        made.flows.len(),
        made.signals.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_and_a_setting_is_a_pair() {
        assert_eq!(speed("60"), Ok(60.0));
        assert!(speed("0").is_err() && speed("fast").is_err() && speed("NaN").is_err());
        assert_eq!(setting("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(setting("a").is_err() && setting("=b").is_err());
    }
}
