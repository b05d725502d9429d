//! What the authority finds when it looks whether a domain is the hub's: a certificate for a protocol of its own
//! (TLS-ALPN-01, RFC 8737), or a text at a path (HTTP-01, RFC 8555, section 8.3). Only while an order waits for it.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::shell::tls::{TlsError, unusable};

/// What whoever looks for a certificate offers to speak, and nothing else [RFC 8737 4].
const PROTOCOL: &[u8] = b"acme-tls/1";

/// The answers.
pub(crate) struct Answers {
    held: Arc<Certificates>,
    /// By token.
    texts: RwLock<HashMap<String, String>>,
    config: Arc<ServerConfig>,
}

/// By domain.
#[derive(Default, Debug)]
struct Certificates(RwLock<HashMap<String, Arc<CertifiedKey>>>);

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?.to_ascii_lowercase();
        self.0.read().get(&name).cloned()
    }
}

impl Answers {
    pub(super) fn new() -> Result<Arc<Self>, TlsError> {
        let held = Arc::new(Certificates::default());
        let resolver = Arc::clone(&held);
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            // Whoever looks shows nothing of its own, whatever the listener asks of clients.
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Arc::new(Self {
            held,
            texts: RwLock::default(),
            config: Arc::new(config),
        }))
    }

    /// Answers for a domain with a certificate that carries the hash of a key authorization [RFC 8737 3].
    pub(super) fn show(&self, domain: &str, digest: &[u8]) -> Result<(), rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([domain.to_owned()])?;
        let identifier = CustomExtension::new_acme_identifier(digest);
        params.custom_extensions.push(identifier);
        let certificate = params.self_signed(&key)?;
        let secret = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let secret = ring::sign::any_supported_type(&secret)
            .map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
        // Nobody looks whether they fit: the extension is critical, and unknown to whoever reads certificates.
        let made = CertifiedKey::new(vec![certificate.der().clone()], secret);
        let mut held = self.held.0.write();
        held.insert(domain.to_ascii_lowercase(), Arc::new(made));
        Ok(())
    }

    /// Answers to a token with a text.
    pub(super) fn say(&self, token: &str, text: &str) {
        self.texts.write().insert(token.to_owned(), text.to_owned());
    }

    /// Nobody waits any more.
    pub(super) fn clear(&self) {
        self.held.0.write().clear();
        self.texts.write().clear();
    }

    /// What is said to a token.
    pub(crate) fn text(&self, token: &str) -> Option<String> {
        self.texts.read().get(token).cloned()
    }

    /// What holds for a connection that begins like this, if it is an authority that looks.
    pub(crate) fn config(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        let mut protocols = hello.alpn()?;
        let is_only = protocols.next() == Some(PROTOCOL) && protocols.next().is_none();
        is_only.then(|| Arc::clone(&self.config))
    }
}
