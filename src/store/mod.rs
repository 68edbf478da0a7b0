//! The store port: what is durable, and the one way to write it.
//!
//! The only write is [`Store::commit`]; one writer per process takes batches, assigns log positions and commits them in groups.
//! Reads are separate methods and may be inline. The conformance suite is the port's definition: a store that passes it is a
//! store. [`open`] names the concrete ones; both ask their tables in the words of [`sql`].

mod admins;
pub mod copy;
mod credentials;
mod deletions;
mod domains;
mod grants;
mod migrations;
mod organizations;
mod outbox;
mod postgres;
mod relinks;
mod scim;
mod sql;
mod sqlite;

pub use admins::Admins;
pub use credentials::{Credentials, LocalShare};
pub use deletions::Deletions;
pub use domains::DomainProofs;
pub use grants::ProviderGrants;
pub use migrations::Migrations;
pub use organizations::Organizations;
pub use outbox::Outbox;
pub use postgres::Postgres;
pub use relinks::Relinks;
pub use scim::{Provisioning, UserKey};
pub use sqlite::{Snapshot, Sqlite, keys_of, settle, snapshot};

use crate::clock::Clock;
use crate::kernel::event::{AboutPerson, AuditEvent};
use crate::kernel::journal::{Batch, CheckpointRow, DomainRow, KeyRow, MarkKind, PolicyRow, ReplayMark, Revocation};
use crate::kernel::model::{
    Account, DirectoryRow, IdentityKey, LinkedIdentity, LoginSession, ProductAccount, ProductSession,
};
use crate::kernel::values::{
    AccountId, DirectoryId, EmailAddress, LoginSessionId, ProductAccountId, ProductName, ProductSessionId, SessionKey,
    Timestamp,
};
use async_trait::async_trait;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Notify;

/// Why a store cannot be opened. Start-up stops.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither `sqlite:FILE` nor `postgres://…`.
    #[error("a store is `sqlite:` and a file, like `sqlite:fedgate.db`, or `postgres://USER@HOST/DATABASE`")]
    Address,
    /// The server's address, its answer, or what it lacks. Never with the password.
    #[error("the PostgreSQL store cannot be opened: {0}")]
    Server(String),
    /// The store was written by a newer version of this program, which this one cannot share it with.
    #[error("the store has version {found} and this program knows {known}: it was written by a newer one")]
    Newer {
        /// The store's version.
        found: i64,
        /// The newest one known here.
        known: usize,
    },
    /// A copy was to become this store and was cut off.
    #[error("the store is what a copy that was cut off left, and nothing is in it: run `fedgate store copy` again")]
    Unfinished,
    /// The file, its folder or the writer's thread cannot be made.
    #[error("the store's file cannot be opened: {0}")]
    File(#[from] std::io::Error),
    /// Not a database, or its disk fails.
    #[error("the store cannot be opened: {0}")]
    Database(#[from] rusqlite::Error),
}

/// Opens the store that an address names: `sqlite:FILE`, relative to the state folder, which keeps this machine's time, or
/// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, which keeps the server's.
///
/// # Errors
/// [`OpenError`] says what to write, or what the disk or the server said.
pub fn open(url: &str, state: &Path) -> Result<Arc<dyn Store>, OpenError> {
    match url.split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() => Ok(Arc::new(Sqlite::open(&state.join(file), Clock::system())?)),
        Some(("postgres" | "postgresql", _)) => Ok(Arc::new(Postgres::open(url, state, Clock::system())?)),
        _ => Err(OpenError::Address),
    }
}

/// Whether the address of a server can be used, as far as can be told without asking it.
///
/// # Errors
/// [`OpenError`] says what to write.
pub fn server_address(url: &str, state: &Path) -> Result<(), OpenError> {
    match url.split_once(':') {
        Some(("postgres" | "postgresql", _)) => Postgres::address(url, state),
        _ => Err(OpenError::Address),
    }
}

/// What an operator should know of the server of a store, asked now; nothing is changed. Empty of an embedded store.
///
/// # Errors
/// [`OpenError`] as [`open`].
pub fn findings(url: &str, state: &Path) -> Result<Vec<String>, OpenError> {
    match url.split_once(':') {
        Some(("postgres" | "postgresql", _)) => Postgres::findings(url, state),
        _ => Ok(Vec::new()),
    }
}

/// The store cannot be reached or cannot answer. Never a reason to let somebody in.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the store is unavailable: {0}")]
pub struct Unavailable(pub String);

