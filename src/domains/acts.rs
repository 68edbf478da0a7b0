//! What admins and the operator do with domains.

use super::check::Holder;
use super::told::{Turn, added};
use super::{Domains, MOST};
use crate::entropy::random;
use crate::kernel::domain::{
    ClaimMode, DomainProof, Happened, Instructions, NotClaimable, State, claimable, instructions, settle,
};
use crate::kernel::event::{Action, Actor};
use crate::kernel::journal::domain::DomainChange;
use crate::kernel::journal::{Batch, Change, Revocation};
use crate::kernel::values::{DomainName, OrgName};
use crate::mail::NotQueued;
use crate::store::{NotCommitted, Unavailable};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::time::Duration;

/// Two checks that people ask for are at least this far apart: each asks the whole world.
const BETWEEN: Duration = Duration::from_secs(10);

/// Why something was not done. Nothing was.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotDone {
    /// Nobody can hold it.
    #[error(transparent)]
    NotClaimable(#[from] NotClaimable),
    /// The organization has no such domain.
    #[error("the organization has no such domain")]
    Unknown,
    /// It has too many.
    #[error("an organization has at most {MOST} domains")]
    TooMany,
    /// Its state does not allow this.
    #[error("that cannot be done with a domain that is {}", .0.code())]
    State(State),
    /// Another organization holds it, and does not lose it by that.
    #[error("another organization holds this domain; the operator settles it")]
    Held,
    /// Somebody else was faster: look again.
    #[error("somebody else changed it at the same moment")]
    Raced,
    /// The store cannot be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A letter could not be written, and without it nothing is changed.
    #[error("nobody could be told: {0}")]
    Untold(#[from] NotQueued),
}

impl From<NotCommitted> for NotDone {
    fn from(fault: NotCommitted) -> Self {
        match fault {
            NotCommitted::Conflict(_) => Self::Raced,
            NotCommitted::Unavailable(fault) => Self::Unavailable(fault),
        }
    }
}

/// A domain as admins see it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// Its proof.
    pub proof: DomainProof,
    /// What has to stand where; also after the proof, because it has to stay.
    pub instructions: Instructions,
    /// One line for each that was asked, where a check was asked for.
    pub heard: Vec<String>,
}

