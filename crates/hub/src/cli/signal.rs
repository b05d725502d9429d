//! `quartet signal`: what is to be made of what elements report.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use quartet_process::{
    problem::{Problem, shown},
    signals,
};

use super::{
    flow::{place, read},
    hub::{HubOptions, path_of, text},
    out::say,
};

/// Arguments of `quartet signal`.
#[derive(Args, Debug)]
pub struct SignalArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Look for mistakes in definitions
    Check(Files),
    /// Let a hub make signals of what its elements report
    Deploy(Deploy),
    /// Show which signals a hub makes
    List(List),
    /// Show a signal, and why it is as it is at each element
    Explain(One),
    /// Take a signal back: what was on ends
    Remove(One),
}

#[derive(Args, Debug)]
#[command(after_help = "\
A file has an object `signals`, by name:
  signals:
    office.room.too-warm: { of: office/room-*, property: temperature, above: 24, clear: 23.5, for: PT10M }")]
struct Files {
    /// Files with definitions
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

#[derive(Args, Debug)]
struct Deploy {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    hub: HubOptions,
}

#[derive(Args, Debug)]
struct List {
    #[command(flatten)]
    hub: HubOptions,
}

#[derive(Args, Debug)]
struct One {
    /// The name of the signal
    name: String,
    #[command(flatten)]
    hub: HubOptions,
}

impl SignalArgs {
    /// Does what is asked for.
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Check(files) => files.check(),
            Command::Deploy(deploy) => deploy.run(),
            Command::List(list) => list.run(),
            Command::Explain(one) => one.explain(),
            Command::Remove(one) => one.remove(),
        }
    }
}

impl Files {
    /// Prints what is wrong; an error if something cannot be used.
    fn check(&self) -> anyhow::Result<()> {
        let mut bad = 0;
        for file in &self.files {
            let text = read(file)?;
            let name = file.display().to_string();
            let (problems, told) = match signals::read(&text) {
                Ok((all, warnings)) => (warnings, format!("{name}: {} signals\n", all.len())),
                Err(problems) => (problems, String::new()),
            };
            bad += usize::from(problems.iter().any(Problem::is_error));
            let problems = problems.iter();
            let problems: String = problems
                .map(|problem| shown(&name, &text, problem))
                .collect();
            say((problems + &told).as_bytes())?;
        }
        match bad {
            0 => Ok(()),
            1 => bail!("one file cannot be used"),
            n => bail!("{n} files cannot be used"),
        }
    }
}

/// Where they are.
const SIGNALS: &str = "/api/signals";

impl Deploy {
    fn run(&self) -> anyhow::Result<()> {
        self.files.check()?;
        for file in &self.files.files {
            let definitions = read(file)?;
            let name = file.display().to_string();
            let answer = self.hub.ask("POST", SIGNALS, Some(definitions.clone()))?;
            let errors = answer.body["validationErrors"].as_array();
            for error in errors.into_iter().flatten() {
                let place = place(text(&error["field"]));
                let problem = Problem::error(place, text(&error["description"]));
                say(shown(&name, &definitions, &problem).as_bytes())?;
            }
            if !answer.status.is_success() {
                bail!("{name} was not deployed");
            }
            let names = answer.body["signals"].as_array().into_iter().flatten();
            let told: String = names
                .map(|signal| format!("{name}: {} is deployed\n", text(signal)))
                .collect();
            say(told.as_bytes())?;
        }
        Ok(())
    }
}

impl List {
    fn run(&self) -> anyhow::Result<()> {
        let body = self.hub.ask("GET", SIGNALS, None)?.body;
        let signals = body["signals"].as_array().cloned().unwrap_or_default();
        if signals.is_empty() {
            say(b"There are no signals here; `quartet signal deploy FILE` deploys some.\n")?;
            return Ok(());
        }
        let mut told = String::new();
        for signal in &signals {
            told += &format!("{}: {}\n", text(&signal["name"]), signal["definition"]);
        }
        say(told.as_bytes())?;
        Ok(())
    }
}

impl One {
    fn explain(&self) -> anyhow::Result<()> {
        let body = self
            .hub
            .ask("GET", &path_of(SIGNALS, &self.name), None)?
            .body;
        let mut told = format!("{}: {}\n", self.name, body["definition"]);
        let elements = body["elements"].as_array().cloned().unwrap_or_default();
        if elements.is_empty() {
            told += "  Nothing that it is about is registered, or has said anything since.\n";
        }
        for element in &elements {
            let is_on = match element["on"].as_bool() {
                Some(true) => "on",
                _ => "off",
            };
            told += &format!("  {}: {is_on}\n", text(&element["element"]));
            for line in element["says"].as_array().into_iter().flatten() {
                told += &format!("    {}\n", text(line));
            }
        }
        say(told.as_bytes())?;
        Ok(())
    }

    fn remove(&self) -> anyhow::Result<()> {
        self.hub
            .ask("DELETE", &path_of(SIGNALS, &self.name), None)?;
        say(format!("{} is gone\n", self.name).as_bytes())?;
        Ok(())
    }
}
