//! Elements: what each is, what it reports, what is wanted of it. The same addresses as in MQTT,
//! under `/api/`.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Json,
    http::{HeaderMap, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{self, KeepAlive, Sse},
    },
};
use bytes::Bytes;
use quartet_fabric::mqtt::Property;
use quartet_model::{Address, Aspect, Event, EventId, Kind, Qos, Said, Time};
use quartet_people::role::Deed;
use quartet_things::{
    Invocation, check_invoke, check_write,
    dialects::units::{Conversion, NoConversion},
    forms, identity, td,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

use super::{
    Api,
    conditions::{Etag, if_match},
    kinds::{Accept, JSON, TD_KINDS},
    problem::Problem,
    site::Site,
    take::{Body, Path, Query},
};
use crate::{
    flow::{Flow, IDEMPOTENCY_KEY, Who},
    shell::{Ended, StreamItem},
};

/// The key of the element that a path names.
pub(super) fn key_of(kind: &str, id: &str) -> Result<String, Problem> {
    let kind = Kind::of_folder(kind).ok_or_else(|| {
        let kinds = Kind::ALL.map(Kind::folder).join(", ");
        let what = format!("`{kind}` is no kind of element; there are {kinds}");
        Problem::new(StatusCode::NOT_FOUND, what)
    })?;
    identity::key(kind, id)
        .map_err(|problem| Problem::new(StatusCode::NOT_FOUND, problem.description))
}

pub(super) fn nobody(key: &str) -> Problem {
    let what = format!("there is no element `{key}`; /things lists those that there are");
    Problem::new(StatusCode::NOT_FOUND, what)
}

pub(super) fn topic(key: &str, aspect: Aspect<'_>) -> String {
    let address = Address::read(key).expect("a key is an address");
    address.with(aspect).to_string()
}

/// What an element is: its Thing Description, with how it is reached here.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}",
    params(
        ("kind" = String, Path, description = "things, people, teams, places, rooms, data or processes"),
        ("id" = String, Path, description = "Its name"),
    ),
    responses(
        (status = 200, description = "Its Thing Description with the hub's forms", content_type = "application/td+json"),
        (status = 404, description = "There is no such element"),
    )
)]
pub(super) async fn describe(
    api: Api,
    site: Site,
    accept: Accept,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let content = accept.choose(TD_KINDS)?;
    let key = key_of(&kind, &id)?;
    let found = api.seen_at(&key).await?.ok_or_else(|| nobody(&key))?;
    let text = String::from_utf8_lossy(&found.payload);
    let complete = forms::complete(&text, &key, &site.bases(&api)).ok_or_else(|| nobody(&key))?;
    let headers = [
        (header::CONTENT_TYPE, content.to_owned()),
        (header::VARY, "Accept".to_owned()),
        (header::ETAG, Etag::of(found.id).to_string()),
    ];
    Ok((headers, complete).into_response())
}

/// What an element reports of all its properties.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}/properties",
    params(("kind" = String, Path), ("id" = String, Path)),
    responses(
        (status = 200, description = "The value of each property that it has reported, by name"),
        (status = 404, description = "There is no such element"),
    )
)]
pub(super) async fn properties(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let key = key_of(&kind, &id)?;
    let who = api.who().clone();
    let found = api
        .of_element(&key, move |flow, now, key| {
            let names = names(flow, key, now)?;
            let value = |name: String| {
                let event = flow.seen_at(&who, &topic(key, Aspect::Property(&name)), now)?;
                Some((name, value_of(&event.payload)))
            };
            Some(names.into_iter().filter_map(value).collect::<Map<_, _>>())
        })
        .await?;
    Ok(Json(found.into()))
}

