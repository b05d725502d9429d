//! An invitation becomes an account: the person chooses a password or makes a passkey, and is signed
//! in. The first owner's link is such an invitation.

use axum::{
    Json,
    extract::ConnectInfo,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use quartet_model::Time;
use quartet_people::{
    account::{Account, password},
    invitation::{self, Invitation, Uninvited, Whom},
    relation::{HUB, Relation, Relations},
};
use quartet_things::registration::Registration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, Problem, checked_name, id_of, passkeys::NewPasskey, read, wrong};
use crate::{
    flow::Flow,
    http::{credentials::once, directory::refused, serve::Caller, site::Site, take::Body},
};

/// Letters of the name that somebody chooses for itself.
const ID_MAX: usize = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    code: String,
    id: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    code: String,
    id: Option<String>,
    name: Option<String>,
    password: Option<String>,
    passkey: Option<MadePasskey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MadePasskey {
    ceremony: String,
    credential: Value,
    name: String,
}

/// What an invitation leads to; it is not used.
#[utoipa::path(
    post,
    path = "/api/account/claim/look",
    request_body(content = Vec<u8>, description = "`code`"),
    responses(
        (status = 200, description = "`element`, if it is for one person only; `owner`: whether that person looks after the whole hub; `replaces`: whether it is in place of what the account had"),
        (status = 403, description = "There is no such code, or it is over"),
        (status = 429, description = "Too many wrong codes came from there"),
    )
)]
pub(in crate::http) async fn look(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let Look { code } = read(&body, "code")?;
    let invited = api.invited(&caller, &code).await?;
    let element = match &invited.whom {
        Whom::One { element, .. } => Some(element.as_str()),
        Whom::Fleet { .. } => None,
    };
    let shown = json!({
        "element": element,
        "owner": invited.owner,
        "replaces": replaces(&invited),
    });
    Ok((once(), Json(shown)).into_response())
}

/// Begins to make a passkey for the account to come.
#[utoipa::path(
    post,
    path = "/api/account/claim/passkey",
    request_body(content = Vec<u8>, description = "`code`; `id` if the person chooses it, such as `ana`; and perhaps `name`"),
    responses(
        (status = 200, description = "`ceremony`, and `publicKey` for `navigator.credentials.create`"),
        (status = 400, description = "The id cannot be chosen"),
        (status = 403, description = "There is no such code, or it is over"),
        (status = 409, description = "The hub is called by its address: passkeys need a name; or there is such an account already"),
    )
)]
pub(in crate::http) async fn begin_passkey(
    api: Api,
    site: Site,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let Begin { code, id, name } = read(&body, "code, id if it is to be chosen, and perhaps name")?;
    let invited = api.invited(&caller, &code).await?;
    let element = api.whom(&invited, id.as_deref()).await?;
    let name = name.unwrap_or_else(|| id_of(&element).to_owned());
    let name = checked_name(&name)?;
    let none = Account::default();
    let shown = api.begin_passkey(&site, &headers, &caller, &element, &name, &none)?;
    Ok((once(), Json(shown)).into_response())
}

