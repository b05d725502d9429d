use std::{sync::Arc, time::Duration};

use quartet_model::Time;
use serde_json::Value as Json;

use crate::chunk::Chunk;

/// What is to be known of a series.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Question {
    /// Not before this time.
    pub from: Time,
    /// Not after this time, which is later.
    pub to: Time,
    /// So many reports are told one by one; more are told in so many parts of the time.
    pub points: usize,
    /// The length of the parts, if it matters: then all is told in parts.
    pub step: Option<Duration>,
}

/// A part of a series, which does not change any more. Copies share the values.
#[derive(Clone, Debug)]
pub struct Excerpt {
    pub(crate) chunks: Vec<Arc<Chunk>>,
    pub(crate) since: Time,
}

/// What is known.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// All that was reported since is known.
    pub since: Time,
    /// The last report before `from`: that is what it was then.
    pub before: Option<Point>,
    /// How many reports there are in the time that was asked for.
    pub count: u64,
    /// The reports.
    pub told: Told,
}

/// A report.
#[derive(Clone, PartialEq, Debug)]
pub struct Point {
    /// When.
    pub at: Time,
    /// What.
    pub value: Json,
}

/// Reports, one by one or many at once.
#[derive(Clone, PartialEq, Debug)]
pub enum Told {
    /// Each.
    Each(Vec<Point>),
    /// Parts of the time of this length in which something was reported.
    Buckets(Duration, Vec<Bucket>),
}

/// What was reported in a part of the time.
#[derive(Clone, PartialEq, Debug)]
pub struct Bucket {
    /// When it begins.
    pub from: Time,
    /// How many reports.
    pub count: u64,
    /// The least, the greatest and the mean of the numbers among them; yes is 1 and no is 0.
    pub numbers: Option<Numbers>,
    /// The last report.
    pub last: Point,
}

/// Of several numbers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Numbers {
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// The mean.
    pub avg: f64,
}

impl Excerpt {
    /// Answers a question about the time that it was taken for.
    ///
    /// Parts tell the least, the greatest and the mean: no peak is lost, however coarse they are, and
    /// parts of parts can be put together. What picks points for their looks (LTTB) has neither.
    pub fn ask(&self, question: &Question) -> Answer {
        let Question {
            from,
            to,
            points,
            step,
        } = *question;
        let all = || {
            let points = self.chunks.iter().flat_map(|chunk| chunk.points());
            points.take_while(|(at, _)| *at <= to)
        };
        let mut before = None;
        let mut count = 0;
        for chunk in &self.chunks {
            if from <= chunk.first && chunk.last <= to {
                count += u64::from(chunk.count);
                continue;
            }
            for (at, value) in chunk.points() {
                match at {
                    at if at < from => before = Some((at, value)),
                    at if at <= to => count += 1,
                    _ => break,
                }
            }
        }
        let before = before.map(|(at, value)| Point {
            at,
            value: value.to_json(),
        });
        let known = all().skip_while(|(at, _)| *at < from);
        let told = match step {
            None if count <= points as u64 => Told::Each(
                known
                    .map(|(at, value)| Point {
                        at,
                        value: value.to_json(),
                    })
                    .collect(),
            ),
            _ => {
                let whole_us = to.since(from).as_micros() as u64 + 1;
                let fitting = || Duration::from_micros(whole_us.div_ceil(points.max(1) as u64));
                let step = step.unwrap_or_else(fitting);
                Told::Buckets(step, buckets(known, from, step))
            }
        };
        Answer {
            since: self.since,
            before,
            count,
            told,
        }
    }
}

fn buckets<'c>(
    points: impl Iterator<Item = (Time, crate::Value<'c>)>,
    from: Time,
    step: Duration,
) -> Vec<Bucket> {
    let step_us = (step.as_micros() as u64).max(1);
    let mut all: Vec<Bucket> = Vec::new();
    let mut sum = Sum::default();
    let mut last = None;
    let mut nth = 0;
    for (at, value) in points {
        let this = at.since(from).as_micros() as u64 / step_us;
        if this != nth {
            all.extend(sum.take(from, nth * step_us, last));
            nth = this;
        }
        sum.add(value);
        last = Some((at, value));
    }
    all.extend(sum.take(from, nth * step_us, last));
    all
}

#[derive(Default)]
struct Sum {
    count: u64,
    numbers: u64,
    min: f64,
    max: f64,
    mean: f64,
}

impl Sum {
    fn add(&mut self, value: crate::Value<'_>) {
        self.count += 1;
        let Some(number) = value.as_number() else {
            return;
        };
        if self.numbers == 0 {
            (self.min, self.max) = (number, number);
        }
        self.numbers += 1;
        self.min = self.min.min(number);
        self.max = self.max.max(number);
        // A sum might be more than a number can be.
        let share = 1.0 / self.numbers as f64;
        self.mean += number * share - self.mean * share;
    }

