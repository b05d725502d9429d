use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{elements, forms::forms, members, strings};
use crate::td::problem::Problem;

/// Names that are used are defined: of security schemes [TD 1.1, section 5.3.1.1 "security"],
/// and of the schemas of additional responses [section 5.3.4.4].
pub(super) fn check(thing: &Value, problems: &mut Vec<Problem>) {
    let schemes = Names::of(thing, "securityDefinitions");
    schemes.check(thing, "security", "security", problems);
    let schemas = Names::of(thing, "schemaDefinitions");
    for form in forms(thing) {
        let field = format!("{}.security", form.field);
        schemes.check(form.form, "security", &field, problems);
        for (index, response) in elements(form.form, "additionalResponses") {
            let field = format!("{}.additionalResponses.{index}.schema", form.field);
            schemas.check(response, "schema", &field, problems);
        }
    }
    for (name, scheme) in members(thing, "securityDefinitions") {
        for combination in ["oneOf", "allOf"] {
            let field = format!("securityDefinitions.{name}.{combination}");
            schemes.check(scheme, combination, &field, problems);
        }
    }
    for name in circular(thing) {
        let says = "leads in a circle; a combination may not contain itself";
        problems.push(Problem::new(format!("securityDefinitions.{name}"), says));
    }
}

/// Names that a member of the thing defines.
struct Names<'a> {
    defined_in: &'static str,
    names: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn of(thing: &'a Value, defined_in: &'static str) -> Self {
        let names = members(thing, defined_in).map(|(name, _)| name.as_str());
        Self {
            defined_in,
            names: names.collect(),
        }
    }

    /// What `holder` names in a member is defined.
    fn check(&self, holder: &Value, member: &str, field: &str, problems: &mut Vec<Problem>) {
        for name in strings(holder, member) {
            if !self.names.contains(name) {
                problems.push(Problem::new(field, self.undefined(name)));
            }
        }
    }

    fn undefined(&self, name: &str) -> String {
        const SHOWN_MAX: usize = 8;
        let defined_in = self.defined_in;
        if self.names.is_empty() {
            return format!("names `{name}`, but `{defined_in}` defines nothing; define it there");
        }
        let shown = self.names.iter().take(SHOWN_MAX);
        let shown: Vec<String> = shown.map(|name| format!("`{name}`")).collect();
        let dots = if self.names.len() > SHOWN_MAX {
            "…"
        } else {
            ""
        };
        format!(
            "names `{name}`, which `{defined_in}` does not define; it defines {}{dots}",
            shown.join(", ")
        )
    }
}

/// The security schemes that contain themselves, or another that does.
fn circular(thing: &Value) -> impl Iterator<Item = &str> {
    let schemes: BTreeMap<&str, &Value> = members(thing, "securityDefinitions")
        .map(|(name, scheme)| (name.as_str(), scheme))
        .collect();
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut awaited: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, scheme) in &schemes {
        let parts = strings(scheme, "oneOf").chain(strings(scheme, "allOf"));
        let parts: Vec<&str> = parts.filter(|part| schemes.contains_key(part)).collect();
        awaited.insert(name, parts.len());
        for part in parts {
            users.entry(part).or_default().push(name);
        }
    }
    // Whoever awaits nobody is done; when no one is left who could be, the rest await each other.
    let free = awaited.iter().filter(|(_, count)| **count == 0);
    let mut done: Vec<&str> = free.map(|(name, _)| *name).collect();
    while let Some(name) = done.pop() {
        for user in users.remove(name).into_iter().flatten() {
            if let Some(count) = awaited.get_mut(user) {
                *count -= 1;
                if *count == 0 {
                    done.push(user);
                }
            }
        }
    }
    let circular = awaited.into_iter().filter(|(_, count)| *count > 0);
    circular.map(|(name, _)| name)
}