/// Writes several properties: all of them, or none if one cannot be written so.
#[utoipa::path(
    put,
    path = "/api/{kind}/{id}/properties",
    params(("kind" = String, Path), ("id" = String, Path)),
    request_body(content = Vec<u8>, description = "An object: the value of each property by name"),
    responses(
        (status = 204, description = "All are wanted; /twin says what becomes of it"),
        (status = 400, description = "A value is not what the property takes, or it cannot be written"),
        (status = 404, description = "There is no such element"),
    )
)]
pub(super) async fn write_properties(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
    Body(payload): Body,
) -> Result<StatusCode, Problem> {
    let key = key_of(&kind, &id)?;
    let values: Map<String, Value> = serde_json::from_slice(&payload).map_err(|error| {
        let what = format!("the body is no JSON object of values by name: {error}");
        Problem::new(StatusCode::BAD_REQUEST, what)
    })?;
    let values = values.into_iter();
    let values = values.map(|(name, value)| (name, value.to_string().into()));
    api.write_some(&key, values.collect()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// In what values are to be told.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    /// A unit, as UCUM or people write it.
    unit: Option<String>,
}

/// What an element last said of a property.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}/properties/{name}",
    params(
        ("kind" = String, Path), ("id" = String, Path), ("name" = String, Path),
        ("unit" = Option<String>, Query, description = "The unit in which numbers and lists of numbers are told: UCUM (`[degF]`) or as people write it (`°F`)"),
    ),
    responses(
        (status = 200, description = "The value, as it was reported or in the unit that was asked for; `Last-Reported` says when"),
        (status = 400, description = "The value cannot be told in this unit"),
        (status = 404, description = "There is no such element, or it has not reported it"),
    )
)]
pub(super) async fn property(
    api: Api,
    Path((kind, id, name)): Path<(String, String, String)>,
    Query(told): Query<Told>,
) -> Result<Response, Problem> {
    let key = key_of(&kind, &id)?;
    api.may(Deed::Read, &topic(&key, Aspect::Property(&name)))
        .await?;
    let conversion = api.conversion(&key, &name, &told).await?;
    let (reported, etag) = api
        .of_element(&key, {
            let name = name.clone();
            let who = api.who().clone();
            move |flow, now, key| {
                let reported = flow.seen_at(&who, &topic(key, Aspect::Property(&name)), now);
                let desired = flow.elements().desired(key, &name);
                let etag = Etag::of_both(
                    reported.as_ref().map(|event| event.id),
                    desired.map(|wish| wish.revision),
                );
                Some((reported, etag))
            }
        })
        .await?;
    let reported = reported.ok_or_else(|| {
        let what = format!("`{key}` has not reported a property `{name}`");
        Problem::new(StatusCode::NOT_FOUND, what)
    })?;
    let headers = [
        (header::CONTENT_TYPE.as_str(), JSON.to_owned()),
        ("last-reported", reported.id.at.rfc3339()),
        (header::ETAG.as_str(), etag.to_string()),
    ];
    let value = match conversion {
        None => json_of(reported.payload),
        Some(conversion) => {
            let value = value_of(&reported.payload);
            let converted = conversion.apply(&value).ok_or_else(|| {
                let what = format!(
                    "`{name}` is {value}; only numbers and lists of numbers are told in another unit"
                );
                Problem::new(StatusCode::BAD_REQUEST, what)
            })?;
            converted.to_string().into()
        }
    };
    Ok((headers, value).into_response())
}

/// How a request to an element is meant.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// For how many seconds it is of use.
    expiry_s: Option<u64>,
}

