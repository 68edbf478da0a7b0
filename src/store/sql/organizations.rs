//! Organizations at run time: their versions, their people, their events.

use super::super::{Conflict, LoggedEvent, Organizations, Unavailable};
use super::change::{At, Halt};
use super::{Read, Row, Tables, params, rows};
use crate::kernel::journal::{OrganizationChange, OrganizationHead, OrganizationVersion};
use crate::kernel::model::Account;
use crate::kernel::values::{AccountId, DomainName, OrgName};
use async_trait::async_trait;

const VERSION: &str = "org, version, at, by, what, document, mac";

impl At<'_> {
    pub(super) fn organization(&self, change: &OrganizationChange) -> Result<(), Halt> {
        match change {
            // Exactly the next one: a writer who decided on an older version has lost.
            OrganizationChange::PutVersion(v) => self.must(
                "INSERT INTO organization_version (org, version, at, by, what, document, mac)
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
                 WHERE ?2 = (SELECT coalesce(max(version), 0) + 1 FROM organization_version WHERE org = ?1)",
                params![v.org.as_str(), v.version, v.at.millis(), v.by, v.what, v.document, v.mac],
                Conflict::Row,
            ),
            OrganizationChange::PutHead(head) => self.must(
                "INSERT INTO organization_head (org, version, mac) SELECT ?1, ?2, ?3
                 WHERE ?2 = (SELECT coalesce(max(version), 0) + 1 FROM organization_head WHERE org = ?1)
                 ON CONFLICT (org) DO UPDATE SET version = ?2, mac = ?3",
                params![head.org.as_str(), head.version, head.mac],
                Conflict::Row,
            ),
        }
    }
}

#[async_trait]
impl<D: Tables> Organizations for D {
    async fn newest_versions(&self) -> Result<Vec<OrganizationVersion>, Unavailable> {
        let sql = format!(
            "SELECT {VERSION} FROM organization_version AS one WHERE version =
             (SELECT max(version) FROM organization_version WHERE org = one.org) ORDER BY org"
        );
        self.all(&sql, params![], version).await
    }

    async fn organization_heads(&self) -> Result<Vec<OrganizationHead>, Unavailable> {
        let head = |row: &Row<'_>| {
            let org = rows::parsed(row, 0, OrgName::parse)?;
            Ok(OrganizationHead { org, version: row.get(1)?, mac: row.get(2)? })
        };
        self.all("SELECT org, version, mac FROM organization_head ORDER BY org", params![], head).await
    }

    async fn organization_version(
        &self,
        org: &OrgName,
        number: u32,
    ) -> Result<Option<OrganizationVersion>, Unavailable> {
        let sql = format!("SELECT {VERSION} FROM organization_version WHERE org = ? AND version = ?");
        self.one(&sql, params![org.as_str(), number], version).await
    }

    async fn organization_versions(
        &self,
        org: &OrgName,
        below: u32,
        limit: usize,
    ) -> Result<Vec<OrganizationVersion>, Unavailable> {
        let sql = format!(
            "SELECT {VERSION} FROM organization_version WHERE org = ? AND version < ? ORDER BY version DESC LIMIT ?"
        );
        self.all(&sql, params![org.as_str(), below, count(limit)], version).await
    }

    async fn accounts_of_domain(
        &self,
        domain: &DomainName,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<Account>, Unavailable> {
        let sql = format!(
            "SELECT {} FROM account WHERE email IS NOT NULL AND substr(email, instr(email, '@') + 1) = ? AND id > ?
             ORDER BY id LIMIT ?",
            rows::ACCOUNT
        );
        let after = after.map_or([0; 16], AccountId::to_bytes);
        self.all(&sql, params![domain.as_str(), after, count(limit)], rows::account).await
    }

    async fn count_accounts_of_domain(&self, domain: &DomainName, limit: usize) -> Result<usize, Unavailable> {
        let sql = "SELECT count(*) FROM (SELECT 1 FROM account WHERE email IS NOT NULL
                   AND substr(email, instr(email, '@') + 1) = ? AND email_verified = 1 AND status <> 'deleted' LIMIT ?) AS page";
        let found: Option<i64> = self.one(sql, params![domain.as_str(), count(limit)], |row| row.get(0)).await?;
        Ok(usize::try_from(found.unwrap_or(0)).unwrap_or(usize::MAX))
    }

    async fn events_of_org(&self, org: &OrgName, before: u64, limit: usize) -> Result<Vec<LoggedEvent>, Unavailable> {
        let sql = "SELECT position, bytes FROM event WHERE org = ? AND position < ? ORDER BY position DESC LIMIT ?";
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        self.all(sql, params![org.as_str(), before, count(limit)], |row| {
            Ok(LoggedEvent { position: row.get::<i64>(0)?.cast_unsigned(), bytes: row.get(1)? })
        })
        .await
    }
}

pub(super) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn version(row: &Row<'_>) -> Read<OrganizationVersion> {
    Ok(OrganizationVersion {
        org: rows::parsed(row, 0, OrgName::parse)?,
        version: row.get(1)?,
        at: rows::time(row, 2)?,
        by: row.get(3)?,
        what: row.get(4)?,
        document: row.get(5)?,
        mac: row.get(6)?,
    })
}
