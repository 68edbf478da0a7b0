//! What a provisioning client may say and do (SCIM 2.0: RFC 7643, RFC 7644), pure.
//!
//! [`filter`] and [`path`] read what clients write, within limits of length, depth and terms; [`schema`] says which attributes are
//! kept and brings a resource into its one form; [`patch`] applies operations in the dialects that Okta and Entra speak; [`person`]
//! reads out of a resource what an account is made of; [`place`] decides whose account a resource is (rule H4). Deliberately absent:
//! attributes that nobody here needs (telephone numbers, photos, passwords): they are accepted and not kept, as RFC 7644 §3.3 allows.
//! A new attribute is a line in [`schema`].

pub mod filter;
pub mod patch;
pub mod path;
pub mod person;
pub mod place;
pub mod schema;
pub mod token;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

/// A resource's attributes, in the one form that [`schema`] gives them.
pub type Attributes = Map<String, Value>;

/// Why a request is not done (RFC 7644 §3.12): a status, its `scimType`, and words for whoever set the client up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Complaint {
    /// The HTTP status.
    pub status: u16,
    /// One of RFC 7644's words.
    pub kind: Option<&'static str>,
    /// What is wrong. Never more of what was sent than a name of an attribute.
    pub detail: String,
}

impl Complaint {
    /// A 400 of this kind.
    pub(super) fn of(kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status: 400, kind: Some(kind), detail: detail.into() }
    }

    /// A value that cannot be taken.
    pub fn value(detail: impl Into<String>) -> Self {
        Self::of("invalidValue", detail)
    }

    /// Not the shape that RFC 7644 gives a message.
    pub fn syntax(detail: impl Into<String>) -> Self {
        Self::of("invalidSyntax", detail)
    }

    /// It is somebody else's already.
    pub fn taken(detail: impl Into<String>) -> Self {
        Self { status: 409, kind: Some("uniqueness"), detail: detail.into() }
    }

    /// Not for this client to change.
    pub fn refused(detail: impl Into<String>) -> Self {
        Self { status: 409, kind: Some("mutability"), detail: detail.into() }
    }
}
