use serde_json::{Value, json};

use super::urn;

/// Something is wrong with what a directory asks for (RFC 7644, section 3.12).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct ScimError {
    /// As HTTP has it.
    pub status: u16,
    /// Which of the kinds that SCIM knows.
    pub kind: Option<ScimType>,
    /// What was wrong, and what would be right.
    pub detail: String,
}

/// Kinds of errors that SCIM knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScimType {
    /// The filter is none.
    InvalidFilter,
    /// Another one is called so already.
    Uniqueness,
    /// What cannot be changed was to be changed.
    Mutability,
    /// The request is not as it should be.
    InvalidSyntax,
    /// The path names nothing that there is.
    InvalidPath,
    /// The path's filter finds nothing.
    NoTarget,
    /// A value does not fit.
    InvalidValue,
    /// There is more than one request may ask for.
    TooMany,
}

impl ScimType {
    const fn name(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::TooMany => "tooMany",
        }
    }
}

impl ScimError {
    /// What was sent is not right.
    pub fn new(kind: ScimType, detail: impl Into<String>) -> Self {
        Self {
            status: match kind {
                ScimType::Uniqueness => 409,
                _ => 400,
            },
            kind: Some(kind),
            detail: detail.into(),
        }
    }

    /// Something else is wrong.
    pub fn other(status: u16, detail: impl Into<String>) -> Self {
        Self {
            status,
            kind: None,
            detail: detail.into(),
        }
    }

    /// As a directory reads it.
    pub fn to_json(&self) -> Value {
        let mut error = json!({
            "schemas": [urn::ERROR],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let Some(kind) = self.kind {
            error["scimType"] = kind.name().into();
        }
        error
    }
}
