//! A floor plan that is a picture: put there in one browser, and seen in another.

use serde_json::{Value, json};

use super::{comes_in, is_accessible, looks_after, office};
use crate::{
    people::browser::{PASSWORD, Person},
    support::Hub,
};

const DRAWING: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1200 800">
    <script>document.documentElement.remove()</script>
    <rect x="10" y="10" width="1180" height="780" fill="none" stroke="#111" stroke-width="16"/>
</svg>"##;

/// Ben, who sees all that there is, and changes nothing.
fn sees_all(hub: &Hub) -> Person {
    let json = [("content-type", "application/json")];
    let wanted = json!({ "element": "people/ben" }).to_string();
    let invited = hub.ask("POST /api/invitations", &json, &wanted).json();
    let claim = json!({ "code": invited["code"], "name": "Ben", "password": PASSWORD });
    let claimed = hub.ask("POST /api/account/claim", &json, &claim.to_string());
    assert_eq!(claimed.status, 201, "{}", claimed.body);
    let viewer = json!({ "relation": "viewer", "to": "places/hub" });
    let path = "PUT /api/people/ben/relations";
    assert_eq!(hub.ask(path, &json, &viewer.to_string()).status, 204);
    let mut ben = Person::at(hub);
    ben.does(json!({ "do": "go", "path": "/app/places/office" }));
    ben.is_at("/sign-in");
    ben.fills("Name", "ben");
    ben.fills("Password", PASSWORD);
    ben.presses("Sign in");
    ben.is_at("/app/places/office");
    ben
}

fn plan(hub: &Hub) -> Value {
    let place = hub.ask("GET /api/places/office", &[], "");
    place.json()["plan"].clone()
}

/// How large the picture is that somebody sees, whose content has this hash.
fn sees_picture(person: &mut Person, plan: &Value) -> Value {
    let hash = plan["image"]["hash"].as_str().expect("there is a picture");
    person.does(json!({ "do": "await image", "path": format!("/api/places/office/plan?{hash}") }))
}

#[test]
fn a_photo_of_a_plan_is_put_there_with_the_lamp_upon_it_and_seen_by_others_at_once() {
    let (hub, _lamp) = office();
    looks_after(&hub);
    let mut ana = comes_in(&hub, "/app/places/office");
    let mut ben = sees_all(&hub);
    ben.sees("Desk lamp");

    // What is no picture, or too long, is said in words.
    let upload = |ana: &mut Person, name: &str, kind: &str, text: &str| {
        let step = json!({ "do": "upload", "field": "Upload a plan", "name": name, "type": kind, "text": text });
        ana.does(step);
    };
    upload(&mut ana, "plan.pdf", "application/pdf", "%PDF-1.7");
    ana.sees("What was sent is a PDF document");
    let long = format!("{DRAWING}<!--{}-->", "x".repeat(20_000_000));
    upload(&mut ana, "plan.svg", "image/svg+xml", &long);
    ana.sees("20.1 MB; a plan may have 4 MB");
    assert!(plan(&hub).is_null());

    // A photo becomes as small as a screen needs it, and the lamp is put upon it, by keys alone.
    ana.does(json!({ "do": "upload", "field": "Upload a plan", "photo": [3000, 1500] }));
    ana.sees("Not on the plan yet");
    let photo = plan(&hub);
    let image = json!({ "hash": photo["image"]["hash"], "type": "image/webp", "width": 2000, "height": 1000 });
    assert_eq!(photo, json!({ "image": image }));
    assert_eq!(sees_picture(&mut ana, &photo), json!([2000, 1000]));
    ana.presses("Desk lamp");
    is_accessible(&mut ana, "a picture with a lamp upon it");
    for key in ["ArrowRight", "ArrowUp", "ArrowUp"] {
        ana.does(json!({ "do": "key", "key": key }));
    }
    ana.presses("Save");
    ana.sees("Change the plan");
    let drawn = plan(&hub);
    assert_eq!((&drawn["image"], &drawn["height"]), (&image, &json!(6)));
    assert_eq!(
        drawn["areas"],
        json!([{ "of": "things/lamp", "x": 1, "y": 4.5 }])
    );
    assert_eq!(sees_picture(&mut ben, &photo), json!([2000, 1000]));
    is_accessible(&mut ben, "a plan upon a picture");

    // A drawing takes its place; nothing that is in it runs. Then it goes, and what was drawn stays.
    ana.presses("Change the plan");
    let replace = json!({ "do": "upload", "field": "Replace the picture", "name": "plan.svg", "type": "image/svg+xml", "text": DRAWING });
    ana.does(replace);
    ana.does(json!({ "do": "await no image", "path": photo["image"]["hash"] }));
    ana.presses("Save");
    ana.sees("Change the plan");
    let drawing = plan(&hub);
    assert_eq!(
        (&drawing["width"], &drawing["height"]),
        (&json!(12), &json!(8))
    );
    sees_picture(&mut ana, &drawing);
    sees_picture(&mut ben, &drawing);
    ana.presses("Change the plan");
    ana.presses("Remove the picture");
    ana.does(json!({ "do": "await no image", "path": "/plan?" }));
    ben.does(json!({ "do": "await no image", "path": "/plan?" }));
    ben.sees("Floor plan");
    let bare = plan(&hub);
    assert!(
        bare["image"].is_null() && bare["areas"][0]["of"] == "things/lamp",
        "{bare}"
    );
}
