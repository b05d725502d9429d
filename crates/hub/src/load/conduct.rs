//! Conducts a run: starts the threads, waits until all is connected, samples what the broker
//! uses at both ends of the measured time, waits for the last messages, draws the conclusions.

use std::{
    collections::HashMap,
    io,
    net::{TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    sync::{Arc, atomic::Ordering, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use quartet_fabric::mqtt::Version;

use super::{
    plan::{Plan, Scenario},
    process::Usage,
    records::{Board, Latencies, Records},
    report::{Connected, Generator, Messages, Quantiles, Report, Server, Throughput},
    socket::Target,
    text::count,
    worker::{Outcome, Start, Worker},
};
use crate::client::{Endpoint, clock::Clock};

/// All connections are given this long to make progress.
const CONNECT_PATIENCE: Duration = Duration::from_secs(15);

/// When no message has arrived for so long, those that are missing are lost.
const SILENCE: Duration = Duration::from_secs(3);

/// From the moment when all is connected to the first message.
const RUN_UP: Duration = Duration::from_millis(100);

/// Files that the generator needs besides its connections.
const FILES_SPARE: u64 = 64;

/// Why a run did not come about, or came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The generator does not speak TLS.
    #[error("cannot measure {0}: the load generator speaks mqtt:// and unix:// only")]
    Tls(Endpoint),
    /// The host has no address.
    #[error("cannot find the address of {endpoint}: {why}")]
    Resolve {
        /// What was tried.
        endpoint: Endpoint,
        /// What went wrong.
        why: io::Error,
    },
    /// Nobody takes connections.
    #[error("cannot connect to {endpoint}: {why}; is the broker running, and listening there?")]
    Unreachable {
        /// What was tried.
        endpoint: Endpoint,
        /// What went wrong.
        why: io::Error,
    },
    /// More connections than files.
    #[error(
        "{needed} files are needed, but the limit of this process is {limit}; raise it (`ulimit -n`) or use fewer clients"
    )]
    Files {
        /// How many files the run needs.
        needed: u64,
        /// How many there may be.
        limit: u64,
    },
    /// A process to be watched cannot be.
    #[error("cannot read what process {pids} uses: {why}; is --pid the broker's?")]
    Process {
        /// Which.
        pids: String,
        /// What went wrong.
        why: io::Error,
    },
    /// A connection did not come about.
    #[error("after {ready} of {wanted} connections: {failure}")]
    Connection {
        /// How many stood.
        ready: u64,
        /// How many were wanted.
        wanted: u64,
        /// What went wrong.
        failure: String,
    },
    /// Something that is ours.
    #[error("the load generator itself failed: {0}")]
    Own(#[from] io::Error),
}

/// What was used and done up to one moment.
#[derive(Clone, Copy, Default)]
struct Sample {
    at_ns: u64,
    sent: u64,
    delivered: u64,
    server: Usage,
    own: Usage,
}

/// Runs the plan. `progress` is shown on stderr if that is a terminal.
pub fn run(plan: Plan, with_progress: bool) -> Result<Report, LoadError> {
    let wanted = plan.scenario.parts().len() as u64;
    make_room_for_files(wanted + FILES_SPARE)?;
    let target = find(&plan.endpoint)?;
    let conductor = Conductor::new(plan, wanted, with_progress);
    let before = conductor.sample()?;
    let (threads, failures) = conductor.start_threads(&target)?;
    let result = conductor.conduct(&failures);
    conductor.board.stop.store(true, Ordering::Relaxed);
    conductor.progress.finish_and_clear();
    let outcomes = join(threads);
    let stages = result?;
    Ok(conductor.conclude(before, stages, outcomes?))
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

/// Raises the soft limit on open files as far as it is needed and allowed.
fn make_room_for_files(needed: u64) -> Result<(), LoadError> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limits = getrlimit(Resource::Nofile);
    if limits.current.is_none_or(|current| needed <= current) {
        return Ok(());
    }
    if let Some(limit) = limits.maximum
        && limit < needed
    {
        return Err(LoadError::Files { needed, limit });
    }
    let raised = Rlimit {
        current: Some(needed),
        maximum: limits.maximum,
    };
    setrlimit(Resource::Nofile, raised).map_err(|error| LoadError::Own(error.into()))
}

/// The first address of the broker that takes connections.
fn find(endpoint: &Endpoint) -> Result<Target, LoadError> {
    let unreachable = |why| LoadError::Unreachable {
        endpoint: endpoint.clone(),
        why,
    };
    match endpoint {
        Endpoint::Tls { .. } => Err(LoadError::Tls(endpoint.clone())),
        Endpoint::Unix(path) => UnixStream::connect(path)
            .map(|_| Target::Unix(path.clone()))
            .map_err(unreachable),
        Endpoint::Tcp { host, port } => {
            let addresses = (host.as_str(), *port).to_socket_addrs();
            let addresses = addresses.map_err(|why| LoadError::Resolve {
                endpoint: endpoint.clone(),
                why,
            })?;
            let mut last = io::Error::other("the name has no address");
            for address in addresses {
                match TcpStream::connect_timeout(&address, CONNECT_PATIENCE) {
                    Ok(_) => return Ok(Target::Tcp(address)),
                    Err(error) => last = error,
                }
            }
            Err(unreachable(last))
        }
    }
}

/// The samples of a run.
#[derive(Clone, Copy)]
struct Stages {
    connected: Sample,
    /// The end was not waited for: messages were still on their way.
    is_cut: bool,
    /// Beginning and end of the measured time.
    measured: (Sample, Sample),
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

    fn conduct(&self, failures: &mpsc::Receiver<String>) -> Result<Stages, LoadError> {
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

    fn conclude(&self, before: Sample, stages: Stages, outcomes: Vec<Outcome>) -> Report {
        let plan = &*self.plan;
        let messages = count_messages(plan, &outcomes, stages.is_cut);
        let mut sum = Records::default();
        let mut unsent = 0;
        for outcome in outcomes {
            unsent += outcome.unsent;
            add(&mut sum, &outcome.records);
        }
        let messages = (plan.scenario.publishers() != 0).then(|| Messages {
            unsent,
            delivered: sum.delivered,
            duplicated: sum.duplicated,
            reordered: sum.reordered,
            foreign: sum.foreign,
            acknowledged: sum.settled,
            refused: sum.refused,
            unexpected_acknowledgements: sum.unexpected,
            ..messages
        });
        let (first, last) = match plan.scenario {
            Scenario::Connect { .. } => (before, stages.connected),
            _ => stages.measured,
        };
        let measured_s = (last.at_ns - first.at_ns) as f64 / 1e9;
        let delivered = last.delivered - first.delivered;
        let throughput = messages.is_some().then(|| Throughput {
            sent_per_s: (last.sent - first.sent) as f64 / measured_s,
            delivered_in_measured_time: delivered,
            deliveries_per_s: delivered as f64 / measured_s,
        });
        let each = if messages.is_some() {
            delivered
        } else {
            self.wanted
        };
        let us_each = |cpu_s: f64| cpu_s * 1e6 / each.max(1) as f64;
        let took_s = (stages.connected.at_ns - before.at_ns) as f64 / 1e9;
        let server = (!plan.pids.is_empty()).then(|| {
            let cpu_s = last.server.cpu_s_since(&first.server);
            let grown = last.server.rss_bytes as f64 - before.server.rss_bytes as f64;
            Server {
                cpu_user_s: last.server.user_s - first.server.user_s,
                cpu_system_s: last.server.system_s - first.server.system_s,
                cores: cpu_s / measured_s,
                cpu_us_each: us_each(cpu_s),
                waited_for_cpu_s: (last.server.waited_s - first.server.waited_s).max(0.0),
                rss_before_bytes: before.server.rss_bytes,
                rss_bytes: last.server.rss_bytes,
                rss_max_bytes: last.server.rss_max_bytes,
                rss_bytes_per_connection: grown / self.wanted as f64,
            }
        });
        let own_cpu_s = last.own.cpu_s_since(&first.own);
        let mut report = Report {
            scenario: plan.scenario.describe(),
            broker: plan.endpoint.to_string(),
            mqtt: match plan.version {
                Version::V31 => "3.1",
                Version::V311 => "3.1.1",
                Version::V5 => "5.0",
            },
            publish_qos: plan.publish_qos.level(),
            subscribe_qos: plan.subscribe_qos.level(),
            payload_bytes: plan.payload_bytes,
            rate_per_s: plan.rate_per_s,
            inflight: plan.inflight,
            warmup_s: plan.warmup.as_secs_f64(),
            measured_s,
            threads: plan.threads,
            connect: Connected {
                connections: self.wanted,
                took_s,
                connections_per_s: self.wanted as f64 / took_s,
                latency: Quantiles::of(&sum.connect),
            },
            messages,
            throughput,
            latency: Quantiles::of(&sum.latency),
            acknowledgement: Quantiles::of(&sum.acknowledged),
            is_saturated: false,
            server,
            generator: Generator {
                cpu_s: own_cpu_s,
                cores: own_cpu_s / measured_s,
                cpu_us_each: us_each(own_cpu_s),
                rss_bytes: last.own.rss_bytes,
            },
            broken_connections: sum.broken,
            notes: Vec::new(),
        };
        super::notes::add_notes(&mut report, plan.scenario, sum.first_break.as_deref());
        report
    }
}

/// What was sent, and on how many routes something is missing. If the run was cut, what would
/// have come after the last arrival of its route is not lost, but was still on its way.
fn count_messages(plan: &Plan, outcomes: &[Outcome], is_cut: bool) -> Messages {
    let sent: HashMap<u32, u64> = outcomes
        .iter()
        .flat_map(|outcome| outcome.sent.iter().copied())
        .collect();
    let total = sent.values().sum::<u64>();
    let mut messages = Messages {
        sent: total,
        expected: total * u64::from(plan.scenario.receivers()),
        ..Messages::default()
    };
    for route in outcomes.iter().flat_map(|outcome| &outcome.routes) {
        messages.routes += 1;
        let sent = sent.get(&route.publisher).copied().unwrap_or(0);
        let until = if is_cut { route.next } else { sent };
        let lost = until.saturating_sub(route.arrived);
        messages.lost += lost;
        messages.lossy_routes += u64::from(lost != 0);
        messages.on_their_way += sent.saturating_sub(until);
    }
    messages
}

fn add(sum: &mut Records, one: &Records) {
    let pairs: [(&mut Latencies, &Latencies); 3] = [
        (&mut sum.latency, &one.latency),
        (&mut sum.acknowledged, &one.acknowledged),
        (&mut sum.connect, &one.connect),
    ];
    for (sum, one) in pairs {
        sum.add(one);
    }
    sum.sent += one.sent;
    sum.delivered += one.delivered;
    sum.duplicated += one.duplicated;
    sum.reordered += one.reordered;
    sum.foreign += one.foreign;
    sum.settled += one.settled;
    sum.refused += one.refused;
    sum.unexpected += one.unexpected;
    sum.broken += one.broken;
    if sum.first_break.is_none() {
        sum.first_break.clone_from(&one.first_break);
    }
}
