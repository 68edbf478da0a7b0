//! An account whose address was never proved, in the way of somebody who proved it (B21): put aside in the batch that lets the newcomer
//! in, and brought back by support for thirty days.
//!
//! What it was logged in with is taken away and sealed in one row; what it has at its products is not touched, and its user ids are
//! never given to anybody else. A product that has seen the address with the old user id does not see it with a new one before its
//! adapter, or the operator, says that it has let go of it (rule H19). Deliberately absent: who decides that (`kernel::linking`).

use super::Login;
use super::Stop;
use super::moving::begun;
use super::world::{Visitor, World};
use crate::entropy::random;
use crate::kernel::admit::Admitted;
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome, Subject};
use crate::kernel::journal::{Batch, Change, CredentialChange, MigrationChange, ProfileChange};
use crate::kernel::local::StoredPassword;
use crate::kernel::model::{
    Account, AccountStatus, Address, IdentityKey, LinkedBy, LinkedIdentity, MigrationStep, PasswordCredential,
    Passwords, ProductAccount, ProductAccountState, Quarantine, SubjectSource, Trigger, UNDOABLE,
};
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{AccountId, DirectoryId, EmailAddress, EventId, ProductAccountId, ProductName, Timestamp};
use crate::keys::Purpose;
use crate::mail::{self, Letter};
use crate::store::{NotCommitted, Unavailable};
use serde::{Deserialize, Serialize};

/// Rows that one list shows at most.
const LISTED: usize = 200;

/// An account that is to be put aside, with all that it is logged in with.
pub(super) struct Aside {
    account: Account,
    records: Vec<ProductAccount>,
    links: usize,
    kept: Vec<u8>,
}

/// What is sealed: enough to bring an account back, no more.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Kept {
    addresses: Vec<KeptAddress>,
    passwords: Vec<KeptPassword>,
    links: Vec<KeptLink>,
}

#[derive(Debug, Deserialize, Serialize)]
struct KeptAddress {
    record: [u8; 16],
    email: String,
    primary: bool,
    added_at: i64,
    last_login_at: Option<i64>,
}

#[derive(Debug, Deserialize, Serialize)]
struct KeptPassword {
    record: [u8; 16],
    stored: String,
    set_at: i64,
}

#[derive(Debug, Deserialize, Serialize)]
struct KeptLink {
    directory: [u8; 16],
    source: String,
    subject: String,
    imported: bool,
    linked_at: i64,
    suspended: bool,
}

fn bound(account: AccountId, email: &EmailAddress) -> Vec<u8> {
    [account.to_bytes().as_slice(), email.as_str().as_bytes()].concat()
}

impl World {
    /// What an admission puts aside; none where it puts nobody aside. An account that moved anywhere has been proved there, and stays.
    pub(super) async fn aside(&self, admitted: &Admitted) -> Result<Option<Aside>, Stop> {
        let Some(account) = admitted.terms().sets_aside.clone() else { return Ok(None) };
        let records = self.records_of(account.id).await?;
        if records.iter().any(|record| record.state != ProductAccountState::Local || record.off) {
            return Err(Stop::refuse(Refusal::LocalProof));
        }
        let mut kept = Kept::default();
        for record in &records {
            for address in self.store.addresses_of(record.id).await? {
                kept.addresses.push(KeptAddress {
                    record: record.id.to_bytes(),
                    email: address.email.to_string(),
                    primary: address.primary,
                    added_at: address.added_at.millis(),
                    last_login_at: address.last_login_at.map(Timestamp::millis),
                });
            }
            // A row that another hand wrote is not kept: it would come back with a MAC of ours (rule H12).
            let password = self.store.password(record.id).await?.filter(|password| self.keys.holds_password(password));
            kept.passwords.extend(password.map(|password| KeptPassword {
                record: record.id.to_bytes(),
                stored: password.stored.to_text(),
                set_at: password.set_at.millis(),
            }));
        }
        for link in self.store.identities_of(account.id).await? {
            kept.links.push(KeptLink {
                directory: link.key.directory.to_bytes(),
                source: link.key.source.0,
                subject: link.key.subject,
                imported: link.by == LinkedBy::Import,
                linked_at: link.linked_at.millis(),
                suspended: link.suspended,
            });
        }
        let fault = |why: String| Stop::Fault(why);
        let Some(email) = &account.email else {
            return Err(fault("an account without an address is in nobody's way".into()));
        };
        let bytes = serde_json::to_vec(&kept).map_err(|why| fault(why.to_string()))?;
        let sealed = self.keys.seal(Purpose::Quarantine, &bound(account.id, email), &bytes);
        let sealed = sealed.map_err(|why| fault(why.to_string()))?;
        Ok(Some(Aside { links: kept.links.len(), account, records, kept: sealed }))
    }

