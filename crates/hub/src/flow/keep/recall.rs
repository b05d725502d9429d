//! Records into states: what a hub knows again after a start. Nothing happens while it recalls;
//! what was under way when it died goes on after [`recover`].

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use bytestring::ByteString;
use quartet_fabric::{
    mqtt::{Session, Will},
    retained::Retained,
};
use quartet_model::{Actor, Event, Place, Time};
use quartet_people::is_secret;

use super::{
    NotARecord, Record, SHARDS,
    record::{FORMAT, Opened, SessionNumber, Subscription, Via, Whole},
    shard_of_client, shard_of_topic,
};
use crate::flow::{
    Client, ClientKey, Flow, Receiver, conn::More, fnv, home_of_topic, signals::TAKEN,
    timers::Timer,
};

/// Builds states from records.
pub struct Recall {
    lanes: usize,
    shards: Vec<Shard>,
    retained: Vec<Retained>,
    moved: Moved,
    taken: Vec<(u8, Place, Via)>,
    prune_at: usize,
}

/// What is retained at elements. Before format 2 their topics were spread over all shards, each
/// by itself.
#[derive(Default)]
struct Moved {
    /// Hashes of topics that have been kept where they are kept now.
    since: HashSet<u64>,
    /// What was kept last elsewhere, in the order of topics.
    before: BTreeMap<ByteString, (Place, Event)>,
}

#[derive(Default)]
struct Shard {
    /// The newest format in it.
    format: u64,
    next_session: SessionNumber,
    passed: u64,
    /// Said and, as far as is known, not taken by all; with the session that said it.
    said: VecDeque<(SessionNumber, Event)>,
    sessions: BTreeMap<SessionNumber, RecalledSession>,
    /// Of a session that is being said anew.
    parts: Vec<Bytes>,
}

/// What one lane knows again.
pub struct Recalled {
    shards: Vec<RecalledShard>,
    sessions: Vec<RecalledSession>,
    retained: Retained,
    again: Vec<(u8, SessionNumber, Event)>,
    taken: Arc<Taken>,
}

/// What was done before the hub died of that which is followed again.
pub(super) struct Taken {
    all: HashSet<(u8, Place, Via)>,
    /// How far the lane of a shard had followed, at least, what was said in another one: it follows
    /// that in order, and writes down in order what comes of it.
    followed: HashMap<(u8, u8), u64>,
}

impl Taken {
    fn new(all: Vec<(u8, Place, Via)>) -> Self {
        let mut followed: HashMap<(u8, u8), u64> = HashMap::new();
        for &(shard, place, via) in &all {
            if matches!(via, Via::Retained) || via == Via::Process(fnv(TAKEN)) {
                let last = followed.entry((shard, place.shard())).or_default();
                *last = place.seq().max(*last);
            }
        }
        Self {
            all: all.into_iter().collect(),
            followed,
        }
    }

    /// Whether this was taken.
    pub(super) fn has(&self, shard: u8, place: Place, via: Via) -> bool {
        self.all.contains(&(shard, place, via))
    }

    /// Whether something that was said later was followed.
    pub(super) fn has_more(&self, shard: u8, place: Place) -> bool {
        let last = self.followed.get(&(shard, place.shard()));
        last.is_some_and(|last| place.seq() < *last)
    }
}

struct RecalledShard {
    number: u8,
    /// An older version wrote it, or nobody.
    is_old: bool,
    next_session: SessionNumber,
    passed: u64,
}

/// A session that is known again.
pub struct RecalledSession {
    number: SessionNumber,
    id: ByteString,
    owner: ByteString,
    expiry_s: u32,
    will: Option<Will>,
    away_at: Option<Time>,
    subscriptions: Vec<Subscription>,
    session: Session,
}

impl Recall {
    /// Knows nothing; for a hub of so many lanes.
    pub fn new(lanes: usize) -> Self {
        let mut shards = Vec::new();
        shards.resize_with(SHARDS, Shard::default);
        let mut retained = Vec::new();
        retained.resize_with(lanes, Retained::default);
        Self {
            lanes,
            shards,
            retained,
            moved: Moved::default(),
            taken: Vec::new(),
            prune_at: 1 << 16,
        }
    }

