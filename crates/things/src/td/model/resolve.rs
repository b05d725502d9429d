use std::{collections::BTreeMap, fmt};

use super::{Model, Reference, links, without_links};
use crate::td::{
    document::{DOCUMENT_BYTES_MAX, Document},
    json::{self, DEPTH_MAX, Malformed, Object},
    problem::{Invalid, Path, Problem},
};

/// Gives the model at an address, if it is known.
pub type Lookup<'a> = dyn Fn(&str) -> Option<Document> + 'a;

/// How long a chain of models and references may be.
const HOPS_MAX: usize = 8;
/// How many references a model and those that it needs may have.
const REFERENCES_MAX: usize = 1024;

impl Model {
    /// The model with all that it extends and refers to [TD 1.1, sections 9.3.2 and 9.3.3]. What it
    /// says itself goes before what it takes over, by the rules of JSON merge patch.
    pub fn resolve(&self, lookup: &Lookup<'_>) -> Result<Self, Invalid> {
        let mut resolver = Resolver {
            lookup,
            resolved: BTreeMap::new(),
            trail: Vec::new(),
            references: 0,
        };
        let document = resolver.resolve(&self.document)?;
        // Only now can be said whether all that is optional is there.
        Self::new(document)
    }
}

struct Resolver<'a> {
    lookup: &'a Lookup<'a>,
    resolved: BTreeMap<String, Document>,
    /// The addresses of the models that led here.
    trail: Vec<String>,
    references: usize,
}

impl Resolver<'_> {
    fn resolve(&mut self, document: &Document) -> Result<Document, Invalid> {
        let mut base: Option<String> = None;
        for link in links(document, "tm:extends") {
            let href = json::member(link, "href").and_then(json::decode);
            let parent = self
                .other(&href.unwrap_or_default())
                .map_err(|says| invalid("links", says))?;
            base = Some(match base {
                Some(base) => json::merge(&base, parent.as_str()),
                None => parent.as_str().to_owned(),
            });
        }
        let own = without_links(document.clone(), "tm:extends");
        let whole = match base {
            Some(base) => bounded(json::merge(&base, own.as_str()))?,
            None => own.as_str().to_owned(),
        };
        let followed = self.follow(&whole, &whole, 0, &mut Path::default())?;
        Ok(Document::parse(followed)?)
    }

    /// Another model, resolved.
    fn other(&mut self, address: &str) -> Result<Document, String> {
        if let Some(known) = self.resolved.get(address) {
            return Ok(known.clone());
        }
        if self.trail.iter().any(|before| before == address) {
            return Err(format!("leads in a circle, back to `{address}`"));
        }
        if self.trail.len() == HOPS_MAX {
            return Err(format!("leads over more than {HOPS_MAX} models"));
        }
        let found = (self.lookup)(address);
        let found = found.ok_or_else(|| format!("leads to `{address}`, which is not known"))?;
        let wrong = |invalid: Invalid| format!("leads to `{address}`, which is wrong: {invalid}");
        let model = Model::new(found).map_err(wrong)?;
        self.trail.push(address.to_owned());
        let resolved = self.resolve(&model.document).map_err(wrong)?;
        self.trail.pop();
        self.resolved.insert(address.to_owned(), resolved.clone());
        Ok(resolved)
    }

    /// The JSON with what its references refer to; `root` is the model that holds it.
    fn follow(
        &mut self,
        root: &str,
        json: &str,
        hops: usize,
        path: &mut Path,
    ) -> Result<String, Invalid> {
        if path.len() > DEPTH_MAX {
            let says = format!("nests more than {DEPTH_MAX} deep by what it refers to");
            return Err(invalid(path, says));
        }
        if json::is_object(json) {
            let reference = json::member(json, "tm:ref").and_then(json::decode);
            let Some(text) = reference else {
                return self.follow_members(root, json, hops, path);
            };
            let target = self.target(root, &text, hops, path)?;
            let mut own = Object::of(json);
            own.remove("tm:ref");
            let own = self.follow_members(root, &own.print(), hops, path)?;
            return bounded(json::merge(&target, &own));
        }
        if !json.starts_with('[') {
            return Ok(json.to_owned());
        }
        let mut followed = Vec::new();
        for (index, element) in json::elements(json).enumerate() {
            path.push_index(index);
            followed.push(self.follow(root, element, hops, path)?);
            path.pop();
        }
        bounded(format!("[{}]", followed.join(",")))
    }

    fn follow_members(
        &mut self,
        root: &str,
        json: &str,
        hops: usize,
        path: &mut Path,
    ) -> Result<String, Invalid> {
        let mut followed = Object::default();
        for (key, value) in json::members(json) {
            let name = json::decode(key).unwrap_or_default();
            path.push_name(&name);
            followed.set(&name, self.follow(root, value, hops, path)?);
            path.pop();
        }
        bounded(followed.print())
    }

    /// What a reference refers to, with what it itself refers to.
    fn target(
        &mut self,
        root: &str,
        text: &str,
        hops: usize,
        path: &mut Path,
    ) -> Result<String, Invalid> {
        self.references += 1;
        if hops == HOPS_MAX || self.references > REFERENCES_MAX {
            let says = format!(
                "refers to `{text}` and on, in a circle, or over more than {HOPS_MAX} steps or \
                 {REFERENCES_MAX} references"
            );
            return Err(invalid(&*path, says));
        }
        let Some(reference) = Reference::parse(text) else {
            return Err(invalid(
                &*path,
                format!("refers to `{text}`, which is no reference"),
            ));
        };
        let missing = || format!("refers to `{text}`, where nothing is");
        if reference.model.is_empty() {
            let target = json::pointer(root, &reference.pointer);
            let target = target.ok_or_else(|| invalid(&*path, missing()))?;
            return self.follow(root, target, hops + 1, path);
        }
        let other = self
            .other(reference.model)
            .map_err(|says| invalid(&*path, says))?;
        let target = json::pointer(other.as_str(), &reference.pointer);
        let target = target.ok_or_else(|| invalid(&*path, missing()))?;
        Ok(target.to_owned())
    }
}

fn invalid(field: impl fmt::Display, says: String) -> Invalid {
    Invalid(vec![Problem::new(field, says)])
}

/// What grows beyond a document is given up at once.
fn bounded(text: String) -> Result<String, Invalid> {
    if text.len() > DOCUMENT_BYTES_MAX {
        let (bytes, bytes_max) = (text.len(), DOCUMENT_BYTES_MAX);
        return Err(Malformed::TooLarge { bytes, bytes_max }.into());
    }
    Ok(text)
}
