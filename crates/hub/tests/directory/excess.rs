use std::thread;

use super::{Directory, TD, fresh, is_invalid, is_problem, minimal, path, story, with};

story!(excess_is_refused_or_borne:
    a_description_that_is_too_long_is_refused,
    a_description_that_is_too_deep_is_refused,
    a_name_that_is_said_twice_is_refused,
    a_burst_of_registrations_is_answered_and_listed,
    a_search_that_costs_too_much_ends,
);

const BURST: &str = "burst";
const THREADS: usize = 20;
const EACH: usize = 100;

fn a_description_that_is_too_long_is_refused(directory: &Directory) {
    let id = fresh();
    let td = with(minimal(&id), "description", "x".repeat(5_000_000));
    is_problem(&directory.put(&td), 413);
    let property = "PUT /api/things/this-computer/properties/disk";
    is_problem(&directory.ask(property, &[], &"1".repeat(2_000_000)), 413);
    is_problem(&directory.retrieve(&id), 404);
    directory.create(&minimal(&id));
}

fn a_description_that_is_too_deep_is_refused(directory: &Directory) {
    let td = minimal(&fresh());
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let deep = format!("{{\"deep\":{deep},");
    let text = td.to_string().replacen('{', &deep, 1);
    let path = path(td["id"].as_str().unwrap());
    let answer = directory.ask(&format!("PUT {path}"), &[TD], &text);
    is_invalid(&answer, "deep");
}

fn a_name_that_is_said_twice_is_refused(directory: &Directory) {
    let td = minimal(&fresh());
    let text = td.to_string().replacen('{', "{\"title\":\"other\",", 1);
    let path = path(td["id"].as_str().unwrap());
    let answer = directory.ask(&format!("PUT {path}"), &[TD], &text);
    is_invalid(&answer, "title");
}

fn a_burst_of_registrations_is_answered_and_listed(directory: &Directory) {
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..EACH {
                    directory.create(&with(minimal(&fresh()), "tag", BURST));
                }
            });
        }
    });
    assert_eq!(directory.tagged(BURST).len(), THREADS * EACH);
}

// [wot-discovery tdd-search-large-tdds]
fn a_search_that_costs_too_much_ends(directory: &Directory) {
    for query in ["$..[?@..a]", "$..*..*", "$..[?@..[?@..a]]"] {
        let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let answer = directory.get(&format!("/search/jsonpath?query={query}"));
        assert!([200, 400].contains(&answer.status), "{answer:?}");
    }
    directory.create(&minimal(&fresh()));
}
