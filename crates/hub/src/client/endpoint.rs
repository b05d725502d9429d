//! Where a broker listens, as users write it: `mqtt://host:port`, `mqtts://host:port`,
//! `unix:///path`.

use std::{fmt, path::PathBuf, str::FromStr};

/// Where a broker listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Endpoint {
    /// `mqtt://host:port`; the port is 1883 unless given.
    Tcp {
        /// Name or address.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// `mqtts://host:port`; the port is 8883 unless given.
    Tls {
        /// Name or address; the certificate must be for it.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// `unix:///path`.
    Unix(PathBuf),
}

/// Why a text is no endpoint.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EndpointError {
    /// A scheme that we do not speak.
    #[error(
        "`{0}` is no scheme that can be spoken here; write mqtt://host:1883, mqtts://host:8883 or unix:///path"
    )]
    Scheme(String),
    /// There is nothing where the host should stand.
    #[error("`{0}` names no host; write mqtt://host:1883")]
    NoHost(String),
    /// What follows the last colon is no port.
    #[error("`{0}` is no port; ports are numbers from 1 to 65535")]
    Port(String),
    /// Something follows the port.
    #[error("nothing may follow the port, but `{0}` does; the topic is given by itself")]
    Rest(String),
    /// User name and password do not belong here.
    #[error(
        "user name and password do not belong into the URL, where others can read them; use --user and --password or their environment variables"
    )]
    Login,
}

impl Endpoint {
    /// Reads a URL; a bare `host` or `host:port` means `mqtt://`.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("mqtt", text));
        match scheme {
            "mqtt" => authority(text, rest, 1883).map(|(host, port)| Self::Tcp { host, port }),
            "mqtts" => authority(text, rest, 8883).map(|(host, port)| Self::Tls { host, port }),
            "unix" if rest.is_empty() => Err(EndpointError::NoHost(text.to_owned())),
            "unix" => Ok(Self::Unix(PathBuf::from(rest))),
            other => Err(EndpointError::Scheme(other.to_owned())),
        }
    }
}

fn authority(text: &str, rest: &str, port: u16) -> Result<(String, u16), EndpointError> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains('@') {
        return Err(EndpointError::Login);
    }
    if let Some((_, path)) = rest.split_once('/') {
        return Err(EndpointError::Rest(format!("/{path}")));
    }
    // An IPv6 address stands in brackets, so that its colons are not taken for the port's.
    let (host, port_text) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, tail)) => (host, Some(tail.strip_prefix(':').unwrap_or(tail))),
        None => match rest.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    if host.is_empty() {
        return Err(EndpointError::NoHost(text.to_owned()));
    }
    let port = match port_text {
        None => port,
        Some(text) => match text.parse() {
            Ok(port) if port != 0 => port,
            _ => return Err(EndpointError::Port(text.to_owned())),
        },
    };
    Ok((host.to_owned(), port))
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Self::parse(text)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Unix(path) => return write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } => ("mqtt", host, port),
            Self::Tls { host, port } => ("mqtts", host, port),
        };
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let endpoint = Endpoint::parse(text).map(|endpoint| endpoint.to_string());
        assert_eq!(endpoint.as_deref(), Ok(expected), "{text}");
    }

    #[test]
    fn what_is_left_out_has_its_usual_value() {
        check("localhost", "mqtt://localhost:1883");
        check("localhost:1884", "mqtt://localhost:1884");
        check("mqtt://localhost/", "mqtt://localhost:1883");
        check("mqtts://hub.example", "mqtts://hub.example:8883");
        check("unix:///run/quartet/mqtt", "unix:///run/quartet/mqtt");
    }

    #[test]
    fn an_ipv6_address_stands_in_brackets() {
        check("mqtt://[::1]", "mqtt://[::1]:1883");
        check("mqtt://[fd00::7]:1884", "mqtt://[fd00::7]:1884");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |text| Endpoint::parse(text).unwrap_err();
        assert_eq!(wrong("http://x"), EndpointError::Scheme("http".into()));
        assert_eq!(wrong("mqtt://"), EndpointError::NoHost("mqtt://".into()));
        assert_eq!(wrong("mqtt://x:0"), EndpointError::Port("0".into()));
        assert_eq!(wrong("mqtt://x:70000"), EndpointError::Port("70000".into()));
        assert_eq!(wrong("mqtt://x:1/t"), EndpointError::Rest("/t".into()));
        assert_eq!(wrong("mqtt://a:b@x"), EndpointError::Login);
    }
}
