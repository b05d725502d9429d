use jiff::{Timestamp, Zoned, civil::DateTime, fmt::strtime, tz::TimeZone};
use minijinja::{Environment, Error, Value};

use super::words::{nothing, number, wrong};

/// Moments are texts here (RFC 3339), and the place of the hub is not known: all is in UTC.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("timestamp_local", said);
    environment.add_filter("timestamp_utc", said);
    environment.add_filter("timestamp_custom", custom);
    environment.add_filter("as_datetime", |value: Value| {
        moment(&value).and_then(|moment| write(moment, RFC_3339))
    });
    environment.add_filter("as_timestamp", seconds);
    environment.add_function("as_timestamp", seconds);
}

const RFC_3339: &str = "%Y-%m-%dT%H:%M:%S%:z";
/// The longest pattern; each of its letters says little.
const PATTERN_BYTES_MAX: usize = 64;

fn said(value: Value) -> Result<String, Error> {
    write(moment(&value)?, RFC_3339)
}

fn custom(value: Value, pattern: String, _is_local: Option<bool>) -> Result<String, Error> {
    write(moment(&value)?, &pattern)
}

fn seconds(value: Value) -> Result<f64, Error> {
    moment(&value).map(|moment| moment.as_millisecond() as f64 / 1000.0)
}

/// The moment that seconds since 1970 or a text in one of the usual forms say.
fn moment(value: &Value) -> Result<Timestamp, Error> {
    if value.is_undefined() || value.is_none() {
        return Err(nothing());
    }
    if let Some(text) = value.as_str() {
        let text = text.trim();
        let local = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(moment);
        }
        if let Some(moment) = local() {
            return Ok(moment.timestamp());
        }
    }
    let seconds = number(value)?;
    let moment = Timestamp::from_millisecond((seconds * 1000.0) as i64);
    moment.map_err(|_| wrong("is no moment that can be told"))
}

fn write(moment: Timestamp, pattern: &str) -> Result<String, Error> {
    if PATTERN_BYTES_MAX < pattern.len() || pattern.contains(|c: char| c.is_ascii_digit()) {
        return Err(wrong("the pattern of a moment is too long, or has widths"));
    }
    let moment: Zoned = moment.to_zoned(TimeZone::UTC);
    strtime::format(pattern, &moment).map_err(|error| wrong(error.to_string()))
}
