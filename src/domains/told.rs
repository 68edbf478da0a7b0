//! What a change of a proof is besides its row: the word to every node, the audit event, the mails.

use super::Domains;
use crate::entropy::random;
use crate::kernel::domain::{DomainProof, Happened};
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome};
use crate::kernel::journal::domain::DomainChange;
use crate::kernel::journal::{Batch, Change, Revocation};
use crate::kernel::values::{EmailAddress, EventId, Timestamp};
use crate::mail::{DomainTrouble, Letter, NotQueued, queue};

/// A proof before and after.
pub(super) struct Turn<'a> {
    pub(super) before: &'a DomainProof,
    pub(super) after: &'a DomainProof,
    pub(super) happened: &'a [Happened],
    /// Who did it; none: a check.
    pub(super) actor: Option<&'a Actor>,
}

impl Turn<'_> {
    /// Whether no check led to it: the operator settled a dispute.
    fn is_decided(&self) -> bool {
        self.before.checked_at == self.after.checked_at
    }
}

impl Domains {
    /// Adds a proof's change to a batch, with all that goes with it, and returns the row as it will be.
    pub(super) fn record(&self, batch: &mut Batch, turn: &Turn<'_>, now: Timestamp) -> Result<DomainProof, NotQueued> {
        let put = self.put(turn.after);
        batch.changes.push(Change::Domain(DomainChange::Put(put.clone())));
        let held = turn.before.state.holds() || turn.after.state.holds();
        if held && turn.before.state != turn.after.state {
            batch.revocations.push(Revocation::Organization(turn.after.org.clone()));
        }
        for what in turn.happened {
            batch.events.push(event(turn, *what, now));
            if let Some(letters) = self.letters(turn, *what)
                && !letters.is_empty()
            {
                batch.changes.push(queue(&self.keys, now, &letters, None)?);
            }
        }
        Ok(put)
    }

    /// The row that comes after the one that was read.
    pub(super) fn put(&self, proof: &DomainProof) -> DomainProof {
        self.keys.signed_domain(DomainProof { version: proof.version.saturating_add(1), ..proof.clone() })
    }

    fn letters(&self, turn: &Turn<'_>, what: Happened) -> Option<Vec<(EmailAddress, Letter)>> {
        let after = turn.after;
        let deadline = after.deadline();
        let trouble = match what {
            Happened::AtRisk => DomainTrouble::AtRisk(deadline?),
            Happened::Suspended => DomainTrouble::Suspended(deadline?),
            Happened::Recovered => DomainTrouble::Recovered,
            Happened::Disputed => DomainTrouble::Disputed,
            // A check that somebody asked for finds no more than the proof; what takes a proof that is there is a decision.
            Happened::Unclaimed if turn.is_decided() => DomainTrouble::Settled,
            Happened::Unclaimed if turn.before.state.holds() => DomainTrouble::Lost,
            Happened::Unclaimed | Happened::Verified | Happened::Claimed | Happened::Expired => return None,
        };
        let mut to = self.contacts.admins(&after.org);
        if matches!(what, Happened::Disputed | Happened::Suspended | Happened::Unclaimed) {
            to.extend(self.contacts.operators());
        }
        to.sort();
        to.dedup();
        let letter = || Letter::Domain { org: after.org.clone(), domain: after.domain.to_string(), trouble };
        Some(to.into_iter().map(|address| (address, letter())).collect())
    }
}

fn event(turn: &Turn<'_>, what: Happened, now: Timestamp) -> AuditEvent {
    let (action, reason) = match what {
        Happened::Verified => (Action::DomainVerified, None),
        Happened::Claimed => (Action::DomainClaimed, None),
        Happened::Recovered => (Action::DomainClaimed, Some("the proof was found again")),
        Happened::AtRisk => (Action::DomainAtRisk, None),
        Happened::Suspended => (Action::DomainSuspended, None),
        Happened::Unclaimed if turn.is_decided() => (Action::DomainUnclaimed, Some("settled by the operator")),
        Happened::Unclaimed => (Action::DomainUnclaimed, None),
        Happened::Disputed => (Action::DomainDispute, None),
        Happened::Expired => (Action::DomainUnclaimed, Some("not proved in seven days")),
    };
    let mut event = added(action, turn.after, turn.actor, now);
    event.reason = reason.map(ToOwned::to_owned);
    event.before = Some(json(turn.before));
    event
}

/// An event about one proof.
pub(super) fn added(action: Action, proof: &DomainProof, actor: Option<&Actor>, now: Timestamp) -> AuditEvent {
    let mut event = AuditEvent::new(EventId::mint(now, random()), now, action, Outcome::Success);
    event.org = Some(proof.org.to_string());
    let gateway = || Actor { kind: "gateway".to_owned(), id: None, address: None };
    event.actor = Some(actor.cloned().unwrap_or_else(gateway));
    event.after = Some(json(proof));
    event
}

fn json(proof: &DomainProof) -> serde_json::Value {
    serde_json::json!({
        "domain": proof.domain.as_str(),
        "state": proof.state.code(),
        "method": proof.method.map(crate::kernel::domain::ProofMethod::code),
    })
}
