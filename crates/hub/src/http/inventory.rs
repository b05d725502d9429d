//! All elements: found by what they are, where, tied to what and how they are; taken in and given
//! out as lines of JSON.

use std::collections::HashMap;

use axum::{
    Json,
    body::{Body, Bytes},
    extract::RawQuery,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use quartet_model::{Address, Event, Kind};
use quartet_things::{registration::Registration, td::Document};
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

use super::{Api, lines::Lines, problem::Problem, take::Query as UrlQuery};
use crate::{
    flow::{Flow, home_of_topic},
    views::{Comparison, Found, Query},
};

const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 10_000;
const QUERY_BYTES_MAX: usize = 8192;
/// Elements that a lane is asked about at once: what else it has to do comes between.
const LOOKED_AT: usize = 64;
/// Members of descriptions that are asked for with a list, at most.
const WITH_MAX: usize = 16;
/// Elements on a page with them, at most.
const WITH_LIMIT_MAX: u32 = 2500;
/// After so much of descriptions such a page ends.
const WITH_BYTES_MAX: usize = 4 << 20;
/// Descriptions that are looked at before it is looked whether that is enough.
const WITH_AT_ONCE: usize = 16;

/// The elements that all of it is true of, in the order of their addresses.
#[utoipa::path(
    get,
    path = "/api/elements",
    params(
        ("kind" = Option<String>, Query, description = "things, people, teams, places, rooms, data or processes"),
        ("type" = Option<Vec<String>>, Query, description = "A semantic type (`@type`), without prefix"),
        ("label" = Option<Vec<String>>, Query, description = "`name` or `name:value` of `quartet:labels`"),
        ("place" = Option<String>, Query, description = "In this place or a part of it: `ward-3` or `places/ward-3`"),
        ("relation" = Option<Vec<String>>, Query, description = "`carriedBy` or `carriedBy:people/ana`"),
        ("text" = Option<String>, Query, description = "Words in titles and descriptions"),
        ("near" = Option<String>, Query, description = "`latitude,longitude,metres`"),
        ("state" = Option<String>, Query, description = "online, asleep, lost, silent or unknown"),
        ("where" = Option<Vec<String>>, Query, description = "`temperature>7`, `on=true`, `memory.used_bytes>=1e9`; = != < <= > >="),
        ("limit" = Option<u32>, Query, description = "How many at most: 1 to 10000, 100 if absent; fewer where more is asked for by `with`"),
        ("after" = Option<String>, Query, description = "Those behind this address: `next` of the page before"),
        ("with" = Option<Vec<String>>, Query, description = "Members of descriptions that are told too, such as `links`: 16 at most"),
    ),
    responses(
        (status = 200, description = "`elements`, each with what was asked for by `with` as `described`, as it is now; `next` if there are more, and `as_of`: all that was safe then is in it"),
        (status = 400, description = "An option is not valid"),
        (status = 503, description = "There are no lists now, with the reason"),
    )
)]
pub(super) async fn find(api: Api, RawQuery(query): RawQuery) -> Result<Json<Value>, Problem> {
    let (query, with) = parse(&query.unwrap_or_default())?;
    api.check_search(&query).await?;
    let now = api.control.clock().now();
    let (as_of, (found, mut next)) = api.views.ask(move |db| query.find(db, now)).await?;
    let mut found = api.found_seen(found).await?;
    let mut described = HashMap::new();
    if !with.is_empty() {
        let enough;
        (described, enough) = api.described_with(&found, &with).await?;
        if enough < found.len() {
            found.truncate(enough);
            next = found.last().map(|last| last.key.clone());
        }
    }
    let found: Vec<Value> = found
        .iter()
        .map(|one| {
            let mut told = to_json(one);
            if let Some(members) = described.remove(&one.id) {
                told["described"] = members.into();
            }
            told
        })
        .collect();
    Ok(api.list("elements", found, next.map(Value::from), as_of))
}

