//! Identity providers: each a table.

use quartet_model::Address;

use super::Draft;
use crate::config::{
    Code, Provider,
    key::{Key, PROVIDER_KEYS},
    value::{Entry, Raw, Value},
    words::{nearest, quoted},
};

/// Providers that one hub may have.
const PROVIDERS_MAX: usize = 16;

impl Draft<'_> {
    /// Takes the providers of a list in place of all that were said before.
    pub(super) fn providers(&mut self, value: &Value) {
        let Raw::List(items) = &value.raw else {
            return self.expected("providers", value, "tables, each below [[providers]]");
        };
        self.config.providers.clear();
        if PROVIDERS_MAX < items.len() {
            let what = format!("there are {} providers", items.len());
            let right = format!("at most {PROVIDERS_MAX} are taken");
            return self.fault(Code::WrongValue, &value.place, what, right);
        }
        for item in items {
            let Raw::Table(entries) = &item.raw else {
                self.expected("providers", item, "a table, below [[providers]]");
                continue;
            };
            if let Some(provider) = self.provider(item, entries) {
                self.config.providers.push(provider);
            }
        }
    }

    /// The provider of a table, if nothing is wrong in it.
    fn provider(&mut self, item: &Value, entries: &[Entry]) -> Option<Provider> {
        let mut provider = Provider::default();
        let mut fits = true;
        for entry in entries {
            fits &= self.member(&mut provider, entry);
        }
        for (name, said) in [
            ("name", &provider.name),
            ("issuer", &provider.issuer),
            ("client_id", &provider.client_id),
        ] {
            if said.is_empty() && !entries.iter().any(|entry| entry.name == name) {
                let what = format!("a provider has no {name}");
                let right = "give it name, issuer and client_id";
                self.fault(Code::WrongValue, &item.place, what, right);
                fits = false;
            }
        }
        let mut there = self.config.providers.iter();
        if there.any(|there| there.name == provider.name) {
            let what = format!("two providers are called {}", quoted(&provider.name));
            self.fault(
                Code::Contradiction,
                &item.place,
                what,
                "give each its own name",
            );
            fits = false;
        }
        if provider.title.is_empty() {
            provider.title.clone_from(&provider.name);
        }
        fits.then_some(provider)
    }

    /// Takes one member of a table; says whether it was right.
    fn member(&mut self, provider: &mut Provider, entry: &Entry) -> bool {
        let right = match (entry.name.as_str(), &entry.value.raw) {
            ("name", Raw::Text(text)) if Provider::is_name(text) => {
                provider.name.clone_from(text);
                return true;
            }
            ("issuer", Raw::Text(text)) if Provider::is_issuer(text) => {
                provider.issuer.clone_from(text);
                return true;
            }
            ("title", Raw::Text(text)) if !text.trim().is_empty() => {
                provider.title.clone_from(text);
                return true;
            }
            ("client_id", Raw::Text(text)) if !text.is_empty() => {
                provider.client_id.clone_from(text);
                return true;
            }
            ("client_secret_file", _) => {
                provider.client_secret_file = self.path(Key::Providers, &entry.value);
                return provider.client_secret_file.is_some();
            }
            ("groups", Raw::Text(text)) if !text.is_empty() => {
                provider.groups = Some(text.clone());
                return true;
            }
            ("create", Raw::Switch(create)) => {
                provider.create = *create;
                return true;
            }
            ("provisioned_by", Raw::Text(text)) if Address::element_of(text) == Some(text) => {
                provider.provisioned_by = Some(text.clone());
                return true;
            }
            ("provisioned_by", _) => "the key of an element, such as things/entra",
            ("name", _) => "1 to 32 small letters, digits and dashes, as a text",
            ("issuer", _) => "an https URL, as the provider says it",
            ("title" | "client_id" | "groups", _) => "a text",
            ("create", _) => "true or false",
            (name, _) => {
                let right = match nearest(name, PROVIDER_KEYS) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("a provider has {}", PROVIDER_KEYS.join(", ")),
                };
                let what = format!("there is no key {} of a provider", quoted(name));
                self.fault(Code::UnknownKey, &entry.place, what, right);
                return false;
            }
        };
        self.expected(&format!("providers.{}", entry.name), &entry.value, right);
        false
    }
}
