use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use foldhash::fast::FixedState;
use quartet_model::Time;
use slotmap::SlotMap;

use crate::{
    Value,
    ask::Excerpt,
    chunk::{Chunk, Open},
};

/// Points of one series, about: a day of one a second, and a little more.
const POINTS_MAX: usize = 100_000;
/// A clock that is set back by more begins a series anew; by less, and time stands still for a moment.
const BACK: Duration = Duration::from_secs(60);
/// What a series takes beside its points: its places in the tables and their names.
const BESIDE_BYTES: usize = 160;
/// Series whose age is found out anew when something must go.
const LOOKED_AT_MAX: usize = 32;

slotmap::new_key_type! {
    struct SeriesKey;
}

/// A series of an element, by its name.
type Named = (Box<str>, SeriesKey);

/// The recent values of the elements of one lane, within so many bytes.
///
/// A series is what was reported of one property, or of one member of it, named by the property's name and
/// the JSON pointer behind it: `temperature`, `memory/used_bytes`. When there is no room, the points go first
/// whose last one is the oldest, 256 at once, of whichever series.
#[derive(Debug)]
pub struct Head {
    by_key: HashMap<Box<str>, Vec<Named>, FixedState>,
    series: SlotMap<SeriesKey, Series>,
    /// Each series by when its oldest points ended, or before that: found out when it matters.
    by_age: BTreeSet<(Time, SeriesKey)>,
    bytes_max: usize,
    bytes: usize,
    points: usize,
    let_go: u64,
    begun: Time,
}

/// How much there is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Figures {
    /// Series.
    pub series: u64,
    /// Points of all of them.
    pub points: u64,
    /// Memory that they take.
    pub bytes: u64,
    /// Points that made room for others, since the start.
    pub let_go: u64,
}

#[derive(Debug)]
struct Series {
    key: Box<str>,
    name: Box<str>,
    sealed: VecDeque<Arc<Chunk>>,
    sealed_bytes: usize,
    open: Open,
    points: usize,
    /// As it stands in `by_age`.
    age: Time,
    /// All that was reported since is in here.
    since: Time,
}

impl Head {
    /// One without values, which has room for so many bytes; 0 for none at all.
    pub fn new(bytes_max: usize, seed: u64) -> Self {
        Self {
            by_key: HashMap::with_hasher(FixedState::with_seed(seed)),
            series: SlotMap::with_key(),
            by_age: BTreeSet::new(),
            bytes_max,
            bytes: 0,
            points: 0,
            let_go: 0,
            begun: Time::ZERO,
        }
    }

    /// From now on all that is reported is noted.
    pub fn begin(&mut self, now: Time) {
        self.begun = now;
    }

    /// Since when reports are noted.
    pub fn begun(&self) -> Time {
        self.begun
    }

