//! What became otherwise, and by whom: descriptions, wishes and requests, element by element.
//!
//! The journal forgets what was; this does not. So its file is no view: it is never made anew, and
//! backups have it. A thread of its own follows the journal for it: only what the hub itself says is
//! looked at, so it keeps up with whatever is said. A change that it has already is the same one. What
//! things report is not in it.

use quartet_model::{Actor, Address, Aspect, Event, EventId};
use quartet_people::{credentials, relation};
use quartet_store::{Journal, SHARDS_MAX, Seq, Shard};
use quartet_things::directory;
use rusqlite::{Connection, OptionalExtension, Result, Row, named_params, params};
use serde_json::{Map, Value};

use super::{
    file::{Trouble, Where},
    follow::Follow,
};
use crate::{flow::keep::Record, shell::Start};

/// Changes in all; the oldest go first. About 250 bytes each.
const CHANGES_MAX: i64 = 2_000_000;
/// Changes that are let go in one step.
const GO_AT_ONCE: i64 = 10_000;
/// The longest value that is kept with a change.
const VALUE_BYTES_MAX: usize = 4096;
/// The longest description whose changes are told member by member.
const DESCRIPTION_BYTES_MAX: usize = 256 * 1024;

const FORMAT: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE changes (
    element TEXT NOT NULL,
    event TEXT NOT NULL, -- sorts by time
    what TEXT NOT NULL,
    name TEXT, -- of the property or the action
    request TEXT, -- the event that asked for it
    status TEXT,
    value TEXT, -- JSON
    why TEXT,
    by TEXT NOT NULL,
    PRIMARY KEY (element, event)
) WITHOUT ROWID;
CREATE INDEX changes_by_time ON changes (event);
CREATE TABLE followed (shard INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE described (element TEXT PRIMARY KEY, description TEXT NOT NULL) WITHOUT ROWID;
";

/// One change.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Change {
    /// What made it; later ones are greater.
    pub(crate) event: EventId,
    /// `described`, `forgotten`, `wanted`, `asked`, `admitted` (its credentials changed) or `related`.
    pub(crate) what: String,
    /// Which property is wanted to be otherwise, or which action was asked for.
    pub(crate) name: Option<String>,
    /// The identity of the wish or the invocation.
    pub(crate) request: Option<String>,
    /// What became of it.
    pub(crate) status: Option<String>,
    /// The wish, the input or the output; of a description what changed, as a merge patch.
    pub(crate) value: Option<Value>,
    /// Why it was not to be.
    pub(crate) why: Option<String>,
    /// Who is behind it.
    pub(crate) by: String,
}

/// The file, for the one who writes it.
pub(super) struct History {
    db: Connection,
    count: i64,
    /// The last record of each shard that was looked at.
    followed: Start,
}

impl History {
    /// Opens it, or makes an empty one.
    pub(super) fn open(place: &Where) -> rusqlite::Result<Self> {
        let db = place.write()?;
        // Nothing else knows what is in it.
        db.execute_batch("PRAGMA synchronous = FULL")?;
        if db.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? == 0 {
            let tx = db.unchecked_transaction()?;
            tx.execute_batch(SCHEMA)?;
            tx.pragma_update(None, "user_version", FORMAT)?;
            tx.commit()?;
        }
        let count = db.query_row("SELECT count(*) FROM changes", [], |row| row.get(0))?;
        let mut followed = [0; SHARDS_MAX];
        {
            let mut rows = db.prepare("SELECT shard, seq FROM followed")?;
            let rows =
                rows.query_map([], |row| Ok((row.get::<_, u8>(0)?, row.get::<_, i64>(1)?)))?;
            for row in rows {
                let (shard, seq) = row?;
                if let Some(there) = followed.get_mut(usize::from(shard)) {
                    *there = seq.unsigned_abs();
                }
            }
        }
        Ok(Self {
            db,
            count,
            followed,
        })
    }

    /// Goes on in this journal where it was, or where the journal begins. Says whether the journal
    /// has let go what was not looked at.
    pub(super) fn go_on(&mut self, journal: &dyn Journal) -> bool {
        let mut has_gap = false;
        for (shard, followed) in self.followed.iter_mut().enumerate() {
            let (first, next) = journal.span(Shard(shard as u8));
            has_gap |= *followed != 0 && *followed + 1 < first;
            // One of another journal is looked at from its beginning.
            if !(first..=next).contains(&(*followed + 1)) {
                *followed = first.saturating_sub(1);
            }
        }
        has_gap
    }

