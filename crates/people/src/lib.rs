//! People, and whoever else acts: who somebody is, and what they may.
//!
//! So far: how an element comes in (a credential of its own, or an invitation to get one), and what
//! it may then. Accounts, relations and permission of persons come here, too. Nothing in here knows
//! of sockets, clocks or randomness: time and random bytes are arguments.

pub mod credentials; // what opens the door to one element
pub mod decisions; // what was decided for one, and still holds
pub mod fields; // which parts of a payload
pub mod filter; // which topics
pub mod graph; // all relations: may she, who may, why not
pub mod holder; // whoever came in with a credential, and what it may
pub mod invitation; // claim codes and fleet keys: once good for a credential
pub mod relation; // from one element to another
pub mod role; // what somebody may who has it
pub mod secret; // words that only two know
pub mod throttle; // those who guess wait
mod when; // points in time in documents

/// Whether a topic is where the hub keeps what opens its doors, or a filter matches such topics.
pub fn is_secret(topic: &str) -> bool {
    let below = topic.strip_prefix("$quartet/");
    let level = below.and_then(|below| below.split('/').next());
    matches!(
        level,
        Some("credentials" | "invitations" | "relations" | "+" | "#")
    )
}
