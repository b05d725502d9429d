//! What may run on the message path: what is known to end, at once, and to need nothing but what
//! the hub has at hand.

use super::walk;
use crate::{
    language::{Does, Expr, Next, Task, Template, Workflow, call::Call},
    policy::{Mode, Policy},
    problem::Problem,
};

/// Functions that a fast flow may call.
pub const FUNCTIONS: [&str; 4] = ["read", "write", "invoke", "notify"];

/// A fast flow has no more steps, those in loops counted once.
pub const STEPS_MAX: usize = 256;

/// Says which task may not, and why.
pub(super) fn check(workflow: &Workflow, policy: &Policy, problems: &mut Vec<Problem>) {
    let steps = walk::steps(workflow);
    if STEPS_MAX < steps.len() {
        let what = format!(
            "a fast flow has at most {STEPS_MAX} tasks; this has {}",
            steps.len()
        );
        problems.push(Problem::error(workflow.document.name.place, what));
    }
    for task in steps {
        if let Some(why) = forbidden(task, workflow) {
            let what = format!(
                "the task `{}` cannot run on the message path: {why}; `metadata.run: durable` has it",
                task.name
            );
            problems.push(Problem::error(task.name.place, what));
        }
        for expr in walk::expressions(task) {
            is_total(expr, problems);
        }
    }
    for list in walk::lists(workflow) {
        forward_only(list, problems);
    }
    if let Some(on) = workflow
        .schedule
        .as_ref()
        .and_then(|schedule| schedule.on.as_ref())
    {
        let mut found = Vec::new();
        walk::consumed(on, &mut found);
        found.into_iter().for_each(|expr| is_total(expr, problems));
        if matches!(on, crate::language::Consume::All(filters) if 1 < filters.len()) {
            let what = "waiting for several events takes time: `all` is for `metadata.run: durable`; a `sequence` signal may do";
            problems.push(Problem::error(on.filters()[0].place, what));
        }
    }
    let mut found = Vec::new();
    for shape in [&workflow.input, &workflow.output] {
        walk::shaped(shape, &mut found);
    }
    found.extend(&policy.key);
    found.into_iter().for_each(|expr| is_total(expr, problems));
    if !workflow.reuse.extensions.is_empty() {
        let what = "extensions are for `metadata.run: durable`";
        let place = workflow.reuse.extensions[0].0.place;
        problems.push(Problem::error(place, what));
    }
    if matches!(policy.mode, Some(Mode::Restart | Mode::Queued)) {
        let what = "a fast run is over at once, so there is never one to restart or to wait for; leave `mode` out";
        let place = policy.run_place.unwrap_or_default();
        problems.push(Problem::warning(place, what));
    }
}

fn forbidden(task: &Task, workflow: &Workflow) -> Option<String> {
    if task.timeout.is_some() {
        return Some("it has a `timeout`, and nothing here takes time".to_owned());
    }
    Some(match &task.does {
        Does::Set(_) | Does::Switch(_) | Does::Emit(_) | Does::Do(_) | Does::Raise(_) => {
            return None;
        }
        // Branches that take no time come one after the other.
        Does::For(_) | Does::Fork(_) => return None,
        Does::Try(tried) => {
            tried.catch.retry.as_ref()?;
            "it tries again, and that takes time".to_owned()
        }
        Does::Call(Call::Function(function)) => {
            let name = &*function.name.text;
            let defined = workflow.reuse.functions.iter();
            let is_own = defined
                .map(|(word, _)| &*word.text)
                .any(|word| word == name);
            if is_own {
                // Its own steps are looked at as all others.
                return None;
            }
            if !FUNCTIONS.contains(&name) {
                return Some(format!("it calls `{name}`, which takes time"));
            }
            if function.argument("await").is_some() {
                return Some("it awaits what it invokes".to_owned());
            }
            match function.argument("to") {
                Some(Template::Object(_)) => {}
                Some(Template::Fixed(value)) if value.is_object() => {}
                _ => return None,
            }
            "who is meant by `to` is looked up first; name `people/…` or `teams/…`".to_owned()
        }
        Does::Call(_) => "it calls somebody outside".to_owned(),
        Does::Listen(_) => "it waits for events".to_owned(),
        Does::Run(_) => "it runs a program".to_owned(),
        Does::Wait(_) => "it waits".to_owned(),
    })
}

fn is_total(expr: &Expr, problems: &mut Vec<Problem>) {
    if let Some(beyond) = expr.expression.beyond_total() {
        let what = format!(
            "a fast flow computes only what is known to end: {}",
            beyond.what
        );
        problems.push(Problem::error(expr.beyond.unwrap_or(expr.place), what));
    }
}

/// A `then` that leads back would be a loop without a bound.
fn forward_only(list: &[Task], problems: &mut Vec<Problem>) {
    for (at, task) in list.iter().enumerate() {
        for next in super::refers::nexts(task) {
            let Next::Task(name) = next else { continue };
            let place = list.iter().position(|task| task.name.text == name.text);
            if place.is_some_and(|place| place <= at) {
                let what = format!(
                    "`then: {name}` leads back, and nothing bounds how often; a fast flow repeats with `for`"
                );
                problems.push(Problem::error(name.place, what));
            }
        }
    }
}
