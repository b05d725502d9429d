//! `quartet flow deploy`, `list`, `show`, `enable`, `disable`, `remove` and `explain`: what a hub runs.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use quartet_process::{
    check::{self, Nothing},
    problem::{Place, Problem, shown},
};
use serde_json::Value;

use super::super::{
    hub::{HubOptions, path_of, text},
    out::say,
};

#[derive(Args, Debug)]
#[command(after_help = "\
Each definition takes the place of what had its name; whoever deploys it owns it, and it never may more than its owner.
What it may do is granted in its `metadata: { grants: [{ role: operator, on: places/office }] }`.

Example:
  QUARTET_TOKEN=… quartet flow deploy --hub https://hub.example flows/*.yaml")]
pub(super) struct Deploy {
    /// Files with one definition each
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    hub: HubOptions,
}

#[derive(Args, Debug)]
pub(super) struct List {
    #[command(flatten)]
    hub: HubOptions,
}

/// One flow that is meant.
#[derive(Args, Debug)]
pub(super) struct One {
    /// NAMESPACE.NAME, as `quartet flow list` shows it
    name: String,
    #[command(flatten)]
    hub: HubOptions,
}

/// What is said of why.
#[derive(Args, Debug)]
#[command(after_help = "\
Tells what a flow did lately and why, step by step, and which events nearly started it, with the values that its conditions had.

Example:
  quartet explain office.wall-switch")]
pub struct ExplainArgs {
    #[command(flatten)]
    one: One,
    /// All that is known, as JSON
    #[arg(long)]
    json: bool,
}

/// Where they are.
const FLOWS: &str = "/api/flows";

impl Deploy {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let mut bad = 0;
        for file in &self.files {
            bad += usize::from(!self.deploy(file)?);
        }
        match bad {
            0 => Ok(()),
            1 => bail!("one definition was not deployed"),
            n => bail!("{n} definitions were not deployed"),
        }
    }

    /// Says whether it is deployed.
    fn deploy(&self, file: &Path) -> anyhow::Result<bool> {
        let definition = super::read(file)?;
        let name = file.display().to_string();
        if let Err(problems) = check::check(&definition, &Nothing) {
            let problems = problems.iter();
            let told: String = problems
                .map(|problem| shown(&name, &definition, problem))
                .collect();
            say(told.as_bytes())?;
            return Ok(false);
        }
        let answer = self.hub.ask("POST", FLOWS, Some(definition.clone()))?;
        let body = &answer.body;
        let mut told = String::new();
        let errors = body["validationErrors"].as_array().into_iter().flatten();
        for error in errors {
            let place = place(text(&error["field"]));
            let problem = Problem::error(place, text(&error["description"]));
            told += &shown(&name, &definition, &problem);
        }
        for warning in body["warnings"].as_array().into_iter().flatten() {
            let number = |name: &str| warning[name].as_u64().unwrap_or(1) as u32;
            let place = Place {
                line: number("line"),
                column: number("column"),
            };
            told += &shown(
                &name,
                &definition,
                &Problem::warning(place, text(&warning["what"])),
            );
        }
        let is_deployed = answer.status.is_success();
        if is_deployed {
            let owner = match body["owner"].as_str() {
                Some(owner) => format!("may what it was granted, as far as {owner} may"),
                None => "may everything, as everybody here".to_owned(),
            };
            told += &format!(
                "{name}: {} is deployed ({}); it {owner}\n",
                text(&body["name"]),
                text(&body["hash"])
            );
        }
        say(told.as_bytes())?;
        Ok(is_deployed)
    }
}

/// A place that the hub names, as `line:column`.
pub(in crate::cli) fn place(text: &str) -> Place {
    let (line, column) = text.split_once(':').unwrap_or((text, "1"));
    Place {
        line: line.parse().unwrap_or(1),
        column: column.parse().unwrap_or(1),
    }
}

