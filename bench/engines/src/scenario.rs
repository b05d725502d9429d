//! The kinds of load, by name.

use std::str::FromStr;
use std::time::Duration;

#[derive(Clone, Copy, PartialEq)]
pub enum Shape {
    /// One publisher, N subscribers.
    Fan,
    /// N publishers, each with one subscriber.
    Pairs,
    /// N connections that subscribed and do nothing.
    Idle,
}

#[derive(Clone, Copy)]
pub enum Rate {
    /// One frame each time this has passed, the publishers taking turns.
    Every(Duration),
    /// As fast as the server delivers, with this many frames of a publisher under way.
    Window(u64),
}

#[derive(Clone, Copy)]
pub struct Scenario {
    pub shape: Shape,
    pub count: usize,
    pub rate: Rate,
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("no scenario `{text}`");
        let (shape, rest) = text.split_once('-').ok_or_else(unknown)?;
        let (count, rate) = rest.split_once('-').unwrap_or((rest, "low"));
        let shape = match shape {
            "fan" => Shape::Fan,
            "pairs" => Shape::Pairs,
            "idle" => Shape::Idle,
            _ => return Err(unknown()),
        };
        let count = count.parse().map_err(|_| unknown())?;
        let rate = match (rate, shape, count) {
            ("low", Shape::Fan, 500..) => Rate::Every(Duration::from_millis(100)),
            ("low", Shape::Fan, 50..) => Rate::Every(Duration::from_millis(10)),
            ("low", ..) => Rate::Every(Duration::from_millis(2)),
            ("single", ..) => Rate::Window(1),
            ("full", Shape::Fan, ..50) => Rate::Window(256),
            ("full", Shape::Fan, _) => Rate::Window(64),
            ("full", ..) => Rate::Window(16),
            _ => return Err(unknown()),
        };
        Ok(Self { shape, count, rate })
    }
}
