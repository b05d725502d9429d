//! What an administrator may say: one TOML file, environment variables, the command line.
//! Nothing has to be said. Text in, [`Config`] or all mistakes at once out; only [`read`] and
//! [`load`] touch a file.

mod acme; // certificates by an authority of the Internet
mod changes; // what a reload would change
mod draft; // taking what is said, and every mistake in it
mod error; // what is wrong, where, and what would be right
mod fit; // whether it can be meant together
mod key; // every key and its environment variable
mod limits; // how much of everything
mod listener; // where the hub listens, as a URL
mod load; // defaults, file, environment, command line
mod provider; // where persons may sign in
mod quantity; // `1 MiB`, `10 s`
mod value; // a value as it was written, and where
mod words; // texts of others in messages, near misses

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

pub use acme::Acme;
pub use changes::Changes;
pub use error::{Code, ConfigError};
pub use limits::{Limit, Limits};
pub use listener::{At, ClientCertificates, Listener, ListenerError, Scheme};
pub use load::{FILE_BYTES_MAX, FILE_NAME, Overrides, load, parse, read};
pub use provider::Provider;
pub use quantity::Unit;

use crate::trust::Name;

/// All that can be said, with what holds if it is not.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// The folder of everything that is kept.
    pub data: PathBuf,
    /// Where connections are taken.
    pub listeners: Vec<Listener>,
    /// Whether everybody may do everything without login; only on listeners of this machine.
    pub open: bool,
    /// Threads that move messages; 0 for one per core.
    pub lanes: usize,
    /// What is logged: a level, or levels by module.
    pub log: String,
    /// How much of everything.
    pub limits: Limits,
    /// The file with the key that encrypts the journal, if it is encrypted.
    pub journal_key: Option<PathBuf>,
    /// Certificates.
    pub tls: Tls,
    /// Certificates that an authority of the Internet issues.
    pub acme: Acme,
    /// What holds for web sockets.
    pub websocket: WebSocket,
    /// Whether Home Assistant is told of the things here, once it says that it is there.
    pub tells_home_assistant: bool,
    /// Where the hub makes itself known.
    pub discovery: Discovery,
    /// Identity providers where persons may sign in.
    pub providers: Vec<Provider>,
    /// The file that it came from, if any.
    pub origin: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        let listeners = [Scheme::Mqtt, Scheme::Ws, Scheme::Http].map(|scheme| {
            let at = SocketAddr::from((Ipv4Addr::LOCALHOST, scheme.default_port()));
            Listener::new(scheme, At::Tcp(at))
        });
        let coap = SocketAddr::from((Ipv4Addr::LOCALHOST, Scheme::Coap.default_port()));
        let coap = Listener::new(Scheme::Coap, At::Udp(coap));
        Self {
            data: PathBuf::from("quartet-data"),
            listeners: listeners.into_iter().chain([coap]).collect(),
            open: false,
            lanes: 0,
            log: "info".to_owned(),
            limits: Limits::default(),
            journal_key: None,
            tls: Tls::default(),
            acme: Acme::default(),
            websocket: WebSocket::default(),
            tells_home_assistant: true,
            discovery: Discovery::Auto,
            providers: Vec::new(),
            origin: None,
        }
    }
}

/// Whether the hub makes itself known by multicast DNS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Discovery {
    /// On networks where other machines reach its HTTP API.
    #[default]
    Auto,
    /// There, and on this machine.
    Always,
    /// Nowhere.
    Never,
}

impl Discovery {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// PEM files of encrypted listeners; without a certificate the hub makes one itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tls {
    /// The certificate and the chain up to its authority.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// The authorities whose client certificates are trusted.
    pub client_ca: Option<PathBuf>,
    /// What the hub is called beside what it finds out by itself.
    pub names: Vec<Name>,
}

/// What holds for web sockets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WebSocket {
    /// Pages that browsers may connect from, beside the hub's own host: `https://app.example`.
    pub origins: Vec<String>,
}

#[cfg(test)]
mod tests;
