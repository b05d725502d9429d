//! Who asks: an element that shows a credential, from anywhere, be it in a header, a cookie or a
//! certificate. Whoever shows none is nobody, unless `--open` says otherwise.
//!
//! Any page in a browser here can send requests to this machine, so a request that names
//! another site as its origin, or another name for this host, is refused.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{
        ConnectInfo, FromRequestParts, MatchedPath, RawPathParams, Request, State,
        rejection::RawPathParamsRejection,
    },
    http::{HeaderMap, Method, StatusCode, Uri, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::prelude::{BASE64_STANDARD, Engine};
use quartet_people::{
    credentials::{self, Refused, Shown},
    holder::Holder,
    throttle::network,
};
use tokio::sync::mpsc;

use super::{
    Api, accounts, accounts::cookie, audit::Tried, problem::Problem, rights::demand, serve::Caller,
    trust::proof,
};
use crate::{
    flow::{Flow, Who, element_of_name},
    shell::StreamItem,
};

/// Where whoever has no name yet gets one.
pub(super) const CLAIM: &str = "/claim";
/// How to say who one is (RFC 7617, RFC 6750).
const CHALLENGE: &str = r#"Basic realm="Quartet", charset="UTF-8", Bearer realm="Quartet""#;

pub(super) async fn guard(
    State(api): State<Api>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    path: Option<MatchedPath>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let door = caller.door;
    let mut api = Api {
        from: Some(caller.address.ip().to_canonical()),
        ..api
    };
    let demand = path.as_ref().map(|path| {
        let params: Vec<(&str, &str)> = params.iter().flatten().collect();
        demand(request.method(), path.as_str(), &params)
    });
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let asked = Asked {
        method: &method,
        uri: &uri,
        headers: request.headers(),
    };
    let is_of_authority = path
        .as_ref()
        .is_some_and(|path| path.as_str() == proof::PATH);
    let is_of_script = is_of_script(request.headers());
    let recognised = match is_of_authority {
        // It comes by a name of the hub that may be anybody's, and nobody has to be recognised.
        true => Ok(Who::Nobody),
        false => api.recognise(caller, asked).await,
    };
    let passed = match recognised {
        Ok(who) => {
            api.who = who;
            match (&path, demand.clone()) {
                (Some(path), Some(demand)) => match api.check_scope(path.as_str()) {
                    Ok(()) => api.meet(demand).await,
                    refused => refused,
                },
                _ => Ok(()),
            }
        }
        Err(problem) => Err(problem),
    };
    let response = match passed {
        Ok(()) => {
            request.extensions_mut().insert(api.who.clone());
            next.run(request).await
        }
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED && is_of_script => {
            accounts::told_a_page(problem).into_response()
        }
        Err(problem) => problem.into_response(),
    };
    if let Some(problem) = response.extensions().get::<Arc<Problem>>() {
        let tried = Tried {
            door,
            demand: demand.as_ref(),
            method: method.as_str(),
            path: uri.path(),
        };
        api.note_refusal(problem, &tried);
    }
    response
}

/// What handlers share, and who asks.
impl FromRequestParts<Self> for Api {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Self) -> Result<Self, Problem> {
        let who = parts.extensions.get::<Who>().cloned();
        let caller = parts.extensions.get::<ConnectInfo<Caller>>();
        let from = caller.map(|ConnectInfo(caller)| caller.address.ip().to_canonical());
        Ok(Self {
            who: who.unwrap_or(Who::Nobody),
            from,
            ..api.clone()
        })
    }
}

impl Api {
    /// Who asks.
    pub(super) fn who(&self) -> &Who {
        &self.who
    }

    /// The hub, for whoever asks: what was asked for was looked at.
    pub(super) fn as_hub(&self) -> Who {
        Who::Hub(self.who.name())
    }

