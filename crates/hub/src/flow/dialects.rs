//! Devices that speak topics of their own: what they announce becomes elements, and what they say
//! at those topics becomes what the elements report.

use std::collections::{BTreeSet, HashMap, HashSet};

use quartet_fabric::routes::{NodeId, Wish};
use quartet_model::{Actor, Qos, SessionRef, Time};
use quartet_things::{
    Follow, announced,
    dialects::{self, Announcement, sparkplug::Host},
    first_report,
    td::Problem,
};

use super::{
    Carried, Flow, Mail, Receiver,
    elements::Presence,
    home_of_topic,
    keep::{Waiting, record::Via, shard_of_topic},
    sparkplug::Reported,
};

/// What dialects and elements listen to.
#[derive(Default)]
pub(super) struct Heard {
    is_begun: bool,
    /// Where native topics stand in the route table.
    nodes: HashMap<Box<str>, NodeId>,
    /// Sessions that were found to speak for elements.
    speakers: HashSet<SessionRef>,
    /// Nodes that speak Sparkplug B; known on one lane.
    pub(super) host: Host,
    /// What each topic announced last: what is missing the next time is gone. As (key, part).
    announced: HashMap<Box<str>, BTreeSet<(String, String)>>,
}

impl Heard {
    pub(super) fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// A session is away; when it speaks again, elements want to know of it.
    pub(super) fn forget(&mut self, session: SessionRef) {
        self.speakers.remove(&session);
    }
}

/// What is announced of an element, on its way to it.
#[derive(Debug)]
pub struct Announced {
    announcement: Announcement,
    /// What the same message says of it: lost otherwise, since the element does not listen yet.
    first: Option<Box<Reported>>,
}

/// Whether this is a filter of a dialect.
pub(super) fn is_dialect(filter: &str) -> bool {
    dialects::filters().iter().any(|known| known == filter)
}

/// Topics that may announce something.
pub(super) const TOPICS_MAX: usize = 100_000;

pub(super) const WISH: Wish = Wish {
    qos: Qos::ExactlyOnce,
    no_local: false,
    retain_as_published: true,
    id: 0,
};

impl Flow {
    /// One lane hears what devices announce, also what they announced before.
    pub(super) fn begin_dialects(&mut self, now: Time) {
        if std::mem::replace(&mut self.dialects.is_begun, true) {
            return;
        }
        self.begin_admitting();
        self.begin_relating();
        self.begin_processes();
        self.begin_signals();
        if self.lane != 0 {
            return;
        }
        for filter in dialects::filters() {
            self.join(&filter, Receiver::Dialects, WISH);
            self.begin_scan(Receiver::Dialects, filter, WISH, now);
        }
        self.begin_host(now);
        self.begin_rules(now);
    }

    /// Listens at the native topics of elements that were described, and no more at others.
    pub(super) fn follow_natives(&mut self, now: Time) {
        for follow in self.elements.take_follows() {
            match follow {
                Follow::Begin(topic) => {
                    let joined = self.join(&topic, Receiver::Elements, WISH);
                    self.begin_scan(Receiver::Elements, topic.to_string(), WISH, now);
                    self.dialects.nodes.insert(topic, joined.node);
                }
                Follow::End(topic) => {
                    if let Some(node) = self.dialects.nodes.remove(&topic) {
                        self.part(node, Receiver::Elements);
                    }
                }
            }
        }
    }

    /// What is said at a native topic becomes what elements of this lane report.
    pub(super) fn translate(&mut self, event: Carried<'_>, now: Time) {
        if event.by == Actor::Hub {
            return; // It tells a device something; it is not told.
        }
        for key in self.elements.natives_at(&event.topic) {
            let shard = shard_of_topic(&key);
            if self.keep.has_taken(shard, event.place, Via::Element) {
                continue;
            }
            let mut effects = Vec::new();
            quartet_things::hear(&mut self.elements, &key, &event, now, &mut effects);
            if effects.is_empty() {
                continue;
            }
            if let Actor::Session(session) = event.by {
                self.speaks(session, now);
            }
            self.keep.begin_whole(shard);
            self.settle(effects, Some((&event, shard)), now);
            self.write_reaction(shard, event.place, Via::Element);
        }
    }

    /// A session speaks for elements, and so they want to know whether it is there.
    pub(super) fn speaks(&mut self, session: SessionRef, now: Time) {
        if self.dialects.speakers.insert(session) {
            self.say_presence(Presence::Speaks { session }, now);
        }
    }

