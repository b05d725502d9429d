//! Who is in which place, by what elements say of their positions.

use super::*;

const WARD: &str = "places/ward";
const PUMP: &str = "things/pump/properties/position";

/// A place with a fence.
fn place(fence: &Value) -> Value {
    json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "title": "A place",
        "securityDefinitions": { "none": { "scheme": "nosec" } },
        "security": "none",
        "quartet:fence": fence,
    })
}

fn tracked() -> Value {
    let forms = json!([{ "href": "coap://pump.example/" }]);
    let mut pump = lamp();
    pump["properties"]["position"] = json!({ "type": "object", "forms": forms });
    pump
}

/// 100 m around a point in Berlin.
fn ward() -> Value {
    json!({ "type": "Point", "coordinates": [13.4, 52.5], "radius": 100 })
}

/// So many metres north of it.
fn north(metres: f64) -> String {
    json!({ "latitude": 52.5 + metres / 111_195.0, "longitude": 13.4 }).to_string()
}

/// A site with a ward and a pump, and somebody who installed both.
fn with_ward(site: &Site) -> Client {
    let installer = site.connected(connect("installer"));
    describe(&installer, WARD, &place(&ward()));
    describe(&installer, "things/pump", &tracked());
    installer
}

fn describe(installer: &Client, key: &str, description: &Value) {
    installer.send(publish_at(Q1, 1, key, &description.to_string()));
    installer.messages();
}

fn report(client: &Client, topic: &str, payload: &str) {
    client.send(publish_at(Q1, 9, topic, payload));
    client.messages();
}

/// Somebody who hears who comes and goes.
fn watcher(site: &Site) -> Client {
    let watcher = site.connected(connect("watcher"));
    watcher.follow("places/+/events/+", Q1);
    watcher
}

/// What was said of that since it was last asked: who entered or left what.
fn news(watcher: &Client) -> Vec<String> {
    let messages = watcher.messages();
    let say = |message: &Publish| {
        let place = message.topic.split('/').nth(1).unwrap_or_default();
        let what = message.topic.rsplit('/').next().unwrap_or_default();
        let said = json(&text(message));
        let who = said["element"].as_str().unwrap_or_default();
        format!("{who} {what} {place}")
    };
    let mut news: Vec<String> = messages.iter().map(say).collect();
    news.sort();
    news
}

