//! N3: people whose domain was lost are told that nobody manages their accounts any more. Of a claim they are told where they log
//! in, not by mail (behaviour §3.8).

use super::Domains;
use super::acts::NotDone;
use crate::kernel::domain::DomainProof;
use crate::kernel::journal::Change;
use crate::kernel::model::AccountStatus;
use crate::mail::{Letter, queue};

/// Letters of one change.
const PAGE: usize = 200;

impl Domains {
    /// The letters to everybody whom a holder loses; they go into the commit of the loss, so that none is lost without the other.
    /// None where nothing is held.
    pub(super) async fn letters_of_loss(&self, lost: &DomainProof) -> Result<Vec<Change>, NotDone> {
        let (mut changes, mut after) = (Vec::new(), None);
        while lost.state.holds() {
            let people = self.store.accounts_of_domain(&lost.domain, after, PAGE).await?;
            let Some(last) = people.last() else { break };
            after = Some(last.id);
            // An address that was never proved may be a stranger's.
            let told = people.into_iter().filter(|one| one.email_verified && one.status == AccountStatus::Active);
            let of = |address| Letter::Managed { org: lost.org.clone(), address, managed: false };
            let letters: Vec<_> =
                told.filter_map(|one| one.email).map(|address| (address.clone(), of(address))).collect();
            if !letters.is_empty() {
                changes.push(queue(&self.keys, self.clock.now(), &letters, None)?);
            }
        }
        Ok(changes)
    }
}
