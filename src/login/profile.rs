//! Names and addresses that change after an account was linked: a login brings them, and each product that asked for it hears of them
//! (rows L09, T23).
//!
//! Whose word counts says `kernel::profile`. An address that is somebody else's at any product of the person's is not followed, and
//! none while a record of the person's still has a login of its own: the login goes on by its subject, and its event names the address
//! that was ignored. The one before becomes a given-up address of each record, which identifies nobody (§4 #16).

use super::session::{clean_name, subject};
use super::world::{Visitor, World};
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome, Subject};
use crate::kernel::journal::{Batch, Change, CredentialChange, MigrationChange, ProfileChange};
use crate::kernel::local::AdapterAct;
use crate::kernel::model::{
    Account, AccountStatus, Address, Passwords, Product, ProductAccount, ProductAccountState, ProfilePush, RemovedAlias,
};
use crate::kernel::profile::follow;
use crate::kernel::proof::Proof;
use crate::kernel::values::{EmailAddress, EventId, Timestamp};
use crate::store::{NotCommitted, Unavailable};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Profiles that are taken up in one look.
const TURN: usize = 32;
/// While one is told nobody else tells it: longer than an adapter may take, which is four seconds.
const LEASE: Duration = Duration::from_secs(10);
/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Why an account cannot have another address now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InTheWay {
    /// A record of the account still has a login of its own.
    OwnLogin,
    /// The address is somebody else's at a product of the account.
    Anothers,
}

impl World {
    /// Brings an existing account up to date with what its own provider says of it, in the batch of the login. A move settles the
    /// address itself, and its journal tells the product of both.
    pub(super) async fn follow_profile(
        &self,
        visitor: &Visitor,
        (account, moves): (&mut Account, bool),
        proof: &Proof,
        batch: &mut Batch,
    ) -> Result<(), Unavailable> {
        let catalog = self.catalog.load_full();
        let followed = follow(&catalog, account, proof.claims());
        let name = followed.name.and_then(clean_name).filter(|name| account.name.as_ref() != Some(name));
        let mut email = followed.email.filter(|_| !moves);
        if name.is_none() && email.is_none() {
            return Ok(());
        }
        if let Some(wanted) = email
            && self.stands_in_the_way(account, wanted).await?.is_some()
        {
            email = None;
        }
        if name.is_none() && email.is_none() {
            return Ok(());
        }
        let before = account.clone();
        self.settle_profile(visitor.now, account, (name, email), batch).await?;
        let mut event = visitor.event(Action::ProfileUpdated, Outcome::Success);
        event.subject = subject(account);
        let said = |account: &Account| {
            let email = account.email.as_ref().map(ToString::to_string);
            serde_json::json!({ "email": email, "name": account.name })
        };
        (event.before, event.after) = (Some(said(&before)), Some(said(account)));
        event.method = Some(proof.claims().method.code().to_owned());
        batch.events.push(event);
        Ok(())
    }

    /// Why an account cannot have another address now, as far as its records at products say.
    ///
    /// # Errors
    /// [`Unavailable`]: the store does not answer.
    pub async fn stands_in_the_way(
        &self,
        account: &Account,
        wanted: &EmailAddress,
    ) -> Result<Option<InTheWay>, Unavailable> {
        for (_, record) in self.records_at_products(account).await? {
            match record.state {
                // A record that still has a login of its own keeps the address of that until it moves.
                ProductAccountState::Local | ProductAccountState::Migrating => return Ok(Some(InTheWay::OwnLogin)),
                ProductAccountState::Linked if self.is_anothers(&record, wanted).await? => {
                    return Ok(Some(InTheWay::Anothers));
                }
                ProductAccountState::Linked | ProductAccountState::Merged(_) | ProductAccountState::Closed => {}
            }
        }
        Ok(None)
    }

    async fn records_at_products(&self, account: &Account) -> Result<Vec<(Arc<Product>, ProductAccount)>, Unavailable> {
        let catalog = self.catalog.load_full();
        let mut records = Vec::new();
        for product in catalog.products.values() {
            let record = self.store.product_account(&product.name, account.id).await?;
            records.extend(record.map(|record| (Arc::clone(product), record)));
        }
        Ok(records)
    }

    /// Gives an account another name and a free address, and lets each product that asked for it hear of them. The address before
    /// becomes one that was given up.
    ///
    /// # Errors
    /// [`Unavailable`]: the store does not answer.
    pub async fn settle_profile(
        &self,
        now: Timestamp,
        account: &mut Account,
        (name, email): (Option<String>, Option<&EmailAddress>),
        batch: &mut Batch,
    ) -> Result<(), Unavailable> {
        let mut records = self.records_at_products(account).await?;
        records.retain(|(_, record)| record.state == ProductAccountState::Linked);
        let before = account.clone();
        if let Some(email) = email {
            for (_, record) in &records {
                self.readdress(now, (record, &before), email, batch).await?;
            }
            account.email = Some(email.clone());
            account.email_proved_at = Some(now);
        }
        if let Some(name) = name {
            account.name = Some(name);
        }
        for (product, record) in &records {
            // Others hear of it in the assertion.
            if product.passwords == Passwords::Product && product.adapter.is_some() {
                batch.changes.push(Change::Profile(ProfileChange::Tell(record.id, now)));
            }
        }
        batch.changes.push(Change::UpdateAccount(account.clone()));
        Ok(())
    }

