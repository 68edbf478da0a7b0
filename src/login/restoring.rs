//! What became of people since a backup was made is done to them again, or listed (rule H17): whoever was switched off, deleted, moved or
//! merged since, or has another password, does not come back by a restore.
//!
//! What happened is read from the audit log, which outlives the store's state: the log of the store that is replaced, or what a sink wrote.
//! Nothing here lets anybody in: what cannot be done again keeps its account switched off, and stands in the list that the operator
//! reads before the store is opened.

use crate::entropy::random;
use crate::idp::ProviderUnavailable;
use crate::idp::saml::retire_all;
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome};
use crate::kernel::journal::{
    AccessChange, Batch, Change, CredentialChange, MigrationChange, RestoreChange, Revocation,
};
use crate::kernel::migration::to_linked;
use crate::kernel::model::{AccountStatus, ProductAccount, ProductAccountState};
use crate::kernel::values::{AccountId, EventId, ProductAccountId, ProductName, Timestamp};
use crate::keys::{Kek, Keys, Kind};
use crate::orgs::restored::{Restored, SETTING};
use crate::store::{NotCommitted, Store, Unavailable};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

/// Kinds of keys of which only a new generation lives after a restore: what they sealed or found was under way, or is gone.
const RENEWED: [Kind; 3] = [Kind::Cookie, Kind::Csrf, Kind::Token];

