use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    forms::{Form, affordances, forms},
    members, strings,
};
use crate::td::problem::Problem;

/// Variables that carry keys are in the URI templates, and are no others [TD 1.1, section 5.3.3.1].
pub(super) fn check(thing: &Value, problems: &mut Vec<Problem>) {
    for form in forms(thing) {
        check_keys(thing, &form, problems);
    }
    let keys = keys(thing);
    check_distinct(thing, "uriVariables", &keys, problems);
    for (field, affordance) in affordances(thing) {
        check_distinct(
            affordance,
            &format!("{field}.uriVariables"),
            &keys,
            problems,
        );
    }
}

/// Variables of URI templates that are declared nowhere, so that nobody knows what to put there
/// [TD 1.1, section 6.3.9]. Such a form is of no use, but the thing may have others.
pub(super) fn check_declared(thing: &Value, problems: &mut Vec<Problem>) {
    let keys = keys(thing);
    for Form {
        field,
        form,
        affordance,
    } in forms(thing)
    {
        for variable in variables(form["href"].as_str().unwrap_or_default()) {
            let is_declared = [Some(thing), affordance]
                .into_iter()
                .flatten()
                .any(|holder| holder["uriVariables"].get(&variable).is_some());
            if !is_declared && !keys.contains(variable.as_str()) {
                let says = format!("uses the variable `{variable}`; declare it in `uriVariables`");
                problems.push(Problem::new(format!("{field}.href"), says));
            }
        }
    }
}

fn check_keys(thing: &Value, form: &Form<'_>, problems: &mut Vec<Problem>) {
    let Some(href) = form.form["href"].as_str() else {
        return;
    };
    let holder = [form.form, thing]
        .into_iter()
        .find(|holder| holder.get("security").is_some());
    for name in holder
        .into_iter()
        .flat_map(|holder| strings(holder, "security"))
    {
        if let Some(key) = key(&thing["securityDefinitions"][name])
            && !variables(href).contains(key)
        {
            let says = format!(
                "does not say where the key of the security scheme `{name}` goes; must be a URI \
                 template with the variable `{key}`, such as `{href}{{?{key}}}`"
            );
            problems.push(Problem::new(format!("{}.href", form.field), says));
        }
    }
}

fn check_distinct(holder: &Value, field: &str, keys: &BTreeSet<&str>, problems: &mut Vec<Problem>) {
    for (name, _) in members(holder, "uriVariables") {
        if keys.contains(name.as_str()) {
            let says = "has the name of the key of a security scheme; give one of them another";
            problems.push(Problem::new(format!("{field}.{name}"), says));
        }
    }
}

/// The variables that carry keys.
fn keys(thing: &Value) -> BTreeSet<&str> {
    let schemes = members(thing, "securityDefinitions");
    schemes.filter_map(|(_, scheme)| key(scheme)).collect()
}

/// The variable that carries the key of a security scheme in the URI.
fn key(scheme: &Value) -> Option<&str> {
    let is_in_uri = scheme["scheme"] == "apikey" && scheme["in"] == "uri";
    scheme["name"].as_str().filter(|_| is_in_uri)
}

/// The variables of a URI template: `a`, `b` and `c` of `/{a}{?b,c*}`.
fn variables(href: &str) -> BTreeSet<String> {
    let expressions = href
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'));
    let lists =
        expressions.map(|(list, _)| list.trim_start_matches(['+', '#', '.', '/', ';', '?', '&']));
    let names = lists.flat_map(|list| list.split(',')).map(|name| {
        let name = name.strip_suffix('*').unwrap_or(name);
        name.split_once(':').map_or(name, |(name, _)| name)
    });
    let names = names.filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_all_kinds_of_expressions() {
        let cases = [
            ("http://a/b", ""),
            (
                "/{a}/{+b}{#c}{.d}{/e}{;f}{?g,h*}{&i:3,j}",
                "a b c d e f g h i j",
            ),
            ("/{}{a{b}", "b"),
            ("/{a}/{a}", "a"),
            ("/a}{b", ""),
        ];
        for (href, expected) in cases {
            let found: Vec<_> = variables(href).into_iter().collect();
            assert_eq!(found.join(" "), expected, "{href}");
        }
    }
}
