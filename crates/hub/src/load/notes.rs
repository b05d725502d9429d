//! What should be known before the figures of a run are believed.

use super::{plan::Scenario, report::Report, text::count};

/// A generator that is busier than this share of its threads may be what limits the figures.
const BUSY: f64 = 0.9;

/// A broker whose threads wait longer than this share of the time shares its cores.
const WAITED: f64 = 0.2;

/// Who delivers less than this share of what is offered does not keep up.
const KEEPS_UP: f64 = 0.98;

/// Says whether the run was saturated and adds what else is notable.
pub(super) fn add_notes(report: &mut Report, scenario: Scenario, first_break: Option<&str>) {
    let mut notes = Vec::new();
    let offered_per_s = report.rate_per_s * f64::from(scenario.receivers());
    if let (Some(messages), Some(throughput)) = (&report.messages, &report.throughput) {
        if report.rate_per_s == 0.0 {
            report.is_saturated = true;
            notes.push(
                "flat out: the latencies are those of full queues; give a --rate below the throughput to measure latency"
                    .to_owned(),
            );
        } else if throughput.deliveries_per_s < KEEPS_UP * offered_per_s {
            report.is_saturated = true;
            notes.push(format!(
                "{} deliveries/s were offered and {} came about: the broker, the machine or --inflight does not allow more",
                count(offered_per_s as u64),
                count(throughput.deliveries_per_s as u64)
            ));
        }
        if messages.on_their_way != 0 {
            notes.push(format!(
                "{} messages were still on their way when the run ended; --drain waits longer",
                count(messages.on_their_way)
            ));
        }
        if messages.unsent != 0 {
            notes.push(format!(
                "{} messages were due but could not be sent before the time was up",
                count(messages.unsent)
            ));
        }
        if messages.lost != 0 && 0 < report.publish_qos.min(report.subscribe_qos) {
            notes.push(format!(
                "{} messages were lost although QoS {} forbids it: a queue of the broker was full, perhaps",
                count(messages.lost),
                report.publish_qos.min(report.subscribe_qos)
            ));
        }
        if messages.refused != 0 {
            notes.push(format!(
                "the broker refused {} messages",
                count(messages.refused)
            ));
        }
        if messages.foreign != 0 {
            notes.push(format!(
                "{} messages arrived that are none of this run's",
                count(messages.foreign)
            ));
        }
        if messages.unexpected_acknowledgements != 0 {
            notes.push(format!(
                "the broker acknowledged {} messages that waited for no acknowledgement",
                count(messages.unexpected_acknowledgements)
            ));
        }
    }
    if let Some(server) = &report.server
        && WAITED < server.waited_for_cpu_s / report.measured_s
    {
        notes.push(format!(
            "the broker was ready to run but had to wait for a core for {:.1} s: something else, perhaps this generator, takes the processor",
            server.waited_for_cpu_s
        ));
    }
    if BUSY * report.threads as f64 <= report.generator.cores {
        notes.push(
            "the generator was busy all the time: it may be what limits the figures; try more --threads or another machine"
                .to_owned(),
        );
    }
    if report.broken_connections != 0 {
        notes.push(format!(
            "{} connections broke, the first of them: {}",
            count(report.broken_connections),
            first_break.unwrap_or("for no reason that was told")
        ));
    }
    report.notes = notes;
}
