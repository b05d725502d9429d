//! The directory's news as server-sent events (WoT Discovery, section 7.2.2): which things were
//! registered, changed and forgotten, with what was missed meanwhile.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{self, KeepAlive, Sse},
    },
};
use quartet_model::{Event, EventId, Time};
use quartet_things::{directory, identity};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio_stream::{StreamExt, wrappers::BroadcastStream};

use super::{
    Api,
    kinds::{Accept, EVENT_STREAM},
    problem::Problem,
    take::{Path, Query},
};
use crate::{
    flow::Who,
    shell::{Control, StreamItem},
};

/// How many are kept for those who come back.
const KEPT_MAX: usize = 1000;

/// The last news, and all that is to come.
#[derive(Clone)]
pub(crate) struct News {
    kept: Arc<Mutex<Kept>>,
}

struct Kept {
    last: VecDeque<Arc<Entry>>,
    next: broadcast::Sender<Arc<Entry>>,
}

/// One piece of news.
struct Entry {
    id: EventId,
    kind: &'static str,
    /// As the directory says it on MQTT: the whole description, or what changed of it.
    what: Value,
}

/// It was forgotten.
const GONE: &str = "thing_deleted";

/// What happens to a thing, as `event` of a stream, and as the directory calls it.
const KINDS: [(&str, &str); 3] = [
    ("thing_created", "thingCreated"),
    ("thing_updated", "thingUpdated"),
    (GONE, "thingDeleted"),
];

impl News {
    pub(crate) fn new() -> Self {
        let kept = Kept {
            last: VecDeque::new(),
            next: broadcast::channel(KEPT_MAX).0,
        };
        Self {
            kept: Arc::new(Mutex::new(kept)),
        }
    }

    /// Listens to the directory from when this returns until the hub ends.
    pub(crate) async fn follow(&self, control: &Control) {
        let topic = format!("{}/events/+", directory::KEY);
        let Ok(Ok(mut heard)) = control.listen(Who::hub(), vec![topic]).await else {
            return; // The hub ends already.
        };
        let news = self.clone();
        tokio::spawn(async move {
            while let Some(item) = heard.recv().await {
                if let StreamItem::Event(event) = item
                    && let Some(entry) = Entry::of(&event)
                {
                    news.add(entry);
                }
            }
        });
    }

    fn add(&self, entry: Entry) {
        let entry = Arc::new(entry);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.last.len() == KEPT_MAX {
            kept.last.pop_front();
        }
        kept.last.push_back(Arc::clone(&entry));
        let _ = kept.next.send(entry); // Nobody may listen.
    }

    /// What came after an event, as far as it is kept, and all that is to come.
    fn after(&self, last: Option<EventId>) -> (Vec<Arc<Entry>>, broadcast::Receiver<Arc<Entry>>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = kept.last.iter();
        let missed = missed.filter(|entry| last.is_some_and(|last| last < entry.id));
        (missed.cloned().collect(), kept.next.subscribe())
    }
}

impl Api {
    /// Whether whoever asks sees something of the thing that a piece of news is about, and whether all.
    async fn sees_entry(&self, entry: &Entry) -> (bool, bool) {
        if self.who().holder().is_none() {
            return (true, true);
        }
        let id = entry.what["id"].as_str().unwrap_or_default();
        let Ok(key) = identity::key_of(id) else {
            return (false, false);
        };
        if entry.kind == GONE {
            // Of what is gone nothing but its identifier is told.
            return (self.saw(&key).await.unwrap_or_default(), true);
        }
        self.sight_of(&key).await.unwrap_or_default()
    }
}

impl Entry {
    fn of(event: &Event) -> Option<Self> {
        let (_, name) = event.topic.rsplit_once('/')?;
        let (kind, _) = KINDS.iter().find(|(_, own)| *own == name)?;
        Some(Self {
            id: event.id,
            kind,
            what: serde_json::from_slice(&event.payload).ok()?,
        })
    }

    fn to_sse(&self, is_whole: bool) -> sse::Event {
        let data = if is_whole {
            self.what.to_string()
        } else {
            json!({ "id": self.what["id"] }).to_string()
        };
        sse::Event::default()
            .event(self.kind)
            .id(self.id.to_string())
            .data(data)
    }
}

/// How much is told.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    diff: bool,
}

/// Streams what happens to all things.
#[utoipa::path(
    get,
    path = "/events",
    params(
        ("diff" = Option<bool>, Query, description = "With the new description, or what changed of it; its `id` alone if absent"),
        ("Last-Event-ID" = Option<String>, Header, description = "What came after this event comes first; of the last 1000 since the hub began, all of them if it is unknown"),
    ),
    responses((status = 200, description = "`thing_created`, `thing_updated` and `thing_deleted`", content_type = "text/event-stream"))
)]
pub(super) async fn all(
    api: Api,
    accept: Accept,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    accept.choose(&[EVENT_STREAM])?;
    Ok(stream(api, None, wanted, &headers))
}

/// Streams one kind of what happens to things.
#[utoipa::path(
    get,
    path = "/events/{type}",
    params(
        ("type" = String, Path, description = "thing_created, thing_updated or thing_deleted"),
        ("diff" = Option<bool>, Query),
        ("Last-Event-ID" = Option<String>, Header),
    ),
    responses(
        (status = 200, description = "The same as `/events`, of one kind", content_type = "text/event-stream"),
        (status = 404, description = "There are no such events"),
    )
)]
pub(super) async fn some(
    api: Api,
    accept: Accept,
    Path(kind): Path<String>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    accept.choose(&[EVENT_STREAM])?;
    let known = KINDS.iter().find(|(name, _)| *name == kind);
    let (kind, _) = known.ok_or_else(|| {
        let what = format!(
            "there are no events `{kind}`; there are {}",
            KINDS.map(|(name, _)| name).join(", ")
        );
        Problem::new(StatusCode::NOT_FOUND, what)
    })?;
    Ok(stream(api, Some(kind), wanted, &headers))
}

fn stream(api: Api, kind: Option<&'static str>, wanted: Wanted, headers: &HeaderMap) -> Response {
    // Whoever saw an event that is not known here may have missed all that is kept.
    let unknown = EventId {
        at: Time::ZERO,
        serial: 0,
    };
    let last = headers.get("last-event-id").map(|last| {
        let known = last.to_str().ok().and_then(|last| last.parse().ok());
        known.unwrap_or(unknown)
    });
    let (missed, next) = api.news.after(last);
    let missed = tokio_stream::iter(missed.into_iter().map(Ok));
    let entries = missed.chain(BroadcastStream::new(next));
    // Whoever is too slow loses the connection, and comes back with the last one it saw.
    let entries = entries.take_while(Result::is_ok).filter_map(Result::ok);
    let entries = entries.filter(move |entry| kind.is_none_or(|kind| kind == entry.kind));
    let events = entries.then(move |entry| {
        let api = api.clone();
        async move {
            // Whoever does not see all of a thing is told that something happened to it, at most.
            let (some, all) = api.sees_entry(&entry).await;
            some.then(|| Ok::<_, Infallible>(entry.to_sse(wanted.diff && all)))
        }
    });
    let events = events.filter_map(|event| event);
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}
