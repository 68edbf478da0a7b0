//! Users and groups that directories provision, see `scim.sql`.

use super::super::{Conflict, Provisioning, Unavailable, UserKey};
use super::change::{At, Halt};
use super::organizations::count;
use super::{Read, Row, Tables, params, rows};
use crate::kernel::journal::{ProvisionedGroup, ScimChange};
use crate::kernel::scim::place::Provisioned;
use crate::kernel::values::{AccountId, DirectoryId, Timestamp};
use async_trait::async_trait;

const USER: &str = "directory, account, user_name, external_id, attributes, active, off_epoch, version, created_at, changed_at, deleted_at";
const GROUP: &str = "id, directory, name, external_id, version, created_at, changed_at";

impl At<'_> {
    /// Applies one change.
    pub(super) fn scim(&self, change: &ScimChange) -> Result<(), Halt> {
        match change {
            ScimChange::Add(user) => self.add_user(user),
            ScimChange::Put(user) => self.put_user(user),
            ScimChange::Hold(account) => {
                self.any("UPDATE scim_user SET off_epoch = NULL, version = version + 1 WHERE account = ?", params![account.to_bytes()])
            }
            ScimChange::Unlink(account, directory) => self.any(
                "DELETE FROM linked_identity WHERE account = ? AND directory = ?",
                params![account.to_bytes(), directory.to_bytes()],
            ),
            ScimChange::LeaveGroups(account, directory) => self.any(
                "DELETE FROM scim_member WHERE account = ? AND scim_group IN (SELECT id FROM scim_group WHERE directory = ?)",
                params![account.to_bytes(), directory.to_bytes()],
            ),
            ScimChange::AddGroup(group) => self.add_group(group),
            ScimChange::PutGroup(group) => self.put_group(group),
            ScimChange::DropGroup(group) => {
                self.any("DELETE FROM scim_member WHERE scim_group = ?", params![group.to_bytes()])?;
                self.must("DELETE FROM scim_group WHERE id = ?", params![group.to_bytes()], Conflict::Row)
            }
            ScimChange::Join(group, account) => self.join(*group, *account),
            ScimChange::Leave(group, account) => self.any(
                "DELETE FROM scim_member WHERE scim_group = ? AND account = ?",
                params![group.to_bytes(), account.to_bytes()],
            ),
        }
    }

    fn add_user(&self, u: &Provisioned) -> Result<(), Halt> {
        self.must(
            "INSERT INTO scim_user (directory, account, user_name, external_id, attributes, active, off_epoch, version,
                 created_at, changed_at, deleted_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            params![
                u.directory.to_bytes(),
                u.account.to_bytes(),
                u.user_name,
                u.external_id,
                u.attributes,
                u.active,
                u.off_epoch,
                u.version,
                u.created_at.millis(),
                u.changed_at.millis(),
                u.deleted_at.map(Timestamp::millis)
            ],
            Conflict::Row,
        )
    }

    /// Taken names are looked for first: a statement that meets a unique index would end the batches of others with it.
    fn put_user(&self, u: &Provisioned) -> Result<(), Halt> {
        let named = self.first(
            "SELECT 1 FROM scim_user WHERE directory = ? AND account <> ? AND deleted_at IS NULL
                 AND (user_name = ? OR external_id = ?)",
            params![u.directory.to_bytes(), u.account.to_bytes(), u.user_name, u.external_id],
            |row| row.get::<i64>(0),
        )?;
        if named.is_some() && u.deleted_at.is_none() {
            return Err(Halt::Conflict(Conflict::Row));
        }
        self.must(
            "UPDATE scim_user SET user_name = ?3, external_id = ?4, attributes = ?5, active = ?6, off_epoch = ?7, version = ?8,
                 changed_at = ?9, deleted_at = ?10
             WHERE directory = ?1 AND account = ?2 AND version + 1 = ?8 AND deleted_at IS NULL",
            params![
                u.directory.to_bytes(),
                u.account.to_bytes(),
                u.user_name,
                u.external_id,
                u.attributes,
                u.active,
                u.off_epoch,
                u.version,
                u.changed_at.millis(),
                u.deleted_at.map(Timestamp::millis)
            ],
            Conflict::Row,
        )
    }

    fn add_group(&self, g: &ProvisionedGroup) -> Result<(), Halt> {
        self.must(
            "INSERT INTO scim_group (id, directory, name, external_id, version, created_at, changed_at)
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            params![
                g.id.to_bytes(),
                g.directory.to_bytes(),
                g.name,
                g.external_id,
                g.version,
                g.created_at.millis(),
                g.changed_at.millis()
            ],
            Conflict::Row,
        )
    }

    fn put_group(&self, g: &ProvisionedGroup) -> Result<(), Halt> {
        let named = self.first(
            "SELECT 1 FROM scim_group WHERE directory = ? AND id <> ? AND (name = ? OR external_id = ?)",
            params![g.directory.to_bytes(), g.id.to_bytes(), g.name, g.external_id],
            |row| row.get::<i64>(0),
        )?;
        if named.is_some() {
            return Err(Halt::Conflict(Conflict::Row));
        }
        self.must(
            "UPDATE scim_group SET name = ?3, external_id = ?4, version = ?5, changed_at = ?6
             WHERE id = ?1 AND directory = ?2 AND version + 1 = ?5",
            params![g.id.to_bytes(), g.directory.to_bytes(), g.name, g.external_id, g.version, g.changed_at.millis()],
            Conflict::Row,
        )
    }

    /// Only users of the group's own directory who are there (rule H4).
    fn join(&self, group: AccountId, account: AccountId) -> Result<(), Halt> {
        let is_user = self.first(
            "SELECT 1 FROM scim_user JOIN scim_group ON scim_group.directory = scim_user.directory
             WHERE scim_group.id = ? AND scim_user.account = ? AND scim_user.deleted_at IS NULL",
            params![group.to_bytes(), account.to_bytes()],
            |row| row.get::<i64>(0),
        )?;
        if is_user.is_none() {
            return Err(Halt::Conflict(Conflict::Row));
        }
        self.any(
            "INSERT INTO scim_member (scim_group, account) VALUES (?, ?) ON CONFLICT DO NOTHING",
            params![group.to_bytes(), account.to_bytes()],
        )
    }
}