impl Api {
    /// Those of what was found that whoever asks sees, with what it sees of them.
    async fn found_seen(&self, found: Vec<Found>) -> Result<Vec<Found>, Problem> {
        if self.who().holder().is_none() {
            return Ok(found);
        }
        let mut by_lane = vec![Vec::new(); self.control.lanes()];
        for (nth, one) in found.iter().enumerate() {
            let lane = home_of_topic(&one.key, self.control.lanes());
            by_lane[usize::from(lane)].push((nth, one.key.clone()));
        }
        let mut sights = vec![None; found.len()];
        for (lane, asked) in by_lane.into_iter().enumerate() {
            for some in asked.chunks(LOOKED_AT) {
                let (who, some) = (self.who().clone(), some.to_vec());
                let look = move |flow: &mut Flow, now| {
                    let sight = |(nth, key): (usize, String)| (nth, flow.sight_of(&who, &key, now));
                    some.into_iter().map(sight).collect::<Vec<_>>()
                };
                for (nth, sight) in self.control.look(lane, look).await? {
                    sights[nth] = sight;
                }
            }
        }
        let seen = found
            .into_iter()
            .zip(sights)
            .filter_map(|(mut one, sight)| {
                let sight = sight?;
                if !sight.is_whole {
                    one.labels = "{}".to_owned();
                }
                if !sight.has_position {
                    one.position = None;
                }
                if !sight.has_connectivity {
                    one.connectivity = None;
                }
                Some(one)
            });
        Ok(seen.collect())
    }

    /// These members of the descriptions of what was found, by identifier, as far as whoever asks sees
    /// them; and of how many elements, if it is too much of all.
    async fn described_with(
        &self,
        found: &[Found],
        with: &[String],
    ) -> Result<(HashMap<String, Map<String, Value>>, usize), Problem> {
        let mut described = HashMap::new();
        let mut bytes = 0;
        let mut looked_at = 0;
        for some in found.chunks(WITH_AT_ONCE) {
            let ids: Vec<String> = some.iter().map(|one| one.id.clone()).collect();
            let make = |id: &str, event: &Event| (id.to_owned(), members(&event.payload, with));
            let mut here: HashMap<_, _> = self
                .each_description(&ids, make)
                .await?
                .into_iter()
                .collect();
            for id in ids {
                looked_at += 1;
                // One that was forgotten meanwhile has none.
                let Some((members, of_it)) = here.remove(&id) else {
                    continue;
                };
                described.insert(id, members);
                bytes += of_it;
                if WITH_BYTES_MAX < bytes {
                    return Ok((described, looked_at));
                }
            }
        }
        Ok((described, looked_at))
    }

    /// Whether a search would tell of values that whoever asks may not see.
    async fn check_search(&self, query: &Query) -> Result<(), Problem> {
        let looks_at_values = !query.values.is_empty()
            || query.state.is_some()
            || query.near.is_some()
            || query.place.is_some()
            || !query.labels.is_empty()
            || !query.relations.is_empty();
        if !looks_at_values || self.who().holder().is_none() {
            return Ok(());
        }
        let who = self.who().clone();
        let all = self
            .control
            .look(0, move |flow, now| flow.all_seen(&who, now));
        match all.await? {
            None => Ok(()),
            Some(_) => {
                let what = "whoever sees a part only searches by kind, type and text: what is found by values, places or labels would tell them";
                Err(Problem::new(StatusCode::FORBIDDEN, what))
            }
        }
    }
}

fn to_json(found: &Found) -> Value {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let mut said = json!({
        "address": found.key,
        "kind": found.kind,
        "id": found.id,
        "title": found.title,
        "types": parsed(&found.types),
        "labels": parsed(&found.labels),
    });
    if let Some((latitude, longitude)) = found.position {
        said["position"] = json!({ "latitude": latitude, "longitude": longitude });
    }
    if let Some(connectivity) = &found.connectivity {
        said["connectivity"] = parsed(connectivity);
    }
    said
}

/// These members of a description, and how many bytes they have.
fn members(description: &[u8], with: &[String]) -> (Map<String, Value>, usize) {
    let all: HashMap<String, &RawValue> = serde_json::from_slice(description).unwrap_or_default();
    let mut bytes = 0;
    let told = with.iter().filter_map(|name| {
        let member = all.get(name)?.get();
        bytes += member.len();
        Some((name.clone(), serde_json::from_str(member).ok()?))
    });
    (told.collect(), bytes)
}

