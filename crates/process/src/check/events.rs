use quartet_model::Time;
use serde_json::Value;

use super::walk;
use crate::{
    cloud::MESSAGE,
    language::{
        Consume, Does, Filter, Workflow,
        event::Match,
        name::{CONTEXT, OUTPUT, TASK},
    },
    policy::{Policy, RunAs},
    problem::Problem,
    schedule::Ticks,
    trigger::is_topic_of,
};

/// What starts a workflow, and what it says and listens to itself.
pub(super) fn check(workflow: &Workflow, policy: &Policy, problems: &mut Vec<Problem>) {
    let Some(schedule) = &workflow.schedule else {
        if policy.run == RunAs::Fast {
            let what = "nothing starts this: a fast flow needs a `schedule`";
            problems.push(Problem::error(workflow.document.name.place, what));
        }
        return;
    };
    if let Err(wrong) = Ticks::of(schedule, policy, Time::ZERO) {
        problems.extend(wrong);
    }
    let Some(on) = &schedule.on else { return };
    let mut found = Vec::new();
    walk::consumed(on, &mut found);
    for expr in found {
        // Before a run there is none of its data.
        for (at, name) in [(CONTEXT, "context"), (OUTPUT, "output"), (TASK, "task")] {
            if expr.expression.uses(at) {
                let what = format!(
                    "before a run starts there is no `${name}`; `.` is what the event says"
                );
                problems.push(Problem::error(expr.place, what));
            }
        }
    }
    for filter in on.filters() {
        kinds(filter, problems);
    }
    says_what_it_hears(workflow, on, problems);
}

fn kinds(filter: &Filter, problems: &mut Vec<Problem>) {
    if filter.attribute("type").is_none()
        && filter.attribute("subject").is_none()
        && filter.attribute("topic").is_none()
    {
        let what = "this filter looks at every event of the hub; say which `type`, `subject` or `topic` is meant";
        problems.push(Problem::warning(filter.place, what));
    }
}

/// A flow that listens to what it says itself goes in a circle.
fn says_what_it_hears(workflow: &Workflow, on: &Consume, problems: &mut Vec<Problem>) {
    for task in walk::steps(workflow) {
        let Does::Emit(emit) = &task.does else {
            continue;
        };
        let Some(kind) = super::fixed(emit.attribute("type")) else {
            continue;
        };
        let topic = super::fixed(emit.attribute("topic"));
        if on.filters().iter().any(|filter| hears(filter, kind, topic)) {
            let at = topic.map_or(String::new(), |topic| format!(" at `{topic}`"));
            let what = format!(
                "`{}` says `{kind}`{at}, and that starts this flow again; if that is meant, let the event say when to stop",
                task.name
            );
            problems.push(Problem::warning(task.name.place, what));
        }
    }
}

/// Whether a filter may mean an event of this type, said at this topic if that is known.
fn hears(filter: &Filter, kind: &str, topic: Option<&str>) -> bool {
    let is_type = |is: &str| match filter.attribute("type") {
        Some(Match::Is(heard)) => heard == is,
        Some(Match::Fits(_, pattern)) => pattern.is_match(is),
        _ => false,
    };
    // What is said is a message as well, which is about its topic.
    let is_message = is_type(MESSAGE);
    let at = |name: &str| match filter.attribute(name) {
        None => true,
        Some(Match::Is(Value::String(wanted))) => {
            topic.is_some_and(|topic| is_topic_of(wanted, topic))
        }
        Some(Match::Fits(_, pattern)) => topic.is_some_and(|topic| pattern.is_match(topic)),
        Some(_) => false,
    };
    let is_any = filter.attribute("type").is_none() && filter.attribute("topic").is_some();
    match is_message || is_any {
        true => at("topic") && (is_any || at("subject")),
        false => is_type(kind) && at("topic"),
    }
}
