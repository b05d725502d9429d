//! All relations between elements, so that "may she?" is a walk of a few steps.
//!
//! Who is meant climbs from team to team (`memberOf`, `onDuty`), what is meant from place to place
//! (`in`, and everything is in the hub); a role from one of the former to one of the latter is a
//! permission. There may be cycles. Nothing in here is the truth: it follows from documents.

mod ask; // may she? who may? what may she?
mod climb; // from an element to all that it belongs to, and back
mod explain; // by which path, or what is missing

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::FixedState;
use quartet_model::{Kind, Time};

pub use ask::{Question, Verdict};
pub use explain::{Access, Explanation, Link, Missing, Near};

use crate::{
    relation::{HUB, Relation, Sort},
    role::{self, Role},
};

/// An element in the graph, as long as it has relations.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Node(u32);

/// What a relation is called, or which role it gives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Name(u16);

const MEMBER_OF: Name = Name(0);
const IN: Name = Name(1);
const ON_DUTY: Name = Name(2);
const CONSENTS_TO: Name = Name(3);
const OTHERS: u16 = 4;
/// There are no more names of roles; those beyond give nothing.
const NAMES_MAX: usize = u16::MAX as usize;

/// Under which conditions a relation holds.
#[derive(Clone, PartialEq, Eq, Debug)]
struct When {
    from: Time,
    until: Time,
    while_on_duty: bool,
    while_true: Option<Arc<str>>,
    with_consent: bool,
    break_glass: bool,
}

/// The place of [`When`] in the list of those that are not "always".
type WhenAt = u32;
const ALWAYS: WhenAt = u32::MAX;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Edge {
    to: Node,
    name: Name,
    when: WhenAt,
}

#[derive(Debug)]
struct Entry {
    key: Arc<str>,
    kind: Kind,
    /// To what it belongs, and whom it consents to.
    up: Vec<Edge>,
    /// Roles that it has, by where.
    roles: Vec<Edge>,
    /// What belongs to it; each once.
    below: Vec<Node>,
    /// Who has a role there; each once.
    holders: Vec<Node>,
}

/// What is known of a property that conditions are about.
#[derive(Default, Debug)]
struct Fact {
    is_true: bool,
    /// Who has relations with this condition, as often as that is.
    of: Vec<Node>,
}

/// The graph.
#[derive(Debug)]
pub struct Graph {
    by_key: HashMap<Arc<str>, Node, FixedState>,
    entries: Vec<Entry>,
    /// Of each node, how often something changed that may change what it may, or what may be done
    /// with it. Beside the entries, because each message asks for two of them.
    epochs: Vec<u32>,
    free: Vec<Node>,
    hub: Node,
    names: Vec<(Arc<str>, Option<Arc<Role>>)>,
    by_name: HashMap<Arc<str>, Name, FixedState>,
    whens: Vec<When>,
    whens_free: Vec<WhenAt>,
    facts: HashMap<Arc<str>, Fact, FixedState>,
    /// How often an element came in that was not there.
    births: u32,
    /// How often a role changed.
    role_changes: u32,
    /// Grows with each change of anything.
    version: u64,
    relations: usize,
}

/// What a decision follows from; while that is as it was, so is the decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp {
    who: (Node, u32),
    on: (Node, u32),
    role_changes: u32,
}

/// Stands in a stamp for what is not in the graph; with the births, for it may come in.
const NOBODY: Node = Node(u32::MAX);

