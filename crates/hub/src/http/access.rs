//! May she, and why? Who sees what about me? What may I?

use std::sync::Arc;

use axum::{Json, http::StatusCode};
use quartet_model::Time;
use quartet_people::{
    graph::{Explanation, Link, Question},
    relation::Sort,
    role::{Deed, part_of_name},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    elements::key_of,
    problem::Problem,
    take::{Path, Query},
};
use crate::flow::{Flow, element_of_name};

/// What is asked.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    who: Option<String>,
    deed: String,
    on: String,
    part: Option<String>,
}

/// Whether somebody may do something, and by which relations, or what is missing.
#[utoipa::path(
    get,
    path = "/api/may",
    params(
        ("who" = Option<String>, Query, description = "Whoever wants to: `people/ana`; oneself if absent"),
        ("deed" = String, Query, description = "read, write, invoke, report or manage"),
        ("on" = String, Query, description = "The element: `things/pump-7`"),
        ("part" = Option<String>, Query, description = "`properties/rate`, `actions/stop`, `events/hot`, or `description`, as is taken if absent"),
    ),
    responses(
        (status = 200, description = "`allowed`; then `path`, `fields` (all if absent) and `until`; or else `missing`: paths that were nearly enough, and what each lacks; and whom to `ask`: persons who can allow it (`who`, and `title` if that may be seen)"),
        (status = 400, description = "There is no such deed, element or part"),
        (status = 403, description = "What others may is for those who manage the element, and the element itself"),
    )
)]
pub(super) async fn may(api: Api, Query(asked): Query<Asked>) -> Result<Json<Value>, Problem> {
    let bad = |what: String| Problem::new(StatusCode::BAD_REQUEST, what);
    let no_element = |name: &str| bad(format!("`{name}` is no element; must be like people/ana"));
    let on = element_of_name(&asked.on).ok_or_else(|| no_element(&asked.on))?;
    let deed = Deed::of_name(&asked.deed).ok_or_else(|| {
        let deeds = Deed::ALL.map(Deed::name).join(", ");
        bad(format!("deed is `{}`; must be one of {deeds}", asked.deed))
    })?;
    let part = asked.part.unwrap_or_else(|| "description".to_owned());
    if part_of_name(&part).is_none() {
        return Err(bad(format!(
            "part is `{part}`; must be description, properties/{{name}}, actions/{{name}} or events/{{name}}"
        )));
    }
    let own = api
        .who()
        .holder()
        .map(|holder| holder.element().to_string());
    let who = match (asked.who, own.clone()) {
        (Some(name), _) => element_of_name(&name).ok_or_else(|| no_element(&name))?,
        (None, Some(own)) => own,
        (None, None) => return Err(bad("say `who`: nobody came in with a name".to_owned())),
    };
    if own.as_ref().is_some_and(|own| *own != who) {
        api.must_be_or_manage(&on).await?;
    }
    let at = on.clone();
    let look = move |flow: &mut Flow, now| {
        let question = Question {
            who: &who,
            deed,
            on: &on,
            part: part_of_name(&part).flatten(),
        };
        let explanation = flow.graph().explain(&question, now);
        let ask = match explanation {
            Explanation::Allowed { .. } => Vec::new(),
            Explanation::Refused(_) => flow.whom_to_ask(&who, &on, now),
        };
        let mut answer = told(explanation);
        answer["who"] = who.as_str().into();
        if who == on && deed != Deed::Manage {
            answer["itself"] = true.into();
            answer["allowed"] = true.into();
        }
        (answer, ask)
    };
    let (mut answer, ask) = api.control.look_home(&at, look).await?;
    if answer["allowed"] == false {
        answer["ask"] = api.called(ask).await?.into();
    }
    Ok(Json(answer))
}

