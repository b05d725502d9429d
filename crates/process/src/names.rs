//! What elements are called in definitions. A thing goes by its id (`office/light-1`), as its
//! owners know it; an element of another kind by its key (`people/ana`). In addresses an id is one
//! level, so what would end it is written in percents (RFC 3986, section 2.1).

use std::fmt::Write as _;

use quartet_model::Kind;

pub use crate::language::fields::nearest;

/// Whether a text is the key of an element: `{kind}/{id}`.
pub fn is_key(text: &str) -> bool {
    text.split_once('/').is_some_and(|(folder, id)| {
        Kind::of_folder(folder).is_some() && !id.is_empty() && !id.contains(['/', '+', '#', '\0'])
    })
}

/// The key of the element that is called so: `office/light-1` is `things/office%2Flight-1`.
/// `None` if nothing can be called so.
pub fn key_of(name: &str) -> Option<String> {
    if is_key(name) {
        return Some(name.to_owned());
    }
    if name.is_empty() {
        return None;
    }
    Some(format!("things/{}", level_of(name)))
}

/// A name as one level of a topic: what would end it is written in percents.
pub fn level_of(name: &str) -> String {
    let mut level = String::new();
    for c in name.chars() {
        match c {
            '/' | '+' | '#' | '%' | '\0' => {
                let _ = write!(level, "%{:02X}", c as u32);
            }
            c => level.push(c),
        }
    }
    level
}

/// What an element is called: the opposite of [`key_of`].
pub fn name_of(key: &str) -> String {
    let Some(id) = key.strip_prefix("things/") else {
        return key.to_owned();
    };
    let mut name = String::new();
    let mut rest = id;
    while let Some((before, after)) = rest.split_once('%') {
        name.push_str(before);
        let code = after
            .get(..2)
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                name.push(code as char);
                rest = &after[2..];
            }
            None => {
                name.push('%');
                rest = after;
            }
        }
    }
    name.push_str(rest);
    match key_of(&name).as_deref() == Some(key) {
        true => name,
        // Its name would be taken for another's.
        false => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, key: &str) {
        assert_eq!(key_of(name).as_deref(), Some(key));
        assert_eq!(name_of(key), name);
    }

    #[test]
    fn things_go_by_their_ids_and_all_else_by_keys() {
        check("lamp", "things/lamp");
        check("office/light-1", "things/office%2Flight-1");
        check("people/ana", "people/ana");
        check("100% wool", "things/100%25 wool");
        check("places/a/b", "things/places%2Fa%2Fb");
        assert_eq!(key_of("things/lamp").as_deref(), Some("things/lamp"));
        // A thing with the name of a person keeps its key.
        assert_eq!(name_of("things/people%2Fana"), "things/people%2Fana");
        assert_eq!(name_of("things/50%"), "things/50%");
        assert_eq!(key_of(""), None);
    }
}
