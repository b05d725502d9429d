use std::collections::BTreeSet;

use axum::{extract::ConnectInfo, http::HeaderMap};
use quartet_people::{
    relation::{Relation, Sort},
    scim::{
        ScimError, ScimType,
        patch::{self, Operation, What},
        provisioned::{Provisioned, team},
        schema::GROUP,
    },
};
use quartet_things::registration::Registration;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::{
    Api,
    answer::{Answer, Wrong},
    base,
    kept::Found,
    list::{Wanted, response, searched},
    nothing, read,
};
use crate::{
    flow::Flow,
    http::{
        accounts::oidc::slug,
        serve::Caller,
        take::{Body, Path, Query},
    },
};

const FOLDER: &str = "teams";
/// Members that one request names.
const MEMBERS_MAX: usize = 20_000;
/// Members that come or go at the same time.
const AT_ONCE: usize = 64;
/// How many ids are tried for a team whose id is taken.
const IDS_MAX: usize = 20;

pub(in crate::http) async fn create(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Answer, Wrong> {
    let provider = api.provider().await?;
    let said = read(&body)?;
    let new = Provisioned::team(&provider, &said, api.control.clock().now())?;
    let members = api.members_meant(&provider, said.get("members")).await?;
    let element = api.free_team(&new.title()).await?;
    let found = api.keep(&element, None, &new).await?;
    api.note_external(&new, &element).await?;
    api.describe_team(&element, &new.title()).await?;
    api.join(&provider, &element, members).await?;
    let at = base(&headers, caller.is_encrypted);
    Ok(Answer::created(
        api.group(&found, &at, &Wanted::default()).await?.into(),
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
    let group = api.group(&found, &at, &wanted).await?;
    Ok(Answer::ok(wanted.cut(group)))
}

pub(in crate::http) async fn list(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Answer, Wrong> {
    api.groups(&wanted, &base(&headers, caller.is_encrypted))
        .await
}

pub(in crate::http) async fn search(
    api: Api,
    ConnectInfo(caller): ConnectInfo<Caller>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Answer, Wrong> {
    let wanted = searched(&read(&body)?)?;
    api.groups(&wanted, &base(&headers, caller.is_encrypted))
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
    let said = read(&body)?;
    let resource = team(&said)?;
    let found = api.expected(&provider, FOLDER, &id, &headers).await?;
    let members = api.members_meant(&provider, said.get("members")).await?;
    let found = api.rename(found, resource).await?;
    api.set_members(&provider, &found.element, members).await?;
    let at = base(&headers, caller.is_encrypted);
    Ok(Answer::ok(
        api.group(&found, &at, &Wanted::default()).await?.into(),
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
    let found = api.expected(&provider, FOLDER, &id, &headers).await?;
    // All of it is looked at before anything is done.
    let mut resource = found.kept.resource.clone();
    let mut changes = Vec::new();
    for operation in operations {
        let (about_members, rest) = of_members(operation)?;
        for (what, meant) in about_members {
            let meant = match meant {
                Some(meant) => Some(
                    api.members_named(&provider, &meant, what == What::Remove)
                        .await?,
                ),
                None => None,
            };
            changes.push((what, meant));
        }
        if let Some(rest) = rest {
            patch::apply(&mut resource, &[rest], &GROUP, None)?;
        }
    }
    let resource = team(&resource.into())?;
    let found = api.rename(found, resource).await?;
    for change in changes {
        match change {
            (What::Add, Some(meant)) => api.join(&provider, &found.element, meant).await?,
            (What::Remove, Some(meant)) => api.leave(&provider, &found.element, meant).await?,
            (What::Remove, None) => {
                api.set_members(&provider, &found.element, BTreeSet::new())
                    .await?
            }
            (What::Replace, meant) => {
                let meant = meant.unwrap_or_default();
                api.set_members(&provider, &found.element, meant).await?;
            }
            (What::Add, None) => {}
        }
    }
    let at = base(&headers, caller.is_encrypted);
    let group = api.group(&found, &at, &wanted).await?;
    Ok(Answer::ok(wanted.cut(group)))
}

pub(in crate::http) async fn remove(
    api: Api,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Answer, Wrong> {
    let provider = api.provider().await?;
    let found = api.expected(&provider, FOLDER, &id, &headers).await?;
    api.set_members(&provider, &found.element, BTreeSet::new())
        .await?;
    api.forget_provisioned(&found).await?;
    Ok(Answer::nothing())
}

type MemberChanges = Vec<(What, Option<Vec<String>>)>;

/// What of an operation is about members (none named: all), and the rest of it.
fn of_members(operation: Operation) -> Result<(MemberChanges, Option<Operation>), Wrong> {
    let Operation { what, at, value } = operation;
    match at {
        Some(target) if target.path.name.eq_ignore_ascii_case("members") => {
            let named = match &target.filter {
                // `members[value eq "7"]`
                Some(filter) => {
                    let implied = filter.implied();
                    let named = implied
                        .iter()
                        .find(|(name, _)| name.eq_ignore_ascii_case("value"));
                    let named = named.and_then(|(_, value)| value.as_str());
                    let Some(named) = named else {
                        let what =
                            format!("`members[{filter}]`: only `value eq` says who is meant");
                        return Err(ScimError::new(ScimType::InvalidPath, what).into());
                    };
                    Some(vec![named.to_owned()])
                }
                None if what == What::Remove && value.is_null() => None,
                None => Some(values(&value)?),
            };
            Ok((vec![(what, named)], None))
        }
        None => {
            let mut value = value;
            let mut changes = Vec::new();
            if let Value::Object(map) = &mut value {
                let name = map
                    .keys()
                    .find(|name| name.eq_ignore_ascii_case("members"))
                    .cloned();
                if let Some(members) = name.and_then(|name| map.remove(&name)) {
                    changes.push((what, Some(values(&members)?)));
                }
            }
            let rest = Operation {
                what,
                at: None,
                value,
            };
            Ok((changes, Some(rest)))
        }
        at => Ok((Vec::new(), Some(Operation { what, at, value }))),
    }
}

/// The ids in a list of members, or of one.
fn values(said: &Value) -> Result<Vec<String>, Wrong> {
    let list = match said {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    if MEMBERS_MAX < list.len() {
        let what = format!(
            "there are {} members; at most {MEMBERS_MAX} are taken at once",
            list.len()
        );
        return Err(ScimError::new(ScimType::TooMany, what).into());
    }
    let id = |one: &Value| match one {
        Value::String(id) => Some(id.clone()),
        Value::Object(map) => map.get("value")?.as_str().map(str::to_owned),
        _ => None,
    };
    let ids: Option<Vec<String>> = list.iter().map(id).collect();
    ids.ok_or_else(|| {
        let what = "each member has a `value`: the id of a person or a team";
        ScimError::new(ScimType::InvalidValue, what).into()
    })
}

impl Api {
    /// A team, as its provider sees it.
    pub(super) async fn group(
        &self,
        found: &Found,
        at: &str,
        wanted: &Wanted,
    ) -> Result<Map<String, Value>, Wrong> {
        let mut group = found.shown(at);
        if wanted.shows("members") {
            let members = self
                .members_of(&found.kept.provider, &found.element)
                .await?;
            let members: Vec<Value> = members
                .iter()
                .map(|member| shown_member(member, at))
                .collect();
            if !members.is_empty() {
                group.insert("members".to_owned(), members.into());
            }
        }
        Ok(group)
    }

    async fn groups(&self, wanted: &Wanted, at: &str) -> Result<Answer, Wrong> {
        let provider = self.provider().await?;
        let meant = self.groups_meant(&provider, wanted, at).await?;
        let (first, count) = wanted.page();
        let mut shown = Vec::new();
        for found in meant.iter().skip(first - 1).take(count) {
            shown.push(wanted.cut(self.group(found, at, wanted).await?));
        }
        Ok(Answer::ok(response(meant.len(), first, shown)))
    }

    /// The teams that are looked for.
    pub(super) async fn groups_meant(
        &self,
        provider: &str,
        wanted: &Wanted,
        at: &str,
    ) -> Result<Vec<Found>, Wrong> {
        let filter = wanted.filter()?;
        let asks_members = filter
            .as_ref()
            .is_some_and(|filter| filter.to_string().contains("members"));
        let all = self.candidates(provider, FOLDER, filter.as_ref()).await?;
        let mut meant = Vec::new();
        for found in all {
            let is_meant = match &filter {
                None => true,
                Some(filter) if asks_members => {
                    let whole = self.group(&found, at, &Wanted::default()).await?;
                    filter.is_met(&whole.into())
                }
                Some(filter) => filter.is_met(&found.shown(at).into()),
            };
            if is_meant {
                meant.push(found);
            }
        }
        Ok(meant)
    }

    /// Who is in a team, of those that its provider provisioned.
    async fn members_of(&self, provider: &str, team: &str) -> Result<Vec<String>, Wrong> {
        let key = team.to_owned();
        let look = move |flow: &mut Flow, _| flow.graph().members(&key);
        let members = self.control.look_home(team, look).await?;
        let members = members.iter().map(ToString::to_string).collect();
        Ok(self.own_of(provider, members).await?)
    }

    /// The elements that a list of members names.
    async fn members_meant(
        &self,
        provider: &str,
        said: Option<&Value>,
    ) -> Result<BTreeSet<String>, Wrong> {
        let named = values(said.unwrap_or(&Value::Null))?;
        self.members_named(provider, &named, false).await
    }

    /// The elements with these ids that a provider provisioned; `may_lack` if some may be gone.
    async fn members_named(
        &self,
        provider: &str,
        ids: &[String],
        may_lack: bool,
    ) -> Result<BTreeSet<String>, Wrong> {
        let both = |id: &String| [format!("people/{id}"), format!("teams/{id}")];
        let asked = ids.iter().flat_map(both).collect();
        let own: BTreeSet<String> = self.own_of(provider, asked).await?.into_iter().collect();
        let mut meant = BTreeSet::new();
        for id in ids {
            // A person comes before a team of the same id.
            match both(id).into_iter().find(|element| own.contains(element)) {
                Some(element) => {
                    meant.insert(element);
                }
                None if may_lack => {}
                None => {
                    let what = format!("there is no `{id}` that you provisioned; create it first");
                    return Err(ScimError::new(ScimType::InvalidValue, what).into());
                }
            }
        }
        Ok(meant)
    }

    /// Exactly these are in a team, of those that its provider says.
    async fn set_members(
        &self,
        provider: &str,
        team: &str,
        members: BTreeSet<String>,
    ) -> Result<(), Wrong> {
        let there: BTreeSet<String> = self.members_of(provider, team).await?.into_iter().collect();
        let gone = there.difference(&members).cloned().collect();
        self.leave(provider, team, gone).await?;
        self.join(provider, team, members).await
    }

    async fn join(
        &self,
        provider: &str,
        team: &str,
        members: BTreeSet<String>,
    ) -> Result<(), Wrong> {
        self.each_member(provider, team, members, true).await
    }

    async fn leave(
        &self,
        provider: &str,
        team: &str,
        members: BTreeSet<String>,
    ) -> Result<(), Wrong> {
        self.each_member(provider, team, members, false).await
    }

    /// Members come or go, a few at the same time.
    async fn each_member(
        &self,
        provider: &str,
        team: &str,
        members: BTreeSet<String>,
        comes: bool,
    ) -> Result<(), Wrong> {
        let mut waiting = JoinSet::new();
        for member in members {
            if AT_ONCE <= waiting.len() {
                joined(waiting.join_next().await)?;
            }
            let (api, provider, team) = (self.clone(), provider.to_owned(), team.to_owned());
            waiting.spawn(async move { api.relate_member(&provider, &team, &member, comes).await });
        }
        while let Some(one) = waiting.join_next().await {
            joined(Some(one))?;
        }
        Ok(())
    }

    async fn relate_member(
        &self,
        provider: &str,
        team: &str,
        member: &str,
        comes: bool,
    ) -> Result<(), Wrong> {
        if member == team {
            let what = format!("`{team}` cannot be a member of itself");
            return Err(ScimError::new(ScimType::InvalidValue, what).into());
        }
        let (from, to) = (provider.to_owned(), team.to_owned());
        let is_it = move |one: &Relation| {
            one.provider.as_ref() == Some(&from)
                && one.to == to
                && Sort::of(&one.relation) == Sort::MemberOf
        };
        let is_there = self.relations_of(member).await?.iter().any(&is_it);
        if is_there == comes {
            return Ok(());
        }
        let (from, to) = (provider.to_owned(), team.to_owned());
        self.change_relations(member, move |key, all, now| {
            if !comes {
                all.remove(&is_it);
                return Ok(());
            }
            let member = Relation {
                provider: Some(from.clone()),
                by: Some(from.clone()),
                at: now,
                ..Relation::new("memberOf", &to)
            };
            Ok(all.put(key, &[member], now)?)
        })
        .await?;
        Ok(())
    }

    /// What its provider says of a team is otherwise; its version is another in any case, since its
    /// members may be.
    async fn rename(&self, found: Found, resource: Map<String, Value>) -> Result<Found, Wrong> {
        let new = found.kept.with(resource);
        let kept = self.keep(&found.element, Some(&found.event), &new).await?;
        self.note_external(&new, &found.element).await?;
        if new.title() != found.kept.title() {
            let (old, new) = (found.kept.title(), new.title());
            self.retitle(&found.element, &old, &new).await?;
        }
        Ok(kept)
    }

    /// The key of a team that nobody has, like what a provider calls it: what a hub's own team may
    /// is nothing that a provider can hand out.
    async fn free_team(&self, name: &str) -> Result<String, Wrong> {
        let wanted = match slug(name) {
            slug if slug.is_empty() => "team".to_owned(),
            slug => slug,
        };
        for n in 1..=IDS_MAX {
            let id = match n {
                1 => wanted.clone(),
                n => format!("{}-{n}", &wanted[..wanted.len().min(28)]),
            };
            let element = format!("{FOLDER}/{id}");
            let is_described = self.said_at(&element).await?.is_some();
            let key = element.clone();
            let look = move |flow: &mut Flow, _| {
                let graph = flow.graph();
                !graph.held_scopes(&key).is_empty() || !graph.members(&key).is_empty()
            };
            if !is_described && !self.control.look_home(&element, look).await? {
                return Ok(element);
            }
        }
        let what = format!("{IDS_MAX} teams are called like `{wanted}` already");
        Err(ScimError::new(ScimType::Uniqueness, what).into())
    }

    async fn describe_team(&self, team: &str, title: &str) -> Result<(), Wrong> {
        let td = json!({
            "@context": "https://www.w3.org/2022/wot/td/v1.1",
            "title": title,
            "securityDefinitions": { "quartet": { "scheme": "basic", "in": "header" } },
            "security": "quartet",
        });
        let registration = Registration::at(team, td.to_string().as_bytes());
        let registration = registration.map_err(crate::http::directory::refused)?;
        self.for_person(&self.name())
            .register(registration, None)
            .await?;
        Ok(())
    }
}

fn joined(one: Option<Result<Result<(), Wrong>, tokio::task::JoinError>>) -> Result<(), Wrong> {
    match one {
        Some(Ok(done)) => done,
        Some(Err(_)) | None => Ok(()),
    }
}

fn shown_member(member: &str, at: &str) -> Value {
    let (folder, id) = member.split_once('/').unwrap_or(("", member));
    let path = match folder {
        "teams" => "Groups",
        _ => "Users",
    };
    json!({ "value": id, "$ref": format!("{at}/{path}/{id}") })
}
