//! Sign-in at identity providers (OpenID Connect Core 1.0): the authorization code flow, with PKCE, a
//! state and a nonce.
//!
//! A provider is believed as to who somebody is there, if it signed that for this hub and this very
//! sign-in. Which person that is here says the account.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::ConnectInfo,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AuthorizationCode, ClaimsVerificationError, Client,
    ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IdTokenFields, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, StandardErrorResponse,
    StandardTokenResponse, TokenResponse,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType,
        CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken,
        CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
    reqwest,
};
use quartet_model::Kind;
use quartet_people::{
    account::{Account, Identity},
    credentials::Credentials,
    relation::{Relation, Relations},
    scim::provisioned::{self, NAMES, Provisioned},
};
use quartet_things::identity;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::{Api, Problem, ceremonies::Ceremony, claim::is_id, cookie};
use crate::{
    config::Provider,
    http::{
        credentials::once,
        guard::check_site,
        serve::Caller,
        site::Site,
        take::{Path, Query},
    },
};

/// Binds a sign-in to the browser that began it.
const COOKIE: &str = "quartet-oidc";
const COOKIE_PATH: &str = "/sign-in/oidc";
/// How long a provider may take for an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How many sign-ins ask providers at once.
const AT_ONCE: usize = 8;
/// Groups of one person that are taken over.
const GROUPS_MAX: usize = 64;
/// How many ids are tried for a person whose id is taken.
const IDS_MAX: usize = 20;

/// The providers that the hub knows, and how it asks them.
pub(crate) struct Providers {
    known: Vec<Provider>,
    http: Option<reqwest::Client>,
    at_once: Semaphore,
}

impl Default for Providers {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Providers {
    /// Those of the configuration.
    pub(crate) fn new(known: Vec<Provider>) -> Self {
        // A provider that leads elsewhere is not followed there.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWER)
            .build();
        if let Err(error) = &http {
            tracing::error!(%error, "nobody can sign in at a provider");
        }
        Self {
            known,
            http: http.ok(),
            at_once: Semaphore::new(AT_ONCE),
        }
    }

    fn find(&self, name: &str) -> Result<&Provider, Problem> {
        let found = self.known.iter().find(|one| one.name == name);
        found.ok_or_else(|| {
            let what = format!("there is no provider `{name}`; /api/session/providers lists them");
            Problem::new(StatusCode::NOT_FOUND, what)
        })
    }
}

/// A way to a provider that was begun.
pub(super) struct Way {
    provider: String,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    /// Whose account is to know the provider from now on.
    link: Option<String>,
    redirect: String,
}

/// What stands in an identity token beside what is usual.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
struct Others(Map<String, Value>);

impl AdditionalClaims for Others {}

type IdTokens = IdTokenFields<
    Others,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type AtProvider = Client<
    Others,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<IdTokens, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Where persons may sign in beside here.
#[utoipa::path(
    get,
    path = "/api/session/providers",
    responses((status = 200, description = "`providers`: of each its `name`, the `title` for a button, its `issuer`, and `href`: where to go"))
)]
pub(in crate::http) async fn list(api: Api) -> Json<Value> {
    let shown = api.accounts.providers.known.iter().map(|one| {
        let href = format!("{COOKIE_PATH}/{}", one.name);
        json!({ "name": one.name, "title": one.title, "issuer": one.issuer, "href": href })
    });
    Json(json!({ "providers": shown.collect::<Vec<_>>() }))
}

#[derive(Deserialize)]
pub(in crate::http) struct Begin {
    /// Whether the provider is to be added to the account of whoever is signed in.
    #[serde(default)]
    link: bool,
}

/// Leads a browser to a provider.
#[utoipa::path(
    get,
    path = "/sign-in/oidc/{provider}",
    params(
        ("provider" = String, Path, description = "Its name in the configuration"),
        ("link" = Option<bool>, Query, description = "`true`: add the provider to the account of whoever is signed in"),
    ),
    responses(
        (status = 303, description = "To the provider"),
        (status = 404, description = "There is no such provider"),
        (status = 502, description = "It does not answer, or is not what it should be"),
        (status = 503, description = "Too many sign in at once"),
    )
)]
pub(in crate::http) async fn begin(
    api: Api,
    site: Site,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Path(provider): Path<String>,
    Query(Begin { link }): Query<Begin>,
) -> Response {
    // Or a page of another site could add an account of its own to that of whoever visits it.
    let begun = match check_site(&headers) {
        Err(problem) if link => Err(problem),
        _ => api.lead_to(&site, &caller, &provider, link).await,
    };
    match begun {
        Ok((state, url)) => {
            let cookie = cookie::set(COOKIE, &state, 600, COOKIE_PATH, caller.is_encrypted);
            go(&url, vec![cookie])
        }
        Err(problem) => told(problem, &headers),
    }
}

