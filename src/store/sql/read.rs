//! The port's methods: writes go to the writer, reads are one prepared statement each.

use super::super::{Committed, Feed, LoggedEvent, NotCommitted, Store, Touch, Unavailable};
use super::organizations::count;
use super::{Read, Row, Tables, params, rows};
use crate::kernel::event::{AboutPerson, AuditEvent};
use crate::kernel::journal::{Batch, CheckpointRow, DomainRow, KeyRow, PolicyRow};
use crate::kernel::model::{
    Account, DirectoryRow, IdentityKey, LinkedIdentity, LoginSession, ProductAccount, ProductSession,
};
use crate::kernel::values::{
    AccountId, DirectoryId, DomainName, EmailAddress, LoginSessionId, OrgName, PolicyName, ProductAccountId,
    ProductName, ProductSessionId, SessionKey, Timestamp,
};
use async_trait::async_trait;
use std::sync::Arc;
use tokio::sync::Notify;

#[async_trait]
impl<D: Tables> Store for D {
    async fn commit(&self, batch: Batch) -> Result<Committed, NotCommitted> {
        self.write(batch).await
    }

    async fn touch(&self, touches: Vec<Touch>) -> Result<(), Unavailable> {
        self.write_touches(touches).await
    }

    async fn feed(&self, after: u64) -> Result<Feed, Unavailable> {
        self.read_feed(after).await
    }

    fn nudge(&self) -> Arc<Notify> {
        self.nudged()
    }

    async fn login_session(&self, key: &SessionKey) -> Result<Option<LoginSession>, Unavailable> {
        let sql = format!("SELECT {} FROM login_session WHERE key = ?", rows::LOGIN_SESSION);
        self.one(&sql, params![key.0], rows::login_session).await
    }

    async fn login_session_by_id(&self, id: LoginSessionId) -> Result<Option<LoginSession>, Unavailable> {
        let sql = format!("SELECT {} FROM login_session WHERE id = ?", rows::LOGIN_SESSION);
        self.one(&sql, params![id.to_bytes()], rows::login_session).await
    }

    async fn login_sessions_of(&self, account: AccountId) -> Result<Vec<LoginSession>, Unavailable> {
        let columns = rows::LOGIN_SESSION;
        let sql = format!("SELECT {columns} FROM login_session WHERE account = ? ORDER BY created_at DESC, id DESC");
        self.all(&sql, params![account.to_bytes()], rows::login_session).await
    }

    async fn login_sessions_named(
        &self,
        directory: DirectoryId,
        name_key: &[u8; 32],
    ) -> Result<Vec<LoginSession>, Unavailable> {
        let columns = rows::LOGIN_SESSION;
        let sql = format!("SELECT {columns} FROM login_session WHERE name_key = ? AND directory = ? ORDER BY id");
        self.all(&sql, params![name_key, directory.to_bytes()], rows::login_session).await
    }

    async fn login_sessions(
        &self,
        after: Option<LoginSessionId>,
        limit: usize,
    ) -> Result<Vec<LoginSession>, Unavailable> {
        let sql = format!("SELECT {} FROM login_session WHERE id > ? ORDER BY id LIMIT ?", rows::LOGIN_SESSION);
        // Every id is longer than no bytes, and so comes after them.
        let after = after.map(|id| id.to_bytes().to_vec()).unwrap_or_default();
        self.all(&sql, params![after, i64::try_from(limit).unwrap_or(i64::MAX)], rows::login_session).await
    }

    async fn product_session(&self, key: &SessionKey) -> Result<Option<ProductSession>, Unavailable> {
        let sql = format!("SELECT {} FROM product_session WHERE key = ?", rows::PRODUCT_SESSION);
        self.one(&sql, params![key.0], rows::product_session).await
    }

    async fn product_sessions_of(&self, account: AccountId) -> Result<Vec<ProductSession>, Unavailable> {
        // By their parents, which have an index on the person.
        let sql = format!(
            "SELECT {} FROM product_session WHERE parent IN (SELECT id FROM login_session WHERE account = ?) \
             ORDER BY created_at DESC, id DESC",
            rows::PRODUCT_SESSION
        );
        self.all(&sql, params![account.to_bytes()], rows::product_session).await
    }