    /// A device announces something.
    pub(super) fn hear_announcement(&mut self, event: Carried<'_>, now: Time) {
        if self.hear_rule(&event, now) || self.hear_node(event, now) {
            return;
        }
        self.meet_home_assistant(&event, now);
        if event.by == Actor::Hub {
            return; // The hub announces its own elements to others.
        }
        let announced = match dialects::announce(&event.topic, &event.payload) {
            Ok(Some(announced)) => announced,
            Ok(None) => return self.apply_rules(event, now),
            Err(problem) => return self.refuse_announcement(event, vec![problem]),
        };
        self.take_announced(event, announced, now);
    }

    /// What a message announces takes the place of what its topic announced before.
    fn take_announced(&mut self, event: Carried<'_>, announced: Vec<Announcement>, now: Time) {
        let known = &self.dialects.announced;
        if TOPICS_MAX <= known.len() && !known.contains_key(&*event.topic) {
            let what = format!("{TOPICS_MAX} topics announce something already; no more are heard");
            return self.refuse_announcement(event, vec![Problem::new("(root)", what)]);
        }
        // When a part is gone, some dialects say only the topic.
        let there = announced.iter().filter(|one| one.description.is_some());
        let there: BTreeSet<_> = there
            .map(|one| (one.key.clone(), one.part.clone()))
            .collect();
        let before = match there.is_empty() {
            true => self.dialects.announced.remove(&*event.topic),
            false => {
                let topic = (&*event.topic).into();
                self.dialects.announced.insert(topic, there.clone())
            }
        };
        for (key, part) in before.unwrap_or_default().difference(&there) {
            let gone = Announcement {
                key: key.clone(),
                part: part.clone(),
                description: None,
            };
            self.pass_announcement(gone, None, now);
        }
        // Who announces many says nothing else with it. What is retained is heard when the element listens.
        let is_alone = announced.len() == 1 && !event.retain;
        for one in announced.into_iter().filter(|one| !one.key.is_empty()) {
            let described = one.description.as_ref().filter(|_| is_alone);
            let report = described.and_then(|described| first_report(&one.key, described, &event));
            let first = report.map(|report| Reported {
                report,
                event: Some(event.shared()),
            });
            self.pass_announcement(one, first, now);
        }
    }

    pub(super) fn pass_announcement(
        &mut self,
        announcement: Announcement,
        first: Option<Reported>,
        now: Time,
    ) {
        let home = home_of_topic(&announcement.key, self.lanes);
        let first = first.map(Box::new);
        let announced = Box::new(Announced {
            announcement,
            first,
        });
        if home == self.lane {
            self.take_announcement(announced, now);
        } else {
            self.out.mail_last.push((home, Mail::Announced(announced)));
        }
    }

    /// An element of this lane is announced, or a part of it.
    pub(super) fn take_announcement(&mut self, announced: Box<Announced>, now: Time) {
        if self.is_on_its_way(&announced.announcement.key) {
            // Another part of it may be among that, and would be lost.
            return self.wait(Waiting::Announced(announced), now);
        }
        let Announced {
            announcement,
            first,
        } = *announced;
        let before = self.said_at(&announcement.key, now);
        let elements = &self.elements;
        // Otherwise it hears the message itself.
        let first = first.filter(|first| {
            let topic = first.event.as_ref().map(|event| &*event.topic);
            !topic.is_some_and(|topic| {
                elements
                    .natives_at(topic)
                    .iter()
                    .any(|key| **key == *first.report.key)
            })
        });
        match announced::join(&announcement, before.as_ref(), now) {
            Ok(Some(said)) => {
                self.announce(said, now);
                if let Some(first) = first {
                    self.take_report(first, now);
                }
            }
            Ok(None) => {} // It listens already.
            Err(why) => {
                let Announcement { key, part, .. } = announcement;
                tracing::warn!(key, part, %why, "an announcement is no valid description");
            }
        }
    }

    /// A part of an element of this lane is gone.
    pub(super) fn take_gone(&mut self, key: &str, part: String, now: Time) {
        let announcement = Announcement {
            key: key.to_owned(),
            part,
            description: None,
        };
        let announced = Announced {
            announcement,
            first: None,
        };
        self.take_announcement(Box::new(announced), now);
    }

    pub(super) fn refuse_announcement(&mut self, event: Carried<'_>, problems: Vec<Problem>) {
        self.elements.refuse(&event, problems);
    }
}
