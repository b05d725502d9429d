//! The one path, pure: what happens to an event, from the bytes it came in to the bytes it
//! leaves in. Start reading at [`Flow::follow`].
//!
//! A [`Flow`] is everything that one lane knows. Bytes, time and mail of other lanes go in;
//! bytes for connections and mail for other lanes come out, as values that the shell takes.
//! No socket, no clock, no lock: several flows and a list of mail are a whole hub in a test.

mod admit; // who comes in with a credential
mod authenticate; // more than one step to come in
mod clock; // the clock starts flows
mod conn; // one connection: bytes to packets
mod connect; // CONNECT: who comes in, to which session
mod deliver; // from an event to those who receive it
mod dialects; // devices that speak topics of their own
mod elements; // the elements as receivers; this computer
mod figures; // what was counted
mod homeassistant; // things made known to Home Assistant
mod journeys; // what led to what lately
mod judge; // what waited for elements and is void by now
pub mod keep; // what is written down, and what waits until it is safe
mod leave; // how connections and sessions end; wills
mod mail; // what lanes say to each other
mod may; // who may do what
mod note; // what the audit is told as it happens
mod plans; // pictures of floor plans
mod processes; // what an event starts
mod publish; // PUBLISH: from a packet to an event
mod relations; // who is related to what, and what that allows
mod rules; // for devices that announce nothing
mod scan; // retained messages for a new subscription, in steps
mod sight; // what one receiver may see
mod signals; // what elements report becomes edges
mod sound; // what holds at any moment
mod sparkplug; // the host of nodes that speak Sparkplug B, and what is kept of their births
mod stream; // subscriptions of the HTTP API
mod subscribe; // SUBSCRIBE and UNSUBSCRIBE
mod timers; // what to do when
mod unmapped; // messages that are of no element
mod values; // what elements reported lately

use std::collections::HashMap;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use quartet_fabric::{
    mqtt::{Frames, Note, SessionLimits, Terms},
    retained::Retained,
    routes::{Lane, Matches, Routes},
};
use quartet_model::{Event, EventId, Time};
use quartet_people::audit::Entry;
use quartet_things::Reach;
use slotmap::SlotMap;

pub use admit::element_of_name;
pub use authenticate::{Authenticate, Exchange, NoMethods, Step};
pub use clock::clock_topic;
use conn::Client;
pub use conn::{Conn, ConnKey, Peer, Read};
use deliver::Carried;
pub(crate) use elements::IDEMPOTENCY_KEY;
pub use figures::Figures;
pub use journeys::{Fact, Ran};
use keep::{Keep, Origin, Waiting, record::Via};
pub use leave::Why;
pub use mail::Mail;
pub use may::Who;
pub use plans::plan_image;
pub use publish::who;
pub use rules::{RULES_LANE, rule_at, rule_topic};
use scan::Scan;
pub use sight::ElementSeen;
use stream::Stream;
pub use stream::StreamKey;
use timers::Timers;
pub use unmapped::Seen;

use crate::config::Limits;

slotmap::new_key_type! {
    /// A client's session on its home lane.
    pub struct ClientKey;
}

/// Whoever asked for a topic. Elements need not ask: they live where their topics are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Receiver {
    /// An MQTT session.
    Session(ClientKey),
    /// A subscription of the HTTP API.
    Stream(StreamKey),
    /// Elements of this lane that speak at topics of their own.
    Elements,
    /// Dialects, to which devices announce themselves.
    Dialects,
    /// Who looks after those that came in with credentials.
    Door,
}

/// What a flow is made with.
pub struct Setup {
    /// Its own number.
    pub lane: Lane,
    /// How many there are.
    pub lanes: usize,
    /// Makes hashes and assigned names unpredictable; the shell draws it.
    pub seed: u64,
    /// What clients may use up.
    pub limits: Limits,
    /// The methods of enhanced authentication.
    pub authenticate: Box<dyn Authenticate>,
    /// Whether Home Assistant is told of the things here.
    pub tells_home_assistant: bool,
    /// Whether everything is open to everybody on this machine.
    pub is_open: bool,
}

/// Everything that one lane knows.
pub struct Flow {
    lane: Lane,
    lanes: usize,
    seed: u64,
    serial: u32,
    limits: Limits,
    authenticate: Box<dyn Authenticate>,
    conns: SlotMap<ConnKey, Conn>,
    clients: SlotMap<ClientKey, Client>,
    by_id: HashTable<ClientKey>,
    hasher: FixedState,
    routes: Routes<Receiver>,
    retained: Retained,
    sweep: Option<quartet_fabric::retained::Cursor>,
    scans: Vec<Scan>,
    scans_begun: u64,
    streams: SlotMap<StreamKey, Stream>,
    elements: quartet_things::Elements,
    judging: judge::Judging,
    dialects: dialects::Heard,
    rules: rules::Rules,
    unmapped: unmapped::Unmapped,
    hosting: sparkplug::Hosting,
    home_assistant: homeassistant::Told,
    held: admit::Held,
    known: relations::Known,
    processes: processes::Processes,
    signals: quartet_process::signals::Signals,
    clocks: clock::Clocks,
    values: quartet_data::Head,
    journeys: journeys::Journeys,
    timers: Timers,
    /// Topics with messages on their way to the topic's home lane: what follows at the same
    /// topic must go the same way, or it would overtake them.
    sequenced: HashMap<u64, u32>,
    /// The machine's memory is used up: nothing new is taken on.
    is_full: bool,
    keep: Keep,
    /// Messages taken and passed on since the turn began.
    work: usize,
    figures: Figures,
    out: Out,
    matches: Matches<Receiver>,
    frames: Frames,
    notes: Vec<Note>,
}

