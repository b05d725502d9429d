use std::time::Instant;

use mdns_sd::{IfKind, ResolvedService, ServiceDaemon, ServiceEvent};
use quartet_things::td::{Description, Interner};
use serde_json::Value;

use super::{DISCOVERY, Directory, V1, path, story, without};
use crate::support::{Hub, PATIENCE, http, wait_for};

const HERE: &str = "/.well-known/wot";

story!(the_directory_is_found:
    the_well_known_path_has_the_directorys_own_description,
    the_address_that_the_hub_says_leads_to_its_description,
    the_directorys_description_is_valid_and_derived_from_the_model_of_the_recommendation,
    head_of_the_well_known_path_has_the_headers_of_get,
    the_well_known_description_comes_as_plain_json_for_who_asks,
    the_well_known_path_cannot_be_observed,
);

// [wot-discovery introduction-well-known-uri introduction-well-known-path
// introduction-well-known-thing-description exploration-directory-description-type
// exploration-server-http-method exploration-server-http-resp
// exploration-server-http-resp-content-type]
fn the_well_known_path_has_the_directorys_own_description(directory: &Directory) {
    let answer = directory.get(HERE);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/td+json");
    let td = answer.json();
    for member in ["title", "security", "securityDefinitions"] {
        assert!(!td[member].is_null(), "{member}");
    }
    let context = td["@context"].as_array().unwrap();
    assert!(context.contains(&V1.into()) && context.contains(&DISCOVERY.into()));
    assert!(td["@type"].to_string().contains("\"ThingDirectory\""));
}

// [wot-discovery introduction-direct-url introduction-direct-thing-description
// introduction-direct-directory-description]
fn the_address_that_the_hub_says_leads_to_its_description(directory: &Directory) {
    let says = "  Discover it:  http://";
    let url = wait_for("the address of the directory", || {
        let said = directory.hub.said();
        said.iter()
            .find_map(|line| Some(line.strip_prefix(says)?.to_owned()))
    });
    let (host, path) = url.split_once('/').unwrap();
    let found = directory.ask(&format!("GET /{path}"), &[("host", host)], "");
    assert_eq!(found.status, 200);
    let (found, known) = (found.json(), directory.get(HERE).json());
    assert_eq!(found["base"], format!("http://{host}"));
    assert_eq!(without(found, "base"), without(known, "base"));
}

// [wot-discovery exploration-directory-description-type exploration-server-http-resp-json]
fn the_directorys_description_is_valid_and_derived_from_the_model_of_the_recommendation(
    directory: &Directory,
) {
    let answer = directory.get(HERE);
    let valid = Description::parse(&*answer.body, &mut Interner::default());
    assert!(valid.is_ok(), "{}", valid.unwrap_err());
    let td = answer.json();
    let names = |kind: &str| -> Vec<&str> {
        let all = td[kind].as_object().unwrap().keys();
        all.map(String::as_str).collect()
    };
    let mut actions = names("actions");
    actions.sort_unstable();
    assert_eq!(names("properties"), ["things"]);
    assert_eq!(
        actions,
        [
            "createAnonymousThing",
            "createThing",
            "deleteThing",
            "partiallyUpdateThing",
            "retrieveThing",
            "searchJSONPath",
            "updateThing",
        ]
    );
    for event in ["thingCreated", "thingUpdated", "thingDeleted"] {
        assert!(names("events").contains(&event), "{event}");
    }
    let links = td["links"].as_array().unwrap().iter();
    let models: Vec<&Value> = links.filter(|link| link["rel"] == "type").collect();
    assert!(
        models[0]["href"]
            .as_str()
            .unwrap()
            .ends_with("/directory.tm.json")
    );
    for (method, href) in forms(&td) {
        let own = path("urn:quartet:things:directory");
        let href = href.split("{?").next().unwrap();
        let href = href
            .replace("/things/{id}", &own)
            .replace("{query}", "$[0]");
        let answer = directory.ask(&format!("{method} {href}"), &[("content-type", "a/b")], "");
        assert_ne!(answer.status, 404, "{method} {href}");
    }
}