impl Graph {
    /// One without relations, with the roles that are built in. The seed makes its hashes
    /// unpredictable.
    pub fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        let mut graph = Self {
            by_key: HashMap::with_hasher(hasher.clone()),
            entries: Vec::new(),
            epochs: Vec::new(),
            free: Vec::new(),
            hub: Node(0),
            names: Vec::new(),
            by_name: HashMap::with_hasher(hasher.clone()),
            whens: Vec::new(),
            whens_free: Vec::new(),
            facts: HashMap::with_hasher(hasher),
            births: 0,
            role_changes: 0,
            version: 1,
            relations: 0,
        };
        for name in ["memberOf", "in", "onDuty", "consentsTo"] {
            graph.name(name);
        }
        for (name, role) in role::built_in() {
            graph.set_role(name, Some(role));
        }
        graph.hub = graph.node(HUB);
        graph
    }

    /// How many relations there are.
    pub fn len(&self) -> usize {
        self.relations
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.relations == 0
    }

    /// What it holds in memory, about: without the texts of roles.
    pub fn memory_bytes(&self) -> usize {
        let entry = |entry: &Entry| {
            (entry.up.capacity() + entry.roles.capacity()) * size_of::<Edge>()
                + (entry.below.capacity() + entry.holders.capacity()) * size_of::<Node>()
                + entry.key.len()
                + 16
        };
        self.entries.iter().map(entry).sum::<usize>()
            + self.epochs.capacity() * size_of::<u32>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.by_key.capacity() * (size_of::<(Arc<str>, Node)>() + 1)
            + self.whens.capacity() * size_of::<When>()
    }

    /// The role that is called so.
    pub fn role(&self, name: &str) -> Option<&Arc<Role>> {
        let Name(at) = self.by_name.get(name)?;
        self.names[usize::from(*at)].1.as_ref()
    }

    /// All roles that there are, by name.
    pub fn roles(&self) -> impl Iterator<Item = (&str, &Arc<Role>)> {
        let all = self.names.iter();
        all.filter_map(|(name, role)| Some((&**name, role.as_ref()?)))
    }

    /// A role is this from now on, or is no more.
    pub fn set_role(&mut self, name: &str, role: Option<Role>) {
        if Sort::of(name) != Sort::Role {
            return;
        }
        if let Some(Name(at)) = self.name(name) {
            self.names[usize::from(at)].1 = role.map(Arc::new);
            self.role_changes += 1;
            self.version += 1;
        }
    }

    /// Another one after each change of anything; never 0.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether a condition is about this property.
    pub fn has_fact(&self, topic: &str) -> bool {
        self.facts.contains_key(topic)
    }

    /// A property that conditions are about has this value: is it true?
    pub fn set_fact(&mut self, topic: &str, is_true: bool) {
        let Some(fact) = self.facts.get_mut(topic) else {
            return;
        };
        if fact.is_true != is_true {
            fact.is_true = is_true;
            self.version += 1;
            let of = fact.of.clone();
            for node in of {
                self.age(node, &[MEMBER_OF, ON_DUTY]);
            }
        }
    }

    /// The relations from an element are these from now on. Gives the properties that conditions
    /// are about since now; nothing is known of them yet.
    pub fn set_relations<'r>(
        &mut self,
        key: &str,
        relations: impl IntoIterator<Item = &'r Relation>,
    ) -> Vec<Arc<str>> {
        let relations: Vec<&Relation> = relations.into_iter().collect();
        if relations.is_empty() && !self.by_key.contains_key(key) {
            return Vec::new();
        }
        let Some(node) = self.node_of(key) else {
            return Vec::new(); // Not the key of an element.
        };
        self.version += 1;
        let mut new_facts = Vec::new();
        let before = self.take_edges(node);
        let mut now: Vec<(Edge, When)> = Vec::with_capacity(relations.len());
        for relation in relations {
            let (Some(to), Some(name)) =
                (self.node_of(&relation.to), self.name(&relation.relation))
            else {
                continue;
            };
            let when = When::of(relation);
            let edge = Edge {
                to,
                name,
                when: ALWAYS,
            };
            now.push((edge, when));
        }
        now.sort_by_key(|(edge, _)| (edge.to, edge.name));
        self.relations += now.len();
        let changed = changes(&before, &now);
        self.put_edges(node, now, &mut new_facts);
        let touched: Vec<Node> = before.iter().map(|(edge, _)| edge.to).collect();
        if changed.who {
            self.age(node, &[MEMBER_OF, ON_DUTY]);
        }
        if changed.what {
            self.age(node, &[IN]);
        }
        for to in touched {
            self.forget_if_alone(to);
        }
        self.forget_if_alone(node);
        self.facts.retain(|_, fact| !fact.of.is_empty());
        new_facts.retain(|topic| self.facts.contains_key(topic));
        new_facts
    }

    /// What a decision about these would follow from.
    pub(crate) fn stamp(&self, who: &str, on: &str) -> Stamp {
        let find = |key: &str| {
            let node = self.by_key.get(key).copied().unwrap_or(NOBODY);
            (node, self.epoch(node))
        };
        Stamp {
            who: find(who),
            on: find(on),
            role_changes: self.role_changes,
        }
    }

    /// Whether nothing changed that matters.
    pub(crate) fn is_current(&self, stamp: &Stamp) -> bool {
        let is_same = |(node, epoch): (Node, u32)| self.epoch(node) == epoch;
        stamp.role_changes == self.role_changes && is_same(stamp.who) && is_same(stamp.on)
    }

    fn entry(&self, Node(at): Node) -> &Entry {
        &self.entries[at as usize]
    }

    fn entry_mut(&mut self, Node(at): Node) -> &mut Entry {
        &mut self.entries[at as usize]
    }

    fn epoch(&self, Node(at): Node) -> u32 {
        let epoch = self.epochs.get(at as usize);
        epoch.copied().unwrap_or(self.births)
    }

    fn grow_older(&mut self, Node(at): Node) {
        let epoch = &mut self.epochs[at as usize];
        *epoch = epoch.wrapping_add(1);
    }

    fn key(&self, node: Node) -> &Arc<str> {
        &self.entry(node).key
    }

    fn role_of(&self, Name(at): Name) -> Option<&Arc<Role>> {
        self.names[usize::from(at)].1.as_ref()
    }

    fn name_of(&self, Name(at): Name) -> &str {
        &self.names[usize::from(at)].0
    }

    fn when(&self, at: WhenAt) -> Option<&When> {
        (at != ALWAYS).then(|| &self.whens[at as usize])
    }

    fn is_true(&self, topic: &str) -> bool {
        self.facts.get(topic).is_some_and(|fact| fact.is_true)
    }

    fn name(&mut self, name: &str) -> Option<Name> {
        if let Some(known) = self.by_name.get(name) {
            return Some(*known);
        }
        if NAMES_MAX <= self.names.len() {
            return None;
        }
        let new = Name(self.names.len() as u16);
        let name: Arc<str> = name.into();
        self.names.push((Arc::clone(&name), None));
        self.by_name.insert(name, new);
        Some(new)
    }

    /// The node of an element, which is made if need be; `None` for what is no element's key.
    fn node_of(&mut self, key: &str) -> Option<Node> {
        match self.by_key.get(key) {
            Some(node) => Some(*node),
            None => kind_of(key).map(|_| self.node(key)),
        }
    }

    fn node(&mut self, key: &str) -> Node {
        let kind = kind_of(key).unwrap_or(Kind::Place);
        let key: Arc<str> = key.into();
        let node = match self.free.pop() {
            Some(node) => {
                let entry = self.entry_mut(node);
                entry.key = Arc::clone(&key);
                entry.kind = kind;
                node
            }
            None => {
                let node = Node(self.entries.len() as u32);
                self.entries.push(Entry {
                    key: Arc::clone(&key),
                    kind,
                    up: Vec::new(),
                    roles: Vec::new(),
                    below: Vec::new(),
                    holders: Vec::new(),
                });
                self.epochs.push(0);
                node
            }
        };
        self.births += 1;
        self.by_key.insert(key, node);
        node
    }

    fn forget_if_alone(&mut self, node: Node) {
        let entry = self.entry(node);
        let has_any = !entry.up.is_empty()
            || !entry.roles.is_empty()
            || !entry.below.is_empty()
            || !entry.holders.is_empty();
        // It may be forgotten already: several relations led there.
        if has_any || node == self.hub || self.by_key.get(&entry.key) != Some(&node) {
            return;
        }
        let key = Arc::clone(&entry.key);
        self.by_key.remove(&key);
        self.grow_older(node);
        let entry = self.entry_mut(node);
        entry.key = "".into();
        entry.up = Vec::new();
        entry.roles = Vec::new();
        entry.below = Vec::new();
        entry.holders = Vec::new();
        self.free.push(node);
    }

    /// Takes all edges from a node out, in order.
    fn take_edges(&mut self, node: Node) -> Vec<(Edge, When)> {
        let entry = self.entry_mut(node);
        let (up, roles) = (
            std::mem::take(&mut entry.up),
            std::mem::take(&mut entry.roles),
        );
        let mut last = None;
        for edge in &up {
            if edge.name != CONSENTS_TO && last != Some(edge.to) {
                remove(&mut self.entry_mut(edge.to).below, node);
                last = Some(edge.to);
            }
        }
        let mut last = None;
        for edge in &roles {
            if last != Some(edge.to) {
                remove(&mut self.entry_mut(edge.to).holders, node);
                last = Some(edge.to);
            }
        }
        let mut taken = Vec::with_capacity(up.len() + roles.len());
        for edge in up.into_iter().chain(roles) {
            let when = match self.when(edge.when) {
                None => When::ALWAYS,
                Some(when) => {
                    let when = when.clone();
                    self.whens_free.push(edge.when);
                    when
                }
            };
            if let Some(fact) = when
                .while_true
                .as_ref()
                .and_then(|at| self.facts.get_mut(at))
            {
                remove(&mut fact.of, node);
            }
            let edge = Edge {
                when: ALWAYS,
                ..edge
            };
            taken.push((edge, when));
        }
        self.relations -= taken.len();
        taken.sort_by_key(|(edge, _)| (edge.to, edge.name));
        taken
    }

    /// Puts edges in that are in order, where none were.
    fn put_edges(&mut self, node: Node, edges: Vec<(Edge, When)>, new_facts: &mut Vec<Arc<str>>) {
        let (mut last_up, mut last_role) = (None, None);
        for (edge, when) in edges {
            if let Some(topic) = &when.while_true {
                let fact = self.facts.entry(Arc::clone(topic)).or_insert_with(|| {
                    new_facts.push(Arc::clone(topic));
                    Fact::default()
                });
                fact.of.push(node);
            }
            let edge = Edge {
                when: self.put_when(when),
                ..edge
            };
            if OTHERS <= edge.name.0 {
                if last_role != Some(edge.to) {
                    self.entry_mut(edge.to).holders.push(node);
                    last_role = Some(edge.to);
                }
                self.entry_mut(node).roles.push(edge);
                continue;
            }
            if edge.name != CONSENTS_TO && last_up != Some(edge.to) {
                self.entry_mut(edge.to).below.push(node);
                last_up = Some(edge.to);
            }
            self.entry_mut(node).up.push(edge);
        }
    }

    fn put_when(&mut self, when: When) -> WhenAt {
        if when == When::ALWAYS {
            return ALWAYS;
        }
        match self.whens_free.pop() {
            Some(at) => {
                self.whens[at as usize] = when;
                at
            }
            None => {
                self.whens.push(when);
                (self.whens.len() - 1) as WhenAt
            }
        }
    }

    /// Something changed for a node and all below it: what was decided about them is void.
    fn age(&mut self, node: Node, by: &[Name]) {
        for node in self.all_below(node, by) {
            self.grow_older(node);
        }
    }
}

