//! What the store knows of a typed address at a product, and what phase A and phase B are told of it.

use super::super::Stop;
use super::super::handover::ProductHost;
use super::super::world::{Visitor, World};
use crate::kernel::admit::{ComesFrom, Evidence, Facts, LocalFacts};
use crate::kernel::identify::{Asked, Known as Address, Lot, Show, identify};
use crate::kernel::local::{Claimant, Steps};
use crate::kernel::model::{Catalog, Factor, PasswordCredential, ProductAccount};
use crate::kernel::proof::Proof;
use crate::kernel::values::{
    AccountId, DirectoryId, DirectoryName, EmailAddress, ProductAccountId, ProductName, Timestamp,
};
use crate::keys::Lookup;
use crate::store::LocalShare;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A record of the product that a typed address names, with who would log in with it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub record: ProductAccount,
    pub claimant: Claimant,
}

/// How much of each product still logs in by password: counted seldom, since it means reading an index whole.
#[derive(Debug, Default)]
pub struct Shares(Mutex<HashMap<ProductName, (Timestamp, LocalShare)>>);

/// How long a count is good.
const COUNTED: Duration = Duration::from_secs(5 * 60);

impl World {
    /// Phase A at a product's door.
    pub(super) async fn identified(&self, visitor: &Visitor, at: &ProductHost, typed: &str) -> Result<Show, Stop> {
        let catalog = self.catalog.load_full();
        let Ok(email) = EmailAddress::parse(typed) else { return Ok(Show::Invalid) };
        let product = &at.product.name;
        let known = match self.store.product_account_by_address(product, &email).await? {
            Some(record) => Address::Record(record.state),
            None if !self.store.accounts_by_email(&email).await?.is_empty() => Address::Account,
            None if self.store.removed_alias(product, &email).await?.is_some() => Address::Removed,
            None => Address::Nobody,
        };
        let share = self.share(product, visitor.now).await?;
        let hash = self.keys.lookup(Lookup::Decoy, &[product.as_str().as_bytes(), email.as_str().as_bytes()]);
        let draw = hash.iter().take(8).fold(0_u64, |draw, byte| draw << 8 | u64::from(*byte));
        let lot = Lot { draw, local: share.local, others: share.all.saturating_sub(share.local) };
        let asked = Asked { catalog: &catalog, product: Some(&at.product), now: visitor.now, typed, known, lot };
        let shown = identify(&asked).show;
        self.foreshadow_page(visitor, &asked, &shown);
        Ok(shown)
    }

    async fn share(&self, product: &ProductName, now: Timestamp) -> Result<LocalShare, Stop> {
        let shares = || self.shares.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((counted, share)) = shares().get(product)
            && now.since(*counted) < COUNTED
        {
            return Ok(*share);
        }
        let share = self.store.local_share(product).await?;
        shares().insert(product.clone(), (now, share));
        Ok(share)
    }

    /// The product's record with this address, and who would log in with it.
    pub(super) async fn known(&self, at: &ProductHost, email: &EmailAddress) -> Result<Option<Known>, Stop> {
        let Some(directory) = self.local_directory(at) else { return Ok(None) };
        let Some(record) = self.store.product_account_by_address(&at.product.name, email).await? else {
            return Ok(None);
        };
        let Some(account) = self.store.account(record.account).await? else { return Ok(None) };
        let addresses = self.store.addresses_of(record.id).await?;
        let Some(address) = addresses.into_iter().find(|address| address.email == *email) else { return Ok(None) };
        let claimant = Claimant {
            directory,
            account: account.id,
            record: record.id,
            email: address.email,
            email_verified: address.verified,
            epoch: account.epoch,
        };
        Ok(Some(Known { record, claimant }))
    }

    /// The product's own directory.
    pub(super) fn local_directory(&self, at: &ProductHost) -> Option<DirectoryId> {
        let name = DirectoryName::Local(at.product.name.clone());
        self.catalog.load().directory_names.get(&name).copied()
    }

    /// A record's password, if its row is whole (rule H12).
    pub(super) async fn password_of(
        &self,
        visitor: &Visitor,
        record: ProductAccountId,
    ) -> Result<Option<PasswordCredential>, Stop> {
        let Some(password) = self.store.password(record).await? else { return Ok(None) };
        if self.keys.holds_password(&password) {
            return Ok(Some(password));
        }
        self.violated(visitor, "password").await?;
        Ok(None)
    }

    /// A person's second steps. One whose row was changed refuses the login (rule H12): it may be the only one.
    pub(in crate::login) async fn factors(&self, visitor: &Visitor, account: AccountId) -> Result<Vec<Factor>, Stop> {
        let mut factors = self.store.factors_of(account).await?;
        // The emergency door's are a second step nowhere.
        factors.retain(|factor| factor.kind.is_second_step());
        if let Some(bad) = factors.iter().find(|factor| !self.keys.holds_factor(factor)) {
            self.violated(visitor, "factor").await?;
            return Err(Stop::Fault(format!("the second step {} does not hold", bad.id)));
        }
        Ok(factors)
    }

    /// Proved addresses of a person's records besides the account's live one (rule C3).
    pub(in crate::login) async fn further(&self, steps: &Steps) -> Result<Vec<EmailAddress>, Stop> {
        Ok(self.store.proved_addresses_of(steps.claimant().account).await?)
    }

    /// The facts for steps that were proved to us.
    pub(super) async fn facts_of_local<'a>(
        &self,
        visitor: &Visitor,
        (catalog, at): (&'a Catalog, &'a ProductHost),
        (steps, proof): (&Steps, &'a Proof),
        further: &'a [EmailAddress],
    ) -> Result<Facts<'a>, Stop> {
        self.must_be_current()?;
        let id = steps.claimant().account;
        // What was proved before the epoch rose is worth nothing (rule H14).
        let account = self.store.account(id).await?.filter(|account| account.epoch == steps.claimant().epoch);
        let record = self.store.product_account(&at.product.name, id).await?;
        let record = record.filter(|record| record.id == steps.claimant().record);
        let live = account.as_ref().and_then(|account| account.email.as_ref());
        let asserted = match live {
            Some(email) => self.store.asserted_sub(&at.product.name, email).await?,
            None => None,
        };
        let address_taken = asserted.filter(|sub| record.as_ref().is_none_or(|record| record.sub != *sub));
        let enrolled = !self.factors(visitor, id).await?.is_empty();
        Ok(Facts {
            now: visitor.now,
            catalog,
            product: Some(&at.product),
            client: ComesFrom::Address(visitor.client),
            evidence: Evidence::Proof(proof),
            local: LocalFacts {
                account,
                enrolled,
                step: steps.second(),
                password: steps.password(),
                ..LocalFacts::default()
            },
            linked: None,
            candidates: Vec::new(),
            given_up: None,
            product_account: record,
            address_taken,
            further: further.to_vec(),
            windows: Vec::new(),
            buried: false,
        })
    }
}
