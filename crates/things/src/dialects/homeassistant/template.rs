//! Templates, as far as they are read here: those that only name a place in a payload need none.

/// What Python has in every dictionary; there, a dot is not a place.
const METHODS: [&str; 11] = [
    "clear",
    "copy",
    "fromkeys",
    "get",
    "items",
    "keys",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "values",
];

/// The place that a template names, as a JSON Pointer: `/a/b` for `{{ value_json.a['b'] }}`.
/// Nothing if it does more.
pub(super) fn as_pointer(template: &str) -> Option<String> {
    let inner = template.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    let inner = inner.strip_suffix('-').unwrap_or(inner);
    let mut rest = inner.trim().strip_prefix("value_json")?;
    let mut pointer = String::new();
    while !rest.is_empty() {
        let step;
        (step, rest) = if let Some(after) = rest.strip_prefix('.') {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let end = after.find(|c| !is_word(c)).unwrap_or(after.len());
            let (word, rest) = after.split_at(end);
            let is_name = word.starts_with(|c: char| c.is_alphabetic() || c == '_');
            if !is_name || METHODS.contains(&word) {
                return None;
            }
            (word, rest)
        } else {
            let after = rest.strip_prefix('[')?;
            let (within, rest) = after.split_once(']')?;
            (key(within.trim())?, rest)
        };
        pointer.push('/');
        pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
    }
    (!pointer.is_empty()).then_some(pointer)
}

/// `'a'`, `"a"` or an index.
fn key(text: &str) -> Option<&str> {
    if !text.is_empty() && text.len() < 10 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text);
    }
    ['\'', '"'].into_iter().find_map(|quote| {
        let key = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!key.contains([quote, '\\', '['])).then_some(key)
    })
}

/// A variable of a template with a text in it, to stand before the template.
pub(super) fn set(variable: &str, text: &str) -> String {
    format!("{{% set {variable} = {} %}}", quoted(text))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ => quoted.push(c),
        }
    }
    quoted + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_that_names_a_place_is_a_pointer() {
        let check = |template: &str, expected: Option<&str>| {
            assert_eq!(as_pointer(template).as_deref(), expected, "{template}");
        };
        check("{{ value_json.power }}", Some("/power"));
        check("{{value_json.a.b_1}}", Some("/a/b_1"));
        check("{{- value_json['a/b'][0][\"c d\"] -}}", Some("/a~1b/0/c d"));
        check("{{ value_json.a | float }}", None);
        check("{{ value_json.a.0 }}", None);
        check("{{ value_json.values }}", None);
        check("{{ value_json }}", None);
        check("{{ value_json[a] }}", None);
        check("{{ value_jsonx }}", None);
        check("{{ value_json.a }} {{ value_json.b }}", None);
        check("{{ value }}", None);
        check("{{}}", None);
        check("{{ value_json['a' + 'b'] }}", None);
    }

    #[test]
    fn a_text_in_a_template_stays_a_text() {
        assert_eq!(set("value", "a'b\\\n"), "{% set value = 'a\\'b\\\\\\n' %}");
    }
}