    async fn records_of(&self, account: AccountId) -> Result<Vec<ProductAccount>, Unavailable> {
        let catalog = self.catalog.load_full();
        let mut records = Vec::new();
        for product in catalog.products.keys() {
            records.extend(self.store.product_account(product, account).await?);
        }
        Ok(records)
    }

    /// Whether a product hears of its accounts by an adapter.
    fn is_told(&self, product: &ProductName) -> bool {
        let catalog = self.catalog.load();
        let product = catalog.products.get(product);
        product.is_some_and(|product| product.passwords == Passwords::Product && product.adapter.is_some())
    }
}

impl Login {
    /// Adds to the batch that lets the newcomer in what puts the old account aside: everything of it dies with that commit.
    pub(super) fn write_aside(
        &self,
        visitor: &Visitor,
        (aside, newcomer): (&Aside, &Account),
        (admitted, target): (&Admitted, &IdentityKey),
        batch: &mut Batch,
    ) -> Result<(), NotCommitted> {
        let old = &aside.account;
        let (Some(email), Some(entry)) = (&old.email, &admitted.terms().entry) else {
            return Err(NotCommitted::Unavailable(Unavailable("nobody to put aside".to_owned())));
        };
        let kept = Quarantine {
            account: old.id,
            email: email.clone(),
            product: entry.product.clone(),
            by: newcomer.id,
            at: visitor.now,
            until: visitor.now.plus(UNDOABLE),
            kept: aside.kept.clone(),
        };
        let until = kept.until;
        batch.changes.push(Change::Migration(MigrationChange::SetAside { kept, epoch: old.epoch }));
        batch.set_account_status(old.id, AccountStatus::Quarantined);
        for record in aside.records.iter().filter(|record| self.world.is_told(&record.product)) {
            let place = (record.product.clone(), record.id);
            let step = (MigrationStep::RevokeSessions, visitor.now);
            let told = begun(place, Trigger::Quarantine, target.clone(), step);
            batch.changes.push(Change::Migration(MigrationChange::Begin(told)));
        }
        let letter = Letter::Quarantined { product: entry.product.clone(), at: visitor.now };
        let queued = mail::queue(&self.world.keys, visitor.now, &[(email.clone(), letter)], Some(newcomer.id));
        batch.changes.push(queued.map_err(|fault| NotCommitted::Unavailable(Unavailable(fault.to_string())))?);
        let mut event = visitor.event(Action::AccountQuarantined, Outcome::Success);
        event.subject =
            Subject { account: Some(old.id.to_string()), product_account: None, email: Some(email.to_string()) };
        event.product = Some(entry.product.to_string());
        event.actor = Some(Actor {
            kind: "person".to_owned(),
            id: Some(newcomer.id.to_string()),
            address: Some(email.to_string()),
        });
        let records: Vec<String> = aside.records.iter().map(|record| record.id.to_string()).collect();
        event.before = Some(serde_json::json!({
            "status": "active", "address": email.to_string(), "records": records, "links": aside.links,
        }));
        event.after =
            Some(serde_json::json!({ "status": "quarantined", "address": null, "undoable_until": until.to_string() }));
        batch.events.push(event);
        Ok(())
    }

    /// Accounts that were put aside and can be brought back, at most 200.
    ///
    /// # Errors
    /// [`Unavailable`]: the store does not answer.
    pub async fn quarantined(&self) -> Result<Vec<Quarantine>, Unavailable> {
        self.world.store.quarantines(None, LISTED).await
    }

