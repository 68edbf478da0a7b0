//! People whom a product brings: each row is held against the configuration and the store, and written in batches, every batch with
//! how far the import came. A row that is there already is left as it is, so that an import may be run again.
//!
//! The whole work belongs to whoever runs the command; a gateway may serve from the same store meanwhile.

use super::local::create::Made;
use crate::entropy::random;
use crate::kernel::event::Actor;
use crate::kernel::import::ImportRow;
use crate::kernel::journal::{Batch, Change};
use crate::kernel::local::{NotImportable, StoredPassword};
use crate::kernel::model::{Catalog, IdentityKey, Passwords, Product};
use crate::kernel::standing::{Groups, managements};
use crate::kernel::values::{
    DirectoryId, DirectoryName, EmailAddress, EnterpriseName, OrgName, ProductAccountId, ProductName, ThirdPartyName,
    Timestamp,
};
use crate::keys::Keys;
use crate::store::{NotCommitted, Store, Unavailable};
use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::time::Duration;

/// How far a time of a row may lie ahead of ours.
const SKEW: Duration = Duration::from_secs(60);

/// Who imports into what.
pub struct Importer<'a> {
    store: &'a dyn Store,
    keys: &'a Keys,
    catalog: &'a Catalog,
    product: &'a Product,
    /// Directories that have a row: an identity of another would hang on an id that nobody keeps.
    registered: HashSet<DirectoryId>,
    actor: Actor,
    now: Timestamp,
}

/// Why a sound row is not imported.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotImported {
    /// Another record of the product has one of its addresses.
    #[error("{0} is another person's at this product")]
    AddressTaken(EmailAddress),
    /// The product was told an address for another user id (rule H19).
    #[error("{0} was told to this product for another user id")]
    AddressTold(EmailAddress),
    /// An identity is somebody's already.
    #[error("the identity at {0} is linked to somebody already")]
    LinkTaken(String),
    /// An identity of a provider that the configuration does not have.
    #[error("there is no [third_party.{0}] in the configuration of the gateway that last ran")]
    Provider(String),
    /// An enterprise that the configuration does not have.
    #[error("the product has no [[product.NAME.enterprise]] of the name {0}")]
    Enterprise(EnterpriseName),
    /// The hash.
    #[error("the hash is {0}")]
    Hash(NotImportable),
    /// A hash for a product whose passwords are not kept here.
    #[error("a hash for a product without `passwords = \"here\"`")]
    HashNotKept,
    /// A time that has not come.
    #[error("a time that has not come yet")]
    Ahead,
    /// Somebody was faster between the look and the write.
    #[error("somebody else has its id, address or identity by now")]
    Lost,
}

impl NotImported {
    /// The stable name in outcomes.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AddressTaken(_) => "address-taken",
            Self::AddressTold(_) => "address-told",
            Self::LinkTaken(_) => "link-taken",
            Self::Provider(_) => "provider",
            Self::Enterprise(_) => "enterprise-unknown",
            Self::Hash(_) => "hash",
            Self::HashNotKept => "hash-not-kept",
            Self::Ahead => "time-ahead",
            Self::Lost => "lost",
        }
    }
}

/// Why an import stopped. What was committed before stays, and the newest mark says how far that is.
#[derive(Debug, thiserror::Error)]
pub enum Halted {
    /// The store.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// What becomes of rows could not be written down.
    #[error("the outcomes cannot be written: {0}")]
    Ledger(#[from] std::io::Error),
}

/// Where what becomes of each row is written down.
pub trait Ledger {
    /// Writes down what becomes of a batch, in place of what this call last said of it, durably, before the batch is committed.
    /// The answer goes into that commit.
    ///
    /// # Errors
    /// It cannot be written; then nothing is committed.
    fn keep(&mut self, became: &[Imported]) -> std::io::Result<Mark>;
}

/// What the store says to a row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Look {
    /// It can be imported.
    New,
    /// The product's user id is there already.
    Present(ProductAccountId),
}

/// What became of a row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Imported {
    /// A record was made.
    Made(ProductAccountId),
    /// There was one already.
    Present(ProductAccountId),
    /// Nothing was written.
    Refused(NotImported),
}

