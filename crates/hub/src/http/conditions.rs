//! Conditional requests (RFC 9110, section 13): nothing is overwritten that was not seen.

use std::fmt;

use axum::http::{HeaderMap, StatusCode, header};
use quartet_model::EventId;

use super::problem::Problem;

/// What changes whenever something does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Etag(String);

/// What a request expects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Expected {
    /// That there is something.
    Anything,
    /// That there is nothing.
    Nothing,
    /// That it is one of these.
    OneOf(Vec<String>),
}

impl Etag {
    /// Of what an event said.
    pub(super) fn of(id: EventId) -> Self {
        Self(id.to_string())
    }

    /// Of bytes that have a hash.
    pub(super) fn of_content(hash: &str) -> Self {
        Self(hash.to_owned())
    }

    /// Of a list: how many there are, and the last event that changed it.
    pub(super) fn of_state(count: usize, changed: Option<EventId>) -> Self {
        let changed = changed.map_or_else(String::new, |id| id.to_string());
        Self(format!("{count}.{changed}"))
    }

    /// Of what is not there.
    pub(super) fn of_nothing() -> Self {
        Self::of_both(None, None)
    }

    /// Of what an element reported and what is wanted of it.
    pub(super) fn of_both(reported: Option<EventId>, desired: Option<EventId>) -> Self {
        let text = |id: Option<EventId>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        Self(format!("{}.{}", text(reported), text(desired)))
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl Expected {
    /// Whether what is there is what was expected.
    pub(super) fn check(&self, found: &Etag) -> Result<(), Problem> {
        match self {
            Self::OneOf(tags) if !tags.contains(&found.to_string()) => Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                format!("it has changed meanwhile: its ETag is {found}; read it again"),
            )),
            Self::Nothing if *found != Etag::of_nothing() => Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "there is something already",
            )),
            _ => Ok(()),
        }
    }
}

/// What `If-Match` says, or `If-None-Match: *`.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<Expected>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        let none = headers.get(header::IF_NONE_MATCH);
        return Ok(none.filter(|none| *none == "*").map(|_| Expected::Nothing));
    };
    let wrong = || {
        let what = "If-Match must be * or ETags in quotes, with commas between";
        Problem::new(StatusCode::BAD_REQUEST, what)
    };
    let text = value.to_str().map_err(|_| wrong())?.trim();
    if text == "*" {
        return Ok(Some(Expected::Anything));
    }
    let tags: Vec<String> = text.split(',').map(|tag| tag.trim().to_owned()).collect();
    let is_tag = |tag: &String| tag.len() > 1 && tag.starts_with('"') && tag.ends_with('"');
    if !tags.iter().all(is_tag) {
        return Err(wrong());
    }
    Ok(Some(Expected::OneOf(tags)))
}

#[cfg(test)]
mod tests {
    use quartet_model::Time;

    use super::*;

    #[test]
    fn only_what_was_seen_may_be_changed() {
        let mut headers = HeaderMap::new();
        assert_eq!(if_match(&headers).unwrap(), None);
        let id = EventId {
            at: Time::from_micros(1),
            serial: 2,
        };
        let etag = Etag::of(id);
        let mut expect = |text: &str| {
            headers.insert(header::IF_MATCH, text.parse().unwrap());
            if_match(&headers)
        };
        let check = |expected: Result<Option<Expected>, Problem>| {
            expected.unwrap().unwrap().check(&etag).is_ok()
        };
        assert!(check(expect("*")));
        assert!(check(expect(&format!("\"other\", {etag}"))));
        assert!(!check(expect("\"other\"")));
        assert!(expect("other").is_err());
        headers.clear();
        headers.insert(header::IF_NONE_MATCH, "*".parse().unwrap());
        let expected = if_match(&headers);
        assert!(!check(expected.clone()));
        assert!(
            expected
                .unwrap()
                .unwrap()
                .check(&Etag::of_nothing())
                .is_ok()
        );
    }
}
