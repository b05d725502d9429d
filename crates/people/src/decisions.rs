//! What was decided for one who asks again and again, and still holds.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use quartet_model::{Address, Time};

use crate::{
    fields::Fields,
    graph::{Graph, Stamp, Verdict},
    relation::HUB,
    role::Deed,
};

/// So many are remembered; then all are forgotten.
const REMEMBERED_MAX: usize = 4096;

/// What was decided for one.
#[derive(Default, Debug)]
pub struct Decisions {
    /// Whether it may see everything.
    everything: Option<(Verdict, Stamp)>,
    table: HashTable<Decision>,
    hasher: FixedState,
}

#[derive(Debug)]
struct Decision {
    deed: Deed,
    topic: Box<str>,
    verdict: Verdict,
    stamp: Stamp,
}

impl Decisions {
    /// Which fields somebody may have of what is at a topic, or may say there; `None` if none.
    pub fn may(
        &mut self,
        graph: &Graph,
        who: &str,
        deed: Deed,
        topic: &str,
        now: Time,
    ) -> Option<Fields> {
        let hash = self.hasher.hash_one((deed, topic));
        let is_it = |there: &Decision| there.deed == deed && *there.topic == *topic;
        if let Some(known) = self.table.find_mut(hash, is_it) {
            if known.verdict.until <= now || !graph.is_current(&known.stamp) {
                (known.verdict, known.stamp) = decide(graph, who, deed, topic, now);
            }
            return known.verdict.fields.clone();
        }
        if REMEMBERED_MAX <= self.table.len() {
            self.table.clear();
        }
        let (verdict, stamp) = decide(graph, who, deed, topic, now);
        let fields = verdict.fields.clone();
        let decision = Decision {
            deed,
            topic: topic.into(),
            verdict,
            stamp,
        };
        let hasher = &self.hasher;
        self.table.insert_unique(hash, decision, |there| {
            hasher.hash_one((there.deed, &*there.topic))
        });
        fields
    }
}

impl Decisions {
    /// Whether somebody may see all that there is: of elements, and at plain topics.
    pub fn sees_all(&mut self, graph: &Graph, who: &str, now: Time) -> bool {
        let is_known =
            |(verdict, stamp): &(Verdict, Stamp)| now < verdict.until && graph.is_current(stamp);
        if !self.everything.as_ref().is_some_and(is_known) {
            self.everything = Some((graph.sees_all(who, now), graph.stamp(who, HUB)));
        }
        let known = self.everything.as_ref();
        known.is_some_and(|(verdict, _)| verdict.is_allowed())
    }
}

/// Whether somebody may do something at a topic: an element's address, or a plain one.
fn decide(graph: &Graph, who: &str, deed: Deed, topic: &str, now: Time) -> (Verdict, Stamp) {
    let on = Address::element_of(topic).unwrap_or(HUB);
    (graph.may_do(who, deed, topic, now), graph.stamp(who, on))
}

// Each message of a reader that may see a part only looks at one: it should be in one cache line.
const _: () = assert!(size_of::<Decision>() <= 64);
