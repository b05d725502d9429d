//! What a server is called: a DNS name or an address.

use std::{fmt, net::IpAddr, str::FromStr};

/// A DNS name in small letters (RFC 1123, section 2.1), without a dot at its end; or an address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Name {
    /// `hub.lan`
    Dns(String),
    /// `192.168.0.7`
    Ip(IpAddr),
}

/// Why a text is no name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a name like \"hub.lan\" or an address like \"192.168.0.7\", without scheme, port and `*`; names with other letters than a to z as \"xn--…\""
)]
pub struct NotAName;

/// Bytes of a DNS name, and of a part of it (RFC 1035, section 2.3.4).
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let bare = text.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
        if let Ok(ip) = bare.unwrap_or(text).parse::<IpAddr>() {
            let ip = ip.to_canonical();
            let is_of_one = !ip.is_unspecified() && !ip.is_multicast();
            return is_of_one.then_some(Self::Ip(ip)).ok_or(NotAName);
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let last = name.rsplit('.').next().unwrap_or_default();
        let is_like_an_address = last.bytes().all(|byte| byte.is_ascii_digit());
        let is_name =
            name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label) && !is_like_an_address;
        is_name.then_some(Self::Dns(name)).ok_or(NotAName)
    }
}

fn is_label(label: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && label.bytes().all(fits)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

impl Name {
    /// As it stands in a URL.
    pub(crate) fn in_url(&self) -> String {
        match self {
            Self::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let read = text.parse::<Name>().ok().map(|name| name.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_name_is_what_a_certificate_can_hold() {
        check("Hub.LAN", Some("hub.lan"));
        check("hub.example.", Some("hub.example"));
        check("192.168.0.7", Some("192.168.0.7"));
        check("[fd00::7]", Some("fd00::7"));
        check("::ffff:10.0.0.7", Some("10.0.0.7"));
        for odd in [
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "*.lan",
            "http://hub",
            "hub:80",
            "a b",
            "hüb",
            "1.2.3",
            "0.0.0.0",
            "ff02::1",
            "a_b",
        ] {
            check(odd, None);
        }
        check(&"a".repeat(64), None);
    }

    #[test]
    fn an_address_of_ipv6_stands_in_brackets_in_a_url() {
        assert_eq!("fd00::7".parse::<Name>().unwrap().in_url(), "[fd00::7]");
        assert_eq!("hub.lan".parse::<Name>().unwrap().in_url(), "hub.lan");
    }
}
