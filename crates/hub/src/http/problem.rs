use std::sync::Arc;

use axum::{
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use quartet_fabric::mqtt::{Fault, Reason};
use quartet_things::td;
use serde_json::{Value, json};

/// A refusal that a person can read (RFC 9457).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    /// What is wrong with a document, field by field (WoT Discovery, section 7.3.2.1.5).
    errors: Vec<td::Problem>,
    /// A header that says what would be right.
    right: Option<Box<(HeaderName, HeaderValue)>>,
    /// What is missing, in a word that programs understand.
    needs: Option<&'static str>,
    /// What whoever is refused calls itself, which nobody but the audit is told.
    claimed: Option<Box<str>>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            errors: Vec::new(),
            right: None,
            needs: None,
            claimed: None,
        }
    }

    /// The same, with what is missing in a word that programs understand.
    pub(super) fn needing(self, what: &'static str) -> Self {
        Self {
            needs: Some(what),
            ..self
        }
    }

    /// The same, of somebody who calls itself so.
    pub(super) fn of(self, claimed: &str) -> Self {
        Self {
            claimed: Some(claimed.into()),
            ..self
        }
    }

    /// The same, with a header that says what would be right.
    pub(super) fn with(mut self, name: HeaderName, value: String) -> Self {
        let value = HeaderValue::try_from(value).ok();
        self.right = value.map(|value| Box::new((name, value)));
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// What whoever is refused calls itself.
    pub(super) fn claimed(&self) -> Option<&str> {
        self.claimed.as_deref()
    }

    /// What it says to a person.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// Something in what was sent is not what it should be.
    pub(crate) fn invalid(what: &str, errors: Vec<td::Problem>) -> Self {
        let detail = match &errors[..] {
            [only] => format!("{what}: {only}"),
            errors => format!("{what}: there are {} problems", errors.len()),
        };
        Self {
            errors,
            ..Self::new(StatusCode::BAD_REQUEST, detail)
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let status = match fault.reason {
            Reason::NotAuthorized => StatusCode::FORBIDDEN,
            Reason::QuotaExceeded | Reason::ServerBusy => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, fault.what)
    }
}

impl From<crate::shell::Ended> for Problem {
    fn from(ended: crate::shell::Ended) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ended.to_string())
    }
}

impl Problem {
    /// The document that says it.
    pub(crate) fn to_json(&self) -> Value {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if !self.errors.is_empty() {
            body["validationErrors"] = json!(self.errors);
        }
        if let Some(needs) = self.needs {
            body["needs"] = needs.into();
        }
        body
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.to_json();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.extend(self.right.clone().map(|right| *right));
        // For those who keep record of it.
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Something is there, but not to be used like this; the router adds `Allow`.
pub(super) async fn not_allowed(method: Method, uri: Uri) -> Problem {
    let what = format!("{} is not for {method}; Allow says for what", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, what)
}

pub(super) async fn not_found(uri: Uri) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        format!(
            "there is nothing at {}; /openapi.json lists what there is",
            uri.path()
        ),
    )
}
