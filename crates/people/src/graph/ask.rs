//! May she? Who may? What may she?

use std::{collections::HashSet, sync::Arc};

use foldhash::fast::FixedState;
use quartet_model::{Address, Kind, Time};

use super::{
    CONSENTS_TO, Edge, Graph, IN, Node,
    climb::{Climb, Step, Upwards, edges_to},
    kind_of,
};
use crate::{
    fields::Fields,
    relation::HUB,
    role::{Deed, Part, Role, part_of},
};

/// Whether somebody may do something with a part of an element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Question<'q> {
    /// The key of whoever wants to.
    pub who: &'q str,
    /// What it wants.
    pub deed: Deed,
    /// The key of the element.
    pub on: &'q str,
    /// Which part of it.
    pub part: Part<'q>,
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Which fields it may have; `None` if it may not.
    pub fields: Option<Fields>,
    /// Until when this holds if no relation changes.
    pub until: Time,
}

impl Verdict {
    const NO: Self = Self {
        fields: None,
        until: Time::NEVER,
    };

    /// Whether it may, at least in part.
    pub fn is_allowed(&self) -> bool {
        self.fields.is_some()
    }
}

/// Whoever wants something, with all teams that it belongs to.
pub(super) struct Subject {
    pub(super) node: Node,
    pub(super) teams: Climb,
}

/// What something is wanted with, with all that it is in.
pub(super) struct Object<'q> {
    pub(super) key: &'q str,
    pub(super) kind: Kind,
    pub(super) node: Option<Node>,
    pub(super) scopes: Climb,
}

impl Graph {
    /// May she?
    pub fn may(&self, question: &Question<'_>, now: Time) -> Verdict {
        let mut until = Time::NEVER;
        let Some(subject) = self.subject(question.who, now, &mut until) else {
            return Verdict::NO;
        };
        let Some(object) = self.object(question.on, Some(now), &mut until) else {
            return Verdict::NO;
        };
        let mut fields: Option<Fields> = None;
        self.each_role(&subject.teams, &object.scopes, |edge, of| {
            let role = self.role_of(edge.name);
            let Some(more) =
                role.and_then(|role| role.allows(question.deed, object.kind, question.part))
            else {
                return false;
            };
            if !self.holds(edge, of, &subject, &object, now, &mut until) {
                return false;
            }
            let all = match fields.take() {
                Some(before) => before.and(&more),
                None => more,
            };
            let is_all = all.is_all();
            fields = Some(all);
            is_all
        });
        Verdict { fields, until }
    }

    /// May she do this at a topic: an element's address, a plain one, or one of the hub's own?
    pub fn may_do(&self, who: &str, deed: Deed, topic: &str, now: Time) -> Verdict {
        let Some(on) = Address::element_of(topic) else {
            let Some(own) = topic.strip_prefix('$') else {
                return self.may_at(who, deed, topic, now);
            };
            // How the hub is may be seen; what it keeps is for those who look after it.
            let deed = match (deed, own.starts_with("SYS/")) {
                (Deed::Read, true) => Deed::Read,
                _ => Deed::Manage,
            };
            let question = Question {
                who,
                deed,
                on: HUB,
                part: None,
            };
            return self.may(&question, now);
        };
        let address = Address::read(topic);
        // What an element says elsewhere below its address is as if of itself.
        let part = address.ok().and_then(|address| part_of(address.aspect));
        let question = Question {
            who,
            deed,
            on,
            part,
        };
        self.may(&question, now)
    }

    /// May she see all that there is, of elements and at plain topics?
    pub fn sees_all(&self, who: &str, now: Time) -> Verdict {
        let elements = self.may_all(who, Deed::Read, now);
        let topics = self.may_at(who, Deed::Read, "#", now);
        Verdict {
            fields: elements.fields.and(topics.fields),
            until: elements.until.min(topics.until),
        }
    }

    /// Whether she may do something with any part of an element.
    pub fn may_some(&self, who: &str, deed: Deed, on: &str, now: Time) -> bool {
        let kind = kind_of(on);
        let verdict = self.may_by(who, on, now, |role| {
            kind.is_some_and(|kind| role.allows_any(deed, kind))
        });
        verdict.is_allowed()
    }

    /// Whether she may do something with any part of an element of a kind that is in a place.
    pub fn may_some_in(&self, who: &str, deed: Deed, kind: Kind, place: &str, now: Time) -> bool {
        self.may_by(who, place, now, |role| role.allows_any(deed, kind))
            .is_allowed()
    }

    /// May she do this with everything that there is?
    pub fn may_all(&self, who: &str, deed: Deed, now: Time) -> Verdict {
        self.at_hub(who, now, |role| role.allows_all(deed))
    }

