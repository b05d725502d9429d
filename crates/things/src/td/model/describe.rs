use quartet_model::Affordance;
use serde_json::{Map, Value, json};

use super::{Lookup, Model, placeholder, without_links};
use crate::td::{
    document::Document,
    json::{self, Object},
    problem::{Invalid, Problem},
};

/// What a thing has of its own, beside what its model says.
pub struct Instance<'a> {
    /// Its identifier, a URI.
    pub id: &'a str,
    /// Its title.
    pub title: &'a str,
    /// Where its model is.
    pub model: &'a str,
    /// The values of placeholders, by name.
    pub placeholders: &'a Map<String, Value>,
    /// Whether it has an optional affordance, which is given as a JSON pointer.
    pub has: &'a dyn Fn(&str) -> bool,
    /// By which forms an affordance can be used, which is given with its name and definition. They
    /// come behind those of the model.
    pub forms: &'a dyn Fn(Affordance, &str, &Value) -> Vec<Value>,
}

impl Model {
    /// The Thing Description of an instance [TD 1.1, section 9.4]: with the instance's id, title,
    /// forms and values of placeholders, without what is only for models, and with a link to the
    /// model. Where the model is silent on security, there is none. Whether the instance made a
    /// valid description of it is for [`Description::new`](crate::td::Description::new) to say.
    pub fn describe(
        &self,
        instance: &Instance<'_>,
        lookup: &Lookup<'_>,
    ) -> Result<Document, Invalid> {
        let model = self.resolve(lookup)?;
        let filled = model.fill(instance.placeholders)?;
        let optional: Vec<_> = model.optional().collect();
        let is_there = |pointer: &str| {
            !optional.iter().any(|optional| optional == pointer) || (instance.has)(pointer)
        };
        let submodels_gone = without_links(filled, "tm:submodel");
        let mut td = Object::of(submodels_gone.as_str());
        td.set("id", json::encode(instance.id));
        td.set("title", json::encode(instance.title));
        // The model's titles are not those of the instance.
        td.remove("titles");
        td.remove("tm:optional");
        for (kind, affordance) in [
            ("properties", Affordance::Property),
            ("actions", Affordance::Action),
            ("events", Affordance::Event),
        ] {
            let Some(affordances) = td.get(kind) else {
                continue;
            };
            let kept = json::members(affordances).filter_map(|(key, definition)| {
                let name = json::decode(key)?;
                let step = name.replace('~', "~0").replace('/', "~1");
                if !is_there(&format!("/{kind}/{step}")) {
                    return None;
                }
                let forms = |value: &Value| (instance.forms)(affordance, &name, value);
                Some(format!("{key}:{}", with_forms(definition, forms)))
            });
            let kept: Vec<String> = kept.collect();
            td.set(kind, format!("{{{}}}", kept.join(",")));
        }
        set_type(&mut td);
        set_version(&mut td);
        if td.get("securityDefinitions").is_none() {
            td.set("securityDefinitions", r#"{"nosec_sc":{"scheme":"nosec"}}"#);
            td.set("security", r#""nosec_sc""#);
        }
        add_link(&mut td, instance.model);
        Ok(Document::parse(td.print())?)
    }

    /// The document with its placeholders replaced; all must have a value.
    fn fill(&self, values: &Map<String, Value>) -> Result<Document, Invalid> {
        let missing = self.placeholders().into_iter();
        let missing = missing.filter(|name| !values.contains_key(name));
        let problem = |name: String| {
            let says = format!("the placeholder `{name}` has no value; the model needs one");
            Problem::new("(root)", says)
        };
        Invalid::unless_none(missing.map(problem).collect())?;
        Ok(Document::parse(placeholder::fill(
            self.document.as_str(),
            values,
        ))?)
    }
}

/// An affordance with more forms.
fn with_forms(definition: &str, forms: impl Fn(&Value) -> Vec<Value>) -> String {
    let (_, value) = json::read(definition).expect("a part of a document was read before");
    let own = json::member(definition, "forms").unwrap_or_default();
    let own = json::elements(own).map(str::to_owned);
    let forms: Vec<String> = own
        .chain(forms(&value).iter().map(Value::to_string))
        .collect();
    let mut affordance = Object::of(definition);
    affordance.set("forms", format!("[{}]", forms.join(",")));
    affordance.print()
}

/// An instance is no model.
fn set_type(td: &mut Object<'_>) {
    let types = td.get("@type").unwrap_or_default();
    let kept: Vec<&str> = json::elements(types)
        .filter(|name| json::decode(name).as_deref() != Some("tm:ThingModel"))
        .collect();
    if kept.is_empty() {
        td.remove("@type");
    } else {
        let kept = format!("[{}]", kept.join(","));
        td.set("@type", kept);
    }
}

/// The first version of an instance is that of its model.
fn set_version(td: &mut Object<'_>) {
    let Some(version) = td.get("version") else {
        return;
    };
    let instance = json::member(version, "model")
        .unwrap_or(r#""1.0.0""#)
        .to_owned();
    let mut version = Object::of(version);
    version.set("instance", instance);
    let version = version.print();
    td.set("version", version);
}

fn add_link(td: &mut Object<'_>, model: &str) {
    let link = json!({ "rel": "type", "href": model, "type": "application/tm+json" }).to_string();
    let links = json::elements(td.get("links").unwrap_or_default());
    let links: Vec<&str> = links.chain([&*link]).collect();
    let links = format!("[{}]", links.join(","));
    td.set("links", links);
}
