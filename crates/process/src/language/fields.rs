use super::reader::Reader;
use crate::{
    problem::Place,
    yaml::{Map, Node},
};

/// An object that is read name by name; what is left at its end is unknown.
pub(crate) struct Fields<'n> {
    what: String,
    /// Where the object stands.
    pub(crate) place: Place,
    map: &'n Map,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    pub(crate) fn new(what: &str, place: Place, map: &'n Map) -> Self {
        Self {
            what: what.to_owned(),
            place,
            map,
            known: Vec::new(),
        }
    }

    /// The value of this name, if it is there.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'n Node> {
        self.known.push(name);
        self.map.get(name)
    }

    /// The value of this name, which must be there.
    pub(crate) fn need(&mut self, reader: &mut Reader, name: &'static str) -> Option<&'n Node> {
        let found = self.take(name);
        if found.is_none() {
            let what = match self.nearest(name) {
                Some(near) => format!(
                    "{} needs `{name}`; is `{near}` what was meant by it?",
                    self.what
                ),
                None => format!("{} needs `{name}`", self.what),
            };
            reader.wrong(self.place, what);
        }
        found
    }

    /// Where a name stands.
    pub(crate) fn place_of(&self, name: &str) -> Option<Place> {
        let mut entries = self.map.entries.iter();
        entries
            .find(|(key, _)| key.name == name)
            .map(|(key, _)| key.place)
    }

    /// All that is there.
    pub(crate) fn map(&self) -> &'n Map {
        self.map
    }

    /// A name that is there, unknown so far, and nearly this one.
    fn nearest(&self, name: &str) -> Option<&'n str> {
        let names = self.map.entries.iter().map(|(key, _)| &*key.name);
        let unknown = names.filter(|name| !self.known.contains(name));
        nearest(name, unknown)
    }

    /// Whatever was not asked for is unknown.
    pub(crate) fn end(self, reader: &mut Reader) {
        for (key, _) in &self.map.entries {
            if self.known.contains(&&*key.name) {
                continue;
            }
            let what = match nearest(&key.name, self.known.iter().copied()) {
                Some(near) => format!(
                    "{} has no `{}`; did you mean `{near}`?",
                    self.what, key.name
                ),
                None => format!(
                    "{} has no `{}`, but {}",
                    self.what,
                    key.name,
                    listed(&self.known)
                ),
            };
            reader.wrong(key.place, what);
        }
    }
}

/// The names, as a person lists them.
pub(crate) fn listed(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        names => names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// The one of `names` that is nearly `name`: at most a third of its letters differ, and none of a
/// name of one or two.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let far = match name.chars().count() {
        0..=2 => 0,
        length => (length / 3).clamp(1, 3),
    };
    let measured = names.map(|known| (distance(name, known), known));
    measured
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// How many letters must be changed, added, left out or swapped with their neighbours.
fn distance(one: &str, other: &str) -> usize {
    let fold = |text: &str| -> Vec<char> { text.to_lowercase().chars().take(64).collect() };
    let (one, other) = (fold(one), fold(other));
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let changed = usize::from(one[i - 1] != other[j - 1]);
            let mut least = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + changed);
            if 1 < i && 1 < j && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_guessed_only_when_it_is_near() {
        let names = ["switch", "wait", "with", "when", "output"];
        let near = |name| nearest(name, names.into_iter());
        assert_eq!(near("swich"), Some("switch"));
        assert_eq!(near("wiat"), Some("wait"));
        assert_eq!(near("outputs"), Some("output"));
        assert_eq!(near("Switch"), Some("switch"));
        assert_eq!(near("frobnicate"), None);
    }
}
