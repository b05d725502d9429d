//! The project's own commands, run as `cargo xtask <command>`.
//!
//! It must build in seconds, so it has one dependency and reads the few formats that it needs
//! (manifests, tables, sources) itself. It knows no crate of the workspace.

mod bench; // which benches exist, and how to run them
mod conformance; // which statements of the standards hold, and where
mod packages; // foreign packages, outside the repository
mod source; // a Rust file, split into code, text and comments
mod steps; // commands that run one after the other
mod tidy; // the rules of the house that no compiler checks
mod tools; // what the tests need on the machine
mod torture; // the real hub, killed again and again
mod tree; // the files of the project, in memory
mod web; // the app for browsers, built and compared
mod zigbee; // the catalogue of Zigbee devices

use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::tree::Tree;

const HELP: &str = "\
cargo xtask <command>

  test                     install what the tests need, then check and test everything
  check                    format, lints, tidy, conformance, tests; installs nothing
  tidy                     the rules of the house: arrows between crates, sizes, error pages
  conformance [--check]    write the conformance tables; --check fails if they are stale
  bench [arguments]        list the benches, or run bench/run with the arguments
  torture [--kills N] [--power-cuts N] [--seed S]
                           kill the hub and cut its power under load; say what was lost
  web [--check]            build the app into crates/web/dist; --check fails if what is there is not what a build gives
  zigbee                   make the catalogue of Zigbee devices anew, from the package that knows them
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let root = tree::root(&std::env::current_dir().context("cannot tell the current folder")?)?;
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    match command {
        "test" => steps::test(&root),
        "check" => steps::check(&root),
        "tidy" => tidy::run(&Tree::read(&root)?),
        "conformance" => match rest {
            [] => conformance::write(&root),
            [flag] if flag == "--check" => conformance::check(&Tree::read(&root)?),
            _ => bail!("conformance takes nothing but --check"),
        },
        "bench" => bench::run(&root, rest),
        "torture" => torture::run(&root, rest),
        "web" => match rest {
            [] => web::build(&root),
            [flag] if flag == "--check" => web::check(&root),
            _ => bail!("web takes nothing but --check"),
        },
        "zigbee" => zigbee::write(&root),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("there is no command `{other}`\n\n{HELP}"),
    }
}
