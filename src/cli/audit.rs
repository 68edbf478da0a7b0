//! `fedgate audit`: verify, export and search the audit log, beside a gateway that may be running.

use super::arguments::{Audit, Search, Verify};
use super::node::audit_key::file as key_file;
use super::stored::{self, Wrong};
use super::{Common, Screen, events, explain};
use crate::audit::{Verdict, VerifyingKey, export, verify_folder, verify_store};
use crate::clock::Clock;
use crate::kernel::event::AuditEvent;
use crate::kernel::values::EmailAddress;
use crate::store::Store;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Events read at once.
const PAGE: usize = 4096;

/// Runs what the arguments say.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Audit, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let done = match arguments {
        Audit::Verify(what) => verify(what, common, screen),
        Audit::Export { folder } => write_out(folder, common, screen),
        Audit::Search(what) => search(what, common, screen),
    };
    stored::finish(done, common, screen)
}

fn verify(what: &Verify, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let anchor = what.anchor.as_deref().map(stored::file).transpose()?;
    let anchor = anchor.as_deref();
    let now = Clock::system().now();
    let (verdict, key) = match (&what.export, &what.keys) {
        (Some(folder), Some(keys)) => {
            let key = first_key(keys)?;
            (verify_folder(folder, std::slice::from_ref(&key), anchor, now)?, key)
        }
        (folder, keys) => {
            let config = stored::configuration(common)?;
            let key = first_key(keys.as_deref().unwrap_or(&key_file(&config.state)))?;
            let keys = std::slice::from_ref(&key);
            let verdict = match folder {
                Some(folder) => verify_folder(folder, keys, anchor, now)?,
                None => {
                    let store = stored::store(&config)?;
                    let verdict = async { Ok(verify_store(store.as_ref(), keys, anchor, now).await?) };
                    stored::on_store(&store, verdict)?
                }
            };
            (verdict, key)
        }
    };
    // An anchor that fits no size of this log was not verified, whatever the rest says.
    let good = verdict.is_consistent() && (anchor.is_none() || verdict.anchored.is_some());
    show(&verdict, &key, good, common, screen)?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The key that trust begins with. Each later one must have been named by its predecessor (rule H13), so taking more of them
/// from a file would only let a stolen one sign what was before it.
fn first_key(path: &Path) -> Result<VerifyingKey, Wrong> {
    let text = stored::file(path)?;
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let fault = |why: &dyn std::fmt::Display| Wrong(format!("{}: {why}", path.display()));
    VerifyingKey::parse(first.ok_or_else(|| fault(&"there is no key in it"))?).map_err(|why| fault(&why))
}

fn show(verdict: &Verdict, key: &VerifyingKey, good: bool, common: &Common, screen: &mut Screen<'_>) -> io::Result<()> {
    if !common.json {
        return writeln!(screen.out, "{verdict}\nfirst key: {key}");
    }
    let faults: Vec<String> = verdict.faults.iter().map(ToString::to_string).collect();
    let shown = serde_json::json!({
        "good": good,
        "events": verdict.size,
        "signed": verdict.signed,
        "signed_at": verdict.signed_at.map(|at| at.to_string()),
        "anchored": verdict.anchored,
        "unsigned_minutes": verdict.minutes,
        "faults": faults,
        "first_key": key.to_string(),
    });
    writeln!(screen.out, "{shown}")
}

fn write_out(folder: &Path, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let store = stored::store(&stored::configuration(common)?)?;
    let events = stored::on_store(&store, async { Ok(export(store.as_ref(), folder).await?) })?;
    if common.json {
        writeln!(screen.out, "{}", serde_json::json!({ "events": events, "folder": folder }))?;
    } else {
        writeln!(screen.out, "{events} events are in {}", folder.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn search(what: &Search, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let wanted = Wanted::of(what)?;
    let store = stored::store(&stored::configuration(common)?)?;
    let found = stored::on_store(&store, wanted.find(&store))?;
    for event in &found {
        if common.json {
            writeln!(screen.out, "{}", serde_json::to_string(event)?)?;
        } else {
            writeln!(screen.out, "{}", events::line(event))?;
        }
    }
    Ok(if found.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What a search asks for.
struct Wanted {
    reference: Option<String>,
    person: Option<EmailAddress>,
    since: Option<String>,
    outcome: Option<serde_json::Value>,
}

impl Wanted {
    fn of(what: &Search) -> Result<Self, Wrong> {
        let person = what.person.as_deref().map(EmailAddress::parse).transpose()?;
        let reference = what.reference.as_deref().map(explain::reference).transpose()?;
        let since = what.since.as_deref().map(since).transpose()?;
        let outcome = what.outcome.clone().map(serde_json::Value::String);
        Ok(Self { reference: reference.map(|reference| reference.to_string()), person, since, outcome })
    }

    async fn find(&self, store: &Arc<dyn Store>) -> Result<Vec<AuditEvent>, Wrong> {
        // Events that name the person only by account are theirs as well.
        let accounts = match &self.person {
            Some(person) => store.accounts_by_email(person).await?,
            None => Vec::new(),
        };
        let accounts: Vec<String> = accounts.iter().map(|account| account.id.to_string()).collect();
        if let Some(reference) = &self.reference {
            let events = store.events_by_reference(reference).await?;
            return Ok(events.into_iter().filter(|event| self.is_met(event, &accounts)).collect());
        }
        let (mut found, mut from) = (Vec::new(), 0);
        loop {
            let page = store.log(from, PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            from = last.position.saturating_add(1);
            for event in &page {
                let event: AuditEvent = serde_json::from_slice(&event.bytes)
                    .map_err(|why| Wrong(format!("event {} does not read: {why}", event.position)))?;
                if self.is_met(&event, &accounts) {
                    found.push(event);
                }
            }
        }
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
        // Times in the log are all of one form, so text compares as they do.
        is_theirs && ended && self.since.as_ref().is_none_or(|since| event.time.as_str() >= since.as_str())
    }
}

/// A date or the beginning of a UTC time, as it would stand in an event.
pub(super) fn since(text: &str) -> Result<String, Wrong> {
    let full = "2000-01-01T00:00:00.000Z";
    let rest = full.get(text.len()..).filter(|_| text.len() >= 10);
    let whole =
        rest.map(|rest| format!("{text}{rest}")).filter(|whole| chrono::DateTime::parse_from_rfc3339(whole).is_ok());
    match whole {
        Some(_) => Ok(text.trim_end_matches('Z').to_owned()),
        None => Err(Wrong("--since takes a date or a UTC time, like 2026-11-22 or 2026-11-22T14:30".to_owned())),
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
