//! What is read of records that move to the one account. It is written by
//! [`MigrationChange`](crate::kernel::journal::MigrationChange) in a batch.

use super::Unavailable;
use crate::kernel::model::{Migration, MigrationProgress, ProductAccount, ProfilePush, Quarantine, RemovedAlias};
use crate::kernel::values::{AccountId, EmailAddress, EnterpriseName, ProductAccountId, ProductName, Timestamp};
use async_trait::async_trait;

/// Moves and what they left behind.
#[async_trait]
pub trait Migrations: Send + Sync {
    /// The address as one that a record of the product gave up. A record that has it now is not looked for.
    async fn removed_alias(
        &self,
        product: &ProductName,
        email: &EmailAddress,
    ) -> Result<Option<RemovedAlias>, Unavailable>;
    /// What a record gave up, in the order of the spelling.
    async fn removed_aliases_of(&self, of: ProductAccountId) -> Result<Vec<RemovedAlias>, Unavailable>;
    /// The move of a record, done ones too.
    async fn migration_of(&self, of: ProductAccountId) -> Result<Option<Migration>, Unavailable>;
    /// Moves whose step is due at `now`, intents past their time among them, the longest waiting first, at most `limit`.
    async fn migrations_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Migration>, Unavailable>;
    /// Profiles that a product is to hear of at `now`, the longest waiting first, at most `limit`.
    async fn profiles_due(&self, now: Timestamp, limit: usize) -> Result<Vec<ProfilePush>, Unavailable>;
    /// What stays of an account that was put aside (B21).
    async fn quarantine(&self, account: AccountId) -> Result<Option<Quarantine>, Unavailable>;
    /// Everybody who was put aside and can be brought back, in the order of the ids, after one, at most `limit`.
    async fn quarantines(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<Quarantine>, Unavailable>;
    /// Moves that something failed of and that are not done, the oldest first, at most `limit`.
    async fn migrations_stuck(&self, product: &ProductName, limit: usize) -> Result<Vec<Migration>, Unavailable>;
    /// Records of a product that still have a password (local or on their way), in the order of their ids, after one, at most `limit`.
    async fn local_records(
        &self,
        product: &ProductName,
        after: Option<ProductAccountId>,
        limit: usize,
    ) -> Result<Vec<ProductAccount>, Unavailable>;
    /// Records that belong to an enterprise of a product, in the order of their ids, after one, at most `limit`.
    async fn enterprise_members(
        &self,
        of: (&ProductName, &EnterpriseName),
        after: Option<ProductAccountId>,
        limit: usize,
    ) -> Result<Vec<ProductAccount>, Unavailable>;
    /// How far a product has come. Reads an index whole.
    async fn migration_progress(&self, product: &ProductName) -> Result<MigrationProgress, Unavailable>;
}
