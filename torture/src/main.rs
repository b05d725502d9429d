//! `cargo xtask torture`: kills and power cuts in series, each with a data folder of its own,
//! and one report of all.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::Context;
use clap::Parser;
use quartet_torture::{Plan, Report, run};
use signal_hook::consts::{SIGINT, SIGTERM};

/// Kills in one series.
const KILLS: usize = 25;
/// Power cuts in one series, with as many kills between them.
const POWER_CUTS: usize = 10;

/// Kills the hub and cuts its power under load, and says what was lost
#[derive(Parser, Debug)]
#[allow(missing_docs, reason = "the help texts below say what each is")]
struct Args {
    /// The binary `quartet`
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// Kills, in all
    #[arg(long, default_value_t = 500)]
    kills: usize,
    /// Power cuts, in all; they take root, ext4 and loop devices
    #[arg(long, default_value_t = 20)]
    power_cuts: usize,
    /// What is left to chance follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Lanes of the hub; unless given, 1, 2 and 4 in turn
    #[arg(long, value_name = "N")]
    lanes: Option<u8>,
    /// Acknowledgements between two deaths, at most
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    acks_max: u64,
    /// Where the data folders are; they stay if this is given
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    match torture(Args::parse()) {
        Ok(report) if report.is_clean() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn torture(args: Args) -> anyhow::Result<Report> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let flag = Arc::clone(&stop);
        signal_hook::flag::register(signal, flag).context("cannot listen to signals")?;
    }
    let program = args.program.canonicalize();
    let program = program.with_context(|| format!("there is no {}", args.program.display()))?;
    let mut report = Report::default();
    for (number, (kills, power_cuts)) in (0..).zip(series(args.kills, args.power_cuts)) {
        let vanishes = tempfile::tempdir().context("cannot make a folder")?;
        let seed = args.seed + number;
        let folder = match &args.folder {
            Some(folder) => folder.join(seed.to_string()),
            None => vanishes.path().join("series"),
        };
        std::fs::create_dir_all(&folder).context("cannot make a folder")?;
        let one = run(&Plan {
            program: program.clone(),
            folder,
            seed,
            lanes: args.lanes.unwrap_or([1, 2, 4][number as usize % 3]),
            kills,
            power_cuts,
            long_lives: usize::from(number % 4 == 1),
            acks_max: args.acks_max,
            spoil: None,
            stop: Arc::clone(&stop),
        });
        match one {
            Ok(one) => {
                eprintln!(
                    "series {seed}: {} kills, {} power cuts, {} messages acknowledged, {} findings",
                    one.kills,
                    one.power_cuts,
                    one.acknowledged,
                    one.findings.len()
                );
                report.add(one);
            }
            Err(error) => {
                if 0 < report.series {
                    println!("{report}");
                }
                return Err(error.into());
            }
        }
    }
    println!("{report}");
    Ok(report)
}

/// Kills and power cuts of each series.
fn series(mut kills: usize, mut power_cuts: usize) -> Vec<(usize, usize)> {
    let mut series = Vec::new();
    while 0 < power_cuts {
        let cuts = power_cuts.min(POWER_CUTS);
        series.push((kills.min(cuts), cuts));
        power_cuts -= cuts;
        kills = kills.saturating_sub(cuts);
    }
    while 0 < kills {
        series.push((kills.min(KILLS), 0));
        kills = kills.saturating_sub(KILLS);
    }
    series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_have_all_kills_and_power_cuts() {
        assert_eq!(series(60, 15), [(10, 10), (5, 5), (25, 0), (20, 0)]);
        assert_eq!(series(3, 15), [(3, 10), (0, 5)]);
        assert_eq!(series(0, 0), []);
    }
}
