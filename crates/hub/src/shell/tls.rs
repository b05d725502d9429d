//! Certificates: read from files, or made by the hub itself; read again on demand, without
//! touching open connections.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rcgen::KeyPair;
use rustls::{
    RootCertStore, ServerConfig, ServerConnection,
    crypto::ring,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::authority::Authority;
use crate::config::{ClientCertificates, Tls};

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
    /// The files do not fit together.
    #[error("the certificate, its key or the client authority cannot be used: {0}")]
    Unusable(String),
}

/// The configurations for new connections: without, with optional, with required client
/// certificates.
struct Configs([Arc<ServerConfig>; 3]);

/// The certificates in use.
pub(super) struct Certificates {
    data: PathBuf,
    /// What is offered to be spoken (ALPN).
    protocols: &'static [&'static [u8]],
    authority: Option<Arc<Authority>>,
    configs: RwLock<Configs>,
}

impl Certificates {
    /// For MQTT, straight or over WebSocket.
    pub(super) fn mqtt(
        tls: &Tls,
        data: &Path,
        authority: Option<Arc<Authority>>,
    ) -> Result<Self, TlsError> {
        Self::load(tls, data, &[], authority)
    }

    /// For HTTPS.
    pub(super) fn https(
        tls: &Tls,
        data: &Path,
        authority: Option<Arc<Authority>>,
    ) -> Result<Self, TlsError> {
        Self::load(tls, data, &[b"h2", b"http/1.1"], authority)
    }

    fn load(
        tls: &Tls,
        data: &Path,
        protocols: &'static [&'static [u8]],
        authority: Option<Arc<Authority>>,
    ) -> Result<Self, TlsError> {
        let configs = configs(tls, data, protocols, authority.as_deref())?;
        Ok(Self {
            data: data.to_owned(),
            protocols,
            authority,
            configs: RwLock::new(configs),
        })
    }

    /// Whose client certificates say for which element they are.
    pub(super) fn authority(&self) -> Option<&Arc<Authority>> {
        self.authority.as_ref()
    }

    /// Reads the files again. Connections that are open stay as they are; if the files cannot
    /// be used, everything stays as it is.
    pub(super) fn reload(&self, tls: &Tls) -> Result<(), TlsError> {
        let configs = configs(tls, &self.data, self.protocols, self.authority.as_deref())?;
        *self.configs.write().unwrap_or_else(PoisonError::into_inner) = configs;
        Ok(())
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

fn configs(
    tls: &Tls,
    data: &Path,
    protocols: &[&[u8]],
    authority: Option<&Authority>,
) -> Result<Configs, TlsError> {
    let unusable = |error: &dyn std::fmt::Display| TlsError::Unusable(error.to_string());
    let (certificate, key) = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
        _ => own_certificate(data)?,
    };
    let chain = read_certificates(&certificate, "a certificate")?;
    let key = PrivateKeyDer::from_pem_file(&key).map_err(|source| TlsError::Read {
        what: "a private key",
        path: key.clone(),
        source,
    })?;
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    if let Some(path) = &tls.client_ca {
        for authority in read_certificates(path, "the client authority")? {
            roots.add(authority).map_err(|error| unusable(&error))?;
        }
    }
    if let Some(authority) = authority {
        let certificate = authority.certificate().clone();
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    let with = |verifier: Arc<dyn ClientCertVerifier>| {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|error| unusable(&error))?;
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
        builder.build().map_err(|error| unusable(&error))
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

/// A certificate that the hub signed itself, for listeners that were given none.
fn own_certificate(data: &Path) -> Result<(PathBuf, PathBuf), TlsError> {
    own_pair(data, "hub", || {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names)?;
        Ok((made.cert.pem(), made.signing_key))
    })
}

/// The files of a certificate and its key that the hub makes itself, once.
pub(super) fn own_pair(
    data: &Path,
    name: &str,
    make: impl FnOnce() -> Result<(String, KeyPair), rcgen::Error>,
) -> Result<(PathBuf, PathBuf), TlsError> {
    let folder = data.join("tls");
    let file = |end: &str| folder.join(format!("{name}.{end}"));
    let (certificate, key) = (file("crt"), file("key"));
    if certificate.exists() && key.exists() {
        return Ok((certificate, key));
    }
    let (made, secret) = make().map_err(|error| TlsError::Unusable(error.to_string()))?;
    let write = |path: &Path, source| TlsError::Write {
        path: path.to_owned(),
        source,
    };
    fs::create_dir_all(&folder).map_err(|source| write(&folder, source))?;
    write_private(&key, &secret.serialize_pem()).map_err(|source| write(&key, source))?;
    write_private(&certificate, &made).map_err(|source| write(&certificate, source))?;
    Ok((certificate, key))
}

/// Secrets are for the hub's own eyes.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
