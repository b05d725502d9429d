//! Domains whose certificates are ordered from an authority, and what it asks for.

use super::Draft;
use crate::{
    config::{
        Code,
        key::Key,
        value::{Raw, Value},
    },
    trust::Name,
};

/// Domains that can be said: all of them stand in one certificate.
const DOMAINS_MAX: usize = 32;
const CONTACTS_MAX: usize = 8;

/// What a domain has to be.
const DOMAIN: &str = "a domain like \"hub.example.com\"; without `*`, which asks for DNS-01, which the hub does not do; addresses and names of the local network get no certificate from others";
const CONTACT: &str = "a mail address like \"admin@example.com\"";

impl Draft<'_> {
    /// Takes one value below `[acme]`.
    pub(super) fn acme(&mut self, key: Key, value: &Value) {
        match (key, &value.raw) {
            (Key::AcmeDomains, _) => {
                let read = self.texts(key, value, DOMAINS_MAX, DOMAIN, domain);
                self.config.acme.domains = read;
            }
            (Key::AcmeContact, _) => {
                let read = self.texts(key, value, CONTACTS_MAX, CONTACT, contact);
                self.config.acme.contact = read;
            }
            (Key::AcmeDirectory, Raw::Text(text)) if super::super::Acme::is_directory(text) => {
                self.config.acme.directory.clone_from(text);
            }
            (Key::AcmeRoot, _) => self.config.acme.root = self.path(key, value),
            (Key::AcmeAgree, Raw::Switch(agree)) => self.config.acme.agree = *agree,
            (Key::AcmeAgree, _) => self.expected(key.name(), value, "true or false"),
            _ => self.expected(
                key.name(),
                value,
                "the https URL of the authority's directory, like \"https://acme-v02.api.letsencrypt.org/directory\"",
            ),
        }
    }

    /// Texts of a list, each once, as `read` makes them.
    fn texts(
        &mut self,
        key: Key,
        value: &Value,
        max: usize,
        right: &str,
        read: fn(&str) -> Option<String>,
    ) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let Raw::List(items) = &value.raw else {
            self.expected(key.name(), value, &format!("a list of texts: {right}"));
            return all;
        };
        if items.len() > max {
            let what = format!("{} has {} entries", key.name(), items.len());
            self.fault(
                Code::WrongValue,
                &value.place,
                what,
                format!("write {max} at most"),
            );
            return all;
        }
        for item in items {
            let found = match &item.raw {
                Raw::Text(text) => read(text),
                _ => None,
            };
            match found {
                Some(found) if all.contains(&found) => {}
                Some(found) => all.push(found),
                None => self.expected(key.name(), item, right),
            }
        }
        all
    }
}

/// A name that an authority of the Internet may vouch for.
fn domain(text: &str) -> Option<String> {
    match text.parse() {
        Ok(Name::Dns(name)) if name.contains('.') && !name.ends_with(".local") => Some(name),
        _ => None,
    }
}

/// As a URL [RFC 8555 7.3].
fn contact(text: &str) -> Option<String> {
    let address = text.strip_prefix("mailto:").unwrap_or(text);
    let (user, host) = address.rsplit_once('@')?;
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, ',' | '?' | '"' | '<' | '>');
    let is_one =
        !user.is_empty() && user.chars().all(fits) && matches!(host.parse(), Ok(Name::Dns(_)));
    is_one.then(|| format!("mailto:{address}"))
}

#[cfg(test)]
mod tests {
    use crate::config::{Acme, parse};

    fn acme(text: &str) -> Result<Acme, String> {
        let toml = format!("listeners = ['https://0.0.0.0:443']\n[acme]\n{text}");
        let read = parse(&toml, None).map(|config| config.acme);
        read.map_err(|errors| errors.iter().map(|error| format!("{error}\n")).collect())
    }

    #[test]
    fn a_domain_and_consent_are_enough() {
        let said = acme("domains = ['Hub.Example.com', 'hub.example.com']\nagree = true").unwrap();
        assert_eq!(said.domains, ["hub.example.com"]);
        assert_eq!(said.directory, Acme::default().directory);
        let said = acme("domains = ['a.example']\ncontact = ['ana@example.com']\nagree = true");
        assert_eq!(said.unwrap().contact, ["mailto:ana@example.com"]);
    }

    #[test]
    fn each_mistake_is_named_with_its_line_and_what_would_be_right() {
        for (text, line, right) in [
            ("domains = ['*.example.com']\nagree = true", 3, "DNS-01"),
            ("domains = ['192.0.2.7']\nagree = true", 3, "a domain like"),
            (
                "domains = ['kitchen.local']\nagree = true",
                3,
                "a domain like",
            ),
            (
                "domains = 'a.example'\nagree = true",
                3,
                "is \"a.example\", a text",
            ),
            (
                "domains = ['a.example']\nagree = 'yes'",
                4,
                "acme.agree is \"yes\", a text; expected true or false",
            ),
            ("domains = ['a.example']", 3, "write agree = true"),
            (
                "agree = true\ndomains = ['a.example']\ncontact = ['ana']",
                5,
                "admin@example.com",
            ),
            (
                "agree = true\ndomains = ['a.example']\ndirectory = 'http://acme.example'",
                5,
                "https URL",
            ),
            (
                "agree = true\ndomain = ['a.example']",
                4,
                "did you mean acme.domains?",
            ),
            ("contact = ['ana@example.com']", 3, "acme.domains"),
        ] {
            let why = acme(text).unwrap_err();
            assert!(why.contains(right), "{text}: {why}");
            assert!(why.contains(&format!(":{line}:")), "{text}: {why}");
        }
    }

    #[test]
    fn it_needs_a_listener_that_is_encrypted_and_one_where_the_authority_looks() {
        let with = |rest: &str| {
            let read = parse(rest, None);
            read.map_err(|errors| errors[0].to_string())
        };
        let acme = "[acme]\ndomains = ['a.example']\nagree = true\n";
        let listen = |url: &str| with(&format!("listeners = [{url}]\n{acme}"));
        let why = listen("'http://0.0.0.0:80?expose=yes'").unwrap_err();
        assert!(why.contains("no listener is encrypted"), "{why}");
        let why = listen("'mqtts://0.0.0.0'").unwrap_err();
        assert!(why.contains("port 443"), "{why}");
        listen("'mqtts://0.0.0.0', 'http://0.0.0.0:80?expose=yes'").unwrap();
        listen("'https://0.0.0.0:443'").unwrap();
    }
}
