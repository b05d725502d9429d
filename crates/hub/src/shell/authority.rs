//! The hub's own authority for client certificates (X.509): each is for one element, and says which.
//!
//! That a certificate was issued says only for whom. Whether it is still good says the element's
//! credentials, as of every other one.

use std::{path::Path, time::Duration};

use quartet_model::Time;
use quartet_people::credentials::{Proof, Shown};
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber, date_time_ymd,
};
use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::{root::Root, tls::TlsError};

/// How far the clocks of things may be behind.
const CLOCKS_DIFFER: Duration = Duration::from_secs(24 * 3600);
/// The last day that a certificate can name, since 1970 (RFC 5280, section 4.1.2.5): it is good
/// until it is taken back.
const LAST: Duration = Duration::from_secs(253_402_214_400);
/// What the URI in a certificate begins with; the element's key follows.
const URI: &str = "quartet:";

/// The authority.
pub(crate) struct Authority(Root);

/// What was issued.
pub(crate) struct Issued {
    /// PEM.
    pub(crate) certificate: String,
    /// PEM, if the hub made it.
    pub(crate) key: Option<String>,
    /// What the hub knows it by.
    pub(crate) proof: Proof,
}

/// Why nothing is issued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotIssued {
    #[error("it is no certificate signing request (PKCS #10) in PEM: {0}")]
    Request(rcgen::Error),
    #[error("no certificate can be made of it: {0}")]
    Unusable(#[from] rcgen::Error),
}

impl Authority {
    /// The one of a data folder; made once.
    pub(super) fn open(data: &Path) -> Result<Self, TlsError> {
        let made = CertificateParams::default;
        Root::open(data, "things-ca", "Quartet things", made).map(Self)
    }

    /// Whom listeners have to trust.
    pub(super) fn certificate(&self) -> &CertificateDer<'static> {
        &self.0.certificate
    }

    /// Issues a certificate for an element that is good until a time: for the key of a signing
    /// request, or for a new one.
    pub(crate) fn issue(
        &self,
        element: &str,
        request: Option<&str>,
        serial: [u8; 16],
        now: Time,
        until: Time,
    ) -> Result<Issued, NotIssued> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, element);
        let uri: String = form_urlencoded::byte_serialize(element.as_bytes()).collect();
        let uri = format!("{URI}{uri}");
        params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.serial_number = Some(positive(serial));
        let epoch = date_time_ymd(1970, 1, 1);
        let since = Duration::from_micros(now.as_micros()).saturating_sub(CLOCKS_DIFFER);
        params.not_before = epoch + since;
        params.not_after = epoch + Duration::from_micros(until.as_micros()).min(LAST);
        let (certificate, key) = match request {
            Some(text) => {
                let request =
                    CertificateSigningRequestParams::from_pem(text).map_err(NotIssued::Request)?;
                (params.signed_by(&request.public_key, &self.0.issuer)?, None)
            }
            None => {
                let key = KeyPair::generate()?;
                let certificate = params.signed_by(&key, &self.0.issuer)?;
                (certificate, Some(key.serialize_pem()))
            }
        };
        Ok(Issued {
            proof: Proof::of_certificate(certificate.der()),
            certificate: certificate.pem(),
            key,
        })
    }

    /// What a client's certificate shows, if this authority issued it; its signature was checked.
    pub(crate) fn shown(&self, certificate: &CertificateDer<'_>) -> Option<Shown> {
        let read = EndEntityCert::try_from(certificate).ok()?;
        if read.issuer() != self.0.subject {
            return None;
        }
        let mut uris = read.valid_uri_names();
        let element = uris.find_map(|uri| uri.strip_prefix(URI))?;
        let (element, _) = form_urlencoded::parse(element.as_bytes()).next()?;
        Some(Shown {
            name: (&*element).into(),
            proof: Proof::of_certificate(certificate),
        })
    }
}

/// A serial number must be positive, and at most 20 bytes [RFC 5280 4.1.2.2].
fn positive(mut serial: [u8; 16]) -> SerialNumber {
    serial[0] = serial[0] & 0x7F | 0x40;
    SerialNumber::from_slice(&serial)
}
