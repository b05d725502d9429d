//! What an element reported of a property lately: how it came to what it is now.
//!
//! The lane gives what it knows of the time in question and goes on; all that takes long is done here.

use std::time::Duration;

use axum::{Json, http::StatusCode};
use quartet_data::{Answer, Excerpt, Numbers, Point, Question, Told};
use quartet_model::{Aspect, Time};
use quartet_people::{fields::Fields, role::Deed};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    elements::{key_of, topic},
    problem::Problem,
    take::{Path, Query},
};

/// How far back a question goes that does not say.
const FROM_BEFORE: Duration = Duration::from_secs(3600);
const POINTS: u32 = 500;
const POINTS_MAX: u32 = 2000;

/// Which values are wanted.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    field: Option<String>,
    from: Option<String>,
    to: Option<String>,
    points: Option<u32>,
    step_s: Option<u32>,
}

/// What was reported of a property lately. Values are kept in memory: they begin with the last start of
/// the hub, and the oldest make room for later ones.
#[utoipa::path(
    get,
    path = "/api/{kind}/{id}/properties/{name}/values",
    params(
        ("kind" = String, Path), ("id" = String, Path), ("name" = String, Path),
        ("field" = Option<String>, Query, description = "Of this member of an object: a JSON pointer such as `/used_bytes`"),
        ("from" = Option<String>, Query, description = "Not before this time; an hour before `to` if absent"),
        ("to" = Option<String>, Query, description = "Not after this time; now if absent"),
        ("points" = Option<u32>, Query, description = "So many reports are told one by one; more are told in so many parts of the time: 1 to 2000, 500 if absent"),
        ("step_s" = Option<u32>, Query, description = "How long the parts are, in seconds: then all is told in parts, 2000 at most"),
    ),
    responses(
        (status = 200, description = "`since`: all that was reported since is known. `count` reports, in columns: `at` (seconds since 1970) and `value`, or parts of `step_s` seconds: `at` (when it begins), `counts`, `min`, `max` and `avg` of numbers (yes is 1), and `last`. `before` is the last report before `from`, if it is known"),
        (status = 400, description = "An option is not valid"),
        (status = 403, description = "The property, or the field, is not to be seen by whoever asks"),
        (status = 404, description = "There is no such element, or no value of this property is known"),
    )
)]
pub(super) async fn values(
    api: Api,
    Path((kind, id, name)): Path<(String, String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Problem> {
    let key = key_of(&kind, &id)?;
    let at = topic(&key, Aspect::Property(&name));
    let question = wanted.question(api.control.clock().now())?;
    let field = wanted.field.unwrap_or_default();
    let fields = api.may(Deed::Read, &at).await?;
    check_field(&fields, &field, &at)?;
    let Question { from, to, .. } = question;
    let (pointer, property) = (field.clone(), name.clone());
    let look = move |flow: &mut crate::flow::Flow, now, key: &str| {
        let found = flow.values(key, &property, &pointer, (from, to), now);
        Some(found.ok_or_else(|| match flow.notes_no_values() {
            true => None,
            false => Some(flow.members_of_values(key, &property)),
        }))
    };
    let found: Result<Excerpt, _> = api.of_element(&key, look).await?;
    let excerpt = found.map_err(|members| unknown(&key, &name, &field, &fields, members))?;
    Ok(Json(told(excerpt.ask(&question), from, to)))
}

impl Wanted {
    fn question(&self, now: Time) -> Result<Question, Problem> {
        let bad = |what: String| Problem::new(StatusCode::BAD_REQUEST, what);
        let time = |name: &str, text: &Option<String>, otherwise| match text {
            None => Ok(otherwise),
            Some(text) => Time::of_rfc3339(text).ok_or_else(|| {
                bad(format!(
                    "{name} is `{text}`; must be like 2026-11-26T08:00:00Z"
                ))
            }),
        };
        let to = time("to", &self.to, now)?;
        let hour_us = FROM_BEFORE.as_micros() as u64;
        let hour_before = Time::from_micros(to.as_micros().saturating_sub(hour_us));
        let from = time("from", &self.from, hour_before)?;
        if to <= from {
            let (from, to) = (from.rfc3339(), to.rfc3339());
            return Err(bad(format!(
                "from is {from}; must be before to, which is {to}"
            )));
        }
        let points = self.points.unwrap_or(POINTS);
        if !(1..=POINTS_MAX).contains(&points) {
            return Err(bad(format!(
                "points is {points}; must be 1 to {POINTS_MAX}"
            )));
        }
        if let Some(step_s) = self.step_s {
            let whole_s = to.since(from).as_secs_f64();
            let least_s = (whole_s / f64::from(POINTS_MAX)).ceil().max(1.0);
            if f64::from(step_s) < least_s {
                return Err(bad(format!(
                    "step_s is {step_s}; must be {least_s} or more, so that there are {POINTS_MAX} parts at most"
                )));
            }
        }
        Ok(Question {
            from,
            to,
            points: points as usize,
            step: self.step_s.map(|s| Duration::from_secs(s.into())),
        })
    }
}

/// Whoever sees a part of a property sees the values of that part only.
fn check_field(fields: &Fields, field: &str, at: &str) -> Result<(), Problem> {
    if fields.is_all() || fields.iter().any(|pointer| pointer == field) {
        return Ok(());
    }
    let fields: Vec<&str> = fields.iter().collect();
    let what = format!(
        "only {} of {at} is to be seen by you; say one of them as `field`",
        fields.join(", ")
    );
    Err(Problem::new(StatusCode::FORBIDDEN, what))
}

/// Why there is nothing to be told. `members` are those of which values are known, if any are noted at all.
fn unknown(
    key: &str,
    name: &str,
    field: &str,
    fields: &Fields,
    members: Option<Vec<String>>,
) -> Problem {
    let what = match members {
        None => "no values are noted: limits.recent_values_bytes_max is 0".to_owned(),
        Some(mut members) => {
            members.retain(|member| fields.is_all() || fields.iter().any(|one| one == member));
            let of = match field {
                "" => format!("`{name}`"),
                field => format!("{field} of `{name}`"),
            };
            let but = match members.is_empty() {
                true => String::new(),
                false => format!("; say `field`: {}", members.join(", ")),
            };
            format!(
                "no values of {of} of {key} are known: numbers, booleans and short texts are noted when they are reported, positions and what persons report are not{but}"
            )
        }
    };
    Problem::new(StatusCode::NOT_FOUND, what)
}

fn seconds(at: Time) -> Value {
    (at.as_micros() as f64 / 1e6).into()
}

fn told(answer: Answer, from: Time, to: Time) -> Value {
    let Answer {
        since,
        before,
        count,
        told,
    } = answer;
    let mut all = json!({
        "since": since.rfc3339(), "from": from.rfc3339(), "to": to.rfc3339(), "count": count,
    });
    if let Some(Point { at, value }) = before {
        all["before"] = json!({ "at": seconds(at), "value": value });
    }
    match told {
        Told::Each(points) => {
            all["at"] = points.iter().map(|point| seconds(point.at)).collect();
            all["value"] = points.into_iter().map(|point| point.value).collect();
        }
        Told::Buckets(step, parts) => {
            all["step_s"] = step.as_secs_f64().into();
            all["at"] = parts.iter().map(|part| seconds(part.from)).collect();
            all["counts"] = parts.iter().map(|part| Value::from(part.count)).collect();
            let column = |of: fn(Numbers) -> f64| -> Value {
                let numbers = parts.iter().map(|part| part.numbers.map(of));
                numbers.map(Value::from).collect()
            };
            all["min"] = column(|all| all.min);
            all["max"] = column(|all| all.max);
            all["avg"] = column(|all| all.avg);
            all["last"] = parts.into_iter().map(|part| part.last.value).collect();
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wanted: Value, expected: Result<(u64, u64), &str>) {
        let wanted: Wanted = serde_json::from_value(wanted).unwrap();
        let question = wanted.question(Time::from_micros(7_200_000_000));
        match (question, expected) {
            (Ok(question), Ok((from_s, to_s))) => {
                assert_eq!(question.from.as_micros(), from_s * 1_000_000);
                assert_eq!(question.to.as_micros(), to_s * 1_000_000);
            }
            (Err(problem), Err(what)) => {
                assert_eq!(problem.status(), StatusCode::BAD_REQUEST);
                assert!(problem.detail().contains(what), "{}", problem.detail());
            }
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }

    #[test]
    fn a_question_is_about_the_last_hour_unless_it_says() {
        check(json!({}), Ok((3600, 7200)));
        check(json!({ "to": "1970-01-01T00:10:00Z" }), Ok((0, 600)));
        let day =
            json!({ "from": "1970-01-01T00:00:00Z", "to": "1970-01-02T00:00:00Z", "step_s": 60 });
        check(day, Ok((0, 86_400)));
    }

    #[test]
    fn what_is_wrong_with_a_question_is_said_with_what_would_be_right() {
        check(
            json!({ "from": "yesterday" }),
            Err("from is `yesterday`; must be like 2026-"),
        );
        check(json!({ "to": "1" }), Err("to is `1`; must be like"));
        check(
            json!({ "from": "1970-01-01T03:00:00Z" }),
            Err("must be before to, which is 1970-01-01T02:00:00Z"),
        );
        check(
            json!({ "points": 0 }),
            Err("points is 0; must be 1 to 2000"),
        );
        check(
            json!({ "points": 2001 }),
            Err("points is 2001; must be 1 to 2000"),
        );
        check(
            json!({ "step_s": 1 }),
            Err("step_s is 1; must be 2 or more"),
        );
    }

    #[test]
    fn of_a_part_only_that_part_is_told() {
        let some = Fields::of(["/code"]);
        assert!(check_field(&Fields::All, "", "things/a/properties/t").is_ok());
        assert!(check_field(&some, "/code", "things/a/properties/t").is_ok());
        for field in ["", "/patient", "/code/x", "/"] {
            let problem = check_field(&some, field, "things/a/properties/t").unwrap_err();
            assert_eq!(problem.status(), StatusCode::FORBIDDEN, "{field}");
        }
        let problem = unknown(
            "things/a",
            "t",
            "",
            &some,
            Some(vec!["/code".into(), "/patient".into()]),
        );
        assert!(!problem.detail().contains("patient"));
    }
}
