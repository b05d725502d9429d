//! What each path asks of whoever comes, and the one question behind it.
//!
//! A path that shows many elements asks for a name only: it shows what may be seen.

use axum::http::{Method, StatusCode};
use quartet_fabric::mqtt::Fault;
use quartet_model::{Event, Kind, Time};
use quartet_people::{fields::Fields, role::Deed};
use quartet_things::identity;

use super::{
    Api, accounts,
    guard::{CLAIM, unauthorised},
    problem::Problem,
    trust,
};
use crate::{
    flow::{Flow, Who},
    shell::Ended,
};

/// What whoever says no name is told.
const NAMELESS: &str = "say who you are: programs with the user name and password of an element (Basic), or with its token (Bearer); persons sign in at /sign-in";

/// What a path asks of whoever comes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Demand {
    /// Nothing: it shows nothing that is anybody's.
    Nothing,
    /// A name. What is shown, or done, is looked at there.
    Name,
    /// That this may be done at a topic.
    Deed(Deed, String),
    /// That something of an element may be seen.
    Sight(String),
}

/// What is asked for at a path, by its pattern and what stands in it.
pub(super) fn demand(method: &Method, path: &str, params: &[(&str, &str)]) -> Demand {
    let param = |name| params.iter().find(|(there, _)| *there == name);
    let param = |name| param(name).map_or("", |(_, value)| *value);
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if let Some(below) = path.strip_prefix("/api/{kind}/{id}") {
        let kind = Kind::of_folder(param("kind"));
        let key = kind.and_then(|kind| identity::key(kind, param("id")).ok());
        let Some(key) = key else {
            return Demand::Name; // There is nothing; that is said there.
        };
        return of_element(reads, &key, below, param("name"));
    }
    match path {
        "/" | "/healthz" | "/openapi.json" | "/.well-known/wot" => Demand::Nothing,
        path if accounts::is_for_everyone(method, path) => Demand::Nothing,
        path if is_about_oneself(path) => Demand::Name,
        CLAIM => Demand::Nothing,              // Its code says who it is.
        trust::proof::PATH => Demand::Nothing, // An authority looks, who has no name here.
        // Who may provision is looked at there.
        path if path.starts_with("/scim/") => Demand::Name,
        "/metrics" => Demand::Deed(Deed::Read, "$SYS/metrics".to_owned()),
        "/api/publish/{*topic}" | "/api/subscribe" | "/api/ws" => Demand::Name,
        "/things" | "/things/{id}" | "/events" | "/events/{type}" | "/search/jsonpath" => {
            Demand::Name
        }
        "/.well-known/core" | "/api/elements" | "/api/elements/export" | "/api/elements/import" => {
            Demand::Name
        }
        "/api/roles" | "/api/roles/{name}" if reads => Demand::Name,
        // Who deploys what, and sees what it saw, is looked at there.
        path if path.starts_with("/api/flows") => Demand::Name,
        path if path.starts_with("/api/signals") => Demand::Name,
        // What is looked at beside what comes with it is looked at there.
        "/api/expressions" | "/api/drafts/check" | "/api/drafts/try" => Demand::Name,
        "/api/may" | "/api/relations" => Demand::Name,
        "/api/journeys" | "/api/journeys/{event}" => Demand::Name,
        // What is not said here is for those who look after the hub.
        _ => Demand::Deed(Deed::Manage, "$quartet".to_owned()),
    }
}

/// Paths at which it matters who somebody is, and not only what is asked for: a credential that is good
/// for less is not good for them.
fn is_about_rights(path: &str) -> bool {
    let of_element = path.strip_prefix("/api/{kind}/{id}/");
    let is_right = matches!(of_element, Some("relations" | "access" | "reach" | "glass"));
    is_right
        || path.starts_with("/api/account")
        || path.starts_with("/scim/")
        // A flow has what its owner has, and goes on when the credential ends.
        || path.starts_with("/api/flows")
        || matches!(path, "/api/may" | "/api/relations")
}

/// Paths that are about whoever asks: its session and its account.
fn is_about_oneself(path: &str) -> bool {
    let mut paths = ["/api/session", "/api/account"].into_iter();
    paths.any(|own| {
        let below = path.strip_prefix(own);
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    })
}

fn of_element(reads: bool, key: &str, below: &str, name: &str) -> Demand {
    let of = |folder: &str| format!("{key}/{folder}/{name}");
    let part = below.strip_prefix('/').unwrap_or(below);
    let folder = part.split('/').next().unwrap_or_default();
    match (folder, reads) {
        ("credentials", _) => Demand::Deed(Deed::Manage, format!("{key}/credentials")),
        // Who may see or change them is looked at there: one may leave a team by oneself.
        ("relations" | "access" | "reach" | "glass", _) => Demand::Name,
        (_, true) => Demand::Sight(key.to_owned()),
        ("properties", false) if part == "properties" => Demand::Name,
        ("properties", false) => Demand::Deed(Deed::Write, format!("{}/write", of("properties"))),
        ("actions", false) => Demand::Deed(Deed::Invoke, of("actions")),
        _ => Demand::Deed(Deed::Manage, key.to_owned()),
    }
}

impl Api {
    /// Whether whoever asks may have what is demanded.
    pub(super) async fn meet(&self, demand: Demand) -> Result<(), Problem> {
        match demand {
            Demand::Nothing => Ok(()),
            _ if *self.who() == Who::Nobody => Err(unauthorised(NAMELESS)),
            Demand::Name => Ok(()),
            // Relations are about whoever has a name.
            _ if self.who().holder().is_none() => Ok(()),
            Demand::Deed(deed, topic) => self.may(deed, &topic).await.map(|_| ()),
            Demand::Sight(key) => self.may_hear(&format!("{key}/#")).await,
        }
    }

