//! What opens the door to an element: issued once, shown once, rotated and taken back.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use quartet_fabric::topic::Filter;
use quartet_model::{Said, Time};
use quartet_people::{
    account,
    credentials::{self, Credential, Credentials, NotIssued, Proof, Replaces, TOPICS_MAX},
    role::Deed,
    scope::Scope,
    secret::{SECRET_BYTES, Secret},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    elements::key_of,
    problem::Problem,
    take::{Body, Path},
};
use crate::flow::Flow;

/// What a new credential is to be.
#[derive(Clone, Deserialize, Default, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// What its holder calls it.
    name: Option<String>,
    /// What it takes the place of: an `id`, or `all`.
    replaces: Option<String>,
    /// For how many seconds what it replaces is still good.
    #[serde(default)]
    overlap_s: u64,
    /// For how many seconds it is good; for ever if absent.
    expiry_s: Option<u64>,
    /// A client certificate in place of a secret.
    certificate: Option<Wish>,
    /// What it is good for, if that is less than what the element may.
    scope: Option<Scope>,
}

/// What may be changed.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Change {
    topics: Vec<String>,
}

/// The credentials of an element; no secret is shown twice.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}/credentials",
    params(("kind" = String, Path), ("id" = String, Path)),
    responses((status = 200, description = "`credentials`: of each its `id`, `name`, when and by whom it was issued, until when it is good; `topics` that they open beside the element's own address"))
)]
pub(super) async fn list(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let key = key_of(&kind, &id)?;
    let topic = credentials::topic_of(&key);
    let look = move |flow: &mut Flow, now| flow.credentials(&key, now);
    let all = api.control.look_home(&topic, look).await?;
    let shown: Vec<_> = all.iter().map(show).collect();
    Ok(Json(
        json!({ "credentials": shown, "topics": all.topics() }),
    ))
}

/// Issues a credential. Its secret is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/api/{kind}/{id}/credentials",
    params(("kind" = String, Path), ("id" = String, Path)),
    request_body(content = Vec<u8>, description = "Empty, or an object with `name`, `replaces` (an `id` or `all`), `overlap_s` (how long what it replaces is still good), `expiry_s`, `certificate`: `true`, or a signing request in PEM, and `scope`: what it `may` (deeds; all if absent) `in` which elements (everything if absent), at most"),
    responses(
        (status = 201, description = "`user` and `password` for MQTT and HTTP, and `token`, which is both in one word; or `certificate` and, if the hub made it, `key`"),
        (status = 400, description = "What is wanted is not understood"),
        (status = 409, description = "It has as many as it may have, or what is to be replaced is not there"),
    )
)]
pub(super) async fn issue(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let key = key_of(&kind, &id)?;
    let wanted = match &body[..] {
        [] => Wanted::default(),
        body => read(
            body,
            "name, replaces, overlap_s, expiry_s, certificate and scope",
        )?,
    };
    api.must_manage_all_of(&key).await?;
    let issued = api.issue(&key, wanted).await?;
    let location = format!(
        "/api/{key}/credentials/{}",
        issued["id"].as_str().unwrap_or("")
    );
    Ok((
        StatusCode::CREATED,
        once(),
        [(header::LOCATION, location)],
        Json(issued),
    )
        .into_response())
}

/// Grants an element topics beside its own address, in place of those that it was granted before.
#[utoipa::path(
    patch,
    path = "/api/{kind}/{id}/credentials",
    params(("kind" = String, Path), ("id" = String, Path)),
    request_body(content = Vec<u8>, description = "`topics`: filters of topics at which it may publish and receive"),
    responses(
        (status = 204, description = "It is so, also for those of its connections that are open"),
        (status = 400, description = "One is no filter of topics, or the hub's own"),
    )
)]
pub(super) async fn grant(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    let key = key_of(&kind, &id)?;
    // Topics beside its own may be anybody's.
    api.may(Deed::Manage, "$quartet").await?;
    let Change { topics } = read(&body, "topics")?;
    check_topics(&topics)?;
    api.change_credentials(&key, move |all, _| {
        all.set_topics(topics.clone());
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a credential back. Whoever came in with it goes at once.
#[utoipa::path(
    delete,
    path = "/api/{kind}/{id}/credentials/{credential}",
    params(("kind" = String, Path), ("id" = String, Path), ("credential" = String, Path)),
    responses(
        (status = 204, description = "It is good no more"),
        (status = 404, description = "There is no such credential"),
    )
)]
pub(super) async fn revoke(
    api: Api,
    Path((kind, id, credential)): Path<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    let key = key_of(&kind, &id)?;
    api.change_credentials(&key, move |all, _| match all.revoke(&credential) {
        true => Ok(()),
        false => {
            let what = format!("there is no credential `{credential}`");
            Err(Problem::new(StatusCode::NOT_FOUND, what))
        }
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes all credentials of an element back.
#[utoipa::path(
    delete,
    path = "/api/{kind}/{id}/credentials",
    params(("kind" = String, Path), ("id" = String, Path)),
    responses((status = 204, description = "None is good any more; whoever came in with one is gone"))
)]
pub(super) async fn revoke_all(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let key = key_of(&kind, &id)?;
    api.change_credentials(&key, |all, _| {
        all.revoke_all();
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is shown once is in no cache.
pub(super) fn once() -> [(header::HeaderName, &'static str); 1] {
    [(header::CACHE_CONTROL, "no-store")]
}

/// A body that is an object with these members.
pub(super) fn read<T: for<'d> Deserialize<'d>>(body: &[u8], members: &str) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let what = format!("the body must be a JSON object with {members}: {error}");
        Problem::new(StatusCode::BAD_REQUEST, what)
    })
}

pub(super) fn check_topics(topics: &[String]) -> Result<(), Problem> {
    if TOPICS_MAX < topics.len() {
        let what = format!(
            "there are {} topics; at most {TOPICS_MAX} are taken",
            topics.len()
        );
        return Err(Problem::new(StatusCode::BAD_REQUEST, what));
    }
    let is_right = |topic: &&String| !topic.starts_with('$') && Filter::parse(topic).is_ok();
    match topics.iter().find(|topic| !is_right(topic)) {
        Some(wrong) => Err(no_filter(wrong)),
        None => Ok(()),
    }
}

fn no_filter(wrong: &str) -> Problem {
    let what = format!(
        "`{wrong}` cannot be granted: it must be a filter of topics such as `zigbee2mqtt/#`, and none of the hub's own, which begin with $"
    );
    Problem::new(StatusCode::BAD_REQUEST, what)
}

/// Random bytes of the system's own source.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        let what = format!("the system gives no randomness: {error}");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, what)
    })?;
    Ok(bytes)
}

