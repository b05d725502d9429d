//! The language: the CNCF's Open Workflow DSL 1.0.x (formerly Serverless Workflow), whole, as its
//! schema has it. Each part is read where it stands, so that whatever is wrong can be pointed at.
//!
//! Reading says whether a definition has the right shape and whether its expressions are jq;
//! whether it makes sense is another question. What Quartet adds stands where the
//! standard leaves room: functions to `call`, and `metadata`.

pub mod access; // how endpoints are reached: authentication, resources
pub mod call; // what is asked of others
/// How long something takes.
pub mod duration; // how long
pub mod event; // what is said and listened to
pub mod fault; // what went wrong, and what then
pub(crate) mod fields; // an object, read name by name
pub(crate) mod reader; // what all readers need
pub mod reuse; // what is defined once and used by name
pub mod run; // programs, scripts, other workflows
pub mod schedule; // when it starts
pub mod task; // the steps
/// Values that are computed.
pub mod template; // values with expressions in them

use std::sync::Arc;

use serde_json::{Map, Value};

pub use self::{
    duration::Duration,
    event::{Consume, Filter},
    schedule::Schedule,
    task::{Does, Next, Task},
    template::{Expr, Template},
};
use self::{fault::Timeout, reader::Reader, reuse::Use, task::Shape};
use crate::{
    expr::Names,
    problem::{Place, Problem},
    yaml::{self, Node},
};

/// What expressions may name everywhere (DSL, "Runtime expression arguments"), in this order.
/// Members of `$workflow` have places of their own: all of it is made only where somebody asks for
/// all of it.
pub const NAMES: [&str; 12] = [
    "context",
    "input",
    "output",
    "secrets",
    "authorization",
    "task",
    "workflow",
    "runtime",
    "workflow.id",
    "workflow.definition",
    "workflow.input",
    "workflow.startedAt",
];

/// Places of [`NAMES`] in a scope.
pub mod name {
    /// `$context`: what tasks exported.
    pub const CONTEXT: usize = 0;
    /// `$input`: what the task was given.
    pub const INPUT: usize = 1;
    /// `$output`: what the task gave.
    pub const OUTPUT: usize = 2;
    /// `$secrets`: by name.
    pub const SECRETS: usize = 3;
    /// `$authorization`: what the call came in with.
    pub const AUTHORIZATION: usize = 4;
    /// `$task`: its name, reference, definition, input and start.
    pub const TASK: usize = 5;
    /// `$workflow`: its identity, definition, input and start.
    pub const WORKFLOW: usize = 6;
    /// `$runtime`: what runs it.
    pub const RUNTIME: usize = 7;
    /// `$workflow.id`: of the run.
    pub const WORKFLOW_ID: usize = 8;
    /// `$workflow.definition`: what was written.
    pub const WORKFLOW_DEFINITION: usize = 9;
    /// `$workflow.input`: what started it.
    pub const WORKFLOW_INPUT: usize = 10;
    /// `$workflow.startedAt`: when.
    pub const WORKFLOW_STARTED_AT: usize = 11;
}

/// A text, and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word {
    /// What it says.
    pub text: String,
    /// Where.
    pub place: Place,
}

/// A definition: the text, what it says, and what that is.
#[derive(Clone, Debug)]
pub struct Definition {
    /// As it was written.
    pub text: Arc<str>,
    /// What the text says.
    pub node: Node,
    /// What that is.
    pub workflow: Workflow,
}

/// A workflow, whole.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// What it is called.
    pub document: Document,
    /// What it takes.
    pub input: Shape,
    /// What is defined once.
    pub reuse: Use,
    /// Its steps.
    pub tasks: Vec<Task>,
    /// After which it is over.
    pub timeout: Option<Timeout>,
    /// What it gives.
    pub output: Shape,
    /// When it starts by itself.
    pub schedule: Option<Schedule>,
    /// How expressions are written.
    pub evaluate: Evaluate,
}

/// What a workflow is called.
#[derive(Clone, Debug)]
pub struct Document {
    /// The version of the language.
    pub dsl: Word,
    /// Where it belongs.
    pub namespace: Word,
    /// Its name there.
    pub name: Word,
    /// Its semantic version.
    pub version: Word,
    /// What a person calls it.
    pub title: Option<String>,
    /// What it is for, in Markdown.
    pub summary: Option<String>,
    /// Anything by name.
    pub tags: Map<String, Value>,
    /// Anything by name;
    pub metadata: Option<Node>,
}

