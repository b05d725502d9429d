//! What is to be otherwise (RFC 7644, section 3.5.2), as directories send it.

use serde_json::{Map, Value};

use super::{
    ScimError, ScimType,
    filter::{Filter, Path},
    schema::{self, Attribute, Kind, Schema},
    urn,
};

/// A request changes no more.
pub const OPERATIONS_MAX: usize = 1000;

/// One change.
#[derive(Clone, PartialEq, Debug)]
pub struct Operation {
    /// What is done.
    pub what: What,
    /// With what; all of the resource if nothing is said.
    pub at: Option<Target>,
    /// What is put there.
    pub value: Value,
}

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// It is there as well.
    Add,
    /// It is there no more.
    Remove,
    /// It is there in place of what was.
    Replace,
}

/// With what something is done.
#[derive(Clone, PartialEq, Debug)]
pub struct Target {
    /// The attribute.
    pub path: Path,
    /// Which of its values.
    pub filter: Option<Filter>,
    /// What of these.
    pub part: Option<String>,
}

impl Target {
    /// Reads a path: `active`, `name.familyName`, `emails[type eq "work"].value`.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn read(text: &str) -> Result<Self, ScimError> {
        let wrong = || {
            let what = format!(
                "`{text}` is no path; write one like `active`, `name.familyName` or `emails[type eq \"work\"].value`"
            );
            ScimError::new(ScimType::InvalidPath, what)
        };
        // A URN has dots, and what stands in brackets may have anything.
        let Some(open) = text.find('[') else {
            let path = Path::read(text).ok_or_else(wrong)?;
            return Ok(Self {
                path,
                filter: None,
                part: None,
            });
        };
        let close = text
            .rfind(']')
            .filter(|close| open < *close)
            .ok_or_else(wrong)?;
        let path = Path::read(&text[..open]).ok_or_else(wrong)?;
        let filter = Filter::read(&text[open + 1..close])?;
        let part = match &text[close + 1..] {
            "" => None,
            rest => Some(rest.strip_prefix('.').ok_or_else(wrong)?.to_owned()),
        };
        Ok(Self {
            path,
            filter: Some(filter),
            part,
        })
    }
}

/// Reads a request.
///
/// # Errors
///
/// If it is none, or asks for too much.
pub fn read(body: &Value) -> Result<Vec<Operation>, ScimError> {
    let wrong = |what: &str| ScimError::new(ScimType::InvalidSyntax, what);
    let find = |of: &Value, name: &str| {
        let members = of.as_object()?;
        let mut members = members.iter();
        let found = members.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    };
    let Some(Value::Array(list)) = find(body, "Operations") else {
        return Err(wrong(
            "a patch has `Operations`, a list of objects with `op`, `path` and `value`",
        ));
    };
    if OPERATIONS_MAX < list.len() {
        let what = format!(
            "there are {} operations; at most {OPERATIONS_MAX} are taken",
            list.len()
        );
        return Err(ScimError::new(ScimType::TooMany, what));
    }
    let mut operations = Vec::with_capacity(list.len());
    for one in &list {
        let op = find(one, "op");
        let op = op.as_ref().and_then(Value::as_str).unwrap_or_default();
        let what = match &*op.to_ascii_lowercase() {
            "add" => What::Add,
            "remove" => What::Remove,
            "replace" => What::Replace,
            _ => return Err(wrong("`op` is `add`, `remove` or `replace`")),
        };
        let at = match find(one, "path") {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) if path.is_empty() => None,
            Some(Value::String(path)) => Some(Target::read(&path)?),
            Some(_) => return Err(wrong("`path` is text")),
        };
        let value = find(one, "value").unwrap_or_default();
        if what == What::Remove && at.is_none() {
            let what = "`remove` needs a `path`: all of a resource is deleted, not removed";
            return Err(ScimError::new(ScimType::NoTarget, what));
        }
        if what != What::Remove && at.is_none() && !value.is_object() {
            return Err(wrong(
                "without a `path`, `value` is an object of attributes",
            ));
        }
        operations.push(Operation { what, at, value });
    }
    Ok(operations)
}

