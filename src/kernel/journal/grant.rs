//! Providers' grants: which process asks, and what the answer leaves behind.

use crate::kernel::model::{GrantLease, ProviderGrant};
use crate::kernel::values::{LoginSessionId, Timestamp};

/// A change of a provider's grant.
#[derive(Clone, Debug)]
pub enum GrantChange {
    /// A login session begins with one. Conflict where it has one.
    Keep(ProviderGrant),
    /// A process takes it at `now`. Conflict where it had another answer meanwhile, or another process has it.
    Lease {
        /// Of which session.
        session: LoginSessionId,
        /// As it was read.
        turn: u32,
        /// Who, and until when.
        lease: GrantLease,
        /// A lease that is over at this time binds nobody.
        now: Timestamp,
    },
    /// The provider said that the login stands: the next turn, with no lease. Conflict unless `by` has the turn before.
    Settle {
        /// What is left.
        grant: ProviderGrant,
        /// Whose answer.
        by: [u8; 16],
    },
    /// Nothing is known: it is asked again at `due`. Conflict unless `by` has it.
    Later {
        /// Of which session.
        session: LoginSessionId,
        /// Who asked.
        by: [u8; 16],
        /// When it is asked again.
        due: Timestamp,
    },
    /// The provider is not asked any more. Conflict unless `by` has it: whoever lost the turn ends nothing by its answer.
    Drop {
        /// Of which session.
        session: LoginSessionId,
        /// Who asked.
        by: [u8; 16],
    },
}