/// What a provider sends a browser back with.
#[derive(Deserialize)]
pub(in crate::http) struct Back {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// A browser comes back from a provider.
#[utoipa::path(
    get,
    path = "/sign-in/oidc/{provider}/callback",
    params(
        ("provider" = String, Path),
        ("state" = Option<String>, Query, description = "As it was given to the provider"),
        ("code" = Option<String>, Query, description = "For which the provider says who that is"),
        ("error" = Option<String>, Query, description = "Why it does not"),
        ("error_description" = Option<String>, Query, description = "The same in words"),
    ),
    responses(
        (status = 303, description = "Signed in: to the app, or to the account if the provider was added to it; the session is in a cookie"),
        (status = 403, description = "This sign-in was not begun in this browser, or is over; or nobody here is known so"),
        (status = 502, description = "The provider does not answer, or says what cannot be believed"),
    )
)]
pub(in crate::http) async fn back(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Path(provider): Path<String>,
    Query(back): Query<Back>,
) -> Response {
    match api.come_back(&caller, &headers, &provider, back).await {
        Ok((session, to)) => {
            let over = cookie::set(COOKIE, "", 0, COOKIE_PATH, caller.is_encrypted);
            go(to, vec![session, over])
        }
        Err(problem) => told(problem, &headers),
    }
}

/// Who somebody is at a provider.
struct Known {
    identity: Identity,
    id: Option<String>,
    email: Option<String>,
    name: Option<String>,
    groups: Option<Vec<String>>,
}

impl Api {
    /// Begins a way to a provider; gives its state, and where to go.
    async fn lead_to(
        &self,
        site: &Site,
        caller: &Caller,
        provider: &str,
        link: bool,
    ) -> Result<(String, String), Problem> {
        let provider = self.accounts.providers.find(provider)?;
        let link = match link {
            true => Some(self.signed_in().await?.0.element().to_string()),
            false => None,
        };
        let redirect = format!("{}{COOKIE_PATH}/{}/callback", site.origin(), provider.name);
        let (client, tells_groups) = self.at_provider(provider, &redirect).await?;
        let groups = provider.groups.clone().filter(|_| tells_groups);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scope(Scope::new("profile".to_owned()))
            .add_scopes(groups.map(Scope::new))
            .set_pkce_challenge(challenge)
            .url();
        let way = Way {
            provider: provider.name.clone(),
            nonce,
            verifier,
            link,
            redirect,
        };
        let state = state.into_secret();
        self.keep_ceremony(state.clone(), caller, Ceremony::Provider(Box::new(way)));
        Ok((state, url.into()))
    }

    /// Ends a way to a provider; gives the cookie of the session, and where to go.
    async fn come_back(
        &self,
        caller: &Caller,
        headers: &HeaderMap,
        provider: &str,
        back: Back,
    ) -> Result<(String, &'static str), Problem> {
        let provider = self.accounts.providers.find(provider)?;
        let state = back.state.unwrap_or_default();
        let is_own = cookie::find(headers, COOKIE) == Some(&*state);
        // A state is of use once, whoever shows it.
        let way = match self.end_ceremony(&state) {
            Some(Ceremony::Provider(way)) if is_own && way.provider == provider.name => way,
            _ => {
                return Err(refused(
                    "this sign-in was not begun in this browser, took too long, or is over; begin again",
                ));
            }
        };
        if let Some(error) = back.error {
            let why = back.error_description.unwrap_or(error);
            return Err(refused(&format!("{} refused: {why}", provider.title)));
        }
        let code = back.code.unwrap_or_default();
        let link = way.link.clone();
        let to = if link.is_some() { "/account" } else { "/app/" };
        let known = self.known_at(provider, *way, code).await?;
        let element = self.person_known(provider, &known, link).await?;
        if let Some(groups) = &known.groups {
            self.for_person(&element)
                .join_teams(&element, &provider.name, groups)
                .await?;
        }
        let by = format!("provider {}", provider.name);
        let (_, cookie) = self.new_session(&element, &by, caller, headers).await?;
        Ok((cookie, to))
    }

