use serde_json::{Value, json};

use super::Device;
use crate::dialects::parts;

/// No device has more.
pub(super) const PROPERTIES_MAX: usize = 512;
/// What has a longer name is left out.
const NAME_BYTES_MAX: usize = 256;
/// What lies deeper is one property.
const DEPTH_MAX: usize = 4;

/// Makes properties of the members of what a decoder made of a payload, those of members too:
/// `air_temperature` of `{"air": {"temperature": 21.5}}`. Their types are guessed by what they are.
pub(super) fn describe(device: &mut Device<'_>, decoded: &Value, below: &str, path: &str) {
    members(device, decoded, below, path, "", DEPTH_MAX);
}

fn members(
    device: &mut Device<'_>,
    of: &Value,
    below: &str,
    path: &str,
    prefix: &str,
    depth: usize,
) {
    for (member, value) in of.as_object().into_iter().flatten() {
        if NAME_BYTES_MAX < member.len() {
            continue;
        }
        let name = match prefix {
            "" => member.clone(),
            prefix => format!("{prefix}_{member}"),
        };
        let path = format!("{path}/{}", member.replace('~', "~0").replace('/', "~1"));
        if value.as_object().is_some_and(|members| !members.is_empty()) && 1 < depth {
            members(device, value, below, &path, &name, depth - 1);
            continue;
        }
        let Some(schema) = guess(value, member) else {
            continue;
        };
        if PROPERTIES_MAX <= device.properties.len() {
            return;
        }
        // What the network server says of every device keeps its name.
        let mut name = parts::affordance_name(&name);
        if device.properties.contains_key(&name) {
            name = format!("decoded_{name}");
        }
        device.property(&name, schema, below, &path);
    }
}

/// Decoders write 5 where 5.5 could be as well, so a number is any number. Nothing has no type.
fn guess(value: &Value, member: &str) -> Option<Value> {
    let kind = match value {
        Value::Null => return None,
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let title = super::title(member);
    let title = if title.is_empty() {
        "?".to_owned()
    } else {
        title
    };
    Some(json!({ "type": kind, "title": title }))
}