    /// Finds out who asks, and whether that is somebody who may.
    async fn recognise(&self, caller: Caller, asked: Asked<'_>) -> Result<Who, Problem> {
        let ip = caller.address.ip().to_canonical();
        check_origin(asked)?;
        let login = asked.headers.get(header::AUTHORIZATION);
        let cookie = cookie::shown(asked.headers, caller.is_encrypted);
        let shown = match (login, cookie, caller.shown) {
            (Some(login), ..) => shown(login.as_bytes()),
            (None, Some(shown), _) => return self.of_browser(ip, asked, shown).await,
            (None, None, Some(shown)) => Some(shown),
            (None, None, None) => return self.nameless(ip, asked),
        };
        let mut claimed = String::new();
        let refused = match shown {
            None => Refused::Unknown,
            Some(shown) => match self.admit(ip, &shown).await? {
                Ok(holder) => {
                    self.note_came_in(&holder, caller.door);
                    return Ok(Who::Holder(Arc::new(holder)));
                }
                Err(refused) => {
                    shown.name.as_ref().clone_into(&mut claimed);
                    refused
                }
            },
        };
        if self.is_open && ip.is_loopback() {
            return self.nameless(ip, asked);
        }
        Err(unauthorised(refused.to_string()).of(&claimed))
    }

    /// Whose session a browser shows.
    async fn of_browser(
        &self,
        ip: IpAddr,
        asked: Asked<'_>,
        shown: Option<Shown>,
    ) -> Result<Who, Problem> {
        if !asked.method.is_safe() {
            check_site(asked.headers)?;
        }
        // Nobody guesses it, so nobody waits: many tabs ask at once when a session is over.
        if let Some(shown) = shown
            && let Ok(holder) = self.find(&shown).await?
            && self.use_session(&holder).await?
        {
            return Ok(Who::Holder(Arc::new(holder)));
        }
        if accounts::is_for_everyone(asked.method, asked.uri.path()) {
            return Ok(Who::Nobody);
        }
        if self.is_open && ip.is_loopback() {
            return self.nameless(ip, asked);
        }
        Err(accounts::signed_out(
            "the session is over, or was ended; sign in again",
        ))
    }

    /// Somebody who does not say who it is. Where everything is open, that does not matter; else
    /// there are few paths that ask for no name.
    fn nameless(&self, ip: IpAddr, asked: Asked<'_>) -> Result<Who, Problem> {
        if !self.is_open || !ip.is_loopback() {
            return Ok(Who::Nobody);
        }
        if is_this_machine(asked.host()) {
            return Ok(Who::Anyone);
        }
        let what = "the request names another host than this machine";
        Err(Problem::new(StatusCode::FORBIDDEN, what))
    }

    async fn admit(&self, ip: IpAddr, shown: &Shown) -> Result<Result<Holder, Refused>, Problem> {
        self.check_guesses(ip)?;
        let admitted = self.find(shown).await?;
        if admitted.is_err() {
            self.was_wrong(ip);
        }
        Ok(admitted)
    }

    /// Who somebody is that shows this.
    async fn find(&self, shown: &Shown) -> Result<Result<Holder, Refused>, Problem> {
        let Some(element) = element_of_name(&shown.name) else {
            return Ok(Err(Refused::Unknown));
        };
        let (topic, proof) = (credentials::topic_of(&element), shown.proof);
        let admit = move |flow: &mut Flow, now| flow.admit(&element, proof, now);
        Ok(self.control.look_home(&topic, admit).await?)
    }

    /// Begins to receive for whoever asks.
    pub(super) async fn listen(
        &self,
        filters: Vec<String>,
    ) -> Result<mpsc::Receiver<StreamItem>, Problem> {
        let items = self.control.listen(self.who.clone(), filters).await??;
        // What was revoked meanwhile was not told to a stream that was not there yet.
        self.still().await?;
        Ok(items)
    }

