//! The other side is a thing: it reports, and is asked what is wanted of it. What it says takes the one path, as
//! a report over HTTP does; what it answers is what a device over MQTT would publish.

use bytes::Bytes;
use quartet_fabric::mqtt::{Properties, Property};
use quartet_model::{Actor, Address, Aspect, Event, EventId, Said};
use quartet_things::{
    InvocationStatus,
    webthing::{Done, Head, Notification, Response, raw},
};
use tokio::sync::mpsc;

use super::{
    super::{
        Api,
        elements::{nobody, topic},
        problem::Problem,
    },
    talk::{End, Open, Source},
};
use crate::{flow::Flow, shell::StreamItem};

/// Listens to what is wanted of an element.
pub(super) async fn listen(api: &Api, key: &str) -> Result<mpsc::Receiver<StreamItem>, Problem> {
    let filters = ["properties/+/write", "actions/+", "actions/+/+"];
    let filters = filters.map(|below| format!("{key}/{below}"));
    let items = api.listen(filters.into()).await?;
    api.of_element(key, |_, _, _| Some(())).await?;
    Ok(items)
}

/// Elements are served by one socket more: they are there.
pub(super) fn begin(api: &Api, keys: &[String]) {
    for key in keys {
        *api.served.lock().entry(key.clone()).or_default() += 1;
        let element = key.clone();
        api.control
            .tell_home(key, move |flow, now| flow.served(&element, now));
    }
}

/// Elements are served by one socket less. Those that no other one serves are away.
pub(super) fn end(api: &Api, keys: &[String], end: &End) {
    let (said_goodbye, why) = match end {
        End::Goodbye => (true, "it said goodbye"),
        End::Lost(why) => (false, *why),
        End::Close(..) => (false, "its connection was ended"),
    };
    for key in keys {
        let mut served = api.served.lock();
        let left = served.get_mut(key).map(|count| {
            *count -= 1;
            *count
        });
        if left != Some(0) {
            continue;
        }
        served.remove(key);
        let element = key.clone();
        api.control.tell_home(key, move |flow, now| {
            flow.left(&element, said_goodbye, why, now)
        });
    }
}

impl Open {
    /// Asks a thing that came for all that it was asked for while it was away.
    pub(super) async fn ask_what_waits(&mut self, key: &str) -> Result<(), End> {
        let look = |flow: &mut Flow, _, key: &str| {
            let all = flow.elements().invocations(key);
            let waiting = all.filter(|one| one.status == InvocationStatus::Pending);
            Some(waiting.cloned().collect::<Vec<_>>())
        };
        // An element that is gone has nothing to do.
        let waiting = self.api.of_element(key, look).await.unwrap_or_default();
        for one in waiting.iter().rev() {
            if let Some(asked) = self.tasks.invoke_again(key, one) {
                self.send(&asked).await?;
            }
        }
        Ok(())
    }

    /// Something is wanted of an element that is served here.
    pub(super) async fn ask_thing(&mut self, key: &str, item: StreamItem) -> Result<(), End> {
        let event = match item {
            StreamItem::Event(event) => event,
            StreamItem::Missed(_) => return self.catch_up(key).await,
        };
        // What others say there is checked first, and said on by the hub.
        if event.by != Actor::Hub {
            return Ok(());
        }
        let Ok(address) = Address::read(&event.topic) else {
            return Ok(());
        };
        let asked = match address.aspect {
            Aspect::Write(_) => self.tasks.write(&event),
            Aspect::Action(name) => match invocation_of(&event) {
                Some(id) => {
                    let input = (!event.payload.is_empty()).then(|| raw(&event.payload));
                    self.tasks.invoke(key, name, id, input.flatten())
                }
                None => None,
            },
            Aspect::Invocation(..) => self.tasks.hear_status(&event),
            _ => None,
        };
        match asked {
            Some(asked) => self.send(&asked).await,
            None => Ok(()),
        }
    }

    /// It was asked faster than it read. All that is wanted can be found where it is kept.
    async fn catch_up(&mut self, key: &str) -> Result<(), End> {
        if let Ok(items) = listen(&self.api, key).await {
            self.follow(Source::Served(key.to_owned()), items);
        }
        self.ask_what_waits(key).await
    }

    /// A thing answers.
    pub(super) async fn hear_response(
        &mut self,
        head: &Head,
        response: Response,
    ) -> Result<Result<(), Problem>, End> {
        let done = match self.tasks.hear(head.correlation.as_deref(), response) {
            Ok(done) => done,
            Err(why) => return Ok(Err(Problem::new(axum::http::StatusCode::NOT_FOUND, why))),
        };
        Ok(match done {
            Done::Nothing => Ok(()),
            Done::Ask(asked) => {
                self.send(&asked).await?;
                Ok(())
            }
            Done::Say { topic, payload } => self.api.say_of(topic, payload.into()).await,
            Done::Refuse {
                element,
                name,
                revision,
                reason,
            } => {
                let key = element.clone();
                self.api.control.tell_home(&key, move |flow, now| {
                    flow.refuse_wish(&element, &name, revision, reason, now);
                });
                Ok(())
            }
        })
    }

    /// A thing reports. Nothing is answered if it is taken, as the draft has it.
    pub(super) async fn hear_notification(
        &mut self,
        head: &Head,
        key: &str,
        notification: Notification,
    ) -> Result<Result<(), Problem>, End> {
        let (topic, payload) = match notification {
            Notification::Reading(name, value) => {
                (topic(key, Aspect::Property(&name)), Some(value))
            }
            Notification::Event(name, data) => (topic(key, Aspect::Event(&name)), data),
            Notification::Progress(response) => return self.hear_response(head, response).await,
        };
        let payload = payload.map_or_else(Bytes::new, |value| value.get().to_owned().into());
        Ok(self.api.say_of(topic, payload).await)
    }
}

impl Api {
    /// A thing says something of itself; that is safe when this returns.
    async fn say_of(&self, topic: String, payload: Bytes) -> Result<(), Problem> {
        self.may_publish(&topic).await?;
        let key = Address::element_of(&topic).unwrap_or_default().to_owned();
        let mut said = Said::kept(topic, payload);
        said.retain = false; // The hub knows what stays.
        let make = move |flow: &mut Flow, _, key: &str| match flow.elements().has(key) {
            true => Ok(said.clone()),
            false => Err(nobody(key)),
        };
        self.say_to(&key, false, self.who().clone(), make).await?;
        Ok(())
    }
}

/// What an action is known by: the hub says it on with that as its correlation data.
fn invocation_of(event: &Event) -> Option<EventId> {
    let id = Properties::of_wire(&event.properties).find(|property| match property {
        Property::CorrelationData(bytes) => Some(bytes.clone()),
        _ => None,
    })?;
    std::str::from_utf8(&id).ok()?.parse().ok()
}