    /// Takes note of what is retained, if it tells of a change.
    pub(super) fn note(&mut self, event: &Event) -> Result<()> {
        let Some((element, change)) = self.change(event)? else {
            return Ok(());
        };
        let sql = "INSERT OR IGNORE INTO changes
            VALUES (:element, :event, :what, :name, :request, :status, :value, :why, :by)";
        self.begin()?;
        let mut note = self.db.prepare_cached(sql)?;
        self.count += note.execute(named_params! {
            ":element": element,
            ":event": change.event.to_string(),
            ":what": change.what,
            ":name": change.name,
            ":request": change.request,
            ":status": change.status,
            ":value": change.value.map(|value| value.to_string()),
            ":why": change.why,
            ":by": change.by,
        })? as i64;
        Ok(())
    }

    /// The change that an event tells of, and the key of its element.
    fn change<'e>(&self, event: &'e Event) -> Result<Option<(&'e str, Change)>> {
        if event.by != Actor::Hub {
            return Ok(None);
        }
        if let Some(element) = credentials::element_at(&event.topic) {
            return Ok(Some((element, Change::of(event, "admitted"))));
        }
        if let Some(element) = relation::element_at(&event.topic) {
            let mut change = Change::of(event, "related");
            let all = serde_json::from_slice(&event.payload).ok();
            change.value = all
                .map(|mut all: Value| all["relations"].take())
                .and_then(short);
            return Ok(Some((element, change)));
        }
        if Address::element_of(&event.topic).is_none() {
            return Ok(None);
        }
        let Ok(address) = Address::read(&event.topic) else {
            return Ok(None);
        };
        let key = Address::element_of(&event.topic).unwrap_or_default();
        let change = match address.aspect {
            Aspect::Description => self.described(key, event)?,
            Aspect::Desired(name) => told(event, "wanted", name, None),
            Aspect::Invocation(name, id) => told(event, "asked", name, Some(id)),
            _ => None,
        };
        Ok(change.map(|change| (key, change)))
    }

    fn described(&self, key: &str, event: &Event) -> Result<Option<Change>> {
        let known = "SELECT 1 FROM changes WHERE element = ?1 AND event >= ?2";
        let mut known = self.db.prepare_cached(known)?;
        if known.exists(params![key, event.id.to_string()])? {
            return Ok(None); // It is said anew, or followed again.
        }
        let mut before = self
            .db
            .prepare_cached("SELECT description FROM described WHERE element = ?1")?;
        let before: Option<String> = before.query_row([key], |row| row.get(0)).optional()?;
        self.begin()?;
        if event.payload.is_empty() {
            let forget = "DELETE FROM described WHERE element = ?1";
            self.db.prepare_cached(forget)?.execute([key])?;
            return Ok(before.map(|_| Change::of(event, "forgotten")));
        }
        let mut change = Change::of(event, "described");
        let text = std::str::from_utf8(&event.payload).ok();
        if let Some(text) = text.filter(|text| text.len() <= DESCRIPTION_BYTES_MAX) {
            let now: Value = serde_json::from_str(text).unwrap_or_default();
            if let Some(before) = &before {
                let before = serde_json::from_str(before).unwrap_or_default();
                let mut changed = directory::changes(&before, &now);
                if let Some(changed) = changed.as_object_mut() {
                    changed.remove("registration"); // When: that is said.
                }
                if changed == Value::Object(Map::new()) {
                    return Ok(None);
                }
                change.value = short(changed);
            }
            let keep = "INSERT OR REPLACE INTO described VALUES (?1, ?2)";
            self.db.prepare_cached(keep)?.execute([key, text])?;
        }
        Ok(Some(change))
    }

    fn begin(&self) -> Result<()> {
        if self.db.is_autocommit() {
            self.db.execute_batch("BEGIN IMMEDIATE")?;
        }
        Ok(())
    }

    /// All that was noted is on the disk. How far that is goes with it: if nothing was, it is looked
    /// at again after a start.
    pub(super) fn commit(&self) -> Result<()> {
        if self.db.is_autocommit() {
            return Ok(());
        }
        let mut note = self
            .db
            .prepare_cached("INSERT OR REPLACE INTO followed VALUES (?1, ?2)")?;
        for (shard, seq) in self.followed.iter().enumerate() {
            note.execute([shard as i64, *seq as i64])?;
        }
        self.db.execute_batch("COMMIT")
    }

    /// Lets the oldest go, if there are too many.
    pub(super) fn trim(&mut self) -> Result<()> {
        let over = (self.count - CHANGES_MAX).min(GO_AT_ONCE);
        if over <= 0 {
            return Ok(());
        }
        self.begin()?;
        let sql = "DELETE FROM changes WHERE (element, event) IN
            (SELECT element, event FROM changes ORDER BY event LIMIT ?1)";
        self.count -= self.db.prepare_cached(sql)?.execute([over])? as i64;
        Ok(())
    }
}

