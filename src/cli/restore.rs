//! `fedgate restore`: a backup becomes the store, emptied of what stood then; what happened to people since is done to them again, or
//! listed; and nobody logs in before the operator has read that and says so (rule H17).
//!
//! Everything is done to a file beside the store's, which takes its place last: a restore that is cut off has changed nothing.

use super::backup::{Manifest, beside, store_file, unpack};
use super::node::{seen, state};
use super::stored::{self, Wrong};
use super::{Common, Screen};
use crate::clock::Clock;
use crate::config::Config;
use crate::kernel::event::{Action, Actor, AuditEvent};
use crate::kernel::journal::{Batch, Change, OrganizationChange};
use crate::kernel::values::{ProductName, Timestamp};
use crate::keys::{Kek, Keys};
use crate::login::restoring::{Finding, Happened, done_again, open, shut};
use crate::orgs::phases;
use crate::orgs::restored::{Restored, SETTING};
use crate::store::{Sqlite, Store, settle};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Events that are read and written at once.
const PAGE: usize = 500;
/// Lines of the list that a screen shows.
const SHOWN: usize = 20;

/// `fedgate restore`.
#[derive(clap::Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  fedgate restore /var/backups/fedgate-2026-11-30 --replace\n  fedgate restore --open 7K3M-9QX2\n\nNo \
                  gateway may run on the store while a file is restored. docs/backup.md has the rest.\n\nStatus 1: the store is shut, \
                  and there is something to read."
)]
pub struct Arguments {
    /// What `fedgate backup` wrote.
    #[arg(value_name = "FILE", required_unless_present_any = ["open", "status"], conflicts_with_all = ["open", "status"])]
    pub file: Option<PathBuf>,
    /// Where there is a store, move it aside: its audit log says what happened since the backup.
    #[arg(long, requires = "file")]
    pub replace: bool,
    /// Where no store is left: what a sink wrote of the audit log (`jsonl:`), the oldest file first.
    #[arg(long = "log", value_name = "FILE", requires = "file")]
    pub logs: Vec<PathBuf>,
    /// Say whether the store is shut.
    #[arg(long)]
    pub status: bool,
    /// Let people log in again; the code stands at the end of the list. Beside a running gateway.
    #[arg(long, value_name = "CODE", conflicts_with = "status")]
    pub open: Option<String>,
}

/// Restores, or opens.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Arguments, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let done = match (&arguments.file, &arguments.open) {
        (Some(file), _) => restore(file, arguments, common, screen),
        (None, code) => reopen(code.as_deref(), common, screen),
    };
    stored::finish(done, common, screen)
}

fn restore(file: &Path, arguments: &Arguments, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let config = stored::configuration(common)?;
    let store = store_file(&config)?;
    // Held to the end: no gateway starts on what is half done.
    let _lock = state::open(&config.state)?;
    let kek = state::kek(&config.key)?;
    if store.exists() && !arguments.replace {
        return Err(Wrong(format!(
            "there is a store at {}: with --replace it is moved aside, and its audit log says what happened since",
            store.display()
        )));
    }
    let part = beside(&store, "restoring");
    clear(&part)?;
    let manifest = unpack(file, &part, &kek)?;
    let now = Clock::system().now();
    let done = super::run::on_runtime(async {
        let made = make_good(&config, (&part, &manifest), (&kek, arguments), now).await;
        made.map_err(|Wrong(why)| super::node::NotStarted(why))
    });
    let (restored, findings) = match done {
        Ok(done) => done,
        Err(why) => {
            clear(&part)?;
            return Err(why.into());
        }
    };
    let list = config.state.join(format!("restored-{}.jsonl", now.millis()));
    write_list(&list, &findings)?;
    put_in_place(&part, &store, &beside(&store, &format!("before-{}", now.millis())))?;
    tell((&restored, &findings), &list, common, screen)?;
    Ok(ExitCode::FAILURE)
}

/// The restored file becomes the store, and the one before lies aside. There is a store at every moment: a gateway that found none would
/// make an empty one.
fn put_in_place(part: &Path, store: &Path, aside: &Path) -> io::Result<()> {
    if store.exists() {
        for ending in ["-wal", "-shm"] {
            let beside = with_ending(store, ending);
            if beside.exists() {
                std::fs::rename(&beside, with_ending(aside, ending))?;
            }
        }
        renameat_with(CWD, part, CWD, store, RenameFlags::EXCHANGE)?;
        std::fs::rename(part, aside)?;
    } else {
        std::fs::rename(part, store)?;
    }
    let folder = store.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_os_string();
    name.push(ending);
    name.into()
}

