//! Making a local account for the operator or an import: a person, the product's record of them, the address, the password.

use super::super::Login;
use super::bench::{Busy, Lane};
use crate::entropy::random;
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome, Subject};
use crate::kernel::import::{ImportRow, ImportedAddress};
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::local::{NotImportable, StoredPassword};
use crate::kernel::model::{
    Account, AccountStatus, Address, IdentityKey, LinkedBy, LinkedIdentity, PasswordCredential, ProductAccount,
    ProductAccountState,
};
use crate::kernel::values::{AccountId, EmailAddress, EventId, ProductAccountId, ProductName, Timestamp};
use crate::keys::Keys;
use crate::store::{Conflict, NotCommitted, Unavailable};

/// A local account to be made.
#[derive(Clone, Debug)]
pub struct NewLocal {
    /// Where.
    pub product: ProductName,
    /// Its address.
    pub email: EmailAddress,
    /// Whether the product has proved that address.
    pub verified: bool,
    /// The name to show, cut to 64 characters.
    pub name: Option<String>,
    /// The product's hash of its password; without one the person begins with a reset.
    pub hash: Option<String>,
    /// The product's own user id, 1 to 255 characters; without one a new one is minted (rule H19).
    pub sub: Option<String>,
    /// Who makes it, for the event.
    pub actor: Option<Actor>,
}

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
pub enum NotCreated {
    /// No such product, or none that has local accounts.
    #[error("this product keeps no passwords here: write `passwords = \"here\"` in [product.{0}]")]
    Product(ProductName),
    /// The hash.
    #[error("the hash is {0}")]
    Hash(#[from] NotImportable),
    /// The product's user id.
    #[error("a sub has 1 to 255 characters without control characters")]
    Sub,
    /// Another record of the product has this address or this `sub`.
    #[error("another account of this product has this address or this sub")]
    Taken,
    /// Too many passwords are being checked.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Login {
    /// Makes a local account: a person of its own, since an address links nobody (§4 #32).
    ///
    /// # Errors
    /// [`NotCreated`] says what to change.
    pub async fn create_local(&self, new: NewLocal) -> Result<ProductAccount, NotCreated> {
        let world = &self.world;
        if !world.catalog.load().products.contains_key(&new.product) {
            return Err(NotCreated::Product(new.product));
        }
        let sound = |sub: &String| (1..=255).contains(&sub.chars().count()) && !sub.chars().any(char::is_control);
        if new.sub.as_ref().is_some_and(|sub| !sound(sub)) {
            return Err(NotCreated::Sub);
        }
        let now = world.clock.now();
        let id = ProductAccountId::mint(now, random());
        let sub = new.sub.clone().unwrap_or_else(|| format!("fg_{id}"));
        // An address that was told to the product for somebody else is not given to another `sub` (rule H19).
        let asserted = world.store.asserted_sub(&new.product, &new.email).await?;
        if asserted.is_some_and(|known| known != sub) {
            return Err(NotCreated::Taken);
        }
        let stored = match new.hash.clone() {
            None => None,
            Some(hash) => {
                let salt = random();
                Some(world.bench.run(Lane::Known, move || StoredPassword::wrap(&hash, salt)).await??)
            }
        };
        let row = ImportRow {
            sub,
            addresses: vec![ImportedAddress {
                email: new.email,
                verified: new.verified,
                verified_at: None,
                primary: true,
                added_at: None,
                last_login_at: None,
            }],
            name: new.name,
            hash: None,
            password_set_at: None,
            links: Vec::new(),
            enterprise: None,
            off: false,
            created_at: None,
            last_login_at: None,
        };
        let mut batch = Batch::default();
        let made = Made { row: &row, id, links: Vec::new(), stored, actor: new.actor };
        let record = made.add_to(&mut batch, &new.product, &world.keys, now);
        match world.store.commit(batch).await {
            Ok(_) => Ok(record),
            Err(NotCommitted::Conflict(Conflict::Address | Conflict::ProductAccount)) => Err(NotCreated::Taken),
            Err(NotCommitted::Conflict(other)) => Err(Unavailable(format!("a new account met {other:?}")).into()),
            Err(NotCommitted::Unavailable(fault)) => Err(fault.into()),
        }
    }
}

/// A person of a product to be made: a row as the product wrote it, and what was made of it.
pub(in crate::login) struct Made<'a> {
    pub row: &'a ImportRow,
    pub id: ProductAccountId,
    /// Identities that the product knows the person by, with the directories that they are of.
    pub links: Vec<IdentityKey>,
    /// The password, with argon2id over the product's hash.
    pub stored: Option<StoredPassword>,
    pub actor: Option<Actor>,
}

impl Made<'_> {
    /// Puts the person, the product's record of them, their addresses, password and links into a batch, with the event.
    pub(in crate::login) fn add_to(
        self,
        batch: &mut Batch,
        product: &ProductName,
        keys: &Keys,
        now: Timestamp,
    ) -> ProductAccount {
        let row = self.row;
        let live = row.live();
        let account = Account {
            id: AccountId::mint(now, random()),
            status: AccountStatus::Active,
            email: live.map(|live| live.email.clone()),
            email_verified: live.is_some_and(|live| live.verified),
            email_proved_at: live.filter(|live| live.verified).and_then(|live| live.verified_at),
            name: row.name.as_deref().and_then(super::super::session::clean_name),
            epoch: 0,
            created_at: now,
            last_login_at: row.last_login_at,
        };
        let record = ProductAccount {
            id: self.id,
            product: product.clone(),
            account: account.id,
            sub: row.sub.clone(),
            state: ProductAccountState::Local,
            off: row.off,
            created_at: now,
            enterprise: row.enterprise.clone(),
            // Where a member is switched off, its enterprise did it: that is the one switch that it has.
            off_by: row.enterprise.clone().filter(|_| row.off),
            asked_at: None,
        };
        batch.events.push(created(&account, &record, self.actor));
        let person = account.id;
        batch.changes.push(Change::CreateAccount(account));
        batch.changes.push(Change::CreateProductAccount(record.clone()));
        for address in &row.addresses {
            batch.changes.push(Change::Credential(CredentialChange::PutAddress(Address {
                product_account: self.id,
                email: address.email.clone(),
                verified: address.verified,
                verified_at: address.verified_at,
                primary: live.is_some_and(|live| live.email == address.email),
                added_at: address.added_at.unwrap_or(now),
                last_login_at: address.last_login_at,
            })));
        }
        if let Some(stored) = self.stored {
            let set_at = row.password_set_at.unwrap_or(now);
            let mut password =
                PasswordCredential { product_account: self.id, stored, generation: 1, set_at, mac: [0; 32] };
            password.mac = keys.mac_password(&password);
            batch.changes.push(Change::Credential(CredentialChange::SetPassword(password)));
        }
        for key in self.links {
            let link = LinkedIdentity { key, account: person, by: LinkedBy::Import, linked_at: now, suspended: false };
            batch.changes.push(Change::Link(link));
        }
        record
    }
}

fn created(account: &Account, record: &ProductAccount, actor: Option<Actor>) -> AuditEvent {
    let id = EventId::mint(account.created_at, random());
    let mut event = AuditEvent::new(id, account.created_at, Action::AccountCreated, Outcome::Success);
    event.actor = actor;
    event.subject = Subject {
        account: Some(account.id.to_string()),
        product_account: Some(record.id.to_string()),
        email: account.email.as_ref().map(ToString::to_string),
    };
    event.product = Some(record.product.to_string());
    event
}
