//! What is told exactly once, however often the hub is killed: edges of signals of each kind, and
//! what fast flows do because of messages that the hub took.
//!
//! A message that was acknowledged was taken. One at QoS 1 whose acknowledgement did not come before
//! the hub died is said again, and may have been taken twice: then it is two events, as for MQTT. So
//! a flow notes each event that was taken, with its id and its time; what follows of each is there
//! exactly once, and edges are exactly those that the pure signals make of these events at these
//! times; what the end of a `for` brings about may come before a reading that was not safe by then. What was said at QoS 2 is one event, however often the hub died.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use quartet_model::{EventId, Qos, Time};
use quartet_process::{
    names,
    signal::{ENDED, Heard, Turns},
    signals::{self, Signals, Site},
};
use serde_json::{Map, Value};

use crate::support::{Chance, Hub, Listener, PATIENCE, Teller, Told, until};

const LISTENERS: [&str; 2] = ["mqtt://127.0.0.1:0", "http://127.0.0.1:0"];

/// A hub on which everybody may do everything, with so many lanes.
fn hub(lanes: usize) -> Hub {
    Hub::configured(&format!("lanes = {lanes}\n"), &LISTENERS)
}

#[track_caller]
fn post(hub: &Hub, path: &str, text: &str) {
    let answer = hub.ask(&format!("POST {path}"), &[], text);
    assert!(
        matches!(answer.status, 200 | 201),
        "{}: {text}",
        answer.body
    );
}

/// A fast flow `test.{name}`.
fn deploy(hub: &Hub, name: &str, metadata: &str, on: &str, tasks: &str) {
    let text = format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0', metadata: {{ run: fast{metadata} }} }}\n\
         schedule: {{ on: {on} }}\n\
         do:\n{tasks}"
    );
    post(hub, "/api/flows", &text);
}

/// A task that says at `topic` what an expression gives.
fn say(topic: &str, expression: &str) -> String {
    format!(
        "  - say: {{ emit: {{ event: {{ with: {{ type: test.said, topic: {topic}, data: '${{ {expression} }}' }} }} }} }}\n"
    )
}

/// Who tells the hub something, in which order.
struct Actor {
    teller: Teller,
    /// Topic and payload, and how long it waits before it says that.
    story: Vec<(String, String, Duration)>,
    /// It has as many messages on their way.
    window: u64,
    chance: Chance,
}

