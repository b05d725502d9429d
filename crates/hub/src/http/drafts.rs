//! Definitions that nobody deployed yet: looked at, and tried with an event. Nothing is performed.

use std::collections::BTreeMap;

use axum::{Json, http::StatusCode};
use quartet_model::{EventId, Time};
use quartet_people::role::Deed;
use quartet_process::{
    cloud::value_of,
    deployment,
    fast::{self, Act, Attempt, Look, Looked, Outcome, attempt},
    policy::RunAs,
    problem,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, flows::cannot_be_used, problem::Problem, take::Body};
use crate::flow::Flow;

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

/// What is to be tried.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Draft {
    /// The text of the definition.
    definition: String,
    /// A CloudEvent.
    event: Value,
    /// When, as RFC 3339; now if nothing is said.
    at: Option<String>,
    /// What properties are taken to be, by the keys of elements.
    #[serde(default)]
    properties: BTreeMap<String, BTreeMap<String, Value>>,
}

/// What properties are: those that somebody says, and those that were looked at.
struct Known(BTreeMap<(String, String), Looked>);

impl Look for Known {
    fn property(&self, key: &str, name: &str) -> Looked {
        let known = self.0.get(&(key.to_owned(), name.to_owned()));
        known.cloned().unwrap_or(Looked::Elsewhere)
    }

    fn may(&self, _: &Act) -> Result<(), String> {
        Ok(())
    }

    fn may_read(&self, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }
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
    let draft: Draft = serde_json::from_slice(&body).map_err(|error| {
        bad(format!(
            "{error}; there must be a `definition` and an `event`"
        ))
    })?;
    if !draft.event["type"].is_string() {
        return Err(bad(
            "the event has no `type`; write a CloudEvent like {\"type\":\"io.ioe.thing.event\",\"subject\":\"lamp\",\"data\":{\"name\":\"pressed\"}}".to_owned(),
        ));
    }
    let at = match &draft.at {
        None => api.control.clock().now(),
        Some(text) => Time::of_rfc3339(text).ok_or_else(|| {
            bad(format!(
                "`at` is a time like 2026-11-27T08:00:00Z; this is `{text}`"
            ))
        })?,
    };
    let checked = api.looked_at(&draft.definition).await?;
    let checked = checked.map_err(|problems| cannot_be_used("no flow", &problems))?;
    if checked.policy.run != RunAs::Fast {
        return Err(bad(
            "flows that take time cannot be tried yet; fast ones can (`metadata: { run: fast }`)"
                .to_owned(),
        ));
    }
    let flow = fast::Flow::new(checked).map_err(|problems| cannot_be_used("no flow", &problems))?;
    let said = draft.properties.into_iter().flat_map(|(key, all)| {
        let all = all.into_iter();
        all.map(move |(name, value)| ((key.clone(), name), Looked::Is(value)))
    });
    let mut known = Known(said.collect());
    let id = EventId { at, serial: 1 };
    for _ in 0..READ_MAX {
        let tried = attempt(&flow, &draft.event, id, at, &known);
        let Attempt::Started(Outcome::Needs(needs), _) = &tried else {
            return Ok(Json(tried.to_json()));
        };
        for (key, name) in needs {
            let looked = api.look_at(key, name).await?;
            known.0.insert((key.clone(), name.clone()), looked);
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
    /// What a property is, for whoever asks.
    async fn look_at(&self, key: &str, name: &str) -> Result<Looked, Problem> {
        let topic = format!("{key}/properties/{name}");
        let at = topic.clone();
        let who = self.who().clone();
        let look = move |flow: &mut Flow, now: Time| {
            let seen = flow.may(&who, Deed::Read, &at, now).is_ok();
            seen.then(|| flow.seen_at(&who, &at, now)).flatten()
        };
        let seen = self.control.look_home(&topic, look).await?;
        Ok(seen.map_or(Looked::Unknown, |event| {
            Looked::Is(value_of(&event.payload))
        }))
    }
}
