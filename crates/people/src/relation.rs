//! Relations from one element to others, as they are kept at one topic.
//!
//! `memberOf` a team, `in` a place, `onDuty` for a team, `consentsTo` a person or a team; every other
//! name is a role that the element has at a scope.

use quartet_model::{Address, Time};
use serde::{Deserialize, Serialize};

use crate::{role, when};

/// Where they are kept: below this, at the element's key.
const FOLDER: &str = "$quartet/relations";
const VERSION: u32 = 1;
/// An element has no more relations to others.
pub const RELATIONS_MAX: usize = 2048;
/// The place that everything is in.
pub const HUB: &str = "places/hub";

/// The topic at which the relations from an element are kept.
pub fn topic_of(element: &str) -> String {
    format!("{FOLDER}/{element}")
}

/// The element whose relations are kept at a topic.
pub fn element_at(topic: &str) -> Option<&str> {
    topic.strip_prefix(FOLDER)?.strip_prefix('/')
}

/// Where all of them are.
pub fn filter() -> String {
    format!("{FOLDER}/#")
}

/// One relation to another element.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Relation {
    /// `memberOf`, `in`, `onDuty`, `consentsTo`, or the name of a role.
    pub relation: String,
    /// The key of the other.
    pub to: String,
    /// Since when.
    #[serde(default, skip_serializing_if = "is_zero", with = "when")]
    pub from: Time,
    /// Until when.
    #[serde(default = "never", skip_serializing_if = "is_never", with = "when")]
    pub until: Time,
    /// A role that holds only for those who are on duty for the team that has it, or for any team
    /// if a person has it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub while_on_duty: bool,
    /// A role that holds only while something is true: the value of the property with this address.
    #[serde(default, rename = "while", skip_serializing_if = "Option::is_none")]
    pub while_true: Option<String>,
    /// A role that reaches people, and what is theirs, only as far as they consent to it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub with_consent: bool,
    /// A role that holds only once its glass is broken: then for a time, with a reason.
    #[serde(default, skip_serializing_if = "is_false")]
    pub break_glass: bool,
    /// Why it was taken, if its glass was broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The identity provider that says so; what it says no more goes with the next sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "is_zero", with = "when")]
    pub at: Time,
}

fn never() -> Time {
    Time::NEVER
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_never(time: &Time) -> bool {
    *time == Time::NEVER
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(time: &Time) -> bool {
    *time == Time::ZERO
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What a relation is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    /// Whoever is a member has what the team has.
    MemberOf,
    /// Whatever is in something is reached through it.
    In,
    /// The same as a member for a time, who meets `whileOnDuty`, too.
    OnDuty,
    /// A person lets others see what is theirs.
    ConsentsTo,
    /// What it may there.
    Role,
}

impl Sort {
    /// What a relation of this name is for.
    pub fn of(name: &str) -> Self {
        match name {
            "memberOf" => Self::MemberOf,
            "in" => Self::In,
            "onDuty" => Self::OnDuty,
            "consentsTo" => Self::ConsentsTo,
            _ => Self::Role,
        }
    }
}

/// Why something is no relation.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoRelation {
    /// It is not as relations are written.
    #[error(
        "relations are written as [{{\"relation\": \"nurse\", \"to\": \"places/ward-3\"}}]: {0}"
    )]
    Shape(String),
    /// A name that cannot be one.
    #[error(
        "`{0}` is no name of a relation: memberOf, in, onDuty, consentsTo, or the name of a role, of letters, digits, `-`, `_` and `.`"
    )]
    Name(String),
    /// The other is no element.
    #[error("`{0}` is no element; `to` must be like places/ward-3")]
    To(String),
    /// It ends before it begins.
    #[error("it ends at {until}, which is not after it begins at {from}")]
    Ends {
        /// When it begins.
        from: String,
        /// When it ends.
        until: String,
    },
    /// A condition that only roles have.
    #[error(
        "`{relation}` has no `{condition}`; only roles have conditions other than from and until"
    )]
    Condition {
        /// The relation.
        relation: String,
        /// What it cannot have.
        condition: &'static str,
    },
    /// What should be the address of a property is none.
    #[error(
        "`while` is `{0}`; must be the address of a property, like things/pump-7/properties/alarm"
    )]
    While(String),
    /// An element cannot be that to itself.
    #[error("`{0}` cannot be {1} itself")]
    Itself(String, String),
    /// There are too many.
    #[error(
        "{0} would have {1} relations; an element has at most {RELATIONS_MAX}: relate a team or a place in place of each alone"
    )]
    TooMany(String, usize),
}

