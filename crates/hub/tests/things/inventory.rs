use serde_json::{Value, json};

use crate::support::{Hub, Raw, http, wait_for};

const LISTENERS: [&str; 2] = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];

fn described(kind: &str, name: &str, rest: &Value) -> String {
    let mut td = json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "id": format!("urn:quartet:{kind}:{name}"),
        "title": name,
        "securityDefinitions": { "none": { "scheme": "nosec" } },
        "security": "none",
    });
    for (name, value) in rest.as_object().unwrap() {
        td[name] = value.clone();
    }
    td.to_string()
}

fn within(place: &str) -> Value {
    json!([{ "rel": "in", "href": format!("urn:quartet:places:{place}") }])
}

/// A hospital in lines: a ward with a room, three fridges, a porter's trolley.
fn hospital() -> String {
    let forms = json!([{ "href": "coap://a.example/" }]);
    let measures = json!({ "temperature": { "type": "number", "forms": forms } });
    let fridge = |place: &str, labels: Value| {
        json!({
            "@type": "saref:Refrigerator", "links": within(place), "properties": measures,
            "quartet:labels": labels,
        })
    };
    [
        described("places", "hospital", &json!({})),
        described("places", "ward-3", &json!({ "links": within("hospital") })),
        described("places", "room-12", &json!({ "links": within("ward-3") })),
        described("things", "fridge-1", &fridge("room-12", json!({ "stock": "vaccine" }))),
        described("things", "fridge-2", &fridge("ward-3", json!({ "stock": "blood" }))),
        described("things", "fridge-3", &fridge("hospital", json!({}))),
        described("things", "trolley", &json!({
            "description": "The porter's own",
            "links": [{ "rel": "carriedBy", "href": "urn:quartet:people:ana", "quartet:until": "2020-01-01T00:00:00Z" },
                      { "rel": "carriedBy", "href": "urn:quartet:people:bob" }],
            "quartet:position": { "latitude": 52.5200, "longitude": 13.4050 },
        })),
    ]
    .join("\n")
}

struct Site(Hub);

impl Site {
    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        http(self.0.at("http://"), &format!("{method} {path}"), &[], body).json()
    }

    /// The addresses of the elements that are found, once the lists have what was done before.
    #[track_caller]
    fn finds(&self, query: &str, expected: &[&str]) {
        let query = query
            .replace('<', "%3C")
            .replace('>', "%3E")
            .replace(' ', "%20");
        let mut last = Value::Null;
        let found = wait_for(&format!("{query} to find {expected:?}"), || {
            last = self.ask("GET", &format!("/api/elements?{query}"), "");
            let elements = last["elements"].as_array()?;
            let found: Vec<_> = elements
                .iter()
                .map(|one| one["address"].as_str().unwrap().to_owned())
                .collect();
            (found == expected).then_some(found)
        });
        assert_eq!(found, expected, "{last}");
    }
}

