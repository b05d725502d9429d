use rustix::process::Signal;
use serde_json::{Value, json};

use super::{LISTENERS, client, command, kept, run, same, token};
use crate::support::{Hub, Program, http, succeed, until, wait_for};

/// A day takes a minute and a quarter, an override six seconds.
const FAST: &str = "1200";

#[track_caller]
fn get(hub: &Hub, path: &str) -> Value {
    let answer = hub.ask(&format!("GET {path}"), &[], "");
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

fn wanted(hub: &Hub) -> Value {
    get(hub, "/api/things/office-hvac/twin")["climate_temperature"]["desired"].clone()
}

/// What is shown of an override; nothing if there was none yet, too.
fn override_of(hub: &Hub) -> Value {
    let path = "GET /api/things/office-hvac/properties/override";
    let answer = hub.ask(path, &[], "");
    match answer.status {
        200 => answer.json(),
        _ => Value::Null,
    }
}

fn runs(hub: &Hub, flow: &str) -> u64 {
    let told = get(hub, &format!("/api/flows/{flow}/explain"));
    told["counts"]["runs"].as_u64().unwrap_or_default()
}

fn end(program: &mut Program) {
    let pid = i32::try_from(program.pid()).expect("it is one");
    let pid = rustix::process::Pid::from_raw(pid).expect("it runs");
    rustix::process::kill_process(pid, Signal::INT).expect("it can be told");
}

#[test]
fn a_wall_switch_lights_its_room_and_the_lights_go_out_behind_the_last_one() {
    let hub = Hub::owned(&LISTENERS);
    let mut lamp = client(&hub, "lamp", hub.owner());
    lamp.subscribe("zigbee2mqtt/office/101/window lamp/set", 0);
    lamp.subscribe("zigbee2mqtt/office/103/lamp/set", 0);
    let mut office = run(&hub, FAST);
    // Ana comes in at eight and presses the switch: nobody else is asked.
    let mut heard = Vec::new();
    until("the lamp to be told", || {
        heard.extend(lamp.heard());
        let on = r#"{"state":"ON"}"#;
        heard
            .iter()
            .any(|(topic, payload)| topic.contains("/101/") && payload == on)
    });
    // So does whoever presses another one.
    let answer = hub.ask(
        "POST /api/publish/zigbee2mqtt/office/103/switch?qos=1",
        &[],
        r#"{"action":"toggle"}"#,
    );
    assert_eq!(answer.status, 202, "{}", answer.body);
    until("the kitchen's lamp to be told", || {
        heard.extend(lamp.heard());
        heard.iter().any(|(topic, _)| topic.contains("/103/"))
    });
    // It reports what it was told, and ten minutes after the last one has left the lamps go out.
    until("the lights to go out", || {
        heard.extend(lamp.heard());
        let off = r#"{"state":"OFF"}"#;
        heard
            .iter()
            .any(|(topic, payload)| topic.contains("/101/") && payload == off)
    });
    let told = get(&hub, "/api/flows/office.lights-out/explain");
    let because = &told["runs"][0]["because"]["topic"];
    assert!(
        because
            .as_str()
            .is_some_and(|topic| topic.ends_with("/events/office.room.empty")),
        "{told}"
    );
    end(&mut office);
    let status = office.ended();
    assert!(status.success(), "{status}: {}", office.err());
    // They said that they are away.
    until("the lamp to be away", || {
        let twin = get(&hub, "/api/things/0xa4c1380001010011/twin");
        twin["connectivity"]["reported"]["value"]["state"] != "online"
    });
}

#[test]
fn rooms_say_how_warm_it_is_to_be_and_a_person_wins_for_two_hours_and_shows_who_and_why() {
    let hub = Hub::owned(&LISTENERS);
    let _office = run(&hub, FAST);
    let ben = token(&hub, "people/office-ben");
    let ana = token(&hub, "people/office-ana");
    let ask = |who: &str, request: &str, body: &str| {
        let bearer = format!("Bearer {who}");
        http(
            hub.at("http://"),
            request,
            &[("authorization", &bearer)],
            body,
        )
    };
    // Somebody comes, and it is colder than is nice: more is asked for than at night.
    until("comfort to ask for warmth", || {
        let wanted = wanted(&hub);
        wanted["by"] == "processes/office.comfort" && wanted["value"].as_f64() > Some(20.0)
    });
    until("the heat pump to do it", || {
        wanted(&hub)["status"] == "confirmed"
    });
    // What rooms say changes what is asked for.
    let first = wanted(&hub)["value"].clone();
    until("another temperature", || {
        let wanted = wanted(&hub);
        wanted["by"] == "processes/office.comfort" && wanted["value"] != first
    });
    // Ana may switch lamps and no heating.
    let set = "PUT /api/things/office-hvac/properties/climate_temperature";
    assert_eq!(ask(&ana, set, "25").status, 403);
    let lamp = "PUT /api/things/0xa4c1380001020011/properties/state";
    assert_eq!(ask(&ana, lamp, "true").status, 204);
    // Ben may.
    let answer = ask(&ben, set, "24.5");
    assert_eq!(answer.status, 204, "{}", answer.body);
    let shown = wait_for("the override", || {
        let shown = override_of(&hub);
        (shown["by"] == "people/office-ben").then_some(shown)
    });
    assert_eq!(
        (&shown["why"], &shown["temperature"]),
        (&"set by hand".into(), &24.5.into())
    );
    // With a reason, and then comfort looks at room after room and leaves it alone.
    let body = r#"{"temperature":23,"why":"visitors from the south"}"#;
    let answer = ask(&ben, "POST /api/things/office-hvac/actions/override", body);
    assert_eq!(answer.status, 201, "{}", answer.body);
    let shown = wait_for("the reason", || {
        let shown = override_of(&hub);
        (shown["why"] == "visitors from the south").then_some(shown)
    });
    assert_eq!(shown["by"], "people/office-ben", "{shown}");
    assert!(shown["until"].is_string(), "{shown}");
    until("what was asked for", || wanted(&hub)["value"] == 23);
    let before = runs(&hub, "office.comfort");
    until("comfort to look", || {
        before + 10 < runs(&hub, "office.comfort")
    });
    let now = override_of(&hub);
    if now["why"] == "visitors from the south" {
        assert_eq!(wanted(&hub)["value"], 23, "the person wins");
    } else {
        panic!(
            "it was over within {} runs: {now}",
            runs(&hub, "office.comfort") - before
        );
    }
    // Two hours later, six seconds here, it is over by itself.
    until("the end of the override", || override_of(&hub).is_null());
    until("comfort to decide again", || {
        wanted(&hub)["by"] == "processes/office.comfort"
    });
    // Or at once, if a person lets it go.
    assert_eq!(ask(&ben, set, "15").status, 204);
    until("one more override", || {
        override_of(&hub)["temperature"] == 15
    });
    let answer = ask(&ben, "POST /api/things/office-hvac/actions/resume", "");
    assert_eq!(answer.status, 201, "{}", answer.body);
    until("its end", || override_of(&hub).is_null());
}

#[test]
fn it_goes_on_when_the_hub_is_killed_in_the_middle() {
    let mut hub = Hub::owned(&LISTENERS);
    hub.stays();
    let _office = run(&hub, "120");
    until("comfort to look", || 3 < runs(&hub, "office.comfort"));
    let ask = "POST /api/things/office-hvac/actions/override";
    let answer = hub.ask(ask, &[], r#"{"temperature":23,"why":"guests"}"#);
    assert_eq!(answer.status, 201, "{}", answer.body);
    let shown = wait_for("the override", || {
        let shown = override_of(&hub);
        (shown["why"] == "guests").then_some(shown)
    });
    // Whatever else is asked for in the same moment, what the person set is asked for again.
    let flow = "document: { dsl: '1.0.3', namespace: test, name: late, version: '1.0.0', metadata: { run: fast, grants: [{ role: operator, on: places/hub }] } }\n\
         schedule: { on: { one: { with: { type: quartet.message, topic: test/late } } } }\n\
         do: [{ ask: { call: write, with: { thing: office-hvac, property: climate_temperature, value: 18 } } }]\n";
    let late = hub.ask("POST /api/flows", &[], flow);
    assert_eq!(late.status, 201, "{}", late.body);
    let said = hub.ask("POST /api/publish/test/late?qos=1", &[], "1");
    assert_eq!(said.status, 202, "{}", said.body);
    until("the late one to ask", || runs(&hub, "test.late") == 1);
    until("comfort to hold what was set", || {
        let wanted = wanted(&hub);
        wanted["by"] == "processes/office.comfort" && wanted["value"] == 23
    });
    for _ in 0..3 {
        hub.die_and_begin_again();
        // Counted anew: rooms report again over connections that were made again.
        until("comfort to look again", || 3 < runs(&hub, "office.comfort"));
        assert_eq!(override_of(&hub), shown, "a minute is not over");
        until("what was asked for", || wanted(&hub)["value"] == 23);
        let press = "POST /api/publish/zigbee2mqtt/office/103/switch?qos=1";
        let lamp = "/api/things/0xa4c1380001030011/properties/state";
        let was = get(&hub, lamp);
        hub.ask(press, &[], r#"{"action":"toggle"}"#);
        until("the lamp to follow its switch", || get(&hub, lamp) != was);
    }
}

#[test]
fn the_cleaner_sees_switches_and_never_a_figure_of_energy() {
    let hub = Hub::owned(&LISTENERS);
    let mut owner = client(&hub, "owner", hub.owner());
    owner.subscribe("office/meter", 0);
    owner.subscribe("things/office-hvac/properties/power", 0);
    let _office = run(&hub, FAST);
    let cleo = token(&hub, "people/office-cleo");
    let mut cleaner = client(&hub, "cleaner", &cleo);
    assert_eq!(cleaner.try_subscribe("#"), 0);
    let (mut heard, mut seen) = (Vec::new(), Vec::new());
    // Until figures were said, and after that a switch was pressed that she sees.
    until("figures, and then a switch", || {
        heard.extend(cleaner.heard());
        seen.extend(owner.heard());
        let figures = seen.iter().filter(|(topic, _)| topic == "office/meter");
        let powers = seen.iter().filter(|(topic, _)| topic.ends_with("/power"));
        if figures.count() < 5 || powers.count() < 1 {
            return false;
        }
        let press = "POST /api/publish/zigbee2mqtt/office/103/switch?qos=1";
        hub.ask(press, &[], r#"{"action":"toggle"}"#);
        heard
            .iter()
            .any(|(topic, _)| topic == "things/0xa4c1380001030051/events/action")
    });
    heard.extend(cleaner.heard());
    let forbidden = [
        "energy",
        "power",
        "office/meter",
        "office-meter",
        "office/hvac",
        "/W",
        "kW",
    ];
    for (topic, payload) in &heard {
        for word in forbidden {
            assert!(
                !topic.contains(word) && !payload.contains(word),
                "{word}: {topic} {payload}"
            );
        }
    }
    // What she may subscribe to by name, nothing of it comes.
    let filters = [
        "office/meter",
        "things/office-meter/#",
        "things/office-hvac/properties/power",
    ];
    let mut named = filters.map(|filter| {
        let mut named = client(&hub, filter, &cleo);
        named.try_subscribe(filter);
        named
    });
    until("more figures", || {
        seen.extend(owner.heard());
        10 < seen
            .iter()
            .filter(|(topic, _)| topic == "office/meter")
            .count()
    });
    for named in &mut named {
        assert_eq!(named.heard(), [], "nothing of it comes");
    }
    let bearer = format!("Bearer {cleo}");
    let ask = |path: &str| {
        let headers = [("authorization", &*bearer)];
        http(hub.at("http://"), &format!("GET {path}"), &headers, "")
    };
    for path in [
        "/api/things/office-meter",
        "/api/things/office-meter/twin",
        "/api/things/office-meter/properties/energy",
        "/api/things/office-meter/history",
        "/api/things/office-hvac/properties/power",
        "/api/things/office-hvac/twin",
        "/api/processes/scenario-office/properties/energy",
        "/api/elements/export",
        "/things",
        "/api/subscribe?filter=office/meter",
        "/api/retained",
    ] {
        if path.starts_with("/api/subscribe") {
            continue; // It never ends; the same is looked at over MQTT.
        }
        let answer = ask(path);
        let has_figure = answer.status == 200
            && ["\"energy\":", "\"power\":", "kW"]
                .iter()
                .any(|word| answer.body.contains(word));
        assert!(!has_figure, "{path}: {} {}", answer.status, answer.body);
    }
    // What is noticed of rooms is for whoever may hear of it.
    let noticed = "/api/things/0xa4c1380001030071/signals";
    until("the kitchen to be known as empty", || {
        let empty = json!({ "name": "office.room.empty", "title": "Nobody was in the room for a while", "on": true });
        get(&hub, noticed)["signals"] == json!([empty])
    });
    assert_eq!(ask(noticed).json(), json!({ "signals": [] }));
    // Switches and lamps are hers to see.
    let lamp = ask("/api/things/0xa4c1380001030011/properties/state");
    assert_eq!(lamp.status, 200, "{}", lamp.body);
}

#[test]
fn it_is_put_in_twice_alike_and_taken_out_without_a_trace() {
    let hub = Hub::owned(&LISTENERS);
    // What is there already stays.
    let answer = hub.ask("POST /api/publish/cellar/t?retain=true&qos=1", &[], "7");
    assert_eq!(answer.status, 202, "{}", answer.body);
    let before = kept(&hub);
    let mut office = run(&hub, FAST);
    until("something to happen", || {
        5 < runs(&hub, "office.comfort") && 0 < runs(&hub, "office.wall-switch")
    });
    end(&mut office);
    assert!(office.ended().success(), "{}", office.err());
    let names = |hub: &Hub| {
        let all = get(hub, "/api/elements?limit=1000");
        let all = all["elements"].as_array().cloned().unwrap_or_default();
        let names = all.iter().map(|one| one["address"].to_string());
        names.collect::<Vec<_>>()
    };
    let first = wait_for("the lists to follow", || {
        let names = names(&hub);
        (names.len() == 31).then_some(names)
    });
    let mut office = run(&hub, FAST);
    assert_eq!(names(&hub), first);
    let flows = get(&hub, "/api/flows")["flows"].as_array().map(Vec::len);
    assert_eq!(flows, Some(6));
    // Taken out while it runs: the simulation cannot go on.
    let said = succeed(&mut command(&hub, &["scenario", "remove", "office"]));
    assert!(said[0].starts_with("office is gone: "), "{said:?}");
    let status = office.ended();
    assert!(!status.success(), "{:?}", office.out());
    assert!(office.err().contains("cannot come in"), "{}", office.err());
    same(&before, &kept(&hub));
    let mut again = Program::start(&mut command(&hub, &["scenario", "remove", "office"]));
    assert!(!again.ended().success());
    assert!(
        again.err().contains("is not in this hub"),
        "{}",
        again.err()
    );
}

#[test]
fn the_hub_runs_it_itself_for_whoever_looks_after_it() {
    let hub = Hub::owned(&LISTENERS);
    let before = kept(&hub);
    let listed = || get(&hub, "/api/scenarios")["scenarios"][0].clone();
    let office = listed();
    assert_eq!(
        (&office["name"], &office["isThere"], &office["isRunning"]),
        (&"office".into(), &false.into(), &false.into())
    );
    let answer = hub.ask("POST /api/scenarios/office", &[], r#"{"speed": 1200}"#);
    assert_eq!(answer.status, 201, "{}", answer.body);
    let answer = answer.json();
    assert_eq!(answer["invited"][0]["title"], "Ana", "{answer}");
    let link = answer["invited"][0]["link"].as_str().unwrap_or_default();
    let at = format!("http://{}/start#", hub.at("http://"));
    assert!(link.starts_with(&at), "{link}");
    let office = listed();
    assert_eq!(
        (&office["isThere"], &office["isRunning"]),
        (&true.into(), &true.into()),
        "{office}"
    );
    until("somebody to press a switch", || {
        0 < runs(&hub, "office.wall-switch")
    });
    // What nobody can be asked for is said.
    for (request, body, status) in [
        ("POST /api/scenarios/ofice", "", 404),
        ("POST /api/scenarios/office", r#"{"speed": 0}"#, 400),
        ("POST /api/scenarios/office", r#"{"sped": 2}"#, 400),
        (
            "POST /api/scenarios/office",
            r#"{"set": {"overide": "PT1H"}}"#,
            400,
        ),
    ] {
        let answer = hub.ask(request, &[], body);
        assert_eq!(answer.status, status, "{request} {body}: {}", answer.body);
    }
    let nobody = http(hub.at("http://"), "POST /api/scenarios/office", &[], "");
    assert_eq!(nobody.status, 401, "{}", nobody.body);
    let ana = token(&hub, "people/office-ana");
    let headers = [("authorization", &*format!("Bearer {ana}"))];
    let ana = http(
        hub.at("http://"),
        "DELETE /api/scenarios/office",
        &headers,
        "",
    );
    assert_eq!(ana.status, 403, "{}", ana.body);
    let gone = hub.ask("DELETE /api/scenarios/office", &[], "");
    assert_eq!(gone.status, 204, "{}", gone.body);
    assert_eq!(listed()["isThere"], false);
    same(&before, &kept(&hub));
    let again = hub.ask("DELETE /api/scenarios/office", &[], "");
    assert_eq!(again.status, 404, "{}", again.body);
}