/// What the shell is to do.
#[derive(Default)]
pub struct Out {
    /// Connections with something to write.
    pub dirty: Vec<ConnKey>,
    /// Connections to close once what waits is written.
    pub closed: Vec<(ConnKey, Why)>,
    /// Connections not to be read before that time, or before they are in `resumed`.
    pub paused: Vec<(ConnKey, Time)>,
    /// Connections that go on with what they said, and are read again.
    pub resumed: Vec<ConnKey>,
    /// Mail for other lanes.
    pub mail: Vec<(Lane, Mail)>,
    /// The same, to be posted once all of `mail` is in the letter boxes of all lanes: what
    /// others make of it must not overtake what was said before [MQTT-4.6.0-5] [MQTT-4.6.0-6].
    pub mail_last: Vec<(Lane, Mail)>,
    /// Events for streams of the API.
    pub streams: Vec<(StreamKey, std::sync::Arc<Event>)>,
    /// What the audit is to be told.
    pub noted: Vec<Entry>,
    /// So often more was refused than is noted in one turn.
    pub noted_more: u64,
}

impl Out {
    /// Whether there is mail to post.
    pub fn has_mail(&self) -> bool {
        !self.mail.is_empty() || !self.mail_last.is_empty()
    }
}

impl Flow {
    /// A lane that knows nobody yet.
    pub fn new(setup: Setup) -> Self {
        let Setup {
            lane,
            lanes,
            seed,
            limits,
            authenticate,
            tells_home_assistant,
            is_open,
        } = setup;
        Self {
            lane,
            lanes,
            seed,
            serial: 0,
            limits,
            authenticate,
            conns: SlotMap::with_key(),
            clients: SlotMap::with_key(),
            by_id: HashTable::new(),
            hasher: FixedState::with_seed(seed),
            routes: Routes::new(seed),
            retained: Retained::default(),
            sweep: None,
            scans: Vec::new(),
            scans_begun: 0,
            streams: SlotMap::with_key(),
            elements: quartet_things::Elements::default(),
            judging: judge::Judging::default(),
            dialects: dialects::Heard::default(),
            rules: rules::Rules::default(),
            unmapped: unmapped::Unmapped::default(),
            hosting: sparkplug::Hosting::default(),
            home_assistant: homeassistant::Told::new(tells_home_assistant),
            held: admit::Held::default(),
            known: relations::Known::new(seed),
            processes: processes::Processes::new(is_open),
            signals: quartet_process::signals::Signals::default(),
            clocks: clock::Clocks::default(),
            values: quartet_data::Head::new(values::share(&limits, lanes), seed),
            journeys: journeys::Journeys::new(lanes),
            timers: Timers::default(),
            sequenced: HashMap::new(),
            is_full: false,
            keep: Keep::new(),
            work: 0,
            figures: Figures::default(),
            out: Out::default(),
            matches: Matches::default(),
            frames: Frames::default(),
            notes: Vec::new(),
        }
    }

    /// Takes one event through the hub: to the lane that keeps its topic if it is to be kept,
    /// to everyone who asked for it, and to the other lanes that have such receivers. Says
    /// whether anybody gets it.
    ///
    /// Whoever hands in an event has asked [`may`] before.
    pub fn follow(&mut self, event: &Event, now: Time) -> bool {
        self.follow_from(Carried::passing(event), Origin::Here, now)
    }

    /// The same, for an event that another lane handed over to be passed on in turn.
    fn follow_from(&mut self, event: Carried<'_>, origin: Origin, now: Time) -> bool {
        let anybody = self.follow_one(event, origin, now);
        self.follow_flows(now);
        anybody
    }

