//! An account ends for good (rows T33, L08; rule H2): asked for by its person or its organization's admin, 14 days as switched off, and
//! then a tombstone.
//!
//! Until the day, whoever asked may take it back: a person by logging in, who then reads what is going to happen, an admin by the API.
//! After it nothing of the account opens anything and nothing in it says whose it was; keyed hashes of its identities and addresses
//! stay, so that no provider's word brings the person back or makes a fresh account beside the old one. Nothing acts by `GET`.

use super::account::{AccountPage, Own, account_answer};
use super::answer::{Answer, Form, Step};
use super::begin::Leaving;
use super::codec::{Reader, Writer};
use super::cookies;
use super::handover::ProductHost;
use super::session::subject;
use super::ticket::FRESH_PROOF;
use super::world::{Browser, Visitor, World};
use super::{Login, Stop};
use crate::entropy::random;
use crate::kernel::admit::Facts;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::{
    Batch, Change, CredentialChange, DeletionChange, MigrationChange, ProfileChange, Revocation,
};
use crate::kernel::migration::{MigrationEvent, PROOF_LIFE, transition};
use crate::kernel::model::{Account, AccountStatus, Deletion, IdentityKey};
use crate::kernel::values::{AccountId, EmailAddress, EventId, Timestamp};
use crate::keys::{Lookup, Purpose};
use crate::mail::{self, Letter, NotQueued};
use crate::store::{NotCommitted, Unavailable};
use std::collections::HashMap;
use std::time::Duration;

/// What the offer to take a deletion back is sealed for.
const RESTORE: &[u8] = b"restore";
/// Accounts that end in one look.
const TURN: usize = 32;
/// What a clock says counts when it says it so much later again, by the machine's own count: one that jumps ends nobody (rule M3).
const CONFIRMED: Duration = Duration::from_secs(600);

impl World {
    /// Whether an identity, or an address, was somebody's who is deleted for good.
    pub(super) async fn is_buried(
        &self,
        identity: &IdentityKey,
        email: Option<&EmailAddress>,
    ) -> Result<bool, Unavailable> {
        let mut keys = self.keys.lookups(Lookup::Tombstone, &of_identity(identity, &identity.directory.to_bytes()));
        if let Some(email) = email {
            keys.extend(self.keys.lookups(Lookup::Tombstone, &of_address(email)));
        }
        Ok(self.store.buried(&keys).await?.is_some())
    }

    /// Whether an address is of somebody who was deleted for good.
    ///
    /// # Errors
    /// [`Unavailable`]: the store does not answer.
    pub async fn is_buried_address(&self, email: &EmailAddress) -> Result<bool, Unavailable> {
        Ok(self.store.buried(&self.keys.lookups(Lookup::Tombstone, &of_address(email))).await?.is_some())
    }

    /// A deletion and everything that goes with it, for the batch of whoever asks: sessions end, and the person is told (N7).
    pub fn schedule_deletion(
        &self,
        account: &Account,
        (deletion, now): (Deletion, Timestamp),
        batch: &mut Batch,
    ) -> Result<(), NotQueued> {
        if let Some(email) = account.email.clone() {
            let letter = Letter::DeletionScheduled { org: deletion.org.clone(), at: deletion.at };
            batch.changes.push(mail::queue(&self.keys, now, &[(email, letter)], Some(account.id))?);
        }
        batch.changes.push(Change::Deletion(DeletionChange::Schedule(deletion)));
        batch.changes.push(Change::EndSessionsOf(account.id));
        batch.revocations.push(Revocation::Account(account.id));
        Ok(())
    }

    /// Ends what is due, and was due for ten minutes of this machine's own time.
    pub(super) async fn bury_confirmed(&self, seen: &mut HashMap<AccountId, Duration>) -> Result<(), Unavailable> {
        let due = self.store.deletions_due(self.clock.now(), TURN).await?;
        seen.retain(|known, _| due.iter().any(|deletion| deletion.account == *known));
        let boot = self.clock.since_boot();
        for deletion in due {
            let first = *seen.entry(deletion.account).or_insert(boot);
            if boot.saturating_sub(first) >= CONFIRMED {
                self.bury(&deletion).await?;
            }
        }
        Ok(())
    }

