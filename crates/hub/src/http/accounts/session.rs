//! Sign in, sign out, and who is signed in.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::ConnectInfo,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use quartet_model::Time;
use quartet_people::{
    account::{Account, Used, password},
    credentials::{self, Credential, Proof, Replaces, Session},
    secret::{SECRET_BYTES, Secret},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, Problem, cookie, device, person, read, signed_out};
use crate::http::{
    credentials::{new_id, once, random},
    serve::Caller,
    take::Body,
};

/// How long a session is good, in seconds: 30 days. One that nobody uses is over before.
const SESSION_S: u64 = 30 * 24 * 3600;

/// What somebody shows to sign in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    user: String,
    password: String,
    code: Option<String>,
}

/// Signs in with a password, and a code if the account has them.
#[utoipa::path(
    post,
    path = "/api/session",
    request_body(content = Vec<u8>, description = "`user` (`ana` or `people/ana`), `password`, and `code` if it is asked for: a one-time code or a recovery code"),
    responses(
        (status = 200, description = "Signed in: who that is, as GET says; the session is in a cookie"),
        (status = 401, description = "The name, the password or the code is wrong; or a code is missing (`needs` is `code`)"),
        (status = 429, description = "Too many attempts were wrong; `Retry-After` says how long to wait"),
        (status = 503, description = "Too many sign in at once"),
    )
)]
pub(in crate::http) async fn sign_in(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let SignIn {
        user,
        password,
        code,
    } = read(&body, "user, password, and code if it is asked for")?;
    let ip = caller.address.ip().to_canonical();
    let element = person(&user);
    let name = element.as_deref().unwrap_or("");
    api.charge(ip, name).map_err(|problem| problem.of(&user))?;
    let account = match &element {
        Some(element) => api.account(element).await?,
        None => Account::default(),
    };
    // Somebody who does not exist takes as long as somebody who does.
    let kept = account.password.clone();
    let kept = kept.unwrap_or_else(|| password::NOBODYS.to_owned());
    if !api.is_right((ip, name), password, kept).await? {
        return Err(not_signed_in("the name or the password is wrong").of(&user));
    }
    if account.codes.is_none() {
        api.give_back(ip, name);
        return api.begin_session(name, "password", &caller, &headers).await;
    }
    let code = code.filter(|code| !code.trim().is_empty());
    let Some(code) = code else {
        api.give_back(ip, name);
        let what = "the account has one-time codes: show one as `code`, or a recovery code";
        return Err(not_signed_in(what).needing("code").of(&user));
    };
    let by = match api.use_code(name, &code).await? {
        Some(Used::OneTime) => "password and code",
        Some(Used::Recovery) => "password and recovery code",
        None => {
            let what = "the code is wrong, or was used; take the one that is shown now, or a recovery code";
            return Err(not_signed_in(what).needing("code").of(&user));
        }
    };
    api.give_back(ip, name);
    api.begin_session(name, by, &caller, &headers).await
}

/// Who is signed in.
#[utoipa::path(
    get,
    path = "/api/session",
    responses(
        (status = 200, description = "`element`, `name`, which `factors` its account has, which `session` this is and until when it is good"),
        (status = 401, description = "Nobody is signed in"),
    )
)]
pub(in crate::http) async fn who(api: Api) -> Result<Response, Problem> {
    let holder = Arc::clone(api.person()?);
    let credential = api.credential_of(&holder).await?;
    let credential = credential.ok_or_else(|| signed_out("the session is over; sign in again"))?;
    let shown = api.show_session(holder.element(), &credential).await?;
    Ok((once(), Json(shown)).into_response())
}

/// Signs out: the session is good no more, and what came in with it goes.
#[utoipa::path(
    delete,
    path = "/api/session",
    responses((status = 204, description = "Nobody is signed in; the cookie is gone"))
)]
pub(in crate::http) async fn sign_out(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
) -> Result<Response, Problem> {
    if let Ok((holder, session)) = api.signed_in().await {
        api.change_credentials(holder.element(), move |all, _| {
            all.revoke(&session.id);
            Ok(())
        })
        .await?;
    }
    let cookie = cookie::forget(caller.is_encrypted);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Nobody is told whether there is such an account.
pub(super) fn not_signed_in(what: &str) -> Problem {
    signed_out(what).needing("password")
}

impl Api {
    /// A person has proved who it is: it gets a session, and the browser its cookie.
    pub(super) async fn begin_session(
        &self,
        element: &str,
        by: &str,
        caller: &Caller,
        headers: &HeaderMap,
    ) -> Result<Response, Problem> {
        let (shown, cookie) = self.new_session(element, by, caller, headers).await?;
        Ok((once(), [(header::SET_COOKIE, cookie)], Json(shown)).into_response())
    }

    /// The same: what is shown, and the cookie.
    pub(super) async fn new_session(
        &self,
        element: &str,
        by: &str,
        caller: &Caller,
        headers: &HeaderMap,
    ) -> Result<(Value, String), Problem> {
        let secret = Secret::of(&random::<SECRET_BYTES>()?);
        let now = self.control.clock().now();
        let session = Credential {
            id: new_id()?,
            name: None,
            proof: Proof::Secret(secret.hash()),
            issued_at: now,
            issued_by: element.to_owned(),
            expires_at: now.after(Duration::from_secs(SESSION_S)),
            scope: None,
            session: Some(Session {
                device: device::name(headers),
                by: by.to_owned(),
            }),
        };
        let issued = session.clone();
        self.for_person(element)
            .change_credentials(element, move |all, now| {
                Ok(all.issue(issued.clone(), &Replaces::Nothing, now)?)
            })
            .await?;
        self.accounts.seen.lock().use_now(&session.id, now);
        let shown = self.show_session(element, &session).await?;
        let token = credentials::token_of(element, &secret);
        Ok((shown, cookie::keep(&token, SESSION_S, caller.is_encrypted)))
    }

    /// Who somebody is that came in with this.
    async fn show_session(&self, element: &str, credential: &Credential) -> Result<Value, Problem> {
        let account = self.account(element).await?;
        let mut shown = json!({
            "element": element,
            "name": self.title_of(element).await?,
            "factors": account.factors(),
        });
        if let Some(session) = &credential.session {
            shown["session"] = credential.id.as_str().into();
            shown["signedInBy"] = session.by.as_str().into();
        } else {
            shown["token"] = credential.id.as_str().into();
        }
        if credential.expires_at != Time::NEVER {
            shown["expiresAt"] = credential.expires_at.rfc3339().into();
        }
        Ok(shown)
    }

    /// Uses a code of a person's account; says which, if it is right.
    pub(super) async fn use_code(
        &self,
        element: &str,
        code: &str,
    ) -> Result<Option<Used>, Problem> {
        let used = Arc::new(parking_lot::Mutex::new(None));
        let told = Arc::clone(&used);
        let code = code.to_owned();
        let change = move |account: &mut Account, now| {
            *told.lock() = Some(account.use_code(&code, now).ok_or_else(no_code)?);
            Ok(())
        };
        match self
            .for_person(element)
            .change_account(element, change)
            .await
        {
            Ok(()) => Ok(used.lock().take()),
            Err(problem) if problem == no_code() => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}

fn no_code() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "the code is wrong, or was used")
}
