//! Rules that a person wrote for devices that announce nothing. One lane keeps them, and hears what
//! they are about; they are retained at `$quartet/rules/{name}`.

use std::collections::{BTreeMap, HashMap};

use quartet_fabric::routes::NodeId;
use quartet_model::{Address, Event, Time};
use quartet_things::{
    Report, announced,
    dialects::{
        form::Reading,
        native::Role,
        rules::{Mapped, PART, Rule, Unmapped},
    },
    td::Problem,
};
use serde_json::Value;

use super::{
    Carried, Flow, Mail, Receiver, dialects,
    dialects::{TOPICS_MAX, WISH},
    sparkplug::Reported,
};

/// The lane that keeps them.
pub const RULES_LANE: usize = 0;
/// Where they are retained.
const RULES: &str = "$quartet/rules";
/// A hub has no more.
const RULES_MAX: usize = 1000;
/// Of the messages of a topic, one of so many is looked at again: it may have members that the
/// others had not.
const AGAIN: u8 = 16;

/// The topic of a rule.
pub fn rule_topic(name: &str) -> String {
    format!("{RULES}/{name}")
}

/// The rule that is kept at a topic.
pub fn rule_at(topic: &str) -> Option<&str> {
    topic.strip_prefix(RULES)?.strip_prefix('/')
}

/// Rules in force.
#[derive(Default)]
pub(super) struct Rules {
    by_name: BTreeMap<Box<str>, Ruled>,
    /// Topics that rules are about, and how many messages pass before one is looked at.
    known: HashMap<Box<str>, u8>,
}

struct Ruled {
    rule: Rule,
    said: Value,
    node: NodeId,
}

impl Flow {
    /// The rules, as they were written. One lane has them.
    pub fn rules(&self) -> Vec<Value> {
        let rules = self.rules.by_name.values();
        rules.map(|ruled| ruled.said.clone()).collect()
    }

    pub(super) fn begin_rules(&mut self, now: Time) {
        let filter = rule_topic("+");
        self.join(&filter, Receiver::Dialects, WISH);
        self.begin_scan(Receiver::Dialects, filter, WISH, now);
    }

    /// A rule was written, or taken back. Says whether it was one.
    pub(super) fn hear_rule(&mut self, event: &Event, now: Time) -> bool {
        let name = event.topic.strip_prefix(RULES);
        let Some(name) = name.and_then(|rest| rest.strip_prefix('/')) else {
            return false;
        };
        let said: Value = serde_json::from_slice(&event.payload).unwrap_or_default();
        if let Some(before) = self.rules.by_name.get(name) {
            if before.said == said {
                return true;
            }
            self.take_back(name, now);
        }
        // There may be more to be made of what is known.
        self.rules.known.clear();
        match Rule::parse(&said) {
            Ok(rule) if self.rules.by_name.len() < RULES_MAX => {
                let filter = rule.filter();
                let node = self.join(&filter, Receiver::Dialects, WISH).node;
                let ruled = Ruled { rule, said, node };
                self.rules.by_name.insert(name.into(), ruled);
                self.begin_scan(Receiver::Dialects, filter, WISH, now);
            }
            Ok(_) => tracing::warn!(name, "there are {RULES_MAX} rules already"),
            Err(_) if event.payload.is_empty() => {}
            Err(why) => tracing::warn!(name, ?why, "this is no rule"),
        }
        true
    }

    /// What a rule made of messages goes with it.
    fn take_back(&mut self, name: &str, now: Time) {
        let Some(gone) = self.rules.by_name.remove(name) else {
            return;
        };
        let mut others = self.rules.by_name.values();
        let is_needed = dialects::is_dialect(&gone.rule.filter())
            || others.any(|other| other.node == gone.node);
        if !is_needed {
            self.part(gone.node, Receiver::Dialects);
        }
        let part = format!("{PART}{name}/");
        for lane in 1..self.lanes as u8 {
            let withdraw = Mail::Withdraw(part.as_str().into());
            self.out.mail_last.push((lane, withdraw));
        }
        self.withdraw(&part, now);
    }

    /// Parts of this lane's elements whose names begin so are gone.
    pub(super) fn withdraw(&mut self, part: &str, now: Time) {
        let keys: Vec<Box<str>> = self.elements.keys("").map(Into::into).collect();
        for key in keys {
            let Some(description) = self.said_at(&key, now) else {
                continue;
            };
            for part in announced::parts_in(&description.payload, part) {
                self.take_gone(&key, part, now);
            }
        }
    }

    /// What rules make of a message.
    pub(super) fn apply_rules(&mut self, event: Carried<'_>, now: Time) {
        let rules = &mut self.rules;
        if rules.by_name.is_empty() || Address::element_of(&event.topic).is_some() {
            return;
        }
        let known = rules.known.len();
        let is_new = match rules.known.get_mut(&*event.topic) {
            Some(left) if 0 < *left => {
                *left -= 1;
                return; // The forms that were announced do the rest.
            }
            Some(left) => {
                *left = AGAIN - 1;
                false
            }
            None => true,
        };
        let mut mapped = Vec::new();
        let mut problems = Vec::new();
        for Ruled { rule, .. } in rules.by_name.values() {
            match rule.preview(&event.topic, &event.payload) {
                Ok(made) => mapped.push(made),
                Err(Unmapped::Topic) => {}
                Err(why) => problems.push(Problem::new(rule.name(), why.to_string())),
            }
        }
        if is_new && !(mapped.is_empty() && problems.is_empty()) {
            if known == TOPICS_MAX {
                let what =
                    format!("rules are about {TOPICS_MAX} topics already; no more are heard");
                return self.refuse_announcement(event, vec![Problem::new("(root)", what)]);
            }
            rules.known.insert((&*event.topic).into(), AGAIN - 1);
        }
        if !problems.is_empty() && (is_new || mapped.is_empty()) {
            self.refuse_announcement(event, problems);
        }
        for made in mapped {
            // What is retained is heard when the element begins to listen.
            let first = (!event.retain).then(|| Reported {
                report: report(&made),
                event: Some(event.shared()),
            });
            self.pass_announcement(made.announcement, first, now);
        }
    }
}

/// What a message says before the element that it is of listens at its topic.
fn report(mapped: &Mapped) -> Report {
    let mut report = Report {
        key: mapped.announcement.key.clone(),
        is_there: true,
        ..Report::default()
    };
    for (role, Reading { value, .. }) in &mapped.values {
        match role {
            Role::Property(name) => report.values.push((name.clone(), value.clone())),
            Role::Event(name) => report.events.push((name.clone(), value.clone())),
            _ => {}
        }
    }
    report
}
