//! Which attributes resources have (RFC 7643, sections 4 and 7), and whether values fit them.

use serde_json::{Map, Value, json};

use super::{ScimError, ScimType, urn};

/// An attribute.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Whether there may be several.
    pub is_multi: bool,
    /// Whether there must be one.
    pub is_required: bool,
    /// Whether small and capital letters differ.
    pub is_exact: bool,
    /// Whether only the hub says it.
    pub is_read_only: bool,
}

/// What the values of an attribute are.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Text.
    Text,
    /// True or false.
    Bool,
    /// A place where something is found.
    Reference,
    /// Bytes in base64.
    Binary,
    /// Several by name.
    Complex(&'static [Attribute]),
}

/// A kind of resource.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// Its URN.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// Its attributes.
    pub attributes: &'static [Attribute],
}

/// Texts and lists of a resource are no longer.
const TEXT_CHARS_MAX: usize = 1024;
const VALUES_MAX: usize = 64;

const fn text(name: &'static str) -> Attribute {
    Attribute {
        name,
        kind: Kind::Text,
        is_multi: false,
        is_required: false,
        is_exact: false,
        is_read_only: false,
    }
}

const fn required(of: Attribute) -> Attribute {
    Attribute {
        is_required: true,
        ..of
    }
}

const fn exact(of: Attribute) -> Attribute {
    Attribute {
        is_exact: true,
        ..of
    }
}

const fn read_only(of: Attribute) -> Attribute {
    Attribute {
        is_read_only: true,
        ..of
    }
}

const fn of_kind(name: &'static str, kind: Kind) -> Attribute {
    Attribute { kind, ..text(name) }
}

const fn several(name: &'static str, parts: &'static [Attribute]) -> Attribute {
    Attribute {
        is_multi: true,
        ..of_kind(name, Kind::Complex(parts))
    }
}

/// What values of which there are several have (RFC 7643, section 2.4).
const PLURAL: &[Attribute] = &[
    text("value"),
    text("display"),
    text("type"),
    of_kind("primary", Kind::Bool),
];

const NAME: &[Attribute] = &[
    text("formatted"),
    text("familyName"),
    text("givenName"),
    text("middleName"),
    text("honorificPrefix"),
    text("honorificSuffix"),
];

const ADDRESS: &[Attribute] = &[
    text("formatted"),
    text("streetAddress"),
    text("locality"),
    text("region"),
    text("postalCode"),
    text("country"),
    text("type"),
    of_kind("primary", Kind::Bool),
];

const PHOTO: &[Attribute] = &[
    of_kind("value", Kind::Reference),
    text("display"),
    text("type"),
    of_kind("primary", Kind::Bool),
];

const CERTIFICATE: &[Attribute] = &[
    of_kind("value", Kind::Binary),
    text("display"),
    text("type"),
    of_kind("primary", Kind::Bool),
];

const IN_GROUP: &[Attribute] = &[
    read_only(text("value")),
    read_only(of_kind("$ref", Kind::Reference)),
    read_only(text("display")),
    read_only(text("type")),
];

/// A person.
pub const USER: Schema = Schema {
    id: urn::USER,
    name: "User",
    description: "A person",
    attributes: &[
        required(text("userName")),
        exact(text("externalId")),
        of_kind("name", Kind::Complex(NAME)),
        text("displayName"),
        text("nickName"),
        of_kind("profileUrl", Kind::Reference),
        text("title"),
        text("userType"),
        text("preferredLanguage"),
        text("locale"),
        text("timezone"),
        of_kind("active", Kind::Bool),
        several("emails", PLURAL),
        several("phoneNumbers", PLURAL),
        several("ims", PLURAL),
        several("photos", PHOTO),
        several("addresses", ADDRESS),
        read_only(several("groups", IN_GROUP)),
        several("entitlements", PLURAL),
        several("roles", PLURAL),
        several("x509Certificates", CERTIFICATE),
    ],
};

/// A person as an employer knows it.
pub const ENTERPRISE: Schema = Schema {
    id: urn::ENTERPRISE,
    name: "EnterpriseUser",
    description: "A person as an employer knows it",
    attributes: &[
        text("employeeNumber"),
        text("costCenter"),
        text("organization"),
        text("division"),
        text("department"),
        of_kind(
            "manager",
            Kind::Complex(&[
                text("value"),
                of_kind("$ref", Kind::Reference),
                read_only(text("displayName")),
            ]),
        ),
    ],
};

/// A team.
pub const GROUP: Schema = Schema {
    id: urn::GROUP,
    name: "Group",
    description: "A team",
    attributes: &[
        required(text("displayName")),
        exact(text("externalId")),
        several(
            "members",
            &[text("value"), of_kind("$ref", Kind::Reference)],
        ),
    ],
};

/// The attribute of this name, whatever its letters.
pub fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    let mut attributes = attributes.iter();
    attributes.find(|known| known.name.eq_ignore_ascii_case(name))
}

