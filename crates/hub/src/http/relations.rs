//! Who is related to what: membership, places, duty, consent, and roles at scopes.

use std::{collections::BTreeMap, time::Duration};

use axum::{Json, http::StatusCode};
use quartet_model::{Said, Time};
use quartet_people::{
    relation::{self, HUB, NoRelation, Relation, Relations, Sort},
    role::{Deed, Role, is_built_in, is_name, topic_of as topic_of_role},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_stream::StreamExt;

use super::{
    Api,
    credentials::read,
    elements::key_of,
    lines::Lines,
    problem::Problem,
    take::{Body, Path, Query},
};
use crate::flow::Flow;

/// How long a broken glass stays broken if nobody says, and at most.
const GLASS_S: u64 = 3600;
const GLASS_S_MAX: u64 = 24 * 3600;
/// The longest reason.
const REASON_BYTES_MAX: usize = 1000;

/// The relations from an element.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}/relations",
    params(("kind" = String, Path), ("id" = String, Path)),
    responses(
        (status = 200, description = "`relations`: of each `relation` (`memberOf`, `in`, `onDuty`, `consentsTo` or a role), `to`, and if they apply `from`, `until`, `whileOnDuty`, `while`, `withConsent`, `breakGlass`, `reason`, `by`, `at`"),
        (status = 403, description = "They are for the element itself and for whoever manages it"),
    )
)]
pub(super) async fn list(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let key = key_of(&kind, &id)?;
    api.must_be_or_manage(&key).await?;
    let all = api.relations_of(&key).await?;
    let all: Vec<&Relation> = all.iter().collect();
    Ok(Json(json!({ "relations": all })))
}

/// Relates an element to others. The same relation (`relation`, `to` and `from` alike) is replaced.
#[utoipa::path(
    put,
    path = "/api/{kind}/{id}/relations",
    params(("kind" = String, Path), ("id" = String, Path)),
    request_body(content = Vec<u8>, description = "A relation, or a list of them: `relation`, `to`, and perhaps `from`, `until`, `whileOnDuty`, `while` (the address of a property that must be true), `withConsent` and `breakGlass`"),
    responses(
        (status = 204, description = "It is so, on every connection that is open, too"),
        (status = 400, description = "One is no relation"),
        (status = 403, description = "Who relates must manage what is related to; what is put in a place, too; only oneself consents"),
    )
)]
pub(super) async fn put(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    let key = key_of(&kind, &id)?;
    let new = match serde_json::from_slice::<OneOrMany>(&body) {
        Ok(OneOrMany::One(one)) => vec![*one],
        Ok(OneOrMany::Many(all)) => all,
        Err(_) => {
            // What is wrong is said better of one alone.
            let whole = serde_json::from_slice::<Vec<Relation>>(&body).map(|_| ());
            let one = serde_json::from_slice::<Relation>(&body).map(|_| ());
            let why = if body.trim_ascii_start().starts_with(b"[") {
                whole
            } else {
                one
            };
            return Err(
                NoRelation::Shape(why.err().map_or_else(String::new, |e| e.to_string())).into(),
            );
        }
    };
    api.relate(&key, new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which relations are meant.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Meant {
    relation: String,
    to: String,
    from: Option<String>,
}

/// Takes relations away: all of this name to that element, or the one that begins at `from`.
#[utoipa::path(
    delete,
    path = "/api/{kind}/{id}/relations",
    params(
        ("kind" = String, Path), ("id" = String, Path),
        ("relation" = String, Query), ("to" = String, Query),
        ("from" = Option<String>, Query, description = "Only the one that begins then (RFC 3339)"),
    ),
    responses(
        (status = 204, description = "They are gone, on every connection that is open, too"),
        (status = 404, description = "There is none"),
        (status = 409, description = "Nobody would own the hub"),
    )
)]
pub(super) async fn remove(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
    Query(meant): Query<Meant>,
) -> Result<StatusCode, Problem> {
    let key = key_of(&kind, &id)?;
    let from = match meant.from.as_deref().map(Time::of_rfc3339) {
        Some(None) => {
            let what = "from must be a time of RFC 3339, such as 2026-11-26T18:00:00Z";
            return Err(Problem::new(StatusCode::BAD_REQUEST, what));
        }
        Some(from) => from,
        None => None,
    };
    let one = Relation::new(&meant.relation, &meant.to);
    api.may_relate(&key, &one, true).await?;
    api.change_relations(&key, move |key, all, _| {
        let is_meant = |there: &Relation| {
            there.relation == one.relation
                && there.to == one.to
                && from.is_none_or(|from| there.from == from)
        };
        match all.remove(is_meant).is_empty() {
            false => Ok(()),
            true => {
                let what = format!("`{key}` is not {} `{}`", one.relation, one.to);
                Err(Problem::new(StatusCode::NOT_FOUND, what))
            }
        }
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Elements whose relations are taken in at the same time: what they say is safe together.
const AT_ONCE: usize = 256;
/// The most refusals that are told one by one.
const PROBLEMS_MAX: usize = 1000;
/// The most lines of one import.
const LINES_MAX: u64 = 1_000_000;

/// Takes in many relations, one a line.
#[utoipa::path(
    post,
    path = "/api/relations",
    request_body(content = String, description = "A relation with `of`, the element that it is from, a line; up to 1,000,000 lines", content_type = "application/x-ndjson"),
    responses(
        (status = 200, description = "How many were `related` and `refused`; all of an element or none, and of the first 1,000 that were refused the `line` and why"),
        (status = 413, description = "A line, or the whole, is too long; nothing was taken in"),
    )
)]
pub(super) async fn import(api: Api, body: axum::body::Body) -> Result<Json<Value>, Problem> {
    let mut by_element: BTreeMap<String, Vec<(u64, Relation)>> = BTreeMap::new();
    let mut taken_in = TakenIn::default();
    let mut lines = Lines::default();
    let mut parts = body.into_data_stream();
    loop {
        let part = parts.next().await;
        let is_end = part.is_none();
        part.map_or(Ok(()), |part| lines.push(part))?;
        while let Some((number, line)) = lines.next(is_end) {
            if LINES_MAX < number {
                let what = format!("more than {LINES_MAX} lines; import them in parts");
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, what));
            }
            match read_line(&line) {
                Ok((of, relation)) => by_element.entry(of).or_default().push((number, relation)),
                Err(why) => taken_in.refuse(number, &why),
            }
        }
        if is_end {
            break;
        }
    }
    let mut waiting = tokio::task::JoinSet::new();
    for (of, lines) in by_element {
        if AT_ONCE <= waiting.len() {
            taken_in.take(waiting.join_next().await);
        }
        let api = api.clone();
        waiting.spawn(async move {
            let (numbers, all): (Vec<u64>, Vec<Relation>) = lines.into_iter().unzip();
            (numbers, api.relate(&of, all).await)
        });
    }
    while let Some(one) = waiting.join_next().await {
        taken_in.take(Some(one));
    }
    Ok(Json(taken_in.to_json()))
}

