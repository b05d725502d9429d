//! Expressions: what is computed, in jq.
//!
//! Two strengths. The *total* part (paths, literals, comparison, arithmetic, `if`, construction, the
//! functions of [`functions`]) is read into a tree in which every name is resolved, gives exactly one
//! value and is known to end. All else runs in `jaq`, which nobody can interrupt: whoever evaluates
//! an expression that is [beyond](Expression::beyond_total) the total part watches the time, in a
//! process of its own. Neither sees the program's environment, input or clock.
//!
//! Where jq 1.6 and jaq differ: numbers that are whole are printed as such (`4 / 2` is `2`), as jq
//! has it; `%` cuts off what is behind the point, as jq has it; indexes into text and the like fail
//! in both, and the words of errors are not compared.

mod eval; // its value
mod explain; // the values of its parts
mod fields; // what it reads of its input
mod fuel; // how much may be computed
mod functions; // what has a name and is known to end
mod judge; // whether it holds, of what is known
mod lex; // text to tokens
mod order; // which of two values is less
mod parse; // tokens to a tree
mod question; // an expression and what it is asked of
mod regex; // patterns
mod term; // the tree
mod whole; // all of jq

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
};

use quartet_model::Time;
use serde_json::Value;

pub use fuel::Fuel;
pub use functions::NAMES as FUNCTIONS;
pub use question::Question;
pub use regex::Pattern;
use term::Node;

/// An expression is no longer.
pub const TEXT_BYTES_MAX: usize = 64 << 10;

/// What an expression may name: variables without `$`, by their place in [`Scope::values`].
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Names(Vec<String>);

impl Names {
    /// These.
    pub fn new<const N: usize>(names: [&str; N]) -> Self {
        Self(names.into_iter().map(str::to_owned).collect())
    }

    /// One more; it hides one of the same name.
    #[must_use]
    pub fn with(&self, name: &str) -> Self {
        let mut names = self.0.clone();
        names.push(name.to_owned());
        Self(names)
    }

    /// The place of a name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().rposition(|known| known == name)
    }

    /// The place of a member of the name at a place, if it has one of its own: that of the name
    /// `{name}.{member}`.
    fn part(&self, of: usize, member: &str) -> Option<usize> {
        let name = self.0.get(of)?;
        let is_first = self.0.iter().position(|known| known == name) == Some(of);
        let part = |known: &String| {
            let rest = known.strip_prefix(name.as_str())?.strip_prefix('.')?;
            (rest == member).then_some(())
        };
        let place = self.0.iter().position(|known| part(known).is_some());
        place.filter(|_| is_first)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Without the parts of others.
    fn all(&self) -> impl Iterator<Item = &str> {
        let all = self.0.iter().map(String::as_str);
        all.filter(|name| !name.contains('.'))
    }
}

/// What an expression sees beside its input.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The values of the names, in their order.
    pub values: &'a [Arc<Value>],
    /// `now`.
    pub now: Time,
    /// How much may be computed.
    pub fuel: &'a Fuel,
}

/// An expression that was understood. Clones share it.
#[derive(Clone)]
pub struct Expression(Arc<Inner>);

struct Inner {
    text: String,
    program: Program,
    /// Places of names that it uses.
    uses: Vec<usize>,
    uses_input: bool,
}

enum Program {
    Total(Node),
    Whole(whole::Whole, Beyond),
}

/// Expressions that are in use: the same text is understood once, since thousands of flows may say
/// the same about thousands of things.
static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Known {
    by_text: HashMap<(Box<str>, Names), Weak<Inner>>,
    /// How many there were when those that nobody uses any more were last left out.
    swept: usize,
}

impl Known {
    fn add(&mut self, text: &str, names: &Names, inner: &Arc<Inner>) {
        let key = (text.into(), names.clone());
        self.by_text.insert(key, Arc::downgrade(inner));
        if 1000.max(2 * self.swept) < self.by_text.len() {
            self.by_text.retain(|_, inner| 0 < inner.strong_count());
            self.swept = self.by_text.len();
        }
    }
}

/// A text that is no expression.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub struct NotJq {
    /// Where, in bytes.
    pub offset: usize,
    /// What was wrong, and what would be right.
    pub what: String,
}

/// What of an expression may not end, or may give more than one value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Beyond {
    /// Where, in bytes.
    pub offset: usize,
    /// What, and why not.
    pub what: String,
}

/// An expression gave no value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub struct Failed {
    /// Why not.
    pub what: String,
    /// It is no failure: there is no value, and something else is taken.
    is_nothing: bool,
}

impl Failed {
    fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            is_nothing: false,
        }
    }

    fn nothing() -> Self {
        Self {
            what: String::new(),
            is_nothing: true,
        }
    }
}

impl Inner {
    fn compile(text: &str, names: &Names) -> Result<Self, NotJq> {
        let program = match parse::parse(text, names) {
            Ok(node) => Program::Total(node),
            Err(parse::Stop::Wrong(wrong)) => match whole::Whole::compile(text, names) {
                // We do not read all of jq.
                Ok(whole) if !wrong.is_name => {
                    let beyond = Beyond {
                        offset: wrong.error.offset,
                        what: "this is more of jq than the part that is known to end".to_owned(),
                    };
                    Program::Whole(whole, beyond)
                }
                _ => return Err(wrong.error),
            },
            Err(parse::Stop::Beyond(beyond)) => match whole::Whole::compile(text, names) {
                Ok(whole) => Program::Whole(whole, beyond),
                Err(error) => return Err(error),
            },
        };
        let mut uses = Vec::new();
        let mut uses_input = false;
        match &program {
            Program::Total(node) => node.uses(&mut uses, &mut uses_input),
            Program::Whole(whole, _) => {
                uses_input = true;
                uses.extend(whole.uses());
            }
        }
        let text = text.to_owned();
        Ok(Self {
            text,
            program,
            uses,
            uses_input,
        })
    }
}

