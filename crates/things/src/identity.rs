//! An element's two names: the identifier in its Thing Description, a URI, and its address on the
//! hub, the first two levels of its topics. Each follows from the other.
//!
//! `urn:quartet:things:lamp` is `things/lamp`; any other URI is a thing under the URI itself, with
//! what no topic level can have percent-encoded.

use std::borrow::Cow;

use quartet_model::{Address, Aspect, Kind};

use crate::td::Problem;

/// The beginning of identifiers that the hub gives.
const OWN: &str = "urn:quartet:";
/// What no level of a topic may have, and what marks it.
const ENCODED: [(char, &str); 5] = [
    ('%', "%25"),
    ('/', "%2F"),
    ('+', "%2B"),
    ('#', "%23"),
    (' ', "%20"),
];
/// The longest identifier.
const ID_BYTES_MAX: usize = 512;

/// The identifier of the element at `key`.
pub fn id_of(key: &str) -> String {
    match key.split_once('/') {
        Some((_, uri)) if uri.contains(':') => decoded(uri).into_owned(),
        Some((folder, name)) => format!("{OWN}{folder}:{name}"),
        None => String::new(),
    }
}

/// Where the directory has what is registered under an identifier: a path, as it stands in a URI.
pub fn path_of(id: &str) -> String {
    const KEPT: &[u8] = b"-._~:@!$&'()*+,;=";
    let mut path = "/things/".to_owned();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || KEPT.contains(&byte) {
            path.push(byte.into());
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

/// Where the element with this identifier is.
pub fn key_of(id: &str) -> Result<String, Problem> {
    let wrong = |what: String| Problem::new("id", what);
    if ID_BYTES_MAX < id.len() {
        return Err(wrong(format!(
            "has {} bytes; at most {ID_BYTES_MAX} are taken",
            id.len()
        )));
    }
    if !id.contains(':') || id.chars().any(|c| c.is_control()) {
        return Err(wrong(format!(
            "is `{id}`; must be a URI, such as urn:quartet:things:lamp-7"
        )));
    }
    if let Some((folder, name)) = id.strip_prefix(OWN).and_then(|own| own.split_once(':'))
        && Kind::of_folder(folder).is_some()
        && is_name(name)
    {
        return Ok(format!("{folder}/{name}"));
    }
    Ok(format!("things/{}", encoded(id)))
}

/// The key of the element that is called `name` among its kind, if it may be called so.
pub fn key(kind: Kind, name: &str) -> Result<String, Problem> {
    if is_name(name) || kind == Kind::Thing && name.contains(':') {
        let address = Address {
            kind,
            id: name,
            aspect: Aspect::Description,
        };
        let key = address.to_string();
        if key_of(&id_of(&key)).as_deref() == Ok(&*key) {
            return Ok(key);
        }
    }
    Err(Problem::new(
        "id",
        format!("`{name}` cannot be a name: it must not be empty or have / + # % : and spaces"),
    ))
}

fn is_name(name: &str) -> bool {
    let is_odd = |c: char| c.is_control() || c == ':' || ENCODED.iter().any(|(odd, _)| *odd == c);
    !name.is_empty() && name.len() < ID_BYTES_MAX / 2 && !name.chars().any(is_odd)
}

fn encoded(id: &str) -> String {
    let mut encoded = String::with_capacity(id.len());
    for c in id.chars() {
        match ENCODED.iter().find(|(odd, _)| *odd == c) {
            Some((_, code)) => encoded.push_str(code),
            None => encoded.push(c),
        }
    }
    encoded
}

fn decoded(uri: &str) -> Cow<'_, str> {
    let mut decoded = Cow::Borrowed(uri);
    // What stands for a percent sign comes last, or it would be read twice.
    for (odd, code) in ENCODED.iter().rev() {
        if decoded.contains(code) {
            decoded = decoded.replace(code, &odd.to_string()).into();
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(id: &str, key: &str) {
        assert_eq!(key_of(id).as_deref(), Ok(key), "{id}");
        assert_eq!(id_of(key), id);
        assert_eq!(Address::element_of(key), Some(key));
    }

    #[test]
    fn each_name_follows_from_the_other() {
        check("urn:quartet:things:lamp-7", "things/lamp-7");
        check("urn:quartet:places:ward-3", "places/ward-3");
        check(
            "urn:dev:ops:32473-Lamp-1",
            "things/urn:dev:ops:32473-Lamp-1",
        );
        check(
            "https://a.example/lamp#1",
            "things/https:%2F%2Fa.example%2Flamp%231",
        );
        check("urn:a:100%2F", "things/urn:a:100%252F");
        check("urn:quartet:things:a/b", "things/urn:quartet:things:a%2Fb");
        check("urn:quartet:things:a:b", "things/urn:quartet:things:a:b");
        check(
            "urn:quartet:planets:mars",
            "things/urn:quartet:planets:mars",
        );
    }

    #[test]
    fn what_is_no_uri_says_so() {
        for id in [
            "",
            "lamp",
            "urn:a\u{7}",
            &format!("urn:{}", "x".repeat(600)),
        ] {
            assert!(key_of(id).is_err(), "{id}");
        }
    }

    #[test]
    fn an_identifier_is_one_segment_of_a_path() {
        assert_eq!(path_of("urn:uuid:1-2"), "/things/urn:uuid:1-2");
        assert_eq!(
            path_of("https://a.example/lamp?b=1#%C3"),
            "/things/https:%2F%2Fa.example%2Flamp%3Fb=1%23%25C3"
        );
    }

    #[test]
    fn a_name_is_one_that_topics_can_have() {
        assert_eq!(key(Kind::Thing, "lamp-7").as_deref(), Ok("things/lamp-7"));
        assert_eq!(
            key(Kind::Thing, "urn:dev:1").as_deref(),
            Ok("things/urn:dev:1")
        );
        for name in ["", "a/b", "a+", "a b", "100%", "urn:quartet:things:lamp"] {
            assert!(key(Kind::Thing, name).is_err(), "{name}");
        }
        assert!(key(Kind::Place, "urn:dev:1").is_err());
    }
}