impl Follow for History {
    fn next(&self) -> Start {
        self.followed.map(|seq| seq + 1)
    }

    fn take(&mut self, shard: u8, seq: Seq, bytes: &[u8]) -> std::result::Result<(), Trouble> {
        if Record::tells_of_the_hubs_word(bytes) {
            let record = Record::read(bytes).map_err(|why| Trouble::Record { shard, seq, why })?;
            if let Record::Kept { event, .. } = record {
                self.note(&event).map_err(Trouble::History)?;
            }
        }
        self.followed[usize::from(shard)] = seq;
        Ok(())
    }
}

impl Change {
    fn of(event: &Event, what: &str) -> Self {
        Self {
            event: event.id,
            what: what.to_owned(),
            name: None,
            request: None,
            status: None,
            value: None,
            why: None,
            by: event.author().to_owned(),
        }
    }

    /// The changes of an element before an event, the last first, of this property or action only
    /// if one is named; and whether there are more.
    pub(crate) fn of_element(
        db: &Connection,
        element: &str,
        name: Option<&str>,
        before: Option<EventId>,
        limit: u32,
    ) -> Result<(Vec<Self>, bool)> {
        // All that an identity is made of sorts before z.
        let before = before.map_or_else(|| "z".to_owned(), |id| id.to_string());
        let sql = "SELECT event, what, name, request, status, value, why, by FROM changes
            WHERE element = :element AND event < :before AND (:name IS NULL OR name = :name)
            ORDER BY event DESC LIMIT :limit";
        let mut found = db.prepare(sql)?;
        let limit_and_one = i64::from(limit) + 1;
        let wanted = named_params! {
            ":element": element, ":before": before, ":name": name, ":limit": limit_and_one,
        };
        let mut found = found
            .query_map(wanted, Self::of_row)?
            .collect::<Result<Vec<_>>>()?;
        let has_more = limit_and_one == found.len() as i64;
        found.truncate(limit as usize);
        Ok((found, has_more))
    }

    fn of_row(row: &Row<'_>) -> Result<Self> {
        let event: String = row.get(0)?;
        let value: Option<String> = row.get(5)?;
        Ok(Self {
            event: event.parse().map_err(|_| rusqlite::Error::InvalidQuery)?,
            what: row.get(1)?,
            name: row.get(2)?,
            request: row.get(3)?,
            status: row.get(4)?,
            value: value.and_then(|value| serde_json::from_str(&value).ok()),
            why: row.get(6)?,
            by: row.get(7)?,
        })
    }
}

/// What the hub says of a wish or an invocation, at its own topic.
fn told(event: &Event, what: &str, name: &str, id: Option<&str>) -> Option<Change> {
    let mut said: Value = serde_json::from_slice(&event.payload).ok()?;
    let text = |member: &str| said[member].as_str().map(str::to_owned);
    let mut change = Change {
        name: Some(name.to_owned()),
        request: id.map(str::to_owned).or_else(|| text("revision")),
        status: text("status"),
        why: text("reason").or_else(|| text("error")),
        ..Change::of(event, what)
    };
    if what == "wanted"
        && change.status.as_deref() == Some("pending")
        && said["delivered"].is_string()
    {
        change.status = Some("delivered".to_owned());
    }
    let value = match said["output"].is_null() {
        true if what == "wanted" => said["value"].take(),
        true => said["input"].take(),
        false => said["output"].take(),
    };
    change.value = short(value);
    Some(change)
}

/// A value if there is one, and it is not too long.
fn short(value: Value) -> Option<Value> {
    (!value.is_null() && value.to_string().len() <= VALUE_BYTES_MAX).then_some(value)
}

#[cfg(test)]
mod tests;
