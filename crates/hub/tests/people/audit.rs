//! The audit: who came in, who may, who acted, who was refused; and that none of it can be altered.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use rustix::process::Signal;
use tempfile::TempDir;

use super::*;

const LISTENERS: [&str; 2] = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];

/// What the audit has, the last first.
fn entries(hub: &Hub, query: &str) -> Vec<Value> {
    let answer = ask(hub, &format!("GET /api/audit?{query}"), "", &Value::Null);
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    answer.json()["entries"].as_array().unwrap().clone()
}

/// Waits for an entry, as it is written a moment later.
#[track_caller]
fn told(hub: &Hub, query: &str) -> Value {
    wait_for(query, || entries(hub, query).into_iter().next())
}

/// All lines, as they are exported.
fn exported(hub: &Hub) -> String {
    let answer = ask(hub, "GET /api/audit/export", "", &Value::Null);
    assert_eq!(answer.status, 200);
    answer.body
}

/// `quartet audit` with what comes in.
fn audit(arguments: &[&str], lines: &str) -> (bool, String) {
    let mut command = quartet();
    command.arg("audit").args(arguments);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = command.spawn().unwrap();
    let mut input = program.stdin.take().unwrap();
    // It may have seen enough before all is written.
    let _ = input.write_all(lines.as_bytes());
    drop(input);
    let output = program.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.success(), said)
}

fn relate(hub: &Hub, path: &str, relation: &str, to: &str) {
    let body = json!({ "relation": relation, "to": to });
    let answer = ask(hub, &format!("PUT /api/{path}/relations"), "", &body);
    assert_eq!(answer.status, 204, "{}", answer.body);
}

/// Eve has a credential and no relation to the lamp.
fn eve(hub: &Hub) -> Value {
    let path = "POST /api/people/eve/credentials";
    let answer = ask(hub, path, "", &json!({ "name": "phone" }));
    answer.json()
}

