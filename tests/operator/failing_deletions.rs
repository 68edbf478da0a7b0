//! Accounts that end for good, behind the same switch.

use super::failing::Failing;
use async_trait::async_trait;
use fedgate::kernel::model::Deletion;
use fedgate::kernel::values::{AccountId, Timestamp};
use fedgate::store::{Deletions, Unavailable};

#[async_trait]
impl Deletions for Failing {
    async fn deletion_of(&self, account: AccountId) -> Result<Option<Deletion>, Unavailable> {
        self.answers()?;
        self.inner.deletion_of(account).await
    }

    async fn deletions_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Deletion>, Unavailable> {
        self.answers()?;
        self.inner.deletions_due(now, limit).await
    }

    async fn buried(&self, keys: &[[u8; 32]]) -> Result<Option<AccountId>, Unavailable> {
        self.answers()?;
        self.inner.buried(keys).await
    }
}
