//! What may be computed, counted in steps: so what ends also ends soon, on every machine alike.

use std::cell::Cell;

use serde_json::Value;

use super::{Failed, order};

/// A value that is computed is nested no deeper: others can read it.
const DEPTH_MAX: usize = 125;

/// So much may still be computed. A step is 10 to 30 ns of work, and takes at most 50 bytes of
/// memory: a part of an expression, a value that is looked at, 64 bytes that are copied.
#[derive(Debug)]
pub struct Fuel {
    left: Cell<usize>,
}

impl Default for Fuel {
    fn default() -> Self {
        Self {
            left: Cell::new(Self::STEPS_MAX),
        }
    }
}

/// How much there is of a value.
#[derive(Clone, Copy, Default)]
struct Weight {
    /// Values, members counted; a text and a name of a member are some, because each has memory of
    /// its own.
    values: usize,
    /// Bytes of texts.
    bytes: usize,
}

impl Fuel {
    /// One run, one filter or one turn of a signal takes no more steps: 20 to 60 ms, and 100 MB.
    pub const STEPS_MAX: usize = 2_000_000;

    /// How many steps were taken.
    pub fn spent(&self) -> usize {
        Self::STEPS_MAX - self.left.get()
    }

    /// Takes steps.
    ///
    /// # Errors
    ///
    /// There are not so many left: from then on there are none.
    pub(crate) fn spend(&self, steps: usize) -> Result<(), Failed> {
        let left = self.left.get().checked_sub(steps);
        self.left.set(left.unwrap_or(0));
        match left {
            Some(_) => Ok(()),
            None => Err(Failed::new(format!(
                "this takes more than the {} steps that may be computed at once",
                Self::STEPS_MAX
            ))),
        }
    }

    /// Steps for so many bytes of text that are gone through.
    pub(super) fn read(&self, bytes: usize) -> Result<(), Failed> {
        self.spend(bytes / 8)
    }

    /// A copy.
    ///
    /// # Errors
    ///
    /// It takes too many steps, or is nested too deep.
    pub(crate) fn copy(&self, value: &Value) -> Result<Value, Failed> {
        self.hold(value)?;
        Ok(value.clone())
    }

    /// Looks whether others can read a value that was computed.
    ///
    /// # Errors
    ///
    /// As [`Self::copy`].
    pub(crate) fn check(&self, value: &Value) -> Result<(), Failed> {
        let weight = self.weigh(value)?;
        self.spend(weight.values / 4)
    }

    /// Steps for a value of which there is one more.
    ///
    /// # Errors
    ///
    /// As [`Self::copy`].
    pub(crate) fn hold(&self, value: &Value) -> Result<(), Failed> {
        let weight = self.weigh(value)?;
        self.spend(2 * weight.values + weight.bytes / 64)
    }

    /// Steps for a value that is gone through so often, each character of its texts looked at.
    ///
    /// # Errors
    ///
    /// As [`Self::copy`].
    pub(crate) fn go_through(&self, value: &Value, times: usize) -> Result<(), Failed> {
        let weight = self.weigh(value)?;
        let once = (4 * weight.values).saturating_add(weight.bytes / 4);
        self.spend(once.saturating_mul(times))
    }

    /// Steps for putting a list in order.
    pub(super) fn sort<'v>(
        &self,
        count: usize,
        values: impl Iterator<Item = &'v Value>,
    ) -> Result<(), Failed> {
        let rounds = 1 + count.checked_ilog2().unwrap_or(0) as usize;
        for value in values {
            let weight = self.weigh(value)?;
            self.spend((weight.values + weight.bytes / 16).saturating_mul(rounds))?;
        }
        Ok(())
    }

    /// Which of two values is less.
    pub(super) fn compare(&self, one: &Value, other: &Value) -> Result<std::cmp::Ordering, Failed> {
        order::compare_counted(one, other, &|bytes| self.spend(1 + bytes / 64))
    }

    fn weigh(&self, value: &Value) -> Result<Weight, Failed> {
        let mut weight = Weight::default();
        if !weight.add(value, self.left.get(), DEPTH_MAX) {
            let what = format!("what is computed is nested at most {DEPTH_MAX} deep");
            return Err(Failed::new(what));
        }
        Ok(weight)
    }
}

impl Weight {
    /// Adds a value, or as much of it as makes more than `most`; says whether it is nested no
    /// deeper than `depth`.
    fn add(&mut self, value: &Value, most: usize, depth: usize) -> bool {
        self.values += 1;
        match value {
            Value::String(text) => {
                self.values += 2;
                self.bytes += text.len();
            }
            Value::Array(list) => {
                self.values += 2;
                for member in list {
                    if most < self.values {
                        break;
                    }
                    if depth == 0 || !self.add(member, most, depth - 1) {
                        return false;
                    }
                }
            }
            Value::Object(map) => {
                self.values += 8;
                for (name, member) in map {
                    if most < self.values {
                        break;
                    }
                    self.values += 6;
                    self.bytes += name.len();
                    if depth == 0 || !self.add(member, most, depth - 1) {
                        return false;
                    }
                }
            }
            _ => {}
        }
        true
    }
}
