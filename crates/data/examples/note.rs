//! What a report costs, and a question: `cargo run --release -p quartet-data --example note`.

#![expect(
    clippy::disallowed_methods,
    reason = "what it takes is what is asked here"
)]

use std::time::Instant;

use quartet_data::{Head, Question, step};
use quartet_model::{Actor, Event, EventId, Said, Time};

const ELEMENTS: u32 = 10_000;
const ROUNDS: u32 = 200;
const BYTES_MAX: usize = 64 << 20;

/// A report of an element, ten seconds after the one before.
fn report(round: u32, element: u32, payload: String) -> Event {
    let s = u64::from(round) * 10;
    let id = EventId {
        at: Time::from_micros(s * 1_000_000 + u64::from(element) * 37),
        serial: element,
    };
    let topic = format!("things/sensor-{element}/properties/state");
    Event::new(id, Actor::Api, Said::state(topic, payload))
}

fn main() {
    measure("a number", |round, element| {
        format!("{:.1}", 20.0 + f64::from((round * 7 + element) % 30) / 10.0)
    });
    measure("an object with four numbers", |round, element| {
        let tenths = (round * 7 + element) % 30;
        format!(
            "{{\"temperature\":2{}.{},\"humidity\":4{},\"battery\":97,\"linkquality\":1{:02}}}",
            tenths / 10,
            tenths % 10,
            tenths % 10,
            tenths
        )
    });
}

fn measure(what: &str, payload: impl Fn(u32, u32) -> String) {
    let mut head = Head::new(BYTES_MAX, 0);
    head.begin(Time::ZERO);
    let mut ns = Vec::new();
    for round in 1..=ROUNDS {
        let reports: Vec<Event> = (0..ELEMENTS)
            .map(|element| report(round, element, payload(round, element)))
            .collect();
        let begun = Instant::now();
        for report in &reports {
            step(&mut head, report, &|_| None);
        }
        ns.push(begun.elapsed().as_nanos() as f64 / f64::from(ELEMENTS));
    }
    ns.sort_by(f64::total_cmp);
    let figures = head.figures();
    let per_point = figures.bytes as f64 / figures.points as f64;
    println!(
        "{what}: {:.0} ns a report (median of {ROUNDS} rounds of {ELEMENTS} elements), {} points in {} series, {per_point:.1} bytes a point, {} let go",
        ns[ns.len() / 2],
        figures.points,
        figures.series,
        figures.let_go
    );
    let (from, to) = (Time::ZERO, Time::from_micros(1 << 40));
    let name = match head.has("things/sensor-7", "state") {
        true => "state",
        false => "state/temperature",
    };
    let begun = Instant::now();
    let Some(excerpt) = head.excerpt("things/sensor-7", name, from, to) else {
        return;
    };
    let taken = begun.elapsed();
    let question = Question {
        from,
        to,
        points: 500,
        step: None,
    };
    let answer = excerpt.ask(&question);
    println!(
        "  a question: {} ns on the lane, {} µs for its {} reports beside it",
        taken.as_nanos(),
        begun.elapsed().as_micros(),
        answer.count
    );
}
