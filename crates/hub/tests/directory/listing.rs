use serde_json::{Value, json};

use super::{
    DISCOVERY, Directory, anonymous, fresh, is_about_now, is_problem, minimal, story, with,
};

story!(things_are_listed:
    the_list_has_all_tds,
    the_lists_content_type_is_json_ld,
    listed_tds_are_enriched,
    head_of_the_list_has_the_headers_of_get,
    the_list_is_sorted_by_code_points,
    a_limit_gives_a_page_and_the_next,
    following_next_gives_each_td_once,
    a_page_names_the_collection_and_its_state,
    a_page_that_is_not_there_is_empty,
    nonsense_in_the_query_is_refused,
    the_list_comes_as_a_collection,
    format_array_is_the_default,
);

// [wot-discovery tdd-things-list-only tdd-things-crudl tdd-things-list-method
// tdd-things-list-resp]
fn the_list_has_all_tds(directory: &Directory) {
    let tag = fresh();
    for _ in 0..3 {
        directory.create(&with(minimal(&fresh()), "tag", &*tag));
    }
    let list = directory.get("/things");
    assert_eq!(list.status, 200);
    for td in list.json().as_array().unwrap() {
        assert!(!td["title"].as_str().unwrap().is_empty(), "{td}");
    }
    assert_eq!(directory.tagged(&tag).len(), 3);
}

// [wot-discovery tdd-things-list-resp-content-type tdd-things-default-representation
// tdd-http-representation-alternate-output]
fn the_lists_content_type_is_json_ld(directory: &Directory) {
    let list = directory.get("/things");
    assert_eq!(list.headers["content-type"], "application/ld+json");
    let plain = directory.ask("GET /things", &[("accept", "application/json")], "");
    assert_eq!(plain.headers["content-type"], "application/json");
    assert_eq!(plain.json(), list.json());
}

// [wot-discovery tdd-registrationinfo-vocab-created tdd-registrationinfo-vocab-modified
// tdd-context-injection tdd-anonymous-td-identifier]
fn listed_tds_are_enriched(directory: &Directory) {
    directory.post(&anonymous());
    let list = directory.get("/things").json();
    for td in list.as_array().unwrap() {
        assert!(td["id"].is_string(), "{td}");
        assert!(
            td["@context"]
                .as_array()
                .unwrap()
                .contains(&json!(DISCOVERY))
        );
        for name in ["created", "modified"] {
            is_about_now(&td["registration"][name]);
        }
    }
}

// [wot-discovery tdd-http-head]
fn head_of_the_list_has_the_headers_of_get(directory: &Directory) {
    let get = directory.get("/things?limit=2");
    let head = directory.ask("HEAD /things?limit=2", &[], "");
    assert_eq!((head.status, &*head.body), (200, ""));
    for header in ["content-type", "content-length", "link"] {
        assert_eq!(head.headers[header], get.headers[header], "{header}");
    }
}

// [wot-discovery tdd-things-list-pagination-order-default]
fn the_list_is_sorted_by_code_points(directory: &Directory) {
    let tag = fresh();
    for end in ["b", "_", "Z", "a%C3%A4", "ab"] {
        let td = minimal(&format!("urn:sorted:{end}"));
        directory.create(&with(td, "tag", &*tag));
    }
    let ids = ids(&directory.tagged(&tag));
    let ends: Vec<&str> = ids.iter().map(|id| &id["urn:sorted:".len()..]).collect();
    assert_eq!(ends, ["Z", "_", "a%C3%A4", "ab", "b"]);
}

fn ids(list: &[Value]) -> Vec<String> {
    let ids = list.iter().map(|td| td["id"].as_str().unwrap().to_owned());
    ids.collect()
}

/// The links of a page by their relations.
struct Links {
    next: Option<String>,
    canonical: String,
}

impl Links {
    #[track_caller]
    fn of(header: &str) -> Self {
        let with = |rel: &str| {
            let said = header.split(", <").find(|link| link.contains(rel))?;
            Some(said.trim_start_matches('<').to_owned())
        };
        let next = with("rel=\"next\"").map(|link| link.split('>').next().unwrap().to_owned());
        Self {
            next,
            canonical: with("rel=\"canonical\"").unwrap(),
        }
    }
}

