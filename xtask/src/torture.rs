//! `cargo xtask torture`: the release binary, killed and cut off from power under load.
//!
//! The crate `torture` does the work; this only builds both programs and passes arguments on.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;

use crate::steps;

/// Builds the hub, then runs the torture, which prints its report last.
pub(crate) fn run(root: &Path, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let build = ["build", "--release", "-p", "quartet-hub"];
    steps::run(steps::cargo().args(build).current_dir(root))?;
    let mut torture = steps::cargo();
    torture
        .args(["run", "--release", "-p", "quartet-torture", "--"])
        .arg("--program")
        .arg(built()?.join("quartet"))
        .args(arguments)
        .current_dir(root);
    steps::hand_over(&mut torture)
}

/// The folder of release binaries, beside the one that we are in.
fn built() -> anyhow::Result<PathBuf> {
    let ours = std::env::current_exe().context("cannot tell where xtask was built")?;
    let target = ours.parent().and_then(Path::parent);
    Ok(target
        .context("xtask is in no target folder")?
        .join("release"))
}
