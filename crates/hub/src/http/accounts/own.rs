//! One's own account: what is set, the password, sessions and personal tokens.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::ConnectInfo,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use quartet_model::Time;
use quartet_people::{
    account::password,
    credentials::{Credential, Replaces},
    scope::Scope,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, Problem, checked_name, id_of, read, wrong};
use crate::http::{
    credentials::{NewCredential, once},
    serve::Caller,
    take::{Body, Path},
};

/// How long a token may be good: ten years.
const EXPIRY_S_MAX: u64 = 10 * 366 * 24 * 3600;
/// How long it is if nobody says: 90 days.
const EXPIRY_S: u64 = 90 * 24 * 3600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    current: Option<String>,
    new: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    name: String,
    expiry_s: Option<u64>,
    scope: Option<Scope>,
}

/// What is set in one's account, where one is signed in, and which tokens there are.
#[utoipa::path(
    get,
    path = "/api/account",
    responses(
        (status = 200, description = "`element`, `name`, `factors`, `passkeys`, `providers`, `sessions` and `tokens`; no secrets"),
        (status = 401, description = "Nobody is signed in"),
    )
)]
pub(in crate::http) async fn show(api: Api) -> Result<Response, Problem> {
    let holder = Arc::clone(api.person()?);
    let element = holder.element();
    let account = api.account(element).await?;
    let credentials = api.credentials_of(element).await?;
    let passkeys = account.passkeys().iter().map(|passkey| {
        json!({ "id": passkey.id, "name": passkey.name, "addedAt": passkey.added_at.rfc3339() })
    });
    let providers = account.identities().iter();
    let providers = providers.map(|identity| identity.issuer.as_str());
    let (sessions, tokens): (Vec<_>, Vec<_>) = credentials
        .iter()
        .partition(|there| there.session.is_some());
    let sessions = sessions.into_iter().map(|session| {
        let mut shown = show_one(session);
        if let Some(at) = api.accounts.seen.lock().at(&session.id) {
            shown["lastSeenAt"] = at.rfc3339().into();
        }
        shown["isThis"] = (session.id == holder.credential()).into();
        shown
    });
    let shown = json!({
        "element": &**element,
        "name": api.title_of(element).await?,
        "factors": account.factors(),
        "passkeys": passkeys.collect::<Vec<_>>(),
        "providers": providers.collect::<Vec<_>>(),
        "sessions": sessions.collect::<Vec<_>>(),
        "tokens": tokens.into_iter().map(show_one).collect::<Vec<_>>(),
    });
    Ok((once(), Json(shown)).into_response())
}

/// Sets a password. All other sessions end.
#[utoipa::path(
    put,
    path = "/api/account/password",
    request_body(content = Vec<u8>, description = "`new`, of ten characters at least; and the `current` one if there is one"),
    responses(
        (status = 204, description = "The new one holds; all other sessions are over"),
        (status = 400, description = "The new one is too easy to guess: it says why"),
        (status = 403, description = "The current one is wrong"),
        (status = 429, description = "Too many attempts were wrong"),
    )
)]
pub(in crate::http) async fn set_password(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    let (holder, session) = api.signed_in().await?;
    let NewPassword { current, new } = read(&body, "new, and current if there is a password")?;
    let element = holder.element();
    let name = api.title_of(element).await?;
    password::judge(&new, &[id_of(element), &name]).map_err(|weak| wrong(weak.to_string()))?;
    let before = api.account(element).await?.password;
    if before.is_some() {
        api.prove(&caller, element, Some(current.unwrap_or_default()), None)
            .await?;
    }
    let kept = api.accounts.hashing.hash(new).await?;
    api.change_account(element, move |account, _| {
        if account.password != before {
            let what = "the password was changed elsewhere meanwhile; try again";
            return Err(Problem::new(StatusCode::CONFLICT, what));
        }
        account.password = Some(kept.clone());
        Ok(())
    })
    .await?;
    api.change_credentials(element, move |all, _| {
        all.end_sessions_but(&session.id);
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a session of one's own, wherever it is.
#[utoipa::path(
    delete,
    path = "/api/account/sessions/{session}",
    params(("session" = String, Path, description = "Its `id`")),
    responses(
        (status = 204, description = "It is over, and what came in with it is gone"),
        (status = 404, description = "There is no such session"),
    )
)]
pub(in crate::http) async fn end_session(
    api: Api,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    api.revoke_own(id, true).await
}

/// Ends all other sessions of one's own.
#[utoipa::path(
    delete,
    path = "/api/account/sessions",
    responses((status = 204, description = "Only the session that asked is left"))
)]
pub(in crate::http) async fn end_other_sessions(api: Api) -> Result<StatusCode, Problem> {
    let (holder, session) = api.signed_in().await?;
    api.change_credentials(holder.element(), move |all, _| {
        all.end_sessions_but(&session.id);
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a personal token, for programs that act for a person. It is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/api/account/tokens",
    request_body(content = Vec<u8>, description = "`name`, `expiry_s`: for how many seconds it is good (90 days if absent), and `scope`: what it `may` (`read`, `write`, `invoke`, `report`, `manage`; all if absent) `in` which elements, and what is in them (everything if absent); never more than the person may"),
    responses(
        (status = 201, description = "`token`; also `user` and `password` for those who want two words"),
        (status = 400, description = "The name or the time is not right"),
        (status = 409, description = "There are as many as there may be"),
    )
)]
pub(in crate::http) async fn create_token(api: Api, Body(body): Body) -> Result<Response, Problem> {
    let (holder, _) = api.signed_in().await?;
    let NewToken {
        name,
        expiry_s,
        scope,
    } = read(&body, "name, and perhaps expiry_s and scope")?;
    let s = expiry_s.unwrap_or(EXPIRY_S);
    if s == 0 || EXPIRY_S_MAX < s {
        return Err(wrong(format!(
            "expiry_s is {s}; must be from 1 to {EXPIRY_S_MAX}"
        )));
    }
    let now = api.control.clock().now();
    let new = NewCredential {
        name: Some(checked_name(&name)?),
        replaces: Replaces::Nothing,
        overlap: now,
        expires_at: now.after(Duration::from_secs(s)),
        topics: None,
        must_be_first: false,
        certificate: None,
        scope,
    };
    let issued = api.issue_for(holder.element(), new).await?;
    let location = format!(
        "/api/account/tokens/{}",
        issued["id"].as_str().unwrap_or_default()
    );
    let location = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, once(), location, Json(issued)).into_response())
}

