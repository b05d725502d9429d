use axum::http::HeaderMap;
use quartet_model::{Event, Said};
use quartet_people::{
    account::{Named, topic_of_name},
    scim::{
        ScimError, ScimType,
        filter::Filter,
        provisioned::{self, NAMES, Provisioned},
    },
};
use serde_json::{Map, Value};

use super::{
    Api,
    answer::{Wrong, check, version},
    nothing,
};
use crate::{
    flow::{Flow, home_of_topic},
    http::problem::Problem,
    shell::Ended,
};

/// What is kept of an element, and the event that said so.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) element: String,
    pub(super) event: Event,
    pub(super) kept: Provisioned,
}

impl Found {
    /// What the directory said, as it reads it, without what relations say.
    pub(super) fn shown(&self, at: &str) -> Map<String, Value> {
        let id = self.event.id;
        self.kept.shown(&self.element, at, id.at, &version(id))
    }
}

/// Names at a provider are its own business.
fn issuer(provider: &str) -> String {
    format!("{NAMES} {provider}")
}

impl Api {
    /// What a provider said of an element.
    pub(super) async fn provisioned(
        &self,
        provider: &str,
        element: &str,
    ) -> Result<Option<Found>, Wrong> {
        let event = self.said_at(&provisioned::topic_of(element)).await?;
        let found = event.and_then(|event| {
            let kept = Provisioned::read(&event.payload)?;
            let element = element.to_owned();
            Some(Found {
                element,
                event,
                kept,
            })
        });
        Ok(found.filter(|found| found.kept.provider == provider))
    }

    /// The same, which must be there and be as a request expects it.
    pub(super) async fn expected(
        &self,
        provider: &str,
        folder: &str,
        id: &str,
        headers: &HeaderMap,
    ) -> Result<Found, Wrong> {
        let found = self
            .provisioned(provider, &format!("{folder}/{id}"))
            .await?;
        let found = found.ok_or_else(|| nothing(id))?;
        check(headers, &version(found.event.id))?;
        Ok(found)
    }

    /// All that a provider said of elements of a kind, in the order of their keys.
    pub(super) async fn all_provisioned(
        &self,
        provider: &str,
        folder: &'static str,
    ) -> Result<Vec<Found>, Ended> {
        let mut all = Vec::new();
        for lane in 0..self.control.lanes() {
            let look = move |flow: &mut Flow, now| flow.provisioned(folder, now);
            for event in self.control.look(lane, look).await? {
                let element = provisioned::element_at(&event.topic).map(str::to_owned);
                let kept = Provisioned::read(&event.payload);
                if let Some((element, kept)) = element.zip(kept)
                    && kept.provider == provider
                {
                    all.push(Found {
                        element,
                        event,
                        kept,
                    });
                }
            }
        }
        all.sort_unstable_by(|one, other| one.element.cmp(&other.element));
        Ok(all)
    }

    /// Those that may be meant by a filter: one if it asks for a name, else all.
    pub(super) async fn candidates(
        &self,
        provider: &str,
        folder: &'static str,
        filter: Option<&Filter>,
    ) -> Result<Vec<Found>, Wrong> {
        let only = |name| filter.and_then(|filter| filter.only(name));
        if let Some(id) = only("id") {
            let found = self
                .provisioned(provider, &format!("{folder}/{id}"))
                .await?;
            return Ok(found.into_iter().collect());
        }
        let named = if folder == "people"
            && let Some(name) = only("userName")
        {
            Some(self.named(NAMES, &name.to_lowercase()).await?)
        } else if let Some(name) = only("externalId") {
            // Others may be called so, too: then all are looked at.
            let named = self.named(&issuer(provider), name).await?;
            named
                .filter(|element| element.starts_with(folder))
                .map(Some)
        } else {
            None
        };
        match named {
            Some(Some(element)) => Ok(self
                .provisioned(provider, &element)
                .await?
                .into_iter()
                .collect()),
            Some(None) => Ok(Vec::new()),
            None => Ok(self.all_provisioned(provider, folder).await?),
        }
    }

    /// Keeps what a provider says of an element, if what is kept of it is as it was seen.
    pub(super) async fn keep(
        &self,
        element: &str,
        seen: Option<&Event>,
        new: &Provisioned,
    ) -> Result<Found, Wrong> {
        let topic = provisioned::topic_of(element);
        let (seen, text) = (seen.map(|event| event.id), new.text());
        let make = move |flow: &mut Flow, now, topic: &str| {
            let there = flow.said_at(topic, now).map(|event| event.id);
            if there != seen {
                let what = "somebody else changed it at the same moment; read it again";
                return Err(Problem::new(
                    axum::http::StatusCode::PRECONDITION_FAILED,
                    what,
                ));
            }
            Ok(Said::kept(topic.to_owned(), text.clone()))
        };
        self.say_to(&topic, true, self.as_hub(), make).await?;
        let found = self.provisioned(&new.provider, element).await?;
        found.ok_or_else(|| nothing(element))
    }

