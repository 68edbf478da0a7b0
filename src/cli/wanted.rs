//! Which events of the audit log a command is about.

use super::arguments::Which;
use super::stored::Wrong;
use crate::kernel::event::{AboutPerson, AuditEvent};
use crate::kernel::values::EmailAddress;
use crate::store::{LoggedEvent, Store};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Events read at once.
const PAGE: usize = 4096;

/// What is asked for; all of it must hold.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    person: Option<EmailAddress>,
    since: Option<String>,
    until: Option<String>,
    org: Option<String>,
    product: Option<String>,
    /// As it stands in the event.
    pub(super) outcome: Option<serde_json::Value>,
}

impl Wanted {
    pub(super) fn of(what: &Which) -> Result<Self, Wrong> {
        Ok(Self {
            person: what.person.as_deref().map(EmailAddress::parse).transpose()?,
            since: what.since.as_deref().map(since).transpose()?,
            until: what.until.as_deref().map(since).transpose()?,
            org: what.org.clone(),
            product: what.product.clone(),
            outcome: None,
        })
    }

    /// Those that are met, of all or of those that carry a reference.
    pub(super) async fn find(&self, store: &Arc<dyn Store>, reference: Option<&str>) -> Result<Vec<AuditEvent>, Wrong> {
        if let Some(reference) = reference {
            let accounts = self.accounts(store).await?;
            let events = store.events_by_reference(reference).await?;
            return Ok(events.into_iter().filter(|event| self.is_met(event, &accounts)).collect());
        }
        let mut found = Vec::new();
        let take = |_: &LoggedEvent, event| {
            found.push(event);
            Ok(())
        };
        self.each(store, take).await?;
        Ok(found)
    }

    /// Hands over each that is met, in the log's order, without holding more than a page of them, or than those of one person.
    pub(super) async fn each(
        &self,
        store: &Arc<dyn Store>,
        mut take: impl FnMut(&LoggedEvent, AuditEvent) -> Result<(), Wrong>,
    ) -> Result<(), Wrong> {
        let accounts = self.accounts(store).await?;
        if let Some(person) = &self.person {
            for (logged, event) in self.theirs(store, person, &accounts).await?.into_values() {
                take(&logged, event)?;
            }
            return Ok(());
        }
        let mut from = 0;
        loop {
            let page = store.log(from, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            from = last.position.saturating_add(1);
            for logged in &page {
                let event = read(logged)?;
                if self.is_met(&event, &accounts) {
                    take(logged, event)?;
                }
            }
        }
    }

    /// Those of a person that are met, by the index, in the log's order.
    async fn theirs(
        &self,
        store: &Arc<dyn Store>,
        person: &EmailAddress,
        accounts: &[String],
    ) -> Result<BTreeMap<u64, (LoggedEvent, AuditEvent)>, Wrong> {
        let mut found = BTreeMap::new();
        let named = AboutPerson::at(person.as_str());
        let by_account = accounts.iter().map(|account| AboutPerson { email: None, account: Some(account.clone()) });
        for about in std::iter::once(named).chain(by_account) {
            let mut before = u64::MAX;
            loop {
                let page = store.events_about(&about, before, PAGE).await?;
                let Some(last) = page.last() else { break };
                before = last.position;
                for logged in page {
                    let event = read(&logged)?;
                    if self.is_met(&event, accounts) {
                        found.insert(logged.position, (logged, event));
                    }
                }
            }
        }
        Ok(found)
    }

    /// Events that name the person only by account are theirs as well.
    async fn accounts(&self, store: &Arc<dyn Store>) -> Result<Vec<String>, Wrong> {
        let Some(person) = &self.person else { return Ok(Vec::new()) };
        let accounts = store.accounts_by_email(person).await?;
        Ok(accounts.iter().map(|account| account.id.to_string()).collect())
    }

    fn is_met(&self, event: &AuditEvent, accounts: &[String]) -> bool {
        let subject = &event.subject;
        let is_theirs = self.person.as_ref().is_none_or(|person| {
            subject.email.as_deref() == Some(person.as_str())
                || subject.account.as_ref().is_some_and(|account| accounts.contains(account))
        });
        let ended = self
            .outcome
            .as_ref()
            .is_none_or(|outcome| serde_json::to_value(event.outcome).is_ok_and(|found| found == *outcome));
        let is_there = self.org.as_ref().is_none_or(|org| event.org.as_ref() == Some(org))
            && self.product.as_ref().is_none_or(|product| event.product.as_ref() == Some(product));
        // Times in the log are all of one form, so text compares as they do.
        let is_then = self.since.as_ref().is_none_or(|since| event.time.as_str() >= since.as_str())
            && self.until.as_ref().is_none_or(|until| event.time.as_str() < until.as_str());
        is_theirs && ended && is_there && is_then
    }
}

fn read(logged: &LoggedEvent) -> Result<AuditEvent, Wrong> {
    serde_json::from_slice(&logged.bytes)
        .map_err(|why| Wrong(format!("event {} does not read: {why}", logged.position)))
}

/// A date or the beginning of a UTC time, as it would stand in an event.
pub(super) fn since(text: &str) -> Result<String, Wrong> {
    let full = "2000-01-01T00:00:00.000Z";
    let rest = full.get(text.len()..).filter(|_| text.len() >= 10);
    let whole =
        rest.map(|rest| format!("{text}{rest}")).filter(|whole| chrono::DateTime::parse_from_rfc3339(whole).is_ok());
    match whole {
        Some(_) => Ok(text.trim_end_matches('Z').to_owned()),
        None => {
            Err(Wrong("--since and --until take a date or a UTC time, like 2026-11-22 or 2026-11-22T14:30".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_or_the_beginning_of_a_time_is_taken() {
        for good in ["2026-11-22", "2026-11-22T14:30", "2026-11-22T14:30:05", "2026-11-22T14:30:05.000Z"] {
            assert!(since(good).is_ok(), "{good}");
        }
        for bad in
            ["", "yesterday", "2026-11", "2026-13-01", "22.11.2026", "2026-11-22T14:30:05.000Z!", "2026-11-22\u{e9}"]
        {
            assert!(since(bad).is_err(), "{bad}");
        }
    }
}
