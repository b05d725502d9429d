//! Pictures of floor plans: what is taken for one, who puts it there and who sees it, and that it stays with its place.

use tempfile::TempDir;

use super::*;
use crate::support::{Raw, resident_bytes};

const PLAN: &str = "/api/places/ward/plan";
const DRAWING: &str = r#"<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1200 800"><script>fetch('/api/account')</script><rect width="1200" height="800"/></svg>"#;

/// A picture as PNG has it, of so many bytes. Its pixels are nobody's business here.
fn png(bytes: usize) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8], data: &[u8]| {
        png.extend((data.len() as u32).to_be_bytes());
        png.extend([name, data, &[0; 4]].concat());
    };
    let size = [640_u32, 480].map(u32::to_be_bytes).concat();
    chunk(b"IHDR", &[&size[..], &[8, 2, 0, 0, 0]].concat());
    let noise: Vec<u8> = (0..bytes - 57)
        .map(|at| ((at * at) >> 3) as u8 ^ at as u8)
        .collect();
    chunk(b"IDAT", &noise);
    chunk(b"IEND", &[]);
    png
}

/// A ward with a bed.
fn ward(hub: &Hub) {
    let td = json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "Ward", "id": "urn:quartet:places:ward",
        "securityDefinitions": { "none": { "scheme": "nosec" } }, "security": "none",
        "properties": { "noise": { "type": "number", "forms": [{ "href": "coap://ward/noise" }] } },
        "plan": { "width": 12, "height": 9, "unit": "m", "image": { "hash": "forged" },
            "areas": [{ "of": "things/bed", "x": 2, "y": 3 }] }
    });
    let kind = [("content-type", "application/td+json")];
    let path = "PUT /things/urn:quartet:places:ward";
    let made = hub.ask(path, &kind, &td.to_string());
    assert_eq!(made.status, 201, "{}", made.body);
}

fn relate(hub: &Hub, who: &str, role: &str) -> String {
    let relation = json!({ "relation": role, "to": "places/ward" });
    let path = format!("PUT /api/people/{who}/relations");
    assert_eq!(ask(hub, &path, "", &relation).status, 204, "{who} {role}");
    let issued = format!("POST /api/people/{who}/credentials");
    let issued = ask(hub, &issued, "", &Value::Null);
    text(&issued.json(), "token").to_owned()
}

/// The plan as the place's description has it.
fn plan(hub: &Hub) -> Value {
    ask(hub, "GET /api/places/ward", "", &Value::Null).json()["plan"].clone()
}

fn get(hub: &Hub) -> Answer {
    hub.ask(&format!("GET {PLAN}"), &[], "")
}

fn put(hub: &Hub, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
    hub.send(&format!("PUT {PLAN}"), headers, body.as_ref())
}