/// Wants a property to have a value.
#[utoipa::path(
    put,
    path = "/api/{kind}/{id}/properties/{name}",
    params(
        ("kind" = String, Path), ("id" = String, Path), ("name" = String, Path),
        ("expiry_s" = Option<u64>, Query, description = "For how many seconds it is wanted"),
        ("If-Match" = Option<String>, Header, description = "Only if nothing changed since this ETag was given"),
    ),
    request_body(content = Vec<u8>, description = "The value, as JSON"),
    responses(
        (status = 204, description = "It is safe that this is wanted; the element is told, now or when it comes back"),
        (status = 400, description = "The value is not what the property takes, or it cannot be written"),
        (status = 404, description = "There is no such element"),
        (status = 412, description = "It has changed meanwhile"),
    )
)]
pub(super) async fn write(
    api: Api,
    Path((kind, id, name)): Path<(String, String, String)>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
    Body(payload): Body,
) -> Result<StatusCode, Problem> {
    let key = key_of(&kind, &id)?;
    let expected = if_match(&headers)?;
    let expires = api.expires(wanted.expiry_s);
    let said = request(topic(&key, Aspect::Write(&name)), payload.clone(), expires);
    api.ask_element(&key, expected.is_some(), said, move |flow, now, key| {
        let affordances = flow.affordances(key, now).ok_or_else(|| nobody(key))?;
        check_write(&affordances, &name, &payload)
            .map_err(|problems| Problem::invalid("not written", problems))?;
        match &expected {
            Some(expected) => expected.check(&etag_of(flow, key, &name, now)),
            None => Ok(()),
        }
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All that is known of an element's properties: what it reported, what is wanted.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}/twin",
    params(
        ("kind" = String, Path), ("id" = String, Path),
        ("unit" = Option<String>, Query, description = "The unit in which all is told that can be: properties that measure something else stay as they are"),
    ),
    responses(
        (status = 200, description = "For each property `reported` (value, who, when), `desired` (value, status, who, when) and `unit`"),
        (status = 400, description = "There is no such unit"),
        (status = 404, description = "There is no such element"),
    )
)]
pub(super) async fn twin(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
    Query(Told { unit: wanted }): Query<Told>,
) -> Result<Json<Value>, Problem> {
    let key = key_of(&kind, &id)?;
    if let Some(wanted) = &wanted
        && let Err(why @ NoConversion::Wanted(_)) = Conversion::find(None, wanted)
    {
        return Err(Problem::new(StatusCode::BAD_REQUEST, why.to_string()));
    }
    let who = api.who().clone();
    let found = api
        .of_element(&key, move |flow, now, key| {
            let affordances = flow.affordances(key, now);
            let names = names(flow, key, now)?;
            let mut twin = Map::new();
            for name in names {
                let at = topic(key, Aspect::Property(&name));
                let Ok(fields) = flow.may(&who, Deed::Read, &at, now) else {
                    continue;
                };
                let mut property = Map::new();
                if let Some(event) = flow.seen_at(&who, &at, now) {
                    let reported = json!({
                        "value": value_of(&event.payload),
                        "at": event.id.at.rfc3339(),
                        "by": event.author(),
                        "revision": event.id.to_string(),
                    });
                    property.insert("reported".to_owned(), reported);
                }
                if let Some(desired) = flow.elements().desired(key, &name)
                    && fields.is_all()
                {
                    property.insert("desired".to_owned(), desired.to_json());
                }
                let described = affordances.as_ref().and_then(|all| all.property(&name));
                if let Some(unit) = described.and_then(|property| property.unit.as_deref()) {
                    property.insert("unit".to_owned(), unit.into());
                    if let Some(wanted) = &wanted {
                        tell_in(&mut property, unit, wanted);
                    }
                }
                twin.insert(name, property.into());
            }
            Some(twin)
        })
        .await?;
    Ok(Json(found.into()))
}

/// Tells a property of a twin in another unit, if all of its values can be.
fn tell_in(property: &mut Map<String, Value>, unit: &str, wanted: &str) {
    let Ok(conversion) = Conversion::find(Some(unit), wanted) else {
        return;
    };
    let mut told = property.clone();
    for said in ["reported", "desired"] {
        let Some(value) = told.get_mut(said).and_then(|said| said.get_mut("value")) else {
            continue;
        };
        match conversion.apply(value) {
            Some(converted) => *value = converted,
            None => return,
        }
    }
    told.insert("unit".to_owned(), conversion.to.into());
    *property = told;
}

/// Asks an element to do something.
#[utoipa::path(
    post,
    path = "/api/{kind}/{id}/actions/{name}",
    params(
        ("kind" = String, Path), ("id" = String, Path), ("name" = String, Path),
        ("expiry_s" = Option<u64>, Query, description = "For how many seconds it is of use, if it has not begun by then"),
        ("Prefer" = Option<String>, Header, description = "`wait=5`: the answer may take so many seconds, 60 at most, if it brings what came out (RFC 7240). For actions that are `synchronous` the hub waits 10 s by itself"),
        ("Idempotency-Key" = Option<String>, Header, description = "What you call this request, 200 characters at most: whoever does not know whether it arrived sends it again under the same name, and it is done once. It is known for an hour after it is over"),
    ),
    request_body(content = Vec<u8>, description = "The input, as JSON; empty if there is none"),
    responses(
        (status = 200, description = "It is done, and this came out"),
        (status = 204, description = "It is done, and nothing came out"),
        (status = 201, description = "It is safe that this was asked; `Location` says what becomes of it"),
        (status = 400, description = "The input is not what the action takes"),
        (status = 404, description = "There is no such element, or it has no such action"),
        (status = 502, description = "The element was not able to do it"),
    )
)]
pub(super) async fn invoke(
    api: Api,
    Path((kind, id, name)): Path<(String, String, String)>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
    Body(payload): Body,
) -> Result<Response, Problem> {
    let key = key_of(&kind, &id)?;
    let expires = api.expires(wanted.expiry_s);
    let mut said = request(topic(&key, Aspect::Action(&name)), payload.clone(), expires);
    let called = idempotency_key(&headers)?;
    if let Some(called) = &called {
        let mut properties = said.properties.to_vec();
        Property::write_user(IDEMPOTENCY_KEY, called, &mut properties);
        said.properties = properties.into();
    }
    let (action, who) = (name.clone(), api.name());
    // What was asked for before under this name.
    let before = Arc::new(OnceLock::new());
    let found = Arc::clone(&before);
    let is_named = called.is_some();
    let patience = match preferred_wait(&headers) {
        Some(wait) => wait,
        None if api.is_synchronous(&key, &name).await? => SYNCHRONOUS_WAIT,
        None => Duration::ZERO,
    };
    let asked = api
        .ask_element(&key, is_named, said, move |flow, now, key| {
            if let Some(called) = &called {
                let mut known = flow.elements().invocations(key);
                let same = known.find(|one| {
                    one.idempotency_key.as_ref() == Some(called)
                        && one.by == who
                        && one.action == action
                });
                if let Some(same) = same {
                    let _ = found.set(same.id); // It is looked for again only if it was not found.
                    return Err(Problem::new(StatusCode::CONFLICT, "it was asked before"));
                }
            }
            let affordances = flow.affordances(key, now).ok_or_else(|| nobody(key))?;
            check_invoke(&affordances, &action, &payload)
                .map(|_| ())
                .map_err(|problems| Problem::invalid("not asked", problems))
        })
        .await;
    let id = match before.get() {
        Some(before) => *before,
        None => asked?,
    };
    let here = format!(
        "/api/{}",
        topic(&key, Aspect::Invocation(&name, &id.to_string()))
    );
    if let Some(status) = api.outcome(&here["/api/".len()..], patience).await? {
        return answer(&status);
    }
    let invocation = api.invocation(&key, id).await?;
    let body = invocation.map_or_else(
        || json!({ "status": "pending", "timeRequested": id.at.rfc3339() }),
        |one| one.to_json(),
    );
    let headers = [(header::LOCATION, here.clone())];
    Ok((StatusCode::CREATED, headers, Json(with_href(body, here))).into_response())
}

