//! Each statement with all that is known about it.
//!
//! A statement is open if it binds the server and no test proves it. Statements about clients bind
//! the server only where it must refuse what a client does wrong (`refused.tsv`). One of 3.1.1 that
//! says the same as statements of 5.0 (`same-as.tsv`) is proved with them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    marks::{By, marks},
    statement::{Id, Standard, Statement, rows, statements},
};
use crate::tree::Tree;

const NOTES: &str = "tests/conformance/notes.tsv";
const REFUSED: &str = "tests/conformance/refused.tsv";
const SAME_AS: &str = "tests/conformance/same-as.tsv";

/// All statements of both standards.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: BTreeMap<(Standard, Id), Entry>,
    order: Vec<(Standard, Id)>,
    /// What is wrong with the marks and the tables, as `path:line: …`.
    pub(super) problems: Vec<String>,
}

/// What is known about one statement.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its number and words.
    pub(super) statement: Statement,
    /// Files that say that they obey it.
    pub(super) code: BTreeSet<String>,
    /// Tests that say that they prove it.
    pub(super) tests: BTreeSet<String>,
    /// Why it does not apply.
    pub(super) note: Option<String>,
    /// How the server refuses a client's breach of it.
    pub(super) refused: Option<String>,
    /// Statements of 5.0 that together say the same.
    pub(super) same_as: Vec<Id>,
}

/// What becomes of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It binds the server, and tests prove it.
    Proved,
    /// It binds the server, and nothing proves it.
    Open,
    /// It binds clients, and the server need not care.
    OfClients,
    /// It is about something that the server does not do.
    DoesNotApply,
}

impl Ledger {
    /// Brings together statements, notes and marks.
    pub(super) fn read(tree: &Tree) -> anyhow::Result<Self> {
        let mut ledger = Self::default();
        for standard in Standard::ALL {
            for statement in statements(tree, standard)? {
                ledger.add(standard, statement);
            }
        }
        ledger.read_notes(tree)?;
        ledger.read_same_as(tree)?;
        ledger.read_marks(tree);
        ledger.share();
        ledger.find_contradictions();
        Ok(ledger)
    }

    /// The statements of a standard, in its order.
    pub(super) fn entries(&self, standard: Standard) -> impl Iterator<Item = &Entry> {
        let keys = self.order.iter().filter(move |(of, _)| *of == standard);
        keys.filter_map(|key| self.entries.get(key))
    }

    /// How many statements of both standards are open.
    pub(super) fn open(&self) -> usize {
        self.entries
            .values()
            .filter(|entry| entry.standing() == Standing::Open)
            .count()
    }

    fn add(&mut self, standard: Standard, statement: Statement) {
        let key = (standard, statement.id);
        let entry = Entry {
            statement,
            code: BTreeSet::new(),
            tests: BTreeSet::new(),
            note: None,
            refused: None,
            same_as: Vec::new(),
        };
        if self.entries.insert(key, entry).is_none() {
            self.order.push(key);
        }
    }

    fn read_notes(&mut self, tree: &Tree) -> anyhow::Result<()> {
        for path in [NOTES, REFUSED] {
            for (line, [standard, id, words]) in rows(path, tree.text(path).unwrap_or_default())? {
                let standard = Standard::parse(standard)?;
                if let Some(entry) = self.entry(standard, Id::parse(id), &format!("{path}:{line}"))
                {
                    let field = if path == NOTES {
                        &mut entry.note
                    } else {
                        &mut entry.refused
                    };
                    *field = Some(words.to_owned());
                }
            }
        }
        Ok(())
    }

    fn read_same_as(&mut self, tree: &Tree) -> anyhow::Result<()> {
        for (line, [id, same]) in rows(SAME_AS, tree.text(SAME_AS).unwrap_or_default())? {
            let at = format!("{SAME_AS}:{line}");
            let (id, same) = (Id::parse(id), Id::parse(same));
            if self.entry(Standard::V5, same, &at).is_some()
                && let Some(entry) = self.entry(Standard::V311, id, &at)
            {
                entry.same_as.extend(same);
            }
        }
        Ok(())
    }

    fn read_marks(&mut self, tree: &Tree) {
        let (marks, problems) = marks(tree);
        self.problems.extend(problems);
        for mark in marks {
            if let Some(entry) = self.entry(mark.standard, Some(mark.id), &mark.at) {
                match mark.by {
                    By::Code(path) => entry.code.insert(path),
                    By::Test(name) => entry.tests.insert(name),
                };
            }
        }
    }

    /// Gives what says the same as statements of 5.0 their code, and, if all of them have tests,
    /// their tests.
    fn share(&mut self) {
        for key in &self.order {
            let Some(same_as) = self.entries.get(key).map(|entry| entry.same_as.clone()) else {
                continue;
            };
            let same = same_as
                .iter()
                .filter_map(|id| self.entries.get(&(Standard::V5, *id)));
            let same: Vec<&Entry> = same.collect();
            let code: Vec<String> = same.iter().flat_map(|entry| entry.code.clone()).collect();
            let proved = same.iter().all(|entry| !entry.tests.is_empty());
            let tests = same
                .iter()
                .filter(|_| proved)
                .flat_map(|entry| entry.tests.clone());
            let tests: Vec<String> = tests.collect();
            if let Some(entry) = self.entries.get_mut(key) {
                entry.code.extend(code);
                entry.tests.extend(tests);
            }
        }
    }

