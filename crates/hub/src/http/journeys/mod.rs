//! What led to what: an event, and all that followed from it, through whatever it went.

mod forest; // facts as trees

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::{Json, http::StatusCode};
use quartet_model::{Address, Aspect, EventId, Kind, Time};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use self::forest::Forest;
use super::{
    Api,
    lists::{before, limit},
    problem::Problem,
    take::{Path, Query},
};
use crate::{
    flow::{Fact, Flow},
    shell::Ended,
};

/// So long what was put together serves all who ask.
const FRESH: Duration = Duration::from_millis(500);
/// Facts that a lane is asked about at once: what else it has to do comes between.
const LOOKED_AT: usize = 256;
/// Journeys that are looked through for one page, and facts of them.
const LOOKED_THROUGH: usize = 2000;
const LOOKED_THROUGH_FACTS: usize = 5000;
/// Facts of a journey that are told.
const FACTS_MAX: usize = 1000;
/// The same in a list.
const LISTED_MAX: usize = 200;
/// Elements of a journey that a list tells.
const ELEMENTS_MAX: usize = 16;

/// What was put together last, and when.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<Mutex<Option<Last>>>);

struct Last {
    at: Time,
    forest: Arc<Forest>,
}

/// Which journeys are wanted.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    limit: Option<u32>,
    before: Option<String>,
    element: Option<String>,
    #[serde(default)]
    idle: bool,
}

/// What led to what lately, the last first: each journey is an event and all that followed from it.
/// They are kept in memory: they begin with the last start of the hub, and the oldest make room.
#[utoipa::path(
    get,
    path = "/api/journeys",
    params(
        ("limit" = Option<u32>, Query, description = "How many at most: 1 to 1000, 100 if absent"),
        ("before" = Option<String>, Query, description = "Those that began before this event: `next` of the page before"),
        ("element" = Option<String>, Query, description = "Of this element only: `things/lamp`, `processes/office.comfort`"),
        ("idle" = Option<bool>, Query, description = "Also those in which flows ran and did nothing"),
    ),
    responses(
        (status = 200, description = "`journeys`: the `event` with which each began (`begin` tells it, unless it may not be seen; `reported` what an element reported because of it, if it was said at a topic of a device's own), `at`, `until`, how many facts it has (`count`), which `flows` ran, which `elements` it reached, who spoke to whom (`mix`: `M2M`, `P2M`, `M2P`, `P2P`), the last `status` of what was wanted or asked for, and whether something `failed`; `next` if there are more, and `since`: none is missing that began later"),
        (status = 400, description = "An option is not valid"),
    )
)]
pub(super) async fn list(api: Api, Query(wanted): Query<Wanted>) -> Result<Json<Value>, Problem> {
    let limit = limit(wanted.limit)? as usize;
    let before = before(wanted.before.as_deref())?;
    let element = wanted.element.as_deref();
    if let Some(element) = element
        && Address::element_of(element) != Some(element)
    {
        let what = format!("element is `{element}`; must be like things/lamp");
        return Err(Problem::new(StatusCode::BAD_REQUEST, what));
    }
    let forest = api.forest(FRESH).await?;
    let mut journeys = Vec::new();
    let mut next = None;
    let mut looked_at = 0;
    for (number, begin) in forest.begins(wanted.idle, before).enumerate() {
        let is_enough = number == LOOKED_THROUGH || LOOKED_THROUGH_FACTS <= looked_at;
        if journeys.len() == limit || is_enough {
            break;
        }
        next = Some(forest.fact(begin).id);
        let mut all = forest.tree(begin);
        if element.is_some_and(|key| !all.iter().any(|at| is_of(forest.fact(*at), key))) {
            continue;
        }
        let count = all.len();
        all.truncate(LISTED_MAX);
        looked_at += all.len();
        let journey = api.journey(&forest, &all).await?;
        let is_seen = |key: &str| journey.iter().flatten().any(|fact| is_of(fact, key));
        if element.map_or_else(|| journey.iter().any(Option::is_some), is_seen) {
            journeys.push(summary(&forest, &all, &journey, count));
        }
    }
    let has_more = next.is_some_and(|next| forest.begins(wanted.idle, Some(next)).next().is_some());
    let mut answer = json!({ "journeys": journeys, "since": forest.since.rfc3339() });
    if let Some(next) = next.filter(|_| has_more) {
        answer["next"] = next.to_string().into();
    }
    Ok(Json(answer))
}

