use super::parts::{Object, decode, is_object, members};

/// What a target becomes by a merge patch [RFC 7396 section 2]. Members keep their places, new ones
/// come last; what the patch does not name stays as it is written.
pub(crate) fn merge(target: &str, patch: &str) -> String {
    if !is_object(patch) {
        return patch.to_owned();
    }
    let mut merged = Object::of(target);
    for (key, change) in members(patch) {
        let name = decode(key).unwrap_or_default();
        if change == "null" {
            merged.remove(&name);
        } else if is_object(change) {
            let value = merge(merged.get(&name).unwrap_or("{}"), change);
            merged.set(&name, value);
        } else {
            merged.set(&name, change);
        }
    }
    merged.print()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_7396_appendix_a() {
        let cases = [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (
                r#"{"a":{"b":"c"}}"#,
                r#"{"a":{"b":"d","c":null}}"#,
                r#"{"a":{"b":"d"}}"#,
            ),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
            (r#"{"a":"foo"}"#, "null", "null"),
            (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ];
        for (target, patch, expected) in cases {
            assert_eq!(merge(target, patch), expected, "{target} with {patch}");
        }
    }

    #[test]
    fn what_is_not_patched_stays_as_it_is_written() {
        let target = r#"{"z":1.10,"\u0061":{"y":1e400,"x":[{"n":null}]}}"#;
        let patch = r#"{"a":{"w":{"v":2.0}}}"#;
        let expected = r#"{"z":1.10,"\u0061":{"y":1e400,"x":[{"n":null}],"w":{"v":2.0}}}"#;
        assert_eq!(merge(target, patch), expected);
    }
}
