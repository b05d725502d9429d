//! What went wrong in a run: a problem as RFC 7807 has it, with the standard's types.

use serde_json::{Value, json};

use crate::{
    expr::Pattern,
    language::{fault::ERROR_HOSTS, template::Uncomputed},
};

/// Something went wrong.
#[derive(Clone, PartialEq, Debug)]
pub struct Fault {
    /// Which kind: a URI.
    pub kind: String,
    /// Its status, as HTTP has them.
    pub status: i64,
    /// Where: a JSON pointer to the task.
    pub instance: String,
    /// What it is, in a few words.
    pub title: String,
    /// What happened this time.
    pub detail: Option<String>,
}

/// The kinds that the standard has (DSL reference, "Standard error types").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The definition cannot be performed.
    Configuration,
    /// What came does not have the shape that it should have.
    Validation,
    /// An expression gave no value.
    Expression,
    /// Who asks may not.
    Authorization,
    /// It took too long.
    Timeout,
    /// Who was asked did not answer.
    Communication,
    /// All else.
    Runtime,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Validation => "validation",
            Self::Expression => "expression",
            Self::Authorization => "authorization",
            Self::Timeout => "timeout",
            Self::Communication => "communication",
            Self::Runtime => "runtime",
        }
    }

    /// The status that the standard gives it.
    const fn status(self) -> i64 {
        match self {
            Self::Configuration | Self::Validation | Self::Expression => 400,
            Self::Authorization => 403,
            Self::Timeout => 408,
            Self::Communication | Self::Runtime => 500,
        }
    }
}

impl Fault {
    /// A fault of a standard kind.
    pub fn new(kind: Kind, instance: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{}{}", ERROR_HOSTS[0], kind.name()),
            status: kind.status(),
            instance: instance.to_owned(),
            title: title.to_owned(),
            detail: Some(detail.into()),
        }
    }

    /// The fault of an expression without a value.
    pub fn of(uncomputed: &Uncomputed, instance: &str) -> Self {
        let title = "an expression gives no value";
        Self::new(Kind::Expression, instance, title, uncomputed.to_string())
    }

    /// As expressions see it.
    pub fn to_json(&self) -> Value {
        json!({
            "type": self.kind,
            "status": self.status,
            "instance": self.instance,
            "title": self.title,
            "detail": self.detail,
        })
    }

    /// Whether it has these members with these values. The type may be a pattern, and each of the
    /// hosts of the standard's types stands for the others.
    pub fn fits(&self, with: &[(&'static str, Value)]) -> bool {
        with.iter().all(|(name, wanted)| match (*name, wanted) {
            ("status", wanted) => wanted.as_i64() == Some(self.status),
            ("type", Value::String(wanted)) => {
                let (kind, wanted) = (local(&self.kind), local(wanted));
                kind == wanted || is_pattern_of(wanted, kind)
            }
            ("instance", wanted) => wanted == &self.instance,
            ("title", wanted) => wanted == &self.title,
            ("detail", wanted) => {
                Some(wanted.as_str().unwrap_or_default()) == self.detail.as_deref()
            }
            _ => false,
        })
    }
}

/// A type without the host that it shares with all of the standard's.
fn local(kind: &str) -> &str {
    let mut hosts = ERROR_HOSTS.iter();
    hosts
        .find_map(|host| kind.strip_prefix(host))
        .unwrap_or(kind)
}

fn is_pattern_of(pattern: &str, text: &str) -> bool {
    pattern.contains(['*', '+', '?', '[', '(', '|'])
        && Pattern::whole(pattern).is_ok_and(|pattern| pattern.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hosts_name_the_same_errors() {
        let fault = Fault::new(Kind::Communication, "/do/0/a", "no answer", "x");
        for host in ERROR_HOSTS {
            assert!(fault.fits(&[("type", format!("{host}communication").into())]));
            assert!(fault.fits(&[("type", format!("{host}.*").into()), ("status", 500.into())]));
            assert!(!fault.fits(&[("type", format!("{host}timeout").into())]));
        }
        assert!(!fault.fits(&[("status", 404.into())]));
    }
}