/// What a restore that was cut off left behind.
fn clear(part: &Path) -> io::Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let file = with_ending(part, ending);
        if file.exists() {
            std::fs::remove_file(file)?;
        }
    }
    Ok(())
}

async fn make_good(
    config: &Config,
    (part, manifest): (&Path, &Manifest),
    (kek, arguments): (&Kek, &Arguments),
    now: Timestamp,
) -> Result<(Restored, Vec<Finding>), Wrong> {
    let new = Sqlite::open(part, Clock::system())?;
    let store = store_file(config)?;
    let mut happened = Happened::default();
    let mut knows = false;
    if store.exists() {
        let old = Sqlite::open(&store, Clock::system());
        match old {
            Ok(old) => {
                knows = carry_over((&old, &new), manifest, &mut happened).await?;
                old.close().await;
            }
            Err(why) => happened.amiss(format!("the store that is replaced cannot be read: {why}")),
        }
    }
    if !arguments.logs.is_empty() {
        let next = if knows { new.log_size().await? } else { manifest.events };
        knows |= read_logs(&arguments.logs, next, &mut happened)?;
    }
    if !knows {
        happened.amiss(format!("nothing is known of what happened after {}", manifest.at()));
    }
    let products: Vec<ProductName> = config.catalog.products.iter().map(|product| product.name.clone()).collect();
    done_again(&new, &products, &mut happened).await?;
    let at = (Some(manifest.at()), now);
    let restored = shut(&new, kek, at, (&happened, Action::StoreRestored)).await?;
    seen::keep(&new, &config.state, now).await?;
    new.close().await;
    // The file takes its place in one step: nothing of it may lie beside it.
    settle(part)?;
    Ok((restored, happened.findings))
}

/// Takes over what must never go back: the audit log, keys, directories' ids, versions of organizations' documents, epochs of policies,
/// phases. Whether the log was that of this store, so that all that happened is known.
async fn carry_over(
    (old, new): (&dyn Store, &dyn Store),
    manifest: &Manifest,
    happened: &mut Happened,
) -> Result<bool, Wrong> {
    let from = new.log_size().await?;
    let last = from.saturating_sub(1);
    let same =
        old.log_size().await? >= from && old.leaf_hashes(last, from).await? == new.leaf_hashes(last, from).await?;
    if from != manifest.events || !same {
        happened.amiss(
            "the store that is replaced has another history than the backup: nothing of it is taken over".into(),
        );
        return Ok(false);
    }
    let mut at = from;
    loop {
        let page = old.log(at, PAGE).await?;
        let Some(end) = page.last() else { break };
        let page_begins = std::mem::replace(&mut at, end.position + 1);
        let mut events = Vec::with_capacity(page.len());
        for logged in &page {
            let event: AuditEvent = serde_json::from_slice(&logged.bytes)?;
            happened.take(&event);
            events.push(event);
        }
        new.commit(Batch { events, ..Batch::default() }).await?;
        // The log's own statements are about these very bytes.
        if old.leaf_hashes(page_begins, at).await? != new.leaf_hashes(page_begins, at).await? {
            return Err(Wrong(format!("events {page_begins} to {at} cannot be taken over as they are")));
        }
    }
    let mut changes = Vec::new();
    let later = old.checkpoints().await?.into_iter().filter(|row| row.size > from);
    changes.extend(later.map(Change::PutCheckpoint));
    keys((old, new), &mut changes).await?;
    let known: BTreeSet<_> = new.directories().await?.into_iter().map(|row| row.id).collect();
    let directories = old.directories().await?.into_iter().filter(|row| !known.contains(&row.id));
    changes.extend(directories.map(Change::RegisterDirectory));
    policies((old, new), &mut changes).await?;
    if let Some(value) = old.setting(phases::SETTING).await? {
        changes.push(Change::PutSetting { name: phases::SETTING.to_owned(), value });
    }
    new.commit(Batch { changes, ..Batch::default() }).await?;
    organizations((old, new)).await?;
    Ok(true)
}

/// A key that was made since is there, and one that was taken away since is not: somebody may have it (rule M23).
async fn keys((old, new): (&dyn Store, &dyn Store), changes: &mut Vec<Change>) -> Result<(), Wrong> {
    let (were, are) = (new.keys().await?, old.keys().await?);
    let is_in = |row: &crate::kernel::journal::KeyRow, rows: &[crate::kernel::journal::KeyRow]| {
        rows.iter().any(|other| other.kind == row.kind && other.generation == row.generation)
    };
    for row in were.iter().filter(|row| !is_in(row, &are)) {
        changes.push(Change::DropKey { kind: row.kind.clone(), generation: row.generation });
    }
    changes.extend(are.iter().filter(|row| !is_in(row, &were)).cloned().map(Change::PutKey));
    Ok(())
}

