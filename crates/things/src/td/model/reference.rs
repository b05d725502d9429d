use std::borrow::Cow;

/// Where a definition is: `tm:ref` [TD 1.1, section 9.3.3].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reference<'a> {
    /// The address of a model; empty for the one that holds the reference.
    pub(crate) model: &'a str,
    /// A JSON pointer into it.
    pub(crate) pointer: Cow<'a, str>,
}

impl<'a> Reference<'a> {
    /// `model#pointer`. Nothing if it is something else.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (model, pointer) = text.split_once('#')?;
        let is_address = !model.contains(|char: char| char.is_whitespace() || char.is_control());
        let is_pointer = pointer.starts_with('/');
        (is_address && is_pointer).then(|| Self {
            model,
            pointer: unescape(pointer),
        })
    }
}

/// A pointer in a fragment may be percent-encoded [RFC 6901 section 6].
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = text.get(at + 1..at + 3);
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        match code.filter(|_| bytes[at] == b'%') {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_an_address_and_a_pointer() {
        let cases = [
            (
                "http://a/b.tm.jsonld#/properties/on",
                Some(("http://a/b.tm.jsonld", "/properties/on")),
            ),
            ("#/actions/a%20b%2Fc%", Some(("", "/actions/a b/c%"))),
            ("b#/é%zz", Some(("b", "/é%zz"))),
            ("http://a/b", None),
            ("http://a/b#", None),
            ("a b#/c", None),
            ("http://a#name", None),
        ];
        for (text, expected) in cases {
            let found = Reference::parse(text);
            let found = found.as_ref().map(|found| (found.model, &*found.pointer));
            assert_eq!(found, expected, "{text}");
        }
    }
}
