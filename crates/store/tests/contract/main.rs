//! What every journal promises, checked on each of them. A new journal needs a [`Kind`] and a line
//! in [`promises!`]'s calls below.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bodies; // what is promised of bodies
mod subject; // a journal under test, and words to use it by
mod suite; // all other promises

use quartet_store::{
    Key, Local, LocalOptions,
    log::LogOptions,
    sim::{Sim, SimDisk},
};
use std::sync::Arc;
use subject::{Kind, Subject};

const SEGMENT_BYTES: u64 = 16 << 10;

struct InFolder(tempfile::TempDir);

impl Kind for InFolder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> Subject {
        let options = LocalOptions {
            segment_bytes: SEGMENT_BYTES,
            ..LocalOptions::default()
        };
        let journal = Local::open(self.0.path(), options).unwrap();
        Subject::new(Arc::new(journal), Box::new(|| {}))
    }
}

/// The same, encrypted.
struct Encrypted(tempfile::TempDir);

impl Kind for Encrypted {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> Subject {
        let options = LocalOptions {
            segment_bytes: SEGMENT_BYTES,
            key: Some(Key::new([3; 32])),
            ..LocalOptions::default()
        };
        let journal = Local::open(self.0.path(), options).unwrap();
        Subject::new(Arc::new(journal), Box::new(|| {}))
    }
}

struct Simulated(SimDisk);

impl Kind for Simulated {
    fn new() -> Self {
        Self(SimDisk::new(1))
    }

    fn open(&self) -> Subject {
        let options = LogOptions {
            segment_bytes: SEGMENT_BYTES,
            ..LogOptions::default()
        };
        let journal = Arc::new(Sim::open(&self.0, options).unwrap());
        let sim = Arc::clone(&journal);
        Subject::new(journal, Box::new(move || sim.sync()))
    }
}

/// Each promise as a test of each journal.
macro_rules! promises {
    ($($suite:ident::$name:ident),* $(,)?) => {
        mod local {
            use super::{InFolder, bodies, suite};
            $(#[test] fn $name() { $suite::$name::<InFolder>(); })*
        }
        mod encrypted {
            use super::{Encrypted, bodies, suite};
            $(#[test] fn $name() { $suite::$name::<Encrypted>(); })*
        }
        mod sim {
            use super::{Simulated, bodies, suite};
            $(#[test] fn $name() { $suite::$name::<Simulated>(); })*
        }
    };
}

promises!(
    suite::records_come_back_in_their_order,
    suite::an_append_is_there_as_a_whole_or_not_at_all,
    suite::who_owned_a_shard_before_is_fenced,
    suite::an_append_to_another_place_is_fenced,
    suite::a_batch_that_is_too_large_is_refused,
    suite::an_empty_batch_is_answered_and_leaves_nothing,
    suite::a_shard_that_does_not_exist_has_nothing_and_takes_nothing,
    suite::reading_can_begin_anywhere_and_end_anywhere,
    suite::what_was_let_go_is_not_read,
    suite::nobody_trims_what_is_another_ones,
    suite::what_was_acknowledged_is_there_after_reopening,
    suite::epochs_grow_over_reopening,
    suite::answers_come_in_the_order_of_the_appends,
    suite::replay_visits_what_reading_visits,
    suite::replay_begins_where_it_is_told_to,
    suite::segments_go_when_all_in_them_was_let_go,
    suite::every_size_of_record_comes_back,
    suite::shards_do_not_see_each_other,
    bodies::a_record_is_read_with_its_body,
    bodies::bodies_are_there_after_reopening,
    bodies::a_body_that_is_too_long_is_refused,
    bodies::a_call_with_a_body_is_there_as_a_whole_or_not_at_all,
    bodies::the_room_of_a_body_is_free_when_all_who_have_it_were_let_go,
    bodies::reading_begins_and_ends_at_any_body,
    bodies::there_is_room_for_a_body_until_there_is_not,
);
