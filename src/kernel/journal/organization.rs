//! What organizations are at run time: every version of their documents, kept (interface, "What organizations edit").

use crate::kernel::values::{OrgName, Timestamp};

/// A change of what organizations say of themselves.
#[derive(Clone, Debug)]
pub enum OrganizationChange {
    /// The next version. Conflict unless it is exactly one above the newest: of two writers the slower decides again.
    PutVersion(OrganizationVersion),
    /// Which version is the newest: in one batch with it. Conflict unless it is exactly one above the one before.
    PutHead(OrganizationHead),
}

/// Which version of an organization's document is the newest. Without it an older document would be in force again once somebody
/// takes the newest row out of the database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OrganizationHead {
    /// Whose; unique.
    pub org: OrgName,
    /// The number of its newest version.
    pub version: u32,
    /// Over both (rule H12).
    pub mac: [u8; 32],
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