    /// May she publish (report) or receive (read) at plain topics that match a filter?
    pub fn may_at(&self, who: &str, deed: Deed, filter: &str, now: Time) -> Verdict {
        self.at_hub(who, now, |role| role.allows_at(deed, filter))
    }

    /// May she do this with all parts of an element, and have all fields?
    pub fn may_all_of(&self, who: &str, deed: Deed, on: &str, now: Time) -> Verdict {
        self.may_by(who, on, now, |role| role.allows_all(deed))
    }

    /// Whether she has any role anywhere that allows this with elements.
    pub fn may_any(&self, who: &str, deed: Deed, now: Time) -> bool {
        let Some(subject) = self.subject(who, now, &mut Time::NEVER.clone()) else {
            return false;
        };
        let mut steps = subject.teams.steps.iter();
        steps.any(|step| {
            let mut roles = self.entry(step.node).roles.iter();
            roles.any(|edge| {
                let role = self.role_of(edge.name);
                let allows = |kind| role.is_some_and(|role| role.allows_any(deed, kind));
                Kind::ALL.into_iter().any(allows)
            })
        })
    }

    /// Who may do this with a part of an element now: those that act, teams and places aside.
    pub fn who_may(&self, deed: Deed, on: &str, part: Part<'_>, now: Time) -> Vec<Arc<str>> {
        let Some(object) = self.object(on, Some(now), &mut Time::NEVER.clone()) else {
            return Vec::new();
        };
        let mut sure = Vec::new();
        let mut perhaps = Vec::new();
        for step in &object.scopes.steps {
            for &holder in &self.entry(step.node).holders {
                for edge in edges_to(&self.entry(holder).roles, step.node) {
                    let role = self.role_of(edge.name);
                    if role
                        .and_then(|role| role.allows(deed, object.kind, part))
                        .is_none()
                    {
                        continue;
                    }
                    match self.when(edge.when) {
                        None => sure.push(holder),
                        Some(_) => perhaps.push(holder),
                    }
                }
            }
        }
        let mut found: HashSet<Node, FixedState> = HashSet::default();
        let mut looked_at: HashSet<Node, FixedState> = HashSet::default();
        let expand = |holder: Node, seen: &mut HashSet<Node, FixedState>| {
            let all = match seen.insert(holder) {
                true => self.below_now(holder, Upwards::Teams, now),
                false => Vec::new(),
            };
            all.into_iter().filter(|&node| acts(self.entry(node).kind))
        };
        for holder in sure {
            found.extend(expand(holder, &mut looked_at));
        }
        let mut looked_at: HashSet<Node, FixedState> = HashSet::default();
        for holder in perhaps {
            for node in expand(holder, &mut looked_at) {
                let question = Question {
                    who: self.key(node),
                    deed,
                    on,
                    part,
                };
                if !found.contains(&node) && self.may(&question, now).is_allowed() {
                    found.insert(node);
                }
            }
        }
        let mut keys: Vec<_> = found
            .iter()
            .map(|&node| Arc::clone(self.key(node)))
            .collect();
        keys.sort_unstable();
        keys
    }

    /// With which elements she may do this, at least in part, of those that have relations. If she
    /// may with everything, that is said by [`Self::may_all`].
    pub fn what_may(&self, who: &str, deed: Deed, now: Time) -> Vec<Arc<str>> {
        let Some(subject) = self.subject(who, now, &mut Time::NEVER.clone()) else {
            return Vec::new();
        };
        let mut found: HashSet<Node, FixedState> = HashSet::default();
        let mut scopes_seen: HashSet<(Node, super::Name, super::WhenAt), FixedState> =
            HashSet::default();
        for (of, step) in subject.teams.steps.iter().enumerate() {
            for edge in &self.entry(step.node).roles {
                let Some(role) = self.role_of(edge.name) else {
                    continue;
                };
                let is_conditional = edge.when != super::ALWAYS;
                if !is_conditional && !scopes_seen.insert((edge.to, edge.name, edge.when)) {
                    continue;
                }
                let all = match edge.to == self.hub {
                    true => self.by_key.values().copied().collect(),
                    false => self.below_now(edge.to, Upwards::Places, now),
                };
                for node in all {
                    if found.contains(&node) || !role.allows_any(deed, self.entry(node).kind) {
                        continue;
                    }
                    let holds = !is_conditional || {
                        let until = &mut Time::NEVER.clone();
                        let object = self.object(self.key(node), Some(now), until);
                        object.is_some_and(|object| {
                            self.holds(edge, of, &subject, &object, now, until)
                        })
                    };
                    if holds {
                        found.insert(node);
                    }
                }
            }
        }
        let mut keys: Vec<_> = found
            .iter()
            .map(|&node| Arc::clone(self.key(node)))
            .collect();
        keys.sort_unstable();
        keys
    }

