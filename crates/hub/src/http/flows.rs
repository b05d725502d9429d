//! Processes: deployed, looked at, and asked why they did not.

use std::{cmp::Reverse, collections::BTreeMap, sync::Mutex};

use axum::{Json, http::StatusCode};
use quartet_model::{Address, Said, Time};
use quartet_people::{relation::Relation, role::Deed};
use quartet_process::{
    ask::Around,
    check::{self, Checked, Known, Offer, steps},
    deployment::{self, Deployment, State, TEXT_BYTES_MAX},
    fast,
    language::{Does, Template},
    names,
    policy::{Policy, RunAs},
    problem,
};
use quartet_things::{identity, registration, td};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Api,
    credentials::read,
    problem::Problem,
    take::{Body, Path},
};
use crate::flow::{Flow, Who, clock_topic};

/// Elements and topics of one lane that are looked at for what may have been meant.
const LOOKED_AT_MAX: usize = 10_000;

/// All flows that whoever asks may see.
#[utoipa::path(
    get,
    path = "/api/flows",
    responses((status = 200, description = "`flows`, by name: each with `key`, `title`, `version`, `hash`, `run`, `owner`, `state` and `counts` of `runs`, `failed` and `missed`"))
)]
pub(super) async fn list(api: Api) -> Result<Json<Value>, Problem> {
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    for lane in 0..api.control.lanes() {
        let who = api.who().clone();
        let look = move |flow: &mut Flow, now: Time| {
            let mut list = flow.flows().list();
            list.retain(|told| {
                let key = told["key"].as_str().unwrap_or_default();
                flow.may(&who, Deed::Read, key, now).is_ok()
            });
            list
        };
        for told in api.control.look(lane, look).await? {
            let key = told["key"].as_str().unwrap_or_default().to_owned();
            add(&mut all, key, told);
        }
    }
    let flows: Vec<Value> = all.into_values().collect();
    Ok(Json(json!({ "flows": flows })))
}

/// What one flow is, as it was written.
#[utoipa::path(
    get,
    path = "/api/flows/{name}",
    params(("name" = String, Path, description = "`{namespace}.{name}`")),
    responses(
        (status = 200, description = "`text` as it was written, and what the list tells"),
        (status = 404, description = "There is no such flow"),
    )
)]
pub(super) async fn show(api: Api, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    let mut told = api.told(&name).await?;
    let deployment = api.deployment(&name).await?;
    told["text"] = deployment.ok_or_else(|| nothing(&name))?.text.into();
    for part in ["runs", "missed"] {
        if let Some(members) = told.as_object_mut() {
            members.remove(part);
        }
    }
    Ok(Json(told))
}

/// Why a flow did what it did lately, and why it did not do anything.
#[utoipa::path(
    get,
    path = "/api/flows/{name}/explain",
    params(("name" = String, Path)),
    responses(
        (status = 200, description = "`says`, in words; `runs`, each with its `steps` and what it `did` or why it `failed`; `missed`, events that nearly started it, with `why` and the `values` of what was asked; the last first"),
        (status = 403, description = "What a flow saw is told to its owner, and to whoever manages that"),
        (status = 404, description = "There is no such flow"),
    )
)]
pub(super) async fn explain(api: Api, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    let mut told = api.told(&name).await?;
    // What a flow saw is for whoever may see it, too.
    if let Some(owner) = told["owner"].as_str() {
        api.must_be_or_manage(owner).await?;
    }
    let says = api.says_of(&name, &told).await?;
    told["says"] = says.into();
    Ok(Json(told))
}

/// Deploys a flow under the name that its definition gives it.
#[utoipa::path(
    post,
    path = "/api/flows",
    request_body(content = String, description = "A definition in the Open Workflow DSL 1.0, as YAML or JSON", content_type = "application/yaml"),
    responses(
        (status = 200, description = "It is deployed in place of what had that name; `warnings` are told"),
        (status = 201, description = "It is deployed"),
        (status = 400, description = "It cannot be used; each mistake with its line and column"),
        (status = 403, description = "Who deploys must manage the flow's element, and what it grants"),
    )
)]
pub(super) async fn deploy(
    api: Api,
    Body(body): Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    api.deploy(None, &body).await
}

