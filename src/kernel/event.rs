//! The audit event: one per auth fact, its canonical bytes and its leaf hash (behaviour §3.9, rule H13).
//!
//! Never in an event: tokens, assertions, codes, passwords, queries of login paths. Add an action as a variant of [`Action`].

mod about;

pub use about::AboutPerson;

use super::values::{EventId, Reference, Timestamp};
use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

/// One auth fact. Fields that do not apply are absent from the bytes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEvent {
    /// ULID.
    pub id: String,
    /// RFC 3339, UTC, milliseconds; the store's clock.
    pub time: String,
    /// What happened.
    pub action: Action,
    /// Whether it was let through.
    pub outcome: Outcome,
    /// The refusal's stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the person saw on the page.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "ref")]
    pub reference: Option<String>,
    /// Who did it, when it was not the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// Whose login, session or record it is.
    #[serde(default)]
    pub subject: Subject,
    /// The organization that manages the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// The product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// How the person was proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The policy that was applied and its epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyStamp>,
    /// The directory, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Where the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
    /// The login under way, product or login session that ties events together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txn: Option<String>,
    /// The request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    /// Each rule asked and its answer, for explanations: nothing that could be replayed (rule M20).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<String>,
    /// The record before a change, redacted.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub before: Option<serde_json::Value>,
    /// The record after a change, redacted.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub after: Option<serde_json::Value>,
}

/// A member that is there and null is not one that is absent: an event reads back as the bytes that were hashed.
fn present<'de, D: serde::Deserializer<'de>>(member: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(member).map(Some)
}