/// Why a batch was not committed. Nothing of it was.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotCommitted {
    /// The store cannot be reached, or it is not known whether the batch is durable.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// Another batch was first: decide again on what is there now.
    #[error("another commit was first: {0:?}")]
    Conflict(Conflict),
}

/// What another batch did first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Conflict {
    /// The mark was taken: this is a replay, or the slower of two.
    Taken(MarkKind),
    /// The identity is linked, or the account already has one of that directory.
    Identity,
    /// The product account exists.
    ProductAccount,
    /// The address was asserted to this product for another `sub`.
    Address,
    /// A credential was used up, changed or taken away meanwhile.
    Credential,
    /// The record at the product is in another state than the change begins in.
    State,
    /// The record moves already, the identity moves another record, or the move went on meanwhile.
    Migration,
    /// What a product is to hear of a record is another thing by now, or is told by somebody else.
    Profile,
    /// The session, or the parent that it hangs on, has ended.
    Ended,
    /// A row with this id, name or generation exists, or the row to change does not.
    Row,
}

/// Whether a one-use thing was used for the first time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Taken {
    /// This caller, and nobody else ever.
    First,
    /// It was used before.
    Again,
}

/// A batch that is durable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Committed {
    /// The audit log's size after it.
    pub log_size: u64,
    /// The store's clock at commit.
    pub at: Timestamp,
}

/// One reading of the revocation log.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Rows after the cursor that was asked for, in order.
    pub rows: Vec<FeedRow>,
    /// Where to ask from next. It may be before the last of the rows, where one may still come late in between: whoever asks from there
    /// knows by their positions which rows were read before.
    pub cursor: u64,
    /// The store's clock at the reading.
    pub now: Timestamp,
}

/// One row of the revocation log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FeedRow {
    /// Its position.
    pub seq: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// What must end.
    pub revocation: Revocation,
}

/// Last activity of sessions, written lossily (storage: last seen).
#[derive(Clone, Copy, Debug)]
pub enum Touch {
    /// A login session.
    Login(LoginSessionId, Timestamp),
    /// A product session.
    Product(ProductSessionId, Timestamp),
}

/// An event with its place in the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoggedEvent {
    /// Its leaf index, from 0.
    pub position: u64,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
}

