//! WoT Discovery 1.0 against the real hub: each case bears the assertions that it proves, as
//! `[wot-discovery …]`, from which `cargo xtask conformance` makes the table.
//!
//! A story is one hub and many cases. Streams are read with deadlines, and that nothing came is
//! shown by a later event that did come.

mod creating; // with an id and without
mod ending; // deleted and expired
mod events;
mod introduction; // how the directory is found, and what it says of itself
mod listing; // all descriptions, page by page
mod patching; // in part
mod retrieving; // one description, or why not
mod searching; // what a JSONPath finds
mod updating; // as a whole // what happens to things

mod elements; // the same things read, written and asked to do something
mod excess; // what is too much, too deep and too many

use std::net::SocketAddr;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{Answer, Events, Hub, http};

const V1: &str = "https://www.w3.org/2022/wot/td/v1.1";
const DISCOVERY: &str = "https://www.w3.org/2022/wot/discovery";
const TD: (&str, &str) = ("content-type", "application/td+json");
const PATCH: (&str, &str) = ("content-type", "application/merge-patch+json");

/// A test that is one case after the other, with one hub.
macro_rules! story {
    ($name:ident: $($case:ident),+ $(,)?) => {
        #[test]
        fn $name() {
            let directory = $crate::directory::Directory::start();
            $(
                eprintln!("{}", stringify!($case));
                $case(&directory);
            )+
        }
    };
}
pub(crate) use story;

/// A hub, as whoever uses its directory sees it.
struct Directory {
    hub: Hub,
    at: SocketAddr,
}

impl Directory {
    /// Starts a hub, and finds where its directory is.
    #[track_caller]
    fn start() -> Self {
        let hub = Hub::start(&["mqtt://127.0.0.1:0", "http://127.0.0.1:0"]);
        let at = base_of(&hub);
        Self { hub, at }
    }

    /// The hub dies at once, and another one begins with what it kept.
    #[track_caller]
    fn die_and_begin_again(&mut self) {
        self.hub.die_and_begin_again();
        self.at = base_of(&self.hub);
    }

    #[track_caller]
    fn ask(&self, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        http(self.at, request, headers, body)
    }

    #[track_caller]
    fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), &[], "")
    }

    #[track_caller]
    fn put(&self, td: &Value) -> Answer {
        let path = path(td["id"].as_str().unwrap());
        self.ask(&format!("PUT {path}"), &[TD], &td.to_string())
    }

    #[track_caller]
    fn post(&self, td: &Value) -> Answer {
        self.ask("POST /things", &[TD], &td.to_string())
    }

    #[track_caller]
    fn patch(&self, id: &str, patch: &Value) -> Answer {
        let path = path(id);
        self.ask(&format!("PATCH {path}"), &[PATCH], &patch.to_string())
    }

    #[track_caller]
    fn delete(&self, id: &str) -> Answer {
        self.ask(&format!("DELETE {}", path(id)), &[], "")
    }

    #[track_caller]
    fn retrieve(&self, id: &str) -> Answer {
        self.get(&path(id))
    }

    /// Registers what must be valid and new.
    #[track_caller]
    fn create(&self, td: &Value) {
        let answer = self.put(td);
        assert_eq!(answer.status, 201, "{td}: {answer:?}");
    }

    /// What the list has with this tag.
    #[track_caller]
    fn tagged(&self, tag: &str) -> Vec<Value> {
        let Value::Array(mut all) = self.get("/things?limit=10000").json() else {
            panic!("the list is no array");
        };
        all.retain(|td| td["tag"] == tag);
        all
    }

    /// The state that the list says to have.
    #[track_caller]
    fn state(&self) -> String {
        let links = self.get("/things?limit=1").headers["link"].clone();
        let (_, etag) = links.split_once("etag=\"").unwrap();
        etag.split('"').next().unwrap().to_owned()
    }

    #[track_caller]
    fn events(&self, path: &str) -> Events {
        Events::open(self.at, path, &[])
    }
}

/// Where a hub says that its directory is.
#[track_caller]
fn base_of(hub: &Hub) -> SocketAddr {
    let own = http(hub.at("http://"), "GET /.well-known/wot", &[], "").json();
    let base = own["base"].as_str().unwrap().strip_prefix("http://");
    base.unwrap().parse().unwrap()
}

