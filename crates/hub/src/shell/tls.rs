//! Certificates and their keys in files, and what new connections are shown of them: another one on demand, without touching
//! open connections. Which one that is says [`Identity`](super::identity::Identity).

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rcgen::KeyPair;
use rustls::{
    RootCertStore, ServerConfig, ServerConnection,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::{acme::Acme, authority::Authority};
use crate::config::ClientCertificates;

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {what} from {path}: {source}")]
    Read {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// A file cannot be written.
    #[error("cannot keep the hub's own certificate at {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The hub is called what its own authority may not vouch for.
    #[error(
        "tls.names has {names}, and the hub's own authority in {certificate} may vouch for nothing but {scope}: that was settled when it was made; use a name below one of these, or give tls.certificate and tls.key for the others, or remove {certificate} and {key}: then another one is made at the next start, which all devices have to trust anew"
    )]
    Names {
        /// Those.
        names: String,
        /// What it may vouch for.
        scope: String,
        /// The authority's certificate.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// The files do not fit together.
    #[error("the certificate, its key or the client authority cannot be used: {0}")]
    Unusable(String),
}

/// The folder of certificates and their keys in the data folder.
pub(super) const TLS: &str = "tls";
/// What the name of a file ends with while it is written.
pub(super) const HALF: &str = "new";

/// A certificate with its chain, and its key, as files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// The configurations for new connections: without, with optional, with required client
/// certificates.
pub(super) struct Configs([Arc<ServerConfig>; 3]);

/// What holds for the connections of one protocol.
pub(super) struct Certificates {
    /// What is offered to be spoken (ALPN).
    protocols: &'static [&'static [u8]],
    authority: Option<Arc<Authority>>,
    /// Domains that have a certificate of their own.
    acme: Option<Arc<Acme>>,
    configs: RwLock<Configs>,
}

impl Certificates {
    /// For MQTT, straight or over WebSocket.
    pub(super) const MQTT: &'static [&'static [u8]] = &[];
    /// For HTTPS.
    pub(super) const HTTPS: &'static [&'static [u8]] = &[b"h2", b"http/1.1"];

    pub(super) fn new(
        protocols: &'static [&'static [u8]],
        shown: &Pair,
        client_ca: Option<&Path>,
        authority: Option<Arc<Authority>>,
        acme: Option<Arc<Acme>>,
    ) -> Result<Self, TlsError> {
        let domains = acme.clone();
        let configs = configs(shown, client_ca, protocols, authority.as_deref(), domains)?;
        Ok(Self {
            protocols,
            authority,
            acme,
            configs: RwLock::new(configs),
        })
    }

    /// Whose client certificates say for which element they are.
    pub(super) fn authority(&self) -> Option<&Arc<Authority>> {
        self.authority.as_ref()
    }

    /// Reads files, and changes nothing yet.
    pub(super) fn read(&self, shown: &Pair, client_ca: Option<&Path>) -> Result<Configs, TlsError> {
        let (authority, acme) = (self.authority.as_deref(), self.acme.clone());
        configs(shown, client_ca, self.protocols, authority, acme)
    }

    /// Lets what was read hold for new connections. Those that are open stay as they are.
    pub(super) fn take_over(&self, configs: Configs) {
        *self.configs.write().unwrap_or_else(PoisonError::into_inner) = configs;
    }

    /// The server's half of a new connection.
    pub(super) fn server(
        &self,
        client_certificates: ClientCertificates,
    ) -> Result<ServerConnection, rustls::Error> {
        ServerConnection::new(self.config(client_certificates))
    }

    /// What holds for the next connection.
    pub(super) fn config(&self, client_certificates: ClientCertificates) -> Arc<ServerConfig> {
        let configs = self.configs.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&configs.0[client_certificates as usize])
    }
}

/// Which certificate a connection is shown: that of the domain which it looks for, or the hub's.
struct Resolver {
    own: Arc<CertifiedKey>,
    acme: Option<Arc<Acme>>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = self.acme.as_ref().zip(hello.server_name());
        let of_domain = named.and_then(|(acme, name)| acme.certificate(name));
        Some(of_domain.unwrap_or_else(|| Arc::clone(&self.own)))
    }
}

/// What is wrong with certificates, in the words of whoever found it.
pub(super) fn unusable(why: impl std::fmt::Display) -> TlsError {
    TlsError::Unusable(why.to_string())
}

fn configs(
    shown: &Pair,
    client_ca: Option<&Path>,
    protocols: &[&[u8]],
    authority: Option<&Authority>,
    acme: Option<Arc<Acme>>,
) -> Result<Configs, TlsError> {
    let chain = read_certificates(&shown.certificate, "a certificate")?;
    let key = PrivateKeyDer::from_pem_file(&shown.key).map_err(|source| TlsError::Read {
        what: "a private key",
        path: shown.key.clone(),
        source,
    })?;
    let provider = Arc::new(ring::default_provider());
    let own = CertifiedKey::from_der(chain, key, &provider).map_err(unusable)?;
    let resolver = Arc::new(Resolver {
        own: Arc::new(own),
        acme,
    });
    let mut roots = RootCertStore::empty();
    if let Some(path) = client_ca {
        for authority in read_certificates(path, "the client authority")? {
            roots.add(authority).map_err(unusable)?;
        }
    }
    if let Some(authority) = authority {
        let certificate = authority.certificate().clone();
        roots.add(certificate).map_err(unusable)?;
    }
    let with = |verifier: Arc<dyn ClientCertVerifier>| {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::<Resolver>::clone(&resolver));
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    };
    let none = with(WebPkiClientVerifier::no_client_auth())?;
    if roots.is_empty() {
        return Ok(Configs([Arc::clone(&none), Arc::clone(&none), none]));
    }
    let roots = Arc::new(roots);
    let verifier = |is_optional: bool| {
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
        let builder = if is_optional {
            builder.allow_unauthenticated()
        } else {
            builder
        };
        builder.build().map_err(unusable)
    };
    Ok(Configs([
        none,
        with(verifier(true)?)?,
        with(verifier(false)?)?,
    ]))
}

fn read_certificates(
    path: &Path,
    what: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let error = |source| TlsError::Read {
        what,
        path: path.to_owned(),
        source,
    };
    CertificateDer::pem_file_iter(path)
        .map_err(error)?
        .collect::<Result<_, _>>()
        .map_err(error)
}

impl Pair {
    /// The one of this name that the hub keeps in a data folder.
    pub(super) fn of(data: &Path, name: &str) -> Self {
        let folder = data.join(TLS);
        let file = |end: &str| folder.join(format!("{name}.{end}"));
        Self {
            certificate: file("crt"),
            key: file("key"),
        }
    }

    pub(super) fn are_there(&self) -> bool {
        self.certificate.exists() && self.key.exists()
    }

    /// Keeps a certificate in PEM and its key, in place of what was there. Whoever dies between the two leaves a pair that
    /// does not fit.
    pub(super) fn write(&self, certificate: &str, key: &KeyPair) -> Result<(), TlsError> {
        let write = |path: &Path, text: &str| {
            let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
            let written = folder.and_then(|()| write_private(path, text));
            written.map_err(|source| TlsError::Write {
                path: path.to_owned(),
                source,
            })
        };
        write(&self.key, &key.serialize_pem())?;
        write(&self.certificate, certificate)
    }
}

/// Secrets are for the hub's own eyes. A file is there as a whole, or as it was before.
pub(super) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let beside = path.with_added_extension(HALF);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(beside, path)
}
