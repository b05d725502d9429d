use std::{borrow::Cow, fmt, sync::Arc};

use serde_json::Value;

use super::{
    affordance::{Affordances, Interner},
    document::Document,
    json::{self, Malformed},
    problem::{Invalid, Problem},
    validate,
};

/// A Thing Description 1.1, or 1.0, which consumers of 1.1 accept [TD 1.1, section 6.3.1]: the
/// document as it was said, and an index of its affordances.
#[derive(Clone)]
pub struct Description {
    document: Document,
    affordances: Arc<Affordances>,
}

impl Description {
    /// Reads and validates a description.
    pub fn parse(bytes: impl AsRef<[u8]>, interner: &mut Interner) -> Result<Self, Invalid> {
        let (document, td) = Document::read(bytes.as_ref())?;
        Self::validate(document, &td, interner)
    }

    /// Validates a document as a description.
    pub fn new(document: Document, interner: &mut Interner) -> Result<Self, Invalid> {
        let td = document.to_value();
        Self::validate(document, &td, interner)
    }

    /// Reads a description that was valid when it was kept, and so is not judged again.
    pub fn recall(bytes: impl AsRef<[u8]>, interner: &mut Interner) -> Result<Self, Malformed> {
        let (document, td) = Document::read(bytes.as_ref())?;
        Ok(Self::index(document, &td, interner))
    }

    fn validate(document: Document, td: &Value, interner: &mut Interner) -> Result<Self, Invalid> {
        Invalid::unless_none(validate::description(td))?;
        Ok(Self::index(document, td, interner))
    }

    fn index(document: Document, td: &Value, interner: &mut Interner) -> Self {
        let affordances = interner.share(Affordances::read(td));
        Self {
            document,
            affordances,
        }
    }

    /// The document, with all that was said.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// What the thing can be asked and told.
    pub fn affordances(&self) -> &Affordances {
        &self.affordances
    }

    /// The same, to be kept without the document.
    pub fn into_affordances(self) -> Arc<Affordances> {
        self.affordances
    }

    /// Its identifier, a URI. A description without one is called anonymous.
    pub fn id(&self) -> Option<Cow<'_, str>> {
        self.document.get_str("id")
    }

    /// Its title in the default language.
    pub fn title(&self) -> Cow<'_, str> {
        self.document.get_str("title").unwrap_or_default()
    }

    /// Its titles by language.
    pub fn titles(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let titles = json::members(self.document.get("titles").unwrap_or_default());
        titles.filter_map(|(tag, title)| Some((json::decode(tag)?, json::decode(title)?)))
    }

    /// Its semantic types.
    pub fn types(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let types = self.document.get("@type").unwrap_or_default();
        json::elements(types)
            .chain([types])
            .filter_map(json::decode)
    }

    /// What is allowed in a description, but hardly meant.
    pub fn warnings(&self) -> Vec<Problem> {
        validate::warnings(&self.document.to_value())
    }
}

impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.document, f)
    }
}
