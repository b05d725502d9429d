use super::{reader::Reader, template::Expr};
use crate::{
    expr::enclosed,
    yaml::{Node, What},
};

/// How long something takes.
#[derive(Clone, PartialEq, Debug)]
pub enum Duration {
    /// So long.
    Fixed(Span),
    /// As long as this says, as ISO 8601 has it or as an object.
    Expr(Expr),
}

/// A length of time: months are as long as they are, days have 24 hours.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Span {
    /// Calendar months; 12 for each year.
    pub months: u32,
    /// All else, in milliseconds.
    pub ms: u64,
}

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

impl Span {
    /// The length of time, a month being 30 days where no calendar is at hand.
    pub fn roughly(self) -> std::time::Duration {
        let ms = u64::from(self.months).saturating_mul(30 * DAY_MS);
        std::time::Duration::from_millis(ms.saturating_add(self.ms))
    }

    /// Reads a duration of ISO 8601 as the standard's schema has it: `P1Y2M3W4DT5H6M7.5S`.
    /// `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('P')?;
        let (date, time) = match rest.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (rest, None),
        };
        if rest.is_empty() || time == Some("") {
            return None;
        }
        let mut span = Self::default();
        let mut ms = 0.0;
        let part = |text: &mut &str, unit: char| -> Option<Option<f64>> {
            let Some((digits, after)) = text.split_once(unit) else {
                return Some(None);
            };
            let is_number = {
                let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
                let all =
                    |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                all(whole) && all(part)
            };
            if !is_number {
                return None;
            }
            *text = after;
            digits.parse().ok().map(Some)
        };
        let mut left = date;
        let years = part(&mut left, 'Y')?.unwrap_or(0.0);
        let months = part(&mut left, 'M')?.unwrap_or(0.0);
        let months = years * 12.0 + months;
        span.months = months.trunc() as u32;
        ms += months.fract() * 30.0 * DAY_MS as f64;
        ms += part(&mut left, 'W')?.unwrap_or(0.0) * (7 * DAY_MS) as f64;
        ms += part(&mut left, 'D')?.unwrap_or(0.0) * DAY_MS as f64;
        let mut later = time.unwrap_or("");
        ms += part(&mut later, 'H')?.unwrap_or(0.0) * HOUR_MS as f64;
        ms += part(&mut later, 'M')?.unwrap_or(0.0) * MINUTE_MS as f64;
        ms += part(&mut later, 'S')?.unwrap_or(0.0) * SECOND_MS as f64;
        span.ms = ms.round() as u64;
        (left.is_empty() && later.is_empty()).then_some(span)
    }
}

/// Reads a duration: an object of numbers, a text of ISO 8601, or an expression.
pub(crate) fn read(reader: &mut Reader, node: &Node) -> Option<Duration> {
    match &node.what {
        What::Map(_) => inline(reader, node).map(Duration::Fixed),
        What::Text(text) if enclosed(&text.text).is_some() => {
            reader.enclosed(node).map(Duration::Expr)
        }
        What::Text(text) => {
            let span = Span::parse(&text.text);
            if span.is_none() {
                let what = format!(
                    "`{}` is no duration; write `PT10M` for ten minutes (ISO 8601), or `{{ minutes: 10 }}`",
                    text.text
                );
                reader.wrong(node.place, what);
            }
            span.map(Duration::Fixed)
        }
        _ => {
            let what = format!(
                "a duration is an object like `{{ minutes: 10 }}` or text like `PT10M`; this is {}",
                node.kind()
            );
            reader.wrong(node.place, what);
            None
        }
    }
}

fn inline(reader: &mut Reader, node: &Node) -> Option<Span> {
    let mut fields = reader.object(node, "a duration")?;
    let mut ms: u64 = 0;
    let mut is_good = true;
    let units = [
        ("days", DAY_MS),
        ("hours", HOUR_MS),
        ("minutes", MINUTE_MS),
        ("seconds", SECOND_MS),
        ("milliseconds", 1),
    ];
    for (unit, unit_ms) in units {
        let Some(node) = fields.take(unit) else {
            continue;
        };
        match reader.integer(node).map(u64::try_from) {
            Some(Ok(count)) => ms = ms.saturating_add(count.saturating_mul(unit_ms)),
            Some(Err(_)) => {
                reader.wrong(node.place, "time does not go back; this is less than 0");
                is_good = false;
            }
            None => is_good = false,
        }
    }
    if fields.map().entries.is_empty() {
        let what = "a duration names `days`, `hours`, `minutes`, `seconds` or `milliseconds`";
        reader.wrong(node.place, what);
    }
    fields.end(reader);
    is_good.then_some(Span { months: 0, ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, months: u32, ms: u64) {
        assert_eq!(Span::parse(text), Some(Span { months, ms }), "{text}");
    }

    #[test]
    fn durations_of_iso_8601_are_read() {
        check("PT10M", 0, 600_000);
        check("PT0.5S", 0, 500);
        check("P1DT2H", 0, 26 * 3_600_000);
        check("P1Y2M", 14, 0);
        check("P2W", 0, 14 * 86_400_000);
        check("P1M", 1, 0);
        for wrong in [
            "", "P", "PT", "10m", "PT10", "P10", "PTM", "PT5M3H", "P1.D", "PT1H ", "-PT1H",
        ] {
            assert_eq!(Span::parse(wrong), None, "{wrong}");
        }
    }
}
