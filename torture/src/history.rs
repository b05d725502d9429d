//! What happened, as the clients saw it, and what is wrong with it. Knows no hub and no
//! network: histories may be written by hand.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

use quartet_model::Qos;

use crate::message::MessageId;

/// All that the clients of one series saw.
#[derive(Clone, Default, Debug)]
pub struct History {
    /// What each publisher said, in order.
    pub said: Vec<Vec<Said>>,
    /// Who should have heard all of it.
    pub groups: Vec<Group>,
    /// What was retained at each topic at the end.
    pub retained: BTreeMap<String, MessageId>,
}

/// One message, as its publisher saw it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// Where.
    pub topic: String,
    /// At QoS 1 or 2.
    pub qos: Qos,
    /// Whether it was to be retained.
    pub retain: bool,
    /// When it was sent first, counted in what this publisher sent; `None` if never.
    pub first_sent: Option<u64>,
    /// When it was sent last.
    pub last_sent: Option<u64>,
    /// Whether PUBACK or PUBREC came.
    pub is_acknowledged: bool,
}

/// A durable subscriber, or the members of a shared subscription.
#[derive(Clone, Default, Debug)]
pub struct Group {
    /// What it is called.
    pub name: String,
    /// The highest QoS that it asked for.
    pub qos: Qos,
    /// What each member heard, in order. Of what comes at QoS 2, only what the protocol lets a
    /// client take as new.
    pub members: Vec<Vec<Heard>>,
}

/// One message, as a subscriber heard it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    /// Which.
    pub id: MessageId,
    /// At which QoS it came.
    pub qos: Qos,
    /// With which packet id.
    pub packet_id: u16,
    /// In which life of the hub.
    pub life: u64,
}

/// What kind of promise was broken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Acknowledged, and not heard by a durable subscriber.
    Lost,
    /// Heard twice at QoS 2.
    Doubled,
    /// Heard before what was said earlier at the same topic and QoS.
    OutOfOrder,
    /// Another message is retained than the last one.
    RetainedWrong,
    /// A session that must be there is not.
    Forgotten,
    /// Anything else that the protocol forbids, or a hub that stands still.
    Broken,
}

/// One broken promise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Its kind.
    pub kind: Kind,
    /// The story.
    pub says: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.says)
    }
}