/// Changes a resource, whose schemas are `core` and perhaps `extension`.
///
/// # Errors
///
/// If an operation cannot be done; then nothing of it is to be kept.
pub fn apply(
    resource: &mut Map<String, Value>,
    operations: &[Operation],
    core: &Schema,
    extension: Option<&Schema>,
) -> Result<(), ScimError> {
    let schemas = Schemas { core, extension };
    for operation in operations {
        match &operation.at {
            Some(target) => schemas.change(resource, operation.what, target, &operation.value)?,
            None => {
                let members = operation.value.as_object();
                for (name, value) in members.into_iter().flatten() {
                    schemas.merge(resource, operation.what, name, value)?;
                }
            }
        }
    }
    Ok(())
}

struct Schemas<'s> {
    core: &'s Schema,
    extension: Option<&'s Schema>,
}

impl Schemas<'_> {
    /// A member of a value without a path: an attribute, a path (as some directories send it), or
    /// a schema with attributes of its own.
    fn merge(
        &self,
        resource: &mut Map<String, Value>,
        what: What,
        name: &str,
        value: &Value,
    ) -> Result<(), ScimError> {
        let is_extension = self
            .extension
            .is_some_and(|schema| schema.id.eq_ignore_ascii_case(name));
        if is_extension && let Value::Object(members) = value {
            for (part, value) in members {
                self.merge(
                    resource,
                    what,
                    &format!("{}:{part}", urn::ENTERPRISE),
                    value,
                )?;
            }
            return Ok(());
        }
        if name.eq_ignore_ascii_case("schemas") || name.eq_ignore_ascii_case("id") {
            return Ok(());
        }
        match Target::read(name) {
            Ok(target) => match self.change(resource, what, &target, value) {
                // What is not known is passed over, as in a whole resource.
                Err(error) if error.kind == Some(ScimType::InvalidPath) => Ok(()),
                done => done,
            },
            Err(_) => Ok(()),
        }
    }

    /// All of the extension at once.
    fn whole_extension(
        &self,
        resource: &mut Map<String, Value>,
        what: What,
        extension: &Schema,
        value: &Value,
    ) -> Result<(), ScimError> {
        if what == What::Remove {
            resource.remove(extension.id);
            return Ok(());
        }
        let Value::Object(_) = value else {
            let what = format!(
                "`{}` is an object of attributes; this is {value}",
                extension.id
            );
            return Err(ScimError::new(ScimType::InvalidValue, what));
        };
        self.merge(resource, what, extension.id, value)
    }

    fn change(
        &self,
        resource: &mut Map<String, Value>,
        what: What,
        target: &Target,
        value: &Value,
    ) -> Result<(), ScimError> {
        let path = &target.path;
        let (attributes, of) = match (&path.schema, self.extension) {
            (Some(_), Some(extension)) => {
                if path.name.is_empty() {
                    return self.whole_extension(resource, what, extension, value);
                }
                let of = resource
                    .entry(extension.id)
                    .or_insert_with(|| Map::new().into());
                let Value::Object(of) = of else {
                    return Err(unknown(path));
                };
                (extension.attributes, of)
            }
            _ => (self.core.attributes, &mut *resource),
        };
        let attribute = schema::find(attributes, &path.name).ok_or_else(|| unknown(path))?;
        if attribute.is_read_only {
            let what = format!("`{path}` is said by the hub and cannot be changed");
            return Err(ScimError::new(ScimType::Mutability, what));
        }
        if attribute.is_required && what == What::Remove {
            let what = format!("`{path}` cannot be removed: it is required");
            return Err(ScimError::new(ScimType::Mutability, what));
        }
        let part = path.part.as_deref().or(target.part.as_deref());
        let part = match (part, attribute.kind) {
            (None, _) => None,
            (Some(part), Kind::Complex(parts)) => {
                Some(schema::find(parts, part).ok_or_else(|| unknown(path))?)
            }
            (Some(_), _) => return Err(unknown(path)),
        };
        let name = attribute.name;
        if attribute.is_multi {
            several(of, attribute, what, target, part, value)?;
        } else if let Some(part) = part {
            let inner = of.entry(name).or_insert_with(|| Map::new().into());
            if let Value::Object(inner) = inner {
                single(inner, part, what, value, &path.to_string())?;
            }
        } else if let (Kind::Complex(parts), Value::Object(members), What::Add | What::Replace) =
            (attribute.kind, value, what)
        {
            // Of a complex attribute what is said is changed, and the rest stays (section 3.5.2.3).
            let members = schema::fit(parts, members, name)?;
            let inner = of.entry(name).or_insert_with(|| Map::new().into());
            if let Value::Object(inner) = inner {
                inner.extend(members);
            }
        } else {
            single(of, attribute, what, value, &path.to_string())?;
        }
        of.retain(|_, value| !is_empty(value));
        if let Some(extension) = self.extension
            && resource.get(extension.id).is_some_and(is_empty)
        {
            resource.remove(extension.id);
        }
        Ok(())
    }
}