/// What became of the lines of an import.
#[derive(Default)]
struct TakenIn {
    related: usize,
    refused: usize,
    problems: Vec<(u64, String)>,
}

type Related = Result<(Vec<u64>, Result<(), Problem>), tokio::task::JoinError>;

impl TakenIn {
    fn refuse(&mut self, line: u64, why: &str) {
        self.refused += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push((line, why.to_owned()));
        }
    }

    fn take(&mut self, one: Option<Related>) {
        match one {
            Some(Ok((lines, Ok(())))) => self.related += lines.len(),
            Some(Ok((lines, Err(problem)))) => {
                lines
                    .iter()
                    .for_each(|&line| self.refuse(line, problem.detail()));
            }
            Some(Err(_)) | None => {}
        }
    }

    fn to_json(&self) -> Value {
        let mut problems = self.problems.clone();
        problems.sort_unstable();
        let told = |(line, why): &(u64, String)| json!({ "line": line, "detail": why });
        let problems: Vec<Value> = problems.iter().map(told).collect();
        json!({ "related": self.related, "refused": self.refused, "problems": problems })
    }
}

fn read_line(line: &[u8]) -> Result<(String, Relation), String> {
    let mut value: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let of = value
        .as_object_mut()
        .and_then(|members| members.remove("of"));
    let of = of.as_ref().and_then(Value::as_str);
    let of = of.ok_or("`of` must name the element that the relation is from, like people/ana")?;
    let of = crate::flow::element_of_name(of).ok_or_else(|| format!("`{of}` is no element"))?;
    let relation: Relation = serde_json::from_value(value).map_err(|error| error.to_string())?;
    relation.check(&of).map_err(|why| why.to_string())?;
    Ok((of, relation))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Box<Relation>),
    Many(Vec<Relation>),
}