    fn find_contradictions(&mut self) {
        for ((standard, id), entry) in &self.entries {
            let test = entry.tests.first();
            if let (Some(_), Some(test)) = (&entry.note, test) {
                self.problems.push(format!(
                    "{NOTES}:1: {standard} {id} does not apply, and `{test}` proves it; remove one"
                ));
            }
            if entry.refused.is_some() && !entry.statement.of_clients {
                self.problems.push(format!(
                    "{REFUSED}:1: {standard} {id} binds the server anyway; remove its row"
                ));
            }
        }
    }

    /// The statement with this number; if there is none, says so at `at`.
    fn entry(&mut self, standard: Standard, id: Option<Id>, at: &str) -> Option<&mut Entry> {
        let entry = id.and_then(|id| self.entries.get_mut(&(standard, id)));
        if entry.is_none() {
            let which = id.map_or_else(|| "this id".to_owned(), |id| id.to_string());
            let file = standard.file();
            let says = format!(
                "{at}: {standard} has no {which}; look it up in tests/conformance/{file}.tsv"
            );
            self.problems.push(says);
        }
        entry
    }
}

impl Entry {
    /// What becomes of it.
    pub(super) fn standing(&self) -> Standing {
        if self.note.is_some() {
            Standing::DoesNotApply
        } else if self.statement.of_clients && self.refused.is_none() {
            Standing::OfClients
        } else if self.tests.is_empty() {
            Standing::Open
        } else {
            Standing::Proved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V5: &str = "id\twho\tstatement\n\
                      MQTT-1.0.0-1\tserver\tA.\nMQTT-1.0.0-2\tboth\tB.\nMQTT-1.0.0-3\tclient\tC.\n";
    const V311: &str = "id\twho\tstatement\nMQTT-1.0.0-1\tserver\tA and B.\n";
    const SAME: &str = "3.1.1 id\t5.0 id\nMQTT-1.0.0-1\tMQTT-1.0.0-1\nMQTT-1.0.0-1\tMQTT-1.0.0-2\n";

    fn read(files: &[(&str, &str)]) -> Ledger {
        let tables = [
            ("tests/conformance/mqtt-5.0.tsv", V5),
            ("tests/conformance/mqtt-3.1.1.tsv", V311),
            (SAME_AS, SAME),
            ("", ""),
            ("", ""),
        ];
        let mut all = tables;
        all[3..3 + files.len()].copy_from_slice(files);
        Ledger::read(&Tree::from(all)).unwrap()
    }

    fn standings(ledger: &Ledger) -> Vec<Standing> {
        Standard::ALL
            .iter()
            .flat_map(|s| ledger.entries(*s))
            .map(Entry::standing)
            .collect()
    }

    #[test]
    fn what_binds_the_server_is_open_until_a_test_proves_it() {
        use Standing::{OfClients, Open, Proved};
        assert_eq!(standings(&read(&[])), [Open, Open, OfClients, Open]);
        let ledger = read(&[("tests/a.rs", "fn mqtt_1_0_0_1_a() {}")]);
        assert_eq!(standings(&ledger), [Proved, Open, OfClients, Open]);
    }

    #[test]
    fn what_says_the_same_as_two_is_proved_with_both() {
        use Standing::{OfClients, Proved};
        let ledger = read(&[("tests/a.rs", "fn mqtt_1_0_0_1_and_2_a() {}")]);
        assert_eq!(standings(&ledger), [Proved, Proved, OfClients, Proved]);
        assert_eq!(ledger.open(), 0);
    }

    #[test]
    fn notes_and_refusals_move_the_border() {
        use Standing::{DoesNotApply, Open};
        let notes = "standard\tid\tnot applicable because\n5.0\tMQTT-1.0.0-2\tno B here\n";
        let refused = "standard\tid\tthe server\n5.0\tMQTT-1.0.0-3\tcloses\n";
        let ledger = read(&[(NOTES, notes), (REFUSED, refused)]);
        assert_eq!(standings(&ledger), [Open, DoesNotApply, Open, Open]);
        assert_eq!(ledger.problems, [""; 0]);
    }

    #[test]
    fn contradictions_and_unknown_ids_are_problems() {
        let notes = "standard\tid\tnot applicable because\n5.0\tMQTT-1.0.0-2\tno B here\n";
        let ledger = read(&[
            (NOTES, notes),
            ("tests/a.rs", "fn mqtt_1_0_0_2_and_9_a() {}"),
        ]);
        let expected = [
            "tests/a.rs:1: MQTT 5.0 has no MQTT-1.0.0-9; look it up in tests/conformance/mqtt-5.0.tsv",
            "tests/conformance/notes.tsv:1: MQTT 5.0 MQTT-1.0.0-2 does not apply, and \
             `mqtt_1_0_0_2_and_9_a` proves it; remove one",
        ];
        assert_eq!(ledger.problems, expected);
    }
}
