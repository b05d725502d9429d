//! Devices that know the hub by its own authority: programs, and a real browser.

use std::{fs, net::TcpStream, path::PathBuf, process::Command, sync::Arc};

use rustix::process::Signal;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Value, json};

use super::browser::{Person, link};
use crate::support::{Everywhere, Hub, Raw, Tls, browser, http, over, succeed, wait_for};

const LISTENERS: [&str; 3] = [
    "mqtts://127.0.0.1:0",
    "https://127.0.0.1:0",
    "http://127.0.0.1:0",
];
const NAMED: &str = "[tls]\nnames = [\"kitchen.local\"]\n";

/// The authority of a hub, as everybody gets it.
fn authority(hub: &Hub) -> PathBuf {
    let answer = http(hub.at("http://"), "GET /ca.crt", &[], "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/x-x509-ca-cert");
    let file = hub.folder().join("ca.crt");
    fs::write(&file, answer.body).unwrap();
    file
}

/// A connection of somebody who trusts this authority and looks for a server of this name; or why there is none.
fn connected(hub: &Hub, scheme: &str, trusts: &PathBuf, name: &str) -> Result<Tls, String> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(trusts).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = name.to_owned().try_into().unwrap();
    let wire = TcpStream::connect(hub.at(&format!("{scheme}://"))).unwrap();
    let mut tls = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), wire);
    let shaken = tls.conn.complete_io(&mut tls.sock);
    shaken.map(|_| tls).map_err(|error| error.to_string())
}

#[test]
fn whoever_trusts_the_authority_knows_the_hub_by_its_names_and_nobody_else_by_them() {
    let hub = Hub::configured(NAMED, &LISTENERS);
    let trusts = authority(&hub);
    for name in ["kitchen.local", "localhost", "127.0.0.1", "::1"] {
        let tls = connected(&hub, "https", &trusts, name).unwrap();
        let at = hub.at("https://");
        assert_eq!(over(tls, at, "GET /healthz", &[], "").status, 200, "{name}");
        let tls = connected(&hub, "mqtts", &trusts, name).unwrap();
        Raw::over(tls, 5).come_in("anyone");
    }
    for name in ["cellar.local", "example.com", "127.0.0.2"] {
        for scheme in ["https", "mqtts"] {
            let why = connected(&hub, scheme, &trusts, name).err();
            assert!(
                why.is_some_and(|why| why.contains("not valid for name")),
                "{name}"
            );
        }
    }
    // Another library of TLS understands the limits of the authority, too.
    let port = hub.port("mqtts").to_string();
    for host in ["localhost", "127.0.0.1"] {
        let mut client = Command::new("mosquitto_pub");
        client.args(["-h", host, "-p", &port, "-t", "a", "-m", "b", "--cafile"]);
        succeed(client.arg(&trusts));
    }
}

#[test]
fn names_that_change_bring_a_new_certificate_and_leave_open_connections_alone() {
    let hub = Hub::configured(NAMED, &LISTENERS);
    let trusts = authority(&hub);
    let mut old = Raw::over(
        connected(&hub, "mqtts", &trusts, "kitchen.local").unwrap(),
        5,
    );
    old.come_in("old");
    let named = |name: &str| {
        let text = format!("open = true\n[tls]\nnames = [\"{name}\"]\n");
        fs::write(hub.file(), text).unwrap();
        hub.signal(Signal::HUP);
    };
    named("cellar.local");
    hub.logs("tls.names: with cellar.local: in force from now on");
    for scheme in ["mqtts", "https"] {
        wait_for("the new name", || {
            connected(&hub, scheme, &trusts, "cellar.local").ok()
        });
        let gone = connected(&hub, scheme, &trusts, "kitchen.local");
        assert!(gone.is_err());
    }
    old.ping();
    named("hub.example");
    hub.logs("tls.names has hub.example");
    hub.logs("the configuration stays as it was");
    connected(&hub, "https", &trusts, "cellar.local").unwrap();
    old.ping();
}

#[test]
fn the_authority_stays_over_restarts_and_takes_the_place_of_a_certificate_that_signed_itself() {
    let folder = tempfile::TempDir::new().unwrap();
    let tls = folder.path().join("data/tls");
    fs::create_dir_all(&tls).unwrap();
    let before = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(tls.join("hub.crt"), before.cert.pem()).unwrap();
    fs::write(tls.join("hub.key"), before.signing_key.serialize_pem()).unwrap();
    let mut hub = Hub::in_folder(folder, "", &LISTENERS);
    let trusts = authority(&hub);
    connected(&hub, "https", &trusts, "localhost").unwrap();
    let shown = fs::read(tls.join("hub.crt")).unwrap();
    hub.die_and_begin_again();
    connected(&hub, "mqtts", &trusts, "localhost").unwrap();
    assert_eq!(fs::read(tls.join("hub.crt")).unwrap(), shown);
}