async fn policies((old, new): (&dyn Store, &dyn Store), changes: &mut Vec<Change>) -> Result<(), Wrong> {
    let were = new.policies().await?;
    let epoch = |org: &_, name: &_| were.iter().find(|row| row.org == *org && row.name == *name).map(|row| row.epoch);
    let newer =
        old.policies().await?.into_iter().filter(|row| epoch(&row.org, &row.name).is_none_or(|was| was < row.epoch));
    changes.extend(newer.map(Change::PutPolicy));
    Ok(())
}

/// Every version since, in its order: a policy that was enforced since is enforced.
async fn organizations((old, new): (&dyn Store, &dyn Store)) -> Result<(), Wrong> {
    let heads = new.organization_heads().await?;
    for head in old.organization_heads().await? {
        let was = heads.iter().find(|known| known.org == head.org).map_or(0, |known| known.version);
        for number in was.saturating_add(1)..=head.version {
            let Some(version) = old.organization_version(&head.org, number).await? else {
                return Err(Wrong(format!("version {number} of organization {} is missing", head.org)));
            };
            // Heads on the way are never looked at: the last one has the MAC of its own.
            let head = crate::kernel::journal::OrganizationHead { version: number, ..head.clone() };
            let changes = vec![
                Change::Organization(OrganizationChange::PutVersion(version)),
                Change::Organization(OrganizationChange::PutHead(head)),
            ];
            new.commit(Batch { changes, ..Batch::default() }).await?;
        }
    }
    Ok(())
}

/// A line of a sink; checkpoints are other lines.
#[derive(Deserialize)]
struct Line {
    position: Option<u64>,
    event: Option<Value>,
    /// Of an event in OCSF, which does not hold everything that is needed here.
    metadata: Option<Value>,
}

/// What sinks wrote from this event on. Whether nothing is missing at the beginning or in between.
fn read_logs(files: &[PathBuf], mut next: u64, happened: &mut Happened) -> Result<bool, Wrong> {
    let mut found = false;
    for path in files {
        let unreadable = |why: &dyn std::fmt::Display| Wrong(format!("{} cannot be read: {why}", path.display()));
        let file = BufReader::new(File::open(path).map_err(|why| unreadable(&why))?);
        for line in file.lines() {
            let line = line.map_err(|why| unreadable(&why))?;
            let line: Line = serde_json::from_str(&line).map_err(|why| unreadable(&why))?;
            if line.metadata.is_some() {
                return Err(unreadable(&"it is in OCSF; give the file of a sink with format = \"fedgate\""));
            }
            let (Some(position), Some(event)) = (line.position, line.event) else { continue };
            if position < next {
                continue;
            }
            if position > next {
                happened.amiss(format!("events {next} to {} are in no log", position.saturating_sub(1)));
            }
            let event: AuditEvent = serde_json::from_value(event).map_err(|why| unreadable(&why))?;
            happened.take(&event);
            next = position.saturating_add(1);
            found = true;
        }
    }
    Ok(found)
}

fn write_list(path: &Path, findings: &[Finding]) -> Result<(), Wrong> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    for finding in findings {
        writeln!(file, "{}", serde_json::to_string(finding)?)?;
    }
    file.sync_all()?;
    Ok(())
}

fn tell(
    (restored, findings): (&Restored, &[Finding]),
    list: &Path,
    common: &Common,
    screen: &mut Screen<'_>,
) -> Result<(), Wrong> {
    if common.json {
        let said =
            json!({ "open": false, "code": restored.code, "findings": findings, "list": list.display().to_string() });
        writeln!(screen.out, "{said}")?;
        return Ok(());
    }
    for finding in findings.iter().take(SHOWN) {
        let time = finding.time.as_deref().unwrap_or("-");
        let about = [&finding.email, &finding.account, &finding.org].into_iter().flatten().next();
        let about = about.map(|about| super::events::clean(about)).unwrap_or_default();
        writeln!(screen.out, "{time}  {}  {about}  {}", super::events::clean(&finding.what), finding.done)?;
    }
    let more = findings.len().saturating_sub(SHOWN);
    if more > 0 {
        writeln!(screen.out, "and {more} more")?;
    }
    writeln!(screen.out, "The whole list: {}", list.display())?;
    writeln!(
        screen.out,
        "The store is restored and shut: nobody logs in, and everybody is logged out. Start the gateway, see to the list, then: \
         fedgate restore --open {}",
        restored.code
    )?;
    Ok(())
}

