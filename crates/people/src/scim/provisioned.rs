//! What is kept of a person or a team that a directory provisions.

use quartet_model::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    ScimError, ScimType,
    schema::{ENTERPRISE, GROUP, USER, fit},
    urn,
};
use crate::when;

/// Where it is kept: below this, at the element's key.
const FOLDER: &str = "$quartet/provisioned";
const VERSION: u32 = 1;
/// Whose a `userName` is, is kept as names at this issuer: one for all providers.
pub const NAMES: &str = "scim";

/// The relation of a program to the hub that lets it provision.
pub const PROVISIONER: &str = "provisioner";

/// The topic at which it is kept.
pub fn topic_of(element: &str) -> String {
    format!("{FOLDER}/{element}")
}

/// Where all of a kind are: `people` or `teams`.
pub fn filter(folder: &str) -> String {
    format!("{FOLDER}/{folder}/+")
}

/// The element of which something is kept at a topic.
pub fn element_at(topic: &str) -> Option<&str> {
    topic.strip_prefix(FOLDER)?.strip_prefix('/')
}

/// A person or a team, as a directory knows it.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Provisioned {
    version: u32,
    /// Who provisions it: a program's key.
    pub provider: String,
    /// Since when.
    #[serde(with = "when")]
    pub created: Time,
    /// What the directory says: attributes of the schema.
    pub resource: Map<String, Value>,
}

impl Provisioned {
    /// A person as a directory says it is.
    ///
    /// # Errors
    ///
    /// If it has no name, or values do not fit.
    pub fn person(provider: &str, said: &Value, now: Time) -> Result<Self, ScimError> {
        Ok(Self {
            version: VERSION,
            provider: provider.to_owned(),
            created: now,
            resource: person(said)?,
        })
    }

    /// A team as a directory says it is, without its members.
    ///
    /// # Errors
    ///
    /// If it has no name, or values do not fit.
    pub fn team(provider: &str, said: &Value, now: Time) -> Result<Self, ScimError> {
        Ok(Self {
            version: VERSION,
            provider: provider.to_owned(),
            created: now,
            resource: team(said)?,
        })
    }

    /// The same of which something else is said.
    #[must_use]
    pub fn with(&self, resource: Map<String, Value>) -> Self {
        Self {
            resource,
            ..self.clone()
        }
    }

    /// As it is kept.
    pub fn read(kept: &[u8]) -> Option<Self> {
        serde_json::from_slice(kept).ok()
    }

    /// As it is to be kept.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are JSON")
    }

    /// What it is called there.
    pub fn user_name(&self) -> &str {
        self.text_of("userName")
    }

    /// What the directory itself calls it.
    pub fn external_id(&self) -> Option<&str> {
        self.resource.get("externalId").and_then(Value::as_str)
    }

    /// Whether it may come in.
    pub fn is_active(&self) -> bool {
        self.resource.get("active") != Some(&Value::Bool(false))
    }

    /// What people call it.
    pub fn title(&self) -> String {
        let name = self.resource.get("name");
        let part = |name: &Value, part: &str| name[part].as_str().unwrap_or_default().to_owned();
        let whole = name.map(|name| {
            let both = [part(name, "givenName"), part(name, "familyName")];
            match part(name, "formatted") {
                formatted if !formatted.trim().is_empty() => formatted,
                _ => both.join(" "),
            }
        });
        let names = [
            self.text_of("displayName").to_owned(),
            whole.unwrap_or_default(),
            self.user_name().to_owned(),
        ];
        let mut names = names.iter().map(|name| name.trim());
        let title = names.find(|name| !name.is_empty()).unwrap_or_default();
        title.chars().filter(|c| !c.is_control()).take(64).collect()
    }

    fn text_of(&self, name: &str) -> &str {
        let value = self.resource.get(name);
        value.and_then(Value::as_str).unwrap_or_default()
    }

    /// The resource, as a directory reads it. `id` is the last level of its element's key.
    pub fn shown(
        &self,
        element: &str,
        at: &str,
        changed: Time,
        version: &str,
    ) -> Map<String, Value> {
        let (folder, id) = element.split_once('/').unwrap_or(("", element));
        let (kind, path, schema) = match folder {
            "teams" => ("Group", "Groups", urn::GROUP),
            _ => ("User", "Users", urn::USER),
        };
        let mut shown = self.resource.clone();
        let mut schemas = vec![schema];
        if shown.contains_key(urn::ENTERPRISE) {
            schemas.push(urn::ENTERPRISE);
        }
        shown.insert("schemas".to_owned(), json!(schemas));
        shown.insert("id".to_owned(), id.into());
        shown.insert(
            "meta".to_owned(),
            json!({
                "resourceType": kind,
                "created": self.created.rfc3339(),
                "lastModified": changed.rfc3339(),
                "location": format!("{at}/{path}/{id}"),
                "version": version,
            }),
        );
        shown
    }
}

