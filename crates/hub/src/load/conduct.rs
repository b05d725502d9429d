//! Conducts a run: starts the threads, waits until all is connected, samples what the broker
//! uses at both ends of the measured time, waits for the last messages.

use std::{
    io,
    sync::{Arc, atomic::Ordering, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    conclude::{Sample, Stages, conclude},
    error::LoadError,
    plan::{Plan, Scenario},
    process::Usage,
    reach,
    records::Board,
    report::Report,
    socket::Target,
    text::count,
    worker::{Outcome, Start, Worker},
};
use crate::client::clock::Clock;

/// All connections are given this long to make progress.
const CONNECT_PATIENCE: Duration = Duration::from_secs(15);

/// When no message has arrived for so long, those that are missing are lost.
const SILENCE: Duration = Duration::from_secs(3);

/// From the moment when all is connected to the first message.
const RUN_UP: Duration = Duration::from_millis(100);

/// Files that the generator needs besides its connections.
const FILES_SPARE: u64 = 64;

/// Runs the plan. `progress` is shown on stderr if that is a terminal.
pub fn run(plan: Plan, with_progress: bool) -> Result<Report, LoadError> {
    let wanted = plan.scenario.parts().len() as u64;
    reach::make_room_for_files(wanted + FILES_SPARE)?;
    let target = reach::find(&plan.endpoint)?;
    let conductor = Conductor::new(plan, wanted, with_progress);
    let before = conductor.sample()?;
    let (threads, failures) = conductor.start_threads(&target)?;
    let result = conductor.conduct(before, &failures);
    conductor.board.stop.store(true, Ordering::Relaxed);
    conductor.progress.finish_and_clear();
    let outcomes = join(threads);
    let stages = result?;
    Ok(conclude(&conductor.plan, wanted, &stages, &outcomes?))
}

fn join(threads: Vec<JoinHandle<io::Result<Outcome>>>) -> Result<Vec<Outcome>, LoadError> {
    let mut outcomes = Vec::new();
    for thread in threads {
        let outcome = thread
            .join()
            .map_err(|_| io::Error::other("a thread panicked"))??;
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

struct Conductor {
    plan: Arc<Plan>,
    wanted: u64,
    clock: Clock,
    board: Arc<Board>,
    progress: ProgressBar,
}

impl Conductor {
    fn new(plan: Plan, wanted: u64, with_progress: bool) -> Self {
        // Draws on stderr, and only if that is a terminal.
        let progress = if with_progress {
            ProgressBar::new(wanted)
        } else {
            ProgressBar::hidden()
        };
        progress.set_style(
            ProgressStyle::with_template("{msg:12} {wide_bar} {pos}/{len} {prefix}")
                .expect("the template is well formed"),
        );
        Self {
            board: Arc::new(Board::new(plan.threads)),
            plan: Arc::new(plan),
            wanted,
            clock: Clock::start(),
            progress,
        }
    }

    #[expect(
        clippy::type_complexity,
        reason = "threads and the channel on which they tell of failures, used once"
    )]
    fn start_threads(
        &self,
        target: &Target,
    ) -> Result<(Vec<JoinHandle<io::Result<Outcome>>>, mpsc::Receiver<String>), LoadError> {
        let (sender, failures) = mpsc::channel();
        let run = format!(
            "{:06x}",
            rustix::process::getpid().as_raw_nonzero().get() & 0xFF_FFFF
        );
        let mut threads = Vec::new();
        for number in 0..self.plan.threads {
            let worker = Worker::new(Start {
                plan: Arc::clone(&self.plan),
                target: target.clone(),
                run: run.clone(),
                clock: self.clock,
                board: Arc::clone(&self.board),
                failures: sender.clone(),
                number,
            })?;
            let thread = thread::Builder::new().name(format!("load-{number}"));
            threads.push(thread.spawn(move || worker.run())?);
        }
        Ok((threads, failures))
    }

    fn conduct(
        &self,
        before: Sample,
        failures: &mpsc::Receiver<String>,
    ) -> Result<Stages, LoadError> {
        self.await_connections(failures)?;
        let connected = self.sample()?;
        let (measured, is_cut) = match self.plan.scenario {
            Scenario::Connect { .. } => ((connected, connected), false),
            Scenario::Idle { .. } => {
                self.wait_until("idle", connected.at_ns, self.plan.duration);
                ((connected, self.sample()?), false)
            }
            _ => (self.publish()?, !self.drain()),
        };
        Ok(Stages {
            before,
            connected,
            is_cut,
            measured,
        })
    }

    fn await_connections(&self, failures: &mpsc::Receiver<String>) -> Result<(), LoadError> {
        self.progress.set_message("connecting");
        let mut ready = 0;
        let mut since_ns = self.clock.ns();
        while ready < self.wanted {
            let fail = |failure| LoadError::Connection {
                ready,
                wanted: self.wanted,
                failure,
            };
            if let Ok(failure) = failures.recv_timeout(Duration::from_millis(1)) {
                return Err(fail(failure));
            }
            let now_ready = self.board.sum(|gauge| &gauge.ready);
            let now_ns = self.clock.ns();
            if ready < now_ready {
                since_ns = now_ns;
            } else if CONNECT_PATIENCE.as_nanos() < u128::from(now_ns - since_ns) {
                return Err(fail("the broker answers no more".to_owned()));
            }
            ready = now_ready;
            self.progress.set_position(ready);
        }
        Ok(())
    }

    fn publish(&self) -> Result<(Sample, Sample), LoadError> {
        let start_ns = self.clock.ns() + RUN_UP.as_nanos() as u64;
        self.board.start_ns.store(start_ns, Ordering::Release);
        self.wait_until("warm-up", start_ns, self.plan.warmup);
        let first = self.sample()?;
        let from_ns = start_ns + self.plan.warmup.as_nanos() as u64;
        self.wait_until("measuring", from_ns, self.plan.duration);
        let last = self.sample()?;
        Ok((first, last))
    }

    /// Waits until `length` after `from_ns` and shows how things go.
    fn wait_until(&self, what: &'static str, from_ns: u64, length: Duration) {
        self.progress.set_message(what);
        self.progress.set_length(length.as_secs());
        let until_ns = from_ns + length.as_nanos() as u64;
        let mut shown = (self.clock.ns(), self.board.sum(|gauge| &gauge.delivered));
        loop {
            let now_ns = self.clock.ns();
            let Some(rest_ns) = until_ns.checked_sub(now_ns).filter(|&ns| ns != 0) else {
                return;
            };
            if 500_000_000 < now_ns - shown.0 {
                let delivered = self.board.sum(|gauge| &gauge.delivered);
                let per_s = (delivered - shown.1) as f64 * 1e9 / (now_ns - shown.0) as f64;
                self.progress
                    .set_prefix(format!("s · {} deliveries/s", count(per_s as u64)));
                self.progress
                    .set_position(now_ns.saturating_sub(from_ns) / 1_000_000_000);
                shown = (now_ns, delivered);
            }
            thread::park_timeout(Duration::from_nanos(rest_ns.min(100_000_000)));
        }
    }

    /// Waits until all has arrived, or nothing arrives any more: what is missing then is lost.
    /// `false` if it took too long.
    fn drain(&self) -> bool {
        self.progress.set_message("draining");
        let receivers = u64::from(self.plan.scenario.receivers());
        let progress = || {
            let settled = self.board.sum(|gauge| &gauge.settled);
            (self.board.sum(|gauge| &gauge.delivered), settled)
        };
        let mut last = progress();
        let begun_ns = self.clock.ns();
        let mut since_ns = begun_ns;
        loop {
            let is_done = self.board.is_done();
            let now = progress();
            let now_ns = self.clock.ns();
            if is_done && self.board.sum(|gauge| &gauge.sent) * receivers <= now.0 {
                return true;
            }
            if now != last {
                since_ns = now_ns;
            } else if SILENCE.as_nanos() < u128::from(now_ns - since_ns) {
                return true;
            }
            if self.plan.drain.as_nanos() < u128::from(now_ns - begun_ns) {
                return false;
            }
            last = now;
            thread::park_timeout(Duration::from_millis(5));
        }
    }

    fn sample(&self) -> Result<Sample, LoadError> {
        let server = Usage::of(&self.plan.pids).map_err(|why| LoadError::Process {
            pids: format!("{:?}", self.plan.pids),
            why,
        })?;
        Ok(Sample {
            at_ns: self.clock.ns(),
            sent: self.board.sum(|gauge| &gauge.sent),
            delivered: self.board.sum(|gauge| &gauge.delivered),
            server,
            own: Usage::of_self()?,
        })
    }
}
