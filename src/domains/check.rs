//! One check of one proof, by one node: leased, observed, judged, recorded.

use super::Domains;
use super::acts::NotDone;
use super::observe::observe;
use super::told::Turn;
use crate::entropy::random;
use crate::kernel::domain::{Check, DomainProof, Happened, challenged, judge};
use crate::kernel::event::Actor;
use crate::kernel::journal::domain::DomainChange;
use crate::kernel::journal::{Batch, Change};
use crate::kernel::values::{DomainName, OrgName};
use crate::store::Unavailable;
use std::time::Duration;

/// Nobody else checks the same proof for this long. A check takes 30 s at most.
const LEASE: Duration = Duration::from_secs(120);

/// Who else holds a domain.
pub(super) enum Holder {
    /// Nobody but, perhaps, the one who asks.
    Nobody,
    /// The operator's file states it for another organization.
    File,
    /// Another organization proved it.
    Proved(Box<DomainProof>),
}

impl Domains {
    /// Checks a proof as it was read, for somebody or because it is due, and returns it as it is then, with what was heard.
    pub(super) async fn check(
        &self,
        read: &DomainProof,
        actor: Option<&Actor>,
    ) -> Result<(DomainProof, Vec<String>), NotDone> {
        let until = self.clock.now().plus(LEASE);
        let proof = self.put(&DomainProof { next_check_at: until, ..read.clone() });
        let lease = Change::Domain(DomainChange::Put(proof.clone()));
        self.store.commit(Batch { changes: vec![lease], ..Batch::default() }).await?;
        let asked = self.asked.load_full();
        let observed = observe(&asked, &proof).await;
        // After the answers: an hour counts from when something was seen.
        let at = self.clock.now();
        let holder = self.holder(&proof.org, &proof.domain).await?;
        let held_by_another = !matches!(holder, Holder::Nobody);
        let check = Check { at, found: observed.found, held_by_another, seed: u8::from_be_bytes(random()) };
        let (after, happened) = judge(&proof, &check);
        let mut batch = Batch::default();
        let put = self.record(&mut batch, &Turn { before: &proof, after: &after, happened: &happened, actor }, at)?;
        if happened.contains(&Happened::Disputed) {
            self.challenge(&mut batch, holder, &after, at)?;
        }
        if !after.state.holds() {
            batch.changes.extend(self.letters_of_loss(&proof).await?);
        }
        self.store.commit(batch).await?;
        tracing::debug!(%after.org, %after.domain, state = after.state.code(), ?observed.found, "a domain was checked");
        Ok((put, observed.heard))
    }

    /// The holder of a domain that another organization has proved: at risk, and told (rule C6c).
    fn challenge(
        &self,
        batch: &mut Batch,
        holder: Holder,
        by: &DomainProof,
        at: crate::kernel::values::Timestamp,
    ) -> Result<(), NotDone> {
        let Holder::Proved(holder) = holder else { return Ok(()) };
        let (after, _) = challenged(&holder, at);
        // One letter about the dispute; what `at risk` means stands in the console.
        let happened = [Happened::Disputed];
        self.record(batch, &Turn { before: &holder, after: &after, happened: &happened, actor: None }, at)?;
        tracing::warn!(domain = %by.domain, holder = %holder.org, by = %by.org, "two organizations have proved one domain");
        Ok(())
    }

    /// Who holds a domain, besides this organization.
    pub(super) async fn holder(&self, org: &OrgName, domain: &DomainName) -> Result<Holder, Unavailable> {
        let proofs = self.proofs().await?;
        let another = |proof: &DomainProof| proof.domain == *domain && proof.org != *org && proof.state.holds();
        if let Some(proof) = proofs.into_iter().find(another) {
            return Ok(Holder::Proved(Box::new(proof)));
        }
        let stated = self.store.domains().await?;
        let by_file = stated.iter().any(|row| row.domain == *domain && row.org != *org);
        Ok(if by_file { Holder::File } else { Holder::Nobody })
    }
}