    /// Whoever asks, with what it may by now; a problem if it may not come in any more.
    pub(super) async fn still(&self) -> Result<Who, Problem> {
        let Some(holder) = self.who.holder().cloned() else {
            return Ok(self.who.clone());
        };
        let topic = credentials::topic_of(holder.element());
        let look = move |flow: &mut Flow, now| {
            let all = flow.credentials(holder.element(), now);
            all.still_admit(&holder, now)
        };
        match self.control.look_home(&topic, look).await? {
            Some(holder) => Ok(Who::Holder(Arc::new(holder))),
            None => Err(unauthorised(Refused::Unknown.to_string())),
        }
    }

    /// Whether an address may try a secret, or has guessed too often.
    pub(super) fn check_guesses(&self, ip: IpAddr) -> Result<(), Problem> {
        if ip.is_loopback() {
            return Ok(());
        }
        let now = self.control.clock().now();
        self.throttle
            .lock()
            .may_try(&network(ip), now)
            .map_err(|wait| {
                let s = wait.as_secs() + 1;
                let what =
                    format!("too many wrong names and secrets came from {ip}; try again in {s} s");
                Problem::new(StatusCode::TOO_MANY_REQUESTS, what)
                    .with(header::RETRY_AFTER, s.to_string())
            })
    }

    pub(super) fn was_wrong(&self, ip: IpAddr) {
        if !ip.is_loopback() {
            let now = self.control.clock().now();
            self.throttle.lock().was_wrong(network(ip), now);
        }
    }
}

pub(super) fn unauthorised(what: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, what)
        .with(header::WWW_AUTHENTICATE, CHALLENGE.to_owned())
}

/// Whether the script of a page asks, and says so. Then the page asks the person to sign in: its browser must not ask for
/// a name and a password in a window of its own.
fn is_of_script(headers: &HeaderMap) -> bool {
    headers.contains_key("x-requested-with")
}

/// What `Authorization` shows.
fn shown(login: &[u8]) -> Option<Shown> {
    let login = std::str::from_utf8(login).ok()?;
    let (scheme, rest) = login.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Shown::of_login(None, Some(rest));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(rest).ok()?).ok()?;
    // Names of elements may have colons, secrets have none.
    let (user, password) = decoded.rsplit_once(':')?;
    Shown::of_login(Some(user), Some(password))
}

/// What a request asks for, as far as it matters by whom.
#[derive(Clone, Copy)]
struct Asked<'r> {
    method: &'r Method,
    uri: &'r Uri,
    headers: &'r HeaderMap,
}

impl Asked<'_> {
    /// What it names as the hub. HTTP/2 says in the URI what HTTP/1.1 says in Host.
    fn host(&self) -> &str {
        let named = self.headers.get(header::HOST);
        let named = named.and_then(|host| host.to_str().ok());
        let authority = self.uri.authority().map(|authority| authority.as_str());
        named.or(authority).unwrap_or_default()
    }
}

fn check_origin(asked: Asked<'_>) -> Result<(), Problem> {
    let origin = asked.headers.get(header::ORIGIN);
    let origin = origin.and_then(|origin| origin.to_str().ok());
    match origin {
        Some(origin) if origin.split_once("://").map(|(_, host)| host) != Some(asked.host()) => {
            let what = "a page of another site cannot use this hub";
            Err(Problem::new(StatusCode::FORBIDDEN, what))
        }
        _ => Ok(()),
    }
}

/// A browser sends a session along with whatever a page asks for: what changes something must come
/// from a page of this hub.
pub(super) fn check_site(headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get("sec-fetch-site");
    match site.map(axum::http::HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => {
            let what = "a page of another site cannot use your session at this hub";
            Err(Problem::new(StatusCode::FORBIDDEN, what))
        }
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

    #[test]
    fn a_name_may_have_colons() {
        let login = BASE64_STANDARD.encode("urn:dev:ops:7:s3cret");
        let shown = shown(format!("Basic {login}").as_bytes()).unwrap();
        assert_eq!(&*shown.name, "urn:dev:ops:7");
        for odd in ["", "Basic", "Basic !", "Digest a", "Bearer nothing"] {
            assert!(super::shown(odd.as_bytes()).is_none(), "{odd}");
        }
    }
}
