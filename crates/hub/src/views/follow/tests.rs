use std::sync::mpsc;

use bytes::Bytes;
use quartet_model::{Actor, Event, EventId, Said};
use quartet_store::{Append, Batch, Local, LocalOptions, Owner, SHARDS_MAX};
use tempfile::TempDir;

use super::*;
use crate::{
    flow::keep::Record,
    views::ask::{Page, Retained},
};

/// A journal with retained messages in it.
struct Site {
    folder: TempDir,
    journal: Local,
    owners: Vec<Owner>,
    next: Start,
}

impl Site {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let options = LocalOptions {
            segment_bytes: 1 << 20,
            ..LocalOptions::default()
        };
        let journal = Local::open(&folder.path().join(JOURNAL), options).unwrap();
        let own = |shard| journal.own(Shard(shard)).unwrap();
        let owners: Vec<Owner> = (0..SHARDS_MAX as u8).map(own).collect();
        Self {
            folder,
            journal,
            owners,
            next: [1; SHARDS_MAX],
        }
    }

    /// Retains messages, each in its shard.
    fn retain(&mut self, topics: impl Iterator<Item = (u8, String)>) {
        let (safe, is_safe) = mpsc::channel();
        for (shard, topic) in topics {
            let mut batch = Batch::default();
            let id = EventId {
                at: Time::from_micros(1),
                serial: 0,
            };
            let event = Event::new(id, Actor::Api, Said::state(topic, Bytes::from_static(b"x")));
            let record = Record::Kept {
                from: None,
                is_new: true,
                event: Box::new(event),
            };
            batch.push_with(|out| record.write(out));
            let next = &mut self.next[usize::from(shard)];
            let append = Append {
                owner: self.owners[usize::from(shard)],
                first: *next,
                batch,
            };
            *next += 1;
            let safe = safe.clone();
            let then = Box::new(move |result: Result<_, _>| safe.send(result).unwrap());
            self.journal.append(vec![append], then);
        }
        drop(safe);
        is_safe.into_iter().for_each(|result| result.unwrap());
    }

    fn place(&self) -> Where {
        Where::of(self.folder.path(), false)
    }

    fn open(&self) -> Tables {
        let start = || start_of(&self.journal, &self.folder.path().join(JOURNAL));
        Tables::open(&self.place(), &self.journal, start, &self.next).unwrap()
    }

    fn follow(&self, tables: &mut Tables) {
        assert!(catch_up(tables, &self.journal, &|| false).unwrap());
        tables.commit(Some(Time::from_micros(5))).unwrap();
    }
}

fn topics(place: &Where) -> Vec<String> {
    let page = Page {
        search: String::new(),
        after: String::new(),
        limit: 100_000,
    };
    let (found, _) = page.retained(&place.read().unwrap(), Time::ZERO).unwrap();
    found.into_iter().map(|it: Retained| it.topic).collect()
}

fn some(from: usize, until: usize) -> impl Iterator<Item = (u8, String)> {
    (from..until).map(|n| ((n % 3) as u8, format!("topic/{n:05}")))
}

fn names(until: usize) -> Vec<String> {
    some(0, until).map(|(_, topic)| topic).collect()
}

#[test]
fn few_and_many_records_are_followed_and_a_new_start_goes_on_there() {
    let mut site = Site::new();
    let mut tables = site.open();
    site.retain(some(0, 10));
    site.follow(&mut tables);
    assert_eq!(topics(&site.place()), names(10));
    site.retain(some(10, 10 + 2 * FEW as usize));
    site.follow(&mut tables);
    assert_eq!(topics(&site.place()), names(10 + 2 * FEW as usize));
    let next = tables.next();
    assert_eq!(next, site.next);
    drop(tables);
    let again = site.open();
    assert_eq!(again.next(), next);
    assert_eq!(again.as_of().unwrap(), Some(Time::from_micros(5)));
}

#[test]
fn what_does_not_belong_to_the_journal_is_made_anew() {
    let mut site = Site::new();
    site.retain(some(0, 10));
    for spoil in [
        "UPDATE about SET value = 99 WHERE name = 'format'",
        "UPDATE applied SET seq = 1000 WHERE shard = 1",
        "DELETE FROM applied WHERE shard = 1",
        "DROP TABLE about",
    ] {
        let mut tables = site.open();
        site.follow(&mut tables);
        drop(tables);
        let db = rusqlite::Connection::open(site.folder.path().join("views.sqlite")).unwrap();
        db.execute_batch(spoil).unwrap();
        drop(db);
        let mut tables = site.open();
        assert_eq!(tables.as_of().unwrap(), None, "{spoil}");
        assert_eq!(topics(&site.place()), [""; 0], "{spoil}");
        site.follow(&mut tables);
        assert_eq!(topics(&site.place()), names(10), "{spoil}");
    }
}

#[test]
fn what_was_let_go_meanwhile_makes_the_tables_stale() {
    let mut site = Site::new();
    let mut tables = site.open();
    site.retain(some(0, 9));
    site.journal.trim(&site.owners[1], 3).unwrap();
    let trouble = catch_up(&mut tables, &site.journal, &|| false);
    assert!(matches!(trouble, Err(Trouble::Stale)), "{trouble:?}");
    drop(tables);
    let mut tables = site.open();
    site.follow(&mut tables);
    // Two of the topics of shard 1 are nowhere any more.
    assert_eq!(topics(&site.place()).len(), 7);
}

#[test]
fn files_that_were_deleted_are_missed() {
    let mut site = Site::new();
    site.retain(some(0, 9));
    let mut tables = site.open();
    assert!(!tables.is_gone());
    site.follow(&mut tables);
    assert!(!tables.is_gone());
    std::fs::remove_file(site.folder.path().join("views.sqlite")).unwrap();
    assert!(tables.is_gone());
}

#[test]
fn tables_in_memory_are_read_by_others_of_this_process_and_are_on_no_disk() {
    let mut site = Site::new();
    site.retain(some(0, 10));
    let places = [true, true].map(|is_encrypted| Where::of(site.folder.path(), is_encrypted));
    let make = |place| Tables::make(place, &[1; SHARDS_MAX]).unwrap();
    let [mut one, _other] = [make(&places[0]), make(&places[1])];
    site.follow(&mut one);
    assert!(!one.is_gone());
    assert_eq!(places.each_ref().map(|place| topics(place).len()), [10, 0]);
    assert!(!site.folder.path().join("views.sqlite").exists());
}
