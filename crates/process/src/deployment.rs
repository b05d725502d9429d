//! A definition as the hub keeps it: the text as it was written, whose it is, and whether it runs.

use quartet_model::{Address, Time};
use serde::{Deserialize, Serialize};

use crate::{
    check::{self, Checked, Nothing},
    fast::Flow,
    problem::Problem,
};

/// Where they are kept: below this, at their names.
const FOLDER: &str = "$quartet/flows";
const VERSION: u32 = 1;
/// A definition is no longer.
pub const TEXT_BYTES_MAX: usize = 256 << 10;

/// The topic at which the deployment of a flow is kept; `name` is `{namespace}.{name}`.
pub fn topic_of(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// The name of the flow whose deployment is kept at a topic.
pub fn name_at(topic: &str) -> Option<&str> {
    topic.strip_prefix(FOLDER)?.strip_prefix('/')
}

/// Where all of them are.
pub fn filter() -> String {
    format!("{FOLDER}/+")
}

/// The element that a flow of this name is.
pub fn key_of(name: &str) -> String {
    format!("processes/{name}")
}

/// The name of the flow that an element is.
pub fn name_of(key: &str) -> Option<&str> {
    key.strip_prefix("processes/")
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployment {
    version: u32,
    /// What was written.
    pub text: String,
    /// Whose it is: the key of an element, whose rights its runs never exceed. Nobody's if it was
    /// deployed where everything is open to everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Who deployed it.
    pub by: String,
    /// When (RFC 3339).
    pub at: String,
    /// Whether it runs.
    #[serde(default)]
    pub state: State,
    /// Why it does not, if nobody asked for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// Whether a flow runs.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default, Debug)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Whatever is to start it does.
    #[default]
    Enabled,
    /// Nothing starts it until somebody says so.
    Disabled,
    /// The same; it started too often.
    Suspended,
}

impl State {
    /// As documents and people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Suspended => "suspended",
        }
    }
}

/// What cannot be read is no deployment, or one of a newer version.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoDeployment(String);

impl Deployment {
    /// A definition that is deployed now.
    pub fn new(text: String, owner: Option<String>, by: String, now: Time) -> Self {
        Self {
            version: VERSION,
            text,
            owner,
            by,
            at: now.rfc3339(),
            state: State::Enabled,
            because: None,
        }
    }

    /// Reads what [`Self::text`](Self::to_text) wrote.
    ///
    /// # Errors
    ///
    /// It is something else.
    pub fn read(bytes: &[u8]) -> Result<Self, NoDeployment> {
        let read: Self =
            serde_json::from_slice(bytes).map_err(|error| NoDeployment(error.to_string()))?;
        match read.version {
            VERSION => Ok(read),
            newer => Err(NoDeployment(format!(
                "version {newer} is newer than this hub"
            ))),
        }
    }

    /// As it is kept.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What tells this version of the definition from all others: a hash of the text.
    pub fn hash(&self) -> String {
        hash(&self.text)
    }

    /// Makes the definition ready to run. What only a hub knows was looked at when it was deployed.
    ///
    /// # Errors
    ///
    /// This version of the hub finds it wrong.
    pub fn flow(&self) -> Result<Flow, Vec<Problem>> {
        check::check(&self.text, &Nothing).and_then(Flow::new)
    }
}

/// What tells a text from all others.
pub fn hash(text: &str) -> String {
    let hash = blake3::hash(text.as_bytes()).to_hex();
    hash[..16].to_owned()
}

/// The name of what a definition defines: `{namespace}.{name}`.
pub fn name(checked: &Checked) -> String {
    let document = &checked.definition.workflow.document;
    format!("{}.{}", document.namespace, document.name)
}

/// Whether the element of this key is a flow.
pub fn is_flow(key: &str) -> bool {
    name_of(key).is_some_and(|_| Address::element_of(key) == Some(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_is_read_as_it_was_written() {
        let now = Time::from_micros(1_700_000_000_000_000);
        let mut one = Deployment::new("text".into(), None, "api".into(), now);
        assert_eq!(Deployment::read(one.to_text().as_bytes()), Ok(one.clone()));
        one.owner = Some("people/ana".into());
        one.state = State::Suspended;
        one.because = Some("too often".into());
        assert_eq!(Deployment::read(one.to_text().as_bytes()), Ok(one.clone()));
        let newer = one.to_text().replace("\"version\":1", "\"version\":2");
        assert!(Deployment::read(newer.as_bytes()).is_err());
        assert!(Deployment::read(b"").is_err());
    }

    #[test]
    fn a_flow_is_known_by_its_topic_and_its_key() {
        assert_eq!(name_at(&topic_of("a.b")), Some("a.b"));
        assert_eq!(name_at("$quartet/rules/a"), None);
        assert_eq!(name_of(&key_of("a.b")), Some("a.b"));
        assert!(!is_flow("things/a") && is_flow("processes/a.b"));
    }
}