    /// Notes that a `userName` is an element's, if it is nobody else's.
    pub(super) async fn take_name(&self, name: &str, element: &str) -> Result<(), Wrong> {
        let name = name.to_lowercase();
        let before = self.named(NAMES, &name).await?;
        if let Some(other) = before.as_deref().filter(|other| *other != element) {
            // A name that its holder does not have any more is free.
            let kept = self.said_at(&provisioned::topic_of(other)).await?;
            let kept = kept.and_then(|event| Provisioned::read(&event.payload));
            if kept.is_some_and(|kept| kept.user_name().to_lowercase() == name) {
                return Err(is_taken(&name));
            }
        }
        let topic = topic_of_name(NAMES, &name);
        let element = element.to_owned();
        let make = move |flow: &mut Flow, now, topic: &str| {
            let there = flow.said_at(topic, now);
            let there = there.and_then(|event| Named::read(&event.payload));
            let there = there.map(|named| named.element);
            if there != before && there.as_ref() != Some(&element) {
                let what = "somebody else got this name at the same moment";
                return Err(Problem::new(axum::http::StatusCode::CONFLICT, what));
            }
            Ok(Said::kept(topic.to_owned(), Named::new(&element).text()))
        };
        let taken = self.say_to(&topic, true, self.as_hub(), make).await;
        taken
            .map(|_| ())
            .map_err(|problem| match problem.status().as_u16() {
                409 => is_taken(&name),
                _ => problem.into(),
            })
    }

    /// Notes what a provider itself calls an element.
    pub(super) async fn note_external(
        &self,
        kept: &Provisioned,
        element: &str,
    ) -> Result<(), Wrong> {
        let Some(name) = kept.external_id() else {
            return Ok(());
        };
        let topic = topic_of_name(&issuer(&kept.provider), name);
        let said = Said::kept(topic, Named::new(element).text());
        self.control
            .say(self.as_hub(), said)
            .await?
            .map_err(Problem::from)?;
        Ok(())
    }

    /// An element is called otherwise: nobody has its old `userName` any more.
    pub(super) async fn let_name_go(&self, kept: &Provisioned, element: &str) -> Result<(), Wrong> {
        let name = kept.user_name().to_lowercase();
        if self.named(NAMES, &name).await?.as_deref() == Some(element) {
            let said = Said::kept(topic_of_name(NAMES, &name), "");
            self.control
                .say(self.as_hub(), said)
                .await?
                .map_err(Problem::from)?;
        }
        Ok(())
    }

    /// Nobody has these names any more, if it was this element.
    pub(super) async fn let_names_go(&self, found: &Found) -> Result<(), Wrong> {
        let user_name = found.kept.user_name().to_lowercase();
        let external = found.kept.external_id().unwrap_or_default();
        let names = [
            (NAMES.to_owned(), user_name),
            (issuer(&found.kept.provider), external.to_owned()),
        ];
        for (issuer, name) in names {
            if name.is_empty() || self.named(&issuer, &name).await?.as_ref() != Some(&found.element)
            {
                continue;
            }
            let said = Said::kept(topic_of_name(&issuer, &name), "");
            self.control
                .say(self.as_hub(), said)
                .await?
                .map_err(Problem::from)?;
        }
        Ok(())
    }

    /// Those of some elements that a provider provisioned.
    pub(super) async fn own_of(
        &self,
        provider: &str,
        elements: Vec<String>,
    ) -> Result<Vec<String>, Ended> {
        let lanes = self.control.lanes();
        let mut own = Vec::new();
        for lane in 0..lanes {
            let here = elements.iter();
            let here = here.filter(|element| usize::from(home_of_topic(element, lanes)) == lane);
            let here: Vec<String> = here.cloned().collect();
            if here.is_empty() {
                continue;
            }
            let provider = provider.to_owned();
            let look = move |flow: &mut Flow, now| {
                let is_own = |element: &String| {
                    let kept = flow.said_at(&provisioned::topic_of(element), now);
                    let kept = kept.and_then(|event| Provisioned::read(&event.payload));
                    kept.is_some_and(|kept| kept.provider == provider)
                };
                here.into_iter().filter(is_own).collect::<Vec<_>>()
            };
            own.extend(self.control.look(lane, look).await?);
        }
        own.sort_unstable();
        Ok(own)
    }
}

fn is_taken(name: &str) -> Wrong {
    let what = format!("somebody is called `{name}` already");
    ScimError::new(ScimType::Uniqueness, what).into()
}
