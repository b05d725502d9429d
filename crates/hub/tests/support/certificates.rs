use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// An authority whose certificate is a file, as clients want it.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its certificate.
    pub(crate) file: PathBuf,
    folder: PathBuf,
}

/// A certificate with its key, as files.
pub(crate) struct Certificate {
    pub(crate) file: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = folder.join(format!("{name}.pem"));
        fs::write(&file, issuer.pem()).unwrap();
        Self {
            issuer,
            file,
            folder: folder.to_owned(),
        }
    }

    /// A certificate for a server on this machine; it takes the place of one of the same name.
    pub(crate) fn server(&self, name: &str) -> Certificate {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let params = CertificateParams::new(names).unwrap();
        self.sign(params, name, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate for a client.
    pub(crate) fn client(&self, name: &str) -> Certificate {
        let params = CertificateParams::default();
        self.sign(params, name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        name: &str,
        usage: ExtendedKeyUsagePurpose,
    ) -> Certificate {
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let at = |end: &str| self.folder.join(format!("{name}.{end}"));
        let files = Certificate {
            file: at("crt"),
            key: at("key"),
        };
        fs::write(&files.file, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    /// What a `[tls]` part says in addition, for clients that show certificates by this authority.
    pub(crate) fn client_toml(&self) -> String {
        format!("client_ca = \"{}\"\n", self.file.display())
    }

    /// A client's half of TLS that trusts this authority and shows a certificate, if given.
    pub(crate) fn trusted_by(&self, own: Option<&Certificate>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match own {
            None => builder.with_no_client_auth(),
            Some(own) => builder
                .with_client_auth_cert(own.chain(), PrivateKeyDer::from_pem_file(&own.key).unwrap())
                .unwrap(),
        })
    }
}

impl Certificate {
    /// As it is shown to the other side.
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_file(&self.file).unwrap()]
    }

    /// The `[tls]` part of a configuration that shows this certificate.
    pub(crate) fn toml(&self) -> String {
        let (file, key) = (self.file.display(), self.key.display());
        format!("[tls]\ncertificate = \"{file}\"\nkey = \"{key}\"\n")
    }
}

/// TLS over a connection to this machine.
pub(crate) fn tls(wire: TcpStream, config: Arc<ClientConfig>) -> Tls {
    let name = "127.0.0.1".try_into().unwrap();
    StreamOwned::new(ClientConnection::new(config, name).unwrap(), wire)
}

/// A stream of TLS.
pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;