/// Makes an account of an invitation, and signs the person in.
#[utoipa::path(
    post,
    path = "/api/account/claim",
    request_body(content = Vec<u8>, description = "`code`; `id` if the person chooses it, such as `ana`; perhaps `name`, by which others know it; and a `password`, or a `passkey`: an object of `ceremony`, `credential` and `name`, or both"),
    responses(
        (status = 201, description = "Who that is now; the session is in a cookie"),
        (status = 400, description = "The password is too easy to guess, or the id cannot be chosen"),
        (status = 403, description = "There is no such code, or it is over"),
        (status = 409, description = "There is such an account already"),
        (status = 429, description = "Too many wrong codes came from there"),
    )
)]
pub(in crate::http) async fn claim(
    api: Api,
    site: Site,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let claim: Claim = read(
        &body,
        "code, id if it is to be chosen, perhaps name, and password or passkey",
    )?;
    let invited = api.invited(&caller, &claim.code).await?;
    let element = api.whom(&invited, claim.id.as_deref()).await?;
    let name = claim.name.as_deref().map(checked_name).transpose()?;
    let mut account = Account::default();
    if let Some(password) = &claim.password {
        let names = [id_of(&element), name.as_deref().unwrap_or_default()];
        password::judge(password, &names).map_err(|weak| wrong(weak.to_string()))?;
    }
    let passkey = match claim.passkey {
        Some(made) => {
            let name = checked_name(&made.name)?;
            let (ceremony, credential) = (&made.ceremony, made.credential);
            Some(api.end_passkey(&site, &headers, &element, ceremony, credential, name)?)
        }
        None if claim.password.is_none() => {
            return Err(wrong("choose a `password`, or make a `passkey`"));
        }
        None => None,
    };
    if let Some(password) = claim.password {
        account.password = Some(api.accounts.hashing.hash(password).await?);
    }
    if let Some(passkey) = &passkey {
        passkey.enter(&mut account)?;
    }
    let by = if passkey.is_some() {
        "passkey"
    } else {
        "password"
    };
    let entered = Entered {
        element,
        name,
        account,
        passkey,
    };
    let element = api.enter(&claim.code, &invited, entered).await?;
    let signed_in = api.begin_session(&element, by, &caller, &headers).await?;
    Ok((StatusCode::CREATED, signed_in).into_response())
}

/// An account to be.
struct Entered {
    element: String,
    name: Option<String>,
    account: Account,
    passkey: Option<NewPasskey>,
}

impl Api {
    /// The invitation of a code, which is for a person.
    async fn invited(&self, caller: &Caller, code: &str) -> Result<Invitation, Problem> {
        let ip = caller.address.ip().to_canonical();
        self.check_guesses(ip)?;
        if self.accounts.first.is(code) {
            return Ok(first_owner());
        }
        let topic = invitation::topic_of(code);
        let now = self.control.clock().now();
        let at = topic.clone();
        let look = move |flow: &mut Flow, now| flow.said_at(&at, now);
        let found = self.control.look_home(&topic, look).await?;
        let found = found.and_then(|event| Invitation::read(&event.payload));
        match found.filter(|found| now < found.expires_at) {
            None => {
                self.was_wrong(ip);
                Err(Uninvited::Unknown.into())
            }
            Some(found) if !found.is_for_person() => {
                let what = "this code is for a thing: it shows the code at /claim itself";
                Err(wrong(what))
            }
            Some(found) => Ok(found),
        }
    }

    /// The person that an invitation is for, or that somebody wants to be.
    async fn whom(&self, invited: &Invitation, id: Option<&str>) -> Result<String, Problem> {
        let chosen = match id {
            Some(id) => {
                let id = id.strip_prefix("people/").unwrap_or(id);
                Some(format!("people/{id}"))
            }
            None => None,
        };
        if let (Whom::Fleet { .. }, Some(chosen)) = (&invited.whom, &chosen)
            && !is_id(id_of(chosen))
        {
            return Err(wrong(format!(
                "`{}` cannot be chosen: an id has 1 to {ID_MAX} small letters, digits and dashes, such as `ana`, and begins with a letter or a digit",
                id_of(chosen)
            )));
        }
        let now = self.control.clock().now();
        let element = invited.clone().accept(chosen.as_deref(), now)?;
        if !replaces(invited) && self.account(&element).await?.is_open() {
            return Err(is_there(&element));
        }
        Ok(element)
    }

