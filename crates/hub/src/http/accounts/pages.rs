//! The pages of accounts, as they are built in: /start, /sign-in and /account, and what they share.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::Problem;
use crate::http::take::Path;

/// Nothing but the hub's own files runs or shows; the picture of a secret is in the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Where an invitation becomes an account. The code is behind the `#`, which no server sees.
pub(in crate::http) async fn start() -> Response {
    page(include_str!("pages/start.html"))
}

/// Where persons sign in.
pub(in crate::http) async fn sign_in() -> Response {
    page(include_str!("pages/sign-in.html"))
}

/// Where a person changes its account.
pub(in crate::http) async fn account() -> Response {
    page(include_str!("pages/account.html"))
}

/// What the pages share.
pub(in crate::http) async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let (kind, text) = match name.as_str() {
        "account.css" => ("text/css; charset=utf-8", include_str!("pages/account.css")),
        "account.js" => (SCRIPT, include_str!("pages/account.js")),
        "common.js" => (SCRIPT, include_str!("pages/common.js")),
        "sign-in.js" => (SCRIPT, include_str!("pages/sign-in.js")),
        "start.js" => (SCRIPT, include_str!("pages/start.js")),
        _ => {
            let what = format!("there is no `{name}`");
            return Err(Problem::new(StatusCode::NOT_FOUND, what));
        }
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, text).into_response())
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A page that runs and shows nothing but what is the hub's own.
pub(in crate::http) fn page(text: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text).into_response()
}
