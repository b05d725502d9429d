//! Lists of what the hub keeps, to be searched: they come from the views, a moment behind.

use axum::{Json, http::StatusCode};
use quartet_model::{EventId, Time};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Api,
    problem::Problem,
    take::{Path, Query},
};
use crate::views::{Page, Retained, Session, Subscription, Unavailable};

const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 1000;
const SEARCH_BYTES_MAX: usize = 1024;

impl From<Unavailable> for Problem {
    fn from(why: Unavailable) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, why.to_string())
    }
}

/// Which part of a list is wanted.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    search: String,
    limit: Option<u32>,
    #[serde(default)]
    after: String,
}

/// How many entries a page may have, if so many are wanted.
pub(super) fn limit(wanted: Option<u32>) -> Result<u32, Problem> {
    let limit = wanted.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let why = format!("limit must be between 1 and {LIMIT_MAX}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, why));
    }
    Ok(limit)
}

/// The event that a page ends before, if one is named.
pub(super) fn before(wanted: Option<&str>) -> Result<Option<EventId>, Problem> {
    let event = wanted.map(str::parse).transpose();
    event.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("before: {error}")))
}

fn page(wanted: Wanted) -> Result<Page, Problem> {
    let bad = |why: String| Problem::new(StatusCode::BAD_REQUEST, why);
    let limit = limit(wanted.limit)?;
    if SEARCH_BYTES_MAX < wanted.search.len() {
        let why = format!("search may have at most {SEARCH_BYTES_MAX} bytes");
        return Err(bad(why));
    }
    Ok(Page {
        search: wanted.search,
        after: wanted.after,
        limit,
    })
}

/// The sessions that are kept, in the order of their clients' names.
#[utoipa::path(
    get,
    path = "/api/sessions",
    params(
        ("search" = Option<String>, Query, description = "Part of the client's name; A is a"),
        ("limit" = Option<u32>, Query, description = "How many at most: 1 to 1000, 100 if absent"),
        ("after" = Option<String>, Query, description = "Those behind this name: `next` of the page before"),
    ),
    responses(
        (status = 200, description = "`sessions`, `next` if there are more, and `as_of`: all that was safe then is in it"),
        (status = 400, description = "An option is not valid"),
        (status = 503, description = "There are no lists now, with the reason"),
    )
)]
pub(super) async fn sessions(
    api: Api,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Problem> {
    let page = page(wanted)?;
    let (as_of, (found, has_more)) = api.views.ask(move |db| page.sessions(db)).await?;
    let next = found.last().filter(|_| has_more).map(|last| &last.client);
    let next = next.map(|client| json!(client));
    let found: Vec<Value> = found.iter().map(session_json).collect();
    Ok(api.list("sessions", found, next, as_of))
}

/// A client's session that is kept, with its subscriptions.
#[utoipa::path(
    get,
    path = "/api/sessions/{client}",
    params(("client" = String, Path, description = "The client's name; a slash in it is %2F")),
    responses(
        (status = 200, description = "The session, and `as_of`"),
        (status = 404, description = "No session of this client is kept"),
        (status = 503, description = "There are no lists now, with the reason"),
    )
)]
pub(super) async fn session(api: Api, Path(client): Path<String>) -> Result<Json<Value>, Problem> {
    let wanted = client.clone();
    let (as_of, found) = api.views.ask(move |db| Session::of(db, &wanted)).await?;
    let (session, subscriptions) = found.ok_or_else(|| {
        let why = format!("no session of `{client}` is kept; /api/sessions lists those that are");
        Problem::new(StatusCode::NOT_FOUND, why)
    })?;
    let mut answer = session_json(&session);
    let subscriptions: Vec<Value> = subscriptions.iter().map(subscription_json).collect();
    answer["subscriptions"] = subscriptions.into();
    answer["as_of"] = api.as_of(as_of);
    Ok(Json(answer))
}

/// The retained messages, in the order of their topics.
#[utoipa::path(
    get,
    path = "/api/retained",
    params(
        ("search" = Option<String>, Query, description = "Part of the topic; A is a"),
        ("limit" = Option<u32>, Query, description = "How many at most: 1 to 1000, 100 if absent"),
        ("after" = Option<String>, Query, description = "Those behind this topic: `next` of the page before"),
    ),
    responses(
        (status = 200, description = "`retained`, with payloads that are texts of up to 512 bytes, `next` if there are more, and `as_of`: all that was safe then is in it"),
        (status = 400, description = "An option is not valid"),
        (status = 503, description = "There are no lists now, with the reason"),
    )
)]
pub(super) async fn retained(
    api: Api,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Problem> {
    let page = page(wanted)?;
    let now = api.control.clock().now();
    let (as_of, (found, has_more)) = api.views.ask(move |db| page.retained(db, now)).await?;
    let next = found.last().filter(|_| has_more).map(|last| &last.topic);
    let next = next.map(|topic| json!(topic));
    let found: Vec<Value> = found.iter().map(retained_json).collect();
    Ok(api.list("retained", found, next, as_of))
}

impl Api {
    pub(super) fn list(
        &self,
        name: &str,
        found: Vec<Value>,
        next: Option<Value>,
        as_of: Time,
    ) -> Json<Value> {
        let mut list = Map::new();
        list.insert(name.to_owned(), found.into());
        if let Some(next) = next {
            list.insert("next".to_owned(), next);
        }
        list.insert("as_of".to_owned(), self.as_of(as_of));
        Json(list.into())
    }

    /// How old an answer is: all that was safe `at` this time is in it.
    fn as_of(&self, at: Time) -> Value {
        let behind = self.control.clock().now().since(at);
        json!({ "at": at.rfc3339(), "behind_s": behind.as_millis() as f64 / 1000.0 })
    }
}

fn session_json(session: &Session) -> Value {
    json!({
        "client": session.client,
        "connected": session.away_at.is_none(),
        "away_since": session.away_at.map(Time::rfc3339),
        "expiry_s": session.expiry_s,
        "subscriptions_count": session.subscriptions,
        "will_topic": session.will_topic,
    })
}

fn subscription_json(subscription: &Subscription) -> Value {
    let share = Some(&subscription.share).filter(|share| !share.is_empty());
    json!({ "filter": subscription.filter, "share": share, "qos": subscription.qos })
}

fn retained_json(retained: &Retained) -> Value {
    json!({
        "topic": retained.topic,
        "bytes": retained.bytes,
        "qos": retained.qos,
        "at": retained.at.rfc3339(),
        "event": retained.event,
        "expires": retained.expires.map(Time::rfc3339),
        "payload": retained.payload,
    })
}
