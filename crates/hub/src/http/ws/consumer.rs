//! The other side is a consumer: it asks, and is told what it wants to hear.

use axum::http::StatusCode;
use bytes::Bytes;
use quartet_model::{Affordance, Aspect, EventId};
use quartet_people::role::Deed;
use quartet_things::{
    check_invoke,
    webthing::{Head, Interest, Outgoing, Request, Status, raw, status_of, status_said, uuid_of},
};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{
    super::{
        elements::{SYNCHRONOUS_WAIT, nobody, request, topic},
        problem::Problem,
    },
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
        let interest = |of, name| Interest {
            element: key.to_owned(),
            of,
            name,
        };
        let property = |name| interest(Affordance::Property, name);
        let event = |name| interest(Affordance::Event, name);
        match request {
            Request::Read(name) => self.api.read(key, &name, ok).await.map(Some),
            Request::ReadAll => self.api.read_all(key, None, ok).await.map(Some),
            Request::ReadSome(names) => self.api.read_all(key, Some(names), ok).await.map(Some),
            Request::Write(name, value) => {
                let at = topic(key, Aspect::Write(&name));
                self.api.may(Deed::Write, &at).await?;
                let values = vec![(name, bytes_of(&value))];
                self.api.write_some(key, values).await?;
                Ok(Some(ok))
            }
            Request::WriteAll(values) => {
                self.api
                    .may_hear(&topic(key, Aspect::Property("+")))
                    .await?;
                self.api.check_all(key, &values).await?;
                self.api.write_many(key, values, ok).await.map(Some)
            }
            Request::WriteSome(values) => self.api.write_many(key, values, ok).await.map(Some),
            Request::Observe(name) => self.begin(head, property(Some(name)), ok).await,
            Request::ObserveAll => self.begin(head, property(None), ok).await,
            Request::Subscribe(name) => self.begin(head, event(Some(name)), ok).await,
            Request::SubscribeAll => self.begin(head, event(None), ok).await,
            Request::Unobserve(name) => Ok(self.end(&property(Some(name)), ok)),
            Request::UnobserveAll => Ok(self.end(&property(None), ok)),
            Request::Unsubscribe(name) => Ok(self.end(&event(Some(name)), ok)),
            Request::UnsubscribeAll => Ok(self.end(&event(None), ok)),
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

    async fn begin(&mut self, head: &Head, interest: Interest, ok: Outgoing) -> Answer {
        self.api.check_known(&interest).await?;
        let items = self.api.listen(vec![interest.filter()]).await?;
        let replaced = self.subscriptions.begin(&interest, head.clone());
        let replaced = replaced
            .map_err(|why| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why.to_string()))?;
        for one in replaced {
            self.heard.remove(&Source::Interest(one));
        }
        self.follow(Source::Interest(interest), items);
        Ok(Some(ok))
    }

    fn end(&mut self, interest: &Interest, ok: Outgoing) -> Option<Outgoing> {
        for one in self.subscriptions.end(interest) {
            self.heard.remove(&Source::Interest(one));
        }
        Some(ok)
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
        let at = topic(key, Aspect::Action(&name));
        self.api.may(Deed::Invoke, &at).await?;
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
        let items = self.api.control.listen(Who::hub(), vec![at]).await??;
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

pub(super) fn bytes_of(value: &RawValue) -> Bytes {
    Bytes::copy_from_slice(value.get().as_bytes())
}