/// Takes a personal token back.
#[utoipa::path(
    delete,
    path = "/api/account/tokens/{token}",
    params(("token" = String, Path, description = "Its `id`")),
    responses(
        (status = 204, description = "It is good no more, and what came in with it is gone"),
        (status = 404, description = "There is no such token"),
    )
)]
pub(in crate::http) async fn revoke_token(
    api: Api,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    api.revoke_own(id, false).await
}

impl Api {
    async fn revoke_own(&self, id: String, is_session: bool) -> Result<StatusCode, Problem> {
        let (holder, _) = self.signed_in().await?;
        self.change_credentials(holder.element(), move |all, _| {
            let found = all.find(&id);
            if found.is_none_or(|there| there.session.is_some() != is_session) {
                let what = format!("there is no `{id}`; /api/account lists what there is");
                return Err(Problem::new(StatusCode::NOT_FOUND, what));
            }
            all.revoke(&id);
            Ok(())
        })
        .await?;
        Ok(StatusCode::NO_CONTENT)
    }

    /// Whoever is signed in proves once more who it is, with the password or a code.
    pub(super) async fn prove(
        &self,
        caller: &Caller,
        element: &str,
        password: Option<String>,
        code: Option<String>,
    ) -> Result<(), Problem> {
        let ip = caller.address.ip().to_canonical();
        self.charge(ip, element)?;
        let is_right = match (password, code) {
            (Some(password), _) => {
                let kept = self.account(element).await?.password;
                let kept = kept.unwrap_or_else(|| password::NOBODYS.to_owned());
                self.is_right((ip, element), password, kept).await?
            }
            (None, Some(code)) => self.use_code(element, &code).await?.is_some(),
            (None, None) => return Err(wrong("show the `password` or a `code`")),
        };
        if !is_right {
            let what = "the password or the code is wrong";
            return Err(Problem::new(StatusCode::FORBIDDEN, what).needing("password"));
        }
        self.give_back(ip, element);
        Ok(())
    }
}

fn show_one(credential: &Credential) -> Value {
    let mut shown = json!({ "id": credential.id, "issuedAt": credential.issued_at.rfc3339() });
    if let Some(name) = &credential.name {
        shown["name"] = name.as_str().into();
    }
    if let Some(scope) = &credential.scope {
        shown["scope"] = json!(scope);
    }
    if let Some(session) = &credential.session {
        shown["device"] = session.device.as_str().into();
        shown["signedInBy"] = session.by.as_str().into();
    }
    if credential.expires_at != Time::NEVER {
        shown["expiresAt"] = credential.expires_at.rfc3339().into();
    }
    shown
}