    /// Takes a record. Each shard's come in order.
    pub fn record(&mut self, shard: u8, seq: u64, bytes: &[u8]) -> Result<(), NotARecord> {
        let place = Place::new(shard, seq);
        let there = &mut self.shards[usize::from(shard)];
        match Record::read(bytes)? {
            Record::Basis {
                format,
                next_session,
                passed,
            } => {
                there.format = there.format.max(format);
                there.next_session = there.next_session.max(next_session);
                there.pass(passed);
            }
            Record::Passed(passed) => there.pass(passed),
            Record::Said {
                passed,
                session,
                packet_id,
                is_will,
                mut event,
            } => {
                there.pass(passed);
                event.place = Some(place);
                there.said.push_back((session, *event));
                if let Some(session) = there.sessions.get_mut(&session) {
                    if packet_id != 0 {
                        session.session.receive(packet_id);
                    }
                    if is_will {
                        session.will = None;
                    }
                }
            }
            Record::Kept { from, event, .. } => {
                let lane = usize::from(shard) % self.lanes;
                if shard != shard_of_topic(&event.topic) {
                    self.moved
                        .before
                        .insert(event.topic.clone(), (place, *event));
                } else {
                    if shard != shard_of_client(&event.topic) {
                        self.moved.since.insert(fnv(&event.topic));
                    }
                    self.retained[lane].keep(&event, Some(place));
                }
                if let Some(from) = from {
                    self.take(shard, from, Via::Retained);
                }
            }
            Record::Took { from, via, takers } => {
                for taker in takers {
                    if let Some(session) = there.sessions.get_mut(&taker.session) {
                        let session = &mut session.session;
                        session.recall_queued(from, taker.qos, taker.retain, &taker.ids);
                        if taker.was_sent {
                            session.recall_sent();
                        }
                    }
                }
                if via != Via::Scan {
                    self.take(shard, from, via);
                }
            }
            Record::Opened(opened) => there.open(*opened),
            Record::Whole(whole) => {
                let parts = std::mem::take(&mut there.parts);
                there.say_anew(*whole, &parts)?;
            }
            Record::Waits { part, .. } => there.parts.push(part),
            Record::Ended(number) => {
                there.sessions.remove(&number);
            }
            other => there.change(other),
        }
        Ok(())
    }

    fn take(&mut self, shard: u8, from: Place, via: Via) {
        self.taken.push((shard, from, via));
        if self.prune_at <= self.taken.len() {
            self.prune();
            self.prune_at = (2 * self.taken.len()).max(1 << 16);
        }
    }

    /// Only what may be followed again is of interest.
    fn prune(&mut self) {
        let shards = &self.shards;
        self.taken.retain(|(_, place, _)| {
            let of = shards.get(usize::from(place.shard()));
            of.is_some_and(|of| of.passed < place.seq())
        });
    }

    /// What was recalled, lane by lane.
    pub fn finish(mut self) -> Vec<Recalled> {
        self.prune();
        for (topic, (place, event)) in self.moved.before {
            if !self.moved.since.contains(&fnv(&topic)) {
                let lane = usize::from(home_of_topic(&topic, self.lanes));
                self.retained[lane].keep(&event, Some(place));
            }
        }
        let taken = Arc::new(Taken::new(self.taken));
        let mut lanes: Vec<Recalled> = self
            .retained
            .into_iter()
            .map(|retained| Recalled {
                shards: Vec::new(),
                sessions: Vec::new(),
                retained,
                again: Vec::new(),
                taken: Arc::clone(&taken),
            })
            .collect();
        for (number, shard) in self.shards.into_iter().enumerate() {
            let lane = &mut lanes[number % self.lanes];
            let number = number as u8;
            lane.shards.push(RecalledShard {
                number,
                is_old: shard.format < FORMAT,
                next_session: shard.next_session.max(1),
                passed: shard.passed,
            });
            lane.sessions.extend(shard.sessions.into_values());
            let said = shard.said.into_iter();
            lane.again
                .extend(said.map(|(session, event)| (number, session, event)));
        }
        lanes
    }
}

impl Shard {
    fn pass(&mut self, passed: u64) {
        self.passed = self.passed.max(passed);
        let passed = self.passed;
        let is_over = |event: &Event| event.place.is_none_or(|place| place.seq() <= passed);
        while self.said.front().is_some_and(|(_, event)| is_over(event)) {
            self.said.pop_front();
        }
    }