    /// What an element is in now, itself: without what these are in.
    pub fn places_of(&self, key: &str, now: Time) -> Vec<Arc<str>> {
        let up = self.by_key.get(key).map(|&node| &self.entry(node).up);
        let places = up
            .into_iter()
            .flatten()
            .filter(|edge| edge.name == IN && self.is_now(edge, now, &mut Time::NEVER.clone()));
        places.map(|edge| Arc::clone(self.key(edge.to))).collect()
    }

    /// Whether an element is another one, or in it.
    pub fn is_in(&self, on: &str, place: &str, now: Time) -> bool {
        self.is_in_until(on, place, now).0
    }

    /// The same, and until when nothing but a change of relations makes it otherwise.
    pub fn is_in_until(&self, on: &str, place: &str, now: Time) -> (bool, Time) {
        let mut until = Time::NEVER;
        if on == place || place == HUB {
            return (true, until);
        }
        let (Some(&on), Some(&place)) = (self.by_key.get(on), self.by_key.get(place)) else {
            return (false, until);
        };
        let places = self.climb(Some(on), Upwards::Places, Some(now), &mut until);
        (places.has(place), until)
    }

    /// Where somebody has roles, itself or by its teams, whatever their conditions.
    pub fn held_scopes(&self, who: &str) -> Vec<Arc<str>> {
        let Some(&node) = self.by_key.get(who) else {
            return Vec::new();
        };
        let teams = self.climb(Some(node), Upwards::Teams, None, &mut Time::NEVER.clone());
        let roles = teams
            .steps
            .iter()
            .flat_map(|step| &self.entry(step.node).roles);
        let mut scopes: Vec<_> = roles.map(|edge| Arc::clone(self.key(edge.to))).collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }

