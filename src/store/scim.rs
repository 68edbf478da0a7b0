//! What is read of users and groups that directories provision. It is written by
//! [`ScimChange`](crate::kernel::journal::ScimChange) in a batch.

use super::Unavailable;
use crate::kernel::journal::ProvisionedGroup;
use crate::kernel::scim::place::Provisioned;
use crate::kernel::values::{AccountId, DirectoryId};
use async_trait::async_trait;

/// What a user of a directory is found by.
#[derive(Clone, Copy, Debug)]
pub enum UserKey<'a> {
    /// The account.
    Account(AccountId),
    /// `userName`, lower-cased.
    UserName(&'a str),
    /// `externalId`, letter by letter.
    ExternalId(&'a str),
}

/// Users and groups of directories. Users that were deleted are in [`Provisioning::provisioned_of`] alone.
#[async_trait]
pub trait Provisioning: Send + Sync {
    /// A user of a directory.
    async fn provisioned(&self, directory: DirectoryId, key: UserKey<'_>) -> Result<Option<Provisioned>, Unavailable>;
    /// What directories keep of an account, deleted users too.
    async fn provisioned_of(&self, account: AccountId) -> Result<Vec<Provisioned>, Unavailable>;
    /// How many users a directory has.
    async fn count_provisioned(&self, directory: DirectoryId) -> Result<u64, Unavailable>;
    /// Users of a directory in the order of their ids, from this place on, at most `limit`.
    async fn provisioned_users(
        &self,
        directory: DirectoryId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Provisioned>, Unavailable>;

    /// A group of a directory.
    async fn provisioned_group(
        &self,
        directory: DirectoryId,
        id: AccountId,
    ) -> Result<Option<ProvisionedGroup>, Unavailable>;
    /// How many groups a directory has.
    async fn count_provisioned_groups(&self, directory: DirectoryId) -> Result<u64, Unavailable>;
    /// Groups of a directory in the order of their ids, from this place on, at most `limit`.
    async fn provisioned_groups(
        &self,
        directory: DirectoryId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<ProvisionedGroup>, Unavailable>;
    /// Who is in a group, in the order of their ids, at most `limit`.
    async fn provisioned_members(&self, group: AccountId, limit: usize) -> Result<Vec<AccountId>, Unavailable>;
    /// The groups of a directory that an account is in.
    async fn provisioned_groups_of(
        &self,
        directory: DirectoryId,
        account: AccountId,
    ) -> Result<Vec<ProvisionedGroup>, Unavailable>;
}