/// What happened. The text form is stable.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Action {
    /// Departures for a provider, counted in batches.
    #[serde(rename = "login.departed")]
    LoginDeparted,
    /// A person was let in.
    #[serde(rename = "login.succeeded")]
    LoginSucceeded,
    /// A person was refused after a proof, or the proof was.
    #[serde(rename = "login.denied")]
    LoginDenied,
    /// A proof was good but the policy names another directory.
    #[serde(rename = "login.rerouted")]
    LoginRerouted,
    /// Somebody came in by the emergency door (rule H3): of the highest severity.
    #[serde(rename = "login.breakglass")]
    BreakGlassUsed,
    /// The operator let somebody enrol for the emergency door.
    #[serde(rename = "breakglass.prepared")]
    BreakGlassPrepared,
    /// A provider did not answer.
    #[serde(rename = "login.idp_unavailable")]
    ProviderUnavailable,
    /// A person let an app of a product in; `after` says which, and `txn` its login session.
    #[serde(rename = "app.authorized")]
    AppAuthorized,
    /// An app's refresh token was turned into the next one.
    #[serde(rename = "app.refreshed")]
    AppRefreshed,
    /// A code or a refresh token of an app came again: all that came of its login ended (rule H16).
    #[serde(rename = "app.reused")]
    AppReused,
    /// A person made an API token of their own; `after` says what it may do and until when, and `txn` its login session.
    #[serde(rename = "token.made")]
    TokenMade,
    /// A session began.
    #[serde(rename = "session.created")]
    SessionCreated,
    /// A session ended; `reason` says why.
    #[serde(rename = "session.ended")]
    SessionEnded,
    /// A provider's message about a logout (SAML single logout): what it ended, what it answered, or why it was refused.
    #[serde(rename = "logout.provider")]
    ProviderLogout,
    /// What a provider said outside a login (a security event, a logout token, Okta's Universal Logout): when it came, what it ended and
    /// how long that took, or why it was refused.
    #[serde(rename = "signal.received")]
    SignalReceived,
    /// A first login made an account.
    #[serde(rename = "jit.created")]
    JitCreated,
    /// A local account was made for a person.
    #[serde(rename = "account.created")]
    AccountCreated,
    /// A mail to choose a new password was asked for.
    #[serde(rename = "password.reset_requested")]
    PasswordResetRequested,
    /// A new password was refused: the proof did not hold, or the person says that they never asked.
    #[serde(rename = "password.reset_refused")]
    PasswordResetRefused,
    /// A password was changed.
    #[serde(rename = "password.changed")]
    PasswordChanged,
    /// A second step was enrolled.
    #[serde(rename = "factor.enrolled")]
    FactorEnrolled,
    /// A second step was taken away.
    #[serde(rename = "factor.removed")]
    FactorRemoved,
    /// A second step got another name from its owner.
    #[serde(rename = "factor.renamed")]
    FactorRenamed,
    /// An identity was linked to an account.
    #[serde(rename = "identity.linked")]
    IdentityLinked,
    /// An admin let a directory take links over from another one of the organization; `after` says until when and of whom.
    #[serde(rename = "relink.opened")]
    RelinkOpened,
    /// That was ended before its time.
    #[serde(rename = "relink.closed")]
    RelinkClosed,
    /// A person's link was taken over by another directory of their organization; `before` and `after` name both.
    #[serde(rename = "identity.relinked")]
    IdentityRelinked,
    /// That was taken back: the old link stands again.
    #[serde(rename = "identity.relink_undone")]
    RelinkUndone,
    /// Somebody tried a password with an address that an account gave up.
    #[serde(rename = "login.removed_alias")]
    RemovedAlias,
    /// Both sides of a move are proved; the person's word is waited for.
    #[serde(rename = "migration.started")]
    MigrationStarted,
    /// A move that had begun was taken back; nothing was committed.
    #[serde(rename = "migration.rolled_back")]
    MigrationRolledBack,
    /// A person asked, in the review of a move, for another address than the record's (row T19); refused for the people of a company.
    #[serde(rename = "email.change_requested")]
    EmailChangeRequested,
    /// The mailbox of that address is the person's. Nothing has changed yet.
    #[serde(rename = "email.change_confirmed")]
    EmailChangeConfirmed,
    /// Whoever reads that mailbox says that they never asked.
    #[serde(rename = "email.change_cancelled")]
    EmailChangeCancelled,
    /// A record moved to the one account; `reason` is the trigger.
    #[serde(rename = "migration.committed")]
    MigrationCommitted,
    /// The product knows of a move whole.
    #[serde(rename = "migration.completed")]
    MigrationCompleted,
    /// A person whose login shows two accounts of theirs at one product keeps them apart, or decides later; `reason` says which.
    #[serde(rename = "merge.declined")]
    MergeDeclined,
    /// A record was given up in favour of its person's other one (rows L10, L11).
    #[serde(rename = "merge.committed")]
    MergeCommitted,
    /// The product knows of a merge whole.
    #[serde(rename = "merge.completed")]
    MergeCompleted,
    /// An account has another name or address than before: its own provider says so at a login.
    #[serde(rename = "account.updated")]
    ProfileUpdated,
    /// An account whose address was never proved was put aside for somebody who proved it (B21); support can bring it back.
    #[serde(rename = "account.quarantined")]
    AccountQuarantined,
    /// The product knows of an account that was put aside.
    #[serde(rename = "account.quarantine_synced")]
    QuarantineSynced,
    /// An account that was put aside was brought back.
    #[serde(rename = "account.restored")]
    AccountRestored,
    /// The operator let a product hear of an address for another user id than before (rule H19).
    #[serde(rename = "address.freed")]
    AddressFreed,
    /// The operator took the tombstones of a deleted account away (rule H2).
    #[serde(rename = "account.tombstones_lifted")]
    TombstonesLifted,
    /// A product was closed to one of its users, by its own word; the account and other products are as they were.
    #[serde(rename = "access.removed")]
    AccessRemoved,
    /// It was opened again.
    #[serde(rename = "access.restored")]
    AccessRestored,
    /// A record belongs to another enterprise of its product, or to none.
    #[serde(rename = "enterprise.member_changed")]
    EnterpriseMemberChanged,
    /// An enterprise asked members to move to the one account.
    #[serde(rename = "migration.asked")]
    MigrationAsked,
    /// A product knows of a changed name or address.
    #[serde(rename = "profile.synced")]
    ProfileSynced,
    /// Everybody who still has a password at a product was told of its deadline.
    #[serde(rename = "migration.reminded")]
    MigrationReminded,
    /// The operator moved a product's phase on at run time.
    #[serde(rename = "migration.phase_set")]
    PhaseSet,
    /// An address came under, or left, an organization's management.
    #[serde(rename = "account.managed")]
    AccountManaged,
    /// An invitation to administer was taken up by an account (rule H3).
    #[serde(rename = "role.pinned")]
    RolePinned,
    /// An organization was made, changed or removed at run time.
    #[serde(rename = "organization.updated")]
    OrganizationUpdated,
    /// A token of the admin API was made.
    #[serde(rename = "api_token.created")]
    ApiTokenCreated,
    /// A token of the admin API was ended.
    #[serde(rename = "api_token.revoked")]
    ApiTokenRevoked,
    /// A directory provisioned a user: a new account, or one that it took on.
    #[serde(rename = "scim.user_created")]
    ScimUserCreated,
    /// A directory changed one of its users.
    #[serde(rename = "scim.user_updated")]
    ScimUserUpdated,
    /// A directory switched one of its users off; everything of the account ended in the same commit.
    #[serde(rename = "scim.user_deactivated")]
    ScimUserDeactivated,
    /// A directory took its own switching off back.
    #[serde(rename = "scim.user_reactivated")]
    ScimUserReactivated,
    /// A directory deleted one of its users: unlinked and switched off.
    #[serde(rename = "scim.user_deleted")]
    ScimUserDeleted,
    /// What a directory wanted of a user is not its to say, or meets somebody else's account (OVERLAP); `reason` says which.
    #[serde(rename = "scim.refused")]
    ScimRefused,
    /// A directory made a group.
    #[serde(rename = "scim.group_created")]
    ScimGroupCreated,
    /// A directory changed a group, or who is in it.
    #[serde(rename = "scim.group_updated")]
    ScimGroupUpdated,
    /// A directory deleted a group.
    #[serde(rename = "scim.group_deleted")]
    ScimGroupDeleted,
    /// An account was switched off.
    #[serde(rename = "account.deactivated")]
    AccountDeactivated,
    /// An account was switched on again.
    #[serde(rename = "account.reactivated")]
    AccountReactivated,
    /// An account is to be deleted; as switched off until then.
    #[serde(rename = "account.deletion_scheduled")]
    DeletionScheduled,
    /// A deletion was taken back.
    #[serde(rename = "account.deletion_cancelled")]
    DeletionCancelled,
    /// An account was deleted for good.
    #[serde(rename = "account.deleted")]
    AccountDeleted,
    /// A directory was configured for the first time or anew.
    #[serde(rename = "directory.created")]
    DirectoryCreated,
    /// A provider's metadata names signing keys that were not known: who has one can log its people in (rule M5).
    #[serde(rename = "provider.keys")]
    ProviderKeys,
    /// Two verifiers read one signed SAML message differently; the login was refused (rule H11): of the highest severity.
    #[serde(rename = "provider.verifiers_differ")]
    VerifiersDiffer,
    /// A domain was added, to be proved.
    #[serde(rename = "domain.added")]
    DomainAdded,
    /// A domain was proved.
    #[serde(rename = "domain.verified")]
    DomainVerified,
    /// A domain's proof was not found, or another organization showed one.
    #[serde(rename = "domain.at_risk")]
    DomainAtRisk,
    /// A domain's proof was not found for 14 days.
    #[serde(rename = "domain.suspended")]
    DomainSuspended,
    /// A domain was proved that another organization holds.
    #[serde(rename = "domain.dispute")]
    DomainDispute,
    /// A domain was claimed.
    #[serde(rename = "domain.claimed")]
    DomainClaimed,
    /// A domain's claim ended.
    #[serde(rename = "domain.unclaimed")]
    DomainUnclaimed,
    /// A policy changed.
    #[serde(rename = "policy.updated")]
    PolicyUpdated,
    /// Nobody can administer an organization any more but by its own provider, by something else than a change of its policy (rule H3).
    #[serde(rename = "organization.lockout")]
    OrganizationLockout,
    /// What another configuration would have decided about a login, beside what was decided (shadow mode).
    #[serde(rename = "policy.shadowed")]
    PolicyShadowed,
    /// A configuration was applied.
    #[serde(rename = "config.reloaded")]
    ConfigReloaded,
    /// A configuration was refused.
    #[serde(rename = "config.refused")]
    ConfigRefused,
    /// Keys were made or rotated.
    #[serde(rename = "keys.rotated")]
    KeysRotated,
    /// A certificate was ordered from an authority (ACME) and is in use.
    #[serde(rename = "certificate.issued")]
    CertificateIssued,
    /// An order for a certificate failed; the old certificate stays.
    #[serde(rename = "certificate.failed")]
    CertificateFailed,
    /// A request was refused before any person was known; sampled (rule M15).
    #[serde(rename = "request.refused")]
    RequestRefused,
    /// Refusals that were counted, not written whole (rule M15).
    #[serde(rename = "request.refused_count")]
    RequestRefusedCount,
    /// A token or credential of another kind was blocked (rule C7).
    #[serde(rename = "token.blocked")]
    TokenBlocked,
    /// A stored session row whose MAC does not hold: somebody wrote to the database (rule H12).
    #[serde(rename = "integrity.violated")]
    IntegrityViolated,
    /// The store was restored from a backup; `before` and `after` say from when to when, and what was done about what lies between.
    #[serde(rename = "store.restored")]
    StoreRestored,
    /// The store holds less than a process had seen: it went back in time without a word (rule H17).
    #[serde(rename = "store.rolled_back")]
    StoreRolledBack,
    /// The operator has read what happened meanwhile: people log in again.
    #[serde(rename = "store.opened")]
    StoreOpened,
    /// The store could not be reached; written when it is back.
    #[serde(rename = "store.outage")]
    StoreOutage,
    /// A gateway process joined or left.
    #[serde(rename = "node.started")]
    NodeStarted,
}

