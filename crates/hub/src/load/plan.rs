//! What is to be measured: who publishes, who subscribes to what, how fast, how long.

use std::time::Duration;

use quartet_fabric::mqtt::{Login, Version};
use quartet_model::Qos;

use crate::client::Endpoint;

/// A run of the load generator.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The broker.
    pub endpoint: Endpoint,
    /// What is spoken.
    pub version: Version,
    /// User name and password.
    pub login: Login,
    /// Who talks to whom.
    pub scenario: Scenario,
    /// At which messages are published.
    pub publish_qos: Qos,
    /// At which is subscribed.
    pub subscribe_qos: Qos,
    /// At least [`STAMP_BYTES`](super::STAMP_BYTES).
    pub payload_bytes: usize,
    /// Messages published per second, by all publishers together; 0 for flat out.
    pub rate_per_s: f64,
    /// Unacknowledged messages per publisher, at QoS 1 and 2.
    pub inflight: u16,
    /// How long is measured; in `idle`, how long the connections are held.
    pub duration: Duration,
    /// How long is published before.
    pub warmup: Duration,
    /// How long is waited for the last messages.
    pub drain: Duration,
    /// Threads of the generator.
    pub threads: usize,
    /// Connections that a thread opens at a time.
    pub parallel: usize,
    /// The broker's processes, to be watched.
    pub pids: Vec<u32>,
}

/// Who talks to whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scenario {
    /// Many publishers; each message goes to one of few subscribers.
    FanIn {
        /// How many publish.
        publishers: u32,
        /// How many subscribe.
        subscribers: u32,
        /// How many topics they share.
        topics: u32,
    },
    /// All publish to one topic; each message goes to all subscribers.
    FanOut {
        /// How many publish.
        publishers: u32,
        /// How many subscribe.
        subscribers: u32,
    },
    /// Each publisher has a topic and one subscriber.
    Pairs {
        /// How many of each.
        pairs: u32,
    },
    /// Clients connect as fast as they can.
    Connect {
        /// How many.
        clients: u32,
    },
    /// Clients are connected and silent.
    Idle {
        /// How many.
        clients: u32,
        /// Subscriptions of each.
        subscriptions: u32,
    },
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Publisher(u32),
    Subscriber(u32),
    Idle(u32),
}

/// The publishers that a subscriber hears: every `step`-th from `first` on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Heard {
    pub(super) first: u32,
    pub(super) step: u32,
    pub(super) count: u32,
}

impl Heard {
    /// The publisher's place among those that are heard, if it is.
    pub(super) fn place(self, publisher: u32) -> Option<usize> {
        let beyond = publisher.checked_sub(self.first)?;
        let place = beyond / self.step;
        (beyond.is_multiple_of(self.step) && place < self.count).then_some(place as usize)
    }

    /// The publisher at a place.
    pub(super) fn publisher(self, place: usize) -> u32 {
        self.first + place as u32 * self.step
    }
}

impl Scenario {
    /// How many publish.
    pub fn publishers(self) -> u32 {
        match self {
            Self::FanIn { publishers, .. } | Self::FanOut { publishers, .. } => publishers,
            Self::Pairs { pairs } => pairs,
            Self::Connect { .. } | Self::Idle { .. } => 0,
        }
    }

    /// How many subscribers each message goes to.
    pub fn receivers(self) -> u32 {
        match self {
            Self::FanIn { .. } | Self::Pairs { .. } => 1,
            Self::FanOut { subscribers, .. } => subscribers,
            Self::Connect { .. } | Self::Idle { .. } => 0,
        }
    }

    /// All connections: those who listen come first.
    pub(super) fn parts(self) -> Vec<Part> {
        let (subscribers, idle) = match self {
            Self::FanIn { subscribers, .. } | Self::FanOut { subscribers, .. } => (subscribers, 0),
            Self::Pairs { pairs } => (pairs, 0),
            Self::Connect { clients } | Self::Idle { clients, .. } => (0, clients),
        };
        let subscribers = (0..subscribers).map(Part::Subscriber);
        let publishers = (0..self.publishers()).map(Part::Publisher);
        subscribers
            .chain(publishers)
            .chain((0..idle).map(Part::Idle))
            .collect()
    }