impl Relation {
    /// A relation without conditions.
    pub fn new(relation: &str, to: &str) -> Self {
        Self {
            relation: relation.to_owned(),
            to: to.to_owned(),
            from: Time::ZERO,
            until: Time::NEVER,
            while_on_duty: false,
            while_true: None,
            with_consent: false,
            break_glass: false,
            reason: None,
            provider: None,
            by: None,
            at: Time::ZERO,
        }
    }

    /// Whether it may be one from `element`.
    pub fn check(&self, element: &str) -> Result<(), NoRelation> {
        let Self { relation, to, .. } = self;
        if !role::is_name(relation) {
            return Err(NoRelation::Name(relation.clone()));
        }
        if Address::element_of(to) != Some(to) {
            return Err(NoRelation::To(to.clone()));
        }
        if self.until <= self.from {
            return Err(NoRelation::Ends {
                from: self.from.rfc3339(),
                until: self.until.rfc3339(),
            });
        }
        if Sort::of(relation) != Sort::Role {
            if to == element {
                return Err(NoRelation::Itself(to.clone(), relation.clone()));
            }
            let conditions = [
                ("whileOnDuty", self.while_on_duty),
                ("while", self.while_true.is_some()),
                ("withConsent", self.with_consent),
                ("breakGlass", self.break_glass),
            ];
            if let Some((condition, _)) = conditions.into_iter().find(|(_, is_set)| *is_set) {
                return Err(NoRelation::Condition {
                    relation: relation.clone(),
                    condition,
                });
            }
        }
        if let Some(topic) = &self.while_true {
            let address = Address::read(topic);
            let is_property =
                |address: Address<'_>| matches!(address.aspect, quartet_model::Aspect::Property(_));
            if !address.is_ok_and(is_property) {
                return Err(NoRelation::While(topic.clone()));
            }
        }
        Ok(())
    }

    /// Whether it is the same relation, whatever its end and its conditions: there is one of them from
    /// each who says so.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.relation, &self.to, self.from, &self.provider)
            == (&other.relation, &other.to, other.from, &other.provider)
    }
}

/// The relations from one element.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, Debug)]
pub struct Relations {
    version: u32,
    relations: Vec<Relation>,
    /// How many of them, at the end, the last change put: for those who keep record of it.
    #[serde(default, skip_serializing_if = "is_none")]
    new: usize,
    /// What it took away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    taken: Vec<Relation>,
}