/// The roles that there are.
#[utoipa::path(
    get,
    path = "/api/roles",
    responses((status = 200, description = "`roles`: by name what each allows; `builtIn`: those that cannot be changed"))
)]
pub(super) async fn roles(api: Api) -> Result<Json<Value>, Problem> {
    let look = |flow: &mut Flow, _| {
        let all = flow.graph().roles();
        let all = all.map(|(name, role)| (name.to_owned(), json!(**role)));
        all.collect::<serde_json::Map<_, _>>()
    };
    let all = api.control.look(0, look).await?;
    let built_in: Vec<&str> = all
        .keys()
        .map(|name| &**name)
        .filter(|name| is_built_in(name))
        .collect();
    Ok(Json(json!({ "builtIn": built_in, "roles": all })))
}

/// What a role allows.
#[utoipa::path(
    get,
    path = "/api/roles/{name}",
    params(("name" = String, Path)),
    responses((status = 200, description = "`rights`, and perhaps a `title`"), (status = 404, description = "There is no such role"))
)]
pub(super) async fn role(api: Api, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    let wanted = name.clone();
    let look = move |flow: &mut Flow, _| flow.graph().role(&wanted).map(|role| json!(**role));
    let found = api.control.look(0, look).await?;
    found.map(Json).ok_or_else(|| no_role(&name))
}

/// Says what a role allows.
#[utoipa::path(
    put,
    path = "/api/roles/{name}",
    params(("name" = String, Path)),
    request_body(content = Vec<u8>, description = "`rights`: each with `may` (of `read`, `write`, `invoke`, `report`, `manage`), and perhaps `on` (`*`, `description`, `properties/*`, `properties/rate`…), `of` (`things`, `people`…), `fields` (JSON pointers); or `topics` in place of these. Perhaps a `title`"),
    responses(
        (status = 204, description = "Whoever has this role may do that from now on"),
        (status = 400, description = "It is no role"),
        (status = 409, description = "It is built in"),
    )
)]
pub(super) async fn put_role(
    api: Api,
    Path(name): Path<String>,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    check_role_name(&name)?;
    let role = Role::read(&body)
        .map_err(|why| Problem::new(StatusCode::BAD_REQUEST, format!("role `{name}`: {why}")))?;
    let said = Said::kept(topic_of_role(&name), role.text());
    api.control.say(api.as_hub(), said).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// A role is no more: whoever has it may do nothing by it.
#[utoipa::path(
    delete,
    path = "/api/roles/{name}",
    params(("name" = String, Path)),
    responses(
        (status = 204, description = "It allows nothing any more"),
        (status = 404, description = "There is no such role"),
        (status = 409, description = "It is built in"),
    )
)]
pub(super) async fn remove_role(api: Api, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    check_role_name(&name)?;
    let wanted = name.clone();
    let look = move |flow: &mut Flow, _| flow.graph().role(&wanted).is_some();
    if !api.control.look(0, look).await? {
        return Err(no_role(&name));
    }
    let said = Said::kept(topic_of_role(&name), "");
    api.control.say(api.as_hub(), said).await??;
    Ok(StatusCode::NO_CONTENT)
}

fn check_role_name(name: &str) -> Result<(), Problem> {
    if is_built_in(name) {
        let what = format!("`{name}` is built in; give another role another name");
        return Err(Problem::new(StatusCode::CONFLICT, what));
    }
    match is_name(name) && Sort::of(name) == Sort::Role {
        true => Ok(()),
        false => Err(NoRelation::Name(name.to_owned()).into()),
    }
}

fn no_role(name: &str) -> Problem {
    let what = format!("there is no role `{name}`; /api/roles lists those that there are");
    Problem::new(StatusCode::NOT_FOUND, what)
}

/// Why somebody breaks the glass.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Breaking {
    reason: String,
    role: Option<String>,
    for_s: Option<u64>,
}