fn bad(what: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, what)
}

/// What is searched for, and which members of descriptions are told with it.
fn parse(query: &str) -> Result<(Query, Vec<String>), Problem> {
    if QUERY_BYTES_MAX < query.len() {
        return Err(bad(format!("a query has at most {QUERY_BYTES_MAX} bytes")));
    }
    let mut wanted = Query {
        limit: LIMIT,
        ..Query::default()
    };
    let mut with = Vec::new();
    let pair = |value: &str| match value.split_once(':') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (value.to_owned(), None),
    };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = value.into_owned();
        match &*name {
            "kind" if Kind::of_folder(&value).is_some() => wanted.kind = Some(value),
            "kind" => {
                let kinds = Kind::ALL.map(Kind::folder).join(", ");
                return Err(bad(format!("kind is `{value}`; must be one of {kinds}")));
            }
            "type" => wanted.types.push(value),
            "label" => wanted.labels.push(pair(&value)),
            "place" => {
                let is_address = Address::element_of(&value).is_some();
                wanted.place = Some(if is_address {
                    value
                } else {
                    format!("places/{value}")
                });
            }
            "relation" => wanted.relations.push(pair(&value)),
            "text" => wanted.text = Some(value),
            "near" => wanted.near = Some(near(&value)?),
            "state" => wanted.state = Some(value),
            "where" => wanted.values.push(comparison(&value)?),
            "limit" => {
                let limit = value
                    .parse()
                    .ok()
                    .filter(|limit| (1..=LIMIT_MAX).contains(limit));
                let what = || bad(format!("limit is `{value}`; must be 1 to {LIMIT_MAX}"));
                wanted.limit = limit.ok_or_else(what)?;
            }
            "after" => wanted.after = value,
            "with" if with.len() == WITH_MAX => {
                return Err(bad(format!("`with` is given {WITH_MAX} times at most")));
            }
            "with" => with.push(value),
            other => {
                return Err(bad(format!(
                    "there is no option `{other}`; there are kind, type, label, place, relation, text, near, state, where, limit, after, with"
                )));
            }
        }
    }
    if !with.is_empty() {
        wanted.limit = wanted.limit.min(WITH_LIMIT_MAX);
    }
    Ok((wanted, with))
}

fn near(text: &str) -> Result<(f64, f64, f64), Problem> {
    let numbers: Vec<f64> = text
        .split(',')
        .filter_map(|one| one.trim().parse().ok())
        .collect();
    match numbers[..] {
        [latitude, longitude, metres]
            if latitude.abs() <= 90.0
                && longitude.abs() <= 180.0
                && (0.0..=2e7).contains(&metres) =>
        {
            Ok((latitude, longitude, metres))
        }
        _ => Err(bad(format!(
            "near is `{text}`; must be latitude,longitude,metres, such as 52.52,13.40,500"
        ))),
    }
}

fn comparison(text: &str) -> Result<Comparison, Problem> {
    const OPERATORS: [&str; 6] = [">=", "<=", "!=", ">", "<", "="];
    let wrong = || {
        bad(format!(
            "where is `{text}`; must be a property, one of = != < <= > >= and a value, such as temperature>7"
        ))
    };
    let at = text.find(['<', '>', '=', '!']).ok_or_else(wrong)?;
    let (name, rest) = text.split_at(at);
    let operator = OPERATORS
        .into_iter()
        .find(|one| rest.starts_with(one))
        .ok_or_else(wrong)?;
    let value = rest[operator.len()..].trim();
    let (property, path) = match name.trim().split_once('.') {
        Some((property, path)) => (property, format!(".{path}")),
        None => (name.trim(), String::new()),
    };
    let is_odd = |c: char| c.is_control() || matches!(c, '"' | '\'' | '$' | '*' | '?');
    if property.is_empty() || path.contains(is_odd) {
        return Err(wrong());
    }
    Ok(Comparison {
        property: property.to_owned(),
        path,
        operator,
        value: serde_json::from_str(value).unwrap_or_else(|_| value.into()),
    })
}

/// Descriptions that are taken in at the same time.
const AT_ONCE: usize = 64;

