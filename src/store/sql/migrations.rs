//! Moves to the one account in their tables, see `migration.sql`.

use super::super::{Conflict, Migrations, Unavailable};
use super::change::{At, Halt};
use super::{Read, Row, Tables, enterprises, params, profiles, quarantine, rows};
use crate::kernel::journal::MigrationChange;
use crate::kernel::migration::Transition;
use crate::kernel::model::{
    IdentityKey, Migration, MigrationProgress, MigrationStep, ProductAccount, ProfilePush, Quarantine, RemovedAlias,
    SubjectSource, Trigger,
};
use crate::kernel::values::{
    AccountId, DirectoryId, EmailAddress, EnterpriseName, MigrationId, ProductAccountId, ProductName, Timestamp,
};
use async_trait::async_trait;

impl At<'_> {
    /// Applies one change of a move.
    pub(super) fn migration(&self, change: &MigrationChange) -> Result<(), Halt> {
        match change {
            MigrationChange::Move(id, transition) => self.move_record(*id, *transition),
            MigrationChange::Begin(migration) => self.begin_migration(migration),
            MigrationChange::Advance { id, read: (step, attempts), step: next, attempts: now, due_at, fault } => self
                .must(
                    "UPDATE migration SET step = ?4, attempts = ?5, due_at = ?6, fault = ?7,
                         committed_at = CASE WHEN step = 'intent' AND ?4 <> 'intent' THEN ?8 ELSE committed_at END
                     WHERE id = ?1 AND step = ?2 AND attempts = ?3",
                    params![
                        id.to_bytes(),
                        step.code(),
                        attempts,
                        next.code(),
                        now,
                        due_at.millis(),
                        fault,
                        self.now.millis()
                    ],
                    Conflict::Migration,
                ),
            MigrationChange::Cancel(id) => self.must(
                "DELETE FROM migration WHERE id = ? AND step = 'intent'",
                params![id.to_bytes()],
                Conflict::Migration,
            ),
            MigrationChange::Unlink(account, but) => self.any(
                "DELETE FROM linked_identity
                 WHERE account = ? AND NOT (directory = ? AND source = ? AND subject = ?)",
                params![account.to_bytes(), but.directory.to_bytes(), but.source.0, but.subject],
            ),
            MigrationChange::Forget(of) => {
                self.any("DELETE FROM migration WHERE product_account = ?", params![of.to_bytes()])
            }
            MigrationChange::SetAside { kept, epoch } => self.set_aside(kept, *epoch),
            MigrationChange::BringBack(account) => {
                self.must("DELETE FROM quarantine WHERE account = ?", params![account.to_bytes()], Conflict::Row)
            }
            MigrationChange::Free { product, email, sub } => self.any(
                "DELETE FROM asserted_address WHERE product = ? AND email = ? AND sub = ?",
                params![product.as_str(), email.as_str(), sub],
            ),
            MigrationChange::Retire(alias) => self.any(
                "INSERT INTO removed_alias (product, email, product_account, verified, removed_at, mac)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (product, email) DO UPDATE SET
                     product_account = ?3, verified = ?4, removed_at = ?5, mac = ?6",
                params![
                    alias.product.as_str(),
                    alias.email.as_str(),
                    alias.product_account.to_bytes(),
                    alias.verified_when_removed,
                    alias.removed_at.millis(),
                    alias.mac,
                ],
            ),
            MigrationChange::Inherit { product, from, to } => self.any(
                "UPDATE asserted_address SET sub = ?3 WHERE product = ?1 AND sub = ?2",
                params![product.as_str(), from, to],
            ),
        }
    }

    fn move_record(&self, id: ProductAccountId, transition: Transition) -> Result<(), Halt> {
        let (from, _) = rows::state_columns(transition.from());
        let (to, merged_into) = rows::state_columns(transition.to());
        self.must(
            "UPDATE product_account SET state = ?3, merged_into = ?4 WHERE id = ?1 AND state = ?2",
            params![id.to_bytes(), from, to, merged_into],
            Conflict::State,
        )
    }

    fn begin_migration(&self, m: &Migration) -> Result<(), Halt> {
        self.must(
            "INSERT INTO migration (id, product, product_account, cause, directory, source, subject, step, begun_at,
                 committed_at, due_at, attempts, fault)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            params![
                m.id.to_bytes(),
                m.product.as_str(),
                m.product_account.to_bytes(),
                m.trigger.code(),
                m.target.directory.to_bytes(),
                m.target.source.0,
                m.target.subject,
                m.step.code(),
                m.begun_at.millis(),
                m.committed_at.map(Timestamp::millis),
                m.due_at.millis(),
                m.attempts,
                m.fault,
            ],
            Conflict::Migration,
        )
    }
}

const MIGRATION: &str = "id, product, product_account, cause, directory, source, subject, step, begun_at, committed_at, \
     due_at, attempts, fault";

