//! Points in few bytes: what changes is written, and little of it.
//!
//! ```text
//! point   = [time] value                      the first has no time: it is in the head of the chunk
//! time    = varint, zigzag                    by how many µs the step differs from the one before
//! value   = 0 f64                             a number as it is
//!         | 1 | 2                             false, true
//!         | 3 length text | 4 number          a text, or one that was before, by its number
//!         | varint, zigzag, + 5               by how much a decimal number differs, in its last place
//! ```
//!
//! Sensors say decimal numbers: 21.5 is 215 with one place. A chunk has one number of places; one that needs
//! more begins the next chunk.

use quartet_model::Time;

use crate::Value;

/// Points of a chunk.
pub(crate) const POINTS_MAX: u32 = 256;
/// Decimal places that are looked for.
const PLACES_MAX: u8 = 6;
const POWERS: [f64; PLACES_MAX as usize + 1] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
/// Whole numbers up to here are exact in 64 bits of floating point.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

const RAW: u64 = 0;
const FALSE: u64 = 1;
const TRUE: u64 = 2;
const TEXT: u64 = 3;
const KNOWN: u64 = 4;
const DECIMAL: u64 = 5;

/// A run of points, in the order of their times.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Chunk {
    pub(crate) first: Time,
    pub(crate) last: Time,
    pub(crate) count: u32,
    places: u8,
    bytes: Vec<u8>,
}

impl Chunk {
    /// Memory that it takes.
    pub(crate) const fn memory(&self) -> usize {
        size_of::<Self>() + self.bytes.capacity()
    }

    /// Its points.
    pub(crate) const fn points(&self) -> Points<'_> {
        Points {
            chunk: self,
            left: self.count,
            rest: self.bytes.as_slice(),
            at: self.first,
            step_us: 0,
            whole: 0,
            texts: Vec::new(),
        }
    }
}

/// A chunk that grows.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) chunk: Chunk,
    step_us: i64,
    whole: i64,
    texts: Vec<Box<str>>,
    texts_bytes: usize,
}

/// A point belongs to the next chunk, with so many decimal places.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full {
    places: u8,
}

impl Full {
    /// The chunk that follows.
    pub(crate) fn next(self) -> Open {
        Open::new(self.places)
    }
}

impl Default for Open {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Open {
    fn new(places: u8) -> Self {
        Self {
            chunk: Chunk {
                first: Time::ZERO,
                last: Time::ZERO,
                count: 0,
                places,
                bytes: Vec::new(),
            },
            step_us: 0,
            whole: 0,
            texts: Vec::new(),
            texts_bytes: 0,
        }
    }

    /// Adds a point that is not earlier than the last one.
    pub(crate) fn push(&mut self, at: Time, value: Value<'_>) -> Result<(), Full> {
        let places = self.chunk.places;
        if POINTS_MAX <= self.chunk.count {
            return Err(Full { places });
        }
        let whole = match value {
            Value::Number(number) => whole_of(number, places),
            _ => None,
        };
        if let (Value::Number(number), None) = (value, whole) {
            let needs = (places + 1..=PLACES_MAX).find(|more| whole_of(number, *more).is_some());
            if let Some(places) = needs {
                if self.chunk.count == 0 {
                    self.chunk.places = places;
                    return self.push(at, value);
                }
                return Err(Full { places });
            }
        }
        self.write_time(at);
        let bytes = &mut self.chunk.bytes;
        match (value, whole) {
            (Value::Number(_), Some(whole)) => {
                write(bytes, DECIMAL + zigzag(whole - self.whole));
                self.whole = whole;
            }
            (Value::Number(number), None) => {
                write(bytes, RAW);
                bytes.extend(number.to_le_bytes());
            }
            (Value::Bool(is), _) => write(bytes, if is { TRUE } else { FALSE }),
            (Value::Text(text), _) => match self.texts.iter().position(|known| **known == *text) {
                Some(number) => {
                    write(bytes, KNOWN);
                    write(bytes, number as u64);
                }
                None => {
                    write(bytes, TEXT);
                    write(bytes, text.len() as u64);
                    bytes.extend(text.as_bytes());
                    self.texts.push(text.into());
                    self.texts_bytes += text.len() + size_of::<Box<str>>();
                }
            },
        }
        self.chunk.count += 1;
        Ok(())
    }

    fn write_time(&mut self, at: Time) {
        let chunk = &mut self.chunk;
        if chunk.count == 0 {
            chunk.first = at;
        } else {
            let step_us = at.since(chunk.last).as_micros() as i64;
            write(&mut chunk.bytes, zigzag(step_us.wrapping_sub(self.step_us)));
            self.step_us = step_us;
        }
        chunk.last = at;
    }

