//! The directory: the Thing Descriptions of all elements (WoT Discovery 1.0, section 7.3).

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use quartet_model::{Event, EventId, Time};
use quartet_things::{
    directory, forms, identity,
    registration::{self, Registration},
    td::{Document, Invalid},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Api,
    conditions::{Etag, Expected, if_match},
    elements::invalid,
    kinds::{Accept, LIST_KINDS, TD_KINDS, must_be, must_be_patch},
    problem::Problem,
    site::Site,
    take::{Body, Path, Query},
};
use crate::{
    flow::{Flow, home_of_topic},
    shell::Ended,
};

/// Descriptions in one answer, if no other limit is asked for.
const LIMIT: usize = 1000;
/// The most that may be asked for.
pub(super) const LIMIT_MAX: usize = 10_000;
/// Identifiers that a lane is asked for in one go, so that it is not held up.
const IDS_MAX: usize = 4096;

/// The directory's own description: where exploration begins.
#[utoipa::path(
    get,
    path = "/.well-known/wot",
    responses(
        (status = 200, description = "The Thing Description of the directory", content_type = "application/td+json"),
        (status = 406, description = "It does not come as what is accepted"),
    )
)]
pub(super) async fn well_known(
    api: Api,
    site: Site,
    accept: Accept,
) -> Result<impl IntoResponse, Problem> {
    let kind = accept.choose(TD_KINDS)?;
    let bases = site.bases(&api);
    let found = api.said_at(directory::KEY).await?.ok_or_else(|| {
        let what = "the hub has just begun; try again in a moment";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, what)
    })?;
    let text = String::from_utf8_lossy(&found.payload);
    let td = forms::complete(&text, directory::KEY, &bases).unwrap_or_default();
    let headers = [(header::CONTENT_TYPE, kind), (header::VARY, "Accept")];
    Ok((headers, td))
}

/// Which part of the directory is wanted, and how.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
    #[serde(default)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Default, Debug)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Array,
    Collection,
}

/// All Thing Descriptions, in the order of their identifiers.
#[utoipa::path(
    get,
    path = "/things",
    params(
        ("limit" = Option<usize>, Query, description = "How many at most: 1 to 10000, 1000 if absent"),
        ("offset" = Option<usize>, Query, description = "How many to skip"),
        ("format" = Option<String>, Query, description = "`array`, or `collection` for an object with `total`, `next` and `members`"),
    ),
    responses(
        (status = 200, description = "Thing Descriptions with `registration`; `Link` says where to go on", content_type = "application/ld+json"),
        (status = 400, description = "An option is not valid"),
        (status = 406, description = "It does not come as what is accepted"),
    )
)]
pub(super) async fn list(
    api: Api,
    site: Site,
    accept: Accept,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let bad = |what: String| Problem::new(StatusCode::BAD_REQUEST, what);
    let kind = accept.choose(LIST_KINDS)?;
    let limit = wanted.limit.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(bad(format!("limit must be between 1 and {LIMIT_MAX}")));
    }
    let until = wanted.offset.saturating_add(limit);
    let (mut ids, total, state) = api.ids(until).await?;
    let has_more = until < total;
    let ids = ids.split_off(wanted.offset.min(ids.len()));
    let members = api.descriptions(&ids, &site).await?;
    let at = |offset: usize| {
        let format = match wanted.format {
            Format::Array => "",
            Format::Collection => "&format=collection",
        };
        format!("/things?offset={offset}&limit={limit}{format}")
    };
    let mut links = vec![format!("</things>; rel=\"canonical\"; etag={state}")];
    if has_more {
        links.push(format!("<{}>; rel=\"next\"", at(until)));
    }
    let body = match wanted.format {
        Format::Array => format!("[{}]", members.join(",")),
        Format::Collection => {
            let mut head = json!({
                "@context": directory::CONTEXT,
                "@type": "ThingCollection",
                "@id": at(wanted.offset),
                "total": total,
            });
            if has_more {
                head["next"] = at(until).into();
            }
            let head = head.to_string();
            let head = head.trim_end_matches('}');
            format!("{head},\"members\":[{}]}}", members.join(","))
        }
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::VARY, "Accept".to_owned()),
        (header::LINK, links.join(", ")),
    ];
    Ok((headers, body).into_response())
}

