//! Which class of OCSF an action is of, and which of its activities.

use crate::kernel::event::{Action, AuditEvent};
use serde_json::Value;

/// The activity that stands for one the class has no number for; `activity_name` says which.
const OTHER: u32 = 99;

/// A class of the category Identity & Access Management.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Class {
    /// Something about an account was changed, or was to be.
    AccountChange,
    /// Somebody showed who they are, or stopped being here.
    Authentication,
    /// Somebody got access to a product or a right.
    AuthorizeSession,
    /// Something that is no account was changed.
    EntityManagement(Entity),
}

impl Class {
    /// `class_uid`.
    pub(super) const fn uid(self) -> u32 {
        match self {
            Self::AccountChange => 3001,
            Self::Authentication => 3002,
            Self::AuthorizeSession => 3003,
            Self::EntityManagement(_) => 3004,
        }
    }

    /// `class_name`, the caption in the schema.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AccountChange => "Account Change",
            Self::Authentication => "Authentication",
            Self::AuthorizeSession => "Authorize Session",
            Self::EntityManagement(_) => "Entity Management",
        }
    }
}

/// What was managed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Entity {
    /// An organization.
    Organization,
    /// A policy of one.
    Policy,
    /// A group of a directory.
    Group,
    /// A directory, or what its provider is.
    Directory,
    /// A domain of an organization.
    Domain,
    /// A token of the admin API.
    Token,
    /// A product behind the gateway.
    Product,
    /// The gateway: its configuration, keys, store and processes.
    Gateway,
}

impl Entity {
    /// `type_id` of `managed_entity`.
    pub(super) const fn type_id(self) -> u32 {
        match self {
            Self::Group => 3,
            Self::Organization => 4,
            Self::Policy => 5,
            Self::Directory | Self::Domain | Self::Token | Self::Product | Self::Gateway => OTHER,
        }
    }

    /// `type`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Organization => "Organization",
            Self::Policy => "Policy",
            Self::Group => "Group",
            Self::Directory => "Directory",
            Self::Domain => "Domain",
            Self::Token => "API Token",
            Self::Product => "Product",
            Self::Gateway => "Gateway",
        }
    }

    /// What it is called in the event; else the organization that it belongs to.
    pub(super) fn subject(self, event: &AuditEvent) -> Option<&str> {
        let changed = |name: &str| {
            let records = [event.after.as_ref(), event.before.as_ref()];
            records.into_iter().flatten().find_map(|record| record.get(name).and_then(Value::as_str))
        };
        let own = match self {
            Self::Organization => event.org.as_deref(),
            Self::Policy => event.policy.as_ref().map(|policy| policy.id.as_str()),
            Self::Group => changed("group"),
            Self::Directory => event.directory.as_deref(),
            Self::Domain => changed("domain"),
            Self::Token => changed("id"),
            Self::Product => event.product.as_deref(),
            Self::Gateway => Some("fedgate"),
        };
        own.or(event.directory.as_deref()).or(event.org.as_deref())
    }
}

