use std::{net::UdpSocket, process::Command};

use serde_json::{Value, json};

use super::lamp::{LAMP, install};
use crate::support::{Driver, Events, Hub, PATIENCE, http, python, quartet, succeed, wait_for};

const LISTENERS: [&str; 3] = [
    "mqtt://127.0.0.1:0",
    "http://127.0.0.1:0",
    "coap://127.0.0.1:0",
];

/// A foreign client, and the hub that it talks to.
struct Client {
    hub: Hub,
    driver: Driver,
}

impl Client {
    #[track_caller]
    fn start() -> Self {
        let hub = Hub::start(&LISTENERS);
        let script = hub.folder().join("drive.py");
        std::fs::write(&script, include_str!("../senml/drive.py")).unwrap();
        let mut command = python();
        command.arg(&script).arg(hub.port("mqtt").to_string());
        let driver = Driver::start(&mut command);
        Self { hub, driver }
    }

    fn uri(&self, path: &str) -> String {
        format!("coap://127.0.0.1:{}/{path}", self.hub.port("coap"))
    }

    /// Lets it do something at a path.
    #[track_caller]
    fn at(&mut self, path: &str, mut step: Value) -> Value {
        step["uri"] = self.uri(path).into();
        self.driver.step(&step)
    }

    #[track_caller]
    fn get(&mut self, path: &str) -> Value {
        self.at(path, json!({ "do": "coap" }))
    }

    #[track_caller]
    fn send(&mut self, method: &str, path: &str, payload: &str) -> Value {
        let step = json!({ "do": "coap", "method": method, "payload": payload, "format": 50 });
        self.at(path, step)
    }

    #[track_caller]
    fn hears(&mut self, path: &str, text: &str) -> Vec<Value> {
        let heard = self.at(path, json!({ "do": "await", "text": text }));
        heard.as_array().unwrap().clone()
    }
}

/// The answer without what changes from one to the next.
fn brief(answer: &Value) -> (&str, &str) {
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    (text("code"), text("text"))
}

#[test]
fn a_foreign_client_reads_writes_and_observes_a_thing() {
    const ON: &str = "api/things/lamp/properties/on";
    let mut client = Client::start();
    install(&client.hub);
    wait_for("the lamp's report", || {
        (brief(&client.get(ON)) == ("2.05", "false")).then_some(())
    });
    let first = client.at(ON, json!({ "do": "watch" }));
    assert_eq!(
        (brief(&first), &first["format"]),
        (("2.05", "false"), &json!(50))
    );
    for value in ["true", "false", "true"] {
        assert_eq!(brief(&client.send("PUT", ON, value)), ("2.04", ""));
        let heard = client.hears(ON, value);
        assert_eq!(heard.last().unwrap()["format"], 50);
    }
    client.at(ON, json!({ "do": "leave" }));
    let is_true = client.at(ON, json!({ "do": "coap", "accept": 50 }));
    assert_eq!(brief(&is_true), ("2.05", "true"));

    let etag = &is_true["etag"];
    let again = client.at(ON, json!({ "do": "coap", "etag": etag }));
    assert_eq!(brief(&again), ("2.03", ""), "it is still right");
    let write = json!({ "do": "coap", "method": "PUT", "payload": "false", "if_match": etag });
    assert_eq!(brief(&client.at(ON, write.clone())), ("2.04", ""));
    let (code, why) = (client.at(ON, write), "it has changed meanwhile");
    assert_eq!(code["code"], "4.12");
    assert!(code["text"].as_str().unwrap().starts_with(why), "{code}");
}

#[test]
fn a_foreign_client_asks_for_actions_and_hears_events() {
    const HOT: &str = "api/things/lamp/events/hot";
    let mut client = Client::start();
    install(&client.hub);
    wait_for("the lamp's report", || {
        let level = client.get("api/things/lamp/properties/level");
        (level["code"] == "2.05").then_some(())
    });
    let first = client.at(HOT, json!({ "do": "watch" }));
    assert_eq!(brief(&first), ("2.05", ""), "nothing has happened yet");
    let faded = client.send("POST", "api/things/lamp/actions/fade", "40");
    assert_eq!(brief(&faded), ("2.04", "\"faded to 40\""));
    let heard = client.hears(HOT, "80.5");
    assert_eq!(heard.len(), 1);

    let asked = client.send("POST", "api/things/lamp/actions/blink", "3");
    assert_eq!(asked["code"], "2.01", "{asked}");
    let invocation = asked["location"].as_str().unwrap()[1..].to_owned();
    wait_for("what comes of it", || {
        let status = client.get(&invocation);
        let status: Value = serde_json::from_str(status["text"].as_str()?).ok()?;
        (status["status"] == "completed").then_some(())
    });
    assert_eq!(client.get(HOT)["code"], "4.00", "it can only be observed");
}

