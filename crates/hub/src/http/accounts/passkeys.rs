//! Passkeys: keys in a person's devices, that sign in without a password (WebAuthn Level 2).
//!
//! The device looks at the person (a finger, a face, a PIN), so a passkey is two proofs in one. A
//! browser binds it to the name of the host: each name of a hub has its own, and an address has none.

use std::net::IpAddr;

use axum::{
    Json,
    extract::ConnectInfo,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use quartet_model::Said;
use quartet_people::{
    account::{self, Account, Identity, Named, Passkey},
    throttle::network,
};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;
use webauthn_rs::{
    Webauthn, WebauthnBuilder,
    prelude::{Passkey as Key, PublicKeyCredential, RegisterPublicKeyCredential, WebauthnError},
};
use webauthn_rs_proto::ResidentKeyRequirement;

use super::{
    Api, Problem, ceremonies::Ceremony, checked_name, id_of, read, session::not_signed_in, wrong,
};
use crate::{
    flow::Flow,
    http::{
        credentials::{new_id, once},
        serve::Caller,
        site::Site,
        take::{Body, Path},
    },
};

/// By whom the names of persons in their passkeys were given.
const HANDLES: &str = "passkeys";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    ceremony: String,
    credential: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    ceremony: String,
    name: String,
    credential: Value,
}

/// Begins to sign in with a passkey; nobody needs to say who they are.
#[utoipa::path(
    post,
    path = "/api/session/passkey/begin",
    responses(
        (status = 200, description = "`ceremony`, and `publicKey` for `navigator.credentials.get`"),
        (status = 409, description = "The hub is called by its address: passkeys need a name"),
    )
)]
pub(in crate::http) async fn begin_sign_in(
    api: Api,
    site: Site,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let webauthn = webauthn(&site, &headers)?;
    let (challenge, state) = webauthn
        .start_discoverable_authentication()
        .map_err(|error| not_begun(&error))?;
    let id = api.begin_ceremony(&caller, Ceremony::SignIn(Box::new(state)))?;
    let shown = json!({ "ceremony": id, "publicKey": challenge.public_key });
    Ok((once(), Json(shown)).into_response())
}

/// Signs in with a passkey.
#[utoipa::path(
    post,
    path = "/api/session/passkey",
    request_body(content = Vec<u8>, description = "`ceremony`, and the `credential` that the browser gave"),
    responses(
        (status = 200, description = "Signed in: who that is; the session is in a cookie"),
        (status = 401, description = "Nobody here has this passkey, or it took too long"),
    )
)]
pub(in crate::http) async fn sign_in(
    api: Api,
    site: Site,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let SignIn {
        ceremony,
        credential,
    } = read(&body, "ceremony and credential")?;
    let webauthn = webauthn(&site, &headers)?;
    let credential: PublicKeyCredential = of_browser(credential)?;
    let Some(Ceremony::SignIn(state)) = api.end_ceremony(&ceremony) else {
        return Err(not_signed_in("signing in took too long; begin again"));
    };
    let unknown = || not_signed_in("nobody here has this passkey; it may have been removed");
    let (handle, id) = webauthn
        .identify_discoverable_authentication(&credential)
        .map_err(|_| unknown())?;
    let element = api.named(HANDLES, &handle.to_string()).await?;
    let element = element.ok_or_else(unknown)?;
    let account = api.account(&element).await?;
    if account.handle.as_deref() != Some(&*handle.to_string()) {
        return Err(unknown());
    }
    let mut found = account.passkeys().iter().filter_map(|passkey| {
        let key: Key = serde_json::from_value(passkey.key.clone()).ok()?;
        (key.cred_id().as_slice() == id).then_some((passkey.id.clone(), key))
    });
    let (id, mut key) = found.next().ok_or_else(unknown)?;
    let result = webauthn
        .finish_discoverable_authentication_v2(&credential, *state, &key)
        .map_err(|error| {
            tracing::debug!(%error, "a passkey was refused");
            not_signed_in("the passkey was not accepted; begin again")
        })?;
    if key.update_credential(&result) == Some(true) {
        let key = serde_json::to_value(&key).map_err(|error| unreadable(&error))?;
        api.for_person(&element)
            .change_account(&element, move |account, _| {
                let mut passkeys = account.passkeys_mut().iter_mut();
                if let Some(passkey) = passkeys.find(|passkey| passkey.id == id) {
                    passkey.key = key.clone();
                }
                Ok(())
            })
            .await?;
    }
    api.begin_session(&element, "passkey", &caller, &headers)
        .await
}

