//! What directories provision, behind the same switch.

use super::failing::Failing;
use async_trait::async_trait;
use fedgate::kernel::journal::ProvisionedGroup;
use fedgate::kernel::scim::place::Provisioned;
use fedgate::kernel::values::{AccountId, DirectoryId};
use fedgate::store::{Provisioning, Unavailable, UserKey};

#[async_trait]
impl Provisioning for Failing {
    async fn provisioned(&self, directory: DirectoryId, key: UserKey<'_>) -> Result<Option<Provisioned>, Unavailable> {
        self.answers()?;
        self.inner.provisioned(directory, key).await
    }

    async fn provisioned_of(&self, account: AccountId) -> Result<Vec<Provisioned>, Unavailable> {
        self.answers()?;
        self.inner.provisioned_of(account).await
    }

    async fn count_provisioned(&self, directory: DirectoryId) -> Result<u64, Unavailable> {
        self.answers()?;
        self.inner.count_provisioned(directory).await
    }

    async fn provisioned_users(
        &self,
        directory: DirectoryId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Provisioned>, Unavailable> {
        self.answers()?;
        self.inner.provisioned_users(directory, from, limit).await
    }

    async fn provisioned_group(
        &self,
        directory: DirectoryId,
        id: AccountId,
    ) -> Result<Option<ProvisionedGroup>, Unavailable> {
        self.answers()?;
        self.inner.provisioned_group(directory, id).await
    }

    async fn count_provisioned_groups(&self, directory: DirectoryId) -> Result<u64, Unavailable> {
        self.answers()?;
        self.inner.count_provisioned_groups(directory).await
    }

    async fn provisioned_groups(
        &self,
        directory: DirectoryId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<ProvisionedGroup>, Unavailable> {
        self.answers()?;
        self.inner.provisioned_groups(directory, from, limit).await
    }

    async fn provisioned_members(&self, group: AccountId, limit: usize) -> Result<Vec<AccountId>, Unavailable> {
        self.answers()?;
        self.inner.provisioned_members(group, limit).await
    }

    async fn provisioned_groups_of(
        &self,
        directory: DirectoryId,
        account: AccountId,
    ) -> Result<Vec<ProvisionedGroup>, Unavailable> {
        self.answers()?;
        self.inner.provisioned_groups_of(directory, account).await
    }
}
