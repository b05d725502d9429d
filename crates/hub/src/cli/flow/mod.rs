//! `quartet flow`: definitions of processes, looked at without a hub, and those that a hub runs.

mod deployed; // those that a hub runs
mod jq; // quartet flow jq

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    mem::MaybeUninit,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use quartet_model::{EventId, Time};
use quartet_process::{
    check::{self, Checked, Nothing},
    fast::{Act, Attempt, Flow, Look, Looked, Outcome, Step, attempt},
    names,
    policy::RunAs,
    problem::{Problem, shown},
};
use rustix::fs::inotify;
use serde_json::Value;

use super::out::say;
pub use deployed::ExplainArgs;
pub(super) use deployed::place;

/// Arguments of `quartet flow`.
#[derive(Args, Debug)]
pub struct FlowArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Look for mistakes in definitions
    Check(Check),
    /// Show a flow an event, and what it would do; nothing is performed
    Try(Try),
    /// Try an expression
    Jq(jq::Jq),
    /// Let a hub run flows
    Deploy(deployed::Deploy),
    /// Show which flows a hub runs
    List(deployed::List),
    /// Print the definition of a flow as it was deployed
    Show(deployed::One),
    /// Let a flow start again
    Enable(deployed::One),
    /// Let nothing start a flow
    Disable(deployed::One),
    /// Take a flow back
    Remove(deployed::One),
    /// Tell why a flow did what it did, or did nothing
    Explain(ExplainArgs),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Definitions are written in the Open Workflow DSL 1.0 (YAML or JSON). Each mistake is told with its place and with what
would be right; warnings do not fail. What only a hub knows (its things and people) is not looked at.

