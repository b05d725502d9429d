//! Questions, and their answers as rows. Lists are in the order of names; a page begins behind
//! the last name of the one before.

use quartet_model::Time;
use rusqlite::{Connection, OptionalExtension, Result, Row, named_params, params};

use super::tables::{time, us};

/// Which part of a list is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Page {
    /// Part of the name; no difference is made between A and a.
    pub(crate) search: String,
    /// Behind this name.
    pub(crate) after: String,
    /// No more than this.
    pub(crate) limit: u32,
}

/// A session that is kept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Session {
    pub(crate) client: String,
    pub(crate) expiry_s: u32,
    /// Since when the client is away; `None` while it is connected.
    pub(crate) away_at: Option<Time>,
    pub(crate) subscriptions: u32,
    pub(crate) will_topic: Option<String>,
    shard: u8,
    number: u32,
}

/// One of its subscriptions.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Subscription {
    /// Empty if it is not shared.
    pub(crate) share: String,
    pub(crate) filter: String,
    pub(crate) qos: u8,
}

/// A retained message.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Retained {
    pub(crate) topic: String,
    pub(crate) bytes: u32,
    pub(crate) qos: u8,
    pub(crate) at: Time,
    /// The id of the event that said it.
    pub(crate) event: String,
    pub(crate) expires: Option<Time>,
    /// The payload, if it is a short text.
    pub(crate) payload: Option<String>,
}

const SESSIONS: &str = "SELECT client, expiry_s, away_at_us, will_topic, shard, number,
    (SELECT count(*) FROM subscriptions
        WHERE subscriptions.shard = sessions.shard AND session = number)
    FROM sessions";

impl Page {
    /// For LIKE, with `\` before what would match more than itself.
    fn pattern(&self) -> String {
        let mut pattern = String::from("%");
        for c in self.search.chars() {
            if matches!(c, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('%');
        pattern
    }

    /// The sessions on this page, and whether there are more.
    pub(crate) fn sessions(&self, db: &Connection) -> Result<(Vec<Session>, bool)> {
        let mut found = db.prepare(&format!(
            "{SESSIONS} WHERE client > :after AND client LIKE :like ESCAPE '\\'
            ORDER BY client, number LIMIT :limit"
        ))?;
        let limits = named_params! {
            ":after": self.after, ":like": self.pattern(), ":limit": self.limit + 1
        };
        self.cut(found.query_map(limits, session)?.collect::<Result<_>>()?)
    }

    /// The retained messages on this page that are of interest `now`, and whether there are more.
    pub(crate) fn retained(&self, db: &Connection, now: Time) -> Result<(Vec<Retained>, bool)> {
        let mut found = db.prepare(
            "SELECT topic, bytes, qos, at_us, event, expires_us, payload FROM retained
            WHERE topic > :after AND topic LIKE :like ESCAPE '\\'
            AND (expires_us IS NULL OR expires_us > :now) ORDER BY topic LIMIT :limit",
        )?;
        let limits = named_params! {
            ":after": self.after, ":like": self.pattern(), ":limit": self.limit + 1, ":now": us(now)
        };
        self.cut(found.query_map(limits, retained)?.collect::<Result<_>>()?)
    }

    /// One more than the limit was asked for, to see whether there is more.
    fn cut<R>(&self, mut rows: Vec<R>) -> Result<(Vec<R>, bool)> {
        let has_more = (self.limit as usize) < rows.len();
        rows.truncate(self.limit as usize);
        Ok((rows, has_more))
    }
}

impl Session {
    /// A client's session with its subscriptions, in the order of their filters.
    pub(crate) fn of(db: &Connection, client: &str) -> Result<Option<(Self, Vec<Subscription>)>> {
        let tx = db.unchecked_transaction()?; // both as of the same moment
        let newest = format!("{SESSIONS} WHERE client = ?1 ORDER BY number DESC LIMIT 1");
        let Some(found) = tx.query_row(&newest, [client], session).optional()? else {
            return Ok(None);
        };
        let mut subscriptions = tx.prepare(
            "SELECT share, filter, qos FROM subscriptions WHERE shard = ?1 AND session = ?2
            ORDER BY filter, share",
        )?;
        let subscriptions = subscriptions.query_map(params![found.shard, found.number], |row| {
            Ok(Subscription {
                share: row.get(0)?,
                filter: row.get(1)?,
                qos: row.get(2)?,
            })
        })?;
        let subscriptions = subscriptions.collect::<Result<_>>()?;
        Ok(Some((found, subscriptions)))
    }
}

fn session(row: &Row<'_>) -> Result<Session> {
    Ok(Session {
        client: row.get(0)?,
        expiry_s: row.get(1)?,
        away_at: row.get::<_, Option<i64>>(2)?.map(time),
        will_topic: row.get(3)?,
        shard: row.get(4)?,
        number: row.get(5)?,
        subscriptions: row.get(6)?,
    })
}

fn retained(row: &Row<'_>) -> Result<Retained> {
    Ok(Retained {
        topic: row.get(0)?,
        bytes: row.get(1)?,
        qos: row.get(2)?,
        at: time(row.get(3)?),
        event: row.get(4)?,
        expires: row.get::<_, Option<i64>>(5)?.map(time),
        payload: row.get(6)?,
    })
}
