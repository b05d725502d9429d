//! The route table: who receives what is published at a topic.
//!
//! One lane owns one table. It holds the lane's own receivers in full; of the other lanes it
//! knows only which of them have a receiver at a filter, and the members of shared
//! subscriptions, of which exactly one on all lanes may be chosen. So it is read without
//! locks, and a change costs as many steps as its filter has levels.

mod receivers; // who stands at one filter
#[cfg(test)]
mod tests;
mod tree; // filters as a tree of levels

use std::hash::Hash;

use quartet_model::Qos;

pub use receivers::Member;
use receivers::{Receivers, Share};
pub use tree::NodeId;
use tree::Tree;

/// A lane's number.
pub type Lane = u8;

/// Lanes in a set of them: one bit each.
pub const LANES_MAX: usize = 64;

/// What a receiver wants of the messages that match one of its filters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wish {
    /// The highest QoS.
    pub qos: Qos,
    /// Not what it published itself.
    pub no_local: bool,
    /// The retain flag as it was published, instead of "this was retained when I came".
    pub retain_as_published: bool,
    /// The number that the receiver gave to its subscription; 0 for none.
    pub id: u32,
}

/// A receiver that gets a message, with what it wants of it.
#[derive(Clone, Copy, Debug)]
pub struct Matched<R> {
    /// Who.
    pub receiver: R,
    /// How.
    pub wish: Wish,
}

/// Everything that matches one topic. Kept between calls, so that a lookup allocates nothing.
#[derive(Debug)]
pub struct Matches<R> {
    /// The lane's own receivers, each once.
    pub own: Vec<Matched<R>>,
    /// Subscription identifiers beyond the first, as (index in `own`, identifier).
    pub more_ids: Vec<(usize, u32)>,
    /// The other lanes that have receivers: one bit each.
    pub lanes: u64,
    /// The chosen members of shared subscriptions.
    pub chosen: Vec<Member<R>>,
    sources: usize,
}

impl<R> Default for Matches<R> {
    fn default() -> Self {
        Self {
            own: Vec::new(),
            more_ids: Vec::new(),
            lanes: 0,
            chosen: Vec::new(),
            sources: 0,
        }
    }
}

impl<R> Matches<R> {
    /// One receiver of the lane alone.
    pub fn one(receiver: R, wish: Wish) -> Self {
        Self {
            own: vec![Matched { receiver, wish }],
            ..Self::default()
        }
    }
}

impl<R: Copy + Ord> Matches<R> {
    fn clear(&mut self) {
        self.own.clear();
        self.more_ids.clear();
        self.chosen.clear();
        self.lanes = 0;
        self.sources = 0;
    }

    /// The subscription identifiers of `own[index]`.
    pub fn ids(&self, index: usize) -> impl Iterator<Item = u32> + '_ {
        let first = Some(self.own[index].wish.id).filter(|&id| id != 0);
        let more = self
            .more_ids
            .iter()
            .filter(move |(of, _)| *of == index)
            .map(|(_, id)| *id);
        first.into_iter().chain(more)
    }

    /// Whether nobody at all gets it.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.lanes == 0 && self.chosen.is_empty()
    }

    /// Makes one delivery of a receiver's overlapping filters: at the highest QoS of all
    /// [MQTT-3.3.4-2], with the identifiers of all [MQTT-3.3.4-3] [MQTT-3.3.4-4].
    fn merge(&mut self) {
        self.own.sort_by_key(|matched| matched.receiver);
        let mut merged: usize = 0;
        for i in 1..self.own.len() {
            let next = self.own[i];
            let into = &mut self.own[merged];
            if into.receiver != next.receiver {
                merged += 1;
                self.own[merged] = next;
                continue;
            }
            if next.wish.id != 0 {
                if into.wish.id == 0 {
                    into.wish.id = next.wish.id;
                } else {
                    self.more_ids.push((merged, next.wish.id));
                }
            }
            into.wish.qos = into.wish.qos.max(next.wish.qos);
            into.wish.no_local &= next.wish.no_local;
            into.wish.retain_as_published |= next.wish.retain_as_published;
        }
        self.own.truncate(merged + 1);
    }
}

/// What a new subscription changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Joined {
    /// Where it stands; what [`Routes::leave`] takes.
    pub node: NodeId,
    /// The receiver did not have this filter before.
    pub is_new: bool,
    /// No receiver of this lane had it: the other lanes must hear of it.
    pub is_first: bool,
}

/// Who receives what. See the module.
pub struct Routes<R> {
    tree: Tree<Receivers<R>>,
    count: usize,
}

