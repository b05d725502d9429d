//! The other side is a consumer: it asks, and is told what it wants to hear.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use bytes::Bytes;
use quartet_model::{Affordance, Aspect, Event, EventId, Time};
use quartet_things::{
    check_invoke, forms,
    webthing::{Head, Interest, Outgoing, Request, Status, raw, status_of, status_said, uuid_of},
};
use serde_json::{Value, value::RawValue};
use tokio::time::Instant;

use super::{
    super::{
        Api,
        elements::{SYNCHRONOUS_WAIT, names, nobody, request, topic},
        problem::Problem,
    },
    may_see,
    talk::{End, Open, Source, new_id, refusal},
};
use crate::{
    flow::{Flow, Who},
    shell::StreamItem,
};

/// Invocations that one socket may wait for.
const ASKED_MAX: usize = 256;

/// An invocation that was asked for here.
pub(super) struct Asked {
    head: Head,
    owed: Owed,
    last: Option<Status>,
}

/// What whoever asked has to be told next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owed {
    /// An answer, as soon as it is known.
    Beginning,
    /// An answer when it is over.
    Outcome,
    /// News.
    News,
}

type Answer = Result<Option<Outgoing>, Problem>;

impl Open {
    /// Does what is asked. There may be nothing to answer yet.
    pub(super) async fn answer(&mut self, head: &Head, key: &str, request: Request) -> Answer {
        let ok = Outgoing::response(head, new_id());
        let of = |of, name| Interest {
            element: key.to_owned(),
            of,
            name,
        };
        match request {
            Request::Read(name) => self.api.read(key, &name, ok).await.map(Some),
            Request::ReadAll => self.api.read_all(key, None, ok).await.map(Some),
            Request::ReadSome(names) => self.api.read_all(key, Some(names), ok).await.map(Some),
            Request::Write(name, value) => {
                may_see(self.api.who(), &topic(key, Aspect::Write(&name)))?;
                let values = vec![(name, bytes_of(&value))];
                self.api.write_some(key, values).await?;
                Ok(Some(ok))
            }
            Request::WriteAll(values) => {
                may_see(self.api.who(), &topic(key, Aspect::Write("+")))?;
                self.api.check_all(key, &values).await?;
                self.api.write_many(key, values, ok).await.map(Some)
            }
            Request::WriteSome(values) => self.api.write_many(key, values, ok).await.map(Some),
            Request::Observe(name) => {
                let interest = of(Affordance::Property, Some(name));
                self.begin(head, interest, ok).await.map(Some)
            }
            Request::ObserveAll => {
                let interest = of(Affordance::Property, None);
                self.begin(head, interest, ok).await.map(Some)
            }
            Request::Subscribe(name) => {
                let interest = of(Affordance::Event, Some(name));
                self.begin(head, interest, ok).await.map(Some)
            }
            Request::SubscribeAll => {
                let interest = of(Affordance::Event, None);
                self.begin(head, interest, ok).await.map(Some)
            }
            Request::Unobserve(name) => {
                self.end(&of(Affordance::Property, Some(name)));
                Ok(Some(ok))
            }
            Request::UnobserveAll => {
                self.end(&of(Affordance::Property, None));
                Ok(Some(ok))
            }
            Request::Unsubscribe(name) => {
                self.end(&of(Affordance::Event, Some(name)));
                Ok(Some(ok))
            }
            Request::UnsubscribeAll => {
                self.end(&of(Affordance::Event, None));
                Ok(Some(ok))
            }
            Request::Invoke(name, input) => {
                self.invoke(head, key, name, input).await?;
                Ok(None)
            }
            Request::Query(id) => {
                let found = self.api.asked(key, &id).await?;
                Ok(Some(Outgoing {
                    name: Some(found.action.clone()),
                    status: Some(status_of(&found)),
                    timestamp: Some(self.api.now()),
                    ..ok
                }))
            }
            Request::QueryAll => self.api.query_all(key, ok).await.map(Some),
            Request::Cancel(id) => {
                let found = self.api.asked(key, &id).await?;
                self.api.call_off(key, &found).await?;
                Ok(Some(Outgoing {
                    action_id: Some(id),
                    timestamp: Some(self.api.now()),
                    ..ok
                }))
            }
        }
    }

