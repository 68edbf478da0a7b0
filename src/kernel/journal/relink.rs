//! Changes of links that move between two directories of one organization.

use crate::kernel::model::{Relinked, Relinking};
use crate::kernel::values::{AccountId, RelinkId};

/// One change.
#[derive(Clone, Debug)]
pub enum RelinkChange {
    /// Links may move, or are moved in one go. `Conflict::Row` when there is one with this id.
    Open(Relinking),
    /// The window ends at this `until`, earlier than it would have. `Conflict::Row` when it has ended by then.
    Close(Relinking),
    /// The old link goes and the row says so; the new one is linked in the same batch, after this. `Conflict::Identity` when the old
    /// link is not there any more, `Conflict::Row` when this relinking moved the account's link before.
    Move(Relinked),
    /// A link that was moved is taken back: the new one goes; the old one is linked in the same batch, after this. `Conflict::Row`
    /// when that was done, `Conflict::Identity` when the person has another link by now.
    Undo(RelinkId, AccountId),
}