/// Breaks the glass at a place, a thing or a person: a role that was given with `breakGlass` holds for a
/// while. Those who look after the hub are told.
#[utoipa::path(
    post,
    path = "/api/{kind}/{id}/glass",
    params(("kind" = String, Path), ("id" = String, Path)),
    request_body(content = Vec<u8>, description = "`reason`, which is told and kept; perhaps which `role`, and `for_s` (3600 if absent, 86400 at most)"),
    responses(
        (status = 201, description = "The role holds `until`; `places/hub/events/glassBroken` tells of it"),
        (status = 400, description = "There is no reason"),
        (status = 403, description = "There is no glass here for whoever asks"),
    )
)]
pub(super) async fn break_glass(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
    Body(body): Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let bad = |what: String| Problem::new(StatusCode::BAD_REQUEST, what);
    let scope = key_of(&kind, &id)?;
    let wanted: Breaking = read(&body, "reason, and perhaps role and for_s")?;
    let reason = wanted.reason.trim().to_owned();
    if reason.len() < 3 || REASON_BYTES_MAX < reason.len() {
        return Err(bad(format!(
            "say why, in 3 to {REASON_BYTES_MAX} bytes: `reason` is told to those who look after the hub"
        )));
    }
    let for_s = wanted.for_s.unwrap_or(GLASS_S);
    if for_s == 0 || GLASS_S_MAX < for_s {
        return Err(bad(format!(
            "for_s is {for_s}; must be from 1 to {GLASS_S_MAX}"
        )));
    }
    let Some(holder) = api.who().holder().cloned() else {
        let what = "only somebody with a name can break a glass";
        return Err(Problem::new(StatusCode::FORBIDDEN, what));
    };
    let who = holder.element().to_string();
    let (element, at) = (who.clone(), scope.clone());
    let look = move |flow: &mut Flow, now| flow.graph().glasses(&element, &at, now);
    let glasses = api.control.look(0, look).await?;
    let role = match &wanted.role {
        Some(role) => glasses.iter().find(|there| **there == **role),
        None => glasses.first(),
    };
    let Some(role) = role else {
        let what = match glasses.is_empty() {
            true => format!("{who} has no role at {scope} that holds once a glass is broken"),
            false => format!(
                "the roles of {who} at {scope} with a glass are {}",
                glasses.join(", ")
            ),
        };
        return Err(Problem::new(StatusCode::FORBIDDEN, what));
    };
    let now = api.control.clock().now();
    let until = now.after(Duration::from_secs(for_s));
    let relation = Relation {
        from: now,
        until,
        reason: Some(reason.clone()),
        by: Some(who.clone()),
        at: now,
        ..Relation::new(role, &scope)
    };
    let told = json!({
        "who": who, "role": role, "at": scope, "reason": reason, "until": until.rfc3339(),
    });
    api.change_relations(&who, move |key, all, now| {
        Ok(all.put(key, std::slice::from_ref(&relation), now)?)
    })
    .await?;
    let mut said = Said::kept(format!("{HUB}/events/glassBroken"), told.to_string());
    said.retain = false;
    api.control.say(api.as_hub(), said).await??;
    Ok((StatusCode::CREATED, Json(told)))
}

impl From<NoRelation> for Problem {
    fn from(why: NoRelation) -> Self {
        let status = match why {
            NoRelation::TooMany(..) => StatusCode::CONFLICT,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, why.to_string())
    }
}

impl Api {
    /// The relations from an element.
    pub(super) async fn relations_of(&self, key: &str) -> Result<Relations, Problem> {
        let topic = relation::topic_of(key);
        let at = topic.clone();
        let look = move |flow: &mut Flow, now| flow.said_at(&at, now);
        let kept = self.control.look_home(&topic, look).await?;
        let kept = kept.map(|event| Relations::read(&event.payload));
        Ok(kept.and_then(Result::ok).unwrap_or_default())
    }

    /// Relates an element to others, if whoever asks may.
    pub(super) async fn relate(&self, key: &str, mut new: Vec<Relation>) -> Result<(), Problem> {
        let now = self.control.clock().now();
        for one in &mut new {
            one.check(key)?;
            self.may_relate(key, one, false).await?;
            one.by = Some(self.name());
            one.at = now;
            one.reason = None;
            one.provider = None;
        }
        self.change_relations(key, move |key, all, now| Ok(all.put(key, &new, now)?))
            .await
    }