    /// Brings an account back that was put aside: its address, unproved as it was, its passwords and its links. Its sessions and tokens
    /// stay dead. Refused once somebody else has the address (as the newcomer has until support gives them another).
    ///
    /// # Errors
    /// A sentence that says why not.
    pub async fn bring_back(&self, id: AccountId, by: &Actor, now: Timestamp) -> Result<Account, String> {
        let (store, keys) = (&self.world.store, &self.world.keys);
        let unavailable = |why: Unavailable| why.to_string();
        let row = store.quarantine(id).await.map_err(unavailable)?.filter(|row| now < row.until);
        let row = row.ok_or("this account is not put aside, or has been for more than 30 days")?;
        let account = store.account(id).await.map_err(unavailable)?;
        let account = account.filter(|account| account.status == AccountStatus::Quarantined);
        let account = account.ok_or("this account is not put aside any more")?;
        let kept = keys.unseal(Purpose::Quarantine, &bound(id, &row.email), &row.kept);
        let kept: Option<Kept> = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let kept = kept.ok_or("the row was written by another hand, or its key is gone: nothing was changed")?;
        let held = store.accounts_by_email(&row.email).await.map_err(unavailable)?;
        if held.iter().any(|other| other.id != id && other.status != AccountStatus::Deleted) {
            return Err(format!("{} has another owner now: give that account another address first", row.email));
        }
        let mut batch = Batch::default();
        let mut change = |change| batch.changes.push(change);
        change(Change::Migration(MigrationChange::BringBack(id)));
        let back = Account { email: Some(row.email.clone()), email_verified: false, ..account };
        change(Change::UpdateAccount(back.clone()));
        self.give_back(&kept, id, &mut change)?;
        for record in self.world.records_of(id).await.map_err(unavailable)? {
            change(Change::Migration(MigrationChange::Forget(record.id)));
            if self.world.is_told(&record.product) {
                change(Change::Profile(ProfileChange::Tell(record.id, now)));
            }
        }
        batch.set_account_status(id, AccountStatus::Active);
        let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::AccountRestored, Outcome::Success);
        event.actor = Some(by.clone());
        event.subject =
            Subject { account: Some(id.to_string()), email: Some(row.email.to_string()), ..Subject::default() };
        event.before = Some(serde_json::json!({ "status": "quarantined", "address": null }));
        event.after = Some(serde_json::json!({ "status": "active", "address": row.email.to_string() }));
        batch.events.push(event);
        store.commit(batch).await.map_err(|why| match why {
            NotCommitted::Conflict(_) => {
                "something of it belongs to another account now: nothing was changed".to_owned()
            }
            NotCommitted::Unavailable(why) => why.to_string(),
        })?;
        Ok(back)
    }

    fn give_back(&self, kept: &Kept, id: AccountId, change: &mut impl FnMut(Change)) -> Result<(), String> {
        for address in &kept.addresses {
            change(Change::Credential(CredentialChange::PutAddress(Address {
                product_account: ProductAccountId::from_bytes(address.record),
                email: EmailAddress::parse(&address.email).map_err(|why| why.to_string())?,
                // Whoever had it was put aside because it was not.
                verified: false,
                verified_at: None,
                primary: address.primary,
                added_at: Timestamp::from_millis(address.added_at),
                last_login_at: address.last_login_at.map(Timestamp::from_millis),
            })));
        }
        for password in &kept.passwords {
            let mut back = PasswordCredential {
                product_account: ProductAccountId::from_bytes(password.record),
                stored: StoredPassword::parse(&password.stored).ok_or("a kept password cannot be read")?,
                generation: 1,
                set_at: Timestamp::from_millis(password.set_at),
                mac: [0; 32],
            };
            back.mac = self.world.keys.mac_password(&back);
            change(Change::Credential(CredentialChange::SetPassword(back)));
        }
        for link in &kept.links {
            change(Change::Link(LinkedIdentity {
                key: IdentityKey {
                    directory: DirectoryId::from_bytes(link.directory),
                    source: SubjectSource(link.source.clone()),
                    subject: link.subject.clone(),
                },
                account: id,
                by: if link.imported { LinkedBy::Import } else { LinkedBy::FirstLogin },
                linked_at: Timestamp::from_millis(link.linked_at),
                suspended: link.suspended,
            }));
        }
        Ok(())
    }

    /// Lets a product hear of an address for another user id than before (rule H19): its operator says that the product has let go of
    /// it. Refused while the account with the old user id still has the address.
    ///
    /// # Errors
    /// A sentence that says why not.
    pub async fn free_address(
        &self,
        product: &ProductName,
        email: &EmailAddress,
        by: &Actor,
        now: Timestamp,
    ) -> Result<String, String> {
        let store = &self.world.store;
        let unavailable = |why: Unavailable| why.to_string();
        let sub = store.asserted_sub(product, email).await.map_err(unavailable)?;
        let sub = sub.ok_or_else(|| format!("{product} has not heard of {email} from this gateway"))?;
        if let Some(record) = store.product_account_by_sub(product, &sub).await.map_err(unavailable)? {
            let owner = store.account(record.account).await.map_err(unavailable)?;
            if owner.is_some_and(|owner| owner.email.as_ref() == Some(email)) {
                return Err(format!("{email} is the address of the account that {product} knows as {sub}"));
            }
        }
        let free = MigrationChange::Free { product: product.clone(), email: email.clone(), sub: sub.clone() };
        let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::AddressFreed, Outcome::Success);
        event.actor = Some(by.clone());
        event.product = Some(product.to_string());
        event.subject.email = Some(email.to_string());
        event.before = Some(serde_json::json!({ "sub": sub }));
        let changes = vec![Change::Migration(free)];
        let batch = Batch { changes, events: vec![event], ..Batch::default() };
        store.commit(batch).await.map_err(|why| why.to_string())?;
        Ok(sub)
    }
}