fn object(said: &Value) -> Result<&Map<String, Value>, ScimError> {
    said.as_object()
        .ok_or_else(|| ScimError::new(ScimType::InvalidSyntax, "a resource is an object"))
}

/// The attributes of a person that the schemas know.
///
/// # Errors
///
/// If it has no name, or values do not fit.
pub fn person(said: &Value) -> Result<Map<String, Value>, ScimError> {
    let said = object(said)?;
    let mut person = fit(USER.attributes, said, "")?;
    let mut extensions = said.iter();
    let extension = extensions.find(|(name, _)| name.eq_ignore_ascii_case(urn::ENTERPRISE));
    if let Some((_, Value::Object(extension))) = extension {
        let extension = fit(ENTERPRISE.attributes, extension, urn::ENTERPRISE)?;
        if !extension.is_empty() {
            person.insert(urn::ENTERPRISE.to_owned(), extension.into());
        }
    }
    named(&person, "userName")?;
    Ok(person)
}

/// The attributes of a team that the schema knows, without its members.
///
/// # Errors
///
/// If it has no name, or values do not fit.
pub fn team(said: &Value) -> Result<Map<String, Value>, ScimError> {
    let mut said = object(said)?.clone();
    said.retain(|name, _| !name.eq_ignore_ascii_case("members"));
    let team = fit(GROUP.attributes, &said, "")?;
    named(&team, "displayName")?;
    Ok(team)
}

fn named(resource: &Map<String, Value>, name: &str) -> Result<(), ScimError> {
    let value = resource.get(name).and_then(Value::as_str);
    match value.map(str::trim) {
        None | Some("") => {
            let what = format!("`{name}` is missing; it says what this is called");
            Err(ScimError::new(ScimType::InvalidValue, what))
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_kept_as_it_was_said_and_shown_with_what_the_hub_knows() {
        let said = json!({
            "schemas": [urn::USER], "USERNAME": "ana@example.org", "name": {"givenName": "Ana", "familyName": "Lopez"},
            "password": "secret", "groups": [{"value": "x"}], "nonsense": true, "emails": "ana@example.org",
        });
        let now = Time::from_micros(1_000_000);
        let ana = Provisioned::person("things/entra", &said, now).unwrap();
        let kept = Provisioned::read(ana.text().as_bytes()).unwrap();
        assert_eq!(kept, ana);
        assert_eq!((ana.title().as_str(), ana.is_active()), ("Ana Lopez", true));
        assert!(!ana.text().contains("secret"));
        let shown = ana.shown("people/ana", "https://hub/scim/v2", now, "W/\"1\"");
        assert_eq!(shown["id"], "ana");
        assert_eq!(shown["emails"], json!([{"value": "ana@example.org"}]));
        assert_eq!(shown["meta"]["location"], "https://hub/scim/v2/Users/ana");
        let error = Provisioned::person("things/entra", &json!({"active": true}), now).unwrap_err();
        assert_eq!(error.kind, Some(ScimType::InvalidValue));
    }
}
