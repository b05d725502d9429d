//! From what was said to a [`Config`]: defaults, then the file, then the environment, then the
//! command line; what is said later wins.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{
    Code, Config, ConfigError,
    draft::Draft,
    key::Key,
    value::{Place, Raw, Source, Value},
};

/// The name of the file in the data folder.
pub const FILE_NAME: &str = "quartet.toml";

/// The largest file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the command line says; what is `None` or empty is not said.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Overrides {
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--listen`, as URLs; in place of all other listeners.
    pub listeners: Vec<String>,
    /// `--open`
    pub open: Option<bool>,
    /// `--lanes`
    pub lanes: Option<usize>,
    /// `--log`
    pub log: Option<String>,
}

/// Puts everything together. `path` is the file to read; without it, `quartet.toml` in the data
/// folder is read if it is there. `data` is the data folder where the caller knows it already;
/// otherwise the command line, the environment and the default name it, in this order.
///
/// # Errors
/// All mistakes that were found, in the order of the file, then environment and command line.
pub fn load(
    path: Option<&Path>,
    data: Option<&Path>,
    env: impl Fn(&str) -> Option<String>,
    overrides: &Overrides,
) -> Result<Config, Vec<ConfigError>> {
    let data = overrides.data.as_deref().or(data);
    let folder = match data {
        Some(data) => data.to_owned(),
        None => said(&env, Key::Data).map_or(Config::default().data, PathBuf::from),
    };
    let found = folder.join(FILE_NAME);
    let name = match path {
        Some(path) => Some(path),
        None if is_there(&found) => Some(found.as_path()),
        None => None,
    };
    let text = match name {
        Some(name) => read(name).map_err(|error| vec![error])?,
        None => String::new(),
    };
    let mut draft = Draft::new(Source { name, text: &text });
    if name.is_some() {
        draft.file();
    }
    if path.is_none() {
        stay(&mut draft, &folder);
    }
    for key in Key::all() {
        if let Some(text) = said(&env, key) {
            draft.set(key, &key.read_variable(&text));
        }
    }
    options(&mut draft, overrides);
    match data {
        Some(data) if data.as_os_str().is_empty() => {
            let place = Place::Named("--data".to_owned());
            draft.fault(Code::WrongValue, &place, "data is empty", "expected a path");
        }
        Some(data) => draft.config.data = data.to_owned(),
        None => {}
    }
    finish(draft)
}

/// The configuration that a file's text says on its own, on top of the defaults. `origin` is
/// where it came from: it stands in errors, and paths in the text start at its folder.
///
/// # Errors
/// All mistakes that were found, in the order of the text.
pub fn parse(text: &str, origin: Option<&Path>) -> Result<Config, Vec<ConfigError>> {
    let mut draft = Draft::new(Source { name: origin, text });
    draft.file();
    finish(draft)
}

/// Reads a file's text.
///
/// # Errors
/// If it cannot be read, is larger than [`FILE_BYTES_MAX`] or is no text.
#[expect(
    clippy::result_large_err,
    reason = "once per start, and callers collect errors by value"
)]
pub fn read(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |what: String, right: &str| ConfigError {
        code: Code::Unreadable,
        file: path.display().to_string(),
        line: 0,
        column: 0,
        what,
        right: right.to_owned(),
        excerpt: None,
    };
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        let right = match error.kind() {
            io::ErrorKind::NotFound => "name a file that exists, or none to use the defaults",
            io::ErrorKind::PermissionDenied => "let the user that the hub runs as read it",
            _ => "see that it is a file that can be read",
        };
        return Err(unreadable(
            format!("the file cannot be read: {error}"),
            right,
        ));
    }
    if FILE_BYTES_MAX < bytes.len() as u64 {
        let what = format!("the file has more than {FILE_BYTES_MAX} bytes");
        return Err(unreadable(what, "see whether it is the right file"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        unreadable(
            format!("the file is no UTF-8 text from byte {at} on"),
            "save it as UTF-8",
        )
    })
}

fn said(env: &impl Fn(&str) -> Option<String>, key: Key) -> Option<String> {
    env(&key.variable()).filter(|text| !text.is_empty())
}

/// Whether something has this name, be it readable or not.
fn is_there(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        ),
    }
}

/// A file that was found in the data folder must not send the data elsewhere.
fn stay(draft: &mut Draft<'_>, folder: &Path) {
    let Some(place) = draft.said(Key::Data).cloned() else {
        draft.config.data = folder.to_owned();
        return;
    };
    if draft.config.data == folder || !draft.errors.is_empty() {
        return;
    }
    let what = format!(
        "data is {}, but this file lies in the data folder",
        draft.config.data.display()
    );
    let right = "leave data out here and say it with --data or QUARTET_DATA";
    draft.fault(Code::Contradiction, &place, what, right);
}

fn options(draft: &mut Draft<'_>, overrides: &Overrides) {
    if let Some(open) = overrides.open {
        draft.set(Key::Open, &Value::named("--open", Raw::Switch(open)));
    }
    if let Some(lanes) = overrides.lanes {
        let lanes = i64::try_from(lanes).unwrap_or(i64::MAX);
        draft.set(Key::Lanes, &Value::named("--lanes", Raw::Whole(lanes)));
    }
    if let Some(log) = &overrides.log {
        draft.set(Key::Log, &Value::named("--log", Raw::Text(log.clone())));
    }
    if !overrides.listeners.is_empty() {
        let urls = overrides.listeners.iter();
        let urls = urls.map(|url| Value::named("--listen", Raw::Text(url.clone())));
        draft.set(
            Key::Listeners,
            &Value::named("--listen", Raw::List(urls.collect())),
        );
    }
}

fn finish(mut draft: Draft<'_>) -> Result<Config, Vec<ConfigError>> {
    draft.fit();
    if draft.errors.is_empty() {
        return Ok(draft.config);
    }
    // The file first, from top to bottom; a stable sort keeps the order of all else.
    draft.errors.sort_by_key(|error| match error.line {
        0 => (true, 0, 0),
        line => (false, line, error.column),
    });
    Err(draft.errors)
}

#[cfg(test)]
mod tests;