    /// The provider, as it describes itself now.
    async fn at_provider(
        &self,
        provider: &Provider,
        redirect: &str,
    ) -> Result<(AtProvider, bool), Problem> {
        let providers = &self.accounts.providers;
        let _place = providers.at_once.try_acquire().map_err(|_| {
            let what = "many sign in at providers at this moment; try again in a few seconds";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, what)
                .with(header::RETRY_AFTER, "2".to_owned())
        })?;
        let http = self.http_client()?;
        let issuer = IssuerUrl::new(provider.issuer.clone());
        let issuer = issuer.map_err(|error| unbelievable(provider, &error))?;
        let described = CoreProviderMetadata::discover_async(issuer, http).await;
        let described = described.map_err(|error| {
            let why = chain(&error);
            let what = format!(
                "{} does not answer as a provider should: {why}",
                provider.title
            );
            Problem::new(StatusCode::BAD_GATEWAY, what)
        })?;
        // Not all know such a scope, and some refuse what they do not know.
        let scopes = described.scopes_supported().into_iter().flatten();
        let tells_groups = provider.groups.as_ref();
        let tells_groups =
            tells_groups.is_some_and(|groups| { scopes }.any(|scope| **scope == *groups));
        let secret = match &provider.client_secret_file {
            None => None,
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|error| {
                    tracing::error!(%error, file = %file.display(), "cannot read the secret of the hub at a provider");
                    let what = "the hub cannot read its own secret for this provider; its log says why";
                    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, what)
                })?;
                Some(ClientSecret::new(text.trim().to_owned()))
            }
        };
        let redirect = RedirectUrl::new(redirect.to_owned());
        let redirect = redirect.map_err(|error| unbelievable(provider, &error))?;
        let id = ClientId::new(provider.client_id.clone());
        let client = Client::from_provider_metadata(described, id, secret);
        Ok((client.set_redirect_uri(redirect), tells_groups))
    }

    /// Asks a provider who somebody is that came back with a code.
    async fn known_at(
        &self,
        provider: &Provider,
        way: Way,
        code: String,
    ) -> Result<Known, Problem> {
        let (client, _) = self.at_provider(provider, &way.redirect).await?;
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| unbelievable(provider, &error))?
            .set_pkce_verifier(way.verifier)
            .request_async(self.http_client()?)
            .await
            .map_err(|error| match &error {
                RequestTokenError::ServerResponse(said) => {
                    refused(&format!("{} refused: {said}", provider.title))
                }
                other => unbelievable(provider, other),
            })?;
        let token = answer
            .id_token()
            .ok_or_else(|| believe_not(provider, "it gave no identity token"))?;
        let verifier = client.id_token_verifier();
        let claims = token.claims(&verifier, &way.nonce).map_err(|error| {
            let why = match &error {
                ClaimsVerificationError::Expired(_) => "the identity token is over",
                ClaimsVerificationError::InvalidIssuer(_) => {
                    "the identity token is from another issuer"
                }
                ClaimsVerificationError::InvalidAudience(_) => "the identity token is for another",
                ClaimsVerificationError::InvalidNonce(_) => {
                    "the identity token is of another sign-in (nonce)"
                }
                ClaimsVerificationError::SignatureVerification(_) => {
                    "the identity token has a wrong signature"
                }
                _ => "the identity token is not right",
            };
            tracing::warn!(%error, provider = provider.name, "an identity token was refused");
            believe_not(provider, why)
        })?;
        if let Some(expected) = claims.access_token_hash() {
            let is_same = || {
                let signed_by = token.signing_alg().ok()?;
                let key = token.signing_key(&verifier).ok()?;
                let made = AccessTokenHash::from_token(answer.access_token(), signed_by, key);
                Some(made.ok()? == *expected)
            };
            if is_same() != Some(true) {
                return Err(believe_not(
                    provider,
                    "its two tokens do not belong together",
                ));
            }
        }
        let others = &claims.additional_claims().0;
        let groups = provider
            .groups
            .as_ref()
            .map(|claim| groups(others.get(claim)));
        let email = claims.email().map(|email| email.as_str());
        let id = claims
            .preferred_username()
            .map(|name| name.as_str())
            .or(email);
        let name = claims.name().and_then(|name| name.get(None));
        Ok(Known {
            identity: Identity {
                issuer: provider.issuer.clone(),
                subject: claims.subject().to_string(),
            },
            id: id.map(str::to_owned),
            email: email.map(str::to_owned),
            name: name.map(|name| name.as_str().to_owned()),
            groups,
        })
    }

    fn http_client(&self) -> Result<&reqwest::Client, Problem> {
        self.accounts.providers.http.as_ref().ok_or_else(|| {
            let what = "the hub cannot ask providers; its log says why";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, what)
        })
    }

    /// Which person that is here.
    async fn person_known(
        &self,
        provider: &Provider,
        known: &Known,
        link: Option<String>,
    ) -> Result<String, Problem> {
        let identity = &known.identity;
        let named = self.named(&identity.issuer, &identity.subject).await?;
        if let Some(element) = named {
            let account = self.account(&element).await?;
            if account.identities().contains(identity) {
                return match link {
                    Some(link) if link != element => Err(Problem::new(
                        StatusCode::CONFLICT,
                        format!("whom {} knows so has another account here", provider.title),
                    )),
                    _ => Ok(element),
                };
            }
        }
        let provisioned = self.provisioned_as(provider, known).await?;
        let is_new = link.is_none() && provisioned.is_none();
        let element = match link.or(provisioned) {
            Some(element) => element,
            None if provider.create => self.free_id(known.id.as_deref()).await?,
            None => {
                return Err(refused(&format!(
                    "nobody here is known to {} so: sign in otherwise and add it to your account, or ask to be invited",
                    provider.title
                )));
            }
        };
        let person = self.for_person(&element);
        person.note_name(identity, &element).await?;
        let new = identity.clone();
        let change = move |account: &mut Account, _| {
            // Another may have got the id meanwhile: nobody gets into an account that is there.
            if is_new && account.is_open() {
                let what = "somebody else got this id at the same moment; begin again";
                return Err(Problem::new(StatusCode::CONFLICT, what));
            }
            let added = account.add_identity(new.clone());
            added.map_err(|full| Problem::new(StatusCode::CONFLICT, full.to_string()))
        };
        person.change_account(&element, change).await?;
        person
            .describe_person(&element, known.name.as_deref())
            .await?;
        Ok(element)
    }

    /// The person that a directory provisioned as whoever signs in: by what it is called there.
    ///
    /// # Errors
    ///
    /// If a directory provisioned one of that name, and nothing says that these are the same: somebody who
    /// was suspended must not come in as somebody new.
    async fn provisioned_as(
        &self,
        provider: &Provider,
        known: &Known,
    ) -> Result<Option<String>, Problem> {
        let names = [&known.id, &known.email];
        for name in names.into_iter().flatten() {
            let Some(element) = self.named(NAMES, &name.to_lowercase()).await? else {
                continue;
            };
            let kept = self.said_at(&provisioned::topic_of(&element)).await?;
            let kept = kept.and_then(|event| Provisioned::read(&event.payload));
            let Some(kept) = kept.filter(|kept| kept.user_name().eq_ignore_ascii_case(name)) else {
                continue;
            };
            if provider.provisioned_by.as_ref() == Some(&kept.provider) {
                return Ok(Some(element));
            }
            return Err(refused(&format!(
                "{} provisions a person called `{name}`; whoever looks after the hub says with `provisioned_by` of {} that these are the same",
                kept.provider, provider.name
            )));
        }
        Ok(None)
    }

    /// An id that nobody has, like what somebody is called at a provider.
    pub(in crate::http) async fn free_id(&self, wanted: Option<&str>) -> Result<String, Problem> {
        let wanted = wanted.unwrap_or("person");
        let wanted = wanted.split('@').next().unwrap_or_default();
        let wanted = slug(wanted);
        let wanted = if is_id(&wanted) {
            wanted
        } else {
            "person".to_owned()
        };
        for n in 1..=IDS_MAX {
            let id = match n {
                1 => wanted.clone(),
                n => format!("{}-{n}", &wanted[..wanted.len().min(28)]),
            };
            let element = format!("people/{id}");
            // Whatever somebody may already who is called so, a stranger must not get.
            let is_free = !self.account(&element).await?.is_open()
                && self.said_at(&element).await?.is_none()
                && self.relations_of(&element).await? == Relations::default()
                && self.credentials_of(&element).await? == Credentials::default();
            if is_free {
                return Ok(element);
            }
        }
        let what =
            format!("{IDS_MAX} persons are called like `{wanted}` already; ask to be invited");
        Err(Problem::new(StatusCode::CONFLICT, what))
    }

    /// A person is a member of these teams as a provider says, and of no others as it said before.
    async fn join_teams(
        &self,
        person: &str,
        provider: &str,
        groups: &[String],
    ) -> Result<(), Problem> {
        let teams = groups.iter().filter_map(|group| {
            let key = identity::key(Kind::Team, group);
            key.or_else(|_| identity::key(Kind::Team, &slug(group)))
                .ok()
        });
        let from = provider.to_owned();
        let teams: Vec<String> = teams.collect();
        self.change_relations(person, move |key, all, now| {
            all.remove(|one| one.provider.as_ref() == Some(&from));
            let member = |team: &String| Relation {
                provider: Some(from.clone()),
                by: Some(from.clone()),
                at: now,
                ..Relation::new("memberOf", team)
            };
            let new: Vec<Relation> = teams.iter().map(member).collect();
            Ok(all.put(key, &new, now)?)
        })
        .await
    }
}

