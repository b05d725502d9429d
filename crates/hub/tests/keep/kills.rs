use std::{ops::Range, path::PathBuf};

use quartet_torture::{Plan, Report, run};
use tempfile::TempDir;

const KILLS: usize = 25;

/// Each seed is a series of kills on one data folder.
#[track_caller]
fn check(lanes: u8, seeds: Range<u64>) {
    let mut report = Report::default();
    for seed in seeds {
        let folder = TempDir::new().unwrap();
        let plan = Plan {
            program: PathBuf::from(env!("CARGO_BIN_EXE_quartet")),
            folder: folder.path().to_owned(),
            seed,
            lanes,
            kills: KILLS,
            power_cuts: 0,
            long_lives: 0,
            acks_max: 300,
            stop: Default::default(),
        };
        let one = run(&plan).unwrap_or_else(|error| panic!("series {seed}: {error}"));
        assert!(KILLS <= one.kills && KILLS <= one.acknowledged, "{one}");
        report.add(one);
    }
    println!("{report}");
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_hub_of_one_lane_keeps_its_promises_when_it_is_killed() {
    check(1, 0..4);
}

#[test]
fn a_hub_of_two_lanes_keeps_its_promises_when_it_is_killed() {
    check(2, 4..8);
}
