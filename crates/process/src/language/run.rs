//! Programs, scripts and other workflows.

use super::{
    Word,
    access::{self, Resource},
    duration::{self, Duration},
    fields::Fields,
    reader::Reader,
    template::Template,
};
use crate::yaml::Node;

/// What is run.
#[derive(Clone, Debug)]
pub struct Run {
    /// What.
    pub what: Program,
    /// Whether the run goes on only when it is over.
    pub is_awaited: bool,
    /// What of it is the task's output: `stdout`, `stderr`, `code`, `all`, `none`.
    pub output: Option<&'static str>,
}

/// See the module.
#[derive(Clone, Debug)]
pub enum Program {
    /// A container.
    Container(Box<Container>),
    /// A script.
    Script(Box<Script>),
    /// A command of the shell.
    Shell(Box<Shell>),
    /// Another workflow.
    Workflow(Box<Subflow>),
}

/// A container.
#[derive(Clone, Debug)]
pub struct Container {
    /// Its image.
    pub image: String,
    /// What it is called.
    pub name: Option<Template>,
    /// What it runs.
    pub command: Option<Template>,
    /// Its ports.
    pub ports: Option<Template>,
    /// Its volumes.
    pub volumes: Option<Template>,
    /// Its environment.
    pub environment: Option<Template>,
    /// What it reads.
    pub stdin: Option<Template>,
    /// What it is called with.
    pub arguments: Vec<Template>,
    /// When it is cleaned up: `always`, `never`, `eventually`; and after how long.
    pub lifetime: Option<(&'static str, Option<Duration>)>,
    /// When its image is fetched.
    pub pull_policy: Option<&'static str>,
}

/// A script.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its language.
    pub language: String,
    /// Its text.
    pub source: Source,
    /// What it reads.
    pub stdin: Option<Template>,
    /// What it is called with.
    pub arguments: Vec<Template>,
    /// Its environment.
    pub environment: Option<Template>,
}

/// Where a script's text is.
#[derive(Clone, Debug)]
pub enum Source {
    /// Here.
    Code(String),
    /// Elsewhere.
    Resource(Resource),
}

/// A command of the shell.
#[derive(Clone, Debug)]
pub struct Shell {
    /// The command.
    pub command: Template,
    /// What it reads.
    pub stdin: Option<Template>,
    /// What it is called with.
    pub arguments: Vec<Template>,
    /// Its environment.
    pub environment: Option<Template>,
}

/// Another workflow.
#[derive(Clone, Debug)]
pub struct Subflow {
    /// Where it belongs.
    pub namespace: Word,
    /// Its name.
    pub name: Word,
    /// Its version, or `latest`.
    pub version: Word,
    /// What it is given.
    pub input: Option<Template>,
}

const RETURNS: [&str; 5] = ["stdout", "stderr", "code", "all", "none"];

pub(super) fn read(reader: &mut Reader, node: &Node) -> Option<Run> {
    let mut fields = reader.object(node, "`run`")?;
    let is_awaited = fields.take("await").and_then(|node| reader.boolean(node));
    let output = fields.take("return");
    let output = output.and_then(|node| reader.one_of(node, &RETURNS));
    let (container, script) = (fields.take("container"), fields.take("script"));
    let (shell, workflow) = (fields.take("shell"), fields.take("workflow"));
    let place = fields.place;
    fields.end(reader);
    let what = match (container, script, shell, workflow) {
        (Some(node), None, None, None) => read_container(reader, node)
            .map(Box::new)
            .map(Program::Container),
        (None, Some(node), None, None) => {
            read_script(reader, node).map(Box::new).map(Program::Script)
        }
        (None, None, Some(node), None) => {
            read_shell(reader, node).map(Box::new).map(Program::Shell)
        }
        (None, None, None, Some(node)) => read_subflow(reader, node)
            .map(Box::new)
            .map(Program::Workflow),
        _ => {
            let what = "`run` is exactly one of `container`, `script`, `shell` and `workflow`";
            reader.wrong(place, what);
            None
        }
    };
    Some(Run {
        what: what?,
        is_awaited: is_awaited.unwrap_or(true),
        output,
    })
}

