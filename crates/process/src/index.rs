//! Which filters an event may fit: found by its type and the beginning of its subject or topic, so
//! that the cost grows with the filters that fit, not with all there are.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher, Hash, Hasher},
    slice,
};

use foldhash::quality::RandomState;

use crate::{
    cloud::MESSAGE,
    language::{Filter, event::Match},
    trigger,
};

/// Filters of whatever has a number.
#[derive(Clone, Debug)]
pub struct Index<T> {
    by_type: HashMap<Box<str>, Table<T>>,
    /// Of whatever type.
    any: Table<T>,
    /// Messages by the levels of their topics.
    topics: Topics<T>,
}

/// Filters of one type.
#[derive(Clone, Debug)]
struct Table<T> {
    /// By the whole subject.
    exact: HashMap<Box<str>, Vec<T>>,
    /// By its beginning.
    prefix: HashMap<Box<str>, Vec<T>>,
    /// How long beginnings are.
    lengths: BTreeSet<usize>,
}

/// Filters of topics: those that have the same levels fixed are found with one look.
#[derive(Clone, Debug)]
struct Topics<T> {
    by_levels: HashMap<u64, Few<T>, RandomState>,
    shapes: HashMap<Shape, usize>,
    seed: RandomState,
}

/// Which levels of a filter are fixed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Shape {
    levels: usize,
    /// One bit for each of the first 64.
    fixed: u64,
    /// Whether it ends with `#`.
    is_open: bool,
}

/// One or more: mostly one, and then nothing else is to be fetched.
#[derive(Clone, Debug)]
enum Few<T> {
    One(T),
    More(Vec<T>),
}

impl<T: Copy> Few<T> {
    fn push(&mut self, another: T) {
        match self {
            Self::One(one) => *self = Self::More(vec![*one, another]),
            Self::More(all) => all.push(another),
        }
    }

    fn all(&self) -> &[T] {
        match self {
            Self::One(one) => slice::from_ref(one),
            Self::More(all) => all,
        }
    }
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self {
            by_type: HashMap::new(),
            any: Table::default(),
            topics: Topics {
                by_levels: HashMap::default(),
                shapes: HashMap::new(),
                seed: RandomState::default(),
            },
        }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            prefix: HashMap::new(),
            lengths: BTreeSet::new(),
        }
    }
}

impl<T: Copy + PartialEq> Index<T> {
    /// Adds a filter.
    pub fn insert(&mut self, filter: &Filter, of: T) {
        if let Some(Match::Is(topic)) = filter.attribute("topic")
            && let Some(topic) = topic.as_str()
        {
            return self.topics.insert(topic, of);
        }
        let table = match filter.attribute("type") {
            // A message whose subject is known has a topic that is known.
            Some(Match::Is(kind)) if kind == MESSAGE => {
                if let Some(Match::Is(subject)) = filter.attribute("subject")
                    && let Some(topic) = subject.as_str()
                {
                    return self.topics.insert(topic, of);
                }
                self.by_type.entry(MESSAGE.into()).or_default()
            }
            Some(Match::Is(kind)) => {
                let kind = kind.as_str().unwrap_or_default();
                self.by_type.entry(kind.into()).or_default()
            }
            _ => &mut self.any,
        };
        table.insert(filter, of);
    }

    /// Tells all whose filters may fit an event of this type about this subject, at this topic;
    /// some maybe twice.
    pub fn candidates(&self, kind: &str, subject: &str, topic: &str, found: &mut impl FnMut(T)) {
        if let Some(table) = self.by_type.get(kind) {
            table.candidates(subject, found);
        }
        self.any.candidates(subject, found);
        if kind == MESSAGE {
            self.topics.candidates(topic, found);
        }
    }

    /// Whether there is nothing to be found.
    pub fn is_empty(&self) -> bool {
        self.by_type.is_empty() && self.any.is_empty() && self.topics.shapes.is_empty()
    }
}

impl<T: Copy + PartialEq> Table<T> {
    fn insert(&mut self, filter: &Filter, of: T) {
        match trigger::prefix(filter, "subject") {
            Some((subject, true)) => self.exact.entry((&*subject).into()).or_default().push(of),
            prefix => {
                let prefix = prefix.map(|(prefix, _)| prefix).unwrap_or_default();
                self.lengths.insert(prefix.len());
                self.prefix.entry((&*prefix).into()).or_default().push(of);
            }
        }
    }

