//! Changes of accounts that end for good.

use crate::kernel::model::Deletion;
use crate::kernel::values::AccountId;

/// One change. `Conflict::Row` when the account is in another state than the change begins in.
#[derive(Clone, Debug)]
pub enum DeletionChange {
    /// The account is to be deleted; it is as switched off from now on, and its epoch rises.
    Schedule(Deletion),
    /// That is taken back: the account is what it was, and its epoch rises.
    Cancel(AccountId),
    /// The day has come: address, name and links go, the row stays, and these keyed hashes of who it was match for good (rule H2).
    Bury(AccountId, Vec<[u8; 32]>),
    /// Its tombstones are taken away: whoever it was may come anew, as somebody else. The account stays deleted.
    Lift(AccountId),
}
