//! Persons: how they sign in, and what they may change of their own accounts.
//!
//! Signing in is: show what the account demands, get a session. A session is a credential of the
//! person like any other (`people::credentials`); a browser keeps it in a cookie.

pub(super) mod ceremonies; // what begins in one request and ends in another
pub(super) mod claim; // an invitation becomes an account
pub(super) mod codes; // one-time codes and recovery codes
pub(super) mod cookie; // what a browser keeps
mod device; // what a browser is called
mod first; // the link of the first owner
mod hashing; // Argon2id, a few at a time
pub(super) mod oidc; // sign-in at providers
pub(super) mod own; // one's account: password, sessions, tokens
pub(super) mod pages; // /start, /sign-in and /account
pub(super) mod passkeys; // keys in devices (WebAuthn)
mod seen; // when sessions were used last
pub(super) mod session; // sign in and out

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    http::{Method, StatusCode, header},
    routing::{delete, get, post, put},
};
use parking_lot::Mutex;
use quartet_model::{Kind, Said, Time};
use quartet_people::{
    account::{self, Account},
    credentials::{self, Credential, Credentials},
    holder::Holder,
    throttle::{Throttle, network},
};
use quartet_things::identity;

use self::{ceremonies::Ceremonies, hashing::Hashing, seen::Seen};
use super::{Api, app, credentials::read, problem::Problem};
use crate::flow::{Flow, Who};

pub(crate) use first::First;
pub(crate) use oidc::Providers;

/// What signing in needs beside what is kept; one for all listeners.
#[derive(Default)]
pub(crate) struct Accounts {
    hashing: Hashing,
    /// For whom somebody signs in with something wrong, from anywhere.
    guessed: Mutex<Throttle<Box<str>>>,
    /// From where, this machine aside.
    from: Mutex<Throttle<IpAddr>>,
    ceremonies: Mutex<Ceremonies>,
    seen: Mutex<Seen>,
    first: First,
    providers: Providers,
}

impl Accounts {
    /// With the link of the first owner, if nobody looks after the hub yet, and with providers.
    pub(crate) fn new(first: First, providers: Providers) -> Self {
        Self {
            first,
            providers,
            ..Self::default()
        }
    }
}

/// All of it, as part of the API.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/start", get(pages::start))
        .route("/sign-in", get(pages::sign_in))
        .route("/account", get(pages::account))
        .route("/assets/{name}", get(pages::asset))
        .route(
            "/api/session",
            get(session::who)
                .post(session::sign_in)
                .delete(session::sign_out),
        )
        .route("/api/session/providers", get(oidc::list))
        .route("/sign-in/oidc/{provider}", get(oidc::begin))
        .route("/sign-in/oidc/{provider}/callback", get(oidc::back))
        .route("/api/session/passkey/begin", post(passkeys::begin_sign_in))
        .route("/api/session/passkey", post(passkeys::sign_in))
        .route("/api/account/claim/look", post(claim::look))
        .route("/api/account/claim/passkey", post(claim::begin_passkey))
        .route("/api/account/claim", post(claim::claim))
        .route("/api/account", get(own::show))
        .route("/api/account/password", put(own::set_password))
        .route("/api/account/sessions", delete(own::end_other_sessions))
        .route("/api/account/sessions/{session}", delete(own::end_session))
        .route("/api/account/tokens", post(own::create_token))
        .route("/api/account/tokens/{token}", delete(own::revoke_token))
        .route(
            "/api/account/totp",
            post(codes::begin).put(codes::confirm).delete(codes::remove),
        )
        .route("/api/account/recovery", post(codes::recovery))
        .route("/api/account/passkeys/begin", post(passkeys::begin_add))
        .route("/api/account/passkeys", post(passkeys::add))
        .route("/api/account/passkeys/{passkey}", delete(passkeys::remove))
}

/// What whoever has not signed in yet may use, from anywhere: it leads to an account or a session, or to trust in the hub.
pub(super) fn is_for_everyone(method: &Method, path: &str) -> bool {
    match path {
        "/start" | "/sign-in" | "/account" | "/trust" | "/ca.crt" => method.is_safe(),
        "/api/session" => true,
        "/api/session/passkey" | "/api/session/passkey/begin" => method == Method::POST,
        "/api/account/claim" | "/api/account/claim/look" | "/api/account/claim/passkey" => {
            method == Method::POST
        }
        "/api/session/providers" => method == Method::GET,
        path if app::is_of_app(path) => method.is_safe(),
        path => path.starts_with("/assets/") || path.starts_with("/sign-in/oidc/"),
    }
}

/// The key of the person that somebody means by `ana` or `people/ana`.
fn person(name: &str) -> Option<String> {
    let name = name.trim();
    let id = name.strip_prefix("people/").unwrap_or(name);
    identity::key(Kind::Person, id).ok()
}

/// What a person is called if nobody says more: the last part of its key.
fn id_of(person: &str) -> &str {
    person.strip_prefix("people/").unwrap_or(person)
}

impl Api {
    /// The person that asks, with its credential.
    fn person(&self) -> Result<&Arc<Holder>, Problem> {
        match self.who().holder() {
            Some(holder) if holder.element().starts_with("people/") => Ok(holder),
            Some(holder) => {
                let what = format!(
                    "{} is no person; only persons have accounts",
                    holder.element()
                );
                Err(Problem::new(StatusCode::FORBIDDEN, what))
            }
            None => Err(signed_out("sign in first")),
        }
    }

