//! Who may do what. Whoever comes in is an element: a person, a thing, a program. It may use its own
//! address, and what relations allow. Everyone else stays outside.
//!
//! Every refusal has a reason that a person can read.

use std::sync::Arc;

use quartet_fabric::mqtt::{Fault, Reason, Seen};
use quartet_model::{Address, Aspect, Event, Kind, Time};
use quartet_people::{
    fields::Fields,
    graph::{Explanation, Graph, Question},
    holder::Holder,
    is_secret,
    role::{Deed, part_of},
    scope,
};
use quartet_things::dialects::{native::native_forms, sparkplug};

use super::{
    ClientKey, ConnKey, Flow, Peer, sight,
    sight::{Scope, Sight, scope_of, sees_all_of},
    signals,
};

/// Who wants something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// Somebody who did not say who it is: it may nothing.
    Nobody,
    /// Somebody with a certificate by an authority that the administrator trusts (`tls.client_ca`).
    Certified,
    /// Somebody on this machine, where `--open` gives every right.
    Anyone,
    /// An element that came in with a credential.
    Holder(Arc<Holder>),
    /// The hub, which has looked at what it was asked for by one who is called so.
    Hub(Arc<str>),
}

impl Who {
    /// The hub by itself.
    pub fn hub() -> Self {
        Self::Hub("hub".into())
    }

    /// What it is called: what it says has this [author](quartet_model::Event::author).
    pub fn name(&self) -> Arc<str> {
        match self {
            Self::Nobody | Self::Anyone => "api".into(),
            Self::Certified => "certified".into(),
            Self::Holder(holder) => Arc::clone(holder.element()),
            Self::Hub(name) => Arc::clone(name),
        }
    }

    /// The element that came in with a credential, if it is one.
    pub fn holder(&self) -> Option<&Arc<Holder>> {
        match self {
            Self::Holder(holder) => Some(holder),
            _ => None,
        }
    }
}

/// Whether somebody without a name may come in.
pub(super) fn may_enter(peer: Peer) -> Result<(), Fault> {
    if peer.is_local && peer.is_open || peer.is_certified {
        return Ok(());
    }
    Err(NAMELESS)
}

/// How much somebody sees of what matches a filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sees {
    /// All of it, whatever happens to relations.
    All,
    /// What relations allow: each message is looked at.
    Allowed,
}

/// What nobody may publish, and what may be published without any relation. Else gives who needs one,
/// and for what.
pub(super) fn publishing<'w>(
    who: &'w Who,
    topic: &str,
) -> Result<Option<(&'w Arc<Holder>, Deed)>, Fault> {
    match who {
        Who::Hub(_) => return Ok(None),
        Who::Nobody => return Err(NAMELESS),
        _ => {}
    }
    if topic.starts_with('$') {
        // Nobody but the hub speaks there (section 4.7.2).
        return Err(Fault::new(
            Reason::NotAuthorized,
            "topics that begin with $ are the hub's own; publish under another name",
        ));
    }
    if signals::is_remembered(topic) {
        return Err(Fault::new(
            Reason::NotAuthorized,
            "the hub itself says what it remembers of signals and schedules; others may read it",
        ));
    }
    if topic == sparkplug::STATE {
        return Err(Fault::new(
            Reason::NotAuthorized,
            "this says whether the hub is there as a host of Sparkplug nodes; only the hub knows",
        ));
    }
    let mut deed = Deed::Report;
    if Address::element_of(topic).is_some()
        && let Ok(address) = Address::read(topic)
    {
        if matches!(address.aspect, Aspect::Desired(_)) {
            return Err(Fault::new(
                Reason::NotAuthorized,
                "the hub itself says what became of a wish; write at …/write",
            ));
        }
        if is_own(&address) {
            return Err(Fault::new(
                Reason::NotAuthorized,
                "this is said by the hub about itself; others may read it",
            ));
        }
        deed = Deed::of_publishing(address.aspect);
    }
    Ok(match who {
        Who::Holder(holder) if holder.scope().is_some() || !holder.may_do(deed, topic) => {
            Some((holder, deed))
        }
        _ => None,
    })
}

/// Only reading is allowed in part.
fn is_allowed(fields: Option<&Fields>) -> Result<(), Fault> {
    match fields {
        Some(Fields::All) => Ok(()),
        _ => Err(NOT_RELATED),
    }
}

/// Whoever does not say who it is.
const NAMELESS: Fault = Fault::new(
    Reason::NotAuthorized,
    "say who you are: with the user name and the password (or token) of a person or a thing, or with a client certificate; `quartet run --open` opens a hub for tests",
);

