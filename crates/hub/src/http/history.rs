//! What became otherwise at an element, and by whom: from the history, a moment behind.

use axum::Json;
use quartet_model::Aspect;
use quartet_people::role::Deed;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Api,
    elements::{key_of, topic},
    lists::{before, limit},
    problem::Problem,
    take::{Path, Query},
};
use crate::{flow::Flow, views::Change};

/// Which changes are wanted.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    name: Option<String>,
    limit: Option<u32>,
    before: Option<String>,
}

/// What became otherwise at an element, the last first: how it is described, what was wanted of it,
/// what it was asked to do and what became of that, what it comes in with, and who is behind it.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}/history",
    params(
        ("kind" = String, Path), ("id" = String, Path),
        ("name" = Option<String>, Query, description = "Of this property or action only"),
        ("limit" = Option<u32>, Query, description = "How many at most: 1 to 1000, 100 if absent"),
        ("before" = Option<String>, Query, description = "Those before this event: `next` of the page before"),
    ),
    responses(
        (status = 200, description = "`changes` (`at`, `by`, `what`: `described`, `forgotten`, `wanted`, `asked`, `admitted` or `related`; with `name`, `request`, `status`, `value` and `why` as they apply), `next` if there are more, and `as_of`: all that was safe then is in it"),
        (status = 400, description = "An option is not valid"),
        (status = 404, description = "There is no such kind of element"),
        (status = 503, description = "There is no history now, with the reason"),
    )
)]
pub(super) async fn changes(
    api: Api,
    Path((kind, id)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Problem> {
    let key = key_of(&kind, &id)?;
    let element = key.clone();
    let limit = limit(wanted.limit)?;
    let before = before(wanted.before.as_deref())?;
    let question =
        move |db: &_| Change::of_element(db, &key, wanted.name.as_deref(), before, limit);
    let (as_of, (found, has_more)) = api.views.ask_history(question).await?;
    let next = found.last().filter(|_| has_more);
    let next = next.map(|last| json!(last.event.to_string()));
    let found = api.changes_seen(&element, found).await?;
    let found = found.into_iter().map(json_of).collect();
    Ok(api.list("changes", found, next, as_of))
}

impl Api {
    /// Those of the changes at an element that whoever asks may know of.
    async fn changes_seen(&self, key: &str, found: Vec<Change>) -> Result<Vec<Change>, Problem> {
        if self.who().holder().is_none() {
            return Ok(found);
        }
        let (who, element) = (self.who().clone(), key.to_owned());
        let look = move |flow: &mut Flow, now| {
            let sees = |change: &Change| {
                let name = change.name.as_deref().unwrap_or_default();
                let (deed, at) = match &*change.what {
                    "wanted" => (Deed::Read, topic(&element, Aspect::Property(name))),
                    "asked" => (Deed::Read, topic(&element, Aspect::Action(name))),
                    "admitted" => (Deed::Manage, format!("{element}/credentials")),
                    "related" => (Deed::Manage, format!("{element}/relations")),
                    _ => (Deed::Read, element.clone()),
                };
                let fields = flow.may(&who, deed, &at, now);
                fields.is_ok_and(|fields| fields.is_all())
            };
            found.into_iter().filter(sees).collect()
        };
        Ok(self.control.look_home(key, look).await?)
    }
}

fn json_of(change: Change) -> Value {
    let mut json = Map::new();
    json.insert("at".to_owned(), change.event.at.rfc3339().into());
    json.insert("by".to_owned(), change.by.into());
    json.insert("what".to_owned(), change.what.into());
    let texts = [
        ("name", change.name),
        ("request", change.request),
        ("status", change.status),
        ("why", change.why),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            json.insert(name.to_owned(), text.into());
        }
    }
    if let Some(value) = change.value {
        json.insert("value".to_owned(), value);
    }
    json.insert("event".to_owned(), change.event.to_string().into());
    json.into()
}
