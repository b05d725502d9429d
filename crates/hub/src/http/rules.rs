//! Rules for devices that announce nothing, and what is said that no rule and no element is about.

use axum::{Json, extract::RawQuery, http::StatusCode};
use quartet_fabric::topic::Filter;
use quartet_model::Said;
use quartet_things::{
    dialects::{
        self,
        native::Role,
        rules::{Mapped, Rule, suggest},
    },
    td,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Api,
    problem::Problem,
    take::{Body, Path},
};
use crate::{
    flow::{Flow, RULES_LANE, Seen, rule_topic},
    shell::Ended,
};

/// Messages that a preview looks at.
const MESSAGES_MAX: usize = 100;

/// The rules in force.
#[utoipa::path(
    get,
    path = "/api/rules",
    responses((status = 200, description = "`rules`, each as it was written, in the order of their names"))
)]
pub(super) async fn list(api: Api) -> Result<Json<Value>, Problem> {
    Ok(Json(json!({ "rules": api.rules().await? })))
}

/// One rule.
#[utoipa::path(
    get,
    path = "/api/rules/{name}",
    params(("name" = String, Path)),
    responses(
        (status = 200, description = "The rule as it was written"),
        (status = 404, description = "There is no such rule"),
    )
)]
pub(super) async fn one(api: Api, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    let mut rules = api.rules().await?.into_iter();
    let rule = rules.find(|rule| rule["name"] == *name);
    rule.map(Json).ok_or_else(|| nothing(&name))
}

/// Writes a rule: what it is about becomes elements from now on.
#[utoipa::path(
    put,
    path = "/api/rules/{name}",
    params(("name" = String, Path, description = "What it is called: one word")),
    request_body(content = Vec<u8>, description = "`topic` with named levels such as `sensors/{id}/{property}`, `key` such as `things/{id}`, and perhaps `property` or `event`, `title`, `set`, `contentType`, `schema` and the words of native forms"),
    responses(
        (status = 204, description = "It is in force, and survives a restart. A rule of that name that was there before is replaced, and what only it described is forgotten until it is heard again"),
        (status = 400, description = "It is no rule; each mistake is named"),
    )
)]
pub(super) async fn write(
    api: Api,
    Path(name): Path<String>,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    if !dialects::is_name(&name) {
        let says = format!("is `{name}`; must be of at most 100 letters, digits, `-`, `_` and `.`");
        return Err(invalid(vec![td::Problem::new("name", says)]));
    }
    let (rule, parsed) = read(body_json(&body)?, &name)?;
    if parsed.name() != name {
        let says = format!("is `{}`, but it is written at `{name}`", parsed.name());
        return Err(invalid(vec![td::Problem::new("name", says)]));
    }
    let said = Said::kept(rule_topic(&name), rule.to_string());
    api.control.say(api.as_hub(), said).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a rule back. What only it described is forgotten.
#[utoipa::path(
    delete,
    path = "/api/rules/{name}",
    params(("name" = String, Path)),
    responses(
        (status = 204, description = "It is in force no more"),
        (status = 404, description = "There is no such rule"),
    )
)]
pub(super) async fn remove(api: Api, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    if !api.rules().await?.iter().any(|rule| rule["name"] == *name) {
        return Err(nothing(&name));
    }
    let said = Said::kept(rule_topic(&name), "");
    api.control.say(api.as_hub(), said).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// What is to be tried.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Trial {
    rule: Value,
    /// Those that were seen lately, if absent.
    messages: Option<Vec<Message>>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Message {
    topic: String,
    payload: String,
}

/// What a rule would make of messages; nothing changes.
#[utoipa::path(
    post,
    path = "/api/rules/preview",
    request_body(content = Vec<u8>, description = "`rule`, and `messages` with `topic` and `payload`; without these, those that were seen lately and that no element is about"),
    responses(
        (status = 200, description = "For each message that the rule is about: which `element` with which `values` and `properties`, or the `problem`"),
        (status = 400, description = "It is no rule; each mistake is named"),
    )
)]
pub(super) async fn preview(api: Api, Body(body): Body) -> Result<Json<Value>, Problem> {
    let trial: Trial = serde_json::from_slice(&body).map_err(|error| {
        let what =
            format!("the body must be an object with `rule` and perhaps `messages`: {error}");
        Problem::new(StatusCode::BAD_REQUEST, what)
    })?;
    let (_, rule) = read(trial.rule, "preview")?;
    let messages: Vec<(String, Vec<u8>)> = match trial.messages {
        Some(messages) => {
            let messages = messages.into_iter();
            messages
                .map(|one| (one.topic, one.payload.into_bytes()))
                .collect()
        }
        None => {
            let seen = api.unmapped().await?.into_iter();
            seen.map(|seen| (seen.topic.to_string(), seen.payload.to_vec()))
                .collect()
        }
    };
    let looked_at = messages.iter().take(MESSAGES_MAX);
    let about = looked_at.filter_map(|(topic, payload)| {
        let shown = match rule.preview(topic, payload) {
            Ok(mapped) => show(&mapped),
            Err(dialects::rules::Unmapped::Topic) => return None,
            Err(why) => json!({ "problem": why.to_string() }),
        };
        Some(with_message(shown, topic, payload))
    });
    Ok(Json(json!({ "messages": about.collect::<Vec<_>>() })))
}

