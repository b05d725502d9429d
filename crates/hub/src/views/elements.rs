//! Elements as rows, and questions about them: what they are, where, tied to what, and how they are.

use quartet_model::{Actor, Address, Aspect, Event, Time};
use quartet_things::{
    listing::{self, Listing},
    places::{INSIDE, POSITION, distance_m},
};
use rusqlite::{Connection, Result, Row, ToSql, params, params_from_iter};
use serde_json::Value;

use super::tables::us;

/// Part of the tables' schema.
pub(super) const SCHEMA: &str = "
CREATE TABLE elements (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL, -- what a person might search for, in lower case
    latitude REAL, longitude REAL -- as it is described, or reported last
) WITHOUT ROWID;
CREATE INDEX elements_by_position ON elements (latitude, longitude) WHERE latitude IS NOT NULL;
CREATE TABLE types (type TEXT, key TEXT, PRIMARY KEY (type, key)) WITHOUT ROWID;
CREATE TABLE labels (name TEXT, value TEXT, key TEXT, PRIMARY KEY (name, value, key)) WITHOUT ROWID;
CREATE TABLE relations (
    rel TEXT, target TEXT, key TEXT, from_us INTEGER NOT NULL, until_us INTEGER NOT NULL,
    PRIMARY KEY (rel, target, key)
) WITHOUT ROWID;
CREATE TABLE stays (place TEXT, key TEXT, PRIMARY KEY (place, key)) WITHOUT ROWID; -- by positions
CREATE INDEX stays_of ON stays (key);
CREATE INDEX types_of ON types (key);
CREATE INDEX labels_of ON labels (key);
CREATE INDEX relations_of ON relations (key);
";

/// Takes note of what is retained at an element's address.
pub(super) fn keep(db: &Connection, event: &Event) -> Result<()> {
    let Ok(address) = Address::read(&event.topic) else {
        return Ok(());
    };
    match address.aspect {
        Aspect::Description => describe(db, address, event),
        Aspect::Property(POSITION) => {
            let value: Value = serde_json::from_slice(&event.payload).unwrap_or_default();
            let Some((latitude, longitude)) = listing::position(&value) else {
                return Ok(());
            };
            let key = address.with(Aspect::Description).to_string();
            let sql = "UPDATE elements SET latitude = ?2, longitude = ?3 WHERE key = ?1";
            let mut place = db.prepare_cached(sql)?;
            place.execute(params![key, latitude, longitude])?;
            Ok(())
        }
        Aspect::Property(INSIDE) if event.by == Actor::Hub => {
            let key = address.with(Aspect::Description).to_string();
            let mut forget = db.prepare_cached("DELETE FROM stays WHERE key = ?1")?;
            forget.execute([&key])?;
            let places: Value = serde_json::from_slice(&event.payload).unwrap_or_default();
            let places = places.as_array().into_iter().flatten();
            let mut stay = db.prepare_cached("INSERT OR IGNORE INTO stays VALUES (?1, ?2)")?;
            for place in places.filter_map(|one| one["place"].as_str()) {
                stay.execute([place, &*key])?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn describe(db: &Connection, address: Address<'_>, event: &Event) -> Result<()> {
    let key = &*event.topic;
    for table in ["types", "labels", "relations"] {
        let mut forget = db.prepare_cached(&format!("DELETE FROM {table} WHERE key = ?1"))?;
        forget.execute([key])?;
    }
    let Some(listing) = Listing::of(key, &event.payload) else {
        let mut forget = db.prepare_cached("DELETE FROM elements WHERE key = ?1")?;
        forget.execute([key])?;
        return Ok(());
    };
    let sql = "INSERT INTO elements (key, kind, id, title, text, latitude, longitude)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (key) DO UPDATE SET
        title = excluded.title, text = excluded.text,
        latitude = coalesce(excluded.latitude, latitude),
        longitude = coalesce(excluded.longitude, longitude)";
    let mut element = db.prepare_cached(sql)?;
    let (latitude, longitude) = listing.position.unzip();
    element.execute(params![
        key,
        address.kind.folder(),
        listing.id,
        listing.title,
        listing.text,
        latitude,
        longitude
    ])?;
    let mut is = db.prepare_cached("INSERT OR IGNORE INTO types VALUES (?1, ?2)")?;
    for name in &listing.types {
        is.execute(params![name, key])?;
    }
    let mut label = db.prepare_cached("INSERT OR IGNORE INTO labels VALUES (?1, ?2, ?3)")?;
    for (name, value) in &listing.labels {
        label.execute(params![name, value, key])?;
    }
    let sql = "INSERT OR REPLACE INTO relations VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut tie = db.prepare_cached(sql)?;
    for one in &listing.relations {
        let (from, until) = (us(one.from), us(one.until));
        tie.execute(params![one.rel, one.target, key, from, until])?;
    }
    Ok(())
}

/// Which elements are wanted: those that all of it is true of.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Query {
    pub(crate) kind: Option<String>,
    pub(crate) types: Vec<String>,
    /// As (name, value).
    pub(crate) labels: Vec<(String, Option<String>)>,
    /// In this place, or in one of its parts.
    pub(crate) place: Option<String>,
    /// Tied so, and to what.
    pub(crate) relations: Vec<(String, Option<String>)>,
    /// Words in its titles and descriptions.
    pub(crate) text: Option<String>,
    /// Latitude and longitude in degrees, and how far from there, in metres.
    pub(crate) near: Option<(f64, f64, f64)>,
    /// How it is, as the property `connectivity` says.
    pub(crate) state: Option<String>,
    pub(crate) values: Vec<Comparison>,
    /// Behind this key.
    pub(crate) after: String,
    pub(crate) limit: u32,
}

/// What a property is compared with.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Comparison {
    /// The property's name.
    pub(crate) property: String,
    /// Which member of it, as SQLite's JSON paths have it; empty for the whole.
    pub(crate) path: String,
    /// One of `= != < <= > >=`.
    pub(crate) operator: &'static str,
    /// A number, a text, or true and false.
    pub(crate) value: Value,
}

/// An element that was found.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Found {
    pub(crate) key: String,
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) title: String,
    /// A JSON array of names.
    pub(crate) types: String,
    /// A JSON object of values by name.
    pub(crate) labels: String,
    pub(crate) position: Option<(f64, f64)>,
    /// What its property `connectivity` says, as JSON.
    pub(crate) connectivity: Option<String>,
}