    /// Ends one account for good. Its products hear of it by the queue of profiles.
    ///
    /// # Errors
    /// [`Unavailable`]: nothing was written.
    pub async fn bury(&self, deletion: &Deletion) -> Result<(), Unavailable> {
        let Some(account) = self.store.account(deletion.account).await? else { return Ok(()) };
        let now = self.clock.now();
        // An address that was never proved was nobody's (§4 #2): it keeps nobody out.
        let mut addresses: Vec<EmailAddress> =
            account.email.iter().filter(|_| account.email_verified).cloned().collect();
        let mut batch = Batch::default();
        let catalog = self.catalog.load_full();
        for product in catalog.products.values() {
            let Some(record) = self.store.product_account(&product.name, account.id).await? else { continue };
            for address in self.store.addresses_of(record.id).await? {
                let gone = CredentialChange::DropAddress(record.id, address.email.clone());
                batch.changes.push(Change::Credential(gone));
                addresses.extend(Some(address.email).filter(|_| address.verified));
            }
            batch.changes.push(Change::Credential(CredentialChange::DropPassword(record.id)));
            batch.changes.push(Change::Credential(CredentialChange::EndMailboxProofsOf(record.id)));
            let line = transition(record.state, MigrationEvent::Close);
            batch.changes.extend(line.map(|line| Change::Migration(MigrationChange::Move(record.id, line))));
            if product.adapter.is_some() {
                batch.changes.push(Change::Profile(ProfileChange::Tell(record.id, now)));
            }
        }
        for factor in self.store.factors_of(account.id).await? {
            batch.changes.push(Change::Credential(CredentialChange::DropFactor(account.id, factor.id)));
        }
        batch.changes.push(Change::Credential(CredentialChange::PutRecoveryCodes(account.id, Vec::new())));
        let mut stones: Vec<[u8; 32]> =
            addresses.iter().map(|email| self.keys.lookup(Lookup::Tombstone, &of_address(email))).collect();
        for link in self.store.identities_of(account.id).await? {
            let directory = link.key.directory.to_bytes();
            stones.push(self.keys.lookup(Lookup::Tombstone, &of_identity(&link.key, &directory)));
        }
        batch.changes.push(Change::Deletion(DeletionChange::Bury(account.id, stones)));
        batch.changes.push(Change::EndSessionsOf(account.id));
        batch.revocations.push(Revocation::Account(account.id));
        let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::AccountDeleted, Outcome::Success);
        event.subject.account = Some(account.id.to_string());
        event.org = deletion.org.as_ref().map(ToString::to_string);
        batch.events.push(event);
        match self.store.commit(batch).await {
            // Taken back, or ended by another node.
            Ok(_) | Err(NotCommitted::Conflict(_)) => Ok(()),
            Err(NotCommitted::Unavailable(fault)) => Err(fault),
        }
    }
}

pub(super) fn of_address(email: &EmailAddress) -> [&[u8]; 2] {
    [b"address", email.as_str().as_bytes()]
}

fn of_identity<'a>(key: &'a IdentityKey, directory: &'a [u8; 16]) -> [&'a [u8]; 4] {
    [b"identity", directory, key.source.0.as_bytes(), key.subject.as_bytes()]
}

/// Where a way back was offered, and is good: the login host, or one product's.
fn place(at: Option<&ProductHost>) -> String {
    at.map(|at| at.product.name.to_string()).unwrap_or_default()
}

impl Login {
    /// `GET /account/delete`, and `/.fedgate/account/delete` on a product host: what would happen. Who is managed asks an admin (row L06).
    pub async fn ask_delete(&self, visitor: &Visitor, at: Option<&ProductHost>) -> Answer {
        let answer = self.try_delete(visitor, at, None).await;
        self.settle(visitor, None, answer).await
    }

