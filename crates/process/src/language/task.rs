//! The steps of a workflow.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    Word,
    access::{self, Resource},
    call::{self, Call},
    duration::{self, Duration},
    event::{self, Emit, Listen},
    fault::{self, Raise, Timeout, Try},
    fields::{Fields, listed, nearest},
    reader::Reader,
    reuse::one_of_each,
    run::{self, Run},
    template::{Expr, Template},
};
use crate::{
    problem::Place,
    yaml::{Node, What},
};

/// One step.
#[derive(Clone, Debug)]
pub struct Task {
    /// What it is called, among its neighbours.
    pub name: Word,
    /// A JSON pointer to it: `/do/0/name`.
    pub reference: Arc<str>,
    /// Only if this holds.
    pub condition: Option<Expr>,
    /// What it takes.
    pub input: Shape,
    /// What it gives.
    pub output: Shape,
    /// What becomes the context.
    pub export: Shape,
    /// How long it may take.
    pub timeout: Option<Timeout>,
    /// Where it goes on.
    pub then: Option<Next>,
    /// Anything by name.
    pub metadata: Map<String, Value>,
    /// What it does.
    pub does: Does,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Does {
    /// Asks others.
    Call(Call),
    /// Steps in order.
    Do(Vec<Task>),
    /// Says something.
    Emit(Emit),
    /// Steps for each of some.
    For(For),
    /// Steps beside each other.
    Fork(Fork),
    /// Waits for events.
    Listen(Box<Listen>),
    /// Fails.
    Raise(Raise),
    /// Runs a program.
    Run(Run),
    /// Sets the data.
    Set(Template),
    /// Goes on here or there.
    Switch(Vec<Case>),
    /// Steps that may fail.
    Try(Box<Try>),
    /// Waits.
    Wait(Duration),
}

/// Steps for each of some.
#[derive(Clone, Debug)]
pub struct For {
    /// The name of the one in there.
    pub each: String,
    /// Of which.
    pub collection: Template,
    /// The name of its number.
    pub at: String,
    /// As long as this holds.
    pub while_: Option<Expr>,
    /// The steps.
    pub tasks: Vec<Task>,
}

/// Steps beside each other.
#[derive(Clone, Debug)]
pub struct Fork {
    /// The first of each.
    pub branches: Vec<Task>,
    /// Whether the first that is done ends the others.
    pub is_race: bool,
}

/// One way to go on.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is called.
    pub name: Word,
    /// If this holds; always, if nothing is said.
    pub when: Option<Expr>,
    /// Where to.
    pub then: Next,
}

/// Where a run goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// With the next step.
    Continue,
    /// After the steps that it is one of.
    Exit,
    /// Nowhere: the run is over.
    End,
    /// With the neighbour of this name.
    Task(Word),
}

/// What goes in or comes out: which shape it has, and how it is made.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// Its schema.
    pub schema: Option<Schema>,
    /// `from` or `as`.
    pub made: Option<Template>,
}

/// Which shape something has.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Where it stands.
    pub place: Place,
    /// `json`, if nothing else is said.
    pub format: Option<String>,
    /// The schema.
    pub source: SchemaSource,
}

/// Where a schema is.
#[derive(Clone, Debug)]
pub enum SchemaSource {
    /// Here.
    Document(Value),
    /// Elsewhere.
    Resource(Resource),
}

/// The words that make a task what it is.
const KINDS: [&str; 12] = [
    "call", "do", "emit", "for", "fork", "listen", "raise", "run", "set", "switch", "try", "wait",
];
/// What each task may have.
const COMMON: [&str; 7] = [
    "if", "input", "output", "export", "timeout", "then", "metadata",
];

impl Does {
    /// The word that makes it what it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Call(_) => "call",
            Self::Do(_) => "do",
            Self::Emit(_) => "emit",
            Self::For(_) => "for",
            Self::Fork(_) => "fork",
            Self::Listen(_) => "listen",
            Self::Raise(_) => "raise",
            Self::Run(_) => "run",
            Self::Set(_) => "set",
            Self::Switch(_) => "switch",
            Self::Try(_) => "try",
            Self::Wait(_) => "wait",
        }
    }
}

/// Reads steps in order; `reference` points to the list.
pub(super) fn list(reader: &mut Reader, node: &Node, reference: &str) -> Option<Vec<Task>> {
    let list = reader.list(node, "a list of tasks")?;
    let tasks: Vec<_> = list
        .iter()
        .enumerate()
        .map(|(at, item)| {
            let fields = reader.object(item, "a task with its name")?;
            let entries = &fields.map().entries;
            if !one_of_each(reader, item, "an item of a list of tasks") {
                return None;
            }
            let (key, node) = entries.first()?;
            let (text, place) = (key.name.clone(), key.place);
            let reference = format!("{reference}/{at}/{text}");
            read(reader, node, &Word { text, place }, &reference)
        })
        .collect();
    tasks.into_iter().collect()
}

