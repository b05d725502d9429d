use super::walk;
use crate::{
    language::{Does, Next, Task, Workflow, call::Call},
    problem::Problem,
};

/// Functions that are called for what they do: what they give is no data.
const DOING: [&str; 5] = ["write", "invoke", "notify", "page", "chat"];

/// Steps whose output takes the place of data that the next step looks at (the DSL: each task's
/// output is the next one's input).
pub(super) fn check(workflow: &Workflow, problems: &mut Vec<Problem>) {
    for list in walk::lists(workflow) {
        for (at, task) in list.iter().enumerate() {
            if !erases(task) {
                continue;
            }
            let next = match &task.then {
                None | Some(Next::Continue) => list.get(at + 1),
                Some(Next::Task(name)) => list.iter().find(|task| task.name.text == name.text),
                Some(Next::Exit | Next::End) => None,
            };
            if let Some(next) = next.filter(|next| looks_at_data(next)) {
                let what = format!(
                    "the output of `{}` takes the place of the data that `{}` looks at; keep them with `output: {{ as: $input }}`",
                    task.name, next.name
                );
                problems.push(Problem::warning(task.name.place, what));
            }
        }
    }
}

fn erases(task: &Task) -> bool {
    let is_doing = match &task.does {
        Does::Call(Call::Function(function)) => {
            let name = &*function.name.text;
            DOING.contains(&name) && !(name == "invoke" && function.argument("await").is_some())
        }
        Does::Emit(_) => true,
        _ => false,
    };
    is_doing && task.output.made.is_none()
}

/// Whether a step looks at the data it is given: its first expressions do.
fn looks_at_data(task: &Task) -> bool {
    let at_data = |expr: &&crate::language::Expr| {
        expr.expression.uses_input() || expr.expression.uses(crate::language::name::INPUT)
    };
    if let Some(made) = &task.input.made {
        let mut found = Vec::new();
        made.expressions(&mut found);
        return found.iter().any(at_data);
    }
    if task.condition.iter().any(|expr| at_data(&expr)) {
        return true;
    }
    match &task.does {
        Does::Do(tasks) => tasks.first().is_some_and(looks_at_data),
        Does::Try(tried) => tried.tasks.first().is_some_and(looks_at_data),
        Does::Fork(fork) => fork.branches.iter().any(looks_at_data),
        // What is asked of events is asked of events.
        Does::Listen(_) => false,
        _ => walk::work(task).iter().any(at_data),
    }
}