    /// `POST` of the same.
    pub async fn delete_own(&self, visitor: &Visitor, at: Option<&ProductHost>, posted: (&str, &str)) -> Answer {
        let answer = self.try_delete(visitor, at, Some(posted)).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_delete(
        &self,
        visitor: &Visitor,
        at: Option<&ProductHost>,
        posted: Option<(&str, &str)>,
    ) -> Result<Answer, Stop> {
        let Some(own) = self.own_session(visitor, at).await? else {
            return Ok(self.nobody_here(visitor, at).await);
        };
        if at.is_some() && !self.is_of_one_password(&own).await? {
            // What reaches further than this product is asked for where no product's scripts read along (rule H6).
            return Ok(Answer::of(Step::Go(format!("{}/account/delete", self.world.catalog.load().login.url()))));
        }
        if let Some(manager) = self.about(visitor, at, &own).await?.manager {
            return Ok(account_answer(at, AccountPage::AskAdmin(manager)));
        }
        let gone_at = visitor.now.plus(Deletion::GRACE);
        let is_own = posted.is_some_and(|(csrf, to)| match at {
            None => self.world.csrf_holds(visitor, csrf) && self.may_act(visitor, &own),
            Some(at) => self.posted_target(visitor, at, csrf, to).is_some(),
        });
        if !is_own {
            let browser = Browser::of(visitor);
            let target = at.map(|at| self.door_target(at));
            let form = self.form(visitor, target.as_ref(), &browser);
            let mut answer = account_answer(at, AccountPage::Delete { form, at: gone_at });
            answer.cookies.extend(browser.cookie());
            if at.is_none() {
                answer.cookies.push(self.acts_cookie(&own));
            }
            return Ok(answer);
        }
        if visitor.now.since(own.session.auth_time) > PROOF_LIFE {
            // A session that was found open is no proof of its person.
            if at.is_some() {
                return Ok(account_answer(at, AccountPage::LogInAgain));
            }
            let leaving = Leaving {
                hint: own.account.email.clone(),
                max_age: Some(FRESH_PROOF),
                by_form: true,
                ..Leaving::default()
            };
            return self.leave(visitor, own.session.directory, None, leaving).await;
        }
        let deletion = Deletion { account: own.account.id, was: own.account.status, org: None, at: gone_at };
        let mut batch = Batch::default();
        let queued = self.world.schedule_deletion(&own.account, (deletion, visitor.now), &mut batch);
        queued.map_err(|fault| Stop::Fault(fault.to_string()))?;
        let mut event = visitor.event(Action::DeletionScheduled, Outcome::Success);
        event.subject = subject(&own.account);
        event.product = at.map(|at| at.product.name.to_string());
        event.after = Some(serde_json::json!({ "at": gone_at.to_string() }));
        batch.events.push(event);
        self.world.store.commit(batch).await?;
        let answer = account_answer(at, AccountPage::Deleting { at: gone_at });
        Ok(answer.with_cookie(cookies::expire(cookies::SESSION)))
    }

    /// Whether the account is nothing but this product's: no provider is linked to it, and no other product has a record of it.
    async fn is_of_one_password(&self, own: &Own) -> Result<bool, Stop> {
        if !own.is_confined() || !own.identities.is_empty() {
            return Ok(false);
        }
        let catalog = self.world.catalog.load_full();
        for product in catalog.products.values() {
            let is_elsewhere = own.session.confined_to.as_ref() != Some(&product.name);
            if is_elsewhere && self.world.store.product_account(&product.name, own.account.id).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A person who asked for their account's end and who has just shown its password, and the second step that was enrolled: the way back.
    pub(super) async fn offer_restore_here(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        account: AccountId,
    ) -> Result<Option<Answer>, Stop> {
        let Some(account) = self.world.store.account(account).await? else { return Ok(None) };
        let AccountStatus::PendingDelete(gone_at) = account.status else { return Ok(None) };
        if !self.is_own_wish(&account, visitor.now).await? {
            return Ok(None);
        }
        Ok(Some(self.restore_page(visitor, Some(at), (&account, gone_at))))
    }

    fn restore_page(
        &self,
        visitor: &Visitor,
        at: Option<&ProductHost>,
        (account, gone_at): (&Account, Timestamp),
    ) -> Answer {
        let browser = Browser::of(visitor);
        let bytes = Writer::default().time(visitor.now).raw(&account.id.to_bytes()).number(account.epoch);
        let bytes = bytes.text(&place(at)).raw(&browser.digest()).done();
        let to = self.world.seal(Purpose::Local, RESTORE, &bytes);
        let form = Form { csrf: self.world.csrf(&browser), to };
        let mut answer = account_answer(at, AccountPage::Restore { form, at: gone_at });
        answer.cookies.extend(browser.cookie());
        answer
    }

    /// A person who asked for their account's end and whose own provider has just said who they are: the way back, while there is one.
    pub(super) async fn offer_restore(&self, visitor: &Visitor, facts: &Facts<'_>) -> Result<Option<Answer>, Stop> {
        let linked = facts.linked.as_ref().filter(|fact| !fact.link.suspended);
        let Some(account) = linked.and_then(|fact| fact.account.as_ref()) else { return Ok(None) };
        let AccountStatus::PendingDelete(at) = account.status else { return Ok(None) };
        if !self.is_own_wish(account, visitor.now).await? {
            return Ok(None);
        }
        Ok(Some(self.restore_page(visitor, None, (account, at))))
    }

    /// Whether the person asked for it, the day has not come, and it would make them what they may be: active.
    async fn is_own_wish(&self, account: &Account, now: Timestamp) -> Result<bool, Stop> {
        let deletion = self.world.store.deletion_of(account.id).await?;
        Ok(deletion.is_some_and(|it| it.org.is_none() && it.was == AccountStatus::Active && now < it.at))
    }

    /// `POST /login/restore`, and `/.fedgate/account/restore` on a product host: the account stays.
    pub async fn restore(&self, visitor: &Visitor, at: Option<&ProductHost>, (csrf, to): (&str, &str)) -> Answer {
        let answer = match self.try_restore(visitor, at, (csrf, to)).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => return self.nobody_here(visitor, at).await,
            Err(stop) => Err(stop),
        };
        self.settle(visitor, None, answer).await
    }

    async fn try_restore(
        &self,
        visitor: &Visitor,
        at: Option<&ProductHost>,
        (csrf, to): (&str, &str),
    ) -> Result<Option<Answer>, Stop> {
        let Some(bytes) = self.world.unseal(Purpose::Local, RESTORE, to) else { return Ok(None) };
        let mut reader = Reader::new(&bytes);
        let read = (reader.time(), reader.raw(), reader.number(), reader.text(), reader.raw::<16>());
        let (Some(made_at), Some(id), Some(epoch), Some(place_of), Some(browser)) = read else { return Ok(None) };
        let here =
            place_of == place(at) && browser == Browser::of(visitor).digest() && self.world.csrf_holds(visitor, csrf);
        if !here || visitor.now.since(made_at) > PROOF_LIFE {
            return Ok(None);
        }
        let account = self.world.store.account(AccountId::from_bytes(id)).await?;
        let Some(account) = account.filter(|account| account.epoch == epoch) else { return Ok(None) };
        if !self.is_own_wish(&account, visitor.now).await? {
            return Ok(None);
        }
        let mut event = visitor.event(Action::DeletionCancelled, Outcome::Success);
        event.subject = subject(&account);
        let changes = vec![Change::Deletion(DeletionChange::Cancel(account.id))];
        match self.world.store.commit(Batch { changes, events: vec![event], ..Batch::default() }).await {
            Ok(_) => Ok(Some(account_answer(at, AccountPage::Restored))),
            Err(NotCommitted::Conflict(_)) => Ok(Some(Answer::of(Step::Go("/".to_owned())))),
            Err(NotCommitted::Unavailable(fault)) => Err(fault.into()),
        }
    }
}