/// Registers a Thing Description that has no identifier.
#[utoipa::path(
    post,
    path = "/things",
    request_body(content = String, description = "A Thing Description without `id`", content_type = "application/td+json"),
    responses(
        (status = 201, description = "It is safe that there is this thing; `Location` has the identifier that it was given"),
        (status = 400, description = "It is no valid Thing Description: `validationErrors` says what is wrong, field by field"),
        (status = 413, description = "It is too long"),
        (status = 415, description = "It is said to be something else"),
    )
)]
pub(super) async fn create(
    api: Api,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    must_be(&headers, TD_KINDS)?;
    let id = format!("urn:uuid:{}", uuid::Uuid::new_v4());
    let registration = Registration::anonymous(&id, read(&body)?).map_err(refused)?;
    api.register(registration, None).await?;
    Ok(created(&id))
}

/// A Thing Description.
#[utoipa::path(
    get,
    path = "/things/{id}",
    params(("id" = String, Path, description = "The identifier in the Thing Description; a slash in it is %2F")),
    responses(
        (status = 200, description = "The Thing Description as it was registered, with `registration`", content_type = "application/td+json"),
        (status = 404, description = "There is no such thing"),
        (status = 406, description = "It does not come as what is accepted"),
    )
)]
pub(super) async fn retrieve(
    api: Api,
    site: Site,
    accept: Accept,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let kind = accept.choose(TD_KINDS)?;
    let key = identity::key_of(&id).map_err(|_| nothing(&id))?;
    api.may_hear(&format!("{key}/#")).await?;
    let found = api.seen_at(&key).await?.ok_or_else(|| nothing(&id))?;
    let etag = Etag::of(found.id).to_string();
    let now = api.control.clock().now();
    let text = shown(&found, &site.bases(&api), Some(now));
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::VARY, "Accept".to_owned()),
        (header::ETAG, etag),
    ];
    Ok((headers, text).into_response())
}

/// Replaces a Thing Description, or registers one under its identifier.
#[utoipa::path(
    put,
    path = "/things/{id}",
    params(
        ("id" = String, Path),
        ("If-Match" = Option<String>, Header, description = "Only if it did not change since this ETag was given"),
    ),
    request_body(content = String, description = "A Thing Description with this `id`", content_type = "application/td+json"),
    responses(
        (status = 201, description = "It is safe that there is this thing"),
        (status = 204, description = "It is safe that the thing is described so"),
        (status = 400, description = "It is no valid Thing Description: `validationErrors` says what is wrong, field by field"),
        (status = 412, description = "It has changed meanwhile"),
        (status = 413, description = "It is too long"),
        (status = 415, description = "It is said to be something else"),
    )
)]
pub(super) async fn replace(
    api: Api,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    must_be(&headers, TD_KINDS)?;
    let registration = Registration::under(&id, read(&body)?).map_err(refused)?;
    let was_there = api.register(registration, if_match(&headers)?).await?;
    if was_there {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(created(&id))
}

/// Changes a Thing Description by a merge patch (RFC 7396).
#[utoipa::path(
    patch,
    path = "/things/{id}",
    params(("id" = String, Path)),
    request_body(content = String, description = "What is to be otherwise; null for what is to go", content_type = "application/merge-patch+json"),
    responses(
        (status = 204, description = "It is safe that the thing is described so"),
        (status = 400, description = "The result is no valid Thing Description"),
        (status = 404, description = "There is no such thing"),
        (status = 415, description = "It is not said to be a merge patch"),
    )
)]
pub(super) async fn change(
    api: Api,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    must_be_patch(&headers)?;
    let patch = read(&body)?;
    let expected = if_match(&headers)?;
    loop {
        let found = api.registered(&id).await?.ok_or_else(|| nothing(&id))?;
        let etag = Etag::of(found.id);
        if let Some(expected) = &expected {
            expected.check(&etag)?;
        }
        let document = Document::parse(&found.payload).map_err(|_| nothing(&id))?;
        let document = document
            .merged(&patch)
            .map_err(|malformed| invalid("not changed", malformed.into()))?;
        let registration = Registration::under(&id, document).map_err(refused)?;
        let seen = Expected::OneOf(vec![etag.to_string()]);
        match api.register(registration, Some(seen)).await {
            // Somebody else changed it since it was read: what they said is kept.
            Err(problem) if problem.status() == StatusCode::PRECONDITION_FAILED => {}
            other => return other.map(|_| StatusCode::NO_CONTENT),
        }
    }
}