/// The values of a resource that its schema knows, as it writes them: others are passed over
/// (RFC 7643, section 2.2), and so is what only the hub says. `True` and `"true"` are taken for
/// what they mean, since some directories send them.
///
/// # Errors
///
/// Values that do not fit, by name.
pub fn fit(
    attributes: &[Attribute],
    given: &Map<String, Value>,
    path: &str,
) -> Result<Map<String, Value>, ScimError> {
    let mut fitting = Map::new();
    for (name, value) in given {
        let Some(attribute) = find(attributes, name) else {
            continue;
        };
        if attribute.is_read_only || value.is_null() {
            continue;
        }
        let path = match path {
            "" => attribute.name.to_owned(),
            path => format!("{path}.{}", attribute.name),
        };
        if let Some(value) = fit_one(attribute, value, &path)? {
            fitting.insert(attribute.name.to_owned(), value);
        }
    }
    Ok(fitting)
}

/// A value of an attribute; nothing if it says nothing.
pub fn fit_one(
    attribute: &Attribute,
    value: &Value,
    path: &str,
) -> Result<Option<Value>, ScimError> {
    if !attribute.is_multi {
        return single(attribute, value, path);
    }
    // Some send one where a list is expected.
    let list = match value {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    if VALUES_MAX < list.len() {
        let what = format!(
            "`{path}` has {} values; at most {VALUES_MAX} are taken",
            list.len()
        );
        return Err(ScimError::new(ScimType::InvalidValue, what));
    }
    let mut fitting: Vec<Value> = Vec::new();
    for one in list {
        if let Some(one) = single(attribute, one, path)?
            && !fitting.contains(&one)
        {
            fitting.push(one);
        }
    }
    Ok((!fitting.is_empty()).then_some(Value::Array(fitting)))
}

fn single(attribute: &Attribute, value: &Value, path: &str) -> Result<Option<Value>, ScimError> {
    let wrong = |expected: &str| {
        let what = format!("`{path}` is {expected}; this is {value}");
        Err(ScimError::new(ScimType::InvalidValue, what))
    };
    Ok(match (attribute.kind, value) {
        (_, Value::Null) => None,
        (Kind::Bool, Value::Bool(_)) => Some(value.clone()),
        (Kind::Bool, Value::String(said)) if said.eq_ignore_ascii_case("true") => {
            Some(Value::Bool(true))
        }
        (Kind::Bool, Value::String(said)) if said.eq_ignore_ascii_case("false") => {
            Some(Value::Bool(false))
        }
        (Kind::Bool, _) => return wrong("true or false"),
        (Kind::Text | Kind::Reference | Kind::Binary, Value::String(said)) => {
            if TEXT_CHARS_MAX < said.chars().count() && !matches!(attribute.kind, Kind::Binary) {
                let what = format!("`{path}` has more than {TEXT_CHARS_MAX} characters");
                return Err(ScimError::new(ScimType::InvalidValue, what));
            }
            Some(value.clone())
        }
        (Kind::Text, Value::Number(number)) => Some(Value::String(number.to_string())),
        (Kind::Text | Kind::Reference | Kind::Binary, _) => return wrong("text"),
        (Kind::Complex(parts), Value::Object(map)) => {
            let map = fit(parts, map, path)?;
            (!map.is_empty()).then_some(Value::Object(map))
        }
        // `emails: ["a@example.org"]` and `manager: "7"` say the value.
        (Kind::Complex(parts), Value::String(_)) if find(parts, "value").is_some() => {
            Some(json!({ "value": value }))
        }
        (Kind::Complex(_), _) => return wrong("an object"),
    })
}

impl Schema {
    /// As a directory reads it (RFC 7643, section 7).
    pub fn shown(&self) -> Value {
        let attributes = self.attributes.iter().map(Attribute::shown);
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "attributes": attributes.collect::<Vec<_>>(),
            "meta": { "resourceType": "Schema", "location": format!("/scim/v2/Schemas/{}", self.id) },
        })
    }
}

impl Attribute {
    fn shown(&self) -> Value {
        let (kind, parts) = match self.kind {
            Kind::Text => ("string", None),
            Kind::Bool => ("boolean", None),
            Kind::Reference => ("reference", None),
            Kind::Binary => ("binary", None),
            Kind::Complex(parts) => ("complex", Some(parts)),
        };
        let is_user_name = self.name == "userName";
        let mut said = json!({
            "name": self.name,
            "type": kind,
            "multiValued": self.is_multi,
            "description": self.name,
            "required": self.is_required,
            "caseExact": self.is_exact || matches!(self.kind, Kind::Reference | Kind::Binary),
            "mutability": if self.is_read_only { "readOnly" } else { "readWrite" },
            "returned": "default",
            "uniqueness": if is_user_name { "server" } else { "none" },
        });
        if let Some(parts) = parts {
            let parts = parts.iter().map(Self::shown);
            said["subAttributes"] = parts.collect();
        }
        if let Kind::Reference = self.kind {
            said["referenceTypes"] = match self.name {
                "$ref" => json!(["User", "Group"]),
                _ => json!(["external"]),
            };
        }
        said
    }
}