/// How long the hub waits for actions that are said to be over when they are answered.
pub(super) const SYNCHRONOUS_WAIT: Duration = Duration::from_secs(10);
/// The longest that anybody may make it wait.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What whoever asks calls a request.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(called) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let called = called.to_str().unwrap_or_default();
    match called.is_empty() || 200 < called.len() {
        true => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "an Idempotency-Key has 1 to 200 visible characters of ASCII",
        )),
        false => Ok(Some(called.to_owned())),
    }
}

/// What `Prefer: wait=…` says (RFC 7240, section 4.3).
fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    let prefer = headers.get("prefer")?.to_str().ok()?;
    let wait = prefer
        .split(',')
        .find_map(|one| one.trim().strip_prefix("wait="))?;
    Some(Duration::from_secs(wait.parse().ok()?).min(WAIT_MAX))
}

/// What came out, to whoever waited for it.
fn answer(status: &Value) -> Result<Response, Problem> {
    if status["status"] != "completed" {
        let how = status["status"].as_str().unwrap_or_default();
        let why = status["error"].as_str().unwrap_or("it gives no reason");
        return Err(Problem::new(
            StatusCode::BAD_GATEWAY,
            format!("{how}: {why}"),
        ));
    }
    Ok(match &status["output"] {
        Value::Null => StatusCode::NO_CONTENT.into_response(),
        output => Json(output).into_response(),
    })
}

