//! Moves to the one account behind the same switch.

use super::failing::Failing;
use async_trait::async_trait;
use fedgate::kernel::model::{Migration, MigrationProgress, ProductAccount, ProfilePush, Quarantine, RemovedAlias};
use fedgate::kernel::values::{AccountId, EmailAddress, EnterpriseName, ProductAccountId, ProductName, Timestamp};
use fedgate::store::{Migrations, Unavailable};

#[async_trait]
impl Migrations for Failing {
    async fn removed_alias(
        &self,
        product: &ProductName,
        email: &EmailAddress,
    ) -> Result<Option<RemovedAlias>, Unavailable> {
        self.answers()?;
        self.inner.removed_alias(product, email).await
    }

    async fn removed_aliases_of(&self, of: ProductAccountId) -> Result<Vec<RemovedAlias>, Unavailable> {
        self.answers()?;
        self.inner.removed_aliases_of(of).await
    }

    async fn migration_of(&self, of: ProductAccountId) -> Result<Option<Migration>, Unavailable> {
        self.answers()?;
        self.inner.migration_of(of).await
    }

    async fn migrations_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Migration>, Unavailable> {
        self.answers()?;
        self.inner.migrations_due(now, limit).await
    }

    async fn profiles_due(&self, now: Timestamp, limit: usize) -> Result<Vec<ProfilePush>, Unavailable> {
        self.answers()?;
        self.inner.profiles_due(now, limit).await
    }

    async fn quarantine(&self, account: AccountId) -> Result<Option<Quarantine>, Unavailable> {
        self.answers()?;
        self.inner.quarantine(account).await
    }

    async fn quarantines(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<Quarantine>, Unavailable> {
        self.answers()?;
        self.inner.quarantines(after, limit).await
    }

    async fn migrations_stuck(&self, product: &ProductName, limit: usize) -> Result<Vec<Migration>, Unavailable> {
        self.answers()?;
        self.inner.migrations_stuck(product, limit).await
    }

    async fn local_records(
        &self,
        product: &ProductName,
        after: Option<ProductAccountId>,
        limit: usize,
    ) -> Result<Vec<ProductAccount>, Unavailable> {
        self.answers()?;
        self.inner.local_records(product, after, limit).await
    }

    async fn enterprise_members(
        &self,
        of: (&ProductName, &EnterpriseName),
        after: Option<ProductAccountId>,
        limit: usize,
    ) -> Result<Vec<ProductAccount>, Unavailable> {
        self.answers()?;
        self.inner.enterprise_members(of, after, limit).await
    }

    async fn migration_progress(&self, product: &ProductName) -> Result<MigrationProgress, Unavailable> {
        self.answers()?;
        self.inner.migration_progress(product).await
    }
}