impl Domains {
    /// Adds a domain and says what to put where. A domain that is there already keeps its token; one that expired or was lost gets a
    /// new one.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn add(
        &self,
        org: &OrgName,
        domain: &DomainName,
        claim: ClaimMode,
        actor: &Actor,
    ) -> Result<Listed, NotDone> {
        claimable(domain)?;
        let mine = self.of(org).await?;
        let before = mine.iter().find(|proof| proof.domain == *domain);
        if let Some(live) = before.filter(|proof| !proof.state.is_over()) {
            return Ok(self.listed(live.clone(), Vec::new()));
        }
        if mine.iter().filter(|proof| !proof.state.is_over()).count() >= MOST {
            return Err(NotDone::TooMany);
        }
        let now = self.clock.now();
        let token = STANDARD.encode(random::<48>());
        let proof = DomainProof::added((org.clone(), domain.clone()), token, claim, now);
        let mut batch = Batch::default();
        batch.changes.extend(before.map(|over| Change::Domain(gone(over))));
        batch.changes.push(Change::Domain(DomainChange::Add(proof.clone())));
        batch.events.push(added(Action::DomainAdded, &proof, Some(actor), now));
        self.store.commit(batch).await?;
        Ok(self.listed(proof, Vec::new()))
    }

    /// Checks a domain now, and says what was heard. A check a few seconds ago is the answer.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn verify_now(&self, org: &OrgName, domain: &DomainName) -> Result<Listed, NotDone> {
        let proof = self.one(org, domain).await?;
        let now = self.clock.now();
        let just_checked = proof.checked_at.is_some_and(|at| now.since(at) < BETWEEN);
        if proof.state.is_over() || just_checked {
            return Ok(self.listed(proof, Vec::new()));
        }
        let (proof, heard) = self.check(&proof).await?;
        Ok(self.listed(proof, heard))
    }

    /// Claims what is proved, where that was left to an admin.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn claim(&self, org: &OrgName, domain: &DomainName, actor: &Actor) -> Result<Listed, NotDone> {
        let before = self.one(org, domain).await?;
        if before.state != State::Verified {
            return Err(NotDone::State(before.state));
        }
        let Holder::Nobody = self.holder(org, domain).await? else { return Err(NotDone::Held) };
        self.take(&before, None, actor).await
    }

    /// The operator's decision: this organization holds the domain from now on, and nobody else does (rule C6c).
    ///
    /// # Errors
    /// [`NotDone`]; [`NotDone::Held`] where the operator's own file states it for another, which is where that is changed.
    pub async fn settle(&self, org: &OrgName, domain: &DomainName, actor: &Actor) -> Result<Listed, NotDone> {
        let before = self.one(org, domain).await?;
        let loser = match self.holder(org, domain).await? {
            Holder::Nobody => None,
            Holder::File => return Err(NotDone::Held),
            Holder::Proved(holder) => Some(*holder),
        };
        self.take(&before, loser, actor).await
    }

    async fn take(&self, before: &DomainProof, loser: Option<DomainProof>, actor: &Actor) -> Result<Listed, NotDone> {
        let now = self.clock.now();
        let after = settle(before, now).ok_or(NotDone::State(before.state))?;
        let mut batch = Batch::default();
        if let Some(loser) = &loser {
            let lost = DomainProof { state: State::Unclaimed, claimed_at: None, ..loser.clone() };
            let happened = [Happened::Unclaimed];
            self.record(
                &mut batch,
                &Turn { before: loser, after: &lost, happened: &happened, actor: Some(actor) },
                now,
            )?;
        }
        let happened = [Happened::Claimed];
        self.record(&mut batch, &Turn { before, after: &after, happened: &happened, actor: Some(actor) }, now)?;
        self.store.commit(batch).await?;
        Ok(self.listed(DomainProof { version: after.version.saturating_add(1), ..after }, Vec::new()))
    }

    /// Gives a domain up. Its token never proves anything again.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn remove(&self, org: &OrgName, domain: &DomainName, actor: &Actor) -> Result<(), NotDone> {
        let proof = self.one(org, domain).await?;
        let now = self.clock.now();
        let mut batch = Batch { changes: vec![Change::Domain(gone(&proof))], ..Batch::default() };
        if proof.state.holds() {
            batch.revocations.push(Revocation::Organization(org.clone()));
        }
        let mut event = added(Action::DomainUnclaimed, &proof, Some(actor), now);
        event.reason = Some("given up".to_owned());
        event.before = event.after.take();
        batch.events.push(event);
        self.store.commit(batch).await?;
        if proof.state.holds() {
            self.tell_people(&proof).await;
        }
        Ok(())
    }

    /// An organization's domains; without one, everybody's.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn list(&self, org: Option<&OrgName>) -> Result<Vec<Listed>, Unavailable> {
        let all = self.store.domain_proofs().await?;
        let mine = all.into_iter().filter(|proof| org.is_none_or(|org| proof.org == *org));
        Ok(mine.map(|proof| self.listed(proof, Vec::new())).collect())
    }

    async fn of(&self, org: &OrgName) -> Result<Vec<DomainProof>, Unavailable> {
        let all = self.store.domain_proofs().await?;
        Ok(all.into_iter().filter(|proof| proof.org == *org).collect())
    }

    async fn one(&self, org: &OrgName, domain: &DomainName) -> Result<DomainProof, NotDone> {
        self.store.domain_proof(org, domain).await?.ok_or(NotDone::Unknown)
    }

    fn listed(&self, proof: DomainProof, heard: Vec<String>) -> Listed {
        let record = &self.asked.load().record;
        let instructions = instructions(record, &proof.domain, &proof.token, proof.until());
        Listed { proof, instructions, heard }
    }
}

fn gone(proof: &DomainProof) -> DomainChange {
    DomainChange::Remove { org: proof.org.clone(), domain: proof.domain.clone(), version: proof.version }
}
