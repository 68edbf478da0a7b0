//! What a product and its enterprises say of the product's users (row T37, behaviour §3.7).

use crate::kernel::values::{EnterpriseName, ProductAccountId, Timestamp};

/// One such word. Each is `Conflict::State` where what it was decided on does not hold any more, and where it is so already.
#[derive(Clone, Debug)]
pub enum AccessChange {
    /// The product is closed to one of its users, or open again.
    Switch {
        /// Whose record.
        record: ProductAccountId,
        /// Closed.
        off: bool,
        /// The enterprise that says so, of a member of its own: it does not open what somebody else closed. None: the product itself.
        by: Option<EnterpriseName>,
    },
    /// A record belongs to another enterprise of its product, or to none.
    Belong {
        /// Which.
        record: ProductAccountId,
        /// To which it belonged.
        from: Option<EnterpriseName>,
        /// To which it belongs.
        to: Option<EnterpriseName>,
    },
    /// An enterprise asks a member that still has a password to move to the one account.
    AskToMove {
        /// Whose record.
        record: ProductAccountId,
        /// The enterprise.
        by: EnterpriseName,
        /// When.
        at: Timestamp,
        /// Whoever was asked after this is not asked again.
        since: Timestamp,
    },
}
