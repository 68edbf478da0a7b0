//! The nouns: what is configured (products, organizations, directories, policies) and what lives (accounts, sessions).
//!
//! Plain records with public fields; the rules about them are in the decision modules. What is configured is a [`Catalog`], one
//! immutable value replaced as a whole at reload.

mod account;
mod adapter;
mod app;
mod catalog;
mod credential;
mod directory;
mod migration;
mod password_api;
mod personal;
mod plan;
mod policy;
mod product;
mod profile;
mod provider_grant;
mod quarantine;
mod relink;
mod session;

pub use account::{
    Account, AccountStatus, Deletion, IdentityKey, LinkedBy, LinkedIdentity, ProductAccount, ProductAccountState,
    SubjectSource,
};
pub use adapter::{Adapter, AdapterKey, NotAnAdapterKey};
pub use app::{App, Grant, NotARedirect, Redirect, Thumbprint};
pub use catalog::{Catalog, DomainClaim, Organization};
pub use credential::{Address, Factor, FactorKind, MailboxProof, MailboxPurpose, PasswordCredential};
pub use directory::{
    ACCOUNT_SOURCE, ClientAuth, Directory, DirectoryRow, ExpiredKeys, MetadataAt, OauthEndpoints, OidcSettings, Polled,
    Protocol, Provisioner, ResponseMode, SamlSettings, Transmitter,
};
pub use migration::{Migration, MigrationProgress, MigrationStep, RemovedAlias, Trigger};
pub use password_api::{ApiRefusal, PasswordApi};
pub use personal::{NotATokenLabel, Personal, Scope, TokenLabel};
pub use plan::{Deadline, MigrationPhase, MigrationPlan, Reminder};
pub use policy::{
    ApiTokens, Limits, Members, NamedPolicy, OnChange, PasswordRule, PeoplePolicy, Policy, SecondStep, Since, Sso,
    ThirdPartyRule, demand,
};
pub use product::{Allow, Claim, Enterprise, Outage, Passwords, Product, Signup, StepUp};
pub use profile::ProfilePush;
pub use provider_grant::{GrantLease, ProviderGrant};
pub use quarantine::{Quarantine, UNDOABLE};
pub use relink::{LONGEST_WINDOW, RELINK_UNDOABLE, Relinked, Relinking};
pub use session::{LoginSession, Method, ProductSession};
