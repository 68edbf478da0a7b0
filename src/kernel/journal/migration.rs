//! Changes of records that move to the one account.

use crate::kernel::migration::Transition;
use crate::kernel::model::{IdentityKey, Quarantine};
use crate::kernel::model::{Migration, MigrationStep, RemovedAlias};
use crate::kernel::values::{AccountId, EmailAddress, MigrationId, ProductAccountId, ProductName, Timestamp};

/// One change of a move.
#[derive(Clone, Debug)]
pub enum MigrationChange {
    /// A record's state, as compare-and-set. Only transitions of the state table exist; `Conflict::State` when the record is in
    /// another state than the transition begins in.
    Move(ProductAccountId, Transition),
    /// A move begins, or is written down committed in one go. `Conflict::Migration` when the record moves already, or the identity
    /// moves another record of the product.
    Begin(Migration),
    /// The move is as it was read (`step`, `attempts`), and is so now. `Conflict::Migration` when somebody else was first.
    Advance {
        /// Which.
        id: MigrationId,
        /// The step and the attempts as read.
        read: (MigrationStep, u32),
        /// The step from now on.
        step: MigrationStep,
        /// Attempts at it.
        attempts: u32,
        /// When it is due.
        due_at: Timestamp,
        /// What went wrong.
        fault: Option<String>,
    },
    /// An intent is taken back: its row goes. `Conflict::Migration` when it was committed or went meanwhile.
    Cancel(MigrationId),
    /// An account's links go, all but this one (rule H14). No conflict when there are none.
    Unlink(AccountId, IdentityKey),
    /// A move's row goes, however far it has come: what it told the product of was undone. No conflict when there is none.
    Forget(ProductAccountId),
    /// An account is put aside (B21): its address, the addresses and passwords of its records, its links and whatever mailbox proofs
    /// are under way go, and the row is kept. `Conflict::Row` when the account has another address or another epoch by now, its
    /// address was proved, or it was put aside already.
    SetAside {
        /// What stays of it.
        kept: Quarantine,
        /// The account's epoch as read.
        epoch: u32,
    },
    /// The row of an account that was put aside goes: it is being brought back. `Conflict::Row` when there is none.
    BringBack(AccountId),
    /// An address that was asserted to a product for this `sub` may be asserted for another (rule H19). No conflict when it was not.
    Free {
        /// The product.
        product: ProductName,
        /// The address.
        email: EmailAddress,
        /// The user id that it was asserted for.
        sub: String,
    },
    /// An address is given up. An older row of the same address goes.
    Retire(RemovedAlias),
    /// Addresses that were asserted to a product for one of its users are another user's from now on: the product hears that the two
    /// are one (rule H19).
    Inherit {
        /// The product.
        product: ProductName,
        /// The user whose addresses they were.
        from: String,
        /// The user whose they are.
        to: String,
    },
}