/// Everything durable.
#[async_trait]
pub trait Store:
    Admins
    + Credentials
    + Deletions
    + DomainProofs
    + Migrations
    + Organizations
    + Outbox
    + Provisioning
    + ProviderGrants
    + Relinks
    + Send
    + Sync
    + 'static
{
    /// Writes a batch: all of it durably, or nothing.
    ///
    /// # Errors
    /// [`NotCommitted::Conflict`] names what another batch did first; [`NotCommitted::Unavailable`] when the store does not
    /// answer. After either, nothing of the batch is visible.
    async fn commit(&self, batch: Batch) -> Result<Committed, NotCommitted>;

    /// Marks something that may happen once: at most one caller in the whole cluster ever gets [`Taken::First`].
    ///
    /// # Errors
    /// [`Unavailable`]: the login is refused.
    async fn take_once(&self, mark: ReplayMark) -> Result<Taken, Unavailable> {
        match self.commit(Batch { marks: vec![mark], ..Batch::default() }).await {
            Ok(_) => Ok(Taken::First),
            Err(NotCommitted::Conflict(Conflict::Taken(_))) => Ok(Taken::Again),
            Err(NotCommitted::Conflict(other)) => Err(Unavailable(format!("a mark met {other:?}"))),
            Err(NotCommitted::Unavailable(fault)) => Err(fault),
        }
    }

    /// Records last activity. Lossy: newer times win, ended sessions are skipped, nothing is logged.
    async fn touch(&self, touches: Vec<Touch>) -> Result<(), Unavailable>;

    /// The revocation log after a cursor; 0 reads from its start, `u64::MAX` only the cursor and the clock. A cursor below the
    /// one asked for means that the store was rolled back (rule H17). After a very long gap a reading may be cut: the cursor
    /// then stands at its last row.
    async fn feed(&self, after: u64) -> Result<Feed, Unavailable>;

    /// Wakes whoever polls the feed, after each commit with revocations in this process.
    fn nudge(&self) -> Arc<Notify>;

    /// A live login session by its cookie's key.
    async fn login_session(&self, key: &SessionKey) -> Result<Option<LoginSession>, Unavailable>;
    /// A live login session by id.
    async fn login_session_by_id(&self, id: LoginSessionId) -> Result<Option<LoginSession>, Unavailable>;
    /// Live login sessions of a person, newest first.
    async fn login_sessions_of(&self, account: AccountId) -> Result<Vec<LoginSession>, Unavailable>;
    /// Live login sessions that a directory made for a name of its provider's, in the order of their ids.
    async fn login_sessions_named(
        &self,
        directory: DirectoryId,
        name_key: &[u8; 32],
    ) -> Result<Vec<LoginSession>, Unavailable>;
    /// Login sessions of everybody in the order of their ids, after this one, at most `limit`: for lists, page by page.
    async fn login_sessions(
        &self,
        after: Option<LoginSessionId>,
        limit: usize,
    ) -> Result<Vec<LoginSession>, Unavailable>;
    /// A live product session by its cookie's key.
    async fn product_session(&self, key: &SessionKey) -> Result<Option<ProductSession>, Unavailable>;
    /// Live product sessions of a person, newest first.
    async fn product_sessions_of(&self, account: AccountId) -> Result<Vec<ProductSession>, Unavailable>;
    /// A live product session by id.
    async fn product_session_by_id(&self, id: ProductSessionId) -> Result<Option<ProductSession>, Unavailable>;

    /// A person, tombstones included.
    async fn account(&self, id: AccountId) -> Result<Option<Account>, Unavailable>;
    /// Persons whose address this is, as their live one or as one of their records' at products, verified or not, tombstones
    /// included.
    async fn accounts_by_email(&self, email: &EmailAddress) -> Result<Vec<Account>, Unavailable>;
    /// Addresses of people who are not gone for good, live ones and those of records at products, verified or not: each once, in
    /// order, after this one, at most `limit`.
    async fn addresses(&self, after: Option<&EmailAddress>, limit: usize) -> Result<Vec<EmailAddress>, Unavailable>;
    /// The link of an external identity.
    async fn identity(&self, key: &IdentityKey) -> Result<Option<LinkedIdentity>, Unavailable>;
    /// All links of a person.
    async fn identities_of(&self, account: AccountId) -> Result<Vec<LinkedIdentity>, Unavailable>;
    /// A person's record at a product.
    async fn product_account(
        &self,
        product: &ProductName,
        account: AccountId,
    ) -> Result<Option<ProductAccount>, Unavailable>;
    /// A product account by id.
    async fn product_account_by_id(&self, id: ProductAccountId) -> Result<Option<ProductAccount>, Unavailable>;
    /// The `sub` for which an address was asserted to a product (rule H19).
    async fn asserted_sub(&self, product: &ProductName, email: &EmailAddress) -> Result<Option<String>, Unavailable>;

    /// All directories ever configured.
    async fn directories(&self) -> Result<Vec<DirectoryRow>, Unavailable>;
    /// All claimed domains.
    async fn domains(&self) -> Result<Vec<DomainRow>, Unavailable>;
    /// The state of all policies.
    async fn policies(&self) -> Result<Vec<PolicyRow>, Unavailable>;
    /// All keys, oldest generation first.
    async fn keys(&self) -> Result<Vec<KeyRow>, Unavailable>;
    /// A small value.
    async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, Unavailable>;

    /// The audit log's size in leaves.
    async fn log_size(&self) -> Result<u64, Unavailable>;
    /// Events from a position on, at most `limit`.
    async fn log(&self, from: u64, limit: usize) -> Result<Vec<LoggedEvent>, Unavailable>;
    /// Leaf hashes `from..to`.
    async fn leaf_hashes(&self, from: u64, to: u64) -> Result<Vec<[u8; 32]>, Unavailable>;
    /// Events that carry this reference.
    async fn events_by_reference(&self, reference: &str) -> Result<Vec<AuditEvent>, Unavailable>;
    /// Events that are about a person or were done by them, newest first: those before a position, at most `limit`.
    async fn events_about(
        &self,
        person: &AboutPerson,
        before: u64,
        limit: usize,
    ) -> Result<Vec<LoggedEvent>, Unavailable>;
    /// The checkpoint of the largest size.
    async fn newest_checkpoint(&self) -> Result<Option<CheckpointRow>, Unavailable> {
        Ok(self.checkpoints().await?.pop())
    }
    /// Checkpoints, oldest first.
    async fn checkpoints(&self) -> Result<Vec<CheckpointRow>, Unavailable>;

    /// Removes what has expired: sessions, marks past their time and 24 h (rule M3), old revocations. How many rows went.
    async fn sweep(&self, now: Timestamp) -> Result<u64, Unavailable>;
    /// Waits for batches under way and closes.
    async fn close(&self);
}
