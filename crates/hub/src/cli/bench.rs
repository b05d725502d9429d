//! `quartet bench`: measures any broker.

use std::time::Duration;

use clap::{Args, Subcommand};
use quartet_fabric::mqtt::Login;

use super::{
    out::say,
    values::{Level, Protocol, seconds},
};
use crate::{
    client::Endpoint,
    load::{self, Plan, STAMP_BYTES, Scenario},
};

/// Arguments of `quartet bench`.
#[derive(Args, Debug)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  How many messages per second does one topic carry to 1,000 subscribers?
    quartet bench fanout --subscribers 1000 --rate 0
  What is the latency at 10,000 messages per second, and what does it cost the broker?
    quartet bench pairs --clients 100 --rate 10000 --pid $(pidof quartet)
  How much memory does an idle connection take?
    quartet bench idle --clients 10000 --pid $(pidof quartet)

Latency counts from the time at which a message was meant to be sent, so it grows when the broker
(or this program) stalls. Figures taken flat out (--rate 0) are marked as saturated."
)]
pub struct BenchArgs {
    #[command(subcommand)]
    scenario: BenchScenario,
}

#[derive(Subcommand, Debug)]
enum BenchScenario {
    /// Many publishers to few subscribers: devices that report to a service
    #[command(name = "fanin")]
    FanIn {
        /// Clients that publish
        #[arg(long, visible_alias = "clients", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        publishers: u32,
        /// Clients that subscribe; they share the topics out among themselves
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        subscribers: u32,
        /// Topics: a multiple of the subscribers; unless given, each publisher has its own
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        topics: Option<u32>,
        #[command(flatten)]
        traffic: Traffic,
        #[command(flatten)]
        common: Common,
    },
    /// One topic to many subscribers: a service that tells everybody
    #[command(name = "fanout")]
    FanOut {
        /// Clients that publish
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        publishers: u32,
        /// Clients that subscribe
        #[arg(long, visible_alias = "clients", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        subscribers: u32,
        #[command(flatten)]
        traffic: Traffic,
        #[command(flatten)]
        common: Common,
    },
    /// Each publisher has a topic and one subscriber: people or devices that talk in pairs
    Pairs {
        /// Pairs of a publisher and a subscriber
        #[arg(long, visible_alias = "pairs", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        clients: u32,
        #[command(flatten)]
        traffic: Traffic,
        #[command(flatten)]
        common: Common,
    },
    /// Clients that connect all at once: what happens after a power cut
    Connect {
        /// Clients that connect
        #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
        clients: u32,
        #[command(flatten)]
        common: Common,
    },
    /// Clients that are connected and silent: what a connection costs in memory
    ///
    /// Start the broker afresh before: memory that it had for earlier connections, it uses again
    /// for these, and they seem to cost nothing.
    Idle {
        /// Clients that connect
        #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
        clients: u32,
        /// Subscriptions of each client
        #[arg(long, default_value_t = 0)]
        subscriptions: u32,
        /// How long the connections are held, in seconds
        #[arg(long, value_name = "S", default_value = "5", value_parser = seconds)]
        duration: Duration,
        #[command(flatten)]
        common: Common,
    },
}

/// What every scenario takes.
#[derive(Args, Debug)]
struct Common {
    /// The broker: mqtt://host:port or unix:///path
    #[arg(long, env = "QUARTET_URL", default_value = "mqtt://127.0.0.1:1883")]
    url: Endpoint,
    /// The broker's host; counts more than --url
    #[arg(long)]
    host: Option<String>,
    /// The broker's port; counts more than --url
    #[arg(long)]
    port: Option<u16>,
    /// Version of MQTT
    #[arg(long, value_enum, default_value_t = Protocol::V311)]
    version: Protocol,
    /// User name
    #[arg(long, env = "QUARTET_USER")]
    user: Option<String>,
    /// Password
    #[arg(long, env = "QUARTET_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Threads of the generator
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Connections that each thread opens at a time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    parallel: u16,
    /// Process of the broker, whose CPU time and memory are reported; may be repeated
    #[arg(long = "pid", value_name = "PID")]
    pids: Vec<u32>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What scenarios with messages take.
#[derive(Args, Debug)]
struct Traffic {
    /// QoS of publishers and subscribers
    #[arg(long, value_name = "0|1|2", default_value = "0")]
    qos: Level,
    /// QoS of the subscribers, if another
    #[arg(long, value_name = "0|1|2")]
    subscribe_qos: Option<Level>,
    /// Bytes of each payload, at least 16
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = payload_bytes)]
    payload: usize,
    /// Messages published per second, by all publishers together; 0 for as many as can be
    #[arg(long, value_name = "MSG/S", default_value_t = 1000.0, value_parser = rate)]
    rate: f64,
    /// At QoS 1 and 2: unacknowledged messages per publisher
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    inflight: u16,
    /// Seconds that are measured
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    duration: Duration,
    /// Seconds of publishing before that
    #[arg(long, value_name = "S", default_value = "2", value_parser = seconds)]
    warmup: Duration,
    /// Seconds that are waited for the last messages, at most
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    drain: Duration,
}