/// Begins to add a passkey to one's account.
#[utoipa::path(
    post,
    path = "/api/account/passkeys/begin",
    responses(
        (status = 200, description = "`ceremony`, and `publicKey` for `navigator.credentials.create`"),
        (status = 401, description = "Nobody is signed in"),
        (status = 409, description = "The hub is called by its address: passkeys need a name"),
    )
)]
pub(in crate::http) async fn begin_add(
    api: Api,
    site: Site,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (holder, _) = api.signed_in().await?;
    let element = holder.element();
    let name = api.title_of(element).await?;
    let account = api.account(element).await?;
    let shown = api.begin_passkey(&site, &headers, &caller, element, &name, &account)?;
    Ok((once(), Json(shown)).into_response())
}

/// Adds a passkey to one's account.
#[utoipa::path(
    post,
    path = "/api/account/passkeys",
    request_body(content = Vec<u8>, description = "`ceremony`, the `credential` that the browser gave, and a `name` such as `phone`"),
    responses(
        (status = 201, description = "It signs in from now on; its `id`"),
        (status = 400, description = "It is not what was asked for, or it took too long"),
        (status = 409, description = "There are as many as there may be"),
    )
)]
pub(in crate::http) async fn add(
    api: Api,
    site: Site,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let (holder, _) = api.signed_in().await?;
    let Add {
        ceremony,
        name,
        credential,
    } = read(&body, "ceremony, name and credential")?;
    let name = checked_name(&name)?;
    let element = holder.element();
    let new = api.end_passkey(&site, &headers, element, &ceremony, credential, name)?;
    api.name_handle(&new.handle, element).await?;
    let id = new.passkey.id.clone();
    api.change_account(element, move |account, _| new.enter(account))
        .await?;
    let location = [(header::LOCATION, format!("/api/account/passkeys/{id}"))];
    Ok((StatusCode::CREATED, location, Json(json!({ "id": id }))).into_response())
}

