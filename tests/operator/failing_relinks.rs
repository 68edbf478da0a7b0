//! Changes of provider, behind the same switch.

use super::failing::Failing;
use async_trait::async_trait;
use fedgate::kernel::model::{LinkedIdentity, Relinked, Relinking};
use fedgate::kernel::values::{AccountId, DirectoryId, RelinkId, Timestamp};
use fedgate::store::{Relinks, Unavailable};

#[async_trait]
impl Relinks for Failing {
    async fn relink_windows(&self, to: DirectoryId, now: Timestamp) -> Result<Vec<Relinking>, Unavailable> {
        self.answers()?;
        self.inner.relink_windows(to, now).await
    }

    async fn relinking(&self, id: RelinkId) -> Result<Option<Relinking>, Unavailable> {
        self.answers()?;
        self.inner.relinking(id).await
    }

    async fn relinkings(&self, limit: usize) -> Result<Vec<Relinking>, Unavailable> {
        self.answers()?;
        self.inner.relinkings(limit).await
    }

    async fn relinked(&self, by: RelinkId, account: AccountId) -> Result<Option<Relinked>, Unavailable> {
        self.answers()?;
        self.inner.relinked(by, account).await
    }

    async fn relinked_by(
        &self,
        by: RelinkId,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<Relinked>, Unavailable> {
        self.answers()?;
        self.inner.relinked_by(by, after, limit).await
    }

    async fn identities_at(
        &self,
        directory: DirectoryId,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<LinkedIdentity>, Unavailable> {
        self.answers()?;
        self.inner.identities_at(directory, after, limit).await
    }
}