    /// Changes the relations from an element as a whole.
    pub(super) async fn change_relations(
        &self,
        key: &str,
        change: impl Fn(&str, &mut Relations, Time) -> Result<(), Problem> + Clone + Send + 'static,
    ) -> Result<(), Problem> {
        let topic = relation::topic_of(key);
        let element = key.to_owned();
        let make = move |flow: &mut Flow, now, topic: &str| {
            let kept = flow.said_at(topic, now);
            let kept = kept.map(|event| Relations::read(&event.payload));
            // What cannot be read gave no rights; it is not overwritten without being seen.
            let mut all = kept.transpose()?.unwrap_or_default();
            let owned = owns(&all);
            change(&element, &mut all, now)?;
            if owned && !owns(&all) && flow.graph().owners() <= 1 {
                return Err(last_owner(&element));
            }
            Ok(Said::kept(topic.to_owned(), all.text()))
        };
        self.say_to(&topic, true, self.as_hub(), make).await?;
        Ok(())
    }

    /// That the hub has an owner without this element.
    pub(super) async fn must_not_be_last_owner(&self, key: &str) -> Result<(), Problem> {
        if !owns(&self.relations_of(key).await?) {
            return Ok(());
        }
        let look = |flow: &mut Flow, _| flow.graph().owners();
        match self.control.look_home(key, look).await? {
            0 | 1 => Err(last_owner(key)),
            _ => Ok(()),
        }
    }

    /// The same without those whom a directory suspended, and without programs: somebody must be
    /// there who can come in and decide.
    pub(super) async fn must_leave_an_owner(&self, key: &str) -> Result<(), Problem> {
        if !owns(&self.relations_of(key).await?) {
            return Ok(());
        }
        let look = |flow: &mut Flow, _| {
            let owners = flow.graph().owner_keys().cloned();
            owners.collect::<Vec<_>>()
        };
        for owner in self.control.look_home(key, look).await? {
            let is_another = *owner != *key && owner.starts_with("people/");
            if is_another && !self.credentials_of(&owner).await?.are_suspended() {
                return Ok(());
            }
        }
        Err(last_owner(key))
    }

    /// An element was forgotten: it is related to nothing any more.
    pub(super) async fn forget_relations(&self, key: &str) -> Result<(), Problem> {
        if self.relations_of(key).await? != Relations::default() {
            self.change_relations(key, |_, all, _| {
                all.remove(|_| true);
                Ok(())
            })
            .await?;
        }
        // That they were taken was told; nothing is kept of who is not there.
        let topic = relation::topic_of(key);
        let at = topic.clone();
        let look = move |flow: &mut Flow, now| flow.said_at(&at, now).is_some();
        if self.control.look_home(&topic, look).await? {
            self.change_relations(key, |_, _, _| Ok(())).await?;
        }
        Ok(())
    }

    /// Whether whoever asks may make or take away a relation from an element.
    async fn may_relate(&self, key: &str, one: &Relation, is_removal: bool) -> Result<(), Problem> {
        let Some(holder) = self.who().holder() else {
            return Ok(());
        };
        let is_itself = **holder.element() == *key;
        let sort = Sort::of(&one.relation);
        if sort == Sort::ConsentsTo {
            return match is_itself {
                true => Ok(()),
                false => {
                    let what = format!("only {key} itself says to what it consents");
                    Err(Problem::new(StatusCode::FORBIDDEN, what))
                }
            };
        }
        // One may always give up what one has, but not leave the place that one is in.
        if is_removal && is_itself && sort != Sort::In {
            return Ok(());
        }
        if sort == Sort::In {
            self.must_manage(key).await?;
        }
        self.must_manage(&one.to).await
    }

    /// That somebody decides about an element; to be it is not enough.
    pub(super) async fn must_manage(&self, key: &str) -> Result<(), Problem> {
        self.may(Deed::Manage, &format!("{key}/relations")).await?;
        Ok(())
    }

    /// That somebody is an element, or decides about it.
    pub(super) async fn must_be_or_manage(&self, key: &str) -> Result<(), Problem> {
        match self.who().holder() {
            Some(holder) if **holder.element() != *key => self.must_manage(key).await,
            _ => Ok(()),
        }
    }
}

fn last_owner(key: &str) -> Problem {
    let what = format!("`{key}` is the only owner of the hub; make another one first");
    Problem::new(StatusCode::CONFLICT, what)
}

/// Whether there is an owner of the hub among relations, without an end and conditions.
fn owns(all: &Relations) -> bool {
    let mut all = all.iter();
    all.any(|one| {
        *one == Relation {
            by: one.by.clone(),
            at: one.at,
            ..Relation::new("owner", HUB)
        }
    })
}
