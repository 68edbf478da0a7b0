//! Proofs of domains: what a commit may do with them. What they are is in [`domain`](crate::kernel::domain).

use crate::kernel::domain::DomainProof;
use crate::kernel::values::{DomainName, OrgName};

/// What a commit may do with a proof. Each conflicts when another wrote the row first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DomainChange {
    /// A new one, version 0. Conflict when the organization has one of this domain.
    Add(DomainProof),
    /// The next state. Its `version` is one more than the one that was read, so that the MAC covers the row as it will be. Conflict
    /// too when it would hold a domain that another organization holds.
    Put(DomainProof),
    /// Gone.
    Remove {
        /// Whose.
        org: OrgName,
        /// Of what.
        domain: DomainName,
        /// The version that was read.
        version: u32,
    },
}
