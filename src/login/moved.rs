//! What a product is told after one of its accounts moved: in order, each step once, for as long as it takes (behaviour §3.3).
//!
//! The journal's row is the memory: a step that was done advances it, so a process that dies repeats at most the step that it was at,
//! under the same idempotency key. The person waits for none of it: the gateway refuses the password from the commit on. Several nodes
//! share the work, since who advances a row must have read it as it is.

use super::world::World;
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome, Subject};
use crate::kernel::journal::{Batch, Change, MigrationChange};
use crate::kernel::local::AdapterAct;
use crate::kernel::migration::{MigrationEvent, transition};
use crate::kernel::model::{Migration, MigrationStep, ProductAccount, ProductAccountState, Trigger};
use crate::kernel::values::{EventId, Timestamp};
use crate::store::{NotCommitted, Unavailable};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often the journal is looked at.
const POLL: Duration = Duration::from_millis(500);
/// Moves that are taken up in one look.
const TURN: usize = 32;
/// While a step is tried nobody else tries it: longer than an adapter may take, which is four seconds.
const LEASE: Duration = Duration::from_secs(10);
/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// A product that has not heard of a move for so long is an alarm.
const ALARM: Duration = Duration::from_secs(3_600);

impl World {
    /// Tells products, until stopped.
    pub async fn keep_telling(self: Arc<Self>, stop: CancellationToken) {
        let mut seen = HashMap::new();
        while !stop.is_cancelled() {
            match self.tell_products().await {
                Ok(taken) => tracing::trace!(taken, "moves were taken up"),
                Err(fault) => tracing::warn!(%fault, "the journal of moves cannot be read"),
            }
            match self.tell_profiles().await {
                Ok(taken) => tracing::trace!(taken, "profiles were taken up"),
                Err(fault) => tracing::warn!(%fault, "the profiles that products are to hear of cannot be read"),
            }
            if let Err(fault) = self.bury_confirmed(&mut seen).await {
                tracing::warn!(%fault, "the deletions that are due cannot be read, or not be carried out");
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Tries what is due once, and says how much that was.
    ///
    /// # Errors
    /// [`Unavailable`]: the journal cannot be read.
    pub async fn tell_products(self: &Arc<Self>) -> Result<usize, Unavailable> {
        let due = self.store.migrations_due(self.clock.now(), TURN).await?;
        let taken = due.len();
        // At once: a product that does not answer must not hold up what the others hear.
        let mut under_way = JoinSet::new();
        for migration in due {
            let world = Arc::clone(self);
            under_way.spawn(async move { world.go_on(&migration).await });
        }
        while let Some(told) = under_way.join_next().await {
            match told.map_err(|fault| Unavailable(fault.to_string()))? {
                // Another node was first, which is as good.
                Ok(()) | Err(NotCommitted::Conflict(_)) => {}
                Err(NotCommitted::Unavailable(fault)) => return Err(fault),
            }
        }
        Ok(taken)
    }

    async fn go_on(&self, migration: &Migration) -> Result<(), NotCommitted> {
        let now = self.clock.now();
        let record = self.store.product_account_by_id(migration.product_account).await?;
        let Some(record) = record else { return Ok(()) };
        let act = match migration.step {
            MigrationStep::Intent => return self.take_back(migration, &record, now).await,
            MigrationStep::SetAuthMode => AdapterAct::SetAuthMode,
            MigrationStep::RevokeSessions => AdapterAct::RevokeSessions,
            MigrationStep::SetProfile => {
                let account = self.store.account(record.account).await?;
                AdapterAct::SetProfile {
                    email: account.as_ref().and_then(|account| account.email.as_ref()).map(ToString::to_string),
                    name: account.and_then(|account| account.name),
                }
            }
            MigrationStep::Merge => {
                let ProductAccountState::Merged(survivor) = record.state else { return Ok(()) };
                let Some(survivor) = self.store.product_account_by_id(survivor).await? else { return Ok(()) };
                AdapterAct::Merge { into: survivor.sub }
            }
            MigrationStep::Done => return Ok(()),
        };
        let lease = advance(migration, (migration.step, migration.attempts.saturating_add(1)), now.plus(LEASE));
        self.commit_step(vec![lease], None).await?;
        let attempts = migration.attempts.saturating_add(1);
        let leased = Migration { attempts, ..migration.clone() };
        let adapter = {
            let catalog = self.catalog.load();
            catalog.products.get(&migration.product).and_then(|product| product.adapter.clone())
        };
        let id = format!("{}/{}", migration.id, migration.step.code());
        let told = match &adapter {
            Some(adapter) => self.adapters.tell((&migration.product, adapter), (&id, &record.sub), &act, now).await,
            None => Err("the product has no adapter any more".to_owned()),
        };
        match told {
            Ok(()) => {
                let next = migration.step.next(migration.trigger).unwrap_or(MigrationStep::Done);
                let is_done = next == MigrationStep::Done;
                let event = is_done.then(|| completed(migration, &record, now));
                let mut changes = vec![advance(&leased, (next, 0), now)];
                if is_done && migration.trigger == Trigger::Quarantine {
                    // The product has let go of the address: it may hear of it for somebody else (rule H19).
                    let row = self.store.quarantine(record.account).await?;
                    changes.extend(row.map(|row| MigrationChange::Free {
                        product: record.product.clone(),
                        email: row.email,
                        sub: record.sub.clone(),
                    }));
                }
                self.commit_step(changes, event).await
            }
            Err(fault) => {
                let since = migration.committed_at.unwrap_or(migration.begun_at);
                let product = &migration.product;
                if now.since(since) >= ALARM {
                    tracing::error!(%product, migration = %migration.id, step = migration.step.code(), "a product has not heard of a move for over an hour: {fault}");
                } else {
                    tracing::warn!(%product, migration = %migration.id, step = migration.step.code(), "a product was not told: {fault}");
                }
                self.tally.adapter_failed(product.as_str());
                let pause = Duration::from_secs(1).saturating_mul(1 << attempts.min(10)).min(LONGEST);
                let mut again = advance(&leased, (migration.step, attempts), now.plus(pause));
                if let MigrationChange::Advance { fault: said, .. } = &mut again {
                    *said = Some(fault.chars().take(200).collect());
                }
                self.commit_step(vec![again], None).await
            }
        }
    }

    /// Both proofs were there and nobody pressed the button for half an hour: the record is as it was (§3.0).
    async fn take_back(
        &self,
        migration: &Migration,
        record: &ProductAccount,
        now: Timestamp,
    ) -> Result<(), NotCommitted> {
        let mut changes = vec![Change::Migration(MigrationChange::Cancel(migration.id))];
        let back = transition(record.state, MigrationEvent::Cancel);
        changes.extend(back.map(|line| Change::Migration(MigrationChange::Move(record.id, line))));
        let event = event(Action::MigrationRolledBack, migration, record, now);
        self.store.commit(Batch { changes, events: vec![event], ..Batch::default() }).await.map(|_| ())
    }

    async fn commit_step(&self, changes: Vec<MigrationChange>, event: Option<AuditEvent>) -> Result<(), NotCommitted> {
        let changes = changes.into_iter().map(Change::Migration).collect();
        let events = event.into_iter().collect();
        self.store.commit(Batch { changes, events, ..Batch::default() }).await.map(|_| ())
    }
}

fn advance(read: &Migration, (step, attempts): (MigrationStep, u32), due_at: Timestamp) -> MigrationChange {
    MigrationChange::Advance { id: read.id, read: (read.step, read.attempts), step, attempts, due_at, fault: None }
}

fn completed(migration: &Migration, record: &ProductAccount, now: Timestamp) -> AuditEvent {
    let action = match migration.trigger {
        Trigger::Merge => Action::MergeCompleted,
        Trigger::Quarantine => Action::QuarantineSynced,
        Trigger::Banner | Trigger::Prompt | Trigger::ThirdParty | Trigger::OrgSso | Trigger::Deadline => {
            Action::MigrationCompleted
        }
    };
    event(action, migration, record, now)
}

fn event(action: Action, migration: &Migration, record: &ProductAccount, now: Timestamp) -> AuditEvent {
    let mut event = AuditEvent::new(EventId::mint(now, random()), now, action, Outcome::Success);
    event.product = Some(migration.product.to_string());
    event.subject = Subject {
        account: Some(record.account.to_string()),
        product_account: Some(record.id.to_string()),
        email: None,
    };
    event.reason = Some(migration.trigger.code().to_owned());
    event.txn = Some(migration.id.to_string());
    event
}