/// What was said lately that is of no element.
#[utoipa::path(
    get,
    path = "/api/unmapped",
    responses((status = 200, description = "The last message of each topic, as far as it was noticed, the last first; `rule` is a first draft of what makes a thing of it, and `preview` what that would be"))
)]
pub(super) async fn unmapped(api: Api) -> Result<Json<Value>, Problem> {
    let seen = api.unmapped().await?;
    let shown = seen.iter().map(|seen| {
        let rule = suggest(&seen.topic, &seen.payload);
        let parsed = Rule::parse(&rule).ok();
        let mapped = parsed.and_then(|rule| rule.preview(&seen.topic, &seen.payload).ok());
        let mut shown = json!({ "by": &*seen.by, "at": seen.at.rfc3339(), "rule": rule });
        if let Some(mapped) = mapped {
            shown["preview"] = show(&mapped);
        }
        with_message(shown, &seen.topic, &seen.payload)
    });
    Ok(Json(json!({ "unmapped": shown.collect::<Vec<_>>() })))
}

/// Forgets what was said that is of no element: somebody looked at it and needs no rule.
#[utoipa::path(
    delete,
    path = "/api/unmapped",
    params(("filter" = Vec<String>, Query, description = "Filters of topics, with + and #; at least one")),
    responses(
        (status = 204, description = "It is not listed any more, until it is said again"),
        (status = 400, description = "No filter, or one that is not valid"),
    )
)]
pub(super) async fn forget_unmapped(
    api: Api,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    let query = query.unwrap_or_default();
    let filters = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == "filter");
    let filters: Vec<String> = filters.map(|(_, filter)| filter.into_owned()).collect();
    let wrong = filters.iter().find(|filter| Filter::parse(filter).is_err());
    if filters.is_empty() || wrong.is_some() {
        let what = match wrong {
            Some(wrong) => format!("`{wrong}` is no filter of topics, such as zigbee2mqtt/%23"),
            None => "say what is meant: /api/unmapped?filter=zigbee2mqtt/%23".to_owned(),
        };
        return Err(Problem::new(StatusCode::BAD_REQUEST, what));
    }
    for lane in 0..api.control.lanes() {
        let filters = filters.clone();
        let forget = move |flow: &mut Flow, _| flow.forget_seen(&filters);
        api.control.look(lane, forget).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

fn with_message(mut shown: Value, topic: &str, payload: &[u8]) -> Value {
    shown["topic"] = topic.into();
    shown["payload"] = String::from_utf8_lossy(payload).into();
    shown
}

/// What a rule makes of a message.
fn show(mapped: &Mapped) -> Value {
    let described = mapped.announcement.description.as_ref();
    let described = described.unwrap_or(&Value::Null);
    let values = mapped
        .values
        .iter()
        .filter_map(|(role, reading)| match role {
            Role::Property(name) | Role::Event(name) => {
                Some((name.to_string(), reading.value.clone()))
            }
            _ => None,
        });
    let schema = |(name, property): (&String, &Value)| {
        let words = ["type", "unit", "readOnly"].into_iter();
        let words = words.filter_map(|word| Some((word.to_owned(), property.get(word)?.clone())));
        (name.clone(), words.collect::<Map<_, _>>().into())
    };
    let properties = described["properties"].as_object().into_iter().flatten();
    json!({
        "element": mapped.announcement.key,
        "title": described["title"],
        "values": values.collect::<Map<_, _>>(),
        "properties": properties.map(schema).collect::<Map<_, Value>>(),
    })
}

fn body_json(body: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let what = format!("a rule is a JSON object: {error}");
        Problem::new(StatusCode::BAD_REQUEST, what)
    })
}

/// A rule as it was sent, called `name` if it does not say otherwise.
fn read(mut rule: Value, name: &str) -> Result<(Value, Rule), Problem> {
    if let Some(members) = rule.as_object_mut() {
        members.entry("name").or_insert_with(|| name.into());
    }
    let parsed = Rule::parse(&rule).map_err(invalid)?;
    Ok((rule, parsed))
}

fn invalid(problems: Vec<td::Problem>) -> Problem {
    Problem::invalid("no rule", problems)
}

fn nothing(name: &str) -> Problem {
    let what = format!("there is no rule `{name}`; /api/rules lists those that there are");
    Problem::new(StatusCode::NOT_FOUND, what)
}

impl Api {
    async fn rules(&self) -> Result<Vec<Value>, Ended> {
        self.control.look(RULES_LANE, |flow, _| flow.rules()).await
    }

    /// Messages that are of no element, the last first.
    async fn unmapped(&self) -> Result<Vec<Seen>, Ended> {
        let mut all: Vec<Seen> = Vec::new();
        for lane in 0..self.control.lanes() {
            all.extend(self.control.look(lane, |flow, _| flow.seen()).await?);
        }
        all.sort_unstable_by_key(|seen| std::cmp::Reverse(seen.at));
        for lane in 0..self.control.lanes() {
            let topics: Vec<_> = all.iter().map(|seen| seen.topic.clone()).collect();
            let are_native = self
                .control
                .look(lane, move |flow, _| flow.are_native(&topics));
            let mut are_native = are_native.await?.into_iter();
            all.retain(|_| !are_native.next().unwrap_or_default());
        }
        let mut topics = std::collections::HashSet::new();
        all.retain(|seen| topics.insert(seen.topic.clone()));
        Ok(all)
    }
}
