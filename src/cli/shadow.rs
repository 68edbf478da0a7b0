//! `fedgate policy shadow`: what the configuration in shadow would have decided about the logins that there were (`shadow` in the
//! configuration), against what was decided.

use super::events::clean;
use super::stored::{self, Wrong};
use super::{Common, Screen};
use crate::kernel::event::{Action, AuditEvent};
use crate::store::Store;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::process::ExitCode;

/// Events read at once.
const PAGE: usize = 4096;
/// People that a text names of each kind; `--json` names all.
const NAMED: usize = 50;

/// Both answers, and of whom.
#[derive(Default)]
struct Found {
    logins: u64,
    /// By moment and both answers.
    differ: BTreeMap<(String, String, String), (u64, BTreeSet<String>)>,
}

/// Runs it.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(since: Option<&str>, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let done = report(since, common, screen);
    stored::finish(done, common, screen)
}

fn report(since: Option<&str>, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let config = stored::configuration(common)?;
    let since = since.map(super::wanted::since).transpose()?;
    let store = stored::store(&config)?;
    let found = stored::on_store(&store, async { read(store.as_ref(), since.as_deref()).await })?;
    let kinds: Vec<_> = found.differ.iter().collect();
    let differing: u64 = kinds.iter().map(|(_, (count, _))| count).sum();
    if common.json {
        let kinds: Vec<Value> = kinds
            .iter()
            .map(|((phase, was, would), (count, people))| {
                json!({ "phase": phase, "decided": was, "would": would, "logins": count, "people": people })
            })
            .collect();
        writeln!(screen.out, "{}", json!({ "logins": found.logins, "differ": differing, "kinds": kinds }))?;
    } else {
        writeln!(
            screen.out,
            "logins decided beside the shadow: {}; pages, logins and sessions that differ: {differing}",
            found.logins
        )?;
        for ((phase, was, would), (count, people)) in kinds {
            let of = match phase.as_str() {
                "identify" => " (page for a typed address)",
                "session" => " (session under way, after the grace)",
                _ => "",
            };
            writeln!(screen.out, "{count} × {} → {}{of}", clean(was), clean(would))?;
            for person in people.iter().take(NAMED) {
                writeln!(screen.out, "  {}", clean(person))?;
            }
            if people.len() > NAMED {
                writeln!(screen.out, "  … and {} more: --json names all", people.len() - NAMED)?;
            }
        }
    }
    Ok(if differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn read(store: &dyn Store, since: Option<&str>) -> Result<Found, Wrong> {
    let (mut found, mut position) = (Found::default(), 0);
    loop {
        let page = store.log(position, PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        position = last.position.saturating_add(1);
        for logged in &page {
            let event: AuditEvent = serde_json::from_slice(&logged.bytes)
                .map_err(|why| Wrong(format!("event {} does not read: {why}", logged.position)))?;
            // Times in the log are all of one form, so text compares as they do.
            if event.action == Action::PolicyShadowed && since.is_none_or(|since| event.time.as_str() >= since) {
                found.take(&event);
            }
        }
    }
}

impl Found {
    fn take(&mut self, event: &AuditEvent) {
        let word = |side: &Option<Value>| {
            let decision = side.as_ref().and_then(|side| side.get("decision")).and_then(Value::as_str);
            decision.unwrap_or("unknown").to_owned()
        };
        let (was, would) = (word(&event.before), word(&event.after));
        let phase = event.before.as_ref().and_then(|side| side.get("phase")).and_then(Value::as_str);
        let phase = phase.unwrap_or("login").to_owned();
        self.logins += u64::from(phase == "login");
        if was != would {
            let (count, people) = self.differ.entry((phase, was, would)).or_default();
            *count += 1;
            people.insert(event.subject.email.clone().unwrap_or_else(|| "unknown".to_owned()));
        }
    }
}