fn single(
    of: &mut Map<String, Value>,
    attribute: &Attribute,
    what: What,
    value: &Value,
    path: &str,
) -> Result<(), ScimError> {
    let fitting = match what {
        What::Remove => None,
        What::Add | What::Replace => {
            // One value in a list is that value.
            let value = match value {
                Value::Array(list) if list.len() == 1 && !attribute.is_multi => &list[0],
                value => value,
            };
            schema::fit_one(attribute, value, path)?
        }
    };
    match fitting {
        Some(value) => of.insert(attribute.name.to_owned(), value),
        None => of.remove(attribute.name),
    };
    Ok(())
}

/// Changes values of which there are several.
fn several(
    of: &mut Map<String, Value>,
    attribute: &Attribute,
    what: What,
    target: &Target,
    part: Option<&Attribute>,
    value: &Value,
) -> Result<(), ScimError> {
    let path = target.path.to_string();
    let there = of
        .entry(attribute.name)
        .or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(there) = there else {
        return Ok(());
    };
    let Some(filter) = &target.filter else {
        match (what, part) {
            (What::Remove, None) => match value {
                // Some directories say in a value what is to be removed.
                Value::Array(meant) if !meant.is_empty() => {
                    there.retain(|one| !meant.iter().any(|meant| is_same(one, meant)));
                }
                _ => there.clear(),
            },
            (_, Some(part)) => {
                for one in there.iter_mut().filter_map(Value::as_object_mut) {
                    single(one, part, what, value, &path)?;
                }
            }
            (_, None) => {
                let new = schema::fit_one(attribute, value, &path)?;
                let new = match new {
                    Some(Value::Array(new)) => new,
                    _ => Vec::new(),
                };
                if what == What::Replace {
                    there.clear();
                }
                add(there, new);
            }
        }
        return Ok(());
    };
    let mut is_met = false;
    if what == What::Remove && part.is_none() {
        let before = there.len();
        there.retain(|one| !filter.is_met(one));
        is_met = there.len() < before;
    } else {
        for one in there.iter_mut() {
            if !filter.is_met(one) {
                continue;
            }
            is_met = true;
            match (part, one) {
                (Some(part), Value::Object(one)) => single(one, part, what, value, &path)?,
                (None, one) => {
                    let new = schema::fit_one(attribute, value, &path)?;
                    let new = new.and_then(|new| new.as_array()?.first().cloned());
                    let (Value::Object(one), Some(Value::Object(new))) = (one, new) else {
                        continue;
                    };
                    if what == What::Replace {
                        one.clear();
                    }
                    one.extend(new);
                }
                _ => {}
            }
        }
    }
    there.retain(|one| !is_empty(one));
    if is_met {
        return Ok(());
    }
    // Entra ID adds `emails[type eq "work"].value` where there is none yet.
    if what == What::Add
        && let (Some(part), implied) = (part, filter.implied())
        && !implied.is_empty()
    {
        let mut one = Map::new();
        for (name, value) in implied {
            one.insert(name, value);
        }
        one.insert(part.name.to_owned(), value.clone());
        if let Some(Value::Array(new)) = schema::fit_one(attribute, &Value::Object(one), &path)? {
            add(there, new);
        }
        return Ok(());
    }
    let what = format!("no value of `{path}` is met by `{filter}`");
    Err(ScimError::new(ScimType::NoTarget, what))
}

