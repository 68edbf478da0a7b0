//! What is read of providers' grants. They are written by [`GrantChange`](crate::kernel::journal::GrantChange) in a batch, and go with their
//! login sessions.

use super::Unavailable;
use crate::kernel::model::ProviderGrant;
use crate::kernel::values::{LoginSessionId, Timestamp};
use async_trait::async_trait;

/// Grants by which providers are asked about logins.
#[async_trait]
pub trait ProviderGrants: Send + Sync {
    /// Those that are due at `now` and that no process asks about, the longest due first, at most `limit`.
    async fn due_grants(&self, now: Timestamp, limit: usize) -> Result<Vec<ProviderGrant>, Unavailable>;
    /// The one of a login session.
    async fn provider_grant(&self, session: LoginSessionId) -> Result<Option<ProviderGrant>, Unavailable>;
}
