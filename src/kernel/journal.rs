//! What a commit may contain. State, revocations and audit events of one fact travel in one [`Batch`] and are durable together
//! or not at all: a login that was not recorded is not admitted.
//!
//! A new kind of state is a variant of [`Change`], a column in the stores, and rows in the conformance suite. Rows of one topic
//! have a file of their own below `journal/`.

mod access;
mod admin;
mod organization;

pub use access::AccessChange;
pub use admin::{AdminChange, ApiToken, Reach, Role, RolePin};
pub use organization::{OrganizationChange, OrganizationHead, OrganizationVersion};

mod credential;
mod deletion;
pub mod domain;
mod grant;
pub mod mail;
mod migration;
mod profile;
mod relink;
mod restore;
mod scim;

pub use credential::CredentialChange;
pub use deletion::DeletionChange;
pub use grant::GrantChange;
pub use migration::MigrationChange;
pub use profile::ProfileChange;
pub use relink::RelinkChange;
pub use restore::RestoreChange;
pub use scim::{ProvisionedGroup, ScimChange};

use super::event::AuditEvent;
use super::model::{
    Account, AccountStatus, DirectoryRow, Grant, LinkedIdentity, LoginSession, ProductAccount, ProductSession, Since,
};
use super::values::{
    AccountId, DirectoryId, DomainName, EmailAddress, LoginSessionId, OrgName, PolicyName, ProductName,
    ProductSessionId, Timestamp,
};

/// One atomic write.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Things that may happen once. One that happened before refuses the whole batch.
    pub marks: Vec<ReplayMark>,
    /// State, in order.
    pub changes: Vec<Change>,
    /// What must end on every node within a second.
    pub revocations: Vec<Revocation>,
    /// What is recorded.
    pub events: Vec<AuditEvent>,
}

/// Something that may happen once in the whole cluster: a state, a code, an assertion id.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ReplayMark {
    /// What kind of thing; kinds never collide.
    pub kind: MarkKind,
    /// SHA-256 of it.
    pub digest: [u8; 32],
    /// Kept at least until then (and 24 h beyond, rule M3).
    pub until: Timestamp,
}

/// Kinds of one-use things.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum MarkKind {
    /// The `state` of a login under way.
    State,
    /// The one-time code of a handover.
    Handover,
    /// The one-time code of an app (RFC 6749 §4.1.2).
    AppCode,
    /// The `jti` of an app's proof that it holds its key, at the token endpoint (RFC 9449 §11.1).
    Dpop,
    /// The `jti` of a provider's id_token, or its `nonce`.
    Token,
    /// An attempt to get a certificate for a host name: one in the cluster at a time, few in an hour.
    Order,
    /// A kept request that is sent to its product (rule H9).
    Replay,
    /// A SAML assertion, burnt at its first verification (rule M20), or a logout message.
    Assertion,
    /// A challenge for an authenticator, and what it was answered with on its way back to a door.
    Passkey,
    /// The `jti` of what a provider said outside a login.
    Signal,
    /// A page of people who are reminded of a deadline.
    Reminder,
}

impl MarkKind {
    /// The stable name in stores.
    pub const fn code(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Handover => "handover",
            Self::AppCode => "app-code",
            Self::Dpop => "dpop",
            Self::Token => "token",
            Self::Order => "order",
            Self::Replay => "replay",
            Self::Assertion => "assertion",
            Self::Passkey => "passkey",
            Self::Signal => "signal",
            Self::Reminder => "reminder",
        }
    }
}