/// A name that nothing else has.
pub(super) fn new_id() -> Result<String, Problem> {
    Ok(Secret::of(&random::<5>()?).text().to_owned())
}

fn show(credential: &Credential) -> Value {
    let mut shown = json!({
        "id": credential.id,
        "issuedAt": credential.issued_at.rfc3339(),
        "issuedBy": credential.issued_by,
    });
    if let Some(name) = &credential.name {
        shown["name"] = name.as_str().into();
    }
    if credential.expires_at != Time::NEVER {
        shown["expiresAt"] = credential.expires_at.rfc3339().into();
    }
    if let Some(scope) = &credential.scope {
        shown["scope"] = json!(scope);
    }
    if let Some(session) = &credential.session {
        shown["device"] = session.device.as_str().into();
        shown["signedInBy"] = session.by.as_str().into();
    }
    shown
}

impl From<NotIssued> for Problem {
    fn from(why: NotIssued) -> Self {
        let status = match why {
            NotIssued::Suspended => StatusCode::FORBIDDEN,
            NotIssued::TooMany | NotIssued::NothingToReplace(_) => StatusCode::CONFLICT,
        };
        Self::new(status, why.to_string())
    }
}

impl Api {
    /// Whoever can come in as an element may what that may: so it must decide about all of that.
    async fn must_manage_all_of(&self, key: &str) -> Result<(), Problem> {
        if self.who().holder().is_none() {
            return Ok(());
        }
        if key.starts_with("people/") {
            self.may(Deed::Manage, "$quartet").await?;
        }
        let element = key.to_owned();
        let look = move |flow: &mut Flow, _| flow.graph().held_scopes(&element);
        for scope in self.control.look_home(key, look).await? {
            self.must_manage(&scope).await?;
        }
        Ok(())
    }

    /// Issues a credential; gives what is shown once.
    async fn issue(&self, key: &str, wanted: Wanted) -> Result<Value, Problem> {
        let now = self.control.clock().now();
        let after = |s| now.after(Duration::from_secs(s));
        let replaces = match wanted.replaces {
            None => Replaces::Nothing,
            Some(all) if all == "all" => Replaces::All,
            Some(id) => Replaces::One(id),
        };
        let expires_at = wanted.expiry_s.map_or(Time::NEVER, after);
        let change = NewCredential {
            name: wanted.name,
            replaces,
            overlap: after(wanted.overlap_s),
            expires_at,
            topics: None,
            must_be_first: false,
            certificate: wanted.certificate,
            scope: wanted.scope,
        };
        self.issue_for(key, change).await
    }

    /// The same, for whoever is to have it.
    pub(super) async fn issue_for(&self, key: &str, new: NewCredential) -> Result<Value, Problem> {
        if let Some(scope) = &new.scope {
            let checked = scope.check();
            checked
                .map_err(|why| Problem::new(StatusCode::BAD_REQUEST, format!("scope: {why}")))?;
        }
        let (proof, secrets) = match &new.certificate {
            None => self.secret(key)?,
            Some(wish) => self.certificate(key, wish, new.expires_at)?,
        };
        let credential = Credential {
            id: new_id()?,
            name: new.name.clone(),
            proof,
            issued_at: self.control.clock().now(),
            issued_by: self.name(),
            expires_at: new.expires_at,
            scope: new.scope.clone().map(Arc::new),
            session: None,
        };
        let mut shown = show(&credential);
        let element = key.to_owned();
        self.change_credentials(key, move |all, _| {
            if new.must_be_first && all.iter().next().is_some() {
                let what = format!("`{element}` has a credential already; take it back first, or make a claim code that replaces it");
                return Err(Problem::new(StatusCode::CONFLICT, what));
            }
            if let Some(topics) = &new.topics {
                all.set_topics(topics.clone());
            }
            Ok(all.issue(credential.clone(), &new.replaces, new.overlap)?)
        })
        .await?;
        shown["element"] = key.into();
        for (name, secret) in secrets {
            shown[name] = secret.into();
        }
        Ok(shown)
    }

