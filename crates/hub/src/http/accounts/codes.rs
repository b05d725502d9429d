//! The second proof: one-time codes of an app, and recovery codes for the day when the phone is lost.

use axum::{
    Json,
    extract::ConnectInfo,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use qrcode::{QrCode, render::svg};
use quartet_people::{
    account::{
        RECOVERY_BYTES, RECOVERY_CODES,
        code::{Codes, SECRET_BYTES},
    },
    secret::Secret,
};
use serde::Deserialize;
use serde_json::json;

use super::{Api, Problem, id_of, read, wrong};
use crate::http::{
    credentials::{once, random},
    serve::Caller,
    take::Body,
};

/// Pixels of a side of the picture; it grows without loss.
const PICTURE_PX: u32 = 240;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirm {
    secret: String,
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proofs {
    password: Option<String>,
    code: Option<String>,
}

/// Begins with one-time codes: gives a secret for an app. It holds once it is confirmed.
#[utoipa::path(
    post,
    path = "/api/account/totp",
    responses(
        (status = 200, description = "`secret` in base 32, the same as `uri` (otpauth), and that as a picture: `qr`, an SVG"),
        (status = 401, description = "Nobody is signed in"),
    )
)]
pub(in crate::http) async fn begin(api: Api) -> Result<Response, Problem> {
    let (holder, _) = api.signed_in().await?;
    let codes = Codes::of(random::<SECRET_BYTES>()?);
    let uri = codes.uri(id_of(holder.element()));
    let uri = uri.map_err(|error| wrong(error.to_string()))?;
    let picture = QrCode::new(&uri)
        .map_err(|error| wrong(format!("no picture can be made of the secret: {error}")))?;
    let picture = picture.render::<svg::Color<'_>>();
    let picture = { picture }.min_dimensions(PICTURE_PX, PICTURE_PX).build();
    let shown = json!({ "secret": codes.secret(), "uri": uri, "qr": picture });
    Ok((once(), Json(shown)).into_response())
}

/// Confirms that an app shows the right codes: from now on a password alone is not enough.
#[utoipa::path(
    put,
    path = "/api/account/totp",
    request_body(content = Vec<u8>, description = "The `secret` that was given, and a `code` that the app shows"),
    responses(
        (status = 204, description = "From now on a code is asked for"),
        (status = 400, description = "The code is not that of the secret"),
        (status = 409, description = "There are codes already; remove them first"),
    )
)]
pub(in crate::http) async fn confirm(api: Api, Body(body): Body) -> Result<StatusCode, Problem> {
    let (holder, _) = api.signed_in().await?;
    let Confirm { secret, code } = read(&body, "secret and code")?;
    let codes = Codes::of_text(&secret).map_err(|error| wrong(error.to_string()))?;
    api.change_account(holder.element(), move |account, now| {
        if account.codes.is_some() {
            let what = "the account has one-time codes already; remove them first";
            return Err(Problem::new(StatusCode::CONFLICT, what));
        }
        if account.password.is_none() {
            let what = "codes go with a password; set one first";
            return Err(Problem::new(StatusCode::CONFLICT, what));
        }
        let mut codes = codes.clone();
        if !codes.accept(&code, now) {
            return Err(wrong(
                "the code is not that of this secret now; is the time of the phone right?",
            ));
        }
        account.codes = Some(codes);
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes one-time codes: a password alone is enough again.
#[utoipa::path(
    delete,
    path = "/api/account/totp",
    request_body(content = Vec<u8>, description = "The `password`, or a `code`"),
    responses(
        (status = 204, description = "No code is asked for any more"),
        (status = 403, description = "The password or the code is wrong"),
        (status = 429, description = "Too many attempts were wrong"),
    )
)]
pub(in crate::http) async fn remove(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    let (holder, _) = api.signed_in().await?;
    let Proofs { password, code } = read(&body, "password or code")?;
    api.prove(&caller, holder.element(), password, code).await?;
    api.change_account(holder.element(), |account, _| {
        account.codes = None;
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes ten recovery codes, in place of those that there were. They are in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/api/account/recovery",
    request_body(content = Vec<u8>, description = "The `password`, or a `code`"),
    responses(
        (status = 201, description = "`codes`: each is good once, in place of a one-time code"),
        (status = 403, description = "The password or the code is wrong"),
        (status = 429, description = "Too many attempts were wrong"),
    )
)]
pub(in crate::http) async fn recovery(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let (holder, _) = api.signed_in().await?;
    let Proofs { password, code } = read(&body, "password or code")?;
    api.prove(&caller, holder.element(), password, code).await?;
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        codes.push(Secret::of(&random::<RECOVERY_BYTES>()?));
    }
    let shown: Vec<_> = codes.iter().map(Secret::grouped).collect();
    api.change_account(holder.element(), move |account, _| {
        account.set_recovery(&codes);
        Ok(())
    })
    .await?;
    let shown = Json(json!({ "codes": shown }));
    Ok((StatusCode::CREATED, once(), shown).into_response())
}
