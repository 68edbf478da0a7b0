//! People whom an organization manages: those with an address in a domain that counts, as far as they are known here.

use super::Admin;
use super::answer::{Problem, Reply};
use super::call::Call;
use super::shapes::{Page, Person};
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome, Subject};
use crate::kernel::journal::{Batch, Change, ScimChange};
use crate::kernel::model::{Account, AccountStatus};
use crate::kernel::values::{AccountId, DomainName, EventId, OrgName};
use crate::mail::{Letter, queue};
use crate::orgs::change::Author;
use crate::orgs::lockout::{self, is_of_file};
use http::StatusCode;
use serde_json::json;

impl Admin {
    pub(super) async fn list_people(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (org, limit) = (call.org()?, call.limit()?);
        let domains = self.domains_of(org);
        // A list over several domains goes on in the domain where it stopped.
        let after = call.after(|text| {
            let (domain, account) = text.split_once('/')?;
            Some((DomainName::parse(domain).ok()?, AccountId::parse(account).ok()?))
        })?;
        let (mut found, mut last) = (Vec::new(), None);
        for domain in &domains {
            let from = match &after {
                Some((at, _)) if domain < at => continue,
                Some((at, account)) if domain == at => Some(*account),
                _ => None,
            };
            let left = limit + 1 - found.len();
            for account in self.world.store.accounts_of_domain(domain, from, left).await? {
                if found.len() < limit {
                    last = Some(format!("{domain}/{}", account.id));
                }
                found.push(account);
            }
            if found.len() > limit {
                break;
            }
        }
        let more = found.len() > limit;
        found.truncate(limit);
        Reply::of(&Page { items: found.iter().map(shown).collect(), next: last.filter(|_| more) })
    }

    pub(super) async fn show_person(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let account = self.person(call).await?;
        Ok(Reply::of(&shown(&account))?.at(account.epoch))
    }

    /// Switches an account off or on. Everything of it ends in the same commit, on every node within a second.
    pub(super) async fn switch(&self, call: &Call<'_>, on: bool) -> Result<Reply, Problem> {
        let account = self.managed(call).await?;
        let wanted = if on { AccountStatus::Active } else { AccountStatus::Deactivated };
        if account.status == wanted {
            self.hold(call, (&account, on)).await?;
            return Ok(Reply::of(&shown(&account))?.at(account.epoch));
        }
        if !matches!(account.status, AccountStatus::Active | AccountStatus::Deactivated) {
            return Err(Problem::new(StatusCode::CONFLICT, "deleted", "The account is deleted, or about to be."));
        }
        if call.on != Some(account.epoch) {
            let mut stale =
                Problem::new(StatusCode::PRECONDITION_FAILED, "stale", "It changed meanwhile. Read it again.");
            stale.more.push(("version", account.epoch.into()));
            return Err(stale);
        }
        let action = if on { Action::AccountReactivated } else { Action::AccountDeactivated };
        let mut batch = Batch::default();
        batch.set_account_status(account.id, wanted);
        let mut event = self.about(call, action, &account)?;
        event.before = Some(json!({ "status": status(account.status) }));
        event.after = Some(json!({ "status": status(wanted) }));
        batch.events.push(event);
        if !on {
            self.tell_lockouts(call, &account, &mut batch).await?;
        }
        if let Some(email) = account.email.clone().filter(|_| !on) {
            // N6: in the same commit, so that nobody is put out without a word.
            let letter = Letter::Deactivated { org: call.org.clone() };
            let queued = queue(&self.world.keys, call.request.now, &[(email, letter)], Some(account.id));
            batch.changes.push(queued.map_err(|why| Problem::fault(&why))?);
        }
        self.world.store.commit(batch).await?;
        let account = self.world.store.account(account.id).await?.ok_or_else(Problem::not_found)?;
        Ok(Reply::of(&shown(&account))?.at(account.epoch))
    }

