//! What the store knows, for questions about logins: the configuration as the gateway would join it with its rows, and people as a
//! login loads them. Nothing is written: a directory that has no row yet gets an id that is forgotten again.

use super::node::state;
use super::stored::Wrong;
use crate::config::{Config, Documents, KeySources};
use crate::kernel::admit::Candidate;
use crate::kernel::foresee::{Foresight, Question, foresee};
use crate::kernel::journal::OrganizationVersion;
use crate::kernel::model::{Account, Catalog, Product};
use crate::kernel::values::{EmailAddress, Timestamp};
use crate::orgs::enrol::{Mode, Stored, join};
use crate::store::{Store, Unavailable};

/// Versions of a document that are looked at to find the one of a time; more are nobody's history of a week.
const VERSIONS: usize = 500;

/// The catalog that a gateway with this file has; or had at a time: the file is this one, organizations' documents those of then.
/// `key` opens what the store has sealed: it is that of the gateway whose store this is, whatever another file says of it.
pub(super) async fn catalog(
    store: &dyn Store,
    key: &KeySources,
    config: &Config,
    at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Catalog, Wrong> {
    let kek = state::kek(key)?;
    let mut stored = Stored::load(store).await?;
    if let Some(at) = at {
        stored.versions = versions_at(store, stored.versions, at).await?;
        stored.heads = None;
    }
    let joined = join(&stored, &kek, (&config.catalog, &Documents), Mode::Lead, now)?;
    Ok(joined.catalog(0))
}

/// For each organization the newest version that was there at a time.
async fn versions_at(
    store: &dyn Store,
    newest: Vec<OrganizationVersion>,
    at: Timestamp,
) -> Result<Vec<OrganizationVersion>, Unavailable> {
    let mut found = Vec::new();
    for version in newest {
        if version.at <= at {
            found.push(version);
            continue;
        }
        let older = store.organization_versions(&version.org, version.version, VERSIONS).await?;
        found.extend(older.into_iter().find(|older| older.at <= at));
    }
    Ok(found)
}

/// Everybody whom the store knows by an address, as a login loads them.
pub(super) async fn people(
    store: &dyn Store,
    email: &EmailAddress,
    product: &Product,
) -> Result<Vec<Candidate>, Unavailable> {
    let mut found = Vec::new();
    for account in store.accounts_by_email(email).await? {
        found.push(person(store, account, product).await?);
    }
    Ok(found)
}

async fn person(store: &dyn Store, account: Account, product: &Product) -> Result<Candidate, Unavailable> {
    Ok(Candidate {
        identities: store.identities_of(account.id).await?,
        product_account: store.product_account(&product.name, account.id).await?,
        further: store.proved_addresses_of(account.id).await?,
        enrolled: store.factors_of(account.id).await?.iter().any(|factor| factor.kind.is_second_step()),
        account,
    })
}

/// One person's question, asked of several catalogs: what the store knows is read once.
pub(super) struct Asked {
    pub typed: String,
    pub people: Vec<Candidate>,
    taken: Option<String>,
}

impl Asked {
    /// Reads what the store knows of a typed address.
    pub(super) async fn load(store: &dyn Store, typed: &str, product: &Product) -> Result<Self, Unavailable> {
        let (people, taken) = match EmailAddress::parse(typed) {
            Ok(email) => (people(store, &email, product).await?, store.asserted_sub(&product.name, &email).await?),
            Err(_) => (Vec::new(), None),
        };
        Ok(Self { typed: typed.to_owned(), people, taken })
    }

    /// What a login would come to, by the engine of logins.
    pub(super) fn foresee(&self, catalog: &Catalog, product: &Product, now: Timestamp) -> Foresight {
        foresee(&Question {
            now,
            catalog,
            product,
            typed: &self.typed,
            people: &self.people,
            taken: self.taken.as_deref(),
            client: None,
        })
    }
}
