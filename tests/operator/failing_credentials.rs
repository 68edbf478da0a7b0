//! People's own credentials behind the same switch.

use super::failing::Failing;
use async_trait::async_trait;
use fedgate::kernel::model::{Address, Factor, FactorKind, MailboxProof, PasswordCredential, ProductAccount};
use fedgate::kernel::values::{AccountId, EmailAddress, MailboxProofId, ProductAccountId, ProductName, Timestamp};
use fedgate::store::{Credentials, LocalShare, Unavailable};

#[async_trait]
impl Credentials for Failing {
    async fn password(&self, of: ProductAccountId) -> Result<Option<PasswordCredential>, Unavailable> {
        self.answers()?;
        self.inner.password(of).await
    }

    async fn factors_of(&self, account: AccountId) -> Result<Vec<Factor>, Unavailable> {
        self.answers()?;
        self.inner.factors_of(account).await
    }

    async fn factors_of_kind(&self, kind: FactorKind, limit: usize) -> Result<Vec<Factor>, Unavailable> {
        self.answers()?;
        self.inner.factors_of_kind(kind, limit).await
    }

    async fn factor_by_handle(&self, handle: &[u8]) -> Result<Option<Factor>, Unavailable> {
        self.answers()?;
        self.inner.factor_by_handle(handle).await
    }

    async fn has_recovery_code(&self, account: AccountId, code: &[u8; 32]) -> Result<bool, Unavailable> {
        self.answers()?;
        self.inner.has_recovery_code(account, code).await
    }

    async fn recovery_codes_left(&self, account: AccountId) -> Result<u32, Unavailable> {
        self.answers()?;
        self.inner.recovery_codes_left(account).await
    }

    async fn mailbox_proof(&self, id: MailboxProofId) -> Result<Option<MailboxProof>, Unavailable> {
        self.answers()?;
        self.inner.mailbox_proof(id).await
    }

    async fn mailbox_proof_by_link(&self, link: &[u8; 32]) -> Result<Option<MailboxProof>, Unavailable> {
        self.answers()?;
        self.inner.mailbox_proof_by_link(link).await
    }

    async fn addresses_of(&self, of: ProductAccountId) -> Result<Vec<Address>, Unavailable> {
        self.answers()?;
        self.inner.addresses_of(of).await
    }

    async fn product_account_by_address(
        &self,
        product: &ProductName,
        email: &EmailAddress,
    ) -> Result<Option<ProductAccount>, Unavailable> {
        self.answers()?;
        self.inner.product_account_by_address(product, email).await
    }

    async fn product_account_by_sub(
        &self,
        product: &ProductName,
        sub: &str,
    ) -> Result<Option<ProductAccount>, Unavailable> {
        self.answers()?;
        self.inner.product_account_by_sub(product, sub).await
    }

    async fn proved_addresses_of(&self, account: AccountId) -> Result<Vec<EmailAddress>, Unavailable> {
        self.answers()?;
        self.inner.proved_addresses_of(account).await
    }

    async fn attempts(&self, bucket: &[u8; 32], now: Timestamp) -> Result<u32, Unavailable> {
        self.answers()?;
        self.inner.attempts(bucket, now).await
    }

    async fn local_share(&self, product: &ProductName) -> Result<LocalShare, Unavailable> {
        self.answers()?;
        self.inner.local_share(product).await
    }
}
