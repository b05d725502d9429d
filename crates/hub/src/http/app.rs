//! The app in the browser: `/app/` and all below it. Its files are for everyone; what they show is asked for by the API.

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use quartet_web::File;

use super::problem::{self, Problem};

/// Where the app is: also the scope of its service worker.
pub(super) const PATH: &str = "/app";

/// Nothing but the hub's own files runs or shows. There are no scripts and no styles in the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Whether a path is one of the app.
pub(super) fn is_of_app(path: &str) -> bool {
    let below = path.strip_prefix(PATH);
    below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// The app is a folder: what is in it is named from there.
pub(super) async fn begin() -> Redirect {
    Redirect::permanent("/app/")
}

/// The page that the app begins with.
pub(super) async fn start(uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    page(uri, headers, Path(String::new())).await
}

/// A file of the app, or the app itself at the path of one of its own pages.
pub(super) async fn page(
    uri: Uri,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    match quartet_web::page(&path) {
        Some(file) => Ok(answer(file, &headers)),
        None => Err(problem::not_found(uri).await),
    }
}

fn answer(file: &'static File, asked: &HeaderMap) -> Response {
    let text = |name: HeaderName| {
        let value = asked.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    };
    let mut headers = HeaderMap::new();
    let fixed = [
        (header::CACHE_CONTROL, "no-cache"), // Names stay when contents change: the ETag tells.
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::VARY, "Accept-Encoding"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_TYPE, file.kind),
    ];
    headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    // What is packed is another representation, so it has another tag (RFC 9110, section 8.8.3.3).
    let takes_gzip = text(header::ACCEPT_ENCODING).split(',').any(|one| {
        one.split(';')
            .next()
            .is_some_and(|name| name.trim() == "gzip")
    });
    let packed = file.packed().filter(|_| takes_gzip);
    let etag = match packed {
        Some(_) => format!("{}-gzip\"", file.etag.trim_end_matches('"')),
        None => file.etag.clone(),
    };
    let known = text(header::IF_NONE_MATCH).split(',');
    let is_known = known
        .map(str::trim)
        .any(|known| known.trim_start_matches("W/") == etag);
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(header::ETAG, etag);
    }
    if is_known {
        headers.remove(header::CONTENT_TYPE);
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    match packed {
        Some(packed) => {
            let encoding = HeaderValue::from_static("gzip");
            headers.insert(header::CONTENT_ENCODING, encoding);
            (headers, packed).into_response()
        }
        None => (headers, file.bytes).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn ask(path: &str, headers: &[(HeaderName, &str)]) -> Response {
        let mut asked = HeaderMap::new();
        for (name, value) in headers {
            asked.insert(name, HeaderValue::from_str(value).unwrap());
        }
        answer(quartet_web::page(path).unwrap(), &asked)
    }

    #[test]
    fn a_file_that_is_known_is_not_sent_again() {
        for encoding in ["identity", "gzip, br"] {
            let first = ask("", &[(header::ACCEPT_ENCODING, encoding)]);
            assert_eq!(first.status(), StatusCode::OK);
            let etag = first.headers()[header::ETAG].to_str().unwrap();
            let known = [
                (header::ACCEPT_ENCODING, encoding),
                (header::IF_NONE_MATCH, etag),
            ];
            assert_eq!(ask("", &known).status(), StatusCode::NOT_MODIFIED);
        }
    }

    #[test]
    fn only_paths_of_the_app_are_of_the_app() {
        assert!(
            ["/app", "/app/", "/app/things/lamp"]
                .iter()
                .all(|path| is_of_app(path))
        );
        assert!(
            !["/", "/apple", "/api/app"]
                .iter()
                .any(|path| is_of_app(path))
        );
    }
}