/// A condition with what stands for its question marks.
#[derive(Default)]
struct Conditions {
    sql: String,
    parameters: Vec<Box<dyn ToSql>>,
}

impl Conditions {
    fn add(&mut self, sql: &str, parameters: impl IntoIterator<Item = Box<dyn ToSql>>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(sql);
        self.parameters.extend(parameters);
    }
}

fn text(text: &str) -> Box<dyn ToSql> {
    Box::new(text.to_owned())
}

impl Query {
    /// Those on this page, and the key behind which there are more.
    pub(crate) fn find(&self, db: &Connection, now: Time) -> Result<(Vec<Found>, Option<String>)> {
        let conditions = self.conditions(now);
        let sql = format!(
            "SELECT key, kind, id, title,
                (SELECT json_group_array(type) FROM types WHERE types.key = e.key),
                (SELECT json_group_object(name, value) FROM labels WHERE labels.key = e.key),
                latitude, longitude,
                (SELECT payload FROM retained WHERE topic = e.key || '/properties/connectivity')
            FROM elements e WHERE true{} ORDER BY key LIMIT {}",
            conditions.sql,
            self.limit + 1
        );
        let mut found = db.prepare(&sql)?;
        let found = found.query_map(params_from_iter(conditions.parameters), row)?;
        let mut found: Vec<Found> = found.collect::<Result<_>>()?;
        let has_more = (self.limit as usize) < found.len();
        found.truncate(self.limit as usize);
        let next = found
            .last()
            .filter(|_| has_more)
            .map(|last| last.key.clone());
        if let Some((latitude, longitude, metres)) = self.near {
            found.retain(|one| {
                let far = |at| distance_m((latitude, longitude), at);
                one.position.is_some_and(|at| far(at) <= metres)
            });
        }
        Ok((found, next))
    }

