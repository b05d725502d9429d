use std::{collections::BTreeSet, sync::Arc, time::Duration};

use quartet_model::Kind as Element;
use serde_json::Value;

use super::defined::{Condition, Defined, INSIDE, Inputs, Kind, Name, Signal, Whom};
use crate::{
    expr::{Names, enclosed},
    language::{
        Expr, Template,
        duration::{self, Duration as Said},
        event::{is_pattern, pattern},
        fields::{Fields, listed, nearest},
        reader::Reader,
    },
    names,
    problem::{Place, Problem},
    yaml::{self, Node, What},
};

/// No more readings are counted.
pub const COUNT_MAX: usize = 10_000;
/// A sequence has no more conditions.
pub const STEPS_MAX: usize = 16;
/// No time is longer: a leap year.
pub const WINDOW_MAX: Duration = Duration::from_secs(366 * 24 * 3_600);
/// An expression of a signal has no more bytes.
pub const EXPRESSION_BYTES_MAX: usize = 4 << 10;
/// A name has no more bytes.
const NAME_BYTES_MAX: usize = 128;

/// Words that say what is looked at: one of them.
const KINDS: [&str; 11] = [
    "above",
    "below",
    "outside",
    "changed",
    "absent",
    "rate",
    "count",
    "sequence",
    "inside",
    "notInside",
    "expr",
];

/// What is added to the name of a signal where its end is told.
pub const ENDED: &str = ".ended";

/// Signals that were understood.
#[derive(Clone, Debug)]
pub struct Read {
    /// In the order in which they were written.
    pub signals: Vec<Signal>,
    /// What is most likely not what was meant.
    pub warnings: Vec<Problem>,
}

/// Reads the definitions of signals: YAML or JSON, an object `signals` of definitions by name.
///
/// # Errors
///
/// All that is wrong with them, in the order in which it stands there.
pub fn read(text: &str) -> Result<Vec<Signal>, Vec<Problem>> {
    read_all(text).map(|read| read.signals)
}

/// Reads the definitions of signals, and says what is suspicious about them.
///
/// # Errors
///
/// As [`read`].
pub fn read_all(text: &str) -> Result<Read, Vec<Problem>> {
    let node = yaml::read(text).map_err(|problem| vec![problem])?;
    let mut reading = Reading {
        reader: Reader::new(Names::default()),
        warnings: Vec::new(),
    };
    let signals = reading.file(&node);
    let Reading {
        reader,
        mut warnings,
    } = reading;
    let problems = reader.into_problems();
    warnings.sort_by_key(|problem| problem.place);
    match signals {
        Some(signals) if problems.is_empty() => Ok(Read { signals, warnings }),
        _ => Err(problems),
    }
}

struct Reading {
    reader: Reader,
    warnings: Vec<Problem>,
}

impl Reading {
    fn file(&mut self, node: &Node) -> Option<Vec<Signal>> {
        let mut fields = self.reader.object(node, "a file of signals")?;
        let signals = fields.need(&mut self.reader, "signals");
        fields.end(&mut self.reader);
        let fields = self.reader.object(signals?, "`signals`")?;
        let entries = &fields.map().entries;
        let signals: Vec<_> = entries
            .iter()
            .map(|(key, node)| {
                self.name(&key.name, key.place);
                self.signal(&key.name, key.place, node)
            })
            .collect();
        let signals: Vec<Signal> = signals.into_iter().collect::<Option<_>>()?;
        self.afters(&signals);
        Some(signals)
    }

    /// A name is the type of a CloudEvent and a level of a topic.
    fn name(&mut self, name: &str, place: Place) {
        let is_good = !name.is_empty()
            && name.len() <= NAME_BYTES_MAX
            && name.split('.').all(|part| {
                let bytes = part.as_bytes();
                !part.starts_with('-')
                    && !bytes.is_empty()
                    && bytes
                        .iter()
                        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            });
        if !is_good {
            let what = format!(
                "`{name}` is no name of a signal; write up to {NAME_BYTES_MAX} letters, digits, hyphens and dots between them, as in `office.room.too-warm`"
            );
            self.reader.wrong(place, what);
        } else if name.ends_with(ENDED) {
            let what =
                format!("`{name}`: names that end with `{ENDED}` are of the ends of signals");
            self.reader.wrong(place, what);
        }
    }

