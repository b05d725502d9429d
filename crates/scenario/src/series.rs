//! Times and values of a CSV file (RFC 4180), line by line: what cannot be used is named by its line, and what would be right.

use std::io::Read;

use csv::StringRecord;
use jiff::{civil::DateTime, tz::TimeZone};
use quartet_model::Time;
use serde_json::{Number, Value};

/// Which columns are read: by the name in the first line, or by number from 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Columns {
    /// The time.
    pub time: String,
    /// The value.
    pub value: String,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            time: "1".to_owned(),
            value: "2".to_owned(),
        }
    }
}

/// A value at a time.
#[derive(Clone, PartialEq, Debug)]
pub struct Point {
    /// In which line it stands.
    pub line: u64,
    /// When it was.
    pub at: Time,
    /// What it was: a number, or true or false.
    pub value: Value,
}

/// A line that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct BadLine {
    /// Which.
    pub line: u64,
    /// What is wrong with it, and what would be right.
    pub what: String,
}

/// Points of a file in their order.
pub struct Series<R> {
    reader: csv::Reader<R>,
    record: StringRecord,
    /// A first line that is no head.
    first: Option<(u64, StringRecord)>,
    time: usize,
    value: usize,
    last: Time,
}

impl<R: Read> Series<R> {
    /// Reads the first line, and finds the columns in it.
    ///
    /// # Errors
    ///
    /// There is no such column, or no line at all.
    pub fn new(from: R, columns: &Columns) -> Result<Self, BadLine> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(from);
        let mut head = StringRecord::new();
        let bad = |what: String| BadLine { line: 1, what };
        match reader.read_record(&mut head) {
            Ok(true) => {}
            Ok(false) => {
                let what = "there is nothing in this file; write a time and a value in each line";
                return Err(bad(what.to_owned()));
            }
            Err(error) => return Err(told(&error, 1)),
        }
        let line = head.position().map_or(1, csv::Position::line);
        let find = |column: &str| {
            if let Some(at) = head.iter().position(|name| name == column) {
                return Ok(at);
            }
            match column.parse::<usize>() {
                Ok(number) if (1..=head.len()).contains(&number) => Ok(number - 1),
                Ok(_) | Err(_) => {
                    let names: Vec<&str> = head.iter().collect();
                    Err(bad(format!(
                        "there is no column `{column}`; the first line has {}",
                        names.join(", ")
                    )))
                }
            }
        };
        let (time, value) = (find(&columns.time)?, find(&columns.value)?);
        let is_head = head.get(time).and_then(time_of).is_none();
        Ok(Self {
            reader,
            record: StringRecord::new(),
            first: (!is_head).then_some((line, head)),
            time,
            value,
            last: Time::ZERO,
        })
    }

    fn point(&mut self, line: u64, record: &StringRecord) -> Result<Point, BadLine> {
        let bad = |what: String| BadLine { line, what };
        let field = |at: usize, what: &str| {
            let field = record.get(at).filter(|field| !field.is_empty());
            field.ok_or_else(|| bad(format!("column {} is empty; it has the {what}", at + 1)))
        };
        let text = field(self.time, "time")?;
        let at = time_of(text).ok_or_else(|| {
            bad(format!(
                "`{}` is no time since 1970; write 2026-01-19T08:00:00Z or 2026-01-19 08:00:00",
                short(text)
            ))
        })?;
        let text = field(self.value, "value")?;
        let value = value_of(text).ok_or_else(|| {
            bad(format!(
                "`{}` is no value; write a number, or true or false",
                short(text)
            ))
        })?;
        if at < self.last {
            return Err(bad(format!(
                "{} is before the line above it; times go forward",
                at.rfc3339()
            )));
        }
        self.last = at;
        Ok(Point { line, at, value })
    }
}

impl<R: Read> Iterator for Series<R> {
    type Item = Result<Point, BadLine>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((line, record)) = self.first.take() {
            return Some(self.point(line, &record));
        }
        let mut record = std::mem::take(&mut self.record);
        let line = self.reader.position().line();
        let read = self.reader.read_record(&mut record);
        let point = match read {
            Ok(false) => None,
            Ok(true) => {
                let line = record.position().map_or(line, csv::Position::line);
                Some(self.point(line, &record))
            }
            Err(error) => {
                let bad = told(&error, line);
                match error.is_io_error() {
                    // It would fail for ever.
                    true if self.last == Time::NEVER => None,
                    true => {
                        self.last = Time::NEVER;
                        Some(Err(bad))
                    }
                    false => Some(Err(bad)),
                }
            }
        };
        self.record = record;
        point
    }
}

