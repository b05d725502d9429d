//! Certificates by a real ACME server, which looks at the hub as one of the Internet would.

mod failing; // what is said, and shown, where no certificate is issued

use std::{
    fs,
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Answer, Authority, Certificate, Driver, Hub, Raw, Tls, acme, http, over, quartet, succeed,
    until, wait_for,
};

const DOMAIN: &str = "hub.example";
const HTTPS: [&str; 2] = ["https://127.0.0.1:0", "http://127.0.0.1:0"];

/// An authority of the Internet, and the Internet.
struct World {
    driver: Driver,
    directory: String,
    folder: TempDir,
}

impl World {
    #[track_caller]
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let (driver, directory) =
            Driver::start_with_value(acme().arg("tests/acme/drive.py").arg(folder.path()));
        let directory = directory.as_str().unwrap().to_owned();
        Self {
            driver,
            directory,
            folder,
        }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// The configuration of a hub with these domains.
    fn toml(&self, domains: &[&str]) -> String {
        let (directory, root) = (&self.directory, self.root());
        format!(
            "[acme]\ndomains = {domains:?}\ncontact = [\"ana@example.com\"]\nagree = true\ndirectory = \"{directory}\"\nroot = \"{}\"\n",
            root.display()
        )
    }

    /// A hub with a domain. Nobody finds it there yet.
    #[track_caller]
    fn hub(&self, listeners: &[&str]) -> Hub {
        Hub::configured(&self.toml(&[DOMAIN]), listeners)
    }

    /// From now on ports of all domains lead to these of the hub.
    #[track_caller]
    fn leads(&mut self, ports: &Value) {
        self.driver.step(&json!({ "do": "leads", "ports": ports }));
    }

    #[track_caller]
    fn leads_to(&mut self, hub: &Hub) {
        self.leads(&json!({ "443": hub.port("https") }));
    }

    #[track_caller]
    fn behaves(&mut self, how: &Value) {
        self.driver.step(&json!({ "do": "behave", "how": how }));
    }

    /// The domains of each certificate that was asked for.
    #[track_caller]
    fn orders(&mut self) -> Value {
        self.driver.step(&json!({ "do": "orders" }))
    }

    /// Ports at which it looked for a proof.
    #[track_caller]
    fn looked(&mut self) -> Value {
        self.driver.step(&json!({ "do": "looked" }))
    }
}

/// A connection of somebody who trusts the authority in a file and looks for a name; or why there is none.
fn connected(
    hub: &Hub,
    scheme: &str,
    trusts: &Path,
    name: &str,
    own: Option<&Certificate>,
) -> Result<Tls, String> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(trusts).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        None => config.with_no_client_auth(),
        Some(own) => config
            .with_client_auth_cert(own.chain(), PrivateKeyDer::from_pem_file(&own.key).unwrap())
            .unwrap(),
    };
    let name = name.to_owned().try_into().unwrap();
    let wire = TcpStream::connect(hub.at(&format!("{scheme}://"))).unwrap();
    let mut tls = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), wire);
    let shaken = tls.conn.complete_io(&mut tls.sock);
    shaken.map(|_| tls).map_err(|error| error.to_string())
}

/// The certificate that whoever trusts the world's authority is shown for a domain, once it is.
#[track_caller]
fn certified(world: &World, hub: &Hub, scheme: &str, domain: &str) -> CertificateDer<'static> {
    wait_for("a certificate of the authority", || {
        let tls = connected(hub, scheme, &world.root(), domain, None).ok()?;
        Some(tls.conn.peer_certificates()?[0].clone().into_owned())
    })
}

fn get(hub: &Hub, path: &str) -> Answer {
    http(hub.at("http://"), &format!("GET {path}"), &[], "")
}