    fn candidates(&self, subject: &str, found: &mut impl FnMut(T)) {
        if let Some(all) = self.exact.get(subject) {
            all.iter().copied().for_each(&mut *found);
        }
        for &length in &self.lengths {
            let Some(prefix) = subject.get(..length) else {
                continue;
            };
            if let Some(all) = self.prefix.get(prefix) {
                all.iter().copied().for_each(&mut *found);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.prefix.is_empty()
    }
}

impl<T: Copy + PartialEq> Topics<T> {
    fn insert(&mut self, filter: &str, of: T) {
        let mut shape = Shape {
            levels: 0,
            fixed: 0,
            is_open: false,
        };
        for level in filter.split('/') {
            if level == "#" {
                shape.is_open = true;
                break;
            }
            if level != "+" && shape.levels < 64 {
                shape.fixed |= 1 << shape.levels;
            }
            shape.levels += 1;
        }
        let levels = self.hash(&shape, filter.split('/'));
        let there = self.by_levels.entry(levels);
        let there = there.and_modify(|there| there.push(of));
        there.or_insert(Few::One(of));
        *self.shapes.entry(shape).or_default() += 1;
    }

    fn candidates(&self, topic: &str, found: &mut impl FnMut(T)) {
        if self.shapes.is_empty() {
            return;
        }
        let levels = topic.split('/').count();
        for shape in self.shapes.keys() {
            let fits = match shape.is_open {
                true => shape.levels <= levels,
                false => shape.levels == levels,
            };
            if !fits {
                continue;
            }
            let levels = self.hash(shape, topic.split('/'));
            if let Some(all) = self.by_levels.get(&levels) {
                all.all().iter().copied().for_each(&mut *found);
            }
        }
    }

    /// The shape and the levels that it has fixed, in one number. Two that share one by chance are
    /// told apart when their filters are looked at.
    fn hash<'l>(&self, shape: &Shape, levels: impl Iterator<Item = &'l str>) -> u64 {
        let mut hasher = self.seed.build_hasher();
        shape.hash(&mut hasher);
        for (at, level) in levels.take(shape.levels.min(64)).enumerate() {
            if shape.fixed >> at & 1 == 1 {
                level.hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use quartet_model::Time;
    use serde_json::{Value, json};

    use super::*;
    use crate::language;

    /// Filters as they are written.
    fn filters(all: &[Value]) -> Vec<Filter> {
        let with: Vec<Value> = all.iter().map(|with| json!({ "with": with })).collect();
        let flow = json!({
            "document": {"dsl": "1.0.3", "namespace": "t", "name": "t", "version": "1.0.0"},
            "schedule": {"on": {"any": with}},
            "do": [{"a": {"set": {"x": 1}}}],
        });
        let read = language::read(&flow.to_string()).expect("it is one");
        let on = read.workflow.schedule.and_then(|schedule| schedule.on);
        on.expect("there are some").filters().to_vec()
    }

    #[test]
    fn whatever_fits_is_found_and_little_else_is() {
        let mut all = vec![
            json!({"type": "a.b"}),
            json!({"type": "a.b", "subject": "office/switch-1"}),
            json!({"type": "a.b", "subject": "office/switch-.*"}),
            json!({"type": "a.b", "subject": "office/(switch|light)-1"}),
            json!({"type": "a.b", "subject": "offices?/x"}),
            json!({"type": "a\\..*"}),
            json!({"subject": "office/.*"}),
            json!({"data": {"x": 1}}),
            json!({"topic": "+/+/temperature"}),
            json!({"topic": "rooms/#"}),
            json!({"type": MESSAGE, "subject": "rooms/1/temperature"}),
            json!({"type": MESSAGE}),
            json!({"type": "${ . == \"a.b\" }"}),
        ];
        let special = all.len();
        all.extend((0..1_000).map(|n| json!({"topic": format!("rooms/{n}/temperature")})));
        all.extend((0..1_000).map(|n| json!({"type": format!("kind-{n}"), "subject": "x"})));
        let filters = filters(&all);
        let mut index = Index::default();
        for (at, filter) in filters.iter().enumerate() {
            index.insert(filter, at);
        }
        let events = [
            ("a.b", "office/switch-1", "t"),
            ("a.b", "office/light-1", "t"),
            ("a.b", "office/x", "t"),
            ("a.c", "lab/x", "t"),
            (MESSAGE, "rooms/1/temperature", "rooms/1/temperature"),
            (MESSAGE, "rooms", "rooms"),
            (MESSAGE, "elsewhere", "elsewhere"),
            ("kind-7", "x", "t"),
        ];
        for (kind, subject, topic) in events {
            let event = json!({"type": kind, "subject": subject, "topic": topic, "data": {"x": 1}});
            let values = vec![Arc::default(); language::NAMES.len()];
            let fits = |filter: &Filter| trigger::fits(filter, &event, &values, Time::ZERO).is_ok();
            // Topics are what messages are about; one message is looked at as such once.
            let is_meant = |at: &usize| {
                fits(&filters[*at]) && (kind == MESSAGE || all[*at].get("topic").is_none())
            };
            let meant: BTreeSet<usize> = (0..filters.len()).filter(is_meant).collect();
            let mut found = BTreeSet::new();
            index.candidates(kind, subject, topic, &mut |at| {
                found.insert(at);
            });
            assert!(
                meant.is_subset(&found),
                "{event}: {:?}",
                meant.difference(&found)
            );
            assert!(
                found.len() <= special + 1,
                "{event}: {} are looked at",
                found.len()
            );
        }
    }
}
