//! People whose organization deletes them (rows T33, L08): 14 days as switched off, and no provider's word brings them back after.

use super::Admin;
use super::answer::{Problem, Reply};
use super::call::Call;
use super::people::shown;
use crate::kernel::event::Action;
use crate::kernel::journal::{Batch, Change, DeletionChange, Revocation};
use crate::kernel::model::{Account, AccountStatus, Deletion};
use crate::store::{Conflict, NotCommitted};
use http::StatusCode;
use serde_json::json;

impl Admin {
    /// Schedules a deletion: the account's sessions end in the same commit. Again is no other day.
    pub(super) async fn delete_person(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let account = self.managed(call).await?;
        match account.status {
            AccountStatus::Active | AccountStatus::Deactivated => {}
            AccountStatus::PendingDelete(_) => return Ok(Reply::of(&shown(&account))?.at(account.epoch)),
            AccountStatus::Deleted => return Err(gone()),
            // Nobody manages what was put aside: it has no address.
            AccountStatus::Quarantined => return Err(Problem::not_found()),
        }
        current(call, &account)?;
        let at = call.request.now.plus(Deletion::GRACE);
        let deletion = Deletion { account: account.id, was: account.status, org: Some(call.org()?.clone()), at };
        let mut batch = Batch::default();
        let queued = self.world.schedule_deletion(&account, (deletion, call.request.now), &mut batch);
        queued.map_err(|why| Problem::fault(&why))?;
        let mut event = self.about(call, Action::DeletionScheduled, &account)?;
        event.after = Some(json!({ "at": at.to_string() }));
        batch.events.push(event);
        self.tell_lockouts(call, &account, &mut batch).await?;
        self.carry_out(&account, batch).await
    }

    /// Takes a deletion back. The account is what it was before: one that was switched off stays so.
    pub(super) async fn keep_person(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let account = self.managed(call).await?;
        match account.status {
            AccountStatus::PendingDelete(_) => {}
            AccountStatus::Active | AccountStatus::Deactivated => {
                return Ok(Reply::of(&shown(&account))?.at(account.epoch));
            }
            AccountStatus::Deleted => return Err(gone()),
            // Nobody manages what was put aside: it has no address.
            AccountStatus::Quarantined => return Err(Problem::not_found()),
        }
        current(call, &account)?;
        let mut batch = Batch::default();
        batch.changes.push(Change::Deletion(DeletionChange::Cancel(account.id)));
        batch.revocations.push(Revocation::Account(account.id));
        batch.events.push(self.about(call, Action::DeletionCancelled, &account)?);
        self.carry_out(&account, batch).await
    }

    async fn carry_out(&self, account: &Account, batch: Batch) -> Result<Reply, Problem> {
        match self.world.store.commit(batch).await {
            Ok(_) => {}
            Err(NotCommitted::Conflict(Conflict::Row)) => return Err(stale(account)),
            Err(other) => return Err(other.into()),
        }
        let account = self.world.store.account(account.id).await?.ok_or_else(Problem::not_found)?;
        Ok(Reply::of(&shown(&account))?.at(account.epoch))
    }
}

fn current(call: &Call<'_>, account: &Account) -> Result<(), Problem> {
    if call.on == Some(account.epoch) { Ok(()) } else { Err(stale(account)) }
}

fn stale(account: &Account) -> Problem {
    let mut stale = Problem::new(StatusCode::PRECONDITION_FAILED, "stale", "It changed meanwhile. Read it again.");
    stale.more.push(("version", account.epoch.into()));
    stale
}

fn gone() -> Problem {
    Problem::new(StatusCode::CONFLICT, "deleted", "The account is deleted.")
}