    async fn begin(
        &mut self,
        head: &Head,
        interest: Interest,
        ok: Outgoing,
    ) -> Result<Outgoing, Problem> {
        self.api.check_known(&interest).await?;
        let items = self.api.listen(vec![interest.filter()]).await?;
        let replaced = self.subscriptions.begin(&interest, head.clone());
        let replaced = replaced
            .map_err(|why| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why.to_string()))?;
        for one in replaced {
            self.heard.remove(&Source::Interest(one));
        }
        self.follow(Source::Interest(interest), items);
        Ok(ok)
    }

    fn end(&mut self, interest: &Interest) {
        for one in self.subscriptions.end(interest) {
            self.heard.remove(&Source::Interest(one));
        }
    }

    /// Something was reported that somebody here wants to hear.
    pub(super) async fn tell(&mut self, interest: &Interest, item: StreamItem) -> Result<(), End> {
        let event = match item {
            StreamItem::Event(event) => event,
            StreamItem::Missed(count) => return self.tell_missed(interest, count).await,
        };
        let Some(name) = Interest::name_at(&event.topic) else {
            return Ok(());
        };
        let Some(head) = self.subscriptions.told_by(interest, name) else {
            return Ok(());
        };
        let said = || raw(&event.payload).filter(|_| !event.payload.is_empty());
        let (value, data) = match interest.of {
            Affordance::Event => (None, said()),
            _ => (said(), None),
        };
        if interest.of == Affordance::Property && value.is_none() {
            return Ok(()); // It is forgotten.
        }
        let news = Outgoing {
            name: Some(name.to_owned()),
            value,
            data,
            timestamp: Some(event.id.at.rfc3339()),
            ..Outgoing::notification(head, uuid_of(event.id))
        };
        self.send(&news).await
    }

    /// Whoever did not read fast enough is told what it missed, and what properties are now.
    async fn tell_missed(&mut self, interest: &Interest, count: u64) -> Result<(), End> {
        let Some(head) = self.subscriptions.head(interest) else {
            return Ok(());
        };
        let news = Outgoing {
            missed: Some(count),
            ..Outgoing::notification(head, new_id())
        };
        self.send(&news).await?;
        if interest.of == Affordance::Property
            && let Ok(items) = self.api.listen(vec![interest.filter()]).await
        {
            self.follow(Source::Interest(interest.clone()), items);
        }
        Ok(())
    }

    async fn invoke(
        &mut self,
        head: &Head,
        key: &str,
        name: String,
        input: Option<Box<RawValue>>,
    ) -> Result<(), Problem> {
        if ASKED_MAX <= self.asked.len() {
            let what =
                format!("{ASKED_MAX} actions are under way on this connection; wait for some");
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, what));
        }
        may_see(self.api.who(), &topic(key, Aspect::Action(&name)))?;
        let payload = input.as_deref().map_or_else(Bytes::new, bytes_of);
        let is_synchronous = self.api.is_synchronous(key, &name).await?;
        let said = request(topic(key, Aspect::Action(&name)), payload.clone(), None);
        let action = name.clone();
        let check = move |flow: &mut Flow, now, key: &str| {
            let affordances = flow.affordances(key, now).ok_or_else(|| nobody(key))?;
            check_invoke(&affordances, &action, &payload)
                .map(|_| ())
                .map_err(|problems| Problem::invalid("not asked", problems))
        };
        let id = self.api.ask_element(key, false, said, check).await?;
        let at = topic(key, Aspect::Invocation(&name, &id.to_string()));
        // Whoever may ask may know what becomes of it.
        let items = self.api.control.listen(Who::Hub, vec![at]).await??;
        self.follow(Source::Invocation(id), items);
        let owed = match is_synchronous {
            true => Owed::Outcome,
            false => Owed::Beginning,
        };
        let asked = Asked {
            head: head.clone(),
            owed,
            last: None,
        };
        self.asked.insert(id, asked);
        if is_synchronous {
            if 2 * ASKED_MAX <= self.due.len() {
                self.due.retain(|(_, id)| self.asked.contains_key(id));
            }
            self.due.push_back((Instant::now() + SYNCHRONOUS_WAIT, id));
        }
        Ok(())
    }

    /// It is known how far an invocation is.
    pub(super) async fn tell_status(&mut self, id: EventId, item: StreamItem) -> Result<(), End> {
        let StreamItem::Event(event) = item else {
            return Ok(()); // It says a few things in its life.
        };
        let (Some(status), Some(asked)) = (status_said(&event), self.asked.get_mut(&id)) else {
            return Ok(());
        };
        let is_over = status.is_over();
        asked.last = Some(status.clone());
        let timestamp = Some(event.id.at.rfc3339());
        let told = match asked.owed {
            Owed::Outcome if !is_over => return Ok(()),
            Owed::Outcome => outcome(&asked.head, &status, timestamp),
            Owed::Beginning => Outgoing {
                status: Some(status),
                timestamp,
                ..Outgoing::response(&asked.head, new_id())
            },
            Owed::News => Outgoing {
                status: Some(status),
                timestamp,
                ..Outgoing::notification(&asked.head, uuid_of(event.id))
            },
        };
        asked.owed = Owed::News;
        if is_over {
            self.asked.remove(&id);
            self.heard.remove(&Source::Invocation(id));
        }
        self.send(&told).await
    }

    /// An action takes longer than its answer may wait.
    pub(super) async fn answer_late(&mut self) -> Result<(), End> {
        let Some((_, id)) = self.due.pop_front() else {
            return Ok(());
        };
        let asked = self.asked.get_mut(&id);
        let Some(asked) = asked.filter(|asked| asked.owed == Owed::Outcome) else {
            return Ok(()); // It was answered.
        };
        asked.owed = Owed::News;
        let told = Outgoing {
            status: asked.last.clone(),
            ..Outgoing::response(&asked.head, new_id())
        };
        self.send(&told).await
    }
}