    /// An admin's word that an account stays off is not a directory's to take back (rule H4), also where the directory was first.
    async fn hold(&self, call: &Call<'_>, (account, on): (&Account, bool)) -> Result<(), Problem> {
        let rows = self.world.store.provisioned_of(account.id).await?;
        if on || rows.iter().all(|row| row.off_epoch.is_none()) {
            return Ok(());
        }
        let mut event = self.about(call, Action::AccountDeactivated, account)?;
        event.reason = Some("it was switched off by provisioning, and stays so".to_owned());
        let changes = vec![Change::Scim(ScimChange::Hold(account.id))];
        self.world.store.commit(Batch { changes, events: vec![event], ..Batch::default() }).await?;
        Ok(())
    }

    /// The alarm for each organization that is left to its own provider without this person. A hostile last admin must be endable, so
    /// it is no refusal (rule H3).
    pub(super) async fn tell_lockouts(
        &self,
        call: &Call<'_>,
        account: &Account,
        batch: &mut Batch,
    ) -> Result<(), Problem> {
        let floor = self.world.orgs.floor();
        for org in self.world.orgs.effective().orgs.iter().filter(|org| !is_of_file(&floor, &org.name)) {
            if lockout::leaves_nobody(self.world.store.as_ref(), org, account.id).await? {
                let mut alarm = self.about(call, Action::OrganizationLockout, account)?;
                alarm.org = Some(org.name.to_string());
                alarm.reason = Some("the last admin who does not depend on its provider is switched off".to_owned());
                batch.events.push(alarm);
                tracing::error!(org = %org.name, "E-LOCKOUT: nobody can administer this organization any more but by its provider");
            }
        }
        Ok(())
    }

    /// The person of the path, if the organization manages them: one whose address was never proved is listed and nothing more (§4
    /// #18).
    pub(super) async fn managed(&self, call: &Call<'_>) -> Result<Account, Problem> {
        let account = self.person(call).await?;
        if account.email_verified {
            return Ok(account);
        }
        let detail = "The address was never proved: the organization manages nobody by it.";
        Err(Problem::new(StatusCode::CONFLICT, "unverified", detail))
    }

    /// The person of the path, if the organization has them: another one's are not there.
    pub(super) async fn person(&self, call: &Call<'_>) -> Result<Account, Problem> {
        let id = AccountId::parse(call.name(0)?).map_err(|_| Problem::not_found())?;
        let domains = self.domains_of(call.org()?);
        let account = self.world.store.account(id).await?;
        account
            .filter(|account| account.email.as_ref().is_some_and(|email| domains.contains(email.domain())))
            .ok_or_else(Problem::not_found)
    }

    fn domains_of(&self, org: &OrgName) -> Vec<DomainName> {
        let effective = self.world.orgs.effective();
        let known = effective.orgs.iter().find(|known| known.name == *org);
        let mut domains: Vec<DomainName> =
            known.into_iter().flat_map(|org| org.domains.iter().map(|(domain, _)| domain.clone())).collect();
        domains.sort();
        domains
    }

    /// An event about a person, by who asked.
    pub(super) fn about(&self, call: &Call<'_>, action: Action, account: &Account) -> Result<AuditEvent, Problem> {
        let Author { actor, client, correlation, .. } = call.who.author(call.request);
        let now = call.request.now;
        let mut event = AuditEvent::new(EventId::mint(now, random()), now, action, Outcome::Success);
        event.actor = Some(actor);
        event.client = client;
        event.correlation = correlation;
        event.org = Some(call.org()?.to_string());
        event.subject = Subject {
            account: Some(account.id.to_string()),
            email: account.email.as_ref().map(ToString::to_string),
            ..Subject::default()
        };
        Ok(event)
    }
}

pub(super) fn shown(account: &Account) -> Person {
    Person {
        account: account.id.to_string(),
        email: account.email.as_ref().map(ToString::to_string).unwrap_or_default(),
        verified: account.email_verified,
        name: account.name.clone().unwrap_or_else(unknown),
        status: status(account.status).to_owned(),
        last_login: account.last_login_at.map_or_else(unknown, |at| at.to_string()),
        version: account.epoch,
    }
}

/// What is not known is said so.
pub(super) fn unknown() -> String {
    "unknown".to_owned()
}

const fn status(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Active => "active",
        AccountStatus::Deactivated => "deactivated",
        AccountStatus::PendingDelete(_) => "pending_delete",
        AccountStatus::Quarantined => "quarantined",
        AccountStatus::Deleted => "deleted",
    }
}