    /// A record's address is the new one; the one before is given up.
    async fn readdress(
        &self,
        now: Timestamp,
        (record, before): (&ProductAccount, &Account),
        email: &EmailAddress,
        batch: &mut Batch,
    ) -> Result<(), Unavailable> {
        let held = self.store.addresses_of(record.id).await?;
        if let Some(old) = &before.email {
            let mut alias = RemovedAlias {
                product: record.product.clone(),
                email: old.clone(),
                product_account: record.id,
                verified_when_removed: true,
                removed_at: now,
                mac: [0; 32],
            };
            alias.mac = self.keys.mac_alias(&alias);
            batch.changes.push(Change::Migration(MigrationChange::Retire(alias)));
            if held.iter().any(|address| address.email == *old) {
                batch.changes.push(Change::Credential(CredentialChange::DropAddress(record.id, old.clone())));
            }
        }
        if !held.is_empty() {
            let address = Address {
                product_account: record.id,
                email: email.clone(),
                verified: true,
                verified_at: Some(now),
                primary: true,
                added_at: now,
                last_login_at: Some(now),
            };
            batch.changes.push(Change::Credential(CredentialChange::PutAddress(address)));
        }
        Ok(())
    }

    /// Tells products of the profiles that are due, once, and says how many those were.
    ///
    /// # Errors
    /// [`Unavailable`]: the store does not answer.
    pub(super) async fn tell_profiles(self: &Arc<Self>) -> Result<usize, Unavailable> {
        let due = self.store.profiles_due(self.clock.now(), TURN).await?;
        let taken = due.len();
        let mut under_way = JoinSet::new();
        for push in due {
            let world = Arc::clone(self);
            under_way.spawn(async move { world.tell_profile(&push).await });
        }
        while let Some(told) = under_way.join_next().await {
            match told.map_err(|fault| Unavailable(fault.to_string()))? {
                // Another node tells it, or there is something newer to tell.
                Ok(()) | Err(NotCommitted::Conflict(_)) => {}
                Err(NotCommitted::Unavailable(fault)) => return Err(fault),
            }
        }
        Ok(taken)
    }

    async fn tell_profile(&self, push: &ProfilePush) -> Result<(), NotCommitted> {
        let (id, now) = (push.product_account, self.clock.now());
        let attempts = push.attempts.saturating_add(1);
        let read = (push.version, push.attempts);
        let lease = ProfileChange::Try { id, read, attempts, due_at: now.plus(LEASE), fault: None };
        self.commit_profile(lease, None).await?;
        let Some(record) = self.store.product_account_by_id(id).await? else { return Ok(()) };
        // As it is now, which may be newer than what this version was.
        let account = self.store.account(record.account).await?;
        let act = match account {
            Some(account) if account.status == AccountStatus::Deleted => AdapterAct::Close,
            account => AdapterAct::SetProfile {
                email: account.as_ref().and_then(|account| account.email.as_ref()).map(ToString::to_string),
                name: account.and_then(|account| account.name),
            },
        };
        let adapter = {
            let catalog = self.catalog.load();
            catalog.products.get(&record.product).and_then(|product| product.adapter.clone())
        };
        let key = format!("{id}/profile/{}", push.version);
        let told = match &adapter {
            Some(adapter) => self.adapters.tell((&record.product, adapter), (&key, &record.sub), &act, now).await,
            None => Err("the product has no adapter any more".to_owned()),
        };
        let now = self.clock.now();
        match told {
            Ok(()) => {
                let mut event =
                    AuditEvent::new(EventId::mint(now, random()), now, Action::ProfileSynced, Outcome::Success);
                event.product = Some(record.product.to_string());
                event.subject = Subject {
                    account: Some(record.account.to_string()),
                    product_account: Some(id.to_string()),
                    email: None,
                };
                event.txn = Some(key);
                self.commit_profile(ProfileChange::Told(id, push.version, now), Some(event)).await
            }
            Err(fault) => {
                tracing::warn!(product = %record.product, record = %id, "a product was not told of a profile: {fault}");
                self.tally.adapter_failed(record.product.as_str());
                let pause = Duration::from_secs(1).saturating_mul(1 << attempts.min(10)).min(LONGEST);
                let read = (push.version, attempts);
                let fault = Some(fault.chars().take(200).collect());
                let again = ProfileChange::Try { id, read, attempts, due_at: now.plus(pause), fault };
                self.commit_profile(again, None).await
            }
        }
    }

    async fn commit_profile(&self, change: ProfileChange, event: Option<AuditEvent>) -> Result<(), NotCommitted> {
        let changes = vec![Change::Profile(change)];
        let events = event.into_iter().collect();
        self.store.commit(Batch { changes, events, ..Batch::default() }).await.map(|_| ())
    }
}
