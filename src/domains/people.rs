//! N3: people whose domain was lost are told that nobody manages their accounts any more. Of a claim they are told where they log
//! in, not by mail (behaviour §3.8).

use super::Domains;
use crate::kernel::domain::DomainProof;
use crate::kernel::journal::Batch;
use crate::mail::{Letter, queue};

/// Letters of one commit.
const PAGE: usize = 200;

impl Domains {
    /// Tells them, page by page, after the loss is durable. What cannot be told is said in the log: the loss stands.
    pub(super) async fn tell_people(&self, lost: &DomainProof) {
        let mut after = None;
        loop {
            let people = match self.store.people_in_domain(&lost.domain, after, PAGE).await {
                Ok(people) => people,
                Err(fault) => return self.untold(lost, &fault),
            };
            let Some((last, _)) = people.last() else { return };
            after = Some(*last);
            let of = |address| Letter::Managed { org: lost.org.clone(), address, managed: false };
            let letters: Vec<_> = people.into_iter().map(|(_, address)| (address.clone(), of(address))).collect();
            let change = match queue(&self.keys, self.clock.now(), &letters, None) {
                Ok(change) => change,
                Err(fault) => return self.untold(lost, &fault),
            };
            if let Err(fault) = self.store.commit(Batch { changes: vec![change], ..Batch::default() }).await {
                return self.untold(lost, &fault);
            }
        }
    }

    fn untold(&self, lost: &DomainProof, fault: &dyn std::fmt::Display) {
        tracing::error!(%fault, domain = %lost.domain, "people could not be told that nobody manages their accounts any more");
    }
}