impl<R: Copy + Ord + Hash> Routes<R> {
    /// An empty table. `seed` makes its hashes unpredictable to who may choose topics.
    pub fn new(seed: u64) -> Self {
        Self {
            tree: Tree::new(seed),
            count: 0,
        }
    }

    /// How many subscriptions this lane's receivers have.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// From now on `receiver` gets what matches `filter`. The same filter again replaces the
    /// wish [MQTT-3.8.4-3].
    pub fn join(&mut self, filter: &str, receiver: R, wish: Wish) -> Joined {
        let node = self.tree.grow(filter);
        let receivers = self.tree.at_mut(node);
        let is_first = receivers.own_is_empty();
        let is_new = receivers.insert(receiver, wish);
        self.count += usize::from(is_new);
        Joined {
            node,
            is_new,
            is_first: is_first && is_new,
        }
    }

    /// `receiver` no longer gets what matches the filter at `node`. Says whether it did, and
    /// whether it was the lane's last one there.
    pub fn leave(&mut self, node: NodeId, receiver: R) -> Option<Left> {
        let receivers = self.tree.at_mut(node);
        if !receivers.remove(receiver) {
            return None;
        }
        self.count -= 1;
        let left = Left {
            is_last: receivers.own_is_empty(),
        };
        self.tree.prune(node);
        Some(left)
    }

    /// Where exactly this filter stands.
    pub fn find(&self, filter: &str) -> Option<NodeId> {
        self.tree.find(filter)
    }

    /// The filter that stands at `node`.
    pub fn filter_at(&self, node: NodeId) -> String {
        self.tree.path(node)
    }

    /// The wish that `receiver` has at `node`.
    pub fn wish(&self, node: NodeId, receiver: R) -> Option<Wish> {
        self.tree.at(node).wish(receiver)
    }

    /// Notes whether another lane has receivers at `filter`.
    pub fn set_lane(&mut self, filter: &str, lane: Lane, interested: bool) {
        if interested {
            let node = self.tree.grow(filter);
            self.tree.at_mut(node).lanes |= 1 << lane;
        } else if let Some(node) = self.tree.find(filter) {
            self.tree.at_mut(node).lanes &= !(1 << lane);
            self.tree.prune(node);
        }
    }

    /// Adds a member to a shared subscription, or changes its wish. Says whether it is new.
    pub fn share_join(&mut self, share: &str, filter: &str, member: Member<R>) -> bool {
        let node = self.tree.grow(filter);
        Share::of(&mut self.tree.at_mut(node).shares, share).join(member)
    }

    /// Takes a member out of a shared subscription. Says whether it was one.
    pub fn share_leave(&mut self, share: &str, filter: &str, lane: Lane, receiver: R) -> bool {
        let Some(node) = self.tree.find(filter) else {
            return false;
        };
        let was_member = self.tree.at_mut(node).share_leave(share, lane, receiver);
        self.tree.prune(node);
        was_member
    }

    /// Whether a member can take messages now; one that cannot is chosen only if none can.
    pub fn share_online(
        &mut self,
        share: &str,
        filter: &str,
        lane: Lane,
        receiver: R,
        online: bool,
    ) {
        if let Some(node) = self.tree.find(filter) {
            self.tree
                .at_mut(node)
                .share_online(share, lane, receiver, online);
        }
    }

    /// Everyone who receives what is published at `topic`: each of the lane's receivers once,
    /// the other lanes, and one member of each matching share.
    pub fn receivers(&mut self, topic: &str, matches: &mut Matches<R>) {
        matches.clear();
        self.tree.visit_matching(topic, &mut |receivers| {
            matches.lanes |= receivers.lanes;
            receivers.collect_own(&mut matches.own, &mut matches.sources);
            receivers.choose(&mut matches.chosen);
        });
        if 1 < matches.sources {
            matches.merge();
        }
    }

    /// This lane's own receivers only: for what another lane has passed to all others.
    pub fn own_receivers(&mut self, topic: &str, matches: &mut Matches<R>) {
        matches.clear();
        self.tree.visit_matching(topic, &mut |receivers| {
            receivers.collect_own(&mut matches.own, &mut matches.sources);
        });
        if 1 < matches.sources {
            matches.merge();
        }
    }

    /// Bytes that the table holds, about: for `/metrics` and the memory figures.
    pub fn memory_bytes(&self) -> usize {
        self.tree.memory_bytes()
    }
}

/// What the end of a subscription changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Left {
    /// No receiver of this lane has the filter any more: the other lanes must hear of it.
    pub is_last: bool,
}
