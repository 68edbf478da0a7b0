//! Links that move from one directory of an organization to another: a change of provider gives everybody a new subject.

use super::IdentityKey;
use super::LinkedBy;
use crate::kernel::values::{AccountId, DirectoryId, OrgName, RelinkId, Timestamp};
use std::time::Duration;

/// The longest that a window stands open (behaviour, Relink; rule C1): 30 days.
pub const LONGEST_WINDOW: Duration = Duration::from_secs(30 * 86_400);
/// How long a link that was moved can be taken back: 30 days.
pub const RELINK_UNDOABLE: Duration = Duration::from_secs(30 * 86_400);

/// That links of an organization's people may move, or were moved in one go from a map.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Relinking {
    /// Unique.
    pub id: RelinkId,
    /// Whose people.
    pub org: OrgName,
    /// Where the links are. It may be gone from the configuration: a changed connection is another directory (rule C1).
    pub from: DirectoryId,
    /// Where they go. The same as `from` only for one named person, whom the provider made anew.
    pub to: DirectoryId,
    /// This person alone.
    pub only: Option<AccountId>,
    /// When it was said.
    pub opened_at: Timestamp,
    /// Until when a login of the new directory moves a link; `opened_at` where a map moved them.
    pub until: Timestamp,
    /// Who said it: an operator, or an admin by address.
    pub by: String,
    /// MAC over all of it (rule H12).
    pub mac: [u8; 32],
}

/// One link that was moved. At most one of an account in one relinking, also after it was taken back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Relinked {
    /// By which.
    pub relinking: RelinkId,
    /// Whose.
    pub account: AccountId,
    /// The link that there was.
    pub old: IdentityKey,
    /// How that had come to be.
    pub old_by: LinkedBy,
    /// When it had.
    pub old_at: Timestamp,
    /// The link since.
    pub new: IdentityKey,
    /// When it was moved.
    pub at: Timestamp,
    /// Whether it was taken back.
    pub undone: bool,
    /// MAC over all of it but `undone` (rule H12).
    pub mac: [u8; 32],
}

impl Relinked {
    /// Until when it can be taken back.
    pub fn undoable_until(&self) -> Timestamp {
        self.at.plus(RELINK_UNDOABLE)
    }
}
