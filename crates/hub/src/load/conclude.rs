//! Draws the conclusions of a run: from samples and the threads' records to a report.

use std::collections::HashMap;

use quartet_fabric::mqtt::Version;

use super::{
    notes,
    plan::{Plan, Scenario},
    process::Usage,
    records::{Latencies, Records},
    report::{Connected, Generator, Messages, Quantiles, Report, Server, Throughput},
    worker::Outcome,
};

/// What was used and done up to one moment.
#[derive(Clone, Copy, Default)]
pub(super) struct Sample {
    pub(super) at_ns: u64,
    pub(super) sent: u64,
    pub(super) delivered: u64,
    pub(super) server: Usage,
    pub(super) own: Usage,
}

/// The samples of a run.
#[derive(Clone, Copy)]
pub(super) struct Stages {
    /// Before the first connection.
    pub(super) before: Sample,
    /// When all were connected.
    pub(super) connected: Sample,
    /// The end was not waited for: messages were still on their way.
    pub(super) is_cut: bool,
    /// Beginning and end of the measured time.
    pub(super) measured: (Sample, Sample),
}

/// What a run of `connections` found.
pub(super) fn conclude(
    plan: &Plan,
    connections: u64,
    stages: &Stages,
    outcomes: &[Outcome],
) -> Report {
    let mut records = Records::default();
    for outcome in outcomes {
        add(&mut records, &outcome.records);
    }
    let has_messages = plan.scenario.publishers() != 0;
    let (first, last) = match plan.scenario {
        Scenario::Connect { .. } => (stages.before, stages.connected),
        _ => stages.measured,
    };
    let measured_s = seconds(first, last);
    let delivered = last.delivered - first.delivered;
    let each = if has_messages { delivered } else { connections };
    let took_s = seconds(stages.before, stages.connected);
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
            connections,
            took_s,
            connections_per_s: connections as f64 / took_s,
            latency: Quantiles::of(&records.connect),
        },
        messages: has_messages.then(|| messages(plan, outcomes, &records, stages.is_cut)),
        throughput: has_messages.then(|| Throughput {
            sent_per_s: (last.sent - first.sent) as f64 / measured_s,
            delivered_in_measured_time: delivered,
            deliveries_per_s: delivered as f64 / measured_s,
        }),
        latency: Quantiles::of(&records.latency),
        acknowledgement: Quantiles::of(&records.acknowledged),
        is_saturated: false,
        server: (!plan.pids.is_empty())
            .then(|| server(connections, stages.before, (first, last), each)),
        generator: Generator {
            cpu_s: own_cpu_s,
            cores: own_cpu_s / measured_s,
            cpu_us_each: us_each(own_cpu_s, each),
            rss_bytes: last.own.rss_bytes,
        },
        broken_connections: records.broken,
        notes: Vec::new(),
    };
    notes::add_notes(&mut report, plan.scenario, records.first_break.as_deref());
    report
}

fn seconds(from: Sample, until: Sample) -> f64 {
    (until.at_ns - from.at_ns) as f64 / 1e9
}

fn us_each(cpu_s: f64, each: u64) -> f64 {
    cpu_s * 1e6 / each.max(1) as f64
}

fn server(connections: u64, before: Sample, (first, last): (Sample, Sample), each: u64) -> Server {
    let (old, new) = (first.server, last.server);
    let cpu_s = new.cpu_s_since(&old);
    let grown = new.rss_bytes as f64 - before.server.rss_bytes as f64;
    Server {
        cpu_user_s: new.user_s - old.user_s,
        cpu_system_s: new.system_s - old.system_s,
        cores: cpu_s / seconds(first, last),
        cpu_us_each: us_each(cpu_s, each),
        waited_for_cpu_s: (new.waited_s - old.waited_s).max(0.0),
        rss_before_bytes: before.server.rss_bytes,
        rss_bytes: new.rss_bytes,
        rss_max_bytes: new.rss_max_bytes,
        rss_bytes_per_connection: grown / connections as f64,
    }
}

/// What was sent, and on how many routes something is missing. If the run was cut, what would
/// have come after the last arrival of its route is not lost, but was still on its way.
fn messages(plan: &Plan, outcomes: &[Outcome], records: &Records, is_cut: bool) -> Messages {
    let sent: HashMap<u32, u64> = outcomes
        .iter()
        .flat_map(|outcome| outcome.sent.iter().copied())
        .collect();
    let total = sent.values().sum::<u64>();
    let mut messages = Messages {
        sent: total,
        unsent: outcomes.iter().map(|outcome| outcome.unsent).sum(),
        expected: total * u64::from(plan.scenario.receivers()),
        delivered: records.delivered,
        duplicated: records.duplicated,
        reordered: records.reordered,
        foreign: records.foreign,
        acknowledged: records.settled,
        refused: records.refused,
        unexpected_acknowledgements: records.unexpected,
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