#[test]
fn grants_acts_sign_ins_and_refusals_are_told_with_who_and_why() {
    let hub = Hub::owned(&LISTENERS);
    let eve = eve(&hub);
    relate(&hub, "things/lamp", "in", "places/hall");
    relate(&hub, "people/eve", "viewer", "places/hall");
    let gone = "DELETE /api/people/eve/relations?relation=viewer&to=places/hall";
    assert_eq!(ask(&hub, gone, "", &Value::Null).status, 204);

    let signed_in = told(&hub, "what=signed-in&who=people/owner");
    assert_eq!(signed_in["value"]["by"], "password");
    let admitted = told(&hub, "what=admitted&on=people/eve");
    assert_eq!(
        (text(&admitted, "who"), text(&admitted["value"], "name")),
        ("people/owner", "phone")
    );
    let granted = told(&hub, "what=granted&about=places/hall&on=people/eve");
    assert_eq!(granted["value"][0]["relation"], "viewer");
    let taken = told(&hub, "what=taken&on=people/eve");
    assert_eq!(
        (text(&taken, "who"), text(&taken["value"][0], "to")),
        ("people/owner", "places/hall")
    );

    // Over HTTP, with a right and with a wrong token; and without any.
    let token = text(&eve, "token");
    let write = "PUT /api/things/lamp/properties/on";
    assert_eq!(ask(&hub, write, token, &json!(true)).status, 403);
    let refused = told(&hub, "what=refused&who=people/eve&on=things/lamp");
    assert_eq!(
        (text(&refused, "deed"), text(&refused, "door")),
        ("write", "http")
    );
    assert_eq!(text(&refused, "from"), "127.0.0.1");
    assert!(
        text(&refused, "why").contains("people/eve may not write"),
        "{refused}"
    );
    assert_eq!(
        ask(&hub, write, "people/eve.guess", &json!(true)).status,
        401
    );
    let wrong = told(&hub, "what=not-let-in&who=people/eve");
    assert!(text(&wrong, "why").contains("wrong"), "{wrong}");
    let nobody = http(hub.at("http://"), write, &[], "true");
    assert_eq!(nobody.status, 401);
    told(&hub, "what=not-let-in&on=things/lamp");
    let came = told(&hub, "what=came-in&who=people/eve");
    assert_eq!(
        (text(&came, "door"), &came["value"]["credential"]),
        ("http", &eve["id"])
    );

    // A password that is wrong.
    let body = json!({ "user": "owner", "password": "guess" }).to_string();
    let kind = [("content-type", "application/json")];
    let answer = http(hub.at("http://"), "POST /api/session", &kind, &body);
    assert_eq!(answer.status, 401);
    let wrong = told(&hub, "what=not-let-in&who=owner");
    assert!(!wrong.to_string().contains("guess"));

    // Over MQTT.
    let say = [
        "-t",
        "things/lamp/properties/on/write",
        "-m",
        "true",
        "-q",
        "1",
    ];
    let _ = mosquitto("mosquitto_pub", &hub, &eve, &say).output();
    wait_for("a refusal over MQTT", || {
        let refused = entries(&hub, "what=refused&on=things/lamp/properties/on/write");
        let mut refused = refused.iter();
        refused
            .any(|entry| text(entry, "door") == "mqtt")
            .then_some(())
    });
    told(&hub, "what=came-in&who=people/eve");

    // What is done, and by whom.
    let described = r#"{"@context": "https://www.w3.org/2022/wot/td/v1.1", "title": "Lamp",
        "id": "urn:quartet:things:lamp", "security": "none",
        "securityDefinitions": { "none": { "scheme": "nosec" } },
        "properties": { "on": { "type": "boolean", "forms": [{ "href": "coap://l/on" }] } },
        "actions": { "fade": { "forms": [{ "href": "coap://l/fade" }] } }}"#;
    let kind = [("content-type", "application/td+json")];
    hub.ask("PUT /things/urn:quartet:things:lamp", &kind, described);
    assert_eq!(ask(&hub, write, "", &json!(true)).status, 204);
    let wanted = told(&hub, "what=wanted&on=things/lamp");
    assert_eq!(
        (text(&wanted, "on"), &wanted["value"]),
        ("things/lamp/properties/on", &json!(true))
    );
    assert_eq!(text(&wanted, "who"), "people/owner");
    let fade = "POST /api/things/lamp/actions/fade";
    assert_eq!(ask(&hub, fade, "", &json!(3)).status, 201);
    assert_eq!(told(&hub, "what=asked")["value"], 3);

    // It is for those who look after the hub.
    for path in ["/api/audit", "/api/audit/export"] {
        let answer = ask(&hub, &format!("GET {path}"), token, &Value::Null);
        assert_eq!(answer.status, 403, "{path}");
    }
    let bad = ask(&hub, "GET /api/audit?what=nonsense", "", &Value::Null);
    assert!(
        bad.status == 400 && bad.body.contains("signed-in"),
        "{}",
        bad.body
    );

    // Page by page, and as a table.
    let first = ask(&hub, "GET /api/audit?limit=2", "", &Value::Null).json();
    let (two, next) = (&first["entries"], &first["next"]);
    let second = ask(
        &hub,
        &format!("GET /api/audit?limit=2&before={next}"),
        "",
        &Value::Null,
    )
    .json();
    assert_eq!(
        two[1]["n"].as_u64().unwrap(),
        second["entries"][0]["n"].as_u64().unwrap() + 1
    );
    let table = ask(&hub, "GET /api/audit/export?format=csv", "", &Value::Null).body;
    assert!(
        table.starts_with("n,at,what,who,on") && table.contains(",granted,people/owner,"),
        "{table}"
    );
    let bearer = format!("Bearer {}", hub.owner());
    let headers = [("authorization", &*bearer)];
    let mut heads = Events::open(
        hub.at("http://"),
        "/api/subscribe?filter=$SYS/audit",
        &headers,
    );
    let head = heads.next().data["data"].clone();
    assert!(
        head["n"].is_u64() && text(&head, "hash").len() == 64,
        "{head}"
    );
}

