//! How long `may` takes, and what the graph holds in memory: 100,000 things, 10,000 people, 1 M
//! relations. Run by `bench/may`; each figure is the median and the 99th percentile of many runs of a
//! hundred questions, for one question.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it measures, and says what it measured"
)]

use std::{hint::black_box, time::Instant};

use quartet_model::{Affordance, Time};
use quartet_people::{
    decisions::Decisions,
    graph::{Graph, Question},
    relation::Relation,
    role::Deed,
};

const THINGS: usize = 100_000;
const ROOMS: usize = 6_000;
const WARDS: usize = 600;
const SITES: usize = 20;
const PEOPLE: usize = 10_000;
const TEAMS: usize = 1_000;
const NOW: Time = Time::from_micros(1_000_000_000);
const RUNS: usize = 20_000;
const BATCH: usize = 100;

/// Numbers that look like chance, from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % bound
    }
}

fn main() {
    let mut chance = Chance(42);
    let begun = Instant::now();
    let mut graph = Graph::new(1);
    fill(&mut graph, &mut chance);
    println!(
        "{} relations in {:.2} s; {:.1} MB, {:.0} B each",
        graph.len(),
        begun.elapsed().as_secs_f64(),
        graph.memory_bytes() as f64 / 1e6,
        graph.memory_bytes() as f64 / graph.len() as f64
    );
    let pairs: Vec<(String, String)> = (0..100_000)
        .map(|_| {
            let person = format!("people/p{}", chance.below(PEOPLE));
            (person, format!("things/h{}", chance.below(THINGS)))
        })
        .collect();
    let mut allowed = 0;
    let uncached = measure(|n| {
        let (who, on) = &pairs[n % pairs.len()];
        let question = Question {
            who,
            deed: Deed::Read,
            on,
            part: Some((Affordance::Property, "rate")),
        };
        allowed += usize::from(black_box(graph.may(&question, NOW)).is_allowed());
    });
    println!(
        "may, not remembered: median {:.0} ns, p99 {:.0} ns; {:.1} % allowed",
        uncached.0,
        uncached.1,
        100.0 * allowed as f64 / (RUNS * BATCH) as f64
    );
    let explained = measure(|n| {
        let (who, on) = &pairs[n % pairs.len()];
        let question = Question {
            who,
            deed: Deed::Read,
            on,
            part: Some((Affordance::Property, "rate")),
        };
        black_box(graph.explain(&question, NOW));
    });
    println!(
        "explain: median {:.0} ns, p99 {:.0} ns",
        explained.0, explained.1
    );
    remembered(&graph, &mut chance, 10, 100);
    remembered(&graph, &mut chance, 100, 1_000);
    lists(&graph, &mut chance);
}

/// So many sessions ask for so many topics each, again and again.
fn remembered(graph: &Graph, chance: &mut Chance, sessions: usize, topics: usize) {
    let topics: Vec<String> = (0..topics)
        .map(|_| format!("things/h{}/properties/rate", chance.below(THINGS)))
        .collect();
    let mut sessions: Vec<(String, Decisions)> = (0..sessions)
        .map(|_| {
            (
                format!("people/p{}", chance.below(PEOPLE)),
                Decisions::default(),
            )
        })
        .collect();
    for (who, known) in &mut sessions {
        for topic in &topics {
            known.may(graph, who, Deed::Read, topic, NOW);
        }
    }
    let cached = measure(|n| {
        let among = sessions.len();
        let (who, known) = &mut sessions[n % among];
        let topic = &topics[n / among % topics.len()]; // One message after the other, to each session.
        black_box(known.may(graph, who, Deed::Read, topic, NOW));
    });
    println!(
        "may, remembered, {} sessions with {} topics each: median {:.0} ns, p99 {:.0} ns",
        sessions.len(),
        topics.len(),
        cached.0,
        cached.1
    );
}

/// The median and the 99th percentile for one question, in nanoseconds.
fn measure(mut ask: impl FnMut(usize)) -> (f64, f64) {
    let mut took = Vec::with_capacity(RUNS);
    for run in 0..RUNS {
        let begun = Instant::now();
        for n in 0..BATCH {
            ask(run * BATCH + n);
        }
        took.push(begun.elapsed().as_nanos() as f64 / BATCH as f64);
    }
    took.sort_by(f64::total_cmp);
    (took[RUNS / 2], took[RUNS * 99 / 100])
}

fn lists(graph: &Graph, chance: &mut Chance) {
    let rate = Some((Affordance::Property, "rate"));
    let (mut found, begun) = (0, Instant::now());
    for _ in 0..200 {
        let on = format!("things/h{}", chance.below(THINGS));
        found += graph.who_may(Deed::Read, &on, rate, NOW).len();
    }
    let each = begun.elapsed().as_nanos() as f64 / found.max(1) as f64;
    println!(
        "who may: {:.0} people on average, {each:.0} ns for each",
        found as f64 / 200.0
    );
    let (mut found, begun) = (0, Instant::now());
    for _ in 0..200 {
        let who = format!("people/p{}", chance.below(PEOPLE));
        found += graph.what_may(&who, Deed::Read, NOW).len();
    }
    let each = begun.elapsed().as_nanos() as f64 / found.max(1) as f64;
    println!(
        "what may: {:.0} elements on average, {each:.0} ns for each",
        found as f64 / 200.0
    );
}

fn fill(graph: &mut Graph, chance: &mut Chance) {
    let one = |name: &str, to: String| Relation::new(name, &to);
    for ward in 0..WARDS {
        let site = one("in", format!("places/s{}", chance.below(SITES)));
        graph.set_relations(&format!("places/w{ward}"), [&site]);
    }
    for room in 0..ROOMS {
        let ward = one("in", format!("places/w{}", chance.below(WARDS)));
        graph.set_relations(&format!("places/r{room}"), [&ward]);
    }
    for thing in 0..THINGS {
        let room = one("in", format!("places/r{}", chance.below(ROOMS)));
        graph.set_relations(&format!("things/h{thing}"), [&room]);
    }
    for team in 0..TEAMS {
        let mut roles: Vec<Relation> = (0..140)
            .map(|_| one("viewer", format!("places/r{}", chance.below(ROOMS))))
            .collect();
        for role in roles.iter_mut().take(40) {
            role.while_on_duty = true;
        }
        roles.push(one("operator", format!("places/w{}", chance.below(WARDS))));
        graph.set_relations(&format!("teams/t{team}"), &roles);
    }
    for person in 0..PEOPLE {
        let mut relations: Vec<Relation> = (0..4)
            .map(|_| one("memberOf", format!("teams/t{}", chance.below(TEAMS))))
            .collect();
        for shift in 0..10 {
            let mut duty = one("onDuty", relations[chance.below(4)].to.clone());
            duty.from = Time::from_micros(shift * 200_000_000);
            duty.until = Time::from_micros(shift * 200_000_000 + 80_000_000);
            relations.push(duty);
        }
        for n in 0..61 {
            let to = match n {
                0 => format!("places/w{}", chance.below(WARDS)),
                _ => format!("things/h{}", chance.below(THINGS)),
            };
            relations.push(one("viewer", to));
        }
        graph.set_relations(&format!("people/p{person}"), &relations);
    }
}