/// What came out of an action that is over when it is answered.
fn outcome(head: &Head, status: &Status, timestamp: Option<String>) -> Outgoing {
    match status.error() {
        Some(error) => {
            let detail = error["detail"].as_str().unwrap_or("it gives no reason");
            refusal(head, &Problem::new(StatusCode::BAD_GATEWAY, detail))
        }
        None => Outgoing {
            output: status.output().cloned(),
            timestamp,
            ..Outgoing::response(head, new_id())
        },
    }
}

impl Api {
    fn now(&self) -> String {
        self.control.clock().now().rfc3339()
    }

    async fn read(&self, key: &str, name: &str, ok: Outgoing) -> Result<Outgoing, Problem> {
        let at = topic(key, Aspect::Property(name));
        may_see(self.who(), &at)?;
        let look = move |flow: &mut Flow, now, _: &str| Some(flow.said_at(&at, now));
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
    async fn read_all(
        &self,
        key: &str,
        wanted: Option<Vec<String>>,
        ok: Outgoing,
    ) -> Result<Outgoing, Problem> {
        may_see(self.who(), &format!("{key}/properties/+"))?;
        let asked = wanted.clone().unwrap_or_default();
        let look = move |flow: &mut Flow, now: Time, key: &str| {
            let wanted = match wanted {
                Some(wanted) => wanted,
                None => names(flow, key, now)?,
            };
            let said = |name: String| {
                let event = flow.said_at(&topic(key, Aspect::Property(&name)), now)?;
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
    async fn write_many(
        &self,
        key: &str,
        values: Vec<(String, Box<RawValue>)>,
        ok: Outgoing,
    ) -> Result<Outgoing, Problem> {
        may_see(self.who(), &topic(key, Aspect::Write("+")))?;
        let values = values.into_iter();
        let values = values.map(|(name, value)| (name, bytes_of(&value)));
        self.write_some(key, values.collect()).await?;
        Ok(Outgoing {
            values: Some(BTreeMap::new()),
            ..ok
        })
    }

    /// Whether there is a value for each property that can be written.
    async fn check_all(
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
    async fn check_known(&self, interest: &Interest) -> Result<(), Problem> {
        let key = &*interest.element;
        may_see(self.who(), &interest.filter())?;
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
    async fn asked(&self, key: &str, id: &str) -> Result<quartet_things::Invocation, Problem> {
        may_see(self.who(), &format!("{key}/actions/+/+"))?;
        self.of_element(key, |_, _, _| Some(())).await?;
        let found = match id.parse() {
            Ok(id) => self.invocation(key, id).await?,
            Err(_) => None,
        };
        found.ok_or_else(|| {
            let what = format!("nobody asked `{key}` for an action `{id}`, or it is long over");
            Problem::new(StatusCode::NOT_FOUND, what)
        })
    }

    async fn query_all(&self, key: &str, ok: Outgoing) -> Result<Outgoing, Problem> {
        may_see(self.who(), &format!("{key}/actions/+/+"))?;
        let look = |flow: &mut Flow, _, key: &str| {
            let all = flow.elements().invocations(key);
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

fn bytes_of(value: &RawValue) -> Bytes {
    Bytes::copy_from_slice(value.get().as_bytes())
}