    fn follow_one(&mut self, event: Carried<'_>, origin: Origin, now: Time) -> bool {
        let step = self.begin_step(event.place, origin);
        if matches!(origin, Origin::Here) {
            self.look_at_unmapped(event);
        }
        if self.sequence_elsewhere(event, step) {
            return true;
        }
        if self.step_element(event, now) == Reach::Element {
            if step != 0 {
                self.wait(Waiting::Passed(step), now);
            }
            return true;
        }
        if event.retain {
            // [MQTT-3.3.1-8]
            self.retain(&event);
        }
        self.step_plan(event, now);
        self.step_signals(&event, now);
        self.start_flows(event, step, now);
        let mut matches = std::mem::take(&mut self.matches);
        self.routes.receivers(&event.topic, &mut matches);
        self.deliver(event, &matches, Via::Route, now);
        self.pass_to_lanes(event, &matches, step);
        self.deliver_chosen(event, &matches, step, now);
        let anybody = !matches.is_empty();
        self.work += 1 + matches.own.len();
        self.matches = matches;
        if step != 0 {
            self.wait(Waiting::Passed(step), now);
        }
        anybody
    }

    /// A new turn of the lane begins.
    pub fn begin_turn(&mut self) {
        self.work = 0;
    }

    /// Whether the lane has done enough in this turn: what was passed on must be written, and
    /// others must have their turn. About 5 ms of work.
    pub fn is_tired(&self) -> bool {
        const WORK_MAX: usize = 32 * 1024;
        WORK_MAX <= self.work
    }

    /// Whether nothing more is to be read until more of what was written down is safe.
    pub fn awaits_journal(&self) -> bool {
        self.keep.is_behind()
    }

    /// What the shell is to do; it takes everything out before it calls again.
    pub fn out(&mut self) -> &mut Out {
        &mut self.out
    }

    /// When the flow wants to be woken, if nothing happens before.
    pub fn wake_at(&self) -> Time {
        if !self.dialects.is_begun() {
            return Time::ZERO;
        }
        let timers = self.timers.next().min(self.keep.wake_at());
        let others = self.home_assistant.wake_at();
        let others = others.min(self.dialects.host.wake_at());
        let others = others.min(self.elements.look_at());
        let others = others.min(self.known.shares_until);
        let others = others.min(self.processes.wake_at());
        let others = others.min(self.signals.wake_at());
        let others = others.min(self.clocks.wake_at());
        timers.min(self.elements.wake_at()).min(others)
    }

    /// Does what is due.
    pub fn wake(&mut self, now: Time) {
        while let Some(timer) = self.timers.due(now) {
            self.fire(timer, now);
        }
        if self.known.shares_until <= now {
            self.look_at_shares(now);
        }
        self.begin_dialects(now);
        self.wake_elements(now);
        self.look_at_positions(now);
        self.wake_signals(now);
        self.wake_clocks(now);
        self.wake_processes(now);
        self.wake_host(now);
        self.go_on_telling(now);
        self.note_passed(now);
        self.sweep = self.retained.sweep(self.sweep.take(), 256, now);
    }

    /// What was counted so far.
    pub fn figures(&self) -> Figures {
        let (waiting, journal_bytes) = self.keep.figures();
        let values = self.values.figures();
        Figures {
            connections: self.conns.len() as u64,
            sessions: self.clients.len() as u64,
            subscriptions: self.routes.len() as u64,
            routes_bytes: self.routes.memory_bytes() as u64,
            retained: self.retained.len() as u64,
            retained_bytes: self.retained.bytes() as u64,
            waiting,
            journal_bytes,
            series: values.series,
            series_points: values.points,
            series_bytes: values.bytes,
            series_let_go: values.let_go,
            ..self.figures
        }
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// New limits take effect for what happens from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.values
            .set_bytes_max(values::share(&limits, self.lanes));
    }

    /// Whether the memory is used up, so that nothing new is taken on.
    pub fn set_full(&mut self, is_full: bool) {
        self.is_full = is_full;
    }

    /// The next event's identity.
    fn next_id(&mut self, now: Time) -> EventId {
        self.serial = (self.serial + 1) & 0x00FF_FFFF;
        EventId {
            at: now,
            serial: u32::from(self.lane) << 24 | self.serial,
        }
    }

    fn session_limits(&self) -> SessionLimits {
        SessionLimits {
            inflight_max: self.limits.inflight_max,
            queue_messages_max: self.limits.queue_messages_max,
            queue_bytes_max: self.limits.queue_bytes_max,
            outbox_bytes_max: self.limits.outbox_bytes_max,
        }
    }

    fn terms(&self) -> Terms {
        Terms {
            receive_maximum: self.limits.receive_maximum,
            packet_bytes_max: self.limits.packet_bytes_max,
            topic_alias_maximum: self.limits.topic_alias_max,
            topic_alias_own_max: self.limits.topic_alias_max,
            keep_alive_s_max: self.limits.keep_alive_s_max,
            session_expiry_s_max: self.limits.session_expiry_s_max,
        }
    }
}

/// The lane where a client's session lives: the one that has its shard.
pub fn home_of_client(id: &str, lanes: usize) -> Lane {
    (usize::from(keep::shard_of_client(id)) % lanes) as Lane
}

/// The lane where a topic is kept, and the element that it belongs to lives.
pub fn home_of_topic(topic: &str, lanes: usize) -> Lane {
    (usize::from(keep::shard_of_topic(topic)) % lanes) as Lane
}

fn fnv(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