/// Removes a passkey from one's account.
#[utoipa::path(
    delete,
    path = "/api/account/passkeys/{passkey}",
    params(("passkey" = String, Path, description = "Its `id`")),
    responses(
        (status = 204, description = "It signs nobody in any more"),
        (status = 404, description = "There is no such passkey"),
        (status = 409, description = "It is the only way to sign in"),
    )
)]
pub(in crate::http) async fn remove(
    api: Api,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let (holder, _) = api.signed_in().await?;
    api.change_account(holder.element(), move |account, _| {
        if !account.remove_passkey(&id) {
            let what = format!("there is no passkey `{id}`; /api/account lists what there is");
            return Err(Problem::new(StatusCode::NOT_FOUND, what));
        }
        if !account.is_open() {
            let what =
                "this passkey is the only way to sign in; set a password or add another one first";
            return Err(Problem::new(StatusCode::CONFLICT, what));
        }
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A passkey that was just made.
#[derive(Clone)]
pub(super) struct NewPasskey {
    pub(super) handle: String,
    passkey: Passkey,
    key: Key,
}

impl NewPasskey {
    /// Enters it into an account.
    pub(super) fn enter(&self, account: &mut Account) -> Result<(), Problem> {
        let taken = |what: &str| Problem::new(StatusCode::CONFLICT, what);
        if keys(account).any(|key| key.cred_id() == self.key.cred_id()) {
            return Err(taken("the account has this passkey already"));
        }
        match &account.handle {
            Some(handle) if *handle != self.handle => {
                return Err(taken("another passkey was added meanwhile; begin again"));
            }
            _ => account.handle = Some(self.handle.clone()),
        }
        let entered = account.add_passkey(self.passkey.clone());
        entered.map_err(|full| taken(&full.to_string()))
    }
}

impl Api {
    /// The challenge of a new passkey for a person.
    pub(super) fn begin_passkey(
        &self,
        site: &Site,
        headers: &HeaderMap,
        caller: &Caller,
        element: &str,
        name: &str,
        account: &Account,
    ) -> Result<Value, Problem> {
        let webauthn = webauthn(site, headers)?;
        let handle = account.handle.as_deref();
        let handle = handle.and_then(|handle| Uuid::parse_str(handle).ok());
        let handle = handle.unwrap_or_else(Uuid::new_v4);
        let known = keys(account).map(|key| key.cred_id().clone()).collect();
        let (mut challenge, state) = webauthn
            .start_passkey_registration(handle, id_of(element), name, Some(known))
            .map_err(|error| not_begun(&error))?;
        // A device that can finds it by itself later, so that nobody types a name.
        if let Some(wanted) = &mut challenge.public_key.authenticator_selection {
            wanted.resident_key = Some(ResidentKeyRequirement::Required);
            wanted.require_resident_key = true;
        }
        let id = self.begin_ceremony(
            caller,
            Ceremony::Add {
                element: element.to_owned(),
                handle: handle.to_string(),
                state: Box::new(state),
            },
        )?;
        Ok(json!({ "ceremony": id, "publicKey": challenge.public_key }))
    }

    /// The passkey that came of it.
    pub(super) fn end_passkey(
        &self,
        site: &Site,
        headers: &HeaderMap,
        element: &str,
        ceremony: &str,
        credential: Value,
        name: String,
    ) -> Result<NewPasskey, Problem> {
        let webauthn = webauthn(site, headers)?;
        let credential: RegisterPublicKeyCredential = of_browser(credential)?;
        let late =
            || wrong("adding the passkey took too long, or was begun by another; begin again");
        let (handle, state) = match self.end_ceremony(ceremony) {
            Some(Ceremony::Add {
                element: begun,
                handle,
                state,
            }) if begun == element => (handle, state),
            _ => return Err(late()),
        };
        let key = webauthn
            .finish_passkey_registration(&credential, &state)
            .map_err(|error| wrong(format!("the passkey cannot be taken: {error}")))?;
        let passkey = Passkey {
            id: new_id()?,
            name,
            added_at: self.control.clock().now(),
            key: serde_json::to_value(&key).map_err(|error| unreadable(&error))?,
        };
        Ok(NewPasskey {
            handle,
            passkey,
            key,
        })
    }

    /// Whose a name is that others gave.
    pub(in crate::http) async fn named(
        &self,
        issuer: &str,
        name: &str,
    ) -> Result<Option<String>, Problem> {
        let topic = account::topic_of_name(issuer, name);
        let at = topic.clone();
        let look = move |flow: &mut Flow, now| flow.said_at(&at, now);
        let found = self.control.look_home(&topic, look).await?;
        let found = found.and_then(|event| Named::read(&event.payload));
        Ok(found.map(|named| named.element))
    }

    /// Notes whose a handle of passkeys is. The account decides in the end: it says so, too.
    pub(super) async fn name_handle(&self, handle: &str, element: &str) -> Result<(), Problem> {
        let identity = Identity {
            issuer: HANDLES.to_owned(),
            subject: handle.to_owned(),
        };
        self.note_name(&identity, element).await
    }

    /// Notes whose a name is that others gave.
    pub(super) async fn note_name(&self, of: &Identity, element: &str) -> Result<(), Problem> {
        let topic = account::topic_of_name(&of.issuer, &of.subject);
        let said = Said::kept(topic, Named::new(element).text());
        self.control.say(self.as_hub(), said).await??;
        Ok(())
    }

    pub(super) fn begin_ceremony(
        &self,
        caller: &Caller,
        what: Ceremony,
    ) -> Result<String, Problem> {
        let id = format!("{}{}", new_id()?, new_id()?);
        self.keep_ceremony(id.clone(), caller, what);
        Ok(id)
    }

    pub(super) fn keep_ceremony(&self, id: String, caller: &Caller, what: Ceremony) {
        let by = network(caller.address.ip());
        let now = self.control.clock().now();
        self.accounts.ceremonies.lock().begin(id, what, by, now);
    }

    pub(super) fn end_ceremony(&self, id: &str) -> Option<Ceremony> {
        let now = self.control.clock().now();
        self.accounts.ceremonies.lock().end(id, now)
    }
}

/// The keys of an account that can be read.
fn keys(account: &Account) -> impl Iterator<Item = Key> {
    let kept = account.passkeys().iter().map(|passkey| passkey.key.clone());
    kept.filter_map(|key| serde_json::from_value(key).ok())
}

/// The hub as a browser sees it: by the name of its host.
fn webauthn(site: &Site, headers: &HeaderMap) -> Result<Webauthn, Problem> {
    let origin = headers.get(header::ORIGIN);
    // Behind a proxy the page may be on https where the hub speaks http.
    let origin = origin.and_then(|origin| origin.to_str().ok());
    let origin = origin.map_or_else(|| site.origin(), str::to_owned);
    let conflict = |what: String| Problem::new(StatusCode::CONFLICT, what);
    let host = origin.parse::<Uri>().ok();
    let host = host.as_ref().and_then(Uri::host).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return Err(conflict(format!(
            "passkeys belong to a name, and {bare} is an address: open the hub by its name, on its own machine as http://localhost"
        )));
    }
    let url = Url::parse(&origin).map_err(|error| {
        conflict(format!(
            "passkeys belong to a name, and `{origin}` has none: {error}"
        ))
    })?;
    WebauthnBuilder::new(host, &url)
        .and_then(|builder| builder.rp_name("Quartet").build())
        .map_err(|error| conflict(format!("there are no passkeys for `{origin}`: {error}")))
}

/// What a browser gave, as it must look.
fn of_browser<T: for<'d> Deserialize<'d>>(credential: Value) -> Result<T, Problem> {
    serde_json::from_value(credential).map_err(|error| {
        wrong(format!(
            "credential is not what `PublicKeyCredential.toJSON` gives: {error}"
        ))
    })
}

fn not_begun(error: &WebauthnError) -> Problem {
    wrong(format!("a passkey cannot be used here: {error}"))
}

fn unreadable(error: &serde_json::Error) -> Problem {
    let what = format!("the passkey cannot be kept: {error}");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, what)
}
