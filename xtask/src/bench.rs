//! The benches: which exist, and how to run them.
//!
//! Measuring is the work of `bench/run`; this only finds it.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::Context;

use crate::steps;

/// Lists what is in `bench/`; with arguments, hands them to `bench/run`.
pub(crate) fn run(root: &Path, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let runner = root.join("bench/run");
    if runner.is_file() && !arguments.is_empty() {
        return steps::hand_over(Command::new(runner).args(arguments).current_dir(root));
    }
    let found = benches(&root.join("bench"))?;
    match found.is_empty() {
        true => println!("bench/ has no benches"),
        false => println!("benches: {}", found.join(", ")),
    }
    if runner.is_file() {
        println!("run them with `cargo xtask bench <arguments>`, which bench/run understands");
    }
    Ok(ExitCode::SUCCESS)
}

/// The folders and scripts in `folder`, except the runner itself.
fn benches(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    if folder.is_dir() {
        for entry in folder.read_dir().context("cannot list bench/")? {
            let name = entry.context("cannot list bench/")?.file_name();
            let name = name.to_string_lossy().into_owned();
            if name != "run" && !name.starts_with('.') && !name.ends_with(".md") {
                names.push(name);
            }
        }
    }
    names.sort();
    Ok(names)
}