/// Deploys a flow under this name.
#[utoipa::path(
    put,
    path = "/api/flows/{name}",
    params(("name" = String, Path, description = "`{namespace}.{name}` as in the definition")),
    request_body(content = String, description = "A definition in the Open Workflow DSL 1.0, as YAML or JSON", content_type = "application/yaml"),
    responses(
        (status = 200, description = "It is deployed in place of what had that name; `warnings` are told"),
        (status = 201, description = "It is deployed"),
        (status = 400, description = "It cannot be used; each mistake with its line and column"),
        (status = 403, description = "Who deploys must manage the flow's element, and what it grants"),
    )
)]
pub(super) async fn put(
    api: Api,
    Path(name): Path<String>,
    Body(body): Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    api.deploy(Some(&name), &body).await
}

/// Takes a flow back.
#[utoipa::path(
    delete,
    path = "/api/flows/{name}",
    params(("name" = String, Path)),
    responses(
        (status = 204, description = "Nothing starts it any more, and it may nothing"),
        (status = 404, description = "There is no such flow"),
    )
)]
pub(super) async fn remove(api: Api, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    let key = deployment::key_of(&name);
    api.must_manage(&key).await?;
    if api.deployment(&name).await?.is_none() {
        return Err(nothing(&name));
    }
    let said = Said::kept(deployment::topic_of(&name), "");
    api.control.say(api.as_hub(), said).await??;
    api.forget_relations(&key).await?;
    for topic in [clock_topic(&key), key] {
        let said = Said::kept(topic, "");
        api.control.say(api.as_hub(), said).await??;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Wanted {
    state: State,
}

/// Lets a flow run, or not.
#[utoipa::path(
    put,
    path = "/api/flows/{name}/state",
    params(("name" = String, Path)),
    request_body(content = Vec<u8>, description = "`state`: `enabled` or `disabled`"),
    responses(
        (status = 204, description = "So it is"),
        (status = 400, description = "That is no state"),
        (status = 404, description = "There is no such flow"),
    )
)]
pub(super) async fn set_state(
    api: Api,
    Path(name): Path<String>,
    Body(body): Body,
) -> Result<StatusCode, Problem> {
    api.must_manage(&deployment::key_of(&name)).await?;
    let Wanted { state } = read(&body, "state, which is enabled or disabled")?;
    if state == State::Suspended {
        let what = "a flow is suspended by its `storm` only; disable it in place of that";
        return Err(Problem::new(StatusCode::BAD_REQUEST, what));
    }
    let topic = deployment::topic_of(&name);
    let make = move |flow: &mut Flow, now: Time, topic: &str| {
        let kept = flow.said_at(topic, now);
        let kept = kept.and_then(|event| Deployment::read(&event.payload).ok());
        let mut deployment = kept.ok_or_else(|| nothing(&name))?;
        deployment.state = state;
        deployment.because = None;
        Ok(Said::kept(topic.to_owned(), deployment.to_text()))
    };
    api.say_to(&topic, true, api.as_hub(), make).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn nothing(name: &str) -> Problem {
    let what = format!("there is no flow `{name}`; /api/flows lists those that there are");
    Problem::new(StatusCode::NOT_FOUND, what)
}

/// What several lanes tell of one flow.
fn add(all: &mut BTreeMap<String, Value>, key: String, told: Value) {
    let Some(there) = all.get_mut(&key) else {
        all.insert(key, told);
        return;
    };
    for count in ["runs", "failed", "missed"] {
        let counts = [&*there, &told].map(|told| told["counts"][count].as_u64());
        let sum: u64 = counts.into_iter().flatten().sum();
        there["counts"][count] = sum.into();
    }
    if when(&there["lastRun"]) < when(&told["lastRun"]) {
        there["lastRun"] = told["lastRun"].clone();
    }
    for list in ["runs", "missed"] {
        if let (Some(there), Some(more)) = (there[list].as_array_mut(), told[list].as_array()) {
            there.extend(more.iter().cloned());
            there.sort_by_key(|one| Reverse(when(&one["at"])));
        }
    }
}

/// The time that a text says. Texts of times are not in order: each has as many digits as it needs.
fn when(at: &Value) -> Option<Time> {
    Time::of_rfc3339(at.as_str()?)
}

/// What a definition names, and what the hub knows of it: first one pass finds out what is asked,
/// then the hub is asked, then another pass judges.
#[derive(Default)]
struct Site {
    asked: Mutex<BTreeMap<String, ()>>,
    known: BTreeMap<String, Option<Affordances>>,
    /// The keys of all elements that whoever asks may see.
    elements: Vec<String>,
}

type Affordances = std::sync::Arc<td::Affordances>;

impl Known for Site {
    fn has_element(&self, key: &str) -> Option<bool> {
        if let Ok(mut asked) = self.asked.lock() {
            asked.insert(key.to_owned(), ());
        }
        self.known.get(key).map(Option::is_some)
    }

    fn offers(&self, key: &str, what: Offer, name: &str) -> Option<Result<(), Vec<String>>> {
        let all = self.known.get(key)?.as_ref()?;
        let has = match what {
            Offer::Read | Offer::Write => all.property(name).is_some(),
            Offer::Invoke => all.action(name).is_some(),
        };
        // A property that is not described may be reported all the same.
        match (has, what) {
            (true, _) => Some(Ok(())),
            (false, Offer::Read) => None,
            (false, Offer::Write) => {
                let all = all.properties().iter();
                Some(Err(all.map(|one| one.name.to_string()).collect()))
            }
            (false, Offer::Invoke) => {
                let all = all.actions().iter();
                Some(Err(all.map(|one| one.name.to_string()).collect()))
            }
        }
    }

    fn has_workflow(&self, _: &str, _: &str) -> Option<bool> {
        None
    }

    fn near(&self, key: &str) -> Vec<String> {
        let near = names::nearest(key, self.elements.iter().map(String::as_str));
        near.map(names::name_of).into_iter().collect()
    }
}

/// Mistakes as problems of fields: a field is a place.
fn told_problem(problem: &problem::Problem) -> td::Problem {
    let place = problem.place;
    td::Problem::new(place.to_string(), &*problem.what)
}

/// What is most likely not what was meant, with its places.
pub(super) fn told_warnings(warnings: &[problem::Problem]) -> Vec<Value> {
    let told = |warning: &problem::Problem| {
        let place = warning.place;
        json!({ "line": place.line, "column": place.column, "what": warning.what })
    };
    warnings.iter().map(told).collect()
}

pub(super) fn cannot_be_used(what: &str, problems: &[problem::Problem]) -> Problem {
    let errors = problems.iter().filter(|problem| problem.is_error());
    Problem::invalid(what, errors.map(told_problem).collect())
}

impl Api {
    /// The deployment of a flow.
    async fn deployment(&self, name: &str) -> Result<Option<Deployment>, Problem> {
        let topic = deployment::topic_of(name);
        let at = topic.clone();
        let look = move |flow: &mut Flow, now| flow.said_at(&at, now);
        let kept = self.control.look_home(&topic, look).await?;
        Ok(kept.and_then(|event| Deployment::read(&event.payload).ok()))
    }

    /// What all lanes tell of a flow.
    async fn told(&self, name: &str) -> Result<Value, Problem> {
        let key = deployment::key_of(name);
        self.must_manage(&key).await?;
        let mut all = BTreeMap::new();
        for lane in 0..self.control.lanes() {
            let at = key.clone();
            let look = move |flow: &mut Flow, _| flow.flows().explain(&at);
            if let Some(told) = self.control.look(lane, look).await? {
                add(&mut all, key.clone(), told);
            }
        }
        all.remove(&key).ok_or_else(|| nothing(name))
    }

    async fn deploy(
        &self,
        name: Option<&str>,
        body: &[u8],
    ) -> Result<(StatusCode, Json<Value>), Problem> {
        let bad = |what: String| Problem::new(StatusCode::BAD_REQUEST, what);
        let text = std::str::from_utf8(body)
            .map_err(|error| bad(format!("a definition is text in UTF-8: {error}")))?;
        if TEXT_BYTES_MAX < text.len() {
            let what = format!(
                "a definition has at most {TEXT_BYTES_MAX} bytes; this one has {}",
                text.len()
            );
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, what));
        }
        let checked = self.check(text).await?;
        let found = deployment::name(&checked);
        if let Some(name) = name
            && found != name
        {
            let what = format!("this defines `{found}`, but is written at `{name}`");
            return Err(bad(what));
        }
        let key = deployment::key_of(&found);
        if Address::element_of(&key) != Some(&key) {
            return Err(bad(format!("`{found}` cannot be the name of an element")));
        }
        self.must_manage(&key).await?;
        if checked.policy.run != RunAs::Fast {
            return Err(bad(
                "this flow takes time, and this version of Quartet runs flows on the message path only (`metadata: { run: fast }`)".to_owned(),
            ));
        }
        let owner = self.owner_of(&checked.policy).await?;
        let before = self.deployment(&found).await?;
        let grants = grants_of(&checked.policy);
        for relation in &grants {
            relation.check(&key)?;
            if relation.relation == "owner" {
                return Err(bad(
                    "a flow cannot be an owner; `operator` sees and uses everything in a place"
                        .to_owned(),
                ));
            }
            self.must_manage(&relation.to).await?;
        }
        let warnings = told_warnings(&checked.warnings);
        let td = describe(&checked);
        let now = self.control.clock().now();
        let deployed = Deployment::new(text.to_owned(), owner, self.name(), now);
        let hash = deployed.hash();
        // What is wrong with it beside its shape.
        fast::Flow::new(checked).map_err(|problems| cannot_be_used("no flow", &problems))?;
        let answer = json!({
            "name": found, "key": key, "hash": hash, "owner": deployed.owner, "warnings": warnings,
        });
        let status = match before {
            Some(_) => StatusCode::OK,
            None => StatusCode::CREATED,
        };
        let is_same = before.as_ref().is_some_and(|before| {
            before.text == deployed.text
                && before.owner == deployed.owner
                && before.state == State::Enabled
        });
        if !is_same {
            self.grant(&key, before.as_ref(), grants).await?;
            let make = move |flow: &mut Flow, now: Time, key: &str| {
                let before = flow.said_at(key, now);
                Ok(registration::own_kept(key, &td, before.as_ref(), now))
            };
            self.say_to(&key, true, self.as_hub(), make).await?;
            let said = Said::kept(deployment::topic_of(&found), deployed.to_text());
            self.control.say(self.as_hub(), said).await??;
        }
        Ok((status, Json(answer)))
    }

    /// Reads a definition, and looks whether what it names is there.
    async fn check(&self, text: &str) -> Result<Checked, Problem> {
        let looked_at = self.looked_at(text).await?;
        looked_at.map_err(|problems| cannot_be_used("no flow", &problems))
    }

    /// The same, with all that is wrong.
    pub(super) async fn looked_at(
        &self,
        text: &str,
    ) -> Result<Result<Checked, Vec<problem::Problem>>, Problem> {
        let first = Site::default();
        let checked = check::check(text, &first);
        let asked = first.asked.into_inner().unwrap_or_default();
        if checked.is_err() || asked.is_empty() {
            return Ok(checked);
        }
        let mut site = Site::default();
        for key in asked.into_keys() {
            let at = key.clone();
            let look = move |flow: &mut Flow, now| flow.affordances(&at, now);
            let found = self.control.look_home(&key, look).await?;
            site.known.insert(key, found);
        }
        if site.known.values().any(Option::is_none) {
            site.elements = self.elements().await?;
        }
        Ok(check::check(text, &site))
    }

    /// The keys of all elements that whoever asks may see.
    async fn elements(&self) -> Result<Vec<String>, Problem> {
        let mut all = Vec::new();
        for lane in 0..self.control.lanes() {
            let who = self.who().clone();
            let look = move |flow: &mut Flow, now: Time| {
                let keys = flow.elements().keys("").take(LOOKED_AT_MAX);
                let seen = keys.filter(|key| flow.may(&who, Deed::Read, key, now).is_ok());
                seen.map(str::to_owned).collect::<Vec<_>>()
            };
            all.extend(self.control.look(lane, look).await?);
        }
        Ok(all)
    }

    /// What there is around a flow that nothing ever started.
    async fn around(&self) -> Result<Around, Problem> {
        let mut around = Around {
            elements: self.elements().await?,
            ..Around::default()
        };
        for lane in 0..self.control.lanes() {
            let who = self.who().clone();
            let look = move |flow: &mut Flow, now: Time| {
                let mut topics = flow.topics(LOOKED_AT_MAX, now);
                topics.extend(flow.seen().into_iter().map(|seen| seen.topic.to_string()));
                topics.retain(|topic| flow.may(&who, Deed::Read, topic, now).is_ok());
                (topics, flow.flows().types())
            };
            let (topics, types) = self.control.look(lane, look).await?;
            around.topics.extend(topics);
            if lane == 0 {
                around.types = types;
            }
        }
        Ok(around)
    }

    /// Whose a flow is.
    async fn owner_of(&self, policy: &Policy) -> Result<Option<String>, Problem> {
        let named = policy.owner.as_ref().map(|owner| owner.text.clone());
        match (self.who(), named) {
            (Who::Holder(holder), None) => Ok(Some(holder.element().to_string())),
            (Who::Holder(holder), Some(owner)) => {
                // In somebody else's name deploys who decides about it.
                if **holder.element() != *owner {
                    self.must_manage(&owner).await?;
                }
                Ok(Some(owner))
            }
            (Who::Anyone | Who::Hub(_), named) => Ok(named),
            (_, Some(owner)) => Ok(Some(owner)),
            (_, None) => {
                let what = "say whose this is, in `metadata: { owner: people/… }`: a flow never may more than its owner";
                Err(Problem::new(StatusCode::BAD_REQUEST, what))
            }
        }
    }

    /// The flow may what its definition grants it, and no more what another version did.
    async fn grant(
        &self,
        key: &str,
        before: Option<&Deployment>,
        mut grants: Vec<Relation>,
    ) -> Result<(), Problem> {
        let before = before.and_then(|before| check::check(&before.text, &check::Nothing).ok());
        let before = before.map(|before| grants_of(&before.policy));
        let before = before.unwrap_or_default();
        if before.is_empty() && grants.is_empty() {
            return Ok(());
        }
        let now = self.control.clock().now();
        for one in &mut grants {
            one.by = Some(self.name());
            one.at = now;
        }
        self.change_relations(key, move |key, all, now| {
            all.remove(|there| {
                let mut before = before.iter();
                before.any(|gone| gone.relation == there.relation && gone.to == there.to)
            });
            Ok(all.put(key, &grants, now)?)
        })
        .await
    }

    /// Why a flow does nothing, in words: what is so whatever happens, then what happened last.
    async fn says_of(&self, name: &str, told: &Value) -> Result<Vec<String>, Problem> {
        let mut says = Vec::new();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match told["state"].as_str() {
            Some("disabled") => says.push("It is disabled: nothing starts it.".to_owned()),
            Some("suspended") => says.push(format!(
                "It is suspended, since {}; enable it, or deploy it again.",
                text(&told["because"])
            )),
            Some("broken") => {
                says.push("This version of the hub cannot run it:".to_owned());
                let problems = told["problems"].as_array().into_iter().flatten();
                says.extend(problems.map(text));
            }
            _ => {}
        }
        let (runs, failed) = (&told["counts"]["runs"], &told["counts"]["failed"]);
        let last = &told["runs"][0];
        if !last.is_null() {
            says.push(match &last["failed"] {
                Value::Null => format!(
                    "Runs: {runs}, failed: {failed}; the last at {}, because of `{}`.",
                    text(&last["at"]),
                    text(&last["because"]["topic"])
                ),
                fault => format!(
                    "Runs: {runs}, failed: {failed}; the last one failed at {}: {}{}",
                    text(&fault["instance"]),
                    text(&fault["title"]),
                    fault["detail"]
                        .as_str()
                        .map(|detail| format!(": {detail}"))
                        .unwrap_or_default()
                ),
            });
        }
        if last["did"].as_array().is_some_and(Vec::is_empty) {
            says.push("That run did nothing.".to_owned());
            let steps = last["steps"].as_array().into_iter().flatten();
            let skipped = steps.filter(|step| step["skipped"] == true);
            says.extend(skipped.map(|step| {
                let step = text(&step["step"]);
                format!("`{step}` was skipped: its `if` did not hold")
            }));
        }
        let to = last["to"].as_array().into_iter().flatten();
        let mut to = to.filter_map(Value::as_str).peekable();
        if to.peek().is_some() {
            let there = self.elements().await?;
            for key in to.filter(|key| !there.iter().any(|there| there == key)) {
                let near = names::nearest(key, there.iter().map(String::as_str));
                let near = near.map_or(String::new(), |near| {
                    format!("; did you mean `{}`?", names::name_of(near))
                });
                says.push(format!(
                    "There is no element `{}`, only who listens at its address hears of that{near}",
                    names::name_of(key)
                ));
            }
        }
        let missed = &told["missed"][0];
        // What flows say to each other at QoS 0 happens at one time.
        let is_older = when(&missed["at"]) < when(&last["at"]);
        if !missed.is_null() && !is_older {
            says.push(format!(
                "Last, `{}` did not start it at {}: {}",
                text(&missed["topic"]),
                text(&missed["at"]),
                text(&missed["why"])
            ));
            let values = missed["values"].as_array().into_iter().flatten();
            says.extend(values.map(text));
        }
        if runs == 0 && told["counts"]["missed"] == 0 && told["state"] == "enabled" {
            says.push("Nothing was said that it could be about.".to_owned());
            let around = self.around().await?;
            let key = deployment::key_of(name);
            let look = move |flow: &mut Flow, _| flow.flows().why_never(&key, &around);
            says.extend(self.control.look(0, look).await?);
        }
        Ok(says)
    }
}

