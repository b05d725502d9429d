//! The HTTP API: what MQTT does, for those who do not speak it, and how the hub is.
//!
//! Addresses are the same in every protocol: `things/{id}/properties/{name}` is found under
//! `/api/`.

pub(crate) mod cloud_event; // events at the edge
mod guard; // who may ask
mod lists; // sessions and retained messages, to be searched
mod messages; // publish and subscribe
mod problem; // refusals, as RFC 9457 says
mod serve; // sockets to requests, with or without TLS
mod status; // /healthz and /metrics
mod things; // things and what they report

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    middleware,
    response::IntoResponse,
    routing::{get, post},
};
use utoipa::OpenApi;

pub use guard::is_this_machine;
pub use serve::{Tls, serve};
pub use status::resident_bytes;

use crate::{shell::Control, views::Views};

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Api {
    control: Control,
    views: Views,
    is_open: bool,
    /// The port of MQTT on this machine, for the page that says how to connect.
    mqtt_port: Option<u16>,
}

/// Bytes that one request may carry.
const BODY_BYTES_MAX: usize = 1 << 20;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Quartet",
        description = "One hub for things, people, data and processes.",
        license(name = "Apache-2.0")
    ),
    paths(
        messages::publish,
        messages::subscribe,
        lists::sessions,
        lists::session,
        lists::retained,
        things::list,
        things::describe,
        things::properties,
        things::property,
        status::healthz,
        status::metrics
    )
)]
struct Document;

/// The API as a whole.
pub(crate) fn app(control: Control, is_open: bool, mqtt_port: Option<u16>, views: Views) -> Router {
    let api = Api {
        control,
        views,
        is_open,
        mqtt_port,
    };
    Router::new()
        .route("/", get(welcome))
        .route("/healthz", get(status::healthz))
        .route("/metrics", get(status::metrics))
        .route("/openapi.json", get(document))
        .route("/api/publish/{*topic}", post(messages::publish))
        .route("/api/subscribe", get(messages::subscribe))
        .route("/api/sessions", get(lists::sessions))
        .route("/api/sessions/{client}", get(lists::session))
        .route("/api/retained", get(lists::retained))
        .route("/api/things", get(things::list))
        .route("/api/things/{id}", get(things::describe))
        .route("/api/things/{id}/properties", get(things::properties))
        .route("/api/things/{id}/properties/{name}", get(things::property))
        .fallback(problem::not_found)
        .layer(middleware::from_fn(guard::guard))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(api)
}

/// What a browser sees first.
async fn welcome(State(api): State<Api>) -> impl IntoResponse {
    let port = match api.mqtt_port {
        None | Some(1883) => String::new(),
        Some(port) => format!("-p {port} "),
    };
    (
        [
            ("content-type", "text/html; charset=utf-8"),
            (
                "content-security-policy",
                "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
            ),
        ],
        include_str!("welcome.html").replace("{port}", &port),
    )
}

async fn document() -> impl IntoResponse {
    Json(Document::openapi())
}
