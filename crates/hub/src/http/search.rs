//! What a JSONPath finds in all Thing Descriptions (WoT Discovery, section 7.2.3.1).

use axum::{
    http::{StatusCode, header},
    response::IntoResponse,
};
use quartet_model::Event;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_json_path::JsonPath;

use super::{
    Api,
    directory::LIMIT_MAX,
    kinds::{Accept, JSON, LD_JSON},
    problem::Problem,
    site::Site,
    take::Query,
};
use crate::shell::Ended;

/// Descriptions that are searched in one go.
const CHUNK: usize = 500;
/// The longest query.
const QUERY_BYTES_MAX: usize = 4096;
/// The most that is found.
const FOUND_MAX: usize = 10_000;
/// How often a query may look at all that is below something: each time, it may cost as many times
/// as much as the descriptions are deep.
const DESCENTS_MAX: usize = 2;

/// What is searched for.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    query: Option<String>,
}

/// What a JSONPath (RFC 9535) finds in the list of all Thing Descriptions.
#[utoipa::path(
    get,
    path = "/search/jsonpath",
    params(("query" = String, Query, description = "Such as `$[?@.title=='Lamp']` or `$[*].title`")),
    responses(
        (status = 200, description = "What was found, in the order of the things' identifiers"),
        (status = 400, description = "The query is no JSONPath; the answer says where it is wrong"),
    )
)]
pub(super) async fn jsonpath(
    api: Api,
    site: Site,
    accept: Accept,
    Query(wanted): Query<Wanted>,
) -> Result<impl IntoResponse, Problem> {
    let bad = |what: String| Problem::new(StatusCode::BAD_REQUEST, what);
    let kind = accept.choose(&[JSON, LD_JSON])?;
    let query = wanted.query;
    let query = query.ok_or_else(|| bad(format!("say what to search for: {EXAMPLE}")))?;
    if QUERY_BYTES_MAX < query.len() {
        return Err(bad(format!("a query has at most {QUERY_BYTES_MAX} bytes")));
    }
    let path = JsonPath::parse(&query)
        .map_err(|why| bad(format!("`{query}` is no JSONPath: {why}; {EXAMPLE}")))?;
    if DESCENTS_MAX < descents(&query) {
        return Err(bad(format!(
            "`{query}` has more than {DESCENTS_MAX} times `..`, which may take too long"
        )));
    }
    let (ids, ..) = api.ids(usize::MAX).await?;
    let chunk = match looks_at_one_at_a_time(&query) {
        true => CHUNK,
        false if ids.len() <= LIMIT_MAX => LIMIT_MAX,
        false => {
            return Err(bad(format!(
                "`{query}` needs the whole list at once, which has {} things; begin with $[*] or $[?",
                ids.len()
            )));
        }
    };
    let narrow = filter_of(&query).and_then(|filter| JsonPath::parse(filter).ok());
    let mut found = Vec::new();
    for ids in ids.chunks(chunk) {
        let texts = match narrow.clone() {
            Some(filter) => {
                let ids = api.narrowed(ids, filter).await?;
                api.descriptions(&ids, &site).await?
            }
            None => api.descriptions(ids, &site).await?,
        };
        let path = path.clone();
        let here = tokio::task::spawn_blocking(move || find(&path, &texts)).await;
        found.extend(here.unwrap_or_default());
        if FOUND_MAX < found.len() {
            return Err(bad(format!(
                "more than {FOUND_MAX} are found; say more exactly what is wanted"
            )));
        }
    }
    let headers = [(header::CONTENT_TYPE, kind), (header::VARY, "Accept")];
    Ok((headers, Value::from(found).to_string()))
}

const EXAMPLE: &str = "for example ?query=$[?@.title=='Lamp'], percent-encoded";

fn find(path: &JsonPath, texts: &[String]) -> Vec<Value> {
    let all: Vec<Value> = texts
        .iter()
        .filter_map(|text| serde_json::from_str(text).ok())
        .collect();
    path.query(&all.into()).into_iter().cloned().collect()
}

