use std::sync::Arc;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use quartet_model::EventId;
use quartet_people::scim::ScimError;
use serde_json::Value;

use super::super::problem::Problem;
use crate::shell::Ended;

/// The media type of all that SCIM says (RFC 7644, section 3.1).
const SCIM_JSON: &str = "application/scim+json";

/// What a directory is told.
pub(in crate::http) struct Answer {
    status: StatusCode,
    body: Option<Value>,
}

impl Answer {
    pub(super) fn ok(body: Value) -> Self {
        Self {
            status: StatusCode::OK,
            body: Some(body),
        }
    }

    pub(super) fn created(body: Value) -> Self {
        Self {
            status: StatusCode::CREATED,
            ..Self::ok(body)
        }
    }

    pub(super) fn nothing() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            body: None,
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let Some(body) = self.body else {
            return self.status.into_response();
        };
        let meta = |name: &str| {
            let value = body["meta"][name].as_str()?;
            HeaderValue::from_str(value).ok()
        };
        let (etag, location) = (meta("version"), meta("location"));
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SCIM_JSON));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(etag) = etag {
            headers.insert(header::ETAG, etag);
        }
        if let Some(location) = location {
            headers.insert(header::LOCATION, location);
        }
        response
    }
}

/// Why a directory does not get what it asked for.
#[derive(Debug)]
pub(in crate::http) struct Wrong(ScimError);

impl Wrong {
    /// As HTTP has it.
    pub(super) fn status(&self) -> u16 {
        self.0.status
    }
}

impl From<ScimError> for Wrong {
    fn from(error: ScimError) -> Self {
        Self(error)
    }
}

impl From<Problem> for Wrong {
    fn from(problem: Problem) -> Self {
        Self(ScimError::other(
            problem.status().as_u16(),
            problem.detail(),
        ))
    }
}

impl From<Ended> for Wrong {
    fn from(ended: Ended) -> Self {
        Problem::from(ended).into()
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, self.0.to_json().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SCIM_JSON));
        // For those who keep record of it.
        let problem = Problem::new(status, self.0.detail);
        response.extensions_mut().insert(Arc::new(problem));
        response
    }
}

/// The version of what was said with an event (RFC 7644, section 3.14).
pub(super) fn version(id: EventId) -> String {
    format!("W/\"{id}\"")
}

/// Whether what is there is what a request expects.
pub(super) fn check(headers: &HeaderMap, found: &str) -> Result<(), Wrong> {
    let Some(expected) = headers.get(header::IF_MATCH) else {
        return Ok(());
    };
    let expected = expected.to_str().unwrap_or_default();
    let mut tags = expected.split(',').map(str::trim);
    if tags.any(|tag| tag == "*" || tag == found) {
        return Ok(());
    }
    let what = format!("it has changed meanwhile: its version is {found}; read it again");
    Err(ScimError::other(412, what).into())
}