#[test]
fn what_is_refused_says_why() {
    let mut client = Client::start();
    install(&client.hub);
    let mut check = |method: &str, path: &str, payload: &str, code: &str, why: &str| {
        let answer = client.send(method, path, payload);
        let (found, text) = brief(&answer);
        assert!(
            found == code && text.contains(why),
            "{method} {path}: {answer}"
        );
        assert_eq!(
            answer["format"],
            Value::Null,
            "text for people has no format"
        );
    };
    check("GET", "nothing", "", "4.04", "there is nothing at /nothing");
    check("GET", "api/things/none", "", "4.04", "there is no element");
    check("DELETE", "healthz", "", "4.05", "is not for DELETE");
    check("FETCH", "things", "", "4.05", "FETCH");
    check(
        "PUT",
        "api/things/lamp/properties/level",
        "\"loud\"",
        "4.00",
        "not written",
    );
    check(
        "POST",
        "api/things/lamp/actions/fade",
        "\"x\"",
        "4.00",
        "not asked",
    );
    let kind = "a change is sent as application/merge-patch+json";
    check("PATCH", &format!("things/{LAMP}"), "{}", "4.15", kind);
}

// [wot-discovery introduction-core-rd introduction-core-rd-resource-type-thing
// introduction-core-rd-resource-type-directory]
#[test]
fn the_hub_says_in_links_what_there_is() {
    let mut client = Client::start();
    install(&client.hub);
    let all = client.get(".well-known/core");
    assert_eq!(all["format"], 40);
    let directory = r#"</.well-known/wot>;rt="wot.directory";ct="432 50""#;
    let lamp = format!(r#"</things/{LAMP}>;rt="wot.thing";ct="432 50""#);
    let links: Vec<&str> = all["text"].as_str().unwrap().split(',').collect();
    assert!(
        links.contains(&directory) && links.contains(&&*lamp),
        "{links:?}"
    );
    let mut only = |filter: &str| {
        let found = client.get(&format!(".well-known/core?{filter}"));
        found["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(only("rt=wot.directory"), directory);
    assert_eq!(only("href=/things/*lamp"), "");
    assert_eq!(only(&format!("href=/things/{LAMP}&rt=wot.*")), lamp);
    let td = client.get(&format!("things/{LAMP}"));
    assert_eq!((&td["code"], &td["format"]), (&json!("2.05"), &json!(432)));
}

// [wot-discovery exploration-server-coap-method exploration-server-coap-resp
// exploration-server-coap-alternate-content]
#[test]
fn a_long_description_goes_to_and_fro_in_blocks() {
    let mut client = Client::start();
    let directory = client.get(".well-known/wot");
    assert_eq!(
        (&directory["code"], &directory["format"]),
        (&json!("2.05"), &json!(432))
    );
    let text = "x".repeat(40_000);
    let td = json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1", "id": "urn:big", "title": "Big",
        "description": text,
        "securityDefinitions": { "none": { "scheme": "nosec" } }, "security": "none",
    });
    let put = json!({
        "do": "coap", "method": "PUT", "payload": td.to_string(), "format": 432,
        "if_none_match": true,
    });
    let put_again = put.clone();
    assert_eq!(client.at("things/urn:big", put)["code"], "2.01");
    let refused = client.at("things/urn:big", put_again);
    assert_eq!(brief(&refused), ("4.12", "there is something already"));
    for (accept, format) in [(432, 432), (50, 50)] {
        let read = client.at("things/urn:big", json!({ "do": "coap", "accept": accept }));
        assert_eq!(
            (&read["code"], &read["format"]),
            (&json!("2.05"), &json!(format))
        );
        let read: Value = serde_json::from_str(read["text"].as_str().unwrap()).unwrap();
        assert_eq!(read["description"], *text);
    }
    let none = client.at("things/urn:big", json!({ "do": "coap", "accept": 60 }));
    assert_eq!(none["code"], "4.06");
    let too_long = "x".repeat((1 << 20) + 1);
    assert_eq!(
        client.send("PUT", "things/urn:big", &too_long)["code"],
        "4.13"
    );
    assert_eq!(
        client.at(
            "things/urn:big",
            json!({ "do": "coap", "method": "DELETE" })
        )["code"],
        "2.02"
    );
}

#[test]
fn a_description_says_how_the_thing_is_reached_over_coap() {
    let client = Client::start();
    install(&client.hub);
    let at = client.hub.at("http://");
    let td = http(at, "GET /api/things/lamp", &[], "").json();
    let over_coap = |affordance: &str| -> Vec<Value> {
        let forms = td.pointer(affordance).unwrap().as_array().unwrap();
        let own = client.uri("");
        let here = |form: &&Value| form["href"].as_str().unwrap().starts_with(&own);
        forms.iter().filter(here).cloned().collect()
    };
    let on = over_coap("/properties/on/forms");
    assert_eq!(on.len(), 3);
    for (form, method, op) in [
        (&on[0], "GET", json!("readproperty")),
        (
            &on[1],
            "GET",
            json!(["observeproperty", "unobserveproperty"]),
        ),
        (&on[2], "PUT", json!("writeproperty")),
    ] {
        assert_eq!(form["href"], client.uri("api/things/lamp/properties/on"));
        assert_eq!((&form["cov:method"], &form["op"]), (&json!(method), &op));
    }
    assert_eq!(on[1]["subprotocol"], "cov:observe");
    assert_eq!(over_coap("/actions/fade/forms")[0]["cov:method"], "POST");
    assert_eq!(
        over_coap("/events/hot/forms")[0]["subprotocol"],
        "cov:observe"
    );
}

#[test]
fn packs_of_records_come_in_over_coap_as_over_mqtt() {
    let mut client = Client::start();
    let filter = "/api/subscribe?filter=sensors/%2B";
    let mut heard = Events::open(client.hub.at("http://"), filter, &[]);
    for format in ["json", "cbor"] {
        let topic = format!("sensors/{format}");
        let step = |over: &str| json!({ "do": over, "topic": topic, "format": format });
        client.driver.step(&step("publish"));
        let over_mqtt = heard.next().data;
        let path = format!("api/publish/{topic}");
        assert_eq!(client.at(&path, step("post"))["code"], "2.04");
        let over_coap = heard.next().data;
        for member in ["subject", "data", "data_base64"] {
            assert_eq!(over_coap[member], over_mqtt[member], "{format}");
        }
        let kind = format!("application/senml+{format}");
        assert_eq!(over_coap["datacontenttype"], kind);
    }
}

#[test]
fn debians_client_reads_writes_and_observes() {
    let hub = Hub::start(&LISTENERS);
    install(&hub);
    let uri = |path: &str| format!("coap://127.0.0.1:{}/{path}", hub.port("coap"));
    let client = |arguments: &[&str]| {
        let mut command = Command::new("coap-client-notls");
        // It gives up after so many seconds.
        succeed(command.args(["-B", "10"]).args(arguments)).join("\n")
    };
    let on = uri("api/things/lamp/properties/on");
    wait_for("the lamp's report", || {
        (client(&["-m", "get", &on]) == "false").then_some(())
    });
    assert_eq!(client(&["-m", "put", "-t", "50", "-e", "true", &on]), "");
    wait_for("what was written", || {
        (client(&["-m", "get", &on]) == "true").then_some(())
    });
    // It observes for two seconds, and says goodbye.
    let observed = client(&["-m", "get", "-s", "2", &on]);
    assert!(observed.starts_with("true"), "{observed}");
    let td = client(&["-m", "get", "-b", "256", &uri(".well-known/wot")]);
    let td: Value = serde_json::from_str(&td).unwrap();
    assert_eq!(td["@type"].to_string(), "\"ThingDirectory\"");
    let host = uri(".well-known/core").replace("127.0.0.1", "localhost");
    assert!(client(&["-m", "get", &host]).contains("wot.directory"));
}

#[test]
fn a_datagram_of_noise_changes_nothing() {
    let hub = Hub::start(&LISTENERS);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(hub.at("coap://")).unwrap();
    for noise in [
        &b""[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 1400],
        &[0x40, 1, 0],
    ] {
        socket.send(noise).unwrap();
    }
    // A ping, and the pong that comes after all of that was read.
    socket.send(&[0x40, 0, 0x12, 0x34]).unwrap();
    let mut answer = [0; 64];
    loop {
        let length = socket.recv(&mut answer).unwrap();
        if answer[..length] == [0x70, 0, 0x12, 0x34] {
            break;
        }
    }
}

#[test]
fn a_port_that_is_taken_is_said() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("coap://{}", taken.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut command = quartet();
    command
        .args(["run", "--listen", &url, "--data"])
        .arg(folder.path().join("data"));
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("cannot listen on {url}")), "{said}");
}
