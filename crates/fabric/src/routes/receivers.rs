//! Who stands at one filter: mostly nobody or one, sometimes a hundred thousand.

use std::hash::Hash;

use foldhash::fast::FixedState;
use indexmap::IndexMap;

use super::{Lane, Matched, Wish, tree::Vacant};

/// The receivers at one filter.
pub(super) struct Receivers<R> {
    own: Own<R>,
    /// Other lanes with receivers here: one bit each.
    pub(super) lanes: u64,
    /// Shared subscriptions of this filter; boxed, because most filters have none.
    #[expect(
        clippy::box_collection,
        reason = "8 bytes instead of 24 in each of millions of nodes"
    )]
    pub(super) shares: Option<Box<Vec<Share<R>>>>,
}

enum Own<R> {
    None,
    One(R, Wish),
    Many(Box<IndexMap<R, Wish, FixedState>>),
}

impl<R> Default for Receivers<R> {
    fn default() -> Self {
        Self {
            own: Own::None,
            lanes: 0,
            shares: None,
        }
    }
}

impl<R> Vacant for Receivers<R> {
    fn is_vacant(&self) -> bool {
        matches!(self.own, Own::None) && self.lanes == 0 && self.shares.is_none()
    }
}

impl<R: Copy + Ord + Hash> Receivers<R> {
    pub(super) fn own_is_empty(&self) -> bool {
        matches!(self.own, Own::None)
    }

    /// Says whether the receiver is new here.
    pub(super) fn insert(&mut self, receiver: R, wish: Wish) -> bool {
        match &mut self.own {
            Own::None => {
                self.own = Own::One(receiver, wish);
                true
            }
            Own::One(there, old) if *there == receiver => {
                *old = wish;
                false
            }
            Own::One(there, old) => {
                let both = [(*there, *old), (receiver, wish)];
                self.own = Own::Many(Box::new(both.into_iter().collect()));
                true
            }
            Own::Many(many) => many.insert(receiver, wish).is_none(),
        }
    }

    /// Says whether the receiver was here.
    pub(super) fn remove(&mut self, receiver: R) -> bool {
        let was_here = match &mut self.own {
            Own::One(there, _) if *there == receiver => {
                self.own = Own::None;
                true
            }
            Own::Many(many) => many.swap_remove(&receiver).is_some(),
            _ => false,
        };
        if let Own::Many(many) = &self.own
            && many.is_empty()
        {
            self.own = Own::None;
        }
        was_here
    }

    pub(super) fn wish(&self, receiver: R) -> Option<Wish> {
        match &self.own {
            Own::One(there, wish) if *there == receiver => Some(*wish),
            Own::Many(many) => many.get(&receiver).copied(),
            _ => None,
        }
    }

    /// Adds the lane's own receivers; counts the filters that contributed any.
    pub(super) fn collect_own(&self, into: &mut Vec<Matched<R>>, sources: &mut usize) {
        match &self.own {
            Own::None => return,
            &Own::One(receiver, wish) => into.push(Matched { receiver, wish }),
            Own::Many(many) => into.extend(
                many.iter()
                    .map(|(&receiver, &wish)| Matched { receiver, wish }),
            ),
        }
        *sources += 1;
    }

    /// Adds one member of each share (section 4.8.2).
    pub(super) fn choose(&mut self, into: &mut Vec<Member<R>>) {
        let shares = self.shares.iter_mut().flat_map(|shares| shares.iter_mut());
        into.extend(shares.filter_map(|share| share.choose()));
    }

    pub(super) fn share_leave(&mut self, share: &str, lane: Lane, receiver: R) -> bool {
        let Some(shares) = &mut self.shares else {
            return false;
        };
        let mut was_member = false;
        shares.retain_mut(|there| {
            if &*there.name == share {
                was_member = there.leave(lane, receiver);
            }
            !there.members.is_empty()
        });
        if shares.is_empty() {
            self.shares = None;
        }
        was_member
    }

    pub(super) fn share_online(&mut self, share: &str, lane: Lane, receiver: R, online: bool) {
        let shares = self.shares.iter_mut().flat_map(|shares| shares.iter_mut());
        for there in shares.filter(|there| &*there.name == share) {
            if let Some(member) = there.member_mut(lane, receiver) {
                member.online = online;
            }
        }
    }
}

/// A shared subscription: of its members each message goes to one (section 4.8.2).
pub(super) struct Share<R> {
    name: Box<str>,
    members: Vec<Member<R>>,
    next: usize,
}

/// A member of a shared subscription, on whichever lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member<R> {
    /// The lane that owns the receiver.
    pub lane: Lane,
    /// Who.
    pub receiver: R,
    /// How.
    pub wish: Wish,
    /// Whether it can take messages now.
    pub online: bool,
    /// Names its share and filter wherever that is written down; what the hub gave it.
    pub share: u64,
}

impl<R: Copy + Eq> Share<R> {
    #[expect(clippy::box_collection, reason = "see `Receivers::shares`")]
    pub(super) fn of<'s>(shares: &'s mut Option<Box<Vec<Self>>>, name: &str) -> &'s mut Self {
        let shares = shares.get_or_insert_default();
        let index = shares
            .iter()
            .position(|share| &*share.name == name)
            .unwrap_or_else(|| {
                shares.push(Self {
                    name: name.into(),
                    members: Vec::new(),
                    next: 0,
                });
                shares.len() - 1
            });
        &mut shares[index]
    }

    fn member_mut(&mut self, lane: Lane, receiver: R) -> Option<&mut Member<R>> {
        self.members
            .iter_mut()
            .find(|there| (there.lane, there.receiver) == (lane, receiver))
    }

    pub(super) fn join(&mut self, member: Member<R>) -> bool {
        match self.member_mut(member.lane, member.receiver) {
            Some(there) => {
                *there = member;
                false
            }
            None => {
                self.members.push(member);
                true
            }
        }
    }

    fn leave(&mut self, lane: Lane, receiver: R) -> bool {
        let before = self.members.len();
        self.members
            .retain(|there| (there.lane, there.receiver) != (lane, receiver));
        self.members.len() < before
    }

    /// The next in turn who is online; the next in turn if nobody is.
    fn choose(&mut self) -> Option<Member<R>> {
        let count = self.members.len();
        let mut in_turn = (0..count).map(|i| (self.next + i) % count);
        let chosen = in_turn
            .clone()
            .find(|&i| self.members[i].online)
            .or_else(|| in_turn.next())?;
        self.next = (chosen + 1) % count;
        Some(self.members[chosen])
    }
}
