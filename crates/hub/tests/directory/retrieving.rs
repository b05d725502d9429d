use serde_json::json;

use super::{
    DISCOVERY, Directory, PATCH, TD, bare, fresh, is_about_now, is_problem, minimal, path,
    reachable, story, time, without,
};

story!(things_are_retrieved:
    a_td_is_retrieved_by_its_id,
    its_content_type_is_td_json,
    it_is_enriched,
    it_says_when_it_was_retrieved,
    head_of_a_td_has_the_headers_of_get,
    what_is_not_there_is_not_found,
    every_refusal_is_a_problem_in_utf_8,
    an_unknown_method_says_which_there_are,
    what_cannot_be_produced_is_said,
);

// [wot-discovery tdd-things-crud tdd-things-crudl tdd-things-retrieve tdd-things-retrieve-resp]
fn a_td_is_retrieved_by_its_id(directory: &Directory) {
    let td = reachable(&fresh());
    directory.create(&td);
    let found = directory.retrieve(td["id"].as_str().unwrap());
    assert_eq!((found.status, bare(&found.json())), (200, td));
}

// [wot-discovery tdd-things-retrieve-resp-content-type tdd-things-default-representation
// tdd-http-representation-alternate-output exploration-server-http-resp-content-type]
fn its_content_type_is_td_json(directory: &Directory) {
    let id = fresh();
    directory.create(&minimal(&id));
    let found = directory.retrieve(&id);
    assert_eq!(found.headers["content-type"], "application/td+json");
    let accept = [("accept", "application/json")];
    let plain = directory.ask(&format!("GET {}", path(&id)), &accept, "");
    assert_eq!(plain.headers["content-type"], "application/json");
    assert_eq!(bare(&plain.json()), bare(&found.json()));
}

// [wot-discovery tdd-context-injection tdd-absolute-time tdd-registrationinfo-vocab-created
// tdd-registrationinfo-vocab-modified]
fn it_is_enriched(directory: &Directory) {
    let id = fresh();
    directory.create(&minimal(&id));
    let td = directory.retrieve(&id).json();
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

// [wot-discovery tdd-registrationinfo-vocab-retrieved tdd-absolute-time]
fn it_says_when_it_was_retrieved(directory: &Directory) {
    let id = fresh();
    directory.create(&minimal(&id));
    let [first, second] = [(); 2].map(|()| directory.retrieve(&id).json()["registration"].clone());
    is_about_now(&first["retrieved"]);
    assert!(time(&first["modified"]) <= time(&first["retrieved"]));
    assert!(time(&first["retrieved"]) <= time(&second["retrieved"]));
    assert_eq!(without(first, "retrieved"), without(second, "retrieved"));
}

// [wot-discovery tdd-http-head exploration-server-http-head]
fn head_of_a_td_has_the_headers_of_get(directory: &Directory) {
    let id = fresh();
    directory.create(&minimal(&id));
    let get = directory.retrieve(&id);
    let head = directory.ask(&format!("HEAD {}", path(&id)), &[], "");
    assert_eq!((head.status, &*head.body), (200, ""));
    for header in ["content-type", "content-length", "etag"] {
        assert_eq!(head.headers[header], get.headers[header], "{header}");
    }
}

// [wot-discovery tdd-http-error-response tdd-http-head]
fn what_is_not_there_is_not_found(directory: &Directory) {
    for method in ["GET", "PATCH", "DELETE"] {
        let request = format!("{method} /things/urn:example:nothing");
        is_problem(&directory.ask(&request, &[PATCH], "{}"), 404);
    }
    let head = directory.ask("HEAD /things/urn:example:nothing", &[], "");
    assert_eq!((head.status, &*head.body), (404, ""));
}

// [wot-discovery tdd-http-error-response tdd-http-error-response-utf-8
// tdd-validation-response-utf-8]
fn every_refusal_is_a_problem_in_utf_8(directory: &Directory) {
    let turtle = [("content-type", "text/turtle")];
    let wants_turtle = [("accept", "text/turtle")];
    for (status, request, headers, body) in [
        (400, "PUT /things/urn:a:%C3%A4", &[TD], "{"),
        (400, "GET /things/%C3", &[TD], ""),
        (400, "GET /things?limit=many", &[TD], ""),
        (404, "GET /things/urn:a:%C3%A4", &[TD], ""),
        (404, "GET /nothing/%C3%A4", &[TD], ""),
        (405, "POST /things/urn:a:%C3%A4", &[TD], "{}"),
        (406, "GET /things", &wants_turtle, ""),
        (415, "PUT /things/urn:a:b", &turtle, "{}"),
        (415, "PATCH /things/urn:a:b", &turtle, "{}"),
    ] {
        // What is not UTF-8 cannot be read by the client of these tests.
        let problem = is_problem(&directory.ask(request, headers, body), status);
        assert!(problem["type"].is_string());
    }
    let missing = directory.get("/things/urn:a:%C3%A4").json();
    assert!(missing["detail"].as_str().unwrap().contains("urn:a:ä"));
}

// [wot-discovery tdd-http-unsupported-feature]
fn an_unknown_method_says_which_there_are(directory: &Directory) {
    for (request, allowed) in [
        ("PATCH /things", "GET,HEAD,POST"),
        ("POST /things/urn:x:y", "GET,HEAD,PUT,PATCH,DELETE"),
        ("DELETE /.well-known/wot", "GET,HEAD"),
    ] {
        let answer = directory.ask(request, &[TD], "{}");
        is_problem(&answer, 405);
        assert_eq!(answer.headers["allow"], allowed, "{request}");
    }
}

// [wot-discovery tdd-http-unsupported-feature tdd-http-representation-alternate-output]
fn what_cannot_be_produced_is_said(directory: &Directory) {
    let id = fresh();
    directory.create(&minimal(&id));
    let accept = [("accept", "text/turtle")];
    let answer = directory.ask(&format!("GET {}", path(&id)), &accept, "");
    let problem = is_problem(&answer, 406);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("application/td+json")
    );
}
