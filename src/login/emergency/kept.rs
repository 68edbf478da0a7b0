//! Who is enrolled for the emergency door, and taking that away: a passkey that was lost opens nothing from then on.

use super::super::Login;
use super::super::world::World;
use super::prepare::subject;
use crate::entropy::random;
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::model::{Account, AccountStatus, Factor, FactorKind, Method};
use crate::kernel::values::{EmailAddress, EventId, OrgName, Timestamp};
use crate::mail::{self, Letter};
use crate::orgs::lockout;
use crate::store::Unavailable;

/// Passkeys that one list shows at most.
const LISTED: usize = 10_000;

/// An emergency passkey, or an address that a policy names and that has none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Enrolled {
    /// Whose. None: an account that has no address any more.
    pub email: Option<EmailAddress>,
    /// The organizations of which a policy names that address.
    pub named_by: Vec<OrgName>,
    /// The passkey; none is enrolled where there is none.
    pub passkey: Option<Factor>,
    /// Whether the passkey's row is as we wrote it (rule H12). One that is not opens nothing.
    pub holds: bool,
}

/// What taking away came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Removed {
    /// Passkeys.
    pub passkeys: usize,
    /// Organizations that nobody can administer any more but by their own provider (`E-LOCKOUT`).
    pub locked_out: Vec<OrgName>,
}

impl Login {
    /// `fedgate breakglass list`: whoever is enrolled, and whoever is named without being so.
    ///
    /// # Errors
    /// [`Unavailable`]: the store does not answer.
    pub async fn emergency_enrolments(&self) -> Result<Vec<Enrolled>, Unavailable> {
        let mut named = self.addresses_of_policies();
        let mut found = Vec::new();
        for factor in self.world.store.factors_of_kind(FactorKind::Emergency, LISTED).await? {
            let email = self.world.store.account(factor.account).await?.and_then(|account| account.email);
            let named_by = email.as_ref().map(|email| self.naming(email)).unwrap_or_default();
            named.retain(|other| Some(other) != email.as_ref());
            let holds = self.world.keys.holds_factor(&factor);
            found.push(Enrolled { email, named_by, passkey: Some(factor), holds });
        }
        found.extend(named.into_iter().map(|email| Enrolled {
            named_by: self.naming(&email),
            email: Some(email),
            passkey: None,
            holds: true,
        }));
        Ok(found)
    }

    /// `fedgate breakglass remove`: takes every emergency passkey of whoever has this address, in whatever state the account or the row
    /// is, and ends what was entered by one. A lost key is taken away whoever is locked out by that: the alarm is in the same commit.
    ///
    /// # Errors
    /// A sentence that says why not.
    pub async fn remove_emergency(
        &self,
        email: &EmailAddress,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Removed, String> {
        let unavailable = |why: &dyn std::fmt::Display| format!("the store does not answer: {why}");
        let store = &self.world.store;
        let (mut batch, mut removed) = (Batch::default(), Removed::default());
        for account in store.accounts_by_email(email).await.map_err(|why| unavailable(&why))? {
            let mut factors = store.factors_of(account.id).await.map_err(|why| unavailable(&why))?;
            factors.retain(|factor| factor.kind == FactorKind::Emergency);
            if factors.is_empty() {
                continue;
            }
            let event = |action, outcome| {
                let mut event = AuditEvent::new(EventId::mint(now, random()), now, action, outcome);
                event.actor = Some(actor.clone());
                event
            };
            let told = self
                .drop_emergency(&account, &factors, &mut batch, || event(Action::FactorRemoved, Outcome::Success))
                .await;
            told.map_err(|why| unavailable(&why))?;
            removed.passkeys += factors.len();
            for org in self.world.left_without(&account).await.map_err(|why| unavailable(&why))? {
                let mut alarm = event(Action::OrganizationLockout, Outcome::Failure);
                alarm.subject = subject(&account);
                alarm.org = Some(org.to_string());
                alarm.reason = Some("the emergency passkey of its last other admin was taken away".to_owned());
                batch.events.push(alarm);
                tracing::error!(%org, "E-LOCKOUT: nobody can administer this organization any more but by its provider");
                removed.locked_out.push(org);
            }
            let letter = Letter::FactorRemoved { factor: mail::Factor::Passkey, at: now };
            if let (Some(email), AccountStatus::Active) = (account.email.clone(), account.status) {
                let queued = mail::queue(&self.world.keys, now, &[(email, letter)], Some(account.id));
                batch.changes.push(queued.map_err(|why| why.to_string())?);
            }
        }
        if removed.passkeys == 0 {
            return Err(format!("nobody with the address {email} is enrolled for emergencies"));
        }
        store.commit(batch).await.map_err(|why| unavailable(&why))?;
        Ok(removed)
    }

    /// Adds to a batch that these passkeys of the emergency door are taken away, and that what was entered by one ends.
    pub(super) async fn drop_emergency(
        &self,
        account: &Account,
        factors: &[Factor],
        batch: &mut Batch,
        event: impl Fn() -> AuditEvent,
    ) -> Result<(), Unavailable> {
        for factor in factors {
            batch.changes.push(Change::Credential(CredentialChange::DropFactor(account.id, factor.id)));
            let mut event = event();
            event.subject = subject(account);
            event.method = Some(FactorKind::Emergency.code().to_owned());
            batch.events.push(event);
        }
        if !factors.is_empty() {
            let sessions = self.world.store.login_sessions_of(account.id).await?;
            let by_emergency = sessions.iter().filter(|session| session.method == Method::Emergency);
            by_emergency.for_each(|session| batch.end_login_session(session.id));
        }
        Ok(())
    }

    /// Every address that a policy names, each once, sorted.
    fn addresses_of_policies(&self) -> Vec<EmailAddress> {
        let catalog = self.world.catalog.load();
        let policies = catalog
            .orgs
            .values()
            .flat_map(|org| std::iter::once(&org.policy).chain(org.policies.iter().map(|named| &named.policy)));
        let mut named: Vec<EmailAddress> = policies.flat_map(|policy| policy.break_glass.iter().cloned()).collect();
        named.sort();
        named.dedup();
        named
    }

    fn naming(&self, email: &EmailAddress) -> Vec<OrgName> {
        let catalog = self.world.catalog.load();
        let naming = catalog.orgs.values().filter(|org| {
            let mut policies = std::iter::once(&org.policy).chain(org.policies.iter().map(|named| &named.policy));
            policies.any(|policy| policy.break_glass.contains(email))
        });
        let mut naming: Vec<OrgName> = naming.map(|org| org.name.clone()).collect();
        naming.sort();
        naming
    }
}

impl World {
    /// The organizations that nobody can administer any more but by their own provider once this account's emergency passkeys are gone,
    /// where that was not so before. What the file alone enforces is the file's to take back.
    async fn left_without(&self, account: &Account) -> Result<Vec<OrgName>, Unavailable> {
        let (effective, floor) = (self.orgs.effective(), self.orgs.floor());
        let mut left = Vec::new();
        for org in effective.orgs.iter().filter(|org| !lockout::is_of_file(&floor, &org.name)) {
            if lockout::needs_emergency_of(self.store.as_ref(), org, account.id).await? {
                left.push(org.name.clone());
            }
        }
        Ok(left)
    }
}