/// Whether it was let through.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Done.
    Success,
    /// Refused by a rule.
    Refused,
    /// Failed for a technical reason.
    Failure,
}

/// Who did it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Actor {
    /// `person`, `operator`, `directory`, `gateway`.
    pub kind: String,
    /// Their id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Their address, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Whose fact it is.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Subject {
    /// Account id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Product account id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_account: Option<String>,
    /// The address by which people will search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// Policy and epoch.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PolicyStamp {
    /// The organization whose default policy it is.
    pub id: String,
    /// Its epoch.
    pub epoch: u32,
}

/// Where a request came from.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Client {
    /// Address, through `trusted_proxies` only.
    pub ip: String,
    /// User agent, cut to 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ua: Option<String>,
}

impl AuditEvent {
    /// An event with only its required members.
    pub fn new(id: EventId, time: Timestamp, action: Action, outcome: Outcome) -> Self {
        Self {
            id: id.to_string(),
            time: time.to_string(),
            action,
            outcome,
            reason: None,
            reference: None,
            actor: None,
            subject: Subject::default(),
            org: None,
            product: None,
            method: None,
            policy: None,
            directory: None,
            client: None,
            txn: None,
            correlation: None,
            trace: Vec::new(),
            before: None,
            after: None,
        }
    }

    /// The same event with the reference that the person saw.
    #[must_use]
    pub fn with_reference(mut self, reference: Reference) -> Self {
        self.reference = Some(reference.to_string());
        self
    }

