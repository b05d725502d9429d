//! Sparkplug B: nodes at the edge and their devices, which say at their birth what they are and
//! later only what changed [Eclipse Sparkplug 3.0.0].
//!
//! A birth becomes the description of an element. What changed is understood by [`Host`], not by
//! forms: which metric an alias stands for, and whether a message is missing, follows only from all
//! that came before. Forms tell what is written, and read what a person points them at.

mod birth; // what a birth says, as a description
mod datatype; // the types of values
mod host; // the state machine of a host application
mod metric; // one metric by a form
mod value; // values as JSON, and the reverse
mod wire; // protobuf

use thiserror::Error;

pub use host::{Host, Say, state};
pub(super) use metric::At;

/// The first level of all topics: the namespace.
const NAMESPACE: &str = "spBv1.0";
/// Where births are kept [tck-id-conformance-mqtt-aware-store].
const CERTIFICATES: &str = "$sparkplug/certificates/";
/// Content of forms. A type of our own: none is registered for Sparkplug.
pub(super) const CONTENT_TYPE: &str = "application/vnd.eclipse.sparkplug.b+protobuf";
/// The part of a description that is said here.
const PART: &str = "sparkplug";

/// Where the hub says whether it is there as a host; its name among hosts is `quartet`.
pub const STATE: &str = "spBv1.0/STATE/quartet";
/// All that nodes say.
pub const FILTER: &str = "spBv1.0/#";
/// Births that were said before this hub began.
pub const KEPT: &str = "$sparkplug/certificates/spBv1.0/#";

/// Whether a topic is of the namespace.
pub fn is_of_node(topic: &str) -> bool {
    let below = topic.strip_prefix(NAMESPACE);
    below.is_some_and(|below| below.starts_with('/'))
}

/// What a message is [Sparkplug 3.0.0, chapter 4].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verb {
    Birth,
    Death,
    Data,
    /// To a node or a device; a host hears only its own.
    Command,
}

/// `spBv1.0/{group}/{verb}/{node}`, or with a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Topic<'t> {
    group: &'t str,
    verb: Verb,
    node: &'t str,
    device: Option<&'t str>,
}

impl<'t> Topic<'t> {
    /// Reads one; `None` if it is no topic of a node or a device.
    fn read(topic: &'t str) -> Option<Self> {
        let mut levels = topic.split('/');
        if levels.next()? != NAMESPACE {
            return None;
        }
        let (group, word, node) = (levels.next()?, levels.next()?, levels.next()?);
        let device = levels.next();
        let (of, verb) = word.split_at_checked(1)?;
        let verb = match verb {
            "BIRTH" => Verb::Birth,
            "DEATH" => Verb::Death,
            "DATA" => Verb::Data,
            "CMD" => Verb::Command,
            _ => return None,
        };
        let is_of_device = match of {
            "N" => false,
            "D" => true,
            _ => return None,
        };
        let is_said = |id: &str| !id.is_empty() && id.len() <= ID_BYTES_MAX;
        let is_whole = levels.next().is_none() && device.is_some() == is_of_device;
        let ids = [Some(group), Some(node), device];
        let all_said = ids.into_iter().flatten().all(is_said);
        (is_whole && all_said).then_some(Self {
            group,
            verb,
            node,
            device,
        })
    }

    /// The topic where the same node or device says or hears something else.
    fn with(&self, verb: Verb) -> String {
        let of = if self.device.is_some() { 'D' } else { 'N' };
        let verb = match verb {
            Verb::Birth => "BIRTH",
            Verb::Death => "DEATH",
            Verb::Data => "DATA",
            Verb::Command => "CMD",
        };
        let below = self.device.map(|device| format!("/{device}"));
        let below = below.unwrap_or_default();
        format!("{NAMESPACE}/{}/{of}{verb}/{}{below}", self.group, self.node)
    }

    /// The same node, without its device.
    fn of_node(self) -> Self {
        Self {
            device: None,
            ..self
        }
    }

    /// The key of the element: `things/plant_press`, `things/plant_press_pump`.
    fn key(&self) -> String {
        let ids = [Some(self.group), Some(self.node), self.device];
        let ids = ids.into_iter().flatten();
        // `a_b` in `c` is not `b` in `c_a`: such names are told apart by a sum of the whole.
        let is_plain = ids.clone().all(|id| !id.contains('_'));
        let between = if is_plain { "_" } else { "/" };
        super::parts::thing_key(&ids.collect::<Vec<_>>().join(between))
    }
}

/// No name of a group, a node or a device is longer.
const ID_BYTES_MAX: usize = 128;

/// Why a payload cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Unreadable {
    /// It is no protobuf.
    #[error("is no payload of Sparkplug B: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// It is too long, or what is packed in it.
    #[error("has more than 1 MiB, packed or unpacked; no more is read")]
    TooLong,
    /// It has too many metrics.
    #[error("has {0} metrics; at most {max} are read", max = wire::METRICS_MAX)]
    Metrics(usize),
    /// It cannot be unpacked.
    #[error("cannot be unpacked: {0}")]
    Packed(String),
    /// It is packed in a way that the specification does not have.
    #[error("is compressed by another algorithm than GZIP and DEFLATE")]
    Algorithm,
    /// A template has templates in it, and so on.
    #[error("has templates nested more than {max} deep", max = value::DEPTH_MAX)]
    Nested,
    /// A value is not of the type that is said.
    #[error("has a value that is no {0}")]
    Value(&'static str),
    /// A type is unknown.
    #[error("has a value of the data type {0}, which the specification does not have")]
    Type(u32),
}

#[cfg(test)]
mod tests; // what nodes said, and what follows
