use std::collections::HashSet;

use super::{Known, walk};
use crate::{
    language::{
        Does, Next, Task, Word, Workflow,
        access::Authentication,
        call::Call,
        fault::{Raise, Retry, Timeout},
        fields::nearest,
        run::Program,
    },
    problem::Problem,
};

/// Functions that the hub has itself: the standard's default catalogue, as a runtime fills it.
pub(super) const FUNCTIONS: [&str; 12] = [
    "read", "write", "invoke", "observe", "notify", "ask", "page", "chat", "callup", "query",
    "forecast", "decide",
];

/// Names that stand for nothing.
pub(super) fn check(workflow: &Workflow, known: &dyn Known, problems: &mut Vec<Problem>) {
    for list in walk::lists(workflow) {
        names(list, problems);
    }
    for task in walk::steps(workflow) {
        step(workflow, task, known, problems);
    }
    if let Some(Timeout::Use(name)) = &workflow.timeout {
        defined(
            name,
            "timeout",
            "timeouts",
            words(&workflow.reuse.timeouts),
            problems,
        );
    }
}

/// Where steps go on, and whether each has a name of its own.
fn names(list: &[Task], problems: &mut Vec<Problem>) {
    let mut seen = HashSet::new();
    for task in list {
        if !seen.insert(&*task.name.text) {
            let what = format!(
                "there are two tasks `{}` in this list; `then` could not tell them apart",
                task.name
            );
            problems.push(Problem::error(task.name.place, what));
        }
        if matches!(&*task.name.text, "continue" | "exit" | "end") {
            let what = format!(
                "`{}` says where a run goes on; a task cannot be called so",
                task.name
            );
            problems.push(Problem::error(task.name.place, what));
        }
    }
    for task in list {
        for next in nexts(task) {
            let Next::Task(name) = next else { continue };
            if seen.contains(&*name.text) {
                continue;
            }
            let near = nearest(&name.text, seen.iter().copied());
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "`then` names a task of the same list, or `continue`, `exit` or `end`".into()
                }
            };
            let what = format!("there is no task `{name}` here; {hint}");
            problems.push(Problem::error(name.place, what));
        }
    }
}

/// All places where a step may go on.
pub(super) fn nexts(task: &Task) -> impl Iterator<Item = &Next> {
    let cases = match &task.does {
        Does::Switch(cases) => &cases[..],
        _ => &[],
    };
    let caught = match &task.does {
        Does::Try(tried) => tried.catch.then.as_ref(),
        _ => None,
    };
    let cases = cases.iter().map(|case| &case.then);
    task.then.iter().chain(cases).chain(caught)
}

fn step(workflow: &Workflow, task: &Task, known: &dyn Known, problems: &mut Vec<Problem>) {
    let reuse = &workflow.reuse;
    if let Some(Timeout::Use(name)) = &task.timeout {
        defined(
            name,
            "timeout",
            "timeouts",
            words(&reuse.timeouts),
            problems,
        );
    }
    match &task.does {
        Does::Raise(Raise::Use(name)) => {
            defined(name, "error", "errors", words(&reuse.errors), problems);
        }
        Does::Try(tried) => {
            if let Some(Retry::Use(name)) = &tried.catch.retry {
                defined(
                    name,
                    "retry policy",
                    "retries",
                    words(&reuse.retries),
                    problems,
                );
            }
        }
        Does::Call(call) => called(workflow, call, problems),
        Does::Run(run) => {
            if let Program::Workflow(subflow) = &run.what
                && known.has_workflow(&subflow.namespace.text, &subflow.name.text) == Some(false)
            {
                let what = format!(
                    "there is no workflow `{}.{}` here",
                    subflow.namespace, subflow.name
                );
                problems.push(Problem::warning(subflow.name.place, what));
            }
        }
        _ => {}
    }
}

fn called(workflow: &Workflow, call: &Call, problems: &mut Vec<Problem>) {
    let reuse = &workflow.reuse;
    let authentication = match call {
        Call::Http(http) => http.endpoint.authentication.as_ref(),
        Call::OpenApi(api) => api.authentication.as_ref(),
        Call::Grpc(grpc) => grpc.authentication.as_ref(),
        Call::AsyncApi(api) => api.authentication.as_ref(),
        _ => None,
    };
    match authentication {
        Some(Authentication::Use(name)) => {
            let known = words(&reuse.authentications);
            defined(name, "authentication", "authentications", known, problems);
        }
        Some(Authentication::Secret(_, name)) => {
            let known = reuse.secrets.iter().map(|word| &*word.text).collect();
            defined(name, "secret", "secrets", known, problems);
        }
        _ => {}
    }
    let Call::Function(function) = call else {
        return;
    };
    let name = &function.name;
    if let Some((_, catalogue)) = name.text.split_once('@') {
        let mut catalogues = words(&reuse.catalogs);
        catalogues.push("default");
        let word = Word {
            text: catalogue.to_owned(),
            place: name.place,
        };
        return defined(&word, "catalogue", "catalogs", catalogues, problems);
    }
    let mut functions = words(&reuse.functions);
    functions.extend(FUNCTIONS);
    if functions.contains(&&*name.text) {
        return;
    }
    functions.extend(["http", "openapi", "grpc", "asyncapi", "mcp", "a2a"]);
    let hint = match nearest(&name.text, functions.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "define it in `use.functions`, or call one of the hub's own: {}",
            FUNCTIONS.join(", ")
        ),
    };
    let what = format!("there is no function `{name}`; {hint}");
    problems.push(Problem::error(name.place, what));
}

fn words<T>(named: &[(Word, T)]) -> Vec<&str> {
    named.iter().map(|(word, _)| &*word.text).collect()
}

fn defined(name: &Word, what: &str, place: &str, known: Vec<&str>, problems: &mut Vec<Problem>) {
    if known.contains(&&*name.text) {
        return;
    }
    let hint = match nearest(&name.text, known.into_iter()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("define it in `use.{place}`"),
    };
    let what = format!("there is no {what} `{name}`; {hint}");
    problems.push(Problem::error(name.place, what));
}
