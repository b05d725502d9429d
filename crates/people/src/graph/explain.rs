//! By which path somebody may, or what is missing.

use std::{fmt, sync::Arc};

use quartet_model::Time;

use super::{
    Edge, Graph, Node, When,
    ask::{Object, Question, Subject, acts},
    climb::{Climb, Step, Upwards},
};
use crate::{
    fields::Fields,
    role::{Deed, Role},
};

/// A person looks at no more of what was nearly enough.
const NEAR_MAX: usize = 8;

/// Why somebody may, or may not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Explanation {
    /// It may, by this path.
    Allowed {
        /// From whoever may, over teams, to a role at a scope, and from there down to the element.
        path: Vec<Link>,
        /// Which fields it may have by all paths together.
        fields: Fields,
        /// Until when, if no relation changes.
        until: Time,
    },
    /// It may not. These paths were nearly enough.
    Refused(Vec<Near>),
}

/// One relation of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// From which element.
    pub from: String,
    /// What it is called.
    pub relation: String,
    /// To which element.
    pub to: String,
    /// Until when it holds.
    pub until: Time,
}

/// A path that was nearly enough.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Near {
    /// The path.
    pub path: Vec<Link>,
    /// What it lacks.
    pub missing: Missing,
}

/// One who may something with an element, by one of its roles.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Access {
    /// Its key.
    pub who: Arc<str>,
    /// By which path.
    pub path: Vec<Link>,
    /// Until when.
    pub until: Time,
}

/// What a path lacks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Missing {
    /// There is no role of this name.
    NoSuchRole(String),
    /// The role does not allow that.
    NotByRole(String),
    /// A link of it holds only later.
    NotBefore(Time),
    /// A link of it held only until then.
    OverSince(Time),
    /// It holds for those on duty only.
    NotOnDuty,
    /// It holds while this property is true only, and it is not.
    NotTrue(String),
    /// This person does not consent.
    NoConsent(String),
    /// Its glass must be broken first.
    GlassIsWhole,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchRole(name) => write!(f, "there is no role `{name}`"),
            Self::NotByRole(name) => write!(f, "the role `{name}` does not allow it"),
            Self::NotBefore(at) => write!(f, "it holds from {}", at.rfc3339()),
            Self::OverSince(at) => write!(f, "it held until {}", at.rfc3339()),
            Self::NotOnDuty => f.write_str("it holds on duty only"),
            Self::NotTrue(topic) => write!(f, "it holds while {topic} is true only"),
            Self::NoConsent(person) => write!(f, "{person} does not consent"),
            Self::GlassIsWhole => {
                f.write_str("it holds only once the glass is broken, with a reason")
            }
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            from, relation, to, ..
        } = self;
        match relation.as_str() {
            "memberOf" => write!(f, "{from} is a member of {to}"),
            "in" => write!(f, "{from} is in {to}"),
            "onDuty" => write!(f, "{from} is on duty for {to}"),
            role => write!(f, "{from} is {role} of {to}"),
        }
    }
}

impl Graph {
    /// Why, or why not.
    pub fn explain(&self, question: &Question<'_>, now: Time) -> Explanation {
        let verdict = self.may(question, now);
        match verdict.fields {
            Some(fields) => Explanation::Allowed {
                path: self.path(question, now).unwrap_or_default(),
                fields,
                until: verdict.until,
            },
            None => Explanation::Refused(self.near(question, now)),
        }
    }

    /// Who may something with an element now, each by each of its roles there.
    pub fn access(&self, on: &str, now: Time) -> Vec<Access> {
        let until = &mut Time::NEVER.clone();
        let Some(object) = self.object(on, Some(now), until) else {
            return Vec::new();
        };
        let mut who: Vec<Node> = Vec::new();
        for step in &object.scopes.steps {
            for &holder in &self.entry(step.node).holders {
                who.extend(self.below_now(holder, Upwards::Teams, now));
            }
        }
        who.retain(|&node| acts(self.entry(node).kind));
        who.sort_unstable_by_key(|&node| self.key(node));
        who.dedup();
        let mut all = Vec::new();
        for node in who {
            let mut until = Time::NEVER;
            let Some(subject) = self.subject(self.key(node), now, &mut until) else {
                continue;
            };
            self.each_role(&subject.teams, &object.scopes, |edge, of| {
                let allows = |role: &Arc<Role>| {
                    let mut deeds = Deed::ALL.into_iter();
                    deeds.any(|deed| role.allows_any(deed, object.kind))
                };
                if self.role_of(edge.name).is_some_and(allows)
                    && self.holds(edge, of, &subject, &object, now, &mut until)
                {
                    let path = self.links(&subject.teams, of, edge, &object.scopes);
                    let ends = path.iter().map(|link| link.until);
                    all.push(Access {
                        who: Arc::clone(self.key(node)),
                        until: ends.min().unwrap_or(Time::NEVER),
                        path,
                    });
                }
                false
            });
        }
        all
    }