// [wot-discovery tdd-things-list-pagination tdd-things-list-pagination-limit
// tdd-things-list-pagination-header-nextlink tdd-things-list-pagination-header-nextlink-attr]
fn a_limit_gives_a_page_and_the_next(directory: &Directory) {
    let page = directory.get("/things?limit=2");
    assert_eq!(page.json().as_array().unwrap().len(), 2);
    let next = Links::of(&page.headers["link"]).next.unwrap();
    assert!(
        next.contains("limit=2") && next.contains("offset=2"),
        "{next}"
    );
}

// [wot-discovery tdd-things-list-pagination-header-nextlink
// tdd-things-list-pagination-header-nextlink-base]
fn following_next_gives_each_td_once(directory: &Directory) {
    let mut found = Vec::new();
    let mut at = "/things?limit=3".to_owned();
    loop {
        let page = directory.get(&at);
        found.extend(page.json().as_array().unwrap().clone());
        match Links::of(&page.headers["link"]).next {
            Some(next) => at = next,
            None => break,
        }
    }
    assert_eq!(Value::from(found), directory.get("/things").json());
}

// [wot-discovery tdd-things-list-pagination-header-canonicallink]
fn a_page_names_the_collection_and_its_state(directory: &Directory) {
    let canonical = |path: &str| Links::of(&directory.get(path).headers["link"]).canonical;
    let first = canonical("/things?limit=2");
    assert!(
        first.starts_with("/things>; rel=\"canonical\"; etag=\""),
        "{first}"
    );
    assert_eq!(canonical("/things?limit=2&offset=2"), first);
    assert_eq!(canonical("/things"), first);
    directory.create(&minimal(&fresh()));
    assert_ne!(canonical("/things?limit=2"), first);
}

// [wot-discovery tdd-things-list-pagination-limit]
fn a_page_that_is_not_there_is_empty(directory: &Directory) {
    let page = directory.get("/things?offset=1000&limit=10");
    assert_eq!((page.status, page.json()), (200, json!([])));
    assert_eq!(Links::of(&page.headers["link"]).next, None);
}

// [wot-discovery tdd-http-unsupported-feature tdd-http-error-response]
fn nonsense_in_the_query_is_refused(directory: &Directory) {
    for (query, about) in [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("offset=-1", "offset"),
        ("format=xml", "format"),
        ("sort_by=title", "sort_by"),
    ] {
        let problem = is_problem(&directory.get(&format!("/things?{query}")), 400);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(about), "{query}: {detail}");
    }
}

// [wot-discovery tdd-things-list-pagination-collection]
fn the_list_comes_as_a_collection(directory: &Directory) {
    let all = directory.get("/things").json().as_array().unwrap().len();
    let page = directory.get("/things?limit=2&format=collection").json();
    assert_eq!(page["@context"], DISCOVERY);
    assert_eq!(page["@type"], "ThingCollection");
    assert_eq!(
        (&page["total"], page["members"].as_array().unwrap().len()),
        (&json!(all), 2)
    );
    for (name, offset) in [("@id", "offset=0"), ("next", "offset=2")] {
        let url = page[name].as_str().unwrap();
        for part in [offset, "limit=2", "format=collection"] {
            assert!(url.contains(part), "{url} has no {part}");
        }
    }
    let last = format!("/things?offset={}&limit=2&format=collection", all - 2);
    let last = directory.get(&last).json();
    assert_eq!(
        (&last["next"], last["members"].as_array().unwrap().len()),
        (&Value::Null, 2)
    );
}

// [wot-discovery tdd-things-list-resp tdd-things-list-pagination-collection]
fn format_array_is_the_default(directory: &Directory) {
    let array = directory.get("/things?format=array");
    assert_eq!(array.status, 200);
    assert_eq!(array.json(), directory.get("/things").json());
}