/// All that an element was asked to do and that is not long over, the last first, by action.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}/actions",
    params(("kind" = String, Path), ("id" = String, Path)),
    responses(
        (status = 200, description = "ActionStatus objects by the action's name"),
        (status = 404, description = "There is no such element"),
    )
)]
pub(super) async fn invocations(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let key = key_of(&kind, &id)?;
    let who = api.who().clone();
    let found: Vec<Invocation> = api
        .of_element(&key, move |flow, now, key| {
            let sees = |action: &str| {
                let at = topic(key, Aspect::Action(action));
                flow.may(&who, Deed::Read, &at, now)
                    .is_ok_and(|fields| fields.is_all())
            };
            let all = flow.elements().invocations(key);
            Some(all.filter(|one| sees(&one.action)).cloned().collect())
        })
        .await?;
    let mut by_action = Map::new();
    for invocation in found {
        let id = invocation.id.to_string();
        let here = topic(&key, Aspect::Invocation(&invocation.action, &id));
        let status = with_href(invocation.to_json(), format!("/api/{here}"));
        let of_action = by_action
            .entry(invocation.action)
            .or_insert_with(|| json!([]));
        if let Value::Array(of_action) = of_action {
            of_action.push(status);
        }
    }
    Ok(Json(by_action.into()))
}

/// What became of a request to do something.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}/actions/{name}/{invocation}",
    params(("kind" = String, Path), ("id" = String, Path), ("name" = String, Path), ("invocation" = String, Path)),
    responses(
        (status = 200, description = "An ActionStatus: pending, running, completed, failed, cancelled or expired"),
        (status = 404, description = "Nobody asked for this, or it is long over"),
    )
)]
pub(super) async fn invocation(
    api: Api,
    Path((kind, id, name, invocation)): Path<(String, String, String, String)>,
) -> Result<Json<Value>, Problem> {
    let key = key_of(&kind, &id)?;
    api.may(Deed::Read, &topic(&key, Aspect::Action(&name)))
        .await?;
    let found = api.invocation_of(&key, &name, &invocation).await?;
    let here = format!(
        "/api/{}",
        topic(&key, Aspect::Invocation(&name, &invocation))
    );
    Ok(Json(with_href(found.to_json(), here)))
}

/// A request to do something is not wanted any more.
#[utoipa::path(
    delete,
    path = "/api/{kind}/{id}/actions/{name}/{invocation}",
    params(("kind" = String, Path), ("id" = String, Path), ("name" = String, Path), ("invocation" = String, Path)),
    responses(
        (status = 204, description = "It is cancelled; an element that is at it is told"),
        (status = 404, description = "Nobody asked for this, or it is long over"),
        (status = 409, description = "It is over"),
    )
)]
pub(super) async fn cancel(
    api: Api,
    Path((kind, id, name, invocation)): Path<(String, String, String, String)>,
) -> Result<StatusCode, Problem> {
    let key = key_of(&kind, &id)?;
    let found = api.invocation_of(&key, &name, &invocation).await?;
    api.call_off(&key, &found).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Streams what an element reports of a property, the last value first.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}/properties/{name}/observe",
    params(
        ("kind" = String, Path), ("id" = String, Path), ("name" = String, Path),
        ("unit" = Option<String>, Query, description = "The unit in which numbers and lists of numbers are told; other values are left out"),
    ),
    responses(
        (status = 200, description = "Server-sent events without names: each value", content_type = "text/event-stream"),
        (status = 400, description = "The property cannot be told in this unit"),
        (status = 404, description = "There is no such element"),
    )
)]
pub(super) async fn observe(
    api: Api,
    Path((kind, id, name)): Path<(String, String, String)>,
    Query(told): Query<Told>,
) -> Result<Response, Problem> {
    let key = key_of(&kind, &id)?;
    let conversion = api.conversion(&key, &name, &told).await?;
    let topic = topic(&key, Aspect::Property(&name));
    api.stream(&key, topic, conversion).await
}

