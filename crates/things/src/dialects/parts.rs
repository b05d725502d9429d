//! What dialects make their parts of: affordances with forms that say where values are, the parts
//! themselves, and one description of all parts of an element.

use serde_json::{Map, Value, json};

use crate::{CONNECTIVITY, identity};

const CONTEXT: &str = "https://www.w3.org/2022/wot/td/v1.1";
/// The kinds of affordances.
const KINDS: [&str; 3] = ["properties", "actions", "events"];
/// The longest name of an affordance or an element that is made of what a device says.
const NAME_BYTES_MAX: usize = 120;

/// Who looks after a form: if it is [`HOST`], the dialect itself follows what is said there. The hub's
/// own forms, which are added when a description is read, have it, too.
pub(crate) const BY: &str = "quartet:by";
/// See [`BY`].
pub(crate) const HOST: &str = "host";

/// No topic is longer that a description has: one may have a thousand of them.
pub(crate) const TOPIC_BYTES_MAX: usize = 1024;
/// No title is longer.
const TITLE_CHARS_MAX: usize = 256;

/// What is said as a title, if it is not too long.
pub(crate) fn title(said: &str) -> String {
    said.chars().take(TITLE_CHARS_MAX).collect()
}

/// A topic as `href`: on this hub.
pub(crate) fn href(topic: &str) -> String {
    format!("mqtt:///{}", crate::forms::path(topic))
}

/// A form of a property that is reported at a topic.
pub(crate) fn reported(topic: &str, content_type: &str) -> Map<String, Value> {
    members(json!({
        "href": href(topic), "op": ["readproperty", "observeproperty"],
        "mqv:filter": topic, "contentType": content_type,
    }))
}

/// A form of an event that is told at a topic.
pub(crate) fn emitted(topic: &str, content_type: &str) -> Map<String, Value> {
    members(json!({
        "href": href(topic), "op": "subscribeevent", "mqv:filter": topic, "contentType": content_type,
    }))
}

/// A form of what is told to the device at a topic: `writeproperty` or `invokeaction`.
pub(crate) fn told(topic: &str, op: &str, content_type: &str) -> Map<String, Value> {
    members(json!({
        "href": href(topic), "op": op, "mqv:topic": topic, "contentType": content_type,
    }))
}

/// The members of what is an object.
pub(crate) fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// What a device calls something as the name of an affordance: one level of a topic, in letters,
/// digits, `_` and `-`.
pub(crate) fn affordance_name(text: &str) -> String {
    let name = safe(text, |c| c == '_' || c == '-');
    if name == CONNECTIVITY {
        return format!("{name}_reported");
    }
    name
}

/// The key of a thing that calls itself so: `things/lamp`. Different names have different keys.
pub(crate) fn thing_key(text: &str) -> String {
    format!("things/{}", safe(text, |c| "_-.".contains(c)))
}

/// Any text as a word of ASCII letters, digits, `_` and `-`.
pub(crate) fn word(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if text.chars().all(is_word) {
        return safe(text, is_word);
    }
    let plain: String = text
        .chars()
        .map(|c| if is_word(c) { c } else { '_' })
        .take(NAME_BYTES_MAX)
        .collect();
    format!("{plain}_{:08x}", sum(text))
}

/// The text if it is safe; else what is safe of it, with a sum so that others stay distinct.
fn safe(text: &str, is_allowed: impl Fn(char) -> bool) -> String {
    let is_safe = |c: char| c.is_alphanumeric() || is_allowed(c);
    if !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.chars().all(is_safe) {
        return text.to_owned();
    }
    let mut safe = String::new();
    for c in text.chars() {
        if NAME_BYTES_MAX < safe.len() {
            break;
        }
        safe.push(if is_safe(c) { c } else { '_' });
    }
    let odd = safe.trim_matches('_');
    let dash = if odd.is_empty() { "" } else { "_" };
    format!("{odd}{dash}{:08x}", sum(text))
}

/// FNV-1a.
fn sum(text: &str) -> u32 {
    let step = |sum: u32, byte: u8| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    text.bytes().fold(0x811c_9dc5, step)
}

/// Adds what every Thing Description must have.
pub(crate) fn complete(mut part: Map<String, Value>, title: &str) -> Value {
    part.entry("@context").or_insert(CONTEXT.into());
    part.entry("title").or_insert(title.into());
    let schemes = json!({ "nosec_sc": { "scheme": "nosec" } });
    part.entry("securityDefinitions").or_insert(schemes);
    part.entry("security").or_insert("nosec_sc".into());
    Value::Object(part)
}

/// A link to what an element is reached through.
pub(crate) fn controlled_by(key: &str) -> Value {
    json!({ "rel": "controlledBy", "href": href_of(key) })
}

fn href_of(key: &str) -> String {
    identity::id_of(key)
}

/// One description of the parts of an element, in the order of the parts.
///
/// Of what several parts say, the first counts; affordances of the same name that differ are told
/// apart by a number; presence is told wherever a part says it is; and the element is silent when
/// the most talkative part is.
pub(crate) fn join(parts: &[Value]) -> Value {
    let mut all = Map::new();
    for part in parts.iter().filter_map(Value::as_object) {
        let own_modes = modes(part.get(AVAILABILITY));
        for (member, said) in part {
            match member.as_str() {
                kind if KINDS.contains(&kind) => add_affordances(&mut all, kind, said),
                "links" => add_elements(&mut all, member, said),
                AVAILABILITY => add_availability(&mut all, said, &own_modes),
                EXPECTED => add_interval(&mut all, said),
                _ => {
                    all.entry(member.as_str()).or_insert_with(|| said.clone());
                }
            }
        }
    }
    complete(all, "")
}

