//! What is read of accounts that end for good. It is written by [`DeletionChange`](crate::kernel::journal::DeletionChange) in a batch.

use super::Unavailable;
use crate::kernel::model::Deletion;
use crate::kernel::values::{AccountId, Timestamp};
use async_trait::async_trait;

/// Deletions that wait, and tombstones.
#[async_trait]
pub trait Deletions: Send + Sync {
    /// The deletion that waits for an account's day.
    async fn deletion_of(&self, account: AccountId) -> Result<Option<Deletion>, Unavailable>;
    /// Deletions whose day has come at `now`, the longest waiting first, at most `limit`.
    async fn deletions_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Deletion>, Unavailable>;
    /// The deleted account that one of these keyed hashes is a tombstone of; the first that is found.
    async fn buried(&self, keys: &[[u8; 32]]) -> Result<Option<AccountId>, Unavailable>;
}