    /// Whether signals that others wait for are there.
    fn afters(&mut self, signals: &[Signal]) {
        for signal in signals {
            let Some(after) = signal.after() else {
                continue;
            };
            if after == signal.name() {
                let what = format!("`{after}` waits for itself: it never begins");
                self.reader.wrong(signal.place(), what);
                continue;
            }
            let names = || signals.iter().map(Signal::name);
            if names().any(|name| name == after) {
                continue;
            }
            let hint = nearest(after, names())
                .map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            let what = format!("there is no signal `{after}` in this file{hint}");
            let problem = Problem::warning(signal.place(), what);
            self.warnings.push(problem);
        }
    }

    fn signal(&mut self, name: &str, place: Place, node: &Node) -> Option<Signal> {
        let what = format!("`{name}`");
        let mut fields = self.reader.object(node, &what)?;
        let title = fields.take("title");
        let title = title.and_then(|node| self.reader.string(node));
        let of = self.whom(&mut fields, &what);
        let kind = self.kind(&mut fields, &what);
        let when = fields.take("when").and_then(|node| self.condition(node));
        let data = fields.take("data").and_then(|node| self.data(node));
        let after = fields.take("after");
        let after = after.and_then(|node| self.reader.string(node));
        let (wait, wait_place) = match fields.take("for") {
            Some(node) => (self.window(node, "for"), Some(node.place)),
            None => (Some(Duration::ZERO), None),
        };
        fields.end(&mut self.reader);
        let kind = kind?;
        match (&kind, wait_place) {
            (Kind::Absent { .. }, None) => {
                let what = format!(
                    "{what} needs `for`: how long nothing is heard, such as `PT30S` for half a minute"
                );
                self.reader.wrong(node.place, what);
            }
            (Kind::Changed { .. } | Kind::Sequence { .. }, Some(place)) => {
                let what = "this is over in a moment, so `for` says nothing here; leave it out";
                self.warnings.push(Problem::warning(place, what));
            }
            _ => {}
        }
        let data_fields = data.as_ref().and_then(template_fields);
        let inputs = inputs(&kind, when.as_ref());
        Some(Signal(Arc::new(Defined {
            place,
            name: name.to_owned(),
            title,
            of: of?,
            wait: wait?,
            when,
            data_fields: match data {
                Some(_) => data_fields,
                None => Some(Vec::new()),
            },
            data,
            after,
            inputs,
            kind,
        })))
    }

    fn whom(&mut self, fields: &mut Fields<'_>, what: &str) -> Option<Whom> {
        let (of, kind, place) = (fields.take("of"), fields.take("type"), fields.take("in"));
        match (of, kind, place) {
            (Some(node), None, None) => {
                let names = match &node.what {
                    What::List(list) if list.is_empty() => {
                        let what = "`of` names at least one element";
                        self.reader.wrong(node.place, what);
                        return None;
                    }
                    What::List(list) => list.iter().map(|node| self.element(node)).collect(),
                    _ => vec![self.element(node)],
                };
                let names: Option<Vec<_>> = names.into_iter().collect();
                names.map(Whom::Named)
            }
            (None, Some(node), None) => self.filled(node).map(Whom::Type),
            (None, None, Some(node)) => self.place(node).map(Whom::In),
            (None, None, None) => {
                let what = format!(
                    "{what} needs `of`: the names of elements, such as `office/room-*`; or `type` or `in`"
                );
                self.reader.wrong(fields.place, what);
                None
            }
            _ => {
                let what = "exactly one of `of`, `type` and `in` says whom this is about";
                self.reader.wrong(fields.place, what);
                None
            }
        }
    }

    /// A name, or a pattern. `*` stands for any text in one level of a name, `**` for any levels;
    /// what has other signs of a pattern is one of the language's filters.
    fn element(&mut self, node: &Node) -> Option<Name> {
        let text = self.filled(node)?;
        if !is_pattern(&text) {
            return Some(Name::Is(text));
        }
        let has_stars_only = !text.contains(".*") && !is_pattern(&text.replace('*', ""));
        let written = match has_stars_only {
            true => text
                .replace('.', "\\.")
                .replace("**", "\0")
                .replace('*', "[^/]*")
                .replace('\0', ".*"),
            false => text.clone(),
        };
        let regex = pattern(&mut self.reader, node, &written)?;
        Some(Name::Fits(text, regex))
    }

