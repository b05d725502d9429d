//! Whether values that are right each for itself can be meant together.

use std::collections::HashSet;

use super::{Acme, At, Code, Scheme, draft::Draft, key::Key, value::Place};

/// Where something is reported that nobody said: it follows from the defaults.
fn nowhere() -> Place {
    Place::Named(String::new())
}

impl Draft<'_> {
    /// Looks at everything together, after the last word is said.
    pub(super) fn fit(&mut self) {
        self.open_hubs_are_local();
        self.certificate_and_key_come_together();
        self.domains_get_their_certificate();
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

    fn domains_get_their_certificate(&mut self) {
        let place = self.place(Key::AcmeDomains);
        if self.said(Key::AcmeDomains).is_none() {
            let (acme, default) = (&self.config.acme, Acme::default());
            let others = [
                (Key::AcmeContact, acme.contact != default.contact),
                (Key::AcmeDirectory, acme.directory != default.directory),
                (Key::AcmeRoot, acme.root != default.root),
                (Key::AcmeAgree, acme.agree != default.agree),
            ];
            if let Some((other, _)) = others.into_iter().find(|(_, differs)| *differs) {
                let what = format!("{} is given without acme.domains", other.name());
                let right = "write domains = [\"hub.example.com\"], or leave the others out";
                self.fault(Code::Contradiction, &self.place(other), what, right);
            }
            return;
        }
        if !self.config.acme.is_on() {
            return; // None is wanted, or what is wrong with them is said already.
        }
        let has = |schemes: &[Scheme]| {
            let mut listeners = self.config.listeners.iter();
            listeners.any(|listener| schemes.contains(&listener.scheme))
        };
        let encrypted = [Scheme::Https, Scheme::Mqtts, Scheme::Wss];
        let (is_shown, is_looked_at) = (has(&encrypted), has(&[Scheme::Https, Scheme::Http]));
        let fault = if !is_shown {
            Some((
                "acme.domains is given, but no listener is encrypted, so nobody would see the certificate",
                "add a listener like \"https://0.0.0.0:443\"",
            ))
        } else if !is_looked_at {
            Some((
                "acme.domains is given, but the authority would find nothing: it looks at port 443 for HTTPS, or at port 80 for HTTP",
                "add a listener like \"https://0.0.0.0:443\"",
            ))
        } else if !self.config.acme.agree {
            Some((
                "acme.domains is given, but an authority issues certificates only to those who agree to its terms of service",
                "read them, and write agree = true below [acme]",
            ))
        } else {
            None
        };
        if let Some((what, right)) = fault {
            self.fault(Code::Contradiction, &place, what, right);
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