/// `--status` and `--open`.
fn reopen(code: Option<&str>, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let config = stored::configuration(common)?;
    let store = stored::store(&config)?;
    let now = Clock::system().now();
    stored::on_store(&store, async {
        let keys = Keys::open(&state::kek(&config.key)?, &store.keys().await?)?;
        let word = store.setting(SETTING).await?;
        let restored = Restored::read(word.as_deref(), &keys)?.filter(|restored| !restored.open);
        let Some(restored) = restored else {
            say(common, screen, (&json!({ "open": true }), "The store is open."))?;
            return Ok(if code.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        };
        match code {
            Some(code) if code.eq_ignore_ascii_case(&restored.code) => {
                let uid = rustix::process::getuid().as_raw();
                let by = Actor { kind: "operator".to_owned(), id: Some(format!("uid {uid}")), address: None };
                open(&*store, &keys, (restored, by), now).await?;
                say(common, screen, (&json!({ "open": true }), "The store is open: people log in again."))?;
                Ok(ExitCode::SUCCESS)
            }
            Some(_) => Err(Wrong("that is not the code of this restore: it stands at the end of its list".to_owned())),
            None => {
                let text = format!(
                    "The store is shut since {}: {} lines to see to, then fedgate restore --open {}",
                    restored.at(),
                    restored.findings,
                    restored.code
                );
                let said = json!({ "open": false, "code": restored.code, "findings": restored.findings });
                say(common, screen, (&said, &text))?;
                Ok(ExitCode::FAILURE)
            }
        }
    })
}

fn say(common: &Common, screen: &mut Screen<'_>, (json, text): (&Value, &str)) -> io::Result<()> {
    match common.json {
        true => writeln!(screen.out, "{json}"),
        false => writeln!(screen.out, "{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::event::Outcome;
    use crate::kernel::values::{AccountId, EventId};

    fn line(position: u64, action: Action, account: u8) -> String {
        let now = Timestamp::from_seconds(1);
        let mut event = AuditEvent::new(EventId::mint(now, [7; 10]), now, action, Outcome::Success);
        event.subject.account = Some(AccountId::from_bytes([account; 16]).to_string());
        json!({ "position": position, "event": event }).to_string()
    }

    #[test]
    fn h17_the_restored_file_changes_places_with_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [("part", "new"), ("db", "old"), ("db-wal", "log")] {
            std::fs::write(at(name), text).unwrap();
        }
        put_in_place(&at("part"), &at("db"), &at("aside")).unwrap();
        let read = |name: &str| std::fs::read_to_string(at(name)).ok();
        assert_eq!([read("db"), read("aside"), read("aside-wal")].map(Option::unwrap), ["new", "old", "log"]);
        assert_eq!([read("part"), read("db-wal")], [None, None], "nothing of either lies where the other is");
        std::fs::rename(at("db"), at("part")).unwrap();
        put_in_place(&at("part"), &at("db"), &at("nothing")).unwrap();
        assert_eq!((read("db").as_deref(), read("nothing")), (Some("new"), None));
    }

    #[test]
    fn h17_what_sinks_wrote_is_read_from_the_backup_on_and_gaps_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, lines: &[String]| {
            let path = folder.path().join(name);
            std::fs::write(&path, lines.join("\n")).unwrap();
            path
        };
        let older = file("1", &[line(4, Action::AccountDeactivated, 4), line(5, Action::AccountDeactivated, 5)]);
        let checkpoint = json!({ "checkpoint": "a note" }).to_string();
        let newer = file("2", &[checkpoint, line(6, Action::LoginSucceeded, 6), line(9, Action::ScimUserDeleted, 9)]);
        let read = |files: &[PathBuf], next| {
            let mut happened = Happened::default();
            let knows = read_logs(files, next, &mut happened).unwrap();
            let lines: Vec<String> = happened.findings.iter().map(|line| line.what.clone()).collect();
            (knows, lines)
        };
        let (knows, lines) = read(&[older.clone(), newer.clone()], 5);
        assert!(knows);
        assert_eq!(lines, ["account.deactivated", "events 7 to 8 are in no log", "scim.user_deleted"]);
        assert_eq!(read(std::slice::from_ref(&older), 6), (false, Vec::new()), "it ends before the backup");
        let mut happened = Happened::default();
        let broken = file("3", &["{\"position\":7,\"event\":{\"action\":\"account.deactivated\"}}".to_owned()]);
        let ocsf = file("4", &["{\"metadata\":{\"sequence\":7},\"class_uid\":3001}".to_owned()]);
        for unread in [broken, ocsf] {
            assert!(read_logs(&[unread], 5, &mut happened).is_err(), "nothing is left out silently");
        }
    }
}
