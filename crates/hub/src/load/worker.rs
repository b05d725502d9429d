//! One thread of the generator: opens its connections, then sends and receives on all of
//! them until it is told to stop.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, atomic::Ordering, mpsc},
    time::Duration,
};

use mio::{Events, Poll, Token, event::Event};

use super::{
    link::{Desk, KEEP_ALIVE_S, Link, LinkError, Role, Stage, Turn},
    pace::{Beats, Pace},
    plan::{Part, Plan},
    publisher::Publisher,
    records::{Board, Records, Span},
    socket::Target,
    stamp::STAMP_BYTES,
    tally::Tally,
    timer::Timer,
};
use crate::client::clock::Clock;

const TIMER: Token = Token(usize::MAX - 1);

/// The poll returns at least this often, to see whether the conductor wants something.
const LOOK_UP: Duration = Duration::from_millis(10);

/// Beats that are closer together than this are sent together. It only delays, and what it
/// delays is counted as latency.
const BEAT_NS_MIN: u64 = 50_000;

/// Bytes that are read at a time, at least.
const BUFFER_BYTES: usize = 256 * 1024;

/// All connections are asked in turn, once in this time, whether they were silent.
const SWEEP_NS: u64 = KEEP_ALIVE_S as u64 * 1_000_000_000 / 3;

/// What a thread brings home.
pub(super) struct Outcome {
    pub(super) records: Records,
    /// Messages that were due but could not be sent in time.
    pub(super) unsent: u64,
    /// How many messages each publisher sent.
    pub(super) sent: Vec<(u32, u64)>,
    /// What arrived of whom, at each subscriber.
    pub(super) routes: Vec<Route>,
}

/// A publisher at a subscriber.
pub(super) struct Route {
    pub(super) publisher: u32,
    /// Different messages that arrived.
    pub(super) arrived: u64,
    /// The number after the highest that arrived.
    pub(super) next: u64,
}

/// What a thread needs to begin.
#[derive(Clone)]
pub(super) struct Start {
    pub(super) plan: Arc<Plan>,
    pub(super) target: Target,
    /// Makes client identifiers and topics those of this run alone.
    pub(super) run: String,
    pub(super) clock: Clock,
    pub(super) board: Arc<Board>,
    /// For what keeps a connection from coming about.
    pub(super) failures: mpsc::Sender<String>,
    /// Which thread this is.
    pub(super) number: usize,
}

/// A thread of the generator.
pub(super) struct Worker {
    start: Start,
    poll: Poll,
    timer: Timer,
    links: Vec<Link>,
    /// The links of this thread's publishers, in their order.
    publishers: Vec<usize>,
    desk: Desk,
    /// Links that have something to do.
    queue: VecDeque<usize>,
    not_opened: usize,
    opening: usize,
    ready: u64,
    beats: Option<Beats>,
    pace: Option<Pace>,
    is_over: bool,
    unsent: u64,
    swept: usize,
    swept_ns: u64,
}

