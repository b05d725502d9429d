use axum::{extract::ConnectInfo, http::HeaderMap};
use quartet_people::{
    relation::Sort,
    scim::{
        patch,
        provisioned::{self, Provisioned, person},
        schema::{ENTERPRISE, USER},
    },
};
use quartet_things::registration::{self, Registration};
use serde_json::{Map, Value, json};

use super::{
    Api,
    answer::{Answer, Wrong},
    base,
    kept::Found,
    list::{Wanted, response, searched},
    nothing, read,
};
use crate::http::{
    problem::Problem,
    serve::Caller,
    take::{Body, Path, Query},
};

const FOLDER: &str = "people";

pub(in crate::http) async fn create(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Answer, Wrong> {
    let provider = api.provider().await?;
    let now = api.control.clock().now();
    let new = Provisioned::person(&provider, &read(&body)?, now)?;
    let element = api.free_id(Some(new.user_name())).await?;
    api.take_name(new.user_name(), &element).await?;
    let found = api.keep(&element, None, &new).await?;
    api.note_external(&new, &element).await?;
    // A person must not exist for others before it is clear whether it may come in.
    api.let_in(&element, new.is_active()).await?;
    api.for_person(&provider)
        .describe_person(&element, Some(&new.title()))
        .await?;
    let at = base(&headers, caller.is_encrypted);
    Ok(Answer::created(
        api.user(&found, &at, &Wanted::default()).await?.into(),
    ))
}

pub(in crate::http) async fn show(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Answer, Wrong> {
    let provider = api.provider().await?;
    let found = api
        .provisioned(&provider, &format!("{FOLDER}/{id}"))
        .await?;
    let found = found.ok_or_else(|| nothing(&id))?;
    let at = base(&headers, caller.is_encrypted);
    let user = api.user(&found, &at, &wanted).await?;
    Ok(Answer::ok(wanted.cut(user)))
}

pub(in crate::http) async fn list(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Answer, Wrong> {
    api.users(&wanted, &base(&headers, caller.is_encrypted))
        .await
}

pub(in crate::http) async fn search(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Answer, Wrong> {
    let wanted = searched(&read(&body)?)?;
    api.users(&wanted, &base(&headers, caller.is_encrypted))
        .await
}

pub(in crate::http) async fn replace(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Answer, Wrong> {
    let provider = api.provider().await?;
    let resource = person(&read(&body)?)?;
    let found = api.expected(&provider, FOLDER, &id, &headers).await?;
    let found = api.become_other(found, resource).await?;
    let at = base(&headers, caller.is_encrypted);
    Ok(Answer::ok(
        api.user(&found, &at, &Wanted::default()).await?.into(),
    ))
}

pub(in crate::http) async fn change(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
    Body(body): Body,
) -> Result<Answer, Wrong> {
    let provider = api.provider().await?;
    let operations = patch::read(&read(&body)?)?;
    loop {
        let found = api.expected(&provider, FOLDER, &id, &headers).await?;
        let mut resource = found.kept.resource.clone();
        patch::apply(&mut resource, &operations, &USER, Some(&ENTERPRISE))?;
        let resource = person(&resource.into())?;
        match api.become_other(found, resource).await {
            // Somebody else changed it since it was read, and nobody said that that matters.
            Err(wrong) if wrong.status() == 412 && !headers.contains_key("if-match") => {}
            done => {
                let at = base(&headers, caller.is_encrypted);
                let user = api.user(&done?, &at, &wanted).await?;
                return Ok(Answer::ok(wanted.cut(user)));
            }
        }
    }
}

pub(in crate::http) async fn remove(
    api: Api,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Answer, Wrong> {
    let provider = api.provider().await?;
    let found = api.expected(&provider, FOLDER, &id, &headers).await?;
    api.must_leave_an_owner(&found.element).await?;
    api.forget_provisioned(&found).await?;
    Ok(Answer::nothing())
}

impl Api {
    /// A person, as its provider sees it.
    pub(super) async fn user(
        &self,
        found: &Found,
        at: &str,
        wanted: &Wanted,
    ) -> Result<Map<String, Value>, Wrong> {
        let mut user = found.shown(at);
        if wanted.shows("groups") {
            let relations = self.relations_of(&found.element).await?;
            let own = relations.iter().filter(|one| {
                one.provider.as_ref() == Some(&found.kept.provider)
                    && Sort::of(&one.relation) == Sort::MemberOf
            });
            let groups: Vec<Value> = own
                .filter_map(|one| one.to.strip_prefix("teams/"))
                .map(|id| json!({ "value": id, "$ref": format!("{at}/Groups/{id}"), "type": "direct" }))
                .collect();
            if !groups.is_empty() {
                user.insert("groups".to_owned(), groups.into());
            }
        }
        Ok(user)
    }

    async fn users(&self, wanted: &Wanted, at: &str) -> Result<Answer, Wrong> {
        let provider = self.provider().await?;
        let meant = self.users_meant(&provider, wanted, at).await?;
        let (first, count) = wanted.page();
        let mut shown = Vec::new();
        for found in meant.iter().skip(first - 1).take(count) {
            shown.push(wanted.cut(self.user(found, at, wanted).await?));
        }
        Ok(Answer::ok(response(meant.len(), first, shown)))
    }

    /// The persons that are looked for.
    pub(super) async fn users_meant(
        &self,
        provider: &str,
        wanted: &Wanted,
        at: &str,
    ) -> Result<Vec<Found>, Wrong> {
        let filter = wanted.filter()?;
        let all = self.candidates(provider, FOLDER, filter.as_ref()).await?;
        let mut meant = Vec::new();
        for found in all {
            let is_meant = match &filter {
                None => true,
                Some(filter) => filter.is_met(&found.shown(at).into()),
            };
            if is_meant {
                meant.push(found);
            }
        }
        Ok(meant)
    }

    /// What its provider says of a person is otherwise from now on.
    async fn become_other(
        &self,
        found: Found,
        resource: Map<String, Value>,
    ) -> Result<Found, Wrong> {
        let new = found.kept.with(resource);
        let element = &found.element;
        if found.kept.is_active() && !new.is_active() {
            self.must_leave_an_owner(element).await?;
        }
        if new == found.kept {
            // What was said before may not have come so far when the hub died.
            self.let_in(element, new.is_active()).await?;
            return Ok(found);
        }
        let is_renamed = new.user_name().to_lowercase() != found.kept.user_name().to_lowercase();
        if is_renamed {
            self.take_name(new.user_name(), element).await?;
        }
        let kept = self.keep(element, Some(&found.event), &new).await?;
        self.note_external(&new, element).await?;
        self.let_in(element, new.is_active()).await?;
        if new.title() != found.kept.title() {
            self.retitle(element, &found.kept.title(), &new.title())
                .await?;
        }
        if is_renamed {
            self.let_name_go(&found.kept, element).await?;
        }
        Ok(kept)
    }

    /// Whether a person may come in from now on. If not, it goes at once.
    async fn let_in(&self, element: &str, is_active: bool) -> Result<(), Wrong> {
        let is_suspended = self.credentials_of(element).await?.are_suspended();
        if is_suspended != is_active {
            return Ok(());
        }
        self.change_credentials(element, move |all, _| {
            all.suspend(!is_active);
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// A description gets a new title, if the old one was its provider's.
    pub(super) async fn retitle(&self, element: &str, old: &str, new: &str) -> Result<(), Wrong> {
        let Some(event) = self.said_at(element).await? else {
            return Ok(());
        };
        let Ok(Value::Object(mut td)) = serde_json::from_slice(&event.payload) else {
            return Ok(());
        };
        if td.get("title").and_then(Value::as_str) != Some(old) {
            return Ok(());
        }
        td.insert("title".to_owned(), new.into());
        td.remove("registration");
        let text = Value::Object(td).to_string();
        let registration = Registration::at(element, text.as_bytes());
        let registration = registration.map_err(crate::http::directory::refused)?;
        self.for_person(&self.name())
            .register(registration, None)
            .await?;
        Ok(())
    }

    /// An element is forgotten as its provider wants it: all that opens a door goes with it.
    pub(super) async fn forget_provisioned(&self, found: &Found) -> Result<(), Wrong> {
        let element = found.element.clone();
        // Nobody comes in while it goes.
        let has_account = element.starts_with("people/");
        if has_account {
            self.let_in(&element, false).await?;
        }
        let gone = registration::removed(&element);
        self.control
            .say(self.as_hub(), gone)
            .await?
            .map_err(Problem::from)?;
        self.forget_all(&element).await?;
        let topic = provisioned::topic_of(&element);
        let said = quartet_model::Said::kept(topic, "");
        self.control
            .say(self.as_hub(), said)
            .await?
            .map_err(Problem::from)?;
        self.let_names_go(found).await
    }
}
