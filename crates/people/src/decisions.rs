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
/// A longer topic is looked up each time.
const SAID_BYTES_MAX: usize = 62;

/// What was decided for one.
#[derive(Default, Debug)]
pub struct Decisions {
    /// Whether it sees all that comes to it as it is.
    whole: Option<Whole>,
    /// Where it said something last, and may.
    said: Option<Said>,
    /// Whether it may see everything.
    everything: Option<(Verdict, Stamp)>,
    table: HashTable<Decision>,
    hasher: FixedState,
}

/// Of all that somebody asked for: whether it may see it, and have all fields.
#[derive(Debug)]
struct Whole {
    holds: bool,
    until: Time,
    first: Stamp,
    /// Mostly none: somebody asks for one or two things.
    more: Vec<Stamp>,
}

/// A topic at which somebody may say something. Most say it at one topic again and again.
#[derive(Debug)]
struct Said {
    length: u8,
    topic: [u8; SAID_BYTES_MAX],
    until: Time,
    stamp: Stamp,
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
    /// Whether somebody said something at this topic last, and still may.
    pub fn may_say_again(&self, graph: &Graph, topic: &str, now: Time) -> bool {
        self.said.as_ref().is_some_and(|said| {
            said.topic[..usize::from(said.length)] == *topic.as_bytes()
                && now < said.until
                && graph.is_current(&said.stamp)
        })
    }

    /// Whether somebody may say something at a topic, perhaps again.
    pub fn may_say(
        &mut self,
        graph: &Graph,
        who: &str,
        deed: Deed,
        topic: &str,
        now: Time,
    ) -> bool {
        let (verdict, stamp) = decide(graph, who, deed, topic, now);
        let may = verdict.fields == Some(Fields::All);
        if may && topic.len() <= SAID_BYTES_MAX {
            let mut said = Said {
                length: topic.len() as u8,
                topic: [0; SAID_BYTES_MAX],
                until: verdict.until,
                stamp,
            };
            said.topic[..topic.len()].copy_from_slice(topic.as_bytes());
            self.said = Some(said);
        }
        may
    }

    /// Whether somebody sees all that comes to it as it is; `None` if that has to be
    /// [looked at](Self::look_at_whole).
    pub fn sees_whole(&self, graph: &Graph, now: Time) -> Option<bool> {
        let whole = self.whole.as_ref()?;
        let mut more = whole.more.iter();
        let is_known = now < whole.until
            && graph.is_current(&whole.first)
            && more.all(|stamp| graph.is_current(stamp));
        is_known.then_some(whole.holds)
    }

    /// Looks at all that somebody asked for: what it may see of each, and of which element that is (of
    /// the hub, if of none or of several).
    pub fn look_at_whole(
        &mut self,
        graph: &Graph,
        who: &str,
        all: impl IntoIterator<Item = (Verdict, String)>,
    ) -> bool {
        let mut whole = Whole {
            holds: true,
            until: Time::NEVER,
            first: graph.stamp(who, HUB),
            more: Vec::new(),
        };
        let mut is_first = true;
        for (verdict, on) in all {
            whole.holds &= verdict.fields == Some(Fields::All);
            whole.until = whole.until.min(verdict.until);
            let stamp = graph.stamp(who, &on);
            match is_first {
                true => whole.first = stamp,
                false if whole.first == stamp => {}
                false => whole.more.push(stamp),
            }
            is_first = false;
        }
        let holds = whole.holds;
        self.whole = Some(whole);
        holds
    }

    /// Whether that holds until something changes, whatever the time.
    pub fn sees_whole_for_ever(&self) -> bool {
        let whole = self.whole.as_ref();
        whole.is_some_and(|whole| whole.holds && whole.until == Time::NEVER)
    }

    /// It asked for something else.
    pub fn forget_whole(&mut self) {
        self.whole = None;
    }

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
