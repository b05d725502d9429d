//! Subscriptions of the HTTP API: receivers like any other. A stream that is not read fast
//! enough misses messages, which are counted and told; it never holds up anybody.

use std::sync::Arc;

use quartet_fabric::{
    mqtt::{Fanout, Fault, Reason, Seen},
    routes::{NodeId, Wish},
    topic::Filter,
};
use quartet_model::{Qos, Time};
use quartet_people::credentials::Credentials;

use super::{Flow, Receiver, Who, admit::By, may::Sees, sight::Sight, timers::Timer};

slotmap::new_key_type! {
    /// A subscription of the HTTP API, on the lane that owns it.
    pub struct StreamKey;
}

/// One subscription.
pub(super) struct Stream {
    nodes: Vec<NodeId>,
    /// How many events it can take for now.
    credit: usize,
    /// How many events it missed.
    missed: u64,
    who: Who,
    /// What it may see, if that takes more than to know who it is.
    sight: Option<Sight>,
}

impl Flow {
    /// Begins to pass on what matches any of `filters`, retained messages first. `credit` says
    /// how many events can be taken for now.
    pub fn open_stream(
        &mut self,
        who: Who,
        filters: &[String],
        credit: usize,
        now: Time,
    ) -> Result<StreamKey, Fault> {
        let mut sight = None;
        for filter in filters {
            let parsed = Filter::parse(filter)
                .map_err(|error| Fault::new(Reason::TopicFilterInvalid, error.what()))?;
            if parsed.share.is_some() {
                return Err(Fault::new(
                    Reason::SharedSubscriptionsNotSupported,
                    "a stream cannot be a member of a shared subscription",
                ));
            }
            if self.limits.topic_levels_max < parsed.levels() {
                return Err(Fault::new(
                    Reason::TopicFilterInvalid,
                    "the filter has more levels than this hub allows",
                ));
            }
            let sees = self.may_subscribe(&who, filter, false, now)?;
            if let (Sees::Allowed, Some(holder)) = (sees, who.holder()) {
                sight.get_or_insert_with(|| Sight::of(Arc::clone(holder)));
            }
        }
        let stream = self.streams.insert(Stream {
            nodes: Vec::new(),
            credit,
            missed: 0,
            who: who.clone(),
            sight,
        });
        if let Some(holder) = who.holder() {
            self.held.add(holder, By::Stream(stream));
            self.timers.add(holder.expires_at(), Timer::Stream(stream));
        }
        let receiver = Receiver::Stream(stream);
        let wish = Wish {
            qos: Qos::ExactlyOnce,
            retain_as_published: true,
            ..Wish::default()
        };
        for filter in filters {
            let joined = self.join(filter, receiver, wish);
            self.streams[stream].nodes.push(joined.node);
        }
        for filter in filters {
            self.begin_scan(receiver, filter.clone(), wish, now);
        }
        Ok(stream)
    }

    /// The stream's reader went on: it can take `credit` events for now. Says how many it
    /// missed since it was last asked.
    pub fn credit(&mut self, key: StreamKey, credit: usize, now: Time) -> u64 {
        let Some(stream) = self.streams.get_mut(key) else {
            return 0;
        };
        stream.credit = credit;
        let missed = std::mem::take(&mut stream.missed);
        self.go_on_scanning(Receiver::Stream(key), now);
        missed
    }

    /// Nobody reads the stream any more.
    pub fn close_stream(&mut self, key: StreamKey) {
        let receiver = Receiver::Stream(key);
        if let Some(stream) = self.streams.remove(key) {
            if let Some(holder) = stream.who.holder() {
                self.held.remove(holder, By::Stream(key));
            }
            for node in stream.nodes {
                self.part(node, receiver);
            }
            self.stop_scans(receiver, None);
        }
    }

    /// Whether a stream goes on: it does not if whoever opened it may no more.
    pub fn has_stream(&self, key: StreamKey) -> bool {
        self.streams.contains_key(key)
    }

    /// The credentials changed of the element that opened it.
    pub(super) fn look_at_stream(&mut self, key: StreamKey, all: &Credentials, now: Time) {
        let Some(stream) = self.streams.get(key) else {
            return;
        };
        let Some(holder) = stream.who.holder() else {
            return;
        };
        let Some(held) = all.still_admit(holder, now).map(Arc::new) else {
            return self.close_stream(key);
        };
        let who = Who::Holder(Arc::clone(&held));
        let mut filters = stream.nodes.iter().map(|&node| self.routes.filter_at(node));
        if !filters.all(|filter| self.may_subscribe(&who, &filter, false, now).is_ok()) {
            return self.close_stream(key);
        }
        self.timers.add(held.expires_at(), Timer::Stream(key));
        if let Some(stream) = self.streams.get_mut(key) {
            stream.who = who;
            // What it was granted before may need a look now.
            let sight = stream
                .sight
                .get_or_insert_with(|| Sight::of(Arc::clone(&held)));
            sight.is_of(held);
        }
    }

    /// The credential may be over.
    pub(super) fn look_at_stream_credential(&mut self, key: StreamKey, now: Time) {
        let stream = self.streams.get(key);
        let holder = stream.and_then(|stream| stream.who.holder());
        if holder.is_some_and(|holder| holder.expires_at() <= now) {
            self.close_stream(key);
        }
    }

    pub(super) fn deliver_to_stream(&mut self, key: StreamKey, fanout: &mut Fanout<'_>, now: Time) {
        let Some(stream) = self.streams.get_mut(key) else {
            return;
        };
        let seen = match &mut stream.sight {
            None => Seen::Whole,
            Some(sight) => sight.see(&self.known.graph, fanout.event(), now),
        };
        let part = match seen {
            Seen::Whole => None,
            Seen::Part(part) => Some(part),
            Seen::Nothing => {
                self.figures.hidden += 1;
                return;
            }
        };
        if stream.credit == 0 {
            stream.missed += 1;
            self.figures.dropped_socket += 1;
            return;
        }
        stream.credit -= 1;
        self.figures.delivered += 1;
        let event = part.unwrap_or_else(|| fanout.kept());
        self.out.streams.push((key, event));
    }

    pub(super) fn stream_has_room(&self, key: StreamKey, events: usize) -> bool {
        self.streams
            .get(key)
            .is_some_and(|stream| events <= stream.credit)
    }
}