impl Api {
    /// Those of whose descriptions, as they were registered, a filter finds something.
    async fn narrowed(&self, ids: &[String], filter: JsonPath) -> Result<Vec<String>, Ended> {
        let registered = |id: &str, event: &Event| (id.to_owned(), event.payload.clone());
        let all = self.each_description(ids, registered).await?;
        let narrow = move || {
            let matching = all.into_iter().filter(|(_, payload)| {
                let td: Value = serde_json::from_slice(payload).unwrap_or_default();
                !filter.query(&json!([td])).is_empty()
            });
            matching.map(|(id, _)| id).collect()
        };
        let narrowed = tokio::task::spawn_blocking(narrow).await;
        Ok(narrowed.unwrap_or_default())
    }
}

/// The filter that a query begins with, if descriptions match it as they were registered just as
/// they do with what the hub adds to them. Most things are then out of question before that is added.
fn filter_of(query: &str) -> Option<&str> {
    const MAY_BE_ADDED: [&str; 11] = [
        "..",
        "*",
        "\\",
        "actions",
        "base",
        "context",
        "events",
        "forms",
        "properties",
        "registration",
        "security",
    ];
    if !query.starts_with("$[?") {
        return None;
    }
    let mut quote = None;
    let mut depth = 0;
    let end = query.char_indices().find(|&(_, c)| {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') => depth -= 1,
            (None, _) => {}
        }
        c == ']' && quote.is_none() && depth == 0
    });
    let (end, _) = end?;
    let filter = &query[..=end];
    let is_plain = MAY_BE_ADDED.iter().all(|word| !filter.contains(word));
    is_plain.then_some(filter)
}

/// Whether a part of the list finds a part of the result: the first step goes to each member
/// alike, and no filter looks at the whole list.
fn looks_at_one_at_a_time(query: &str) -> bool {
    const FIRST: [&str; 3] = ["$[?", "$[*]", "$.*"];
    let query: String = query.chars().filter(|c| !c.is_whitespace()).collect();
    FIRST.iter().any(|first| query.starts_with(first)) && !query[1..].contains('$')
}

/// How often a query looks at all that is below something.
fn descents(query: &str) -> usize {
    let mut quote = None;
    let mut is_escaped = false;
    let mut before = ' ';
    let mut count = 0;
    for c in query.chars() {
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if c == '\\' => is_escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None => count += usize::from(before == '.' && c == '.'),
        }
        before = c;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descents_are_counted_outside_of_texts() {
        assert_eq!(descents("$..[?@..a == '..']"), 2);
        assert_eq!(descents(r#"$[?@.a == "\"..\\" || @..b]"#), 1);
        assert_eq!(descents("$.a.b[1:2]"), 0);
    }

    #[test]
    fn most_things_are_out_of_question_before_anything_is_added_to_them() {
        let narrow = [
            ("$[?@.title=='a]b'].id", "$[?@.title=='a]b']"),
            ("$[?@['x']==1]", "$[?@['x']==1]"),
        ];
        for (query, filter) in narrow {
            assert_eq!(filter_of(query), Some(filter));
        }
        for query in [
            "$[*].title",
            "$[?@.forms]",
            "$[?@..a]",
            "$[?@.a=='\\']",
            "$[?@.a",
        ] {
            assert_eq!(filter_of(query), None, "{query}");
        }
    }

    #[test]
    fn a_search_that_looks_at_one_thing_at_a_time_is_told_from_others() {
        for query in ["$[*].title", "$[?@.title=='Lamp']", "$ [ ? @.a ]", "$.*"] {
            assert!(looks_at_one_at_a_time(query), "{query}");
        }
        for query in ["$[0]", "$[-1:]", "$", "$[?@.a==$[0].a]", "$[1:5]"] {
            assert!(!looks_at_one_at_a_time(query), "{query}");
        }
    }
}