    fn conditions(&self, now: Time) -> Conditions {
        let mut all = Conditions::default();
        let now = us(now);
        if !self.after.is_empty() {
            all.add("key > ?", [text(&self.after)]);
        }
        if let Some(kind) = &self.kind {
            all.add("kind = ?", [text(kind)]);
        }
        for name in &self.types {
            all.add(
                "key IN (SELECT key FROM types WHERE type = ?)",
                [text(name)],
            );
        }
        for (name, value) in &self.labels {
            match value {
                Some(value) => all.add(
                    "key IN (SELECT key FROM labels WHERE name = ? AND value = ?)",
                    [text(name), text(value)],
                ),
                None => all.add(
                    "key IN (SELECT key FROM labels WHERE name = ?)",
                    [text(name)],
                ),
            }
        }
        if let Some(place) = &self.place {
            let inside = "key IN (WITH RECURSIVE
                ties(key, target) AS (
                    SELECT key, target FROM relations
                        WHERE rel = 'in' AND from_us <= ? AND until_us > ?
                    UNION ALL SELECT key, place FROM stays),
                inside(key) AS (
                    SELECT key FROM ties WHERE target = ?
                    UNION SELECT ties.key FROM ties JOIN inside ON ties.target = inside.key)
                SELECT key FROM inside)";
            let times = (0..2).map(|_| Box::new(now) as Box<dyn ToSql>);
            let parameters: Vec<_> = times.chain([text(place)]).collect();
            all.add(inside, parameters);
        }
        for (rel, target) in &self.relations {
            let valid = || [Box::new(now) as Box<dyn ToSql>, Box::new(now)];
            let of =
                "key IN (SELECT key FROM relations WHERE from_us <= ? AND until_us > ? AND rel = ?";
            let mut parameters: Vec<_> = valid().into_iter().chain([text(rel)]).collect();
            match target {
                Some(target) => {
                    parameters.push(text(target));
                    all.add(&format!("{of} AND target = ?)"), parameters);
                }
                None => all.add(&format!("{of})"), parameters),
            }
        }
        for word in self.text.iter().flat_map(|words| words.split_whitespace()) {
            all.add("instr(text, ?) > 0", [text(&word.to_lowercase())]);
        }
        if let Some((latitude, longitude, metres)) = self.near {
            let (high, wide) = degrees(latitude, metres);
            let box_ = "latitude BETWEEN ? AND ? AND longitude BETWEEN ? AND ?";
            let sides = [
                latitude - high,
                latitude + high,
                longitude - wide,
                longitude + wide,
            ];
            all.add(box_, sides.map(|side| Box::new(side) as Box<dyn ToSql>));
        }
        if let Some(state) = &self.state {
            let is = "coalesce((SELECT json_extract(payload, '$.state') FROM retained
                WHERE topic = e.key || '/properties/connectivity' AND json_valid(payload)), 'unknown') = ?";
            all.add(is, [text(state)]);
        }
        for one in &self.values {
            one.add_to(&mut all);
        }
        all
    }
}

impl Comparison {
    fn add_to(&self, all: &mut Conditions) {
        let operator = self.operator;
        let property = text(&self.property);
        match &self.value {
            Value::Number(number) if self.path.is_empty() => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                let sql = format!(
                    "key IN (SELECT element FROM retained WHERE property = ? AND number {operator} ?)"
                );
                all.add(&sql, [property, Box::new(number)]);
            }
            value => {
                let sql = format!(
                    "key IN (SELECT element FROM retained WHERE property = ?
                        AND json_valid(payload) AND json_extract(payload, ?) {operator} ?)"
                );
                let value: Box<dyn ToSql> = match value {
                    Value::Number(number) => Box::new(number.as_f64()),
                    Value::Bool(is) => Box::new(*is),
                    Value::String(said) => text(said),
                    other => text(&other.to_string()),
                };
                all.add(&sql, [property, text(&format!("${}", self.path)), value]);
            }
        }
    }
}

fn row(row: &Row<'_>) -> Result<Found> {
    let (latitude, longitude): (Option<f64>, Option<f64>) = (row.get(6)?, row.get(7)?);
    Ok(Found {
        key: row.get(0)?,
        kind: row.get(1)?,
        id: row.get(2)?,
        title: row.get(3)?,
        types: row.get(4)?,
        labels: row.get(5)?,
        position: latitude.zip(longitude),
        connectivity: row.get(8)?,
    })
}

const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// How many degrees of latitude and longitude lie within a distance, generously.
fn degrees(latitude: f64, metres: f64) -> (f64, f64) {
    let high = (metres / EARTH_RADIUS_M).to_degrees() * 1.01;
    let narrow = (latitude.abs() + high).min(89.9).to_radians().cos();
    (high, (high / narrow).min(360.0))
}
