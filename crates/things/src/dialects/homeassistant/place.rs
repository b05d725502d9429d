use serde_json::{Map, Value};

use super::device::Device;
use crate::dialects::parts;

/// What a discovery topic says.
pub(super) struct Place<'t> {
    pub(super) component: &'t str,
    pub(super) node: Option<&'t str>,
    pub(super) object: &'t str,
}

impl<'t> Place<'t> {
    pub(super) fn read(prefix: &str, topic: &'t str) -> Option<Self> {
        let below = topic.strip_prefix(prefix)?.strip_prefix('/')?;
        let mut levels = below.strip_suffix("/config")?.split('/');
        let (component, first) = (levels.next()?, levels.next()?);
        let (node, object) = match levels.next() {
            Some(object) => (Some(first), object),
            None => (None, first),
        };
        let is_word = |level: &str| {
            let is_allowed = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
            !level.is_empty() && level.len() <= 256 && level.chars().all(is_allowed)
        };
        let mut all = [component, object].into_iter().chain(node);
        (levels.next().is_none() && all.all(is_word)).then_some(Self {
            component,
            node,
            object,
        })
    }

    pub(super) fn part(&self) -> String {
        let node = self.node.map(|node| format!("{node}/")).unwrap_or_default();
        format!("homeassistant/{}/{node}{}", self.component, self.object)
    }

    /// The key of what belongs to no device.
    pub(super) fn key(&self, message: &Map<String, Value>) -> String {
        let unique = message.get("unique_id").and_then(Value::as_str);
        match (unique, self.node) {
            (Some(unique), _) => parts::thing_key(unique),
            (None, Some(node)) => parts::thing_key(&format!("{node}_{}", self.object)),
            (None, None) => parts::thing_key(self.object),
        }
    }

    /// The object without what only repeats which device it is of.
    pub(super) fn name(&self, device: &Device) -> &'t str {
        let names = self.node.into_iter().chain(device.names());
        let mut short = names.filter_map(|name| {
            let rest = self
                .object
                .strip_prefix(name)
                .filter(|_| !name.is_empty())?;
            Some(rest.trim_start_matches(['_', '-'])).filter(|short| *short != self.object)
        });
        match short.next() {
            Some("") => self.component,
            Some(short) => short,
            None => self.object,
        }
    }
}