    fn meet(&mut self, session: SessionNumber) {
        self.next_session = self.next_session.max(session.saturating_add(1));
    }

    fn open(&mut self, opened: Opened) {
        self.meet(opened.session);
        match self.sessions.get_mut(&opened.session) {
            Some(there) => {
                there.owner = opened.owner;
                there.expiry_s = opened.expiry_s;
                there.will = opened.will;
                there.away_at = None;
            }
            None => {
                let session = RecalledSession::new(opened);
                self.sessions.insert(session.number, session);
            }
        }
    }

    /// A session as a whole, in place of what was known of it.
    fn say_anew(&mut self, whole: Whole, parts: &[Bytes]) -> Result<(), NotARecord> {
        let mut session = RecalledSession::new(whole.opened);
        session.away_at = whole.away_at;
        session.session = Session::read_back(&whole.state).ok_or(NotARecord::Malformed)?;
        // A hub that died while it said one anew left parts that belong to none.
        let Some(strays) = parts.len().checked_sub(whole.parts as usize) else {
            return Ok(()); // Its parts were let go, so it was said anew again since.
        };
        for part in &parts[strays..] {
            session
                .session
                .wait_too(part)
                .ok_or(NotARecord::Malformed)?;
        }
        if whole.has_more_subscriptions
            && let Some(known) = self.sessions.remove(&session.number)
        {
            session.subscriptions = known.subscriptions;
        }
        for subscription in whole.subscriptions {
            session.unsubscribe(&subscription.share, &subscription.filter);
            session.subscriptions.push(subscription);
        }
        self.meet(session.number);
        self.sessions.insert(session.number, session);
        Ok(())
    }

    /// What concerns one session. One that is not known was not said anew yet: what is said of
    /// it then includes this.
    fn change(&mut self, record: Record) {
        let mut change = |number: SessionNumber, change: &mut dyn FnMut(&mut RecalledSession)| {
            if let Some(there) = self.sessions.get_mut(&number) {
                change(there);
            }
        };
        match record {
            Record::Away {
                session,
                at,
                expiry_s,
                forgets_will,
            } => change(session, &mut |there| {
                there.away_at = Some(at);
                there.expiry_s = expiry_s;
                if forgets_will {
                    there.will = None;
                }
            }),
            Record::Subscribed {
                session,
                subscription,
            } => change(session, &mut |there| {
                there.unsubscribe(&subscription.share, &subscription.filter);
                there.subscriptions.push(subscription.clone());
            }),
            Record::Unsubscribed {
                session,
                share,
                filter,
            } => change(session, &mut |there| there.unsubscribe(&share, &filter)),
            Record::Sent(session) => change(session, &mut |there| there.session.recall_sent()),
            Record::Dropped(session) => {
                change(session, &mut |there| there.session.recall_dropped());
            }
            Record::Done(session, id) => {
                change(session, &mut |there| there.session.recall_done(id));
            }
            Record::Received(session, id) => {
                change(session, &mut |there| there.session.recall_received(id));
            }
            Record::Released(session, id) => change(session, &mut |there| {
                there.session.release(id);
            }),
            Record::WillGone(session) => change(session, &mut |there| there.will = None),
            _ => {}
        }
    }
}

impl RecalledSession {
    fn new(opened: Opened) -> Self {
        Self {
            number: opened.session,
            id: opened.id,
            owner: opened.owner,
            expiry_s: opened.expiry_s,
            will: opened.will,
            away_at: None,
            subscriptions: Vec::new(),
            session: Session::default(),
        }
    }

    fn unsubscribe(&mut self, share: &str, filter: &str) {
        self.subscriptions
            .retain(|there| (&*there.share, &*there.filter) != (share, filter));
    }
}

/// The message that a record of this place keeps.
pub fn event_at(place: Place, record: &[u8]) -> Option<Event> {
    match Record::read(record) {
        Ok(Record::Said { mut event, .. } | Record::Kept { mut event, .. }) => {
            event.place = Some(place);
            Some(*event)
        }
        _ => None,
    }
}

impl Recalled {
    /// The durable sessions.
    pub fn sessions(&self) -> impl Iterator<Item = &RecalledSession> {
        self.sessions.iter()
    }

    /// What is retained.
    pub fn retained(&self) -> &Retained {
        &self.retained
    }
}

