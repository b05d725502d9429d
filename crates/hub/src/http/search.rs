//! What a JSONPath finds in all Thing Descriptions (WoT Discovery, section 7.2.3.1).

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::{Api, directory::LIMIT_MAX, problem::Problem, site::Site};

/// Descriptions that are searched in one go.
const CHUNK: usize = 500;
/// The longest query.
const QUERY_BYTES_MAX: usize = 4096;
/// The most that is found.
const FOUND_MAX: usize = 10_000;

/// What is searched for.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    query: String,
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
    State(api): State<Api>,
    site: Site,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Vec<Value>>, Problem> {
    let bad = |what: String| Problem::new(StatusCode::BAD_REQUEST, what);
    let Query(wanted) = wanted.map_err(|_| bad(format!("say what to search for: {EXAMPLE}")))?;
    if QUERY_BYTES_MAX < wanted.query.len() {
        return Err(bad(format!("a query has at most {QUERY_BYTES_MAX} bytes")));
    }
    let path = JsonPath::parse(&wanted.query).map_err(|why| {
        bad(format!(
            "`{}` is no JSONPath: {why}; {EXAMPLE}",
            wanted.query
        ))
    })?;
    let (ids, ..) = api.ids(usize::MAX).await?;
    let chunk = match looks_at_one_at_a_time(&wanted.query) {
        true => CHUNK,
        false if ids.len() <= LIMIT_MAX => LIMIT_MAX,
        false => {
            return Err(bad(format!(
                "`{}` needs the whole list at once, which has {} things; begin with $[*] or $[?",
                wanted.query,
                ids.len()
            )));
        }
    };
    let mut found = Vec::new();
    for ids in ids.chunks(chunk) {
        let texts = api.descriptions(ids, &site).await?;
        let path = path.clone();
        let here = tokio::task::spawn_blocking(move || find(&path, &texts)).await;
        found.extend(here.unwrap_or_default());
        if FOUND_MAX < found.len() {
            return Err(bad(format!(
                "more than {FOUND_MAX} are found; say more exactly what is wanted"
            )));
        }
    }
    Ok(Json(found))
}

const EXAMPLE: &str = "for example ?query=$[?@.title=='Lamp'], percent-encoded";

fn find(path: &JsonPath, texts: &[String]) -> Vec<Value> {
    let all: Vec<Value> = texts
        .iter()
        .filter_map(|text| serde_json::from_str(text).ok())
        .collect();
    path.query(&all.into()).into_iter().cloned().collect()
}

/// Whether a part of the list finds a part of the result: the first step goes to each member
/// alike, and no filter looks at the whole list.
fn looks_at_one_at_a_time(query: &str) -> bool {
    const FIRST: [&str; 3] = ["$[?", "$[*]", "$.*"];
    let query: String = query.chars().filter(|c| !c.is_whitespace()).collect();
    FIRST.iter().any(|first| query.starts_with(first)) && !query[1..].contains('$')
}

#[cfg(test)]
mod tests {
    use super::*;

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
