//! A configuration while it is put together: what is said later wins, and each mistake is kept.

mod acme; // domains, and what their authority asks for
mod listeners; // URLs, and tables of a URL and options
mod names; // what the hub is called
mod origins; // pages that browsers may connect from
mod providers; // tables, one each
mod syntax; // what is no TOML

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use super::{
    Code, Config, ConfigError, Discovery,
    key::{Key, TABLES},
    value::{Entry, Place, Raw, Source, Value, entries},
    words::quoted,
};

/// Mistakes that are reported at once.
const ERRORS_MAX: usize = 100;

/// Lanes that one hub may have.
const LANES_MAX: i64 = 1_024;

pub(super) struct Draft<'t> {
    pub(super) config: Config,
    pub(super) errors: Vec<ConfigError>,
    pub(super) source: Source<'t>,
    /// Where each key was said last, rightly or wrongly.
    said: HashMap<&'static str, Place>,
    /// Where each listener was said; empty for the default ones.
    listeners_said: Vec<Place>,
}

impl<'t> Draft<'t> {
    pub(super) fn new(source: Source<'t>) -> Self {
        Self {
            config: Config {
                origin: source.name.map(Path::to_owned),
                ..Config::default()
            },
            errors: Vec::new(),
            source,
            said: HashMap::new(),
            listeners_said: Vec::new(),
        }
    }

    pub(super) fn said(&self, key: Key) -> Option<&Place> {
        self.said.get(key.name())
    }

    pub(super) fn listener_said(&self, index: usize) -> Option<&Place> {
        self.listeners_said.get(index)
    }

    /// Whether further mistakes are not reported.
    fn is_full(&self) -> bool {
        ERRORS_MAX <= self.errors.len()
    }

    pub(super) fn fault(
        &mut self,
        code: Code,
        place: &Place,
        what: impl Into<String>,
        right: impl Into<String>,
    ) {
        if !self.is_full() {
            self.errors
                .push(self.source.error(code, place, what, right));
        }
    }

    fn expected(&mut self, name: &str, value: &Value, right: &str) {
        let what = format!("{name} {}", value.is());
        self.fault(
            Code::WrongValue,
            &value.place,
            what,
            format!("expected {right}"),
        );
    }

    /// Takes what the file says.
    pub(super) fn file(&mut self) {
        if let Some((what, right)) = hollow(self.source.text) {
            self.errors.push(ConfigError {
                line: 0,
                column: 0,
                excerpt: None,
                ..self
                    .source
                    .error(Code::Unreadable, &Place::File(0..0), what, right)
            });
            return;
        }
        let (table, faults) = toml::de::DeTable::parse_recoverable(self.source.text);
        self.syntax(&faults);
        let syntax = self.errors.len();
        for entry in entries(table.get_ref()) {
            self.entry(&entry);
        }
        self.without_echoes(syntax);
    }

    fn entry(&mut self, entry: &Entry) {
        if !TABLES.contains(&entry.name.as_str()) {
            return self.key(&entry.name, entry);
        }
        let Raw::Table(inner) = &entry.value.raw else {
            return self.expected(
                &entry.name,
                &entry.value,
                &format!("a table: [{}]", entry.name),
            );
        };
        for inner in inner {
            self.key(&format!("{}.{}", entry.name, inner.name), inner);
        }
    }

    fn key(&mut self, name: &str, entry: &Entry) {
        if let Some(key) = Key::find(name) {
            return self.set(key, &entry.value);
        }
        let right = match Key::meant(name) {
            Some(meant) if meant.contains('.') || TABLES.contains(&meant) => {
                format!("did you mean {meant}?")
            }
            Some(meant) if name.contains('.') => {
                format!("did you mean {meant}, above the first [table]?")
            }
            Some(meant) => format!("did you mean {meant}?"),
            None => "docs/configuration.md lists all keys".to_owned(),
        };
        let what = format!("there is no key {}", quoted(name));
        self.fault(Code::UnknownKey, &entry.place, what, right);
    }