/// Why a store was not made good.
#[derive(Debug, thiserror::Error)]
pub enum NotRestored {
    /// The store.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The store, at a commit.
    #[error(transparent)]
    NotCommitted(#[from] NotCommitted),
    /// The keys do not open, or none can be made.
    #[error("the stored keys cannot be used: {0}")]
    Keys(#[from] crate::keys::KeyFault),
    /// What is remembered of providers cannot be retired.
    #[error(transparent)]
    Providers(#[from] ProviderUnavailable),
    /// The word about it cannot be written.
    #[error("what is to be kept cannot be written: {0}")]
    Written(#[from] serde_json::Error),
}

/// One line of what the operator reads.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// When it happened; none: since the backup, nobody knows when.
    pub time: Option<String>,
    /// The action of the event, or what is amiss.
    pub what: String,
    /// Whose account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Whose address, as the event has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Which organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// What was done about it.
    pub done: &'static str,
}

/// What was learnt of one account.
#[derive(Clone, Debug, Default)]
struct Since {
    /// The last word on whether it is switched off.
    off: Option<bool>,
    /// Something that cannot be done again.
    held: bool,
    /// A password was set.
    password: bool,
    /// A record moved to the one account.
    moved: Vec<ProductAccountId>,
    /// The last word on whether a product is closed, by record.
    closed: BTreeMap<ProductAccountId, bool>,
}

/// What to do about an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    /// It changed nothing that a backup brings back.
    Nothing,
    /// The account is off.
    Off,
    /// It is on again.
    On,
    /// Its product passwords are dead, and the record is linked.
    Moved,
    /// Its passwords are dead: another was set.
    Password,
    /// One product is closed to it.
    Closed,
    /// And open again.
    Opened,
    /// It cannot be done again: the account is switched off until somebody looks.
    Held,
    /// It is not one account's: the operator does it again.
    Listed,
}

/// Exhaustive, so that a new action says here what a restore makes of it.
const fn verdict(action: Action) -> Verdict {
    use Action as A;
    match action {
        A::AccountDeactivated
        | A::ScimUserDeactivated
        | A::ScimUserDeleted
        | A::DeletionScheduled
        | A::AccountDeleted
        | A::AccountQuarantined => Verdict::Off,
        A::AccountReactivated | A::ScimUserReactivated | A::DeletionCancelled | A::AccountRestored => Verdict::On,
        A::MigrationCommitted => Verdict::Moved,
        A::PasswordChanged => Verdict::Password,
        A::MergeCommitted
        | A::FactorEnrolled
        | A::FactorRemoved
        | A::IdentityRelinked
        | A::RelinkUndone
        | A::AccountManaged
        | A::EmailChangeConfirmed => Verdict::Held,
        A::AccessRemoved => Verdict::Closed,
        A::AccessRestored => Verdict::Opened,
        A::IdentityLinked
        | A::JitCreated
        | A::AccountCreated
        | A::ScimUserCreated
        | A::ScimUserUpdated
        | A::ScimGroupCreated
        | A::ScimGroupUpdated
        | A::ScimGroupDeleted
        | A::ProfileUpdated
        | A::RolePinned
        | A::OrganizationUpdated
        | A::PolicyUpdated
        | A::PhaseSet
        | A::DomainAdded
        | A::DomainVerified
        | A::DomainAtRisk
        | A::DomainSuspended
        | A::DomainDispute
        | A::DomainClaimed
        | A::DomainUnclaimed
        | A::DirectoryCreated
        | A::ProviderKeys
        | A::RelinkOpened
        | A::RelinkClosed
        | A::AddressFreed
        | A::EnterpriseMemberChanged
        | A::TombstonesLifted
        | A::BreakGlassPrepared
        | A::ConfigReloaded
        | A::IntegrityViolated
        | A::OrganizationLockout => Verdict::Listed,
        // Logins, sessions, tokens and keys: nothing of them survives a restore, or they changed nothing.
        A::LoginDeparted
        | A::LoginSucceeded
        | A::LoginDenied
        | A::LoginRerouted
        | A::BreakGlassUsed
        | A::ProviderUnavailable
        | A::SessionCreated
        | A::AppAuthorized
        | A::AppRefreshed
        | A::AppReused
        | A::TokenMade
        | A::SessionEnded
        | A::ProviderLogout
        | A::SignalReceived
        | A::PasswordResetRequested
        | A::PasswordResetRefused
        | A::FactorRenamed
        | A::RemovedAlias
        | A::MigrationStarted
        | A::MigrationRolledBack
        | A::EmailChangeRequested
        | A::EmailChangeCancelled
        | A::MigrationCompleted
        | A::MergeDeclined
        | A::MergeCompleted
        | A::QuarantineSynced
        | A::ProfileSynced
        | A::MigrationReminded
        | A::MigrationAsked
        | A::ApiTokenCreated
        | A::ApiTokenRevoked
        | A::ScimRefused
        | A::VerifiersDiffer
        | A::PolicyShadowed
        | A::ConfigRefused
        | A::KeysRotated
        | A::CertificateIssued
        | A::CertificateFailed
        | A::RequestRefused
        | A::RequestRefusedCount
        | A::TokenBlocked
        | A::StoreRestored
        | A::StoreRolledBack
        | A::StoreOpened
        | A::StoreOutage
        | A::NodeStarted => Verdict::Nothing,
    }
}

/// What happened since, and what it comes to.
#[derive(Debug, Default)]
pub struct Happened {
    people: BTreeMap<AccountId, Since>,
    /// What the operator reads.
    pub findings: Vec<Finding>,
}

impl Happened {
    /// Takes the next event.
    pub fn take(&mut self, event: &AuditEvent) {
        let verdict = verdict(event.action);
        if verdict == Verdict::Nothing || event.outcome != Outcome::Success {
            return;
        }
        let account = event.subject.account.as_deref().and_then(|id| AccountId::parse(id).ok());
        let done = match (verdict, account) {
            (Verdict::Nothing, _) => return,
            (Verdict::Listed, _) | (_, None) => "not done again: see to it",
            (Verdict::Off, Some(_)) => "switched off",
            (Verdict::On, Some(_)) => "as in the backup",
            (Verdict::Moved, Some(_)) => "linked again, its passwords removed",
            (Verdict::Password, Some(_)) => "the password of before removed",
            (Verdict::Closed, Some(_)) => "closed again",
            (Verdict::Opened, Some(_)) => "as in the backup",
            (Verdict::Held, Some(_)) => "not done again: the account is switched off until you look",
        };
        let record = event.subject.product_account.as_deref().and_then(|id| ProductAccountId::parse(id).ok());
        if let Some(account) = account {
            let since = self.people.entry(account).or_default();
            match verdict {
                Verdict::Off => since.off = Some(true),
                Verdict::On => since.off = Some(false),
                Verdict::Held => since.held = true,
                Verdict::Password => since.password = true,
                Verdict::Moved => {
                    since.moved.extend(record);
                    since.password = true;
                }
                Verdict::Closed | Verdict::Opened => {
                    since.closed.extend(record.map(|record| (record, verdict == Verdict::Closed)));
                }
                Verdict::Nothing | Verdict::Listed => {}
            }
        }
        self.findings.push(Finding {
            time: Some(event.time.clone()),
            what: action_name(event.action),
            account: event.subject.account.clone(),
            email: event.subject.email.clone(),
            org: event.org.clone(),
            done,
        });
    }

    /// Something that no event says.
    pub fn amiss(&mut self, what: String) {
        let (time, account, email, org) = (None, None, None, None);
        self.findings.push(Finding { time, what, account, email, org, done: "see to it" });
    }
}

fn action_name(action: Action) -> String {
    serde_json::to_value(action).ok().and_then(|name| name.as_str().map(ToOwned::to_owned)).unwrap_or_default()
}

/// Does to the people of a store again what happened to them.
///
/// # Errors
/// [`NotRestored`].
pub async fn done_again(
    store: &dyn Store,
    products: &[ProductName],
    happened: &mut Happened,
) -> Result<(), NotRestored> {
    let mut unknown = 0_u64;
    let people = std::mem::take(&mut happened.people);
    for (id, since) in &people {
        let Some(account) = store.account(*id).await? else {
            unknown += 1;
            continue;
        };
        let mut batch = Batch::default();
        if account.status == AccountStatus::Active && (since.held || since.off == Some(true)) {
            batch.set_account_status(*id, AccountStatus::Deactivated);
        }
        for product in products {
            let Some(record) = store.product_account(product, *id).await? else { continue };
            at_product(store, (&record, since), &mut batch).await?;
        }
        if !batch.changes.is_empty() {
            store.commit(batch).await?;
        }
    }
    if unknown > 0 {
        happened.amiss(format!(
            "{unknown} accounts were made since: they are not here, and products know their user ids and addresses"
        ));
    }
    Ok(())
}

/// A password that was replaced, or belongs to a record that moved, is gone (row T10); a product that was closed is closed.
async fn at_product(
    store: &dyn Store,
    (record, since): (&ProductAccount, &Since),
    batch: &mut Batch,
) -> Result<(), NotRestored> {
    if since.password && store.password(record.id).await?.is_some() {
        batch.changes.push(Change::Credential(CredentialChange::DropPassword(record.id)));
    }
    if !record.off && since.closed.get(&record.id) == Some(&true) {
        batch.changes.push(Change::Access(AccessChange::Switch { record: record.id, off: true, by: None }));
    }
    let is_local = matches!(record.state, ProductAccountState::Local | ProductAccountState::Migrating);
    if is_local && since.moved.contains(&record.id) {
        batch.changes.push(Change::Migration(MigrationChange::Forget(record.id)));
        for line in to_linked(record.state).unwrap_or_default() {
            batch.changes.push(Change::Migration(MigrationChange::Move(record.id, line)));
        }
    }
    Ok(())
}

/// Empties a store of what stood and was under way, renews the keys of it, and shuts it. `of`: the time that it went back to.
///
/// # Errors
/// [`NotRestored`].
pub async fn shut(
    store: &dyn Store,
    kek: &Kek,
    (of, now): (Option<Timestamp>, Timestamp),
    (happened, action): (&Happened, Action),
) -> Result<Restored, NotRestored> {
    let mut rows = store.keys().await?;
    // Before anything is sealed for it.
    kek.settle(&rows);
    let mut batch = Batch { changes: vec![Change::Restore(RestoreChange::Cleanse)], ..Batch::default() };
    batch.changes.extend(retire_all(store, kek, now).await?);
    for kind in RENEWED {
        let rotation = Keys::rotation(kek, kind, (&rows, true), now, &mut || random())?;
        batch.changes.extend(rotation.changes());
        rows.retain(|row| row.kind != kind.to_string());
        rows.extend(rotation.made);
    }
    let keys = Keys::open(kek, &rows)?;
    let restored = Restored {
        of: of.map(Timestamp::millis),
        at: now.millis(),
        findings: u64::try_from(happened.findings.len()).unwrap_or(u64::MAX),
        code: crate::kernel::values::Reference::new(random()).to_string(),
        open: false,
    };
    batch.changes.push(Change::PutSetting { name: SETTING.to_owned(), value: restored.sealed(&keys)? });
    batch.revocations.extend([Revocation::Keys, Revocation::Phases]);
    let mut event = AuditEvent::new(EventId::mint(now, random()), now, action, Outcome::Success);
    event.before = of.map(|of| json!({ "store_of": of.to_string() }));
    event.after = Some(json!({ "findings": restored.findings, "open": false }));
    batch.events.push(event);
    store.commit(batch).await?;
    Ok(restored)
}

/// Opens a store again: the operator has read what happened.
///
/// # Errors
/// [`NotRestored`]; a word that is not ours stays as it is.
pub async fn open(
    store: &dyn Store,
    keys: &Keys,
    (restored, by): (Restored, Actor),
    now: Timestamp,
) -> Result<(), NotRestored> {
    let opened = Restored { open: true, ..restored };
    let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::StoreOpened, Outcome::Success);
    event.actor = Some(by);
    event.after = Some(json!({ "findings": opened.findings }));
    let changes = vec![Change::PutSetting { name: SETTING.to_owned(), value: opened.sealed(keys)? }];
    store
        .commit(Batch { changes, events: vec![event], revocations: vec![Revocation::Phases], ..Batch::default() })
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: Action, account: u8) -> AuditEvent {
        let now = Timestamp::from_seconds(1);
        let mut event = AuditEvent::new(EventId::mint(now, [7; 10]), now, action, Outcome::Success);
        event.subject.account = Some(AccountId::from_bytes([account; 16]).to_string());
        event
    }

    #[test]
    fn h17_the_last_word_on_an_account_counts_and_what_cannot_be_done_again_holds_it() {
        let mut happened = Happened::default();
        for action in [Action::AccountDeactivated, Action::AccountReactivated] {
            happened.take(&event(action, 1));
        }
        for action in [Action::AccountReactivated, Action::ScimUserDeleted] {
            happened.take(&event(action, 2));
        }
        for action in [Action::FactorRemoved, Action::AccountReactivated] {
            happened.take(&event(action, 3));
        }
        happened.take(&event(Action::LoginSucceeded, 4));
        let mut refused = event(Action::AccountDeactivated, 5);
        refused.outcome = Outcome::Refused;
        happened.take(&refused);
        let of = |account: u8| happened.people.get(&AccountId::from_bytes([account; 16])).map(|it| (it.off, it.held));
        assert_eq!(of(1), Some((Some(false), false)));
        assert_eq!(of(2), Some((Some(true), false)));
        assert_eq!(of(3), Some((Some(false), true)));
        assert_eq!((of(4), of(5)), (None, None));
        assert_eq!(happened.findings.len(), 6);
        assert_eq!(happened.findings[0].what, "account.deactivated");
    }
}