fn migration(row: &Row<'_>) -> Read<Migration> {
    Ok(Migration {
        id: MigrationId::from_bytes(row.get(0)?),
        product: rows::parsed(row, 1, ProductName::parse)?,
        product_account: ProductAccountId::from_bytes(row.get(2)?),
        trigger: rows::parsed(row, 3, |text| Trigger::from_code(text).ok_or("a trigger"))?,
        target: IdentityKey {
            directory: DirectoryId::from_bytes(row.get(4)?),
            source: SubjectSource(row.get(5)?),
            subject: row.get(6)?,
        },
        step: rows::parsed(row, 7, |text| MigrationStep::from_code(text).ok_or("a step of a move"))?,
        begun_at: rows::time(row, 8)?,
        committed_at: rows::time_if_any(row, 9)?,
        due_at: rows::time(row, 10)?,
        attempts: row.get(11)?,
        fault: row.get(12)?,
    })
}

const ALIAS: &str = "product, email, product_account, verified, removed_at, mac";

fn alias(row: &Row<'_>) -> Read<RemovedAlias> {
    Ok(RemovedAlias {
        product: rows::parsed(row, 0, ProductName::parse)?,
        email: rows::parsed(row, 1, EmailAddress::parse)?,
        product_account: ProductAccountId::from_bytes(row.get(2)?),
        verified_when_removed: row.get(3)?,
        removed_at: rows::time(row, 4)?,
        mac: row.get(5)?,
    })
}

#[async_trait]
impl<D: Tables> Migrations for D {
    async fn removed_alias(
        &self,
        product: &ProductName,
        email: &EmailAddress,
    ) -> Result<Option<RemovedAlias>, Unavailable> {
        let sql = format!("SELECT {ALIAS} FROM removed_alias WHERE product = ? AND email = ?");
        self.one(&sql, params![product.as_str(), email.as_str()], alias).await
    }

    async fn removed_aliases_of(&self, of: ProductAccountId) -> Result<Vec<RemovedAlias>, Unavailable> {
        let sql = format!("SELECT {ALIAS} FROM removed_alias WHERE product_account = ? ORDER BY email");
        self.all(&sql, params![of.to_bytes()], alias).await
    }

    async fn migration_of(&self, of: ProductAccountId) -> Result<Option<Migration>, Unavailable> {
        let sql = format!("SELECT {MIGRATION} FROM migration WHERE product_account = ?");
        self.one(&sql, params![of.to_bytes()], migration).await
    }

    async fn migrations_due(&self, now: Timestamp, limit: usize) -> Result<Vec<Migration>, Unavailable> {
        let sql = format!(
            "SELECT {MIGRATION} FROM migration WHERE step <> 'done' AND due_at <= ? ORDER BY due_at, id LIMIT ?"
        );
        self.all(&sql, params![now.millis(), i64::try_from(limit).unwrap_or(i64::MAX)], migration).await
    }

    async fn profiles_due(&self, now: Timestamp, limit: usize) -> Result<Vec<ProfilePush>, Unavailable> {
        profiles::due(self, now, limit).await
    }

    async fn quarantine(&self, account: AccountId) -> Result<Option<Quarantine>, Unavailable> {
        quarantine::one(self, account).await
    }

    async fn quarantines(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<Quarantine>, Unavailable> {
        quarantine::all(self, after, limit).await
    }

    async fn migrations_stuck(&self, product: &ProductName, limit: usize) -> Result<Vec<Migration>, Unavailable> {
        let sql = format!(
            "SELECT {MIGRATION} FROM migration
             WHERE product = ? AND step <> 'done' AND fault IS NOT NULL ORDER BY begun_at, id LIMIT ?"
        );
        self.all(&sql, params![product.as_str(), i64::try_from(limit).unwrap_or(i64::MAX)], migration).await
    }

    async fn local_records(
        &self,
        product: &ProductName,
        after: Option<ProductAccountId>,
        limit: usize,
    ) -> Result<Vec<ProductAccount>, Unavailable> {
        let sql = format!(
            "SELECT {} FROM product_account
             WHERE product = ? AND state IN ('local', 'migrating') AND id > ? ORDER BY id LIMIT ?",
            rows::PRODUCT_ACCOUNT
        );
        // No id is smaller than nothing.
        let after = after.map(|id| id.to_bytes().to_vec()).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.all(&sql, params![product.as_str(), after, limit], rows::product_account).await
    }

    async fn enterprise_members(
        &self,
        of: (&ProductName, &EnterpriseName),
        after: Option<ProductAccountId>,
        limit: usize,
    ) -> Result<Vec<ProductAccount>, Unavailable> {
        enterprises::members(self, of, after, limit).await
    }

    async fn migration_progress(&self, product: &ProductName) -> Result<MigrationProgress, Unavailable> {
        let sql = "SELECT p.state, (SELECT m.merged_into FROM product_account m
                       WHERE m.product = p.product AND m.state = p.state AND m.merged_into IS NOT NULL LIMIT 1), count(*)
                   FROM product_account p WHERE p.product = ? GROUP BY p.product, p.state";
        let states = self
            .all(sql, params![product.as_str()], |row| {
                Ok((rows::state(row, 0, 1)?, row.get::<i64>(2)?.cast_unsigned()))
            })
            .await?;
        let sql = "SELECT count(*), min(committed_at) FROM migration
                   WHERE product = ? AND step NOT IN ('intent', 'done')";
        let waiting = self
            .one(sql, params![product.as_str()], |row| {
                Ok((row.get::<i64>(0)?.cast_unsigned(), rows::time_if_any(row, 1)?))
            })
            .await?;
        let (waiting, oldest) = waiting.unwrap_or_default();
        Ok(MigrationProgress { states, waiting, oldest })
    }
}
