//! The files of the project, read once into memory.
//!
//! Checks are functions over a [`Tree`], so their tests need no folders. Built files, caches and
//! hidden folders are not part of it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// Folders whose files are read.
const FOLDERS: [&str; 9] = [
    "bench",
    "crates",
    "docs",
    "fuzz",
    "scenarios",
    "sim",
    "tests",
    "torture",
    "xtask",
];
/// Names that end like this are text that some check reads.
const ENDINGS: [&str; 11] = [
    ".rs", ".toml", ".md", ".tsv", ".csv", ".py", ".js", ".mjs", ".ts", ".svelte", "ceiling",
];
/// Folders that hold what others wrote or what was built.
const SKIPPED: [&str; 4] = ["target", "node_modules", "dist", "corpus"];

/// Paths relative to the project's root, with `/`, and the text of each file.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads all files below `root` that a check may ask for.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut tree = Self::default();
        for name in ["ARCHITECTURE.md", "Cargo.toml"] {
            let path = root.join(name);
            if path.is_file() {
                tree.add(root, &path)?;
            }
        }
        for folder in FOLDERS {
            let path = root.join(folder);
            if path.is_dir() {
                tree.add_folder(root, &path)?;
            }
        }
        Ok(tree)
    }

    /// The text of the file at `path`.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// All files, in order of their paths.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    fn add_folder(&mut self, root: &Path, folder: &Path) -> anyhow::Result<()> {
        let cannot = || format!("cannot list {}", folder.display());
        for entry in fs::read_dir(folder).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let kind = entry.file_type().with_context(cannot)?;
            if name.starts_with('.') {
                continue;
            }
            if kind.is_dir() && !SKIPPED.contains(&name.as_ref()) {
                self.add_folder(root, &entry.path())?;
            } else if kind.is_file() && ENDINGS.iter().any(|ending| name.ends_with(ending)) {
                self.add(root, &entry.path())?;
            }
        }
        Ok(())
    }

    fn add(&mut self, root: &Path, path: &Path) -> anyhow::Result<()> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let relative = path.strip_prefix(root).unwrap_or(path);
        let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
        self.files.insert(parts.join("/"), text);
        Ok(())
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Tree {
    fn from(files: [(&str, &str); N]) -> Self {
        let files = files
            .into_iter()
            .map(|(path, text)| (path.to_owned(), text.to_owned()));
        Self {
            files: files.collect(),
        }
    }
}

/// The folder at or above `start` whose `Cargo.toml` describes a workspace.
pub(crate) fn root(start: &Path) -> anyhow::Result<PathBuf> {
    for folder in start.ancestors() {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        if manifest.lines().any(|line| line.trim() == "[workspace]") {
            return Ok(folder.to_owned());
        }
    }
    bail!("no workspace at or above {}", start.display())
}
