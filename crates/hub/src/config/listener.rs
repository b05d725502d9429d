//! Where the hub listens, as a URL: `mqtts://0.0.0.0:8883?client-certificates=required`.
//! What is not encrypted stays on this machine unless somebody says otherwise.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6},
    path::PathBuf,
    str::FromStr,
};

use super::words::{nearest, quoted};

/// What is spoken at a listener.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    /// MQTT over TCP or a Unix socket.
    Mqtt,
    /// MQTT over TLS.
    Mqtts,
    /// MQTT over web sockets.
    Ws,
    /// MQTT over web sockets over TLS.
    Wss,
    /// The HTTP API and the app.
    Http,
    /// The same over TLS.
    Https,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Mqtt,
        Self::Mqtts,
        Self::Ws,
        Self::Wss,
        Self::Http,
        Self::Https,
    ];

    /// As in a URL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::Mqtts => "mqtts",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Whether what is said there is encrypted.
    pub const fn is_encrypted(self) -> bool {
        matches!(self, Self::Mqtts | Self::Wss | Self::Https)
    }

    /// The same, encrypted.
    pub const fn encrypted(self) -> Self {
        match self {
            Self::Mqtt | Self::Mqtts => Self::Mqtts,
            Self::Ws | Self::Wss => Self::Wss,
            Self::Http | Self::Https => Self::Https,
        }
    }

    /// Where it is if a URL names no port.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Mqtt => 1883,
            Self::Mqtts => 8883,
            Self::Ws => 8083,
            Self::Wss => 8084,
            Self::Http => 8080,
            Self::Https => 8443,
        }
    }
}

/// The address of a listener.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum At {
    /// An IP address and port; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// Whether clients show a certificate of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ClientCertificates {
    /// They are not asked.
    #[default]
    None,
    /// They may.
    Optional,
    /// They must.
    Required,
}

/// One place where the hub takes connections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener {
    /// What is spoken.
    pub scheme: Scheme,
    /// Where.
    pub at: At,
    /// Whether each connection starts with a PROXY protocol v2 header, and nothing else counts.
    pub proxy_protocol: bool,
    /// Whether clients show certificates; only where it is encrypted.
    pub client_certificates: ClientCertificates,
    /// Whether it may be reached from other machines although it is not encrypted.
    pub expose: bool,
}

/// Why a listener cannot be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}; {right}")]
pub struct ListenerError {
    /// What was found.
    pub what: String,
    /// What would be right.
    pub right: String,
}

fn wrong<T>(what: impl Into<String>, right: impl Into<String>) -> Result<T, ListenerError> {
    Err(ListenerError {
        what: what.into(),
        right: right.into(),
    })
}

impl Listener {
    /// The longest path of a Unix socket that every system takes, in bytes.
    pub const UNIX_PATH_BYTES_MAX: usize = 103;