impl History {
    /// Every broken promise.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for group in &self.groups {
            self.losses(group, &mut findings);
            self.doubles(group, &mut findings);
            for member in &group.members {
                self.disorder(group, member, &mut findings);
            }
        }
        self.wrongly_retained(&mut findings);
        findings
    }

    /// How many messages were acknowledged.
    pub fn acknowledged(&self) -> usize {
        let all = self.said.iter().flatten();
        all.filter(|said| said.is_acknowledged).count()
    }

    fn said(&self, id: MessageId) -> Option<&Said> {
        self.said.get(id.publisher)?.get(id.number)
    }

    fn each(&self) -> impl Iterator<Item = (MessageId, &Said)> {
        let publishers = self.said.iter().enumerate();
        publishers.flat_map(|(publisher, all)| {
            let all = all.iter().enumerate();
            all.map(move |(number, said)| (MessageId { publisher, number }, said))
        })
    }

    fn losses(&self, group: &Group, findings: &mut Vec<Finding>) {
        let heard: HashSet<MessageId> = group.members.iter().flatten().map(|one| one.id).collect();
        for (id, said) in self.each() {
            if said.is_acknowledged && !heard.contains(&id) {
                let says = format!(
                    "{} never heard {id} (QoS {}, {})",
                    group.name,
                    said.qos.level(),
                    said.topic
                );
                findings.push(Finding::new(Kind::Lost, says));
            }
        }
    }

    fn doubles(&self, group: &Group, findings: &mut Vec<Finding>) {
        let mut places: BTreeMap<MessageId, Vec<String>> = BTreeMap::new();
        for (member, heard) in group.members.iter().enumerate() {
            for (place, one) in heard.iter().enumerate() {
                if one.qos == Qos::ExactlyOnce {
                    let place = format!(
                        "member {member} at place {place} in life {} with packet id {}",
                        one.life, one.packet_id
                    );
                    places.entry(one.id).or_default().push(place);
                }
            }
        }
        for (id, places) in places {
            if 1 < places.len() {
                let places = places.join(", ");
                let says = format!("{} heard {id} at QoS 2: {places}", group.name);
                findings.push(Finding::new(Kind::Doubled, says));
            }
        }
    }

    /// By publisher, topic and QoS, what is heard first comes in order [MQTT-4.6.0-5]. That
    /// holds for one member of a shared subscription, too; but what is sent again at QoS 1 may
    /// go to a member that has heard what follows.
    fn disorder(&self, group: &Group, member: &[Heard], findings: &mut Vec<Finding>) {
        let mut seen = HashSet::new();
        let mut last: HashMap<(usize, &str, Qos), usize> = HashMap::new();
        for &Heard { id, qos, .. } in member {
            let Some(said) = self.said(id).filter(|said| said.first_sent.is_some()) else {
                let says = format!("{} heard {id}, which nobody said", group.name);
                findings.push(Finding::new(Kind::Broken, says));
                continue;
            };
            if qos != said.qos.min(group.qos) {
                let says = format!("{} heard {id} at QoS {}", group.name, qos.level());
                findings.push(Finding::new(Kind::Broken, says));
            }
            let is_ordered = group.members.len() == 1 || said.qos == Qos::ExactlyOnce;
            if !seen.insert(id) || !is_ordered {
                continue;
            }
            let stream = (id.publisher, &*said.topic, said.qos);
            if let Some(before) = last.insert(stream, id.number)
                && id.number < before
            {
                let says = format!("{} heard {id} after number {before}", group.name);
                findings.push(Finding::new(Kind::OutOfOrder, says));
                last.insert(stream, before);
            }
        }
    }

    fn wrongly_retained(&self, findings: &mut Vec<Finding>) {
        let mut topics: BTreeMap<&str, Vec<(MessageId, &Said)>> = BTreeMap::new();
        for (id, said) in self.each().filter(|(_, said)| said.retain) {
            topics.entry(&said.topic).or_default().push((id, said));
        }
        for (topic, all) in &topics {
            let wrong = match self.retained.get(*topic) {
                None if !all.iter().any(|(_, said)| said.is_acknowledged) => continue,
                None => "nothing is retained".to_owned(),
                Some(id) => match all.iter().find(|(one, _)| one == id) {
                    None => format!("{id} is retained, which was not said there"),
                    Some((_, said)) => match all.iter().find(|(_, other)| is_after(other, said)) {
                        None => continue,
                        Some((later, _)) => format!("{id} is retained, {later} was acknowledged"),
                    },
                },
            };
            findings.push(Finding::new(
                Kind::RetainedWrong,
                format!("{topic}: {wrong}"),
            ));
        }
        for (topic, id) in &self.retained {
            if !topics.contains_key(&**topic) {
                let says = format!("{topic}: {id} is retained, where nothing was to be");
                findings.push(Finding::new(Kind::RetainedWrong, says));
            }
        }
    }
}

/// Whether the hub must have taken `later` after whatever it took of `earlier`.
///
/// What is sent again at QoS 1 is a new message to the hub, so it counts from when it was sent
/// last, and on that connection it was acknowledged. At QoS 2 it was taken at any of the times
/// when it was sent.
fn is_after(later: &Said, earlier: &Said) -> bool {
    let taken = match later.qos {
        Qos::ExactlyOnce => later.first_sent,
        _ => later.last_sent,
    };
    later.is_acknowledged && earlier.last_sent < taken
}

impl Finding {
    pub(crate) fn new(kind: Kind, says: impl Into<String>) -> Self {
        let says = says.into();
        Self { kind, says }
    }
}

#[cfg(test)]
mod tests;
