//! The hub's own authority for what its listeners show: whoever trusts it knows the hub, and is deceived about nobody else.

use std::{path::Path, time::Duration};

use quartet_model::Time;
use rcgen::{
    CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, KeyPair,
    KeyUsagePurpose, NameConstraints, PublicKeyData, SanType, date_time_ymd,
};
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::{
    certificate::X509Certificate, extensions::GeneralName, prelude::FromDer, time::ASN1Time,
};

use super::{
    root::Root,
    tls::{Pair, TlsError, unusable},
};
use crate::trust::{Called, Name, Network, Scope, Term};

/// The authority.
pub(super) struct Servers {
    root: Root,
    scope: Scope,
    term: Term,
    /// What devices call it.
    title: String,
}

/// What of the authority everybody may know.
#[derive(Clone, Debug)]
pub(crate) struct Public {
    /// PEM.
    pub(crate) certificate: String,
    /// SHA-256 of the certificate, as devices show it: pairs of digits with colons.
    pub(crate) fingerprint: String,
    /// What devices call it.
    pub(crate) title: String,
    /// What it may vouch for, in words.
    pub(crate) scope: String,
    /// Until when it is good.
    pub(crate) until: Time,
}

/// A certificate of the hub as it was read.
struct Leaf {
    names: Vec<Name>,
    term: Term,
    issuer: Vec<u8>,
    key: Vec<u8>,
}

impl Servers {
    /// The one of a data folder; made once, for a computer of this name and what is configured by then.
    pub(super) fn open(
        data: &Path,
        computer: &str,
        configured: &[Name],
        now: Time,
    ) -> Result<Self, TlsError> {
        let label = computer.split('.').next().unwrap_or_default();
        let made = || params_of_authority(&Scope::of(computer, configured), now);
        let root = Root::open(data, "hub-ca", &format!("Quartet hub {label}"), made)?;
        let read = X509Certificate::from_der(&root.certificate);
        let (_, read) = read.map_err(|error| root.unusable(&error))?;
        let title = read.subject().iter_common_name().next();
        let title = title.and_then(|name| name.as_str().ok());
        Ok(Self {
            scope: scope_of(&read),
            term: term_of(&read),
            title: title.unwrap_or("Quartet hub").to_owned(),
            root,
        })
    }

    /// What everybody may know.
    pub(super) fn public(&self) -> Result<Public, TlsError> {
        let file = &self.root.files.certificate;
        let certificate =
            std::fs::read_to_string(file).map_err(|error| self.root.unusable(&error))?;
        let hash = TLS13_AES_128_GCM_SHA256.tls13().expect("it is of TLS 1.3");
        let hash = hash.common.hash_provider.hash(&self.root.certificate);
        let pairs: Vec<String> = hash
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        Ok(Public {
            certificate,
            fingerprint: pairs.join(":"),
            title: self.title.clone(),
            scope: self.scope.to_string(),
            until: self.term.until,
        })
    }

    /// What to say to the administrator: less than a year of it is left.
    pub(super) fn warning(&self, now: Time) -> Option<String> {
        let Pair { certificate, key } = &self.root.files;
        self.term.ends_soon(now).then(|| {
            format!(
                "the hub's own authority is good until {} only; remove {} and {} when it suits you: another one is made at the next start, which all devices have to trust anew",
                self.term.until.rfc3339(),
                certificate.display(),
                key.display()
            )
        })
    }

    /// What of the hub's names it may vouch for.
    ///
    /// # Errors
    /// If one that was configured is not among these.
    pub(super) fn narrow(&self, called: Called) -> Result<Called, TlsError> {
        let foreign = called.configured.iter();
        let foreign = foreign.filter(|name| !self.scope.permits(name));
        let foreign: Vec<String> = foreign.map(ToString::to_string).collect();
        if foreign.is_empty() {
            return Ok(called.within(&self.scope));
        }
        Err(TlsError::Names {
            names: foreign.join(", "),
            scope: self.scope.to_string(),
            certificate: self.root.files.certificate.clone(),
            key: self.root.files.key.clone(),
        })
    }

