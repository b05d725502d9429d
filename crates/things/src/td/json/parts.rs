use std::borrow::Cow;

use indexmap::IndexMap;

/// Whether a value is an object.
pub(crate) fn is_object(json: &str) -> bool {
    json.starts_with('{')
}

/// The members of an object in their order: each name in quotes, as it is written, and its value.
/// What is no object has none.
pub(crate) fn members(json: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = inside(json, "{");
    std::iter::from_fn(move || {
        let name;
        (name, rest) = split(rest)?;
        let value;
        (value, rest) = split(rest)?;
        Some((name, value))
    })
}

/// The elements of an array in their order. What is no array has none.
pub(crate) fn elements(json: &str) -> impl Iterator<Item = &str> {
    let mut rest = inside(json, "[");
    std::iter::from_fn(move || {
        let value;
        (value, rest) = split(rest)?;
        Some(value)
    })
}

/// The value of a member.
pub(crate) fn member<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let mut members = members(json);
    members.find_map(|(key, value)| is_name(key, name).then_some(value))
}

/// The value that a JSON pointer [RFC 6901] points to.
pub(crate) fn pointer<'a>(json: &'a str, pointer: &str) -> Option<&'a str> {
    if pointer.is_empty() {
        return Some(json);
    }
    let mut steps = pointer.strip_prefix('/')?.split('/');
    steps.try_fold(json, |json, step| {
        let step = step.replace("~1", "/").replace("~0", "~");
        if is_object(json) {
            member(json, &step)
        } else {
            elements(json).nth(step.parse().ok()?)
        }
    })
}

/// The text of a string in quotes; nothing if it is no string.
pub(crate) fn decode(json: &str) -> Option<Cow<'_, str>> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    if !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    serde_json::from_str(json).ok().map(Cow::Owned)
}

/// A text as a string in quotes.
pub(crate) fn encode(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether a name in quotes is this one.
fn is_name(key: &str, name: &str) -> bool {
    decode(key).is_some_and(|key| key == name)
}

/// An object in the making: members in order, values as text.
#[derive(Default)]
pub(crate) struct Object<'a> {
    /// By decoded name. A member that was taken out leaves its place, so that each step is quick.
    members: IndexMap<Cow<'a, str>, Option<Member<'a>>>,
}

struct Member<'a> {
    /// The name in quotes, as it is written.
    key: Cow<'a, str>,
    value: Cow<'a, str>,
}

impl<'a> Object<'a> {
    /// With the members of another.
    pub(crate) fn of(json: &'a str) -> Self {
        let members = members(json).filter_map(|(key, value)| {
            let member = Member {
                key: key.into(),
                value: value.into(),
            };
            Some((decode(key)?, Some(member)))
        });
        Self {
            members: members.collect(),
        }
    }

    /// The value of a member.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let member = self.members.get(name)?.as_ref()?;
        Some(&member.value)
    }

    /// Gives a member a value: where it stands, or at the end.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Cow<'a, str>>) {
        let value = value.into();
        match self.members.get_mut(name) {
            Some(Some(member)) => member.value = value,
            _ => {
                let key = encode(name).into();
                let member = Some(Member { key, value });
                self.members.insert(name.to_owned().into(), member);
            }
        }
    }

    /// Takes a member out. Whether there was one.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let member = self.members.get_mut(name);
        member.is_some_and(|member| member.take().is_some())
    }

    /// Its text.
    pub(crate) fn print(&self) -> String {
        let members = self.members.values().flatten();
        let bytes: usize = members.map(|m| m.key.len() + m.value.len() + 2).sum();
        let mut text = String::with_capacity(bytes + 2);
        text.push('{');
        for member in self.members.values().flatten() {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&member.key);
            text.push(':');
            text.push_str(&member.value);
        }
        text.push('}');
        text
    }
}

/// What stands in brackets.
fn inside<'a>(json: &'a str, bracket: &str) -> &'a str {
    match json.strip_prefix(bracket) {
        Some(rest) => &rest[..rest.len() - 1],
        None => "",
    }
}

/// The value at the start, and what follows behind its comma or colon.
fn split(rest: &str) -> Option<(&str, &str)> {
    let mut depth = 0;
    let mut bytes = rest.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b',' | b':' if depth == 0 => return Some((&rest[..at], &rest[at + 1..])),
            _ => {}
        }
    }
    (!rest.is_empty()).then_some((rest, ""))
}

fn skip_string(bytes: &mut impl Iterator<Item = (usize, u8)>) {
    while let Some((_, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"a":1.10,"b,}":{"c":["x\"]",[],{"d":null}]},"\u0065":"é"}"#;

    #[test]
    fn members_and_elements_are_cut_out_as_they_stand() {
        let all: Vec<_> = members(TEXT).collect();
        let expected = [
            (r#""a""#, "1.10"),
            (r#""b,}""#, r#"{"c":["x\"]",[],{"d":null}]}"#),
            (r#""\u0065""#, r#""é""#),
        ];
        assert_eq!(all, expected);
        let list = member(all[1].1, "c").unwrap();
        let all: Vec<_> = elements(list).collect();
        assert_eq!(all, [r#""x\"]""#, "[]", r#"{"d":null}"#]);
        assert_eq!(member(TEXT, "e"), Some(r#""é""#));
        assert_eq!(members("{}").count() + members("[1]").count(), 0);
        assert_eq!(elements("[]").count() + elements("{}").count(), 0);
    }

    #[test]
    fn a_pointer_leads_through_objects_and_arrays() {
        let cases = [
            ("", Some(TEXT)),
            ("/a", Some("1.10")),
            ("/b,}/c/2/d", Some("null")),
            ("/b,}/c/3", None),
            ("/b,}/c/-", None),
            ("a", None),
            ("/z", None),
        ];
        for (at, expected) in cases {
            assert_eq!(pointer(TEXT, at), expected, "{at}");
        }
        assert_eq!(pointer(r#"{"a/b~":7}"#, "/a~1b~0"), Some("7"));
    }

    #[test]
    fn an_object_keeps_the_order_of_its_members() {
        let mut object = Object::of(TEXT);
        object.set("e", "[]");
        object.set("n\n", "0");
        assert!(object.remove("b,}") && !object.remove("b"));
        assert_eq!(object.get("a"), Some("1.10"));
        assert_eq!(object.print(), r#"{"a":1.10,"\u0065":[],"n\n":0}"#);
        assert_eq!(Object::default().print(), "{}");
    }
}