/// One of its metrics.
#[track_caller]
fn figure(hub: &Hub, name: &str) -> u64 {
    let metrics = get(hub, "/metrics").body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|value| value.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

/// How its certificates are, as the hub says it.
fn trust(hub: &Hub) -> Value {
    get(hub, "/api/trust").json()["acme"].take()
}

#[test]
fn a_domain_gets_its_certificate_everywhere_while_the_hub_serves() {
    let mut world = World::new();
    let hub = world.hub(&[
        "https://127.0.0.1:0",
        "http://127.0.0.1:0",
        "mqtts://127.0.0.1:0",
        "wss://127.0.0.1:0",
    ]);
    // Until then, and for all other names, it is known by its own authority.
    let own = hub.folder().join("data/tls/hub-ca.crt");
    let mut early = Raw::over(
        connected(&hub, "mqtts", &own, "localhost", None).unwrap(),
        5,
    );
    early.come_in("early");
    assert!(connected(&hub, "https", &world.root(), DOMAIN, None).is_err());
    assert_eq!(trust(&hub)["certificate"], Value::Null);

    world.leads_to(&hub);
    for scheme in ["https", "mqtts", "wss"] {
        certified(&world, &hub, scheme, DOMAIN);
        connected(&hub, scheme, &own, "localhost", None).unwrap();
        assert!(connected(&hub, scheme, &world.root(), "other.example", None).is_err());
    }
    early.ping();
    let tls = connected(&hub, "https", &world.root(), "HUB.example", None).unwrap();
    let at = hub.at("https://");
    assert_eq!(over(tls, at, "GET /healthz", &[], "").status, 200);
    let tls = connected(&hub, "mqtts", &world.root(), DOMAIN, None).unwrap();
    Raw::over(tls, 5).come_in("anyone");
    assert_eq!(world.orders(), json!([DOMAIN]));
    assert_eq!(world.looked(), json!([443]));

    // The hub says how it is.
    let told = trust(&hub);
    assert_eq!(told["certificate"]["domains"], json!([DOMAIN]), "{told}");
    assert_eq!(told["failed"], Value::Null, "{told}");
    assert!(told["next"].as_str() < told["certificate"]["until"].as_str());
    assert_eq!(figure(&hub, "quartet_acme_failures_total"), 0);
    assert!(figure(&hub, "quartet_acme_certificate_expiry_seconds") > 1_700_000_000);
    let mut doctor = quartet();
    doctor
        .arg("doctor")
        .arg("--data")
        .arg(hub.folder().join("data"));
    let url = format!("mqtts://localhost:{}", hub.port("mqtts"));
    doctor.args(["--url", &url]).arg("--cafile").arg(own);
    let said = succeed(&mut doctor).join("\n");
    assert!(
        said.contains("certificate   hub.example, good until"),
        "{said}"
    );
}

#[test]
fn what_was_issued_is_kept_for_the_hub_alone_and_used_after_a_restart() {
    let mut world = World::new();
    let toml = world.toml(&[DOMAIN]);
    let mut hub = Hub::configured(&format!("open = false\n{toml}"), &HTTPS);
    world.leads_to(&hub);
    let first = certified(&world, &hub, "https", DOMAIN);
    hub.die_and_begin_again();
    // Whoever comes by the domain has nothing to do.
    let page = |host: &str| http(hub.at("http://"), "GET /trust", &[("host", host)], "").body;
    assert!(page(DOMAIN).contains("nothing to do"));
    assert!(!page("localhost").contains("nothing to do"));
    // At once: nothing is waited for.
    let tls = connected(&hub, "https", &world.root(), DOMAIN, None).unwrap();
    assert_eq!(tls.conn.peer_certificates().unwrap()[0], first);
    assert_eq!(world.orders(), json!([DOMAIN]));
    let folder = hub.folder().join("data/tls/acme");
    let place = fs::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let expected = ["account.json", "certificate.pem", "tries.json"];
    // A file that is written anew stands beside the old one for a moment.
    until("the files to be in place", || {
        let files = fs::read_dir(&place).unwrap().flatten();
        let mut names: Vec<_> = files.map(|file| file.file_name()).collect();
        names.sort();
        names == expected
    });
    for name in expected {
        let mode = fs::metadata(place.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // It is in a backup, and in the hub that this becomes.
    let backup = world.folder.path().join("backup");
    let mut command = quartet();
    command.arg("backup").arg(&backup).arg("--data");
    succeed(command.arg(hub.folder().join("data")));
    let below = place.strip_prefix(hub.folder().join("data")).unwrap();
    let copy = backup.join(below).join("certificate.pem");
    assert_eq!(
        fs::read(copy).unwrap(),
        fs::read(place.join("certificate.pem")).unwrap()
    );
}

#[test]
fn a_certificate_is_renewed_when_two_thirds_of_its_time_are_over() {
    let mut world = World::new();
    world.behaves(&json!({ "seconds": 12, "silent": true }));
    let hub = world.hub(&HTTPS);
    world.leads_to(&hub);
    let first = certified(&world, &hub, "https", DOMAIN);
    world.behaves(&json!({}));
    let second = wait_for("a renewed certificate", || {
        let shown = certified(&world, &hub, "https", DOMAIN);
        (shown != first).then_some(shown)
    });
    assert_eq!(world.orders(), json!([DOMAIN, DOMAIN]));
    // The account was the same.
    until("the hub says so", || trust(&hub)["failed"] == Value::Null);
    assert_eq!(certified(&world, &hub, "https", DOMAIN), second);
}

#[test]
fn an_authority_that_wants_a_certificate_back_gets_it_renewed_early() {
    let mut world = World::new();
    // Two thirds would be 40 s, and nobody waits so long here.
    world.behaves(&json!({ "seconds": 60, "early": true }));
    let hub = world.hub(&HTTPS);
    world.leads_to(&hub);
    let first = certified(&world, &hub, "https", DOMAIN);
    wait_for("the question", || {
        let asked = world.driver.step(&json!({ "do": "asked" }));
        asked
            .as_array()
            .is_some_and(|all| !all.is_empty())
            .then_some(())
    });
    world.behaves(&json!({}));
    wait_for("a renewed certificate", || {
        (certified(&world, &hub, "https", DOMAIN) != first).then_some(())
    });
    assert_eq!(world.orders(), json!([DOMAIN, DOMAIN]));
    // About the new one it was asked, too, and suggests the last sixth of 90 days or so.
    until("a plan", || {
        let left = figure(&hub, "quartet_acme_certificate_expiry_seconds")
            .saturating_sub(figure(&hub, "quartet_acme_next_order_seconds"));
        (1..20 * 24 * 3600).contains(&left)
    });
}

#[test]
fn several_domains_share_a_certificate_and_another_one_brings_a_new_one() {
    let mut world = World::new();
    let toml = world.toml(&[DOMAIN, "www.hub.example"]);
    let mut hub = Hub::configured(&toml, &HTTPS);
    world.leads_to(&hub);
    let one = certified(&world, &hub, "https", DOMAIN);
    assert_eq!(certified(&world, &hub, "https", "www.hub.example"), one);
    assert_eq!(world.orders(), json!(["hub.example www.hub.example"]));
    let text = fs::read_to_string(hub.file()).unwrap();
    let more = text.replace("www.hub.example", "new.hub.example");
    fs::write(hub.file(), more).unwrap();
    world.leads(&json!({}));
    hub.die_and_begin_again();
    // What is still good is shown meanwhile; what is not ours any more is not.
    assert_eq!(certified(&world, &hub, "https", DOMAIN), one);
    assert!(connected(&hub, "https", &world.root(), "www.hub.example", None).is_err());
}

#[test]
fn an_authority_looks_where_clients_have_to_show_certificates() {
    let mut world = World::new();
    let folder = TempDir::new().unwrap();
    let clients = Authority::new(folder.path(), "clients");
    let known = clients.client("known");
    let toml = format!("{}[tls]\n{}", world.toml(&[DOMAIN]), clients.client_toml());
    let url = "https://127.0.0.1:0?client-certificates=required";
    let hub = Hub::in_folder(folder, &toml, &[url, "http://127.0.0.1:0"]);
    world.leads_to(&hub);
    until("a certificate", || {
        trust(&hub)["certificate"] != Value::Null
    });
    assert_eq!(world.looked(), json!([443]));
    let at = hub.at("https://");
    let asks = |own| {
        let tls = connected(&hub, "https", &world.root(), DOMAIN, own).ok()?;
        Some(tls)
    };
    let tls = asks(Some(&known)).unwrap();
    assert_eq!(over(tls, at, "GET /healthz", &[], "").status, 200);
    // Whoever shows none is refused as before: with TLS 1.3 at the first read.
    let refused = asks(None).map(|mut tls| {
        use std::io::{Read, Write};
        let _ = tls.write_all(b"GET /healthz HTTP/1.1\r\n\r\n");
        tls.read(&mut [0; 16]).is_err()
    });
    assert_ne!(refused, Some(false));
    // A client that pretends to be an authority gets nothing but the end.
    let mut config = ClientConfig::clone(&clients.trusted_by(None));
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let name = DOMAIN.try_into().unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut wire = TcpStream::connect(at).unwrap();
    assert!(client.complete_io(&mut wire).is_err());
}

#[test]
fn a_hub_without_https_is_found_over_plain_http() {
    let mut world = World::new();
    let hub = world.hub(&["mqtts://127.0.0.1:0", "http://127.0.0.1:0"]);
    world.leads(&json!({ "80": hub.port("http") }));
    certified(&world, &hub, "mqtts", DOMAIN);
    assert_eq!(world.looked(), json!([80]));
    // When the order is over there is nothing to find any more.
    let answer = get(&hub, "/.well-known/acme-challenge/any");
    assert_eq!(answer.status, 404, "{}", answer.body);
}
