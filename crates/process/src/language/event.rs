//! What is said and what is listened to: CloudEvents 1.0.

use serde_json::Value;

use super::{
    Word, access,
    fields::Fields,
    reader::Reader,
    task::{self, Shape, Task},
    template::{Expr, Template},
};
use crate::{
    expr::{Pattern, enclosed},
    yaml::{Node, What},
};

/// An event that is said.
#[derive(Clone, Debug)]
pub struct Emit {
    /// Its attributes by name, `data` among them.
    pub with: Vec<(Word, Template)>,
}

impl Emit {
    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&Template> {
        let mut with = self.with.iter();
        with.find(|(word, _)| word.text == name)
            .map(|(_, template)| template)
    }
}

/// Which events are listened to, and when that is enough.
#[derive(Clone, Debug)]
pub enum Consume {
    /// One of each.
    All(Vec<Filter>),
    /// Whichever comes; with `until`, all that come before that.
    Any(Vec<Filter>, Option<Until>),
    /// This one.
    One(Filter),
}

impl Consume {
    /// All filters.
    pub fn filters(&self) -> &[Filter] {
        match self {
            Self::All(filters) | Self::Any(filters, _) => filters,
            Self::One(filter) => std::slice::from_ref(filter),
        }
    }
}

/// When whoever listens to any of some events has enough.
#[derive(Clone, Debug)]
pub enum Until {
    /// This holds after an event.
    Holds(Expr),
    /// One of these came.
    Came(Box<Consume>),
}

/// Which events are meant.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Where it stands.
    pub place: crate::problem::Place,
    /// What is asked of attributes, by name.
    pub with: Vec<(Word, Match)>,
    /// What ties the event to the run that waits for it.
    pub correlate: Vec<(String, Correlate)>,
}

impl Filter {
    /// What is asked of the attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&Match> {
        let mut with = self.with.iter();
        with.find(|(word, _)| word.text == name)
            .map(|(_, wanted)| wanted)
    }
}

/// What is asked of an attribute. A text is a pattern that must fit as a whole, if it is not the
/// attribute as it is; an expression whose value is true or false is a condition on the
/// attribute (`.`), any other value is what the attribute must be.
#[derive(Clone, Debug)]
pub enum Match {
    /// It is this.
    Is(Value),
    /// It fits this pattern.
    Fits(String, Pattern),
    /// This says whether.
    Expr(Expr),
}

/// What ties an event to a run.
#[derive(Clone, Debug)]
pub struct Correlate {
    /// What of the event.
    pub from: Expr,
    /// What that must be; if nothing is said, what it was the first time.
    pub expect: Option<Template>,
}

/// How an event is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadAs {
    /// Its data.
    Data,
    /// All of it.
    Envelope,
    /// Its data as they came.
    Raw,
}

/// What is done with each event that comes.
#[derive(Clone, Debug)]
pub struct Each {
    /// The name of the event in there.
    pub item: String,
    /// The name of its number.
    pub at: String,
    /// The steps.
    pub tasks: Vec<Task>,
    /// What each gives.
    pub output: Shape,
    /// What each exports.
    pub export: Shape,
}

/// What is listened to.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Which events.
    pub to: Consume,
    /// How they are read.
    pub read: Option<ReadAs>,
    /// What is done with each.
    pub each: Option<Each>,
}

const READ_AS: [&str; 3] = ["data", "envelope", "raw"];

pub(super) fn emit(reader: &mut Reader, node: &Node) -> Option<Emit> {
    let mut fields = reader.object(node, "`emit`")?;
    let event = fields.need(reader, "event");
    fields.end(reader);
    let mut fields = reader.object(event?, "`event`")?;
    let with = fields.need(reader, "with")?;
    let mut fields = reader.object(with, "`with`")?;
    fields.need(reader, "type");
    let entries = fields.map().entries.iter();
    let with: Vec<_> = entries
        .map(|(key, node)| {
            attribute(reader, &key.name, node)?;
            let (text, place) = (key.name.clone(), key.place);
            Some((Word { text, place }, reader.template(node)?))
        })
        .collect();
    with.into_iter()
        .collect::<Option<_>>()
        .map(|with| Emit { with })
}

/// Whether an attribute has the shape that CloudEvents gives it.
fn attribute(reader: &mut Reader, name: &str, node: &Node) -> Option<()> {
    match name {
        "id" | "type" | "subject" | "datacontenttype" => reader.text(node).map(|_| ()),
        "source" | "dataschema" => access::uri(reader, node).map(|_| ()),
        "time" => {
            let text = &reader.text(node)?.text;
            let is_time = text.parse::<jiff::Timestamp>().is_ok();
            if enclosed(text).is_none() && !is_time {
                let what = format!("`{text}` is no time; write one like '2026-11-27T08:00:00Z'");
                reader.wrong(node.place, what);
                return None;
            }
            Some(())
        }
        _ => Some(()),
    }
}

/// Reads which events are listened to.
pub(super) fn consume(reader: &mut Reader, fields: &mut Fields<'_>) -> Option<Consume> {
    let (all, any, one) = (fields.take("all"), fields.take("any"), fields.take("one"));
    let until = fields.take("until");
    if let (Some(node), None) = (until, any) {
        reader.wrong(node.place, "`until` goes with `any`");
    }
    match (all, any, one) {
        (Some(node), None, None) => filters(reader, node).map(Consume::All),
        (None, Some(node), None) => {
            let filters = filters(reader, node);
            let until = match until {
                None => None,
                Some(node) => Some(read_until(reader, node)?),
            };
            Some(Consume::Any(filters?, until))
        }
        (None, None, Some(node)) => filter(reader, node).map(Consume::One),
        _ => {
            let what = "exactly one of `one`, `any` and `all` says which events are meant";
            reader.wrong(fields.place, what);
            None
        }
    }
}

