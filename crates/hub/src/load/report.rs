//! What a run found, as values, as JSON and as text.

use std::fmt;

use serde::Serialize;

use super::{
    records::Latencies,
    text::{bytes, count, ns},
};

/// What a run found.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[allow(missing_docs, reason = "the names are the report's own words")]
pub struct Report {
    pub scenario: String,
    pub broker: String,
    pub mqtt: &'static str,
    pub publish_qos: u8,
    pub subscribe_qos: u8,
    pub payload_bytes: usize,
    /// Messages per second that were to be published; 0 for flat out.
    pub rate_per_s: f64,
    pub inflight: u16,
    pub warmup_s: f64,
    /// How long was measured.
    pub measured_s: f64,
    pub threads: usize,
    pub connect: Connected,
    pub messages: Option<Messages>,
    pub throughput: Option<Throughput>,
    /// From the intended send time to the receipt.
    pub latency: Option<Quantiles>,
    /// From the intended send time to the broker's acknowledgement.
    pub acknowledgement: Option<Quantiles>,
    /// The broker could not keep up, or was not meant to: latencies are those of full queues.
    pub is_saturated: bool,
    pub server: Option<Server>,
    pub generator: Generator,
    pub broken_connections: u64,
    /// What should be known before the figures are believed.
    pub notes: Vec<String>,
}

/// How the connections came about.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[allow(missing_docs, reason = "the names are the report's own words")]
pub struct Connected {
    pub connections: u64,
    /// From the first socket to the last CONNACK or SUBACK.
    pub took_s: f64,
    pub connections_per_s: f64,
    /// From the beginning of a connection to its CONNACK.
    pub latency: Option<Quantiles>,
}

/// Messages of the whole run, warm-up and all.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[allow(missing_docs, reason = "the names are the report's own words")]
pub struct Messages {
    pub sent: u64,
    /// Due, but not sent before the time was up.
    pub unsent: u64,
    /// Messages sent, times subscribers of each.
    pub expected: u64,
    pub delivered: u64,
    pub lost: u64,
    /// Neither delivered nor lost when the run was cut short.
    pub on_their_way: u64,
    /// Pairs of publisher and subscriber.
    pub routes: u64,
    /// Of these, with losses.
    pub lossy_routes: u64,
    pub duplicated: u64,
    pub reordered: u64,
    /// Arrived, but none of this run's.
    pub foreign: u64,
    /// Acknowledged to the publishers.
    pub acknowledged: u64,
    /// Of these, with a reason code that refuses.
    pub refused: u64,
    /// Acknowledgements of what waited for none.
    pub unexpected_acknowledgements: u64,
}

/// Rates of the measured time.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[allow(missing_docs, reason = "the names are the report's own words")]
pub struct Throughput {
    pub sent_per_s: f64,
    pub delivered_in_measured_time: u64,
    pub deliveries_per_s: f64,
}

/// Latencies.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[allow(missing_docs, reason = "the names are the report's own words")]
pub struct Quantiles {
    pub count: u64,
    pub p50_us: f64,
    pub p90_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    pub max_us: f64,
}

/// What the broker used in the measured time, as `/proc` counts it.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[allow(missing_docs, reason = "the names are the report's own words")]
pub struct Server {
    pub cpu_user_s: f64,
    pub cpu_system_s: f64,
    /// How many cores were busy.
    pub cores: f64,
    /// Per delivery; per connection where nothing is delivered.
    pub cpu_us_each: f64,
    /// How long its threads were ready to run, but had no core, in sum.
    pub waited_for_cpu_s: f64,
    /// Before this run connected.
    pub rss_before_bytes: u64,
    /// At the end of the measured time.
    pub rss_bytes: u64,
    /// The most since the broker started.
    pub rss_max_bytes: u64,
    pub rss_bytes_per_connection: f64,
}

/// What the generator itself used in the measured time.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[allow(missing_docs, reason = "the names are the report's own words")]
pub struct Generator {
    pub cpu_s: f64,
    /// How many cores were busy; it cannot be more than there are threads.
    pub cores: f64,
    /// Per delivery; per connection where nothing is delivered.
    pub cpu_us_each: f64,
    pub rss_bytes: u64,
}