/// What a flow's metadata grants it.
fn grants_of(policy: &Policy) -> Vec<Relation> {
    let grants = policy.grants.iter();
    grants
        .map(|grant| Relation::new(&grant.role, &grant.on))
        .collect()
}

/// A flow is an element like any other: what it says of itself are its events.
fn describe(checked: &Checked) -> Value {
    let workflow = &checked.definition.workflow;
    let mut events = Map::new();
    events.insert(
        "loop".to_owned(),
        json!({ "title": "It was stopped: these flows start each other" }),
    );
    for task in steps(workflow) {
        let Does::Emit(emit) = &task.does else {
            continue;
        };
        let kind = emit.attribute("type").and_then(Template::fixed_text);
        if let (Some(kind), None) = (kind, emit.attribute("topic")) {
            let name = names::level_of(kind);
            events.entry(name).or_insert_with(|| json!({}));
        }
    }
    let document = &workflow.document;
    let title = document.title.clone();
    json!({
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "@type": "Process",
        "id": identity::id_of(&deployment::key_of(&deployment::name(checked))),
        "title": title.unwrap_or_else(|| document.name.to_string()),
        "version": { "instance": document.version.text },
        "securityDefinitions": { "quartet": { "scheme": "basic", "in": "header" } },
        "security": "quartet",
        "events": events,
    })
}
