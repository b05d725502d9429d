//! Retained messages for a new subscription. They are looked for in steps, as fast as the
//! receiver takes them, so that a subscription to a million topics floods nobody. Each lane
//! keeps its share of the topics; they are asked one after the other.

use quartet_fabric::{
    retained::Cursor,
    routes::{Lane, Matches, Wish},
    topic,
};
use quartet_model::{Actor, Address, Event, Time};

use super::{
    Carried, ClientKey, Flow, Mail, Receiver,
    conn::Stage,
    home_of_topic,
    keep::{Waiting, record::Via, shard_of_topic},
    subscribe::Wanted,
};

/// Messages that are looked for in one step.
const STEP_MESSAGES: usize = 64;

/// Messages that may wait in a session before a search goes on.
const QUEUED_MAX: usize = 1024;

/// A search for retained messages that is under way.
pub(super) struct Scan {
    /// Tells it from others of the same receiver: an answer may come when nobody waits for it
    /// any more.
    number: u64,
    receiver: Receiver,
    filter: Box<str>,
    wish: Wish,
    /// The lane that is asked now.
    lane: Lane,
    /// The last lane to ask.
    last: Lane,
    from: Option<Cursor>,
    /// Another lane was asked and has not answered.
    is_waiting: bool,
}

impl Scan {
    pub(super) fn receiver(&self) -> Receiver {
        self.receiver
    }
}

impl Flow {
    /// Looks for what is retained. A search by the same filter that is under way is given up:
    /// this one finds the same, and who asks often without reading holds no more memory.
    pub(super) fn begin_scan(&mut self, receiver: Receiver, filter: String, wish: Wish, now: Time) {
        self.stop_scans(receiver, Some(&filter));
        let element = Address::element_of(&filter).unwrap_or(&filter);
        let (lane, last) = if topic::has_wildcard(element) {
            (0, (self.lanes - 1) as Lane)
        } else {
            let home = home_of_topic(&filter, self.lanes);
            (home, home)
        };
        self.scans_begun += 1;
        self.scans.push(Scan {
            number: self.scans_begun,
            receiver,
            filter: filter.into(),
            wish,
            lane,
            last,
            from: None,
            is_waiting: false,
        });
        self.go_on_scanning(receiver, now);
    }

    /// Goes on with the receiver's searches, as far as it can take messages.
    pub(super) fn go_on_scanning(&mut self, receiver: Receiver, now: Time) {
        let mut index = 0;
        while let Some(scan) = self.scans.get_mut(index) {
            if scan.receiver != receiver || scan.is_waiting {
                index += 1;
                continue;
            }
            if !self.has_room(receiver) {
                return;
            }
            // A place in a journal may be written down only when what is there is safe.
            let safely = match receiver {
                Receiver::Session(client) => self.clients[client].number != 0,
                _ => false,
            };
            let scan = &mut self.scans[index];
            if scan.lane != self.lane {
                scan.is_waiting = true;
                let ask = Mail::Scan {
                    to: self.lane,
                    number: scan.number,
                    filter: scan.filter.clone(),
                    from: scan.from.clone(),
                    safely,
                };
                self.out.mail.push((scan.lane, ask));
                index += 1;
                continue;
            }
            let mut found = Vec::new();
            let (filter, from) = (scan.filter.clone(), scan.from.take());
            let from = self
                .retained
                .scan(&filter, from, STEP_MESSAGES, now, &mut found);
            if safely && !self.is_settled() {
                let scan = &mut self.scans[index];
                scan.is_waiting = true;
                let number = scan.number;
                self.wait(Waiting::Found(number, found, from), now);
                index += 1;
                continue;
            }
            self.found(index, found, from, now);
        }
    }

    /// Another lane answered. Nobody may wait for it any more.
    pub(super) fn scanned(
        &mut self,
        number: u64,
        found: Vec<Event>,
        from: Option<Cursor>,
        now: Time,
    ) {
        let mut scans = self.scans.iter();
        if let Some(index) = scans.position(|scan| scan.number == number) {
            let scan = &mut self.scans[index];
            scan.is_waiting = false;
            let receiver = scan.receiver;
            self.found(index, found, from, now);
            self.go_on_scanning(receiver, now);
        }
    }

    /// Begins the searches of a subscription, if its client is still there.
    pub(super) fn begin_scans(&mut self, client: ClientKey, wanted: Vec<Wanted>, now: Time) {
        for Wanted { filter, wish } in wanted {
            if self.clients.contains_key(client) {
                self.begin_scan(Receiver::Session(client), filter, wish, now);
            }
        }
    }

