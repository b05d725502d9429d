//! A certificate that signs others, with its key: made once, kept in a data folder.

use std::{fs, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use webpki::anchor_from_trusted_cert;

use super::tls::{Pair, TlsError, unusable};

/// Characters of a name in a certificate (RFC 5280, appendix A.1: `ub-common-name`).
const NAME_CHARS_MAX: usize = 64;

/// The certificate.
pub(super) struct Root {
    pub(super) issuer: Issuer<'static, KeyPair>,
    pub(super) certificate: CertificateDer<'static>,
    /// As it stands in what it issued.
    pub(super) subject: Vec<u8>,
    /// Where it is kept.
    pub(super) files: Pair,
}

impl Root {
    /// The one of this name in a data folder; made as `params` says if there is none. `title` is for people.
    pub(super) fn open(
        data: &Path,
        name: &str,
        title: &str,
        params: impl FnOnce() -> CertificateParams,
    ) -> Result<Self, TlsError> {
        let files = Pair::of(data, name);
        if !files.are_there() {
            let (certificate, key) = make(title, params()).map_err(unusable)?;
            files.write(&certificate, &key)?;
        }
        let unusable = |path: &Path, why: &dyn std::fmt::Display| {
            TlsError::Unusable(format!("{}: {why}", path.display()))
        };
        let (certificate, key) = (&files.certificate, &files.key);
        let secret = fs::read_to_string(key).map_err(|error| unusable(key, &error))?;
        let secret = KeyPair::from_pem(&secret).map_err(|error| unusable(key, &error))?;
        let der = CertificateDer::from_pem_file(certificate)
            .map_err(|error| unusable(certificate, &error))?;
        let issuer = Issuer::from_ca_cert_der(&der, secret)
            .map_err(|error| unusable(certificate, &error))?;
        let subject = anchor_from_trusted_cert(&der)
            .map_err(|error| unusable(certificate, &error))?
            .subject
            .to_vec();
        Ok(Self {
            issuer,
            certificate: der,
            subject,
            files,
        })
    }
}

/// A certificate that signs itself, in PEM, and its key.
fn make(title: &str, mut params: CertificateParams) -> Result<(String, KeyPair), rcgen::Error> {
    let key = KeyPair::generate()?;
    // No other hub's has this name.
    let own = key.subject_public_key_info();
    let own = own.iter().rev().take(8).map(|byte| format!("{byte:02x}"));
    let own: String = own.collect();
    let title: String = title.chars().take(NAME_CHARS_MAX - 1 - own.len()).collect();
    let name = format!("{title} {own}");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok((params.self_signed(&key)?.pem(), key))
}
