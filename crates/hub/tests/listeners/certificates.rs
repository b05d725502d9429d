use tempfile::TempDir;

use crate::support::{Authority, Certificate, Hub, Packet, Raw, tls};

struct Place {
    hub: Hub,
    authority: Authority,
    known: Certificate,
    stranger: Certificate,
}

fn place(client_certificates: &str) -> Place {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let known = authority.client("known");
    let stranger = Authority::new(folder.path(), "nobody").client("stranger");
    let toml = authority.server("hub").toml() + &authority.client_toml();
    let url = format!("mqtts://127.0.0.1:0?client-certificates={client_certificates}");
    Place {
        hub: Hub::in_folder(folder, &toml, &[&url]),
        authority,
        known,
        stranger,
    }
}

impl Place {
    fn connect(&self, own: Option<&Certificate>) -> Option<Packet> {
        let tcp = Raw::silent(self.hub.at("mqtts://"), 5).wire;
        Raw::over(tls(tcp, self.authority.trusted_by(own)), 5).connect("anyone")
    }

    #[track_caller]
    fn lets_in(&self, own: Option<&Certificate>) {
        let connack = self.connect(own).expect("TLS comes about");
        assert_eq!(connack.body[1], 0, "{connack:?}");
    }
}

#[test]
fn where_certificates_are_required_only_known_ones_come_in() {
    let place = place("required");
    place.lets_in(Some(&place.known));
    assert_eq!(place.connect(None), None);
    assert_eq!(place.connect(Some(&place.stranger)), None);
}

#[test]
fn where_certificates_are_optional_wrong_ones_stay_outside() {
    let place = place("optional");
    place.lets_in(Some(&place.known));
    place.lets_in(None);
    assert_eq!(place.connect(Some(&place.stranger)), None);
}

#[test]
fn without_a_certificate_the_hub_makes_one_and_keeps_it() {
    let hub = Hub::start(&["mqtts://127.0.0.1:0"]);
    let own = std::fs::read(hub.folder().join("data/tls/hub.crt")).unwrap();
    assert!(own.starts_with(b"-----BEGIN CERTIFICATE-----"));
}