    /// Takes one value; what is wrong with it becomes an error.
    pub(super) fn set(&mut self, key: Key, value: &Value) {
        self.said.insert(key.name(), value.place.clone());
        match key {
            Key::Data => {
                if let Some(path) = self.path(key, value) {
                    self.config.data = path;
                }
            }
            Key::Open => match value.raw {
                Raw::Switch(open) => self.config.open = open,
                _ => self.expected(key.name(), value, "true or false"),
            },
            Key::HomeAssistant => match value.raw {
                Raw::Switch(tells) => self.config.tells_home_assistant = tells,
                _ => self.expected(key.name(), value, "true or false"),
            },
            Key::Lanes => match value.raw {
                Raw::Whole(lanes @ 0..=LANES_MAX) => {
                    self.config.lanes = usize::try_from(lanes).unwrap_or_default();
                }
                _ => {
                    let right = format!("a whole number from 1 to {LANES_MAX}, or 0 for one per core");
                    self.expected(key.name(), value, &right);
                }
            },
            Key::Log => match &value.raw {
                Raw::Text(log) if is_log(log) => self.config.log.clone_from(log),
                _ => self.expected(
                    key.name(),
                    value,
                    "a level (off, error, warn, info, debug or trace), also by module as in \"info,quartet_fabric=debug\"",
                ),
            },
            Key::Discovery => {
                let said = Discovery::ALL.into_iter().find(
                    |one| matches!(&value.raw, Raw::Text(text) if text == one.as_str()),
                );
                match said {
                    Some(discovery) => self.config.discovery = discovery,
                    None => self.expected(key.name(), value, "auto, always or never, as a text"),
                }
            }
            Key::Limit(limit) => {
                let amount = match &value.raw {
                    Raw::Whole(whole) => u64::try_from(*whole).ok(),
                    Raw::Text(text) => limit.unit.parse(text),
                    _ => None,
                };
                let set = amount.is_some_and(|amount| limit.set(&mut self.config.limits, amount));
                if !set {
                    self.expected(key.name(), value, &limit.right());
                }
            }
            Key::Journal => self.config.journal_key = self.path(key, value),
            Key::TlsCertificate => self.config.tls.certificate = self.path(key, value),
            Key::TlsPrivate => self.config.tls.key = self.path(key, value),
            Key::TlsClientCa => self.config.tls.client_ca = self.path(key, value),
            Key::TlsNames => self.names(value),
            Key::AcmeDomains
            | Key::AcmeContact
            | Key::AcmeDirectory
            | Key::AcmeRoot
            | Key::AcmeAgree => self.acme(key, value),
            Key::Listeners => self.listeners(value),
            Key::WebSocketOrigins => self.origins(value),
            Key::Providers => self.providers(value),
        }
    }

    /// A path; in a file it starts at the file's folder.
    fn path(&mut self, key: Key, value: &Value) -> Option<PathBuf> {
        match &value.raw {
            Raw::Text(text) if !text.is_empty() && !text.contains('\0') => {
                let folder = match (&value.place, self.source.name) {
                    (Place::File(_), Some(file)) => file.parent(),
                    _ => None,
                };
                Some(folder.map_or_else(|| PathBuf::from(text), |folder| folder.join(text)))
            }
            _ => {
                self.expected(key.name(), value, "a path, as a text");
                None
            }
        }
    }
}

/// Why a text cannot be what somebody wrote, if so: it must not pass for "nothing to say".
fn hollow(text: &str) -> Option<(&'static str, &'static str)> {
    if text.contains('\0') {
        let right = "restore it from a copy: a disk that was full or lost power leaves such files";
        return Some(("the file contains zero bytes", right));
    }
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        let right =
            "restore it from a copy, write something into it, or remove it to use the defaults";
        return Some(("the file is empty", right));
    }
    None
}

/// Levels, also by module: `info,quartet_fabric=debug`.
fn is_log(text: &str) -> bool {
    let is_level = |level: &str| {
        let levels = ["off", "error", "warn", "info", "debug", "trace"];
        levels.iter().any(|known| known.eq_ignore_ascii_case(level))
    };
    let is_module = |module: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-');
        !module.is_empty() && module.chars().all(fits)
    };
    text.split(',').all(|part| match part.split_once('=') {
        Some((module, level)) => is_module(module) && is_level(level),
        None => is_level(part),
    })
}
