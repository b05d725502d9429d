use std::cmp::Reverse;

use crate::td::problem::{Path, Problem, one_of};

/// What a schema says of a place, in parts, so that several schemas can be told as one.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Finding {
    /// Where: a JSON pointer.
    at: String,
    /// What was found there: `is 5`.
    is: String,
    /// What would be right instead: `be a string`; one of them.
    must: Vec<String>,
    sort: Sort,
}

const PLACEHOLDER: &str = "be a placeholder such as `{{NAME}}`";

/// How much a finding says about whether its schema was meant at all. The last, the least.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Sort {
    Missing,
    Other,
    Excluded,
    Value,
    Type,
}

impl Finding {
    pub(super) fn new(at: &str, is: impl Into<String>, must: impl Into<String>) -> Self {
        Self::sorted(at, is.into(), vec![must.into()], Sort::Other)
    }

    /// A member is missing.
    pub(super) fn missing(at: &str, name: &str) -> Self {
        Self::sorted(at, name.to_owned(), Vec::new(), Sort::Missing)
    }

    /// It is there, or as it is, but must not be.
    pub(super) fn excluded(at: &str, is: String, must: String) -> Self {
        Self::sorted(at, is, vec![must], Sort::Excluded)
    }

    /// It is none of some values.
    pub(super) fn of_another_value(at: &str, is: String, must: Vec<String>) -> Self {
        Self::sorted(at, is, must, Sort::Value)
    }

    /// It is of another type.
    pub(super) fn of_another_type(at: &str, is: String, must: Vec<String>) -> Self {
        Self::sorted(at, is, must, Sort::Type)
    }

    /// It is no placeholder, which a model may have anywhere. Only texts could be meant to be one.
    pub(super) fn no_placeholder(at: &str, is: String, is_text: bool) -> Self {
        let sort = if is_text { Sort::Other } else { Sort::Type };
        Self::sorted(at, is, vec![PLACEHOLDER.to_owned()], sort)
    }

    fn sorted(at: &str, is: String, must: Vec<String>, sort: Sort) -> Self {
        let at = at.to_owned();
        Self { at, is, must, sort }
    }

    pub(super) fn into_problem(self) -> Problem {
        let description = match self.sort {
            Sort::Missing => format!("`{}` is missing", self.is),
            _ => format!("{}; must {}", self.is, one_of(&self.must)),
        };
        Problem::new(field(&self.at), description)
    }

    /// How surely this says that the schema, which looked at `at`, is about something else: another
    /// type, another `scheme` or `rel`, or what the schema leaves to its siblings.
    fn foreignness(&self, at: &str) -> u8 {
        let is_here = self.at == at;
        let discriminates = match self.at.strip_prefix(at) {
            Some(member) => matches!(member, "/scheme" | "/rel"),
            None => false,
        };
        match self.sort {
            Sort::Type if is_here => 3,
            Sort::Value if discriminates => 2,
            Sort::Excluded if is_here => 1,
            _ => 0,
        }
    }

    fn depth(&self) -> usize {
        self.at.matches('/').count()
    }
}

/// What to say when a value fits none of several schemas that looked at `at`: what those say that
/// were meant. That are the least foreign ones; of these, those that got furthest; of these, those
/// with the fewest findings. If several say something else about the same place, each may be right.
pub(super) fn meant(at: &str, mut branches: Vec<Vec<Finding>>) -> Vec<Finding> {
    branches.iter_mut().for_each(drop_values_of_another_type);
    let rank = |branch: &[Finding]| {
        let foreignness = branch.iter().map(|finding| finding.foreignness(at)).max();
        let depth = branch.iter().map(Finding::depth).min();
        (foreignness, Reverse(depth), branch.len())
    };
    let Some(best) = branches.iter().map(|branch| rank(branch)).min() else {
        return Vec::new();
    };
    let is_best = |branch: &&Vec<Finding>| {
        // All schemes together are the answer, even if some have more to say than their name.
        let (foreignness, depth, len) = rank(branch);
        foreignness == best.0 && (foreignness == Some(2) || (depth, len) == (best.1, best.2))
    };
    let mut meant = branches.iter().filter(is_best);
    let Some(first) = meant.next() else {
        return Vec::new();
    };
    let [told] = &first[..] else {
        return first.clone();
    };
    let mut told = told.clone();
    for finding in meant.flatten() {
        told.add(finding);
    }
    vec![told]
}

/// What is of another type is another value, too; that goes without saying.
fn drop_values_of_another_type(findings: &mut Vec<Finding>) {
    let of_type = |finding: &&Finding| finding.sort == Sort::Type;
    let places: Vec<String> = findings
        .iter()
        .filter(of_type)
        .map(|finding| finding.at.clone())
        .collect();
    findings.retain(|finding| finding.sort != Sort::Value || !places.contains(&finding.at));
}

impl Finding {
    /// Tells what another finding says of the same place, too.
    fn add(&mut self, other: &Self) {
        if self.at != other.at || self.sort == Sort::Missing && other.sort != Sort::Missing {
            return;
        }
        if self.sort == Sort::Missing && self.is != other.is {
            self.is = format!("{}` or `{}", self.is, other.is);
        }
        for must in &other.must {
            if !self.must.contains(must) {
                self.must.push(must.clone());
            }
        }
        // What is always possible is told last.
        self.must.sort_by_key(|must| must == PLACEHOLDER);
    }
}

/// A JSON pointer as `Problem::field`.
fn field(pointer: &str) -> String {
    let mut path = Path::default();
    for step in pointer.split('/').skip(1) {
        path.push_name(&step.replace("~1", "/").replace("~0", "~"));
    }
    path.to_string()
}
