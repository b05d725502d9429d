use std::{ops::Range, path::PathBuf};

use quartet_torture::{Plan, Report, run};
use tempfile::TempDir;

const KILLS: usize = 25;

/// Kills on one data folder, that of `seed`.
#[track_caller]
pub(super) fn torture(seed: u64, change: impl FnOnce(&mut Plan)) -> Report {
    let folder = TempDir::new().unwrap();
    let mut plan = Plan {
        program: PathBuf::from(env!("CARGO_BIN_EXE_quartet")),
        folder: folder.path().to_owned(),
        seed,
        lanes: 1,
        kills: KILLS,
        power_cuts: 0,
        long_lives: 0,
        acks_max: 300,
        spoil: None,
        stop: Default::default(),
    };
    change(&mut plan);
    run(&plan).unwrap_or_else(|error| panic!("series {seed}: {error}"))
}

#[track_caller]
fn check(lanes: u8, seeds: Range<u64>) {
    let mut report = Report::default();
    for seed in seeds {
        let one = torture(seed, |plan| plan.lanes = lanes);
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