/// Where an import stands, kept with each batch.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Its name among the settings.
    pub name: String,
    /// Its value.
    pub value: Vec<u8>,
}

/// Who manages a person who would be imported (rule C3).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// Organizations that hold the domain of a proved address.
    pub orgs: Vec<OrgName>,
    /// Domains below one that an organization holds, held by nobody themselves (W-SUBDOMAIN).
    pub uncovered: Vec<String>,
}

impl<'a> Importer<'a> {
    /// An import into a product of the catalog.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn new(
        (store, keys): (&'a dyn Store, &'a Keys),
        (catalog, product): (&'a Catalog, &'a Product),
        actor: Actor,
        now: Timestamp,
    ) -> Result<Self, Unavailable> {
        let registered = store.directories().await?.into_iter().map(|row| row.id).collect();
        Ok(Self { store, keys, catalog, product, registered, actor, now })
    }

    /// Into which product.
    pub fn product(&self) -> &ProductName {
        &self.product.name
    }

    /// Whether the row can be imported as things stand; `Err` inside says why not. Hashes are read, not computed.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn look(&self, row: &ImportRow) -> Result<Result<Look, NotImported>, Unavailable> {
        let product = &self.product.name;
        if let Some(record) = self.store.product_account_by_sub(product, &row.sub).await? {
            return Ok(Ok(Look::Present(record.id)));
        }
        if let Err(why) = self.judge(row) {
            return Ok(Err(why));
        }
        for address in &row.addresses {
            let email = &address.email;
            if self.store.product_account_by_address(product, email).await?.is_some() {
                return Ok(Err(NotImported::AddressTaken(email.clone())));
            }
            if self.store.asserted_sub(product, email).await?.is_some_and(|known| known != row.sub) {
                return Ok(Err(NotImported::AddressTold(email.clone())));
            }
        }
        for link in &row.links {
            let Some(key) = self.key(&link.provider, &link.subject) else {
                return Ok(Err(NotImported::Provider(link.provider.clone())));
            };
            if self.store.identity(&key).await?.is_some() {
                return Ok(Err(NotImported::LinkTaken(link.provider.clone())));
            }
        }
        Ok(Ok(Look::New))
    }

    /// What can be said of a row without the store.
    fn judge(&self, row: &ImportRow) -> Result<(), NotImported> {
        let latest = self.now.plus(SKEW);
        let of_addresses = row.addresses.iter().flat_map(|one| [one.verified_at, one.added_at, one.last_login_at]);
        let times = [row.password_set_at, row.created_at, row.last_login_at];
        if of_addresses.chain(times).flatten().any(|time| time > latest) {
            return Err(NotImported::Ahead);
        }
        if let Some(name) = row.enterprise.as_ref().filter(|name| !self.product.has_enterprise(name)) {
            return Err(NotImported::Enterprise(name.clone()));
        }
        match (&row.hash, self.product.passwords) {
            (Some(_), Passwords::None | Passwords::Product) => Err(NotImported::HashNotKept),
            (Some(hash), Passwords::Here) => StoredPassword::takes(hash.reveal()).map_err(NotImported::Hash),
            (None, _) => Ok(()),
        }
    }

    /// The key of an identity at a third party; the issuer and organizations vouch for themselves, and no product for them.
    fn key(&self, provider: &str, subject: &str) -> Option<IdentityKey> {
        let name = DirectoryName::ThirdParty(ThirdPartyName::parse(provider).ok()?);
        let directory = self.catalog.directories.get(self.catalog.directory_names.get(&name)?)?;
        self.registered.contains(&directory.id).then(|| IdentityKey {
            directory: directory.id,
            source: directory.subject_source.clone(),
            subject: subject.to_owned(),
        })
    }

    /// Who would manage the person.
    pub fn standing(&self, row: &ImportRow) -> Standing {
        let proved: Vec<&EmailAddress> =
            row.addresses.iter().filter(|address| address.verified).map(|address| &address.email).collect();
        let orgs =
            managements(self.catalog, &proved, Groups::Unknown).iter().map(|held| held.org.name.clone()).collect();
        let uncovered = proved.iter().map(|email| email.domain()).filter(|domain| self.catalog.is_uncovered(domain));
        Standing { orgs, uncovered: uncovered.map(ToString::to_string).collect() }
    }

    /// Imports rows and records how far the import came, in one commit where nobody is faster. One answer for each row, in order.
    ///
    /// # Errors
    /// [`Halted`].
    pub async fn write(&self, rows: &[ImportRow], ledger: &mut dyn Ledger) -> Result<Vec<Imported>, Halted> {
        let mut done = Vec::with_capacity(rows.len());
        for row in rows {
            done.push(match self.look(row).await? {
                Ok(Look::New) => Imported::Made(ProductAccountId::mint(self.now, random())),
                Ok(Look::Present(id)) => Imported::Present(id),
                Err(why) => Imported::Refused(why),
            });
        }
        let hashed = wrap(rows, &done);
        let mut people = Vec::new();
        for (at, stored) in hashed.into_iter().enumerate() {
            let (Some(row), Some(became)) = (rows.get(at), done.get_mut(at)) else { continue };
            match stored {
                Some(Err(why)) => *became = Imported::Refused(NotImported::Hash(why)),
                stored => people.push((at, row, stored.and_then(Result::ok))),
            }
        }
        let mut whole = Batch::default();
        for (at, row, stored) in &people {
            self.add(&mut whole, row, done.get(*at), stored.clone());
        }
        whole.changes.push(put(ledger.keep(&done)?));
        match self.store.commit(whole).await {
            Ok(_) => return Ok(done),
            Err(NotCommitted::Conflict(_)) => {}
            Err(NotCommitted::Unavailable(fault)) => return Err(fault.into()),
        }
        // Two rows of the batch are in each other's way, or somebody was faster: one by one, then.
        for (at, row, stored) in people {
            let mut batch = Batch::default();
            self.add(&mut batch, row, done.get(at), stored);
            match (self.store.commit(batch).await, done.get_mut(at)) {
                (Ok(_), _) | (Err(NotCommitted::Conflict(_)), None) => {}
                (Err(NotCommitted::Conflict(_)), Some(became)) => *became = Imported::Refused(NotImported::Lost),
                (Err(NotCommitted::Unavailable(fault)), _) => return Err(fault.into()),
            }
        }
        let rest = Batch { changes: vec![put(ledger.keep(&done)?)], ..Batch::default() };
        match self.store.commit(rest).await {
            Ok(_) => Ok(done),
            Err(NotCommitted::Conflict(other)) => {
                Err(Unavailable(format!("how far the import came met {other:?}")).into())
            }
            Err(NotCommitted::Unavailable(fault)) => Err(fault.into()),
        }
    }

    fn add(&self, batch: &mut Batch, row: &ImportRow, became: Option<&Imported>, stored: Option<StoredPassword>) {
        let Some(Imported::Made(id)) = became else { return };
        let links = row.links.iter().filter_map(|link| self.key(&link.provider, &link.subject)).collect();
        let made = Made { row, id: *id, links, stored, actor: Some(self.actor.clone()) };
        made.add_to(batch, &self.product.name, self.keys, self.now);
    }
}

fn put(mark: Mark) -> Change {
    Change::PutSetting { name: mark.name, value: mark.value }
}

/// Puts argon2id over the hashes of the rows that are to be made, on every core: it is what an import costs (rule H18).
fn wrap(rows: &[ImportRow], done: &[Imported]) -> Vec<Option<Result<StoredPassword, NotImportable>>> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut hashed: Vec<Option<Result<StoredPassword, NotImportable>>> = rows.iter().map(|_| None).collect();
    let share = rows.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        for ((rows, done), hashed) in rows.chunks(share).zip(done.chunks(share)).zip(hashed.chunks_mut(share)) {
            scope.spawn(move || {
                for ((row, became), place) in rows.iter().zip(done).zip(hashed) {
                    let hash = row.hash.as_ref().filter(|_| matches!(became, Imported::Made(_)));
                    *place = hash.map(|hash| StoredPassword::wrap(hash.reveal(), random()));
                }
            });
        }
    });
    hashed
}
