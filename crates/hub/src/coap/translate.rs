//! Requests of CoAP to those of HTTP, and answers back (RFC 8075).

use axum::{
    body::Body,
    http::{self, HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use quartet_fabric::coap::{Code, Method, Request, Response, etag_of};
use serde_json::Value;

use super::formats;

/// The method of HTTP that does the same.
fn method(method: Method) -> Option<http::Method> {
    Some(match method {
        Method::Get => http::Method::GET,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Delete => http::Method::DELETE,
        // A merge patch is idempotent.
        Method::Patch | Method::IPatch => http::Method::PATCH,
        Method::Fetch => return None,
    })
}

/// The same request over HTTP, to `host`; `if_match` is an entity tag of HTTP.
pub(super) fn request(
    request: &Request,
    host: &str,
    if_match: Option<&str>,
) -> Result<http::Request<Body>, Response> {
    let refused = |code, why: &str| Response::refusal(code, why);
    let Some(method) = method(request.method) else {
        return Err(refused(Code::new(4, 5), "FETCH is for nothing here"));
    };
    let mut asks = http::Request::builder()
        .method(method)
        .uri(target(request))
        .header(header::HOST, host);
    if let Some(format) = request.content_format {
        asks = asks.header(header::CONTENT_TYPE, &*formats::media_type(format));
    }
    if let Some(format) = request.accept {
        if !formats::is_known(format) {
            return Err(refused(Code::new(4, 6), "nothing comes in this format"));
        }
        asks = asks.header(header::ACCEPT, &*formats::media_type(format));
    }
    if let Some(tag) = if_match {
        asks = asks.header(header::IF_MATCH, tag);
    }
    if request.if_none_match {
        asks = asks.header(header::IF_NONE_MATCH, "*");
    }
    let body = Body::from(request.payload.clone());
    asks.body(body)
        .map_err(|_| refused(Code::BAD_REQUEST, "this is no address"))
}

/// The path and the query, encoded.
fn target(request: &Request) -> String {
    let mut target = String::new();
    for segment in &request.path {
        target.push('/');
        encode(segment, b"-._~:@!$'()*,;=", &mut target);
    }
    if target.is_empty() {
        target.push('/');
    }
    for (index, part) in request.query.iter().enumerate() {
        target.push(if index == 0 { '?' } else { '&' });
        encode(part, b"-._~:@!$'()*,;=/", &mut target);
    }
    target
}

fn encode(text: &str, kept: &[u8], to: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            to.push(byte.into());
        } else {
            to.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// What a percent-encoded segment says.
fn decode(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.first_chunk::<2>().filter(|_| *first == b'%');
        let code =
            code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The answer of HTTP over CoAP.
pub(super) fn response(
    asked: &Request,
    status: StatusCode,
    headers: &HeaderMap,
    body: Bytes,
) -> Response {
    let code = code(asked.method, status);
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = text(header::CONTENT_TYPE).unwrap_or_default();
    if kind == "application/problem+json" {
        let why = Response::refusal(code, &explanation(&body));
        return Response {
            max_age_s: Some(0),
            ..why
        };
    }
    let etag = text(header::ETAG).map(|tag| etag_of(tag.as_bytes()));
    // What the client has is still right (RFC 7252, section 5.10.6.2).
    let is_known = etag.as_ref().is_some_and(|tag| asked.etags.contains(tag));
    if is_known && code == Code::CONTENT {
        let max_age_s = Some(0);
        return Response {
            etag,
            max_age_s,
            ..Response::empty(Code::VALID)
        };
    }
    let format = (!body.is_empty()).then(|| formats::format(kind));
    let is_wanted = asked.accept.is_none() || format.is_none() || asked.accept == format;
    if code == Code::CONTENT && !is_wanted {
        return Response::refusal(Code::new(4, 6), "it does not come in this format");
    }
    let path = text(header::LOCATION).and_then(|location| location.strip_prefix('/'));
    Response {
        code,
        content_format: format,
        etag,
        // Without it, caches would take it for right for a minute (section 5.10.5).
        max_age_s: (asked.method == Method::Get).then_some(0),
        location: path.map_or_else(Vec::new, |path| path.split('/').map(decode).collect()),
        payload: body,
    }
}

/// RFC 8075, section 7.
fn code(asked: Method, status: StatusCode) -> Code {
    let number = status.as_u16();
    match (number, asked) {
        (201, _) => Code::new(2, 1),
        (304, _) => Code::VALID,
        (200..=299, Method::Get | Method::Fetch) => Code::CONTENT,
        (200..=299, Method::Delete) => Code::new(2, 2),
        (200..=299, _) => Code::new(2, 4),
        (400 | 401 | 403 | 404 | 405 | 406 | 409 | 412 | 413 | 415 | 422 | 429, _) => {
            Code::new(4, (number - 400) as u8)
        }
        (500..=504, _) => Code::new(5, (number - 500) as u8),
        (400..=499, _) => Code::BAD_REQUEST,
        _ => Code::SERVER_ERROR,
    }
}

/// What a problem says, for people.
fn explanation(problem: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(problem).unwrap_or_default();
    let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
    let errors = problem["validationErrors"].as_array().into_iter().flatten();
    let mut all = vec![text(&problem["detail"])];
    // One alone is in the detail.
    let errors: Vec<String> = errors
        .map(|one| format!("{}: {}", text(&one["field"]), text(&one["description"])))
        .collect();
    if errors.len() > 1 {
        all.extend(errors);
    }
    all.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(path: &[&str], query: &[&str]) -> Request {
        let texts = |all: &[&str]| all.iter().map(ToString::to_string).collect();
        Request {
            method: Method::Get,
            host: None,
            path: texts(path),
            query: texts(query),
            content_format: None,
            accept: None,
            etags: Vec::new(),
            if_match: Vec::new(),
            if_none_match: false,
            observes: false,
            payload: Bytes::new(),
        }
    }

    #[test]
    fn an_address_is_the_same_over_http() {
        let check = |path: &[&str], query: &[&str], expected: &str| {
            assert_eq!(target(&asks(path, query)), expected);
        };
        check(&[], &[], "/");
        check(&["things", "urn:a/b"], &[], "/things/urn:a%2Fb");
        check(
            &["api", "subscribe"],
            &["filter=a/+", "filter=é&#"],
            "/api/subscribe?filter=a/%2B&filter=%C3%A9%26%23",
        );
        for text in ["urn:a/b", "100%", "é", "%zz", "a%2"] {
            let mut encoded = String::new();
            encode(text, b"", &mut encoded);
            assert_eq!(decode(&encoded), text);
        }
        assert_eq!(decode("a%2"), "a%2");
    }

    #[test]
    fn a_problem_is_text_for_people() {
        let mut headers = HeaderMap::new();
        let kind = "application/problem+json".parse().unwrap();
        headers.insert(header::CONTENT_TYPE, kind);
        let body = r#"{"detail":"no","validationErrors":[{"field":"a","description":"b"},{"field":"c","description":"d"}]}"#;
        let answer = response(
            &asks(&[], &[]),
            StatusCode::NOT_FOUND,
            &headers,
            body.into(),
        );
        assert_eq!(answer.code.to_string(), "4.04");
        assert_eq!(answer.content_format, None);
        assert_eq!(answer.payload, "no; a: b; c: d");
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, "\"7\"".parse().unwrap());
        let mut request = asks(&[], &[]);
        let first = response(&request, StatusCode::OK, &headers, "1".into());
        assert_eq!(first.code, Code::CONTENT);
        request.etags.extend(first.etag);
        let second = response(&request, StatusCode::OK, &headers, "1".into());
        assert_eq!((second.code, second.payload.len()), (Code::VALID, 0));
    }
}
