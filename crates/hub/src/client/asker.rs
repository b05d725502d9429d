//! Asks a hub over HTTP, or from its inside as somebody who asked over HTTP: one question after the other, blocking.

use std::{cell::OnceCell, fs, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Request},
};
use reqwest::{Client, Method, StatusCode, Url, header, redirect::Policy};
use serde_json::Value;
use tokio::runtime::{Handle, Runtime};
use tower_service::Service;

use crate::http::Caller;

/// No answer from inside is longer.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a hub is, and as whom it is asked.
#[derive(Debug)]
pub(crate) struct Asker {
    hub: Url,
    identity: Identity,
    /// Whose certificate is believed beside those of the Internet (PEM).
    cafile: Option<PathBuf>,
    made: OnceCell<(Runtime, Client)>,
    inside: Option<Inside>,
}

/// The API of the hub that this is, as whoever asked it.
#[derive(Debug)]
pub(crate) struct Inside {
    app: Router,
    /// What says who asks.
    shown: HeaderMap,
    caller: Caller,
    runtime: Handle,
}

impl Inside {
    /// Must be called where the API is served.
    pub(crate) fn new(app: Router, shown: HeaderMap, caller: Caller) -> Self {
        Self {
            app,
            shown,
            caller,
            runtime: Handle::current(),
        }
    }

    fn told(
        &self,
        method: Method,
        path: &str,
        kind: Option<&str>,
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::new(Body::from(body.unwrap_or_default()));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().context("this is no address of a hub")?;
        *request.headers_mut() = self.shown.clone();
        if let Some(kind) = kind {
            let kind = kind.parse().context("this is no kind of content")?;
            request.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        let caller = ConnectInfo(self.caller.clone());
        request.extensions_mut().insert(caller);
        let mut app = self.app.clone();
        self.runtime.block_on(async {
            let answer = match app.call(request).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            };
            let status = answer.status();
            let bytes = to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await;
            let bytes = bytes.context("the hub's answer broke off")?;
            let body = serde_json::from_slice(&bytes).unwrap_or_default();
            Ok(Answer { status, body })
        })
    }
}

/// As whom.
#[derive(Clone, Debug)]
pub(crate) enum Identity {
    Nobody,
    Token(String),
    User(String, Option<String>),
}

/// An answer that was no refusal, or one that says what is wrong with what was sent.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Asker {
    pub(crate) fn new(hub: Url, identity: Identity, cafile: Option<PathBuf>) -> Self {
        Self {
            hub,
            identity,
            cafile,
            made: OnceCell::new(),
            inside: None,
        }
    }

    /// One that asks from inside; `origin` is where whoever asked sees the hub.
    pub(crate) fn inside(origin: &str, inside: Inside) -> anyhow::Result<Self> {
        let hub = origin.parse().context("this is no address of a hub")?;
        Ok(Self {
            inside: Some(inside),
            ..Self::new(hub, Identity::Nobody, None)
        })
    }

    /// Where the hub is.
    pub(crate) fn url(&self) -> &Url {
        &self.hub
    }

    /// Whose certificate is believed.
    pub(crate) fn cafile(&self) -> Option<&PathBuf> {
        self.cafile.as_ref()
    }

    /// Asks; a refusal is an error in the hub's words, but for what is wrong with a document.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        self.ask_as(method, path, None, body)
    }

    /// The same, with a body of this kind.
    pub(crate) fn ask_as(
        &self,
        method: &str,
        path: &str,
        kind: Option<&str>,
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        let answer = self.told(method, path, kind, body)?;
        if answer.status.is_success() || answer.body["validationErrors"].is_array() {
            return Ok(answer);
        }
        match answer.body["detail"].as_str() {
            Some(detail) => bail!("{detail}"),
            None => bail!("the hub answered {}", answer.status),
        }
    }

    /// What is there; nothing if there is nothing.
    pub(crate) fn find(&self, path: &str) -> anyhow::Result<Option<Value>> {
        let answer = self.told("GET", path, None, None)?;
        self.unless_missing(answer)
    }

    /// Takes away what is there, if it is. Says whether it was.
    pub(crate) fn remove(&self, path: &str) -> anyhow::Result<bool> {
        let answer = self.told("DELETE", path, None, None)?;
        Ok(self.unless_missing(answer)?.is_some())
    }

    fn unless_missing(&self, answer: Answer) -> anyhow::Result<Option<Value>> {
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        match answer.status {
            status if status.is_success() => Ok(Some(answer.body)),
            StatusCode::NOT_FOUND => Ok(None),
            status if detail.is_empty() => bail!("the hub answered {status}"),
            _ => bail!("{detail}"),
        }
    }

    /// Asks, and gives whatever is answered.
    pub(crate) fn told(
        &self,
        method: &str,
        path: &str,
        kind: Option<&str>,
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        let method = Method::from_bytes(method.as_bytes())?;
        if let Some(inside) = &self.inside {
            return inside.told(method, path, kind, body);
        }
        let (runtime, client) = self.made()?;
        let url = self.hub.join(path).context("this is no address of a hub")?;
        let mut request = client.request(method, url);
        request = match &self.identity {
            Identity::Nobody => request,
            Identity::Token(token) => request.bearer_auth(token),
            Identity::User(user, password) => request.basic_auth(user, password.as_ref()),
        };
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        runtime.block_on(async {
            let answer = request.send().await.with_context(|| {
                format!(
                    "no hub answers at {}; say where one is with --hub",
                    self.hub
                )
            })?;
            let status = answer.status();
            let text = answer.text().await.context("the hub's answer broke off")?;
            let body = serde_json::from_str(&text).unwrap_or_default();
            Ok(Answer { status, body })
        })
    }

    fn made(&self) -> anyhow::Result<&(Runtime, Client)> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let mut client = Client::builder().redirect(Policy::none()).timeout(PATIENCE);
        if let Some(file) = &self.cafile {
            let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let roots = reqwest::Certificate::from_pem_bundle(&text)
                .with_context(|| format!("{} is no certificate", file.display()))?;
            for root in roots {
                client = client.add_root_certificate(root);
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let client = client.build()?;
        Ok(self.made.get_or_init(|| (runtime, client)))
    }
}