/// Reads one step.
pub(super) fn read(reader: &mut Reader, node: &Node, name: &Word, reference: &str) -> Option<Task> {
    let mut fields = reader.object(node, &format!("the task `{name}`"))?;
    let condition = fields.take("if").and_then(|node| reader.expr(node));
    let input = input(reader, &mut fields);
    let output = output(reader, &mut fields);
    let export = export(reader, &mut fields);
    let timeout = fields.take("timeout");
    let timeout = timeout.and_then(|node| fault::timeout(reader, node));
    let then = fields.take("then").and_then(|node| next(reader, node));
    let metadata = fields.take("metadata").and_then(|node| reader.map(node));
    let does = does(reader, fields, name, reference);
    Some(Task {
        name: name.clone(),
        reference: reference.into(),
        condition,
        input,
        output,
        export,
        timeout,
        then,
        metadata: metadata.unwrap_or_default(),
        does: does?,
    })
}

fn does(reader: &mut Reader, mut fields: Fields<'_>, name: &Word, reference: &str) -> Option<Does> {
    let map = fields.map();
    let said = |word: &str| map.get(word).is_some();
    // `for` has its steps in `do`.
    let kinds: Vec<_> = KINDS.into_iter().filter(|kind| said(kind)).collect();
    let kind = match kinds[..] {
        ["do", "for"] => "for",
        [kind] => kind,
        [] => {
            reader.wrong(name.place, no_kind(&fields, name));
            return None;
        }
        _ => {
            let what = format!(
                "the task `{name}` does one thing; this has {}: make them tasks of their own",
                listed(&kinds)
            );
            reader.wrong(name.place, what);
            return None;
        }
    };
    let node = fields.take(kind)?;
    let steps = |reader: &mut Reader, node: &Node, below: &str| {
        list(reader, node, &format!("{reference}/{below}"))
    };
    let does = match kind {
        "call" => call::read(reader, &mut fields, node).map(Does::Call),
        "do" => steps(reader, node, "do").map(Does::Do),
        "emit" => event::emit(reader, node).map(Does::Emit),
        "for" => read_for(reader, &mut fields, node, reference).map(Does::For),
        "fork" => fork(reader, node, reference).map(Does::Fork),
        "listen" => event::listen(reader, &mut fields, node, reference)
            .map(|listen| Does::Listen(Box::new(listen))),
        "raise" => fault::raise(reader, node).map(Does::Raise),
        "run" => run::read(reader, node).map(Does::Run),
        "set" => set(reader, node).map(Does::Set),
        "switch" => switch(reader, node).map(Does::Switch),
        "try" => {
            let tasks = steps(reader, node, "try");
            let catch = fields.need(reader, "catch");
            let catch = catch.and_then(|node| fault::catch(reader, node, reference));
            tasks
                .zip(catch)
                .map(|(tasks, catch)| Does::Try(Box::new(Try { tasks, catch })))
        }
        _ => duration::read(reader, node).map(Does::Wait),
    };
    fields.end(reader);
    does
}

/// A task that does nothing that is known.
fn no_kind(fields: &Fields<'_>, name: &Word) -> String {
    let names = fields.map().entries.iter().map(|(key, _)| &*key.name);
    let unknown: Vec<&str> = names.filter(|name| !COMMON.contains(name)).collect();
    let near = unknown
        .iter()
        .find_map(|word| Some((word, nearest(word, KINDS.into_iter())?)));
    match (near, &unknown[..]) {
        (Some((word, near)), _) => {
            format!("`{word}` is no kind of task; did you mean `{near}`?")
        }
        (None, [word, ..]) => format!(
            "`{word}` is no kind of task; a task has one of {}",
            listed(&KINDS)
        ),
        (None, []) => format!(
            "the task `{name}` does nothing; it needs one of {}",
            listed(&KINDS)
        ),
    }
}

fn read_for(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    node: &Node,
    reference: &str,
) -> Option<For> {
    let mut loops = reader.object(node, "`for`")?;
    let each = variable(reader, &mut loops, "each", "item");
    let at = variable(reader, &mut loops, "at", "index");
    let collection = loops.need(reader, "in");
    let collection = collection.and_then(|node| match &node.what {
        What::List(list) => {
            for item in list {
                reader.object(item, "an item of an inline list")?;
            }
            reader.template(node)
        }
        _ => reader.expr(node).map(Template::Expr),
    });
    loops.end(reader);
    let condition = fields.take("while");
    let tasks = fields.need(reader, "do");
    let (while_, tasks) = reader.naming(&[&each, &at], |reader| {
        let condition = condition.and_then(|node| reader.expr(node));
        let tasks = tasks.and_then(|node| list(reader, node, &format!("{reference}/for/do")));
        (condition, tasks)
    });
    Some(For {
        each,
        collection: collection?,
        at,
        while_,
        tasks: tasks?,
    })
}

