//! A scenario from its beginning to its end: put in, introduced, and simulated until somebody says that it is enough.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::bail;
use quartet_model::Time;
use quartet_scenario::Package;

use super::{
    put::{Invited, Put},
    simulate::{Simulation, Sockets},
};
use crate::client::{Asker, Endpoint};

/// A package that is run in a hub.
pub(crate) struct Run<'r> {
    pub(crate) hub: &'r Asker,
    pub(crate) package: &'r Package,
    /// How many times as fast as ours its clock goes.
    pub(crate) speed: f64,
    /// Where the hub listens for MQTT, if it need not be asked.
    pub(crate) url: Option<&'r Endpoint>,
    /// Set when it is enough.
    pub(crate) stop: &'r AtomicBool,
}

impl Run<'_> {
    /// Runs it; tells when all of it is there, and what fails in the simulation. Gives the time of the story at the end, if
    /// anything was simulated.
    pub(crate) fn run(
        &self,
        is_there: &mut dyn FnMut(Vec<Invited>) -> anyhow::Result<()>,
        fails: &mut dyn FnMut(String),
    ) -> anyhow::Result<Option<Time>> {
        let Some(world) = self.package.world.clone() else {
            let (put, _) = Put::begin(self.hub, self.package)?;
            put.finish(&mut || None)?;
            is_there(put.invite()?)?;
            return Ok(None);
        };
        let sockets = Sockets::of(self.hub, self.url)?;
        let (put, logins) = Put::begin(self.hub, self.package)?;
        let mut simulation = Simulation::start(world, self.speed, &sockets, logins)?;
        let result = self.simulate(&put, &mut simulation, is_there, fails);
        let time = simulation.time();
        simulation.end();
        result.map(|()| Some(time))
    }

    fn simulate(
        &self,
        put: &Put<'_>,
        simulation: &mut Simulation,
        is_there: &mut dyn FnMut(Vec<Invited>) -> anyhow::Result<()>,
        fails: &mut dyn FnMut(String),
    ) -> anyhow::Result<()> {
        put.finish(&mut || {
            if let Some(failure) = simulation.turn() {
                fails(failure);
            }
            match self.stop.load(Ordering::Relaxed) {
                true => Some("it was ended before all of it was there".to_owned()),
                false => simulation.ended(),
            }
        })?;
        is_there(put.invite()?)?;
        while !self.stop.load(Ordering::Relaxed) {
            if let Some(failure) = simulation.turn() {
                fails(failure);
            }
            if let Some(why) = simulation.ended() {
                bail!("the simulation ended: {why}");
            }
        }
        Ok(())
    }
}