impl Actor {
    /// Tells until all is told or the hub dies.
    fn live(&mut self, hub: std::net::SocketAddr, taken: &AtomicUsize) -> Option<()> {
        let mut line = self.teller.come(hub)?;
        loop {
            let window = 1 + self.chance.below(self.window) as usize;
            match self.story.get(self.teller.times.len()) {
                Some((topic, payload, pause)) if self.teller.open() < window => {
                    thread::park_timeout(*pause); // A part of the story: sensors are slow.
                    self.teller.say(&mut line, topic, payload)?;
                }
                None if self.teller.open() == 0 => return Some(()),
                _ => {
                    self.teller.hear(&mut line)?;
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Lets all of them tell their stories, while the hub dies again and again: when so much more was
/// taken, and perhaps while it starts. `witness` is there all the time. Says how often it died.
fn torment(
    hub: &mut Hub,
    chance: &mut Chance,
    actors: &mut [Actor],
    most: u64,
    witness: &mut Witness,
) -> usize {
    let taken = AtomicUsize::new(0);
    for deaths in 1.. {
        let at = hub.at("mqtt://");
        let goal = taken.load(Ordering::Relaxed) + chance.below(most) as usize;
        let later = Duration::from_micros(chance.below(8_000));
        let is_over = thread::scope(|scope| {
            scope.spawn(|| witness.listen(at));
            let actors = actors.iter_mut();
            let tellers: Vec<_> = actors
                .map(|actor| scope.spawn(|| actor.live(at, &taken)))
                .collect();
            let deadline = Instant::now() + PATIENCE;
            while taken.load(Ordering::Relaxed) < goal
                && !tellers.iter().all(|teller| teller.is_finished())
            {
                assert!(Instant::now() < deadline, "nothing is taken any more");
                thread::park_timeout(Duration::from_millis(1));
            }
            thread::park_timeout(later); // This is when it dies.
            match chance.once_in(3) {
                true => hub.die_twice_and_begin_again(Duration::from_millis(chance.below(250))),
                false => hub.die_and_begin_again(),
            }
            let told = tellers.into_iter().map(|teller| teller.join());
            let told: Vec<_> = told.map(|told| told.expect("it tells")).collect();
            told.iter().all(Option::is_some)
        });
        if is_over {
            return deaths;
        }
    }
    unreachable!("it returns when all is told")
}

/// Who hears all that is told, and was there whenever the hub was.
struct Witness {
    listener: Listener,
    heard: Vec<Told>,
}

impl Witness {
    fn new(hub: &Hub, filters: &[&str]) -> Self {
        Self {
            listener: Listener::open(hub.at("mqtt://"), "witness", filters),
            heard: Vec::new(),
        }
    }

    /// Listens until the hub dies.
    fn listen(&mut self, at: std::net::SocketAddr) {
        if self.listener.come(at).is_some() {
            while let Some(told) = self.listener.next() {
                self.heard.push(told);
            }
        }
    }

    /// Comes back to a hub that does not die any more, and listens until all is as it must be; then
    /// the hub dies once more, and all is still so, or becomes so again: what a message that was taken
    /// twice leads to may have been on its way.
    fn hear_all(&mut self, hub: &mut Hub, is_all: impl Fn(&[Told]) -> Result<(), String>) {
        self.hear_until(hub, &is_all);
        hub.die_and_begin_again();
        self.hear_until(hub, &is_all);
    }

    fn hear_until(&mut self, hub: &Hub, is_all: impl Fn(&[Told]) -> Result<(), String>) {
        self.listener.come(hub.at("mqtt://")).expect("it is up");
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.heard.extend(self.listener.until_now());
            match is_all(&self.heard) {
                Ok(()) => break,
                Err(why) => assert!(Instant::now() < deadline, "{why}"),
            }
            thread::park_timeout(Duration::from_millis(20)); // The hub cannot wake us.
        }
    }
}

// --- Signals ---

/// Signals of each kind; their names begin with `s-`.
const SIGNALS: &str = "\
signals:
  s-above:    { of: room-*, property: t, above: 50, clear: 40 }
  s-warm:     { of: room-*, property: t, above: 50, clear: 40, for: PT0.8S, when: .v > 2 }
  s-below:    { of: room-*, property: t, below: 40, for: PT0.3S }
  s-outside:  { of: room-*, property: t, outside: [20, 80], clear: 8, data: { t: .t, v: .v } }
  s-changed:  { of: room-*, changed: v }
  s-silent:   { of: room-*, absent: v, for: PT0.7S }
  s-quiet:    { of: room-*, absent: knock, for: PT1S }
  s-rate:     { of: room-*, rate: { of: t, above: 500, below: -2000, per: PT1S } }
  s-knocks:   { of: room-*, count: { of: knock, atLeast: 3, within: PT1S, where: . > 1 } }
  s-often:    { of: room-*, count: { of: v, atLeast: 4, within: PT0.5S } }
  s-sequence: { of: room-*, sequence: [ .t > 60, .v < 2, .t < 40 ], within: PT2S }
  s-inside:   { of: room-*, inside: places/yard }
  s-left:     { of: room-*, notInside: places/yard, for: PT0.5S }
  s-expr:     { of: room-*, expr: .t > .v * 12 }
  s-after:    { of: room-*, property: v, above: 3, after: s-above }
";

const ROOMS: usize = 6;
const READINGS: usize = 70;

/// What rooms report, by chance.
fn readings(room: usize, chance: &mut Chance) -> Vec<(String, String, Duration)> {
    let one = |chance: &mut Chance| {
        let (what, payload) = match chance.below(10) {
            0..4 => {
                let t = *chance.one_of(&[10, 15, 30, 45, 55, 62, 75, 90]);
                ("properties/t", t.to_string())
            }
            4..7 => ("properties/v", chance.below(7).to_string()),
            7 | 8 => ("events/knock", chance.below(6).to_string()),
            _ => {
                let places = match chance.once_in(2) {
                    true => "[{\"place\":\"places/yard\"}]",
                    false => "[{\"place\":\"places/street\"}]",
                };
                ("properties/inside", places.to_owned())
            }
        };
        let pause_ms = match chance.once_in(14) {
            true => 100 + chance.below(1_600),
            false => chance.below(5),
        };
        let pause = Duration::from_millis(pause_ms);
        (format!("{}/{what}", self::room(room)), payload, pause)
    };
    (0..READINGS).map(|_| one(chance)).collect()
}

/// An event that a flow noted.
#[derive(Clone, Debug)]
struct Noted {
    id: EventId,
    /// When the hub followed it, which it does when it is safe.
    followed: Time,
    /// The key of the element that it is about.
    key: String,
    data: Value,
    /// The number that its teller gave it.
    n: Option<usize>,
    kind: String,
    since: String,
}

/// When a flow ran that says something.
fn run_of(told: &Told) -> Time {
    let run = told.says("id").rsplit_once('-').expect("a part of a run").0;
    run.parse::<EventId>().expect("an id").at
}

/// What flows noted at a topic, each event once.
fn noted(heard: &[Told], topic: &str) -> Result<Vec<Noted>, String> {
    let heard = heard.iter().filter(|told| told.topic == topic);
    let mut noted: Vec<Noted> = heard
        .map(|told| {
            let mut note: Value = serde_json::from_str(&told.payload).expect("JSON");
            let text = |name: &str| note[name].as_str().unwrap_or_default().to_owned();
            Noted {
                id: text("id").parse().expect("an id"),
                followed: run_of(told),
                key: names::key_of(&text("subject")).expect("an element"),
                n: text("n").parse().ok(),
                kind: text("type"),
                since: text("since"),
                data: note["data"].take(),
            }
        })
        .collect();
    noted.sort_by_key(|note| note.id);
    let twice = noted.windows(2).find(|pair| pair[0].id == pair[1].id);
    match twice {
        Some(pair) => Err(format!("a flow ran twice because of {:?}", pair[0])),
        None => Ok(noted),
    }
}

/// What is known of elements when something is heard of them.
#[derive(Default)]
struct Known(BTreeMap<(String, String), Value>);

impl Site for Known {
    fn property(&self, key: &str, name: &str) -> Option<Value> {
        self.0.get(&(key.to_owned(), name.to_owned())).cloned()
    }

    fn all(&self, _: &str) -> Map<String, Value> {
        unreachable!("each signal names what it looks at")
    }

    fn is_of_type(&self, _: &str, _: &str) -> bool {
        false
    }

    fn is_in(&self, _: &str, _: &str) -> (bool, Time) {
        (false, Time::NEVER)
    }

    fn now(&self) -> Time {
        Time::ZERO
    }

    fn version(&self) -> u64 {
        0
    }
}

/// Edges as type and time, by element and signal, in the order in which they were told.
type Edges = BTreeMap<(String, String), Vec<(String, String)>>;

fn signal_of(kind: &str) -> String {
    kind.strip_suffix(ENDED).unwrap_or(kind).to_owned()
}

/// The edges of all signals at all elements that follow of what was heard.
///
/// A reading is heard when it is safe; what its time alone brings about until then may have come first
/// or not, which shows in what was `told`.
fn expected(noted: &[Noted], told: &Edges) -> Edges {
    let (defined, _) = signals::read(SIGNALS).expect("they are right");
    let mut edges = Edges::new();
    for key in (0..ROOMS).map(room) {
        let heard: Vec<&Noted> = noted.iter().filter(|note| note.key == key).collect();
        for (signal, _) in &defined {
            let mut signals = Signals::default();
            let after = |name: &str| name == signal.name() || signal.after() == Some(name);
            for (one, definition) in defined.iter().filter(|(one, _)| after(one.name())) {
                let one = (one.clone(), definition.clone());
                signals.set(one.0.name().to_owned().as_str(), Some(one), Time::ZERO);
            }
            let of = (key.clone(), signal.name().to_owned());
            let found = edges_of(&mut signals, signal.name(), &heard, told.get(&of));
            if !found.is_empty() {
                edges.insert(of, found);
            }
        }
    }
    edges
}

/// Those of one signal at one element.
fn edges_of(
    signals: &mut Signals,
    name: &str,
    heard: &[&Noted],
    told: Option<&Vec<(String, String)>>,
) -> Vec<(String, String)> {
    let mut known = Known::default();
    let mut edges = Vec::new();
    let mut note = |all: Vec<signals::Told>| {
        for one in all {
            if let signals::Told::Edge(of, edge) = one
                && *of == *name
            {
                let kind = match edge.turns {
                    Turns::Ended => format!("{name}{ENDED}"),
                    Turns::Began | Turns::Happened => name.to_owned(),
                };
                edges.push((kind, edge.at.rfc3339()));
            }
        }
    };
    for heard in heard {
        // Another lane may have looked at the clock a moment later than this one.
        let at = heard.id.at.min(heard.followed);
        loop {
            let due = signals.wake_at();
            let at_due = due.rfc3339();
            let is_told = || told.is_some_and(|told| told.iter().any(|(_, at)| *at == at_due));
            if at < due && (heard.followed < due || !is_told()) {
                break;
            }
            let (_, all) = signals.wake(&known, due).expect("it is due");
            note(all);
        }
        let is_event = heard.kind == "io.ioe.thing.event";
        let name = heard.data["name"].as_str().expect("a name");
        let value = &heard.data[if is_event { "data" } else { "value" }];
        if !is_event {
            let of = (heard.key.clone(), name.to_owned());
            known.0.insert(of, value.clone());
        }
        let reading = Heard {
            name,
            is_event,
            value,
            at,
        };
        let now = heard.followed;
        note(signals.heard(&heard.key, &reading, &known, now));
    }
    while signals.wake_at() != Time::NEVER {
        let due = signals.wake_at();
        let (_, all) = signals.wake(&known, due).expect("it is due");
        note(all);
    }
    edges
}

/// The edges that were told over MQTT.
fn told(heard: &[Told]) -> Edges {
    let mut edges = Edges::new();
    for told in heard
        .iter()
        .filter(|told| told.says("type").starts_with("s-"))
    {
        let key = names::key_of(told.says("subject")).expect("an element");
        let kind = told.says("type").to_owned();
        let since = told.says("since").to_owned();
        let of = edges.entry((key, signal_of(&kind)));
        of.or_default().push((kind, since));
    }
    edges
}

/// The edges that flows were started by.
fn followed(noted: &[Noted]) -> Edges {
    let mut edges = Edges::new();
    for edge in noted {
        let of = edges.entry((edge.key.clone(), signal_of(&edge.kind)));
        of.or_default()
            .push((edge.kind.clone(), edge.since.clone()));
    }
    edges
}

/// Whether edges are those that they should be, at the same times.
fn same(what: &str, found: &Edges, expected: &Edges, readings: &[Noted]) -> Result<(), String> {
    let keys: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let none = Vec::new();
    for of in keys {
        let found = found.get(of).unwrap_or(&none);
        let expected = expected.get(of).unwrap_or(&none);
        let are_same = found
            .iter()
            .zip(expected)
            .enumerate()
            .all(|(at, (one, other))| {
                let is_same_time = || {
                    one.1 == other.1 || is_by_its_own_time(&one.1, &other.1, &found[..at], readings)
                };
                one.0 == other.0 && is_same_time()
            });
        if !are_same || found.len() != expected.len() {
            return Err(format!(
                "{what}: edges of {of:?} are\n{found:#?}\nand should be\n{expected:#?}"
            ));
        }
    }
    Ok(())
}

/// No edge is earlier than the one before; but of a signal of which nothing is remembered it is not
/// remembered either, after a crash, when it ended. A reading from before that then counts by its own
/// time, and what follows of it is so much earlier.
fn is_by_its_own_time(
    found: &str,
    expected: &str,
    before: &[(String, String)],
    readings: &[Noted],
) -> bool {
    let time = |text: &str| Time::of_rfc3339(text).expect("a time");
    let earlier = time(expected).since(time(found));
    let is_it = |(_, told): &(String, String)| {
        let told = time(told);
        let mut readings = readings.iter().map(|reading| reading.id.at);
        readings.any(|at| at < told && told.since(at) == earlier)
    };
    !earlier.is_zero() && before.iter().any(is_it)
}

/// The key of a room.
fn room(number: usize) -> String {
    format!("things/room-{number}")
}

/// How often each message of each teller is among these.
fn times(actors: &[Actor], all: impl Iterator<Item = (usize, usize)>) -> Vec<Vec<u32>> {
    let times = actors.iter().map(|actor| vec![0; actor.story.len()]);
    let mut times: Vec<Vec<u32>> = times.collect();
    for (teller, n) in all {
        times[teller][n] += 1;
    }
    times
}

/// Whether what each teller said was taken, as often as it may have been, and in order.
fn taken(actors: &[Actor], times: &[Vec<u32>]) -> Result<(), String> {
    for (number, (actor, times)) in actors.iter().zip(times).enumerate() {
        for (n, taken) in times.iter().enumerate() {
            let most = match actor.teller.is_exact() {
                true => 1,
                false => actor.teller.times[n],
            };
            if !(1..=most).contains(taken) {
                return Err(format!(
                    "{n} of {number} was said {most} times, and taken {taken} times"
                ));
            }
        }
    }
    Ok(())
}

/// The numbers of readings, by room, in the order in which they were taken.
fn numbers(noted: &[Noted]) -> impl Iterator<Item = (usize, usize)> {
    noted.iter().map(|note| {
        let room = note.key.strip_prefix("things/room-").expect("a room");
        (room.parse().expect("a number"), note.n.expect("a number"))
    })
}

/// Whether each room was heard in order: what was said again may come again.
fn in_order(noted: &[Noted]) -> Result<(), String> {
    let mut first: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (room, n) in numbers(noted) {
        let of = first.entry(room).or_default();
        if !of.contains(&n) {
            of.push(n);
        }
    }
    match first.into_iter().find(|(_, of)| !of.is_sorted()) {
        Some((room, of)) => Err(format!("room {room} was heard in this order: {of:?}")),
        None => Ok(()),
    }
}

/// Tells stories of rooms to a hub that is killed again and again.
fn edges_are_told_once(seed: u64, lanes: usize) {
    println!("seed {seed}, {lanes} lanes");
    let mut chance = Chance::new(seed);
    let mut hub = hub(lanes);
    let note = "$workflow.input[0] | { id: .id, subject: .subject, type: .type, n: .n, since: .since, data: .data }";
    let on = "{ any: [ { with: { type: io.ioe.thing.property, subject: room-.* } }, { with: { type: io.ioe.thing.event, subject: room-.*, data: '${ .name == \"knock\" }' } } ] }";
    deploy(&hub, "readings", "", on, &say("readings", note));
    let on = "{ one: { with: { type: s-.* } } }";
    deploy(&hub, "edges", "", on, &say("edges", note));
    post(&hub, "/api/signals", SIGNALS);
    let filters = [
        "readings",
        "edges",
        "things/+/events/+",
        "things/+/properties/+",
    ];
    let mut witness = Witness::new(&hub, &filters);
    let mut absent = Listener::open(hub.at("mqtt://"), "absent", &filters);
    absent.leave();
    let actors = (0..ROOMS).map(|room| {
        let qos = match chance.once_in(2) {
            true => Qos::AtLeastOnce,
            false => Qos::ExactlyOnce,
        };
        Actor {
            teller: Teller::new(&format!("room-{room}"), qos),
            story: readings(room, &mut chance),
            window: 4,
            chance: chance.part(),
        }
    });
    let mut actors: Vec<Actor> = actors.collect();
    let deaths = torment(&mut hub, &mut chance, &mut actors, 70, &mut witness);
    witness.hear_all(&mut hub, |heard| {
        let readings = noted(heard, "readings")?;
        taken(&actors, &times(&actors, numbers(&readings)))?;
        in_order(&readings)?;
        let told = told(heard);
        let expected = expected(&readings, &told);
        same("over MQTT", &told, &expected, &readings)?;
        let followed = followed(&noted(heard, "edges")?);
        same("by flows", &followed, &expected, &readings)
    });
    // Whoever was not there gets all of it once.
    absent.come(hub.at("mqtt://")).expect("it is up");
    let mut heard = Vec::new();
    let readings = noted(&witness.heard, "readings").expect("once");
    let raw = |heard: &[Told]| {
        let numbers = heard.iter().filter_map(|told| {
            let rest = told.topic.strip_prefix("things/room-")?;
            let room = rest.split('/').next()?.parse().ok()?;
            Some((room, told.says("n").parse().ok()?))
        });
        times(&actors, numbers)
    };
    let expected = expected(&readings, &told(&witness.heard));
    until("what was kept for who was away", || {
        heard.extend(absent.until_now());
        let is_told = same("", &told(&heard), &expected, &readings).is_ok();
        // A flow says what it was started by a moment after that was told.
        let said = |topic: &str, all: usize| {
            all <= heard.iter().filter(|told| told.topic == topic).count()
        };
        let are_said = said("readings", readings.len())
            && said("edges", expected.values().map(Vec::len).sum());
        is_told && are_said && raw(&heard) == times(&actors, numbers(&readings))
    });
    let again = noted(&heard, "readings").expect("once");
    assert_eq!(again.len(), readings.len());
    let edges = noted(&heard, "edges").expect("once");
    same("of who was away", &followed(&edges), &expected, &readings)
        .unwrap_or_else(|why| panic!("{why}"));
    // Each kind had its edges, and is as they say.
    let (defined, _) = signals::read(SIGNALS).expect("they are right");
    for (signal, _) in defined {
        let name = signal.name();
        let of: Vec<_> = expected.iter().filter(|(of, _)| of.1 == name).collect();
        assert!(2 <= of.len(), "{name} was hardly tried: {of:?}");
        let shown = hub.ask(&format!("GET /api/signals/{name}"), &[], "").json();
        for ((key, _), edges) in of {
            let last = &edges.last().expect("there is one").0;
            let is_on = !signal.is_momentary() && !last.ends_with(ENDED);
            let elements = shown["elements"].as_array().expect("a list");
            let element = elements.iter().find(|element| element["element"] == **key);
            let shown = element.is_some_and(|element| element["on"] == true);
            assert_eq!(shown, is_on, "{name} at {key}");
        }
    }
    let edges: usize = expected.values().map(Vec::len).sum();
    let again = witness.listener.again;
    println!("{deaths} deaths, {edges} edges, {again} messages came again");
}

#[test]
fn edges_of_each_kind_are_told_once_by_a_hub_of_one_lane() {
    edges_are_told_once(1, 1);
}

#[test]
fn edges_of_each_kind_are_told_once_by_a_hub_of_two_lanes() {
    edges_are_told_once(2, 2);
}

#[test]
fn edges_of_each_kind_are_told_once_by_a_hub_of_three_lanes() {
    edges_are_told_once(3, 3);
}

// --- Flows ---

/// What flows do because of one message, by topic, and how often.
const EFFECTS: [(&str, usize); 8] = [
    ("fan/a", 1),
    ("fan/b", 1),
    ("things/lamp-1/properties/level/write", 1),
    ("things/lamp-2/actions/toggle", 1),
    ("end", 1),
    ("looked", 1),
    ("stormed", 1),
    ("each", 10),
];

/// Flows of each shape: several acts, one that starts another, one that reads on other lanes, one
/// whose home counts its starts, and a loop.
fn flows(hub: &Hub) {
    let on = "{ one: { with: { topic: work/+ } } }";
    let it = "{ id: $workflow.input[0].id, n: $workflow.input[0].n }";
    let emit = |name: &str, with: &str| {
        format!(
            "  - {name}: {{ emit: {{ event: {{ with: {{ {with}, data: '${{ {it} }}' }} }} }} }}\n"
        )
    };
    let call = |name: &str, with: &str| {
        format!("  - {name}: {{ call: {name}, with: {{ {with}: '${{ {it} }}' }} }}\n")
    };
    let fan = [
        emit("a", "type: test.a, topic: fan/a"),
        call("write", "thing: lamp-1, property: level, value"),
        call("invoke", "thing: lamp-2, action: toggle, input"),
        emit("b", "type: test.b, topic: fan/b"),
    ];
    deploy(hub, "fan", "", on, &fan.concat());
    deploy(hub, "first", "", on, &emit("say", "type: test.first"));
    let next = "{ one: { with: { type: test.first } } }";
    deploy(
        hub,
        "second",
        "",
        next,
        &say("end", "$workflow.input[0].data"),
    );
    let lamps: Vec<String> = (0..8).map(|lamp| format!("lamp-{lamp}")).collect();
    let look = format!(
        "  - look: {{ call: read, with: {{ things: [{}], property: level }}, then: say }}\n",
        lamps.join(", ")
    );
    let told = emit("say", "type: test.looked, topic: looked");
    deploy(hub, "look", "", on, &(look + &told));
    let storm = ", storm: { limit: 10000, per: PT1H }";
    let told = emit("say", "type: test.stormed, topic: stormed");
    deploy(hub, "stormed", storm, on, &told);
    let each = emit("say", "type: test.each, topic: each").replace("  - say", "        - say");
    let each = format!(
        "  - all:\n      for: {{ each: k, in: '${{ [1,2,3,4,5,6,7,8,9,10] }}' }}\n      do:\n{each}"
    );
    deploy(hub, "each", "", on, &each);
}

/// What was done because of events, by their ids: the number that the teller gave the message, and how
/// often was told what, by topic.
type Done = BTreeMap<String, (usize, BTreeMap<String, usize>)>;

fn done(heard: &[Told]) -> Done {
    let mut done = Done::new();
    for told in heard.iter().filter(|told| !told.topic.starts_with("work/")) {
        let data: Value = serde_json::from_str(&told.payload).expect("JSON");
        let id = data["id"].as_str().expect("an id").to_owned();
        let n = data["n"].as_str().and_then(|n| n.parse().ok());
        let of = done.entry(id).or_default();
        of.0 = n.expect("a number");
        *of.1.entry(told.topic.clone()).or_default() += 1;
    }
    done
}

/// Whether all that is to be done because of each event is done, once.
fn once(done: &Done, of: impl Fn(&str) -> bool) -> Result<(), String> {
    for (id, (n, effects)) in done {
        for (topic, times) in EFFECTS.iter().filter(|(topic, _)| of(topic)) {
            let found = effects.get(*topic).copied().unwrap_or(0);
            if found != *times {
                return Err(format!(
                    "because of {id} (n = {n}) {topic} was told {found} times, not {times}: {effects:?}"
                ));
            }
        }
    }
    Ok(())
}

/// Tells a hub that is killed again and again what flows wait for.
fn flows_act_once(seed: u64, lanes: usize) {
    const TELLERS: usize = 4;
    const MESSAGES: usize = 90;
    println!("seed {seed}, {lanes} lanes");
    let mut chance = Chance::new(seed);
    let mut hub = hub(lanes);
    flows(&hub);
    let mut filters: Vec<&str> = EFFECTS.iter().map(|(topic, _)| *topic).collect();
    filters.push("work/+");
    let emitted = ["fan/a", "fan/b", "end", "looked", "stormed", "each"];
    let mut witness = Witness::new(&hub, &emitted);
    let mut absent = Listener::open(hub.at("mqtt://"), "absent", &filters);
    absent.leave();
    let actors = (0..TELLERS).map(|teller| {
        let story = (0..MESSAGES).map(|_| {
            let pause = Duration::from_millis(chance.below(4));
            (format!("work/{teller}"), "1".to_owned(), pause)
        });
        let qos = match teller % 2 {
            0 => Qos::AtLeastOnce,
            _ => Qos::ExactlyOnce,
        };
        Actor {
            story: story.collect(),
            teller: Teller::new(&format!("teller-{teller}"), qos),
            window: 8,
            chance: chance.part(),
        }
    });
    let mut actors: Vec<Actor> = actors.collect();
    let deaths = torment(&mut hub, &mut chance, &mut actors, 50, &mut witness);
    let said = |heard: &[Told]| {
        let all = heard.iter().filter_map(|told| {
            let teller = told.topic.strip_prefix("work/")?;
            Some((teller.parse().ok()?, told.says("n").parse().ok()?))
        });
        times(&actors, all)
    };
    let is_emitted = |topic: &str| emitted.contains(&topic);
    witness.hear_all(&mut hub, |heard| {
        let done = done(heard);
        match TELLERS * MESSAGES <= done.len() {
            true => once(&done, is_emitted),
            false => Err(format!("{} events led to something", done.len())),
        }
    });
    absent.come(hub.at("mqtt://")).expect("it is up");
    let mut heard = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    loop {
        heard.extend(absent.until_now());
        let (done, said) = (done(&heard), said(&heard));
        let mut by_n = vec![0; MESSAGES];
        for (n, _) in done.values() {
            by_n[*n] += 1;
        }
        let taken_by_n: Vec<u32> = (0..MESSAGES)
            .map(|n| said.iter().map(|of| of[n]).sum())
            .collect();
        let is_right = taken(&actors, &said).and_then(|()| once(&done, |_| true));
        let is_right = is_right.and_then(|()| match by_n == taken_by_n {
            true => Ok(()),
            false => Err(format!(
                "taken were\n{taken_by_n:?}, and led to something\n{by_n:?}"
            )),
        });
        match is_right {
            Ok(()) => break,
            Err(why) => assert!(Instant::now() < deadline, "{why}"),
        }
        thread::park_timeout(Duration::from_millis(20)); // The hub cannot wake us.
    }
    let events = done(&heard).len();
    let again = witness.listener.again;
    println!("{deaths} deaths, {events} events, {again} messages came again");
}

#[test]
fn what_flows_do_is_done_once_by_a_hub_of_one_lane() {
    (11..15).for_each(|seed| flows_act_once(seed, 1));
}

#[test]
fn what_flows_do_is_done_once_by_a_hub_of_three_lanes() {
    (15..19).for_each(|seed| flows_act_once(seed, 3));
}