#[test]
fn a_hub_without_a_certificate_of_its_own_says_why_and_what_would_be() {
    let plain = Hub::closed(&["http://127.0.0.1:0"]);
    let get =
        |hub: &Hub, path: &str| http(hub.at("http://"), path, &[("cookie", "quartet=over")], "");
    let answer = get(&plain, "GET /ca.crt");
    assert_eq!(answer.status, 404);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("--listen https://0.0.0.0:8443"), "{detail}");
    let page = get(&plain, "GET /trust");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("does not encrypt yet"), "{}", page.body);
    assert!(!plain.folder().join("data/tls").exists());

    let given = Everywhere::start().hub;
    let answer = get(&given, "GET /ca.crt");
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("tls.certificate"), "{}", answer.body);
    assert!(get(&given, "GET /trust").body.contains("nothing to do"));
}

/// A person whose browser finds the hub as `kitchen.local`; it trusts an authority, if one is given.
fn person(hub: &Hub, trusts: Option<&PathBuf>) -> Person {
    let home = hub.folder().join(if trusts.is_some() {
        "trusts"
    } else {
        "stranger"
    });
    let store = home.join(".pki/nssdb");
    fs::create_dir_all(&store).unwrap();
    let certutil = || {
        let mut certutil = Command::new("certutil");
        certutil.arg("-d").arg(format!("sql:{}", store.display()));
        certutil
    };
    succeed(certutil().args(["-N", "--empty-password"]));
    if let Some(authority) = trusts {
        succeed(
            certutil()
                .args(["-A", "-t", "C,,", "-n", "hub", "-i"])
                .arg(authority),
        );
    }
    let mut browser = browser();
    browser.env("HOME", &home);
    let here = json!(["--host-resolver-rules=MAP kitchen.local 127.0.0.1"]);
    browser.env("ARGUMENTS", here.to_string());
    let url = format!("https://kitchen.local:{}", hub.port("https"));
    Person::calling(hub, &url, &mut browser)
}

#[test]
fn a_browser_that_trusts_the_authority_has_a_safe_page_and_passkeys() {
    let hub = Hub::configured(&format!("open = false\n{NAMED}"), &LISTENERS);
    let mut ana = person(&hub, Some(&authority(&hub)));
    ana.opens("/trust");
    ana.sees("Let this device trust the hub");
    let safe =
        json!({ "isSecure": true, "worker": "registered", "camera": true, "passkeys": true });
    assert_eq!(ana.does(json!({ "do": "context" })), safe);
    ana.opens(&link(&hub));
    ana.fills("Your name", "Ana");
    ana.presses("Use a passkey");
    ana.comes_in();
    let held = ana.does(json!({ "do": "device", "is": "same" }));
    assert_eq!(held[0]["host"], "kitchen.local");
    ana.signs_out();
    ana.presses("Use a passkey");
    ana.comes_in();
    ana.sees("by passkey");
}

#[test]
fn a_browser_that_does_not_trust_it_refuses_the_hub() {
    let hub = Hub::configured(NAMED, &LISTENERS);
    let mut stranger = person(&hub, None);
    let refused = stranger.does(json!({ "do": "refused", "path": "/trust" }));
    assert_eq!(refused, "ERR_CERT_AUTHORITY_INVALID");
}

#[test]
fn the_page_of_trust_fits_a_phone_and_says_the_fingerprint() {
    let hub = Hub::configured(NAMED, &LISTENERS);
    let mut ana = Person::at(&hub);
    ana.opens("/trust");
    let shown = ana.does(json!({ "do": "read", "id": "fingerprint" }));
    assert_eq!(shown.as_str().map(str::len), Some(32 * 3 - 1), "{shown}");
    ana.sees("certutil -d sql:"); // The steps for this browser are unfolded.
    for (name, width, height) in [("phone", 390, 844), ("desk", 1280, 900)] {
        let file = hub.folder().join(format!("{name}.png"));
        let picture = json!({ "do": "picture", "file": file, "width": width, "height": height });
        assert_eq!(
            ana.does(picture),
            Value::from(0),
            "{name} is wider than the window"
        );
    }
}