    /// Where a publisher publishes, below `quartet-bench/{run}/`.
    pub(super) fn topic(self, publisher: u32) -> String {
        match self {
            Self::FanIn {
                subscribers,
                topics,
                ..
            } => {
                let topic = publisher % topics;
                format!("{}/{topic}", topic % subscribers)
            }
            Self::FanOut { .. } => "all".to_owned(),
            Self::Pairs { .. } | Self::Connect { .. } | Self::Idle { .. } => publisher.to_string(),
        }
    }

    /// What a connection subscribes to, below `quartet-bench/{run}/`.
    pub(super) fn filters(self, part: Part) -> Vec<String> {
        match (self, part) {
            (_, Part::Publisher(_)) => Vec::new(),
            (Self::FanIn { .. }, Part::Subscriber(i)) => vec![format!("{i}/+")],
            (Self::FanOut { .. }, Part::Subscriber(_)) => vec!["all".to_owned()],
            (_, Part::Subscriber(i)) => vec![i.to_string()],
            (Self::Idle { subscriptions, .. }, Part::Idle(i)) => {
                (0..subscriptions).map(|s| format!("{i}/{s}")).collect()
            }
            (_, Part::Idle(_)) => Vec::new(),
        }
    }

    /// Whom a subscriber hears. In a fan-in the number of topics is a multiple of the number of
    /// subscribers, or there are as many topics as publishers.
    pub(super) fn heard(self, subscriber: u32) -> Heard {
        match self {
            Self::FanIn {
                publishers,
                subscribers,
                ..
            } => Heard {
                first: subscriber,
                step: subscribers,
                count: publishers.saturating_sub(subscriber).div_ceil(subscribers),
            },
            Self::FanOut { publishers, .. } => Heard {
                first: 0,
                step: 1,
                count: publishers,
            },
            Self::Pairs { .. } | Self::Connect { .. } | Self::Idle { .. } => Heard {
                first: subscriber,
                step: 1,
                count: 1,
            },
        }
    }

    /// The scenario in words.
    pub fn describe(self) -> String {
        let many = |n: u32, what: &str| {
            let n_text = super::text::count(u64::from(n));
            format!("{n_text} {what}{}", if n == 1 { "" } else { "s" })
        };
        match self {
            Self::FanIn {
                publishers,
                subscribers,
                topics,
            } => format!(
                "fan-in of {} on {} to {}",
                many(publishers, "publisher"),
                many(topics, "topic"),
                many(subscribers, "subscriber")
            ),
            Self::FanOut {
                publishers,
                subscribers,
            } => format!(
                "fan-out of {} to {}",
                many(publishers, "publisher"),
                many(subscribers, "subscriber")
            ),
            Self::Pairs { pairs } => {
                format!("{} of publisher and subscriber", many(pairs, "pair"))
            }
            Self::Connect { clients } => format!("{} connecting", many(clients, "client")),
            Self::Idle {
                clients,
                subscriptions,
            } => format!(
                "{} idle, with {} each",
                many(clients, "client"),
                many(subscriptions, "subscription")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use quartet_fabric::topic;

    use super::*;

    /// Each message must go exactly to those who say that they hear its publisher.
    #[track_caller]
    fn check(scenario: Scenario) {
        let subscribers: Vec<_> = scenario
            .parts()
            .into_iter()
            .filter_map(|part| match part {
                Part::Subscriber(i) => Some((i, scenario.filters(part))),
                _ => None,
            })
            .collect();
        for publisher in 0..scenario.publishers() {
            let name = scenario.topic(publisher);
            let mut receivers = 0;
            for (i, filters) in &subscribers {
                let matches = filters.iter().any(|filter| topic::matches(filter, &name));
                let place = scenario.heard(*i).place(publisher);
                assert_eq!(matches, place.is_some(), "{publisher} at {i}");
                if let Some(place) = place {
                    assert_eq!(scenario.heard(*i).publisher(place), publisher);
                    receivers += 1;
                }
            }
            assert_eq!(receivers, scenario.receivers());
        }
    }

    #[test]
    fn who_hears_whom_is_what_the_filters_say() {
        for (publishers, subscribers, topics) in [(10, 3, 10), (10, 3, 6), (2, 4, 4), (5, 1, 1)] {
            check(Scenario::FanIn {
                publishers,
                subscribers,
                topics,
            });
        }
        check(Scenario::FanOut {
            publishers: 3,
            subscribers: 5,
        });
        check(Scenario::Pairs { pairs: 4 });
    }
}
