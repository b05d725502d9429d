//! Who may ask: until accounts exist, programs and pages of this machine.
//!
//! Any page in a browser here can send requests to this machine, so a request that names
//! another site as its origin, or another name for this host, is refused.

use axum::{
    extract::{ConnectInfo, Request},
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{problem::Problem, serve::Caller};

pub(super) async fn guard(
    ConnectInfo(caller): ConnectInfo<Caller>,
    request: Request,
    next: Next,
) -> Response {
    let is_local = caller.address.ip().to_canonical().is_loopback();
    match may_ask(is_local, request.headers(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(why) => Problem::new(StatusCode::FORBIDDEN, why).into_response(),
    }
}

fn may_ask(is_local: bool, headers: &HeaderMap, uri: &Uri) -> Result<(), &'static str> {
    if !is_local {
        return Err(
            "this hub has no accounts yet, so its API answers programs on the same machine only",
        );
    }
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // HTTP/2 says in the URI what HTTP/1.1 says in Host.
    let authority = uri.authority().map(|authority| authority.as_str());
    let host = header(header::HOST).or(authority).unwrap_or_default();
    if !is_this_machine(host) {
        return Err("the request names another host than this machine");
    }
    match header(header::ORIGIN) {
        Some(origin) if origin.split_once("://").map(|(_, host)| host) != Some(host) => {
            Err("a page of another site cannot use this hub")
        }
        _ => Ok(()),
    }
}

/// Whether a `Host` means this machine, whatever the port.
pub fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_this_machine() {
        for host in ["localhost:8080", "127.0.0.1", "[::1]:8080", "LOCALHOST"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:8080",
            "10.0.0.1",
            "",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
