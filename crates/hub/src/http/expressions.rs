//! Expressions, tried while somebody writes them.

use std::sync::Arc;

use axum::{Json, http::StatusCode};
use quartet_process::expr::Question;
use serde_json::{Value, json};

use super::{Api, problem::Problem, take::Body};
use crate::shell::jq::{Asked, NoAnswer};

/// So many may wait for the one who computes.
pub(super) const WAITING_MAX: usize = 8;

/// What an expression gives for a value, and whether fast flows and signals may use it.
#[utoipa::path(
    post,
    path = "/api/expressions",
    request_body(content = Value, description = "`expression`, in jq, with or without `${ }`; `input`, what it looks at; `names`, what it may name, without `$`; `now`, a time", content_type = "application/json"),
    responses(
        (status = 200, description = "`value`, or `error` and the `column` of what is wrong; `isFast`: whether it is known to end, or else what is `beyond` that; `parts` with their values"),
        (status = 400, description = "It is no question"),
        (status = 503, description = "Many ask at once"),
    )
)]
pub(super) async fn try_one(api: Api, Body(body): Body) -> Result<Json<Value>, Problem> {
    let question: Question = serde_json::from_slice(&body).map_err(|error| {
        let what = format!(
            "{error}; write something like {{\"expression\": \".value > 20\", \"input\": {{\"value\": 21}}}}"
        );
        Problem::new(StatusCode::BAD_REQUEST, what)
    })?;
    match api.ask_worker(Asked::Expression(question)).await? {
        Ok(answer) => Ok(Json(answer)),
        // It is an answer to whoever writes the expression.
        Err(why) => Ok(Json(json!({ "error": why.to_string(), "isFast": false }))),
    }
}

impl Api {
    /// Asks who computes what may never end; the outer refusal is that nobody can be asked now.
    pub(super) async fn ask_worker(
        &self,
        asked: Asked,
    ) -> Result<Result<Value, NoAnswer>, Problem> {
        let Ok(_turn) = Arc::clone(&self.expressions.turns).try_acquire_owned() else {
            let what = "others try something as well; try again in a second";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, what));
        };
        let expressions = Arc::clone(&self.expressions);
        let answer = tokio::task::spawn_blocking(move || expressions.jq.ask(&asked));
        match answer.await.unwrap_or(Err(NoAnswer::Died)) {
            Err(NoAnswer::Worker(why)) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, why)),
            answer => Ok(answer),
        }
    }
}
