use quartet_model::{Actor, Event, EventId, Said};
use quartet_people::{audit::Verifier, relation};
use tempfile::TempDir;

use super::*;

const NOW: Time = Time::from_micros(1_000_000_000);
const KEY: [u8; 32] = [7; 32];

/// A data folder with a journal of the hub's.
struct Site {
    folder: TempDir,
    journal: Local,
    owner: Owner,
    next: Seq,
    key: Option<Key>,
}

impl Site {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let journal = Local::open(&folder.path().join("journal"), options(None)).unwrap();
        let owner = journal.own(Shard(3)).unwrap();
        Self {
            folder,
            journal,
            owner,
            next: 1,
            key: None,
        }
    }

    /// The hub says something, which stays.
    fn says(&mut self, topic: &str, payload: String, is_new: bool) {
        let at = Time::from_micros(NOW.as_micros() + self.next);
        let id = EventId { at, serial: 1 };
        let said = Said::kept(topic.to_owned(), payload);
        let event = Event::new(id, Actor::Hub, said).said_by("people/ana".into());
        let record = Record::Kept {
            from: None,
            is_new,
            event: Box::new(event),
        };
        let mut batch = Batch::default();
        batch.push_with(|out| record.write(out));
        append(&self.journal, self.owner, self.next, batch).unwrap();
        self.next += 1;
    }

    fn relates(&mut self, to: &str) {
        let mut all = relation::Relations::default();
        let viewer = relation::Relation::new("viewer", to);
        all.put("people/ben", &[viewer], NOW).unwrap();
        self.says(&relation::topic_of("people/ben"), all.text(), true);
    }

    fn audit(&self) -> Audit {
        Audit::new(self.folder.path())
    }

    fn open(&self, audit: &Audit) -> Keeper {
        let mut keeper = Keeper::open(audit, self.key.clone(), NOW).unwrap();
        keeper.go_on(&self.journal, NOW);
        keeper
    }

    fn follow(&self, keeper: &mut Keeper) {
        let from = keeper.next()[3];
        self.journal
            .read(Shard(3), from, &mut |seq, record| {
                keeper.take(3, seq, record).unwrap();
                true
            })
            .unwrap();
    }
}

/// What each line is of, if all are as they were written.
fn whats(audit: &Audit) -> Vec<What> {
    let mut verifier = Verifier::default();
    let mut whats = Vec::new();
    audit
        .read(1, &mut |n, line| {
            let link = verifier.take(line).unwrap();
            assert_eq!(link.n, n);
            whats.push(link.entry.what);
            true
        })
        .unwrap();
    whats
}

#[test]
fn what_is_granted_is_told_once_whenever_the_hub_dies() {
    let mut site = Site::new();
    let audit = site.audit();
    site.relates("places/a");
    let mut keeper = site.open(&audit);
    site.follow(&mut keeper);
    // It dies before anything is safe, then after.
    drop(keeper);
    let mut keeper = site.open(&audit);
    site.follow(&mut keeper);
    keeper.commit(NOW, false, 0).unwrap();
    drop(keeper);
    assert_eq!(whats(&audit), [What::Begun, What::Granted]);
    let mut keeper = site.open(&audit);
    assert_eq!(keeper.next()[3], 2, "it goes on behind what was told");
    site.relates("places/b");
    site.says("$quartet/relations/people/ben", String::new(), false);
    site.follow(&mut keeper);
    keeper.commit(NOW, true, 0).unwrap();
    assert_eq!(whats(&audit), [What::Begun, What::Granted, What::Granted]);
    drop(keeper);
    // Said anew is not told anew; and how far it was followed is known.
    assert_eq!(site.open(&audit).next()[3], 4);
}

#[test]
fn doors_tell_and_what_is_not_safe_is_tried_again() {
    let site = Site::new();
    let audit = site.audit();
    let mut keeper = site.open(&audit);
    let refused = || Entry::new(NOW, What::Refused, "people/ben").on("things/lamp");
    audit.notes().note(refused());
    audit.notes().note(refused());
    keeper.commit(NOW, false, 0).unwrap();
    assert_eq!(whats(&audit), [What::Begun, What::Refused]);
    keeper.commit(NOW, true, 0).unwrap();
    assert_eq!(whats(&audit).len(), 3, "the second one, counted");
    let head = audit.head().unwrap().unwrap();
    assert_eq!(head, (3, keeper.chain.head()));
}

