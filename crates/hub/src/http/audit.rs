//! The audit: who came in, who was given or lost which right, who acted, who was refused.

use axum::{
    Json,
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use quartet_model::Time;
use quartet_people::{
    audit::{Door, Entry, Link, What},
    holder::Holder,
    role::Deed,
};
use quartet_store::ReadError;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{Api, lists::limit, problem::Problem, rights::Demand, take::Query};
use crate::{
    audit::{Audit, csv},
    flow::Who,
};

/// Lines that one question looks at; more are for the next page.
const LOOKED_MAX: u64 = 200_000;
/// Lines that are read at once.
const READ_LINES: u64 = 1000;
/// Bytes of an export that leave together.
const PART_BYTES: usize = 64 * 1024;

/// Which entries are wanted.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    what: Option<String>,
    who: Option<String>,
    on: Option<String>,
    about: Option<String>,
    since: Option<String>,
    until: Option<String>,
    before: Option<u64>,
    limit: Option<u32>,
}

/// The same, as it was understood.
struct Filter {
    what: Option<What>,
    who: Option<String>,
    on: Option<String>,
    about: Option<String>,
    since: Time,
    until: Time,
}

impl Filter {
    fn of(wanted: Wanted) -> Result<Self, Problem> {
        let bad = |what: String| Problem::new(StatusCode::BAD_REQUEST, what);
        let what = wanted.what.map(|name| {
            What::of_name(&name).ok_or_else(|| {
                let all = What::ALL.map(What::name).join(", ");
                bad(format!("what is `{name}`; must be one of {all}"))
            })
        });
        let time = |name: &str, text: Option<String>, otherwise| match text {
            None => Ok(otherwise),
            Some(text) => Time::of_rfc3339(&text).ok_or_else(|| {
                bad(format!(
                    "{name} is `{text}`; must be like 2026-11-26T08:00:00Z"
                ))
            }),
        };
        Ok(Self {
            what: what.transpose()?,
            since: time("since", wanted.since, Time::ZERO)?,
            until: time("until", wanted.until, Time::NEVER)?,
            who: wanted.who,
            on: wanted.on,
            about: wanted.about,
        })
    }

    fn takes(&self, entry: &Entry) -> bool {
        let is_one =
            |one: &Option<String>, is: &dyn Fn(&str) -> bool| one.as_deref().is_none_or(is);
        self.what.is_none_or(|what| what == entry.what)
            && (self.since..=self.until).contains(&entry.at)
            && is_one(&self.who, &|who| entry.who == who)
            && is_one(&self.on, &|on| entry.is_on(on))
            && is_one(&self.about, &|one| entry.is_about(one))
    }
}

/// What happened, the last first.
#[utoipa::path(
    get,
    path = "/api/audit",
    params(
        ("what" = Option<String>, Query, description = "`came-in`, `not-let-in`, `refused`, `signed-in`, `signed-out`, `admitted`, `revoked`, `topics`, `granted`, `taken`, `account`, `invited`, `uninvited`, `role`, `rule`, `plan`, `forgotten`, `wanted`, `asked`, `begun` or `missing`"),
        ("who" = Option<String>, Query, description = "By this one only"),
        ("on" = Option<String>, Query, description = "To this element, topic or path only, or to what is below it"),
        ("about" = Option<String>, Query, description = "By this one, to it, or that it was related to"),
        ("since" = Option<String>, Query, description = "Not before this time"),
        ("until" = Option<String>, Query, description = "Not after this time"),
        ("before" = Option<u64>, Query, description = "Those before this number: `next` of the page before"),
        ("limit" = Option<u32>, Query, description = "How many at most: 1 to 1000, 100 if absent"),
    ),
    responses(
        (status = 200, description = "`entries`, `next` if there may be more, and the `head`: number and hash of the last line of all"),
        (status = 400, description = "An option is not valid"),
        (status = 503, description = "It cannot be read now, with the reason"),
    )
)]
pub(super) async fn list(api: Api, Query(wanted): Query<Wanted>) -> Result<Json<Value>, Problem> {
    let limit = limit(wanted.limit)? as usize;
    let before = wanted.before.unwrap_or(u64::MAX);
    let filter = Filter::of(wanted)?;
    let audit = api.views.audit().clone();
    let looked = tokio::task::spawn_blocking(move || look(&audit, &filter, before, limit));
    let looked = looked.await.map_err(|_| unread("it was broken off"))?;
    let (found, next, head) = looked.map_err(|error| unread(&error.to_string()))?;
    let mut answer = json!({ "entries": found });
    if let Some(next) = next {
        answer["next"] = next.into();
    }
    if let Some((n, hash)) = head {
        answer["head"] = json!({ "n": n, "hash": hash.to_hex().as_str() });
    }
    Ok(Json(answer))
}

type Page = (Vec<Value>, Option<u64>, Option<(u64, blake3::Hash)>);