/// How expressions are written.
#[derive(Clone, Debug, Default)]
pub struct Evaluate {
    /// `jq`, if nothing else is said.
    pub language: Option<Word>,
    /// Whether all expressions must stand in `${ }`; those that can be nothing else never have to.
    pub is_loose: bool,
}

/// Reads a definition.
///
/// # Errors
///
/// All that is wrong with its shape and its expressions, in the order in which it stands there.
pub fn read(text: &str) -> Result<Definition, Vec<Problem>> {
    let node = yaml::read(text).map_err(|problem| vec![problem])?;
    let mut reader = Reader::new(Names::new(NAMES));
    let workflow = workflow(&mut reader, &node);
    let problems = reader.into_problems();
    match workflow {
        Some(workflow) if problems.is_empty() => Ok(Definition {
            text: text.into(),
            node,
            workflow,
        }),
        _ => Err(problems),
    }
}

fn workflow(reader: &mut Reader, node: &Node) -> Option<Workflow> {
    let mut fields = reader.object(node, "a workflow")?;
    let document = fields.need(reader, "document");
    let document = document.and_then(|node| read_document(reader, node));
    let input = task::input(reader, &mut fields);
    let reuse = fields.take("use");
    let reuse = reuse.and_then(|node| reuse::read(reader, node));
    let tasks = fields.need(reader, "do");
    let tasks = tasks.and_then(|node| task::list(reader, node, "/do"));
    let timeout = fields.take("timeout");
    let timeout = timeout.and_then(|node| fault::timeout(reader, node));
    let output = task::output(reader, &mut fields);
    let schedule = fields.take("schedule");
    let schedule = schedule.and_then(|node| schedule::read(reader, node));
    let evaluate = fields.take("evaluate");
    let evaluate = evaluate.and_then(|node| read_evaluate(reader, node));
    // The standard's schema lets other names pass here; nothing would ever read them.
    fields.end(reader);
    Some(Workflow {
        document: document?,
        input,
        reuse: reuse.unwrap_or_default(),
        tasks: tasks?,
        timeout,
        output,
        schedule,
        evaluate: evaluate.unwrap_or_default(),
    })
}

fn read_document(reader: &mut Reader, node: &Node) -> Option<Document> {
    let mut fields = reader.object(node, "`document`")?;
    let dsl = fields.need(reader, "dsl");
    let dsl = dsl.and_then(|node| reader.version(node));
    let namespace = fields.need(reader, "namespace");
    let namespace = namespace.and_then(|node| reader.label(node));
    let name = fields.need(reader, "name");
    let name = name.and_then(|node| reader.label(node));
    let version = fields.need(reader, "version");
    let version = version.and_then(|node| reader.version(node));
    let title = fields.take("title").and_then(|node| reader.string(node));
    let summary = fields.take("summary").and_then(|node| reader.string(node));
    let tags = fields.take("tags").and_then(|node| reader.map(node));
    let metadata = fields.take("metadata");
    let metadata = metadata.filter(|node| reader.map(node).is_some()).cloned();
    fields.end(reader);
    let dsl = dsl?;
    if !dsl.text.starts_with("1.0.") {
        let what = format!(
            "this is written in version {} of the language; Quartet reads 1.0.x",
            dsl.text
        );
        reader.wrong(dsl.place, what);
    }
    Some(Document {
        dsl,
        namespace: namespace?,
        name: name?,
        version: version?,
        title,
        summary,
        tags: tags.unwrap_or_default(),
        metadata,
    })
}

fn read_evaluate(reader: &mut Reader, node: &Node) -> Option<Evaluate> {
    let mut fields = reader.object(node, "`evaluate`")?;
    let language = fields.take("language").and_then(|node| reader.word(node));
    let mode = fields.take("mode");
    let mode = mode.and_then(|node| reader.one_of(node, &["strict", "loose"]));
    fields.end(reader);
    if let Some(language) = language.as_ref().filter(|word| word.text != "jq") {
        let what = format!(
            "expressions are written in jq here; `{}` is not known",
            language.text
        );
        reader.wrong(language.place, what);
    }
    Some(Evaluate {
        language,
        is_loose: mode == Some("loose"),
    })
}
