//! Definitions that nobody deployed yet: looked at, and tried with an event. Nothing is performed.

use axum::{Json, http::StatusCode};
use quartet_model::Time;
use quartet_people::role::Deed;
use quartet_process::{
    cloud::value_of,
    deployment,
    fast::{self, Draft},
    policy::RunAs,
    problem,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, flows::cannot_be_used, problem::Problem, take::Body};
use crate::{flow::Flow, shell::jq::Asked};

/// Looks for mistakes in a definition; this hub's elements are known.
#[utoipa::path(
    post,
    path = "/api/drafts/check",
    request_body(content = String, description = "A definition in the Open Workflow DSL 1.0, as YAML or JSON", content_type = "application/yaml"),
    responses(
        (status = 200, description = "`isGood`: whether it can be used; its `name`, if so; `problems`, each with `line`, `column`, `isError` and `what`"),
    )
)]
pub(super) async fn check(api: Api, Body(body): Body) -> Result<Json<Value>, Problem> {
    let checked = api.looked_at(&text_of(&body)?).await?;
    let told = |problem: &problem::Problem| {
        let place = problem.place;
        json!({
            "line": place.line,
            "column": place.column,
            "isError": problem.is_error(),
            "what": problem.what,
        })
    };
    Ok(Json(match &checked {
        Ok(checked) => json!({
            "isGood": true,
            "name": deployment::name(checked),
            "problems": checked.warnings.iter().map(told).collect::<Vec<_>>(),
        }),
        Err(problems) => json!({
            "isGood": false,
            "problems": problems.iter().map(told).collect::<Vec<_>>(),
        }),
    }))
}

/// So often a run begins anew because it reads something else.
const READ_MAX: usize = 32;

/// Shows a definition an event, and tells what it would do. What it reads is read, as far as
/// whoever asks may see it; what the flow itself may is not looked at.
#[utoipa::path(
    post,
    path = "/api/drafts/try",
    request_body(content = Value, description = "`definition`, its text; `event`, a CloudEvent; `at`, when; `properties`, what is taken to be so, by the keys of elements", content_type = "application/json"),
    responses(
        (status = 200, description = "`would`: the `steps` of the run with what each gave, its `output` and what it would have `did`, or why it `failed`; or `missed`: for each filter `why` the event does not start it, and the `values` of what was asked"),
        (status = 400, description = "It cannot be used; each mistake with its line and column"),
    )
)]
pub(super) async fn try_one(api: Api, Body(body): Body) -> Result<Json<Value>, Problem> {
    let bad = |what: String| Problem::new(StatusCode::BAD_REQUEST, what);
    let mut draft: Draft = serde_json::from_slice(&body).map_err(|error| {
        bad(format!(
            "{error}; there must be a `definition` and an `event`"
        ))
    })?;
    if !draft.event["type"].is_string() {
        return Err(bad(
            "the event has no `type`; write a CloudEvent like {\"type\":\"io.ioe.thing.event\",\"subject\":\"lamp\",\"data\":{\"name\":\"pressed\"}}".to_owned(),
        ));
    }
    match &draft.at {
        None => draft.at = Some(api.control.clock().now().rfc3339()),
        Some(text) if Time::of_rfc3339(text).is_none() => {
            return Err(bad(format!(
                "`at` is a time like 2026-11-27T08:00:00Z; this is `{text}`"
            )));
        }
        Some(_) => {}
    }
    let checked = api.looked_at(&draft.definition).await?;
    let checked = checked.map_err(|problems| cannot_be_used("no flow", &problems))?;
    if checked.policy.run != RunAs::Fast {
        return Err(bad(
            "flows that take time cannot be tried yet; fast ones can (`metadata: { run: fast }`)"
                .to_owned(),
        ));
    }
    // What is wrong with it beside its shape.
    fast::Flow::new(checked).map_err(|problems| cannot_be_used("no flow", &problems))?;
    for _ in 0..READ_MAX {
        let answer = api.ask_worker(Asked::Draft(draft.clone())).await?;
        let answer = answer.map_err(|why| bad(why.to_string()))?;
        if let Some(error) = answer["error"].as_str() {
            return Err(bad(error.to_owned()));
        }
        let Ok(needs) = Vec::<(String, String)>::deserialize(&answer["needs"]) else {
            return Ok(Json(answer));
        };
        for (key, name) in needs {
            let value = api.look_at(&key, &name).await?;
            draft.properties.entry(key).or_default().insert(name, value);
        }
    }
    Err(bad(format!("it reads more than {READ_MAX} times")))
}

fn text_of(body: &[u8]) -> Result<String, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let what = format!("a definition is text in UTF-8: {error}");
        Problem::new(StatusCode::BAD_REQUEST, what)
    })?;
    Ok(text.to_owned())
}

impl Api {
    /// What a property is, for whoever asks; null if it was never said, or may not be seen.
    async fn look_at(&self, key: &str, name: &str) -> Result<Value, Problem> {
        let topic = format!("{key}/properties/{name}");
        let at = topic.clone();
        let who = self.who().clone();
        let look = move |flow: &mut Flow, now: Time| {
            let seen = flow.may(&who, Deed::Read, &at, now).is_ok();
            seen.then(|| flow.seen_at(&who, &at, now)).flatten()
        };
        let seen = self.control.look_home(&topic, look).await?;
        Ok(seen.map_or(Value::Null, |event| value_of(&event.payload)))
    }
}