const AVAILABILITY: &str = "quartet:availability";
const EXPECTED: &str = "quartet:expectedInterval";
const MODE: &str = "quartet:mode";

fn add_affordances(all: &mut Map<String, Value>, kind: &str, said: &Value) {
    let there = all.entry(kind).or_insert_with(|| json!({}));
    let (Some(there), Some(said)) = (there.as_object_mut(), said.as_object()) else {
        return;
    };
    for (name, affordance) in said {
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        let free = names.find(|name| there.get(name).is_none_or(|other| other == affordance));
        if let Some(free) = free {
            there.insert(free, affordance.clone());
        }
    }
}

fn add_elements(all: &mut Map<String, Value>, member: &str, said: &Value) {
    let there = all.entry(member).or_insert_with(|| json!([]));
    let (Some(there), Some(said)) = (there.as_array_mut(), said.as_array()) else {
        return;
    };
    for element in said {
        if !there.contains(element) {
            there.push(element.clone());
        }
    }
}

/// If parts are told to be there in different ways, the element is there if any of them is; it is
/// all of what all of them need, if each needs all.
fn add_availability(all: &mut Map<String, Value>, said: &Value, own_modes: &[Value]) {
    let before = all.get(AVAILABILITY);
    let is_first = before.is_none();
    let needs_all = |modes: &[Value]| modes.iter().all(|mode| mode == "all");
    let stays =
        is_first || before == Some(said) || needs_all(&modes(before)) && needs_all(own_modes);
    add_elements(all, AVAILABILITY, said);
    if stays {
        return;
    }
    let there = all.get_mut(AVAILABILITY).and_then(Value::as_array_mut);
    let mut distinct: Vec<Value> = Vec::new();
    for mut form in there.into_iter().flatten().map(Value::take) {
        form[MODE] = "any".into();
        if !distinct.contains(&form) {
            distinct.push(form);
        }
    }
    all.insert(AVAILABILITY.to_owned(), distinct.into());
}

fn modes(availability: Option<&Value>) -> Vec<Value> {
    let forms = availability.and_then(Value::as_array);
    let modes = forms.into_iter().flatten().map(|form| form[MODE].clone());
    modes.collect()
}

fn add_interval(all: &mut Map<String, Value>, said: &Value) {
    let seconds = |value: &Value| value.as_f64().unwrap_or(f64::INFINITY);
    let is_less = |before: &Value| seconds(said) < seconds(before);
    if all.get(EXPECTED).is_none_or(is_less) {
        all.insert(EXPECTED.to_owned(), said.clone());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::td::{Description, Interner};

    /// Says what is wrong with a description.
    pub(crate) fn assert_valid(td: &Value) {
        let read = Description::parse(td.to_string(), &mut Interner::default());
        assert!(read.is_ok(), "{}\n{td:#}", read.unwrap_err());
    }

    #[test]
    fn a_name_that_is_safe_stays_and_others_stay_distinct() {
        assert_eq!(affordance_name("power_1-a"), "power_1-a");
        assert_eq!(affordance_name("connectivity"), "connectivity_reported");
        assert_eq!(thing_key("0x00.1"), "things/0x00.1");
        let names = ["a b", "a/b", "a+b", "", "#", "a_b", &"x".repeat(1000)].map(affordance_name);
        for (index, name) in names.iter().enumerate() {
            assert!(
                name.len() < 140 && !name.contains(['/', ' ', '+', '#']),
                "{name}"
            );
            assert!(!names[..index].contains(name), "{name}");
        }
    }

    #[test]
    fn an_href_has_nothing_that_a_uri_has_not() {
        assert_eq!(href("a b/é/+"), "mqtt:///a%20b/%C3%A9/%2B");
    }

    #[test]
    fn the_parts_of_an_element_are_one_description() {
        let there = |topic: &str, mode: &str| json!({ "href": href(topic), "quartet:mode": mode });
        let state = |topic: &str| json!({ "type": "boolean", "forms": [{ "href": href(topic) }] });
        let one = json!({
            "title": "Lamp", "properties": { "on": state("1") }, "quartet:expectedInterval": 60,
            "quartet:availability": [there("a", "latest")],
        });
        let other = json!({
            "title": "Other", "properties": { "on": state("2"), "up": state("3") },
            "quartet:expectedInterval": 30, "quartet:availability": [there("b", "latest")],
        });
        let all = join(&[one.clone(), other, one]);
        assert_valid(&all);
        assert_eq!(all["title"], "Lamp");
        assert_eq!(
            all["properties"],
            json!({ "on": state("1"), "on_2": state("2"), "up": state("3") })
        );
        assert_eq!(all["quartet:expectedInterval"], 30);
        assert_eq!(
            all["quartet:availability"],
            json!([there("a", "any"), there("b", "any")])
        );
    }

    #[test]
    fn what_is_needed_by_each_part_is_needed_by_all() {
        let there = |topic: &str| json!({ "href": href(topic), "quartet:mode": "all" });
        let one = json!({ "quartet:availability": [there("hub"), there("lamp")] });
        let other = json!({ "quartet:availability": [there("hub"), there("fan")] });
        let all = join(&[one, other]);
        assert_eq!(
            all["quartet:availability"],
            json!([there("hub"), there("lamp"), there("fan")])
        );
        assert_valid(&join(&[]));
    }
}