impl Relations {
    /// As they are kept, to be changed; none if nothing is.
    pub fn read(kept: &[u8]) -> Result<Self, NoRelation> {
        let all = Self::read_changed(kept)?;
        if all.relations.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self {
            new: 0,
            taken: Vec::new(),
            ..all
        })
    }

    /// The same, with what the last change was.
    pub fn read_changed(kept: &[u8]) -> Result<Self, NoRelation> {
        match kept {
            [] => Ok(Self::default()),
            kept => {
                serde_json::from_slice(kept).map_err(|error| NoRelation::Shape(error.to_string()))
            }
        }
    }

    /// As they are to be kept; empty if there is nothing to keep, and nothing was taken away.
    pub fn text(&self) -> String {
        if self.relations.is_empty() && self.taken.is_empty() {
            return String::new();
        }
        let written = Self {
            version: VERSION,
            ..self.clone()
        };
        serde_json::to_string(&written).expect("texts and numbers are JSON")
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Relation> {
        self.relations.iter()
    }

    /// What the last change put.
    pub fn new_ones(&self) -> &[Relation] {
        let known = self.relations.len().saturating_sub(self.new);
        &self.relations[known..]
    }

    /// What it took away.
    pub fn taken(&self) -> &[Relation] {
        &self.taken
    }

    /// Adds relations from `element`, each in place of the same one. What is over is forgotten.
    pub fn put(&mut self, element: &str, new: &[Relation], now: Time) -> Result<(), NoRelation> {
        for one in new {
            one.check(element)?;
        }
        self.relations
            .retain(|there| now < there.until && !new.iter().any(|one| one.is_same(there)));
        self.relations.extend_from_slice(new);
        self.new += new.len();
        if RELATIONS_MAX < self.relations.len() {
            return Err(NoRelation::TooMany(
                element.to_owned(),
                self.relations.len(),
            ));
        }
        Ok(())
    }

    /// Takes away those that `is_meant`; gives them back.
    pub fn remove(&mut self, is_meant: impl Fn(&Relation) -> bool) -> Vec<Relation> {
        let removed = self.relations.extract_if(.., |there| is_meant(there));
        let removed: Vec<_> = removed.collect();
        self.taken.extend_from_slice(&removed);
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_000_000);

    #[test]
    fn relations_are_kept_and_read_back() {
        let mut all = Relations::default();
        assert_eq!(all.text(), "");
        let nurse = Relation {
            until: NOW.after(std::time::Duration::from_secs(60)),
            while_on_duty: true,
            while_true: Some("things/pump/properties/alarm".into()),
            ..Relation::new("nurse", "places/ward-3")
        };
        let member = Relation::new("memberOf", "teams/night");
        all.put("people/ana", &[nurse, member], NOW).unwrap();
        let read = Relations::read(all.text().as_bytes()).unwrap();
        assert!(read.iter().eq(all.iter()) && read.new_ones().is_empty());
        let changed = Relations::read_changed(all.text().as_bytes()).unwrap();
        assert!(changed.new_ones().iter().eq(all.iter()));
    }

    #[test]
    fn the_same_relation_is_there_once_and_what_is_over_goes() {
        let mut all = Relations::default();
        let later = NOW.after(std::time::Duration::from_secs(1));
        let short = Relation {
            until: later,
            ..Relation::new("viewer", "places/a")
        };
        all.put("people/ana", &[short], NOW).unwrap();
        all.put("people/ana", &[Relation::new("viewer", "places/a")], NOW)
            .unwrap();
        assert_eq!(all.iter().count(), 1);
        let over = Relation {
            until: later,
            ..Relation::new("viewer", "places/b")
        };
        all.put("people/ana", &[over], NOW).unwrap();
        all.put("people/ana", &[], later).unwrap();
        assert!(all.iter().all(|one| one.to == "places/a"));
        assert_eq!(all.remove(|one| one.relation == "viewer").len(), 1);
        // Who keeps record hears of it; with the next change it is gone.
        let text = all.text();
        let kept = Relations::read_changed(text.as_bytes()).unwrap();
        assert_eq!((kept.iter().count(), kept.taken().len()), (0, 1));
        assert_eq!(Relations::read(text.as_bytes()).unwrap().text(), "");
    }

    #[test]
    fn what_cannot_be_a_relation_says_why() {
        let check = |relation: Relation, why: &str| {
            let error = relation.check("teams/night").unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        };
        check(Relation::new("a b", "places/x"), "no name of a relation");
        check(Relation::new("viewer", "ward"), "no element");
        check(Relation::new("memberOf", "teams/night"), "itself");
        let backwards = Relation {
            from: NOW,
            until: NOW,
            ..Relation::new("viewer", "places/x")
        };
        check(backwards, "not after it begins");
        let conditional = Relation {
            while_on_duty: true,
            ..Relation::new("in", "places/x")
        };
        check(conditional, "`in` has no `whileOnDuty`");
        let odd = Relation {
            while_true: Some("things/pump".into()),
            ..Relation::new("viewer", "places/x")
        };
        check(odd, "address of a property");
        let text = br#"{"version":1,"relations":[{"relation":"viewer"}]}"#;
        assert!(
            Relations::read(text)
                .unwrap_err()
                .to_string()
                .contains("missing field `to`")
        );
    }

    #[test]
    fn an_element_has_so_many_relations_and_no_more() {
        let many: Vec<Relation> = (0..=RELATIONS_MAX)
            .map(|n| Relation::new("viewer", &format!("places/{n}")))
            .collect();
        let error = Relations::default().put("people/ana", &many, NOW);
        assert!(matches!(error, Err(NoRelation::TooMany(_, 2049))));
    }
}