/// One event, what led to it, and all that followed.
#[utoipa::path(
    get,
    path = "/api/journeys/{event}",
    params(("event" = String, Path, description = "Any event of it, or the run of a flow: `id` as it is told elsewhere")),
    responses(
        (status = 200, description = "What the list tells of it, and its `facts` as they happened: `id`, `at`, `because` (the fact that led to it; of what became of a request, the request), `by`, `topic`, `value` (or how many `bytes` if it is long); of runs the `flow`, how much it `did`, or why it `failed`. Of what may not be seen nothing is told but that something was `hidden`"),
        (status = 400, description = "This is no event"),
        (status = 404, description = "It led to nothing and came from nothing, it is not known any more, or it is not to be seen"),
    )
)]
pub(super) async fn show(api: Api, Path(event): Path<String>) -> Result<Json<Value>, Problem> {
    let id: EventId = event
        .parse()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("{error}")))?;
    let mut forest = api.forest(FRESH).await?;
    if forest.begin_of(id).is_none() {
        forest = api.forest(Duration::ZERO).await?; // It may have happened since.
    }
    let nothing = || {
        let since = forest.since.rfc3339();
        let what = format!(
            "no journey of {id} is known to you: what leads to something is kept in memory, and since {since} nothing was let go"
        );
        Problem::new(StatusCode::NOT_FOUND, what)
    };
    let begin = forest.begin_of(id).ok_or_else(nothing)?;
    let mut all = forest.tree(begin);
    let count = all.len();
    all.truncate(FACTS_MAX);
    let journey = api.journey(&forest, &all).await?;
    if journey.iter().all(Option::is_none) {
        return Err(nothing());
    }
    let mut told = summary(&forest, &all, &journey, count);
    let facts = all.iter().zip(&journey).map(|(at, seen)| {
        let fact = forest.fact(*at);
        let mut told = told_of(fact, seen.as_deref());
        // What is not known any more led to it.
        if let Some(because) = fact.because.filter(|_| *at != begin) {
            told["because"] = because.to_string().into();
        }
        told
    });
    told["facts"] = facts.collect();
    Ok(Json(told))
}

impl Api {
    /// What led to what on all lanes, as it was not longer ago than this.
    async fn forest(&self, age_max: Duration) -> Result<Arc<Forest>, Ended> {
        let mut known = self.journeys.0.lock().await;
        let now = self.control.clock().now();
        if let Some(last) = &*known
            && now < last.at.after(age_max)
        {
            return Ok(Arc::clone(&last.forest));
        }
        let mut lanes = Vec::new();
        for lane in 0..self.control.lanes() {
            lanes.push(self.control.look(lane, |flow, _| flow.facts()).await?);
        }
        let forest = Arc::new(Forest::of(lanes));
        *known = Some(Last {
            at: now,
            forest: Arc::clone(&forest),
        });
        Ok(forest)
    }

    /// What of these facts whoever asks may see.
    async fn journey(
        &self,
        forest: &Forest,
        all: &[usize],
    ) -> Result<Vec<Option<Arc<Fact>>>, Ended> {
        let mut seen = Vec::with_capacity(all.len());
        for some in all.chunks(LOOKED_AT) {
            let facts: Vec<_> = some.iter().map(|at| Arc::clone(forest.fact(*at))).collect();
            let Some(first) = facts.first() else {
                break;
            };
            let topic = first.topic().to_owned();
            let who = self.who().clone();
            let look = move |flow: &mut Flow, now| {
                let see = |fact: Arc<Fact>| flow.see_fact(&who, fact, now);
                facts.into_iter().map(see).collect::<Vec<_>>()
            };
            seen.extend(self.control.look_home(&topic, look).await?);
        }
        Ok(seen)
    }
}

/// Whether a fact is about an element, or by it.
fn is_of(fact: &Fact, key: &str) -> bool {
    *fact.author == *key || Address::element_of(fact.topic()) == Some(key)
}

fn is_person(key: &str) -> bool {
    let folder = key.split('/').next().unwrap_or_default();
    matches!(Kind::of_folder(folder), Some(Kind::Person | Kind::Team))
}

