//! Where the hub is reached, as whoever asks sees it.

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{header, request::Parts},
};
use quartet_things::forms::Bases;

use super::{Api, problem::Problem, serve::Caller};

/// Where the hub is reached on this machine, by port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doors {
    pub(crate) web: Web,
    pub(crate) mqtt: Option<u16>,
    pub(crate) coap: Option<u16>,
}

/// Where HTTP is spoken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Web {
    /// Where the request came in.
    Here,
    /// Elsewhere: the request came over something else.
    At { port: u16, is_encrypted: bool },
    /// There is no such listener.
    Nowhere,
}

/// Where a request went.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// Name or address, with the port.
    host: String,
    is_encrypted: bool,
}

impl<S: Sync> FromRequestParts<S> for Site {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let host = parts.headers.get(header::HOST);
        let host = host.and_then(|host| host.to_str().ok().map(str::to_owned));
        // HTTP/2 says in the URI what HTTP/1.1 says in Host.
        let authority = parts.uri.authority().map(ToString::to_string);
        let caller = parts.extensions.get::<ConnectInfo<Caller>>();
        Ok(Self {
            host: host.or(authority).unwrap_or_else(|| "localhost".to_owned()),
            is_encrypted: caller.is_some_and(|ConnectInfo(caller)| caller.is_encrypted),
        })
    }
}

impl Site {
    /// Where pages come from, as a browser says it.
    pub(super) fn origin(&self) -> String {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        format!("{scheme}://{}", self.host)
    }

    /// The name or address, without the port.
    pub(super) fn name(&self) -> &str {
        match self.host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => &self.host,
        }
    }

    /// Where all of the hub is reached.
    pub(super) fn bases(&self, api: &Api) -> Bases {
        let scheme = |is_encrypted| if is_encrypted { "https" } else { "http" };
        let name = self.name();
        let http = match api.doors.web {
            Web::Here => Some(format!("{}://{}", scheme(self.is_encrypted), self.host)),
            Web::At { port, is_encrypted } => {
                Some(format!("{}://{name}:{port}", scheme(is_encrypted)))
            }
            Web::Nowhere => None,
        };
        let at = |scheme: &str, port: u16| format!("{scheme}://{name}:{port}");
        Bases {
            http,
            mqtt: api.doors.mqtt.map(|port| at("mqtt", port)),
            coap: api.doors.coap.map(|port| at("coap", port)),
        }
    }
}
