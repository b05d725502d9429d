//! How commands ask a hub over HTTP.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use reqwest::{Client, Method, StatusCode, Url, redirect::Policy};
use serde_json::Value;

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

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer that was no refusal, or one that says what is wrong with what was sent.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

impl HubOptions {
    /// Asks; a refusal is an error in the hub's words, but for what is wrong with a document.
    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.ask_soon(method, path, body))
    }

    async fn ask_soon(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        let mut client = Client::builder().redirect(Policy::none()).timeout(PATIENCE);
        if let Some(file) = &self.cafile {
            let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let roots = reqwest::Certificate::from_pem_bundle(&text)
                .with_context(|| format!("{} is no certificate", file.display()))?;
            for root in roots {
                client = client.add_root_certificate(root);
            }
        }
        let url = self.hub.join(path).context("this is no address of a hub")?;
        let method = Method::from_bytes(method.as_bytes())?;
        let mut request = client.build()?.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        } else if let Some(user) = &self.user {
            request = request.basic_auth(user, self.password.as_ref());
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send().await.with_context(|| {
            format!(
                "no hub answers at {}; say where one is with --hub",
                self.hub
            )
        })?;
        let status = answer.status();
        let text = answer.text().await.context("the hub's answer broke off")?;
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() || body["validationErrors"].is_array() {
            return Ok(Answer { status, body });
        }
        match body["detail"].as_str() {
            Some(detail) => bail!("{detail}"),
            None => bail!("the hub answered {status}"),
        }
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