const NOT_RELATED: Fault = Fault::new(
    Reason::NotAuthorized,
    "an element may use its own address and the topics that it was granted; for this it has no relation, /api/may says what is missing",
);

impl Flow {
    /// Which fields `who` may have of what is at a topic, or whether it may do something else
    /// there. All doors ask this, or what is below, which remembers what was decided.
    pub fn may(&self, who: &Who, deed: Deed, topic: &str, now: Time) -> Result<Fields, Fault> {
        let holder = match who {
            Who::Holder(holder) => holder,
            Who::Hub(_) => return Ok(Fields::All),
            Who::Nobody => return Err(NAMELESS),
            Who::Anyone | Who::Certified => {
                return match is_secret(topic) {
                    true => Err(SECRET),
                    false => Ok(Fields::All),
                };
            }
        };
        if is_secret(topic) {
            return Err(SECRET);
        }
        if !holder.is_good_for(self.graph(), deed, topic, now) {
            return Err(OUT_OF_SCOPE);
        }
        if holder.may_do(deed, topic) {
            return Ok(Fields::All);
        }
        let verdict = self.graph().may_do(holder.element(), deed, topic, now);
        if deed != Deed::Read {
            is_allowed(verdict.fields.as_ref())?;
        }
        verdict.fields.ok_or(NOT_RELATED)
    }

    /// Whether `who` may hear something of what matches `filter`.
    pub fn may_hear(&self, who: &Who, filter: &str, now: Time) -> Result<(), Fault> {
        self.may_subscribe(who, filter, false, now).map(|_| ())
    }

    /// What is retained at a topic of this lane, as far as `who` sees it.
    pub fn seen_at(&self, who: &Who, topic: &str, now: Time) -> Option<Event> {
        let event = self.said_at(topic, now)?;
        match self.see(who, &event, now) {
            Seen::Whole => Some(event),
            Seen::Part(part) => Some(Event::clone(&part)),
            Seen::Nothing => None,
        }
    }

    /// The keys of all elements that `who` may see something of; `None` if that is not limited.
    pub fn all_seen(&self, who: &Who, now: Time) -> Option<Vec<Arc<str>>> {
        if *who == Who::Nobody {
            return Some(Vec::new());
        }
        let holder = who.holder()?;
        let (element, graph) = (holder.element(), self.graph());
        if graph.may_all(element, Deed::Read, now).is_allowed() {
            // An element without relations is in the hub only.
            return match holder.scope() {
                Some(scope) if !scope.allows_all(Deed::Read) => {
                    Some(self.within(scope, graph.what_may(element, Deed::Read, now), now))
                }
                _ => None,
            };
        }
        let mut all = graph.what_may(element, Deed::Read, now);
        if !all.contains(element) {
            all.push(Arc::clone(element));
        }
        Some(match holder.scope() {
            Some(scope) => self.within(scope, all, now),
            None => all,
        })
    }

    /// Those of elements that somebody sees with a credential that is good for less.
    fn within(&self, scope: &scope::Scope, mut all: Vec<Arc<str>>, now: Time) -> Vec<Arc<str>> {
        all.retain(|key| scope.allows(self.graph(), Deed::Read, key, now));
        all
    }

    /// What is missing for somebody to do something at a topic, in words.
    pub fn why_not(&self, who: &Who, deed: Deed, topic: &str, now: Time) -> Option<String> {
        let holder = who.holder()?;
        if let Some(scope) = holder.scope()
            && !scope.allows(self.graph(), deed, topic, now)
        {
            return Some(format!("this credential is good for {scope} only"));
        }
        let element = holder.element();
        let on = Address::element_of(topic)?;
        let address = Address::read(topic).ok();
        let part = address.and_then(|address| part_of(address.aspect));
        let question = Question {
            who: element,
            deed,
            on,
            part,
        };
        let what = match topic.strip_prefix(on) {
            Some(below) if !below.is_empty() => format!("{on} ({})", &below[1..]),
            _ => on.to_owned(),
        };
        let Explanation::Refused(near) = self.graph().explain(&question, now) else {
            return None;
        };
        let nearest = match near.first() {
            None => format!("{element} has no role at it, or at any place that it is in"),
            Some(near) => {
                let path: Vec<String> = near.path.iter().map(ToString::to_string).collect();
                format!(
                    "the nearest is that {}, but {}",
                    path.join(" and "),
                    near.missing
                )
            }
        };
        let ask = match &self.whom_to_ask(element, on, now)[..] {
            [] => String::new(),
            able => format!("; ask {}", able.join(" or ")),
        };
        Some(format!("{element} may not {deed} {what}: {nearest}{ask}"))
    }

