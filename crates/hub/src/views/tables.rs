//! A record into changes of tables. Pure: the same record changes nothing the second time, and
//! what a session says before it was said as a whole is passed over, as
//! [`Recall`](crate::flow::keep::Recall) does.

use quartet_model::{Address, Aspect, Event, Time};
use quartet_people::is_secret;
use rusqlite::{Connection, Result, params};

use super::elements;
use crate::flow::keep::{
    Record,
    record::{Opened, SessionNumber, Subscription, Whole},
};

/// The tables as this version makes them. A file with another number is thrown away.
pub(super) const FORMAT: i64 = 3;
/// Payloads up to this are shown, if they are text.
const TEXT_BYTES_MAX: usize = 512;

const SCHEMA: &str = "
CREATE TABLE about (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE applied (shard INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE sessions (
    shard INTEGER NOT NULL,
    number INTEGER NOT NULL,
    client TEXT NOT NULL,
    expiry_s INTEGER NOT NULL,
    away_at_us INTEGER, -- NULL while connected
    will_topic TEXT,
    PRIMARY KEY (shard, number)
) WITHOUT ROWID;
CREATE INDEX sessions_by_client ON sessions (client, number);
CREATE TABLE subscriptions (
    shard INTEGER NOT NULL,
    session INTEGER NOT NULL,
    share TEXT NOT NULL, -- empty if it is not shared
    filter TEXT NOT NULL,
    qos INTEGER NOT NULL,
    PRIMARY KEY (shard, session, share, filter)
) WITHOUT ROWID;
CREATE TABLE retained (
    topic TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL,
    qos INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    event TEXT NOT NULL,
    expires_us INTEGER, -- NULL for never
    payload TEXT, -- of short texts
    element TEXT, property TEXT, -- if it is what an element reports
    number REAL -- if that is a number
) WITHOUT ROWID;
CREATE INDEX retained_by_value ON retained (property, number) WHERE property IS NOT NULL;
CREATE INDEX retained_by_end ON retained (expires_us) WHERE expires_us IS NOT NULL;
";

/// Makes empty tables.
pub(super) fn make(db: &Connection) -> Result<()> {
    db.execute_batch(SCHEMA)?;
    db.execute_batch(elements::SCHEMA)?;
    db.execute("INSERT INTO about VALUES ('format', ?1)", [FORMAT])?;
    Ok(())
}

/// Changes the tables as a record says.
pub(super) fn apply(db: &Connection, shard: u8, record: Record) -> Result<()> {
    let change = |sql: &str, session: SessionNumber| {
        let mut change = db.prepare_cached(sql)?;
        change.execute(params![shard, session]).map(drop)
    };
    match record {
        Record::Opened(opened) => open(db, shard, &opened, None),
        Record::Whole(whole) => say_anew(db, shard, &whole),
        Record::Away {
            session,
            at,
            expiry_s,
            forgets_will,
        } => {
            let sql = "UPDATE sessions SET away_at_us = ?3, expiry_s = ?4,
                will_topic = CASE WHEN ?5 THEN NULL ELSE will_topic END
                WHERE shard = ?1 AND number = ?2";
            let mut away = db.prepare_cached(sql)?;
            away.execute(params![shard, session, us(at), expiry_s, forgets_will])?;
            Ok(())
        }
        Record::Ended(session) => {
            change(
                "DELETE FROM subscriptions WHERE shard = ?1 AND session = ?2",
                session,
            )?;
            change(
                "DELETE FROM sessions WHERE shard = ?1 AND number = ?2",
                session,
            )
        }
        Record::Subscribed {
            session,
            subscription,
        } => subscribe(db, shard, session, &subscription),
        Record::Unsubscribed {
            session,
            share,
            filter,
        } => {
            let sql = "DELETE FROM subscriptions
                WHERE shard = ?1 AND session = ?2 AND share = ?3 AND filter = ?4";
            let mut unsubscribe = db.prepare_cached(sql)?;
            unsubscribe.execute(params![shard, session, &*share, &*filter])?;
            Ok(())
        }
        Record::WillGone(session)
        | Record::Said {
            session,
            is_will: true,
            ..
        } => change(
            "UPDATE sessions SET will_topic = NULL WHERE shard = ?1 AND number = ?2",
            session,
        ),
        Record::Kept { event, .. } => keep(db, &event),
        // Messages on their way, and how far the hub is with them.
        Record::Basis { .. }
        | Record::Said { .. }
        | Record::Passed(_)
        | Record::Took { .. }
        | Record::Waits { .. }
        | Record::Sent(_)
        | Record::Dropped(_)
        | Record::Done(..)
        | Record::Received(..)
        | Record::Released(..) => Ok(()),
    }
}

fn open(db: &Connection, shard: u8, opened: &Opened, away_at: Option<Time>) -> Result<()> {
    let sql = "INSERT INTO sessions (shard, number, client, expiry_s, away_at_us, will_topic)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (shard, number) DO UPDATE SET
        expiry_s = excluded.expiry_s, away_at_us = excluded.away_at_us,
        will_topic = excluded.will_topic";
    let mut open = db.prepare_cached(sql)?;
    open.execute(params![
        shard,
        opened.session,
        &*opened.id,
        opened.expiry_s,
        away_at.map(us),
        opened.will.as_ref().map(|will| &*will.topic),
    ])?;
    Ok(())
}

fn say_anew(db: &Connection, shard: u8, whole: &Whole) -> Result<()> {
    let number = whole.opened.session;
    if !whole.has_more_subscriptions {
        apply(db, shard, Record::Ended(number))?;
    }
    open(db, shard, &whole.opened, whole.away_at)?;
    let mut subscriptions = whole.subscriptions.iter();
    subscriptions.try_for_each(|one| subscribe(db, shard, number, one))
}

fn subscribe(db: &Connection, shard: u8, session: SessionNumber, to: &Subscription) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO subscriptions (shard, session, share, filter, qos)
        SELECT ?1, ?2, ?3, ?4, ?5
        WHERE EXISTS (SELECT 1 FROM sessions WHERE shard = ?1 AND number = ?2)";
    let qos = to.wish.qos.level();
    let mut subscribe = db.prepare_cached(sql)?;
    subscribe.execute(params![shard, session, &*to.share, &*to.filter, qos])?;
    Ok(())
}

fn keep(db: &Connection, event: &Event) -> Result<()> {
    if is_secret(&event.topic) {
        return Ok(()); // Nobody is to find it.
    }
    let element = Address::element_of(&event.topic);
    if element.is_some() {
        elements::keep(db, event)?;
    }
    if event.payload.is_empty() {
        let mut forget = db.prepare_cached("DELETE FROM retained WHERE topic = ?1")?;
        forget.execute([&*event.topic])?;
        return Ok(());
    }
    let is_short = event.payload.len() <= TEXT_BYTES_MAX;
    let text = std::str::from_utf8(&event.payload)
        .ok()
        .filter(|_| is_short);
    let expires = (event.expires != Time::NEVER).then(|| us(event.expires));
    let sql = "INSERT OR REPLACE INTO retained
        (topic, bytes, qos, at_us, event, expires_us, payload, element, property, number)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let property = element.and_then(|_| match Address::read(&event.topic).ok()?.aspect {
        Aspect::Property(name) => Some(name),
        _ => None,
    });
    let number = property.and_then(|_| text?.trim().parse::<f64>().ok());
    let mut keep = db.prepare_cached(sql)?;
    keep.execute(params![
        &*event.topic,
        event.payload.len() as i64,
        event.qos.level(),
        us(event.id.at),
        event.id.to_string(),
        expires,
        text,
        property.and(element),
        property,
        number.filter(|number| number.is_finite()),
    ])?;
    Ok(())
}

/// Forgets what nobody gets any more. The hub does so without a record.
pub(super) fn expire(db: &Connection, now: Time) -> Result<()> {
    let mut expire = db.prepare_cached("DELETE FROM retained WHERE expires_us <= ?1")?;
    expire.execute([us(now)])?;
    Ok(())
}

/// A time as the tables have it.
pub(super) fn us(at: Time) -> i64 {
    i64::try_from(at.as_micros()).unwrap_or(i64::MAX)
}

/// A time from the tables.
pub(super) fn time(us: i64) -> Time {
    Time::from_micros(us.unsigned_abs())
}

#[cfg(test)]
mod tests;
