//! Filters as a tree of levels, in two flat tables: the nodes, and the edges by hash of
//! (parent, level). A node costs about 80 bytes however many children it has.

use std::hash::{BuildHasher, Hasher};

use compact_str::CompactString;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::topic;

/// Where a filter stands in the tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(u32);

/// No node: the root is nobody's wildcard child.
const NONE: NodeId = NodeId(0);
const ROOT: NodeId = NodeId(0);

struct Node<V> {
    parent: NodeId,
    level: CompactString,
    children: u32,
    single: NodeId,
    multi: NodeId,
    value: V,
}

/// What a node holds must be able to say that it holds nothing.
pub(super) trait Vacant: Default {
    fn is_vacant(&self) -> bool;
}

pub(super) struct Tree<V> {
    nodes: Vec<Node<V>>,
    free: Vec<NodeId>,
    edges: HashTable<NodeId>,
    hasher: FixedState,
}

impl<V: Vacant> Tree<V> {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            nodes: vec![Node {
                parent: ROOT,
                level: CompactString::const_new(""),
                children: 0,
                single: NONE,
                multi: NONE,
                value: V::default(),
            }],
            free: Vec::new(),
            edges: HashTable::new(),
            hasher: FixedState::with_seed(seed),
        }
    }

    pub(super) fn at(&self, node: NodeId) -> &V {
        &self.node(node).value
    }

    pub(super) fn at_mut(&mut self, node: NodeId) -> &mut V {
        &mut self.node_mut(node).value
    }

    fn node(&self, node: NodeId) -> &Node<V> {
        &self.nodes[node.0 as usize]
    }

    fn node_mut(&mut self, node: NodeId) -> &mut Node<V> {
        &mut self.nodes[node.0 as usize]
    }

    fn hash(&self, parent: NodeId, level: &str) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u32(parent.0);
        hasher.write(level.as_bytes());
        hasher.finish()
    }

    fn child(&self, parent: NodeId, level: &str) -> Option<NodeId> {
        let is_it = |&id: &NodeId| {
            let node = self.node(id);
            node.parent == parent && node.level == level
        };
        self.edges.find(self.hash(parent, level), is_it).copied()
    }

    pub(super) fn find(&self, filter: &str) -> Option<NodeId> {
        topic::levels(filter).try_fold(ROOT, |node, level| self.child(node, level))
    }

    /// The node of `filter`, made if it is not there.
    pub(super) fn grow(&mut self, filter: &str) -> NodeId {
        topic::levels(filter).fold(ROOT, |node, level| {
            self.child(node, level)
                .unwrap_or_else(|| self.add_child(node, level))
        })
    }

    fn add_child(&mut self, parent: NodeId, level: &str) -> NodeId {
        let node = Node {
            parent,
            level: level.into(),
            children: 0,
            single: NONE,
            multi: NONE,
            value: V::default(),
        };
        let id = match self.free.pop() {
            Some(id) => {
                *self.node_mut(id) = node;
                id
            }
            None => {
                let id = u32::try_from(self.nodes.len())
                    .expect("limits on subscriptions keep the tree below 2^32 nodes");
                self.nodes.push(node);
                NodeId(id)
            }
        };
        let parent_node = self.node_mut(parent);
        parent_node.children += 1;
        match level {
            "+" => parent_node.single = id,
            "#" => parent_node.multi = id,
            _ => {}
        }
        let hash = self.hash(parent, level);
        let Self {
            nodes,
            edges,
            hasher,
            ..
        } = self;
        edges.insert_unique(hash, id, |id| {
            let node = &nodes[id.0 as usize];
            let mut hasher = hasher.build_hasher();
            hasher.write_u32(node.parent.0);
            hasher.write(node.level.as_bytes());
            hasher.finish()
        });
        id
    }

    /// Takes out the node, and its ancestors, as far as they hold nothing and lead nowhere.
    pub(super) fn prune(&mut self, mut id: NodeId) {
        while id != ROOT {
            let node = self.node(id);
            if node.children != 0 || !node.value.is_vacant() {
                return;
            }
            let parent = node.parent;
            let hash = self.hash(parent, &node.level);
            if let Ok(edge) = self.edges.find_entry(hash, |&edge| edge == id) {
                edge.remove();
            }
            let node = self.node_mut(id);
            node.level = CompactString::const_new("");
            let above = self.node_mut(parent);
            above.children -= 1;
            if above.single == id {
                above.single = NONE;
            }
            if above.multi == id {
                above.multi = NONE;
            }
            self.free.push(id);
            id = parent;
        }
    }

    /// The filter that leads to `node`.
    pub(super) fn path(&self, mut id: NodeId) -> String {
        let mut levels = Vec::new();
        while id != ROOT {
            let node = self.node(id);
            levels.push(&*node.level);
            id = node.parent;
        }
        levels.reverse();
        levels.join("/")
    }

    /// Calls `visit` for each filter that matches `topic`.
    pub(super) fn visit_matching(&mut self, topic: &str, visit: &mut impl FnMut(&mut V)) {
        // A leading wildcard does not match a name that begins with $ [MQTT-4.7.2-1].
        let wildcards = !topic.starts_with('$');
        self.walk(ROOT, Some(topic), wildcards, visit);
    }

    /// As deep as the tree is, which the limit on levels in filters bounds.
    fn walk(
        &mut self,
        id: NodeId,
        rest: Option<&str>,
        wildcards: bool,
        visit: &mut impl FnMut(&mut V),
    ) {
        let Node { single, multi, .. } = *self.node(id);
        if wildcards && multi != NONE {
            visit(self.at_mut(multi)); // "#" also matches its parent.
        }
        let Some(rest) = rest else {
            return visit(self.at_mut(id));
        };
        // Levels are short: a plain loop is done before a search has begun.
        let (level, rest) = match rest.bytes().position(|byte| byte == b'/') {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        if wildcards && single != NONE {
            self.walk(single, rest, true, visit);
        }
        if let Some(child) = self.child(id, level) {
            self.walk(child, rest, true, visit);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node<V>>()
            + self.edges.capacity() * (size_of::<NodeId>() + 1)
            + self.free.capacity() * size_of::<NodeId>()
    }
}