    /// Some who can let a person do more with an element.
    pub fn whom_to_ask(&self, person: &str, on: &str, now: Time) -> Vec<Arc<str>> {
        const NAMES_MAX: usize = 3;
        let is_person = |key: &str| key.starts_with("people/");
        if !is_person(person) {
            return Vec::new();
        }
        let able = self.graph().who_may(Deed::Manage, on, None, now);
        let able = able.into_iter();
        able.filter(|key| is_person(key) && **key != *person)
            .take(NAMES_MAX)
            .collect()
    }

    /// What `who` sees of an event.
    pub fn see(&self, who: &Who, event: &Event, now: Time) -> Seen {
        match who {
            Who::Holder(_) => sight::see(event, |topic| self.may(who, Deed::Read, topic, now).ok()),
            Who::Hub(_) => Seen::Whole,
            Who::Nobody => Seen::Nothing,
            Who::Anyone | Who::Certified if is_secret(&event.topic) => Seen::Nothing,
            Who::Anyone | Who::Certified => Seen::Whole,
        }
    }

    /// Whether `who` may publish at `topic`.
    pub fn may_publish(&self, who: &Who, topic: &str, now: Time) -> Result<(), Fault> {
        match publishing(who, topic)? {
            None => Ok(()),
            Some((_, deed)) => is_allowed(Some(&self.may(who, deed, topic, now)?)),
        }
    }

    /// Whether `who` may describe an element so: what forms lead to at topics of others the hub hears
    /// and says for the element, so whoever writes them must be allowed both.
    pub fn may_describe(
        &self,
        who: &Who,
        topic: &str,
        payload: &[u8],
        now: Time,
    ) -> Result<(), Fault> {
        if who.holder().is_none() || Address::element_of(topic) != Some(topic) {
            return Ok(());
        }
        let Ok(description) = serde_json::from_slice(payload) else {
            return Ok(()); // What is wrong with it is said when it is read.
        };
        let (natives, _) = native_forms(&description);
        for native in natives {
            let at = &native.form.topic;
            let reads = self.may(who, Deed::Read, at, now);
            if !reads.is_ok_and(|fields| fields.is_all()) || self.may_publish(who, at, now).is_err()
            {
                return Err(Fault::new(
                    Reason::NotAuthorized,
                    "a form leads to a topic at which whoever describes this may not read and publish; have it granted first",
                ));
            }
        }
        Ok(())
    }

    /// Whether a client may publish at `topic`; what was decided is remembered.
    pub(super) fn may_client_publish(
        &mut self,
        key: ConnKey,
        client: ClientKey,
        topic: &str,
        now: Time,
    ) -> Result<(), Fault> {
        let graph = &self.known.graph;
        let there = &mut self.clients[client];
        if let Some(sight) = &there.sight
            && sight.may_say_again(graph, topic, now)
        {
            return Ok(());
        }
        let who = &self.conns[key].who;
        let Some((holder, deed)) = publishing(who, topic)? else {
            return Ok(());
        };
        if !holder.is_good_for(graph, deed, topic, now) {
            return Err(OUT_OF_SCOPE);
        }
        let sight = there
            .sight
            .get_or_insert_with(|| Box::new(Sight::of(Arc::clone(holder))));
        match sight.may_say(graph, deed, topic, now) {
            true => Ok(()),
            false => Err(NOT_RELATED),
        }
    }

    /// Whether `who` may receive what matches `filter`: at least a part of it, unless it is shared.
    pub(super) fn may_subscribe(
        &self,
        who: &Who,
        filter: &str,
        is_shared: bool,
        now: Time,
    ) -> Result<Sees, Fault> {
        if let Who::Hub(_) = who {
            return Ok(Sees::All);
        }
        let holder = match who {
            Who::Nobody => return Err(NAMELESS),
            _ if is_secret(filter) => return Err(SECRET),
            Who::Holder(holder) => holder,
            _ => return Ok(Sees::All),
        };
        let (graph, element) = (self.graph(), holder.element());
        if let Some(scope) = holder.scope() {
            // Several elements are looked at one by one, when something is said of them.
            let is_good = match scope_of(filter) {
                Scope::Elements if !is_shared => scope.allows_some(Deed::Read),
                _ => scope.allows(graph, Deed::Read, filter, now),
            };
            if !is_good {
                return Err(OUT_OF_SCOPE);
            }
        }
        if holder.may_use(filter) {
            return Ok(match holder.scope() {
                None => Sees::All,
                Some(_) => Sees::Allowed,
            });
        }
        let may = match is_shared {
            true => sees_all_of(graph, element, filter, now),
            false => sees_some(graph, element, filter, now),
        };
        match (may, is_shared) {
            (true, _) => Ok(Sees::Allowed),
            (false, true) if sees_some(graph, element, filter, now) => Err(Fault::new(
                Reason::NotAuthorized,
                "a member of a shared subscription must be allowed to see all of it: what it may not see would be lost for the others",
            )),
            (false, _) => Err(NOT_RELATED),
        }
    }
}