impl RecalledSession {
    /// The client's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How long it outlives its connection, in seconds.
    pub fn expiry_s(&self) -> u32 {
        self.expiry_s
    }

    /// Since when the client is away, if it said goodbye or was lost.
    pub fn away_at(&self) -> Option<Time> {
        self.away_at
    }

    /// What is published when the client is lost.
    pub fn will(&self) -> Option<&Will> {
        self.will.as_ref()
    }

    /// What it asked for.
    pub fn subscriptions(&self) -> &[Subscription] {
        &self.subscriptions
    }

    /// How many messages wait for it, or were sent and not acknowledged.
    pub fn waiting(&self) -> usize {
        self.session.queued() + self.session.inflight()
    }
}

/// Gives each lane what it knew, and lets go on what was under way. `next` says where the next
/// record of each shard goes. Nobody is connected yet.
pub fn recover(flows: &mut [Flow], recalled: Vec<Recalled>, next: &[u64], now: Time) {
    let mut again = Vec::new();
    for (lane, (flow, mut recalled)) in flows.iter_mut().zip(recalled).enumerate() {
        let said = std::mem::take(&mut recalled.again);
        flow.recall(recalled, next, now);
        again.extend(said.into_iter().map(|(shard, session, mut event)| {
            if let Some(client) = flow.session_of(shard, session) {
                event.by = Actor::Session(flow.session_ref(client));
            }
            (event.id, lane, event)
        }));
    }
    for flow in &mut *flows {
        flow.begin_admitting();
        flow.begin_relating();
        flow.begin_processes();
        flow.begin_signals();
    }
    exchange(flows, now);
    // Who may what is known before anything is passed on.
    let related: Vec<Event> = flows
        .iter()
        .flat_map(|flow| flow.all_related(now))
        .collect();
    for flow in &mut *flows {
        for event in &related {
            flow.hear_relations(event, now);
        }
    }
    // So is which flows wait for what.
    let deployed: Vec<Event> = flows
        .iter()
        .flat_map(|flow| [flow.all_deployed(now), flow.all_signals(now)].concat())
        .collect();
    for flow in &mut *flows {
        for event in &deployed {
            flow.hear_flows(event, now);
            flow.recall_definition(event, now);
        }
        flow.recall_all_signals(now);
    }
    exchange(flows, now);
    // In the order in which it was said: what is retained last was said last.
    again.sort_by_key(|(id, ..)| *id);
    for (_, lane, event) in &again {
        flows[*lane].recall_places(event);
        flows[*lane].recall_signals(event);
        flows[*lane].recall_clock(event, now);
    }
    for (_, lane, event) in again {
        flows[lane].follow(&event, now);
        exchange(flows, now);
    }
    for flow in flows {
        flow.keep.again = None;
    }
}

/// Carries mail between lanes until there is none.
fn exchange(flows: &mut [Flow], now: Time) {
    loop {
        let mut letters = Vec::new();
        for flow in &mut *flows {
            let out = flow.out();
            letters.append(&mut out.mail);
            letters.append(&mut out.mail_last);
        }
        if letters.is_empty() {
            return;
        }
        for (lane, mail) in letters {
            flows[usize::from(lane)].receive(mail, now);
        }
    }
}

impl Flow {
    fn recall(&mut self, recalled: Recalled, next: &[u64], now: Time) {
        for recalled in recalled.shards {
            let number = recalled.number;
            let index = usize::from(number);
            let shard = &mut self.keep.shards[index];
            shard.next = next[index];
            shard.next_session = recalled.next_session;
            shard.passed = recalled.passed;
            shard.passed_noted = recalled.passed;
            if recalled.is_old {
                let basis = self.basis(number);
                self.write_record(number, &basis);
            }
        }
        self.keep.again = Some(recalled.taken);
        self.retained = recalled.retained;
        self.recall_elements();
        self.values.begin(now);
        self.journeys.begin(now);
        for session in recalled.sessions {
            self.recall_session(session, now);
        }
    }