#[test]
fn a_gap_in_the_journal_is_told() {
    let mut site = Site::new();
    let audit = site.audit();
    site.relates("places/a");
    let mut keeper = site.open(&audit);
    site.follow(&mut keeper);
    keeper.commit(NOW, true, 0).unwrap();
    drop(keeper);
    site.relates("places/b");
    site.relates("places/c");
    site.journal.trim(&site.owner, 3).unwrap();
    let mut keeper = site.open(&audit);
    site.follow(&mut keeper);
    keeper.commit(NOW, true, 0).unwrap();
    let expected = [What::Begun, What::Granted, What::Missing, What::Granted];
    assert_eq!(whats(&audit), expected);
    drop(keeper);

    // Another journal, as after a backup of long ago.
    let site = Site {
        folder: site.folder,
        ..Site::new()
    };
    let mut keeper = site.open(&audit);
    keeper.commit(NOW, true, 0).unwrap();
    assert_eq!(whats(&audit).last(), Some(&What::Missing));
}

#[test]
fn nothing_of_an_encrypted_audit_is_in_the_clear() {
    let mut site = Site::new();
    site.key = Some(Key::new(KEY));
    let audit = site.audit();
    site.relates("places/a");
    let mut keeper = site.open(&audit);
    site.follow(&mut keeper);
    keeper.commit(NOW, true, 0).unwrap();
    drop(keeper);
    drop(audit);
    for file in std::fs::read_dir(site.folder.path().join("audit")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(10).any(|part| part == b"people/ben"));
    }
    let audit = site.audit();
    drop(site.open(&audit));
    assert_eq!(whats(&audit), [What::Begun, What::Granted]);
}

#[test]
fn a_damaged_audit_is_put_aside_and_says_so() {
    let site = Site::new();
    let audit = site.audit();
    let mut keeper = site.open(&audit);
    for n in 0..100 {
        audit
            .notes()
            .note(Entry::new(NOW, What::Refused, &n.to_string()));
    }
    keeper.commit(NOW, true, 0).unwrap();
    drop(keeper);
    *audit.log.write() = None;
    let folder = site.folder.path().join("audit");
    let files = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let segment = files
        .into_iter()
        .filter(|file| file.extension().is_some_and(|end| end == "seg"))
        .min();
    let segment = segment.unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[5_000] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let Err(error) = Keeper::open(&audit, None, NOW) else {
        panic!("it opens what is damaged");
    };
    assert!(error.is_damage(), "{error}");
    *audit.log.write() = None;
    let broken = set_aside(&audit, NOW).unwrap();
    assert!(broken.is_dir());
    let mut keeper = Keeper::open(&audit, None, NOW).unwrap();
    keeper.say_why("the one before cannot be read", NOW);
    keeper.commit(NOW, true, 0).unwrap();
    assert_eq!(whats(&audit), [What::Begun]);
}

#[test]
fn another_key_is_no_damage() {
    let mut site = Site::new();
    site.key = Some(Key::new(KEY));
    let audit = site.audit();
    site.open(&audit).commit(NOW, true, 0).unwrap();
    *audit.log.write() = None;
    for key in [None, Some(Key::new([8; 32]))] {
        let Err(error) = Keeper::open(&audit, key, NOW) else {
            panic!("it opens with another key");
        };
        assert!(!error.is_damage(), "{error}");
    }
}

#[test]
fn much_that_is_told_is_made_safe_in_between() {
    let mut site = Site::new();
    let audit = site.audit();
    let mut keeper = site.open(&audit);
    for n in 0..TOLD_MAX {
        keeper.tell(Entry::new(NOW, What::Asked, &n.to_string()));
    }
    assert!(keeper.is_full());
    keeper.append_told().unwrap();
    assert!(!keeper.is_full());
    assert_eq!(whats(&audit).len(), TOLD_MAX + 1);
    site.relates("places/a");
    site.follow(&mut keeper);
    keeper.commit(NOW, true, 0).unwrap();
    assert_eq!(whats(&audit).last(), Some(&What::Granted));
}

#[test]
fn when_it_is_full_the_oldest_lines_go() {
    let site = Site::new();
    let audit = site.audit();
    let mut keeper = site.open(&audit);
    let long = "x".repeat(60_000);
    for n in 0..400 {
        let entry = Entry::new(NOW, What::Asked, &n.to_string());
        keeper.tell(entry.with(long.clone().into()));
        if n % 20 == 0 {
            keeper.commit(NOW, false, 16 << 20).unwrap();
        }
    }
    keeper.commit(NOW, true, 16 << 20).unwrap();
    let (first, next) = audit.span();
    assert!(1 < first && first < next, "{first} {next}");
    let mut verifier = Verifier::default();
    audit
        .read(1, &mut |_, line| verifier.take(line).is_ok())
        .unwrap();
    let (seen, last, _) = verifier.seen().unwrap();
    assert_eq!((seen, last), (first, next - 1));
}
