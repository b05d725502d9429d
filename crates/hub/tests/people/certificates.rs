//! Client certificates of elements: issued by the hub, shown by real clients, taken back.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
};

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ask, subscriptions, text};
use crate::support::{Authority, Certificate, Hub, succeed, tls, wait_for};

/// A hub where clients show certificates, and whoever vouches for the hub itself.
struct Place {
    hub: Hub,
    authority: Authority,
}

fn place() -> Place {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let toml = authority.server("hub").toml();
    let listeners = [
        "mqtts://127.0.0.1:0?client-certificates=optional",
        "https://127.0.0.1:0?client-certificates=optional",
        "http://127.0.0.1:0",
    ];
    Place {
        hub: Hub::in_folder(folder, &format!("open = false\n{toml}"), &listeners).with_owner(),
        authority,
    }
}

impl Place {
    /// Issues a certificate; puts it into files.
    fn issue(&self, element: &str, wanted: &Value) -> (Value, Certificate) {
        let path = format!("POST /api/{}/credentials", element.replace("ü", "%C3%BC"));
        let answer = ask(&self.hub, &path, "", wanted);
        assert_eq!(answer.status, 201, "{}", answer.body);
        let issued = answer.json();
        let at = |end: &str| {
            self.hub
                .folder()
                .join(text(&issued, "id"))
                .with_extension(end)
        };
        let files = Certificate {
            file: at("crt"),
            key: at("key"),
        };
        fs::write(&files.file, text(&issued, "certificate")).unwrap();
        if let Some(key) = issued["key"].as_str() {
            fs::write(&files.key, key).unwrap();
        }
        (issued, files)
    }

    fn mosquitto(&self, program: &str, own: &Certificate, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        let port = self.hub.port("mqtts").to_string();
        command.args(["-h", "127.0.0.1", "-p", &port, "-V", "5"]);
        let file = |command: &mut Command, option: &str, path: &Path| {
            command.arg(option).arg(path);
        };
        file(&mut command, "--cafile", &self.authority.file);
        file(&mut command, "--cert", &own.file);
        file(&mut command, "--key", &own.key);
        command.args(arguments);
        command
    }

    /// The status of an answer over HTTPS.
    fn status(&self, own: &Certificate, request: &str) -> String {
        let tcp = TcpStream::connect(self.hub.at("https://")).unwrap();
        let mut wire = tls(tcp, self.authority.trusted_by(Some(own)));
        write!(wire, "{request} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 4\r\nconnection: close\r\n\r\ntrue").unwrap();
        let mut answer = String::new();
        let _ = wire.read_to_string(&mut answer); // It ends without ceremony.
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

const REPORT: [&str; 6] = ["-t", "things/küche/properties/on", "-m", "true", "-q", "1"];

#[test]
fn a_certificate_says_for_which_element_it_is() {
    let place = place();
    let (issued, own) = place.issue("things/küche", &json!({ "certificate": true }));
    assert!(issued.get("password").is_none(), "{issued}");
    succeed(&mut place.mosquitto("mosquitto_pub", &own, &REPORT));
    let foreign = [
        "-t",
        "things/lamp/properties/on",
        "-m",
        "1",
        "-q",
        "1",
        "-d",
    ];
    let output = place
        .mosquitto("mosquitto_pub", &own, &foreign)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("Not authorized"), "{said}");
    let report = "POST /api/publish/things/k%C3%BCche/properties/on";
    assert_eq!(place.status(&own, report), "202");
    assert_eq!(
        place.status(&own, "POST /api/publish/things/lamp/properties/on"),
        "403"
    );
    assert_eq!(place.status(&own, "GET /metrics"), "403");
}

#[test]
fn the_key_of_a_signing_request_stays_where_it_was_made() {
    let place = place();
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    let wanted = json!({ "certificate": request.pem().unwrap() });
    let (issued, own) = place.issue("things/küche", &wanted);
    assert!(issued.get("key").is_none(), "{issued}");
    fs::write(&own.key, key.serialize_pem()).unwrap();
    succeed(&mut place.mosquitto("mosquitto_pub", &own, &REPORT));
    let wrong = json!({ "certificate": "-----BEGIN CERTIFICATE-----" });
    let answer = ask(&place.hub, "POST /api/things/lamp/credentials", "", &wrong);
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("signing request"), "{}", answer.body);
}

#[test]
fn a_certificate_that_is_taken_back_ends_its_connections_and_opens_nothing() {
    let mut place = place();
    let (issued, own) = place.issue("things/küche", &json!({ "certificate": true }));
    place.hub.die_and_begin_again(); // It is good over a restart.
    let before = subscriptions(&place.hub);
    let mut listener = place
        .mosquitto("mosquitto_sub", &own, &["-t", "things/küche/#", "-d"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the listener", || {
        (subscriptions(&place.hub) == before + 1).then_some(())
    });
    let path = format!(
        "DELETE /api/things/k%C3%BCche/credentials/{}",
        text(&issued, "id")
    );
    assert_eq!(ask(&place.hub, &path, "", &Value::Null).status, 204);
    wait_for("the listener to be told to go", || {
        (subscriptions(&place.hub) == before).then_some(())
    });
    listener.kill().unwrap();
    listener.wait().unwrap();
    let again = place
        .mosquitto("mosquitto_pub", &own, &REPORT)
        .output()
        .unwrap();
    assert!(!again.status.success());
    assert_eq!(place.status(&own, "GET /healthz"), "401");
}

#[test]
fn where_nobody_asks_for_certificates_none_is_issued() {
    let hub = super::hub();
    let wanted = json!({ "certificate": true });
    let answer = ask(&hub, "POST /api/things/lamp/credentials", "", &wanted);
    assert_eq!(answer.status, 409);
    assert!(
        answer.body.contains("client-certificates=optional"),
        "{}",
        answer.body
    );
}
