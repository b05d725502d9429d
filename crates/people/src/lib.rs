//! People, and whoever else acts: who somebody is, and what they may.
//!
//! How an element comes in (a credential of its own, or an invitation to get one), how a person
//! proves who it is, and what they may then. Nothing in here knows of sockets, clocks or randomness:
//! time and random bytes are arguments.

pub mod account; // how a person proves who it is
pub mod audit; // what happened, in lines that name the ones before
pub mod credentials; // what opens the door to one element
pub mod decisions; // what was decided for one, and still holds
pub mod fields; // which parts of a payload
pub mod filter; // which topics
pub mod graph; // all relations: may she, who may, why not
pub mod holder; // whoever came in with a credential, and what it may
pub mod invitation; // claim codes and fleet keys: once good for a credential
pub mod relation; // from one element to another
pub mod role; // what somebody may who has it
pub mod scim; // people and teams that a directory provisions
pub mod scope; // what a credential is good for at most
pub mod secret; // words that only two know
pub mod throttle; // those who guess wait
mod when; // points in time in documents

/// Whether a topic is where the hub keeps what is for itself only, or a filter matches such topics: what opens its
/// doors, and pictures, which nobody who listens is to be sent.
pub fn is_secret(topic: &str) -> bool {
    let below = topic.strip_prefix("$quartet/");
    let level = below.and_then(|below| below.split('/').next());
    matches!(
        level,
        Some(
            "accounts"
                | "credentials"
                | "invitations"
                | "plans"
                | "provisioned"
                | "relations"
                | "+"
                | "#"
        )
    )
}

/// The element of which the hub keeps a document at a topic: it is kept where the element lives.
pub fn element_at(topic: &str) -> Option<&str> {
    let (folder, element) = topic.strip_prefix("$quartet/")?.split_once('/')?;
    matches!(
        folder,
        "accounts" | "credentials" | "plans" | "provisioned" | "relations"
    )
    .then_some(element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_an_element_are_kept_where_it_lives() {
        for topic in [
            account::topic_of("people/ana"),
            credentials::topic_of("people/ana"),
        ] {
            assert_eq!(element_at(&topic), Some("people/ana"), "{topic}");
            assert!(is_secret(&topic), "{topic}");
        }
        assert_eq!(element_at("$quartet/rules/pumps"), None);
        assert_eq!(element_at("people/ana"), None);
    }
}