fn payload_bytes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes) if (STAMP_BYTES..=64 * 1024 * 1024).contains(&bytes) => Ok(bytes),
        _ => Err(format!(
            "a payload has {STAMP_BYTES} to 67108864 bytes: time and number of the message must fit in"
        )),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.0..=1e9).contains(&rate) => Ok(rate),
        _ => Err("a rate is a number of messages per second, or 0 for flat out".to_owned()),
    }
}

impl BenchArgs {
    /// Measures, and prints what was found.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (plan, json) = self.into_plan()?;
        let report = load::run(plan, !json)?;
        let text = if json {
            serde_json::to_string(&report)? + "\n"
        } else {
            report.to_string()
        };
        say(text.as_bytes())?;
        Ok(())
    }

    fn into_plan(self) -> anyhow::Result<(Plan, bool)> {
        match self.scenario {
            BenchScenario::FanIn {
                publishers,
                subscribers,
                topics,
                traffic,
                common,
            } => {
                let topics = topics.unwrap_or_else(|| publishers.max(subscribers));
                anyhow::ensure!(
                    topics.is_multiple_of(subscribers) || publishers <= topics,
                    "{topics} topics cannot be shared out evenly among {subscribers} subscribers; give a multiple of {subscribers} as --topics"
                );
                let scenario = Scenario::FanIn {
                    publishers,
                    subscribers,
                    topics,
                };
                Ok(common.into_plan(scenario, Some(traffic)))
            }
            BenchScenario::FanOut {
                publishers,
                subscribers,
                traffic,
                common,
            } => {
                let scenario = Scenario::FanOut {
                    publishers,
                    subscribers,
                };
                Ok(common.into_plan(scenario, Some(traffic)))
            }
            BenchScenario::Pairs {
                clients: pairs,
                traffic,
                common,
            } => Ok(common.into_plan(Scenario::Pairs { pairs }, Some(traffic))),
            BenchScenario::Connect { clients, common } => {
                Ok(common.into_plan(Scenario::Connect { clients }, None))
            }
            BenchScenario::Idle {
                clients,
                subscriptions,
                duration,
                common,
            } => {
                let scenario = Scenario::Idle {
                    clients,
                    subscriptions,
                };
                let (plan, json) = common.into_plan(scenario, None);
                Ok((Plan { duration, ..plan }, json))
            }
        }
    }
}

impl Common {
    /// The plan, and whether its report is to be JSON.
    fn into_plan(self, scenario: Scenario, traffic: Option<Traffic>) -> (Plan, bool) {
        let endpoint = if self.host.is_some() || self.port.is_some() {
            Endpoint::Tcp {
                host: self.host.unwrap_or_else(|| "127.0.0.1".to_owned()),
                port: self.port.unwrap_or(1883),
            }
        } else {
            self.url
        };
        let mut plan = Plan {
            endpoint,
            version: self.version.into(),
            login: Login {
                user_name: self.user.map(Into::into),
                password: self.password.map(Into::into),
            },
            scenario,
            publish_qos: Level::default().0,
            subscribe_qos: Level::default().0,
            payload_bytes: STAMP_BYTES,
            rate_per_s: 0.0,
            inflight: 1,
            duration: Duration::ZERO,
            warmup: Duration::ZERO,
            drain: Duration::ZERO,
            threads: usize::from(self.threads),
            parallel: usize::from(self.parallel),
            pids: self.pids,
        };
        if let Some(traffic) = traffic {
            plan.publish_qos = traffic.qos.0;
            plan.subscribe_qos = traffic.subscribe_qos.unwrap_or(traffic.qos).0;
            plan.payload_bytes = traffic.payload;
            plan.rate_per_s = traffic.rate;
            plan.inflight = traffic.inflight;
            plan.duration = traffic.duration;
            plan.warmup = traffic.warmup;
            plan.drain = traffic.drain;
        }
        (plan, self.json)
    }
}
