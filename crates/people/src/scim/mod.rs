//! People and teams that a directory provisions: SCIM 2.0 (RFC 7642 to 7644), without the HTTP.
//!
//! What a directory says of a person is kept as one document beside the person's element; what a
//! hub does about it (who may come in, who is in which team) is said by credentials and relations,
//! as always. Membership is not in here: it is relations that know their provider.

mod error; // what is wrong, in SCIM's words
pub mod filter; // which resources are meant
pub mod patch; // what is to be otherwise
pub mod provisioned; // what is kept
pub mod schema; // which attributes there are

pub use error::{ScimError, ScimType};

/// What SCIM calls its schemas.
pub mod urn {
    /// A person.
    pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
    /// A person as an employer knows it.
    pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    /// A team.
    pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
    /// A list of what was found.
    pub const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
    /// What is to be otherwise.
    pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
    /// What is looked for.
    pub const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
    /// What went wrong.
    pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
}