/// Streams what an element reports.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}/events/{name}",
    params(("kind" = String, Path), ("id" = String, Path), ("name" = String, Path)),
    responses(
        (status = 200, description = "Server-sent events without names: the data of each event", content_type = "text/event-stream"),
        (status = 404, description = "There is no such element"),
    )
)]
pub(super) async fn events(
    api: Api,
    Path((kind, id, name)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    let key = key_of(&kind, &id)?;
    let topic = topic(&key, Aspect::Event(&name));
    api.stream(&key, topic, None).await
}

/// What was said to elements lately and not taken, with the reasons.
#[utoipa::path(
    get,
    path = "/api/refused",
    responses((status = 200, description = "Who said what where, and what was wrong with it; the last first"))
)]
pub(super) async fn refused(api: Api) -> Result<Json<Value>, Problem> {
    let mut all = Vec::new();
    for lane in 0..api.control.lanes() {
        let here = api
            .control
            .look(lane, |flow, _| {
                flow.elements().refusals().cloned().collect::<Vec<_>>()
            })
            .await?;
        all.extend(here);
    }
    all.sort_by_key(|refusal| std::cmp::Reverse(refusal.at));
    let all: Vec<Value> = all
        .iter()
        .map(|refusal| {
            json!({
                "at": refusal.at.rfc3339(),
                "by": refusal.by,
                "topic": refusal.topic,
                "payload": String::from_utf8_lossy(&refusal.payload),
                "problems": refusal.problems,
            })
        })
        .collect();
    Ok(Json(json!({ "refused": all })))
}

impl Api {
    /// What is retained at a topic.
    pub(super) async fn said_at(&self, at: &str) -> Result<Option<Event>, Ended> {
        let topic = at.to_owned();
        self.control
            .look_home(at, move |flow, now| flow.said_at(&topic, now))
            .await
    }

