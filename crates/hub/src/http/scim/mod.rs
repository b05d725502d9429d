//! People and teams that a directory provisions (SCIM 2.0, RFC 7644): `/scim/v2`.
//!
//! Whoever provisions is an element with the relation `provisioner` to `places/hub`. It sees and
//! changes what it provisioned itself, and nothing else. What SCIM is says `people::scim`.

mod answer; // what a directory is told
mod groups; // teams, and who is in them
mod kept; // what is kept of what a directory said
mod list; // which of them, and what of them
mod users; // persons, and whether they may come in

use axum::{
    Router,
    extract::ConnectInfo,
    http::HeaderMap,
    routing::{any, get, post},
};
use quartet_model::Time;
use quartet_people::{
    relation::HUB,
    scim::{
        ScimError,
        provisioned::PROVISIONER,
        schema::{ENTERPRISE, GROUP, Schema, USER},
        urn,
    },
};
use serde_json::{Value, json};

use self::answer::{Answer, Wrong};
use super::{
    Api,
    serve::Caller,
    take::{Body, Path},
};
use crate::flow::Who;

/// Most that one answer shows.
const SHOWN_MAX: usize = 1000;

/// All of it, as part of the API.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/scim/v2/ServiceProviderConfig", get(config))
        .route("/scim/v2/ResourceTypes", get(types))
        .route("/scim/v2/ResourceTypes/{name}", get(kind))
        .route("/scim/v2/Schemas", get(schemas))
        .route("/scim/v2/Schemas/{id}", get(schema))
        .route("/scim/v2/.search", post(search))
        .route("/scim/{*path}", any(unknown))
        .route("/scim/v2/Users", get(users::list).post(users::create))
        .route("/scim/v2/Users/.search", post(users::search))
        .route(
            "/scim/v2/Users/{id}",
            get(users::show)
                .put(users::replace)
                .patch(users::change)
                .delete(users::remove),
        )
        .route("/scim/v2/Groups", get(groups::list).post(groups::create))
        .route("/scim/v2/Groups/.search", post(groups::search))
        .route(
            "/scim/v2/Groups/{id}",
            get(groups::show)
                .put(groups::replace)
                .patch(groups::change)
                .delete(groups::remove),
        )
}

/// What is possible here (RFC 7643, section 5).
async fn config(api: Api) -> Result<Answer, Wrong> {
    api.provider().await?;
    Ok(Answer::ok(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": SHOWN_MAX },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Token of the program that provisions",
            "description": "Authorization: Bearer {token}",
            "primary": true,
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": "/scim/v2/ServiceProviderConfig" },
    })))
}

const TYPES: [(&str, &str, &Schema); 2] = [("User", "/Users", &USER), ("Group", "/Groups", &GROUP)];

fn type_of((name, endpoint, schema): (&str, &str, &Schema)) -> Value {
    let mut said = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": name,
        "name": name,
        "endpoint": endpoint,
        "description": schema.description,
        "schema": schema.id,
        "meta": { "resourceType": "ResourceType", "location": format!("/scim/v2/ResourceTypes/{name}") },
    });
    if name == "User" {
        said["schemaExtensions"] = json!([{ "schema": urn::ENTERPRISE, "required": false }]);
    }
    said
}

async fn types(api: Api) -> Result<Answer, Wrong> {
    api.provider().await?;
    let all: Vec<Value> = TYPES.into_iter().map(type_of).collect();
    Ok(Answer::ok(list::response(all.len(), 1, all)))
}

async fn kind(api: Api, Path(name): Path<String>) -> Result<Answer, Wrong> {
    api.provider().await?;
    let mut types = TYPES.into_iter();
    match types.find(|(known, ..)| *known == name) {
        Some(found) => Ok(Answer::ok(type_of(found))),
        None => Err(nothing(&name)),
    }
}

async fn schemas(api: Api) -> Result<Answer, Wrong> {
    api.provider().await?;
    let all = [&USER, &ENTERPRISE, &GROUP];
    let all: Vec<Value> = all.into_iter().map(Schema::shown).collect();
    Ok(Answer::ok(list::response(all.len(), 1, all)))
}

async fn schema(api: Api, Path(id): Path<String>) -> Result<Answer, Wrong> {
    api.provider().await?;
    let mut all = [&USER, &ENTERPRISE, &GROUP].into_iter();
    match all.find(|schema| schema.id == id) {
        Some(schema) => Ok(Answer::ok(schema.shown())),
        None => Err(nothing(&id)),
    }
}

/// Persons and teams, looked for together (RFC 7644, section 3.4.3).
async fn search(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Answer, Wrong> {
    let provider = api.provider().await?;
    let wanted = list::searched(&read(&body)?)?;
    let at = base(&headers, caller.is_encrypted);
    let users = api.users_meant(&provider, &wanted, &at).await?;
    let groups = api.groups_meant(&provider, &wanted, &at).await?;
    let (first, count) = wanted.page();
    let total = users.len() + groups.len();
    let mut shown = Vec::new();
    for found in users.iter().chain(&groups).skip(first - 1).take(count) {
        let resource = match found.element.starts_with("people/") {
            true => api.user(found, &at, &wanted).await?,
            false => api.group(found, &at, &wanted).await?,
        };
        shown.push(wanted.cut(resource));
    }
    Ok(Answer::ok(list::response(total, first, shown)))
}

async fn unknown(api: Api, Path(path): Path<String>) -> Result<Answer, Wrong> {
    api.provider().await?;
    let what =
        format!("there is nothing at /scim/{path}; /scim/v2/ResourceTypes lists what there is");
    Err(ScimError::other(404, what).into())
}

/// A body in JSON.
fn read(body: &[u8]) -> Result<Value, Wrong> {
    serde_json::from_slice(body).map_err(|error| {
        let what = format!("the body is no JSON: {error}");
        ScimError::new(quartet_people::scim::ScimType::InvalidSyntax, what).into()
    })
}

fn nothing(id: &str) -> Wrong {
    let what = format!("there is no `{id}` that you provisioned");
    ScimError::other(404, what).into()
}

/// Where resources are found, as whoever asks sees the hub.
fn base(headers: &HeaderMap, is_encrypted: bool) -> String {
    let host = headers.get("host").and_then(|host| host.to_str().ok());
    let scheme = if is_encrypted { "https" } else { "http" };
    format!("{scheme}://{}/scim/v2", host.unwrap_or("localhost"))
}

impl Api {
    /// Who provisions: whoever asks, if it may.
    async fn provider(&self) -> Result<String, Wrong> {
        let holder = match self.who() {
            Who::Holder(holder) => holder,
            // Where `--open` gives every right, there is one provider for all.
            Who::Anyone | Who::Certified | Who::Hub(_) => return Ok("hub".to_owned()),
            Who::Nobody => return Err(ScimError::other(401, "say who you are with a token").into()),
        };
        let now: Time = self.control.clock().now();
        let element = holder.element();
        let relations = self.relations_of(element).await?;
        let may = relations.iter().any(|one| {
            one.relation == PROVISIONER && one.to == HUB && one.from <= now && now < one.until
        });
        if may {
            return Ok(element.to_string());
        }
        let what = format!(
            "{element} may not provision; an owner of the hub relates it as `{PROVISIONER}` to `{HUB}`"
        );
        Err(ScimError::other(403, what).into())
    }
}
