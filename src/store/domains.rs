//! What is read of proofs of domains. They are written by [`DomainChange`](crate::kernel::journal::domain::DomainChange) in a batch.

use super::Unavailable;
use crate::kernel::domain::DomainProof;
use crate::kernel::values::{AccountId, DomainName, EmailAddress, OrgName, Timestamp};
use async_trait::async_trait;

/// Proofs of domains.
#[async_trait]
pub trait DomainProofs {
    /// All of them, by organization and domain: few enough to be read whole.
    async fn domain_proofs(&self) -> Result<Vec<DomainProof>, Unavailable>;

    /// One organization's proof of one domain.
    async fn domain_proof(&self, org: &OrgName, domain: &DomainName) -> Result<Option<DomainProof>, Unavailable>;

    /// Those whose check is due at `now`, the longest waiting first, at most `limit`.
    async fn domain_proofs_due(&self, now: Timestamp, limit: usize) -> Result<Vec<DomainProof>, Unavailable>;

    /// Active people whose own proved address lies in this very domain, in the order of their ids after this one, at most `limit`.
    async fn people_in_domain(
        &self,
        domain: &DomainName,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<(AccountId, EmailAddress)>, Unavailable>;
}