    /// It has room for so many bytes from now on; what is too much goes.
    pub fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
        self.make_room();
    }

    /// Whether nothing is noted.
    pub fn is_off(&self) -> bool {
        self.bytes_max == 0
    }

    /// Whether there is a series of this name.
    pub fn has(&self, key: &str, name: &str) -> bool {
        self.find(key, name).is_some()
    }

    /// The JSON pointers of the members of a property of which there are series.
    pub fn members(&self, key: &str, property: &str) -> Vec<String> {
        let all = self.by_key.get(key).into_iter().flatten();
        let members = all.filter_map(|(name, _)| name.strip_prefix(property));
        let members = members.filter(|pointer| pointer.starts_with('/'));
        members.map(str::to_owned).collect()
    }

    /// What a series knows from one time to another, to be asked elsewhere: the values are shared, not copied.
    pub fn excerpt(&self, key: &str, name: &str, from: Time, to: Time) -> Option<Excerpt> {
        let series = &self.series[self.find(key, name)?];
        let mut chunks: Vec<Arc<Chunk>> = Vec::new();
        for chunk in &series.sealed {
            if to < chunk.first {
                break;
            }
            if chunk.last < from {
                chunks.clear(); // Of what was before, the last is enough.
            }
            chunks.push(Arc::clone(chunk));
        }
        let open = &series.open.chunk;
        if 0 < open.count && open.first <= to {
            if open.last < from {
                chunks.clear();
            }
            chunks.push(Arc::new(open.clone()));
        }
        let since = series.since;
        Some(Excerpt { chunks, since })
    }

    /// All that is known of an element goes with it.
    pub fn forget(&mut self, key: &str) {
        for (_, series) in self.by_key.remove(key).unwrap_or_default() {
            let Some(gone) = self.series.remove(series) else {
                continue;
            };
            self.by_age.remove(&(gone.age, series));
            self.bytes -= gone.memory();
            self.points -= gone.points;
        }
    }

    /// How much there is.
    pub fn figures(&self) -> Figures {
        Figures {
            series: self.series.len() as u64,
            points: self.points as u64,
            bytes: self.bytes as u64,
            let_go: self.let_go,
        }
    }

    /// Adds a point to a series, which begins with it if there is none.
    pub(crate) fn note(&mut self, key: &str, name: &str, at: Time, value: Value<'_>) {
        let which = match self.find(key, name) {
            Some(which) => which,
            None => self.add(key, name, at),
        };
        let series = &mut self.series[which];
        let (bytes, points) = (series.memory(), series.points);
        let gone = series.note(at, value, self.begun);
        self.let_go += gone as u64;
        self.bytes = self.bytes + series.memory() - bytes;
        self.points = self.points + series.points - points;
        if self.bytes_max < self.bytes {
            self.make_room();
        }
    }

    fn find(&self, key: &str, name: &str) -> Option<SeriesKey> {
        let all = self.by_key.get(key)?;
        let at = all.binary_search_by(|(known, _)| (**known).cmp(name));
        at.ok().map(|at| all[at].1)
    }

    fn add(&mut self, key: &str, name: &str, at: Time) -> SeriesKey {
        let series = Series {
            key: key.into(),
            name: name.into(),
            sealed: VecDeque::new(),
            sealed_bytes: 0,
            open: Open::default(),
            points: 0,
            age: at,
            since: at.max(self.begun),
        };
        self.bytes += series.memory();
        let which = self.series.insert(series);
        self.by_age.insert((at, which));
        let all = self.by_key.entry(key.into()).or_default();
        let at = all.partition_point(|(known, _)| **known < *name);
        all.insert(at, (name.into(), which));
        which
    }

    /// Lets the oldest go until there is room.
    fn make_room(&mut self) {
        let mut looked_at = 0;
        while self.bytes_max < self.bytes {
            let Some((age, which)) = self.by_age.pop_first() else {
                return;
            };
            let series = &mut self.series[which];
            let is = series.age_of_oldest();
            if age < is && looked_at < LOOKED_AT_MAX {
                // It was heard since.
                looked_at += 1;
                series.age = is;
                self.by_age.insert((is, which));
                continue;
            }
            let (bytes, points) = (series.memory(), series.points);
            self.let_go += series.let_oldest_go() as u64;
            if 0 < series.points {
                series.age = series.age_of_oldest();
                self.by_age.insert((series.age, which));
                self.bytes = self.bytes + series.memory() - bytes;
                self.points = self.points + series.points - points;
                continue;
            }
            self.bytes -= bytes;
            self.points -= points;
            let gone = self.series.remove(which);
            let gone = gone.expect("it was looked at");
            if let Some(all) = self.by_key.get_mut(&gone.key) {
                all.retain(|(_, other)| *other != which);
                if all.is_empty() {
                    self.by_key.remove(&gone.key);
                }
            }
        }
    }
}

impl Series {
    /// Adds a point. Says how many went.
    fn note(&mut self, at: Time, value: Value<'_>, begun: Time) -> usize {
        let last = self.open.chunk.last;
        let mut gone = 0;
        if at.after(BACK) < last && 0 < self.points {
            gone = self.points;
            self.sealed.clear();
            self.sealed_bytes = 0;
            self.open = Open::default();
            self.points = 0;
            self.since = at.max(begun);
        }
        // An open chunk without points is of a series without points.
        let at = match self.points {
            0 => at,
            _ => at.max(last),
        };
        if let Err(full) = self.open.push(at, value) {
            let sealed = std::mem::replace(&mut self.open, full.next()).seal();
            self.sealed_bytes += sealed.memory();
            self.sealed.push_back(Arc::new(sealed));
            let pushed = self.open.push(at, value);
            pushed.expect("the next chunk has room and places for it");
        }
        self.points += 1;
        while POINTS_MAX < self.points {
            gone += self.let_oldest_go();
        }
        gone
    }

    /// When its oldest points ended.
    fn age_of_oldest(&self) -> Time {
        let open = self.open.chunk.last;
        self.sealed.front().map_or(open, |oldest| oldest.last)
    }

    /// Lets its oldest points go; says how many.
    fn let_oldest_go(&mut self) -> usize {
        let Some(oldest) = self.sealed.pop_front() else {
            return std::mem::take(&mut self.points);
        };
        self.sealed_bytes -= oldest.memory();
        self.points -= oldest.count as usize;
        // What was reported right after its end is there.
        self.since = self.since.max(oldest.last);
        oldest.count as usize
    }