/// Whether somebody is told something by this, or asked for it.
fn is_told(fact: &Fact) -> bool {
    match Address::read(fact.topic()).map(|address| address.aspect) {
        Ok(Aspect::Write(_) | Aspect::Action(_)) => true,
        Ok(_) => false,
        Err(_) => fact.run.is_none(),
    }
}

/// What became of a wish or a request, if this tells it.
fn status_of(fact: &Fact) -> Option<String> {
    #[derive(Deserialize)]
    struct Told {
        status: String,
    }
    let aspect = Address::read(fact.topic()).ok()?.aspect;
    let is_outcome = matches!(aspect, Aspect::Desired(_) | Aspect::Invocation(..));
    let payload = fact.payload().filter(|_| is_outcome)?;
    serde_json::from_slice(payload)
        .ok()
        .map(|Told { status }| status)
}

/// A journey in a few words, as far as it is seen.
fn summary(forest: &Forest, all: &[usize], journey: &[Option<Arc<Fact>>], count: usize) -> Value {
    let begin = forest.fact(all[0]);
    let seen = || journey.iter().flatten();
    let first = seen().next();
    let from = match first.is_some_and(|first| is_person(&first.author) || is_person(first.topic()))
    {
        true => 'P',
        false => 'M',
    };
    let mut mix = BTreeSet::new();
    let mut flows = Vec::new();
    let mut elements = Vec::new();
    for fact in seen() {
        let Some(key) = Address::element_of(fact.topic()) else {
            continue;
        };
        let is_run = fact.run.is_some();
        if is_told(fact) {
            mix.insert(format!("{from}2{}", if is_person(key) { 'P' } else { 'M' }));
        }
        let known = if is_run { &mut flows } else { &mut elements };
        if known.len() < ELEMENTS_MAX && !known.iter().any(|one| one == key) {
            known.push(key.to_owned());
        }
    }
    if mix.is_empty() {
        mix.insert(format!("{from}2M"));
    }
    let last = all.last().map_or(begin.id, |at| forest.fact(*at).id);
    let failed = seen().any(|fact| fact.run.as_ref().is_some_and(|ran| ran.failed.is_some()));
    let mut told = json!({
        "event": begin.id.to_string(),
        "at": begin.id.at.rfc3339(),
        "until": last.at.rfc3339(),
        "count": count,
        "begin": told_of(begin, journey[0].as_deref()),
        "flows": flows,
        "elements": elements,
        "mix": mix,
    });
    // A topic of a device's own is nothing to a person; what an element reported because of it is.
    let is_own = Address::element_of(begin.topic()).is_none();
    let is_report =
        |fact: &&Arc<Fact>| fact.run.is_none() && Address::element_of(fact.topic()).is_some();
    if let Some(reported) = seen().find(is_report).filter(|_| is_own) {
        told["reported"] = told_of(reported, Some(reported));
    }
    if let Some(status) = seen().rev().find_map(|fact| status_of(fact)) {
        told["status"] = status.into();
    }
    if failed {
        told["failed"] = true.into();
    }
    // What led to it is not known any more.
    if begin.because.is_some() {
        told["began_before"] = true.into();
    }
    told
}

fn told_of(fact: &Fact, seen: Option<&Fact>) -> Value {
    let mut told = json!({ "id": fact.id.to_string(), "at": fact.id.at.rfc3339() });
    let Some(fact) = seen else {
        told["hidden"] = true.into();
        return told;
    };
    if let Some(ran) = &fact.run {
        told["flow"] = fact.topic().into();
        told["did"] = ran.did.into();
        if let Some(failed) = &ran.failed {
            told["failed"] = (**failed).into();
        }
        return told;
    }
    told["by"] = (*fact.author).into();
    told["topic"] = fact.topic().into();
    match fact.payload() {
        Some([]) => {}
        Some(payload) => match serde_json::from_slice(payload) {
            Ok(value) => told["value"] = value,
            Err(_) => match str::from_utf8(payload) {
                Ok(text) => told["value"] = text.into(),
                Err(_) => told["bytes"] = fact.payload_bytes.into(),
            },
        },
        None => told["bytes"] = fact.payload_bytes.into(),
    }
    told
}
