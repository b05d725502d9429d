//! Every key that exists, its environment variable, and how an environment variable's text
//! becomes a value.

use super::{
    limits::Limit,
    value::{Raw, Value},
    words::nearest,
};

/// A key of the file.
#[derive(Clone, Copy)]
pub(super) enum Key {
    Data,
    Listeners,
    Open,
    Lanes,
    Log,
    Discovery,
    Limit(&'static Limit),
    Journal,
    TlsCertificate,
    TlsPrivate,
    TlsClientCa,
    TlsNames,
    AcmeDomains,
    AcmeContact,
    AcmeDirectory,
    AcmeRoot,
    AcmeAgree,
    WebSocketOrigins,
    HomeAssistant,
    Providers,
}

/// The keys of a listener that is written as a table.
pub(super) const LISTENER_KEYS: [&str; 4] =
    ["url", "proxy_protocol", "client_certificates", "expose"];

/// The keys of an identity provider, which is a table.
pub(super) const PROVIDER_KEYS: [&str; 8] = [
    "name",
    "title",
    "issuer",
    "client_id",
    "client_secret_file",
    "groups",
    "create",
    "provisioned_by",
];

/// The tables that hold keys.
pub(super) const TABLES: [&str; 6] = [
    "limits",
    "journal",
    "tls",
    "acme",
    "websocket",
    "homeassistant",
];

impl Key {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let first = [
            Self::Data,
            Self::Listeners,
            Self::Open,
            Self::Lanes,
            Self::Log,
            Self::Discovery,
        ];
        let last = [
            Self::Journal,
            Self::TlsCertificate,
            Self::TlsPrivate,
            Self::TlsClientCa,
            Self::TlsNames,
            Self::AcmeDomains,
            Self::AcmeContact,
            Self::AcmeDirectory,
            Self::AcmeRoot,
            Self::AcmeAgree,
            Self::WebSocketOrigins,
            Self::HomeAssistant,
            Self::Providers,
        ];
        let limits = Limit::ALL.iter().map(Self::Limit);
        first.into_iter().chain(limits).chain(last)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Listeners => "listeners",
            Self::Open => "open",
            Self::Lanes => "lanes",
            Self::Log => "log",
            Self::Discovery => "discovery",
            Self::Limit(limit) => limit.key,
            Self::Journal => "journal.key",
            Self::TlsCertificate => "tls.certificate",
            Self::TlsPrivate => "tls.key",
            Self::TlsClientCa => "tls.client_ca",
            Self::TlsNames => "tls.names",
            Self::AcmeDomains => "acme.domains",
            Self::AcmeContact => "acme.contact",
            Self::AcmeDirectory => "acme.directory",
            Self::AcmeRoot => "acme.root",
            Self::AcmeAgree => "acme.agree",
            Self::WebSocketOrigins => "websocket.origins",
            Self::HomeAssistant => "homeassistant.tell",
            Self::Providers => "providers",
        }
    }

    pub(super) fn find(name: &str) -> Option<Self> {
        Self::all().find(|key| key.name() == name)
    }

    /// What somebody likely meant by a name that does not exist.
    pub(super) fn meant(name: &str) -> Option<&'static str> {
        let last = |name: &'static str| name.rsplit('.').next().unwrap_or(name);
        // No table stands inside of another one.
        let tables = TABLES.into_iter().filter(|_| !name.contains('.'));
        let names = || Self::all().map(Self::name).chain(tables.clone());
        let near = nearest(name, names());
        near.or_else(|| {
            let word = name.rsplit('.').next().unwrap_or(name);
            let near = nearest(word, names().map(last))?;
            names().find(|name| last(name) == near)
        })
    }

    /// Its environment variable: `QUARTET_LIMITS_INFLIGHT_MAX`.
    pub(super) fn variable(self) -> String {
        match self {
            Self::Listeners => "QUARTET_LISTEN".to_owned(),
            key => format!("QUARTET_{}", key.name().replace('.', "_").to_uppercase()),
        }
    }

    /// What a text of the environment means for this key; lists are separated by commas.
    pub(super) fn read_variable(self, text: &str) -> Value {
        let variable = self.variable();
        let given = || Raw::Text(text.to_owned());
        let raw = match self {
            Self::Open | Self::HomeAssistant | Self::AcmeAgree => match text {
                "true" | "yes" | "1" => Raw::Switch(true),
                "false" | "no" | "0" => Raw::Switch(false),
                _ => given(),
            },
            Self::Lanes | Self::Limit(_) => text.parse().map_or_else(|_| given(), Raw::Whole),
            Self::Listeners
            | Self::TlsNames
            | Self::AcmeDomains
            | Self::AcmeContact
            | Self::WebSocketOrigins => {
                let items = text
                    .split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty());
                let items = items.map(|item| Value::named(&variable, Raw::Text(item.to_owned())));
                Raw::List(items.collect())
            }
            Self::Data
            | Self::Log
            | Self::Discovery
            | Self::Journal
            | Self::TlsCertificate
            | Self::TlsPrivate
            | Self::TlsClientCa
            | Self::AcmeDirectory
            | Self::AcmeRoot
            | Self::Providers => given(),
        };
        Value::named(&variable, raw)
    }
}
