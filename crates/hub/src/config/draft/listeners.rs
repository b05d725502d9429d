//! Listeners as they are written: URLs, or tables of a URL and options.

use super::Draft;
use crate::config::{
    ClientCertificates, Code, Config, Listener, ListenerError,
    key::LISTENER_KEYS,
    value::{Entry, Place, Raw, Value},
    words::{nearest, quoted},
};

/// Listeners that one hub may have.
const LISTENERS_MAX: usize = 256;

impl Draft<'_> {
    /// Takes the listeners of a list in place of all that were said before.
    pub(super) fn listeners(&mut self, value: &Value) {
        let Raw::List(items) = &value.raw else {
            let right = "a list of URLs, like [\"mqtt://127.0.0.1:1883\"]";
            return self.expected("listeners", value, right);
        };
        self.config.listeners.clear();
        self.listeners_said.clear();
        if items.is_empty() || items.len() > LISTENERS_MAX {
            let what = format!("listeners has {} entries", items.len());
            let right =
                format!("write 1 to {LISTENERS_MAX}, or leave the key out for the default ones");
            return self.fault(Code::Listener, &value.place, what, right);
        }
        for item in items {
            let (place, listener) = match &item.raw {
                Raw::Text(url) => (&item.place, self.url(&item.place, url)),
                Raw::Table(entries) => self.table(item, entries),
                _ => {
                    self.expected("listeners", item, "a URL, or a table with url");
                    continue;
                }
            };
            let Some(listener) = listener else { continue };
            match listener.check() {
                Ok(()) => {
                    self.config.listeners.push(listener);
                    self.listeners_said.push(place.clone());
                }
                Err(ListenerError { what, right }) => {
                    self.fault(Code::Listener, place, what, right);
                }
            }
        }
    }

    fn url(&mut self, place: &Place, url: &str) -> Option<Listener> {
        match Listener::read(url) {
            Ok(listener) => Some(listener),
            Err(ListenerError { what, right }) => {
                self.fault(Code::Listener, place, what, right);
                None
            }
        }
    }

    /// The listener of a table, if nothing is wrong in it, and where its URL stands.
    fn table<'v>(
        &mut self,
        item: &'v Value,
        entries: &'v [Entry],
    ) -> (&'v Place, Option<Listener>) {
        let url = entries.iter().find(|entry| entry.name == "url");
        let place = url.map_or(&item.place, |url| &url.value.place);
        let listener = match url.map(|url| &url.value.raw) {
            Some(Raw::Text(text)) => self.url(place, text),
            _ => {
                let what = "a listener has no url that is a text";
                let right = "write url = \"mqtts://0.0.0.0:8883\"";
                self.fault(Code::WrongValue, place, what, right);
                None
            }
        };
        let mut fits = listener.is_some();
        // Options beside a URL that is wrong are judged as well: all mistakes at once.
        let mut listener = listener.or_else(|| Config::default().listeners.pop());
        for entry in entries.iter().filter(|entry| entry.name != "url") {
            fits &= listener
                .as_mut()
                .is_some_and(|listener| self.option(listener, entry));
        }
        (place, listener.filter(|_| fits))
    }

    /// Takes one option of a table; says whether it was right.
    fn option(&mut self, listener: &mut Listener, entry: &Entry) -> bool {
        let name = entry.name.as_str();
        let differs = match (name, &entry.value.raw) {
            ("proxy_protocol", Raw::Switch(on)) => {
                std::mem::replace(&mut listener.proxy_protocol, *on) && !on
            }
            ("expose", Raw::Switch(on)) => std::mem::replace(&mut listener.expose, *on) && !on,
            ("client_certificates", Raw::Text(text)) if certificates(text).is_some() => {
                let asked = certificates(text).unwrap_or_default();
                let before = std::mem::replace(&mut listener.client_certificates, asked);
                before != ClientCertificates::None && before != asked
            }
            _ => {
                self.no_option(entry);
                return false;
            }
        };
        if differs {
            let what = format!("{name} {}, but the url says otherwise", entry.value.is());
            self.fault(Code::Contradiction, &entry.value.place, what, "say it once");
        }
        !differs
    }

    fn no_option(&mut self, entry: &Entry) {
        let right = match entry.name.as_str() {
            "client_certificates" => "\"none\", \"optional\" or \"required\"",
            "proxy_protocol" | "expose" => "true or false",
            name => {
                let right = match nearest(name, LISTENER_KEYS) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("a listener has {}", LISTENER_KEYS.join(", ")),
                };
                let what = format!("there is no key {} of a listener", quoted(name));
                return self.fault(Code::UnknownKey, &entry.place, what, right);
            }
        };
        self.expected(&format!("listeners.{}", entry.name), &entry.value, right);
    }
}

fn certificates(text: &str) -> Option<ClientCertificates> {
    match text {
        "none" => Some(ClientCertificates::None),
        "optional" => Some(ClientCertificates::Optional),
        "required" => Some(ClientCertificates::Required),
        _ => None,
    }
}