impl When {
    const ALWAYS: Self = Self {
        from: Time::ZERO,
        until: Time::NEVER,
        while_on_duty: false,
        while_true: None,
        with_consent: false,
        break_glass: false,
    };

    fn of(relation: &Relation) -> Self {
        Self {
            from: relation.from,
            until: relation.until,
            while_on_duty: relation.while_on_duty,
            while_true: relation.while_true.as_deref().map(Arc::from),
            with_consent: relation.with_consent,
            break_glass: relation.break_glass,
        }
    }

    /// Whether it is the time, and until when that stays so.
    fn is_now(&self, now: Time) -> (bool, Time) {
        if now < self.from {
            (false, self.from)
        } else if self.until <= now {
            (false, Time::NEVER)
        } else {
            (true, self.until)
        }
    }
}

/// For whom something changed.
struct Changes {
    /// For the element and its members, as those who act.
    who: bool,
    /// For the element and what is in it, as what is acted upon.
    what: bool,
}

/// What changed between two lists of edges in order.
fn changes(before: &[(Edge, When)], now: &[(Edge, When)]) -> Changes {
    let is_in = |edge: &(Edge, When), all: &[(Edge, When)]| {
        let order = |other: &(Edge, When)| (other.0.to, other.0.name);
        let first = all.partition_point(|other| order(other) < order(edge));
        let mut same = all[first..]
            .iter()
            .take_while(|other| order(other) == order(edge));
        same.any(|other| other == edge)
    };
    let gone = before.iter().filter(|edge| !is_in(edge, now));
    let come = now.iter().filter(|edge| !is_in(edge, before));
    let mut changes = Changes {
        who: before.len() != now.len(), // The same twice, and once no more.
        what: before.len() != now.len(),
    };
    for (edge, _) in gone.chain(come) {
        match edge.name {
            IN | CONSENTS_TO => changes.what = true,
            _ => changes.who = true,
        }
    }
    changes
}

/// The kind of an element, by its key.
fn kind_of(key: &str) -> Option<Kind> {
    let (folder, id) = key.split_once('/')?;
    (!id.is_empty() && !id.contains('/'))
        .then(|| Kind::of_folder(folder))
        .flatten()
}

fn remove(from: &mut Vec<Node>, node: Node) {
    if let Some(at) = from.iter().position(|there| *there == node) {
        from.swap_remove(at);
    }
}

#[cfg(test)]
mod tests;
