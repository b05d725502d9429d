//! Certificates that an authority of the Internet issues for domains (ACME, RFC 8555).

use std::path::PathBuf;

/// Let's Encrypt.
const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// What is to be ordered, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acme {
    /// Names below which the hub is reached; nothing is ordered while there are none.
    pub domains: Vec<String>,
    /// Where the authority reaches the administrator: `mailto:` URLs.
    pub contact: Vec<String>,
    /// The authority: the URL of its directory.
    pub directory: String,
    /// PEM of who signed the authority's own server certificate, if nobody knows it.
    pub root: Option<PathBuf>,
    /// Whether the administrator agrees to the authority's terms of service.
    pub agree: bool,
}

impl Default for Acme {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            contact: Vec::new(),
            directory: DIRECTORY.to_owned(),
            root: None,
            agree: false,
        }
    }
}

impl Acme {
    /// Whether certificates are ordered.
    pub fn is_on(&self) -> bool {
        !self.domains.is_empty()
    }

    /// Whether a text is where a directory may be: nobody on the way may change what it says [RFC 8555 6.1].
    pub(super) fn is_directory(text: &str) -> bool {
        let Ok(url) = url::Url::parse(text) else {
            return false;
        };
        url.scheme() == "https" && url.has_host() && url.fragment().is_none()
    }
}
