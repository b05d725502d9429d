use serde_json::json;

use super::{Directory, fresh, is_problem, minimal, story, with};

story!(things_are_searched:
    a_jsonpath_filters_tds,
    a_jsonpath_gives_fragments,
    a_jsonpath_without_results_gives_an_empty_array,
    a_query_that_is_no_jsonpath_is_refused,
    head_of_a_search_has_the_headers_of_get,
    searches_that_are_not_there_are_not_found,
);

/// Three things with one tag; their identifiers in order.
fn three(directory: &Directory, tag: &str) -> Vec<String> {
    let mut ids = [fresh(), fresh(), fresh()];
    ids.sort();
    for id in &ids {
        directory.create(&with(minimal(id), "tag", tag));
    }
    ids.into()
}

fn encoded(query: &str) -> String {
    form_urlencoded::byte_serialize(query.as_bytes()).collect()
}

// [wot-discovery tdd-search-large-tdds]
fn a_jsonpath_filters_tds(directory: &Directory) {
    let tag = fresh();
    let ids = three(directory, &tag);
    let query = format!("$[?(@.tag=='{tag}')]");
    for query in [&query, &encoded(&query)] {
        let found = directory.get(&format!("/search/jsonpath?query={query}"));
        assert_eq!(found.status, 200, "{found:?}");
        assert_eq!(found.headers["content-type"], "application/json");
        let found = found.json();
        let found = found.as_array().unwrap().iter();
        let found: Vec<_> = found.map(|td| td["id"].as_str().unwrap()).collect();
        assert_eq!(found, ids);
    }
}

// [wot-discovery tdd-search-large-tdds]
fn a_jsonpath_gives_fragments(directory: &Directory) {
    let tag = fresh();
    three(directory, &tag);
    let query = encoded(&format!("$[?@.tag=='{tag}'].title"));
    let found = directory.get(&format!("/search/jsonpath?query={query}"));
    assert_eq!(found.json(), json!(["example", "example", "example"]));
}

// [wot-discovery tdd-search-large-tdds]
fn a_jsonpath_without_results_gives_an_empty_array(directory: &Directory) {
    let found = directory.get("/search/jsonpath?query=$[?@.tag=='nobody']");
    assert_eq!((found.status, found.json()), (200, json!([])));
}

// [wot-discovery tdd-search-large-tdds tdd-http-error-response]
fn a_query_that_is_no_jsonpath_is_refused(directory: &Directory) {
    for query in ["?query=*/id", "", "?query=$..a..b..c", "?path=$"] {
        let problem = is_problem(&directory.get(&format!("/search/jsonpath{query}")), 400);
        assert!(20 < problem["detail"].as_str().unwrap().len(), "{problem}");
    }
}

// [wot-discovery tdd-http-head]
fn head_of_a_search_has_the_headers_of_get(directory: &Directory) {
    let get = directory.get("/search/jsonpath?query=$[*].title");
    let head = directory.ask("HEAD /search/jsonpath?query=$[*].title", &[], "");
    assert_eq!((head.status, &*head.body), (200, ""));
    for header in ["content-type", "content-length"] {
        assert_eq!(head.headers[header], get.headers[header], "{header}");
    }
}

// [wot-discovery tdd-http-unsupported-feature]
fn searches_that_are_not_there_are_not_found(directory: &Directory) {
    for request in [
        "GET /search/xpath?query=x",
        "GET /search/sparql?query=x",
        "POST /search/sparql",
    ] {
        is_problem(&directory.ask(request, &[], ""), 404);
    }
}