    /// The path of a permission that there is.
    fn path(&self, question: &Question<'_>, now: Time) -> Option<Vec<Link>> {
        let until = &mut Time::NEVER.clone();
        let subject = self.subject(question.who, now, until)?;
        let object = self.object(question.on, Some(now), until)?;
        let mut path = None;
        self.each_role(&subject.teams, &object.scopes, |edge, of| {
            let allows = |role: &Arc<Role>| {
                let fields = role.allows(question.deed, object.kind, question.part);
                fields.is_some()
            };
            if self.role_of(edge.name).is_some_and(allows)
                && self.holds(edge, of, &subject, &object, now, until)
            {
                path = Some(self.links(&subject.teams, of, edge, &object.scopes));
            }
            path.is_some()
        });
        path
    }

    /// The paths that would be enough if something else held, whatever their times.
    fn near(&self, question: &Question<'_>, now: Time) -> Vec<Near> {
        let until = &mut Time::NEVER.clone();
        let node = self.by_key.get(question.who).copied();
        let object = self.object(question.on, None, until);
        let (Some(node), Some(object)) = (node, object) else {
            return Vec::new();
        };
        let teams = self.climb(Some(node), Upwards::Teams, None, until);
        let subject = Subject { node, teams };
        let mut near = Vec::new();
        self.each_role(&subject.teams, &object.scopes, |edge, of| {
            let name = self.name_of(edge.name);
            let missing = match self.role_of(edge.name) {
                None => Missing::NoSuchRole(name.to_owned()),
                Some(role) => match role.allows(question.deed, object.kind, question.part) {
                    None => Missing::NotByRole(name.to_owned()),
                    Some(_) => match self.missing(edge, of, &subject, &object, now) {
                        Some(missing) => missing,
                        None => return false,
                    },
                },
            };
            let path = self.links(&subject.teams, of, edge, &object.scopes);
            near.push(Near { path, missing });
            NEAR_MAX <= near.len()
        });
        // What a condition lacks is nearer than what a role lacks.
        near.sort_by_key(|near| {
            matches!(near.missing, Missing::NotByRole(_) | Missing::NoSuchRole(_))
        });
        near
    }

    /// What a path with a role lacks that would allow it.
    fn missing(
        &self,
        edge: &Edge,
        of: usize,
        subject: &Subject,
        object: &Object<'_>,
        now: Time,
    ) -> Option<Missing> {
        let scopes = &object.scopes;
        let way = subject.teams.way_to(of);
        let at = scopes.steps.iter().position(|step| step.node == edge.to)?;
        let steps = way.into_iter().chain(scopes.way_to(at));
        let whens = steps.filter_map(|step| step.by.and_then(|(.., when)| self.when(when)));
        let own = self.when(edge.when);
        if let Some(missing) = whens.chain(own).find_map(|when| out_of_time(when, now)) {
            return Some(missing);
        }
        let when = own?;
        let until = &mut Time::NEVER.clone();
        if when.break_glass {
            return Some(Missing::GlassIsWhole);
        }
        if when.while_on_duty && !self.is_on_duty(of, subject, now, until) {
            return Some(Missing::NotOnDuty);
        }
        if let Some(topic) = when.while_true.as_ref().filter(|at| !self.is_true(at)) {
            return Some(Missing::NotTrue(topic.to_string()));
        }
        let refuses = when
            .with_consent
            .then(|| self.who_refuses(subject, object, now, until))
            .flatten()?;
        Some(Missing::NoConsent(refuses.to_owned()))
    }

    /// A path in words: up to a role, and from its scope down to the element.
    fn links(&self, teams: &Climb, of: usize, role: &Edge, scopes: &Climb) -> Vec<Link> {
        let mut links = Vec::new();
        let up = |climb: &Climb, step: &Step| {
            let (before, name, when) = step.by?;
            let from = climb.steps[before as usize].node;
            Some(self.link(
                from,
                &Edge {
                    to: step.node,
                    name,
                    when,
                },
            ))
        };
        links.extend(teams.way_to(of).iter().filter_map(|step| up(teams, step)));
        links.push(self.link(teams.steps[of].node, role));
        let at = scopes.steps.iter().position(|step| step.node == role.to);
        let down = at.map(|at| scopes.way_to(at)).unwrap_or_default();
        links.extend(down.iter().rev().filter_map(|step| up(scopes, step)));
        links
    }

    fn link(&self, from: Node, edge: &Edge) -> Link {
        Link {
            from: self.key(from).to_string(),
            relation: self.name_of(edge.name).to_owned(),
            to: self.key(edge.to).to_string(),
            until: self.when(edge.when).map_or(Time::NEVER, |when| when.until),
        }
    }
}

fn out_of_time(when: &When, now: Time) -> Option<Missing> {
    if now < when.from {
        Some(Missing::NotBefore(when.from))
    } else if when.until <= now {
        Some(Missing::OverSince(when.until))
    } else {
        None
    }
}