    fn kind(&mut self, fields: &mut Fields<'_>, what: &str) -> Option<Kind> {
        let found: Vec<(&str, &Node)> = KINDS
            .into_iter()
            .filter_map(|word| Some((word, fields.take(word)?)))
            .collect();
        // Known wherever they stand, so that nothing else is said about them.
        let property = fields.take("property");
        let clear = fields.take("clear");
        let within = fields.take("within");
        let from = fields.take("from");
        let (word, node) = match found[..] {
            [one] => one,
            [] => {
                let words = KINDS.iter().copied();
                let mut unknown = fields.map().entries.iter();
                let is_near = |name: &str| nearest(name, words.clone()).is_some();
                // Whoever wrote nearly the right word is told so where it stands.
                if !unknown.any(|(key, _)| is_near(&key.name)) {
                    let what = format!(
                        "{what} does not say what it looks at: one of {}",
                        listed(&KINDS)
                    );
                    self.reader.wrong(fields.place, what);
                }
                return None;
            }
            [("above", _), ("below", _)] => {
                let what = "a signal looks at one thing; `outside: [low, high]` is below one number or above another";
                self.reader.wrong(fields.place, what);
                return None;
            }
            [(one, _), (other, _), ..] => {
                let what = format!("a signal looks at one thing: either `{one}` or `{other}`");
                self.reader.wrong(fields.place, what);
                return None;
            }
        };
        let mut goes_with = |node: Option<&Node>, name: &str, words: &[&str]| {
            if let Some(node) = node
                && !words.contains(&word)
            {
                let what = format!("`{name}` goes with {}, not with `{word}`", listed(words));
                self.reader.wrong(node.place, what);
            }
        };
        let levels = ["above", "below", "outside"];
        goes_with(property, "property", &levels);
        goes_with(clear, "clear", &levels);
        goes_with(within, "within", &["sequence"]);
        goes_with(from, "from", &["absent"]);
        let property = match (levels.contains(&word), property) {
            (true, Some(node)) => self.filled(node),
            (true, None) => {
                let what = format!("`{word}` needs `property`: which number is looked at");
                self.reader.wrong(fields.place, what);
                None
            }
            _ => None,
        };
        match word {
            "above" | "below" => self.level(word, node, clear, property),
            "outside" => self.outside(node, clear, property),
            "changed" => {
                let property = self.filled(node)?;
                Some(Kind::Changed { property })
            }
            "absent" => {
                let from = from.and_then(|node| self.reader.one_of(node, &["reading", "known"]));
                Some(Kind::Absent {
                    of: self.filled(node)?,
                    is_from_known: from == Some("known"),
                })
            }
            "rate" => self.rate(node),
            "count" => self.count(node),
            "sequence" => self.sequence(node, within),
            "inside" => self.place(node).map(Kind::Inside),
            "notInside" => self.place(node).map(Kind::NotInside),
            _ => self.condition(node).map(Kind::Expr),
        }
    }

    fn level(
        &mut self,
        word: &str,
        node: &Node,
        clear: Option<&Node>,
        property: Option<String>,
    ) -> Option<Kind> {
        let level = self.number(node);
        let clear = match clear {
            Some(node) => Some((self.number(node)?, node.place)),
            None => None,
        };
        let level = level?;
        if let Some((clear, place)) = clear {
            let (is_wrong, side) = match word {
                "above" => (level < clear, "more"),
                _ => (clear < level, "less"),
            };
            if is_wrong {
                let what = format!(
                    "what is `{word}` {level} is over at a level on the other side; {clear} is {side} than {level}"
                );
                self.reader.wrong(place, what);
            }
        }
        let clear = clear.map_or(level, |(clear, _)| clear);
        let property = property?;
        Some(match word {
            "above" => Kind::Above {
                property,
                level,
                clear,
            },
            _ => Kind::Below {
                property,
                level,
                clear,
            },
        })
    }

    fn outside(
        &mut self,
        node: &Node,
        clear: Option<&Node>,
        property: Option<String>,
    ) -> Option<Kind> {
        if node.text().is_some_and(names::is_key) {
            let what = "`outside` is about two numbers; `notInside` is about places";
            self.reader.wrong(node.place, what);
            return None;
        }
        let list = self.reader.list(node, "`outside`")?;
        let [low, high] = list else {
            let what = "`outside` is two numbers, the lower first: `[18, 24]`";
            self.reader.wrong(node.place, what);
            return None;
        };
        let (low, high) = (self.number(low), self.number(high));
        let margin = match clear {
            Some(node) => Some((self.number(node)?, node.place)),
            None => None,
        };
        let (low, high) = (low?, high?);
        if high < low {
            let what = format!("the lower number comes first: `[{high}, {low}]`");
            self.reader.wrong(node.place, what);
            return None;
        }
        if let Some((margin, place)) = margin {
            if margin < 0.0 {
                let what = format!(
                    "`clear` says how far inside the limits it is over; {margin} is less than 0"
                );
                self.reader.wrong(place, what);
            } else if high - margin < low + margin {
                let what = format!(
                    "nothing is {margin} away from both {low} and {high}, so this never ends; write less than {}",
                    (high - low) / 2.0
                );
                self.reader.wrong(place, what);
            }
        }
        Some(Kind::Outside {
            property: property?,
            low,
            high,
            margin: margin.map_or(0.0, |(margin, _)| margin),
        })
    }

