//! How things come in that have no credential yet: by a claim code, or by the key of their fleet.

use std::time::Duration;

use axum::{
    Json,
    extract::ConnectInfo,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use quartet_model::{Address, Qos, Said, Time};
use quartet_people::{
    credentials::Replaces,
    invitation::{self, Invitation, USES_MAX, Uninvited, Whom},
    relation::{Relation, Sort},
    secret::{CODE_BYTES, SECRET_BYTES, Secret},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    credentials::{NewCredential, check_topics, new_id, once, random, read},
    problem::Problem,
    serve::Caller,
    take::{Body, Path},
};
use crate::flow::{Flow, element_of_name};

/// How long a claim code is good if nobody says: a person goes from the screen to the device.
const CODE_S: u64 = 15 * 60;
/// How long the key of a fleet is good if nobody says: 30 days.
const FLEET_S: u64 = 30 * 24 * 3600;
/// How long an invitation may be good: ten years.
const EXPIRY_S_MAX: u64 = 10 * 366 * 24 * 3600;
/// How many things a fleet key lets in if nobody says.
const USES: u32 = 100;

/// Whom to invite.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Wanted {
    element: Option<String>,
    #[serde(default)]
    replaces: bool,
    fleet: Option<String>,
    uses: Option<u32>,
    #[serde(default)]
    topics: Vec<String>,
    name: Option<String>,
    expiry_s: Option<u64>,
    #[serde(default)]
    owner: bool,
    #[serde(default)]
    relations: Vec<Relation>,
}

/// What somebody shows who was invited.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Claim {
    code: String,
    element: Option<String>,
}

/// The invitations that are still good; no code is shown twice.
#[utoipa::path(
    get,
    path = "/api/invitations",
    responses((status = 200, description = "Of each its `id`, for which `element` or `fleet`, how many `usesLeft`, `topics`, when and by whom it was issued, until when it is good"))
)]
pub(super) async fn list(api: Api) -> Result<Json<Value>, Problem> {
    let all = api.invitations().await?;
    let shown: Vec<_> = all.iter().map(|(_, one)| show(one)).collect();
    Ok(Json(json!({ "invitations": shown })))
}

/// Makes a claim code for one element, or a key for a fleet. It is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/api/invitations",
    request_body(content = Vec<u8>, description = "`element` (such as `things/lamp`; with `replaces` all its credentials end when the code is used), or `fleet` (how the keys of its elements begin, such as `things/pump-`) with how many `uses`; and perhaps `topics` that they may use beside their own addresses, `name`, and `expiry_s` (15 minutes for an element, 30 days for a fleet). A person makes an account of its code at /start; with `owner` it looks after the whole hub then, and with `relations` it is related so, such as a guest of a team until tomorrow"),
    responses(
        (status = 201, description = "The `code`, which a thing shows at /claim and a person at /start"),
        (status = 400, description = "It does not say whom to invite"),
    )
)]
pub(super) async fn create(api: Api, Body(body): Body) -> Result<Response, Problem> {
    let members =
        "element or fleet, and perhaps replaces, uses, topics, name, expiry_s, owner and relations";
    let wanted: Wanted = read(&body, members)?;
    check_topics(&wanted.topics)?;
    let (whom, uses, lasts_s) = whom(&wanted)?;
    let (code, text) = match whom {
        Whom::One { .. } => {
            let code = Secret::of(&random::<CODE_BYTES>()?);
            let text = code.grouped();
            (code, text)
        }
        Whom::Fleet { .. } => {
            let key = Secret::of(&random::<SECRET_BYTES>()?);
            let text = key.text().to_owned();
            (key, text)
        }
    };
    let now = api.control.clock().now();
    let s = wanted.expiry_s.unwrap_or(lasts_s);
    if s == 0 || EXPIRY_S_MAX < s {
        return Err(wrong(format!(
            "expiry_s is {s}; must be from 1 to {EXPIRY_S_MAX}"
        )));
    }
    let until = now.after(Duration::from_secs(s));
    let mut invitation = Invitation::new(new_id()?, whom, uses, now, &api.name(), until);
    invitation.name = wanted.name;
    invitation.topics = wanted.topics;
    invitation.owner = wanted.owner;
    if wanted.owner && !invitation.is_for_person() {
        return Err(wrong("only a person can be an owner, such as `people/ana`"));
    }
    if !wanted.relations.is_empty() && !invitation.is_for_person() {
        return Err(wrong("only a person is related by its invitation"));
    }
    for one in &wanted.relations {
        one.check(invitation.key())?;
        if Sort::of(&one.relation) == Sort::ConsentsTo {
            return Err(wrong("only a person itself says to what it consents"));
        }
    }
    invitation.relations = wanted.relations;
    let said = kept(&invitation::topic_of(code.text()), &invitation);
    api.control.say(api.as_hub(), said).await??;
    let mut shown = show(&invitation);
    shown["code"] = text.into();
    let location = [(
        header::LOCATION,
        format!("/api/invitations/{}", invitation.id),
    )];
    Ok((StatusCode::CREATED, once(), location, Json(shown)).into_response())
}

