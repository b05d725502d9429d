//! What an authority finds over plain HTTP when it looks whether a domain is the hub's (HTTP-01, RFC 8555, section 8.3).

use axum::http::{StatusCode, header};

use super::{Api, Problem};
use crate::http::take::Path;

/// Where it looks.
pub(in crate::http) const PATH: &str = "/.well-known/acme-challenge/{token}";

pub(in crate::http) async fn answer(
    api: Api,
    Path(token): Path<String>,
) -> Result<([(header::HeaderName, &'static str); 1], String), Problem> {
    let acme = api.identity.acme();
    let text = acme.and_then(|acme| acme.answers().text(&token));
    let headers = [(header::CONTENT_TYPE, "application/octet-stream")];
    text.map(|text| (headers, text)).ok_or_else(|| {
        let what = "no order of a certificate waits for this token";
        Problem::new(StatusCode::NOT_FOUND, what)
    })
}