#[async_trait]
impl<D: Tables> Provisioning for D {
    async fn provisioned(&self, directory: DirectoryId, key: UserKey<'_>) -> Result<Option<Provisioned>, Unavailable> {
        let sql = |column| {
            format!("SELECT {USER} FROM scim_user WHERE directory = ? AND {column} = ? AND deleted_at IS NULL")
        };
        let directory = directory.to_bytes();
        match key {
            UserKey::Account(id) => self.one(&sql("account"), params![directory, id.to_bytes()], user).await,
            UserKey::UserName(name) => self.one(&sql("user_name"), params![directory, name], user).await,
            UserKey::ExternalId(id) => self.one(&sql("external_id"), params![directory, id], user).await,
        }
    }

    async fn provisioned_of(&self, account: AccountId) -> Result<Vec<Provisioned>, Unavailable> {
        let sql = format!("SELECT {USER} FROM scim_user WHERE account = ? ORDER BY directory");
        self.all(&sql, params![account.to_bytes()], user).await
    }

    async fn count_provisioned(&self, directory: DirectoryId) -> Result<u64, Unavailable> {
        let sql = "SELECT count(*) FROM scim_user WHERE directory = ? AND deleted_at IS NULL";
        let found = self.one(sql, params![directory.to_bytes()], |row| row.get::<i64>(0)).await?;
        Ok(found.unwrap_or(0).cast_unsigned())
    }

    async fn provisioned_users(
        &self,
        directory: DirectoryId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Provisioned>, Unavailable> {
        let sql = format!(
            "SELECT {USER} FROM scim_user WHERE directory = ? AND deleted_at IS NULL ORDER BY account LIMIT ? OFFSET ?"
        );
        self.all(&sql, params![directory.to_bytes(), count(limit), place(from)], user).await
    }

    async fn provisioned_group(
        &self,
        directory: DirectoryId,
        id: AccountId,
    ) -> Result<Option<ProvisionedGroup>, Unavailable> {
        let sql = format!("SELECT {GROUP} FROM scim_group WHERE id = ? AND directory = ?");
        self.one(&sql, params![id.to_bytes(), directory.to_bytes()], group).await
    }

    async fn count_provisioned_groups(&self, directory: DirectoryId) -> Result<u64, Unavailable> {
        let sql = "SELECT count(*) FROM scim_group WHERE directory = ?";
        let found = self.one(sql, params![directory.to_bytes()], |row| row.get::<i64>(0)).await?;
        Ok(found.unwrap_or(0).cast_unsigned())
    }

    async fn provisioned_groups(
        &self,
        directory: DirectoryId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<ProvisionedGroup>, Unavailable> {
        let sql = format!("SELECT {GROUP} FROM scim_group WHERE directory = ? ORDER BY id LIMIT ? OFFSET ?");
        self.all(&sql, params![directory.to_bytes(), count(limit), place(from)], group).await
    }

    async fn provisioned_members(&self, group: AccountId, limit: usize) -> Result<Vec<AccountId>, Unavailable> {
        let sql = "SELECT account FROM scim_member WHERE scim_group = ? ORDER BY account LIMIT ?";
        let id = |row: &Row<'_>| row.get(0).map(AccountId::from_bytes);
        self.all(sql, params![group.to_bytes(), count(limit)], id).await
    }

    async fn provisioned_groups_of(
        &self,
        directory: DirectoryId,
        account: AccountId,
    ) -> Result<Vec<ProvisionedGroup>, Unavailable> {
        let sql = format!(
            "SELECT {GROUP} FROM scim_group WHERE directory = ?
                 AND id IN (SELECT scim_group FROM scim_member WHERE account = ?) ORDER BY id"
        );
        self.all(&sql, params![directory.to_bytes(), account.to_bytes()], group).await
    }
}

fn place(from: u64) -> i64 {
    i64::try_from(from).unwrap_or(i64::MAX)
}

fn user(row: &Row<'_>) -> Read<Provisioned> {
    Ok(Provisioned {
        directory: DirectoryId::from_bytes(row.get(0)?),
        account: AccountId::from_bytes(row.get(1)?),
        user_name: row.get(2)?,
        external_id: row.get(3)?,
        attributes: row.get(4)?,
        active: row.get(5)?,
        off_epoch: row.get(6)?,
        version: row.get(7)?,
        created_at: rows::time(row, 8)?,
        changed_at: rows::time(row, 9)?,
        deleted_at: rows::time_if_any(row, 10)?,
    })
}

fn group(row: &Row<'_>) -> Read<ProvisionedGroup> {
    Ok(ProvisionedGroup {
        id: AccountId::from_bytes(row.get(0)?),
        directory: DirectoryId::from_bytes(row.get(1)?),
        name: row.get(2)?,
        external_id: row.get(3)?,
        version: row.get(4)?,
        created_at: rows::time(row, 5)?,
        changed_at: rows::time(row, 6)?,
    })
}
