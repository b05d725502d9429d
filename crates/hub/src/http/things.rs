//! Things and what they report. Each thing lives on its home lane.

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde_json::{Map, Value};

use super::{Api, problem::Problem};

fn no_thing(id: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        format!("there is no thing `{id}`; /api/things lists them"),
    )
}

/// The ids of all things.
#[utoipa::path(get, path = "/api/things", responses((status = 200, description = "Thing Descriptions")))]
pub(super) async fn list(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    let mut all = Vec::new();
    for lane in 0..api.control.lanes() {
        let here = api
            .control
            .ask(lane, |flow, _| {
                let things = flow.things();
                things
                    .ids()
                    .filter_map(|id| things.description(id).cloned())
                    .collect::<Vec<_>>()
            })
            .await?;
        all.extend(here);
    }
    Ok(Json(all.into()))
}

/// What a thing is: its Thing Description.
#[utoipa::path(
    get,
    path = "/api/things/{id}",
    params(("id" = String, Path, description = "The thing")),
    responses(
        (status = 200, description = "Its Thing Description", content_type = "application/td+json"),
        (status = 404, description = "There is no such thing"),
    )
)]
pub(super) async fn describe(
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let name = id.clone();
    let description = api
        .control
        .ask_home(&id, move |flow, _| {
            flow.things().description(&name).cloned()
        })
        .await?
        .ok_or_else(|| no_thing(&id))?;
    let kind = [(header::CONTENT_TYPE, "application/td+json")];
    Ok((kind, description.to_string()))
}

/// What a thing last said of all its properties.
#[utoipa::path(
    get,
    path = "/api/things/{id}/properties",
    params(("id" = String, Path, description = "The thing")),
    responses(
        (status = 200, description = "All properties that it reported, by name"),
        (status = 404, description = "There is no such thing"),
    )
)]
pub(super) async fn properties(
    State(api): State<Api>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let name = id.clone();
    let all = api
        .control
        .ask_home(&id, move |flow, _| {
            let things = flow.things();
            things.description(&name)?;
            let values = things.properties(&name);
            Some(
                values
                    .map(|(name, reported)| (name.to_owned(), value_of(&reported.payload)))
                    .collect::<Map<_, _>>(),
            )
        })
        .await?
        .ok_or_else(|| no_thing(&id))?;
    Ok(Json(all.into()))
}

/// What a thing last said of a property.
#[utoipa::path(
    get,
    path = "/api/things/{id}/properties/{name}",
    params(
        ("id" = String, Path, description = "The thing"),
        ("name" = String, Path, description = "The property"),
    ),
    responses(
        (status = 200, description = "The value, as it was reported; `Last-Reported` says when"),
        (status = 404, description = "There is no such thing, or it has not reported it"),
    )
)]
pub(super) async fn property(
    State(api): State<Api>,
    Path((id, name)): Path<(String, String)>,
) -> Result<impl IntoResponse, Problem> {
    let (thing, wanted) = (id.clone(), name.clone());
    let reported = api
        .control
        .ask_home(&id, move |flow, _| {
            flow.things().property(&thing, &wanted).cloned()
        })
        .await?
        .ok_or_else(|| {
            Problem::new(
                StatusCode::NOT_FOUND,
                format!("`{id}` has not reported a property `{name}`"),
            )
        })?;
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
        ("last-reported", reported.at.rfc3339()),
    ];
    Ok((headers, reported.payload))
}

/// JSON as it is, anything else as text.
fn value_of(payload: &[u8]) -> Value {
    serde_json::from_slice(payload)
        .unwrap_or_else(|_| String::from_utf8_lossy(payload).into_owned().into())
}
