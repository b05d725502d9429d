//! Sparkplug B: one lane hears nodes and their devices as a host application does, and their births
//! are kept for those who come later, which makes this an aware broker [Sparkplug 3.0.0, chapter 10].

use std::sync::Arc;

use quartet_model::{Actor, Effect, Event, Qos, Said, Time};
use quartet_things::{
    Report,
    dialects::sparkplug::{self, Say},
};

use super::{
    Carried, Flow, Mail, Receiver, dialects, home_of_topic,
    keep::{Waiting, record::Via, shard_of_topic},
};

/// What an element reports, as it was heard on another lane.
#[derive(Debug)]
pub struct Reported {
    pub(super) report: Report,
    /// The message that said it; none if it follows from silence.
    pub(super) event: Option<Arc<Event>>,
}

/// Whether this lane says that the hub is a host.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Hosting {
    #[default]
    No,
    /// It will, when somebody asks for it.
    Silent,
    Said,
}

impl Flow {
    /// From now on the hub is there for nodes that wait for a host, until it goes. It says so once
    /// somebody asks for that, and again after each start. Each lane is told; the one that keeps
    /// the topic says it.
    pub fn be_host(&mut self, now: Time) {
        let is_home = home_of_topic(sparkplug::STATE, self.lanes) == self.lane;
        self.hosting = Hosting::Silent;
        if is_home && self.said_at(sparkplug::STATE, now).is_some() {
            self.say_host(now);
        }
    }

    /// Somebody asks for something of Sparkplug, perhaps whether there is a host.
    pub(super) fn ask_for_host(&mut self, filter: &str, now: Time) {
        if self.hosting == Hosting::No || !sparkplug::is_of_node(filter) {
            return;
        }
        let home = home_of_topic(sparkplug::STATE, self.lanes);
        if home == self.lane {
            self.say_host(now);
        } else {
            self.out.mail_last.push((home, Mail::Host));
        }
    }

    /// Says that the hub is a host, if that is not said yet.
    pub(super) fn say_host(&mut self, now: Time) {
        if std::mem::replace(&mut self.hosting, Hosting::Said) != Hosting::Said {
            self.announce(sparkplug::state(true, now), now);
        }
    }

    /// The hub goes down.
    pub(super) fn end_host(&mut self, now: Time) {
        if std::mem::take(&mut self.hosting) == Hosting::Said {
            self.announce(sparkplug::state(false, now), now);
        }
    }

    /// Hears all nodes from now on. What they said at their births is kept.
    pub(super) fn begin_host(&mut self, now: Time) {
        self.join(sparkplug::FILTER, Receiver::Dialects, dialects::WISH);
        let kept = sparkplug::KEPT.to_owned();
        self.begin_scan(Receiver::Dialects, kept, dialects::WISH, now);
    }

    /// Says whether it is a message of a node, or was once.
    pub(super) fn hear_node(&mut self, event: Carried<'_>, now: Time) -> bool {
        if event.topic.starts_with('$') {
            self.dialects.host.recall(&event.topic, &event.payload);
            return true;
        }
        if !sparkplug::is_of_node(&event.topic) {
            return false;
        }
        if event.by != Actor::Hub {
            let host = &mut self.dialects.host;
            let says = host.hear(&event.topic, &event.payload, now);
            self.follow_node(says, Some(event), now);
        }
        true
    }

    /// What follows from the silence of nodes.
    pub(super) fn wake_host(&mut self, now: Time) {
        if self.dialects.host.wake_at() <= now {
            let says = self.dialects.host.wake(now);
            self.follow_node(says, None, now);
        }
    }

    fn follow_node(&mut self, says: Vec<Say>, event: Option<Carried<'_>>, now: Time) {
        let mut shared = None;
        for say in says {
            match (say, event) {
                (Say::Announce(announced), _) => self.pass_announcement(announced, None, now),
                (Say::Report(report), event) => {
                    let share = |event: Carried<'_>| {
                        Arc::clone(shared.get_or_insert_with(|| event.shared()))
                    };
                    let event = event.map(share);
                    self.pass_report(Box::new(Reported { report, event }), now);
                }
                (Say::Tell(said), event) => {
                    let cause = event.as_deref().map(|event| (event, self.lane));
                    self.settle(vec![Effect::Emit(said)], cause, now);
                }
                (Say::Keep(topic), Some(event)) => {
                    // [tck-id-conformance-mqtt-aware-nbirth-mqtt-retain]
                    // [tck-id-conformance-mqtt-aware-dbirth-mqtt-retain]
                    let said = Said {
                        properties: event.properties.clone(),
                        qos: Qos::AtMostOnce,
                        ..Said::state(topic, event.payload.clone())
                    };
                    let cause = Some((&*event, self.lane));
                    self.settle(vec![Effect::Emit(said)], cause, now);
                }
                (Say::Refuse(problems), Some(event)) => self.refuse_announcement(event, problems),
                (Say::Keep(_) | Say::Refuse(_), None) => {} // Silence says neither.
            }
        }
    }

    fn pass_report(&mut self, reported: Box<Reported>, now: Time) {
        let home = home_of_topic(&reported.report.key, self.lanes);
        if home == self.lane {
            self.take_report(reported, now);
        } else {
            self.out.mail_last.push((home, Mail::Reported(reported)));
        }
    }

    /// An element of this lane reports, after what was announced of it.
    pub(super) fn take_report(&mut self, reported: Box<Reported>, now: Time) {
        if self.is_on_its_way(&reported.report.key) {
            return self.wait(Waiting::Reported(reported), now);
        }
        self.follow_report(&reported, now);
    }

    pub(super) fn follow_report(&mut self, reported: &Reported, now: Time) {
        let Reported { report, event } = reported;
        let event = event.as_deref();
        let shard = shard_of_topic(&report.key);
        let place = event.and_then(|event| event.place);
        if self.keep.has_taken(shard, place, Via::Element) {
            return;
        }
        let mut effects = Vec::new();
        quartet_things::report(&mut self.elements, report, event, now, &mut effects);
        if effects.is_empty() {
            return;
        }
        if let Some(Actor::Session(session)) = event.map(|event| event.by) {
            self.speaks(session, now);
        }
        self.keep.begin_whole(shard);
        self.settle(effects, event.map(|event| (event, shard)), now);
        self.write_reaction(shard, place, Via::Element);
    }
}
