use quartet_fabric::mqtt::{Congestion, Settled};

/// What one lane counted since the start, and how much it holds now. Figures of several lanes
/// add up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
#[allow(
    missing_docs,
    reason = "the names say it; docs/metrics.md explains each"
)]
pub struct Figures {
    pub connections: u64,
    pub connections_opened: u64,
    pub sessions: u64,
    pub sessions_expired: u64,
    pub subscriptions: u64,
    pub routes_bytes: u64,
    pub retained: u64,
    pub retained_bytes: u64,
    pub bytes_received: u64,
    pub bytes_sent: u64,
    pub published: u64,
    pub published_bytes: u64,
    pub delivered: u64,
    pub delivered_bytes: u64,
    pub queued: u64,
    pub dropped_socket: u64,
    pub dropped_queue: u64,
    pub expired: u64,
    pub too_large: u64,
    /// Messages of which a receiver was not to see anything.
    pub hidden: u64,
    pub refused: u64,
    pub faults: u64,
    pub pauses: u64,
    pub loops_cut: u64,
    pub dropped_disk: u64,
    pub waiting: u64,
    pub journal_bytes: u64,
    pub series: u64,
    pub series_points: u64,
    pub series_bytes: u64,
    pub series_let_go: u64,
}

impl Figures {
    /// Counts what became of a delivery.
    pub(super) fn note(&mut self, settled: Settled, payload_bytes: usize) {
        match settled {
            Settled::Sent => {
                self.delivered += 1;
                self.delivered_bytes += payload_bytes as u64;
            }
            Settled::Queued => self.queued += 1,
            Settled::Expired => self.expired += 1,
            Settled::TooLarge => self.too_large += 1,
            Settled::Hidden => self.hidden += 1,
            Settled::Dropped(Congestion::Socket) => self.dropped_socket += 1,
            Settled::Dropped(Congestion::Queue) => self.dropped_queue += 1,
        }
    }

    /// These and those together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        macro_rules! add {
            ($($name:ident),*) => { Self { $($name: self.$name + other.$name),* } };
        }
        add!(
            connections,
            connections_opened,
            sessions,
            sessions_expired,
            subscriptions,
            routes_bytes,
            retained,
            retained_bytes,
            bytes_received,
            bytes_sent,
            published,
            published_bytes,
            delivered,
            delivered_bytes,
            queued,
            dropped_socket,
            dropped_queue,
            expired,
            too_large,
            hidden,
            refused,
            faults,
            pauses,
            loops_cut,
            dropped_disk,
            waiting,
            journal_bytes,
            series,
            series_points,
            series_bytes,
            series_let_go
        )
    }
}
