//! What organizations are at run time: every version of their documents, kept (interface, "What organizations edit").

use crate::kernel::values::{OrgName, Timestamp};

/// A change of what organizations say of themselves.
#[derive(Clone, Debug)]
pub enum OrganizationChange {
    /// The next version. Conflict unless it is exactly one above the newest: of two writers the slower decides again.
    PutVersion(OrganizationVersion),
}

/// One version of an organization's document. Versions count from 1 and are never written over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OrganizationVersion {
    /// Whose.
    pub org: OrgName,
    /// Its number; unique with `org`.
    pub version: u32,
    /// When.
    pub at: Timestamp,
    /// Who wrote it, for people: an address, `operator uid 0`.
    pub by: String,
    /// What was done, for people: `policy default put`, `reverted to 3`.
    pub what: String,
    /// The document as JSON; none: the organization is removed.
    pub document: Option<String>,
    /// Over all of the above, so that a writer to the database cannot plant a directory (rule H12).
    pub mac: [u8; 32],
}
