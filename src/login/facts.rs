//! What phase B is told, loaded from the store.

use super::Stop;
use super::current::Current;
use super::world::{Visitor, World};
use crate::kernel::admit::{Candidate, ComesFrom, Evidence, Facts, LinkFact, LocalFacts};
use crate::kernel::model::{Catalog, Product, ProductAccount};
use crate::kernel::proof::{OwnerProof, Proof};
use crate::kernel::values::{AccountId, EmailAddress};
use crate::store::Unavailable;

impl World {
    /// The facts for a provider's proof, and beside it that of a record's owner, where one was made.
    pub(super) async fn facts_of_proof<'a>(
        &self,
        visitor: &Visitor,
        catalog: &'a Catalog,
        product: Option<&'a Product>,
        proof: &'a Proof,
        owner: Option<OwnerProof>,
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
                let identities = self.store.identities_of(account.id).await?;
                let product_account = self.record_at(product, account.id).await?;
                let further = self.store.proved_addresses_of(account.id).await?;
                let enrolled = self.has_second_step(account.id).await?;
                candidates.push(Candidate { account, identities, product_account, further, enrolled });
            }
        }
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
        // Only a candidate that could be the one: several are refused anyway (B18).
        let known = product_account.as_ref().or(match candidates.as_slice() {
            [only] => only.product_account.as_ref(),
            _ => None,
        });
        let live = account.and_then(|account| account.email.as_ref()).or(claims.email.as_ref());
        let address_taken = self.taken(product, live, known).await?;
        let buried = self.is_buried(&claims.identity, claims.email.as_ref()).await?;
        let evidence = Evidence::Proof(proof);
        Ok(Facts {
            now: visitor.now,
            catalog,
            product,
            client: ComesFrom::Address(visitor.client),
            evidence,
            local: LocalFacts { enrolled, owner, ..LocalFacts::default() },
            linked,
            candidates,
            product_account,
            address_taken,
            further,
            buried,
        })
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
            product_account: record,
            address_taken,
            further: current.further.clone(),
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
