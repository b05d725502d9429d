//! Where the hub listens. What is not encrypted stays on this machine unless somebody says
//! otherwise.

mod url; // as `mqtts://0.0.0.0:8883?client-certificates=required`, to and fro

use std::{net::SocketAddr, path::PathBuf};

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
    /// CoAP over UDP.
    Coap,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Mqtt,
        Self::Mqtts,
        Self::Ws,
        Self::Wss,
        Self::Http,
        Self::Https,
        Self::Coap,
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
            Self::Coap => "coap",
        }
    }

    /// Whether what is said there is encrypted.
    pub const fn is_encrypted(self) -> bool {
        matches!(self, Self::Mqtts | Self::Wss | Self::Https)
    }

    /// The same, encrypted, if the hub can do that.
    pub const fn encrypted(self) -> Option<Self> {
        match self {
            Self::Mqtt | Self::Mqtts => Some(Self::Mqtts),
            Self::Ws | Self::Wss => Some(Self::Wss),
            Self::Http | Self::Https => Some(Self::Https),
            Self::Coap => None,
        }
    }

    /// Whether it is made of datagrams rather than of connections.
    pub const fn is_datagrams(self) -> bool {
        matches!(self, Self::Coap)
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
            Self::Coap => 5683,
        }
    }
}

/// The address of a listener.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum At {
    /// An IP address and port; port 0 takes a free one.
    Tcp(SocketAddr),
    /// The same for datagrams.
    Udp(SocketAddr),
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

/// One place where the hub takes connections, or datagrams.
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
            At::Tcp(at) | At::Udp(at) => at.ip().to_canonical().is_loopback(),
            At::Unix(_) => true,
        }
    }

    /// What to say loudly at the start, if anything.
    pub fn warning(&self) -> Option<String> {
        if self.scheme.is_encrypted() || self.is_local() {
            return None;
        }
        let right = match self.scheme.encrypted() {
            Some(encrypted) => format!("use {}:// unless you trust", encrypted.as_str()),
            None => "leave it on this machine unless you trust".to_owned(),
        };
        Some(format!(
            "{self} is not encrypted and can be reached from other machines: whoever is on the way reads \
             passwords and messages and may change them; {right} that network"
        ))
    }

    /// Says why the listener must not be as it is, if so.
    pub fn check(&self) -> Result<(), ListenerError> {
        let scheme = self.scheme.as_str();
        if self.client_certificates != ClientCertificates::None && !self.scheme.is_encrypted() {
            let right = match (&self.at, self.scheme.encrypted()) {
                (At::Tcp(_), Some(encrypted)) => format!(
                    "use {}://, or leave client-certificates out",
                    encrypted.as_str()
                ),
                _ => "leave client-certificates out".to_owned(),
            };
            return wrong(
                format!("{self} asks for client certificates but is not encrypted"),
                right,
            );
        }
        if self.proxy_protocol && self.scheme.is_datagrams() {
            let what = format!("{self} has no connections that could begin with a PROXY header");
            return wrong(what, "leave proxy=v2 out");
        }
        if !self.is_local() && !self.scheme.is_encrypted() && !self.expose {
            let right = match self.scheme.encrypted() {
                Some(encrypted) => format!("use {}://", encrypted.as_str()),
                None => "listen on 127.0.0.1".to_owned(),
            };
            return wrong(
                format!(
                    "{self} could be reached from other machines, and {scheme}:// is not encrypted"
                ),
                format!("{right}, or add ?expose=yes if the network is trusted"),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
