//! What `cargo xtask check` and `cargo xtask test` do: one step after the other, each announced.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context, bail};

use crate::{conformance, tidy, tools, tree::Tree, web};

/// Everything that must hold before a change is merged; installs nothing.
pub(crate) fn check(root: &Path) -> anyhow::Result<ExitCode> {
    let mut missing = tools::missing();
    if !web::is_installed(root) {
        missing.push("the packages of the app".to_owned());
    }
    if !missing.is_empty() {
        bail!(
            "the tests need {}; `cargo xtask test` installs it",
            missing.join(", ")
        );
    }
    run_all(root)
}

/// The same on a machine that has nothing but Rust: installs first what the tests need.
pub(crate) fn test(root: &Path) -> anyhow::Result<ExitCode> {
    tools::install()?;
    web::install(root)?;
    run_all(root)
}

/// The quick steps first; the tests last, so that their summary is the last thing said.
fn run_all(root: &Path) -> anyhow::Result<ExitCode> {
    let tree = Tree::read(root)?;
    announce("cargo xtask tidy");
    if tidy::run(&tree)? != ExitCode::SUCCESS {
        return Ok(ExitCode::FAILURE);
    }
    announce("cargo xtask conformance --check");
    if conformance::check(&tree)? != ExitCode::SUCCESS {
        return Ok(ExitCode::FAILURE);
    }
    if web::check(root)? != ExitCode::SUCCESS {
        return Ok(ExitCode::FAILURE);
    }
    run(cargo().args(["fmt", "--all", "--check"]).current_dir(root))?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    run(cargo().args(clippy).current_dir(root))?;
    let mut nextest = cargo();
    nextest
        .args(["nextest", "run", "--workspace"])
        .envs(tools::variables()?)
        .current_dir(root);
    announce(&line(&nextest));
    hand_over(&mut nextest)
}

/// Announces a command and runs it; fails if it fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = line(command);
    announce(&line);
    let status = command
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Runs a command that has the last word: nothing is said after it.
pub(crate) fn hand_over(command: &mut Command) -> anyhow::Result<ExitCode> {
    let status = command
        .status()
        .with_context(|| format!("cannot start `{}`", line(command)))?;
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}

/// Whether a command runs and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The cargo that runs us. What `cargo run` tells its program about itself is taken out of the
/// environment: build scripts that watch these variables would run again and again.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let inherited = std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| is_about_us(name));
    for name in inherited.collect::<Vec<OsString>>() {
        command.env_remove(name);
    }
    command
}

fn is_about_us(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn announce(line: &str) {
    eprintln!("\n==> {line}");
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or_default().to_string_lossy();
    let arguments = command.get_args().map(OsStr::to_string_lossy);
    std::iter::once(program)
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_announced_as_one_would_type_it() {
        let mut command = Command::new("/somewhere/bin/cargo");
        assert_eq!(line(command.args(["fmt", "--check"])), "cargo fmt --check");
    }

    #[test]
    fn what_cargo_says_about_us_is_not_passed_on() {
        assert!(is_about_us(OsStr::new("CARGO_PKG_NAME")));
        assert!(is_about_us(OsStr::new("CARGO_MANIFEST_DIR")));
        assert!(!is_about_us(OsStr::new("CARGO_TARGET_DIR")));
    }
}
