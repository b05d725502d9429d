//! What holds of a lane at any moment, whatever clients do. Tests ask between any two steps.

use std::collections::HashMap;

use super::{Flow, Receiver, conn::Stage};

impl Flow {
    /// Panics unless all that waits is within the limits, and clients and connections know each
    /// other.
    pub fn assert_sound(&self) {
        let limits = &self.limits;
        for (key, client) in &self.clients {
            let (session, id) = (&client.session, &client.id);
            // What was sent to an earlier connection waits, too: at most the window.
            let window = 4 * usize::from(limits.inflight_max);
            let queued = session.queued();
            let queued_max = limits.queue_messages_max + window;
            assert!(queued <= queued_max, "{queued} messages wait for {id}");
            let bytes = session.queued_bytes();
            assert!(bytes <= limits.queue_bytes_max, "{bytes} bytes for {id}");
            let inflight = session.inflight();
            let inflight_max = usize::from(limits.inflight_max);
            assert!(inflight <= inflight_max, "{inflight} are sent to {id}");
            let shares = client.more.as_ref().map_or(0, |more| more.shares.len());
            let subscriptions = client.subscriptions.len() + shares;
            assert!(subscriptions <= limits.subscriptions_max, "{subscriptions}");
            if let Some(conn) = client.conn.and_then(|conn| self.conns.get(conn)) {
                let is_its = matches!(conn.stage, Stage::Open(its, _) if its == key);
                assert!(is_its, "{id} is not what its connection is about");
            }
        }
        for (key, conn) in &self.conns {
            if let Stage::Open(client, _) = conn.stage {
                let client = self.clients.get(client).expect("who is open has a session");
                assert_eq!(client.conn, Some(key), "{} is elsewhere", client.id);
            }
            // One packet, or the answers to one, may come on top of what is allowed.
            let waits = conn.outbox.len();
            let packet = limits.packet_bytes_max.max(limits.first_packet_bytes_max);
            let waits_max = 2 * limits.outbox_bytes_max + 2 * packet + 1024;
            assert!(waits <= waits_max, "{waits} bytes wait for a socket");
        }
        assert!(self.retained.len() <= limits.retained_messages_max);
        let mut scans = HashMap::<Receiver, usize>::new();
        for scan in &self.scans {
            *scans.entry(scan.receiver()).or_default() += 1;
        }
        let scans_max = scans.into_values().max().unwrap_or(0);
        assert!(scans_max <= limits.subscriptions_max, "{scans_max} scans");
    }
}
