//! Making a local account for the operator or an import: a person, the product's record of them, the address, the password.

use super::super::Login;
use super::bench::{Busy, Lane};
use crate::entropy::random;
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome, Subject};
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::local::{NotImportable, StoredPassword};
use crate::kernel::model::{Account, AccountStatus, Address, PasswordCredential, ProductAccount, ProductAccountState};
use crate::kernel::values::{AccountId, EmailAddress, EventId, ProductAccountId, ProductName};
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
        let account = Account {
            id: AccountId::mint(now, random()),
            status: AccountStatus::Active,
            email: Some(new.email.clone()),
            email_verified: new.verified,
            email_proved_at: None,
            name: new.name.as_deref().and_then(super::super::session::clean_name),
            epoch: 0,
            created_at: now,
            last_login_at: None,
        };
        let record = ProductAccount {
            id,
            product: new.product.clone(),
            account: account.id,
            sub,
            state: ProductAccountState::Local,
            off: false,
            created_at: now,
        };
        let event = created(&account, &record, new.actor.clone());
        let mut batch = Batch { events: vec![event], ..Batch::default() };
        batch.changes.push(Change::CreateAccount(account));
        batch.changes.push(Change::CreateProductAccount(record.clone()));
        batch.changes.push(Change::Credential(CredentialChange::PutAddress(Address {
            product_account: id,
            email: new.email,
            verified: new.verified,
            verified_at: None,
            primary: true,
            added_at: now,
            last_login_at: None,
        })));
        if let Some(stored) = stored {
            let mut password =
                PasswordCredential { product_account: id, stored, generation: 1, set_at: now, mac: [0; 32] };
            password.mac = world.keys.mac_password(&password);
            batch.changes.push(Change::Credential(CredentialChange::SetPassword(password)));
        }
        match world.store.commit(batch).await {
            Ok(_) => Ok(record),
            Err(NotCommitted::Conflict(Conflict::Address | Conflict::ProductAccount)) => Err(NotCreated::Taken),
            Err(NotCommitted::Conflict(other)) => Err(Unavailable(format!("a new account met {other:?}")).into()),
            Err(NotCommitted::Unavailable(fault)) => Err(fault.into()),
        }
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
