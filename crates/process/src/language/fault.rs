//! What went wrong (RFC 7807), and what then: raising, catching, trying again, and running out of time.

use serde_json::Value;

use super::{
    Word, access,
    duration::{self, Duration},
    reader::Reader,
    task::{self, Next, Task},
    template::{Expr, Template},
};
use crate::{
    expr::enclosed,
    yaml::{Node, What},
};

/// The host of the standard's error types, and the one that it had before it was renamed: both
/// name the same errors.
pub const ERROR_HOSTS: [&str; 3] = [
    "https://open-workflow-specification.org/spec/1.0.0/errors/",
    "https://serverlessworkflow.io/spec/1.0.0/errors/",
    "https://serverlessworkflow.io/dsl/errors/types/",
];

/// An error, as it is defined.
#[derive(Clone, Debug)]
pub struct ErrorDefinition {
    /// Which: a URI.
    pub kind: Template,
    /// Its status, as HTTP has them.
    pub status: i64,
    /// Where it happened, if that is not the task that raises it.
    pub instance: Option<Template>,
    /// What it is, in a few words.
    pub title: Option<Template>,
    /// What happened this time.
    pub detail: Option<Template>,
}

/// An error that is raised.
#[derive(Clone, Debug)]
pub enum Raise {
    /// This one.
    Error(Box<ErrorDefinition>),
    /// What `use.errors` has under this name.
    Use(Word),
}

/// Steps that may fail, and what then.
#[derive(Clone, Debug)]
pub struct Try {
    /// The steps.
    pub tasks: Vec<Task>,
    /// What then.
    pub catch: Catch,
}

/// What is caught, and what is done about it.
#[derive(Clone, Debug)]
pub struct Catch {
    /// Members that the error must have, with these values.
    pub with: Vec<(&'static str, Value)>,
    /// The name of the error in there.
    pub error: String,
    /// Only if this holds.
    pub when: Option<Expr>,
    /// Only if this does not hold.
    pub except_when: Option<Expr>,
    /// Whether it is tried again.
    pub retry: Option<Retry>,
    /// What is done.
    pub tasks: Vec<Task>,
    /// Where it goes on.
    pub then: Option<Next>,
}

/// Whether something is tried again.
#[derive(Clone, Debug)]
pub enum Retry {
    /// Like this.
    Policy(Box<RetryPolicy>),
    /// As `use.retries` says under this name.
    Use(Word),
}

/// How something is tried again.
#[derive(Clone, Debug, Default)]
pub struct RetryPolicy {
    /// Only if this holds.
    pub when: Option<Expr>,
    /// Only if this does not hold.
    pub except_when: Option<Expr>,
    /// How long to wait.
    pub delay: Option<Duration>,
    /// How that grows.
    pub backoff: Backoff,
    /// How often at most.
    pub count: Option<i64>,
    /// How long one attempt may take.
    pub attempt_duration: Option<Duration>,
    /// How long all may take.
    pub duration: Option<Duration>,
    /// How much is added by chance, at least and at most.
    pub jitter: Option<(Duration, Duration)>,
}

/// How a delay grows from one attempt to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Backoff {
    /// Not at all.
    #[default]
    Constant,
    /// By as much each time.
    Linear,
    /// It doubles.
    Exponential,
}

/// How long something may take.
#[derive(Clone, Debug)]
pub enum Timeout {
    /// So long.
    After(Duration),
    /// As `use.timeouts` says under this name.
    Use(Word),
}

/// Reads a timeout, or under which name it is defined.
pub(super) fn timeout(reader: &mut Reader, node: &Node) -> Option<Timeout> {
    match node.what {
        What::Text(_) => reader.word(node).map(Timeout::Use),
        _ => timeout_definition(reader, node).map(Timeout::After),
    }
}

pub(super) fn timeout_definition(reader: &mut Reader, node: &Node) -> Option<Duration> {
    let mut fields = reader.object(node, "a timeout")?;
    let after = fields.need(reader, "after");
    let after = after.and_then(|node| duration::read(reader, node));
    fields.end(reader);
    after
}

pub(super) fn raise(reader: &mut Reader, node: &Node) -> Option<Raise> {
    let mut fields = reader.object(node, "`raise`")?;
    let error = fields.need(reader, "error");
    fields.end(reader);
    let error = error?;
    match error.what {
        What::Text(_) => reader.word(error).map(Raise::Use),
        _ => definition(reader, error).map(|error| Raise::Error(Box::new(error))),
    }
}

/// Reads an error as it is defined.
pub(super) fn definition(reader: &mut Reader, node: &Node) -> Option<ErrorDefinition> {
    let mut fields = reader.object(node, "an error")?;
    let kind = fields.need(reader, "type");
    let kind = kind.and_then(|node| access::uri(reader, node));
    let status = fields.need(reader, "status");
    let status = status.and_then(|node| reader.integer(node));
    let mut text = |name| {
        let node = fields.take(name)?;
        reader.text(node)?;
        reader.template(node)
    };
    let (title, detail) = (text("title"), text("detail"));
    let instance = fields.take("instance").and_then(|node| {
        let text = &reader.text(node)?.text;
        // A JSON pointer (RFC 6901) is empty or begins with a slash.
        if enclosed(text).is_none() && !text.is_empty() && !text.starts_with('/') {
            let what = format!("`{text}` is no JSON pointer; write one like `/do/0/step`");
            reader.wrong(node.place, what);
            return None;
        }
        reader.template(node)
    });
    fields.end(reader);
    Some(ErrorDefinition {
        kind: kind?,
        status: status?,
        instance,
        title,
        detail,
    })
}