    /// Without any option.
    pub fn new(scheme: Scheme, at: At) -> Self {
        Self {
            scheme,
            at,
            proxy_protocol: false,
            client_certificates: ClientCertificates::None,
            expose: false,
        }
    }

    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        match &self.at {
            At::Tcp(at) => at.ip().to_canonical().is_loopback(),
            At::Unix(_) => true,
        }
    }

    /// What to say loudly at the start, if anything.
    pub fn warning(&self) -> Option<String> {
        if self.scheme.is_encrypted() || self.is_local() {
            return None;
        }
        Some(format!(
            "{self} is not encrypted and can be reached from other machines: whoever is on the way reads \
             passwords and messages and may change them; use {}:// unless you trust that network",
            self.scheme.encrypted().as_str()
        ))
    }

    /// Reads a URL without judging it, since a table may add options to it.
    pub(super) fn read(url: &str) -> Result<Self, ListenerError> {
        let (address, query) = match url.split_once('?') {
            Some((address, query)) => (address, Some(query)),
            None => (url, None),
        };
        let Some((scheme, rest)) = address.split_once("://") else {
            return wrong(
                format!("{} is no URL", quoted(url)),
                format!("write {}", quoted(&format!("mqtt://{url}"))),
            );
        };
        let mut listener = match scheme.to_ascii_lowercase().as_str() {
            "unix" | "mqtt+unix" => Self::new(Scheme::Mqtt, unix(rest)?),
            scheme => {
                let scheme = known(scheme)?;
                Self::new(scheme, tcp(scheme, rest)?)
            }
        };
        for option in query.into_iter().flat_map(|query| query.split('&')) {
            listener.option(option)?;
        }
        Ok(listener)
    }

    fn option(&mut self, option: &str) -> Result<(), ListenerError> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match (name, value) {
            ("proxy", "v2") => self.proxy_protocol = true,
            ("expose", "yes") => self.expose = true,
            ("client-certificates", "optional") => {
                self.client_certificates = ClientCertificates::Optional;
            }
            ("client-certificates", "required") => {
                self.client_certificates = ClientCertificates::Required;
            }
            ("proxy" | "expose" | "client-certificates", _) => {
                let right = match name {
                    "proxy" => "write proxy=v2 or leave it out",
                    "expose" => "write expose=yes or leave it out",
                    _ => {
                        "write client-certificates=optional or client-certificates=required, or leave it out"
                    }
                };
                return wrong(format!("the option {} is unknown", quoted(option)), right);
            }
            _ => {
                return wrong(
                    format!("the option {} is unknown", quoted(option)),
                    "a listener takes proxy=v2, client-certificates=optional, client-certificates=required and expose=yes",
                );
            }
        }
        Ok(())
    }

    /// Says why the listener must not be as it is, if so.
    pub fn check(&self) -> Result<(), ListenerError> {
        let scheme = self.scheme.as_str();
        if self.client_certificates != ClientCertificates::None && !self.scheme.is_encrypted() {
            let right = match self.at {
                At::Tcp(_) => format!(
                    "use {}://, or leave client-certificates out",
                    self.scheme.encrypted().as_str()
                ),
                At::Unix(_) => "leave client-certificates out".to_owned(),
            };
            return wrong(
                format!("{self} asks for client certificates but is not encrypted"),
                right,
            );
        }
        if !self.is_local() && !self.scheme.is_encrypted() && !self.expose {
            return wrong(
                format!(
                    "{self} could be reached from other machines, and {scheme}:// is not encrypted"
                ),
                format!(
                    "use {}://, or add ?expose=yes if the network is trusted",
                    self.scheme.encrypted().as_str()
                ),
            );
        }
        Ok(())
    }
}

fn known(scheme: &str) -> Result<Scheme, ListenerError> {
    if let Some(known) = Scheme::ALL.into_iter().find(|it| it.as_str() == scheme) {
        return Ok(known);
    }
    let what = format!("{} is no scheme of a listener", quoted(scheme));
    // How other brokers write them.
    let meant = match scheme {
        "tcp" | "mqtt+tcp" => Some("mqtt"),
        "ssl" | "tls" | "mqtt+ssl" | "mqtt+tls" => Some("mqtts"),
        "ipc" | "uds" => Some("unix"),
        _ => nearest(
            scheme,
            Scheme::ALL.iter().map(|it| it.as_str()).chain(["unix"]),
        ),
    };
    match meant {
        Some(meant) => wrong(what, format!("did you mean {meant}://?")),
        None => wrong(
            what,
            "use mqtt, mqtts, ws, wss, http, https or unix followed by ://",
        ),
    }
}