    /// The hub's certificate for these names, in a data folder: the one that is there, or a new one if names have changed, or if
    /// its time is nearly over. Says whether it is new.
    pub(super) fn certify(
        &self,
        data: &Path,
        called: &Called,
        now: Time,
    ) -> Result<(Pair, bool), TlsError> {
        let files = Pair::of(data, "hub");
        let names = called.all();
        if self.is_good(&files, &names, now) {
            return Ok((files, false));
        }
        let key = KeyPair::generate().map_err(unusable)?;
        let params = params_of_server(&names, Term::of_server(now, self.term));
        let params = params.map_err(unusable)?;
        let certificate = params
            .signed_by(&key, &self.root.issuer)
            .map_err(unusable)?;
        files.write(&certificate.pem(), &key)?;
        Ok((files, true))
    }

    /// Whether the certificate for these names that is in a data folder stays.
    pub(super) fn is_shown(&self, data: &Path, called: &Called, now: Time) -> bool {
        self.is_good(&Pair::of(data, "hub"), &called.all(), now)
    }

    fn is_good(&self, files: &Pair, names: &[Name], now: Time) -> bool {
        // What cannot be read, is half written, or is of another hub, is made anew.
        let Some(leaf) = Leaf::read(files) else {
            return false;
        };
        let key = std::fs::read_to_string(&files.key).ok();
        let key = key.and_then(|key| KeyPair::from_pem(&key).ok());
        let has_key = key.is_some_and(|key| key.subject_public_key_info() == leaf.key);
        let has_names =
            leaf.names.len() == names.len() && names.iter().all(|name| leaf.names.contains(name));
        has_key && has_names && leaf.issuer == self.issuer() && !leaf.term.is_due(now, self.term)
    }

    /// As it stands in what it issued.
    fn issuer(&self) -> Vec<u8> {
        let read = X509Certificate::from_der(&self.root.certificate);
        read.map_or_else(|_| Vec::new(), |(_, read)| read.subject().as_raw().to_vec())
    }
}

impl Root {
    fn unusable(&self, why: &dyn std::fmt::Display) -> TlsError {
        TlsError::Unusable(format!("{}: {why}", self.files.certificate.display()))
    }
}

impl Leaf {
    fn read(files: &Pair) -> Option<Self> {
        let der = CertificateDer::from_pem_file(&files.certificate).ok()?;
        let (_, read) = X509Certificate::from_der(&der).ok()?;
        let names = read.subject_alternative_name().ok()??;
        Some(Self {
            names: names
                .value
                .general_names
                .iter()
                .filter_map(name_of)
                .collect(),
            term: term_of(&read),
            issuer: read.issuer().as_raw().to_vec(),
            key: read.public_key().raw.to_vec(),
        })
    }
}

fn params_of_authority(scope: &Scope, now: Time) -> CertificateParams {
    let mut params = CertificateParams::default();
    // Nobody is to be deceived by mail or programs either.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let domains = scope.domains.iter().cloned().map(GeneralSubtree::DnsName);
    let networks = scope.networks.iter().map(|network| {
        let subnet = CidrSubnet::from_addr_prefix(network.address, network.bits);
        GeneralSubtree::IpAddress(subnet)
    });
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: domains.chain(networks).collect(),
        excluded_subtrees: Vec::new(),
    });
    during(&mut params, Term::of_authority(now));
    params
}

fn params_of_server(names: &[Name], term: Term) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "Quartet");
    let names = names.iter().map(|name| match name {
        Name::Dns(name) => name.as_str().try_into().map(SanType::DnsName),
        Name::Ip(ip) => Ok(SanType::IpAddress(*ip)),
    });
    params.subject_alt_names = names.collect::<Result<_, _>>()?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    during(&mut params, term);
    Ok(params)
}

