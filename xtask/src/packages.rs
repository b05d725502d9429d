//! Foreign packages of Node and Python, which no system package brings.
//!
//! A list in the repository, with fixed versions, becomes a folder below the user's cache. A copy
//! of the list in that folder says what is there: it is written last, and another list makes
//! another installation.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use crate::steps::{run, succeeds};

/// Where the copy of the list stands once everything is there.
const INSTALLED: &str = "installed";

/// Packages that are installed together.
pub(crate) struct Packages {
    /// Their folder below the cache.
    pub(crate) name: &'static str,
    language: Language,
    list: &'static str,
}

#[derive(Clone, Copy)]
enum Language {
    Node,
    Python,
}

impl Packages {
    /// `list` is a `package.json`.
    pub(crate) const fn node(name: &'static str, list: &'static str) -> Self {
        Self {
            name,
            language: Language::Node,
            list,
        }
    }

    /// `list` is a `requirements.txt`.
    pub(crate) const fn python(name: &'static str, list: &'static str) -> Self {
        Self {
            name,
            language: Language::Python,
            list,
        }
    }

    /// What a program needs to know to use them: the folder `node_modules`, or the interpreter.
    pub(crate) fn place(&self) -> anyhow::Result<PathBuf> {
        Ok(self.folder()?.join(match self.language {
            Language::Node => "node_modules",
            Language::Python => "bin/python",
        }))
    }

    /// Whether this very list was installed, and still works.
    pub(crate) fn are_there(&self) -> bool {
        let installed = self
            .folder()
            .and_then(|folder| Ok(fs::read_to_string(folder.join(INSTALLED))?))
            .is_ok_and(|installed| installed == self.list);
        installed && self.place().is_ok_and(|place| self.works(&place))
    }

    /// An environment of Python dies with the interpreter that made it.
    fn works(&self, place: &Path) -> bool {
        match self.language {
            Language::Node => place.is_dir(),
            Language::Python => succeeds(Command::new(place).args(["-m", "pip", "--version"])),
        }
    }

    pub(crate) fn install(&self) -> anyhow::Result<()> {
        if self.are_there() {
            return Ok(());
        }
        let folder = self.folder()?;
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        match self.language {
            Language::Node => {
                write(&folder.join("package.json"), self.list)?;
                let npm = [
                    "install",
                    "--ignore-scripts",
                    "--no-audit",
                    "--no-fund",
                    "--no-progress",
                ];
                run(Command::new("npm").args(npm).current_dir(&folder))?;
            }
            Language::Python => {
                run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
                let list = folder.join("requirements.txt");
                write(&list, self.list)?;
                let pip = ["-m", "pip", "install", "--quiet"];
                run(Command::new(self.place()?)
                    .args(pip)
                    .args(["--disable-pip-version-check", "--requirement"])
                    .arg(&list))?;
            }
        }
        write(&folder.join(INSTALLED), self.list)
    }

    fn folder(&self) -> anyhow::Result<PathBuf> {
        Ok(cache()?.join(self.name))
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Quartet's folder below the user's cache.
fn cache() -> anyhow::Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    Ok(cache
        .context("cannot tell the cache folder: neither XDG_CACHE_HOME nor HOME is set")?
        .join("quartet"))
}
