//! Changes of what directories provision.

use crate::kernel::scim::place::Provisioned;
use crate::kernel::values::{AccountId, DirectoryId, Timestamp};

/// A group of a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProvisionedGroup {
    /// Ours, 16 bytes as an account's; unique.
    pub id: AccountId,
    /// Whose.
    pub directory: DirectoryId,
    /// `displayName`, by which `allow` and policies name it; unique among the directory's.
    pub name: String,
    /// `externalId`.
    pub external_id: Option<String>,
    /// Counts changes.
    pub version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// The last change.
    pub changed_at: Timestamp,
}

/// One change. `Conflict::Row`: the name or external id is another's, or the row is of another version than was read.
#[derive(Clone, Debug)]
pub enum ScimChange {
    /// A user that is new to the directory.
    Add(Provisioned),
    /// A user, as it was read in the version before.
    Put(Provisioned),
    /// Somebody else's word about an account's status counts from now on: no directory takes it back. What was read before is old.
    Hold(AccountId),
    /// Every link of an account in one directory goes.
    Unlink(AccountId, DirectoryId),
    /// A user leaves every group of the directory.
    LeaveGroups(AccountId, DirectoryId),
    /// A group that is new.
    AddGroup(ProvisionedGroup),
    /// A group, as it was read in the version before.
    PutGroup(ProvisionedGroup),
    /// A group goes, with who was in it.
    DropGroup(AccountId),
    /// Somebody is in a group. `Conflict::Row` where the directory has no such user.
    Join(AccountId, AccountId),
    /// Somebody is in it no more.
    Leave(AccountId, AccountId),
}
