//! Changes of what products have yet to hear about names and addresses.

use crate::kernel::values::{ProductAccountId, Timestamp};

/// One change of what a product has heard of a record's profile.
#[derive(Clone, Debug)]
pub enum ProfileChange {
    /// The profile is another one now: a new version of it is to be told, at once unless an older one is under way.
    Tell(ProductAccountId, Timestamp),
    /// The version is being told, or was not taken. `Conflict::Profile` when it is not as it was read.
    Try {
        /// Which.
        id: ProductAccountId,
        /// The version and the attempts as read.
        read: (u64, u32),
        /// Attempts from now on.
        attempts: u32,
        /// When it is tried again.
        due_at: Timestamp,
        /// What went wrong.
        fault: Option<String>,
    },
    /// The product has that version. A newer one is due then.
    Told(ProductAccountId, u64, Timestamp),
}
