use std::{fs, path::Path};

use quartet_torture::{Kind, Report};

use super::kills::torture;

fn spoiled(spoil: fn(&Path)) -> Report {
    let report = torture(1, |plan| {
        plan.kills = 8;
        plan.spoil = Some(spoil);
    });
    println!("{report}");
    report
}

#[test]
fn a_hub_that_loses_its_journal_is_found_out() {
    let report = spoiled(|data| {
        let _ = fs::remove_dir_all(data.join("journal")); // At first there is none.
    });
    assert!(0 < report.count(Kind::Forgotten), "{report}");
}

/// As if it had acknowledged first and written later.
#[test]
fn a_hub_that_loses_its_last_words_is_found_out() {
    let report = spoiled(|data| {
        let Ok(files) = fs::read_dir(data.join("journal")) else {
            return; // At first there is none.
        };
        let files = files.map(|file| file.unwrap().path());
        let numbered = |path: &Path| path.file_stem().is_some_and(|name| name != "next");
        let segments = files.filter(|path| path.extension().is_some() && numbered(path));
        let Some(last) = segments.max() else {
            return;
        };
        let mut bytes = fs::read(&last).unwrap();
        let end = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0);
        bytes[end.saturating_sub(4_000).max(4_096)..].fill(0); // What is before is the header.
        fs::write(&last, bytes).unwrap();
    });
    assert!(!report.is_clean(), "{report}");
}
