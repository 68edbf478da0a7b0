//! What stays of an account that was put aside (B21).

use crate::kernel::values::{AccountId, EmailAddress, ProductName, Timestamp};
use std::time::Duration;

/// How long support can bring an account back that was put aside: 30 days (behaviour B21).
pub const UNDOABLE: Duration = Duration::from_secs(30 * 86_400);

/// An account that was put aside because its address was never proved and somebody else proved it. What it had at its products is
/// untouched; what it logged in with is sealed here until nobody can bring it back any more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quarantine {
    /// Whose; unique.
    pub account: AccountId,
    /// The address that it had.
    pub email: EmailAddress,
    /// At whose door.
    pub product: ProductName,
    /// Who has the address since.
    pub by: AccountId,
    /// When.
    pub at: Timestamp,
    /// Until when it can be brought back; the row is swept then.
    pub until: Timestamp,
    /// Addresses, passwords and links, sealed for this account and address (rule H12).
    pub kept: Vec<u8>,
}