impl Worker {
    pub(super) fn new(start: Start) -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = Timer::new(poll.registry(), TIMER)?;
        let plan = &start.plan;
        let mut links = Vec::new();
        let mut publishers = Vec::new();
        for part in plan.scenario.parts() {
            let (Part::Publisher(number) | Part::Subscriber(number) | Part::Idle(number)) = part;
            if number as usize % plan.threads == start.number {
                if let Part::Publisher(_) = part {
                    publishers.push(links.len());
                }
                links.push(new_link(part, plan, &start.run));
            }
        }
        let payload_bytes = plan.payload_bytes.max(STAMP_BYTES);
        let desk = Desk {
            clock: start.clock,
            version: plan.version,
            span: Span::default(),
            // Any frame fits, together with the part of it that was there already.
            buffer: vec![0; BUFFER_BYTES.max(2 * (payload_bytes + 1024))],
            filler: vec![b'.'; payload_bytes],
            records: Records::default(),
        };
        Ok(Self {
            poll,
            timer,
            links,
            publishers,
            desk,
            queue: VecDeque::new(),
            not_opened: 0,
            opening: 0,
            ready: 0,
            beats: Beats::new(
                start.number as u32,
                plan.threads as u32,
                plan.scenario.publishers(),
            ),
            pace: None,
            is_over: false,
            unsent: 0,
            swept: 0,
            swept_ns: 0,
            start,
        })
    }

    /// Works until the conductor says stop.
    pub(super) fn run(mut self) -> io::Result<Outcome> {
        let mut events = Events::with_capacity(1024);
        while !self.start.board.stop.load(Ordering::Relaxed) {
            self.open_more();
            let wait = if self.queue.is_empty() {
                LOOK_UP
            } else {
                Duration::ZERO
            };
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                if event.token() != TIMER {
                    self.on_event(event);
                }
            }
            self.keep_alive();
            self.beat()?;
            self.take_turns();
            self.tell();
        }
        Ok(self.finish())
    }

    fn open_more(&mut self) {
        while self.opening < self.start.plan.parallel && self.not_opened < self.links.len() {
            let at = self.not_opened;
            self.not_opened += 1;
            self.opening += 1;
            let registry = self.poll.registry();
            let link = &mut self.links[at];
            let result = link.open(&self.start.target, Token(at), registry, self.start.clock);
            if let Err(LinkError::Io(error)) = &result
                && error.kind() == io::ErrorKind::WouldBlock
            {
                // A Unix socket whose queue is full says so at once: it is tried again.
                self.not_opened -= 1;
                self.opening -= 1;
                return;
            }
            self.judge(at, result.map(|()| Turn::Wait));
        }
    }

    fn on_event(&mut self, event: &Event) {
        let at = event.token().0;
        let Self {
            links, start, desk, ..
        } = self;
        let link = &mut links[at];
        if link.stage == Stage::Ended {
            return;
        }
        let was_ready = link.stage == Stage::Ready;
        let mut result = Ok(Turn::Wait);
        if event.is_writable() || event.is_error() {
            result = link.on_writable(&start.plan).map(|()| Turn::Again);
        }
        if result.is_ok() && (event.is_readable() || event.is_read_closed()) {
            let read = link.read(event.is_read_closed(), &start.plan, desk);
            // An acknowledgement may have made room for the next message.
            let publishes = matches!(link.role, Role::Publisher(_));
            result = read.map(|turn| if publishes { Turn::Again } else { turn });
        }
        if !was_ready && link.stage == Stage::Ready {
            self.opening -= 1;
            self.ready += 1;
        }
        self.judge(at, result);
    }

    /// Puts a link into the queue or to rest, as the result demands.
    fn judge(&mut self, at: usize, result: Result<Turn, LinkError>) {
        match result {
            Ok(Turn::Wait) => {}
            Ok(Turn::Again) => self.enqueue(at),
            Err(error) => self.on_broken(at, &error),
        }
    }

    fn enqueue(&mut self, at: usize) {
        let link = &mut self.links[at];
        if link.stage == Stage::Ready && !link.is_queued {
            link.is_queued = true;
            self.queue.push_back(at);
        }
    }

    fn on_broken(&mut self, at: usize, error: &LinkError) {
        let link = &mut self.links[at];
        let was_ready = link.stage == Stage::Ready;
        link.end();
        if was_ready {
            let records = &mut self.desk.records;
            records.broken += 1;
            records
                .first_break
                .get_or_insert_with(|| format!("{}: {error}", link.client_id));
        } else {
            self.opening -= 1;
            // The conductor hears the first and ends the run; nobody hears the rest.
            let _ = self
                .start
                .failures
                .send(format!("client {}: {error}", link.client_id));
        }
    }

    /// Marks what is due by now, and sets the timer for the next beat.
    fn beat(&mut self) -> io::Result<()> {
        if self.is_over {
            return Ok(());
        }
        let Some(pace) = self.pace.or_else(|| self.begin()) else {
            return Ok(());
        };
        let now_ns = self.start.clock.ns();
        let until_ns = now_ns.min(pace.end_ns - 1);
        if pace.is_flat_out() {
            if pace.start_ns <= now_ns && now_ns < pace.end_ns {
                self.set_due_without_end();
            }
        } else if let Some(mut beats) = self.beats {
            while beats.next_ns(&pace) <= until_ns {
                let number = beats.take(&pace) as usize;
                let at = self.publishers[number / self.start.plan.threads];
                if let Role::Publisher(publisher) = &mut self.links[at].role {
                    publisher.due += 1;
                }
                self.enqueue(at);
            }
            self.beats = Some(beats);
            let next_ns = beats.next_ns(&pace);
            if next_ns < pace.end_ns {
                let next_ns = next_ns.max(now_ns + BEAT_NS_MIN);
                self.timer.set(next_ns, self.start.clock)?;
            }
        }
        if pace.end_ns <= now_ns {
            self.end_publishing();
        }
        Ok(())
    }

    /// Lays down the beat as soon as the conductor says when it starts.
    fn begin(&mut self) -> Option<Pace> {
        let start_ns = self.start.board.start_ns.load(Ordering::Acquire);
        if start_ns == 0 {
            return None;
        }
        let plan = &self.start.plan;
        let from_ns = start_ns + plan.warmup.as_nanos() as u64;
        let end_ns = from_ns + plan.duration.as_nanos() as u64;
        self.desk.span = Span {
            from_ns,
            until_ns: end_ns,
        };
        self.pace = Some(Pace {
            start_ns,
            end_ns,
            publishers: u64::from(plan.scenario.publishers()),
            rate_per_s: plan.rate_per_s,
        });
        self.pace
    }

    fn set_due_without_end(&mut self) {
        for i in 0..self.publishers.len() {
            let at = self.publishers[i];
            if let Role::Publisher(publisher) = &mut self.links[at].role
                && publisher.due == 0
            {
                publisher.due = u64::MAX;
                self.enqueue(at);
            }
        }
    }

    /// The time is up: what is due has one more turn, and what could not be sent stays unsent.
    fn end_publishing(&mut self) {
        let is_flat_out = self.pace.is_some_and(|pace| pace.is_flat_out());
        if !is_flat_out {
            self.take_turns();
        }
        for &at in &self.publishers {
            if let Role::Publisher(publisher) = &mut self.links[at].role {
                if !is_flat_out {
                    self.unsent += publisher.due - publisher.next;
                }
                publisher.due = publisher.next;
            }
        }
        self.is_over = true;
    }

    /// Every link in the queue has one turn.
    fn take_turns(&mut self) {
        for _ in 0..self.queue.len() {
            let Some(at) = self.queue.pop_front() else {
                return;
            };
            let link = &mut self.links[at];
            link.is_queued = false;
            let mut result = link.read_rest(&self.start.plan, &mut self.desk);
            if let (Ok(Turn::Wait), Some(pace)) = (&result, &self.pace) {
                result = link.publish(pace, &mut self.desk);
            }
            self.judge(at, result);
        }
    }

    /// Asks a few links whether they were silent, so that all have been asked in time.
    fn keep_alive(&mut self) {
        let now_ns = self.start.clock.ns();
        let count = self.links.len() as u64;
        let asked = (now_ns - self.swept_ns) * count / SWEEP_NS;
        if asked == 0 {
            return;
        }
        self.swept_ns = now_ns;
        for _ in 0..asked.min(count) {
            self.swept = (self.swept + 1) % self.links.len();
            let at = self.swept;
            let result = self.links[at].keep_alive();
            self.judge(at, result.map(|()| Turn::Wait));
        }
    }

    fn tell(&self) {
        let gauge = &self.start.board.gauges[self.start.number];
        let records = &self.desk.records;
        gauge.ready.store(self.ready, Ordering::Relaxed);
        gauge.sent.store(records.sent, Ordering::Relaxed);
        gauge.settled.store(records.settled, Ordering::Relaxed);
        gauge.delivered.store(records.delivered, Ordering::Relaxed);
        if self.is_over && !gauge.is_done.load(Ordering::Relaxed) {
            let settled = self
                .publishers
                .iter()
                .all(|&at| self.links[at].is_settled());
            gauge.is_done.store(settled, Ordering::Release);
        }
    }

    fn finish(mut self) -> Outcome {
        let mut sent = Vec::new();
        let mut routes = Vec::new();
        for link in &mut self.links {
            let unwritten = link.unwritten(self.desk.version);
            match &link.role {
                Role::Publisher(publisher) => {
                    let written = publisher.next - unwritten.min(publisher.next);
                    self.unsent += publisher.next - written;
                    sent.push((publisher.number, written));
                }
                Role::Subscriber { heard, tallies } => {
                    let tallies = tallies.iter().enumerate();
                    routes.extend(tallies.map(|(place, tally)| Route {
                        publisher: heard.publisher(place),
                        arrived: tally.arrived,
                        next: tally.next,
                    }));
                }
                Role::Idle => {}
            }
            link.close();
        }
        Outcome {
            records: self.desk.records,
            unsent: self.unsent,
            sent,
            routes,
        }
    }
}

fn new_link(part: Part, plan: &Plan, run: &str) -> Link {
    let scenario = plan.scenario;
    let prefix = format!("quartet-bench/{run}/");
    let filters = scenario.filters(part).into_iter();
    let filters = filters.map(|filter| format!("{prefix}{filter}")).collect();
    let (letter, number, role) = match part {
        Part::Idle(number) => ('c', number, Role::Idle),
        Part::Subscriber(number) => {
            let heard = scenario.heard(number);
            let tallies = vec![Tally::default(); heard.count as usize];
            ('s', number, Role::Subscriber { heard, tallies })
        }
        Part::Publisher(number) => {
            let publisher = Publisher::new(
                number,
                &format!("{prefix}{}", scenario.topic(number)),
                plan.payload_bytes,
                plan.publish_qos,
                plan.inflight,
                plan.version,
            );
            ('p', number, Role::Publisher(Box::new(publisher)))
        }
    };
    // At most 23 letters and digits: every broker must take these [MQTT-3.1.3-5].
    Link::new(format!("qb{run}{letter}{number}"), filters, role)
}