    async fn product_session_by_id(&self, id: ProductSessionId) -> Result<Option<ProductSession>, Unavailable> {
        let sql = format!("SELECT {} FROM product_session WHERE id = ?", rows::PRODUCT_SESSION);
        self.one(&sql, params![id.to_bytes()], rows::product_session).await
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>, Unavailable> {
        let sql = format!("SELECT {} FROM account WHERE id = ?", rows::ACCOUNT);
        self.one(&sql, params![id.to_bytes()], rows::account).await
    }

    async fn accounts_by_email(&self, email: &EmailAddress) -> Result<Vec<Account>, Unavailable> {
        let sql = format!(
            "SELECT {} FROM account WHERE email = ?1 OR id IN (
                 SELECT p.account FROM address a JOIN product_account p ON p.id = a.product_account WHERE a.email = ?1
             ) ORDER BY id",
            rows::ACCOUNT
        );
        self.all(&sql, params![email.as_str()], rows::account).await
    }

    async fn addresses(&self, after: Option<&EmailAddress>, limit: usize) -> Result<Vec<EmailAddress>, Unavailable> {
        let sql = "SELECT email FROM account WHERE email > ?1 AND status <> 'deleted'
                   UNION
                   SELECT a.email FROM address a
                       JOIN product_account p ON p.id = a.product_account
                       JOIN account c ON c.id = p.account
                       WHERE a.email > ?1 AND c.status <> 'deleted'
                   ORDER BY email LIMIT ?2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let after = after.map_or("", EmailAddress::as_str);
        self.all(sql, params![after, limit], |row| rows::parsed(row, 0, EmailAddress::parse)).await
    }

    async fn identity(&self, key: &IdentityKey) -> Result<Option<LinkedIdentity>, Unavailable> {
        let columns = rows::IDENTITY;
        let sql = format!("SELECT {columns} FROM linked_identity WHERE directory = ? AND source = ? AND subject = ?");
        self.one(&sql, params![key.directory.to_bytes(), key.source.0, key.subject], rows::identity).await
    }

    async fn identities_of(&self, account: AccountId) -> Result<Vec<LinkedIdentity>, Unavailable> {
        let sql = format!("SELECT {} FROM linked_identity WHERE account = ? ORDER BY linked_at", rows::IDENTITY);
        self.all(&sql, params![account.to_bytes()], rows::identity).await
    }

    async fn product_account(
        &self,
        product: &ProductName,
        account: AccountId,
    ) -> Result<Option<ProductAccount>, Unavailable> {
        let sql = format!("SELECT {} FROM product_account WHERE product = ? AND account = ?", rows::PRODUCT_ACCOUNT);
        self.one(&sql, params![product.as_str(), account.to_bytes()], rows::product_account).await
    }

    async fn product_account_by_id(&self, id: ProductAccountId) -> Result<Option<ProductAccount>, Unavailable> {
        let sql = format!("SELECT {} FROM product_account WHERE id = ?", rows::PRODUCT_ACCOUNT);
        self.one(&sql, params![id.to_bytes()], rows::product_account).await
    }

    async fn asserted_sub(&self, product: &ProductName, email: &EmailAddress) -> Result<Option<String>, Unavailable> {
        let sql = "SELECT sub FROM asserted_address WHERE product = ? AND email = ?";
        self.one(sql, params![product.as_str(), email.as_str()], |row| row.get(0)).await
    }

    async fn directories(&self) -> Result<Vec<DirectoryRow>, Unavailable> {
        self.all("SELECT id, name, fingerprint, created_at FROM directory ORDER BY created_at, id", params![], |row| {
            Ok(DirectoryRow {
                id: DirectoryId::from_bytes(row.get(0)?),
                name: row.get(1)?,
                fingerprint: row.get(2)?,
                created_at: rows::time(row, 3)?,
            })
        })
        .await
    }

    async fn domains(&self) -> Result<Vec<DomainRow>, Unavailable> {
        self.all("SELECT domain, org, claimed_at, mac FROM domain ORDER BY domain", params![], |row| {
            Ok(DomainRow {
                domain: rows::parsed(row, 0, DomainName::parse)?,
                org: rows::parsed(row, 1, OrgName::parse)?,
                claimed_at: rows::time(row, 2)?,
                mac: row.get(3)?,
            })
        })
        .await
    }

