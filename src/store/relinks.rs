//! What is read of links that move between two directories. It is written by [`RelinkChange`](crate::kernel::journal::RelinkChange)
//! in a batch.

use super::Unavailable;
use crate::kernel::model::{LinkedIdentity, Relinked, Relinking};
use crate::kernel::values::{AccountId, DirectoryId, RelinkId, Timestamp};
use async_trait::async_trait;

/// Changes of provider.
#[async_trait]
pub trait Relinks: Send + Sync {
    /// Windows that let this directory take links over at `now`, the oldest first.
    async fn relink_windows(&self, to: DirectoryId, now: Timestamp) -> Result<Vec<Relinking>, Unavailable>;
    /// One of them, or a map that was carried out.
    async fn relinking(&self, id: RelinkId) -> Result<Option<Relinking>, Unavailable>;
    /// All of them, of every organization, the newest first, at most `limit`. What nobody can take back any more is swept.
    async fn relinkings(&self, limit: usize) -> Result<Vec<Relinking>, Unavailable>;
    /// The link of an account that a relinking moved, also one that was taken back.
    async fn relinked(&self, by: RelinkId, account: AccountId) -> Result<Option<Relinked>, Unavailable>;
    /// Links that a relinking moved, in the order of the accounts' ids, after one, at most `limit`.
    async fn relinked_by(
        &self,
        by: RelinkId,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<Relinked>, Unavailable>;
    /// Links of a directory, in the order of the accounts' ids, after one, at most `limit`.
    async fn identities_at(
        &self,
        directory: DirectoryId,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<LinkedIdentity>, Unavailable>;
}
