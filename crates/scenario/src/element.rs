//! What is described: a Thing Description without what all of them have alike, where it is, and its relations.

use quartet_model::{Address, Aspect};
use quartet_people::relation::Relation;
use quartet_process::{names::nearest, problem::Place};
use quartet_things::{
    identity,
    td::{Description, Interner},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Wrong;

const CONTEXT: &str = "https://www.w3.org/2022/wot/td/v1.1";
const KINDS: [&str; 3] = ["properties", "actions", "events"];

/// What a scenario says of an element, and members of Thing Descriptions (TD 1.1, section 5.3.1.1), beside those that have a
/// prefix.
const MEMBERS: [&str; 24] = [
    "in",
    "relations",
    "announced",
    "invited",
    "plan",
    "title",
    "titles",
    "description",
    "descriptions",
    "id",
    "version",
    "created",
    "modified",
    "support",
    "base",
    "properties",
    "actions",
    "events",
    "links",
    "forms",
    "security",
    "securityDefinitions",
    "profile",
    "schemaDefinitions",
];

/// An element of a scenario as a file says it.
#[derive(Clone, Deserialize, Debug)]
pub(crate) struct Written {
    /// The place that it is in.
    #[serde(rename = "in")]
    pub(crate) place: Option<String>,
    /// What it is to others beside that.
    #[serde(default)]
    pub(crate) relations: Vec<Relation>,
    /// Whether somebody else says that it is there: what is said here is added to that.
    #[serde(default)]
    pub(crate) announced: bool,
    /// Whether a person is invited to come in as it.
    #[serde(default)]
    pub(crate) invited: bool,
    /// Members of its Thing Description.
    #[serde(flatten)]
    pub(crate) td: Map<String, Value>,
}

/// An element that a scenario makes, or adds to.
#[derive(Clone, PartialEq, Debug)]
pub struct Element {
    /// Its key, like `places/office`.
    pub key: String,
    /// Its Thing Description; of one that is announced, what is added to it.
    pub td: Map<String, Value>,
    /// The place that it is in.
    pub place: Option<String>,
    /// All of its relations, `in` among them.
    pub relations: Vec<Relation>,
    /// Whether somebody else says that it is there.
    pub announced: bool,
    /// Whether a person is invited to come in as it.
    pub invited: bool,
}

impl Element {
    /// Makes it of what a file says; `place_of` tells where in the file a member stands.
    pub(crate) fn new(
        file: &str,
        key: &str,
        written: Written,
        place_of: &dyn Fn(&[&str]) -> Place,
        wrongs: &mut Vec<Wrong>,
    ) -> Option<Self> {
        let Written {
            place,
            mut relations,
            announced,
            invited,
            mut td,
        } = written;
        let address = Address::read(key).ok();
        if address.is_none_or(|address| address.aspect != Aspect::Description) {
            let what = format!("`{key}` is no element; write something like places/office");
            wrongs.push(Wrong::at(file, place_of(&[]), what));
            return None;
        }
        for member in td.keys() {
            let is_known = MEMBERS.contains(&&**member) || member.contains([':', '@']);
            if !is_known {
                let near = nearest(member, MEMBERS.into_iter());
                let near = near.map(|near| format!("; did you mean `{near}`?"));
                let what = format!(
                    "`{member}` is no member of an element; others have a prefix, such as `quartet:labels`{}",
                    near.unwrap_or_default()
                );
                wrongs.push(Wrong::at(file, place_of(&[member]), what));
            }
        }
        if invited && !key.starts_with("people/") {
            let what = format!("`{key}` cannot be invited: only people are");
            wrongs.push(Wrong::at(file, place_of(&["invited"]), what));
        }
        for (at, relation) in relations.iter().enumerate() {
            if let Err(why) = relation.check(key) {
                let at = at.to_string();
                let place = place_of(&["relations", &at]);
                wrongs.push(Wrong::at(file, place, why.to_string()));
            }
        }
        if let Some(place) = &place {
            let relation = Relation::new("in", place);
            if let Err(why) = relation.check(key) {
                wrongs.push(Wrong::at(file, place_of(&["in"]), why.to_string()));
            }
            relations.push(relation);
        }
        reach(key, &mut td);
        if let Some(place) = &place {
            let link = json!({ "rel": "in", "href": identity::id_of(place) });
            match td.entry("links").or_insert_with(|| json!([])) {
                Value::Array(links) => links.push(link),
                _ => {
                    let what = "`links` is a list of links";
                    wrongs.push(Wrong::at(file, place_of(&["links"]), what));
                }
            }
        }
        if !announced {
            complete(key, &mut td);
            judge(file, &td, place_of, wrongs);
        }
        Some(Self {
            key: key.to_owned(),
            td,
            place,
            relations,
            announced,
            invited,
        })
    }

    /// The names of what it offers of one kind.
    pub(crate) fn offers(&self, kind: &str) -> impl Iterator<Item = &str> {
        let all = self.td.get(kind).and_then(Value::as_object);
        all.into_iter().flatten().map(|(name, _)| name.as_str())
    }
}

/// What every description must have.
fn complete(key: &str, td: &mut Map<String, Value>) {
    let title = key.split_once('/').map_or(key, |(_, id)| id);
    for (member, value) in [
        ("@context", json!(CONTEXT)),
        ("title", json!(title)),
        (
            "securityDefinitions",
            json!({ "none": { "scheme": "nosec" } }),
        ),
        ("security", json!("none")),
    ] {
        td.entry(member).or_insert(value);
    }
    td.insert("id".into(), identity::id_of(key).into());
}

/// What says nothing of how it is reached is reached at its address at the hub.
fn reach(key: &str, td: &mut Map<String, Value>) {
    for kind in KINDS {
        let all = td.get_mut(kind).and_then(Value::as_object_mut);
        for (name, affordance) in all.into_iter().flatten() {
            if let Some(members) = affordance.as_object_mut() {
                let form = json!([{ "href": format!("/api/{key}/{kind}/{name}") }]);
                members.entry("forms").or_insert(form);
            }
        }
    }
}

fn judge(
    file: &str,
    td: &Map<String, Value>,
    place_of: &dyn Fn(&[&str]) -> Place,
    wrongs: &mut Vec<Wrong>,
) {
    let text = Value::Object(td.clone()).to_string();
    if let Err(invalid) = Description::parse(text, &mut Interner::default()) {
        for problem in invalid.0 {
            let path: Vec<&str> = problem.field.split('.').collect();
            let what = problem.to_string();
            wrongs.push(Wrong::at(file, place_of(&path), what));
        }
    }
}