    fn rate(&mut self, node: &Node) -> Option<Kind> {
        let mut fields = self.reader.object(node, "`rate`")?;
        let of = fields.need(&mut self.reader, "of");
        let of = of.and_then(|node| self.filled(node));
        let above = fields.take("above");
        let below = fields.take("below");
        let per = fields.need(&mut self.reader, "per");
        let per = per.and_then(|node| self.window(node, "per"));
        fields.end(&mut self.reader);
        if above.is_none() && below.is_none() {
            let what = "`rate` needs `above` or `below`, or both: below 0 is falling";
            self.reader.wrong(node.place, what);
            return None;
        }
        let mut limit = |node: Option<&Node>| match node {
            Some(node) => self.number(node).map(Some),
            None => Some(None),
        };
        let (above, below) = (limit(above)?, limit(below)?);
        if let (Some(above), Some(below)) = (above, below)
            && above < below
        {
            let what = format!(
                "every rate is above {above} or below {below}; write a number for `below` that is less than that for `above`"
            );
            self.reader.wrong(node.place, what);
        }
        Some(Kind::Rate {
            property: of?,
            above,
            below,
            per: per?,
        })
    }

    fn count(&mut self, node: &Node) -> Option<Kind> {
        let mut fields = self.reader.object(node, "`count`")?;
        let of = fields.need(&mut self.reader, "of");
        let of = of.and_then(|node| self.filled(node));
        let at_least = fields.need(&mut self.reader, "atLeast");
        let at_least = at_least.and_then(|node| {
            let count = self.reader.integer(node)?;
            let good = usize::try_from(count).ok();
            let good = good.filter(|count| (1..=COUNT_MAX).contains(count));
            if good.is_none() {
                let what =
                    format!("between 1 and {COUNT_MAX} readings can be counted; this is {count}");
                self.reader.wrong(node.place, what);
            }
            good
        });
        let within = fields.need(&mut self.reader, "within");
        let within = within.and_then(|node| self.window(node, "within"));
        let only = match fields.take("where") {
            Some(node) => Some(self.condition(node)?.expr),
            None => None,
        };
        fields.end(&mut self.reader);
        Some(Kind::Count {
            of: of?,
            at_least: at_least?,
            within: within?,
            only,
        })
    }

    fn sequence(&mut self, node: &Node, within: Option<&Node>) -> Option<Kind> {
        let list = self.reader.list(node, "`sequence`")?;
        if !(2..=STEPS_MAX).contains(&list.len()) {
            let what = format!(
                "a sequence has 2 to {STEPS_MAX} conditions; this has {}",
                list.len()
            );
            self.reader.wrong(node.place, what);
        }
        let steps: Vec<_> = list.iter().map(|node| self.condition(node)).collect();
        let within = match within {
            Some(node) => self.window(node, "within"),
            None => {
                let what = "`sequence` needs `within`: in how much time all of it happens";
                self.reader.wrong(node.place, what);
                None
            }
        };
        Some(Kind::Sequence {
            steps: steps.into_iter().collect::<Option<_>>()?,
            within: within?,
        })
    }

    fn number(&mut self, node: &Node) -> Option<f64> {
        let number = match &node.what {
            What::Number(number) => number.as_f64().filter(|number| number.is_finite()),
            _ => None,
        };
        if number.is_none() {
            let found = node.kind();
            let what = format!("a number is expected here; this is {found}");
            self.reader.wrong(node.place, what);
        }
        number
    }

    /// Text that says something.
    fn filled(&mut self, node: &Node) -> Option<String> {
        let text = self.reader.string(node)?;
        if text.trim().is_empty() || text.contains('\0') {
            self.reader.wrong(node.place, "a name is expected here");
            return None;
        }
        Some(text)
    }

    fn place(&mut self, node: &Node) -> Option<String> {
        let key = self.filled(node)?;
        let is_place = names::is_key(&key) && key.starts_with(Element::Place.folder());
        if !is_place {
            let what = format!("`{key}` is no place; write its key, as in `places/ward-3`");
            self.reader.wrong(node.place, what);
        }
        is_place.then_some(key)
    }

