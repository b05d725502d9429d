//! How the hub is: for supervisors and for Prometheus.

use std::fmt::Write;

use axum::{Json, http::header, response::IntoResponse};
use quartet_model::Time;
use serde_json::{Value, json};

use super::{Api, problem::Problem};

/// Bytes of memory that the process has in use.
pub fn resident_bytes() -> u64 {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|statm| statm.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// Whether all lanes answer.
#[utoipa::path(get, path = "/healthz", responses((status = 200, description = "All lanes answer")))]
pub(super) async fn healthz(api: Api) -> Result<Json<Value>, Problem> {
    for lane in 0..api.control.lanes() {
        api.control.ask(lane, |_, _| ()).await?;
    }
    Ok(Json(json!({ "status": "ok" })))
}

/// What was counted, as OpenMetrics.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, description = "OpenMetrics 1.0", content_type = "application/openmetrics-text"))
)]
pub(super) async fn metrics(api: Api) -> Result<impl IntoResponse, Problem> {
    let f = api.control.figures().await?;
    let uptime = api.control.clock().uptime();
    let (audit_first, audit_next) = api.views.audit().span();
    let (acme_gauges, acme_failures) = of_acme(&api);
    let mut gauges = vec![
        ("connections", "Connections that are open", f.connections),
        ("sessions", "Sessions, connected or not", f.sessions),
        ("subscriptions", "Subscriptions", f.subscriptions),
        ("routes_bytes", "Memory of the route tables", f.routes_bytes),
        (
            "retained_messages",
            "Topics with a retained message",
            f.retained,
        ),
        (
            "retained_bytes",
            "Memory of retained messages, about",
            f.retained_bytes,
        ),
        (
            "journal_bytes",
            "Room that the journal takes on the disk",
            api.control.journal_bytes(),
        ),
        (
            "journal_blob_bytes",
            "How much of that long payloads take, as files beside it",
            api.control.blob_bytes(),
        ),
        (
            "journal_waiting",
            "What waits for the journal to be safe: messages, answers",
            f.waiting,
        ),
        (
            "audit_lines",
            "Lines of the audit that are kept",
            audit_next - audit_first,
        ),
        (
            "audit_bytes",
            "Room that the audit takes on the disk",
            api.views.audit().bytes(),
        ),
        ("series", "Series of recent values", f.series),
        ("series_points", "Values in them", f.series_points),
        ("series_bytes", "Memory that they take", f.series_bytes),
        ("resident_bytes", "Memory of the process", resident_bytes()),
        ("uptime_seconds", "Time since the start", uptime.as_secs()),
    ];
    gauges.extend(acme_gauges);
    let mut counters = vec![
        (
            "connections_opened",
            "Connections that came in",
            f.connections_opened,
        ),
        (
            "series_points_let_go",
            "Values that made room for later ones",
            f.series_let_go,
        ),
        (
            "sessions_expired",
            "Sessions that ended while their client was away",
            f.sessions_expired,
        ),
        (
            "received_bytes",
            "Bytes read from connections",
            f.bytes_received,
        ),
        ("sent_bytes", "Bytes written to connections", f.bytes_sent),
        (
            "messages_published",
            "Messages that clients published",
            f.published,
        ),
        (
            "messages_published_bytes",
            "Payload of those",
            f.published_bytes,
        ),
        (
            "messages_delivered",
            "Messages sent to receivers",
            f.delivered,
        ),
        (
            "messages_delivered_bytes",
            "Payload of those",
            f.delivered_bytes,
        ),
        (
            "messages_queued",
            "Messages that had to wait for their client",
            f.queued,
        ),
        (
            "messages_expired",
            "Messages that nobody needed any more",
            f.expired,
        ),
        (
            "messages_too_large",
            "Messages larger than their receiver takes",
            f.too_large,
        ),
        (
            "messages_hidden",
            "Messages of which a receiver was not to see anything",
            f.hidden,
        ),
        (
            "messages_dropped_slow",
            "QoS 0 messages for clients that read too slowly or were away",
            f.dropped_socket,
        ),
        (
            "messages_dropped_queue",
            "Messages for clients whose queue was full",
            f.dropped_queue,
        ),
        (
            "messages_dropped_disk",
            "Messages that waited until the journal had no more room for them",
            f.dropped_disk,
        ),
        (
            "journal_written_bytes",
            "Records written to the journal",
            f.journal_bytes,
        ),
        (
            "refusals",
            "Publications and subscriptions that were not allowed",
            f.refused,
        ),
        ("faults", "Connections that broke the protocol", f.faults),
        (
            "pauses",
            "Times a client published faster than it may",
            f.pauses,
        ),
        ("loops_cut", "Events that went in a circle", f.loops_cut),
    ];
    counters.extend(acme_failures);
    let mut text = String::new();
    for (name, help, value) in gauges {
        let _ = writeln!(
            text,
            "# TYPE quartet_{name} gauge\n# HELP quartet_{name} {help}.\nquartet_{name} {value}"
        );
    }
    for (name, help, value) in counters {
        let _ = writeln!(
            text,
            "# TYPE quartet_{name} counter\n# HELP quartet_{name} {help}.\nquartet_{name}_total {value}"
        );
    }
    text += "# EOF\n";
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text))
}

/// A name, what it means, how much it is.
type Figure = (&'static str, &'static str, u64);

/// How the certificate for domains is, if there are any: gauges, and counters.
fn of_acme(api: &Api) -> (Vec<Figure>, Option<Figure>) {
    let Some(acme) = api.identity.acme() else {
        return (Vec::new(), None);
    };
    let state = acme.state();
    let seconds = |time: Option<Time>| time.map_or(0, |time| time.as_micros() / 1_000_000);
    let until = state.shown.map(|issued| issued.term().until);
    let gauges = vec![
        (
            "acme_certificate_expiry_seconds",
            "When the certificate for the domains is over, since 1970; 0 while there is none",
            seconds(until),
        ),
        (
            "acme_last_failure_seconds",
            "When the last order of a certificate began, since 1970, if it led to nothing; else 0",
            seconds(state.failed.map(|(at, _)| at)),
        ),
        (
            "acme_next_order_seconds",
            "When the next order of a certificate begins, since 1970",
            seconds(state.next),
        ),
    ];
    let failures = (
        "acme_failures",
        "Orders of a certificate that led to nothing",
        state.failures,
    );
    (gauges, Some(failures))
}