    /// The same if it signed in: with a token nobody changes an account.
    async fn signed_in(&self) -> Result<(Arc<Holder>, Credential), Problem> {
        let holder = self.person()?;
        match self.credential_of(holder).await? {
            Some(session) if session.session.is_some() => Ok((Arc::clone(holder), session)),
            _ => {
                let what = "with a token an account cannot be changed; sign in";
                Err(Problem::new(StatusCode::FORBIDDEN, what).needing("sign-in"))
            }
        }
    }

    /// What somebody came in with.
    async fn credential_of(&self, holder: &Arc<Holder>) -> Result<Option<Credential>, Problem> {
        let all = self.credentials_of(holder.element()).await?;
        Ok(all.find(holder.credential()).cloned())
    }

    pub(super) async fn credentials_of(&self, element: &str) -> Result<Credentials, Problem> {
        let topic = credentials::topic_of(element);
        let element = element.to_owned();
        let look = move |flow: &mut Flow, now| flow.credentials(&element, now);
        Ok(self.control.look_home(&topic, look).await?)
    }

    /// A person's account; an empty one if it has none.
    async fn account(&self, person: &str) -> Result<Account, Problem> {
        let topic = account::topic_of(person);
        let person = person.to_owned();
        let look = move |flow: &mut Flow, now| flow.account(&person, now);
        Ok(self.control.look_home(&topic, look).await?)
    }

    /// Changes a person's account as a whole.
    async fn change_account(
        &self,
        person: &str,
        change: impl Fn(&mut Account, Time) -> Result<(), Problem> + Clone + Send + 'static,
    ) -> Result<(), Problem> {
        let topic = account::topic_of(person);
        let person = person.to_owned();
        let make = move |flow: &mut Flow, now, topic: &str| {
            let mut account = flow.account(&person, now);
            change(&mut account, now)?;
            Ok(Said::kept(topic.to_owned(), account.text()))
        };
        self.say_to(&topic, true, self.as_hub(), make).await?;
        Ok(())
    }

    /// The same API, used by the hub for a person that has just proved who it is.
    pub(super) fn for_person(&self, person: &str) -> Self {
        Self {
            who: Who::Hub(person.into()),
            ..self.clone()
        }
    }

    /// What others call a person: the title of its description.
    async fn title_of(&self, person: &str) -> Result<String, Problem> {
        let found = self.said_at(person).await?;
        let title = found.and_then(|event| {
            let td: serde_json::Value = serde_json::from_slice(&event.payload).ok()?;
            Some(td["title"].as_str()?.to_owned())
        });
        Ok(title.unwrap_or_else(|| id_of(person).to_owned()))
    }

    /// Counts an attempt to sign in as somebody, before it costs anything. Who was right
    /// gets it back.
    fn charge(&self, ip: IpAddr, name: &str) -> Result<(), Problem> {
        let now = self.control.clock().now();
        if !ip.is_loopback() {
            let mut from = self.accounts.from.lock();
            let network = network(ip);
            from.may_try(&network, now).map_err(too_often)?;
            from.was_wrong(network, now);
        }
        let mut guessed = self.accounts.guessed.lock();
        guessed.may_try(&name.into(), now).map_err(too_often)?;
        guessed.was_wrong(name.into(), now);
        Ok(())
    }

    /// Whether a password is right of which this is kept. Who is sent away before it was looked at gets the
    /// attempt back.
    async fn is_right(
        &self,
        (ip, name): (IpAddr, &str),
        password: String,
        kept: String,
    ) -> Result<bool, Problem> {
        let looked = self.accounts.hashing.is_right(password, kept).await;
        if looked.is_err() {
            self.give_back(ip, name);
        }
        looked
    }

    fn give_back(&self, ip: IpAddr, name: &str) {
        if !ip.is_loopback() {
            self.accounts.from.lock().was_right(&network(ip));
        }
        self.accounts.guessed.lock().was_right(&name.into());
    }

    /// A session is used by a browser; says whether it may be.
    pub(super) async fn use_session(&self, holder: &Holder) -> Result<bool, Problem> {
        let now = self.control.clock().now();
        if self.accounts.seen.lock().use_now(holder.credential(), now) {
            return Ok(true);
        }
        let session = holder.credential().to_owned();
        self.for_person(holder.element())
            .change_credentials(holder.element(), move |all, _| {
                all.revoke(&session);
                Ok(())
            })
            .await?;
        Ok(false)
    }
}

fn too_often(wait: std::time::Duration) -> Problem {
    let s = wait.as_secs() + 1;
    let what = format!("too many attempts to sign in were wrong; try again in {s} s");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, what).with(header::RETRY_AFTER, s.to_string())
}

/// Nobody is signed in.
pub(super) fn signed_out(what: &str) -> Problem {
    told_a_page(Problem::new(StatusCode::UNAUTHORIZED, what))
}

/// That nobody is signed in, as a page is told. A browser must not ask for a name and a password in a window of its own.
pub(super) fn told_a_page(problem: Problem) -> Problem {
    problem
        .with(
            header::WWW_AUTHENTICATE,
            r#"Bearer realm="Quartet""#.to_owned(),
        )
        .needing("sign-in")
}

fn wrong(what: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, what)
}

/// What somebody calls itself or something of its own, if it may.
fn checked_name(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    let length = name.chars().count();
    if length == 0 || account::NAME_MAX < length || name.chars().any(char::is_control) {
        return Err(wrong(format!(
            "name must have 1 to {} characters, all of them visible",
            account::NAME_MAX
        )));
    }
    Ok(name.to_owned())
}
