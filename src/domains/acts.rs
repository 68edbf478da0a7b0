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
use crate::kernel::values::{DomainName, OrgName, Timestamp};
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
    /// Its row was written by another hand than ours: nothing is done with it (rule H12).
    #[error("what is stored of this domain cannot be trusted; the operator looks into it")]
    Planted,
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
        let proof = self.keys.signed_domain(DomainProof::added((org.clone(), domain.clone()), token, claim, now));
        let mut batch = Batch::default();
        batch.changes.extend(before.map(|over| Change::Domain(gone(over))));
        batch.changes.push(Change::Domain(DomainChange::Add(proof.clone())));
        batch.events.push(added(Action::DomainAdded, &proof, Some(actor), now));
        self.store.commit(batch).await?;
        Ok(self.listed(proof, Vec::new()))
    }

    /// Checks a domain now for somebody, and says what was heard. A check a few seconds ago is the answer.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn verify_now(&self, org: &OrgName, domain: &DomainName, actor: &Actor) -> Result<Listed, NotDone> {
        let proof = self.one(org, domain).await?;
        let now = self.clock.now();
        let just_checked = proof.checked_at.is_some_and(|at| now.since(at) < BETWEEN);
        if proof.state.is_over() || just_checked {
            return Ok(self.listed(proof, Vec::new()));
        }
        let (proof, heard) = self.check(&proof, Some(actor)).await?;
        Ok(self.listed(proof, heard))
    }

    /// Claims what is proved, where that was left to an admin. `version` is the one that it was decided on.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn claim(
        &self,
        org: &OrgName,
        domain: &DomainName,
        version: u32,
        actor: &Actor,
    ) -> Result<Listed, NotDone> {
        let before = self.one(org, domain).await?;
        if before.version != version {
            return Err(NotDone::Raced);
        }
        if before.state != State::Verified {
            return Err(NotDone::State(before.state));
        }
        let Holder::Nobody = self.holder(org, domain).await? else { return Err(NotDone::Held) };
        self.take(&before, None, actor).await
    }

    /// The operator's decision of a dispute (rule C6c): this organization holds the domain from now on, and nobody else does. Where it
    /// is the one that holds it already, the others' proofs are over.
    ///
    /// # Errors
    /// [`NotDone`]; [`NotDone::Held`] where the operator's own file states it for another, which is where that is changed;
    /// [`NotDone::State`] where there is nothing to settle.
    pub async fn settle(&self, org: &OrgName, domain: &DomainName, actor: &Actor) -> Result<Listed, NotDone> {
        let before = self.one(org, domain).await?;
        if before.state.holds() {
            return self.keep(before, actor).await;
        }
        let loser = match self.holder(org, domain).await? {
            Holder::Nobody => None,
            Holder::File => return Err(NotDone::Held),
            Holder::Proved(holder) => Some(*holder),
        };
        self.take(&before, loser, actor).await
    }

    /// The holder keeps it: what others have proved of it is over.
    async fn keep(&self, holder: DomainProof, actor: &Actor) -> Result<Listed, NotDone> {
        let now = self.clock.now();
        let is_rival = |proof: &DomainProof| {
            proof.domain == holder.domain && proof.org != holder.org && proof.state == State::Disputed
        };
        let rivals: Vec<_> = self.proofs().await?.into_iter().filter(is_rival).collect();
        if rivals.is_empty() {
            return Err(NotDone::State(holder.state));
        }
        let mut batch = Batch::default();
        for rival in &rivals {
            self.lose(&mut batch, rival, (actor, now)).await?;
        }
        self.store.commit(batch).await?;
        Ok(self.listed(holder, Vec::new()))
    }

    /// Whoever proved or held it does not any more.
    async fn lose(
        &self,
        batch: &mut Batch,
        loser: &DomainProof,
        (actor, now): (&Actor, Timestamp),
    ) -> Result<(), NotDone> {
        let lost = DomainProof { state: State::Unclaimed, claimed_at: None, ..loser.clone() };
        let happened = [Happened::Unclaimed];
        let turn = Turn { before: loser, after: &lost, happened: &happened, actor: Some(actor) };
        self.record(batch, &turn, now)?;
        batch.changes.extend(self.letters_of_loss(loser).await?);
        Ok(())
    }

    async fn take(&self, before: &DomainProof, loser: Option<DomainProof>, actor: &Actor) -> Result<Listed, NotDone> {
        let now = self.clock.now();
        let after = settle(before, now).ok_or(NotDone::State(before.state))?;
        let mut batch = Batch::default();
        if let Some(loser) = &loser {
            self.lose(&mut batch, loser, (actor, now)).await?;
        }
        let happened = [Happened::Claimed];
        let turn = Turn { before, after: &after, happened: &happened, actor: Some(actor) };
        let taken = self.record(&mut batch, &turn, now)?;
        self.store.commit(batch).await?;
        Ok(self.listed(taken, Vec::new()))
    }

    /// Gives a domain up. Its token never proves anything again.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn remove(&self, org: &OrgName, domain: &DomainName, actor: &Actor) -> Result<(), NotDone> {
        let proof = self.one(org, domain).await?;
        let mut batch = Batch::default();
        self.give_up(&mut batch, &proof, actor).await?;
        self.store.commit(batch).await?;
        Ok(())
    }

    /// All that an organization holds or asked for, given up, for the commit that removes the organization: nobody else could prove
    /// what one that is gone still holds.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn given_up(&self, org: &OrgName, actor: &Actor) -> Result<Batch, NotDone> {
        let mut batch = Batch::default();
        for proof in self.of(org).await? {
            self.give_up(&mut batch, &proof, actor).await?;
        }
        Ok(batch)
    }

    async fn give_up(&self, batch: &mut Batch, proof: &DomainProof, actor: &Actor) -> Result<(), NotDone> {
        batch.changes.push(Change::Domain(gone(proof)));
        let mut event = added(Action::DomainUnclaimed, proof, Some(actor), self.clock.now());
        event.reason = Some("given up".to_owned());
        event.before = event.after.take();
        batch.events.push(event);
        if proof.state.holds() {
            batch.revocations.push(Revocation::Organization(proof.org.clone()));
            batch.changes.extend(self.letters_of_loss(proof).await?);
        }
        Ok(())
    }

    /// Removes a row that another hand wrote; what we wrote is given up or settled instead.
    ///
    /// # Errors
    /// [`NotDone::Unknown`] where no such row is.
    pub async fn drop_untrusted(&self, org: &OrgName, domain: &DomainName, actor: &Actor) -> Result<(), NotDone> {
        let row = self.store.domain_proof(org, domain).await?.filter(|row| !self.keys.holds_domain(row));
        let row = row.ok_or(NotDone::Unknown)?;
        let mut event = added(Action::DomainUnclaimed, &row, Some(actor), self.clock.now());
        event.reason = Some("its row was written by another hand".to_owned());
        let batch = Batch {
            changes: vec![Change::Domain(gone(&row))],
            revocations: vec![Revocation::Organization(org.clone())],
            events: vec![event],
            ..Batch::default()
        };
        self.store.commit(batch).await?;
        Ok(())
    }

    /// An organization's domains; without one, everybody's.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn list(&self, org: Option<&OrgName>) -> Result<Vec<Listed>, Unavailable> {
        let all = self.proofs().await?;
        let mine = all.into_iter().filter(|proof| org.is_none_or(|org| proof.org == *org));
        Ok(mine.map(|proof| self.listed(proof, Vec::new())).collect())
    }

    async fn of(&self, org: &OrgName) -> Result<Vec<DomainProof>, Unavailable> {
        let all = self.proofs().await?;
        Ok(all.into_iter().filter(|proof| proof.org == *org).collect())
    }

    async fn one(&self, org: &OrgName, domain: &DomainName) -> Result<DomainProof, NotDone> {
        let proof = self.store.domain_proof(org, domain).await?.ok_or(NotDone::Unknown)?;
        if self.is_ours(&proof).await? { Ok(proof) } else { Err(NotDone::Planted) }
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
