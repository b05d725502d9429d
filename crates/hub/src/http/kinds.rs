//! Kinds of content: which one whoever asks wants (RFC 9110, section 12.5.1), and which one was
//! sent.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
};

use super::problem::Problem;

pub(super) const JSON: &str = "application/json";
pub(super) const LD_JSON: &str = "application/ld+json";
pub(super) const TD_JSON: &str = "application/td+json";
pub(super) const MERGE_PATCH: &str = "application/merge-patch+json";
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// How a Thing Description comes and goes: the first one, if nothing else is said.
pub(super) const TD_KINDS: &[&str] = &[TD_JSON, JSON, LD_JSON];
/// How a list of them goes.
pub(super) const LIST_KINDS: &[&str] = &[LD_JSON, JSON];

/// Which kinds of content are wanted: ranges such as `text/*`, with how much.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Accept(Vec<(String, f32)>);

impl<S: Sync> FromRequestParts<S> for Accept {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let said = parts.headers.get_all(header::ACCEPT).iter();
        let said: Vec<&str> = said.filter_map(|text| text.to_str().ok()).collect();
        Ok(Self::read(&said.join(",")))
    }
}

impl Accept {
    fn read(text: &str) -> Self {
        let ranges = text.split(',').filter_map(|range| {
            let mut parts = range.split(';');
            let kind = parts.next()?.trim().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse().ok());
            kind.contains('/').then(|| (kind, quality.unwrap_or(1.0)))
        });
        Self(ranges.collect())
    }

    /// The first of those kinds that are wanted most; a problem if none is.
    pub(super) fn choose(&self, offered: &[&'static str]) -> Result<&'static str, Problem> {
        let mut best = None;
        let mut most = 0.0;
        for kind in offered {
            let quality = self.quality(kind);
            if most < quality {
                (best, most) = (Some(*kind), quality);
            }
        }
        best.ok_or_else(|| {
            let what = format!("it comes as {} only", offered.join(", "));
            Problem::new(StatusCode::NOT_ACCEPTABLE, what)
        })
    }

    /// How much a kind is wanted: what the most exact range says.
    fn quality(&self, kind: &str) -> f32 {
        if self.0.is_empty() {
            return 1.0;
        }
        let (family, _) = kind.split_once('/').unwrap_or_default();
        let says = |range: &str| {
            let found = self.0.iter().find(|(said, _)| said == range);
            found.map(|(_, quality)| *quality)
        };
        says(kind)
            .or_else(|| says(&format!("{family}/*")))
            .or_else(|| says("*/*"))
            .unwrap_or(0.0)
    }
}

/// What was sent must be of one of these kinds, if it says of which it is.
pub(super) fn must_be(headers: &HeaderMap, taken: &[&'static str]) -> Result<(), Problem> {
    match kind_of(headers) {
        Some(kind) if !taken.contains(&&*kind) => {
            let what = format!("it is {kind}; taken is {}", taken.join(", "));
            let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, what);
            Err(problem.with(header::ACCEPT, taken.join(", ")))
        }
        _ => Ok(()),
    }
}

/// What was sent must be a merge patch, and say so (RFC 5789, section 2.2).
pub(super) fn must_be_patch(headers: &HeaderMap) -> Result<(), Problem> {
    if kind_of(headers).as_deref() == Some(MERGE_PATCH) {
        return Ok(());
    }
    let what = format!("a change is sent as {MERGE_PATCH}");
    let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, what);
    Err(problem.with(ACCEPT_PATCH, MERGE_PATCH.to_owned()))
}

const ACCEPT_PATCH: header::HeaderName = header::HeaderName::from_static("accept-patch");

fn kind_of(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?;
    let kind = String::from_utf8_lossy(kind.as_bytes());
    let kind = kind.split(';').next().unwrap_or_default();
    Some(kind.trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &str, expected: Option<&str>) {
        let chosen = Accept::read(accept).choose(TD_KINDS);
        assert_eq!(chosen.ok(), expected, "{accept}");
    }

    #[test]
    fn the_kind_that_is_wanted_most_is_chosen() {
        for any in ["", "*/*", "application/*", "text/html, */*;q=0.8"] {
            check(any, Some(TD_JSON));
        }
        check("application/json", Some(JSON));
        check("Application/JSON; charset=utf-8", Some(JSON));
        check(
            "application/td+json;q=0.5, application/ld+json",
            Some(LD_JSON),
        );
        check("application/*, application/td+json;q=0", Some(JSON));
        check("text/turtle", None);
        check("text/turtle, application/*;q=0", None);
    }

    #[test]
    fn what_was_sent_is_known_by_its_kind_alone() {
        let mut headers = HeaderMap::new();
        assert!(must_be(&headers, TD_KINDS).is_ok());
        assert!(must_be_patch(&headers).is_err());
        let mut say = |kind: &'static str| {
            headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
            headers.clone()
        };
        assert!(must_be(&say("application/TD+json; charset=utf-8"), TD_KINDS).is_ok());
        assert!(must_be(&say("text/turtle"), TD_KINDS).is_err());
        assert!(must_be_patch(&say("application/merge-patch+json")).is_ok());
        assert!(must_be_patch(&say("application/merge-patch+jsonx")).is_err());
    }
}