/// Class and `activity_id`. Exhaustive, so that a new action says here what collectors hear of it.
pub(super) const fn class(action: Action) -> (Class, u32) {
    use Action as A;
    use Class::{AccountChange, Authentication, AuthorizeSession, EntityManagement};
    match action {
        // Logon.
        A::LoginSucceeded
        | A::LoginDenied
        | A::BreakGlassUsed
        | A::ProviderUnavailable
        | A::RemovedAlias
        | A::VerifiersDiffer => (Authentication, 1),
        // Logoff.
        A::SessionEnded | A::ProviderLogout => (Authentication, 2),
        // Before anything was proved.
        A::LoginDeparted => (Authentication, 6),
        A::LoginRerouted
        | A::AppRefreshed
        | A::AppReused
        | A::SignalReceived
        | A::RequestRefused
        | A::RequestRefusedCount
        | A::TokenBlocked => (Authentication, OTHER),
        A::SessionCreated | A::AppAuthorized | A::TokenMade | A::RolePinned => (AuthorizeSession, 1),
        // Create, enable, password change, password reset, disable, delete, lock, factor on, factor off.
        A::JitCreated | A::AccountCreated | A::ScimUserCreated => (AccountChange, 1),
        A::AccountReactivated | A::ScimUserReactivated | A::DeletionCancelled => (AccountChange, 2),
        A::PasswordChanged => (AccountChange, 3),
        A::PasswordResetRequested | A::PasswordResetRefused => (AccountChange, 4),
        A::AccountDeactivated | A::ScimUserDeactivated | A::ScimUserDeleted | A::DeletionScheduled => {
            (AccountChange, 5)
        }
        A::AccountDeleted => (AccountChange, 6),
        A::AccountQuarantined => (AccountChange, 9),
        A::FactorEnrolled => (AccountChange, 10),
        A::FactorRemoved => (AccountChange, 11),
        A::AccountRestored => (AccountChange, 12),
        A::FactorRenamed
        | A::BreakGlassPrepared
        | A::IdentityLinked
        | A::IdentityRelinked
        | A::RelinkUndone
        | A::MigrationStarted
        | A::MigrationRolledBack
        | A::MigrationCommitted
        | A::MigrationCompleted
        | A::MigrationAsked
        | A::EmailChangeRequested
        | A::EmailChangeConfirmed
        | A::EmailChangeCancelled
        | A::MergeDeclined
        | A::MergeCommitted
        | A::MergeCompleted
        | A::ProfileUpdated
        | A::ProfileSynced
        | A::QuarantineSynced
        | A::AddressFreed
        | A::TombstonesLifted
        | A::AccessRemoved
        | A::AccessRestored
        | A::EnterpriseMemberChanged
        | A::AccountManaged
        | A::ScimUserUpdated
        | A::ScimRefused => (AccountChange, OTHER),
        A::OrganizationUpdated => (EntityManagement(Entity::Organization), 3),
        A::OrganizationLockout => (EntityManagement(Entity::Organization), OTHER),
        A::PolicyUpdated => (EntityManagement(Entity::Policy), 3),
        A::PolicyShadowed => (EntityManagement(Entity::Policy), OTHER),
        A::ScimGroupCreated => (EntityManagement(Entity::Group), 1),
        A::ScimGroupUpdated => (EntityManagement(Entity::Group), 3),
        A::ScimGroupDeleted => (EntityManagement(Entity::Group), 4),
        A::DirectoryCreated => (EntityManagement(Entity::Directory), 1),
        A::ProviderKeys | A::RelinkOpened | A::RelinkClosed => (EntityManagement(Entity::Directory), 3),
        A::DomainAdded => (EntityManagement(Entity::Domain), 1),
        A::DomainVerified => (EntityManagement(Entity::Domain), 10),
        A::DomainClaimed => (EntityManagement(Entity::Domain), 6),
        A::DomainUnclaimed => (EntityManagement(Entity::Domain), 7),
        A::DomainSuspended => (EntityManagement(Entity::Domain), 12),
        A::DomainAtRisk | A::DomainDispute => (EntityManagement(Entity::Domain), OTHER),
        A::ApiTokenCreated => (EntityManagement(Entity::Token), 1),
        A::ApiTokenRevoked => (EntityManagement(Entity::Token), 4),
        A::PhaseSet => (EntityManagement(Entity::Product), 3),
        A::MigrationReminded => (EntityManagement(Entity::Product), OTHER),
        A::ConfigReloaded | A::KeysRotated | A::CertificateIssued | A::StoreRestored => {
            (EntityManagement(Entity::Gateway), 3)
        }
        A::ConfigRefused
        | A::CertificateFailed
        | A::IntegrityViolated
        | A::StoreRolledBack
        | A::StoreOpened
        | A::StoreOutage
        | A::NodeStarted => (EntityManagement(Entity::Gateway), OTHER),
    }
}
