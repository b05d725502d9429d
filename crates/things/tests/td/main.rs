//! Thing Descriptions and Thing Models as others judge them, and as people get them wrong.

mod vectors; // the Recommendation's own

use std::{
    fs,
    path::{Path, PathBuf},
};

use quartet_things::td::{Description, Interner, Invalid};

/// What is wrong with a Thing Description.
fn judge_description(text: &[u8]) -> Result<Description, Invalid> {
    Description::parse(text, &mut Interner::default())
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
    files(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/vectors")
            .join(folder),
    )
}
