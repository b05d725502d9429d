//! Thing Models: what things of one type have in common [TD 1.1, section 9].
//!
//! A model is resolved (what it extends and refers to is put in), and then described (a Thing
//! Description of one instance is made of it). Other models come from a lookup of the caller.

mod describe; // from a model to a description
mod placeholder; // `{{NAME}}` and what takes its place
mod reference; // `tm:ref`: where a definition is
mod resolve; // `tm:extends` and `tm:ref`

use std::{borrow::Cow, collections::BTreeSet, fmt};

use super::{
    document::Document,
    json,
    problem::{Invalid, Problem},
    validate,
};

pub use describe::Instance;
pub(crate) use reference::Reference;
pub use resolve::Lookup;

/// A valid Thing Model.
#[derive(Clone, PartialEq, Eq)]
pub struct Model {
    document: Document,
}

/// A model that is part of another [TD 1.1, section 9.3.2 "Composition"].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submodel<'a> {
    /// Where it is.
    pub href: Cow<'a, str>,
    /// What it is called in the whole: two doors have two names.
    pub instance_name: Option<Cow<'a, str>>,
}

impl Model {
    /// Reads and validates a model.
    pub fn parse(bytes: impl AsRef<[u8]>) -> Result<Self, Invalid> {
        let (document, tm) = Document::read(bytes.as_ref())?;
        Invalid::unless_none(validate::model(&tm))?;
        Ok(Self { document })
    }

    /// Validates a document as a model.
    pub fn new(document: Document) -> Result<Self, Invalid> {
        Invalid::unless_none(validate::model(&document.to_value()))?;
        Ok(Self { document })
    }

    /// The document, with all that was said.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Its title, if it has one.
    pub fn title(&self) -> Option<Cow<'_, str>> {
        self.document.get_str("title")
    }

    /// The names of its placeholders: what an instance must give a value.
    pub fn placeholders(&self) -> BTreeSet<String> {
        placeholder::names(self.document.as_str())
    }

    /// JSON pointers to the affordances that an instance need not have.
    pub fn optional(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let optional = self.document.get("tm:optional").unwrap_or_default();
        json::elements(optional).filter_map(json::decode)
    }

    /// The models that it is composed of.
    pub fn submodels(&self) -> impl Iterator<Item = Submodel<'_>> {
        links(&self.document, "tm:submodel").filter_map(|link| {
            let text = |name: &str| json::member(link, name).and_then(json::decode);
            Some(Submodel {
                href: text("href")?,
                instance_name: text("instanceName"),
            })
        })
    }

    /// What is allowed in a model, but hardly meant.
    pub fn warnings(&self) -> Vec<Problem> {
        validate::warnings(&self.document.to_value())
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.document, f)
    }
}

/// The links of one relation.
fn links<'a>(document: &'a Document, relation: &'a str) -> impl Iterator<Item = &'a str> {
    let links = json::elements(document.get("links").unwrap_or_default());
    links.filter(move |link| is_link(link, relation))
}

fn is_link(link: &str, relation: &str) -> bool {
    json::member(link, "rel").and_then(json::decode).as_deref() == Some(relation)
}

/// The document without the links of one relation, and without `links` if none is left.
fn without_links(mut document: Document, relation: &str) -> Document {
    let Some(links) = document.get("links") else {
        return document;
    };
    let kept: Vec<&str> = json::elements(links)
        .filter(|link| !is_link(link, relation))
        .collect();
    if kept.is_empty() {
        document.remove("links");
        return document;
    }
    let links = format!("[{}]", kept.join(","));
    document
        .set("links", &links)
        .expect("a part of a document fits where the whole was");
    document
}