    /// A name and a password, and both in one word.
    fn secret(&self, key: &str) -> Result<(Proof, Secrets), Problem> {
        let secret = Secret::of(&random::<SECRET_BYTES>()?);
        let shown = vec![
            ("user", key.to_owned()),
            ("password", secret.text().to_owned()),
            ("token", credentials::token_of(key, &secret)),
        ];
        Ok((Proof::Secret(secret.hash()), shown))
    }

    /// A client certificate, and its key if the hub made that.
    fn certificate(
        &self,
        key: &str,
        wish: &Wish,
        until: Time,
    ) -> Result<(Proof, Secrets), Problem> {
        let authority = self.identity.things().ok_or_else(|| {
            let what = "no listener asks for client certificates; add client-certificates=optional to one that is encrypted, such as mqtts://0.0.0.0?client-certificates=optional";
            Problem::new(StatusCode::CONFLICT, what)
        })?;
        let request = match wish {
            Wish::New(true) => None,
            Wish::New(false) => return self.secret(key),
            Wish::For(request) => Some(&**request),
        };
        let now = self.control.clock().now();
        let issued = authority
            .issue(key, request, random()?, now, until)
            .map_err(|why| Problem::new(StatusCode::BAD_REQUEST, format!("certificate: {why}")))?;
        let mut shown = vec![("certificate", issued.certificate)];
        shown.extend(issued.key.map(|key| ("key", key)));
        Ok((issued.proof, shown))
    }

    /// Changes an element's credentials as a whole.
    pub(super) async fn change_credentials(
        &self,
        key: &str,
        change: impl Fn(&mut Credentials, Time) -> Result<(), Problem> + Clone + Send + 'static,
    ) -> Result<(), Problem> {
        let topic = credentials::topic_of(key);
        let element = key.to_owned();
        let make = move |flow: &mut Flow, now, topic: &str| {
            let mut all = flow.credentials(&element, now);
            change(&mut all, now)?;
            Ok(Said::kept(topic.to_owned(), all.text()))
        };
        self.say_to(&topic, true, self.as_hub(), make).await?;
        Ok(())
    }

    /// An element was forgotten: nothing opens the door to it any more, unless it forgot itself.
    pub(super) async fn forget_credentials(&self, key: &str) -> Result<(), Problem> {
        let has_any = {
            let kept = [credentials::topic_of(key), account::topic_of(key)];
            let look = move |flow: &mut Flow, now| {
                kept.iter().any(|topic| flow.said_at(topic, now).is_some())
            };
            self.control
                .look_home(&credentials::topic_of(key), look)
                .await?
        };
        let is_itself = self.who().holder().is_some_and(|it| **it.element() == *key);
        if !has_any || is_itself {
            return Ok(());
        }
        self.forget_all(key).await
    }

    /// Nothing opens the door to an element any more, and it is related to nothing.
    pub(super) async fn forget_all(&self, key: &str) -> Result<(), Problem> {
        let said = Said::kept(account::topic_of(key), "");
        self.control.say(self.as_hub(), said).await??;
        self.change_credentials(key, |all, _| {
            *all = Credentials::default();
            Ok(())
        })
        .await?;
        self.forget_relations(key).await
    }

    /// Who asks, by name.
    pub(super) fn name(&self) -> String {
        self.who().name().to_string()
    }
}

/// What is shown once, by name.
type Secrets = Vec<(&'static str, String)>;

/// A credential to be issued.
#[derive(Clone, Debug)]
pub(super) struct NewCredential {
    pub(super) name: Option<String>,
    pub(super) replaces: Replaces,
    /// Until when what it replaces is good.
    pub(super) overlap: Time,
    pub(super) expires_at: Time,
    /// What the element is granted in place of what it was; nothing changes if absent.
    pub(super) topics: Option<Vec<String>>,
    /// Whether it is issued only if the element has none.
    pub(super) must_be_first: bool,
    /// A certificate in place of a secret.
    pub(super) certificate: Option<Wish>,
    /// What it is good for, if that is less than what the element may.
    pub(super) scope: Option<Scope>,
}

/// Which certificate is wanted.
#[derive(Clone, Deserialize, Debug)]
#[serde(untagged)]
pub(super) enum Wish {
    /// One with a new key.
    New(bool),
    /// One for the key of this signing request (PKCS #10, PEM).
    For(String),
}
