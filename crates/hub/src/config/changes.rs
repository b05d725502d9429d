//! What a reload would change: what takes effect at once, and what only a restart can.

use std::fmt::{Debug, Display};

use super::{Config, Limit};

/// The differences of two configurations, each as a line to read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Take effect with the reload.
    pub now: Vec<String>,
    /// Take effect after a restart.
    pub restart: Vec<String>,
}

impl Changes {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.now.is_empty() && self.restart.is_empty()
    }
}

impl Config {
    /// What differs in `new`. TLS files are compared by name: their contents are the caller's.
    pub fn changes(&self, new: &Self) -> Changes {
        let mut changes = Changes::default();
        let now = &mut changes.now;
        differ(now, "log", &self.log, &new.log);
        for limit in Limit::ALL {
            let shown = |config: &Self| limit.unit.show(limit.get(&config.limits));
            differ(now, limit.key, shown(self), shown(new));
        }
        let (old_tls, new_tls) = (&self.tls, &new.tls);
        for (key, old, new) in [
            (
                "tls.certificate",
                &old_tls.certificate,
                &new_tls.certificate,
            ),
            ("tls.key", &old_tls.key, &new_tls.key),
            ("tls.client_ca", &old_tls.client_ca, &new_tls.client_ca),
        ] {
            differ(now, key, shown(old), shown(new));
        }
        sets(now, "tls.names", &old_tls.names, &new_tls.names);
        let (old, other) = (&self.websocket.origins, &new.websocket.origins);
        sets(now, "websocket.origins", old, other);

        let restart = &mut changes.restart;
        differ(
            restart,
            "data",
            self.data.display().to_string(),
            new.data.display().to_string(),
        );
        differ(
            restart,
            "journal.key",
            shown(&self.journal_key),
            shown(&new.journal_key),
        );
        differ(
            restart,
            "homeassistant.tell",
            self.tells_home_assistant,
            new.tells_home_assistant,
        );
        let (old, other) = (self.discovery.as_str(), new.discovery.as_str());
        differ(restart, "discovery", old, other);
        let (old, other) = (&self.acme, &new.acme);
        sets(restart, "acme.domains", &old.domains, &other.domains);
        sets(restart, "acme.contact", &old.contact, &other.contact);
        differ(restart, "acme.directory", &old.directory, &other.directory);
        differ(restart, "acme.root", shown(&old.root), shown(&other.root));
        differ(restart, "open", self.open, new.open);
        differ(restart, "lanes", self.lanes, new.lanes);
        let names = |config: &Self| {
            let all = config.providers.iter().map(|one| format!("{one:?}"));
            all.collect::<Vec<_>>()
        };
        sets(restart, "providers", &names(self), &names(new));
        sets(restart, "listeners", &self.listeners, &new.listeners);
        changes
    }
}

fn shown(path: &Option<std::path::PathBuf>) -> String {
    match path {
        Some(path) => path.display().to_string(),
        None => "none".to_owned(),
    }
}

fn differ<T: PartialEq + Display>(lines: &mut Vec<String>, key: &str, old: T, new: T) {
    if old != new {
        lines.push(format!("{key}: {old} → {new}"));
    }
}

/// What goes and what comes, regardless of order.
fn sets<T: PartialEq + Display>(lines: &mut Vec<String>, key: &str, old: &[T], new: &[T]) {
    let gone = old.iter().filter(|item| !new.contains(item));
    lines.extend(gone.map(|item| format!("{key}: without {item}")));
    let come = new.iter().filter(|item| !old.contains(item));
    lines.extend(come.map(|item| format!("{key}: with {item}")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn each_change_is_named_where_it_takes_effect() {
        let old = Config::default();
        let new = parse(
            "log = 'debug'\nlanes = 2\nopen = true\ndata = 'other'\n\
             listeners = ['mqtt://127.0.0.1', 'http://127.0.0.1']\n\
             [limits]\npacket_bytes_max = '2 MiB'\n\
             [websocket]\norigins = ['https://app.example']\n",
            None,
        );
        let new = new.unwrap();
        let changes = old.changes(&new);
        assert_eq!(
            changes.now,
            [
                "log: info → debug",
                "limits.packet_bytes_max: 1 MiB → 2 MiB",
                "websocket.origins: with https://app.example",
            ]
        );
        assert_eq!(
            changes.restart,
            [
                "data: quartet-data → other",
                "open: false → true",
                "lanes: 0 → 2",
                "listeners: without ws://127.0.0.1:8083",
                "listeners: without coap://127.0.0.1:5683",
            ]
        );
    }

    #[test]
    fn the_same_said_in_another_order_is_no_change() {
        let old = Config::default();
        let mut new = old.clone();
        new.listeners.reverse();
        assert!(old.changes(&new).is_empty());
    }
}
