//! From an element to all that it belongs to, and from there back to all that belongs to it.

use std::collections::HashSet;

use foldhash::fast::FixedState;
use quartet_model::Time;

use super::{Edge, Graph, IN, MEMBER_OF, Name, Node, ON_DUTY, WhenAt};

/// An element belongs to no more others than that; what is beyond gives it nothing.
pub(super) const CLIMB_MAX: usize = 4096;
/// So many are looked through one by one; more are hashed.
const FEW: usize = 24;

/// One of those that an element belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) node: Node,
    /// The step from which it was reached, and by what; none for the element itself.
    pub(super) by: Option<(u32, Name, WhenAt)>,
}

/// All that an element belongs to, itself first, the nearer before the farther.
#[derive(Default, Debug)]
pub(super) struct Climb {
    pub(super) steps: Vec<Step>,
    seen: HashSet<Node, FixedState>,
}

impl Climb {
    pub(super) fn has(&self, node: Node) -> bool {
        match self.steps.len() {
            0..=FEW => self.steps.iter().any(|step| step.node == node),
            _ => self.seen.contains(&node),
        }
    }

    pub(super) fn add(&mut self, step: Step) {
        if CLIMB_MAX <= self.steps.len() || self.has(step.node) {
            return;
        }
        self.steps.push(step);
        match self.steps.len() {
            ..=FEW => {}
            len if len == FEW + 1 => self.seen.extend(self.steps.iter().map(|step| step.node)),
            _ => {
                self.seen.insert(step.node);
            }
        }
    }

    /// The steps from the element to one of those, in order, without the element itself.
    pub(super) fn way_to(&self, at: usize) -> Vec<Step> {
        let mut way = Vec::new();
        let mut step = self.steps[at];
        while let Some((before, ..)) = step.by {
            way.push(step);
            step = self.steps[before as usize];
        }
        way.reverse();
        way
    }
}

/// Which relations lead on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Upwards {
    /// From members to teams.
    Teams,
    /// From what is in something to that.
    Places,
}

impl Upwards {
    fn follows(self, name: Name) -> bool {
        match self {
            Self::Teams => name == MEMBER_OF || name == ON_DUTY,
            Self::Places => name == IN,
        }
    }
}

impl Graph {
    /// All that an element belongs to now. `until` becomes no later than when that may change by
    /// time alone. Without `now` all relations count, whatever their times.
    pub(super) fn climb(
        &self,
        from: Option<Node>,
        way: Upwards,
        now: Option<Time>,
        until: &mut Time,
    ) -> Climb {
        let mut climb = Climb::default();
        if let Some(node) = from {
            climb.add(Step { node, by: None });
        }
        let mut at = 0;
        while at < climb.steps.len() {
            for edge in &self.entry(climb.steps[at].node).up {
                if way.follows(edge.name) && now.is_none_or(|now| self.is_now(edge, now, until)) {
                    let by = Some((at as u32, edge.name, edge.when));
                    climb.add(Step { node: edge.to, by });
                }
            }
            at += 1;
        }
        climb
    }

    /// Whether it is the time of a relation.
    pub(super) fn is_now(&self, edge: &Edge, now: Time, until: &mut Time) -> bool {
        match self.when(edge.when) {
            None => true,
            Some(when) => {
                let (is_now, change) = when.is_now(now);
                *until = change.min(*until);
                is_now
            }
        }
    }

    /// The teams for which somebody is on duty now: for each of them there is a way to it with
    /// at least one `onDuty`.
    pub(super) fn duties(&self, who: Node, now: Time, until: &mut Time) -> Climb {
        let teams = self.climb(Some(who), Upwards::Teams, Some(now), until);
        let mut duties = Climb::default();
        for step in &teams.steps {
            for edge in &self.entry(step.node).up {
                if edge.name == ON_DUTY && self.is_now(edge, now, until) {
                    let by = None;
                    duties.add(Step { node: edge.to, by });
                }
            }
        }
        let mut at = 0;
        while at < duties.steps.len() {
            for edge in &self.entry(duties.steps[at].node).up {
                if Upwards::Teams.follows(edge.name) && self.is_now(edge, now, until) {
                    let by = None;
                    duties.add(Step { node: edge.to, by });
                }
            }
            at += 1;
        }
        duties
    }

    /// A node and all that is below it by these relations, whatever their times.
    pub(super) fn all_below(&self, node: Node, by: &[Name]) -> Vec<Node> {
        self.below(node, |edge| by.contains(&edge.name))
    }

    /// A node and all that is below it now.
    pub(super) fn below_now(&self, node: Node, way: Upwards, now: Time) -> Vec<Node> {
        self.below(node, |edge| {
            way.follows(edge.name) && self.is_now(edge, now, &mut Time::NEVER.clone())
        })
    }

    fn below(&self, node: Node, follows: impl Fn(&Edge) -> bool) -> Vec<Node> {
        let mut all = vec![node];
        let mut seen: HashSet<Node, FixedState> = HashSet::default();
        seen.insert(node);
        let mut at = 0;
        while at < all.len() {
            let to = all[at];
            for &from in &self.entry(to).below {
                let mut edges = edges_to(&self.entry(from).up, to).iter();
                if !seen.contains(&from) && edges.any(&follows) {
                    seen.insert(from);
                    all.push(from);
                }
            }
            at += 1;
        }
        all
    }
}

/// Those of edges in order that lead to a node.
pub(super) fn edges_to(edges: &[Edge], to: Node) -> &[Edge] {
    let first = edges.partition_point(|edge| edge.to < to);
    let count = edges[first..]
        .iter()
        .take_while(|edge| edge.to == to)
        .count();
    &edges[first..first + count]
}
