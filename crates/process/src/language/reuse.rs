//! What is defined once and used by name.

use super::{
    Word,
    access::{self, Authentication, Endpoint},
    duration::Duration,
    fault::{self, ErrorDefinition, RetryPolicy},
    reader::Reader,
    task::{self, Task},
    template::Expr,
};
use crate::yaml::Node;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Use {
    /// How to say who asks.
    pub authentications: Vec<(Word, Authentication)>,
    /// Errors.
    pub errors: Vec<(Word, ErrorDefinition)>,
    /// What is done before and after tasks.
    pub extensions: Vec<(Word, Extension)>,
    /// Functions: tasks that are called.
    pub functions: Vec<(Word, Task)>,
    /// How something is tried again.
    pub retries: Vec<(Word, RetryPolicy)>,
    /// Secrets that may be used.
    pub secrets: Vec<Word>,
    /// How long something may take.
    pub timeouts: Vec<(Word, Duration)>,
    /// Where more functions are.
    pub catalogs: Vec<(Word, Endpoint)>,
}

/// What is done before and after tasks of one kind.
#[derive(Clone, Debug)]
pub struct Extension {
    /// Of which kind; `all` for every one.
    pub extend: &'static str,
    /// Only if this holds.
    pub when: Option<Expr>,
    /// Before.
    pub before: Vec<Task>,
    /// After.
    pub after: Vec<Task>,
}

const EXTENDED: [&str; 12] = [
    "call",
    "composite",
    "emit",
    "for",
    "listen",
    "raise",
    "run",
    "set",
    "switch",
    "try",
    "wait",
    "all",
];

pub(super) fn read(reader: &mut Reader, node: &Node) -> Option<Use> {
    let mut fields = reader.object(node, "`use`")?;
    let mut reuse = Use::default();
    if let Some(node) = fields.take("authentications") {
        reuse.authentications = named(reader, node, |reader, _, node| access::policy(reader, node));
    }
    if let Some(node) = fields.take("errors") {
        reuse.errors = named(reader, node, |reader, _, node| {
            fault::definition(reader, node)
        });
    }
    if let Some(node) = fields.take("extensions") {
        let list = reader.list(node, "`extensions`").unwrap_or_default();
        for (at, item) in list.iter().enumerate() {
            let one = named(reader, item, |reader, name, node| {
                extension(reader, node, &format!("/use/extensions/{at}/{name}"))
            });
            one_of_each(reader, item, "an extension");
            reuse.extensions.extend(one);
        }
    }
    if let Some(node) = fields.take("functions") {
        reuse.functions = named(reader, node, |reader, name, node| {
            task::read(reader, node, name, &format!("/use/functions/{name}"))
        });
    }
    if let Some(node) = fields.take("retries") {
        reuse.retries = named(reader, node, |reader, _, node| {
            fault::retry_policy(reader, node)
        });
    }
    if let Some(node) = fields.take("secrets") {
        let list = reader.list(node, "`secrets`").unwrap_or_default();
        reuse.secrets = list.iter().filter_map(|node| reader.word(node)).collect();
    }
    if let Some(node) = fields.take("timeouts") {
        reuse.timeouts = named(reader, node, |reader, _, node| {
            fault::timeout_definition(reader, node)
        });
    }
    if let Some(node) = fields.take("catalogs") {
        reuse.catalogs = named(reader, node, |reader, _, node| {
            let mut fields = reader.object(node, "a catalogue")?;
            let endpoint = fields.need(reader, "endpoint");
            let endpoint = endpoint.and_then(|node| access::endpoint(reader, node));
            fields.end(reader);
            endpoint
        });
    }
    fields.end(reader);
    Some(reuse)
}

/// Things by name.
fn named<T>(
    reader: &mut Reader,
    node: &Node,
    read: impl Fn(&mut Reader, &Word, &Node) -> Option<T>,
) -> Vec<(Word, T)> {
    let Some(fields) = reader.object(node, "this") else {
        return Vec::new();
    };
    let entries = fields.map().entries.iter();
    entries
        .filter_map(|(key, node)| {
            let word = Word {
                text: key.name.clone(),
                place: key.place,
            };
            let read = read(reader, &word, node)?;
            Some((word, read))
        })
        .collect()
}

/// An item of a list has exactly one name.
pub(super) fn one_of_each(reader: &mut Reader, node: &Node, what: &str) -> bool {
    let count = node.map().map_or(0, |map| map.entries.len());
    if count != 1 {
        let hint = match count {
            0 => "give it one",
            _ => "begin the next one with `- `, or indent what belongs to the first",
        };
        reader.wrong(
            node.place,
            format!("{what} has exactly one name; this has {count}: {hint}"),
        );
    }
    count == 1
}

fn extension(reader: &mut Reader, node: &Node, reference: &str) -> Option<Extension> {
    let mut fields = reader.object(node, "an extension")?;
    let extend = fields.need(reader, "extend");
    let extend = extend.and_then(|node| reader.one_of(node, &EXTENDED));
    let when = fields.take("when").and_then(|node| reader.expr(node));
    let mut tasks = |name: &'static str| {
        let node = fields.take(name)?;
        task::list(reader, node, &format!("{reference}/{name}"))
    };
    let (before, after) = (tasks("before"), tasks("after"));
    fields.end(reader);
    Some(Extension {
        extend: extend?,
        when,
        before: before.unwrap_or_default(),
        after: after.unwrap_or_default(),
    })
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}
