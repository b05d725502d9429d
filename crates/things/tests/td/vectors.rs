use std::fs;

use quartet_things::td::Model;

use super::{judge_description, vectors};

#[test]
fn ten_of_ten_descriptions_are_judged_as_the_recommendation_does() {
    let judge = |text: &[u8]| judge_description(text).map(drop);
    assert_eq!(count("td/valid", judge), (6, 0));
    assert_eq!(count("td/invalid", judge), (0, 4));
}

#[test]
fn twenty_of_twenty_models_are_judged_as_the_recommendation_does() {
    let judge = |text: &[u8]| Model::parse(text).map(drop);
    assert_eq!(count("tm/valid", judge), (13, 0));
    assert_eq!(count("tm/invalid", judge), (0, 7));
}

/// How many of a folder are valid and invalid; says why to whoever reads the output.
fn count<E: ToString>(folder: &str, judge: fn(&[u8]) -> Result<(), E>) -> (usize, usize) {
    let (mut valid, mut invalid) = (0, 0);
    for path in vectors(folder) {
        match judge(&fs::read(&path).expect("a vector is there")) {
            Ok(()) => valid += 1,
            Err(problems) => {
                println!("{}: {}", path.display(), problems.to_string());
                invalid += 1;
            }
        }
    }
    (valid, invalid)
}
