//! Reading organizations at run time.

use super::{LoggedEvent, Unavailable};
use crate::kernel::journal::{OrganizationHead, OrganizationVersion};
use crate::kernel::model::Account;
use crate::kernel::values::{AccountId, DomainName, OrgName};
use async_trait::async_trait;

/// What the admin API and the runtime overlay read of organizations.
#[async_trait]
pub trait Organizations {
    /// The newest version of every organization that ever had a document, removed ones too, in the order of their names.
    async fn newest_versions(&self) -> Result<Vec<OrganizationVersion>, Unavailable>;
    /// Which version of each is the newest, in the order of their names.
    async fn organization_heads(&self) -> Result<Vec<OrganizationHead>, Unavailable>;
    /// One version.
    async fn organization_version(
        &self,
        org: &OrgName,
        version: u32,
    ) -> Result<Option<OrganizationVersion>, Unavailable>;
    /// Versions below this number, newest first, at most `limit`.
    async fn organization_versions(
        &self,
        org: &OrgName,
        below: u32,
        limit: usize,
    ) -> Result<Vec<OrganizationVersion>, Unavailable>;

    /// People whose live address, verified or not, is in this domain, in the order of their ids, after this one, at most `limit`;
    /// tombstones included.
    async fn accounts_of_domain(
        &self,
        domain: &DomainName,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<Account>, Unavailable>;
    /// How many people have a verified address in this domain; counted up to `limit` and no further.
    async fn count_accounts_of_domain(&self, domain: &DomainName, limit: usize) -> Result<usize, Unavailable>;

    /// Events of an organization before this position, newest first, at most `limit`.
    async fn events_of_org(&self, org: &OrgName, before: u64, limit: usize) -> Result<Vec<LoggedEvent>, Unavailable>;
}
