//! Providers' grants, behind the same switch.

use super::failing::Failing;
use async_trait::async_trait;
use fedgate::kernel::model::ProviderGrant;
use fedgate::kernel::values::{LoginSessionId, Timestamp};
use fedgate::store::{ProviderGrants, Unavailable};

#[async_trait]
impl ProviderGrants for Failing {
    async fn due_grants(&self, now: Timestamp, limit: usize) -> Result<Vec<ProviderGrant>, Unavailable> {
        self.answers()?;
        self.inner.due_grants(now, limit).await
    }

    async fn provider_grant(&self, session: LoginSessionId) -> Result<Option<ProviderGrant>, Unavailable> {
        self.answers()?;
        self.inner.provider_grant(session).await
    }
}
