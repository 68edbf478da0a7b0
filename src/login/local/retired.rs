//! An address that was given up (rows T17, T18): whoever types it with a password meets what a stranger meets, and the people whom the
//! account has left hear of it by mail (N4).
//!
//! The work runs after the answer, whoever was asked about, so that no moment tells that an address was given up (rule H18 d). A
//! notice lost in a crash is lost: nobody is let in or kept out by it.

use super::super::handover::ProductHost;
use super::super::world::{Visitor, World};
use super::super::{Login, Stop};
use crate::kernel::event::{Action, Outcome, Subject};
use crate::kernel::journal::Batch;
use crate::kernel::model::{AccountStatus, ProductAccountState, RemovedAlias};
use crate::kernel::standing::management;
use crate::kernel::values::{EmailAddress, Timestamp};
use crate::mail::{self, Letter};
use std::sync::Arc;
use std::time::Duration;

/// A removed address hears nothing any more after so long (rule M13): its mailbox may be somebody else's by then. 12 months.
const REMEMBERED: Duration = Duration::from_secs(365 * 86_400);

impl Login {
    /// Tells the people behind an address that nobody has at this product, if it was given up.
    pub(super) fn tell_retired(&self, visitor: &Visitor, at: &ProductHost, email: &EmailAddress) {
        let (world, visitor) = (Arc::clone(&self.world), visitor.clone());
        let (at, email) = (at.clone(), email.clone());
        tokio::spawn(async move {
            match world.queue_retired(&visitor, &at, &email).await {
                Ok(()) => {}
                Err(Stop::Unavailable(fault)) => {
                    tracing::warn!(%fault, "a notice about a removed address was not queued")
                }
                Err(Stop::Fault(fault)) => tracing::error!(%fault, "a notice about a removed address was not queued"),
                Err(Stop::Refused(refusal, _)) => tracing::error!(code = refusal.code(), "a notice was refused"),
            }
        });
    }
}

impl World {
    async fn queue_retired(&self, visitor: &Visitor, at: &ProductHost, email: &EmailAddress) -> Result<(), Stop> {
        let product = &at.product.name;
        let Some(alias) = self.store.removed_alias(product, email).await? else { return Ok(()) };
        if !self.keys.holds_alias(&alias) {
            return self.violated(visitor, "removed address").await;
        }
        // A live address of the same spelling, here or in an account, shadows it: that is another person's now.
        if !self.store.accounts_by_email(email).await?.is_empty() {
            return Ok(());
        }
        let record = self.store.product_account_by_id(alias.product_account).await?;
        let Some(record) = record.filter(|record| record.state == ProductAccountState::Linked && !record.off) else {
            return Ok(());
        };
        let account = self.store.account(record.account).await?;
        let Some(account) = account.filter(|account| account.status == AccountStatus::Active) else { return Ok(()) };
        let mut event = visitor.event(Action::RemovedAlias, Outcome::Refused);
        event.product = Some(product.to_string());
        event.subject = Subject {
            account: Some(account.id.to_string()),
            product_account: Some(record.id.to_string()),
            email: Some(email.to_string()),
        };
        let mut batch = Batch { events: vec![event], ..Batch::default() };
        if let Some(kept) = account.email.filter(|_| account.email_verified) {
            let mut told = vec![kept.clone()];
            for alias in self.store.removed_aliases_of(record.id).await? {
                if self.may_be_told(&alias, visitor.now).await? {
                    told.push(alias.email);
                }
            }
            let letter =
                |to: EmailAddress| (to, Letter::AddressRetired { product: product.clone(), kept: kept.clone() });
            let letters: Vec<_> = told.into_iter().map(letter).collect();
            let queued = mail::queue(&self.keys, visitor.now, &letters, Some(account.id));
            batch.changes.push(queued.map_err(|fault| Stop::Fault(fault.to_string()))?);
        }
        self.store.commit(batch).await?;
        Ok(())
    }

    /// Whether a removed address still hears of its account (rule M13, §4 #15): it was proved, not long ago, nobody has it now, and
    /// no company has come to hold its domain.
    async fn may_be_told(&self, alias: &RemovedAlias, now: Timestamp) -> Result<bool, Stop> {
        let young = now.since(alias.removed_at) <= REMEMBERED;
        let free = management(&self.catalog.load(), &alias.email).is_none();
        if !(alias.verified_when_removed && young && free && self.keys.holds_alias(alias)) {
            return Ok(false);
        }
        Ok(self.store.accounts_by_email(&alias.email).await?.is_empty())
    }
}