#[test]
fn an_export_shows_whether_a_line_was_altered() {
    let hub = Hub::owned(&LISTENERS);
    relate(&hub, "people/eve", "viewer", "places/hall");
    told(&hub, "what=granted&on=people/eve");
    let lines = exported(&hub);
    let (is_right, said) = audit(&["verify", "-"], &lines);
    assert!(is_right && said.contains("Entries 1 to"), "{said}");
    let seen = said.lines().last().unwrap().rsplit(' ').next().unwrap();

    let altered = lines.replace("people/eve", "people/bob");
    let (is_right, said) = audit(&["verify", "-"], &altered);
    assert!(
        !is_right && said.contains("one of the two was altered"),
        "{said}"
    );
    let less: Vec<&str> = lines
        .lines()
        .enumerate()
        .filter(|(n, _)| *n != 1)
        .map(|(_, line)| line)
        .collect();
    let (is_right, said) = audit(&["verify", "-"], &less.join("\n"));
    assert!(
        !is_right && said.contains("entry 2 must come here"),
        "{said}"
    );
    // The last line, or a whole other record: who has seen the hash knows.
    let cut = &lines.trim_end()[..lines.trim_end().rfind('\n').unwrap()];
    assert!(audit(&["verify", "-"], cut).0);
    let (is_right, said) = audit(&["verify", "-", "--seen", seen], cut);
    assert!(!is_right && said.contains("lines were cut off"), "{said}");
    assert!(audit(&["verify", "-", "--seen", seen], &lines).0);
    let (is_right, said) = audit(&["verify", "-", "--seen", "1:abc"], &lines);
    assert!(!is_right && said.contains("must be like 4711:"), "{said}");
}

#[test]
fn a_hub_that_dies_goes_on_with_its_audit_and_tells_nothing_twice() {
    let mut hub = Hub::owned(&LISTENERS);
    for n in 0..20 {
        relate(&hub, &format!("people/p{n}"), "viewer", "places/hall");
    }
    // It was granted, so it will be told.
    hub.die_and_begin_again();
    wait_for("all grants", || {
        let count = entries(&hub, "what=granted&about=places/hall&limit=1000").len();
        assert!(count <= 20, "something is told twice");
        (count == 20).then_some(())
    });
    let before = exported(&hub);
    hub.die_and_begin_again();
    relate(&hub, "people/p20", "viewer", "places/hall");
    told(&hub, "what=granted&on=people/p20");
    let after = exported(&hub);
    assert!(after.starts_with(before.trim_end()), "nothing is altered");
    assert_eq!(entries(&hub, "what=begun&limit=10").len(), 1);
    assert!(audit(&["verify", "-"], &after).0);
}

#[test]
fn it_is_in_each_backup_and_in_what_is_restored() {
    for is_encrypted in [false, true] {
        let secrets = TempDir::new().unwrap();
        let key = secrets.path().join("journal.key");
        fs::write(&key, [9; 32]).unwrap();
        let toml = match is_encrypted {
            true => format!("open = false\n[journal]\nkey = {:?}\n", key.display()),
            false => "open = false\n".to_owned(),
        };
        let mut hub = Hub::configured(&toml, &LISTENERS).with_owner();
        relate(&hub, "people/eve", "viewer", "places/hall");
        told(&hub, "what=granted&on=people/eve");
        let (data, backup) = (hub.folder().join("data"), secrets.path().join("backup"));
        let run = |command: &mut Command| succeed(command.arg("--data").arg(&data));
        run(quartet().arg("backup").arg(&backup));
        hub.signal(Signal::TERM);
        assert!(hub.ended().success());

        let restored = secrets.path().join("data");
        let with_key = |command: &str, folder: &std::path::Path| {
            let mut program = quartet();
            program.args(command.split(' ')).arg(folder);
            if is_encrypted {
                program.arg("--journal-key").arg(&key);
            }
            program
        };
        succeed(
            quartet()
                .arg("restore")
                .arg(&backup)
                .arg("--data")
                .arg(&restored),
        );
        let said = succeed(&mut with_key("audit verify", &restored));
        assert!(said[0].starts_with("Entries 1 to"), "{said:?}");
        let lines = succeed(&mut with_key("audit export", &restored));
        assert!(lines.iter().any(|line| line.contains("people/eve")));
        let whole = succeed(quartet().arg("verify").arg(&data));
        assert!(
            whole.iter().any(|line| line.starts_with("The audit: ")),
            "{whole:?}"
        );
    }
}
