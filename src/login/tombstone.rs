//! What is kept of deleted accounts, as the operator sees it: who an address keeps out, and letting them come anew (rule H2).
//!
//! A tombstone is keyed hashes alone: it is found by an address, never listed. Taking it away brings nobody back; whoever it was is
//! somebody new at the next login, and products go on knowing the address under the old user id until they let go of it (rule H19).

use super::Login;
use super::deletion::of_address;
use crate::entropy::random;
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Change, DeletionChange};
use crate::kernel::values::{AccountId, EmailAddress, EventId, ProductName, Timestamp};
use crate::keys::Lookup;
use crate::store::Unavailable;

/// Whom an address keeps out.
#[derive(Clone, Debug)]
pub struct Tombstone {
    /// The account that was deleted.
    pub account: AccountId,
    /// Products that still know the address under the user id of then: nobody else can enter them with it.
    pub known_to: Vec<ProductName>,
}

impl Login {
    /// The tombstone that an address meets; none where it keeps nobody out.
    ///
    /// # Errors
    /// [`Unavailable`] when the store does not answer.
    pub async fn tombstone(&self, email: &EmailAddress) -> Result<Option<Tombstone>, Unavailable> {
        let store = &self.world.store;
        let keys = self.world.keys.lookups(Lookup::Tombstone, &of_address(email));
        let Some(account) = store.buried(&keys).await? else { return Ok(None) };
        let mut known_to = Vec::new();
        let catalog = self.world.catalog.load_full();
        for product in catalog.products.keys() {
            if store.asserted_sub(product, email).await?.is_some() {
                known_to.push(product.clone());
            }
        }
        Ok(Some(Tombstone { account, known_to }))
    }

    /// Takes every tombstone of the account away that had this address: its other addresses and its identities keep nobody out either.
    ///
    /// # Errors
    /// A sentence that says why not.
    pub async fn lift_tombstone(&self, email: &EmailAddress, by: &Actor, now: Timestamp) -> Result<Tombstone, String> {
        let found = self.tombstone(email).await.map_err(|why| why.to_string())?;
        let found = found.ok_or_else(|| format!("{email} keeps nobody out: no deleted account had proved it"))?;
        let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::TombstonesLifted, Outcome::Success);
        event.actor = Some(by.clone());
        event.subject.account = Some(found.account.to_string());
        event.subject.email = Some(email.to_string());
        let changes = vec![Change::Deletion(DeletionChange::Lift(found.account))];
        let batch = Batch { changes, events: vec![event], ..Batch::default() };
        self.world.store.commit(batch).await.map_err(|why| why.to_string())?;
        Ok(found)
    }
}
