//! The audit log as the console reads it: newest first, for one person or for a search, and what stands behind a reference.

use super::super::Admin;
use super::super::events::line;
use super::super::scope::Scope;
use super::{Nothing, may, may_everywhere, reads};
use crate::kernel::event::{AboutPerson, AuditEvent, Outcome};
use crate::kernel::journal::Role;
use crate::kernel::model::Account;
use crate::kernel::values::{OrgName, Reference};
use crate::login::Steward;
use crate::store::LoggedEvent;

/// Events that one page looks through at most; it then says where to go on.
const LOOKED_THROUGH: usize = 5_000;
/// Read at once.
const READ: usize = 500;
/// On one page.
const SHOWN: usize = 50;

/// What is looked for. Empty: anything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// An address, however it is written.
    pub person: String,
    /// A stable name, as `login.denied`.
    pub action: String,
    /// `success`, `refused`, `failure`.
    pub outcome: String,
    /// Where the page before ended: only what is older.
    pub before: Option<u64>,
}

/// An event with its place in the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The leaf's index.
    pub position: u64,
    /// The event.
    pub event: AuditEvent,
}

/// A page of the log.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// Where it goes on.
    pub before: Option<u64>,
}

/// What stands behind a reference.
#[derive(Clone, Debug)]
pub enum Story {
    /// All of it.
    Whole(Vec<AuditEvent>),
    /// The one line that is for support.
    Line(String),
}

impl Admin {
    /// Everything that happened to a person or was done by them, as far as the reader may see it. What was refused before anybody knew
    /// whose account it is has the address alone.
    pub async fn time_line(&self, steward: &Steward, account: &Account, before: Option<u64>) -> Result<Log, Nothing> {
        let id = account.id.to_string();
        let email = account.email.as_ref().map(ToString::to_string);
        let about = AboutPerson { email: email.clone(), account: Some(id.clone()) };
        let wanted = |event: &AuditEvent| {
            let subject = &event.subject;
            let by = event.actor.as_ref().and_then(|actor| actor.id.as_deref());
            let is_by = by.is_some_and(|by| by.split('/').next() == Some(id.as_str()));
            match subject.account.as_deref() {
                Some(account) => account == id || is_by,
                None => is_by || (email.is_some() && subject.email == email),
            }
        };
        self.look_through(steward, (Some(&about), before), wanted).await
    }

    /// A search.
    pub async fn search_log(&self, steward: &Steward, filter: &Filter) -> Result<Log, Nothing> {
        let fits = |wanted: &str, has: Option<&str>| wanted.is_empty() || has == Some(wanted);
        let about = (!filter.person.is_empty()).then(|| AboutPerson::at(&filter.person));
        let person = about.as_ref().and_then(|about| about.email.as_deref()).unwrap_or_default();
        let wanted = |event: &AuditEvent| {
            let (action, outcome) =
                (named(serde_json::to_value(event.action)), named(serde_json::to_value(event.outcome)));
            fits(person, event.subject.email.as_deref())
                && fits(&filter.action, action.as_deref())
                && fits(&filter.outcome, outcome.as_deref())
        };
        self.look_through(steward, (about.as_ref(), filter.before), wanted).await
    }

    /// Backwards from `before`, at most [`LOOKED_THROUGH`] events.
    async fn look_through(
        &self,
        steward: &Steward,
        (about, before): (Option<&AboutPerson>, Option<u64>),
        wanted: impl Fn(&AuditEvent) -> bool,
    ) -> Result<Log, Nothing> {
        let mut at = before.unwrap_or(u64::MAX).min(self.world.store.log_size().await?);
        let (mut found, mut looked) = (Log::default(), 0);
        while at > 0 && looked < LOOKED_THROUGH {
            let page = self.page_before(steward, about, at).await?;
            if page.is_empty() {
                at = 0;
                break;
            }
            for logged in page {
                (at, looked) = (logged.position, looked + 1);
                let event = serde_json::from_slice(&logged.bytes).map_err(|why| Nothing::Fault(why.to_string()))?;
                if reads(&steward.roles, Scope::AuditRead, &event) && wanted(&event) {
                    found.entries.push(Entry { position: logged.position, event });
                }
                if found.entries.len() == SHOWN {
                    break;
                }
            }
            if found.entries.len() == SHOWN {
                break;
            }
        }
        found.before = (at > 0).then_some(at);
        Ok(found)
    }

    /// Newest first, by an index where one leads to what is looked for: a person, or the one organization whose events are the reader's.
    async fn page_before(
        &self,
        steward: &Steward,
        about: Option<&AboutPerson>,
        before: u64,
    ) -> Result<Vec<LoggedEvent>, Nothing> {
        let store = &self.world.store;
        if let Some(person) = about {
            return Ok(store.events_about(person, before, READ).await?);
        }
        if let Some(org) = self.only_org(steward) {
            return Ok(store.events_of_org(&org, before, READ).await?);
        }
        let from = before.saturating_sub(READ as u64);
        let count = usize::try_from(before - from).unwrap_or(READ);
        let mut page = store.log(from, count).await?;
        page.reverse();
        Ok(page)
    }

    fn only_org(&self, steward: &Steward) -> Option<OrgName> {
        let mut orgs: Vec<&OrgName> = steward.roles.iter().filter_map(|held| held.reach.org()).collect();
        orgs.dedup();
        match orgs.as_slice() {
            [org] if !may_everywhere(&steward.roles, Scope::AuditRead) => Some((*org).clone()),
            _ => None,
        }
    }

    /// What stands behind the reference of a refusal page. Support gets the one line; whoever reads the log, all of it.
    pub async fn story(&self, steward: &Steward, reference: &str) -> Result<Story, Nothing> {
        let reference = Reference::parse(reference).ok_or(Nothing::NotHere)?;
        let events = self.world.store.events_by_reference(&reference.to_string()).await?;
        let whole: Vec<AuditEvent> =
            events.iter().filter(|event| reads(&steward.roles, Scope::AuditRead, event)).cloned().collect();
        if !whole.is_empty() {
            return Ok(Story::Whole(whole));
        }
        let seen = events.iter().find(|event| reads(&steward.roles, Scope::ExplainRead, event));
        seen.map(|event| Story::Line(line(event))).ok_or(Nothing::NotHere)
    }

    /// Whether somebody reads explanations and nothing else.
    pub fn is_support(&self, steward: &Steward) -> bool {
        !may(&steward.roles, Scope::AuditRead) && steward.roles.iter().any(|held| held.role == Role::Support)
    }
}

/// How an outcome is told.
pub(super) fn named(value: serde_json::Result<serde_json::Value>) -> Option<String> {
    value.ok()?.as_str().map(str::to_owned)
}

impl Entry {
    /// The stable name of what happened.
    pub fn action(&self) -> String {
        named(serde_json::to_value(self.event.action)).unwrap_or_default()
    }

    /// Whether it was let through.
    pub fn outcome(&self) -> Outcome {
        self.event.outcome
    }
}