/// Takes an invitation back. Who came in by it stays.
#[utoipa::path(
    delete,
    path = "/api/invitations/{invitation}",
    params(("invitation" = String, Path, description = "Its `id`")),
    responses(
        (status = 204, description = "It lets nobody in any more"),
        (status = 404, description = "There is no such invitation"),
    )
)]
pub(super) async fn remove(api: Api, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let all = api.invitations().await?;
    let Some((topic, _)) = all.into_iter().find(|(_, one)| one.id == id) else {
        let what =
            format!("there is no invitation `{id}`; /api/invitations lists those that are good");
        return Err(Problem::new(StatusCode::NOT_FOUND, what));
    };
    let said = Said::kept(topic, "");
    api.control.say(api.as_hub(), said).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Whoever was invited gets a credential. It is in this answer and nowhere else.
#[utoipa::path(
    post,
    path = "/claim",
    request_body(content = Vec<u8>, description = "`code`; with the key of a fleet also which `element` this is, such as `things/pump-7`"),
    responses(
        (status = 201, description = "`element`, `user` and `password` for MQTT and HTTP, and `token`, which is both in one word"),
        (status = 403, description = "There is no such code, or it is for another element"),
        (status = 409, description = "The element has a credential already"),
        (status = 429, description = "Too many wrong codes came from there"),
    )
)]
pub(super) async fn claim(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let ip = caller.address.ip().to_canonical();
    api.check_guesses(ip)?;
    let Claim { code, element } = read(&body, "code, and perhaps element")?;
    let element = match element {
        Some(name) => Some(element_of_name(&name).ok_or_else(|| no_element(&name))?),
        None => None,
    };
    api.check_is_for_thing(&code).await?;
    let (element, used) = match api.accept(&code, element).await {
        Err(problem) if problem.status() == StatusCode::FORBIDDEN => {
            api.was_wrong(ip);
            return Err(problem);
        }
        other => other?,
    };
    let replaces = matches!(used.whom, Whom::One { replaces: true, .. });
    let now = api.control.clock().now();
    let new = NewCredential {
        name: used.name,
        replaces: if replaces {
            Replaces::All
        } else {
            Replaces::Nothing
        },
        overlap: now,
        expires_at: Time::NEVER,
        topics: (!used.topics.is_empty()).then_some(used.topics),
        certificate: None,
        must_be_first: matches!(used.whom, Whom::Fleet { .. }),
        scope: None,
    };
    let issued = api.issue_for(&element, new).await?;
    Ok((StatusCode::CREATED, once(), Json(issued)).into_response())
}

/// Whom somebody wants to invite, how many times, and for how long if they do not say.
fn whom(wanted: &Wanted) -> Result<(Whom, u32, u64), Problem> {
    match (&wanted.element, &wanted.fleet) {
        (Some(element), None) => {
            if wanted.uses.is_some_and(|uses| uses != 1) {
                return Err(wrong("a claim code is used once; `uses` is for a fleet"));
            }
            let element = element_of_name(element).ok_or_else(|| no_element(element))?;
            let replaces = wanted.replaces;
            Ok((Whom::One { element, replaces }, 1, CODE_S))
        }
        (None, Some(prefix)) => {
            if wanted.replaces {
                return Err(wrong(
                    "the key of a fleet replaces nothing; make a claim code for the element",
                ));
            }
            let uses = wanted.uses.unwrap_or(USES);
            if uses == 0 || USES_MAX < uses {
                return Err(wrong(format!(
                    "uses is {uses}; must be from 1 to {USES_MAX}"
                )));
            }
            let example = format!("{prefix}1");
            if Address::element_of(&example) != Some(&*example) {
                return Err(wrong(format!(
                    "fleet is `{prefix}`; must be how the keys of elements begin, such as `things/pump-`"
                )));
            }
            let prefix = prefix.clone();
            Ok((Whom::Fleet { prefix }, uses, FLEET_S))
        }
        _ => Err(wrong(
            "say either which `element` is invited or which `fleet`",
        )),
    }
}

