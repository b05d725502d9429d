//! Identity providers where persons may sign in (OpenID Connect).

use std::path::PathBuf;

/// One of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Provider {
    /// What it is called in addresses: `/sign-in/oidc/{name}`.
    pub name: String,
    /// What stands on its button; the name if nothing is said.
    pub title: String,
    /// Who it is: the URL below which its description is found.
    pub issuer: String,
    /// What the hub is called there.
    pub client_id: String,
    /// The file with the secret of the hub there, if it has one.
    pub client_secret_file: Option<PathBuf>,
    /// Which of its claims says in which groups somebody is; each becomes a team.
    pub groups: Option<String>,
    /// Whether whoever signs in there for the first time gets an account.
    pub create: bool,
    /// The program that provisions (SCIM) those who sign in there: who has the same name is the same.
    pub provisioned_by: Option<String>,
}

impl Provider {
    /// Whether a name can stand in addresses.
    pub(super) fn is_name(name: &str) -> bool {
        let is_right =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=32).contains(&name.len()) && name.bytes().all(is_right)
    }

    /// Whether an issuer is one that can be believed: nobody on the way may change what it says.
    pub(super) fn is_issuer(issuer: &str) -> bool {
        let Ok(url) = url::Url::parse(issuer) else {
            return false;
        };
        let is_plain = url.query().is_none() && url.fragment().is_none();
        let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        is_plain && (url.scheme() == "https" || url.scheme() == "http" && is_here)
    }
}
