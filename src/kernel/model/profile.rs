//! What a product has yet to hear about one of its records.

use crate::kernel::values::{ProductAccountId, Timestamp};

/// A name or an address that changed after the record was linked (rows L09, T23).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProfilePush {
    /// Whose; unique.
    pub product_account: ProductAccountId,
    /// Which version of the profile, counted from 1: the tail of the product's idempotency key.
    pub version: u64,
    /// Not tried before. Moved on by each attempt, and so the lease of whoever tries.
    pub due_at: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// What went wrong last, for operators.
    pub fault: Option<String>,
}