fn wrong(what: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, what)
}

fn no_element(name: &str) -> Problem {
    wrong(format!(
        "`{name}` is no element; must be like `things/lamp`"
    ))
}

fn kept(topic: &str, invitation: &Invitation) -> Said {
    Said {
        qos: Qos::AtLeastOnce,
        expires: invitation.expires_at,
        ..Said::state(topic.to_owned(), invitation.text())
    }
}

fn show(one: &Invitation) -> Value {
    let mut shown = json!({
        "id": one.id,
        "usesLeft": one.uses_left,
        "topics": one.topics,
        "issuedAt": one.issued_at.rfc3339(),
        "issuedBy": one.issued_by,
        "expiresAt": one.expires_at.rfc3339(),
    });
    match &one.whom {
        Whom::One { element, replaces } => {
            shown["element"] = element.as_str().into();
            shown["replaces"] = (*replaces).into();
        }
        Whom::Fleet { prefix } => shown["fleet"] = prefix.as_str().into(),
    }
    if !one.relations.is_empty() {
        shown["relations"] = json!(one.relations);
    }
    if one.owner {
        shown["owner"] = true.into();
    }
    if let Some(name) = &one.name {
        shown["name"] = name.as_str().into();
    }
    shown
}

impl From<Uninvited> for Problem {
    fn from(why: Uninvited) -> Self {
        let status = match why {
            Uninvited::Unknown => StatusCode::FORBIDDEN,
            Uninvited::WhichOne(_) | Uninvited::Another(_) | Uninvited::OtherFleet(_) => {
                StatusCode::BAD_REQUEST
            }
        };
        Self::new(status, why.to_string())
    }
}

impl Api {
    /// Lets somebody in by a code: which element that is, and by which invitation.
    pub(super) async fn accept(
        &self,
        code: &str,
        element: Option<String>,
    ) -> Result<(String, Invitation), Problem> {
        let accepted = std::sync::Arc::new(parking_lot::Mutex::new(None));
        let told = std::sync::Arc::clone(&accepted);
        let make = move |flow: &mut Flow, now, topic: &str| {
            let found = flow.said_at(topic, now);
            let found = found.and_then(|event| Invitation::read(&event.payload));
            let mut invitation = found.ok_or(Uninvited::Unknown)?;
            let element = invitation.accept(element.as_deref(), now)?;
            let said = kept(topic, &invitation);
            *told.lock() = Some((element, invitation));
            Ok(said)
        };
        let topic = invitation::topic_of(code);
        self.say_to(&topic, true, self.as_hub(), make).await?;
        let accepted = accepted.lock().take();
        Ok(accepted.ok_or(Uninvited::Unknown)?)
    }

    /// A person gets an account by its code, not a credential.
    async fn check_is_for_thing(&self, code: &str) -> Result<(), Problem> {
        let topic = invitation::topic_of(code);
        let at = topic.clone();
        let look = move |flow: &mut Flow, now| flow.said_at(&at, now);
        let found = self.control.look_home(&topic, look).await?;
        let found = found.and_then(|event| Invitation::read(&event.payload));
        match found.is_some_and(|found| found.is_for_person()) {
            true => Err(wrong(
                "this code is for a person: it opens an account at /start",
            )),
            false => Ok(()),
        }
    }

    /// The invitations that are good, with the topics at which they are kept.
    async fn invitations(&self) -> Result<Vec<(String, Invitation)>, Problem> {
        let mut all = Vec::new();
        for lane in 0..self.control.lanes() {
            let look = |flow: &mut Flow, now| flow.invitations(now);
            all.extend(self.control.look(lane, look).await?);
        }
        all.sort_by_key(|(_, one)| one.issued_at);
        Ok(all)
    }
}