/// The smallest description.
fn minimal(id: &str) -> Value {
    let mut td = anonymous();
    td["id"] = id.into();
    td
}

/// The same without an id.
fn anonymous() -> Value {
    json!({
        "@context": V1, "title": "example", "security": ["nosec_sc"],
        "securityDefinitions": { "nosec_sc": { "scheme": "nosec" } },
    })
}

/// One that has a property, reached elsewhere.
fn reachable(id: &str) -> Value {
    let mut td = minimal(id);
    td["properties"] = json!({ "status": { "forms": [{ "href": "https://example.com/status" }] } });
    td
}

/// `td` with another member.
fn with(mut td: Value, name: &str, value: impl Into<Value>) -> Value {
    td[name] = value.into();
    td
}

/// `td` without a member.
fn without(mut td: Value, name: &str) -> Value {
    td.as_object_mut().unwrap().remove(name);
    td
}

/// A text that nothing else has, such as an identifier.
fn fresh() -> String {
    format!("urn:uuid:{}", uuid::Uuid::new_v4())
}

/// Where a thing is, with all that is not a letter or a digit percent-encoded.
fn path(id: &str) -> String {
    let mut path = "/things/".to_owned();
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => path.push(byte.into()),
            _ => path += &format!("%{byte:02X}"),
        }
    }
    path
}

/// A description as it was registered: without what the directory adds.
fn bare(td: &Value) -> Value {
    let mut td = without(td.clone(), "registration");
    if let Value::Array(context) = &mut td["@context"] {
        context.retain(|one| one != DISCOVERY);
        if let [only] = &context[..] {
            td["@context"] = only.clone();
        }
    }
    let properties = td["properties"].as_object_mut().unwrap();
    properties.remove("connectivity");
    for property in properties.values_mut() {
        let forms = property["forms"].as_array_mut().unwrap();
        forms.retain(|form| !is_of_the_hub(form));
    }
    let forms = td["forms"].as_array().unwrap();
    assert!(forms.iter().all(is_of_the_hub), "{td}");
    without(td, "forms")
}

/// Whether a form leads to the hub.
fn is_of_the_hub(form: &Value) -> bool {
    let href = form["href"].as_str().unwrap();
    href.contains("://127.0.0.1:")
}

/// A time that is said with an offset.
#[track_caller]
fn time(said: &Value) -> Timestamp {
    let text = said.as_str().unwrap_or_else(|| panic!("{said} is no time"));
    text.parse().unwrap()
}

#[track_caller]
fn is_about_now(said: &Value) {
    let ago = Timestamp::now().duration_since(time(said));
    let range = SignedDuration::from_secs(-1)..SignedDuration::from_mins(5);
    assert!(range.contains(&ago), "{said} was {ago} ago");
}

/// It must be a problem with this status, and say so.
#[track_caller]
fn is_problem(answer: &Answer, status: u16) -> Value {
    let kind = answer.headers.get("content-type").map(String::as_str);
    let found = (answer.status, kind);
    assert_eq!(
        found,
        (status, Some("application/problem+json")),
        "{answer:?}"
    );
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    if problem["type"] == "about:blank" || problem["type"].is_null() {
        let phrase = axum::http::StatusCode::from_u16(status).unwrap();
        assert_eq!(problem["title"], phrase.canonical_reason().unwrap());
    }
    assert!(problem["detail"].is_string(), "{problem}");
    problem
}

/// It must be refused for what is wrong in a field; the fields that are.
#[track_caller]
fn is_invalid(answer: &Answer, field: &str) -> Vec<String> {
    let problem = is_problem(answer, 400);
    let errors = problem["validationErrors"].as_array();
    let errors = errors.unwrap_or_else(|| panic!("{problem}"));
    let of = |name| {
        errors
            .iter()
            .map(move |error| error[name].as_str().unwrap())
    };
    assert!(
        of("field")
            .chain(of("description"))
            .all(|text| !text.is_empty())
    );
    let is_about = |error: &Value| format!("{error}").contains(field);
    assert!(
        errors.iter().any(is_about),
        "{problem} is not about {field}"
    );
    of("field").map(str::to_owned).collect()
}