/// One change of state.
#[derive(Clone, Debug)]
pub enum Change {
    /// A new person. Conflict when the id is taken.
    CreateAccount(Account),
    /// New address, name or times; never the id, status or epoch.
    UpdateAccount(Account),
    /// Status changes raise the epoch by one in the same row.
    SetAccountStatus(AccountId, AccountStatus),
    /// Raises the account's epoch by one: everything older than this commit dies (rule H14). Conflict when there is no such row.
    RaiseEpoch(AccountId),
    /// A new product account; (product, account) and (product, sub) are unique.
    CreateProductAccount(ProductAccount),
    /// A product's own word, or its enterprise's, on one of its users (row T37).
    Access(AccessChange),
    /// A new link; the identity key is unique, and so is (account, directory).
    Link(LinkedIdentity),
    /// Every link of a person goes: those identities open nothing any more, and name nobody.
    UnlinkAll(AccountId),
    /// An address asserted to a product for a `sub`; an address never gets a second `sub` there (rule H19).
    AssertAddress {
        /// The product.
        product: ProductName,
        /// The address.
        email: EmailAddress,
        /// The product's user id.
        sub: String,
    },
    /// A new login session.
    CreateLoginSession(LoginSession),
    /// A new product session. Conflict when its parent has ended.
    CreateProductSession(ProductSession),
    /// Ends a login session and its children.
    EndLoginSession(LoginSessionId),
    /// Ends one product session.
    EndProductSession(ProductSessionId),
    /// Ends every session of a person.
    EndSessionsOf(AccountId),
    /// Whether a product asks before it is re-entered from this login session (HANDOVER 6).
    AskBefore {
        /// The login session.
        session: LoginSessionId,
        /// The product.
        product: ProductName,
        /// Ask, or not any more.
        ask: bool,
    },
    /// An app's refresh token was used: the next one takes its place. `Conflict::State` when another use was faster, `Conflict::Ended`
    /// when there is no such session any more.
    TurnGrant {
        /// The app's login session.
        session: LoginSessionId,
        /// How often it had turned.
        from: u32,
        /// What stands there now.
        grant: Grant,
        /// The session's new MAC.
        mac: [u8; 32],
    },
    /// A directory seen in the configuration for the first time.
    RegisterDirectory(DirectoryRow),
    /// A domain claimed or released.
    PutDomain(DomainRow),
    /// Removes a domain's claim.
    DropDomain(DomainName),
    /// The state of a policy: when it changed and its epoch.
    PutPolicy(PolicyRow),
    /// A sealed key.
    PutKey(KeyRow),
    /// Removes a key of a kind and generation.
    DropKey {
        /// Its kind.
        kind: String,
        /// Its generation.
        generation: u32,
    },
    /// Changes nothing, and is a conflict unless this key is in the store and no statement about more than this many events: two
    /// processes sign for one log, and neither may do so with a key that the other one has replaced, nor behind its back (rule H13).
    MaySign {
        /// The key's kind.
        kind: String,
        /// Its generation.
        generation: u32,
        /// How many events it is about to state.
        size: u64,
    },
    /// A signed checkpoint of the audit log.
    PutCheckpoint(CheckpointRow),
    /// Organizations at run time.
    Organization(OrganizationChange),
    /// Roles and tokens of administrators.
    Admin(AdminChange),
    /// A change of a person's own credentials.
    Credential(CredentialChange),
    /// A record moves to the one account.
    Migration(MigrationChange),
    /// An account ends for good, or does not.
    Deletion(DeletionChange),
    /// Names and addresses that products have yet to hear of.
    Profile(ProfileChange),
    /// Links that move between two directories of an organization.
    Relink(RelinkChange),
    /// A grant by which a provider is asked again about a login.
    Grant(GrantChange),
    /// A restored store is cleansed.
    Restore(RestoreChange),
    /// What a directory provisions.
    Scim(ScimChange),
    /// A proof of a domain.
    Domain(domain::DomainChange),
    /// Mail that waits to be sent.
    Mail(mail::MailChange),
    /// A small value of the gateway's own, such as the last time a sweep ran.
    PutSetting {
        /// Its name.
        name: String,
        /// Its value.
        value: Vec<u8>,
    },
    /// The same where it still is what was read. Conflict when it is something else by now.
    ReplaceSetting {
        /// Its name.
        name: String,
        /// What was read; none where there was nothing.
        was: Option<Vec<u8>>,
        /// Its value.
        value: Vec<u8>,
    },
}

/// A domain's claim as stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DomainRow {
    /// Unique.
    pub domain: DomainName,
    /// Who holds it.
    pub org: OrgName,
    /// Since when.
    pub claimed_at: Timestamp,
    /// MAC over all of it: authority reaches back from `claimed_at` (rules C6, H12).
    pub mac: [u8; 32],
}

/// A policy's state as stored. The policy itself is the configuration's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyRow {
    /// Whose.
    pub org: OrgName,
    /// Which of its policies; unique with `org`.
    pub name: PolicyName,
    /// SHA-256 over what it demands.
    pub fingerprint: [u8; 32],
    /// Raised with each change.
    pub epoch: u32,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// Since when each demand has held.
    pub since: Since,
    /// MAC over all of it: how much grace a session has is read off these times (rule H12).
    pub mac: [u8; 32],
}

/// A sealed key as stored; opaque to the store (rule H12).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyRow {
    /// What it is for: `assertion`, `audit`, `client.DIRECTORY_ID`, `token`, `cookie`, `acme.certificate.HOST`…
    pub kind: String,
    /// Counts up; unique with `kind`.
    pub generation: u32,
    /// Sealed under the key-encryption key.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A signed statement of the audit log's size and root (C2SP tlog-checkpoint).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CheckpointRow {
    /// Number of leaves; unique.
    pub size: u64,
    /// When.
    pub at: Timestamp,
    /// The signed note, as text.
    pub note: String,
}

/// What must end on every node within a second.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Revocation {
    /// A login session and all its children.
    LoginSession(LoginSessionId),
    /// One product session.
    ProductSession(ProductSessionId),
    /// Every session of a person.
    Account(AccountId),
    /// Sessions that a provider's session began.
    ProviderSession {
        /// Whose.
        directory: DirectoryId,
        /// Its `sid`.
        sid: String,
    },
    /// Sessions of an organization's people are asked again (policy change).
    Organization(OrgName),
    /// Every session at a product.
    Product(ProductName),
    /// Keys changed: read them again.
    Keys,
    /// A product's phase changed: build the configured world again.
    Phases,
}

impl Batch {
    /// Ends a login session: its rows, and the word to every node.
    pub fn end_login_session(&mut self, id: LoginSessionId) {
        self.changes.push(Change::EndLoginSession(id));
        self.revocations.push(Revocation::LoginSession(id));
    }

    /// Ends one product session: its row, and the word to every node.
    pub fn end_product_session(&mut self, id: ProductSessionId) {
        self.changes.push(Change::EndProductSession(id));
        self.revocations.push(Revocation::ProductSession(id));
    }

    /// Everything of an account that is older than this batch dies: its epoch rises, its sessions end (rule H14).
    pub fn end_everything_of(&mut self, id: AccountId) {
        self.changes.push(Change::RaiseEpoch(id));
        self.changes.push(Change::EndSessionsOf(id));
        self.revocations.push(Revocation::Account(id));
    }

    /// Switches an account's status: the epoch rises, its sessions end, every node hears of it.
    pub fn set_account_status(&mut self, id: AccountId, status: AccountStatus) {
        self.changes.push(Change::SetAccountStatus(id, status));
        self.changes.push(Change::EndSessionsOf(id));
        self.revocations.push(Revocation::Account(id));
    }
}