impl List {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let answer = self.hub.ask("GET", FLOWS, None)?;
        let flows = answer.body["flows"].as_array().cloned().unwrap_or_default();
        if flows.is_empty() {
            say(b"There are no flows here; `quartet flow deploy FILE` deploys one.\n")?;
            return Ok(());
        }
        let head = [
            "NAME", "STATE", "RUNS", "FAILED", "MISSED", "LAST RUN", "OWNER", "TITLE",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        for flow in &flows {
            let count = |name: &str| flow["counts"][name].to_string();
            rows.push([
                text(&flow["name"]).to_owned(),
                text(&flow["state"]).to_owned(),
                count("runs"),
                count("failed"),
                count("missed"),
                flow["lastRun"].as_str().unwrap_or("-").to_owned(),
                flow["owner"].as_str().unwrap_or("-").to_owned(),
                text(&flow["title"]).to_owned(),
            ]);
        }
        let widths: Vec<usize> = (0..head.len())
            .map(|column| rows.iter().map(|row| row[column].chars().count()).max())
            .map(Option::unwrap_or_default)
            .collect();
        let mut table = String::new();
        for row in &rows {
            let cells = row.iter().zip(&widths);
            let cells = cells.map(|(cell, width)| format!("{cell:<width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            table += line.trim_end();
            table.push('\n');
        }
        say(table.as_bytes())?;
        Ok(())
    }
}

impl One {
    pub(super) fn show(&self) -> anyhow::Result<()> {
        let path = path_of(FLOWS, &self.name);
        let body = self.hub.ask("GET", &path, None)?.body;
        let mut told = text(&body["text"]).to_owned();
        if !told.ends_with('\n') {
            told.push('\n');
        }
        say(told.as_bytes())?;
        Ok(())
    }

    pub(super) fn set(&self, state: &str) -> anyhow::Result<()> {
        let body = serde_json::json!({ "state": state }).to_string();
        self.hub
            .ask("PUT", &(path_of(FLOWS, &self.name) + "/state"), Some(body))?;
        say(format!("{} is {state}\n", self.name).as_bytes())?;
        Ok(())
    }

    pub(super) fn remove(&self) -> anyhow::Result<()> {
        self.hub.ask("DELETE", &path_of(FLOWS, &self.name), None)?;
        say(format!("{} is gone\n", self.name).as_bytes())?;
        Ok(())
    }
}

impl ExplainArgs {
    /// Does what is asked for.
    pub(in crate::cli) fn run(&self) -> anyhow::Result<()> {
        let path = path_of(FLOWS, &self.one.name) + "/explain";
        let body = self.one.hub.ask("GET", &path, None)?.body;
        let told = match self.json {
            true => format!("{body:#}\n"),
            false => told(&body),
        };
        say(told.as_bytes())?;
        Ok(())
    }
}

fn told(body: &Value) -> String {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut told = format!(
        "{}: {}; runs {}, failed {}, missed {}\n",
        text(&body["name"]),
        text(&body["state"]),
        body["counts"]["runs"],
        body["counts"]["failed"],
        body["counts"]["missed"]
    );
    for line in list(&body["says"]) {
        told += &format!("  {}\n", text(&line));
    }
    let runs = list(&body["runs"]);
    if !runs.is_empty() {
        told += "\nRuns, the last first\n";
    }
    for run in runs {
        told += &format!(
            "  {} because of `{}`, said by {}\n",
            text(&run["at"]),
            text(&run["because"]["topic"]),
            text(&run["because"]["by"])
        );
        for step in list(&run["steps"]) {
            let reference = text(&step["step"]);
            let what = match (step["skipped"].as_bool(), step.get("failed")) {
                (Some(true), _) => "was skipped".to_owned(),
                (_, Some(fault)) => format!("failed: {}", text(&fault["title"])),
                _ => format!("gave {}", step["gave"]),
            };
            told += &format!("    {reference} {what}\n");
        }
        if let Some(fault) = run.get("failed") {
            told += &format!("    it failed and did nothing: {}\n", text(&fault["title"]));
        }
        for act in list(&run["did"]) {
            told += &format!("    -> {}\n", text(&act));
        }
    }
    let missed = list(&body["missed"]);
    if !missed.is_empty() {
        told += "\nWhat did not start it, the last first\n";
    }
    for missed in missed {
        told += &format!(
            "  {} `{}`, said by {}: {}\n",
            text(&missed["at"]),
            text(&missed["topic"]),
            text(&missed["by"]),
            text(&missed["why"])
        );
        for value in list(&missed["values"]) {
            told += &format!("    {}\n", text(&value));
        }
    }
    told
}