fn names(said: &Value, member: &str) -> Vec<String> {
    let all = said.as_array().into_iter().flatten();
    all.map(|one| one[member].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn occupants(site: &Site, place: &str) -> Vec<String> {
    names(
        &at(site, &format!("{place}/properties/occupants")),
        "element",
    )
}

fn inside(site: &Site, key: &str) -> Vec<String> {
    names(&at(site, &format!("{key}/properties/inside")), "place")
}

#[test]
fn a_place_says_who_came_in_and_who_went_out() {
    quartet_sim::on_every_site(|site| {
        with_ward(site);
        assert_eq!(at(site, "places/ward/properties/occupants"), json!([]));
        let watcher = watcher(site);
        let pump = site.connected(connect("pump"));
        report(&pump, PUMP, &north(150.0));
        assert_eq!(news(&watcher), [""; 0]);
        report(&pump, PUMP, &north(50.0));
        assert_eq!(news(&watcher), ["things/pump entered ward"]);
        assert_eq!(occupants(site, WARD), ["things/pump"]);
        assert_eq!(inside(site, "things/pump"), [WARD]);
        report(&pump, PUMP, &north(60.0));
        assert_eq!(news(&watcher), [""; 0]);
        report(&pump, PUMP, &north(150.0));
        assert_eq!(news(&watcher), ["things/pump left ward"]);
        assert_eq!(occupants(site, WARD), [""; 0]);
        assert_eq!(inside(site, "things/pump"), [""; 0]);
    });
}

#[test]
fn who_stands_on_the_line_comes_in_once() {
    quartet_sim::on_every_site(|site| {
        with_ward(site);
        let watcher = watcher(site);
        let pump = site.connected(connect("pump"));
        for n in 0..20 {
            report(&pump, PUMP, &north(if n % 2 == 0 { 98.0 } else { 103.0 }));
        }
        assert_eq!(news(&watcher), ["things/pump entered ward"]);
    });
}

#[test]
fn a_new_fence_finds_who_is_there_and_a_moved_one_who_is_not_any_more() {
    quartet_sim::on_every_site(|site| {
        let installer = site.connected(connect("installer"));
        for n in 0..300 {
            describe(&installer, &format!("things/t{n}"), &lamp());
        }
        describe(&installer, "things/pump", &tracked());
        let watcher = watcher(site);
        report(&installer, PUMP, &north(0.0));
        assert_eq!(news(&watcher), [""; 0]);
        describe(&installer, WARD, &place(&ward()));
        site.pass(seconds(1));
        assert_eq!(news(&watcher), ["things/pump entered ward"]);
        let mut elsewhere = ward();
        elsewhere["coordinates"] = json!([13.5, 52.5]);
        describe(&installer, WARD, &place(&elsewhere));
        site.pass(seconds(1));
        assert_eq!(news(&watcher), ["things/pump left ward"]);
        describe(&installer, WARD, &place(&ward()));
        site.pass(seconds(1));
        assert_eq!(news(&watcher), ["things/pump entered ward"]);
        let mut open = place(&ward());
        open.as_object_mut().unwrap().remove("quartet:fence");
        describe(&installer, WARD, &open);
        site.pass(seconds(1));
        assert_eq!(news(&watcher), ["things/pump left ward"]);
        assert_eq!(at(site, "places/ward/properties/occupants"), Value::Null);
    });
}

#[test]
fn who_is_no_more_is_nowhere_and_a_place_that_is_no_more_holds_nobody() {
    quartet_sim::on_every_site(|site| {
        let installer = with_ward(site);
        let watcher = watcher(site);
        report(&installer, PUMP, &north(0.0));
        installer.send(publish_at(Q1, 1, "things/pump", ""));
        installer.messages();
        assert_eq!(
            news(&watcher),
            ["things/pump entered ward", "things/pump left ward"]
        );
        assert_eq!(occupants(site, WARD), [""; 0]);
        describe(&installer, "things/pump", &tracked());
        report(&installer, PUMP, &north(0.0));
        installer.send(publish_at(Q1, 1, WARD, ""));
        installer.messages();
        describe(&installer, WARD, &place(&ward()));
        site.pass(seconds(1));
        assert_eq!(occupants(site, WARD), ["things/pump"]);
        report(&installer, PUMP, "");
        assert_eq!(occupants(site, WARD), [""; 0]);
    });
}

#[test]
fn a_room_lies_in_the_frame_of_its_hall() {
    quartet_sim::on_every_site(|site| {
        let installer = site.connected(connect("installer"));
        let room = json!({ "frame": "places/hall", "bbox": [0, 0, 0, 4, 5, 3] });
        let upstairs = json!({ "frame": "urn:quartet:places:hall", "bbox": [0, 0, 3, 4, 5, 6] });
        describe(&installer, "places/room", &place(&room));
        describe(&installer, "places/upstairs", &place(&upstairs));
        let mut tag = tracked();
        tag["quartet:frame"] = json!("urn:quartet:places:hall");
        describe(&installer, "things/tag", &tag);
        let watcher = watcher(site);
        let position = "things/tag/properties/position";
        report(&installer, position, r#"{"x":1,"y":2,"z":1.1}"#);
        assert_eq!(news(&watcher), ["things/tag entered room"]);
        report(&installer, position, r#"{"x":1,"y":2,"z":4.1}"#);
        assert_eq!(
            news(&watcher),
            ["things/tag entered upstairs", "things/tag left room"]
        );
        report(
            &installer,
            position,
            r#"{"x":1,"y":2,"z":4.1,"frame":"places/yard"}"#,
        );
        assert_eq!(
            inside(site, "things/tag"),
            ["places/upstairs"],
            "it does not tell"
        );
    });
}

#[test]
fn a_position_may_have_another_name() {
    quartet_sim::on_every_site(|site| {
        let installer = with_ward(site);
        let mut van = lamp();
        let forms = json!([{ "href": "coap://van.example/" }]);
        van["properties"]["gps"] = json!({ "@type": "iot:Position", "forms": forms });
        describe(&installer, "things/van", &van);
        let watcher = watcher(site);
        report(&installer, "things/van/properties/gps", &north(10.0));
        assert_eq!(news(&watcher), ["things/van entered ward"]);
        assert!(at(site, "things/van/properties/position")["latitude"].is_number());
    });
}

#[test]
fn who_is_in_a_place_is_the_hubs_to_say() {
    quartet_sim::on_every_site(|site| {
        let installer = with_ward(site);
        report(&installer, PUMP, &north(0.0));
        let watcher = watcher(site);
        report(&installer, "places/ward/properties/occupants", "[]");
        report(
            &installer,
            "places/ward/events/left",
            r#"{"element":"things/pump"}"#,
        );
        report(&installer, "things/pump/properties/inside", "[]");
        let heard = watcher.messages();
        assert!(
            heard
                .iter()
                .all(|message| message.topic.ends_with("/refused")),
            "{heard:?}"
        );
        assert_eq!(occupants(site, WARD), ["things/pump"]);
        assert_eq!(inside(site, "things/pump"), [WARD]);
    });
}

#[test]
fn a_fence_that_cannot_be_is_refused() {
    quartet_sim::on_every_site(|site| {
        let installer = site.connected(connect("installer"));
        installer.follow("places/+/events/refused", Q1);
        let wrong =
            json!({ "type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 95], [0, 0]]] });
        installer.send(publish_at(Q1, 1, WARD, &place(&wrong).to_string()));
        let refused = installer.messages();
        let problem = &json(&text(&refused[0]))["problems"][0];
        assert_eq!(problem["field"], "quartet:fence.coordinates.0.2");
        assert_eq!(at(site, WARD), Value::Null);
    });
}

#[test]
fn what_is_known_of_places_survives_and_is_not_said_twice() {
    quartet_sim::on_every_site(|site| {
        with_ward(site);
        let pump = site.connected(connect("pump"));
        report(&pump, PUMP, &north(150.0));
        report(&pump, PUMP, &north(50.0));
        for lanes in [2, 3, 1] {
            site.crash(lanes);
            let watcher = watcher(site);
            site.pass(seconds(2));
            assert_eq!(news(&watcher), [""; 0]);
            assert_eq!(occupants(site, WARD), ["things/pump"]);
            let pump = site.connected(connect("pump"));
            report(&pump, PUMP, &north(150.0));
            assert_eq!(news(&watcher), ["things/pump left ward"]);
            report(&pump, PUMP, &north(50.0));
            assert_eq!(news(&watcher), ["things/pump entered ward"]);
        }
    });
}

/// What is followed again after a death is older than what is known.
#[test]
fn what_was_said_before_somebody_came_in_does_not_take_them_out_again() {
    quartet_sim::on_every_site(|site| {
        with_ward(site);
        let pump = site.connected(connect("pump"));
        report(&pump, PUMP, &north(200.0));
        for (id, metres) in [(1, 150.0), (2, 140.0), (3, 0.0)] {
            pump.send(publish_at(Q1, id, PUMP, &north(metres)));
        }
        site.settle();
        site.crash(2);
        let watcher = watcher(site);
        site.pass(seconds(1));
        assert_eq!(news(&watcher), [""; 0]);
        assert_eq!(occupants(site, WARD), ["things/pump"]);
    });
}

/// Whenever the hub dies, each that came in is said once, each that went out once, and both lists say the
/// same.
#[test]
fn who_came_and_went_is_said_once_whenever_the_hub_dies() {
    for seed in 0..4 {
        for steps in 0..60 {
            let site = Site::new(3, seed);
            with_ward(&site);
            let log = site.connected(lasting("log"));
            log.follow("places/+/events/+", Q1);
            let pump = site.connected(connect("pump"));
            report(&pump, PUMP, &north(200.0));
            report(&pump, PUMP, &north(0.0));
            report(&pump, PUMP, &north(150.0));
            log.lose();
            let story = format!("seed {seed}, {steps} steps");
            for (id, metres) in [(1, 10.0), (2, 20.0), (3, 130.0), (4, 30.0)] {
                pump.send(publish_at(Q1, id, PUMP, &north(metres)));
            }
            site.run(steps);
            site.crash(2);
            site.pass(seconds(1));
            // It comes back, and says where it is.
            let pump = site.connected(connect("pump"));
            report(&pump, PUMP, &north(30.0));
            site.crash(3);
            site.pass(seconds(1));
            let log = site.client();
            log.send(lasting("log"));
            let heard: Vec<String> = log
                .messages()
                .iter()
                .map(|message| message.topic.rsplit('/').next().unwrap().to_owned())
                .collect();
            let expected = ["entered", "left", "entered", "left", "entered"];
            let is_story = heard.len() % 2 == 1 && heard == expected[..heard.len().min(5)];
            assert!(is_story, "{story}: {heard:?}");
            assert_eq!(occupants(&site, WARD), ["things/pump"], "{story}");
            assert_eq!(inside(&site, "things/pump"), [WARD], "{story}");
            site.assert_sound();
        }
    }
}

/// Many things that move about, on several lanes: at the end both lists say who is where.
#[test]
fn both_lists_agree_after_much_moving_about_and_a_few_deaths() {
    for seed in 0..6 {
        let site = Site::new(3, seed);
        let installer = site.connected(connect("installer"));
        let mut chance = quartet_sim::Chance::new(seed);
        let circle = |x: usize, radius: usize| json!({ "frame": "places/hall", "type": "Point", "coordinates": [x, 0], "radius": radius });
        for n in 0..8 {
            let fence = circle(n * 10, 8);
            describe(&installer, &format!("places/p{n}"), &place(&fence));
        }
        let mut at_x = [0; 6];
        for thing in 0..at_x.len() {
            describe(&installer, &format!("things/t{thing}"), &tracked());
        }
        for round in 0..60 {
            let thing = chance.below(at_x.len());
            at_x[thing] = chance.below(90);
            let said = json!({ "x": at_x[thing], "y": 0, "frame": "places/hall" });
            let client = site.connected(connect("mover"));
            let topic = format!("things/t{thing}/properties/position");
            client.send(publish_at(Q1, 1, &topic, &said.to_string()));
            if round % 10 == 9 {
                site.settle();
                site.run(chance.below(30));
                site.crash(1 + chance.below(3));
            }
            site.settle();
        }
        site.pass(seconds(1));
        for (thing, &x) in at_x.iter().enumerate() {
            let expected: Vec<String> = (0..8_usize)
                .filter(|n| (n * 10).abs_diff(x) <= 8)
                .map(|n| format!("places/p{n}"))
                .collect();
            let key = format!("things/t{thing}");
            assert_eq!(inside(&site, &key), expected, "seed {seed}, {key} at {x}");
            for n in 0..8 {
                let place = format!("places/p{n}");
                let is_listed = occupants(&site, &place).contains(&key);
                assert_eq!(
                    is_listed,
                    expected.contains(&place),
                    "seed {seed}: {key}, {place}"
                );
            }
        }
    }
}