fn fork(reader: &mut Reader, node: &Node, reference: &str) -> Option<Fork> {
    let mut fields = reader.object(node, "`fork`")?;
    let branches = fields.need(reader, "branches");
    let branches =
        branches.and_then(|node| list(reader, node, &format!("{reference}/fork/branches")));
    let compete = fields.take("compete").and_then(|node| reader.boolean(node));
    fields.end(reader);
    Some(Fork {
        branches: branches?,
        is_race: compete.unwrap_or(false),
    })
}

fn set(reader: &mut Reader, node: &Node) -> Option<Template> {
    if let What::Map(map) = &node.what
        && map.entries.is_empty()
    {
        reader.wrong(node.place, "`set` is empty; it names what is set");
        return None;
    }
    reader.computed(node)
}

fn switch(reader: &mut Reader, node: &Node) -> Option<Vec<Case>> {
    let list = reader.list(node, "`switch`")?;
    if list.is_empty() {
        reader.wrong(node.place, "`switch` is empty; it has at least one case");
    }
    let cases: Vec<_> = list
        .iter()
        .map(|item| {
            reader.object(item, "a case with its name")?;
            if !one_of_each(reader, item, "a case of a switch") {
                return None;
            }
            let (key, node) = item.map()?.entries.first()?;
            let (text, place) = (key.name.clone(), key.place);
            let mut fields = reader.object(node, &format!("the case `{text}`"))?;
            let when = fields.take("when").map(|node| reader.expr(node));
            let then = fields.need(reader, "then");
            let then = then.and_then(|node| next(reader, node));
            fields.end(reader);
            Some(Case {
                name: Word { text, place },
                when: match when {
                    None => None,
                    Some(when) => Some(when?),
                },
                then: then?,
            })
        })
        .collect();
    cases.into_iter().collect()
}

/// Reads where a run goes on.
pub(super) fn next(reader: &mut Reader, node: &Node) -> Option<Next> {
    let word = reader.word(node)?;
    Some(match &*word.text {
        "continue" => Next::Continue,
        "exit" => Next::Exit,
        "end" => Next::End,
        _ => Next::Task(word),
    })
}

/// Reads the name of a variable, without `$`.
pub(super) fn variable(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    name: &'static str,
    default: &str,
) -> String {
    let Some(node) = fields.take(name) else {
        return default.to_owned();
    };
    let Some(text) = reader.string(node) else {
        return default.to_owned();
    };
    let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        let what = format!(
            "`{text}` cannot name a value; write it without `$`, with letters, digits and `_`"
        );
        reader.wrong(node.place, what);
        return default.to_owned();
    }
    text
}

pub(super) fn input(reader: &mut Reader, fields: &mut Fields<'_>) -> Shape {
    shape(reader, fields, "input", "from")
}

pub(super) fn output(reader: &mut Reader, fields: &mut Fields<'_>) -> Shape {
    shape(reader, fields, "output", "as")
}

pub(super) fn export(reader: &mut Reader, fields: &mut Fields<'_>) -> Shape {
    shape(reader, fields, "export", "as")
}

fn shape(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    name: &'static str,
    how: &'static str,
) -> Shape {
    let node = fields.take(name);
    let read = node.and_then(|node| {
        let mut fields = reader.object(node, &format!("`{name}`"))?;
        let schema = fields.take("schema");
        let schema = schema.and_then(|node| read_schema(reader, node));
        let made = fields.take(how).and_then(|node| reader.computed(node));
        fields.end(reader);
        Some(Shape { schema, made })
    });
    read.unwrap_or_default()
}

fn read_schema(reader: &mut Reader, node: &Node) -> Option<Schema> {
    let mut fields = reader.object(node, "a schema")?;
    let format = fields.take("format").and_then(|node| reader.string(node));
    let source = match (fields.take("document"), fields.take("resource")) {
        (Some(node), None) => Some(SchemaSource::Document(node.to_json())),
        (None, Some(node)) => access::resource(reader, node).map(SchemaSource::Resource),
        _ => {
            let what = "a schema has either a `document` or a `resource`";
            reader.wrong(node.place, what);
            None
        }
    };
    fields.end(reader);
    Some(Schema {
        place: node.place,
        format,
        source: source?,
    })
}
