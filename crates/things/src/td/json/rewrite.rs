use super::parts::{elements, is_object, members};
use crate::td::document::DOCUMENT_BYTES_MAX;

/// What a rewrite makes of a value: nothing if it stays and only its inside is looked at.
type Change<'a> = dyn FnMut(&str, &str) -> Option<String> + 'a;

/// The JSON with some of its values replaced. `change` is given each value, outermost first, with
/// the name of its member in quotes (empty for elements and the whole); what it gives is not looked
/// into. What has grown beyond a document is broken off: no reader takes it any more.
pub(crate) fn rewrite(json: &str, change: &mut Change<'_>) -> String {
    let mut text = String::with_capacity(json.len());
    write("", json, change, &mut text);
    text
}

fn write(key: &str, json: &str, change: &mut Change<'_>, text: &mut String) {
    if text.len() > DOCUMENT_BYTES_MAX {
        return;
    }
    if let Some(changed) = change(key, json) {
        text.push_str(&changed);
    } else if is_object(json) {
        text.push('{');
        for (index, (key, value)) in members(json).enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(key);
            text.push(':');
            write(key, value, change, text);
        }
        text.push('}');
    } else if json.starts_with('[') {
        text.push('[');
        for (index, value) in elements(json).enumerate() {
            if index > 0 {
                text.push(',');
            }
            write("", value, change, text);
        }
        text.push(']');
    } else {
        text.push_str(json);
    }
}
