//! Changes of provider in their tables, see `relink.sql`.

use super::super::{Conflict, Relinks, Unavailable};
use super::change::{At, Halt};
use super::{Read, Row, Tables, params, rows};
use crate::kernel::journal::RelinkChange;
use crate::kernel::model::{IdentityKey, LinkedIdentity, Relinked, Relinking, SubjectSource};
use crate::kernel::values::{AccountId, DirectoryId, OrgName, RelinkId, Timestamp};
use async_trait::async_trait;

impl At<'_> {
    /// Applies one change.
    pub(super) fn relink(&self, change: &RelinkChange) -> Result<(), Halt> {
        match change {
            RelinkChange::Open(relinking) => self.open_relinking(relinking),
            RelinkChange::Close(r) => self.must(
                "UPDATE relinking SET until = ?2, mac = ?3 WHERE id = ?1 AND until > ?2",
                params![r.id.to_bytes(), r.until.millis(), r.mac],
                Conflict::Row,
            ),
            RelinkChange::Move(relinked) => self.move_link(relinked),
            RelinkChange::Undo(by, account) => self.take_back(*by, *account),
        }
    }

    fn open_relinking(&self, r: &Relinking) -> Result<(), Halt> {
        self.must(
            "INSERT INTO relinking (id, org, from_directory, to_directory, only_account, opened_at, until, said_by, mac)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            params![
                r.id.to_bytes(),
                r.org.as_str(),
                r.from.to_bytes(),
                r.to.to_bytes(),
                r.only.map(|only| only.to_bytes()),
                r.opened_at.millis(),
                r.until.millis(),
                r.by,
                r.mac,
            ],
            Conflict::Row,
        )
    }

    fn move_link(&self, r: &Relinked) -> Result<(), Halt> {
        self.must(
            "DELETE FROM linked_identity WHERE directory = ? AND source = ? AND subject = ? AND account = ?",
            params![r.old.directory.to_bytes(), r.old.source.0, r.old.subject, r.account.to_bytes()],
            Conflict::Identity,
        )?;
        self.must(
            "INSERT INTO relinked (relinking, account, old_directory, old_source, old_subject, old_by, old_at,
                 new_directory, new_source, new_subject, at, undone, mac)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            params![
                r.relinking.to_bytes(),
                r.account.to_bytes(),
                r.old.directory.to_bytes(),
                r.old.source.0,
                r.old.subject,
                rows::linked_by_column(r.old_by),
                r.old_at.millis(),
                r.new.directory.to_bytes(),
                r.new.source.0,
                r.new.subject,
                r.at.millis(),
                r.undone,
                r.mac,
            ],
            Conflict::Row,
        )
    }

    fn take_back(&self, by: RelinkId, account: AccountId) -> Result<(), Halt> {
        let key = params![by.to_bytes(), account.to_bytes()];
        let sql = "UPDATE relinked SET undone = 1 WHERE relinking = ? AND account = ? AND undone = 0";
        self.must(sql, key, Conflict::Row)?;
        self.must(
            "DELETE FROM linked_identity WHERE account = ?2 AND EXISTS (
                 SELECT 1 FROM relinked r WHERE r.relinking = ?1 AND r.account = ?2
                     AND r.new_directory = linked_identity.directory AND r.new_source = linked_identity.source
                     AND r.new_subject = linked_identity.subject)",
            key,
            Conflict::Identity,
        )
    }
}

const RELINKING: &str = "id, org, from_directory, to_directory, only_account, opened_at, until, said_by, mac";

fn relinking(row: &Row<'_>) -> Read<Relinking> {
    Ok(Relinking {
        id: RelinkId::from_bytes(row.get(0)?),
        org: rows::parsed(row, 1, OrgName::parse)?,
        from: DirectoryId::from_bytes(row.get(2)?),
        to: DirectoryId::from_bytes(row.get(3)?),
        only: row.get::<Option<[u8; 16]>>(4)?.map(AccountId::from_bytes),
        opened_at: rows::time(row, 5)?,
        until: rows::time(row, 6)?,
        by: row.get(7)?,
        mac: row.get(8)?,
    })
}

const RELINKED: &str = "relinking, account, old_directory, old_source, old_subject, old_by, old_at, new_directory, new_source, \
     new_subject, at, undone, mac";

fn relinked(row: &Row<'_>) -> Read<Relinked> {
    let key = |first: usize| -> Read<IdentityKey> {
        Ok(IdentityKey {
            directory: DirectoryId::from_bytes(row.get(first)?),
            source: SubjectSource(row.get(first + 1)?),
            subject: row.get(first + 2)?,
        })
    };
    Ok(Relinked {
        relinking: RelinkId::from_bytes(row.get(0)?),
        account: AccountId::from_bytes(row.get(1)?),
        old: key(2)?,
        old_by: rows::linked_by(row, 5)?,
        old_at: rows::time(row, 6)?,
        new: key(7)?,
        at: rows::time(row, 10)?,
        undone: row.get(11)?,
        mac: row.get(12)?,
    })
}

/// As a statement's limit.
fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// No id is smaller than nothing.
fn beyond(after: Option<AccountId>) -> Vec<u8> {
    after.map(|id| id.to_bytes().to_vec()).unwrap_or_default()
}

#[async_trait]
impl<D: Tables> Relinks for D {
    async fn relink_windows(&self, to: DirectoryId, now: Timestamp) -> Result<Vec<Relinking>, Unavailable> {
        let sql = format!("SELECT {RELINKING} FROM relinking WHERE to_directory = ? AND until > ? ORDER BY id");
        self.all(&sql, params![to.to_bytes(), now.millis()], relinking).await
    }

    async fn relinking(&self, id: RelinkId) -> Result<Option<Relinking>, Unavailable> {
        let sql = format!("SELECT {RELINKING} FROM relinking WHERE id = ?");
        self.one(&sql, params![id.to_bytes()], relinking).await
    }

    async fn relinkings(&self, limit: usize) -> Result<Vec<Relinking>, Unavailable> {
        let sql = format!("SELECT {RELINKING} FROM relinking ORDER BY id DESC LIMIT ?");
        self.all(&sql, params![at_most(limit)], relinking).await
    }

    async fn relinked(&self, by: RelinkId, account: AccountId) -> Result<Option<Relinked>, Unavailable> {
        let sql = format!("SELECT {RELINKED} FROM relinked WHERE relinking = ? AND account = ?");
        self.one(&sql, params![by.to_bytes(), account.to_bytes()], relinked).await
    }

    async fn relinked_by(
        &self,
        by: RelinkId,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<Relinked>, Unavailable> {
        let sql =
            format!("SELECT {RELINKED} FROM relinked WHERE relinking = ? AND account > ? ORDER BY account LIMIT ?");
        self.all(&sql, params![by.to_bytes(), beyond(after), at_most(limit)], relinked).await
    }

    async fn identities_at(
        &self,
        directory: DirectoryId,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<LinkedIdentity>, Unavailable> {
        let columns = rows::IDENTITY;
        let sql = format!(
            "SELECT {columns} FROM linked_identity WHERE directory = ? AND account > ? ORDER BY account LIMIT ?"
        );
        self.all(&sql, params![directory.to_bytes(), beyond(after), at_most(limit)], rows::identity).await
    }
}
