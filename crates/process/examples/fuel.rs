//! What a step of [`Fuel`] takes: each greedy expression until it is stopped. Prints nanoseconds a
//! step and the time of all.

#![expect(
    clippy::disallowed_methods,
    reason = "what it takes is what is asked here"
)]

#[path = "../tests/support/greedy.rs"]
mod greedy;

use std::time::Instant;

use quartet_model::Time;
use quartet_process::expr::{Expression, Fuel, Names, Scope};

fn main() {
    let input = greedy::large();
    for text in greedy::GREEDY {
        let expression = Expression::compile(text, &Names::default()).expect(text);
        let fuel = Fuel::default();
        let scope = Scope {
            values: &[],
            now: Time::ZERO,
            fuel: &fuel,
        };
        let begun = Instant::now();
        let value = expression.eval(&scope, &input);
        let took = begun.elapsed();
        let steps = fuel.spent().max(1);
        println!(
            "{:6.1} ms {:6.1} ns a step, {} {text}",
            took.as_secs_f64() * 1e3,
            took.as_nanos() as f64 / steps as f64,
            if value.is_ok() { "done   " } else { "stopped" },
        );
    }
}