fn told(error: &csv::Error, line: u64) -> BadLine {
    let line = error.position().map_or(line, csv::Position::line);
    let what = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "is no text in UTF-8".to_owned(),
        csv::ErrorKind::Io(error) => format!("cannot be read: {error}"),
        other => format!("{other:?}"),
    };
    BadLine { line, what }
}

fn short(text: &str) -> &str {
    text.char_indices()
        .nth(40)
        .map_or(text, |(at, _)| &text[..at])
}

/// RFC 3339, or as tables have it: then in UTC.
fn time_of(text: &str) -> Option<Time> {
    if let Some(time) = Time::of_rfc3339(text) {
        return Some(time);
    }
    let civil: DateTime = text.parse().ok()?;
    let at = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
    u64::try_from(at.as_microsecond())
        .ok()
        .map(Time::from_micros)
}

fn value_of(text: &str) -> Option<Value> {
    match text.to_ascii_lowercase().as_str() {
        "true" => return Some(true.into()),
        "false" => return Some(false.into()),
        _ => {}
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    let number: f64 = text.parse().ok()?;
    Number::from_f64(number).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str, columns: &Columns) -> Vec<Result<(u64, String, Value), String>> {
        let series = match Series::new(text.as_bytes(), columns) {
            Ok(series) => series,
            Err(bad) => return vec![Err(bad.to_string())],
        };
        let all = series.map(|point| match point {
            Ok(Point { line, at, value }) => Ok((line, at.rfc3339(), value)),
            Err(bad) => Err(bad.to_string()),
        });
        all.collect()
    }

    #[test]
    fn times_and_values_are_read_with_and_without_a_head() {
        let expected = vec![
            Ok((2, "2026-01-19T08:00:00Z".to_owned(), json!(20.5))),
            Ok((3, "2026-01-19T09:00:00Z".to_owned(), json!(21))),
            Ok((4, "2026-01-19T09:00:00.5Z".to_owned(), json!(true))),
        ];
        let text = "timestamp,value\n2026-01-19 08:00:00,20.5\n2026-01-19T10:00:00+01:00, 21\n\"2026-01-19T09:00:00.5\",TRUE\n";
        assert_eq!(read(text, &Columns::default()), expected);
        let text = "x,v,t\n,20.5,2026-01-19 08:00\n";
        let columns = Columns {
            time: "t".into(),
            value: "v".into(),
        };
        assert_eq!(read(text, &columns), expected[..1]);
        let text = "2026-01-19 08:00,7\n";
        assert_eq!(read(text, &Columns::default()).len(), 1);
    }

    #[test]
    fn what_cannot_be_used_is_named_by_its_line() {
        let text = "t,v\n2026-01-19 08:00,1\nyesterday,2\n2026-01-19 09:00,warm\n2026-01-19 09:30\n2026-01-19 07:00,3\n2026-01-19 09:00,NaN\n2026-01-19 10:00,4\n";
        let read = read(text, &Columns::default());
        let bad: Vec<&str> = read
            .iter()
            .filter_map(|line| line.as_ref().err())
            .map(String::as_str)
            .collect();
        assert_eq!(
            bad,
            [
                "line 3: `yesterday` is no time since 1970; write 2026-01-19T08:00:00Z or 2026-01-19 08:00:00",
                "line 4: `warm` is no value; write a number, or true or false",
                "line 5: column 2 is empty; it has the value",
                "line 6: 2026-01-19T07:00:00Z is before the line above it; times go forward",
                "line 7: `NaN` is no value; write a number, or true or false",
            ]
        );
        assert_eq!(read.len() - bad.len(), 2);
    }

    #[test]
    fn a_column_that_is_not_there_and_an_empty_file_are_told() {
        let columns = Columns {
            time: "time".into(),
            value: "2".into(),
        };
        assert_eq!(
            read("a,b\n", &columns),
            [Err(
                "line 1: there is no column `time`; the first line has a, b".to_owned()
            )]
        );
        assert!(read("", &Columns::default())[0].is_err());
        assert!(read("a\n", &Columns::default())[0].is_err());
    }
}
