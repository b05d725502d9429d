use std::{collections::BTreeMap, env, fs, path::PathBuf, time::Duration};

use quartet_things::td::{Description, Document, Interner};

use super::{files, is_model, judge, lossless};

/// Reads all descriptions of the folder that `QUARTET_TDS` names, and says how many are valid,
/// what is wrong with the others, and how long it took. Not one may lose a term.
#[test]
fn the_descriptions_of_a_folder_are_kept_whole() {
    let Some(folder) = env::var_os("QUARTET_TDS").map(PathBuf::from) else {
        return; // Nothing to read was named.
    };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut texts = Vec::new();
    for path in files(&folder) {
        let text = fs::read(&path).expect("a file that is listed can be read");
        let kind = if is_model(&text) {
            "models"
        } else {
            "descriptions"
        };
        let verdict = match judge(&text) {
            Ok(()) => "valid",
            Err(invalid) => {
                for problem in &invalid.0 {
                    println!("{}: {problem}", path.display());
                }
                *reasons.entry(invalid.0[0].description.clone()).or_default() += 1;
                "invalid"
            }
        };
        *counts.entry(format!("{verdict} {kind}")).or_default() += 1;
        if let Ok(document) = Document::parse(&text) {
            let text = str::from_utf8(&text).expect("a document is text");
            lossless::check(text, &document);
            *counts.entry(format!("kept {kind}")).or_default() += 1;
            if kind == "descriptions" && verdict == "valid" {
                texts.push(text.to_owned());
            }
        }
    }
    let bytes: usize = texts.iter().map(String::len).sum();
    println!(
        "{counts:#?}\n{} valid descriptions of {bytes} bytes",
        texts.len()
    );
    let mut interner = Interner::default();
    let all: Vec<_> = texts
        .iter()
        .map(|text| Description::parse(text, &mut interner))
        .collect();
    println!(
        "{} different sets of affordances in {}",
        interner.len(),
        all.len()
    );
    time("read and validate", &texts, |text| {
        Description::parse(text, &mut interner).is_ok()
    });
    time("read", &texts, |text| Document::parse(text).is_ok());
    time("recall", &texts, |text| {
        Description::recall(text, &mut interner).is_ok()
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "it measures how long something takes"
)]
fn time(what: &str, texts: &[String], mut work: impl FnMut(&str) -> bool) {
    let mut shortest = Duration::MAX;
    for _ in 0..5 {
        let start = std::time::Instant::now();
        assert!(texts.iter().all(|text| work(text)));
        shortest = shortest.min(start.elapsed());
    }
    let micros = shortest.as_secs_f64() * 1e6 / texts.len().max(1) as f64;
    println!("{what}: {micros:.1} µs each");
}