    /// Asks an element's lane something about it.
    pub(super) async fn of_element<A: Send + 'static>(
        &self,
        key: &str,
        question: impl FnOnce(&mut Flow, Time, &str) -> Option<A> + Send + 'static,
    ) -> Result<A, Problem> {
        let element = key.to_owned();
        self.control
            .look_home(key, move |flow, now| {
                let is_there = flow.elements().has(&element);
                is_there.then(|| question(flow, now, &element)).flatten()
            })
            .await?
            .ok_or_else(|| nobody(key))
    }

    /// Says something to an element if that `may` be. What is on its way to it is waited for, if
    /// it matters whether something changes meanwhile. Gives the event that asks.
    pub(super) async fn ask_element(
        &self,
        key: &str,
        is_conditional: bool,
        said: Said,
        may: impl Fn(&mut Flow, Time, &str) -> Result<(), Problem> + Clone + Send + 'static,
    ) -> Result<EventId, Problem> {
        let make = move |flow: &mut Flow, now, key: &str| {
            may(flow, now, key)?;
            Ok(said.clone())
        };
        self.say_to(key, is_conditional, self.who().clone(), make)
            .await
    }

    /// The same, for what `make` makes of what is known of the element.
    pub(super) async fn say_to(
        &self,
        key: &str,
        is_conditional: bool,
        who: Who,
        make: impl Fn(&mut Flow, Time, &str) -> Result<Said, Problem> + Clone + Send + 'static,
    ) -> Result<EventId, Problem> {
        loop {
            let (element, make) = (key.to_owned(), make.clone());
            let told = self
                .control
                .say_if(who.clone(), key, move |flow, now| {
                    if is_conditional && flow.is_on_its_way(&element) {
                        return Err(Unasked::NotYet);
                    }
                    make(flow, now, &element).map_err(Unasked::Problem)
                })
                .await?;
            match told {
                Ok(told) => return Ok(told.id),
                Err(Unasked::Problem(problem)) => return Err(problem),
                Err(Unasked::NotYet) => self.control.settle(key).await?,
            }
        }
    }

    /// Wants several properties to have values: all of them, or none if one cannot be written so.
    pub(super) async fn write_some(
        &self,
        key: &str,
        values: Vec<(String, Bytes)>,
    ) -> Result<(), Problem> {
        let wanted = values.clone();
        let check = move |flow: &mut Flow, now, key: &str| {
            let affordances = flow.affordances(key, now)?;
            let mut problems = Vec::new();
            for (name, value) in &wanted {
                let checked = check_write(&affordances, name, value);
                problems.extend(checked.err().into_iter().flatten());
            }
            Some(problems)
        };
        let problems = self.of_element(key, check).await?;
        if !problems.is_empty() {
            return Err(Problem::invalid("not written", problems));
        }
        for (name, value) in values {
            let said = request(topic(key, Aspect::Write(&name)), value, None);
            self.control.say(self.who().clone(), said).await??;
        }
        Ok(())
    }

    /// What an element was asked for is not wanted any more.
    pub(super) async fn call_off(&self, key: &str, found: &Invocation) -> Result<(), Problem> {
        let id = found.id;
        // Whoever may ask for it may call it off.
        self.may(Deed::Invoke, &topic(key, Aspect::Action(&found.action)))
            .await?;
        let here = topic(key, Aspect::Invocation(&found.action, &id.to_string()));
        let said = request(here, r#"{"status":"cancelled"}"#, None);
        let who = match self.who().holder() {
            Some(_) => self.as_hub(),
            None => self.who().clone(),
        };
        self.say_to(key, true, who, move |flow, _, key| {
            let known = flow.elements().invocation(key, id);
            match known {
                Some(known) if !known.status.is_over() => Ok(said.clone()),
                _ => Err(Problem::new(StatusCode::CONFLICT, "it is over already")),
            }
        })
        .await?;
        Ok(())
    }

    /// Whether an action is described as one that is over when it is answered.
    pub(super) async fn is_synchronous(&self, key: &str, name: &str) -> Result<bool, Ended> {
        let (element, name) = (key.to_owned(), name.to_owned());
        let ask = move |flow: &mut Flow, now| {
            let affordances = flow.affordances(&element, now);
            let described = affordances.as_ref().and_then(|all| all.action(&name));
            described.is_some_and(|action| action.synchronous == Some(true))
        };
        self.control.look_home(key, ask).await
    }

    /// The last status of an invocation, if it is over before the patience is.
    async fn outcome(&self, at: &str, patience: Duration) -> Result<Option<Value>, Problem> {
        if patience.is_zero() {
            return Ok(None);
        }
        let mut said = self
            .control
            .listen(Who::hub(), vec![at.to_owned()])
            .await??;
        let over = async {
            while let Some(item) = said.recv().await {
                let StreamItem::Event(event) = item else {
                    continue;
                };
                let status: Value = serde_json::from_slice(&event.payload).unwrap_or_default();
                if !matches!(
                    status["status"].as_str(),
                    Some("pending" | "delivered" | "running")
                ) {
                    return Some(status);
                }
            }
            None
        };
        Ok(tokio::time::timeout(patience, over).await.ok().flatten())
    }

    pub(super) async fn invocation(
        &self,
        key: &str,
        id: EventId,
    ) -> Result<Option<Invocation>, Ended> {
        let element = key.to_owned();
        self.control
            .look_home(key, move |flow, _| {
                flow.elements().invocation(&element, id).cloned()
            })
            .await
    }

    async fn invocation_of(&self, key: &str, name: &str, id: &str) -> Result<Invocation, Problem> {
        let missing = || {
            let what = format!("nobody asked `{key}` for {name}/{id}, or it is long over");
            Problem::new(StatusCode::NOT_FOUND, what)
        };
        let id = id.parse().map_err(|_| missing())?;
        let found = self.invocation(key, id).await?;
        found.filter(|one| one.action == name).ok_or_else(missing)
    }

    /// How a property is told in the unit that was asked for, if one was.
    async fn conversion(
        &self,
        key: &str,
        name: &str,
        told: &Told,
    ) -> Result<Option<Conversion>, Problem> {
        let Some(wanted) = told.unit.clone() else {
            return Ok(None);
        };
        let property = name.to_owned();
        let find = move |flow: &mut Flow, now, key: &str| {
            let affordances = flow.affordances(key, now)?;
            let described = affordances.property(&property);
            let unit = described.and_then(|property| property.unit.as_deref());
            Some(Conversion::find(unit, &wanted))
        };
        let found = self.of_element(key, find).await?;
        found.map(Some).map_err(|why| {
            let what = format!("`{name}` cannot be told so: {why}");
            Problem::new(StatusCode::BAD_REQUEST, what)
        })
    }

    async fn stream(
        &self,
        key: &str,
        topic: String,
        conversion: Option<Conversion>,
    ) -> Result<Response, Problem> {
        self.of_element(key, |_, _, _| Some(())).await?;
        let items = self.listen(vec![topic]).await?;
        let events = ReceiverStream::new(items).filter_map(move |item| match item {
            StreamItem::Event(event) => {
                let text = match conversion {
                    None => String::from_utf8_lossy(&event.payload).into_owned(),
                    Some(conversion) => conversion.apply(&value_of(&event.payload))?.to_string(),
                };
                let sse = sse::Event::default().id(event.id.to_string()).data(text);
                Some(Ok::<_, Infallible>(sse))
            }
            StreamItem::Missed(_) => None,
        });
        Ok(Sse::new(events)
            .keep_alive(KeepAlive::default())
            .into_response())
    }

    fn expires(&self, expiry_s: Option<u64>) -> Option<Time> {
        let now = self.control.clock().now();
        expiry_s.map(|s| now.after(Duration::from_secs(s)))
    }
}