fn read_until(reader: &mut Reader, node: &Node) -> Option<Until> {
    if let What::Text(_) = node.what {
        return reader.expr(node).map(Until::Holds);
    }
    let mut fields = reader.object(node, "`until`")?;
    if let Some(place) = fields.place_of("until") {
        let what = "what ends listening has no end of its own: leave this `until` out";
        reader.wrong(place, what);
        return None;
    }
    let consume = consume(reader, &mut fields);
    fields.end(reader);
    consume.map(|consume| Until::Came(Box::new(consume)))
}

fn filters(reader: &mut Reader, node: &Node) -> Option<Vec<Filter>> {
    let list = reader.list(node, "this")?;
    let filters: Vec<_> = list.iter().map(|node| filter(reader, node)).collect();
    filters.into_iter().collect()
}

fn filter(reader: &mut Reader, node: &Node) -> Option<Filter> {
    let mut fields = reader.object(node, "an event filter")?;
    let with = fields.need(reader, "with");
    let with = with.and_then(|node| {
        let fields = reader.object(node, "`with`")?;
        if fields.map().entries.is_empty() {
            let what = "`with` names at least one attribute, such as `type`";
            reader.wrong(node.place, what);
        }
        let entries = fields.map().entries.iter();
        let with: Vec<_> = entries
            .map(|(key, node)| {
                let (text, place) = (key.name.clone(), key.place);
                let wanted = wanted(reader, &key.name, node)?;
                Some((Word { text, place }, wanted))
            })
            .collect();
        with.into_iter().collect::<Option<Vec<_>>>()
    });
    let correlate = fields.take("correlate");
    let correlate = correlate.map_or(Some(Vec::new()), |node| {
        let fields = reader.object(node, "`correlate`")?;
        let entries = fields.map().entries.iter();
        let read: Vec<_> = entries
            .map(|(key, node)| {
                let mut fields = reader.object(node, &format!("`{}`", key.name))?;
                let from = fields.need(reader, "from");
                let from = from.and_then(|node| reader.expr(node));
                let expect = fields.take("expect").and_then(|node| {
                    reader.text(node)?;
                    reader.template(node)
                });
                Some((
                    key.name.clone(),
                    Correlate {
                        from: from?,
                        expect,
                    },
                ))
            })
            .collect();
        read.into_iter().collect()
    });
    fields.end(reader);
    Some(Filter {
        place: node.place,
        with: with?,
        correlate: correlate?,
    })
}

fn wanted(reader: &mut Reader, name: &str, node: &Node) -> Option<Match> {
    let What::Text(text) = &node.what else {
        // Only extensions and `data` may be anything else.
        attribute(reader, name, node)?;
        return Some(Match::Is(node.to_json()));
    };
    if enclosed(&text.text).is_some() {
        return reader.enclosed(node).map(Match::Expr);
    }
    let is_pattern = is_pattern(&text.text);
    // A topic has wildcards of its own.
    if matches!(name, "data" | "topic") || !is_pattern {
        attribute(reader, name, node)?;
        return Some(Match::Is(Value::String(text.text.clone())));
    }
    let regex = pattern(reader, node, &text.text)?;
    Some(Match::Fits(text.text.clone(), regex))
}

/// Whether a text is a pattern. A dot alone makes none: `office.room.too-warm` is a type.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(|c| "*+?[](){}|^$\\".contains(c))
}

/// Reads a pattern that must fit as a whole.
pub(crate) fn pattern(reader: &mut Reader, node: &Node, pattern: &str) -> Option<Pattern> {
    match Pattern::whole(pattern) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let what = format!("`{pattern}` is no pattern: {error}");
            reader.wrong(node.place, what);
            None
        }
    }
}

pub(super) fn read_as(reader: &mut Reader, fields: &mut Fields<'_>) -> Option<ReadAs> {
    let node = fields.take("read")?;
    Some(match reader.one_of(node, &READ_AS)? {
        "envelope" => ReadAs::Envelope,
        "raw" => ReadAs::Raw,
        _ => ReadAs::Data,
    })
}

pub(super) fn listen(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    node: &Node,
    reference: &str,
) -> Option<Listen> {
    let mut listen = reader.object(node, "`listen`")?;
    let to = listen.need(reader, "to");
    let to = to.and_then(|node| {
        let mut fields = reader.object(node, "`to`")?;
        let to = consume(reader, &mut fields);
        fields.end(reader);
        to
    });
    let read = read_as(reader, &mut listen);
    listen.end(reader);
    let each = fields.take("foreach");
    let each = each.and_then(|node| self::each(reader, node, &format!("{reference}/foreach")));
    Some(Listen {
        to: to?,
        read,
        each,
    })
}

/// Reads what is done with each event that comes.
pub(super) fn each(reader: &mut Reader, node: &Node, reference: &str) -> Option<Each> {
    let mut fields = reader.object(node, "`foreach`")?;
    let item = task::variable(reader, &mut fields, "item", "item");
    let at = task::variable(reader, &mut fields, "at", "index");
    let tasks = fields.take("do");
    let (tasks, output, export) = reader.naming(&[&item, &at], |reader| {
        let tasks = tasks.map_or(Some(Vec::new()), |node| {
            task::list(reader, node, &format!("{reference}/do"))
        });
        let output = task::output(reader, &mut fields);
        let export = task::export(reader, &mut fields);
        (tasks, output, export)
    });
    fields.end(reader);
    Some(Each {
        item,
        at,
        tasks: tasks?,
        output,
        export,
    })
}