    fn take(
        &mut self,
        from: Time,
        after_us: u64,
        last: Option<(Time, crate::Value<'_>)>,
    ) -> Option<Bucket> {
        let Self {
            count,
            numbers,
            min,
            max,
            mean,
        } = std::mem::take(self);
        let (at, value) = last.filter(|_| 0 < count)?;
        Some(Bucket {
            from: from.after(Duration::from_micros(after_us)),
            count,
            numbers: (0 < numbers).then_some(Numbers {
                min,
                max,
                avg: mean.clamp(min, max),
            }),
            last: Point {
                at,
                value: value.to_json(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Head, Value};

    fn at(us: u64) -> Time {
        Time::from_micros(us)
    }

    fn values() -> impl Strategy<Value = Json> {
        let text = prop_oneof![Just("idle"), Just("heating"), Just("")];
        prop_oneof![
            4 => (-400..1200_i32).prop_map(|tenths| (f64::from(tenths) / 10.0).into()),
            1 => prop::num::f64::NORMAL.prop_map(Json::from),
            1 => any::<bool>().prop_map(Json::from),
            1 => text.prop_map(Json::from),
        ]
    }

    fn value(json: &Json) -> Value<'_> {
        match json {
            Json::Bool(is) => Value::Bool(*is),
            Json::String(text) => Value::Text(text),
            json => Value::Number(json.as_f64().expect("it is a number")),
        }
    }

    proptest! {
        /// Whatever is noted, the answer is that of a list that is looked through.
        #[test]
        fn a_series_answers_as_a_list_would(
            noted in prop::collection::vec((0..3_000_000_u64, values()), 1..900),
            from in 0..900_000_000_u64,
            long in 1..900_000_000_u64,
            points in 1..40_usize,
            step in prop::option::of(1_000_000..100_000_000_u64),
        ) {
            let mut head = Head::new(1 << 24, 0);
            let mut list = Vec::new();
            let mut now = 0;
            for (wait, json) in &noted {
                now += wait;
                let value = value(json);
                head.note("things/a", "t", at(now), value);
                list.push((now, value));
            }
            let (from, to) = (from, from + long);
            let excerpt = head.excerpt("things/a", "t", at(from), at(to)).expect("there is one");
            let step = step.map(Duration::from_micros);
            let answer = excerpt.ask(&Question { from: at(from), to: at(to), points, step });

            let before = list.iter().rfind(|(at, _)| *at < from);
            let before = before.map(|(us, value)| Point { at: at(*us), value: value.to_json() });
            prop_assert_eq!(answer.before, before);
            let inside: Vec<_> = list.iter().filter(|(at, _)| (from..=to).contains(at)).collect();
            prop_assert_eq!(answer.count, inside.len() as u64);
            match answer.told {
                Told::Each(each) => {
                    let expected: Vec<_> =
                        inside.iter().map(|(us, value)| Point { at: at(*us), value: value.to_json() }).collect();
                    prop_assert_eq!(each, expected);
                }
                Told::Buckets(step, buckets) => {
                    let step_us = step.as_micros() as u64;
                    prop_assert!(buckets.len() <= points || step_us * (points as u64) < long + 1);
                    prop_assert_eq!(buckets.iter().map(|one| one.count).sum::<u64>(), answer.count);
                    for bucket in buckets {
                        let begins = bucket.from.as_micros();
                        let inside: Vec<_> =
                            inside.iter().filter(|(at, _)| (begins..begins + step_us).contains(at)).collect();
                        prop_assert_eq!(bucket.count, inside.len() as u64);
                        let last = inside.last().expect("it is not empty");
                        prop_assert_eq!(bucket.last, Point { at: at(last.0), value: last.1.to_json() });
                        let numbers: Vec<f64> = inside.iter().filter_map(|one| one.1.as_number()).collect();
                        prop_assert_eq!(bucket.numbers.is_some(), !numbers.is_empty());
                        if let Some(Numbers { min, max, avg }) = bucket.numbers {
                            prop_assert_eq!(min, numbers.iter().copied().fold(f64::INFINITY, f64::min));
                            prop_assert_eq!(max, numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max));
                            prop_assert!((min..=max).contains(&avg));
                            let share = numbers.len() as f64;
                            let mean: f64 = numbers.iter().map(|number| number / share).sum();
                            let most = numbers.iter().fold(1.0, |most: f64, number| most.max(number.abs()));
                            prop_assert!(((avg - mean) / most).abs() < 1e-9, "{} {}", avg, mean);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn no_peak_is_lost_however_coarse_the_parts_are() {
        let mut head = Head::new(1 << 24, 0);
        for s in 0..86_400_u64 {
            let number = if s == 40_000 { 99.0 } else { 20.0 };
            head.note("things/a", "t", at(s * 1_000_000), Value::Number(number));
        }
        let (from, to) = (at(0), at(86_400_000_000));
        let excerpt = head
            .excerpt("things/a", "t", from, to)
            .expect("there is one");
        let answer = excerpt.ask(&Question {
            from,
            to,
            points: 10,
            step: None,
        });
        assert_eq!(answer.count, 86_400);
        let Told::Buckets(_, buckets) = answer.told else {
            panic!("a day is told in parts");
        };
        assert_eq!(buckets.len(), 10);
        let most = buckets
            .iter()
            .filter_map(|one| one.numbers)
            .map(|one| one.max);
        assert_eq!(most.fold(0.0, f64::max), 99.0);
    }
}