    fn memory(&self) -> usize {
        size_of::<Self>()
            + BESIDE_BYTES
            + 2 * (self.key.len() + self.name.len())
            + self.sealed.capacity() * size_of::<Arc<Chunk>>()
            + self.sealed_bytes
            + self.open.memory()
            - size_of::<Open>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Time {
        Time::from_micros(s * 1_000_000)
    }

    /// Whether all that is counted is there, and all that is there is counted.
    #[track_caller]
    fn check(head: &Head) {
        let bytes: usize = head.series.values().map(Series::memory).sum();
        let points: usize = head.series.values().map(|series| series.points).sum();
        assert_eq!((head.bytes, head.points), (bytes, points));
        assert!(head.bytes <= head.bytes_max, "{} bytes", head.bytes);
        let ages: BTreeSet<_> = head
            .series
            .iter()
            .map(|(which, one)| (one.age, which))
            .collect();
        assert_eq!(head.by_age, ages);
        let names: usize = head.by_key.values().map(Vec::len).sum();
        assert_eq!(names, head.series.len());
        for series in head.series.values() {
            let chunks = series.sealed.iter().map(|chunk| chunk.count);
            let counted = chunks.sum::<u32>() + series.open.chunk.count;
            assert_eq!(series.points, counted as usize);
            assert!(series.points <= POINTS_MAX);
        }
    }

    #[test]
    fn when_there_is_no_room_the_oldest_points_go_of_whichever_series() {
        let mut head = Head::new(20_000, 0);
        for s in 0..600 {
            head.note("things/slow", "temperature", at(s), Value::Number(20.0));
        }
        for s in 600..20_000 {
            head.note(
                "things/fast",
                "power",
                at(s),
                Value::Number((s % 977) as f64),
            );
            if s % 5000 == 0 {
                head.note("things/rare", "on", at(s), Value::Bool(true));
            }
            check(&head);
        }
        assert!(
            !head.has("things/slow", "temperature"),
            "it said nothing for hours"
        );
        let rare = head.excerpt("things/rare", "on", at(0), at(20_000));
        assert_eq!(rare.expect("it said something lately").since, at(5000));
        let fast = head.excerpt("things/fast", "power", at(0), at(20_000));
        let since = fast.expect("it says most").since;
        assert!(at(600) < since, "{since:?}");
        assert!(0 < head.let_go);
    }

    #[test]
    fn a_series_has_a_day_and_no_more() {
        let mut head = Head::new(1 << 30, 0);
        for s in 0..110_000 {
            head.note("things/a", "t", at(s), Value::Number(20.5));
        }
        check(&head);
        let figures = head.figures();
        assert!(86_400 < figures.points && figures.points <= POINTS_MAX as u64);
        assert_eq!(figures.points + figures.let_go, 110_000);
    }

    #[test]
    fn what_is_forgotten_takes_its_values_with_it() {
        let mut head = Head::new(1 << 20, 0);
        head.note("things/a", "t", at(1), Value::Number(20.5));
        head.note("things/a", "memory/used", at(1), Value::Number(20.5));
        head.note("things/b", "t", at(1), Value::Number(20.5));
        assert_eq!(head.members("things/a", "memory"), ["/used"]);
        head.forget("things/a");
        check(&head);
        assert!(!head.has("things/a", "t") && head.has("things/b", "t"));
        head.set_bytes_max(0);
        check(&head);
        assert_eq!(
            head.figures(),
            Figures {
                let_go: 1,
                ..Figures::default()
            }
        );
    }

    #[test]
    fn a_clock_that_is_set_back_a_little_stands_still_and_by_more_begins_anew() {
        let mut head = Head::new(1 << 20, 0);
        let noted = |head: &Head| {
            let excerpt = head.excerpt("things/a", "t", Time::ZERO, Time::NEVER);
            let chunks = excerpt.expect("it is there").chunks;
            let all = chunks.iter().flat_map(|chunk| chunk.points());
            all.map(|(at, _)| at).collect::<Vec<_>>()
        };
        for s in [1000, 990, 1001] {
            head.note("things/a", "t", at(s), Value::Number(1.0));
        }
        assert_eq!(noted(&head), [at(1000), at(1000), at(1001)]);
        head.note("things/a", "t", at(10), Value::Number(1.0));
        assert_eq!(noted(&head), [at(10)]);
        check(&head);
    }
}
