//! Publish by POST, subscribe by server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    extract::RawQuery,
    http::{HeaderMap, StatusCode, header},
    response::{
        IntoResponse,
        sse::{self, KeepAlive, Sse},
    },
};
use quartet_fabric::mqtt::Property;
use quartet_model::{Qos, Said, Time};
use serde::Deserialize;
use serde_json::json;
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};

use super::{
    Api,
    cloud_event::cloud_event,
    problem::Problem,
    take::{Body, Path, Query},
};
use crate::shell::StreamItem;

/// How something is published.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    retain: bool,
    expiry_s: Option<u64>,
}

/// Publishes the body of the request.
#[utoipa::path(
    post,
    path = "/api/publish/{topic}",
    params(
        ("topic" = String, Path, description = "Where to publish; may contain slashes"),
        ("qos" = Option<u8>, Query, description = "0, 1 or 2; 0 if absent"),
        ("retain" = Option<bool>, Query, description = "Keep it for those who ask later"),
        ("expiry_s" = Option<u64>, Query, description = "For how many seconds it is of interest"),
    ),
    request_body(content = Vec<u8>, description = "The payload, of any type"),
    responses(
        (status = 202, description = "Passed on; `receivers` says whether anybody gets it"),
        (status = 400, description = "The topic or an option is not valid"),
        (status = 403, description = "Not allowed, with the reason"),
    )
)]
pub(super) async fn publish(
    api: Api,
    Path(topic): Path<String>,
    Query(how): Query<How>,
    headers: HeaderMap,
    Body(payload): Body,
) -> Result<impl IntoResponse, Problem> {
    let qos = Qos::from_level(how.qos)
        .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "qos must be 0, 1 or 2"))?;
    let mut properties = Vec::new();
    if let Some(kind) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
    {
        Property::ContentType(kind.into()).write(&mut properties);
    }
    let expires = how.expiry_s.map_or(Time::NEVER, |s| {
        api.control.clock().now().after(Duration::from_secs(s))
    });
    let said = Said {
        topic: topic.into(),
        payload,
        properties: properties.into(),
        qos,
        retain: how.retain,
        expires,
    };
    let told = api.control.say(api.who().clone(), said).await??;
    Ok((
        StatusCode::ACCEPTED,
        Json(json!({ "receivers": told.has_receivers })),
    ))
}

/// Streams what is published, as server-sent events with CloudEvents in JSON; what is retained
/// comes first.
#[utoipa::path(
    get,
    path = "/api/subscribe",
    params(("filter" = Vec<String>, Query, description = "Topic filters, with + and #; at least one")),
    responses(
        (status = 200, description = "`message` events; a `missed` event says how many came faster than they were read", content_type = "text/event-stream"),
        (status = 400, description = "No filter, or one that is not valid"),
    )
)]
pub(super) async fn subscribe(
    api: Api,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let query = query.unwrap_or_default();
    let filters: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| key == "filter")
        .map(|(_, filter)| filter.into_owned())
        .collect();
    if filters.is_empty() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "say what to subscribe to: /api/subscribe?filter=things/%23",
        ));
    }
    let items = api.listen(filters).await?;
    Ok(Sse::new(events(ReceiverStream::new(items))).keep_alive(KeepAlive::default()))
}

fn events(items: ReceiverStream<StreamItem>) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    items.map(|item| {
        Ok(match item {
            StreamItem::Event(event) => sse::Event::default()
                .id(event.id.to_string())
                .event("message")
                .data(cloud_event(&event).to_string()),
            StreamItem::Missed(count) => sse::Event::default()
                .event("missed")
                .data(json!({ "count": count }).to_string()),
        })
    })
}
