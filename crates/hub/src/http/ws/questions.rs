//! What a consumer asks of an element and is answered at once.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use quartet_model::{Affordance, Aspect, Event, Time};
use quartet_people::role::Deed;
use quartet_things::{
    Invocation, forms,
    webthing::{Interest, Outgoing, Status, raw, status_of},
};
use serde_json::{Value, value::RawValue};

use super::{
    super::{
        Api,
        elements::{names, nobody, topic},
        problem::Problem,
    },
    consumer::bytes_of,
};
use crate::flow::Flow;

impl Api {
    pub(super) fn now(&self) -> String {
        self.control.clock().now().rfc3339()
    }

    pub(super) async fn read(
        &self,
        key: &str,
        name: &str,
        ok: Outgoing,
    ) -> Result<Outgoing, Problem> {
        let at = topic(key, Aspect::Property(name));
        self.may(Deed::Read, &at).await?;
        let who = self.who().clone();
        let look = move |flow: &mut Flow, now, _: &str| Some(flow.seen_at(&who, &at, now));
        let found = self.of_element(key, look).await?;
        let event = found.ok_or_else(|| {
            let what = format!("`{key}` has not reported a property `{name}`");
            Problem::new(StatusCode::NOT_FOUND, what)
        })?;
        Ok(Outgoing {
            value: raw(&event.payload),
            timestamp: Some(event.id.at.rfc3339()),
            ..ok
        })
    }

    /// What is reported of all properties, or of those that are named. All of these must be known.
    pub(super) async fn read_all(
        &self,
        key: &str,
        wanted: Option<Vec<String>>,
        ok: Outgoing,
    ) -> Result<Outgoing, Problem> {
        self.may_hear(&format!("{key}/properties/+")).await?;
        let asked = wanted.clone().unwrap_or_default();
        let who = self.who().clone();
        let look = move |flow: &mut Flow, now: Time, key: &str| {
            let wanted = match wanted {
                Some(wanted) => wanted,
                None => names(flow, key, now)?,
            };
            let said = |name: String| {
                let event = flow.seen_at(&who, &topic(key, Aspect::Property(&name)), now)?;
                Some((name, event))
            };
            Some(
                wanted
                    .into_iter()
                    .filter_map(said)
                    .collect::<Vec<(String, Event)>>(),
            )
        };
        let found = self.of_element(key, look).await?;
        let values = found.into_iter();
        let values: BTreeMap<String, Box<RawValue>> = values
            .filter_map(|(name, event)| Some((name, raw(&event.payload)?)))
            .collect();
        if let Some(missing) = asked.iter().find(|name| !values.contains_key(*name)) {
            let what = format!("`{key}` has not reported a property `{missing}`");
            return Err(Problem::new(StatusCode::BAD_REQUEST, what));
        }
        Ok(Outgoing {
            values: Some(values),
            timestamp: Some(self.now()),
            ..ok
        })
    }

    /// Wants several properties to have values. Which of them have it is not known yet, so the answer names none.
    pub(super) async fn write_many(
        &self,
        key: &str,
        values: Vec<(String, Box<RawValue>)>,
        ok: Outgoing,
    ) -> Result<Outgoing, Problem> {
        for (name, _) in &values {
            self.may(Deed::Write, &topic(key, Aspect::Write(name)))
                .await?;
        }
        let values = values.into_iter();
        let values = values.map(|(name, value)| (name, bytes_of(&value)));
        self.write_some(key, values.collect()).await?;
        Ok(Outgoing {
            values: Some(BTreeMap::new()),
            ..ok
        })
    }

    /// Whether there is a value for each property that can be written.
    pub(super) async fn check_all(
        &self,
        key: &str,
        values: &[(String, Box<RawValue>)],
    ) -> Result<(), Problem> {
        let look = |flow: &mut Flow, now, key: &str| {
            let affordances = flow.affordances(key, now)?;
            let all = affordances.properties().iter();
            let writable = all.filter(|property| !property.read_only);
            Some(writable.map(|property| property.name.to_string()).collect())
        };
        let writable: Vec<String> = self.of_element(key, look).await?;
        let has = |name: &String| values.iter().any(|(there, _)| there == name);
        let missing: Vec<&str> = writable
            .iter()
            .filter(|name| !has(name))
            .map(|name| &**name)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let what = format!(
            "`values` must have all properties that can be written; {} is missing (writemultipleproperties takes some)",
            missing.join(", ")
        );
        Err(Problem::new(StatusCode::BAD_REQUEST, what))
    }

    /// Whether there is a property or an event to be heard.
    pub(super) async fn check_known(&self, interest: &Interest) -> Result<(), Problem> {
        let key = &*interest.element;
        self.may_hear(&interest.filter()).await?;
        let described = self.said_at(key).await?.ok_or_else(|| nobody(key))?;
        let Some(name) = &interest.name else {
            return Ok(());
        };
        let (kind, what) = match interest.of {
            Affordance::Event => ("events", "event"),
            _ => ("properties", "property"),
        };
        // With what the hub adds of its own.
        let text = String::from_utf8_lossy(&described.payload);
        let bases = forms::Bases {
            http: None,
            mqtt: None,
            coap: None,
        };
        let all = forms::complete(&text, key, &bases);
        let all: Value = all
            .and_then(|all| serde_json::from_str(&all).ok())
            .unwrap_or_default();
        let is_described =
            all[kind].get(name).is_some() || (kind, &**name) == ("events", "refused");
        if is_described || self.said_at(&interest.filter()).await?.is_some() {
            return Ok(());
        }
        let there = all[kind].as_object().into_iter().flat_map(|all| all.keys());
        let there: Vec<&str> = there.take(20).map(|name| &**name).collect();
        let what = format!(
            "`{key}` has no {what} `{name}`; it has {}",
            there.join(", ")
        );
        Err(Problem::new(StatusCode::NOT_FOUND, what))
    }

    /// What an element was asked to do under this name.
    pub(super) async fn asked(&self, key: &str, id: &str) -> Result<Invocation, Problem> {
        self.may_hear(&format!("{key}/actions/+/+")).await?;
        self.of_element(key, |_, _, _| Some(())).await?;
        let found = match id.parse() {
            Ok(id) => self.invocation(key, id).await?,
            Err(_) => None,
        };
        let found = found.ok_or_else(|| {
            let what = format!("nobody asked `{key}` for an action `{id}`, or it is long over");
            Problem::new(StatusCode::NOT_FOUND, what)
        })?;
        self.may(Deed::Read, &topic(key, Aspect::Action(&found.action)))
            .await?;
        Ok(found)
    }

    pub(super) async fn query_all(&self, key: &str, ok: Outgoing) -> Result<Outgoing, Problem> {
        self.may_hear(&format!("{key}/actions/+/+")).await?;
        let who = self.who().clone();
        let look = move |flow: &mut Flow, now, key: &str| {
            let sees = |one: &&Invocation| {
                let at = topic(key, Aspect::Action(&one.action));
                flow.may(&who, Deed::Read, &at, now)
                    .is_ok_and(|fields| fields.is_all())
            };
            let all = flow.elements().invocations(key).filter(sees);
            Some(
                all.map(|one| (one.action.clone(), status_of(one)))
                    .collect(),
            )
        };
        let found: Vec<(String, Status)> = self.of_element(key, look).await?;
        let mut statuses: BTreeMap<String, Vec<Status>> = BTreeMap::new();
        for (action, status) in found {
            statuses.entry(action).or_default().push(status);
        }
        Ok(Outgoing {
            statuses: Some(statuses),
            timestamp: Some(self.now()),
            ..ok
        })
    }
}
