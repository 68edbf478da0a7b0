//! Reading roles and tokens of administrators.

use super::Unavailable;
use crate::kernel::journal::{ApiToken, RolePin};
use crate::kernel::values::{AccountId, ApiTokenId, SessionKey};
use async_trait::async_trait;

/// What is asked about who administers.
#[async_trait]
pub trait Admins {
    /// Every role that was ever taken up.
    async fn role_pins(&self) -> Result<Vec<RolePin>, Unavailable>;
    /// Roles that this person took up.
    async fn role_pins_of(&self, account: AccountId) -> Result<Vec<RolePin>, Unavailable>;
    /// A token by its secret's keyed hash, expired ones too.
    async fn api_token(&self, key: &SessionKey) -> Result<Option<ApiToken>, Unavailable>;
    /// Tokens in the order of their ids, after this one, at most `limit`.
    async fn api_tokens(&self, after: Option<ApiTokenId>, limit: usize) -> Result<Vec<ApiToken>, Unavailable>;
}