#[test]
fn a_picture_is_put_by_those_who_describe_a_place_and_seen_by_those_who_see_it() {
    let hub = hub();
    ward(&hub);
    assert!(plan(&hub)["image"].is_null(), "only the hub names one");
    assert_eq!(get(&hub).status, 404);
    let (name, _) = hub.owner().rsplit_once('.').expect("it has an owner");
    let mut everything = Raw::silent(hub.at("mqtt://"), 5);
    let connack = everything.connect_as("all", (name, hub.owner()), None);
    assert_eq!(connack.body[1], 0, "{connack:?}");
    for own in ["$quartet/plans/#", "$quartet/+/places/ward"] {
        assert_eq!(everything.try_subscribe(own), 0x87, "{own}");
    }
    everything.subscribe("#", 0);
    everything.heard();

    // What it is, its bytes say.
    let picture = png(600 << 10);
    let made = put(&hub, &[("content-type", "text/plain")], &picture);
    assert_eq!(made.status, 201, "{}", made.body);
    let image = plan(&hub)["image"].clone();
    let hash = text(&image, "hash").to_owned();
    let expected = json!({ "hash": hash, "type": "image/png", "width": 640, "height": 480 });
    assert_eq!(image, expected);
    assert_eq!(plan(&hub)["areas"][0]["of"], "things/bed");
    let shown = get(&hub);
    assert!(shown.bytes == picture, "it comes as it was put");
    let etag = format!("\"{hash}\"");
    for (header, value) in [
        ("content-type", "image/png"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "private, no-cache"),
        ("etag", &*etag),
    ] {
        assert_eq!(shown.headers[header], value, "{header}");
    }
    let known = [("if-none-match", &*etag)];
    assert_eq!(hub.ask(&format!("GET {PLAN}"), &known, "").status, 304);

    // Whoever listens hears that there is one, and is not sent it.
    let heard = everything.heard();
    let described = heard.iter().find(|(topic, _)| topic == "places/ward");
    let (_, described) = described.expect("the description is another one");
    assert!(described.contains(&hash), "{described}");
    assert!(heard.iter().all(|(_, payload)| payload.len() < 100 << 10));
    let retained = ask(&hub, "GET /api/retained?search=ward", "", &Value::Null);
    assert!(!retained.body.contains("plans"), "{}", retained.body);

    // A drawing takes its place, if that was seen; nothing that is in it runs.
    let stale = [("if-match", "\"blake3-other\"")];
    assert_eq!(put(&hub, &stale, DRAWING).status, 412);
    assert_eq!(put(&hub, &[("if-match", &etag)], DRAWING).status, 204);
    let shown = get(&hub);
    assert_eq!((shown.status, &*shown.body), (200, DRAWING));
    assert_eq!(shown.headers["content-type"], "image/svg+xml");
    assert_eq!(
        shown.headers["content-security-policy"],
        "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    );
    assert_eq!(plan(&hub)["image"]["width"], 1200);

    // Ana sees the place, Ben one figure of it, Eve nothing, and nobody else comes in.
    let noise = json!({ "rights": [{ "may": ["read"], "on": "properties/noise" }] });
    assert_eq!(ask(&hub, "PUT /api/roles/listener", "", &noise).status, 204);
    let ana = relate(&hub, "ana", "viewer");
    let ben = relate(&hub, "ben", "listener");
    let eve = "POST /api/people/eve/credentials";
    let eve = ask(&hub, eve, "", &Value::Null).json();
    for (who, sees) in [(&*ana, 200), (&*ben, 404), (text(&eve, "token"), 403)] {
        let seen = ask(&hub, &format!("GET {PLAN}"), who, &Value::Null);
        assert_eq!(seen.status, sees, "{}", seen.body);
        for change in ["PUT", "DELETE"] {
            let refused = ask(&hub, &format!("{change} {PLAN}"), who, &Value::Null);
            assert_eq!(refused.status, 403, "{change}: {}", refused.body);
        }
    }
    let nobody = http(hub.at("http://"), &format!("GET {PLAN}"), &[], "");
    assert_eq!(nobody.status, 401);

    assert_eq!(hub.ask(&format!("DELETE {PLAN}"), &[], "").status, 204);
    assert_eq!(hub.ask(&format!("DELETE {PLAN}"), &[], "").status, 404);
    assert_eq!(get(&hub).status, 404);
    assert!(plan(&hub)["image"].is_null() && plan(&hub)["width"] == 12);
    let entries = wait_for("all three in the audit", || {
        let path = "GET /api/audit?what=plan&on=places/ward";
        let told = ask(&hub, path, "", &Value::Null).json();
        let told = told["entries"].as_array().cloned().unwrap_or_default();
        (told.len() == 3).then_some(told)
    });
    assert!(entries.iter().all(|entry| entry["who"] == "people/owner"));
    assert!(entries[0]["value"].is_null(), "{}", entries[0]);
    assert_eq!(entries[2]["value"]["hash"], hash);
}

#[test]
fn what_is_no_picture_is_refused_and_told_what_would_be_right() {
    let hub = hub();
    ward(&hub);
    let picture = png(4096);
    for (body, status, what) in [
        (&b""[..], 415, "what was sent is empty"),
        (b"%PDF-1.7 ...", 415, "a PDF document"),
        (
            b"<html><body>hello</body></html>",
            415,
            "PNG, JPEG, WebP or SVG",
        ),
        (&picture[..4000], 400, "cut off or broken"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 400, "viewBox"),
    ] {
        let answer = put(&hub, &[("content-type", "image/png")], body);
        assert_eq!(answer.status, status, "{}", answer.body);
        let problem = answer.json();
        assert!(text(&problem, "detail").contains(what), "{problem}");
    }
    for other in ["/api/things/lamp/plan", "/api/places/nowhere/plan"] {
        let answer = hub.send(&format!("PUT {other}"), &[], &picture);
        assert_eq!(answer.status, 404, "{other}: {}", answer.body);
    }
    let most = 4 << 20;
    assert_eq!(put(&hub, &[], png(most)).status, 201);
    assert_eq!(put(&hub, &[], png(most + 1)).status, 413);

    // What is longer is sent to the end, so that the answer is read, and kept nowhere. Those who follow the journal
    // have the one that was taken in their hands meanwhile.
    let before = resident_bytes(hub.pid());
    for long in [20_000_000, 60_000_000] {
        let answer = put(&hub, &[], png(long));
        assert_eq!(answer.status, 413);
        let problem = answer.json();
        assert!(
            text(&problem, "detail").contains("4194304 bytes"),
            "{problem}"
        );
    }
    let more = resident_bytes(hub.pid()).saturating_sub(before);
    assert!(more < 32 << 20, "the hub grew by {more} bytes");
    assert!(get(&hub).bytes.len() == most, "what was there is there");
}

#[test]
fn a_picture_survives_a_kill_and_a_restore_and_goes_with_its_place() {
    let mut hub = hub();
    ward(&hub);
    let picture = png(3 << 20);
    assert_eq!(put(&hub, &[], &picture).status, 201);
    hub.die_and_begin_again();
    assert!(get(&hub).bytes == picture, "it was acknowledged");
    let hash = plan(&hub)["image"]["hash"].clone();
    assert!(hash.is_string(), "{}", plan(&hub));

    // Whoever draws on it, or takes what is drawn away, leaves it as it is.
    let amend = |change: &Value| {
        let kind = [("content-type", "application/merge-patch+json")];
        let path = "PATCH /things/urn:quartet:places:ward";
        assert_eq!(hub.ask(path, &kind, &change.to_string()).status, 204);
        plan(&hub)
    };
    let drawn = amend(&json!({ "plan": { "width": 20, "image": null } }));
    assert_eq!(
        (&drawn["width"], &drawn["image"]["hash"]),
        (&json!(20), &hash)
    );
    let bare = amend(&json!({ "plan": null }));
    assert_eq!(
        (&bare["width"], &bare["image"]["hash"]),
        (&Value::Null, &hash)
    );

    let other = TempDir::new().unwrap();
    let backup = other.path().join("backup");
    let run = |what: &str, data: std::path::PathBuf| {
        succeed(quartet().arg(what).arg(&backup).arg("--data").arg(data));
    };
    run("backup", hub.folder().join("data"));
    run("restore", other.path().join("data"));
    let bearer = format!("Bearer {}", hub.owner());
    let restored = Hub::in_folder(other, "open = false\n", &["http://127.0.0.1:0"]);
    let headers = [("authorization", &*bearer)];
    let shown = http(restored.at("http://"), &format!("GET {PLAN}"), &headers, "");
    assert!(shown.status == 200 && shown.bytes == picture);

    let path = "DELETE /things/urn:quartet:places:ward";
    assert_eq!(hub.ask(path, &[], "").status, 204);
    ward(&hub);
    assert!(plan(&hub)["image"].is_null(), "{}", plan(&hub));
    assert_eq!(get(&hub).status, 404);
    hub.die_and_begin_again();
    assert_eq!(get(&hub).status, 404);
}