/// The groups that a claim names: a list of texts, or one text.
fn groups(claim: Option<&Value>) -> Vec<String> {
    let texts: Vec<&str> = match claim {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    };
    let texts = texts.into_iter().take(GROUPS_MAX);
    texts.map(str::to_owned).collect()
}

/// A name as it can stand in addresses: `Night Shift` is `night-shift`.
pub(in crate::http) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(32);
    slug.trim_end_matches('-').to_owned()
}

fn go(to: &str, cookies: Vec<String>) -> Response {
    let mut response = (StatusCode::SEE_OTHER, once(), [(header::LOCATION, to)]).into_response();
    for cookie in cookies {
        if let Ok(cookie) = cookie.parse() {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// A refusal: on the page of sign-in for a person, as a problem for a program.
fn told(problem: Problem, headers: &HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT);
    let accepts = accepts.and_then(|accepts| accepts.to_str().ok());
    if !accepts.is_some_and(|accepts| accepts.contains("text/html")) {
        return problem.into_response();
    }
    let why: String = form_urlencoded::byte_serialize(problem.detail().as_bytes()).collect();
    let mut response = go(&format!("/sign-in#refused={why}"), Vec::new());
    // For those who keep record of it.
    response.extensions_mut().insert(Arc::new(problem));
    response
}

fn refused(what: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, what)
}

fn believe_not(provider: &Provider, why: &str) -> Problem {
    let what = format!("what {} says cannot be believed: {why}", provider.title);
    Problem::new(StatusCode::BAD_GATEWAY, what)
}

fn unbelievable(provider: &Provider, error: &dyn std::error::Error) -> Problem {
    believe_not(provider, &chain(error))
}

/// An error with its reasons.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(why) = source {
        text = format!("{text}: {why}");
        source = why.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_what_can_stand_in_addresses() {
        for (name, expected) in [
            ("Night Shift", "night-shift"),
            ("/group/Ward 3/", "group-ward-3"),
            ("ana.lopez", "ana-lopez"),
            ("###", ""),
        ] {
            assert_eq!(slug(name), expected);
        }
    }

    #[test]
    fn groups_are_a_list_or_one() {
        assert_eq!(groups(Some(&json!(["a", 7, "b"]))), ["a", "b"]);
        assert_eq!(groups(Some(&json!("a"))), ["a"]);
        assert!(groups(None).is_empty());
        assert_eq!(groups(Some(&json!(vec!["a"; 200]))).len(), GROUPS_MAX);
    }
}