/// Forgets a thing: its description, and all that it reported.
#[utoipa::path(
    delete,
    path = "/things/{id}",
    params(("id" = String, Path)),
    responses(
        (status = 204, description = "It is safe that the thing is forgotten"),
        (status = 404, description = "There is no such thing"),
    )
)]
pub(super) async fn remove(
    api: Api,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let key = identity::key_of(&id).map_err(|_| nothing(&id))?;
    api.may_publish(&key).await?;
    let expected = if_match(&headers)?;
    api.must_not_be_last_owner(&key).await?;
    api.say_to(&key, true, api.as_hub(), move |flow, now, key| {
        let found = flow.said_at(key, now).ok_or_else(|| nothing(&id))?;
        if let Some(expected) = &expected {
            expected.check(&Etag::of(found.id))?;
        }
        Ok(registration::removed(key))
    })
    .await?;
    api.forget_credentials(&key).await?;
    api.forget_relations(&key).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn refused(why: Invalid) -> Problem {
    invalid("not registered", why)
}

fn read(body: &[u8]) -> Result<Document, Problem> {
    Document::parse(body).map_err(|malformed| invalid("not understood", malformed.into()))
}

fn created(id: &str) -> Response {
    let location = [(header::LOCATION, identity::path_of(id))];
    (StatusCode::CREATED, location).into_response()
}

fn nothing(id: &str) -> Problem {
    let what = format!("nothing is registered as `{id}`; /things lists what is");
    Problem::new(StatusCode::NOT_FOUND, what)
}

/// A description as the directory shows it: with when it was registered, and how the thing is
/// reached through the hub.
fn shown(event: &Event, bases: &forms::Bases, retrieved: Option<Time>) -> String {
    let text = String::from_utf8_lossy(&event.payload);
    match forms::complete(&text, &event.topic, bases) {
        Some(complete) => directory::enriched(&complete, retrieved),
        None => text.into_owned(),
    }
}

impl Api {
    /// What is registered under an identifier.
    async fn registered(&self, id: &str) -> Result<Option<Event>, Ended> {
        match identity::key_of(id) {
            Ok(key) => self.said_at(&key).await,
            Err(_) => Ok(None),
        }
    }

    /// Registers a description. Says whether there was one before.
    pub(super) async fn register(
        &self,
        registration: Registration,
        expected: Option<Expected>,
    ) -> Result<bool, Problem> {
        let key = registration.key().to_owned();
        self.may_publish(&key).await?;
        let registration = Arc::new(registration);
        let who = self.who().clone();
        let was_there = Arc::new(AtomicBool::new(false));
        let found_there = Arc::clone(&was_there);
        let make = move |flow: &mut Flow, now: Time, key: &str| {
            let before = flow.said_at(key, now);
            if let Some(expected) = &expected {
                let found = before.as_ref().map(|event| Etag::of(event.id));
                let none = Etag::of_nothing;
                if found.is_none() && *expected == Expected::Anything {
                    let what = "there is nothing yet, so nothing was seen";
                    return Err(Problem::new(StatusCode::PRECONDITION_FAILED, what));
                }
                expected.check(&found.unwrap_or_else(none))?;
            }
            found_there.store(before.is_some(), Ordering::Relaxed);
            let said = registration.said(before.as_ref(), now).map_err(refused)?;
            flow.may_describe(&who, key, &said.payload, now)?;
            Ok(said)
        };
        self.say_to(&key, true, self.as_hub(), make).await?;
        Ok(was_there.load(Ordering::Relaxed))
    }

    /// The first identifiers, in their order; how many there are, and the state of them all.
    pub(super) async fn ids(&self, first: usize) -> Result<(Vec<String>, usize, Etag), Ended> {
        let mut ids = Vec::new();
        let mut total = 0;
        let mut changed: Option<EventId> = None;
        let who = self.who().clone();
        let all = self
            .control
            .look(0, move |flow, now| flow.all_seen(&who, now));
        if let Some(all) = all.await? {
            return self.ids_of(all, first).await;
        }
        for lane in 0..self.control.lanes() {
            let mut after = String::new();
            let mut here = 0;
            loop {
                let wanted = IDS_MAX.min(first - here);
                let (found, count, when) = self
                    .control
                    .look(lane, move |flow, _| {
                        let elements = flow.elements();
                        let found = elements.ids(&after).take(wanted).map(str::to_owned);
                        (
                            found.collect::<Vec<_>>(),
                            elements.len(),
                            elements.changed(),
                        )
                    })
                    .await?;
                changed = changed.max(when);
                here += found.len();
                let is_all = found.len() < wanted || here == first;
                after = found.last().cloned().unwrap_or_default();
                ids.extend(found);
                if is_all {
                    total += count;
                    break;
                }
            }
        }
        ids.sort_unstable();
        ids.truncate(first);
        Ok((ids, total, Etag::of_state(total, changed)))
    }

    /// The same of some elements only.
    async fn ids_of(
        &self,
        all: Vec<Arc<str>>,
        first: usize,
    ) -> Result<(Vec<String>, usize, Etag), Ended> {
        let mut ids = Vec::new();
        let mut changed: Option<EventId> = None;
        let all: Arc<[Arc<str>]> = all.into();
        for lane in 0..self.control.lanes() {
            let all = Arc::clone(&all);
            let look = move |flow: &mut Flow, _| {
                let elements = flow.elements();
                let there = all.iter().filter(|key| elements.has(key));
                let there = there.map(|key| identity::id_of(key));
                (there.collect::<Vec<String>>(), elements.changed())
            };
            let (there, when) = self.control.look(lane, look).await?;
            changed = changed.max(when);
            ids.extend(there);
        }
        ids.sort_unstable();
        let total = ids.len();
        ids.truncate(first);
        Ok((ids, total, Etag::of_state(total, changed)))
    }

    /// The descriptions with these identifiers, as the directory shows them.
    pub(super) async fn descriptions(
        &self,
        ids: &[String],
        site: &Site,
    ) -> Result<Vec<String>, Ended> {
        let bases = site.bases(self);
        self.each_description(ids, |_, event| shown(event, &bases, None))
            .await
    }

    /// What is made of each description as it is retained, and of its identifier. One that was
    /// forgotten meanwhile is left out.
    pub(super) async fn each_description<T>(
        &self,
        ids: &[String],
        make: impl Fn(&str, &Event) -> T,
    ) -> Result<Vec<T>, Ended> {
        const TEXTS_MAX: usize = 256;
        let mut by_lane: HashMap<usize, Vec<(usize, String)>> = HashMap::new();
        for (index, id) in ids.iter().enumerate() {
            if let Ok(key) = identity::key_of(id) {
                let lane = usize::from(home_of_topic(&key, self.control.lanes()));
                by_lane.entry(lane).or_default().push((index, key));
            }
        }
        let mut made: Vec<Option<T>> = ids.iter().map(|_| None).collect();
        for (lane, keys) in by_lane {
            for part in keys.chunks(TEXTS_MAX) {
                let part = part.to_vec();
                let who = self.who().clone();
                let found = self
                    .control
                    .look(lane, move |flow, now| {
                        let found = part.into_iter();
                        found
                            .filter_map(|(index, key)| {
                                Some((index, flow.seen_at(&who, &key, now)?))
                            })
                            .collect::<Vec<_>>()
                    })
                    .await?;
                for (index, event) in found {
                    made[index] = Some(make(&ids[index], &event));
                }
            }
        }
        Ok(made.into_iter().flatten().collect())
    }
}