/// Why something was not said to an element.
enum Unasked {
    Problem(Problem),
    /// Something else is on its way to it.
    NotYet,
}

impl From<quartet_fabric::mqtt::Fault> for Unasked {
    fn from(fault: quartet_fabric::mqtt::Fault) -> Self {
        Self::Problem(fault.into())
    }
}

/// Something that must reach an element.
pub(super) fn request(topic: String, payload: impl Into<Bytes>, expires: Option<Time>) -> Said {
    Said {
        qos: Qos::AtLeastOnce,
        retain: false,
        expires: expires.unwrap_or(Time::NEVER),
        ..Said::state(topic, payload)
    }
}

/// What changes with a property.
fn etag_of(flow: &Flow, key: &str, name: &str, now: Time) -> Etag {
    let reported = flow.said_at(&topic(key, Aspect::Property(name)), now);
    let desired = flow.elements().desired(key, name);
    Etag::of_both(
        reported.map(|event| event.id),
        desired.map(|wish| wish.revision),
    )
}

/// The names of the properties that an element is described with, or has reported.
pub(super) fn names(flow: &mut Flow, key: &str, now: Time) -> Option<Vec<String>> {
    let affordances = flow.affordances(key, now)?;
    let described = affordances.properties().iter();
    let mut names: Vec<String> = described
        .map(|property| property.name.to_string())
        .collect();
    names.extend(flow.reported(key, now));
    names.sort_unstable();
    names.dedup();
    Some(names)
}

fn with_href(mut status: Value, href: String) -> Value {
    status["href"] = href.into();
    status
}

/// JSON as it is, anything else as text.
pub(super) fn value_of(payload: &[u8]) -> Value {
    serde_json::from_slice(payload)
        .unwrap_or_else(|_| String::from_utf8_lossy(payload).into_owned().into())
}

/// The same, as bytes.
fn json_of(payload: Bytes) -> Bytes {
    match serde_json::from_slice::<serde::de::IgnoredAny>(&payload) {
        Ok(_) => payload,
        Err(_) => value_of(&payload).to_string().into(),
    }
}

/// A refusal of a document.
pub(super) fn invalid(what: &str, invalid: td::Invalid) -> Problem {
    Problem::invalid(what, invalid.0)
}
