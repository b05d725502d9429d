//! The app for browsers: built by Node into files that are part of the repository, so that building the hub takes none.
//!
//! What is in `dist` must be what a build gives: whoever changes the app builds it, and the check compares.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::Context;

use crate::steps::run;

/// Where npm says what it installed, and what it was to install.
const INSTALLED: &str = "node_modules/.package-lock.json";
const LOCK: &str = "package-lock.json";
/// What `npm` installs without questions and without running what packages bring.
const INSTALL: [&str; 5] = [
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-progress",
];

fn folder(root: &Path) -> PathBuf {
    root.join("crates/web")
}

/// Whether the packages of this very lock file were installed: npm writes its own list last.
pub(crate) fn is_installed(root: &Path) -> bool {
    let changed = |name: &str| fs::metadata(folder(root).join(name))?.modified();
    match (changed(INSTALLED), changed(LOCK)) {
        (Ok(installed), Ok(lock)) => lock <= installed,
        _ => false,
    }
}

/// Installs what building the app needs, if it is not there.
pub(crate) fn install(root: &Path) -> anyhow::Result<()> {
    match is_installed(root) {
        true => Ok(()),
        false => run(Command::new("npm").args(INSTALL).current_dir(folder(root))),
    }
}

/// Builds the app into the repository, and says how large it is.
pub(crate) fn build(root: &Path) -> anyhow::Result<ExitCode> {
    install(root)?;
    run(Command::new("npm")
        .args(["run", "--silent", "build"])
        .current_dir(folder(root)))?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the app has no errors of types, fits into its budget, and is what a build gives.
pub(crate) fn check(root: &Path) -> anyhow::Result<ExitCode> {
    let web = folder(root);
    for script in ["check", "size"] {
        run(Command::new("npm")
            .args(["run", "--silent", script])
            .current_dir(&web))?;
    }
    let built = std::env::temp_dir().join(format!("quartet-web-{}", std::process::id()));
    let place = built.to_string_lossy().into_owned();
    let vite = [
        "--no-install",
        "vite",
        "build",
        "--emptyOutDir",
        "--outDir",
        &place,
    ];
    run(Command::new("npx").args(vite).current_dir(&web))?;
    let findings = differences(&files(&web.join("dist"))?, &files(&built)?);
    fs::remove_dir_all(&built).with_context(|| format!("cannot remove {place}"))?;
    for finding in &findings {
        eprintln!("crates/web/dist/{finding}");
    }
    if findings.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("web: what is there is not what a build gives; run `cargo xtask web`");
    Ok(ExitCode::FAILURE)
}

type Files = BTreeMap<String, Vec<u8>>;

/// All files below a folder, by their paths there.
fn files(root: &Path) -> anyhow::Result<Files> {
    let mut all = Files::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        let cannot = || format!("cannot list {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(cannot)? {
            let path = entry.with_context(cannot)?.path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let name = path.strip_prefix(root).unwrap_or(&path);
            all.insert(name.to_string_lossy().into_owned(), bytes);
        }
    }
    Ok(all)
}

/// What is otherwise than it was built, in the order of names.
fn differences(there: &Files, built: &Files) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, bytes) in built {
        match there.get(name) {
            None => findings.push(format!("{name}: is not there")),
            Some(old) if old != bytes => findings.push(format!("{name}: is of another build")),
            Some(_) => {}
        }
    }
    let gone = there.keys().filter(|name| !built.contains_key(*name));
    findings.extend(gone.map(|name| format!("{name}: is built no more")));
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_built_is_named() {
        let files = |all: &[(&str, &str)]| {
            let all = all.iter();
            all.map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
                .collect::<Files>()
        };
        let there = files(&[("a.js", "1"), ("b.js", "2"), ("old.js", "3")]);
        let built = files(&[("a.js", "1"), ("b.js", "4"), ("new.js", "5")]);
        let expected = [
            "b.js: is of another build",
            "new.js: is not there",
            "old.js: is built no more",
        ];
        assert_eq!(differences(&there, &built), expected);
        assert!(differences(&there, &there).is_empty());
    }
}
