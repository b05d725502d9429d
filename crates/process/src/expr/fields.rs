use serde_json::Value;

use super::term::{Node, Term, TextPart};

/// See [`super::Expression::fields`].
pub(super) fn fields(node: &Node) -> Option<Vec<String>> {
    let mut found = Vec::new();
    collect(node, &mut found)?;
    found.sort_unstable();
    found.dedup();
    Some(found)
}

/// `None` if more of the input is looked at than fields of a fixed name.
fn collect(node: &Node, found: &mut Vec<String>) -> Option<()> {
    let mut all = |nodes: Vec<&Node>| nodes.into_iter().try_for_each(|node| collect(node, found));
    match &node.term {
        Term::Field(of, name) if matches!(of.term, Term::Input) => found.push(name.clone()),
        Term::Index(of, at) => match (&of.term, &at.term) {
            (Term::Input, Term::Literal(Value::String(name))) => found.push(name.clone()),
            _ => return all(vec![of, at]),
        },
        Term::Pipe(left, right) => match left.term {
            Term::Input => return all(vec![right]),
            // What comes after the bar looks at what comes before it.
            _ => return all(vec![left]),
        },
        Term::Field(of, _) | Term::Minus(of) | Term::Optional(of) => return all(vec![of]),
        Term::Else(one, other)
        | Term::And(one, other)
        | Term::Or(one, other)
        | Term::Compare(_, one, other)
        | Term::Math(_, one, other)
        | Term::As(one, other) => return all(vec![one, other]),
        Term::Slice(of, from, to) => {
            all(vec![of])?;
            return all(from.iter().chain(to).map(|node| &**node).collect());
        }
        Term::If(cases, other) => {
            let cases = cases.iter();
            all(cases.flat_map(|(is, value)| [is, value]).collect())?;
            // Without `else` it is its input.
            return all(vec![other.as_deref()?]);
        }
        Term::Array(members) => return all(members.iter().collect()),
        Term::Object(members) => {
            let members = members.iter();
            return all(members.flat_map(|(key, value)| [key, value]).collect());
        }
        Term::Text(parts, _) => {
            let nodes = parts.iter().filter_map(|part| match part {
                TextPart::Node(node) => Some(node),
                TextPart::Plain(_) => None,
            });
            return all(nodes.collect());
        }
        Term::Call(function, arguments) if !function.looks_at_input() => {
            return all(arguments.iter().collect());
        }
        Term::Literal(_) | Term::Variable(_) | Term::Local(_) | Term::Now => {}
        Term::Input
        | Term::Not
        | Term::Format(_)
        | Term::Over(..)
        | Term::Regex(..)
        | Term::Call(..) => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use crate::expr::{Expression, Names};

    #[track_caller]
    fn check(text: &str, expected: Option<&[&str]>) {
        let expression = Expression::compile(text, &Names::default()).expect(text);
        let expected = expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(expression.fields(), expected, "{text}");
    }

    #[test]
    fn fields_of_the_input_are_found_as_long_as_they_are_named() {
        check(
            ".running and .flowRate < .target * 0.5",
            Some(&["flowRate", "running", "target"]),
        );
        check(".a.b[.c] + .[\"d\"]", Some(&["a", "c", "d"]));
        check(".a | not", Some(&["a"]));
        check(". | .a", Some(&["a"]));
        check(".a | map(.b) | length", Some(&["a"]));
        check("{a, x: .b, y: \"\\(.c)\"}", Some(&["a", "b", "c"]));
        check("if .a then .b else .c end", Some(&["a", "b", "c"]));
        check("if .a then .b end", None);
        check(".a as $x | $x + .b", Some(&["a", "b"]));
        check("now - 1", Some(&[]));
        check(".a | test(\"x\")", Some(&["a"]));
        check("keys", None);
        check(".", None);
        check(".[.a]", None);
        check("map(.a)", None);
    }
}
