//! Which certificates the hub shows, and how the orders of those for domains go.

use axum::Json;
use quartet_model::Time;
use serde_json::{Value, json};

use super::{Api, Shown};
use crate::shell::Acme;

/// How the hub shows who it is.
#[utoipa::path(
    get,
    path = "/api/trust",
    responses((status = 200, description = "The hub's own authority, and the certificate for its domains: good until when, ordered next when, and why not, if an order led to nothing"))
)]
pub(in crate::http) async fn show(api: Api) -> Json<Value> {
    let notice = api.identity.notice();
    let (shows, authority) = match &notice.shown {
        Shown::Nothing => ("nothing", Value::Null),
        Shown::Given => ("given", Value::Null),
        Shown::Own(own) => {
            let about = json!({
                "title": own.title,
                "fingerprint": own.fingerprint,
                "scope": own.scope,
                "until": own.until.rfc3339(),
            });
            ("own", about)
        }
    };
    let acme = api.identity.acme().map(|acme| domains(acme));
    Json(json!({ "shows": shows, "authority": authority, "acme": acme }))
}

fn domains(acme: &Acme) -> Value {
    let state = acme.state();
    let certificate = state.shown.map(|issued| {
        json!({
            "domains": issued.names(),
            "issuer": issued.issuer(),
            "from": issued.term().from.rfc3339(),
            "until": issued.term().until.rfc3339(),
        })
    });
    let failed = state
        .failed
        .map(|(at, why)| json!({ "at": at.rfc3339(), "why": why, "inARow": state.in_vain }));
    json!({
        "domains": acme.config().domains,
        "directory": acme.config().directory,
        "certificate": certificate,
        "failed": failed,
        "next": state.next.map(Time::rfc3339),
    })
}