const OUT_OF_SCOPE: Fault = Fault::new(
    Reason::NotAuthorized,
    "the credential is good for less than this; come in with another one",
);

const SECRET: Fault = Fault::new(
    Reason::NotAuthorized,
    "what the hub keeps here is for itself only; others of its topics can be had by their names",
);

/// Whether somebody may see a part of what matches a filter.
fn sees_some(graph: &Graph, who: &str, filter: &str, now: Time) -> bool {
    match scope_of(filter) {
        Scope::Plain => graph.may_do(who, Deed::Read, filter, now).is_allowed(),
        Scope::Element(on) => graph.may_some(who, Deed::Read, on, now),
        Scope::Elements => graph.may_any(who, Deed::Read, now),
    }
}

/// Elements that the hub itself speaks for.
fn is_own(address: &Address<'_>) -> bool {
    let ids = [quartet_things::computer::ID, quartet_things::directory::ID];
    address.kind == Kind::Thing && ids.contains(&address.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without any relations.
    fn may_say(who: &Who, topic: &str) -> Result<(), Fault> {
        match publishing(who, topic)? {
            None => Ok(()),
            Some(_) => Err(NOT_RELATED),
        }
    }

    fn may_hear(who: &Who, filter: &str) -> Result<(), Fault> {
        match who {
            Who::Hub(_) => Ok(()),
            _ if is_secret(filter) => Err(SECRET),
            Who::Holder(holder) if !holder.may_use(filter) => Err(NOT_RELATED),
            _ => Ok(()),
        }
    }

    #[test]
    fn nobody_but_the_hub_speaks_at_dollar_topics() {
        assert!(may_say(&Who::Anyone, "$SYS/broker/uptime").is_err());
        assert!(may_say(&Who::hub(), "$quartet/rules/pumps").is_ok());
    }

    #[test]
    fn what_opens_the_doors_is_for_the_hub_only() {
        for secret in [
            "$quartet/credentials/things/lamp",
            "$quartet/credentials/#",
            "$quartet/invitations/+",
            "$quartet/+/things/lamp",
            "$quartet/#",
        ] {
            assert!(may_hear(&Who::Anyone, secret).is_err(), "{secret}");
            assert!(may_hear(&Who::hub(), secret).is_ok(), "{secret}");
        }
        for open in ["$quartet/rules/+", "$SYS/#", "#"] {
            assert!(may_hear(&Who::Certified, open).is_ok(), "{open}");
        }
    }

    #[test]
    fn an_element_may_use_its_own_address_only() {
        let lamp = Holder::new("things/lamp", "c1", quartet_model::Time::NEVER);
        let lamp = Who::Holder(Arc::new(lamp));
        assert!(may_say(&lamp, "things/lamp/properties/on").is_ok());
        assert!(may_say(&lamp, "things/lamp/properties/on/desired").is_err());
        assert!(may_say(&lamp, "things/heater/properties/on").is_err());
        assert!(may_say(&lamp, "zigbee2mqtt/lamp").is_err());
        assert!(may_hear(&lamp, "things/lamp/#").is_ok());
        assert!(may_hear(&lamp, "#").is_err());
    }

    #[test]
    fn nobody_but_the_hub_says_that_it_is_a_host() {
        assert!(may_say(&Who::Anyone, "spBv1.0/STATE/quartet").is_err());
        assert!(may_say(&Who::Certified, "spBv1.0/STATE/other").is_ok());
        assert!(may_say(&Who::hub(), "spBv1.0/STATE/quartet").is_ok());
    }

    #[test]
    fn nobody_else_speaks_for_this_computer() {
        let topic = "things/this-computer/properties/processor";
        assert!(may_say(&Who::Certified, topic).is_err());
        assert!(may_say(&Who::Anyone, topic).is_err());
        assert!(may_say(&Who::hub(), topic).is_ok());
        assert!(may_say(&Who::Certified, "things/lamp/properties/on").is_ok());
    }

    #[test]
    fn nobody_but_the_hub_says_what_became_of_a_wish() {
        assert!(may_say(&Who::Anyone, "things/lamp/properties/on/desired").is_err());
        for topic in [
            "things",
            "things/lamp",
            "things/lamp/anything",
            "things/lamp/properties/on/write",
        ] {
            assert!(may_say(&Who::Certified, topic).is_ok(), "{topic}");
        }
    }
}
