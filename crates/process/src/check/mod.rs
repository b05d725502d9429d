//! Whether a definition makes sense: what a reader of its shape alone cannot see.
//!
//! Each file looks for one kind of mistake. What only a hub knows (which things there are, who is
//! in a team) is asked through [`Known`]; without a hub nothing is claimed about it.

mod data; // steps whose output is what nobody wanted
mod elements; // things and people that are named
mod events; // what starts it
pub mod fast; // what may run on the message path
mod reach; // steps that are never taken
mod refers; // names that stand for nothing
mod walk; // all steps, one by one

use crate::{
    language::{self, Definition, Template},
    policy::{self, Policy, RunAs},
    problem::Problem,
};

pub use walk::{expressions, steps};

/// What a hub knows. Everything may be asked, and nothing must be known.
pub trait Known {
    /// Whether there is an element of this key; `None` if that is not known.
    fn has_element(&self, key: &str) -> Option<bool>;
    /// Whether an element has an affordance of this name, and which it has; `None` if that is not
    /// known.
    fn offers(&self, key: &str, what: Offer, name: &str) -> Option<Result<(), Vec<String>>>;
    /// Whether there is a workflow of this namespace and name; `None` if that is not known.
    fn has_workflow(&self, namespace: &str, name: &str) -> Option<bool>;
    /// Which elements are called nearly so.
    fn near(&self, key: &str) -> Vec<String>;
}

/// What an element offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offer {
    /// A property that can be read.
    Read,
    /// A property that can be written.
    Write,
    /// An action.
    Invoke,
}

/// Nothing is known: a definition is looked at by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl Known for Nothing {
    fn has_element(&self, _: &str) -> Option<bool> {
        None
    }
    fn offers(&self, _: &str, _: Offer, _: &str) -> Option<Result<(), Vec<String>>> {
        None
    }
    fn has_workflow(&self, _: &str, _: &str) -> Option<bool> {
        None
    }
    fn near(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// A definition that makes sense.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What was written.
    pub definition: Definition,
    /// How it runs.
    pub policy: Policy,
    /// What is most likely not what was meant.
    pub warnings: Vec<Problem>,
}

/// Reads a definition and looks whether it makes sense.
///
/// # Errors
///
/// All that is wrong with it, warnings included, in the order in which it stands there.
pub fn check(text: &str, known: &dyn Known) -> Result<Checked, Vec<Problem>> {
    let definition = language::read(text)?;
    let workflow = &definition.workflow;
    let (policy, mut problems) = policy::read(workflow.document.metadata.as_ref())?;
    refers::check(workflow, known, &mut problems);
    reach::check(workflow, &mut problems);
    data::check(workflow, &mut problems);
    events::check(workflow, &policy, &mut problems);
    elements::check(workflow, known, &mut problems);
    if policy.run == RunAs::Fast {
        fast::check(workflow, &policy, &mut problems);
    }
    problems.sort_by_key(|problem| problem.place);
    problems.dedup();
    if problems.iter().any(Problem::is_error) {
        return Err(problems);
    }
    Ok(Checked {
        definition,
        policy,
        warnings: problems,
    })
}

/// The text of an argument, if it can be told without computing.
fn fixed(template: Option<&Template>) -> Option<&str> {
    template.and_then(Template::fixed_text)
}
