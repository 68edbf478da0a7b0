//! A store that stops answering when it is told to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fedgate::kernel::domain::DomainProof;
use fedgate::kernel::event::{AboutPerson, AuditEvent};
use fedgate::kernel::journal::mail::{DeadLetter, OutboxCount, OutboxRow};
use fedgate::kernel::journal::{
    ApiToken, Batch, CheckpointRow, DomainRow, KeyRow, OrganizationHead, OrganizationVersion, PolicyRow, RolePin,
};
use fedgate::kernel::model::{
    Account, DirectoryRow, IdentityKey, LinkedIdentity, LoginSession, ProductAccount, ProductSession,
};
use fedgate::kernel::values::{
    AccountId, ApiTokenId, DirectoryId, DomainName, EmailAddress, Language, LoginSessionId, OrgName, ProductAccountId,
    ProductName, ProductSessionId, SessionKey, Timestamp,
};
use fedgate::store::{
    Admins, Committed, DomainProofs, Feed, LoggedEvent, NotCommitted, Organizations, Outbox, Store, Touch, Unavailable,
};
use tokio::sync::Notify;

/// Another store behind a switch.
pub struct Failing {
    pub(super) inner: Arc<dyn Store>,
    out: AtomicBool,
    keys_out: AtomicBool,
    /// Committed by another node when this one first reads where the revocation log stands.
    meanwhile: Mutex<Option<Batch>>,
    /// Documents of organizations were read after that.
    documents_read: AtomicBool,
}

impl Failing {
    pub fn over(inner: Arc<dyn Store>) -> Arc<Self> {
        let (out, keys_out, documents_read) = (AtomicBool::new(false), AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { inner, out, keys_out, meanwhile: Mutex::new(None), documents_read })
    }

    /// Another node commits this at the moment at which this one reads where the revocation log stands.
    pub fn meanwhile(&self, batch: Batch) {
        *self.meanwhile.lock().expect("no panic while it is held") = Some(batch);
    }

    /// Whether documents of organizations were read since.
    pub fn has_read_documents_since(&self) -> bool {
        self.documents_read.load(Ordering::SeqCst)
    }

    /// From now on it answers, or not.
    pub fn switch(&self, out: bool) {
        self.out.store(out, Ordering::SeqCst);
    }

    /// From now on it gives its keys, or not.
    pub fn switch_keys(&self, out: bool) {
        self.keys_out.store(out, Ordering::SeqCst);
    }