/// How an import is meant.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Import {
    /// Only look whether it would work.
    #[serde(default)]
    dry_run: bool,
}

/// All Thing Descriptions as lines of JSON, in the order of their identifiers.
#[utoipa::path(
    get,
    path = "/api/elements/export",
    responses((status = 200, description = "A Thing Description a line, as it was registered", content_type = "application/x-ndjson"))
)]
pub(super) async fn export(api: Api) -> Result<Response, Problem> {
    let (ids, ..) = api.ids(usize::MAX).await?;
    let (send, lines) = tokio::sync::mpsc::channel::<Result<Bytes, std::convert::Infallible>>(4);
    tokio::spawn(async move {
        for ids in ids.chunks(256) {
            let Ok(texts) = api.each_description(ids, as_registered).await else {
                return;
            };
            let mut text = texts.join("\n");
            text.push('\n');
            if send.send(Ok(text.into())).await.is_err() {
                return; // Nobody reads it any more.
            }
        }
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, Body::from_stream(ReceiverStream::new(lines))).into_response())
}

fn as_registered(_: &str, event: &Event) -> String {
    String::from_utf8_lossy(&event.payload).into_owned()
}

/// Registers many Thing Descriptions, one a line; each for itself.
#[utoipa::path(
    post,
    path = "/api/elements/import",
    params(("dry_run" = Option<bool>, Query, description = "Only look whether it would work")),
    request_body(content = String, description = "A Thing Description with `id` a line", content_type = "application/x-ndjson"),
    responses(
        (status = 200, description = "How many were `created`, `updated` and `refused`; each refused one with its line and `validationErrors`"),
    )
)]
pub(super) async fn import(
    api: Api,
    UrlQuery(how): UrlQuery<Import>,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let mut done = Done::default();
    let mut waiting = tokio::task::JoinSet::new();
    let mut lines = Lines::default();
    let mut chunks = body.into_data_stream();
    loop {
        let chunk = chunks.next().await;
        let is_end = chunk.is_none();
        if let Some(chunk) = chunk {
            lines.push(chunk)?;
        }
        while let Some((number, line)) = lines.next(is_end) {
            if AT_ONCE <= waiting.len() {
                done.take(waiting.join_next().await);
            }
            let api = api.clone();
            waiting.spawn(async move { (number, api.take_in(&line, how.dry_run).await) });
        }
        if is_end {
            break;
        }
    }
    while let Some(one) = waiting.join_next().await {
        done.take(Some(one));
    }
    Ok(Json(done.to_json()))
}

/// What became of the lines.
#[derive(Default)]
struct Done {
    created: u64,
    updated: u64,
    refused: u64,
    problems: Vec<Value>,
}

/// The most refusals that are told one by one.
const PROBLEMS_MAX: usize = 1000;

type Taken = Result<(u64, Result<bool, Problem>), tokio::task::JoinError>;

impl Done {
    fn take(&mut self, taken: Option<Taken>) {
        match taken {
            Some(Ok((_, Ok(true)))) => self.updated += 1,
            Some(Ok((_, Ok(false)))) => self.created += 1,
            Some(Ok((line, Err(why)))) => {
                self.refused += 1;
                if self.problems.len() < PROBLEMS_MAX {
                    let mut told = why.to_json();
                    told["line"] = line.into();
                    self.problems.push(told);
                }
            }
            Some(Err(_)) | None => {}
        }
    }

    fn to_json(&self) -> Value {
        let mut problems = self.problems.clone();
        problems.sort_by_key(|one| one["line"].as_u64());
        json!({
            "created": self.created, "updated": self.updated, "refused": self.refused,
            "problems": problems,
        })
    }
}

impl Api {
    /// Registers one line of an import. Says whether there was such an element before.
    async fn take_in(&self, line: &[u8], is_rehearsal: bool) -> Result<bool, Problem> {
        let invalid = |why| super::elements::invalid("not registered", why);
        let document = Document::parse(line).map_err(|why| invalid(why.into()))?;
        let registration = Registration::new(document).map_err(invalid)?;
        if is_rehearsal {
            let key = registration.key();
            return Ok(self.said_at(key).await?.is_some());
        }
        self.register(registration, None).await
    }
}