/// Adds values; a new one that is the first choice takes that from the others (RFC 7644, section 3.5.2).
fn add(there: &mut Vec<Value>, new: Vec<Value>) {
    for one in new {
        if one["primary"] == true {
            for other in there.iter_mut() {
                if other["primary"] == true {
                    other["primary"] = false.into();
                }
            }
        }
        match there.iter_mut().find(|other| is_same(other, &one)) {
            Some(other) => *other = one,
            None => there.push(one),
        }
    }
}

/// Whether two values say the same, whatever else they say of it.
fn is_same(one: &Value, other: &Value) -> bool {
    let part = |value: &Value, name: &str| match value {
        Value::Object(map) => map.get(name).cloned().unwrap_or_default(),
        other if name == "value" => other.clone(),
        _ => Value::Null,
    };
    let values = (part(one, "value"), part(other, "value"));
    if values.0.is_null() || values.1.is_null() {
        return one == other;
    }
    let types = (part(one, "type"), part(other, "type"));
    values.0 == values.1 && (types.0 == types.1 || types.0.is_null() || types.1.is_null())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn unknown(path: &Path) -> ScimError {
    let what = format!("there is no attribute `{path}`; /scim/v2/Schemas lists what there is");
    ScimError::new(ScimType::InvalidPath, what)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ana() -> Value {
        json!({
            "userName": "ana", "active": true, "name": {"givenName": "Ana", "familyName": "Lopez"},
            "emails": [{"value": "a@work.org", "type": "work", "primary": true}],
        })
    }

    fn patched(operations: Value) -> Result<Value, ScimError> {
        let operations = read(&json!({ "schemas": [urn::PATCH], "Operations": operations }))?;
        let Value::Object(mut resource) = ana() else {
            unreachable!("she is an object");
        };
        apply(
            &mut resource,
            &operations,
            &schema::USER,
            Some(&schema::ENTERPRISE),
        )?;
        Ok(resource.into())
    }

    #[track_caller]
    fn check(operations: Value, path: &str, expected: Value) {
        let patched = patched(operations.clone()).unwrap_or_else(|error| panic!("{error}"));
        let found = patched.pointer(path).cloned().unwrap_or_default();
        assert_eq!(found, expected, "{operations}: {patched}");
    }

    #[track_caller]
    fn check_wrong(operations: Value, kind: ScimType) {
        let error = patched(operations.clone()).expect_err("it cannot be done");
        assert_eq!(error.kind, Some(kind), "{operations}: {error}");
    }

    #[test]
    fn directories_are_understood_as_they_speak() {
        // Okta ends and begins like this.
        check(
            json!([{"op": "replace", "value": {"active": false}}]),
            "/active",
            json!(false),
        );
        // Entra ID writes truth as text, and operations with capitals.
        check(
            json!([{"op": "Replace", "path": "active", "value": "False"}]),
            "/active",
            json!(false),
        );
        check(
            json!([{"op": "Add", "path": "emails[type eq \"home\"].value", "value": "a@home.org"}]),
            "/emails/1",
            json!({"type": "home", "value": "a@home.org"}),
        );
        check(
            json!([{"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "b@work.org"}]),
            "/emails/0/value",
            json!("b@work.org"),
        );
        check(
            json!([{"op": "Add", "path": format!("{}:department", urn::ENTERPRISE), "value": "Ward 3"}]),
            &format!("/{}/department", urn::ENTERPRISE),
            json!("Ward 3"),
        );
        check(
            json!([{"op": "Replace", "value": {"name.familyName": "Ruiz", "displayName": "Ana R."}}]),
            "/name",
            json!({"givenName": "Ana", "familyName": "Ruiz"}),
        );
        check(
            json!([{"op": "add", "value": {(urn::ENTERPRISE): {"manager": "bo"}}}]),
            &format!("/{}/manager", urn::ENTERPRISE),
            json!({"value": "bo"}),
        );
        check(
            json!([{"op": "remove", "path": "name.givenName"}]),
            "/name",
            json!({"familyName": "Lopez"}),
        );
        check(
            json!([{"op": "remove", "path": "emails[type eq \"work\"]"}]),
            "/emails",
            Value::Null,
        );
        check(
            json!([{"op": "add", "path": "emails", "value": [{"value": "c@x.org", "type": "other", "primary": true}]}]),
            "/emails/0/primary",
            json!(false),
        );
        check(
            json!([{"op": "replace", "path": "name", "value": {"familyName": "Ruiz"}}]),
            "/name/givenName",
            json!("Ana"),
        );
        check(
            json!([{"op": "replace", "value": {"nonsense": 1, "title": "Dr"}}]),
            "/title",
            json!("Dr"),
        );
    }

    #[test]
    fn an_extension_is_changed_as_a_whole() {
        let department = format!("/{}/department", urn::ENTERPRISE);
        check(
            json!([{"op": "add", "path": urn::ENTERPRISE, "value": {"department": "a"}}]),
            &department,
            json!("a"),
        );
        check(
            json!([{"op": "add", "path": format!("{}:department", urn::ENTERPRISE), "value": "a"}, {"op": "remove", "path": urn::ENTERPRISE}]),
            &department,
            Value::Null,
        );
        check_wrong(
            json!([{"op": "replace", "path": urn::ENTERPRISE, "value": 1}]),
            ScimType::InvalidValue,
        );
        check_wrong(
            json!([{"op": "replace", "path": urn::USER, "value": 1}]),
            ScimType::InvalidPath,
        );
    }

    #[test]
    fn what_cannot_be_done_says_why() {
        check_wrong(
            json!([{"op": "move", "path": "active"}]),
            ScimType::InvalidSyntax,
        );
        check_wrong(json!([{"op": "remove"}]), ScimType::NoTarget);
        check_wrong(
            json!([{"op": "replace", "path": "nonsense", "value": 1}]),
            ScimType::InvalidPath,
        );
        check_wrong(
            json!([{"op": "replace", "path": "emails[type eq \"home\"].value", "value": "x"}]),
            ScimType::NoTarget,
        );
        check_wrong(
            json!([{"op": "remove", "path": "emails[type eq \"home\"]"}]),
            ScimType::NoTarget,
        );
        check_wrong(
            json!([{"op": "replace", "path": "active", "value": "perhaps"}]),
            ScimType::InvalidValue,
        );
        check_wrong(
            json!([{"op": "replace", "path": "groups", "value": []}]),
            ScimType::Mutability,
        );
        check_wrong(
            json!([{"op": "remove", "path": "userName"}]),
            ScimType::Mutability,
        );
        check_wrong(
            json!([{"op": "add", "path": "emails[", "value": 1}]),
            ScimType::InvalidPath,
        );
        let many = vec![json!({"op": "add", "path": "title", "value": "x"}); OPERATIONS_MAX + 1];
        check_wrong(many.into(), ScimType::TooMany);
    }
}
