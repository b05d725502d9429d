//! What a run was answered. A run is a function of what started it, the time and the answers: with
//! these it can be run again, to the same end, for those who ask how it went.

use std::cell::Cell;

use serde_json::Value;

use super::{Act, Look, Looked};

/// What a run was answered, but for what goes without saying: that it may, and that a property was
/// never said.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Answers {
    /// By the number of the question, in order.
    said: Vec<(u32, Answer)>,
    /// How many steps were computed.
    pub steps: usize,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Answer {
    /// What a property is.
    Is(Value),
    /// It may not, and why.
    Refused(String),
}

impl Answers {
    pub(super) fn note(&mut self, question: u32, answer: Answer) {
        self.said.push((question, answer));
    }

    /// Answers the same again.
    pub fn again(&self) -> impl Look {
        Again {
            answers: self,
            asked: Cell::new(0),
        }
    }
}

struct Again<'a> {
    answers: &'a Answers,
    asked: Cell<u32>,
}

impl Again<'_> {
    fn next(&self) -> Option<&Answer> {
        let question = self.asked.get() + 1;
        self.asked.set(question);
        let said = &self.answers.said;
        let at = said.binary_search_by_key(&question, |(question, _)| *question);
        at.ok().map(|at| &said[at].1)
    }

    fn may(&self) -> Result<(), String> {
        match self.next() {
            Some(Answer::Refused(why)) => Err(why.clone()),
            _ => Ok(()),
        }
    }
}

impl Look for Again<'_> {
    fn property(&self, _: &str, _: &str) -> Looked {
        match self.next() {
            Some(Answer::Is(value)) => Looked::Is(value.clone()),
            _ => Looked::Unknown,
        }
    }

    fn may(&self, _: &Act) -> Result<(), String> {
        self.may()
    }

    fn may_read(&self, _: &str, _: &str) -> Result<(), String> {
        self.may()
    }
}
