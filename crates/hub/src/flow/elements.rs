//! The elements as receivers: what happens at their addresses reaches the crates that know
//! them, and what follows from it takes the same path.

use quartet_fabric::routes::Wish;
use quartet_model::{Actor, Effect, Event, HOPS_MAX, Qos, Time};
use quartet_things::computer::{self, Sample};

use super::{Flow, Receiver, keep::Answer};

/// The elements that a hub begins with.
#[derive(Clone, Debug, Default)]
pub struct ElementsSeed {
    /// What this computer is called by those who run it.
    pub computer_name: String,
}

impl Flow {
    /// Every lane hears of things' properties; each thing's twin lives on its home lane.
    pub(super) fn settle_elements(&mut self, seed: ElementsSeed) {
        if self.home(computer::ID) == self.lane {
            let wish = Wish {
                qos: Qos::ExactlyOnce,
                retain_as_published: true,
                ..Wish::default()
            };
            self.things.declare(computer::describe(&seed.computer_name));
            let filter = format!("things/{}/properties/+", computer::ID);
            self.join(&filter, Receiver::Things, wish);
        }
    }

    pub(super) fn step_things(&mut self, event: &Event, now: Time) {
        let mut effects = Vec::new();
        quartet_things::step(&mut self.things, event, now, &mut effects);
        self.settle(effects, Some(event), now);
    }

    /// This computer was looked at.
    pub fn sample(&mut self, sample: &Sample, now: Time) {
        let mut effects = Vec::new();
        computer::step(&mut self.things, sample, now, &mut effects);
        self.settle(effects, None, now);
    }

    /// Performs what follows from a step. An event that is further from its first cause than
    /// allowed is going in a circle; it is cut, and that is counted.
    fn settle(&mut self, effects: Vec<Effect>, cause: Option<&Event>, now: Time) {
        for effect in effects {
            let Effect::Emit(said) = effect;
            let mut event = Event::new(self.next_id(now), Actor::Hub, said);
            if let Some(cause) = cause {
                event = event.because_of(cause);
            }
            if HOPS_MAX < event.hops {
                self.figures.loops_cut += 1;
                continue;
            }
            self.set_out(event, Answer::None, now);
        }
    }

    /// The things that live on this lane.
    pub fn things(&self) -> &quartet_things::Things {
        &self.things
    }
}