/// Reads backwards.
fn look(audit: &Audit, filter: &Filter, before: u64, limit: usize) -> Result<Page, ReadError> {
    let head = audit.head()?;
    let (first, next) = audit.span();
    let begin = before.clamp(first, next);
    let mut end = begin;
    let mut found = Vec::new();
    while first < end && begin - end < LOOKED_MAX {
        let from = end.saturating_sub(READ_LINES).max(first);
        let mut lines = Vec::new();
        audit.read(from, &mut |n, line| {
            let is_wanted = n < end;
            if is_wanted {
                lines.push(line.to_owned());
            }
            is_wanted
        })?;
        for line in lines.iter().rev() {
            end -= 1;
            let Ok(link) = serde_json::from_str::<Link>(line) else {
                continue; // Who verifies it is told.
            };
            if filter.takes(&link.entry) {
                let shown = serde_json::from_str(line).unwrap_or_default();
                found.push(shown);
                if found.len() == limit {
                    return Ok((found, (first < end).then_some(end), head));
                }
            }
        }
        end = end.min(from);
    }
    Ok((found, (first < end).then_some(end), head))
}

/// How an export is written.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    #[serde(default)]
    format: Format,
    #[serde(default)]
    from: u64,
}

#[derive(Deserialize, Clone, Copy, Default, Debug)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Jsonl,
    Csv,
}

/// All of it, the first first: lines of JSON, which `quartet audit verify` can look at, or CSV.
#[utoipa::path(
    get,
    path = "/api/audit/export",
    params(
        ("format" = Option<String>, Query, description = "`jsonl` (if absent) or `csv`"),
        ("from" = Option<u64>, Query, description = "From this number on"),
    ),
    responses(
        (status = 200, description = "One entry a line", content_type = "application/jsonl"),
        (status = 400, description = "An option is not valid"),
    )
)]
pub(super) async fn export(api: Api, Query(how): Query<How>) -> Response {
    let (parts, taken) = mpsc::channel::<Result<Bytes, ReadError>>(4);
    let audit = api.views.audit().clone();
    tokio::task::spawn_blocking(move || {
        let mut part = match how.format {
            Format::Jsonl => String::new(),
            Format::Csv => csv::head(),
        };
        let mut is_read = true; // by somebody
        let done = audit.read(how.from, &mut |_, line| {
            match how.format {
                Format::Jsonl => part.push_str(line),
                Format::Csv => part.push_str(&csv::row(line)),
            }
            part.push('\n');
            if PART_BYTES <= part.len() {
                let full = std::mem::take(&mut part);
                is_read = parts.blocking_send(Ok(full.into())).is_ok();
            }
            is_read
        });
        // Whoever asked may have gone.
        let _ = parts.blocking_send(done.map(|()| part.into()));
    });
    let (kind, name) = match how.format {
        Format::Jsonl => ("application/jsonl", "audit.jsonl"),
        Format::Csv => ("text/csv; charset=utf-8", "audit.csv"),
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    let body = Body::from_stream(ReceiverStream::new(taken));
    (headers, body).into_response()
}

fn unread(why: &str) -> Problem {
    let what = format!("the audit cannot be read now: {why}");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, what)
}

/// What was asked for when somebody was refused.
pub(super) struct Tried<'t> {
    pub(super) door: Door,
    pub(super) demand: Option<&'t Demand>,
    pub(super) method: &'t str,
    pub(super) path: &'t str,
}

impl Api {
    /// Tells the audit of a refusal, if it is one of somebody and not of something.
    pub(super) fn note_refusal(&self, problem: &Problem, tried: &Tried<'_>) {
        let is_about_rights = matches!(
            problem.status(),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        );
        // A page that asks who is signed in refuses nobody.
        let only_asks = tried.path == "/api/session" && tried.method == "GET";
        if !is_about_rights || only_asks {
            return;
        }
        let name = match (problem.claimed(), self.who().holder()) {
            (Some(claimed), _) => claimed,
            (None, Some(holder)) => holder.element(),
            (None, None) => "",
        };
        let what = match self.who() {
            Who::Nobody => What::NotLetIn,
            _ => What::Refused,
        };
        let entry = Entry::new(self.control.clock().now(), what, name)
            .because(problem.detail())
            .through(tried.door, self.from);
        let entry = match tried.demand {
            Some(Demand::Deed(deed, topic)) => entry.on(topic).wanting(Some(*deed)),
            Some(Demand::Sight(key)) => entry.on(key).wanting(Some(Deed::Read)),
            _ => entry.on(tried.path).with(json!({ "method": tried.method })),
        };
        self.views.audit().notes().note(entry);
    }

    /// Tells the audit that somebody came in with a credential.
    pub(super) fn note_came_in(&self, holder: &Holder, door: Door) {
        let entry = Entry::new(self.control.clock().now(), What::CameIn, holder.element());
        let entry = entry.with(json!({ "credential": holder.credential() }));
        self.views
            .audit()
            .notes()
            .note(entry.through(door, self.from));
    }
}