pub(super) fn catch(reader: &mut Reader, node: &Node, reference: &str) -> Option<Catch> {
    let mut fields = reader.object(node, "`catch`")?;
    let errors = fields.take("errors");
    let with = errors.map_or(Some(Vec::new()), |node| {
        let mut fields = reader.object(node, "`errors`")?;
        let with = fields.take("with");
        with.map_or(Some(Vec::new()), |node| error_filter(reader, node))
    });
    let error = task::variable(reader, &mut fields, "as", "error");
    let when = fields.take("when");
    let except_when = fields.take("exceptWhen");
    let again = fields.take("retry");
    let tasks = fields.take("do");
    let then = fields
        .take("then")
        .and_then(|node| task::next(reader, node));
    fields.end(reader);
    let caught = reader.naming(&[&error], |reader| {
        let when = when.and_then(|node| reader.expr(node));
        let except_when = except_when.and_then(|node| reader.expr(node));
        let again = again.map(|node| retry(reader, node));
        let tasks = tasks.map_or(Some(Vec::new()), |node| {
            task::list(reader, node, &format!("{reference}/catch/do"))
        });
        Some((when, except_when, again, tasks?))
    });
    let (when, except_when, retry, tasks) = caught?;
    let retry = match retry {
        None => None,
        Some(retry) => Some(retry?),
    };
    Some(Catch {
        with: with?,
        error,
        when,
        except_when,
        retry,
        tasks,
        then,
    })
}

fn error_filter(reader: &mut Reader, node: &Node) -> Option<Vec<(&'static str, Value)>> {
    let mut fields = reader.object(node, "`with`")?;
    if fields.map().entries.is_empty() {
        let what =
            "`with` names at least one of `type`, `status`, `instance`, `title` and `detail`";
        reader.wrong(node.place, what);
    }
    let mut with = Vec::new();
    for name in ["type", "instance", "title", "detail"] {
        if let Some(node) = fields.take(name) {
            with.push((name, reader.string(node)?.into()));
        }
    }
    if let Some(node) = fields.take("status") {
        with.push(("status", reader.integer(node)?.into()));
    }
    Some(with)
}

fn retry(reader: &mut Reader, node: &Node) -> Option<Retry> {
    match node.what {
        What::Text(_) => reader.word(node).map(Retry::Use),
        _ => retry_policy(reader, node).map(|policy| Retry::Policy(Box::new(policy))),
    }
}

/// Reads how something is tried again.
pub(super) fn retry_policy(reader: &mut Reader, node: &Node) -> Option<RetryPolicy> {
    let mut fields = reader.object(node, "a retry policy")?;
    let when = fields.take("when").and_then(|node| reader.expr(node));
    let except_when = fields.take("exceptWhen");
    let except_when = except_when.and_then(|node| reader.expr(node));
    let delay = fields.take("delay");
    let delay = delay.and_then(|node| duration::read(reader, node));
    let backoff = fields.take("backoff");
    let backoff = backoff.and_then(|node| read_backoff(reader, node));
    let mut policy = RetryPolicy {
        when,
        except_when,
        delay,
        backoff: backoff.unwrap_or_default(),
        ..RetryPolicy::default()
    };
    if let Some(node) = fields.take("limit") {
        let mut limit = reader.object(node, "`limit`")?;
        if let Some(node) = limit.take("attempt") {
            let mut attempt = reader.object(node, "`attempt`")?;
            policy.count = attempt.take("count").and_then(|node| reader.integer(node));
            let duration = attempt.take("duration");
            policy.attempt_duration = duration.and_then(|node| duration::read(reader, node));
            attempt.end(reader);
        }
        let duration = limit.take("duration");
        policy.duration = duration.and_then(|node| duration::read(reader, node));
        limit.end(reader);
    }
    if let Some(node) = fields.take("jitter") {
        let mut jitter = reader.object(node, "`jitter`")?;
        let from = jitter.need(reader, "from");
        let from = from.and_then(|node| duration::read(reader, node));
        let to = jitter.need(reader, "to");
        let to = to.and_then(|node| duration::read(reader, node));
        jitter.end(reader);
        policy.jitter = from.zip(to);
    }
    fields.end(reader);
    Some(policy)
}

fn read_backoff(reader: &mut Reader, node: &Node) -> Option<Backoff> {
    let mut fields = reader.object(node, "`backoff`")?;
    let kinds = [
        ("constant", Backoff::Constant),
        ("linear", Backoff::Linear),
        ("exponential", Backoff::Exponential),
    ];
    let mut said = Vec::new();
    for (name, backoff) in kinds {
        if let Some(node) = fields.take(name) {
            reader.object(node, &format!("`{name}`"))?;
            said.push(backoff);
        }
    }
    let place = fields.place;
    fields.end(reader);
    match said[..] {
        [backoff] => Some(backoff),
        _ => {
            let what = "`backoff` is exactly one of `constant`, `linear` and `exponential`";
            reader.wrong(place, what);
            None
        }
    }
}
