use super::{Known, Offer, fixed, walk};
use crate::{
    language::{Does, Template, Word, Workflow, call::Call, call::Function},
    names,
    problem::Problem,
};

/// Things and people that are named, and what is asked of them.
pub(super) fn check(workflow: &Workflow, known: &dyn Known, problems: &mut Vec<Problem>) {
    for task in walk::steps(workflow) {
        if let Does::Call(Call::Function(function)) = &task.does {
            match &*function.name.text {
                "read" | "write" | "invoke" | "observe" => things(function, known, problems),
                "notify" | "ask" | "page" | "chat" => recipients(function, known, problems),
                _ => {}
            }
        }
    }
}

fn things(function: &Function, known: &dyn Known, problems: &mut Vec<Problem>) {
    let name = &*function.name.text;
    let arguments: &[&str] = match name {
        "read" => &["thing", "things", "property", "properties", "desired"],
        "write" => &["thing", "things", "property", "value", "expires"],
        "observe" => &["thing", "things", "property", "event"],
        _ => &["thing", "things", "action", "input", "await", "expires"],
    };
    for (word, _) in &function.with {
        if !arguments.contains(&&*word.text) {
            let near = crate::language::fields::nearest(&word.text, arguments.iter().copied());
            let hint = near.map_or(format!("but {}", arguments.join(", ")), |near| {
                format!("did you mean `{near}`?")
            });
            let what = format!("`{name}` takes no `{word}`; {hint}");
            problems.push(Problem::error(word.place, what));
        }
    }
    let missing = |what: &str| Problem::error(function.place, format!("`{name}` needs {what}"));
    let has = |argument| function.argument(argument).is_some();
    if has("thing") == has("things") {
        problems.push(missing("`thing`, or `things` for several"));
    }
    let (offer, affordances) = match name {
        "read" => (Offer::Read, ["property", "properties"].as_slice()),
        "write" => (Offer::Write, ["property"].as_slice()),
        "observe" => (Offer::Read, ["property", "event"].as_slice()),
        _ => (Offer::Invoke, ["action"].as_slice()),
    };
    if !affordances.iter().any(|argument| has(argument)) {
        problems.push(missing(&format!("`{}`", affordances.join("` or `"))));
    }
    if name == "write" && !has("value") {
        problems.push(missing("`value`"));
    }
    let Some(thing) = fixed(function.argument("thing")) else {
        return;
    };
    let place = place_of(function, "thing");
    let Some(key) = element(thing, place, known, problems) else {
        return;
    };
    for argument in affordances {
        for wanted in texts(function.argument(argument)) {
            if let Some(Err(offered)) = known.offers(&key, offer, &wanted) {
                let near =
                    crate::language::fields::nearest(&wanted, offered.iter().map(String::as_str));
                let hint = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it has {}", offered.join(", ")),
                };
                let what = format!("`{thing}` has no `{wanted}` for `{name}`; {hint}");
                let place = place_of(function, argument);
                problems.push(Problem::error(place, what));
            }
        }
    }
}

fn recipients(function: &Function, known: &dyn Known, problems: &mut Vec<Problem>) {
    let name = &function.name;
    let Some(to) = function.argument("to") else {
        let what = format!("`{name}` needs `to`: who is meant");
        problems.push(Problem::error(function.place, what));
        return;
    };
    let place = place_of(function, "to");
    match to {
        Template::Fixed(value) if value.is_string() || value.is_array() => {
            for wanted in texts(Some(to)) {
                let is_somebody = wanted.starts_with("people/") || wanted.starts_with("teams/");
                if is_somebody && names::is_key(&wanted) {
                    element(&wanted, place, known, problems);
                } else {
                    let what = format!(
                        "`{wanted}` is nobody; write `people/…` or `teams/…`, or an object like `{{ role: nurse }}`"
                    );
                    problems.push(Problem::error(place, what));
                }
            }
        }
        Template::Fixed(value) if !value.is_object() => {
            let what = "`to` says who is meant: `people/…`, `teams/…`, a list of them, or an object like `{ role: nurse }`";
            problems.push(Problem::error(place, what));
        }
        Template::Fixed(value) if value.as_object().is_some_and(|map| map.is_empty()) => {
            let what = "`to` is empty: nobody is meant";
            problems.push(Problem::error(place, what));
        }
        _ => {
            for (kind, argument) in [("people", "person"), ("teams", "team")] {
                let named = to.get(argument);
                if let Some(wanted) = named.as_deref().and_then(Template::fixed_text) {
                    let key = match names::is_key(wanted) {
                        true => wanted.to_owned(),
                        false => format!("{kind}/{wanted}"),
                    };
                    element(&key, place, known, problems);
                }
            }
        }
    }
}

/// The key of an element that is named; says so if there is none.
fn element(
    name: &str,
    place: crate::problem::Place,
    known: &dyn Known,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let Some(key) = names::key_of(name) else {
        problems.push(Problem::error(place, "the name of an element is empty"));
        return None;
    };
    if known.has_element(&key) == Some(false) {
        let near = known.near(&key);
        let hint = match &near[..] {
            [] => "it may come later".to_owned(),
            near => format!("did you mean `{}`?", near.join("` or `")),
        };
        let what = format!("there is no `{name}` here; {hint}");
        problems.push(Problem::warning(place, what));
        return None;
    }
    Some(key)
}

fn place_of(function: &Function, argument: &str) -> crate::problem::Place {
    let mut with = function.with.iter().map(|(word, _)| word);
    let found = with.find(|word: &&Word| word.text == argument);
    found.map_or(function.place, |word| word.place)
}

/// The texts of an argument that can be told without computing.
fn texts(template: Option<&Template>) -> Vec<String> {
    match template.and_then(Template::fixed) {
        Some(serde_json::Value::String(text)) => vec![text.clone()],
        Some(serde_json::Value::Array(list)) => {
            let texts = list.iter().filter_map(|value| value.as_str());
            texts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