fn tcp(scheme: Scheme, rest: &str) -> Result<At, ListenerError> {
    let name = scheme.as_str();
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if let Some((host, _)) = rest.split_once(['/', '#', '@']) {
        return wrong(
            format!("{} is more than a host and a port", quoted(rest)),
            format!(
                "write only the address, like {name}://{}",
                if host.is_empty() { "127.0.0.1" } else { host }
            ),
        );
    }
    let (host, port) = match rest.rfind(']') {
        Some(end) => rest.split_at(end + 1),
        None if rest.matches(':').count() > 1 => {
            return wrong(
                format!("{} is an IPv6 address without brackets", quoted(rest)),
                format!("write it as {name}://[::1]:{}", scheme.default_port()),
            );
        }
        None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
    };
    let port = match port {
        "" => scheme.default_port(),
        port => match port.strip_prefix(':').map(decimal::<u16>) {
            Some(Some(port)) => port,
            _ => {
                return wrong(
                    format!("{} is no port", quoted(port.trim_start_matches(':'))),
                    "write a whole number from 0 to 65535; 0 takes a free port",
                );
            }
        },
    };
    if host.starts_with('[') {
        let address = format!("{host}:{port}").parse::<SocketAddrV6>();
        return match address {
            Ok(address) => Ok(At::Tcp(address.into())),
            Err(_) => wrong(
                format!("{} is no IPv6 address", quoted(host)),
                "write it like [::1] or [2001:db8::7]",
            ),
        };
    }
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(At::Tcp((Ipv4Addr::LOCALHOST, port).into()));
    }
    match host.parse::<Ipv4Addr>() {
        Ok(ip) => Ok(At::Tcp((IpAddr::from(ip), port).into())),
        Err(_) if host.is_empty() || host == "*" => wrong(
            format!("{} names no address", quoted(&format!("{name}://{rest}"))),
            format!(
                "write {name}://127.0.0.1:{port} for this machine only, or 0.0.0.0 or [::] for every address"
            ),
        ),
        Err(_) => wrong(
            format!("{} is no IP address", quoted(host)),
            "write an IP address of this machine, localhost, or 0.0.0.0 or [::] for every address",
        ),
    }
}

/// A number of digits only: `parse` would take a sign as well.
fn decimal<T: FromStr>(text: &str) -> Option<T> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

fn unix(rest: &str) -> Result<At, ListenerError> {
    if !rest.starts_with('/') {
        return wrong(
            format!("{} is no absolute path", quoted(rest)),
            format!("write three slashes: unix:///{rest}"),
        );
    }
    let path = match decode(rest) {
        Some(path) if !path.contains('\0') => path,
        _ => {
            return wrong(
                format!("{} is no path", quoted(rest)),
                "write % itself as %25, and other characters as themselves or as %XX",
            );
        }
    };
    if path.len() > Listener::UNIX_PATH_BYTES_MAX {
        return wrong(
            format!("the path of the Unix socket has {} bytes", path.len()),
            format!("use one of at most {} bytes", Listener::UNIX_PATH_BYTES_MAX),
        );
    }
    if path.ends_with('/') {
        return wrong(
            format!("{} is a folder", quoted(&path)),
            "write the path of the socket in it, like unix:///run/quartet/mqtt.sock",
        );
    }
    Ok(At::Unix(path.into()))
}

/// Bytes of a path that mean something else in a URL or in a list of URLs.
const fn is_special(byte: u8) -> bool {
    matches!(byte, b'%' | b'?' | b'#' | b',' | b'\\' | b'"') || byte <= b' ' || byte == 0x7f
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

impl FromStr for Listener {
    type Err = ListenerError;

    /// Reads a URL and judges it.
    fn from_str(url: &str) -> Result<Self, ListenerError> {
        let listener = Self::read(url)?;
        listener.check()?;
        Ok(listener)
    }
}

impl fmt::Display for Listener {
    /// The URL that it is read back from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            At::Tcp(at) => write!(f, "{}://{at}", self.scheme.as_str())?,
            At::Unix(path) => {
                f.write_str("unix://")?;
                for part in path.to_string_lossy().chars() {
                    match u8::try_from(part) {
                        Ok(byte) if is_special(byte) => write!(f, "%{byte:02X}")?,
                        _ => write!(f, "{part}")?,
                    }
                }
            }
        }
        let certificates = match self.client_certificates {
            ClientCertificates::None => "",
            ClientCertificates::Optional => "client-certificates=optional",
            ClientCertificates::Required => "client-certificates=required",
        };
        let options = [
            if self.proxy_protocol { "proxy=v2" } else { "" },
            certificates,
            if self.expose { "expose=yes" } else { "" },
        ];
        let mut sign = '?';
        for option in options.into_iter().filter(|option| !option.is_empty()) {
            write!(f, "{sign}{option}")?;
            sign = '&';
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
