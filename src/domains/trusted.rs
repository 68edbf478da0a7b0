//! Which rows are believed: those that we wrote. One that another hand planted or changed does nothing, and is told (rule H12).
//!
//! What the catalog makes of one is in `orgs::enrol`: nobody enters by its domain.

use super::Domains;
use crate::entropy::random;
use crate::kernel::domain::DomainProof;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::Batch;
use crate::kernel::values::{DomainName, EventId, OrgName};
use crate::store::Unavailable;
use std::collections::HashSet;
use std::sync::PoisonError;

/// Rows told of in one life of the process; a database that is full of planted ones is told of already.
const TOLD: usize = 1_000;

impl Domains {
    /// All that we wrote.
    pub(super) async fn proofs(&self) -> Result<Vec<DomainProof>, Unavailable> {
        self.ours(self.store.domain_proofs().await?).await
    }

    /// Those of which a check is due.
    pub(super) async fn due(&self, limit: usize) -> Result<Vec<DomainProof>, Unavailable> {
        self.ours(self.store.domain_proofs_due(self.clock.now(), limit).await?).await
    }

    async fn ours(&self, read: Vec<DomainProof>) -> Result<Vec<DomainProof>, Unavailable> {
        let mut ours = Vec::with_capacity(read.len());
        for proof in read {
            if self.is_ours(&proof).await? {
                ours.push(proof);
            }
        }
        Ok(ours)
    }

    /// Whether we wrote a row. One that we did not write is an event of the highest severity, once: it is met at each reading.
    pub(super) async fn is_ours(&self, proof: &DomainProof) -> Result<bool, Unavailable> {
        if self.keys.holds_domain(proof) {
            return Ok(true);
        }
        let is_news = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.len() < TOLD && told.insert((proof.org.clone(), proof.domain.clone(), proof.mac))
        };
        if is_news {
            tracing::error!(org = %proof.org, domain = %proof.domain, "a stored domain's MAC does not hold: the database was written to");
            let now = self.clock.now();
            let mut event =
                AuditEvent::new(EventId::mint(now, random()), now, Action::IntegrityViolated, Outcome::Refused);
            event.reason = Some("domain".to_owned());
            event.org = Some(proof.org.to_string());
            event.after = Some(serde_json::json!({ "domain": proof.domain.as_str() }));
            let told = self.store.commit(Batch { events: vec![event], ..Batch::default() }).await;
            told.map_err(|fault| Unavailable(fault.to_string()))?;
        }
        Ok(false)
    }
}

/// Rows that were told of: whose, of what, with which MAC.
pub(super) type Told = HashSet<(OrgName, DomainName, [u8; 32])>;