#[test]
fn elements_are_found_by_what_they_are_where_tied_to_what_and_how_they_are() {
    let site = Site(Hub::start(&LISTENERS));
    let rehearsed = site.ask("POST", "/api/elements/import?dry_run=true", &hospital());
    assert_eq!(
        (&rehearsed["created"], &rehearsed["refused"]),
        (&json!(7), &json!(0))
    );
    site.finds("kind=places", &[]);
    let mut lines = hospital();
    lines += "\n\n{\"title\":\"no id\"}\nnonsense\n";
    let done = site.ask("POST", "/api/elements/import", &lines);
    assert_eq!(
        (&done["created"], &done["refused"]),
        (&json!(7), &json!(2)),
        "{done}"
    );
    assert_eq!(done["problems"][0]["line"], 9);
    assert_eq!(done["problems"][1]["line"], 10);
    let again = site.ask("POST", "/api/elements/import", &hospital());
    assert_eq!(again["updated"], 7, "{again}");

    let fridges = ["things/fridge-1", "things/fridge-2", "things/fridge-3"];
    site.finds(
        "kind=places",
        &["places/hospital", "places/room-12", "places/ward-3"],
    );
    site.finds("type=Refrigerator", &fridges);
    site.finds("label=stock", &fridges[..2]);
    site.finds("label=stock:blood", &fridges[1..2]);
    site.finds(
        "place=ward-3",
        &["places/room-12", "things/fridge-1", "things/fridge-2"],
    );
    site.finds("place=hospital&type=Refrigerator", &fridges);
    site.finds("relation=carriedBy:people/bob", &["things/trolley"]);
    site.finds("relation=carriedBy:people/ana", &[]); // not any more
    site.finds("text=PORTER", &["things/trolley"]);
    site.finds("near=52.521,13.405,200", &["things/trolley"]);
    site.finds("near=52.521,13.405,50", &[]);

    let mut device = Raw::tcp(site.0.at("mqtt://"), 5, "device");
    for (name, value) in [("fridge-1", "4.5"), ("fridge-2", "9"), ("fridge-3", "10.5")] {
        device.publish(
            &format!("things/{name}/properties/temperature"),
            value.as_bytes(),
        );
    }
    device.ping();
    site.finds("where=temperature>7", &fridges[1..]);
    site.finds("where=temperature>7&place=ward-3", &fridges[1..2]);
    site.finds("where=temperature<=4.5", &fridges[..1]);
    site.finds("state=online", &fridges);
    device.publish(
        "things/trolley/properties/position",
        br#"{"latitude":48.1,"longitude":11.5}"#,
    );
    device.ping();
    site.finds("near=48.1,11.5,10", &["things/trolley"]);
    site.finds("where=position.latitude<50", &["things/trolley"]);
    let fenced = json!({
        "id": "urn:quartet:places:yard", "title": "Yard", "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "securityDefinitions": { "none": { "scheme": "nosec" } }, "security": "none",
        "quartet:fence": { "type": "Point", "coordinates": [11.5, 48.1], "radius": 50 },
    });
    let done = site.ask("POST", "/api/elements/import", &fenced.to_string());
    assert_eq!(done["created"], 1, "{done}");
    site.finds("place=yard", &["things/trolley"]);
    let yard = site.ask("GET", "/api/places/yard", "");
    for place in ["/properties/occupants", "/events/entered", "/events/left"] {
        let affordance = yard.pointer(place).unwrap();
        assert!(affordance["forms"][0]["href"].is_string(), "{affordance}");
    }
    drop(device);
    site.finds(
        "state=lost",
        &[
            "things/fridge-1",
            "things/fridge-2",
            "things/fridge-3",
            "things/trolley",
        ],
    );

    let page = site.ask("GET", "/api/elements?type=Refrigerator&limit=2", "");
    assert_eq!(page["next"], "things/fridge-2");
    site.finds("type=Refrigerator&after=things/fridge-2", &fridges[2..]);
    let page = "/api/elements?kind=places&with=links&with=nothing&limit=2";
    let page = site.ask("GET", page, "");
    let described = |at: usize| &page["elements"][at]["described"];
    assert_eq!(*described(0), json!({}), "{page}");
    assert_eq!(
        *described(1),
        json!({ "links": within("ward-3") }),
        "{page}"
    );
}

#[test]
fn a_page_with_much_of_descriptions_is_shorter_and_the_next_goes_on() {
    const ELEMENTS: usize = 150;
    let site = Site(Hub::start(&LISTENERS));
    let story = "once upon a time ".repeat(4000);
    let long = |n: usize| described("places", &format!("p{n:03}"), &json!({ "story": story }));
    let lines: Vec<String> = (0..ELEMENTS).map(long).collect();
    let done = site.ask("POST", "/api/elements/import", &lines.join("\n"));
    assert_eq!(done["created"], ELEMENTS, "{done}");
    let keys: Vec<String> = (0..ELEMENTS).map(|n| format!("places/p{n:03}")).collect();
    let keys: Vec<&str> = keys.iter().map(|key| &**key).collect();
    site.finds("kind=places&limit=1000", &keys);
    let (mut after, mut pages, mut seen) = (String::new(), 0, Vec::new());
    loop {
        let page = format!("/api/elements?kind=places&limit=1000&with=story&after={after}");
        let page = site.ask("GET", &page, "");
        for one in page["elements"].as_array().unwrap() {
            assert_eq!(one["described"]["story"], *story);
            seen.push(one["address"].as_str().unwrap().to_owned());
        }
        pages += 1;
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, keys);
    assert_eq!(pages, 3);
}

#[test]
fn what_is_given_out_can_be_taken_in_elsewhere() {
    let site = Site(Hub::start(&LISTENERS));
    site.ask("POST", "/api/elements/import", &hospital());
    let out = http(site.0.at("http://"), "GET /api/elements/export", &[], "");
    assert_eq!(out.headers["content-type"], "application/x-ndjson");
    let lines = out.body.lines().filter(|line| !line.is_empty()).count();
    assert_eq!(lines, 9, "seven, this computer and the directory");
    let other = Site(Hub::start(&LISTENERS));
    let done = other.ask("POST", "/api/elements/import", &out.body);
    assert_eq!(done["created"], 7, "{done}");
}

#[test]
fn a_question_that_is_not_understood_says_what_would_be_right() {
    let site = Site(Hub::start(&LISTENERS));
    for (query, why) in [
        ("kind=planets", "must be one of things, people"),
        ("near=here", "must be latitude,longitude,metres"),
        (
            "where=temperature",
            "such as temperature%3E7".replace("%3E", ">").as_str(),
        ),
        ("limit=0", "must be 1 to 10000"),
        ("colour=red", "there is no option `colour`"),
        (&"with=a&".repeat(17), "16 times at most"),
    ] {
        let problem = site.ask("GET", &format!("/api/elements?{query}"), "");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(why), "{query}: {detail}");
    }
}
