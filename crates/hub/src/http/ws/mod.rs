//! The Web Thing Protocol: JSON over a WebSocket, for consumers that read, write, observe, invoke and subscribe, and
//! for things that cannot speak MQTT (docs/decisions/0010).
//!
//! What messages mean is in [`quartet_things::webthing`]; here are a socket and what is done about them. Whoever asks
//! has the rights that it has over HTTP, looked up anew for each message.

mod consumer; // what is asked, and what is to be heard
mod questions; // what is answered at once
mod talk; // one socket, from its first message to its end
mod thing; // a thing reports, and is asked

use axum::{
    extract::{
        RawQuery,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use quartet_things::webthing::SUBPROTOCOL;

use super::{Api, problem::Problem, take::BODY_BYTES_MAX};
use crate::flow::element_of_name;
use talk::Talk;

/// Elements that one socket may serve.
const SERVED_MAX: usize = 64;

/// Opens a WebSocket that speaks the Web Thing Protocol.
#[utoipa::path(
    get,
    path = "/api/ws",
    params(
        ("serve" = Vec<String>, Query, description = "Elements, by key or identifier, that whoever connects is: it gets what is wanted of them and what they are asked to do"),
        ("Sec-WebSocket-Protocol" = String, Header, description = "`webthingprotocol`"),
    ),
    responses(
        (status = 101, description = "Messages of the Web Thing Protocol, as text, follow"),
        (status = 400, description = "It is no handshake of a WebSocket, or offers another sub-protocol"),
        (status = 403, description = "A page of another site, or an element that is somebody else's"),
        (status = 404, description = "There is no such element to be served"),
        (status = 426, description = "It is no WebSocket, or of another version"),
    )
)]
pub(super) async fn connect(
    api: Api,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|why| {
        let why = why.into_response().status();
        let what = "here the Web Thing Protocol is spoken over WebSocket: ask by GET of HTTP/1.1 for an upgrade to \
                    websocket, version 13, with a Sec-WebSocket-Key";
        Problem::new(why, what)
    })?;
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(BODY_BYTES_MAX)
        .max_frame_size(BODY_BYTES_MAX);
    if upgrade.selected_protocol().is_none() {
        let what = format!("offer the sub-protocol: `Sec-WebSocket-Protocol: {SUBPROTOCOL}`");
        return Err(Problem::new(StatusCode::BAD_REQUEST, what));
    }
    let talk = Talk::prepare(api, &served(query.as_deref().unwrap_or_default())?).await?;
    Ok(upgrade.on_upgrade(|socket| talk.hold(socket)))
}

/// The keys of the elements that are to be served.
fn served(query: &str) -> Result<Vec<String>, Problem> {
    let mut served = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name != "serve" {
            let what = format!("`{name}` is no parameter here; there is `serve`");
            return Err(Problem::new(StatusCode::BAD_REQUEST, what));
        }
        let key = key_of(&value)?;
        if !served.contains(&key) {
            served.push(key);
        }
    }
    if SERVED_MAX < served.len() {
        let what = format!("one socket serves at most {SERVED_MAX} elements; open another one");
        return Err(Problem::new(StatusCode::BAD_REQUEST, what));
    }
    Ok(served)
}

/// The key of the element that a message means.
fn key_of(thing: &str) -> Result<String, Problem> {
    element_of_name(thing).ok_or_else(|| {
        let what = format!(
            "`{thing}` is no element; its key (things/lamp) or identifier (urn:quartet:things:lamp) is expected"
        );
        Problem::new(StatusCode::BAD_REQUEST, what)
    })
}
