//! Thing Descriptions and Thing Models as others judge them, and as people get them wrong.

mod corpus; // all descriptions of a folder, if one is named
mod lossless; // what is read is what was said
mod mutants; // whatever is wrong, nothing panics
mod playground; // the verdicts of the validator that the community uses
mod texts; // what a person reads who got it wrong
mod vectors; // the Recommendation's own

use std::{
    fs,
    path::{Path, PathBuf},
};

use quartet_things::td::{Description, Interner, Invalid, Model};

/// What is wrong with a Thing Description.
fn judge_description(text: &[u8]) -> Result<Description, Invalid> {
    Description::parse(text, &mut Interner::default())
}

/// What is wrong with a description or a model, as its `@type` says which of them it is.
fn judge(text: &[u8]) -> Result<(), Invalid> {
    if is_model(text) {
        Model::parse(text).map(drop)
    } else {
        judge_description(text).map(drop)
    }
}

fn is_model(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let value: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
    let types = &value["@type"];
    let mut all = types.as_array().into_iter().flatten().chain([types]);
    all.any(|name| name == "tm:ThingModel")
}

/// The files below a folder of this crate's tests, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| {
        panic!("cannot list {}: {error}", folder.display());
    });
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("a folder that is there can be listed").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The vectors below this folder.
fn vectors(folder: &str) -> Vec<PathBuf> {
    files(&Path::new("tests/vectors").join(folder))
}