fn read_container(reader: &mut Reader, node: &Node) -> Option<Container> {
    let mut fields = reader.object(node, "`container`")?;
    let image = fields.need(reader, "image");
    let image = image.and_then(|node| reader.string(node));
    let name = text(reader, &mut fields, "name");
    let command = text(reader, &mut fields, "command");
    let ports = object(reader, &mut fields, "ports");
    let volumes = object(reader, &mut fields, "volumes");
    let environment = object(reader, &mut fields, "environment");
    let stdin = text(reader, &mut fields, "stdin");
    let arguments = arguments(reader, &mut fields);
    let lifetime = fields.take("lifetime");
    let lifetime = lifetime.and_then(|node| read_lifetime(reader, node));
    let pull_policy = fields.take("pullPolicy");
    let policies = ["ifNotPresent", "always", "never"];
    let pull_policy = pull_policy.and_then(|node| reader.one_of(node, &policies));
    fields.end(reader);
    Some(Container {
        image: image?,
        name,
        command,
        ports,
        volumes,
        environment,
        stdin,
        arguments,
        lifetime,
        pull_policy,
    })
}

fn read_lifetime(reader: &mut Reader, node: &Node) -> Option<(&'static str, Option<Duration>)> {
    let mut fields = reader.object(node, "`lifetime`")?;
    let cleanup = fields.need(reader, "cleanup");
    let cleanup = cleanup.and_then(|node| reader.one_of(node, &["always", "never", "eventually"]));
    let after = fields.take("after");
    fields.end(reader);
    let cleanup = cleanup?;
    if (cleanup == "eventually") != after.is_some() {
        let what = "`after` goes with `cleanup: eventually`, and only with that";
        reader.wrong(node.place, what);
    }
    let after = after.and_then(|node| duration::read(reader, node));
    Some((cleanup, after))
}

fn read_script(reader: &mut Reader, node: &Node) -> Option<Script> {
    let mut fields = reader.object(node, "`script`")?;
    let language = fields.need(reader, "language");
    let language = language.and_then(|node| reader.string(node));
    let stdin = text(reader, &mut fields, "stdin");
    let arguments = arguments(reader, &mut fields);
    let environment = object(reader, &mut fields, "environment");
    let source = match (fields.take("code"), fields.take("source")) {
        (Some(node), None) => reader.string(node).map(Source::Code),
        (None, Some(node)) => access::resource(reader, node).map(Source::Resource),
        _ => {
            let what = "a script has either `code` or `source`";
            reader.wrong(node.place, what);
            None
        }
    };
    fields.end(reader);
    Some(Script {
        language: language?,
        source: source?,
        stdin,
        arguments,
        environment,
    })
}

fn read_shell(reader: &mut Reader, node: &Node) -> Option<Shell> {
    let mut fields = reader.object(node, "`shell`")?;
    fields.need(reader, "command");
    let command = text(reader, &mut fields, "command");
    let stdin = text(reader, &mut fields, "stdin");
    let arguments = arguments(reader, &mut fields);
    let environment = object(reader, &mut fields, "environment");
    fields.end(reader);
    Some(Shell {
        command: command?,
        stdin,
        arguments,
        environment,
    })
}

fn read_subflow(reader: &mut Reader, node: &Node) -> Option<Subflow> {
    let mut fields = reader.object(node, "`workflow`")?;
    let mut word = |name| {
        let node = fields.need(reader, name)?;
        reader.word(node)
    };
    let (namespace, name, version) = (word("namespace"), word("name"), word("version"));
    let input = object(reader, &mut fields, "input");
    fields.end(reader);
    Some(Subflow {
        namespace: namespace?,
        name: name?,
        version: version?,
        input,
    })
}

fn text(reader: &mut Reader, fields: &mut Fields<'_>, name: &'static str) -> Option<Template> {
    let node = fields.take(name)?;
    reader.text(node)?;
    reader.template(node)
}

fn object(reader: &mut Reader, fields: &mut Fields<'_>, name: &'static str) -> Option<Template> {
    let node = fields.take(name)?;
    reader.object(node, &format!("`{name}`"))?;
    reader.template(node)
}

fn arguments(reader: &mut Reader, fields: &mut Fields<'_>) -> Vec<Template> {
    let Some(node) = fields.take("arguments") else {
        return Vec::new();
    };
    let list = reader.list(node, "`arguments`").unwrap_or_default();
    let list = list.iter().filter_map(|node| {
        reader.text(node)?;
        reader.template(node)
    });
    list.collect()
}
