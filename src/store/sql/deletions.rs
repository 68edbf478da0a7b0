//! Accounts that end for good, see `deletions.sql`.

use super::super::{Conflict, Deletions, Unavailable};
use super::change::{At, Halt};
use super::{Read, Row, Tables, params, rows};
use crate::kernel::journal::DeletionChange;
use crate::kernel::model::Deletion;
use crate::kernel::values::{AccountId, OrgName, Timestamp};
use async_trait::async_trait;

impl At<'_> {
    /// Applies one change.
    pub(super) fn deletion(&self, change: &DeletionChange) -> Result<(), Halt> {
        match change {
            DeletionChange::Schedule(deletion) => self.schedule(deletion),
            DeletionChange::Cancel(account) => self.cancel_deletion(*account),
            DeletionChange::Bury(account, keys) => self.bury(*account, keys),
            DeletionChange::Lift(account) => {
                self.must("DELETE FROM tombstone WHERE account = ?", params![account.to_bytes()], Conflict::Row)
            }
        }
    }

    fn schedule(&self, d: &Deletion) -> Result<(), Halt> {
        let (was, _) = rows::status_columns(d.was);
        self.must(
            "UPDATE account SET status = 'pending_delete', delete_at = ?3, epoch = epoch + 1
             WHERE id = ?1 AND status = ?2 AND status IN ('active', 'deactivated')",
            params![d.account.to_bytes(), was, d.at.millis()],
            Conflict::Row,
        )?;
        self.must(
            "INSERT INTO deletion (account, was, org, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            params![d.account.to_bytes(), was, d.org.as_ref().map(OrgName::as_str), d.at.millis()],
            Conflict::Row,
        )
    }

    fn cancel_deletion(&self, account: AccountId) -> Result<(), Halt> {
        self.must(
            "UPDATE account SET status = (SELECT was FROM deletion WHERE account = ?1), delete_at = NULL, epoch = epoch + 1
             WHERE id = ?1 AND status = 'pending_delete' AND id IN (SELECT account FROM deletion)",
            params![account.to_bytes()],
            Conflict::Row,
        )?;
        self.must("DELETE FROM deletion WHERE account = ?", params![account.to_bytes()], Conflict::Row)
    }

    fn bury(&self, account: AccountId, keys: &[[u8; 32]]) -> Result<(), Halt> {
        self.must(
            "UPDATE account SET status = 'deleted', delete_at = NULL, email = NULL, email_verified = 0, email_proved_at = NULL,
                 name = NULL, epoch = epoch + 1
             WHERE id = ?1 AND status = 'pending_delete' AND delete_at <= ?2",
            params![account.to_bytes(), self.now.millis()],
            Conflict::Row,
        )?;
        self.must("DELETE FROM deletion WHERE account = ?", params![account.to_bytes()], Conflict::Row)?;
        for gone in ["linked_identity", "mail_language"] {
            self.any(&format!("DELETE FROM {gone} WHERE account = ?"), params![account.to_bytes()])?;
        }
        for key in keys {
            // The same person may be buried twice: the older stone stands.
            let row = params![key, account.to_bytes()];
            self.any("INSERT INTO tombstone (key, account) VALUES (?, ?) ON CONFLICT DO NOTHING", row)?;
        }
        Ok(())
    }
}

const DELETION: &str = "account, was, org, at";

fn deletion(row: &Row<'_>) -> Read<Deletion> {
    let org: Option<String> = row.get(2)?;
    Ok(Deletion {
        account: AccountId::from_bytes(row.get(0)?),
        was: rows::was(row, 1)?,
        org: org.map(|_| rows::parsed(row, 2, OrgName::parse)).transpose()?,
        at: rows::time(row, 3)?,
    })
}

#[async_trait]
impl<D: Tables> Deletions for D {
    async fn deletion_of(&self, account: AccountId) -> Result<Option<Deletion>, Unavailable> {
        let sql = format!("SELECT {DELETION} FROM deletion WHERE account = ?");
        self.one(&sql, params![account.to_bytes()], deletion).await
    }

    async fn deletions_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Deletion>, Unavailable> {
        let sql = format!("SELECT {DELETION} FROM deletion WHERE at <= ? ORDER BY at, account LIMIT ?");
        self.all(&sql, params![now.millis(), i64::try_from(limit).unwrap_or(i64::MAX)], deletion).await
    }

    async fn buried(&self, keys: &[[u8; 32]]) -> Result<Option<AccountId>, Unavailable> {
        let sql = "SELECT account FROM tombstone WHERE key = ?";
        for key in keys {
            let found = self.one(sql, params![key], |row| row.get(0).map(AccountId::from_bytes)).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}