    async fn policies(&self) -> Result<Vec<PolicyRow>, Unavailable> {
        let sql = "SELECT org, fingerprint, epoch, changed_at, name, since, mac FROM policy ORDER BY org, name";
        self.all(sql, params![], |row| {
            Ok(PolicyRow {
                org: rows::parsed(row, 0, OrgName::parse)?,
                name: rows::parsed(row, 4, PolicyName::parse)?,
                fingerprint: row.get(1)?,
                epoch: row.get(2)?,
                changed_at: rows::time(row, 3)?,
                since: rows::times(row, 5)?,
                mac: row.get(6)?,
            })
        })
        .await
    }

    async fn keys(&self) -> Result<Vec<KeyRow>, Unavailable> {
        self.all("SELECT kind, generation, sealed, created_at FROM key ORDER BY generation, kind", params![], |row| {
            Ok(KeyRow {
                kind: row.get(0)?,
                generation: row.get(1)?,
                sealed: row.get(2)?,
                created_at: rows::time(row, 3)?,
            })
        })
        .await
    }

    async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        self.one("SELECT value FROM setting WHERE name = ?", params![name], |row| row.get(0)).await
    }

    async fn log_size(&self) -> Result<u64, Unavailable> {
        let sql = "SELECT coalesce(max(position) + 1, 0) FROM event";
        Ok(self.one(sql, params![], |row| row.get::<i64>(0)).await?.unwrap_or(0).cast_unsigned())
    }

    async fn log(&self, from: u64, limit: usize) -> Result<Vec<LoggedEvent>, Unavailable> {
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = "SELECT position, bytes FROM event WHERE position >= ? ORDER BY position LIMIT ?";
        self.all(sql, params![from, limit], |row| {
            Ok(LoggedEvent { position: row.get::<i64>(0)?.cast_unsigned(), bytes: row.get(1)? })
        })
        .await
    }

    async fn leaf_hashes(&self, from: u64, to: u64) -> Result<Vec<[u8; 32]>, Unavailable> {
        let bound = |position| i64::try_from(position).unwrap_or(i64::MAX);
        let sql = "SELECT leaf FROM event WHERE position >= ? AND position < ? ORDER BY position";
        self.all(sql, params![bound(from), bound(to)], |row| row.get(0)).await
    }

    async fn events_by_reference(&self, reference: &str) -> Result<Vec<AuditEvent>, Unavailable> {
        let sql = "SELECT bytes FROM event WHERE reference = ? ORDER BY position";
        let bytes: Vec<Vec<u8>> = self.all(sql, params![reference], |row| row.get(0)).await?;
        let events: Result<_, _> = bytes.iter().map(|bytes| serde_json::from_slice(bytes)).collect();
        events.map_err(|fault| Unavailable(format!("an event does not read: {fault}")))
    }

    async fn events_about(
        &self,
        person: &AboutPerson,
        before: u64,
        limit: usize,
    ) -> Result<Vec<LoggedEvent>, Unavailable> {
        let Some([one, other]) = person.keys() else { return Ok(Vec::new()) };
        let sql = "SELECT position, bytes FROM event WHERE position IN
                   (SELECT position FROM event_about WHERE about IN (?, ?) AND position < ? ORDER BY position DESC LIMIT ?)
                   ORDER BY position DESC LIMIT ?";
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        // An event may be found by both.
        let (found, limit) = (count(limit.saturating_mul(2)), count(limit));
        self.all(sql, params![one, other, before, found, limit], |row| {
            Ok(LoggedEvent { position: row.get::<i64>(0)?.cast_unsigned(), bytes: row.get(1)? })
        })
        .await
    }

    async fn checkpoints(&self) -> Result<Vec<CheckpointRow>, Unavailable> {
        self.all("SELECT size, at, note FROM checkpoint ORDER BY size", params![], checkpoint).await
    }

    async fn newest_checkpoint(&self) -> Result<Option<CheckpointRow>, Unavailable> {
        self.one("SELECT size, at, note FROM checkpoint ORDER BY size DESC LIMIT 1", params![], checkpoint).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, Unavailable> {
        self.remove_expired(now).await
    }

    async fn close(&self) {
        self.stop().await;
    }
}

fn checkpoint(row: &Row<'_>) -> Read<CheckpointRow> {
    Ok(CheckpointRow { size: row.get::<i64>(0)?.cast_unsigned(), at: rows::time(row, 1)?, note: row.get(2)? })
}