fn during(params: &mut CertificateParams, term: Term) {
    let at = |time: Time| {
        let s = time.as_micros() / 1_000_000; // Certificates know whole seconds.
        date_time_ymd(1970, 1, 1) + Duration::from_secs(s)
    };
    (params.not_before, params.not_after) = (at(term.from), at(term.until));
}

pub(super) fn term_of(read: &X509Certificate<'_>) -> Term {
    let at = |time: ASN1Time| {
        let s = u64::try_from(time.timestamp()).unwrap_or_default();
        Time::ZERO.after(Duration::from_secs(s))
    };
    let validity = read.validity();
    Term {
        from: at(validity.not_before),
        until: at(validity.not_after),
    }
}

fn scope_of(read: &X509Certificate<'_>) -> Scope {
    let mut scope = Scope::default();
    let constraints = read.name_constraints().ok().flatten();
    let permitted = constraints.and_then(|they| they.value.permitted_subtrees.as_ref());
    for subtree in permitted.into_iter().flatten() {
        match &subtree.base {
            GeneralName::DNSName(name) => scope.domains.push((*name).to_owned()),
            GeneralName::IPAddress(bytes) => scope.networks.extend(Network::of_bytes(bytes)),
            _ => {}
        }
    }
    scope
}

fn name_of(name: &GeneralName<'_>) -> Option<Name> {
    match name {
        GeneralName::DNSName(name) => Some(Name::Dns((*name).to_owned())),
        GeneralName::IPAddress([a, b, c, d]) => Some(Name::Ip([*a, *b, *c, *d].into())),
        GeneralName::IPAddress(bytes) => {
            let bytes: [u8; 16] = (*bytes).try_into().ok()?;
            Some(Name::Ip(bytes.into()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls_pki_types::{ServerName, UnixTime};
    use tempfile::TempDir;
    use webpki::{EndEntityCert, anchor_from_trusted_cert, ring};

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);
    /// 2026-12-01.
    const NOW: Time = Time::from_micros(1_796_083_200_000_000);

    struct Place {
        folder: TempDir,
        servers: Servers,
    }

    fn place(computer: &str, configured: &[&str]) -> Place {
        let folder = TempDir::new().unwrap();
        let servers = Servers::open(folder.path(), computer, &names(configured), NOW).unwrap();
        Place { folder, servers }
    }

    fn names(texts: &[&str]) -> Vec<Name> {
        texts.iter().map(|name| name.parse().unwrap()).collect()
    }

    impl Place {
        /// The certificate that is shown, and whether it is new.
        fn certify(&self, called: &Called, now: Time) -> (CertificateDer<'static>, bool) {
            let certified = self.servers.certify(self.folder.path(), called, now);
            let (files, is_new) = certified.unwrap();
            (
                CertificateDer::from_pem_file(files.certificate).unwrap(),
                is_new,
            )
        }
    }

    /// Whether somebody who trusts the authority takes a certificate for that of a server of this name.
    fn is_believed(servers: &Servers, leaf: &CertificateDer<'_>, name: &str, at: Time) -> bool {
        let anchor = [anchor_from_trusted_cert(&servers.root.certificate).unwrap()];
        let leaf = EndEntityCert::try_from(leaf).unwrap();
        let at = UnixTime::since_unix_epoch(at.since(Time::ZERO));
        let usage = webpki::KeyUsage::server_auth();
        let algorithms = [ring::ECDSA_P256_SHA256];
        leaf.verify_for_usage(&algorithms, &anchor, &[], at, usage, None, None)
            .is_ok()
            && leaf
                .verify_is_valid_for_subject_name(&ServerName::try_from(name).unwrap())
                .is_ok()
    }

    #[test]
    fn the_hub_is_known_by_all_its_names_and_by_no_other() {
        let place = place("pi-4", &["hub.example"]);
        let addresses = ["192.168.0.7".parse().unwrap(), "8.8.8.8".parse().unwrap()];
        let called = Called::of("pi-4", &names(&["hub.example"]), &addresses);
        let called = place.servers.narrow(called).unwrap();
        let (leaf, is_new) = place.certify(&called, NOW);
        assert!(is_new);
        for name in [
            "localhost",
            "127.0.0.1",
            "::1",
            "pi-4",
            "pi-4.local",
            "quartet-pi-4.local",
            "hub.example",
            "192.168.0.7",
        ] {
            assert!(is_believed(&place.servers, &leaf, name, NOW), "{name}");
        }
        for name in ["example", "8.8.8.8", "other.local", "192.168.0.8"] {
            assert!(!is_believed(&place.servers, &leaf, name, NOW), "{name}");
        }
    }

    #[test]
    fn a_stolen_key_deceives_nobody_about_the_rest_of_the_internet() {
        let place = place("pi-4", &["hub.example"]);
        let forge = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let term = Term::of_server(NOW, place.servers.term);
            let params = params_of_server(&names(&[name]), term).unwrap();
            let forged = params.signed_by(&key, &place.servers.root.issuer).unwrap();
            is_believed(&place.servers, forged.der(), name, NOW)
        };
        for name in ["bank.example", "example", "dev", "8.8.8.8", "2001:db8::1"] {
            assert!(!forge(name), "{name}");
        }
        for name in ["other.local", "192.168.3.3", "a.hub.example", "fd12::1"] {
            assert!(forge(name), "{name}");
        }
    }

    #[test]
    fn a_certificate_stays_until_names_change_or_its_time_is_nearly_over() {
        let place = place("pi-4", &[]);
        let at = |ip: &str| Called::of("pi-4", &[], &[ip.parse().unwrap()]);
        let (first, _) = place.certify(&at("10.0.0.7"), NOW);
        assert_eq!(
            place.certify(&at("10.0.0.7"), NOW.after(200 * DAY)),
            (first.clone(), false)
        );
        let (moved, is_new) = place.certify(&at("10.0.0.8"), NOW.after(200 * DAY));
        assert!(is_new && moved != first);
        let (renewed, is_new) = place.certify(&at("10.0.0.8"), NOW.after(500 * DAY));
        assert!(is_new && renewed != moved);
        let behind = NOW.after(500 * DAY).since(Time::ZERO) - DAY / 2;
        assert!(is_believed(
            &place.servers,
            &renewed,
            "10.0.0.8",
            Time::ZERO.after(behind)
        ));
    }

    #[test]
    fn the_certificate_of_another_authority_or_of_a_lost_key_is_made_anew() {
        let place = place("pi-4", &[]);
        let called = Called::of("pi-4", &[], &[]);
        let files = Pair::of(place.folder.path(), "hub");
        // As hubs made it before they had an authority.
        let old = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        files.write(&old.cert.pem(), &old.signing_key).unwrap();
        let (leaf, is_new) = place.certify(&called, NOW);
        assert!(is_new && is_believed(&place.servers, &leaf, "localhost", NOW));
        std::fs::write(&files.key, old.signing_key.serialize_pem()).unwrap();
        assert!(place.certify(&called, NOW).1);
        std::fs::write(&files.certificate, "half").unwrap();
        assert!(place.certify(&called, NOW).1);
        assert!(!place.certify(&called, NOW).1);
    }

    #[test]
    fn the_authority_is_made_once_and_says_what_does_not_fit_it() {
        let place = place("pi-4", &[]);
        let again =
            Servers::open(place.folder.path(), "other", &names(&["hub.example"]), NOW).unwrap();
        assert_eq!(again.root.certificate, place.servers.root.certificate);
        assert_eq!(again.scope, Scope::of("pi-4", &[]));
        let error = again.narrow(Called::of("other", &names(&["hub.example"]), &[]));
        let error = error.unwrap_err().to_string();
        for part in [
            "tls.names",
            "hub.example",
            "localhost, local",
            "tls.certificate",
            "hub-ca.key",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let public = again.public().unwrap();
        assert_eq!(public.fingerprint.len(), 32 * 3 - 1);
        assert!(
            public.title.starts_with("Quartet hub pi-4 "),
            "{}",
            public.title
        );
    }
}
