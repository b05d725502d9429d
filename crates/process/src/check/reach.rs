use std::collections::HashMap;

use super::{refers::nexts, walk};
use crate::{
    language::{Does, Next, Task, Workflow},
    problem::Problem,
};

/// Steps that are never taken, and steps that are taken for ever.
pub(super) fn check(workflow: &Workflow, problems: &mut Vec<Problem>) {
    for list in walk::lists(workflow) {
        unreached(list, problems);
        endless(list, problems);
    }
    for task in walk::steps(workflow) {
        if let Does::Switch(cases) = &task.does {
            let default = cases.iter().position(|case| case.when.is_none());
            for case in cases.iter().skip(default.map_or(cases.len(), |at| at + 1)) {
                let what = format!(
                    "the case `{}` is never looked at: the one before it holds always",
                    case.name
                );
                problems.push(Problem::warning(case.name.place, what));
            }
        }
    }
}

/// Where a step of a list may go on, as places in the list; the list's end is its length.
fn ways(list: &[Task], at: usize) -> Vec<usize> {
    let task = &list[at];
    let places: HashMap<&str, usize> = list
        .iter()
        .enumerate()
        .map(|(at, task)| (&*task.name.text, at))
        .collect();
    let place = |next: &Next| match next {
        Next::Continue => at + 1,
        Next::Exit | Next::End => list.len(),
        Next::Task(name) => places.get(&*name.text).copied().unwrap_or(at + 1),
    };
    let mut ways: Vec<usize> = nexts(task).map(place).collect();
    let is_switch =
        matches!(&task.does, Does::Switch(cases) if cases.iter().any(|case| case.when.is_none()));
    let always_leaves = task.then.is_some() || is_switch || matches!(task.does, Does::Raise(_));
    if !always_leaves || task.condition.is_some() {
        ways.push(at + 1);
    }
    ways
}

fn unreached(list: &[Task], problems: &mut Vec<Problem>) {
    let mut is_reached = vec![false; list.len()];
    let mut open = vec![0];
    while let Some(at) = open.pop() {
        if at < list.len() && !is_reached[at] {
            is_reached[at] = true;
            open.extend(ways(list, at));
        }
    }
    for (at, task) in list.iter().enumerate() {
        // Of several in a row the first says it for all.
        let is_first = at == 0 || is_reached[at - 1];
        if is_reached[at] || !is_first {
            continue;
        }
        let rest = list[at..].iter().zip(&is_reached[at..]);
        let more = match rest.take_while(|(_, is)| !**is).count() {
            1 => String::new(),
            count => format!(", and so are the {} after it", count - 1),
        };
        let what = format!(
            "the task `{}` is never taken{more}: what stands before it goes on elsewhere, and no `then` leads here",
            task.name
        );
        problems.push(Problem::warning(task.name.place, what));
    }
}

/// Steps that lead back to themselves without a way out.
fn endless(list: &[Task], problems: &mut Vec<Problem>) {
    // Which steps can come to the end of the list.
    let mut ends = vec![false; list.len()];
    loop {
        let mut has_changed = false;
        for at in 0..list.len() {
            let raises = matches!(list[at].does, Does::Raise(_));
            let is_out = |way: &usize| ends.get(*way).copied().unwrap_or(true);
            if !ends[at] && (raises || ways(list, at).iter().any(is_out)) {
                ends[at] = true;
                has_changed = true;
            }
        }
        if !has_changed {
            break;
        }
    }
    if let Some((task, _)) = list.iter().zip(ends).find(|(_, is)| !is) {
        let what = format!(
            "from the task `{}` on, there is no way out: each `then` leads back; end it with `then: end` or `then: exit` somewhere",
            task.name
        );
        problems.push(Problem::error(task.name.place, what));
    }
}
