use axum::{
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use quartet_fabric::mqtt::{Fault, Reason};
use serde_json::json;

/// A refusal that a person can read (RFC 9457).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
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

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.status, kind, body.to_string()).into_response()
    }
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
