//! Names and addresses under which others reach the hub.

use super::Draft;
use crate::{
    config::{
        Code,
        value::{Raw, Value},
    },
    trust::{Name, NotAName},
};

/// Names that can be said: all of them stand in one certificate.
const NAMES_MAX: usize = 32;

impl Draft<'_> {
    /// Takes the names of a list in place of all that were said before.
    pub(super) fn names(&mut self, value: &Value) {
        let Raw::List(items) = &value.raw else {
            return self.expected("tls.names", value, "a list of texts, like [\"hub.lan\"]");
        };
        self.config.tls.names.clear();
        if items.len() > NAMES_MAX {
            let what = format!("tls.names has {} entries", items.len());
            let right = format!("write {NAMES_MAX} at most");
            return self.fault(Code::WrongValue, &value.place, what, right);
        }
        for item in items {
            let name = match &item.raw {
                Raw::Text(text) => text.parse::<Name>(),
                _ => Err(NotAName),
            };
            match name {
                Ok(name) => self.config.tls.names.push(name),
                Err(right) => self.expected("tls.names", item, &right.to_string()),
            }
        }
    }
}