    /// The roles with a glass that somebody has at something, or at what that is in.
    pub fn glasses(&self, who: &str, on: &str, now: Time) -> Vec<String> {
        let until = &mut Time::NEVER.clone();
        let subject = self.subject(who, now, until);
        let object = self.object(on, Some(now), until);
        let (Some(subject), Some(object)) = (subject, object) else {
            return Vec::new();
        };
        let mut all = Vec::new();
        self.each_role(&subject.teams, &object.scopes, |edge, _| {
            let has_glass = self.when(edge.when).is_some_and(|when| when.break_glass);
            if has_glass && self.is_now(edge, now, until) {
                all.push(self.name_of(edge.name).to_owned());
            }
            false
        });
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Who is a member of a team itself, whatever the conditions; in the order of keys.
    pub fn members(&self, team: &str) -> Vec<Arc<str>> {
        let Some(&team) = self.by_key.get(team) else {
            return Vec::new();
        };
        let below = self.entry(team).below.iter();
        let is_member = |&&node: &&Node| {
            let mut up = edges_to(&self.entry(node).up, team).iter();
            up.any(|edge| edge.name == super::MEMBER_OF)
        };
        let members = below.filter(is_member);
        let mut keys: Vec<_> = members.map(|&node| Arc::clone(self.key(node))).collect();
        keys.sort_unstable();
        keys
    }

    /// How many own the hub, directly, for ever and without conditions.
    pub fn owners(&self) -> usize {
        self.owner_keys().count()
    }

    /// Who that is.
    pub fn owner_keys(&self) -> impl Iterator<Item = &Arc<str>> {
        let holders = self.entry(self.hub).holders.iter();
        let owns = move |&&holder: &&Node| {
            let mut roles = edges_to(&self.entry(holder).roles, self.hub).iter();
            acts(self.entry(holder).kind)
                && roles
                    .any(|edge| edge.when == super::ALWAYS && self.name_of(edge.name) == "owner")
        };
        holders.filter(owns).map(|&holder| self.key(holder))
    }

    pub(super) fn subject(&self, who: &str, now: Time, until: &mut Time) -> Option<Subject> {
        let node = *self.by_key.get(who)?;
        let teams = self.climb(Some(node), Upwards::Teams, Some(now), until);
        Some(Subject { node, teams })
    }

    /// An element with all that it is in: the hub in any case. Without `now` whatever the times of
    /// relations; `None` if it is no element.
    pub(super) fn object<'q>(
        &self,
        key: &'q str,
        now: Option<Time>,
        until: &mut Time,
    ) -> Option<Object<'q>> {
        let kind = kind_of(key)?;
        let node = self.by_key.get(key).copied();
        let mut scopes = self.climb(node, Upwards::Places, now, until);
        scopes.add(Step {
            node: self.hub,
            by: None,
        });
        Some(Object {
            key,
            kind,
            node,
            scopes,
        })
    }

    /// Each role of one of those at one of these, with the place of who has it among those,
    /// until enough are seen.
    pub(super) fn each_role(
        &self,
        teams: &Climb,
        scopes: &Climb,
        mut is_enough: impl FnMut(&Edge, usize) -> bool,
    ) {
        for (of, step) in teams.steps.iter().enumerate() {
            let roles = &self.entry(step.node).roles;
            // A role of whoever has few is found sooner by going through them.
            if roles.len() <= 8 * scopes.steps.len() {
                for edge in roles {
                    if scopes.has(edge.to) && is_enough(edge, of) {
                        return;
                    }
                }
                continue;
            }
            for scope in &scopes.steps {
                for edge in edges_to(roles, scope.node) {
                    if is_enough(edge, of) {
                        return;
                    }
                }
            }
        }
    }

    /// Whether the conditions of a role are met that the team at `of` has.
    pub(super) fn holds(
        &self,
        edge: &Edge,
        of: usize,
        subject: &Subject,
        object: &Object<'_>,
        now: Time,
        until: &mut Time,
    ) -> bool {
        let Some(when) = self.when(edge.when) else {
            return true;
        };
        self.is_now(edge, now, until)
            && !when.break_glass
            && (!when.while_on_duty || self.is_on_duty(of, subject, now, until))
            && when.while_true.as_ref().is_none_or(|at| self.is_true(at))
            && (!when.with_consent || self.who_refuses(subject, object, now, until).is_none())
    }

    /// Whether somebody is on duty for the team at `of`; for any, if that is the person itself.
    pub(super) fn is_on_duty(
        &self,
        of: usize,
        subject: &Subject,
        now: Time,
        until: &mut Time,
    ) -> bool {
        let duties = self.duties(subject.node, now, until);
        match of {
            0 => !duties.steps.is_empty(),
            of => duties.has(subject.teams.steps[of].node),
        }
    }

    /// A person that something is, or is in, who does not consent.
    pub(super) fn who_refuses<'g>(
        &'g self,
        subject: &Subject,
        object: &Object<'g>,
        now: Time,
        until: &mut Time,
    ) -> Option<&'g str> {
        if object.node.is_none() && object.kind == Kind::Person {
            return Some(object.key); // Without any relation, also to whom it consents.
        }
        let people = object.scopes.steps.iter().map(|step| step.node);
        let mut people = people.filter(|&node| self.entry(node).kind == Kind::Person);
        let refuses = people.find(|&person| {
            let consents = |edge: &Edge| {
                edge.name == CONSENTS_TO
                    && subject.teams.has(edge.to)
                    && self.is_now(edge, now, until)
            };
            person != subject.node && !self.entry(person).up.iter().any(consents)
        });
        refuses.map(|person| &**self.key(person))
    }

    /// Whether a role at the hub allows something with all that there is. With consent is not with
    /// all.
    fn at_hub(&self, who: &str, now: Time, allows: impl Fn(&Role) -> bool) -> Verdict {
        self.may_if(who, HUB, now, |edge, role| {
            let is_for_all = self.when(edge.when).is_none_or(|when| !when.with_consent);
            edge.to == self.hub && is_for_all && allows(role)
        })
    }

    fn may_by(&self, who: &str, on: &str, now: Time, allows: impl Fn(&Role) -> bool) -> Verdict {
        self.may_if(who, on, now, |_, role| allows(role))
    }

    /// Whether there is a role that is meant, and holds.
    fn may_if(
        &self,
        who: &str,
        on: &str,
        now: Time,
        is_meant: impl Fn(&Edge, &Role) -> bool,
    ) -> Verdict {
        let mut until = Time::NEVER;
        let subject = self.subject(who, now, &mut until);
        let object = self.object(on, Some(now), &mut until);
        let (Some(subject), Some(object)) = (subject, object) else {
            return Verdict::NO;
        };
        let mut fields = None;
        self.each_role(&subject.teams, &object.scopes, |edge, of| {
            if self
                .role_of(edge.name)
                .is_some_and(|role| is_meant(edge, role))
                && self.holds(edge, of, &subject, &object, now, &mut until)
            {
                fields = Some(Fields::All);
            }
            fields.is_some()
        });
        Verdict { fields, until }
    }
}

/// Whether elements of a kind do something themselves.
pub(super) fn acts(kind: Kind) -> bool {
    !matches!(kind, Kind::Team | Kind::Place)
}