    pub(super) fn answers(&self) -> Result<(), Unavailable> {
        if self.out.load(Ordering::SeqCst) { Err(Unavailable("switched off".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for Failing {
    async fn commit(&self, batch: Batch) -> Result<Committed, NotCommitted> {
        self.answers()?;
        self.inner.commit(batch).await
    }

    async fn touch(&self, touches: Vec<Touch>) -> Result<(), Unavailable> {
        self.answers()?;
        self.inner.touch(touches).await
    }

    async fn feed(&self, after: u64) -> Result<Feed, Unavailable> {
        self.answers()?;
        let first = self.meanwhile.lock().expect("no panic while it is held").take_if(|_| after == u64::MAX);
        if let Some(batch) = first {
            self.inner.commit(batch).await.expect("the other node's commit");
            self.documents_read.store(false, Ordering::SeqCst);
        }
        self.inner.feed(after).await
    }

    fn nudge(&self) -> Arc<Notify> {
        self.inner.nudge()
    }

    async fn login_session(&self, key: &SessionKey) -> Result<Option<LoginSession>, Unavailable> {
        self.answers()?;
        self.inner.login_session(key).await
    }

    async fn login_session_by_id(&self, id: LoginSessionId) -> Result<Option<LoginSession>, Unavailable> {
        self.answers()?;
        self.inner.login_session_by_id(id).await
    }

    async fn login_sessions_of(&self, account: AccountId) -> Result<Vec<LoginSession>, Unavailable> {
        self.answers()?;
        self.inner.login_sessions_of(account).await
    }

    async fn login_sessions_named(
        &self,
        directory: DirectoryId,
        name_key: &[u8; 32],
    ) -> Result<Vec<LoginSession>, Unavailable> {
        self.answers()?;
        self.inner.login_sessions_named(directory, name_key).await
    }

    async fn login_sessions(
        &self,
        after: Option<LoginSessionId>,
        limit: usize,
    ) -> Result<Vec<LoginSession>, Unavailable> {
        self.answers()?;
        self.inner.login_sessions(after, limit).await
    }

    async fn product_session(&self, key: &SessionKey) -> Result<Option<ProductSession>, Unavailable> {
        self.answers()?;
        self.inner.product_session(key).await
    }

    async fn product_sessions_of(&self, account: AccountId) -> Result<Vec<ProductSession>, Unavailable> {
        self.answers()?;
        self.inner.product_sessions_of(account).await
    }

    async fn product_session_by_id(&self, id: ProductSessionId) -> Result<Option<ProductSession>, Unavailable> {
        self.answers()?;
        self.inner.product_session_by_id(id).await
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>, Unavailable> {
        self.answers()?;
        self.inner.account(id).await
    }

    async fn accounts_by_email(&self, email: &EmailAddress) -> Result<Vec<Account>, Unavailable> {
        self.answers()?;
        self.inner.accounts_by_email(email).await
    }

    async fn addresses(&self, after: Option<&EmailAddress>, limit: usize) -> Result<Vec<EmailAddress>, Unavailable> {
        self.answers()?;
        self.inner.addresses(after, limit).await
    }

    async fn identity(&self, key: &IdentityKey) -> Result<Option<LinkedIdentity>, Unavailable> {
        self.answers()?;
        self.inner.identity(key).await
    }

    async fn identities_of(&self, account: AccountId) -> Result<Vec<LinkedIdentity>, Unavailable> {
        self.answers()?;
        self.inner.identities_of(account).await
    }

    async fn product_account(
        &self,
        product: &ProductName,
        account: AccountId,
    ) -> Result<Option<ProductAccount>, Unavailable> {
        self.answers()?;
        self.inner.product_account(product, account).await
    }

    async fn product_account_by_id(&self, id: ProductAccountId) -> Result<Option<ProductAccount>, Unavailable> {
        self.answers()?;
        self.inner.product_account_by_id(id).await
    }

    async fn asserted_sub(&self, product: &ProductName, email: &EmailAddress) -> Result<Option<String>, Unavailable> {
        self.answers()?;
        self.inner.asserted_sub(product, email).await
    }

    async fn directories(&self) -> Result<Vec<DirectoryRow>, Unavailable> {
        self.answers()?;
        self.inner.directories().await
    }

    async fn domains(&self) -> Result<Vec<DomainRow>, Unavailable> {
        self.answers()?;
        self.inner.domains().await
    }

    async fn policies(&self) -> Result<Vec<PolicyRow>, Unavailable> {
        self.answers()?;
        self.inner.policies().await
    }

    async fn keys(&self) -> Result<Vec<KeyRow>, Unavailable> {
        if self.keys_out.load(Ordering::SeqCst) {
            return Err(Unavailable("no keys".to_owned()));
        }
        self.answers()?;
        self.inner.keys().await
    }

    async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        self.answers()?;
        self.inner.setting(name).await
    }

    async fn log_size(&self) -> Result<u64, Unavailable> {
        self.answers()?;
        self.inner.log_size().await
    }

    async fn log(&self, from: u64, limit: usize) -> Result<Vec<LoggedEvent>, Unavailable> {
        self.answers()?;
        self.inner.log(from, limit).await
    }

    async fn leaf_hashes(&self, from: u64, to: u64) -> Result<Vec<[u8; 32]>, Unavailable> {
        self.answers()?;
        self.inner.leaf_hashes(from, to).await
    }

    async fn events_by_reference(&self, reference: &str) -> Result<Vec<AuditEvent>, Unavailable> {
        self.answers()?;
        self.inner.events_by_reference(reference).await
    }

    async fn events_about(
        &self,
        person: &AboutPerson,
        before: u64,
        limit: usize,
    ) -> Result<Vec<LoggedEvent>, Unavailable> {
        self.answers()?;
        self.inner.events_about(person, before, limit).await
    }

    async fn checkpoints(&self) -> Result<Vec<CheckpointRow>, Unavailable> {
        self.answers()?;
        self.inner.checkpoints().await
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, Unavailable> {
        self.answers()?;
        self.inner.sweep(now).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[async_trait]
impl Organizations for Failing {
    async fn organization_heads(&self) -> Result<Vec<OrganizationHead>, Unavailable> {
        self.answers()?;
        self.inner.organization_heads().await
    }

    async fn newest_versions(&self) -> Result<Vec<OrganizationVersion>, Unavailable> {
        self.answers()?;
        self.documents_read.store(true, Ordering::SeqCst);
        self.inner.newest_versions().await
    }

    async fn organization_version(
        &self,
        org: &OrgName,
        version: u32,
    ) -> Result<Option<OrganizationVersion>, Unavailable> {
        self.answers()?;
        self.inner.organization_version(org, version).await
    }

    async fn organization_versions(
        &self,
        org: &OrgName,
        below: u32,
        limit: usize,
    ) -> Result<Vec<OrganizationVersion>, Unavailable> {
        self.answers()?;
        self.inner.organization_versions(org, below, limit).await
    }

    async fn accounts_of_domain(
        &self,
        domain: &DomainName,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<Account>, Unavailable> {
        self.answers()?;
        self.inner.accounts_of_domain(domain, after, limit).await
    }

    async fn count_accounts_of_domain(&self, domain: &DomainName, limit: usize) -> Result<usize, Unavailable> {
        self.answers()?;
        self.inner.count_accounts_of_domain(domain, limit).await
    }

    async fn events_of_org(&self, org: &OrgName, before: u64, limit: usize) -> Result<Vec<LoggedEvent>, Unavailable> {
        self.answers()?;
        self.inner.events_of_org(org, before, limit).await
    }
}

#[async_trait]
impl Admins for Failing {
    async fn role_pins(&self) -> Result<Vec<RolePin>, Unavailable> {
        self.answers()?;
        self.inner.role_pins().await
    }

    async fn role_pins_of(&self, account: AccountId) -> Result<Vec<RolePin>, Unavailable> {
        self.answers()?;
        self.inner.role_pins_of(account).await
    }

    async fn api_token(&self, key: &SessionKey) -> Result<Option<ApiToken>, Unavailable> {
        self.answers()?;
        self.inner.api_token(key).await
    }

    async fn api_tokens(&self, after: Option<ApiTokenId>, limit: usize) -> Result<Vec<ApiToken>, Unavailable> {
        self.answers()?;
        self.inner.api_tokens(after, limit).await
    }
}

#[async_trait]
impl Outbox for Failing {
    async fn mail_due(&self, now: Timestamp, limit: usize) -> Result<Vec<OutboxRow>, Unavailable> {
        self.answers()?;
        self.inner.mail_due(now, limit).await
    }

    async fn mail_dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Unavailable> {
        self.answers()?;
        self.inner.mail_dead(limit).await
    }

    async fn mail_language(&self, recipient: &EmailAddress) -> Result<Option<Language>, Unavailable> {
        self.answers()?;
        self.inner.mail_language(recipient).await
    }

    async fn mail_count(&self) -> Result<OutboxCount, Unavailable> {
        self.answers()?;
        self.inner.mail_count().await
    }
}

#[async_trait]
impl DomainProofs for Failing {
    async fn domain_proofs(&self) -> Result<Vec<DomainProof>, Unavailable> {
        self.answers()?;
        self.inner.domain_proofs().await
    }

    async fn domain_proof(&self, org: &OrgName, domain: &DomainName) -> Result<Option<DomainProof>, Unavailable> {
        self.answers()?;
        self.inner.domain_proof(org, domain).await
    }

    async fn domain_proofs_due(&self, now: Timestamp, limit: usize) -> Result<Vec<DomainProof>, Unavailable> {
        self.answers()?;
        self.inner.domain_proofs_due(now, limit).await
    }
}
