//! How commands ask a hub over HTTP.

use std::path::PathBuf;

use clap::Args;
use reqwest::Url;
use serde_json::Value;

pub(super) use crate::client::Answer;
use crate::client::{Asker, Identity};

/// Options of everything that asks a hub.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Hub")]
pub(super) struct HubOptions {
    /// The hub: http://host:port or https://host:port
    #[arg(long, env = "QUARTET_HUB", default_value = "http://127.0.0.1:8080")]
    hub: Url,
    /// User name of a program; persons use a token
    #[arg(long, env = "QUARTET_USER", value_name = "NAME")]
    user: Option<String>,
    /// Its password; better in the environment, where other users do not see it
    #[arg(long, env = "QUARTET_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// A token; better in the environment
    #[arg(long, env = "QUARTET_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// For https: PEM file with the certificate of whoever signed the hub's
    #[arg(long, value_name = "FILE")]
    cafile: Option<PathBuf>,
}

impl HubOptions {
    /// Who asks.
    pub(super) fn asker(&self) -> Asker {
        let identity = match (&self.token, &self.user) {
            (Some(token), _) => Identity::Token(token.clone()),
            (None, Some(user)) => Identity::User(user.clone(), self.password.clone()),
            (None, None) => Identity::Nobody,
        };
        Asker::new(self.hub.clone(), identity, self.cafile.clone())
    }

    /// Asks; a refusal is an error in the hub's words, but for what is wrong with a document.
    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        self.asker().ask(method, path, body)
    }
}

/// The text of a member of an answer; nothing if it is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The path of what has a name in a collection.
pub(super) fn path_of(collection: &str, name: &str) -> String {
    let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("{collection}/{name}")
}
