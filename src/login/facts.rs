//! What phase B is told, loaded from the store.

use super::Stop;
use super::current::Current;
use super::world::{Visitor, World};
use crate::kernel::admit::{Candidate, ComesFrom, Evidence, Facts, LinkFact, LocalFacts};
use crate::kernel::model::{Account, Catalog, Product, ProductAccount};
use crate::kernel::proof::{OwnerProof, Proof};
use crate::kernel::values::{AccountId, EmailAddress, ProductAccountId};
use crate::store::Unavailable;

impl World {
    /// The facts for a provider's proof, and beside it that of a record's owner, where one was made.
    pub(super) async fn facts_of_proof<'a>(
        &self,
        visitor: &Visitor,
        catalog: &'a Catalog,
        product: Option<&'a Product>,
        proof: &'a Proof,
        (owner, disowned): (Option<OwnerProof>, Option<ProductAccountId>),
    ) -> Result<Facts<'a>, Stop> {
        self.must_be_current()?;
        let claims = proof.claims();
        let linked = match self.store.identity(&claims.identity).await? {
            None => None,
            Some(link) => {
                let account = self.store.account(link.account).await?;
                Some(LinkFact { link, account })
            }
        };
        let account = linked.as_ref().and_then(|fact| fact.account.as_ref());
        let mut candidates = Vec::new();
        if let Some(email) = &claims.email {
            for account in self.store.accounts_by_email(email).await? {
                candidates.push(self.candidate(product, account).await?);
            }
        }
        // Whoever proved that a record is theirs may have an address at the provider that it never had (row T22).
        if let (Some(owner), None, true) = (owner, &linked, candidates.is_empty())
            && let Some(account) = self.store.account(owner.account()).await?
        {
            candidates.push(self.candidate(product, account).await?);
        }
        let given_up = match (&claims.email, product) {
            (Some(email), Some(product)) if candidates.is_empty() && account.is_none() => {
                self.given_up(visitor, product, email).await?
            }
            _ => None,
        };
        // The linked account is a candidate too, as a rule: what was read of it is not read twice.
        let read = account.and_then(|account| candidates.iter().find(|known| known.account.id == account.id));
        let (product_account, further, enrolled) = match (account, read) {
            (None, _) => (None, Vec::new(), false),
            (Some(_), Some(known)) => (known.product_account.clone(), known.further.clone(), known.enrolled),
            (Some(account), None) => (
                self.record_at(product, account.id).await?,
                self.store.proved_addresses_of(account.id).await?,
                self.has_second_step(account.id).await?,
            ),
        };
        let live = account.and_then(|account| account.email.as_ref()).or(claims.email.as_ref()).cloned();
        let windows = match linked {
            Some(_) => Vec::new(),
            None => self.relink_windows(visitor, catalog, (proof, &candidates)).await?,
        };
        let buried = self.is_buried(&claims.identity, claims.email.as_ref()).await?;
        let evidence = Evidence::Proof(proof);
        let mut facts = Facts {
            now: visitor.now,
            catalog,
            product,
            client: ComesFrom::Address(visitor.client),
            evidence,
            local: LocalFacts { enrolled, owner, disowned, ..LocalFacts::default() },
            linked,
            candidates,
            given_up,
            product_account,
            address_taken: None,
            further,
            windows,
            buried,
        };
        facts.local.provisioned = self.provisioned_groups(&facts, proof).await?;
        // What the record that is meant has said itself is no conflict.
        facts.address_taken = self.taken(product, live.as_ref(), facts.record()).await?;
        Ok(facts)
    }

    /// The groups of whoever would be logged in, where the proving directory provisioned them with some: those and the proof's.
    async fn provisioned_groups(&self, facts: &Facts<'_>, proof: &Proof) -> Result<Vec<String>, Stop> {
        let directory = proof.claims().identity.directory;
        if facts.catalog.directories.get(&directory).is_none_or(|known| known.scim.is_none()) {
            return Ok(Vec::new());
        }
        let Some(account) = facts.whom() else { return Ok(Vec::new()) };
        let provisioned = self.store.provisioned_groups_of(directory, account).await?;
        let mut groups: Vec<String> = provisioned.into_iter().map(|group| group.name).collect();
        if !groups.is_empty() {
            groups.extend(proof.claims().groups.iter().cloned());
            groups.sort();
            groups.dedup();
        }
        Ok(groups)
    }

    /// The facts for a live login session (HANDOVER 2).
    pub(super) async fn facts_of_session<'a>(
        &self,
        visitor: &Visitor,
        catalog: &'a Catalog,
        product: &'a Product,
        current: &'a Current,
    ) -> Result<Facts<'a>, Stop> {
        let record = self.record_at(Some(product), current.account.id).await?;
        self.facts_of_record(visitor, catalog, (product, record), current).await
    }

    /// The same, where the person's record at the product was read already.
    pub(super) async fn facts_of_record<'a>(
        &self,
        visitor: &Visitor,
        catalog: &'a Catalog,
        at: (&'a Product, Option<ProductAccount>),
        current: &'a Current,
    ) -> Result<Facts<'a>, Stop> {
        self.must_be_current()?;
        let (product, record) = at;
        let address_taken = self.taken(Some(product), current.account.email.as_ref(), record.as_ref()).await?;
        Ok(Facts {
            now: visitor.now,
            catalog,
            product: Some(product),
            client: ComesFrom::Address(visitor.client),
            local: LocalFacts::default(),
            evidence: Evidence::Session {
                session: &current.session,
                account: &current.account,
                identities: &current.identities,
            },
            linked: None,
            candidates: Vec::new(),
            given_up: None,
            product_account: record,
            address_taken,
            further: current.further.clone(),
            windows: Vec::new(),
            buried: false,
        })
    }

    /// Nobody is let in by a configuration that is known to be of before a change (rule M2).
    pub(super) fn must_be_current(&self) -> Result<(), Stop> {
        if self.orgs.is_behind() || self.keys.is_behind() {
            return Err(Unavailable("what holds of organizations could not be read".into()).into());
        }
        Ok(())
    }

    async fn candidate(&self, product: Option<&Product>, account: Account) -> Result<Candidate, Stop> {
        Ok(Candidate {
            identities: self.store.identities_of(account.id).await?,
            product_account: self.record_at(product, account.id).await?,
            further: self.store.proved_addresses_of(account.id).await?,
            enrolled: self.has_second_step(account.id).await?,
            account,
        })
    }

    /// The account that gave an address up at a product (B23), if its row is whole (rule H12).
    async fn given_up(
        &self,
        visitor: &Visitor,
        product: &Product,
        email: &EmailAddress,
    ) -> Result<Option<Candidate>, Stop> {
        let Some(alias) = self.store.removed_alias(&product.name, email).await? else { return Ok(None) };
        if !self.keys.holds_alias(&alias) {
            self.violated(visitor, "removed address").await?;
            return Ok(None);
        }
        let Some(record) = self.store.product_account_by_id(alias.product_account).await? else { return Ok(None) };
        let Some(account) = self.store.account(record.account).await? else { return Ok(None) };
        Ok(Some(self.candidate(Some(product), account).await?))
    }

    async fn has_second_step(&self, account: AccountId) -> Result<bool, Stop> {
        Ok(self.store.factors_of(account).await?.iter().any(|factor| factor.kind.is_second_step()))
    }

    async fn record_at(&self, product: Option<&Product>, account: AccountId) -> Result<Option<ProductAccount>, Stop> {
        match product {
            Some(product) => Ok(self.store.product_account(&product.name, account).await?),
            None => Ok(None),
        }
    }

    /// The `sub` for which the address was asserted at the product, where that is not this person's own (rule H19).
    async fn taken(
        &self,
        product: Option<&Product>,
        email: Option<&EmailAddress>,
        own: Option<&ProductAccount>,
    ) -> Result<Option<String>, Stop> {
        let (Some(product), Some(email)) = (product, email) else { return Ok(None) };
        let asserted = self.store.asserted_sub(&product.name, email).await?;
        Ok(asserted.filter(|sub| own.is_none_or(|own| own.sub != *sub)))
    }
}
