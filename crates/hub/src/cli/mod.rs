//! The command line `quartet`.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::shell::jq;

mod audit; // quartet audit
mod bench; // quartet bench
mod connection; // how pub, sub and doctor reach a broker
mod doctor; // quartet doctor
mod flow; // quartet flow
mod hub; // how commands ask a hub
mod out; // standard output
mod properties; // of messages that were received
mod publish; // quartet pub
mod rebuild; // quartet rebuild
mod replay; // quartet replay
mod scenario; // quartet scenario
mod show; // messages as text
mod signal; // quartet signal
mod site; // quartet backup, restore, verify, export
mod subscribe; // quartet sub
mod values; // values of options

pub use audit::AuditArgs;
pub use bench::BenchArgs;
pub use doctor::DoctorArgs;
pub use flow::{ExplainArgs, FlowArgs};
pub use publish::PubArgs;
pub use rebuild::RebuildArgs;
pub use replay::ReplayArgs;
pub use scenario::ScenarioArgs;
pub use signal::SignalArgs;
pub use site::{BackupArgs, ExportArgs, RestoreArgs, VerifyArgs};
pub use subscribe::SubArgs;

/// The command line.
#[derive(Parser, Debug)]
#[command(
    name = "quartet",
    version,
    about = "An open Internet-of-Everything hub: things, people, data and processes on one path",
    after_help = "\
Without a command, `quartet` runs the hub.

Examples:
  Try things out, open to everybody on this computer:
    quartet run --open --data ./data
  See an office that looks after itself:
    quartet scenario run office
  See what is said, and say something:
    quartet sub '#'
    quartet pub things/lamp/properties/on/write true
  It does not work? Find out why:
    quartet doctor --url mqtt://hub.example
  How fast is it?
    quartet bench fanout --subscribers 1000 --rate 0

`quartet help COMMAND` says more about each command."
)]
pub struct Cli {
    /// What to do; without one, run the hub.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the hub
    Run(RunArgs),
    /// Look at the configuration
    Config {
        /// What to do with it.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Publish messages to a broker
    Pub(PubArgs),
    /// Show the messages of a broker
    Sub(SubArgs),
    /// Find out why something does not work
    Doctor(DoctorArgs),
    /// Measure a broker: throughput, latency, CPU and memory
    Bench(BenchArgs),
    /// Copy all that a hub keeps to a folder, while it runs or not
    Backup(BackupArgs),
    /// Make a hub of a backup
    Restore(RestoreArgs),
    /// Look whether all that a hub keeps, or a backup, is whole
    Verify(VerifyArgs),
    /// Write what a hub keeps, or a backup, as lines of JSON
    Export(ExportArgs),
    /// The record of who came in, who may, who acted and who was refused
    Audit(AuditArgs),
    /// Processes: look at definitions, try them, deploy them
    Flow(FlowArgs),
    /// Signals: make edges of what elements report
    Signal(SignalArgs),
    /// Scenarios: places, things, people and processes as files, put into a hub and simulated
    Scenario(ScenarioArgs),
    /// Say a series of a file as a thing says it
    Replay(ReplayArgs),
    /// Tell why a flow did what it did, or did nothing
    Explain(ExplainArgs),
    /// Make the hub's lists of sessions and retained messages anew
    Rebuild(RebuildArgs),
    /// Compute expressions for another `quartet`, line by line
    #[command(name = jq::COMMAND, hide = true)]
    JqWorker,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What to do with the configuration.
#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    /// Check a configuration file without running the hub
    Check(ConfigCheckArgs),
}

/// Arguments of `quartet run`.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the help texts below say what each is")]
pub struct RunArgs {
    /// Configuration file
    #[arg(long, env = "QUARTET_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder for everything that is kept
    #[arg(long, env = "QUARTET_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where to listen, such as mqtt://0.0.0.0:1883; may be repeated
    #[arg(
        long,
        env = "QUARTET_LISTEN",
        value_name = "URL",
        value_delimiter = ','
    )]
    pub listen: Vec<String>,
    /// Let everybody do everything, for trying things out
    #[arg(long, env = "QUARTET_OPEN", value_parser = clap::builder::FalseyValueParser::new())]
    pub open: bool,
    /// Threads that serve connections; unless given, one per core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub lanes: Option<u8>,
    /// What is logged: error, warn, info, debug, trace, or a filter by module
    #[arg(long, env = "QUARTET_LOG", value_name = "LEVEL")]
    pub log: Option<String>,
}

/// Arguments of `quartet config check`.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the help texts below say what each is")]
pub struct ConfigCheckArgs {
    /// Configuration file
    #[arg(env = "QUARTET_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Reads the command line and does what it says. `run` and `config_check` are the shell's.
pub fn main_with(
    run: impl FnOnce(RunArgs) -> anyhow::Result<()>,
    config_check: impl FnOnce(ConfigCheckArgs) -> anyhow::Result<()>,
) -> ExitCode {
    let command = Cli::parse().command;
    let result = match command.unwrap_or(Command::Run(RunArgs::default())) {
        Command::Run(args) => run(args),
        Command::Config {
            command: ConfigCommand::Check(args),
        } => config_check(args),
        Command::Pub(args) => args.run(),
        Command::Sub(args) => args.run(),
        Command::Doctor(args) => args.run(),
        Command::Bench(args) => args.run(),
        Command::Backup(args) => args.run(),
        Command::Restore(args) => args.run(),
        Command::Verify(args) => args.run(),
        Command::Export(args) => args.run(),
        Command::Audit(args) => args.run(),
        Command::Flow(args) => args.run(),
        Command::Signal(args) => args.run(),
        Command::Scenario(args) => args.run(),
        Command::Replay(args) => args.run(),
        Command::Explain(args) => args.run(),
        Command::Rebuild(args) => args.run(),
        Command::JqWorker => jq::work(),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Cli::command(),
                "quartet",
                &mut std::io::stdout(),
            );
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quartet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_takes_several_listeners() {
        let args = [
            "quartet",
            "run",
            "--listen",
            "mqtt://:1883,ws://:8083",
            "--listen",
            "unix:///run/q",
            "--open",
        ];
        let Some(Command::Run(args)) = Cli::parse_from(args).command else {
            panic!("`run` is another command");
        };
        assert_eq!(args.listen, ["mqtt://:1883", "ws://:8083", "unix:///run/q"]);
        assert!(args.open);
    }
}