    /// Passes on what was found, and notes where to go on.
    fn found(&mut self, index: usize, found: Vec<Event>, from: Option<Cursor>, now: Time) {
        let scan = &mut self.scans[index];
        let (receiver, wish) = (scan.receiver, scan.wish);
        match from {
            Some(cursor) => scan.from = Some(cursor),
            None if scan.lane < scan.last => {
                scan.lane += 1;
                scan.from = None;
            }
            None => {
                self.scans.remove(index);
            }
        }
        let matches = Matches::one(receiver, wish);
        for event in &found {
            // [MQTT-3.3.1-9]
            self.deliver(Carried::passing(event), &matches, Via::Scan, now);
        }
    }

    /// Whether the receiver can take more for now.
    fn has_room(&self, receiver: Receiver) -> bool {
        match receiver {
            Receiver::Session(client) => {
                let Some(client) = self.clients.get(client) else {
                    return false;
                };
                let on_line = client.conn.and_then(|key| self.conns.get(key));
                on_line.is_some_and(|conn| {
                    matches!(conn.stage, Stage::Open(..))
                        && conn.outbox.len() * 4 < self.limits.outbox_bytes_max
                        && client.session.queued()
                            < QUEUED_MAX.min(self.limits.queue_messages_max / 4)
                })
            }
            Receiver::Stream(stream) => self.stream_has_room(stream, STEP_MESSAGES),
            Receiver::Elements | Receiver::Dialects | Receiver::Door => true,
        }
    }

    pub(super) fn stop_scans(&mut self, receiver: Receiver, filter: Option<&str>) {
        self.scans.retain(|scan| {
            scan.receiver != receiver || filter.is_some_and(|filter| filter != &*scan.filter)
        });
    }

    /// A lane asks for retained messages that live here.
    pub(super) fn scan_for(
        &mut self,
        to: Lane,
        number: u64,
        filter: &str,
        from: Option<Cursor>,
        safely: bool,
        now: Time,
    ) {
        let mut found = Vec::new();
        let from = self
            .retained
            .scan(filter, from, STEP_MESSAGES, now, &mut found);
        let answer = Mail::Scanned {
            number,
            found,
            from,
        };
        if safely {
            self.wait(Waiting::Post(to, Box::new(answer)), now);
        } else {
            self.out.mail.push((to, answer));
        }
    }

    /// Keeps an event as what was last said at its topic, within the limit. What the hub says
    /// about itself it says anew after a start, so that is not written down.
    pub(super) fn retain(&mut self, event: &Event) {
        let shard = shard_of_topic(&event.topic);
        if self.keep.has_taken(shard, event.place, Via::Retained) {
            return;
        }
        let is_new = self.limits.retained_messages_max <= self.retained.len()
            && self.retained.at(&event.topic, Time::ZERO).is_none();
        if is_new && !event.payload.is_empty() {
            self.figures.refused += 1;
            return;
        }
        // What follows from something that others said is not said anew.
        let is_own = event.by == Actor::Hub && event.place.is_none() && event.cause.is_none();
        let place = (!is_own).then(|| self.write_kept(shard, event));
        self.retained.keep(event, place);
    }

    /// What is retained, and all that is said of an element, goes first to the lane that keeps
    /// its topic, which passes it on to all: so everyone sees the messages of a topic in the
    /// order in which they are kept. Says whether the event went there.
    pub(super) fn sequence_elsewhere(&mut self, event: Carried<'_>, step: u64) -> bool {
        let goes_home = event.retain || Address::element_of(&event.topic).is_some();
        if self.lanes == 1 || !goes_home && self.sequenced.is_empty() {
            return false; // The usual case costs a look at a few bytes.
        }
        let home = home_of_topic(&event.topic, self.lanes);
        let topic = super::fnv(&event.topic);
        if home == self.lane || !goes_home && !self.sequenced.contains_key(&topic) {
            return false;
        }
        *self.sequenced.entry(topic).or_default() += 1;
        let event = event.shared();
        self.out.mail_last.push((
            home,
            Mail::Sequence {
                from: self.lane,
                topic,
                step,
                event,
            },
        ));
        true
    }

    /// A message that was sent to its home lane is passed on.
    pub(super) fn sequenced(&mut self, topic: u64) {
        if let Some(count) = self.sequenced.get_mut(&topic) {
            *count -= 1;
            if *count == 0 {
                self.sequenced.remove(&topic);
            }
        }
    }
}
