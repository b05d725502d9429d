//! Who may do what. There are elements with credentials of their own; until persons have accounts,
//! nameless clients of this machine and clients with a certificate that the hub trusts; and the hub
//! itself. Everyone else stays outside.
//!
//! Every refusal has a reason that a person can read.

use std::sync::Arc;

use quartet_fabric::mqtt::{Fault, Reason};
use quartet_model::{Address, Aspect, Kind};
use quartet_people::{holder::Holder, is_secret};
use quartet_things::dialects::sparkplug;

use super::Peer;

/// Who wants something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// Somebody on this machine without a name, or with a trusted certificate.
    Guest,
    /// The same, where `--open` gives every right.
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
            Self::Guest | Self::Anyone => "api".into(),
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
    if peer.is_local || peer.is_certified {
        return Ok(());
    }
    Err(Fault::new(
        Reason::NotAuthorized,
        "nameless clients may come in from this machine only; from others use a user name and a password, or a client certificate",
    ))
}

/// Whether `who` may publish at `topic`.
pub(crate) fn may_publish(who: &Who, topic: &str) -> Result<(), Fault> {
    if let Who::Hub(_) = who {
        return Ok(());
    }
    if topic.starts_with('$') {
        // Nobody but the hub speaks there (section 4.7.2).
        return Err(Fault::new(
            Reason::NotAuthorized,
            "topics that begin with $ are the hub's own; publish under another name",
        ));
    }
    if topic == sparkplug::STATE {
        return Err(Fault::new(
            Reason::NotAuthorized,
            "this says whether the hub is there as a host of Sparkplug nodes; only the hub knows",
        ));
    }
    check_holder(who, topic)?;
    if Address::element_of(topic).is_none() {
        return Ok(());
    }
    match Address::read(topic) {
        Ok(address) if matches!(address.aspect, Aspect::Desired(_)) => Err(Fault::new(
            Reason::NotAuthorized,
            "the hub itself says what became of a wish; write at …/write",
        )),
        Ok(address) if *who != Who::Anyone && is_own(&address) => Err(Fault::new(
            Reason::NotAuthorized,
            "this is said by the hub about itself; others may read it",
        )),
        _ => Ok(()),
    }
}

/// Whether `who` may receive what matches `filter`.
pub(crate) fn may_subscribe(who: &Who, filter: &str) -> Result<(), Fault> {
    if let Who::Hub(_) = who {
        return Ok(());
    }
    if is_secret(filter) {
        return Err(Fault::new(
            Reason::NotAuthorized,
            "what opens the doors of this hub is for itself only; others of its topics can be had by their names",
        ));
    }
    check_holder(who, filter) // A guest may read all else; accounts will bring finer rights.
}

/// Whether an element that came in with a credential may use a topic; others may.
fn check_holder(who: &Who, topic: &str) -> Result<(), Fault> {
    match who {
        Who::Holder(holder) if !holder.may_use(topic) => Err(Fault::new(
            Reason::NotAuthorized,
            "an element may use its own address and the topics that it was granted, and no others",
        )),
        _ => Ok(()),
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

    #[test]
    fn nobody_but_the_hub_speaks_at_dollar_topics() {
        assert!(may_publish(&Who::Anyone, "$SYS/broker/uptime").is_err());
        assert!(may_publish(&Who::hub(), "$quartet/rules/pumps").is_ok());
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
            assert!(may_subscribe(&Who::Anyone, secret).is_err(), "{secret}");
            assert!(may_subscribe(&Who::hub(), secret).is_ok(), "{secret}");
        }
        for open in ["$quartet/rules/+", "$SYS/#", "#"] {
            assert!(may_subscribe(&Who::Guest, open).is_ok(), "{open}");
        }
    }

    #[test]
    fn an_element_may_use_its_own_address_only() {
        let lamp = Holder::new("things/lamp", "c1", quartet_model::Time::NEVER);
        let lamp = Who::Holder(Arc::new(lamp));
        assert!(may_publish(&lamp, "things/lamp/properties/on").is_ok());
        assert!(may_publish(&lamp, "things/lamp/properties/on/desired").is_err());
        assert!(may_publish(&lamp, "things/heater/properties/on").is_err());
        assert!(may_publish(&lamp, "zigbee2mqtt/lamp").is_err());
        assert!(may_subscribe(&lamp, "things/lamp/#").is_ok());
        assert!(may_subscribe(&lamp, "#").is_err());
    }

    #[test]
    fn nobody_but_the_hub_says_that_it_is_a_host() {
        assert!(may_publish(&Who::Anyone, "spBv1.0/STATE/quartet").is_err());
        assert!(may_publish(&Who::Guest, "spBv1.0/STATE/other").is_ok());
        assert!(may_publish(&Who::hub(), "spBv1.0/STATE/quartet").is_ok());
    }

    #[test]
    fn a_guest_cannot_speak_for_this_computer() {
        let topic = "things/this-computer/properties/processor";
        assert!(may_publish(&Who::Guest, topic).is_err());
        assert!(may_publish(&Who::Anyone, topic).is_ok());
        assert!(may_publish(&Who::Guest, "things/lamp/properties/on").is_ok());
    }

    #[test]
    fn nobody_but_the_hub_says_what_became_of_a_wish() {
        assert!(may_publish(&Who::Anyone, "things/lamp/properties/on/desired").is_err());
        for topic in [
            "things",
            "things/lamp",
            "things/lamp/anything",
            "things/lamp/properties/on/write",
        ] {
            assert!(may_publish(&Who::Guest, topic).is_ok(), "{topic}");
        }
    }
}
