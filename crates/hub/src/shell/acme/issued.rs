//! A certificate that was issued, with its key, and whether it is what was ordered.

use std::sync::Arc;

use quartet_model::Time;
use rustls::{crypto::ring, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer};

use crate::{shell::servers::term_of, trust::Term};

/// The certificate.
#[derive(Debug)]
pub(crate) struct Issued {
    /// Domains, in small letters.
    names: Vec<String>,
    term: Term,
    issuer: String,
    key: Arc<CertifiedKey>,
}

impl Issued {
    /// Reads the key and the chain, both in PEM. An error says what is wrong with them.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes());
        let key = key.map_err(|why| format!("its key cannot be read: {why}"))?;
        let chain = CertificateDer::pem_slice_iter(text.as_bytes());
        let chain: Vec<_> = chain
            .collect::<Result<_, _>>()
            .map_err(|why| format!("it is no PEM: {why}"))?;
        let leaf = chain.first().cloned().ok_or("there is none in it")?;
        let (_, read) = X509Certificate::from_der(&leaf)
            .map_err(|why| format!("it is no certificate: {why}"))?;
        let names = read.subject_alternative_name();
        let names = names.map_err(|why| format!("its names cannot be read: {why}"))?;
        let names = names.map(|names| &names.value.general_names);
        let names = names.into_iter().flatten().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        });
        // That says as well whether the key is that of the certificate.
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider());
        Ok(Self {
            names: names.collect(),
            term: term_of(&read),
            issuer: read.issuer().to_string(),
            key: Arc::new(key.map_err(|why| format!("its key does not fit: {why}"))?),
        })
    }

    /// Whether it is for these domains, and good now. An error says why it is not.
    pub(super) fn check(&self, domains: &[String], now: Time) -> Result<(), String> {
        if let Some(missing) = domains.iter().find(|domain| !self.is_for(domain)) {
            let names = self.names.join(", ");
            return Err(format!("it is for {names}, and not for {missing}"));
        }
        let Term { from, until } = self.term;
        if until <= now {
            return Err(format!("it was good until {} only", until.rfc3339()));
        }
        // The hub's clock may be a little behind.
        let soon = now.after(std::time::Duration::from_secs(3600));
        match soon < from {
            true => Err(format!("it is good from {} on only", from.rfc3339())),
            false => Ok(()),
        }
    }

    /// The same for those of these domains that it is for: others are not ours any more.
    pub(super) fn of(mut self, domains: &[String]) -> Self {
        self.names.retain(|name| domains.contains(name));
        self
    }

    /// Whether it is shown to whoever looks for this name.
    pub(super) fn is_for(&self, name: &str) -> bool {
        let mut names = self.names.iter();
        names.any(|own| own.eq_ignore_ascii_case(name))
    }

    pub(super) fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// From when until when it is good.
    pub(crate) fn term(&self) -> Term {
        self.term
    }

    /// The domains that it is shown for.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Who issued it.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }
}