impl Quantiles {
    /// `None` if nothing was recorded.
    pub(super) fn of(latencies: &Latencies) -> Option<Self> {
        let us = |ns: u64| ns as f64 / 1e3;
        (latencies.count() != 0).then(|| Self {
            count: latencies.count(),
            p50_us: us(latencies.quantile(0.5)),
            p90_us: us(latencies.quantile(0.9)),
            p99_us: us(latencies.quantile(0.99)),
            p999_us: us(latencies.quantile(0.999)),
            max_us: us(latencies.max()),
        })
    }
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = |us: f64| ns(us * 1e3);
        write!(
            f,
            "p50 {} · p90 {} · p99 {} · p99.9 {} · max {}",
            us(self.p50_us),
            us(self.p90_us),
            us(self.p99_us),
            us(self.p999_us),
            us(self.max_us)
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_heading(f)?;
        let connect = &self.connect;
        writeln!(
            f,
            "connections  {} in {} · {}/s",
            count(connect.connections),
            ns(connect.took_s * 1e9),
            count(connect.connections_per_s as u64),
        )?;
        if let Some(latency) = &connect.latency {
            writeln!(f, "to CONNACK   {latency}")?;
        }
        self.write_messages(f)?;
        self.write_costs(f)?;
        for note in &self.notes {
            writeln!(f, "note         {note}")?;
        }
        Ok(())
    }
}

impl Report {
    fn write_heading(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} over MQTT {} at {}",
            self.scenario, self.mqtt, self.broker
        )?;
        if self.messages.is_none() {
            return Ok(());
        }
        let rate = if self.rate_per_s == 0.0 {
            "flat out".to_owned()
        } else {
            format!("{} messages/s", count(self.rate_per_s as u64))
        };
        let qos = if self.publish_qos == self.subscribe_qos {
            self.publish_qos.to_string()
        } else {
            format!("{} to {}", self.publish_qos, self.subscribe_qos)
        };
        writeln!(
            f,
            "QoS {qos}, payload {} bytes, {rate}, measured {:.1} s after {:.1} s of warm-up\n",
            self.payload_bytes, self.measured_s, self.warmup_s
        )
    }

    fn write_messages(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(messages) = &self.messages {
            writeln!(
                f,
                "messages     sent {} · expected {} · delivered {}",
                count(messages.sent),
                count(messages.expected),
                count(messages.delivered)
            )?;
            writeln!(
                f,
                "             lost {} (on {} of {} routes) · duplicated {} · reordered {}",
                count(messages.lost),
                count(messages.lossy_routes),
                count(messages.routes),
                count(messages.duplicated),
                count(messages.reordered)
            )?;
        }
        if let Some(throughput) = &self.throughput {
            writeln!(
                f,
                "throughput   {} deliveries/s · {} messages/s published",
                count(throughput.deliveries_per_s.round() as u64),
                count(throughput.sent_per_s.round() as u64)
            )?;
        }
        let mark = if self.is_saturated {
            " (saturated)"
        } else {
            ""
        };
        if let Some(latency) = &self.latency {
            writeln!(f, "latency      {latency}{mark}")?;
        }
        if let Some(acknowledgement) = &self.acknowledgement {
            writeln!(f, "acknowledged {acknowledgement}{mark}")?;
        }
        Ok(())
    }

    fn write_costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = if self.messages.is_some() {
            "delivery"
        } else {
            "connection"
        };
        if let Some(server) = &self.server {
            writeln!(
                f,
                "server       CPU {:.2} us/{each} · {:.2} cores (user {:.2} s, system {:.2} s, waited for a core {:.2} s)",
                server.cpu_us_each,
                server.cores,
                server.cpu_user_s,
                server.cpu_system_s,
                server.waited_for_cpu_s
            )?;
            writeln!(
                f,
                "             RSS {} (before {}, {} per connection; at most {})",
                bytes(server.rss_bytes as f64),
                bytes(server.rss_before_bytes as f64),
                bytes(server.rss_bytes_per_connection),
                bytes(server.rss_max_bytes as f64),
            )?;
        }
        let generator = &self.generator;
        writeln!(
            f,
            "generator    CPU {:.2} us/{each} · {:.2} cores in {} thread{} · RSS {}",
            generator.cpu_us_each,
            generator.cores,
            self.threads,
            if self.threads == 1 { "" } else { "s" },
            bytes(generator.rss_bytes as f64)
        )
    }
}
