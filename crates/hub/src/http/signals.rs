//! Signals: what is to be made of what elements report, and why they are as they are.

use axum::{Json, http::StatusCode};
use quartet_model::{Said, Time};
use quartet_people::relation::HUB;
use quartet_process::{
    names,
    signal::{Name, Signal, Whom},
    signals::{self, Deployment},
};
use serde_json::{Value, json};

use super::{
    Api,
    elements::key_of,
    flows::{cannot_be_used, told_warnings},
    problem::Problem,
    take::{Body, Path},
};
use crate::flow::Flow;

/// Elements of one lane that are told of.
const ELEMENTS_MAX: usize = 100;

/// All signals that whoever asks decides about.
#[utoipa::path(
    get,
    path = "/api/signals",
    responses((status = 200, description = "`signals`, by name: each with its `definition` and `title`"))
)]
pub(super) async fn list(api: Api) -> Result<Json<Value>, Problem> {
    let mut shown = Vec::new();
    for (name, signal, definition) in api.signals().await? {
        if api.may_define(&signal).await.is_ok() {
            let title = signal.title();
            shown.push(json!({ "name": name, "title": title, "definition": definition }));
        }
    }
    Ok(Json(json!({ "signals": shown })))
}

/// Defines signals.
#[utoipa::path(
    post,
    path = "/api/signals",
    request_body(content = String, description = "`signals`: definitions by name, as YAML or JSON", content_type = "application/yaml"),
    responses(
        (status = 200, description = "They hold, and looked at what is known; `warnings` are told. One whose name was there is replaced, and what was on ends"),
        (status = 400, description = "They cannot be used; each mistake with its line and column"),
        (status = 403, description = "Who defines a signal must manage what it is about: the elements that it names, the place, else the hub"),
    )
)]
pub(super) async fn define(api: Api, Body(body): Body) -> Result<Json<Value>, Problem> {
    let text = std::str::from_utf8(&body).map_err(|error| {
        let what = format!("definitions are text in UTF-8: {error}");
        Problem::new(StatusCode::BAD_REQUEST, what)
    })?;
    let (all, warnings) =
        signals::read(text).map_err(|problems| cannot_be_used("no signals", &problems))?;
    for (signal, _) in &all {
        api.may_define(signal).await?;
    }
    let now = api.control.clock().now();
    let mut names = Vec::new();
    for (signal, definition) in all {
        let deployed = Deployment::new(definition, api.name(), now);
        let said = Said::kept(signals::topic_of(signal.name()), deployed.to_text());
        api.control.say(api.as_hub(), said).await??;
        names.push(signal.name().to_owned());
    }
    let warnings = told_warnings(&warnings);
    Ok(Json(json!({ "signals": names, "warnings": warnings })))
}

/// A signal, and why it is as it is at each element that it is about.
#[utoipa::path(
    get,
    path = "/api/signals/{name}",
    params(("name" = String, Path)),
    responses(
        (status = 200, description = "Its `definition`, and of up to 100 `elements` of each lane whether it is `on`, what it `says` of why, and the `state` that is remembered"),
        (status = 404, description = "There is no such signal"),
    )
)]
pub(super) async fn show(api: Api, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    let (signal, definition) = api.signal(&name).await?;
    let mut elements = Vec::new();
    for lane in 0..api.control.lanes() {
        let name = name.clone();
        let look = move |flow: &mut Flow, now: Time| flow.explain_signal(&name, ELEMENTS_MAX, now);
        elements.extend(api.control.look(lane, look).await?);
    }
    elements.sort_by(|a, b| a["element"].as_str().cmp(&b["element"].as_str()));
    Ok(Json(json!({
        "name": name, "title": signal.title(), "definition": definition, "elements": elements,
    })))
}

/// The signals that are about an element, for whoever may hear of them.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}/signals",
    params(("kind" = String, Path), ("id" = String, Path)),
    responses(
        (status = 200, description = "`signals`: the `name` of each, which its edges have as their type, its `title`, and whether it is `on`"),
        (status = 404, description = "There is no such element"),
    )
)]
pub(super) async fn about(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let key = key_of(&kind, &id)?;
    let who = api.who().clone();
    let about = api
        .of_element(&key, move |flow, now, key| {
            Some(flow.signals_about(&who, key, now))
        })
        .await?;
    let told = about
        .into_iter()
        .map(|(name, title, on)| json!({ "name": name, "title": title, "on": on }));
    Ok(Json(json!({ "signals": told.collect::<Vec<_>>() })))
}

/// Takes a signal back: what was on ends, and nothing is remembered of it.
#[utoipa::path(
    delete,
    path = "/api/signals/{name}",
    params(("name" = String, Path)),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "There is no such signal"),
    )
)]
pub(super) async fn remove(api: Api, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    api.signal(&name).await?;
    let said = Said::kept(signals::topic_of(&name), "");
    api.control.say(api.as_hub(), said).await??;
    Ok(StatusCode::NO_CONTENT)
}

impl Api {
    async fn signals(&self) -> Result<Vec<(String, Signal, Value)>, Problem> {
        let look = |flow: &mut Flow, _| {
            let all = flow.signals().all();
            all.map(|(name, signal, definition)| {
                (name.to_string(), signal.clone(), definition.clone())
            })
            .collect()
        };
        Ok(self.control.look(0, look).await?)
    }

    /// A signal that whoever asks decides about.
    async fn signal(&self, name: &str) -> Result<(Signal, Value), Problem> {
        let all = self.signals().await?.into_iter();
        let mut found = all.filter(|(there, ..)| there == name);
        let Some((_, signal, definition)) = found.next() else {
            let what =
                format!("there is no signal `{name}`; /api/signals lists those that there are");
            return Err(Problem::new(StatusCode::NOT_FOUND, what));
        };
        self.may_define(&signal).await?;
        Ok((signal, definition))
    }

    /// Whether whoever asks decides about all that a signal is about.
    async fn may_define(&self, signal: &Signal) -> Result<(), Problem> {
        let named: Option<Vec<String>> = match signal.of() {
            Whom::Named(all) => all
                .iter()
                .map(|name| match name {
                    Name::Is(name) => names::key_of(name),
                    Name::Fits(..) => None,
                })
                .collect(),
            Whom::In(place) => Some(vec![place.clone()]),
            Whom::Type(_) => None,
        };
        for key in named.unwrap_or_else(|| vec![HUB.to_owned()]) {
            self.must_manage(&key).await?;
        }
        Ok(())
    }
}