Examples:
  quartet flow check flows/*.yaml
  quartet flow check --watch flows/comfort.yaml")]
struct Check {
    /// Files with one definition each
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Look again whenever one of them changes
    #[arg(long)]
    watch: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
The event is a CloudEvent in JSON. If it does not start the flow, the conditions are told with the values that they had.
Only flows that run on the message path (metadata.run: fast) can be tried so.

Example:
  echo '{\"type\":\"io.ioe.thing.event\",\"subject\":\"office/switch-1\",\"data\":{\"name\":\"pressed\"}}' |
    quartet flow try flows/wall-switch.yaml --set office/room/occupancy=2")]
struct Try {
    /// A file with a definition
    file: PathBuf,
    /// A file with the event; `-` for what comes in
    #[arg(long, value_name = "FILE", default_value = "-")]
    event: PathBuf,
    /// What a property is that the flow reads: THING/PROPERTY=JSON; may be repeated
    #[arg(long, value_name = "PROPERTY=VALUE", value_parser = property)]
    set: Vec<((String, String), Value)>,
    /// When it happens (RFC 3339); 1970 unless given, so that the answer is always the same
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Time>,
}

impl FlowArgs {
    /// Does what is asked for.
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Check(check) => check.run(),
            Command::Try(try_) => try_.run(),
            Command::Jq(jq) => jq.run(),
            Command::Deploy(deploy) => deploy.run(),
            Command::List(list) => list.run(),
            Command::Show(one) => one.show(),
            Command::Enable(one) => one.set("enabled"),
            Command::Disable(one) => one.set("disabled"),
            Command::Remove(one) => one.remove(),
            Command::Explain(explain) => explain.run(),
        }
    }
}

impl Check {
    fn run(&self) -> anyhow::Result<()> {
        if !self.watch {
            let (text, errors) = self.look()?;
            say(text.as_bytes())?;
            if 0 < errors {
                bail!("{} cannot be used", counted(errors, "definition"));
            }
            return Ok(());
        }
        let watch = Watch::of(&self.files)?;
        loop {
            let (text, _) = self.look()?;
            if !say(format!("{text}-- waiting for changes; Ctrl-C ends --\n").as_bytes())? {
                return Ok(());
            }
            watch.wait()?;
        }
    }

    /// What is wrong with all of them, and how many cannot be used.
    fn look(&self) -> anyhow::Result<(String, usize)> {
        let mut text = String::new();
        let (mut bad, mut warnings) = (0, 0);
        for file in &self.files {
            let name = file.display().to_string();
            let (definition, problems) = match read(file) {
                Ok(definition) => {
                    let problems = match check::check(&definition, &Nothing) {
                        Ok(checked) => fast_problems(checked),
                        Err(problems) => problems,
                    };
                    (definition, problems)
                }
                // One that is just being written is looked at again.
                Err(error) if self.watch => {
                    text += &format!("{name}: {error:#}\n");
                    bad += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            for problem in &problems {
                text += &shown(&name, &definition, problem);
            }
            bad += usize::from(problems.iter().any(Problem::is_error));
            warnings += problems
                .iter()
                .filter(|problem| !problem.is_error())
                .count();
        }
        let files = counted(self.files.len(), "definition");
        text += &match (bad, warnings) {
            (0, 0) => format!("{files}: nothing to say\n"),
            (0, warnings) => format!("{files}: {}\n", counted(warnings, "warning")),
            (bad, warnings) => format!(
                "{files}: {bad} with errors, {}\n",
                counted(warnings, "warning")
            ),
        };
        Ok((text, bad))
    }
}

/// The warnings of a definition, and whether it can be made ready to run.
fn fast_problems(checked: Checked) -> Vec<Problem> {
    let mut problems = checked.warnings.clone();
    if checked.policy.run == RunAs::Fast {
        problems.extend(Flow::new(checked).err().into_iter().flatten());
    }
    problems
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

pub(super) fn read(file: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    String::from_utf8(bytes).with_context(|| format!("{} is no text in UTF-8", file.display()))
}

/// The folders of some files: editors write a new file and put it in the place of the old one.
struct Watch {
    changes: rustix::fd::OwnedFd,
    names: Vec<std::ffi::OsString>,
}

impl Watch {
    fn of(files: &[PathBuf]) -> anyhow::Result<Self> {
        let changes = inotify::init(inotify::CreateFlags::CLOEXEC)
            .context("cannot watch files on this system")?;
        let mut names = Vec::new();
        for file in files {
            let folder = match file.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                _ => Path::new("."),
            };
            let events = inotify::WatchFlags::CLOSE_WRITE | inotify::WatchFlags::MOVED_TO;
            inotify::add_watch(&changes, folder, events)
                .with_context(|| format!("cannot watch {}", folder.display()))?;
            names.extend(file.file_name().map(ToOwned::to_owned));
        }
        Ok(Self { changes, names })
    }

    /// Waits until one of the files changed.
    fn wait(&self) -> anyhow::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.changes, &mut buffer);
        loop {
            let change = reader.next().context("cannot hear of changes")?;
            let name = change.file_name().map(|name| name.to_bytes().to_vec());
            let is_ours =
                |known: &std::ffi::OsString| name.as_deref() == Some(known.as_encoded_bytes());
            if self.names.iter().any(is_ours) {
                return Ok(());
            }
        }
    }
}

fn property(text: &str) -> Result<((String, String), Value), String> {
    let right = || "must be like office/room/temperature=21.5".to_owned();
    let (name, value) = text.split_once('=').ok_or_else(right)?;
    let (thing, property) = name.rsplit_once('/').ok_or_else(right)?;
    let key = names::key_of(thing).ok_or_else(right)?;
    // What is no JSON is text.
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok(((key, property.to_owned()), value))
}

fn time(text: &str) -> Result<Time, String> {
    Time::of_rfc3339(text).ok_or_else(|| "must be like 2026-11-27T08:00:00Z".to_owned())
}

/// What somebody says that things are.
struct Said(BTreeMap<(String, String), Value>);

impl Look for Said {
    fn property(&self, key: &str, name: &str) -> Looked {
        let asked = (key.to_owned(), name.to_owned());
        self.0
            .get(&asked)
            .cloned()
            .map_or(Looked::Unknown, Looked::Is)
    }

    fn may(&self, _: &Act) -> Result<(), String> {
        Ok(())
    }

    fn may_read(&self, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }
}

impl Try {
    fn run(self) -> anyhow::Result<()> {
        let definition = read(&self.file)?;
        let name = self.file.display().to_string();
        let told = |problems: &[Problem]| -> String {
            let problems = problems.iter();
            problems
                .map(|problem| shown(&name, &definition, problem))
                .collect()
        };
        let checked = match check::check(&definition, &Nothing) {
            Ok(checked) => checked,
            Err(problems) => {
                say(told(&problems).as_bytes())?;
                bail!("{name} cannot be used as it is");
            }
        };
        if checked.policy.run != RunAs::Fast {
            bail!(
                "{name} does not run on the message path (metadata.run: fast); flows that take time cannot be tried yet"
            );
        }
        let flow = match Flow::new(checked) {
            Ok(flow) => flow,
            Err(problems) => {
                say(told(&problems).as_bytes())?;
                bail!("{name} cannot be used as it is");
            }
        };
        let event = self.event()?;
        let at = self.at.unwrap_or(Time::ZERO);
        let id = EventId { at, serial: 1 };
        let said = Said(self.set.into_iter().collect());
        let (text, is_good) = told_of(&attempt(&flow, &event, id, at, &said));
        say(text.as_bytes())?;
        match is_good {
            true => Ok(()),
            false => bail!("the event leads to nothing"),
        }
    }

    fn event(&self) -> anyhow::Result<Value> {
        let text = match self.event.as_os_str() == "-" {
            true => {
                let mut text = String::new();
                let read = std::io::stdin().lock().read_to_string(&mut text);
                read.context("cannot read the event from standard input")?;
                text
            }
            false => read(&self.event)?,
        };
        let event: Value = serde_json::from_str(&text).context("the event is no JSON")?;
        if !event["type"].is_string() {
            bail!(
                "the event has no `type`; write a CloudEvent like {{\"type\":\"io.ioe.thing.event\",\"subject\":\"lamp\",\"data\":{{\"name\":\"pressed\"}}}}"
            );
        }
        Ok(event)
    }
}

/// What became of an event, as a person reads it, and whether that is something.
fn told_of(attempt: &Attempt) -> (String, bool) {
    match attempt {
        Attempt::Missed(missed) if missed.is_empty() => (
            "No event starts this flow; the clock does.\n".to_owned(),
            false,
        ),
        Attempt::Missed(missed) => {
            let mut text = String::from("The event does not start the flow:\n");
            for line in missed.iter().flat_map(quartet_process::trigger::Miss::told) {
                text += &format!("  {line}\n");
            }
            (text, false)
        }
        Attempt::Started(outcome, trace) => {
            let mut text = String::from("The event starts the flow:\n");
            for step in trace {
                text += &format!("  {}\n", told_step(step));
            }
            let is_good = match outcome {
                Outcome::Done { acts, .. } if acts.is_empty() => {
                    text += "It would do nothing.\n";
                    true
                }
                Outcome::Done { acts, .. } => {
                    text += "It would\n";
                    for act in acts {
                        text += &format!("  {}\n", act.told());
                    }
                    true
                }
                Outcome::Failed(fault) => {
                    text += &format!(
                        "It fails at {} and does nothing: {}",
                        fault.instance, fault.title
                    );
                    if let Some(detail) = &fault.detail {
                        text += &format!(": {detail}");
                    }
                    text.push('\n');
                    false
                }
                // Everything is known here.
                Outcome::Needs(_) => false,
            };
            (text, is_good)
        }
    }
}

fn told_step(step: &Step) -> String {
    match (&step.gave, step.is_skipped) {
        (_, true) => format!("{} was skipped: its `if` does not hold", step.reference),
        (Ok(value), _) => format!("{} gave {value}", step.reference),
        (Err(fault), _) => format!("{} failed: {}", step.reference, fault.title),
    }
}