    /// Uses an invitation; gives who came in.
    async fn enter(
        &self,
        code: &str,
        invited: &Invitation,
        entered: Entered,
    ) -> Result<String, Problem> {
        let Entered {
            element,
            name,
            account,
            passkey,
        } = entered;
        let person = self.for_person(&element);
        if let Some(passkey) = &passkey {
            person.name_handle(&passkey.handle, &element).await?;
        }
        let is_first = self.accounts.first.take(code);
        if !is_first {
            self.accept(code, Some(element.clone())).await?;
        }
        let replaces = replaces(invited);
        let whose = element.clone();
        let change = move |there: &mut Account, _: Time| {
            if !replaces && there.is_open() {
                return Err(is_there(&whose));
            }
            *there = account.clone();
            Ok(())
        };
        if let Err(problem) = person.change_account(&element, change).await {
            if is_first {
                self.accounts.first.put_back(code);
            }
            return Err(problem);
        }
        let topics = invited.topics.clone();
        if replaces || !topics.is_empty() {
            person
                .change_credentials(&element, move |all, _| {
                    if replaces {
                        all.revoke_all();
                    }
                    all.set_topics(topics.clone());
                    Ok(())
                })
                .await?;
        }
        if invited.owner {
            person.make_owner(&element).await?;
        }
        if !invited.relations.is_empty() {
            let (new, by) = (invited.relations.clone(), invited.issued_by.clone());
            let change = move |key: &str, all: &mut Relations, now| {
                let made = new.iter().map(|one| Relation {
                    by: Some(by.clone()),
                    at: now,
                    reason: None,
                    provider: None,
                    ..one.clone()
                });
                Ok(all.put(key, &made.collect::<Vec<_>>(), now)?)
            };
            person.change_relations(&element, change).await?;
        }
        person.describe_person(&element, name.as_deref()).await?;
        Ok(element)
    }

    /// A person looks after the whole hub.
    async fn make_owner(&self, person: &str) -> Result<(), Problem> {
        self.make_related(person, Relation::new("owner", HUB)).await
    }

    /// One more relation from a person, beside those that it has; whether that may be was looked at.
    pub(super) async fn make_related(
        &self,
        person: &str,
        relation: Relation,
    ) -> Result<(), Problem> {
        let by = Some(self.name());
        self.change_relations(person, move |key, all, now| {
            let made = Relation {
                by: by.clone(),
                at: now,
                ..relation.clone()
            };
            Ok(all.put(key, &[made], now)?)
        })
        .await
    }

    /// A person is an element like any other: it has a description, if it has none yet.
    pub(in crate::http) async fn describe_person(
        &self,
        person: &str,
        name: Option<&str>,
    ) -> Result<(), Problem> {
        if self.said_at(person).await?.is_some() {
            return Ok(());
        }
        let td = json!({
            "@context": "https://www.w3.org/2022/wot/td/v1.1",
            "title": name.unwrap_or(id_of(person)),
            "securityDefinitions": { "quartet": { "scheme": "basic", "in": "header" } },
            "security": "quartet",
        });
        let td = td.to_string();
        let registration = Registration::at(person, td.as_bytes()).map_err(refused)?;
        self.register(registration, None).await?;
        Ok(())
    }
}

/// What the link of the first owner stands for.
fn first_owner() -> Invitation {
    let prefix = "people/".to_owned();
    let whom = Whom::Fleet { prefix };
    let mut first = Invitation::new("first".to_owned(), whom, 1, Time::ZERO, "hub", Time::NEVER);
    first.owner = true;
    first
}

fn replaces(invited: &Invitation) -> bool {
    matches!(invited.whom, Whom::One { replaces: true, .. })
}

fn is_there(element: &str) -> Problem {
    let what = format!("there is an account of {element} already; choose another id, or sign in");
    Problem::new(StatusCode::CONFLICT, what)
}

/// Whether somebody may choose to be called so in addresses.
pub(super) fn is_id(id: &str) -> bool {
    let is_right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=ID_MAX).contains(&id.len()) && !id.starts_with('-') && id.bytes().all(is_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_small_letters_digits_and_dashes() {
        for id in ["ana", "ana-lopez", "7", &"a".repeat(ID_MAX)] {
            assert!(is_id(id), "{id}");
        }
        for id in [
            "",
            "Ana",
            "-ana",
            "ana lopez",
            "änna",
            "a/b",
            "#",
            &"a".repeat(33),
        ] {
            assert!(!is_id(id), "{id}");
        }
    }
}
