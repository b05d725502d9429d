use crate::language::{
    Does, Expr, Task, Template, Workflow,
    call::Call,
    duration::Duration,
    event::{Consume, Filter, Match, Until},
    fault::{Raise, Retry, Timeout},
    task::Shape,
};

/// All steps of a workflow, those of its functions and extensions included, each before those in it.
pub fn steps(workflow: &Workflow) -> Vec<&Task> {
    let mut found = Vec::new();
    for list in lists(workflow) {
        found.extend(list);
    }
    found.extend(workflow.reuse.functions.iter().map(|(_, task)| task));
    found.sort_by_key(|task| task.name.place);
    found.dedup_by_key(|task| task.name.place);
    found
}

/// All lists of steps: within one, `then` may name any.
pub(super) fn lists(workflow: &Workflow) -> Vec<&[Task]> {
    let mut found = Vec::new();
    list(&workflow.tasks, &mut found);
    for (_, extension) in &workflow.reuse.extensions {
        list(&extension.before, &mut found);
        list(&extension.after, &mut found);
    }
    for (_, function) in &workflow.reuse.functions {
        inner(function, &mut found);
    }
    found
}

fn list<'w>(tasks: &'w [Task], found: &mut Vec<&'w [Task]>) {
    if tasks.is_empty() {
        return;
    }
    found.push(tasks);
    for task in tasks {
        inner(task, found);
    }
}

fn inner<'w>(task: &'w Task, found: &mut Vec<&'w [Task]>) {
    match &task.does {
        Does::Do(tasks) => list(tasks, found),
        Does::For(each) => list(&each.tasks, found),
        Does::Fork(fork) => {
            for branch in &fork.branches {
                found.push(std::slice::from_ref(branch));
                inner(branch, found);
            }
        }
        Does::Try(tried) => {
            list(&tried.tasks, found);
            list(&tried.catch.tasks, found);
        }
        Does::Listen(listen) => {
            if let Some(each) = &listen.each {
                list(&each.tasks, found);
            }
        }
        _ => {}
    }
}

/// All expressions of one step, without those of the steps in it.
pub fn expressions(task: &Task) -> Vec<&Expr> {
    let mut found: Vec<&Expr> = task.condition.iter().collect();
    for shape in [&task.input, &task.output, &task.export] {
        shaped(shape, &mut found);
    }
    if let Some(Timeout::After(duration)) = &task.timeout {
        lasting(duration, &mut found);
    }
    found.extend(work(task));
    found
}

/// The same without what goes in and comes out of it.
pub(super) fn work(task: &Task) -> Vec<&Expr> {
    let mut found = Vec::new();
    match &task.does {
        Does::Call(Call::Function(function)) => {
            for (_, template) in &function.with {
                template.expressions(&mut found);
            }
        }
        Does::Call(Call::Http(http)) => {
            http.method.expressions(&mut found);
            http.endpoint.uri.expressions(&mut found);
            let body = http.body.iter();
            body.for_each(|body| body.expressions(&mut found));
        }
        Does::Emit(emit) => {
            let with = emit.with.iter();
            with.for_each(|(_, template)| template.expressions(&mut found));
        }
        Does::For(each) => {
            each.collection.expressions(&mut found);
            found.extend(&each.while_);
        }
        Does::Listen(listen) => consumed(&listen.to, &mut found),
        Does::Raise(Raise::Error(error)) => {
            let parts = [&error.title, &error.detail, &error.instance];
            error.kind.expressions(&mut found);
            for part in parts.into_iter().flatten() {
                part.expressions(&mut found);
            }
        }
        Does::Set(template) => template.expressions(&mut found),
        Does::Switch(cases) => found.extend(cases.iter().filter_map(|case| case.when.as_ref())),
        Does::Try(tried) => {
            found.extend(&tried.catch.when);
            found.extend(&tried.catch.except_when);
            if let Some(Retry::Policy(policy)) = &tried.catch.retry {
                found.extend(&policy.when);
                found.extend(&policy.except_when);
            }
        }
        Does::Wait(duration) => lasting(duration, &mut found),
        _ => {}
    }
    found
}

/// All expressions that say which events are meant.
pub(super) fn consumed<'w>(consume: &'w Consume, found: &mut Vec<&'w Expr>) {
    for filter in consume.filters() {
        filtered(filter, found);
    }
    match consume {
        Consume::Any(_, Some(Until::Holds(expr))) => found.push(expr),
        Consume::Any(_, Some(Until::Came(consume))) => consumed(consume, found),
        _ => {}
    }
}

fn filtered<'w>(filter: &'w Filter, found: &mut Vec<&'w Expr>) {
    for (_, wanted) in &filter.with {
        if let Match::Expr(expr) = wanted {
            found.push(expr);
        }
    }
    for (_, correlate) in &filter.correlate {
        found.push(&correlate.from);
        let expect = correlate.expect.iter();
        expect.for_each(|expect| expect.expressions(found));
    }
}

pub(super) fn shaped<'w>(shape: &'w Shape, found: &mut Vec<&'w Expr>) {
    shape
        .made
        .iter()
        .for_each(|made: &Template| made.expressions(found));
}

fn lasting<'w>(duration: &'w Duration, found: &mut Vec<&'w Expr>) {
    if let Duration::Expr(expr) = duration {
        found.push(expr);
    }
}