    /// The canonical bytes: compact JSON, members in the order above. These are hashed, stored and exported.
    ///
    /// # Errors
    /// Only what serde_json cannot write, which no value of this type contains.
    pub fn bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}

/// The Merkle tree leaf hash: SHA-256 over 0x00 and the bytes (RFC 6962 §2.1).
pub fn leaf_hash(bytes: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[0]);
    context.update(bytes);
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_members_are_left_out_and_the_bytes_read_back() {
        let id = EventId::mint(Timestamp::from_seconds(1), [7; 10]);
        let event = AuditEvent::new(id, Timestamp::from_seconds(1), Action::LoginSucceeded, Outcome::Success);
        let bytes = event.bytes().unwrap();
        let expected = format!(
            r#"{{"id":"{id}","time":"1970-01-01T00:00:01.000Z","action":"login.succeeded","outcome":"success","subject":{{}}}}"#
        );
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
        assert_eq!(serde_json::from_slice::<AuditEvent>(&bytes).unwrap(), event);
        let with_null = AuditEvent { before: Some(serde_json::Value::Null), ..event };
        let bytes = with_null.bytes().unwrap();
        assert_eq!(serde_json::from_slice::<AuditEvent>(&bytes).unwrap().bytes().unwrap(), bytes);
    }

    #[test]
    fn a_leaf_is_hashed_as_rfc_6962_says() {
        // RFC 6962 test vector: the leaf hash of the empty string.
        let hex: String = leaf_hash(b"").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    }
}
