//! Who may do what. Until accounts exist there are nameless clients of this machine, clients
//! with a certificate that the hub trusts, and the hub itself; everyone else stays outside.
//!
//! Every refusal has a reason that a person can read.

use quartet_fabric::mqtt::{Connect, Fault, Reason};
use quartet_model::{Address, Aspect, Kind};
use quartet_things::dialects::sparkplug;

use super::Peer;

/// Who wants something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// Somebody on this machine without a name, or with a trusted certificate.
    Guest,
    /// The same, where `--open` gives every right.
    Anyone,
    /// The hub, which has looked at what it was asked for.
    Hub,
}

/// Whether somebody may come in at all.
pub(super) fn may_enter(peer: Peer, connect: &Connect) -> Result<(), Fault> {
    if peer.is_local || peer.is_certified {
        return Ok(());
    }
    if connect.login.user_name.is_some() || connect.login.password.is_some() {
        return Err(Fault::new(
            Reason::BadUserNameOrPassword,
            "this hub has no accounts yet, so no name and password opens it from another machine; use a client certificate",
        ));
    }
    Err(Fault::new(
        Reason::NotAuthorized,
        "nameless clients may come in from this machine only; from others use a client certificate",
    ))
}

/// Whether `who` may publish at `topic`.
pub(crate) fn may_publish(who: Who, topic: &str) -> Result<(), Fault> {
    if who == Who::Hub {
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
    if Address::element_of(topic).is_none() {
        return Ok(());
    }
    match Address::read(topic) {
        Ok(address) if matches!(address.aspect, Aspect::Desired(_)) => Err(Fault::new(
            Reason::NotAuthorized,
            "the hub itself says what became of a wish; write at …/write",
        )),
        Ok(address) if who != Who::Anyone && is_own(&address) => Err(Fault::new(
            Reason::NotAuthorized,
            "this is said by the hub about itself; others may read it",
        )),
        _ => Ok(()),
    }
}

/// Whether `who` may receive what matches `filter`.
pub(super) fn may_subscribe(_who: Who, _filter: &str) -> Result<(), Fault> {
    Ok(()) // A guest may read everything; accounts will bring finer rights.
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
        assert!(may_publish(Who::Anyone, "$SYS/broker/uptime").is_err());
        assert!(may_publish(Who::Hub, "$quartet/rules/pumps").is_ok());
    }

    #[test]
    fn nobody_but_the_hub_says_that_it_is_a_host() {
        assert!(may_publish(Who::Anyone, "spBv1.0/STATE/quartet").is_err());
        assert!(may_publish(Who::Guest, "spBv1.0/STATE/other").is_ok());
        assert!(may_publish(Who::Hub, "spBv1.0/STATE/quartet").is_ok());
    }

    #[test]
    fn a_guest_cannot_speak_for_this_computer() {
        let topic = "things/this-computer/properties/processor";
        assert!(may_publish(Who::Guest, topic).is_err());
        assert!(may_publish(Who::Anyone, topic).is_ok());
        assert!(may_publish(Who::Guest, "things/lamp/properties/on").is_ok());
    }

    #[test]
    fn nobody_but_the_hub_says_what_became_of_a_wish() {
        assert!(may_publish(Who::Anyone, "things/lamp/properties/on/desired").is_err());
        for topic in [
            "things",
            "things/lamp",
            "things/lamp/anything",
            "things/lamp/properties/on/write",
        ] {
            assert!(may_publish(Who::Guest, topic).is_ok(), "{topic}");
        }
    }
}
