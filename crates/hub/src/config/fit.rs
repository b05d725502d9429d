//! Whether values that are right each for itself can be meant together.

use std::collections::HashSet;

use super::{At, Code, draft::Draft, key::Key, value::Place};

/// Where something is reported that nobody said: it follows from the defaults.
fn nowhere() -> Place {
    Place::Named(String::new())
}

impl Draft<'_> {
    /// Looks at everything together, after the last word is said.
    pub(super) fn fit(&mut self) {
        self.open_hubs_are_local();
        self.certificate_and_key_come_together();
        self.listeners_are_distinct();
        self.limits_fit();
    }

    fn place(&self, key: Key) -> Place {
        self.said(key).cloned().unwrap_or_else(nowhere)
    }

    fn open_hubs_are_local(&mut self) {
        let reachable = self
            .config
            .listeners
            .iter()
            .filter(|listener| !listener.is_local());
        let reachable: Vec<String> = reachable.map(ToString::to_string).collect();
        if !self.config.open || reachable.is_empty() {
            return;
        }
        let what = format!(
            "open lets everybody do everything, and {} can be reached from other machines",
            reachable.join(", ")
        );
        let right = "leave open out and make accounts, or listen on 127.0.0.1 only";
        self.fault(Code::Contradiction, &self.place(Key::Open), what, right);
    }

    fn certificate_and_key_come_together(&mut self) {
        for (said, other) in [
            (Key::TlsPrivate, Key::TlsCertificate),
            (Key::TlsCertificate, Key::TlsPrivate),
        ] {
            if self.said(said).is_some() && self.said(other).is_none() {
                let what = format!("{} is given without {}", said.name(), other.name());
                let right = "give both, or none to let the hub make a certificate";
                self.fault(Code::Contradiction, &self.place(said), what, right);
            }
        }
    }

    fn listeners_are_distinct(&mut self) {
        let mut taken = HashSet::new();
        for index in 0..self.config.listeners.len() {
            let listener = &self.config.listeners[index];
            let any_port = matches!(listener.at, At::Tcp(at) | At::Udp(at) if at.port() == 0);
            if any_port || taken.insert(listener.at.clone()) {
                continue;
            }
            let what = format!("{listener} has the address of another listener");
            let place = self.listener_said(index).cloned().unwrap_or_else(nowhere);
            self.fault(
                Code::Contradiction,
                &place,
                what,
                "give each its own port or path",
            );
        }
    }

    fn limits_fit(&mut self) {
        let limits = &mut self.config.limits;
        limits.first_packet_bytes_max = limits.first_packet_bytes_max.min(limits.packet_bytes_max);
    }
}