    /// Memory that it takes.
    pub(crate) const fn memory(&self) -> usize {
        size_of::<Self>() + self.chunk.bytes.capacity() + self.texts_bytes
    }

    /// The chunk, which grows no more.
    pub(crate) fn seal(mut self) -> Chunk {
        self.chunk.bytes.shrink_to_fit();
        self.chunk
    }
}

/// The points of a chunk, one after the other.
pub(crate) struct Points<'c> {
    chunk: &'c Chunk,
    left: u32,
    rest: &'c [u8],
    at: Time,
    step_us: i64,
    whole: i64,
    texts: Vec<&'c str>,
}

impl<'c> Iterator for Points<'c> {
    type Item = (Time, Value<'c>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        if self.left + 1 != self.chunk.count {
            self.step_us = self.step_us.wrapping_add(unzigzag(read(&mut self.rest)?));
            let at_us = self.at.as_micros().wrapping_add_signed(self.step_us);
            self.at = Time::from_micros(at_us);
        }
        let value = match read(&mut self.rest)? {
            RAW => {
                let (number, rest) = self.rest.split_first_chunk()?;
                self.rest = rest;
                Value::Number(f64::from_le_bytes(*number))
            }
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            TEXT => {
                let length = usize::try_from(read(&mut self.rest)?).ok()?;
                let (text, rest) = self.rest.split_at_checked(length)?;
                self.rest = rest;
                let text = std::str::from_utf8(text).ok()?;
                self.texts.push(text);
                Value::Text(text)
            }
            KNOWN => {
                let number = usize::try_from(read(&mut self.rest)?).ok()?;
                Value::Text(self.texts.get(number)?)
            }
            decimal => {
                self.whole = self.whole.wrapping_add(unzigzag(decimal - DECIMAL));
                Value::Number(self.whole as f64 / POWERS[usize::from(self.chunk.places)])
            }
        };
        Some((self.at, value))
    }
}

/// A number in its last decimal place, if it has so many places at most: then it is the same number when it
/// is divided again.
fn whole_of(number: f64, places: u8) -> Option<i64> {
    let power = POWERS[usize::from(places)];
    let whole = (number * power).round();
    (whole.abs() < WHOLE_MAX && whole / power == number).then_some(whole as i64)
}

const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while 0x80 <= number {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(us: u64) -> Time {
        Time::from_micros(us)
    }

    #[track_caller]
    fn check(points: &[(Time, Value<'_>)]) -> Chunk {
        let mut open = Open::default();
        for (at, value) in points {
            open.push(*at, *value).expect("the chunk has room");
        }
        let chunk = open.seal();
        assert_eq!(chunk.points().collect::<Vec<_>>(), points);
        chunk
    }

    #[test]
    fn what_is_written_is_read() {
        check(&[
            (at(5), Value::Number(21.5)),
            (at(5), Value::Number(-21.4)),
            (at(1_000_005), Value::Bool(true)),
            (at(1_000_006), Value::Text("heating")),
            (at(u64::MAX), Value::Text("idle")),
            (at(u64::MAX), Value::Text("heating")),
            (at(u64::MAX), Value::Bool(false)),
            (at(u64::MAX), Value::Text("")),
            (at(u64::MAX), Value::Number(f64::MAX)),
            (at(u64::MAX), Value::Number(0.1 + 0.2)),
            (at(u64::MAX), Value::Number(9_007_199_254_740_991.0)),
        ]);
    }

    #[test]
    fn a_temperature_each_second_takes_three_bytes_a_point() {
        let mut us = 1_764_100_800_000_000;
        let points: Vec<_> = (0..POINTS_MAX)
            .map(|nth| {
                us += 1_000_000 + u64::from(nth * 7919 % 900); // Almost each second.
                let tenths = 215 + i64::from(nth * 31 % 7) - 3;
                (at(us), Value::Number(tenths as f64 / 10.0))
            })
            .collect();
        let chunk = check(&points);
        let all = chunk.memory();
        assert!(all <= 3 * points.len() + 80, "{all} bytes");
    }

    #[test]
    fn a_number_with_more_places_begins_the_next_chunk() {
        let mut open = Open::default();
        open.push(at(1), Value::Number(21.0))
            .expect("it is the first");
        let full = open.push(at(2), Value::Number(21.25));
        let mut next = full.expect_err("it has two places").next();
        next.push(at(2), Value::Number(21.25))
            .expect("it has two places");
        next.push(at(3), Value::Number(21.0))
            .expect("two are enough");
        // What has no end of places is written as it is, whatever the chunk's are.
        next.push(at(4), Value::Number(1.0 / 3.0))
            .expect("it is raw");
        assert_eq!(open.seal().count, 1);
        assert_eq!(next.seal().points().count(), 3);
    }
}
