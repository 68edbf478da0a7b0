//! Reading people's own credentials. Writes are [`CredentialChange`](crate::kernel::journal::CredentialChange)s of a batch.

use super::Unavailable;
use crate::kernel::model::{Address, Factor, FactorKind, MailboxProof, PasswordCredential, ProductAccount};
use crate::kernel::values::{AccountId, EmailAddress, MailboxProofId, ProductAccountId, ProductName, Timestamp};
use async_trait::async_trait;

/// How many records of a product still have a password of their own, of how many (rule H18a).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LocalShare {
    /// Records in the states local and migrating.
    pub local: u64,
    /// All records that somebody can log in to.
    pub all: u64,
}

/// Passwords, second steps, mailbox proofs, addresses of product accounts, counted attempts.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// The password of a product account.
    async fn password(&self, of: ProductAccountId) -> Result<Option<PasswordCredential>, Unavailable>;
    /// A person's second steps, oldest first.
    async fn factors_of(&self, account: AccountId) -> Result<Vec<Factor>, Unavailable>;
    /// Everybody's second steps of one kind, oldest first, at most `limit`.
    async fn factors_of_kind(&self, kind: FactorKind, limit: usize) -> Result<Vec<Factor>, Unavailable>;
    /// The passkey with this credential id.
    async fn factor_by_handle(&self, handle: &[u8]) -> Result<Option<Factor>, Unavailable>;
    /// Whether this is the keyed hash of one of a person's recovery codes.
    async fn has_recovery_code(&self, account: AccountId, code: &[u8; 32]) -> Result<bool, Unavailable>;
    /// How many recovery codes a person has left.
    async fn recovery_codes_left(&self, account: AccountId) -> Result<u32, Unavailable>;
    /// A mailbox proof, also one that is over and not yet swept.
    async fn mailbox_proof(&self, id: MailboxProofId) -> Result<Option<MailboxProof>, Unavailable>;
    /// The mailbox proof with this link.
    async fn mailbox_proof_by_link(&self, link: &[u8; 32]) -> Result<Option<MailboxProof>, Unavailable>;
    /// The addresses of a product account, the primary one first, then by age.
    async fn addresses_of(&self, of: ProductAccountId) -> Result<Vec<Address>, Unavailable>;
    /// The proved addresses of all of a person's records, each once, sorted (rule C3).
    async fn proved_addresses_of(&self, account: AccountId) -> Result<Vec<EmailAddress>, Unavailable>;
    /// The record of a product with this address.
    async fn product_account_by_address(
        &self,
        product: &ProductName,
        email: &EmailAddress,
    ) -> Result<Option<ProductAccount>, Unavailable>;
    /// The record that a product knows by this user id of its own.
    async fn product_account_by_sub(
        &self,
        product: &ProductName,
        sub: &str,
    ) -> Result<Option<ProductAccount>, Unavailable>;
    /// What a bucket holds now; 0 once its time is over.
    async fn attempts(&self, bucket: &[u8; 32], now: Timestamp) -> Result<u32, Unavailable>;
    /// How much of a product still logs in by password. Reads an index whole: callers keep the answer for minutes.
    async fn local_share(&self, product: &ProductName) -> Result<LocalShare, Unavailable>;
}