impl Api {
    /// Persons by key, with what they are called as far as whoever asks may see that.
    async fn called(&self, keys: Vec<Arc<str>>) -> Result<Vec<Value>, Problem> {
        let mut all = Vec::new();
        for key in keys {
            let mut told = json!({ "who": &*key });
            let seen = self.seen_at(&key).await?;
            let described = seen.and_then(|event| serde_json::from_slice(&event.payload).ok());
            if let Some(Value::String(title)) = described.map(|mut it: Value| it["title"].take()) {
                told["title"] = title.into();
            }
            all.push(told);
        }
        Ok(all)
    }
}

fn told(explanation: Explanation) -> Value {
    match explanation {
        Explanation::Allowed {
            path,
            fields,
            until,
        } => {
            let mut told = json!({ "allowed": true, "path": links(&path) });
            if !fields.is_all() {
                told["fields"] = fields.iter().collect::<Vec<_>>().into();
            }
            if until != Time::NEVER {
                told["until"] = until.rfc3339().into();
            }
            told
        }
        Explanation::Refused(near) => {
            let near = near.iter();
            let near = near.map(
                |near| json!({ "path": links(&near.path), "lacks": near.missing.to_string() }),
            );
            json!({ "allowed": false, "missing": near.collect::<Vec<_>>() })
        }
    }
}

fn links(path: &[Link]) -> Vec<Value> {
    let told = |link: &Link| {
        let mut told = json!({ "from": link.from, "relation": link.relation, "to": link.to });
        if link.until != Time::NEVER {
            told["until"] = link.until.rfc3339().into();
        }
        told
    };
    path.iter().map(told).collect()
}

/// Who may do what with an element: of a person, who sees what about it, by which relation, until
/// when.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}/access",
    params(("kind" = String, Path), ("id" = String, Path)),
    responses(
        (status = 200, description = "`access`: of each who may something now `who`, by which `role`, its `rights`, the `path` and `until` when"),
        (status = 403, description = "It is for the element itself and for whoever manages it"),
    )
)]
pub(super) async fn access(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let key = key_of(&kind, &id)?;
    api.must_be_or_manage(&key).await?;
    let on = key.clone();
    let look = move |flow: &mut Flow, now| {
        let graph = flow.graph();
        let all = graph.access(&on, now).into_iter().map(|one| {
            let role = one
                .path
                .iter()
                .find(|link| Sort::of(&link.relation) == Sort::Role);
            let role = role.map_or("", |link| &link.relation);
            let mut told = json!({
                "who": &*one.who,
                "role": role,
                "rights": graph.role(role).map(|role| &role.rights),
                "path": links(&one.path),
            });
            if one.until != Time::NEVER {
                told["until"] = one.until.rfc3339().into();
            }
            told
        });
        all.collect::<Vec<_>>()
    };
    let all = api.control.look_home(&key, look).await?;
    Ok(Json(json!({ "access": all })))
}

/// What is wanted to be known of what somebody may.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Reach {
    deed: Option<String>,
}

/// With which elements somebody may do something.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}/reach",
    params(
        ("kind" = String, Path), ("id" = String, Path),
        ("deed" = Option<String>, Query, description = "read, write, invoke, report or manage; read if absent"),
    ),
    responses(
        (status = 200, description = "`everything`, or the `elements` that it may do this with, at least in part"),
        (status = 403, description = "It is for the element itself and for whoever manages it"),
    )
)]
pub(super) async fn reach(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
    Query(wanted): Query<Reach>,
) -> Result<Json<Value>, Problem> {
    let key = key_of(&kind, &id)?;
    api.must_be_or_manage(&key).await?;
    let deed = wanted.deed.as_deref().unwrap_or("read");
    let deed = Deed::of_name(deed).ok_or_else(|| {
        let deeds = Deed::ALL.map(Deed::name).join(", ");
        let what = format!("deed is `{deed}`; must be one of {deeds}");
        Problem::new(StatusCode::BAD_REQUEST, what)
    })?;
    let look = move |flow: &mut Flow, now| {
        let graph = flow.graph();
        match graph.may_all(&key, deed, now).is_allowed() {
            true => json!({ "everything": true }),
            false => json!({ "everything": false, "elements": graph.what_may(&key, deed, now) }),
        }
    };
    Ok(Json(api.control.look(0, look).await?))
}