impl Expression {
    /// Reads an expression, without the `${ }` around it.
    ///
    /// # Errors
    ///
    /// If it is no jq, or names what is not there.
    pub fn compile(text: &str, names: &Names) -> Result<Self, NotJq> {
        if TEXT_BYTES_MAX < text.len() {
            let what = format!("an expression has at most {TEXT_BYTES_MAX} bytes");
            return Err(NotJq { offset: 0, what });
        }
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        // Not in the condition: the lock would be held as long as it is looked at.
        let same = known().by_text.get(&(text.into(), names.clone())).cloned();
        if let Some(same) = same.and_then(|same| same.upgrade()) {
            return Ok(Self(same));
        }
        let inner = Arc::new(Inner::compile(text, names)?);
        known().add(text, names, &inner);
        Ok(Self(inner))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What of it may not end or may give more than one value; `None` if it is of the total part.
    pub fn beyond_total(&self) -> Option<&Beyond> {
        match &self.0.program {
            Program::Total(_) => None,
            Program::Whole(_, beyond) => Some(beyond),
        }
    }

    /// Whether it uses the name at this place.
    pub fn uses(&self, position: usize) -> bool {
        self.0.uses.contains(&position)
    }

    /// Whether it looks at its input.
    pub fn uses_input(&self) -> bool {
        self.0.uses_input
    }

    /// Its value. An expression of the total part copies nothing that it only looks at.
    ///
    /// # Errors
    ///
    /// As jq has them; and if an expression beyond the total part gives more than one value.
    pub fn eval<'a>(
        &'a self,
        scope: &Scope<'a>,
        input: &'a Value,
    ) -> Result<Cow<'a, Value>, Failed> {
        match &self.0.program {
            Program::Total(node) => node.eval(&eval::Env::new(*scope), input),
            Program::Whole(whole, _) => whole.eval(scope, input).map(Cow::Owned),
        }
    }

    /// Whether its value is neither `false` nor `null`.
    ///
    /// # Errors
    ///
    /// As [`Self::eval`].
    pub fn holds(&self, scope: &Scope<'_>, input: &Value) -> Result<bool, Failed> {
        Ok(eval::holds(&*self.eval(scope, input)?))
    }

    /// Whether its value depends on the time.
    pub fn uses_now(&self) -> bool {
        match &self.0.program {
            Program::Total(node) => {
                let mut is_found = false;
                node.each(&mut |node| is_found |= matches!(node.term, term::Term::Now));
                is_found
            }
            Program::Whole(..) => true,
        }
    }

    /// The names of the members that it reads of its input, each once, in order; `None` if it
    /// looks at more than these.
    pub fn fields(&self) -> Option<Vec<String>> {
        match &self.0.program {
            Program::Total(node) => fields::fields(node),
            Program::Whole(..) => None,
        }
    }

    /// Whether it holds, as far as what it looks at is known. jq has an answer to everything: for
    /// it nothing is less than any number. Here what is missing decides nothing, nor does a text
    /// where a number is expected: `.speed < 2` is not known without a speed. What is decided by
    /// the rest is known: `.on and .speed < 2` does not hold as long as `.on` is false.
    ///
    /// # Errors
    ///
    /// What is not known.
    pub fn judge(&self, scope: &Scope<'_>, input: &Value) -> Result<bool, String> {
        match &self.0.program {
            Program::Total(node) => judge::judge(node, &self.0.text, scope, input),
            Program::Whole(..) => {
                let holds = self.holds(scope, input);
                holds.map_err(|failed| failed.what)
            }
        }
    }

    /// Its comparisons, what they compare, and what `and`, `or` and `not` are about: each as it is
    /// written, with its value. So a person sees why something does not hold.
    pub fn explain(
        &self,
        scope: &Scope<'_>,
        input: &Value,
    ) -> Vec<(String, Result<Value, Failed>)> {
        match &self.0.program {
            Program::Total(node) => explain::explain(node, &self.0.text, scope, input),
            Program::Whole(..) => Vec::new(),
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0.text)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

/// Whether two values are the same for jq: `1` and `1.0` are.
pub(crate) fn is_same(one: &Value, other: &Value) -> bool {
    order::compare(one, other).is_eq()
}

/// A value as messages have it, cut short: `string ("a")`.
pub(crate) fn described(value: &Value) -> String {
    functions::kind(value)
}

/// What stands in `${ }`, and where that begins; `None` if the text is none of these (the schema's
/// `runtimeExpression`).
pub fn enclosed(text: &str) -> Option<(usize, &str)> {
    let start = text.len() - text.trim_start().len();
    let inside = text.trim().strip_prefix("${")?.strip_suffix('}')?;
    (!inside.is_empty()).then_some((start + 2, inside))
}

#[cfg(test)]
mod tests;