    fn condition(&mut self, node: &Node) -> Option<Condition> {
        let expr = self.reader.expr(node)?;
        let expr = self.total(expr)?;
        let fields = expr.expression.fields();
        if expr.expression.uses_now() {
            let what = "this is looked at when a reading comes, and not as time passes; `for` and `absent` are about time, not `now`";
            self.warnings.push(Problem::warning(expr.place, what));
        } else if fields.as_ref().is_some_and(Vec::is_empty) {
            let what = "this is the same for every reading; `.name` is the value of the property of this name";
            self.warnings.push(Problem::warning(expr.place, what));
        }
        Some(Condition { expr, fields })
    }

    /// Expressions of signals are looked at with each reading: they are known to end.
    fn total(&mut self, expr: Expr) -> Option<Expr> {
        let text = expr.expression.text();
        if EXPRESSION_BYTES_MAX < text.len() {
            let what =
                format!("an expression of a signal has at most {EXPRESSION_BYTES_MAX} bytes");
            self.reader.wrong(expr.place, what);
            return None;
        }
        if let Some(beyond) = expr.expression.beyond_total() {
            let what = format!("a signal cannot compute this: {}", beyond.what);
            let place = expr.beyond.unwrap_or(expr.place);
            self.reader.wrong(place, what);
            return None;
        }
        Some(expr)
    }

    /// What is told with an edge. Text that begins with a dot is an expression, as is text in
    /// `${ }`; other text is itself.
    fn data(&mut self, node: &Node) -> Option<Template> {
        match &node.what {
            What::Text(text) if text.text.starts_with('.') || enclosed(&text.text).is_some() => {
                let expr = self.reader.expr(node)?;
                self.total(expr).map(Template::Expr)
            }
            What::List(list) => {
                let list: Vec<_> = list.iter().map(|node| self.data(node)).collect();
                Some(Template::list(list.into_iter().collect::<Option<_>>()?))
            }
            What::Map(map) => {
                let entries = map.entries.iter();
                let entries: Vec<_> = entries
                    .map(|(key, node)| Some((key.name.clone(), self.data(node)?)))
                    .collect();
                Some(Template::object(
                    entries.into_iter().collect::<Option<_>>()?,
                ))
            }
            What::Text(text) => Some(Template::Fixed(Value::String(text.text.clone()))),
            _ => Some(Template::Fixed(node.to_json())),
        }
    }

    /// A length of time that is fixed, and not too long. A month has 30 days here.
    fn span(&mut self, node: &Node, name: &str) -> Option<Duration> {
        let span = match duration::read(&mut self.reader, node)? {
            Said::Fixed(span) => span.roughly(),
            Said::Expr(_) => {
                let what = format!("`{name}` is no expression, but a duration like `PT10M`");
                self.reader.wrong(node.place, what);
                return None;
            }
        };
        if WINDOW_MAX < span {
            let what = format!("`{name}` is at most 366 days");
            self.reader.wrong(node.place, what);
            return None;
        }
        Some(span)
    }

    /// A length of time in which something can happen.
    fn window(&mut self, node: &Node, name: &str) -> Option<Duration> {
        let span = self.span(node, name)?;
        if span.is_zero() {
            let what = format!("nothing happens in no time; `{name}` is longer than that");
            self.reader.wrong(node.place, what);
            return None;
        }
        Some(span)
    }
}

/// What a template reads; `None` if all.
fn template_fields(template: &Template) -> Option<Vec<String>> {
    let mut found = Vec::new();
    template.expressions(&mut found);
    let mut all = BTreeSet::new();
    for expr in found {
        all.extend(expr.expression.fields()?);
    }
    Some(all.into_iter().collect())
}

fn inputs(kind: &Kind, when: Option<&Condition>) -> Inputs {
    let mut properties = BTreeSet::new();
    let mut inputs = Inputs::default();
    let conditions: Vec<&Condition> = match kind {
        Kind::Sequence { steps, .. } => steps.iter().collect(),
        Kind::Expr(condition) => vec![condition],
        Kind::Absent { of, .. } | Kind::Count { of, .. } => {
            inputs.events.push(of.clone());
            Vec::new()
        }
        _ => Vec::new(),
    };
    properties.extend(kind.primary().map(str::to_owned));
    for condition in conditions.into_iter().chain(when) {
        match &condition.fields {
            Some(fields) => properties.extend(fields.iter().cloned()),
            None => inputs.all_properties = true,
        }
    }
    debug_assert!(!matches!(kind, Kind::Inside(_)) || properties.contains(INSIDE));
    inputs.properties = properties.into_iter().collect();
    inputs
}