    /// Whether the credential of whoever asks is good for a path.
    pub(super) fn check_scope(&self, path: &str) -> Result<(), Problem> {
        let scope = self.who().holder().and_then(|holder| holder.scope());
        match scope {
            Some(scope) if is_about_rights(path) && !scope.allows_all(Deed::Manage) => {
                let what = format!(
                    "this credential is good for {scope} only; what is about rights needs one without a scope, or with `manage` everywhere"
                );
                Err(Problem::new(StatusCode::FORBIDDEN, what))
            }
            _ => Ok(()),
        }
    }

    /// Which fields whoever asks may have of what is at a topic, or whether it may do something
    /// else there.
    pub(super) async fn may(&self, deed: Deed, topic: &str) -> Result<Fields, Problem> {
        self.question(topic, move |flow, now, who, topic| {
            flow.may(who, deed, topic, now)
                .map_err(|fault| (fault, flow.why_not(who, deed, topic, now)))
        })
        .await
    }

    /// Whether it may publish at a topic.
    pub(super) async fn may_publish(&self, topic: &str) -> Result<(), Problem> {
        self.question(topic, |flow, now, who, topic| {
            flow.may_publish(who, topic, now).map_err(|fault| {
                let why = Deed::of_topic(topic);
                let why = why.and_then(|deed| flow.why_not(who, deed, topic, now));
                (fault, why)
            })
        })
        .await
    }

    /// Whether it may hear something of what matches a filter.
    pub(super) async fn may_hear(&self, filter: &str) -> Result<(), Problem> {
        self.question(filter, |flow, now, who, filter| {
            flow.may_hear(who, filter, now)
                .map_err(|fault| (fault, flow.why_not(who, Deed::Read, filter, now)))
        })
        .await
    }

    async fn question<A: Send + 'static>(
        &self,
        topic: &str,
        ask: impl FnOnce(&mut Flow, Time, &Who, &str) -> Result<A, (Fault, Option<String>)>
        + Send
        + 'static,
    ) -> Result<A, Problem> {
        let (who, asked) = (self.who().clone(), topic.to_owned());
        let look = move |flow: &mut Flow, now| ask(flow, now, &who, &asked);
        let answer = self.control.look_home(topic, look).await?;
        answer.map_err(|(fault, why)| match why {
            Some(why) => Problem::new(StatusCode::FORBIDDEN, why),
            None => fault.into(),
        })
    }

    /// What is retained at a topic, as far as whoever asks sees it.
    pub(super) async fn seen_at(&self, at: &str) -> Result<Option<Event>, Ended> {
        let (who, topic) = (self.who().clone(), at.to_owned());
        self.control
            .look_home(at, move |flow, now| flow.seen_at(&who, &topic, now))
            .await
    }

    /// Whether whoever asks sees something of what an element has, and whether all of its description.
    pub(super) async fn sight_of(&self, key: &str) -> Result<(bool, bool), Ended> {
        let (who, element) = (self.who().clone(), key.to_owned());
        let look = move |flow: &mut Flow, now| flow.sight_of(&who, &element, now);
        let sight = self.control.look_home(key, look).await?;
        Ok((sight.is_some(), sight.is_some_and(|sight| sight.is_whole)))
    }

    /// Whether whoever asks saw something of an element that was forgotten.
    pub(super) async fn saw(&self, key: &str) -> Result<bool, Ended> {
        let (who, element) = (self.who().clone(), key.to_owned());
        let look = move |flow: &mut Flow, now| flow.saw(&who, &element, now);
        self.control.look_home(key, look).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: Method, path: &str, expected: Demand) {
        let params = [("kind", "things"), ("id", "lamp"), ("name", "on")];
        assert_eq!(demand(&method, path, &params), expected, "{method} {path}");
    }

    #[test]
    fn a_path_below_an_element_asks_for_what_is_done_with_it() {
        let deed = |deed, topic: &str| Demand::Deed(deed, topic.to_owned());
        let sight = || Demand::Sight("things/lamp".to_owned());
        check(Method::GET, "/api/{kind}/{id}", sight());
        check(Method::GET, "/api/{kind}/{id}/twin", sight());
        check(Method::GET, "/api/{kind}/{id}/properties/{name}", sight());
        check(
            Method::GET,
            "/api/{kind}/{id}/properties/{name}/values",
            sight(),
        );
        check(
            Method::PUT,
            "/api/{kind}/{id}/properties/{name}",
            deed(Deed::Write, "things/lamp/properties/on/write"),
        );
        check(
            Method::POST,
            "/api/{kind}/{id}/actions/{name}",
            deed(Deed::Invoke, "things/lamp/actions/on"),
        );
        check(
            Method::DELETE,
            "/api/{kind}/{id}/actions/{name}/{invocation}",
            deed(Deed::Invoke, "things/lamp/actions/on"),
        );
        for path in [
            "/api/{kind}/{id}/credentials",
            "/api/{kind}/{id}/credentials/{credential}",
        ] {
            check(
                Method::GET,
                path,
                deed(Deed::Manage, "things/lamp/credentials"),
            );
        }
    }

    #[test]
    fn what_is_not_said_is_for_those_who_look_after_the_hub() {
        let manage = Demand::Deed(Deed::Manage, "$quartet".to_owned());
        for path in [
            "/api/sessions",
            "/api/retained",
            "/api/rules",
            "/api/anything/new",
        ] {
            check(Method::GET, path, manage.clone());
        }
        check(Method::POST, "/api/roles/{name}", manage);
        check(Method::GET, "/", Demand::Nothing);
        check(Method::GET, "/app/{*path}", Demand::Nothing);
        check(Method::GET, "/things", Demand::Name);
    }
}