    fn recall_session(&mut self, recalled: RecalledSession, now: Time) {
        let client = self.add_client(&recalled.id);
        if !recalled.owner.is_empty() {
            self.recall_owner(client, &recalled.owner);
        }
        let there = &mut self.clients[client];
        there.number = recalled.number;
        there.session = recalled.session;
        there.expiry_s = recalled.expiry_s;
        // A clock that was set back since makes nothing last longer than it was to last.
        let away_at = recalled.away_at.unwrap_or(now);
        let left = |s: u32| {
            let left = Duration::from_secs(s.into()).saturating_sub(now.since(away_at));
            now.after(left)
        };
        there.ends_at = match recalled.expiry_s {
            u32::MAX => Time::NEVER,
            s => left(s),
        };
        self.timers.add(there.ends_at, Timer::Client(client));
        let will_at = recalled.will.as_ref().map(|will| left(will.delay_s));
        if let Some(at) = will_at {
            self.timers.add(at, Timer::Client(client));
        }
        let more: &mut More = there.more.get_or_insert_default();
        more.away_at = Some(away_at.min(now));
        more.will = recalled.will;
        more.will_at = will_at;
        if recalled.away_at.is_none() {
            self.write_away(client, now);
        }
        for Subscription {
            share,
            filter,
            wish,
        } in recalled.subscriptions
        {
            if is_secret(&filter) {
                continue; // Before format 3 nothing secret was there.
            }
            if share.is_empty() {
                let joined = self.join(&filter, Receiver::Session(client), wish);
                self.clients[client].subscriptions.insert(joined.node);
            } else {
                self.enter_share(client, &share, &filter, wish);
            }
        }
        self.share_online(client, false);
    }

    /// Who had this number in this shard.
    fn session_of(&self, shard: u8, number: SessionNumber) -> Option<ClientKey> {
        let is_it = |there: &Client| number != 0 && (there.shard, there.number) == (shard, number);
        let mut clients = self.clients.iter();
        clients.find_map(|(key, there)| is_it(there).then_some(key))
    }
}

#[cfg(test)]
mod tests {
    use quartet_fabric::routes::Wish;
    use quartet_model::Qos;

    use super::*;

    fn opened() -> Opened {
        Opened {
            session: 1,
            id: "ana".into(),
            owner: ByteString::new(),
            expiry_s: 60,
            will: None,
        }
    }

    fn subscribed() -> Record {
        Record::Subscribed {
            session: 1,
            subscription: Subscription {
                share: "".into(),
                filter: "a".into(),
                wish: Wish::default(),
            },
        }
    }

    /// How many subscriptions and waiting messages the one session has after these records.
    fn check(records: &[Record], expected: (usize, usize)) {
        let mut recall = Recall::new(1);
        for (record, seq) in records.iter().zip(1..) {
            let mut bytes = Vec::new();
            record.write(&mut bytes);
            recall.record(0, seq, &bytes).unwrap();
        }
        let lanes = recall.finish();
        let session = lanes[0].sessions().next().unwrap();
        let found = (session.subscriptions().len(), session.waiting());
        assert_eq!(found, expected, "{records:?}");
    }

    /// A session with messages that wait, said anew in several records.
    fn said_anew(messages: u64) -> Vec<Record> {
        let mut session = Session::default();
        for seq in 1..=messages {
            session.recall_queued(Place::new(2, seq), Qos::AtLeastOnce, false, &[]);
        }
        let mut parts = Vec::new();
        session.write_down(16, |part| parts.push(Bytes::copy_from_slice(part)));
        let state = parts.remove(0);
        let whole = Record::Whole(Box::new(Whole {
            opened: opened(),
            away_at: None,
            subscriptions: Vec::new(),
            has_more_subscriptions: true,
            parts: parts.len() as u32,
            state,
        }));
        let waits = parts
            .into_iter()
            .map(|part| Record::Waits { session: 1, part });
        waits.chain([whole]).collect()
    }

    #[test]
    fn a_session_that_is_said_anew_is_known_with_its_last_record_or_as_it_was() {
        let known = [Record::Opened(Box::new(opened())), subscribed()];
        let anew = said_anew(20);
        assert!(2 < anew.len());
        for end in 0..anew.len() {
            check(&[&known, &anew[..end]].concat(), (1, 0));
            // The next life says it anew, too; what the first one left belongs to nobody.
            check(
                &[&known[..], &anew[..end], &said_anew(9)[..]].concat(),
                (1, 9),
            );
        }
        check(&[&known[..], &anew[..]].concat(), (1, 20));
        check(&[&anew[..], &[subscribed()]].concat(), (1, 20));
    }
}