/// How each affordance is reached; what is only read is asked for its head.
fn forms(td: &Value) -> Vec<(String, String)> {
    let kinds = ["properties", "actions", "events"];
    let affordances = kinds
        .iter()
        .flat_map(|kind| td[kind].as_object().unwrap().values());
    let forms = affordances.flat_map(|affordance| affordance["forms"].as_array().unwrap());
    forms
        .map(|form| {
            let method = form["htv:methodName"].as_str().unwrap_or("GET");
            let method = if method == "GET" { "HEAD" } else { method };
            (method.to_owned(), form["href"].as_str().unwrap().to_owned())
        })
        .collect()
}

// [wot-discovery exploration-server-http-head tdd-http-head]
fn head_of_the_well_known_path_has_the_headers_of_get(directory: &Directory) {
    let get = directory.get(HERE);
    let head = directory.ask(&format!("HEAD {HERE}"), &[], "");
    assert_eq!((head.status, &*head.body), (200, ""));
    for header in ["content-type", "content-length"] {
        assert_eq!(head.headers[header], get.headers[header], "{header}");
    }
    assert_eq!(head.headers["content-length"], get.body.len().to_string());
}

// [wot-discovery exploration-server-http-alternate-content
// exploration-server-http-resp-content-type exploration-server-http-resp-json]
fn the_well_known_description_comes_as_plain_json_for_who_asks(directory: &Directory) {
    let td = directory.get(HERE).json();
    for (accept, kind) in [
        ("application/json", "application/json"),
        ("application/ld+json", "application/ld+json"),
        ("*/*", "application/td+json"),
        ("application/td+json", "application/td+json"),
    ] {
        let answer = directory.ask(&format!("GET {HERE}"), &[("accept", accept)], "");
        assert_eq!(
            (answer.status, &*answer.headers["content-type"]),
            (200, kind)
        );
        assert_eq!(answer.json(), td, "{accept}");
    }
}

// [wot-discovery sec-tdd-intro-no-observe]
fn the_well_known_path_cannot_be_observed(directory: &Directory) {
    let accept = [("accept", "text/event-stream")];
    let answer = directory.ask(&format!("GET {HERE}"), &accept, "");
    super::is_problem(&answer, 406);
}

/// The first service of a type at this port that somebody finds on this machine.
fn found(service: &str, port: u16) -> ResolvedService {
    let browser = ServiceDaemon::new().unwrap();
    browser.disable_interface(IfKind::All).unwrap();
    browser.enable_interface(IfKind::LoopbackV4).unwrap();
    let events = browser.browse(service).unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        match events.recv_deadline(deadline) {
            Ok(ServiceEvent::ServiceResolved(known)) if known.get_port() == port => {
                browser.shutdown().unwrap();
                return *known;
            }
            Ok(_) => {}
            Err(why) => panic!("nobody offers {service} at {port}: {why}"),
        }
    }
}

// [wot-discovery introduction-dns-sd introduction-dns-sd-service-name
// introduction-dns-sd-service-name-directory introduction-dns-sd-txt-record]
#[test]
fn who_asks_for_directories_by_multicast_dns_finds_the_hub() {
    let hub = Hub::configured("discovery = \"always\"\n", &["http://127.0.0.1:0"]);
    let at = hub.at("http://");
    for service in ["_directory._sub._wot._tcp.local.", "_wot._tcp.local."] {
        let known = found(service, at.port());
        let text = |name: &str| known.get_property_val_str(name).unwrap_or_default();
        assert_eq!(
            [text("td"), text("type"), text("scheme")],
            [HERE, "Directory", "http"]
        );
        let addresses = known.get_addresses_v4();
        assert!(addresses.iter().any(|ip| ip.is_loopback()), "{addresses:?}");
        let answer = http(at, &format!("GET {}", text("td")), &[], "");
        assert!(answer.body.contains("ThingDirectory"), "{answer:?}");
    }
}
